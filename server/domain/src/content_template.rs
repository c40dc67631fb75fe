//! Content templates: texts that WhatsApp reviews before they may start a conversation, as Twilio lists them.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use crate::{consent::Category, time::Timestamp, word_enum};

word_enum! {
    /// Where WhatsApp's review of a content template stands (Twilio, "Message template approvals and statuses").
    pub enum Approval {
        Unsubmitted = "unsubmitted",
        /// Submitted a moment ago.
        Received = "received",
        Pending = "pending",
        Approved = "approved",
        Rejected = "rejected",
        /// For some hours, after people complained about it.
        Paused = "paused",
        Disabled = "disabled",
        /// A word that Twilio did not use when this was written.
        Unknown = "unknown",
    }
}

impl Approval {
    /// What Twilio's word means.
    #[must_use]
    pub fn of(word: &str) -> Self {
        word.trim().to_ascii_lowercase().parse().unwrap_or(Self::Unknown)
    }

    /// WhatsApp has said no: whoever gets it gets error 63040 instead.
    #[must_use]
    pub const fn is_refused(self) -> bool {
        matches!(self, Self::Rejected | Self::Paused | Self::Disabled)
    }
}

/// A content template as Twilio had it when it was last asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContentTemplate {
    /// `HX…`
    pub sid: String,
    pub account_sid: String,
    pub name: String,
    /// `en`, `pt_BR`
    pub language: String,
    /// What WhatsApp counts it as; null when Twilio says nothing of it, or one of its older words.
    pub category: Option<Category>,
    pub approval: Approval,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// The text with its places: `Hi {{1}}, …`
    pub body: String,
    /// What Twilio fills in for a variable that a message does not give, by its key: of those that stand somewhere, in the
    /// text, a button's address, a picture's, a card.
    pub variables: BTreeMap<String, String>,
    /// What its buttons say.
    pub buttons: Vec<String>,
    /// As of when.
    pub synced_at: Timestamp,
}

/// What a look at Twilio's list came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContentSync {
    /// Content templates that Twilio lists, over all accounts.
    pub listed: i64,
    /// Those that are new here.
    pub added: i64,
    /// Those that changed since the last look.
    pub changed: i64,
    /// Those that Twilio does not list any more.
    pub removed: i64,
}

/// A content template's text with every `{{key}}` that `value` knows replaced by it, once. What is filled in is itself a
/// template of ours (`{{ first_name }}`), so that the whole is one.
#[must_use]
pub fn with_variables<'a>(text: &'a str, value: impl Fn(&str) -> Option<&'a str>) -> Cow<'a, str> {
    if !places(text).any(|(_, key)| value(key).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut filled = String::with_capacity(text.len() + 64);
    let mut rest = 0;
    for (place, key) in places(text) {
        if let Some(value) = value(key) {
            filled.push_str(&text[rest..place.start]);
            filled.push_str(value);
            rest = place.end;
        }
    }
    filled.push_str(&text[rest..]);
    Cow::Owned(filled)
}

/// The keys of a content template's text that are numbers, each once, in the order of the text: nothing else than a
/// variable can be meant by `{{1}}`.
#[must_use]
pub fn numbered(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    let numbers = keys(text).filter(|key| key.bytes().all(|byte| byte.is_ascii_digit()));
    for key in numbers {
        if !found.contains(&key) {
            found.push(key);
        }
    }
    found
}

/// The keys of a content template's text, in its order, as often as they stand there.
pub fn keys(text: &str) -> impl Iterator<Item = &str> {
    places(text).map(|(_, key)| key)
}

/// Where `{{key}}` stands, and the key: letters, digits and underscores (Twilio, "Using Variables with Content Templates").
fn places(text: &str) -> impl Iterator<Item = (std::ops::Range<usize>, &str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let start = from + text[from..].find("{{")?;
            let end = start + text[start..].find("}}")?;
            from = end + 2;
            let key = text[start + 2..end].trim();
            if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Some((start..from, key));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approvals_are_read_as_twilio_writes_them() {
        assert_eq!(Approval::of("approved"), Approval::Approved);
        assert_eq!(Approval::of(" PAUSED "), Approval::Paused);
        assert_eq!(Approval::of("flagged"), Approval::Unknown);
        let refused = Approval::ALL.iter().filter(|approval| approval.is_refused());
        assert_eq!(refused.count(), 3);
    }

    #[test]
    fn places_are_filled_once() {
        let value = |key: &str| match key {
            "1" => Some("{{ first_name }}"),
            "name" => Some("{{ name }}"),
            _ => None,
        };
        assert_eq!(with_variables("Hi {{1}}, {{ 1 }}!", value), "Hi {{ first_name }}, {{ first_name }}!");
        assert_eq!(with_variables("Hi {{name}}", value), "Hi {{ name }}");
        for text in ["Hi {{2}}", "Hi {{ x | upper }}", "Hi {{1", "{{}} {{ }}", "plain", "{% if x %}{{y}}{% endif %}"] {
            assert!(matches!(with_variables(text, value), Cow::Borrowed(same) if same == text), "{text}");
        }
        assert_eq!(with_variables("{{2}} ශ්‍රී {{1}}", value), "{{2}} ශ්‍රී {{ first_name }}");
    }

    #[test]
    fn numbers_are_variables() {
        let text = "{{2}} and {{ 1 }} and {{2}}, {{ first_name }}";
        assert_eq!(numbered(text), ["2", "1"]);
        assert_eq!(keys(text).collect::<Vec<_>>(), ["2", "1", "2", "first_name"]);
    }
}
