//! Files as people upload them, and what becomes of the people in them.

use futures::TryStreamExt as _;
use std::collections::BTreeMap;

use domain::{
    consent::Consent,
    contact::TimelineKind,
    import::{ImportOptions, ImportStatus, RejectReason},
    page::PageRequest,
    time::Timestamp,
};
use serde_json::{Value, json};

use super::{Bench, LIMIT, benches, scattered};
use crate::Error;

const MESSY: &[u8] = include_bytes!("../../../tests/data/contacts-messy.csv");
const EXPECTED: &str = include_str!("../../../tests/data/contacts-messy.expected.json");

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
        assert_eq!(seen, [(5, RejectReason::NoPhone, ",\"no\nnumber\""), (7, RejectReason::InvalidPhone, "call me,x")]);
        let next = PageRequest { limit: 2, cursor: page.next_cursor };
        let rest = bench.engine.imports().rejects(&bench.actor, import.id, &next).await.unwrap();
        assert_eq!((rest.items[0].line, rest.next_cursor), (8, None));
        let parts = bench.engine.imports().rejects_csv(&bench.actor, import.id).await.unwrap();
        let csv: String = parts.try_collect().await.unwrap();
        assert_eq!(csv.lines().next(), Some("line,reason,value,raw"));
        assert!(csv.contains("8,no_country,0771234567,\"0771234567,y\""), "{csv}");
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
async fn the_people_of_a_file_are_an_audience_that_is_made_once() {
    for bench in benches().await {
        let options = || ImportOptions { file_name: Some("p.csv".to_owned()), ..ImportOptions::default() };
        let file = bench.import(b"phone\n+94771234501\n+94771234502\n", options()).await;
        let segments = bench.engine.segments();
        let made = segments.of_import(&bench.actor, file.id).await.unwrap();
        let definition = serde_json::to_value(&made.definition).unwrap();
        let people = segments.preview(&bench.actor, &definition).await.unwrap();
        assert_eq!((made.name.as_str(), people.count), ("People in p.csv", 2));
        assert_eq!(segments.of_import(&bench.actor, file.id).await.unwrap(), made);
        let other = bench.import(b"phone\n+94771234503\n", options()).await;
        assert_eq!(segments.of_import(&bench.actor, other.id).await.unwrap().name, "People in p.csv (2)");
        let unknown = segments.of_import(&bench.actor, domain::ids::ImportId(made.id.0)).await;
        assert!(matches!(unknown, Err(Error::NotFound { what: "import" })));
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
