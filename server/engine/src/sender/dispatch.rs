//! The claim loop: which lane, how many, and each of them on its way.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::{
    ids::SenderId,
    settings::{SendingState, Settings},
    time::Timestamp,
};
use store::{
    messages::{Claimed, Lane, Lease},
    runs::RunLane,
    senders::SenderRow,
};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::{
    Cap, Claim, LaneContext, RunContext, Shared, breaker, caps, content, lanes::Lanes, load::Of, prepare,
    stop::stop_run,
};
use crate::{
    Engine, Error, Result,
    bell::Who,
    quiet::{self, Holidays},
    retry::retrying,
    services::{provider_accounts, settings},
    templates::Compiled,
    throttle::{Budget, Key, Limit},
};

/// How often the lanes are looked up: launching, pausing and holding take effect within this time, also without a bell.
const REFRESH: Duration = Duration::from_millis(250);

/// Messages in one claim at most: a batch that costs little a message and is sent within a second.
const BATCH: usize = 256;

/// After an error, before the lane is tried again.
const PAUSE: i64 = Timestamp::SECOND;

pub(super) async fn run(shared: &Arc<Shared>, deliveries: &TaskTracker) {
    let mut lanes: Lanes<Arc<LaneContext>> = Lanes::default();
    let mut refreshed: Option<Instant> = None;
    let mut latest = Timestamp::default();
    // Opt-outs are followed from the first look on; only what is claimed after it has seen those before it.
    tokio::select! {
        () = shared.engine.inner().opt_outs.current() => {}
        () = shared.stop.cancelled() => {}
    }
    while !shared.stop.is_cancelled() {
        if refreshed.is_none_or(|at| at.elapsed() >= REFRESH) {
            refresh(shared, &mut lanes).await;
            refreshed = Some(Instant::now());
        }
        let now = shared.engine.now();
        if now < latest {
            // The clock was set back: nobody waits until it has caught up.
            lanes.wake_all();
        }
        latest = now;
        // An account whose part is used up keeps no other's lane waiting.
        let has_room = |context: &Arc<LaneContext>| shared.load.room(&context.of) > 0;
        match lanes.next(now, has_room) {
            Some((lane, context)) => {
                if let Err(error) = serve(shared, deliveries, &mut lanes, &context).await {
                    tracing::error!(%error, ?lane, "claiming failed");
                    lanes.wait(lane, now.plus(PAUSE));
                }
            }
            None => {
                if wait(shared, lanes.next_time(has_room), now).await {
                    lanes.wake_all();
                    refreshed = None;
                }
            }
        }
    }
}

/// Waits for work: for the time of a lane that there is room for, for more room, for the bell. True when the bell may have
/// rung.
async fn wait(shared: &Shared, next: Option<Timestamp>, now: Timestamp) -> bool {
    let until_next = next.map_or(REFRESH, |next| Duration::from_micros(u64::try_from(next.since(now)).unwrap_or(0)));
    let at_most = until_next.clamp(Duration::from_millis(1), REFRESH);
    let bell = &shared.engine.inner().bell;
    let began = Instant::now();
    tokio::select! {
        () = shared.stop.cancelled() => false,
        () = shared.load.freed() => false,
        // The bell also returns when nobody rang in time.
        () = bell.wait(Who::Senders, at_most) => began.elapsed() < at_most,
    }
}

/// Looks the lanes up. When that fails there are none: nothing is sent that was not looked at.
async fn refresh(shared: &Shared, lanes: &mut Lanes<Arc<LaneContext>>) {
    let at = Instant::now();
    let looked = look_up(shared).await.unwrap_or_else(|error| {
        tracing::error!(%error, "the lanes cannot be looked up: nothing is sent for the moment");
        Looked::default()
    });
    shared.set_open(at, looked.open);
    let of_runs = looked.waiting.iter().filter(|(lane, ..)| matches!(lane, Lane::Run { .. }));
    shared.load.share(of_runs.map(|(_, _, context, _)| context.sender.sender.account_sid.as_str()));
    lanes.set(looked.waiting);
}

/// What the database says may be sent from.
#[derive(Default)]
struct Looked {
    /// All lanes that are neither held nor paused: what is claimed of others is given back.
    open: BTreeSet<Lane>,
    /// Those of them with messages to claim, their senders and weights.
    waiting: Vec<(Lane, SenderId, Arc<LaneContext>, i32)>,
}

