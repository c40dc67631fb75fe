//! What the engine needs to know from its environment; read and checked by the server's `config.rs`.

use std::{path::PathBuf, time::Duration};

use crate::secrets::KeyRing;

/// No process's `lease` is longer.
pub const LONGEST_LEASE: Duration = Duration::from_secs(3_600);

#[derive(Clone, Debug)]
pub struct Config {
    /// What Twilio calls, without a slash at the end.
    pub public_url: String,
    /// Where uploaded files wait for their import.
    pub data_dir: PathBuf,
    /// The note that tells a restored or copied database from the one that was served here last.
    pub witness: PathBuf,
    pub keys: KeyRing,
    pub provider: ProviderConfig,
    /// The sender made at first start.
    pub first_sender: FirstSender,
    /// Requests in flight to the provider.
    pub worker_concurrency: usize,
    pub lease: Duration,
    /// Where several processes share their rates; without it there is one process.
    pub redis_url: Option<Secret>,
    /// How long after a request is over, whoever waited for its answer, Twilio may still make the message.
    pub reconcile_grace: Duration,
    /// How long nothing may be heard of a message that is on its way before Twilio is asked where it stands.
    pub status_quiet: Duration,
    /// How long a blocked sender is left alone before the first message tries again.
    pub probe_after: Duration,
    /// How long after a start the other senders wait for a list of what people wrote that does not come: its account may be
    /// away for days. Its own sender goes on waiting.
    pub list_patience: Duration,
    /// The largest file an import takes, in bytes.
    pub import_limit: u64,
}

#[derive(Clone, Debug)]
pub struct ProviderConfig {
    pub account_sid: String,
    pub auth_token: Secret,
    /// Used for REST calls instead of the auth token.
    pub api_key: Option<(String, Secret)>,
    pub webhook_keys: WebhookKeys,
    pub api_base: String,
    pub content_base: String,
    /// Of the API that knows the numbers of Messaging Services.
    pub messaging_base: String,
    /// The simulator's own address: set when there is no real account.
    pub simulator: Option<String>,
    /// For one HTTP request: min(15 s, lease / 2).
    pub timeout: Duration,
}

/// What else may have signed the webhooks of the environment's account, beside its auth token.
#[derive(Clone, Debug, Default)]
pub struct WebhookKeys {
    /// The token before or after a rotation: Twilio changes over some time after the program does, or before.
    pub other_token: Option<Secret>,
    /// Twilio's SharedKeys, by their ids.
    pub shared: Vec<(String, Secret)>,
}

/// The address of the sender that is made when there is none: `+…`, `whatsapp:+…` or `MG…`.
#[derive(Clone, Debug)]
pub struct FirstSender {
    pub address: String,
    pub rate_per_second: i32,
}

impl Config {
    /// Whether messages go to the simulator instead of Twilio.
    #[must_use]
    pub const fn is_simulated(&self) -> bool {
        self.provider.simulator.is_some()
    }

    /// How long an unknown message waits before Twilio is asked for it, and between the two looks that prove absence. Its
    /// request began before it was unknown, and may have broken off at once while Twilio went on: only after its time-out the
    /// grace begins.
    #[must_use]
    pub const fn wait_to_look(&self) -> Duration {
        self.provider.timeout.saturating_add(self.reconcile_grace)
    }
}

/// Text that is never shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
