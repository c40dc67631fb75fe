//! Whole imports on both databases.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{
    actor::Actor,
    consent::Consent,
    contact::{Contact, NewContact, TimelineKind},
    ids::ImportId,
    import::{Import, ImportOptions, ImportStatus, RejectReason},
    page::PageRequest,
    time::Timestamp,
    topic::NewTopic,
};
use futures::stream;
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::TestDb;
use tokio_util::sync::CancellationToken;

use super::worker;
use crate::{
    Engine, Error,
    clock::ManualClock,
    config::{Config, FirstSender, ProviderConfig, Secret},
    secrets::KeyRing,
};

const MESSY: &[u8] = include_bytes!("../../tests/data/contacts-messy.csv");
const EXPECTED: &str = include_str!("../../tests/data/contacts-messy.expected.json");
const LIMIT: u64 = 1 << 20;

struct Bench {
    engine: Engine,
    clock: Arc<ManualClock>,
    actor: Actor,
    _test: TestDb,
}

async fn benches() -> Vec<Bench> {
    let mut benches = Vec::new();
    for test in testkit::databases().await {
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_795_392_000)));
        let config = Config {
            public_url: "http://127.0.0.1:3000".to_owned(),
            data_dir: test.dir.path().to_owned(),
            keys: KeyRing::parse(&KeyRing::generate()).unwrap(),
            provider: ProviderConfig {
                account_sid: "AC00000000000000000000000000000001".to_owned(),
                auth_token: Secret::new("token".to_owned()),
                api_key: None,
                api_base: "http://127.0.0.1:9".to_owned(),
                content_base: "http://127.0.0.1:9".to_owned(),
                simulator: Some("http://127.0.0.1:9".to_owned()),
                timeout: Duration::from_secs(1),
            },
            first_sender: FirstSender { address: "whatsapp:+15005550006".to_owned(), rate_per_second: 80 },
            worker_concurrency: 1,
            lease: Duration::from_secs(60),
            import_limit: LIMIT,
        };
        let engine = Engine::open(test.db.clone(), config, clock.clone()).await.unwrap();
        benches.push(Bench { engine, clock, actor: Actor::command_line(), _test: test });
    }
    benches
}

impl Bench {
    async fn upload(&self, bytes: &[u8], options: ImportOptions) -> crate::Result<Import> {
        let blocks: Vec<_> = bytes.chunks(10_000).map(|block| Ok(Bytes::copy_from_slice(block))).collect();
        self.engine.imports().upload(&self.actor, options, stream::iter(blocks)).await
    }

    async fn import(&self, bytes: &[u8], options: ImportOptions) -> Import {
        let id = self.upload(bytes, options).await.unwrap().id;
        let import = self.engine.imports().work(id).await.unwrap();
        assert_eq!(import.status, ImportStatus::Done, "{:?}", import.error);
        assert_eq!(
            import.rows,
            import.created + import.updated + import.unchanged + import.duplicates + import.rejected
        );
        assert_eq!(import.rejected, import.by_reason.values().sum::<i64>());
        assert_eq!(import.bytes_done, import.bytes_total);
        import
    }

    async fn contact(&self, phone: &str) -> Contact {
        self.engine.contacts().get(&self.actor, &phone.parse().unwrap()).await.unwrap()
    }

    async fn count(&self) -> i64 {
        self.engine.contacts().count(&self.actor, &domain::contact::ContactFilter::default()).await.unwrap()
    }

    async fn topic(&self, key: &str) {
        let new = NewTopic { key: key.to_owned(), name: key.to_owned(), description: String::new() };
        self.engine.topics().create(&self.actor, new).await.unwrap();
    }

