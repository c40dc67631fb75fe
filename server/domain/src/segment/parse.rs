//! Reading a definition from JSON, so that every error names the rule it is in.

use serde_json::{Map, Value};

use super::{Combinator, Condition, Group, Node, Operator, Rule};
use crate::problem::FieldError;

/// Groups inside groups, and rules and groups in all.
pub const MAX_DEPTH: usize = 5;
pub const MAX_NODES: usize = 100;

/// What query builders add for themselves.
const IGNORED: &[&str] = &["id", "valueSource"];

/// Reads and checks a definition: a group, or one rule. A definition without rules means everybody.
///
/// # Errors
/// Everything that is wrong, each with its place, such as `definition.rules[1].value`.
pub fn parse(definition: &Value) -> Result<Group, Vec<FieldError>> {
    let mut parser = Parser::default();
    let root = parser.node("definition", definition, 1);
    match root {
        Some(node) if parser.errors.is_empty() => Ok(match node {
            Node::Group(group) => group,
            rule @ Node::Rule(_) => Group { combinator: Combinator::And, not: false, rules: vec![rule] },
        }),
        _ => Err(parser.errors),
    }
}

#[derive(Default)]
struct Parser {
    errors: Vec<FieldError>,
    nodes: usize,
}

impl Parser {
    fn refuse(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.errors.push(FieldError::new(field, message));
    }

    fn node(&mut self, path: &str, value: &Value, depth: usize) -> Option<Node> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            if self.nodes == MAX_NODES + 1 {
                self.refuse(path, format!("A definition has at most {MAX_NODES} rules and groups."));
            }
            return None;
        }
        let Value::Object(parts) = value else {
            self.refuse(path, r#"Give a group {"combinator", "rules"} or a rule {"field", "operator", "value"}."#);
            return None;
        };
        if parts.contains_key("rules") || parts.contains_key("combinator") {
            self.group(path, parts, depth).map(Node::Group)
        } else {
            self.rule(path, parts).map(Node::Rule)
        }
    }

    fn group(&mut self, path: &str, parts: &Map<String, Value>, depth: usize) -> Option<Group> {
        if depth > MAX_DEPTH {
            self.refuse(path, format!("Groups stand inside each other at most {MAX_DEPTH} deep."));
            return None;
        }
        self.only(path, parts, &["combinator", "not", "rules"]);
        let combinator = parts.get("combinator").and_then(Value::as_str).and_then(|word| word.parse().ok());
        if combinator.is_none() {
            self.refuse(format!("{path}.combinator"), "Use `and` or `or`.");
        }
        let not = match parts.get("not") {
            None => Some(false),
            Some(Value::Bool(not)) => Some(*not),
            Some(_) => {
                self.refuse(format!("{path}.not"), "Use true or false.");
                None
            }
        };
        let Some(Value::Array(rules)) = parts.get("rules") else {
            self.refuse(format!("{path}.rules"), "Give a list of rules and groups.");
            return None;
        };
        if rules.is_empty() && depth > 1 {
            self.refuse(format!("{path}.rules"), "This group is empty: add a rule or remove the group.");
        }
        let read: Vec<Option<Node>> = rules
            .iter()
            .enumerate()
            .map(|(index, rule)| self.node(&format!("{path}.rules[{index}]"), rule, depth + 1))
            .collect();
        Some(Group { combinator: combinator?, not: not?, rules: read.into_iter().collect::<Option<_>>()? })
    }

    fn rule(&mut self, path: &str, parts: &Map<String, Value>) -> Option<Rule> {
        self.only(path, parts, &["field", "operator", "value"]);
        if parts.get("valueSource").is_some_and(|source| source != "value") {
            self.refuse(format!("{path}.valueSource"), "Fields are compared with values, not with other fields.");
        }
        let field = parts.get("field").and_then(Value::as_str).map(str::to_owned);
        if field.is_none() {
            self.refuse(format!("{path}.field"), "Name a field, such as attributes.city.");
        }
        let operator: Option<Operator> = match parts.get("operator").map(|word| (word, word.as_str().map(str::parse))) {
            Some((_, Some(Ok(operator)))) => Some(operator),
            given => {
                let words: Vec<&str> = Operator::ALL.iter().map(|operator| operator.as_str()).collect();
                let given = given.map_or_else(String::new, |(word, _)| format!("There is no operator {word}. "));
                self.refuse(format!("{path}.operator"), format!("{given}Use one of {}.", words.join(" ")));
                None
            }
        };
        let rule = Rule { field: field?, operator: operator?, value: parts.get("value").cloned().unwrap_or_default() };
        match Condition::of(&rule) {
            Ok(condition) if condition.is_backwards() => {
                self.refuse(format!("{path}.value"), "The range ends before it begins: write [from, to].");
                None
            }
            Ok(_) => Some(rule),
            Err(fault) => {
                self.refuse(format!("{path}.{}", fault.part), fault.message);
                None
            }
        }
    }

    fn only(&mut self, path: &str, parts: &Map<String, Value>, known: &[&str]) {
        for key in parts.keys().filter(|key| !known.contains(&key.as_str()) && !IGNORED.contains(&key.as_str())) {
            self.refuse(format!("{path}.{key}"), "There is no such key here.");
        }
    }
}

/// Every rule of a definition with its place, as [`parse`] names it.
#[must_use]
pub fn rules(definition: &Group) -> Vec<(String, &Rule)> {
    let mut found = Vec::new();
    collect("definition", definition, &mut found);
    found
}

