//! Twilio's REST API: handing one message over, and what its answer means.
//!
//! Only what certainly did not reach Twilio may be sent again: there is no idempotency key. A failure to connect is
//! known not sent, and so is every answer 4xx (Twilio: "never processed"); a time-out, a broken connection and a 5xx
//! are ambiguous.

mod account;
mod answer;
mod contents;
mod inbound;
mod list;
mod media;
mod request;
mod service;

use std::{sync::Arc, time::Duration};

use reqwest::{Client, redirect};

pub use account::Account;
pub(crate) use account::{Bases, Credentials};
pub use answer::{Outcome, Refusal};
pub use inbound::{Again, Page, Pages, Received};
pub use list::{ListError, Listed};
pub use media::MediaError;
pub use request::Outgoing;
pub(crate) use request::{inbound_webhook, person_at, without_channel};

use crate::{Error, Result, config::Config};

/// The client, one for all accounts.
pub struct Provider {
    client: Client,
    own: Arc<Account>,
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
        Ok(Self {
            client,
            own: Arc::new(Account::of_environment(provider)),
            public_url: config.public_url.trim_end_matches('/').to_owned(),
        })
    }

    /// The environment's own account.
    pub(crate) const fn own_account(&self) -> &Arc<Account> {
        &self.own
    }

    /// Hands one message over to the account. Never repeats a request by itself.
    pub async fn create(&self, account: &Account, message: &Outgoing<'_>) -> Outcome {
        let request = account
            .authorize(self.client.post(&account.messages_url))
            .header(reqwest::header::ACCEPT, "application/json")
            .form(&request::form(message, &self.public_url));
        match request.send().await {
            Ok(response) => answer::read(response).await,
            Err(error) => answer::not_answered(&error),
        }
    }
}
