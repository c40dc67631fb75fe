//! A rule with its types checked: what the compiler to SQL works on.

use std::ops::Bound;

use serde_json::Value;
use uuid::Uuid;

use super::{Field, FieldKind, Operator, Rule};
use crate::{
    message::State,
    text::{fold, instant},
    time::Timestamp,
};

/// Limits of a rule's value: characters of a text, entries of a list, length of a relative time.
const MAX_TEXT: usize = 1_000;
const MAX_LIST: usize = 10_000;
const MAX_IDS: usize = 100;
const MAX_RECENT: (i64, i64) = (1_000_000, 40_000);

/// What a rule asks of a person. Two-valued: a person without the field fails every test, and `negated` turns the
/// answer round, so that people without it match `!=` and `notIn`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub field: Field,
    pub negated: bool,
    pub test: Test,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// There is a value, and it is not null.
    Present,
    /// Exactly one of these, of the same type.
    OneOf(Vec<Scalar>),
    /// A text, searched without regard to case; the needle is folded. In a list `Contains` means one whole entry.
    Search(Search, String),
    Numbers(Range<Number>),
    Times(Range<Timestamp>),
    /// An instant in the last so many microseconds.
    WithinLast(i64),
    /// An instant before that, or in the future.
    NotWithinLast(i64),
}

pub type Range<T> = (Bound<T>, Bound<T>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    Contains,
    BeginsWith,
    EndsWith,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Text(String),
    Number(Number),
    Bool(bool),
    Time(Timestamp),
    Id(Uuid),
    State(State),
}

/// A number as both databases compare it exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Integer(i64),
    Real(f64),
}

/// What is wrong with a rule, and in which of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `field`, `operator` or `value`.
    pub part: &'static str,
    pub message: String,
}

impl Fault {
    fn value(message: impl Into<String>) -> Self {
        Self { part: "value", message: message.into() }
    }
}

impl Condition {
    /// Checks a rule.
    ///
    /// # Errors
    /// Which part of the rule is wrong, and how to mend it.
    pub fn of(rule: &Rule) -> Result<Self, Fault> {
        let field = Field::parse(&rule.field).map_err(|message| Fault { part: "field", message })?;
        let kind = field.kind();
        if !kind.operators().contains(&rule.operator) {
            let allowed: Vec<&str> = kind.operators().iter().map(|operator| operator.as_str()).collect();
            let message =
                format!("`{}` does not go with `{}`. Use one of {}.", rule.operator, rule.field, allowed.join(" "));
            return Err(Fault { part: "operator", message });
        }
        let negated = matches!(rule.operator, Operator::NotEqual | Operator::NotIn | Operator::Null);
        let test = test(&field, rule.operator, &rule.value)?;
        Ok(Self { field, negated, test })
    }

    /// Whether its range ends before it begins, so that nobody is in it.
    #[must_use]
    pub fn is_backwards(&self) -> bool {
        match &self.test {
            Test::Numbers((Bound::Included(low), Bound::Included(high))) => low.is_more_than(*high),
            Test::Times((Bound::Included(low), Bound::Included(high))) => low > high,
            _ => false,
        }
    }
}

fn test(field: &Field, operator: Operator, value: &Value) -> Result<Test, Fault> {
    Ok(match operator {
        Operator::Null | Operator::NotNull => Test::Present,
        Operator::Equal | Operator::NotEqual => Test::OneOf(vec![scalar(field, value)?]),
        Operator::In | Operator::NotIn => Test::OneOf(list(field, value)?),
        Operator::Contains => Test::Search(Search::Contains, needle(value)?),
        Operator::BeginsWith => Test::Search(Search::BeginsWith, needle(value)?),
        Operator::EndsWith => Test::Search(Search::EndsWith, needle(value)?),
        Operator::Less => range(field, None, Some((value, false)))?,
        Operator::LessOrEqual => range(field, None, Some((value, true)))?,
        Operator::Greater => range(field, Some((value, false)), None)?,
        Operator::GreaterOrEqual => range(field, Some((value, true)), None)?,
        Operator::Between => match value.as_array().map(Vec::as_slice) {
            Some([low, high]) => range(field, Some((low, true)), Some((high, true)))?,
            _ => return Err(Fault::value("Give two values: [from, to]. Both belong to the range.")),
        },
        Operator::WithinLast => Test::WithinLast(recent(value)?),
        Operator::NotWithinLast => Test::NotWithinLast(recent(value)?),
    })
}

