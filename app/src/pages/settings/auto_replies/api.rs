//! Automatic replies: adapters between the page's forms and the settings.

use domain::auto_reply::AutoReplies;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{context::ctx, paths};

/// The rules, and what they can answer with: ids and names of templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepliesView {
    pub replies: AutoReplies,
    pub version: i64,
    /// The workspace's, which stands where the office has none of its own.
    pub default_timezone: String,
    pub templates: Vec<(String, String)>,
}

/// So many templates can be chosen from, the newest.
#[cfg(feature = "ssr")]
const TEMPLATES: u32 = 200;

#[server]
pub async fn load_replies() -> Result<RepliesView, AppError> {
    let ctx = ctx()?;
    let settings = ctx.engine.settings().get(&ctx.actor).await?;
    let page = domain::page::PageRequest::first(TEMPLATES);
    let templates = ctx.engine.templates().list(&ctx.actor, None, &page).await?.items;
    Ok(RepliesView {
        replies: settings.auto_replies,
        version: settings.version,
        default_timezone: settings.default_timezone,
        templates: templates.into_iter().map(|template| (template.id.to_string(), template.name)).collect(),
    })
}

/// Adds a rule. Words stand on a line each.
#[server]
pub async fn add_reply(
    name: String,
    #[server(default)] when: String,
    #[server(default)] words: String,
    #[server(default)] text: String,
    #[server(default)] template_id: String,
) -> Result<(), AppError> {
    use domain::auto_reply::{AutoReply, AutoReplyWhen};
    let typed =
        [("name", &*name), ("when", &*when), ("words", &*words), ("text", &*text), ("template_id", &*template_id)];
    let chosen = Some(&*template_id).filter(|id| !id.is_empty());
    let template = chosen.map(|id| id.parse().map_err(|_| AppError::field("template_id", "Choose one of these.")));
    let rule = AutoReply {
        name: name.clone(),
        when: when.parse().unwrap_or(AutoReplyWhen::FirstContact),
        words: words.lines().map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        text: Some(text.clone()).filter(|text| !text.trim().is_empty()),
        template_id: template.transpose().map_err(|error| error.keep(&typed))?,
        enabled: true,
    };
    change(|replies| replies.rules.push(rule)).await.map_err(|error| error.keep(&typed))
}

/// What is to become of a rule: `on`, `off` or `delete`.
#[server]
pub async fn change_reply(name: String, to: String) -> Result<(), AppError> {
    change(|replies| {
        replies.rules.retain(|rule| rule.name != name || to != "delete");
        for rule in replies.rules.iter_mut().filter(|rule| rule.name == name) {
            rule.enabled = to == "on";
        }
    })
    .await
}

#[server]
pub async fn update_office(
    #[server(default)] timezone: String,
    #[server(default)] days: Vec<String>,
    start: String,
    end: String,
    pause_hours: String,
    per_day: String,
) -> Result<(), AppError> {
    use domain::auto_reply::OfficeHours;
    let typed = [
        ("timezone", &*timezone),
        ("start", &*start),
        ("end", &*end),
        ("pause_hours", &*pause_hours),
        ("per_day", &*per_day),
    ];
    let keep = |error: AppError| error.keep(&typed);
    let time = |field: &str, text: &str| {
        text.trim().parse().map_err(|_| keep(AppError::field(field, "Write a time such as 09:00.")))
    };
    let number = |field: &str, text: &str| {
        text.trim().parse().map_err(|_| keep(AppError::field(field, "Write a whole number.")))
    };
    let hours = OfficeHours {
        timezone: Some(timezone.trim().to_owned()).filter(|zone| !zone.is_empty()),
        days: days.iter().filter_map(|day| day.parse().ok()).collect(),
        start: time("start", &start)?,
        end: time("end", &end)?,
    };
    let (pause_hours, per_day) = (number("pause_hours", &pause_hours)?, number("per_day", &per_day)?);
    let changed = change(|replies| {
        replies.office_hours = hours;
        replies.pause_hours = pause_hours;
        replies.per_day = per_day;
    });
    changed.await.map_err(keep)
}

/// Changes the stored rules, whatever else somebody changes in the settings.
#[cfg(feature = "ssr")]
async fn change(act: impl FnOnce(&mut AutoReplies)) -> Result<(), AppError> {
    use domain::settings::SettingsPatch;
    let ctx = ctx()?;
    let settings = ctx.engine.settings().get(&ctx.actor).await?;
    let mut replies = settings.auto_replies;
    act(&mut replies);
    let patch =
        SettingsPatch { auto_replies: Some(replies), version: Some(settings.version), ..SettingsPatch::default() };
    ctx.engine.settings().update(&ctx.actor, patch).await.map_err(|error| {
        let mut error = AppError::from(error);
        // The forms call a field by the last part of its name.
        if let AppError::Invalid { fields, .. } = &mut error {
            for problem in fields {
                problem.field = problem.field.rsplit('.').next().unwrap_or_default().to_owned();
            }
        }
        error
    })?;
    leptos_axum::redirect(&paths::done(paths::AUTO_REPLIES, "saved"));
    Ok(())
}
