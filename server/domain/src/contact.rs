//! A person, keyed by phone number.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    actor::ActorKind,
    consent::{Consent, ConsentSource},
    event::WebhookEvent,
    ids::{ImportId, SegmentId},
    inbound::Inbound,
    message::{Message, State},
    phone::Phone,
    time::Timestamp,
    trigger_event::TriggerEvent,
    word_enum,
};

pub type Attributes = Map<String, Value>;

/// Names of time zones that are no place's, as programs write them where they know none. So are those under `Etc/`.
pub const NO_PLACE: [&str; 10] =
    ["Factory", "GMT", "GMT+0", "GMT-0", "GMT0", "Greenwich", "UCT", "UTC", "Universal", "Zulu"];

/// Whether a time zone says nothing of where somebody is: nobody lives by its clock, or nobody knows who does.
#[must_use]
pub fn is_no_place(timezone: &str) -> bool {
    timezone.starts_with("Etc/") || NO_PLACE.contains(&timezone)
}

/// A contact in the API and on the pages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Contact {
    pub phone: Phone,
    /// The display name: the attribute `name`, else `first_name` and `last_name`.
    pub name: Option<String>,
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub attributes: Attributes,
    pub consent: Consent,
    pub consent_changed_at: Option<Timestamp>,
    /// The number stands on the suppression list: nothing is sent, whatever the consent.
    pub suppressed: bool,
    /// The number's region (ISO 3166), from the number itself.
    pub country: Option<String>,
    pub timezone: Option<String>,
    pub locale: Option<String>,
    /// Keys of the topics the person is subscribed to.
    pub topics: Vec<String>,
    pub last_inbound_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// What `POST /contacts` takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewContact {
    /// Any usual writing; stored in international form.
    pub phone: String,
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub attributes: Attributes,
    #[serde(default)]
    pub consent: Option<Consent>,
    #[serde(default)]
    pub timezone: Option<String>,
    #[serde(default)]
    pub locale: Option<String>,
    /// Keys of topics to subscribe to.
    #[serde(default)]
    pub topics: Vec<String>,
}

/// What `PATCH /contacts/{phone}` takes: attributes are merged, null removes a key. `None` leaves a field as it is,
/// `Some(None)` clears it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ContactPatch {
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub attributes: Attributes,
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub timezone: Option<Option<String>>,
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub locale: Option<Option<String>>,
    /// The version that was read; a stale one is refused with 409.
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub version: Option<i64>,
}

/// Everything that is stored about one person, for that person (GDPR, Articles 15 and 20).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PersonExport {
    pub exported_at: Timestamp,
    /// Details, consent, topics, whether the number is suppressed.
    pub contact: Contact,
    /// Consent with its evidence, subscriptions, suppressions, imports; newest first.
    pub timeline: Vec<TimelineEntry>,
    /// What was sent or was to be sent, newest first.
    pub messages: Vec<Message>,
    /// What the person wrote, newest first.
    pub inbound: Vec<Inbound>,
    /// What was told of the person, newest first.
    pub events: Vec<TriggerEvent>,
    /// What Twilio sent of the person's messages and of those to them, with all its parameters as long as they are kept;
    /// newest first.
    pub webhooks: Vec<WebhookEvent>,
}

/// What erasing a person takes away, and what it leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Erasure {
    /// Texts of messages to the person; the messages stay, as numbers without a name.
    pub message_texts: i64,
    /// Texts of what the person wrote.
    pub inbound_texts: i64,
    pub subscriptions: i64,
    /// Messages that wait to be sent: they are skipped.
    pub queued: i64,
    /// Lines of the consent ledger; they stay, but their evidence can no longer be read.
    pub consent_lines: i64,
    /// Whether a keyed fingerprint of the number stays, because the person had opted out, left a topic
    /// themselves, or wrote what may be an opt-out and waits to be decided.
    pub keeps_suppression: bool,
    /// Webhooks about the person stay sealed for so many days, shown to nobody.
    pub raw_webhook_days: i32,
}

/// What a person agreed to and took back, with what proves that the record was not changed since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsentProof {
    pub made_at: Timestamp,
    pub phone: Phone,
    pub name: Option<String>,
    pub consent: Consent,
    /// On the do-not-contact list.
    pub suppressed: bool,
    /// The person's lines of the consent ledger, oldest first.
    pub lines: Vec<ConsentLine>,
    /// Whether each of them holds; whether the whole ledger does is what `event-stream-engine audit verify` says.
    pub holds: bool,
    /// How many lines the ledger had, of all people, when this was made …
    pub ledger_lines: i64,
    /// … and the hash of the last one (SHA-256, hexadecimal): whoever kept it can tell later that nothing before it changed.
    pub ledger_hash: String,
}

/// One line of the consent ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsentLine {
    /// Its place in the ledger of all people.
    pub number: i64,
    pub at: Timestamp,
    /// The topic's key; null is everything.
    pub topic: Option<String>,
    /// Of a topic, `opted_in` means subscribed, `opted_out` unsubscribed, and `pending` that the person was asked.
    pub consent: Consent,
    pub source: ConsentSource,
    pub recorded_by: ActorKind,
    /// The account, key, import or worker that recorded it.
    pub recorded_by_id: String,
    /// What people call it: an account's e-mail, a key's name, an import's file; the id, where there is no better name. The
    /// hash is of the id.
    pub recorded_by_name: String,
    /// A file and line, a message's SID.
    pub reference: Option<String>,
    /// The words of the evidence.
    pub evidence: Option<String>,
    /// Of the line before it in the ledger of all people (SHA-256, hexadecimal).
    pub previous_hash: String,
    pub hash: String,
    /// Whether the hash is that of what the line says, and follows from the line before it.
    pub holds: bool,
}

/// What `PUT /contacts/{phone}/consent` takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ConsentChange {
    /// `opted_in` or `opted_out`.
    pub consent: Consent,
    #[serde(default)]
    pub source: Option<String>,
    #[serde(default)]
    pub evidence: Option<String>,
}

/// Which contacts are wanted. `q` is a prefix of the phone's digits or of a word of the name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContactFilter {
    pub q: Option<String>,
    pub consent: Option<Consent>,
    pub topic: Option<String>,
    pub segment: Option<SegmentId>,
    pub import: Option<ImportId>,
}

word_enum! {
    pub enum TimelineKind {
        Created = "created",
        Imported = "imported",
        Changed = "changed",
        Consent = "consent",
        Subscription = "subscription",
        Suppression = "suppression",
        Message = "message",
        Inbound = "inbound",
    }
}

/// One event of a person's history, newest first in lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TimelineEntry {
    pub at: Timestamp,
    pub kind: TimelineKind,
    /// Consent events: the new consent. Messages: the state.
    pub consent: Option<Consent>,
    pub source: Option<ConsentSource>,
    pub state: Option<State>,
    /// A topic's key, a campaign's name, a reason code: what the event is about.
    pub subject: Option<String>,
    /// The message's text, the evidence of a consent.
    pub text: Option<String>,
    /// Where to read more: a message's id.
    pub message_id: Option<crate::ids::MessageId>,
}

/// Tells an absent field from a null one.
pub mod double_option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::option_option, reason = "absent, null and a value are three things")]
    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
    where
        T: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Option::<T>::deserialize(deserializer).map(Some)
    }

    #[allow(clippy::option_option, clippy::ref_option, reason = "the signature serde asks for")]
    pub fn serialize<T, S>(value: &Option<Option<T>>, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Serialize,
        S: Serializer,
    {
        value.as_ref().and_then(Option::as_ref).serialize(serializer)
    }
}
