//! Whether the provider gives clear answers. Each one that is not leaves a message of which nobody knows whether it was
//! sent: while most answers are like that, as when the provider shows a maintenance page, nothing more is handed over.

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
    held_until: Option<Instant>,
}

impl Doubts {
    fn with<T>(&self, sender: SenderId, act: impl FnOnce(&mut Answers) -> T) -> T {
        act(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(sender).or_default())
    }

    /// Notes an answer. A sender that is blocked starts anew.
    pub(super) fn note(&self, sender: SenderId, unclear: bool, now: Instant) -> Verdict {
        self.with(sender, |answers| {
            let latest = &mut answers.unclear;
            latest.push_back(unclear);
            if latest.len() > WINDOW {
                latest.pop_front();
            }
            match latest.iter().filter(|unclear| **unclear).count() {
                _ if !unclear => Verdict::Fine,
                BLOCKS.. => {
                    latest.clear();
                    answers.held_until = Some(now + HOLD);
                    Verdict::Blocked
                }
                SLOWS.. => Verdict::Slower,
                _ => Verdict::Fine,
            }
        })
    }

    /// Whether nothing may be handed over just now.
    pub(super) fn holds(&self, sender: SenderId, now: Instant) -> bool {
        self.with(sender, |answers| answers.held_until.is_some_and(|until| now < until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: SenderId = SenderId(uuid::Uuid::nil());

    #[test]
    fn a_bad_network_blocks_nobody() {
        let (doubts, now) = (Doubts::default(), Instant::now());
        for turn in 0..10_000 {
            assert_eq!(doubts.note(SENDER, turn % 5 == 0, now), Verdict::Fine);
        }
        assert!(!doubts.holds(SENDER, now));
    }

    #[test]
    fn a_maintenance_page_does_at_once_and_only_that_sender() {
        let (doubts, now) = (Doubts::default(), Instant::now());
        (0..100).for_each(|_| assert_eq!(doubts.note(SENDER, false, now), Verdict::Fine));
        let verdicts: Vec<_> = (0..BLOCKS).map(|_| doubts.note(SENDER, true, now)).collect();
        assert_eq!(verdicts[..SLOWS - 1], [Verdict::Fine; SLOWS - 1]);
        assert_eq!(verdicts[SLOWS - 1..BLOCKS - 1], [Verdict::Slower; BLOCKS - SLOWS]);
        assert_eq!(verdicts.last(), Some(&Verdict::Blocked));
        assert!(doubts.holds(SENDER, now) && !doubts.holds(SenderId(uuid::Uuid::max()), now));
        assert!(!doubts.holds(SENDER, now + HOLD));
        assert_eq!(doubts.note(SENDER, true, now), Verdict::Fine, "it starts anew");
    }
}
