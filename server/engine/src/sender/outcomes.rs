//! One writer for what became of the messages: by the batch, whichever comes first of a few milliseconds and a few
//! hundred outcomes. Its channel is bounded: while the database is away, deliveries wait, and nothing new is claimed.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    ids::{CampaignId, ContactId, RunId, SenderId},
    phone::Phone,
    reason::Reason,
    time::Timestamp,
};
use store::messages::{CLOCKS_APART, Effect, KnownGrounds, OutcomeIn, Settled};
use tokio::{sync::mpsc, time::Instant};

use super::{
    breaker,
    breaker::Fault,
    guard::{Source, Trouble},
    stop::stop_troubled,
};
use crate::{
    Engine, Error, Result,
    retry::{is_passing, retrying},
    services::contacts::{opt_out_by_provider, provider},
};

/// Outcomes that may wait to be written.
pub(super) const QUEUE: usize = 4_096;

const BATCH: usize = 500;
/// How long the first one waits for company: a moment while few come, longer while they come by the thousand.
const WINDOW: Duration = Duration::from_millis(4);
const BUSY_WINDOW: Duration = Duration::from_millis(60);
/// After so many in one transaction they do.
const BUSY: usize = 48;

/// How long the writer keeps trying when the process is stopping and the database does not answer.
const LAST_TRIES: Duration = Duration::from_secs(10);

/// An outcome and what follows from it.
#[derive(Debug)]
pub(super) struct Done {
    /// When it became so.
    pub at: Timestamp,
    pub outcome: OutcomeIn,
    pub run: Option<RunId>,
    pub campaign: Option<CampaignId>,
    pub sender: SenderId,
    /// The account or the sender cannot send at all: the code that says so.
    pub fault: Option<i32>,
    /// The provider refused the text, not the person.
    pub text_refused: bool,
    /// The provider says that the person opted out: the code that says so.
    pub opted_out: Option<(ContactId, Phone, i32)>,
    /// WhatsApp counts the person for a day, if the message went out.
    pub counted: bool,
    /// Since when they count for this message, who did not before it.
    pub counts_since: Option<Timestamp>,
    pub contact: ContactId,
}

impl Done {
    /// As it is to be written now. When the clock was set back meanwhile, whoever is to wait for a while waits from now on: by
    /// the time of then it would be as long as the clock was ahead. A morning is one by any clock.
    fn to_write(&self, now: Timestamp) -> OutcomeIn {
        let mut outcome = self.outcome.clone();
        let ahead = self.at.since(now);
        if let Effect::Later { not_before, reason, .. } | Effect::NotYet { not_before, reason, .. } =
            &mut outcome.effect
            && ahead > CLOCKS_APART
            && *reason != Reason::QuietHours
        {
            *not_before = not_before.plus(-ahead);
        }
        outcome
    }

    /// Whether the person counts: the message was, or may have been, sent.
    const fn is_counted(&self) -> bool {
        self.counted && matches!(self.outcome.effect, Effect::Accepted { .. } | Effect::Unknown(_))
    }

    /// Who counts for this message alone, of which it is certain that it was not sent, and since when.
    fn to_give_back(&self) -> Option<(ContactId, Timestamp)> {
        Some((self.contact, self.counts_since.filter(|_| !self.is_counted())?))
    }
}

/// Writes until every sender of the channel is gone.
pub(super) async fn write(engine: Engine, mut queue: mpsc::Receiver<Done>) {
    let mut batch = Vec::with_capacity(BATCH);
    let (mut latest, mut known) = (0, KnownGrounds::default());
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        gather(&mut queue, &mut batch, if latest < BUSY { WINDOW } else { BUSY_WINDOW }).await;
        latest = batch.len();
        let began = Instant::now();
        write_surely(&engine, &queue, &batch, &mut known).await;
        give_people_back(&engine, &batch).await;
        stop_runs(&engine, to_stop(&engine, &batch)).await;
        open_breakers(&engine, faults(&batch)).await;
        metrics::histogram!("outcome_batch_seconds").record(began.elapsed().as_secs_f64());
        batch.clear();
    }
}

