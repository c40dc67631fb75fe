//! Windows against vectors computed by another program, and against a slow reference that walks minute by minute.

use std::collections::HashSet;

use domain::{
    phone::Phone,
    quiet::{Holiday, LocalTime, QuietHours},
    time::Timestamp,
};
use jiff::{ToSpan as _, civil::DateTime, tz::TimeZone};
use proptest::{prelude::*, test_runner::Config};

use super::*;
use crate::zones::{self, Zones, zones_of};

const VECTORS: &str = include_str!("vectors.txt");

fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|_| panic!("an instant: {text}"))
}

fn quiet(start: &str, end: &str) -> QuietHours {
    QuietHours { start: start.parse().expect("a time"), end: end.parse().expect("a time") }
}

/// Quiet hours that leave a window.
fn around(from: &str, to: &str) -> QuietHours {
    quiet(to, from)
}

fn in_zone(name: &str) -> Zones {
    zones::of_names(&[zones::zone_name(name).expect("a zone")])
}

fn only(hours: QuietHours) -> Policy {
    Policy::new(false, vec![hours], &Holidays::default())
}

/// The spans that a policy allows, from one instant to another.
fn allowed(policy: &Policy, zones: &Zones, place: Place, (from, to): (&str, &str)) -> Vec<(String, String)> {
    let (mut now, end) = (at(from), at(to));
    let mut spans = Vec::new();
    while now < end {
        match policy.answer(zones, place, now) {
            Answer::Allowed { until } => {
                spans.push((now.to_string(), until.min(end).to_string()));
                now = until;
            }
            Answer::Quiet { until } => now = until,
            Answer::Never => break,
        }
    }
    spans
}

fn of(spans: &[(&str, &str)]) -> Vec<(String, String)> {
    spans.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
}

#[test]
fn every_vector_is_decided_as_computed_elsewhere() {
    let policy = only(QuietHours::DEFAULT);
    let mut seen = 0;
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let [zone, instant, local, decision, next] =
            line.split('|').collect::<Vec<_>>().try_into().expect("five fields");
        let zones = in_zone(zone);
        let now = at(instant);
        let written = zones::to_jiff(now).to_zoned(zones.zones()[0].clone()).strftime("%F %T %:z").to_string();
        assert_eq!(written, local, "{line}");
        match (policy.answer(&zones, Place::default(), now), decision) {
            (Answer::Allowed { until }, "allow") => assert!(until > now, "{line}"),
            (Answer::Quiet { until }, "hold") => assert_eq!(until, at(next), "{line}"),
            (answer, _) => panic!("{line}: {answer:?}"),
        }
        seen += 1;
    }
    assert_eq!(seen, 101);
}

#[test]
fn nights_are_as_long_as_the_clock_makes_them() {
    for (zone, from, to) in [
        ("America/New_York", "2027-03-14T02:00:00Z", "2027-03-14T12:00:00Z"),
        ("America/New_York", "2026-11-01T01:00:00Z", "2026-11-01T13:00:00Z"),
        ("Europe/London", "2027-03-27T21:00:00Z", "2027-03-28T07:00:00Z"),
        ("Europe/London", "2027-10-30T20:00:00Z", "2027-10-31T08:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T10:30:00Z", "2026-10-03T21:00:00Z"),
        ("Australia/Lord_Howe", "2027-04-03T10:00:00Z", "2027-04-03T21:30:00Z"),
        ("Antarctica/Troll", "2027-03-27T21:00:00Z", "2027-03-28T06:00:00Z"),
        ("Antarctica/Troll", "2027-10-30T19:00:00Z", "2027-10-31T08:00:00Z"),
        ("Pacific/Apia", "2011-12-30T07:00:00Z", "2011-12-30T18:00:00Z"),
    ] {
        let (policy, zones) = (only(QuietHours::DEFAULT), in_zone(zone));
        let answer = |now| policy.answer(&zones, Place::default(), now);
        assert_eq!(answer(at(from).plus(-1)), Answer::Allowed { until: at(from) }, "{zone} {from}");
        assert_eq!(answer(at(from)), Answer::Quiet { until: at(to) }, "{zone} {from}");
    }
}

