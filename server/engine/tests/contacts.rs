//! People: stored, found, changed, asked for consent, forgotten.

mod support;

use domain::{
    consent::{Consent, ConsentSource},
    contact::{ConsentChange, Contact, ContactFilter, ContactPatch, NewContact, TimelineKind},
    ids::{CampaignId, RunId, SegmentId, SenderId},
    page::PageRequest,
    phone::Phone,
    role::Role,
    segment::NewSegment,
    time::Timestamp,
    topic::{NewTopic, TopicPatch},
};
use engine::{Actor, ActorKind, Error};
use serde_json::{Value, json};
use support::{Bench, benches};

const ANN: &str = "+94771234501";
const BEN: &str = "+94771234502";

fn phone(text: &str) -> Phone {
    text.parse().unwrap()
}

fn new(phone: &str, attributes: Value) -> NewContact {
    NewContact {
        phone: phone.to_owned(),
        attributes: attributes.as_object().cloned().unwrap(),
        consent: None,
        timezone: None,
        locale: None,
        topics: Vec::new(),
    }
}

fn marketer() -> Actor {
    Actor::new(ActorKind::ApiKey, "a program", Role::Marketer)
}

fn wish(consent: Consent, evidence: Option<&str>) -> ConsentChange {
    ConsentChange { consent, source: None, evidence: evidence.map(str::to_owned) }
}

async fn create(bench: &Bench, new: NewContact) -> Contact {
    bench.engine.contacts().create(&bench.admin, new).await.unwrap()
}

async fn topic(bench: &Bench, key: &str) {
    let new = NewTopic { key: key.to_owned(), name: format!("The {key}"), ..NewTopic::default() };
    bench.engine.topics().create(&bench.admin, new).await.unwrap();
}

async fn segment(bench: &Bench, name: &str, rule: Value) -> SegmentId {
    let id = uuid::Uuid::from_u128(7);
    let definition = json!({"combinator": "and", "not": false, "rules": [rule]}).to_string();
    let insert = "INSERT INTO segments (id, name, definition, created_at, updated_at) VALUES ($1, $2, $3, 1, 1)";
    store::exec(bench.db.writer(), insert, vec![id.into(), name.into(), definition.into()]).await.unwrap();
    SegmentId(id)
}

fn fields<T: std::fmt::Debug>(result: engine::Result<T>) -> Vec<String> {
    match result {
        Err(Error::Invalid(errors)) => errors.into_iter().map(|error| error.field).collect(),
        other => panic!("not refused for its fields: {other:?}"),
    }
}

fn is_conflict<T>(result: &engine::Result<T>) -> bool {
    matches!(result, Err(Error::Conflict(_)))
}

#[tokio::test]
async fn a_person_is_stored_in_one_form_and_found_again() {
    for bench in benches().await {
        topic(&bench, "offers").await;
        let given = NewContact {
            consent: Some(Consent::OptedIn),
            timezone: Some("asia/colombo".to_owned()),
            locale: Some("si_lk".to_owned()),
            topics: vec!["offers".to_owned(), "offers".to_owned()],
            ..new("00 94 77 123 4501", json!({"first_name": "Ann", "last_name": "LEE", "gone": null}))
        };
        let made = create(&bench, given.clone()).await;
        assert_eq!(made.phone.as_str(), ANN);
        assert_eq!((made.name.as_deref(), made.country.as_deref()), (Some("Ann LEE"), Some("LK")));
        assert_eq!((made.timezone.as_deref(), made.locale.as_deref()), (Some("Asia/Colombo"), Some("si-LK")));
        assert_eq!((made.consent, made.suppressed), (Consent::OptedIn, false));
        assert_eq!(Value::Object(made.attributes.clone()), json!({"first_name": "Ann", "last_name": "LEE"}));
        assert_eq!(made.topics, ["offers"]);
        assert_eq!(bench.engine.contacts().get(&bench.admin, &phone(ANN)).await.unwrap(), made);
        assert!(is_conflict(&bench.engine.contacts().create(&bench.admin, given).await));
        assert!(matches!(
            bench.engine.contacts().get(&bench.admin, &phone(BEN)).await,
            Err(Error::NotFound { what: "contact" })
        ));
    }
}

