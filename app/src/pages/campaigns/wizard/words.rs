//! Times of the sending step as people write them.

use domain::deadline::SendBefore;
#[cfg(any(feature = "ssr", test))]
use {crate::error::AppError, domain::quiet::QuietHours};

/// Units that people write, and those of ISO 8601 that stand behind `P` or `PT`.
const UNITS: [(&str, &str, &str, &str); 4] = [
    ("minute", "minutes", "PT", "M"),
    ("hour", "hours", "PT", "H"),
    ("day", "days", "P", "D"),
    ("week", "weeks", "P", "W"),
];

/// `6 hours` for `PT6H`; what is of several units stays as it is.
pub(in super::super) fn write_deadline(deadline: &SendBefore) -> String {
    spoken(deadline.to_string())
}

/// The same for a duration.
pub(in super::super) fn spoken(text: String) -> String {
    for (one, many, before, unit) in UNITS {
        let number = text.strip_prefix(before).and_then(|rest| rest.strip_suffix(unit));
        if let Some(number) = number.filter(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
            return format!("{number} {}", if number == "1" { one } else { many });
        }
    }
    text
}

#[cfg(any(feature = "ssr", test))]
pub(in super::super) fn read_deadline(text: &str) -> Result<Option<SendBefore>, AppError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let written = iso(text);
    let read = written.as_deref().unwrap_or(text).parse();
    let remedy = "Write how long after the launch, such as 6 hours, or a time such as 2026-11-23T18:00:00Z.";
    read.map(Some).map_err(|_| AppError::field("send_before", remedy))
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
        return Err(AppError::field(field, "Write how long, such as 30 minutes, 6 hours or 1 day, or nothing."));
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

    #[test]
    fn deadlines_are_read_as_they_are_written() {
        for (typed, stored) in [
            ("6 hours", "PT6H"),
            ("1 day", "P1D"),
            ("90 minutes", "PT90M"),
            ("P1DT6H", "P1DT6H"),
            ("2026-11-23T18:00:00Z", "2026-11-23T18:00:00Z"),
        ] {
            let deadline = read_deadline(typed).expect("it can be read").expect("one");
            assert_eq!((deadline.to_string().as_str(), write_deadline(&deadline).as_str()), (stored, typed));
        }
        assert_eq!(read_deadline(" "), Ok(None));
        assert!(read_deadline("soon").is_err() && read_deadline("x hours").is_err());
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
