//! What the first page shows.

use serde::{Deserialize, Serialize};

use crate::{campaign::Campaign, import::Import, settings::Sending};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dashboard {
    pub sending: Sending,
    pub contacts: i64,
    pub opted_in: i64,
    pub opted_out: i64,
    /// Handed over, delivered and read, inbound messages and opt-outs in the last 24 hours.
    pub today: Today,
    /// Running and paused first, then the latest.
    pub campaigns: Vec<Campaign>,
    pub imports: Vec<Import>,
    /// What is missing before a first campaign can go out.
    pub has_templates: bool,
    pub has_segments: bool,
    pub simulator: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Today {
    pub handed_over: i64,
    pub delivered: i64,
    pub read: i64,
    pub failed: i64,
    pub inbound: i64,
    pub opt_outs: i64,
}
