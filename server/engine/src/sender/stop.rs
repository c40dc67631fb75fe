//! Stopping a run that cannot go on, with a reason that people can act on.

use domain::{
    actor::Actor,
    campaign::CampaignStatus,
    ids::{CampaignId, RunId},
    run::RunStatus,
};
use serde_json::json;

use crate::{Engine, Error, Result, retry::retrying};

/// Pauses a running run and its campaign with a stated reason; whoever put the matter right resumes it.
///
/// # Errors
/// What the database says.
pub(crate) async fn stop_run(engine: &Engine, run: RunId, campaign: CampaignId, reason: &str) -> Result<()> {
    retrying!(pause(engine, run, campaign, reason).await)
}

async fn pause(engine: &Engine, run: RunId, campaign: CampaignId, reason: &str) -> Result<()> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    store::campaigns::lock(&tx, campaign).await?;
    if store::runs::set_status(&tx, run, &[RunStatus::Running], RunStatus::Paused, Some(reason)).await? {
        let from = [CampaignStatus::Running];
        store::campaigns::set_status(&tx, campaign, &from, CampaignStatus::Paused, now).await?;
        let actor = Actor::worker("sender");
        let entity = ("campaign", &*campaign.to_string());
        let detail = json!({ "run": run.to_string(), "reason": reason });
        store::audit::append(&tx, &actor, now, "pause", entity, &detail).await?;
        tracing::error!(run.id = %run, reason, "a run was paused");
    }
    tx.commit().await.map_err(store::Error::from)?;
    Ok::<_, Error>(())
}
