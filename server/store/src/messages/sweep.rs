//! Moving many messages at once: skipped because of an opt-out, cancelled with their run, given up by their worker.

use domain::{
    ids::{ContactId, RunId},
    message::{By, State},
    reason::Reason,
    time::Timestamp,
};
use sea_orm::Value;

use super::{
    history::{Transition, write_transitions},
    rows::{COLUMNS, Locked, wanted, write_back},
};
use crate::{Kind, Result, Tx, all, exec, ledger};

/// Skips every queued message of these people, with ledger, tallies and transitions. Returns how many.
///
/// Call it once for all the people of a transaction: a second call would lock messages after counters.
///
/// # Errors
/// What the database says.
pub async fn skip_queued(tx: &Tx, at: Timestamp, contacts: &[ContactId], reason: Reason) -> Result<u64> {
    if contacts.is_empty() {
        return Ok(0);
    }
    let kind = Kind::of(tx);
    let mut values = Vec::new();
    let query = format!(
        "SELECT {COLUMNS} FROM messages m WHERE m.contact_id IN (SELECT wanted.id FROM {}) AND m.state = 0 \
         ORDER BY m.id{}",
        wanted(kind, contacts.iter().map(|contact| contact.0), &mut values)?,
        kind.for_update()
    );
    let rows = locked(tx, query, values).await?;
    move_all(tx, at, By::Recipient, &rows, State::Skipped, reason).await
}

/// Locks what may still become of messages to this person until the transaction ends: outcomes on their way are written
/// before it or after it.
///
/// # Errors
/// What the database says.
pub async fn lock_open(tx: &Tx, contact: ContactId) -> Result<()> {
    let query = format!(
        "SELECT m.id FROM messages m WHERE m.contact_id = $1 AND m.state IN (0, 1, 2) ORDER BY m.id{}",
        Kind::of(tx).for_update()
    );
    all(tx, query, vec![contact.0.into()]).await?;
    Ok(())
}

/// Cancels up to `limit` queued messages of a cancelled run. Returns how many.
///
/// # Errors
/// What the database says.
pub async fn cancel_queued(tx: &Tx, at: Timestamp, run: RunId, limit: u32) -> Result<u64> {
    let query = format!(
        "SELECT {COLUMNS} FROM messages m WHERE m.run_id = $1 AND m.open = 0 ORDER BY m.not_before, m.id LIMIT $2{}",
        Kind::of(tx).skip_locked()
    );
    let rows = locked(tx, query, vec![run.0.into(), i64::from(limit).into()]).await?;
    move_all(tx, at, By::Admin, &rows, State::Cancelled, Reason::RunCancelled).await
}

/// Makes up to `limit` messages `unknown` whose worker did not report before its lease ended: whether they were sent
/// is for a callback or the provider to say. Returns how many.
///
/// # Errors
/// What the database says.
pub async fn expire_leases(tx: &Tx, now: Timestamp, limit: u32) -> Result<u64> {
    let query = format!(
        "SELECT {COLUMNS} FROM messages m WHERE m.open = 1 AND m.lease_until < $1 ORDER BY m.lease_until LIMIT $2{}",
        Kind::of(tx).skip_locked()
    );
    let rows = locked(tx, query, vec![now.as_micros().into(), i64::from(limit).into()]).await?;
    move_all(tx, now, By::Worker, &rows, State::Unknown, Reason::LeaseExpired).await
}

/// Ends up to `limit` leases at `until` that end after `latest`, which none does that was taken by the clock as it is now:
/// that clock was set back. The worker may be alive, so it keeps its claim as long as any. Returns how many.
///
/// # Errors
/// What the database says.
pub async fn cut_leases(tx: &Tx, latest: Timestamp, until: Timestamp, limit: u32) -> Result<u64> {
    let update = format!(
        "UPDATE messages SET lease_until = $1 WHERE id IN (SELECT m.id FROM messages m \
         WHERE m.open = 1 AND m.lease_until > $2 ORDER BY m.lease_until LIMIT $3{})",
        Kind::of(tx).skip_locked()
    );
    exec(tx, update, vec![until.as_micros().into(), latest.as_micros().into(), i64::from(limit).into()]).await
}

async fn locked(tx: &Tx, query: String, values: Vec<Value>) -> Result<Vec<Locked>> {
    all(tx, query, values).await?.iter().map(Locked::read).collect()
}

async fn move_all(tx: &Tx, at: Timestamp, by: By, rows: &[Locked], to: State, reason: Reason) -> Result<u64> {
    let moved: Vec<Locked> =
        rows.iter().map(|row| Locked { state: to, reason: Some(reason), error_code: None, ..row.clone() }).collect();
    write_back(tx, at, moved.iter()).await?;
    let transitions: Vec<_> = rows
        .iter()
        .map(|row| Transition {
            message_id: row.id,
            month: row.month,
            from: row.state,
            to,
            attempt: row.attempt,
            reason: Some(reason),
            error_code: None,
        })
        .collect();
    write_transitions(tx, at, by, &transitions).await?;
    let moves: Vec<_> = rows.iter().zip(&moved).map(|(was, row)| row.step_from(was)).collect();
    ledger::apply(tx, &moves).await?;
    Ok(moved.len() as u64)
}
