//! People: found, listed, written.
//!
//! Consent moves through [`crate::consent::record`] alone. Lists go by `contact_id`, newest first: the ids rise with
//! time (see [`new_ids`]), so that a page of any list is a walk along an index.

mod erasure;
mod ids;
mod list;
mod timeline;
mod write;

use domain::{
    consent::{Consent, Subscription},
    contact::Contact,
    ids::ContactId,
    phone::Phone,
    time::Timestamp,
};
use serde::Serialize;

pub use erasure::{erasure, has_objected};
pub use ids::new_ids;
pub(crate) use list::{Matches, matches};
pub use list::{Query, count, count_by_consent, list};
pub use timeline::{TimelineRow, timeline};
pub use write::{Change, New, delete, insert, update};

use crate::{
    ConnectionTrait, Error, Kind, Result, Row, Tx, all,
    batch::{self, Type, to_json},
    exec, one,
};

/// A contact with the id that every other table knows the person by.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub id: ContactId,
    /// `topics` is empty unless it was asked for.
    pub contact: Contact,
}

pub(crate) const COLUMNS: &str = "c.contact_id, c.phone, c.name, CAST(c.attributes AS text) AS attributes, c.consent, \
     c.consent_changed_at, c.suppressed, c.country, c.timezone, c.locale, c.last_inbound_at, c.created_at, c.updated_at, \
     c.version";

/// Reads the [`COLUMNS`] of a row.
pub(crate) fn stored(row: &Row) -> Result<Stored> {
    let time = |column| Ok::<_, Error>(row.get::<Option<i64>>(column)?.map(Timestamp::from_micros));
    let phone: String = row.get("phone")?;
    Ok(Stored {
        id: ContactId(row.get("contact_id")?),
        contact: Contact {
            phone: phone.parse().map_err(|_| Error::Corrupt { column: "phone", problem: "not E.164".to_owned() })?,
            name: row.get("name")?,
            attributes: row.json("attributes")?,
            consent: row.word("consent")?,
            consent_changed_at: time("consent_changed_at")?,
            suppressed: row.get("suppressed")?,
            country: row.get("country")?,
            timezone: row.get("timezone")?,
            locale: row.get("locale")?,
            topics: Vec::new(),
            last_inbound_at: time("last_inbound_at")?,
            created_at: Timestamp::from_micros(row.get("created_at")?),
            updated_at: Timestamp::from_micros(row.get("updated_at")?),
            version: row.get("version")?,
        },
    })
}

/// The person with this number, with topics.
///
/// # Errors
/// What the database says.
pub async fn find(db: &impl ConnectionTrait, phone: &Phone) -> Result<Option<Stored>> {
    let query = format!("SELECT {COLUMNS} FROM contacts c WHERE c.phone = $1");
    with_topics(db, one(db, query, vec![phone.as_str().into()]).await?.as_ref().map(stored).transpose()?).await
}

/// As [`find`], and nobody else changes the person before the transaction ends.
///
/// # Errors
/// What the database says.
pub async fn lock(tx: &Tx, phone: &Phone) -> Result<Option<Stored>> {
    let lock = for_update(Kind::of(tx));
    let query = format!("SELECT {COLUMNS} FROM contacts c WHERE c.phone = $1{lock}");
    with_topics(tx, one(tx, query, vec![phone.as_str().into()]).await?.as_ref().map(stored).transpose()?).await
}

/// Those of these numbers that are known, locked in the order of their ids, as everybody locks people; without topics.
///
/// # Errors
/// What the database says.
pub async fn lock_many(tx: &Tx, phones: &[&Phone]) -> Result<Vec<Stored>> {
    #[derive(Serialize)]
    struct Key<'a> {
        phone: &'a str,
    }
    let kind = Kind::of(tx);
    let keys: Vec<Key<'_>> = phones.iter().map(|phone| Key { phone: phone.as_str() }).collect();
    let batch = batch::table(kind, "b", "$1", &[("phone", Type::Text)]);
    let query = format!(
        "SELECT {COLUMNS} FROM {batch} CROSS JOIN contacts c WHERE c.phone = b.phone ORDER BY c.contact_id{}",
        for_update(kind)
    );
    all(tx, query, vec![to_json(&keys)?.into()]).await?.iter().map(stored).collect()
}

