//! The recipient's own page: what a person sees of themself, and may change, without any account.

use crate::{
    consent::{Consent, ConsentSource, Subscription},
    contact::{Attributes, PersonExport},
    message::{Channel, Kind},
    time::Timestamp,
};

/// Whom a link leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnPage {
    Known(Box<Preferences>),
    /// The link is ours, and the person was erased since.
    Erased,
}

/// What a person gets to see of themself.
#[derive(Clone, Debug, PartialEq)]
pub struct Preferences {
    /// All but the last digits hidden: the link may have been passed on.
    pub masked_phone: String,
    pub consent: Consent,
    /// Nothing is sent: opted out, or the number is suppressed.
    pub stopped: bool,
    /// The person's own stop stands already.
    pub stopped_by_themself: bool,
    /// Whether the person's START ends that.
    pub start_lifts: bool,
    /// The message that the link was in, while we still have it.
    pub why: Option<Why>,
    /// The latest yes or no to everything.
    pub consent_given: Option<Given>,
    /// Those the person is subscribed to first.
    pub topics: Vec<OwnTopic>,
    /// Where to write START to.
    pub write_to: Option<(Channel, String)>,
    pub name: Option<String>,
    pub country: Option<String>,
    pub locale: Option<String>,
    pub timezone: Option<String>,
    pub attributes: Attributes,
    pub since: Timestamp,
    pub last_inbound_at: Option<Timestamp>,
    /// The person's time is so many minutes ahead of UTC.
    pub offset_minutes: i64,
}

/// The message a link was in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    pub kind: Kind,
    pub campaign: Option<String>,
    /// The name of the topic it was about.
    pub topic: Option<String>,
    /// When its turn came.
    pub at: Timestamp,
    pub channel: Channel,
    /// The number it came from, or a Messaging Service.
    pub address: String,
}

/// When a wish was recorded, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    pub consent: Consent,
    pub at: Timestamp,
    pub source: ConsentSource,
    /// The person's words, or what somebody noted.
    pub words: Option<String>,
}

/// A topic, and how the person stands to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnTopic {
    pub key: String,
    pub name: String,
    pub description: String,
    pub state: Option<Subscription>,
    pub changed: Option<(Timestamp, ConsentSource)>,
}

/// What became of a change that a person asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Stopped,
    Subscribed,
    Unsubscribed,
    /// The topic asks back first: the question is on its way.
    Asked,
    /// A topic needs consent, which only the person's START gives.
    NeedsStart,
    /// There is no such topic any more.
    NoTopic,
    Erased,
}

/// A person's data, for themself.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnData {
    Known(Box<PersonExport>),
    Erased,
}
