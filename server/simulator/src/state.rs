//! What all parts share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::StartError;
use crate::content::Contents;
use crate::faults::Gate;
use crate::queue::{self, Queue};
use crate::settings::Settings;
use crate::sid::Minter;
use crate::signature::Signer;
use crate::status::Word;
use crate::store::{Store, is_whatsapp};
use crate::webhook::{Delivery, Target, Webhooks};

/// The lock, whatever happened to the thread that held it before: all that is under locks here is valid at any time.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Settings, with what is derived from them once.
#[derive(Debug)]
pub(crate) struct Active {
    pub settings: Settings,
    pub signer: Signer,
    pub statuses: Vec<Word>,
    pub inbound: Option<Target>,
}

impl Active {
    pub fn new(settings: Settings) -> Self {
        Self {
            signer: Signer::new(&settings.auth_token),
            statuses: settings.callbacks.statuses.iter().map(|word| Word::new(word)).collect(),
            inbound: settings.inbound_url.as_deref().and_then(Target::parse),
            settings,
        }
    }

    /// The sender a Messaging Service picks for this recipient.
    pub fn service_sender(&self, to: &str) -> Option<&str> {
        let mut senders = self.settings.service_senders.iter();
        senders.find(|sender| is_whatsapp(sender) == is_whatsapp(to)).map(String::as_str)
    }
}

/// Numbers that only grow, until a reset.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub accepted: AtomicU64,
    pub inbound: AtomicU64,
    pub replies: AtomicU64,
    pub callbacks_sent: AtomicU64,
    pub callbacks_failed: AtomicU64,
    pub callbacks_retried: AtomicU64,
    pub callbacks_duplicated: AtomicU64,
    pub callbacks_dropped: AtomicU64,
    pub lists: AtomicU64,
    pub refused: Mutex<BTreeMap<u32, u64>>,
    pub faults: Mutex<BTreeMap<&'static str, u64>>,
    pub debugger: Mutex<BTreeMap<u32, u64>>,
}

impl Counters {
    fn reset(&self) {
        let Self {
            accepted,
            inbound,
            replies,
            callbacks_sent,
            callbacks_failed,
            callbacks_retried,
            callbacks_duplicated,
            callbacks_dropped,
            lists,
            ..
        } = self;
        for counter in [
            accepted,
            inbound,
            replies,
            callbacks_sent,
            callbacks_failed,
            callbacks_retried,
            callbacks_duplicated,
            callbacks_dropped,
            lists,
        ] {
            counter.store(0, Relaxed);
        }
        lock(&self.refused).clear();
        lock(&self.faults).clear();
        lock(&self.debugger).clear();
    }
}

#[derive(Debug)]
pub(crate) struct Core {
    active: RwLock<Arc<Active>>,
    initial: Settings,
    pub store: Mutex<Store>,
    pub contents: Mutex<Contents>,
    pub counters: Counters,
    pub queue: Queue,
    pub webhooks: Webhooks,
    pub minter: Minter,
    pub gate: Gate,
    ordinal: AtomicU64,
    answers: AtomicU64,
    epoch: AtomicU64,
    in_flight: AtomicI64,
    pub started: Instant,
}

impl Core {
    /// The settings in force.
    pub fn active(&self) -> Arc<Active> {
        self.active.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts (valid) settings in force.
    pub fn activate(&self, settings: Settings) {
        let reseeded = settings.seed != self.active().settings.seed;
        lock(&self.store).trim(settings.max_messages);
        *self.active.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Active::new(settings));
        if reseeded {
            self.ordinal.store(0, Relaxed);
            self.answers.store(0, Relaxed);
        }
    }

    /// The settings of the start.
    pub fn initial(&self) -> &Settings {
        &self.initial
    }

    pub fn epoch(&self) -> u64 {
        self.epoch.load(Relaxed)
    }

    /// The place of a create in the order of all creates: what its chances are drawn from.
    pub fn next_ordinal(&self) -> u64 {
        self.ordinal.fetch_add(1, Relaxed)
    }

    /// The same for the jitter of answers.
    pub fn next_answer(&self) -> u64 {
        self.answers.fetch_add(1, Relaxed)
    }

    /// Counts a request of the API as long as the guard lives.
    pub fn enter(self: &Arc<Self>) -> InFlight {
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        InFlight { core: self.clone(), concurrent: u32::try_from(now).unwrap_or(1) }
    }

    pub fn in_flight(&self) -> u64 {
        u64::try_from(self.in_flight.load(Relaxed)).unwrap_or(0)
    }

    pub fn count_refusal(&self, code: u32) {
        *lock(&self.counters.refused).entry(code).or_default() += 1;
    }

    pub fn count_fault(&self, name: &'static str) {
        *lock(&self.counters.faults).entry(name).or_default() += 1;
    }

    /// An entry in Twilio's debugger.
    pub fn debug(&self, code: u32) {
        *lock(&self.counters.debugger).entry(code).or_default() += 1;
    }

    pub fn count_callback(&self, delivery: &Delivery) {
        let counters = &self.counters;
        counters.callbacks_retried.fetch_add(u64::from(delivery.attempts.saturating_sub(1)), Relaxed);
        match delivery.error {
            None => counters.callbacks_sent.fetch_add(1, Relaxed),
            Some(code) => {
                self.debug(code);
                counters.callbacks_failed.fetch_add(1, Relaxed)
            }
        };
    }

    /// Forgets messages, people, templates of one's own, counts and what is pending; settings stay.
    pub fn reset(&self) {
        {
            // Under the lock: no create may take its number before and its epoch after, or the other way round.
            let mut store = lock(&self.store);
            self.epoch.fetch_add(1, Relaxed);
            store.reset();
        }
        *lock(&self.contents) = Contents::samples();
        self.counters.reset();
        self.gate.clear();
        self.ordinal.store(0, Relaxed);
        self.answers.store(0, Relaxed);
    }
}

/// One API request in progress.
#[derive(Debug)]
pub(crate) struct InFlight {
    core: Arc<Core>,
    /// How many there are, with this one.
    pub concurrent: u32,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.core.in_flight.fetch_sub(1, Relaxed);
    }
}

/// The core with its background tasks: they end when the last holder of this is gone.
#[derive(Debug)]
pub(crate) struct Shared {
    pub core: Arc<Core>,
    pub stop: CancellationToken,
    _stop: DropGuard,
}

impl Shared {
    pub fn start(settings: Settings) -> Result<Arc<Self>, StartError> {
        settings.validate().map_err(StartError::Settings)?;
        let workers = settings.callbacks.workers;
        let webhooks = Webhooks::new(workers).map_err(|error| StartError::Client(error.to_string()))?;
        let (queue, waiting) = Queue::new();
        let core = Arc::new(Core {
            contents: Mutex::new(Contents::samples()),
            active: RwLock::new(Arc::new(Active::new(settings.clone()))),
            initial: settings,
            store: Mutex::default(),
            counters: Counters::default(),
            queue,
            webhooks,
            minter: Minter::new(rand::random()),
            gate: Gate::default(),
            ordinal: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            in_flight: AtomicI64::new(0),
            started: Instant::now(),
        });
        let stop = CancellationToken::new();
        queue::spawn(&core, waiting, workers, &stop);
        Ok(Arc::new(Self { core, stop: stop.clone(), _stop: stop.drop_guard() }))
    }
}
