//! Rehearsals: planned like a run, and everybody decided as at sending, by the clock of when they are due. What would
//! leave a person out leaves them out of the plan; nothing is claimed. Each chunk is one transaction with cursor, counts and
//! hash, so that whatever stops the process, the next one goes on after the last chunk.

use std::sync::Arc;

use domain::{message::Outcome, run::RunStatus, time::Timestamp};
use sha2::{Digest as _, Sha256};
use store::{
    messages::Which,
    rehearsals::{Counts, count_outcome},
    runs::RunPlan,
};
use tokio_util::sync::CancellationToken;

use super::chunk as size;
use crate::{
    Engine, Error, Result,
    retry::retrying,
    sender::{Found, Rehearsing, leaf},
    services::settings,
};

/// Rehearses one chunk. True when the rehearsal is complete.
pub(super) async fn chunk(engine: &Engine, plan: &RunPlan) -> Result<bool> {
    let now = engine.now();
    let rehearsing = match Rehearsing::of(engine, plan, now).await {
        Ok(rehearsing) => Arc::new(rehearsing),
        Err(error) => return fail(engine, plan, error).await,
    };
    let since = settings::current(engine).await?.unreachable_since(rehearsing.due());
    let tx = engine.db().begin().await?;
    let planned = store::runs::plan_chunk(&tx, plan, now, since, size(engine.db().kind())).await?;
    if let Some(people) = planned.people {
        let which = Which::QueuedOf(people);
        let queued = store::messages::as_if_claimed(&tx, plan.run, plan.topic, which).await?;
        let queued = rehearsing.count_for_caps(&tx, queued).await?;
        let deciding = tokio::task::spawn_blocking(move || rehearsing.decide(&queued, now));
        let mut found = deciding.await.map_err(Error::internal)?;
        for (contact, reason) in store::rehearsals::skipped(&tx, plan.run, people).await? {
            count_outcome(&mut found.counts, Outcome::Skip, Some(reason));
            found.leaves.push((contact, leaf(contact, Outcome::Skip, Some(reason), None)));
        }
        write(&tx, plan, now, found).await?;
    }
    if planned.complete {
        store::rehearsals::finish(&tx, plan.run, now).await?;
    }
    tx.commit().await.map_err(store::Error::from)?;
    Ok(planned.complete)
}

async fn write(tx: &store::Tx, plan: &RunPlan, now: Timestamp, mut found: Found) -> Result<()> {
    store::rehearsals::set_aside(tx, plan.run, now.month(), &found.left_out, &found.asleep).await?;
    store::runs::due_then(tx, &found.due).await?;
    let former = store::rehearsals::hash_so_far(tx, plan.run).await?;
    // In the order of the people, however they were cut into chunks.
    found.leaves.sort_unstable_by_key(|(contact, _)| contact.0);
    let hash = found.leaves.iter().fold(former.unwrap_or_default(), |hash, (_, leaf)| next(&hash, leaf));
    let counts: Counts = found.counts;
    Ok(store::rehearsals::found(tx, plan.run, &counts, &hash).await?)
}

fn next(hash: &str, leaf: &[u8]) -> String {
    hex::encode(Sha256::new().chain_update(hash).chain_update(leaf).finalize())
}

/// A rehearsal whose template cannot be used is over; what is only away for a while is tried again.
async fn fail(engine: &Engine, plan: &RunPlan, error: Error) -> Result<bool> {
    let Some(fault) = Rehearsing::fault(&error) else { return Err(error) };
    let reason = format!("Version {} of the template cannot be used: {fault}", plan.template.1);
    let tx = engine.db().begin().await?;
    store::runs::set_status(&tx, plan.run, &[RunStatus::Planning], RunStatus::Failed, Some(&reason)).await?;
    tx.commit().await.map_err(store::Error::from)?;
    tracing::error!(run.id = %plan.run, %reason, "a rehearsal failed");
    Ok(true)
}

/// Removes what is left of rehearsals that were discarded, chunk by chunk.
pub(super) async fn remove_discarded(engine: &Engine, stop: &CancellationToken) -> Result<()> {
    for run in store::rehearsals::discarded(engine.db().reader()).await? {
        while !stop.is_cancelled() {
            let gone = retrying!(
                async {
                    let tx = engine.db().begin().await?;
                    let gone = store::rehearsals::remove(&tx, run, size(engine.db().kind())).await?;
                    tx.commit().await.map_err(store::Error::from)?;
                    Ok::<_, Error>(gone)
                }
                .await
            )?;
            if gone {
                break;
            }
        }
    }
    Ok(())
}
