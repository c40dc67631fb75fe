//! Evidence read once more: what was broken by hand is found, and set right where that is safe.

mod support;

use domain::{message::State, topic::NewTopic};
use support::{Bench, benches, sending};

const ANN: &str = "+94771234501";

async fn differences(bench: &Bench) -> Vec<String> {
    bench.engine.replay(&bench.admin, false).await.unwrap().differences
}

async fn assert_no_difference(bench: &Bench) {
    assert_eq!(differences(bench).await, Vec::<String>::new());
}

fn count(found: &[String], what: &str) -> usize {
    found.iter().filter(|difference| difference.contains(what)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_broken_by_hand_is_set_right() {
    for bench in benches().await {
        let ids = sending(&bench, 3).await;
        for id in &ids {
            let (target, sid) = (format!("/webhooks/twilio/status?m={id}&a=1"), format!("SM{id}"));
            bench.status(&target, &[("MessageSid", &sid), ("MessageStatus", "delivered")]).await.unwrap();
        }
        bench.says("SMstop", ANN, "STOP").await;
        assert_no_difference(&bench).await;
        let sent = State::Sent.rank();
        for broken in [
            &*format!("UPDATE messages SET state = {sent} WHERE id = {}", ids[0]),
            "UPDATE run_ledgers SET delivered = delivered - 2, failed = failed + 2",
            "UPDATE contacts SET consent = 'opted_in', suppressed = FALSE WHERE suppressed",
            "DELETE FROM suppressions",
        ] {
            assert_eq!(bench.tamper(&[], broken).await, 1, "{broken}");
        }
        let found = differences(&bench).await;
        let kinds = ["message ", "run ", "consent is", "not suppressed", "not on the suppression list"];
        assert_eq!(kinds.map(|kind| count(&found, kind)), [1; 5], "{found:?}");
        assert_eq!(differences(&bench).await, found, "looking changes nothing");

        let repair = bench.engine.replay(&bench.admin, true).await.unwrap();
        assert_eq!((repair.differences.len(), repair.repaired), (5, 3), "{repair:?}");
        assert_no_difference(&bench).await;
        let stands = bench.text(&format!("SELECT state FROM messages WHERE id = {}", ids[0])).await;
        assert_eq!(stands, Some(State::Delivered.rank().to_string()));
        assert_eq!(bench.number("SELECT delivered FROM run_ledgers").await, 3);
        assert_eq!(bench.text("SELECT consent FROM contacts WHERE suppressed").await.as_deref(), Some("opted_out"));
        assert_eq!(bench.text("SELECT reason FROM suppressions").await.as_deref(), Some("stop"));
        assert_eq!(bench.number("SELECT count(*) FROM audit_log WHERE action = 'replay'").await, 1);
        assert_eq!(bench.number("SELECT count(*) FROM consent_ledger").await, 1, "nobody said anything");
        bench.says("SMstart", ANN, "START").await.expect("START lifts what STOP did");
        assert_no_difference(&bench).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opt_out_that_left_no_line_is_found() {
    const UNHEARD: &str = "the consent ledger has no line of it";
    for bench in benches().await {
        bench.says("SM1", ANN, "Hello").await;
        bench.says("SM2", ANN, "please stop texting me").await;
        bench.says("SM3", ANN, "stop").await;
        assert_no_difference(&bench).await;
        let lost = "DELETE FROM consent_ledger WHERE consent = 'opted_out'";
        assert_eq!(bench.tamper(&["consent_ledger"], lost).await, 1);
        let found = differences(&bench).await;
        assert_eq!(count(&found, UNHEARD), 2, "both said so: {found:?}");
        bench.tamper(&[], "DELETE FROM suppressions").await;
        bench.tamper(&[], "UPDATE contacts SET consent = 'unknown', suppressed = FALSE").await;
        let found = differences(&bench).await;
        assert_eq!((count(&found, UNHEARD), found.len()), (2, 2), "only what they wrote tells it: {found:?}");
        let repair = bench.engine.replay(&bench.admin, true).await.unwrap();
        assert_eq!((repair.differences.len(), repair.repaired), (2, 2), "{repair:?}");
        assert_no_difference(&bench).await;
        let person = "SELECT consent FROM contacts WHERE suppressed";
        assert_eq!(bench.text(person).await.as_deref(), Some("opted_out"));
        let line = "SELECT source || ' ' || reference FROM consent_ledger WHERE consent = 'opted_out'";
        assert_eq!(bench.text(line).await.as_deref(), Some("keyword SM3"), "one line, of what they said last");
        bench.says("SM4", ANN, "START").await;
        assert_no_difference(&bench).await;
        let repair = bench.engine.replay(&bench.admin, true).await.unwrap();
        assert_eq!((repair.differences.len(), repair.repaired), (0, 0), "what they say since is not undone");
        assert_eq!(bench.text("SELECT consent FROM contacts").await.as_deref(), Some("opted_in"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opt_out_that_was_only_kept_raw_is_found() {
    const UNHEARD: &str = "the consent ledger has no line of it";
    for bench in benches().await {
        bench.says("SM1", ANN, "Hello").await;
        bench.refuse("SM2").await;
        assert_eq!(bench.says("SM2", ANN, "STOP").await, None);
        let found = differences(&bench).await;
        assert_eq!((count(&found, UNHEARD), found.len()), (1, 1), "{found:?}");
        bench.accept().await;
        bench.says("SM2", ANN, "STOP").await.expect("it is heard now");
        assert_no_difference(&bench).await;
        // Of somebody who could not even be stored.
        bench.refuse("SM3").await;
        assert_eq!(bench.says("SM3", "+94771234502", "STOP").await, None);
        let found = differences(&bench).await;
        assert_eq!((count(&found, UNHEARD), found.len()), (1, 1), "{found:?}");
        let repair = bench.engine.replay(&bench.admin, true).await.unwrap();
        assert_eq!((repair.differences.len(), repair.repaired), (1, 1), "{repair:?}");
        assert_no_difference(&bench).await;
        bench.accept().await;
        bench.says("SM4", "+94771234502", "Hello").await;
        let person = "SELECT consent FROM contacts WHERE phone = '+94771234502' AND suppressed";
        assert_eq!(bench.text(person).await.as_deref(), Some("opted_out"), "the number is known by its hash");
        assert_no_difference(&bench).await;
    }
}

/// Of everything, of a topic, and of a topic that nobody has.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_only_kept_raw_is_recorded_on_request() {
    for bench in benches().await {
        let new = NewTopic { key: "offers".to_owned(), name: "Offers".to_owned(), ..NewTopic::default() };
        bench.engine.topics().create(&bench.admin, new).await.unwrap();
        for (index, (phone, words)) in
            [(ANN, "STOP"), ("+94771234502", "UNSUBSCRIBE offers"), ("+94771234503", "UNSUBSCRIBE nothing")]
                .into_iter()
                .enumerate()
        {
            let (sid, raw) = (format!("SMin{index}"), format!("SMraw{index}"));
            bench.says(&sid, phone, "SUBSCRIBE offers").await;
            bench.clock.advance(domain::time::Timestamp::MINUTE);
            bench.refuse(&raw).await;
            assert_eq!(bench.says(&raw, phone, words).await, None);
            bench.accept().await;
            bench.clock.advance(domain::time::Timestamp::MINUTE);
            let repair = bench.engine.replay(&bench.admin, true).await.unwrap();
            assert_eq!((repair.differences.len(), repair.repaired), (1, 1), "{words}: {repair:?}");
            assert_no_difference(&bench).await;
            let stands = async |query: &str| bench.text(&format!("{query} '{phone}'")).await;
            let consent = stands("SELECT consent FROM contacts WHERE phone =").await;
            let topic = stands(
                "SELECT s.state FROM subscriptions s JOIN contacts c ON c.contact_id = s.contact_id WHERE c.phone =",
            )
            .await;
            let wanted =
                if words == "UNSUBSCRIBE offers" { ["opted_in", "unsubscribed"] } else { ["opted_out", "subscribed"] };
            assert_eq!([consent.as_deref(), topic.as_deref()], wanted.map(Some), "{words}");
        }
    }
}

/// Of somebody who left another topic long before, and this one, too, and came back.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_left_and_left_no_line_is_found() {
    const UNHEARD: &str = "the consent ledger has no line of it";
    for bench in benches().await {
        for (key, name) in [("news", "News"), ("offers", "Offers")] {
            let new = NewTopic { key: key.to_owned(), name: name.to_owned(), ..NewTopic::default() };
            bench.engine.topics().create(&bench.admin, new).await.unwrap();
        }
        for (index, words) in [
            "SUBSCRIBE news",
            "SUBSCRIBE offers",
            "UNSUBSCRIBE news",
            "UNSUBSCRIBE news",
            "UNSUBSCRIBE offers",
            "SUBSCRIBE offers",
        ]
        .into_iter()
        .enumerate()
        {
            bench.says(&format!("SMthen{index}"), ANN, words).await;
            bench.clock.advance(domain::time::Timestamp::MINUTE);
        }
        bench.says("SMlost", ANN, "UNSUBSCRIBE offers").await;
        bench.clock.advance(domain::time::Timestamp::MINUTE);
        assert_no_difference(&bench).await;
        let lost = "DELETE FROM consent_ledger WHERE reference = 'SMlost'";
        assert_eq!(bench.tamper(&["consent_ledger"], lost).await, 1);
        let back = "UPDATE subscriptions SET state = 'subscribed' \
                    WHERE topic_id = (SELECT id FROM topics WHERE key = 'offers')";
        assert_eq!(bench.tamper(&[], back).await, 1);
        // What they say of everything else is another wish.
        bench.says("SMstop", ANN, "STOP").await;
        bench.says("SMstart", ANN, "START").await;
        bench.clock.advance(domain::time::Timestamp::MINUTE);
        let found = differences(&bench).await;
        assert_eq!((count(&found, UNHEARD), found.len()), (1, 1), "{found:?}");
        let repair = bench.engine.replay(&bench.admin, true).await.unwrap();
        assert_eq!((repair.differences.len(), repair.repaired), (1, 1), "{repair:?}");
        assert_no_difference(&bench).await;
        let state = "SELECT s.state FROM subscriptions s JOIN topics t ON t.id = s.topic_id WHERE t.key = 'offers'";
        assert_eq!(bench.text(state).await.as_deref(), Some("unsubscribed"));
        assert_eq!(bench.text("SELECT consent FROM contacts").await.as_deref(), Some("opted_in"));
        // Who is there again by their own word is not sent away.
        bench.says("SMagain", ANN, "SUBSCRIBE offers").await;
        let repaired = "DELETE FROM consent_ledger WHERE reference = 'SMlost'";
        assert_eq!(bench.tamper(&["consent_ledger"], repaired).await, 1);
        assert_no_difference(&bench).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_somebody_left_is_left_again_and_none_is_joined() {
    for bench in benches().await {
        let new = NewTopic { key: "offers".to_owned(), name: "Offers".to_owned(), ..NewTopic::default() };
        bench.engine.topics().create(&bench.admin, new).await.unwrap();
        bench.says("SM1", ANN, "SUBSCRIBE offers").await;
        let state = async || bench.text("SELECT state FROM subscriptions").await;
        let repair = async || {
            let replay = bench.engine.replay(&bench.admin, true).await.unwrap();
            (replay.differences.len(), replay.repaired)
        };
        assert_eq!(bench.tamper(&[], "UPDATE subscriptions SET state = 'unsubscribed'").await, 1);
        assert_eq!(repair().await, (1, 0), "nobody is subscribed by a look");
        assert_eq!(bench.tamper(&[], "DELETE FROM subscriptions").await, 1);
        assert_eq!((repair().await, state().await), ((1, 0), None));
        bench.says("SM2", ANN, "SUBSCRIBE offers").await;
        bench.says("SM3", ANN, "UNSUBSCRIBE offers").await;
        assert_no_difference(&bench).await;
        for broken in ["UPDATE subscriptions SET state = 'subscribed'", "DELETE FROM subscriptions"] {
            assert_eq!(bench.tamper(&[], broken).await, 1);
            assert_eq!(repair().await, (1, 1), "{broken}");
            assert_eq!(state().await.as_deref(), Some("unsubscribed"));
            assert_no_difference(&bench).await;
        }
        assert_eq!(bench.text("SELECT source FROM subscriptions").await.as_deref(), Some("keyword"));
        assert_eq!(bench.number("SELECT COUNT(*) FROM consent_ledger WHERE topic_id IS NOT NULL").await, 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_are_where_the_ledger_says() {
    for bench in benches().await {
        let new = NewTopic { key: "offers".to_owned(), name: "Offers".to_owned(), ..NewTopic::default() };
        bench.engine.topics().create(&bench.admin, new).await.unwrap();
        bench.says("SM1", ANN, "SUBSCRIBE offers").await;
        bench.says("SM2", ANN, "UNSUBSCRIBE offers").await;
        assert_no_difference(&bench).await;
        assert_eq!(bench.tamper(&[], "DELETE FROM subscriptions").await, 1);
        let found = differences(&bench).await;
        assert_eq!((count(&found, "no subscription"), found.len()), (1, 1), "{found:?}");
        // A number on the list whose person is not suppressed.
        let listed = "INSERT INTO suppressions (phone_hash, key_id, reason, actor_kind, actor_id, created_at) \
                      VALUES ($1, 'k', 'manual', 'worker', 'w', 1)";
        let hash = bench.engine_keys().suppression_hash(ANN);
        store::exec(bench.db.writer(), listed, vec![hash.into()]).await.unwrap();
        let found = differences(&bench).await;
        assert_eq!(count(&found, "is on the suppression list"), 1, "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_forms_that_no_retention_took_are_missed() {
    for bench in benches().await {
        let form = |sid| [("MessageSid", sid), ("MessageStatus", "sent")];
        for (index, sid) in ["SM1", "SM2", "SM3"].into_iter().enumerate() {
            bench.status("/s", &form(sid)).await.unwrap();
            bench.clock.advance(domain::time::Timestamp::DAY * if index == 0 { 20 } else { 1 });
        }
        bench.clock.advance(10 * domain::time::Timestamp::DAY);
        engine::services::tidy::tidy(&bench.engine).await.unwrap();
        let replay = bench.engine.replay(&bench.admin, false).await.unwrap();
        assert_eq!((replay.webhooks, replay.purged, replay.differences), (2, 1, Vec::new()), "the first had its time");
        let last = "DELETE FROM webhook_blocks WHERE id = (SELECT MAX(id) FROM webhook_blocks)";
        assert_eq!(bench.tamper(&["webhook_blocks"], last).await, 1);
        let replay = bench.engine.replay(&bench.admin, false).await.unwrap();
        assert_eq!((replay.webhooks, replay.purged, count(&replay.differences, "no retention took them")), (1, 1, 1));
        assert_eq!(bench.tamper(&["period_keys"], "DELETE FROM period_keys").await, 2);
        let replay = bench.engine.replay(&bench.admin, false).await.unwrap();
        assert_eq!((replay.webhooks, count(&replay.differences, "the key of their day")), (0, 1), "{replay:?}");
    }
}
