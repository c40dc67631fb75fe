//! Everything that runs by itself: planner, senders, reconciler, imports, the webhook writer, housekeeping.

use std::time::Duration;

use domain::process::ProcessRole;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Engine, bell, gauges, heartbeat, import, ingest, optouts, planner, reconcile, scheduler, sender, services,
};

/// How often partitions are made ahead.
const HOUSEKEEPING: Duration = Duration::from_secs(3_600);

/// What a process does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    #[default]
    All,
    /// Takes what people, programs and webhooks bring; sends nothing.
    Web,
    /// Plans, sends and looks after what was sent.
    Worker,
}

impl Role {
    /// Whether it plans and sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::All | Self::Worker)
    }

    /// Whether people, programs and webhooks come to it.
    #[must_use]
    pub const fn is_called(self) -> bool {
        matches!(self, Self::All | Self::Web)
    }

    /// Its word in the database and the API.
    #[must_use]
    pub const fn word(self) -> ProcessRole {
        match self {
            Self::All => ProcessRole::All,
            Self::Web => ProcessRole::Web,
            Self::Worker => ProcessRole::Worker,
        }
    }
}

/// The running workers.
pub struct Workers {
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Stopped last: callbacks of what the senders still finish are taken until then.
    ingest: TaskTracker,
    stop_ingest: CancellationToken,
}

/// Starts those of this role. Imports are done by every process that has their files.
#[must_use]
pub fn start(engine: &Engine, role: Role) -> Workers {
    let workers = Workers {
        tasks: TaskTracker::new(),
        stop: CancellationToken::new(),
        ingest: TaskTracker::new(),
        stop_ingest: CancellationToken::new(),
    };
    if role.is_called() {
        workers.ingest.spawn(ingest::writer::run(engine.clone(), workers.stop_ingest.clone()));
    }
    if role.sends() {
        workers.tasks.spawn(planner::run(engine.clone(), workers.stop.clone()));
        workers.tasks.spawn(scheduler::run(engine.clone(), workers.stop.clone()));
        workers.tasks.spawn(services::opt_ins::run(engine.clone(), workers.stop.clone()));
        workers.tasks.spawn(services::content_templates::run(engine.clone(), workers.stop.clone()));
        if engine.db().kind() == store::Kind::Postgres {
            engine.inner().opt_outs.expect_others();
        }
        workers.tasks.spawn(optouts::follow(engine.clone(), workers.stop.clone()));
        workers.tasks.spawn(sender::run(engine.clone(), workers.stop.clone()));
        workers.tasks.spawn(reconcile::missed::run(engine.clone(), workers.stop.clone()));
        workers.tasks.spawn(reconcile::run(engine.clone(), workers.stop.clone()));
        workers.tasks.spawn(ingest::orphans::run(engine.clone(), workers.stop.clone()));
        workers.tasks.spawn(reconcile::unfinished::run(engine.clone(), workers.stop.clone()));
    }
    workers.ingest.spawn(bell::relay(engine.clone(), workers.stop_ingest.clone()));
    // Until nothing is left to do: while it finishes what is under way it is still there.
    workers.ingest.spawn(heartbeat::run(engine.clone(), role, workers.stop_ingest.clone()));
    // Until nothing is left to do, too: what is under way may still bring codes.
    workers.ingest.spawn(services::error_codes::run(engine.clone(), workers.stop_ingest.clone()));
    workers.tasks.spawn(gauges::run(engine.clone(), role, workers.stop.clone()));
    workers.tasks.spawn(import::worker::run(engine.clone(), workers.stop.clone()));
    workers.tasks.spawn(services::installation::keep_witness(engine.clone(), workers.stop.clone()));
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
