//! Which lane is served next: by weight.
//!
//! Stride scheduling: each lane has a pass that grows by what it was served, divided by its weight; the smallest pass
//! of its sender is next. A lane that had nothing to do joins where the sender's others stand, so it neither waits nor
//! catches up. Among senders it is the same, by the weights of all their lanes: each has a rate of its own, and so passes of
//! several senders' lanes have nothing to do with each other.

use std::collections::BTreeMap;

use domain::{ids::SenderId, time::Timestamp};
use store::messages::Lane;

#[derive(Clone, Debug)]
struct Slot<T> {
    sender: SenderId,
    what: T,
    weight: f64,
    pass: f64,
    not_before: Timestamp,
}

/// How far a sender is.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    /// Its own pass, among senders.
    pass: f64,
    /// The pass of its lane that was served last, before that was served.
    lanes: f64,
    /// Of all its lanes.
    weight: f64,
}

/// The lanes that messages are sent from.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    slots: BTreeMap<Lane, Slot<T>>,
    senders: BTreeMap<SenderId, Turn>,
    /// The pass of the sender that was served last, before it was served.
    now: f64,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { slots: BTreeMap::new(), senders: BTreeMap::new(), now: 0.0 }
    }
}

impl<T: Clone> Lanes<T> {
    /// These are the lanes from now on, their senders and weights; what is known of those that stay is kept.
    pub fn set(&mut self, lanes: impl IntoIterator<Item = (Lane, SenderId, T, i32)>) {
        let mut slots = std::mem::take(&mut self.slots);
        let former = std::mem::take(&mut self.senders);
        for (lane, sender, what, weight) in lanes {
            let weight = f64::from(weight.max(1));
            let turn = self.senders.entry(sender).or_insert_with(|| {
                let turn = former.get(&sender).copied().unwrap_or(Turn { pass: self.now, ..Turn::default() });
                Turn { weight: 0.0, ..turn }
            });
            turn.weight += weight;
            let (pass, not_before) = match slots.remove(&lane).filter(|slot| slot.sender == sender) {
                Some(slot) => (slot.pass, slot.not_before),
                None => (turn.lanes, Timestamp::default()),
            };
            self.slots.insert(lane, Slot { sender, what, weight, pass, not_before });
        }
    }

    fn pass_of(&self, sender: SenderId) -> f64 {
        self.senders.get(&sender).map_or(self.now, |turn| turn.pass)
    }

    /// The next lane to serve, of those that may be; single sends come before runs.
    pub fn next(&self, now: Timestamp, may: impl Fn(&T) -> bool) -> Option<(Lane, T)> {
        let ready = self.slots.iter().filter(|(_, slot)| slot.not_before <= now && may(&slot.what));
        let next = ready.min_by(|(a, one), (b, other)| {
            let is_run = |lane: &Lane| matches!(lane, Lane::Run { .. });
            let senders = || self.pass_of(one.sender).total_cmp(&self.pass_of(other.sender));
            // Of two senders that are as far as each other, one goes first with all its lanes.
            let order = is_run(a).cmp(&is_run(b)).then_with(senders).then(one.sender.cmp(&other.sender));
            order.then(one.pass.total_cmp(&other.pass))
        });
        next.map(|(lane, slot)| (*lane, slot.what.clone()))
    }

    /// When the first of the lanes may be served, of those that may be: the others wait for something else than the time.
    pub fn next_time(&self, may: impl Fn(&T) -> bool) -> Option<Timestamp> {
        self.slots.values().filter(|slot| may(&slot.what)).map(|slot| slot.not_before).min()
    }

    /// The lane was served this many messages.
    pub fn served(&mut self, lane: Lane, messages: usize) {
        let Some(slot) = self.slots.get_mut(&lane) else { return };
        let Some(turn) = self.senders.get_mut(&slot.sender) else { return };
        let messages = messages as f64;
        self.now = turn.pass.max(self.now);
        turn.pass = self.now + messages / turn.weight;
        turn.lanes = turn.lanes.max(slot.pass);
        slot.pass = turn.lanes + messages / slot.weight;
    }

    /// The lane has nothing to do before then.
    pub fn wait(&mut self, lane: Lane, until: Timestamp) {
        if let Some(slot) = self.slots.get_mut(&lane) {
            slot.not_before = slot.not_before.max(until);
        }
    }

