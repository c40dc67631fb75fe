//! The provider's error codes in words, as this workspace's admins want them: they come with a page's data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The words of the codes that a page shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Faults(BTreeMap<i32, Fault>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Fault {
    meaning: String,
    remedy: String,
}

impl Faults {
    /// Those of these codes.
    #[cfg(feature = "ssr")]
    pub fn of(engine: &engine::Engine, codes: impl IntoIterator<Item = i32>) -> Self {
        let words = |code| {
            let words = engine.error_codes().explain(code);
            (code, Fault { meaning: words.meaning, remedy: words.remedy })
        };
        Self(codes.into_iter().map(words).collect())
    }

    /// What happened, to be part of a line: without a full stop.
    pub fn meaning(&self, code: i32) -> &str {
        self.0.get(&code).map_or("The provider refused it", |fault| fault.meaning.trim_end_matches('.'))
    }

    /// What to do about it.
    pub fn remedy(&self, code: i32) -> Option<&str> {
        self.0.get(&code).map(|fault| fault.remedy.as_str())
    }
}
