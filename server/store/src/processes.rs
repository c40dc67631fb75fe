//! The programs that serve the database, as they last said of themselves.

use domain::{
    ids::ProcessId,
    process::{ALIVE_FOR, Process, ProcessState},
    time::Timestamp,
};

use crate::{ConnectionTrait, Error, Result, Row, all, exec, one};

/// More than anybody runs; one that is started again and again leaves a row each time.
const MOST: u32 = 1_000;

const COLUMNS: &str = "id, host, pid, version, role, started_at, seen_at, stopped_at, figures";

/// Writes what a process says of itself, in place of what it said before. One small statement: every process does this
/// every few seconds.
///
/// # Errors
/// What the database says.
pub async fn save(db: &impl ConnectionTrait, process: &Process) -> Result<()> {
    let figures = serde_json::to_string(&process.figures)
        .map_err(|error| Error::Corrupt { column: "processes.figures", problem: error.to_string() })?;
    let upsert = format!(
        "INSERT INTO processes ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET \
         started_at = excluded.started_at, seen_at = excluded.seen_at, stopped_at = excluded.stopped_at, \
         figures = excluded.figures"
    );
    let values = vec![
        process.id.0.into(),
        process.host.clone().into(),
        process.pid.into(),
        process.version.clone().into(),
        process.role.as_str().into(),
        process.started_at.as_micros().into(),
        process.seen_at.as_micros().into(),
        process.stopped_at.map(Timestamp::as_micros).into(),
        figures.into(),
    ];
    exec(db, upsert, values).await?;
    Ok(())
}

/// All that were seen lately, the last seen first.
///
/// # Errors
/// What the database says.
pub async fn list(db: &impl ConnectionTrait, now: Timestamp) -> Result<Vec<Process>> {
    let query = format!("SELECT {COLUMNS} FROM processes ORDER BY seen_at DESC, id LIMIT {MOST}");
    all(db, query, Vec::new()).await?.iter().map(|row| read(row, now)).collect()
}

/// Those that are alive, the last seen first.
///
/// # Errors
/// What the database says.
pub async fn alive(db: &impl ConnectionTrait, now: Timestamp) -> Result<Vec<Process>> {
    let query = format!(
        "SELECT {COLUMNS} FROM processes WHERE stopped_at IS NULL AND seen_at >= $1 ORDER BY seen_at DESC, id LIMIT {MOST}"
    );
    all(db, query, vec![now.plus(-ALIVE_FOR).as_micros().into()]).await?.iter().map(|row| read(row, now)).collect()
}

/// What time it is by the database's clock. PostgreSQL only: SQLite has none of its own.
///
/// # Errors
/// What the database says.
pub async fn database_time(db: &impl ConnectionTrait) -> Result<Timestamp> {
    let query = "SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000000) AS bigint) AS micros";
    let row = one(db, query, Vec::new()).await?.ok_or(Error::NotFound)?;
    Ok(Timestamp::from_micros(row.get("micros")?))
}

fn read(row: &Row, now: Timestamp) -> Result<Process> {
    let seen_at = Timestamp::from_micros(row.get("seen_at")?);
    let stopped_at = row.get::<Option<i64>>("stopped_at")?.map(Timestamp::from_micros);
    Ok(Process {
        id: ProcessId(row.get("id")?),
        role: row.word("role")?,
        state: ProcessState::at(now, seen_at, stopped_at),
        host: row.get("host")?,
        pid: row.get("pid")?,
        version: row.get("version")?,
        started_at: Timestamp::from_micros(row.get("started_at")?),
        seen_at,
        stopped_at,
        figures: row.json("figures")?,
    })
}

/// Forgets those that were not seen since `before`.
///
/// # Errors
/// What the database says.
pub async fn purge(db: &impl ConnectionTrait, before: Timestamp) -> Result<u64> {
    exec(db, "DELETE FROM processes WHERE seen_at < $1", vec![before.as_micros().into()]).await
}
