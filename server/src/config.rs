//! Everything the program is told by its environment: read here, checked as a whole, and nowhere else.
//!
//! [`Options`] are the flags and variables as they were written; [`Config`] is what they mean. A bad value stops the
//! start with one line that names the variable, what was given and what is expected.

mod key;
mod options;
mod parse;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use engine::{
    config::{FirstSender, ProviderConfig, Secret, WebhookKeys},
    secrets::KeyRing,
};
use ipnet::IpNet;
pub use options::{Options, given};
use url::Url;

/// The longest that one HTTP request to the provider may take.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(15);
/// Messages per second of a sender: what Twilio grants a WhatsApp number, and what the simulator takes easily.
const REAL_RATE: i32 = 80;
const SIMULATED_RATE: i32 = 1_000;
/// Longer than Twilio may take for a request that we gave up on; it begins with the request's time-out.
const RECONCILE_GRACE: Duration = Duration::from_secs(150);
/// How long nothing may be heard of a message on its way before Twilio is asked for it: callbacks come within minutes, and
/// Twilio repeats one that we missed for some time.
const STATUS_QUIET: Duration = Duration::from_secs(3_600);
/// How long a sender that Twilio refuses altogether is left alone before one message tries again.
const PROBE_AFTER: Duration = Duration::from_secs(60);
/// How long after a start sending waits for lists of what people wrote that do not come.
const LIST_PATIENCE: Duration = Duration::from_secs(120);
/// The largest file an import takes.
const IMPORT_LIMIT: u64 = 512 * 1024 * 1024;

/// The environment's meaning, complete and consistent.
#[derive(Clone, Debug)]
pub struct Config {
    pub database_url: String,
    pub database_connections: u32,
    /// `None`: rates are kept in this process.
    pub redis_url: Option<Secret>,
    pub bind: SocketAddr,
    /// `None`: `http://` and the address that is listened on.
    pub public_url: Option<Url>,
    /// `None`: the built-in simulator.
    pub twilio: Option<Twilio>,
    /// `None`: the simulator's sender.
    pub first_sender: Option<String>,
    pub admin_email: Option<String>,
    pub admin_password: Option<Secret>,
    pub keys: KeyRing,
    /// Where uploaded files wait for their import.
    pub data_dir: PathBuf,
    pub worker_concurrency: usize,
    pub lease: Duration,
    pub reconcile_grace: Duration,
    pub import_limit: u64,
    /// Whose `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Says by how many seconds the clock is off; see [`crate::test_clock`].
    pub test_clock: Option<PathBuf>,
}

/// A real Twilio account.
#[derive(Clone, Debug)]
pub struct Twilio {
    pub account_sid: String,
    pub auth_token: Secret,
    pub api_key: Option<(String, Secret)>,
    /// What else may have signed its webhooks.
    pub webhook_keys: WebhookKeys,
    pub api_base: String,
    pub content_base: String,
    pub messaging_base: String,
}

