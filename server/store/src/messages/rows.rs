//! Rows of `messages`, locked, changed and written back by the batch.

use std::collections::BTreeMap;

use domain::{
    ids::{ContactId, MessageId, RunId},
    message::State,
    reason::Reason,
    time::Timestamp,
};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    ConnectionTrait, Error, Kind, Result, Row, Tx, all,
    batch::{Type, table, to_json},
    exec,
    ledger::Move,
};

/// What a change of a message depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Locked {
    pub id: MessageId,
    pub run_id: Option<RunId>,
    pub contact_id: ContactId,
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

pub(super) const COLUMNS: &str = "m.id, m.run_id, m.contact_id, m.state, m.attempt, m.month, m.reason, m.error_code, m.provider_sid, m.not_before, \
     m.lease_owner, m.updated_at";

pub(super) fn state(row: &Row) -> Result<State> {
    let rank: i16 = row.get("state")?;
    State::from_rank(rank).ok_or_else(|| Error::Corrupt { column: "messages.state", problem: format!("rank {rank}") })
}

impl Locked {
    pub(super) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: MessageId(row.get("id")?),
            run_id: row.get::<Option<Uuid>>("run_id")?.map(RunId),
            contact_id: ContactId(row.get("contact_id")?),
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

#[derive(Serialize)]
struct IdRow {
    id: i64,
}

/// A parameter that lists ids; see [`ids_table`].
pub(super) fn ids_json(ids: impl Iterator<Item = i64>) -> Result<String> {
    to_json(&ids.map(|id| IdRow { id }).collect::<Vec<_>>())
}

/// The table of [`ids_json`] in parameter `parameter`, with the one column `id`.
pub(super) fn ids_table(kind: Kind, parameter: &str) -> String {
    table(kind, "wanted", parameter, &[("id", Type::BigInt)])
}

/// Locks these messages in the order of their ids; unknown ids are missing from the answer.
pub(super) async fn lock(tx: &Tx, ids: impl Iterator<Item = i64>) -> Result<BTreeMap<MessageId, Locked>> {
    let kind = Kind::of(tx);
    let query = format!(
        "SELECT {COLUMNS} FROM messages m WHERE m.id IN (SELECT wanted.id FROM {}) ORDER BY m.id{}",
        ids_table(kind, "$1"),
        kind.for_update()
    );
    let rows = all(tx, query, vec![ids_json(ids)?.into()]).await?;
    rows.iter().map(|row| Locked::read(row).map(|locked| (locked.id, locked))).collect()
}

#[derive(Serialize)]
struct SidRow<'a> {
    sid: &'a str,
}

/// Which messages these SIDs belong to.
pub(super) async fn owners_of_sids<'a>(
    db: &impl ConnectionTrait,
    sids: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, MessageId>> {
    let wanted: Vec<_> = sids.map(|sid| SidRow { sid }).collect();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    // One look into the index for each SID. As a join PostgreSQL would read the whole index as long as its statistics
    // are from before the first message was sent, when no row had a SID.
    let query = format!(
        "SELECT wanted.sid, (SELECT m.id FROM messages m WHERE m.provider_sid = wanted.sid) AS id FROM {}",
        table(Kind::of(db), "wanted", "$1", &[("sid", Type::Text)])
    );
    let rows = all(db, query, vec![to_json(&wanted)?.into()]).await?;
    let mut owners = BTreeMap::new();
    for row in &rows {
        if let Some(id) = row.get::<Option<i64>>("id")? {
            owners.insert(row.get("sid")?, MessageId(id));
        }
    }
    Ok(owners)
}

#[derive(Serialize)]
struct ChangedRow<'a> {
    id: i64,
    state: i16,
    attempt: i16,
    reason: Option<&'static str>,
    error_code: Option<i32>,
    provider_sid: Option<&'a str>,
    not_before: i64,
}

/// Writes locked rows back as they are now. None of them stays claimed.
pub(super) async fn write_back<'a>(tx: &Tx, at: Timestamp, rows: impl Iterator<Item = &'a Locked>) -> Result<()> {
    let rows: Vec<_> = rows
        .map(|row| ChangedRow {
            id: row.id.0,
            state: row.state.rank(),
            attempt: row.attempt,
            reason: row.reason.map(Reason::as_str),
            error_code: row.error_code,
            provider_sid: row.provider_sid.as_deref(),
            not_before: row.not_before,
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let columns = [
        ("id", Type::BigInt),
        ("state", Type::SmallInt),
        ("attempt", Type::SmallInt),
        ("reason", Type::Text),
        ("error_code", Type::Int),
        ("provider_sid", Type::Text),
        ("not_before", Type::BigInt),
    ];
    let update = format!(
        "UPDATE messages SET state = changed.state, attempt = changed.attempt, reason = changed.reason, \
         error_code = changed.error_code, provider_sid = changed.provider_sid, not_before = changed.not_before, \
         lease_until = NULL, lease_owner = NULL, updated_at = $2 FROM {} WHERE messages.id = changed.id",
        table(Kind::of(tx), "changed", "$1", &columns)
    );
    let written = exec(tx, update, vec![to_json(&rows)?.into(), at.as_micros().into()]).await?;
    // The rows are locked: another count means a bug, and the counters would no longer balance.
    if usize::try_from(written).ok() == Some(rows.len()) { Ok(()) } else { Err(Error::Stale) }
}
