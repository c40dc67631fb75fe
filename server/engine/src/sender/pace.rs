//! How fast each run is being handed over, for forecasts, and each sender's messages.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use domain::{ids::RunId, time::Timestamp};

/// Seconds that the pace is taken over.
const SECONDS: usize = 10;

/// Messages handed over in each of the last seconds, by run or by sender.
#[derive(Debug)]
pub struct Pace<K = RunId>(Mutex<HashMap<K, Ring>>);

impl<K> Default for Pace<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[derive(Clone, Copy, Debug)]
struct Ring {
    counts: [u32; SECONDS],
    /// The second that was counted last.
    second: i64,
    began: Timestamp,
}

const fn second(at: Timestamp) -> i64 {
    at.as_micros() / Timestamp::SECOND
}

impl Ring {
    /// Empties the seconds that passed without a message.
    fn advance(&mut self, to: i64) {
        for passed in (self.second + 1..=to).rev().take(SECONDS) {
            self.counts[passed.rem_euclid(SECONDS as i64) as usize] = 0;
        }
        self.second = self.second.max(to);
    }

    fn per_second(&mut self, at: Timestamp) -> f64 {
        self.advance(second(at));
        // The last second is not over yet.
        let window = (SECONDS as i64 - 1) * Timestamp::SECOND + at.as_micros() % Timestamp::SECOND;
        let micros = at.since(self.began).clamp(Timestamp::SECOND, window);
        f64::from(self.counts.iter().sum::<u32>()) * Timestamp::SECOND as f64 / micros as f64
    }
}

impl<K: Eq + Hash> Pace<K> {
    pub(super) fn count(&self, of: K, at: Timestamp, messages: u32) {
        let now = second(at);
        let mut rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rings.len() > 1_000 {
            rings.retain(|_, ring| now - ring.second < SECONDS as i64);
        }
        let ring = rings.entry(of).or_insert(Ring { counts: [0; SECONDS], second: now, began: at });
        ring.advance(now);
        ring.counts[now.rem_euclid(SECONDS as i64) as usize] += messages;
    }

    /// Messages per second over the last ten seconds, or since it began when that is shorter.
    pub fn per_second(&self, of: K, at: Timestamp) -> f64 {
        let mut rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rings.get_mut(&of).map_or(0.0, |ring| ring.per_second(at))
    }

    /// The same of everything that was handed over lately.
    pub fn all(&self, at: Timestamp) -> BTreeMap<K, f64>
    where
        K: Copy + Ord,
    {
        let mut rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let paces = rings.iter_mut().map(|(of, ring)| (*of, ring.per_second(at)));
        paces.filter(|(_, pace)| *pace > 0.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_seconds_are_forgotten() {
        let (pace, run) = (Pace::default(), RunId(uuid::Uuid::from_u128(1)));
        let at = |seconds: i64| Timestamp::from_seconds(1_795_392_000 + seconds);
        pace.count(run, at(0), 50);
        pace.count(run, at(1), 30);
        let is = |seconds, wanted: f64| {
            let rate = pace.per_second(run, at(seconds));
            assert!((rate - wanted).abs() < 0.01, "{rate} instead of {wanted} after {seconds} seconds");
        };
        is(2, 40.0);
        is(8, 10.0);
        is(9, 80.0 / 9.0);
        is(10, 30.0 / 9.0);
        assert_eq!(pace.all(at(10)).into_keys().collect::<Vec<_>>(), [run]);
        is(30, 0.0);
        assert!(pace.all(at(30)).is_empty());
    }
}
