//! Inbound messages: what people write moves their consent, at once and once.

mod support;

use std::time::Duration;

use domain::{
    consent::{Consent, SuppressionReason},
    contact::{ConsentChange, NewContact, TimelineKind},
    inbound::Keyword,
    page::PageRequest,
    phone::Phone,
    time::Timestamp,
    topic::NewTopic,
};
use engine::{Error, ingest::Webhook};
use support::{Bench, START, bench, benches, sending};
use uuid::Uuid;

const ANN: &str = "+14155550123";

fn phone(text: &str) -> Phone {
    text.parse().unwrap()
}

async fn person(bench: &Bench, consent: Consent) {
    let new = NewContact {
        phone: ANN.to_owned(),
        attributes: serde_json::Map::new(),
        consent: Some(consent),
        timezone: None,
        locale: None,
        topics: Vec::new(),
    };
    bench.engine.contacts().create(&bench.admin, new).await.unwrap();
}

async fn consent(bench: &Bench) -> (Consent, bool) {
    let contact = bench.engine.contacts().get(&bench.admin, &phone(ANN)).await.unwrap();
    (contact.consent, contact.suppressed)
}

async fn suppressions(bench: &Bench) -> Option<String> {
    bench.text("SELECT MAX(reason) FROM suppressions").await
}

