//! Webhooks as they came: append-only rows with what was read from them, and beside them the raw forms, sealed.

use domain::{
    event::{WebhookEvent, WebhookFilter, WebhookKind, WebhookOutcome},
    ids::{MessageId, WebhookEventId},
    time::Timestamp,
};
use sea_orm::Value;
use serde::Serialize;

use crate::{
    ConnectionTrait, Db, Kind, Result, Row, Tx, all,
    batch::{Type, table, to_json},
    exec, one,
};

/// A webhook to store.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    pub id: WebhookEventId,
    pub kind: WebhookKind,
    pub received_at: Timestamp,
    pub account_sid: Option<&'a str>,
    pub provider_sid: Option<&'a str>,
    pub message_id: Option<MessageId>,
    pub attempt: Option<i16>,
    pub status: Option<&'a str>,
    pub error_code: Option<i32>,
    pub idempotency_token: Option<&'a str>,
    pub outcome: WebhookOutcome,
    /// A code, when the outcome alone does not say it.
    pub reason: Option<&'a str>,
    /// The raw form, sealed with the key of this period (the day, as `yyyymmdd`).
    pub period: i32,
    pub sealed: Vec<u8>,
}

/// Ids for events to come, rising: what belongs to an event can name it before it is stored.
///
/// # Errors
/// What the database says.
pub async fn next_ids(tx: &Tx, count: usize) -> Result<Vec<WebhookEventId>> {
    let wanted = i64::try_from(count).unwrap_or(i64::MAX);
    match Kind::of(tx) {
        Kind::Postgres => {
            let query = "SELECT nextval(pg_get_serial_sequence('webhook_events', 'id')) AS id \
                         FROM generate_series(1, $1)";
            let mut ids: Vec<i64> =
                all(tx, query, vec![wanted.into()]).await?.iter().map(|row| row.get("id")).collect::<Result<_>>()?;
            ids.sort_unstable();
            Ok(ids.into_iter().map(WebhookEventId).collect())
        }
        Kind::Sqlite => {
            // Under the write lock nobody else takes the next one; explicit ids move the sequence along.
            let query = "SELECT seq FROM sqlite_sequence WHERE name = 'webhook_events'";
            let last: i64 = one(tx, query, vec![]).await?.map(|row| row.get("seq")).transpose()?.unwrap_or(0);
            Ok((last + 1..=last + wanted).map(WebhookEventId).collect())
        }
    }
}

#[derive(Serialize)]
struct EventRow<'a> {
    id: i64,
    month: i32,
    received_at: i64,
    kind: WebhookKind,
    account_sid: Option<&'a str>,
    provider_sid: Option<&'a str>,
    message_id: Option<i64>,
    attempt: Option<i16>,
    status: Option<&'a str>,
    error_code: Option<i32>,
    idempotency_token: Option<&'a str>,
    outcome: WebhookOutcome,
    reason: Option<&'a str>,
}

const EVENT: &[(&str, Type)] = &[
    ("id", Type::BigInt),
    ("month", Type::Int),
    ("received_at", Type::BigInt),
    ("kind", Type::Text),
    ("account_sid", Type::Text),
    ("provider_sid", Type::Text),
    ("message_id", Type::BigInt),
    ("attempt", Type::SmallInt),
    ("status", Type::Text),
    ("error_code", Type::Int),
    ("idempotency_token", Type::Text),
    ("outcome", Type::Text),
    ("reason", Type::Text),
];

#[derive(Serialize)]
struct BodyRow {
    event_id: i64,
    period: i32,
    sealed: String,
}

