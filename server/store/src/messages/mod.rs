//! Messages: claim, outcome, callbacks, lists.
//!
//! Every function that moves messages locks their rows in the order of their ids, moves them, writes what explains the
//! move, and moves the run's counters last (see [`crate::ledger`] for the order of locks).

mod caps;
mod claim;
mod grounds;
mod history;
mod list;
mod orphans;
mod outcome;
mod receipts;
mod replay;
mod rollups;
mod rows;
mod single;
mod sweep;
mod unfinished;
mod unknown;
mod unreachable;
mod waiting_singles;

pub use caps::{CapWindow, count_for_caps, count_for_rehearsal};
pub use claim::{
    Claimed, ClaimedContact, Lane, Lease, Which, as_if_claimed, claim, claim_probe, next_due, single_as_if_claimed,
    single_lanes,
};
pub use grounds::{Grounds, KnownGrounds, Seen};
pub use history::{DecisionIn, RULES_VERSION};
pub(crate) use history::{write_first_decisions, write_plan_decisions};
pub use list::{ExportRow, export_chunk, get, list, said_to};
pub use orphans::{Claimable, claimable, end_of_orphans};
pub use outcome::{Effect, OutcomeIn, Settled, write_outcomes};
pub use receipts::{Planned, ReceiptIn, ReceiptOut, ReceiptOutcome, plan_receipts, write_receipts};
pub use replay::{Evidence, evidence, restore};
pub use rollups::rollups_of_run;
pub use rows::recipients;
pub(crate) use rows::state;
pub use single::{NewSingle, insert_single};
pub use sweep::{
    CLOCKS_APART, cancel_queued, expire_leases, has_expired_leases, is_ahead, lock_open, set_back, skip_expired,
    skip_left, skip_queued,
};
pub(crate) use unfinished::moves_since;
pub use unfinished::{
    Among, Patience, Unfinished, UnfinishedRun, made_before, settle_unfinished, take_unfinished, unfinished,
    unfinished_runs,
};
pub(crate) use unknown::given_up;
pub use unknown::{
    Finding, UnknownMessage, bound_sids, count_unknown, is_another_under_way, settle_unknown, take_unknown, unknown,
};
pub(crate) use unreachable::left_alone;
pub use waiting_singles::{SINGLE_LANES, due_singles, next_single};
