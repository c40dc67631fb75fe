//! Runs: one execution of a campaign, its ledger and its messages.

use domain::{
    ids::{CampaignId, RunId},
    page::{Page, PageRequest},
    role::Permission,
    run::{Forecast, Run, RunStatus},
    time::Timestamp,
};
use futures::{StreamExt as _, stream, stream::BoxStream};
use store::messages::ExportRow;

use crate::{
    Actor, Engine, Error, Result,
    csv_out::CsvOut,
    cursor::{Cursor, page_of, rows_to_ask_for},
    require,
    services::processes,
};

/// Rows of one part of an export.
const EXPORT_CHUNK: u32 = 2_000;

const HEADING: [&str; 9] =
    ["message_id", "phone", "name", "state", "reason", "error_code", "provider_sid", "attempts", "updated_at"];

/// See [`Engine::runs`].
pub struct Runs<'a>(&'a Engine);

impl Engine {
    /// Runs: one execution of a campaign, its ledger and its messages.
    #[must_use]
    pub const fn runs(&self) -> Runs<'_> {
        Runs(self)
    }
}

const NO_RUN: Error = Error::NotFound { what: "run" };

fn run_or<T>(result: store::Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        store::Error::NotFound => NO_RUN,
        other => other.into(),
    })
}

impl Runs<'_> {
    /// A campaign's runs, newest first.
    ///
    /// # Errors
    /// `NotFound` for a campaign that is not there, `Invalid` for a cursor or limit that cannot be used.
    pub async fn list(&self, actor: &Actor, campaign: CampaignId, page: &PageRequest) -> Result<Page<Run>> {
        require(actor, Permission::Read)?;
        let limit = rows_to_ask_for(page)?;
        let before = Cursor::read(page, |parts| match parts {
            [number] => number.parse().ok(),
            _ => None,
        })?;
        let db = self.0.db().reader();
        let rows = store::runs::list(db, campaign, before, limit).await?;
        if rows.is_empty() && before.is_none() {
            store::campaigns::get(db, campaign).await.map_err(|error| match error {
                store::Error::NotFound => Error::NotFound { what: "campaign" },
                other => other.into(),
            })?;
        }
        let mut page = page_of(rows, page, |last| Cursor::new([last.number]));
        for run in &mut page.items {
            run.forecast = self.forecast(run).await?;
        }
        Ok(page)
    }

    /// A run with its ledger, its tallies and its forecast.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, actor: &Actor, id: RunId) -> Result<Run> {
        require(actor, Permission::Read)?;
        let mut run = run_or(store::runs::get(self.0.db().reader(), id).await)?;
        run.forecast = self.forecast(&run).await?;
        Ok(run)
    }

    /// When the last message goes out, at the pace of the last seconds in all processes or else at the rate that is allowed.
    async fn forecast(&self, run: &Run) -> Result<Forecast> {
        let now = self.0.now();
        if !matches!(run.status, RunStatus::Planning | RunStatus::Running) {
            return Ok(Forecast::default());
        }
        let (sender, own) = store::runs::rates(self.0.db().reader(), run.id).await?;
        let allowed = f64::from(own.unwrap_or(i32::MAX).min(sender));
        let rate_now = processes::paces(self.0).await?.runs.get(&run.id).copied().unwrap_or(0.0);
        let waiting = run.ledger.queued + run.ledger.sending;
        let by_rate = finish_at(now, waiting, if rate_now > 0.0 { rate_now } else { allowed });
        // Not before the last of those who sleep can be messaged.
        let finish_at = by_rate.map(|at| run.quiet.until.map_or(at, |until| at.max(until)));
        Ok(Forecast { finish_at, rate_now })
    }

    /// Every recipient of the run as CSV, in parts.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn export_csv(&self, actor: &Actor, id: RunId) -> Result<BoxStream<'static, Result<String>>> {
        require(actor, Permission::Read)?;
        run_or(store::runs::get(self.0.db().reader(), id).await)?;
        let heading = CsvOut::new(HEADING).finish();
        let rows = stream::try_unfold((self.0.clone(), (-1, 0)), move |(engine, after)| async move {
            let (rows, last) = store::messages::export_chunk(engine.db().reader(), id, after, EXPORT_CHUNK).await?;
            Ok(last.map(|last| (lines(&rows), (engine, last))))
        });
        Ok(stream::once(async { Ok(heading) }).chain(rows).boxed())
    }
}

fn finish_at(now: Timestamp, waiting: i64, per_second: f64) -> Option<Timestamp> {
    if per_second <= 0.0 {
        return None;
    }
    let seconds = waiting as f64 / per_second;
    // A century is no forecast any more.
    (seconds < 3.2e9).then(|| now.plus((seconds * Timestamp::SECOND as f64) as i64))
}

fn lines(rows: &[ExportRow]) -> String {
    let mut file = CsvOut::continued();
    for row in rows {
        let text = |number: Option<i32>| number.map(|number| number.to_string()).unwrap_or_default();
        file.row([
            &*row.id.to_string(),
            row.phone.as_deref().unwrap_or_default(),
            row.name.as_deref().unwrap_or_default(),
            row.state.as_str(),
            row.reason.map_or("", domain::reason::Reason::as_str),
            &text(row.error_code),
            row.provider_sid.as_deref().unwrap_or_default(),
            &row.attempts.to_string(),
            &row.updated_at.to_string(),
        ]);
    }
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forecasts_divide_what_waits_by_the_rate() {
        let now = Timestamp::from_seconds(100);
        assert_eq!(finish_at(now, 800, 80.0), Some(Timestamp::from_seconds(110)));
        assert_eq!(finish_at(now, 0, 80.0), Some(now));
        assert_eq!(finish_at(now, 1, 0.0), None);
    }
}
