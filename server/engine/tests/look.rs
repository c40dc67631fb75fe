//! What the dispatcher's look at the database costs. Alone in its program: statements are counted for all that runs in it.

mod world;

use std::time::Duration;

use domain::{
    campaign::NewCampaign,
    quiet::FrequencyCap,
    run::{Run, RunStatus},
    settings::SettingsPatch,
    time::Timestamp,
};
use testkit::build;
use uuid::Uuid;
use world::{Setup, World, handed_over, worlds};

/// How many statements a time of two looks takes, when nothing else happens beside them.
async fn statements() -> u64 {
    let mut least = u64::MAX;
    for _ in 0..6 {
        let before = store::counts().0;
        tokio::time::sleep(Duration::from_millis(600)).await;
        least = least.min(store::counts().0 - before);
    }
    least
}

async fn launch(world: &World) -> Run {
    let new = NewCampaign {
        topic: Some("offers".to_owned()),
        template_id: Some(world.template("Hi").await),
        ..world.draft().await
    };
    let campaign = world.engine.campaigns().create(&world.admin, new).await.expect("a campaign");
    world.launch(&campaign).await
}

/// So many senders from which nothing can go out for an hour.
async fn block_senders(world: &World, count: u32) {
    let insert = "INSERT INTO senders (id, name, channel, address, account_sid, rate_per_second, enabled, created_at, \
                  updated_at, blocked_code, blocked_at, probe_at) \
                  VALUES ($1, $2, 'sms', $2, $3, 1, FALSE, 0, 0, 63007, $4, $5)";
    let now = world.engine.now();
    for number in 0..count {
        let values = vec![
            Uuid::new_v4().into(),
            format!("+1500666{number:04}").into(),
            simulator::ACCOUNT_SID.into(),
            now.as_micros().into(),
            now.plus(Timestamp::HOUR).as_micros().into(),
        ];
        store::exec(world.db.writer(), insert, values).await.expect("a sender");
    }
}

/// A look that takes longer than it holds lets nothing out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_is_as_few_statements_for_many_runs_and_blocked_senders() {
    // So slow that nearly all that happens are looks.
    for mut world in worlds(Setup { rate_per_second: 1, ..Setup::default() }).await {
        let new = serde_json::from_value(serde_json::json!({ "key": "offers", "name": "Offers" })).expect("a topic");
        world.engine.topics().create(&world.admin, new).await.expect("a topic");
        let topic = store::topics::id_of(world.db.reader(), "offers").await.expect("looked").expect("a topic");
        world.people(1, 60).await;
        build::subscribe(&world.db, topic, 1..=60, "subscribed").await;
        let cap = FrequencyCap { messages: 100, days: 7, topic: Some("offers".to_owned()) };
        let patch = SettingsPatch { frequency_caps: Some(vec![cap]), ..SettingsPatch::default() };
        world.engine.settings().update(&world.admin, patch).await.expect("settings");
        world.start();

        let first = launch(&world).await;
        world.until(first.id, "begun", |run| handed_over(&run.ledger) > 0).await;
        let of_one = statements().await;
        let mut others = Vec::new();
        for _ in 0..50 {
            others.push(launch(&world).await.id);
        }
        for run in others {
            world.until(run, "running", |run| run.status == RunStatus::Running).await;
        }
        let of_many = statements().await;
        assert!(of_many < of_one + 50, "{:?}: {of_one} of one run, {of_many} of 51", world.db.kind());
        // Nor are those asked for again and again whose people all sleep.
        let asleep = "UPDATE messages SET not_before = $1 WHERE open = 0 AND run_id <> $2";
        let morning = world.engine.now().plus(Timestamp::DAY).as_micros();
        store::exec(world.db.writer(), asleep, vec![morning.into(), first.id.0.into()]).await.expect("asleep");
        let of_sleepers = statements().await;
        assert!(of_sleepers < of_one + 50, "{:?}: {of_one} of one run, {of_sleepers} with 50", world.db.kind());
        block_senders(&world, 50).await;
        let of_blocked = statements().await;
        assert!(
            of_blocked < of_one + 50,
            "{:?}: {of_one} with no blocked sender, {of_blocked} with 50",
            world.db.kind()
        );
        world.stop().await;
    }
}
