//! A run's plan: message rows inserted by the database, chunk by chunk, each chunk one transaction with the cursor.
//! Whatever stops the process, the next one goes on after the last chunk that was committed.

mod events;
pub(crate) mod local;
mod rehearse;
mod waiting;

use std::{collections::BTreeSet, time::Duration};

use domain::{
    campaign::Late,
    ids::{MessageId, RunId},
    reason::Reason,
    run::Rules,
    time::Timestamp,
};
use store::{
    Kind, Tx,
    rehearsals::LeftOut,
    runs::{Asleep, Planned, RunPlan},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::local::{Due, DueTimes};
use crate::{
    Engine, Error, Result,
    bell::Who,
    quiet::{self, Holidays, Policy},
    retry::{is_passing, retrying},
    services::{forecast, settings},
    zones::zones_of,
};

/// How often runs to plan are looked for without a bell.
const LOOK: Duration = Duration::from_secs(1);

/// After an error, before the run is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// People of one chunk: on SQLite a transaction holds the only writer.
const fn chunk(kind: Kind) -> u32 {
    match kind {
        Kind::Postgres => 10_000,
        Kind::Sqlite => 2_000,
    }
}

/// From so many messages on, the database looks at the table anew before it plans its queries.
const LARGE: i64 = 10_000;

/// Plans runs until told to stop.
pub async fn run(engine: Engine, stop: CancellationToken) {
    let beside = TaskTracker::new();
    let mut looked = waiting::Looked::default();
    while !stop.is_cancelled() {
        if engine.inner().permit.is_outdated() {
            let _ = tokio::time::timeout(PAUSE, stop.cancelled()).await;
            continue;
        }
        // Those who wait for events do not wait for a large plan, nor the other way round.
        let planned = events_alone(&engine, &stop).await.and(plan_all(&engine, &stop, &beside).await);
        // Who sleeps does not wait for a run that cannot be planned.
        let planned = looked.look(&engine, &stop).await.and(planned);
        match planned {
            Ok(()) => {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = engine.inner().bell.wait(Who::Planner, LOOK) => {}
                }
            }
            Err(error) => {
                tracing::error!(%error, "planning failed; trying again");
                let _ = tokio::time::timeout(PAUSE, stop.cancelled()).await;
            }
        }
    }
    beside.close();
    // The stop has broken them off.
    beside.wait().await;
}

/// Plans what events wait for now, once.
///
/// # Errors
/// What the database says; what was planned by then stays planned.
pub async fn plan_events(engine: &Engine) -> Result<()> {
    events_alone(engine, &CancellationToken::new()).await
}

async fn events_alone(engine: &Engine, stop: &CancellationToken) -> Result<()> {
    let mut failed = Failed::default();
    events::plan_all(engine, stop, &mut failed).await?;
    failed.told()
}

/// The runs of which something cannot be planned now. The others' turn comes all the same.
#[derive(Default)]
struct Failed {
    runs: BTreeSet<RunId>,
    /// The last of what was wrong.
    error: Option<Error>,
    /// Something of it may well succeed in a moment: it is not to wait for the end of a large plan.
    is_passing: bool,
}

impl Failed {
    fn add(&mut self, run: RunId, error: Error) {
        tracing::error!(%error, run.id = %run, "a run cannot be planned now");
        self.is_passing |= is_passing(&error);
        self.runs.insert(run);
        self.error = Some(error);
    }

    /// Those of these runs that have not failed.
    fn others(&self, mut plans: Vec<RunPlan>) -> Vec<RunPlan> {
        plans.retain(|plan| !self.runs.contains(&plan.run));
        plans
    }

    fn told(self) -> Result<()> {
        self.error.map_or(Ok(()), Err)
    }
}

