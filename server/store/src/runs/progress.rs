//! How many messages of a run had been handed over by when: points that are noted while it goes on, so that nobody who asks
//! counts its messages.

use domain::{
    ids::RunId,
    run::{CurvePoint, Ledger},
    time::Timestamp,
};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    ConnectionTrait, Kind, Result, Row, Tx, all,
    batch::{Type, table, to_json},
    exec, ledger,
};

/// A run that has begun, and when its progress was last noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    pub run: RunId,
    pub started_at: Timestamp,
    pub last: Option<Timestamp>,
    pub ledger: Ledger,
}

#[derive(Serialize)]
struct Wanted {
    id: Uuid,
}

/// When the progress of these runs was last noted; what was noted by a clock that was ahead does not count.
///
/// # Errors
/// What the database says.
pub async fn noted(db: &impl ConnectionTrait, runs: &[RunId], now: Timestamp) -> Result<Vec<Noted>> {
    let query = format!(
        "SELECT r.id, r.started_at, {}, \
         (SELECT max(p.at) FROM run_progress p WHERE p.run_id = r.id AND p.at <= $2) AS last \
         FROM {} JOIN runs r ON r.id = b.id JOIN run_ledgers l ON l.run_id = r.id WHERE r.started_at IS NOT NULL",
        ledger::COLUMNS,
        table(Kind::of(db), "b", "$1", &[("id", Type::Uuid)])
    );
    let wanted: Vec<_> = runs.iter().map(|run| Wanted { id: run.0 }).collect();
    let rows = all(db, query, vec![to_json(&wanted)?.into(), now.as_micros().into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Noted {
                run: RunId(row.get("id")?),
                started_at: Timestamp::from_micros(row.get("started_at")?),
                last: row.get::<Option<i64>>("last")?.map(Timestamp::from_micros),
                ledger: ledger::read(row)?,
            })
        })
        .collect()
}

#[derive(Serialize)]
struct Point {
    run_id: Uuid,
    sent: i64,
}

/// Notes how many messages of each run are handed over by now.
///
/// # Errors
/// What the database says.
pub async fn note(tx: &Tx, now: Timestamp, sent: &[(RunId, i64)]) -> Result<()> {
    let insert = format!(
        "INSERT INTO run_progress (run_id, at, sent) SELECT b.run_id, CAST($2 AS bigint), b.sent FROM {} \
         WHERE TRUE ON CONFLICT (run_id, at) DO NOTHING",
        table(Kind::of(tx), "b", "$1", &[("run_id", Type::Uuid), ("sent", Type::BigInt)])
    );
    let points: Vec<_> = sent.iter().map(|(run, sent)| Point { run_id: run.0, sent: *sent }).collect();
    exec(tx, insert, vec![to_json(&points)?.into(), now.as_micros().into()]).await?;
    Ok(())
}

/// How far a run had come by when, the first first.
///
/// # Errors
/// What the database says.
pub async fn progress(db: &impl ConnectionTrait, run: RunId) -> Result<Vec<CurvePoint>> {
    let query = "SELECT at, sent FROM run_progress WHERE run_id = $1 ORDER BY at";
    let point =
        |row: &Row| Ok(CurvePoint { at: Timestamp::from_micros(row.get("at")?), sent: row.get("sent")? });
    all(db, query, vec![run.0.into()]).await?.iter().map(point).collect()
}
