//! Stored segments.

use domain::{
    ids::{CampaignId, SegmentId},
    segment::{Group, Segment},
    text::fold,
    time::Timestamp,
};
use uuid::Uuid;

use super::named;
use crate::{ConnectionTrait, Error, Kind, Result, Row, Tx, all, exec, one};

const COLUMNS: &str = "id, name, definition, created_at, updated_at, version";

/// Stores a new segment.
///
/// # Errors
/// `Duplicate` when the name is taken.
pub async fn insert(tx: &Tx, id: SegmentId, name: &str, definition: &Group, at: Timestamp) -> Result<()> {
    let text = "INSERT INTO segments (id, name, name_folded, definition, created_at, updated_at) \
                VALUES ($1, $2, $3, $4, $5, $5)";
    let values =
        vec![id.0.into(), name.into(), fold(name).into_owned().into(), json(definition)?.into(), at.as_micros().into()];
    exec(tx, text, values).await?;
    Ok(())
}

/// Changes a segment that still has this version.
///
/// # Errors
/// `Stale` when it has not, or is gone; `Duplicate` when the name is taken.
pub async fn update(tx: &Tx, id: SegmentId, name: &str, definition: &Group, version: i64, at: Timestamp) -> Result<()> {
    let text = "UPDATE segments SET name = $3, name_folded = $4, definition = $5, updated_at = $6, version = version + 1 \
                WHERE id = $1 AND version = $2";
    let values = vec![
        id.0.into(),
        version.into(),
        name.into(),
        fold(name).into_owned().into(),
        json(definition)?.into(),
        at.as_micros().into(),
    ];
    if exec(tx, text, values).await? == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Removes a segment.
///
/// # Errors
/// `NotFound` when there is none.
pub async fn delete(tx: &Tx, id: SegmentId) -> Result<()> {
    let gone = exec(tx, "DELETE FROM segments WHERE id = $1", vec![id.0.into()]).await?;
    if gone == 1 { Ok(()) } else { Err(Error::NotFound) }
}

/// The segment with this id.
///
/// # Errors
/// What the database says.
pub async fn find(db: &impl ConnectionTrait, id: SegmentId) -> Result<Option<Segment>> {
    let query = format!("SELECT {COLUMNS} FROM segments WHERE id = $1");
    one(db, query, vec![id.0.into()]).await?.as_ref().map(segment).transpose()
}

/// A page of segments whose name contains `q`, newest first, those made before `before`.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &impl ConnectionTrait,
    q: Option<&str>,
    before: Option<SegmentId>,
    limit: u32,
) -> Result<Vec<Segment>> {
    let found = contains(Kind::of(db), "name_folded", "$1");
    // Ids rise with time.
    let query = format!("SELECT {COLUMNS} FROM segments WHERE {found} AND id < $2 ORDER BY id DESC LIMIT $3");
    let values = vec![
        fold(q.unwrap_or_default()).into_owned().into(),
        before.map_or(Uuid::max(), |id| id.0).into(),
        i64::from(limit).into(),
    ];
    all(db, query, values).await?.iter().map(segment).collect()
}

/// What uses a segment, in words: campaigns that are not over, and other segments.
///
/// # Errors
/// What the database says.
pub async fn used_by(db: &impl ConnectionTrait, id: SegmentId) -> Result<Vec<String>> {
    let campaigns = "SELECT name FROM campaigns WHERE segment_id = $1 ORDER BY id LIMIT 10";
    let mut used: Vec<String> = all(db, campaigns, vec![id.0.into()])
        .await?
        .iter()
        .map(|row| Ok(format!("campaign “{}”", row.get::<String>("name")?)))
        .collect::<Result<_>>()?;
    for other in mentioning(db, &id.to_string()).await? {
        if named(&other.definition).contains(&id) {
            used.push(format!("audience “{}”", other.name));
        }
    }
    Ok(used)
}

/// Whether a segment is also what another campaign than this one is for, or is part of another segment.
///
/// # Errors
/// What the database says.
pub async fn is_shared(db: &impl ConnectionTrait, id: SegmentId, campaign: CampaignId) -> Result<bool> {
    let others = "SELECT 1 AS found FROM campaigns WHERE segment_id = $1 AND id <> $2 LIMIT 1";
    if one(db, others, vec![id.0.into(), campaign.0.into()]).await?.is_some() {
        return Ok(true);
    }
    Ok(mentioning(db, &id.to_string()).await?.iter().any(|other| named(&other.definition).contains(&id)))
}

/// The first segments whose definition mentions an id.
///
/// # Errors
/// What the database says.
pub async fn mentioning(db: &impl ConnectionTrait, id: &str) -> Result<Vec<Segment>> {
    let mentioned = contains(Kind::of(db), "definition", "$1");
    let query = format!("SELECT {COLUMNS} FROM segments WHERE {mentioned} ORDER BY id LIMIT 100");
    all(db, query, vec![id.into()]).await?.iter().map(segment).collect()
}

/// Whether there is a segment with this name.
///
/// # Errors
/// What the database says.
pub async fn is_name(db: &impl ConnectionTrait, name: &str) -> Result<bool> {
    Ok(one(db, "SELECT 1 AS found FROM segments WHERE name = $1", vec![name.into()]).await?.is_some())
}

/// Rewrites the definitions, of segments and of runs, that hold these digits: whoever edits such a segment has to load it
/// again. Returns how many.
///
/// # Errors
/// What the database says.
pub async fn forget(tx: &Tx, digits: &str, without: impl Fn(&str) -> String) -> Result<usize> {
    let mut changed = 0;
    for (table, version) in [("segments", ", version = version + 1"), ("runs", "")] {
        let named = contains(Kind::of(tx), "definition", "$1");
        let query = format!("SELECT id, definition FROM {table} WHERE {named}");
        for row in all(tx, query, vec![digits.into()]).await? {
            let (id, former): (Uuid, String) = (row.get("id")?, row.get("definition")?);
            let definition = without(&former);
            if definition != former {
                let update = format!("UPDATE {table} SET definition = $1{version} WHERE id = $2");
                exec(tx, update, vec![definition.into(), id.into()]).await?;
                changed += 1;
            }
        }
    }
    Ok(changed)
}

/// A condition: the text in `column` contains the one in `parameter`, which may be empty.
pub(crate) fn contains(kind: Kind, column: &str, parameter: &str) -> String {
    match kind {
        Kind::Postgres => format!("strpos({column}, {parameter}) > 0"),
        Kind::Sqlite => format!("instr({column}, {parameter}) > 0"),
    }
}

fn segment(row: &Row) -> Result<Segment> {
    Ok(Segment {
        id: SegmentId(row.get("id")?),
        name: row.get("name")?,
        definition: row.json("definition")?,
        created_at: Timestamp::from_micros(row.get("created_at")?),
        updated_at: Timestamp::from_micros(row.get("updated_at")?),
        version: row.get("version")?,
    })
}

fn json(definition: &Group) -> Result<String> {
    serde_json::to_string(definition)
        .map_err(|error| Error::Corrupt { column: "definition", problem: error.to_string() })
}
