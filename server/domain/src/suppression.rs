//! Numbers that must not be messaged.

use serde::{Deserialize, Serialize};

use crate::{consent::SuppressionReason, phone::Phone, time::Timestamp};

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Suppression {
    /// Null when no contact has the number, unless it was given: the list keeps only its keyed hash.
    pub phone: Option<Phone>,
    /// Whether a contact has the number.
    pub contact: bool,
    pub reason: SuppressionReason,
    /// Who put it there.
    pub actor_kind: String,
    pub actor_id: String,
    pub created_at: Timestamp,
}

/// A number to put on the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewSuppression {
    pub phone: Phone,
    /// `manual` (the default), `bounce` or `complaint`.
    #[serde(default)]
    pub reason: Option<SuppressionReason>,
    /// Why, in words; sealed with the person's key, and kept only where the person is a contact.
    #[serde(default)]
    pub note: Option<String>,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressionFilter {
    pub phone: Option<Phone>,
    pub reason: Option<SuppressionReason>,
}
