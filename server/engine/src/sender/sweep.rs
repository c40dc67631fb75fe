//! What must not be left lying: leases that ran out, runs that are done, messages of cancelled runs.

use std::time::Duration;

use domain::{
    actor::Actor,
    ids::{CampaignId, RunId},
    time::Timestamp,
};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::breaker;
use crate::{
    Engine, Error, Result,
    bell::Who,
    retry::{is_passing, retrying},
};

const EVERY: Duration = Duration::from_millis(500);

/// Rows of one transaction.
const CHUNK: u32 = 1_000;

/// After the clock was set back, what was being written by it may still come for so long …
const STRAGGLERS: Duration = Duration::from_secs(60);
/// … and is looked for so often.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

pub(super) async fn run(engine: Engine, stop: CancellationToken) {
    let mut looks = Looks::default();
    while !stop.is_cancelled() {
        let swept = match follow_clock(&engine, &mut looks).await {
            Ok(()) => sweep(&engine, &stop).await,
            Err(error) => Err(error),
        };
        if let Err(error) = swept {
            tracing::error!(%error, "sweeping up failed");
        }
        let _ = tokio::time::timeout(EVERY, stop.cancelled()).await;
    }
}

/// When it was looked, and until when it is to be looked, for what was written by a clock that was ahead.
#[derive(Default)]
struct Looks {
    last: Option<Instant>,
    until: Option<Instant>,
}

impl Looks {
    /// At the beginning, when the clock was set back, and for a while after that.
    fn is_due(&mut self, was_set_back: bool, now: Instant) -> bool {
        if was_set_back {
            self.until = Some(now + STRAGGLERS);
        }
        let Some(last) = self.last else { return true };
        let looks = self.until.is_some_and(|until| last < until);
        was_set_back || (looks && now >= last + LOOK_AGAIN)
    }
}

/// What was written by a clock that has been set back since, in this process's time or before it, waits for nothing that is
/// hours away now.
///
/// # Errors
/// What the database says; the next round tries again.
async fn follow_clock(engine: &Engine, looks: &mut Looks) -> Result<()> {
    let was_set_back = engine.inner().clock.was_set_back(store::messages::CLOCKS_APART);
    let at = Instant::now();
    if looks.is_due(was_set_back, at) {
        let now = engine.now();
        set_back_messages(engine, now).await?;
        set_back_senders(engine, now).await?;
        looks.last = Some(at);
    }
    Ok(())
}

async fn set_back_messages(engine: &Engine, now: Timestamp) -> Result<()> {
    let lease = i64::try_from(engine.config().lease.as_micros()).unwrap_or(i64::MAX / 2);
    // At nearly every start there is nothing, and nobody has to wait for the one writer of SQLite.
    if !store::messages::is_ahead(engine.db().lookout(), now, lease).await? {
        return Ok(());
    }
    loop {
        let moved = retrying!(
            async {
                let tx = engine.db().begin().await?;
                let moved = store::messages::set_back(&tx, now, lease, CHUNK).await?;
                tx.commit().await.map_err(store::Error::from)?;
                Ok::<_, Error>(moved)
            }
            .await
        )?;
        if moved > 0 {
            tracing::warn!(messages = moved, "the clock was set back: what was written by it waits no longer");
            engine.inner().bell.ring(Who::Senders);
        }
        if moved < u64::from(CHUNK) {
            return Ok(());
        }
    }
}

async fn set_back_senders(engine: &Engine, now: Timestamp) -> Result<()> {
    let longest = breaker::longest_wait(engine);
    if !store::breaker::is_ahead(engine.db().lookout(), now, longest).await? {
        return Ok(());
    }
    let senders = retrying!(
        async {
            let tx = engine.db().begin().await?;
            let senders = store::breaker::set_back(&tx, now, longest).await?;
            tx.commit().await.map_err(store::Error::from)?;
            Ok::<_, Error>(senders)
        }
        .await
    )?;
    tracing::warn!(senders, "the clock was set back: what blocks these senders is tried again");
    engine.inner().bell.ring(Who::Senders);
    Ok(())
}

