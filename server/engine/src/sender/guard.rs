//! Stops a run whose text the provider keeps refusing, in its answers or in callbacks: it must not burn through all its
//! people.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use domain::ids::RunId;

/// The latest outcomes that are looked at …
const WINDOW: usize = 200;
/// … and how many of them may be refusals of the text.
const TOLERATED: usize = 40;

/// Why such a run is paused.
pub(crate) const REASON: &str = "Twilio refuses this text or template for many people; see the failures by code";

/// What the latest hand-overs of each run came to.
#[derive(Debug, Default)]
pub struct Guard(Mutex<HashMap<RunId, VecDeque<bool>>>);

impl Guard {
    /// Notes an outcome. True when the run is to be stopped; then it starts anew.
    pub(crate) fn note(&self, run: RunId, text_refused: bool) -> bool {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.len() > 1_000 {
            runs.clear();
        }
        let latest = runs.entry(run).or_default();
        latest.push_back(text_refused);
        if latest.len() > WINDOW {
            latest.pop_front();
        }
        let trips = text_refused && latest.iter().filter(|refused| **refused).count() > TOLERATED;
        if trips {
            runs.remove(&run);
        }
        trips
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: RunId = RunId(uuid::Uuid::nil());

    #[test]
    fn a_few_refusals_are_tolerated_and_many_are_not() {
        let guard = Guard::default();
        assert!((0..10_000).all(|turn| !guard.note(RUN, turn % 6 == 0)));
        let guard = Guard::default();
        assert_eq!((0..10_000).position(|_| guard.note(RUN, true)), Some(TOLERATED));
        assert!(!guard.note(RUN, true), "a resumed run starts anew");
    }
}
