//! `/calendar`: what goes out on which day.

use axum::{Json as Reply, extract::State};
use domain::schedule::Calendar;
use engine::Engine;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::Caller, extract::Query};
use crate::problem::Problem;

const TAG: &str = "Campaigns";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(get_calendar))
}

/// Which month, by whose clock.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct CalendarQuery {
    /// `2026-12`; the present month when it is not given.
    month: Option<String>,
    /// Such as `Asia/Colombo`; the workspace's when it is not given.
    timezone: Option<String>,
}

/// A month of campaigns
///
/// Runs that began and times at which campaigns are due, by day. What goes by everybody's own clock is on the day of that
/// clock; paused campaigns that have kept their time are among them, with that status.
#[utoipa::path(
    get, path = "/calendar", tag = TAG,
    params(CalendarQuery),
    responses((status = 200, body = Calendar)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_calendar(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<CalendarQuery>,
) -> Result<Reply<Calendar>, Problem> {
    Ok(Reply(engine.campaigns().calendar(&actor, query.month.as_deref(), query.timezone.as_deref()).await?))
}
