//! `/error-codes`: what the provider's error codes mean, and what follows from them.

use axum::{Json as Reply, extract::State};
use domain::{
    error_codes::{Entry, EntryPatch, Filter},
    page::{Page, PageRequest},
};
use engine::Engine;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Json, Path, Query, page, page_of},
    versioned::Versioned,
};
use crate::problem::Problem;

const TAG: &str = "Error codes";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(list_error_codes)).routes(routes!(get_error_code, update_error_code))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ErrorCodesQuery {
    /// How many, 1 to 1000; 50 when absent.
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// A part of the code or of its words.
    q: Option<String>,
    /// Only those that the provider gave (true) or never gave (false).
    heard: Option<bool>,
    /// Only those that this program knows (true) or does not know (false).
    built_in: Option<bool>,
}

impl ErrorCodesQuery {
    fn page(&self) -> Result<PageRequest, Problem> {
        page(self.limit, self.cursor.clone())
    }
}

/// List error codes
///
/// All that this program knows, and those that the provider gave beside them, by number. `heard=true&built_in=false`
/// lists what nobody has described yet.
#[utoipa::path(
    get, path = "/error-codes", tag = TAG,
    params(ErrorCodesQuery),
    responses((status = 200, body = Page<Entry>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_error_codes(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<ErrorCodesQuery>,
) -> Result<Reply<Page<Entry>>, Problem> {
    let page = query.page()?;
    let filter = Filter { q: query.q, heard: query.heard, built_in: query.built_in };
    let entries = engine.error_codes().list(&actor, &filter).await?;
    Ok(Reply(page_of(entries, &page, |entry| entry.code.to_string())?))
}

/// Get an error code
///
/// Also one that is not known: what would follow from it.
#[utoipa::path(
    get, path = "/error-codes/{code}", tag = TAG,
    params(("code" = i32, Path)),
    responses((status = 200, body = Entry)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_error_code(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(code): Path<i32>,
) -> Result<Versioned<Entry>, Problem> {
    Ok(Versioned(engine.error_codes().get(&actor, code).await?))
}

/// Change an error code
///
/// What it means, what to do about it, and what follows from it; null is as built in. It holds within a second for what
/// the provider answers from then on. What follows from opt-outs and from doubts cannot be changed.
#[utoipa::path(
    patch, path = "/error-codes/{code}", tag = TAG,
    params(("code" = i32, Path)),
    request_body = EntryPatch,
    responses((status = 200, body = Entry)),
    extensions(("x-permission" = json!("administer"))),
)]
async fn update_error_code(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(code): Path<i32>,
    Json(patch): Json<EntryPatch>,
) -> Result<Versioned<Entry>, Problem> {
    Ok(Versioned(engine.error_codes().update(&actor, code, patch).await?))
}
