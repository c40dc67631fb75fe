//! The law table (server/engine/data/law.txt), and the lines that the workspace adds: data, never code.

use std::{collections::BTreeSet, fmt, sync::LazyLock};

use domain::{
    phone::Phone,
    quiet::{LawLine, LocalTime, OwnLawLine, QuietHours},
};
use jiff::{ToSpan as _, civil::Date, tz::TimeZone};

use super::{
    holidays::Holidays,
    window::{Days, Window},
};
use crate::zones::{self, Source, Zones};

/// The table's version: the day on which it was read together.
pub const PACK: &str = "2026-11-23";

const TABLE: &str = include_str!("../../data/law.txt");

/// Two letters of ISO 3166.
type Code = [u8; 2];

/// Where a person is, as far as law is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// Of the number, and of the zone that the person is said to be in.
    countries: [Option<Code>; 2],
    /// One of them has no line in the table, or none is known.
    is_other: bool,
    /// Of the area code: a presumption that the laws themselves make.
    states: &'static [&'static str],
}

impl Place {
    /// Where a person is: by the number and its country, and by the zone where that is said.
    #[must_use]
    pub fn of(phone: &Phone, country: Option<&str>, zones: &Zones) -> Self {
        let said = zones.names().first().filter(|_| zones.source() == Source::Timezone);
        let countries = [country, said.and_then(|zone| zones::country_of(zone))];
        let mut named = countries.into_iter().flatten().peekable();
        let is_other = named.peek().is_none() || named.any(|code| !RULES.countries.contains(&code));
        let states = if matches!(country, Some("US" | "CA")) { zones::states_of(phone) } else { &[] };
        Self { countries: countries.map(|code| code.and_then(letters)), is_other, states }
    }

    /// Those that have no line of their own in the table.
    fn others(&self) -> impl Iterator<Item = &str> {
        let named = self.countries.iter().flatten().filter_map(|code| std::str::from_utf8(code).ok());
        named.filter(|code| !RULES.countries.contains(code))
    }

    fn is_in(self, country: &str) -> bool {
        if country == OTHER {
            self.is_other
        } else {
            letters(country).is_some_and(|code| self.countries.contains(&Some(code)))
        }
    }
}

/// `US (FL)`: the countries, and the states of the area code.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.countries.iter().flatten().filter_map(|code| std::str::from_utf8(code).ok());
        let countries: BTreeSet<&str> = named.collect();
        if countries.is_empty() {
            return f.write_str("an unknown place");
        }
        f.write_str(&countries.into_iter().collect::<Vec<_>>().join(", "))?;
        if self.states.is_empty() { Ok(()) } else { write!(f, " ({})", self.states.join(", ")) }
    }
}

fn letters(code: &str) -> Option<Code> {
    code.as_bytes().try_into().ok()
}

/// The line for all countries that have none of their own.
pub(crate) const OTHER: &str = "**";
pub(crate) const EVERYWHERE: &str = "*";
pub(crate) const NOT_KNOWN: &str = "?";

/// Lines that add up: those of one place and one clock.
#[derive(Debug)]
pub(super) struct Group {
    country: String,
    subdivision: String,
    /// Instead of the recipient's own.
    pub zone: Option<TimeZone>,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    days: Days,
    window: Window,
    holidays: bool,
    /// The first day, and the last one.
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
        let Some((days, window)) = Days::parse(days).zip(Window::parse(from, to)) else { continue };
        let zone = (!zone.is_empty()).then(|| zones::zone(zone)).flatten();
        let rule = || Rule {
            days,
            window,
            holidays: holidays == "yes",
            valid_from: valid_from.parse().ok(),
            valid_to: valid_to.parse().ok(),
        };
        add(&mut groups, (country, subdivisions), zone.as_ref(), rule);
    }
    let mut countries: Vec<&str> = table().map(|[country, ..]| country).collect();
    countries.sort_unstable();
    countries.dedup();
    Rules { groups, countries }
});

