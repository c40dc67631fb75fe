//! Who is meant and what is said: stored, checked, previewed, guarded against removal while in use.

mod support;

use std::collections::BTreeMap;

use domain::{
    campaign::NewCampaign,
    contact::NewContact,
    page::PageRequest,
    role::Role,
    segment::{NewSegment, Segment, SegmentPatch},
    template::{NewTemplate, PreviewRequest, TemplatePatch, Variant},
    topic::NewTopic,
};
use engine::{Actor, ActorKind, Error};
use serde_json::{Value, json};
use support::{Bench, benches};

fn marketer() -> Actor {
    Actor::new(ActorKind::Account, "mary", Role::Marketer)
}

fn viewer() -> Actor {
    Actor::new(ActorKind::Account, "victor", Role::Viewer)
}

fn rule(field: &str, operator: &str, value: Value) -> Value {
    json!({"combinator": "and", "rules": [{"field": field, "operator": operator, "value": value}]})
}

fn fields<T: std::fmt::Debug>(answer: Result<T, Error>) -> Vec<String> {
    match answer {
        Err(Error::Invalid(errors)) => errors.into_iter().map(|error| error.field).collect(),
        other => panic!("not refused as invalid: {other:?}"),
    }
}

async fn segment(bench: &Bench, name: &str, definition: Value) -> Segment {
    let new = NewSegment { name: name.to_owned(), definition };
    bench.engine.segments().create(&marketer(), new).await.unwrap()
}

async fn people(bench: &Bench) {
    let topic = NewTopic { key: "offers".to_owned(), name: "Offers".to_owned(), ..NewTopic::default() };
    bench.engine.topics().create(&bench.admin, topic).await.unwrap();
    for (index, (attributes, topics)) in [
        (json!({"first_name": "Ann", "city": "Colombo", "home": {"zip": "1"}}), vec!["offers".to_owned()]),
        (json!({"first_name": "Ben", "city": "Kandy", "joined": "2026-11-01"}), vec![]),
        (json!({"city": "COLOMBO"}), vec![]),
    ]
    .into_iter()
    .enumerate()
    {
        let new = NewContact {
            phone: format!("+9477123450{index}"),
            attributes: attributes.as_object().cloned().unwrap(),
            consent: None,
            timezone: Some("Asia/Colombo".to_owned()),
            locale: None,
            topics,
        };
        bench.engine.contacts().create(&bench.admin, new).await.unwrap();
    }
}

fn template(name: &str, body: &str) -> NewTemplate {
    let variants = BTreeMap::from([("en".to_owned(), Variant { body: body.to_owned(), ..Variant::default() })]);
    serde_json::from_value(json!({"name": name, "variants": variants})).unwrap()
}

fn previewed(body: &str, more: Value) -> PreviewRequest {
    let mut request = json!({"body": body});
    request.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    serde_json::from_value(request).unwrap()
}

#[tokio::test]
async fn a_segment_is_previewed_with_count_and_people() {
    for bench in benches().await {
        people(&bench).await;
        let preview = async |definition: Value| bench.engine.segments().preview(&viewer(), &definition).await;
        let everybody = preview(json!({"combinator": "and", "rules": []})).await.unwrap();
        assert_eq!((everybody.count, everybody.sample.len()), (3, 3));
        let colombo = preview(rule("attributes.city", "contains", json!("colombo"))).await.unwrap();
        assert_eq!(colombo.count, 2);
        let subscribed = preview(rule("topic", "=", json!("offers"))).await.unwrap();
        assert_eq!(subscribed.count, 1);
        assert_eq!(subscribed.sample[0].topics, ["offers"]);
        let others = segment(&bench, "Others", rule("topic", "!=", json!("offers"))).await;
        assert_eq!(preview(rule("segment", "=", json!(others.id))).await.unwrap().count, 2);
        assert_eq!(
            preview(rule("attributes.joined", "withinLast", json!({"n": 30, "unit": "days"}))).await.unwrap().count,
            1
        );

        let nowhere = json!("0192f6a0-0000-7000-8000-000000000001");
        for (definition, field) in [
            (rule("topic", "=", json!("unheard")), "definition.rules[0].value"),
            (rule("import", "in", json!([nowhere])), "definition.rules[0].value"),
            (rule("segment", "=", nowhere.clone()), "definition.rules[0].value"),
            (
                rule("campaign.0192f6a0-0000-7000-8000-000000000001.state", "=", json!("sent")),
                "definition.rules[0].field",
            ),
            (rule("attributes.age", "<", json!("old")), "definition.rules[0].value"),
            (rule("attributes.age", "between", json!([10, 1])), "definition.rules[0].value"),
        ] {
            assert_eq!(fields(preview(definition.clone()).await), [field], "{definition}");
        }
    }
}

