//! What a template may know of a person.

use std::collections::BTreeMap;

use domain::{contact::Attributes, phone::Phone};
use minijinja::Value;
use serde_json::Value as Json;

use crate::own_page::Link;

/// The person a text is for.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    pub phone: &'a Phone,
    /// The display name.
    pub name: Option<&'a str>,
    pub country: Option<&'a str>,
    pub locale: Option<&'a str>,
    pub timezone: Option<&'a str>,
    pub attributes: &'a Attributes,
    /// The link to the person's own page.
    pub own_page: Link<'a>,
}

/// A person with what is said besides (a single send's variables, an event's data), which goes before the attributes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub recipient: Recipient<'a>,
    pub extra: &'a Attributes,
}

/// The names that are not attributes.
pub(super) const OWN: &[&str] = &["phone", "country", "locale", "timezone", "preferences_url", "preferences_token"];

/// Marks a text that stands in for a missing value, so that filters let it pass.
pub(super) const STAND_IN: char = '\u{f0000}';

/// A variable's path, such as `home.city`.
pub(super) type Path = Vec<String>;

impl Facts<'_> {
    /// The values of these variables. What is null or blank counts as missing and is left out. `stand_ins` are written
    /// in place of missing ones.
    pub fn context(&self, roots: &[Root], stand_ins: &[Path]) -> Value {
        let mut values: BTreeMap<&str, Value> = BTreeMap::new();
        for root in roots {
            match self.root(&root.name) {
                Some(value) => values.insert(&root.name, value),
                // So that `home.city` is missing, and not `home`.
                None if root.is_parent => values.insert(&root.name, Value::from_pairs(BTreeMap::<&str, Value>::new())),
                None => None,
            };
        }
        for path in stand_ins {
            if let Some((first, rest)) = path.split_first() {
                let inner =
                    rest.iter().rev().fold(Value::from(format!("{STAND_IN}[{}]", path.join("."))), |value, step| {
                        Value::from_pairs([(step.clone(), value)])
                    });
                let known = values.remove(first.as_str());
                values.insert(first, merged(known, inner));
            }
        }
        Value::from_pairs(values)
    }

    fn root(&self, name: &str) -> Option<Value> {
        // Before everything else: no file and no program may put another link in its place.
        match name {
            "preferences_url" => return Some(Value::from(self.recipient.own_page.url())),
            "preferences_token" => return Some(Value::from(self.recipient.own_page.token())),
            _ => {}
        }
        if let Some(value) = self.extra.get(name).and_then(present) {
            return Some(value);
        }
        let text = |text: Option<&str>| text.filter(|text| !text.trim().is_empty()).map(Value::from);
        match name {
            "phone" => Some(Value::from(self.recipient.phone.as_str())),
            "country" => text(self.recipient.country).or_else(|| self.attribute(name)),
            "locale" => text(self.recipient.locale).or_else(|| self.attribute(name)),
            "timezone" => text(self.recipient.timezone).or_else(|| self.attribute(name)),
            "name" => self.attribute(name).or_else(|| text(self.recipient.name)),
            "attributes" => self.attribute(name).or_else(|| object(self.recipient.attributes)),
            _ => self.attribute(name),
        }
    }

    fn attribute(&self, name: &str) -> Option<Value> {
        self.recipient.attributes.get(name).and_then(present)
    }
}

/// A variable that a template reads, and whether it reads parts of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub name: String,
    pub is_parent: bool,
}

/// A JSON value for a template; none when it is null or blank.
fn present(json: &Json) -> Option<Value> {
    match json {
        Json::Null => None,
        Json::Bool(yes) => Some(Value::from(*yes)),
        Json::Number(number) => Some(self::number(number)),
        Json::String(text) => (!text.trim().is_empty()).then(|| Value::from(text.as_str())),
        Json::Array(items) => Some(items.iter().filter_map(present).collect()),
        Json::Object(parts) => object(parts),
    }
}

fn object(parts: &Attributes) -> Option<Value> {
    let present: BTreeMap<&str, Value> =
        parts.iter().filter_map(|(key, value)| Some((key.as_str(), present(value)?))).collect();
    Some(Value::from_pairs(present))
}

/// Whole numbers are written without a point.
fn number(number: &serde_json::Number) -> Value {
    if let Some(integer) = number.as_i64() {
        return Value::from(integer);
    }
    let real = number.as_f64().unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, reason = "the number is whole and far from the limits")]
    if real.fract() == 0.0 && real.abs() < 9e15 { Value::from(real as i64) } else { Value::from(real) }
}

/// `known` with the parts of `other` put into it.
fn merged(known: Option<Value>, other: Value) -> Value {
    let is_map = |value: &Value| value.kind() == minijinja::value::ValueKind::Map;
    let Some(known) = known.filter(|known| is_map(known) && is_map(&other)) else { return other };
    let mut parts: BTreeMap<String, Value> = BTreeMap::new();
    for value in [&known, &other] {
        for key in value.try_iter().into_iter().flatten() {
            let part = value.get_item(&key).unwrap_or_default();
            let name = key.to_string();
            let before = parts.remove(&name);
            parts.insert(name, merged(before, part));
        }
    }
    Value::from_pairs(parts)
}
