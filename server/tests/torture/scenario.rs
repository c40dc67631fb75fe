//! What happens in a round, from its seed.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use simulator::{Callbacks, Settings};
use testkit::{
    postgres::End,
    program::{ACCOUNT_SID, AUTH_TOKEN},
};

/// The shortest lease that the program takes, in seconds.
pub const LEASE_SECONDS: u64 = 4;

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
        let blows = (0..random.random_range(1..5))
            .map(|_| (millis(&mut random, 1_000), random.random_range(0..1_000), blow(&mut random)))
            .collect();
        let roles = roles(&mut random);
        let redis = roles.len() > 1 || random.random_bool(0.3);
        let singles = (0..random.random_range(0..20)).map(|_| millis(&mut random, 300)).collect();
        let (sms, give_up) = (random.random_bool(0.3), random.random_bool(0.3));
        Self { people, concurrency, roles, redis, sms, give_up, blows, singles, twilio: twilio(&mut random, seed) }
    }

    pub const fn channel(&self) -> &'static str {
        if self.sms { "sms" } else { "whatsapp" }
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