/// Plans what there is to plan: a chunk of each run in turn, so that a small run does not wait for a large one.
async fn plan_all(engine: &Engine, stop: &CancellationToken, beside: &TaskTracker) -> Result<()> {
    rehearse::remove_discarded(engine, stop).await?;
    forecast::keep_new(engine, stop, beside).await?;
    let mut failed = Failed::default();
    loop {
        let plans = failed.others(store::runs::to_plan(engine.db().lookout()).await?);
        if plans.is_empty() || failed.is_passing || stop.is_cancelled() {
            return failed.told();
        }
        // Who is to be woken at once does not wait for the end of a large plan.
        let settings = settings::current(engine).await?;
        waiting::wake_overridden(engine, stop, &settings).await?;
        events::plan_all(engine, stop, &mut failed).await?;
        for plan in &plans {
            let complete = match retrying!(next_chunk(engine, plan).await) {
                Ok(complete) => complete,
                Err(error) => {
                    failed.add(plan.run, error);
                    continue;
                }
            };
            if complete {
                let planned = store::ledger::load(engine.db().lookout(), plan.run).await?.planned;
                tracing::info!(run.id = %plan.run, messages = planned, "a run is planned");
                if planned >= LARGE {
                    store::runs::refresh_statistics(engine.db()).await?;
                }
                engine.inner().bell.ring(Who::Senders);
            }
        }
        forecast::keep_new(engine, stop, beside).await?;
    }
}

/// Plans or rehearses one chunk. True when the plan is complete.
async fn next_chunk(engine: &Engine, plan: &RunPlan) -> Result<bool> {
    if plan.rehearsal { rehearse::chunk(engine, plan).await } else { plan_chunk(engine, plan).await }
}

/// Plans one chunk. True when the plan is complete.
async fn plan_chunk(engine: &Engine, plan: &RunPlan) -> Result<bool> {
    let now = engine.now();
    let settings = settings::current(engine).await?;
    let holidays = Holidays::of(&settings.holidays);
    let hours = quiet::of_run(&settings, &holidays, &plan.rules);
    let tx = engine.db().begin().await?;
    let planned =
        store::runs::plan_chunk(&tx, plan, now, settings.unreachable_since(now), chunk(engine.db().kind())).await?;
    let due = DueTimes::of(&plan.rules, plan.snapshot_at, now);
    if let Some(people) = planned.people.filter(|_| due.is_local() || !hours.is_free()) {
        let queued = store::runs::planned(&tx, plan.run, people).await?;
        Placed::of(&queued, &due, (&hours, &plan.rules), now).write(&tx, plan, &due, now).await?;
    }
    if planned.complete {
        store::runs::finish_plan(&tx, plan.run, now).await?;
    }
    tx.commit().await.map_err(store::Error::from)?;
    metrics::counter!("messages_planned_total").increment(planned.rows.unsigned_abs());
    Ok::<_, Error>(planned.complete)
}

/// The people of a chunk by when they are due: who is not named is due at once.
#[derive(Default)]
struct Placed {
    /// In the morning, instead of being claimed only to wait.
    asleep: Vec<Asleep>,
    /// When their own clock says so.
    later: Vec<(MessageId, Timestamp)>,
    /// Not any more.
    over: Vec<MessageId>,
}

impl Placed {
    /// Who has no zone, or would be dropped in the morning, is due when awake people are: the claim says why nothing is
    /// sent.
    fn of(queued: &[Planned], due: &DueTimes, (hours, rules): (&Policy, &Rules), now: Timestamp) -> Self {
        let deadline = rules.send_before.filter(|_| rules.late == Late::Drop);
        let (mut placed, mut told) = (Self::default(), waiting::Told::planning(now));
        for planned in queued {
            let zones = zones_of(&planned.phone, planned.timezone.as_deref());
            let at = match due.of_person(&zones) {
                Due::At(at) => at,
                Due::Over => {
                    placed.over.push(planned.id);
                    continue;
                }
            };
            let person = waiting::hours_of(hours, planned, &zones);
            let morning = waiting::morning(&person, at);
            match morning.filter(|until| deadline.is_none_or(|deadline| *until < deadline)) {
                Some(until) => {
                    let decision = told.asleep(&person, until);
                    placed.asleep.push(Asleep { id: planned.id, until, decision });
                }
                None if due.is_local() => placed.later.push((planned.id, at)),
                None => {}
            }
        }
        placed
    }

    async fn write(&self, tx: &Tx, plan: &RunPlan, due: &DueTimes, now: Timestamp) -> Result<()> {
        let left_out = |id: &MessageId| LeftOut { id: *id, reason: Reason::DeadlinePassed, decision: due.over(now) };
        let over: Vec<_> = self.over.iter().map(left_out).collect();
        store::rehearsals::set_aside(tx, plan.run, now.month(), &over, &self.asleep).await?;
        Ok(store::runs::due_then(tx, &self.later).await?)
    }
}
