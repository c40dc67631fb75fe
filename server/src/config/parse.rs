//! One function for each kind of value.

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use domain::phone::Phone;
use engine::config::{LONGEST_LEASE, Secret, WebhookKeys};
use ipnet::IpNet;
use url::{Host, Url};

use super::{ConfigError, Options, Twilio, options::given};

type Result<T, E = ConfigError> = std::result::Result<T, E>;

const DATABASE_URL: &str = "sqlite://data/engine.db";
const SQLITE: &str = "sqlite://";
const LEASE: Duration = Duration::from_secs(60);
/// Twice the shortest time in which Twilio can be expected to answer.
const SHORTEST_LEASE: Duration = Duration::from_secs(4);

pub(super) fn database_url(options: &Options) -> Result<String> {
    let url = given(options.database_url.as_ref()).unwrap_or(DATABASE_URL);
    let path = url.strip_prefix(SQLITE).map(|rest| rest.split('?').next().unwrap_or_default());
    match path {
        Some(path) if !path.is_empty() && path != ":memory:" => Ok(url.to_owned()),
        None if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
            // The URL may hold a password, so it is not repeated.
            Url::parse(url).map(|_| url.to_owned()).map_err(|error| ConfigError::BadSecret {
                variable: "DATABASE_URL",
                expected: format!("postgres://USER:PASSWORD@HOST/NAME ({error})"),
            })
        }
        _ => Err(ConfigError::BadSecret {
            variable: "DATABASE_URL",
            expected: "sqlite://PATH of a file, or postgres://USER:PASSWORD@HOST/NAME".to_owned(),
        }),
    }
}

/// The embedded database's file; none for a database elsewhere.
pub(super) fn database_file(database_url: &str) -> Option<PathBuf> {
    let path = database_url.strip_prefix(SQLITE)?;
    Some(PathBuf::from(path.split('?').next().unwrap_or_default()))
}

/// The folder beside the embedded database; `data` for a database elsewhere.
pub(super) fn data_dir(database_url: &str) -> PathBuf {
    let Some(path) = database_file(database_url) else { return PathBuf::from("data") };
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The note that tells a restored or copied database from the one that was served here last: beside the embedded one, and
/// for one elsewhere in the data folder, by its name.
pub(super) fn witness(database_url: &str, data_dir: &Path) -> PathBuf {
    if let Some(file) = database_file(database_url) {
        return file.with_added_extension("witness");
    }
    let url = Url::parse(database_url).ok();
    let name = url.as_ref().map_or("", |url| url.path().trim_matches('/'));
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    data_dir.join(format!("{}.witness", name.chars().map(plain).collect::<String>()))
}

pub(super) fn bind_addr(options: &Options) -> Result<SocketAddr> {
    let text = given(options.bind_addr.as_ref()).unwrap_or("127.0.0.1:3000");
    text.to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| ConfigError::bad("BIND_ADDR", text, "an address and a port, such as 127.0.0.1:3000"))
}

/// A URL that paths are added to: http or https, a host, no query; a slash at the end is dropped by [`base_text`].
pub(super) fn base_url(variable: &'static str, text: &str) -> Result<Url> {
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    url.ok_or_else(|| {
        ConfigError::bad(variable, text, "an http or https URL without query, such as https://example.org")
    })
}

/// The URL without a slash at its end.
pub(super) fn base_text(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(Host::Ipv6(address)) => address.is_loopback() || address.is_unspecified(),
        None => false,
    }
}

pub(super) fn twilio(options: &Options) -> Result<Option<Twilio>> {
    let api_base = optional_base("TWILIO_API_BASE", options.twilio_api_base.as_ref(), "https://api.twilio.com")?;
    let content_base =
        optional_base("TWILIO_CONTENT_BASE", options.twilio_content_base.as_ref(), "https://content.twilio.com")?;
    let messaging_base =
        optional_base("TWILIO_MESSAGING_BASE", options.twilio_messaging_base.as_ref(), "https://messaging.twilio.com")?;
    let api_key = pair(
        ("TWILIO_API_KEY_SID", given(options.twilio_api_key_sid.as_ref())),
        ("TWILIO_API_KEY_SECRET", given(options.twilio_api_key_secret.as_ref())),
        "SK",
    )?;
    let account = pair(
        ("TWILIO_ACCOUNT_SID", given(options.twilio_account_sid.as_ref())),
        ("TWILIO_AUTH_TOKEN", given(options.twilio_auth_token.as_ref())),
        "AC",
    )?;
    match account {
        Some((account_sid, auth_token)) => {
            let webhook_keys = webhook_keys(options)?;
            Ok(Some(Twilio { account_sid, auth_token, api_key, webhook_keys, api_base, content_base, messaging_base }))
        }
        None if api_key.is_some() => Err(ConfigError::Missing {
            variable: "TWILIO_ACCOUNT_SID",
            expected: "the account of TWILIO_API_KEY_SID (AC and 32 hexadecimal digits)".to_owned(),
        }),
        None => Ok(None),
    }
}

/// A clock that is off would send at the wrong time: what is sent has to stay on this machine.
pub(super) fn test_clock(options: &Options, twilio: Option<&Twilio>) -> Result<Option<PathBuf>> {
    let Some(file) = given(options.test_clock.as_ref()) else { return Ok(None) };
    let here = |twilio: &Twilio| Url::parse(&twilio.api_base).is_ok_and(|url| is_loopback(&url));
    if twilio.is_none_or(here) {
        Ok(Some(PathBuf::from(file)))
    } else {
        Err(ConfigError::bad("TEST_CLOCK", file, "to be unset, since a real Twilio account is set"))
    }
}