#[test]
fn windows_open_late_and_close_early() {
    let day = |zone, window: (&str, &str), within: (&str, &str), expected: &[(&str, &str)]| {
        let found = allowed(&only(around(window.0, window.1)), &in_zone(zone), Place::default(), within);
        assert_eq!(found, of(expected), "{zone} {window:?}");
    };
    let spring = ("2027-03-14T04:00:00Z", "2027-03-15T04:00:00Z");
    let autumn = ("2026-11-01T03:00:00Z", "2026-11-02T04:00:00Z");
    day("America/New_York", ("02:30", "04:00"), spring, &[("2027-03-14T07:00:00Z", "2027-03-14T08:00:00Z")]);
    day("America/New_York", ("01:00", "02:30"), spring, &[("2027-03-14T06:00:00Z", "2027-03-14T07:00:00Z")]);
    day("America/New_York", ("02:10", "02:50"), spring, &[]);
    day("America/New_York", ("00:30", "01:30"), autumn, &[("2026-11-01T04:30:00Z", "2026-11-01T05:30:00Z")]);
    day("America/New_York", ("01:30", "05:00"), autumn, &[("2026-11-01T06:30:00Z", "2026-11-01T10:00:00Z")]);
    let lord_howe = ("2027-04-03T12:00:00Z", "2027-04-04T12:00:00Z");
    day("Australia/Lord_Howe", ("01:45", "03:00"), lord_howe, &[("2027-04-03T15:15:00Z", "2027-04-03T16:30:00Z")]);
}

/// reference/compliance.md §3: what is allowed in all candidate zones.
#[test]
fn several_zones_share_only_what_all_allow() {
    let of_phone = |phone: &str| zones_of(&phone.parse().expect("a phone"), None);
    let within = ("2026-12-01T22:00:00Z", "2026-12-02T22:00:00Z");
    let default = only(QuietHours::DEFAULT);
    let of_kinshasa = allowed(&default, &of_phone("+243812345678"), Place::default(), within);
    assert_eq!(of_kinshasa, of(&[("2026-12-02T07:00:00Z", "2026-12-02T19:00:00Z")]));
    let of_boise = zones_of(&"+12089995678".parse().expect("a phone"), None);
    assert_eq!(of_boise.names(), ["America/Boise", "America/Los_Angeles"]);
    assert_eq!(
        allowed(&default, &of_boise, Place::default(), ("2026-12-02T06:00:00Z", "2026-12-03T06:00:00Z")),
        of(&[("2026-12-02T16:00:00Z", "2026-12-03T04:00:00Z")])
    );
    let of_names = |names: &[&'static str], hours: &Policy, within| {
        allowed(hours, &zones::of_names(names), Place::default(), within)
    };
    let us = ["America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"];
    let far = [&us[..], &["America/Anchorage", "America/Adak", "Pacific/Honolulu"]].concat();
    let day = ("2026-12-02T06:00:00Z", "2026-12-03T06:00:00Z");
    assert_eq!(of_names(&us, &default, day), of(&[("2026-12-02T16:00:00Z", "2026-12-03T02:00:00Z")]));
    assert_eq!(of_names(&far, &default, day), of(&[("2026-12-02T18:00:00Z", "2026-12-03T02:00:00Z")]));
    let as_in_florida = only(around("08:00", "20:00"));
    assert_eq!(of_names(&us, &as_in_florida, day), of(&[("2026-12-02T16:00:00Z", "2026-12-03T01:00:00Z")]));
    let of_new_zealand = of_phone("+64211234567");
    assert_eq!(of_new_zealand.names(), ["Pacific/Auckland", "Pacific/Chatham"]);
    assert_eq!(
        allowed(&default, &of_new_zealand, Place::default(), ("2026-12-02T12:00:00Z", "2026-12-03T12:00:00Z")),
        of(&[("2026-12-02T19:00:00Z", "2026-12-03T07:15:00Z")])
    );
    let of_seven = [
        "Asia/Almaty",
        "Asia/Anadyr",
        "Asia/Aqtobe",
        "Asia/Irkutsk",
        "Asia/Kamchatka",
        "Asia/Krasnoyarsk",
        "Asia/Magadan",
        "Asia/Novosibirsk",
        "Asia/Omsk",
        "Asia/Sakhalin",
        "Asia/Vladivostok",
        "Asia/Yakutsk",
        "Asia/Yekaterinburg",
        "Europe/Bucharest",
        "Europe/Moscow",
        "Europe/Samara",
    ];
    let in_russia = of(&[("2026-12-02T06:00:00Z", "2026-12-02T09:00:00Z")]);
    assert_eq!(of_names(&of_seven, &default, within), in_russia);
    assert_eq!(allowed(&default, &of_phone("+79161234567"), Place::default(), within), in_russia);
    let of_spain = allowed(&default, &of_phone("+34612345678"), Place::default(), within);
    assert_eq!(of_spain, of(&[("2026-12-02T08:00:00Z", "2026-12-02T20:00:00Z")]));
}

