//! Quiet hours, limits and holidays: adapters between the page and the service.

#![expect(clippy::too_many_arguments, reason = "a server function takes the fields of its form")]

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
    /// Where nobody can get marketing by these hours and the law.
    pub closed_places: Vec<String>,
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
        closed_places: settings.closed_places,
        caps: lines::write_caps(&settings.frequency_caps),
        unreachable_days: settings.unreachable_days,
        holidays: lines::write_holidays(&settings.holidays),
        law: ctx.engine.settings().law(&ctx.actor).await?,
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

/// A line of the law table: a new one, or the one with this number.
#[server]
pub async fn save_law_line(
    version: i64,
    #[server(default)] line: String,
    #[server(default)] country: String,
    #[server(default)] subdivision: String,
    #[server(default)] first_day: String,
    #[server(default)] last_day: String,
    #[server(default)] from: String,
    #[server(default)] to: String,
    #[server(default)] not_on_holidays: bool,
    #[server(default)] valid_from: String,
    #[server(default)] valid_to: String,
    #[server(default)] source: String,
    #[server(default)] read_on: String,
) -> Result<(), AppError> {
    use domain::quiet::OwnLawLine;
    let ctx = ctx()?;
    let typed = [
        ("country", &*country),
        ("subdivision", &*subdivision),
        ("first_day", &*first_day),
        ("last_day", &*last_day),
        ("from", &*from),
        ("to", &*to),
        ("not_on_holidays", if not_on_holidays { "true" } else { "" }),
        ("valid_from", &*valid_from),
        ("valid_to", &*valid_to),
        ("source", &*source),
        ("read_on", &*read_on),
    ];
    let states = subdivision.split(',').map(|code| code.trim().to_ascii_uppercase()).collect::<Vec<_>>().join(",");
    let day = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let written = OwnLawLine {
        country: country.trim().to_ascii_uppercase(),
        subdivision: if states.is_empty() { "*".to_owned() } else { states },
        days: if first_day == last_day { first_day.clone() } else { format!("{first_day}-{last_day}") },
        from: from.trim().to_owned(),
        to: to.trim().to_owned(),
        holidays: not_on_holidays,
        valid_from: day(&valid_from),
        valid_to: day(&valid_to),
        source: source.trim().to_owned(),
        read_on: read_on.trim().to_owned(),
    };
    let mut lines = ctx.engine.settings().get(&ctx.actor).await?.law_lines;
    let index = line.parse::<usize>().map_or(lines.len(), |number| number.saturating_sub(1));
    match lines.get_mut(index) {
        Some(line) => *line = written,
        None => lines.push(written),
    }
    save_law_lines(&ctx, version, lines).await.map_err(|error| of_one_line(error, index).keep(&typed))
}

/// Takes the line with this number out.
#[server]
pub async fn remove_law_line(version: i64, line: usize) -> Result<(), AppError> {
    let ctx = ctx()?;
    let lines = ctx.engine.settings().get(&ctx.actor).await?.law_lines;
    let kept = lines.into_iter().enumerate().filter(|(index, _)| index + 1 != line).map(|(_, line)| line).collect();
    save_law_lines(&ctx, version, kept).await
}

#[cfg(feature = "ssr")]
async fn save_law_lines(ctx: &Ctx, version: i64, lines: Vec<domain::quiet::OwnLawLine>) -> Result<(), AppError> {
    // Lines have numbers here: what was read at another version may have others.
    save(ctx, SettingsPatch { law_lines: Some(lines), version: Some(version), ..SettingsPatch::default() }).await
}

/// The errors of the line in the form, by the names of its fields; else all of them, where its hours stand.
#[cfg(feature = "ssr")]
fn of_one_line(mut error: AppError, index: usize) -> AppError {
    if let AppError::Invalid { fields, .. } = &mut error {
        let own = format!("law_lines[{index}].");
        if fields.iter().any(|field| field.field.starts_with(&own)) {
            fields.retain(|field| field.field.starts_with(&own));
        }
        for field in fields {
            field.field = match field.field.strip_prefix(&own) {
                Some("days") => "last_day".to_owned(),
                Some("holidays") => "not_on_holidays".to_owned(),
                Some(name) => name.to_owned(),
                None => "from".to_owned(),
            };
        }
    }
    error
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
