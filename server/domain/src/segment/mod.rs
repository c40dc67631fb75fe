//! Who is meant: a definition of rules over a person's data. The shape is the one that query-builder libraries use.

mod condition;
mod field;
mod parse;

pub use condition::{Condition, Fault, Number, Range, Scalar, Search, Test};
pub use field::{FIELDS, Field, FieldKind};
pub use parse::{MAX_DEPTH, MAX_NODES, parse, rules};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{contact::Contact, ids::SegmentId, time::Timestamp, word_enum};

word_enum! {
    pub enum Combinator {
        And = "and",
        Or = "or",
    }
}

word_enum! {
    pub enum Operator {
        Equal = "=",
        NotEqual = "!=",
        Less = "<",
        LessOrEqual = "<=",
        Greater = ">",
        GreaterOrEqual = ">=",
        Contains = "contains",
        BeginsWith = "beginsWith",
        EndsWith = "endsWith",
        In = "in",
        NotIn = "notIn",
        Between = "between",
        Null = "null",
        NotNull = "notNull",
        WithinLast = "withinLast",
        NotWithinLast = "notWithinLast",
    }
}

/// A group of rules, or one rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum Node {
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    Group(Group),
    Rule(Rule),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Group {
    pub combinator: Combinator,
    #[serde(default)]
    pub not: bool,
    pub rules: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rule {
    /// `phone`, `country`, `consent`, `attributes.city` …
    pub field: String,
    pub operator: Operator,
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub value: Value,
}

impl Group {
    /// Everybody.
    #[must_use]
    pub const fn everybody() -> Self {
        Self { combinator: Combinator::And, not: false, rules: Vec::new() }
    }
}

/// A segment in the API and on the pages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Segment {
    pub id: SegmentId,
    pub name: String,
    pub definition: Group,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewSegment {
    pub name: String,
    /// Read by [`parse()`] so that an error names the rule it is in.
    #[cfg_attr(feature = "openapi", schema(value_type = Group))]
    pub definition: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SegmentPatch {
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Group>, nullable = false))]
    pub definition: Option<Value>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub version: Option<i64>,
}

/// How many people a definition means, and ten of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SegmentPreview {
    pub count: i64,
    pub sample: Vec<Contact>,
}

/// What the visual builder needs to know of the stored data: the attribute keys in use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SegmentVocabulary {
    pub attributes: Vec<String>,
    pub topics: Vec<String>,
    /// Latest imports: id and name.
    pub imports: Vec<(String, String)>,
    pub segments: Vec<(String, String)>,
    pub campaigns: Vec<(String, String)>,
}
