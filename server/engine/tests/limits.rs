//! WhatsApp's own limits: how fast one person may get messages, and how many people a business may write to first in a day.

mod world;

use std::{sync::Arc, time::Duration};

use domain::{
    message::{Channel, MessageFilter, NewMessage, State},
    reason::Reason,
    run::RunStatus,
    settings::SettingsPatch,
    time::Timestamp,
};
use engine::{
    Engine,
    clock::SystemClock,
    workers::{self, Role},
};
use serde_json::json;
use simulator::{ErrorRule, When};
use testkit::build;
use world::{Moved, Setup, World, handed_over, worlds};

async fn limit(world: &World, people: Option<i32>, kept: i32) {
    let patch = SettingsPatch {
        whatsapp_daily_people: Some(people),
        whatsapp_reply_share: Some(kept),
        ..SettingsPatch::default()
    };
    world.engine.settings().update(&world.admin, patch).await.expect("set");
}

async fn waiting(world: &World, reason: Reason) -> usize {
    let filter = MessageFilter { state: Some(State::Queued), reason: Some(reason), ..MessageFilter::default() };
    world.messages(filter).await.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_writes_to_as_many_people_as_the_day_has_room_for_and_the_rest_wait() {
    for mut world in worlds(Setup::default()).await {
        limit(&world, Some(50), 20).await;
        world.people(1, 120).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let run = world.until(run.id, "40 of 50 sent", |run| handed_over(&run.ledger) == 40).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let now = world.run(run.id).await;
        assert_eq!((handed_over(&now.ledger), now.ledger.queued, now.ledger.failed), (40, 80, 0), "{:?}", now.ledger);
        assert!(waiting(&world, Reason::DailyLimit).await > 0);
        // Looking again costs a claim now and then, not one a message.
        let message = world.messages(MessageFilter { state: Some(State::Queued), ..MessageFilter::default() }).await;
        assert!(message.iter().all(|message| message.attempts == 0), "what was not handed over is no attempt");

        // Another process that knows nothing of them counts them too.
        world.stop().await;
        let other = Engine::open(world.db.clone(), world.config().clone(), Arc::new(SystemClock)).await;
        let workers = workers::start(&other.expect("an engine"), Role::Worker);
        all_due(&world).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(handed_over(&world.run(run.id).await.ledger), 40);
        workers.stop().await;

        // A higher limit counts whoever was written to before.
        world.start();
        limit(&world, Some(100), 20).await;
        all_due(&world).await;
        world.until(run.id, "80 of 100 sent", |run| handed_over(&run.ledger) == 80).await;
        limit(&world, None, 20).await;
        all_due(&world).await;
        let run = world.until_completed(run.id).await;
        assert_eq!(handed_over(&run.ledger), 120);
        world.assert_nobody_twice();
        world.stop().await;
    }
}

/// What waits for a quarter of an hour is due now: tests have no such time.
async fn all_due(world: &World) {
    // Settings are in effect within a second.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let due = "UPDATE messages SET not_before = created_at WHERE state = 0";
    store::exec(world.db.writer(), due, vec![]).await.expect("updated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_written_to_before_there_was_a_limit_counts() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 30).await;
        let first = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until_completed(first.id).await;
        limit(&world, Some(40), 0).await;
        world.people(31, 30).await;
        let second = world.launch(&world.campaign("Again").await).await;
        let reached = |run: &domain::run::Run| handed_over(&run.ledger) == 40;
        let run = world.until(second.id, "the 30 of before and 10 more", reached).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(handed_over(&world.run(run.id).await.ledger), 40);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_refused_takes_nobody_the_room_of_the_day() {
    let clock = Arc::new(Moved::default());
    let mut setup = Setup { clock: clock.clone(), ..Setup::default() };
    setup.simulator.errors =
        ["*0001", "*0002", "*0003", "*0004", "*0005"].map(|to| ErrorRule::new(to, 21_211, When::Create)).to_vec();
    for mut world in worlds(setup).await {
        limit(&world, Some(10), 0).await;
        world.people(1, 20).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until(run.id, "five refused", |run| run.ledger.failed == 5).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        // Who waits for the day's room is looked at again after a quarter of an hour.
        clock.by(16 * Timestamp::MINUTE);
        world.until(run.id, "ten sent", |run| handed_over(&run.ledger) == 10).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let run = world.run(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.ledger.failed, run.ledger.queued), (10, 5, 5), "{:?}", run.ledger);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_person_gets_a_few_messages_at_once_and_the_others_wait_their_turn() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 1).await;
        world.start();
        for number in 0..12 {
            let new = NewMessage {
                phone: build::phone(1),
                template_id: None,
                body: Some(format!("Message {number}")),
                channel: Some(Channel::Whatsapp),
                sender_id: None,
                variables: serde_json::Map::new(),
            };
            world.engine.messages().create(&world.admin, new).await.expect("taken");
        }
        let sent = async || {
            let all = world.messages(MessageFilter::default()).await;
            all.iter().filter(|message| message.state.rank() >= State::Accepted.rank()).count()
        };
        let ten = async {
            while sent().await < 10 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), ten).await.expect("ten at once");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((sent().await, waiting(&world, Reason::PairRate).await), (10, 2));
        let all = async {
            while sent().await < 12 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all).await.expect("one in six seconds");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_whose_messages_fail_at_its_limit_rests_before_it_goes_on() {
    rests_after(63_018).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_is_too_fast_rests_before_it_goes_on() {
    rests_after(63_017).await;
}

async fn rests_after(code: u32) {
    let clock = Arc::new(Moved::default());
    let mut setup = Setup { rate_per_second: 20, clock: clock.clone(), ..Setup::default() };
    // As WhatsApp does: taken at first, then failed.
    setup.simulator.errors = vec![ErrorRule::new("*", code, When::AfterSent)];
    for mut world in worlds(setup).await {
        world.people(1, 100).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until(run.id, "told of it", |run| run.ledger.undelivered >= 5).await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let then = world.accepted_in_all();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!((world.accepted_in_all(), then < 40), (then, true), "{:?}: {then}", world.db.kind());
        world.simulate(&json!({ "errors": null }));
        clock.by(6 * Timestamp::MINUTE);
        let run = world.until_completed(run.id).await;
        assert_eq!(handed_over(&run.ledger), 100);
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_failures_at_a_limit_do_not_stop_the_others() {
    let mut setup = Setup { rate_per_second: 100, ..Setup::default() };
    setup.simulator.errors = vec![ErrorRule::new("*0001", 63_018, When::AfterSent)];
    for mut world in worlds(setup).await {
        world.people(1, 200).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until_completed(run.id).await;
        world.until(run.id, "told", |run| (run.ledger.delivered, run.ledger.undelivered) == (199, 1)).await;
        world.stop().await;
    }
}

/// One person who is always refused in the words of the sender's limit: nobody else waits for them, and they are given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_alone_is_always_refused_rests_no_sender_for_ever() {
    let clock = Arc::new(Moved::default());
    let mut setup = Setup { rate_per_second: 100, clock: clock.clone(), ..Setup::default() };
    setup.simulator.errors = vec![ErrorRule::new("*0001", 63_018, When::Create)];
    for mut world in worlds(setup).await {
        world.people(1, 50).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let ends = async {
            while world.run(run.id).await.status != RunStatus::Completed {
                // The sender rests a minute once, and the person an hour, two, four, and so on.
                clock.by(10 * Timestamp::MINUTE);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), ends).await.expect("it ends by itself");
        let run = world.run(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.ledger.failed), (49, 1), "{:?}", world.db.kind());
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_loses_many_to_the_senders_limit_is_paused() {
    let mut setup = Setup { rate_per_second: 200, ..Setup::default() };
    setup.simulator.callbacks.delay_ms = 200;
    setup.simulator.errors = vec![ErrorRule::new("*", 63_018, When::AfterSent)];
    for mut world in worlds(setup).await {
        world.people(1, 500).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let run = world.until(run.id, "paused", |run| run.status == RunStatus::Paused).await;
        assert!(run.ledger.queued > 250, "{:?}", run.ledger);
        assert!(run.reason.expect("a reason").contains("at its limit"));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_refused_at_the_senders_limit_waits_however_long_and_is_not_given_up() {
    let clock = Arc::new(Moved::default());
    let mut setup = Setup { clock: clock.clone(), ..Setup::default() };
    setup.simulator.errors = vec![ErrorRule::new("*", 63_018, When::Create)];
    for mut world in worlds(setup).await {
        world.people(1, 30).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let refused = || world.twilio.simulator.control().stats().refused.values().sum::<u64>();
        let waiting = |run: &domain::run::Run| run.status == RunStatus::Running && run.ledger.queued == 30;
        while refused() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        world.until(run.id, "all back in the queue", waiting).await;
        // The sender rests for a minute.
        let at_first = refused();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(refused(), at_first, "{:?}", world.db.kind());
        // A refusal because of a limit uses up nothing that other failures are given up by.
        let tried = "SELECT CAST(max(attempt) AS bigint) AS attempt FROM messages";
        let tried = store::one(world.db.reader(), tried, vec![]).await.expect("read").expect("a row");
        assert_eq!(tried.get::<i64>("attempt").expect("a number"), 0);
        let now = "UPDATE messages SET not_before = created_at";
        store::exec(world.db.writer(), now, vec![]).await.expect("updated");
        clock.by(2 * Timestamp::MINUTE);
        while refused() == at_first {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let run = world.until(run.id, "all back in the queue", waiting).await;
        assert_eq!(run.ledger.failed, 0);
        world.simulate(&json!({ "errors": null }));
        clock.by(20 * Timestamp::MINUTE);
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.ledger.failed), (30, 0));
        world.assert_nobody_twice();
        world.stop().await;
    }
}
