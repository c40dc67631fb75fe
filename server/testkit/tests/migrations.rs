//! The schema comes up on both databases, once, and guards what must not change.

use std::collections::{BTreeMap, BTreeSet};

use migrations::MigratorTrait as _;
use store::{ConnectionTrait as _, Kind, exec, one};
use uuid::Uuid;

/// With a column of each that has a number.
const APPEND_ONLY: [(&str, &str); 6] = [
    ("audit_log", "at"),
    ("consent_ledger", "at"),
    ("transitions", "at"),
    ("decisions", "at"),
    ("trigger_events", "received_at"),
    ("decision_grounds", "id"),
];

/// As append-only, but for the retention job.
const CALLBACKS: [(&str, &str); 2] = [("webhook_events", "received_at"), ("receipts", "at")];

#[tokio::test]
async fn append_only_tables_refuse_update_and_delete() {
    for test in testkit::databases().await {
        let db = test.db.writer();
        fill(&test.db).await;
        refuse_change(&test, &CALLBACKS).await;
        for permit in ["DELETE FROM retention_permits", PERMIT] {
            exec(db, permit, Vec::new()).await.expect("the retention job's permit");
            refuse_change(&test, &APPEND_ONLY).await;
        }
    }
}

#[tokio::test]
async fn callbacks_go_with_a_permit_only() {
    for test in testkit::databases().await {
        let db = test.db.writer();
        fill(&test.db).await;
        refuse_change(&test, &CALLBACKS).await;
        exec(db, PERMIT, Vec::new()).await.expect("the retention job's permit");
        for (table, column) in CALLBACKS {
            let mut refused = vec![format!("UPDATE {table} SET {column} = {column} + 1")];
            if test.kind() == Kind::Postgres {
                refused.extend([format!("TRUNCATE {table}"), format!("TRUNCATE {table}_202611")]);
            }
            for statement in refused {
                assert!(db.execute_unprepared(&statement).await.is_err(), "{statement} went through");
            }
            let delete = format!("DELETE FROM {table}");
            assert_eq!(exec(db, delete, Vec::new()).await.expect("the job's own"), 1, "{:?}: {table}", test.kind());
        }
        if test.kind() == Kind::Postgres {
            let query = "SELECT CAST(count(*) AS bigint) AS n FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
                         WHERE (c.relname LIKE 'webhook_events%' OR c.relname LIKE 'receipts%') AND t.tgenabled <> 'A'";
            let row = one(db, query, Vec::new()).await.expect("counted").expect("a row");
            assert_eq!(row.get::<i64>("n").expect("a number"), 0, "nobody switches them off for a session");
        }
    }
}

/// As the retention job opens it: for raw forms, their keys and callbacks, and nothing else.
const PERMIT: &str = "INSERT INTO retention_permits (opened_at, reason) VALUES (1, 'raw webhooks')";

async fn refuse_change(test: &testkit::TestDb, tables: &[(&str, &str)]) {
    let db = test.db.writer();
    for (table, column) in tables {
        for statement in [format!("UPDATE {table} SET {column} = {column} + 1"), format!("DELETE FROM {table}")] {
            let refused = exec(db, statement.clone(), Vec::new()).await;
            let error = refused.err().unwrap_or_else(|| panic!("{:?}: {statement} went through", test.kind()));
            assert!(error.to_string().contains("append-only"), "{statement}: {error}");
        }
        if test.kind() == Kind::Postgres {
            assert!(db.execute_unprepared(&format!("TRUNCATE {table}")).await.is_err(), "{table} was truncated");
        }
        let rows = one(db, format!("SELECT CAST(count(*) AS bigint) AS n FROM {table}"), Vec::new()).await;
        assert_eq!(rows.expect("counted").expect("a row").get::<i64>("n").expect("a number"), 1, "{table}");
    }
}