#[tokio::test]
async fn every_field_that_is_wrong_is_named() {
    for bench in benches().await {
        let wrong = NewContact {
            consent: Some(Consent::Pending),
            timezone: Some("Mars".to_owned()),
            locale: Some("Klingon".to_owned()),
            ..new("077 123 4501", json!({"a.b": 1}))
        };
        let refused = bench.engine.contacts().create(&bench.admin, wrong).await;
        assert_eq!(fields(refused), ["phone", "consent", "timezone", "locale", "attributes.a.b"]);
        let unknown = NewContact { topics: vec!["nosuch".to_owned()], ..new(ANN, json!({})) };
        assert_eq!(fields(bench.engine.contacts().create(&bench.admin, unknown).await), ["topics[0]"]);
        assert_eq!(bench.engine.contacts().count(&bench.admin, &ContactFilter::default()).await.unwrap(), 0);
        let viewer = Actor::new(ActorKind::Account, "viewer", Role::Viewer);
        let refused = bench.engine.contacts().create(&viewer, new(ANN, json!({}))).await;
        assert!(matches!(refused, Err(Error::Forbidden)));
    }
}

#[tokio::test]
async fn a_change_merges_and_null_removes() {
    for bench in benches().await {
        let contacts = bench.engine.contacts();
        let made = create(&bench, new(ANN, json!({"name": "Ann", "city": "Galle", "age": 30}))).await;
        bench.clock.advance(Timestamp::SECOND);
        let patch = ContactPatch {
            attributes: json!({"city": "KANDY", "age": null, "tags": ["New"]}).as_object().cloned().unwrap(),
            timezone: Some(Some("Asia/Colombo".to_owned())),
            version: Some(made.version),
            ..ContactPatch::default()
        };
        let changed = contacts.update(&bench.admin, &phone(ANN), patch).await.unwrap();
        assert_eq!(Value::Object(changed.attributes), json!({"name": "Ann", "city": "KANDY", "tags": ["New"]}));
        assert_eq!((changed.version, changed.timezone.as_deref()), (2, Some("Asia/Colombo")));
        assert_eq!(changed.updated_at, bench.engine.now());
        let yours = ContactPatch {
            attributes: json!({"city": "Jaffna", "age": null}).as_object().cloned().unwrap(),
            version: Some(made.version),
            ..ContactPatch::default()
        };
        let stale = contacts.update(&bench.admin, &phone(ANN), yours).await;
        let Err(Error::Stale(fields)) = stale else { panic!("an earlier version: {stale:?}") };
        let told: Vec<(&str, &str)> = fields.iter().map(|error| (&*error.field, &*error.message)).collect();
        assert_eq!(told, [("attributes.city", "Stored now: “KANDY”."), ("version", "Stored now: 2.")]);
        let cleared = ContactPatch { timezone: Some(None), ..ContactPatch::default() };
        assert_eq!(contacts.update(&bench.admin, &phone(ANN), cleared.clone()).await.unwrap().timezone, None);
        assert_eq!(contacts.update(&bench.admin, &phone(ANN), cleared).await.unwrap().version, 3, "nothing changed");
        let folded = bench.text("SELECT folded FROM contacts").await.unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&folded).unwrap(),
            json!({"name": "ann", "city": "kandy", "tags": ["new"]})
        );
    }
}

