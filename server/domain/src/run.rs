//! One execution of a campaign, with its plan and its ledger.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    campaign::{Late, OnUnknown, Repeat},
    consent::Category,
    ids::{CampaignId, RunId},
    message::{Channel, Message, Outcome, State, StepActor},
    quiet::QuietHours,
    time::Timestamp,
    word_enum,
};

word_enum! {
    pub enum RunStatus {
        Planning = "planning",
        Rehearsed = "rehearsed",
        Running = "running",
        Paused = "paused",
        Completed = "completed",
        Cancelled = "cancelled",
        Failed = "failed",
    }
}

word_enum! {
    /// What messages are counted by.
    #[derive(Default)]
    pub enum RollupBy {
        /// The region of the number, as two letters; empty where it is not known.
        #[default]
        Country = "country",
        /// The hour in which they came so far; `2026-12-01T09:00:00Z`.
        Hour = "hour",
    }
}

/// How many messages of a run came how far: whoever has read it has also been counted at each part of the way before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rollup {
    /// The country or the hour.
    pub key: String,
    pub accepted: i64,
    pub sent: i64,
    pub delivered: i64,
    pub read: i64,
    pub undelivered: i64,
    pub failed: i64,
}

impl RunStatus {
    /// Whether messages of the run may be claimed.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::Running)
    }

    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Failed)
    }
}

/// The counts of a run. They always balance: `planned` is the sum of all the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ledger {
    pub planned: i64,
    pub queued: i64,
    pub sending: i64,
    pub unknown: i64,
    pub accepted: i64,
    pub sent: i64,
    pub delivered: i64,
    pub read: i64,
    pub undelivered: i64,
    pub failed: i64,
    pub skipped: i64,
    pub cancelled: i64,
}

impl Ledger {
    #[must_use]
    pub const fn count(&self, state: State) -> i64 {
        match state {
            State::Queued => self.queued,
            State::Sending => self.sending,
            State::Unknown => self.unknown,
            State::Accepted => self.accepted,
            State::Sent => self.sent,
            State::Delivered => self.delivered,
            State::Read => self.read,
            State::Undelivered => self.undelivered,
            State::Failed => self.failed,
            State::Skipped => self.skipped,
            State::Cancelled => self.cancelled,
        }
    }

    /// What still has work to be done.
    #[must_use]
    pub const fn open(&self) -> i64 {
        self.queued + self.sending + self.unknown
    }

    /// What was handed over or has failed.
    #[must_use]
    pub const fn tried(&self) -> i64 {
        self.accepted + self.sent + self.delivered + self.read + self.undelivered + self.failed
    }

    #[must_use]
    pub fn balances(&self) -> bool {
        self.planned == State::ALL.iter().map(|state| self.count(*state)).sum::<i64>()
    }
}

/// A run in the API and on the pages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Run {
    pub id: RunId,
    pub campaign_id: CampaignId,
    /// The campaign's first run is 1. That of a rehearsal is below zero until it is launched.
    pub number: i32,
    pub status: RunStatus,
    pub ledger: Ledger,
    pub skipped_by_reason: BTreeMap<String, i64>,
    pub failures_by_code: BTreeMap<String, i64>,
    /// Those of `queued` that wait for their people's morning.
    pub quiet: Quiet,
    /// Who said that it cannot wait for anybody's morning, and why, oldest first; also after it was taken back, and when the
    /// run is over.
    #[serde(default)]
    pub quiet_overrides: Vec<QuietOverride>,
    pub forecast: Forecast,
    /// What its rehearsal found; null when it was not rehearsed.
    pub rehearsal: Option<Rehearsal>,
    /// What a rehearsal had found, where the run was planned anew after it: of a campaign that goes out by itself, or that
    /// was changed since.
    pub rehearsed_before: Option<RehearsedBefore>,
    pub template_version: i64,
    pub rate_per_second: Option<i32>,
    /// Why it is paused or failed, when it is.
    pub reason: Option<String>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

impl Run {
    /// Nothing of it goes out before it is launched.
    #[must_use]
    pub fn is_rehearsal(&self) -> bool {
        self.rehearsal.as_ref().is_some_and(|rehearsal| !rehearsal.launched)
    }
}

/// What a run executes by, frozen at its launch: later changes of the campaign touch only later runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Of the template: decides which consent is needed.
    pub category: Category,
    pub channel: Channel,
    pub late: Late,
    pub repeat: Repeat,
    pub on_unknown: OnUnknown,
    /// The campaign's own; those of the workspace and of law are read when a message is decided.
    #[serde(default)]
    pub quiet_hours: Option<QuietHours>,
    /// An admin said that it cannot wait: no quiet hours hold for it. Never of marketing.
    #[serde(default)]
    pub quiet_off: bool,
    /// Who said so and why, oldest first, also after it was taken back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quiet_overrides: Vec<QuietOverride>,
    /// Everybody's own clock says this when their message is due; a local time without offset.
    #[serde(default)]
    pub local_at: Option<String>,
    /// Whose own time was over when the run began gets nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leave_late: bool,
    /// The version of the database of time zones that own clocks were read by; none of a run that was planned before that
    /// was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tzdb: Option<String>,
    /// Nothing is handed over after this instant; `late` says what happens instead.
    #[serde(default)]
    pub send_before: Option<Timestamp>,
    /// The run stays open, and events make its messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventRules>,
}

