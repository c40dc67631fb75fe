//! What people write to us.

use serde::{Deserialize, Serialize};

use crate::{ids::InboundId, message::Channel, phone::Phone, time::Timestamp, word_enum};

word_enum! {
    /// What a message was understood as.
    pub enum Keyword {
        Stop = "stop",
        Start = "start",
        Help = "help",
        Subscribe = "subscribe",
        Unsubscribe = "unsubscribe",
        /// The answer to a question of ours.
        Yes = "yes",
    }
}

/// A file that a person sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Media {
    /// Where the provider keeps it.
    pub url: String,
    /// As the provider names it, such as `image/jpeg`.
    pub content_type: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Inbound {
    pub id: InboundId,
    /// Null after the person was erased.
    pub phone: Option<Phone>,
    /// Our address the message came to.
    pub to: String,
    pub channel: Channel,
    pub body: Option<String>,
    pub media_count: i32,
    /// Files that came with it. They stay at the provider.
    pub media: Vec<Media>,
    pub keyword: Option<Keyword>,
    pub provider_sid: String,
    pub received_at: Timestamp,
}
