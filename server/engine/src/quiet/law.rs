//! The law table (server/engine/data/law.txt): data, never code.

use std::sync::LazyLock;

use domain::{phone::Phone, quiet::LawLine};
use jiff::{civil::Date, tz::TimeZone};

use super::{
    holidays::Holidays,
    window::{Days, Window},
};
use crate::zones::{self, Source, Zones};

/// The table's version: the day on which it was read together.
pub const PACK: &str = "2026-11-23";

const TABLE: &str = include_str!("../../data/law.txt");

/// Where a person is, as far as law is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// Of the number, and of the zone that the person is said to be in.
    countries: [Option<&'static str>; 2],
    /// Of the area code: a presumption that the laws themselves make.
    states: &'static [&'static str],
}

impl Place {
    /// Where a person is: by the number and its country, and by the zone where that is said.
    #[must_use]
    pub fn of(phone: &Phone, country: Option<&str>, zones: &Zones) -> Self {
        let known = |code: &str| RULES.countries.iter().find(|known| **known == code).copied();
        let by_number = country.map(|code| known(code).unwrap_or(OTHER));
        let said = zones.names().first().filter(|_| zones.source() == Source::Timezone);
        let by_zone = said.and_then(|zone| zones::country_of(zone)).map(|code| known(code).unwrap_or(OTHER));
        let states = if matches!(by_number, Some("US" | "CA")) { zones::states_of(phone) } else { &[] };
        Self { countries: [by_number.or(by_zone).or(Some(OTHER)), by_zone], states }
    }
}

/// The line for all countries that have none of their own.
const OTHER: &str = "**";
const EVERYWHERE: &str = "*";
const NOT_KNOWN: &str = "?";

/// Lines that add up: those of one place and one clock.
#[derive(Debug)]
pub(super) struct Group {
    country: &'static str,
    subdivision: &'static str,
    /// Instead of the recipient's own.
    pub zone: Option<TimeZone>,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    days: Days,
    window: Window,
    holidays: bool,
    valid_from: Option<Date>,
    valid_to: Option<Date>,
}

struct Rules {
    groups: Vec<Group>,
    countries: Vec<&'static str>,
}

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let mut groups: Vec<Group> = Vec::new();
    for fields in table() {
        let [country, subdivisions, days, from, to, zone, holidays, valid_from, valid_to, ..] = fields;
        // The table is ours; its test reads every line.
        let window = minutes(from).zip(minutes(to)).map(|(from, to)| Window { from, to });
        let rule = |days, window| Rule {
            days,
            window,
            holidays: holidays == "yes",
            valid_from: valid_from.parse().ok(),
            valid_to: valid_to.parse().ok(),
        };
        for subdivision in subdivisions.split(',') {
            let zone = (!zone.is_empty()).then(|| zones::zone(zone)).flatten();
            let same =
                |group: &&mut Group| group.country == country && group.subdivision == subdivision && group.zone == zone;
            let rules = Days::parse(days).zip(window).map(|(days, window)| rule(days, window));
            match groups.iter_mut().find(same) {
                Some(group) => group.rules.extend(rules),
                None => groups.push(Group { country, subdivision, zone, rules: rules.into_iter().collect() }),
            }
        }
    }
    let mut countries: Vec<&str> = groups.iter().map(|group| group.country).collect();
    countries.sort_unstable();
    countries.dedup();
    Rules { groups, countries }
});

fn table() -> impl Iterator<Item = [&'static str; 12]> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split('|').collect::<Vec<_>>().try_into().ok())
}

fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    Some(hour.parse::<u16>().ok()? * 60 + minute.parse::<u16>().ok()?)
}

impl Group {
    /// What the group allows on a local day.
    pub fn on(&self, day: Date, holidays: &Holidays) -> Vec<Window> {
        let mut in_force = self.rules.iter().filter(|rule| rule.is_in_force(day)).peekable();
        if in_force.peek().is_none() {
            // Not yet, or no longer, a rule: nothing is forbidden.
            return vec![Window { from: 0, to: domain::quiet::LocalTime::DAY }];
        }
        let open = in_force.filter(|rule| rule.days.has(day) && !(rule.holidays && holidays.has(self.country, day)));
        open.map(|rule| rule.window).collect()
    }
}

impl Rule {
    fn is_in_force(&self, day: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= day) && self.valid_to.is_none_or(|to| day < to)
    }
}

/// The groups that all have to allow a message to somebody there.
pub(super) fn binding(place: Place) -> impl Iterator<Item = &'static Group> {
    RULES.groups.iter().filter(move |group| {
        place.countries.contains(&Some(group.country))
            && match group.subdivision {
                EVERYWHERE => true,
                NOT_KNOWN => place.states.is_empty(),
                state => place.states.contains(&state),
            }
    })
}

/// Whether no line of the table allows a minute that is not quiet.
pub(super) fn never_beside(is_quiet: impl Fn(u16) -> bool) -> bool {
    let mut windows = RULES.groups.iter().flat_map(|group| &group.rules).map(|rule| rule.window);
    // Lines that only close days allow every minute of the others, and are no answer.
    !windows.any(|window| window.from > 0 && (window.from..window.to).any(|minute| !is_quiet(minute)))
}

/// The table, for showing.
#[must_use]
pub fn lines() -> Vec<LawLine> {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    table()
        .map(
            |[
                country,
                subdivision,
                days,
                from,
                to,
                zone,
                holidays,
                valid_from,
                valid_to,
                basis,
                confidence,
                source,
            ]| {
                LawLine {
                    country: country.to_owned(),
                    subdivision: subdivision.to_owned(),
                    days: days.to_owned(),
                    from: from.to_owned(),
                    to: to.to_owned(),
                    zone: given(zone),
                    holidays: holidays == "yes",
                    valid_from: given(valid_from),
                    valid_to: given(valid_to),
                    basis: basis.to_owned(),
                    confidence: confidence.to_owned(),
                    source: source.to_owned(),
                }
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        let written: Vec<&str> = TABLE.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines().len(), written.len(), "a line has not twelve fields");
        assert!(TABLE.contains(&format!("# pack {PACK}\n")));
        for line in lines() {
            assert!(Days::parse(&line.days).is_some(), "{line:?}");
            let (from, to) = (minutes(&line.from).expect("a time"), minutes(&line.to).expect("a time"));
            assert!(from < to && to <= 24 * 60, "{line:?}");
            assert!(line.zone.as_deref().is_none_or(|zone| zones::zone(zone).is_some()), "{line:?}");
            for date in [&line.valid_from, &line.valid_to].into_iter().flatten() {
                assert!(date.parse::<Date>().is_ok(), "{line:?}");
            }
            assert!(["law", "practice", "policy"].contains(&line.basis.as_str()), "{line:?}");
            assert!(["high", "medium", "low"].contains(&line.confidence.as_str()), "{line:?}");
            assert!(!line.source.is_empty(), "{line:?}");
        }
    }
}