#[test]
fn without_a_zone_or_a_common_hour_nothing_is_allowed() {
    let nowhere = zones_of(&"+18005550100".parse().expect("a phone"), None);
    let now = at("2026-12-01T12:00:00Z");
    assert_eq!(only(QuietHours::DEFAULT).answer(&nowhere, Place::default(), now), Answer::Never);
    let free = Policy::new(false, Vec::new(), &Holidays::default());
    assert!(matches!(free.answer(&nowhere, Place::default(), now), Answer::Allowed { .. }), "no rule needs no zone");
    // Half an hour in each of Russia's zones never comes together.
    let russia = zones_of(&"+79161234567".parse().expect("a phone"), None);
    assert_eq!(only(around("12:00", "12:30")).answer(&russia, Place::default(), now), Answer::Never);
}

fn by_law(phone: &str, timezone: Option<&str>, country: &str, holidays: &[Holiday]) -> (Policy, Zones, Place) {
    let phone: Phone = phone.parse().expect("a phone");
    let zones = zones_of(&phone, timezone);
    let place = Place::of(&phone, Some(country), &zones);
    (Policy::new(true, Vec::new(), &Holidays::of(holidays)), zones, place)
}

#[test]
fn law_follows_the_place() {
    // 2026-12-02 was a Wednesday.
    let day = |phone, timezone, country| {
        let (policy, zones, place) = by_law(phone, timezone, country, &[]);
        allowed(&policy, &zones, place, ("2026-12-02T05:00:00Z", "2026-12-03T05:00:00Z"))
    };
    // Florida and an unknown state, New York's clock.
    assert_eq!(day("+13055550100", None, "US"), of(&[("2026-12-02T13:00:00Z", "2026-12-03T01:00:00Z")]));
    assert_eq!(day("+12125550100", None, "US"), of(&[("2026-12-02T13:00:00Z", "2026-12-03T02:00:00Z")]));
    assert_eq!(
        day("+18005550100", Some("America/New_York"), "US"),
        of(&[("2026-12-02T14:00:00Z", "2026-12-03T01:00:00Z")])
    );
    // El Paso: its own clock and Central time.
    assert_eq!(day("+19155550100", None, "US"), of(&[("2026-12-02T16:00:00Z", "2026-12-03T03:00:00Z")]));
    assert_eq!(
        day("+919876543210", None, "IN"),
        of(&[("2026-12-02T05:00:00Z", "2026-12-02T15:30:00Z"), ("2026-12-03T04:30:00Z", "2026-12-03T05:00:00Z")])
    );
    // No line of its own; and a French number in Colombo obeys both.
    assert_eq!(
        day("+94771234567", None, "LK"),
        of(&[("2026-12-02T05:00:00Z", "2026-12-02T14:30:00Z"), ("2026-12-03T03:30:00Z", "2026-12-03T05:00:00Z")])
    );
    assert_eq!(day("+33612345673", Some("Asia/Colombo"), "FR"), day("+94771234567", None, "LK"));
}

const LAW_VECTORS: &str = include_str!("law_vectors.txt");
const DAYS: [&str; 4] = ["2026-12-02", "2026-12-05", "2026-12-06", "2026-12-25"];

/// The window of a local day as one sees it on a clock there; none when the day is closed.
fn on_day(policy: &Policy, (zones, place): (&Zones, Place), zone: &TimeZone, day: &str) -> Option<String> {
    let date: jiff::civil::Date = day.parse().expect("a day");
    let midnight = |date: jiff::civil::Date| {
        zones::instant(zone, date.at(0, 0, 0, 0), zones::Overlap::First).expect("a midnight").to_string()
    };
    let within = (midnight(date), midnight(date.tomorrow().expect("a day")));
    let windows: Vec<String> = allowed(policy, zones, place, (&within.0, &within.1))
        .iter()
        .map(|(from, to)| [from, to].map(|edge| zones::civil(zone, at(edge)).strftime("%H:%M").to_string()).join("-"))
        .collect();
    (!windows.is_empty()).then(|| windows.join(" "))
}

