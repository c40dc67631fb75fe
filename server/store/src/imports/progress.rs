use std::collections::{BTreeMap, HashMap};

use domain::{
    ids::{ContactId, ImportId},
    import::{ImportReject, ImportStatus},
    time::Timestamp,
};
use serde::Serialize;

use super::{Stored, find, rejects};
use crate::{
    Error, Kind, Result, Tx, all,
    batch::{self, Type, to_json},
    contacts::ids_json,
    exec, one,
};

/// What the rows of one chunk came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub rows: i64,
    pub created: i64,
    pub updated: i64,
    /// This and `updated` may be negative: a later row changes somebody whom earlier chunks left unchanged, or back.
    pub unchanged: i64,
    pub duplicates: i64,
    pub rejected: i64,
    pub suppressed: i64,
    pub by_reason: BTreeMap<String, i64>,
    pub warnings: BTreeMap<String, i64>,
}

/// A chunk that is done: from where to where it reached, and what it came to.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    pub from: i64,
    pub to: i64,
    pub line: i64,
    pub counters: Counters,
    pub rejects: Vec<ImportReject>,
}

/// A person of the file, as the chunks so far left them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Stored by this import.
    pub created: bool,
    /// Attributes, zone or language are others now than before the file.
    pub profile_changed: bool,
    /// Consent or subscriptions were changed by the file.
    pub wishes_changed: bool,
    /// Opted out or suppressed before the file.
    pub out_before: bool,
    /// What tells the profile before the file from others; of people who were known.
    pub profile_before: Option<i64>,
}

/// A person of the file to remember.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    pub id: ContactId,
    pub seen: Seen,
}

impl Seen {
    const fn from_flags(flags: i64, profile_before: Option<i64>) -> Self {
        Self {
            created: flags & 1 != 0,
            profile_changed: flags & 2 != 0,
            wishes_changed: flags & 4 != 0,
            out_before: flags & 8 != 0,
            profile_before,
        }
    }

    const fn flags(self) -> i64 {
        self.created as i64
            | (self.profile_changed as i64) << 1
            | (self.wishes_changed as i64) << 2
            | (self.out_before as i64) << 3
    }
}

/// How many imports that wait are looked through for one that can be had here.
const LOOKED_THROUGH: u32 = 100;

/// Takes the import that waits longest, of those whose file `is_here` (by its path and the time of the upload): one that
/// nobody works on, or whose worker has not been heard of since its lease ran out.
///
/// # Errors
/// What the database says.
pub async fn take(
    tx: &Tx,
    now: Timestamp,
    lease_until: Timestamp,
    is_here: impl Fn(&str, Timestamp) -> bool,
) -> Result<Option<ImportId>> {
    let query = format!(
        "SELECT id, file_path, created_at FROM imports WHERE status IN ($1, $2) AND lease_until < $3 \
         ORDER BY created_at, id LIMIT {LOOKED_THROUGH}{}",
        Kind::of(tx).skip_locked()
    );
    let values =
        vec![ImportStatus::Queued.as_str().into(), ImportStatus::Running.as_str().into(), now.as_micros().into()];
    let mut found = None;
    for row in all(tx, query, values).await? {
        if is_here(&row.get::<String>("file_path")?, Timestamp::from_micros(row.get("created_at")?)) {
            found = Some(ImportId(row.get("id")?));
            break;
        }
    }
    let Some(id) = found else { return Ok(None) };
    exec(tx, "UPDATE imports SET lease_until = $1 WHERE id = $2", vec![lease_until.as_micros().into(), id.0.into()])
        .await?;
    Ok(Some(id))
}

/// Begins or takes up an import that waits or was interrupted. `None` when it is done or failed.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn start(tx: &Tx, id: ImportId, now: Timestamp, lease_until: Timestamp) -> Result<Option<Stored>> {
    let update = "UPDATE imports SET status = $1, started_at = COALESCE(started_at, $2), lease_until = $3 \
                  WHERE id = $4 AND status IN ($5, $1)";
    let values = vec![
        ImportStatus::Running.as_str().into(),
        now.as_micros().into(),
        lease_until.as_micros().into(),
        id.0.into(),
        ImportStatus::Queued.as_str().into(),
    ];
    let begun = exec(tx, update, values).await? == 1;
    let found = find(tx, id).await?.ok_or(Error::NotFound)?;
    Ok(begun.then_some(found))
}

/// Lets go of an import, so that another worker may take it up at once.
///
/// # Errors
/// What the database says.
pub async fn release(tx: &Tx, id: ImportId) -> Result<()> {
    exec(tx, "UPDATE imports SET lease_until = 0 WHERE id = $1", vec![id.0.into()]).await?;
    Ok(())
}

/// Lets go of all imports: on an embedded database, when the process starts and nobody else can be at them.
///
/// # Errors
/// What the database says.
pub async fn release_all(tx: &Tx) -> Result<()> {
    exec(tx, "UPDATE imports SET lease_until = 0 WHERE status = $1", vec![ImportStatus::Running.as_str().into()])
        .await?;
    Ok(())
}

