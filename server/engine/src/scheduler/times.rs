//! When a trigger is due: instants of local times and of cron expressions (decision 25).

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use domain::{campaign::Trigger, deadline, problem::FieldError, run::EventRules, time::Timestamp, trigger_event};
use jiff::{civil::DateTime, fmt::temporal::Pieces, tz::TimeZone};

use super::ON_TIME;
use crate::zones;

/// The clock of the first place on earth is so far ahead of UTC.
const FIRST_PLACE_AHEAD: i64 = 14 * Timestamp::HOUR;

/// That of the last one is so far behind: then the last person's local time is over.
const LAST_PLACE_BEHIND: i64 = 12 * Timestamp::HOUR;

/// Nobody plans further ahead.
const YEARS_AHEAD: i64 = 10;

const EXPRESSION_MAX: usize = 100;
const COUNT_MAX: i32 = 100_000;
const FIELDS: usize = 5;

/// A trigger that was read.
pub(crate) enum Times {
    Now,
    Once {
        /// When its run begins: with `local`, where the day begins first.
        at: Timestamp,
        local: Option<DateTime>,
    },
    Cron {
        cron: Box<Cron>,
        zone: TimeZone,
        until: Option<Timestamp>,
    },
    /// Never by itself.
    Event(EventRules),
}

/// When something goes out: at an instant, or by everybody's own clock from the first place on earth to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Going {
    pub from: Timestamp,
    pub to: Timestamp,
    /// With a local time: that time as if it were of UTC.
    pub local: Option<Timestamp>,
}

impl Going {
    pub(crate) const fn at(at: Timestamp) -> Self {
        Self { from: at, to: at, local: None }
    }

    /// How long it is at least between the two for somebody: of two local times that is the same everywhere.
    pub(crate) fn apart(self, other: Self) -> i64 {
        match (self.local, other.local) {
            (Some(one), Some(other)) => one.since(other).abs(),
            _ => other.from.since(self.to).max(self.from.since(other.to)).max(0),
        }
    }
}

/// The longest that it takes a local time to come everywhere.
pub(crate) const AROUND: i64 = FIRST_PLACE_AHEAD + LAST_PLACE_BEHIND;

/// The trigger as it is stored: with the names and times as everybody writes them, and a time zone.
pub(crate) fn completed(trigger: &Trigger, default_zone: &str) -> Trigger {
    match trigger {
        Trigger::Now => Trigger::Now,
        Trigger::Once { at, local, timezone } => {
            let (at, zone) = (at.trim(), given(timezone.as_deref()));
            let written = if *local || zone.is_some() {
                civil(at).map(|at| at.to_string())
            } else {
                at.parse::<Timestamp>().ok().map(|at| at.to_string())
            };
            let timezone = zone.map(|zone| zones::zone_name(zone).unwrap_or(zone).to_owned());
            Trigger::Once { at: written.unwrap_or_else(|| at.to_owned()), local: *local, timezone }
        }
        Trigger::Cron { expression, timezone, until, count } => {
            let zone = given(timezone.as_deref()).unwrap_or(default_zone);
            Trigger::Cron {
                expression: expression.split_whitespace().collect::<Vec<_>>().join(" "),
                timezone: Some(zones::zone_name(zone).unwrap_or(zone).to_owned()),
                until: *until,
                count: *count,
            }
        }
        Trigger::Event { name, delay, debounce } => Trigger::Event {
            name: name.trim().to_owned(),
            delay: written(delay.as_deref()),
            debounce: written(debounce.as_deref()),
        },
    }
}

/// A day and a time without an offset or a zone behind it: to read them as a time of another place would be wrong by hours.
fn civil(text: &str) -> Option<DateTime> {
    let pieces = Pieces::parse(text.trim()).ok()?;
    let is_plain = pieces.offset().is_none() && pieces.time_zone_annotation().is_none();
    let at = DateTime::from_parts(pieces.date(), pieces.time()?);
    is_plain.then_some(at)
}

/// The zone that somebody has written, if any.
fn given(timezone: Option<&str>) -> Option<&str> {
    timezone.map(str::trim).filter(|name| !name.is_empty())
}

/// A duration without what surrounds it; none for nothing.
fn written(text: Option<&str>) -> Option<String> {
    text.map(|text| text.trim().to_ascii_uppercase()).filter(|text| !text.is_empty())
}

