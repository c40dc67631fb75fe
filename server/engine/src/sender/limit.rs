//! A sender that reached a limit of the provider's or of the channel's: it is slowed down, and rests when it is not just
//! one person's limit.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::{ids::SenderId, time::Timestamp};

use crate::{Engine, throttle::Key};

/// How long a sender rests when messages that were taken fail. What is still on its way then may begin the rest anew.
const REST: Duration = Duration::from_secs(5 * 60);

/// The same when messages are refused at once, which costs nobody, and Twilio does not say how long.
pub(super) const REST_REFUSED: Duration = Duration::from_secs(60);

/// So many failures …
const SEVERAL: u32 = 5;
/// … within this time are the sender's; a few may be of people who got too much, which is reported in the same words.
const WITHIN: i64 = Timestamp::MINUTE;

/// The failures of each sender, as they are told.
#[derive(Debug, Default)]
pub struct Limits(Mutex<HashMap<SenderId, Failures>>);

#[derive(Clone, Copy, Debug)]
struct Failures {
    since: Timestamp,
    messages: u32,
}

impl Limits {
    /// Notes failures; whether there are several by now.
    fn several(&self, sender: SenderId, messages: u32, now: Timestamp) -> bool {
        let mut senders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = senders.entry(sender).or_insert(Failures { since: now, messages: 0 });
        if !(0..WITHIN).contains(&now.since(failures.since)) {
            *failures = Failures { since: now, messages: 0 };
        }
        failures.messages = failures.messages.saturating_add(messages);
        failures.messages >= SEVERAL
    }
}

/// Callbacks tell that so many messages of this sender failed because it is too fast or at its limit.
pub(crate) async fn reached_limit(engine: &Engine, sender: SenderId, messages: u32) {
    let now = engine.now();
    let wait = engine.inner().limits.several(sender, messages, now).then_some(REST);
    tracing::warn!(%sender, messages, rests = wait.is_some(), "messages failed at the sender's limit: it is slowed down");
    engine.inner().throttle.slow_down(now, Key::Sender(sender), wait).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_failures_are_a_persons_and_several_in_a_minute_are_the_senders() {
        let (limits, sender) = (Limits::default(), SenderId(uuid::Uuid::nil()));
        let at = |seconds: i64| Timestamp::from_seconds(1_795_392_000 + seconds);
        assert!(!limits.several(sender, 4, at(0)));
        assert!(!limits.several(sender, 4, at(60)), "a minute later");
        assert!(limits.several(sender, 1, at(119)));
        assert!(limits.several(sender, 1, at(119)), "and so does what follows");
        assert!(!limits.several(sender, 1, at(-500)), "a clock that was set back");
        assert!(limits.several(SenderId(uuid::Uuid::max()), SEVERAL, at(0)), "at once");
    }
}
