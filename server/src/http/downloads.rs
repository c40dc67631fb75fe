//! Files and documents that pages link to.

use app::documents;
use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::get,
};
use domain::{
    actor::Actor,
    ids::{ImportId, InboundId, RunId},
    inbound::MediaKind,
    phone::Phone,
};
use engine::Engine;
use futures::{TryStreamExt as _, stream::BoxStream};

use super::assets::Site;
use crate::problem::Problem;

/// `GET /imports/{id}/rejects.csv`, `GET /runs/{id}/export.csv`, `GET /runs/{id}/plan.csv`,
/// `GET /inbox/media/{message}/{number}`, `GET /contacts/{phone}/export.json` and `GET /contacts/{phone}/consent-proof`.
pub fn router(engine: Engine, site: &Site) -> Router {
    let css = site.names().map(|names| names.css);
    let prove = move |engine, actor, phone| proof(engine, actor, phone, css.clone());
    Router::new()
        .route("/contacts/{phone}/consent-proof", get(prove))
        .route("/imports/{id}/rejects.csv", get(rejects))
        .route("/inbox/media/{message}/{number}", get(media))
        .route("/runs/{id}/export.csv", get(export))
        .route("/runs/{id}/plan.csv", get(plan))
        .route("/contacts/{phone}/export.json", get(person))
        .with_state(engine)
}

/// Everything about one person, as a file.
async fn person(
    State(engine): State<Engine>,
    Extension(actor): Extension<Actor>,
    Path(phone): Path<String>,
) -> Result<Response, Problem> {
    let phone: Phone = phone.parse().map_err(|_| Problem::not_found())?;
    let everything = engine.contacts().export(&actor, &phone).await?;
    let headers = [
        (header::CONTENT_DISPOSITION, disposition(&format!("{}.json", phone.digits()))),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Json(everything)).into_response())
}

/// What a person agreed to, to be read and printed.
async fn proof(
    State(engine): State<Engine>,
    Extension(actor): Extension<Actor>,
    Path(phone): Path<String>,
    css: Option<String>,
) -> Result<Response, Problem> {
    let phone: Phone = phone.parse().map_err(|_| Problem::not_found())?;
    let proof = match engine.contacts().proof(&actor, &phone).await {
        // The contact's page says so, as a page.
        Err(engine::Error::NotFound { .. }) => return Ok(Redirect::to(&app::paths::contact(&phone)).into_response()),
        proof => proof?,
    };
    let headers = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((headers, Html(documents::consent_proof(&proof, css))).into_response())
}

/// A file that a person sent. What a browser could take for a page or a program is only saved.
async fn media(
    State(engine): State<Engine>,
    Extension(actor): Extension<Actor>,
    Path((message, number)): Path<(i64, usize)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let file = engine.inbound().media(&actor, InboundId(message), number, range).await?;
    let shown = MediaKind::of(&file.content_type) != MediaKind::Other;
    let content_type = if shown { &*file.content_type } else { "application/octet-stream" };
    let name = format!("{message}-{number}");
    let body = file.bytes.inspect_err(|error| tracing::warn!(%error, "a person's file broke off"));
    let mut answer = Response::builder()
        .header(header::CONTENT_TYPE, content_type)
        // A file never changes; it stays in the reader's own browser.
        .header(header::CACHE_CONTROL, "private, max-age=86400, immutable")
        .header(header::ACCEPT_RANGES, "bytes");
    if !shown {
        answer = answer.header(header::CONTENT_DISPOSITION, disposition(&name));
    }
    if let Some(range) = file.range {
        answer = answer.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, range);
    }
    if let Some(length) = file.length {
        answer = answer.header(header::CONTENT_LENGTH, length);
    }
    answer.body(Body::from_stream(body)).map_err(|error| {
        tracing::warn!(%error, "the provider describes a person's file in a way that cannot be passed on");
        Problem::not_found()
    })
}

async fn rejects(
    State(engine): State<Engine>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: ImportId = id.parse().map_err(|_| Problem::not_found())?;
    rejects_csv(&engine, &actor, id).await
}

async fn export(
    State(engine): State<Engine>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: RunId = id.parse().map_err(|_| Problem::not_found())?;
    export_csv(&engine, &actor, id).await
}

async fn plan(
    State(engine): State<Engine>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: RunId = id.parse().map_err(|_| Problem::not_found())?;
    plan_csv(&engine, &actor, id).await
}

/// The rows of a file that were not taken, each with its line and reason, sent while they are read.
///
/// # Errors
/// As [`export_csv`].
pub async fn rejects_csv(engine: &Engine, actor: &Actor, id: ImportId) -> Result<Response, Problem> {
    Ok(csv(&format!("rejects-{id}.csv"), engine.imports().rejects_csv(actor, id).await?))
}

/// The messages of a run, one line each, sent while they are read.
///
/// # Errors
/// What the engine says before the first line; later the connection breaks, so that a part is never taken for the whole.
pub async fn export_csv(engine: &Engine, actor: &Actor, id: RunId) -> Result<Response, Problem> {
    Ok(csv(&format!("run-{id}.csv"), engine.runs().export_csv(actor, id).await?))
}

/// The people of a run's plan with their texts, one line each.
///
/// # Errors
/// As [`export_csv`].
pub async fn plan_csv(engine: &Engine, actor: &Actor, id: RunId) -> Result<Response, Problem> {
    Ok(csv(&format!("plan-{id}.csv"), engine.runs().plan_csv(actor, id).await?))
}

/// A file that is sent while it is read.
fn csv(name: &str, parts: BoxStream<'static, engine::Result<String>>) -> Response {
    let body = parts.inspect_err(|error| tracing::error!(%error, "an export broke off"));
    (csv_headers(name), Body::from_stream(body)).into_response()
}

fn csv_headers(name: &str) -> [(HeaderName, HeaderValue); 2] {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, disposition(name)),
    ]
}

fn disposition(name: &str) -> HeaderValue {
    let value = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    value.unwrap_or(HeaderValue::from_static("attachment"))
}