/// Stores webhooks and their raw forms.
///
/// # Errors
/// What the database says.
pub async fn insert(tx: &Tx, events: &[NewEvent<'_>]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let kind = Kind::of(tx);
    let rows: Vec<EventRow<'_>> = events
        .iter()
        .map(|event| EventRow {
            id: event.id.0,
            month: event.received_at.month(),
            received_at: event.received_at.as_micros(),
            kind: event.kind,
            account_sid: event.account_sid,
            provider_sid: event.provider_sid,
            message_id: event.message_id.map(|id| id.0),
            attempt: event.attempt,
            status: event.status,
            error_code: event.error_code,
            idempotency_token: event.idempotency_token,
            outcome: event.outcome,
            reason: event.reason,
        })
        .collect();
    let names: Vec<&str> = EVENT.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    let insert = format!("INSERT INTO webhook_events ({names}) SELECT {names} FROM {}", table(kind, "e", "$1", EVENT));
    exec(tx, insert, vec![to_json(&rows)?.into()]).await?;
    let bodies: Vec<BodyRow> = events
        .iter()
        .map(|event| BodyRow { event_id: event.id.0, period: event.period, sealed: hex::encode(&event.sealed) })
        .collect();
    let columns = [("event_id", Type::BigInt), ("period", Type::Int), ("sealed", Type::Bytes)];
    let insert = format!(
        "INSERT INTO webhook_bodies (event_id, period, sealed) SELECT event_id, period, sealed FROM {}",
        table(kind, "b", "$1", &columns)
    );
    exec(tx, insert, vec![to_json(&bodies)?.into()]).await?;
    Ok(())
}

const COLUMNS: &str =
    "e.id, e.kind, e.received_at, e.provider_sid, e.message_id, e.status, e.error_code, e.outcome, e.reason";

/// The webhooks before `before`, newest first, without their forms.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &impl ConnectionTrait,
    filter: &WebhookFilter,
    before: Option<WebhookEventId>,
    limit: u32,
) -> Result<Vec<WebhookEvent>> {
    let mut conditions = vec!["e.id < $1".to_owned()];
    let mut values: Vec<Value> = vec![before.map_or(i64::MAX, |id| id.0).into()];
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        conditions.push(format!("{condition} = ${}", values.len()));
    };
    if let Some(sid) = &filter.sid {
        and("e.provider_sid", sid.as_str().into());
    }
    if let Some(message) = filter.message {
        and("e.message_id", message.0.into());
    }
    if let Some(kind) = filter.kind {
        and("e.kind", kind.as_str().into());
    }
    let query = format!(
        "SELECT {COLUMNS} FROM webhook_events e WHERE {} ORDER BY e.id DESC LIMIT {limit}",
        conditions.join(" AND ")
    );
    all(db, query, values).await?.iter().map(event).collect()
}

/// A webhook with its sealed form.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub event: WebhookEvent,
    /// Period and sealed bytes; none once their retention has passed.
    pub body: Option<(i32, Vec<u8>)>,
}

/// One webhook.
///
/// # Errors
/// What the database says.
pub async fn get(db: &impl ConnectionTrait, id: WebhookEventId) -> Result<Option<Found>> {
    let query = format!(
        "SELECT {COLUMNS}, b.period, b.sealed FROM webhook_events e LEFT JOIN webhook_bodies b ON b.event_id = e.id \
         WHERE e.id = $1"
    );
    let Some(row) = one(db, query, vec![id.0.into()]).await? else { return Ok(None) };
    let period: Option<i32> = row.get("period")?;
    let sealed: Option<Vec<u8>> = row.get("sealed")?;
    Ok(Some(Found { event: event(&row)?, body: period.zip(sealed) }))
}

/// Destroys the keys of the periods before `before` (`yyyymmdd`). Returns how many.
///
/// # Errors
/// What the database says.
pub async fn destroy_keys(tx: &Tx, before: i32) -> Result<u64> {
    exec(tx, "DELETE FROM period_keys WHERE period < $1", vec![before.into()]).await
}

/// Removes up to `limit` raw forms of the periods before `before`, the oldest first. Returns how many.
///
/// # Errors
/// What the database says.
pub async fn purge_bodies(db: &Db, before: i32, limit: u32) -> Result<u64> {
    // Ids rise with time: the oldest are found without an index by period.
    let delete = "DELETE FROM webhook_bodies WHERE period < $1 AND event_id IN \
                  (SELECT event_id FROM webhook_bodies ORDER BY event_id LIMIT $2)";
    exec(db.writer(), delete, vec![before.into(), i64::from(limit).into()]).await
}

fn event(row: &Row) -> Result<WebhookEvent> {
    Ok(WebhookEvent {
        id: WebhookEventId(row.get("id")?),
        kind: row.word("kind")?,
        received_at: Timestamp::from_micros(row.get("received_at")?),
        provider_sid: row.get("provider_sid")?,
        message_id: row.get::<Option<i64>>("message_id")?.map(MessageId),
        status: row.get("status")?,
        error_code: row.get("error_code")?,
        outcome: row.word("outcome")?,
        reason: row.get("reason")?,
        raw: None,
        parameters: Vec::new(),
    })
}
