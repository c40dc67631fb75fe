//! Double opt-in: whoever is to be subscribed is asked, and is subscribed by their own YES alone.

mod support;

use domain::{
    consent::{Consent, ConsentSource},
    contact::{ConsentChange, Contact, NewContact, TimelineKind},
    inbound::Keyword,
    opt_in::{OptIn, OptInState},
    page::PageRequest,
    phone::Phone,
    topic::{NewTopic, TopicPatch},
};
use engine::Error;
use support::{Bench, benches};

const ANN: &str = "+94771234501";
const DAY: i64 = domain::time::Timestamp::DAY;

fn phone(text: &str) -> Phone {
    text.parse().unwrap()
}

async fn club(bench: &Bench) {
    let new =
        NewTopic { key: "club".to_owned(), name: "The Club".to_owned(), double_opt_in: true, ..NewTopic::default() };
    assert!(bench.engine.topics().create(&bench.admin, new).await.unwrap().double_opt_in);
}

async fn person(bench: &Bench, consent: Option<Consent>, topics: &[&str]) -> Contact {
    let new = NewContact {
        phone: ANN.to_owned(),
        attributes: serde_json::Map::new(),
        consent,
        timezone: None,
        locale: None,
        topics: topics.iter().map(|key| (*key).to_owned()).collect(),
    };
    bench.engine.contacts().create(&bench.admin, new).await.unwrap()
}

async fn ann(bench: &Bench) -> (Consent, Vec<String>) {
    let contact = bench.engine.contacts().get(&bench.admin, &phone(ANN)).await.unwrap();
    (contact.consent, contact.topics)
}

async fn questions(bench: &Bench, state: OptInState) -> Vec<OptIn> {
    bench.engine.opt_ins().list(&bench.admin, state, &PageRequest::default()).await.unwrap().items
}

async fn assert_replays(bench: &Bench) {
    let replay = bench.engine.replay(&bench.admin, false).await.unwrap();
    assert_eq!(replay.differences, Vec::<String>::new(), "{:?}", bench.db.kind());
}