#[tokio::test]
async fn segments_are_changed_with_their_version_and_not_removed_while_used() {
    for bench in benches().await {
        let service = bench.engine.segments();
        let new =
            |name: &str| NewSegment { name: name.to_owned(), definition: rule("consent", "=", json!("opted_in")) };
        assert!(matches!(service.create(&viewer(), new("VIP")).await, Err(Error::Forbidden)));
        assert_eq!(fields(service.create(&marketer(), new(" ")).await), ["name"]);
        let vip = segment(&bench, " VIP ", rule("attributes.vip", "=", json!(true))).await;
        assert_eq!((vip.name.as_str(), vip.version), ("VIP", 1));
        assert!(matches!(service.create(&marketer(), new("VIP")).await, Err(Error::Conflict(_))));

        let patch = |version| SegmentPatch { name: Some("VIPs".to_owned()), definition: None, version };
        let changed = service.update(&marketer(), vip.id, patch(Some(1))).await.unwrap();
        assert_eq!((changed.name.as_str(), changed.version, &changed.definition), ("VIPs", 2, &vip.definition));
        let yours = SegmentPatch { definition: Some(rule("consent", "=", json!("opted_in"))), ..patch(Some(1)) };
        let stale = service.update(&marketer(), vip.id, yours).await;
        let Err(Error::Stale(differing)) = stale else { panic!("an earlier version: {stale:?}") };
        let told: Vec<(&str, &str)> = differing.iter().map(|error| (&*error.field, &*error.message)).collect();
        let rules = "Stored now: attributes.vip = true.";
        assert_eq!(told, [("version", "Stored now: 2."), ("definition", rules)], "the name is the same");
        assert_eq!(service.update(&marketer(), vip.id, patch(Some(2))).await.unwrap().version, 2, "nothing changed");
        let own = SegmentPatch { definition: Some(rule("segment", "=", json!(vip.id))), ..SegmentPatch::default() };
        assert_eq!(fields(service.update(&marketer(), vip.id, own).await), ["definition.rules[0].value"]);

        let other = segment(&bench, "Both", rule("segment", "in", json!([vip.id]))).await;
        let refused = service.delete(&marketer(), vip.id).await;
        assert!(matches!(&refused, Err(Error::Conflict(why)) if why.contains("Both")), "{refused:?}");
        service.delete(&marketer(), other.id).await.unwrap();
        let campaign: NewCampaign = serde_json::from_value(json!({"name": "Spring", "segment_id": vip.id})).unwrap();
        let campaign = bench.engine.campaigns().create(&marketer(), campaign).await.unwrap();
        let refused = service.delete(&marketer(), vip.id).await;
        assert!(matches!(&refused, Err(Error::Conflict(why)) if why.contains("Spring")), "{refused:?}");
        bench.engine.campaigns().delete(&marketer(), campaign.id).await.unwrap();
        service.delete(&marketer(), vip.id).await.unwrap();
        assert!(matches!(service.get(&viewer(), vip.id).await, Err(Error::NotFound { .. })));
        assert_eq!(bench.number("SELECT count(*) FROM audit_log WHERE entity = 'segment'").await, 5);
    }
}

#[tokio::test]
async fn lists_are_paged_newest_first_and_searched_by_name() {
    for bench in benches().await {
        for (index, name) in ["Alpha", "Beta", "Ägypten", "Gamma"].into_iter().enumerate() {
            bench.clock.advance(1_000 * (i64::try_from(index).unwrap() + 1));
            segment(&bench, name, json!({"combinator": "and", "rules": []})).await;
            bench.engine.templates().create(&marketer(), template(name, "Hi")).await.unwrap();
        }
        let segments = bench.engine.segments();
        let first = segments.list(&viewer(), None, &PageRequest::first(3)).await.unwrap();
        assert_eq!(first.items.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["Gamma", "Ägypten", "Beta"]);
        let rest = PageRequest { limit: 3, cursor: first.next_cursor };
        let rest = segments.list(&viewer(), None, &rest).await.unwrap();
        assert_eq!((rest.items.len(), rest.next_cursor), (1, None));
        let found = bench.engine.templates().list(&viewer(), Some("äGY"), &PageRequest::default()).await.unwrap();
        assert_eq!(found.items.len(), 1);
        let foreign = PageRequest { limit: 3, cursor: Some("x".to_owned()) };
        assert_eq!(fields(bench.engine.templates().list(&viewer(), None, &foreign).await), ["cursor"]);
    }
}

#[tokio::test]
async fn the_vocabulary_is_what_is_stored() {
    for bench in benches().await {
        people(&bench).await;
        let vip = segment(&bench, "VIP", rule("attributes.vip", "=", json!(true))).await;
        let vocabulary = bench.engine.segments().vocabulary(&viewer()).await.unwrap();
        assert_eq!(vocabulary.attributes, ["city", "first_name", "home.zip", "joined"]);
        assert_eq!(vocabulary.topics, ["offers"]);
        assert_eq!(vocabulary.segments, [(vip.id.to_string(), "VIP".to_owned())]);
        assert!(vocabulary.imports.is_empty() && vocabulary.campaigns.is_empty());
    }
}

