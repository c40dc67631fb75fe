//! A PostgreSQL whose host vanishes without closing connections, while another one answers at its address: the process
//! goes on by itself, nobody is lost and nobody gets a message twice.

mod world;

use std::time::Duration;

use world::{Setup, handed_over, world_by_road};

/// A loss is noticed within half a minute; then what was under way is looked for.
const AT_MOST: Duration = Duration::from_secs(90);

/// Waits until the run says so; what fails meanwhile is asked again.
async fn completed(db: &store::Db) {
    let query = "SELECT 1 AS one FROM runs WHERE status = 'completed'";
    while !matches!(store::one(db.reader(), query, Vec::new()).await, Ok(Some(_))) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_vanishes_without_a_word_loses_and_doubles_nobody() {
    let mut setup = Setup { rate_per_second: 30, ..Setup::default() };
    // What was under way may seem lost: it is looked for.
    setup.lease = Duration::from_secs(8);
    setup.timeout = Duration::from_secs(1);
    setup.grace = Duration::from_millis(500);
    let Some((mut world, road)) = world_by_road(setup).await else { return };
    world.people(1, 300).await;
    let campaign = world.launch(&world.campaign("Hi").await).await;
    world.start();
    world.until(campaign.id, "begun", |run| handed_over(&run.ledger) >= 20).await;
    road.vanish();
    assert!(world.accepted_in_all() < 300, "it is under way");
    let in_time = tokio::time::timeout(AT_MOST, completed(&world.db)).await;
    assert!(in_time.is_ok(), "{} are sent", world.accepted_in_all());
    let run = world.run(campaign.id).await;
    assert_eq!((handed_over(&run.ledger), run.ledger.failed), (300, 0), "{:?}", run.ledger);
    world.assert_nobody_twice();
    world.stop().await;
}
