//! Whom this process may be writing to right now. Whoever answers a STOP waits here, so that no hand-over begins after
//! the answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::ids::ContactId;
use tokio::sync::Notify;

/// How many claimed messages each person has that are not answered by the provider yet. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct InHand(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    people: Mutex<HashMap<ContactId, u32>>,
    done: Notify,
}

/// A message to this person is in hand until this is dropped, so also when its task breaks.
#[derive(Debug)]
pub(super) struct Writing {
    in_hand: InHand,
    contact: ContactId,
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.in_hand.with(|people| {
            if let Some(count) = people.get_mut(&self.contact) {
                *count -= 1;
                if *count == 0 {
                    people.remove(&self.contact);
                }
            }
        });
        self.in_hand.0.done.notify_waiters();
    }
}

impl InHand {
    fn with<T>(&self, act: impl FnOnce(&mut HashMap<ContactId, u32>) -> T) -> T {
        act(&mut self.0.people.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn begin(&self, contact: ContactId) -> Writing {
        self.with(|people| *people.entry(contact).or_default() += 1);
        Writing { in_hand: self.clone(), contact }
    }

    /// Waits until nothing to this person is under way, at most this long. Call it after the opt-out is committed and in
    /// the set of opt-outs: what is claimed and not begun by then will not be sent any more.
    pub async fn settled(&self, contact: ContactId, at_most: Duration) -> bool {
        let wait = async {
            loop {
                let mut done = std::pin::pin!(self.0.done.notified());
                // Registered before looking: an end in between is not missed.
                done.as_mut().enable();
                if !self.with(|people| people.contains_key(&contact)) {
                    return;
                }
                done.await;
            }
        };
        tokio::time::timeout(at_most, wait).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn waits_for_the_last_message_of_that_person_only() {
        let in_hand = InHand::default();
        let first = in_hand.begin(ContactId(1));
        let second = in_hand.begin(ContactId(1));
        assert!(in_hand.settled(ContactId(2), SOON).await);
        drop(first);
        assert!(!in_hand.settled(ContactId(1), SOON).await);
        let waiting = tokio::spawn({
            let in_hand = in_hand.clone();
            async move { in_hand.settled(ContactId(1), LONG).await }
        });
        tokio::task::yield_now().await;
        drop(second);
        assert!(waiting.await.expect("no panic"));
    }

    #[tokio::test]
    async fn a_task_that_breaks_keeps_nobody_waiting() {
        let in_hand = InHand::default();
        let writing = in_hand.begin(ContactId(1));
        let task = tokio::spawn(async move {
            let _writing = writing;
            panic!("on purpose");
        });
        assert!(task.await.is_err());
        assert!(in_hand.settled(ContactId(1), SOON).await);
    }
}
