//! The control handle: what tests and the demo ask and tell the simulator. The same operations as under `/control`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::{now_ms, rfc3339};
use crate::inbound::{self, Inbound, InboundAnswer};
use crate::settings::{Settings, SettingsError};
use crate::state::{Core, Shared, lock};
use crate::store::{Direction, Message, Store, bare};

/// A handle on a running simulator. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    pub(crate) shared: Arc<Shared>,
}

/// Why an operation was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlError {
    /// No `inbound_url` is set: Twilio would drop the message without a trace.
    NoInboundUrl,
    /// The request cannot be meant.
    Invalid(String),
    /// There is no such thing.
    NotFound(String),
    /// The settings cannot be meant.
    Settings(SettingsError),
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInboundUrl => f.write_str("inbound_url is not set"),
            Self::Invalid(text) | Self::NotFound(text) => f.write_str(text),
            Self::Settings(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ControlError {}

/// Which messages to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MessageFilter {
    /// The address it went to, with or without channel.
    pub to: Option<String>,
    /// The address it came from, with or without channel.
    pub from: Option<String>,
    /// Its present status.
    pub status: Option<String>,
    /// `inbound`, `outbound-api`, `outbound-reply` or `all`; without it, both kinds of outbound.
    pub direction: Option<String>,
    /// At most so many; 100 without it.
    pub limit: Option<usize>,
}

/// A message as the control API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageInfo {
    /// `SM…` or `MM…`.
    pub sid: String,
    /// With its channel.
    pub to: String,
    /// With its channel; `None` while a Messaging Service has not chosen.
    pub from: Option<String>,
    /// The text, rendered when it came from a content template.
    pub body: String,
    /// The content template.
    pub content_sid: Option<String>,
    /// The variables as they were sent.
    pub content_variables: Option<String>,
    /// Seconds that the message may wait at Twilio, as asked for.
    pub validity_period: Option<u16>,
    /// The present status.
    pub status: String,
    /// `inbound`, `outbound-api` or `outbound-reply`.
    pub direction: String,
    /// RFC 3339.
    pub created_at: String,
    /// Why it failed.
    pub error_code: Option<u32>,
    /// The Messaging Service it was sent through.
    pub messaging_service_sid: Option<String>,
    /// How many media it has.
    pub num_media: u8,
    /// How many segments it takes; 0 while a Messaging Service has not chosen its sender.
    pub num_segments: u16,
}

/// Counts since the start or the last reset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Creates accepted, whatever the client learned of it.
    pub accepted: u64,
    /// Creates (and other API requests) refused, by code.
    pub refused: BTreeMap<u32, u64>,
    /// Faults acted out, by name.
    pub faults: BTreeMap<String, u64>,
    /// People with at least one accepted create.
    pub unique_recipients: u64,
    /// People with more than one.
    pub recipients_more_than_once: u64,
    /// Messages by the status they last had.
    pub by_status: BTreeMap<String, u64>,
    /// Inbound messages.
    pub inbound: u64,
    /// Messages made by TwiML answers.
    pub replies: u64,
    /// Status callbacks answered with 2xx, repeats included.
    pub callbacks_sent: u64,
    /// Status callbacks that got no 2xx answer.
    pub callbacks_failed: u64,
    /// Requests made again after a failed one.
    pub callbacks_retried: u64,
    /// Callbacks sent twice on purpose.
    pub callbacks_duplicated: u64,
    /// Messages that got no callbacks because too many were waiting.
    pub callbacks_dropped: u64,
    /// Pages of lists of messages that were asked for.
    pub lists: u64,
    /// Messages that have not come to their end.
    pub callbacks_pending: u64,
    /// What Twilio's debugger would show, by code.
    pub debugger: BTreeMap<u32, u64>,
    /// API requests at this moment.
    pub in_flight: u64,
    /// Accepted creates, mean of the last five whole seconds.
    pub creates_per_second: f64,
    /// The best second.
    pub creates_per_second_peak: u64,
    /// Messages kept.
    pub stored: u64,
    /// Messages forgotten because of `max_messages`.
    pub evicted: u64,
    /// Since the simulator was started.
    pub uptime_seconds: u64,
}

/// A change of a content template's approval, as Meta makes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApprovalChange {
    /// `approved`, `rejected`, `paused` …
    pub status: Option<String>,
    /// `MARKETING`, `UTILITY`, `AUTHENTICATION`.
    pub category: Option<String>,
    /// Shown with `rejected`.
    pub rejection_reason: Option<String>,
}

impl Control {
    fn core(&self) -> &Arc<Core> {
        &self.shared.core
    }

    /// Messages, newest first.
    pub fn messages(&self, filter: &MessageFilter) -> Vec<MessageInfo> {
        let core = self.core();
        let store = lock(&core.store);
        let fits = |message: &&Message| {
            let same = |wanted: &Option<String>, address: &str| {
                wanted.as_deref().is_none_or(|wanted| bare(wanted) == bare(address))
            };
            same(&filter.to, &message.to)
                && same(&filter.from, message.from.as_deref().unwrap_or_default())
                && filter.status.as_deref().is_none_or(|status| message.status.as_str() == status)
                && match filter.direction.as_deref() {
                    None => message.direction != Direction::Inbound,
                    Some("all") => true,
                    Some(direction) => message.direction.as_str() == direction,
                }
        };
        let limit = filter.limit.unwrap_or(100);
        match filter.to.as_deref().filter(|_| filter.direction.is_none()) {
            Some(to) => store.of_person(to).rev().filter(fits).take(limit).map(|message| info(core, message)).collect(),
            None => store.before(u64::MAX).filter(fits).take(limit).map(|message| info(core, message)).collect(),
        }
    }

