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
    }
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
    pub keyword: Option<Keyword>,
    pub provider_sid: String,
    pub received_at: Timestamp,
}
