//! The flags and variables as they are written.

// The doc comments here are the texts of `--help`.
#![allow(rustdoc::bare_urls)]

use clap::Args;

/// Every variable of the environment, each also a flag. Texts only: what they mean is checked in one place, with one
/// kind of message; an empty one counts as unset. Values are hidden in `--help`, because some are secrets.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Configuration")]
pub struct Options {
    /// The database: sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME [default: sqlite://data/engine.db]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Connections to the database [default: 16]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "N")]
    pub db_max_connections: Option<String>,
    /// Redis that keeps the rates of all processes: redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS; only HOST is needed [default: none, one process]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "URL")]
    pub redis_url: Option<String>,
    /// The address to listen on [default: 127.0.0.1:3000]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "ADDRESS:PORT")]
    pub bind_addr: Option<String>,
    /// What Twilio and people call; signatures are checked against it [default: http://BIND_ADDR]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "URL")]
    pub public_url: Option<String>,
    /// The Twilio account (AC…) [default: the built-in simulator]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "SID")]
    pub twilio_account_sid: Option<String>,
    /// The account's auth token, which also signs its webhooks
    #[arg(long, global = true, env, hide_env_values = true, value_name = "TOKEN")]
    pub twilio_auth_token: Option<String>,
    /// While the auth token is replaced: the other one, whose signatures are believed too
    #[arg(long, global = true, env, hide_env_values = true, value_name = "TOKEN")]
    pub twilio_other_auth_token: Option<String>,
    /// Twilio's SharedKeys that sign webhooks: ID=SECRET, separated by commas
    #[arg(long, global = true, env, hide_env_values = true, value_name = "KEYS")]
    pub twilio_shared_keys: Option<String>,
    /// An API key (SK…) for REST calls instead of the auth token
    #[arg(long, global = true, env, hide_env_values = true, value_name = "SID")]
    pub twilio_api_key_sid: Option<String>,
    /// The secret of that API key
    #[arg(long, global = true, env, hide_env_values = true, value_name = "SECRET")]
    pub twilio_api_key_secret: Option<String>,
    /// The first sender: +… for SMS, whatsapp:+… for WhatsApp [default: the simulator's]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "NUMBER")]
    pub twilio_from: Option<String>,
    /// Or a Messaging Service (MG…) as the first sender
    #[arg(long, global = true, env, hide_env_values = true, value_name = "SID")]
    pub twilio_messaging_service_sid: Option<String>,
    /// Twilio's API [default: https://api.twilio.com]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "URL")]
    pub twilio_api_base: Option<String>,
    /// Twilio's Content API [default: https://content.twilio.com]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "URL")]
    pub twilio_content_base: Option<String>,
    /// Twilio's Messaging API, for the numbers of Messaging Services [default: https://messaging.twilio.com]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "URL")]
    pub twilio_messaging_base: Option<String>,
    /// Creates the first admin at start when there is none
    #[arg(long, global = true, env, hide_env_values = true, value_name = "EMAIL")]
    pub admin_email: Option<String>,
    /// The first admin's password [default: a one-time password, printed once]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "PASSWORD")]
    pub admin_password: Option<String>,
    /// Requests in flight to the provider [default: 64]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "N")]
    pub worker_concurrency: Option<String>,
    /// How long after a request's time-out Twilio is asked about a message of unknown outcome [default: 150]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "SECONDS")]
    pub reconcile_grace: Option<String>,
    /// How long a claimed message belongs to its worker [default: 60]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "SECONDS")]
    pub lease_seconds: Option<String>,
    /// Keys of stored secrets: 32 bytes in base64, or a comma-separated list whose first is current [default on SQLite: made once, in the database's folder]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "KEYS")]
    pub encryption_key: Option<String>,
    /// Networks of reverse proxies whose X-Forwarded-* are believed, comma-separated
    #[arg(long, global = true, env, hide_env_values = true, value_name = "CIDRS")]
    pub trusted_proxies: Option<String>,
    /// For tests, refused with a real account: a file with the seconds that the clock is off by, read again and again
    #[arg(long, global = true, env, hide_env_values = true, value_name = "FILE")]
    pub test_clock: Option<String>,
    /// How log lines look: pretty or json [default: pretty on a terminal, else json]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// Which log lines are written, such as info or engine=debug,info [default: info]
    #[arg(long, global = true, env, hide_env_values = true, value_name = "FILTER")]
    pub rust_log: Option<String>,
}

/// A value that was really given.
#[must_use]
pub fn given(option: Option<&String>) -> Option<&str> {
    option.map(|text| text.trim()).filter(|text| !text.is_empty())
}