/// One row in each append-only table.
async fn fill(db: &store::Db) {
    let rows = [
        "INSERT INTO audit_log (stream, seq, at, actor_kind, actor_id, action, entity, entity_id, detail, prev_hash, \
         hash) VALUES ('audit', 1, 1, 'worker', 'w', 'a', 'e', '1', '{}', $1, $1)",
        "INSERT INTO consent_ledger (stream, seq, at, contact_id, consent, source, actor_kind, actor_id, prev_hash, \
         hash) VALUES ('consent', 1, 1, 1, 'opted_in', 'api', 'worker', 'w', $1, $1)",
        "INSERT INTO transitions (month, message_id, at, from_state, to_state, by, attempt) \
         SELECT 202611, 1, 1, 1, 3, 'worker', 1 WHERE $1 IS NOT NULL",
        "INSERT INTO decisions (month, message_id, at, attempt, outcome, rules_version, checks) \
         SELECT 202611, 1, 1, 1, 'send', 1, 0 WHERE $1 IS NOT NULL",
        "INSERT INTO webhook_events (month, received_at, kind, outcome) \
         SELECT 202611, 1, 'status', 'applied' WHERE $1 IS NOT NULL",
        "INSERT INTO receipts (message_id, month, provider_sid, status, moved, at, event_id) \
         SELECT 1, 202611, 'SM1', 'sent', TRUE, 1, 1 WHERE $1 IS NOT NULL",
        "INSERT INTO trigger_events (id_hash, name, received_at, actor_kind, actor_id) \
         VALUES ($1, 'price_drop', 1, 'api_key', 'k')",
        "INSERT INTO decision_grounds (id, seen) SELECT 1, '{}' WHERE $1 IS NOT NULL",
    ];
    for row in rows {
        exec(db.writer(), row, vec![vec![1_u8].into()]).await.expect("a row goes in");
    }
}

const RETAINED: [(&str, &str); 3] =
    [("webhook_blocks", "id"), ("webhook_bodies", "event_id"), ("period_keys", "period")];

/// Raw forms and their keys are there until the retention job, and nobody else, removes them.
#[tokio::test]
async fn raw_forms_and_their_keys_go_with_a_permit_only() {
    for test in testkit::databases().await {
        let db = test.db.writer();
        for row in [
            "INSERT INTO webhook_blocks (id, period, sealed) VALUES (1, 20261101, $1)",
            "INSERT INTO webhook_bodies (event_id, period, sealed) VALUES (1, 20261101, $1)",
            "INSERT INTO period_keys (period, wrapped) VALUES (20261101, $1)",
        ] {
            exec(db, row, vec![vec![1_u8].into()]).await.expect("a row goes in");
        }
        let count = async |table: &str| {
            let row = one(db, format!("SELECT CAST(count(*) AS bigint) AS n FROM {table}"), Vec::new()).await;
            row.expect("counted").expect("a row").get::<i64>("n").expect("a number")
        };
        for (table, key) in RETAINED {
            let mut statements = vec![
                format!("UPDATE {table} SET period = period + 1"),
                format!("UPDATE {table} SET {key} = {key}"),
                format!("DELETE FROM {table}"),
            ];
            match test.kind() {
                Kind::Postgres => statements.push(format!("TRUNCATE {table}")),
                Kind::Sqlite => statements.push(format!("INSERT OR REPLACE INTO {table} SELECT * FROM {table}")),
            }
            for statement in statements {
                let refused = db.execute_unprepared(&statement).await;
                let error = refused.err().unwrap_or_else(|| panic!("{:?}: {statement} went through", test.kind()));
                assert!(error.to_string().contains("append-only"), "{statement}: {error}");
            }
            assert_eq!(count(table).await, 1, "{table}");
        }
        let at = domain::time::Timestamp::from_seconds(1_795_392_000);
        for (before, left) in [(20_261_101, 1), (20_261_102, 0)] {
            let tx = test.db.begin().await.expect("begun");
            store::webhook_events::destroy_keys(&tx, at, before).await.expect("keys");
            tx.commit().await.expect("committed");
            store::webhook_events::purge_bodies(&test.db, at, before, 10).await.expect("forms");
            for (table, _) in RETAINED {
                assert_eq!(count(table).await, left, "{table}");
            }
            assert_eq!(count("retention_permits").await, 0, "a permit is gone with its transaction");
        }
    }
}

