//! How much the sender has in hand, and how much more it may take. A part is kept for single sends: who waits for an
//! answer does not wait behind a campaign. Of the rest each account whose campaigns send has an equal part: one that answers
//! slowly keeps no other waiting.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

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
    claimed_of_runs: AtomicUsize,
    claimed_of_singles: AtomicUsize,
    /// By account: those whose campaigns have something to do, or still have something in hand.
    parts: Mutex<BTreeMap<String, Arc<Part>>>,
    /// So many of them share what campaigns may use.
    accounts: AtomicUsize,
    /// Rings when a claimed message is done with.
    freed: Notify,
}

/// What an account's campaigns have in hand.
#[derive(Debug, Default)]
pub(super) struct Part {
    claimed: AtomicUsize,
    /// Those of them that have a slot, or are next to have one.
    begun: AtomicUsize,
    /// Rings when one of these has ended.
    ended: Notify,
    /// The last claim found nothing: what waits is not due.
    idle: AtomicBool,
}

/// Whose messages.
#[derive(Clone, Debug)]
pub(super) enum Of {
    /// Those of an account's campaigns.
    Runs(Arc<Part>),
    Singles,
}

/// A request to the provider may be under way.
pub(super) struct Slot<'a> {
    _one: SemaphorePermit<'a>,
    _of_runs: Option<(SemaphorePermit<'a>, Turn<'a>)>,
}

/// One of an account's part of the slots.
struct Turn<'a>(&'a Part);

/// A claimed message; counted until this is dropped, so also when its task breaks.
#[derive(Debug)]
pub(super) struct Taken {
    load: Load,
    of: Of,
}

/// An eighth and at least two, but campaigns have half of them in any case.
fn kept(slots: usize) -> usize {
    (slots / 8).max(2).min(slots / 2)
}

impl Of {
    /// A claim of theirs has found something, or nothing was due.
    pub(super) fn found(&self, any: bool) {
        if let Self::Runs(part) = self {
            part.idle.store(!any, Ordering::SeqCst);
        }
    }
}