/// Those of these people who stood in an earlier chunk of the file.
///
/// # Errors
/// What the database says.
pub async fn seen(tx: &Tx, import: ImportId, people: &[ContactId]) -> Result<HashMap<ContactId, Seen>> {
    if people.is_empty() {
        return Ok(HashMap::new());
    }
    let query = format!(
        "SELECT i.contact_id, CAST(i.flags AS bigint) AS flags, i.profile_before FROM {} CROSS JOIN import_contacts i \
         WHERE i.import_id = $2 AND i.contact_id = b.contact_id",
        batch::table(Kind::of(tx), "b", "$1", &[("contact_id", Type::BigInt)])
    );
    let rows = all(tx, query, vec![ids_json(people)?.into(), import.0.into()]).await?;
    rows.iter()
        .map(|row| {
            let seen = Seen::from_flags(row.get("flags")?, row.get("profile_before")?);
            Ok((ContactId(row.get("contact_id")?), seen))
        })
        .collect()
}

/// Remembers people as standing in the file.
///
/// # Errors
/// What the database says.
pub async fn join(tx: &Tx, import: ImportId, people: &[Member]) -> Result<()> {
    #[derive(Serialize)]
    struct Line {
        contact_id: i64,
        flags: i64,
        profile_before: Option<i64>,
    }
    if people.is_empty() {
        return Ok(());
    }
    let rows: Vec<Line> = people
        .iter()
        .map(|Member { id, seen }| Line { contact_id: id.0, flags: seen.flags(), profile_before: seen.profile_before })
        .collect();
    let columns = [("contact_id", Type::BigInt), ("flags", Type::SmallInt), ("profile_before", Type::BigInt)];
    let statement = format!(
        "INSERT INTO import_contacts (import_id, contact_id, flags, profile_before) \
         SELECT $2, contact_id, flags, profile_before FROM {} WHERE TRUE \
         ON CONFLICT (import_id, contact_id) DO UPDATE SET flags = excluded.flags",
        batch::table(Kind::of(tx), "b", "$1", &columns)
    );
    exec(tx, statement, vec![to_json(&rows)?.into(), import.0.into()]).await?;
    Ok(())
}

/// Moves an import on by one chunk, in the transaction that stored the chunk's people: what was counted was stored, and
/// the next chunk begins where this one ended, whatever happens in between.
///
/// # Errors
/// [`Error::Stale`] when the import does not stand where the chunk begins: another worker was faster.
pub async fn commit_chunk(tx: &Tx, id: ImportId, chunk: &Chunk, lease_until: Timestamp) -> Result<()> {
    let lock = Kind::of(tx).for_update();
    let query = format!("SELECT rejected, by_reason, warnings FROM imports WHERE id = $1{lock}");
    let row = one(tx, query, vec![id.0.into()]).await?.ok_or(Error::NotFound)?;
    let room = usize::try_from((rejects::REJECTS_KEPT - row.get::<i64>("rejected")?).max(0)).unwrap_or(0);
    rejects::insert(tx, id, &chunk.rejects[..chunk.rejects.len().min(room)]).await?;
    let counters = &chunk.counters;
    let by_reason = added(row.json("by_reason")?, &counters.by_reason);
    let warnings = added(row.json("warnings")?, &counters.warnings);
    let update = "UPDATE imports SET rows_read = rows_read + $1, created = created + $2, updated = updated + $3, \
                  unchanged = unchanged + $4, duplicates = duplicates + $5, rejected = rejected + $6, \
                  suppressed = suppressed + $7, by_reason = $8, warnings = $9, bytes_done = $10, lines_done = $11, \
                  lease_until = $12 WHERE id = $13 AND bytes_done = $14 AND status = $15";
    let values = vec![
        counters.rows.into(),
        counters.created.into(),
        counters.updated.into(),
        counters.unchanged.into(),
        counters.duplicates.into(),
        counters.rejected.into(),
        counters.suppressed.into(),
        to_json(&by_reason)?.into(),
        to_json(&warnings)?.into(),
        chunk.to.into(),
        chunk.line.into(),
        lease_until.as_micros().into(),
        id.0.into(),
        chunk.from.into(),
        ImportStatus::Running.as_str().into(),
    ];
    if exec(tx, update, values).await? == 1 { Ok(()) } else { Err(Error::Stale) }
}

fn added(mut sum: BTreeMap<String, i64>, more: &BTreeMap<String, i64>) -> BTreeMap<String, i64> {
    for (key, count) in more {
        *sum.entry(key.clone()).or_insert(0) += count;
    }
    sum
}

/// The import has read its file to the end.
///
/// # Errors
/// [`Error::Stale`] when it was not running.
pub async fn finish(tx: &Tx, id: ImportId, at: Timestamp) -> Result<()> {
    end(tx, id, ImportStatus::Done, None, at).await
}

/// The import cannot go on; what it has stored stays.
///
/// # Errors
/// [`Error::Stale`] when it was not running.
pub async fn fail(tx: &Tx, id: ImportId, error: &str, at: Timestamp) -> Result<()> {
    end(tx, id, ImportStatus::Failed, Some(error), at).await
}

async fn end(tx: &Tx, id: ImportId, status: ImportStatus, error: Option<&str>, at: Timestamp) -> Result<()> {
    let update = "UPDATE imports SET status = $1, error = $2, finished_at = $3, lease_until = 0, \
                  bytes_done = CASE WHEN $1 = $6 THEN bytes_total ELSE bytes_done END WHERE id = $4 AND status = $5";
    let values = vec![
        status.as_str().into(),
        error.map(str::to_owned).into(),
        at.as_micros().into(),
        id.0.into(),
        ImportStatus::Running.as_str().into(),
        ImportStatus::Done.as_str().into(),
    ];
    if exec(tx, update, values).await? == 1 { Ok(()) } else { Err(Error::Stale) }
}
