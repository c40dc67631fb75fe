//! Campaigns that run by themselves. The clockwork only knocks, in UTC, once a second, and what is due before the next
//! knock is waited for; what is due is decided by the database, in the transaction that makes the run, so that it does not matter how many processes hear it
//! (decision 25).

mod clocks;
pub(crate) mod times;

use std::{sync::Arc, time::Duration};

use domain::{
    campaign::{Campaign, CampaignStatus, Trigger},
    ids::{CampaignId, RunId},
    schedule::{CatchUp, DueOutcome, DueReason, LastDue},
    time::Timestamp,
};
use jiff::{civil::DateTime, tz::TimeZone};
use store::Tx;
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use self::times::Times;
use crate::{
    Actor, Engine, Error, Result,
    bell::Who,
    retry::retrying,
    services::campaigns::launch,
    zones::{self, Overlap},
};

/// Every second.
const KNOCKS: &str = "* * * * * *";

/// Without a knock for so long it is looked all the same. So far it is looked ahead.
const LOOK: Duration = Duration::from_secs(2);

/// It is looked no sooner than this: a clock that stands still never comes to what is due next.
const SOONEST: Duration = Duration::from_millis(10);

/// Campaigns that are looked at with one query.
const BATCH: u32 = 100;

/// What is later than this was missed: the program was down, or the campaign paused, when it was due.
pub const ON_TIME: i64 = 60 * Timestamp::SECOND;

/// As many missed instants are counted.
const MISSED_MAX: usize = 1_000;

/// Where one looks for the latest of more missed instants than are counted.
const RECENT: i64 = 2 * Timestamp::DAY;

/// Whether there is such a time zone.
#[must_use]
pub fn is_zone(zone: &str) -> bool {
    zones::zone(zone).is_some()
}

/// The instant of a local time such as `2026-12-01T09:00` in a zone: after a gap, the first of two.
#[must_use]
pub fn instant_of(zone: &str, local: &str) -> Option<Timestamp> {
    zones::instant(&zones::zone(zone)?, local.trim().parse().ok()?, Overlap::First)
}

/// An instant as a local time such as `2026-12-01T09:00`; in UTC when there is no such zone.
#[must_use]
pub fn local_time(zone: &str, at: Timestamp) -> String {
    civil(zone, at).strftime("%Y-%m-%dT%H:%M").to_string()
}

/// An instant in words by the clock of a zone: `Mon 30 November 2026, 09:00`.
#[must_use]
pub fn told(zone: &str, at: Timestamp) -> String {
    civil(zone, at).strftime("%a %-d %B %Y, %H:%M").to_string()
}

fn civil(zone: &str, at: Timestamp) -> DateTime {
    zones::civil(&zones::zone(zone).unwrap_or(TimeZone::UTC), at)
}

/// Starts what is due until told to stop.
pub async fn run(engine: Engine, stop: CancellationToken) {
    let knock = Arc::new(Notify::new());
    let mut clockwork = match clockwork(knock.clone()).await {
        Ok(clockwork) => Some(clockwork),
        Err(error) => {
            tracing::error!(%error, "the clockwork does not run; what is due is looked for every two seconds");
            None
        }
    };
    let mut knows_clocks = false;
    let mut looks = Looks::default();
    while !stop.is_cancelled() {
        let mut wait = LOOK;
        if !engine.inner().permit.is_outdated() {
            if !knows_clocks {
                knows_clocks = clocks::set_anew(&engine)
                    .await
                    .inspect_err(
                        |error| tracing::error!(%error, "campaigns are due by the clocks of before; trying again"),
                    )
                    .is_ok();
            }
            match look(&engine, &mut looks).await {
                Ok((_, next)) => wait = next.map_or(LOOK, |at| until(at, engine.now())),
                Err(error) => tracing::error!(%error, "what is due could not be looked for; trying again"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            _ = tokio::time::timeout(wait, knock.notified()) => {}
        }
    }
    if let Some(clockwork) = &mut clockwork
        && let Err(error) = clockwork.shutdown().await
    {
        tracing::warn!(%error, "the clockwork did not stop");
    }
}

/// How long it is until then, within reason.
fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(at.since(now)).unwrap_or(0)).clamp(SOONEST, LOOK)
}

async fn clockwork(knock: Arc<Notify>) -> Result<JobScheduler, JobSchedulerError> {
    let clockwork = JobScheduler::new().await?;
    clockwork.add(Job::new(KNOCKS, move |_, _| knock.notify_one())?).await?;
    clockwork.start().await?;
    Ok(clockwork)
}

/// Starts everything that is due now, once; says how many runs were made.
///
/// # Errors
/// When the database cannot be asked. What fails for one campaign is tried again with the next tick.
pub async fn tick(engine: &Engine) -> Result<usize> {
    Ok(look(engine, &mut Looks::default()).await?.0)
}

