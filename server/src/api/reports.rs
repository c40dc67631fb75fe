//! `/reports`: numbers of many days.

use axum::{Json as Reply, extract::State};
use domain::{page::Page, review::ConsentDay};
use engine::Engine;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::Caller, extract::Query};
use crate::problem::Problem;

const TAG: &str = "Consent";

/// As many days as the page shows.
const DAYS: u32 = 30;

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(report_consent))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ConsentReportQuery {
    /// How many days, today among them: 1 to 366; 30 when absent.
    days: Option<u32>,
}

/// Count opt-ins and opt-outs
///
/// Day by day (UTC), by where they came from. Who says again what they had said is not counted, nor are wishes about one
/// topic.
#[utoipa::path(
    get, path = "/reports/consent", tag = TAG,
    params(ConsentReportQuery),
    responses((status = 200, body = Page<ConsentDay>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn report_consent(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<ConsentReportQuery>,
) -> Result<Reply<Page<ConsentDay>>, Problem> {
    let days = engine.reviews().days(&actor, query.days.unwrap_or(DAYS).into()).await?;
    Ok(Reply(Page { items: days, next_cursor: None }))
}
