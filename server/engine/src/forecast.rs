//! When messages are expected to go out: a pure reckoning with what is due when, whom the clock lets be written to, how
//! fast one may send and how many people a day. And when they did, from what was noted of it. No I/O, no clock.

use std::collections::VecDeque;

use domain::{run::CurvePoint, time::Timestamp};
use store::runs::Noted;

/// Steps of the reckoning at most: beyond them nothing is foretold.
const STEPS: usize = 5_000;

/// Points that are kept of a curve.
const POINTS: usize = 96;

/// A time from and to which messages may go out.
pub(crate) type Window = (Timestamp, Timestamp);

/// Messages that are due together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub at: Timestamp,
    pub count: i64,
    /// Whose windows bind them: a place in [`Outlook::windows`]; none when they may go out at any time.
    pub windows: Option<usize>,
}

/// How many people may be written to within any 24 hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    pub people: i64,
    /// Whom it was counted for, and when, oldest first.
    pub used: Vec<(Timestamp, i64)>,
}

/// All that is known of what is to come.
#[derive(Clone, Debug)]
pub(crate) struct Outlook<'a> {
    pub now: Timestamp,
    /// Handed over already.
    pub sent: i64,
    /// Messages a second.
    pub rate: f64,
    pub due: &'a [Due],
    /// Sorted, without overlaps.
    pub windows: &'a [Vec<Window>],
    pub day: Option<Day>,
    /// What comes later than this is not foretold.
    pub horizon: Timestamp,
}

/// What is expected: how many are handed over by when. The last point is the end, when `ends` says so.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Expected {
    pub points: Vec<CurvePoint>,
    pub ends: bool,
}

impl Outlook<'_> {
    pub fn expected(&self) -> Expected {
        let mut left: Vec<(Due, f64)> = self.due.iter().map(|due| (*due, due.count as f64)).collect();
        left.sort_by_key(|(due, _)| due.at);
        let mut sent = self.sent as f64;
        let mut points = vec![point(self.now, sent)];
        let mut day = self.day.clone().map(Rolling::of);
        let times = self.times();
        for pair in times.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            if left.iter().all(|(_, count)| *count <= 0.0) {
                break;
            }
            let open: f64 = left.iter().filter(|(due, _)| self.is_open(due, from)).map(|(_, count)| *count).sum();
            let seconds = to.since(from) as f64 / Timestamp::SECOND as f64;
            let room = day.as_mut().map_or(f64::INFINITY, |day| day.room(from));
            let goes = open.min(self.rate * seconds).min(room);
            if goes <= 0.0 {
                continue;
            }
            // Flat until here.
            points.push(point(from, sent));
            sent += goes;
            points.push(point(from.plus((goes / self.rate * Timestamp::SECOND as f64) as i64).min(to), sent));
            if let Some(day) = &mut day {
                day.used(from, goes);
            }
            self.take(&mut left, from, goes);
        }
        let ends = left.iter().all(|(_, count)| *count < 0.5);
        Expected { points: thinned(points), ends }
    }

    /// The oldest go first, as at the claim.
    fn take(&self, left: &mut [(Due, f64)], at: Timestamp, mut goes: f64) {
        for (_, count) in left.iter_mut().filter(|(due, _)| self.is_open(due, at)) {
            let part = count.min(goes);
            *count -= part;
            goes -= part;
        }
    }

    fn is_open(&self, due: &Due, at: Timestamp) -> bool {
        due.at <= at
            && due.windows.is_none_or(|of| {
                let windows = &self.windows[of];
                let next = windows.partition_point(|(_, to)| *to <= at);
                windows.get(next).is_some_and(|(from, _)| *from <= at)
            })
    }

    /// Every instant at which something changes; between two of them all goes straight.
    fn times(&self) -> Vec<Timestamp> {
        let bounds = self.windows.iter().flatten().flat_map(|(from, to)| [*from, *to]);
        let mut times: Vec<Timestamp> = self.due.iter().map(|due| due.at).chain(bounds).collect();
        times.extend([self.now, self.horizon]);
        if self.day.is_some() {
            let hours = self.horizon.since(self.now) / Timestamp::HOUR;
            times.extend((1..=hours).map(|hour| self.now.plus(hour * Timestamp::HOUR)));
        }
        times.retain(|at| (self.now..=self.horizon).contains(at));
        times.sort_unstable();
        times.dedup();
        times.truncate(STEPS);
        times
    }
}

/// Who was written to within 24 hours.
struct Rolling {
    people: f64,
    used: VecDeque<(Timestamp, f64)>,
    sum: f64,
}

impl Rolling {
    fn of(day: Day) -> Self {
        let used: VecDeque<_> = day.used.into_iter().map(|(at, count)| (at, count as f64)).collect();
        let sum = used.iter().map(|(_, count)| count).sum();
        Self { people: day.people as f64, used, sum }
    }

