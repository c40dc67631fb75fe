//! What happened elsewhere, told to us one event a line, and what it caused.

use serde::{Deserialize, Serialize};

use crate::{
    contact::Attributes,
    ids::{CampaignId, MessageId, TriggerEventId},
    phone::Phone,
    time::Timestamp,
    word_enum,
};

/// Somebody is stored for the first time, in whatever way.
pub const CONTACT_CREATED: &str = "contact.created";
/// Somebody stands in an imported file; once for each file.
pub const CONTACT_IMPORTED: &str = "contact.imported";
/// Somebody is subscribed to a topic and was not; `topic` is its key.
pub const CONTACT_SUBSCRIBED: &str = "contact.subscribed";
/// Somebody says yes and had not.
pub const CONTACT_OPTED_IN: &str = "contact.opted_in";

/// The events that the product tells itself: nobody else may use their names.
pub const OWN_EVENTS: &[&str] = &[CONTACT_CREATED, CONTACT_IMPORTED, CONTACT_SUBSCRIBED, CONTACT_OPTED_IN];

/// What begins so is told by the product alone.
pub const OWN_PREFIX: &str = "contact.";

/// The longest name and the longest id, in characters.
pub const NAME_MAX: usize = 100;
pub const ID_MAX: usize = 200;

/// Letters, digits, and `_ . : -` behind the first: what can be a name of an event.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.len() <= NAME_MAX
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}

/// A line of `POST /events`: about one person (`phone`) or about many (`segment`).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewTriggerEvent {
    /// Yours: the same id twice is one event.
    pub id: String,
    #[cfg_attr(feature = "openapi", schema(example = "price_drop"))]
    pub name: String,
    /// When it happened; absent, or to come: when it was taken.
    #[serde(default)]
    pub occurred_at: Option<Timestamp>,
    /// With its country code. Somebody who is not known yet is stored.
    #[serde(default)]
    pub phone: Option<String>,
    /// A definition, as audiences have it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::segment::Group>))]
    pub segment: Option<serde_json::Value>,
    /// What templates read as `event.…`.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub data: Attributes,
}

/// What became of the lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventsReport {
    pub accepted: i64,
    /// Known by their ids already.
    pub duplicates: i64,
    /// In the order of the body; at most 1,000 are listed.
    pub rejected: Vec<RejectedLine>,
    /// How many lines were rejected besides those that are listed; left out when none was.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub rejected_besides: i64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it; not trivial where pointers are short")]
const fn is_zero(count: &i64) -> bool {
    *count == 0
}

/// A line that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RejectedLine {
    /// As a text editor counts them: the first is 1, empty ones count.
    pub line: u64,
    pub message: String,
}

word_enum! {
    /// What an event came to in a campaign that listened.
    pub enum EventOutcome {
        /// Messages were planned, or skipped with their reasons.
        Planned = "planned",
        /// An event that happened after it, within the `debounce`, has the message: one goes out for both.
        Merged = "merged",
        /// The person is not in the campaign's audience, or was erased.
        LeftOut = "left_out",
        /// The campaign was over before its turn came.
        CampaignOver = "campaign_over",
    }
}

/// What an event came to in one campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventEffect {
    pub campaign_id: CampaignId,
    pub campaign_name: String,
    /// Null while its turn has not come, or while its people are being planned.
    pub outcome: Option<EventOutcome>,
    /// How many messages were planned by it, those that were skipped among them.
    pub messages: i64,
    /// The message, when there is just one and it is still this event's.
    pub message_id: Option<MessageId>,
}

/// A stored event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TriggerEvent {
    /// Ours: they rise in the order in which events were taken.
    pub number: TriggerEventId,
    /// The id that it came with; null after its person was erased.
    pub id: Option<String>,
    pub name: String,
    pub occurred_at: Option<Timestamp>,
    pub received_at: Timestamp,
    /// Null for an event about many, and after the person was erased.
    pub phone: Option<Phone>,
    /// The definition of whom it is about, when it is about many.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::segment::Group>))]
    pub segment: Option<serde_json::Value>,
    /// Null after its person was erased.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub data: Option<Attributes>,
    /// One for each campaign that listened; empty: nobody did.
    pub effects: Vec<EventEffect>,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TriggerEventFilter {
    pub name: Option<String>,
    pub phone: Option<Phone>,
    /// Those that this campaign listened to.
    pub campaign: Option<CampaignId>,
}

/// A name of events, and how often it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventName {
    pub name: String,
    pub count: i64,
    pub last_at: Timestamp,
}

/// The event behind a message, for those who ask why there is one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MessageEvent {
    pub number: TriggerEventId,
    pub id: Option<String>,
    pub name: String,
    pub occurred_at: Option<Timestamp>,
    pub received_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_without_blanks() {
        for name in ["price_drop", "order.paid", "shop:cart-left", "7days", &"x".repeat(NAME_MAX)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "_x", ".x", "price drop", "prix_été", "a/b", &"x".repeat(NAME_MAX + 1)] {
            assert!(!is_name(name), "{name}");
        }
        assert!(OWN_EVENTS.iter().all(|name| is_name(name) && name.starts_with(OWN_PREFIX)));
    }

    #[test]
    fn unknown_fields_of_a_line_are_refused() {
        let line = r#"{"id":"1","name":"x","phone":"+14155550100","colour":"red"}"#;
        let refused = serde_json::from_str::<NewTriggerEvent>(line).unwrap_err().to_string();
        assert!(refused.contains("unknown field `colour`"), "{refused}");
    }
}
