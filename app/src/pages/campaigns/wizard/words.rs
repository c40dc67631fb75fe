//! Times of the sending step as people write them.

#[cfg(feature = "ssr")]
use domain::{deadline::SendBefore, time::Timestamp};
#[cfg(any(feature = "ssr", test))]
use {
    crate::error::AppError,
    domain::{deadline::MOST_DAYS, quiet::QuietHours},
};

/// Units that people write, and those of ISO 8601 that stand behind `P` or `PT`.
const UNITS: [(&str, &str, &str, &str); 4] = [
    ("minute", "minutes", "PT", "M"),
    ("hour", "hours", "PT", "H"),
    ("day", "days", "P", "D"),
    ("week", "weeks", "P", "W"),
];

/// A deadline as its field shows it: `6 hours` for `PT6H`, and an instant by the clock of a zone, `2026-12-24 18:00`. What
/// that would not give back as it is stays as it is.
#[cfg(feature = "ssr")]
pub(in super::super) fn write_deadline(deadline: &SendBefore, zone: &str) -> String {
    match deadline {
        SendBefore::At(at) => {
            let local = engine::scheduler::local_time(zone, *at).replace('T', " ");
            if local_instant(&local, zone) == Some(*at) { local } else { at.to_string() }
        }
        SendBefore::After { text, .. } => spoken(text.clone()),
    }
}

/// A deadline in a sentence: `Thu 24 December 2026, 18:00 (Asia/Colombo)`, `6 hours after it begins`.
#[cfg(feature = "ssr")]
pub(in super::super) fn tell_deadline(deadline: &SendBefore, zone: &str) -> String {
    match deadline {
        SendBefore::At(at) => format!("{} ({zone})", engine::scheduler::told(zone, *at)),
        SendBefore::After { text, .. } => format!("{} after it begins", spoken(text.clone())),
    }
}

/// The instant of a day and a time without an offset, such as `2026-12-24 18:00`, there.
#[cfg(feature = "ssr")]
fn local_instant(text: &str, zone: &str) -> Option<Timestamp> {
    let is_local = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit() || b"-: T".contains(&byte));
    is_local.then(|| engine::scheduler::instant_of(zone, &text.replace(' ', "T"))).flatten()
}

/// `6 hours` for `PT6H`; what is of several units stays as it is.
pub(in super::super) fn spoken(text: String) -> String {
    for (one, many, before, unit) in UNITS {
        let number = text.strip_prefix(before).and_then(|rest| rest.strip_suffix(unit));
        if let Some(number) = number.filter(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
            return format!("{number} {}", if number == "1" { one } else { many });
        }
    }
    text
}

/// What was typed into the field; a time without an offset is one of the zone's clock.
#[cfg(feature = "ssr")]
pub(in super::super) fn read_deadline(text: &str, zone: &str) -> Result<Option<SendBefore>, AppError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(at) = local_instant(text, zone) {
        return Ok(Some(SendBefore::At(at)));
    }
    let written = iso(text);
    written.as_deref().unwrap_or(text).parse().map(Some).map_err(|_| {
        let remedy = format!(
            "Write how long after the launch, such as 6 hours, at most {MOST_DAYS} days, or a time such as 2026-12-24 18:00, \
             by the clock of {zone}."
        );
        AppError::field("send_before", remedy)
    })
}

/// `PT6H` for `6 hours`.
#[cfg(any(feature = "ssr", test))]
fn iso(text: &str) -> Option<String> {
    let (number, unit) = text.split_once(' ')?;
    let (_, _, before, short) = UNITS.iter().find(|(one, many, ..)| unit == *one || unit == *many)?;
    Some(format!("{before}{number}{short}"))
}

/// A duration that may be left out.
#[cfg(any(feature = "ssr", test))]
pub(super) fn read_duration(field: &str, text: &str) -> Result<Option<String>, AppError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let written = iso(text).unwrap_or_else(|| text.to_owned());
    if domain::deadline::duration(&written).is_none() {
        let remedy =
            format!("Write how long, such as 30 minutes, 6 hours or 1 day, at most {MOST_DAYS} days, or nothing.");
        return Err(AppError::field(field, remedy));
    }
    Ok(Some(written))
}

#[cfg(any(feature = "ssr", test))]
pub(in super::super) fn read_hours(start: &str, end: &str) -> Result<Option<QuietHours>, AppError> {
    let time = |field: &str, text: &str| text.parse().map_err(|_| AppError::field(field, "Give a time such as 21:00."));
    match (start.trim(), end.trim()) {
        ("", "") => Ok(None),
        ("", _) => Err(AppError::field("quiet_hours", "Give both times, or neither.")),
        (_, "") => Err(AppError::field("quiet_until", "Give both times, or neither.")),
        (start, end) => Ok(Some(QuietHours { start: time("quiet_hours", start)?, end: time("quiet_until", end)? })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "ssr")]
    #[test]
    fn deadlines_are_read_as_they_are_written() {
        let zone = "Asia/Colombo";
        for (typed, stored) in [
            ("6 hours", "PT6H"),
            ("1 day", "P1D"),
            ("90 minutes", "PT90M"),
            ("P1DT6H", "P1DT6H"),
            ("2026-12-24 18:00", "2026-12-24T12:30:00Z"),
            ("2026-11-23T18:00:30Z", "2026-11-23T18:00:30Z"),
        ] {
            let deadline = read_deadline(typed, zone).expect("it can be read").expect("one");
            assert_eq!((deadline.to_string().as_str(), write_deadline(&deadline, zone).as_str()), (stored, typed));
        }
        let read = |text: &str| read_deadline(text, zone);
        assert_eq!(read("2026-12-24T18:00"), read("2026-12-24T18:00:00+05:30"));
        assert_eq!(read(" "), Ok(None));
        for wrong in ["soon", "x hours", "2026-12-24", "2026-12-24T18+05", "2026-13-24 18:00", "400 days"] {
            let error = read(wrong).expect_err(wrong);
            assert!(error.of_field("send_before").is_some_and(|words| words.contains("at most 366 days")), "{wrong}");
        }
    }

    #[cfg(feature = "ssr")]
    #[test]
    fn deadlines_are_told_by_a_clock() {
        let told = |text: &str| tell_deadline(&text.parse().expect("a deadline"), "Asia/Colombo");
        assert_eq!(told("2026-12-24T12:30:00Z"), "Thu 24 December 2026, 18:00 (Asia/Colombo)");
        assert_eq!(told("PT6H"), "6 hours after it begins");
    }

    #[test]
    fn durations_may_be_left_out() {
        assert_eq!(read_duration("delay", "30 minutes"), Ok(Some("PT30M".to_owned())));
        assert_eq!(read_duration("delay", " "), Ok(None));
        assert!(read_duration("delay", "0 minutes").is_err());
    }

    #[test]
    fn hours_are_two_or_none() {
        assert_eq!(read_hours("", " "), Ok(None));
        assert_eq!(read_hours("21:00", "08:00"), Ok(Some(QuietHours::DEFAULT)));
        assert_eq!(
            read_hours("21:00", "").expect_err("one").of_field("quiet_until"),
            Some("Give both times, or neither.")
        );
    }
}