fn collect<'a>(path: &str, group: &'a Group, found: &mut Vec<(String, &'a Rule)>) {
    for (index, node) in group.rules.iter().enumerate() {
        let path = format!("{path}.rules[{index}]");
        match node {
            Node::Rule(rule) => found.push((path, rule)),
            Node::Group(inner) => collect(&path, inner, found),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn errors(definition: &Value) -> Vec<String> {
        parse(definition).unwrap_err().into_iter().map(|error| error.field).collect()
    }

    fn rule(field: &str, operator: &str, value: Value) -> Value {
        json!({"combinator": "and", "rules": [{"field": field, "operator": operator, "value": value}]})
    }

    #[test]
    fn the_contract_s_shapes_are_read() {
        let definition = json!({"combinator": "or", "not": true, "id": "g-1", "rules": [
            {"field": "attributes.city", "operator": "=", "value": "Colombo", "id": "r-1", "valueSource": "value"},
            {"combinator": "and", "rules": [
                {"field": "attributes.age", "operator": "between", "value": [18, 30]},
                {"field": "attributes.age", "operator": "between", "value": [7, 7.0]},
                {"field": "last_inbound_at", "operator": "withinLast", "value": {"n": 30, "unit": "days"}},
                {"field": "attributes.email", "operator": "null"},
            ]},
        ]});
        let group = parse(&definition).unwrap();
        assert!(group.not);
        let read_again: Group = serde_json::from_value(serde_json::to_value(&group).unwrap()).unwrap();
        assert_eq!(read_again, group);
        assert_eq!(rules(&group).last().unwrap().0, "definition.rules[1].rules[3]");
        assert_eq!(parse(&json!({"combinator": "and", "rules": []})).unwrap(), Group::everybody());
        assert_eq!(parse(&json!({"field": "consent", "operator": "=", "value": "opted_in"})).unwrap().rules.len(), 1);
    }

    #[test]
    fn errors_name_their_place() {
        let definition = json!({"combinator": "xor", "colour": 1, "rules": [
            {"field": "attributes.age", "operator": "<", "value": "old"},
            {"field": "shoe_size", "operator": "=", "value": 1},
            {"field": "topic", "operator": "contains", "value": "offers"},
            {"combinator": "and", "rules": [{"field": "phone", "operator": "~", "value": "1"}]},
        ]});
        assert_eq!(
            errors(&definition),
            [
                "definition.colour",
                "definition.combinator",
                "definition.rules[0].value",
                "definition.rules[1].field",
                "definition.rules[2].operator",
                "definition.rules[3].rules[0].operator",
            ]
        );
    }

    #[test]
    fn values_of_the_wrong_kind_are_refused() {
        for (field, operator, value) in [
            ("consent", "=", json!("maybe")),
            ("phone", "=", json!(94)),
            ("created_at", ">", json!("23.11.2026")),
            ("created_at", ">", json!(5)),
            ("attributes.age", "=", json!(null)),
            ("attributes.age", "=", json!([1])),
            ("attributes.age", "in", json!(5)),
            ("attributes.age", "in", json!([])),
            ("attributes.age", "between", json!([1])),
            ("attributes.age", "between", json!([1, "2026-01-01"])),
            ("attributes.age", "between", json!([10, 1])),
            ("attributes.age", "between", json!([1.5, 1])),
            ("attributes.joined", "between", json!(["2026-11-23", "2026-01-01"])),
            ("created_at", "between", json!(["2026-11-23T09:00:00Z", "2026-11-23T09:00:00+05:30"])),
            ("attributes.age", ">", json!(18_446_744_073_709_551_615_u64)),
            ("attributes.name", "contains", json!("")),
            ("attributes.name", "=", json!("a\0b")),
            ("attributes.joined", "withinLast", json!({"n": 0, "unit": "days"})),
            ("attributes.joined", "withinLast", json!({"n": 1, "unit": "weeks"})),
            ("attributes.joined", "withinLast", json!(30)),
            ("segment", "=", json!("vip")),
            ("import", "=", json!("last")),
            ("campaign.0192f6a0-0000-7000-8000-000000000001.state", "=", json!("lost")),
        ] {
            assert_eq!(
                errors(&rule(field, operator, value.clone())),
                ["definition.rules[0].value"],
                "{field} {operator} {value}"
            );
        }
        for field in
            ["attributes.", "attributes.a..b", "attributes.a\"b", "attributes", "campaign.7.state", "clicked.7", ""]
        {
            assert_eq!(errors(&rule(field, "=", json!("x"))), ["definition.rules[0].field"], "{field}");
        }
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let leaf = json!({"field": "phone", "operator": "notNull"});
        let nest =
            |times: usize| (0..times).fold(leaf.clone(), |inner, _| json!({"combinator": "and", "rules": [inner]}));
        assert!(parse(&nest(MAX_DEPTH)).is_ok());
        assert!(parse(&nest(MAX_DEPTH + 1)).is_err());
        let wide = |rules: usize| json!({"combinator": "or", "rules": vec![leaf.clone(); rules]});
        assert!(parse(&wide(MAX_NODES - 1)).is_ok());
        assert_eq!(errors(&wide(MAX_NODES)).len(), 1);
        assert!(parse(&json!({"combinator": "and", "rules": [{"combinator": "or", "rules": []}]})).is_err());
        assert!(parse(&json!([])).is_err());
    }
}
