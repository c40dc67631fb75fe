//! What happens in a round, from its seed.

use std::{collections::BTreeSet, ops::Range, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use simulator::{Callbacks, ErrorRule, Settings, When};
use testkit::{
    postgres::End,
    program::{ACCOUNT_SID, AUTH_TOKEN},
};

use crate::round::name;

/// The shortest lease that the program takes, in seconds.
pub const LEASE_SECONDS: u64 = 4;

/// Its `RECONCILE_GRACE`, in seconds.
pub const GRACE_SECONDS: u64 = 1;

/// How long it waits before each of the two looks that prove that Twilio has not got a message: a request's time-out, which
/// is half of the lease, and the grace.
pub const WAIT_SECONDS: u64 = LEASE_SECONDS / 2 + GRACE_SECONDS;

/// How much later, in milliseconds, Twilio takes a request that broke off: after the first of the two looks, before the
/// second. Whoever sends again after one look, or after two that come too early, sends it twice.
const LATE: Range<u64> = 3_500..4_500;

/// The same where a process stands still or a clock is set. Either may take one of the two waits away: what stood still
/// hands over after its lease is over, and a clock that steps forward says that the wait is.
const LESS_LATE: Range<u64> = 1_000..2_000;

/// Whom an SMS does not reach, because they opted out at Twilio without our hearing of it: one of ten people of the
/// campaign, nobody who gets a single message. A run of which more than a fifth fail would be paused. See
/// [`Scenario::has_left`].
const LEFT: &str = "+49151100*7";

/// What Twilio says of them.
pub const LEFT_CODE: u16 = 21_610;

/// In an SMS also this, with a character that makes two segments of it.
const MORE: &str = " \u{1f64f} Come by until Sunday, or tell us what we should put by for you.";

/// Everything that rounds may have, and that those together have which every `cargo test` plays.
pub const KINDS: &[&str] = &[
    "kill",
    "kill all",
    "stop",
    "freeze",
    "cut",
    "restart",
    "no writes",
    "redis",
    "clock",
    "several processes",
    "by WhatsApp",
    "by SMS",
    "sent again",
    "given up",
    "lost answer",
    "accepted late",
    "late answer",
    "500",
    "500, accepted",
    "502",
    "502, accepted",
    "429",
    "callback twice",
    "callbacks out of order",
    "callback before the answer",
    "no callbacks",
];

/// What happens to one of the processes, or to what they share.
#[derive(Clone, Copy, Debug)]
pub enum Blow {
    /// `kill -9`, and started again after this time.
    Kill(Duration),
    /// The same to all processes at once, as when the power fails.
    KillAll(Duration),
    /// Asked to stop, and started again.
    Stop,
    /// Stands still for this time, as a virtual machine that is moved: its leases may run out meanwhile.
    Freeze(Duration),
    /// PostgreSQL cuts all connections and takes no new ones for this time.
    Cut(Duration),
    /// PostgreSQL itself ends, and is started again after this time.
    Restart(End, Duration),
    /// The database takes no writes for this time: PostgreSQL is read-only, the files of SQLite do not grow.
    NoWrites(Duration),
    /// Redis is killed and comes back empty after this time.
    Redis(Duration),
    /// The clock of all processes is off by so many seconds for this time.
    Clock(i64, Duration),
}

impl Blow {
    /// Its name among [`KINDS`], where a new one belongs, too. A clock that is off by a little is none of them.
    const fn kind(self, redis: bool) -> &'static str {
        match self {
            Self::Kill(_) => "kill",
            Self::KillAll(_) => "kill all",
            Self::Stop => "stop",
            Self::Freeze(_) => "freeze",
            Self::Cut(_) => "cut",
            Self::Restart(..) => "restart",
            Self::NoWrites(_) => "no writes",
            Self::Redis(_) if redis => "redis",
            Self::Redis(_) => "kill",
            Self::Clock(off, _) if off.abs() >= 3_600 => "clock",
            Self::Clock(..) => "clock, a little",
        }
    }
}

