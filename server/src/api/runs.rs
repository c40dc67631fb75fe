//! `/runs`: one execution of a campaign.

use axum::{Json as Reply, extract::State, response::Response};
use domain::{
    ids::RunId,
    message::{Message, MessageFilter, State as MessageState},
    page::Page,
    reason::Reason,
    run::{Rollup, RollupBy, Run},
};
use engine::Engine;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Path, Query, page},
};
use crate::{http::downloads, problem::Problem};

const TAG: &str = "Runs";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new()
        .routes(routes!(get_run))
        .routes(routes!(list_run_messages))
        .routes(routes!(list_run_rollups))
        .routes(routes!(export_run))
        .routes(routes!(export_plan))
}

/// Get a run
///
/// Its ledger always balances: `planned` is the sum of all the other counts.
#[utoipa::path(
    get, path = "/runs/{id}", tag = TAG,
    params(("id" = RunId, Path)),
    responses((status = 200, body = Run)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_run(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<RunId>,
) -> Result<Reply<Run>, Problem> {
    Ok(Reply(engine.runs().get(&actor, id).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RunMessagesQuery {
    /// How many, 1 to 1000; 50 when absent.
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    state: Option<MessageState>,
    /// Twilio's error code.
    code: Option<i32>,
    reason: Option<Reason>,
}

/// List a run's messages
#[utoipa::path(
    get, path = "/runs/{id}/messages", tag = TAG,
    params(("id" = RunId, Path), RunMessagesQuery),
    responses((status = 200, body = Page<Message>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_run_messages(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<RunId>,
    Query(query): Query<RunMessagesQuery>,
) -> Result<Reply<Page<Message>>, Problem> {
    let page = page(query.limit, query.cursor)?;
    // So that an unknown run is not an empty list.
    engine.runs().get(&actor, id).await?;
    let RunMessagesQuery { state, code, reason, .. } = query;
    let filter = MessageFilter { run: Some(id), state, code, reason, ..MessageFilter::default() };
    Ok(Reply(engine.messages().list(&actor, &filter, &page).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RollupsQuery {
    /// `country` when absent.
    #[serde(default)]
    #[param(inline)]
    by: RollupBy,
}

/// Count a run's messages
///
/// How many came how far, by country (the most first) or by hour.
#[utoipa::path(
    get, path = "/runs/{id}/rollups", tag = TAG,
    params(("id" = RunId, Path), RollupsQuery),
    responses((status = 200, body = Page<Rollup>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_run_rollups(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<RunId>,
    Query(query): Query<RollupsQuery>,
) -> Result<Reply<Page<Rollup>>, Problem> {
    Ok(Reply(Page { items: engine.runs().rollups(&actor, id, query.by).await?, next_cursor: None }))
}

/// Export a run
///
/// A CSV file with one line for each message; cells that a spreadsheet would calculate are defused.
#[utoipa::path(
    get, path = "/runs/{id}/export.csv", tag = TAG,
    params(("id" = RunId, Path)),
    responses((status = 200, body = String, content_type = "text/csv")),
    extensions(("x-permission" = json!("read"))),
)]
async fn export_run(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<RunId>,
) -> Result<Response, Problem> {
    downloads::export_csv(&engine, &actor, id).await
}

/// Export a run's plan
///
/// A CSV file with one line for each person: whether they get it, wait or are left out and why, when by their own clock,
/// and the text as they get it, by SMS with its segments and encoding. Of what was handed over since, `outcome` is its state, `send_at` when it was due, and `text`
/// what was handed over, as long as texts are kept.
#[utoipa::path(
    get, path = "/runs/{id}/plan.csv", tag = TAG,
    params(("id" = RunId, Path)),
    responses((status = 200, body = String, content_type = "text/csv")),
    extensions(("x-permission" = json!("read"))),
)]
async fn export_plan(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<RunId>,
) -> Result<Response, Problem> {
    downloads::plan_csv(&engine, &actor, id).await
}
