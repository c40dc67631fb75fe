//! An audience as the builder edits it: flat rows, each alone or in a group, instead of a tree.
//!
//! Groups say the opposite of the whole: within "all of these" a group means "any of these". That covers what people
//! build by hand; definitions of programs that go further are edited as JSON.

use domain::segment::{Combinator, Field, FieldKind, Operator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One rule as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// 0: a rule of its own; else the number of its group.
    #[serde(default)]
    pub group: u32,
    #[serde(default)]
    pub field: String,
    #[serde(default)]
    pub operator: String,
    #[serde(default)]
    pub value: String,
}

impl Row {
    /// Whether its operator compares with a value, and there is none yet.
    #[must_use]
    pub fn unfinished(&self) -> bool {
        let compares = !matches!(self.operator.parse::<Operator>(), Ok(Operator::Null | Operator::NotNull));
        compares && self.value.trim().is_empty()
    }
}

/// What the builder holds; travels in the URL when scripts are off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    #[serde(default)]
    pub name: String,
    /// `and` or `or`.
    #[serde(default)]
    pub combinator: String,
    #[serde(default)]
    pub rows: Vec<Row>,
}

impl Draft {
    /// Without the rules that have no value yet.
    #[must_use]
    pub fn finished(mut self) -> Self {
        self.rows.retain(|row| !row.unfinished());
        self
    }

    /// The definition the rows stand for. A rule without its value is refused where the definition is checked.
    #[must_use]
    pub fn definition(&self) -> Value {
        let rules: Vec<Value> = self
            .blocks()
            .into_iter()
            .map(|(group, rows)| {
                if group == 0 {
                    rule(rows[0].1)
                } else {
                    let rules: Vec<Value> = rows.iter().map(|(_, row)| rule(row)).collect();
                    json!({"combinator": self.inner().as_str(), "rules": rules})
                }
            })
            .collect();
        json!({"combinator": self.outer().as_str(), "rules": rules})
    }

    /// Where each row stands in the definition: `definition.rules[1].rules[0]`.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let mut paths = vec![String::new(); self.rows.len()];
        for (block, (group, rows)) in self.blocks().into_iter().enumerate() {
            for (place, (index, _)) in rows.into_iter().enumerate() {
                paths[index] = if group == 0 {
                    format!("definition.rules[{block}]")
                } else {
                    format!("definition.rules[{block}].rules[{place}]")
                };
            }
        }
        paths
    }

    #[must_use]
    pub fn outer(&self) -> Combinator {
        self.combinator.parse().unwrap_or(Combinator::And)
    }

    /// What the rules of a group are joined by.
    #[must_use]
    pub fn inner(&self) -> Combinator {
        match self.outer() {
            Combinator::And => Combinator::Or,
            Combinator::Or => Combinator::And,
        }
    }

    /// A number for a new group.
    #[must_use]
    pub fn next_group(&self) -> u32 {
        self.rows.iter().map(|row| row.group).max().unwrap_or(0) + 1
    }

    /// Rules and groups in the order in which they first appear, with the rows' places.
    fn blocks(&self) -> Vec<(u32, Vec<(usize, &Row)>)> {
        let mut blocks: Vec<(u32, Vec<(usize, &Row)>)> = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            match blocks.iter_mut().find(|(group, _)| *group != 0 && *group == row.group) {
                Some((_, rows)) => rows.push((index, row)),
                None => blocks.push((row.group, vec![(index, row)])),
            }
        }
        blocks
    }
}

/// The kind of a field by its name; unknown names count as attributes, and are refused where they are saved.
#[must_use]
pub fn kind(field: &str) -> FieldKind {
    Field::parse(field).map_or(FieldKind::Attribute, |field| field.kind())
}

fn rule(row: &Row) -> Value {
    let text = row.value.trim();
    let typed = |text: &str| typed(kind(&row.field), text);
    let list = |text: &str| {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(typed).collect::<Vec<_>>()
    };
    let value = match row.operator.parse() {
        Ok(Operator::Null | Operator::NotNull) => Value::Null,
        Ok(Operator::In | Operator::NotIn) => Value::Array(list(text)),
        Ok(Operator::Between) => Value::Array(list(text)),
        Ok(Operator::WithinLast | Operator::NotWithinLast) => span(text),
        Ok(Operator::Contains | Operator::BeginsWith | Operator::EndsWith) => text.into(),
        _ => typed(text),
    };
    json!({"field": row.field, "operator": row.operator, "value": value})
}

/// `30 days` as the definition writes it; other text is kept, and refused with a reason where it is checked.
fn span(text: &str) -> Value {
    let (number, unit) = text.split_once(' ').unwrap_or((text, "days"));
    let unit = match unit.trim() {
        "h" | "hour" | "hours" => "hours",
        _ => "days",
    };
    number.trim().parse::<u32>().map_or_else(|_| text.into(), |n| json!({"n": n, "unit": unit}))
}

/// Numbers of attributes are numbers, unless they stand in quotes. Nothing typed is no value; `""` is the empty text.
pub(super) fn typed(kind: FieldKind, text: &str) -> Value {
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match (kind, quoted) {
        (_, Some(inner)) => inner.into(),
        (_, None) if text.is_empty() => Value::Null,
        // As many digits as an imported number may have: more of them are a name.
        (FieldKind::Attribute, None) if text.trim_start_matches('-').len() <= 15 => {
            serde_json::from_str::<serde_json::Number>(text).map_or_else(|_| text.into(), Value::Number)
        }
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(group: u32, operator: &str, value: &str) -> Row {
        let field = "attributes.city".to_owned();
        Row { group, field, operator: operator.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn rules_without_a_value_are_not_counted() {
        let rows = vec![row(0, "=", "Kandy"), row(0, "=", " "), row(1, "in", ""), row(0, "null", "")];
        let draft = Draft { rows, ..Draft::default() };
        assert_eq!(draft.definition()["rules"][1]["value"], Value::Null, "refused where it is saved");
        let counted = draft.finished();
        assert_eq!(counted.rows, [row(0, "=", "Kandy"), row(0, "null", "")]);
        let nothing = Draft { rows: vec![row(1, "=", "")], ..Draft::default() }.finished();
        assert_eq!(nothing.definition(), Draft::default().definition());
    }

    #[test]
    fn the_empty_text_is_written_in_quotes() {
        assert!(!row(0, "=", "\"\"").unfinished());
        assert_eq!(typed(FieldKind::Attribute, "\"\""), json!(""));
        assert_eq!(rule(&row(0, "in", "a, , b,"))["value"], json!(["a", "b"]));
        assert_eq!(typed(FieldKind::Attribute, "-12345.6789"), json!(-12345.6789));
        assert_eq!(typed(FieldKind::Attribute, "4111111111111111222"), json!("4111111111111111222"));
    }
}
