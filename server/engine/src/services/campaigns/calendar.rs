//! What goes out on which day: a month of campaigns that ran and that are to run.

use std::collections::BTreeMap;

use domain::{
    campaign::{Campaign, CampaignStatus, Trigger},
    schedule::{Calendar, CalendarDay, CalendarEntry},
    time::Timestamp,
};
use jiff::{
    ToSpan as _,
    civil::{Date, DateTime, time},
    tz::TimeZone,
};
use store::schedule::Started;

use super::apart;
use crate::{
    Engine, Error, Result,
    scheduler::times::{self, Times},
    services::settings,
    zones::{self, Overlap},
};

/// Campaigns of each kind that are looked at; a month of more cannot be shown anyway.
pub(super) const CAMPAIGNS_MAX: u32 = 1_000;

/// Times of one campaign in a month: an hourly one has 744.
const TIMES_MAX: usize = 800;

/// Of a campaign that has more runs to come the last one is not looked for.
pub(super) const COUNTED_MAX: usize = 10_000;

/// How far a local time can be from the same one in UTC, either way.
const DAY: i64 = Timestamp::DAY;

/// A month by the clock of a zone: `2026-12` and `Asia/Colombo`; this month and the workspace's zone where none is given.
///
/// # Errors
/// `Invalid` for what is no month or no zone.
pub(super) async fn calendar(engine: &Engine, month: Option<&str>, timezone: Option<&str>) -> Result<Calendar> {
    let default = settings::current(engine).await?.default_timezone.clone();
    let given = timezone.map(str::trim).filter(|name| !name.is_empty()).unwrap_or(&default);
    let unknown = || Error::invalid("timezone", "Give a time zone such as Asia/Colombo.");
    let (name, zone) = (zones::zone_name(given).ok_or_else(unknown)?, zones::zone(given).ok_or_else(unknown)?);
    let today = zones::civil(&zone, engine.now()).date();
    let first = first_day(month, today)?;
    let last = first.last_of_month();
    let (from, to) = (start(&zone, first)?, start(&zone, last.tomorrow().map_err(|_| out_of_range())?)?);

    let db = engine.db().reader();
    let mut days: BTreeMap<Date, Vec<CalendarEntry>> =
        first.series(1.day()).take_while(|day| *day <= last).map(|day| (day, Vec::new())).collect();
    let name_of_month = first.strftime("%Y-%m").to_string();
    let started = store::schedule::started(db, (from, to), &name_of_month, CAMPAIGNS_MAX).await?;
    let due = store::schedule::due_between(db, from.plus(-DAY), to.plus(DAY), true, CAMPAIGNS_MAX).await?;
    let made = store::schedule::runs_made_by_all(db).await?;
    let mut truncated = [started.len(), due.len()].iter().any(|count| *count >= CAMPAIGNS_MAX as usize);
    for run in started {
        let (at, entry) = ran(run, &zone);
        put(&mut days, at, entry);
    }
    let (due, unreadable) = apart(due);
    for campaign in &due {
        let made = made.get(&campaign.id).copied().unwrap_or(0);
        let planned = planned(campaign, made, &zone, (from, to), engine.now());
        truncated |= planned.len() >= TIMES_MAX;
        for (at, entry) in planned {
            put(&mut days, at, entry);
        }
    }
    Ok(Calendar {
        month: name_of_month,
        timezone: name.to_owned(),
        today: today.to_string(),
        days: days.into_iter().map(day).collect(),
        truncated,
        unreadable,
    })
}

fn out_of_range() -> Error {
    Error::invalid("month", "Give a month such as 2026-12.")
}

fn first_day(month: Option<&str>, today: Date) -> Result<Date> {
    let Some(month) = month.map(str::trim).filter(|month| !month.is_empty()) else { return Ok(today.first_of_month()) };
    let first: Date = format!("{month}-01").parse().map_err(|_| out_of_range())?;
    // Nobody plans further, and every sum of days below stays in range.
    if month.len() == 7 && (2000..=2200).contains(&first.year()) { Ok(first) } else { Err(out_of_range()) }
}

/// When a day begins in a zone: where midnight is left out, with the first minute there is.
fn start(zone: &TimeZone, day: Date) -> Result<Timestamp> {
    zones::instant(zone, day.to_datetime(time(0, 0, 0, 0)), Overlap::First).ok_or_else(out_of_range)
}

fn put(days: &mut BTreeMap<Date, Vec<CalendarEntry>>, at: DateTime, entry: CalendarEntry) {
    if let Some(day) = days.get_mut(&at.date()) {
        day.push(entry);
    }
}

fn day((date, mut entries): (Date, Vec<CalendarEntry>)) -> CalendarDay {
    entries.sort_by(|one, other| (&one.time, &one.name).cmp(&(&other.time, &other.name)));
    CalendarDay { date: date.to_string(), weekday: date.weekday().to_monday_one_offset().unsigned_abs(), entries }
}

fn clock(at: DateTime) -> String {
    at.strftime("%H:%M").to_string()
}

/// A run that has begun: at that instant, or by everybody's own clock when it still goes by that.
fn ran(run: Started, zone: &TimeZone) -> (DateTime, CalendarEntry) {
    let times = run.trigger.as_ref().and_then(|trigger| times::read(trigger).ok());
    let local = times.and_then(|times| times.local_time(run.started_at));
    let at = local.unwrap_or_else(|| zones::civil(zone, run.started_at));
    let entry = CalendarEntry {
        campaign_id: run.campaign,
        name: run.name,
        status: run.status,
        time: clock(at),
        at: local.is_none().then_some(run.started_at),
        everywhere: local.is_some(),
        recurring: matches!(run.trigger, Some(Trigger::Cron { .. })),
        has_run: true,
    };
    (at, entry)
}

/// When a campaign that has made so many runs is still to run in that time, by the clock of the zone: one that is paused
/// once it is resumed.
fn planned(
    campaign: &Campaign,
    made: i32,
    zone: &TimeZone,
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
) -> Vec<(DateTime, CalendarEntry)> {
    let Some(next) = campaign.next_run_at else { return Vec::new() };
    let entry = |at: DateTime, instant: Option<Timestamp>| {
        let entry = CalendarEntry {
            campaign_id: campaign.id,
            name: campaign.name.clone(),
            status: campaign.status,
            time: clock(at),
            at: instant,
            everywhere: instant.is_none(),
            recurring: matches!(campaign.trigger, Trigger::Cron { .. }),
            has_run: false,
        };
        (at, entry)
    };
    // One that cannot be read any more is told where it is shown alone.
    let Ok(times) = times::read(&campaign.trigger) else { return Vec::new() };
    if let Times::Once { local: Some(local), .. } = times {
        return vec![entry(local, None)];
    }
    let all: Vec<Timestamp> = match times::runs_left(&campaign.trigger, made).filter(|left| *left <= COUNTED_MAX) {
        // Which one is the last is known by counting from the next.
        Some(left) => {
            let all = std::iter::successors(Some(next), |at| times.next(*at)).take(left);
            all.take_while(|at| *at < to).collect()
        }
        None => {
            let first = std::iter::once(next).filter(|at| *at >= from);
            first.chain(times.upcoming(next.max(from.plus(-1)), TIMES_MAX)).collect()
        }
    };
    // What came while it was paused is over, but for the one that it may catch up on.
    let stays = |at: &Timestamp| campaign.status != CampaignStatus::Paused || *at == next || *at >= now;
    let within = all.into_iter().filter(stays).skip_while(|at| *at < from).take_while(|at| *at < to).take(TIMES_MAX);
    within.map(|at| entry(zones::civil(zone, at), Some(at))).collect()
}
