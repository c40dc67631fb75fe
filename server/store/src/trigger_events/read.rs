//! Events for people who look at them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    contact::Attributes,
    ids::{CampaignId, MessageId, TriggerEventId},
    time::Timestamp,
    trigger_event::{EventEffect, EventName, MessageEvent, TriggerEvent, TriggerEventFilter},
};
use sea_orm::Value;

use crate::{
    ConnectionTrait, Error, Kind, Result, Row, all,
    batch::{Columns, Type, column},
    one,
};

const COLUMNS: &str = "e.number, d.id, e.name, e.occurred_at, e.received_at, c.phone, d.definition, d.data";

const FROM: &str = "FROM trigger_events e LEFT JOIN trigger_event_data d ON d.number = e.number \
                    LEFT JOIN contacts c ON c.contact_id = e.contact_id";

fn read(row: &Row) -> Result<TriggerEvent> {
    let phone: Option<String> = row.get("phone")?;
    Ok(TriggerEvent {
        number: TriggerEventId(row.get("number")?),
        id: row.get("id")?,
        name: row.get("name")?,
        occurred_at: row.get::<Option<i64>>("occurred_at")?.map(Timestamp::from_micros),
        received_at: Timestamp::from_micros(row.get("received_at")?),
        phone: phone
            .map(|phone| phone.parse())
            .transpose()
            .map_err(|error: domain::phone::NotE164| Error::Corrupt { column: "phone", problem: error.to_string() })?,
        segment: row.json_or_null("definition")?,
        data: row.json_or_null("data")?,
        effects: Vec::new(),
    })
}

/// Events that were taken before `before`, newest first, each with what it came to.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &impl ConnectionTrait,
    filter: &TriggerEventFilter,
    before: Option<TriggerEventId>,
    limit: u32,
) -> Result<Vec<TriggerEvent>> {
    let mut parts = vec!["TRUE".to_owned()];
    let mut values: Vec<Value> = Vec::new();
    let mut add = |sql: &str, value: Value| {
        values.push(value);
        parts.push(sql.replace("$?", &format!("${}", values.len())));
    };
    if let Some(name) = &filter.name {
        add("e.name = $?", name.clone().into());
    }
    if let Some(phone) = &filter.phone {
        add("e.contact_id = (SELECT p.contact_id FROM contacts p WHERE p.phone = $?)", phone.as_str().into());
    }
    if let Some(campaign) = filter.campaign {
        add(
            "e.number IN (SELECT p.event FROM event_plans p JOIN runs r ON r.id = p.run_id WHERE r.campaign_id = $?)",
            campaign.0.into(),
        );
    }
    if let Some(before) = before {
        add("e.number < $?", before.0.into());
    }
    values.push(i64::from(limit).into());
    let query =
        format!("SELECT {COLUMNS} {FROM} WHERE {} ORDER BY e.number DESC LIMIT ${}", parts.join(" AND "), values.len());
    let mut events: Vec<TriggerEvent> = all(db, query, values).await?.iter().map(read).collect::<Result<_>>()?;
    load_effects(db, &mut events).await?;
    Ok(events)
}

/// One event with what it came to.
///
/// # Errors
/// `NotFound` when there is none.
pub async fn get(db: &impl ConnectionTrait, id: TriggerEventId) -> Result<TriggerEvent> {
    let query = format!("SELECT {COLUMNS} {FROM} WHERE e.number = $1");
    let row = one(db, query, vec![super::number(id).into()]).await?.ok_or(Error::NotFound)?;
    let mut events = vec![read(&row)?];
    load_effects(db, &mut events).await?;
    events.pop().ok_or(Error::NotFound)
}

/// The events with these numbers, each with what it came to.
///
/// # Errors
/// What the database says.
pub async fn with_numbers(db: &impl ConnectionTrait, numbers: &BTreeSet<TriggerEventId>) -> Result<Vec<TriggerEvent>> {
    let mut batch = Columns::new(Kind::of(db), [column("number", Type::BigInt)]);
    numbers.iter().for_each(|number| batch.push([number.0.into()]));
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    let wanted = batch.table("wanted", &mut values)?;
    let query = format!("SELECT {COLUMNS} {FROM} WHERE e.number IN (SELECT wanted.number FROM {wanted})");
    let mut events: Vec<TriggerEvent> = all(db, query, values).await?.iter().map(read).collect::<Result<_>>()?;
    load_effects(db, &mut events).await?;
    Ok(events)
}