fn add(
    groups: &mut Vec<Group>,
    (country, subdivisions): (&str, &str),
    zone: Option<&TimeZone>,
    rule: impl Fn() -> Rule,
) {
    for subdivision in subdivisions.split(',') {
        let same = |group: &&mut Group| {
            group.country == country && group.subdivision == subdivision && group.zone.as_ref() == zone
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.rules.push(rule()),
            None => groups.push(Group {
                country: country.to_owned(),
                subdivision: subdivision.to_owned(),
                zone: zone.cloned(),
                rules: vec![rule()],
            }),
        }
    }
}

/// The lines that the workspace added, read. What cannot be read was refused when it was typed.
pub(super) fn groups_of(own: &[OwnLawLine]) -> Vec<Group> {
    let mut groups = Vec::new();
    for line in own {
        let Some((days, window)) = Days::parse(&line.days).zip(Window::parse(&line.from, &line.to)) else { continue };
        let rule = || Rule {
            days,
            window,
            holidays: line.holidays,
            valid_from: day_of(line.valid_from.as_deref()),
            valid_to: day_of(line.valid_to.as_deref()),
        };
        add(&mut groups, (&line.country, &line.subdivision), None, rule);
    }
    groups
}

fn day_of(text: Option<&str>) -> Option<Date> {
    text.and_then(|text| text.parse().ok())
}

fn table() -> impl Iterator<Item = [&'static str; 12]> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split('|').collect::<Vec<_>>().try_into().ok())
}

impl Group {
    /// Whether it speaks of somebody there.
    fn binds(&self, place: Place) -> bool {
        place.is_in(&self.country) && in_subdivision(&self.subdivision, place.states)
    }

    /// What the group allows somebody at that place on a local day.
    pub fn on(&self, day: Date, place: &Place, holidays: &Holidays) -> Vec<Window> {
        let mut in_force = self.rules.iter().filter(|rule| rule.is_in_force(day)).peekable();
        if in_force.peek().is_none() {
            // Not yet, or no longer, a rule: nothing is forbidden.
            return vec![Window { from: 0, to: LocalTime::DAY }];
        }
        let is_holiday = || self.countries(place).any(|country| holidays.has(country, day));
        let open = in_force.filter(|rule| rule.days.has(day) && !(rule.holidays && is_holiday()));
        open.map(|rule| rule.window).collect()
    }

    /// Whose holidays it keeps: the line for all others those of the person's own country.
    fn countries<'a>(&'a self, place: &'a Place) -> impl Iterator<Item = &'a str> {
        let is_other = self.country == OTHER;
        let own = (!is_other).then_some(&*self.country);
        own.into_iter().chain(place.others().filter(move |_| is_other))
    }
}

impl Rule {
    fn is_in_force(&self, day: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= day) && self.valid_to.is_none_or(|to| day <= to)
    }
}

fn in_subdivision(subdivision: &str, states: &[&str]) -> bool {
    match subdivision {
        EVERYWHERE => true,
        NOT_KNOWN => states.is_empty(),
        state => states.contains(&state),
    }
}

/// The groups that all have to allow a message to somebody there: the table's, and the workspace's own beside them.
pub(super) fn binding(own: &[Group], place: Place) -> impl Iterator<Item = &Group> {
    RULES.groups.iter().chain(own).filter(move |group| group.binds(place))
}

/// The lines that the workspace added and that bind somebody there.
pub(super) fn own_binding(own: &[OwnLawLine], place: Place) -> impl Iterator<Item = &OwnLawLine> {
    own.iter().filter(move |line| place.is_in(&line.country) && speaks_of(line, place.states))
}

