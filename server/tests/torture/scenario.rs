//! What happens in a round, from its seed.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use simulator::{Callbacks, Settings};
use testkit::program::{ACCOUNT_SID, AUTH_TOKEN};

/// The shortest lease that the program takes, in seconds.
pub const LEASE_SECONDS: u64 = 4;

/// What happens to one of the processes, or to what they share.
#[derive(Clone, Copy, Debug)]
pub enum Blow {
    /// `kill -9`, and started again after this time.
    Kill(Duration),
    /// Asked to stop, and started again.
    Stop,
    /// Stands still for this time, as a virtual machine that is moved: its leases may run out meanwhile.
    Freeze(Duration),
    /// PostgreSQL cuts all connections and takes no new ones for this time, as when it is restarted.
    Database(Duration),
    /// Redis is killed and comes back empty after this time.
    Redis(Duration),
}

/// One round.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub people: u32,
    /// Requests in flight to Twilio: few make a long run of few people.
    pub concurrency: u32,
    /// On PostgreSQL: one process for pages and webhooks, two that send, and a Redis. Else one process does everything.
    pub several: bool,
    /// Each after a time since the one before, or since the launch, and to one of the processes.
    pub blows: Vec<(Duration, usize, Blow)>,
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
        Self { people, concurrency, several: seed % 2 == 1, blows, twilio: twilio(&mut random, seed) }
    }
}

fn millis(random: &mut StdRng, below: u64) -> Duration {
    Duration::from_millis(random.random_range(0..below))
}

fn blow(random: &mut StdRng) -> Blow {
    match random.random_range(0..14) {
        0..7 => Blow::Kill(millis(random, 500)),
        7 => Blow::Stop,
        8..10 => Blow::Freeze(millis(random, 2_000 * LEASE_SECONDS)),
        10..12 => Blow::Database(millis(random, 3_000)),
        _ => Blow::Redis(millis(random, 2_000)),
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
