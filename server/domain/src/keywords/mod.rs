//! The words by which people say that they want no more messages, want them again, or want help: in many languages, as
//! data. They cannot be taken away, only added to (settings, `keywords`).
//!
//! Sources: 47 CFR 64.1200(a)(10) (stop, quit, end, revoke, opt out, cancel, unsubscribe count in any case, and every
//! other wording that a reasonable person understands); Twilio, "Advanced Opt-Out", for its own words.

mod languages;

use serde::{Deserialize, Serialize};

pub use languages::LANGUAGES;

/// The words of one language. They are compared folded: without regard to case, accents, punctuation and emoji.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language {
    /// BCP 47.
    pub code: &'static str,
    pub name: &'static str,
    /// As a whole message: no more messages.
    pub stop: &'static [&'static str],
    /// As a whole message: messages again.
    pub start: &'static [&'static str],
    /// As a whole message: how does this work?
    pub help: &'static [&'static str],
    /// As a whole message, while a question of ours waits: yes.
    pub yes: &'static [&'static str],
    /// In a short message: no more messages.
    pub strong: &'static [&'static str],
    /// Anywhere in a message that is not long: no more messages.
    pub phrases: &'static [&'static str],
    /// Right before one of `objects` they are such a phrase, too: "don't want" before "these messages".
    pub refusals: &'static [&'static str],
    /// What people call our messages.
    pub objects: &'static [&'static str],
    /// What may stand behind one of `objects` and narrows nothing: "anymore". With anything else behind it, some messages only
    /// may be refused ("at night", "but WhatsApp is fine"): a person decides.
    pub fillers: &'static [&'static str],
    /// Anywhere in a message: perhaps that. A person decides.
    pub weak: &'static [&'static str],
    /// With these around it a word surely means something else: its opposite, or a place.
    pub negations: &'static [&'static str],
    /// With these around it a word may mean something else, or just that ("you never stop"). A person decides.
    pub doubts: &'static [&'static str],
    /// What makes a request polite and changes nothing of it.
    pub courtesy: &'static [&'static str],
    /// Those of `stop` that are ordinary words besides: inside of a message they say nothing by being in `stop`.
    pub ordinary: &'static [&'static str],
    /// As a whole message: perhaps no more messages, and nothing anywhere else. A person decides.
    pub alone: &'static [&'static str],
}

/// Words that an admin added to the built-in ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Keywords {
    pub stop: Vec<String>,
    pub start: Vec<String>,
    pub help: Vec<String>,
    pub yes: Vec<String>,
}

impl Keywords {
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.stop.is_empty() && self.start.is_empty() && self.help.is_empty() && self.yes.is_empty()
    }
}

/// An edit of them: a list that is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct KeywordsPatch {
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub stop: Option<Vec<String>>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub start: Option<Vec<String>>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub help: Option<Vec<String>>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub yes: Option<Vec<String>>,
}

impl KeywordsPatch {
    /// The words with this edit made.
    #[must_use]
    pub fn applied(&self, words: &Keywords) -> Keywords {
        let list = |given: &Option<Vec<String>>, stored: &[String]| given.clone().unwrap_or_else(|| stored.to_vec());
        Keywords {
            stop: list(&self.stop, &words.stop),
            start: list(&self.start, &words.start),
            help: list(&self.help, &words.help),
            yes: list(&self.yes, &words.yes),
        }
    }
}

/// All lists.
impl From<Keywords> for KeywordsPatch {
    fn from(words: Keywords) -> Self {
        Self { stop: Some(words.stop), start: Some(words.start), help: Some(words.help), yes: Some(words.yes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_left_out_stays() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let stored = Keywords { stop: words(&["fuera"]), start: words(&["dale"]), ..Keywords::default() };
        let patch: KeywordsPatch = serde_json::from_str(r#"{"stop":["x"],"help":[]}"#).unwrap();
        assert_eq!(patch.applied(&stored), Keywords { stop: words(&["x"]), ..stored.clone() });
        assert_eq!(KeywordsPatch::default().applied(&stored), stored);
        assert_eq!(KeywordsPatch::from(Keywords::default()).applied(&stored), Keywords::default());
        assert!(serde_json::from_str::<KeywordsPatch>(r#"{"stop":null}"#).is_err());
    }
}