/// The days, from this one on, on which a line holds and on which one of its country begins or ended the day before: what
/// is left from then on is another question than what was left before.
pub(crate) fn turns(line: &OwnLawLine, all: &[OwnLawLine], from: Date) -> BTreeSet<Date> {
    let own = groups_of(all);
    let rules = || beside(line, &own).flat_map(|group| &group.rules);
    let begin = rules().filter_map(|rule| rule.valid_from);
    let over = rules().filter_map(|rule| rule.valid_to?.tomorrow().ok());
    let holds = |day: &Date| {
        let (first, last) = (day_of(line.valid_from.as_deref()), day_of(line.valid_to.as_deref()));
        first.is_none_or(|first| first <= *day) && last.is_none_or(|last| *day <= last)
    };
    std::iter::once(from).chain(begin).chain(over).filter(|day| from <= *day && holds(day)).collect()
}

/// The groups that can bind where a line does.
fn beside<'a>(line: &'a OwnLawLine, own: &'a [Group]) -> impl Iterator<Item = &'a Group> {
    // A country that only the workspace has lines for is bound by those for all others, too.
    let is_other = !RULES.countries.contains(&line.country.as_str());
    let here = move |group: &&Group| group.country == line.country || (is_other && group.country == OTHER);
    RULES.groups.iter().chain(own).filter(here)
}

/// The places that a line speaks of, and where the table, all of these lines and the quiet hours leave no minute of the
/// seven days from this one on. A clock other than the recipient's is taken for theirs.
pub(crate) fn closed_by(line: &OwnLawLine, all: &[OwnLawLine], quiet: &[QuietHours], from: Date) -> Vec<String> {
    let own = groups_of(all);
    let here = Country::of(&line.country, &own);
    let spoken_of = here.places().into_iter().filter(|state| speaks_of(line, state.as_slice()));
    let open = open_minutes(quiet);
    spoken_of.filter(|state| here.is_closed(*state, &open, from)).map(|state| here.named(state)).collect()
}

/// The places of the table and of these lines where they leave no minute beside the quiet hours, as [`closed_by`] looks: all
/// countries without a line first, and a country by itself where all of it is closed.
pub(super) fn closed_places(all: &[OwnLawLine], quiet: &[QuietHours], from: Date) -> Vec<String> {
    let own = groups_of(all);
    let mut countries: Vec<&str> = RULES.countries.clone();
    countries.extend(own.iter().map(|group| group.country.as_str()));
    countries.sort_unstable_by_key(|country| (*country != OTHER, *country));
    countries.dedup();
    let open = open_minutes(quiet);
    let of_country = |country: &str| {
        let here = Country::of(country, &own);
        // What binds a state without lines binds all of them.
        if here.is_closed(Some(NO_STATE), &open, from) {
            return vec![here.named(None)];
        }
        let closed = here.places().into_iter().filter(|state| here.is_closed(*state, &open, from));
        let named = |state: Option<&str>| match state {
            Some(_) => here.named(state),
            None => format!("{country} where the state is not known"),
        };
        closed.map(named).collect()
    };
    countries.into_iter().flat_map(of_country).collect()
}

/// Stands for all states that no line speaks of.
const NO_STATE: &str = "";

/// The minutes of a day that no quiet hours hold.
fn open_minutes(quiet: &[QuietHours]) -> Vec<u16> {
    (0..LocalTime::DAY).filter(|minute| !quiet.iter().any(|quiet| quiet.holds(*minute))).collect()
}

/// The groups that speak of a country.
struct Country<'a> {
    code: &'a str,
    groups: Vec<&'a Group>,
}

impl<'a> Country<'a> {
    fn of(code: &'a str, own: &'a [Group]) -> Self {
        // A country that only the workspace has lines for is bound by those for all others, too.
        let is_other = !RULES.countries.contains(&code);
        let here = |group: &&Group| group.country == code || (is_other && group.country == OTHER);
        Self { code, groups: RULES.groups.iter().chain(own).filter(here).collect() }
    }

