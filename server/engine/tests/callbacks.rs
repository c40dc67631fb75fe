//! Status callbacks: any order and any repeats end alike, nothing is stored without a signature, and one bad webhook
//! harms no other.

mod support;

use domain::{
    event::{WebhookFilter, WebhookOutcome},
    ids::MessageId,
    message::State,
    page::PageRequest,
    provider_account::{NewProviderAccount, ProviderAccountPatch},
    time::Timestamp,
};
use engine::{
    Error,
    clock::Clock as _,
    ingest::{Webhook, orphans},
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use store::messages::{Effect, KnownGrounds, OutcomeIn};
use support::{ACCOUNT, Bench, START, TOKEN, bench, benches, sending, signed, signed_by};
use tokio_util::sync::CancellationToken;

async fn callback(bench: &Bench, id: MessageId, sid: &str, status: &str, code: Option<&str>) {
    let target = format!("/webhooks/twilio/status?m={id}&a=1");
    let mut form = vec![("MessageSid", sid), ("MessageStatus", status)];
    form.extend(code.map(|code| ("ErrorCode", code)));
    bench.status(&target, &form).await.unwrap();
}

async fn state(bench: &Bench, id: MessageId) -> State {
    let rank = bench.number(&format!("SELECT state FROM messages WHERE id = {id}")).await;
    State::from_rank(i16::try_from(rank).unwrap()).unwrap()
}

async fn ledger(bench: &Bench, column: &str) -> i64 {
    bench.number(&format!("SELECT {column} FROM run_ledgers")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn any_order_and_any_repeats_give_the_same_end() {
    for bench in benches().await {
        let ids = sending(&bench, 24).await;
        let reported = [
            ("sent", None),
            ("undelivered", Some("30003")),
            ("delivered", None),
            ("failed", Some("63016")),
            ("read", None),
        ];
        let mut deliveries = Vec::new();
        for (seed, id) in ids.iter().enumerate() {
            let mut random = StdRng::seed_from_u64(seed as u64);
            let mut mine: Vec<_> = reported.to_vec();
            for _ in 0..random.random_range(0..5) {
                mine.push(reported[random.random_range(0..reported.len())]);
            }
            mine.shuffle(&mut random);
            deliveries.push((*id, mine));
        }
        // All at once, so that they share transactions in ever other ways.
        let all = deliveries.iter().map(|(id, mine)| {
            let bench = &bench;
            async move {
                for (status, code) in mine {
                    callback(bench, *id, &format!("SM{id}"), status, *code).await;
                }
            }
        });
        futures::future::join_all(all).await;
        for id in &ids {
            assert_eq!(state(&bench, *id).await, State::Read);
        }
        assert_eq!((ledger(&bench, "planned").await, ledger(&bench, "read").await), (24, 24));
        assert_eq!(bench.number("SELECT COUNT(*) FROM receipts").await, 24 * 5);
        let repeats: usize = deliveries.iter().map(|(_, mine)| mine.len() - reported.len()).sum();
        assert_eq!(bench.number("SELECT COALESCE(SUM(count), 0) FROM receipt_repeats").await, repeats as i64);
        assert_eq!(bench.number("SELECT COALESCE(SUM(count), 0) FROM run_tallies").await, 0, "no failure is left");
        let stored = bench.number("SELECT COUNT(*) FROM webhook_events").await;
        assert_eq!(stored, (24 * reported.len() + repeats) as i64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_before_the_answer_settles_the_message() {
    for bench in benches().await {
        let ids = sending(&bench, 1).await;
        callback(&bench, ids[0], "SM1", "delivered", None).await;
        assert_eq!(state(&bench, ids[0]).await, State::Delivered);
        assert_eq!(bench.text("SELECT provider_sid FROM messages").await.as_deref(), Some("SM1"));
        // Without `m`, the SID finds the message now.
        bench.status("/webhooks/twilio/status", &[("MessageSid", "SM1"), ("MessageStatus", "read")]).await.unwrap();
        assert_eq!(state(&bench, ids[0]).await, State::Read);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_is_not_stored() {
    for bench in benches().await {
        let target = "/webhooks/twilio/status?m=1&a=1";
        let good = signed(target, &[("MessageSid", "SM1"), ("MessageStatus", "sent")]);
        let mut unsigned = good.clone();
        unsigned.signature = None;
        let mut forged = good.clone();
        forged.body = String::from_utf8(good.body.to_vec()).unwrap().replace("sent", "read").into();
        let mut elsewhere = good.clone();
        elsewhere.target = "/webhooks/twilio/status?m=2&a=1".to_owned();
        let mut other_account = good.clone();
        other_account.body = String::from_utf8(good.body.to_vec()).unwrap().replace("AC0", "AC1").into();
        for webhook in [unsigned, forged, elsewhere, other_account] {
            assert!(matches!(bench.engine.ingest_status(webhook.clone()).await, Err(Error::Forbidden)));
            assert!(matches!(bench.engine.ingest_inbound(webhook).await, Err(Error::Forbidden)));
        }
        assert_eq!(bench.number("SELECT COUNT(*) FROM webhook_events").await, 0);
        assert_eq!(bench.number("SELECT COUNT(*) FROM webhook_blocks").await, 0);
        bench.engine.ingest_status(good).await.unwrap();
        assert_eq!(bench.number("SELECT COUNT(*) FROM webhook_events").await, 1);
    }
}

/// Twilio gives every try of one webhook the same token.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_tries_of_one_callback_are_one_row_and_one_receipt() {
    for bench in benches().await {
        let ids = sending(&bench, 1).await;
        let form = [("MessageSid", "SM1"), ("MessageStatus", "delivered")];
        let callback = |token: Option<&str>| Webhook {
            idempotency_token: token.map(str::to_owned),
            ..signed(&format!("/webhooks/twilio/status?m={}&a=1", ids[0]), &form)
        };
        let count = async || {
            let forms = bench.number("SELECT COUNT(*) FROM webhook_events").await;
            let receipts = bench.number("SELECT COUNT(*) FROM receipts").await;
            (forms, receipts, bench.number("SELECT COALESCE(SUM(count), 0) FROM receipt_repeats").await)
        };
        // Many before the first is stored, many afterwards; without a token the signature tells that it is the same.
        for (token, rows) in [(Some("one"), 1), (None, 2)] {
            for half in 0..2 {
                let tries = (0..5_000).map(|_| bench.engine.ingest_status(callback(token)));
                assert!(futures::future::join_all(tries).await.iter().all(Result::is_ok), "{half}");
                assert_eq!(count().await, (rows, 1, rows - 1), "{token:?}");
            }
        }
        assert_eq!(state(&bench, ids[0]).await, State::Delivered);
        bench.engine.ingest_status(callback(Some("two"))).await.unwrap();
        assert_eq!(count().await, (3, 1, 2), "another callback that says the same");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_try_is_answered_before_one_is_stored() {
    let test = testkit::databases().await.remove(0);
    let bench = bench(test).await;
    let form = [("MessageSid", "SM1"), ("MessageStatus", "sent")];
    let webhook = Webhook { idempotency_token: Some("one".to_owned()), ..signed("/s", &form) };
    let tries: Vec<_> = (0..20)
        .map(|_| {
            let (engine, webhook) = (bench.engine.clone(), webhook.clone());
            tokio::spawn(async move { engine.ingest_status(webhook).await })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(tries.iter().all(|one| !one.is_finished()), "nobody stores them yet");
    bench.start_writer();
    for one in tries {
        one.await.unwrap().unwrap();
    }
    assert_eq!(bench.number("SELECT COUNT(*) FROM webhook_events").await, 1);
}

/// Twilio waits for 15 seconds, as while another process holds the database.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_database_is_refused_in_time_and_stored_all_the_same() {
    let test = testkit::databases().await.remove(0);
    let bench = bench(test).await;
    let form = [("MessageSid", "SM1"), ("MessageStatus", "sent")];
    let webhook = Webhook { idempotency_token: Some("one".to_owned()), ..signed("/s", &form) };
    let started = std::time::Instant::now();
    let (first, second) =
        tokio::join!(bench.engine.ingest_status(webhook.clone()), bench.engine.ingest_status(webhook.clone()));
    assert!(matches!((first, second), (Err(Error::Unavailable(_)), Err(Error::Unavailable(_)))));
    assert!(started.elapsed() < std::time::Duration::from_secs(10), "{:?}", started.elapsed());
    bench.start_writer();
    bench.engine.ingest_status(webhook).await.unwrap();
    assert_eq!(bench.number("SELECT COUNT(*) FROM webhook_events").await, 1, "it stayed in the queue");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_account_signs_with_its_own_token() {
    const SECOND: &str = "AC22220000000000000000000000002222";
    for bench in benches().await {
        let accounts = bench.engine.provider_accounts();
        let new = NewProviderAccount {
            account_sid: SECOND.to_owned(),
            name: "Second".to_owned(),
            auth_token: "67890".to_owned(),
            api_key_sid: None,
            api_key_secret: None,
            api_base: None,
        };
        let post = async |account: &str, token: &str| {
            let form = [("MessageSid", "SM1"), ("MessageStatus", "sent")];
            bench.engine.ingest_status(signed_by((account, token), "/webhooks/twilio/status", &form)).await
        };
        assert!(matches!(post(SECOND, "67890").await, Err(Error::Forbidden)), "it is not known yet");
        accounts.create(&bench.admin, new).await.unwrap();
        post(SECOND, "67890").await.unwrap();
        post(ACCOUNT, TOKEN).await.unwrap();
        for (account, token) in [(SECOND, TOKEN), (ACCOUNT, "67890"), (SECOND, ""), (SECOND, "6789")] {
            assert!(matches!(post(account, token).await, Err(Error::Forbidden)), "{account} {token}");
        }
        let turned = ProviderAccountPatch { auth_token: Some("24680".to_owned()), ..ProviderAccountPatch::default() };
        accounts.update(&bench.admin, SECOND, turned).await.unwrap();
        assert!(matches!(post(SECOND, "67890").await, Err(Error::Forbidden)), "the former one");
        post(SECOND, "24680").await.unwrap();
        // While Twilio changes over, both sign; requests are made with the first.
        let other = |token: Option<&str>| ProviderAccountPatch {
            other_auth_token: Some(token.map(str::to_owned)),
            ..ProviderAccountPatch::default()
        };
        let account = accounts.update(&bench.admin, SECOND, other(Some("67890"))).await.unwrap();
        assert!(account.has_other_auth_token);
        post(SECOND, "67890").await.unwrap();
        post(SECOND, "24680").await.unwrap();
        assert!(matches!(post(SECOND, TOKEN).await, Err(Error::Forbidden)), "another account's");
        let account = accounts.update(&bench.admin, SECOND, other(None)).await.unwrap();
        assert!(!account.has_other_auth_token);
        assert!(matches!(post(SECOND, "67890").await, Err(Error::Forbidden)), "it has served its time");
        post(SECOND, "24680").await.unwrap();
        accounts.delete(&bench.admin, SECOND).await.unwrap();
        assert!(matches!(post(SECOND, "24680").await, Err(Error::Forbidden)), "it is gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_orphans_and_unknown_words_are_kept_raw() {
    for bench in benches().await {
        let ids = sending(&bench, 1).await;
        callback(&bench, ids[0], "SM1", "teleported", None).await;
        callback(&bench, MessageId(999_999), "SM2", "delivered", None).await;
        bench.status("/webhooks/twilio/status", &[("MessageStatus", "sent"), ("Odd", "a&b=c")]).await.unwrap();
        assert_eq!(state(&bench, ids[0]).await, State::Sending);
        let page = PageRequest::default();
        let list = bench.engine.webhook_events().list(&bench.admin, &WebhookFilter::default(), &page).await.unwrap();
        let outcomes: Vec<_> = list.items.iter().map(|event| (event.outcome, event.reason.as_deref())).collect();
        assert_eq!(
            outcomes,
            [
                (WebhookOutcome::Unprocessable, Some("no_message_sid")),
                (WebhookOutcome::Orphan, None),
                (WebhookOutcome::NoChange, Some("unknown_status")),
            ]
        );
        let event = bench.engine.webhook_events().get(&bench.admin, list.items[0].id).await.unwrap();
        assert!(event.parameters.contains(&("Odd".to_owned(), "a&b=c".to_owned())));
        assert!(event.raw.unwrap().contains("Odd=a%26b%3Dc"));
        let of_orphan = WebhookFilter { message: Some(MessageId(999_999)), ..WebhookFilter::default() };
        let list = bench.engine.webhook_events().list(&bench.admin, &of_orphan, &page).await.unwrap();
        assert_eq!(list.items.len(), 1);
    }
}

/// Twilio may report what this program does not know; the message can still be read.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_is_not_known_stands_in_the_history_in_its_own_word() {
    for bench in benches().await {
        bench.says("SMin", "+15005560001", "STOP").await.unwrap();
        let id = MessageId(bench.number("SELECT MAX(id) FROM messages").await);
        for status in ["sent", "READ", "delivered"] {
            bench.clock.advance(Timestamp::MINUTE);
            callback(&bench, id, "SM1", status, None).await;
        }
        let message = bench.engine.messages().get(&bench.admin, id).await.unwrap();
        assert_eq!(message.state, State::Delivered);
        let told = message.history.iter().map(|step| (step.state, step.status.as_deref(), step.moved));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                (State::Accepted, None, true),
                (State::Sent, None, true),
                (State::Sent, Some("READ"), false),
                (State::Delivered, None, true),
            ]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_paged_newest_first() {
    for bench in benches().await {
        for number in 0..5 {
            let sid = format!("SM{number}");
            bench.status("/s", &[("MessageSid", &sid), ("MessageStatus", "sent")]).await.unwrap();
        }
        let mut page = PageRequest::first(2);
        let mut sids = Vec::new();
        loop {
            let list =
                bench.engine.webhook_events().list(&bench.admin, &WebhookFilter::default(), &page).await.unwrap();
            sids.extend(list.items.into_iter().filter_map(|event| event.provider_sid));
            page.cursor = list.next_cursor;
            if page.cursor.is_none() {
                break;
            }
        }
        assert_eq!(sids, ["SM4", "SM3", "SM2", "SM1", "SM0"]);
    }
}

/// Such as when two installations share an account, and the callback's address names the other one's message.
#[tokio::test(flavor = "multi_thread")]
async fn an_opt_out_is_found_by_its_sid_when_the_id_is_not_ours() {
    for bench in benches().await {
        let ids = sending(&bench, 2).await;
        callback(&bench, ids[0], "SM1", "sent", None).await;
        callback(&bench, ids[1], "SM2", "delivered", None).await;
        callback(&bench, MessageId(999_999), "SM1", "failed", Some("21610")).await;
        assert_eq!(state(&bench, ids[0]).await, State::Failed);
        let out = "SELECT contact_id FROM contacts WHERE consent = 'opted_out' AND suppressed";
        assert_eq!(bench.number(out).await, 1, "the person of that message");
        assert_eq!(bench.number("SELECT COUNT(*) FROM consent_ledger WHERE consent = 'opted_out'").await, 1);
        callback(&bench, MessageId(999_999), "SM2", "read", None).await;
        assert_eq!(bench.number("SELECT contact_id FROM contact_reads").await, 2, "so is who read");
    }
}

/// As when a proxy drops the query of the address, and Twilio is quicker with the callback than with its answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_counts_once_its_sid_is_known() {
    for bench in benches().await {
        let ids = sending(&bench, 3).await;
        let stop = CancellationToken::new();
        let claims = [(); 2].map(|()| tokio::spawn(orphans::run(bench.engine.clone(), stop.clone())));
        let orphan = async |sid: &str, status: &str, code: &str| {
            let form = [("MessageSid", sid), ("MessageStatus", status), ("ErrorCode", code)];
            bench.status("/webhooks/twilio/status", &form).await.unwrap();
        };
        orphan("SM0", "delivered", "").await;
        orphan("SM0", "delivered", "").await;
        orphan("SM1", "failed", "21610").await;
        orphan("SM2", "read", "").await;
        orphan("SM404", "delivered", "").await;
        for id in &ids {
            assert_eq!(state(&bench, *id).await, State::Sending, "nobody knows yet whose it is");
        }
        let outcome = |(index, id): (usize, &MessageId)| OutcomeIn {
            id: *id,
            attempt: 1,
            lease_owner: 7,
            effect: Effect::Accepted { sid: format!("SM{index}") },
            decision: None,
            text: None,
        };
        let outcomes: Vec<_> = ids.iter().enumerate().map(outcome).collect();
        let tx = bench.db.begin().await.unwrap();
        store::messages::write_outcomes(&tx, bench.clock.now(), &outcomes, &KnownGrounds::default()).await.unwrap();
        tx.commit().await.unwrap();
        let started = std::time::Instant::now();
        while state(&bench, ids[2]).await != State::Read {
            assert!(started.elapsed().as_secs() < 15, "it is not claimed");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        // Another round finds nothing more.
        tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
        stop.cancel();
        for claims in claims {
            claims.await.unwrap();
        }
        assert_eq!((state(&bench, ids[0]).await, state(&bench, ids[1]).await), (State::Delivered, State::Failed));
        let counted = (ledger(&bench, "delivered").await, ledger(&bench, "failed").await, ledger(&bench, "read").await);
        assert_eq!((counted, ledger(&bench, "accepted").await), ((1, 1, 1), 0));
        assert_eq!(bench.number("SELECT COUNT(*) FROM receipts WHERE moved").await, 3);
        assert_eq!(bench.number("SELECT SUM(count) FROM receipt_repeats").await, 1, "it came twice");
        let out = "SELECT contact_id FROM contacts WHERE consent = 'opted_out' AND suppressed";
        assert_eq!(bench.number(out).await, 2, "21610 is an opt-out, also later");
        assert_eq!(bench.number("SELECT contact_id FROM contact_reads").await, 3);

        let events = bench.engine.webhook_events();
        let found = async |outcome| {
            let filter = WebhookFilter { outcome, ..WebhookFilter::default() };
            let list = events.list(&bench.admin, &filter, &PageRequest::default()).await.unwrap().items;
            list.into_iter().map(|event| (event.provider_sid.unwrap(), event.outcome)).collect::<Vec<_>>()
        };
        let told = |sid: &str, outcome| (sid.to_owned(), outcome);
        let claimed = ["SM2", "SM1", "SM0", "SM0"].map(|sid| told(sid, WebhookOutcome::Claimed));
        let nobodys = [told("SM404", WebhookOutcome::Orphan)];
        assert_eq!(found(Some(WebhookOutcome::Claimed)).await, claimed);
        assert_eq!(found(Some(WebhookOutcome::Orphan)).await, nobodys);
        assert_eq!(found(None).await, [&nobodys[..], &claimed[..]].concat());
        let of_message = WebhookFilter { message: Some(ids[1]), ..WebhookFilter::default() };
        let list = events.list(&bench.admin, &of_message, &PageRequest::default()).await.unwrap().items;
        assert_eq!(list.len(), 1);
        assert_eq!(events.get(&bench.admin, list[0].id).await.unwrap().message_id, Some(ids[1]));
        let replay = bench.engine.replay(&bench.admin, false).await.unwrap();
        assert_eq!(replay.differences, Vec::<String>::new());
    }
}

/// More of them than one look goes through.
#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_is_claimed_among_many_that_are_nobodys() {
    for bench in benches().await {
        let ids = sending(&bench, 1).await;
        let form = [("MessageSid", "SM0"), ("MessageStatus", "failed"), ("ErrorCode", "21610")];
        bench.status("/webhooks/twilio/status", &form).await.unwrap();
        let foreign = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) \
             INSERT INTO webhook_events (month, received_at, kind, provider_sid, status, outcome) \
             SELECT {}, {}, 'status', 'SMforeign' || CAST(i AS text), 'delivered', 'orphan' FROM n",
            START.month(),
            START.as_micros()
        );
        assert_eq!(store::exec(bench.db.writer(), foreign, vec![]).await.unwrap(), 12_000);
        let bind = format!("UPDATE messages SET provider_sid = 'SM0' WHERE id = {}", ids[0]);
        assert_eq!(bench.tamper(&[], &bind).await, 1);
        let stop = CancellationToken::new();
        let claims = tokio::spawn(orphans::run(bench.engine.clone(), stop.clone()));
        let started = std::time::Instant::now();
        while state(&bench, ids[0]).await != State::Failed {
            assert!(started.elapsed().as_secs() < 15, "it is not claimed");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        stop.cancel();
        claims.await.unwrap();
        assert_eq!(bench.text("SELECT consent FROM contacts").await.as_deref(), Some("opted_out"));
    }
}

/// An opt-out that Twilio told long ago does not outweigh what the person has said since.
#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_undoes_no_later_start() {
    for bench in benches().await {
        let ids = sending(&bench, 1).await;
        let form = [("MessageSid", "SM1"), ("MessageStatus", "failed"), ("ErrorCode", "21610")];
        bench.status("/webhooks/twilio/status", &form).await.unwrap();
        bench.clock.advance(Timestamp::MINUTE);
        bench.says("SMin", "+15005560001", "START").await;
        let bind = format!("UPDATE messages SET provider_sid = 'SM1' WHERE id = {}", ids[0]);
        assert_eq!(bench.tamper(&[], &bind).await, 1);
        let stop = CancellationToken::new();
        let claims = tokio::spawn(orphans::run(bench.engine.clone(), stop.clone()));
        let started = std::time::Instant::now();
        while state(&bench, ids[0]).await != State::Failed {
            assert!(started.elapsed().as_secs() < 15, "it is not claimed");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        stop.cancel();
        claims.await.unwrap();
        assert_eq!(bench.text("SELECT consent FROM contacts").await.as_deref(), Some("opted_in"));
    }
}

/// Callbacks that raised their message are found through it, all others by what they say themselves.
#[tokio::test(flavor = "multi_thread")]
async fn events_are_found_by_sid_and_by_message_with_their_forms() {
    for bench in benches().await {
        let ids = sending(&bench, 3).await;
        for (id, sid, status) in
            [(ids[0], "SM1", "sent"), (ids[0], "SM1", "sent"), (ids[0], "SM1", "read"), (ids[1], "SM2", "sent")]
        {
            callback(&bench, id, sid, status, None).await;
        }
        callback(&bench, ids[0], "SM9", "delivered", None).await;
        callback(&bench, ids[2], "SM1", "failed", None).await;
        bench.status("/s?m=77", &[("MessageSid", "SM1x"), ("MessageStatus", "sent")]).await.unwrap();
        bench.says("SM1in", "+15005550009", "hello").await;
        let events = bench.engine.webhook_events();
        let found = async |filter: WebhookFilter| {
            let list = events.list(&bench.admin, &filter, &PageRequest::default()).await.unwrap();
            let mut found = Vec::new();
            for event in list.items {
                let event = events.get(&bench.admin, event.id).await.unwrap();
                let raw = event.raw.expect("its form is kept");
                assert!(raw.contains(event.provider_sid.as_deref().unwrap()), "its own form: {raw}");
                found.push(event.status.unwrap_or_default());
            }
            found
        };
        let sid = |sid: &str| WebhookFilter { sid: Some(sid.to_owned()), ..WebhookFilter::default() };
        assert_eq!(found(sid("SM1")).await, ["failed", "read", "sent", "sent"], "also of a message that it is not");
        assert_eq!(found(sid("SM2")).await, ["sent"]);
        assert_eq!(found(sid("SM9")).await, ["delivered"], "a second SID of a message is told under its own");
        assert_eq!(found(sid("SM1x")).await, ["sent"], "nobody's");
        assert_eq!(found(sid("SM1in")).await, [""], "from a person");
        let message = |id| WebhookFilter { message: Some(id), ..WebhookFilter::default() };
        assert_eq!(found(message(ids[0])).await, ["delivered", "read", "sent", "sent"]);
        assert_eq!(found(message(MessageId(77))).await, ["sent"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_webhook_harms_no_other() {
    for bench in benches().await {
        let ids = sending(&bench, 8).await;
        poison(&bench, "SMbad").await;
        let all = ids.iter().enumerate().map(|(index, id)| {
            let sid = if index == 3 { "SMbad".to_owned() } else { format!("SM{index}") };
            let bench = &bench;
            async move { callback(bench, *id, &sid, "delivered", None).await }
        });
        futures::future::join_all(all).await;
        assert_eq!(ledger(&bench, "delivered").await, 7);
        assert_eq!(state(&bench, ids[3]).await, State::Sending);
        let bad = bench.text("SELECT outcome || ' ' || reason FROM webhook_events WHERE provider_sid = 'SMbad'").await;
        assert_eq!(bad.as_deref(), Some("unprocessable failed"));
        let kept = "SELECT COUNT(*) FROM webhook_events e JOIN webhook_blocks b ON b.id = e.block";
        assert_eq!(bench.number(kept).await, 8);
        let replay = bench.engine.replay(&bench.admin, false).await.unwrap();
        assert_eq!((replay.webhooks, replay.differences), (8, Vec::new()), "that it failed is known");
    }
}

/// Makes the database refuse receipts of this SID.
async fn poison(bench: &Bench, sid: &str) {
    let db = bench.db.writer();
    let statements = match bench.db.kind() {
        store::Kind::Sqlite => vec![format!(
            "CREATE TRIGGER poison BEFORE INSERT ON receipts WHEN NEW.provider_sid = '{sid}' \
             BEGIN SELECT RAISE(ABORT, 'poison'); END"
        )],
        store::Kind::Postgres => vec![
            format!(
                "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF NEW.provider_sid = '{sid}' THEN RAISE EXCEPTION 'poison'; END IF; RETURN NEW; END $$"
            ),
            "CREATE TRIGGER poison BEFORE INSERT ON receipts FOR EACH ROW EXECUTE FUNCTION poison()".to_owned(),
        ],
    };
    for statement in statements {
        store::exec(db, statement, vec![]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once() {
    let test = testkit::databases().await.remove(0);
    let bench = bench(test).await;
    // Each one of its own: repeats would wait for the first and not in the queue.
    let webhook = || signed("/s", &[("MessageSid", "SM1"), ("MessageStatus", "sent")]);
    let waiting: Vec<_> = (0..engine::ingest::writer::QUEUE)
        .map(|_| {
            let (engine, webhook) = (bench.engine.clone(), webhook());
            tokio::spawn(async move { engine.ingest_status(webhook).await })
        })
        .collect();
    // With the queue full the next one is refused without waiting.
    let refused = tokio::time::timeout(std::time::Duration::from_secs(60), async {
        loop {
            let attempt =
                tokio::time::timeout(std::time::Duration::from_millis(100), bench.engine.ingest_status(webhook()));
            if let Ok(answer) = attempt.await {
                return answer;
            }
        }
    });
    assert!(matches!(refused.await.unwrap(), Err(Error::Unavailable(_))));
    assert!(waiting.iter().filter(|task| !task.is_finished()).count() > 1_000, "nobody is answered before a commit");
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_forms_are_forgotten_with_their_keys() {
    for bench in benches().await {
        let form = |sid| [("MessageSid", sid), ("MessageStatus", "sent")];
        bench.status("/s", &form("SMold")).await.unwrap();
        bench.clock.advance(20 * Timestamp::DAY);
        bench.status("/s", &form("SMnew")).await.unwrap();
        engine::services::tidy::tidy(&bench.engine).await.unwrap();
        assert_eq!(bench.number("SELECT COUNT(*) FROM webhook_blocks").await, 2);
        bench.clock.advance(11 * Timestamp::DAY);
        engine::services::tidy::tidy(&bench.engine).await.unwrap();
        let page = PageRequest::default();
        let list = bench.engine.webhook_events().list(&bench.admin, &WebhookFilter::default(), &page).await.unwrap();
        let mut raw = Vec::new();
        for event in &list.items {
            raw.push(bench.engine.webhook_events().get(&bench.admin, event.id).await.unwrap().raw.is_some());
        }
        assert_eq!(raw, [true, false], "the row stays, the form is gone");
        assert_eq!(bench.number("SELECT COUNT(*) FROM period_keys").await, 1);
        let audit = bench.engine.audit().list(&bench.admin, &page).await.unwrap();
        assert_eq!(audit.items[0].action, "forget");
    }
}
