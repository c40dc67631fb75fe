//! PostgreSQL gone without a word, which no connection is told of: what waits for it ends, and nothing else does.

use std::time::{Duration, Instant};

use store::{Db, Error, Kind, one};
use testkit::{TestDb, road::Road};

/// Within this time a loss is noticed: one look, and twice the time for an answer.
const NOTICED: Duration = Duration::from_secs(30);

/// Connections that are there answer within this time, with room for a busy machine.
const SOON: Duration = Duration::from_secs(4);

async fn postgres() -> Option<TestDb> {
    testkit::databases().await.into_iter().find(|test| test.kind() == Kind::Postgres)
}

async fn asked(db: Db, query: &str) -> Result<(), Error> {
    one(db.reader(), query, Vec::new()).await.map(|_| ())
}

fn is_away<T>(answer: Result<T, impl Into<Error>>) -> bool {
    answer.is_err_and(|error| error.into().is_unavailable())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_will_answer_ends_and_new_connections_answer() {
    let Some(test) = postgres().await else { return };
    let road = Road::to(&test.url).await.expect("a road");
    let db = Db::connect(&road.url, 16).await.expect("it answers");
    let mut listener = db.listen().await.expect("it answers").expect("PostgreSQL tells");
    let tx = db.begin().await.expect("begun");
    store::exec(&tx, "SELECT pg_advisory_xact_lock(7)", Vec::new()).await.expect("taken");
    // By a way of its own, and longer than the other needs to be found lost.
    let elsewhere = tokio::spawn(asked(test.db.clone(), "SELECT pg_sleep(25)"));
    let under_way = tokio::spawn(asked(db.clone(), "SELECT pg_sleep(1)"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    road.vanish();
    let ends = async {
        tokio::join!(under_way, tx.commit(), listener.next(), one(db.lookout(), "SELECT 1 AS one", Vec::new()))
    };
    let (under_way, committed, heard, looked) =
        tokio::time::timeout(NOTICED, ends).await.expect("everything that waits ends");
    assert!(is_away(under_way.expect("no panic")), "what was asked before");
    assert!(is_away(committed), "a transaction");
    assert!(is_away(heard), "who listens");
    assert!(is_away(looked), "what was asked later, by a connection that nobody used just then");

    let again = Instant::now();
    for pool in [db.reader(), db.writer(), db.lookout()] {
        assert!(one(pool, "SELECT 1 AS one", Vec::new()).await.expect("it answers").is_some());
    }
    for begun in [db.begin().await, db.begin_ingest().await] {
        begun.expect("begun").commit().await.expect("committed");
    }
    assert!(db.lock_sending(false).await.expect("it answers").is_some(), "nobody holds it");
    assert!(again.elapsed() < SOON, "{:?}", again.elapsed());
    elsewhere.await.expect("no panic").expect("what takes long is waited for");
    db.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_ends_idle_connections_ends_no_statement() {
    let Some(test) = postgres().await else { return };
    let long = tokio::spawn(asked(test.db.clone(), "SELECT pg_sleep(8)"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let end = "SELECT count(pg_terminate_backend(pid)) AS ended FROM pg_stat_activity \
               WHERE datname = current_database() AND state = 'idle'";
    let ended = one(test.db.writer(), end, Vec::new()).await.expect("it answers").expect("a row");
    assert!(ended.get::<i64>("ended").expect("a number") >= 1, "the one that looks after the database is among them");
    long.await.expect("no panic").expect("it was answered");
}

/// Else a host that vanishes would hold its locks, and the right to send, for two hours.
#[tokio::test]
async fn the_server_is_asked_to_look_whether_a_process_is_there() {
    let Some(test) = postgres().await else { return };
    for (setting, wanted) in [
        ("tcp_keepalives_idle", "10"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "4"),
        ("tcp_user_timeout", "30000"),
    ] {
        let query = format!("SELECT current_setting('{setting}') AS found");
        let row = one(test.db.reader(), query, Vec::new()).await.expect("it answers").expect("a row");
        assert_eq!(row.get::<String>("found").expect("a text"), wanted, "{setting}, by TCP");
    }
}

/// Whoever got the connection next would write inside of a transaction that nobody commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_broken_off_while_it_begins_is_undone() {
    let Some(test) = postgres().await else { return };
    for turns in 0..100 {
        let turns = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            _ = test.db.begin() => {}
            () = turns => {}
        }
    }
    let open = "SELECT count(*) AS n FROM pg_stat_activity \
                WHERE datname = current_database() AND state = 'idle in transaction'";
    let none_open = async {
        loop {
            let row = one(test.db.lookout(), open, Vec::new()).await.expect("it answers").expect("a row");
            if row.get::<i64>("n").expect("a number") == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, none_open).await.expect("all of them are undone");
}
