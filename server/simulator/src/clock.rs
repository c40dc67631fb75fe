//! Times as Twilio writes them.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, civil, tz::TimeZone};

/// Milliseconds since 1970. Twilio lives in real time, and so does its stand-in.
#[expect(clippy::disallowed_methods, reason = "the one place of this crate that reads the clock")]
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn utc(ms: i64) -> civil::DateTime {
    TimeZone::UTC.to_datetime(timestamp(ms))
}

/// `Thu, 24 Aug 2023 05:01:45 +0000`: dates of the 2010 API.
pub(crate) fn rfc2822(ms: i64) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let at = utc(ms);
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000",
        DAYS[at.weekday().to_monday_zero_offset().unsigned_abs() as usize % 7],
        at.day(),
        MONTHS[(at.month().unsigned_abs() as usize + 11) % 12],
        at.year(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// RFC 3339 in UTC with milliseconds as far as there are any: the control API.
pub(crate) fn rfc3339(ms: i64) -> String {
    timestamp(ms).to_string()
}

/// RFC 3339 in UTC, whole seconds: the Content API.
pub(crate) fn iso_seconds(ms: i64) -> String {
    timestamp(ms - ms.rem_euclid(1000)).to_string()
}

/// `YYMMDDhhmm`: `RawDlrDoneDate` of SMS receipts.
pub(crate) fn receipt_date(ms: i64) -> String {
    let at = utc(ms);
    format!("{:02}{:02}{:02}{:02}{:02}", at.year() % 100, at.month(), at.day(), at.hour(), at.minute())
}

/// The milliseconds `[start, end)` meant by a filter value: a GMT day, or one second.
pub(crate) fn span(text: &str) -> Option<(i64, i64)> {
    if let Ok(day) = text.parse::<civil::Date>()
        && text.len() <= 10
    {
        let start = day.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond();
        return Some((start, start + 86_400_000));
    }
    let start = instant(text)?;
    Some((start, start + 1000))
}

/// An ISO 8601 instant; without an offset it is UTC.
pub(crate) fn instant(text: &str) -> Option<i64> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_millisecond());
    }
    let at = text.parse::<civil::DateTime>().ok()?;
    (text.len() > 10).then(|| at.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp().as_millisecond()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_as_twilio_writes_them() {
        let ms = 1_692_853_305_000;
        assert_eq!(rfc2822(ms), "Thu, 24 Aug 2023 05:01:45 +0000");
        assert_eq!(rfc3339(ms + 7), "2023-08-24T05:01:45.007Z");
        assert_eq!(iso_seconds(ms + 7), "2023-08-24T05:01:45Z");
        assert_eq!(receipt_date(ms), "2308240501");
        assert_eq!(rfc2822(0), "Thu, 01 Jan 1970 00:00:00 +0000");
    }

    #[test]
    fn filters_take_days_and_instants() {
        let day = 1_692_835_200_000;
        assert_eq!(span("2023-08-24"), Some((day, day + 86_400_000)));
        assert_eq!(span("2023-08-24T05:01:45Z"), Some((1_692_853_305_000, 1_692_853_306_000)));
        assert_eq!(span("2023-08-24T05:01:45"), Some((1_692_853_305_000, 1_692_853_306_000)));
        assert_eq!(span("yesterday"), None);
        assert_eq!(instant("2023-08-24"), None);
    }
}
