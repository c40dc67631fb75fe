//! The built-in simulator's phone, as its page shows it.

use serde::{Deserialize, Serialize};

use crate::{message::Channel, phone::Phone, time::Timestamp};

/// A person the simulator has exchanged messages with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimulatorPhone {
    pub phone: Phone,
    pub name: Option<String>,
    pub last_text: String,
    pub last_at: Timestamp,
}

/// One bubble on the phone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bubble {
    /// Whether the person wrote it.
    pub from_person: bool,
    pub text: String,
    /// Twilio's word for where it stands: `delivered`, `read`, `received` …
    pub status: String,
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    pub phone: Phone,
    pub channel: Channel,
    pub bubbles: Vec<Bubble>,
}
