//! An engine over a fresh database, without workers, and webhooks signed as Twilio signs them.

#![allow(dead_code, reason = "every test binary uses its part of this")]

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use domain::{ids::MessageId, time::Timestamp};
use engine::{
    Actor, Engine,
    clock::ManualClock,
    config::{Config, FirstSender, ProviderConfig, Secret, WebhookKeys},
    ingest::{self, Webhook},
    secrets::KeyRing,
};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use testkit::TestDb;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const ACCOUNT: &str = "AC00000000000000000000000000000001";
pub const TOKEN: &str = "12345";
pub const PUBLIC_URL: &str = "https://campaigns.example.com";
pub const US: &str = "+15005550006";
pub const START: Timestamp = Timestamp::from_seconds(1_795_392_000);

/// An engine and what a test needs beside it.
pub struct Bench {
    pub engine: Engine,
    pub clock: Arc<ManualClock>,
    pub db: store::Db,
    pub admin: Actor,
    keys: String,
    stop: CancellationToken,
    test: Arc<TestDb>,
}

/// One for each kind of database, with the webhook writer running.
pub async fn benches() -> Vec<Bench> {
    let mut benches = Vec::new();
    for test in testkit::databases().await {
        let bench = bench(test).await;
        bench.start_writer();
        benches.push(bench);
    }
    benches
}

/// One without the writer: whatever comes in stays in the queue.
pub async fn bench(test: TestDb) -> Bench {
    let clock = Arc::new(ManualClock::new(START));
    let keys = KeyRing::generate();
    let config = config(&test, KeyRing::parse(&keys).unwrap());
    let engine = Engine::open(test.db.clone(), config, clock.clone()).await.unwrap();
    let admin = Actor::command_line();
    Bench { engine, clock, db: test.db.clone(), admin, keys, stop: CancellationToken::new(), test: Arc::new(test) }
}

