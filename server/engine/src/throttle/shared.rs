//! For all processes that share a Redis: the same meters, kept by scripts on that server.
//!
//! One call takes a batch out of all limits at once, on the server's own clock, so the processes' clocks do not matter.
//! While Redis does not answer, each process sends at its share of four fifths of each rate by a meter of its own: slower
//! than allowed, never faster, and nobody is lost, because what is not granted stays queued.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{
    ids::{ContactId, SenderId},
    process::Slowed,
    time::Timestamp,
};
use redis::{Client, FromRedisValue, Script, ScriptInvocation};
use uuid::Uuid;

use super::{
    Admission, Asking, BURST, Budget, COMPLAINT, Counts, DAY, Grant, Key, Limit, RECOVERY, SLOWER, SLOWEST,
    connection::{ANSWER, Connection},
    local::Local,
    recipients::{PAIR, PAIR_AHEAD, Recipients},
};

/// For one answer that nobody waits for in a hurry, with the time to connect.
const LEISURE: Duration = Duration::from_secs(2);
/// After a call that Redis did not answer.
const AGAIN: Duration = Duration::from_millis(100);
/// Two calls without an answer within this time: Redis is away.
const DOUBT: i64 = Timestamp::SECOND;
/// How often Redis is tried while it is away.
const TRY: i64 = Timestamp::SECOND / 2;
/// Redis is back when it has answered for so long.
const TRUST: i64 = 5 * Timestamp::SECOND;
/// Redis answered lately: within this time. Whoever sends asks more often.
const LATELY: Duration = Duration::from_secs(5);
/// A process that has not asked for so long does not count.
const ALIVE: Duration = Duration::from_secs(30);
/// How many processes there are when Redis has never said.
const UNKNOWN_PROCESSES: u32 = 8;
/// When to ask again for what only Redis can tell.
const NOT_KNOWN: Duration = Duration::from_secs(5);
/// What all processes together send without Redis, of each rate.
const SAFE: f64 = 0.8;

/// `REDIS_URL` cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("redis://[user:password@]host[:port][/database], or rediss:// for TLS")]
pub struct Unusable;

/// # Errors
/// When the URL cannot be meant.
pub fn check_url(url: &str) -> Result<(), Unusable> {
    client(url).map(|_| ())
}

fn client(url: &str) -> Result<Client, Unusable> {
    Client::open(url).map_err(|_| Unusable)
}

/// The meters of all processes.
pub struct Shared {
    redis: Connection,
    scripts: Scripts,
    /// Before all names: what belongs to one account is on one server of a cluster.
    prefix: String,
    /// This process, among those that ask.
    process: Uuid,
    processes: AtomicU32,
    health: Mutex<Health>,
    /// When Redis granted something last, or refused to.
    answered: Mutex<Option<Instant>>,
    /// Whether Redis answers another process: then that one sends at the whole of the rates.
    answers_others: AtomicBool,
    /// Which start of the server has heard of the complaints that this process knows; empty: none.
    told: Mutex<String>,
    /// What messages took beyond what was granted. Redis hears of it with the next question: that costs no call of its own.
    owed: Mutex<BTreeMap<Key, u32>>,
    /// While Redis is away. It hears of the provider's complaints all the time.
    own: Local,
    own_recipients: Recipients,
    /// Tests pass the time in; else the server's counts.
    given_time: bool,
}

struct Scripts {
    grant: Script,
    give_back: Script,
    slow_down: Script,
    recall: Script,
    admit: Script,
    give_people_back: Script,
}

/// Whether Redis answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Here,
    /// One call was not answered.
    Doubtful {
        since: Timestamp,
    },
    Away {
        since: Timestamp,
        tried: Timestamp,
        /// Since when it has answered again.
        answers: Option<Timestamp>,
    },
}

impl Health {
    /// A clock that was set back takes what happened along: else it would be waited for until it has caught up.
    fn follow_clock(&mut self, now: Timestamp) {
        match self {
            Self::Here => {}
            Self::Doubtful { since } => *since = (*since).min(now),
            Self::Away { since, tried, answers } => {
                *since = (*since).min(now);
                *tried = (*tried).min(now);
                *answers = answers.map(|answers| answers.min(now));
            }
        }
    }
}

