//! What the first page shows.

use serde::{Deserialize, Serialize};

use crate::{
    campaign::{Campaign, UnreadableCampaign},
    import::Import,
    settings::Sending,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dashboard {
    pub sending: Sending,
    pub contacts: i64,
    pub opted_in: i64,
    pub opted_out: i64,
    /// The last 24 hours.
    pub today: Today,
    /// Running and paused first, then the latest.
    pub campaigns: Vec<Campaign>,
    /// Those that would stand among them and cannot be read.
    pub unreadable: Vec<UnreadableCampaign>,
    pub imports: Vec<Import>,
    /// What is missing before a first campaign can go out.
    pub has_templates: bool,
    pub has_segments: bool,
    pub simulator: bool,
}

/// Messages are those of the runs that were active in the last 24 hours, by their ledgers; inbound messages and
/// opt-outs are counted by their own times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Today {
    /// The provider took them, whatever became of them then.
    pub handed_over: i64,
    /// Delivered, read or not.
    pub delivered: i64,
    pub read: i64,
    /// Failed and undelivered.
    pub failed: i64,
    pub inbound: i64,
    pub opt_outs: i64,
}
