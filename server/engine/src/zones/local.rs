//! Local times and their instants: never by adding hours.

use domain::time::Timestamp;
use jiff::{
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};

/// Which one is meant of a local time that comes twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    First,
    Second,
}

/// The instant of a local time. One that is skipped by the clock is the first instant after the gap.
///
/// None at the ends of time.
#[must_use]
pub fn instant(zone: &TimeZone, local: DateTime, overlap: Overlap) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let found = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => ambiguous.compatible().ok()?,
        AmbiguousOffset::Gap { .. } => {
            let after = ambiguous.later().ok()?.checked_add(jiff::SignedDuration::from_secs(1)).ok()?;
            zone.preceding(after).next()?.timestamp()
        }
        AmbiguousOffset::Fold { .. } => match overlap {
            Overlap::First => ambiguous.earlier().ok()?,
            Overlap::Second => ambiguous.later().ok()?,
        },
    };
    Some(of_jiff(found))
}

/// The local time of an instant.
#[must_use]
pub fn civil(zone: &TimeZone, at: Timestamp) -> DateTime {
    zone.to_datetime(to_jiff(at))
}

/// Whole microseconds of both: nothing is lost.
#[must_use]
pub fn of_jiff(at: jiff::Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_microsecond())
}

/// An instant beyond the library's years is their end.
#[must_use]
pub fn to_jiff(at: Timestamp) -> jiff::Timestamp {
    let end = if at.as_micros() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zones::zone;

    fn at(name: &str, local: &str, overlap: Overlap) -> String {
        let local = local.parse().expect("a local time");
        instant(&zone(name).expect("a zone"), local, overlap).expect("an instant").to_string()
    }

    #[test]
    fn gaps_end_and_overlaps_are_told_apart() {
        for (zone, local, first, second) in [
            ("America/New_York", "2027-03-14T02:30", "2027-03-14T07:00:00Z", "2027-03-14T07:00:00Z"),
            ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"),
            ("Africa/Cairo", "2027-04-30T00:00", "2027-04-29T22:00:00Z", "2027-04-29T22:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30:00Z", "2026-10-03T15:30:00Z"),
            ("Australia/Lord_Howe", "2027-04-04T01:45", "2027-04-03T14:45:00Z", "2027-04-03T15:15:00Z"),
            ("Pacific/Apia", "2011-12-30T09:00", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"),
            ("Asia/Colombo", "2026-12-01T09:00", "2026-12-01T03:30:00Z", "2026-12-01T03:30:00Z"),
        ] {
            assert_eq!(at(zone, local, Overlap::First), first, "{zone} {local}");
            assert_eq!(at(zone, local, Overlap::Second), second, "{zone} {local}");
        }
    }
}
