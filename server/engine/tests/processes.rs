//! Several processes on one PostgreSQL: who sends, what they tell each other, and STOP across them.

mod world;

use std::{sync::Arc, time::Duration};

use domain::{
    campaign::NewCampaign,
    consent::Consent,
    contact::ConsentChange,
    ids::RunId,
    message::{By, MessageFilter, State},
    process::{Figures, ProcessRole},
    reason::Reason,
    settings::{Sending, SendingState, SettingsPatch},
    topic::NewTopic,
};
use engine::{
    Engine,
    clock::SystemClock,
    optouts,
    workers::{self, Role, Workers},
};
use serde_json::json;
use simulator::{ErrorRule, Fault, NumberRule, When};
use store::Kind;
use testkit::{
    build,
    program::{self, Redis},
};
use world::{Setup, World, handed_over, worlds};

/// Only PostgreSQL takes several processes.
async fn shared_world(setup: Setup) -> Option<World> {
    worlds(setup).await.into_iter().find(|world| world.db.kind() == Kind::Postgres)
}

/// A process of its own, as far as the engine can tell, on the world's database.
async fn another(world: &World, role: Role) -> (Engine, Workers) {
    let engine = Engine::open(world.db.clone(), world.config().clone(), Arc::new(SystemClock)).await;
    let engine = engine.expect("an engine");
    let workers = workers::start(&engine, role);
    (engine, workers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_that_one_process_takes_stops_what_another_has_claimed() {
    let latency = Duration::from_millis(300);
    let mut setup = Setup { concurrency: 2, ..Setup::default() };
    setup.simulator.latency_ms = 300;
    let Some(mut world) = shared_world(setup).await else { return };
    world.people(1, 40).await;
    let run = world.launch(&world.campaign("Hi").await).await;
    world.start_as(Role::Web);
    let (_worker, workers) = another(&world, Role::Worker).await;
    // It has claimed as many as it may: most of them wait for one of the two requests at a time.
    world.until(run.id, "under way", |run| handed_over(&run.ledger) >= 2 && run.ledger.sending >= 8).await;
    let waiting: Vec<i64> = (1..=40).filter(|person| world.accepted(*person) == 0).collect();
    let out = ConsentChange { consent: Consent::OptedOut, source: None, evidence: Some("a letter".to_owned()) };
    for person in &waiting {
        world
            .engine
            .contacts()
            .set_consent(&world.admin, &build::phone(*person), out.clone())
            .await
            .expect("opted out");
    }
    // What was on its way by then arrives.
    tokio::time::sleep(optouts::FRESH + latency).await;
    let then = world.accepted_in_all();
    let run = world.until_completed(run.id).await;
    assert_eq!(world.accepted_in_all(), then, "a hand-over began too late after the opt-out");
    assert!(stopped_after_the_claim(&world, run.id).await >= 3, "{:?}", run.skipped_by_reason);
    workers.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holding_pausing_and_cancelling_reach_another_process_within_a_second() {
    let latency = Duration::from_millis(400);
    let mut setup = Setup { concurrency: 4, ..Setup::default() };
    setup.simulator.latency_ms = 400;
    let Some(mut world) = shared_world(setup).await else { return };
    world.people(1, 200).await;
    let campaign = world.campaign("Hi").await;
    let run = world.launch(&campaign).await;
    world.start_as(Role::Web);
    let (_worker, workers) = another(&world, Role::Worker).await;
    let sending = |state| SettingsPatch {
        sending: Some(Sending { state, reason: Some("test".to_owned()) }),
        ..SettingsPatch::default()
    };
    let mut before = 0;
    for stop in ["hold", "pause", "cancel"] {
        world.until(run.id, "under way", |run| handed_over(&run.ledger) > before + 2).await;
        let campaigns = world.engine.campaigns();
        match stop {
            "hold" => {
                drop(world.engine.settings().update(&world.admin, sending(SendingState::Held)).await.expect(stop));
            }
            "pause" => drop(campaigns.pause(&world.admin, campaign.id).await.expect(stop)),
            _ => drop(campaigns.cancel(&world.admin, campaign.id).await.expect(stop)),
        }
        // What was on its way by then arrives.
        tokio::time::sleep(Duration::from_secs(1) + latency).await;
        let then = world.accepted_in_all();
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(world.accepted_in_all(), then, "{stop}: something began more than a second later");
        before = handed_over(&world.run(run.id).await.ledger);
        match stop {
            "hold" => drop(world.engine.settings().update(&world.admin, sending(SendingState::On)).await.expect(stop)),
            "pause" => drop(campaigns.resume(&world.admin, campaign.id).await.expect(stop)),
            _ => {}
        }
    }
    world.assert_nobody_twice();
    workers.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_a_topic_in_one_process_gets_nothing_about_it_from_another() {
    let latency = Duration::from_millis(300);
    let mut setup = Setup { concurrency: 2, ..Setup::default() };
    setup.simulator.latency_ms = 300;
    let Some(mut world) = shared_world(setup).await else { return };
    world.people(1, 40).await;
    let topic = NewTopic { key: "offers".to_owned(), name: "Offers".to_owned(), ..NewTopic::default() };
    world.engine.topics().create(&world.admin, topic).await.expect("a topic");
    for person in 1..=40 {
        let came = world.engine.contacts().subscribe(&world.admin, &build::phone(person), "offers").await;
        came.expect("subscribed");
    }
    let draft = NewCampaign { topic: Some("offers".to_owned()), ..world.draft().await };
    let draft = NewCampaign { template_id: Some(world.template("Hi").await), ..draft };
    let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
    let run = world.launch(&campaign).await;
    world.start_as(Role::Web);
    let (_worker, workers) = another(&world, Role::Worker).await;
    world.until(run.id, "under way", |run| handed_over(&run.ledger) >= 2 && run.ledger.sending >= 8).await;
    for person in (1..=40).filter(|person| world.accepted(*person) == 0).collect::<Vec<i64>>() {
        let left = world.engine.contacts().unsubscribe(&world.admin, &build::phone(person), "offers").await;
        left.expect("unsubscribed");
    }
    // What was on its way by then arrives.
    tokio::time::sleep(optouts::FRESH + latency).await;
    let then = world.accepted_in_all();
    let run = world.until_completed(run.id).await;
    assert_eq!(world.accepted_in_all(), then, "a hand-over began too late after the person left");
    assert_eq!(run.ledger.skipped, run.skipped_by_reason["not_subscribed"], "{:?}", run.skipped_by_reason);
    workers.stop().await;
    world.stop().await;
}

/// How many messages were claimed before their person opted out and stopped before the hand-over.
async fn stopped_after_the_claim(world: &World, run: RunId) -> usize {
    let filter = MessageFilter { run: Some(run), state: Some(State::Skipped), ..MessageFilter::default() };
    let mut stopped = 0;
    for message in world.messages(filter).await {
        assert_eq!(message.reason, Some(Reason::OptedOut));
        assert_eq!(message.attempts, 0, "it was not handed over");
        let message = world.engine.messages().get(&world.admin, message.id).await.expect("a message");
        stopped +=
            usize::from(message.history.iter().any(|step| step.by == By::Worker && step.state == State::Skipped));
    }
    stopped
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_shared_meter_one_process_sends_and_another_takes_over() {
    let Some(mut world) = shared_world(Setup { rate_per_second: 20, ..Setup::default() }).await else { return };
    world.people(1, 120).await;
    let (_first, workers) = another(&world, Role::All).await;
    world.start();
    let run = world.launch(&world.campaign("Hi").await).await;
    world.until(run.id, "under way", |run| handed_over(&run.ledger) >= 5).await;
    let (began, before) = (tokio::time::Instant::now(), world.accepted_in_all());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let sent = world.accepted_in_all() - before;
    let seconds = began.elapsed().as_secs_f64();
    assert!(sent as f64 <= 20.0 * seconds * 1.2 + 5.0, "{sent} in {seconds} seconds: both send");
    workers.stop().await;
    let run = world.until_completed(run.id).await;
    assert_eq!(handed_over(&run.ledger), 120);
    world.assert_nobody_twice();
    world.stop().await;
}

/// Twilio counts these requests with the sends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_a_message_one_of_several_processes_asks() {
    // Fewer unclear answers than slow a sender down.
    const PEOPLE: i64 = 9;
    let (timeout, grace) = (Duration::from_secs(1), Duration::from_millis(800));
    let mut setup = Setup { timeout, grace, ..Setup::default() };
    setup.simulator.callbacks.enabled = false;
    // Four at a time they take a second: long enough for the others to look meanwhile.
    setup.simulator.latency_ms = 300;
    let lost = NumberRule { number: "*".to_owned(), fault: Some(Fault::LostAnswer), statuses: None };
    setup.simulator.numbers = vec![lost];
    let Some(mut world) = shared_world(setup).await else { return };
    world.people(1, PEOPLE).await;
    world.start();
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(another(&world, Role::Worker).await);
    }
    let run = world.launch(&world.campaign("Hi {{ first_name }}").await).await;
    world.until(run.id, "unknown", |run| run.ledger.unknown == PEOPLE).await;
    let before = world.twilio.simulator.control().stats().lists;
    let run = world.until(run.id, "found", |run| handed_over(&run.ledger) == PEOPLE).await;
    assert_eq!(run.ledger.failed, 0, "{:?}", run.ledger);
    let asked = world.twilio.simulator.control().stats().lists - before;
    // A process that started later may still have read what people wrote.
    assert!(asked <= 14, "{asked} lists for {PEOPLE} people");
    world.assert_nobody_twice();
    for (_, workers) in others {
        workers.stop().await;
    }
    world.stop().await;
}

/// Waits until the process of this role says that it waits for no list, at most so long.
async fn has_lists(world: &World, role: ProcessRole, at_most: Duration) -> bool {
    let said = async {
        loop {
            let processes = world.engine.processes().list(&world.admin).await.expect("a list");
            if processes.iter().any(|one| one.role == role && !one.figures.reads_lists) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(at_most, said).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_starts_beside_a_process_that_sends_does_not_wait_for_lists() {
    let Some(mut world) = shared_world(Setup::default()).await else { return };
    world.start();
    assert!(has_lists(&world, ProcessRole::All, Duration::from_secs(10)).await);
    // No list comes from now on.
    world.simulate(&json!({ "latency_ms": 60_000 }));
    let (_worker, workers) = another(&world, Role::Worker).await;
    assert!(has_lists(&world, ProcessRole::Worker, Duration::from_secs(12)).await);
    workers.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_knew_that_was_killed_is_not_relied_on() {
    let Some(mut world) = shared_world(Setup::default()).await else { return };
    world.simulate(&json!({ "latency_ms": 60_000 }));
    let now = world.engine.now();
    let sender = store::senders::list(world.db.reader()).await.expect("the senders").remove(0).sender.id;
    store::inbound::set_watermark(world.db.writer(), sender, now).await.expect("noted");
    let killed = build::process_elsewhere(now, Figures { may_send: true, ..Figures::default() });
    store::processes::save(world.db.writer(), &killed).await.expect("saved");
    world.start();
    assert!(!has_lists(&world, ProcessRole::All, Duration::from_secs(8)).await);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_launches_another_sends_at_once() {
    let Some(mut world) = shared_world(Setup::default()).await else { return };
    world.people(1, 3).await;
    world.start_as(Role::Web);
    let (_worker, workers) = another(&world, Role::Worker).await;
    for _ in 0..3 {
        let began = tokio::time::Instant::now();
        let run = world.launch(&world.campaign("Hi").await).await;
        world.until(run.id, "handed over", |run| handed_over(&run.ledger) == 3).await;
        tracing::info!(millis = began.elapsed().as_millis(), "from launch to hand-over");
        world.until_completed(run.id).await;
    }
    workers.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_sends_another_one_forecasts_by() {
    let Some(mut world) = shared_world(Setup { rate_per_second: 20, ..Setup::default() }).await else { return };
    world.people(1, 400).await;
    world.start_as(Role::Web);
    let (_worker, workers) = another(&world, Role::Worker).await;
    let run = world.launch(&world.campaign("Hi").await).await;
    let run = world.until(run.id, "forecast", |run| run.forecast.rate_now > 10.0).await;
    assert!(run.forecast.rate_now < 60.0, "{:?}", run.forecast);
    let alive = world.engine.processes().list(&world.admin).await.expect("a list");
    assert_eq!(alive.len(), 2, "{alive:?}");
    workers.stop().await;
    world.stop().await;
}

/// As if a newer version had started beside it, by rules that this one does not know.
async fn ask_for_rules(world: &World, rules: i32) {
    let tx = world.db.begin().await.expect("a transaction");
    store::installation::ask_for_rules(&tx, rules).await.expect("asked for");
    tx.commit().await.expect("committed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_of_an_older_version_stands_by_once_a_newer_one_is_there() {
    let Some(mut world) = shared_world(Setup { rate_per_second: 40, ..Setup::default() }).await else { return };
    world.people(1, 400).await;
    let running = world.launch(&world.campaign("Hi").await).await;
    world.start_as(Role::All);
    world.until(running.id, "under way", |run| handed_over(&run.ledger) >= 5).await;

    ask_for_rules(&world, store::installation::RULES + 1).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let then = world.accepted_in_all();
    let later = world.launch(&world.campaign("Later").await).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.accepted_in_all(), then, "it went on sending");
    let waiting = world.run(running.id).await;
    assert_eq!((waiting.ledger.sending, waiting.ledger.unknown), (0, 0), "nothing stays in its hands");
    assert_eq!(world.run(later.id).await.ledger.planned, 0, "it planned by rules that it may not know");
    world.stop().await;
}

/// The callbacks come to a process that sends nothing, and Redis forgets what that one told it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_rests_goes_on_resting_when_redis_is_started_anew() {
    if program::backends().len() == 1 {
        return; // A plain `cargo test` without services.
    }
    let server = Redis::start().await.expect("redis-server");
    let url: &'static str = server.url().leak();
    let mut setup = Setup { rate_per_second: 10, redis_url: Some(url), ..Setup::default() };
    setup.simulator.errors = vec![ErrorRule::new("*", 63_018, When::AfterSent)];
    let Some(mut world) = shared_world(setup).await else { return };
    world.people(1, 100).await;
    let run = world.launch(&world.campaign("Hi").await).await;
    world.start_as(Role::Web);
    let (_worker, workers) = another(&world, Role::Worker).await;
    world.until(run.id, "told of it", |run| run.ledger.undelivered >= 5).await;
    world.simulate(&json!({ "errors": null }));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let client = redis::Client::open(url).expect("a good URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("it answers");
    redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.expect("it forgets");
    // The others hear of it again within two seconds.
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    let then = world.accepted_in_all();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((world.accepted_in_all(), then < 100), (then, true), "{then}");
    workers.stop().await;
    world.stop().await;
}
