use super::*;

fn cron_of(expression: &str, timezone: &str) -> Trigger {
    Trigger::Cron { expression: expression.to_owned(), timezone: Some(timezone.to_owned()), until: None, count: None }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

/// Zone, expression, after when, and the instants that follow: the table of reference/compliance.md §5.4 and days
/// around other changes of the clock.
const DUE: &str = include_str!("due.txt");

#[test]
fn due_times_follow_every_change_of_the_clock() {
    let mut rows = 0;
    for line in DUE.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let [zone, expression, after, expected] = parts[..] else { panic!("four parts: {line}") };
        let Ok(times) = read(&cron_of(expression, zone)) else { panic!("not read: {line}") };
        let expected: Vec<Timestamp> = expected.split_whitespace().map(at).collect();
        assert_eq!(times.upcoming(at(after), expected.len()), expected, "{line}");
        rows += 1;
    }
    assert!(rows >= 12, "{rows} rows");
}

fn field(trigger: &Trigger) -> String {
    let now = at("2026-11-28T00:00:00Z");
    match read(trigger) {
        Err(errors) => errors.into_iter().map(|error| error.field).collect::<Vec<_>>().join(","),
        Ok(times) => times.untimely(now).map_or_else(|| "fine".to_owned(), |error| error.field),
    }
}

#[test]
fn what_cannot_be_scheduled_names_its_field() {
    let once = |at: &str, local| Trigger::Once { at: at.to_owned(), local, timezone: None };
    assert_eq!(field(&once("2026-12-01T09:00:00+05:30", false)), "fine");
    assert_eq!(field(&once("2026-12-01T09:00", true)), "fine");
    for (text, local) in [
        ("2026-12-01T09:00", false),
        ("2026-12-01T09:00:00Z", true),
        ("2026-12-01T09:00:00+05:30", true),
        ("tomorrow", true),
        ("", false),
        ("2026-11-27T23:59:59Z", false),
        ("2026-11-26T12:00", true),
        ("9026-11-27T23:59:59Z", false),
    ] {
        assert_eq!(field(&once(text, local)), "trigger.at", "{text}");
    }
    assert_eq!(field(&once("2026-11-27T20:00", true)), "fine", "it is not over in the west");
    assert_eq!(field(&cron_of("0 9 * * MON", "Asia/Colombo")), "fine");
    assert_eq!(field(&cron_of("0 9 29 2 *", "UTC")), "fine");
    for expression in ["", "* * * *", "0 0 9 * * MON", "@daily", "61 9 * * *", "0 9 30 2 *", "0 25 * * *", "a b c d e"]
    {
        assert_eq!(field(&cron_of(expression, "UTC")), "trigger.expression", "{expression}");
    }
    assert_eq!(field(&cron_of("0 9 * * *", "Mars/Olympus")), "trigger.timezone");
    let ends = |until: Option<&str>, count| Trigger::Cron {
        expression: "0 9 1 1 *".to_owned(),
        timezone: Some("UTC".to_owned()),
        until: until.map(at),
        count,
    };
    assert_eq!(field(&ends(Some("2026-11-27T00:00:00Z"), None)), "trigger.until");
    assert_eq!(field(&ends(Some("2026-12-27T00:00:00Z"), None)), "trigger.until", "before it is due");
    assert_eq!(field(&ends(Some("2027-12-27T00:00:00Z"), Some(0))), "trigger.count");
    assert_eq!(field(&ends(None, Some(i32::MAX))), "trigger.count");
}

#[test]
fn what_is_stored_is_complete() {
    let cron = Trigger::Cron { expression: " 0  9 * * MON".to_owned(), timezone: None, until: None, count: None };
    assert_eq!(completed(&cron, "asia/colombo"), cron_of("0 9 * * MON", "Asia/Colombo"));
    let once = |at: &str, timezone: Option<&str>| Trigger::Once {
        at: at.to_owned(),
        local: false,
        timezone: timezone.map(str::to_owned),
    };
    assert_eq!(completed(&once("2026-12-01T09:00:00+05:30", None), "UTC"), once("2026-12-01T03:30:00Z", None));
    assert_eq!(completed(&once("2026-12-01T03:30:00Z", Some(" ")), "Asia/Colombo"), once("2026-12-01T03:30:00Z", None));
    let there = once("2026-12-01T09:00:00", Some("Asia/Colombo"));
    assert_eq!(completed(&once(" 2026-12-01T09:00", Some("asia/colombo")), "UTC"), there);
    // What says another place stays as it is, to be refused.
    for at in ["2026-12-01T09:00:00+02:00", "2026-12-01T09:00+02:00", "2026-12-01T09:00[Europe/Paris]", "2026-12-01"] {
        assert_eq!(completed(&once(at, Some("Asia/Colombo")), "UTC"), once(at, Some("Asia/Colombo")));
        assert_eq!(field(&completed(&once(at, Some("Asia/Colombo")), "UTC")), "trigger.at", "{at}");
        let local = Trigger::Once { at: at.to_owned(), local: true, timezone: None };
        assert_eq!(field(&completed(&local, "UTC")), "trigger.at", "{at}");
    }
}

#[test]
fn once_may_be_by_the_clock_of_a_place() {
    let once =
        |at: &str, local, zone: &str| Trigger::Once { at: at.to_owned(), local, timezone: Some(zone.to_owned()) };
    let due = |at: &str, zone: &str| match read(&once(at, false, zone)) {
        Ok(times) => times.next(Timestamp(0)).map(|at| at.to_string()),
        Err(errors) => Some(errors[0].field.clone()),
    };
    for (at, zone, expected) in [
        ("2026-12-01T09:00", "Asia/Colombo", "2026-12-01T03:30:00Z"),
        // The clock skips it: the first instant after the gap. It comes twice: the first time.
        ("2027-03-14T02:30", "America/New_York", "2027-03-14T07:00:00Z"),
        ("2026-11-01T01:30", "America/New_York", "2026-11-01T05:30:00Z"),
        ("2026-12-01T09:00:00Z", "Asia/Colombo", "trigger.at"),
        ("2026-12-01", "Asia/Colombo x", "trigger.timezone"),
        ("soon", "Asia/Colombo", "trigger.at"),
    ] {
        assert_eq!(due(at, zone).as_deref(), Some(expected), "{at} {zone}");
    }
    assert_eq!(field(&once("2026-12-01T09:00", true, "Asia/Colombo")), "trigger.timezone");
    assert_eq!(field(&once("2026-11-27T09:00", false, "Asia/Colombo")), "trigger.at", "it is over");
}

#[test]
fn nothing_is_due_after_the_end() {
    let Trigger::Cron { expression, timezone, .. } = cron_of("0 9 * * *", "UTC") else { unreachable!() };
    let until = Some(at("2026-11-29T09:00:00Z"));
    let Ok(times) = read(&Trigger::Cron { expression, timezone, until, count: None }) else { panic!("not read") };
    let expected = ["2026-11-28T09:00:00Z", "2026-11-29T09:00:00Z"].map(at);
    assert_eq!(times.upcoming(at("2026-11-28T00:00:00Z"), 5), expected);
}
