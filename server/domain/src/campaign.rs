//! The intention: what to say, to whom, from where, when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    deadline::SendBefore,
    ids::{CampaignId, SegmentId, SenderId, TemplateId},
    problem::FieldError,
    quiet::QuietHours,
    run::RunSummary,
    schedule::{CatchUp, LastDue},
    time::Timestamp,
    word_enum,
};

word_enum! {
    pub enum CampaignStatus {
        Draft = "draft",
        Scheduled = "scheduled",
        Running = "running",
        Paused = "paused",
        Completed = "completed",
        Cancelled = "cancelled",
        Failed = "failed",
    }
}

word_enum! {
    /// What happens to a message past its `send_before`.
    pub enum Late {
        Wait = "wait",
        Drop = "drop",
    }
}

word_enum! {
    pub enum Repeat {
        EachRun = "each_run",
        OncePerPerson = "once_per_person",
    }
}

word_enum! {
    /// What happens to a message whose outcome cannot be known.
    pub enum OnUnknown {
        /// Sent again once its absence at the provider is proven.
        Requeue = "requeue",
        GiveUp = "give_up",
    }
}

/// When a campaign goes out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Trigger {
    /// When somebody launches it.
    #[default]
    Now,
    /// Once, at a time to come.
    Once {
        /// An instant such as `2026-12-01T09:00:00+05:30`. With `local` or a `timezone`, a time without offset such as
        /// `2026-12-01T09:00`.
        at: String,
        /// By the clock of each recipient: everybody gets it at this time where they are.
        #[serde(default)]
        local: bool,
        /// By the clock of this zone (an IANA name), also when it turns out to be set otherwise until then. A time that it
        /// skips is the first instant after the gap; one that comes twice is its first occurrence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timezone: Option<String>,
    },
    /// Again and again.
    Cron {
        /// Five fields: minute, hour, day of the month, month, day of the week. A time that the clock skips is the first
        /// instant after the gap; one that comes twice is its first occurrence.
        expression: String,
        /// An IANA name; left out, the workspace's default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timezone: Option<String>,
        /// Not after this instant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// At most so many runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<i32>,
    },
    /// Whenever something happens elsewhere: one run that stays open.
    Event {
        /// Of the events that it listens to.
        name: String,
        /// From the event to its message; an ISO 8601 duration such as `PT30M`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delay: Option<String>,
        /// A person's next event within this time goes into the message of the one before, which then waits anew: the
        /// last one's data wins. An ISO 8601 duration.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        debounce: Option<String>,
    },
}

