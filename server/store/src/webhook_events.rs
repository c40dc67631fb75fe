//! Webhooks as they came: append-only rows with what was read from them, and beside them the raw forms, sealed: those that
//! were stored together as one block.

use domain::{
    event::{WebhookEvent, WebhookFilter, WebhookKind, WebhookOutcome},
    ids::{MessageId, WebhookEventId},
    inbound::Keyword,
    phone::Phone,
    time::Timestamp,
};
use sea_orm::Value;

use crate::{
    ConnectionTrait, Db, Kind, Result, Row, Tx, all,
    batch::{Columns, Type, column, nullable},
    one,
    retention::{self, Removal},
    sql::{Ready, exec_together},
};

/// A webhook to store.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    pub id: WebhookEventId,
    pub kind: WebhookKind,
    pub received_at: Timestamp,
    /// When it is not the main one: nearly all are of that.
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
}

/// The raw forms of webhooks that are stored together, sealed with the key of this period (the day, as `yyyymmdd`).
#[derive(Clone, Debug)]
pub struct NewBlock {
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

/// Stores webhooks and their raw forms. The block goes by the least id of its events.
///
/// # Errors
/// What the database says.
pub async fn insert(tx: &Tx, events: &[NewEvent<'_>], block: NewBlock) -> Result<()> {
    exec_together(tx, ready(Kind::of(tx), events, block)?).await
}

/// The statements of [`insert`].
pub(crate) fn ready(kind: Kind, events: &[NewEvent<'_>], block: NewBlock) -> Result<Vec<Ready>> {
    let Some(first) = events.iter().map(|event| event.id).min() else { return Ok(Vec::new()) };
    // That of their raw forms, which go first: what was fetched late would be in an earlier one by when it came.
    let month = block.period / 100;
    let block = Ready {
        text: "INSERT INTO webhook_blocks (id, period, sealed) VALUES ($1, $2, $3)".to_owned(),
        values: vec![first.0.into(), block.period.into(), block.sealed.into()],
    };
    Ok(vec![insert_events(kind, events, first, month)?, block])
}

fn insert_events(kind: Kind, events: &[NewEvent<'_>], block: WebhookEventId, month: i32) -> Result<Ready> {
    let columns = [
        column("id", Type::BigInt),
        column("month", Type::Int),
        column("received_at", Type::BigInt),
        column("kind", Type::Text),
        nullable("account_sid", Type::Text),
        nullable("provider_sid", Type::Text),
        nullable("message_id", Type::BigInt),
        nullable("attempt", Type::SmallInt),
        nullable("status", Type::Text),
        nullable("error_code", Type::Int),
        nullable("idempotency_token", Type::Text),
        column("outcome", Type::Text),
        nullable("reason", Type::Text),
    ];
    let mut batch = Columns::new(kind, columns);
    for event in events {
        batch.push([
            event.id.0.into(),
            month.into(),
            event.received_at.as_micros().into(),
            event.kind.as_str().into(),
            event.account_sid.into(),
            event.provider_sid.into(),
            event.message_id.map(|id| id.0).into(),
            event.attempt.into(),
            event.status.into(),
            event.error_code.into(),
            event.idempotency_token.into(),
            event.outcome.as_str().into(),
            event.reason.into(),
        ]);
    }
    let names = "id, month, received_at, kind, account_sid, provider_sid, message_id, attempt, status, error_code, \
                 idempotency_token, outcome, reason";
    let mut values = vec![block.0.into()];
    let text = format!(
        "INSERT INTO webhook_events ({names}, block) SELECT {names}, $1 FROM {}",
        batch.table("e", &mut values)?
    );
    Ok(Ready { text, values })
}

const COLUMNS: &str =
    "e.id, e.kind, e.received_at, e.provider_sid, e.message_id, e.status, e.error_code, e.outcome, e.reason";

/// The message of a callback that was an orphan when it came: it has the SID by now, and a receipt that says the same.
const CLAIMED_BY: &str = "(SELECT m.id FROM messages m JOIN receipts r ON r.message_id = m.id \
     WHERE e.outcome = 'orphan' AND m.provider_sid = e.provider_sid AND r.provider_sid = e.provider_sid \
     AND r.status = e.status AND r.error_code = COALESCE(e.error_code, 0) LIMIT 1)";

/// The webhooks that are in the indexes by SID and by message: all but the callbacks that raised their message, which its
/// receipts name. In the very words of the indexes, or they would not be used.
const UNUSUAL: &str = "(u.outcome <> 'applied' OR u.kind <> 'status' OR u.reason IS NOT NULL)";

/// On PostgreSQL as an array, which is read first and then looked up by the primary key: to join them it would walk through
/// the newest webhooks, because it takes a few ids for thousands.
fn among(kind: Kind, unusual: &str, receipts: &str) -> String {
    let ids = format!("SELECT u.id FROM webhook_events u WHERE {unusual} UNION {receipts}");
    match kind {
        Kind::Postgres => format!("e.id = ANY(ARRAY({ids}))"),
        Kind::Sqlite => format!("e.id IN ({ids})"),
    }
}

/// The webhooks before `before`, newest first, without their forms.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &impl ConnectionTrait,
    filter: &WebhookFilter,
    after: Option<WebhookEventId>,
    before: Option<WebhookEventId>,
    limit: u32,
) -> Result<Vec<WebhookEvent>> {
    let database = Kind::of(db);
    let mut conditions = vec!["e.id < $1".to_owned()];
    let mut values: Vec<Value> = vec![before.map_or(i64::MAX, |id| id.0).into()];
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        conditions.push(condition.replace("$?", &format!("${}", values.len())));
    };
    if let Some(after) = after {
        and("e.id > $?", after.0.into());
    }
    if let Some(sid) = &filter.sid {
        let receipts = "SELECT r.event_id FROM messages m JOIN receipts r ON r.message_id = m.id \
                        WHERE m.provider_sid = $? AND r.provider_sid = $?";
        and(&among(database, &format!("u.provider_sid = $? AND {UNUSUAL}"), receipts), sid.as_str().into());
    }
    if let Some(message) = filter.message {
        let receipts = "SELECT r.event_id FROM receipts r WHERE r.message_id = $?";
        and(&among(database, &format!("u.message_id = $? AND {UNUSUAL}"), receipts), message.0.into());
    }
    if let Some(phone) = &filter.phone {
        let person = "(SELECT p.contact_id FROM contacts p WHERE p.phone = $?)";
        let receipts = format!(
            "SELECT r.event_id FROM messages m JOIN receipts r ON r.message_id = m.id WHERE m.contact_id = {person} \
             UNION SELECT i.event_id FROM inbound_messages i WHERE i.contact_id = {person}"
        );
        let unusual =
            format!("u.message_id IN (SELECT m.id FROM messages m WHERE m.contact_id = {person}) AND {UNUSUAL}");
        and(&among(database, &unusual, &receipts), phone.as_str().into());
    }
    if let Some(outcome) = filter.outcome {
        // Rare ones by their index, in its very words.
        const RARE: &str = "e.outcome IN ('orphan', 'unprocessable') AND e.outcome = $?";
        let (words, stored) = match outcome {
            WebhookOutcome::Claimed => (format!("{RARE} AND EXISTS {CLAIMED_BY}"), WebhookOutcome::Orphan),
            WebhookOutcome::Orphan => (format!("{RARE} AND NOT EXISTS {CLAIMED_BY}"), outcome),
            WebhookOutcome::Unprocessable => (RARE.to_owned(), outcome),
            WebhookOutcome::Applied | WebhookOutcome::NoChange => ("e.outcome = $?".to_owned(), outcome),
        };
        and(&words, stored.as_str().into());
    }
    if let Some(kind) = filter.kind {
        // The few from people by their index, in its very words.
        let words = if kind == WebhookKind::Inbound { "e.kind = 'inbound' AND e.kind = $?" } else { "e.kind = $?" };
        and(words, kind.as_str().into());
    }
    let query = format!(
        "SELECT {COLUMNS}, {CLAIMED_BY} AS claimed_by FROM webhook_events e WHERE {} ORDER BY e.id DESC LIMIT {limit}",
        conditions.join(" AND ")
    );
    all(db, query, values).await?.iter().map(event).collect()
}

/// Whether a person's message with this SID could not be stored as what it is, and was kept raw for this reason, which a webhook or a list brought.
///
/// # Errors
/// What the database says.
pub async fn is_kept_raw(db: &impl ConnectionTrait, sid: &str, reason: &str) -> Result<bool> {
    let query = format!(
        "SELECT u.id FROM webhook_events u WHERE u.provider_sid = $1 AND {UNUSUAL} AND u.kind = $2 \
         AND u.reason IN ($3, 'fetched_' || $3) LIMIT 1"
    );
    let values = vec![sid.into(), WebhookKind::Inbound.as_str().into(), reason.into()];
    Ok(one(db, query, values).await?.is_some())
}

/// Ids rise with time: the greatest that may have come by then, found by halving, so that no index by time is needed. Several
/// processes store at once, so a few around it are a little early or late.
///
/// # Errors
/// What the database says.
pub async fn last_by(db: &impl ConnectionTrait, until: Timestamp) -> Result<Option<WebhookEventId>> {
    // Apart: both in one query SQLite finds only by reading all.
    let ends = "SELECT (SELECT MIN(id) FROM webhook_events) AS first, (SELECT MAX(id) FROM webhook_events) AS last";
    let Some(row) = one(db, ends, vec![]).await? else { return Ok(None) };
    let (Some(mut low), Some(mut high)): (Option<i64>, Option<i64>) = (row.get("first")?, row.get("last")?) else {
        return Ok(None);
    };
    // What is at `low` or before came by then, what is after `high` did not; there are gaps between ids.
    low -= 1;
    while low < high {
        let middle = low + (high - low + 1) / 2;
        let query = "SELECT id, received_at FROM webhook_events WHERE id >= $1 ORDER BY id LIMIT 1";
        match one(db, query, vec![middle.into()]).await? {
            Some(row) if row.get::<i64>("received_at")? <= until.as_micros() => low = row.get("id")?,
            _ => high = middle - 1,
        }
    }
    Ok(Some(WebhookEventId(low)))
}

/// Whom a webhook is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Person {
    /// Nobody that was ever known.
    Nobody,
    Known(Phone),
    /// Somebody who is no longer known.
    Erased,
}

/// Whom this webhook is about, and what their message, if it is one, was understood as.
///
/// # Errors
/// What the database says.
pub async fn person(db: &impl ConnectionTrait, event: &WebhookEvent) -> Result<(Person, Option<Keyword>)> {
    const OF_MESSAGE: &str = "SELECT c.phone, CAST(NULL AS text) AS keyword FROM messages m \
                              LEFT JOIN contacts c ON c.contact_id = m.contact_id WHERE m.id = $1";
    const OF_INBOUND: &str = "SELECT c.phone, i.keyword FROM inbound_messages i \
                              LEFT JOIN contacts c ON c.contact_id = i.contact_id WHERE i.provider_sid = $1";
    let (query, value): (_, Value) = match (event.kind, event.message_id, &event.provider_sid) {
        (WebhookKind::Status, Some(message), _) => (OF_MESSAGE, message.0.into()),
        (WebhookKind::Inbound, _, Some(sid)) => (OF_INBOUND, sid.as_str().into()),
        _ => return Ok((Person::Nobody, None)),
    };
    let Some(row) = one(db, query, vec![value]).await? else { return Ok((Person::Nobody, None)) };
    let person = match row.get::<Option<String>>("phone")? {
        Some(phone) => phone.parse().map_or(Person::Nobody, Person::Known),
        None => Person::Erased,
    };
    Ok((person, row.word_or_null("keyword")?))
}

/// A webhook with its sealed form.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub event: WebhookEvent,
    /// Where its raw form is; none once its retention has passed.
    pub body: Option<SealedBody>,
}

