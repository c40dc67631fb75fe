//! Status callbacks, by the batch. How to use it, in one transaction:
//!
//! 1. [`plan_receipts`] moves the messages, and says for each callback what it did;
//! 2. the caller inserts its `webhook_events` with those outcomes, each under an id of its own;
//! 3. [`write_receipts`] stores the receipts with these ids, repeats only raise a counter; then it moves the runs' counters.
//!
//! The end state depends neither on the order nor on the number of repeats nor on how the callbacks fall into batches:
//! a state only rises, and of two failures of the same rank the larger code stays. Do it in a transaction of its own,
//! apart from consent changes: both lock messages, and both move the counters last. Repeat the whole transaction when
//! its error [is transient](crate::Error::is_transient).
//!
//! That people read is noted apart from this, and before: see [`crate::receipts::touch_read`].

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use super::{
    outcome::bind_sid,
    rollups,
    rows::{Locked, lock, owners_of_sids, write_back, write_progress},
    unreachable,
};
use crate::{
    Kind, Result, Tx, all,
    batch::{Columns, Type, column, nullable},
    exec,
};
use domain::{
    ids::{ContactId, MessageId, RunId, WebhookEventId},
    message::State,
    time::Timestamp,
};

/// One status callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptIn {
    /// From the callback's URL (`m`); without one the SID finds the message.
    pub message_id: Option<MessageId>,
    pub provider_sid: String,
    /// The word as it came.
    pub status: String,
    /// What it stands for; none when it is not known.
    pub state: Option<State>,
    pub error_code: Option<i32>,
    pub received_at: Timestamp,
}

/// What a callback did to its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptOutcome {
    /// It moved the message.
    Applied,
    /// A repeat, a late one, or a status that is not known.
    NoChange,
    /// No message of ours.
    Orphan,
}

/// See [`plan_receipts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptOut {
    pub outcome: ReceiptOutcome,
    pub message: Option<ReceiptMessage>,
    /// The state this callback moved the message to.
    pub moved_to: Option<State>,
    /// The message already has another SID, so it was really sent twice; or the SID is another message's. An alarm was logged.
    pub second_sid: bool,
}

/// The message a callback speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptMessage {
    pub id: MessageId,
    pub contact_id: ContactId,
    pub run_id: Option<RunId>,
    /// The partition of everything that belongs to the message.
    pub month: i32,
}

/// What [`plan_receipts`] has done, and what [`write_receipts`] has still to count.
#[derive(Debug)]
#[must_use = "the runs' counters are moved by write_receipts"]
pub struct Planned {
    /// What each callback did, in their order.
    pub outs: Vec<ReceiptOut>,
    /// The messages that were changed, as they were and as they are.
    changed: Vec<(Locked, Locked)>,
}

/// Moves messages by their callbacks: rank by rank upwards only; binds the SID where there is none.
///
/// # Errors
/// What the database says; then nothing is written.
pub async fn plan_receipts(tx: &Tx, at: Timestamp, receipts: &[ReceiptIn]) -> Result<Planned> {
    let (mut former, mut owners) = lock_messages(tx, receipts).await?;
    let mut present = former.clone();
    let mut outs = Vec::with_capacity(receipts.len());
    for receipt in receipts {
        let id = receipt
            .message_id
            .filter(|id| present.contains_key(id))
            .or_else(|| owners.get(&receipt.provider_sid).copied());
        let row = id.and_then(|id| present.get_mut(&id));
        outs.push(row.map_or_else(orphan, |row| apply(row, receipt, &mut owners)));
    }
    let changed: Vec<(Locked, Locked)> = present
        .into_iter()
        .filter_map(|(id, row)| former.remove(&id).map(|was| (was, row)))
        .filter(|(was, row)| was != row)
        .collect();
    let is_progress = |(was, row): &&(Locked, Locked)| is_progress(was, row);
    write_progress(tx, at, changed.iter().filter(is_progress).map(|(_, row)| row)).await?;
    write_back(tx, at, changed.iter().filter(|change| !is_progress(change)).map(|(_, row)| row)).await?;
    unreachable::note(tx, at, changed.iter().map(|(_, row)| row)).await?;
    Ok(Planned { outs, changed })
}

