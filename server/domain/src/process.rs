//! The programs that serve the database, and what waits for what.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ProcessId, RunId, SenderId},
    reason::Reason,
    time::Timestamp,
    word_enum,
};

/// A process is believed to be at work for this long after it was last seen.
pub const ALIVE_FOR: i64 = 10 * Timestamp::SECOND;

/// A clock may be so many milliseconds off. By one that is further ahead, a lease has run out while its message is on its way.
const CLOCK_OFF_MS: i64 = 30_000;

word_enum! {
    /// What a process was started to do.
    pub enum ProcessRole {
        /// Everything.
        All = "all",
        /// Takes what people, programs and webhooks bring; sends nothing.
        Web = "web",
        /// Plans, sends and looks after what was sent.
        Worker = "worker",
    }
}

impl ProcessRole {
    /// Whether it plans and sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::All | Self::Worker)
    }
}

word_enum! {
    /// Whether a process is there.
    pub enum ProcessState {
        Alive = "alive",
        /// Not seen any more, and it did not say that it stops.
        Vanished = "vanished",
        /// It was told to stop, and did.
        Stopped = "stopped",
    }
}

impl ProcessState {
    /// How a process stands at `now` that was seen and that stopped then.
    #[must_use]
    pub fn at(now: Timestamp, seen_at: Timestamp, stopped_at: Option<Timestamp>) -> Self {
        match stopped_at {
            Some(_) => Self::Stopped,
            None if now.since(seen_at) <= ALIVE_FOR => Self::Alive,
            None => Self::Vanished,
        }
    }
}

/// A program that serves the database, as it last said of itself. Rows are kept for a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Process {
    pub id: ProcessId,
    pub role: ProcessRole,
    pub state: ProcessState,
    /// The name of its machine or container.
    pub host: String,
    pub pid: i32,
    /// The program's version.
    pub version: String,
    pub started_at: Timestamp,
    pub seen_at: Timestamp,
    pub stopped_at: Option<Timestamp>,
    pub figures: Figures,
}

/// What a process is doing. What another version of the program does not tell is zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Figures {
    /// Messages that it has claimed and not finished with.
    #[serde(default)]
    pub claimed: i64,
    /// Requests to the provider that are under way.
    #[serde(default)]
    pub in_flight: i64,
    /// Whether it may send: of processes without a shared meter only one may.
    #[serde(default)]
    pub may_send: bool,
    /// Whether Redis answers it, as far as it asked lately: then it sends at the rates that all share.
    #[serde(default)]
    pub has_redis: bool,
    /// Webhooks that wait to be stored.
    #[serde(default)]
    pub ingest_queue: i64,
    /// How old its knowledge of opt-outs is that other processes took; null where there are no others to hear from.
    #[serde(default)]
    pub opt_out_age_ms: Option<i64>,
    /// It still reads what people wrote while nobody was there to take it: until then nothing goes out.
    #[serde(default)]
    pub reads_lists: bool,
    /// Senders whose list of that the provider has not given yet: until then no campaign goes out from them.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<SenderId>))]
    pub missing_lists: BTreeSet<SenderId>,
    /// How far its clock is ahead of the database's, or below 0 behind it; null on SQLite, and until it is known.
    #[serde(default)]
    pub clock_ahead_ms: Option<i64>,
    #[serde(default)]
    pub pace: Paces,
}

impl Figures {
    /// Whether its clock is so far off that processes disturb each other.
    #[must_use]
    pub fn is_clock_off(&self) -> bool {
        self.clock_ahead_ms.is_some_and(|ahead| ahead.abs() > CLOCK_OFF_MS)
    }
}

/// A sender that goes slower than its rate, because the provider complained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Slowed {
    /// What is left of its rate, above 0 and below 1; it grows back by itself.
    pub share: f64,
    /// Nothing at all goes out before.
    pub rests_until: Option<Timestamp>,
}

/// Messages handed over per second, lately.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Paces {
    /// In all.
    #[serde(default)]
    pub all: f64,
    /// What the meters of the rates let through, less what was given back unused. Well above `all`: the provider answers
    /// slowly.
    #[serde(default)]
    pub granted: f64,
    /// By run; single messages belong to none.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, f64>))]
    pub runs: BTreeMap<RunId, f64>,
    /// By sender.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, f64>))]
    pub senders: BTreeMap<SenderId, f64>,
    /// Senders that go slower than their rate.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Slowed>))]
    pub slowed: BTreeMap<SenderId, Slowed>,
}