#[tokio::test]
async fn concurrent_starts_migrate_once() {
    for test in testkit::unmigrated().await {
        let starts = (0..4).map(|_| {
            let url = test.url.clone();
            tokio::spawn(async move {
                let db = store::Db::connect(&url, 2).await.expect("connects");
                migrations::up(&db.writer().connections()).await
            })
        });
        let starts: Vec<_> = starts.collect();
        for start in starts {
            start.await.expect("no panic").expect("every start finds the schema in place");
        }
        let row = one(test.db.reader(), "SELECT CAST(count(*) AS bigint) AS n FROM seaql_migrations", Vec::new()).await;
        let ran = row.expect("counted").expect("a row").get::<i64>("n").expect("a number");
        assert_eq!(usize::try_from(ran).ok(), Some(migrations::Migrator::migrations().len()));
    }
}

/// What the version before stored is there, and stands where it stood.
#[tokio::test]
async fn a_database_of_the_version_before_keeps_what_it_holds() {
    for test in testkit::unmigrated().await {
        let db = test.db.writer();
        migrations::Migrator::up(&db.connections(), Some(4)).await.expect("the schema of the version before");
        for state in 0..=6 {
            let insert = format!(
                "INSERT INTO messages (contact_id, sender_id, kind, priority, state, month, not_before, created_at, updated_at) \
                 VALUES ({state}, $1, 2, 5, {state}, 202611, 1, 1, 7)"
            );
            exec(db, insert, vec![Uuid::from_u128(1).into()]).await.expect("a message");
        }
        let decision = "INSERT INTO decisions (month, message_id, at, attempt, outcome, rules_version, checks) \
                        VALUES (202611, 1, 1, 1, 'send', 1, 0)";
        exec(db, decision, Vec::new()).await.expect("a decision");
        let person = "INSERT INTO contacts (phone, contact_id, attributes, folded, last_read_at, created_at, updated_at) \
                      VALUES ('+15005550009', 5, '{}', '{}', 9, 1, 1)";
        exec(db, person, Vec::new()).await.expect("a person");
        migrations::up(&db.connections()).await.expect("brought up to date");
        for (query, wanted) in [
            ("SELECT CAST(count(*) AS bigint) AS n FROM messages WHERE open = state", 3),
            ("SELECT CAST(count(*) AS bigint) AS n FROM messages WHERE state > 2 AND open IS NULL", 4),
            ("SELECT contact_id AS n FROM messages WHERE unknown_at = 7", 2),
            ("SELECT last_read_at AS n FROM contact_reads WHERE contact_id = 5", 9),
            ("SELECT message_id AS n FROM decisions", 1),
        ] {
            let row = one(test.db.reader(), query, Vec::new()).await.expect("a query").expect("a row");
            assert_eq!(row.get::<i64>("n").expect("a number"), wanted, "{:?}: {query}", test.kind());
        }
    }
}

/// How far earlier runs had come is known to the hour, and not beyond their end.
#[tokio::test]
async fn the_progress_of_earlier_runs_is_told_by_their_hours() {
    const HOUR: i64 = 3_600_000_000;
    for test in testkit::unmigrated().await {
        let (db, id) = (test.db.writer(), Uuid::from_u128(7));
        let before =
            migrations::Migrator::migrations().iter().take_while(|one| !one.name().ends_with("_progress")).count();
        migrations::Migrator::up(&db.connections(), u32::try_from(before).ok())
            .await
            .expect("the schema of the version before");
        let run = "INSERT INTO runs (id, campaign_id, number, due_at, status, template_id, template_version, definition, \
                   sender_id, rules, snapshot_at, actor_kind, actor_id, created_at, started_at, finished_at) \
                   VALUES ($1, $1, 1, 0, 'completed', $1, 1, '{}', $1, '{}', 0, 'user', '1', 0, 5, $2)";
        exec(db, run, vec![id.into(), (3 * HOUR + 7).into()]).await.expect("a run");
        // Two countries; who has read it is not counted twice, nor who belongs to no run.
        for (run, hour, country, state, count) in [
            (id, 0, "LK", 3, 4),
            (id, 0, "DE", 3, 2),
            (id, 0, "DE", 8, 2),
            (id, 3, "LK", 3, 5),
            (Uuid::nil(), 0, "", 3, 9),
        ] {
            let insert = "INSERT INTO message_rollups (hour, run_id, sender_id, country, state, code, count) \
                          VALUES ($1, $2, $2, $3, $4, 0, $5)";
            let values = vec![(hour * HOUR).into(), run.into(), country.into(), state.into(), i64::from(count).into()];
            exec(db, insert, values).await.expect("a count");
        }
        migrations::up(&db.connections()).await.expect("brought up to date");
        let noted = store::runs::progress(test.db.reader(), domain::ids::RunId(id)).await.expect("its progress");
        let told: Vec<_> =
            noted.iter().map(|noted| (noted.point.at.as_micros(), noted.point.sent, noted.exact)).collect();
        assert_eq!(told, [(HOUR, 6, false), (3 * HOUR + 7, 11, false)], "{:?}", test.kind());
    }
}

