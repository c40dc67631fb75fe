//! Who may send: all processes that share their rates in Redis, else one alone. Two that each keep the whole rate would
//! send at twice of it. One of an older version beside a newer one may not: it does not know all rules.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use store::{Kind, installation::RULES, notify::SendingLock};
use tokio_util::sync::CancellationToken;

use crate::{Engine, bell::Who, throttle::Throttle};

/// How often the right is asked for, or looked after.
const EVERY: Duration = Duration::from_millis(500);

/// The connection that holds the right answers within this time, or it counts as lost.
const ANSWER: Duration = Duration::from_secs(2);

/// Whether this process may send now.
#[derive(Debug, Default)]
pub struct Permit {
    given: AtomicBool,
    outdated: AtomicBool,
}

impl Permit {
    pub(crate) fn is_given(&self) -> bool {
        self.given.load(Ordering::Relaxed)
    }

    /// Whether a newer version works on the database, by rules that this one does not know: it plans and starts nothing.
    pub(crate) fn is_outdated(&self) -> bool {
        self.outdated.load(Ordering::Relaxed)
    }

    fn set(&self, given: bool) {
        self.given.store(given, Ordering::Relaxed);
    }
}

/// Asks for the right to send and looks after it, until told to stop; then it is another's. An embedded database is one
/// process's alone: the server sees to that.
pub(super) async fn keep(engine: Engine, stop: CancellationToken) {
    let permit = &engine.inner().permit;
    if engine.db().kind() == Kind::Sqlite {
        permit.set(true);
        return;
    }
    let beside_others = matches!(engine.inner().throttle, Throttle::Shared(_));
    let mut held: Option<SendingLock> = None;
    let mut stands_by = false;
    while !stop.is_cancelled() {
        held = match held {
            Some(mut lock) => {
                let kept = is_kept(lock.check()).await;
                if !kept {
                    // At once: what is asked next may not be answered for long either.
                    permit.set(false);
                }
                kept.then_some(lock)
            }
            None => engine.db().lock_sending(beside_others).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "the right to send cannot be asked for");
                None
            }),
        };
        look_at_rules(&engine).await;
        let given = held.is_some() && !permit.is_outdated();
        permit.set(given);
        metrics::gauge!("may_send").set(f64::from(u8::from(given)));
        if held.is_none() && !stands_by {
            tracing::warn!(
                "another process sends from this database: this one stands by. Give all of them the same REDIS_URL to \
                 send from several"
            );
        } else if held.is_some() {
            if stands_by {
                engine.inner().throttle.forget_day().await;
            }
            engine.inner().bell.ring_here(Who::Senders);
        }
        stands_by = held.is_none();
        let _ = tokio::time::timeout(EVERY, stop.cancelled()).await;
    }
    permit.set(false);
}

/// Whether the right is still there: a connection that says nothing may have lost it long ago.
async fn is_kept(check: impl Future<Output = store::Result<()>>) -> bool {
    matches!(tokio::time::timeout(ANSWER, check).await, Ok(Ok(())))
}

/// Notes whether the database asks for newer rules than ours. What cannot be looked at stays as it was.
async fn look_at_rules(engine: &Engine) {
    let asked = store::installation::asked_rules(engine.db().lookout());
    let Ok(Ok(asked)) = tokio::time::timeout(ANSWER, asked).await else { return };
    let outdated = asked > RULES;
    if outdated && !engine.inner().permit.outdated.swap(outdated, Ordering::Relaxed) {
        tracing::warn!(
            asked,
            known = RULES,
            "a newer version works on this database: this process plans, starts and sends nothing more. Update it"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_right_whose_connection_says_nothing_is_lost() {
        assert!(is_kept(std::future::ready(Ok(()))).await);
        assert!(!is_kept(std::future::pending()).await);
    }
}
