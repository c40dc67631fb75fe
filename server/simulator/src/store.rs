//! The messages, in a bounded ring, and what is known of each person.
//!
//! Everything here happens under one short lock: an insert or a status change is a few hash look-ups, and only lists
//! walk (by person where a person is named).

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::callbacks::Script;
use crate::sid::Kind;
use crate::status::Status;

/// 24 hours: WhatsApp's customer service window, and the period of the portfolio limit.
const DAY_MS: i64 = 86_400_000;
/// Distinct senders and services kept once; above that, texts are simply copied.
const MAX_INTERNED: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Inbound,
    OutboundApi,
    OutboundReply,
}

impl Direction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::OutboundApi => "outbound-api",
            Self::OutboundReply => "outbound-reply",
        }
    }
}

/// A stored message. `seq` gives its SID.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub seq: u64,
    pub kind: Kind,
    pub direction: Direction,
    pub status: Status,
    pub deleted: bool,
    pub num_media: u8,
    pub segments: u16,
    pub error_code: Option<u32>,
    pub to: Arc<str>,
    pub from: Option<Arc<str>>,
    pub service: Option<Arc<str>>,
    pub body: Box<str>,
    pub content_sid: Option<Arc<str>>,
    pub content_variables: Option<Box<str>>,
    /// Seconds, as asked for.
    pub validity_period: Option<u16>,
    pub tags: Option<Box<str>>,
    pub created: i64,
    pub updated: i64,
    pub sent: Option<i64>,
}

impl Message {
    /// The address of the person, without channel.
    pub fn person(&self) -> &str {
        match self.direction {
            Direction::Inbound => bare(self.from.as_deref().unwrap_or_default()),
            _ => bare(&self.to),
        }
    }
}

/// An address without its channel.
pub(crate) fn bare(address: &str) -> &str {
    address.strip_prefix("whatsapp:").unwrap_or(address)
}

/// Whether an address is on WhatsApp.
pub(crate) fn is_whatsapp(address: &str) -> bool {
    address.starts_with("whatsapp:")
}

#[derive(Debug, Default)]
struct Person {
    accepted: u64,
    messages: VecDeque<u64>,
    last_inbound: Vec<(Arc<str>, i64)>,
    blocked_by: Vec<Arc<str>>,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    first: u64,
    ring: VecDeque<Message>,
    people: HashMap<Box<str>, Person>,
    texts: HashSet<Arc<str>>,
    /// The addresses that got inbound messages.
    received: HashSet<Arc<str>>,
    scheduled: HashMap<u64, Box<Script>>,
    portfolio: HashMap<Box<str>, i64>,
    portfolio_order: VecDeque<(i64, Box<str>)>,
    by_status: [u64; Status::ALL.len()],
    pub recipients: u64,
    pub repeated: u64,
    pub evicted: u64,
    pub rate: Rate,
}

impl Store {
    /// The sequence number the next message gets.
    pub fn next_seq(&self) -> u64 {
        self.first + self.ring.len() as u64
    }

    /// One copy of a text that occurs in many messages.
    pub fn intern(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        if self.texts.len() < MAX_INTERNED {
            self.texts.insert(new.clone());
        }
        new
    }

    /// Stores a message, forgetting the oldest ones above `max`. Its number is set here.
    pub fn insert(&mut self, mut message: Message, max: usize) -> &Message {
        let seq = self.next_seq();
        message.seq = seq;
        let person = person(&mut self.people, message.person());
        person.messages.push_back(seq);
        match message.direction {
            Direction::OutboundApi => {
                person.accepted += 1;
                self.recipients += u64::from(person.accepted == 1);
                self.repeated += u64::from(person.accepted == 2);
                self.rate.count(message.created.div_euclid(1000));
            }
            Direction::OutboundReply => {}
            Direction::Inbound => {
                let ours = message.to.clone();
                self.received.insert(ours.clone());
                match person.last_inbound.iter_mut().find(|(sender, _)| *sender == ours) {
                    Some((_, at)) => *at = (*at).max(message.created),
                    None => person.last_inbound.push((ours, message.created)),
                }
            }
        }
        self.by_status[message.status as usize] += 1;
        self.ring.push_back(message);
        self.trim(max);
        // The newest is never trimmed: `max` is above 0.
        &self.ring[self.ring.len() - 1]
    }

