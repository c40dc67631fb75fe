//! What people do while messages are on their way to a slow provider.

mod world;

use std::{any::Any, time::Duration};

use domain::{
    campaign::CampaignStatus,
    message::{Channel, NewMessage, State},
    run::RunStatus,
    settings::{Sending, SendingState, SettingsPatch},
};
use serde_json::json;
use store::Kind;
use testkit::build;
use tokio::time::Instant;
use world::{Setup, World, handed_over, parted_worlds, worlds};

/// Four requests at a time of 400 ms: what is claimed waits for seconds.
async fn slow_worlds() -> Vec<World> {
    let probe_after = Duration::from_millis(500);
    let mut setup = Setup { concurrency: 4, probe_after, ..Setup::default() };
    setup.simulator.latency_ms = 400;
    worlds(setup).await
}

/// Nothing more is handed over, although much is claimed.
async fn assert_silent(world: &World) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let then = world.accepted_in_all();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(world.accepted_in_all(), then, "{:?}", world.db.kind());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holding_pausing_and_cancelling_stop_what_is_claimed_too() {
    for mut world in slow_worlds().await {
        world.people(1, 200).await;
        let campaign = world.campaign("Hi").await;
        let run = world.launch(&campaign).await;
        world.start();
        world.until(run.id, "under way", |run| handed_over(&run.ledger) >= 4).await;
        let sending = |state| SettingsPatch {
            sending: Some(Sending { state, reason: Some("test".to_owned()) }),
            ..SettingsPatch::default()
        };
        world.engine.settings().update(&world.admin, sending(SendingState::Held)).await.expect("held");
        assert_silent(&world).await;

        let before = handed_over(&world.run(run.id).await.ledger);
        world.engine.settings().update(&world.admin, sending(SendingState::On)).await.expect("released");
        world.until(run.id, "under way again", |run| handed_over(&run.ledger) > before).await;
        world.engine.campaigns().pause(&world.admin, campaign.id).await.expect("paused");
        assert_silent(&world).await;

        let before = handed_over(&world.run(run.id).await.ledger);
        world.engine.campaigns().resume(&world.admin, campaign.id).await.expect("resumed");
        world.until(run.id, "under way again", |run| handed_over(&run.ledger) > before).await;
        world.engine.campaigns().cancel(&world.admin, campaign.id).await.expect("cancelled");
        assert_silent(&world).await;
        let run = world.until(run.id, "over", |run| run.finished_at.is_some()).await;
        assert_eq!((run.status, run.ledger.queued, run.ledger.sending), (RunStatus::Cancelled, 0, 0));
        assert!(run.ledger.cancelled > 150, "{:?}", run.ledger);
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_of_a_deleted_campaign_holds_nobody_up() {
    for mut world in slow_worlds().await {
        world.people(1, 1).await;
        // A fault of the account pauses the campaign, which is gone by then.
        world.simulate(&json!({"latency_ms": 1_000, "errors": [{"number": "*", "code": 20003}]}));
        let campaign = world.campaign("Hi").await;
        let run = world.launch(&campaign).await;
        world.start();
        world.until(run.id, "on its way", |run| run.ledger.sending == 1).await;
        world.engine.campaigns().cancel(&world.admin, campaign.id).await.expect("cancelled");
        assert_eq!(world.campaign_status(&campaign).await, CampaignStatus::Cancelled);
        world.engine.campaigns().delete(&world.admin, campaign.id).await.expect("deleted");
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        world.simulate(&json!({"latency_ms": 0, "errors": []}));
        let next = world.launch(&world.campaign("Hi again").await).await;
        world.until_completed(next.id).await;
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_erased_while_a_message_is_on_its_way_leaves_no_text() {
    for mut world in slow_worlds().await {
        world.people(1, 1).await;
        world.simulate(&json!({"latency_ms": 1_000}));
        let run = world.launch(&world.campaign("Dear {{ first_name }}").await).await;
        world.start();
        world.until(run.id, "on its way", |run| run.ledger.sending == 1).await;
        world.engine.contacts().erase(&world.admin, &build::phone(1)).await.expect("erased");
        let run = world.until_completed(run.id).await;
        assert_eq!(handed_over(&run.ledger), 1, "{:?}", State::Accepted);
        let texts =
            store::one(world.db.reader(), "SELECT CAST(count(*) AS bigint) AS n FROM message_texts", Vec::new());
        let texts: i64 = texts.await.expect("it answers").expect("a row").get("n").expect("a number");
        assert_eq!(texts, 0, "{:?}", world.db.kind());
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_does_not_wait_behind_a_campaign() {
    let mut setup = Setup::default();
    setup.simulator.latency_ms = 1_000;
    for mut world in worlds(setup).await {
        world.people(1, 400).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until(run.id, "in full swing", |run| run.ledger.sending >= 100).await;
        let reply = NewMessage {
            phone: build::phone(400),
            template_id: None,
            body: Some("Hello".to_owned()),
            channel: Some(Channel::Whatsapp),
            sender_id: None,
            variables: serde_json::Map::new(),
        };
        let began = Instant::now();
        let reply = world.engine.messages().create(&world.admin, reply).await.expect("taken").id;
        let sent = async {
            while world.engine.messages().get(&world.admin, reply).await.expect("there").provider_sid.is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), sent).await.expect("the reply goes out");
        // Behind eight messages for each slot it would be seven seconds and more.
        assert!(began.elapsed() < Duration::from_millis(2_500), "{:?}: {:?}", world.db.kind(), began.elapsed());
        let sending = world.run(run.id).await.ledger.sending;
        assert!(sending >= 80, "the campaign is in full swing all the while: {sending}");
        world.stop().await;
    }
}

/// Takes all connections for what is read, as slow pages and exports do. They are held as long as this lives.
async fn take_the_readers(world: &World) -> Vec<Box<dyn Any>> {
    const MOST: usize = 16;
    let mut held: Vec<Box<dyn Any>> = Vec::new();
    let reader = world.db.reader().connections();
    while held.len() < MOST {
        let moment = Duration::from_millis(300);
        let connection: Option<Box<dyn Any>> = match world.db.kind() {
            Kind::Postgres => {
                let taken = tokio::time::timeout(moment, reader.get_postgres_connection_pool().acquire()).await;
                taken.ok().map(|connection| Box::new(connection.expect("a connection")) as Box<dyn Any>)
            }
            Kind::Sqlite => {
                let taken = tokio::time::timeout(moment, reader.get_sqlite_connection_pool().acquire()).await;
                taken.ok().map(|connection| Box::new(connection.expect("a connection")) as Box<dyn Any>)
            }
        };
        let Some(connection) = connection else { return held };
        held.push(connection);
    }
    panic!("{:?}: there is no end of them", world.db.kind());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_on_while_pages_and_exports_have_all_connections_for_what_is_read() {
    for mut world in parted_worlds(Setup { rate_per_second: 40, ..Setup::default() }).await {
        world.people(1, 120).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until(run.id, "under way", |run| run.ledger.planned == 120 && handed_over(&run.ledger) >= 5).await;
        let held = take_the_readers(&world).await;
        assert!(!held.is_empty() && world.accepted_in_all() < 120, "{:?}: it is under way", world.db.kind());
        let completed = async {
            loop {
                let query = "SELECT status FROM runs";
                let row = store::one(world.db.writer(), query, Vec::new()).await.expect("it answers").expect("a run");
                if row.get::<String>("status").expect("a status") == "completed" {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(15), completed).await;
        assert!(in_time.is_ok(), "{:?}: {} are sent", world.db.kind(), world.accepted_in_all());
        drop(held);
        assert_eq!(handed_over(&world.run(run.id).await.ledger), 120);
        world.assert_nobody_twice();
        world.stop().await;
    }
}
