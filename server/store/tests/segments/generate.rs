//! Random people and random definitions over the same few values, so that they meet.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::world::{CAMPAIGNS, IMPORTS, TOPICS};

const KEYS: &[&str] = &["a", "b", "ключ", "first name"];
const NESTED: &[&str] = &["home", "b"];

fn scalar() -> BoxedStrategy<Value> {
    prop::sample::select(vec![
        json!("Colombo"),
        json!("COLOMBO"),
        json!("colombo 7"),
        json!("Straße"),
        json!("STRASSE"),
        json!("ΟΔΟΣ"),
        json!("οδος"),
        json!("5"),
        json!("5.0"),
        json!("true"),
        json!("null"),
        json!("100%"),
        json!("a_b"),
        json!("😀é"),
        json!("2026-11-20"),
        json!("2026-11-20T00:00:00Z"),
        json!("2026-11-20T10:00:00+05:30"),
        json!("2026-11-23 11:00"),
        json!("2026-11-24"),
        json!("2026-02-30"),
        json!("1969-07-20"),
        json!("2026-11-20T00:00:00.000001Z"),
        json!(0),
        json!(5),
        json!(5.0),
        json!(5.5),
        json!(-1),
        json!(0.1),
        json!(-0.5),
        json!(1e15),
        json!(1e300),
        json!(9_007_199_254_740_993_i64),
        json!(i64::MIN),
        json!(1_795_435_200_000_000_i64),
        json!(true),
        json!(false),
    ])
    .boxed()
}

fn value() -> BoxedStrategy<Value> {
    prop_oneof![
        12 => scalar(),
        1 => Just(Value::Null),
        1 => Just(json!("")),
        2 => prop::collection::vec(scalar(), 0..4).prop_map(Value::Array),
        1 => Just(json!([["5"], {"a": 5}])),
        1 => Just(json!({"0": 5, "a": "Colombo"})),
    ]
    .boxed()
}

fn object(keys: &'static [&'static str], value: BoxedStrategy<Value>) -> BoxedStrategy<Map<String, Value>> {
    prop::collection::vec((prop::sample::select(keys), value), 0..5)
        .prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
        .boxed()
}

/// A contact with everything that rules look at.
pub fn person() -> BoxedStrategy<Value> {
    let attributes =
        (object(KEYS, value()), object(NESTED, value()), prop::bool::ANY).prop_map(|(mut own, inner, nested)| {
            if nested {
                own.insert("home".to_owned(), Value::Object(inner));
            }
            own
        });
    let time = || {
        prop::sample::select(vec![
            json!(null),
            json!("2026-11-20T00:00:00Z"),
            json!("2026-11-23T12:00:00Z"),
            json!("2026-11-23T13:00:00Z"),
        ])
    };
    let always = || prop::sample::select(vec![json!("2026-11-20T00:00:00Z"), json!("2026-11-22T11:59:59.999999Z")]);
    (
        attributes,
        prop::sample::select(vec!["unknown", "pending", "opted_in", "opted_out"]),
        prop::sample::select(vec![json!(null), json!("LK"), json!("US")]),
        prop::sample::select(vec![json!(null), json!("Asia/Colombo")]),
        prop::sample::select(vec![json!(null), json!("en"), json!("pt-BR")]),
        (always(), always(), time(), time()),
        prop::sample::subsequence(TOPICS.to_vec(), 0..=TOPICS.len()),
        prop::sample::subsequence(IMPORTS.to_vec(), 0..=IMPORTS.len()),
        prop::sample::select(vec![json!(null), json!("sent"), json!("delivered")]),
    )
        .prop_map(|(attributes, consent, country, timezone, locale, times, topics, imports, state)| {
            json!({
                "attributes": attributes, "consent": consent, "country": country, "timezone": timezone,
                "locale": locale, "created_at": times.0, "updated_at": times.1, "last_inbound_at": times.2,
                "last_read_at": times.3, "topics": topics, "imports": imports, "state": state,
            })
        })
        .boxed()
}

/// A valid definition, up to three groups deep.
pub fn definition() -> BoxedStrategy<Value> {
    let group = |nodes: BoxedStrategy<Value>, least: usize| {
        (prop::sample::select(vec!["and", "or"]), prop::bool::weighted(0.3), prop::collection::vec(nodes, least..4))
            .prop_map(|(combinator, not, rules)| json!({"combinator": combinator, "not": not, "rules": rules}))
            .boxed()
    };
    let inner = group(rule(), 1);
    let middle = group(prop_oneof![3 => rule(), 1 => inner].boxed(), 1);
    group(prop_oneof![3 => rule(), 1 => middle].boxed(), 1)
}

fn made(field: BoxedStrategy<String>, test: BoxedStrategy<(&'static str, Value)>) -> BoxedStrategy<Value> {
    (field, test)
        .prop_map(|(field, (operator, value))| json!({"field": field, "operator": operator, "value": value}))
        .boxed()
}

fn named(names: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(names).prop_map(str::to_owned).boxed()
}

fn choice(operators: &'static [&'static str], value: BoxedStrategy<Value>) -> BoxedStrategy<(&'static str, Value)> {
    (prop::sample::select(operators), value).boxed()
}

fn listed(value: BoxedStrategy<Value>, most: usize) -> BoxedStrategy<Value> {
    prop::collection::vec(value, 1..=most).prop_map(Value::Array).boxed()
}

fn rule() -> BoxedStrategy<Value> {
    prop_oneof![8 => attribute_rule(), 2 => text_rule(), 2 => time_rule(), 3 => other_rule()].boxed()
}

