//! Messages per second, by account, sender and campaign; of an SMS sender it is segments.
//!
//! A grant takes from all its limits at once and is as large as the narrowest of them allows; what its messages took beyond
//! that is charged afterwards. Time is passed in; what
//! processes share goes by the clock of the Redis they share it on. Both pass the same tests.

mod connection;
#[cfg(test)]
mod failover;
mod local;
mod recipients;
mod shared;

use std::{collections::BTreeMap, time::Duration};

use domain::{
    ids::{ContactId, RunId, SenderId},
    process::Slowed,
    time::Timestamp,
};
use local::Local;
use recipients::Recipients;
use uuid::Uuid;

use crate::{Error, Result, config::Config};

pub use recipients::{Admission, Asking, Budget, Counts, DAY};
pub use shared::{Shared, Unusable, check_url};

/// How far grants may run ahead of the clock.
const BURST: Duration = Duration::from_millis(100);

/// Each complaint of the provider leaves this share of the rate …
const SLOWER: f64 = 0.7;
/// … but never less than this, …
const SLOWEST: f64 = 0.05;
/// … counts once in this time, because many requests are under way when it comes, …
const COMPLAINT: Duration = Duration::from_secs(1);
/// … and the whole rate would come back in this time: a twentieth of it in ten seconds.
const RECOVERY: Duration = Duration::from_secs(200);

/// What has a rate of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    Account,
    Sender(SenderId),
    Run(RunId),
}

/// At most this many messages per second; of an SMS sender segments, which [`Throttle::charge`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub key: Key,
    /// At least 1.
    pub per_second: u32,
}

/// What was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    pub granted: u32,
    /// How long to wait before asking again, when less was granted than wanted.
    pub retry_after: Duration,
    /// What is to be waited for: everybody who has this limit waits as long. None where nobody knows, because nobody answered.
    pub narrowest: Option<Key>,
}

/// The meter.
pub enum Throttle {
    /// For one process.
    Local(Box<Alone>),
    /// For all that share a Redis.
    Shared(Box<Shared>),
}

/// What one process keeps for itself.
#[derive(Default)]
pub struct Alone {
    meters: Local,
    recipients: Recipients,
}

impl Default for Throttle {
    fn default() -> Self {
        Self::Local(Box::default())
    }
}

impl Throttle {
    /// The one that the configuration asks for.
    ///
    /// # Errors
    /// When the URL of Redis cannot be meant.
    pub(crate) fn of(config: &Config) -> Result<Self> {
        let Some(url) = &config.redis_url else { return Ok(Self::default()) };
        let shared = Shared::new(url.reveal(), &config.provider.account_sid).map_err(Error::internal)?;
        Ok(Self::Shared(Box::new(shared)))
    }

    /// Takes up to `want` messages out of all these limits.
    pub async fn grant(&self, now: Timestamp, limits: &[Limit], want: u32) -> Grant {
        match self {
            Self::Local(alone) => alone.meters.grant(now, limits, 1.0, want),
            Self::Shared(shared) => shared.grant(now, limits, want).await,
        }
    }

    /// Gives back what was granted just now and not used.
    pub async fn give_back(&self, now: Timestamp, limits: &[Limit], unused: u32) {
        match self {
            Self::Local(alone) => alone.meters.give_back(now, limits, 1.0, unused),
            Self::Shared(shared) => shared.give_back(now, limits, unused).await,
        }
    }

    /// What was granted took so many turns more of this limit, as a text of several segments does of an SMS sender's: what
    /// is granted next waits for them, too.
    pub fn charge(&self, now: Timestamp, limit: Limit, more: u32) {
        match self {
            Self::Local(alone) => alone.meters.charge(now, limit, 1.0, more),
            Self::Shared(shared) => shared.charge(now, limit, more),
        }
    }

    /// The provider asked to slow down: the key's rate goes down at once and comes back slowly. `wait` stops it
    /// altogether for a while.
    pub async fn slow_down(&self, now: Timestamp, key: Key, wait: Option<Duration>) {
        match self {
            Self::Local(alone) => alone.meters.slow_down(now, key, wait),
            Self::Shared(shared) => shared.slow_down(now, key, wait).await,
        }
    }

