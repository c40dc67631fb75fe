//! What becomes of the instants at which a campaign is due.

use serde::{Deserialize, Serialize};

use crate::{time::Timestamp, word_enum};

word_enum! {
    /// What happens to an instant that nobody was there for: the program was down, or the campaign paused.
    pub enum CatchUp {
        /// It runs as soon as possible; of several only the latest.
        Run = "run",
        Skip = "skip",
    }
}

word_enum! {
    pub enum DueOutcome {
        /// It became a run.
        Launched = "launched",
        Skipped = "skipped",
    }
}

word_enum! {
    /// Why an instant did not become a run.
    pub enum DueReason {
        /// Nobody was there, and the campaign does not catch up.
        Missed = "missed",
        /// The run before it was not over.
        StillRunning = "still_running",
    }
}

/// What became of one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LastDue {
    pub due_at: Timestamp,
    pub outcome: DueOutcome,
    /// Why it was skipped.
    pub reason: Option<DueReason>,
    /// How many earlier instants it stands for, which nobody was there for; at most 1,000 are counted.
    pub missed: i32,
}