    /// Where the state is not known, then the states that lines speak of.
    fn places(&self) -> Vec<Option<&'a str>> {
        let mut states: BTreeSet<&str> = self.groups.iter().map(|group| group.subdivision.as_str()).collect();
        states.retain(|state| *state != EVERYWHERE && *state != NOT_KNOWN);
        std::iter::once(None).chain(states.into_iter().map(Some)).collect()
    }

    /// Whether none of these minutes is allowed on any of the seven days from this one on.
    fn is_closed(&self, state: Option<&str>, open: &[u16], from: Date) -> bool {
        let binding = || self.groups.iter().filter(|group| in_subdivision(&group.subdivision, state.as_slice()));
        let days = from.series(1.day()).take(7);
        !days.into_iter().any(|day| {
            let at = Place::default();
            let windows: Vec<_> = binding().map(|group| group.on(day, &at, &Holidays::default())).collect();
            let is_open = |minute| windows.iter().all(|open| open.iter().any(|window| window.has(minute)));
            open.iter().any(|minute| is_open(*minute))
        })
    }

    fn named(&self, state: Option<&str>) -> String {
        match state {
            Some(state) => format!("{}-{state}", self.code),
            None if self.code == OTHER => "countries without a line".to_owned(),
            None => self.code.to_owned(),
        }
    }
}

/// Of these countries those that no line keeps holidays for, in the table or among the workspace's own.
pub(super) fn without_holidays<'a>(countries: impl Iterator<Item = &'a str>, own: &[OwnLawLine]) -> BTreeSet<&'a str> {
    let own = groups_of(own);
    let kept: BTreeSet<&str> = RULES
        .groups
        .iter()
        .chain(&own)
        .filter(|group| group.rules.iter().any(|rule| rule.holidays))
        .map(|group| group.country.as_str())
        .collect();
    let is_kept =
        |country: &str| kept.contains(country) || (kept.contains(OTHER) && !RULES.countries.contains(&country));
    countries.filter(|country| !is_kept(country)).collect()
}

/// Whether these are days as the table has them: `Sun`, `Mon-Sat`.
pub(crate) fn is_days(text: &str) -> bool {
    Days::parse(text).is_some()
}

/// Whether these are hours as the table has them: `08:00` to `24:00`, within one day.
pub(crate) fn is_window(from: &str, to: &str) -> bool {
    Window::parse(from, to).is_some()
}

