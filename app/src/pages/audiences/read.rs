//! From a stored definition to the builder's rows. Only the server does this.

use domain::segment::{FieldKind, Group, Node, Operator, Rule};
use serde_json::Value;

use super::draft::{Draft, Row, kind, typed};

impl Draft {
    /// The rows of a definition; nothing when it is not of the builder's form.
    #[must_use]
    pub fn read(name: &str, definition: &Group) -> Option<Self> {
        if definition.not {
            return None;
        }
        let mut rows = Vec::new();
        let mut groups = 0;
        for node in &definition.rules {
            match node {
                Node::Rule(rule) => rows.push(row(0, rule)?),
                Node::Group(group)
                    if !group.not && group.combinator != definition.combinator && !group.rules.is_empty() =>
                {
                    groups += 1;
                    for node in &group.rules {
                        let Node::Rule(rule) = node else { return None };
                        rows.push(row(groups, rule)?);
                    }
                }
                Node::Group(_) => return None,
            }
        }
        Some(Self { name: name.to_owned(), combinator: definition.combinator.as_str().to_owned(), rows })
    }
}

fn row(group: u32, rule: &Rule) -> Option<Row> {
    let kind = kind(&rule.field);
    let value = match (rule.operator, &rule.value) {
        (Operator::Null | Operator::NotNull, _) => String::new(),
        (Operator::WithinLast | Operator::NotWithinLast, value) => {
            format!("{} {}", value.get("n")?.as_u64()?, value.get("unit")?.as_str()?)
        }
        (_, Value::Array(parts)) => {
            let parts = parts.iter().map(|part| written(kind, part)).collect::<Option<Vec<_>>>()?;
            if parts.iter().any(|part| part.contains(',')) {
                return None;
            }
            parts.join(", ")
        }
        (Operator::Contains | Operator::BeginsWith | Operator::EndsWith, value) => value.as_str()?.to_owned(),
        (_, value) => written(kind, value)?,
    };
    Some(Row { group, field: rule.field.clone(), operator: rule.operator.as_str().to_owned(), value })
}

/// The text that is read back as this value.
fn written(kind: FieldKind, value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()).filter(|text| typed(kind, text) == *value),
        Value::String(text) if typed(kind, text) == *value => Some(text.clone()),
        Value::String(text) => Some(format!("\"{text}\"")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use domain::segment::parse;

    use serde_json::json;

    use super::*;

    fn row(group: u32, field: &str, operator: &str, value: &str) -> Row {
        Row { group, field: field.to_owned(), operator: operator.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn rows_and_definition_say_the_same() {
        let draft = Draft {
            name: "Gold".to_owned(),
            combinator: "and".to_owned(),
            rows: vec![
                row(0, "attributes.city", "=", "Colombo"),
                row(1, "attributes.spend", ">=", "100"),
                row(0, "attributes.zip", "=", "\"0120\""),
                row(1, "last_inbound_at", "withinLast", "30 days"),
                row(0, "attributes.tier", "in", "gold, silver"),
                row(0, "attributes.email", "null", ""),
            ],
        };
        let definition = parse(&draft.definition()).unwrap();
        let back = Draft::read("Gold", &definition).unwrap();
        assert_eq!(back.definition(), draft.definition());
        assert_eq!(draft.paths()[3], "definition.rules[1].rules[1]");
        assert_eq!(draft.paths()[5], "definition.rules[4]");
    }

    #[test]
    fn what_the_builder_cannot_show_stays_a_definition() {
        let not = json!({"combinator": "and", "not": true, "rules": []});
        assert!(Draft::read("x", &parse(&not).unwrap()).is_none());
        let long = json!({"field": "attributes.n", "operator": ">", "value": 0.300_000_000_000_000_04});
        assert!(Draft::read("x", &parse(&long).unwrap()).is_none(), "typed again it would be a text");
    }
}
