//! What an edit is told that was made on an earlier version: where it differs from what is stored by now.

use domain::problem::FieldError;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::Error;

/// So many characters of a stored value are shown.
const SHOWN: usize = 300;

/// These are merged: parts that an edit does not name are none of its business.
const MERGED: [&str; 2] = ["attributes", "keywords"];

/// The refusal of `patch`, with each of its fields that differs from `stored`.
pub(crate) fn stale(patch: &impl Serialize, stored: &impl Serialize) -> Error {
    let mut fields = Vec::new();
    if let (Ok(Value::Object(patch)), Ok(Value::Object(stored))) =
        (serde_json::to_value(patch), serde_json::to_value(stored))
    {
        compare_parts("", &patch, &stored, &mut fields);
    }
    Error::Stale(fields)
}

/// How a stored value is told.
pub(crate) fn stored_now(value: &str) -> String {
    let mut shown: String = value.chars().take(SHOWN).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    format!("Stored now: {shown}.")
}

fn compare_parts(path: &str, asked: &Map<String, Value>, stored: &Map<String, Value>, fields: &mut Vec<FieldError>) {
    let within = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    for (key, asked) in asked {
        compare(&within(key), asked, stored.get(key).unwrap_or(&Value::Null), fields);
    }
    // The edit replaces a value as a whole, so what it leaves out would be gone.
    if !path.is_empty() && !MERGED.contains(&path) {
        let left_out = stored.iter().filter(|(key, _)| !asked.contains_key(*key));
        fields.extend(left_out.map(|(key, value)| FieldError::new(within(key), stored_now(&text(value)))));
    }
}

fn compare(path: &str, asked: &Value, stored: &Value, fields: &mut Vec<FieldError>) {
    match (asked, stored) {
        (Value::Object(asked), Value::Object(stored)) => compare_parts(path, asked, stored, fields),
        _ if asked == stored => {}
        _ => fields.push(FieldError::new(path, stored_now(&text(stored)))),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) if text.is_empty() => "nothing".to_owned(),
        Value::String(text) => format!("“{text}”"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(patch: &Value, stored: &Value) -> Vec<(String, String)> {
        let Error::Stale(fields) = stale(patch, stored) else { panic!("another error") };
        fields.into_iter().map(|error| (error.field, error.message)).collect()
    }

    fn expected(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(field, message)| ((*field).to_owned(), (*message).to_owned())).collect()
    }

    #[test]
    fn every_field_that_differs_is_told_with_what_is_stored() {
        let stored = json!({
            "name": "Offers", "topic": null, "rate": 5, "note": "", "kept": true, "version": 4,
            "attributes": {"city": "Kandy", "age": 7},
            "variants": {"en": {"body": "Hi", "media": null}, "si": {"body": "ආයුබෝවන්", "media": null}},
        });
        let patch = json!({
            "name": "News", "topic": "a", "rate": 6, "note": "x", "kept": true, "version": 3,
            "attributes": {"city": "Galle"},
            "variants": {"en": {"body": "Hello", "media": null}},
        });
        let mut found = told(&patch, &stored);
        found.sort();
        let si = json!({"body": "ආයුබෝවන්", "media": null}).to_string();
        assert_eq!(
            found,
            expected(&[
                ("attributes.city", "Stored now: “Kandy”."),
                ("name", "Stored now: “Offers”."),
                ("note", "Stored now: nothing."),
                ("rate", "Stored now: 5."),
                ("topic", "Stored now: nothing."),
                ("variants.en.body", "Stored now: “Hi”."),
                ("variants.si", &format!("Stored now: {si}.")),
                ("version", "Stored now: 4."),
            ])
        );
        assert_eq!(told(&stored, &stored), []);
        let (patch, stored) = (json!({"keywords": {"stop": ["a"]}}), json!({"keywords": {"stop": [], "start": ["b"]}}));
        assert_eq!(told(&patch, &stored), expected(&[("keywords.stop", "Stored now: [].")]));
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let told = stored_now(&"ü".repeat(SHOWN + 1));
        assert_eq!(told.chars().filter(|c| *c == 'ü').count(), SHOWN);
        assert!(told.ends_with("….") && !stored_now(&"ü".repeat(SHOWN)).contains('…'));
    }
}
