//! The chains of the audit log and the consent ledger tell what somebody with the database in hand has done to them.

use domain::{
    actor::Actor,
    consent::{Consent, ConsentSource},
    ids::ContactId,
    time::Timestamp,
};
use serde_json::json;
use store::{
    ConnectionTrait as _, Db, Kind,
    chain::{Broken, Fault},
    consent::{ConsentEvent, SuppressionChange},
};

const START: Timestamp = Timestamp::from_seconds(1_795_392_000);

/// Five lines in each, in several batches.
async fn write(db: &Db) {
    let actor = Actor::command_line();
    for number in 0..5 {
        let tx = db.begin().await.expect("begun");
        let entity = ("campaign", number.to_string());
        let detail = json!({"name": "Spring \u{201c}sale\u{201d}", "number": number, "share": 0.5});
        store::audit::append(&tx, &actor, START, "campaign.launch", (entity.0, &entity.1), &detail)
            .await
            .expect("kept");
        let event = |contact| ConsentEvent {
            contact_id: ContactId(contact),
            topic_id: None,
            consent: Consent::OptedIn,
            source: ConsentSource::Api,
            reference: (number % 2 == 0).then(|| "file.csv:7".to_owned()),
            evidence: (number % 2 == 1).then(|| vec![1, 2, 255]),
            suppression: SuppressionChange::None,
        };
        let events: Vec<ConsentEvent> = if number == 0 { vec![event(1), event(2)] } else { vec![event(number)] };
        store::consent::record(&tx, &actor, START, &events).await.expect("recorded");
        tx.commit().await.expect("committed");
    }
}

/// As somebody could who is the database's administrator.
async fn disarm(db: &Db, table: &str) {
    let statements = match db.kind() {
        Kind::Postgres => vec![format!("ALTER TABLE {table} DISABLE TRIGGER ALL")],
        Kind::Sqlite => {
            ["update", "delete"].iter().map(|what| format!("DROP TRIGGER IF EXISTS {table}_no_{what}")).collect()
        }
    };
    for statement in statements {
        db.writer().execute_unprepared(&statement).await.expect("disarmed");
    }
}

#[tokio::test]
async fn what_was_changed_removed_or_put_in_is_found() {
    let audit = |seq, fault| (seq - 1, Some(Broken { stream: "audit", seq, fault }));
    let cases = [
        ("UPDATE audit_log SET actor_id = 'somebody else' WHERE seq = 3", audit(3, Fault::Changed)),
        ("UPDATE audit_log SET at = at + 1 WHERE seq = 1", audit(1, Fault::Changed)),
        ("UPDATE audit_log SET detail = replace(detail, '0.5', '0.6') WHERE seq = 5", audit(5, Fault::Changed)),
        ("DELETE FROM audit_log WHERE seq = 2", audit(2, Fault::Missing)),
        ("DELETE FROM audit_log WHERE seq >= 4", audit(4, Fault::Tail)),
        ("DELETE FROM audit_log", audit(1, Fault::Tail)),
        (
            "INSERT INTO audit_log SELECT stream, 6, at, actor_kind, actor_id, request_id, action, entity, entity_id, \
             detail, private, hash, hash FROM audit_log WHERE seq = 5",
            audit(6, Fault::Tail),
        ),
        ("UPDATE audit_log SET prev_hash = hash WHERE seq = 4", audit(4, Fault::Torn)),
        ("UPDATE chain_heads SET seq = 4 WHERE stream = 'audit'", audit(5, Fault::Tail)),
    ];
    for test in testkit::databases().await {
        write(&test.db).await;
        assert_eq!(store::audit::verify(test.db.reader()).await.expect("read"), (5, None));
        assert_eq!(store::consent::verify(test.db.reader()).await.expect("read"), (6, None));
    }
    for (statement, found) in cases {
        for test in testkit::databases().await {
            write(&test.db).await;
            disarm(&test.db, "audit_log").await;
            test.db.writer().execute_unprepared(statement).await.expect("tampered");
            let seen = store::audit::verify(test.db.reader()).await.expect("read");
            assert_eq!(seen, found, "{:?}: {statement}", test.kind());
            assert_eq!(store::consent::verify(test.db.reader()).await.expect("read"), (6, None));
        }
    }
    for test in testkit::databases().await {
        write(&test.db).await;
        disarm(&test.db, "consent_ledger").await;
        let tampered = "UPDATE consent_ledger SET consent = 'opted_out' WHERE seq = 4";
        test.db.writer().execute_unprepared(tampered).await.expect("tampered");
        let broken = Broken { stream: "consent", seq: 4, fault: Fault::Changed };
        assert_eq!(store::consent::verify(test.db.reader()).await.expect("read"), (3, Some(broken)));
    }
}

