//! Planned messages that wait for their people's morning from the start, so that none of them is claimed only to wait.

use std::collections::HashMap;

use domain::{
    ids::{MessageId, RunId},
    phone::{NotE164, Phone},
    reason::Reason,
    run::{Quiet, Rules},
    time::Timestamp,
};

use sea_orm::Value;

use crate::{
    ConnectionTrait, Error, Kind, Result, Row, Tx, all,
    batch::{Columns, Type, column},
    exec,
    messages::{DecisionIn, write_plan_decisions},
    one,
    readable::each_readable,
};

/// A queued message, and what tells its person's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub id: MessageId,
    pub phone: Phone,
    pub country: Option<String>,
    pub timezone: Option<String>,
}

/// The queued messages of a chunk that was just planned ([`super::ChunkPlanned::people`]).
///
/// # Errors
/// What the database says.
pub async fn planned(tx: &Tx, run: RunId, (after, last): (i64, i64)) -> Result<Vec<Planned>> {
    let query = "SELECT m.id, c.phone, c.country, c.timezone FROM messages m \
                 JOIN contacts c ON c.contact_id = m.contact_id \
                 WHERE m.run_id = $1 AND m.contact_id > $2 AND m.contact_id <= $3 AND m.open = 0 ORDER BY m.id";
    all(tx, query, vec![run.0.into(), after.into(), last.into()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Planned> {
    let phone: String = row.get("phone")?;
    Ok(Planned {
        id: MessageId(row.get("id")?),
        phone: phone
            .parse()
            .map_err(|error: NotE164| Error::Corrupt { column: "phone", problem: error.to_string() })?,
        country: row.get("country")?,
        timezone: row.get("timezone")?,
    })
}

/// A planned message whose person sleeps when it is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asleep {
    pub id: MessageId,
    pub until: Timestamp,
    /// Its first decision: by the time that it is sent nothing else would tell that it had to wait. What it saw is the same
    /// for all who sleep in one place, so that it takes a short row.
    pub decision: DecisionIn,
}

/// These wait until then. Nothing is lost when somebody's clock turns out to be another one: the claim decides.
///
/// # Errors
/// What the database says.
pub(crate) async fn wait_for_morning(tx: &Tx, rows: &[Asleep]) -> Result<()> {
    let until: Vec<_> = rows.iter().map(|row| (row.id, row.until)).collect();
    wait(tx, &until, Some(Reason::QuietHours)).await
}

/// These are due then.
///
/// # Errors
/// What the database says.
pub async fn due_then(tx: &Tx, rows: &[(MessageId, Timestamp)]) -> Result<()> {
    wait(tx, rows, None).await
}

async fn wait(tx: &Tx, rows: &[(MessageId, Timestamp)], reason: Option<Reason>) -> Result<()> {
    let mut batch = Columns::new(Kind::of(tx), [column("id", Type::BigInt), column("until", Type::BigInt)]);
    rows.iter().for_each(|(id, until)| batch.push([id.0.into(), until.as_micros().into()]));
    if batch.is_empty() {
        return Ok(());
    }
    let mut values = vec![reason.map(Reason::as_str).into()];
    let update = format!(
        "UPDATE messages SET not_before = waiting.until, reason = $1 FROM {} WHERE messages.id = waiting.id",
        batch.table("waiting", &mut values)?
    );
    exec(tx, update, values).await?;
    Ok(())
}

/// A message that waits for its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub planned: Planned,
    pub until: Timestamp,
    /// It is its person's morning that it waits for.
    pub asleep: bool,
}

/// Which queued messages are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Who waits for the morning.
    Asleep,
    /// Also who is due by the plan, and was not tried yet.
    AsPlanned,
}

/// The runs under way in which everybody's own clock says when they are due, their rules, and when they are due from; as far
/// as this version can read them.
///
/// # Errors
/// What the database says.
pub async fn by_own_clocks(db: &impl ConnectionTrait) -> Result<Vec<(RunId, Rules, Timestamp)>> {
    let query = "SELECT id, rules, snapshot_at FROM runs WHERE finished_at IS NULL AND rules LIKE '%\"local_at\":\"%'";
    each_readable(&all(db, query, Vec::new()).await?, ("run", "id"), read_run)
}

/// The runs with messages that wait for their people's morning, their rules, and when they are due from; as far as this
/// version can read them.
///
/// # Errors
/// What the database says.
pub async fn asleep(db: &impl ConnectionTrait) -> Result<Vec<(RunId, Rules, Timestamp)>> {
    let query = "SELECT r.id, r.rules, r.snapshot_at FROM runs r WHERE r.finished_at IS NULL AND EXISTS \
                 (SELECT 1 FROM messages m WHERE m.run_id = r.id AND m.quiet_until IS NOT NULL)";
    each_readable(&all(db, query, Vec::new()).await?, ("run", "id"), read_run)
}

