//! Webhook signatures (Twilio's page "Security", official SDKs' request validators).
//!
//! The signature of a form POST is the base64 of an HMAC, keyed with the account's auth token, over the URL as it was
//! called followed by each parameter's name and value, the parameters sorted by name in byte order. A name that occurs
//! several times contributes each of its distinct values, sorted (as the Python and Node SDKs do).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The header that carries the signature.
pub const HEADER: &str = "X-Twilio-Signature";

/// How the signature is computed. Only requests signed with a SharedKey (2026) use anything but the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA1: what every account uses unless it configured SharedKeys.
    #[default]
    HmacSha1,
    /// HMAC-SHA256.
    HmacSha256,
}

impl Algorithm {
    /// The algorithm named by an `X-Twilio-Webhooks-Signature-Settings` header (`key=<id>,algorithm=<name>`).
    /// A missing header or part means HMAC-SHA1; an unknown name is `None` and must be refused.
    pub fn from_settings_header(header: Option<&str>) -> Option<Self> {
        let named =
            header.into_iter().flat_map(|text| text.split(',')).find_map(|part| part.trim().strip_prefix("algorithm="));
        match named {
            None | Some("HMAC_SHA1") => Some(Self::HmacSha1),
            Some("HMAC_SHA256") => Some(Self::HmacSha256),
            Some(_) => None,
        }
    }
}

/// A key that signs many requests; its HMAC is set up once.
#[derive(Clone)]
pub struct Signer(Keyed);

#[derive(Clone)]
enum Keyed {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// A signer for an auth token.
    pub fn new(token: &str) -> Self {
        Self::with_algorithm(Algorithm::HmacSha1, token)
    }

    /// A signer for a token or the secret of a SharedKey.
    pub fn with_algorithm(algorithm: Algorithm, key: &str) -> Self {
        const ANY_LENGTH: &str = "HMAC takes keys of any length";
        Self(match algorithm {
            Algorithm::HmacSha1 => Keyed::Sha1(Hmac::new_from_slice(key.as_bytes()).expect(ANY_LENGTH)),
            Algorithm::HmacSha256 => Keyed::Sha256(Hmac::new_from_slice(key.as_bytes()).expect(ANY_LENGTH)),
        })
    }

    /// The signature of a POST of `params` (decoded) to `url` (as sent, without fragment).
    pub fn sign<K: AsRef<str>, V: AsRef<str>>(&self, url: &str, params: &[(K, V)]) -> String {
        let mut sorted: Vec<(&str, &str)> =
            params.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        sorted.sort_unstable();
        sorted.dedup();
        self.sign_sorted(&[url], &sorted)
    }

    fn sign_sorted(&self, url: &[&str], params: &[(&str, &str)]) -> String {
        fn digest<M: Mac>(mut mac: M, url: &[&str], params: &[(&str, &str)]) -> String {
            for part in url {
                mac.update(part.as_bytes());
            }
            for (name, value) in params {
                mac.update(name.as_bytes());
                mac.update(value.as_bytes());
            }
            STANDARD.encode(mac.finalize().into_bytes())
        }
        match &self.0 {
            Keyed::Sha1(mac) => digest(mac.clone(), url, params),
            Keyed::Sha256(mac) => digest(mac.clone(), url, params),
        }
    }

    /// Whether `signature` belongs to a form POST of `params` to `url`.
    ///
    /// Twilio is not consistent about ports and old query encodings, so, as the SDKs do, the URL is tried as given,
    /// without its port, with the scheme's usual port, and each of these with the query in the legacy encoding.
    pub fn check<K: AsRef<str>, V: AsRef<str>>(&self, url: &str, params: &[(K, V)], signature: &str) -> bool {
        if signature.is_empty() {
            return false;
        }
        let mut sorted: Vec<(&str, &str)> =
            params.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        sorted.sort_unstable();
        sorted.dedup();
        variants(url).iter().any(|variant| {
            let expected = self.sign_sorted(&[variant], &sorted);
            bool::from(expected.as_bytes().ct_eq(signature.as_bytes()))
        })
    }

