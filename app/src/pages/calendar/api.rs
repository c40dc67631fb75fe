//! The calendar: what the page shows, made from the service's month.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{context::ctx, text};

/// What the URL says: both may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarQuery {
    #[serde(default)]
    pub month: String,
    #[serde(default)]
    pub zone: String,
}

/// A month, ready to be shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CalendarView {
    /// `December 2026`
    pub title: String,
    pub zone: String,
    /// Months, `2026-11` and `2027-01`.
    pub former: String,
    pub next: String,
    /// Days of the former month in the first week.
    pub lead: u8,
    pub days: Vec<DayView>,
    pub truncated: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DayView {
    /// Of the month.
    pub number: u8,
    /// `Thursday 24 December`
    pub name: String,
    pub is_today: bool,
    pub entries: Vec<EntryView>,
    /// Those that are not shown.
    pub more: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EntryView {
    pub id: String,
    pub name: String,
    pub time: String,
    /// For the style sheet: `ran`, `due`, `paused`.
    pub kind: String,
    /// What else is to be known: `everyone's own clock · repeats · Scheduled`.
    pub words: String,
}

/// As many a day are shown.
#[cfg(feature = "ssr")]
const SHOWN: usize = 8;

#[server]
pub async fn load_calendar(query: CalendarQuery) -> Result<CalendarView, AppError> {
    let ctx = ctx()?;
    let month = ctx.engine.campaigns().calendar(&ctx.actor, Some(&query.month), Some(&query.zone)).await;
    let month = month.map_err(|error| AppError::from(error).keep(&[("zone", &query.zone)]))?;
    let (year, number) = parts(&month.month);
    let step = |months: i32| {
        let all = year * 12 + number - 1 + months;
        format!("{:04}-{:02}", all.div_euclid(12), all.rem_euclid(12) + 1)
    };
    Ok(CalendarView {
        title: format!("{} {year}", text::month(number)),
        former: step(-1),
        next: step(1),
        lead: month.days.first().map_or(0, |day| day.weekday - 1),
        days: month.days.iter().zip(1..).map(|(day, of_month)| day_view(day, of_month, number, &month.today)).collect(),
        zone: month.timezone,
        truncated: month.truncated,
    })
}

#[cfg(feature = "ssr")]
fn parts(month: &str) -> (i32, i32) {
    let (year, number) = month.split_once('-').unwrap_or_default();
    (year.parse().unwrap_or_default(), number.parse().unwrap_or(1))
}

#[cfg(feature = "ssr")]
fn day_view(day: &domain::schedule::CalendarDay, of_month: u8, month: i32, today: &str) -> DayView {
    let hidden = day.entries.len().saturating_sub(SHOWN);
    DayView {
        number: of_month,
        name: format!("{} {of_month} {}", text::weekday(day.weekday), text::month(month)),
        is_today: day.date == today,
        entries: day.entries.iter().take(SHOWN).map(entry_view).collect(),
        more: if hidden > 0 { format!("and {hidden} more") } else { String::new() },
    }
}

#[cfg(feature = "ssr")]
fn entry_view(entry: &domain::schedule::CalendarEntry) -> EntryView {
    let status = crate::components::Label::from(entry.status).text;
    let (kind, what) = match (entry.has_run, entry.status) {
        (true, _) => ("ran", "began"),
        (false, domain::campaign::CampaignStatus::Paused) => ("paused", "is due once it is resumed"),
        (false, _) => ("due", "is due"),
    };
    let words = [
        entry.everywhere.then_some("everyone's own clock"),
        entry.recurring.then_some("repeats"),
        Some(what),
        Some(&*status),
    ];
    EntryView {
        id: entry.campaign_id.to_string(),
        name: entry.name.clone(),
        time: entry.time.clone(),
        kind: kind.to_owned(),
        words: words.into_iter().flatten().collect::<Vec<_>>().join(" · "),
    }
}