    /// Everything an import leaves behind that may not depend on how it was cut into pieces.
    async fn state(&self) -> Vec<String> {
        let mut state = Vec::new();
        for query in [
            "SELECT phone || ' ' || CAST(attributes AS text) || CAST(folded AS text) || coalesce(name, '') || name_folded \
             || coalesce(country, '') || coalesce(timezone, '') || coalesce(locale, '') || consent || \
             CAST(suppressed AS text) AS line FROM contacts ORDER BY phone",
            "SELECT c.phone || ' ' || t.key || ' ' || s.state AS line FROM subscriptions s \
             JOIN contacts c ON c.contact_id = s.contact_id JOIN topics t ON t.id = s.topic_id ORDER BY c.phone, t.key",
            "SELECT consent || ' ' || CAST(count AS text) AS line FROM contact_counts WHERE count <> 0 ORDER BY consent",
            "SELECT CAST(line AS text) || reason || value || raw AS line FROM import_rejects ORDER BY import_id, line",
            "SELECT c.phone AS line FROM import_contacts i JOIN contacts c ON c.contact_id = i.contact_id ORDER BY 1",
            "SELECT CAST(rows_read AS text) || ' ' || CAST(created AS text) || ' ' || CAST(updated AS text) || ' ' || \
             CAST(unchanged AS text) || ' ' || CAST(duplicates AS text) || ' ' || CAST(rejected AS text) || ' ' || \
             CAST(suppressed AS text) || by_reason || warnings || CAST(bytes_done AS text) AS line FROM imports \
             ORDER BY created_at, id",
        ] {
            let rows = store::all(self.engine.db().reader(), query, Vec::new()).await.unwrap();
            state.extend(rows.iter().map(|row| row.get::<String>("line").unwrap()));
        }
        state
    }
}

#[derive(serde::Deserialize)]
struct Expected {
    rows: i64,
    created: i64,
    duplicates: i64,
    rejected: i64,
    phones: Vec<String>,
}

async fn phones(bench: &Bench) -> Vec<String> {
    let rows = store::all(bench.engine.db().reader(), "SELECT phone FROM contacts", Vec::new()).await.unwrap();
    let mut phones: Vec<String> = rows.iter().map(|row| row.get("phone").unwrap()).collect();
    phones.sort();
    phones
}

#[tokio::test]
async fn the_messy_file_gives_exactly_its_people() {
    let mut expected: Expected = serde_json::from_str(EXPECTED).unwrap();
    expected.phones.sort();
    for bench in benches().await {
        let import = bench.import(MESSY, ImportOptions::default()).await;
        assert_eq!(phones(&bench).await, expected.phones);
        assert_eq!(
            (import.rows, import.created, import.duplicates, import.rejected),
            (expected.rows, expected.created, expected.duplicates, expected.rejected)
        );
        assert_eq!((import.updated, import.unchanged, import.suppressed), (0, 0, 0));
        assert_eq!(bench.count().await, expected.created);

        // The file says the same once more: nobody is new, and nobody is another in the end.
        let again = bench.import(MESSY, ImportOptions::default()).await;
        assert_eq!((again.created, again.updated, again.unchanged), (0, 0, expected.created));
        assert_eq!(phones(&bench).await, expected.phones);
    }
}

#[tokio::test]
async fn rejected_rows_are_shown_as_they_stand_in_the_file() {
    let file = b"phone,name\n\n+94771234567,\"two\nlines\"\n,\"no\nnumber\"\ncall me,x\n0771234567,y\n";
    for bench in benches().await {
        let import = bench.import(file, ImportOptions::default()).await;
        assert_eq!((import.created, import.rejected), (1, 3));
        assert_eq!(
            import.by_reason,
            BTreeMap::from([("invalid_phone", 1), ("no_country", 1), ("no_phone", 1)].map(|(k, n)| (k.to_owned(), n)))
        );
        let page = bench.engine.imports().rejects(&bench.actor, import.id, &PageRequest::first(2)).await.unwrap();
        let seen: Vec<_> = page.items.iter().map(|row| (row.line, row.reason, row.raw.as_str())).collect();
        assert_eq!(seen, [
            (5, RejectReason::NoPhone, ",\"no\nnumber\""),
            (7, RejectReason::InvalidPhone, "call me,x")
        ]);
        let next = PageRequest { limit: 2, cursor: page.next_cursor };
        let rest = bench.engine.imports().rejects(&bench.actor, import.id, &next).await.unwrap();
        assert_eq!((rest.items[0].line, rest.next_cursor), (8, None));
        let csv = bench.engine.imports().rejects_csv(&bench.actor, import.id).await.unwrap();
        assert_eq!(csv.lines().next(), Some("line,reason,value,raw"));
        assert!(csv.contains("8,no_country,0771234567,\"0771234567,y\""), "{csv}");
    }
}

