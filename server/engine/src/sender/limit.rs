//! A sender that reached a limit of the provider's or of the channel's: it is slowed down, and rests when it is not just
//! one person's limit.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::{
    ids::{MessageId, SenderId},
    time::Timestamp,
};

use crate::{Engine, throttle::Key};

/// How long a sender rests when messages that were taken fail. What is still on its way then may begin the rest anew.
const REST: Duration = Duration::from_secs(5 * 60);

/// The same when messages are refused at once, which costs nobody, and Twilio does not say how long.
pub(super) const REST_REFUSED: Duration = Duration::from_secs(60);

/// So many failures …
const SEVERAL: u32 = 5;
/// … within this time are the sender's; a few may be of people who got too much, which is reported in the same words.
const WITHIN: i64 = Timestamp::MINUTE;

/// So many refused messages of a sender are remembered. Who is forgotten is taken for the sender's limit once more.
const KEPT: usize = 10_000;

/// The failures of each sender, as they are told, and what it was refused.
#[derive(Debug, Default)]
pub struct Limits {
    failures: Mutex<HashMap<SenderId, Failures>>,
    refused: Mutex<HashMap<SenderId, Refused>>,
}

/// What a sender was refused at a limit, and how much of it was taken since the first time.
#[derive(Debug, Default)]
struct Refused {
    taken: u64,
    /// What had been taken when the message was refused last.
    messages: HashMap<MessageId, u64>,
    /// The last one, and how many times in a row it was that one.
    last: Option<(MessageId, u32)>,
}

/// Who is refused so often while nobody else is has a limit of their own, too: nothing else may be there to be taken.
const IN_A_ROW: u32 = 10;

#[derive(Clone, Copy, Debug)]
struct Failures {
    since: Timestamp,
    messages: u32,
}

impl Limits {
    /// Notes failures; whether there are several by now.
    fn several(&self, sender: SenderId, messages: u32, now: Timestamp) -> bool {
        let mut senders = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = senders.entry(sender).or_insert(Failures { since: now, messages: 0 });
        if !(0..WITHIN).contains(&now.since(failures.since)) {
            *failures = Failures { since: now, messages: 0 };
        }
        failures.messages = failures.messages.saturating_add(messages);
        failures.messages >= SEVERAL
    }

    /// A message of this sender was refused at a limit. Whether the limit is its recipient's alone: it was refused before,
    /// and the provider has taken others since, or it alone was refused again and again.
    pub(super) fn is_of_one(&self, sender: SenderId, message: MessageId) -> bool {
        let mut senders = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = senders.entry(sender).or_default();
        if refused.messages.len() > KEPT {
            refused.messages.clear();
        }
        let in_a_row =
            refused.last.filter(|(last, _)| *last == message).map_or(1, |(_, times)| times.saturating_add(1));
        refused.last = Some((message, in_a_row));
        let passed_over = refused.messages.insert(message, refused.taken).is_some_and(|taken| refused.taken > taken);
        passed_over || in_a_row >= IN_A_ROW
    }

    /// The provider has taken a message of this sender.
    pub(super) fn took(&self, sender: SenderId) {
        let mut senders = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(refused) = senders.get_mut(&sender) {
            refused.taken += 1;
        }
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
    fn who_alone_is_refused_again_and_again_has_a_limit_of_their_own() {
        let (limits, sender, other) = (Limits::default(), SenderId(uuid::Uuid::nil()), SenderId(uuid::Uuid::max()));
        limits.took(sender);
        assert!(!limits.is_of_one(sender, MessageId(1)), "the first time it may be the sender's");
        assert!(!limits.is_of_one(sender, MessageId(1)), "nothing was taken in between");
        limits.took(other);
        assert!(!limits.is_of_one(sender, MessageId(1)), "another sender's");
        limits.took(sender);
        assert!(!limits.is_of_one(sender, MessageId(2)));
        assert!(limits.is_of_one(sender, MessageId(1)));
        assert!(!limits.is_of_one(sender, MessageId(2)));
        assert_eq!((0..50).position(|_| limits.is_of_one(other, MessageId(3))), Some(9), "nobody else is there");
    }

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
