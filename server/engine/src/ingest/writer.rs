//! Group commit: everything that arrived within a few milliseconds is stored together, and then answered.
//!
//! Status callbacks and inbound messages have a queue and transactions of their own, beside each other: both lock messages
//! and both move the runs' counters last, and together they could wait for each other in a circle. So a STOP never waits
//! behind a campaign's callbacks.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    Done,
    event::{Content, Event},
    inbound,
    repeats::{First, Repeats},
    sealing, status,
};
use crate::{Engine, Error, Result};

/// More webhooks of a kind than this wait for nobody: the next one is refused at once, so that Twilio repeats it.
pub const QUEUE: usize = 8_192;

/// The most webhooks in one transaction …
const BATCH: usize = 800;

/// … and the most callbacks while something waits that a person wrote: they share the database.
const BATCH_BESIDE_PEOPLE: usize = 200;

/// How long the first one waits for company: a moment while few come …
const WINDOW: Duration = Duration::from_millis(3);

/// … and longer while they come by the thousand, because statements and a commit cost about the same for one as for hundreds.
const BUSY_WINDOW: Duration = Duration::from_millis(60);

/// After so many in one transaction they do.
const BUSY: usize = 48;

/// Nobody waits longer for the next one: those who would send it may all be waiting for these answers.
const GAP: Duration = Duration::from_millis(2);

/// How often a transaction is tried that lost against another one.
const TRIES: u32 = 8;

/// A webhook in the queue.
#[derive(Debug)]
pub(crate) struct Job {
    pub(super) event: Event,
    /// Where its repeats can be told from it.
    pub(super) first: Option<First>,
    pub(super) answer: oneshot::Sender<Result<Done>>,
}

impl Job {
    const fn group(&self) -> Group {
        match self.event.content {
            Content::Inbound(_) => Group::Inbound,
            _ => Group::Statuses,
        }
    }
}

/// Which transaction a webhook belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Group {
    Statuses,
    Inbound,
}

impl Group {
    /// Transactions at a time. One of callbacks: two would wait for each other's counters. Of what people write several, so
    /// that who comes while one is stored need not wait for its end; each locks its people first, in one order.
    const fn at_a_time(self) -> u32 {
        match self {
            Self::Statuses => 1,
            Self::Inbound => 4,
        }
    }
}

/// A queue to its writer.
struct Queue {
    sender: mpsc::Sender<Job>,
    receiver: Mutex<Option<mpsc::Receiver<Job>>>,
    /// Room for transactions.
    room: Arc<Semaphore>,
    at_a_time: u32,
}

impl Queue {
    fn new(group: Group) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let at_a_time = group.at_a_time();
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
            room: Arc::new(Semaphore::new(at_a_time as usize)),
            at_a_time,
        }
    }

    /// Whether something waits or is being stored. The writer keeps a place for what comes next.
    fn is_busy(&self) -> bool {
        self.waiting() > 0 || self.room.available_permits() + 1 < self.at_a_time as usize
    }

    fn waiting(&self) -> usize {
        QUEUE.saturating_sub(self.sender.capacity())
    }

    fn take_receiver(&self) -> Option<mpsc::Receiver<Job>> {
        self.receiver.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }
}

/// The queues to the writers, and what the writers remember.
pub struct Ingest {
    statuses: Queue,
    inbound: Queue,
    periods: sealing::Periods,
    repeats: Repeats,
}

impl Default for Ingest {
    fn default() -> Self {
        Self {
            statuses: Queue::new(Group::Statuses),
            inbound: Queue::new(Group::Inbound),
            periods: sealing::Periods::default(),
            repeats: Repeats::default(),
        }
    }
}

impl Ingest {
    /// # Errors
    /// `Unavailable` when the queue is full or the writer has stopped.
    pub(super) fn queue(&self, job: Job) -> Result<()> {
        self.of(job.group()).sender.try_send(job).map_err(|_| {
            metrics::counter!("webhooks_turned_away_total").increment(1);
            Error::Unavailable("Too many webhooks are waiting to be stored; send it again.".to_owned())
        })
    }

    /// How many webhooks wait to be stored.
    pub(crate) fn waiting(&self) -> usize {
        self.statuses.waiting() + self.inbound.waiting()
    }

    pub(super) const fn periods(&self) -> &sealing::Periods {
        &self.periods
    }

    pub(super) const fn repeats(&self) -> &Repeats {
        &self.repeats
    }

