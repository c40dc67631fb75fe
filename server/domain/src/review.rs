//! Messages that may have been an opt-out: nobody is opted out by a guess, and nobody gets marketing over a doubt.

use serde::{Deserialize, Serialize};

use crate::{
    actor::ActorKind,
    consent::{Consent, ConsentSource},
    ids::ReviewId,
    message::{Channel, StepActor},
    phone::Phone,
    time::Timestamp,
    word_enum,
};

/// Whoever has not decided by then is to be reminded: the law gives ten working days, and two days are a good answer.
pub const DUE_WITHIN: i64 = 2 * Timestamp::DAY;

word_enum! {
    /// What became of it.
    pub enum ReviewDecision {
        /// It was an opt-out.
        OptedOut = "opted_out",
        /// It was none.
        Kept = "kept",
        /// The person said so in clear words meanwhile.
        Answered = "answered",
    }
}

/// A message that waits for somebody to read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Review {
    pub id: ReviewId,
    pub phone: Phone,
    pub name: Option<String>,
    pub consent: Consent,
    pub channel: Option<Channel>,
    /// What the person wrote; null once its retention has passed.
    pub words: Option<String>,
    /// Marketing to the person waits since then.
    pub since: Timestamp,
}

/// What somebody decided of such a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Decided {
    pub id: ReviewId,
    /// Null once the person was erased.
    pub phone: Option<Phone>,
    pub name: Option<String>,
    /// What the person wrote; null once its retention has passed.
    pub words: Option<String>,
    pub decision: ReviewDecision,
    pub at: Timestamp,
    pub by: StepActor,
}

/// What somebody decides: `opted_out` or `kept`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ReviewChange {
    pub decision: ReviewDecision,
}

/// How many said yes and no on a day who had not said so before, by where that came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsentDay {
    /// `YYYY-MM-DD`, UTC.
    pub day: String,
    pub source: ConsentSource,
    pub consent: Consent,
    pub count: i64,
}

/// An opt-out, as the consent ledger has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OptOut {
    /// Its place in the ledger of all people.
    pub number: i64,
    pub at: Timestamp,
    /// Null once the person was erased.
    pub phone: Option<Phone>,
    /// The topic's key, empty when it was deleted; null is everything.
    pub topic: Option<String>,
    pub source: ConsentSource,
    pub recorded_by: ActorKind,
    /// The account, key, import or worker that recorded it.
    pub recorded_by_id: String,
    /// A file and line, a message's SID.
    pub reference: Option<String>,
}
