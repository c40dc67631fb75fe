//! The provider's error codes: what admins changed of them, and which of them came.

use std::collections::BTreeMap;

use domain::{
    error_codes::{Change, Heard},
    time::Timestamp,
};
use serde::Serialize;

use crate::{
    ConnectionTrait, Error, Kind, Result, Row, Tx, all,
    batch::{Type, table, to_json},
    exec,
};

/// What was changed of a code, and how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredChange {
    pub change: Change,
    /// 0: never.
    pub version: i64,
}

#[derive(Serialize)]
struct HeardRow<'a> {
    code: i32,
    times: i64,
    first_at: i64,
    last_at: i64,
    said: Option<&'a str>,
}

fn read_change(row: &Row) -> Result<(i32, StoredChange)> {
    let change = Change { class: row.word_or_null("class")?, meaning: row.get("meaning")?, remedy: row.get("remedy")? };
    Ok((row.get("code")?, StoredChange { change, version: row.get("version")? }))
}

/// Everything that was changed. It is little: an admin wrote each of them.
///
/// # Errors
/// What the database says.
pub async fn changes(db: &impl ConnectionTrait) -> Result<BTreeMap<i32, StoredChange>> {
    let query = "SELECT code, class, meaning, remedy, version FROM error_codes ORDER BY code";
    all(db, query, Vec::new()).await?.iter().map(read_change).collect()
}

/// Stores what is changed of a code now, in place of the change at `version` (0: there was none).
///
/// # Errors
/// `Stale` when another one was stored meanwhile.
pub async fn save(tx: &Tx, code: i32, change: &Change, version: i64, at: Timestamp) -> Result<()> {
    // The condition holds on the row as it is when its lock is granted: of two writers one comes too late.
    let upsert = "INSERT INTO error_codes (code, class, meaning, remedy, updated_at, version) \
                  VALUES ($1, $2, $3, $4, $5, $6 + 1) ON CONFLICT (code) DO UPDATE SET class = EXCLUDED.class, \
                  meaning = EXCLUDED.meaning, remedy = EXCLUDED.remedy, updated_at = EXCLUDED.updated_at, \
                  version = EXCLUDED.version WHERE error_codes.version = EXCLUDED.version - 1";
    let values = vec![
        code.into(),
        change.class.map(|class| class.as_str().to_owned()).into(),
        change.meaning.clone().into(),
        change.remedy.clone().into(),
        at.as_micros().into(),
        version.into(),
    ];
    if exec(tx, upsert, values).await? == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Which codes the provider gave. There are as many as it has codes, a few hundred at most.
///
/// # Errors
/// What the database says.
pub async fn heard(db: &impl ConnectionTrait) -> Result<BTreeMap<i32, Heard>> {
    let query = "SELECT code, times, first_at, last_at, said FROM error_codes_heard ORDER BY code";
    let read = |row: &Row| {
        let heard = Heard {
            times: row.get("times")?,
            first_at: Timestamp::from_micros(row.get("first_at")?),
            last_at: Timestamp::from_micros(row.get("last_at")?),
            said: row.get("said")?,
        };
        Ok((row.get("code")?, heard))
    };
    all(db, query, Vec::new()).await?.iter().map(read).collect()
}

/// Adds what one process heard since it last said so. The provider's words come without personal data.
///
/// # Errors
/// What the database says.
pub async fn add_heard(db: &impl ConnectionTrait, kind: Kind, heard: &BTreeMap<i32, Heard>) -> Result<()> {
    let columns = [
        ("code", Type::Int),
        ("times", Type::BigInt),
        ("first_at", Type::BigInt),
        ("last_at", Type::BigInt),
        ("said", Type::Text),
    ];
    let rows: Vec<_> = heard
        .iter()
        .map(|(code, heard)| HeardRow {
            code: *code,
            times: heard.times,
            first_at: heard.first_at.as_micros(),
            last_at: heard.last_at.as_micros(),
            said: heard.said.as_deref(),
        })
        .collect();
    let upsert = format!(
        "INSERT INTO error_codes_heard (code, times, first_at, last_at, said) \
         SELECT b.code, b.times, b.first_at, b.last_at, b.said FROM {} WHERE TRUE ORDER BY b.code \
         ON CONFLICT (code) DO UPDATE SET times = error_codes_heard.times + excluded.times, \
         last_at = CASE WHEN excluded.last_at > error_codes_heard.last_at THEN excluded.last_at \
         ELSE error_codes_heard.last_at END, said = COALESCE(excluded.said, error_codes_heard.said)",
        table(kind, "b", "$1", &columns)
    );
    exec(db, upsert, vec![to_json(&rows)?.into()]).await?;
    Ok(())
}
