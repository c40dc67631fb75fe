//! A run's life: launched, paused, completed, cancelled.

use domain::{
    actor::Actor,
    campaign::CampaignStatus,
    ids::{CampaignId, RunId, SenderId, TemplateId, TopicId},
    run::{Rules, RunStatus},
    segment::Group,
    time::Timestamp,
};
use uuid::Uuid;

use crate::{ConnectionTrait, Error, Kind, Result, Tx, all, exec, ledger, one};

/// What a run executes.
#[derive(Clone, Debug)]
pub struct NewRun<'a> {
    pub id: RunId,
    /// The instant that it was due: unique among the campaign's runs.
    pub due_at: Timestamp,
    /// Everybody is taken as they are then, and messages are due from then on: now, of a rehearsal when the campaign is due.
    pub snapshot_at: Timestamp,
    pub campaign_id: CampaignId,
    pub template_id: TemplateId,
    pub template_version: i64,
    /// With every named segment inlined.
    pub definition: &'a Group,
    pub topic_id: Option<TopicId>,
    pub sender_id: SenderId,
    pub rules: &'a Rules,
    pub rate_per_second: Option<i32>,
    pub weight: i32,
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Corrupt { column: "runs", problem: error.to_string() })
}

/// Inserts a run with its empty ledger, numbered after the runs before it: to be planned; one that listens to events has no
/// plan, and runs.
///
/// # Errors
/// `Duplicate` when the campaign has a run for this instant.
pub async fn insert(tx: &Tx, actor: &Actor, at: Timestamp, run: &NewRun<'_>) -> Result<()> {
    let insert = "INSERT INTO runs (id, campaign_id, number, due_at, status, template_id, template_version, definition, \
                  topic_id, sender_id, rules, rate_per_second, weight, snapshot_at, actor_kind, actor_id, created_at, \
                  event_name, planned, started_at) \
                  SELECT $1, $2, 1 + COALESCE(max(number), 0), $15, $4, $5, $6, $7, $8, $9, $10, $11, $12, $19, $13, $14, $3, \
                  $16, $17, $18 \
                  FROM runs WHERE campaign_id = $2 AND number > 0";
    let event = run.rules.event.as_ref();
    let status = if event.is_some() { RunStatus::Running } else { RunStatus::Planning };
    let values = vec![
        run.id.0.into(),
        run.campaign_id.0.into(),
        at.as_micros().into(),
        status.as_str().into(),
        run.template_id.0.into(),
        run.template_version.into(),
        json(run.definition)?.into(),
        run.topic_id.map(|topic| topic.0).into(),
        run.sender_id.0.into(),
        json(run.rules)?.into(),
        run.rate_per_second.into(),
        run.weight.into(),
        actor.kind.as_str().into(),
        actor.id.clone().into(),
        run.due_at.as_micros().into(),
        event.map(|event| event.name.clone()).into(),
        event.is_some().into(),
        event.map(|_| at.as_micros()).into(),
        run.snapshot_at.as_micros().into(),
    ];
    exec(tx, insert, values).await?;
    ledger::open(tx, run.id).await
}

/// Moves a run from one of the statuses `from` to another. False when it was in none of them.
///
/// # Errors
/// What the database says.
pub async fn set_status(tx: &Tx, run: RunId, from: &[RunStatus], to: RunStatus, reason: Option<&str>) -> Result<bool> {
    let from: Vec<String> = from.iter().map(|status| format!("'{status}'")).collect();
    let update = format!(
        "UPDATE runs SET status = $1, reason = $2, blocked = FALSE WHERE id = $3 AND status IN ({})",
        from.join(", ")
    );
    let values = vec![to.as_str().into(), reason.map(ToOwned::to_owned).into(), run.0.into()];
    Ok(exec(tx, update, values).await? == 1)
}

/// Whether people were told that too many messages of a run fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The run was paused for it just now.
    Now,
    /// It was paused for it before: whoever resumed it knows.
    Before,
    /// It does not run, for another reason.
    NotYet,
}

/// Pauses a running run because too many of its messages fail, unless it was paused for that before.
///
/// # Errors
/// What the database says.
pub async fn pause_failing(tx: &Tx, run: RunId, reason: &str) -> Result<Told> {
    let update = "UPDATE runs SET status = 'paused', reason = $1, blocked = FALSE, failing_told = TRUE \
                  WHERE id = $2 AND status = 'running' AND NOT failing_told";
    if exec(tx, update, vec![reason.to_owned().into(), run.0.into()]).await? == 1 {
        return Ok(Told::Now);
    }
    let row = one(tx, "SELECT failing_told FROM runs WHERE id = $1", vec![run.0.into()]).await?;
    let was_told = row.map(|row| row.get::<bool>("failing_told")).transpose()?.unwrap_or(false);
    Ok(if was_told { Told::Before } else { Told::NotYet })
}

/// The campaign's run that is not over, if there is one; and whether its plan is complete. Locked until the transaction
/// ends, so that a planner that is just completing it has finished or waits.
///
/// # Errors
/// What the database says.
pub async fn lock_open_run(tx: &Tx, campaign: CampaignId) -> Result<Option<(RunId, RunStatus, bool)>> {
    let query = format!(
        "SELECT id, status, planned FROM runs WHERE campaign_id = $1 \
         AND status IN ('planning', 'running', 'paused') AND NOT rehearsal ORDER BY number DESC LIMIT 1{}",
        Kind::of(tx).for_update()
    );
    let Some(row) = one(tx, query, vec![campaign.0.into()]).await? else { return Ok(None) };
    Ok(Some((RunId(row.get("id")?), row.word("status")?, row.get("planned")?)))
}