/// One round.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub people: u32,
    /// Requests in flight to Twilio: few make a long run of few people.
    pub concurrency: u32,
    /// On PostgreSQL: what each process does. Else one process does everything.
    pub roles: Vec<&'static str>,
    /// On PostgreSQL: whether they share their rates. Several that send have to.
    pub redis: bool,
    /// By SMS instead of WhatsApp.
    pub sms: bool,
    /// The campaign gives up what Twilio does not have and may have been sent, instead of sending it once more.
    pub give_up: bool,
    /// Each after a time since the one before, or since the launch, and to one of the processes.
    pub blows: Vec<(Duration, usize, Blow)>,
    /// Messages to one person each: each this time after the one before, or after the launch.
    pub singles: Vec<Duration>,
    pub twilio: Settings,
}

impl Scenario {
    pub fn of(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let people = random.random_range(200..1_200);
        let concurrency = random.random_range(4..64);
        let blows: Vec<(Duration, usize, Blow)> = (0..random.random_range(1..5))
            .map(|_| (millis(&mut random, 1_000), random.random_range(0..1_000), blow(&mut random)))
            .collect();
        let roles = roles(&mut random);
        let redis = roles.len() > 1 || random.random_bool(0.3);
        let singles = (0..random.random_range(0..20)).map(|_| millis(&mut random, 300)).collect();
        let (sms, give_up) = (random.random_bool(0.3), random.random_bool(0.3));
        let settings = twilio(&mut random, seed);
        // Drawn last, so that everything else follows from a seed as it did before there was this.
        let (accepted_late_percent, accepted_late_ms) = accepted_late(&mut random, &blows);
        let errors = if sms { vec![ErrorRule::new(LEFT, LEFT_CODE.into(), When::Create)] } else { Vec::new() };
        let twilio = Settings { accepted_late_percent, accepted_late_ms, errors, ..settings };
        Self { people, concurrency, roles, redis, sms, give_up, blows, singles, twilio }
    }

    /// What there is in it, by the names of [`KINDS`].
    pub fn has(&self) -> BTreeSet<&'static str> {
        let (twilio, callbacks) = (&self.twilio, &self.twilio.callbacks);
        // Where absence is proven too early, there must be somebody who gets it twice then.
        let is_late = twilio.accepted_late_percent >= 1.0 && twilio.accepted_late_ms >= LATE.start && !self.give_up;
        let there = [
            ("several processes", self.roles.len() > 1),
            ("by WhatsApp", !self.sms),
            ("by SMS", self.sms),
            ("sent again", !self.give_up),
            ("given up", self.give_up),
            ("lost answer", twilio.lost_answer_percent > 0.0),
            ("accepted late", is_late),
            ("late answer", twilio.timeout_percent > 0.0),
            ("500", twilio.error_500_percent > 0.0),
            ("500, accepted", twilio.error_500_accepted_percent > 0.0),
            ("502", twilio.error_502_percent > 0.0),
            ("502, accepted", twilio.error_502_accepted_percent > 0.0),
            ("429", twilio.max_per_second.is_some()),
            ("callback twice", callbacks.duplicate_percent > 0.0),
            ("callbacks out of order", callbacks.reorder_percent > 0.0),
            ("callback before the answer", callbacks.callback_before_answer_percent > 0.0),
            ("no callbacks", callbacks.no_callbacks_percent > 0.0),
        ];
        let blows = self.blows.iter().map(|(_, _, blow)| blow.kind(self.redis));
        blows.chain(there.into_iter().filter(|(_, is)| *is).map(|(kind, _)| kind)).collect()
    }

    pub const fn channel(&self) -> &'static str {
        if self.sms { "sms" } else { "whatsapp" }
    }

    /// What the campaign says of messages that may have been sent.
    pub const fn rule(&self) -> &'static str {
        if self.give_up { "give_up" } else { "requeue" }
    }

    /// A number as Twilio has it.
    pub fn address(&self, number: &str) -> String {
        if self.sms { number.to_owned() } else { format!("whatsapp:{number}") }
    }

    /// The text of the campaign's template.
    pub fn template(&self) -> String {
        let more = if self.sms { MORE } else { "" };
        format!(
            "Hi {{{{ name|default('there') }}}}, our offers in {{{{ city|default('your town') }}}} are ready.{more}"
        )
    }

    /// What one of the campaign's people is to read: nobody else's text is the same.
    pub fn text_for(&self, number: u32) -> String {
        let more = if self.sms { MORE } else { "" };
        format!("Hi {}, our offers in Oslo are ready.{more}", name(number))
    }

    /// How many segments that takes.
    pub const fn segments(&self) -> u16 {
        if self.sms { 2 } else { 1 }
    }

    /// Whether this one of the campaign's people opted out at Twilio: those whose numbers [`LEFT`] matches.
    pub const fn has_left(&self, number: u32) -> bool {
        self.sms && number % 10 == 7
    }

    /// Whether PostgreSQL is restarted: then it has to be one that nobody else uses.
    pub fn restarts(&self) -> bool {
        self.blows.iter().any(|(_, _, blow)| matches!(blow, Blow::Restart(..)))
    }

    pub fn sets_clock(&self) -> bool {
        self.blows.iter().any(|(_, _, blow)| matches!(blow, Blow::Clock(..)))
    }
}