impl Shared {
    /// Meters of this account on the server at `url`. Nothing is connected yet: a Redis that is away at the start is
    /// waited for like one that goes away later.
    ///
    /// # Errors
    /// When the URL cannot be meant.
    pub fn new(url: &str, account: &str) -> Result<Self, Unusable> {
        // rustls does not choose among several; where somebody has chosen already, that holds.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Ok(Self {
            redis: Connection::new(client(url)?).map_err(|_| Unusable)?,
            scripts: Scripts {
                grant: Script::new(include_str!("grant.lua")),
                give_back: Script::new(include_str!("give_back.lua")),
                slow_down: Script::new(include_str!("slow_down.lua")),
                recall: Script::new(include_str!("recall.lua")),
                admit: Script::new(include_str!("admit.lua")),
                give_people_back: Script::new(include_str!("give_people_back.lua")),
            },
            prefix: format!("ese:{{{account}}}:"),
            process: Uuid::new_v4(),
            processes: AtomicU32::new(UNKNOWN_PROCESSES),
            health: Mutex::new(Health::Here),
            answered: Mutex::default(),
            answers_others: AtomicBool::new(false),
            told: Mutex::default(),
            owed: Mutex::default(),
            own: Local::default(),
            own_recipients: Recipients::default(),
            given_time: false,
        })
    }

    pub(super) async fn grant(&self, now: Timestamp, limits: &[Limit], want: u32) -> Grant {
        match self.health(now) {
            Health::Here | Health::Doubtful { .. } => self.grant_shared(now, limits, want).await,
            Health::Away { .. } => self.grant_alone(now, limits, want).await,
        }
    }

    /// What Redis grants, and nothing while the provider wants a rest, as far as this process knows: Redis may have been
    /// started anew.
    async fn grant_shared(&self, now: Timestamp, limits: &[Limit], want: u32) -> Grant {
        let rest = self.own.rest(now, limits);
        let want = if rest.is_some() { 0 } else { want };
        let Some(grant) = self.ask(now, limits, want).await else {
            self.unanswered(now);
            return Grant { granted: 0, retry_after: AGAIN, narrowest: None };
        };
        self.set(Health::Here);
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        match rest {
            Some((rest, key)) if rest > grant.retry_after => {
                Grant { granted: 0, retry_after: rest, narrowest: Some(key) }
            }
            _ => grant,
        }
    }

    /// `None`: no answer.
    async fn ask(&self, now: Timestamp, limits: &[Limit], want: u32) -> Option<Grant> {
        let mut call = self.scripts.grant.prepare_invoke();
        call.key(self.name("warm")).key(self.name("processes"));
        self.keys(&mut call, limits);
        call.arg(self.time(now)).arg(want).arg(micros(BURST)).arg(micros(RECOVERY)).arg(micros(ALIVE));
        call.arg(self.process.to_string());
        rates(&mut call, limits);
        let owed = self.take_owed(limits);
        for owed in &owed {
            call.arg(*owed);
        }
        let answer = self.call::<(u32, u64, u32, usize, String)>(&call).await;
        if answer.is_none() {
            // Redis may have heard of it all the same: what is paid twice is only slower.
            for (limit, owed) in limits.iter().zip(owed) {
                self.owe(limit.key, owed);
            }
        }
        let (granted, wait, processes, narrowest, start) = answer?;
        self.processes.store(processes.max(1), Ordering::Relaxed);
        if !self.has_told(&start) && self.recall(now).await {
            self.tell(start);
        }
        let narrowest = narrowest.checked_sub(1).and_then(|index| limits.get(index)).map(|limit| limit.key);
        Some(Grant { granted, retry_after: Duration::from_micros(wait), narrowest })
    }

    /// A share of the rate by this process's own meter, and now and then a look whether Redis is back. Nothing while it
    /// answers another process.
    async fn grant_alone(&self, now: Timestamp, limits: &[Limit], want: u32) -> Grant {
        if self.may_try(now) {
            // Nothing is wanted: it only says that this process is there.
            let answered = self.ask(now, &[], 0).await.is_some();
            if self.tried(now, answered) == Health::Here {
                // It has not heard what the provider complained of meanwhile.
                self.recall(now).await;
                return Grant { granted: 0, retry_after: Duration::ZERO, narrowest: None };
            }
        }
        let Health::Away { since, .. } = self.health(now) else {
            return Grant { granted: 0, retry_after: AGAIN, narrowest: None };
        };
        // What Redis granted last may not have gone out yet.
        let quiet = since.plus(2 * i64::try_from(micros(BURST)).unwrap_or(i64::MAX / 4));
        if now < quiet {
            let wait = u64::try_from(quiet.since(now)).unwrap_or(0);
            return Grant { granted: 0, retry_after: Duration::from_micros(wait), narrowest: None };
        }
        if self.answers_others.load(Ordering::Relaxed) {
            return Grant { granted: 0, retry_after: AGAIN, narrowest: None };
        }
        self.own.grant(now, limits, self.part(), want)
    }

    /// Whether Redis answers this process, as far as it asked lately.
    pub(super) fn is_answered(&self) -> bool {
        let here = *self.health.lock().unwrap_or_else(PoisonError::into_inner) == Health::Here;
        let answered = *self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        here && answered.is_some_and(|at| at.elapsed() < LATELY)
    }

    pub(super) fn hear_of_others(&self, answered: bool) {
        self.answers_others.store(answered, Ordering::Relaxed);
    }

    /// This process's part of each limit while Redis is away: of a small rate less than one message a second.
    fn part(&self) -> f64 {
        SAFE / f64::from(self.processes.load(Ordering::Relaxed).max(1))
    }

    pub(super) async fn give_back(&self, now: Timestamp, limits: &[Limit], unused: u32) {
        if let Health::Away { .. } = self.health(now) {
            self.own.give_back(now, limits, self.part(), unused);
            return;
        }
        let mut call = self.scripts.give_back.prepare_invoke();
        self.keys(&mut call, limits);
        call.arg(self.time(now)).arg(unused).arg(micros(RECOVERY));
        rates(&mut call, limits);
        // What is not given back is only slower.
        let _: Option<i64> = self.call(&call).await;
    }

    pub(super) fn charge(&self, now: Timestamp, limit: Limit, more: u32) {
        if let Health::Away { .. } = self.health(now) {
            self.own.charge(now, limit, self.part(), more);
        } else {
            self.owe(limit.key, more);
        }
    }

    fn owe(&self, key: Key, more: u32) {
        if more > 0 {
            *self.owed.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default() += more;
        }
    }

    /// What is owed of each of these limits, which whoever asks tells Redis.
    fn take_owed(&self, limits: &[Limit]) -> Vec<u32> {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        limits.iter().map(|limit| owed.remove(&limit.key).unwrap_or(0)).collect()
    }

    pub(super) async fn slow_down(&self, now: Timestamp, key: Key, wait: Option<Duration>) {
        // Should Redis go away now, this still holds.
        self.own.slow_down(now, key, wait);
        let mut call = self.scripts.slow_down.prepare_invoke();
        call.key(self.key(key));
        call.arg(self.time(now)).arg(SLOWER).arg(SLOWEST).arg(micros(COMPLAINT)).arg(micros(RECOVERY));
        call.arg(micros(wait.unwrap_or_default()));
        if self.call::<i64>(&call).await.is_none() {
            self.tell(String::new());
        }
    }

    /// Tells Redis of the complaints that this process knows, where it was started anew since, or did not answer then.
    /// Whoever is granted something does so with that; callbacks come to processes that are not, too.
    pub(super) async fn remind(&self, now: Timestamp) {
        if self.own.complaints(now).is_empty() {
            return;
        }
        // It changes nothing and counts as a write: a replica answers what is only read.
        let ask = redis::cmd("GETEX").arg(self.name("warm")).arg("PERSIST").to_owned();
        let Some(start) = self.at_leisure::<Option<String>>(&ask).await else { return };
        // None while nobody has asked for a grant since the start: it hears of them again when somebody has.
        let start = start.unwrap_or_default();
        if (start.is_empty() || !self.has_told(&start)) && self.recall(now).await {
            self.tell(start);
        }
    }

    /// Tells Redis of the complaints that this process knows. True when it has heard of all of them.
    async fn recall(&self, now: Timestamp) -> bool {
        for (key, Slowed { share, rests_until }) in self.own.complaints(now) {
            let rest = rests_until.map_or(0, |until| until.since(now).max(0));
            let mut call = self.scripts.recall.prepare_invoke();
            call.key(self.key(key));
            call.arg(self.time(now)).arg(share).arg(micros(RECOVERY)).arg(rest);
            if self.call::<i64>(&call).await.is_none() {
                self.tell(String::new());
                return false;
            }
        }
        true
    }

    fn has_told(&self, start: &str) -> bool {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) == start
    }

    fn tell(&self, start: String) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = start;
    }

    /// By this process's own meters, which hear of the same complaints: no question to Redis.
    pub(super) fn slowed(&self, now: Timestamp) -> BTreeMap<SenderId, Slowed> {
        self.own.slowed(now)
    }

    pub(super) async fn admit(
        &self,
        now: Timestamp,
        sender: SenderId,
        budget: Option<Budget>,
        asking: &[Asking],
    ) -> Option<Vec<Admission>> {
        if let Health::Away { .. } = self.health(now) {
            return self.admit_alone(now, sender, budget, asking);
        }
        let mut call = self.scripts.admit.prepare_invoke();
        call.key(self.name("day")).key(self.name("day:known"));
        for asking in asking {
            call.key(self.name(&format!("pair:{sender}:{}", asking.contact)));
        }
        let Budget { people, for_campaigns } = budget.unwrap_or(Budget { people: 0, for_campaigns: 0 });
        call.arg(self.time(now)).arg(DAY).arg(people).arg(for_campaigns).arg(PAIR).arg(PAIR_AHEAD);
        for asking in asking {
            let counts = match asking.counts {
                Counts::Not => 0,
                Counts::Reply => 1,
                Counts::Campaign => 2,
            };
            call.arg(asking.contact.0).arg(counts);
        }
        match self.call::<Vec<i64>>(&call).await {
            Some(answer) if answer == [-1] => None,
            Some(answer) => {
                let read = |pair: &[i64]| Admission::read(pair[0], pair[1]);
                Some(answer.chunks_exact(2).map(read).collect())
            }
            None => {
                self.unanswered(now);
                self.admit_alone(now, sender, budget, asking)
            }
        }
    }

    /// While Redis is away nobody knows how many people the others write to: whoever counts waits.
    fn admit_alone(
        &self,
        now: Timestamp,
        sender: SenderId,
        budget: Option<Budget>,
        asking: &[Asking],
    ) -> Option<Vec<Admission>> {
        let mut verdicts = self.own_recipients.admit(now, sender, None, asking)?;
        for (verdict, asking) in verdicts.iter_mut().zip(asking) {
            if budget.is_some() && asking.counts != Counts::Not {
                *verdict = Admission::DayFull { retry_after: NOT_KNOWN };
            }
        }
        Some(verdicts)
    }

    pub(super) async fn give_people_back(&self, now: Timestamp, people: &[(ContactId, Timestamp)]) {
        // Who is not given back only counts for a day: nobody waits for that.
        if matches!(self.health(now), Health::Away { .. }) {
            return;
        }
        let mut call = self.scripts.give_people_back.prepare_invoke();
        call.key(self.name("day"));
        for (contact, at) in people {
            call.arg(contact.0).arg(at.as_micros());
        }
        let _: Option<i64> = self.call(&call).await;
    }

    pub(super) async fn remember(&self, people: &[(ContactId, Timestamp)]) {
        let mut tell = redis::pipe();
        for some in people.chunks(1_000) {
            // Never back in time: another process may have told, and counted on.
            let add = tell.cmd("ZADD").arg(self.name("day")).arg("GT");
            for (contact, at) in some {
                add.arg(at.as_micros()).arg(contact.0);
            }
            add.ignore();
        }
        tell.cmd("SET").arg(self.name("day:known")).arg(1).ignore();
        // What is not told now is told at the next question.
        let mut redis = self.redis.get();
        if let Err(problem) = self.redis.answer::<()>(LEISURE, tell.query_async(&mut redis)).await {
            tracing::warn!(problem, "Redis was not told who was written to within a day");
        }
    }

    pub(super) async fn forget_day(&self) {
        let forget = redis::cmd("DEL").arg(self.name("day:known")).to_owned();
        if self.at_leisure::<i64>(&forget).await.is_none() {
            tracing::warn!("Redis was not told to forget the day");
        }
    }

    pub(super) async fn witness(&self, installation: Uuid) -> Option<i64> {
        let ask = redis::cmd("ZSCORE").arg(self.name("witness")).arg(installation.to_string()).to_owned();
        let Some(told) = self.at_leisure::<Option<f64>>(&ask).await else {
            tracing::warn!("Redis does not tell how far the database had come: it is asked again within a minute");
            return None;
        };
        // Whole numbers below 2^53 are themselves.
        told.map(|count| count as i64)
    }

    pub(super) async fn tell_witness(&self, installation: Uuid, count: i64) {
        // Never back: another process may have told of more.
        let name = self.name("witness");
        let tell = redis::cmd("ZADD").arg(name).arg("GT").arg(count).arg(installation.to_string()).to_owned();
        let _: Option<i64> = self.at_leisure(&tell).await;
    }

    /// Asks what nobody waits for in a hurry, so that it may be the first that is asked at all.
    async fn at_leisure<T: FromRedisValue>(&self, command: &redis::Cmd) -> Option<T> {
        let mut redis = self.redis.get();
        let answer = self.redis.answer(LEISURE, command.query_async(&mut redis)).await;
        answer.inspect_err(|problem| tracing::debug!(problem, "Redis")).ok()
    }

    /// Writes something: a replica answers what is only read.
    pub(super) async fn check(&self) -> Result<(), &'static str> {
        let mut redis = self.redis.get();
        let write = redis::cmd("SET").arg(self.name("checked")).arg(1).arg("EX").arg(60).to_owned();
        let written = self.redis.answer::<()>(ANSWER, write.query_async(&mut redis)).await;
        written.map_err(|problem| {
            tracing::debug!(problem, "Redis");
            "Redis does not answer, or takes no writes: sending is slower until it does"
        })
    }

    /// Runs a script; `None`, and a line in the log, when there is no answer in time.
    async fn call<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Option<T> {
        metrics::counter!("redis_calls_total").increment(1);
        let mut redis = self.redis.get();
        match self.redis.answer(ANSWER, call.invoke_async(&mut redis)).await {
            Ok(answer) => Some(answer),
            Err(problem) => {
                metrics::counter!("redis_failures_total").increment(1);
                tracing::debug!(problem, "Redis");
                None
            }
        }
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn key(&self, key: Key) -> String {
        match key {
            Key::Account => self.name("account"),
            Key::Sender(sender) => self.name(&format!("sender:{sender}")),
            Key::Run(run) => self.name(&format!("run:{run}")),
        }
    }

    fn keys(&self, call: &mut ScriptInvocation<'_>, limits: &[Limit]) {
        for limit in limits {
            call.key(self.key(limit.key));
        }
    }

    /// 0: the server's own.
    fn time(&self, now: Timestamp) -> i64 {
        if self.given_time { now.as_micros() } else { 0 }
    }

    fn health(&self, now: Timestamp) -> Health {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.follow_clock(now);
        *health
    }

    fn set(&self, health: Health) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
    }

    /// A call was not answered.
    fn unanswered(&self, now: Timestamp) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        *health = match *health {
            Health::Doubtful { since } if now.since(since) <= DOUBT => {
                if self.answers_others.load(Ordering::Relaxed) {
                    tracing::error!(
                        "Redis answers other processes and not this one: it sends nothing until that changes"
                    );
                } else {
                    tracing::error!("Redis does not answer: sending goes on at a share of the rates");
                }
                Health::Away { since: now, tried: now, answers: None }
            }
            Health::Here | Health::Doubtful { .. } => Health::Doubtful { since: now },
            away @ Health::Away { .. } => away,
        };
    }

    /// Whether it is time to look for Redis; from then on the next look is later.
    fn may_try(&self, now: Timestamp) -> bool {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *health {
            Health::Away { tried, .. } if now.since(*tried) >= TRY => {
                *tried = now;
                true
            }
            _ => false,
        }
    }

    /// What a look at Redis said.
    fn tried(&self, now: Timestamp, answered: bool) -> Health {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if let Health::Away { answers, .. } = &mut *health {
            match (answered, *answers) {
                (false, _) => *answers = None,
                (true, None) => *answers = Some(now),
                (true, Some(since)) if now.since(since) >= TRUST => {
                    tracing::info!("Redis answers again: the rates are shared");
                    *health = Health::Here;
                }
                (true, Some(_)) => {}
            }
        }
        *health
    }
}