/// People by their ids, in no order; without topics.
///
/// # Errors
/// What the database says.
pub async fn by_ids(db: &impl ConnectionTrait, ids: &[ContactId]) -> Result<Vec<Stored>> {
    let batch = batch::table(Kind::of(db), "b", "$1", &[("contact_id", Type::BigInt)]);
    let query = format!("SELECT {COLUMNS} FROM {batch} CROSS JOIN contacts c WHERE c.contact_id = b.contact_id");
    all(db, query, vec![ids_json(ids)?.into()]).await?.iter().map(stored).collect()
}

/// As [`by_ids`], and nobody else changes these people before the transaction ends; in the order of their ids.
///
/// # Errors
/// What the database says.
pub async fn lock_by_ids(tx: &Tx, ids: &[ContactId]) -> Result<Vec<Stored>> {
    let kind = Kind::of(tx);
    let batch = batch::table(kind, "b", "$1", &[("contact_id", Type::BigInt)]);
    let query = format!(
        "SELECT {COLUMNS} FROM {batch} CROSS JOIN contacts c WHERE c.contact_id = b.contact_id ORDER BY c.contact_id{}",
        for_update(kind)
    );
    all(tx, query, vec![ids_json(ids)?.into()]).await?.iter().map(stored).collect()
}

/// Fills in the topics these people are subscribed to.
///
/// # Errors
/// What the database says.
pub async fn load_topics(db: &impl ConnectionTrait, people: &mut [Stored]) -> Result<()> {
    if people.is_empty() {
        return Ok(());
    }
    let ids: Vec<ContactId> = people.iter().map(|person| person.id).collect();
    let batch = batch::table(Kind::of(db), "b", "$1", &[("contact_id", Type::BigInt)]);
    let query = format!(
        "SELECT s.contact_id, t.key FROM {batch} CROSS JOIN subscriptions s JOIN topics t ON t.id = s.topic_id \
         WHERE s.contact_id = b.contact_id AND s.state = $2 ORDER BY t.key"
    );
    let mut topics = std::collections::HashMap::<i64, Vec<String>>::new();
    for row in all(db, query, vec![ids_json(&ids)?.into(), Subscription::Subscribed.as_str().into()]).await? {
        topics.entry(row.get("contact_id")?).or_default().push(row.get("key")?);
    }
    for person in people {
        person.contact.topics = topics.remove(&person.id.0).unwrap_or_default();
    }
    Ok(())
}

async fn with_topics(db: &impl ConnectionTrait, person: Option<Stored>) -> Result<Option<Stored>> {
    let mut people: Vec<Stored> = person.into_iter().collect();
    load_topics(db, &mut people).await?;
    Ok(people.pop())
}

/// Moves the maintained counts. Called in the transaction that makes, removes or moves people.
///
/// # Errors
/// What the database says.
pub(crate) async fn add_counts(tx: &Tx, changes: &std::collections::BTreeMap<Consent, i64>) -> Result<()> {
    let upsert = "INSERT INTO contact_counts (consent, count) VALUES ($1, $2) \
                  ON CONFLICT (consent) DO UPDATE SET count = contact_counts.count + excluded.count";
    for (consent, change) in changes.iter().filter(|(_, change)| **change != 0) {
        exec(tx, upsert, vec![consent.as_str().into(), (*change).into()]).await?;
    }
    Ok(())
}

/// A batch of ids as the parameter of a statement; the column is `contact_id`.
pub(crate) fn ids_json(ids: &[ContactId]) -> Result<String> {
    #[derive(Serialize)]
    struct Key {
        contact_id: i64,
    }
    to_json(&ids.iter().map(|id| Key { contact_id: id.0 }).collect::<Vec<_>>())
}

/// The alias `c` locked until the transaction ends; nothing under SQLite's single writer.
pub(crate) const fn for_update(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => " FOR UPDATE OF c",
        Kind::Sqlite => "",
    }
}
