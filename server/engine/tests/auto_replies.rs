//! Answers by themselves: who gets which, when, and that two programs do not answer each other without end.

mod support;

use domain::{
    auto_reply::{AutoReplies, AutoReply, AutoReplyWhen, OfficeHours, Weekday},
    consent::Consent,
    settings::SettingsPatch,
    time::Timestamp,
};
use engine::Error;
use support::{Bench, benches};

const ANN: &str = "+94771234501";

fn rule(name: &str, when: AutoReplyWhen, words: &[&str]) -> AutoReply {
    AutoReply {
        name: name.to_owned(),
        when,
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        text: Some(format!("This is {name}.")),
        template_id: None,
        enabled: true,
    }
}

fn rules() -> AutoReplies {
    let time = |text: &str| text.parse().unwrap();
    AutoReplies {
        rules: vec![
            rule("greeting", AutoReplyWhen::FirstContact, &[]),
            rule("night", AutoReplyWhen::OutOfHours, &[]),
            rule("prices", AutoReplyWhen::Keyword, &["Price list", "precio"]),
        ],
        office_hours: OfficeHours {
            timezone: Some("Asia/Colombo".to_owned()),
            // The tests begin on a Monday at 05:30 in Colombo.
            days: vec![Weekday::Monday],
            start: time("08:00"),
            end: time("18:00"),
        },
        ..AutoReplies::default()
    }
}

async fn set(bench: &Bench, auto_replies: AutoReplies) -> engine::Result<()> {
    let patch = SettingsPatch { auto_replies: Some(auto_replies), ..SettingsPatch::default() };
    bench.engine.settings().update(&bench.admin, patch).await.map(drop)
}

/// The texts that were queued by themselves so far, in their order.
async fn answers(bench: &Bench) -> Vec<String> {
    let query =
        "SELECT t.body FROM messages m JOIN message_texts t ON t.message_id = m.id WHERE m.kind = 5 ORDER BY m.id";
    let rows = store::all(bench.db.reader(), query, vec![]).await.unwrap();
    rows.iter().map(|row| row.get("body").unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_special_rule_answers_and_then_rests() {
    for bench in benches().await {
        bench.says("SM0", "+94771234509", "hello").await;
        assert!(answers(&bench).await.is_empty(), "nothing by itself until somebody wants it");
        set(&bench, rules()).await.unwrap();
        bench.says("SM1", ANN, "Good morning").await;
        assert_eq!(answers(&bench).await, ["This is greeting."]);
        bench.clock.advance(Timestamp::HOUR);
        bench.says("SM2", ANN, "Anybody there?").await;
        bench.says("SM3", ANN, "PRICE LIST!").await;
        let all = ["This is greeting.", "This is night.", "This is prices."];
        assert_eq!(answers(&bench).await, all);
        // Three in a day are enough, and a rule rests a day.
        bench.clock.advance(Timestamp::HOUR);
        bench.says("SM4", ANN, "price list").await;
        assert_eq!(answers(&bench).await.len(), 3);
        // In the office hours of the next Monday somebody is there.
        bench.clock.advance(7 * Timestamp::DAY + 2 * Timestamp::HOUR);
        bench.says("SM5", ANN, "Hello again").await;
        assert_eq!(answers(&bench).await.len(), 3);
        bench.says("SM6", ANN, "precio").await;
        assert_eq!(answers(&bench).await.len(), 4);
        let replay = bench.engine.replay(&bench.admin, false).await.unwrap();
        assert_eq!(replay.differences, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keywords_opt_outs_and_doubts_are_not_answered() {
    for bench in benches().await {
        set(&bench, rules()).await.unwrap();
        assert!(bench.says("SM1", ANN, "stop").await.is_some(), "its own confirmation");
        bench.clock.advance(Timestamp::HOUR);
        bench.says("SM2", ANN, "price list").await;
        let other = "+94771234502";
        bench.says("SM3", other, "I want to cancel my order of yesterday").await;
        assert!(answers(&bench).await.is_empty());
        let contact = bench.engine.contacts().get(&bench.admin, &ANN.parse().unwrap()).await.unwrap();
        assert_eq!(contact.consent, Consent::OptedOut);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_programs_do_not_answer_each_other_without_end() {
    for bench in benches().await {
        let mut rules = rules();
        rules.per_day = 10;
        rules.pause_hours = 1;
        rules.rules =
            (0..10).map(|at| rule(&format!("bot {at}"), AutoReplyWhen::Keyword, &[&format!("w{at}")])).collect();
        set(&bench, rules).await.unwrap();
        // The other program answers each of ours within a second, with whatever calls the next rule.
        for turn in 0..60 {
            let said = format!("w{}", turn % 10);
            bench.says(&format!("SM{turn}"), ANN, &said).await;
            bench.clock.advance(Timestamp::SECOND);
        }
        let burst = answers(&bench).await.len();
        assert!(burst <= 3, "{burst}: no human writes so fast");
        // A patient one gets no more than the day's.
        for turn in 60..300 {
            bench.clock.advance(5 * Timestamp::MINUTE);
            bench.says(&format!("SM{turn}"), ANN, &format!("w{}", turn % 10)).await;
        }
        let all = answers(&bench).await.len();
        assert_eq!(all, 10, "ten in a day, of 240 messages in 20 hours");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_rules_are_refused_by_field() {
    for bench in benches().await {
        let mut wrong = rules();
        wrong.rules[2].words = vec!["STOP".to_owned()];
        wrong.rules[1].name = "Greeting".to_owned();
        wrong.office_hours.timezone = Some("Mars/Olympus".to_owned());
        let Err(Error::Invalid(errors)) = set(&bench, wrong).await else { panic!("taken") };
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        let expected =
            ["auto_replies.office_hours.timezone", "auto_replies.rules[1].name", "auto_replies.rules[2].words"];
        assert_eq!(fields, expected);
    }
}
