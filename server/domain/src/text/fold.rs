//! Searching without regard to case, the same way on both databases: the program folds, the databases only compare.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde_json::{Map, Value};

use crate::{contact::Attributes, time::Timestamp};

/// The text without its case, letter by letter: `Straße` and `STRASSE` are the same, and so are `Σ`, `σ` and `ς`.
///
/// Through upper case to lower case, because some letters have several small forms. Folding twice changes nothing.
#[must_use]
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    let folded: String = text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    if folded == text { Cow::Borrowed(text) } else { Cow::Owned(folded) }
}

/// The instant that a text means: an ISO 8601 date (UTC midnight), or a date and time, in UTC where no offset is given.
#[must_use]
pub fn instant(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let date = bytes.get(..10)?;
    let dated = date.iter().enumerate().all(|(place, byte)| match place {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    if !dated {
        return None;
    }
    if bytes.len() == 10 {
        let midnight = text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0)?;
        return Some(Timestamp::from_micros(midnight.and_utc().timestamp_micros()));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(Timestamp::from_micros(time.timestamp_micros()));
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|time| Timestamp::from_micros(time.and_utc().timestamp_micros()))
}

/// What is stored beside a contact's attributes (`contacts.folded`) so that segments mean the same people on both
/// databases. It has the shape of the attributes, and only what differs from them:
///
/// * a text that is an ISO date stands there as its instant, in microseconds;
/// * a text that case folding changes stands there folded, and so does a list with such texts;
/// * objects hold their parts; everything else is left out.
#[must_use]
pub fn shadow(attributes: &Attributes) -> Attributes {
    attributes.iter().filter_map(|(key, value)| Some((key.clone(), shadow_of(value)?))).collect::<Map<_, _>>()
}

fn shadow_of(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => instant(text).map(|time| time.as_micros().into()).or_else(|| folded(text)),
        Value::Array(items) => {
            let changed: Vec<Option<Value>> = items.iter().map(|item| folded(item.as_str()?)).collect();
            changed.iter().any(Option::is_some).then(|| {
                changed.into_iter().zip(items).map(|(folded, item)| folded.unwrap_or_else(|| item.clone())).collect()
            })
        }
        Value::Object(parts) => {
            let shadow = shadow(parts);
            (!shadow.is_empty()).then_some(Value::Object(shadow))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn folded(text: &str) -> Option<Value> {
    match fold(text) {
        Cow::Borrowed(_) => None,
        Cow::Owned(folded) => Some(Value::String(folded)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn case_is_folded_by_unicode() {
        for (one, other) in [("COLOMBO", "colombo"), ("Straße", "STRASSE"), ("ΟΔΟΣ", "οδος"), ("Ärger", "äRGER")]
        {
            assert_eq!(fold(one), fold(other), "{one}");
        }
        assert_ne!(fold("résumé"), fold("resume"));
    }

    #[test]
    fn iso_dates_are_instants() {
        let at = |text: &str| instant(text).map(|time| time.to_string());
        assert_eq!(at("2026-11-23").as_deref(), Some("2026-11-23T00:00:00Z"));
        assert_eq!(at("2026-11-23T09:30:00+05:30").as_deref(), Some("2026-11-23T04:00:00Z"));
        assert_eq!(at("2026-11-23T09:30").as_deref(), Some("2026-11-23T09:30:00Z"));
        assert_eq!(at("2026-11-23 09:30:15").as_deref(), Some("2026-11-23T09:30:15Z"));
        for no_date in
            ["2026-02-30", "23.11.2026", "2026-11", "2026-1-3", "2026-11-23T25:00:00Z", "20261123", "soon", ""]
        {
            assert_eq!(at(no_date), None, "{no_date}");
        }
    }

    #[test]
    fn the_shadow_holds_only_what_differs() {
        let attributes = json!({
            "city": "Colombo", "plan": "gold", "age": 30, "vip": true, "joined": "1970-01-02",
            "tags": ["New", "vip", 3], "codes": ["a", "b"], "home": {"street": "Galle Road", "no": "7b"}, "none": null,
        });
        let Value::Object(attributes) = attributes else { unreachable!() };
        assert_eq!(
            Value::Object(shadow(&attributes)),
            json!({
                "city": "colombo", "joined": 86_400_000_000_i64, "tags": ["new", "vip", 3],
                "home": {"street": "galle road"},
            })
        );
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in any::<String>()) {
            let once = fold(&text).into_owned();
            prop_assert_eq!(fold(&once).into_owned(), once);
        }
    }
}
