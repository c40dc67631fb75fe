//! What a rule may speak of: the fields, their kinds, and the operators each kind takes.

use crate::{
    consent::Consent,
    ids::CampaignId,
    segment::Operator::{self, *},
};

/// The longest attribute path: characters, and steps.
const MAX_PATH: (usize, usize) = (200, 8);

/// A field of a rule, read from its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    Phone,
    /// The number's region.
    Country,
    Consent,
    Timezone,
    Locale,
    CreatedAt,
    UpdatedAt,
    LastInboundAt,
    LastReadAt,
    /// A topic's key: the person is subscribed to it.
    Topic,
    /// Another segment's id.
    Segment,
    /// An import's id: exactly the people in that file.
    Import,
    /// The state of the person's message in the campaign's latest run.
    CampaignState(CampaignId),
    /// A path into the attributes.
    Attribute(Vec<String>),
}

/// What kind of value a field holds; decides the operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    /// One of few words.
    Choice(&'static [&'static str]),
    Time,
    /// Belonging to something: a topic, a file, another segment.
    Membership,
    /// The state of a message, or none.
    State,
    /// Whatever the stored value is.
    Attribute,
}

/// The fields that have a fixed name, in the order in which a builder offers them. Besides there are
/// `attributes.<path>` and `campaign.<id>.state`.
pub const FIELDS: &[(&str, Field)] = &[
    ("topic", Field::Topic),
    ("consent", Field::Consent),
    ("country", Field::Country),
    ("locale", Field::Locale),
    ("timezone", Field::Timezone),
    ("phone", Field::Phone),
    ("created_at", Field::CreatedAt),
    ("updated_at", Field::UpdatedAt),
    ("last_inbound_at", Field::LastInboundAt),
    ("last_read_at", Field::LastReadAt),
    ("import", Field::Import),
    ("segment", Field::Segment),
];

const CONSENTS: &[&str] =
    &[Consent::OptedIn.as_str(), Consent::OptedOut.as_str(), Consent::Pending.as_str(), Consent::Unknown.as_str()];

impl Field {
    /// Reads a field's name.
    ///
    /// # Errors
    /// What is wrong with it, in words for the person who wrote the rule.
    pub fn parse(name: &str) -> Result<Self, String> {
        if let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) {
            return Ok(field.clone());
        }
        if let Some(path) = name.strip_prefix("attributes.") {
            return attribute(path).map(Self::Attribute);
        }
        if let Some(rest) = name.strip_prefix("campaign.") {
            let id = rest.strip_suffix(".state").and_then(|id| id.parse().ok());
            return id.map(Self::CampaignState).ok_or_else(|| "Write campaign.<id of the campaign>.state.".to_owned());
        }
        if name.starts_with("clicked.") {
            return Err(
                "Clicks on links are not recorded by this version, so nobody can be selected by them.".to_owned()
            );
        }
        let known: Vec<&str> = FIELDS.iter().map(|(known, _)| *known).collect();
        Err(format!("There is no field `{name}`. Use one of {} or attributes.<name>.", known.join(", ")))
    }

    #[must_use]
    pub const fn kind(&self) -> FieldKind {
        match self {
            Self::Phone | Self::Country | Self::Timezone | Self::Locale => FieldKind::Text,
            Self::Consent => FieldKind::Choice(CONSENTS),
            Self::CreatedAt | Self::UpdatedAt | Self::LastInboundAt | Self::LastReadAt => FieldKind::Time,
            Self::Topic | Self::Segment | Self::Import => FieldKind::Membership,
            Self::CampaignState(_) => FieldKind::State,
            Self::Attribute(_) => FieldKind::Attribute,
        }
    }
}

impl FieldKind {
    /// The operators that make sense for this kind, in the order in which a builder offers them.
    #[must_use]
    pub const fn operators(self) -> &'static [Operator] {
        match self {
            Self::Text => &[Equal, NotEqual, Contains, BeginsWith, EndsWith, In, NotIn, Null, NotNull],
            Self::Choice(_) => &[Equal, NotEqual, In, NotIn, Null, NotNull],
            Self::Time => &[
                WithinLast,
                NotWithinLast,
                Less,
                LessOrEqual,
                Greater,
                GreaterOrEqual,
                Between,
                Equal,
                NotEqual,
                In,
                NotIn,
                Null,
                NotNull,
            ],
            Self::Membership => &[Equal, NotEqual, In, NotIn],
            Self::State => &[Equal, NotEqual, In, NotIn, Null, NotNull],
            Self::Attribute => Operator::ALL,
        }
    }
}

fn attribute(path: &str) -> Result<Vec<String>, String> {
    let steps: Vec<String> = path.split('.').map(str::to_owned).collect();
    if path.chars().count() > MAX_PATH.0 || steps.len() > MAX_PATH.1 {
        return Err(format!("The attribute's path is longer than {} characters or {} steps.", MAX_PATH.0, MAX_PATH.1));
    }
    // These need escaping inside JSON, and not every database finds an escaped key.
    let odd = |c: char| c == '"' || c == '\\' || c.is_control();
    if steps.iter().any(|step| step.is_empty() || step.contains(odd)) {
        return Err(
            "Write attributes.<name>, with further names after dots; quotes and backslashes cannot stand in it."
                .to_owned(),
        );
    }
    Ok(steps)
}
