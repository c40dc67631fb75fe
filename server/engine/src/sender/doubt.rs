//! Whether the provider gives clear answers. Each one that is not leaves a message of which nobody knows whether it was
//! sent: while most answers are like that, as when the provider or a proxy shows a page, nothing more is handed over.
//!
//! Requests that fail together, as after a machine was asleep, are one mishap: a sender is not blocked for them alone, but
//! for what was begun when answers were unclear already.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::ids::SenderId;
use tokio::time::Instant;

/// The latest answers to a sender that are looked at.
const WINDOW: usize = 40;
/// So many unclear ones among them slow the sender down …
const SLOWS: usize = 10;
/// … and so many block it. Below stands what a bad network loses now and then.
const BLOCKS: usize = 20;

/// From there on nothing is handed over here for so long: until then the database says that the sender is blocked.
pub(super) const HOLD: Duration = Duration::from_secs(2);

/// What follows from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    /// Many of the latest answers are unclear.
    Slower,
    /// Most of them are.
    Blocked,
}

/// The latest answers to each sender.
#[derive(Debug, Default)]
pub struct Doubts(Mutex<HashMap<SenderId, Answers>>);

#[derive(Debug, Default)]
struct Answers {
    unclear: VecDeque<bool>,
    /// Since when many of them are.
    doubted_since: Option<Instant>,
    held_until: Option<Instant>,
}

impl Doubts {
    fn with<T>(&self, sender: SenderId, act: impl FnOnce(&mut Answers) -> T) -> T {
        act(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(sender).or_default())
    }

    /// Notes an answer to a request that began then. A sender that is blocked starts anew.
    pub(super) fn note(&self, sender: SenderId, unclear: bool, began: Instant, now: Instant) -> Verdict {
        self.with(sender, |answers| answers.note(unclear, began, now))
    }

    /// Whether nothing may be handed over just now.
    pub(super) fn holds(&self, sender: SenderId, now: Instant) -> bool {
        self.with(sender, |answers| answers.held_until.is_some_and(|until| now < until))
    }
}

impl Answers {
    fn note(&mut self, unclear: bool, began: Instant, now: Instant) -> Verdict {
        if unclear && self.doubted_since.is_some_and(|since| began < since) {
            return Verdict::Slower;
        }
        self.unclear.push_back(unclear);
        if self.unclear.len() > WINDOW {
            self.unclear.pop_front();
        }
        let many = self.unclear.iter().filter(|unclear| **unclear).count();
        if many >= BLOCKS {
            *self = Self { held_until: Some(now + HOLD), ..Self::default() };
            return Verdict::Blocked;
        }
        self.doubted_since = if many >= SLOWS { self.doubted_since.or(Some(now)) } else { None };
        if unclear && many >= SLOWS { Verdict::Slower } else { Verdict::Fine }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: SenderId = SenderId(uuid::Uuid::nil());

    /// Answers that come one after the other, each at once.
    fn note(doubts: &Doubts, unclear: bool, at: Instant) -> Verdict {
        doubts.note(SENDER, unclear, at, at)
    }

    #[test]
    fn a_bad_network_blocks_nobody() {
        let (doubts, now) = (Doubts::default(), Instant::now());
        for turn in 0..10_000 {
            assert_eq!(note(&doubts, turn % 5 == 0, now), Verdict::Fine);
        }
        assert!(!doubts.holds(SENDER, now));
    }

    #[test]
    fn a_maintenance_page_does_at_once_and_only_that_sender() {
        let (doubts, now) = (Doubts::default(), Instant::now());
        (0..100).for_each(|_| assert_eq!(note(&doubts, false, now), Verdict::Fine));
        let verdicts: Vec<_> = (0..BLOCKS).map(|_| note(&doubts, true, now)).collect();
        assert_eq!(verdicts[..SLOWS - 1], [Verdict::Fine; SLOWS - 1]);
        assert_eq!(verdicts[SLOWS - 1..BLOCKS - 1], [Verdict::Slower; BLOCKS - SLOWS]);
        assert_eq!(verdicts.last(), Some(&Verdict::Blocked));
        assert!(doubts.holds(SENDER, now) && !doubts.holds(SenderId(uuid::Uuid::max()), now));
        assert!(!doubts.holds(SENDER, now + HOLD));
        assert_eq!(note(&doubts, true, now), Verdict::Fine, "it starts anew");
    }

    #[test]
    fn requests_that_fail_together_are_one_mishap() {
        let (doubts, before) = (Doubts::default(), Instant::now());
        let now = before + Duration::from_secs(20);
        for _ in 0..64 {
            assert_ne!(doubts.note(SENDER, true, before, now), Verdict::Blocked);
        }
        // A bad network does not make more of it.
        for turn in 0..10_000 {
            assert_ne!(note(&doubts, turn % 5 == 0, now), Verdict::Blocked);
        }
        // What is begun afterwards and fails does.
        assert!((0..BLOCKS).any(|_| note(&doubts, true, now) == Verdict::Blocked));
    }
}