/// How many questions were queued, and the text of the last.
async fn asked(bench: &Bench) -> (i64, Option<String>) {
    let count = bench.number("SELECT COUNT(*) FROM messages WHERE kind = 4").await;
    let text = "SELECT t.body FROM message_texts t JOIN messages m ON m.id = t.message_id WHERE m.kind = 4 \
                ORDER BY m.id DESC LIMIT 1";
    (count, if count == 0 { None } else { bench.text(text).await })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyword_is_asked_back_and_a_yes_subscribes() {
    for bench in benches().await {
        club(&bench).await;
        assert_eq!(bench.says("SM1", ANN, "SUBSCRIBE club").await, None, "the question is the answer");
        assert_eq!(ann(&bench).await, (Consent::Pending, vec![]));
        let (count, text) = asked(&bench).await;
        assert!(count == 1 && text.unwrap().contains("The Club"));
        // Asked once, however often it is wished.
        bench.says("SM2", ANN, "subscribe The Club").await;
        assert_eq!(asked(&bench).await.0, 1);
        // Something else is no yes.
        assert_eq!(bench.says("SM3", ANN, "why not").await, None);
        assert_eq!(ann(&bench).await.0, Consent::Pending);
        assert_replays(&bench).await;

        let waiting = questions(&bench, OptInState::Waiting).await;
        assert_eq!((waiting.len(), waiting[0].topic.as_str(), waiting[0].source), (1, "club", ConsentSource::Keyword));
        assert_eq!(waiting[0].expires_at.since(waiting[0].asked_at), 7 * DAY);
        let answer = bench.says("SM4", ANN, "Yes!").await.unwrap();
        assert!(answer.contains("subscribed to The Club"), "{answer}");
        assert_eq!(ann(&bench).await, (Consent::OptedIn, vec!["club".to_owned()]));
        assert_eq!(questions(&bench, OptInState::Confirmed).await.len(), 1);
        assert_eq!(bench.says("SM5", ANN, "yes").await, None, "a yes to nothing");

        let page = PageRequest::default();
        let inbound = bench.engine.inbound().list(&bench.admin, None, None, &page).await.unwrap().items;
        let keywords: Vec<_> = inbound.iter().map(|message| message.keyword).collect();
        assert_eq!(keywords, [None, Some(Keyword::Yes), None, Some(Keyword::Subscribe), Some(Keyword::Subscribe)]);
        // Both messages are evidence.
        let timeline = bench.engine.contacts().timeline(&bench.admin, &phone(ANN), &page).await.unwrap().items;
        let words = |consent| {
            let of = |kind| {
                timeline.iter().find(|entry| entry.kind == kind && entry.consent == Some(consent)).unwrap().text.clone()
            };
            [of(TimelineKind::Consent), of(TimelineKind::Subscription)]
        };
        assert_eq!(words(Consent::Pending), [Some("SUBSCRIBE club".to_owned()), Some("SUBSCRIBE club".to_owned())]);
        assert_eq!(words(Consent::OptedIn), [Some("Yes!".to_owned()), Some("Yes!".to_owned())]);
        let reference = "SELECT reference FROM consent_ledger WHERE consent = 'opted_in' AND topic_id IS NULL";
        let reference = bench.text(reference).await.unwrap();
        assert_eq!(reference, format!("SM4 answers question {}", waiting[0].id));
        assert_replays(&bench).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_answer_in_time_is_as_before() {
    for bench in benches().await {
        club(&bench).await;
        let patch = domain::settings::SettingsPatch { double_opt_in_days: Some(2), ..Default::default() };
        bench.engine.settings().update(&bench.admin, patch).await.unwrap();
        assert_eq!(person(&bench, None, &["club"]).await.consent, Consent::Pending);
        bench.clock.advance(2 * DAY - 1);
        assert_eq!(bench.engine.opt_ins().expire().await.unwrap(), 0);
        bench.clock.advance(1);
        assert_eq!(bench.engine.opt_ins().expire().await.unwrap(), 1);
        assert_eq!(ann(&bench).await, (Consent::Unknown, vec![]));
        assert_eq!(questions(&bench, OptInState::Expired).await.len(), 1);
        assert_eq!(bench.says("SM1", ANN, "YES").await, None, "too late");
        assert_eq!(ann(&bench).await, (Consent::Unknown, vec![]));
        assert_replays(&bench).await;
        // Asked again, a yes counts, also before the clock has found the time to be over.
        bench.engine.contacts().subscribe(&bench.admin, &phone(ANN), "club").await.unwrap();
        bench.clock.advance(3 * DAY);
        assert_eq!(bench.says("SM2", ANN, "YES").await, None, "the time is over, found or not");
        assert_eq!(ann(&bench).await, (Consent::Pending, vec![]));
        bench.engine.opt_ins().expire().await.unwrap();
        assert_replays(&bench).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_wins_over_the_question() {
    for bench in benches().await {
        club(&bench).await;
        person(&bench, None, &["club"]).await;
        assert!(bench.says("SM1", ANN, "stop").await.is_some());
        assert_eq!(questions(&bench, OptInState::Withdrawn).await.len(), 1);
        assert_eq!(bench.says("SM2", ANN, "YES").await, None);
        assert_eq!(ann(&bench).await, (Consent::OptedOut, vec![]));
        let queued = "SELECT COUNT(*) FROM messages WHERE kind = 4 AND state = 0";
        assert_eq!(bench.number(queued).await, 0, "the question is not sent any more");
        // Nobody asks whoever stopped.
        let refused = bench.engine.contacts().subscribe(&bench.admin, &phone(ANN), "club").await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
        assert!(bench.says("SM3", ANN, "subscribe club").await.unwrap().contains("START"));
        assert_eq!(asked(&bench).await.0, 1);
        assert_eq!(ann(&bench).await, (Consent::OptedOut, vec![]));
        assert_replays(&bench).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_the_topic_withdraws_its_question_alone() {
    for bench in benches().await {
        club(&bench).await;
        let new =
            NewTopic { key: "pool".to_owned(), name: "Pool".to_owned(), double_opt_in: true, ..NewTopic::default() };
        bench.engine.topics().create(&bench.admin, new).await.unwrap();
        person(&bench, Some(Consent::OptedIn), &["club", "pool"]).await;
        assert_eq!(ann(&bench).await, (Consent::OptedIn, vec![]), "consent there is, topics not yet");
        assert!(bench.says("SM1", ANN, "unsubscribe pool").await.is_some());
        let waiting = questions(&bench, OptInState::Waiting).await;
        assert_eq!(waiting.iter().map(|question| question.topic.as_str()).collect::<Vec<_>>(), ["club"]);
        let button = [("ButtonPayload", "OPT_IN:club"), ("ButtonText", "I want it")];
        assert!(bench.inbound("SM2", ANN, "I want it", &button).await.unwrap().contains("The Club"));
        assert_eq!(ann(&bench).await, (Consent::OptedIn, vec!["club".to_owned()]));
        assert_replays(&bench).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admins_opt_out_and_an_erasure_end_the_question() {
    for bench in benches().await {
        club(&bench).await;
        person(&bench, None, &["club"]).await;
        let out = ConsentChange { consent: Consent::OptedOut, source: None, evidence: None };
        bench.engine.contacts().set_consent(&bench.admin, &phone(ANN), out).await.unwrap();
        assert_eq!(questions(&bench, OptInState::Withdrawn).await.len(), 1);
        bench.engine.contacts().erase(&bench.admin, &phone(ANN)).await.unwrap();
        assert_eq!(bench.number("SELECT COUNT(*) FROM opt_in_requests").await, 0);
        assert_replays(&bench).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_may_ask_with_a_template_of_its_own() {
    for bench in benches().await {
        club(&bench).await;
        let template = domain::template::NewTemplate {
            name: "question".to_owned(),
            ..serde_json::from_value(serde_json::json!({
                "name": "question", "channel": "whatsapp", "category": "marketing",
                "variants": {"en": {"body": "{{ topic }}? Say YES"}},
            }))
            .unwrap()
        };
        let template = bench.engine.templates().create(&bench.admin, template).await.unwrap();
        let nobody = domain::ids::TemplateId(uuid::Uuid::from_u128(9));
        let patch = |id| TopicPatch { question_template_id: Some(id), ..TopicPatch::default() };
        let wrong = bench.engine.topics().update(&bench.admin, "club", patch(Some(nobody))).await;
        assert!(matches!(wrong, Err(Error::Invalid(errors)) if errors[0].field == "question_template_id"));
        bench.engine.topics().update(&bench.admin, "club", patch(Some(template.id))).await.unwrap();
        let used = bench.engine.templates().delete(&bench.admin, template.id).await;
        assert!(matches!(used, Err(Error::Conflict(text)) if text.contains("The Club")));
        person(&bench, None, &["club"]).await;
        let variables = "SELECT t.variables FROM message_texts t JOIN messages m ON m.id = t.message_id \
                         WHERE m.template_id IS NOT NULL";
        assert_eq!(bench.text(variables).await.as_deref(), Some(r#"{"topic":"The Club"}"#));
    }
}
