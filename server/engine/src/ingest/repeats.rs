//! Webhooks that come again. Twilio gives every try of one webhook the same `I-Twilio-Idempotency-Token`: what is stored
//! by this process is answered without being stored again, in the words of the first answer, which may have been lost; and
//! what is being stored is waited for. What another process stored, or this one too long ago, is stored once more, changes
//! nothing, and is not answered in words.
//!
//! Callbacks are never answered in words, so one without a token is told by its signature alone: whoever repeats the same
//! callback ten thousand times leaves one row. A person's message without a token may not be: whether its first answer
//! arrived is not known, and saying it again could be one message too many.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::event::WebhookKind;
use sha2::{Digest, Sha256};
use tokio::{sync::watch, time::Instant};

use super::Webhook;

/// So many stored ones are remembered at most: some 10 MB …
const MOST: usize = 100_000;

/// … with answers of so many bytes together: the oldest lose their words …
const MOST_BYTES: usize = 8 << 20;

/// … and each for so long. Twilio gives up after a minute.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// What tries of one webhook have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Mark([u8; 16]);

impl Mark {
    /// Of a webhook whose signature was found right: that covers address and form, so a token that was used twice hides
    /// nothing. None for a person's message without a token.
    pub(super) fn of(kind: WebhookKind, webhook: &Webhook) -> Option<Self> {
        let token = webhook.idempotency_token.as_deref().unwrap_or_default();
        if token.is_empty() && kind == WebhookKind::Inbound {
            return None;
        }
        let signature = webhook.signature.as_deref()?;
        let mut hash = Sha256::new();
        for part in [kind.as_str(), signature, token] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        hash.finalize().first_chunk().copied().map(Self)
    }
}

#[derive(Debug)]
enum State {
    /// It is being stored; the other end goes when that has ended.
    Underway(watch::Receiver<()>),
    Stored(Words),
}

/// What a webhook was answered, where it was answered in words.
pub(super) type Words = Option<Box<str>>;

/// Which try of a webhook it is.
pub(super) enum Try {
    /// It is to be stored.
    First(First),
    /// It is stored, and was answered so.
    Again(Words),
}

#[derive(Default)]
struct Known {
    states: HashMap<Mark, State>,
    /// Those that are stored, the oldest first.
    stored: VecDeque<(Instant, Mark)>,
    /// Those that have words, the oldest first, and the length of all words.
    with_words: VecDeque<Mark>,
    bytes: usize,
}

impl Known {
    fn keep(&mut self, mark: Mark, words: Words, now: Instant) {
        let is_over = |stored: &VecDeque<(Instant, Mark)>| {
            let is_old = |(at, _): &(Instant, Mark)| now.duration_since(*at) >= REMEMBERED_FOR;
            stored.len() >= MOST || stored.front().is_some_and(is_old)
        };
        while is_over(&self.stored) {
            let Some((_, mark)) = self.stored.pop_front() else { break };
            if let Some(State::Stored(Some(words))) = self.states.remove(&mark) {
                self.bytes -= words.len();
            }
        }
        if let Some(words) = &words {
            self.bytes += words.len();
            self.with_words.push_back(mark);
        }
        self.states.insert(mark, State::Stored(words));
        self.stored.push_back((now, mark));
        while self.bytes > MOST_BYTES {
            let Some(oldest) = self.with_words.pop_front() else { break };
            if let Some(State::Stored(words)) = self.states.get_mut(&oldest) {
                self.bytes -= words.take().map_or(0, |words| words.len());
            }
        }
    }
}

/// The webhooks that this process stored of late, or is storing.
#[derive(Clone, Default)]
pub(super) struct Repeats(Arc<Mutex<Known>>);

enum Look {
    First(First),
    Underway(watch::Receiver<()>),
    Stored(Words),
}

impl Repeats {
    /// The right to store a webhook, or what it was answered when it is stored. Waits while another try of it is being stored, and is the next
    /// to store it when that fails.
    pub(super) async fn try_of(&self, mark: Mark) -> Try {
        loop {
            let mut underway = match self.look(mark) {
                Look::First(first) => return Try::First(first),
                Look::Stored(words) => return Try::Again(words),
                Look::Underway(receiver) => receiver,
            };
            // Nothing is ever sent: it ends with its sender.
            let _ = underway.changed().await;
        }
    }