    /// Forgets the oldest messages above `max`.
    pub fn trim(&mut self, max: usize) {
        while self.ring.len() > max.max(1) {
            if let Some(old) = self.ring.pop_front() {
                self.first += 1;
                self.evicted += 1;
                if let Some(person) = self.people.get_mut(old.person()) {
                    person.messages.pop_front();
                }
            }
        }
    }

    pub fn get(&self, seq: u64) -> Option<&Message> {
        let index = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        self.ring.get(index).filter(|message| !message.deleted)
    }

    pub fn get_mut(&mut self, seq: u64) -> Option<&mut Message> {
        let index = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        self.ring.get_mut(index).filter(|message| !message.deleted)
    }

    /// The messages before `seq`, newest first.
    pub fn before(&self, seq: u64) -> impl Iterator<Item = &Message> {
        let end = usize::try_from(seq.saturating_sub(self.first)).unwrap_or(usize::MAX).min(self.ring.len());
        self.ring.range(..end).rev().filter(|message| !message.deleted)
    }

    /// The messages after `seq`, oldest first.
    pub fn after(&self, seq: u64) -> impl Iterator<Item = &Message> {
        let start = usize::try_from((seq + 1).saturating_sub(self.first)).unwrap_or(usize::MAX).min(self.ring.len());
        self.ring.range(start..).filter(|message| !message.deleted)
    }

    /// A person's messages, oldest first, both directions.
    pub fn of_person(&self, address: &str) -> impl DoubleEndedIterator<Item = &Message> {
        self.people
            .get(bare(address))
            .into_iter()
            .flat_map(|person| person.messages.iter())
            .filter_map(|seq| self.get(*seq))
    }

    /// The only messages, ascending, that a list by these addresses can hold; `None`: any message.
    pub fn candidates(&self, to: Option<&str>, from: Option<&str>) -> Option<Vec<u64>> {
        let of = |address: &str| {
            self.people.get(bare(address)).into_iter().flat_map(|person| person.messages.iter().copied())
        };
        let to = to?;
        match from {
            // A message belongs to its To, or when it is inbound, to its From.
            Some(from) => {
                let mut all: Vec<u64> = of(to).chain(of(from)).collect();
                all.sort_unstable();
                all.dedup();
                Some(all)
            }
            None if self.received.contains(to) => None,
            None => Some(of(to).collect()),
        }
    }

    /// How many creates were accepted for each person (also for messages that are forgotten by now).
    pub fn accepted_by_person(&self, min: u64) -> BTreeMap<String, u64> {
        let counted = self.people.iter().filter(|(_, person)| person.accepted >= min.max(1));
        counted.map(|(address, person)| (address.to_string(), person.accepted)).collect()
    }

    /// Moves a message on. A status that is behind the present one changes nothing. Returns whether it is still known.
    pub fn advance(&mut self, seq: u64, status: Status, error_code: Option<u32>, now: i64) {
        let Some(message) = self.get_mut(seq) else { return };
        if status.rank() <= message.status.rank() {
            return;
        }
        let before = message.status;
        message.status = status;
        message.updated = now;
        if status.rank() >= Status::Sent.rank() && message.sent.is_none() {
            message.sent = Some(now);
        }
        if status.is_failure() {
            message.error_code = error_code;
        } else if status.rank() > Status::Undelivered.rank() {
            message.error_code = None;
        }
        self.by_status[before as usize] = self.by_status[before as usize].saturating_sub(1);
        self.by_status[status as usize] += 1;
    }