impl Part {
    /// Takes one of this many slots, when one is left.
    fn begin(&self, most: usize) -> bool {
        let one_more = |begun: usize| (begun < most).then_some(begun + 1);
        self.begun.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok()
    }
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
            claimed_of_runs: AtomicUsize::new(0),
            claimed_of_singles: AtomicUsize::new(0),
            parts: Mutex::default(),
            accounts: AtomicUsize::new(1),
            freed: Notify::new(),
        }))
    }

    /// The part of an account, for its campaigns.
    pub(super) fn part(&self, account: &str) -> Of {
        let mut parts = self.0.parts.lock().unwrap_or_else(PoisonError::into_inner);
        Of::Runs(parts.entry(account.to_owned()).or_default().clone())
    }

    /// The campaigns of these accounts have messages: they share, with those that still have something in hand, but for those of
    /// which nothing is due. People who sleep until morning must not halve another account's night.
    pub(super) fn share<'a>(&self, accounts: impl Iterator<Item = &'a str>) {
        let named: BTreeSet<&str> = accounts.collect();
        let mut parts = self.0.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.retain(|account, part| named.contains(account.as_str()) || part.claimed.load(Ordering::SeqCst) > 0);
        let shares = |account: &str, part: &Part| {
            let has_due = named.contains(account) && !part.idle.load(Ordering::SeqCst);
            has_due || part.claimed.load(Ordering::SeqCst) > 0
        };
        let accounts = parts.iter().filter(|(account, part)| shares(account, part)).count().max(1);
        if self.0.accounts.swap(accounts, Ordering::SeqCst) != accounts {
            // There may be more for each of them now.
            parts.values().for_each(|part| part.ended.notify_waiters());
        }
    }

    /// Waits for a slot. `None`: there are none any more.
    pub(super) async fn slot<'a>(&'a self, of: &'a Of) -> Option<Slot<'a>> {
        let of_runs = match of {
            Of::Runs(part) => {
                let turn = self.turn(part).await;
                Some((self.0.run_slots.acquire().await.ok()?, turn))
            }
            Of::Singles => None,
        };
        Some(Slot { _one: self.0.slots.acquire().await.ok()?, _of_runs: of_runs })
    }

    /// Waits until the account has one of its part of the slots left.
    async fn turn<'a>(&self, part: &'a Part) -> Turn<'a> {
        while !part.begin(self.most_slots()) {
            let mut ended = pin!(part.ended.notified());
            // Whoever ends from here on is heard; whoever ended just before has left a slot.
            ended.as_mut().enable();
            if part.begin(self.most_slots()) {
                break;
            }
            ended.await;
        }
        Turn(part)
    }

    /// How many slots each account's campaigns may use.
    fn most_slots(&self) -> usize {
        (self.run_slots() / self.0.accounts.load(Ordering::SeqCst)).max(1)
    }

    fn run_slots(&self) -> usize {
        self.0.all_slots - self.0.kept_slots
    }

    /// How many more messages may be claimed now; none until it is worth a batch. An account that was alone may for a while
    /// have more than its part, which takes nothing from the others.
    pub(super) fn room(&self, of: &Of) -> usize {
        let for_runs = self.run_slots() * CLAIMED_PER_SLOT;
        let by_singles = self.0.claimed_of_singles.load(Ordering::Relaxed);
        let (most, taken, worth) = match of {
            Of::Runs(part) => {
                let accounts = self.0.accounts.load(Ordering::SeqCst);
                let most = for_runs.saturating_sub(by_singles) / accounts;
                (most.max(1), part.claimed.load(Ordering::SeqCst), (for_runs / accounts).max(1))
            }
            Of::Singles => {
                let by_runs = self.0.claimed_of_runs.load(Ordering::Relaxed).min(for_runs);
                (self.0.all_slots * CLAIMED_PER_SLOT, by_singles + by_runs, self.0.kept_slots * CLAIMED_PER_SLOT)
            }
        };
        let room = most.saturating_sub(taken);
        if room * 4 >= worth { room } else { 0 }
    }

    /// Counts a message that was claimed.
    pub(super) fn take(&self, of: &Of) -> Taken {
        match of {
            Of::Runs(part) => {
                part.claimed.fetch_add(1, Ordering::SeqCst);
                self.0.claimed_of_runs.fetch_add(1, Ordering::Relaxed);
            }
            Of::Singles => {
                self.0.claimed_of_singles.fetch_add(1, Ordering::Relaxed);
            }
        }
        Taken { load: self.clone(), of: of.clone() }
    }

    /// Waits until there is room for more messages.
    pub(super) async fn freed(&self) {
        self.0.freed.notified().await;
    }

    /// Messages that are claimed and not done with.
    pub fn claimed(&self) -> usize {
        self.0.claimed_of_runs.load(Ordering::Relaxed) + self.0.claimed_of_singles.load(Ordering::Relaxed)
    }

    /// Requests to the provider that are under way.
    pub fn in_flight(&self) -> usize {
        self.0.all_slots.saturating_sub(self.0.slots.available_permits())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.begun.fetch_sub(1, Ordering::SeqCst);
        self.0.ended.notify_one();
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Self { load, of } = self;
        match of {
            Of::Runs(part) => {
                part.claimed.fetch_sub(1, Ordering::SeqCst);
                load.0.claimed_of_runs.fetch_sub(1, Ordering::Relaxed);
            }
            Of::Singles => {
                load.0.claimed_of_singles.fetch_sub(1, Ordering::Relaxed);
            }
        }
        if load.room(of) > 0 {
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
        let runs = load.part("AC1");
        let mut busy = Vec::new();
        for _ in 0..14 {
            busy.push(load.slot(&runs).await);
        }
        assert!(load.slot(&runs).now_or_never().is_none());
        assert!(load.slot(&Of::Singles).now_or_never().flatten().is_some());
        let taken: Vec<Taken> = (0..load.room(&runs)).map(|_| load.take(&runs)).collect();
        assert_eq!((taken.len(), load.room(&runs), load.room(&Of::Singles)), (112, 0, 16));
        let more: Vec<Taken> = (0..16).map(|_| load.take(&Of::Singles)).collect();
        assert_eq!((load.room(&Of::Singles), load.claimed()), (0, 128));
        drop((taken, more));
        assert_eq!((load.room(&runs), load.room(&Of::Singles), load.claimed()), (112, 128, 0));
    }

    #[tokio::test]
    async fn an_account_leaves_the_others_their_part() {
        let load = Load::new(16);
        let slow = load.part("AC1");
        load.share(std::iter::once("AC1"));
        // As long as it is alone it has everything.
        let mut busy = Vec::new();
        for _ in 0..14 {
            busy.push(load.slot(&slow).await);
        }
        let taken: Vec<Taken> = (0..load.room(&slow)).map(|_| load.take(&slow)).collect();
        assert_eq!(taken.len(), 112);
        let other = load.part("AC2");
        load.share(["AC1", "AC2"].into_iter());
        assert_eq!((load.room(&slow), load.room(&other), load.room(&Of::Singles)), (0, 56, 16));
        busy.truncate(7);
        assert!(load.slot(&slow).now_or_never().is_none(), "seven are its part");
        let mut others = Vec::new();
        for _ in 0..7 {
            others.push(load.slot(&other).now_or_never().flatten().expect("a slot"));
        }
        assert!(load.slot(&other).now_or_never().is_none());
        // It has nothing more to do, but still has something in hand.
        load.share(std::iter::once("AC2"));
        assert!(load.slot(&other).now_or_never().is_none());
        drop((taken, busy));
        let mut next = Box::pin(load.slot(&other));
        assert!(next.as_mut().now_or_never().is_none());
        load.share(std::iter::once("AC2"));
        assert!(next.await.is_some(), "who waits is told that there is more");
        assert_eq!(load.room(&other), 112);
        // A third one has messages, but for the morning: it leaves its part to the others until then.
        let asleep = load.part("AC3");
        asleep.found(false);
        load.share(["AC2", "AC3"].into_iter());
        assert_eq!((load.room(&other), load.room(&asleep)), (112, 112));
        asleep.found(true);
        load.share(["AC2", "AC3"].into_iter());
        assert_eq!((load.room(&other), load.room(&asleep)), (56, 56));
    }

    #[tokio::test]
    async fn whoever_waits_for_its_turn_gets_it_when_one_ends() {
        let load = Load::new(4);
        let runs = load.part("AC1");
        let (one, two) = (load.slot(&runs).await, load.slot(&runs).await);
        let mut waiting = [Box::pin(load.slot(&runs)), Box::pin(load.slot(&runs))];
        for next in &mut waiting {
            assert!(next.as_mut().now_or_never().is_none());
        }
        drop((one, two));
        let [first, second] = waiting;
        let (first, second) = (first.await, second.await);
        assert!(first.is_some() && second.is_some());
    }

    #[tokio::test]
    async fn a_task_that_breaks_leaves_nothing_behind() {
        let load = Load::new(4);
        let taken = load.take(&load.part("AC1"));
        let task = tokio::spawn(async move {
            let _taken = taken;
            panic!("on purpose");
        });
        assert!(task.await.is_err());
        assert_eq!(load.claimed(), 0);
    }
}