/// Numbers that come again in other chunks, with other cells and other wishes.
fn scattered() -> Vec<u8> {
    let mut file = "Phone;Name;City;Consent;Time zone\n".to_owned();
    for row in 0..120 {
        let person = row % 37;
        let wish = match (person % 5, row % 4) {
            (0, _) => "yes",
            (1, 3) => "STOP",
            (1, _) => "yes",
            (2, 0) => "perhaps",
            _ => "",
        };
        let zone = if row % 7 == 0 { "Asia/Colombo" } else { "" };
        let city = if row % 3 == 0 { format!("City {row}") } else { String::new() };
        let phone = if row % 29 == 28 { "n/a".to_owned() } else { format!("+947712345{person:02}") };
        file.push_str(&format!("{phone};Person {person};{city};{wish};{zone}\n"));
    }
    file.into_bytes()
}

/// Uploads the scattered file to a database where somebody of the file is known and opted out, and somebody is known,
/// unsubscribed, and just as the file says in the end, although not in every row.
async fn upload_scattered(bench: &Bench) -> ImportId {
    bench.topic("offers").await;
    let new = |phone: &str, consent, attributes: Value, timezone: Option<&str>| NewContact {
        phone: phone.to_owned(),
        attributes: attributes.as_object().cloned().unwrap_or_default(),
        consent,
        timezone: timezone.map(str::to_owned),
        locale: None,
        topics: Vec::new(),
    };
    let contacts = bench.engine.contacts();
    let out = new("+94771234500", Some(Consent::OptedOut), json!({}), None);
    contacts.create(&bench.actor, out).await.unwrap();
    let same = new("+94771234503", None, json!({"name": "Person 3", "city": "City 114"}), Some("Asia/Colombo"));
    contacts.create(&bench.actor, same).await.unwrap();
    contacts.unsubscribe(&bench.actor, &"+94771234503".parse().unwrap(), "offers").await.unwrap();
    let options = ImportOptions { topics: vec!["offers".to_owned()], ..ImportOptions::default() };
    bench.upload(&scattered(), options).await.unwrap().id
}

async fn in_chunks_of(bench: &Bench, rows: usize, interrupted: bool) -> Vec<String> {
    let id = upload_scattered(bench).await;
    if interrupted {
        while !chunk_by_chunk(bench, id, rows).await {}
    } else {
        worker::work(&bench.engine, id, &CancellationToken::new(), rows).await.unwrap();
    }
    bench.state().await
}

/// Does one chunk as a process does that then dies; true when the import is done.
async fn chunk_by_chunk(bench: &Bench, id: ImportId, rows: usize) -> bool {
    bench.clock.advance(Timestamp::HOUR);
    worker::work_once(&bench.engine, id, rows).await.unwrap();
    let import = bench.engine.imports().get(&bench.actor, id).await.unwrap();
    import.status == ImportStatus::Done
}

#[tokio::test]
async fn an_import_interrupted_after_every_chunk_gives_the_same() {
    for (whole, pieces) in benches().await.into_iter().zip(benches().await) {
        let expected = in_chunks_of(&whole, 10, false).await;
        assert_eq!(in_chunks_of(&pieces, 10, true).await, expected);
        let counts = expected.iter().find(|line| line.starts_with("120 ")).unwrap();
        assert!(counts.starts_with("120 35 1 1 79 4 1{"), "{counts}");
    }
}

#[tokio::test]
async fn the_size_of_chunks_changes_nothing() {
    for (one, other) in benches().await.into_iter().zip(benches().await) {
        let (one, other) = (in_chunks_of(&one, 1, false).await, in_chunks_of(&other, 2_000, false).await);
        assert_eq!(one, other);
    }
}

#[tokio::test]
async fn an_import_that_is_killed_anywhere_gives_the_same() {
    for (whole, killed) in benches().await.into_iter().zip(benches().await) {
        let expected = in_chunks_of(&whole, 7, false).await;
        let mut waited = Duration::from_millis(1);
        let id = upload_scattered(&killed).await;
        let mut kills = 0;
        loop {
            let engine = killed.engine.clone();
            let work = async move { worker::work(&engine, id, &CancellationToken::new(), 7).await };
            // Dropped in the middle of whatever it does, a transaction included.
            match tokio::time::timeout(waited, work).await {
                Ok(done) => break done.unwrap(),
                Err(_) => kills += 1,
            }
            waited += Duration::from_millis(3);
        }
        assert!(kills > 0, "never killed");
        assert_eq!(killed.state().await, expected, "after {kills} kills");
    }
}

