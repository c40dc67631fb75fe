//! Each request gets an id, one log line and its place in the metrics. Lines name the route, never the path: paths hold
//! phone numbers.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, StatusCode},
    middleware::Next,
    response::Response,
};
use tracing::Instrument as _;
use uuid::Uuid;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_ID: usize = 64;

/// The request's id: the caller's own, or one of ours.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// The middleware.
pub async fn observe(mut request: Request, next: Next) -> Response {
    let id = request.headers().get(HEADER).and_then(usable).unwrap_or_else(|| Uuid::new_v4().simple().to_string());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let span = tracing::info_span!("request", request_id = id, %method, route);
    request.extensions_mut().insert(RequestId(id.clone()));
    let start = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let seconds = start.elapsed().as_secs_f64();
    let status = response.status();
    span.in_scope(|| log(&route, status, seconds));
    let labels = [("method", method.to_string()), ("route", route), ("status", status.as_u16().to_string())];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", &labels[..2]).record(seconds);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, id);
    }
    response
}

/// What comes by the thousand, or says nothing, is for those who ask for it.
fn log(route: &str, status: StatusCode, seconds: f64) {
    let status = status.as_u16();
    let frequent =
        ["/webhooks/", "/healthz", "/readyz", "/metrics", "/pkg/"].iter().any(|start| route.starts_with(start));
    let duration_ms = seconds * 1_000.0;
    if status >= 500 {
        tracing::warn!(status, duration_ms, "request failed");
    } else if frequent {
        tracing::debug!(status, duration_ms, "request");
    } else {
        tracing::info!(status, duration_ms, "request");
    }
}

/// A caller's id that cannot disturb a log line.
fn usable(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    (plain && (1..=LONGEST_ID).contains(&text.len())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_ids_are_taken_over() {
        assert_eq!(usable(&HeaderValue::from_static("abc-1.2_3")).as_deref(), Some("abc-1.2_3"));
        assert!(usable(&HeaderValue::from_static("a b")).is_none());
        assert!(usable(&HeaderValue::from_static("")).is_none());
        assert!(usable(&HeaderValue::from_str(&"x".repeat(65)).expect("a header")).is_none());
    }
}
