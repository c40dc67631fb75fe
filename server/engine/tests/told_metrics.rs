//! What every process tells of itself, whatever its role.

mod world;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use engine::workers::Role;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use world::{Setup, worlds};

/// The names of the metrics that were told.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<BTreeSet<String>>>);

impl Names {
    fn note(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.name().to_owned());
    }

    fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Recorder for Names {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.note(key);
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.note(key);
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.note(key);
        Histogram::noop()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_is_asked_is_told_whatever_the_role() {
    let names = Names::default();
    metrics::set_global_recorder(names.clone()).expect("the only one");
    for role in [Role::Web, Role::Worker, Role::All] {
        for mut world in worlds(Setup::default()).await {
            names.take();
            world.start_as(role);
            let mut told = BTreeSet::new();
            let wait = async {
                while !["db_statements_total", "db_transactions_total"].iter().all(|name| told.contains(*name)) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    told.append(&mut names.take());
                }
            };
            let in_time = tokio::time::timeout(Duration::from_secs(5), wait).await;
            assert!(in_time.is_ok(), "{role:?}, {:?}: {told:?}", world.db.kind());
            world.stop().await;
        }
    }
}
