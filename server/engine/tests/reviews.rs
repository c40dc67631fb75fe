//! Words in doubt, words of one's own, and the list of numbers that must not be messaged.

mod support;

use std::time::Duration;

use bytes::Bytes;
use domain::{
    actor::{Actor, ActorKind},
    consent::{Consent, SuppressionReason},
    contact::{ConsentChange, NewContact},
    import::ImportOptions,
    keywords::{Keywords, KeywordsPatch},
    page::PageRequest,
    phone::Phone,
    review::ReviewDecision,
    role::Role,
    settings::SettingsPatch,
    suppression::{NewSuppression, SuppressionFilter},
    time::Timestamp,
    topic::NewTopic,
};
use engine::clock::Clock as _;
use futures::stream;
use support::{Bench, benches};

const ANN: &str = "+14155550123";
const BEN: &str = "+14155550124";

fn phone(text: &str) -> Phone {
    text.parse().unwrap()
}

async fn person(bench: &Bench, number: &str) {
    let new = NewContact {
        phone: number.to_owned(),
        attributes: serde_json::Map::new(),
        consent: Some(Consent::OptedIn),
        timezone: None,
        locale: None,
        topics: Vec::new(),
    };
    bench.engine.contacts().create(&bench.admin, new).await.unwrap();
}

async fn consent(bench: &Bench, number: &str) -> (Consent, bool) {
    let contact = bench.engine.contacts().get(&bench.admin, &phone(number)).await.unwrap();
    (contact.consent, contact.suppressed)
}

async fn waiting(bench: &Bench) -> Vec<domain::review::Review> {
    bench.engine.reviews().list(&bench.admin, &PageRequest::default()).await.unwrap().items
}

async fn held(bench: &Bench) -> i64 {
    bench.number("SELECT COUNT(*) FROM contacts WHERE review_since IS NOT NULL").await
}

#[tokio::test(flavor = "multi_thread")]
async fn words_in_doubt_wait_for_somebody_and_are_decided_once() {
    for bench in benches().await {
        person(&bench, ANN).await;
        person(&bench, BEN).await;
        assert_eq!(bench.says("SM1", ANN, "Please cancel my order 4711, it came too late").await, None);
        assert_eq!(bench.says("SM2", ANN, "and cancel the other one as well").await, None);
        assert_eq!(bench.says("SM3", BEN, "What is this spam?").await, None);
        assert_eq!(consent(&bench, ANN).await, (Consent::OptedIn, false), "nobody is opted out by a guess");
        let reviews = waiting(&bench).await;
        assert_eq!(reviews.len(), 2, "one for each person");
        assert_eq!(reviews[0].words.as_deref(), Some("Please cancel my order 4711, it came too late"));
        assert_eq!(held(&bench).await, 2);

        let service = bench.engine.reviews();
        service.decide(&bench.admin, reviews[0].id, ReviewDecision::Kept).await.unwrap();
        service.decide(&bench.admin, reviews[1].id, ReviewDecision::OptedOut).await.unwrap();
        assert!(
            service.decide(&bench.admin, reviews[0].id, ReviewDecision::OptedOut).await.is_err(),
            "decided already"
        );
        assert_eq!(consent(&bench, ANN).await, (Consent::OptedIn, false));
        assert_eq!(consent(&bench, BEN).await, (Consent::OptedOut, true));
        assert_eq!((waiting(&bench).await.len(), held(&bench).await), (0, 0));
        assert_eq!(bench.number("SELECT COUNT(*) FROM audit_log WHERE action = 'decide_review'").await, 2);
        // Both can be read later on: who decided what, of whose words.
        let decided = service.decided(&bench.admin, &PageRequest::default()).await.unwrap().items;
        let told = |number: &str| {
            let one =
                decided.iter().find(|one| one.phone.as_ref().is_some_and(|phone| phone.as_str() == number)).unwrap();
            (one.decision, one.words.as_deref(), one.by.name.as_str())
        };
        let who = bench.admin.id.as_str();
        assert_eq!(told(ANN), (ReviewDecision::Kept, Some("Please cancel my order 4711, it came too late"), who));
        assert_eq!(told(BEN), (ReviewDecision::OptedOut, Some("What is this spam?"), who));

        // It was the person's own wish: nobody of ours lifts it.
        let change = ConsentChange {
            consent: Consent::OptedIn,
            source: Some("phone".to_owned()),
            evidence: Some("called us".to_owned()),
        };
        assert!(bench.engine.contacts().set_consent(&bench.admin, &phone(BEN), change).await.is_err());
        // Another message in doubt, another question.
        bench.says("SM4", ANN, "Please cancel my order 4711, it came too late").await;
        assert_eq!(waiting(&bench).await.len(), 1);
    }
}