/// Reads a trigger.
///
/// # Errors
/// What is to be corrected in it, by field.
pub(crate) fn read(trigger: &Trigger) -> Result<Times, Vec<FieldError>> {
    match trigger {
        Trigger::Now => Ok(Times::Now),
        Trigger::Once { at, local, timezone } => {
            once(at, *local, given(timezone.as_deref())).map_err(|error| vec![error])
        }
        Trigger::Cron { expression, timezone, until, count } => {
            cron(expression, timezone.as_deref().unwrap_or("UTC"), *until, *count)
        }
        Trigger::Event { name, delay, debounce } => {
            event(name, delay.as_deref(), debounce.as_deref()).map(Times::Event)
        }
    }
}

fn event(name: &str, delay: Option<&str>, debounce: Option<&str>) -> Result<EventRules, Vec<FieldError>> {
    let mut errors = Vec::new();
    if !trigger_event::is_name(name) {
        let message = format!(
            "Give the event's name: letters, digits and _ . : -, at most {}, such as price_drop.",
            trigger_event::NAME_MAX
        );
        errors.push(FieldError::new("trigger.name", message));
    } else if name.starts_with(trigger_event::OWN_PREFIX) && !trigger_event::OWN_EVENTS.contains(&name) {
        let message = format!("Of those that begin with contact. there are: {}.", trigger_event::OWN_EVENTS.join(", "));
        errors.push(FieldError::new("trigger.name", message));
    }
    let mut micros = |field: &str, text: Option<&str>| {
        let Some(text) = text else { return 0 };
        deadline::duration(text).unwrap_or_else(|| {
            let message = "Give a duration such as PT30M, PT6H or P1D, or none.";
            errors.push(FieldError::new(format!("trigger.{field}"), message));
            0
        })
    };
    let (delay, debounce) = (micros("delay", delay), micros("debounce", debounce));
    if errors.is_empty() { Ok(EventRules { name: name.to_owned(), delay, debounce }) } else { Err(errors) }
}

fn once(at: &str, local: bool, timezone: Option<&str>) -> Result<Times, FieldError> {
    let wrong = |message: &str| FieldError::new("trigger.at", message);
    let (zone, needed) = match timezone {
        None if !local => {
            let needed = "Give a time with its offset, such as 2026-12-01T09:00:00+05:30, or a time zone beside it.";
            return at.parse().map(|at| Times::Once { at, local: None }).map_err(|_| wrong(needed));
        }
        None => (TimeZone::UTC, "With `local`, give a time without an offset, such as 2026-12-01T09:00."),
        Some(_) if local => {
            let message = "Leave the time zone out: with `local`, everybody's own clock counts.";
            return Err(FieldError::new("trigger.timezone", message));
        }
        Some(name) => {
            let zone = zones::zone(name).ok_or_else(unknown_zone)?;
            (zone, "With a time zone, give a time without an offset, such as 2026-12-01T09:00.")
        }
    };
    let civil = civil(at).ok_or_else(|| wrong(needed))?;
    let instant = zones::instant(&zone, civil, zones::Overlap::First).ok_or_else(|| wrong(needed))?;
    Ok(match local {
        true => Times::Once { at: instant.plus(-FIRST_PLACE_AHEAD), local: Some(civil) },
        false => Times::Once { at: instant, local: None },
    })
}

fn unknown_zone() -> FieldError {
    FieldError::new("trigger.timezone", "Give a time zone such as Asia/Colombo.")
}

fn cron(
    expression: &str,
    timezone: &str,
    until: Option<Timestamp>,
    count: Option<i32>,
) -> Result<Times, Vec<FieldError>> {
    let mut errors = Vec::new();
    let zone = zones::zone(timezone);
    if zone.is_none() {
        errors.push(unknown_zone());
    }
    if count.is_some_and(|count| !(1..=COUNT_MAX).contains(&count)) {
        let message = format!("Give a number from 1 to {COUNT_MAX}, or none for no end.");
        errors.push(FieldError::new("trigger.count", message));
    }
    let cron = parsed(expression);
    if let Err(message) = &cron {
        errors.push(FieldError::new("trigger.expression", message));
    }
    match (cron, zone) {
        (Ok(cron), Some(zone)) if errors.is_empty() => Ok(Times::Cron { cron: Box::new(cron), zone, until }),
        _ => Err(errors),
    }
}