    /// Tells the others of what this process was asked, should it have been lost since.
    pub(crate) async fn remind(&self, now: Timestamp) {
        if let Self::Shared(shared) = self {
            shared.remind(now).await;
        }
    }

    /// The senders that this process was asked to slow down and that have not recovered.
    pub fn slowed(&self, now: Timestamp) -> BTreeMap<SenderId, Slowed> {
        match self {
            Self::Local(alone) => alone.meters.slowed(now),
            Self::Shared(shared) => shared.slowed(now),
        }
    }

    /// Which of these messages of a WhatsApp sender may go out now; what may not is to be asked for again later. `None`
    /// when it is not known whom the business wrote to within the last [`DAY`]: tell it by [`Throttle::remember`].
    pub async fn admit(
        &self,
        now: Timestamp,
        sender: SenderId,
        budget: Option<Budget>,
        asking: &[Asking],
    ) -> Option<Vec<Admission>> {
        match self {
            Self::Local(alone) => alone.recipients.admit(now, sender, budget, asking),
            Self::Shared(shared) => shared.admit(now, sender, budget, asking).await,
        }
    }

    /// Messages that were admitted as their persons' first, and when, were not sent: the persons do not count for them.
    pub async fn give_people_back(&self, now: Timestamp, people: &[(ContactId, Timestamp)]) {
        match self {
            Self::Local(alone) => alone.recipients.give_back(people),
            Self::Shared(shared) => shared.give_people_back(now, people).await,
        }
    }

    /// What the database knows of the last [`DAY`].
    pub async fn remember(&self, people: &[(ContactId, Timestamp)]) {
        match self {
            Self::Local(alone) => alone.recipients.remember(people),
            Self::Shared(shared) => shared.remember(people).await,
        }
    }

    /// What is known of the last day may be too little: the database is asked again.
    pub async fn forget_day(&self) {
        match self {
            Self::Local(alone) => alone.recipients.forget_day(),
            Self::Shared(shared) => shared.forget_day().await,
        }
    }

    /// Whether Redis answers this process, as far as it asked lately; false where nothing is shared.
    pub(crate) fn is_answered(&self) -> bool {
        match self {
            Self::Local(_) => false,
            Self::Shared(shared) => shared.is_answered(),
        }
    }

    /// Notes whether Redis answers another process. While it does not answer this one, this one then sends nothing: the
    /// other one sends at the whole of the rates.
    pub(crate) fn hear_of_others(&self, answered: bool) {
        if let Self::Shared(shared) = self {
            shared.hear_of_others(answered);
        }
    }

    /// The highest count of an installation's witness that any process told; none where nothing is shared, and when
    /// nobody knows.
    pub(crate) async fn witness(&self, installation: Uuid) -> Option<i64> {
        match self {
            Self::Local(_) => None,
            Self::Shared(shared) => shared.witness(installation).await,
        }
    }

    /// Tells the others of the witness's count.
    pub(crate) async fn tell_witness(&self, installation: Uuid, count: i64) {
        if let Self::Shared(shared) = self {
            shared.tell_witness(installation, count).await;
        }
    }

    /// Whether what this throttle needs is there.
    ///
    /// # Errors
    /// In words, when Redis does not answer: then sending is slower.
    pub async fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Local(_) => Ok(()),
            Self::Shared(shared) => shared.check().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every implementation passes these. The shared one needs `TEST_REDIS_URL`.
    async fn throttles() -> Vec<Throttle> {
        let shared = Shared::for_tests(true).await.map(|shared| Throttle::Shared(Box::new(shared)));
        [Some(Throttle::default()), shared].into_iter().flatten().collect()
    }

    const START: Timestamp = Timestamp::from_seconds(1_795_392_000);

    fn sender(per_second: u32) -> Limit {
        Limit { key: Key::Sender(SenderId(Uuid::from_u128(1))), per_second }
    }

    fn run(per_second: u32) -> Limit {
        Limit { key: Key::Run(RunId(Uuid::from_u128(2))), per_second }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
    }

    /// Asks every `step` for a second and a half; returns when how many were granted.
    async fn ask(throttle: &Throttle, limits: &[Limit], step: i64, want: u32) -> Vec<(i64, u32)> {
        let mut grants = Vec::new();
        for at in (0..1_500_000).step_by(usize::try_from(step).expect("positive")) {
            let grant = throttle.grant(START.plus(at), limits, want).await;
            assert!(grant.granted <= want);
            grants.push((at, grant.granted));
        }
        grants
    }