/// Where a webhook's raw form is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedBody {
    /// The block's id; none for a form that was sealed alone, as earlier versions did.
    pub block: Option<WebhookEventId>,
    pub period: i32,
    pub sealed: Vec<u8>,
}

/// Where raw forms are, of a webhook `e`.
const BODY: &str = "k.id AS block, COALESCE(k.period, b.period) AS period, COALESCE(k.sealed, b.sealed) AS sealed";
const WITH_BODY: &str = "webhook_events e LEFT JOIN webhook_blocks k ON k.id = e.block \
                         LEFT JOIN webhook_bodies b ON b.event_id = e.id";

/// One webhook.
///
/// # Errors
/// What the database says.
pub async fn get(db: &impl ConnectionTrait, id: WebhookEventId) -> Result<Option<Found>> {
    let query = format!("SELECT {COLUMNS}, {CLAIMED_BY} AS claimed_by, {BODY} FROM {WITH_BODY} WHERE e.id = $1");
    let Some(row) = one(db, query, vec![id.0.into()]).await? else { return Ok(None) };
    Ok(Some(Found { event: event(&row)?, body: body(&row)? }))
}

/// The raw forms of these webhooks that are kept still.
///
/// # Errors
/// What the database says.
pub async fn bodies(
    db: &impl ConnectionTrait,
    ids: impl Iterator<Item = WebhookEventId>,
) -> Result<Vec<(WebhookEventId, SealedBody)>> {
    let mut wanted = Columns::new(Kind::of(db), [column("id", Type::BigInt)]);
    ids.for_each(|id| wanted.push([id.0.into()]));
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    let query = format!(
        "SELECT e.id, {BODY} FROM {} CROSS JOIN {WITH_BODY} WHERE e.id = wanted.id",
        wanted.table("wanted", &mut values)?
    );
    let rows = all(db, query, values).await?;
    let read = |row: &Row| Ok((WebhookEventId(row.get("id")?), body(row)?));
    let found = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    Ok(found.into_iter().filter_map(|(id, body)| Some((id, body?))).collect())
}

