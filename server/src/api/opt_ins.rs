//! `/opt-ins`: who was asked whether they want a topic.

use axum::{Json as Reply, extract::State};
use domain::{
    opt_in::{OptIn, OptInState},
    page::Page,
};
use engine::Engine;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Query, page},
};
use crate::problem::Problem;

const TAG: &str = "Consent";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(list_opt_ins))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OptInQuery {
    /// How many, 1 to 1000; 50 when absent.
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// `waiting` when absent.
    state: Option<OptInState>,
}

/// List questions of double opt-ins
///
/// Topics with `double_opt_in` subscribe nobody before they have answered YES.
#[utoipa::path(
    get, path = "/opt-ins", tag = TAG,
    params(OptInQuery),
    responses((status = 200, body = Page<OptIn>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_opt_ins(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<OptInQuery>,
) -> Result<Reply<Page<OptIn>>, Problem> {
    let page = page(query.limit, query.cursor)?;
    Ok(Reply(engine.opt_ins().list(&actor, query.state.unwrap_or(OptInState::Waiting), &page).await?))
}
