//! Moving many messages at once: skipped because of an opt-out, cancelled with their run, given up by their worker.

use std::collections::BTreeSet;

use domain::{
    ids::{ContactId, MessageId, RunId},
    message::{By, State},
    reason::Reason,
    time::Timestamp,
};
use sea_orm::Value;

use super::{
    history::{Transition, write_transitions},
    rollups,
    rows::{COLUMNS, Locked, wanted, write_back},
};
use crate::{ConnectionTrait, Kind, Result, Tx, all, exec, one, schedule::scheduled_at};

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

/// Skips every queued message of the people who opted out, as [`skip_queued`] does, and these queued questions, which nobody
/// is to answer any more. Returns how many.
///
/// # Errors
/// What the database says.
pub async fn skip_left(tx: &Tx, at: Timestamp, opted_out: &[ContactId], questions: &[MessageId]) -> Result<u64> {
    if questions.is_empty() {
        return skip_queued(tx, at, opted_out, Reason::OptedOut).await;
    }
    let kind = Kind::of(tx);
    let mut values = Vec::new();
    let of_people = wanted(kind, opted_out.iter().map(|contact| contact.0), &mut values)?;
    let asked = wanted(kind, questions.iter().map(|message| message.0), &mut values)?;
    let query = format!(
        "SELECT {COLUMNS} FROM messages m WHERE m.id IN (SELECT p.id FROM messages p WHERE p.contact_id IN \
         (SELECT wanted.id FROM {of_people}) AND p.state = 0 UNION SELECT wanted.id FROM {asked}) AND m.state = 0 \
         ORDER BY m.id{}",
        kind.for_update()
    );
    let people: BTreeSet<ContactId> = opted_out.iter().copied().collect();
    let (theirs, questions): (Vec<Locked>, Vec<Locked>) =
        locked(tx, query, values).await?.into_iter().partition(|row| people.contains(&row.contact_id));
    let skipped = move_all(tx, at, By::Recipient, &theirs, State::Skipped, Reason::OptedOut).await?;
    Ok(skipped + move_all(tx, at, By::Recipient, &questions, State::Skipped, Reason::NotSubscribed).await?)
}

/// Skips these questions, if they are queued still: the time to answer them is over. Returns how many.
///
/// # Errors
/// What the database says.
pub async fn skip_expired(tx: &Tx, at: Timestamp, questions: &[MessageId]) -> Result<u64> {
    if questions.is_empty() {
        return Ok(0);
    }
    let kind = Kind::of(tx);
    let mut values = Vec::new();
    let query = format!(
        "SELECT {COLUMNS} FROM messages m WHERE m.id IN (SELECT wanted.id FROM {}) AND m.state = 0 ORDER BY m.id{}",
        wanted(kind, questions.iter().map(|message| message.0), &mut values)?,
        kind.for_update()
    );
    let rows = locked(tx, query, values).await?;
    move_all(tx, at, By::Worker, &rows, State::Skipped, Reason::DeadlinePassed).await
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

/// Whether there is anything for [`expire_leases`]: asked before the database is written to, since nearly always there is not.
///
/// # Errors
/// What the database says.
pub async fn has_expired_leases(db: &impl ConnectionTrait, now: Timestamp) -> Result<bool> {
    let query = "SELECT 1 AS found WHERE EXISTS (SELECT 1 FROM messages m WHERE m.open = 1 AND m.lease_until < $1)";
    Ok(one(db, query, vec![now.as_micros().into()]).await?.is_some())
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

/// How far the clocks of two machines may be apart, in microseconds.
pub const CLOCKS_APART: i64 = Timestamp::MINUTE;

/// The condition for messages `m` that were queued by a clock that was further ahead than `$2`, and wait for a while from
/// then on, however long. Who waits for a time of the day or a date waits for it by any clock: for the morning, for their own
/// time, or in the rehearsal of what goes out later.
fn queued_ahead(kind: Kind) -> String {
    let local_at = match kind {
        Kind::Postgres => "CAST(r.rules AS json) ->> 'local_at'",
        Kind::Sqlite => "r.rules ->> 'local_at'",
    };
    format!(
        "m.open = 0 AND m.updated_at > $2 AND m.quiet_until IS NULL AND NOT EXISTS (SELECT 1 FROM runs r \
         WHERE r.id = m.run_id AND (({local_at}) IS NOT NULL OR (r.rehearsal AND r.snapshot_at > r.due_at)))"
    )
}

/// Whether there is anything for [`set_back`]. No index leads to it, so this is asked before the database is written to.
///
/// # Errors
/// What the database says.
pub async fn is_ahead(db: &impl ConnectionTrait, now: Timestamp, lease: i64) -> Result<bool> {
    let ahead = now.plus(CLOCKS_APART).as_micros();
    let query = format!(
        "SELECT 1 AS found WHERE EXISTS (SELECT 1 FROM messages m WHERE m.open = 1 AND m.lease_until > $1) \
         OR EXISTS (SELECT 1 FROM messages m WHERE m.unknown_at > $2) OR EXISTS (SELECT 1 FROM messages m WHERE {})",
        queued_ahead(Kind::of(db))
    );
    Ok(one(db, query, vec![(ahead + lease).into(), ahead.into()]).await?.is_some())
}

/// After the clock was set back: up to `limit` messages of each kind that were written while it was ahead wait no longer than
/// they would have. Leases end with one that begins now, what is unknown is looked for as if it had become so now, and what
/// waits for a while does so from now on, but not for less than until its campaign is scheduled. Returns how many of the kind
/// that had most.
///
/// # Errors
/// What the database says.
pub async fn set_back(tx: &Tx, now: Timestamp, lease: i64, limit: u32) -> Result<u64> {
    let kind = Kind::of(tx);
    // In no order: whoever skips what is locked waits for nobody, and by their ids all messages would be gone through.
    let some = format!("LIMIT {limit}{}", kind.skip_locked());
    let (now, ahead) = (now.as_micros(), now.plus(CLOCKS_APART).as_micros());
    let leases = format!(
        "UPDATE messages SET lease_until = $1 \
         WHERE id IN (SELECT id FROM messages WHERE open = 1 AND lease_until > $2 {some})"
    );
    let leases = exec(tx, leases, vec![(now + lease).into(), (ahead + lease).into()]).await?;
    let unknown = format!(
        "UPDATE messages SET updated_at = $1 WHERE id IN (SELECT id FROM messages WHERE unknown_at > $2 {some})"
    );
    let unknown = exec(tx, unknown, vec![now.into(), ahead.into()]).await?;
    let queued = format!(
        "UPDATE messages SET not_before = {}(not_before - updated_at + $1, {}), updated_at = $1 \
         WHERE id IN (SELECT m.id FROM messages m WHERE {} {some})",
        kind.greatest(),
        scheduled_at("messages.run_id"),
        queued_ahead(kind)
    );
    let queued = exec(tx, queued, vec![now.into(), ahead.into()]).await?;
    Ok(leases.max(unknown).max(queued))
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
    let changed: Vec<_> = rows.iter().zip(&moved).collect();
    rollups::moved(tx, at, &changed).await?;
    Ok(moved.len() as u64)
}