/// Else a page of them would go through everything that people settled by clear words of their own.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_decided_is_found_by_its_index() {
    for bench in benches().await {
        let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
                    INSERT INTO consent_reviews \
                    (contact_id, inbound_sid, created_at, decided_at, decision, actor_kind, actor_id) \
                    SELECT i, 'SM' || i, i, i, CASE WHEN i % 100 = 0 THEN 'kept' ELSE 'answered' END, 'account', 'x' \
                    FROM n";
        store::exec(bench.db.writer(), fill, Vec::new()).await.unwrap();
        let before = Some((9_900, i64::MIN));
        let found = store::reviews::decided(bench.db.reader(), before, 2).await.unwrap();
        assert_eq!(found.iter().map(|one| one.at.as_micros()).collect::<Vec<_>>(), [9_800, 9_700]);

        store::exec(bench.db.writer(), "ANALYZE", Vec::new()).await.unwrap();
        let (explain, column) = match bench.db.kind() {
            store::Kind::Postgres => ("EXPLAIN", "QUERY PLAN"),
            store::Kind::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
        };
        let query = store::reviews::DECIDED.replace("$1", "9900").replace("$2", "0").replace("$3", "50");
        let rows = store::all(bench.db.reader(), format!("{explain} {query}"), Vec::new()).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(column).unwrap()).collect();
        assert!(plan.iter().any(|line| line.contains("consent_reviews_decided")), "{plan:#?}");
    }
}

