//! Whole imports on both databases.

mod files;
mod pieces;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{
    actor::Actor,
    consent::Consent,
    contact::{Contact, ContactFilter, NewContact},
    ids::ImportId,
    import::{Import, ImportOptions, ImportStatus},
    time::Timestamp,
    topic::NewTopic,
};
use futures::stream;
use serde_json::{Value, json};
use testkit::TestDb;

use crate::{
    Engine,
    clock::ManualClock,
    config::{Config, FirstSender, ProviderConfig, Secret, WebhookKeys},
    secrets::KeyRing,
};

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
            witness: test.dir.path().join("witness"),
            keys: KeyRing::parse(&KeyRing::generate()).unwrap(),
            provider: ProviderConfig {
                account_sid: "AC00000000000000000000000000000001".to_owned(),
                auth_token: Secret::new("token".to_owned()),
                api_key: None,
                webhook_keys: WebhookKeys::default(),
                api_base: "http://127.0.0.1:9".to_owned(),
                content_base: "http://127.0.0.1:9".to_owned(),
                messaging_base: "http://127.0.0.1:9".to_owned(),
                simulator: Some("http://127.0.0.1:9".to_owned()),
                timeout: Duration::from_secs(1),
            },
            first_sender: FirstSender { address: "whatsapp:+15005550006".to_owned(), rate_per_second: 80 },
            worker_concurrency: 1,
            lease: Duration::from_secs(60),
            reconcile_grace: Duration::from_secs(150),
            status_quiet: Duration::from_secs(3_600),
            redis_url: None,
            probe_after: Duration::from_secs(60),
            list_patience: Duration::from_secs(120),
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
        self.engine.contacts().count(&self.actor, &ContactFilter::default()).await.unwrap()
    }

    async fn topic(&self, key: &str) {
        let new = NewTopic { key: key.to_owned(), name: key.to_owned(), ..NewTopic::default() };
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
