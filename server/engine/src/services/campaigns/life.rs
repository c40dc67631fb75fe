//! Pausing, resuming, cancelling: the status decides what is claimed, no message row is touched.

use domain::{
    campaign::{Campaign, CampaignStatus},
    ids::{CampaignId, RunId},
    run::RunStatus,
};
use serde_json::json;
use store::Tx;

use super::{UNREADABLE, audit, campaign_or, commit, status_words};
use crate::{Actor, Engine, Error, Result, bell::Who, sender};

/// A change of a campaign's life, and from where it is possible.
#[derive(Clone, Copy)]
pub(super) struct Change {
    action: &'static str,
    from: &'static [CampaignStatus],
    to: CampaignStatus,
    run_from: &'static [RunStatus],
}

pub(super) const PAUSE: Change = Change {
    action: "pause",
    from: &[CampaignStatus::Running, CampaignStatus::Scheduled],
    to: CampaignStatus::Paused,
    run_from: &[RunStatus::Planning, RunStatus::Running],
};

pub(super) const RESUME: Change = Change {
    action: "resume",
    from: &[CampaignStatus::Paused],
    to: CampaignStatus::Running,
    run_from: &[RunStatus::Paused],
};

pub(super) const CANCEL: Change = Change {
    action: "cancel",
    from: &[CampaignStatus::Running, CampaignStatus::Paused, CampaignStatus::Scheduled],
    to: CampaignStatus::Cancelled,
    run_from: &[RunStatus::Planning, RunStatus::Running, RunStatus::Paused],
};

/// None of a campaign that this version cannot read: it can be stopped all the same, but does not go on.
pub(super) async fn change(engine: &Engine, actor: &Actor, id: CampaignId, change: Change) -> Result<Option<Campaign>> {
    let now = engine.now();
    let tx = engine.begin(actor).await?;
    if change.to == CampaignStatus::Running
        && let Some(sender) = store::runs::sender_of_open(&tx, id).await?
    {
        // Before the campaign: the order in which everybody locks.
        sender::try_now(&tx, sender, now).await?;
    }
    let status = campaign_or(store::campaigns::lock(&tx, id).await)?;
    let open = store::runs::lock_open_run(&tx, id).await?;
    let to = match change.to {
        // Between two runs, or before the first: it waits for its time again.
        CampaignStatus::Running if open.is_none() => CampaignStatus::Scheduled,
        to => to,
    };
    let moved = store::campaigns::set_status(&tx, id, change.from, to, now).await?;
    if change.to == CampaignStatus::Cancelled && moved {
        store::schedule::arm(&tx, id, None).await?;
    }
    if !moved && !keeps_paused(&tx, change, status, open.map(|(run, ..)| run)).await? {
        let text = format!("The campaign is {}: it cannot be {}.", status_words(status), past(change));
        return Err(Error::Conflict(text));
    }
    if let Some((run, _, planned)) = open.filter(|_| moved) {
        store::runs::set_status(&tx, run, change.run_from, run_status(change, planned), None).await?;
        if change.to == CampaignStatus::Cancelled {
            store::event_plans::close(&tx, run).await?;
        }
    }
    let run = open.map(|(run, ..)| run.to_string());
    audit(&tx, actor, now, change.action, id, json!({ "run": run })).await?;
    let campaign = campaign_or(store::campaigns::get_readable(&tx, id).await)?;
    if campaign.is_none() && change.to == CampaignStatus::Running {
        return Err(Error::Conflict(UNREADABLE.to_owned()));
    }
    commit(tx).await?;
    for who in [Who::Planner, Who::Senders] {
        engine.inner().bell.ring(who);
    }
    Ok(campaign)
}

/// Pausing a campaign that waits for its sender: it does not go on by itself any more.
async fn keeps_paused(tx: &Tx, change: Change, status: CampaignStatus, run: Option<RunId>) -> Result<bool> {
    let (CampaignStatus::Paused, CampaignStatus::Paused, Some(run)) = (change.to, status, run) else {
        return Ok(false);
    };
    Ok(store::breaker::keep_paused(tx, run).await?)
}

/// A run that was paused before its plan was complete goes back to planning.
const fn run_status(change: Change, planned: bool) -> RunStatus {
    match change.to {
        CampaignStatus::Paused => RunStatus::Paused,
        CampaignStatus::Cancelled => RunStatus::Cancelled,
        _ if planned => RunStatus::Running,
        _ => RunStatus::Planning,
    }
}

const fn past(change: Change) -> &'static str {
    match change.to {
        CampaignStatus::Paused => "paused",
        CampaignStatus::Cancelled => "cancelled",
        _ => "resumed",
    }
}
