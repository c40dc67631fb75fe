//! The workspace's settings: adapters between the page and the service.

use domain::settings::Settings;
use leptos::prelude::*;

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{context::ctx, paths};

#[server]
pub async fn load_settings() -> Result<Settings, AppError> {
    let ctx = ctx()?;
    Ok(ctx.engine.settings().get(&ctx.actor).await?)
}

/// Empty fields are no limit, or no country.
#[server]
pub async fn update_settings(
    version: i64,
    #[server(default)] default_country: String,
    default_timezone: String,
    #[server(default)] account_rate_per_second: String,
    #[server(default)] whatsapp_daily_people: String,
    #[server(default)] whatsapp_reply_share: String,
    #[server(default)] enforce_whatsapp_window: bool,
) -> Result<(), AppError> {
    use domain::settings::SettingsPatch;
    let ctx = ctx()?;
    let typed = [
        ("default_country", &*default_country),
        ("default_timezone", &*default_timezone),
        ("account_rate_per_second", &*account_rate_per_second),
        ("whatsapp_daily_people", &*whatsapp_daily_people),
        ("whatsapp_reply_share", &*whatsapp_reply_share),
        ("enforce_whatsapp_window", if enforce_whatsapp_window { "true" } else { "" }),
    ];
    let keep = |error: AppError| error.keep(&typed);
    let patch = SettingsPatch {
        default_country: Some(given(&default_country).map(str::to_owned)),
        default_timezone: Some(default_timezone.trim().to_owned()),
        account_rate_per_second: Some(number("account_rate_per_second", &account_rate_per_second).map_err(keep)?),
        whatsapp_daily_people: Some(number("whatsapp_daily_people", &whatsapp_daily_people).map_err(keep)?),
        whatsapp_reply_share: number("whatsapp_reply_share", &whatsapp_reply_share).map_err(keep)?,
        enforce_whatsapp_window: Some(enforce_whatsapp_window),
        version: Some(version),
        ..SettingsPatch::default()
    };
    ctx.engine.settings().update(&ctx.actor, patch).await.map_err(|error| keep(error.into()))?;
    leptos_axum::redirect(&paths::done(paths::GENERAL, "saved"));
    Ok(())
}

/// What is empty is kept for ever.
#[server]
pub async fn update_retention(
    version: i64,
    #[server(default)] raw_webhook_days: String,
    #[server(default)] text_days: String,
    #[server(default)] callback_days: String,
) -> Result<(), AppError> {
    use domain::settings::{Retention, SettingsPatch};
    let ctx = ctx()?;
    let typed =
        [("raw_webhook_days", &*raw_webhook_days), ("text_days", &*text_days), ("callback_days", &*callback_days)];
    let keep = |error: AppError| error.keep(&typed);
    let raw_days = number("raw_webhook_days", &raw_webhook_days).map_err(keep)?;
    let retention = Retention {
        raw_webhook_days: raw_days.unwrap_or(Retention::default().raw_webhook_days),
        text_days: number("text_days", &text_days).map_err(keep)?,
        callback_days: number("callback_days", &callback_days).map_err(keep)?,
    };
    let patch = SettingsPatch { retention: Some(retention), version: Some(version), ..SettingsPatch::default() };
    ctx.engine.settings().update(&ctx.actor, patch).await.map_err(|error| keep(of_form(error.into())))?;
    leptos_axum::redirect(&paths::done(paths::GENERAL, "saved"));
    Ok(())
}

/// The fields by their names on the page.
#[cfg(feature = "ssr")]
fn of_form(mut error: AppError) -> AppError {
    if let AppError::Invalid { fields, .. } = &mut error {
        for field in fields {
            field.field = field.field.trim_start_matches("retention.").to_owned();
        }
    }
    error
}

#[cfg(feature = "ssr")]
fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

#[cfg(feature = "ssr")]
fn number(field: &str, text: &str) -> Result<Option<i32>, AppError> {
    let read = |text: &str| text.parse().map_err(|_| AppError::field(field, "Write a whole number."));
    given(text).map(read).transpose()
}