#[test]
fn every_place_of_the_law_table_has_the_hours_that_were_read() {
    let christmas =
        |country: &str| Holiday { country: country.to_owned(), date: DAYS[3].to_owned(), name: "x".to_owned() };
    let holidays = ["AU", "FR", "US", "LK"].map(christmas);
    let mut places = HashSet::new();
    for line in LAW_VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let [place, phone, zone, days @ ..]: [&str; 7] =
            line.split('|').collect::<Vec<_>>().try_into().expect("seven fields");
        let is_nowhere = zones_of(&phone.parse().expect("a phone"), None).is_empty();
        let country = place.split('-').next().filter(|country| *country != "**").unwrap_or("LK");
        let (policy, zones, of_person) = by_law(phone, is_nowhere.then_some(zone), country, &holidays);
        let clock = zones::zone(zone).expect("a zone");
        for (day, expected) in DAYS.iter().zip(days) {
            let found = on_day(&policy, (&zones, of_person), &clock, day);
            assert_eq!(
                found.as_deref().unwrap_or("closed"),
                expected,
                "{place} {phone} on {day}, in {:?}",
                zones.names()
            );
        }
        places.insert(place);
    }
    for line in law_lines() {
        for subdivision in line.subdivision.split(',') {
            let place = if subdivision == EVERYWHERE {
                line.country.clone()
            } else {
                format!("{}-{subdivision}", line.country)
            };
            assert!(places.contains(place.as_str()), "no vector is about {place}");
        }
    }
}

#[test]
fn sundays_and_holidays_are_closed_where_law_says_so() {
    let christmas = Holiday { country: "FR".to_owned(), date: "2026-12-25".to_owned(), name: "Noël".to_owned() };
    let (policy, zones, place) = by_law("+33612345673", Some("Europe/Paris"), "FR", &[christmas]);
    // Thursday evening until Monday morning, without Friday's Christmas and Sunday.
    assert_eq!(
        allowed(&policy, &zones, place, ("2026-12-24T20:00:00Z", "2026-12-28T08:00:00Z")),
        of(&[
            ("2026-12-24T20:00:00Z", "2026-12-24T21:00:00Z"),
            ("2026-12-26T07:00:00Z", "2026-12-26T21:00:00Z"),
            ("2026-12-28T07:00:00Z", "2026-12-28T08:00:00Z"),
        ])
    );
}

#[test]
fn a_rule_comes_into_force_on_its_day() {
    // Pennsylvania's Sundays, from 2026-10-18 on: the eleventh was open.
    let (policy, zones, place) = by_law("+12155550100", None, "US", &[]);
    let open = |day: &str| {
        let noon = at(&format!("{day}T16:00:00Z"));
        matches!(policy.answer(&zones, place, noon), Answer::Allowed { .. })
    };
    assert!(open("2026-10-11") && open("2026-10-17"));
    assert!(!open("2026-10-18") && open("2026-10-19") && !open("2026-10-25"));
}

#[test]
fn all_rules_have_to_allow() {
    let (_, zones, place) = by_law("+12125550100", None, "US", &[]);
    let policy = Policy::new(true, vec![QuietHours::DEFAULT, around("12:00", "13:00")], &Holidays::default());
    assert_eq!(
        allowed(&policy, &zones, place, ("2026-12-02T05:00:00Z", "2026-12-03T05:00:00Z")),
        of(&[("2026-12-02T17:00:00Z", "2026-12-02T18:00:00Z")])
    );
    assert_eq!(policy.words(), format!("21:00–08:00, 13:00–12:00, law {PACK}"));
}

#[test]
fn equal_policies_are_one() {
    let policy = || Policy::new(true, vec![QuietHours::DEFAULT], &Holidays::default());
    assert_eq!(policy(), policy());
    assert_ne!(policy(), only(QuietHours::DEFAULT));
}

