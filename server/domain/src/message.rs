//! A message's states, and the one rule that makes callbacks safe in any order: a state only ever rises.

use serde::{Deserialize, Serialize};

use crate::{
    actor::ActorKind,
    ids::{CampaignId, MessageId, RunId, SenderId},
    phone::Phone,
    reason::{Check, Reason},
    time::Timestamp,
    trigger_event::MessageEvent,
    word_enum,
};

word_enum! {
    /// Where a message stands. The numbers behind the words (see [`State::rank`]) are stored.
    pub enum State {
        Queued = "queued",
        /// Claimed by a worker: the intent to send is committed, the outcome is not.
        Sending = "sending",
        /// It may or may not have been sent; settled by a callback or by asking the provider.
        Unknown = "unknown",
        Accepted = "accepted",
        Sent = "sent",
        Undelivered = "undelivered",
        Failed = "failed",
        Delivered = "delivered",
        Read = "read",
        Skipped = "skipped",
        Cancelled = "cancelled",
    }
}

impl State {
    /// The stored number. Greater means stronger evidence, so a callback's effect is `max(present, reported)`:
    /// the same for any order and any number of repeats. `failed` and `undelivered` outrank `sent`, and a proof of
    /// delivery outranks both. `skipped` and `cancelled` end a message that was never handed over.
    #[must_use]
    pub const fn rank(self) -> i16 {
        match self {
            Self::Queued => 0,
            Self::Sending => 1,
            Self::Unknown => 2,
            Self::Accepted => 3,
            Self::Sent => 4,
            Self::Undelivered => 5,
            Self::Failed => 6,
            Self::Delivered => 7,
            Self::Read => 8,
            Self::Skipped => 9,
            Self::Cancelled => 10,
        }
    }

    /// The state with this stored number.
    #[must_use]
    pub fn from_rank(rank: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.rank() == rank)
    }

    /// The state after a callback reported `reported`.
    #[must_use]
    pub const fn after_callback(self, reported: Self) -> Self {
        if reported.rank() > self.rank() { reported } else { self }
    }

    /// Whether nothing moves the message any more, short of a stronger callback.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Undelivered | Self::Failed | Self::Delivered | Self::Read | Self::Skipped | Self::Cancelled
        )
    }

    /// Whether the run still has work to do for this message: a run with none of these left is completed.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Sending | Self::Unknown)
    }

    /// The state a Twilio `MessageStatus` stands for; `None` for words that say nothing about an outgoing message.
    /// Source: Twilio, "Messages resource", message status values.
    #[must_use]
    pub fn from_twilio(status: &str) -> Option<Self> {
        Some(match status {
            "accepted" | "scheduled" | "queued" | "sending" => Self::Accepted,
            "sent" => Self::Sent,
            "delivered" | "partially_delivered" => Self::Delivered,
            "read" => Self::Read,
            "undelivered" => Self::Undelivered,
            "failed" | "canceled" => Self::Failed,
            _ => return None,
        })
    }
}

word_enum! {
    /// The channel a message goes by.
    pub enum Channel {
        Whatsapp = "whatsapp",
        Sms = "sms",
    }
}

word_enum! {
    /// Why there is a message at all. Only those of a run are counted in its ledger.
    pub enum Kind {
        Campaign = "campaign",
        /// A campaign's test send: real, but outside the run.
        Test = "test",
        Single = "single",
        /// The one confirmation of an opt-out or opt-in, or a HELP answer, sent as the webhook's answer.
        Confirmation = "confirmation",
        /// The question of a double opt-in.
        Question = "question",
        /// An answer by itself to what a person wrote.
        AutoReply = "auto_reply",
    }
}

impl Kind {
    /// The stored number.
    #[must_use]
    pub const fn number(self) -> i16 {
        self as i16
    }

    /// The kind with this stored number.
    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.number() == number)
    }

    /// The stored priority: people who wait for an answer come before campaigns.
    #[must_use]
    pub const fn priority(self) -> i16 {
        match self {
            Self::Confirmation | Self::Question => 0,
            Self::Single | Self::AutoReply => 1,
            Self::Test => 2,
            Self::Campaign => 5,
        }
    }
}

word_enum! {
    /// Who moved a message.
    pub enum By {
        Plan = "plan",
        Worker = "worker",
        Callback = "callback",
        Reconcile = "reconcile",
        Admin = "admin",
        /// The person, by opting out.
        Recipient = "recipient",
    }
}

word_enum! {
    /// What a decision said.
    pub enum Outcome {
        Send = "send",
        Skip = "skip",
        Wait = "wait",
    }
}

/// A message in the API and on the pages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Message {
    pub id: MessageId,
    pub run_id: Option<RunId>,
    pub campaign_id: Option<CampaignId>,
    pub kind: Kind,
    /// Null after the person was erased.
    pub phone: Option<Phone>,
    /// The contact's display name, for lists.
    pub name: Option<String>,
    pub channel: Channel,
    /// The text as handed over; null until then.
    pub body: Option<String>,
    pub state: State,
    pub reason: Option<Reason>,
    pub provider_sid: Option<String>,
    pub error_code: Option<i32>,
    /// How often it was handed over to the provider, whatever came of it; refusals because of a limit, the account or the
    /// sender do not count.
    pub attempts: i32,
    pub not_before: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// What it was planned for. Only on a message of a campaign that listens to events.
    #[serde(default)]
    pub event: Option<MessageEvent>,
    /// Only on a single message, oldest first.
    #[serde(default)]
    pub history: Vec<HistoryEntry>,
    /// Only on a single message, oldest first.
    #[serde(default)]
    pub decisions: Vec<Decision>,
    /// Only on a single message of which callbacks may be missing in `history`: those from before then are not kept any more.
    #[serde(default)]
    pub callbacks_since: Option<Timestamp>,
}