#[tokio::test]
async fn lists_are_filtered_counted_and_paged_newest_first() {
    for bench in benches().await {
        let contacts = bench.engine.contacts();
        topic(&bench, "offers").await;
        for number in 0..25 {
            let name = if number % 2 == 0 { format!("Zoë Müller{number}") } else { format!("Ann O'Brien{number}") };
            let person = NewContact {
                consent: (number % 5 == 0).then_some(Consent::OptedIn),
                topics: if number % 3 == 0 { vec!["offers".to_owned()] } else { Vec::new() },
                ..new(&format!("+947712345{number:02}"), json!({"name": name, "n": number}))
            };
            create(&bench, person).await;
        }
        let rule = json!({"field": "attributes.n", "operator": ">=", "value": 20});
        let segment = segment(&bench, "Twenty and more", rule).await;
        let q = |text: &str| ContactFilter { q: Some(text.to_owned()), ..ContactFilter::default() };
        let only = |number: &dyn Fn(i64) -> bool| (0..25).rev().filter(|n| number(*n)).collect::<Vec<i64>>();
        for (filter, expected) in [
            (ContactFilter::default(), only(&|_| true)),
            (ContactFilter { consent: Some(Consent::OptedIn), ..ContactFilter::default() }, only(&|n| n % 5 == 0)),
            (ContactFilter { topic: Some("offers".to_owned()), ..ContactFilter::default() }, only(&|n| n % 3 == 0)),
            (ContactFilter { segment: Some(segment), ..ContactFilter::default() }, only(&|n| n >= 20)),
            (
                ContactFilter {
                    consent: Some(Consent::OptedIn),
                    topic: Some("offers".to_owned()),
                    segment: Some(segment),
                    q: Some("+94".to_owned()),
                    ..ContactFilter::default()
                },
                vec![],
            ),
            (ContactFilter { topic: Some("offers".to_owned()), ..q("ZOË") }, only(&|n| n % 3 == 0 && n % 2 == 0)),
            (q("zoë mü"), only(&|n| n % 2 == 0)),
            (q("müller"), only(&|n| n % 2 == 0)),
            (q("o'brien"), only(&|n| n % 2 == 1)),
            (q("ann o'brien1"), only(&|n| n % 2 == 1 && (n == 1 || n >= 10) && n < 20)),
            (q("brien"), vec![]),
            (q("+94 77 123-451"), only(&|n| (10..20).contains(&n))),
            (q("9477123450"), only(&|n| n < 10)),
            (q("77123"), vec![]),
            (q("%"), vec![]),
            (q("  "), only(&|_| true)),
        ] {
            assert_eq!(contacts.count(&bench.admin, &filter).await.unwrap(), expected.len() as i64, "{filter:?}");
            let mut found = Vec::new();
            let mut page = PageRequest::first(4);
            loop {
                let part = contacts.list(&bench.admin, &filter, &page).await.unwrap();
                found.extend(part.items.iter().map(|contact| contact.attributes["n"].as_i64().unwrap()));
                page.cursor = part.next_cursor;
                if page.cursor.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected, "{filter:?}");
        }
        for (filter, what) in [
            (ContactFilter { topic: Some("nosuch".to_owned()), ..ContactFilter::default() }, "topic"),
            (ContactFilter { segment: Some(SegmentId(uuid::Uuid::nil())), ..ContactFilter::default() }, "segment"),
            (
                ContactFilter { import: Some(domain::ids::ImportId(uuid::Uuid::nil())), ..ContactFilter::default() },
                "import",
            ),
        ] {
            let refused = contacts.list(&bench.admin, &filter, &PageRequest::default()).await;
            assert!(matches!(refused, Err(Error::NotFound { what: found }) if found == what));
        }
    }
}

#[tokio::test]
async fn a_search_with_very_many_matches_gives_the_newest() {
    for bench in benches().await {
        let tx = bench.db.begin().await.unwrap();
        let ids = store::contacts::new_ids(bench.engine.now(), 4_500);
        let phones: Vec<Phone> = (0..4_500).map(|n| phone(&format!("+9477123{n:04}"))).collect();
        let attributes = json!({"name": "Ann Lee"}).as_object().cloned().unwrap();
        let people: Vec<_> = ids
            .iter()
            .zip(&phones)
            .map(|(id, phone)| store::contacts::New {
                id: *id,
                phone,
                country: Some("LK"),
                attributes: &attributes,
                timezone: None,
                locale: None,
                consent: Consent::Unknown,
                suppressed: false,
            })
            .collect();
        for some in people.chunks(1_500) {
            store::contacts::insert(&tx, bench.engine.now(), some).await.unwrap();
        }
        tx.commit().await.unwrap();
        for q in ["ann", "+9477", "lee"] {
            let filter = ContactFilter { q: Some(q.to_owned()), ..ContactFilter::default() };
            let page = bench.engine.contacts().list(&bench.admin, &filter, &PageRequest::first(2)).await.unwrap();
            let found: Vec<&str> = page.items.iter().map(|contact| contact.phone.as_str()).collect();
            assert_eq!(found, ["+94771234499", "+94771234498"], "{q}");
            assert_eq!(bench.engine.contacts().count(&bench.admin, &filter).await.unwrap(), 4_500);
        }
    }
}

