//! When campaigns are due, and what became of it.

use std::collections::BTreeMap;

use domain::{
    campaign::{CampaignStatus, Trigger},
    ids::{CampaignId, RunId, SegmentId},
    schedule::{DueOutcome, DueReason, LastDue},
    time::Timestamp,
};

use crate::{
    ConnectionTrait, Result, Row, Tx, all,
    campaigns::{self, Listed},
    exec, one,
    readable::{each_readable, if_readable},
};

/// What the scheduler asks every second: one step into the index `campaigns_due`, however many campaigns wait.
pub const DUE: &str = "SELECT id, next_due_at FROM campaigns WHERE next_due_at IS NOT NULL \
                       AND status IN ('scheduled', 'running') AND next_due_at <= $1 AND (next_due_at, id) > ($2, $3) \
                       ORDER BY next_due_at, id LIMIT $4";

/// Campaigns that are due by `now`, after the one that was due `after`: the first of them first.
///
/// # Errors
/// What the database says.
pub async fn due(
    db: &impl ConnectionTrait,
    now: Timestamp,
    after: Option<(Timestamp, CampaignId)>,
    limit: u32,
) -> Result<Vec<(CampaignId, Timestamp)>> {
    let (at, id) = after.unwrap_or((Timestamp::from_micros(i64::MIN), CampaignId(uuid::Uuid::nil())));
    let values = vec![now.as_micros().into(), at.as_micros().into(), id.0.into(), i64::from(limit).into()];
    all(db, DUE, values).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<(CampaignId, Timestamp)> {
    Ok((CampaignId(row.get("id")?), Timestamp::from_micros(row.get("next_due_at")?)))
}

/// Says what became of an instant, and when the campaign is due next. False when somebody said so before.
///
/// # Errors
/// What the database says.
pub async fn decided(
    tx: &Tx,
    campaign: CampaignId,
    due: &LastDue,
    run: Option<RunId>,
    next: Option<Timestamp>,
    at: Timestamp,
) -> Result<bool> {
    let insert = "INSERT INTO due_times (campaign_id, due_at, outcome, reason, missed, run_id, decided_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (campaign_id, due_at) DO NOTHING";
    let values = vec![
        campaign.0.into(),
        due.due_at.as_micros().into(),
        due.outcome.as_str().into(),
        due.reason.map(DueReason::as_str).into(),
        due.missed.into(),
        run.map(|run| run.0).into(),
        at.as_micros().into(),
    ];
    if exec(tx, insert, values).await? == 0 {
        return Ok(false);
    }
    let runs = i32::from(due.outcome == DueOutcome::Launched);
    let update = "UPDATE campaigns SET next_due_at = $1, last_due_at = $2, due_runs = due_runs + $3 WHERE id = $4";
    let next = next.map(Timestamp::as_micros);
    exec(tx, update, vec![next.into(), due.due_at.as_micros().into(), runs.into(), campaign.0.into()]).await?;
    Ok(true)
}

/// Whether it was said what became of an instant.
///
/// # Errors
/// What the database says.
pub async fn is_decided(db: &impl ConnectionTrait, campaign: CampaignId, due_at: Timestamp) -> Result<bool> {
    let query = "SELECT 1 AS found FROM due_times WHERE campaign_id = $1 AND due_at = $2";
    Ok(one(db, query, vec![campaign.0.into(), due_at.as_micros().into()]).await?.is_some())
}

/// The campaign is due then, or not any more.
///
/// # Errors
/// What the database says.
pub async fn arm(tx: &Tx, campaign: CampaignId, next: Option<Timestamp>) -> Result<()> {
    let update = "UPDATE campaigns SET next_due_at = $1 WHERE id = $2";
    exec(tx, update, vec![next.map(Timestamp::as_micros).into(), campaign.0.into()]).await?;
    Ok(())
}

/// The campaigns that go out by the clock of a zone and are due after an instant, or will be once they are resumed, from the
/// one after `after` on, and when. Without a trigger where this version cannot read it.
///
/// # Errors
/// What the database says.
pub async fn by_a_clock(
    db: &impl ConnectionTrait,
    now: Timestamp,
    after: Option<CampaignId>,
    limit: u32,
) -> Result<Vec<(CampaignId, Option<Trigger>, Timestamp)>> {
    let query = "SELECT id, trigger_json, next_due_at FROM campaigns WHERE next_due_at > $1 \
                 AND status IN ('scheduled', 'running', 'paused') AND trigger_json LIKE '%\"timezone\":\"%' \
                 AND id > $2 ORDER BY id LIMIT $3";
    let after = after.map_or_else(uuid::Uuid::nil, |after| after.0);
    let rows = all(db, query, vec![now.as_micros().into(), after.into(), i64::from(limit).into()]).await?;
    let read = |row: &Row| {
        let id = row.get("id")?;
        let trigger = if_readable("campaign", id, row.json("trigger_json"))?;
        Ok((CampaignId(id), trigger, Timestamp::from_micros(row.get("next_due_at")?)))
    };
    rows.iter().map(read).collect()
}

/// The SQL of the instant that a run is scheduled for; 0 of one that somebody launched, which waits for no date.
pub(crate) fn scheduled_at(run: &str) -> String {
    format!(
        "COALESCE((SELECT r.due_at FROM runs r JOIN due_times d ON d.campaign_id = r.campaign_id \
         AND d.due_at = r.due_at AND d.run_id = r.id WHERE r.id = {run}), 0)"
    )
}

/// How many runs the campaign's schedule has made.
///
/// # Errors
/// What the database says.
pub async fn runs_made(db: &impl ConnectionTrait, campaign: CampaignId) -> Result<i32> {
    let row = one(db, "SELECT due_runs FROM campaigns WHERE id = $1", vec![campaign.0.into()]).await?;
    Ok(row.map(|row| row.get("due_runs")).transpose()?.unwrap_or(0))
}

/// How many runs the schedules of the campaigns that are due again have made, or will be once they are resumed; who is
/// missing has made none.
///
/// # Errors
/// What the database says.
pub async fn runs_made_by_all(db: &impl ConnectionTrait) -> Result<BTreeMap<CampaignId, i32>> {
    let query = "SELECT id, due_runs FROM campaigns WHERE next_due_at IS NOT NULL \
                 AND status IN ('scheduled', 'running', 'paused') AND due_runs > 0";
    let rows = all(db, query, Vec::new()).await?;
    rows.iter().map(|row| Ok((CampaignId(row.get("id")?), row.get("due_runs")?))).collect()
}

/// Why the scheduler paused or failed the campaign.
///
/// # Errors
/// What the database says.
pub async fn explain(tx: &Tx, campaign: CampaignId, reason: &str) -> Result<()> {
    exec(tx, "UPDATE campaigns SET reason = $1 WHERE id = $2", vec![reason.into(), campaign.0.into()]).await?;
    Ok(())
}

/// The SQL of whether a campaign goes out by everybody's own clock.
const LOCAL: &str = "c.trigger_json LIKE '%\"local\":true%'";

/// A run that has begun.
#[derive(Clone, Debug)]
pub struct Started {
    pub campaign: CampaignId,
    pub name: String,
    pub status: CampaignStatus,
    /// None where this version cannot read it.
    pub trigger: Option<Trigger>,
    pub started_at: Timestamp,
}

/// Runs that began in `[from, to)`, and those that go by everybody's own clock in a month (`2026-12`), whenever they began:
/// the first of them first.
///
/// # Errors
/// What the database says.
pub async fn started(
    db: &impl ConnectionTrait,
    (from, to): (Timestamp, Timestamp),
    month: &str,
    limit: u32,
) -> Result<Vec<Started>> {
    // A rehearsal begins nothing, whatever became of it.
    let query = format!(
        "SELECT r.campaign_id, c.name, c.status, c.trigger_json, COALESCE(r.started_at, r.due_at) AS began \
         FROM runs r JOIN campaigns c ON c.id = r.campaign_id WHERE NOT r.rehearsal \
         AND ((COALESCE(r.started_at, r.due_at) >= $1 AND COALESCE(r.started_at, r.due_at) < $2) \
         OR ({LOCAL} AND c.trigger_json LIKE $4)) ORDER BY began, r.id LIMIT $3"
    );
    let local = format!("%\"at\":\"{month}-%");
    let values = vec![from.as_micros().into(), to.as_micros().into(), i64::from(limit).into(), local.into()];
    let read = |row: &Row| {
        let campaign = row.get("campaign_id")?;
        Ok(Started {
            campaign: CampaignId(campaign),
            name: row.get("name")?,
            status: row.word("status")?,
            trigger: if_readable("campaign", campaign, row.json("trigger_json"))?,
            started_at: Timestamp::from_micros(row.get("began")?),
        })
    };
    each_readable(&all(db, query, values).await?, ("campaign", "campaign_id"), read)
}

/// Campaigns that may be due in `[from, to)`: those that are due next before its end, and of those that are due only once
/// not the ones from before. The first of them first; on request with those that are paused and have kept their time.
///
/// # Errors
/// What the database says.
pub async fn due_between(
    db: &impl ConnectionTrait,
    from: Timestamp,
    to: Timestamp,
    with_paused: bool,
    limit: u32,
) -> Result<Vec<Listed>> {
    let paused = if with_paused { ", 'paused'" } else { "" };
    let condition = format!(
        "c.next_due_at IS NOT NULL AND c.status IN ('scheduled', 'running'{paused}) AND c.next_due_at < $2 \
         AND (c.next_due_at >= $1 OR c.trigger_json LIKE '%\"type\":\"cron\"%') ORDER BY c.next_due_at, c.id LIMIT $3"
    );
    let values = vec![from.as_micros().into(), to.as_micros().into(), i64::from(limit).into()];
    campaigns::list_where(db, &condition, values).await
}

/// A run of another campaign.
#[derive(Clone, Debug)]
pub struct Beside {
    pub run: RunId,
    pub campaign: CampaignId,
    pub name: String,
    pub segment: Option<SegmentId>,
    /// None where this version cannot read it.
    pub trigger: Option<Trigger>,
    pub began: Timestamp,
    /// It is not over.
    pub under_way: bool,
    /// Whom it comes to is not known yet.
    pub is_planning: bool,
}

/// Runs of other campaigns, to an audience, that began in `[from, to)` or are under way, and those that went by everybody's
/// own clock until then: the latest first. What waits for events goes to single people, not to an audience.
///
/// # Errors
/// What the database says.
pub async fn beside(
    db: &impl ConnectionTrait,
    campaign: CampaignId,
    (from, to): (Timestamp, Timestamp),
    limit: u32,
) -> Result<Vec<Beside>> {
    let query = format!(
        "SELECT x.*, c.name, c.segment_id, c.trigger_json FROM (SELECT id AS run_id, campaign_id, finished_at, \
         COALESCE(started_at, due_at) AS began, status IN ('planning', 'running', 'paused') AS under_way, \
         status = 'planning' AS is_planning \
         FROM runs WHERE NOT rehearsal AND event_name IS NULL AND campaign_id <> $1) AS x \
         JOIN campaigns c ON c.id = x.campaign_id \
         WHERE c.segment_id IS NOT NULL AND (x.under_way OR (x.began < $3 AND (x.began >= $2 \
         OR (x.finished_at >= $2 AND {LOCAL})))) ORDER BY x.began DESC, c.id LIMIT $4"
    );
    let values = vec![campaign.0.into(), from.as_micros().into(), to.as_micros().into(), i64::from(limit).into()];
    let read = |row: &Row| {
        let campaign = row.get("campaign_id")?;
        Ok(Beside {
            run: RunId(row.get("run_id")?),
            campaign: CampaignId(campaign),
            name: row.get("name")?,
            segment: row.get::<Option<uuid::Uuid>>("segment_id")?.map(SegmentId),
            trigger: if_readable("campaign", campaign, row.json("trigger_json"))?,
            began: Timestamp::from_micros(row.get("began")?),
            under_way: row.get("under_way")?,
            is_planning: row.get("is_planning")?,
        })
    };
    all(db, query, values).await?.iter().map(read).collect()
}