/// A column as a program of the version before finds it: its type, and whether a new row may leave it out.
type Columns = BTreeMap<(String, String), (String, bool)>;

async fn columns(test: &testkit::TestDb) -> Columns {
    let query = match test.kind() {
        Kind::Postgres => {
            "SELECT CAST(table_name AS text) AS t, CAST(column_name AS text) AS c, CAST(data_type AS text) AS kind, \
             is_nullable = 'YES' OR column_default IS NOT NULL OR is_identity = 'YES' OR is_generated = 'ALWAYS' AS optional \
             FROM information_schema.columns WHERE table_schema = current_schema()"
        }
        Kind::Sqlite => {
            "SELECT m.name AS t, c.name AS c, c.type AS kind, \
             c.\"notnull\" = 0 OR c.dflt_value IS NOT NULL OR c.pk > 0 OR c.hidden > 0 AS optional \
             FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c WHERE m.type = 'table'"
        }
    };
    let rows = store::all(test.db.reader(), query, Vec::new()).await.expect("the columns");
    let column = |row: &store::Row| {
        let text = |name| row.get::<String>(name).expect(name);
        ((text("t"), text("c")), (text("kind"), row.get::<bool>("optional").expect("optional")))
    };
    rows.iter().map(column).collect()
}

/// Of 64 bits on PostgreSQL since events have numbers: the version before writes nothing but 0, and reads it nowhere.
fn is_widened((table, column): &(String, String)) -> bool {
    (table.as_str(), column.as_str()) == ("messages", "occurrence")
}

/// During a rolling update, the version before works on the new schema: what it reads is there, and what it does not know
/// it need not write.
#[tokio::test]
async fn migrations_only_add() {
    for test in testkit::unmigrated().await {
        let mut before = Columns::new();
        for _ in 0..migrations::Migrator::migrations().len() {
            migrations::Migrator::up(&test.db.writer().connections(), Some(1)).await.expect("one more");
            let after = columns(&test).await;
            for (column, (kind, _)) in before.iter().filter(|(column, _)| !is_widened(column)) {
                assert_eq!(after.get(column).map(|(kind, _)| kind), Some(kind), "{:?}: {column:?}", test.kind());
            }
            let tables: BTreeSet<&String> = before.keys().map(|(table, _)| table).collect();
            for (column, (_, optional)) in &after {
                let is_added = tables.contains(&column.0) && !before.contains_key(column);
                assert!(
                    !is_added || *optional,
                    "{:?}: {column:?} must be written by who does not know it",
                    test.kind()
                );
            }
            before = after;
        }
        assert!(before.len() > 100, "the schema was not read");
    }
}

#[tokio::test]
async fn the_database_of_another_program_is_left_alone() {
    for test in testkit::unmigrated().await {
        let db = test.db.writer();
        db.execute_unprepared("CREATE TABLE shop_orders (id integer)").await.expect("a table");
        let refused = migrations::up(&db.connections()).await.expect_err("refused").to_string();
        assert!(refused.contains("shop_orders"), "{refused}");
        assert!(db.execute_unprepared("SELECT 1 FROM contacts").await.is_err(), "nothing was made");
    }
}

#[tokio::test]
async fn the_schema_of_a_newer_version_is_left_alone() {
    for test in testkit::databases().await {
        let db = test.db.writer();
        let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20990101_000001_later', 1)";
        db.execute_unprepared(newer).await.expect("inserted");
        let refused = migrations::up(&db.connections()).await.expect_err("refused").to_string();
        assert!(refused.contains("newer version") && refused.contains("m20990101"), "{refused}");
    }
}