pub fn config(test: &TestDb, keys: KeyRing) -> Config {
    Config {
        public_url: PUBLIC_URL.to_owned(),
        data_dir: test.dir.path().to_owned(),
        witness: test.dir.path().join("witness"),
        keys,
        provider: ProviderConfig {
            account_sid: ACCOUNT.to_owned(),
            auth_token: Secret::new(TOKEN.to_owned()),
            api_key: None,
            webhook_keys: WebhookKeys::default(),
            api_base: "http://127.0.0.1:9".to_owned(),
            content_base: "http://127.0.0.1:9".to_owned(),
            messaging_base: "http://127.0.0.1:9".to_owned(),
            simulator: None,
            timeout: Duration::from_secs(1),
        },
        first_sender: FirstSender { address: format!("whatsapp:{US}"), rate_per_second: 80 },
        worker_concurrency: 4,
        lease: Duration::from_secs(60),
        reconcile_grace: Duration::from_secs(150),
        status_quiet: Duration::from_secs(3_600),
        redis_url: None,
        probe_after: Duration::from_secs(60),
        list_patience: Duration::from_secs(120),
        import_limit: 1 << 20,
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Bench {
    /// Another process on the same database, by the same clock, without the writer.
    pub async fn beside(&self) -> Self {
        let config = self.engine.config().clone();
        let engine = Engine::open(self.db.clone(), config, self.clock.clone()).await.unwrap();
        Self {
            engine,
            clock: self.clock.clone(),
            db: self.db.clone(),
            admin: self.admin.clone(),
            keys: self.keys.clone(),
            stop: CancellationToken::new(),
            test: self.test.clone(),
        }
    }

    /// Changes something as somebody with the database in their hands would: past the guards of these tables.
    pub async fn tamper(&self, tables: &[&str], change: &str) -> u64 {
        for table in tables {
            let statements = match self.db.kind() {
                store::Kind::Postgres => vec![format!("ALTER TABLE {table} DISABLE TRIGGER ALL")],
                store::Kind::Sqlite => ["update", "delete"]
                    .iter()
                    .map(|what| format!("DROP TRIGGER IF EXISTS {table}_no_{what}"))
                    .collect(),
            };
            for statement in statements {
                store::exec(self.db.writer(), statement, vec![]).await.unwrap();
            }
        }
        store::exec(self.db.writer(), change, vec![]).await.unwrap()
    }

    /// Makes the database refuse what a person wrote in the message with this SID …
    pub async fn refuse(&self, sid: &str) {
        let statements = match self.db.kind() {
            store::Kind::Sqlite => vec![format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON inbound_messages WHEN NEW.provider_sid = '{sid}' \
                 BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )],
            store::Kind::Postgres => vec![
                format!(
                    "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                     IF NEW.provider_sid = '{sid}' THEN RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END $$"
                ),
                "CREATE TRIGGER refuse BEFORE INSERT ON inbound_messages FOR EACH ROW EXECUTE FUNCTION refuse()"
                    .to_owned(),
            ],
        };
        for statement in statements {
            store::exec(self.db.writer(), statement, vec![]).await.unwrap();
        }
    }

    /// … and take it after all.
    pub async fn accept(&self) {
        let statement = match self.db.kind() {
            store::Kind::Sqlite => "DROP TRIGGER refuse",
            store::Kind::Postgres => "DROP TRIGGER refuse ON inbound_messages",
        };
        store::exec(self.db.writer(), statement, vec![]).await.unwrap();
    }

    /// The keys that the engine has, too.
    pub fn engine_keys(&self) -> KeyRing {
        KeyRing::parse(&self.keys).unwrap()
    }

    /// From now on webhooks are stored.
    pub fn start_writer(&self) {
        tokio::spawn(ingest::writer::run(self.engine.clone(), self.stop.clone()));
    }

    /// A number from the database.
    pub async fn number(&self, query: &str) -> i64 {
        let query = format!("SELECT CAST(({query}) AS bigint) AS n");
        store::one(self.db.reader(), query, vec![])
            .await
            .unwrap()
            .unwrap()
            .get::<Option<i64>>("n")
            .unwrap()
            .unwrap_or(-1)
    }

    /// A text from the database.
    pub async fn text(&self, query: &str) -> Option<String> {
        let query = format!("SELECT CAST(({query}) AS text) AS t");
        store::one(self.db.reader(), query, vec![]).await.unwrap().unwrap().get("t").unwrap()
    }

    pub async fn status(&self, target: &str, form: &[(&str, &str)]) -> engine::Result<()> {
        self.engine.ingest_status(signed(target, form)).await
    }

    /// What the person at this number is answered, without the TwiML.
    pub async fn says(&self, sid: &str, phone: &str, text: &str) -> Option<String> {
        let twiml = self.inbound(sid, phone, text, &[]).await.unwrap();
        let (_, rest) = twiml.split_once("<Message>")?;
        Some(rest.split_once("</Message>").unwrap().0.to_owned())
    }

    pub async fn inbound(&self, sid: &str, phone: &str, text: &str, more: &[(&str, &str)]) -> engine::Result<String> {
        let from = format!("whatsapp:{phone}");
        let to = format!("whatsapp:{US}");
        let mut form = vec![("MessageSid", sid), ("From", &from), ("To", &to), ("Body", text), ("NumMedia", "0")];
        form.extend_from_slice(more);
        self.engine.ingest_inbound(signed("/webhooks/twilio/inbound", &form)).await
    }
}

/// A run with so many messages that a worker holds, each to a person of its own; their ids.
pub async fn sending(bench: &Bench, count: i64) -> Vec<MessageId> {
    let (run, campaign, sender) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
    let db = bench.db.writer();
    let now = START.as_micros();
    let insert = "INSERT INTO runs (id, campaign_id, number, due_at, status, template_id, template_version, definition, \
                  sender_id, rules, snapshot_at, actor_kind, actor_id, created_at, started_at, planned) \
                  VALUES ($1, $2, 1, $4, 'running', $3, 1, '{}', $3, '{}', $4, 'worker', 'test', $4, $4, TRUE)";
    store::exec(db, insert, vec![run.into(), campaign.into(), sender.into(), now.into()]).await.unwrap();
    let insert = "INSERT INTO run_ledgers (run_id, planned, sending) VALUES ($1, $2, $2)";
    store::exec(db, insert, vec![run.into(), count.into()]).await.unwrap();
    let mut ids = Vec::new();
    for contact in 1..=count {
        let insert = "INSERT INTO contacts (phone, contact_id, attributes, folded, created_at, updated_at) \
                      VALUES ($1, $2, '{}', '{}', $3, $3)";
        let phone = format!("+1500556{contact:04}");
        store::exec(db, insert, vec![phone.into(), contact.into(), now.into()]).await.unwrap();
        let insert = "INSERT INTO messages (run_id, contact_id, campaign_id, sender_id, kind, priority, state, attempt, \
                      month, not_before, lease_until, lease_owner, created_at, updated_at) \
                      VALUES ($1, $2, $3, $4, 0, 5, 1, 1, $5, $6, $6, 7, $6, $6) RETURNING id";
        let values = vec![run.into(), contact.into(), campaign.into(), sender.into(), START.month().into(), now.into()];
        let row = store::one(db, insert, values).await.unwrap().unwrap();
        ids.push(MessageId(row.get("id").unwrap()));
    }
    ids
}

/// A form post with the account's SID and the right signature.
pub fn signed(target: &str, form: &[(&str, &str)]) -> Webhook {
    signed_by((ACCOUNT, TOKEN), target, form)
}

/// A form post that says it is this account's, signed with this token: a webhook of its own, as Twilio marks each.
pub fn signed_by((account, token): (&str, &str), target: &str, form: &[(&str, &str)]) -> Webhook {
    let mut parameters: Vec<(&str, &str)> = form.to_vec();
    parameters.push(("AccountSid", account));
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&parameters).finish();
    parameters.sort_unstable();
    let text: String = parameters.iter().map(|(name, value)| format!("{name}{value}")).collect();
    let mut mac = <Hmac<Sha1> as Mac>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(format!("{PUBLIC_URL}{target}{text}").as_bytes());
    Webhook {
        target: target.to_owned(),
        content_type: Some("application/x-www-form-urlencoded".to_owned()),
        signature: Some(BASE64_STANDARD.encode(mac.finalize().into_bytes())),
        signature_settings: None,
        idempotency_token: Some(Uuid::new_v4().to_string()),
        body: Bytes::from(body),
    }
}