fn webhook_keys(options: &Options) -> Result<WebhookKeys> {
    let bad = || ConfigError::BadSecret {
        variable: "TWILIO_SHARED_KEYS",
        expected: "ids and secrets of Twilio's SharedKeys, as ID=SECRET, separated by commas".to_owned(),
    };
    let entries = given(options.twilio_shared_keys.as_ref()).unwrap_or_default();
    let entries = entries.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let shared = entries.map(|entry| {
        let (id, secret) = entry.split_once('=').ok_or_else(bad)?;
        if id.is_empty() || secret.is_empty() {
            Err(bad())
        } else {
            Ok((id.to_owned(), Secret::new(secret.to_owned())))
        }
    });
    let other_token = given(options.twilio_other_auth_token.as_ref());
    Ok(WebhookKeys {
        other_token: other_token.map(|token| Secret::new(token.to_owned())),
        shared: shared.collect::<Result<_>>()?,
    })
}

fn optional_base(variable: &'static str, option: Option<&String>, default: &str) -> Result<String> {
    Ok(base_text(&base_url(variable, given(option).unwrap_or(default))?))
}

/// A SID and its secret: both or none.
fn pair(
    (sid_name, sid): (&'static str, Option<&str>),
    (secret_name, secret): (&'static str, Option<&str>),
    prefix: &str,
) -> Result<Option<(String, Secret)>> {
    match (sid, secret) {
        (None, None) => Ok(None),
        (Some(sid), _) if !is_sid(sid, prefix) => {
            Err(ConfigError::bad(sid_name, sid, format!("{prefix} and 32 hexadecimal digits")))
        }
        (Some(sid), Some(secret)) => Ok(Some((sid.to_owned(), Secret::new(secret.to_owned())))),
        (Some(_), None) => Err(ConfigError::Missing {
            variable: secret_name,
            expected: format!("the secret that goes with {sid_name}"),
        }),
        (None, Some(_)) => {
            Err(ConfigError::Missing { variable: sid_name, expected: format!("the SID that goes with {secret_name}") })
        }
    }
}

fn is_sid(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

pub(super) fn first_sender(options: &Options) -> Result<Option<String>> {
    let from = given(options.twilio_from.as_ref());
    let service = given(options.twilio_messaging_service_sid.as_ref());
    match (from, service) {
        (Some(from), None) => {
            let number = from.strip_prefix("whatsapp:").unwrap_or(from);
            match number.parse::<Phone>() {
                Ok(_) => Ok(Some(from.to_owned())),
                Err(_) => {
                    Err(ConfigError::bad("TWILIO_FROM", from, "a number such as +14155550100 or whatsapp:+14155550100"))
                }
            }
        }
        (None, Some(service)) if is_sid(service, "MG") => Ok(Some(service.to_owned())),
        (None, Some(service)) => {
            Err(ConfigError::bad("TWILIO_MESSAGING_SERVICE_SID", service, "MG and 32 hexadecimal digits"))
        }
        (Some(from), Some(_)) => {
            Err(ConfigError::bad("TWILIO_FROM", from, "to be unset, since TWILIO_MESSAGING_SERVICE_SID is set"))
        }
        (None, None) => Ok(None),
    }
}

pub(super) fn email(text: &str) -> Result<String> {
    let well_formed =
        text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
            && !text.contains(char::is_whitespace);
    if well_formed { Ok(text.to_owned()) } else { Err(ConfigError::bad("ADMIN_EMAIL", text, "an e-mail address")) }
}

pub(super) fn number<T>(
    variable: &'static str,
    option: Option<&String>,
    default: T,
    range: &RangeInclusive<T>,
) -> Result<T>
where
    T: FromStr + PartialOrd + Display,
{
    let Some(text) = given(option) else { return Ok(default) };
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        ConfigError::bad(variable, text, format!("a whole number from {} to {}", range.start(), range.end()))
    })
}

pub(super) fn seconds(
    variable: &'static str,
    option: Option<&String>,
    range: &RangeInclusive<u64>,
) -> Result<Option<Duration>> {
    let Some(text) = given(option) else { return Ok(None) };
    let number = text.parse::<u64>().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        ConfigError::bad(variable, text, format!("whole seconds from {} to {}", range.start(), range.end()))
    })?;
    Ok(Some(Duration::from_secs(number)))
}

/// A lease must outlive the request it covers, whose time-out is half of it.
pub(super) fn lease(options: &Options) -> Result<Duration> {
    let seconds_of = 1..=LONGEST_LEASE.as_secs();
    let lease = seconds("LEASE_SECONDS", options.lease_seconds.as_ref(), &seconds_of)?.unwrap_or(LEASE);
    if lease < SHORTEST_LEASE {
        let expected =
            format!("at least {} seconds, since the HTTP time-out to Twilio is half of it", SHORTEST_LEASE.as_secs());
        return Err(ConfigError::bad("LEASE_SECONDS", lease.as_secs().to_string(), expected));
    }
    Ok(lease)
}

pub(super) fn redis_url(url: &str) -> Result<Secret> {
    match engine::throttle::check_url(url) {
        Ok(()) => Ok(Secret::new(url.to_owned())),
        // It may hold a password.
        Err(problem) => Err(ConfigError::BadSecret { variable: "REDIS_URL", expected: problem.to_string() }),
    }
}

pub(super) fn networks(option: Option<&String>) -> Result<Vec<IpNet>> {
    let Some(text) = given(option) else { return Ok(Vec::new()) };
    let one = |part: &str| {
        let part = part.trim();
        part.parse::<IpNet>().ok().or_else(|| part.parse::<IpAddr>().ok().map(IpNet::from))
    };
    text.split(',')
        .map(one)
        .collect::<Option<_>>()
        .ok_or_else(|| ConfigError::bad("TRUSTED_PROXIES", text, "networks such as 10.0.0.0/8,192.0.2.7/32"))
}
