//! The front door of the Twilio API: who may in, how many at a time, and the headers of every answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use subtle::ConstantTimeEq;

use crate::errors::ApiError;
use crate::faults::Dice;
use crate::settings::Settings;
use crate::state::{Active, Shared};
use crate::{content, messages, services};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("twilio-request-id");

/// What the guard found out, for the handlers.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub active: Arc<Active>,
    /// How long the answer will be held back.
    pub latency: Duration,
}

/// The routes of Twilio's three hosts, api.twilio.com, content.twilio.com and messaging.twilio.com.
pub(crate) fn routes(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    let guard = middleware::from_fn_with_state(shared.clone(), guard);
    let account = "/2010-04-01/Accounts/{account}";
    Router::new()
        .route(account, get(messages::account))
        .route(&format!("{account}/Messages.json"), get(messages::list::list).post(messages::create::create))
        .route(
            &format!("{account}/Messages/{{sid}}"),
            get(messages::fetch).post(messages::update).delete(messages::delete),
        )
        .route("/v1/Content", get(content::api::list).post(content::api::create))
        .route("/v2/Content", get(content::api::list))
        .route("/v1/ContentAndApprovals", get(content::api::list))
        .route("/v2/ContentAndApprovals", get(content::api::list))
        .route("/v1/Content/{sid}", get(content::api::fetch).put(content::api::replace).delete(content::api::delete))
        .route("/v1/Content/{sid}/ApprovalRequests", get(content::api::approval))
        .route("/v1/Content/{sid}/ApprovalRequests/whatsapp", post(content::api::submit))
        .route("/v1/Services/{sid}/PhoneNumbers", get(services::phone_numbers))
        .route("/v1/Services/{sid}/ShortCodes", get(services::short_codes))
        .route("/v1/Services/{sid}/ChannelSenders", get(services::channel_senders))
        .route(&format!("{account}/Messages/{{sid}}/Media.json"), get(messages::media::list))
        .route(&format!("{account}/Messages/{{sid}}/Media/{{media}}"), get(messages::media::fetch))
        .method_not_allowed_fallback(async || ApiError::of(20004))
        .layer(guard)
        .route("/media/{media}", get(messages::media::kept))
}

async fn guard(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let core = &shared.core;
    let active = core.active();
    let in_flight = core.enter();
    let latency = latency(&active.settings, || core.next_answer());
    let limit = active.settings.max_concurrent;
    let mut response = if let Err(error) = authorize(&active.settings, request.headers()) {
        core.count_refusal(error.code);
        error.into_response()
    } else if limit.is_some_and(|limit| in_flight.concurrent > limit) {
        too_many(shared.core.as_ref(), &active.settings)
    } else {
        request.extensions_mut().insert(Call { active: active.clone(), latency });
        next.run(request).await
    };
    if !latency.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(latency) => {}
            () = shared.stop.cancelled() => {}
        }
    }
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-home-region", "us1"),
        ("x-api-domain", "api.twilio.com"),
        ("strict-transport-security", "max-age=31536000"),
        ("x-powered-by", "AT-5000"),
        ("x-shenanigans", "none"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(HeaderName::from_static("twilio-concurrent-requests"), in_flight.concurrent.into());
    let duration = format!("{:.3}", started.elapsed().as_secs_f64());
    if let Ok(value) = HeaderValue::from_str(&duration) {
        headers.insert(HeaderName::from_static("twilio-request-duration"), value);
    }
    if !headers.contains_key(REQUEST_ID) {
        set_request_id(headers, &format!("{:032x}", rand::random::<u128>()));
    }
    response
}

/// `Twilio-Request-Id: RQ` and 32 digits.
pub(crate) fn set_request_id(headers: &mut HeaderMap, digits: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("RQ{digits}")) {
        headers.insert(REQUEST_ID, value);
    }
}

/// 429 with code 20429, and a `Retry-After` if the settings want one.
pub(crate) fn too_many(core: &crate::state::Core, settings: &Settings) -> Response {
    core.count_refusal(20429);
    let mut response = ApiError::of(20429).into_response();
    if let Some(seconds) = settings.retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn latency(settings: &Settings, ordinal: impl FnOnce() -> u64) -> Duration {
    let jitter = match settings.jitter_ms {
        0 => 0,
        bound => Dice::new(!settings.seed, ordinal()).below(bound + 1),
    };
    Duration::from_millis(settings.latency_ms.saturating_add(jitter))
}

/// Basic authentication: Account SID and auth token, or API key and secret.
fn authorize(settings: &Settings, headers: &HeaderMap) -> Result<(), ApiError> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let decoded = given.and_then(|text| {
        let (scheme, encoded) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok())?
    });
    let same = |user: &str, password: &str| {
        let expected = [user.as_bytes(), b":", password.as_bytes()].concat();
        decoded.as_deref().is_some_and(|given| bool::from(given.ct_eq(&expected)))
    };
    let by_key = settings.api_key_sid.as_deref().zip(settings.api_key_secret.as_deref());
    if same(&settings.account_sid, &settings.auth_token) || by_key.is_some_and(|(sid, secret)| same(sid, secret)) {
        return Ok(());
    }
    Err(match decoded {
        None => ApiError::of(20003),
        Some(_) => ApiError::new(20003, "Authentication Error - invalid username"),
    })
}
