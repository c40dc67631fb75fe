//! Calling the application as Twilio does: headers, timeouts, retries and their overrides in the URL's fragment
//! (page "Webhook connection overrides"; error pages 11200, 11205, 11217).

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use tokio::time::{Instant, timeout_at};
use url::Url;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use crate::state::lock;

/// Twilio reads no more of an answer than this (error 11750 for TwiML).
pub(crate) const MAX_ANSWER: usize = 64 * 1024;
const IDEMPOTENCY_TOKEN: HeaderName = HeaderName::from_static("i-twilio-idempotency-token");
const SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");

/// A webhook URL, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// What is called: without fragment.
    pub url: Url,
    /// What is signed, when it differs: without user name and password.
    bare: Option<String>,
    pub overrides: Overrides,
    /// The fragment names something Twilio does not know (error 11243); the defaults are used.
    pub bad_overrides: bool,
}

impl Target {
    /// `None` for what Twilio answers with 21609: no http(s) URL, or an underscore in the host name.
    pub fn parse(text: &str) -> Option<Self> {
        let mut url = Url::parse(text).ok()?;
        if !matches!(url.scheme(), "http" | "https")
            || url.host_str().is_none_or(|host| host.is_empty() || host.contains('_'))
        {
            return None;
        }
        let parsed = url.fragment().map_or(Ok(Overrides::default()), Overrides::parse);
        url.set_fragment(None);
        let bare = (!url.username().is_empty() || url.password().is_some()).then(|| {
            let mut bare = url.clone();
            // Both succeed on a URL with a host.
            let _ = bare.set_username("");
            let _ = bare.set_password(None);
            bare.into()
        });
        Some(Self { url, bare, bad_overrides: parsed.is_err(), overrides: parsed.unwrap_or_default() })
    }

    /// The URL the signature is computed over: as called, with its port, without credentials.
    pub fn signed(&self) -> &str {
        self.bare.as_deref().unwrap_or(self.url.as_str())
    }
}

/// Connection overrides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overrides {
    pub connect_ms: u16,
    pub read_ms: u16,
    pub total_ms: u16,
    pub retries: u8,
    pub policy: Policy,
}

/// What is tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    pub connect: bool,
    pub read: bool,
    pub client_error: bool,
    pub server_error: bool,
    pub all: bool,
}

impl Default for Overrides {
    fn default() -> Self {
        let policy = Policy { connect: true, ..Policy::default() };
        Self { connect_ms: 5_000, read_ms: 15_000, total_ms: 15_000, retries: 1, policy }
    }
}

impl Overrides {
    fn parse(fragment: &str) -> Result<Self, ()> {
        let mut overrides = Self::default();
        for (key, value) in url::form_urlencoded::parse(fragment.as_bytes()) {
            let number = |low: u16, high: u16| value.parse().ok().filter(|n| (low..=high).contains(n)).ok_or(());
            match &*key {
                "ct" => overrides.connect_ms = number(100, 10_000)?,
                "rt" => overrides.read_ms = number(100, 15_000)?,
                "tt" => overrides.total_ms = number(100, 15_000)?,
                "rc" => overrides.retries = number(0, 5)? as u8,
                "rp" => {
                    overrides.policy = Policy::default();
                    for word in value.split(',') {
                        match word {
                            "ct" => overrides.policy.connect = true,
                            "rt" => overrides.policy.read = true,
                            "4xx" => overrides.policy.client_error = true,
                            "5xx" => overrides.policy.server_error = true,
                            "all" => overrides.policy.all = true,
                            _ => return Err(()),
                        }
                    }
                }
                // The egress edge means nothing here; other fragments are not for Twilio.
                _ => {}
            }
        }
        Ok(overrides)
    }