    /// All messages from and to a person, oldest first.
    pub fn conversation(&self, phone: &str) -> Vec<MessageInfo> {
        let core = self.core();
        lock(&core.store).of_person(phone).map(|message| info(core, message)).collect()
    }

    /// How many creates were accepted for each person that has at least `min` (and 1).
    pub fn recipients(&self, min: u64) -> BTreeMap<String, u64> {
        lock(&self.core().store).accepted_by_person(min)
    }

    /// Counts since the start or the last reset.
    pub fn stats(&self) -> Stats {
        let core = self.core();
        let counters = &core.counters;
        let names = |counts: BTreeMap<&'static str, u64>| {
            counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
        };
        let mut stats = Stats {
            accepted: counters.accepted.load(Relaxed),
            refused: lock(&counters.refused).clone(),
            faults: names(lock(&counters.faults).clone()),
            inbound: counters.inbound.load(Relaxed),
            replies: counters.replies.load(Relaxed),
            callbacks_sent: counters.callbacks_sent.load(Relaxed),
            callbacks_failed: counters.callbacks_failed.load(Relaxed),
            callbacks_retried: counters.callbacks_retried.load(Relaxed),
            callbacks_duplicated: counters.callbacks_duplicated.load(Relaxed),
            callbacks_dropped: counters.callbacks_dropped.load(Relaxed),
            lists: counters.lists.load(Relaxed),
            callbacks_pending: core.queue.pending(),
            debugger: lock(&counters.debugger).clone(),
            in_flight: core.in_flight(),
            uptime_seconds: core.started.elapsed().as_secs(),
            ..Stats::default()
        };
        let mut store = lock(&core.store);
        let store: &mut Store = &mut store;
        stats.unique_recipients = store.recipients;
        stats.recipients_more_than_once = store.repeated;
        stats.by_status = names(store.by_status());
        stats.creates_per_second = store.rate.per_second(now_ms().div_euclid(1000));
        stats.creates_per_second_peak = store.rate.peak;
        stats.stored = store.stored() as u64;
        stats.evicted = store.evicted;
        stats
    }

    /// A person writes to one of our senders; returns when the application has answered.
    pub async fn inbound(&self, inbound: Inbound) -> Result<InboundAnswer, ControlError> {
        inbound::receive(self.core(), inbound).await
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.core().active().settings.clone()
    }

    /// Puts other settings in force. A new seed begins its choices anew.
    pub fn set_settings(&self, settings: Settings) -> Result<(), ControlError> {
        settings.validate().map_err(ControlError::Settings)?;
        self.core().activate(settings);
        Ok(())
    }

    /// Changes some settings by a JSON merge patch and returns all.
    pub fn patch_settings(&self, patch: &Value) -> Result<Settings, ControlError> {
        let settings = self.settings().patched(patch).map_err(ControlError::Settings)?;
        self.core().activate(settings.clone());
        Ok(settings)
    }

    /// Changes the approval of a content template.
    pub fn set_approval(&self, content_sid: &str, change: ApprovalChange) -> Result<(), ControlError> {
        const STATUSES: [&str; 7] =
            ["unsubmitted", "received", "pending", "approved", "rejected", "paused", "disabled"];
        if let Some(status) = &change.status
            && !STATUSES.contains(&status.as_str())
        {
            return Err(ControlError::Invalid(format!("status: expected one of {}", STATUSES.join(", "))));
        }
        let mut contents = lock(&self.core().contents);
        let content =
            contents.get_mut(content_sid).ok_or_else(|| ControlError::NotFound(format!("no content {content_sid}")))?;
        let approval = &mut content.approval;
        if let Some(status) = change.status {
            approval.status = status;
            approval.decision = None;
        }
        if let Some(category) = change.category {
            approval.category = category;
        }
        if let Some(reason) = change.rejection_reason {
            approval.rejection_reason = reason;
        }
        Ok(())
    }

    /// Forgets messages, people and counts, ends what is pending, and brings the sample contents back. Settings stay.
    pub fn reset(&self) {
        self.core().reset();
    }

    /// The same, and the settings are those of the start again.
    pub fn reset_all(&self) {
        let core = self.core();
        core.activate(core.initial().clone());
        core.reset();
    }

    /// Waits until every message has come to its end, also those that are accepted late; scheduled ones aside. False: not
    /// within this time.
    pub async fn idle(&self, within: Duration) -> bool {
        tokio::time::timeout(within, self.core().queue.idle()).await.is_ok()
    }
}

fn info(core: &Core, message: &Message) -> MessageInfo {
    MessageInfo {
        sid: core.minter.sid(message.kind, message.seq),
        to: message.to.to_string(),
        from: message.from.as_deref().map(str::to_owned),
        body: message.body.to_string(),
        content_sid: message.content_sid.as_deref().map(str::to_owned),
        content_variables: message.content_variables.as_deref().map(str::to_owned),
        validity_period: message.validity_period,
        status: message.status.as_str().to_owned(),
        direction: message.direction.as_str().to_owned(),
        created_at: rfc3339(message.created),
        error_code: message.error_code,
        messaging_service_sid: message.service.as_deref().map(str::to_owned),
        num_media: message.num_media,
        num_segments: message.segments,
    }
}
