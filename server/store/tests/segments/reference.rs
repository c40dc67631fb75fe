//! The rules as they are written down, over plain JSON: what both databases are compared with. It shares nothing with
//! the compiler but the reading of dates and the folding of case.

use std::cmp::Ordering;

use domain::{
    text::{fold, instant},
    time::Timestamp,
};
use serde_json::Value;

/// Whether the person belongs to the definition.
pub fn matches(node: &Value, person: &Value, now: Timestamp) -> bool {
    let Some(rules) = node.get("rules").and_then(Value::as_array) else { return rule(node, person, now) };
    let holds = if rules.is_empty() {
        true
    } else if node["combinator"] == "and" {
        rules.iter().all(|inner| matches(inner, person, now))
    } else {
        rules.iter().any(|inner| matches(inner, person, now))
    };
    holds != (node["not"] == true)
}

fn rule(rule: &Value, person: &Value, now: Timestamp) -> bool {
    let field = rule["field"].as_str().unwrap_or_default();
    let (operator, wanted) = (rule["operator"].as_str().unwrap_or_default(), &rule["value"]);
    if matches!(field, "topic" | "import") {
        let own = person[format!("{field}s")].as_array().cloned().unwrap_or_default();
        return match operator {
            "=" => own.contains(wanted),
            "!=" => !own.contains(wanted),
            "in" => list(wanted).iter().any(|one| own.contains(one)),
            _ => !list(wanted).iter().any(|one| own.contains(one)),
        };
    }
    let is_time = field.ends_with("_at");
    let found = match field.strip_prefix("attributes.") {
        Some(path) => path.split('.').try_fold(&person["attributes"], |at, step| at.as_object()?.get(step)),
        None if field == format!("campaign.{}.state", crate::world::CAMPAIGNS[0]) => person.get("state"),
        None => person.get(field),
    };
    let Some(found) = found.filter(|found| !found.is_null()) else {
        return matches!(operator, "null" | "!=" | "notIn");
    };
    let same = |wanted: &Value| if is_time { time(found) == time(wanted) } else { equal(found, wanted) };
    match operator {
        "null" => false,
        "notNull" => true,
        "=" => same(wanted),
        "!=" => !same(wanted),
        "in" => list(wanted).iter().any(same),
        "notIn" => !list(wanted).iter().any(same),
        "<" => compare(found, wanted) == Some(Ordering::Less),
        "<=" => matches!(compare(found, wanted), Some(Ordering::Less | Ordering::Equal)),
        ">" => compare(found, wanted) == Some(Ordering::Greater),
        ">=" => matches!(compare(found, wanted), Some(Ordering::Greater | Ordering::Equal)),
        "between" => {
            matches!(compare(found, &wanted[0]), Some(Ordering::Greater | Ordering::Equal))
                && matches!(compare(found, &wanted[1]), Some(Ordering::Less | Ordering::Equal))
        }
        "withinLast" => time(found).is_some_and(|time| is_recent(time, wanted, now)),
        "notWithinLast" => time(found).is_some_and(|time| !is_recent(time, wanted, now)),
        search => text(search, found, &fold(wanted.as_str().unwrap_or_default())),
    }
}

fn text(search: &str, found: &Value, wanted: &str) -> bool {
    match (search, found) {
        ("contains", Value::String(text)) => fold(text).contains(wanted),
        ("beginsWith", Value::String(text)) => fold(text).starts_with(wanted),
        ("endsWith", Value::String(text)) => fold(text).ends_with(wanted),
        ("contains", Value::Array(entries)) => {
            entries.iter().filter_map(Value::as_str).any(|entry| fold(entry) == wanted)
        }
        _ => false,
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str().and_then(instant)
}

fn is_recent(time: Timestamp, recent: &Value, now: Timestamp) -> bool {
    let unit = if recent["unit"] == "days" { Timestamp::DAY } else { Timestamp::HOUR };
    let span = recent["n"].as_i64().unwrap_or_default() * unit;
    time <= now && now.since(time) <= span
}

/// Equal and of the same type.
fn equal(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Number(_), Value::Number(_)) => compare(found, wanted) == Some(Ordering::Equal),
        _ => found == wanted,
    }
}

/// The order of two numbers or two dates; none for anything else.
fn compare(found: &Value, wanted: &Value) -> Option<Ordering> {
    if let (Value::Number(found), Value::Number(wanted)) = (found, wanted) {
        return match (found.as_i64(), wanted.as_i64()) {
            (Some(found), Some(wanted)) => Some(found.cmp(&wanted)),
            _ => found.as_f64()?.partial_cmp(&wanted.as_f64()?),
        };
    }
    Some(time(found)?.cmp(&time(wanted)?))
}
