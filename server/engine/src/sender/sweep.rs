//! What must not be left lying: leases that ran out, runs that are done, messages of cancelled runs.

use std::time::Duration;

use domain::{
    actor::Actor,
    ids::{CampaignId, RunId},
    time::Timestamp,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    Engine, Error, Result,
    config::LONGEST_LEASE,
    retry::{is_passing, retrying},
};

const EVERY: Duration = Duration::from_millis(300);

/// How far a lease may seem to end too late because another process's clock is ahead of ours.
const SKEW: i64 = 2 * Timestamp::MINUTE;

/// Rows of one transaction.
const CHUNK: u32 = 1_000;

pub(super) async fn run(engine: Engine, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = sweep(&engine, &stop).await {
            tracing::error!(%error, "sweeping up failed");
        }
        let (statements, transactions) = store::counts();
        metrics::counter!("db_statements_total").absolute(statements);
        metrics::counter!("db_transactions_total").absolute(transactions);
        let _ = tokio::time::timeout(EVERY, stop.cancelled()).await;
    }
}

/// One round.
///
/// # Errors
/// What the database says; the next round goes on where this one ended.
async fn sweep(engine: &Engine, stop: &CancellationToken) -> Result<()> {
    expire_leases(engine, stop).await?;
    for run in store::runs::cancelled(engine.db().reader()).await? {
        alone(run, cancel(engine, run, stop).await)?;
    }
    for (run, campaign) in store::runs::done(engine.db().reader()).await? {
        alone(run, retrying!(complete(engine, run, campaign).await))?;
    }
    Ok(())
}

/// What is wrong with one run alone does not keep the others waiting.
fn alone(run: RunId, done: Result<()>) -> Result<()> {
    done.or_else(|error| {
        if is_passing(&error) {
            return Err(error);
        }
        tracing::error!(%error, run.id = %run, "a run cannot be brought to its end");
        Ok(())
    })
}

async fn expire_leases(engine: &Engine, stop: &CancellationToken) -> Result<()> {
    let span = |length: Duration| i64::try_from(length.as_micros()).unwrap_or(i64::MAX / 4);
    let (longest, ours) = (span(LONGEST_LEASE), span(engine.config().lease));
    loop {
        let (expired, cut) = retrying!(
            async {
                let tx = engine.db().begin().await?;
                let now = engine.now();
                let expired = store::messages::expire_leases(&tx, now, CHUNK).await?;
                let latest = now.plus(longest).plus(SKEW);
                let cut = store::messages::cut_leases(&tx, latest, now.plus(ours), CHUNK).await?;
                tx.commit().await.map_err(store::Error::from)?;
                Ok::<_, Error>((expired, cut))
            }
            .await
        )?;
        if cut > 0 {
            tracing::warn!(messages = cut, "the clock was set back: leases end as if they began now");
        }
        if expired > 0 {
            tracing::warn!(messages = expired, "leases ran out: whether these were sent is unknown");
        }
        if expired.max(cut) < u64::from(CHUNK) || stop.is_cancelled() {
            return Ok(());
        }
    }
}

/// Cancels what is queued of a cancelled run; the run is finished when the rest of it is settled.
async fn cancel(engine: &Engine, run: RunId, stop: &CancellationToken) -> Result<()> {
    loop {
        let cancelled = retrying!(
            async {
                let tx = engine.db().begin().await?;
                let cancelled = store::messages::cancel_queued(&tx, engine.now(), run, CHUNK).await?;
                tx.commit().await.map_err(store::Error::from)?;
                Ok::<_, Error>(cancelled)
            }
            .await
        )?;
        if cancelled < u64::from(CHUNK) || stop.is_cancelled() {
            break;
        }
    }
    retrying!(
        async {
            let tx = engine.db().begin().await?;
            store::runs::close_cancelled(&tx, run, engine.now()).await?;
            tx.commit().await.map_err(store::Error::from)?;
            Ok::<_, Error>(())
        }
        .await
    )
}

async fn complete(engine: &Engine, run: RunId, campaign: CampaignId) -> Result<()> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    if store::runs::complete(&tx, run, campaign, now).await? {
        let entity = ("campaign", &*campaign.to_string());
        let detail = json!({ "run": run.to_string() });
        store::audit::append(&tx, &Actor::worker("sender"), now, "complete", entity, &detail).await?;
        tracing::info!(run.id = %run, "a run is completed");
    }
    tx.commit().await.map_err(store::Error::from)?;
    Ok(())
}