    /// Whether `signature` belongs to a POST of a JSON `body` to `url`: the URL must carry the body's hash as
    /// `bodySHA256`, and the signature covers the URL alone.
    pub fn check_body(&self, url: &str, body: &[u8], signature: &str) -> bool {
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        let Some((_, claimed)) = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "bodySHA256")
        else {
            return false;
        };
        let same = bool::from(body_sha256(body).as_bytes().ct_eq(claimed.as_bytes()));
        self.check::<&str, &str>(url, &[], signature) && same
    }
}

/// The signature of a form POST, HMAC-SHA1. Use a [`Signer`] for more than one.
pub fn sign<K: AsRef<str>, V: AsRef<str>>(url: &str, params: &[(K, V)], token: &str) -> String {
    Signer::new(token).sign(url, params)
}

/// Whether a form POST was signed with `token`; see [`Signer::check`].
pub fn check<K: AsRef<str>, V: AsRef<str>>(url: &str, params: &[(K, V)], token: &str, signature: &str) -> bool {
    Signer::new(token).check(url, params, signature)
}

/// The value of `bodySHA256` for a JSON body.
pub fn body_sha256(body: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(body).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The decoded parameters of a form body, in their order.
pub fn parse_form(body: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

fn variants(url: &str) -> Vec<String> {
    let mut all = vec![url.to_owned()];
    if let Some((scheme, rest)) = url.split_once("://") {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (user, host) = authority.rfind('@').map_or(("", authority), |at| authority.split_at(at + 1));
        let port = host.rfind(':').filter(|colon| !host[*colon..].contains(']'));
        match port {
            Some(colon) => all.push(format!("{scheme}://{user}{}{tail}", &host[..colon])),
            None => {
                let port = if scheme == "https" { 443 } else { 80 };
                all.push(format!("{scheme}://{user}{host}:{port}{tail}"));
            }
        }
    }
    for index in 0..all.len() {
        if let Some((head, query)) = all[index].split_once('?') {
            let legacy = query.replace('\'', "%27").replace("%20", "+");
            if legacy != query {
                all.push(format!("{head}?{legacy}"));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "12345";
    const U: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const P: [(&str, &str); 5] = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675309"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
    ];
    const BODY: &str = r#"{"property": "value", "boolean": true}"#;
    const H: &str = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    const E: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    fn exact(url: &str, params: &[(&str, &str)], signature: &str) {
        assert_eq!(sign(url, params, TOKEN), signature, "{url}");
        accepted(url, params, signature);
    }

    fn accepted(url: &str, params: &[(&str, &str)], signature: &str) {
        assert!(check(url, params, TOKEN, signature), "{url}");
        assert!(!check(url, params, "54321", signature), "{url}");
    }

    #[test]
    fn vectors_1_to_5_ports() {
        exact(U, &P, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        accepted("https://mycompany.com:1234/myapp.php?foo=1&bar=2", &P, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        exact("http://mycompany.com:1234/myapp.php?foo=1&bar=2", &P, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=");
        accepted(U, &P, "kvajT1Ptam85bY51eRf/AJRuM3w=");
        accepted("http://mycompany.com/myapp.php?foo=1&bar=2", &P, "0ZXoZLH/DfblKGATFgpif+LLRf4=");
    }

    #[test]
    fn vectors_6_and_7_repeated_names() {
        let mut params =
            [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")];
        exact(U, &params, "IK+Dwps556ElfBT0I3Rgjkr1wJU=");
        params.reverse();
        exact(U, &params, "IK+Dwps556ElfBT0I3Rgjkr1wJU=");
        let name = "MessagingBinding.Address";
        exact(U, &[(name, "+1325xxxxxxx"), (name, "+1415xxxxxxx")], "83O6e2vORAoJHUNzJjDWN1jz+BA=");
        exact(U, &[(name, "+1415xxxxxxx"), (name, "+1325xxxxxxx")], "83O6e2vORAoJHUNzJjDWN1jz+BA=");
    }

    #[test]
    fn vectors_8_to_10_json_bodies() {
        let signer = Signer::new(TOKEN);
        assert_eq!(body_sha256(BODY.as_bytes()), H);
        assert_eq!(body_sha256(b"{}"), E);
        let url = format!("{U}&bodySHA256={H}");
        assert!(signer.check_body(&url, BODY.as_bytes(), "a9nBmqA0ju/hNViExpshrM61xv4="));
        assert!(!signer.check_body(&url, b"{}", "a9nBmqA0ju/hNViExpshrM61xv4="));
        let url = format!("https://mycompany.com/myapp.php?bodySHA256={H}");
        assert!(signer.check_body(&url, BODY.as_bytes(), "y77kIzt2vzLz71DgmJGsen2scGs="));
        let url = format!("{U}&bodySHA256={E}");
        assert!(signer.check_body(&url, b"{}", "Ldidvp12m26NI7eqEvxnEpkd9Hc="));
    }

    #[test]
    fn vectors_11_to_13_credentials() {
        let with_password = "https://user:pass@mycompany.com/myapp.php?foo=1&bar=2";
        exact(with_password, &P, "CukzLTc1tT5dXEDIHm/tKBanW10=");
        exact("https://user@mycompany.com/myapp.php?foo=1&bar=2", &P, "2YRLlVAflCqxaNicjMpJcSTgzSs=");
        accepted(with_password, &P, "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI=");
    }

    #[test]
    fn vectors_14_to_18_queries_and_sorting() {
        accepted(&format!("{U}&Body=It's+amazing"), &P, "TfZzewPq8wqrGlMfyAud8+/IvJ0=");
        let mut params = P.to_vec();
        params.extend([("ReasonConferenceEnded", "test"), ("Reason", "Participant")]);
        exact(U, &params, "vOEb5UThFn24KEfnOFLQY2AE5FY=");
        exact(U, &[], "zYQTYrRWXE7LtzbG4PfP7/bkkGo=");
        exact("https://mycompany.com/myapp.php", &P, "1xaxFBvyzXYvWplzNOSs28HWO94=");
        exact("https://mycompany.com/myapp.php?foo=hello%20world&bar=test%2Bvalue", &P, "er2tvAP1Wx+iuTTE2BPgvEaN1cs=");
    }

    #[test]
    fn vectors_19_to_23_values() {
        let params =
            [("Message", "Hello & goodbye! @#$%^*()"), ("From", "+1 (415) 867-5309"), ("Special", "unicode: ñáéíóú")];
        exact(U, &params, "dCPiR4WtQ6QFN6pJh81CtlCcWLQ=");
        exact(
            U,
            &[("Digits", ""), ("CallSid", "CA1234567890ABCDE"), ("EmptyParam", "")],
            "9HHp/OqQMEwdrVebHDdA/+tqjX8=",
        );
        exact(
            U,
            &[("callSid", "lowercase"), ("CallSid", "uppercase"), ("CALLSID", "allcaps")],
            "jDK7WKT8wiNrwggd4ceTv4e1MJ4=",
        );
        let mut params = P;
        params[1].1 = "+14158675310";
        params[3].1 = "+14158675310";
        exact("https://example.com/myapp.php?foo=1&bar=2", &params, "L/OH5YylLD5NRKLltdqwSvS0BnU=");
        exact(U, &[("property", "value"), ("boolean", "true")], "NBdBDr/T/lgjI+tlgpXjKZQZs/k=");
    }

    #[test]
    fn what_must_be_refused() {
        for signature in ["", "RSOYDt4T1cUTdK1PDd93/VVr8B9=", "RSOYDt4T1cUTdK1PDd93/VVr8B8", "x"] {
            assert!(!check(U, &P, TOKEN, signature), "{signature}");
        }
        let mut params = P.to_vec();
        params.extend([("ReasonConferenceEnded", "test"), ("Reason", "Participant")]);
        assert!(!check(U, &params, TOKEN, "95+Bu0JVPi0r/SsESZCVf0dWAjw="));
        assert!(!Signer::new(TOKEN).check_body(U, BODY.as_bytes(), "RSOYDt4T1cUTdK1PDd93/VVr8B8="));
        assert_eq!(Algorithm::from_settings_header(Some("key=1,algorithm=MD5")), None);
        assert_eq!(Algorithm::from_settings_header(Some("key=1")), Some(Algorithm::HmacSha1));
        assert_eq!(Algorithm::from_settings_header(None), Some(Algorithm::HmacSha1));
        assert_eq!(Algorithm::from_settings_header(Some("key=1, algorithm=HMAC_SHA256")), Some(Algorithm::HmacSha256));
    }

    const STATUS: &str = "https://campaigns.example.com/webhooks/twilio/status";
    const INBOUND: &str = "https://campaigns.example.com/webhooks/twilio/inbound";
    const L1: &str = "MessageSid=SM00000000000000000000000000000001&SmsSid=SM00000000000000000000000000000001&SmsStatus=delivered&MessageStatus=delivered&EventType=DELIVERED&ChannelPrefix=whatsapp&ChannelToAddress=%2B15005550XXX&ChannelInstallSid=XE00000000000000000000000000000001&To=whatsapp%3A%2B15005550009&From=whatsapp%3A%2B15005550006&AccountSid=AC00000000000000000000000000000001&ApiVersion=2010-04-01";
    const L2: &str = "MessageSid=SM00000000000000000000000000000003&SmsSid=SM00000000000000000000000000000003&SmsStatus=undelivered&MessageStatus=undelivered&ErrorCode=63016&AccountSid=AC00000000000000000000000000000001&To=whatsapp%3A%2B15005550009&From=whatsapp%3A%2B15005550006&ApiVersion=2010-04-01&ChannelPrefix=whatsapp";
    const L3: &str = "SmsMessageSid=SM00000000000000000000000000000002&NumMedia=0&ProfileName=Zo%C3%AB+%F0%9F%98%80&MessageType=text&SmsSid=SM00000000000000000000000000000002&WaId=15005550009&SmsStatus=received&Body=++STOP+%26+thanks+%2B+1%3D1+&To=whatsapp%3A%2B15005550006&NumSegments=1&ReferralNumMedia=0&MessageSid=SM00000000000000000000000000000002&AccountSid=AC00000000000000000000000000000001&ChannelMetadata=%7B%22type%22%3A%22whatsapp%22%2C%22data%22%3A%7B%22context%22%3A%7B%22ProfileName%22%3A%22Zo%C3%AB+%F0%9F%98%80%22%2C%22WaId%22%3A%2215005550009%22%7D%7D%7D&From=whatsapp%3A%2B15005550009&ApiVersion=2010-04-01";
    const L5: &str = "Body=&From=whatsapp%3A%2B15005550009&NumMedia=1";

    #[test]
    fn messaging_vectors_with_both_algorithms() {
        let l1 = format!("{STATUS}?c=42");
        let l4 = "https://campaigns.example.com:8443/webhooks/twilio/status?c=42";
        for (url, body, sha1, sha256) in [
            (l1.as_str(), L1, "NXqU7tumulxromsgWetJ2fJCcpM=", "IjRE3PXMj3FfEcf1BxOaACbXJv9V1FHh+1IFp/mmVWw="),
            (STATUS, L2, "cySFSH0wdpjIGlu6XQVcjL/5qtA=", "8Sm3JlzrZi/59lKERe6N+5x1j5X7yQTX+pxRU9wMBJY="),
            (INBOUND, L3, "2FlEPkwenf2VJ1p5eR49ZEWXvXI=", "abnztDKsgmnXeDjTuQaxnquErEr3A/qx9M3UVeq99z8="),
            (l4, L1, "LsQ9ufbTPPXNAE7Oh7MiCTaR/CA=", "S8F1KoCrlnjolYEc1d3O9Vi3yak3OmIPxU28+fGlDIs="),
            (INBOUND, L5, "G1YcHZPgcbXXGo34jgEtlKx3s5Q=", ""),
        ] {
            let params = parse_form(body.as_bytes());
            assert_eq!(sign(url, &params, TOKEN), sha1, "{url}");
            assert!(check(url, &params, TOKEN, sha1), "{url}");
            if !sha256.is_empty() {
                let signer = Signer::with_algorithm(Algorithm::HmacSha256, TOKEN);
                assert_eq!(signer.sign(url, &params), sha256, "{url}");
                assert!(signer.check(url, &params, sha256), "{url}");
                assert!(!signer.check(url, &params, sha1), "{url}");
            }
        }
        let signer = Signer::with_algorithm(Algorithm::HmacSha256, TOKEN);
        assert_eq!(signer.sign(U, &P), "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=");
    }
}