impl Trigger {
    #[must_use]
    pub const fn is_event(&self) -> bool {
        matches!(self, Self::Event { .. })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Campaign {
    pub id: CampaignId,
    pub name: String,
    /// A topic's key; null needs no subscription.
    pub topic: Option<String>,
    pub template_id: Option<TemplateId>,
    pub segment_id: Option<SegmentId>,
    /// Null is the channel's default sender.
    pub sender_id: Option<SenderId>,
    pub trigger: Trigger,
    /// What happens to a scheduled instant that was missed.
    pub catch_up: CatchUp,
    pub rate_per_second: Option<i32>,
    /// By the recipient's clock, whatever the category; on top of the workspace's.
    pub quiet_hours: Option<QuietHours>,
    /// `late` says what happens to a message after it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "PT6H"))]
    pub send_before: Option<SendBefore>,
    pub late: Late,
    pub repeat: Repeat,
    #[serde(rename = "unknown")]
    pub on_unknown: OnUnknown,
    pub weight: i32,
    pub status: CampaignStatus,
    /// Why it is paused or failed, when the scheduler did it, or its latest run was paused for a reason and ended so.
    pub reason: Option<String>,
    /// When it is due next, while it is scheduled.
    pub next_run_at: Option<Timestamp>,
    /// What became of the latest instant that it was due.
    pub last_due: Option<LastDue>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
    /// The latest run, when there is one.
    pub run: Option<RunSummary>,
}

/// A campaign that this version of the program cannot read: a newer one has written it, or it is damaged. No run of it
/// begins; one that is under way goes on as it was launched, until it is paused or cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnreadableCampaign {
    pub id: CampaignId,
    pub name: String,
    /// Null where that itself cannot be read.
    pub status: Option<CampaignStatus>,
    pub created_at: Timestamp,
}

/// One page of campaigns, newest first; `next_cursor` is opaque and null on the last page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CampaignList {
    pub items: Vec<Campaign>,
    pub next_cursor: Option<String>,
    /// Those of this page that cannot be read: they are not among the items.
    pub unreadable: Vec<UnreadableCampaign>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewCampaign {
    pub name: String,
    #[serde(default)]
    pub topic: Option<String>,
    #[serde(default)]
    pub template_id: Option<TemplateId>,
    #[serde(default)]
    pub segment_id: Option<SegmentId>,
    #[serde(default)]
    pub sender_id: Option<SenderId>,
    #[serde(default)]
    pub trigger: Trigger,
    #[serde(default = "default_catch_up")]
    pub catch_up: CatchUp,
    #[serde(default)]
    pub rate_per_second: Option<i32>,
    #[serde(default)]
    pub quiet_hours: Option<QuietHours>,
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "PT6H"))]
    pub send_before: Option<SendBefore>,
    #[serde(default = "default_late")]
    pub late: Late,
    #[serde(default = "default_repeat")]
    pub repeat: Repeat,
    #[serde(default = "default_on_unknown", rename = "unknown")]
    pub on_unknown: OnUnknown,
    #[serde(default = "default_weight")]
    pub weight: i32,
}

/// `None` leaves a field as it is, `Some(None)` clears it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CampaignPatch {
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<String>,
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub topic: Option<Option<String>>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub template_id: Option<TemplateId>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub segment_id: Option<SegmentId>,
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<SenderId>))]
    pub sender_id: Option<Option<SenderId>>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub trigger: Option<Trigger>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub catch_up: Option<CatchUp>,
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<i32>))]
    pub rate_per_second: Option<Option<i32>>,
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<QuietHours>))]
    pub quiet_hours: Option<Option<QuietHours>>,
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub send_before: Option<Option<SendBefore>>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub late: Option<Late>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub repeat: Option<Repeat>,
    #[serde(
        default,
        rename = "unknown",
        deserialize_with = "crate::patch::given",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub on_unknown: Option<OnUnknown>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub weight: Option<i32>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub version: Option<i64>,
}

/// Which campaigns are wanted. `q` is a part of the name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CampaignFilter {
    pub q: Option<String>,
    pub status: Option<CampaignStatus>,
}

/// What launching would do: shown before the button that sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LaunchCheck {
    pub campaign: Campaign,
    pub audience_name: String,
    pub template_name: String,
    pub sender_name: String,
    /// Everybody in the audience; of a campaign that waits for events nobody is counted.
    pub audience: i64,
    /// Of them, who would be skipped already at planning, by reason.
    pub skipped: BTreeMap<String, i64>,
    /// The messages per second that the sender and the campaign allow; by SMS if each text takes one segment.
    pub rate_per_second: i32,
    /// What keeps it from being launched.
    pub problems: Vec<FieldError>,
    /// What does not keep it from being launched, and should be known before.
    pub warnings: Vec<String>,
    /// The text as the first person of the audience would get it.
    pub sample_text: Option<String>,
}

/// What `POST /campaigns/{id}/override-quiet-hours` takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OverrideQuietHours {
    /// Why it cannot wait.
    pub reason: String,
}

/// One of the few that a test goes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// 1–10 numbers, in any usual writing.
    pub phones: Vec<String>,
}

fn default_catch_up() -> CatchUp {
    CatchUp::Run
}

fn default_late() -> Late {
    Late::Wait
}

fn default_repeat() -> Repeat {
    Repeat::EachRun
}

fn default_on_unknown() -> OnUnknown {
    OnUnknown::Requeue
}

fn default_weight() -> i32 {
    1
}
