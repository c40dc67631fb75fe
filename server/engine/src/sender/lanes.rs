//! Which lane is served next: by weight, in turns.
//!
//! Stride scheduling: each lane has a pass that grows by what it was served, divided by its weight; the smallest pass
//! is next. A lane that had nothing to do joins where the others stand, so it neither waits nor catches up.

use std::collections::BTreeMap;

use domain::time::Timestamp;
use store::messages::Lane;

#[derive(Clone, Debug)]
struct Slot<T> {
    what: T,
    weight: f64,
    pass: f64,
    not_before: Timestamp,
}

/// The lanes that messages are sent from.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    slots: BTreeMap<Lane, Slot<T>>,
    /// The pass of the lane that was served last, before it was served.
    now: f64,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { slots: BTreeMap::new(), now: 0.0 }
    }
}

impl<T: Clone> Lanes<T> {
    /// These are the lanes from now on; what is known of those that stay is kept.
    pub fn set(&mut self, lanes: impl IntoIterator<Item = (Lane, T, i32)>) {
        let mut former = std::mem::take(&mut self.slots);
        for (lane, what, weight) in lanes {
            let weight = f64::from(weight.max(1));
            let (pass, not_before) = match former.remove(&lane) {
                Some(slot) => (slot.pass, slot.not_before),
                None => (self.now, Timestamp::default()),
            };
            self.slots.insert(lane, Slot { what, weight, pass, not_before });
        }
    }

    /// The next lane to serve; single sends come before runs.
    pub fn next(&self, now: Timestamp) -> Option<(Lane, T)> {
        let ready = self.slots.iter().filter(|(_, slot)| slot.not_before <= now);
        let next = ready.min_by(|(a, one), (b, other)| {
            let key = |lane: &Lane| matches!(lane, Lane::Run { .. });
            key(a).cmp(&key(b)).then(one.pass.total_cmp(&other.pass))
        });
        next.map(|(lane, slot)| (*lane, slot.what.clone()))
    }

    /// When the first of the lanes that wait may be served.
    pub fn next_time(&self) -> Option<Timestamp> {
        self.slots.values().map(|slot| slot.not_before).min()
    }

    /// The lane was served this many messages.
    pub fn served(&mut self, lane: Lane, messages: usize) {
        let present = self.now;
        if let Some(slot) = self.slots.get_mut(&lane) {
            let from = slot.pass.max(present);
            slot.pass = from + messages as f64 / slot.weight;
            self.now = from;
        }
    }

    /// The lane has nothing to do before then.
    pub fn wait(&mut self, lane: Lane, until: Timestamp) {
        if let Some(slot) = self.slots.get_mut(&lane) {
            slot.not_before = slot.not_before.max(until);
        }
    }

    /// Whatever a lane waited for may have come.
    pub fn wake_all(&mut self) {
        for slot in self.slots.values_mut() {
            slot.not_before = Timestamp::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::{RunId, SenderId};
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(100);

    fn run(number: u128) -> Lane {
        Lane::Run { run: RunId(Uuid::from_u128(number)), topic: None }
    }

    fn serve(lanes: &mut Lanes<()>, turns: usize, quantum: usize) -> BTreeMap<Lane, usize> {
        let mut served = BTreeMap::new();
        for _ in 0..turns {
            let (lane, ()) = lanes.next(NOW).expect("a lane");
            lanes.served(lane, quantum);
            *served.entry(lane).or_default() += quantum;
        }
        served
    }

    #[test]
    fn weights_share_the_turns() {
        let mut lanes = Lanes::default();
        lanes.set([(run(1), (), 1), (run(2), (), 3)]);
        let served = serve(&mut lanes, 400, 10);
        assert_eq!(served[&run(1)], 1_000);
        assert_eq!(served[&run(2)], 3_000);
    }

    #[test]
    fn a_small_run_started_late_shares_at_once_and_catches_nothing_up() {
        let mut lanes = Lanes::default();
        lanes.set([(run(1), (), 1)]);
        serve(&mut lanes, 1_000, 100);
        lanes.set([(run(1), (), 1), (run(2), (), 1)]);
        let served = serve(&mut lanes, 20, 100);
        assert_eq!(served[&run(1)], served[&run(2)]);
    }

    #[test]
    fn a_lane_that_waited_saved_nothing() {
        let mut lanes = Lanes::default();
        lanes.set([(run(1), (), 1), (run(2), (), 1)]);
        lanes.wait(run(2), NOW.plus(1));
        serve(&mut lanes, 100, 10);
        lanes.wake_all();
        let served = serve(&mut lanes, 20, 10);
        assert!(served[&run(2)] <= 110, "{served:?}");
    }

    #[test]
    fn people_who_wait_for_an_answer_come_first() {
        let single = Lane::Singles { sender: SenderId(Uuid::from_u128(9)) };
        let mut lanes = Lanes::default();
        lanes.set([(run(1), (), 1), (single, (), 1)]);
        assert_eq!(lanes.next(NOW).map(|(lane, ())| lane), Some(single));
        lanes.wait(single, NOW.plus(5));
        assert_eq!(lanes.next(NOW).map(|(lane, ())| lane), Some(run(1)));
        lanes.wait(run(1), NOW.plus(3));
        assert_eq!(lanes.next(NOW), None);
        assert_eq!(lanes.next_time(), Some(NOW.plus(3)));
    }
}