fn read_run(row: &Row) -> Result<(RunId, Rules, Timestamp)> {
    Ok((RunId(row.get("id")?), row.json("rules")?, Timestamp::from_micros(row.get("snapshot_at")?)))
}

/// The next of them after a time and a message, of a run or of single messages; of people who are still there.
///
/// # Errors
/// What the database says.
pub async fn waiting(
    tx: &Tx,
    run: Option<RunId>,
    which: Which,
    after: Option<(Timestamp, MessageId)>,
    limit: u32,
) -> Result<Vec<Waiting>> {
    let (until, id) = after.map_or((i64::MIN, 0), |(until, id)| (until.as_micros(), id.0));
    let mut values: Vec<Value> = vec![until.into(), id.into(), i64::from(limit).into()];
    let of = match run {
        Some(run) => {
            values.push(run.0.into());
            "m.run_id = $4"
        }
        None => "m.run_id IS NULL",
    };
    // Each in the order of the index that leads to them.
    let (until, which) = match which {
        Which::Asleep => ("m.quiet_until", "m.quiet_until IS NOT NULL"),
        Which::AsPlanned => ("m.not_before", "m.open = 0 AND (m.reason IS NULL OR m.quiet_until IS NOT NULL)"),
    };
    let query = format!(
        "SELECT m.id, {until} AS until, m.quiet_until IS NOT NULL AS asleep, c.phone, c.country, c.timezone \
         FROM messages m JOIN contacts c ON c.contact_id = m.contact_id \
         WHERE {of} AND {which} AND ({until}, m.id) > ($1, $2) ORDER BY {until}, m.id LIMIT $3"
    );
    let rows = all(tx, query, values).await?;
    let read = |row: &Row| {
        Ok(Waiting {
            planned: read(row)?,
            until: Timestamp::from_micros(row.get("until")?),
            asleep: row.get("asleep")?,
        })
    };
    rows.iter().map(read).collect()
}

/// What becomes of a message that waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Woken {
    /// Its person's morning is then.
    Asleep(Timestamp),
    /// Nobody sleeps: it is due from then on.
    Due(Timestamp),
}

/// A message that waited, and what is found of it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub id: MessageId,
    pub woken: Woken,
    /// Why, where quiet hours are the reason, or were.
    pub decision: Option<DecisionIn>,
}

/// These wait until another time, or are due, as is found now, each with the decision that says so; whoever was tried
/// meanwhile is left alone.
///
/// # Errors
/// What the database says.
pub async fn wait_until(tx: &Tx, now: Timestamp, rows: &[Change]) -> Result<()> {
    let columns = [column("message", Type::BigInt), column("until", Type::BigInt), column("asleep", Type::Bool)];
    let mut batch = Columns::new(Kind::of(tx), columns);
    for row in rows {
        let (until, asleep) = match row.woken {
            Woken::Asleep(until) => (until, true),
            Woken::Due(at) => (at, false),
        };
        batch.push([row.id.0.into(), until.as_micros().into(), asleep.into()]);
    }
    if batch.is_empty() {
        return Ok(());
    }
    let mut values = vec![now.as_micros().into()];
    let update = format!(
        "UPDATE messages SET not_before = w.until, updated_at = $1, reason = CASE WHEN w.asleep THEN '{}' END \
         FROM {} WHERE messages.id = w.message AND messages.open = 0 \
         AND (messages.reason IS NULL OR messages.quiet_until IS NOT NULL) RETURNING id, month",
        Reason::QuietHours.as_str(),
        batch.table("w", &mut values)?
    );
    let mut months: HashMap<MessageId, i32> = HashMap::new();
    for row in all(tx, update, values).await? {
        months.insert(MessageId(row.get("id")?), row.get("month")?);
    }
    let decided = rows.iter().filter_map(|row| Some((row.id, *months.get(&row.id)?, row.decision.as_ref()?)));
    write_plan_decisions(tx, decided).await
}

/// How many of a run's messages wait for their people's morning, and until when. Whether they have to is the run's rules'
/// to say.
///
/// # Errors
/// What the database says.
pub(super) async fn quiet(db: &impl ConnectionTrait, run: RunId) -> Result<Quiet> {
    let query = "SELECT CAST(count(*) AS bigint) AS n, min(quiet_until) AS first, max(quiet_until) AS last \
                 FROM messages WHERE run_id = $1 AND quiet_until IS NOT NULL";
    let Some(row) = one(db, query, vec![run.0.into()]).await? else { return Ok(Quiet::default()) };
    let time = |column| row.get::<Option<i64>>(column).map(|at| at.map(Timestamp::from_micros));
    Ok(Quiet { messages: row.get("n")?, from: time("first")?, until: time("last")?, overridden: false })
}
