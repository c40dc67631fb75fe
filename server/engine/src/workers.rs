//! Everything that runs by itself: planner, senders, imports, the webhook writer, housekeeping.

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::Engine;

/// The running workers.
pub struct Workers {
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Starts them.
#[must_use]
pub fn start(engine: &Engine) -> Workers {
    let _ = engine;
    Workers { tasks: TaskTracker::new(), stop: CancellationToken::new() }
}

impl Workers {
    /// Stops claiming, lets requests in flight finish and their outcomes be written.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