    fn look(&self, mark: Mark) -> Look {
        let mut known = self.known();
        match known.states.get(&mark) {
            Some(State::Stored(words)) => Look::Stored(words.clone()),
            Some(State::Underway(receiver)) => Look::Underway(receiver.clone()),
            None => {
                let (ends, receiver) = watch::channel(());
                known.states.insert(mark, State::Underway(receiver));
                Look::First(First { repeats: self.clone(), mark, _ends: ends })
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first try of a webhook, on its way to the database. Given up, the next one is the first.
pub(super) struct First {
    repeats: Repeats,
    mark: Mark,
    _ends: watch::Sender<()>,
}

impl First {
    /// It is durable: from now on its repeats are answered the same.
    pub(super) fn stored(self, words: Words) {
        self.repeats.known().keep(self.mark, words, Instant::now());
    }
}

impl Drop for First {
    fn drop(&mut self) {
        let mut known = self.repeats.known();
        if matches!(known.states.get(&self.mark), Some(State::Underway(_))) {
            known.states.remove(&self.mark);
        }
    }
}

impl fmt::Debug for First {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("First").field(&self.mark).finish()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn mark(number: u128) -> Mark {
        Mark(number.to_le_bytes())
    }

    async fn first(repeats: &Repeats, number: u128) -> Option<First> {
        match repeats.try_of(mark(number)).await {
            Try::First(first) => Some(first),
            Try::Again(_) => None,
        }
    }

    #[tokio::test]
    async fn nobody_is_told_before_the_first_is_stored() {
        let repeats = Repeats::default();
        let stored = first(&repeats, 1).await.expect("nobody was before");
        assert!(first(&repeats, 2).await.is_some(), "another one does not wait");
        let waiting = tokio::spawn({
            let repeats = repeats.clone();
            async move { first(&repeats, 1).await.is_none() }
        });
        assert!(first(&repeats, 1).now_or_never().is_none(), "it waits");
        stored.stored(Some("Done.".into()));
        assert!(waiting.await.unwrap());
        let again = repeats.try_of(mark(1)).await;
        assert!(matches!(again, Try::Again(Some(words)) if &*words == "Done."), "its answer may have been lost");
    }

    #[tokio::test]
    async fn when_the_first_fails_the_next_one_is_it() {
        let repeats = Repeats::default();
        let failed = first(&repeats, 1).await.unwrap();
        let waiting = tokio::spawn({
            let repeats = repeats.clone();
            async move { first(&repeats, 1).await.is_some() }
        });
        tokio::task::yield_now().await;
        drop(failed);
        assert!(waiting.await.unwrap());
        assert!(repeats.known().states.is_empty(), "what is given up is forgotten");
    }

    #[test]
    fn only_so_many_are_remembered_and_only_so_long() {
        let mut known = Known::default();
        let start = Instant::now();
        for number in 0..=MOST as u128 {
            known.keep(mark(number), None, start);
        }
        assert_eq!((known.states.len(), known.stored.len()), (MOST, MOST));
        assert!(!known.states.contains_key(&mark(0)), "the oldest is forgotten");
        known.keep(mark(u128::MAX), None, start + REMEMBERED_FOR);
        assert_eq!((known.states.len(), known.stored.len()), (1, 1));
    }

    #[test]
    fn answers_take_only_so_much_room() {
        let mut known = Known::default();
        let start = Instant::now();
        let half: Words = Some("x".repeat(MOST_BYTES / 2).into());
        for number in 0..3 {
            known.keep(mark(number), half.clone(), start);
        }
        let has_words = |known: &Known, number| matches!(known.states[&mark(number)], State::Stored(Some(_)));
        assert_eq!([0, 1, 2].map(|number| has_words(&known, number)), [false, true, true], "it is known all the same");
        assert_eq!(known.bytes, MOST_BYTES);
        known.keep(mark(3), half, start + REMEMBERED_FOR);
        assert!(known.bytes == MOST_BYTES / 2 && has_words(&known, 3), "what is forgotten makes room");
    }

    #[test]
    fn a_mark_is_of_kind_token_and_signature() {
        let webhook = Webhook {
            target: "/s".to_owned(),
            content_type: None,
            signature: Some("one".to_owned()),
            signature_settings: None,
            idempotency_token: Some("token".to_owned()),
            body: bytes::Bytes::new(),
        };
        let of = |webhook: &Webhook| Mark::of(WebhookKind::Status, webhook);
        assert!(of(&webhook).is_some() && of(&webhook) == of(&webhook.clone()));
        assert_ne!(of(&webhook), Mark::of(WebhookKind::Inbound, &webhook));
        let other = Webhook { signature: Some("two".to_owned()), ..webhook.clone() };
        assert_ne!(of(&webhook), of(&other), "the same token of another form");
        let other = Webhook { idempotency_token: Some("other".to_owned()), ..webhook.clone() };
        assert_ne!(of(&webhook), of(&other));
        let bare = Webhook { idempotency_token: None, ..webhook.clone() };
        let empty = Webhook { idempotency_token: Some(String::new()), ..webhook.clone() };
        assert!(of(&bare).is_some() && of(&bare) == of(&empty) && of(&bare) != of(&webhook));
        assert_eq!([bare, empty].map(|webhook| Mark::of(WebhookKind::Inbound, &webhook)), [None, None]);
    }
}