/// That a run goes out in quiet hours, too: who said so, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuietOverride {
    pub by: StepActor,
    pub reason: String,
    pub since: Timestamp,
    /// When it was taken back, or said anew; null of one that holds, or held to the end of the run.
    pub until: Option<Timestamp>,
}

impl Rules {
    /// Whatever was said about quiet hours holds no longer.
    pub fn restore_quiet(&mut self, now: Timestamp) {
        self.quiet_off = false;
        for said in self.quiet_overrides.iter_mut().filter(|said| said.until.is_none()) {
            said.until = Some(now);
        }
    }

    /// No quiet hours hold for the run any more: somebody said why.
    pub fn override_quiet(&mut self, by: StepActor, reason: String, now: Timestamp) {
        self.restore_quiet(now);
        self.quiet_off = true;
        self.quiet_overrides.push(QuietOverride { by, reason, since: now, until: None });
    }
}

/// How a run takes events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRules {
    pub name: String,
    /// Microseconds from the event to its message.
    pub delay: i64,
    /// Microseconds in which a person's next event goes into the message of the one before.
    pub debounce: i64,
}

impl EventRules {
    /// When the message of an event is due.
    #[must_use]
    pub const fn due(&self, event_at: Timestamp) -> Timestamp {
        event_at.plus(if self.delay > self.debounce { self.delay } else { self.debounce })
    }
}

/// Messages that wait because it is too early or too late where their people are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Quiet {
    pub messages: i64,
    /// When the first of them may go out …
    pub from: Option<Timestamp>,
    /// … and the last.
    pub until: Option<Timestamp>,
    /// An admin said that the run cannot wait: until that is taken back, no quiet hours hold for it.
    pub overridden: bool,
}

word_enum! {
    /// What a rehearsal counts.
    pub enum RehearsalCount {
        Outcome = "outcome",
        Reason = "reason",
        /// The hour on the person's own clock.
        LocalHour = "local_hour",
        Variable = "variable",
        /// A language without a variant.
        Language = "language",
        /// What WhatsApp will not deliver.
        Refused = "refused",
        /// By SMS: people, by the encoding of their text.
        Encoding = "encoding",
        /// By SMS: segments, by encoding.
        Segments = "segments",
        /// Once: by which settings of the workspace it decided.
        Settings = "settings",
    }
}

/// What a rehearsal found: every person decided as at sending, by the clock of when the campaign is due. Nothing was
/// sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rehearsal {
    /// It was launched: its plan is the run's.
    pub launched: bool,
    /// The campaign was changed since: launching plans anew.
    pub stale: bool,
    /// How many people were in the audience when it began.
    pub audience: i64,
    /// When the campaign is due first, with `local` where the day begins first; by hand it is when the rehearsal began.
    pub due_at: Timestamp,
    /// None while it is under way; `ledger.planned` of `audience` says how far it is.
    pub finished_at: Option<Timestamp>,
    /// SHA-256 over everybody's decision and text. Two rehearsals with the same hash would send the same.
    pub plan_hash: Option<String>,
    /// People by outcome: `send`, `wait`, `skip`.
    pub outcomes: BTreeMap<String, i64>,
    /// Those who wait or are left out, by reason.
    pub reasons: BTreeMap<String, i64>,
    /// Those who get it, by the hour on their own clock: `2026-12-01T09`.
    pub local_hours: BTreeMap<String, i64>,
    /// Those left out for want of a value, by the variable.
    pub missing_variables: BTreeMap<String, i64>,
    /// Those who get the text in the default language for want of one in theirs, by language.
    pub without_variant: BTreeMap<String, i64>,
    /// Those whom it is sent to although WhatsApp will not deliver it, by why: `us_marketing` are numbers of the United
    /// States, which get no marketing (error 63049).
    pub refused: BTreeMap<String, i64>,
    /// By SMS those who get a text, by its encoding (`GSM-7`, `UCS-2`); a message with a file has none.
    pub encodings: BTreeMap<String, i64>,
    /// By SMS the segments that these texts take together, which are what is billed, by encoding.
    pub segments: BTreeMap<String, i64>,
}

impl Rehearsal {
    /// The key of [`Self::refused`] for marketing to the United States.
    pub const US_MARKETING: &str = "us_marketing";

    #[must_use]
    pub fn outcome(&self, outcome: Outcome) -> i64 {
        self.outcomes.get(outcome.as_str()).copied().unwrap_or(0)
    }

