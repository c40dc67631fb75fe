//! What happened elsewhere: stored once for each id, and put before the runs that listen, in one transaction.

mod own;
mod read;

pub use own::{Own, listened_to, tell};
pub(crate) use read::behind;
pub use read::{get, list, names, sample, with_numbers};

use std::collections::{BTreeMap, HashMap};

use domain::{
    actor::Actor,
    ids::{ContactId, TriggerEventId},
    time::Timestamp,
};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{
    Kind, Result, Tx, all,
    batch::{Type, table, to_json},
    exec,
    segments::contains,
};

/// Bytes of the hash that an event is known by.
const HASH_BYTES: usize = 16;

/// An event to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    pub id: String,
    pub name: String,
    pub occurred_at: Option<Timestamp>,
    /// Whom it is about; none with a definition.
    pub contact: Option<ContactId>,
    /// Of those it is about, as JSON text, with every named segment inlined.
    pub definition: Option<String>,
    /// A JSON object as text.
    pub data: String,
}

fn hash(id: &str) -> String {
    hex::encode(&Sha256::digest(id.as_bytes())[..HASH_BYTES])
}

#[derive(Serialize)]
struct Line<'a> {
    n: i32,
    id_hash: String,
    name: &'a str,
    occurred_at: Option<i64>,
    contact_id: Option<i64>,
}

#[derive(Serialize)]
struct Data<'a> {
    number: i64,
    name: &'a str,
    id: &'a str,
    definition: Option<&'a str>,
    data: &'a str,
}

const LINE: &[(&str, Type)] = &[
    ("n", Type::Int),
    ("id_hash", Type::Bytes),
    ("name", Type::Text),
    ("occurred_at", Type::BigInt),
    ("contact_id", Type::BigInt),
];

const DATA: &[(&str, Type)] = &[
    ("number", Type::BigInt),
    ("name", Type::Text),
    ("id", Type::Text),
    ("definition", Type::Text),
    ("data", Type::Text),
];

/// Stores those whose ids are new, in their order, and puts them before the runs that listen to their names. Returns how
/// many were new.
///
/// # Errors
/// What the database says.
pub async fn insert(tx: &Tx, actor: &Actor, at: Timestamp, events: &[NewEvent]) -> Result<i64> {
    if events.is_empty() {
        return Ok(0);
    }
    let mut by_hash: HashMap<String, &NewEvent> = HashMap::with_capacity(events.len());
    let mut lines = Vec::with_capacity(events.len());
    for event in events {
        let id_hash = hash(&event.id);
        if by_hash.contains_key(&id_hash) {
            continue;
        }
        by_hash.insert(id_hash.clone(), event);
        lines.push(Line {
            n: i32::try_from(lines.len()).unwrap_or(i32::MAX),
            id_hash,
            name: &event.name,
            occurred_at: event.occurred_at.map(Timestamp::as_micros),
            contact_id: event.contact.map(|contact| contact.0),
        });
    }
    let kind = Kind::of(tx);
    let insert = format!(
        "INSERT INTO trigger_events (id_hash, name, occurred_at, received_at, contact_id, actor_kind, actor_id) \
         SELECT b.id_hash, b.name, b.occurred_at, $2, b.contact_id, $3, $4 FROM {} WHERE TRUE ORDER BY b.n \
         ON CONFLICT (id_hash) DO NOTHING RETURNING number, id_hash",
        table(kind, "b", "$1", LINE)
    );
    let values =
        vec![to_json(&lines)?.into(), at.as_micros().into(), actor.kind.as_str().into(), actor.id.clone().into()];
    let mut stored = Vec::new();
    for row in all(tx, insert, values).await? {
        let (number, id_hash): (i64, Vec<u8>) = (row.get("number")?, row.get("id_hash")?);
        let Some(event) = by_hash.get(&hex::encode(id_hash)) else { continue };
        let NewEvent { id, name, definition, data, .. } = *event;
        stored.push(Data { number, name, id, definition: definition.as_deref(), data });
    }
    if stored.is_empty() {
        return Ok(0);
    }
    let rows = to_json(&stored)?;
    let insert = format!(
        "INSERT INTO trigger_event_data (number, id, definition, data) SELECT number, id, definition, data FROM {}",
        table(kind, "b", "$1", DATA)
    );
    exec(tx, insert, vec![rows.clone().into()]).await?;
    // A run that is cancelled meanwhile has taken the event before, and is done with it, or never gets it.
    let lock = match kind {
        Kind::Postgres => " FOR KEY SHARE OF r",
        Kind::Sqlite => "",
    };
    let put_before = format!(
        "INSERT INTO event_plans (run_id, event) SELECT r.id, b.number FROM {} CROSS JOIN runs r \
         WHERE r.event_name = b.name AND r.finished_at IS NULL AND r.status IN ('running', 'paused'){lock}",
        table(kind, "b", "$1", DATA)
    );
    exec(tx, put_before, vec![rows.into()]).await?;
    count(tx, at, &stored).await?;
    Ok(i64::try_from(stored.len()).unwrap_or(i64::MAX))
}

