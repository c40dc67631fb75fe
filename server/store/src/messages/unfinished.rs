//! Messages that the provider has and whose final status nobody has told.

use domain::{
    ids::{ContactId, MessageId, RunId},
    message::{By, State},
    phone::Phone,
    time::Timestamp,
};
use serde::Serialize;

use super::{
    history::{Transition, write_transitions},
    rollups,
    rows::{lock, write_back},
    unreachable,
};
use crate::{
    ConnectionTrait, Error, Kind, Result, Row, Tx, all,
    batch::{Type, table, to_json},
};

/// A message without a final status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    pub id: MessageId,
    pub contact_id: ContactId,
    /// None after the person was erased.
    pub phone: Option<Phone>,
    pub provider_sid: String,
    pub created_at: Timestamp,
    /// When it last moved, or was last asked for.
    pub touched_at: Timestamp,
}

/// The runs made since `since` that have such messages, the account they went to, and how many each has.
///
/// # Errors
/// What the database says.
pub async fn unfinished_runs(db: &impl ConnectionTrait, since: Timestamp) -> Result<Vec<(RunId, String, i64)>> {
    let query = "SELECT r.id, s.account_sid, l.accepted + l.sent AS n FROM runs r \
                 JOIN run_ledgers l ON l.run_id = r.id JOIN senders s ON s.id = r.sender_id \
                 WHERE r.created_at >= $1 AND l.accepted + l.sent > 0 ORDER BY r.id";
    let rows = all(db, query, vec![since.as_micros().into()]).await?;
    rows.iter().map(|row| Ok((RunId(row.get("id")?), row.get("account_sid")?, row.get("n")?))).collect()
}

/// Up to `limit` of a run's messages behind the person `after` that it is time to ask for: nothing was heard of them for
/// `quiet` microseconds, nor for as long as it took them to come where they are. So each wait is twice the last one.
///
/// # Errors
/// What the database says.
pub async fn unfinished(
    db: &impl ConnectionTrait,
    run: RunId,
    after: ContactId,
    now: Timestamp,
    quiet: i64,
    limit: u32,
) -> Result<Vec<Unfinished>> {
    let query = format!(
        "SELECT m.id, m.contact_id, c.phone, m.provider_sid, m.created_at, m.updated_at FROM messages m \
         LEFT JOIN contacts c ON c.contact_id = m.contact_id \
         WHERE m.run_id = $1 AND m.contact_id > $2 AND m.state IN ({}, {}) AND m.provider_sid IS NOT NULL \
         AND m.updated_at <= $3 AND $4 - m.updated_at >= m.updated_at - m.created_at \
         ORDER BY m.contact_id LIMIT {limit}",
        State::Accepted.rank(),
        State::Sent.rank()
    );
    let values = vec![run.0.into(), after.0.into(), now.plus(-quiet).as_micros().into(), now.as_micros().into()];
    all(db, query, values).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Unfinished> {
    let phone: Option<String> = row.get("phone")?;
    Ok(Unfinished {
        id: MessageId(row.get("id")?),
        contact_id: ContactId(row.get("contact_id")?),
        phone: phone
            .map(|phone| phone.parse())
            .transpose()
            .map_err(|error: domain::phone::NotE164| Error::Corrupt { column: "phone", problem: error.to_string() })?,
        provider_sid: row.get("provider_sid")?,
        created_at: Timestamp::from_micros(row.get("created_at")?),
        touched_at: Timestamp::from_micros(row.get("updated_at")?),
    })
}

/// Takes these messages to ask for them: those that nobody else took, and that did not move, since they were read.
///
/// # Errors
/// What the database says.
pub async fn take_unfinished(tx: &Tx, at: Timestamp, messages: Vec<Unfinished>) -> Result<Vec<Unfinished>> {
    #[derive(Serialize)]
    struct Wanted {
        id: i64,
        touched_at: i64,
    }
    let wanted: Vec<_> = messages
        .iter()
        .map(|message| Wanted { id: message.id.0, touched_at: message.touched_at.as_micros() })
        .collect();
    let kind = Kind::of(tx);
    let batch = table(kind, "b", "$1", &[("id", Type::BigInt), ("touched_at", Type::BigInt)]);
    // In the order of their ids, as everybody locks messages.
    let update = format!(
        "UPDATE messages SET updated_at = $2 WHERE id IN (SELECT m.id FROM {batch} CROSS JOIN messages m \
         WHERE m.id = b.id AND m.updated_at = b.touched_at AND m.state IN ({}, {}) ORDER BY m.id{}) RETURNING id",
        State::Accepted.rank(),
        State::Sent.rank(),
        match kind {
            Kind::Postgres => " FOR UPDATE OF m",
            Kind::Sqlite => "",
        }
    );
    let rows = all(tx, update, vec![to_json(&wanted)?.into(), at.as_micros().into()]).await?;
    let taken =
        rows.iter().map(|row| row.get("id").map(MessageId)).collect::<Result<std::collections::BTreeSet<_>>>()?;
    Ok(messages.into_iter().filter(|message| taken.contains(&message.id)).collect())
}

/// Writes where a message stands at the provider, by the rule of callbacks: a state only rises. True when it moved.
///
/// # Errors
/// What the database says.
pub async fn settle_unfinished(
    tx: &Tx,
    at: Timestamp,
    id: MessageId,
    reported: State,
    error_code: Option<i32>,
) -> Result<bool> {
    let Some(was) = lock(tx, std::iter::once(id.0)).await?.remove(&id) else { return Ok(false) };
    let state = was.state.after_callback(reported);
    if state == was.state {
        return Ok(false);
    }
    let mut row = was.clone();
    row.state = state;
    row.error_code = error_code;
    write_back(tx, at, std::iter::once(&row)).await?;
    unreachable::note(tx, at, std::iter::once(&row)).await?;
    let transition = Transition {
        message_id: row.id,
        month: row.month,
        from: was.state,
        to: row.state,
        attempt: row.attempt,
        reason: row.reason,
        error_code,
    };
    write_transitions(tx, at, By::Reconcile, &[transition]).await?;
    rollups::moved(tx, at, &[(&was, &row)]).await?;
    Ok(true)
}