fn rates(call: &mut ScriptInvocation<'_>, limits: &[Limit]) {
    for limit in limits {
        call.arg(limit.per_second.max(1));
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests have no configuration file: this is their one setting")]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_795_392_000);

    /// Left out only where PostgreSQL is left out too: a plain `cargo test` without services.
    fn url() -> Option<String> {
        let set = |name: &str| std::env::var(name).ok().filter(|url| !url.is_empty());
        let url = set("TEST_REDIS_URL");
        assert!(url.is_some() || set("TEST_DATABASE_URL").is_none(), "TEST_REDIS_URL is missing");
        url
    }

    fn limits(per_second: u32) -> [Limit; 2] {
        [
            Limit { key: Key::Sender(SenderId(Uuid::from_u128(7))), per_second },
            Limit { key: Key::Account, per_second: 100_000 },
        ]
    }

    impl Shared {
        /// An account of its own; `given_time`: by the time that is passed in.
        pub(in super::super) async fn for_tests(given_time: bool) -> Option<Self> {
            Self::of_account(&Uuid::new_v4().to_string(), given_time).await
        }

        async fn of_account(account: &str, given_time: bool) -> Option<Self> {
            let mut shared = Self::new(&url()?, account).expect("the tests' Redis");
            shared.given_time = given_time;
            // Not just started: see grant.lua.
            let set = redis::cmd("SET").arg(shared.name("warm")).arg(0).arg("NX").to_owned();
            let _: Option<String> = set.query_async(&mut shared.redis.get()).await.expect("the tests' Redis answers");
            Some(shared)
        }
    }

    /// Four processes that ask as they please, by the server's clock: within any second no more than the rate, within any
    /// ten seconds exactly that, within 2 %.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn four_processes_share_one_rate() {
        const RATE: u32 = 800;
        const SECONDS: u32 = 12;
        let account = Uuid::new_v4().to_string();
        let began = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let Some(shared) = Shared::of_account(&account, false).await else { return };
            tasks.spawn(async move {
                let mut grants = Vec::new();
                while began.elapsed() < Duration::from_secs(u64::from(SECONDS)) {
                    let grant = shared.grant(START, &limits(RATE), 64).await;
                    grants.push((began.elapsed(), grant.granted));
                    tokio::time::sleep(grant.retry_after.max(Duration::from_millis(1))).await;
                }
                assert_eq!(shared.processes.load(Ordering::Relaxed), 4);
                grants
            });
        }
        let mut grants = tasks.join_all().await.concat();
        grants.sort_unstable();
        let burst = RATE / 10;
        let within = |from: Duration, window: Duration| -> u32 {
            let grants = grants.iter().filter(|(at, _)| *at >= from && *at - from < window);
            grants.map(|(_, granted)| granted).sum()
        };
        // After the burst that a rested limit grants at once.
        let rested = Duration::from_secs(1);
        for (from, _) in &grants {
            let in_window = within(*from, Duration::from_secs(1));
            // An answer may come later than it was made.
            assert!(in_window <= RATE + burst + RATE / 10, "{in_window} in the second after {from:?}");
            let in_ten = within(*from, Duration::from_secs(10));
            if *from >= rested && *from < Duration::from_secs(u64::from(SECONDS) - 10) {
                assert!(
                    (RATE * 98 / 10..=RATE * 102 / 10).contains(&in_ten),
                    "{in_ten} in the ten seconds after {from:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn a_server_that_has_just_started_grants_nothing_for_a_burst() {
        let Some(shared) = Shared::for_tests(true).await else { return };
        let forget = redis::cmd("DEL").arg(shared.name("warm")).to_owned();
        let _: i64 = forget.query_async(&mut shared.redis.get()).await.expect("it answers");
        let grant = shared.grant(START, &limits(100), 10).await;
        assert_eq!((grant.granted, grant.retry_after), (0, BURST));
        assert_eq!(shared.grant(START.plus(Timestamp::SECOND / 10), &limits(100), 10).await.granted, 10);
    }

    #[tokio::test]
    async fn without_redis_it_is_slower_and_never_stops() {
        // Nothing listens on port 1.
        let shared = Shared::new("redis://127.0.0.1:1", "AC1").expect("a good URL");
        let mut now = START;
        let mut granted = 0;
        while now < START.plus(10 * Timestamp::SECOND) {
            let grant = shared.grant(now, &limits(800), 100).await;
            granted += grant.granted;
            now = now.plus(i64::try_from(grant.retry_after.as_micros()).expect("short").max(1_000));
        }
        // 800 × 0.8 / 8 processes is 80 a second.
        assert!((750..=800).contains(&granted), "{granted}");
        assert!(shared.check().await.is_err());
    }

    #[tokio::test]
    async fn without_redis_texts_of_two_segments_take_two_turns_too() {
        let shared = Shared::new("redis://127.0.0.1:1", "AC1").expect("a good URL");
        let limits = limits(800);
        let mut now = START;
        let mut granted = 0;
        while now < START.plus(10 * Timestamp::SECOND) {
            let grant = shared.grant(now, &limits, 100).await;
            shared.charge(now, limits[0], grant.granted);
            granted += grant.granted;
            now = now.plus(i64::try_from(grant.retry_after.as_micros()).expect("short").max(1_000));
        }
        // 80 segments a second, as above.
        assert!((370..=400).contains(&granted), "{granted}");
    }

    #[tokio::test]
    async fn what_redis_did_not_hear_of_is_still_owed() {
        let shared = Shared::new("redis://127.0.0.1:1", "AC1").expect("a good URL");
        let limits = limits(100);
        shared.charge(START, limits[0], 3);
        shared.charge(START, limits[0], 2);
        assert_eq!(shared.grant(START, &limits, 10).await.granted, 0);
        assert_eq!(shared.take_owed(&limits), [5, 0]);
        assert_eq!(shared.take_owed(&limits), [0, 0]);
    }

    #[tokio::test]
    async fn what_one_process_owes_all_wait_for() {
        let Some((shared, other)) = two().await else { return };
        let limits = limits(100);
        assert_eq!(shared.grant(START, &limits, 10).await.granted, 10);
        shared.charge(START, limits[0], 10);
        assert_eq!(shared.grant(START, &limits, 10).await.granted, 0);
        let then = START.plus(3 * Timestamp::SECOND / 20);
        assert_eq!(other.grant(then, &limits, 10).await.granted, 5, "15 turns have passed since, and ten were owed");
    }

    #[tokio::test]
    async fn without_redis_nothing_goes_out_beside_a_process_that_has_it() {
        let shared = Shared::new("redis://127.0.0.1:1", "AC1").expect("a good URL");
        let mut now = START;
        for others in [true, false, true] {
            shared.hear_of_others(others);
            let (until, mut granted) = (now.plus(5 * Timestamp::SECOND), 0);
            while now < until {
                let grant = shared.grant(now, &limits(800), 100).await;
                granted += grant.granted;
                now = now.plus(i64::try_from(grant.retry_after.as_micros()).expect("short").max(1_000));
            }
            assert_eq!(granted > 0, !others, "{granted}");
            assert!(!shared.is_answered());
        }
    }

    #[tokio::test]
    async fn redis_answers_whoever_asked_lately_and_was_answered() {
        let Some(shared) = Shared::for_tests(true).await else { return };
        assert!(!shared.is_answered(), "it has not asked");
        shared.grant(START, &limits(100), 1).await;
        assert!(shared.is_answered());
        shared.set(Health::Doubtful { since: START });
        assert!(!shared.is_answered());
    }

    #[tokio::test]
    async fn without_redis_four_processes_keep_a_small_rate_too() {
        let mut granted = 0;
        for _ in 0..4 {
            let shared = Shared::new("redis://127.0.0.1:1", "AC1").expect("a good URL");
            shared.processes.store(4, Ordering::Relaxed);
            let mut now = START;
            while now < START.plus(20 * Timestamp::SECOND) {
                let grant = shared.grant(now, &limits(1), 100).await;
                granted += grant.granted;
                now = now.plus(i64::try_from(grant.retry_after.as_micros()).expect("short").max(1_000));
            }
        }
        // Four fifths of one a second.
        assert!((12..=20).contains(&granted), "{granted}");
    }

    #[tokio::test]
    async fn when_redis_is_back_for_a_while_the_rates_are_shared_again() {
        let Some(shared) = Shared::for_tests(true).await else { return };
        shared.set(Health::Away { since: START, tried: START, answers: None });
        let mut now = START;
        while now < START.plus(6 * Timestamp::SECOND) {
            shared.grant(now, &limits(100), 1).await;
            let away = matches!(shared.health(now), Health::Away { .. });
            assert!(away || now >= START.plus(TRUST), "{:?}", now.since(START));
            now = now.plus(Timestamp::SECOND / 10);
        }
        assert_eq!(shared.health(now), Health::Here);
        assert_eq!(shared.processes.load(Ordering::Relaxed), 1);
    }

    /// Two processes of one account, so that one can be asked what Redis has from the other.
    async fn two() -> Option<(Shared, Shared)> {
        let account = Uuid::new_v4().to_string();
        Some((Shared::of_account(&account, true).await?, Shared::of_account(&account, true).await?))
    }

    #[tokio::test]
    async fn a_redis_that_was_started_anew_knows_the_providers_complaints_again() {
        let Some((shared, other)) = two().await else { return };
        let limits = limits(1_000);
        assert_eq!(shared.grant(START, &limits, 1).await.granted, 1);
        shared.slow_down(START, limits[0].key, Some(Duration::from_secs(5))).await;
        let forget = redis::cmd("DEL").arg(shared.name("warm")).arg(shared.key(limits[0].key)).to_owned();
        let _: i64 = forget.query_async(&mut shared.redis.get()).await.expect("it answers");
        // Who has heard of the rest keeps it, and tells of it.
        let grant = shared.grant(START.plus(Timestamp::SECOND), &limits, 10).await;
        let (rest, key) = (Duration::from_secs(4), Some(limits[0].key));
        assert_eq!((grant.granted, grant.retry_after, grant.narrowest), (0, rest, key));
        let grant = other.grant(START.plus(2 * Timestamp::SECOND), &limits, 10).await;
        assert_eq!((grant.granted, grant.retry_after, grant.narrowest), (0, Duration::from_secs(3), key));
        // 0.7 of the rate, and what came back in six seconds.
        let granted = other.grant(START.plus(6 * Timestamp::SECOND), &limits, 1_000).await.granted;
        assert!((70..=75).contains(&granted), "{granted}");
    }

    #[tokio::test]
    async fn a_redis_that_was_started_anew_is_told_by_who_asks_for_no_grants() {
        let Some((worker, web)) = two().await else { return };
        let limits = limits(1_000);
        let at = |seconds: i64| START.plus(seconds * Timestamp::SECOND);
        web.slow_down(START, limits[0].key, Some(Duration::from_secs(5))).await;
        web.remind(START).await;
        let forget = redis::cmd("DEL").arg(web.name("warm")).arg(web.key(limits[0].key)).to_owned();
        let _: i64 = forget.query_async(&mut web.redis.get()).await.expect("it answers");
        assert_eq!(worker.grant(at(1), &limits, 10).await.granted, 0, "it has just started");
        web.remind(at(1)).await;
        let grant = worker.grant(at(2), &limits, 10).await;
        assert_eq!((grant.granted, grant.retry_after), (0, Duration::from_secs(3)));
        // Also before anybody has asked for a grant.
        let _: i64 = forget.query_async(&mut web.redis.get()).await.expect("it answers");
        web.remind(at(2)).await;
        assert_eq!(worker.grant(at(2), &limits, 10).await.granted, 0, "it has just started");
        let grant = worker.grant(at(3), &limits, 10).await;
        assert_eq!((grant.granted, grant.retry_after), (0, Duration::from_secs(2)));
    }

    #[tokio::test]
    async fn a_redis_that_was_away_hears_what_the_provider_complained_of_meanwhile() {
        let Some((shared, other)) = two().await else { return };
        let limits = limits(1_000);
        shared.set(Health::Away { since: START, tried: START, answers: Some(START) });
        shared.own.slow_down(START, limits[0].key, None);
        let back = START.plus(TRUST);
        assert_eq!(shared.grant(back, &limits, 1).await.granted, 0);
        assert_eq!(shared.health(back), Health::Here);
        // 0.7 of the rate, and what came back in five seconds.
        let granted = other.grant(back, &limits, 1_000).await.granted;
        assert!((70..=75).contains(&granted), "{granted}");
    }

    /// Of this machine, a moment after Redis went away.
    #[tokio::test]
    async fn a_clock_that_is_set_back_while_redis_is_away_stops_nobody() {
        let shared = Shared::new("redis://127.0.0.1:1", "AC1").expect("a good URL");
        let away = Health::Away { since: START, tried: START, answers: Some(START) };
        shared.set(away);
        let before = START.plus(-3 * Timestamp::HOUR);
        let (mut now, mut granted) = (before, 0);
        while now < before.plus(10 * Timestamp::SECOND) {
            let grant = shared.grant(now, &limits(800), 100).await;
            granted += grant.granted;
            now = now.plus(i64::try_from(grant.retry_after.as_micros()).expect("short").max(1_000));
        }
        assert!((750..=800).contains(&granted), "{granted}");
        // Nor is Redis, once it answers, waited for until the clock has caught up.
        let Some(shared) = Shared::for_tests(true).await else { return };
        shared.set(away);
        let mut now = before;
        while now < before.plus(6 * Timestamp::SECOND) {
            shared.grant(now, &limits(100), 1).await;
            now = now.plus(Timestamp::SECOND / 10);
        }
        assert_eq!(shared.health(now), Health::Here);
    }

    #[tokio::test]
    async fn the_witness_only_rises() {
        let Some(shared) = Shared::for_tests(false).await else { return };
        let (one, other) = (Uuid::new_v4(), Uuid::new_v4());
        assert_eq!(shared.witness(one).await, None);
        for count in [3, 7, 5] {
            shared.tell_witness(one, count).await;
        }
        assert_eq!((shared.witness(one).await, shared.witness(other).await), (Some(7), None));
    }

    #[test]
    fn a_url_that_cannot_be_meant_is_refused() {
        for url in ["", "localhost", "http://localhost", "redis://"] {
            assert!(check_url(url).is_err(), "{url}");
        }
    }
}