/// Counts by name; last, because others wait for the row.
async fn count(tx: &Tx, at: Timestamp, stored: &[Data<'_>]) -> Result<()> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for event in stored {
        *counts.entry(event.name).or_default() += 1;
    }
    let upsert = "INSERT INTO trigger_event_names (name, count, last_at) VALUES ($1, $2, $3) ON CONFLICT (name) \
                  DO UPDATE SET count = trigger_event_names.count + excluded.count, last_at = excluded.last_at";
    for (name, count) in counts {
        exec(tx, upsert, vec![name.into(), count.into(), at.as_micros().into()]).await?;
    }
    Ok(())
}

/// Removes what events say of a person, and takes the number out of those that are about many.
///
/// # Errors
/// What the database says.
pub async fn forget(tx: &Tx, person: ContactId, digits: &str, without: impl Fn(&str) -> String) -> Result<()> {
    let delete = "DELETE FROM trigger_event_data WHERE number IN \
                  (SELECT number FROM trigger_events WHERE contact_id = $1)";
    exec(tx, delete, vec![person.0.into()]).await?;
    let kind = Kind::of(tx);
    let named: Vec<String> = ["id", "data", "COALESCE(definition, '')"].map(|text| contains(kind, text, "$1")).into();
    let query = format!("SELECT number, id, data, definition FROM trigger_event_data WHERE {}", named.join(" OR "));
    for row in all(tx, query, vec![digits.into()]).await? {
        let (id, data): (String, Value) = (row.get("id")?, row.json("data")?);
        let definition: Option<Value> = row.json_or_null("definition")?;
        let update = "UPDATE trigger_event_data SET id = $1, data = $2, definition = $3 WHERE number = $4";
        let values = vec![
            without(&id).into(),
            to_json(&cleaned(data, &without))?.into(),
            definition.map(|definition| to_json(&cleaned(definition, &without))).transpose()?.into(),
            row.get::<i64>("number")?.into(),
        ];
        exec(tx, update, values).await?;
    }
    Ok(())
}

/// A document with the number taken out of its texts, keys and numbers.
fn cleaned(value: Value, without: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => without(&text).into(),
        Value::Number(number) => {
            let text = number.to_string();
            let clean = without(&text);
            if clean == text { Value::Number(number) } else { clean.into() }
        }
        Value::Array(items) => items.into_iter().map(|item| cleaned(item, without)).collect(),
        Value::Object(parts) => {
            parts.into_iter().map(|(key, value)| (without(&key), cleaned(value, without))).collect()
        }
        other => other,
    }
}

/// A number of an event as it is stored.
const fn number(id: TriggerEventId) -> i64 {
    id.0
}
