//! Whether the zones in use know of the changes that older databases get wrong: they would message people in the night.

use jiff::tz::TimeZone;

use super::zone;

/// Zone, instant (seconds since 1970), and its offset from UTC in hours. British Columbia, Alberta, Manitoba and Morocco
/// changed their clocks in 2026.
const KNOWN: [(&str, i64, i32); 4] = [
    ("America/Vancouver", 1_796_137_200, -7),
    ("America/Edmonton", 1_796_133_600, -6),
    ("America/Winnipeg", 1_796_130_000, -5),
    ("Africa/Casablanca", 1_795_419_000, 0),
];

/// The zones of which the database in use is known to be wrong. Empty is well.
#[must_use]
pub fn stale() -> Vec<&'static str> {
    wrong(zone)
}

fn wrong(zone: impl Fn(&str) -> Option<TimeZone>) -> Vec<&'static str> {
    let is_right = |name: &str, at: i64, hours: i32| {
        let at = jiff::Timestamp::from_second(at).ok()?;
        Some(zone(name)?.to_offset(at).seconds() == hours * 3_600)
    };
    KNOWN.iter().filter(|(name, at, hours)| is_right(name, *at, *hours) != Some(true)).map(|known| known.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zones_in_use_are_current() {
        assert_eq!(stale(), Vec::<&str>::new());
    }

    #[test]
    fn the_instants_are_those_meant() {
        let texts = ["2026-12-01T15:00:00Z", "2026-12-01T14:00:00Z", "2026-12-01T13:00:00Z", "2026-11-23T07:30:00Z"];
        for ((name, at, _), text) in KNOWN.iter().zip(texts) {
            assert_eq!(jiff::Timestamp::from_second(*at).expect("an instant").to_string(), text, "{name}");
        }
    }

    /// The rules of 2025b for these zones, as POSIX texts.
    #[test]
    fn an_old_database_is_noticed() {
        let old = |name: &str| {
            TimeZone::posix(match name {
                "America/Vancouver" => "PST8PDT,M3.2.0,M11.1.0",
                "America/Edmonton" => "MST7MDT,M3.2.0,M11.1.0",
                "America/Winnipeg" => "CST6CDT,M3.2.0,M11.1.0",
                _ => "<+01>-1",
            })
            .ok()
        };
        assert_eq!(wrong(old).len(), KNOWN.len());
        assert_eq!(wrong(|_| None).len(), KNOWN.len(), "and a missing one");
    }
}
