//! How many messages of a run had been handed over, or had failed, by when: noted while it goes on, so that nobody who asks
//! counts its messages.

use domain::{
    ids::RunId,
    run::{CurvePoint, Ledger},
    time::Timestamp,
};
use serde::Serialize;

use super::read::ids;
use crate::{
    ConnectionTrait, Kind, Result, Row, Tx, all,
    batch::{Type, table, to_json},
    exec, ledger,
};

/// Where a run stands that has begun and is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderWay {
    pub run: RunId,
    pub started_at: Timestamp,
    pub ledger: Ledger,
}

/// Those of these runs that are under way.
///
/// # Errors
/// What the database says.
pub async fn under_way(db: &impl ConnectionTrait, runs: &[RunId]) -> Result<Vec<UnderWay>> {
    let query = format!(
        "SELECT r.id, r.started_at, {} FROM {} JOIN runs r ON r.id = wanted.id JOIN run_ledgers l ON l.run_id = r.id \
         WHERE r.started_at IS NOT NULL AND r.finished_at IS NULL",
        ledger::COLUMNS,
        table(Kind::of(db), "wanted", "$1", &[("id", Type::Uuid)])
    );
    let read = |row: &Row| -> Result<UnderWay> {
        Ok(UnderWay {
            run: RunId(row.get("id")?),
            started_at: Timestamp::from_micros(row.get("started_at")?),
            ledger: ledger::read(row)?,
        })
    };
    let wanted = ids(runs.iter().map(ToString::to_string))?;
    all(db, query, vec![wanted.into()]).await?.iter().map(read).collect()
}

/// How many messages of a run are handed over, in the stretch of its time that has this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    #[serde(rename = "run_id")]
    pub run: RunId,
    pub stretch: i32,
    pub sent: i64,
}

/// Notes where runs stand now. Of each stretch of a run's time the last note stays: of several processes', that of the one that
/// saw most.
///
/// # Errors
/// What the database says.
pub async fn note_progress(tx: &Tx, now: Timestamp, notes: &[Progress]) -> Result<()> {
    let upsert = format!(
        "INSERT INTO run_progress (run_id, stretch, at, sent) SELECT b.run_id, b.stretch, CAST($2 AS bigint), b.sent FROM {} \
         WHERE TRUE ORDER BY b.run_id ON CONFLICT (run_id, stretch) DO UPDATE SET at = excluded.at, sent = excluded.sent \
         WHERE excluded.sent >= run_progress.sent",
        table(Kind::of(tx), "b", "$1", &[("run_id", Type::Uuid), ("stretch", Type::Int), ("sent", Type::BigInt)])
    );
    exec(tx, upsert, vec![to_json(&notes)?.into(), now.as_micros().into()]).await?;
    Ok(())
}

/// How far a run had come by when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    pub point: CurvePoint,
    /// Noted while it went on; otherwise told by what was counted in its hour.
    pub exact: bool,
}

/// What was noted of a run, the first first.
///
/// # Errors
/// What the database says.
pub async fn progress(db: &impl ConnectionTrait, run: RunId) -> Result<Vec<Noted>> {
    let query = "SELECT stretch, at, sent FROM run_progress WHERE run_id = $1 ORDER BY at";
    let noted = |row: &Row| -> Result<Noted> {
        let point = CurvePoint { at: Timestamp::from_micros(row.get("at")?), sent: row.get("sent")? };
        Ok(Noted { point, exact: row.get::<i32>("stretch")? >= 0 })
    };
    all(db, query, vec![run.0.into()]).await?.iter().map(noted).collect()
}