/// The sender of the campaign's run that is not over, if there is one.
///
/// # Errors
/// What the database says.
pub async fn sender_of_open(db: &impl ConnectionTrait, campaign: CampaignId) -> Result<Option<SenderId>> {
    let query = "SELECT sender_id FROM runs WHERE campaign_id = $1 AND status IN ('planning', 'running', 'paused') \
                 AND NOT rehearsal ORDER BY number DESC LIMIT 1";
    let row = one(db, query, vec![campaign.0.into()]).await?;
    row.map(|row| row.get("sender_id").map(SenderId)).transpose()
}

/// The rules of a run, which nobody else changes before the transaction ends.
///
/// # Errors
/// `NotFound` when there is no such run.
pub async fn lock_rules(tx: &Tx, run: RunId) -> Result<Rules> {
    let query = format!("SELECT rules FROM runs WHERE id = $1{}", Kind::of(tx).for_update());
    one(tx, query, vec![run.0.into()]).await?.ok_or(Error::NotFound)?.json("rules")
}

/// The rules of a run.
///
/// # Errors
/// `NotFound` when there is no such run.
pub async fn rules(db: &impl ConnectionTrait, run: RunId) -> Result<Rules> {
    one(db, "SELECT rules FROM runs WHERE id = $1", vec![run.0.into()]).await?.ok_or(Error::NotFound)?.json("rules")
}

/// Changes the rules of a run that is under way: they are frozen but for what an admin decides about it.
///
/// # Errors
/// What the database says.
pub async fn set_rules(tx: &Tx, run: RunId, rules: &Rules) -> Result<()> {
    exec(tx, "UPDATE runs SET rules = $1 WHERE id = $2", vec![json(rules)?.into(), run.0.into()]).await?;
    Ok(())
}

/// Changes the rate of the campaign's open run.
///
/// # Errors
/// What the database says.
pub async fn set_rate(tx: &Tx, campaign: CampaignId, rate: Option<i32>) -> Result<()> {
    let update = "UPDATE runs SET rate_per_second = $1 WHERE campaign_id = $2 AND finished_at IS NULL";
    exec(tx, update, vec![rate.into(), campaign.0.into()]).await?;
    Ok(())
}

const NOTHING_OPEN: &str = "EXISTS (SELECT 1 FROM run_ledgers l WHERE l.run_id = runs.id \
                            AND l.queued + l.sending + l.unknown = 0)";

/// Runs whose plan is complete and of which nothing is open any more: see [`complete`]. Those that listen to events stay
/// open.
///
/// # Errors
/// What the database says.
pub async fn done(db: &impl ConnectionTrait) -> Result<Vec<(RunId, CampaignId)>> {
    let query = format!(
        "SELECT id, campaign_id FROM runs WHERE finished_at IS NULL AND status IN ('running', 'paused') AND planned \
         AND event_name IS NULL AND {NOTHING_OPEN}"
    );
    let rows = all(db, query, Vec::new()).await?;
    rows.iter().map(|row| Ok((RunId(row.get("id")?), CampaignId(row.get("campaign_id")?)))).collect()
}

/// Completes a run, and its campaign, when its ledger says so. False when it does not (any more). A campaign that is due
/// again goes on, also one whose run was paused because its sender was blocked; paused for anything else it stays so, and
/// keeps the reason.
///
/// # Errors
/// What the database says.
pub async fn complete(tx: &Tx, run: RunId, campaign: CampaignId, at: Timestamp) -> Result<bool> {
    let status = crate::campaigns::lock(tx, campaign).await?;
    let query = format!("SELECT blocked, reason FROM runs WHERE id = $1{}", Kind::of(tx).for_update());
    let Some(row) = one(tx, query, vec![run.0.into()]).await? else { return Ok(false) };
    let (blocked, reason): (bool, Option<String>) = (row.get("blocked")?, row.get("reason")?);
    let update = format!(
        "UPDATE runs SET status = 'completed', reason = NULL, finished_at = $1 \
         WHERE id = $2 AND status IN ('running', 'paused') AND planned AND event_name IS NULL \
         AND {NOTHING_OPEN}"
    );
    if exec(tx, update, vec![at.as_micros().into(), run.0.into()]).await? == 0 {
        return Ok(false);
    }
    let stays = status == CampaignStatus::Paused && !blocked;
    let (then, reason) = if stays { (CampaignStatus::Paused, reason) } else { (CampaignStatus::Scheduled, None) };
    let update = "UPDATE campaigns SET updated_at = $1, status = CASE WHEN next_due_at IS NULL THEN 'completed' ELSE $3 END, \
                  reason = CASE WHEN next_due_at IS NULL THEN NULL ELSE $4 END WHERE id = $2 \
                  AND status IN ('running', 'paused')";
    let values = vec![at.as_micros().into(), campaign.0.into(), then.as_str().into(), reason.into()];
    exec(tx, update, values).await?;
    Ok(true)
}

/// Cancelled runs of which messages are still open.
///
/// # Errors
/// What the database says.
pub async fn cancelled(db: &impl ConnectionTrait) -> Result<Vec<RunId>> {
    let query = "SELECT id FROM runs WHERE finished_at IS NULL AND status = 'cancelled'";
    all(db, query, Vec::new()).await?.iter().map(|row| row.get::<Uuid>("id").map(RunId)).collect()
}

/// Marks a cancelled run as finished once nothing of it is open.
///
/// # Errors
/// What the database says.
pub async fn close_cancelled(tx: &Tx, run: RunId, at: Timestamp) -> Result<bool> {
    let update = format!(
        "UPDATE runs SET finished_at = $1 WHERE id = $2 AND status = 'cancelled' AND finished_at IS NULL \
         AND {NOTHING_OPEN}"
    );
    Ok(exec(tx, update, vec![at.as_micros().into(), run.0.into()]).await? == 1)
}
