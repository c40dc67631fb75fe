//! The allowed window of a local day, and its instants.

use domain::quiet::{LocalTime, QuietHours};
use jiff::{
    civil::{Date, DateTime},
    tz::TimeZone,
};

use super::spans::{Span, union};
use crate::zones::{self, Overlap};

/// Allowed from a minute of the day until another one; on the next day when that is not later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub from: u16,
    /// Up to 24:00.
    pub to: u16,
}

impl Window {
    /// `08:00` to `24:00`, as the law table has it: within one day.
    pub fn parse(from: &str, to: &str) -> Option<Self> {
        let minutes = |text: &str| match text {
            "24:00" => Some(LocalTime::DAY),
            text => text.parse().ok().map(LocalTime::minutes),
        };
        let (from, to) = (minutes(from)?, minutes(to)?);
        (from < to).then_some(Self { from, to })
    }

    /// Whether it holds a minute of its day, when it ends on that.
    pub const fn has(self, minute: u16) -> bool {
        self.from <= minute && minute < self.to
    }

    /// What quiet hours leave.
    pub const fn around(quiet: QuietHours) -> Self {
        Self { from: quiet.end.minutes(), to: quiet.start.minutes() }
    }

    /// The window that opens on a day.
    fn on(self, zone: &TimeZone, day: Date) -> Option<Span> {
        let closes_on = if self.to > self.from { day } else { day.tomorrow().ok()? };
        let open = zones::instant(zone, at(day, self.from)?, Overlap::Second)?;
        let close = zones::instant(zone, at(closes_on, self.to)?, Overlap::First)?;
        (open < close).then_some((open, close))
    }
}

fn at(day: Date, minute: u16) -> Option<DateTime> {
    if minute == LocalTime::DAY {
        return at(day.tomorrow().ok()?, 0);
    }
    Some(day.at(i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?, 0, 0))
}

/// What is allowed in a zone between two instants, by what each local day allows.
pub(super) fn spans(zone: &TimeZone, (from, to): Span, windows: impl Fn(Date) -> Vec<Window>) -> Vec<Span> {
    let mut found = Vec::new();
    // From the day before, because windows go over midnight and zones over the date line.
    let Ok(mut day) = zones::civil(zone, from).date().yesterday() else { return found };
    let Ok(last) = zones::civil(zone, to).date().tomorrow() else { return found };
    while day <= last {
        found.extend(windows(day).into_iter().filter_map(|window| window.on(zone, day)));
        match day.tomorrow() {
            Ok(next) => day = next,
            Err(_) => break,
        }
    }
    union(found.into_iter().map(|(open, close)| (open.max(from), close.min(to))).collect())
}

/// Days of the week, Monday first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Days(u8);

impl Days {
    pub fn has(self, day: Date) -> bool {
        let number = u32::from(day.weekday().to_monday_zero_offset().unsigned_abs());
        self.0 & (1 << number) != 0
    }

    /// `Sun`, or `Mon-Sat`.
    pub fn parse(text: &str) -> Option<Self> {
        const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let place = |name: &str| NAMES.iter().position(|known| *known == name);
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (place(first)?, place(last)?);
        (first <= last).then(|| Self((first..=last).fold(0, |days, day| days | (1 << day))))
    }
}