async fn look_up(shared: &Shared) -> Result<Looked> {
    let engine = &shared.engine;
    let now = engine.now();
    let settings = settings::current(engine).await?;
    let mut looked = Looked::default();
    if settings.sending.state == SendingState::Held || !engine.inner().permit.is_given() {
        return Ok(looked);
    }
    let account = settings.account_rate_per_second;
    let budget = budget(&settings);
    let holidays = Holidays::of(&settings.holidays);
    let accounts = provider_accounts::current(engine).await?;
    let db = engine.db().lookout();
    breaker::look_after(engine).await?;
    let caught_up = &engine.inner().caught_up;
    let waiting = store::messages::single_lanes(db).await?;
    if !waiting.is_empty() || shared.load.claimed() > 0 {
        let senders = store::senders::list(db).await?;
        for sender in senders.into_iter().filter(|row| row.sender.enabled && row.sender.held.is_none()) {
            let Some(login) = provider_accounts::find(engine, &accounts, &sender.sender.account_sid) else { continue };
            let lane = Lane::Singles { sender: sender.sender.id };
            let probe = sender.sender.blocked.is_some();
            looked.open.insert(lane);
            // Somebody may have written STOP while nobody was there to take it: then they get no reply and no code either.
            if !waiting.contains(&sender.sender.id) || !may_try(&sender, now) || !caught_up.is_ready() {
                continue;
            }
            let limits = limits(account, &sender, None);
            let enforce_window = settings.enforce_whatsapp_window;
            let hours = quiet::of_singles(&settings, &holidays);
            let caps = caps::of_singles(&settings);
            let (of, run) = (Of::Singles, None);
            let context =
                LaneContext { lane, of, sender, login, limits, run, enforce_window, hours, caps, budget, probe };
            looked.waiting.push((lane, context.sender.sender.id, Arc::new(context), 1));
        }
    }
    let runs = store::runs::lanes(db, now).await?;
    let keys = caps::keys(engine, &settings).await?;
    for run in runs {
        let Some(login) = provider_accounts::find(engine, &accounts, &run.sender.sender.account_sid) else { continue };
        let lane = Lane::Run { run: run.run, topic: run.topic };
        looked.open.insert(lane);
        if !run.has_due || !may_try(&run.sender, now) || !caught_up.has(run.sender.sender.id) {
            continue;
        }
        let Some(template) = template_of(engine, &run).await? else { continue };
        let own = run.rate_per_second.map(|rate| Limit { key: Key::Run(run.run), per_second: per_second(rate) });
        let caps = caps::of_run(&settings, &keys, run.rules.category, run.topic);
        let hours = quiet::of_run(&settings, &holidays, &run.rules);
        let context = LaneContext {
            lane,
            of: shared.load.part(&run.sender.sender.account_sid),
            hours,
            caps,
            limits: limits(account, &run.sender, own),
            budget,
            probe: run.sender.sender.blocked.is_some(),
            sender: run.sender,
            login,
            run: Some(RunContext { rules: run.rules, topic: run.topic, template }),
            enforce_window: settings.enforce_whatsapp_window,
        };
        looked.waiting.push((lane, context.sender.sender.id, Arc::new(context), run.weight));
    }
    Ok(looked)
}

/// Whether messages may go out, or one of them may try.
fn may_try(sender: &SenderRow, now: Timestamp) -> bool {
    sender.sender.blocked.as_ref().is_none_or(|blocked| blocked.next_try_at <= now)
}

/// The run's template; a run without a usable one is paused and says so.
async fn template_of(engine: &Engine, run: &RunLane) -> Result<Option<Arc<Compiled>>> {
    let error = match content::compiled(engine, run.template).await {
        Ok(template) => return Ok(Some(template)),
        Err(error) => error,
    };
    let Some(fault) = content::fault_of_version(&error) else { return Err(error) };
    let reason = format!("Version {} of the template cannot be used: {fault}", run.template.1);
    stop_run(engine, run.run, run.campaign, &reason).await?;
    Ok(None)
}

fn budget(settings: &Settings) -> Option<Budget> {
    let people = u32::try_from(settings.whatsapp_daily_people?).unwrap_or(0);
    Some(Budget::keeping(people, u32::try_from(settings.whatsapp_reply_share).unwrap_or(0)))
}

fn limits(account: Option<i32>, sender: &SenderRow, own: Option<Limit>) -> Vec<Limit> {
    let sender = Limit { key: Key::Sender(sender.sender.id), per_second: per_second(sender.sender.rate_per_second) };
    let account = account.map(|rate| Limit { key: Key::Account, per_second: per_second(rate) });
    [Some(sender), own, account].into_iter().flatten().collect()
}

