//! How fast each run is being handed over, for forecasts.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use domain::{ids::RunId, time::Timestamp};

/// Seconds that the pace is taken over.
const SECONDS: usize = 10;

/// Messages handed over in each of the last seconds, by run.
#[derive(Debug, Default)]
pub struct Pace(Mutex<HashMap<RunId, Ring>>);

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
}

impl Pace {
    pub(super) fn count(&self, run: RunId, at: Timestamp, messages: u32) {
        let now = second(at);
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.len() > 1_000 {
            runs.retain(|_, ring| now - ring.second < SECONDS as i64);
        }
        let ring = runs.entry(run).or_insert(Ring { counts: [0; SECONDS], second: now, began: at });
        ring.advance(now);
        ring.counts[now.rem_euclid(SECONDS as i64) as usize] += messages;
    }

    /// Messages per second over the last ten seconds, or since the run began when that is shorter.
    pub fn per_second(&self, run: RunId, at: Timestamp) -> f64 {
        let now = second(at);
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ring) = runs.get_mut(&run) else { return 0.0 };
        ring.advance(now);
        // The last second is not over yet.
        let window = (SECONDS as i64 - 1) * Timestamp::SECOND + at.as_micros() % Timestamp::SECOND;
        let micros = at.since(ring.began).clamp(Timestamp::SECOND, window);
        f64::from(ring.counts.iter().sum::<u32>()) * Timestamp::SECOND as f64 / micros as f64
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
        is(30, 0.0);
    }
}
