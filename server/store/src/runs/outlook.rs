//! What forecasts are reckoned from: what of a run is due when and for whose clock, and what was expected of it when it began.

use std::collections::BTreeMap;

use domain::{
    ids::{MessageId, RunId},
    phone::Phone,
    run::{Expectation, Rules},
    time::Timestamp,
};

use serde::Serialize;

use crate::{
    ConnectionTrait, Error, Kind, Result, Row, all,
    batch::{Type, table, to_json},
    exec, one,
    readable::each_readable,
};

/// Messages that are due later are put together by so much: hours of quiet begin and end at these.
pub const SLOT: i64 = 15 * Timestamp::MINUTE;

/// So many digits of a number, with its plus sign, tell the country and the part of it that a clock depends on.
const PREFIX: usize = 5;

/// Queued messages that are due together, for people whose clocks are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueGroup {
    pub at: Timestamp,
    pub count: i64,
    /// One of them; none when nobody's clock was asked for.
    pub someone: Option<Someone>,
}

/// Stands for all whose numbers begin like this.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Someone {
    pub phone: Phone,
    pub country: Option<String>,
    pub timezone: Option<String>,
}

impl Someone {
    /// What their clock depends on: two for whom it is the same need not be told apart.
    #[must_use]
    pub fn clock(&self) -> (Option<&str>, &str) {
        let phone = self.phone.as_str();
        (self.timezone.as_deref(), phone.get(..PREFIX).unwrap_or(phone))
    }
}

/// What is queued of some messages of a run that follow each other, and behind which of them the next ones come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DuePart {
    /// One for each time and clock.
    pub groups: Vec<DueGroup>,
    /// None when these were the last.
    pub next: Option<(Timestamp, MessageId)>,
}

/// What is queued of a run among the `limit` messages behind `after`, in the order in which they are due; what is late is due
/// now. Takes as long for the last ones of a million as for the first.
///
/// # Errors
/// What the database says.
pub async fn due_part(
    db: &impl ConnectionTrait,
    run: RunId,
    (now, by_clock): (Timestamp, bool),
    after: Option<(Timestamp, MessageId)>,
    limit: usize,
) -> Result<DuePart> {
    let (after_at, after_id) = after.map_or((i64::MIN, i64::MIN), |(at, id)| (at.as_micros(), id.0));
    let these = |behind: &str| {
        format!(
            "SELECT m.not_before, m.id, m.contact_id FROM messages m WHERE m.run_id = $1 AND m.open = 0 AND {behind}"
        )
    };
    // Nearly all are due at once. SQLite looks no further than the first column of a comparison of rows, so it gets the two
    // halves of it; of those PostgreSQL would read the whole table.
    let query = match Kind::of(db) {
        Kind::Postgres => these("(m.not_before, m.id) > ($2, $3)"),
        Kind::Sqlite => {
            format!("{} UNION ALL {}", these("m.not_before = $2 AND m.id > $3"), these("m.not_before > $2"))
        }
    };
    let query = format!("{query} ORDER BY 1, 2 LIMIT {limit}");
    let rows = all(db, query, vec![run.0.into(), after_at.into(), after_id.into()]).await?;
    let mut due = Vec::with_capacity(rows.len());
    let mut next = None;
    for row in &rows {
        let not_before = Timestamp::from_micros(row.get("not_before")?);
        next = Some((not_before, MessageId(row.get("id")?)));
        let at = if not_before <= now { now } else { slot(not_before) };
        due.push(Due { at: at.as_micros(), contact_id: row.get("contact_id")? });
    }
    next = next.filter(|_| rows.len() == limit);
    let groups = if by_clock { by_clocks(db, &due).await? } else { by_time(&due) };
    Ok(DuePart { groups, next })
}

const fn slot(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros().div_euclid(SLOT) * SLOT)
}

/// When somebody's message is due.
#[derive(Serialize)]
struct Due {
    at: i64,
    contact_id: i64,
}

fn by_time(due: &[Due]) -> Vec<DueGroup> {
    let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
    due.iter().for_each(|due| *counts.entry(due.at).or_default() += 1);
    let group = |(at, count)| DueGroup { at: Timestamp::from_micros(at), count, someone: None };
    counts.into_iter().map(group).collect()
}

async fn by_clocks(db: &impl ConnectionTrait, due: &[Due]) -> Result<Vec<DueGroup>> {
    // As a JSON text PostgreSQL takes them for few, and looks each of them up instead of reading all contacts.
    let query = format!(
        "SELECT g.at, g.timezone, g.prefix, min(g.phone) AS phone, min(g.country) AS country, \
         CAST(count(*) AS bigint) AS n FROM (SELECT b.at, c.timezone, c.phone, c.country, \
         substr(c.phone, 1, {PREFIX}) AS prefix FROM {} JOIN contacts c ON c.contact_id = b.contact_id) AS g \
         GROUP BY g.at, g.timezone, g.prefix",
        table(Kind::of(db), "b", "$1", &[("at", Type::BigInt), ("contact_id", Type::BigInt)])
    );
    let group = |row: &Row| -> Result<DueGroup> {
        let phone: String = row.get("phone")?;
        let phone = phone
            .parse()
            .map_err(|error: domain::phone::NotE164| Error::Corrupt { column: "phone", problem: error.to_string() })?;
        Ok(DueGroup {
            at: Timestamp::from_micros(row.get("at")?),
            count: row.get("n")?,
            someone: Some(Someone { phone, country: row.get("country")?, timezone: row.get("timezone")? }),
        })
    };
    all(db, query, vec![to_json(&due)?.into()]).await?.iter().map(group).collect()
}

/// The running runs of which nothing was foretold yet. Of those that wait for events nothing can be, nor of one that this
/// version cannot read.
///
/// # Errors
/// What the database says.
pub async fn not_foretold(db: &impl ConnectionTrait) -> Result<Vec<RunId>> {
    let query = "SELECT id, rules FROM runs WHERE finished_at IS NULL AND status = 'running' AND planned AND forecast IS NULL \
                 AND event_name IS NULL";
    let read = |row: &Row| {
        row.json::<Rules>("rules")?;
        Ok(RunId(row.get("id")?))
    };
    each_readable(&all(db, query, Vec::new()).await?, ("run", "id"), read)
}

/// Keeps what is expected of a run, once, unless it is over.
///
/// # Errors
/// What the database says.
pub async fn foretell(db: &impl ConnectionTrait, run: RunId, expected: &Expectation) -> Result<()> {
    let expected = serde_json::to_string(expected)
        .map_err(|error| Error::Corrupt { column: "runs.forecast", problem: error.to_string() })?;
    let update = "UPDATE runs SET forecast = $1 WHERE id = $2 AND forecast IS NULL AND finished_at IS NULL";
    exec(db, update, vec![expected.into(), run.0.into()]).await?;
    Ok(())
}

/// What was expected of a run when it began.
///
/// # Errors
/// What the database says.
pub async fn foretold(db: &impl ConnectionTrait, run: RunId) -> Result<Option<Expectation>> {
    let row = one(db, "SELECT forecast FROM runs WHERE id = $1", vec![run.0.into()]).await?;
    row.ok_or(Error::NotFound)?.json_or_null("forecast")
}
