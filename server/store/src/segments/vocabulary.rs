//! What rules can speak of: what is stored.

use std::collections::BTreeSet;

use domain::{
    segment::{Condition, Field, Group, Scalar, SegmentVocabulary, Test, rules},
    time::Timestamp,
};
use uuid::Uuid;

use crate::{ConnectionTrait, Kind, Result, all, one};

/// Attributes are gathered from so many of the latest people, …
const LATEST: i64 = 1_000;
/// … and from so many who came after each of so many moments between the first one and now: what an earlier file brought
/// is there too. So many names are given.
const AFTER_EACH: i64 = 200;
const MOMENTS: i64 = 16;
const MOST_NAMES: i64 = 500;
/// So many imports, segments and campaigns are offered, the latest first.
const MOST_ENTRIES: i64 = 200;

/// What a builder offers: topics, imports, segments, campaigns, and the attributes of some people from all times
/// (objects with their parts, such as `home.city`).
///
/// # Errors
/// What the database says.
pub async fn vocabulary(db: &impl ConnectionTrait) -> Result<SegmentVocabulary> {
    let topics = all(db, "SELECT key FROM topics ORDER BY key", Vec::new()).await?;
    Ok(SegmentVocabulary {
        attributes: attributes(db).await?,
        topics: topics.iter().map(|row| row.get("key")).collect::<Result<_>>()?,
        imports: entries(db, "SELECT id, file_name AS name, created_at FROM imports").await?,
        segments: entries(db, "SELECT id, name, created_at FROM segments").await?,
        campaigns: entries(db, "SELECT id, name, created_at FROM campaigns").await?,
    })
}

/// The names of attributes in use.
async fn attributes(db: &impl ConnectionTrait) -> Result<Vec<String>> {
    // Apart: both in one query SQLite finds only by reading all.
    let ends = "SELECT (SELECT min(contact_id) FROM contacts) AS first, (SELECT max(contact_id) FROM contacts) AS last";
    let Some(row) = one(db, ends, Vec::new()).await? else { return Ok(Vec::new()) };
    let (Some(first), Some(last)) = (row.get::<Option<i64>>("first")?, row.get::<Option<i64>>("last")?) else {
        return Ok(Vec::new());
    };
    // Ids rise with time.
    let step = (last - first) / MOMENTS;
    let mut people =
        vec![format!("SELECT * FROM (SELECT attributes FROM contacts ORDER BY contact_id DESC LIMIT {LATEST}) x")];
    people.extend((0..MOMENTS).map(|moment| {
        format!(
            "SELECT * FROM (SELECT attributes FROM contacts WHERE contact_id >= {} ORDER BY contact_id \
             LIMIT {AFTER_EACH}) x",
            first + moment * step
        )
    }));
    let latest = people.join(" UNION ALL ");
    let query = match Kind::of(db) {
        Kind::Postgres => format!(
            "WITH latest AS ({latest}), named AS (SELECT a.key, a.value FROM latest, jsonb_each(latest.attributes) a) \
             SELECT DISTINCT key AS name FROM named WHERE jsonb_typeof(value) <> 'object' \
             UNION SELECT n.key || '.' || inner_key FROM named n, \
             jsonb_object_keys(CASE WHEN jsonb_typeof(n.value) = 'object' THEN n.value ELSE '{{}}' END) inner_key \
             ORDER BY 1 LIMIT $1"
        ),
        Kind::Sqlite => format!(
            "WITH latest AS ({latest}), named AS (SELECT a.key, a.value, a.type FROM latest, \
             json_each(latest.attributes) a) \
             SELECT DISTINCT key AS name FROM named WHERE type <> 'object' \
             UNION SELECT n.key || '.' || i.key FROM named n, \
             json_each(CASE WHEN n.type = 'object' THEN n.value ELSE '{{}}' END) i ORDER BY 1 LIMIT $1"
        ),
    };
    all(db, query, vec![MOST_NAMES.into()]).await?.iter().map(|row| row.get("name")).collect()
}

async fn entries(db: &impl ConnectionTrait, select: &str) -> Result<Vec<(String, String)>> {
    let query = format!("{select} ORDER BY id DESC LIMIT $1");
    let rows = all(db, query, vec![MOST_ENTRIES.into()]).await?;
    rows.iter()
        .map(|row| {
            let at = Timestamp::from_micros(row.get("created_at")?);
            Ok((row.get::<Uuid>("id")?.to_string(), row.get::<Option<String>>("name")?.unwrap_or_else(|| at.minute())))
        })
        .collect()
}

/// The things that a definition names besides segments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    pub topics: BTreeSet<String>,
    pub imports: BTreeSet<Uuid>,
    pub campaigns: BTreeSet<Uuid>,
}

impl References {
    /// What these rules name.
    #[must_use]
    pub fn of(definition: &Group) -> Self {
        let mut found = Self::default();
        for (_, rule) in rules(definition) {
            if let Ok(condition) = Condition::of(rule) {
                found.add(&condition);
            }
        }
        found
    }

    /// Adds what one condition names.
    pub fn add(&mut self, condition: &Condition) {
        if let Field::CampaignState(id) = condition.field {
            self.campaigns.insert(id.0);
        }
        let Test::OneOf(scalars) = &condition.test else { return };
        for scalar in scalars {
            match (&condition.field, scalar) {
                (Field::Topic, Scalar::Text(key)) => self.topics.insert(key.clone()),
                (Field::Import, Scalar::Id(id)) => self.imports.insert(*id),
                _ => false,
            };
        }
    }

    /// Those of them that there are.
    ///
    /// # Errors
    /// What the database says.
    pub async fn existing(&self, db: &impl ConnectionTrait) -> Result<Self> {
        let keys = self.topics.iter().map(|key| key.as_str().into()).collect::<Vec<sea_orm::Value>>();
        let topics = found(db, "SELECT key FROM topics WHERE key", keys).await?;
        let ids = |ids: &BTreeSet<Uuid>| ids.iter().map(|id| (*id).into()).collect::<Vec<sea_orm::Value>>();
        let imports = found(db, "SELECT id FROM imports WHERE id", ids(&self.imports)).await?;
        let campaigns = found(db, "SELECT id FROM campaigns WHERE id", ids(&self.campaigns)).await?;
        Ok(Self {
            topics: topics.iter().map(|row| row.get("key")).collect::<Result<_>>()?,
            imports: imports.iter().map(|row| row.get("id")).collect::<Result<_>>()?,
            campaigns: campaigns.iter().map(|row| row.get("id")).collect::<Result<_>>()?,
        })
    }
}

async fn found(db: &impl ConnectionTrait, select: &str, values: Vec<sea_orm::Value>) -> Result<Vec<crate::Row>> {
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<String> = (1..=values.len()).map(|place| format!("${place}")).collect();
    all(db, format!("{select} IN ({})", places.join(", ")), values).await
}
