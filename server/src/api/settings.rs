//! `/settings`: the workspace's rules, and the switch that stops everything.

use axum::{Json as Reply, extract::State};
use domain::{
    quiet::LawTable,
    settings::{Settings, SettingsPatch},
};
use engine::Engine;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::Caller, extract::Json, versioned::Versioned};
use crate::problem::Problem;

const TAG: &str = "Settings";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(get_settings, update_settings)).routes(routes!(get_law))
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

/// Get the law table
///
/// When marketing may be sent, by place: what is applied on top of the workspace's and the campaign's quiet hours. `own`
/// are the lines that admins added (`law_lines` of the settings); they can only narrow what the others allow. `caps` is how
/// often marketing may reach a person at most: it binds beside `frequency_caps` of the settings.
#[utoipa::path(
    get, path = "/settings/law", tag = TAG,
    responses((status = 200, body = LawTable)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_law(State(engine): State<Engine>, Caller(actor): Caller) -> Result<Reply<LawTable>, Problem> {
    Ok(Reply(engine.settings().law(&actor).await?))
}

/// Change the settings
///
/// `{"sending":{"state":"held","reason":"…"}}` stops all sending within a second. Lists (`holidays`,
/// `law_lines`, `frequency_caps`, each of `keywords`) and `retention` are replaced as a whole, and what else is left out stays;
/// a change of `quiet_hours` needs its own `reason`.
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
