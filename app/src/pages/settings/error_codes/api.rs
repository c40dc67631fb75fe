//! Error codes: adapters between the pages and the service. Words are made on the server.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::words;
use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{context::ctx, paths};

/// A code as the list shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeRow {
    pub code: i32,
    pub meaning: String,
    pub remedy: String,
    /// What the program does, in words.
    pub follows: String,
    pub changed: bool,
    /// The provider gave it, and nobody has said what it is.
    pub unknown: bool,
    /// How often; empty: never.
    pub times: String,
    pub last_at: Option<domain::time::Timestamp>,
    /// The provider's words.
    pub said: String,
}

/// What the form of a code starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeForm {
    pub code: i32,
    pub version: i64,
    pub class: String,
    pub meaning: String,
    pub remedy: String,
    /// Why its class cannot be changed; empty: it can.
    pub fixed: String,
    /// What is built in, where that was changed.
    pub built_in: Option<String>,
    pub heard: String,
    pub said: String,
    /// Words and labels to choose from, with what each does.
    pub classes: Vec<(String, String)>,
}

/// `show`: `heard`, `unknown`, `changed`, or all.
#[server]
pub async fn load_codes(q: String, show: String) -> Result<Vec<CodeRow>, AppError> {
    use domain::error_codes::Filter;
    let ctx = ctx()?;
    let filter = Filter {
        q: Some(q).filter(|q| !q.trim().is_empty()),
        heard: (show == "heard" || show == "unknown").then_some(true),
        built_in: (show == "unknown").then_some(false),
    };
    let entries = ctx.engine.error_codes().list(&ctx.actor, &filter).await?;
    let rows = entries.iter().map(words::row);
    Ok(rows.filter(|row| (show != "changed" || row.changed) && (show != "unknown" || row.unknown)).collect())
}

#[server]
pub async fn load_code(code: String) -> Result<CodeForm, AppError> {
    let ctx = ctx()?;
    let code = code.parse().map_err(|_| AppError::NotFound)?;
    Ok(words::form(&ctx.engine.error_codes().get(&ctx.actor, code).await?))
}

/// Empty words are as built in.
#[server]
pub async fn update_code(
    code: i32,
    version: i64,
    #[server(default)] class: String,
    #[server(default)] meaning: String,
    #[server(default)] remedy: String,
) -> Result<(), AppError> {
    use domain::error_codes::EntryPatch;
    let ctx = ctx()?;
    let typed = [("class", &*class), ("meaning", &*meaning), ("remedy", &*remedy)];
    let keep = |error: AppError| error.keep(&typed);
    let given = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
    let class = given(&class)
        .map(|class| class.parse().map_err(|_| keep(AppError::field("class", "Choose what follows from it."))))
        .transpose()?;
    let patch = EntryPatch {
        // A fixed class is not on the form.
        class: class.map(Some),
        meaning: Some(given(&meaning)),
        remedy: Some(given(&remedy)),
        version: Some(version),
    };
    ctx.engine.error_codes().update(&ctx.actor, code, patch).await.map_err(|error| keep(error.into()))?;
    leptos_axum::redirect(&paths::done(paths::ERROR_CODES, "saved"));
    Ok(())
}

/// Everything as built in again.
#[server]
pub async fn reset_code(code: i32) -> Result<(), AppError> {
    use domain::error_codes::EntryPatch;
    let ctx = ctx()?;
    let patch = EntryPatch { class: Some(None), meaning: Some(None), remedy: Some(None), version: None };
    ctx.engine.error_codes().update(&ctx.actor, code, patch).await?;
    leptos_axum::redirect(&paths::done(paths::ERROR_CODES, "saved"));
    Ok(())
}
