//! Who opted out just now. The database decides; this set closes the gap between a claim and its hand-over: a worker
//! looks here right before each create.

use std::{collections::HashSet, sync::RwLock};

use domain::ids::ContactId;

/// The people who opted out since this process started, until they opt in again.
#[derive(Debug, Default)]
pub struct OptOuts(RwLock<HashSet<ContactId>>);

impl OptOuts {
    /// Called after the opt-out's commit and before the webhook is answered.
    pub fn add(&self, contact: ContactId) {
        self.set(contact, true);
    }

    /// The person opted in again.
    pub fn remove(&self, contact: ContactId) {
        self.set(contact, false);
    }

    /// Where the person stands now, after the commit that says so.
    pub fn set(&self, contact: ContactId, opted_out: bool) {
        self.set_all([contact], opted_out);
    }

    /// As [`Self::set`], for many people.
    pub fn set_all(&self, contacts: impl IntoIterator<Item = ContactId>, opted_out: bool) {
        let mut set = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for contact in contacts {
            if opted_out {
                set.insert(contact);
            } else {
                set.remove(&contact);
            }
        }
    }

    #[must_use]
    pub fn contains(&self, contact: ContactId) -> bool {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).contains(&contact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opt_out_holds_until_the_person_opts_in() {
        let set = OptOuts::default();
        set.set_all([ContactId(1), ContactId(2)], true);
        set.remove(ContactId(1));
        assert!(!set.contains(ContactId(1)) && set.contains(ContactId(2)) && !set.contains(ContactId(3)));
    }
}
