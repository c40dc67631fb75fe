//! Numbers, phones and times as people read them. Own small code: the standard formatters of dates and locales would
//! weigh more than all pages together, and must give the same text on the server and in the browser.

use domain::time::Timestamp;

/// `1,234,567`. Takes any of the integer types.
#[must_use]
pub fn num(number: impl TryInto<i64>) -> String {
    grouped(number.try_into().unwrap_or(i64::MAX))
}

fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `3 contacts`, `1 contact`, `no contacts`: the number with the right form of its word.
#[must_use]
pub fn counted(number: i64, one: &str, many: &str) -> String {
    match number {
        0 => format!("no {many}"),
        1 => format!("1 {one}"),
        n => format!("{} {many}", grouped(n)),
    }
}

/// `96.8 %`, `<0.1 %`, `–` when there is no whole.
#[must_use]
pub fn percent(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return "–".to_owned();
    }
    let permille = i128::from(part) * 1_000 / i128::from(whole);
    match permille {
        0 if part > 0 => "<0.1 %".to_owned(),
        1_000 if part < whole => ">99.9 %".to_owned(),
        n if n % 10 == 0 => format!("{} %", n / 10),
        n => format!("{}.{} %", n / 10, n % 10),
    }
}

/// `1.4 MB`.
#[must_use]
pub fn bytes(count: i64) -> String {
    let count = count.max(0);
    if count < 1_000 {
        return format!("{count} B");
    }
    let (unit, name) = match count {
        ..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    let tenths = count * 10 / unit;
    if tenths >= 1_000 { format!("{} {name}", tenths / 10) } else { format!("{}.{} {name}", tenths / 10, tenths % 10) }
}

/// A phone number in groups: `+94 77 678 9012`. Groups are a help for the eye, not the country's own rules, which would
/// need a large table.
#[must_use]
pub fn phone(number: impl AsRef<str>) -> String {
    group_phone(number.as_ref())
}

fn group_phone(number: &str) -> String {
    let Some(digits) = number.strip_prefix('+') else { return number.to_owned() };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || digits.len() < 7 {
        return number.to_owned();
    }
    let (country, rest) = digits.split_at(country_code_length(digits));
    let groups: &[usize] = match (country, rest.len()) {
        ("91", 10) => &[5, 5],
        ("44" | "49", 10 | 11) => &[4, 7],
        ("55", 11) => &[2, 5, 4],
        (_, 6) => &[3, 3],
        (_, 7) => &[3, 4],
        (_, 8) => &[4, 4],
        (_, 9) => &[2, 3, 4],
        (_, 10) => &[3, 3, 4],
        (_, 11) => &[3, 4, 4],
        _ => &[4, 4, 4, 4],
    };
    let mut text = format!("+{country}");
    let mut rest = rest;
    for size in groups {
        if rest.is_empty() {
            break;
        }
        let (group, others) = rest.split_at((*size).min(rest.len()));
        text.push(' ');
        text.push_str(group);
        rest = others;
    }
    text.push_str(rest);
    text
}

/// ITU-T E.164, list of assigned country codes: zones 1 and 7 have one digit, the listed ones two, all others three.
fn country_code_length(digits: &str) -> usize {
    const TWO: &[&str] = &[
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49",
        "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84",
        "86", "90", "91", "92", "93", "94", "95", "98",
    ];
    match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        _ if digits.get(..2).is_some_and(|start| TWO.contains(&start)) => 2,
        _ => 3,
    }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A day and a time of day, in whatever zone the caller has moved the instant to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Civil {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
    /// Days since 1970-01-01.
    days: i64,
}

fn civil(micros: i64) -> Civil {
    let seconds = micros.div_euclid(Timestamp::SECOND);
    let days = seconds.div_euclid(86_400);
    let of_day = seconds.rem_euclid(86_400);
    // Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month: usize::try_from(month - 1).unwrap_or(0),
        day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
        weekday: usize::try_from((days + 3).rem_euclid(7)).unwrap_or(0),
        hour: of_day / 3_600,
        minute: of_day / 60 % 60,
        second: of_day % 60,
        days,
    }
}

/// `23 Nov 2026, 09:00 UTC`: the same for everybody, what a page shows before scripts know better.
#[must_use]
pub fn utc(at: Timestamp) -> String {
    let t = civil(at.as_micros());
    format!("{} {} {}, {:02}:{:02} UTC", t.day, MONTHS[t.month], t.year, t.hour, t.minute)
}

/// `Mon 23 Nov 2026`: the day of an instant moved by the offset of the reader's zone.
#[must_use]
pub fn day(at: Timestamp, offset_minutes: i64) -> String {
    let t = civil(at.plus(offset_minutes * Timestamp::MINUTE).as_micros());
    format!("{} {} {} {}", WEEKDAYS[t.weekday], t.day, MONTHS[t.month], t.year)
}

