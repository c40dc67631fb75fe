//! `/settings`: the workspace's rules, and the switch that stops everything.

use axum::extract::State;
use domain::settings::{Settings, SettingsPatch};
use engine::Engine;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::Caller, extract::Json, versioned::Versioned};
use crate::problem::Problem;

const TAG: &str = "Settings";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(get_settings, update_settings))
}

/// Get the settings
#[utoipa::path(
    get, path = "/settings", tag = TAG,
    responses((status = 200, body = Settings)),
    extensions(("x-permission" = json!("administer"))),
)]
async fn get_settings(State(engine): State<Engine>, Caller(actor): Caller) -> Result<Versioned<Settings>, Problem> {
    Ok(Versioned(engine.settings().get(&actor).await?))
}

/// Change the settings
///
/// `{"sending":{"state":"held","reason":"…"}}` stops all sending within a second.
#[utoipa::path(
    patch, path = "/settings", tag = TAG,
    request_body = SettingsPatch,
    responses((status = 200, body = Settings)),
    extensions(("x-permission" = json!("administer"))),
)]
async fn update_settings(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Json(patch): Json<SettingsPatch>,
) -> Result<Versioned<Settings>, Problem> {
    Ok(Versioned(engine.settings().update(&actor, patch).await?))
}