/// When it was looked last.
#[derive(Default)]
struct Looks {
    /// From the one instant to the other: the program was there, and busy with what was due.
    last: Option<(Timestamp, Timestamp)>,
}

impl Looks {
    /// The instant by which a look that begins now judges what was missed: when it could have looked first at what came due
    /// since the look before it. Nothing is missed because many campaigns are due at once, or one of them takes long. Where
    /// there was no look for as long as makes a time missed, the program was away: its machine slept, say.
    fn judged_by(&self, now: Timestamp) -> Timestamp {
        let busy = self.last.filter(|(_, ended)| now.since(*ended) <= ON_TIME);
        busy.map_or(now, |(began, _)| began.min(now))
    }
}

/// A tick, and what is due next, if that is soon: one query says both, so that a precise start costs nothing.
async fn look(engine: &Engine, looks: &mut Looks) -> Result<(usize, Option<Timestamp>)> {
    let began = engine.now();
    let looked = look_at_all(engine, looks.judged_by(began)).await;
    looks.last = Some((began, engine.now()));
    looked
}

async fn look_at_all(engine: &Engine, judged_by: Timestamp) -> Result<(usize, Option<Timestamp>)> {
    let mut after = None;
    let mut launched = 0;
    let mut soon = None;
    while soon.is_none() {
        let now = engine.now();
        let ahead = now.plus(i64::try_from(LOOK.as_micros()).unwrap_or(0));
        let due = store::schedule::due(engine.db().lookout(), ahead, after, BATCH).await?;
        let Some(last) = due.last() else { break };
        after = Some((last.1, last.0));
        soon = due.iter().map(|(_, due_at)| *due_at).find(|due_at| *due_at > now);
        for (campaign, due_at) in due.iter().take_while(|(_, due_at)| *due_at <= now) {
            match retrying!(decide(engine, *campaign, *due_at, judged_by).await) {
                Ok(made) => launched += usize::from(made),
                Err(error) => tracing::error!(%error, campaign.id = %campaign, "a campaign that is due cannot start"),
            }
        }
    }
    if launched > 0 {
        engine.inner().bell.ring(Who::Planner);
    }
    Ok((launched, soon))
}

/// What becomes of a campaign that is due; whether it was missed is judged by the given instant, however long those took that
/// were decided before. True when a run was made.
async fn decide(engine: &Engine, id: CampaignId, due_at: Timestamp, judged_by: Timestamp) -> Result<bool> {
    let now = engine.now();
    let actor = Actor::worker("scheduler");
    let tx = engine.begin(&actor).await?;
    let status = match store::campaigns::lock(&tx, id).await {
        Err(store::Error::NotFound) => return Ok(false),
        status => status?,
    };
    // One that this version cannot read keeps its time: the version that wrote it starts it.
    let Some(campaign) = store::campaigns::get_readable(&tx, id).await? else { return Ok(false) };
    let is_armed = matches!(status, CampaignStatus::Scheduled | CampaignStatus::Running);
    // Another process was quicker, or somebody changed it.
    if !is_armed || campaign.next_run_at != Some(due_at) {
        return Ok(false);
    }
    let times = match times::read(&campaign.trigger) {
        Ok(times) => times,
        // It is paused once its run is over, and looked at again then.
        Err(_) if status == CampaignStatus::Running => return Ok(false),
        Err(errors) => {
            let reason = format!("Its time cannot be read. {}", problem(&Error::Invalid(errors)));
            pause(&tx, &campaign, &reason, now).await?;
            tx.commit().await.map_err(store::Error::from)?;
            return Ok(false);
        }
    };
    let (at, missed) = latest(&times, due_at, now);
    if store::schedule::is_decided(&tx, id, at).await? {
        // Before the clock was set back, say. What became of it stays; it is the next one's turn.
        let next = next(&tx, &campaign, &times, at.max(now), None).await?;
        store::schedule::arm(&tx, id, next).await?;
        if next.is_none() {
            end(&tx, &campaign, now).await?;
        }
        tx.commit().await.map_err(store::Error::from)?;
        return Ok(false);
    }
    let skip = if status == CampaignStatus::Running {
        Some(DueReason::StillRunning)
    } else {
        (times.is_missed(at, judged_by) && campaign.catch_up == CatchUp::Skip).then_some(DueReason::Missed)
    };
    let run = match skip {
        Some(_) => None,
        None => match launch::start(engine, &tx, &actor, &campaign, at).await {
            Ok(run) => Some(run),
            Err(error @ (Error::Invalid(_) | Error::Conflict(_))) => {
                pause(&tx, &campaign, &problem(&error), now).await?;
                tx.commit().await.map_err(store::Error::from)?;
                return Ok(false);
            }
            Err(error) => return Err(error),
        },
    };
    let next = next(&tx, &campaign, &times, at.max(now), run).await?;
    let outcome = if run.is_some() { DueOutcome::Launched } else { DueOutcome::Skipped };
    let due = LastDue { due_at: at, outcome, reason: skip, missed };
    if !store::schedule::decided(&tx, id, &due, run, next, now).await? {
        return Err(Error::internal("an instant was decided twice under one lock"));
    }
    settle(&tx, &campaign, run, next, now).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(run.is_some())
}