fn per_second(rate: i32) -> u32 {
    u32::try_from(rate).unwrap_or(1).max(1)
}

/// Takes one batch out of a lane and sends it on its way.
async fn serve(
    shared: &Arc<Shared>,
    deliveries: &TaskTracker,
    lanes: &mut Lanes<Arc<LaneContext>>,
    context: &Arc<LaneContext>,
) -> Result<()> {
    let engine = &shared.engine;
    let now = engine.now();
    if let Some(until) = context.day_full_until(shared).filter(|until| prepare::is_still_full(*until, now)) {
        lanes.wait(context.lane, until.min(now.plus(PAUSE)));
        return Ok(());
    }
    let room = u32::try_from(shared.load.room(&context.of).min(BATCH)).unwrap_or(u32::MAX);
    // Of a blocked sender one message goes out, however many are looked at.
    let want = if context.probe { room.min(1) } else { room };
    let grant = engine.inner().throttle.grant(now, &context.limits, want).await;
    let until = now.plus(micros(grant.retry_after));
    // Without an answer there is nothing for anybody.
    let waits = |other: &Arc<LaneContext>| grant.narrowest.is_none_or(|key| other.has_limit(key));
    if grant.granted == 0 {
        lanes.wait_together(until, waits);
        return Ok(());
    }
    // An owner for each claim: an outcome that is written twice changes nothing of a later claim.
    let began = Instant::now();
    let lease = Lease { until: now.plus(micros(engine.config().lease)), owner: rand::random_range(1..i64::MAX) };
    let claimed = if context.probe {
        breaker::claim_probe(engine, context.sender.sender.id, (context.lane, &context.caps), lease, room).await
    } else {
        claim(shared, now, context, lease, grant.granted).await
    };
    let taken = claimed.as_ref().map_or(0, |claimed| u32::try_from(claimed.len()).unwrap_or(0));
    let turns = taken.min(grant.granted);
    if turns < grant.granted {
        engine.inner().throttle.give_back(now, &context.limits, grant.granted - turns).await;
    }
    let claimed = claimed?;
    context.of.found(!claimed.is_empty());
    if context.probe {
        // One tries at a time, and what becomes of it is seen when the lanes are looked up.
        lanes.wait(context.lane, now.plus(micros(REFRESH)));
    } else if claimed.is_empty() {
        rest(shared, lanes, context.lane, now).await?;
    }
    lanes.served(context.lane, usize::try_from(turns).unwrap_or(0));
    if grant.granted < want {
        // What this lane had no use for is the others' now; it asks again when there is more.
        if turns == grant.granted {
            lanes.wait_together(until, waits);
        } else {
            lanes.wait(context.lane, until);
        }
    }
    metrics::counter!("messages_claimed_total").increment(u64::from(taken));
    let claimed: Vec<_> =
        claimed.into_iter().map(|message| (shared.hold(message.contact_id, &context.of), message)).collect();
    if !claimed.is_empty() {
        let claim = Claim { lease, began };
        deliveries.spawn(prepare::prepare(shared.clone(), context.clone(), claimed, claim, deliveries.clone()));
    }
    Ok(())
}

async fn claim(
    shared: &Shared,
    now: Timestamp,
    context: &LaneContext,
    lease: Lease,
    limit: u32,
) -> Result<Vec<Claimed>> {
    let caps: &[Cap] = &context.caps;
    let began = Instant::now();
    let claimed = retrying!(
        async {
            let tx = shared.engine.db().begin().await?;
            let mut claimed = store::messages::claim(&tx, now, context.lane, lease, limit).await?;
            caps::count(&tx, now, lease, caps, &mut claimed).await?;
            tx.commit().await.map_err(store::Error::from)?;
            Ok::<_, Error>(claimed)
        }
        .await
    )?;
    if !claimed.is_empty() {
        metrics::histogram!("claim_batch_seconds").record(began.elapsed().as_secs_f64());
    }
    Ok(claimed)
}

/// What is due and cannot be claimed is being claimed by another process: until it has done so.
const IN_HAND: i64 = 5_000;

/// Nothing is due: the lane waits for its next message.
async fn rest(shared: &Shared, lanes: &mut Lanes<Arc<LaneContext>>, lane: Lane, now: Timestamp) -> Result<()> {
    let soon = now.plus(micros(REFRESH));
    let next = store::messages::next_due(shared.engine.db().lookout(), lane).await?;
    lanes.wait(lane, next.map_or(soon, |next| next.max(now.plus(IN_HAND)).min(soon)));
    Ok(())
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
