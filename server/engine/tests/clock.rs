//! A clock that jumps in the middle of a run: everybody gets one message, and the run ends by itself.

mod world;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use domain::{
    message::{Channel, NewMessage, State},
    time::Timestamp,
};
use engine::clock::{Clock, SystemClock};
use world::{Setup, handed_over, worlds};

/// The machine's clock, off by so many microseconds.
#[derive(Default)]
struct Jumping(AtomicI64);

impl Jumping {
    fn set(&self, seconds: i64) {
        self.0.store(seconds * Timestamp::SECOND, Ordering::SeqCst);
    }
}

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(self.0.load(Ordering::SeqCst))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_in_the_middle_of_a_run_loses_and_doubles_nobody() {
    for jump in [-3 * 3_600, -30, 45, 3 * 3_600] {
        let clock = Arc::new(Jumping::default());
        let mut setup = Setup { rate_per_second: 200, clock: clock.clone(), ..Setup::default() };
        // What is under way at the jump forward may seem to have been so for hours.
        setup.timeout = Duration::from_secs(1);
        setup.grace = Duration::from_millis(300);
        setup.simulator.latency_ms = 20;
        for mut world in worlds(setup).await {
            clock.set(0);
            world.people(1, 200).await;
            let run = world.launch(&world.campaign("Hi").await).await;
            world.start();
            world.until(run.id, "begun", |run| handed_over(&run.ledger) >= 20).await;
            clock.set(jump);
            let run = world.until_completed(run.id).await;
            assert_eq!((handed_over(&run.ledger), run.ledger.failed), (200, 0), "{jump} seconds: {:?}", run.ledger);
            world.assert_nobody_twice();
            world.stop().await;
        }
    }
}

/// Shorter than anybody looks at the clock only to see whether it was set back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_ahead_for_a_moment_keeps_nobody_waiting() {
    let clock = Arc::new(Jumping::default());
    let mut setup = Setup { rate_per_second: 200, clock: clock.clone(), ..Setup::default() };
    setup.timeout = Duration::from_secs(1);
    setup.grace = Duration::from_millis(300);
    setup.simulator.max_per_second = Some(50);
    for mut world in worlds(setup).await {
        clock.set(0);
        world.people(1, 200).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        for moment in 1..=3 {
            world.until(run.id, "begun", |run| handed_over(&run.ledger) >= moment * 20).await;
            clock.set(3_600);
            tokio::time::sleep(Duration::from_millis(60)).await;
            clock.set(0);
        }
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.ledger.failed), (200, 0), "{:?}", run.ledger);
        world.assert_nobody_twice();
        world.stop().await;
    }
}

/// What is unknown, what is to be tried again, and the leases that were given meanwhile are an hour away then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_ahead_for_a_while_keeps_nobody_waiting() {
    let clock = Arc::new(Jumping::default());
    let mut setup = Setup { rate_per_second: 100, clock: clock.clone(), ..Setup::default() };
    setup.timeout = Duration::from_secs(1);
    setup.grace = Duration::from_millis(300);
    setup.simulator.callbacks.no_callbacks_percent = 50.0;
    setup.simulator.lost_answer_percent = 10.0;
    setup.simulator.error_500_percent = 20.0;
    setup.simulator.max_per_second = Some(50);
    for mut world in worlds(setup).await {
        clock.set(0);
        world.people(1, 200).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until(run.id, "begun", |run| handed_over(&run.ledger) >= 20).await;
        clock.set(3_600);
        tokio::time::sleep(Duration::from_secs(1)).await;
        clock.set(0);
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.ledger.failed), (200, 0), "{:?}", run.ledger);
        world.assert_nobody_twice();
        world.stop().await;
    }
}

/// Twilio dates what it took by its own clock: long before the message was made, by ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_made_by_a_clock_that_is_ahead_is_found_at_twilio() {
    for set_back in [false, true] {
        let clock = Arc::new(Jumping::default());
        let mut setup = Setup { clock: clock.clone(), ..Setup::default() };
        setup.timeout = Duration::from_secs(1);
        setup.grace = Duration::from_millis(300);
        setup.simulator.callbacks.no_callbacks_percent = 100.0;
        setup.simulator.lost_answer_percent = 100.0;
        for mut world in worlds(setup).await {
            world.people(1, 1).await;
            clock.set(3_600);
            world.start();
            let new = NewMessage {
                phone: testkit::build::phone(1),
                template_id: None,
                body: Some("Hi".to_owned()),
                channel: Some(Channel::Whatsapp),
                sender_id: None,
                variables: serde_json::Map::new(),
            };
            world.engine.messages().create(&world.admin, new).await.expect("taken");
            if set_back {
                world.until_message(1, State::Unknown).await;
                clock.set(0);
            }
            // Without callbacks nobody hears more of it than what the list said.
            let wait = async {
                while matches!(world.message_to(1).await.state, State::Queued | State::Sending | State::Unknown) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), wait).await.expect("found");
            assert!(world.message_to(1).await.provider_sid.is_some());
            assert_eq!(world.accepted(1), 1);
            world.stop().await;
        }
    }
}