/// One round.
///
/// # Errors
/// What the database says; the next round goes on where this one ended.
async fn sweep(engine: &Engine, stop: &CancellationToken) -> Result<()> {
    expire_leases(engine, stop).await?;
    for run in store::runs::cancelled(engine.db().lookout()).await? {
        alone(run, cancel(engine, run, stop).await)?;
    }
    for (run, campaign) in store::runs::done(engine.db().lookout()).await? {
        alone(run, retrying!(complete(engine, run, campaign).await))?;
    }
    Ok(())
}

/// What is wrong with one run alone does not keep the others waiting.
fn alone(run: RunId, done: Result<()>) -> Result<()> {
    done.or_else(|error| {
        if is_passing(&error) {
            return Err(error);
        }
        tracing::error!(%error, run.id = %run, "a run cannot be brought to its end");
        Ok(())
    })
}

async fn expire_leases(engine: &Engine, stop: &CancellationToken) -> Result<()> {
    if !store::messages::has_expired_leases(engine.db().lookout(), engine.now()).await? {
        return Ok(());
    }
    loop {
        let expired = retrying!(
            async {
                let tx = engine.db().begin().await?;
                let expired = store::messages::expire_leases(&tx, engine.now(), CHUNK).await?;
                tx.commit().await.map_err(store::Error::from)?;
                Ok::<_, Error>(expired)
            }
            .await
        )?;
        if expired > 0 {
            tracing::warn!(messages = expired, "leases ran out: whether these were sent is unknown");
        }
        if expired < u64::from(CHUNK) || stop.is_cancelled() {
            return Ok(());
        }
    }
}

/// Cancels what is queued of a cancelled run; the run is finished when the rest of it is settled.
async fn cancel(engine: &Engine, run: RunId, stop: &CancellationToken) -> Result<()> {
    loop {
        let cancelled = retrying!(
            async {
                let tx = engine.db().begin().await?;
                let cancelled = store::messages::cancel_queued(&tx, engine.now(), run, CHUNK).await?;
                tx.commit().await.map_err(store::Error::from)?;
                Ok::<_, Error>(cancelled)
            }
            .await
        )?;
        if cancelled < u64::from(CHUNK) || stop.is_cancelled() {
            break;
        }
    }
    retrying!(
        async {
            let tx = engine.db().begin().await?;
            store::runs::close_cancelled(&tx, run, engine.now()).await?;
            tx.commit().await.map_err(store::Error::from)?;
            Ok::<_, Error>(())
        }
        .await
    )
}

async fn complete(engine: &Engine, run: RunId, campaign: CampaignId) -> Result<()> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    if store::runs::complete(&tx, run, campaign, now).await? {
        let entity = ("campaign", &*campaign.to_string());
        let detail = json!({ "run": run.to_string() });
        store::audit::append(&tx, &Actor::worker("sender"), now, "complete", entity, &detail).await?;
        tracing::info!(run.id = %run, "a run is completed");
    }
    tx.commit().await.map_err(store::Error::from)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_at_the_start_and_for_a_while_after_the_clock_was_set_back() {
        let begin = Instant::now();
        let mut looks = Looks::default();
        let mut is_due = |was_set_back, seconds: u64| {
            let now = begin + Duration::from_secs(seconds);
            let due = looks.is_due(was_set_back, now);
            looks.last = if due { Some(now) } else { looks.last };
            due
        };
        assert!(is_due(false, 0) && !is_due(false, 100));
        assert!(is_due(true, 101) && !is_due(false, 102));
        assert!(is_due(false, 106) && is_due(false, 160) && is_due(false, 165), "until a minute is over");
        assert!(!is_due(false, 171));
    }
}