#[tokio::test]
async fn every_change_of_a_template_is_a_version() {
    for bench in benches().await {
        let service = bench.engine.templates();
        let broken = service.create(&marketer(), template("Hello", "Hi\n{{ first_name|shout }}")).await;
        assert!(
            matches!(&broken, Err(Error::Invalid(errors))
            if errors[0].field == "variants.en.body" && errors[0].message.starts_with("line 2: ")),
            "{broken:?}"
        );
        assert!(matches!(service.create(&viewer(), template("Hello", "Hi")).await, Err(Error::Forbidden)));
        let hello = service.create(&marketer(), template("Hello", "Hi {{ first_name }}")).await.unwrap();
        assert_eq!((hello.version, hello.variables.clone()), (1, vec!["first_name".to_owned()]));
        assert!(matches!(service.create(&marketer(), template("Hello", "Hi")).await, Err(Error::Conflict(_))));

        let variants =
            BTreeMap::from([("en".to_owned(), Variant { body: "Hello {{ city }}".to_owned(), ..Variant::default() })]);
        let patch = TemplatePatch { variants: Some(variants), version: Some(1), ..TemplatePatch::default() };
        let changed = service.update(&marketer(), hello.id, patch.clone()).await.unwrap();
        assert_eq!((changed.version, changed.variables.clone()), (2, vec!["city".to_owned()]));
        assert_eq!(service.get(&viewer(), hello.id).await.unwrap(), changed);
        let stale = service.update(&marketer(), hello.id, patch.clone()).await;
        assert!(matches!(&stale, Err(Error::Stale(fields)) if fields[0].field == "version"), "{stale:?}");
        let again = TemplatePatch { version: Some(2), ..patch };
        assert_eq!(service.update(&marketer(), hello.id, again).await.unwrap().version, 2, "nothing changed");
        let stored =
            async |version| store::templates::find_version(bench.db.reader(), hello.id, version).await.unwrap();
        assert_eq!(stored(1).await.unwrap().variants["en"].body, "Hi {{ first_name }}");
        assert_eq!(stored(2).await.unwrap().variants["en"].body, "Hello {{ city }}");
        assert!(stored(3).await.is_none());

        let campaign: NewCampaign = serde_json::from_value(json!({"name": "Spring", "template_id": hello.id})).unwrap();
        let campaign = bench.engine.campaigns().create(&marketer(), campaign).await.unwrap();
        let refused = service.delete(&marketer(), hello.id).await;
        assert!(matches!(&refused, Err(Error::Conflict(why)) if why.contains("Spring")), "{refused:?}");
        bench.engine.campaigns().delete(&marketer(), campaign.id).await.unwrap();
        service.delete(&marketer(), hello.id).await.unwrap();
        assert!(matches!(service.get(&viewer(), hello.id).await, Err(Error::NotFound { .. })));
        assert_eq!(bench.number("SELECT count(*) FROM template_versions").await, 0);
    }
}

#[tokio::test]
async fn a_preview_is_for_a_contact_or_a_sample_and_never_fails_for_the_text() {
    for bench in benches().await {
        people(&bench).await;
        let preview = async |request: PreviewRequest| bench.engine.templates().preview(&viewer(), &request).await;
        let ann =
            preview(previewed("Hi {{ first_name }} in {{ city }}", json!({"phone": "+94771234500"}))).await.unwrap();
        assert_eq!((ann.text.as_str(), ann.characters, ann.segments), ("Hi Ann in Colombo", 17, 1));
        assert_eq!(ann.encoding, "GSM-7");
        let gap = preview(previewed("Hi {{ first_name }}", json!({"phone": "+94771234502"}))).await.unwrap();
        assert_eq!((gap.text.as_str(), gap.missing), ("Hi [first_name]", vec!["first_name".to_owned()]));
        let sample = preview(previewed("{{ price|money('USD') }}", json!({"sample": {"price": 5}}))).await.unwrap();
        assert_eq!(sample.text, "$5.00");
        let wrong = preview(previewed("a\n{% if %}", json!({}))).await.unwrap();
        assert_eq!(wrong.errors[0].line, 2);
        assert_eq!(preview(previewed(&"x".repeat(20_000), json!({}))).await.unwrap().errors.len(), 1);
        assert_eq!(fields(preview(previewed("Hi", json!({"phone": "+94771239999"}))).await), ["phone"]);
        let both = json!({"phone": "+94771234500", "sample": {"city": "Galle"}});
        assert_eq!(fields(preview(previewed("Hi", both)).await), ["phone", "sample"]);
        let empty = json!({"phone": "+94771234500", "sample": {}});
        assert_eq!(preview(previewed("Hi {{ first_name }}", empty)).await.unwrap().text, "Hi Ann");
        // Whoever wrote is a contact, also from a number that is known not to exist.
        bench.says("SM1", "+447700900123", "Hello").await;
        let odd = preview(previewed("Hi {{ phone }}", json!({"phone": "+447700900123"}))).await.unwrap();
        assert_eq!(odd.text, "Hi +447700900123");
        let written = preview(previewed("Hi {{ first_name }}", json!({"phone": "+94 77 123 4500"}))).await.unwrap();
        assert_eq!(written.text, "Hi Ann");
    }
}
