//! Rows of `messages`, locked, changed and written back by the batch.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ids::{ContactId, MessageId, RunId, SenderId},
    message::State,
    phone::Phone,
    reason::Reason,
    time::Timestamp,
};
use sea_orm::Value;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    ConnectionTrait, Error, Kind, Result, Row, Tx, all,
    batch::{Columns, Type, column, nullable, table, to_json},
    exec,
    ledger::Move,
    reviews::e164,
};

/// What a change of a message depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Locked {
    pub id: MessageId,
    pub run_id: Option<RunId>,
    pub contact_id: ContactId,
    pub sender_id: SenderId,
    /// Of the person; none when it is not known, or the person was erased.
    pub country: Option<String>,
    pub state: State,
    pub attempt: i16,
    pub month: i32,
    pub reason: Option<Reason>,
    pub error_code: Option<i32>,
    pub provider_sid: Option<String>,
    pub not_before: i64,
    pub lease_owner: Option<i64>,
    pub updated_at: i64,
}

pub(super) const COLUMNS: &str = "m.id, m.run_id, m.contact_id, m.sender_id, \
     (SELECT c.country FROM contacts c WHERE c.contact_id = m.contact_id) AS country, m.state, m.attempt, m.month, \
     m.reason, m.error_code, m.provider_sid, m.not_before, m.lease_owner, m.updated_at";

pub(crate) fn state(row: &Row) -> Result<State> {
    let rank: i16 = row.get("state")?;
    State::from_rank(rank).ok_or_else(|| Error::Corrupt { column: "messages.state", problem: format!("rank {rank}") })
}

impl Locked {
    pub(super) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: MessageId(row.get("id")?),
            run_id: row.get::<Option<Uuid>>("run_id")?.map(RunId),
            contact_id: ContactId(row.get("contact_id")?),
            sender_id: SenderId(row.get("sender_id")?),
            country: row.get("country")?,
            state: state(row)?,
            attempt: row.get("attempt")?,
            month: row.get("month")?,
            reason: row.word_or_null("reason")?,
            error_code: row.get("error_code")?,
            provider_sid: row.get("provider_sid")?,
            not_before: row.get("not_before")?,
            lease_owner: row.get("lease_owner")?,
            updated_at: row.get("updated_at")?,
        })
    }

    /// The step from `former` to this, for the ledger.
    pub(super) const fn step_from(&self, former: &Self) -> Move {
        Move {
            run_id: self.run_id,
            from: former.state,
            to: self.state,
            reason: self.reason,
            error_code: self.error_code,
            former_code: former.error_code,
        }
    }
}

/// These ids as a table named `wanted` with the one column `id`; its parameter comes behind those in `values`.
pub(super) fn wanted(kind: Kind, ids: impl Iterator<Item = i64>, values: &mut Vec<Value>) -> Result<String> {
    let mut batch = Columns::new(kind, [column("id", Type::BigInt)]);
    ids.for_each(|id| batch.push([id.into()]));
    batch.table("wanted", values)
}

/// Locks these messages in the order of their ids; unknown ids are missing from the answer.
pub(super) async fn lock(tx: &Tx, ids: impl Iterator<Item = i64>) -> Result<BTreeMap<MessageId, Locked>> {
    let kind = Kind::of(tx);
    let mut values = Vec::new();
    let query = format!(
        "SELECT {COLUMNS} FROM messages m WHERE m.id IN (SELECT wanted.id FROM {}) ORDER BY m.id{}",
        wanted(kind, ids, &mut values)?,
        kind.for_update()
    );
    let rows = all(tx, query, values).await?;
    rows.iter().map(|row| Locked::read(row).map(|locked| (locked.id, locked))).collect()
}

/// Takes messages to look after them: those that are in one of these states, that nobody else took, and that did not move,
/// since they were read with this time of their last change.
pub(super) async fn take(
    tx: &Tx,
    at: Timestamp,
    read: impl Iterator<Item = (MessageId, Timestamp)>,
    states: &[State],
) -> Result<BTreeSet<MessageId>> {
    #[derive(Serialize)]
    struct Wanted {
        id: i64,
        touched_at: i64,
    }
    let wanted: Vec<_> = read.map(|(id, touched_at)| Wanted { id: id.0, touched_at: touched_at.as_micros() }).collect();
    let states: Vec<String> = states.iter().map(|state| state.rank().to_string()).collect();
    let kind = Kind::of(tx);
    // In the order of their ids, as everybody locks messages.
    let update = format!(
        "UPDATE messages SET updated_at = $2 WHERE id IN (SELECT m.id FROM {} CROSS JOIN messages m \
         WHERE m.id = b.id AND m.updated_at = b.touched_at AND m.state IN ({}) ORDER BY m.id{}) RETURNING id",
        table(kind, "b", "$1", &[("id", Type::BigInt), ("touched_at", Type::BigInt)]),
        states.join(", "),
        match kind {
            Kind::Postgres => " FOR UPDATE OF m",
            Kind::Sqlite => "",
        }
    );
    let rows = all(tx, update, vec![to_json(&wanted)?.into(), at.as_micros().into()]).await?;
    rows.iter().map(|row| row.get("id").map(MessageId)).collect()
}

