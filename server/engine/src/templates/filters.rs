//! The filters of our own. `title` and `default` are minijinja's.

use domain::text::instant;
use jiff::{Timestamp, civil, fmt::strtime, tz::TimeZone};
use minijinja::{Error, ErrorKind, State, Value};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat};

use super::facts::STAND_IN;
use crate::zones;

const DEFAULT_DATE: &str = "%-d %B %Y";

/// Without the value: what is refused is kept with the decision, beyond the person's erasure.
fn refuse(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

fn present(value: &Value) -> Result<&Value, Error> {
    if value.is_undefined() { Err(Error::from(ErrorKind::UndefinedError)) } else { Ok(value) }
}

/// `{{ price|money }}` → `1,234.50`; `{{ price|money("USD") }}` → `$1,234.50`; `{{ price|money("LKR", 0) }}` →
/// `LKR 1,235`. Only signs of the GSM alphabet are used: another one would halve what fits into an SMS.
pub(super) fn money(value: &Value, currency: Option<&str>, decimals: Option<usize>) -> Result<String, Error> {
    let amount = match present(value)?.as_str() {
        Some(text) if text.starts_with(STAND_IN) => return Ok(text.to_owned()),
        Some(text) => text.trim().parse::<f64>().ok(),
        None => f64::try_from(value.clone()).ok(),
    };
    let amount = amount.filter(|amount| amount.is_finite() && amount.abs() < 1e15);
    let amount = amount.ok_or_else(|| refuse("money needs a number"))?;
    let decimals = decimals.unwrap_or(if currency == Some("JPY") { 0 } else { 2 });
    if decimals > 6 {
        return Err(refuse("money takes at most 6 decimals"));
    }
    let digits = rounded(amount.abs(), decimals);
    let sign =
        if amount < 0.0 && digits.bytes().any(|digit| digit.is_ascii_digit() && digit != b'0') { "-" } else { "" };
    let (whole, fraction) = digits.split_once('.').map_or((digits.as_str(), ""), |(whole, fraction)| (whole, fraction));
    let point = if fraction.is_empty() { "" } else { "." };
    let prefix = match currency {
        None | Some("") => String::new(),
        Some("USD") => "$".to_owned(),
        Some("EUR") => "€".to_owned(),
        Some("GBP") => "£".to_owned(),
        Some("JPY") => "¥".to_owned(),
        Some(other) => format!("{other} "),
    };
    Ok(format!("{sign}{prefix}{}{point}{fraction}", grouped(whole)))
}

/// Rounded as people do, half up on the decimal digits: 1.005 is 1.01, though its binary form is a little less.
fn rounded(amount: f64, decimals: usize) -> String {
    let text = amount.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let kept: String = fraction.chars().chain(std::iter::repeat('0')).take(decimals).collect();
    let up = fraction.as_bytes().get(decimals).is_some_and(|next| *next >= b'5');
    let units = format!("{whole}{kept}").parse::<u128>().unwrap_or_default() + u128::from(up);
    let digits = format!("{units:0width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    if decimals == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `{{ joined|date }}` → `23 November 2026`; `{{ joined|date("%d.%m.%Y %H:%M") }}`. A date is itself everywhere; a time
/// is told in the person's time zone, in UTC when that is not known.
pub(super) fn date(state: &State, value: &Value, format: Option<&str>) -> Result<String, Error> {
    let text = present(value)?.as_str().unwrap_or_default();
    if text.starts_with(STAND_IN) {
        return Ok(text.to_owned());
    }
    let not_a_date = || refuse("date needs a date such as 2026-11-23");
    let told = |told: Result<String, jiff::Error>| told.map_err(|error| refuse(format!("date format: {error}")));
    let format = format.unwrap_or(DEFAULT_DATE);
    if text.len() == 10 {
        let day: civil::Date = text.parse().map_err(|_| not_a_date())?;
        return told(strtime::format(format, day));
    }
    let time =
        instant(text).and_then(|time| Timestamp::from_microsecond(time.as_micros()).ok()).ok_or_else(not_a_date)?;
    let zone = state.lookup("timezone");
    let zone = zone.as_ref().and_then(Value::as_str).and_then(zones::zone).unwrap_or(TimeZone::UTC);
    told(strtime::format(format, &time.to_zoned(zone)))
}

/// `{{ phone|phone }}` → `+1 415-555-0100`.
pub(super) fn phone(value: &Value) -> Result<String, Error> {
    let text = present(value)?.to_string();
    if text.starts_with(STAND_IN) {
        return Ok(text);
    }
    let number =
        PHONE_NUMBER_UTIL.parse(&text, None).map_err(|_| refuse("phone needs a phone number with its country code"))?;
    Ok(PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::International).into_owned())
}

#[cfg(test)]
mod tests {
    fn render(source: &str) -> Result<String, String> {
        let environment = super::super::sandbox::environment();
        let context = minijinja::context! {
            price => 1_234.5, cheap => -0.001, text => "99", joined => "2026-11-23", at => "2026-11-23T20:00:00Z",
            timezone => "Asia/Colombo", phone => "+14155550100", word => "x",
        };
        environment.render_str(source, context).map_err(|error| error.detail().unwrap_or_default().to_owned())
    }

    #[test]
    fn money_is_grouped_and_signed() {
        for (source, expected) in [
            ("{{ price|money }}", "1,234.50"),
            ("{{ price|money('USD') }}", "$1,234.50"),
            ("{{ price|money('LKR', 0) }}", "LKR 1,235"),
            ("{{ (-price)|money('LKR', 0) }}", "-LKR 1,235"),
            ("{{ 1.005|money }} {{ 0.5|money('X', 0) }} {{ 0.05|money }} {{ 99.999|money }}", "1.01 X 1 0.05 100.00"),
            ("{{ 1000000|money('JPY') }}", "¥1,000,000"),
            ("{{ text|money('EUR') }}", "€99.00"),
            ("{{ cheap|money }}", "0.00"),
        ] {
            assert_eq!(render(source).as_deref(), Ok(expected), "{source}");
        }
        assert_eq!(render("{{ word|money }}").unwrap_err(), "money needs a number", "and not the value");
    }

    #[test]
    fn dates_are_themselves_and_times_are_the_person_s() {
        assert_eq!(render("{{ joined|date }}").as_deref(), Ok("23 November 2026"));
        assert_eq!(render("{{ joined|date('%d.%m.%Y') }}").as_deref(), Ok("23.11.2026"));
        assert_eq!(render("{{ at|date('%-d %b %H:%M') }}").as_deref(), Ok("24 Nov 01:30"));
        assert!(render("{{ word|date }}").unwrap_err().contains("needs a date"));
        assert!(render("{{ joined|date('%H') }}").is_err());
    }

    #[test]
    fn phones_are_written_for_people() {
        assert_eq!(render("{{ phone|phone }}").as_deref(), Ok("+1 415-555-0100"));
        assert!(render("{{ word|phone }}").is_err());
    }
}
