//! The dashboard's one query, and the switch that stops everything.

use domain::dashboard::Dashboard;
use leptos::prelude::*;

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{context::ctx, paths};

#[server]
pub async fn load_dashboard() -> Result<Dashboard, AppError> {
    let ctx = ctx()?;
    Ok(ctx.engine.dashboard().get(&ctx.actor).await?)
}

#[server]
pub async fn hold_sending(reason: String) -> Result<(), AppError> {
    use domain::settings::{Sending, SendingState, SettingsPatch};
    let ctx = ctx()?;
    let sending =
        Sending { state: SendingState::Held, reason: Some(reason).filter(|reason| !reason.trim().is_empty()) };
    let patch = SettingsPatch { sending: Some(sending), ..SettingsPatch::default() };
    ctx.engine.settings().update(&ctx.actor, patch).await?;
    leptos_axum::redirect(&paths::done(paths::DASHBOARD, "held"));
    Ok(())
}

#[server]
pub async fn release_sending() -> Result<(), AppError> {
    use domain::settings::{Sending, SettingsPatch};
    let ctx = ctx()?;
    let patch = SettingsPatch { sending: Some(Sending::default()), ..SettingsPatch::default() };
    ctx.engine.settings().update(&ctx.actor, patch).await?;
    leptos_axum::redirect(&paths::done(paths::DASHBOARD, "released"));
    Ok(())
}
