//! Runs for people.

use std::collections::BTreeMap;

use domain::{
    ids::{CampaignId, RunId, TemplateId, TopicId},
    run::{Forecast, Quiet, Rules, Run, RunSummary},
    segment::Group,
    time::Timestamp,
};
use serde::Serialize;

use super::morning;
use crate::{
    ConnectionTrait, Error, Kind, Result, Row, all,
    batch::{Type, table},
    ledger, one,
    readable::{each_readable, if_readable},
    rehearsals,
};

const COLUMNS: &str = "r.id, r.campaign_id, r.number, r.status, r.template_version, r.rate_per_second, r.reason, \
                       r.rules, r.created_at, r.started_at, r.finished_at";

const SUMMARY: &str = "r.id, r.campaign_id, r.number, r.status, r.started_at, r.finished_at";

/// A run with its ledger and tallies; the forecast is the caller's.
///
/// # Errors
/// `NotFound` when there is none.
pub async fn get(db: &impl ConnectionTrait, id: RunId) -> Result<Run> {
    let query = format!(
        "SELECT {COLUMNS}, {} FROM runs r JOIN run_ledgers l ON l.run_id = r.id WHERE r.id = $1",
        ledger::COLUMNS
    );
    // First: what is told of a rehearsal that is complete is to be complete, too.
    let mut run = read(&one(db, query, vec![id.0.into()]).await?.ok_or(Error::NotFound)?)?;
    let wanted = ids(std::iter::once(id.to_string()))?;
    let (tallies, quiet, mut rehearsals) =
        tokio::try_join!(ledger::tallies(db, id), morning::quiet(db, id), rehearsals::of_runs(db, &wanted))?;
    run.quiet = Quiet { overridden: run.quiet.overridden, ..quiet };
    let of = rehearsals.remove(&id).unwrap_or_default();
    (run.rehearsal, run.rehearsed_before) = (of.own, of.before);
    run.skipped_by_reason = tallies.skipped_by_reason;
    run.failures_by_code = tallies.failures_by_code;
    Ok(run)
}

/// The campaign's runs below a number, newest first, and before all of them what is being looked at. One that this version
/// cannot read is passed over, which is said in the log; it makes the list no shorter, because a short one looks like the last
/// page.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &impl ConnectionTrait,
    campaign: CampaignId,
    before: Option<i32>,
    limit: u32,
) -> Result<Vec<Run>> {
    let of_campaign = |which: &str| {
        let columns = ledger::COLUMNS;
        format!(
            "SELECT {COLUMNS}, {columns} FROM runs r JOIN run_ledgers l ON l.run_id = r.id \
             WHERE r.campaign_id = $1 AND {which}"
        )
    };
    let mut runs: Vec<Run> = Vec::new();
    if before.is_none() {
        let query = of_campaign("r.rehearsal AND r.finished_at IS NULL ORDER BY r.created_at DESC, r.id DESC LIMIT 1");
        let rows = all(db, query, vec![campaign.0.into()]).await?;
        runs.extend(each_readable(&rows, ("run", "id"), read)?);
    }
    let query = of_campaign("NOT r.rehearsal AND r.number < $2 ORDER BY r.number DESC LIMIT $3");
    let limit = limit as usize;
    let mut below = before.unwrap_or(i32::MAX);
    while runs.len() < limit {
        let wanted = limit - runs.len();
        let most = i64::try_from(wanted).unwrap_or(i64::MAX);
        let rows = all(db, query.as_str(), vec![campaign.0.into(), below.into(), most.into()]).await?;
        runs.extend(each_readable(&rows, ("run", "id"), read)?);
        let Some(last) = rows.last().filter(|_| rows.len() == wanted) else { break };
        below = last.get("number")?;
    }
    let mut tallies = tallies_of(db, &runs).await?;
    let mut rehearsals = rehearsals::of_runs(db, &ids(runs.iter().map(|run| run.id.to_string()))?).await?;
    for run in &mut runs {
        // Of one that is over nobody waits.
        if run.finished_at.is_none() {
            run.quiet = Quiet { overridden: run.quiet.overridden, ..morning::quiet(db, run.id).await? };
        }
        if let Some(of) = tallies.remove(&run.id) {
            run.skipped_by_reason = of.skipped_by_reason;
            run.failures_by_code = of.failures_by_code;
        }
        let of = rehearsals.remove(&run.id).unwrap_or_default();
        (run.rehearsal, run.rehearsed_before) = (of.own, of.before);
    }
    Ok(runs)
}

#[derive(Serialize)]
struct IdRow {
    id: String,
}

pub(super) fn ids(of: impl Iterator<Item = String>) -> Result<String> {
    crate::batch::to_json(&of.map(|id| IdRow { id }).collect::<Vec<_>>())
}

async fn tallies_of(db: &impl ConnectionTrait, runs: &[Run]) -> Result<BTreeMap<RunId, ledger::Tallies>> {
    let query = format!(
        "SELECT run_id, kind, key, count FROM run_tallies WHERE count > 0 AND run_id IN (SELECT wanted.id FROM {})",
        table(Kind::of(db), "wanted", "$1", &[("id", Type::Uuid)])
    );
    let mut found: BTreeMap<RunId, ledger::Tallies> = BTreeMap::new();
    for row in all(db, query, vec![ids(runs.iter().map(|run| run.id.to_string()))?.into()]).await? {
        let tallies = found.entry(RunId(row.get("run_id")?)).or_default();
        let of = match row.get::<String>("kind")?.as_str() {
            "reason" => &mut tallies.skipped_by_reason,
            _ => &mut tallies.failures_by_code,
        };
        of.insert(row.get("key")?, row.get("count")?);
    }
    Ok(found)
}