    /// These lanes have nothing to do before then: whatever they wait for, the next of them by weight gets it first.
    pub fn wait_together(&mut self, until: Timestamp, which: impl Fn(&T) -> bool) {
        for slot in self.slots.values_mut().filter(|slot| which(&slot.what)) {
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

    const SENDER: SenderId = SenderId(Uuid::from_u128(1));
    const OTHER: SenderId = SenderId(Uuid::from_u128(2));

    fn run(number: u128) -> Lane {
        Lane::Run { run: RunId(Uuid::from_u128(number)), topic: None }
    }

    fn serve(lanes: &mut Lanes<()>, turns: usize, quantum: usize) -> BTreeMap<Lane, usize> {
        let mut served = BTreeMap::new();
        for _ in 0..turns {
            let (lane, ()) = lanes.next(NOW, |()| true).expect("a lane");
            lanes.served(lane, quantum);
            *served.entry(lane).or_default() += quantum;
        }
        served
    }

    #[test]
    fn weights_share_the_turns() {
        let mut lanes = Lanes::default();
        lanes.set([(run(1), SENDER, (), 1), (run(2), SENDER, (), 3)]);
        let served = serve(&mut lanes, 400, 10);
        assert_eq!(served[&run(1)], 1_000);
        assert_eq!(served[&run(2)], 3_000);
    }

    #[test]
    fn a_small_run_started_late_shares_at_once_and_catches_nothing_up() {
        let mut lanes = Lanes::default();
        lanes.set([(run(1), SENDER, (), 1)]);
        serve(&mut lanes, 1_000, 100);
        lanes.set([(run(1), SENDER, (), 1), (run(2), SENDER, (), 1)]);
        let served = serve(&mut lanes, 20, 100);
        assert_eq!(served[&run(1)], served[&run(2)]);
    }

    #[test]
    fn a_lane_that_waited_saved_nothing() {
        let mut lanes = Lanes::default();
        lanes.set([(run(1), SENDER, (), 1), (run(2), SENDER, (), 1)]);
        lanes.wait(run(2), NOW.plus(1));
        serve(&mut lanes, 100, 10);
        lanes.wake_all();
        let served = serve(&mut lanes, 20, 10);
        assert!(served[&run(2)] <= 110, "{served:?}");
    }

    /// In each turn there are five messages for the lanes of 'a', and a hundred times as many for those of 'b'.
    fn serve_by_limits(lanes: &mut Lanes<char>, turns: std::ops::Range<i64>) -> BTreeMap<Lane, usize> {
        let mut served = BTreeMap::new();
        for turn in turns {
            let now = NOW.plus(turn * 10);
            while let Some((lane, limit)) = lanes.next(now, |_| true) {
                let messages = if limit == 'a' { 5 } else { 500 };
                lanes.served(lane, messages);
                *served.entry(lane).or_default() += messages;
                lanes.wait_together(now.plus(10), |other| *other == limit);
            }
        }
        served
    }

    #[test]
    fn weights_share_what_all_of_a_sender_wait_for() {
        let mut lanes = Lanes::default();
        lanes.set([(run(1), SENDER, 'a', 1), (run(2), SENDER, 'a', 3), (run(3), OTHER, 'b', 1)]);
        let served = serve_by_limits(&mut lanes, 0..400);
        assert_eq!((served[&run(1)], served[&run(2)], served[&run(3)]), (500, 1_500, 200_000));
        // Who joins a slow sender does not wait for a quick one's sake.
        lanes.set([(run(2), SENDER, 'a', 3), (run(3), OTHER, 'b', 1), (run(4), SENDER, 'a', 3)]);
        let served = serve_by_limits(&mut lanes, 400..410);
        assert_eq!((served[&run(2)], served[&run(4)]), (25, 25));
    }

    #[test]
    fn senders_share_by_the_weights_of_their_lanes() {
        let mut lanes = Lanes::default();
        lanes.set([(run(1), SENDER, (), 1), (run(2), SENDER, (), 1), (run(3), OTHER, (), 6)]);
        let served = serve(&mut lanes, 80, 10);
        assert_eq!((served[&run(1)], served[&run(2)], served[&run(3)]), (100, 100, 600));
    }

    #[test]
    fn people_who_wait_for_an_answer_come_first() {
        let single = Lane::Singles { sender: SenderId(Uuid::from_u128(9)) };
        let mut lanes = Lanes::default();
        lanes.set([(run(1), SENDER, (), 1), (single, SENDER, (), 1)]);
        assert_eq!(lanes.next(NOW, |()| true).map(|(lane, ())| lane), Some(single));
        lanes.wait(single, NOW.plus(5));
        assert_eq!(lanes.next(NOW, |()| true).map(|(lane, ())| lane), Some(run(1)));
        lanes.wait(run(1), NOW.plus(3));
        assert_eq!(lanes.next(NOW, |()| true), None);
        lanes.wake_all();
        assert_eq!(lanes.next(NOW, |()| false), None, "there is no room for any of them");
        lanes.wait(single, NOW.plus(5));
        lanes.wait(run(1), NOW.plus(3));
        assert_eq!(lanes.next_time(|()| true), Some(NOW.plus(3)));
    }

    /// Whoever waits for the time of such a lane looks at all lanes again and again.
    #[test]
    fn a_lane_that_may_not_be_served_has_no_time() {
        let mut lanes = Lanes::default();
        lanes.set([(run(1), SENDER, 'a', 1), (run(2), OTHER, 'b', 1)]);
        lanes.wait(run(2), NOW.plus(3));
        let has_room = |limit: &char| *limit != 'a';
        assert_eq!(lanes.next(NOW, has_room), None);
        assert_eq!(lanes.next_time(has_room), Some(NOW.plus(3)));
        assert_eq!(lanes.next_time(|_| false), None);
    }
}