#[tokio::test]
async fn an_opt_out_is_lifted_by_an_admin_with_evidence_only() {
    for bench in benches().await {
        let contacts = bench.engine.contacts();
        let ann = phone(ANN);
        create(&bench, new(ANN, json!({}))).await;
        let set = |actor, change| contacts.set_consent(actor, &ann, change);
        let marketer = marketer();
        // Anybody who writes may record an opt-in of somebody who said nothing yet, and any opt-out.
        let contact = set(&marketer, wish(Consent::OptedIn, None)).await.unwrap();
        assert_eq!((contact.consent, contact.suppressed), (Consent::OptedIn, false));
        let contact = set(&marketer, wish(Consent::OptedOut, Some("called us"))).await.unwrap();
        assert_eq!((contact.consent, contact.suppressed), (Consent::OptedOut, true));
        assert_eq!(bench.text("SELECT reason FROM suppressions").await.as_deref(), Some("manual"));
        for (actor, evidence) in [(&marketer, Some("mail")), (&bench.admin, None), (&bench.admin, Some("  "))] {
            assert!(is_conflict(&set(actor, wish(Consent::OptedIn, evidence)).await), "{evidence:?}");
        }
        let lifted = set(&bench.admin, wish(Consent::OptedIn, Some("form of 1 May"))).await.unwrap();
        assert_eq!((lifted.consent, lifted.suppressed), (Consent::OptedIn, false));
        assert_eq!(bench.number("SELECT count(*) FROM suppressions").await, 0);
        assert_eq!(fields(set(&bench.admin, wish(Consent::Unknown, None)).await), ["consent"]);
        // After the person's own STOP nobody but the person opts in again.
        bench.says("SM1", ANN, "STOP").await.unwrap();
        assert!(is_conflict(&set(&bench.admin, wish(Consent::OptedIn, Some("form of 2 May"))).await));
        // Nor does an opt-out of ours on top of it weaken it.
        set(&marketer, wish(Consent::OptedOut, None)).await.unwrap();
        assert_eq!(bench.text("SELECT reason FROM suppressions").await.as_deref(), Some("stop"));
        assert!(is_conflict(&set(&bench.admin, wish(Consent::OptedIn, Some("form of 3 May"))).await));
        bench.says("SM2", ANN, "START").await.unwrap();
        assert_eq!(contacts.get(&bench.admin, &ann).await.unwrap().consent, Consent::OptedIn);
        for consent in ["opted_in", "opted_out"] {
            let counted = bench
                .number(&format!("SELECT coalesce(sum(count), 0) FROM contact_counts WHERE consent = '{consent}'"))
                .await;
            let real = bench.number(&format!("SELECT count(*) FROM contacts WHERE consent = '{consent}'")).await;
            assert_eq!(counted, real);
        }
    }
}

#[tokio::test]
async fn evidence_is_sealed_and_shown_in_the_history() {
    for bench in benches().await {
        let contacts = bench.engine.contacts();
        topic(&bench, "offers").await;
        create(&bench, new(ANN, json!({}))).await;
        for number in 1..=5 {
            bench.clock.advance(Timestamp::SECOND);
            let change = ConsentChange {
                consent: Consent::OptedIn,
                source: Some("web form".to_owned()),
                evidence: Some(format!("page {number}")),
            };
            contacts.set_consent(&marketer(), &phone(ANN), change).await.unwrap();
        }
        contacts.subscribe(&bench.admin, &phone(ANN), "offers").await.unwrap();
        let mut history = Vec::new();
        let mut page = PageRequest::first(2);
        loop {
            let part = contacts.timeline(&bench.admin, &phone(ANN), &page).await.unwrap();
            history.extend(part.items);
            page.cursor = part.next_cursor;
            if page.cursor.is_none() {
                break;
            }
        }
        let kinds: Vec<TimelineKind> = history.iter().map(|entry| entry.kind).collect();
        assert_eq!(kinds[0], TimelineKind::Subscription);
        assert_eq!(history[0].subject.as_deref(), Some("offers"));
        assert_eq!(kinds[1..6], [TimelineKind::Consent; 5]);
        assert_eq!(history[1].text.as_deref(), Some("web form: page 5"));
        assert_eq!((history[1].source, history[1].consent), (Some(ConsentSource::Api), Some(Consent::OptedIn)));
        assert_eq!(kinds[6..], [TimelineKind::Created]);
        assert!(history.windows(2).all(|pair| pair[0].at >= pair[1].at));
        assert_eq!(traces(&bench, "page 5").await, Vec::<String>::new(), "evidence stands nowhere in clear");
    }
}

