//! The lines that the workspace adds to the law table.

use domain::{
    problem::FieldError,
    quiet::{OwnLawLine, QuietHours, WorkspaceQuiet},
    settings::SettingsPatch,
    time::Timestamp,
};
use jiff::{ToSpan as _, civil::Date, tz::TimeZone};

use crate::{quiet, zones};

const LINES_MAX: usize = 100;
const SOURCE_MAX: usize = 300;

/// The only countries whose numbers tell the state or province.
const WITH_STATES: [&str; 2] = ["US", "CA"];

/// Provinces and territories; what else an area code of +1 names is a state of the US.
const OF_CANADA: [&str; 13] = ["AB", "BC", "MB", "NB", "NL", "NS", "NT", "NU", "ON", "PE", "QC", "SK", "YT"];

/// Without the blanks around what was typed.
pub(super) fn tidy(lines: &[OwnLawLine]) -> Vec<OwnLawLine> {
    let tidy = |line: &OwnLawLine| OwnLawLine { source: line.source.trim().to_owned(), ..line.clone() };
    lines.iter().map(tidy).collect()
}

/// What is wrong with the lines of a change; with each by itself first, then with what they leave together. And what a
/// change of the quiet hours would leave beside the lines that are there.
pub(super) fn problems(
    patch: &SettingsPatch,
    stored: &[OwnLawLine],
    former: WorkspaceQuiet,
    now: Timestamp,
) -> Vec<FieldError> {
    let today = zones::civil(&TimeZone::UTC, now).date();
    let rule = patch.quiet_hours.as_ref().map_or(former, |change| change.applied(former));
    let Some(lines) = &patch.law_lines else {
        return if rule == former { Vec::new() } else { beside(stored, rule, today).into_iter().collect() };
    };
    if lines.len() > LINES_MAX {
        return vec![FieldError::new("law_lines", format!("Give at most {LINES_MAX} lines."))];
    }
    let each = |(index, line)| of_line(line, today).into_iter().map(move |(field, text)| at(index, field, text));
    let errors: Vec<_> = lines.iter().enumerate().flat_map(each).collect();
    if !errors.is_empty() {
        return errors;
    }
    let closed = |(index, line)| {
        let (day, place) = first_closed(line, lines, rule.hours().as_slice(), today)?;
        let text = format!(
            "This would leave no time at all for {place}{}, with the law table, your other lines and the workspace's quiet \
             hours. Allow more.",
            from_day(day, today)
        );
        Some(at(index, "from", text))
    };
    lines.iter().enumerate().filter_map(closed).collect()
}

/// What new quiet hours would close beside the lines that are stored, while these bind. Without any hours nothing is closed
/// that was open.
fn beside(stored: &[OwnLawLine], rule: WorkspaceQuiet, today: Date) -> Option<FieldError> {
    let hours = rule.hours().filter(|_| rule.law)?;
    stored.iter().find_map(|line| {
        let (day, place) = first_closed(line, stored, &[hours], today)?;
        let text = format!(
            "This would leave no time at all for {place}{}, with the law table and your own line {line}. Shorten the hours, \
             or change the line first.",
            from_day(day, today)
        );
        Some(FieldError::new("quiet_hours.end", text))
    })
}

/// The first day from which a place of the line has no time at all, and the place: today, or once other lines hold.
fn first_closed(line: &OwnLawLine, all: &[OwnLawLine], hours: &[QuietHours], today: Date) -> Option<(Date, String)> {
    quiet::turns(line, all, today)
        .into_iter()
        .find_map(|day| Some((day, quiet::closed_by(line, all, hours, day).into_iter().next()?)))
}

fn from_day(day: Date, today: Date) -> String {
    if day == today { String::new() } else { format!(" from {day} on") }
}

fn at(index: usize, field: &str, text: String) -> FieldError {
    FieldError::new(format!("law_lines[{index}].{field}"), text)
}

fn of_line(line: &OwnLawLine, today: Date) -> Vec<(&'static str, String)> {
    let mut errors = Vec::new();
    let mut wrong = |field, text: &str| errors.push((field, text.to_owned()));
    if line.country != quiet::OTHER && !zones::is_country(&line.country) {
        wrong("country", "Give a country as two capital letters, such as FR, or ** for all that have no line.");
    } else if let Some(text) = of_subdivision(line) {
        wrong("subdivision", text);
    }
    if !quiet::is_days(&line.days) {
        wrong("days", "Give days such as Mon-Fri, or one such as Sun; the week begins on Mon.");
    }
    if !quiet::is_window(&line.from, &line.to) {
        wrong("to", "Give hours such as 09:00 to 20:00, the later one second, 24:00 at most.");
    }
    for (field, day) in [("valid_from", &line.valid_from), ("valid_to", &line.valid_to)] {
        if day.as_deref().is_some_and(|day| !is_day(day)) {
            wrong(field, "Give a day such as 2027-01-01, or none.");
        }
    }
    // Days that are written alike are in order as texts.
    if line.valid_from.as_ref().zip(line.valid_to.as_ref()).is_some_and(|(first, last)| last < first) {
        wrong("valid_to", "Give a last day that is not before the first one.");
    }
    if line.source.trim().is_empty() {
        wrong("source", "Say where this is written: a law, or an address.");
    }
    if line.source.chars().count() > SOURCE_MAX {
        errors.push(("source", format!("Use at most {SOURCE_MAX} characters.")));
    }
    if let Some(text) = of_date(&line.read_on, today) {
        errors.push(("read_on", text.to_owned()));
    }
    errors
}