/// The reference: a window of a day is open from the last minute whose local time is its opening (in a gap, from the first
/// minute after it) until the first minute whose local time is at its closing. It knows of zones only their offset at an
/// instant.
fn reference(zone: &TimeZone, hours: QuietHours, from: Timestamp, minutes: i64) -> Vec<bool> {
    const MARGIN: i64 = 3 * 24 * 60;
    let start = from.plus(-MARGIN * Timestamp::MINUTE);
    let local: Vec<DateTime> =
        (0..minutes + 2 * MARGIN).map(|minute| zones::civil(zone, start.plus(minute * Timestamp::MINUTE))).collect();
    let mut open = vec![false; local.len()];
    let mut day = local[0].date().tomorrow().expect("a day");
    let last = local[local.len() - 1].date().yesterday().expect("a day");
    let time = |day: jiff::civil::Date, time: LocalTime| {
        day.at(0, 0, 0, 0).checked_add(i64::from(time.minutes()).minutes()).expect("a time")
    };
    while day <= last {
        let opens = time(day, hours.end);
        let closes = time(if hours.start > hours.end { day } else { day.tomorrow().expect("a day") }, hours.start);
        let after = || local.iter().rposition(|local| *local < opens).expect("before") + 1;
        let first = local.iter().rposition(|local| *local == opens).unwrap_or_else(after);
        let end = local.iter().position(|local| *local >= closes).unwrap_or(local.len());
        if first < end {
            open[first..end].fill(true);
        }
        day = day.tomorrow().expect("a day");
    }
    let margin = usize::try_from(MARGIN).expect("a margin");
    open[margin..open.len() - margin].to_vec()
}

/// Ten years from this one on, in whole minutes.
fn instants() -> impl Strategy<Value = Timestamp> {
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"));
    (from.as_micros() / Timestamp::MINUTE..to.as_micros() / Timestamp::MINUTE)
        .prop_map(|minute| Timestamp(minute * Timestamp::MINUTE))
}

/// An instant within two days of a change of the zone's clock, when it has one: where mistakes would be.
fn near_a_change(zone: &TimeZone, near: Timestamp, minutes: i64) -> Timestamp {
    let change = zone.following(zones::to_jiff(near)).next().map(|change| zones::of_jiff(change.timestamp()));
    let change = change.filter(|change| change.since(near) < 366 * Timestamp::DAY).unwrap_or(near);
    change.plus(minutes * Timestamp::MINUTE)
}

fn hours() -> impl Strategy<Value = QuietHours> {
    let minute = || (0_u16..24, prop::sample::select(vec![0_u16, 1, 10, 15, 30, 45, 59]));
    (minute(), minute()).prop_filter_map("the same", |(start, end)| {
        let time = |(hour, minute)| LocalTime::new(hour, minute);
        let (start, end) = (time(start)?, time(end)?);
        (start != end).then_some(QuietHours { start, end })
    })
}

fn zone_names() -> Vec<&'static str> {
    let listed = include_str!("../../data/zones_of_countries.txt").lines().filter(|line| !line.starts_with('#'));
    listed.flat_map(|line| line.split_once(' ').map_or("", |(_, zones)| zones).split(',')).collect()
}

/// A change of a zone's clock: when, and by how many microseconds it is put back (on: less than nothing).
type Change = (Timestamp, i64);

fn changes(zone: &TimeZone, (from, to): (Timestamp, Timestamp)) -> Vec<Change> {
    let seconds = |at: Timestamp| zone.to_offset(zones::to_jiff(at)).seconds();
    let mut before = seconds(from);
    let mut found = Vec::new();
    for change in zone.following(zones::to_jiff(from)) {
        let (at, after) = (zones::of_jiff(change.timestamp()), change.offset().seconds());
        if at >= to {
            break;
        }
        if after != before {
            found.push((at, i64::from(before - after) * Timestamp::SECOND));
        }
        before = after;
    }
    found
}

