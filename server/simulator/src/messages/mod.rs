//! The Messages resource of the 2010 API: fetching, changing, deleting (page "Messages resource").

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod media;
pub(crate) mod view;

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::api::Call;
use crate::callbacks::Step;
use crate::clock::{now_ms, rfc2822};
use crate::errors::ApiError;
use crate::queue::Job;
use crate::state::{Core, Shared, lock};
use crate::status::{Status, Word};
use crate::store::Direction;

type Answer = Result<Response, ApiError>;

/// `GET /Accounts/{sid}.json`: what programs call to see whether their credentials are right.
pub(crate) async fn account(
    Extension(call): Extension<Call>,
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    uri: Uri,
) -> Answer {
    let settings = &call.active.settings;
    if name.strip_suffix(".json") != Some(&settings.account_sid) {
        return Err(ApiError::not_found(uri.path()));
    }
    let started = now_ms() - i64::try_from(shared.core.started.elapsed().as_millis()).unwrap_or(0);
    let sid = &settings.account_sid;
    let account = json!({
        "sid": sid,
        "friendly_name": "Simulator",
        "status": "active",
        "type": "Full",
        "owner_account_sid": sid,
        "auth_token": settings.auth_token,
        "date_created": rfc2822(started),
        "date_updated": rfc2822(started),
        "uri": format!("/2010-04-01/Accounts/{sid}.json"),
        "subresource_uris": {"messages": format!("/2010-04-01/Accounts/{sid}/Messages.json")},
    });
    Ok(json_answer(StatusCode::OK, account.to_string()))
}

/// `GET …/Messages/{sid}.json`.
pub(crate) async fn fetch(
    Extension(call): Extension<Call>,
    State(shared): State<Arc<Shared>>,
    Path(path): Path<(String, String)>,
    uri: Uri,
) -> Answer {
    let core = &shared.core;
    let seq = find(core, &call, &path).ok_or_else(|| ApiError::not_found(uri.path()))?;
    shown(core, &call, seq).ok_or_else(|| ApiError::not_found(uri.path()))
}

/// `POST …/Messages/{sid}.json`: an empty `Body` redacts, `Status=canceled` cancels a scheduled message.
pub(crate) async fn update(
    Extension(call): Extension<Call>,
    State(shared): State<Arc<Shared>>,
    Path(path): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let core = &shared.core;
    let seq = find(core, &call, &path).ok_or_else(|| ApiError::not_found(uri.path()))?;
    for (name, value) in form(&headers, &body) {
        match &*name {
            "Body" if value.is_empty() => {
                if let Some(message) = lock(&core.store).get_mut(seq) {
                    message.body = Box::default();
                    message.updated = now_ms();
                }
            }
            "Body" => return Err(ApiError::new(20001, "Body can only be updated to an empty string")),
            "Status" if value == "canceled" => cancel(core, seq)?,
            "Status" => return Err(ApiError::new(20001, "Status can only be updated to 'canceled'")),
            _ => {}
        }
    }
    shown(core, &call, seq).ok_or_else(|| ApiError::not_found(uri.path()))
}

/// `DELETE …/Messages/{sid}.json`: 204; a message still on its way is kept (20009).
pub(crate) async fn delete(
    Extension(call): Extension<Call>,
    State(shared): State<Arc<Shared>>,
    Path(path): Path<(String, String)>,
    uri: Uri,
) -> Answer {
    let core = &shared.core;
    let seq = find(core, &call, &path).ok_or_else(|| ApiError::not_found(uri.path()))?;
    let mut store = lock(&core.store);
    let message = store.get_mut(seq).ok_or_else(|| ApiError::not_found(uri.path()))?;
    if !message.status.is_settled() {
        return Err(ApiError::of(20009));
    }
    message.deleted = true;
    message.body = Box::default();
    message.content_variables = None;
    message.tags = None;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn cancel(core: &Core, seq: u64) -> Result<(), ApiError> {
    let mut store = lock(&core.store);
    let Some(mut script) = store.unschedule(seq) else {
        return Err(ApiError::new(20409, "Only a scheduled message can be canceled"));
    };
    store.advance(seq, Status::Canceled, None, now_ms());
    if let Some(message) = store.get_mut(seq) {
        message.sent = None;
    }
    drop(store);
    script.next = 0;
    script.steps.truncate(1);
    match script.steps.first_mut() {
        Some(step) => *step = Step { callback: step.callback, ..Step::new(Word::Known(Status::Canceled)) },
        None => return Ok(()),
    }
    core.queue.begin(Job::Step(script), Duration::ZERO);
    Ok(())
}

fn find(core: &Core, call: &Call, (account, name): &(String, String)) -> Option<u64> {
    if *account != call.active.settings.account_sid {
        return None;
    }
    let (kind, seq) = core.minter.seq(name.strip_suffix(".json")?)?;
    lock(&core.store).get(seq).filter(|message| message.kind == kind).map(|message| message.seq)
}

fn shown(core: &Core, call: &Call, seq: u64) -> Option<Response> {
    let store = lock(&core.store);
    let message = store.get(seq)?;
    let text = view::json(core, &call.active.settings.account_sid, message, message.direction != Direction::Inbound);
    Some(json_answer(StatusCode::OK, text))
}

/// The decoded parameters. A body of another type is not looked at, which makes every parameter missing.
pub(crate) fn form<'a>(headers: &HeaderMap, body: &'a [u8]) -> url::form_urlencoded::Parse<'a> {
    let is_form = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    url::form_urlencoded::parse(if is_form { body } else { b"" })
}

pub(crate) fn json_answer(status: StatusCode, text: impl Into<axum::body::Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