/// The messages that the callbacks speak of, and whose their SIDs are. A callback's own id comes first; the SID serves
/// where it has none, or one that is not ours. Whose a SID is need not be asked where the message has it already, which
/// is so for all callbacks but the first.
async fn lock_messages(
    tx: &Tx,
    receipts: &[ReceiptIn],
) -> Result<(BTreeMap<MessageId, Locked>, BTreeMap<String, MessageId>)> {
    let named: BTreeSet<i64> = receipts.iter().filter_map(|receipt| receipt.message_id).map(|id| id.0).collect();
    let mut locked = lock(tx, named.into_iter()).await?;
    let is_bound = |receipt: &&ReceiptIn| {
        let row = receipt.message_id.and_then(|id| locked.get(&id));
        row.is_some_and(|row| row.provider_sid.as_ref() == Some(&receipt.provider_sid))
    };
    let asked = receipts.iter().filter(|receipt| !is_bound(receipt)).map(|receipt| receipt.provider_sid.as_str());
    let owners = owners_of_sids(tx, asked).await?;
    let others: BTreeSet<i64> = owners.values().filter(|id| !locked.contains_key(id)).map(|id| id.0).collect();
    if !others.is_empty() {
        locked.extend(lock(tx, others.into_iter()).await?);
    }
    Ok((locked, owners))
}

/// Whether the provider had the message before, under the same SID: then only what it said of it changes.
fn is_progress(was: &Locked, row: &Locked) -> bool {
    was.state.rank() >= State::Accepted.rank() && was.provider_sid == row.provider_sid
}

const fn orphan() -> ReceiptOut {
    ReceiptOut { outcome: ReceiptOutcome::Orphan, message: None, moved_to: None, second_sid: false }
}

fn apply(row: &mut Locked, receipt: &ReceiptIn, owners: &mut BTreeMap<String, MessageId>) -> ReceiptOut {
    let message = ReceiptMessage { id: row.id, contact_id: row.contact_id, run_id: row.run_id, month: row.month };
    let still = ReceiptOut {
        outcome: ReceiptOutcome::NoChange,
        message: Some(message),
        moved_to: None,
        second_sid: row.provider_sid.as_ref().is_some_and(|bound| *bound != receipt.provider_sid),
    };
    // A word we do not know changes nothing at all.
    let Some(reported) = receipt.state else { return still };
    let still = ReceiptOut { second_sid: !bind_sid(row, &receipt.provider_sid, owners), ..still };
    let code = if is_failure(reported) { receipt.error_code } else { None };
    if reported.rank() > row.state.rank() {
        row.state = reported;
        row.reason = None;
        row.error_code = code;
        return ReceiptOut { outcome: ReceiptOutcome::Applied, moved_to: Some(reported), ..still };
    }
    // Two codes for the same failure: the same one stays in whatever order they come.
    if reported == row.state && is_failure(reported) && code > row.error_code {
        row.error_code = code;
        return ReceiptOut { outcome: ReceiptOutcome::Applied, ..still };
    }
    still
}

const fn is_failure(state: State) -> bool {
    matches!(state, State::Failed | State::Undelivered)
}

struct ReceiptRow<'a> {
    message_id: i64,
    month: i32,
    provider_sid: &'a str,
    status: &'a str,
    error_code: i32,
    state: Option<i16>,
    moved: bool,
    at: i64,
    event_id: i64,
}

/// What makes two callbacks the same one: message, SID, status, error code.
type Key<'a> = (i64, &'a str, &'a str, i32);

/// How often a callback came again, and when last.
type Repeats<'a> = BTreeMap<Key<'a>, (i32, i64)>;

/// Stores the callbacks that have a message, and moves the runs' counters, for which all senders of the run wait from here
/// to the end of the transaction. One row for each SID, status and error code; repeats raise a counter beside it. The
/// callbacks, what [`plan_receipts`] said of them and their events' ids run in parallel.
///
/// # Errors
/// What the database says.
pub async fn write_receipts(
    tx: &Tx,
    at: Timestamp,
    receipts: &[ReceiptIn],
    planned: &Planned,
    events: &[WebhookEventId],
) -> Result<()> {
    store_receipts(tx, receipts, &planned.outs, events).await?;
    let changed: Vec<(&Locked, &Locked)> = planned.changed.iter().map(|(was, row)| (was, row)).collect();
    rollups::moved(tx, at, &changed).await
}

async fn store_receipts(tx: &Tx, receipts: &[ReceiptIn], outs: &[ReceiptOut], events: &[WebhookEventId]) -> Result<()> {
    let mut firsts: BTreeMap<Key<'_>, ReceiptRow<'_>> = BTreeMap::new();
    let mut repeats = Repeats::new();
    for ((receipt, out), event) in receipts.iter().zip(outs).zip(events) {
        let Some(message) = out.message else { continue };
        let row = row(receipt, out, message, *event);
        match firsts.entry(row.key()) {
            Entry::Vacant(first) => {
                first.insert(row);
            }
            Entry::Occupied(first) => repeated(&mut repeats, *first.key(), row.at),
        }
    }
    let known: BTreeSet<i64> = insert_new(tx, &firsts).await?.into_iter().collect();
    for row in firsts.values().filter(|row| known.contains(&row.event_id)) {
        repeated(&mut repeats, row.key(), row.at);
    }
    count_repeats(tx, &repeats).await
}

