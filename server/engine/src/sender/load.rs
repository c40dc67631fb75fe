//! How much the sender has in hand, and how much more it may take. A part is kept for single sends: who waits for an
//! answer does not wait behind a campaign.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use store::messages::Lane;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// Claimed messages that may wait for a slot, for each slot: enough to keep the slots busy while the next batch is
/// claimed; what a crash leaves in doubt.
const CLAIMED_PER_SLOT: usize = 8;

/// Nothing in a process that does not send. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Load(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// One for each request in flight to the provider.
    slots: Semaphore,
    /// Those of them that campaigns may use.
    run_slots: Semaphore,
    all_slots: usize,
    kept_slots: usize,
    claimed: AtomicUsize,
    /// Rings when a claimed message is done with.
    freed: Notify,
}

/// Whose messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Runs,
    Singles,
}

impl From<Lane> for Of {
    fn from(lane: Lane) -> Self {
        match lane {
            Lane::Run { .. } => Self::Runs,
            Lane::Singles { .. } => Self::Singles,
        }
    }
}

/// A request to the provider may be under way.
pub(super) struct Slot<'a> {
    _one: SemaphorePermit<'a>,
    _of_runs: Option<SemaphorePermit<'a>>,
}

/// A claimed message; counted until this is dropped, so also when its task breaks.
#[derive(Debug)]
pub(super) struct Taken(Load);

/// An eighth and at least two, but campaigns have half of them in any case.
fn kept(slots: usize) -> usize {
    (slots / 8).max(2).min(slots / 2)
}

impl Load {
    /// For so many requests at the same time.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        let kept_slots = kept(slots);
        Self(Arc::new(Inner {
            slots: Semaphore::new(slots),
            run_slots: Semaphore::new(slots - kept_slots),
            all_slots: slots,
            kept_slots,
            claimed: AtomicUsize::new(0),
            freed: Notify::new(),
        }))
    }

    /// Waits for a slot. `None`: there are none any more.
    pub(super) async fn slot(&self, of: Of) -> Option<Slot<'_>> {
        let of_runs = match of {
            Of::Runs => Some(self.0.run_slots.acquire().await.ok()?),
            Of::Singles => None,
        };
        Some(Slot { _one: self.0.slots.acquire().await.ok()?, _of_runs: of_runs })
    }

    /// How many more messages may be claimed now; none until it is worth a batch.
    pub(super) fn room(&self, of: Of) -> usize {
        let Inner { all_slots, kept_slots, .. } = *self.0;
        let (slots, worth) = match of {
            Of::Runs => (all_slots - kept_slots, all_slots - kept_slots),
            Of::Singles => (all_slots, kept_slots),
        };
        let room = (slots * CLAIMED_PER_SLOT).saturating_sub(self.claimed());
        if room * 4 >= worth * CLAIMED_PER_SLOT { room } else { 0 }
    }

    /// Counts a message that was claimed.
    pub(super) fn take(&self) -> Taken {
        self.0.claimed.fetch_add(1, Ordering::Relaxed);
        Taken(self.clone())
    }

    /// Waits until there is room for a campaign's messages.
    pub(super) async fn freed(&self) {
        self.0.freed.notified().await;
    }

    /// Messages that are claimed and not done with.
    pub fn claimed(&self) -> usize {
        self.0.claimed.load(Ordering::Relaxed)
    }

    /// Requests to the provider that are under way.
    pub fn in_flight(&self) -> usize {
        self.0.all_slots.saturating_sub(self.0.slots.available_permits())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let load = &self.0;
        load.0.claimed.fetch_sub(1, Ordering::Relaxed);
        if load.room(Of::Runs) > 0 {
            load.0.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_part_is_kept_whenever_there_is_more_than_one() {
        assert_eq!([1, 2, 3, 4, 8, 16, 64].map(kept), [0, 1, 1, 2, 2, 2, 8]);
    }

    #[tokio::test]
    async fn campaigns_leave_slots_and_room_to_single_sends() {
        let load = Load::new(16);
        let mut busy = Vec::new();
        for _ in 0..14 {
            busy.push(load.slot(Of::Runs).await);
        }
        assert!(load.slot(Of::Runs).now_or_never().is_none());
        assert!(load.slot(Of::Singles).now_or_never().flatten().is_some());
        let taken: Vec<Taken> = (0..load.room(Of::Runs)).map(|_| load.take()).collect();
        assert_eq!((taken.len(), load.room(Of::Runs), load.room(Of::Singles)), (112, 0, 16));
        let more: Vec<Taken> = (0..16).map(|_| load.take()).collect();
        assert_eq!(load.room(Of::Singles), 0);
        drop((taken, more));
        assert_eq!((load.room(Of::Runs), load.room(Of::Singles)), (112, 128));
    }

    #[tokio::test]
    async fn a_task_that_breaks_leaves_nothing_behind() {
        let load = Load::new(4);
        let taken = load.take();
        let task = tokio::spawn(async move {
            let _taken = taken;
            panic!("on purpose");
        });
        assert!(task.await.is_err());
        assert_eq!(load.claimed(), 0);
    }
}