    fn room(&mut self, at: Timestamp) -> f64 {
        while let Some((_, count)) = self.used.front().filter(|(then, _)| at.since(*then) >= Timestamp::DAY) {
            self.sum -= count;
            self.used.pop_front();
        }
        (self.people - self.sum).max(0.0)
    }

    fn used(&mut self, at: Timestamp, count: f64) {
        self.used.push_back((at, count));
        self.sum += count;
    }
}

fn point(at: Timestamp, sent: f64) -> CurvePoint {
    CurvePoint { at, sent: sent.round() as i64 }
}

/// How long a stretch of a run's time is of which one note stays, when the run has been going on for `elapsed` (both in
/// microseconds): a second at first, then always the same part of it. So ten times as long has only some more of them.
const fn stretch_length(elapsed: i64) -> i64 {
    let part = elapsed / POINTS as i64;
    if part < Timestamp::SECOND { Timestamp::SECOND } else { part }
}

/// The number of the stretch of a run's time that `elapsed` microseconds after its start belong to.
pub(crate) fn stretch(elapsed: i64) -> i32 {
    let seconds = elapsed.max(0) as f64 / Timestamp::SECOND as f64;
    let evenly = POINTS as f64;
    // As many as there are of the same length, and from there on each is longer by that part of the time than the last.
    let number = if seconds < evenly { seconds } else { evenly + evenly * (seconds / evenly).ln() };
    number as i32
}

/// What happened of a run, from what was noted of it and where it stands. Whenever something goes out a note follows, so until
/// the stretch of the next one nothing did; of what was counted by the hour that cannot be said.
pub(crate) fn happened(noted: &[Noted], started: Timestamp, now: CurvePoint) -> Vec<CurvePoint> {
    let end = Noted { point: now, exact: noted.last().is_some_and(|last| last.exact) };
    let mut before = CurvePoint { at: started, sent: 0 };
    let mut points = Vec::with_capacity(noted.len() + 1);
    let within = noted.iter().filter(|noted| (started..now.at).contains(&noted.point.at));
    for Noted { point, exact } in within.chain([&end]) {
        let length = stretch_length(point.at.since(started));
        if *exact && point.at.since(before.at) > 2 * length {
            points.push(CurvePoint { at: point.at.plus(-length), sent: before.sent });
        }
        before = CurvePoint { at: point.at, sent: point.sent.max(before.sent) };
        points.push(before);
    }
    if before.sent == 0 { Vec::new() } else { thinned(points) }
}

