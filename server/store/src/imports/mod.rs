//! Files of contacts: the imports themselves, their progress and their rejected rows.

mod progress;
mod rejects;

use std::collections::BTreeMap;

use domain::{
    actor::Actor,
    ids::ImportId,
    import::{Import, ImportOptions, ImportStatus},
    time::Timestamp,
};
pub use progress::{
    Chunk, Counters, Member, Seen, commit_chunk, fail, finish, join, release, release_all, seen, start, take,
};
pub use rejects::{REJECTS_KEPT, ScannedReject, blank, purge_rejects, rejects, scan};

use crate::{ConnectionTrait, Result, Row, all, exec, one};

/// What is stored of an import beyond what it shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub import: Import,
    /// The file that waits in the data folder.
    pub file_path: String,
    /// How the file is to be read, as JSON.
    pub options: String,
    /// The physical line that `bytes_done` stands on.
    pub lines_done: i64,
    pub actor_kind: String,
    pub actor_id: String,
}

/// An import to store.
#[derive(Clone, Debug)]
pub struct New<'a> {
    pub id: ImportId,
    pub file_name: Option<&'a str>,
    pub file_path: &'a str,
    pub format: domain::import::ImportFormat,
    /// See [`Stored::options`]: JSON with the fields of [`ImportOptions`].
    pub options: &'a str,
    pub columns: &'a [(String, String)],
    pub bytes_total: i64,
    /// Where the first record begins.
    pub bytes_done: i64,
    pub lines_done: i64,
}

const COLUMNS: &str = "id, file_name, file_path, format, options, status, rows_read, created, updated, unchanged, \
     duplicates, rejected, suppressed, by_reason, warnings, columns, error, bytes_total, bytes_done, lines_done, \
     actor_kind, actor_id, created_at, finished_at";

fn stored(row: &Row) -> Result<Stored> {
    let options: ImportOptions = row.json("options")?;
    let import = Import {
        id: ImportId(row.get("id")?),
        file_name: row.get("file_name")?,
        format: row.word("format")?,
        status: row.word("status")?,
        rows: row.get("rows_read")?,
        created: row.get("created")?,
        updated: row.get("updated")?,
        unchanged: row.get("unchanged")?,
        duplicates: row.get("duplicates")?,
        rejected: row.get("rejected")?,
        by_reason: row.json::<BTreeMap<String, i64>>("by_reason")?,
        suppressed: row.get("suppressed")?,
        warnings: row.json::<BTreeMap<String, i64>>("warnings")?,
        error: row.get("error")?,
        topics: options.topics,
        columns: row.json("columns")?,
        bytes_total: row.get("bytes_total")?,
        bytes_done: row.get("bytes_done")?,
        created_at: Timestamp::from_micros(row.get("created_at")?),
        finished_at: row.get::<Option<i64>>("finished_at")?.map(Timestamp::from_micros),
    };
    Ok(Stored {
        import,
        file_path: row.get("file_path")?,
        options: row.get("options")?,
        lines_done: row.get("lines_done")?,
        actor_kind: row.get("actor_kind")?,
        actor_id: row.get("actor_id")?,
    })
}

/// Stores an import that waits for its turn.
///
/// # Errors
/// What the database says.
pub async fn insert(db: &impl ConnectionTrait, new: &New<'_>, actor: &Actor, at: Timestamp) -> Result<()> {
    let insert = "INSERT INTO imports (id, file_name, file_path, format, options, status, columns, bytes_total, \
                  bytes_done, lines_done, actor_kind, actor_id, created_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let values = vec![
        new.id.0.into(),
        new.file_name.map(str::to_owned).into(),
        new.file_path.into(),
        new.format.as_str().into(),
        new.options.into(),
        ImportStatus::Queued.as_str().into(),
        crate::batch::to_json(&new.columns)?.into(),
        new.bytes_total.into(),
        new.bytes_done.into(),
        new.lines_done.into(),
        actor.kind.as_str().into(),
        actor.id.clone().into(),
        at.as_micros().into(),
    ];
    exec(db, insert, values).await?;
    Ok(())
}

/// One import.
///
/// # Errors
/// What the database says.
pub async fn find(db: &impl ConnectionTrait, id: ImportId) -> Result<Option<Stored>> {
    let query = format!("SELECT {COLUMNS} FROM imports WHERE id = $1");
    one(db, query, vec![id.0.into()]).await?.as_ref().map(stored).transpose()
}

/// Imports, newest first, those before `before`: time of upload and id.
///
/// # Errors
/// What the database says.
pub async fn list(db: &impl ConnectionTrait, before: Option<(Timestamp, ImportId)>, limit: u32) -> Result<Vec<Import>> {
    let (text, values) = match before {
        None => ("ORDER BY created_at DESC, id DESC LIMIT $1", vec![i64::from(limit).into()]),
        Some((at, id)) => (
            "WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3",
            vec![at.as_micros().into(), id.0.into(), i64::from(limit).into()],
        ),
    };
    let rows = all(db, format!("SELECT {COLUMNS} FROM imports {text}"), values).await?;
    rows.iter().map(|row| Ok(stored(row)?.import)).collect()
}

/// The files that are still needed: those of imports that wait or run.
///
/// # Errors
/// What the database says.
pub async fn files_in_use(db: &impl ConnectionTrait) -> Result<Vec<String>> {
    let query = "SELECT file_path FROM imports WHERE status IN ($1, $2)";
    let values = vec![ImportStatus::Queued.as_str().into(), ImportStatus::Running.as_str().into()];
    all(db, query, values).await?.iter().map(|row| row.get("file_path")).collect()
}
