//! Raw webhooks and what became of them.

use serde::{Deserialize, Serialize};

use crate::{
    consent::Consent,
    ids::{MessageId, WebhookEventId},
    inbound::Keyword,
    phone::Phone,
    time::Timestamp,
    word_enum,
};

word_enum! {
    pub enum WebhookKind {
        Status = "status",
        Inbound = "inbound",
    }
}

word_enum! {
    pub enum WebhookOutcome {
        /// Moved a message, or stored an inbound message.
        Applied = "applied",
        /// Known already, or weaker than what was known.
        NoChange = "no_change",
        /// Speaks of a message that is not ours.
        Orphan = "orphan",
        /// Was an orphan when it came, and counts since its message is known. Never stored: its receipt tells it.
        Claimed = "claimed",
        /// Signed, but makes no sense; kept raw.
        Unprocessable = "unprocessable",
    }
}

/// A stored webhook: the raw form beside what was read from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookEvent {
    pub id: WebhookEventId,
    pub kind: WebhookKind,
    /// When it came; what was `fetched`: when it was read from Twilio's list.
    pub received_at: Timestamp,
    pub provider_sid: Option<String>,
    pub message_id: Option<MessageId>,
    pub status: Option<String>,
    pub error_code: Option<i32>,
    pub outcome: WebhookOutcome,
    pub reason: Option<String>,
    /// Who wrote, or whom the message went to. Only on a single event, until the person is erased.
    #[serde(default)]
    pub phone: Option<Phone>,
    /// What the consent ledger has because of it. Only on a single event.
    #[serde(default)]
    pub consent: Vec<ConsentCaused>,
    /// What the person's message was understood as. Only on a single event.
    #[serde(default)]
    pub keyword: Option<Keyword>,
    /// Its person was erased: what is kept of the form is shown to nobody. Only on a single event.
    #[serde(default)]
    pub erased: bool,
    /// The form as it came, or, of what was `fetched`, one made of what Twilio's list says; null once its retention has passed, or its person was erased. Only on a single event.
    pub raw: Option<String>,
    /// The form's parameters, decoded. Only on a single event.
    #[serde(default)]
    pub parameters: Vec<(String, String)>,
}

impl WebhookEvent {
    /// Whether it was read from Twilio's list: no webhook brought it, and nothing of it is signed.
    #[must_use]
    pub fn is_fetched(&self) -> bool {
        matches!(self.reason.as_deref(), Some("fetched" | "fetched_failed"))
    }
}

/// A line of the consent ledger that a webhook caused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsentCaused {
    /// The topic's key, empty when it was deleted; null is everything.
    pub topic: Option<String>,
    pub consent: Consent,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WebhookFilter {
    pub sid: Option<String>,
    pub message: Option<MessageId>,
    pub kind: Option<WebhookKind>,
    pub outcome: Option<WebhookOutcome>,
    /// Of what this person wrote, or was sent.
    pub phone: Option<Phone>,
    /// Came at this instant or later.
    pub since: Option<Timestamp>,
    /// Came at this instant or before.
    pub until: Option<Timestamp>,
}
