//! What a cell becomes as the value of an attribute.

use serde_json::Value;

/// A cell's value: plain decimals are numbers (unless a leading zero or plus sign says that they are names), all else is
/// text. Dates stay text: segments understand ISO dates.
pub(super) fn plain_value(cell: &str) -> Option<Value> {
    let text = clean(cell);
    if text.is_empty() {
        return None;
    }
    Some(number(&text).unwrap_or(Value::String(text)))
}

fn number(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').map_or((unsigned, None), |(whole, rest)| (whole, Some(rest)));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = digits(whole) && fraction.is_none_or(digits) && (whole == "0" || !whole.starts_with('0'));
    // More digits than a float holds exactly are a name, too: an account, a card.
    if !is_plain || unsigned.len() > 15 {
        return None;
    }
    match fraction {
        None => text.parse::<i64>().ok().map(Value::from),
        Some(_) => text.parse::<f64>().ok().map(Value::from),
    }
}

/// Trimmed, without NUL characters, which the databases do not store.
pub(super) fn clean(text: &str) -> String {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if text.contains('\0') { text.replace('\0', "") } else { text.to_owned() }
}

pub(super) fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(parts) => parts.iter().any(|(key, value)| key.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

pub(super) fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(clean(&text)),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(parts) => {
            parts.into_iter().map(|(key, value)| (key.replace('\0', ""), without_nul(value))).collect()
        }
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_plain_decimals_only() {
        for (text, expected) in [
            ("30", json!(30)),
            ("-7", json!(-7)),
            ("0", json!(0)),
            ("0.5", json!(0.5)),
            ("2439.28", json!(2439.28)),
            ("007", json!("007")),
            ("+5", json!("+5")),
            ("1,5", json!("1,5")),
            ("1e3", json!("1e3")),
            (".5", json!(".5")),
            ("5.", json!("5.")),
            ("2024-04-04", json!("2024-04-04")),
            ("1234567890123456", json!("1234567890123456")),
        ] {
            assert_eq!(plain_value(text), Some(expected), "{text}");
        }
        assert_eq!(plain_value(" \u{a0} "), None);
    }
}
