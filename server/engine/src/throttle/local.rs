//! In this process: GCRA, one number a key.
//!
//! The number is the theoretical arrival time: when the messages granted so far would have gone out, evenly spaced. A
//! grant moves it on by one interval a message and may run ahead of the clock by the burst, which keeps batches
//! worthwhile. Rates below ten a second have a burst of one message. What is charged afterwards moves it on as far as it
//! must: until the clock has caught up, nothing is granted. How long the provider wants a key to rest is kept
//! apart from it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::{ids::SenderId, process::Slowed, time::Timestamp};

use super::{Grant, Key, Limit, RECOVERY, SLOWER, SLOWEST};

const NANOS: i64 = 1_000_000_000;

const BURST: i64 = super::BURST.as_nanos() as i64;
const COMPLAINT: i64 = super::COMPLAINT.as_nanos() as i64;

/// Askers come a little out of order; more than this and the clock was set back.
const SET_BACK: i64 = NANOS;

/// How many keys are kept before those that are idle are forgotten.
const KEYS: usize = 4_096;

/// The meter of one process.
#[derive(Default)]
pub struct Local(Mutex<Meters>);

#[derive(Default)]
struct Meters {
    by_key: HashMap<Key, Meter>,
    /// The latest time that anybody asked at.
    latest: i64,
}

impl Meters {
    /// A clock that was set back takes the meters along: else nothing would be granted until it has caught up.
    fn follow_clock(&mut self, now: i64) {
        let back = self.latest - now;
        if back > SET_BACK {
            for meter in self.by_key.values_mut() {
                meter.tat -= back;
                meter.since -= back;
                meter.rests_until -= back;
            }
        }
        if back > SET_BACK || now > self.latest {
            self.latest = now;
        }
    }
}

/// Instants are nanoseconds since the epoch.
#[derive(Clone, Copy, Debug)]
struct Meter {
    /// Theoretical arrival time.
    tat: i64,
    /// Share of the rate that the provider's complaints left, as of `since`.
    share: f64,
    since: i64,
    /// Nothing at all before, as the provider asked.
    rests_until: i64,
}

impl Meter {
    const fn new() -> Self {
        Self { tat: 0, share: 1.0, since: 0, rests_until: 0 }
    }

    fn share(&self, now: i64) -> f64 {
        let recovered = (now - self.since).max(0) as f64 / RECOVERY.as_nanos() as f64;
        (self.share + recovered).min(1.0)
    }

    /// The time between two messages at this part of the rate, rounded up so that the rate is never exceeded.
    fn interval(&self, now: i64, per_second: u32, part: f64) -> i64 {
        (NANOS as f64 / (f64::from(per_second.max(1)) * part * self.share(now))).ceil() as i64
    }

    /// How many messages there is room for.
    fn room(&self, now: i64, interval: i64) -> i64 {
        if now < self.rests_until {
            return 0;
        }
        ((now + BURST.max(interval) - self.tat.max(now)) / interval).max(0)
    }

    /// How long until there is room for `count`.
    fn wait(&self, now: i64, interval: i64, count: i64) -> i64 {
        let pace = self.tat.max(now) + count * interval - BURST.max(interval) - now;
        pace.max(self.rests_until - now).max(0)
    }
}

fn nanos(time: Timestamp) -> i64 {
    time.as_micros().saturating_mul(1_000)
}

impl Local {
    fn with<T>(&self, now: i64, act: impl FnOnce(&mut HashMap<Key, Meter>) -> T) -> T {
        let mut meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        meters.follow_clock(now);
        act(&mut meters.by_key)
    }

