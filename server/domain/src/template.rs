//! What is said: a template has variants by locale, and every change makes a new version.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use crate::{consent::Category, content_template::with_variables, ids::TemplateId, message::Channel, time::Timestamp};

/// Characters of a WhatsApp content template after filling (Twilio error 63021).
pub const MAX_CONTENT_CHARACTERS: usize = 1_024;
/// Characters of a message's body (Twilio error 21617).
pub const MAX_BODY_CHARACTERS: usize = 1_600;

/// The text in one language. Of a variant only `body` is required.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Variant {
    pub body: String,
    /// The approved content template at Twilio (`HX…`); then `body` is our copy of its text, in which `{{1}}` stands for
    /// what the variable is filled with.
    #[serde(default)]
    pub content_sid: Option<String>,
    /// The content template's variables: number to an expression such as `{{ first_name }}`.
    #[serde(default)]
    pub content_variables: BTreeMap<String, String>,
    #[serde(default)]
    pub media_url: Option<String>,
    #[serde(default)]
    pub buttons: Vec<Button>,
}

impl Variant {
    /// The text that is filled in: that of a content template with the places of its variables replaced by what they are
    /// filled with.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        with_variables(&self.body, |key| self.content_variables.get(key).map(String::as_str))
    }
}

/// A quick-reply button, shown in the preview; Twilio sends it from the content template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Button {
    pub title: String,
    #[serde(default)]
    pub payload: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Template {
    pub id: TemplateId,
    pub name: String,
    pub channel: Channel,
    pub category: Category,
    pub default_locale: String,
    pub variants: BTreeMap<String, Variant>,
    /// Attributes that the variants read.
    pub variables: Vec<String>,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewTemplate {
    pub name: String,
    #[serde(default = "default_channel")]
    pub channel: Channel,
    #[serde(default = "default_category")]
    pub category: Category,
    #[serde(default = "default_locale")]
    pub default_locale: String,
    pub variants: BTreeMap<String, Variant>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TemplatePatch {
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub category: Option<Category>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub default_locale: Option<String>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub variants: Option<BTreeMap<String, Variant>>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub version: Option<i64>,
}

/// What `POST /templates/{id}/fallback` takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// `first_name`
    pub variable: String,
    /// What is written for people who have no value.
    pub words: String,
}

/// What `POST /templates/preview` takes: a body, and whom to fill it for: a contact, by `phone`, or the values of a
/// `sample`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    #[serde(default = "default_channel")]
    pub channel: Channel,
    pub body: String,
    #[serde(default)]
    pub phone: Option<String>,
    #[serde(default)]
    pub sample: serde_json::Map<String, serde_json::Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Preview {
    pub text: String,
    pub characters: u32,
    pub segments: u32,
    /// `GSM-7` or `UCS-2`.
    pub encoding: String,
    /// Variables that this person has no value for.
    pub missing: Vec<String>,
    pub errors: Vec<TemplateProblem>,
}

/// What is wrong with a template, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TemplateProblem {
    /// The first line is 1.
    pub line: u32,
    pub message: String,
}

fn default_channel() -> Channel {
    Channel::Whatsapp
}

fn default_category() -> Category {
    Category::Marketing
}

fn default_locale() -> String {
    "en".to_owned()
}
