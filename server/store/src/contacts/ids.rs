use std::sync::atomic::{AtomicI64, Ordering};

use domain::{ids::ContactId, time::Timestamp};
use rand::Rng as _;

/// Bits of an id that are random.
const RANDOM_BITS: u32 = 11;

/// The last moment this process gave away, in microseconds.
static LAST: AtomicI64 = AtomicI64::new(0);

/// New ids, rising: a microsecond of their own for each and a random tail.
///
/// Rising ids keep the indexes of everything that belongs to people dense: with wholly random ones an import of a
/// million rows would touch every page of every index again and again. Nothing of the number is in them. Two processes
/// may hit on the same id once in two thousand times that they import in the very same microsecond; the second one's
/// transaction then fails on the unique key and is repeated.
#[must_use]
pub fn new_ids(now: Timestamp, count: usize) -> Vec<ContactId> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let mut first = now.as_micros();
    let _ = LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| {
        first = now.as_micros().max(last + 1);
        Some(first + count - 1)
    });
    let mut random = rand::rng();
    (first..first + count)
        .map(|moment| ContactId((moment << RANDOM_BITS) | random.random_range(0..1_i64 << RANDOM_BITS)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_even_when_the_clock_stands_still() {
        let now = Timestamp::from_seconds(1_795_392_000);
        let mut ids = new_ids(now, 1_000);
        ids.extend(new_ids(now, 1_000));
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.iter().all(|id| id.0 > 0));
    }

    #[test]
    fn ids_last_beyond_this_century() {
        let late: Timestamp = "2100-01-01T00:00:00Z".parse().unwrap();
        assert!(late.as_micros().checked_mul(1 << RANDOM_BITS).is_some());
    }
}
