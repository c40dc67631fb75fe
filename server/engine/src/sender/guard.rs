//! Stops a run whose messages keep failing for a reason that meets everybody who is still to come: it must not burn
//! through all its people.
//!
//! Answers and callbacks are looked at apart: they may come to different processes, and a message that is taken at first
//! says nothing of what becomes of it. Each process looks at what came to it; that a run was paused because too many fail is
//! kept with the run, and so told once.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use domain::ids::RunId;

/// The latest outcomes that are looked at …
const WINDOW: usize = 200;
/// … and how many of them may be of the same trouble.
const TOLERATED: usize = 40;

/// What is wrong, and not with the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The provider refuses the text or template.
    TextRefused,
    /// The sender is too fast or at its limit, and what was taken is lost.
    SenderLimit,
    /// Anything else: numbers that are none, a country that is closed, phones that cannot be reached.
    Failing,
}

impl Trouble {
    /// Why such a run is paused.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::TextRefused => "Twilio refuses this text or template for many people; see the failures by code",
            Self::SenderLimit => {
                "The sender is too fast or at its limit, so that messages to many people fail; see the failures by \
                 code, lower the rate or wait, then resume"
            }
            Self::Failing => {
                "More than a fifth of the latest messages failed; see the failures by code. If that is to be expected \
                 of these people, resume: this run will not be paused for this again"
            }
        }
    }
}

/// Where an outcome came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Answer,
    Callback,
}

#[derive(Debug, Default)]
struct Latest {
    outcomes: VecDeque<Option<Trouble>>,
    /// The database says that the run was paused for failures of all kinds, which is not taken back: it is not asked again.
    is_told: bool,
}

impl Latest {
    fn note(&mut self, outcome: Option<Trouble>) {
        self.outcomes.push_back(outcome);
        if self.outcomes.len() > WINDOW {
            self.outcomes.pop_front();
        }
    }

    /// What there is too much of: one trouble, or failures of any kind together.
    fn too_much(&self, trouble: Trouble) -> Option<Trouble> {
        let same = self.outcomes.iter().filter(|outcome| **outcome == Some(trouble)).count();
        let all = self.outcomes.iter().flatten().count();
        if trouble != Trouble::Failing && same > TOLERATED {
            Some(trouble)
        } else {
            (all > TOLERATED && !self.is_told).then_some(Trouble::Failing)
        }
    }
}

/// What the latest messages of each run came to.
#[derive(Debug, Default)]
pub struct Guard(Mutex<HashMap<(RunId, Source), Latest>>);

impl Guard {
    /// Notes outcomes. Those runs are to be stopped, each for this trouble: until [`Guard::begin_anew`] is told that it was
    /// tried, the next one that fails finds it again.
    pub(crate) fn note(
        &self,
        source: Source,
        outcomes: impl IntoIterator<Item = (RunId, Option<Trouble>)>,
    ) -> Vec<(RunId, Trouble)> {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.len() > 1_000 {
            runs.clear();
        }
        let mut stops: Vec<(RunId, Trouble)> = Vec::new();
        for (run, trouble) in outcomes {
            let latest = runs.entry((run, source)).or_default();
            latest.note(trouble);
            if stops.iter().all(|(stopped, _)| *stopped != run) {
                stops.extend(trouble.and_then(|trouble| latest.too_much(trouble)).map(|found| (run, found)));
            }
        }
        stops
    }

    /// The database has decided about pausing a run for what was found: what is looked at begins anew. `is_told`: it was
    /// paused for failures of all kinds, now or before.
    pub(crate) fn begin_anew(&self, run: RunId, source: Source, is_told: bool) {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = runs.entry((run, source)).or_default();
        latest.outcomes.clear();
        latest.is_told |= is_told;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: RunId = RunId(uuid::Uuid::nil());

    /// Whether the run is to be stopped. Then it is, as the database says.
    fn trips(guard: &Guard, source: Source, trouble: Option<Trouble>) -> bool {
        let stops = guard.note(source, [(RUN, trouble)]);
        for (run, found) in &stops {
            guard.begin_anew(*run, source, *found == Trouble::Failing);
        }
        !stops.is_empty()
    }

    #[test]
    fn a_few_refusals_are_tolerated_and_many_are_not() {
        for trouble in [Trouble::TextRefused, Trouble::SenderLimit] {
            let guard = Guard::default();
            assert!((0..10_000).all(|turn| !trips(&guard, Source::Answer, (turn % 6 == 0).then_some(trouble))));
            let guard = Guard::default();
            assert_eq!((0..10_000).position(|_| trips(&guard, Source::Callback, Some(trouble))), Some(TOLERATED));
            assert!(!trips(&guard, Source::Callback, Some(trouble)), "a resumed run starts anew");
        }
    }

    #[test]
    fn failures_of_any_kind_are_too_many_together_and_once() {
        let guard = Guard::default();
        let kinds = [Trouble::Failing, Trouble::TextRefused, Trouble::SenderLimit];
        let noted: Vec<_> = (0..TOLERATED + 1)
            .flat_map(|turn| guard.note(Source::Callback, [(RUN, Some(kinds[turn % kinds.len()]))]))
            .collect();
        assert_eq!(noted, [(RUN, Trouble::Failing)]);
        guard.begin_anew(RUN, Source::Callback, true);
        assert!(
            (0..10_000).all(|_| !trips(&guard, Source::Callback, Some(Trouble::Failing))),
            "whoever resumed it knows"
        );
        assert!((0..=TOLERATED).any(|_| trips(&guard, Source::Callback, Some(Trouble::TextRefused))), "of those");
    }

    #[test]
    fn what_was_not_decided_is_found_again_and_what_was_not_told_later() {
        for trouble in [Trouble::TextRefused, Trouble::Failing] {
            let guard = Guard::default();
            let fails = |count: usize| guard.note(Source::Answer, (0..count).map(|_| (RUN, Some(trouble))));
            assert!(fails(TOLERATED).is_empty());
            assert_eq!(fails(5), [(RUN, trouble)], "once in a batch");
            assert_eq!(fails(1), [(RUN, trouble)], "nobody could write it");
            guard.begin_anew(RUN, Source::Answer, false);
            assert!(fails(TOLERATED).is_empty());
            assert_eq!(fails(1), [(RUN, trouble)], "it did not run then");
        }
    }

    #[test]
    fn what_is_taken_does_not_hide_what_fails_later() {
        let guard = Guard::default();
        let stopped = (0..10_000).position(|_| {
            assert!((0..10).all(|_| !trips(&guard, Source::Answer, None)));
            trips(&guard, Source::Callback, Some(Trouble::SenderLimit))
        });
        assert_eq!(stopped, Some(TOLERATED));
    }
}