#[tokio::test]
async fn subscriptions_follow_the_person() {
    for bench in benches().await {
        let contacts = bench.engine.contacts();
        topic(&bench, "offers").await;
        create(&bench, new(ANN, json!({}))).await;
        let ann = phone(ANN);
        assert_eq!(contacts.subscribe(&marketer(), &ann, "offers").await.unwrap().topics, ["offers"]);
        contacts.subscribe(&marketer(), &ann, "offers").await.unwrap();
        assert_eq!(bench.number("SELECT count(*) FROM consent_ledger").await, 1, "nothing new was said");
        assert_eq!(bench.engine.topics().get(&bench.admin, "offers").await.unwrap().subscribers, 1);
        assert_eq!(contacts.unsubscribe(&marketer(), &ann, "offers").await.unwrap().topics, Vec::<String>::new());
        contacts.subscribe(&marketer(), &ann, "offers").await.unwrap();
        bench.says("SM1", ANN, "UNSUBSCRIBE offers").await.unwrap();
        assert!(is_conflict(&contacts.subscribe(&bench.admin, &ann, "offers").await), "the person's own words");
        assert!(matches!(
            contacts.subscribe(&bench.admin, &ann, "nosuch").await,
            Err(Error::NotFound { what: "topic" })
        ));
        let broken = store::one(
            bench.db.reader(),
            "SELECT count(*) AS n FROM consent_ledger l WHERE l.seq > 1 AND NOT EXISTS \
            (SELECT 1 FROM consent_ledger p WHERE p.seq = l.seq - 1 AND p.hash = l.prev_hash)",
            vec![],
        );
        assert_eq!(broken.await.unwrap().unwrap().get::<i64>("n").unwrap(), 0, "the ledger is chained");
    }
}

#[tokio::test]
async fn topics_are_unique_versioned_and_kept_while_in_use() {
    for bench in benches().await {
        let topics = bench.engine.topics();
        topic(&bench, "offers").await;
        topic(&bench, "news").await;
        let again = NewTopic { key: "offers".to_owned(), name: "x".to_owned(), ..NewTopic::default() };
        assert!(is_conflict(&topics.create(&bench.admin, again).await));
        let patch = TopicPatch { name: Some(" Best offers ".to_owned()), version: Some(1), ..TopicPatch::default() };
        assert_eq!(topics.update(&bench.admin, "offers", patch.clone()).await.unwrap().name, "Best offers");
        let stale = topics.update(&bench.admin, "offers", patch.clone()).await;
        assert!(matches!(stale, Err(Error::Stale(_))), "{stale:?}");
        let again = TopicPatch { version: Some(2), ..patch };
        assert_eq!(topics.update(&bench.admin, "offers", again).await.unwrap().version, 2, "nothing changed");
        let blank = TopicPatch { name: Some(" ".to_owned()), ..TopicPatch::default() };
        assert_eq!(fields(topics.update(&bench.admin, "offers", blank).await), ["name"]);
        let named = |name: &str| TopicPatch { name: Some(name.to_owned()), ..TopicPatch::default() };
        assert_eq!(fields(topics.update(&bench.admin, "offers", named(" the NEWS ")).await), ["name"]);
        let same = NewTopic { key: "third".to_owned(), name: "BEST OFFERS".to_owned(), ..NewTopic::default() };
        assert_eq!(fields(topics.create(&bench.admin, same).await), ["name"]);
        let cased = topics.update(&bench.admin, "offers", named("Best Offers")).await.unwrap();
        assert_eq!(cased.name, "Best Offers", "its own name in another case");
        // From before names were unique: they stay as they are.
        store::exec(bench.db.writer(), "UPDATE topics SET name = 'The news' WHERE key = 'offers'", vec![])
            .await
            .unwrap();
        let described = TopicPatch { description: Some("Every week".to_owned()), ..named("The news") };
        assert_eq!(topics.update(&bench.admin, "offers", described).await.unwrap().description, "Every week");
        topics.update(&bench.admin, "offers", named("Best offers")).await.unwrap();
        let found = topics.list(&bench.admin, Some("BEST")).await.unwrap();
        assert_eq!(found.iter().map(|topic| topic.key.as_str()).collect::<Vec<_>>(), ["offers"]);
        let rule = json!({"field": "topic", "operator": "in", "value": ["offers"]});
        let segment = segment(&bench, "Bargain hunters", rule).await;
        let refused = topics.delete(&bench.admin, "offers").await;
        assert!(matches!(&refused, Err(Error::Conflict(text)) if text.contains("Bargain hunters")), "{refused:?}");
        topics.delete(&bench.admin, "news").await.unwrap();
        let delete = "DELETE FROM segments WHERE id = $1";
        store::exec(bench.db.writer(), delete, vec![segment.0.into()]).await.unwrap();
        topics.delete(&bench.admin, "offers").await.unwrap();
        assert!(topics.list(&bench.admin, None).await.unwrap().is_empty());
        assert!(matches!(topics.delete(&bench.admin, "offers").await, Err(Error::NotFound { what: "topic" })));
    }
}