/// For everybody a message of a running run that waits for its turn, and one that is with the provider already.
async fn two_messages(bench: &Bench) {
    let (run, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let db = bench.db.writer();
    let now = START.as_micros();
    let insert = "INSERT INTO runs (id, campaign_id, number, due_at, status, template_id, template_version, definition, \
                  sender_id, rules, snapshot_at, actor_kind, actor_id, created_at, started_at, planned) \
                  VALUES ($1, $2, 1, $3, 'running', $2, 1, '{}', $2, '{}', $3, 'worker', 'test', $3, $3, TRUE)";
    store::exec(db, insert, vec![run.into(), other.into(), now.into()]).await.unwrap();
    let insert = "INSERT INTO run_ledgers (run_id, planned, queued, accepted) \
                  SELECT $1, 2 * COUNT(*), COUNT(*), COUNT(*) FROM contacts";
    store::exec(db, insert, vec![run.into()]).await.unwrap();
    for (occurrence, state) in [(0, 0), (1, 3)] {
        let insert = "INSERT INTO messages (run_id, contact_id, occurrence, sender_id, kind, priority, state, month, \
                      not_before, created_at, updated_at) \
                      SELECT $1, contact_id, $2, $3, 0, 5, $4, $5, $6, $6, $6 FROM contacts";
        let values = vec![run.into(), occurrence.into(), other.into(), state.into(), START.month().into(), now.into()];
        store::exec(db, insert, values).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_opts_out_suppresses_and_skips_what_waits() {
    for bench in benches().await {
        person(&bench, Consent::OptedIn).await;
        two_messages(&bench).await;
        let answer = bench.says("SM1", ANN, "Stop.").await.unwrap();
        assert!(answer.contains("unsubscribed"), "{answer}");
        assert_eq!(consent(&bench).await, (Consent::OptedOut, true));
        assert_eq!(suppressions(&bench).await.as_deref(), Some("stop"));
        assert_eq!(bench.number("SELECT skipped FROM run_ledgers").await, 1);
        assert_eq!(bench.number("SELECT accepted FROM run_ledgers").await, 1);
        // The person's word is the evidence, sealed.
        let page = PageRequest::default();
        let timeline = bench.engine.contacts().timeline(&bench.admin, &phone(ANN), &page).await.unwrap();
        let event = timeline.items.iter().find(|entry| entry.kind == TimelineKind::Consent).unwrap();
        assert_eq!((event.consent, event.text.as_deref()), (Some(Consent::OptedOut), Some("Stop.")));
        // The confirmation is a message like others, without a SID.
        let kept = "SELECT COUNT(*) FROM messages WHERE kind = 3 AND state = 3 AND provider_sid IS NULL";
        assert_eq!(bench.number(kept).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_confirmation_and_help_for_everybody() {
    for bench in benches().await {
        person(&bench, Consent::OptedIn).await;
        // Two STOPs within a moment.
        let (first, second) = tokio::join!(bench.says("SM1", ANN, "STOP"), bench.says("SM2", ANN, "STOP"));
        assert!(first.is_some() ^ second.is_some(), "{first:?} {second:?}");
        assert_eq!(bench.says("SM3", ANN, "unsubscribe").await, None);
        assert!(bench.says("SM4", ANN, "HELP").await.unwrap().contains("START"));
        // The same message once more has no effect, and no answer.
        assert_eq!(bench.says("SM4", ANN, "HELP").await, None);
        assert_eq!(bench.number("SELECT COUNT(*) FROM inbound_messages").await, 4);
        assert_eq!(bench.number("SELECT COUNT(*) FROM consent_ledger WHERE consent = 'opted_out'").await, 1);
        assert_eq!(bench.number("SELECT COUNT(*) FROM webhook_events WHERE reason = 'repeat'").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_programs_do_not_answer_each_other_without_end() {
    for bench in benches().await {
        person(&bench, Consent::OptedIn).await;
        let mut answered = 0;
        for number in 0..15 {
            answered += i32::from(bench.says(&format!("SM1{number}"), ANN, "HELP").await.is_some());
        }
        assert_eq!(answered, 10);
        assert!(bench.says("SM2", ANN, "STOP").await.is_some(), "an opt-out is confirmed, however much they wrote");
        assert_eq!(bench.says("SM3", ANN, "START").await, None);
        assert_eq!(consent(&bench).await, (Consent::OptedIn, false), "what they wish counts without an answer, too");
        bench.clock.advance(Timestamp::HOUR);
        assert!(bench.says("SM4", ANN, "HELP").await.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_a_topic_is_confirmed_however_much_somebody_wrote() {
    for bench in benches().await {
        person(&bench, Consent::OptedIn).await;
        let topic = NewTopic { key: "offers".to_owned(), name: "Offers".to_owned(), ..NewTopic::default() };
        bench.engine.topics().create(&bench.admin, topic).await.unwrap();
        assert!(bench.says("SM1", ANN, "SUBSCRIBE offers").await.is_some());
        for number in 0..10 {
            bench.says(&format!("SM2{number}"), ANN, "HELP").await;
        }
        let answer = bench.says("SM3", ANN, "UNSUBSCRIBE offers").await;
        assert!(answer.as_deref().unwrap_or_default().contains("unsubscribed from Offers"), "{answer:?}");
        assert_eq!(bench.says("SM4", ANN, "UNSUBSCRIBE offers").await, None, "once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_settings_a_message_has_to_come_again() {
    for bench in benches().await {
        person(&bench, Consent::OptedIn).await;
        // Longer than they are remembered.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let db = bench.db.writer();
        store::exec(db, "ALTER TABLE settings RENAME TO settings_away", vec![]).await.unwrap();
        let refused = bench.inbound("SM1", ANN, "STOP", &[]).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        assert_eq!(bench.number("SELECT COUNT(*) FROM webhook_events").await, 0);
        store::exec(db, "ALTER TABLE settings_away RENAME TO settings", vec![]).await.unwrap();
        assert!(bench.says("SM1", ANN, "STOP").await.is_some());
        assert_eq!(consent(&bench).await, (Consent::OptedOut, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_only_kept_raw_is_tried_again_when_it_comes_again() {
    for bench in benches().await {
        person(&bench, Consent::OptedIn).await;
        bench.refuse("SM1").await;
        let (from, to) = (format!("whatsapp:{ANN}"), format!("whatsapp:{}", support::US));
        let form = [("MessageSid", "SM1"), ("From", &*from), ("To", &*to), ("Body", "STOP")];
        let webhook = support::signed("/webhooks/twilio/inbound", &form);
        let webhook = Webhook { idempotency_token: Some("the same".to_owned()), ..webhook };
        bench.engine.ingest_inbound(webhook.clone()).await.unwrap();
        assert_eq!(consent(&bench).await, (Consent::OptedIn, false));
        assert_eq!(bench.number("SELECT COUNT(*) FROM webhook_events WHERE reason = 'failed'").await, 1);
        bench.accept().await;
        bench.engine.ingest_inbound(webhook).await.unwrap();
        assert_eq!(consent(&bench).await, (Consent::OptedOut, true));
    }
}

/// The first answer may have been lost on its way: then it is given again, and nothing else happens.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_is_tried_again_is_confirmed_in_the_same_words() {
    for bench in benches().await {
        person(&bench, Consent::OptedIn).await;
        let (from, to) = (format!("whatsapp:{ANN}"), format!("whatsapp:{}", support::US));
        let form = [("MessageSid", "SM1"), ("From", &*from), ("To", &*to), ("Body", "STOP")];
        let webhook = support::signed("/webhooks/twilio/inbound", &form);
        let webhook = Webhook { idempotency_token: Some("the same".to_owned()), ..webhook };
        let first = bench.engine.ingest_inbound(webhook.clone()).await.unwrap();
        assert!(first.contains("<Message>"), "{first}");
        assert_eq!(bench.engine.ingest_inbound(webhook).await.unwrap(), first);
        assert_eq!(bench.number("SELECT COUNT(*) FROM messages").await, 1);
        assert_eq!(bench.number("SELECT COUNT(*) FROM inbound_messages").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn start_lifts_a_stop() {
    for bench in benches().await {
        person(&bench, Consent::OptedIn).await;
        bench.says("SM1", ANN, "STOP").await.unwrap();
        // An old message that is repeated does not count again.
        assert!(bench.says("SM2", ANN, "start").await.is_some());
        assert_eq!(consent(&bench).await, (Consent::OptedIn, false));
        assert_eq!(bench.number("SELECT COUNT(*) FROM suppressions").await, 0);
        assert_eq!(bench.says("SM1", ANN, "STOP").await, None);
        assert_eq!(consent(&bench).await, (Consent::OptedIn, false));
        assert!(bench.says("SM3", ANN, "STOP").await.is_some(), "another revocation, another confirmation");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn start_does_not_lift_what_others_suppressed() {
    for bench in benches().await {
        person(&bench, Consent::OptedIn).await;
        let change = ConsentChange { consent: Consent::OptedOut, source: Some("list".to_owned()), evidence: None };
        bench.engine.contacts().set_consent(&bench.admin, &phone(ANN), change).await.unwrap();
        assert_eq!(suppressions(&bench).await.as_deref(), Some(SuppressionReason::Manual.as_str()));
        assert_eq!(bench.says("SM1", ANN, "START").await, None);
        assert_eq!(consent(&bench).await, (Consent::OptedOut, true));
        let unread = "SELECT COUNT(*) FROM inbound_messages WHERE keyword IS NULL";
        assert_eq!(bench.number(unread).await, 1, "it waits in the inbox for somebody to read it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_new_becomes_a_contact_of_unknown_consent() {
    for bench in benches().await {
        assert_eq!(bench.says("SM1", ANN, "Hello?").await, None);
        assert_eq!(consent(&bench).await, (Consent::Unknown, false));
        let page = PageRequest::default();
        let list = bench.engine.inbound().list(&bench.admin, Some(&phone(ANN)), None, &page).await.unwrap();
        assert_eq!(list.items[0].body.as_deref(), Some("Hello?"));
        assert_eq!((list.items[0].keyword, list.items[0].received_at), (None, START));
        let contact = bench.engine.contacts().get(&bench.admin, &phone(ANN)).await.unwrap();
        assert_eq!(contact.last_inbound_at, Some(START));
        // And erased after a STOP, and back again: the hash remembers.
        bench.says("SM2", ANN, "STOP").await.unwrap();
        bench.engine.contacts().erase(&bench.admin, &phone(ANN)).await.unwrap();
        assert_eq!(bench.says("SM3", ANN, "Hello again").await, None);
        assert!(consent(&bench).await.1, "still suppressed");
        let list = bench.engine.inbound().list(&bench.admin, None, None, &page).await.unwrap();
        assert_eq!(list.items.iter().filter(|message| message.phone.is_none()).count(), 2);
    }
}

/// Whatever number it says that it is from now: it was taken once.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_known_makes_nobody_a_contact() {
    const OTHERS: [&str; 2] = ["+14155550124", "+14155550125"];
    for bench in benches().await {
        assert_eq!(bench.says("SM1", ANN, "Hello?").await, None);
        assert_eq!(bench.says("SM1", OTHERS[0], "STOP").await, None);
        assert_eq!(bench.number("SELECT COUNT(*) FROM contacts").await, 1);
        let [one, other] = OTHERS.map(|phone| bench.says("SM2", phone, "Hello?"));
        assert_eq!(tokio::join!(one, other), (None, None));
        assert_eq!(bench.number("SELECT COUNT(*) FROM contacts").await, 2, "one of the two, in one batch or in two");
        assert_eq!(bench.number("SELECT COUNT(*) FROM webhook_events WHERE reason = 'repeat'").await, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_come_and_go_by_name() {
    for bench in benches().await {
        let new = NewTopic { key: "offers".to_owned(), name: "Weekly offers".to_owned(), ..NewTopic::default() };
        bench.engine.topics().create(&bench.admin, new).await.unwrap();
        assert!(bench.says("SM1", ANN, "SUBSCRIBE weekly offers").await.unwrap().contains("Weekly offers"));
        let contact = bench.engine.contacts().get(&bench.admin, &phone(ANN)).await.unwrap();
        assert_eq!((contact.consent, contact.topics), (Consent::OptedIn, vec!["offers".to_owned()]));
        let button = [("ButtonPayload", "OPT_OUT:offers"), ("ButtonText", "No more")];
        let answer = bench.inbound("SM2", ANN, "No more", &button).await.unwrap();
        assert!(answer.contains("unsubscribed from Weekly offers"), "{answer}");
        let contact = bench.engine.contacts().get(&bench.admin, &phone(ANN)).await.unwrap();
        assert_eq!((contact.consent, contact.topics), (Consent::OptedIn, vec![]));
        assert!(bench.says("SM3", ANN, "unsubscribe nonsense").await.unwrap().contains("everything"));
        assert_eq!(consent(&bench).await, (Consent::OptedOut, true));
        let page = PageRequest::default();
        let list = bench.engine.inbound().list(&bench.admin, None, None, &page).await.unwrap();
        let keywords: Vec<_> = list.items.iter().map(|message| message.keyword).collect();
        assert_eq!(keywords, [Keyword::Unsubscribe, Keyword::Unsubscribe, Keyword::Subscribe].map(Some));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_for_a_topic_that_is_none_may_be_an_opt_out() {
    for bench in benches().await {
        person(&bench, Consent::OptedIn).await;
        let topic = NewTopic { key: "offers".to_owned(), name: "Offers".to_owned(), ..NewTopic::default() };
        bench.engine.topics().create(&bench.admin, topic).await.unwrap();
        assert!(bench.says("SM1", ANN, "subscribe offers").await.unwrap().contains("Offers"));
        assert!(bench.says("SM2", ANN, "subscribe gardening").await.unwrap().contains("one of these topics"));
        let held = "SELECT COUNT(*) FROM contacts WHERE review_since IS NOT NULL";
        assert_eq!(bench.number(held).await, 0);
        assert_eq!(bench.says("SM3", ANN, "Subscribe to more of your spam?").await, None);
        assert_eq!((consent(&bench).await, bench.number(held).await), ((Consent::OptedIn, false), 1));
        let answer = bench.says("SM4", ANN, "Subscribe? No, stop texting me").await.unwrap();
        assert!(answer.contains("unsubscribed"), "{answer}");
        assert_eq!(consent(&bench).await, (Consent::OptedOut, true));
        assert_eq!(bench.number("SELECT COUNT(*) FROM inbound_messages WHERE keyword = 'stop'").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_may_say_it_by_its_payload_alone() {
    for bench in benches().await {
        person(&bench, Consent::OptedIn).await;
        for (sid, payload) in [("SM1", "cancel_order_4711"), ("SM2", "START"), ("SM3", "more")] {
            bench.inbound(sid, ANN, "Fine for me", &[("ButtonPayload", payload)]).await.unwrap();
        }
        assert_eq!(consent(&bench).await, (Consent::OptedIn, false));
        assert_eq!(bench.number("SELECT COUNT(*) FROM contacts WHERE review_since IS NOT NULL").await, 0);
        let answer = bench.inbound("SM4", ANN, "Not for me", &[("ButtonPayload", "STOP")]).await.unwrap();
        assert!(answer.contains("unsubscribed"), "{answer}");
        assert_eq!(consent(&bench).await, (Consent::OptedOut, true));
        let page = PageRequest::default();
        let timeline = bench.engine.contacts().timeline(&bench.admin, &phone(ANN), &page).await.unwrap();
        let event = timeline.items.iter().find(|entry| entry.consent == Some(Consent::OptedOut)).unwrap();
        assert_eq!(event.text.as_deref(), Some("Not for me [STOP]"), "the evidence has what was pressed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_may_be_any_name_opts_nobody_out() {
    for bench in benches().await {
        person(&bench, Consent::OptedIn).await;
        bench.inbound("SM1", ANN, "Tuesday", &[("ButtonPayload", "T")]).await.unwrap();
        assert_eq!(consent(&bench).await, (Consent::OptedIn, false));
        let held = "SELECT COUNT(*) FROM contacts WHERE review_since IS NOT NULL";
        assert_eq!(bench.number(held).await, 1, "somebody reads it");
        let answer = bench.inbound("SM2", ANN, "No more", &[("ButtonPayload", "opt-out")]).await.unwrap();
        assert!(answer.contains("unsubscribed"), "{answer}");
        assert_eq!(consent(&bench).await, (Consent::OptedOut, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_without_a_number_is_kept_raw_and_answered() {
    for bench in benches().await {
        let form = [("MessageSid", "SM1"), ("From", "whatsapp:US.13491208655302741918"), ("Body", "Hi")];
        let webhook = support::signed("/webhooks/twilio/inbound", &form);
        assert!(bench.engine.ingest_inbound(webhook).await.unwrap().ends_with("<Response/>"));
        let kept = bench.text("SELECT outcome || ' ' || reason || ' ' || provider_sid FROM webhook_events").await;
        assert_eq!(kept.as_deref(), Some("unprocessable sender_is_no_phone SM1"));
        assert_eq!(bench.number("SELECT COUNT(*) FROM contacts").await, 0);
    }
}

/// WhatsApp names Mexicans with a 1 that no import, API or event stores.
#[tokio::test(flavor = "multi_thread")]
async fn a_mexican_stop_is_of_whoever_is_stored() {
    const STORED: &str = "+522221234563";
    const WRITES: &str = "+5212221234563";
    for bench in benches().await {
        let new = NewContact {
            phone: STORED.to_owned(),
            attributes: serde_json::Map::new(),
            consent: Some(Consent::OptedIn),
            timezone: None,
            locale: None,
            topics: Vec::new(),
        };
        bench.engine.contacts().create(&bench.admin, new).await.unwrap();
        let stands = async |number: &str| {
            let contact = bench.engine.contacts().get(&bench.admin, &phone(number)).await.unwrap();
            (contact.consent, contact.suppressed)
        };
        assert!(bench.says("SM1", WRITES, "STOP").await.is_some_and(|answer| answer.contains("unsubscribed")));
        assert_eq!(stands(STORED).await, (Consent::OptedOut, true));
        assert_eq!(bench.number("SELECT COUNT(*) FROM contacts").await, 1, "nobody else is stored");
        assert!(bench.says("SM2", WRITES, "START").await.is_some());
        assert_eq!(stands(STORED).await, (Consent::OptedIn, false));
        // An opt-out that was noted for the number as WhatsApp has it counts, and START lifts it.
        let listed = "INSERT INTO suppressions (phone_hash, key_id, reason, actor_kind, actor_id, created_at) \
                      VALUES ($1, 'k', 'stop', 'recipient', 'r', 1)";
        let hash = bench.engine_keys().suppression_hash("+5215512345678");
        store::exec(bench.db.writer(), listed, vec![hash.into()]).await.unwrap();
        assert_eq!(bench.says("SM3", "+5215512345678", "Hello").await, None);
        assert_eq!(stands("+525512345678").await, (Consent::OptedOut, true));
        assert!(bench.says("SM4", "+5215512345678", "START").await.is_some());
        assert_eq!(stands("+525512345678").await, (Consent::OptedIn, false));
        assert_eq!(bench.number("SELECT COUNT(*) FROM suppressions").await, 0);
        let differences = bench.engine.replay(&bench.admin, false).await.unwrap().differences;
        assert_eq!(differences, Vec::<String>::new());
        // Whoever wrote first was stored by WhatsApp's writing by an earlier version. Their STOP holds for that row, too.
        let earlier = "UPDATE contacts SET phone = '+5219991234567' WHERE phone = $1";
        store::exec(bench.db.writer(), earlier, vec![STORED.into()]).await.unwrap();
        assert_eq!(stands("+5219991234567").await, (Consent::OptedIn, false));
        assert!(bench.says("SM5", "+5219991234567", "STOP").await.is_some());
        assert_eq!(stands("+5219991234567").await, (Consent::OptedOut, true));
        assert_eq!(stands("+529991234567").await, (Consent::OptedOut, true));
    }
}

/// WhatsApp names some people by another number than they are stored by. Who answers a message is whom it went to.
#[tokio::test(flavor = "multi_thread")]
async fn an_opt_out_that_answers_a_message_is_also_of_whom_it_went_to() {
    const NAMED: &str = "+556298765432";
    for bench in benches().await {
        let id = sending(&bench, 2).await[0];
        let target = format!("/webhooks/twilio/status?m={id}&a=1");
        bench.status(&target, &[("MessageSid", "SMours"), ("MessageStatus", "delivered")]).await.unwrap();
        let out = "SELECT COUNT(*) FROM contacts WHERE consent = 'opted_out' AND suppressed";
        let answers = async |sid: &str, text: &str, to: &str| {
            bench.inbound(sid, NAMED, text, &[("OriginalRepliedMessageSid", to)]).await.unwrap();
        };
        answers("SM1", "Thanks", "SMours").await;
        answers("SM2", "STOP", "SMothers").await;
        assert_eq!(bench.number(out).await, 1, "whoever wrote it");
        // Also of somebody who has stopped already, by the number that they write from.
        answers("SM3", "STOP", "SMours").await;
        let of_both = format!("{out} AND (contact_id = 1 OR phone = '{NAMED}')");
        assert_eq!((bench.number(out).await, bench.number(&of_both).await), (2, 2));
        let lines = "SELECT COUNT(*) FROM consent_ledger WHERE contact_id = 1 AND reference = 'SM3'";
        assert_eq!(bench.number(lines).await, 1);
        assert_eq!(bench.number("SELECT COUNT(*) FROM suppressions WHERE contact_id = 1 AND reason = 'stop'").await, 1);
        answers("SM4", "STOP", "SMours").await;
        assert_eq!(bench.number("SELECT COUNT(*) FROM consent_ledger").await, 2, "once");
        let hash = bench.engine_keys().suppression_hash("+15005560001");
        let found = store::suppressions::find(bench.db.reader(), &[hash]).await.unwrap();
        assert_eq!(found.len(), 1, "by the number that they are stored by");
    }
}

/// Two processes take what somebody writes, and the one with their yes is slow.
#[tokio::test(flavor = "multi_thread")]
async fn a_yes_that_is_stored_behind_a_later_no_does_not_undo_it() {
    for test in testkit::databases().await {
        let quick = bench(test).await;
        quick.start_writer();
        person(&quick, Consent::OptedIn).await;
        let topic = NewTopic { key: "offers".to_owned(), name: "Offers".to_owned(), ..NewTopic::default() };
        quick.engine.topics().create(&quick.admin, topic).await.unwrap();
        let stands = async || (consent(&quick).await.0, quick.text("SELECT state FROM subscriptions").await);
        let subscribed = || (Consent::OptedIn, Some("subscribed".to_owned()));
        for (yes, no, left) in [
            ("SUBSCRIBE offers", "UNSUBSCRIBE offers", (Consent::OptedIn, Some("unsubscribed".to_owned()))),
            ("START", "STOP", (Consent::OptedOut, Some("subscribed".to_owned()))),
        ] {
            let sid = |which: &str| format!("SM{which}{no}").replace(' ', "");
            quick.says(&sid("first"), ANN, yes).await;
            quick.clock.advance(Timestamp::SECOND);
            let slow = quick.beside().await;
            let late_sid = sid("late");
            let mut late = Box::pin(slow.says(&late_sid, ANN, yes));
            let waits = tokio::time::timeout(Duration::from_millis(200), late.as_mut()).await;
            assert!(waits.is_err(), "nobody stores it yet");
            quick.clock.advance(Timestamp::SECOND);
            assert!(quick.says(&sid("no"), ANN, no).await.is_some(), "it is confirmed");
            slow.start_writer();
            assert_eq!(late.await, None, "{yes}");
            assert_eq!(stands().await, left, "{no} came later");
            // Within the same moment the order of the webhooks counts.
            assert!(quick.says(&sid("again"), ANN, yes).await.is_some());
            assert_eq!(stands().await, subscribed(), "{yes}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_over_rcs_is_a_stop() {
    for bench in benches().await {
        person(&bench, Consent::OptedIn).await;
        let from = format!("rcs:{ANN}");
        let form = [("MessageSid", "SM1"), ("From", &*from), ("To", "rcs:our_agent"), ("Body", "STOP")];
        let webhook = support::signed("/webhooks/twilio/inbound", &form);
        let answer = bench.engine.ingest_inbound(webhook).await.unwrap();
        assert!(answer.contains("unsubscribed"), "{answer}");
        assert_eq!(consent(&bench).await, (Consent::OptedOut, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_twilio_answered_we_do_not() {
    for bench in benches().await {
        person(&bench, Consent::OptedIn).await;
        let answer = bench.inbound("SM1", ANN, "arret", &[("OptOutType", "STOP")]).await.unwrap();
        assert!(answer.ends_with("<Response/>"), "{answer}");
        assert_eq!(consent(&bench).await, (Consent::OptedOut, true));
        assert_eq!(bench.number("SELECT COUNT(*) FROM messages").await, 0);
    }
}

/// To Twilio YES is another START. To us it answers a question while one waits, also where Twilio answers YES by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_yes_that_twilio_takes_for_a_start_answers_the_question() {
    for bench in benches().await {
        person(&bench, Consent::Unknown).await;
        for (key, name) in [("club", "The Club"), ("tea", "Tea")] {
            let topic =
                NewTopic { key: key.to_owned(), name: name.to_owned(), double_opt_in: true, ..NewTopic::default() };
            bench.engine.topics().create(&bench.admin, topic).await.unwrap();
        }
        let subscribed = "SELECT COUNT(*) FROM subscriptions WHERE state = 'subscribed'";
        let waiting = "SELECT COUNT(*) FROM opt_in_requests WHERE state = 'waiting'";

        // On SMS, where Twilio knows the word but says nothing of our topic.
        bench.engine.contacts().subscribe(&bench.admin, &phone(ANN), "club").await.unwrap();
        assert_eq!((bench.number(waiting).await, consent(&bench).await), (1, (Consent::Pending, false)));
        let sms = [("MessageSid", "SM1"), ("From", ANN), ("To", support::US), ("Body", "YES")];
        let webhook = support::signed("/webhooks/twilio/inbound", &sms);
        let answer = bench.engine.ingest_inbound(webhook).await.unwrap();
        assert!(answer.contains("subscribed to The Club"), "{answer}");
        assert_eq!((bench.number(waiting).await, bench.number(subscribed).await), (0, 1));

        // With Advanced Opt-Out, where Twilio has answered.
        bench.engine.contacts().subscribe(&bench.admin, &phone(ANN), "tea").await.unwrap();
        let started = [("OptOutType", "START")];
        let answer = bench.inbound("SM2", ANN, "Yes", &started).await.unwrap();
        assert!(answer.ends_with("<Response/>"), "{answer}");
        assert_eq!((bench.number(waiting).await, bench.number(subscribed).await), (0, 2));

        // No question waits: from somebody who is not blocked it is a word like any other, whatever Twilio makes of it.
        let bens = [("From", "whatsapp:+14155550124"), ("To", "whatsapp:+15005550006"), ("Body", "Yes")];
        let form = [&[("MessageSid", "SM9")][..], &bens, &started].concat();
        bench.engine.ingest_inbound(support::signed("/webhooks/twilio/inbound", &form)).await.unwrap();
        let ben = bench.engine.contacts().get(&bench.admin, &phone("+14155550124")).await.unwrap();
        assert_eq!(ben.consent, Consent::Unknown);
        assert_eq!(bench.number("SELECT COUNT(*) FROM inbound_messages WHERE keyword IS NULL").await, 1);

        // Twilio has ended its block, and we end ours.
        bench.inbound("SM3", ANN, "STOP", &[("OptOutType", "STOP")]).await.unwrap();
        bench.inbound("SM4", ANN, "Yes", &[]).await.unwrap();
        assert_eq!(consent(&bench).await, (Consent::OptedOut, true), "a yes to nothing");
        bench.inbound("SM5", ANN, "Yes", &started).await.unwrap();
        assert_eq!(consent(&bench).await, (Consent::OptedIn, false));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_the_provider_reports_is_an_opt_out() {
    for bench in benches().await {
        person(&bench, Consent::OptedIn).await;
        two_messages(&bench).await;
        let failed = "SELECT id FROM messages WHERE state = 3";
        let target = format!("/webhooks/twilio/status?m={}&a=1", bench.number(failed).await);
        let form = [("MessageSid", "SM9"), ("MessageStatus", "failed"), ("ErrorCode", "21610")];
        bench.status(&target, &form).await.unwrap();
        assert_eq!(consent(&bench).await, (Consent::OptedOut, true));
        assert_eq!(suppressions(&bench).await.as_deref(), Some("provider"));
        assert_eq!(bench.number("SELECT skipped FROM run_ledgers").await, 1);
        assert!(bench.says("SM1", ANN, "START").await.is_some());
        // The callback again, late: the START stands.
        bench.status(&target, &form).await.unwrap();
        assert_eq!(consent(&bench).await, (Consent::OptedIn, false));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_and_callbacks_side_by_side_leave_the_ledger_balanced() {
    const PEOPLE: i64 = 40;
    for bench in benches().await {
        let phone = |number: i64| format!("+1415555{:04}", 1_000 + number);
        futures::future::join_all((0..PEOPLE).map(|number| {
            let (bench, phone) = (&bench, phone(number));
            async move { bench.says(&format!("SMa{number}"), &phone, "Hello").await }
        }))
        .await;
        two_messages(&bench).await;
        let first = bench.number("SELECT MIN(id) FROM messages WHERE state = 3").await;
        let stops = futures::future::join_all((0..PEOPLE).map(|number| {
            let (bench, phone) = (&bench, phone(number));
            async move { bench.says(&format!("SMb{number}"), &phone, "STOP").await }
        }));
        let callbacks = futures::future::join_all((0..PEOPLE).flat_map(|number| {
            let bench = &bench;
            ["delivered", "sent", "read"].map(|status| async move {
                let target = format!("/webhooks/twilio/status?m={}&a=1", first + number);
                let sid = format!("SMc{number}");
                bench.status(&target, &[("MessageSid", &sid), ("MessageStatus", status)]).await
            })
        }));
        let (answers, told) = tokio::join!(stops, callbacks);
        assert!(answers.iter().all(Option::is_some) && told.iter().all(Result::is_ok));
        let counted =
            bench.text("SELECT queued || ' ' || skipped || ' ' || read || ' ' || planned FROM run_ledgers").await;
        assert_eq!(counted.as_deref(), Some("0 40 40 80"));
        assert_eq!(bench.number("SELECT COUNT(*) FROM consent_ledger WHERE consent = 'opted_out'").await, PEOPLE);
        assert_eq!(bench.number("SELECT MAX(seq) FROM consent_ledger").await, PEOPLE, "no gap in the chain");
    }
}
