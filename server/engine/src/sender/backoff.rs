//! When a message that is known not sent is tried again.

use domain::time::Timestamp;
use rand::Rng as _;

/// Attempts before a message that a part of the provider keeps failing on is given up: about an hour. Refusals because of a
/// limit, or of the account, count as none.
pub(crate) const MAX_ATTEMPTS: i16 = 16;

/// Attempts before a person who cannot be reached for now is given up: about a day.
pub(crate) const MAX_DEFERRED: i16 = 6;

const LONGEST: i64 = 15 * Timestamp::MINUTE;

/// One second after the first attempt, twice as long after each further one, at most 15 minutes; the second half of
/// the time at random, so that messages that failed together do not come back together.
pub(super) fn next_try(now: Timestamp, attempt: i16) -> Timestamp {
    let longest = longest(attempt);
    now.plus(rand::rng().random_range(longest / 2..=longest))
}

/// Two to four seconds: it counts as no attempt, however long the provider is away or its limit lasts. Few go out meanwhile,
/// because their sender is slowed down each time.
pub(super) fn next_try_after_outage(now: Timestamp) -> Timestamp {
    next_try(now, 3)
}

/// One hour after the first attempt, twice as long after each further one, the second half at random.
pub(super) fn next_try_of_person(now: Timestamp, attempt: i16) -> Timestamp {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(4);
    let longest = Timestamp::HOUR << doublings;
    now.plus(rand::rng().random_range(longest / 2..=longest))
}

fn longest(attempt: i16) -> i64 {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(20);
    (Timestamp::SECOND << doublings).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_quarter_of_an_hour() {
        assert_eq!(longest(0), Timestamp::SECOND);
        assert_eq!(longest(1), Timestamp::SECOND);
        assert_eq!(longest(4), 8 * Timestamp::SECOND);
        assert_eq!(longest(i16::MAX), LONGEST);
        let now = Timestamp::from_seconds(5);
        for attempt in 1..14 {
            let waited = next_try(now, attempt).since(now);
            assert!((longest(attempt) / 2..=longest(attempt)).contains(&waited));
        }
        let all: i64 = (1..MAX_ATTEMPTS).map(|attempt| longest(attempt) / 2).sum();
        assert!(all > 45 * Timestamp::MINUTE);
    }

    #[test]
    fn a_person_is_given_up_after_a_day() {
        let now = Timestamp::from_seconds(5);
        let waited = |attempt| next_try_of_person(now, attempt).since(now);
        assert!((30 * Timestamp::MINUTE..=Timestamp::HOUR).contains(&waited(1)));
        let all: i64 = (1..MAX_DEFERRED).map(waited).sum();
        assert!((15 * Timestamp::HOUR..=31 * Timestamp::HOUR).contains(&all), "{all}");
    }
}
