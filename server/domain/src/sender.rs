//! A number or Messaging Service that messages go out from.

use serde::{Deserialize, Serialize};

use crate::{ids::SenderId, message::Channel};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sender {
    pub id: SenderId,
    pub name: String,
    pub channel: Channel,
    /// A phone number in E.164 form, or a Messaging Service SID (`MG…`).
    pub address: String,
    pub rate_per_second: i32,
    pub enabled: bool,
    pub default: bool,
}

/// What `PATCH /senders/{id}` takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SenderPatch {
    #[serde(default)]
    pub name: Option<String>,
    /// Messages per second, 1 or more: what the number may do at Twilio.
    #[serde(default)]
    pub rate_per_second: Option<i32>,
    #[serde(default)]
    pub enabled: Option<bool>,
}
