//! What may stand in a contact's fields.

use std::borrow::Cow;

use domain::{contact::Attributes, problem::FieldError};
use serde_json::Value;

use crate::zones;

/// The longest key of an attribute, in characters.
pub(crate) const KEY_MAX: usize = 64;

/// The most attributes a person has.
pub(crate) const ATTRIBUTES_MAX: usize = 200;

/// The longest text of one attribute, in bytes.
pub(crate) const TEXT_MAX: usize = 4_096;

/// All attributes of a person together, as JSON, in bytes.
pub(crate) const SIZE_MAX: usize = 32_768;

/// How deep objects and lists may stand in each other.
const DEPTH_MAX: usize = 5;

/// A time zone's name as the zone database writes it, for any writing of its letters.
pub(crate) fn timezone(text: &str) -> Option<String> {
    zones::zone_name(text).map(str::to_owned)
}

/// A language tag such as `en` or `pt-BR` (BCP 47), for any writing of its letters; `pt_BR` is understood.
pub(crate) fn locale(text: &str) -> Option<String> {
    let text = text.trim();
    let mut parts = text.split(['-', '_']);
    let language = parts.next()?;
    if !matches!(language.len(), 2 | 3) || !language.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    let mut tag = language.to_ascii_lowercase();
    for part in parts {
        if !(2..=8).contains(&part.len()) || !part.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        tag.push('-');
        // By convention regions are written large and scripts with a capital.
        let part: Cow<'_, str> = match part.len() {
            2 => part.to_ascii_uppercase().into(),
            4 if part.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
                format!("{}{}", part[..1].to_ascii_uppercase(), part[1..].to_ascii_lowercase()).into()
            }
            _ => part.to_ascii_lowercase().into(),
        };
        tag.push_str(&part);
    }
    (tag.len() <= 35).then_some(tag)
}

/// What has to be corrected in attributes.
pub(crate) fn problems(attributes: &Attributes) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if attributes.len() > ATTRIBUTES_MAX {
        errors.push(FieldError::new("attributes", format!("Give at most {ATTRIBUTES_MAX} attributes.")));
    }
    for (key, value) in attributes {
        let field = format!("attributes.{key}");
        if let Some(problem) = key_problem(key).or_else(|| value_problem(value, DEPTH_MAX)) {
            errors.push(FieldError::new(field, problem));
        }
    }
    if errors.is_empty() && serde_json::to_vec(attributes).is_ok_and(|json| json.len() > SIZE_MAX) {
        errors.push(FieldError::new("attributes", format!("All attributes together take at most {SIZE_MAX} bytes.")));
    }
    errors
}

fn key_problem(key: &str) -> Option<String> {
    let length = key.chars().count();
    if length == 0 || length > KEY_MAX || key.trim() != key {
        return Some(format!("A key has 1 to {KEY_MAX} characters, without blanks around it."));
    }
    // Dots lead into nested values where a segment or a template names an attribute.
    key.chars().any(|c| c.is_control() || c == '.').then(|| "A key has no dots and no control characters.".to_owned())
}

fn value_problem(value: &Value, depth: usize) -> Option<String> {
    match value {
        Value::String(text) if text.len() > TEXT_MAX => Some(format!("A text takes at most {TEXT_MAX} bytes.")),
        // Neither database stores it in a text.
        Value::String(text) if text.contains('\0') => Some("A text holds no NUL character.".to_owned()),
        Value::Array(_) | Value::Object(_) if depth == 0 => {
            Some(format!("Values stand in each other at most {DEPTH_MAX} deep."))
        }
        Value::Array(items) => items.iter().find_map(|item| value_problem(item, depth - 1)),
        Value::Object(parts) => {
            parts.iter().find_map(|(key, value)| key_problem(key).or_else(|| value_problem(value, depth - 1)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn zones_and_languages_are_written_in_one_way() {
        for (text, expected) in [
            (" asia/colombo ", Some("Asia/Colombo")),
            ("Europe/Berlin", Some("Europe/Berlin")),
            ("UTC", Some("UTC")),
            ("Mars/Olympus", None),
            ("EST5EDT,M3.2.0,M11.1.0", None),
            ("", None),
        ] {
            assert_eq!(timezone(text).as_deref(), expected, "{text}");
        }
        for (text, expected) in [
            ("EN", Some("en")),
            ("pt_br", Some("pt-BR")),
            ("zh-hans-cn", Some("zh-Hans-CN")),
            ("si", Some("si")),
            ("english", None),
            ("e", None),
            ("en-", None),
            ("", None),
        ] {
            assert_eq!(locale(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn every_attribute_that_cannot_be_stored_is_named() {
        let attributes = json!({
            "": 1, "a.b": 1, "nul": "a\u{0}b", "long": "x".repeat(TEXT_MAX + 1),
            "deep": [[[[[[1]]]]]], "fine": {"list": [1, "two", null]},
        });
        let Value::Object(attributes) = attributes else { unreachable!() };
        let mut fields: Vec<String> = problems(&attributes).into_iter().map(|error| error.field).collect();
        fields.sort();
        assert_eq!(fields, ["attributes.", "attributes.a.b", "attributes.deep", "attributes.long", "attributes.nul"]);
    }
}
