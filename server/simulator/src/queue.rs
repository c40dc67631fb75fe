//! What is to happen later: one timer wheel for all waiting steps, and a fixed number of workers that do those that
//! are due.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::time::DelayQueue;

use crate::callbacks::{self, Script};
use crate::state::{Core, lock};

#[derive(Debug)]
pub(crate) enum Job {
    /// The next step of a message.
    Step(Box<Script>),
    /// A scheduled message's time has come.
    Release { seq: u64, epoch: u64 },
}

#[derive(Debug)]
pub(crate) struct Queue {
    timer: mpsc::UnboundedSender<(Instant, Job)>,
    ready: Mutex<VecDeque<Job>>,
    due: Semaphore,
    pending: AtomicU64,
    idle: Notify,
}

/// The receiving end, for [`spawn`].
pub(crate) type Waiting = mpsc::UnboundedReceiver<(Instant, Job)>;

impl Queue {
    pub fn new() -> (Self, Waiting) {
        let (timer, waiting) = mpsc::unbounded_channel();
        let queue = Self {
            timer,
            ready: Mutex::default(),
            due: Semaphore::new(0),
            pending: AtomicU64::new(0),
            idle: Notify::new(),
        };
        (queue, waiting)
    }

    /// Queues a new job; call [`Queue::done`] when it and all that follows from it is over.
    pub fn begin(&self, job: Job, delay: Duration) {
        self.pending.fetch_add(1, Relaxed);
        self.put(job, delay);
    }

    /// Counts a job that is begun outside the queue.
    pub fn begin_elsewhere(&self) {
        self.pending.fetch_add(1, Relaxed);
    }

    /// Queues the continuation of a job.
    pub fn put(&self, job: Job, delay: Duration) {
        if delay.is_zero() {
            self.ready(job);
        } else if let Err(mpsc::error::SendError((_, Job::Step(_)))) = self.timer.send((Instant::now() + delay, job)) {
            // Shutting down.
            self.done();
        }
    }

    /// Has a scheduled message released later. It counts as pending only from then on.
    pub fn release_later(&self, seq: u64, epoch: u64, delay: Duration) {
        self.put(Job::Release { seq, epoch }, delay);
    }

    fn ready(&self, job: Job) {
        lock(&self.ready).push_back(job);
        self.due.add_permits(1);
    }

    /// A job is over.
    pub fn done(&self) {
        if self.pending.fetch_sub(1, Relaxed) == 1 {
            self.idle.notify_waiters();
        }
    }

    /// Messages whose script is not over.
    pub fn pending(&self) -> u64 {
        self.pending.load(Relaxed)
    }

    /// Waits until no script is left.
    pub async fn idle(&self) {
        loop {
            let notified = self.idle.notified();
            if self.pending() == 0 {
                return;
            }
            // A reset may empty the queue without a notification worth relying on: look again now and then.
            let _ = tokio::time::timeout(Duration::from_millis(100), notified).await;
        }
    }
}

/// Starts the timer and the workers; they end with `stop`.
pub(crate) fn spawn(core: &Arc<Core>, waiting: Waiting, workers: usize, stop: &CancellationToken) {
    tokio::spawn(stop.clone().run_until_cancelled_owned(time(core.clone(), waiting)));
    for _ in 0..workers {
        tokio::spawn(stop.clone().run_until_cancelled_owned(work(core.clone())));
    }
}

async fn time(core: Arc<Core>, mut waiting: Waiting) {
    let mut wheel = DelayQueue::new();
    let mut new = Vec::with_capacity(256);
    loop {
        tokio::select! {
            count = waiting.recv_many(&mut new, 256) => {
                if count == 0 {
                    return;
                }
                for (at, job) in new.drain(..) {
                    wheel.insert_at(job, at);
                }
            }
            Some(due) = poll_fn(|context| wheel.poll_expired(context)), if !wheel.is_empty() => {
                core.queue.ready(due.into_inner());
            }
        }
    }
}

async fn work(core: Arc<Core>) {
    loop {
        match core.queue.due.acquire().await {
            Ok(permit) => permit.forget(),
            Err(_) => return,
        }
        let job = lock(&core.queue.ready).pop_front();
        match job {
            Some(Job::Step(script)) => callbacks::run(&core, script).await,
            Some(Job::Release { seq, epoch }) => {
                let script = if epoch == core.epoch() { lock(&core.store).unschedule(seq) } else { None };
                if let Some(script) = script {
                    core.queue.begin(Job::Step(script), Duration::ZERO);
                }
            }
            None => {}
        }
    }
}