    fn retry(&self, outcome: Outcome) -> bool {
        let policy = self.policy;
        match outcome {
            Outcome::Answered(status) if status < 400 => false,
            _ if policy.all => true,
            Outcome::Answered(status) if status < 500 => policy.client_error,
            Outcome::Answered(_) => policy.server_error,
            Outcome::NotConnected => policy.connect,
            Outcome::TimedOut => policy.read,
            Outcome::Broken => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Answered(u16),
    NotConnected,
    TimedOut,
    Broken,
}

/// What came of one webhook, all attempts together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery {
    /// The last answer's status, if there was an answer.
    pub status: Option<u16>,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
    pub attempts: u32,
    /// What Twilio's debugger would show.
    pub error: Option<u32>,
}

/// The HTTP side: one pooled client, and one more for each overridden connect timeout.
#[derive(Debug)]
pub(crate) struct Webhooks {
    client: reqwest::Client,
    connections: usize,
    others: Mutex<HashMap<u16, reqwest::Client>>,
}

impl Webhooks {
    pub fn new(connections: usize) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: client(Overrides::default().connect_ms, connections)?,
            connections,
            others: Mutex::default(),
        })
    }

    fn client(&self, connect_ms: u16) -> reqwest::Client {
        if connect_ms == Overrides::default().connect_ms {
            return self.client.clone();
        }
        // Rounded up, so that there are at most a hundred of them.
        let connect_ms = connect_ms.div_ceil(100) * 100;
        let mut others = lock(&self.others);
        if let Some(known) = others.get(&connect_ms) {
            return known.clone();
        }
        match client(connect_ms, self.connections) {
            Ok(new) => {
                others.insert(connect_ms, new.clone());
                new
            }
            Err(_) => self.client.clone(),
        }
    }

    /// Posts a signed form, with the retries the target asks for, all within its total time. The token stays the same
    /// over the retries.
    pub async fn post(&self, target: &Target, form: String, signature: &str, token: Uuid) -> Delivery {
        let overrides = target.overrides;
        let started = Instant::now();
        let deadline = started + Duration::from_millis(overrides.total_ms.into());
        let client = self.client(overrides.connect_ms);
        let form = Bytes::from(form);
        let mut delivery = Delivery::default();
        let mut buffer = Uuid::encode_buffer();
        let token = HeaderValue::from_str(token.hyphenated().encode_lower(&mut buffer)).ok();
        let signature = HeaderValue::from_str(signature).ok();
        loop {
            delivery.attempts += 1;
            let mut request = client.post(target.url.clone()).body(form.clone());
            if let (Some(token), Some(signature)) = (&token, &signature) {
                request = request.header(IDEMPOTENCY_TOKEN, token.clone()).header(SIGNATURE, signature.clone());
            }
            let until = deadline.min(Instant::now() + Duration::from_millis(overrides.read_ms.into()));
            let outcome = match timeout_at(until, attempt(request, &mut delivery)).await {
                Ok(outcome) => outcome,
                Err(_) => Outcome::TimedOut,
            };
            delivery.error = match outcome {
                Outcome::Answered(status) => {
                    delivery.status = Some(status);
                    (!(200..300).contains(&status)).then_some(11217)
                }
                Outcome::NotConnected | Outcome::TimedOut => {
                    delivery.status = None;
                    Some(11205)
                }
                Outcome::Broken => {
                    delivery.status = None;
                    Some(11200)
                }
            };
            let left = u32::from(overrides.retries) + 1 > delivery.attempts && Instant::now() < deadline;
            if !(left && overrides.retry(outcome)) {
                return delivery;
            }
            // A refused connection is refused at once; a short pause makes the retry worth something.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The body of a form POST.
pub(crate) fn encode<K: AsRef<str>, V: AsRef<str>>(params: &[(K, V)]) -> String {
    Serializer::new(String::with_capacity(640)).extend_pairs(params).finish()
}

async fn attempt(request: reqwest::RequestBuilder, delivery: &mut Delivery) -> Outcome {
    delivery.body.clear();
    let mut answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) if error.is_connect() => return Outcome::NotConnected,
        Err(_) => return Outcome::Broken,
    };
    delivery.content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => {
                let room = (MAX_ANSWER + 1).saturating_sub(delivery.body.len());
                delivery.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if room == 0 {
                    break;
                }
            }
            Ok(None) => break,
            Err(_) => return Outcome::Broken,
        }
    }
    Outcome::Answered(answer.status().as_u16())
}

fn client(connect_ms: u16, connections: usize) -> Result<reqwest::Client, reqwest::Error> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static("TwilioProxy/1.1"));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(HeaderName::from_static("x-home-region"), HeaderValue::from_static("us1"));
    let builder = || {
        reqwest::Client::builder()
            .default_headers(headers.clone())
            .connect_timeout(Duration::from_millis(connect_ms.into()))
            .pool_max_idle_per_host(connections)
            .tcp_nodelay(true)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
    };
    // A machine without any root certificates can still call http URLs.
    builder().build().or_else(|_| builder().tls_certs_only([]).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_signs_what_it_calls() {
        let target = Target::parse("https://user:pw@example.com:8443/a?m=1&n=%20#rc=3&rp=ct,5xx").expect("a URL");
        assert_eq!(target.signed(), "https://example.com:8443/a?m=1&n=%20");
        assert_eq!(target.url.fragment(), None);
        assert_eq!(target.overrides.retries, 3);
        assert_eq!(target.overrides.policy, Policy { connect: true, server_error: true, ..Policy::default() });
        assert_eq!(Target::parse("http://127.0.0.1:1/x").expect("a URL").signed(), "http://127.0.0.1:1/x");
        for bad in ["", "example.com", "ftp://example.com/", "http://my_host/x", "mailto:a@b.c", "http://"] {
            assert!(Target::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn bad_overrides_mean_the_defaults() {
        for fragment in ["rp=sometimes", "rc=6", "ct=50", "tt=99999", "rc=x"] {
            let target = Target::parse(&format!("http://example.com/#{fragment}")).expect("a URL");
            assert!(target.bad_overrides, "{fragment}");
            assert_eq!(target.overrides, Overrides::default());
        }
        assert!(!Target::parse("http://example.com/#top").expect("a URL").bad_overrides);
    }

    #[test]
    fn only_a_refused_connection_is_tried_again_by_default() {
        let default = Overrides::default();
        assert!(default.retry(Outcome::NotConnected));
        for outcome in
            [Outcome::Answered(200), Outcome::Answered(404), Outcome::Answered(503), Outcome::TimedOut, Outcome::Broken]
        {
            assert!(!default.retry(outcome), "{outcome:?}");
        }
        let all = Overrides::parse("rp=all").expect("valid");
        assert!(
            all.retry(Outcome::Answered(404)) && all.retry(Outcome::TimedOut) && !all.retry(Outcome::Answered(204))
        );
        let some = Overrides::parse("rp=5xx,rt").expect("valid");
        assert!(
            some.retry(Outcome::Answered(500)) && some.retry(Outcome::TimedOut) && !some.retry(Outcome::NotConnected)
        );
    }
}