fn of_subdivision(line: &OwnLawLine) -> Option<&'static str> {
    if line.subdivision == quiet::EVERYWHERE {
        return None;
    }
    if !WITH_STATES.contains(&line.country.as_str()) {
        return Some("Give *: only numbers of the US and Canada tell the state or province.");
    }
    let is_of_country = |code: &str| zones::is_state(code) && OF_CANADA.contains(&code) == (line.country == "CA");
    let is_known = line.subdivision == quiet::NOT_KNOWN || line.subdivision.split(',').all(is_of_country);
    (!is_known).then_some("Give states or provinces such as FL,GA, * for everywhere, or ? where it is not known.")
}

/// Whether it is written as `2026-11-23`.
fn is_day(text: &str) -> bool {
    text.len() == 10 && text.parse::<Date>().is_ok()
}

fn of_date(text: &str, today: Date) -> Option<&'static str> {
    match text.parse::<Date>() {
        Ok(day) if is_day(text) => {
            // Somewhere it is tomorrow already.
            let last = today.saturating_add(1.day());
            (day > last).then_some("Give the day on which the source was read, not one to come.")
        }
        _ => Some("Give a day such as 2026-11-23."),
    }
}

#[cfg(test)]
mod tests {
    use domain::quiet::WorkspaceQuietPatch;

    use super::*;

    fn line(country: &str, subdivision: &str, days: &str, (from, to): (&str, &str)) -> OwnLawLine {
        OwnLawLine {
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
        }
    }