async fn load_effects(db: &impl ConnectionTrait, events: &mut [TriggerEvent]) -> Result<()> {
    let mut batch = Columns::new(Kind::of(db), [column("number", Type::BigInt)]);
    events.iter().for_each(|event| batch.push([event.number.0.into()]));
    if batch.is_empty() {
        return Ok(());
    }
    let mut values = Vec::new();
    // Of an event about one person there is one message at most in each run.
    let query = format!(
        "SELECT p.event, r.campaign_id, k.name, p.outcome, p.messages, \
         (SELECT min(m.id) FROM messages m JOIN trigger_events e ON e.number = p.event \
         WHERE m.contact_id = e.contact_id AND m.run_id = p.run_id AND m.occurrence = p.event) AS message_id \
         FROM {} CROSS JOIN event_plans p JOIN runs r ON r.id = p.run_id \
         LEFT JOIN campaigns k ON k.id = r.campaign_id WHERE p.event = wanted.number ORDER BY p.event, r.created_at, r.id",
        batch.table("wanted", &mut values)?
    );
    let mut effects: HashMap<i64, Vec<EventEffect>> = HashMap::new();
    for row in all(db, query, values).await? {
        effects.entry(row.get("event")?).or_default().push(EventEffect {
            campaign_id: CampaignId(row.get("campaign_id")?),
            campaign_name: row.get::<Option<String>>("name")?.unwrap_or_default(),
            outcome: row.word_or_null("outcome")?,
            messages: row.get("messages")?,
            message_id: row.get::<Option<i64>>("message_id")?.map(MessageId),
        });
    }
    for event in events {
        event.effects = effects.remove(&event.number.0).unwrap_or_default();
    }
    Ok(())
}

/// The names that came, the latest first.
///
/// # Errors
/// What the database says.
pub async fn names(db: &impl ConnectionTrait, limit: u32) -> Result<Vec<EventName>> {
    let query = "SELECT name, count, last_at FROM trigger_event_names ORDER BY last_at DESC, name LIMIT $1";
    let rows = all(db, query, vec![i64::from(limit).into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(EventName {
                name: row.get("name")?,
                count: row.get("count")?,
                last_at: Timestamp::from_micros(row.get("last_at")?),
            })
        })
        .collect()
}

/// The data of the latest event, of this name or of any, that has some: what a text is tried with.
///
/// # Errors
/// What the database says.
pub async fn sample(db: &impl ConnectionTrait, name: Option<&str>) -> Result<Option<Attributes>> {
    let of_name = if name.is_some() { "e.name = $1" } else { "$1 IS NOT NULL" };
    let query = format!(
        "SELECT d.data FROM trigger_events e JOIN trigger_event_data d ON d.number = e.number \
         WHERE {of_name} AND d.data <> '{{}}' ORDER BY e.number DESC LIMIT 1"
    );
    let row = one(db, query, vec![name.unwrap_or_default().into()]).await?;
    row.map(|row| row.json("data")).transpose()
}

/// The events with these numbers, as far as they are stored, for those who ask why there is a message.
pub(crate) async fn behind(db: &impl ConnectionTrait, numbers: &BTreeSet<i64>) -> Result<BTreeMap<i64, MessageEvent>> {
    let mut batch = Columns::new(Kind::of(db), [column("number", Type::BigInt)]);
    numbers.iter().for_each(|number| batch.push([(*number).into()]));
    if batch.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut values = Vec::new();
    let query = format!(
        "SELECT e.number, d.id, e.name, e.occurred_at, e.received_at FROM {} CROSS JOIN trigger_events e \
         LEFT JOIN trigger_event_data d ON d.number = e.number WHERE e.number = wanted.number",
        batch.table("wanted", &mut values)?
    );
    let event = |row: &Row| {
        let number: i64 = row.get("number")?;
        let event = MessageEvent {
            number: TriggerEventId(number),
            id: row.get("id")?,
            name: row.get("name")?,
            occurred_at: row.get::<Option<i64>>("occurred_at")?.map(Timestamp::from_micros),
            received_at: Timestamp::from_micros(row.get("received_at")?),
        };
        Ok((number, event))
    };
    all(db, query, values).await?.iter().map(event).collect()
}
