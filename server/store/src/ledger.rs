//! A run's counters, moved in the transaction that moves the messages.

use domain::{ids::RunId, message::State, reason::Reason};

use crate::{Result, Tx};

/// One message's change of state, as far as the counters care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Messages outside a run are not counted.
    pub run_id: Option<RunId>,
    pub from: State,
    pub to: State,
    /// For `to = Skipped`.
    pub reason: Option<Reason>,
    /// For `to = Failed` or `Undelivered`; when a failed message turns out delivered the tally goes back down.
    pub error_code: Option<i32>,
    /// The code that was tallied when the message was `from`.
    pub former_code: Option<i32>,
}

/// Applies the moves of a batch: one update a run and tally, in a fixed order so that two writers never wait for
/// each other in a circle.
///
/// # Errors
/// What the database says.
pub async fn apply(tx: &Tx, moves: &[Move]) -> Result<()> {
    let _ = (tx, moves);
    todo!()
}
