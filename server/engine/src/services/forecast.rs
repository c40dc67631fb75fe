//! Forecasts of runs: what is queued, by when it is due and by whose clock, against the rates that hold for it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::{
    ids::RunId,
    message::Channel,
    run::{CurvePoint, Expectation, Forecast, Run, RunStatus},
    settings::{SendingState, Settings},
    time::Timestamp,
};
use store::runs::{DueGroup, RunLane, Someone};
use tokio::time::Instant;

use super::{processes, settings};
use crate::{
    Engine, Result,
    forecast::{Day, Due, Expected, Outlook, Window},
    quiet::{self, Holidays, Place, Policy},
    zones::zones_of,
};

/// How much longer than it took what was read for a forecast serves: so it costs a twentieth of the time at most, however
/// many look at it.
const SERVES: u32 = 20;

/// So much is looked ahead where nights or full days are in the way.
const HORIZON: i64 = 30 * Timestamp::DAY;

/// And where nothing is: a century is no forecast any more.
const FOREVER: i64 = 100 * 365 * Timestamp::DAY;

/// Points of what happened.
const ACTUAL_POINTS: i64 = 96;

/// What is queued of the runs that were looked at lately.
#[derive(Default)]
pub(crate) struct Cache {
    due: Mutex<HashMap<RunId, Read<DueGroup>>>,
    actual: Mutex<HashMap<RunId, Read<CurvePoint>>>,
}

struct Read<T> {
    until: Instant,
    rows: Arc<Vec<T>>,
}

/// Runs that are kept in mind.
const KEPT: usize = 256;

fn known<T>(cache: &Mutex<HashMap<RunId, Read<T>>>, run: RunId) -> Option<Arc<Vec<T>>> {
    let cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    cache.get(&run).filter(|read| read.until > Instant::now()).map(|read| read.rows.clone())
}

fn keep<T>(cache: &Mutex<HashMap<RunId, Read<T>>>, run: RunId, rows: Vec<T>, took: Duration) -> Arc<Vec<T>> {
    let rows = Arc::new(rows);
    let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    if cache.len() >= KEPT {
        cache.clear();
    }
    cache.insert(run, Read { until: Instant::now() + took * SERVES, rows: rows.clone() });
    rows
}

/// What is to be expected of a run from now on; nothing of one that does not go on by itself.
pub(crate) async fn of(engine: &Engine, run: &Run) -> Result<Forecast> {
    if !matches!(run.status, RunStatus::Planning | RunStatus::Running | RunStatus::Rehearsed) {
        return Ok(Forecast::default());
    }
    let now = engine.now();
    let rate_now = processes::paces(engine).await?.runs.get(&run.id).copied().unwrap_or(0.0);
    let settings = settings::current(engine).await?;
    if settings.sending.state == SendingState::Held && run.status != RunStatus::Rehearsed {
        return Ok(Forecast { rate_now, ..Forecast::default() });
    }
    let lane = store::runs::lane(engine.db().reader(), run.id).await?;
    let hours = {
        let holidays = Holidays::of(&settings.holidays);
        quiet::of_campaign(&settings, &holidays, lane.rules.category, lane.rules.quiet_hours)
    };
    let waiting = waiting(engine, run, now, !hours.is_free()).await?;
    let horizon = now.plus(if hours.is_free() && settings.whatsapp_daily_people.is_none() { FOREVER } else { HORIZON });
    let (mut due, windows) = by_windows(&waiting, &hours, (now, horizon));
    due.push(Due { at: now, count: run.ledger.sending, windows: None });
    let left: i64 = due.iter().map(|due| due.count).sum();
    let due_now: i64 = due.iter().filter(|due| due.at <= now).map(|due| due.count).sum();
    let allowed = allowed(engine, &settings, &lane).await?;
    // What it really does, as long as there is enough to do.
    let rate = if rate_now > 0.0 && due_now as f64 >= rate_now { rate_now } else { allowed };
    let meant = run.ledger.planned - run.ledger.skipped - run.ledger.cancelled;
    let day = day(engine, &settings, &lane).await?;
    let outlook = Outlook { now, sent: (meant - left).max(0), rate, due: &due, windows: &windows, day, horizon };
    let Expected { points, ends } = outlook.expected();
    let finish_at = points.last().filter(|_| ends).map(|last| last.at);
    Ok(Forecast { finish_at, rate_now, curve: points, ..Forecast::default() })
}

async fn waiting(engine: &Engine, run: &Run, now: Timestamp, by_clock: bool) -> Result<Arc<Vec<DueGroup>>> {
    let cache = &engine.inner().forecasts.due;
    if let Some(known) = known(cache, run.id) {
        return Ok(known);
    }
    let began = Instant::now();
    let due = store::runs::due(engine.db().reader(), run.id, now, by_clock).await?;
    Ok(keep(cache, run.id, due, began.elapsed()))
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

/// One of each time and windows.
fn merged(due: Vec<Due>) -> Vec<Due> {
    let mut sums: BTreeMap<(Timestamp, Option<usize>), i64> = BTreeMap::new();
    due.into_iter().for_each(|due| *sums.entry((due.at, due.windows)).or_default() += due.count);
    sums.into_iter().map(|((at, windows), count)| Due { at, count, windows }).collect()
}

/// Messages a second: the campaign's own rate, and its share by weight of what its sender and the account may.
async fn allowed(engine: &Engine, settings: &Settings, lane: &RunLane) -> Result<f64> {
    let others = store::runs::lanes(engine.db().reader()).await?;
    let others = || others.iter().filter(|other| other.run != lane.run && other.has_queued);
    let weight = f64::from(lane.weight);
    let share = |of: f64| weight / (weight + of);
    let on_sender: f64 = others()
        .filter(|other| other.sender.sender.id == lane.sender.sender.id)
        .map(|other| f64::from(other.weight))
        .sum();
    let on_account: f64 = others().map(|other| f64::from(other.weight)).sum();
    let of_sender = f64::from(lane.sender.sender.rate_per_second) * share(on_sender);
    let of_account = settings.account_rate_per_second.map(|rate| f64::from(rate) * share(on_account));
    let own = lane.rate_per_second.map(f64::from);
    Ok([Some(of_sender), of_account, own].into_iter().flatten().fold(f64::INFINITY, f64::min))
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

/// What happened of a run, and what had been expected of it.
pub(crate) async fn beside(engine: &Engine, run: &Run, forecast: &mut Forecast) -> Result<()> {
    let Some(started) = run.started_at else { return Ok(()) };
    forecast.at_launch = store::runs::foretold(engine.db().reader(), run.id).await?;
    let cache = &engine.inner().forecasts.actual;
    let actual = match known(cache, run.id) {
        Some(known) => known,
        None => {
            let began = Instant::now();
            let end = run.finished_at.unwrap_or_else(|| engine.now());
            let slot = (end.since(started) / ACTUAL_POINTS).max(Timestamp::SECOND);
            let rows = store::runs::handed_over(engine.db().reader(), run.id, slot).await?;
            keep(cache, run.id, rows, began.elapsed())
        }
    };
    forecast.actual = actual.iter().copied().collect();
    Ok(())
}

/// Keeps what is expected of the runs that have just begun.
pub(crate) async fn keep_new(engine: &Engine) -> Result<()> {
    let db = engine.db();
    for id in store::runs::not_foretold(db.reader()).await? {
        let run = store::runs::get(db.reader(), id).await?;
        let Forecast { finish_at, curve, .. } = of(engine, &run).await?;
        store::runs::foretell(db.writer(), id, &Expectation { finish_at, curve }).await?;
    }
    Ok(())
}
