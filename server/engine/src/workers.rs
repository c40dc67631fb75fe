//! Everything that runs by itself: planner, senders, reconciler, imports, the webhook writer, housekeeping.

use std::time::Duration;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Engine, import, ingest, planner, reconcile, sender, services};

/// How often partitions are made ahead.
const HOUSEKEEPING: Duration = Duration::from_secs(3_600);

/// The running workers.
pub struct Workers {
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Stopped last: callbacks of what the senders still finish are taken until then.
    ingest: TaskTracker,
    stop_ingest: CancellationToken,
}

/// Starts them.
#[must_use]
pub fn start(engine: &Engine) -> Workers {
    let workers = Workers {
        tasks: TaskTracker::new(),
        stop: CancellationToken::new(),
        ingest: TaskTracker::new(),
        stop_ingest: CancellationToken::new(),
    };
    workers.ingest.spawn(ingest::writer::run(engine.clone(), workers.stop_ingest.clone()));
    workers.tasks.spawn(planner::run(engine.clone(), workers.stop.clone()));
    workers.tasks.spawn(sender::run(engine.clone(), workers.stop.clone()));
    workers.tasks.spawn(reconcile::run(engine.clone(), workers.stop.clone()));
    workers.tasks.spawn(import::worker::run(engine.clone(), workers.stop.clone()));
    workers.tasks.spawn(keep_house(engine.clone(), workers.stop.clone()));
    workers
}

impl Workers {
    /// Begins nothing new from now on; [`Workers::stop`] waits for what is under way.
    pub fn begin_nothing(&self) {
        self.stop.cancel();
    }

    /// Stops claiming, lets requests in flight finish and their outcomes be written.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.stop_ingest.cancel();
        self.ingest.close();
        self.ingest.wait().await;
    }
}

async fn keep_house(engine: Engine, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = store::months::ensure(engine.db(), engine.now()).await {
            tracing::error!(%error, "the coming months' partitions cannot be made");
        }
        if let Err(error) = services::tidy::tidy(&engine).await {
            tracing::error!(%error, "what has served its time cannot be removed");
        }
        if let Ok(settings) = services::settings::current(&engine).await {
            services::simulator::follow(&engine, &settings).await;
        }
        let _ = tokio::time::timeout(HOUSEKEEPING, stop.cancelled()).await;
    }
}