/// Where in the database a text stands, in clear or as bytes: table and column.
async fn traces(bench: &Bench, text: &str) -> Vec<String> {
    let tables = match bench.db.kind() {
        store::Kind::Sqlite => {
            "SELECT m.name AS t, p.name AS c FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'"
        }
        store::Kind::Postgres => {
            "SELECT table_name::text AS t, column_name::text AS c FROM information_schema.columns \
             WHERE table_schema = current_schema()"
        }
    };
    let bytes: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut found = Vec::new();
    for row in store::all(bench.db.reader(), tables, vec![]).await.unwrap() {
        let (table, column): (String, String) = (row.get("t").unwrap(), row.get("c").unwrap());
        let shown = match bench.db.kind() {
            store::Kind::Sqlite => format!("lower(quote(\"{column}\"))"),
            store::Kind::Postgres => format!("lower(\"{column}\"::text)"),
        };
        let query =
            format!("SELECT count(*) FROM \"{table}\" WHERE {shown} LIKE '%{text}%' OR {shown} LIKE '%{bytes}%'");
        if bench.number(&query).await > 0 {
            found.push(format!("{table}.{column}"));
        }
    }
    found
}

#[tokio::test]
async fn an_erased_person_leaves_no_trace_and_stays_unmessaged() {
    for bench in benches().await {
        let contacts = bench.engine.contacts();
        topic(&bench, "offers").await;
        let digits = &ANN[1..];
        for (number, name) in [(ANN, "Ann Unusual"), (BEN, "Ben Usual")] {
            create(&bench, NewContact { topics: vec!["offers".to_owned()], ..new(number, json!({"name": name})) })
                .await;
            bench.says(&format!("SM1{number}"), number, "hello there").await;
            bench.says(&format!("SM2{number}"), number, "STOP").await;
        }
        let evidence = wish(Consent::OptedOut, Some("an unusual letter"));
        contacts.set_consent(&bench.admin, &phone(ANN), evidence).await.unwrap();
        let file = format!("phone,name\n0771234501 or {ANN},Ann Unusual\nn/a,other\n").into_bytes();
        let body = futures::stream::iter([Ok(bytes::Bytes::from(file))]);
        let import = bench.engine.imports().upload(&bench.admin, Default::default(), body).await.unwrap();
        bench.engine.imports().work(import.id).await.unwrap();
        let kept = "INSERT INTO idempotency_keys (owner, route, key, body_hash, answer_status, answer_body, created_at) \
                    VALUES ('k', 'POST /contacts', 'x', $1, 201, $1, 0)";
        let answer = format!("{{\"phone\":\"{ANN}\"}}").into_bytes();
        store::exec(bench.db.writer(), kept, vec![answer.into()]).await.unwrap();
        queued_message(&bench, ANN).await;
        let rule = json!({"combinator": "and", "rules": [{"field": "phone", "operator": "in", "value": [ANN, BEN]}]});
        let definition = serde_json::from_value(rule).unwrap();
        let segment = NewSegment { name: "Two people".to_owned(), definition };
        let segment = bench.engine.segments().create(&bench.admin, segment).await.unwrap();
        let before = traces(&bench, digits).await;
        for place in ["contacts.phone", "import_rejects.raw", "idempotency_keys.answer_body", "segments.definition"] {
            assert!(before.contains(&place.to_owned()), "{before:?}");
        }

        assert!(matches!(contacts.erase(&marketer(), &phone(ANN)).await, Err(Error::Forbidden)));
        contacts.erase(&bench.admin, &phone(ANN)).await.unwrap();
        assert_eq!(traces(&bench, digits).await, Vec::<String>::new());
        assert_eq!(traces(&bench, "unusual").await, Vec::<String>::new());
        assert!(matches!(contacts.get(&bench.admin, &phone(ANN)).await, Err(Error::NotFound { .. })));
        assert_eq!(bench.text("SELECT reason FROM messages").await.as_deref(), Some("contact_erased"));
        assert_eq!(bench.number("SELECT skipped FROM run_ledgers").await, 1);
        assert_eq!(bench.number("SELECT count(*) FROM import_rejects").await, 2);
        assert_eq!(contacts.count(&bench.admin, &ContactFilter::default()).await.unwrap(), 1);
        assert_eq!(bench.number("SELECT count(*) FROM suppressions WHERE contact_id IS NULL").await, 1);
        // The other person is untouched, and the audience still has its other rule.
        let segment = bench.engine.segments().get(&bench.admin, segment.id).await.unwrap();
        let definition = serde_json::to_value(&segment.definition).unwrap();
        let found = bench.engine.segments().preview(&bench.admin, &definition).await.unwrap();
        assert_eq!((found.count, segment.version), (1, 2));
        let ben = contacts.get(&bench.admin, &phone(BEN)).await.unwrap();
        assert_eq!((ben.name.as_deref(), ben.topics.len()), (Some("Ben Usual"), 1));
        // The number comes back: as one not to message, and nobody but the person lifts that.
        let back = create(&bench, NewContact { consent: Some(Consent::OptedIn), ..new(ANN, json!({})) }).await;
        assert_eq!((back.consent, back.suppressed), (Consent::OptedOut, true));
        let lift = contacts.set_consent(&bench.admin, &phone(ANN), wish(Consent::OptedIn, Some("a new form"))).await;
        assert!(is_conflict(&lift));
    }
}

