//! What Twilio's answer, or its absence, means for the message.

use std::time::Duration;

use reqwest::{
    Response, StatusCode,
    header::{self, HeaderMap},
};
use serde::Deserialize;

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Twilio has the message.
    Accepted { sid: String },
    /// Known not sent, unless the code says otherwise; see `domain::error_codes`.
    Refused(Refusal),
    /// Known not sent: there was no connection.
    NotReached(String),
    /// It may or may not have been sent.
    Ambiguous(String),
}

/// A clear no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: i32,
    /// In Twilio's words; empty when there are none.
    pub said: String,
    /// It was one of too many requests: HTTP 429, whatever the code.
    pub too_many: bool,
    pub retry_after: Option<Duration>,
}

#[derive(Deserialize)]
struct Created {
    sid: String,
}

/// Twilio's two shapes of errors; lenient, because proxies answer too.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    code: Option<i32>,
    message: Option<String>,
    detail: Option<String>,
}

/// Twilio's codes have five digits. Smaller numbers are a proxy's.
const LEAST_CODE: i32 = 10_000;

/// As much of an answer as is read.
const LIMIT: usize = 64 * 1024;

pub(super) async fn read(response: Response) -> Outcome {
    let status = response.status();
    let retry_after = retry_after(response.headers());
    match body(response).await {
        Ok(body) => judge(status, retry_after, &body),
        // The status line came, the rest did not: an acceptance cannot be told from a refusal only for 2xx.
        Err(_) if status.is_client_error() => judge(status, retry_after, b""),
        Err(error) => Outcome::Ambiguous(describe(&error)),
    }
}

async fn body(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > LIMIT {
            break;
        }
    }
    Ok(body)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    // More than an hour is no answer to a burst.
    Some(Duration::from_secs(u64::min(seconds, 3_600)))
}

fn judge(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Outcome {
    if status.is_success() {
        return match serde_json::from_slice::<Created>(body) {
            Ok(created) if is_message_sid(&created.sid) => Outcome::Accepted { sid: created.sid },
            _ => Outcome::Ambiguous(format!("HTTP {} without a message SID", status.as_u16())),
        };
    }
    // 408 comes from proxies, not from Twilio: the request may have gone through.
    if !status.is_client_error() || status == StatusCode::REQUEST_TIMEOUT {
        return Outcome::Ambiguous(format!("HTTP {}", status.as_u16()));
    }
    let error: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let Some(code) = error.code.filter(|code| *code >= LEAST_CODE).or_else(|| code_of(status)) else {
        // A proxy's page, or an answer that was cut. A proxy may have passed the request on and refused only the answer.
        return Outcome::Ambiguous(format!("HTTP {} without a code of Twilio's", status.as_u16()));
    };
    Outcome::Refused(Refusal {
        code,
        said: error.message.or(error.detail).unwrap_or_default(),
        too_many: status == StatusCode::TOO_MANY_REQUESTS,
        retry_after,
    })
}

/// Twilio's code for an answer that carries none, where the status says as much: it concerns everybody.
fn code_of(status: StatusCode) -> Option<i32> {
    match status {
        StatusCode::UNAUTHORIZED => Some(20_003),
        StatusCode::FORBIDDEN => Some(20_403),
        StatusCode::NOT_FOUND => Some(20_404),
        StatusCode::TOO_MANY_REQUESTS => Some(20_429),
        _ => None,
    }
}

fn is_message_sid(sid: &str) -> bool {
    let hex = sid.strip_prefix("SM").or_else(|| sid.strip_prefix("MM"));
    hex.is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

pub(super) fn not_answered(error: &reqwest::Error) -> Outcome {
    // No connection, no name, no TLS: not a byte of the request was written.
    if error.is_connect() || error.is_builder() {
        Outcome::NotReached(describe(error))
    } else {
        Outcome::Ambiguous(describe(error))
    }
}

/// The whole chain of causes, without the URL.
fn describe(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() { "timed out" } else { "failed" };
    let mut text = format!("request {kind}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str) -> Outcome {
        judge(StatusCode::from_u16(status).expect("a status"), None, body.as_bytes())
    }

    #[test]
    fn only_a_sid_is_an_acceptance() {
        let sid = format!("SM{}", "0a".repeat(16));
        assert_eq!(judged(201, &format!(r#"{{"sid":"{sid}","status":"queued"}}"#)), Outcome::Accepted { sid });
        for body in ["", "<html>", r#"{"sid":null}"#, r#"{"sid":"nonsense"}"#] {
            assert!(matches!(judged(201, body), Outcome::Ambiguous(_)), "{body}");
        }
    }

    fn refused(status: u16, body: &str) -> Refusal {
        match judged(status, body) {
            Outcome::Refused(refusal) => refusal,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn clear_refusals_carry_their_code() {
        let body = r#"{"code":21211,"message":"Invalid 'To' Phone Number","status":400}"#;
        let said = "Invalid 'To' Phone Number".to_owned();
        assert_eq!(refused(400, body), Refusal { code: 21_211, said, too_many: false, retry_after: None });
        assert_eq!(refused(401, "").code, 20_003);
        assert_eq!(refused(404, "<html>").code, 20_404);
        assert_eq!(refused(400, r#"{"code":63018}"#).code, 63_018);
    }

    #[test]
    fn a_refusal_without_a_code_of_twilios_says_nothing_of_the_message() {
        let bodies = [
            "",
            "<html>",
            r#"{"code":99999999999999999999}"#,
            r#"{"code":"many"}"#,
            r#"{"code":-1.5e300}"#,
            r#"{"code":21610,"mess"#,
            r#"{"code":400,"message":"Bad Request"}"#,
            r#"{"message":"Blocked"}"#,
            "[[",
        ];
        for body in bodies {
            for status in [400, 405, 407, 413, 422] {
                assert!(matches!(judged(status, body), Outcome::Ambiguous(_)), "{status} {body}");
            }
            assert_eq!(refused(401, body).code, 20_003, "{body}");
        }
    }

    #[test]
    fn absurd_waits_are_none() {
        for (seconds, wanted) in
            [("7", Some(7)), ("1000000000000000000", Some(3_600)), ("99999999999999999999999", None), ("-1", None)]
        {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, seconds.parse().expect("a header"))]);
            assert_eq!(retry_after(&headers), wanted.map(Duration::from_secs), "{seconds}");
        }
    }

    #[test]
    fn asking_to_slow_down_is_known_by_the_status() {
        for body in [r#"{"code":20429}"#, ""] {
            let refusal = refused(429, body);
            assert_eq!((refusal.code, refusal.too_many), (20_429, true));
        }
    }

    #[test]
    fn what_may_have_gone_through_is_ambiguous() {
        for status in [302, 408, 500, 502, 503, 504] {
            assert!(matches!(judged(status, r#"{"code":20500}"#), Outcome::Ambiguous(_)), "{status}");
        }
    }
}
