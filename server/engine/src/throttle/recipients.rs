//! Who may be written to now: WhatsApp's rate to each person, and its limit of people that a business writes to first
//! within 24 hours.
//!
//! Sources: Meta, "Messaging limits" (unique people with business-initiated messages in a moving 24 hours, over all numbers
//! of the business) and "Pair rate limits" (one message in six seconds to the same person, bursts are repaid by waiting;
//! error 131056); Twilio reports both as 63018.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::{
    ids::{ContactId, SenderId},
    time::Timestamp,
};

/// The time that people count for.
pub const DAY: i64 = 24 * 3_600 * Timestamp::SECOND;

/// One message to the same person from the same sender in this time …
pub(super) const PAIR: i64 = 6 * Timestamp::SECOND;
/// … after so many at once; Meta allows a few dozen.
const PAIR_BURST: i64 = 10;
/// How far a pair may run ahead of the clock.
pub(super) const PAIR_AHEAD: i64 = (PAIR_BURST - 1) * PAIR;

/// Askers come a little out of order; more than this and the clock was set back.
const SET_BACK: i64 = Timestamp::SECOND;

/// How many pairs are kept before those that are idle are forgotten.
const PAIRS: usize = 16_384;

/// How a message counts against the day's people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// The person wrote to us lately.
    Not,
    /// Somebody here writes to this person: may use the share that is kept for it.
    Reply,
    Campaign,
}

/// A message that is about to go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asking {
    pub contact: ContactId,
    pub counts: Counts,
}

/// How many people the business may write to first within [`DAY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub people: u32,
    /// What of it campaigns may use; the rest is kept for replies.
    pub for_campaigns: u32,
}

impl Budget {
    /// `kept` percent of `people` are for replies.
    #[must_use]
    pub fn keeping(people: u32, kept: u32) -> Self {
        let for_campaigns = u64::from(people) * u64::from(100 - kept.min(100)) / 100;
        Self { people, for_campaigns: u32::try_from(for_campaigns).unwrap_or(people) }
    }
}

/// Whether a message may go out now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Go,
    /// It may, and from then on its person counts for a day, who did not before. To be given back when nothing was sent.
    First {
        at: Timestamp,
    },
    /// This person got too many messages in the last minute.
    PairFull {
        retry_after: Duration,
    },
    /// The business has written to as many people as it may.
    DayFull {
        retry_after: Duration,
    },
}

impl Admission {
    /// From a script's two numbers.
    pub(super) fn read(verdict: i64, number: i64) -> Self {
        match verdict {
            0 => Self::Go,
            1 => Self::PairFull { retry_after: micros(number) },
            3 => Self::First { at: Timestamp::from_micros(number) },
            _ => Self::DayFull { retry_after: micros(number) },
        }
    }
}

/// The books of one process.
#[derive(Default)]
pub(super) struct Recipients(Mutex<Books>);

#[derive(Default)]
struct Books {
    /// When the next message to the person would be due at the pair's rate.
    pairs: HashMap<(SenderId, ContactId), i64>,
    /// The latest time that anybody asked at.
    latest: i64,
    /// Whom the business wrote to first, and when last; none before the database has told.
    day: Option<Day>,
}

#[derive(Default)]
struct Day {
    last: HashMap<ContactId, i64>,
    by_time: BTreeSet<(i64, ContactId)>,
}

impl Day {
    fn forget(&mut self, before: i64) {
        while let Some(&(at, contact)) = self.by_time.first()
            && at <= before
        {
            self.by_time.pop_first();
            self.last.remove(&contact);
        }
    }

    fn note(&mut self, contact: ContactId, at: i64) {
        if let Some(former) = self.last.insert(contact, at) {
            self.by_time.remove(&(former, contact));
        }
        self.by_time.insert((at, contact));
    }

    /// A message to this person is admitted. Whether they count for it.
    fn admit(&mut self, contact: ContactId, now: i64) -> bool {
        let former = self.last.get(&contact).copied();
        // Never the same again: what was admitted before then is no longer what the person counts for.
        self.note(contact, former.map_or(now, |former| now.max(former.saturating_add(1))));
        former.is_none()
    }

    fn give_back(&mut self, contact: ContactId, at: i64) {
        if self.last.get(&contact) == Some(&at) {
            self.last.remove(&contact);
            self.by_time.remove(&(at, contact));
        }
    }

    /// How long until somebody leaves; `None` when this one may be written to.
    fn wait(&self, now: i64, asking: Asking, budget: Budget) -> Option<i64> {
        let limit = if asking.counts == Counts::Campaign { budget.for_campaigns } else { budget.people };
        let may = self.last.contains_key(&asking.contact) || self.last.len() < usize::try_from(limit).unwrap_or(0);
        let oldest = self.by_time.first().map_or(now, |(at, _)| *at);
        (!may).then(|| (oldest + DAY - now).max(0))
    }
}

impl Recipients {
    fn with<T>(&self, act: impl FnOnce(&mut Books) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// `None` when it is not known who was written to lately: see [`Recipients::remember`].
    pub fn admit(
        &self,
        now: Timestamp,
        sender: SenderId,
        budget: Option<Budget>,
        asking: &[Asking],
    ) -> Option<Vec<Admission>> {
        let now = now.as_micros();
        self.with(|books| {
            if budget.is_some() && books.day.is_none() {
                return None;
            }
            if now < books.latest - SET_BACK {
                // The clock was set back: nobody waits until it has caught up. The day's people stay, to be safe.
                books.pairs.clear();
            }
            books.latest = now;
            if books.pairs.len() > PAIRS {
                books.pairs.retain(|_, tat| *tat > now);
            }
            if let Some(day) = &mut books.day {
                day.forget(now - DAY);
            }
            Some(asking.iter().map(|asking| books.admit(now, sender, budget, *asking)).collect())
        })
    }

    pub fn forget_day(&self) {
        self.with(|books| books.day = None);
    }

    /// Messages that were admitted as their persons' first were not sent.
    pub fn give_back(&self, people: &[(ContactId, Timestamp)]) {
        self.with(|books| {
            let Some(day) = &mut books.day else { return };
            for (contact, at) in people {
                day.give_back(*contact, at.as_micros());
            }
        });
    }

    /// What the database knows of the last day.
    pub fn remember(&self, people: &[(ContactId, Timestamp)]) {
        self.with(|books| {
            let day = books.day.get_or_insert_default();
            for (contact, at) in people {
                day.note(*contact, at.as_micros().max(day.last.get(contact).copied().unwrap_or(i64::MIN)));
            }
        });
    }
}

impl Books {
    fn admit(&mut self, now: i64, sender: SenderId, budget: Option<Budget>, asking: Asking) -> Admission {
        let pair = (sender, asking.contact);
        let tat = self.pairs.get(&pair).copied().unwrap_or(now).max(now);
        if tat - now > PAIR_AHEAD {
            return Admission::PairFull { retry_after: micros(tat - PAIR_AHEAD - now) };
        }
        let mut admission = Admission::Go;
        if let (Some(budget), Some(day)) = (budget.filter(|_| asking.counts != Counts::Not), &mut self.day) {
            if let Some(wait) = day.wait(now, asking, budget) {
                return Admission::DayFull { retry_after: micros(wait) };
            }
            if day.admit(asking.contact, now) {
                admission = Admission::First { at: Timestamp::from_micros(now) };
            }
        }
        self.pairs.insert(pair, tat + PAIR);
        admission
    }
}

fn micros(wait: i64) -> Duration {
    Duration::from_micros(u64::try_from(wait).unwrap_or(0))
}
