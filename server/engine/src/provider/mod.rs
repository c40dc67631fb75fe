//! Twilio's REST API: handing one message over, and what its answer means.
//!
//! Only what certainly did not reach Twilio may be sent again: there is no idempotency key. A failure to connect is
//! known not sent, and so is every answer 4xx (Twilio: "never processed"); a time-out, a broken connection and a 5xx
//! are ambiguous.

mod answer;
mod list;
mod request;

use std::time::Duration;

use reqwest::{Client, redirect};

pub use answer::Outcome;
pub use list::{ListError, Listed};
pub use request::Outgoing;

use crate::{
    Error, Result,
    config::{Config, Secret},
};

/// The client of one account.
pub struct Provider {
    client: Client,
    api_base: String,
    messages_url: String,
    user: String,
    password: Secret,
    public_url: String,
}

/// A connection is made within this time, or it is known that nothing was sent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Provider {
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(config: &Config) -> Result<Self> {
        let provider = &config.provider;
        let client = Client::builder()
            .timeout(provider.timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(provider.timeout))
            .pool_max_idle_per_host(config.worker_concurrency)
            .tcp_nodelay(true)
            // A redirected POST could be sent twice, or lose its form.
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .user_agent(concat!("event-stream-engine/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Error::internal)?;
        let (user, password) = match &provider.api_key {
            Some((sid, secret)) => (sid.clone(), secret.clone()),
            None => (provider.account_sid.clone(), provider.auth_token.clone()),
        };
        let api_base = provider.api_base.trim_end_matches('/').to_owned();
        Ok(Self {
            client,
            messages_url: format!("{api_base}/2010-04-01/Accounts/{}/Messages.json", provider.account_sid),
            api_base,
            user,
            password,
            public_url: config.public_url.trim_end_matches('/').to_owned(),
        })
    }

    /// Hands one message over. Never repeats a request by itself.
    pub async fn create(&self, message: &Outgoing<'_>) -> Outcome {
        let request = self
            .client
            .post(&self.messages_url)
            .basic_auth(&self.user, Some(self.password.reveal()))
            .header(reqwest::header::ACCEPT, "application/json")
            .form(&request::form(message, &self.public_url));
        match request.send().await {
            Ok(response) => answer::read(response).await,
            Err(error) => answer::not_answered(&error),
        }
    }
}
