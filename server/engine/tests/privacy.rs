//! What is shown of a person's consent, what erasing would take, and what is forgotten with time.

mod support;

use bytes::Bytes;
use domain::{
    consent::Consent,
    contact::{ConsentChange, NewContact},
    event::WebhookFilter,
    ids::MessageId,
    import::ImportOptions,
    message::State,
    page::PageRequest,
    phone::Phone,
    role::Role,
    settings::{Retention, SettingsPatch},
    time::Timestamp,
    topic::NewTopic,
};
use engine::{Actor, ActorKind, Error, clock::Clock as _, services::tidy};
use futures::stream;
use store::Kind;
use support::{Bench, benches, sending};

const ANN: &str = "+94771234501";
const BEN: &str = "+94771234502";

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

/// As somebody with the database in their hands would.
async fn tamper(bench: &Bench, change: &str) {
    let db = bench.db.writer();
    match bench.db.kind() {
        Kind::Postgres => {
            store::exec(db, "ALTER TABLE consent_ledger DISABLE TRIGGER ALL", vec![]).await.unwrap();
        }
        Kind::Sqlite => {
            store::exec(db, "DROP TRIGGER consent_ledger_no_update", vec![]).await.unwrap();
        }
    }
    assert_eq!(store::exec(db, change, vec![]).await.unwrap(), 1, "{change}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_of_consent_has_the_evidence_and_tells_when_it_was_changed() {
    for bench in benches().await {
        let contacts = bench.engine.contacts();
        person(&bench, ANN).await;
        person(&bench, BEN).await;
        let change = ConsentChange {
            consent: Consent::OptedIn,
            source: Some("a form".to_owned()),
            evidence: Some("signed on Monday".to_owned()),
        };
        contacts.set_consent(&bench.admin, &phone(ANN), change).await.unwrap();
        bench.says("SM1", ANN, "STOP").await;

        let proof = contacts.proof(&bench.admin, &phone(ANN)).await.unwrap();
        assert!(proof.holds && proof.lines.iter().all(|line| line.holds), "{proof:?}");
        assert_eq!((proof.consent, proof.suppressed, proof.lines.len()), (Consent::OptedOut, true, 3));
        assert!(proof.lines[1].evidence.as_deref().unwrap_or_default().contains("signed on Monday"), "{proof:?}");
        assert_eq!(proof.lines[2].consent, Consent::OptedOut);
        assert_eq!(proof.ledger_lines, 4, "the other person's line counts");
        assert_eq!(proof.ledger_hash, proof.lines[2].hash, "hers was the last");
        assert_eq!(bench.number("SELECT count(*) FROM audit_log WHERE action = 'prove_consent'").await, 1);
        let marketer = Actor::new(ActorKind::ApiKey, "a program", Role::Marketer);
        assert!(matches!(contacts.proof(&marketer, &phone(ANN)).await, Err(Error::Forbidden)));

        let number = proof.lines[1].number;
        tamper(&bench, &format!("UPDATE consent_ledger SET source = 'import' WHERE seq = {number}")).await;
        let proof = contacts.proof(&bench.admin, &phone(ANN)).await.unwrap();
        let holds: Vec<bool> = proof.lines.iter().map(|line| line.holds).collect();
        assert_eq!((proof.holds, holds), (false, vec![true, false, true]));
        assert!(contacts.proof(&bench.admin, &phone(BEN)).await.unwrap().holds, "the other person's line is as it was");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_names_files_and_keys_as_people_do() {
    for bench in benches().await {
        let (contacts, imports) = (bench.engine.contacts(), bench.engine.imports());
        let key = bench.engine.api_keys().create(&bench.admin, "shop", Role::Admin).await.unwrap();
        let shop = bench.engine.api_keys().authenticate(&key).await.unwrap();
        let options = ImportOptions { file_name: Some("people.csv".to_owned()), ..ImportOptions::default() };
        let file = stream::iter([Ok(Bytes::from(format!("phone,consent\n{ANN},yes\n")))]);
        let import = imports.upload(&bench.admin, options, file).await.unwrap();
        imports.work(import.id).await.unwrap();
        let change = ConsentChange { consent: Consent::OptedOut, source: Some("a call".to_owned()), evidence: None };
        contacts.set_consent(&shop, &phone(ANN), change).await.unwrap();
        let proof = contacts.proof(&bench.admin, &phone(ANN)).await.unwrap();
        let told: Vec<_> = proof.lines.iter().map(|line| (line.recorded_by, line.recorded_by_name.as_str())).collect();
        assert_eq!(told, [(ActorKind::Import, "people.csv"), (ActorKind::ApiKey, "shop")]);
        // What the hash covers is there as well.
        assert_eq!((proof.holds, proof.lines[0].recorded_by_id.clone()), (true, import.id.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_says_beforehand_what_goes() {
    for bench in benches().await {
        person(&bench, ANN).await;
        bench.says("SM1", ANN, "hello").await;
        let contacts = bench.engine.contacts();
        let before = contacts.erasure(&bench.admin, &phone(ANN)).await.unwrap();
        assert_eq!((before.inbound_texts, before.consent_lines, before.keeps_suppression), (1, 1, false));
        bench.says("SM2", ANN, "STOP").await;
        let after = contacts.erasure(&bench.admin, &phone(ANN)).await.unwrap();
        // The confirmation that went out is a text too.
        assert_eq!((after.inbound_texts, after.message_texts, after.keeps_suppression), (2, 1, true));
        assert_eq!(after.raw_webhook_days, 30);
        keep_texts(&bench, 12, None).await.unwrap();
        assert_eq!(contacts.erasure(&bench.admin, &phone(ANN)).await.unwrap().raw_webhook_days, 12);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_left_themselves_is_not_brought_back_after_their_erasure() {
    const LEFT: &str = "UNSUBSCRIBE offers";
    const IN_DOUBT: &str = "Please cancel my order 4711, it came too late";
    for bench in benches().await {
        let (contacts, imports) = (bench.engine.contacts(), bench.engine.imports());
        let new = NewTopic { key: "offers".to_owned(), name: "Offers".to_owned(), ..NewTopic::default() };
        bench.engine.topics().create(&bench.admin, new).await.unwrap();
        for (number, words, kept) in
            [(ANN, LEFT, true), (BEN, IN_DOUBT, true), ("+94771234503", "Thanks", false), ("+94771234504", "Hi", false)]
        {
            person(&bench, number).await;
            bench.says(&format!("SM{number}").replace('+', ""), number, words).await;
            if words == "Hi" {
                contacts.unsubscribe(&bench.admin, &phone(number), "offers").await.unwrap();
            }
            let before = contacts.get(&bench.admin, &phone(number)).await.unwrap();
            assert_eq!((before.consent, before.suppressed), (Consent::OptedIn, false), "{words}");
            assert_eq!(
                contacts.erasure(&bench.admin, &phone(number)).await.unwrap().keeps_suppression,
                kept,
                "{words}"
            );
            contacts.erase(&bench.admin, &phone(number)).await.unwrap();

            let options = ImportOptions { topics: vec!["offers".to_owned()], ..ImportOptions::default() };
            let file = stream::iter([Ok(Bytes::from(format!("phone,consent\n{number},yes\n")))]);
            let import = imports.upload(&bench.admin, options, file).await.unwrap();
            imports.work(import.id).await.unwrap();
            let back = contacts.get(&bench.admin, &phone(number)).await.unwrap();
            let wanted = if kept { (Consent::OptedOut, true) } else { (Consent::OptedIn, false) };
            assert_eq!((back.consent, back.suppressed), wanted, "{words}");
        }
    }
}

/// Raw webhooks stay until their day's key goes; nobody reads there what an erased person wrote, or was told about them.
#[tokio::test(flavor = "multi_thread")]
async fn raw_webhooks_of_an_erased_person_are_shown_to_nobody() {
    for bench in benches().await {
        let message = sending(&bench, 2).await[0];
        let to = bench.text("SELECT phone FROM contacts WHERE contact_id = 1").await.unwrap();
        for id in [message.0, message.0 + 1] {
            let (target, sid) = (format!("/webhooks/twilio/status?m={id}&a=1"), format!("SM{id}"));
            let form = [("MessageSid", &*sid), ("MessageStatus", "delivered"), ("To", &*to)];
            bench.status(&target, &form).await.unwrap();
        }
        bench.says("SMann", ANN, "my name is Ann").await;
        bench.says("SMann", ANN, "my name is Ann").await;
        bench.says("SMben", BEN, "my name is Ben").await;
        let all = async || {
            let (events, page) = (bench.engine.webhook_events(), PageRequest::default());
            let list = events.list(&bench.admin, &WebhookFilter::default(), &page).await.unwrap();
            let mut all = Vec::new();
            for event in list.items.iter().rev() {
                all.push(events.get(&bench.admin, event.id).await.unwrap());
            }
            all
        };
        assert!(all().await.iter().all(|event| event.raw.is_some() && !event.erased));
        for erased in [&*to, ANN] {
            bench.engine.contacts().erase(&bench.admin, &phone(erased)).await.unwrap();
        }
        // Who comes back is another person.
        person(&bench, ANN).await;
        let all = all().await;
        let erased: Vec<bool> = all.iter().map(|event| event.erased).collect();
        assert_eq!(erased, [true, false, true, true, false]);
        for event in all {
            assert_eq!((event.raw.is_none(), event.parameters.is_empty()), (event.erased, event.erased), "{event:?}");
            assert!(!(event.erased && event.phone.is_some()), "{event:?}");
        }
    }
}

/// Nor those that belong to nothing: an orphan, or what could only be kept raw.
#[tokio::test(flavor = "multi_thread")]
async fn raw_webhooks_that_belong_to_nothing_name_no_erased_person() {
    const CAT: &str = "+94771234503";
    for bench in benches().await {
        person(&bench, ANN).await;
        person(&bench, BEN).await;
        bench.refuse("SMraw").await;
        bench.says("SMraw", ANN, "my name is Ann").await;
        let orphan = async |sid: &str, to: &str| {
            let form = [("MessageSid", sid), ("MessageStatus", "sent"), ("To", to)];
            bench.status("/s?m=77", &form).await.unwrap();
        };
        orphan("SMann", ANN).await;
        orphan("SMben", BEN).await;
        orphan("SMcat", CAT).await;
        let erased = async || {
            let (events, page) = (bench.engine.webhook_events(), PageRequest::default());
            let list = events.list(&bench.admin, &WebhookFilter::default(), &page).await.unwrap();
            let mut erased = Vec::new();
            for event in list.items.iter().rev() {
                let event = events.get(&bench.admin, event.id).await.unwrap();
                assert_eq!(
                    (event.raw.is_none(), event.parameters.is_empty()),
                    (event.erased, event.erased),
                    "{event:?}"
                );
                erased.push(event.erased);
            }
            erased
        };
        assert_eq!(erased().await, [false; 4], "nobody was erased, and somebody may have to act on them");
        bench.clock.advance(Timestamp::MINUTE);
        bench.engine.contacts().erase(&bench.admin, &phone(ANN)).await.unwrap();
        assert_eq!(erased().await, [true, true, false, true], "Cat may have been the erased one");
        // Who comes back is another person.
        person(&bench, ANN).await;
        assert_eq!(erased().await, [true, true, false, true]);
        bench.clock.advance(Timestamp::MINUTE);
        orphan("SMlate", CAT).await;
        assert_eq!(erased().await, [true, true, false, true, false], "nobody was erased since");
    }
}

async fn keep_texts(bench: &Bench, raw_webhook_days: i32, text_days: Option<i32>) -> engine::Result<()> {
    keep(bench, Retention { raw_webhook_days, text_days, callback_days: None }).await
}

async fn keep(bench: &Bench, retention: Retention) -> engine::Result<()> {
    let patch = SettingsPatch { retention: Some(retention), ..SettingsPatch::default() };
    bench.engine.settings().update(&bench.admin, patch).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_go_after_their_time_and_only_then() {
    for bench in benches().await {
        person(&bench, ANN).await;
        bench.says("SM1", ANN, "HELP").await;
        bench.clock.advance(40 * Timestamp::DAY);
        bench.says("SM2", ANN, "thanks").await;
        let texts = || async {
            (
                bench.number("SELECT count(*) FROM inbound_texts").await,
                bench.number("SELECT count(*) FROM message_texts").await,
            )
        };
        let before = texts().await;
        assert_eq!(before, (2, 1), "two messages and one answer");
        tidy::tidy(&bench.engine).await.unwrap();
        assert_eq!(texts().await, before, "they are kept unless somebody says otherwise");

        // Who asks before is told what goes; a longer time takes nothing away.
        let forgetting = async |text_days| {
            let retention = Retention { text_days, ..Retention::default() };
            let asked = bench.engine.settings().forgetting(&bench.admin, retention).await.unwrap();
            asked.map(|asked| (asked.texts, asked.more))
        };
        assert_eq!((forgetting(Some(30)).await, forgetting(Some(50)).await), (Some((2, false)), Some((0, false))));
        assert_eq!(forgetting(None).await, None);
        keep_texts(&bench, 30, Some(30)).await.unwrap();
        assert_eq!((forgetting(Some(30)).await, forgetting(Some(31)).await), (None, None));
        tidy::tidy(&bench.engine).await.unwrap();
        assert_eq!(texts().await, (1, 0));
        assert_eq!(bench.number("SELECT count(*) FROM inbound_messages").await, 2, "that they wrote stays");
        let told = async |column: &str| {
            let lines = "SELECT detail FROM audit_log WHERE action = 'forget' AND entity = 'texts' ORDER BY seq";
            let lines = store::all(bench.db.reader(), lines, vec![]).await.unwrap();
            let detail = |row: &store::Row| row.json::<serde_json::Value>("detail").unwrap()[column].clone();
            lines.iter().map(detail).collect::<Vec<_>>()
        };
        assert_eq!(
            (told("messages").await, told("inbound").await),
            (vec![1.into(), 0.into()], vec![0.into(), 1.into()])
        );
        tidy::tidy(&bench.engine).await.unwrap();
        assert_eq!(told("inbound").await.len(), 2, "nothing more to forget, nothing to tell");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_goes_without_a_line_in_the_audit_log() {
    for bench in benches().await {
        person(&bench, ANN).await;
        bench.says("SM1", ANN, "HELP").await;
        bench.clock.advance(40 * Timestamp::DAY);
        keep_texts(&bench, 30, Some(30)).await.unwrap();
        let refuse = match bench.db.kind() {
            Kind::Sqlite => vec![
                "CREATE TRIGGER no_line BEFORE INSERT ON audit_log WHEN NEW.action = 'forget' \
                 AND NEW.entity = 'texts' BEGIN SELECT RAISE(ABORT, 'refused'); END",
            ],
            Kind::Postgres => vec![
                "CREATE FUNCTION no_line() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF NEW.action = 'forget' AND NEW.entity = 'texts' THEN RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END $$",
                "CREATE TRIGGER no_line BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION no_line()",
            ],
        };
        for statement in refuse {
            store::exec(bench.db.writer(), statement, vec![]).await.unwrap();
        }
        tidy::tidy(&bench.engine).await.expect_err("its line is refused");
        assert_eq!(bench.number("SELECT count(*) FROM inbound_texts").await, 1);
        assert_eq!(bench.number("SELECT count(*) FROM message_texts").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_needed_is_not_forgotten() {
    for bench in benches().await {
        person(&bench, ANN).await;
        // In doubt whether that is an opt-out: somebody has to read it.
        bench.says("SM1", ANN, "please no more of these stop it maybe").await;
        assert_eq!(bench.number("SELECT count(*) FROM contacts WHERE review_since IS NOT NULL").await, 1);
        bench.clock.advance(400 * Timestamp::DAY);
        keep_texts(&bench, 30, Some(7)).await.unwrap();
        tidy::tidy(&bench.engine).await.unwrap();
        assert_eq!(bench.number("SELECT count(*) FROM inbound_texts").await, 1);
    }
}

#[tokio::test]
async fn times_that_make_no_sense_are_refused_by_field() {
    for bench in benches().await {
        match keep_texts(&bench, 0, Some(1)).await {
            Err(Error::Invalid(errors)) => {
                let fields: Vec<_> = errors.into_iter().map(|error| error.field).collect();
                assert_eq!(fields, ["retention.raw_webhook_days", "retention.text_days"]);
            }
            other => panic!("{other:?}"),
        }
        for (raw_webhook_days, callback_days) in [(7, 29), (60, 59)] {
            let retention = Retention { raw_webhook_days, text_days: None, callback_days: Some(callback_days) };
            match keep(&bench, retention).await {
                Err(Error::Invalid(errors)) => assert_eq!(errors[0].field, "retention.callback_days"),
                other => panic!("{callback_days}: {other:?}"),
            }
            keep(&bench, Retention { callback_days: Some(callback_days + 1), ..retention }).await.unwrap();
        }
    }
}

async fn keep_callbacks(bench: &Bench, days: i32) {
    keep(bench, Retention { callback_days: Some(days), ..Retention::default() }).await.unwrap();
    tidy::tidy(&bench.engine).await.unwrap();
}

async fn callback(bench: &Bench, id: MessageId, status: &str, code: Option<&str>) {
    let (target, sid) = (format!("/webhooks/twilio/status?m={id}&a=1"), format!("SM{id}"));
    let mut form = vec![("MessageSid", &*sid), ("MessageStatus", status)];
    form.extend(code.map(|code| ("ErrorCode", code)));
    bench.status(&target, &form).await.unwrap();
}

/// How many webhooks, receipts and repeats there are.
async fn callbacks(bench: &Bench) -> [i64; 3] {
    let count = async |table: &str| bench.number(&format!("SELECT count(*) FROM {table}")).await;
    [count("webhook_events").await, count("receipts").await, count("receipt_repeats").await]
}

async fn explorer(bench: &Bench, filter: WebhookFilter) -> usize {
    let page = PageRequest::default();
    bench.engine.webhook_events().list(&bench.admin, &filter, &page).await.unwrap().items.len()
}

/// Nothing differs, nothing is set right, and what nobody can look into any more is told apart.
async fn replays(bench: &Bench) {
    let replay = bench.engine.replay(&bench.admin, true).await.unwrap();
    assert_eq!((replay.differences, replay.repaired), (Vec::new(), 0));
    let of_november = bench.number("SELECT count(*) FROM messages WHERE month = 202611").await;
    assert_eq!((i64::try_from(replay.forgotten).unwrap(), of_november > 1), (of_november, true));
}

/// From 23 November on: two messages, of which one is told of in December, too.
#[tokio::test(flavor = "multi_thread")]
async fn callbacks_go_by_the_month_and_nothing_is_wrong_without_them() {
    const MONTHS: &str =
        "SELECT MIN(entity_id) || ' ' || MAX(entity_id) || ' ' || count(*) FROM audit_log WHERE entity = 'callbacks'";
    for bench in benches().await {
        let ids = sending(&bench, 2).await;
        bench.tamper(&[], "UPDATE messages SET sender_id = (SELECT id FROM senders LIMIT 1)").await;
        callback(&bench, ids[0], "delivered", None).await;
        callback(&bench, ids[1], "failed", Some("21610")).await;
        bench.clock.advance(Timestamp::MINUTE);
        bench.says("SMstart", "+15005560002", "START").await.expect("it lifts what Twilio told");
        bench.clock.advance(10 * Timestamp::DAY - Timestamp::MINUTE);
        callback(&bench, ids[0], "delivered", None).await;
        callback(&bench, ids[0], "read", None).await;

        bench.clock.advance(29 * Timestamp::DAY);
        tidy::tidy(&bench.engine).await.unwrap();
        assert_eq!(callbacks(&bench).await, [5, 3, 1], "they are kept unless somebody says otherwise");
        keep_callbacks(&bench, 32).await;
        assert_eq!(callbacks(&bench).await, [5, 3, 1], "November's last day is 32 days back, and not over");
        assert_eq!(bench.engine.messages().get(&bench.admin, ids[0]).await.unwrap().callbacks_since, None);

        keep_callbacks(&bench, 31).await;
        // Where a month of messages is a table, it waits for the last of its receipts.
        let receipts = if bench.db.kind() == Kind::Sqlite { 1 } else { 3 };
        assert_eq!(callbacks(&bench).await, [2, receipts, 1], "November goes, December stays");
        assert_eq!(bench.text(MONTHS).await.as_deref(), Some("202611 202611 1"));
        replays(&bench).await;
        let message = bench.engine.messages().get(&bench.admin, ids[0]).await.unwrap();
        assert_eq!(message.callbacks_since, Some(Timestamp::start_of_month(202_612)));
        assert!(message.history.iter().any(|step| step.state == State::Read), "{:?}", message.history);
        let of_message = || WebhookFilter { message: Some(ids[0]), ..WebhookFilter::default() };
        assert_eq!(explorer(&bench, of_message()).await, 2);
        assert!(bench.engine.contacts().proof(&bench.admin, &phone("+15005560002")).await.unwrap().holds);

        bench.clock.advance(31 * Timestamp::DAY);
        keep_callbacks(&bench, 31).await;
        assert_eq!(callbacks(&bench).await, [0, 0, 0]);
        assert_eq!(bench.text(MONTHS).await.as_deref(), Some("202611 202612 2"));
        replays(&bench).await;
        if bench.db.kind() == Kind::Postgres {
            let tables = "SELECT count(*) FROM pg_class WHERE relname LIKE 'receipts_2026%'";
            assert_eq!(bench.number(tables).await, 0, "tables and indexes are gone, too");
        }
        // What comes again undoes nothing.
        callback(&bench, ids[1], "failed", Some("21610")).await;
        let consent = "SELECT consent FROM contacts WHERE phone = '+15005560002'";
        assert_eq!(bench.text(consent).await.as_deref(), Some("opted_in"));
        assert_eq!(callbacks(&bench).await, [1, 1, 0]);
        assert_eq!(explorer(&bench, of_message()).await, 0);
        let until = WebhookFilter { until: Some(bench.clock.now()), ..WebhookFilter::default() };
        assert_eq!(explorer(&bench, until).await, 1);
        replays(&bench).await;

        // It came for a month that was gone, and goes with its own.
        bench.clock.advance(68 * Timestamp::DAY);
        keep_callbacks(&bench, 31).await;
        assert_eq!(callbacks(&bench).await, [0, 0, 0]);
        assert_eq!(bench.text(MONTHS).await.as_deref(), Some("202611 202702 3"));
        replays(&bench).await;
        let states =
            format!("SELECT count(*) FROM messages WHERE state IN ({}, {})", State::Read.rank(), State::Failed.rank());
        assert_eq!(bench.number(&states).await, 2, "what became of them stays");
    }
}

/// Nobody waits for whoever reads them, nor the webhooks that come meanwhile: the month goes the next time.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_callbacks_that_somebody_reads_goes_the_next_time() {
    const LINES: &str = "SELECT count(*) FROM audit_log WHERE entity = 'callbacks'";
    for bench in benches().await.into_iter().filter(|bench| bench.db.kind() == Kind::Postgres) {
        let form = |sid| [("MessageSid", sid), ("MessageStatus", "sent")];
        bench.status("/s", &form("SM1")).await.unwrap();
        bench.clock.advance(70 * Timestamp::DAY);
        let tx = bench.db.begin().await.unwrap();
        store::all(&tx, "SELECT id FROM webhook_events", vec![]).await.unwrap();
        keep_callbacks(&bench, 30).await;
        assert_eq!((callbacks(&bench).await[0], bench.number(LINES).await), (1, 0));
        bench.status("/s", &form("SM2")).await.unwrap();
        tx.commit().await.unwrap();
        tidy::tidy(&bench.engine).await.unwrap();
        assert_eq!((callbacks(&bench).await[0], bench.number(LINES).await), (1, 1));
    }
}
