//! The workspace's settings: adapters between the page and the service.

use domain::settings::{Forgetting, Settings};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{context::ctx, paths};

/// The settings, or the question before things are kept for less long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct General {
    pub settings: Settings,
    pub asked: Option<Asked>,
}

/// What is asked, by whoever read the settings in this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub version: i64,
    pub forgetting: Forgetting,
}

/// `keep`: the times that are asked about, as [`update_retention`] puts them into the address; empty for none.
#[server]
pub async fn load_settings(#[server(default)] keep: String) -> Result<General, AppError> {
    let ctx = ctx()?;
    let service = ctx.engine.settings();
    let settings = service.get(&ctx.actor).await?;
    let asked = match keep.split(',').collect::<Vec<_>>()[..] {
        [version, raw, text, callback] => {
            let version = version.parse().map_err(|_| AppError::NotFound)?;
            let retention = times(raw, text, callback)?;
            service.forgetting(&ctx.actor, retention).await?.map(|forgetting| Asked { version, forgetting })
        }
        _ => None,
    };
    Ok(General { settings, asked })
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

/// What is empty is kept for ever. What would go sooner than before is asked about first.
#[server]
pub async fn update_retention(
    version: i64,
    #[server(default)] raw_webhook_days: String,
    #[server(default)] text_days: String,
    #[server(default)] callback_days: String,
    #[server(default)] confirmed: bool,
) -> Result<(), AppError> {
    use domain::settings::SettingsPatch;
    let ctx = ctx()?;
    let typed =
        [("raw_webhook_days", &*raw_webhook_days), ("text_days", &*text_days), ("callback_days", &*callback_days)];
    let keep = |error: AppError| error.keep(&typed);
    let retention = times(&raw_webhook_days, &text_days, &callback_days).map_err(keep)?;
    let service = ctx.engine.settings();
    if !confirmed {
        let asked = service.forgetting(&ctx.actor, retention).await.map_err(|error| keep(of_form(error.into())))?;
        if asked.is_some() {
            let days = |count: Option<i32>| count.map(|days| days.to_string()).unwrap_or_default();
            let (text, callback) = (days(retention.text_days), days(retention.callback_days));
            let keep = format!("{version},{},{text},{callback}", retention.raw_webhook_days);
            leptos_axum::redirect(&paths::with_query(paths::GENERAL, &[("keep", &keep)]));
            return Ok(());
        }
    }
    let patch = SettingsPatch { retention: Some(retention), version: Some(version), ..SettingsPatch::default() };
    service.update(&ctx.actor, patch).await.map_err(|error| keep(of_form(error.into())))?;
    leptos_axum::redirect(&paths::done(paths::GENERAL, "saved"));
    Ok(())
}

#[cfg(feature = "ssr")]
fn times(raw: &str, text: &str, callback: &str) -> Result<domain::settings::Retention, AppError> {
    use domain::settings::Retention;
    let raw = number("raw_webhook_days", raw)?.unwrap_or(Retention::default().raw_webhook_days);
    let (text_days, callback_days) = (number("text_days", text)?, number("callback_days", callback)?);
    Ok(Retention { raw_webhook_days: raw, text_days, callback_days })
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