fn body(row: &Row) -> Result<Option<SealedBody>> {
    let (period, sealed): (Option<i32>, Option<Vec<u8>>) = (row.get("period")?, row.get("sealed")?);
    let block = row.get::<Option<i64>>("block")?.map(WebhookEventId);
    Ok(period.zip(sealed).map(|(period, sealed)| SealedBody { block, period, sealed }))
}

/// Destroys the keys of the periods before `before` (`yyyymmdd`). Returns how many.
///
/// # Errors
/// What the database says.
pub async fn destroy_keys(tx: &Tx, at: Timestamp, before: i32) -> Result<u64> {
    let removal = Removal {
        at,
        reason: "keys of raw webhooks",
        statement: "DELETE FROM period_keys WHERE period < $1".to_owned(),
        values: vec![before.into()],
    };
    retention::remove(tx, removal).await
}

/// Removes up to `limit` blocks of the periods before `before`, and as many forms that were sealed alone, the oldest first.
/// Returns how many of each at most.
///
/// # Errors
/// What the database says.
pub async fn purge_bodies(db: &Db, at: Timestamp, before: i32, limit: u32) -> Result<u64> {
    let tx = db.begin().await?;
    let mut most = 0;
    for (table, id) in [("webhook_blocks", "id"), ("webhook_bodies", "event_id")] {
        let removal = Removal {
            at,
            reason: "raw webhooks",
            // Ids rise with time: the oldest are found without an index by period.
            statement: format!(
                "DELETE FROM {table} WHERE period < $1 AND {id} IN (SELECT {id} FROM {table} ORDER BY {id} LIMIT $2)"
            ),
            values: vec![before.into(), i64::from(limit).into()],
        };
        most = most.max(retention::remove(&tx, removal).await?);
    }
    tx.commit().await?;
    Ok(most)
}

pub(crate) fn event(row: &Row) -> Result<WebhookEvent> {
    let claimed_by: Option<i64> = row.get("claimed_by")?;
    Ok(WebhookEvent {
        id: WebhookEventId(row.get("id")?),
        kind: row.word("kind")?,
        received_at: Timestamp::from_micros(row.get("received_at")?),
        provider_sid: row.get("provider_sid")?,
        message_id: claimed_by.or(row.get("message_id")?).map(MessageId),
        status: row.get("status")?,
        error_code: row.get("error_code")?,
        outcome: if claimed_by.is_some() { WebhookOutcome::Claimed } else { row.word("outcome")? },
        reason: row.get("reason")?,
        phone: None,
        consent: Vec::new(),
        keyword: None,
        erased: false,
        raw: None,
        parameters: Vec::new(),
    })
}