fn parsed(expression: &str) -> Result<Cron, String> {
    let fields = expression.split_whitespace().count();
    if fields != FIELDS || expression.len() > EXPRESSION_MAX {
        return Err(format!(
            "Give five fields: minute, hour, day of the month, month, day of the week, such as 0 9 * * MON. These are \
             {fields}."
        ));
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(expression).map_err(|error| format!("This is no cron expression: {error}."))
}

/// How many times a trigger is still due that has made so many runs; none when nobody counts them.
pub(crate) fn runs_left(trigger: &Trigger, made: i32) -> Option<usize> {
    match trigger {
        Trigger::Cron { count: Some(count), .. } => Some(usize::try_from(count - made).unwrap_or(0)),
        _ => None,
    }
}

impl Times {
    /// The first instant after `after` at which it is due.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Now | Self::Event(_) => None,
            Self::Once { at, .. } => Some(*at).filter(|at| *at > after),
            Self::Cron { cron, zone, until } => {
                let from = zones::to_jiff(after).to_zoned(zone.clone());
                let next = cron.find_next_occurrence(&from, false).ok()?;
                let next = zones::of_jiff(next.timestamp());
                Some(next).filter(|next| until.is_none_or(|until| *next <= until))
            }
        }
    }

    /// The next `most` instants.
    pub(crate) fn upcoming(&self, after: Timestamp, most: usize) -> Vec<Timestamp> {
        std::iter::successors(self.next(after), |at| self.next(*at)).take(most).collect()
    }

    /// What keeps it from being scheduled at `now`.
    pub(crate) fn untimely(&self, now: Timestamp) -> Option<FieldError> {
        let far = now.plus(YEARS_AHEAD * 366 * Timestamp::DAY);
        match self {
            Self::Now | Self::Event(_) => None,
            Self::Once { at, .. } if *at > far => {
                Some(FieldError::new("trigger.at", format!("Give a time within the next {YEARS_AHEAD} years.")))
            }
            Self::Once { at, local: None } => {
                (*at <= now).then(|| FieldError::new("trigger.at", "This time is over. Give one to come."))
            }
            Self::Once { at, local: Some(_) } => {
                let over = at.plus(AROUND) <= now;
                over.then(|| FieldError::new("trigger.at", "This time is over everywhere. Give one to come."))
            }
            Self::Cron { until: Some(until), .. } if *until <= now => {
                Some(FieldError::new("trigger.until", "This time is over. Give one to come, or none for no end."))
            }
            Self::Cron { until, .. } => self.next(now).is_none_or(|next| next > far).then(|| match until {
                Some(_) => FieldError::new("trigger.until", "It is never due before this time. Give a later one."),
                None => FieldError::new("trigger.expression", "It is never due: there is no such day."),
            }),
        }
    }

    /// Whether an instant of its is over by `now` without anybody having been there. By everybody's own clock it is over
    /// when it is everywhere: until then there are people whose time is still to come.
    pub(crate) fn is_missed(&self, at: Timestamp, now: Timestamp) -> bool {
        let last = match self {
            Self::Once { at, local: Some(_) } => at.plus(AROUND),
            _ => at,
        };
        now.since(last) > ON_TIME
    }

    /// When people get it, of a run that begins at this instant.
    pub(crate) fn going(&self, begins: Timestamp) -> Going {
        match self {
            Self::Once { at, local: Some(_) } => {
                let from = begins.max(*at);
                Going { from, to: from.max(at.plus(AROUND)), local: Some(at.plus(FIRST_PLACE_AHEAD)) }
            }
            _ => Going::at(begins),
        }
    }

    /// The local time of a run that began at this instant, where people got it by their own clocks: not where it was made up
    /// for when that time was over everywhere.
    pub(crate) fn local_time(&self, began: Timestamp) -> Option<DateTime> {
        match self {
            Self::Once { at, local: Some(local) } => (began <= at.plus(AROUND)).then_some(*local),
            _ => None,
        }
    }

    /// When it is due first once it is scheduled at `now`.
    pub(crate) fn first(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            // Where the day has begun already it is sent by everybody's own clock.
            Self::Once { at, local: Some(_) } => Some((*at).max(now)),
            _ => self.next(now),
        }
    }
}

#[cfg(test)]
mod tests;
