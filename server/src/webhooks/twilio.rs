//! Twilio's two webhooks. The answer says that the event is durable; the signature over the raw form is checked by the
//! engine, which knows the account's token. What cannot be signed, by its headers, is refused before its body is read.
//!
//! 204 (status) or 200 with TwiML (inbound), also for a signed form or JSON that makes no sense: it is kept raw · 400
//! neither form nor JSON, nothing is kept · 403 no or a wrong signature · 413 above 64 kB · 503 the queue is full or the
//! database is away, or busy for eight seconds, and Twilio tries again.

use axum::{
    Router,
    body::to_bytes,
    extract::{OriginalUri, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use domain::event::WebhookKind;
use engine::{Engine, Error, ingest::Webhook};

use crate::problem::Problem;

/// Twilio's forms are below 10 kB; nothing that is larger is one.
const BODY_LIMIT: usize = 64 * 1024;

/// `/webhooks/twilio/…`, also with a slash behind it: the address is typed into Twilio's console by hand.
pub fn router(engine: Engine) -> Router {
    Router::new()
        .route("/webhooks/twilio/status", post(status))
        .route("/webhooks/twilio/status/", post(status))
        .route("/webhooks/twilio/inbound", post(inbound))
        .route("/webhooks/twilio/inbound/", post(inbound))
        .with_state(engine)
}

async fn status(State(engine): State<Engine>, request: Request) -> Result<StatusCode, Refusal> {
    let webhook = read(&engine, WebhookKind::Status, request).await?;
    engine.ingest_status(webhook).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn inbound(State(engine): State<Engine>, request: Request) -> Result<Response, Refusal> {
    let webhook = read(&engine, WebhookKind::Inbound, request).await?;
    let twiml = engine.ingest_inbound(webhook).await?;
    Ok(([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], twiml).into_response())
}

async fn read(engine: &Engine, kind: WebhookKind, request: Request) -> Result<Webhook, Refusal> {
    let (parts, body) = request.into_parts();
    let text = |name: &str| text_of(&parts.headers, name);
    let (content_type, signature) = (text("content-type"), text("x-twilio-signature"));
    engine.admit_webhook(kind, content_type.as_deref(), signature.as_deref())?;
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    let target = uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string);
    let body = to_bytes(body, BODY_LIMIT).await.map_err(|_| Refusal(Problem::too_large(BODY_LIMIT)))?;
    Ok(Webhook {
        target,
        content_type,
        signature,
        signature_settings: text("x-twilio-webhooks-signature-settings"),
        idempotency_token: text("i-twilio-idempotency-token"),
        body,
    })
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Why a webhook was not taken.
struct Refusal(Problem);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(match error {
            Error::Forbidden | Error::Unauthenticated => Problem::new(
                StatusCode::FORBIDDEN,
                "X-Twilio-Signature is missing or does not fit PUBLIC_URL and the auth token.",
            ),
            Error::Invalid(errors) => {
                let detail = errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join("; ");
                Problem::new(StatusCode::BAD_REQUEST, detail)
            }
            other => Problem::from(other),
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}