/// Around a change nothing is allowed inside the quiet hours, and everything outside, but for what comes twice: of it a
/// window opens the second time and closes the first.
fn keeps_its_hours(name: &str, hours: QuietHours, (change, back): Change) {
    const STEP: i64 = 15 * Timestamp::MINUTE;
    let zones = in_zone(name);
    let (policy, zone) = (only(hours), &zones.zones()[0]);
    let is_quiet = |at| {
        let local = zones::civil(zone, at);
        hours.holds(u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).expect("a minute"))
    };
    let comes_twice = |at: Timestamp| at.since(change).abs() <= back;
    for step in -120..120 {
        let now = change.plus(step * STEP);
        let told = || format!("{name} {hours} at {now}, change {change}");
        match policy.answer(&zones, Place::default(), now) {
            Answer::Allowed { until } => {
                assert!(!is_quiet(now) && !is_quiet(until.plus(-1)), "inside the quiet hours: {}", told());
            }
            Answer::Quiet { until } => {
                assert!(is_quiet(now) || comes_twice(now), "not the earliest: {}", told());
                assert!(until > now && !is_quiet(until), "inside the quiet hours: {}", told());
                assert!(is_quiet(until.plus(-1)) || comes_twice(until), "not the earliest: {}", told());
            }
            Answer::Never => panic!("never: {}", told()),
        }
    }
}

#[test]
fn every_zone_keeps_its_hours_around_every_change_of_ten_years() {
    let ten_years = (at("2026-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"));
    let nights = [QuietHours::DEFAULT, quiet("01:30", "02:30"), quiet("23:45", "00:15")];
    let names = zones::names();
    let (mut clocks, mut seen) = (HashSet::new(), 0);
    for name in &names {
        let zones = in_zone(name);
        let zone = &zones.zones()[0];
        let changes = changes(zone, ten_years);
        // Many names stand for one clock.
        if !clocks.insert((zone.to_offset(zones::to_jiff(ten_years.0)), changes.clone())) {
            continue;
        }
        seen += changes.len();
        let around = if changes.is_empty() { vec![(ten_years.0, 0)] } else { changes };
        for change in around {
            nights.iter().for_each(|hours| keeps_its_hours(name, *hours, change));
        }
    }
    assert!(names.len() > 400 && clocks.len() > 60 && seen > 500, "{} {} {seen}", names.len(), clocks.len());
}

proptest! {
    // PROPTEST_CASES asks for a longer run.
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn answers_are_those_of_the_slow_reference(
        name in prop::sample::select(zone_names()),
        instant in instants(),
        change in any::<bool>(),
        minutes in -2_880_i64..2_880,
        hours in hours(),
    ) {
        let zones = in_zone(name);
        let zone = &zones.zones()[0];
        let now = if change { near_a_change(zone, instant, minutes) } else { instant };
        let policy = only(hours);
        let answer = |at| policy.answer(&zones, Place::default(), at);
        let expected = reference(zone, hours, now, 2 * 24 * 60);
        let mut minute = 0;
        while minute < expected.len() {
            let at = now.plus(minute as i64 * Timestamp::MINUTE);
            // Each answer speaks for all minutes until its end: every one of them is compared.
            let (until, open) = match answer(at) {
                Answer::Allowed { until } => (until, true),
                Answer::Quiet { until } => (until, false),
                Answer::Never => return Err(TestCaseError::fail("never")),
            };
            prop_assert!(until > at);
            let end = usize::try_from((until.since(at) + Timestamp::MINUTE - 1) / Timestamp::MINUTE).unwrap_or(usize::MAX);
            let end = minute.saturating_add(end).min(expected.len());
            for (minute, expected) in expected.iter().enumerate().take(end).skip(minute) {
                prop_assert_eq!(*expected, open, "{} {} minute {} from {}", name, hours, minute, now);
            }
            if !open {
                let is_allowed = matches!(answer(until), Answer::Allowed { .. });
                prop_assert!(is_allowed, "what is next is allowed");
            }
            minute = end;
        }
    }

    #[test]
    fn several_zones_allow_what_each_of_them_allows(
        phone in prop::sample::select(vec!["+79161234567", "+61412345678", "+34612345678", "+12089995678"]),
        now in instants(),
        hours in hours(),
    ) {
        let zones = zones_of(&phone.parse().expect("a phone"), None);
        let policy = only(hours);
        let together = policy.answer(&zones, Place::default(), now);
        let alone = zones.names().iter().map(|name| policy.answer(&in_zone(name), Place::default(), now));
        let all = alone.clone().all(|answer| matches!(answer, Answer::Allowed { .. }));
        prop_assert_eq!(matches!(together, Answer::Allowed { .. }), all);
        if let Answer::Quiet { until } = together {
            for answer in zones.names().iter().map(|name| policy.answer(&in_zone(name), Place::default(), until)) {
                let is_allowed = matches!(answer, Answer::Allowed { .. });
                prop_assert!(is_allowed);
            }
        }
    }
}