#[tokio::test]
async fn two_workers_on_one_import_count_nothing_twice() {
    for bench in benches().await {
        let id = bench.upload(&scattered(), ImportOptions::default()).await.unwrap().id;
        let stop = CancellationToken::new();
        let (one, other) =
            tokio::join!(worker::work(&bench.engine, id, &stop, 5), worker::work(&bench.engine, id, &stop, 5));
        one.unwrap();
        other.unwrap();
        let import = bench.engine.imports().work(id).await.unwrap();
        assert_eq!((import.status, import.rows), (ImportStatus::Done, 120));
        assert_eq!(import.created, bench.count().await);
    }
}

#[tokio::test]
async fn the_worker_takes_what_was_uploaded_and_what_was_interrupted() {
    for bench in benches().await {
        let interrupted = bench.upload(&scattered(), ImportOptions::default()).await.unwrap().id;
        worker::work_once(&bench.engine, interrupted, 10).await.unwrap();
        bench.clock.advance(Timestamp::HOUR);
        let fresh = bench.upload(b"phone\n+94771230000\n", ImportOptions::default()).await.unwrap().id;
        let stop = CancellationToken::new();
        let running = tokio::spawn(worker::run(bench.engine.clone(), stop.clone()));
        for id in [interrupted, fresh] {
            let mut import = bench.engine.imports().get(&bench.actor, id).await.unwrap();
            for _ in 0..600 {
                if import.status == ImportStatus::Done {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
                import = bench.engine.imports().get(&bench.actor, id).await.unwrap();
            }
            assert_eq!(import.status, ImportStatus::Done);
        }
        stop.cancel();
        running.await.unwrap();
        let left = std::fs::read_dir(bench.engine.config().data_dir.join("imports")).unwrap().count();
        assert_eq!(left, 0, "files of imports that are done are removed");
    }
}

#[tokio::test]
async fn a_file_that_went_away_fails_the_import_with_a_reason() {
    for bench in benches().await {
        let id = bench.upload(&scattered(), ImportOptions::default()).await.unwrap().id;
        let folder = bench.engine.config().data_dir.join("imports");
        std::fs::remove_file(folder.join(id.to_string())).unwrap();
        let import = bench.engine.imports().work(id).await.unwrap();
        assert_eq!(import.status, ImportStatus::Failed);
        assert!(import.error.unwrap().contains("not there any more"));
    }
}

#[tokio::test]
async fn an_import_never_lifts_what_a_person_said() {
    for bench in benches().await {
        bench.topic("offers").await;
        let contacts = bench.engine.contacts();
        let options = || ImportOptions { topics: vec!["offers".to_owned()], ..ImportOptions::default() };
        let file = b"phone,name,consent\n+94771234501,Ann,no\n+94771234502,Ben,yes\n+94771234503,Cyd,\n";
        let first = bench.import(file, options()).await;
        assert_eq!((first.created, first.suppressed), (3, 0));
        assert!(bench.contact("+94771234501").await.suppressed);
        contacts.unsubscribe(&bench.actor, &"+94771234502".parse().unwrap(), "offers").await.unwrap();
        contacts.erase(&bench.actor, &"+94771234501".parse().unwrap()).await.unwrap();

        let file = b"phone,consent\n+94771234501,yes\n+94771234502,yes\n+94771234503,STOP\n+94771234503,yes\n";
        let second = bench.import(file, options()).await;
        assert_eq!((second.created, second.updated, second.unchanged, second.duplicates), (1, 1, 1, 1));
        assert_eq!(second.suppressed, 1, "erased, but the number is still known as one not to message");
        assert_eq!(second.warnings["opt_out_kept"], 1);
        assert_eq!(second.warnings["unsubscribed_kept"], 1);
        let erased = bench.contact("+94771234501").await;
        assert_eq!((erased.consent, erased.suppressed, erased.name), (Consent::OptedOut, true, None));
        assert_eq!(bench.contact("+94771234502").await.topics, Vec::<String>::new());
        let stopped = bench.contact("+94771234503").await;
        assert_eq!((stopped.consent, stopped.suppressed), (Consent::OptedOut, true));
        let third = bench.import(b"phone,consent\n+94771234503,yes\n", options()).await;
        assert_eq!((third.unchanged, third.suppressed), (1, 1));
        assert_eq!(bench.contact("+94771234503").await.consent, Consent::OptedOut);
        assert_eq!(bench.count().await, 3);
    }
}

#[tokio::test]
async fn an_opt_in_names_its_file_and_line_and_applies_once() {
    for bench in benches().await {
        let file = b"phone,consent\n+94771234501,\n+94771234502,\n+94771234501,yes\n";
        let import = bench.import(file, ImportOptions::default()).await;
        let contact = bench.contact("+94771234501").await;
        assert_eq!(contact.consent, Consent::OptedIn);
        assert_eq!(contact.consent_changed_at, Some(bench.engine.now()));
        let query = "SELECT reference FROM consent_ledger";
        let rows = store::all(bench.engine.db().reader(), query, Vec::new()).await.unwrap();
        let references: Vec<String> = rows.iter().map(|row| row.get("reference").unwrap()).collect();
        assert_eq!(references, [format!("import {} line 4", import.id)]);
        let again = bench.import(b"phone,consent\n+94771234501,yes\n", ImportOptions::default()).await;
        assert_eq!(again.unchanged, 1);
        let page = PageRequest::first(10);
        let history = bench.engine.contacts().timeline(&bench.actor, &contact.phone, &page).await.unwrap();
        let kinds: Vec<TimelineKind> = history.items.iter().map(|entry| entry.kind).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == TimelineKind::Imported).count(), 2);
        assert_eq!(kinds.iter().filter(|kind| **kind == TimelineKind::Consent).count(), 1);
    }
}