/// A number that is there and cannot be read is no erased person's.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_number_is_told() {
    for bench in benches().await {
        person(&bench, ANN).await;
        bench.says("SM1", ANN, "What is this spam?").await;
        let service = bench.engine.reviews();
        service.decide(&bench.admin, waiting(&bench).await[0].id, ReviewDecision::OptedOut).await.unwrap();
        bench.tamper(&[], "UPDATE contacts SET phone = '14155550123'").await;
        for refused in [
            service.decided(&bench.admin, &PageRequest::default()).await.err(),
            service.opt_outs(&bench.admin, &PageRequest::default()).await.err(),
        ] {
            let problem = refused.unwrap().to_string();
            assert!(problem.contains("phone") && !problem.contains("4155550123"), "{problem}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clear_words_end_the_doubt() {
    for bench in benches().await {
        person(&bench, ANN).await;
        bench.says("SM1", ANN, "who gave you my number?").await;
        assert_eq!(held(&bench).await, 1);
        assert!(bench.says("SM2", ANN, "please stop texting me").await.is_some(), "one confirmation");
        assert_eq!(consent(&bench, ANN).await, (Consent::OptedOut, true));
        assert_eq!((waiting(&bench).await.len(), held(&bench).await), (0, 0));
        let answered = "SELECT COUNT(*) FROM consent_reviews WHERE decision = 'answered'";
        assert_eq!(bench.number(answered).await, 1);
        let decided = bench.engine.reviews().decided(&bench.admin, &PageRequest::default()).await.unwrap();
        assert!(decided.items.is_empty(), "nobody of ours decided it");
        // Who is opted out is in no doubt.
        bench.says("SM3", ANN, "and cancel my order while you are at it, will you").await;
        assert_eq!(held(&bench).await, 0);
    }
}

/// They are told that they are subscribed: then they are.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_ends_the_doubt_of_somebody_who_is_opted_in() {
    for bench in benches().await {
        person(&bench, ANN).await;
        bench.says("SM1", ANN, "What is this spam?").await;
        assert_eq!((consent(&bench, ANN).await, held(&bench).await), ((Consent::OptedIn, false), 1));
        assert!(bench.says("SM2", ANN, "START").await.is_some_and(|answer| answer.contains("You are subscribed")));
        assert_eq!((waiting(&bench).await.len(), held(&bench).await), (0, 0));
        let decided = "SELECT decision || ' ' || actor_kind FROM consent_reviews";
        assert_eq!(bench.text(decided).await.as_deref(), Some("answered recipient"));
        // What they write after it is another question.
        bench.says("SM3", ANN, "What is this spam?").await;
        assert_eq!((waiting(&bench).await.len(), held(&bench).await), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_record_does_not_end_the_doubt() {
    const DOUBT: &str = "Please cancel my order 4711, it came too late";
    for bench in benches().await {
        bench.says("SM1", ANN, DOUBT).await;
        bench.says("SM2", BEN, DOUBT).await;
        assert_eq!(held(&bench).await, 2);
        // A file, and a program.
        let file = stream::iter([Ok(Bytes::from(format!("phone,consent\n{ANN},yes\n")))]);
        let import = bench.engine.imports().upload(&bench.admin, Default::default(), file).await.unwrap();
        bench.engine.imports().work(import.id).await.unwrap();
        let change = |consent| ConsentChange { consent, source: Some("shop".to_owned()), evidence: None };
        let program = Actor::new(ActorKind::ApiKey, "shop", Role::Marketer);
        bench.engine.contacts().set_consent(&program, &phone(BEN), change(Consent::OptedIn)).await.unwrap();
        for number in [ANN, BEN] {
            assert_eq!(consent(&bench, number).await, (Consent::OptedIn, false));
        }
        assert_eq!((waiting(&bench).await.len(), held(&bench).await), (2, 2), "somebody has to read what they wrote");
        // An opt-out needs no second look, whoever records it.
        bench.engine.contacts().set_consent(&program, &phone(BEN), change(Consent::OptedOut)).await.unwrap();
        assert_eq!((waiting(&bench).await.len(), held(&bench).await), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_nobody_answers_does_not_end_the_doubt() {
    for bench in benches().await {
        let topic = NewTopic {
            key: "club".to_owned(),
            name: "The Club".to_owned(),
            double_opt_in: true,
            ..NewTopic::default()
        };
        bench.engine.topics().create(&bench.admin, topic).await.unwrap();
        bench.says("SM1", ANN, "who gave you my number?").await;
        bench.engine.contacts().subscribe(&bench.admin, &phone(ANN), "club").await.unwrap();
        assert_eq!((consent(&bench, ANN).await.0, held(&bench).await), (Consent::Pending, 1));
        bench.clock.advance(30 * Timestamp::DAY);
        assert_eq!(bench.engine.opt_ins().expire().await.unwrap(), 1);
        assert_eq!((consent(&bench, ANN).await.0, held(&bench).await), (Consent::Unknown, 1));
        // Their own yes does.
        assert!(bench.says("SM2", ANN, "START").await.is_some());
        assert_eq!((consent(&bench, ANN).await.0, held(&bench).await), (Consent::OptedIn, 0));
    }
}

/// A question that nobody is to answer any more is not asked, whatever it waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_over_does_not_go_out() {
    for bench in benches().await {
        person(&bench, ANN).await;
        for (key, name) in [("club", "The Club"), ("tea", "Tea")] {
            let topic =
                NewTopic { key: key.to_owned(), name: name.to_owned(), double_opt_in: true, ..NewTopic::default() };
            bench.engine.topics().create(&bench.admin, topic).await.unwrap();
            bench.engine.contacts().subscribe(&bench.admin, &phone(ANN), key).await.unwrap();
        }
        let queued = "SELECT COUNT(*) FROM messages WHERE kind = 4 AND state = 0";
        let reasons = "SELECT MAX(reason) FROM messages WHERE state = 9";
        assert_eq!(bench.number(queued).await, 2);
        bench.says("SM1", ANN, "UNSUBSCRIBE club").await;
        assert_eq!((bench.number(queued).await, bench.text(reasons).await.as_deref()), (1, Some("not_subscribed")));
        bench.clock.advance(30 * Timestamp::DAY);
        assert_eq!(bench.engine.opt_ins().expire().await.unwrap(), 1);
        assert_eq!(bench.number(queued).await, 0);
        assert_eq!(bench.number("SELECT COUNT(*) FROM messages WHERE reason = 'deadline_passed'").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_ones_own_count_from_then_on() {
    for bench in benches().await {
        person(&bench, ANN).await;
        assert_eq!(bench.says("SM1", ANN, "Fuera").await, None);
        let keywords = Keywords { stop: vec!["Fuera".to_owned()], ..Keywords::default() };
        let patch = SettingsPatch { keywords: Some(keywords.into()), ..SettingsPatch::default() };
        bench.engine.settings().update(&bench.admin, patch).await.unwrap();
        assert!(bench.says("SM2", ANN, "¡FUERA!").await.is_some());
        assert_eq!(consent(&bench, ANN).await.0, Consent::OptedOut);
        let keywords = Keywords { start: vec!["stop".to_owned()], ..Keywords::default() };
        let patch = SettingsPatch { keywords: Some(keywords.into()), ..SettingsPatch::default() };
        let refused = bench.engine.settings().update(&bench.admin, patch).await.unwrap_err().to_string();
        assert!(refused.contains("keywords.start") && refused.contains("built in"), "{refused}");
        let keywords = Keywords { start: vec!["please stop texting me".to_owned()], ..Keywords::default() };
        let patch = SettingsPatch { keywords: Some(keywords.into()), ..SettingsPatch::default() };
        let refused = bench.engine.settings().update(&bench.admin, patch).await.unwrap_err().to_string();
        assert!(refused.contains("keywords.start") && refused.contains("stop texting"), "{refused}");
        // A list that is left out stays.
        let help = KeywordsPatch { help: Some(vec!["que".to_owned()]), ..KeywordsPatch::default() };
        let patch = SettingsPatch { keywords: Some(help), ..SettingsPatch::default() };
        let keywords = bench.engine.settings().update(&bench.admin, patch).await.unwrap().keywords;
        assert_eq!((keywords.stop, keywords.help), (vec!["Fuera".to_owned()], vec!["que".to_owned()]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_changed_their_mind_is_counted() {
    const SOME: &str = "+14155550125";
    for bench in benches().await {
        let program = Actor::new(ActorKind::ApiKey, "shop", Role::Admin);
        let set = async |actor: &Actor, number: &str, consent| {
            // Who was stored at this very moment may have been stored with their yes.
            bench.clock.advance(Timestamp::SECOND);
            let change = ConsentChange { consent, source: None, evidence: Some("asked at the counter".to_owned()) };
            bench.engine.contacts().set_consent(actor, &phone(number), change).await.unwrap();
        };
        // Stored with their yes, and it is said again, and again.
        person(&bench, ANN).await;
        person(&bench, BEN).await;
        set(&bench.admin, ANN, Consent::OptedIn).await;
        set(&program, ANN, Consent::OptedIn).await;
        // Out twice, by an admin and by the person.
        set(&program, BEN, Consent::OptedOut).await;
        set(&bench.admin, BEN, Consent::OptedOut).await;
        bench.says("SM1", BEN, "STOP").await;
        // There and back: three changes.
        bench.says("SM2", ANN, "STOP").await;
        bench.says("SM3", ANN, "stop").await;
        bench.says("SM4", ANN, "START").await;
        set(&program, ANN, Consent::OptedOut).await;
        // Stored with their no.
        bench.clock.advance(Timestamp::SECOND);
        bench.says("SM5", SOME, "STOP").await;
        let days = bench.engine.reviews().days(&bench.admin, 1).await.unwrap();
        let counted: Vec<_> = days.iter().map(|day| (day.source.as_str(), day.consent.as_str(), day.count)).collect();
        assert_eq!(
            counted,
            [
                ("account", "opted_in", 2),
                ("api", "opted_out", 2),
                ("keyword", "opted_in", 1),
                ("keyword", "opted_out", 2),
            ]
        );
        for days in [0, 367] {
            assert!(bench.engine.reviews().days(&bench.admin, days).await.is_err(), "{days}");
        }
    }
}

/// Neither transaction sees what the other has not committed.
#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_suppressed_that_is_stored_at_the_same_time() {
    const CAT: &str = "+14155550125";
    const PAUSE: Duration = Duration::from_millis(300);
    for bench in benches().await {
        let (now, keys) = (bench.clock.now(), &bench.engine.config().keys);
        let (ann, nothing) = (phone(ANN), serde_json::Map::new());
        let tx = bench.db.begin().await.unwrap();
        store::suppressions::hold_still(&tx).await.unwrap();
        let new = store::contacts::New {
            id: store::contacts::new_ids(now, 1)[0],
            phone: &ann,
            country: None,
            attributes: &nothing,
            timezone: None,
            locale: None,
            consent: Consent::Unknown,
            suppressed: false,
        };
        store::contacts::insert(&tx, now, &[new]).await.unwrap();
        let add = async {
            let new = NewSuppression { phone: phone(ANN), reason: None, note: None };
            bench.engine.suppressions().add(&bench.admin, &new).await.unwrap();
        };
        let commit = async {
            tokio::time::sleep(PAUSE).await;
            tx.commit().await.unwrap();
        };
        tokio::join!(add, commit);
        assert_eq!(consent(&bench, ANN).await, (Consent::OptedOut, true));

        // The other way round, alone and by an import.
        let file = stream::iter([Ok(Bytes::from(format!("phone,consent\n{CAT},yes\n")))]);
        let import = bench.engine.imports().upload(&bench.admin, ImportOptions::default(), file).await.unwrap();
        let tx = bench.db.begin().await.unwrap();
        store::suppressions::await_births(&tx).await.unwrap();
        for number in [BEN, CAT] {
            let entry = store::suppressions::NewSuppression {
                phone_hash: &keys.suppression_hash(number),
                key_id: keys.current_id(),
                reason: SuppressionReason::Manual,
                contact_id: None,
            };
            store::suppressions::add(&tx, &bench.admin, now, &[entry]).await.unwrap();
        }
        let commit = async {
            tokio::time::sleep(PAUSE).await;
            tx.commit().await.unwrap();
        };
        let work = async { bench.engine.imports().work(import.id).await.unwrap() };
        tokio::join!(person(&bench, BEN), work, commit);
        for number in [BEN, CAT] {
            assert_eq!(consent(&bench, number).await, (Consent::OptedOut, true), "{number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_suppressed_whether_it_is_known_or_not() {
    for bench in benches().await {
        person(&bench, ANN).await;
        let service = bench.engine.suppressions();
        let new = |number: &str, reason| NewSuppression {
            phone: phone(number),
            reason,
            note: Some("asked at the counter".to_owned()),
        };
        service.add(&bench.admin, &new(ANN, None)).await.unwrap();
        service.add(&bench.admin, &new(BEN, Some(SuppressionReason::Complaint))).await.unwrap();
        assert!(service.add(&bench.admin, &new(BEN, Some(SuppressionReason::Stop))).await.is_err());
        assert_eq!(consent(&bench, ANN).await, (Consent::OptedOut, true));
        // The hash recognises the number whenever it comes.
        person(&bench, BEN).await;
        assert_eq!(consent(&bench, BEN).await, (Consent::OptedOut, true));

        let page = PageRequest { limit: 1, cursor: None };
        let filter = SuppressionFilter::default();
        let first = service.list(&bench.admin, &filter, &page).await.unwrap();
        let next = PageRequest { limit: 1, cursor: first.next_cursor.clone() };
        let second = service.list(&bench.admin, &filter, &next).await.unwrap();
        let mut phones: Vec<_> =
            first.items.iter().chain(&second.items).filter_map(|item| item.phone.clone()).collect();
        phones.sort();
        assert_eq!((phones, second.next_cursor), (vec![phone(ANN), phone(BEN)], None));
        let filter = SuppressionFilter { phone: Some(phone(BEN)), reason: None };
        let found = service.list(&bench.admin, &filter, &PageRequest::default()).await.unwrap().items;
        assert_eq!(found.iter().map(|item| item.reason).collect::<Vec<_>>(), [SuppressionReason::Complaint]);

        service.remove(&bench.admin, &phone(ANN)).await.unwrap();
        assert_eq!(consent(&bench, ANN).await, (Consent::Unknown, false), "marketing needs a new yes");
        let refused = service.remove(&bench.admin, &phone(BEN)).await.unwrap_err().to_string();
        assert!(refused.contains("START"), "{refused}");
        assert!(service.remove(&bench.admin, &phone(ANN)).await.is_err(), "nothing there any more");
        assert_eq!(store::consent::verify(bench.db.reader()).await.unwrap().1, None);
        let out = "SELECT SUM(count) FROM consent_days WHERE consent = 'opted_out'";
        assert_eq!(bench.number("SELECT COUNT(*) FROM consent_ledger WHERE consent = 'opted_out'").await, 2);
        assert_eq!(
            bench.number(out).await,
            1,
            "the complaint was known when its person was stored: nobody left that day"
        );
    }
}