    /// Numbers of the United States that WhatsApp brings no marketing to.
    #[must_use]
    pub fn refused_in_us(&self) -> i64 {
        self.refused.get(Self::US_MARKETING).copied().unwrap_or(0)
    }

    /// Those who get it, now or later.
    #[must_use]
    pub fn reached(&self) -> i64 {
        self.outcome(Outcome::Send) + self.outcome(Outcome::Wait)
    }

    /// How many segments a text by SMS takes on average; 1 where there are none.
    #[must_use]
    pub fn segments_a_text(&self) -> f64 {
        let (texts, segments) = (self.encodings.values().sum::<i64>(), self.segments.values().sum::<i64>());
        if texts > 0 { (segments as f64 / texts as f64).max(1.0) } else { 1.0 }
    }
}

/// Whom a rehearsal found: they can be left out by the campaign's audience. What `POST /campaigns/{id}/rehearsal/leave-out`
/// takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "finding", rename_all = "snake_case", deny_unknown_fields)]
pub enum LeaveOut {
    /// The numbers of the United States, to which WhatsApp delivers no marketing (`refused.us_marketing`).
    UsMarketing,
    /// Those for whom the template has no text in their language.
    WithoutVariant {
        /// As `without_variant` names it.
        language: String,
    },
}

/// The rehearsed plan that somebody was shown before they launched: that one goes out, or nothing. Where nothing is named,
/// whatever there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownPlan {
    pub run: Option<RunId>,
    pub hash: Option<String>,
}

impl ShownPlan {
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.run.is_none() && self.hash.is_none()
    }

    /// Whether it is the plan of this run, with this hash.
    #[must_use]
    pub fn is(&self, run: RunId, hash: Option<&str>) -> bool {
        self.run.is_none_or(|shown| shown == run) && self.hash.as_deref().is_none_or(|shown| hash == Some(shown))
    }
}

/// What a rehearsal had found that was discarded when its run was planned anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RehearsedBefore {
    pub finished_at: Timestamp,
    pub plan_hash: Option<String>,
    /// Those who would have got it, now or later.
    pub reached: i64,
    pub left_out: i64,
}

/// A person of a plan, with the text and the time on their own clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlannedPerson {
    pub message: Message,
    /// When it goes out by their clock, `2026-12-01 09:00`, and the zone; null for who is left out.
    pub local_time: Option<String>,
    pub timezone: Option<String>,
    /// As they get it; null for who is left out.
    pub text: Option<String>,
}

/// What has changed since a campaign was rehearsed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SinceRehearsal {
    /// The campaign, or the sender that it takes: the rehearsal does not count any more.
    pub campaign: bool,
    /// The template has this newer version; the run keeps its own.
    pub template_version: Option<i64>,
    /// The audience has other rules now; the run keeps its own.
    pub audience: bool,
    /// People who are in the audience by now and not in the plan: they get nothing.
    pub joined: i64,
    /// People in the plan who are not in the audience any more: they get it.
    pub left: i64,
    /// Those who were to get it and were left out since, or will be when it is their turn, by reason.
    pub left_out: BTreeMap<String, i64>,
    /// People whom the plan leaves out for a reason that does not hold any more, such as those who opted in since: they get
    /// nothing.
    pub could_get_it: i64,
    /// People whom the plan leaves out for something that they lacked, such as a value, and who were changed since: they get
    /// nothing, and another rehearsal says whether they could.
    pub changed: i64,
    /// People who are to get it and were changed since: their texts are filled in with what is known of them when it is their
    /// turn, and may read otherwise than in the plan.
    #[serde(default)]
    pub data_changed: i64,
    /// Quiet hours, law lines, limits or other settings by which everybody is decided were changed: when it is a person's
    /// turn, those of then hold.
    pub settings: bool,
}

impl SinceRehearsal {
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// How many messages are handed over by an instant. Between two points it goes straight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CurvePoint {
    pub at: Timestamp,
    pub sent: i64,
}

/// When messages are expected to be handed over: by the rates of account, sender and campaign and the shares of other
/// campaigns, by everybody's quiet hours and times, and by how many people WhatsApp lets the business write to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Forecast {
    /// When the last one goes out; null when that cannot be foreseen, or nothing is under way.
    pub finish_at: Option<Timestamp>,
    /// Messages handed over per second, over the last ten seconds.
    pub rate_now: f64,
    /// From now on. Of a rehearsal: from when the campaign is due; by hand as if it were launched now.
    pub curve: Vec<CurvePoint>,
    /// What was expected when it began. Only of a single run: in lists it is null.
    pub at_launch: Option<Expectation>,
    /// What happened. Only of a single run: in lists it is empty.
    pub actual: Vec<CurvePoint>,
}

/// What was expected of a run when it began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Expectation {
    pub finish_at: Option<Timestamp>,
    pub curve: Vec<CurvePoint>,
}

/// What lists show of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunSummary {
    pub id: RunId,
    /// Of its campaign's runs, from 1.
    pub number: i32,
    pub status: RunStatus,
    pub ledger: Ledger,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}