/// A value that cannot be meant. Its text is the one line that people see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{variable}: got {given:?}, expected {expected}")]
    Bad { variable: &'static str, given: String, expected: String },
    /// The same for what must not be shown.
    #[error("{variable}: the value given (not shown) is not what is expected: {expected}")]
    BadSecret { variable: &'static str, expected: String },
    #[error("{variable} is not set: expected {expected}")]
    Missing { variable: &'static str, expected: String },
    #[error("{variable}: {problem}")]
    File { variable: &'static str, problem: String },
}

impl ConfigError {
    fn bad(variable: &'static str, given: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Bad { variable, given: given.into(), expected: expected.into() }
    }
}

impl Config {
    /// Reads and checks the options.
    ///
    /// # Errors
    /// For the first value that cannot be meant, and when the key file cannot be read or made.
    pub fn read(options: &Options) -> Result<Self, ConfigError> {
        let database_url = parse::database_url(options)?;
        let data_dir = parse::data_dir(&database_url);
        let twilio = parse::twilio(options)?;
        let first_sender = parse::first_sender(options)?;
        if twilio.is_some() && first_sender.is_none() {
            let expected =
                "the number of the Twilio account to send from (or set TWILIO_MESSAGING_SERVICE_SID)".to_owned();
            return Err(ConfigError::Missing { variable: "TWILIO_FROM", expected });
        }
        let admin_email = given(options.admin_email.as_ref()).map(parse::email).transpose()?;
        let admin_password = options.admin_password.clone().filter(|password| !password.is_empty());
        if admin_password.is_some() && admin_email.is_none() {
            let expected = "the first admin's e-mail address, since ADMIN_PASSWORD is set".to_owned();
            return Err(ConfigError::Missing { variable: "ADMIN_EMAIL", expected });
        }
        let public_url = given(options.public_url.as_ref());
        let test_clock = parse::test_clock(options, twilio.as_ref())?;
        Ok(Self {
            bind: parse::bind_addr(options)?,
            public_url: public_url.map(|text| parse::base_url("PUBLIC_URL", text)).transpose()?,
            twilio,
            first_sender,
            admin_email,
            admin_password: admin_password.map(Secret::new),
            redis_url: given(options.redis_url.as_ref()).map(parse::redis_url).transpose()?,
            database_connections: parse::number(
                "DB_MAX_CONNECTIONS",
                options.db_max_connections.as_ref(),
                16,
                &(2..=1_000),
            )?,
            worker_concurrency: parse::number(
                "WORKER_CONCURRENCY",
                options.worker_concurrency.as_ref(),
                64,
                &(1..=10_000),
            )?,
            reconcile_grace: parse::seconds("RECONCILE_GRACE", options.reconcile_grace.as_ref(), &(1..=86_400))?
                .unwrap_or(RECONCILE_GRACE),
            lease: parse::lease(options)?,
            import_limit: IMPORT_LIMIT,
            trusted_proxies: parse::networks(options.trusted_proxies.as_ref())?,
            test_clock,
            // Last: it may write a file, and nothing is written for a start that is refused.
            keys: key::read_or_make(given(options.encryption_key.as_ref()), &database_url, &data_dir)?,
            data_dir,
            database_url,
        })
    }

    /// Whether the database is a file, which one process has for itself.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.database_url.starts_with("sqlite:")
    }

    /// The embedded database's file.
    #[must_use]
    pub fn database_file(&self) -> Option<PathBuf> {
        parse::database_file(&self.database_url)
    }

    /// The same, where it is to be made when it is not there.
    #[must_use]
    pub fn new_database_file(&self) -> Option<PathBuf> {
        let is_made = !self.database_url.contains('?') || self.database_url.contains("mode=rwc");
        self.database_file().filter(|_| is_made)
    }

    /// What Twilio and people call, without a slash at its end; `addr` is where the server listens.
    #[must_use]
    pub fn public_url(&self, addr: SocketAddr) -> String {
        self.public_url.as_ref().map_or_else(|| format!("http://{addr}"), parse::base_text)
    }

    /// What the engine needs to know; `simulator` is the built-in simulator's address, when there is one.
    #[must_use]
    pub fn engine(&self, public_url: String, simulator: Option<String>) -> engine::config::Config {
        let timeout = PROVIDER_TIMEOUT.min(self.lease / 2);
        let provider = match &self.twilio {
            Some(twilio) => ProviderConfig {
                account_sid: twilio.account_sid.clone(),
                auth_token: twilio.auth_token.clone(),
                api_key: twilio.api_key.clone(),
                webhook_keys: twilio.webhook_keys.clone(),
                api_base: twilio.api_base.clone(),
                content_base: twilio.content_base.clone(),
                messaging_base: twilio.messaging_base.clone(),
                simulator: None,
                timeout,
            },
            None => {
                let base = simulator.unwrap_or_default();
                ProviderConfig {
                    account_sid: simulator::ACCOUNT_SID.to_owned(),
                    auth_token: Secret::new(simulator::AUTH_TOKEN.to_owned()),
                    api_key: None,
                    webhook_keys: WebhookKeys::default(),
                    api_base: base.clone(),
                    content_base: base.clone(),
                    messaging_base: base.clone(),
                    simulator: Some(base),
                    timeout,
                }
            }
        };
        let address = self.first_sender.clone().unwrap_or_else(|| simulator::WHATSAPP_SENDER.to_owned());
        let rate_per_second = if self.twilio.is_some() { REAL_RATE } else { SIMULATED_RATE };
        engine::config::Config {
            public_url,
            data_dir: self.data_dir.clone(),
            witness: parse::witness(&self.database_url, &self.data_dir),
            keys: self.keys.clone(),
            provider,
            first_sender: FirstSender { address, rate_per_second },
            worker_concurrency: self.worker_concurrency,
            lease: self.lease,
            redis_url: self.redis_url.clone(),
            reconcile_grace: self.reconcile_grace,
            status_quiet: STATUS_QUIET,
            probe_after: PROBE_AFTER,
            list_patience: LIST_PATIENCE,
            import_limit: self.import_limit,
        }
    }

    /// What is legal and probably not meant; one line each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.twilio.is_some() {
            match &self.public_url {
                None => warnings.push(
                    "PUBLIC_URL is not set: Twilio cannot reach this server, so there will be no delivery reports and no STOP"
                        .to_owned(),
                ),
                Some(url) if parse::is_loopback(url) => warnings.push(format!(
                    "PUBLIC_URL {url} is on this machine: Twilio cannot reach it, so there will be no delivery reports and no STOP"
                )),
                Some(url) if url.scheme() == "http" => warnings.push(format!(
                    "PUBLIC_URL {url} is not https: webhooks and sessions travel in clear"
                )),
                Some(_) => {}
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn read(arguments: &[&str]) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let database = format!("sqlite://{}/engine.db", dir.path().display());
        let mut line = vec!["test", "--database-url", &database];
        line.extend(arguments);
        Config::read(&Line::try_parse_from(line).expect("known flags").options)
    }

    fn refused(arguments: &[&str]) -> String {
        read(arguments).expect_err("refused").to_string()
    }

    #[test]
    fn the_defaults_are_complete() {
        let config = read(&[]).expect("the defaults hold");
        assert!(config.twilio.is_none() && config.warnings().is_empty());
        assert_eq!(config.lease, Duration::from_secs(60));
        let engine = config.engine("http://127.0.0.1:3000".to_owned(), Some("http://127.0.0.1:4000".to_owned()));
        assert!(engine.is_simulated());
        assert_eq!(engine.provider.timeout, Duration::from_secs(15));
    }

    #[test]
    fn a_bad_value_is_named_with_what_was_given_and_what_is_expected() {
        for (flag, value) in [
            ("--bind-addr", "nowhere"),
            ("--public-url", "ftp://example.org"),
            ("--public-url", "https://example.org/path?x=1"),
            ("--lease-seconds", "3"),
            ("--lease-seconds", "long"),
            ("--worker-concurrency", "0"),
            ("--db-max-connections", "-1"),
            ("--reconcile-grace", "soon"),
            ("--trusted-proxies", "10.0.0.0/99"),
            ("--twilio-from", "someone"),
            ("--twilio-account-sid", "XX"),
            ("--admin-email", "nobody"),
        ] {
            let line = refused(&[&format!("{flag}={value}")]);
            let variable = flag.trim_start_matches('-').replace('-', "_").to_uppercase();
            assert!(line.starts_with(&variable), "{line}");
            assert!(line.contains(value) && line.contains("expected"), "{line}");
            assert!(!line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        let line = refused(&["--encryption-key", "hush-hush"]);
        assert!(line.starts_with("ENCRYPTION_KEY") && !line.contains("hush"), "{line}");
        let sid = format!("AC{}", "0".repeat(32));
        let config =
            read(&["--twilio-account-sid", &sid, "--twilio-auth-token", "hush", "--twilio-from", "+15005550006"])
                .expect("complete");
        assert!(!format!("{config:?}").contains("hush"));
        assert_eq!(config.warnings().len(), 1, "nobody can reach it");
    }

    #[test]
    fn the_note_lies_beside_its_database() {
        let data = std::path::Path::new("data");
        for (url, path) in [
            ("sqlite://data/engine.db", "data/engine.db.witness"),
            ("sqlite://data/engine.db?mode=rwc", "data/engine.db.witness"),
            ("postgres://u:p@h:5432/our-campaigns?sslmode=require", "data/our_campaigns.witness"),
        ] {
            assert_eq!(parse::witness(url, data), std::path::Path::new(path));
        }
    }

    #[test]
    fn what_belongs_together_comes_together() {
        let sid = format!("AC{}", "0".repeat(32));
        assert!(refused(&["--twilio-account-sid", &sid]).starts_with("TWILIO_AUTH_TOKEN"));
        assert!(refused(&["--twilio-auth-token", "t"]).starts_with("TWILIO_ACCOUNT_SID"));
        assert!(refused(&["--twilio-account-sid", &sid, "--twilio-auth-token", "t"]).starts_with("TWILIO_FROM"));
        assert!(refused(&["--admin-password", "secret"]).starts_with("ADMIN_EMAIL"));
        let key = format!("SK{}", "0".repeat(32));
        assert!(refused(&["--twilio-api-key-sid", &key]).starts_with("TWILIO_API_KEY_SECRET"));
    }

    #[test]
    fn a_clock_for_tests_needs_an_account_that_is_none() {
        let file = ["--test-clock", "clock"];
        assert_eq!(read(&file).expect("the built-in simulator").test_clock, Some("clock".into()));
        let sid = format!("AC{}", "0".repeat(32));
        let account = ["--twilio-account-sid", &sid, "--twilio-auth-token", "hush", "--twilio-from", "+15005550006"];
        let line = refused(&[&file[..], &account].concat());
        assert!(line.starts_with("TEST_CLOCK") && line.contains("expected"), "{line}");
        let simulator = ["--twilio-api-base", "http://127.0.0.1:4000"];
        assert!(read(&[&file[..], &account, &simulator].concat()).expect("a simulator").test_clock.is_some());
        let lookalike = ["--twilio-api-base", "http://127.0.0.1.example.org"];
        assert!(refused(&[&file[..], &account, &lookalike].concat()).starts_with("TEST_CLOCK"));
    }

    #[test]
    fn redis_may_have_a_password_tls_and_a_database_number() {
        for url in ["redis://h", "redis://:secret@h:6380/3", "rediss://user:secret@h/1"] {
            let config = read(&["--redis-url", url]).expect(url);
            assert_eq!(config.redis_url.as_ref().map(Secret::reveal), Some(url));
            assert!(!format!("{config:?}").contains("secret"));
        }
        let line = refused(&["--redis-url", "http://:secret@h"]);
        assert!(line.starts_with("REDIS_URL") && line.contains("rediss://") && !line.contains("secret"), "{line}");
    }

    #[test]
    fn postgresql_wants_a_key_of_its_own() {
        let options =
            Line::try_parse_from(["test", "--database-url", "postgres://u:pw@h/db"]).expect("known flags").options;
        let line = Config::read(&options).expect_err("no key").to_string();
        assert!(line.starts_with("ENCRYPTION_KEY is not set"), "{line}");
    }
}
