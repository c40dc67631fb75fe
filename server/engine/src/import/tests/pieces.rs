//! Imports cut into pieces: by the size of chunks, by processes that die, by two workers at once.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    ids::ImportId,
    import::{ImportOptions, ImportStatus},
    time::Timestamp,
};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::{Bench, benches, scattered, upload_scattered};
use crate::import::worker;

async fn in_chunks_of(bench: &Bench, rows: usize, interrupted: bool) -> Vec<String> {
    let id = upload_scattered(bench).await;
    if interrupted {
        while !chunk_by_chunk(bench, id, rows).await {}
    } else {
        worker::work(&bench.engine, id, &CancellationToken::new(), rows).await.unwrap();
    }
    bench.state().await
}

/// Does one chunk as a process does that then dies; true when the import is done.
async fn chunk_by_chunk(bench: &Bench, id: ImportId, rows: usize) -> bool {
    bench.clock.advance(Timestamp::HOUR);
    worker::work_once(&bench.engine, id, rows).await.unwrap();
    let import = bench.engine.imports().get(&bench.actor, id).await.unwrap();
    import.status == ImportStatus::Done
}

#[tokio::test]
async fn an_import_interrupted_after_every_chunk_gives_the_same() {
    for (whole, pieces) in benches().await.into_iter().zip(benches().await) {
        let expected = in_chunks_of(&whole, 10, false).await;
        assert_eq!(in_chunks_of(&pieces, 10, true).await, expected);
        let counts = expected.iter().find(|line| line.starts_with("120 ")).unwrap();
        assert!(counts.starts_with("120 35 1 1 79 4 1{"), "{counts}");
    }
}

#[tokio::test]
async fn the_size_of_chunks_changes_nothing() {
    for (one, other) in benches().await.into_iter().zip(benches().await) {
        let (one, other) = (in_chunks_of(&one, 1, false).await, in_chunks_of(&other, 2_000, false).await);
        assert_eq!(one, other);
    }
}

#[tokio::test]
async fn an_import_that_is_killed_anywhere_gives_the_same() {
    for (whole, killed) in benches().await.into_iter().zip(benches().await) {
        let expected = in_chunks_of(&whole, 7, false).await;
        let mut waited = Duration::from_millis(1);
        let id = upload_scattered(&killed).await;
        let mut kills = 0;
        loop {
            let engine = killed.engine.clone();
            let work = async move { worker::work(&engine, id, &CancellationToken::new(), 7).await };
            // Dropped in the middle of whatever it does, a transaction included.
            match tokio::time::timeout(waited, work).await {
                Ok(done) => break done.unwrap(),
                Err(_) => kills += 1,
            }
            waited += Duration::from_millis(3);
        }
        assert!(kills > 0, "never killed");
        assert_eq!(killed.state().await, expected, "after {kills} kills");
    }
}

#[tokio::test]
async fn two_workers_on_one_import_count_nothing_twice() {
    for bench in benches().await {
        let id = bench.upload(&scattered(), ImportOptions::default()).await.unwrap().id;
        let stop = CancellationToken::new();
        let (one, other) =
            tokio::join!(worker::work(&bench.engine, id, &stop, 5), worker::work(&bench.engine, id, &stop, 5));
        one.unwrap();
        other.unwrap();
        let import = bench.engine.imports().work(id).await.unwrap();
        assert_eq!((import.status, import.rows), (ImportStatus::Done, 120));
        assert_eq!(import.created, bench.count().await);
    }
}

#[tokio::test]
async fn the_worker_takes_what_was_uploaded_and_what_was_interrupted() {
    for bench in benches().await {
        let interrupted = bench.upload(&scattered(), ImportOptions::default()).await.unwrap().id;
        worker::work_once(&bench.engine, interrupted, 10).await.unwrap();
        bench.clock.advance(Timestamp::HOUR);
        let fresh = bench.upload(b"phone\n+94771230000\n", ImportOptions::default()).await.unwrap().id;
        let stop = CancellationToken::new();
        let running = tokio::spawn(worker::run(bench.engine.clone(), stop.clone()));
        for id in [interrupted, fresh] {
            let mut import = bench.engine.imports().get(&bench.actor, id).await.unwrap();
            for _ in 0..600 {
                if import.status == ImportStatus::Done {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
                import = bench.engine.imports().get(&bench.actor, id).await.unwrap();
            }
            assert_eq!(import.status, ImportStatus::Done);
        }
        stop.cancel();
        running.await.unwrap();
        let left = std::fs::read_dir(bench.engine.config().data_dir.join("imports")).unwrap().count();
        assert_eq!(left, 0, "files of imports that are done are removed");
    }
}

/// Rows of several people, put together in another order that keeps each person's own rows in theirs.
fn interleaved(rows: &[(u8, u8, String)], order: &[usize]) -> String {
    let mut by_person = BTreeMap::<u8, Vec<&(u8, u8, String)>>::new();
    for row in rows.iter().rev() {
        by_person.entry(row.0).or_default().push(row);
    }
    let mut file = "phone,a,b,consent\n".to_owned();
    let mut line = |row: &(u8, u8, String)| {
        let (person, column, value) = row;
        let cell = |wanted| if *column == wanted { value.as_str() } else { "" };
        let wish = match column {
            2 => "yes",
            3 => "no",
            _ => "",
        };
        file.push_str(&format!("+9477123450{person},{},{},{wish}\n", cell(0), cell(1)));
    };
    for pick in order {
        let people: Vec<u8> = by_person.keys().copied().collect();
        let Some(person) = people.get(pick % people.len().max(1)) else { break };
        let rows = by_person.entry(*person).or_default();
        rows.pop().into_iter().for_each(&mut line);
        if rows.is_empty() {
            by_person.remove(person);
        }
    }
    by_person.into_values().for_each(|rows| rows.into_iter().rev().for_each(&mut line));
    file
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_people_in_a_file_does_not_matter(
        rows in proptest::collection::vec((0_u8..4, 0_u8..4, "[a-c]{1,2}"), 1..24),
        order in proptest::collection::vec(0_usize..100, 24),
        size in 1_usize..9,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (one, other) = runtime.block_on(async {
            let mut states = Vec::new();
            // SQLite is enough here: both databases are compared elsewhere.
            for order in [&[][..], &order[..]] {
                let bench = benches().await.swap_remove(0);
                let id = bench.upload(interleaved(&rows, order).as_bytes(), ImportOptions::default()).await.unwrap().id;
                worker::work(&bench.engine, id, &CancellationToken::new(), size).await.unwrap();
                let query = "SELECT phone || CAST(attributes AS text) || consent AS line FROM contacts ORDER BY phone";
                let lines = store::all(bench.engine.db().reader(), query, Vec::new()).await.unwrap();
                states.push(lines.iter().map(|row| row.get::<String>("line").unwrap()).collect::<Vec<_>>());
            }
            (states.swap_remove(0), states.swap_remove(0))
        });
        prop_assert_eq!(one, other);
    }
}
