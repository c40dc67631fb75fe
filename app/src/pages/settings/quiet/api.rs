//! Quiet hours, limits and holidays: adapters between the page and the service.

use domain::quiet::{LawTable, WorkspaceQuiet};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::lines;
use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    context::{Ctx, ctx},
    paths,
};
#[cfg(feature = "ssr")]
use domain::settings::SettingsPatch;

/// What the page shows; lists as they are typed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuietView {
    pub version: i64,
    pub rule: WorkspaceQuiet,
    /// Messages go to Twilio, not to the simulator.
    pub real: bool,
    pub caps: String,
    pub unreachable_days: i32,
    pub holidays: String,
    pub law: LawTable,
}

#[server]
pub async fn load_quiet() -> Result<QuietView, AppError> {
    let ctx = ctx()?;
    let settings = ctx.engine.settings().get(&ctx.actor).await?;
    Ok(QuietView {
        version: settings.version,
        rule: settings.quiet_hours,
        real: !ctx.engine.config().is_simulated(),
        caps: lines::write_caps(&settings.frequency_caps),
        unreachable_days: settings.unreachable_days,
        holidays: lines::write_holidays(&settings.holidays),
        law: ctx.engine.settings().law(&ctx.actor)?,
    })
}

/// `real`: the form had no box for the law table.
#[server]
pub async fn save_rule(
    version: i64,
    start: String,
    end: String,
    #[server(default)] reason: String,
    #[server(default)] enabled: bool,
    #[server(default)] law: bool,
    #[server(default)] real: bool,
) -> Result<(), AppError> {
    use domain::quiet::WorkspaceQuietPatch;
    let ctx = ctx()?;
    let word = |on: bool| if on { "true" } else { "" };
    let typed =
        [("start", &*start), ("end", &*end), ("reason", &*reason), ("enabled", word(enabled)), ("law", word(law))];
    let time = |field: &'static str, text: &str| {
        text.trim().parse().map_err(|_| AppError::field(field, "Give a time such as 21:00.").keep(&typed))
    };
    let change = WorkspaceQuietPatch {
        enabled: Some(enabled),
        start: Some(time("start", &start)?),
        end: Some(time("end", &end)?),
        law: (!real).then_some(law),
        reason: Some(reason.clone()),
    };
    let patch = SettingsPatch { quiet_hours: Some(change), version: Some(version), ..SettingsPatch::default() };
    save(&ctx, patch).await.map_err(|mut error| {
        if let AppError::Invalid { fields, .. } = &mut error {
            for field in fields {
                field.field = field.field.trim_start_matches("quiet_hours.").to_owned();
            }
        }
        error.keep(&typed)
    })
}

#[server]
pub async fn save_caps(
    version: i64,
    #[server(default)] frequency_caps: String,
    unreachable_days: i32,
) -> Result<(), AppError> {
    let ctx = ctx()?;
    let days = unreachable_days.to_string();
    let typed = [("frequency_caps", &*frequency_caps), ("unreachable_days", &*days)];
    let caps = lines::read_caps(&frequency_caps).map_err(|errors| AppError::invalid(errors).keep(&typed))?;
    let patch = SettingsPatch {
        frequency_caps: Some(caps),
        unreachable_days: Some(unreachable_days),
        version: Some(version),
        ..SettingsPatch::default()
    };
    save(&ctx, patch).await.map_err(|error| in_one_field(error, "frequency_caps", &frequency_caps).keep(&typed))
}

#[server]
pub async fn save_holidays(version: i64, #[server(default)] holidays: String) -> Result<(), AppError> {
    let ctx = ctx()?;
    let typed = [("holidays", &*holidays)];
    let days = lines::read_holidays(&holidays).map_err(|errors| AppError::invalid(errors).keep(&typed))?;
    let patch = SettingsPatch { holidays: Some(days), version: Some(version), ..SettingsPatch::default() };
    save(&ctx, patch).await.map_err(|error| in_one_field(error, "holidays", &holidays).keep(&typed))
}

#[cfg(feature = "ssr")]
fn in_one_field(mut error: AppError, field: &str, text: &str) -> AppError {
    if let AppError::Invalid { fields, .. } = &mut error {
        lines::in_one_field(fields, field, text);
    }
    error
}

#[cfg(feature = "ssr")]
async fn save(ctx: &Ctx, patch: SettingsPatch) -> Result<(), AppError> {
    ctx.engine.settings().update(&ctx.actor, patch).await?;
    leptos_axum::redirect(&paths::done(paths::QUIET_HOURS, "saved"));
    Ok(())
}
