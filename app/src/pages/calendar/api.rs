//! The calendar: what the page shows, made from the service's month.

use domain::campaign::UnreadableCampaign;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    context::{Ctx, ctx},
    text,
};
#[cfg(feature = "ssr")]
use domain::{
    problem::FieldError,
    schedule::{Calendar, CalendarDay, CalendarEntry},
};

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
    /// What is wrong with the month or the zone that was asked for: this month is shown then, or the workspace's zone.
    pub month_problem: Option<String>,
    pub zone_problem: Option<String>,
    /// Months, `2026-11` and `2027-01`.
    pub former: String,
    pub next: String,
    /// Days of the former month in the first week.
    pub lead: u8,
    pub days: Vec<DayView>,
    pub truncated: bool,
    pub unreadable: Vec<UnreadableCampaign>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DayView {
    /// Of the month.
    pub number: u8,
    /// `Thursday 24 December`
    pub name: String,
    pub is_today: bool,
    pub entries: Vec<EntryView>,
    /// Those that are shown when somebody opens them.
    pub more: Vec<EntryView>,
    /// As many have no room here at all.
    pub left: usize,
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

/// As many a day are shown at once, and as many more on demand.
#[cfg(feature = "ssr")]
const SHOWN: usize = 8;
#[cfg(feature = "ssr")]
const MORE: usize = 100;

#[server]
pub async fn load_calendar(query: CalendarQuery) -> Result<CalendarView, AppError> {
    let (month, problems) = asked(&ctx()?, &query).await?;
    let problem = |field: &str| problems.iter().find(|problem| problem.field == field).map(|one| one.message.clone());
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
        month_problem: problem("month"),
        zone_problem: problem("timezone"),
        truncated: month.truncated,
        unreadable: month.unreadable,
    })
}

/// The month that is asked for. What cannot be read is told, and left out of what is asked.
#[cfg(feature = "ssr")]
async fn asked(ctx: &Ctx, query: &CalendarQuery) -> Result<(Calendar, Vec<FieldError>), AppError> {
    let (mut month, mut zone) = (Some(&*query.month), Some(&*query.zone));
    let mut problems = Vec::new();
    // The service tells one after the other.
    loop {
        let errors = match ctx.engine.campaigns().calendar(&ctx.actor, month, zone).await {
            Ok(found) => return Ok((found, problems)),
            Err(engine::Error::Invalid(errors)) => errors,
            Err(error) => return Err(error.into()),
        };
        let is_about = |field: &str| errors.iter().any(|error| error.field == field);
        if zone.is_some() && is_about("timezone") {
            zone = None;
        } else if month.is_some() && is_about("month") {
            month = None;
        } else {
            return Err(AppError::invalid(errors));
        }
        problems.extend(errors);
    }
}

#[cfg(feature = "ssr")]
fn parts(month: &str) -> (i32, i32) {
    let (year, number) = month.split_once('-').unwrap_or_default();
    (year.parse().unwrap_or_default(), number.parse().unwrap_or(1))
}

#[cfg(feature = "ssr")]
fn day_view(day: &CalendarDay, of_month: u8, month: i32, today: &str) -> DayView {
    DayView {
        number: of_month,
        name: format!("{} {of_month} {}", text::weekday(day.weekday), text::month(month)),
        is_today: day.date == today,
        entries: day.entries.iter().take(SHOWN).map(entry_view).collect(),
        more: day.entries.iter().skip(SHOWN).take(MORE).map(entry_view).collect(),
        left: day.entries.len().saturating_sub(SHOWN + MORE),
    }
}

#[cfg(feature = "ssr")]
fn entry_view(entry: &CalendarEntry) -> EntryView {
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

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use domain::{campaign::CampaignStatus, ids::CampaignId};

    use super::*;

    #[test]
    fn what_a_day_has_no_room_for_is_not_lost() {
        let entry = |number: usize| CalendarEntry {
            campaign_id: "0199c6a1-0000-7000-8000-000000000001".parse::<CampaignId>().unwrap(),
            name: format!("Campaign {number}"),
            status: CampaignStatus::Scheduled,
            time: "09:00".to_owned(),
            at: None,
            everywhere: false,
            recurring: false,
            has_run: false,
        };
        let of = |count: usize| {
            let entries = (0..count).map(entry).collect();
            day_view(&CalendarDay { date: "2026-12-24".to_owned(), weekday: 4, entries }, 24, 12, "2026-12-24")
        };
        let counts = |view: DayView| (view.entries.len(), view.more.len(), view.left);
        assert_eq!(counts(of(8)), (8, 0, 0));
        assert_eq!(counts(of(9)), (8, 1, 0));
        assert_eq!(counts(of(120)), (8, 100, 12));
        assert_eq!(of(9).more[0].name, "Campaign 8");
    }
}
