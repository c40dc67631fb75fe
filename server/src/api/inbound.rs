//! `/inbound`: what people wrote.

use axum::{Json as Reply, extract::State};
use domain::{inbound::Inbound, page::Page, phone::Phone, time::Timestamp};
use engine::Engine;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Query, instant, page, phone},
};
use crate::problem::Problem;

const TAG: &str = "Inbound";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(list_inbound))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct InboundQuery {
    /// How many, 1 to 1000; 50 when absent.
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    #[serde(default, deserialize_with = "phone")]
    phone: Option<Phone>,
    /// Received at this instant or later.
    #[serde(default, deserialize_with = "instant")]
    since: Option<Timestamp>,
}

/// List inbound messages
#[utoipa::path(
    get, path = "/inbound", tag = TAG,
    params(InboundQuery),
    responses((status = 200, body = Page<Inbound>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_inbound(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<InboundQuery>,
) -> Result<Reply<Page<Inbound>>, Problem> {
    let page = page(query.limit, query.cursor)?;
    Ok(Reply(engine.inbound().list(&actor, query.phone.as_ref(), query.since, &page).await?))
}
