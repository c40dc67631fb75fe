//! Forecasts of runs: what is queued, by when it is due and by whose clock, against the rates that hold for it.

mod queue;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{
    ids::RunId,
    message::Channel,
    run::{CurvePoint, Expectation, Forecast, Quiet, Rehearsal, Run, RunStatus},
    settings::{SendingState, Settings},
    time::Timestamp,
};
use store::{
    ConnectionTrait,
    runs::{DueGroup, Progress, RunLane, Someone, UnderWay},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::queue::{Asked, PART, RESTS, look, queued};
use super::{processes, settings};
use crate::{
    Engine, Result,
    forecast::{self, Day, Due, Expected, Outlook, Window},
    quiet::{self, Holidays, Place, Policy},
    zones::zones_of,
};

/// So much is looked ahead where nights or full days are in the way.
const HORIZON: i64 = 30 * Timestamp::DAY;

/// And where nothing is: a century is no forecast any more.
const FOREVER: i64 = 100 * 365 * Timestamp::DAY;

/// How exact a forecast has to be.
#[derive(Clone, Copy)]
enum Patience {
    /// For a page: what was read lately serves.
    Short,
    /// For what is kept: read now, however long it takes.
    ToTheEnd,
}

/// What forecasts of runs are reckoned from, and those that are being reckoned.
#[derive(Default)]
pub(crate) struct Cache {
    queues: queue::Cache,
    /// The large runs of which it is being reckoned what is expected of them.
    keeping: Mutex<HashSet<RunId>>,
}

impl Cache {
    fn keeping(&self) -> MutexGuard<'_, HashSet<RunId>> {
        self.keeping.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be expected of a run from now on; nothing of one that does not go on by itself.
pub(crate) async fn of(engine: &Engine, run: &Run) -> Result<Forecast> {
    reckoned(engine, run, Patience::Short).await
}

async fn reckoned(engine: &Engine, run: &Run, patience: Patience) -> Result<Forecast> {
    if !matches!(run.status, RunStatus::Planning | RunStatus::Running | RunStatus::Rehearsed) {
        return Ok(Forecast::default());
    }
    let now = engine.now();
    let db = engine.db().reader();
    let others = async { Ok(store::runs::lanes(db, now).await?) };
    let (paces, settings, lane, others) =
        tokio::try_join!(processes::paces(engine), settings::current(engine), lane_of(db, run.id, now), others)?;
    let rate_now = paces.runs.get(&run.id).copied().unwrap_or(0.0);
    if settings.sending.state == SendingState::Held && run.status != RunStatus::Rehearsed {
        return Ok(Forecast { rate_now, ..Forecast::default() });
    }
    // Nothing goes out of what this version cannot read.
    let Some(lane) = lane else { return Ok(Forecast { rate_now, ..Forecast::default() }) };
    let now = now.max(lane.snapshot_at);
    let hours = {
        let holidays = Holidays::of(&settings.holidays);
        quiet::of_run(&settings, &holidays, &lane.rules)
    };
    let by_clock = !hours.is_free();
    let waiting = async {
        Ok(match patience {
            Patience::Short => waiting(engine, run, (now, by_clock)).await,
            Patience::ToTheEnd => Arc::new(queued(engine, run.id, (now, by_clock), RESTS).await?),
        })
    };
    let segments = run.rehearsal.as_ref().map_or(1.0, Rehearsal::segments_a_text);
    let (waiting, day) = tokio::try_join!(waiting, day(engine, &settings, &lane))?;
    let horizon = now.plus(if hours.is_free() && settings.whatsapp_daily_people.is_none() { FOREVER } else { HORIZON });
    let (mut due, windows) = by_windows(&waiting, &hours, (now, horizon));
    brought_up(&mut due, (run.ledger.queued, run.quiet), now);
    due.push(Due { at: now, count: run.ledger.sending, windows: None });
    let left: i64 = due.iter().map(|due| due.count).sum();
    let due_now: i64 = due.iter().filter(|due| due.at <= now).map(|due| due.count).sum();
    // What it really does, as long as there is enough to do.
    let rate = if rate_now > 0.0 && due_now as f64 >= rate_now {
        rate_now
    } else {
        allowed(&settings, (&lane, segments), &others)
    };
    let meant = run.ledger.planned - run.ledger.skipped - run.ledger.cancelled;
    let outlook = Outlook { now, sent: (meant - left).max(0), rate, due: &due, windows: &windows, day, horizon };
    let Expected { points, ends } = outlook.expected();
    // A rehearsed plan of nobody has no end.
    let goes_out = left > 0 || run.status != RunStatus::Rehearsed;
    let finish_at = points.last().filter(|_| ends && goes_out).map(|last| last.at);
    Ok(Forecast { finish_at, rate_now, curve: points, ..Forecast::default() })
}

/// The run with its sender; none where this version cannot read it.
async fn lane_of(db: &impl ConnectionTrait, run: RunId, now: Timestamp) -> Result<Option<RunLane>> {
    match store::runs::lane(db, run, now).await {
        Err(store::Error::Corrupt { .. }) => Ok(None),
        lane => Ok(Some(lane?)),
    }
}

/// What is queued by when it is due. As long as that is being read for the first time: what the ledger says.
async fn waiting(engine: &Engine, run: &Run, (now, by_clock): (Timestamp, bool)) -> Arc<Vec<DueGroup>> {
    let asked = Asked { run: run.id, rehearsed: run.status == RunStatus::Rehearsed, by_clock };
    if let Some(due) = look(engine, asked, now).await {
        return due;
    }
    let group = |at, count| DueGroup { at, count, someone: None };
    let asleep = run.quiet.messages;
    let awake = group(now, (run.ledger.queued - asleep).max(0));
    Arc::new(std::iter::once(awake).chain(run.quiet.until.map(|until| group(until, asleep))).collect())
}

/// The groups with the windows that bind each of them; who has no clock is not waited for.
fn by_windows(groups: &[DueGroup], hours: &Policy, within: Window) -> (Vec<Due>, Vec<Vec<Window>>) {
    let mut windows: Vec<Vec<Window>> = Vec::new();
    let mut places: BTreeMap<&Someone, Option<usize>> = BTreeMap::new();
    let mut due = Vec::with_capacity(groups.len());
    for group in groups {
        let of = group.someone.as_ref().and_then(|someone| {
            *places.entry(someone).or_insert_with(|| {
                let zones = zones_of(&someone.phone, someone.timezone.as_deref());
                if zones.is_empty() {
                    return None;
                }
                let place = Place::of(&someone.phone, someone.country.as_deref(), &zones);
                let found = hours.windows(&zones, place, within);
                Some(windows.iter().position(|known| *known == found).unwrap_or_else(|| {
                    windows.push(found);
                    windows.len() - 1
                }))
            })
        });
        due.push(Due { at: group.at, count: group.count, windows: of });
    }
    (merged(due), windows)
}

/// What was read a moment ago, by what the ledger says now: what is queued besides sleeps, as far as the ledger knows of
/// more who do, or is due; what is not queued any more was the first.
fn brought_up(due: &mut Vec<Due>, (queued, quiet): (i64, Quiet), now: Timestamp) {
    let mut gone = due.iter().map(|due| due.count).sum::<i64>() - queued;
    if gone < 0 {
        let known_asleep: i64 = due.iter().filter(|due| due.at > now).map(|due| due.count).sum();
        let asleep = (quiet.messages - known_asleep).clamp(0, -gone);
        due.push(Due { at: now, count: -gone - asleep, windows: None });
        due.push(Due { at: quiet.until.unwrap_or(now), count: asleep, windows: None });
    }
    for due in due.iter_mut() {
        let part = due.count.min(gone.max(0));
        due.count -= part;
        gone -= part;
    }
}

/// One of each time and windows.
fn merged(due: Vec<Due>) -> Vec<Due> {
    let mut sums: BTreeMap<(Timestamp, Option<usize>), i64> = BTreeMap::new();
    due.into_iter().for_each(|due| *sums.entry((due.at, due.windows)).or_default() += due.count);
    sums.into_iter().map(|((at, windows), count)| Due { at, count, windows }).collect()
}

/// Messages a second: the campaign's own rate, and its share by weight of what its sender and the account may. The sender's
/// rate is of segments, of which each text takes so many.
fn allowed(settings: &Settings, (lane, segments): (&RunLane, f64), lanes: &[RunLane]) -> f64 {
    let others = || {
        lanes.iter().filter(|other| other.run != lane.run && other.has_queued && other.sender.sender.blocked.is_none())
    };
    let weight = f64::from(lane.weight);
    let share = |of: f64| weight / (weight + of);
    let on_sender: f64 = others()
        .filter(|other| other.sender.sender.id == lane.sender.sender.id)
        .map(|other| f64::from(other.weight))
        .sum();
    let on_account: f64 = others().map(|other| f64::from(other.weight)).sum();
    let of_sender = f64::from(lane.sender.sender.rate_per_second) / segments * share(on_sender);
    let of_account = settings.account_rate_per_second.map(|rate| f64::from(rate) * share(on_account));
    let own = lane.rate_per_second.map(f64::from);
    [Some(of_sender), of_account, own].into_iter().flatten().fold(f64::INFINITY, f64::min)
}

/// What WhatsApp's limit leaves to campaigns.
async fn day(engine: &Engine, settings: &Settings, lane: &RunLane) -> Result<Option<Day>> {
    let Some(people) = settings.whatsapp_daily_people.filter(|_| lane.sender.sender.channel == Channel::Whatsapp)
    else {
        return Ok(None);
    };
    let people = i64::from(people) * (100 - i64::from(settings.whatsapp_reply_share)) / 100;
    let account = &engine.config().provider.account_sid;
    let since = engine.now().plus(-Timestamp::DAY);
    let used = store::daily_recipients::by_hour(engine.db().reader(), account, since).await?;
    Ok(Some(Day { people, used }))
}

/// What was expected of a run when it began, and what happened.
pub(crate) async fn beside(engine: &Engine, run: &Run) -> Result<(Option<Expectation>, Vec<CurvePoint>)> {
    let Some(started) = run.started_at else { return Ok((None, Vec::new())) };
    let db = engine.db().reader();
    let (expected, noted) = tokio::try_join!(store::runs::foretold(db, run.id), store::runs::progress(db, run.id))?;
    let at = run.finished_at.unwrap_or_else(|| engine.now());
    Ok((expected, forecast::happened(&noted, started, CurvePoint { at, sent: run.ledger.tried() })))
}

/// Notes where those of these runs stand that are under way.
pub(crate) async fn note_progress(engine: &Engine, runs: &[RunId]) -> Result<()> {
    let now = engine.now();
    let under_way = store::runs::under_way(engine.db().lookout(), runs).await?;
    let note = |of: UnderWay| Progress {
        run: of.run,
        stretch: forecast::stretch(now.since(of.started_at)),
        sent: of.ledger.tried(),
    };
    let notes: Vec<_> = under_way.into_iter().map(note).collect();
    if notes.is_empty() {
        return Ok(());
    }
    let tx = engine.db().begin().await?;
    store::runs::note_progress(&tx, now, &notes).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(())
}

/// Keeps what is expected of the runs that have just begun: of a large one `beside` what goes on, because it takes a while. At a
/// stop that is broken off; whoever plans next begins anew.
pub(crate) async fn keep_new(engine: &Engine, stop: &CancellationToken, beside: &TaskTracker) -> Result<()> {
    let db = engine.db().reader();
    for id in store::runs::not_foretold(db).await? {
        let run = store::runs::get(db, id).await?;
        if run.ledger.queued <= PART as i64 {
            keep(engine, &run).await?;
        } else if let Some(keeper) = Keeper::of(engine, id) {
            let stop = stop.clone();
            beside.spawn(async move {
                if let Some(Err(error)) = stop.run_until_cancelled(keep(&keeper.0, &run)).await {
                    tracing::error!(%error, run.id = %run.id, "what is expected of a run could not be kept; it is tried again");
                }
            });
        }
    }
    Ok(())
}

/// Nobody else keeps what is expected of this run meanwhile.
struct Keeper(Engine, RunId);

impl Keeper {
    fn of(engine: &Engine, run: RunId) -> Option<Self> {
        engine.inner().forecasts.keeping().insert(run).then(|| Self(engine.clone(), run))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.inner().forecasts.keeping().remove(&self.1);
    }
}

async fn keep(engine: &Engine, run: &Run) -> Result<()> {
    let Forecast { finish_at, curve, .. } = reckoned(engine, run, Patience::ToTheEnd).await?;
    // Nothing is expected while all sending is held.
    if !curve.is_empty() {
        store::runs::foretell(engine.db().writer(), run.id, &Expectation { finish_at, curve }).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_is_brought_up_to_the_ledger() {
        let at = |seconds| Timestamp::from_seconds(seconds);
        let due = |seconds, count| Due { at: at(seconds), count, windows: None };
        let counts = |queued, quiet| {
            let mut known = vec![due(5, 10), due(9, 10)];
            brought_up(&mut known, (queued, quiet), at(5));
            known.into_iter().map(|due| (due.at, due.count)).filter(|(_, count)| *count > 0).collect::<Vec<_>>()
        };
        let nobody = Quiet::default();
        assert_eq!(counts(20, nobody), [(at(5), 10), (at(9), 10)]);
        assert_eq!(counts(7, nobody), [(at(9), 7)], "the first are gone");
        assert_eq!(counts(26, nobody), [(at(5), 10), (at(9), 10), (at(5), 6)], "these were planned since");
        assert_eq!(counts(0, nobody), []);
        let asleep = Quiet { messages: 14, until: Some(at(8)), ..Quiet::default() };
        assert_eq!(counts(26, asleep), [(at(5), 10), (at(9), 10), (at(5), 2), (at(8), 4)], "and of these four sleep");
    }
}
