//! The consent ledger and its projections: contacts, subscriptions, suppressions, queued messages. One function
//! records, so that nothing can be forgotten.

use domain::{
    actor::Actor,
    consent::{Consent, ConsentSource, SuppressionReason},
    ids::{ContactId, TopicId},
    time::Timestamp,
};

use crate::{Result, Tx};

/// One change of a person's wish. The rules of who may lift what were applied before.
#[derive(Clone, Debug)]
pub struct ConsentEvent {
    pub contact_id: ContactId,
    /// None: everything. Some: this topic, where `OptedIn` means subscribed and `OptedOut` unsubscribed.
    pub topic_id: Option<TopicId>,
    pub consent: Consent,
    pub source: ConsentSource,
    /// A file and line, a message's SID: no personal data.
    pub reference: Option<String>,
    /// The words of the evidence, sealed with the contact's key.
    pub evidence: Option<Vec<u8>>,
    pub suppression: SuppressionChange,
}

/// What happens on the suppression list along with a consent event.
#[derive(Clone, Debug, Default)]
pub enum SuppressionChange {
    #[default]
    None,
    /// Every global opt-out suppresses.
    Add { phone_hash: Vec<u8>, key_id: String, reason: SuppressionReason },
    /// Lifts what is stored under any of these hashes.
    Lift { phone_hashes: Vec<Vec<u8>> },
}

/// Appends the events to the ledger (chained), moves the contacts' consent and its counts, subscriptions and
/// suppressions, and skips the queued messages of people who opted out of everything.
///
/// # Errors
/// What the database says.
pub async fn record(tx: &Tx, actor: &Actor, at: Timestamp, events: &[ConsentEvent]) -> Result<()> {
    let _ = (tx, actor, at, events);
    todo!()
}
