//! Events make messages in runs that stay open: in batches, each one transaction with what its events came to. An event is
//! before a run until then, whatever stops the process.

use std::collections::BTreeMap;

use domain::{
    run::EventRules,
    segment::{Combinator, Group, Node},
    time::Timestamp,
    trigger_event::EventOutcome,
};
use store::{
    Tx,
    event_plans::{Open, Wanted},
    runs::RunPlan,
};
use tokio_util::sync::CancellationToken;

use super::{Failed, chunk};
use crate::{Engine, Error, Result, bell::Who, retry::retrying, services::settings};

/// Events of one transaction.
const BATCH: u32 = 1_000;

/// Plans what events wait for, a batch of each run in turn, until none is left but of those that have failed.
///
/// # Errors
/// What the database says; what is wrong with one run is added to `failed`.
pub(super) async fn plan_all(engine: &Engine, stop: &CancellationToken, failed: &mut Failed) -> Result<()> {
    loop {
        let plans = failed.others(store::event_plans::open_runs(engine.db().reader()).await?);
        let (mut queued, mut events) = (0, 0);
        for plan in &plans {
            if stop.is_cancelled() {
                break;
            }
            match retrying!(plan_batch(engine, plan).await) {
                Ok(planned) => {
                    queued += planned.queued;
                    events += planned.events;
                }
                Err(error) => failed.add(plan.run, error),
            }
        }
        if queued > 0 {
            engine.inner().bell.ring(Who::Senders);
        }
        // All were planned, by us or somebody else, or their runs are over.
        if events == 0 || failed.is_passing {
            return Ok(());
        }
    }
}

#[derive(Default)]
struct Planned {
    queued: i64,
    /// Looked at, whatever came of them.
    events: usize,
}

/// The next events of a run: all about one person each, and a chunk of the first that is about many.
async fn plan_batch(engine: &Engine, plan: &RunPlan) -> Result<Planned> {
    let Some(rules) = &plan.rules.event else { return Ok(Planned::default()) };
    let tx = engine.db().begin().await?;
    if !store::event_plans::lock(&tx, plan.run).await? {
        return Ok(Planned::default());
    }
    let open = store::event_plans::next(&tx, plan.run, BATCH).await?;
    let events = open.len();
    let (many, single): (Vec<Open>, Vec<Open>) = open.into_iter().partition(|event| event.contact.is_none());
    let mut queued = plan_single(engine, &tx, plan, rules, &single).await?;
    if let Some(event) = many.first() {
        queued += plan_many(engine, &tx, plan, rules, event).await?;
    }
    tx.commit().await.map_err(store::Error::from)?;
    metrics::counter!("messages_planned_total").increment(queued.unsigned_abs());
    Ok(Planned { queued, events })
}

async fn plan_single(engine: &Engine, tx: &Tx, plan: &RunPlan, rules: &EventRules, events: &[Open]) -> Result<i64> {
    let wanted: Vec<Wanted> = events
        .iter()
        .filter_map(|event| Some(Wanted { contact: event.contact?, event: event.event, at: event.at }))
        .collect();
    let people: BTreeMap<i64, _> = wanted.iter().map(|one| (one.event, one.contact)).collect();
    let planned = store::event_plans::plan(tx, plan, rules, times(engine).await?, wanted).await?;
    let done: Vec<_> = people
        .into_iter()
        .map(|key| {
            let (outcome, messages) = if planned.made.contains(&key) {
                (EventOutcome::Planned, 1)
            } else if planned.merged.contains(&key) {
                (EventOutcome::Merged, 0)
            } else {
                (EventOutcome::LeftOut, 0)
            };
            (key.0, outcome, messages)
        })
        .collect();
    store::event_plans::done(tx, plan.run, &done).await?;
    Ok(planned.queued)
}

/// Now, and since when numbers that could not be reached are left alone.
async fn times(engine: &Engine) -> Result<(Timestamp, Timestamp)> {
    let now = engine.now();
    Ok((now, settings::current(engine).await?.unreachable_since(now)))
}

/// The next people of an event about many, who are in the run's audience, too.
async fn plan_many(engine: &Engine, tx: &Tx, plan: &RunPlan, rules: &EventRules, event: &Open) -> Result<i64> {
    let now = engine.now();
    let Some(of_event) = event.definition.clone() else {
        store::event_plans::done(tx, plan.run, &[(event.event, EventOutcome::LeftOut, 0)]).await?;
        return Ok(0);
    };
    let both = Group {
        combinator: Combinator::And,
        not: false,
        rules: vec![Node::Group(of_event), Node::Group(plan.definition.clone())],
    };
    let limit = chunk(engine.db().kind()).min(2 * BATCH);
    let people = store::event_plans::people(tx, &both, now, event.cursor, limit).await?;
    let wanted: Vec<Wanted> =
        people.iter().map(|contact| Wanted { contact: *contact, event: event.event, at: event.at }).collect();
    let planned = store::event_plans::plan(tx, plan, rules, times(engine).await?, wanted).await?;
    let made = i64::try_from(planned.made.len()).unwrap_or(i64::MAX);
    match people.last() {
        Some(last) if people.len() == limit as usize => {
            store::event_plans::advance(tx, plan.run, event.event, *last, made).await?;
        }
        _ => store::event_plans::done(tx, plan.run, &[(event.event, EventOutcome::Planned, made)]).await?,
    }
    Ok::<_, Error>(planned.queued)
}