/// Nothing refuses an INSERT, and whoever reads a person's last line asks for no stream.
#[tokio::test]
async fn rows_beside_the_chain_are_found() {
    const AUDIT: &str =
        "at, actor_kind, actor_id, request_id, action, entity, entity_id, detail, private, prev_hash, hash";
    const CONSENT: &str =
        "at, contact_id, topic_id, consent, source, actor_kind, actor_id, reference, evidence, prev_hash, hash";
    for (stream, seq, fault) in [
        ("'x'", 7, Fault::Stray),
        ("'a'", 1, Fault::Stray),
        ("''", 3, Fault::Stray),
        ("stream", 0, Fault::Stray),
        ("stream", -3, Fault::Stray),
        ("stream", 7, Fault::Tail),
        ("stream", i64::MAX, Fault::Tail),
    ] {
        for test in testkit::databases().await {
            write(&test.db).await;
            for (table, columns) in [("audit_log", AUDIT), ("consent_ledger", CONSENT)] {
                let put_in = format!(
                    "INSERT INTO {table} (stream, seq, {columns}) SELECT {stream}, {seq}, {columns} FROM {table} WHERE seq = 5"
                );
                test.db.writer().execute_unprepared(&put_in).await.expect("put in");
            }
            let db = test.db.reader();
            let at = |last| if fault == Fault::Stray { seq } else { last + 1 };
            for (stream, last, found) in [
                ("audit", 5, store::audit::verify(db).await.expect("read")),
                ("consent", 6, store::consent::verify(db).await.expect("read")),
            ] {
                let broken = Broken { stream, seq: at(last), fault };
                assert_eq!(found, (last, Some(broken)), "{:?}: {stream} {seq}", test.kind());
            }
        }
    }
}

#[tokio::test]
async fn chains_that_nobody_has_written_to_hold() {
    for test in testkit::databases().await {
        assert_eq!(store::audit::verify(test.db.reader()).await.expect("read"), (0, None));
        assert_eq!(store::consent::verify(test.db.reader()).await.expect("read"), (0, None));
    }
}

/// Else a page of opt-outs would go through everybody's yes.
#[tokio::test]
async fn opt_outs_among_many_opt_ins_are_found_by_their_index() {
    for test in testkit::databases().await {
        let db = &test.db;
        let event = |contact, consent| ConsentEvent {
            contact_id: ContactId(contact),
            topic_id: None,
            consent,
            source: ConsentSource::Import,
            reference: None,
            evidence: None,
            suppression: SuppressionChange::None,
        };
        let mut events: Vec<_> = (1..=2_000).map(|contact| event(contact, Consent::OptedIn)).collect();
        events[700].consent = Consent::OptedOut;
        let tx = db.begin().await.expect("begun");
        store::consent::record(&tx, &Actor::command_line(), START, &events).await.expect("recorded");
        tx.commit().await.expect("committed");
        let found = store::consent::opt_outs(db.reader(), None, 50).await.expect("read");
        assert_eq!(found.iter().map(|one| one.number).collect::<Vec<_>>(), [701]);

        store::exec(db.writer(), "ANALYZE", Vec::new()).await.expect("analysed");
        let (explain, column) = match db.kind() {
            Kind::Postgres => ("EXPLAIN", "QUERY PLAN"),
            Kind::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
        };
        let query = store::consent::OPT_OUTS.replace("$1", "9000000").replace("$2", "50");
        let rows = store::all(db.reader(), format!("{explain} {query}"), Vec::new()).await.expect("a plan");
        let plan: Vec<String> = rows.iter().map(|row| row.get(column).expect("a line")).collect();
        assert!(plan.iter().any(|line| line.contains("consent_ledger_opted_out")), "{plan:#?}");
    }
}
