//! Whether a request really comes from Twilio: HMAC over the address it called and the form it sent.
//!
//! Source: Twilio, "Security", "Validating Signatures from Twilio"; the official SDKs' validators for what that page
//! leaves open (ports, repeated names, the legacy query string).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac, digest::KeyInit};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::event::{BodyType, Form};
use crate::config::Secret;

/// What was signed.
pub(super) struct Request<'a> {
    /// The public address with path and query exactly as requested.
    pub url: &'a str,
    pub content_type: Option<&'a str>,
    /// The raw body, where it is signed by its hash.
    pub body: &'a [u8],
    /// The same as a form.
    pub form: &'a Form<'a>,
}

/// Bytes of an HMAC with SHA-1, and with SHA-256.
const LENGTHS: [usize; 2] = [20, 32];

/// Whether a header can be a signature at all; what it says is another matter.
pub(super) fn is_one(header: Option<&str>) -> bool {
    header.is_some_and(|text| decoded(text).is_some())
}

/// The signature that a header carries.
fn decoded(text: &str) -> Option<Vec<u8>> {
    // In Base64, four characters for three bytes: anything else is not worth decoding.
    let fits = LENGTHS.iter().any(|length| text.len() == length.div_ceil(3) * 4);
    let bytes = if fits { BASE64_STANDARD.decode(text).ok()? } else { return None };
    LENGTHS.contains(&bytes.len()).then_some(bytes)
}

impl Request<'_> {
    /// Whether one of the keys made the signature. Several serve the time of a rotation.
    #[must_use]
    pub(super) fn is_signed(&self, keys: &[Key<'_>], signature: Option<&str>) -> bool {
        let Some(signature) = signature.and_then(decoded) else { return false };
        let Some(parameters) = self.signed_parameters() else { return false };
        let signs = |url: &str| {
            let keys = keys.iter().filter(|key| !key.secret.is_empty());
            keys.into_iter().any(|key| key.made(&signature, url, &parameters))
        };
        // Nearly always it is the address as it was called.
        signs(self.url) || variants(self.url).iter().skip(1).any(|url| signs(url))
    }

    /// Names and values in the order in which they are signed; nothing for a body that is signed by its hash in the
    /// address, `None` when that hash is wrong or missing where it has to be.
    fn signed_parameters(&self) -> Option<Vec<(&str, &str)>> {
        if let Some(expected) = body_hash(self.url) {
            let actual = hex::encode(Sha256::digest(self.body));
            return (expected == actual).then(Vec::new);
        }
        if BodyType::of(self.content_type) == Some(BodyType::Json) {
            return None;
        }
        let pairs = self.form.pairs().iter();
        let mut parameters: Vec<(&str, &str)> = pairs.map(|(name, value)| (&**name, &**value)).collect();
        // Names in the order of their bytes; of a repeated name each value once, in order.
        parameters.sort_unstable();
        parameters.dedup();
        Some(parameters)
    }
}

/// What signs: an account's auth token, or a SharedKey.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key<'a> {
    pub secret: &'a str,
    pub algorithm: Algorithm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Sha1,
    Sha256,
}

impl Key<'_> {
    /// Compared in constant time.
    fn made(self, signature: &[u8], url: &str, parameters: &[(&str, &str)]) -> bool {
        match self.algorithm {
            Algorithm::Sha1 => is_mac::<Hmac<Sha1>>(self.secret, signature, url, parameters),
            Algorithm::Sha256 => is_mac::<Hmac<Sha256>>(self.secret, signature, url, parameters),
        }
    }
}

/// The keys that may have signed: the SharedKey that the header names, where it is configured, else the account's tokens.
/// An algorithm that we do not know leaves none.
pub(super) fn keys<'a>(
    settings: Option<&str>,
    tokens: impl Iterator<Item = &'a str>,
    shared: &'a [(String, Secret)],
) -> Vec<Key<'a>> {
    let settings = settings.map(Settings::read);
    let named = settings.and_then(|settings| {
        let (_, secret) = shared.iter().find(|(id, _)| *id == settings.key)?;
        Some((secret.reveal(), settings.algorithm))
    });
    match named {
        Some((secret, Some(algorithm))) => vec![Key { secret, algorithm }],
        Some((_, None)) => Vec::new(),
        None => tokens.map(|secret| Key { secret, algorithm: Algorithm::Sha1 }).collect(),
    }
}

fn is_mac<M: Mac + KeyInit>(secret: &str, signature: &[u8], url: &str, parameters: &[(&str, &str)]) -> bool {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(url.as_bytes());
    for (name, value) in parameters {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    mac.verify_slice(signature).is_ok()
}

/// `X-Twilio-Webhooks-Signature-Settings`: `key=<id>,algorithm=<name>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings<'a> {
    pub key: &'a str,
    /// None: one that we do not know.
    pub algorithm: Option<Algorithm>,
}

impl<'a> Settings<'a> {
    pub(super) fn read(header: &'a str) -> Self {
        let value = |wanted: &str| {
            let parts = header.split(',').filter_map(|part| part.split_once('='));
            parts
                .map(|(name, value)| (name.trim(), value.trim()))
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| value)
        };
        let algorithm = match value("algorithm") {
            None | Some("" | "HMAC_SHA1") => Some(Algorithm::Sha1),
            Some("HMAC_SHA256") => Some(Algorithm::Sha256),
            Some(_) => None,
        };
        Self { key: value("key").unwrap_or_default(), algorithm }
    }
}

fn body_hash(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "bodySHA256")
        .map(|(_, value)| value.to_ascii_lowercase())
}

/// The writings of an address that Twilio may have signed, as it is first: with and without the port (its products differ), each also
/// with the query as older ones encode it.
fn variants(url: &str) -> Vec<String> {
    let mut variants = vec![url.to_owned()];
    let mut add = |url: String| {
        if !variants.contains(&url) {
            variants.push(url);
        }
    };
    if let Some(parts) = Parts::of(url) {
        add(parts.with_port(None));
        add(parts.with_port(Some(parts.port.unwrap_or_else(|| parts.default_port()))));
    }
    for url in variants.clone() {
        if let Some((base, query)) = url.split_once('?') {
            let legacy = format!("{base}?{}", query.replace('\'', "%27").replace("%20", "+"));
            if !variants.contains(&legacy) {
                variants.push(legacy);
            }
        }
    }
    variants
}

/// An address cut at its port. A parser would also normalise, and the signature is over the text.
struct Parts<'a> {
    scheme: &'a str,
    /// User, password and host.
    host: &'a str,
    port: Option<&'a str>,
    rest: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let (scheme, after) = url.split_once("://")?;
        let (authority, rest) = after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()));
        let host_at = authority.rfind('@').map_or(0, |at| at + 1);
        let colon = authority.rfind(':').filter(|at| *at >= host_at && !authority[*at..].contains(']'));
        let (host, port) = match colon {
            Some(at) => (&authority[..at], Some(&authority[at + 1..])),
            None => (authority, None),
        };
        Some(Self { scheme, host, port, rest })
    }

    fn default_port(&self) -> &'static str {
        if self.scheme.eq_ignore_ascii_case("https") { "443" } else { "80" }
    }

    fn with_port(&self, port: Option<&str>) -> String {
        let Self { scheme, host, rest, .. } = self;
        port.map_or_else(|| format!("{scheme}://{host}{rest}"), |port| format!("{scheme}://{host}:{port}{rest}"))
    }
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