fn speaks_of(line: &OwnLawLine, states: &[&str]) -> bool {
    line.subdivision.split(',').any(|part| in_subdivision(part, states))
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
                    read_on: PACK.to_owned(),
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
            assert!(Window::parse(&line.from, &line.to).is_some(), "{line:?}");
            assert!(line.zone.as_deref().is_none_or(|zone| zones::zone(zone).is_some()), "{line:?}");
            for date in [&line.valid_from, &line.valid_to].into_iter().flatten() {
                assert!(date.parse::<Date>().is_ok(), "{line:?}");
            }
            assert!(["law", "practice", "policy"].contains(&line.basis.as_str()), "{line:?}");
            assert!(["high", "medium", "low"].contains(&line.confidence.as_str()), "{line:?}");
            assert!(!line.source.is_empty(), "{line:?}");
        }
    }

    #[test]
    fn places_that_hours_leave_no_time_are_named() {
        let hours = |start: &str, end: &str| QuietHours { start: start.parse().unwrap(), end: end.parse().unwrap() };
        let closed = |quiet: QuietHours| closed_places(&[], &[quiet], "2026-12-02".parse().expect("a day"));
        assert_eq!(closed(hours("20:00", "09:00")), ["US-ME"; 0], "by day there is time everywhere");
        let evening = closed(hours("21:00", "20:00"));
        assert_eq!(evening.first().map(String::as_str), Some("countries without a line"));
        let has = |place: &str| evening.iter().any(|one| one == place);
        assert!(has("GB") && has("US where the state is not known") && has("US-FL"), "{evening:?}");
        assert!(!has("US") && !has("US-KY") && !has("FR") && !has("IN"), "{evening:?}");
        let night = closed(hours("22:00", "21:30"));
        assert!(night.iter().any(|one| one == "US") && !night.iter().any(|one| one.starts_with("US-")), "{night:?}");
    }

    #[test]
    fn lines_of_the_workspace_only_narrow() {
        let line = |country: &str, subdivision: &str, days: &str, (from, to): (&str, &str)| OwnLawLine {
            country: country.to_owned(),
            subdivision: subdivision.to_owned(),
            days: days.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            holidays: false,
            valid_from: None,
            valid_to: None,
            source: "Act 5".to_owned(),
            read_on: "2026-11-23".to_owned(),
        };
        let own = [
            line("LK", "*", "Mon-Fri", ("10:00", "24:00")),
            line("US", "FL,GA", "Mon-Sun", ("00:00", "24:00")),
            line("US", "?", "Mon-Sun", ("10:00", "21:00")),
        ];
        // What is allowed on Wednesday and on Saturday, by the groups that bind: in minutes from and to.
        let open = |own: &[OwnLawLine], phone: &str, country: &str| {
            let phone: Phone = phone.parse().expect("a phone");
            let place = Place::of(&phone, Some(country), &zones::zones_of(&phone, None));
            let own = groups_of(own);
            ["2026-12-02", "2026-12-05"].map(|day| {
                let day = day.parse().expect("a day");
                let windows: Vec<_> =
                    binding(&own, place).map(|group| group.on(day, &place, &Holidays::default())).collect();
                let is_open = |minute: &u16| windows.iter().all(|open| open.iter().any(|window| window.has(*minute)));
                let minutes: Vec<_> = (0..LocalTime::DAY).filter(is_open).collect();
                minutes.first().copied().zip(minutes.last().map(|last| last + 1))
            })
        };
        let hours = |from: u16, to: u16| Some((from * 60, to * 60));
        assert_eq!(open(&[], "+94771234567", "LK"), [hours(9, 20), hours(9, 20)]);
        assert_eq!(open(&own, "+94771234567", "LK"), [hours(10, 20), None], "the table closes, the line opens");
        assert_eq!(open(&own, "+33612345673", "FR"), open(&[], "+33612345673", "FR"));
        assert_eq!(open(&own, "+13055550100", "US"), [hours(8, 20), hours(8, 20)], "Florida's own hours stay");
        assert_eq!(open(&own, "+18005550100", "US"), [hours(10, 20), hours(10, 20)], "toll-free: no state");
        let named = |phone: &str, country: &str| {
            let phone: Phone = phone.parse().expect("a phone");
            let place = Place::of(&phone, Some(country), &zones::zones_of(&phone, None));
            own_binding(&own, place).map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(named("+94771234567", "LK"), ["LK Mon-Fri 10:00–24:00 (Act 5, read 2026-11-23)"]);
        assert_eq!(named("+14045550100", "US"), ["US FL,GA Mon-Sun 00:00–24:00 (Act 5, read 2026-11-23)"]);
        assert_eq!(named("+33612345673", "FR"), Vec::<String>::new());
    }

    #[test]
    fn another_name_of_a_zone_is_the_same_place() {
        let place = |phone: &str, country: &str, zone: &str| {
            let phone: Phone = phone.parse().expect("a phone");
            Place::of(&phone, Some(country), &zones::zones_of(&phone, Some(zone)))
        };
        let in_india = place("+442071234567", "GB", "Asia/Calcutta");
        assert_eq!(in_india, place("+442071234567", "GB", "Asia/Kolkata"));
        assert!(in_india.is_in("IN") && in_india.is_in("GB"));
        assert!(place("+4930123456", "DE", "US/Pacific").is_in("US"));
        assert!(!place("+4930123456", "DE", "Europe/Berlin").is_in("US"));
    }

    /// What is allowed there on a day, in minutes from and to, by one line of the workspace.
    fn open(line: &OwnLawLine, phone: &str, country: &str, day: &str, holidays: &Holidays) -> Option<(u16, u16)> {
        let phone: Phone = phone.parse().expect("a phone");
        let place = Place::of(&phone, Some(country), &zones::zones_of(&phone, None));
        let (own, day) = (groups_of(std::slice::from_ref(line)), day.parse().expect("a day"));
        let windows: Vec<_> = binding(&own, place).map(|group| group.on(day, &place, holidays)).collect();
        let is_open = |minute: &u16| windows.iter().all(|open| open.iter().any(|window| window.has(*minute)));
        let minutes: Vec<_> = (0..LocalTime::DAY).filter(is_open).collect();
        minutes.first().copied().zip(minutes.last().map(|last| last + 1))
    }

    fn for_country(country: &str) -> OwnLawLine {
        OwnLawLine {
            country: country.to_owned(),
            subdivision: "*".to_owned(),
            days: "Mon-Sun".to_owned(),
            from: "10:00".to_owned(),
            to: "18:00".to_owned(),
            holidays: false,
            valid_from: None,
            valid_to: None,
            source: "Act 5".to_owned(),
            read_on: "2026-11-23".to_owned(),
        }
    }

    #[test]
    fn a_line_of_the_workspace_holds_from_its_first_day_to_its_last() {
        let (first, last) = (Some("2026-12-02".to_owned()), Some("2026-12-03".to_owned()));
        let line = OwnLawLine { valid_from: first, valid_to: last, ..for_country("LK") };
        let on = |day| open(&line, "+94771234567", "LK", day, &Holidays::default());
        let (table, own) = (Some((9 * 60, 20 * 60)), Some((10 * 60, 18 * 60)));
        assert_eq!(["2026-12-01", "2026-12-02", "2026-12-03", "2026-12-04"].map(on), [table, own, own, table]);
        assert_eq!(
            line.to_string(),
            "LK Mon-Sun 10:00–18:00 from 2026-12-02 until 2026-12-03 (Act 5, read 2026-11-23)"
        );
    }

    #[test]
    fn what_holds_changes_where_a_line_begins_and_after_it_ends() {
        let from = "2026-12-01".parse().expect("a day");
        let dated = |first: Option<&str>, last: Option<&str>| OwnLawLine {
            valid_from: first.map(str::to_owned),
            valid_to: last.map(str::to_owned),
            ..for_country("LK")
        };
        let all = [dated(None, None), dated(Some("2027-01-01"), Some("2027-01-31")), dated(None, Some("2026-11-30"))];
        let days = |line| turns(line, &all, from).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(days(&all[0]), ["2026-12-01", "2027-01-01", "2027-02-01"]);
        assert_eq!(days(&all[1]), ["2027-01-01"]);
        assert_eq!(days(&all[2]), Vec::<String>::new(), "it is over");
    }

    #[test]
    fn holidays_count_where_a_line_keeps_them() {
        let holiday = |country: &str| domain::quiet::Holiday {
            country: country.to_owned(),
            date: "2026-12-25".to_owned(),
            name: "x".to_owned(),
        };
        let holidays = Holidays::of(&[holiday("LK"), holiday("DE"), holiday("GB"), holiday("FR")]);
        let on = |line: &OwnLawLine, phone, country| open(line, phone, country, "2026-12-25", &holidays);
        let keeping = |country| OwnLawLine { holidays: true, ..for_country(country) };
        let (sri_lanka, all_others) = (keeping("LK"), keeping(OTHER));
        assert!(on(&for_country("LK"), "+94771234567", "LK").is_some());
        assert_eq!(on(&sri_lanka, "+94771234567", "LK"), None);
        assert_eq!(on(&all_others, "+94771234567", "LK"), None, "the person's own country's");
        assert!(on(&all_others, "+4721234567", "NO").is_some(), "no holiday there");
        assert!(on(&all_others, "+447400123456", "GB").is_some(), "the table has a line for it");
        let idle = |own: &[OwnLawLine]| {
            let found = without_holidays(["LK", "DE", "GB", "FR"].into_iter(), own);
            found.into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(idle(&[]), "DE GB LK");
        assert_eq!(idle(&[for_country("LK")]), "DE GB LK");
        assert_eq!(idle(&[sri_lanka]), "DE GB");
        assert_eq!(idle(&[all_others]), "GB");
    }
}
