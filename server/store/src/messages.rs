//! Messages: claim, outcome, callbacks, lists.

use domain::{ids::ContactId, reason::Reason, time::Timestamp};

use crate::{Result, Tx};

/// Skips every queued message of these people, with ledger, tallies and transitions. Returns how many.
///
/// # Errors
/// What the database says.
pub async fn skip_queued(tx: &Tx, at: Timestamp, contacts: &[ContactId], reason: Reason) -> Result<u64> {
    let _ = (tx, at, contacts, reason);
    todo!()
}