/// One step of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HistoryEntry {
    pub state: State,
    pub at: Timestamp,
    pub by: By,
    /// For `admin`: who it was, where that is known.
    #[serde(default)]
    pub actor: Option<StepActor>,
    pub reason: Option<Reason>,
    pub error_code: Option<i32>,
    /// Until when it was told to wait then, for the person's quiet hours …
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// … and the same by the person's clock, with where that is: `until Thu 3 December 2026, 08:00 in Europe/Stockholm (…)`.
    #[serde(default)]
    pub detail: Option<String>,
    /// False for a callback that changed nothing: a later status was there before it.
    #[serde(default = "yes")]
    pub moved: bool,
    /// Only for a callback whose status is not known: its word. It changed nothing, and `state` is what the message was in.
    #[serde(default)]
    pub status: Option<String>,
}

const fn yes() -> bool {
    true
}

/// Who made a step of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepActor {
    pub kind: ActorKind,
    /// An account's e-mail, an API key's name.
    pub name: String,
}

/// What was decided for one attempt, and every check behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Decision {
    /// 0: by the plan; after the first one also what became of a message that waited when quiet hours or clocks had changed.
    pub attempt: i32,
    pub outcome: Outcome,
    pub reason: Option<Reason>,
    pub checks: Vec<CheckResult>,
    /// By which version of the rules; null of the first decision of a message that was queued: it is not stored, but follows
    /// from the plan.
    pub rules_version: Option<i32>,
    /// The time zones (IANA names) that the person may be in, where a clock bound the message: as they were known then.
    /// Its times are told by the first one's.
    pub zones: Vec<String>,
    /// Until when it is to wait, where it is told to.
    #[serde(default)]
    pub until: Option<Timestamp>,
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckResult {
    pub check: Check,
    pub result: CheckOutcome,
    /// What the check saw, as stored with the decision: data and versions of rules, no personal data.
    pub detail: Option<String>,
}

word_enum! {
    pub enum CheckOutcome {
        Pass = "pass",
        Fail = "fail",
        /// Not reached: an earlier check decided.
        NotChecked = "not_checked",
    }
}

/// What `POST /messages` takes: a template with variables, or a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    pub phone: Phone,
    #[serde(default)]
    pub template_id: Option<crate::ids::TemplateId>,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub channel: Option<Channel>,
    /// Which number or Messaging Service it goes out from; absent: the channel's default. For an answer the one that the
    /// person wrote to, because WhatsApp's 24 hours are those of each number.
    #[serde(default)]
    pub sender_id: Option<SenderId>,
    #[serde(default)]
    pub variables: serde_json::Map<String, serde_json::Value>,
}

/// Which messages are wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MessageFilter {
    pub run: Option<RunId>,
    pub campaign: Option<CampaignId>,
    pub phone: Option<Phone>,
    pub state: Option<State>,
    pub reason: Option<Reason>,
    pub code: Option<i32>,
    pub since: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranks_are_unique_and_round_trip() {
        for state in State::ALL {
            assert_eq!(State::from_rank(state.rank()), Some(*state));
        }
        assert_eq!(State::from_rank(99), None);
    }

    #[test]
    fn kinds_keep_their_numbers() {
        let numbers: Vec<_> = Kind::ALL.iter().map(|kind| kind.number()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
        assert_eq!(Kind::from_number(2), Some(Kind::Single));
        assert_eq!(Kind::from_number(9), None);
    }

    #[test]
    fn delivery_outranks_failure_and_failure_outranks_sent() {
        assert_eq!(State::Failed.after_callback(State::Delivered), State::Delivered);
        assert_eq!(State::Read.after_callback(State::Failed), State::Read);
        assert_eq!(State::Sent.after_callback(State::Undelivered), State::Undelivered);
        assert_eq!(State::Delivered.after_callback(State::Sent), State::Delivered);
        assert_eq!(State::Cancelled.after_callback(State::Read), State::Cancelled);
    }

    fn reported() -> impl Strategy<Value = State> {
        prop::sample::select(
            &[State::Accepted, State::Sent, State::Undelivered, State::Failed, State::Delivered, State::Read][..],
        )
    }

    proptest! {
        #[test]
        fn any_order_and_any_repeats_end_in_the_same_state(
            mut states in prop::collection::vec(reported(), 1..12),
            repeats in prop::collection::vec(0_usize..12, 0..6),
        ) {
            let end = states.iter().fold(State::Sending, |state, next| state.after_callback(*next));
            let again: Vec<_> = repeats.iter().filter_map(|index| states.get(*index).copied()).collect();
            states.extend(again);
            states.reverse();
            prop_assert_eq!(states.iter().fold(State::Sending, |state, next| state.after_callback(*next)), end);
        }
    }
}
