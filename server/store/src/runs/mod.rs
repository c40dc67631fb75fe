//! Runs: one execution of a campaign. Frozen at launch, planned in chunks, sent lane by lane, completed by the ledger.

mod lanes;
mod morning;
mod outlook;
mod plan;
mod progress;
mod read;
mod state;

pub use lanes::{RunLane, lane, lanes};
pub(crate) use morning::wait_for_morning;
pub use morning::{
    Asleep, Change, Planned, Waiting, Which, Woken, asleep, by_own_clocks, due_then, planned, wait_until, waiting,
};
pub use outlook::{DueGroup, DuePart, Someone, due_part, foretell, foretold, not_foretold};
pub use plan::{
    ChunkPlanned, PlanTally, RunPlan, finish_plan, is_planned, locales, plan_chunk, preview, refresh_statistics,
    to_plan,
};
pub(crate) use plan::{PLAN_COLUMNS, earlier_of_event, read_plan, reason_now, skip_decisions};
pub use progress::{Noted, Progress, UnderWay, note_progress, progress, under_way};
pub use read::{definition, frozen, get, latest, list, snapshot_at, summaries};
pub use state::{
    NewRun, Told, cancelled, close_cancelled, complete, done, insert, lock_open_run, lock_rules, pause_failing, rules,
    sender_of_open, set_rate, set_rules, set_status,
};