    async fn ask_each(limits: &[Limit], step: i64, want: u32) -> Vec<Vec<(i64, u32)>> {
        let mut all = Vec::new();
        for throttle in throttles().await {
            all.push(ask(&throttle, limits, step, want).await);
        }
        all
    }

    /// The most that any window of this length got.
    fn most_in(grants: &[(i64, u32)], window: i64) -> u32 {
        grants
            .iter()
            .map(|(from, _)| grants.iter().filter(|(at, _)| *at >= *from && at - from < window).map(|(_, n)| n).sum())
            .max()
            .unwrap_or(0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn no_window_gets_more_than_its_rate_and_one_burst(
            rate in 1_u32..3_000,
            step in 1_000_i64..90_000,
            want in 1_u32..500,
            window in 10_000_i64..1_000_000,
        ) {
            for grants in block_on(ask_each(&[sender(rate)], step, want)) {
                let burst = f64::from(rate) * 0.1;
                let allowed = f64::from(rate) * window as f64 / 1e6 + burst.max(1.0);
                prop_assert!(f64::from(most_in(&grants, window)) <= allowed.ceil(), "{grants:?}");
            }
        }

        #[test]
        fn the_narrowest_limit_counts(rates in (1_u32..500, 1_u32..500)) {
            for grants in block_on(ask_each(&[sender(rates.0), run(rates.1)], 20_000, 1_000)) {
                let narrow = f64::from(rates.0.min(rates.1));
                let total: u32 = grants.iter().map(|(_, n)| n).sum();
                prop_assert!(f64::from(total) <= (narrow * 1.6).ceil() + 1.0);
                prop_assert!(f64::from(total) >= (narrow * 1.4).floor());
            }
        }
    }

    #[tokio::test]
    async fn waiting_as_told_reaches_the_rate() {
        for throttle in throttles().await {
            let (mut at, mut total) = (START, 0);
            while at < START.plus(10 * Timestamp::SECOND) {
                let grant = throttle.grant(at, &[sender(80)], 1_000).await;
                total += grant.granted;
                at = at.plus(i64::try_from(grant.retry_after.as_micros()).expect("short").max(1));
            }
            assert!((800..=810).contains(&total), "{total}");
        }
    }

    #[tokio::test]
    async fn what_is_given_back_can_be_granted_again() {
        for throttle in throttles().await {
            let limits = [sender(100)];
            let first = throttle.grant(START, &limits, 10).await.granted;
            assert_eq!(first, 10);
            assert_eq!(throttle.grant(START, &limits, 10).await.granted, 0);
            throttle.give_back(START, &limits, 7).await;
            assert_eq!(throttle.grant(START, &limits, 10).await.granted, 7);
        }
    }

    /// Asks as told for twelve seconds, for texts of so many segments by an SMS sender, whose limit is the first; returns
    /// when how many texts went out.
    async fn send_texts(throttle: &Throttle, limits: &[Limit], segments: u32) -> Vec<(i64, u32)> {
        let (mut at, mut sent) = (0, Vec::new());
        while at < 12 * Timestamp::SECOND {
            let grant = throttle.grant(START.plus(at), limits, 1_000).await;
            throttle.charge(START.plus(at), limits[0], grant.granted * (segments - 1));
            if grant.granted > 0 {
                sent.push((at, grant.granted));
            }
            at += i64::try_from(grant.retry_after.as_micros()).expect("short").max(1);
        }
        sent
    }

    /// In every ten seconds, after the burst that a rested limit grants at once, exactly the rate within 2 %.
    #[tokio::test]
    async fn a_rate_of_segments_holds_for_texts_of_several() {
        for (rate, segments) in [(80, 1), (80, 2), (400, 2), (1_000, 3)] {
            for throttle in throttles().await {
                let sent = send_texts(&throttle, &[sender(rate)], segments).await;
                let starts = sent.iter().map(|(at, _)| *at);
                for from in starts.filter(|at| (Timestamp::SECOND..2 * Timestamp::SECOND).contains(at)) {
                    let within = sent.iter().filter(|(at, _)| *at >= from && at - from < 10 * Timestamp::SECOND);
                    let took = within.map(|(_, texts)| texts * segments).sum::<u32>();
                    let allowed = rate * 98 / 10..=rate * 102 / 10;
                    assert!(allowed.contains(&took), "{took} segments of {rate} a second after {from}: {sent:?}");
                }
                // No stop and go: no second is without, and none has more than its part and what a burst of texts takes.
                for second in 1..11 {
                    let in_second = sent.iter().filter(|(at, _)| at / Timestamp::SECOND == second);
                    let took = in_second.map(|(_, texts)| texts * segments).sum::<u32>();
                    let burst = rate / 10 * segments;
                    assert!((rate - burst..=rate + burst).contains(&took), "{took} in second {second}: {sent:?}");
                }
            }
        }
    }

    /// A text of three segments at one a second: three seconds for each.
    #[tokio::test]
    async fn a_small_rate_waits_for_each_of_a_texts_segments() {
        for throttle in throttles().await {
            let sent = send_texts(&throttle, &[sender(1)], 3).await;
            let seconds: Vec<_> = sent.iter().map(|(at, texts)| (at / Timestamp::SECOND, *texts)).collect();
            assert_eq!(seconds, [(0, 1), (3, 1), (6, 1), (9, 1)]);
        }
    }

    #[tokio::test]
    async fn a_campaigns_own_rate_is_of_messages() {
        for throttle in throttles().await {
            let sent = send_texts(&throttle, &[sender(100), run(20)], 3).await;
            let texts = sent.iter().map(|(_, texts)| texts).sum::<u32>();
            assert!((240..=243).contains(&texts), "{texts} in twelve seconds");
        }
    }

    #[tokio::test]
    async fn what_is_owed_is_paid_by_the_time_that_passes() {
        for throttle in throttles().await {
            let limits = [sender(100)];
            assert_eq!(throttle.grant(START, &limits, 10).await.granted, 10);
            throttle.charge(START, limits[0], 50);
            let grant = throttle.grant(START.plus(150_000), &limits, 10).await;
            assert_eq!((grant.granted, grant.retry_after), (0, Duration::from_millis(400)));
            assert_eq!(throttle.grant(START.plus(550_000), &limits, 10).await.granted, 5);
            // Also when nobody asked meanwhile.
            throttle.charge(START.plus(550_000), limits[0], 10);
            assert_eq!(throttle.grant(START.plus(2 * Timestamp::SECOND), &limits, 20).await.granted, 10);
        }
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_changes_nothing_of_what_is_owed() {
        for throttle in throttles().await {
            let limits = [sender(100)];
            assert_eq!(throttle.grant(START, &limits, 10).await.granted, 10);
            throttle.charge(START, limits[0], 200);
            assert_eq!(throttle.grant(START, &limits, 10).await.granted, 0);
            let before = START.plus(-2 * Timestamp::DAY);
            assert_eq!(throttle.grant(before, &limits, 10).await.granted, 0);
            assert_eq!(throttle.grant(before.plus(Timestamp::SECOND), &limits, 10).await.granted, 0);
            assert_eq!(throttle.grant(before.plus(3 * Timestamp::SECOND), &limits, 10).await.granted, 10);
        }
    }

    #[tokio::test]
    async fn a_slowed_key_recovers_slowly() {
        for throttle in throttles().await {
            let limits = [sender(1_000)];
            assert!(throttle.slowed(START).is_empty());
            throttle.slow_down(START, limits[0].key, None).await;
            let told: Vec<Slowed> = throttle.slowed(START).into_values().collect();
            assert_eq!(told, [Slowed { share: SLOWER, rests_until: None }]);
            let slowed: u32 = ask(&throttle, &limits, 10_000, 1_000).await.iter().map(|(_, n)| n).sum();
            assert!((1_000..=1_200).contains(&slowed), "0.7 of the rate for 1.5 seconds, and a burst: {slowed}");
            let later = START.plus(10 * Timestamp::MINUTE);
            assert!(throttle.slowed(later).is_empty());
            let grant = throttle.grant(later, &limits, 1_000).await;
            assert_eq!(grant.granted, 100, "the full burst again");
        }
    }

    /// Of the machine, or of the server with the shared meters.
    #[tokio::test]
    async fn a_clock_that_is_set_back_stops_nobody() {
        for throttle in throttles().await {
            let limits = [sender(100), run(50)];
            assert_eq!(throttle.grant(START, &limits, 1_000).await.granted, 5);
            let before = START.plus(-2 * Timestamp::DAY);
            assert_eq!(throttle.grant(before, &limits, 1_000).await.granted, 0, "nor gives it anything away");
            assert_eq!(throttle.grant(before.plus(Timestamp::SECOND), &limits, 1_000).await.granted, 5);
            let person = [asking(1, Counts::Reply); 10];
            assert_eq!(admitted(&throttle, START, None, &person).await, [Admission::Go; 10]);
            admitted(&throttle, before.plus(Timestamp::MINUTE), None, &person).await;
            let again = admitted(&throttle, before.plus(2 * Timestamp::MINUTE), None, &person).await;
            assert_eq!(again, [Admission::Go; 10]);
        }
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_makes_no_rest_longer_and_no_complaint_last() {
        for throttle in throttles().await {
            let limits = [sender(1_000)];
            let before = START.plus(-2 * Timestamp::DAY);
            throttle.slow_down(START, limits[0].key, Some(Duration::from_secs(5))).await;
            let grant = throttle.grant(before, &limits, 10).await;
            assert_eq!((grant.granted, grant.retry_after), (0, Duration::from_secs(5)));
            assert_eq!(throttle.grant(before.plus(4 * Timestamp::SECOND), &limits, 10).await.granted, 0);
            assert_eq!(throttle.grant(before.plus(6 * Timestamp::SECOND), &limits, 10).await.granted, 10);
            let grant = throttle.grant(before.plus(10 * Timestamp::MINUTE), &limits, 1_000).await;
            assert_eq!(grant.granted, 100, "the full burst again");
        }
    }

    fn asking(contact: i64, counts: Counts) -> Asking {
        Asking { contact: ContactId(contact), counts }
    }

    const SENDER: SenderId = SenderId(Uuid::from_u128(1));

    async fn admitted(throttle: &Throttle, at: Timestamp, budget: Option<Budget>, asked: &[Asking]) -> Vec<Admission> {
        throttle.admit(at, SENDER, budget, asked).await.expect("it knows the day")
    }

    #[tokio::test]
    async fn a_person_gets_a_few_at_once_and_then_one_in_six_seconds() {
        for throttle in throttles().await {
            let burst = admitted(&throttle, START, None, &[asking(1, Counts::Reply); 12]).await;
            assert_eq!(burst.iter().filter(|verdict| **verdict == Admission::Go).count(), 10);
            let Admission::PairFull { retry_after } = burst[11] else { panic!("{burst:?}") };
            assert_eq!(retry_after, Duration::from_secs(6));
            assert_eq!(admitted(&throttle, START, None, &[asking(2, Counts::Reply)]).await, [Admission::Go]);
            let later = START.plus(6 * Timestamp::SECOND);
            let two = admitted(&throttle, later, None, &[asking(1, Counts::Not); 2]).await;
            assert!(matches!(two[..], [Admission::Go, Admission::PairFull { .. }]), "{two:?}");
            let minutes = later.plus(2 * Timestamp::MINUTE);
            let again = admitted(&throttle, minutes, None, &[asking(1, Counts::Not); 10]).await;
            assert!(again.iter().all(|verdict| *verdict == Admission::Go), "{again:?}");
        }
    }

    #[tokio::test]
    async fn a_day_has_room_for_so_many_people_and_a_share_for_replies() {
        for throttle in throttles().await {
            let budget = Some(Budget::keeping(10, 20));
            assert!(throttle.admit(START, SENDER, budget, &[]).await.is_none(), "it has not been told yet");
            throttle.remember(&[(ContactId(1), START.plus(-DAY / 2)), (ContactId(2), START.plus(-2 * DAY))]).await;
            let campaign: Vec<_> = (10..20).map(|contact| asking(contact, Counts::Campaign)).collect();
            let full = admitted(&throttle, START, budget, &campaign).await;
            assert_eq!(full[..7], [Admission::First { at: START }; 7], "8 with the one of before");
            let Admission::DayFull { retry_after } = full[9] else { panic!("{full:?}") };
            assert_eq!(retry_after, Duration::from_secs(12 * 3_600), "until the first of them leaves");
            let now = START.plus(Timestamp::SECOND);
            // Whoever counts already may get more, and so may whoever wrote to us.
            let more = [asking(10, Counts::Campaign), asking(50, Counts::Not)];
            assert_eq!(admitted(&throttle, now, budget, &more).await, [Admission::Go; 2]);
            let replies: Vec<_> = (30..33).map(|contact| asking(contact, Counts::Reply)).collect();
            let replies = admitted(&throttle, now, budget, &replies).await;
            let first = Admission::First { at: now };
            assert_eq!(replies[..2], [first; 2]);
            assert!(matches!(replies[2..], [Admission::DayFull { .. }]), "{replies:?}");
            // No limit any more.
            assert_eq!(admitted(&throttle, now, None, &[asking(60, Counts::Campaign)]).await, [Admission::Go]);
            // A day later only those who were written to again count.
            let next_day = START.plus(DAY + 1);
            let campaign: Vec<_> = (70..80).map(|contact| asking(contact, Counts::Campaign)).collect();
            let verdicts = admitted(&throttle, next_day, budget, &campaign).await;
            assert_eq!(verdicts[..5], [Admission::First { at: next_day }; 5], "8 without three");
            assert!(matches!(verdicts[5..7], [Admission::DayFull { .. }, Admission::DayFull { .. }]), "{verdicts:?}");
        }
    }

    #[tokio::test]
    async fn whoever_was_sent_nothing_is_given_back_unless_something_was_admitted_since() {
        for throttle in throttles().await {
            let budget = Some(Budget::keeping(3, 0));
            throttle.remember(&[(ContactId(1), START.plus(-DAY / 2))]).await;
            let campaign = |contact| asking(contact, Counts::Campaign);
            let first = Admission::First { at: START };
            // The second one has another message under way, and the first one counted before.
            let asked = [campaign(1), campaign(2), campaign(3), campaign(2), campaign(4)];
            let verdicts = admitted(&throttle, START, budget, &asked).await;
            assert_eq!(verdicts[..4], [Admission::Go, first, first, Admission::Go]);
            assert!(matches!(verdicts[4], Admission::DayFull { .. }), "{verdicts:?}");
            let unsent = [(ContactId(2), START), (ContactId(3), START), (ContactId(5), START)];
            throttle.give_people_back(START, &unsent).await;
            let now = START.plus(Timestamp::SECOND);
            let verdicts = admitted(&throttle, now, budget, &[campaign(4), campaign(3), campaign(2)]).await;
            assert_eq!((verdicts[0], verdicts[2]), (Admission::First { at: now }, Admission::Go), "only one left");
            assert!(matches!(verdicts[1], Admission::DayFull { .. }), "{verdicts:?}");
            // What was given back once is not what counts now.
            throttle.give_people_back(now, &[(ContactId(4), START)]).await;
            let verdicts = admitted(&throttle, now, budget, &[campaign(3)]).await;
            assert!(matches!(verdicts[..], [Admission::DayFull { .. }]), "{verdicts:?}");
        }
    }

    #[tokio::test]
    async fn a_stopped_key_waits() {
        for throttle in throttles().await {
            let limits = [sender(1_000)];
            throttle.slow_down(START, limits[0].key, Some(Duration::from_secs(5))).await;
            let grant = throttle.grant(START.plus(Timestamp::SECOND), &limits, 10).await;
            assert_eq!(grant.granted, 0);
            assert!(grant.retry_after > Duration::from_millis(3_900), "{:?}", grant.retry_after);
            assert!(throttle.grant(START.plus(6 * Timestamp::SECOND), &limits, 10).await.granted > 0);
            // A shorter rest than the one it is in changes nothing.
            throttle.slow_down(START.plus(10 * Timestamp::SECOND), limits[0].key, Some(Duration::from_secs(60))).await;
            throttle.slow_down(START.plus(12 * Timestamp::SECOND), limits[0].key, Some(Duration::from_secs(1))).await;
            assert_eq!(throttle.grant(START.plus(60 * Timestamp::SECOND), &limits, 10).await.granted, 0);
            assert!(throttle.grant(START.plus(71 * Timestamp::SECOND), &limits, 10).await.granted > 0);
        }
    }
}
