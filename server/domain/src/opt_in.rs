//! Double opt-in: somebody was asked whether they want a topic.

use serde::{Deserialize, Serialize};

use crate::{
    consent::ConsentSource,
    ids::{MessageId, OptInId},
    message::State,
    phone::Phone,
    reason::Reason,
    time::Timestamp,
    word_enum,
};

/// So many days a question waits for its answer, unless the settings say otherwise.
pub const DAYS: i32 = 7;

/// At most.
pub const DAYS_MAX: i32 = 90;

word_enum! {
    /// What became of a question.
    pub enum OptInState {
        Waiting = "waiting",
        /// The person said yes while it waited.
        Confirmed = "confirmed",
        /// Nobody said yes in time.
        Expired = "expired",
        /// The person opted out first, or left the topic.
        Withdrawn = "withdrawn",
    }
}

/// A question, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OptIn {
    pub id: OptInId,
    pub phone: Phone,
    pub name: Option<String>,
    /// The topic's key.
    pub topic: String,
    pub topic_name: String,
    pub state: OptInState,
    /// Where the wish to subscribe came from.
    pub source: ConsentSource,
    pub asked_at: Timestamp,
    /// A yes counts until then.
    pub expires_at: Timestamp,
    pub settled_at: Option<Timestamp>,
    /// The question; null when there was no sender for it.
    pub message_id: Option<MessageId>,
    pub message_state: Option<State>,
    /// Why the question was not sent, or waits.
    pub message_reason: Option<Reason>,
}
