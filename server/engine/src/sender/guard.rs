//! Stops a run whose text the provider keeps refusing: it must not burn through all its people.

use std::collections::{HashMap, VecDeque};

use domain::ids::RunId;

/// The latest outcomes that are looked at …
const WINDOW: usize = 200;
/// … and how many of them may be refusals of the text.
const TOLERATED: usize = 40;

/// What the latest hand-overs of each run came to.
#[derive(Debug, Default)]
pub(super) struct Guard(HashMap<RunId, VecDeque<bool>>);

impl Guard {
    /// Notes an outcome. True when the run is to be stopped; then it starts anew.
    pub fn note(&mut self, run: RunId, text_refused: bool) -> bool {
        if self.0.len() > 1_000 {
            self.0.clear();
        }
        let latest = self.0.entry(run).or_default();
        latest.push_back(text_refused);
        if latest.len() > WINDOW {
            latest.pop_front();
        }
        let trips = text_refused && latest.iter().filter(|refused| **refused).count() > TOLERATED;
        if trips {
            self.0.remove(&run);
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
        let mut guard = Guard::default();
        assert!((0..10_000).all(|turn| !guard.note(RUN, turn % 6 == 0)));
        let mut guard = Guard::default();
        assert_eq!((0..10_000).position(|_| guard.note(RUN, true)), Some(TOLERATED));
        assert!(!guard.note(RUN, true), "a resumed run starts anew");
    }
}