impl Paces {
    /// Adds another process's.
    pub fn add(&mut self, other: &Self) {
        self.all += other.all;
        self.granted += other.granted;
        for (run, pace) in &other.runs {
            *self.runs.entry(*run).or_default() += pace;
        }
        for (sender, pace) in &other.senders {
            *self.senders.entry(*sender).or_default() += pace;
        }
        for (sender, slowed) in &other.slowed {
            let known = self.slowed.entry(*sender).or_insert(*slowed);
            known.share = known.share.min(slowed.share);
            known.rests_until = known.rests_until.max(slowed.rests_until);
        }
    }
}

word_enum! {
    /// What waits, by what it waits for. Listed with what moves each on in docs/api.md.
    pub enum Wait {
        /// Its turn: as fast as the rates allow.
        Due = "due",
        /// Its time, which is still to come; the reason says why.
        Later = "later",
        /// Somebody has to resume the campaign.
        Paused = "paused",
        /// Somebody has to release all sending.
        Held = "held",
        /// Somebody has to release the sender.
        SenderHeld = "sender_held",
        /// Somebody has to enable the sender.
        SenderDisabled = "sender_disabled",
        /// The provider refuses everything from the sender; one message now and then tries.
        SenderBlocked = "sender_blocked",
        /// The credentials of the sender's account are not known.
        NoAccount = "no_account",
        /// The provider's lists of what people wrote while nobody was there: a STOP may be among it.
        Lists = "lists",
        /// The run's plan is not complete.
        Planning = "planning",
        /// The campaign was cancelled: about to be taken out of the queue.
        Cancelling = "cancelling",
        /// The answer of the provider, or the end of the lease.
        Sending = "sending",
        /// A callback, or what the provider's list says.
        Unknown = "unknown",
        /// The final status: a callback, or asking the provider.
        Accepted = "accepted",
        /// Only a late callback: the run is too old to be asked for.
        NoNews = "no_news",
        /// Runs whose plan is being made.
        Plans = "plans",
        /// Runs of which this version cannot read what is stored.
        Unreadable = "unreadable",
        /// Files that wait to be imported.
        ImportsQueued = "imports_queued",
        /// Files that are being imported.
        ImportsRunning = "imports_running",
        /// Webhooks that wait to be stored.
        Webhooks = "webhooks",
    }
}

/// Things that wait for the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Waiting {
    pub what: Wait,
    /// Why these wait for their time; only with `later`.
    pub reason: Option<Reason>,
    pub count: i64,
    /// There are more: the counting stopped.
    pub at_least: bool,
    /// Since when the oldest of them waits, where that is known.
    pub oldest_at: Option<Timestamp>,
    /// When the next of them is looked at, where a time is set for it.
    pub next_at: Option<Timestamp>,
}

impl Waiting {
    /// Takes in others that wait for the same.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.at_least |= other.at_least;
        self.oldest_at = earlier(self.oldest_at, other.oldest_at);
        self.next_at = earlier(self.next_at, other.next_at);
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_seen_has_vanished_unless_it_said_goodbye() {
        let (now, ago) = (Timestamp::from_seconds(100), |seconds: i64| Timestamp::from_seconds(100 - seconds));
        assert_eq!(ProcessState::at(now, ago(10), None), ProcessState::Alive);
        assert_eq!(ProcessState::at(now, ago(11), None), ProcessState::Vanished);
        assert_eq!(ProcessState::at(now, ago(11), Some(ago(11))), ProcessState::Stopped);
        // A clock that is ahead of ours.
        assert_eq!(ProcessState::at(now, ago(-3), None), ProcessState::Alive);
    }

    #[test]
    fn what_another_version_does_not_tell_is_zero() {
        let figures: Figures = serde_json::from_str(r#"{"claimed":3,"something_new":1}"#).unwrap();
        assert_eq!(figures, Figures { claimed: 3, ..Figures::default() });
    }

    #[test]
    fn paces_of_processes_add_up() {
        let run = |number| RunId(uuid::Uuid::from_u128(number));
        let of = |all, runs: &[(u128, f64)]| Paces {
            all,
            granted: all,
            runs: runs.iter().map(|(number, pace)| (run(*number), *pace)).collect(),
            ..Paces::default()
        };
        let mut sum = of(5.0, &[(1, 5.0)]);
        sum.add(&of(4.0, &[(1, 1.5), (2, 2.5)]));
        assert_eq!(sum, of(9.0, &[(1, 6.5), (2, 2.5)]));
    }

    #[test]
    fn waiting_adds_up_and_keeps_the_oldest() {
        let of = |count, oldest, next| Waiting {
            what: Wait::Due,
            reason: None,
            count,
            at_least: false,
            oldest_at: oldest,
            next_at: next,
        };
        let at = |seconds| Some(Timestamp::from_seconds(seconds));
        let mut sum = of(2, at(5), None);
        sum.add(&of(3, at(4), at(9)));
        assert_eq!(sum, of(5, at(4), at(9)));
    }
}