/// Tries until it is written. What cannot be written although the database is there is tried outcome by outcome, so that
/// one of them does not hold up all others; its lease will say that it is unknown.
async fn write_surely(engine: &Engine, queue: &mpsc::Receiver<Done>, batch: &[Done], known: &mut KnownGrounds) {
    let began = Instant::now();
    while let Err(error) = write_batch(engine, batch, known).await {
        // It may be another database by now, with fewer of them.
        *known = KnownGrounds::default();
        if !is_passing(&error) {
            tracing::error!(%error, outcomes = batch.len(), "outcomes cannot be written together");
            return write_apart(engine, batch, known).await;
        }
        tracing::error!(%error, outcomes = batch.len(), "outcomes cannot be written; trying again");
        if queue.is_closed() && began.elapsed() > LAST_TRIES {
            tracing::error!(outcomes = batch.len(), "gave up: their leases will say that they are unknown");
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn write_apart(engine: &Engine, batch: &[Done], known: &mut KnownGrounds) {
    for done in batch {
        if let Err(error) = write_batch(engine, std::slice::from_ref(done), known).await {
            let (message, attempt) = (done.outcome.id.0, done.outcome.attempt);
            tracing::error!(%error, message.id = message, attempt, "an outcome cannot be written: it will be unknown");
        }
    }
}

async fn gather(queue: &mut mpsc::Receiver<Done>, batch: &mut Vec<Done>, window: Duration) {
    let until = Instant::now() + window;
    while batch.len() < BATCH {
        let room = BATCH - batch.len();
        match tokio::time::timeout_at(until, queue.recv_many(batch, room)).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
}

async fn write_batch(engine: &Engine, batch: &[Done], known: &mut KnownGrounds) -> Result<()> {
    // Before the outcomes: a crash in between leaves the opt-out standing, not the message.
    record_opt_outs(engine, batch).await?;
    let now = engine.now();
    let outcomes: Vec<OutcomeIn> = batch.iter().map(|done| done.to_write(now)).collect();
    let counted: Vec<ContactId> = batch.iter().filter(|done| done.is_counted()).map(|done| done.contact).collect();
    let settled = retrying!(write_outcomes(engine, &outcomes, &counted, known).await)?;
    known.note(outcomes.iter().filter_map(OutcomeIn::grounds));
    report(engine, batch, &settled);
    Ok(())
}

/// WhatsApp counts nobody for what was not sent.
async fn give_people_back(engine: &Engine, batch: &[Done]) {
    let people: Vec<_> = batch.iter().filter_map(Done::to_give_back).collect();
    if !people.is_empty() {
        engine.inner().throttle.give_people_back(engine.now(), &people).await;
    }
}

/// The outcomes are written: what cannot be paused is tried again with the next one of its kind.
async fn stop_runs(engine: &Engine, stops: Vec<(RunId, Trouble, CampaignId)>) {
    for (run, trouble, campaign) in stops {
        if let Err(error) = stop_troubled(engine, Source::Answer, (run, trouble), campaign).await {
            tracing::error!(%error, run.id = %run, ?trouble, "a run that should be paused is not");
        }
    }
}

/// The messages wait already: what cannot be written now is reported by the next one that fails.
async fn open_breakers(engine: &Engine, faults: Vec<Fault>) {
    for fault in faults {
        if let Err(error) = breaker::open(engine, &fault).await {
            tracing::error!(%error, sender = %fault.sender, code = fault.code, "a sender that should be blocked is not");
        }
    }
}

async fn write_outcomes(
    engine: &Engine,
    outcomes: &[OutcomeIn],
    counted: &[ContactId],
    known: &KnownGrounds,
) -> Result<Vec<Settled>> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    let settled = store::messages::write_outcomes(&tx, now, outcomes, known).await?;
    store::daily_recipients::note(&tx, &engine.config().provider.account_sid, counted, now).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(settled)
}

/// The pace is that of the provider's answers, whichever is written first: the answer or what a callback tells.
fn report(engine: &Engine, batch: &[Done], settled: &[Settled]) {
    for message in settled {
        metrics::counter!("messages_settled_total", "state" => message.to.as_str()).increment(1);
    }
    let twice = settled.iter().filter(|message| message.second_sid).count();
    metrics::counter!("messages_sent_twice_total").increment(twice as u64);
    engine.inner().moved.add(batch.iter().filter_map(|done| done.run));
    let mut by_run: BTreeMap<RunId, u32> = BTreeMap::new();
    let mut by_sender: BTreeMap<SenderId, u32> = BTreeMap::new();
    for done in batch.iter().filter(|done| matches!(done.outcome.effect, Effect::Accepted { .. })) {
        if let Some(run) = done.run {
            *by_run.entry(run).or_default() += 1;
        }
        *by_sender.entry(done.sender).or_default() += 1;
    }
    for (run, messages) in by_run {
        engine.inner().pace.count(run, engine.now(), messages);
    }
    for (sender, messages) in by_sender {
        engine.inner().sender_pace.count(sender, engine.now(), messages);
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
fn to_stop(engine: &Engine, batch: &[Done]) -> Vec<(RunId, Trouble, CampaignId)> {
    let campaigns: BTreeMap<RunId, CampaignId> =
        batch.iter().filter_map(|done| Some((done.run?, done.campaign?))).collect();
    let outcomes = batch.iter().filter_map(|done| {
        let trouble = match done.outcome.effect {
            Effect::Accepted { .. } => None,
            Effect::Failed { .. } if done.text_refused => Some(Trouble::TextRefused),
            Effect::Failed { .. } => Some(Trouble::Failing),
            // It says nothing of what would become of it.
            _ => return None,
        };
        Some((done.run?, trouble))
    });
    let stops = engine.inner().guard.note(Source::Answer, outcomes);
    let stop = |(run, trouble): (RunId, Trouble)| Some((run, trouble, *campaigns.get(&run)?));
    stops.into_iter().filter_map(stop).collect()
}

/// What the batch says against senders: one fault for each of them.
fn faults(batch: &[Done]) -> Vec<Fault> {
    let mut faults: BTreeMap<SenderId, Fault> = BTreeMap::new();
    for done in batch {
        let (Some(code), Some(decision)) = (done.fault, &done.outcome.decision) else { continue };
        let handed_over_at = decision.at;
        let fault = faults.entry(done.sender).or_insert_with(|| Fault {
            sender: done.sender,
            code,
            by_callback: false,
            messages: Vec::new(),
            handed_over_at,
        });
        fault.messages.push(done.outcome.id);
        fault.handed_over_at = fault.handed_over_at.max(handed_over_at);
    }
    faults.into_values().collect()
}
