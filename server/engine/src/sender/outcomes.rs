//! One writer for what became of the messages: by the batch, whichever comes first of a few milliseconds and a few
//! hundred outcomes. Its channel is bounded: while the database is away, deliveries wait, and nothing new is claimed.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    ids::{CampaignId, ContactId, RunId},
    message::State,
    phone::Phone,
};
use store::messages::{OutcomeIn, Settled};
use tokio::{sync::mpsc, time::Instant};

use super::{guard, stop::stop_run};
use crate::{
    Engine, Error, Result,
    retry::{is_passing, retrying},
    services::contacts::{opt_out_by_provider, provider},
};

/// Outcomes that may wait to be written.
pub(super) const QUEUE: usize = 4_096;

const BATCH: usize = 500;
const GATHER: Duration = Duration::from_millis(4);

/// How long the writer keeps trying when the process is stopping and the database does not answer.
const LAST_TRIES: Duration = Duration::from_secs(10);

/// An outcome and what follows from it.
#[derive(Debug)]
pub(super) struct Done {
    pub outcome: OutcomeIn,
    pub run: Option<RunId>,
    pub campaign: Option<CampaignId>,
    /// The run is to be paused, for this reason.
    pub stop_run: Option<String>,
    /// The provider refused the text, not the person.
    pub text_refused: bool,
    /// The provider says that the person opted out: the code that says so.
    pub opted_out: Option<(ContactId, Phone, i32)>,
}

/// Writes until every sender of the channel is gone.
pub(super) async fn write(engine: Engine, mut queue: mpsc::Receiver<Done>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        gather(&mut queue, &mut batch).await;
        let began = Instant::now();
        write_surely(&engine, &queue, &batch).await;
        stop_runs(&engine, to_stop(&engine, &batch)).await;
        metrics::histogram!("outcome_batch_seconds").record(began.elapsed().as_secs_f64());
        batch.clear();
    }
}

/// Tries until it is written. What cannot be written although the database is there is tried outcome by outcome, so that
/// one of them does not hold up all others; its lease will say that it is unknown.
async fn write_surely(engine: &Engine, queue: &mpsc::Receiver<Done>, batch: &[Done]) {
    let began = Instant::now();
    while let Err(error) = write_batch(engine, batch).await {
        if !is_passing(&error) {
            tracing::error!(%error, outcomes = batch.len(), "outcomes cannot be written together");
            return write_apart(engine, batch).await;
        }
        tracing::error!(%error, outcomes = batch.len(), "outcomes cannot be written; trying again");
        if queue.is_closed() && began.elapsed() > LAST_TRIES {
            tracing::error!(outcomes = batch.len(), "gave up: their leases will say that they are unknown");
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn write_apart(engine: &Engine, batch: &[Done]) {
    for done in batch {
        if let Err(error) = write_batch(engine, std::slice::from_ref(done)).await {
            let (message, attempt) = (done.outcome.id.0, done.outcome.attempt);
            tracing::error!(%error, message.id = message, attempt, "an outcome cannot be written: it will be unknown");
        }
    }
}

async fn gather(queue: &mut mpsc::Receiver<Done>, batch: &mut Vec<Done>) {
    let until = Instant::now() + GATHER;
    while batch.len() < BATCH {
        let room = BATCH - batch.len();
        match tokio::time::timeout_at(until, queue.recv_many(batch, room)).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
}

async fn write_batch(engine: &Engine, batch: &[Done]) -> Result<()> {
    // Before the outcomes: a crash in between leaves the opt-out standing, not the message.
    record_opt_outs(engine, batch).await?;
    let outcomes: Vec<OutcomeIn> = batch.iter().map(|done| done.outcome.clone()).collect();
    let settled = retrying!(write_outcomes(engine, &outcomes).await)?;
    report(engine, &settled);
    Ok(())
}

/// The outcomes are written: what cannot be paused is tried again with the next one of its kind.
async fn stop_runs(engine: &Engine, stops: BTreeMap<RunId, (CampaignId, String)>) {
    for (run, (campaign, reason)) in stops {
        if let Err(error) = stop_run(engine, run, campaign, &reason).await {
            tracing::error!(%error, run.id = %run, reason, "a run that should be paused is not");
        }
    }
}

async fn write_outcomes(engine: &Engine, outcomes: &[OutcomeIn]) -> Result<Vec<Settled>> {
    let tx = engine.db().begin().await?;
    let settled = store::messages::write_outcomes(&tx, engine.now(), outcomes).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(settled)
}

fn report(engine: &Engine, settled: &[Settled]) {
    let mut accepted: BTreeMap<RunId, u32> = BTreeMap::new();
    for message in settled {
        metrics::counter!("messages_settled_total", "state" => message.to.as_str()).increment(1);
        let handed_over = message.from == State::Sending && message.to.rank() >= State::Accepted.rank();
        if let (Some(run), true) = (message.run_id, handed_over && message.to.rank() <= State::Read.rank()) {
            *accepted.entry(run).or_default() += 1;
        }
    }
    for (run, messages) in accepted {
        engine.inner().pace.count(run, engine.now(), messages);
    }
}

async fn record_opt_outs(engine: &Engine, batch: &[Done]) -> Result<()> {
    let people: Vec<_> = batch.iter().filter_map(|done| done.opted_out.as_ref().map(|who| (done, who))).collect();
    if people.is_empty() {
        return Ok(());
    }
    let now = engine.now();
    retrying!(
        async {
            let tx = engine.db().begin().await?;
            let events: Vec<_> = people
                .iter()
                .map(|(done, (contact, phone, code))| {
                    let reference = format!("message {} code {code}", done.outcome.id);
                    opt_out_by_provider(&engine.config().keys, *contact, phone, reference)
                })
                .collect();
            store::consent::record(&tx, &provider(), now, &events).await?;
            tx.commit().await.map_err(store::Error::from)?;
            Ok::<_, Error>(())
        }
        .await
    )?;
    engine.told_opt_outs(people.iter().map(|(_, (contact, ..))| *contact));
    Ok(())
}

/// Which runs are to be paused, and why.
fn to_stop(engine: &Engine, batch: &[Done]) -> BTreeMap<RunId, (CampaignId, String)> {
    let mut stops = BTreeMap::new();
    for done in batch {
        let (Some(run), Some(campaign)) = (done.run, done.campaign) else { continue };
        if let Some(reason) = &done.stop_run {
            stops.insert(run, (campaign, reason.clone()));
        } else if engine.inner().guard.note(run, done.text_refused) {
            stops.insert(run, (campaign, guard::REASON.to_owned()));
        }
    }
    stops
}
