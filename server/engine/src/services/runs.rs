//! Runs: one execution of a campaign, its ledger and its messages.

use domain::{
    ids::{CampaignId, RunId},
    page::{Page, PageRequest},
    role::Permission,
    run::{Forecast, Rollup, RollupBy, Run, RunSummary},
};
use futures::{StreamExt as _, stream, stream::BoxStream};
use store::messages::ExportRow;

use crate::{
    Actor, Engine, Error, Result,
    csv_out::CsvOut,
    cursor::{Cursor, page_of, rows_to_ask_for},
    require,
    services::{campaigns::campaign_or, forecast},
};

/// Rows of one part of an export.
const EXPORT_CHUNK: u32 = 2_000;

const HEADING: [&str; 9] =
    ["message_id", "phone", "name", "state", "reason", "error_code", "provider_sid", "attempts", "updated_at"];

/// See [`Engine::runs`].
pub struct Runs<'a>(pub(super) &'a Engine);

impl Engine {
    /// Runs: one execution of a campaign, its ledger and its messages.
    #[must_use]
    pub const fn runs(&self) -> Runs<'_> {
        Runs(self)
    }
}

const NO_RUN: Error = Error::NotFound { what: "run" };

pub(super) fn run_or<T>(result: store::Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        store::Error::NotFound => NO_RUN,
        store::Error::Corrupt { column, .. } => {
            tracing::error!(field = column, "this version cannot read a run that somebody asked for");
            Error::Conflict(UNREADABLE.to_owned())
        }
        other => other.into(),
    })
}

const UNREADABLE: &str = "This version of the program cannot read this run: a newer one has written it, or it is damaged. \
                          The log names the field.";

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
            campaign_or(store::campaigns::get(db, campaign).await)?;
        }
        // After a rehearsal come all runs.
        let mut page = page_of(rows, page, |last| Cursor::new([if last.number < 0 { i32::MAX } else { last.number }]));
        for run in &mut page.items {
            run.forecast = forecast::of(self.0, run).await?;
        }
        Ok(page)
    }

    /// In short, the newest of what a campaign has launched, newest first: nobody waits for forecasts that are not shown.
    ///
    /// # Errors
    /// What the database says.
    pub async fn summaries(&self, actor: &Actor, campaign: CampaignId, limit: u32) -> Result<Vec<RunSummary>> {
        require(actor, Permission::Read)?;
        Ok(store::runs::summaries(self.0.db().reader(), campaign, limit).await?)
    }

    /// A run with its ledger, its tallies and its forecast.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` of one that this version cannot read.
    pub async fn get(&self, actor: &Actor, id: RunId) -> Result<Run> {
        require(actor, Permission::Read)?;
        let mut run = run_or(store::runs::get(self.0.db().reader(), id).await)?;
        let (ahead, (at_launch, actual)) =
            tokio::try_join!(forecast::of(self.0, &run), forecast::beside(self.0, &run))?;
        run.forecast = Forecast { at_launch, actual, ..ahead };
        Ok(run)
    }

    /// How far its messages came, by country or by hour.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn rollups(&self, actor: &Actor, id: RunId, by: RollupBy) -> Result<Vec<Rollup>> {
        require(actor, Permission::Read)?;
        let db = self.0.db().reader();
        let rollups = store::messages::rollups_of_run(db, id, by).await?;
        if rollups.is_empty() {
            run_or(store::runs::snapshot_at(db, id).await)?;
        }
        Ok(rollups)
    }

    /// Every recipient of the run as CSV, in parts.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn export_csv(&self, actor: &Actor, id: RunId) -> Result<BoxStream<'static, Result<String>>> {
        require(actor, Permission::Read)?;
        run_or(store::runs::snapshot_at(self.0.db().reader(), id).await)?;
        let heading = CsvOut::new(HEADING).finish();
        let rows = stream::try_unfold((self.0.clone(), (-1, 0)), move |(engine, after)| async move {
            let (rows, last) = store::messages::export_chunk(engine.db().reader(), id, after, EXPORT_CHUNK).await?;
            Ok(last.map(|last| (lines(&rows), (engine, last))))
        });
        Ok(stream::once(async { Ok(heading) }).chain(rows).boxed())
    }
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
