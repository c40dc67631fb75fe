//! `Idempotency-Key` on every POST: the same key and body get the first answer again, another body gets 409.

use axum::{
    body::{Body, to_bytes},
    extract::{MatchedPath, OriginalUri, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::actor::{Actor, KeyedRequest};
use engine::{
    Engine,
    services::{
        idempotency::{Answer, Begun},
        trigger_events::BODY_LIMIT as EVENTS_LIMIT,
    },
};
use sha2::{Digest as _, Sha256};

use super::{
    extract::{BODY_LIMIT, read_body},
    versioned::tag_of,
};
use crate::problem::Problem;

pub const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const LONGEST_KEY: usize = 255;
/// Answers to POSTs are documents of ours.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// The middleware. Imports, whose bodies do not fit into memory, do the same by themselves.
pub async fn keep(State(engine): State<Engine>, request: Request, next: Next) -> Response {
    let import = request.extensions().get::<MatchedPath>().is_some_and(|path| path.as_str().ends_with("/imports"));
    if request.method() != Method::POST || import || !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    keep_one(engine, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn keep_one(engine: Engine, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    let actor =
        parts.extensions.get::<Actor>().cloned().ok_or_else(|| Problem::unauthenticated("This needs an API key."))?;
    let key = key_of(&parts.headers)?.unwrap_or_default();
    let route = format!("POST {}", uri.path());
    let limit = if uri.path().ends_with("/events") { EVENTS_LIMIT } else { BODY_LIMIT };
    let body = read_body(body, limit).await?;
    let mut hash = Sha256::new();
    hash.update(uri.query().unwrap_or_default());
    hash.update([0]);
    hash.update(&body);
    let (ticket, actor) = match Ticket::begin(&engine, actor, route, key, &hash.finalize()).await? {
        Step::Answered(answer) => return Ok(answer),
        Step::Go(ticket, actor) => (ticket, actor),
    };
    parts.extensions.insert(actor);
    let request = Request::from_parts(parts, Body::from(body));
    // In a task of its own: a caller who hangs up must not leave it half done and the key taken.
    let done = tokio::spawn(async move { ticket.finish(next.run(request).await).await }).await;
    done.map_err(|error| {
        tracing::error!(%error, "a request with an Idempotency-Key broke off");
        Problem::internal()
    })
}

/// The key that the caller chose.
///
/// # Errors
/// 422 when it cannot be one.
pub fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=LONGEST_KEY).contains(&key.len()));
    key.map(|key| Some(key.to_owned())).ok_or_else(|| {
        Problem::field("Idempotency-Key", format!("must have 1 to {LONGEST_KEY} visible ASCII characters"))
    })
}

/// What to do with a request that has a key.
pub enum Step {
    /// Carry it out as this actor and hand the answer to [`Ticket::finish`].
    Go(Ticket, Actor),
    /// It was carried out before.
    Answered(Response),
}

/// A request that was registered and not answered yet.
pub struct Ticket {
    engine: Engine,
    request: KeyedRequest,
}

impl Ticket {
    /// Registers a request.
    ///
    /// # Errors
    /// 409 when the key belongs to another body, the first request is under way, or its answer was lost.
    pub async fn begin(
        engine: &Engine,
        mut actor: Actor,
        route: String,
        key: String,
        hash: &[u8],
    ) -> Result<Step, Problem> {
        let owner = format!("{}:{}", actor.kind, actor.id);
        let request = KeyedRequest { owner, route, key, claim: rand::random() };
        let conflict = |detail: &str| Err(Problem::new(StatusCode::CONFLICT, detail));
        match engine.idempotency().begin(&request, hash).await? {
            Begun::New => {
                actor.keyed = Some(request.clone());
                Ok(Step::Go(Self { engine: engine.clone(), request }, actor))
            }
            Begun::Replay(answer) => Ok(Step::Answered(replay(answer))),
            Begun::OtherBody => {
                conflict("This Idempotency-Key was used for another request here within 24 hours; use a new one.")
            }
            Begun::InProgress => conflict(
                "The first request with this Idempotency-Key is still under way. Repeat it in a minute: you get its \
                 answer then, or it is carried out if the first one broke off without effect.",
            ),
            Begun::Applied => conflict(
                "The first request with this Idempotency-Key took effect, wholly or in part, but its answer was lost. \
                 Look at what it did before you use a new key.",
            ),
        }
    }

    /// Keeps the answer and passes it on.
    pub async fn finish(self, response: Response) -> Response {
        let (parts, body) = response.into_parts();
        let Ok(body) = to_bytes(body, ANSWER_LIMIT).await else { return Problem::internal().into_response() };
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let answer = Answer {
            status: parts.status.as_u16(),
            content_type: content_type.map(str::to_owned),
            body: body.to_vec(),
        };
        if let Err(error) = self.engine.idempotency().finish(&self.request, &answer).await {
            // It took effect; only a repeat of it will be told "still under way".
            tracing::error!(%error, "an answer could not be kept for its Idempotency-Key");
        }
        Response::from_parts(parts, Body::from(body))
    }
}

fn replay(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let tag = tag_of(&answer.body);
    let mut response = (status, answer.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    if let Some(kind) = answer.content_type.and_then(|kind| HeaderValue::from_str(&kind).ok()) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    if let Some(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
