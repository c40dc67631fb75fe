//! Settings of the workspace.

use serde::{Deserialize, Serialize};

use crate::{
    auto_reply::AutoReplies,
    keywords::{Keywords, KeywordsPatch},
    quiet::{FrequencyCap, Holiday, OwnLawLine, WorkspaceQuiet, WorkspaceQuietPatch},
    time::Timestamp,
    word_enum,
};

word_enum! {
    /// Whether anything is handed over at all.
    pub enum SendingState {
        On = "on",
        Held = "held",
    }
}

/// The switch that stops everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Sending {
    pub state: SendingState,
    #[serde(default)]
    pub reason: Option<String>,
}

impl Default for Sending {
    fn default() -> Self {
        Self { state: SendingState::On, reason: None }
    }
}

/// How long is kept what people's words and numbers stand in, and what was read of callbacks. The consent ledger, the audit
/// log and what became of each message are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Days that webhooks are kept as they came in.
    pub raw_webhook_days: i32,
    /// Days that the texts of messages are kept, both ways; null is for ever.
    pub text_days: Option<i32>,
    /// Days that callbacks are kept as they were read, by whole months; null is for ever. At least as many as webhooks as they
    /// came in.
    // Left out where there is none: versions that do not know it refuse what is stored with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_days: Option<i32>,
}

impl Retention {
    /// Whether anything goes sooner than by `other`.
    #[must_use]
    pub fn is_shorter_than(self, other: Self) -> bool {
        let sooner = |mine: Option<i32>, theirs: Option<i32>| mine.unwrap_or(i32::MAX) < theirs.unwrap_or(i32::MAX);
        self.raw_webhook_days < other.raw_webhook_days
            || sooner(self.text_days, other.text_days)
            || sooner(self.callback_days, other.callback_days)
    }
}

/// What goes within the hour when things are kept for less long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgetting {
    /// The times that are asked about.
    pub retention: Retention,
    /// Texts of messages, both ways, that are older …
    pub texts: u32,
    /// … and whether there are more: only so many are counted.
    pub more: bool,
}

impl Default for Retention {
    fn default() -> Self {
        Self { raw_webhook_days: 30, text_days: None, callback_days: None }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Settings {
    pub sending: Sending,
    /// Region for numbers written without a country code, when a file or a person has none (ISO 3166).
    pub default_country: Option<String>,
    /// For pages and new schedules, never for a person (IANA name).
    pub default_timezone: String,
    /// Free text only within 24 hours of the person's last message (Twilio error 63016).
    pub enforce_whatsapp_window: bool,
    /// Messages per second over all senders; null is no limit of ours.
    pub account_rate_per_second: Option<i32>,
    /// How many people the business may write to first within 24 hours, over all its WhatsApp numbers (Meta's messaging
    /// limit); null is no limit of ours.
    pub whatsapp_daily_people: Option<i32>,
    /// Percent of them that campaigns leave to replies and single messages.
    pub whatsapp_reply_share: i32,
    /// Words that were added to the built-in ones by which people opt out, opt in and ask for help.
    pub keywords: Keywords,
    /// How many days the question of a double opt-in waits for its answer.
    pub double_opt_in_days: i32,
    /// What is answered by itself to what people write.
    pub auto_replies: AutoReplies,
    /// When nobody is messaged, by the recipient's clock.
    pub quiet_hours: WorkspaceQuiet,
    /// Days on which places that keep holidays allow no marketing.
    pub holidays: Vec<Holiday>,
    /// Lines of the workspace's own in the law table.
    pub law_lines: Vec<OwnLawLine>,
    /// Told, not set: the places where quiet hours, law table and own lines leave marketing no time at all. Nobody there can
    /// get any.
    #[serde(default)]
    pub closed_places: Vec<String>,
    /// How many marketing messages a person gets at most.
    pub frequency_caps: Vec<FrequencyCap>,
    /// How many days campaigns leave a number alone that the last two messages did not come to; 0: never.
    pub unreachable_days: i32,
    /// How long raw webhooks, texts and callbacks are kept.
    pub retention: Retention,
    pub updated_at: Option<Timestamp>,
    pub version: i64,
}

/// The longest that a number may be left alone, in days.
pub const UNREACHABLE_DAYS_MAX: i32 = 365;

/// How long it is, where nobody said anything else.
pub const UNREACHABLE_DAYS: i32 = 90;

impl Settings {
    /// Since when messages that did not come count against their numbers.
    #[must_use]
    pub fn unreachable_since(&self, now: Timestamp) -> Timestamp {
        now.plus(-i64::from(self.unreachable_days) * Timestamp::DAY)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SettingsPatch {
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub sending: Option<Sending>,
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub default_country: Option<Option<String>>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub default_timezone: Option<String>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub enforce_whatsapp_window: Option<bool>,
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<i32>))]
    pub account_rate_per_second: Option<Option<i32>>,
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<i32>))]
    pub whatsapp_daily_people: Option<Option<i32>>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub whatsapp_reply_share: Option<i32>,
    /// A list that is left out stays as it is.
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub keywords: Option<KeywordsPatch>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub double_opt_in_days: Option<i32>,
    /// In place of all of them.
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub auto_replies: Option<AutoReplies>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub quiet_hours: Option<WorkspaceQuietPatch>,
    /// In place of the whole list.
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub holidays: Option<Vec<Holiday>>,
    /// In place of the whole list.
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub law_lines: Option<Vec<OwnLawLine>>,
    /// In place of the whole list.
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub frequency_caps: Option<Vec<FrequencyCap>>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub unreachable_days: Option<i32>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub retention: Option<Retention>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub version: Option<i64>,
}
