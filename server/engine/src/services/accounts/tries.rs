//! Slowing down guessing. Three counters: one e-mail from one address (a person who mistypes, or the usual guesser), one
//! address (many e-mails tried from it), and one e-mail (tried from many addresses; short waits only, or anybody could
//! lock anybody out).

use domain::time::Timestamp;
use sha2::{Digest, Sha256};
use store::{Tx, accounts::Tries};

use crate::{Engine, Error, Result};

/// A counter starts anew after this long without a try, in microseconds.
const FORGOTTEN_AFTER: i64 = Timestamp::HOUR;

struct Rule {
    /// Tries that cost nothing.
    free: i32,
    /// The wait after one more; it doubles with each further one up to `longest`. In seconds.
    first: i64,
    longest: i64,
}

const PAIR: Rule = Rule { free: 5, first: 15, longest: 900 };
const ADDRESS: Rule = Rule { free: 30, first: 15, longest: 900 };
const EMAIL: Rule = Rule { free: 30, first: 5, longest: 60 };

/// Who is being guessed at, and from where.
pub(super) struct Subjects {
    pair: String,
    address: String,
    email: String,
}

impl Subjects {
    pub(super) fn new(email: &str, from: &str) -> Self {
        Self {
            pair: subject(&["pair", email, from]),
            address: subject(&["from", from]),
            email: subject(&["email", email]),
        }
    }

    /// Counts a try that is about to be made.
    ///
    /// # Errors
    /// `TooMany` when it has to wait; such a try is not counted.
    pub(super) async fn count(&self, engine: &Engine) -> Result<()> {
        let now = engine.now();
        let tx = engine.db().begin().await?;
        // Always in this order: no two logins wait for each other in a circle.
        let mut wait = 0;
        let mut counted = Vec::with_capacity(3);
        for (subject, rule) in [(&self.pair, PAIR), (&self.address, ADDRESS), (&self.email, EMAIL)] {
            let tries = store::accounts::lock_tries(&tx, subject).await?;
            wait = wait.max(rule.wait(tries, now));
            counted.push((subject, rule.next(tries, now)));
        }
        if wait > 0 {
            let seconds = (wait + Timestamp::SECOND - 1) / Timestamp::SECOND;
            metrics::counter!("logins_throttled_total").increment(1);
            return Err(Error::TooMany { retry_after_seconds: u32::try_from(seconds).unwrap_or(u32::MAX) });
        }
        for (subject, tries) in counted {
            store::accounts::set_tries(&tx, subject, tries).await?;
        }
        tx.commit().await.map_err(store::Error::from)?;
        Ok(())
    }

    /// The try was right: the e-mail starts anew, the address gets back this one try.
    pub(super) async fn succeeded(&self, tx: &Tx) -> Result<()> {
        store::accounts::forget_tries(tx, &self.pair).await?;
        store::accounts::forgive_try(tx, &self.address).await?;
        store::accounts::forget_tries(tx, &self.email).await?;
        Ok(())
    }
}

impl Rule {
    /// How long a try has to wait, in microseconds.
    fn wait(&self, tries: Tries, now: Timestamp) -> i64 {
        let over = tries.count - self.free;
        if over < 0 || self.is_forgotten(tries, now) {
            return 0;
        }
        let factor = 1_i64.checked_shl(over.unsigned_abs().min(20)).unwrap_or(i64::MAX);
        let wait = self.first.saturating_mul(factor).min(self.longest);
        (tries.last_at.plus(wait * Timestamp::SECOND)).since(now).max(0)
    }

    fn next(&self, tries: Tries, now: Timestamp) -> Tries {
        let count = if self.is_forgotten(tries, now) { 1 } else { tries.count.saturating_add(1) };
        Tries { count, last_at: now }
    }

    fn is_forgotten(&self, tries: Tries, now: Timestamp) -> bool {
        now.since(tries.last_at) > FORGOTTEN_AFTER
    }
}

fn subject(parts: &[&str]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    hex::encode(sha.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn after(count: i32) -> i64 {
        PAIR.wait(Tries { count, last_at: NOW }, NOW) / Timestamp::SECOND
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        assert_eq!([after(0), after(4), after(5), after(6), after(7)], [0, 0, 15, 30, 60]);
        assert_eq!([after(20), after(i32::MAX)], [900, 900]);
    }

    #[test]
    fn an_hour_of_quiet_forgets() {
        let tries = Tries { count: 50, last_at: NOW };
        let later = NOW.plus(FORGOTTEN_AFTER + 1);
        assert_eq!(PAIR.wait(tries, later), 0);
        assert_eq!(PAIR.next(tries, later).count, 1);
        assert_eq!(PAIR.next(tries, NOW).count, 51);
    }
}