fn scalar(field: &Field, value: &Value) -> Result<Scalar, Fault> {
    match (field.kind(), value) {
        (FieldKind::Choice(words), Value::String(text)) if words.contains(&text.as_str()) => {
            Ok(Scalar::Text(text.clone()))
        }
        (FieldKind::Choice(words), _) => Err(Fault::value(format!("Use one of {}.", words.join(", ")))),
        (FieldKind::Text, Value::String(text)) => plain(text).map(Scalar::Text),
        (FieldKind::Text, _) => Err(Fault::value("Give a text.")),
        (FieldKind::Time, value) => time(value).map(Scalar::Time),
        (FieldKind::State, value) => {
            value.as_str().and_then(|word| word.parse().ok()).map(Scalar::State).ok_or_else(|| {
                Fault::value(format!("Use one of {}.", words(State::ALL.iter().map(|state| state.as_str()))))
            })
        }
        (FieldKind::Membership, Value::String(text)) if *field == Field::Topic => plain(text).map(Scalar::Text),
        (FieldKind::Membership, value) => {
            let what = match field {
                Field::Topic => "Give the key of a topic.",
                Field::Import => "Give the id of an import.",
                _ => "Give the id of a segment.",
            };
            value.as_str().and_then(|id| Uuid::parse_str(id).ok()).map(Scalar::Id).ok_or_else(|| Fault::value(what))
        }
        (FieldKind::Attribute, Value::String(text)) => plain(text).map(Scalar::Text),
        (FieldKind::Attribute, Value::Bool(yes)) => Ok(Scalar::Bool(*yes)),
        (FieldKind::Attribute, Value::Number(number)) => Number::of(number).map(Scalar::Number),
        (FieldKind::Attribute, Value::Null) => {
            Err(Fault::value("To find people without a value use the operator null."))
        }
        (FieldKind::Attribute, _) => Err(Fault::value("Give a text, a number, true or false.")),
    }
}

fn words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn list(field: &Field, value: &Value) -> Result<Vec<Scalar>, Fault> {
    let Value::Array(items) = value else { return Err(Fault::value("Give a list of values: [ …, … ].")) };
    let most = if matches!(field.kind(), FieldKind::Membership) { MAX_IDS } else { MAX_LIST };
    if items.is_empty() || items.len() > most {
        return Err(Fault::value(format!("Give a list of 1 to {most} values.")));
    }
    items.iter().map(|item| scalar(field, item)).collect()
}

fn needle(value: &Value) -> Result<String, Fault> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(fold(&plain(text)?).into_owned()),
        _ => Err(Fault::value("Give the text to look for.")),
    }
}

fn plain(text: &str) -> Result<String, Fault> {
    if text.chars().count() > MAX_TEXT {
        return Err(Fault::value(format!("The text is longer than {MAX_TEXT} characters.")));
    }
    // PostgreSQL stores no NUL, so nobody has one.
    if text.contains('\0') { Err(Fault::value("The text contains a NUL character.")) } else { Ok(text.to_owned()) }
}

fn time(value: &Value) -> Result<Timestamp, Fault> {
    value
        .as_str()
        .and_then(instant)
        .ok_or_else(|| Fault::value("Give a date such as 2026-11-23 or a time such as 2026-11-23T09:00:00Z."))
}

fn range(field: &Field, low: Option<(&Value, bool)>, high: Option<(&Value, bool)>) -> Result<Test, Fault> {
    let numbers = [low, high].iter().flatten().all(|(value, _)| value.is_number());
    if numbers && field.kind() == FieldKind::Attribute {
        let number = |value: &Value| match value {
            Value::Number(number) => Number::of(number),
            _ => Err(Fault::value("Give a number.")),
        };
        return Ok(Test::Numbers((bound(low, number)?, bound(high, number)?)));
    }
    let instants = |value: &Value| match field.kind() {
        FieldKind::Attribute => time(value).map_err(|_| {
            Fault::value("This compares numbers and dates. Give a number such as 30 or a date such as 2026-11-23.")
        }),
        _ => time(value),
    };
    Ok(Test::Times((bound(low, instants)?, bound(high, instants)?)))
}

fn bound<T>(end: Option<(&Value, bool)>, read: impl Fn(&Value) -> Result<T, Fault>) -> Result<Bound<T>, Fault> {
    Ok(match end {
        None => Bound::Unbounded,
        Some((value, true)) => Bound::Included(read(value)?),
        Some((value, false)) => Bound::Excluded(read(value)?),
    })
}

fn recent(value: &Value) -> Result<i64, Fault> {
    let example = || Fault::value(r#"Give {"n": 30, "unit": "days"}; the unit is hours or days."#);
    let parts = value.as_object().filter(|parts| parts.len() == 2).ok_or_else(example)?;
    let n = parts.get("n").and_then(Value::as_i64).ok_or_else(example)?;
    let (unit, most) = match parts.get("unit").and_then(Value::as_str) {
        Some("hours") => (Timestamp::HOUR, MAX_RECENT.0),
        Some("days") => (Timestamp::DAY, MAX_RECENT.1),
        _ => return Err(example()),
    };
    if (1..=most).contains(&n) { Ok(n * unit) } else { Err(Fault::value(format!("`n` is 1 to {most}."))) }
}

impl Number {
    /// # Errors
    /// When the number is beyond 64 bits, where the databases differ.
    fn of(number: &serde_json::Number) -> Result<Self, Fault> {
        if let Some(integer) = number.as_i64() {
            return Ok(Self::Integer(integer));
        }
        match number.as_f64() {
            Some(real) if real.abs() < 9.2e18 && !number.is_u64() => Ok(Self::Real(real)),
            _ => Err(Fault::value("The number is beyond 64 bits; keep such values as text.")),
        }
    }

    fn is_more_than(self, other: Self) -> bool {
        let real = |number| match number {
            Self::Integer(integer) => integer as f64,
            Self::Real(real) => real,
        };
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => one > other,
            (one, other) => real(one) > real(other),
        }
    }
}
