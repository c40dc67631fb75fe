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
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(contact);
    }

    /// The person opted in again.
    pub fn remove(&self, contact: ContactId) {
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&contact);
    }

    #[must_use]
    pub fn contains(&self, contact: ContactId) -> bool {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).contains(&contact)
    }
}
