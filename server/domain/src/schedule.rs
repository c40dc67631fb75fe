//! What becomes of the instants at which a campaign is due.

use serde::{Deserialize, Serialize};

use crate::{
    campaign::{CampaignStatus, UnreadableCampaign},
    ids::CampaignId,
    time::Timestamp,
    word_enum,
};

word_enum! {
    /// What happens to an instant that was missed: the program was down, or the campaign paused.
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
        /// The program was down, or the campaign paused, and it does not catch up.
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
    /// How many earlier instants it stands for, which were missed; at most 1,000 are counted.
    pub missed: i32,
}

/// A month of campaigns, by the clock of a time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Calendar {
    /// `2026-12`
    pub month: String,
    pub timezone: String,
    /// The present day there, `2026-12-24`.
    pub today: String,
    /// Every day of the month.
    pub days: Vec<CalendarDay>,
    /// Whether there is more than is shown.
    pub truncated: bool,
    /// Campaigns that may be due in this month and cannot be read: they stand on no day.
    pub unreadable: Vec<UnreadableCampaign>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CalendarDay {
    /// `2026-12-24`
    pub date: String,
    /// 1 is Monday.
    pub weekday: u8,
    /// In the order of their times.
    pub entries: Vec<CalendarEntry>,
}

/// A campaign on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CalendarEntry {
    pub campaign_id: CampaignId,
    pub name: String,
    pub status: CampaignStatus,
    /// `09:00`, by the calendar's clock.
    pub time: String,
    /// None where it goes by everybody's own clock.
    pub at: Option<Timestamp>,
    /// The time is that of everybody's own clock, wherever they are.
    pub everywhere: bool,
    pub recurring: bool,
    /// It has begun; the others are to come, those of a paused campaign once it is resumed.
    pub has_run: bool,
}