    /// How many messages were in each status when last seen.
    pub fn by_status(&self) -> BTreeMap<&'static str, u64> {
        let counted = Status::ALL.into_iter().map(|status| (status.as_str(), self.by_status[status as usize]));
        counted.filter(|(_, count)| *count > 0).collect()
    }

    pub fn stored(&self) -> usize {
        self.ring.len()
    }

    /// Keeps what is to happen to a scheduled message until its time.
    pub fn schedule(&mut self, seq: u64, script: Box<Script>) {
        self.scheduled.insert(seq, script);
    }

    /// Takes it out again, for sending or cancelling.
    pub fn unschedule(&mut self, seq: u64) -> Option<Box<Script>> {
        self.scheduled.remove(&seq)
    }

    /// Whether the person wrote to this sender within the last 24 hours.
    pub fn window_open(&self, to: &str, from: Option<&str>, now: i64) -> bool {
        self.people.get(bare(to)).is_some_and(|person| {
            let mut written = person.last_inbound.iter();
            written.any(|(sender, at)| from.is_none_or(|from| **sender == *from) && now - at < DAY_MS)
        })
    }

    /// Counts a recipient against the portfolio's limit. False: the limit is reached and this one is new.
    pub fn within_portfolio(&mut self, to: &str, limit: u32, now: i64) -> bool {
        while self.portfolio_order.front().is_some_and(|(at, _)| now - at >= DAY_MS) {
            if let Some((at, who)) = self.portfolio_order.pop_front()
                && self.portfolio.get(&who) == Some(&at)
            {
                self.portfolio.remove(&who);
            }
        }
        let who = bare(to);
        if !self.portfolio.contains_key(who) && self.portfolio.len() >= limit as usize {
            return false;
        }
        self.portfolio.insert(who.into(), now);
        self.portfolio_order.push_back((now, who.into()));
        true
    }

    /// Notes a person's STOP to a sender, or lifts it.
    pub fn set_blocked(&mut self, who: &str, sender: &str, blocked: bool) {
        let sender = self.intern(sender);
        let person = person(&mut self.people, bare(who));
        person.blocked_by.retain(|other| *other != sender);
        if blocked {
            person.blocked_by.push(sender);
        }
    }

    /// Whether the person stopped this sender (or any, when a Messaging Service picks).
    pub fn is_blocked(&self, to: &str, from: Option<&str>) -> bool {
        self.people.get(bare(to)).is_some_and(|person| {
            let mut senders = person.blocked_by.iter();
            senders.any(|sender| from.map_or_else(|| is_whatsapp(sender) == is_whatsapp(to), |from| **sender == *from))
        })
    }

    /// Forgets everything; sequence numbers go on, so that no SID is ever used twice.
    pub fn reset(&mut self) {
        let first = self.next_seq();
        *self = Self { first, ..Self::default() };
    }
}

fn person<'a>(people: &'a mut HashMap<Box<str>, Person>, address: &str) -> &'a mut Person {
    if !people.contains_key(address) {
        people.insert(address.into(), Person::default());
    }
    people.get_mut(address).expect("inserted above")
}

/// Accepted creates of the last seconds.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    second: i64,
    counts: [u64; 8],
    pub peak: u64,
}

impl Rate {
    fn move_to(&mut self, second: i64) {
        if second <= self.second {
            return;
        }
        let ahead = (second - self.second).min(self.counts.len() as i64);
        for step in 0..ahead {
            self.counts[(second - step).rem_euclid(self.counts.len() as i64) as usize] = 0;
        }
        self.second = second;
    }

    pub fn count(&mut self, second: i64) {
        self.move_to(second);
        let slot = &mut self.counts[self.second.rem_euclid(8) as usize];
        *slot += 1;
        self.peak = self.peak.max(*slot);
    }