#[tokio::test]
async fn known_people_keep_what_the_file_leaves_empty() {
    for bench in benches().await {
        let first = b"phone,name,city,age,tz\n+94771234501,Ann,Galle,30,Asia/Colombo\n";
        bench.import(first, ImportOptions::default()).await;
        bench.clock.advance(Timestamp::HOUR);
        let second = b"phone,name,city,age,tz\n+94771234501,,Kandy,,\n+94771234501,Anne,,,\n";
        let import = bench.import(second, ImportOptions::default()).await;
        assert_eq!((import.updated, import.duplicates), (1, 1));
        let contact = bench.contact("+94771234501").await;
        assert_eq!(Value::Object(contact.attributes), json!({"name": "Anne", "city": "Kandy", "age": 30}));
        assert_eq!((contact.timezone.as_deref(), contact.name.as_deref()), (Some("Asia/Colombo"), Some("Anne")));
        assert_eq!((contact.country.as_deref(), contact.version), (Some("LK"), 2));
    }
}

#[tokio::test]
async fn every_format_and_encoding_gives_the_same_person() {
    let text = "Telefon;Name;Sprache;Notiz\r\n077 123 4501;Zoë Müller;de;\"a;b\"\r\n";
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let western: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let array = json!([{"phone": "077 123 4501", "name": "Zoë Müller", "language": "de", "notiz": "a;b"}]).to_string();
    let lines = format!("{}\n", &array[1..array.len() - 1]);
    for bench in benches().await {
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            [b"\xff\xfe", &wide[..]].concat(),
            western.clone(),
            text.replace("\r\n", "\r").into_bytes(),
            text.replace("\"a;b\"", "a.b").replace(';', "\t").replace("a.b", "a;b").into_bytes(),
            array.clone().into_bytes(),
            lines.clone().into_bytes(),
        ] {
            let options = ImportOptions { country: Some("LK".to_owned()), ..ImportOptions::default() };
            let import = bench.import(&bytes, options).await;
            assert_eq!(import.rows, 1);
            let contact = bench.contact("+94771234501").await;
            assert_eq!(Value::Object(contact.attributes), json!({"name": "Zoë Müller", "notiz": "a;b"}));
            assert_eq!(contact.locale.as_deref(), Some("de"));
            bench.engine.contacts().erase(&bench.actor, &contact.phone).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_imported_is_refused_and_leaves_nothing() {
    for bench in benches().await {
        for bytes in [&b""[..], b"\0\x01\x02", b"PK\x03\x04", b"name,city\nAnn,Galle\n", b"phone\n"] {
            let refused = bench.upload(bytes, ImportOptions::default()).await;
            assert!(matches!(refused, Err(Error::Invalid(errors)) if errors[0].field == "file"), "{bytes:?}");
        }
        let large = "x".repeat(usize::try_from(LIMIT).unwrap() + 1);
        let refused = bench.upload(large.as_bytes(), ImportOptions::default()).await;
        assert!(matches!(refused, Err(Error::TooLarge(_))));
        for (field, options) in [
            ("topics[0]", ImportOptions { topics: vec!["nosuch".to_owned()], ..ImportOptions::default() }),
            ("country", ImportOptions { country: Some("XX".to_owned()), ..ImportOptions::default() }),
            ("map", ImportOptions { map: vec![("x".to_owned(), "y".to_owned())], ..ImportOptions::default() }),
            ("map", ImportOptions { map: vec![("phone".to_owned(), "y".to_owned())], ..ImportOptions::default() }),
        ] {
            let refused = bench.upload(b"phone\n+94771234567\n", options).await;
            assert!(matches!(refused, Err(Error::Invalid(errors)) if errors[0].field == field), "{field}");
        }
        let page = bench.engine.imports().list(&bench.actor, &PageRequest::default()).await.unwrap();
        assert_eq!(page.items, []);
        let left = std::fs::read_dir(bench.engine.config().data_dir.join("imports")).unwrap().count();
        assert_eq!(left, 0);
    }
}

#[tokio::test]
async fn imports_are_listed_newest_first() {
    for bench in benches().await {
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.insert(0, bench.import(b"phone\n+94771234567\n", ImportOptions::default()).await.id);
            bench.clock.advance(1);
        }
        let mut seen = Vec::new();
        let mut page = PageRequest::first(2);
        loop {
            let found = bench.engine.imports().list(&bench.actor, &page).await.unwrap();
            seen.extend(found.items.iter().map(|import| import.id));
            page.cursor = found.next_cursor;
            if page.cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, ids);
    }
}

/// Rows of several people, put together in another order that keeps each person's own rows in theirs.
fn interleaved(rows: &[(u8, u8, String)], order: &[usize]) -> String {
    let mut by_person = BTreeMap::<u8, Vec<&(u8, u8, String)>>::new();
    for row in rows.iter().rev() {
        by_person.entry(row.0).or_default().push(row);
    }
    let mut file = "phone,a,b,consent\n".to_owned();
    let mut line = |row: &(u8, u8, String)| {
        let (person, column, value) = row;
        let cell = |wanted| if *column == wanted { value.as_str() } else { "" };
        let wish = match column {
            2 => "yes",
            3 => "no",
            _ => "",
        };
        file.push_str(&format!("+9477123450{person},{},{},{wish}\n", cell(0), cell(1)));
    };
    for pick in order {
        let people: Vec<u8> = by_person.keys().copied().collect();
        let Some(person) = people.get(pick % people.len().max(1)) else { break };
        let rows = by_person.entry(*person).or_default();
        rows.pop().into_iter().for_each(&mut line);
        if rows.is_empty() {
            by_person.remove(person);
        }
    }
    by_person.into_values().for_each(|rows| rows.into_iter().rev().for_each(&mut line));
    file
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_people_in_a_file_does_not_matter(
        rows in proptest::collection::vec((0_u8..4, 0_u8..4, "[a-c]{1,2}"), 1..24),
        order in proptest::collection::vec(0_usize..100, 24),
        size in 1_usize..9,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (one, other) = runtime.block_on(async {
            let mut states = Vec::new();
            // SQLite is enough here: both databases are compared elsewhere.
            for order in [&[][..], &order[..]] {
                let bench = benches().await.swap_remove(0);
                let id = bench.upload(interleaved(&rows, order).as_bytes(), ImportOptions::default()).await.unwrap().id;
                worker::work(&bench.engine, id, &CancellationToken::new(), size).await.unwrap();
                let query = "SELECT phone || CAST(attributes AS text) || consent AS line FROM contacts ORDER BY phone";
                let lines = store::all(bench.engine.db().reader(), query, Vec::new()).await.unwrap();
                states.push(lines.iter().map(|row| row.get::<String>("line").unwrap()).collect::<Vec<_>>());
            }
            (states.swap_remove(0), states.swap_remove(0))
        });
        prop_assert_eq!(one, other);
    }
}
