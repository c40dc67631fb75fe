//! What forecasts are reckoned from: what of a run is due when and for whose clock, what went out when, and what was expected
//! of it when it began.

use domain::{
    ids::RunId,
    phone::Phone,
    run::{CurvePoint, Expectation, Rules},
    time::Timestamp,
};

use crate::{ConnectionTrait, Error, Result, Row, all, exec, one, readable::each_readable};

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

/// What is queued of a run, by when it is due; what is late is due now. One row for each group, however many messages.
///
/// # Errors
/// What the database says.
pub async fn due(db: &impl ConnectionTrait, run: RunId, now: Timestamp, by_clock: bool) -> Result<Vec<DueGroup>> {
    let at = format!("CASE WHEN m.not_before <= $2 THEN $2 ELSE CAST(m.not_before / {SLOT} AS bigint) * {SLOT} END");
    let query = if by_clock {
        format!(
            "SELECT g.at, g.timezone, g.prefix, min(g.phone) AS phone, min(g.country) AS country, \
             CAST(count(*) AS bigint) AS n FROM (SELECT {at} AS at, c.timezone, c.phone, c.country, \
             substr(c.phone, 1, {PREFIX}) AS prefix FROM messages m JOIN contacts c ON c.contact_id = m.contact_id \
             WHERE m.run_id = $1 AND m.open = 0) AS g GROUP BY g.at, g.timezone, g.prefix"
        )
    } else {
        format!(
            "SELECT g.at, CAST(count(*) AS bigint) AS n FROM (SELECT {at} AS at FROM messages m \
             WHERE m.run_id = $1 AND m.open = 0) AS g GROUP BY g.at"
        )
    };
    let someone = |row: &Row| -> Result<Someone> {
        let phone: String = row.get("phone")?;
        Ok(Someone {
            phone: phone.parse().map_err(|error: domain::phone::NotE164| Error::Corrupt {
                column: "phone",
                problem: error.to_string(),
            })?,
            country: row.get("country")?,
            timezone: row.get("timezone")?,
        })
    };
    let rows = all(db, query, vec![run.0.into(), now.as_micros().into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(DueGroup {
                at: Timestamp::from_micros(row.get("at")?),
                count: row.get("n")?,
                someone: by_clock.then(|| someone(row)).transpose()?,
            })
        })
        .collect()
}

/// How many messages of a run had been handed over by when, counted by `slot` microseconds of their last claims.
///
/// # Errors
/// What the database says.
pub async fn handed_over(db: &impl ConnectionTrait, run: RunId, slot: i64) -> Result<Vec<CurvePoint>> {
    // Handed over is what the provider has or had: neither queued, claimed, in doubt, skipped nor cancelled.
    let states = [domain::message::State::Queued, domain::message::State::Sending, domain::message::State::Unknown]
        .into_iter()
        .chain([domain::message::State::Skipped, domain::message::State::Cancelled])
        .map(|state| state.rank().to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let query = format!(
        "SELECT g.at, CAST(count(*) AS bigint) AS n FROM (SELECT CAST(m.claimed_at / $2 AS bigint) * $2 AS at \
         FROM messages m WHERE m.run_id = $1 AND m.claimed_at IS NOT NULL AND m.state NOT IN ({states})) AS g \
         GROUP BY g.at ORDER BY g.at"
    );
    let slot = slot.max(1);
    let mut sent = 0;
    let rows = all(db, query, vec![run.0.into(), slot.into()]).await?;
    rows.iter()
        .map(|row| {
            sent += row.get::<i64>("n")?;
            // By the end of the slot.
            Ok(CurvePoint { at: Timestamp::from_micros(row.get("at")?).plus(slot), sent })
        })
        .collect()
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

/// Keeps what is expected of a run, once.
///
/// # Errors
/// What the database says.
pub async fn foretell(db: &impl ConnectionTrait, run: RunId, expected: &Expectation) -> Result<()> {
    let expected = serde_json::to_string(expected)
        .map_err(|error| Error::Corrupt { column: "runs.forecast", problem: error.to_string() })?;
    let update = "UPDATE runs SET forecast = $1 WHERE id = $2 AND forecast IS NULL";
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