    /// The most webhooks of this kind in one transaction now.
    fn batch(&self, group: Group) -> usize {
        match group {
            Group::Statuses if self.inbound.is_busy() => BATCH_BESIDE_PEOPLE,
            _ => BATCH,
        }
    }

    const fn of(&self, group: Group) -> &Queue {
        match group {
            Group::Statuses => &self.statuses,
            Group::Inbound => &self.inbound,
        }
    }
}

pub(super) fn unavailable() -> Error {
    Error::Unavailable("The database is away for the moment; send the webhook again.".to_owned())
}

/// Stores webhooks until it is told to stop; what is in the queues then is still stored. Once in a process.
pub async fn run(engine: Engine, stop: CancellationToken) {
    tokio::join!(write(&engine, Group::Statuses, &stop), write(&engine, Group::Inbound, &stop));
}

/// Stores one kind of webhooks.
async fn write(engine: &Engine, group: Group, stop: &CancellationToken) {
    let ingest = &engine.inner().ingest;
    let Queue { room, at_a_time, .. } = ingest.of(group);
    let Some(mut queue) = ingest.of(group).take_receiver() else {
        tracing::error!("the webhook writer was started twice; the second one stops");
        return;
    };
    let most = || ingest.batch(group);
    let mut latest = 0;
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let first = tokio::select! {
            first = queue.recv() => first,
            () = stop.cancelled() => break,
        };
        let Some(first) = first else { break };
        let jobs = gather(&mut queue, first, if latest < BUSY { WINDOW } else { BUSY_WINDOW }, most).await;
        latest = jobs.len();
        let engine = engine.clone();
        tokio::spawn(async move {
            store(&engine, group, jobs).await;
            drop(place);
        });
    }
    queue.close();
    while let Ok(first) = queue.try_recv() {
        let jobs = gather(&mut queue, first, WINDOW, most).await;
        store(engine, group, jobs).await;
    }
    // What is being stored is stored.
    let _ = room.acquire_many(*at_a_time).await;
}

/// The first one and what comes after it, until its window ends, nothing more comes, or there are enough.
async fn gather(queue: &mut mpsc::Receiver<Job>, first: Job, window: Duration, most: impl Fn() -> usize) -> Vec<Job> {
    let end = Instant::now() + window;
    let mut jobs = vec![first];
    loop {
        let room = most().saturating_sub(jobs.len());
        if room == 0 {
            return jobs;
        }
        match timeout_at(end.min(Instant::now() + GAP), queue.recv_many(&mut jobs, room)).await {
            Ok(0) | Err(_) => return jobs,
            Ok(_) => {}
        }
    }
}

/// In a task of its own: a bug that panics costs its batch an answer, not the program its webhooks.
async fn store(engine: &Engine, group: Group, jobs: Vec<Job>) {
    let started = Instant::now();
    metrics::histogram!("webhook_batch_events").record(count(jobs.len()));
    let engine = engine.clone();
    if let Err(error) = tokio::spawn(async move { settle(&engine, group, jobs).await }).await {
        tracing::error!(%error, "storing webhooks broke off; they are refused and have to come again");
    }
    metrics::histogram!("webhook_batch_seconds").record(started.elapsed().as_secs_f64());
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Stores the jobs' events and answers them.
async fn settle(engine: &Engine, group: Group, jobs: Vec<Job>) {
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
    let kept = keep_raw(engine, &job.event, &error).await;
    // Kept raw it has done nothing yet: should it come again, it is tried again.
    let job = Job { first: None, ..job };
    answer(job, kept.map(|()| Done::default()).map_err(|_| unavailable()));
}

/// Keeps what cannot be stored as what it is, because of this error.
pub(super) async fn keep_raw(engine: &Engine, event: &Event, error: &store::Error) -> store::Result<()> {
    tracing::error!(%error, kind = %event.kind, "a webhook cannot be processed; it is kept raw");
    let raw = event.as_nonsense(if event.fetched { "fetched_failed" } else { "failed" });
    store_patiently(engine, Group::Statuses, &[&raw]).await?;
    Ok(())
}

fn answer(job: Job, result: Result<Done>) {
    if let (Ok(done), Some(first)) = (&result, job.first) {
        first.stored(done.words());
    }
    // Whoever asked may have gone away; the webhook is stored all the same.
    let _ = job.answer.send(result);
}

/// Whether a later try can succeed without anything being different about the webhooks.
pub(super) fn is_away(error: &store::Error) -> bool {
    error.is_unavailable() || error.is_transient() || inbound::is_of_settings(error)
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
