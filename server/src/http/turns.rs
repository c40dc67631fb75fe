//! How often somebody may ask: so many at once, then one after each pause. Kept in the process: it slows down guessing and
//! load, and decides nothing that has to hold everywhere.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use domain::time::Timestamp;

/// From so many on, those who have rested long enough are forgotten.
const MANY: usize = 20_000;

/// Turns of one kind of subjects: addresses, links.
#[derive(Debug)]
pub struct Turns {
    /// Microseconds that one turn costs.
    cost: i64,
    /// What may be owed, in microseconds.
    credit: i64,
    /// By when each subject's debt is paid.
    paid: Mutex<HashMap<String, Timestamp>>,
}

impl Turns {
    /// So many at once, then one every `pause` seconds.
    #[must_use]
    pub fn new(at_once: i64, pause: i64) -> Self {
        let cost = pause * Timestamp::SECOND;
        Self { cost, credit: at_once * cost, paid: Mutex::default() }
    }

    /// Takes a turn.
    ///
    /// # Errors
    /// The seconds to wait; such a try costs nothing.
    pub fn take(&self, subject: &str, now: Timestamp) -> Result<(), u32> {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        if paid.len() >= MANY {
            paid.retain(|_, until| *until > now);
            // So many at one time are an attack, and nobody's turns are worth the memory.
            if paid.len() >= MANY {
                paid.clear();
            }
        }
        let until = paid.get(subject).copied().unwrap_or(now).max(now).plus(self.cost);
        let over = until.since(now) - self.credit;
        if over > 0 {
            let seconds = (over + Timestamp::SECOND - 1) / Timestamp::SECOND;
            return Err(u32::try_from(seconds).unwrap_or(u32::MAX));
        }
        paid.insert(subject.to_owned(), until);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn some_at_once_then_one_after_each_pause() {
        let turns = Turns::new(3, 10);
        for _ in 0..3 {
            assert_eq!(turns.take("ann", NOW), Ok(()));
        }
        assert_eq!(turns.take("ann", NOW), Err(10));
        assert_eq!(turns.take("ben", NOW), Ok(()), "everybody has their own");
        let later = NOW.plus(4 * Timestamp::SECOND);
        assert_eq!(turns.take("ann", later), Err(6), "what was refused cost nothing");
        let later = NOW.plus(10 * Timestamp::SECOND);
        assert_eq!((turns.take("ann", later), turns.take("ann", later)), (Ok(()), Err(10)));
    }

    #[test]
    fn memory_has_an_end() {
        let turns = Turns::new(1, 3_600);
        for subject in 0..=MANY {
            let _ = turns.take(&subject.to_string(), NOW);
        }
        assert!(turns.paid.lock().unwrap().len() <= MANY);
    }
}