/// `Mon 23 Nov 2026, 14:30:05`: an instant moved by the offset of the reader's zone, to the second.
#[must_use]
pub fn exact(at: Timestamp, offset_minutes: i64) -> String {
    let t = civil(at.plus(offset_minutes * Timestamp::MINUTE).as_micros());
    format!(
        "{} {} {} {}, {:02}:{:02}:{:02}",
        WEEKDAYS[t.weekday], t.day, MONTHS[t.month], t.year, t.hour, t.minute, t.second
    )
}

/// How long ago, or how soon: `just now`, `5 min ago`, `in 2 h`, `yesterday 14:30`, `3 Nov`, `3 Nov 2025`.
#[must_use]
pub fn relative(at: Timestamp, now: Timestamp, offset_minutes: i64) -> String {
    let away = at.since(now);
    let minutes = away.abs() / Timestamp::MINUTE;
    match (minutes, away < 0) {
        (0, _) => return "just now".to_owned(),
        (1..60, true) => return format!("{minutes} min ago"),
        (1..60, false) => return format!("in {minutes} min"),
        (60..720, true) => return format!("{} h ago", minutes / 60),
        (60..720, false) => return format!("in {} h", minutes / 60),
        _ => {}
    }
    moment(at, now, offset_minutes)
}

/// The day as one would say it, and the time where it matters: `today 10:42`, `Tue 10:42`, `3 Nov`, `3 Nov 2025`.
#[must_use]
pub fn moment(at: Timestamp, now: Timestamp, offset_minutes: i64) -> String {
    let shift = offset_minutes * Timestamp::MINUTE;
    let (t, today) = (civil(at.plus(shift).as_micros()), civil(now.plus(shift).as_micros()));
    let time = format!("{:02}:{:02}", t.hour, t.minute);
    match t.days - today.days {
        0 => format!("today {time}"),
        -1 => format!("yesterday {time}"),
        1 => format!("tomorrow {time}"),
        -6..=6 => format!("{} {time}", WEEKDAYS[t.weekday]),
        _ if t.year == today.year => format!("{} {}", t.day, MONTHS[t.month]),
        _ => format!("{} {} {}", t.day, MONTHS[t.month], t.year),
    }
}

/// `12 s`, `4 min`, `3 h 20 min`, `2 days`.
#[must_use]
pub fn duration(micros: i64) -> String {
    let seconds = micros.max(0) / Timestamp::SECOND;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 if seconds / 60 % 60 == 0 => format!("{} h", seconds / 3_600),
        3_600..172_800 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn numbers() {
        assert_eq!(num(0_u32), "0");
        assert_eq!(num(999_i64), "999");
        assert_eq!(num(29_410_u64), "29,410");
        assert_eq!(num(-1_234_567_i64), "−1,234,567");
        assert_eq!(counted(1, "contact", "contacts"), "1 contact");
        assert_eq!(counted(0, "contact", "contacts"), "no contacts");
        assert_eq!(percent(968, 1_000), "96.8 %");
        assert_eq!(percent(1, 100_000), "<0.1 %");
        assert_eq!(percent(99_999, 100_000), "99.9 %");
        assert_eq!(percent(1, 2), "50 %");
        assert_eq!(percent(0, 0), "–");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_450_000), "1.4 MB");
    }

    #[test]
    fn phones() {
        assert_eq!(phone("+94776789012"), "+94 77 678 9012");
        assert_eq!(phone("+14155550142"), "+1 415 555 0142");
        assert_eq!(phone("+919876543210"), "+91 98765 43210");
        assert_eq!(phone("+4915123456789"), "+49 1512 3456789");
        assert_eq!(phone("+5511961234567"), "+55 11 96123 4567");
        assert_eq!(phone("+2348035550199"), "+234 803 555 0199");
        assert_eq!(phone("whatsapp"), "whatsapp");
    }

    #[test]
    fn times() {
        let t = at("2026-11-23T09:00:05Z");
        assert_eq!(utc(t), "23 Nov 2026, 09:00 UTC");
        assert_eq!(day(t, 16 * 60), "Tue 24 Nov 2026");
        assert_eq!(exact(t, 330), "Mon 23 Nov 2026, 14:30:05");
        assert_eq!(utc(at("1969-12-31T23:59:59Z")), "31 Dec 1969, 23:59 UTC");
        assert_eq!(utc(at("2024-02-29T00:00:00Z")), "29 Feb 2024, 00:00 UTC");
        assert_eq!(relative(at("2026-11-23T08:59:40Z"), t, 0), "just now");
        assert_eq!(relative(at("2026-11-23T08:55:00Z"), t, 0), "5 min ago");
        assert_eq!(relative(at("2026-11-23T11:30:05Z"), t, 0), "in 2 h");
        assert_eq!(relative(at("2026-11-22T10:42:00Z"), t, 0), "yesterday 10:42");
        assert_eq!(moment(at("2026-11-24T10:42:00Z"), t, 0), "tomorrow 10:42");
        assert_eq!(moment(at("2026-11-26T10:42:00Z"), t, 0), "Thu 10:42");
        assert_eq!(moment(at("2025-11-03T10:42:00Z"), t, 0), "3 Nov 2025");
        assert_eq!(duration(200 * Timestamp::MINUTE), "3 h 20 min");
    }
}
