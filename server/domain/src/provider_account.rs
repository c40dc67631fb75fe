//! Accounts at the provider that senders belong to. What opens them goes in and never comes out again.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A Twilio account or subaccount.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderAccount {
    /// `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    pub name: String,
    /// It is the environment's own: its credentials are changed there.
    pub from_environment: bool,
    /// The API key that its requests are made with; without one they are made with the auth token.
    pub api_key_sid: Option<String>,
    /// Signatures of a second auth token are believed too.
    #[serde(default)]
    pub has_other_auth_token: bool,
    /// Where its API is, when that is not where the environment's is.
    pub api_base: Option<String>,
    /// Senders that belong to it.
    pub senders: i64,
    /// None for the environment's.
    pub created_at: Option<Timestamp>,
    pub version: i64,
}

/// What `POST /provider-accounts` takes.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewProviderAccount {
    /// `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    pub name: String,
    /// Twilio signs the account's webhooks with it.
    pub auth_token: String,
    /// An API key (`SK…`) to make requests with instead of the auth token.
    #[serde(default)]
    pub api_key_sid: Option<String>,
    #[serde(default)]
    pub api_key_secret: Option<String>,
    /// Where its API is, such as `https://api.dublin.ie1.twilio.com`; absent: where the environment's is.
    #[serde(default)]
    pub api_base: Option<String>,
}

/// What `PATCH /provider-accounts/{sid}` takes.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProviderAccountPatch {
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub auth_token: Option<String>,
    /// The token before or after a rotation: webhooks may be signed with it too. Null removes it.
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub other_auth_token: Option<Option<String>>,
    /// Comes with `api_key_secret`; null removes the key.
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub api_key_sid: Option<Option<String>>,
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub api_key_secret: Option<String>,
    /// Null: where the environment's is.
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub api_base: Option<Option<String>>,
    /// The version that was read; a stale one is refused with 409.
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub version: Option<i64>,
}

// Not derived: neither may show what it carries.
impl fmt::Debug for NewProviderAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewProviderAccount").field("account_sid", &self.account_sid).finish_non_exhaustive()
    }
}

impl fmt::Debug for ProviderAccountPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderAccountPatch").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let new = NewProviderAccount {
            account_sid: "AC1".to_owned(),
            name: "Two".to_owned(),
            auth_token: "hush".to_owned(),
            api_key_sid: None,
            api_key_secret: Some("hush".to_owned()),
            api_base: None,
        };
        let patch = ProviderAccountPatch {
            auth_token: Some("hush".to_owned()),
            other_auth_token: Some(Some("hush".to_owned())),
            api_key_secret: Some("hush".to_owned()),
            ..ProviderAccountPatch::default()
        };
        let shown = format!("{new:?} {patch:?}");
        assert!(shown.contains("AC1") && !shown.contains("hush"), "{shown}");
    }
}
