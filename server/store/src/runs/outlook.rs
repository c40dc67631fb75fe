//! What forecasts are reckoned from: what of a run is due when and for whose clock, and what was expected of it when it began.

use domain::{
    ids::{MessageId, RunId},
    phone::Phone,
    run::{Expectation, Rules},
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

impl Someone {
    /// What their clock depends on: two for whom it is the same need not be told apart.
    #[must_use]
    pub fn clock(&self) -> (Option<&str>, &str) {
        let phone = self.phone.as_str();
        (self.timezone.as_deref(), phone.get(..PREFIX).unwrap_or(phone))
    }
}

/// What is queued of some messages of a run that follow each other, and where the next ones begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DuePart {
    pub groups: Vec<DueGroup>,
    /// None behind the last.
    pub next: Option<(Timestamp, MessageId)>,
}

/// What is queued of a run among the `limit` messages behind `after`, in the order in which they are due; what is late is due
/// now. One row for each group.
///
/// # Errors
/// What the database says.
pub async fn due_part(
    db: &impl ConnectionTrait,
    run: RunId,
    (now, by_clock): (Timestamp, bool),
    after: Option<(Timestamp, MessageId)>,
    limit: u32,
) -> Result<DuePart> {
    let (after_at, after_id) = after.map_or((i64::MIN, i64::MIN), |(at, id)| (at.as_micros(), id.0));
    let end = "SELECT m.not_before, m.id FROM messages m WHERE m.run_id = $1 AND m.open = 0 \
               AND (m.not_before, m.id) > ($2, $3) ORDER BY m.not_before, m.id LIMIT 1 OFFSET $4";
    let values = vec![run.0.into(), after_at.into(), after_id.into(), i64::from(limit.max(1) - 1).into()];
    let next = match one(db, end, values).await? {
        Some(row) => Some((Timestamp::from_micros(row.get("not_before")?), MessageId(row.get("id")?))),
        None => None,
    };
    let (to_at, to_id) = next.map_or((i64::MAX, i64::MAX), |(at, id)| (at.as_micros(), id.0));
    let at = format!("CASE WHEN m.not_before <= $2 THEN $2 ELSE CAST(m.not_before / {SLOT} AS bigint) * {SLOT} END");
    let these = "m.run_id = $1 AND m.open = 0 AND (m.not_before, m.id) > ($3, $4) AND (m.not_before, m.id) <= ($5, $6)";
    let query = if by_clock {
        format!(
            "SELECT g.at, g.timezone, g.prefix, min(g.phone) AS phone, min(g.country) AS country, \
             CAST(count(*) AS bigint) AS n FROM (SELECT {at} AS at, c.timezone, c.phone, c.country, \
             substr(c.phone, 1, {PREFIX}) AS prefix FROM messages m JOIN contacts c ON c.contact_id = m.contact_id \
             WHERE {these}) AS g GROUP BY g.at, g.timezone, g.prefix"
        )
    } else {
        format!(
            "SELECT g.at, CAST(count(*) AS bigint) AS n FROM (SELECT {at} AS at FROM messages m WHERE {these}) AS g \
             GROUP BY g.at"
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
    let bounds = [after_at, after_id, to_at, to_id].map(sea_orm::Value::from);
    let values = [run.0.into(), now.as_micros().into()].into_iter().chain(bounds).collect();
    let group = |row: &Row| -> Result<DueGroup> {
        Ok(DueGroup {
            at: Timestamp::from_micros(row.get("at")?),
            count: row.get("n")?,
            someone: by_clock.then(|| someone(row)).transpose()?,
        })
    };
    let groups = all(db, query, values).await?.iter().map(group).collect::<Result<_>>()?;
    Ok(DuePart { groups, next })
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
