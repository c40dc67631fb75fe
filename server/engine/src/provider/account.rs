//! An account at Twilio, with what its requests and webhooks need.

use std::fmt;

use crate::config::{ProviderConfig, Secret};

/// One account or subaccount. Made once, shared by all messages of its senders.
pub struct Account {
    sid: String,
    name: String,
    auth_token: Secret,
    other_auth_token: Option<Secret>,
    /// Whom requests come from: the API key when there is one, else the account itself.
    user: String,
    password: Secret,
    pub(super) api_base: String,
    /// Of the Content API.
    pub(super) content_base: String,
    /// Of the API that knows the numbers of Messaging Services.
    pub(super) messaging_base: String,
    pub(super) messages_url: String,
}

/// The addresses of Twilio's APIs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bases<'a> {
    pub api: &'a str,
    pub content: &'a str,
    pub messaging: &'a str,
}

impl<'a> Bases<'a> {
    /// Those of the environment.
    pub(crate) fn of(config: &'a ProviderConfig) -> Self {
        Self { api: &config.api_base, content: &config.content_base, messaging: &config.messaging_base }
    }

    /// One for all.
    pub(crate) const fn all(base: &'a str) -> Self {
        Self { api: base, content: base, messaging: base }
    }
}

/// What opens an account.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub auth_token: Secret,
    /// The token before or after a rotation: Twilio changes over some time after the program does, or before.
    pub other_auth_token: Option<Secret>,
    /// SID and secret.
    pub api_key: Option<(String, Secret)>,
}

impl Account {
    pub(crate) fn new(sid: &str, name: &str, credentials: Credentials, bases: Bases<'_>) -> Self {
        let Credentials { auth_token, other_auth_token, api_key } = credentials;
        let (user, password) = api_key.unwrap_or_else(|| (sid.to_owned(), auth_token.clone()));
        let base = |text: &str| text.trim_end_matches('/').to_owned();
        let api_base = base(bases.api);
        Self {
            messages_url: format!("{api_base}/2010-04-01/Accounts/{sid}/Messages.json"),
            sid: sid.to_owned(),
            name: name.to_owned(),
            auth_token,
            other_auth_token,
            user,
            password,
            api_base,
            content_base: base(bases.content),
            messaging_base: base(bases.messaging),
        }
    }

    /// The one of the environment.
    pub(super) fn of_environment(config: &ProviderConfig) -> Self {
        let credentials = Credentials {
            auth_token: config.auth_token.clone(),
            other_auth_token: config.webhook_keys.other_token.clone(),
            api_key: config.api_key.clone(),
        };
        Self::new(&config.account_sid, "Main account", credentials, Bases::of(config))
    }

    pub(crate) fn sid(&self) -> &str {
        &self.sid
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What Twilio may sign this account's webhooks with: two while one takes the place of the other.
    pub(crate) fn auth_tokens(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.auth_token).chain(&self.other_auth_token).map(Secret::reveal)
    }

    pub(super) fn authorize(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.basic_auth(&self.user, Some(self.password.reveal()))
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({})", self.sid)
    }
}
