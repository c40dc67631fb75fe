//! A number or Messaging Service that messages go out from.

use serde::{Deserialize, Serialize};

use crate::{ids::SenderId, message::Channel, process::Slowed, time::Timestamp};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sender {
    pub id: SenderId,
    pub name: String,
    pub channel: Channel,
    /// A phone number in E.164 form, or a Messaging Service SID (`MG…`).
    pub address: String,
    /// The Twilio account it belongs to.
    pub account_sid: String,
    /// How much goes out in a second at most: messages by WhatsApp, by SMS the segments of their texts.
    pub rate_per_second: i32,
    pub enabled: bool,
    pub default: bool,
    /// Why nothing goes out from here until somebody releases it.
    #[serde(default)]
    pub held: Option<String>,
    /// The provider refuses everything from here; one message now and then tries whether it still does.
    #[serde(default)]
    pub blocked: Option<Blocked>,
    pub version: i64,
}

/// A sender from which nothing can go out, as the provider says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Blocked {
    /// The provider's code.
    pub code: i32,
    pub since: Timestamp,
    /// When the next message may try.
    pub next_try_at: Timestamp,
    /// How many have tried in vain.
    pub tries: i32,
}

/// A sender and how it is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SenderHealth {
    pub sender: Sender,
    /// What its account is called; none when nobody knows its credentials: then nothing goes out from here.
    pub account: Option<String>,
    /// Messages handed over per second, lately.
    pub per_second: f64,
    /// Messages whose turn has not come yet.
    pub waiting: i64,
    /// The code that blocks it in plain words.
    pub blocked_because: Option<String>,
    /// The provider asked to slow down, and it has not got its full rate back.
    pub slowed: Option<Slowed>,
}

/// What `POST /senders` takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewSender {
    pub name: String,
    pub channel: Channel,
    /// A phone number in E.164 form without the channel's prefix, or a Messaging Service SID (`MG…`).
    pub address: String,
    /// Messages per second, by SMS segments per second, 1 or more: what the number may do at Twilio. Absent: the rate of the
    /// first sender.
    #[serde(default)]
    pub rate_per_second: Option<i32>,
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The channel's messages go out from here when no sender is named. The first sender of a channel always is.
    #[serde(default)]
    pub default: bool,
    /// The Twilio account it belongs to; absent: the one of the environment.
    #[serde(default)]
    pub account_sid: Option<String>,
}

const fn yes() -> bool {
    true
}

/// What `PATCH /senders/{id}` takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SenderPatch {
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<String>,
    /// Messages per second, by SMS segments per second, 1 or more: what the number may do at Twilio.
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub rate_per_second: Option<i32>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub enabled: Option<bool>,
    /// `true` takes it from the channel's former default.
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub default: Option<bool>,
    /// A reason holds the sender: nothing goes out from it. Null releases it.
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub held: Option<Option<String>>,
    /// Moves it to another account; only while it is held or disabled and none of its messages is on its way out.
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub account_sid: Option<String>,
    /// The version that was read; a stale one is refused with 409.
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub version: Option<i64>,
}
