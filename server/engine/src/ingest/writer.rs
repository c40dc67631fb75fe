//! Group commit: everything that arrived within a few milliseconds is stored together, and then answered.
//!
//! Status callbacks and inbound messages are two transactions, which may run beside each other: both lock messages and
//! both move the runs' counters last, and together they could wait for each other in a circle.

use std::{sync::Mutex, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    Done,
    event::{Content, Event},
    inbound, sealing, status,
};
use crate::{Engine, Error, Result};

/// More webhooks than this wait for nobody: the next one is refused at once, so that Twilio repeats it.
pub const QUEUE: usize = 8_192;

/// The most webhooks in one transaction.
const BATCH: usize = 500;

/// How long the first one waits for company: a moment while few come …
const WINDOW: Duration = Duration::from_millis(3);

/// … and longer while they come by the thousand, because statements and a commit cost about the same for one as for hundreds.
const BUSY_WINDOW: Duration = Duration::from_millis(30);

/// After so many in one transaction they do.
const BUSY: usize = 48;

/// How often a transaction is tried that lost against another one.
const TRIES: u32 = 8;

/// A webhook in the queue.
#[derive(Debug)]
pub(crate) struct Job {
    pub(super) event: Event,
    pub(super) answer: oneshot::Sender<Result<Done>>,
}

/// The queue to the writer, and what the writer remembers.
pub struct Ingest {
    sender: mpsc::Sender<Job>,
    receiver: Mutex<Option<mpsc::Receiver<Job>>>,
    periods: sealing::Periods,
}

impl Default for Ingest {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        Self { sender, receiver: Mutex::new(Some(receiver)), periods: sealing::Periods::default() }
    }
}

impl Ingest {
    /// # Errors
    /// `Unavailable` when the queue is full or the writer has stopped.
    pub(super) fn queue(&self, job: Job) -> Result<()> {
        self.sender.try_send(job).map_err(|_| {
            metrics::counter!("webhooks_turned_away_total").increment(1);
            Error::Unavailable("Too many webhooks are waiting to be stored; send it again.".to_owned())
        })
    }

    /// How many webhooks wait to be stored.
    pub(crate) fn waiting(&self) -> usize {
        QUEUE.saturating_sub(self.sender.capacity())
    }

    pub(super) const fn periods(&self) -> &sealing::Periods {
        &self.periods
    }

    fn take_receiver(&self) -> Option<mpsc::Receiver<Job>> {
        self.receiver.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }
}

pub(super) fn unavailable() -> Error {
    Error::Unavailable("The database is away for the moment; send the webhook again.".to_owned())
}

/// Which transaction a webhook belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Group {
    Statuses,
    Inbound,
}

/// Stores webhooks until it is told to stop; what is in the queue then is still stored. One writer serves a process.
pub async fn run(engine: Engine, stop: CancellationToken) {
    let Some(mut queue) = engine.inner().ingest.take_receiver() else {
        tracing::error!("the webhook writer was started twice; the second one stops");
        return;
    };
    let mut latest = 0;
    loop {
        let first = tokio::select! {
            first = queue.recv() => first,
            () = stop.cancelled() => break,
        };
        let Some(first) = first else { break };
        let jobs = gather(&mut queue, first, if latest < BUSY { WINDOW } else { BUSY_WINDOW }).await;
        latest = jobs.len();
        store_all(&engine, jobs).await;
    }
    queue.close();
    while let Ok(first) = queue.try_recv() {
        let jobs = gather(&mut queue, first, WINDOW).await;
        store_all(&engine, jobs).await;
    }
}

async fn gather(queue: &mut mpsc::Receiver<Job>, first: Job, window: Duration) -> Vec<Job> {
    let until = Instant::now() + window;
    let mut jobs = vec![first];
    while jobs.len() < BATCH {
        let room = BATCH - jobs.len();
        match timeout_at(until, queue.recv_many(&mut jobs, room)).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    jobs
}

/// In a task of its own: a bug that panics costs its batch an answer, not the program its webhooks.
async fn store_all(engine: &Engine, jobs: Vec<Job>) {
    let started = Instant::now();
    metrics::histogram!("webhook_batch_events").record(count(jobs.len()));
    let engine = engine.clone();
    let task = tokio::spawn(async move {
        let (inbound, statuses): (Vec<Job>, Vec<Job>) =
            jobs.into_iter().partition(|job| matches!(job.event.content, Content::Inbound(_)));
        tokio::join!(settle(&engine, Group::Statuses, statuses), settle(&engine, Group::Inbound, inbound));
    });
    if let Err(error) = task.await {
        tracing::error!(%error, "storing webhooks broke off; they are refused and have to come again");
    }
    metrics::histogram!("webhook_batch_seconds").record(started.elapsed().as_secs_f64());
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Stores the jobs' events and answers them.
async fn settle(engine: &Engine, group: Group, jobs: Vec<Job>) {
    if jobs.is_empty() {
        return;
    }
    let events: Vec<&Event> = jobs.iter().map(|job| &job.event).collect();
    match store_patiently(engine, group, &events).await {
        Ok(done) => {
            for (job, done) in jobs.into_iter().zip(done) {
                answer(job, Ok(done));
            }
        }
        Err(error) if is_away(&error) => {
            tracing::error!(%error, events = jobs.len(), "webhooks cannot be stored; they have to come again");
            for job in jobs {
                answer(job, Err(unavailable()));
            }
        }
        Err(error) => {
            // One of them cannot be stored as what it is. The others must not suffer for it.
            tracing::warn!(%error, events = jobs.len(), "a batch of webhooks cannot be stored; trying one by one");
            for job in jobs {
                settle_alone(engine, group, job).await;
            }
        }
    }
}

async fn settle_alone(engine: &Engine, group: Group, job: Job) {
    let error = match store_patiently(engine, group, &[&job.event]).await {
        Ok(done) => return answer(job, Ok(done.into_iter().next().unwrap_or_default())),
        Err(error) => error,
    };
    if is_away(&error) {
        return answer(job, Err(unavailable()));
    }
    tracing::error!(%error, kind = %job.event.kind, "a webhook cannot be processed; it is kept raw");
    let raw = job.event.as_nonsense("failed");
    let kept = store_patiently(engine, Group::Statuses, &[&raw]).await;
    answer(job, kept.map(|_| Done::default()).map_err(|_| unavailable()));
}

fn answer(job: Job, result: Result<Done>) {
    // Whoever asked may have gone away; the webhook is stored all the same.
    let _ = job.answer.send(result);
}

/// Whether a later try can succeed without anything being different about the webhooks.
fn is_away(error: &store::Error) -> bool {
    error.is_unavailable() || error.is_transient()
}

/// Repeats the transaction while it loses against others: deadlocks, a busy database, and two processes storing the
/// same new person or message, which shows as a key that is taken.
pub(super) async fn store_patiently(engine: &Engine, group: Group, events: &[&Event]) -> store::Result<Vec<Done>> {
    let mut pause = Duration::from_millis(5);
    for _ in 1..TRIES {
        match store_once(engine, group, events).await {
            Err(error) if error.is_transient() || matches!(error, store::Error::Duplicate(_)) => {
                tracing::debug!(%error, "webhooks are stored once more");
                sleep(pause).await;
                pause *= 2;
            }
            result => return result,
        }
    }
    store_once(engine, group, events).await
}

async fn store_once(engine: &Engine, group: Group, events: &[&Event]) -> store::Result<Vec<Done>> {
    match group {
        Group::Statuses => status::store(engine, events).await,
        Group::Inbound => inbound::store(engine, events).await,
    }
}
