//! What people subscribe to.

use serde::{Deserialize, Serialize};

use crate::{ids::TemplateId, time::Timestamp};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Topic {
    /// Lower-case letters, digits, `-` and `_`; what people write after SUBSCRIBE.
    pub key: String,
    pub name: String,
    pub description: String,
    /// Nobody is subscribed before they have answered YES to a question.
    pub double_opt_in: bool,
    /// What is asked; null: words that the program brings.
    pub question_template_id: Option<TemplateId>,
    pub subscribers: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewTopic {
    pub key: String,
    pub name: String,
    #[serde(default)]
    pub description: String,
    /// Nobody is subscribed before they have answered YES to a question.
    #[serde(default)]
    pub double_opt_in: bool,
    /// What is asked; left out or null: words that the program brings.
    #[serde(default)]
    pub question_template_id: Option<TemplateId>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TopicPatch {
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub description: Option<String>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub double_opt_in: Option<bool>,
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub question_template_id: Option<Option<TemplateId>>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub version: Option<i64>,
}
