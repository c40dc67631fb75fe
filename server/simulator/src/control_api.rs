//! `/control`: the control handle over HTTP, in JSON, without authentication. Whoever can reach it can read and change
//! everything, so a simulator listens on loopback only unless it is meant to be open.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::control::{ApprovalChange, Control, ControlError, MessageFilter};
use crate::inbound::Inbound;
use crate::state::Shared;

/// The most messages one answer holds.
const MAX_LIMIT: usize = 10_000;

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NoInboundUrl => StatusCode::CONFLICT,
            Self::Invalid(_) | Self::Settings(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
        };
        (status, Json(json!({"error": self.to_string()}))).into_response()
    }
}

type Answer<T> = Result<Json<T>, ControlError>;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/control/messages", get(messages))
        .route("/control/conversation", get(conversation))
        .route("/control/recipients", get(recipients))
        .route("/control/stats", get(stats))
        .route("/control/idle", get(idle))
        .route("/control/inbound", post(inbound))
        .route("/control/settings", get(settings).patch(patch_settings))
        .route("/control/contents/{sid}", patch(set_approval))
        .route("/control/reset", post(reset))
}

fn control(shared: Arc<Shared>) -> Control {
    Control { shared }
}

/// A body that is taken for JSON whatever its type says: it is easily sent by hand.
fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ControlError> {
    serde_json::from_slice(bytes).map_err(|error| ControlError::Invalid(error.to_string()))
}

type Params<T> = Result<Query<T>, axum::extract::rejection::QueryRejection>;

fn params<T>(query: Params<T>) -> Result<T, ControlError> {
    query.map(|Query(params)| params).map_err(|error| ControlError::Invalid(error.body_text()))
}

/// A phone from a query, where an unescaped `+` has become a blank, or was left out.
fn phone(text: &str) -> String {
    let number = text.strip_prefix("whatsapp:").unwrap_or(text);
    match number.strip_prefix(' ') {
        Some(rest) => format!("+{}", rest.trim()),
        None if number.len() > 6 && number.bytes().all(|b| b.is_ascii_digit()) => format!("+{number}"),
        None => number.to_owned(),
    }
}

async fn messages(State(shared): State<Arc<Shared>>, query: Params<MessageFilter>) -> Answer<Value> {
    let mut filter = params(query)?;
    filter.to = filter.to.as_deref().map(phone);
    filter.from = filter.from.as_deref().map(phone);
    if filter.limit.is_some_and(|limit| limit == 0 || limit > MAX_LIMIT) {
        return Err(ControlError::Invalid(format!("limit: expected 1 to {MAX_LIMIT}")));
    }
    Ok(Json(json!(control(shared).messages(&filter))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    phone: String,
}

async fn conversation(State(shared): State<Arc<Shared>>, query: Params<Who>) -> Answer<Value> {
    let who = params(query)?;
    Ok(Json(json!(control(shared).conversation(&phone(&who.phone)))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AtLeast {
    #[serde(default)]
    min: u64,
}

async fn recipients(State(shared): State<Arc<Shared>>, query: Params<AtLeast>) -> Answer<Value> {
    Ok(Json(json!(control(shared).recipients(params(query)?.min))))
}

async fn stats(State(shared): State<Arc<Shared>>) -> Answer<Value> {
    Ok(Json(json!(control(shared).stats())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    #[serde(default = "ten_seconds")]
    timeout_ms: u64,
}

fn ten_seconds() -> u64 {
    10_000
}

async fn idle(State(shared): State<Arc<Shared>>, query: Params<Wait>) -> Answer<Value> {
    let wait = params(query)?;
    let idle = control(shared).idle(Duration::from_millis(wait.timeout_ms.min(60_000))).await;
    Ok(Json(json!({"idle": idle})))
}

async fn inbound(State(shared): State<Arc<Shared>>, bytes: Bytes) -> Answer<Value> {
    let inbound: Inbound = body(&bytes)?;
    // In a task of its own: a client that goes away does not take the message back.
    let task = tokio::spawn(async move { control(shared).inbound(inbound).await });
    let answer = task.await.map_err(|error| ControlError::Invalid(error.to_string()))??;
    Ok(Json(json!(answer)))
}

async fn settings(State(shared): State<Arc<Shared>>) -> Answer<Value> {
    Ok(Json(json!(control(shared).settings())))
}

async fn patch_settings(State(shared): State<Arc<Shared>>, bytes: Bytes) -> Answer<Value> {
    let patch: Value = body(&bytes)?;
    Ok(Json(json!(control(shared).patch_settings(&patch)?)))
}

async fn set_approval(
    State(shared): State<Arc<Shared>>,
    Path(sid): Path<String>,
    bytes: Bytes,
) -> Result<StatusCode, ControlError> {
    let change: ApprovalChange = body(&bytes)?;
    control(shared).set_approval(&sid, change)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct What {
    #[serde(default)]
    settings: bool,
}

async fn reset(State(shared): State<Arc<Shared>>, query: Params<What>) -> Result<StatusCode, ControlError> {
    let what = params(query)?;
    if what.settings {
        control(shared).reset_all();
    } else {
        control(shared).reset();
    }
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_from_queries() {
        for text in ["+15551234567", " 15551234567", "15551234567", "whatsapp:+15551234567", "whatsapp: 15551234567"] {
            assert_eq!(phone(text), "+15551234567", "{text}");
        }
        assert_eq!(phone("12345"), "12345");
    }
}