/// One to four processes. The first of them is called, and at least one sends.
fn roles(random: &mut StdRng) -> Vec<&'static str> {
    let count = random.random_range(1..5);
    if count == 1 {
        return vec!["all"];
    }
    let mut draw = |roles: &[&'static str]| roles[random.random_range(0..roles.len())];
    let mut roles = vec![draw(&["all", "web"]), "worker"];
    roles.extend((2..count).map(|_| draw(&["all", "web", "worker", "worker"])));
    roles
}

fn millis(random: &mut StdRng, below: u64) -> Duration {
    Duration::from_millis(random.random_range(0..below))
}

fn blow(random: &mut StdRng) -> Blow {
    match random.random_range(0..20) {
        0..7 => Blow::Kill(millis(random, 500)),
        7 => Blow::KillAll(millis(random, 500)),
        8 => Blow::Stop,
        9..11 => Blow::Freeze(millis(random, 2_000 * LEASE_SECONDS)),
        11 => Blow::Cut(millis(random, 3_000)),
        12..15 => {
            let end = [End::Fast, End::Immediate, End::Killed][random.random_range(0..3)];
            Blow::Restart(end, millis(random, 1_500))
        }
        15..17 => Blow::NoWrites(millis(random, 2_500)),
        17 => Blow::Redis(millis(random, 2_000)),
        _ => Blow::Clock([-3_600, -90, 90, 3_600][random.random_range(0..4)], millis(random, 3_000)),
    }
}

/// How many of its requests Twilio takes after it broke them off, in per cent, and how much later, in milliseconds. Two
/// clocks that are set may take both waits away: there nothing comes late.
fn accepted_late(random: &mut StdRng, blows: &[(Duration, usize, Blow)]) -> (f64, u64) {
    let percent = if random.random_bool(0.5) { random.random_range(0.0..3.0) } else { 0.0 };
    let clocks = blows.iter().filter(|(_, _, blow)| matches!(blow, Blow::Clock(..))).count();
    let freezes = blows.iter().filter(|(_, _, blow)| matches!(blow, Blow::Freeze(_))).count();
    match (clocks, freezes) {
        (0, 0) => (percent, random.random_range(LATE)),
        (0 | 1, _) => (percent, random.random_range(LESS_LATE)),
        _ => (0.0, 0),
    }
}

/// About half of the faults in each round, each up to so many per cent.
fn twilio(random: &mut StdRng, seed: u64) -> Settings {
    let mut percent = |most: f64| if random.random_bool(0.5) { random.random_range(0.0..most) } else { 0.0 };
    let callbacks = Callbacks {
        duplicate_percent: percent(30.0),
        reorder_percent: percent(30.0),
        callback_before_answer_percent: percent(20.0),
        no_callbacks_percent: percent(20.0),
        unknown_param: percent(1.0) > 0.0,
        ..Callbacks::default()
    };
    let settings = Settings {
        account_sid: ACCOUNT_SID.to_owned(),
        auth_token: AUTH_TOKEN.to_owned(),
        lost_answer_percent: percent(5.0),
        timeout_percent: percent(2.0),
        // Longer than the program waits.
        timeout_ms: 1_000 * LEASE_SECONDS,
        error_500_percent: percent(4.0),
        error_500_accepted_percent: percent(4.0),
        error_502_percent: percent(2.0),
        error_502_accepted_percent: percent(2.0),
        seed,
        callbacks,
        ..Settings::default()
    };
    let storm = random.random_bool(0.3);
    Settings {
        latency_ms: random.random_range(0..40),
        jitter_ms: random.random_range(0..80),
        max_per_second: storm.then(|| random.random_range(100..400)),
        callbacks: Callbacks { delay_ms: random.random_range(1..100), ..settings.callbacks.clone() },
        ..settings
    }
}