    /// Up to `want` messages at this part of each rate.
    pub(super) fn grant(&self, now: Timestamp, limits: &[Limit], part: f64, want: u32) -> Grant {
        let now = nanos(now);
        self.with(now, |meters| {
            forget_idle(meters, now);
            let of = |meters: &HashMap<Key, Meter>, limit: &Limit| {
                let meter = meters.get(&limit.key).copied().unwrap_or(Meter::new());
                (meter, meter.interval(now, limit.per_second, part))
            };
            let room = limits.iter().map(|limit| {
                let (meter, interval) = of(meters, limit);
                meter.room(now, interval)
            });
            let granted = room.min().unwrap_or(i64::MAX).min(i64::from(want));
            for limit in limits {
                let (meter, interval) = of(meters, limit);
                meters.insert(limit.key, Meter { tat: meter.tat.max(now) + granted * interval, ..meter });
            }
            // Wait for half a burst at once: many small batches cost more than they gain.
            let waits = limits.iter().map(|limit| {
                let (meter, interval) = of(meters, limit);
                let batch = (BURST / 2 / interval).clamp(1, i64::from(want).max(1));
                (meter.wait(now, interval, batch), limit.key)
            });
            let longest = waits.max_by_key(|(wait, _)| *wait);
            Grant {
                granted: u32::try_from(granted).unwrap_or(want),
                retry_after: Duration::from_nanos(longest.map_or(0, |(wait, _)| wait.unsigned_abs())),
                narrowest: longest.map(|(_, key)| key),
            }
        })
    }

    pub(super) fn give_back(&self, now: Timestamp, limits: &[Limit], part: f64, unused: u32) {
        let now = nanos(now);
        self.with(now, |meters| {
            for limit in limits {
                if let Some(meter) = meters.get_mut(&limit.key) {
                    meter.tat -= i64::from(unused) * meter.interval(now, limit.per_second, part);
                }
            }
        });
    }

    /// Takes more of a limit than was granted, so that the next messages wait for it, too.
    pub(super) fn charge(&self, now: Timestamp, limit: Limit, part: f64, more: u32) {
        let now = nanos(now);
        self.with(now, |meters| {
            // None where what was granted was granted by Redis.
            let meter = meters.entry(limit.key).or_insert_with(|| Meter { tat: now, ..Meter::new() });
            meter.tat += i64::from(more) * meter.interval(now, limit.per_second, part);
        });
    }

    pub(super) fn slow_down(&self, now: Timestamp, key: Key, wait: Option<Duration>) {
        let now = nanos(now);
        self.with(now, |meters| {
            let meter = meters.entry(key).or_insert(Meter::new());
            if now - meter.since >= COMPLAINT {
                meter.share = (meter.share(now) * SLOWER).max(SLOWEST);
                meter.since = now;
            }
            if let Some(wait) = wait {
                let until = now.saturating_add(i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX));
                meter.rests_until = meter.rests_until.max(until);
            }
        });
    }

    /// The provider's complaints that still count, by key.
    pub(super) fn complaints(&self, now: Timestamp) -> Vec<(Key, Slowed)> {
        let now = nanos(now);
        self.with(now, |meters| {
            let complaints = meters.iter().filter_map(|(key, meter)| {
                let share = meter.share(now);
                let rests_until =
                    (meter.rests_until > now).then(|| Timestamp::from_micros(meter.rests_until.div_euclid(1_000)));
                (share < 1.0 || rests_until.is_some()).then_some((*key, Slowed { share, rests_until }))
            });
            complaints.collect()
        })
    }

    /// Senders that have not got their full rate back.
    pub(super) fn slowed(&self, now: Timestamp) -> BTreeMap<SenderId, Slowed> {
        let senders = self.complaints(now).into_iter().filter_map(|(key, slowed)| match key {
            Key::Sender(sender) => Some((sender, slowed)),
            Key::Account | Key::Run(_) => None,
        });
        senders.collect()
    }

    /// The longest rest among these limits, and whose it is; none where none rests.
    pub(super) fn rest(&self, now: Timestamp, limits: &[Limit]) -> Option<(Duration, Key)> {
        let now = nanos(now);
        self.with(now, |meters| {
            let rests = limits.iter().filter_map(|limit| {
                let rest = meters.get(&limit.key)?.rests_until - now;
                (rest > 0).then(|| (Duration::from_nanos(rest.unsigned_abs()), limit.key))
            });
            rests.max_by_key(|(rest, _)| *rest)
        })
    }
}

/// A key that has caught up with the clock and has its full rate is as good as new.
fn forget_idle(meters: &mut HashMap<Key, Meter>, now: i64) {
    if meters.len() > KEYS {
        meters.retain(|_, meter| meter.tat.max(meter.rests_until) > now || meter.share(now) < 1.0);
    }
}