/// Fewer points of the same shape: the first, the last, and of the others those that are some way from the one before.
fn thinned(mut points: Vec<CurvePoint>) -> Vec<CurvePoint> {
    points.dedup();
    let (Some(first), Some(last)) = (points.first().copied(), points.last().copied()) else { return points };
    if points.len() <= POINTS {
        return points;
    }
    let span = last.at.since(first.at).max(1) as f64;
    let height = (last.sent - first.sent).max(1) as f64;
    let step = 2.0 / POINTS as f64;
    let mut kept = vec![first];
    for pair in points.windows(2) {
        let (one, next) = (pair[0], pair[1]);
        let before = kept.last().copied().unwrap_or(first);
        let far = (next.at.since(before.at) as f64 / span) + ((next.sent - before.sent) as f64 / height);
        if far >= step && one != before {
            kept.push(one);
        }
    }
    kept.push(last);
    kept.dedup();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_000_000);

    fn after(seconds: i64) -> Timestamp {
        START.plus(seconds * Timestamp::SECOND)
    }

    fn due(seconds: i64, count: i64, windows: Option<usize>) -> Due {
        Due { at: after(seconds), count, windows }
    }

    fn outlook<'a>(rate: f64, due: &'a [Due], windows: &'a [Vec<Window>]) -> Outlook<'a> {
        Outlook { now: START, sent: 0, rate, due, windows, day: None, horizon: after(30 * 86_400) }
    }

    fn told(expected: &Expected) -> Vec<(i64, i64)> {
        expected.points.iter().map(|point| (point.at.since(START) / Timestamp::SECOND, point.sent)).collect()
    }

    #[test]
    fn what_is_due_is_divided_by_the_rate() {
        let expected = Outlook { sent: 20, ..outlook(80.0, &[due(-5, 800, None)], &[]) }.expected();
        assert_eq!((told(&expected), expected.ends), (vec![(0, 20), (10, 820)], true));
        let nothing = outlook(80.0, &[], &[]).expected();
        assert_eq!((told(&nothing), nothing.ends), (vec![(0, 0)], true));
        assert!(!outlook(0.0, &[due(0, 1, None)], &[]).expected().ends);
    }

    #[test]
    fn what_is_due_later_waits() {
        let expected = outlook(10.0, &[due(0, 100, None), due(3_600, 50, None)], &[]).expected();
        assert_eq!(told(&expected), [(0, 0), (10, 100), (3_600, 100), (3_605, 150)]);
    }

    #[test]
    fn who_does_not_fit_before_the_night_waits_for_the_morning() {
        let windows = vec![vec![(after(-3_600), after(100)), (after(40_000), after(80_000))]];
        let expected = outlook(10.0, &[due(0, 1_500, Some(0)), due(0, 100, None)], &windows).expected();
        // Ten a second for 100 seconds; whom no night binds goes on after it.
        let (end, sent) = *told(&expected).last().expect("an end");
        assert_eq!((end, sent, expected.ends), (40_000 + 50, 1_600, true));
        let by_night = expected.points.iter().find(|point| point.at > after(100)).expect("a point by night");
        assert!(by_night.sent <= 1_100, "{expected:?}");
    }

    #[test]
    fn a_day_holds_only_so_many_people() {
        let day = Day { people: 1_000, used: vec![(after(-80_000), 600)] };
        let expected = Outlook { day: Some(day), ..outlook(100.0, &[due(0, 2_000, None)], &[]) }.expected();
        let at =
            |seconds: i64| expected.points.iter().rfind(|point| point.at <= after(seconds)).map(|point| point.sent);
        assert_eq!(at(5_000), Some(400), "the rest of the first day: {expected:?}");
        assert_eq!(at(20_000), Some(1_000), "and what was used yesterday: {expected:?}");
        assert!(expected.ends);
        assert!(expected.points.last().expect("an end").at >= after(86_400), "{expected:?}");
    }

    #[test]
    fn what_happened_goes_flat_where_nothing_was_noted() {
        let told_by = |exact: bool, points: &[(i64, i64)], now: (i64, i64)| {
            let point = |(seconds, sent): (i64, i64)| CurvePoint { at: after(seconds), sent };
            let noted: Vec<_> = points.iter().map(|of| Noted { point: point(*of), exact }).collect();
            let happened = happened(&noted, START, point(now));
            happened.iter().map(|point| (point.at.since(START) / Timestamp::SECOND, point.sent)).collect::<Vec<_>>()
        };
        let told = |points: &[(i64, i64)], now| told_by(true, points, now);
        assert_eq!(told(&[(1, 10), (2, 20)], (3, 25)), [(1, 10), (2, 20), (3, 25)]);
        // A night, and a morning: 9,600 seconds are gone through in steps of a hundred.
        assert_eq!(told(&[(1, 10)], (9_600, 30)), [(1, 10), (9_500, 10), (9_600, 30)]);
        assert_eq!(told(&[], (5, 0)), [], "nothing went out");
        // Counted by the hour, or before anything was: as if it had gone on evenly.
        let hours = [(3_600, 10), (7_200, 30)];
        assert_eq!(told_by(false, &hours, (7_200, 30)), [(3_600, 10), (7_200, 30)]);
        assert_eq!(told_by(false, &hours, (9_000, 35)), [(3_600, 10), (7_200, 30), (9_000, 35)]);
        assert_eq!(told(&[], (1_800, 40)), [(1_800, 40)]);
        // What a clock noted that was ahead, or before the start, is not drawn; and it never goes down.
        assert_eq!(told(&[(-1, 5), (1, 10), (2, 9), (90, 50)], (3, 11)), [(1, 10), (2, 10), (3, 11)]);
    }

    #[test]
    fn stretches_follow_each_other_and_grow_with_the_time_that_passed() {
        let seconds = |seconds: i64| stretch(seconds * Timestamp::SECOND);
        assert_eq!([seconds(-5), seconds(0), seconds(1), seconds(95), seconds(96)], [0, 0, 1, 95, 96]);
        let numbers: Vec<i32> = (0..86_400).map(seconds).collect();
        assert!(numbers.windows(2).all(|pair| (0..=1).contains(&(pair[1] - pair[0]))), "none is left out");
        assert_eq!(seconds(966) - seconds(965), 0, "ten seconds long by then");
        assert_eq!(seconds(30 * 86_400), 1_075, "in a month");
        assert_eq!(stretch_length(0), Timestamp::SECOND);
        assert_eq!(stretch_length(96 * Timestamp::MINUTE), Timestamp::MINUTE);
    }

    #[test]
    fn long_curves_keep_their_ends() {
        let due: Vec<Due> = (0..1_000).map(|hour| due(hour * 600, 10, None)).collect();
        let expected = outlook(1.0, &due, &[]).expected();
        assert!(expected.points.len() <= 2 * POINTS, "{}", expected.points.len());
        assert_eq!(told(&expected).last(), Some(&(999 * 600 + 10, 10_000)));
        assert!(expected.points.is_sorted_by_key(|point| (point.at, point.sent)));
    }
}
