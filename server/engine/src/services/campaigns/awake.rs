//! What cannot wait for the morning: an admin says so of a run, with the reason, and takes it back.

use domain::{
    campaign::{Campaign, OverrideQuietHours},
    consent::Category,
    ids::CampaignId,
    message::StepActor,
};
use serde_json::json;

use super::{audit, campaign_or, commit};
use crate::{Actor, Engine, Error, Result, bell::Who, services::actors::Names};

/// The longest reason, in characters.
const REASON_MAX: usize = 500;

pub(super) async fn override_quiet_hours(
    engine: &Engine,
    actor: &Actor,
    id: CampaignId,
    asked: &OverrideQuietHours,
) -> Result<Campaign> {
    let reason = asked.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_MAX {
        let text = format!(
            "Say why it cannot wait, in at most {REASON_MAX} characters: it stands with the run and in the audit log."
        );
        return Err(Error::invalid("reason", text));
    }
    let now = engine.now();
    let tx = engine.begin(actor).await?;
    campaign_or(store::campaigns::lock(&tx, id).await)?;
    let Some((run, ..)) = store::runs::lock_open_run(&tx, id).await? else {
        return Err(Error::Conflict("The campaign has no run under way: nobody waits.".to_owned()));
    };
    let mut rules = store::runs::lock_rules(&tx, run).await?;
    if rules.category == Category::Marketing {
        let text = "Marketing waits for the morning: law binds it in many places. Only what people need to know may wake them.";
        return Err(Error::Conflict(text.to_owned()));
    }
    let by = StepActor { kind: actor.kind, name: Names::default().of(&tx, actor.kind, &actor.id).await? };
    rules.override_quiet(by, reason.to_owned(), now);
    store::runs::set_rules(&tx, run, &rules).await?;
    audit(&tx, actor, now, "override_quiet_hours", id, json!({ "run": run.to_string(), "reason": reason })).await?;
    let campaign = campaign_or(store::campaigns::get(&tx, id).await)?;
    commit(tx).await?;
    // It wakes them, also when the caller has gone, or this process with it.
    engine.inner().bell.ring(Who::Planner);
    Ok(campaign)
}

/// From now on quiet hours hold for the campaign's present run again. What sleeping people were sent meanwhile is sent.
pub(super) async fn restore_quiet_hours(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Campaign> {
    let now = engine.now();
    let tx = engine.begin(actor).await?;
    campaign_or(store::campaigns::lock(&tx, id).await)?;
    let overridden = match store::runs::lock_open_run(&tx, id).await? {
        Some((run, ..)) => Some((run, store::runs::lock_rules(&tx, run).await?)).filter(|(_, rules)| rules.quiet_off),
        None => None,
    };
    let Some((run, mut rules)) = overridden else {
        return Err(Error::Conflict("Quiet hours hold for the campaign: there is nothing to take back.".to_owned()));
    };
    // Who is due by night from now on waits at the claim.
    rules.restore_quiet(now);
    store::runs::set_rules(&tx, run, &rules).await?;
    audit(&tx, actor, now, "restore_quiet_hours", id, json!({ "run": run.to_string() })).await?;
    let campaign = campaign_or(store::campaigns::get(&tx, id).await)?;
    commit(tx).await?;
    Ok(campaign)
}
