//! A definition means the same people on SQLite, on PostgreSQL and by the rules as they are written down.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod generate;
mod reference;
mod world;

use std::collections::BTreeSet;

use domain::{
    consent::Consent,
    ids::SegmentId,
    segment::{self, Group},
    time::Timestamp,
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use serde_json::{Value, json};
use store::{Db, Kind, segments};
use uuid::Uuid;
use world::World;

const NOW: Timestamp = Timestamp::from_micros(1_795_435_200_000_000); // 2026-11-23T12:00:00Z

async fn selected(db: &Db, definition: &Group) -> BTreeSet<i64> {
    let (sql, values) = segments::compile(db.kind(), definition, NOW, 1).unwrap();
    let query = format!("SELECT c.contact_id FROM contacts c WHERE {sql}");
    let rows = store::all(db.reader(), query, values).await.expect("the database understands the statement");
    rows.iter().map(|row| row.get("contact_id").unwrap()).collect()
}

fn parsed(definition: &Value) -> Group {
    segment::parse(definition).unwrap_or_else(|errors| panic!("{definition}: {errors:?}"))
}

fn rule(field: &str, operator: &str, value: Value) -> Value {
    json!({"combinator": "and", "rules": [{"field": field, "operator": operator, "value": value}]})
}

#[tokio::test]
async fn random_definitions_mean_the_same_people_everywhere() {
    let mut runner = TestRunner::deterministic();
    let mut draw =
        |strategy: &proptest::strategy::BoxedStrategy<Value>| strategy.new_tree(&mut runner).unwrap().current();
    let people = generate::person().boxed();
    let world = World::new((0..250).map(|_| draw(&people)).collect());
    let definitions: Vec<Value> = (0..400).map(|_| draw(&generate::definition())).collect();
    for test in testkit::databases().await {
        world.store(&test.db).await;
        let mut hits = 0;
        for definition in &definitions {
            let group = parsed(definition);
            let expected = world.matching(definition, NOW);
            hits += usize::from(!expected.is_empty() && expected.len() < world.people.len());
            let found = selected(&test.db, &group).await;
            let odd: Vec<&Value> = found.symmetric_difference(&expected).map(|id| world.person(*id)).collect();
            assert!(odd.is_empty(), "{:?}: {definition}\ndiffers for {odd:#?}", test.kind());
        }
        assert!(hits > definitions.len() / 2, "most definitions must tell people apart, not {hits}");
    }
}

#[tokio::test]
async fn every_rule_of_the_contract_holds() {
    let person = |attributes: Value| json!({"attributes": attributes});
    let world = World::new(vec![
        person(
            json!({"n": 5, "city": "Colombo", "joined": "2026-11-20", "tags": ["VIP", "new"], "home": {"zip": "10115"}}),
        ),
        person(json!({"n": "5", "city": "COLOMBO", "joined": "2026-11-20T00:00:00+05:30", "tags": "vip"})),
        person(json!({"n": 5.5, "city": "Straße 5%", "joined": "2026-12-24", "tags": ["vips"]})),
        person(json!({"n": null, "city": "STRASSE_5", "joined": "soon", "tags": [1]})),
        person(json!({"n": true, "home": "10115"})),
    ]);
    let cases: &[(&str, &str, Value, &[i64])] = &[
        ("attributes.n", "=", json!(5), &[1]),
        ("attributes.n", "=", json!(5.0), &[1]),
        ("attributes.n", "=", json!("5"), &[2]),
        ("attributes.n", "=", json!(true), &[5]),
        ("attributes.n", "!=", json!(5), &[2, 3, 4, 5]),
        ("attributes.n", "null", json!(null), &[4]),
        ("attributes.n", "notNull", json!(null), &[1, 2, 3, 5]),
        ("attributes.n", ">=", json!(5), &[1, 3]),
        ("attributes.n", ">", json!(5), &[3]),
        ("attributes.n", "between", json!([5, 5.5]), &[1, 3]),
        ("attributes.n", "in", json!([5, "5"]), &[1, 2]),
        ("attributes.n", "notIn", json!([5, "5"]), &[3, 4, 5]),
        ("attributes.city", "contains", json!("OLOM"), &[1, 2]),
        ("attributes.city", "beginsWith", json!("strasse"), &[3, 4]),
        ("attributes.city", "endsWith", json!("5%"), &[3]),
        ("attributes.city", "contains", json!("_"), &[4]),
        ("attributes.city", "=", json!("colombo"), &[]),
        ("attributes.city", "null", json!(null), &[5]),
        ("attributes.tags", "contains", json!("vip"), &[1, 2]),
        ("attributes.home.zip", "=", json!("10115"), &[1]),
        ("attributes.home.zip", "beginsWith", json!("101"), &[1]),
        ("attributes.joined", ">=", json!("2026-11-20"), &[1, 3]),
        ("attributes.joined", "<", json!("2026-11-20T00:00:00Z"), &[2]),
        ("attributes.joined", "withinLast", json!({"n": 4, "unit": "days"}), &[1, 2]),
        ("attributes.joined", "notWithinLast", json!({"n": 4, "unit": "days"}), &[3]),
        ("attributes.joined", "contains", json!("2026-11-20t"), &[2]),
    ];
    for test in testkit::databases().await {
        world.store(&test.db).await;
        for (field, operator, value, expected) in cases {
            let definition = rule(field, operator, value.clone());
            let expected: BTreeSet<i64> = expected.iter().copied().collect();
            assert_eq!(world.matching(&definition, NOW), expected, "reference: {definition}");
            assert_eq!(selected(&test.db, &parsed(&definition)).await, expected, "{:?}: {definition}", test.kind());
            let mut turned = definition.clone();
            turned["not"] = json!(true);
            let others: BTreeSet<i64> = (1..=5).filter(|id| !expected.contains(id)).collect();
            assert_eq!(selected(&test.db, &parsed(&turned)).await, others, "{:?}: {turned}", test.kind());
        }
    }
}

#[tokio::test]
async fn values_and_names_are_never_sql() {
    let hostile = "x' OR '1'='1 $1 ; DROP TABLE contacts --";
    let attributes = json!({ hostile: hostile });
    let world = World::new(vec![json!({"attributes": attributes}), json!({"attributes": {}})]);
    for test in testkit::databases().await {
        world.store(&test.db).await;
        for (operator, value) in [("=", json!(hostile)), ("contains", json!(hostile)), ("in", json!([hostile, "'"]))] {
            let definition = parsed(&rule(&format!("attributes.{hostile}"), operator, value));
            assert_eq!(selected(&test.db, &definition).await, BTreeSet::from([1]), "{:?} {operator}", test.kind());
        }
        for (field, operator) in [("topic", "="), ("country", "beginsWith"), ("timezone", "="), ("phone", "endsWith")] {
            let definition = parsed(&rule(field, operator, json!(hostile)));
            assert!(selected(&test.db, &definition).await.is_empty());
        }
    }
}

#[tokio::test]
async fn parameters_are_numbered_from_where_the_caller_says() {
    let definition = parsed(&rule("attributes.city", "beginsWith", json!("col")));
    for kind in [Kind::Postgres, Kind::Sqlite] {
        let (sql, values) = segments::compile(kind, &definition, NOW, 7).unwrap();
        for (index, _) in values.iter().enumerate() {
            assert!(sql.contains(&format!("${}", index + 7)), "{sql}");
        }
        assert!(!sql.contains("$6") && !sql.contains("$1 "), "{sql}");
    }
}

#[tokio::test]
async fn segments_inside_segments_are_inlined() {
    let world = World::new((0..6).map(|n| json!({"attributes": {"n": n}})).collect());
    let id = |n: u128| SegmentId(Uuid::from_u128(n));
    for test in testkit::databases().await {
        let db = &test.db;
        world.store(db).await;
        let save = async |number: u128, definition: Value| {
            let tx = db.begin().await.unwrap();
            segments::insert(&tx, id(number), &format!("segment {number}"), &parsed(&definition), NOW).await.unwrap();
            tx.commit().await.unwrap();
        };
        save(1, rule("attributes.n", ">", json!(1))).await;
        save(2, rule("segment", "=", json!(id(1)))).await;
        let both = json!({"combinator": "and", "rules": [
            {"field": "segment", "operator": "in", "value": [id(2), id(1)]},
            {"field": "attributes.n", "operator": "<", "value": 4},
        ]});
        let inlined = segments::inline(db.reader(), &parsed(&both)).await.unwrap();
        assert_eq!(selected(db, &inlined).await, BTreeSet::from([3, 4]));
        let except = segments::inline(db.reader(), &parsed(&rule("segment", "!=", json!(id(2))))).await.unwrap();
        assert_eq!(selected(db, &except).await, BTreeSet::from([1, 2]));

        let nest = async |own: Option<SegmentId>, definition: Value| {
            segments::nest(db.reader(), &parsed(&definition), own).await.unwrap()
        };
        assert_eq!(
            nest(Some(id(1)), rule("segment", "=", json!(id(2)))).await,
            Err(segments::NestingFault::Cycle(id(1)))
        );
        assert_eq!(nest(None, rule("segment", "=", json!(id(9)))).await, Err(segments::NestingFault::Missing(id(9))));
        for number in 3..9 {
            save(number, rule("segment", "=", json!(id(number - 1)))).await;
        }
        assert_eq!(nest(None, rule("segment", "=", json!(id(8)))).await, Err(segments::NestingFault::TooDeep));
        assert!(nest(None, rule("segment", "=", json!(id(5)))).await.is_ok());
    }
}

#[tokio::test]
async fn segments_are_kept_listed_and_guarded_by_their_version() {
    for test in testkit::databases().await {
        let db = &test.db;
        let id = |n: u128| SegmentId(Uuid::from_u128(n));
        let everybody = Group::everybody();
        let tx = db.begin().await.unwrap();
        for (number, name) in [(1, "Everybody"), (2, "Ärzte"), (3, "VIP")] {
            segments::insert(&tx, id(number), name, &everybody, NOW).await.unwrap();
        }
        let twice = segments::insert(&tx, id(4), "VIP", &everybody, NOW).await;
        assert!(matches!(twice, Err(store::Error::Duplicate(_))));
        drop(tx);
        let tx = db.begin().await.unwrap();
        for (number, name) in [(1, "Everybody"), (2, "Ärzte"), (3, "VIP")] {
            segments::insert(&tx, id(number), name, &everybody, NOW).await.unwrap();
        }
        let later = NOW.plus(1);
        segments::update(&tx, id(3), "VIPs", &everybody, 1, later).await.unwrap();
        assert!(matches!(segments::update(&tx, id(3), "late", &everybody, 1, later).await, Err(store::Error::Stale)));
        tx.commit().await.unwrap();
        let names = async |q: Option<&str>, before: Option<SegmentId>, limit: u32| -> Vec<String> {
            let page = segments::list(db.reader(), q, before, limit).await.unwrap();
            page.into_iter().map(|segment| segment.name).collect()
        };
        assert_eq!(names(None, None, 2).await, ["VIPs", "Ärzte"]);
        assert_eq!(names(None, Some(id(2)), 2).await, ["Everybody"]);
        assert_eq!(names(Some("äRZ"), None, 9).await, ["Ärzte"]);
        let vip = segments::find(db.reader(), id(3)).await.unwrap().unwrap();
        assert_eq!((vip.version, vip.created_at, vip.updated_at), (2, NOW, later));
        let tx = db.begin().await.unwrap();
        segments::update(&tx, id(1), "Everybody", &parsed(&rule("segment", "=", json!(id(3)))), 1, later)
            .await
            .unwrap();
        assert_eq!(segments::used_by(&tx, id(3)).await.unwrap(), ["audience “Everybody”"]);
        assert!(segments::used_by(&tx, id(1)).await.unwrap().is_empty());
        segments::delete(&tx, id(2)).await.unwrap();
        assert!(matches!(segments::delete(&tx, id(2)).await, Err(store::Error::NotFound)));
    }
}

#[tokio::test]
async fn a_sample_has_as_many_of_the_newest_people_as_of_the_oldest() {
    for test in testkit::databases().await {
        let db = &test.db;
        testkit::build::people(db, 1, 3_000, Consent::OptedIn).await;
        // Numbers as people get them: eleven bits to each microsecond.
        let numbers = "UPDATE contacts SET contact_id = 3677000000000000000 + contact_id * 2048";
        store::exec(db.writer(), numbers, Vec::new()).await.unwrap();
        let mut tenths = [0; 10];
        for person in segments::sample(db.reader(), &Group::everybody(), NOW, 300).await.unwrap() {
            let number = (person.0 - 3_677_000_000_000_000_000) / 2_048;
            tenths[usize::try_from((number - 1) / 300).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|count| (15..=45).contains(count)), "{:?}: {tenths:?}", test.kind());
    }
}