    fn fields_of(lines: Vec<OwnLawLine>, quiet: bool) -> Vec<String> {
        let rule = WorkspaceQuiet { enabled: quiet, ..super::super::quiet::default_rule(true) };
        let patch = SettingsPatch { law_lines: Some(lines), ..SettingsPatch::default() };
        let now = "2026-11-28T12:00:00Z".parse().expect("an instant");
        problems(&patch, &[], rule, now).into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn every_wrong_field_is_named() {
        let wrong = OwnLawLine {
            source: " ".to_owned(),
            read_on: "2027-01-01".to_owned(),
            ..line("UK", "*", "Sat-Mon", ("20:00", "09:00"))
        };
        let of = |fields: &[&str]| fields.iter().map(|field| format!("law_lines[0].{field}")).collect::<Vec<_>>();
        assert_eq!(fields_of(vec![wrong], false), of(&["country", "days", "to", "source", "read_on"]));
        for (country, subdivision) in
            [("FR", "75"), ("FR", "?"), ("US", "ON"), ("CA", "FL"), ("US", "FL,XX"), ("US", "")]
        {
            assert_eq!(
                fields_of(vec![line(country, subdivision, "Sun", ("09:00", "24:00"))], false),
                of(&["subdivision"])
            );
        }
        for (country, subdivision) in [("US", "FL,GA"), ("CA", "ON"), ("US", "?"), ("LK", "*"), ("**", "*")] {
            let right = line(country, subdivision, "Mon-Sun", ("10:00", "18:00"));
            assert_eq!(fields_of(vec![right], true), Vec::<String>::new(), "{country} {subdivision}");
        }
    }

    #[test]
    fn the_days_of_a_line_are_days_in_order() {
        let dated = |first: Option<&str>, last: Option<&str>| OwnLawLine {
            valid_from: first.map(str::to_owned),
            valid_to: last.map(str::to_owned),
            ..line("LK", "*", "Mon-Sun", ("10:00", "18:00"))
        };
        let fields = |first, last| fields_of(vec![dated(first, last)], true);
        for (first, last) in [
            (Some("2027-01-01"), None),
            (None, Some("2027-01-01")),
            (Some("2027-01-01"), Some("2027-01-01")),
            (Some("2020-01-01"), Some("2020-12-31")),
        ] {
            assert_eq!(fields(first, last), Vec::<String>::new(), "{first:?} {last:?}");
        }
        assert_eq!(fields(Some("2027-01-02"), Some("2027-01-01")), ["law_lines[0].valid_to"]);
        assert_eq!(fields(Some("soon"), None), ["law_lines[0].valid_from"]);
        assert_eq!(fields(None, Some("2027-02-29")), ["law_lines[0].valid_to"]);
        assert_eq!(fields(None, Some("20270101")), ["law_lines[0].valid_to"]);
    }

    #[test]
    fn what_leaves_no_hour_later_is_refused_as_well() {
        let late =
            OwnLawLine { valid_from: Some("2027-02-01".to_owned()), ..line("LK", "*", "Mon-Sun", ("20:00", "21:00")) };
        let patch = SettingsPatch { law_lines: Some(vec![late.clone()]), ..SettingsPatch::default() };
        let now = "2026-11-28T12:00:00Z".parse().expect("an instant");
        let refused = problems(&patch, &[], super::super::quiet::default_rule(true), now);
        assert!(
            matches!(&refused[..], [one] if one.message.contains("no time at all for LK from 2027-02-01 on")),
            "{refused:?}"
        );
        // The day after it is over never comes into question.
        let over = OwnLawLine { valid_from: None, valid_to: Some("2026-11-27".to_owned()), ..late };
        assert_eq!(fields_of(vec![over], true), Vec::<String>::new());
    }

    #[test]
    fn what_leaves_no_hour_is_refused() {
        let closed = |lines: Vec<OwnLawLine>| fields_of(lines, true);
        let nothing = Vec::<String>::new();
        // The table's France: Mon–Sat 08:00–22:00.
        assert_eq!(closed(vec![line("FR", "*", "Sun", ("10:00", "18:00"))]), ["law_lines[0].from"]);
        assert_eq!(closed(vec![line("FR", "*", "Sat-Sun", ("10:00", "18:00"))]), nothing);
        // After 21:00 the workspace is quiet.
        assert_eq!(closed(vec![line("FR", "*", "Mon-Sat", ("21:00", "22:00"))]), ["law_lines[0].from"]);
        assert_eq!(fields_of(vec![line("FR", "*", "Mon-Sat", ("21:00", "22:00"))], false), nothing);
        // A country without a line obeys the one for all others (09:00–20:00).
        assert_eq!(closed(vec![line("LK", "*", "Mon-Sun", ("20:00", "21:00"))]), ["law_lines[0].from"]);
        // All of the US, where Rhode Island closes at 18:00.
        let evening = vec![line("US", "*", "Mon-Sun", ("18:00", "20:00"))];
        let patch = SettingsPatch { law_lines: Some(evening), ..SettingsPatch::default() };
        let rule = super::super::quiet::default_rule(true);
        let refused = problems(&patch, &[], rule, "2026-11-28T12:00:00Z".parse().expect("an instant"));
        assert!(refused.iter().any(|error| error.message.contains("US-")), "{refused:?}");
        // Two lines for one state and its country, which have nothing in common.
        let apart =
            vec![line("US", "*", "Mon-Sun", ("09:30", "12:00")), line("US", "GA", "Mon-Sun", ("13:00", "17:00"))];
        assert_eq!(closed(apart), ["law_lines[0].from", "law_lines[1].from"]);
    }

    #[test]
    fn quiet_hours_that_close_a_place_of_a_stored_line_are_refused() {
        let stored = [line("LK", "*", "Mon-Sun", ("09:00", "20:00")), line("FR", "*", "Mon-Sat", ("21:00", "22:00"))];
        let off = WorkspaceQuiet { enabled: false, ..super::super::quiet::default_rule(true) };
        let changed = |former: WorkspaceQuiet, change: WorkspaceQuietPatch| {
            let patch = SettingsPatch { quiet_hours: Some(change), ..SettingsPatch::default() };
            problems(&patch, &stored, former, "2026-11-28T12:00:00Z".parse().expect("an instant"))
        };
        let on = || WorkspaceQuietPatch { enabled: Some(true), ..WorkspaceQuietPatch::default() };
        let refused = changed(off, on());
        assert_eq!(refused.iter().map(|error| &*error.field).collect::<Vec<_>>(), ["quiet_hours.end"]);
        let told = &refused[0].message;
        assert!(told.contains("no time at all for FR,") && told.contains("FR Mon-Sat 21:00–22:00"), "{told}");
        assert_eq!(changed(off, WorkspaceQuietPatch { start: "22:00".parse().ok(), ..on() }), []);
        // While the law does not bind, its lines do not either; when it begins to, they do.
        let unbound = WorkspaceQuiet { enabled: true, law: false, ..off };
        assert_eq!(changed(WorkspaceQuiet { enabled: false, ..unbound }, on()), []);
        let law = || WorkspaceQuietPatch { law: Some(true), ..WorkspaceQuietPatch::default() };
        assert_eq!(changed(unbound, law()).len(), 1);
        // What is as it was is no change, and hours can always be switched off.
        let closed = WorkspaceQuiet { enabled: true, ..off };
        assert_eq!(changed(closed, on()), []);
        assert_eq!(changed(closed, WorkspaceQuietPatch { enabled: Some(false), ..on() }), []);
    }
}
