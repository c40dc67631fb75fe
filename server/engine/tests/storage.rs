//! A database that takes no writes for a while: a full disk, a server that is read only. Nobody is lost, nobody gets a
//! message twice, and the run ends by itself.

mod world;

use std::time::Duration;

use store::Kind;
use world::{Setup, World, handed_over, worlds};

#[derive(Clone, Copy, Debug)]
enum Fault {
    Full,
    ReadOnly,
}

async fn run(world: &World, statement: &str) {
    store::exec(world.db.writer(), statement, Vec::new()).await.expect(statement);
}

/// Begins or ends the fault. SQLite has one connection that writes; PostgreSQL's others are ended, because each keeps what
/// held when it began.
async fn set(world: &World, fault: Fault, on: bool) {
    match (world.db.kind(), fault) {
        (Kind::Sqlite, Fault::Full) if on => {
            let pages = store::one(world.db.writer(), "PRAGMA page_count", Vec::new()).await.expect("it answers");
            let pages: i64 = pages.expect("a row").get("page_count").expect("a number");
            limit_pages(world, pages).await;
        }
        (Kind::Sqlite, Fault::Full) => limit_pages(world, 1_073_741_823).await,
        (Kind::Sqlite, Fault::ReadOnly) => run(world, &format!("PRAGMA query_only = {on}")).await,
        (Kind::Postgres, _) => {
            let tx = world.db.begin().await.expect("a transaction");
            store::exec(&tx, "SET TRANSACTION READ WRITE", Vec::new()).await.expect("set");
            let name = store::one(&tx, "SELECT current_database() AS name", Vec::new()).await.expect("it answers");
            let name: String = name.expect("a row").get("name").expect("a name");
            let set = format!("ALTER DATABASE {name} SET default_transaction_read_only = {on}");
            store::exec(&tx, set, Vec::new()).await.expect("set");
            tx.commit().await.expect("committed");
            let end = "SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity \
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
            store::one(world.db.reader(), end, Vec::new()).await.expect("ended");
            // The pool learns of each ended connection when it is used.
            for _ in 0..64 {
                let _ = store::one(world.db.reader(), "SELECT 1 AS one", Vec::new()).await;
            }
        }
    }
}

async fn limit_pages(world: &World, pages: i64) {
    let pragma = format!("PRAGMA max_page_count = {pages}");
    store::one(world.db.writer(), pragma, Vec::new()).await.expect("limited");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_takes_no_writes_for_a_while_loses_and_doubles_nobody() {
    for fault in [Fault::Full, Fault::ReadOnly] {
        let mut setup = Setup { rate_per_second: 150, ..Setup::default() };
        // What was under way may seem lost: it is looked for.
        setup.lease = Duration::from_secs(8);
        setup.timeout = Duration::from_secs(1);
        setup.grace = Duration::from_millis(500);
        for mut world in worlds(setup).await {
            // A full disk of PostgreSQL cannot be had here; it reports it as one of the codes that are tested.
            if matches!((world.db.kind(), fault), (Kind::Postgres, Fault::Full)) {
                continue;
            }
            world.people(1, 300).await;
            let campaign = world.launch(&world.campaign("Hi").await).await;
            world.start();
            world.until(campaign.id, "begun", |run| handed_over(&run.ledger) >= 20).await;
            set(&world, fault, true).await;
            let before = handed_over(&world.run(campaign.id).await.ledger);
            let ends = tokio::time::Instant::now() + Duration::from_secs(3);
            while tokio::time::Instant::now() < ends {
                tokio::time::sleep(Duration::from_millis(20)).await;
                // A limit is its connection's, and one that met it is replaced.
                if matches!((world.db.kind(), fault), (Kind::Sqlite, Fault::Full)) {
                    set(&world, fault, true).await;
                }
            }
            let meanwhile = handed_over(&world.run(campaign.id).await.ledger) - before;
            assert!(meanwhile < 150, "{fault:?}: {meanwhile} more were written down: there was no fault");
            set(&world, fault, false).await;
            let run = world.until_completed(campaign.id).await;
            assert_eq!((handed_over(&run.ledger), run.ledger.failed), (300, 0), "{fault:?}: {:?}", run.ledger);
            world.assert_nobody_twice();
            world.stop().await;
        }
    }
}