#[tokio::test]
async fn an_erased_person_who_never_opted_out_is_a_stranger_again() {
    for bench in benches().await {
        let contacts = bench.engine.contacts();
        create(&bench, NewContact { consent: Some(Consent::OptedIn), ..new(ANN, json!({})) }).await;
        contacts.erase(&bench.admin, &phone(ANN)).await.unwrap();
        assert_eq!(bench.number("SELECT count(*) FROM suppressions").await, 0);
        let back = create(&bench, new(ANN, json!({}))).await;
        assert_eq!((back.consent, back.suppressed), (Consent::Unknown, false));
        assert!(matches!(contacts.erase(&bench.admin, &phone(BEN)).await, Err(Error::NotFound { .. })));
    }
}

/// A running run with one queued message to this person.
async fn queued_message(bench: &Bench, phone: &str) {
    let (run, campaign, sender) =
        (RunId(uuid::Uuid::from_u128(1)), CampaignId(uuid::Uuid::from_u128(2)), SenderId(uuid::Uuid::from_u128(3)));
    let now = bench.engine.now();
    let db = bench.db.writer();
    let insert = "INSERT INTO runs (id, campaign_id, number, due_at, status, template_id, template_version, definition, \
                  sender_id, rules, snapshot_at, actor_kind, actor_id, created_at, started_at, planned) \
                  VALUES ($1, $2, 1, $4, 'paused', $3, 1, '{}', $3, '{}', $4, 'worker', 'test', $4, $4, TRUE)";
    let values = vec![run.0.into(), campaign.0.into(), sender.0.into(), now.as_micros().into()];
    store::exec(db, insert, values).await.unwrap();
    store::exec(db, "INSERT INTO run_ledgers (run_id, planned, queued) VALUES ($1, 1, 1)", vec![run.0.into()])
        .await
        .unwrap();
    let insert = "INSERT INTO messages (run_id, contact_id, campaign_id, sender_id, kind, priority, state, attempt, month, \
                  not_before, created_at, updated_at) SELECT $1, contact_id, $2, $3, 0, 5, 0, 0, $4, $5, $5, $5 \
                  FROM contacts WHERE phone = $6";
    let values = vec![
        run.0.into(),
        campaign.0.into(),
        sender.0.into(),
        now.month().into(),
        now.as_micros().into(),
        phone.into(),
    ];
    store::exec(db, insert, values).await.unwrap();
    let text = "INSERT INTO message_texts (message_id, body) SELECT id, 'Hello Ann Unusual' FROM messages";
    store::exec(db, text, vec![]).await.unwrap();
}
