//! Why somebody got a campaign's message, or did not: also of people who were never in its plan.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    consent::Consent,
    ids::RunId,
    message::Message,
    phone::Phone,
    segment::{Combinator, Operator},
    trigger_event::TriggerEvent,
    word_enum,
};

word_enum! {
    /// The short answer.
    pub enum WhyNot {
        /// The person is in the plan: the message says the rest.
        InPlan = "in_plan",
        /// Nobody is stored with this number.
        UnknownNumber = "unknown_number",
        /// Rules of the audience left the person out.
        NotInAudience = "not_in_audience",
        /// The person was stored after the plan was made.
        CameLater = "came_later",
        /// The person is in the audience by now and was not when the plan was made.
        ChangedLater = "changed_later",
        /// The plan is being made, and has not come to the person yet.
        NotPlannedYet = "not_planned_yet",
        /// The run was ended while its plan was being made, before it came to the person.
        EndedBefore = "ended_before",
        /// Nothing is planned yet; the person is in the audience.
        NotPlanned = "not_planned",
        /// The campaign answers events, and none was about the person.
        NoEvent = "no_event",
        /// Events were about the person, and none of them came to a message.
        EventsLeftOut = "events_left_out",
        /// The campaign has no audience.
        NoAudience = "no_audience",
    }
}

/// The answer for one number and one campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Why {
    pub phone: Phone,
    pub answer: WhyNot,
    /// The run that was looked into: the one that was asked for, else the latest one, else the rehearsal.
    pub run_id: Option<RunId>,
    /// With history and decisions, when the person is in the plan of that run; of several the newest.
    pub message: Option<Message>,
    /// All messages of the campaign to the person, in every run, newest first, without histories; at most 100.
    pub messages: Vec<Message>,
    /// The events about this person that the campaign heard, and those about many that made a message for them, newest first,
    /// each with what it came to; at most 100.
    pub events: Vec<TriggerEvent>,
    /// Null for a number that nobody is stored with.
    pub consent: Option<Consent>,
    /// The number is on the suppression list, whoever it belongs to.
    pub suppressed: bool,
    /// Every rule of the audience with what it says of this person now; null when nobody is to be asked about.
    pub rules: Option<RuleResult>,
}

/// A rule or a group of rules, and whether it holds for the person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuleResult {
    pub holds: bool,
    /// Of a rule.
    pub field: Option<String>,
    pub operator: Option<Operator>,
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub value: Value,
    /// The person's own value, where the rule is about one.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub actual: Value,
    /// Of a group.
    pub combinator: Option<Combinator>,
    pub not: bool,
    /// The name of the audience that the group stands for.
    pub segment: Option<String>,
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    pub rules: Vec<RuleResult>,
}
