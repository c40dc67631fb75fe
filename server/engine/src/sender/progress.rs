//! Which runs something became of lately, so that it is noted how far they have come: for the picture of what happened
//! nobody has to count messages.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::ids::RunId;
use tokio_util::sync::CancellationToken;

use crate::{Engine, services::forecast};

/// How often it is noted.
const EVERY: Duration = Duration::from_secs(1);

/// The runs of which this process has written what became of messages, and which were not noted since.
#[derive(Debug, Default)]
pub struct Moved(Mutex<BTreeSet<RunId>>);

impl Moved {
    pub(crate) fn add(&self, runs: impl IntoIterator<Item = RunId>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(runs);
    }

    fn take(&self) -> Vec<RunId> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }
}

/// Notes until it is told that everything is done, and then once more.
pub(super) async fn run(engine: Engine, done: CancellationToken) {
    loop {
        let is_done = done.is_cancelled();
        let moved = &engine.inner().moved;
        let runs = moved.take();
        if !runs.is_empty()
            && let Err(error) = forecast::note_progress(&engine, &runs).await
        {
            tracing::warn!(%error, "how far runs have come could not be noted; it is tried again");
            moved.add(runs);
        }
        if is_done {
            return;
        }
        let _ = tokio::time::timeout(EVERY, done.cancelled()).await;
    }
}