fn attribute_rule() -> BoxedStrategy<Value> {
    let field = named(&[
        "attributes.a",
        "attributes.b",
        "attributes.ключ",
        "attributes.first name",
        "attributes.home.b",
        "attributes.home.home",
        "attributes.a.0",
        "attributes.home.b.a",
        "attributes.none",
    ]);
    let dates = || {
        prop::sample::select(vec![
            json!("2026-11-20"),
            json!("2026-11-20T00:00:00Z"),
            json!("2026-11-22T00:00:00-02:00"),
            json!("1969-07-20"),
        ])
        .boxed()
    };
    let numbers = || {
        prop::sample::select(vec![
            json!(0),
            json!(5),
            json!(5.5),
            json!(0.1),
            json!(-0.5),
            json!(9_007_199_254_740_992_i64),
            json!(1e15),
        ])
        .boxed()
    };
    let test = prop_oneof![
        3 => choice(&["=", "!="], scalar().prop_filter("beyond 64 bits", |value| value.as_f64() != Some(1e300)).boxed()),
        2 => choice(&["in", "notIn"], listed(scalar().prop_filter("beyond 64 bits", |value| value.as_f64() != Some(1e300)).boxed(), 30)),
        3 => choice(&["contains", "beginsWith", "endsWith"], needle()),
        2 => choice(&["<", "<=", ">", ">="], prop_oneof![numbers(), dates()].boxed()),
        2 => choice(&["between"], prop_oneof![
            (numbers(), numbers()).prop_map(ordered),
            (dates(), dates()).prop_map(ordered),
        ].boxed()),
        1 => choice(&["null", "notNull"], Just(Value::Null).boxed()),
        2 => choice(&["withinLast", "notWithinLast"], recent()),
    ];
    made(field, test.boxed())
}

/// Two numbers or two dates as a range is written: one that ends before it begins is refused.
fn ordered((one, other): (Value, Value)) -> Value {
    let place = |value: &Value| {
        let date = value.as_str().and_then(domain::text::instant).map(|date| date.as_micros() as f64);
        value.as_f64().or(date).expect("a number or a date")
    };
    if place(&one) <= place(&other) { json!([one, other]) } else { json!([other, one]) }
}

fn needle() -> BoxedStrategy<Value> {
    prop::sample::select(vec![
        json!("co"),
        json!("COLOMBO"),
        json!("strasse"),
        json!("ß"),
        json!("ς"),
        json!("Σ"),
        json!("%"),
        json!("_"),
        json!("5"),
        json!("2026-11"),
        json!("00z"),
        json!("é"),
        json!("É"),
        json!("k"),
        json!("+94"),
        json!("LK"),
        json!("/colombo"),
    ])
    .boxed()
}

fn recent() -> BoxedStrategy<Value> {
    prop::sample::select(vec![
        json!({"n": 1, "unit": "hours"}),
        json!({"n": 1, "unit": "days"}),
        json!({"n": 4, "unit": "days"}),
    ])
    .boxed()
}

fn text_rule() -> BoxedStrategy<Value> {
    let values = || {
        prop::sample::select(vec![json!("LK"), json!("lk"), json!("en"), json!("Asia/Colombo"), json!("+94770000001")])
            .boxed()
    };
    let test = prop_oneof![
        choice(&["=", "!="], values()),
        choice(&["in", "notIn"], listed(values(), 3)),
        choice(&["contains", "beginsWith", "endsWith"], needle()),
        choice(&["null", "notNull"], Just(Value::Null).boxed()),
    ];
    made(named(&["phone", "country", "timezone", "locale"]), test.boxed())
}

fn time_rule() -> BoxedStrategy<Value> {
    let values = || {
        prop::sample::select(vec![
            json!("2026-11-20"),
            json!("2026-11-22T12:00:00Z"),
            json!("2026-11-23T17:30:00+05:30"),
        ])
        .boxed()
    };
    let test = prop_oneof![
        choice(&["=", "!=", "<", "<=", ">", ">="], values()),
        choice(&["in", "notIn"], listed(values(), 3)),
        choice(&["between"], (values(), values()).prop_map(ordered).boxed()),
        choice(&["null", "notNull"], Just(Value::Null).boxed()),
        choice(&["withinLast", "notWithinLast"], recent()),
    ];
    made(named(&["created_at", "updated_at", "last_inbound_at", "last_read_at"]), test.boxed())
}

fn other_rule() -> BoxedStrategy<Value> {
    fn one_or_many(values: &[&str]) -> BoxedStrategy<(&'static str, Value)> {
        let values: Vec<Value> = values.iter().map(|value| json!(value)).collect();
        let value = prop::sample::select(values).boxed();
        prop_oneof![choice(&["=", "!="], value.clone()), choice(&["in", "notIn"], listed(value, 2))].boxed()
    }
    let state = format!("campaign.{}.state", CAMPAIGNS[0]);
    let unused = format!("campaign.{}.state", CAMPAIGNS[1]);
    let states = prop_oneof![
        one_or_many(&["sent", "delivered", "read"]),
        choice(&["null", "notNull"], Just(Value::Null).boxed())
    ];
    prop_oneof![
        made(named(&["topic"]), one_or_many(&[TOPICS[0], TOPICS[1], "unheard"])),
        made(named(&["import"]), one_or_many(IMPORTS)),
        made(named(&["consent"]), one_or_many(&["opted_in", "opted_out", "pending", "unknown"])),
        made(prop::sample::select(vec![state, unused]).boxed(), states.boxed()),
    ]
    .boxed()
}
