use domain::{
    ids::ImportId,
    import::{ImportReject, RejectReason},
    time::Timestamp,
};
use serde::Serialize;

use crate::{
    ConnectionTrait, Kind, Result, Tx, all,
    batch::{self, Type, to_json},
    exec,
};

/// So many rejected rows of an import are kept to look at; all are counted.
pub const REJECTS_KEPT: i64 = 100_000;

/// Rejected rows behind the line `after`, in the order of the file.
///
/// # Errors
/// What the database says.
pub async fn rejects(db: &impl ConnectionTrait, import: ImportId, after: i64, limit: u32) -> Result<Vec<ImportReject>> {
    let query = "SELECT line, reason, value, raw FROM import_rejects WHERE import_id = $1 AND line > $2 \
                 ORDER BY line LIMIT $3";
    let rows = all(db, query, vec![import.0.into(), after.into(), i64::from(limit).into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(ImportReject {
                line: row.get("line")?,
                reason: row.word("reason")?,
                value: row.get("value")?,
                raw: row.get("raw")?,
            })
        })
        .collect()
}

pub(super) async fn insert(tx: &Tx, import: ImportId, rejects: &[ImportReject]) -> Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        line: i64,
        reason: RejectReason,
        value: &'a str,
        raw: &'a str,
    }
    if rejects.is_empty() {
        return Ok(());
    }
    let rows: Vec<Line<'_>> = rejects
        .iter()
        .map(|ImportReject { line, reason, value, raw }| Line { line: *line, reason: *reason, value, raw })
        .collect();
    let columns = [("line", Type::BigInt), ("reason", Type::Text), ("value", Type::Text), ("raw", Type::Text)];
    // Two records may begin on one line of a JSON file: the first of them is shown.
    let statement = format!(
        "INSERT INTO import_rejects (import_id, line, reason, value, raw) SELECT $2, line, reason, value, raw FROM {} \
         WHERE TRUE ON CONFLICT (import_id, line) DO NOTHING",
        batch::table(Kind::of(tx), "b", "$1", &columns)
    );
    exec(tx, statement, vec![to_json(&rows)?.into(), import.0.into()]).await?;
    Ok(())
}

/// A rejected row of any import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScannedReject {
    pub import: ImportId,
    pub line: i64,
    pub value: String,
    pub raw: String,
}

/// Rejected rows of all imports in the order of their keys, behind `after`.
///
/// # Errors
/// What the database says.
pub async fn scan(db: &impl ConnectionTrait, after: Option<(ImportId, i64)>, limit: u32) -> Result<Vec<ScannedReject>> {
    let (import, line) = after.unwrap_or((ImportId(uuid::Uuid::nil()), 0));
    let query = "SELECT import_id, line, value, raw FROM import_rejects WHERE (import_id, line) > ($1, $2) \
                 ORDER BY import_id, line LIMIT $3";
    let rows = all(db, query, vec![import.0.into(), line.into(), i64::from(limit).into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(ScannedReject {
                import: ImportId(row.get("import_id")?),
                line: row.get("line")?,
                value: row.get("value")?,
                raw: row.get("raw")?,
            })
        })
        .collect()
}

/// Empties rejected rows that tell of somebody who was erased; the line stays, so that the counts still fit.
///
/// # Errors
/// What the database says.
pub async fn blank(tx: &Tx, lines: &[(ImportId, i64)]) -> Result<()> {
    for (import, line) in lines {
        let update = "UPDATE import_rejects SET value = '', raw = '' WHERE import_id = $1 AND line = $2";
        exec(tx, update, vec![import.0.into(), (*line).into()]).await?;
    }
    Ok(())
}

/// Forgets up to `limit` rejected rows of imports that were over by `before`. Their counts stay. Returns how many.
///
/// # Errors
/// What the database says.
pub async fn purge_rejects(db: &impl ConnectionTrait, before: Timestamp, limit: u32) -> Result<u64> {
    // In this order: SQLite would rather read all rows and look up the import of each.
    let delete = format!(
        "DELETE FROM import_rejects WHERE (import_id, line) IN (SELECT r.import_id, r.line FROM imports i \
         CROSS JOIN import_rejects r WHERE r.import_id = i.id AND i.finished_at < $1 LIMIT {limit})"
    );
    exec(db, delete, vec![before.as_micros().into()]).await
}
