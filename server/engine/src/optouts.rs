//! Who opted out just now, of everything or of a topic. The database decides; this set closes the gap between a claim and
//! its hand-over: a worker looks here right before each create.
//!
//! The process that takes an opt-out knows it at once. The others read the consent ledger, whose sequence has no gaps and
//! rises with the commits: [`follow`]. Nobody hands over on what is older than [`FRESH`].

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use domain::ids::{ContactId, TopicId};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{Engine, bell::Who};

/// Longer than any lease: who is claimed later was claimed with the database's answer.
const KEPT: Duration = Duration::from_secs(2 * 3_600);

/// From so many on, those whose time is over are looked for.
const MANY: usize = 10_000;

/// An opt-out that another process took stops hand-overs here within this time.
pub const FRESH: Duration = Duration::from_millis(250);

/// How often the ledger is read without a bell; the rest of [`FRESH`] is for the reading.
const LOOK: Duration = Duration::from_millis(100);

/// Who left, and what: everything (no topic), or a topic.
pub type Left = (ContactId, Option<TopicId>);

/// The people who opted out lately.
#[derive(Debug, Default)]
pub struct OptOuts {
    people: RwLock<Lately>,
    /// As of when this process knows what all have taken; none where there are no others.
    known_as_of: watch::Sender<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Lately {
    /// When this process learned of it.
    since: HashMap<Left, Instant>,
    /// How many were left when they were last looked through.
    left: usize,
}

impl Lately {
    /// Looks through them only when they have doubled: an import of many opt-outs would else do it for each chunk.
    fn forget(&mut self, now: Instant) {
        if self.since.len() > MANY.max(2 * self.left) {
            self.since.retain(|_, since| now.duration_since(*since) < KEPT);
            self.left = self.since.len();
        }
    }
}

impl OptOuts {
    /// Called after the opt-outs' commit and before anybody is told that they are stored.
    pub fn add(&self, left: impl IntoIterator<Item = Left>) {
        self.add_at(left, Instant::now());
    }

    fn add_at(&self, left: impl IntoIterator<Item = Left>, now: Instant) {
        let mut lately = self.people.write().unwrap_or_else(PoisonError::into_inner);
        lately.since.extend(left.into_iter().map(|left| (left, now)));
        lately.forget(now);
    }

    /// Whether this process learned of an opt-out after `claim_began`. What it knew before, the claim has seen in the
    /// database, together with an opt-in that may have come after it.
    #[must_use]
    pub fn contains(&self, left: Left, claim_began: Instant) -> bool {
        let lately = self.people.read().unwrap_or_else(PoisonError::into_inner);
        lately.since.get(&left).is_some_and(|since| *since >= claim_began)
    }

    /// How old the knowledge of what other processes took is; none where there are no others.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.known_as_of.borrow().map(|as_of| as_of.elapsed())
    }

    /// From now on there are other processes, and nothing is known of what they took until it is read.
    pub(crate) fn expect_others(&self) {
        self.known_as_of.send_replace(Some(Instant::now().checked_sub(FRESH).unwrap_or_else(Instant::now)));
    }

    /// Waits until what other processes took is known as of [`FRESH`] ago: for as long as the database is away.
    pub async fn current(&self) {
        let is_fresh = |as_of: &Option<Instant>| as_of.is_none_or(|as_of| as_of.elapsed() < FRESH);
        // The sender lives as long as `self`.
        let _ = self.known_as_of.subscribe().wait_for(is_fresh).await;
    }
}

/// Reads what other processes took, until told to stop. On SQLite there are none.
pub(crate) async fn follow(engine: Engine, stop: CancellationToken) {
    if engine.db().kind() == store::Kind::Sqlite {
        return;
    }
    let opt_outs = &engine.inner().opt_outs;
    let mut read_to = None;
    while !stop.is_cancelled() {
        let began = Instant::now();
        match look(&engine, read_to).await {
            Ok(seq) => {
                read_to = Some(seq);
                metrics::histogram!("opt_outs_look_seconds").record(began.elapsed().as_secs_f64());
                opt_outs.known_as_of.send_replace(Some(began));
            }
            Err(error) => tracing::error!(%error, "opt-outs cannot be read: nothing is handed over for the moment"),
        }
        engine.inner().bell.wait(Who::OptOuts, LOOK).await;
    }
    // What is still under way has the process's own opt-outs to go by.
    opt_outs.known_as_of.send_replace(None);
}

/// Takes up the opt-outs behind `read_to`; returns how far the ledger was read. Those from before the first look were
/// seen by every claim.
async fn look(engine: &Engine, read_to: Option<i64>) -> store::Result<i64> {
    let db = engine.db().lookout();
    let head = store::consent::head(db).await?;
    if let Some(read_to) = read_to.filter(|read_to| *read_to < head) {
        engine.inner().opt_outs.add(store::consent::opt_outs_between(db, read_to, head).await?);
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opt_out_counts_for_what_was_claimed_before_it() {
        let set = OptOuts::default();
        let before = Instant::now();
        let topic = |number| Some(TopicId(uuid::Uuid::from_u128(number)));
        set.add([(ContactId(1), None), (ContactId(2), topic(7))]);
        let after = Instant::now() + Duration::from_millis(1);
        assert!(set.contains((ContactId(1), None), before) && set.contains((ContactId(2), topic(7)), before));
        assert!(!set.contains((ContactId(1), None), after) && !set.contains((ContactId(3), None), before));
        for other in [None, topic(8)] {
            assert!(!set.contains((ContactId(2), other), before), "who leaves a topic leaves that one");
        }
    }

    #[test]
    fn many_are_not_kept_for_ever() {
        let (set, then) = (OptOuts::default(), Instant::now());
        let now = then + KEPT;
        let left = |number| (ContactId(number), None);
        set.add_at((0..20_000).map(left), then);
        set.add_at((20_000..40_001).map(left), now);
        assert!(set.contains(left(20_000), now) && !set.contains(left(1), then));
        assert_eq!(set.people.read().expect("not poisoned").since.len(), 20_001);
    }

    #[tokio::test]
    async fn nobody_goes_by_what_is_too_old() {
        let set = OptOuts::default();
        set.current().await;
        set.expect_others();
        assert!(tokio::time::timeout(LOOK, set.current()).await.is_err(), "nothing is read yet");
        set.known_as_of.send_replace(Some(Instant::now()));
        set.current().await;
        tokio::time::sleep(FRESH).await;
        assert!(tokio::time::timeout(LOOK, set.current()).await.is_err(), "the database is away");
        set.known_as_of.send_replace(Some(Instant::now()));
        set.current().await;
    }
}
