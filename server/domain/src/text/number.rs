//! Numbers that a program would not give back as they were written: they are names, such as of accounts, and stay text.

use std::borrow::Cow;

use serde_json::Number;

/// The largest whole number up to which every program that reads JSON counts exactly.
const EXACT: u64 = 1 << 53;

/// JSON in which the numbers that would lose digits are texts; everything else is as it was, errors included.
#[must_use]
pub fn exact(json: &str) -> Cow<'_, str> {
    let mut exact = String::new();
    let mut copied = 0;
    for (start, end) in numbers(json.as_bytes()) {
        let number = &json[start..end];
        if is_number(number) && !keeps_digits(number) {
            exact.push_str(&json[copied..start]);
            exact.push('"');
            exact.push_str(number);
            exact.push('"');
            copied = end;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    exact.push_str(&json[copied..]);
    Cow::Owned(exact)
}

/// Where words stand that begin like numbers, outside of texts.
fn numbers(json: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => at = behind_text(json, at + 1),
            b'-' | b'0'..=b'9' => {
                let start = at;
                while json.get(at).is_some_and(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
                    at += 1;
                }
                // Shorter ones keep their digits, whatever they are.
                if at - start > 15 || json[start..at].iter().any(|byte| matches!(byte, b'e' | b'E')) {
                    found.push((start, at));
                }
            }
            _ => at += 1,
        }
    }
    found
}

fn behind_text(json: &[u8], mut at: usize) -> usize {
    while let Some(byte) = json.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    json.len()
}

/// Whether this is a number as JSON writes it: what is none must not become right as a text.
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(front, rest)| (front, Some(rest)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(front, rest)| (front, Some(rest)));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}

/// Whether the number is the same when it is read and written again.
fn keeps_digits(number: &str) -> bool {
    if !number.contains(['.', 'e', 'E']) {
        return number.parse::<i64>().is_ok_and(|number| number.unsigned_abs() <= EXACT);
    }
    let read = number.parse().ok().and_then(Number::from_f64);
    read.is_some_and(|read| decimal(&read.to_string()) == decimal(number))
}

/// The sign, the digits without the zeros around them, and the power of ten that they are multiplied by.
fn decimal(number: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = format!("{whole}{fraction}");
    let short = digits.trim_end_matches('0');
    if short.trim_start_matches('0').is_empty() {
        return (false, String::new(), 0);
    }
    let moved = i64::try_from(digits.len() - short.len()).unwrap_or(0) - i64::try_from(fraction.len()).unwrap_or(0);
    let exponent = exponent.parse::<i64>().unwrap_or(i64::MAX).saturating_add(moved);
    (mantissa.starts_with('-'), short.trim_start_matches('0').to_owned(), exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_number_would_lose_stays_as_text() {
        for kept in [
            "0",
            "-7",
            "9007199254740992",
            "-9007199254740992",
            "0.1",
            "0.30000000000000004",
            "-2.50",
            "1e3",
            "1E+21",
            "1.5e-7",
            "0.00000000000000000000",
            "100000.000000000000000",
            "true",
        ] {
            assert_eq!(exact(kept), kept);
        }
        for lost in [
            "9007199254740993",
            "-9007199254740993",
            "12345678901234567890",
            "123456789012345678901234567890",
            "0.1234567890123456789",
            "1234567890123456.789",
            "1e999",
            "1e-999",
            "12345678901234567890e3",
        ] {
            assert_eq!(exact(lost), format!("\"{lost}\""));
        }
    }

    #[test]
    fn only_numbers_are_touched() {
        let json = r#"{"card": 4111111111111111222, "n":[1,-12345678901234567890], "text": "12345678901234567890 \" 1e999", "e": 1}"#;
        assert_eq!(
            exact(json),
            r#"{"card": "4111111111111111222", "n":[1,"-12345678901234567890"], "text": "12345678901234567890 \" 1e999", "e": 1}"#
        );
        for broken in
            ["01234567890123456789", "1234567890123456789.", "--12345678901234567890", "1e", "\"1e999", "1-e9"]
        {
            assert_eq!(exact(broken), broken, "it stays an error");
        }
    }
}
