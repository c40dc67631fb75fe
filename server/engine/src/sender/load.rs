//! How much the sender has in hand, for those who look on.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Semaphore;

/// Nothing in a process that does not send.
#[derive(Debug)]
pub struct Load {
    slots: Arc<Semaphore>,
    all_slots: usize,
    claimed: Arc<AtomicUsize>,
}

impl Load {
    /// For so many requests at the same time.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        Self { slots: Arc::new(Semaphore::new(slots)), all_slots: slots, claimed: Arc::default() }
    }

    /// One for each request in flight to the provider.
    pub(super) fn slots(&self) -> Arc<Semaphore> {
        self.slots.clone()
    }

    /// The number of claimed messages, kept by the sender.
    pub(super) fn count(&self) -> Arc<AtomicUsize> {
        self.claimed.clone()
    }

    /// Messages that are claimed and not done with.
    pub fn claimed(&self) -> usize {
        self.claimed.load(Ordering::Relaxed)
    }

    /// Requests to the provider that are under way.
    pub fn in_flight(&self) -> usize {
        self.all_slots.saturating_sub(self.slots.available_permits())
    }
}