    /// The mean of the last five whole seconds.
    pub fn per_second(&mut self, second: i64) -> f64 {
        self.move_to(second);
        let total: u64 = (1..=5).map(|back| self.counts[(self.second - back).rem_euclid(8) as usize]).sum();
        total as f64 / 5.0
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn message(to: &str, created: i64) -> Message {
        Message {
            seq: 0,
            kind: Kind::Text,
            direction: Direction::OutboundApi,
            status: Status::Queued,
            deleted: false,
            num_media: 0,
            segments: 1,
            error_code: None,
            to: to.into(),
            from: Some("+15005550006".into()),
            service: None,
            body: "Hi".into(),
            content_sid: None,
            content_variables: None,
            validity_period: None,
            tags: None,
            created,
            updated: created,
            sent: None,
        }
    }

    #[test]
    fn the_ring_forgets_messages_but_not_counts() {
        let mut store = Store::default();
        for n in 0..10 {
            store.insert(message(if n % 2 == 0 { "+1" } else { "whatsapp:+2" }, n), 4);
        }
        assert_eq!(store.stored(), 4);
        assert_eq!(store.evicted, 6);
        assert_eq!(store.get(5).map(|m| m.seq), None);
        assert_eq!(store.get(6).map(|m| m.seq), Some(6));
        assert_eq!(store.of_person("+2").map(|m| m.seq).collect::<Vec<_>>(), [7, 9]);
        assert_eq!(store.of_person("whatsapp:+2").count(), 2);
        assert_eq!(store.accepted_by_person(1), BTreeMap::from([("+1".into(), 5), ("+2".into(), 5)]));
        assert_eq!((store.recipients, store.repeated), (2, 2));
        assert_eq!(store.before(8).map(|m| m.seq).collect::<Vec<_>>(), [7, 6]);
        assert_eq!(store.after(7).map(|m| m.seq).collect::<Vec<_>>(), [8, 9]);
        store.reset();
        assert_eq!(store.insert(message("+1", 1), 4).seq, 10);
        assert_eq!((store.recipients, store.repeated), (1, 0));
    }

    #[test]
    fn a_status_never_goes_back() {
        let mut store = Store::default();
        store.insert(message("+1", 1), 9);
        store.advance(0, Status::Delivered, None, 5);
        store.advance(0, Status::Sent, None, 6);
        assert_eq!(store.get(0).map(|m| (m.status, m.sent, m.updated)), Some((Status::Delivered, Some(5), 5)));
        assert_eq!(store.by_status(), BTreeMap::from([("delivered", 1)]));
    }

    #[test]
    fn windows_blocks_and_the_portfolio() {
        let mut store = Store::default();
        let inbound = Message {
            direction: Direction::Inbound,
            from: Some("whatsapp:+1".into()),
            status: Status::Received,
            ..message("whatsapp:+9", 1000)
        };
        store.insert(inbound, 9);
        assert!(store.window_open("whatsapp:+1", Some("whatsapp:+9"), 1000 + DAY_MS - 1));
        assert!(!store.window_open("whatsapp:+1", Some("whatsapp:+9"), 1000 + DAY_MS));
        assert!(!store.window_open("whatsapp:+1", Some("whatsapp:+8"), 1001));
        assert!(!store.window_open("whatsapp:+2", None, 1001));

        store.set_blocked("+1", "+9", true);
        assert!(
            store.is_blocked("+1", Some("+9")) && store.is_blocked("+1", None) && !store.is_blocked("+1", Some("+8"))
        );
        store.set_blocked("+1", "+9", false);
        assert!(!store.is_blocked("+1", Some("+9")));

        assert!(store.within_portfolio("+1", 1, 0) && store.within_portfolio("+1", 1, 5));
        assert!(!store.within_portfolio("+2", 1, DAY_MS + 4));
        assert!(store.within_portfolio("+2", 1, DAY_MS + 5));
    }

    #[test]
    fn the_rate_is_a_mean_of_whole_seconds() {
        let mut rate = Rate::default();
        for second in 100..105 {
            for _ in 0..10 {
                rate.count(second);
            }
        }
        assert_eq!(rate.per_second(105), 10.0);
        assert_eq!(rate.per_second(107), 6.0);
        assert_eq!(rate.per_second(1000), 0.0);
        assert_eq!(rate.peak, 10);
    }
}
