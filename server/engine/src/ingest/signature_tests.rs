//! The vectors of Twilio's own SDKs and documentation, and some of our own computed with the official validator.

use super::*;

const TOKEN: &str = "12345";
const U: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
const P: &str = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
const JSON: &str = r#"{"property": "value", "boolean": true}"#;
const JSON_HASH: &str = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
const EMPTY_HASH: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

fn form(url: &str, body: &str, signature: &str) -> bool {
    signed(url, "application/x-www-form-urlencoded; charset=UTF-8", body, Some(signature))
}

fn json(url: &str, body: &str, signature: &str) -> bool {
    signed(url, "application/json", body, Some(signature))
}

fn signed(url: &str, content_type: &str, body: &str, signature: Option<&str>) -> bool {
    let form = Form::parse(body.as_bytes());
    let request = Request { url, content_type: Some(content_type), body: body.as_bytes(), form: &form };
    request.is_signed(&[token(TOKEN)], signature)
}

const fn token(secret: &str) -> Key<'_> {
    Key { secret, algorithm: Algorithm::Sha1 }
}

#[test]
fn forms_of_the_sdks_are_recognised() {
    let vectors = [
        (U, P, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("https://mycompany.com:1234/myapp.php?foo=1&bar=2", P, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("http://mycompany.com:1234/myapp.php?foo=1&bar=2", P, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        (U, P, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        ("http://mycompany.com/myapp.php?foo=1&bar=2", P, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (U, "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234", "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
        (
            U,
            "MessagingBinding.Address=%2B1325xxxxxxx&MessagingBinding.Address=%2B1415xxxxxxx",
            "83O6e2vORAoJHUNzJjDWN1jz+BA=",
        ),
        (
            U,
            "MessagingBinding.Address=%2B1415xxxxxxx&MessagingBinding.Address=%2B1325xxxxxxx",
            "83O6e2vORAoJHUNzJjDWN1jz+BA=",
        ),
        ("https://user:pass@mycompany.com/myapp.php?foo=1&bar=2", P, "CukzLTc1tT5dXEDIHm/tKBanW10="),
        ("https://user@mycompany.com/myapp.php?foo=1&bar=2", P, "2YRLlVAflCqxaNicjMpJcSTgzSs="),
        ("https://user:pass@mycompany.com/myapp.php?foo=1&bar=2", P, "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI="),
        ("https://mycompany.com/myapp.php?foo=1&bar=2&Body=It's+amazing", P, "TfZzewPq8wqrGlMfyAud8+/IvJ0="),
        (U, &format!("{P}&ReasonConferenceEnded=test&Reason=Participant"), "vOEb5UThFn24KEfnOFLQY2AE5FY="),
        (U, "", "zYQTYrRWXE7LtzbG4PfP7/bkkGo="),
        ("https://mycompany.com/myapp.php", P, "1xaxFBvyzXYvWplzNOSs28HWO94="),
        ("https://mycompany.com/myapp.php?foo=hello%20world&bar=test%2Bvalue", P, "er2tvAP1Wx+iuTTE2BPgvEaN1cs="),
        (
            U,
            "Message=Hello+%26+goodbye%21+%40%23%24%25%5E*%28%29&From=%2B1+%28415%29+867-5309&\
             Special=unicode%3A+%C3%B1%C3%A1%C3%A9%C3%AD%C3%B3%C3%BA",
            "dCPiR4WtQ6QFN6pJh81CtlCcWLQ=",
        ),
        (U, "Digits=&CallSid=CA1234567890ABCDE&EmptyParam=", "9HHp/OqQMEwdrVebHDdA/+tqjX8="),
        (U, "callSid=lowercase&CallSid=uppercase&CALLSID=allcaps", "jDK7WKT8wiNrwggd4ceTv4e1MJ4="),
        (
            "https://example.com/myapp.php?foo=1&bar=2",
            "CallSid=CA1234567890ABCDE&Caller=%2B14158675310&Digits=1234&From=%2B14158675310&To=%2B18005551212",
            "L/OH5YylLD5NRKLltdqwSvS0BnU=",
        ),
        (U, "property=value&boolean=true", "NBdBDr/T/lgjI+tlgpXjKZQZs/k="),
    ];
    for (url, body, signature) in vectors {
        assert!(form(url, body, signature), "{url} {body} {signature}");
    }
}

#[test]
fn json_is_signed_by_its_hash_in_the_address() {
    assert!(json(&format!("{U}&bodySHA256={JSON_HASH}"), JSON, "a9nBmqA0ju/hNViExpshrM61xv4="));
    let alone = format!("https://mycompany.com/myapp.php?bodySHA256={JSON_HASH}");
    assert!(json(&alone, JSON, "y77kIzt2vzLz71DgmJGsen2scGs="));
    assert!(json(&format!("{U}&bodySHA256={EMPTY_HASH}"), "{}", "Ldidvp12m26NI7eqEvxnEpkd9Hc="));
    assert!(!json(&alone, r#"{"property": "other", "boolean": true}"#, "y77kIzt2vzLz71DgmJGsen2scGs="));
    assert!(!json(U, JSON, "RSOYDt4T1cUTdK1PDd93/VVr8B8="));
}

#[test]
fn messaging_forms_are_recognised() {
    let status = "MessageSid=SM00000000000000000000000000000001&SmsSid=SM00000000000000000000000000000001&\
                  SmsStatus=delivered&MessageStatus=delivered&EventType=DELIVERED&ChannelPrefix=whatsapp&\
                  ChannelToAddress=%2B15005550XXX&ChannelInstallSid=XE00000000000000000000000000000001&\
                  To=whatsapp%3A%2B15005550009&From=whatsapp%3A%2B15005550006&\
                  AccountSid=AC00000000000000000000000000000001&ApiVersion=2010-04-01";
    let failed = "MessageSid=SM00000000000000000000000000000003&SmsSid=SM00000000000000000000000000000003&\
                  SmsStatus=undelivered&MessageStatus=undelivered&ErrorCode=63016&\
                  AccountSid=AC00000000000000000000000000000001&To=whatsapp%3A%2B15005550009&\
                  From=whatsapp%3A%2B15005550006&ApiVersion=2010-04-01&ChannelPrefix=whatsapp";
    let inbound = "SmsMessageSid=SM00000000000000000000000000000002&NumMedia=0&ProfileName=Zo%C3%AB+%F0%9F%98%80&\
                   MessageType=text&SmsSid=SM00000000000000000000000000000002&WaId=15005550009&SmsStatus=received&\
                   Body=++STOP+%26+thanks+%2B+1%3D1+&To=whatsapp%3A%2B15005550006&NumSegments=1&ReferralNumMedia=0&\
                   MessageSid=SM00000000000000000000000000000002&AccountSid=AC00000000000000000000000000000001&\
                   ChannelMetadata=%7B%22type%22%3A%22whatsapp%22%2C%22data%22%3A%7B%22context%22%3A%7B%22\
                   ProfileName%22%3A%22Zo%C3%AB+%F0%9F%98%80%22%2C%22WaId%22%3A%2215005550009%22%7D%7D%7D&\
                   From=whatsapp%3A%2B15005550009&ApiVersion=2010-04-01";
    let base = "https://campaigns.example.com/webhooks/twilio";
    assert!(form(&format!("{base}/status?c=42"), status, "NXqU7tumulxromsgWetJ2fJCcpM="));
    assert!(form(&format!("{base}/status"), failed, "cySFSH0wdpjIGlu6XQVcjL/5qtA="));
    assert!(form(&format!("{base}/inbound"), inbound, "2FlEPkwenf2VJ1p5eR49ZEWXvXI="));
    let with_port = "https://campaigns.example.com:8443/webhooks/twilio/status?c=42";
    assert!(form(with_port, status, "LsQ9ufbTPPXNAE7Oh7MiCTaR/CA="));
    let media = "Body=&From=whatsapp%3A%2B15005550009&NumMedia=1";
    assert!(form(&format!("{base}/inbound"), media, "G1YcHZPgcbXXGo34jgEtlKx3s5Q="));
    // The value counts, blanks and all.
    assert!(!form(&format!("{base}/inbound"), &inbound.replace("++STOP", "STOP"), "2FlEPkwenf2VJ1p5eR49ZEWXvXI="));
}

#[test]
fn everything_else_is_refused() {
    assert!(!form(U, P, "RSOYDt4T1cUTdK1PDd93/VVr8B9="));
    assert!(!form(U, P, ""));
    assert!(!form(U, P, "not base64"));
    assert!(!signed(U, "application/x-www-form-urlencoded", P, None));
    assert!(!form(&U.replace("foo=1", "foo=2"), P, "RSOYDt4T1cUTdK1PDd93/VVr8B8="));
    let wrongly_sorted = format!("{P}&ReasonConferenceEnded=test&Reason=Participant");
    assert!(!form(U, &wrongly_sorted, "95+Bu0JVPi0r/SsESZCVf0dWAjw="));
}

#[test]
fn while_a_token_is_replaced_both_sign() {
    let form = Form::parse(P.as_bytes());
    let request = Request { url: U, content_type: None, body: P.as_bytes(), form: &form };
    let signature = Some("RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    assert!(request.is_signed(&[token("new"), token(TOKEN)], signature));
    assert!(!request.is_signed(&[token("new"), token("")], signature));
    assert!(!request.is_signed(&[], signature));
}

#[test]
fn a_shared_key_may_sign_with_sha_256() {
    let form = Form::parse(P.as_bytes());
    let request = Request { url: U, content_type: None, body: P.as_bytes(), form: &form };
    let signature = Some("033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=");
    assert!(request.is_signed(&[Key { secret: TOKEN, algorithm: Algorithm::Sha256 }], signature));
    assert!(!request.is_signed(&[token(TOKEN)], signature));
}

#[test]
fn a_header_chooses_among_configured_keys_only() {
    let shared = [("CR1".to_owned(), Secret::new("shared".to_owned()))];
    let of = |header: Option<&str>, shared: &[(String, Secret)]| {
        let keys = keys(header, ["new", "old"].into_iter(), shared);
        keys.iter().map(|key| (key.secret.to_owned(), key.algorithm)).collect::<Vec<_>>()
    };
    let tokens = [("new".to_owned(), Algorithm::Sha1), ("old".to_owned(), Algorithm::Sha1)];
    for header in [None, Some(""), Some("algorithm=HMAC_SHA256"), Some("key=CR2,algorithm=HMAC_SHA256")] {
        assert_eq!(of(header, &shared[..]), tokens, "{header:?}: both tokens, with SHA-1");
    }
    let named = "key=CR1,algorithm=HMAC_SHA256";
    assert_eq!(of(Some(named), &shared[..]), [("shared".to_owned(), Algorithm::Sha256)]);
    assert_eq!(of(Some("key=CR1"), &shared[..]), [("shared".to_owned(), Algorithm::Sha1)]);
    assert!(of(Some("key=CR1,algorithm=MD5"), &shared[..]).is_empty(), "none that we know");
    assert_eq!(of(Some(named), &[]), tokens, "another account has none");
}

#[test]
fn only_what_has_the_shape_of_a_signature_is_looked_at() {
    for fine in ["RSOYDt4T1cUTdK1PDd93/VVr8B8=", "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s="] {
        assert!(is_one(Some(fine)), "{fine}");
        for bad in [&fine[1..], &fine[..fine.len() - 1], &format!("{fine}="), &fine.replace('=', "!")] {
            assert!(!is_one(Some(bad)), "{bad}");
        }
    }
    for bad in [None, Some(""), Some("not base64"), Some("bm90IHRoaXMgb25l"), Some("RSOYDt4T1cUTdK1PDd93/VVr8B8A")] {
        assert!(!is_one(bad), "{bad:?}");
    }
}

#[test]
fn the_settings_name_a_key_and_an_algorithm() {
    let read = |header| {
        let settings = Settings::read(header);
        (settings.key, settings.algorithm)
    };
    assert_eq!(read("key=SK1,algorithm=HMAC_SHA256"), ("SK1", Some(Algorithm::Sha256)));
    assert_eq!(read(" algorithm = HMAC_SHA1 , key = SK1 "), ("SK1", Some(Algorithm::Sha1)));
    assert_eq!(read("key=SK1"), ("SK1", Some(Algorithm::Sha1)));
    assert_eq!(read("key=SK1,algorithm=none"), ("SK1", None));
    assert_eq!(read("nonsense"), ("", Some(Algorithm::Sha1)));
}

#[test]
fn ports_are_found_where_they_are() {
    let variants = |url: &str| variants(url);
    assert_eq!(variants("https://[::1]/x"), ["https://[::1]/x", "https://[::1]:443/x"]);
    assert_eq!(variants("http://[::1]:3000/x"), ["http://[::1]:3000/x", "http://[::1]/x"]);
    assert_eq!(variants("https://u:p@h"), ["https://u:p@h", "https://u:p@h:443"]);
}
