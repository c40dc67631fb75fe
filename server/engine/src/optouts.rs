//! Who opted out just now. The database decides; this set closes the gap between a claim and its hand-over: a worker
//! looks here right before each create.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use domain::{ids::ContactId, time::Timestamp};

/// Longer than any lease: who is claimed later was claimed with the database's answer.
const KEPT: i64 = 120 * Timestamp::MINUTE;

/// From so many on, those whose time is over are looked for.
const MANY: usize = 10_000;

/// The people who opted out lately, until they opt in again.
#[derive(Debug, Default)]
pub struct OptOuts(RwLock<Lately>);

#[derive(Debug, Default)]
struct Lately {
    /// When each of them did.
    since: HashMap<ContactId, Timestamp>,
    /// How many were left when they were last looked through.
    left: usize,
}

impl Lately {
    /// Looks through them only when they have doubled: an import of many opt-outs would else do it for each chunk.
    fn forget(&mut self, now: Timestamp) {
        if self.since.len() > MANY.max(2 * self.left) {
            self.since.retain(|_, since| now.since(*since) < KEPT);
            self.left = self.since.len();
        }
    }
}

impl OptOuts {
    /// Called after the opt-out's commit and before the webhook is answered; `at` is the opt-out's time.
    pub fn add(&self, contact: ContactId, at: Timestamp) {
        self.set_all([contact], true, at);
    }

    /// Where these people stand since `at`, after the commit that says so. Calls may come in another order than their
    /// commits: an opt-out is not taken back by an opt-in from before it.
    pub fn set_all(&self, contacts: impl IntoIterator<Item = ContactId>, opted_out: bool, at: Timestamp) {
        let mut set = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for contact in contacts {
            if opted_out {
                let since = set.since.entry(contact).or_insert(at);
                *since = at.max(*since);
            } else if set.since.get(&contact).is_some_and(|since| *since <= at) {
                set.since.remove(&contact);
            }
        }
        set.forget(at);
    }

    #[must_use]
    pub fn contains(&self, contact: ContactId) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).since.contains_key(&contact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_392_000);

    #[test]
    fn an_opt_out_holds_until_the_person_opts_in() {
        let set = OptOuts::default();
        set.set_all([ContactId(1), ContactId(2)], true, NOW);
        set.set_all([ContactId(1)], false, NOW.plus(1));
        assert!(!set.contains(ContactId(1)) && set.contains(ContactId(2)) && !set.contains(ContactId(3)));
    }

    #[test]
    fn an_opt_in_from_before_takes_nothing_back() {
        let set = OptOuts::default();
        set.add(ContactId(1), NOW);
        set.set_all([ContactId(1)], false, NOW.plus(-1));
        assert!(set.contains(ContactId(1)));
    }

    #[test]
    fn many_are_not_kept_for_ever() {
        let set = OptOuts::default();
        set.set_all((0..20_000).map(ContactId), true, NOW);
        set.set_all((20_000..40_001).map(ContactId), true, NOW.plus(KEPT));
        assert!(set.contains(ContactId(20_000)) && !set.contains(ContactId(1)));
        assert_eq!(set.0.read().expect("not poisoned").since.len(), 20_001);
    }
}