/// Which messages these SIDs belong to.
pub(super) async fn owners_of_sids<'a>(
    db: &impl ConnectionTrait,
    sids: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, MessageId>> {
    let mut batch = Columns::new(Kind::of(db), [column("sid", Type::Text)]);
    sids.for_each(|sid| batch.push([sid.into()]));
    if batch.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut values = Vec::new();
    // One look into the index for each SID. As a join PostgreSQL would read the whole index as long as its statistics
    // are from before the first message was sent, when no row had a SID.
    let query = format!(
        "SELECT wanted.sid, (SELECT m.id FROM messages m WHERE m.provider_sid = wanted.sid) AS id FROM {}",
        batch.table("wanted", &mut values)?
    );
    let rows = all(db, query, values).await?;
    let mut owners = BTreeMap::new();
    for row in &rows {
        if let Some(id) = row.get::<Option<i64>>("id")? {
            owners.insert(row.get("sid")?, MessageId(id));
        }
    }
    Ok(owners)
}

/// Whom the messages with these SIDs went to, as far as both are known.
///
/// # Errors
/// What the database says.
pub async fn recipients(db: &impl ConnectionTrait, sids: &BTreeSet<&str>) -> Result<BTreeMap<String, Phone>> {
    let mut batch = Columns::new(Kind::of(db), [column("sid", Type::Text)]);
    sids.iter().for_each(|sid| batch.push([(*sid).into()]));
    if batch.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut values = Vec::new();
    // As above.
    let query = format!(
        "SELECT wanted.sid, (SELECT c.phone FROM messages m JOIN contacts c ON c.contact_id = m.contact_id \
         WHERE m.provider_sid = wanted.sid) AS phone FROM {}",
        batch.table("wanted", &mut values)?
    );
    let rows = all(db, query, values).await?;
    let mut recipients = BTreeMap::new();
    for row in &rows {
        // What cannot be read is passed over: who asks has a wish of somebody else's to store, come what may.
        if let Some(phone) = row.get::<Option<String>>("phone")?.and_then(|phone| e164(&phone).ok()) {
            recipients.insert(row.get("sid")?, phone);
        }
    }
    Ok(recipients)
}

/// Writes locked rows back as they are now. None of them stays claimed.
pub(super) async fn write_back<'a>(tx: &Tx, at: Timestamp, rows: impl Iterator<Item = &'a Locked>) -> Result<()> {
    let columns = [
        column("id", Type::BigInt),
        column("state", Type::SmallInt),
        column("attempt", Type::SmallInt),
        nullable("reason", Type::Text),
        nullable("error_code", Type::Int),
        nullable("provider_sid", Type::Text),
        column("not_before", Type::BigInt),
    ];
    let mut batch = Columns::new(Kind::of(tx), columns);
    for row in rows {
        batch.push([
            row.id.0.into(),
            row.state.rank().into(),
            row.attempt.into(),
            row.reason.map(Reason::as_str).into(),
            row.error_code.into(),
            row.provider_sid.as_deref().into(),
            row.not_before.into(),
        ]);
    }
    let set = "state = changed.state, attempt = changed.attempt, reason = changed.reason, \
               error_code = changed.error_code, provider_sid = changed.provider_sid, \
               not_before = changed.not_before, lease_until = NULL, lease_owner = NULL";
    update(tx, at, set, batch).await
}

/// Writes how far rows have come that the provider has: a short statement that touches no index, because every message
/// goes through it some times.
pub(super) async fn write_progress<'a>(tx: &Tx, at: Timestamp, rows: impl Iterator<Item = &'a Locked>) -> Result<()> {
    let columns = [
        column("id", Type::BigInt),
        column("state", Type::SmallInt),
        nullable("reason", Type::Text),
        nullable("error_code", Type::Int),
    ];
    let mut batch = Columns::new(Kind::of(tx), columns);
    for row in rows {
        batch.push([
            row.id.0.into(),
            row.state.rank().into(),
            row.reason.map(Reason::as_str).into(),
            row.error_code.into(),
        ]);
    }
    update(tx, at, "state = changed.state, reason = changed.reason, error_code = changed.error_code", batch).await
}

async fn update<const N: usize>(tx: &Tx, at: Timestamp, set: &str, batch: Columns<N>) -> Result<()> {
    let count = batch.len();
    if count == 0 {
        return Ok(());
    }
    let mut values = vec![at.as_micros().into()];
    let update = format!(
        "UPDATE messages SET {set}, updated_at = $1 FROM {} WHERE messages.id = changed.id",
        batch.table("changed", &mut values)?
    );
    let written = exec(tx, update, values).await?;
    // The rows are locked: another count means a bug, and the counters would no longer balance.
    if usize::try_from(written).ok() == Some(count) { Ok(()) } else { Err(Error::Stale) }
}