fn read(row: &Row) -> Result<Run> {
    let id = RunId(row.get("id")?);
    // A run is told of also where this version cannot read what it goes by.
    let rules = if_readable("run", id.0, row.json::<Rules>("rules"))?;
    let (overridden, quiet_overrides) = rules.map(|rules| (rules.quiet_off, rules.quiet_overrides)).unwrap_or_default();
    Ok(Run {
        id,
        campaign_id: CampaignId(row.get("campaign_id")?),
        number: row.get("number")?,
        status: row.word("status")?,
        ledger: ledger::read(row)?,
        skipped_by_reason: BTreeMap::new(),
        failures_by_code: BTreeMap::new(),
        quiet: Quiet { overridden, ..Quiet::default() },
        quiet_overrides,
        forecast: Forecast::default(),
        rehearsal: None,
        rehearsed_before: None,
        template_version: row.get("template_version")?,
        rate_per_second: row.get("rate_per_second")?,
        reason: row.get("reason")?,
        created_at: Timestamp::from_micros(row.get("created_at")?),
        started_at: row.get::<Option<i64>>("started_at")?.map(Timestamp::from_micros),
        finished_at: row.get::<Option<i64>>("finished_at")?.map(Timestamp::from_micros),
    })
}

/// The latest run of each of these campaigns; none of one that has a latest run which this version cannot read.
///
/// # Errors
/// What the database says.
pub async fn latest(
    db: &impl ConnectionTrait,
    campaigns: &[CampaignId],
) -> Result<BTreeMap<CampaignId, Option<RunSummary>>> {
    if campaigns.is_empty() {
        return Ok(BTreeMap::new());
    }
    let query = format!(
        "SELECT {SUMMARY}, {} FROM runs r JOIN run_ledgers l ON l.run_id = r.id \
         WHERE r.campaign_id IN (SELECT wanted.id FROM {}) \
         AND r.number = (SELECT max(x.number) FROM runs x WHERE x.campaign_id = r.campaign_id AND NOT x.rehearsal)",
        ledger::COLUMNS,
        table(Kind::of(db), "wanted", "$1", &[("id", Type::Uuid)])
    );
    let rows = all(db, query, vec![ids(campaigns.iter().map(ToString::to_string))?.into()]).await?;
    let read = |row: &Row| {
        let summary = if_readable("run", row.get("id")?, read_summary(row))?;
        Ok((CampaignId(row.get("campaign_id")?), summary))
    };
    rows.iter().map(read).collect()
}

/// In short, the newest of what a campaign has launched, newest first. One that this version cannot read is passed over, which is
/// said in the log.
///
/// # Errors
/// What the database says.
pub async fn summaries(db: &impl ConnectionTrait, campaign: CampaignId, limit: u32) -> Result<Vec<RunSummary>> {
    let query = format!(
        "SELECT {SUMMARY}, {} FROM runs r JOIN run_ledgers l ON l.run_id = r.id \
         WHERE r.campaign_id = $1 AND NOT r.rehearsal ORDER BY r.number DESC LIMIT $2",
        ledger::COLUMNS
    );
    each_readable(&all(db, query, vec![campaign.0.into(), i64::from(limit).into()]).await?, ("run", "id"), read_summary)
}

fn read_summary(row: &Row) -> Result<RunSummary> {
    Ok(RunSummary {
        id: RunId(row.get("id")?),
        number: row.get("number")?,
        status: row.word("status")?,
        ledger: ledger::read(row)?,
        started_at: row.get::<Option<i64>>("started_at")?.map(Timestamp::from_micros),
        finished_at: row.get::<Option<i64>>("finished_at")?.map(Timestamp::from_micros),
    })
}

/// Whom a run is for, with every named segment inlined.
///
/// # Errors
/// `NotFound` when there is no such run.
pub async fn definition(db: &impl ConnectionTrait, run: RunId) -> Result<Group> {
    let row = one(db, "SELECT definition FROM runs WHERE id = $1", vec![run.0.into()]).await?;
    row.ok_or(Error::NotFound)?.json("definition")
}

/// The instant by which a run's rules say whom it is for.
///
/// # Errors
/// `NotFound` when there is no such run.
pub async fn snapshot_at(db: &impl ConnectionTrait, run: RunId) -> Result<Timestamp> {
    let row = one(db, "SELECT snapshot_at FROM runs WHERE id = $1", vec![run.0.into()]).await?;
    row.ok_or(Error::NotFound)?.get::<i64>("snapshot_at").map(Timestamp::from_micros)
}

/// What fills a run's texts, and the topic that it is about.
///
/// # Errors
/// `NotFound` when there is no such run.
pub async fn frozen(db: &impl ConnectionTrait, run: RunId) -> Result<((TemplateId, i64), Option<TopicId>)> {
    let query = "SELECT template_id, template_version, topic_id FROM runs WHERE id = $1";
    let row = one(db, query, vec![run.0.into()]).await?.ok_or(Error::NotFound)?;
    let template = (TemplateId(row.get("template_id")?), row.get("template_version")?);
    Ok((template, row.get::<Option<uuid::Uuid>>("topic_id")?.map(TopicId)))
}
