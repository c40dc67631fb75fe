//! What an operator is to be warned of, as metrics: who is at work, and what waits for how long. And what the database is asked.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    process::{Process, ProcessRole, ProcessState, Wait},
    time::Timestamp,
};
use tokio_util::sync::CancellationToken;

use crate::{Engine, Result, services::waiting, workers::Role};

/// How often they are taken: looking at them costs nothing.
const EVERY: Duration = Duration::from_secs(5);

/// How often it is told how much was asked of the database: that is only read.
const COUNTS_EVERY: Duration = Duration::from_millis(500);

/// Takes them until told to stop: who is at work, and what the database is asked, in every process; what waits where
/// messages are sent from.
pub(crate) async fn run(engine: Engine, role: Role, stop: CancellationToken) {
    // Beside each other: the counts also tell of a database that does not answer.
    tokio::join!(take_all(&engine, role, &stop), tell_counts(&stop));
}

async fn tell_counts(stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let (statements, transactions) = store::counts();
        metrics::counter!("db_statements_total").absolute(statements);
        metrics::counter!("db_transactions_total").absolute(transactions);
        let _ = tokio::time::timeout(COUNTS_EVERY, stop.cancelled()).await;
    }
}

async fn take_all(engine: &Engine, role: Role, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            taken = take(engine, role) => {
                if let Err(error) = taken {
                    tracing::warn!(%error, "metrics of what waits cannot be taken");
                }
            }
            // Nobody waits for a number.
            () = stop.cancelled() => return,
        }
        let _ = tokio::time::timeout(EVERY, stop.cancelled()).await;
    }
}

async fn take(engine: &Engine, role: Role) -> Result<()> {
    who(&store::processes::list(engine.db().reader(), engine.now()).await?);
    if role.sends() {
        metrics::gauge!("messages_claimed").set(engine.inner().load.claimed() as f64);
        metrics::gauge!("messages_in_flight").set(engine.inner().load.in_flight() as f64);
        what_waits(engine).await?;
        let (_, oldest) = store::reviews::waiting(engine.db().reader()).await?;
        metrics::gauge!("consent_reviews_oldest_seconds").set(seconds_since(engine, oldest));
    }
    Ok(())
}

fn who(processes: &[Process]) {
    for role in ProcessRole::ALL {
        let alive = count(processes, |process| process.role == *role && process.state == ProcessState::Alive);
        metrics::gauge!("processes_alive", "role" => role.as_str()).set(alive);
    }
    let vanished = count(processes, |process| process.state == ProcessState::Vanished);
    metrics::gauge!("processes_vanished").set(vanished);
}

fn count(processes: &[Process], is: impl Fn(&Process) -> bool) -> f64 {
    processes.iter().filter(|process| is(process)).count() as f64
}

async fn what_waits(engine: &Engine) -> Result<()> {
    let mut waits: BTreeMap<Wait, (i64, Option<Timestamp>)> = BTreeMap::new();
    for waiting in waiting::look(engine).await? {
        let (count, oldest) = waits.entry(waiting.what).or_default();
        *count += waiting.count;
        *oldest = (*oldest).into_iter().chain(waiting.oldest_at).min();
    }
    for what in Wait::ALL {
        let (count, oldest) = waits.get(what).copied().unwrap_or_default();
        metrics::gauge!("waiting", "what" => what.as_str()).set(count as f64);
        metrics::gauge!("waiting_oldest_seconds", "what" => what.as_str()).set(seconds_since(engine, oldest));
    }
    Ok(())
}

/// How long ago that was; 0 where nothing waits.
fn seconds_since(engine: &Engine, oldest: Option<Timestamp>) -> f64 {
    oldest.map_or(0, |at| engine.now().since(at).max(0)) as f64 / Timestamp::SECOND as f64
}
