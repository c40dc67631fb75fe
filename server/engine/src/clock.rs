//! Time is a parameter.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use domain::time::Timestamp;

/// What time it is.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// The machine's clock, in whole microseconds as both databases keep them.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The machine's clock, off by what tests say meanwhile.
#[derive(Debug, Default)]
pub struct ShiftedClock(AtomicI64);

impl ShiftedClock {
    /// From now on it is off by so many microseconds.
    pub fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(self.0.load(Ordering::SeqCst))
    }
}

/// A clock that remembers the latest time that it told, so that nobody misses that it was set back, however short it was
/// ahead.
pub(crate) struct Watched {
    clock: Arc<dyn Clock>,
    latest: AtomicI64,
}

impl Watched {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, latest: AtomicI64::new(i64::MIN) }
    }

    pub fn now(&self) -> Timestamp {
        let now = self.clock.now();
        self.latest.fetch_max(now.as_micros(), Ordering::SeqCst);
        now
    }

    /// Whether it was set back by more than so many microseconds since this was asked last.
    pub fn was_set_back(&self, by: i64) -> bool {
        let (now, latest) = (self.now().as_micros(), self.latest.load(Ordering::SeqCst));
        let was = latest.saturating_sub(now) > by;
        if was {
            // When it told a later time meanwhile, that is found the next time.
            let _ = self.latest.compare_exchange(latest, now, Ordering::SeqCst, Ordering::SeqCst);
        }
        was
    }
}

/// A clock that tests set and advance.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    #[must_use]
    pub const fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.as_micros()))
    }

    /// Moves the clock by a number of microseconds.
    pub fn advance(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_ahead_for_a_moment_is_noticed_once() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_000)));
        let watched = Watched::new(clock.clone());
        assert!(!watched.was_set_back(Timestamp::MINUTE), "at the beginning");
        clock.advance(Timestamp::HOUR);
        watched.now();
        clock.advance(-Timestamp::HOUR);
        assert!(watched.was_set_back(Timestamp::MINUTE));
        assert!(!watched.was_set_back(Timestamp::MINUTE), "once");
        clock.advance(Timestamp::MINUTE);
        watched.now();
        clock.advance(-Timestamp::MINUTE);
        assert!(!watched.was_set_back(Timestamp::MINUTE), "clocks are apart by as much");
    }
}