/// The latest instant by `now`, and how many there were before it from `due_at` on.
fn latest(times: &Times, due_at: Timestamp, now: Timestamp) -> (Timestamp, i32) {
    let mut at = due_at;
    let mut missed = 0;
    while let Some(next) = times.next(at).filter(|next| *next <= now) {
        at = next;
        missed += 1;
        if missed == MISSED_MAX {
            let recent = std::iter::successors(times.next(at.max(now.plus(-RECENT))), |at| times.next(*at));
            at = recent.take_while(|next| *next <= now).last().unwrap_or(at);
            break;
        }
    }
    (at, i32::try_from(missed).unwrap_or(i32::MAX))
}

/// When it is due next, if it is.
async fn next(
    tx: &Tx,
    campaign: &Campaign,
    times: &Times,
    after: Timestamp,
    run: Option<RunId>,
) -> Result<Option<Timestamp>> {
    let Trigger::Cron { count, .. } = &campaign.trigger else { return Ok(None) };
    let made = store::schedule::runs_made(tx, campaign.id).await? + i32::from(run.is_some());
    Ok(times.next(after).filter(|_| count.is_none_or(|count| made < count)))
}

/// The campaign's status after an instant was decided.
async fn settle(
    tx: &Tx,
    campaign: &Campaign,
    run: Option<RunId>,
    next: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    let scheduled = [CampaignStatus::Scheduled];
    if run.is_some() {
        store::campaigns::set_status(tx, campaign.id, &scheduled, CampaignStatus::Running, now).await?;
    } else if next.is_none() {
        // Nothing went out of one that was to go out once; one that ran before has simply come to its end.
        let is_once = matches!(campaign.trigger, Trigger::Once { .. });
        let end = if is_once { CampaignStatus::Failed } else { CampaignStatus::Completed };
        let ended = store::campaigns::set_status(tx, campaign.id, &scheduled, end, now).await?;
        if is_once && ended {
            store::schedule::explain(tx, campaign.id, MISSED).await?;
        }
    }
    Ok(())
}

/// A campaign whose last instant was decided before has come to its end, unless nothing of it ever went out.
async fn end(tx: &Tx, campaign: &Campaign, now: Timestamp) -> Result<()> {
    let went_out = store::schedule::runs_made(tx, campaign.id).await? > 0;
    let end = if went_out { CampaignStatus::Completed } else { CampaignStatus::Failed };
    let ended = store::campaigns::set_status(tx, campaign.id, &[CampaignStatus::Scheduled], end, now).await?;
    if ended && !went_out {
        store::schedule::explain(tx, campaign.id, DECIDED_BEFORE).await?;
    }
    Ok(())
}

const DECIDED_BEFORE: &str = "Its time came before, and nothing went out then. Duplicate it to send it after all.";

const MISSED: &str = "When it was due it was paused, or the program was down, and it does not catch up. Duplicate it to \
                      send it after all.";

/// It keeps its time: once what is missing is there and somebody resumes it, it goes on by its rule.
async fn pause(tx: &Tx, campaign: &Campaign, reason: &str, now: Timestamp) -> Result<()> {
    let from = [CampaignStatus::Scheduled];
    store::campaigns::set_status(tx, campaign.id, &from, CampaignStatus::Paused, now).await?;
    store::schedule::explain(tx, campaign.id, reason).await?;
    let detail = serde_json::json!({ "reason": reason });
    let subject = campaign.id.to_string();
    store::audit::append(tx, &Actor::worker("scheduler"), now, "pause", ("campaign", &subject), &detail).await?;
    tracing::warn!(campaign.id = %campaign.id, reason, "a campaign that is due cannot start: it is paused");
    Ok(())
}

fn problem(error: &Error) -> String {
    match error {
        Error::Invalid(errors) => errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_due_while_it_is_busy_is_judged_by_the_look_before() {
        let at = Timestamp::from_seconds;
        assert_eq!(Looks::default().judged_by(at(1_000)), at(1_000), "the first one");
        let long = Looks { last: Some((at(1_000), at(1_300))) };
        assert_eq!(long.judged_by(at(1_301)), at(1_000));
        assert_eq!(long.judged_by(at(1_360)), at(1_000));
        assert_eq!(long.judged_by(at(1_361)), at(1_361), "it was away");
        assert_eq!(long.judged_by(at(900)), at(900), "the clock was set back");
    }
}
