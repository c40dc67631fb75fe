//! Scheduling: from now on the campaign runs by itself.

use domain::{
    campaign::{Campaign, CampaignStatus, Trigger},
    ids::CampaignId,
    time::Timestamp,
};
use serde_json::json;
use store::Tx;

use super::{audit, campaign_or, commit, launch, status_words};
use crate::{Actor, Engine, Error, Result, scheduler::times, services::settings};

/// As many next times as are told.
const UPCOMING_MAX: usize = 20;

pub(super) async fn schedule(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Campaign> {
    let now = engine.now();
    let tx = engine.begin(actor).await?;
    let status = campaign_or(store::campaigns::lock(&tx, id).await)?;
    let campaign = campaign_or(store::campaigns::get(&tx, id).await)?;
    if campaign.trigger == Trigger::Now {
        let text = "The campaign has no time: its trigger is `now`. Give it one, or launch it.";
        return Err(Error::Conflict(text.to_owned()));
    }
    if status != CampaignStatus::Draft {
        let text = format!("The campaign is {} already. Duplicate it to send it again.", status_words(status));
        return Err(Error::Conflict(text));
    }
    if campaign.trigger.is_event() {
        return listen(engine, tx, actor, &campaign).await;
    }
    let times = times::read(&campaign.trigger).map_err(Error::Invalid)?;
    let mut parts = launch::parts(engine, &tx, &campaign).await?;
    parts.problems.extend(times.untimely(now));
    parts.problems.extend(launch::too_late(&campaign, launch::due(&campaign, now), now));
    parts.complete()?;
    let Some(first) = times.first(now) else { return Err(Error::invalid("trigger", "It is never due.")) };
    store::campaigns::set_status(&tx, id, &[status], CampaignStatus::Scheduled, now).await?;
    store::schedule::arm(&tx, id, Some(first)).await?;
    audit(&tx, actor, now, "schedule", id, json!({ "next_run_at": first })).await?;
    let scheduled = campaign_or(store::campaigns::get(&tx, id).await)?;
    commit(tx).await?;
    Ok(scheduled)
}

/// Opens the one run that events make messages in, until the campaign is cancelled.
async fn listen(engine: &Engine, tx: Tx, actor: &Actor, campaign: &Campaign) -> Result<Campaign> {
    let (now, id) = (engine.now(), campaign.id);
    launch::start(engine, &tx, actor, campaign, now).await?;
    store::campaigns::set_status(&tx, id, &[campaign.status], CampaignStatus::Running, now).await?;
    let listening = campaign_or(store::campaigns::get(&tx, id).await)?;
    commit(tx).await?;
    Ok(listening)
}

pub(super) async fn upcoming(engine: &Engine, campaign: &Campaign, most: usize) -> Result<Vec<Timestamp>> {
    let now = engine.now();
    let trigger = times::completed(&campaign.trigger, &settings::current(engine).await?.default_timezone);
    let times = times::read(&trigger).map_err(Error::Invalid)?;
    Error::unless_valid(times.untimely(now).into_iter().collect())?;
    let made = store::schedule::runs_made(engine.db().reader(), campaign.id).await?;
    let most = times::runs_left(&trigger, made).map_or(most, |left| most.min(left));
    Ok(match times.first(now) {
        Some(first) if most > 0 => {
            let mut all = vec![first];
            all.extend(times.upcoming(first, most.min(UPCOMING_MAX) - 1));
            all
        }
        _ => Vec::new(),
    })
}