fn repeated<'a>(repeats: &mut Repeats<'a>, key: Key<'a>, at: i64) {
    let (count, last_at) = repeats.entry(key).or_default();
    *count += 1;
    *last_at = (*last_at).max(at);
}

impl<'a> ReceiptRow<'a> {
    const fn key(&self) -> Key<'a> {
        (self.message_id, self.provider_sid, self.status, self.error_code)
    }
}

fn row<'a>(receipt: &'a ReceiptIn, out: &ReceiptOut, message: ReceiptMessage, event: WebhookEventId) -> ReceiptRow<'a> {
    ReceiptRow {
        message_id: message.id.0,
        month: message.month,
        provider_sid: &receipt.provider_sid,
        status: &receipt.status,
        error_code: receipt.error_code.unwrap_or(0),
        state: receipt.state.map(State::rank),
        moved: out.moved_to.is_some(),
        at: receipt.received_at.as_micros(),
        event_id: event.0,
    }
}

/// Inserts what is new and returns the events of those that were there already.
async fn insert_new(tx: &Tx, rows: &BTreeMap<Key<'_>, ReceiptRow<'_>>) -> Result<Vec<i64>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    let insert = format!(
        "INSERT INTO receipts (message_id, month, provider_sid, status, error_code, state, moved, at, event_id) \
         SELECT r.message_id, r.month, r.provider_sid, r.status, r.error_code, r.state, r.moved, r.at, r.event_id \
         FROM {} WHERE TRUE ON CONFLICT (message_id, provider_sid, status, error_code, month) DO NOTHING",
        batch_of(Kind::of(tx), rows).table("r", &mut values)?
    );
    let inserted = exec(tx, insert, values).await?;
    if usize::try_from(inserted).ok() == Some(rows.len()) {
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    let query = format!(
        "SELECT r.event_id FROM {} JOIN receipts e ON e.message_id = r.message_id AND e.provider_sid = r.provider_sid \
         AND e.status = r.status AND e.error_code = r.error_code AND e.month = r.month WHERE e.event_id <> r.event_id",
        batch_of(Kind::of(tx), rows).table("r", &mut values)?
    );
    all(tx, query, values).await?.iter().map(|row| row.get("event_id")).collect()
}

fn batch_of(kind: Kind, rows: &BTreeMap<Key<'_>, ReceiptRow<'_>>) -> Columns<9> {
    let columns = [
        column("message_id", Type::BigInt),
        column("month", Type::Int),
        column("provider_sid", Type::Text),
        column("status", Type::Text),
        column("error_code", Type::Int),
        nullable("state", Type::SmallInt),
        column("moved", Type::Bool),
        column("at", Type::BigInt),
        column("event_id", Type::BigInt),
    ];
    let mut batch = Columns::new(kind, columns);
    for row in rows.values() {
        batch.push([
            row.message_id.into(),
            row.month.into(),
            row.provider_sid.into(),
            row.status.into(),
            row.error_code.into(),
            row.state.into(),
            row.moved.into(),
            row.at.into(),
            row.event_id.into(),
        ]);
    }
    batch
}

async fn count_repeats(tx: &Tx, repeats: &Repeats<'_>) -> Result<()> {
    if repeats.is_empty() {
        return Ok(());
    }
    let columns = [
        column("message_id", Type::BigInt),
        column("provider_sid", Type::Text),
        column("status", Type::Text),
        column("error_code", Type::Int),
        column("count", Type::Int),
        column("last_at", Type::BigInt),
    ];
    let mut batch = Columns::new(Kind::of(tx), columns);
    for ((message_id, provider_sid, status, error_code), (count, last_at)) in repeats {
        batch.push([
            (*message_id).into(),
            (*provider_sid).into(),
            (*status).into(),
            (*error_code).into(),
            (*count).into(),
            (*last_at).into(),
        ]);
    }
    let mut values = Vec::new();
    let latest = match Kind::of(tx) {
        Kind::Postgres => "greatest",
        Kind::Sqlite => "max",
    };
    let upsert = format!(
        "INSERT INTO receipt_repeats (message_id, provider_sid, status, error_code, count, last_at) \
         SELECT r.message_id, r.provider_sid, r.status, r.error_code, r.count, r.last_at FROM {} WHERE TRUE \
         ON CONFLICT (message_id, provider_sid, status, error_code) DO UPDATE \
         SET count = receipt_repeats.count + EXCLUDED.count, \
         last_at = {latest}(receipt_repeats.last_at, EXCLUDED.last_at)",
        batch.table("r", &mut values)?
    );
    exec(tx, upsert, values).await?;
    Ok(())
}
