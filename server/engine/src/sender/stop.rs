//! Stopping a run that cannot go on, with a reason that people can act on.

use domain::{
    actor::Actor,
    campaign::CampaignStatus,
    ids::{CampaignId, RunId},
    run::RunStatus,
    time::Timestamp,
};
use serde_json::json;
use store::{Tx, runs::Told};

use super::guard::{Source, Trouble};
use crate::{
    Engine, Error, Result,
    retry::{is_passing, retrying},
};

/// Pauses a running run and its campaign with a stated reason; whoever put the matter right resumes it.
///
/// # Errors
/// What the database says.
pub(crate) async fn stop_run(engine: &Engine, run: RunId, campaign: CampaignId, reason: &str) -> Result<()> {
    retrying!(pause(engine, run, campaign, reason).await)
}

/// As [`stop_run`], for what the guard found in the outcomes from there; for failures of all kinds once in a run's life. The
/// guard then looks at it anew, unless the database is away.
///
/// # Errors
/// What the database says.
pub(crate) async fn stop_troubled(
    engine: &Engine,
    source: Source,
    (run, trouble): (RunId, Trouble),
    campaign: CampaignId,
) -> Result<()> {
    let is_told = match trouble {
        Trouble::Failing => retrying!(pause_failing(engine, run, campaign).await).map(|told| told != Told::NotYet),
        Trouble::TextRefused | Trouble::SenderLimit => {
            stop_run(engine, run, campaign, trouble.reason()).await.map(|()| false)
        }
    };
    if !is_told.as_ref().is_err_and(is_passing) {
        engine.inner().guard.begin_anew(run, source, is_told.as_ref().is_ok_and(|is_told| *is_told));
    }
    is_told?;
    Ok(())
}

async fn pause(engine: &Engine, run: RunId, campaign: CampaignId, reason: &str) -> Result<()> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    store::campaigns::lock(&tx, campaign).await?;
    if store::runs::set_status(&tx, run, &[RunStatus::Running], RunStatus::Paused, Some(reason)).await? {
        pause_campaign(&tx, run, campaign, reason, now).await?;
    }
    tx.commit().await.map_err(store::Error::from)?;
    Ok::<_, Error>(())
}

async fn pause_failing(engine: &Engine, run: RunId, campaign: CampaignId) -> Result<Told> {
    let (now, reason) = (engine.now(), Trouble::Failing.reason());
    let tx = engine.db().begin().await?;
    store::campaigns::lock(&tx, campaign).await?;
    let told = store::runs::pause_failing(&tx, run, reason).await?;
    if told == Told::Now {
        pause_campaign(&tx, run, campaign, reason, now).await?;
    }
    tx.commit().await.map_err(store::Error::from)?;
    Ok::<_, Error>(told)
}

/// The run was paused: so is its campaign, and it is told.
async fn pause_campaign(tx: &Tx, run: RunId, campaign: CampaignId, reason: &str, now: Timestamp) -> Result<()> {
    let from = [CampaignStatus::Running];
    store::campaigns::set_status(tx, campaign, &from, CampaignStatus::Paused, now).await?;
    let actor = Actor::worker("sender");
    let entity = ("campaign", &*campaign.to_string());
    let detail = json!({ "run": run.to_string(), "reason": reason });
    store::audit::append(tx, &actor, now, "pause", entity, &detail).await?;
    tracing::error!(run.id = %run, reason, "a run was paused");
    Ok(())
}
