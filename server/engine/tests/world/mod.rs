//! The whole engine with its workers, over a fresh database, against the real simulator.

#![allow(dead_code, reason = "every test binary uses its part of this")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use domain::{
    campaign::{Campaign, CampaignStatus, Late, NewCampaign, OnUnknown, Repeat, Trigger},
    consent::{Category, Consent},
    ids::{RunId, SegmentId, TemplateId},
    message::{Channel, Message, MessageFilter, State},
    page::PageRequest,
    run::{Ledger, Run, RunStatus},
    segment::Group,
    template::{Template, Variant},
    time::Timestamp,
};
use engine::{
    Actor, Engine, Error,
    clock::{Clock, SystemClock},
    config::{Config, FirstSender, ProviderConfig, Secret, WebhookKeys},
    ingest::Webhook,
    secrets::KeyRing,
    workers::{self, Role, Workers},
};
use simulator::Settings;
use testkit::{
    TestDb,
    build::{self, commit},
    road::Road,
    twilio::{self, Received, Twilio},
};
use tokio::sync::mpsc;
use uuid::Uuid;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct World {
    pub engine: Engine,
    pub twilio: Twilio,
    pub admin: Actor,
    pub db: store::Db,
    config: Config,
    workers: Option<Workers>,
    _test: TestDb,
}

/// The machine's clock, moved to where a test wants it.
#[derive(Default)]
pub struct Moved(AtomicI64);

impl Moved {
    pub fn to(&self, instant: &str) {
        let wanted: Timestamp = instant.parse().expect("an instant");
        self.0.store(wanted.since(SystemClock.now()), Ordering::SeqCst);
    }

    /// So many microseconds on.
    pub fn by(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(self.0.load(Ordering::SeqCst))
    }
}

/// What differs from test to test.
pub struct Setup {
    pub simulator: Settings,
    pub rate_per_second: i32,
    pub concurrency: usize,
    pub lease: Duration,
    /// Of a request; half of the lease, where that is less.
    pub timeout: Duration,
    pub grace: Duration,
    pub quiet: Duration,
    pub probe_after: Duration,
    pub list_patience: Duration,
    pub redis_url: Option<&'static str>,
    pub clock: Arc<dyn Clock>,
}

impl Default for Setup {
    fn default() -> Self {
        let mut simulator = Settings::default();
        simulator.callbacks.delay_ms = 5;
        Self {
            simulator,
            rate_per_second: 5_000,
            concurrency: 16,
            lease: Duration::from_secs(60),
            timeout: Duration::from_secs(15),
            grace: Duration::from_secs(150),
            quiet: Duration::from_secs(3_600),
            probe_after: Duration::from_secs(60),
            list_patience: Duration::from_secs(120),
            redis_url: None,
            clock: Arc::new(SystemClock),
        }
    }
}

/// One world for each kind of database, its workers not started yet.
pub async fn worlds(setup: Setup) -> Vec<World> {
    let mut worlds = Vec::new();
    for test in testkit::databases().await {
        worlds.push(world(test, &setup).await);
    }
    worlds
}

/// As [`worlds`], with so many connections that what is sent, what is read and webhooks have their own.
pub async fn parted_worlds(setup: Setup) -> Vec<World> {
    let mut worlds = Vec::new();
    for mut test in testkit::databases().await {
        test.db = store::Db::connect(&test.url, 16).await.expect("the test database answers");
        worlds.push(world(test, &setup).await);
    }
    worlds
}

/// As [`parted_worlds`], on PostgreSQL and by a road that may end. None where there is no PostgreSQL.
pub async fn world_by_road(setup: Setup) -> Option<(World, Road)> {
    let mut test = testkit::databases().await.into_iter().find(|test| test.kind() == store::Kind::Postgres)?;
    let road = Road::to(&test.url).await.expect("a road");
    test.db = store::Db::connect(&road.url, 16).await.expect("the test database answers");
    Some((world(test, &setup).await, road))
}

async fn world(test: TestDb, setup: &Setup) -> World {
    let (twilio, webhooks) = twilio::start(setup.simulator.clone()).await;
    let config = Config {
        public_url: twilio.public_url.clone(),
        data_dir: test.dir.path().to_owned(),
        witness: test.dir.path().join("witness"),
        keys: KeyRing::parse(&KeyRing::generate()).expect("a key"),
        provider: ProviderConfig {
            account_sid: simulator::ACCOUNT_SID.to_owned(),
            auth_token: Secret::new(simulator::AUTH_TOKEN.to_owned()),
            api_key: None,
            webhook_keys: WebhookKeys::default(),
            api_base: twilio.simulator.base_url(),
            content_base: twilio.simulator.base_url(),
            messaging_base: twilio.simulator.base_url(),
            simulator: Some(twilio.simulator.base_url()),
            timeout: (setup.lease / 2).min(setup.timeout),
        },
        first_sender: FirstSender {
            address: simulator::WHATSAPP_SENDER.to_owned(),
            rate_per_second: setup.rate_per_second,
        },
        worker_concurrency: setup.concurrency,
        lease: setup.lease,
        reconcile_grace: setup.grace,
        status_quiet: setup.quiet,
        redis_url: setup.redis_url.map(|url| Secret::new(url.to_owned())),
        probe_after: setup.probe_after,
        list_patience: setup.list_patience,
        import_limit: 1 << 20,
    };
    let engine = Engine::open(test.db.clone(), config.clone(), setup.clock.clone()).await.expect("an engine");
    tokio::spawn(answer(engine.clone(), webhooks));
    World { engine, twilio, admin: Actor::command_line(), db: test.db.clone(), config, workers: None, _test: test }
}

/// Hands webhooks to the engine as the server does.
async fn answer(engine: Engine, mut webhooks: mpsc::Receiver<Received>) {
    while let Some(received) = webhooks.recv().await {
        let engine = engine.clone();
        tokio::spawn(async move {
            let inbound = received.target.starts_with("/webhooks/twilio/inbound");
            let webhook = Webhook {
                target: received.target,
                content_type: received.content_type,
                signature: received.signature,
                signature_settings: None,
                idempotency_token: received.idempotency_token,
                body: received.body,
            };
            let answer = if inbound {
                engine.ingest_inbound(webhook).await.map(Some)
            } else {
                engine.ingest_status(webhook).await.map(|()| None)
            };
            let _ = received.answer.send(match answer {
                Ok(Some(twiml)) => (200, Some(twiml)),
                Ok(None) => (204, None),
                Err(Error::Forbidden) => (403, None),
                Err(_) => (503, None),
            });
        });
    }
}

impl World {
    pub fn start(&mut self) {
        self.start_as(Role::All);
    }

    pub fn start_as(&mut self, role: Role) {
        self.workers = Some(workers::start(&self.engine, role));
    }

    pub async fn stop(&mut self) {
        if let Some(workers) = self.workers.take() {
            workers.stop().await;
        }
    }

    /// A draft to everybody, with this text.
    pub async fn campaign(&self, body: &str) -> Campaign {
        let new = NewCampaign { template_id: Some(self.template(body).await), ..self.draft().await };
        self.engine.campaigns().create(&self.admin, new).await.expect("a campaign")
    }

    /// A draft to everybody, without a template.
    pub async fn draft(&self) -> NewCampaign {
        NewCampaign {
            name: "Test".to_owned(),
            topic: None,
            template_id: None,
            segment_id: Some(self.everybody().await),
            sender_id: None,
            trigger: Trigger::Now,
            catch_up: domain::schedule::CatchUp::Run,
            rate_per_second: None,
            late: Late::Wait,
            repeat: Repeat::EachRun,
            on_unknown: OnUnknown::Requeue,
            weight: 1,
            quiet_hours: None,
            send_before: None,
        }
    }

    pub async fn template(&self, body: &str) -> TemplateId {
        self.template_for(Channel::Whatsapp, body).await
    }

    pub async fn template_for(&self, channel: Channel, body: &str) -> TemplateId {
        let variant = Variant { body: body.to_owned(), ..Variant::default() };
        let template = Template {
            id: TemplateId(Uuid::now_v7()),
            name: Uuid::new_v4().to_string(),
            channel,
            category: Category::Marketing,
            default_locale: "en".to_owned(),
            variants: BTreeMap::from([("en".to_owned(), variant)]),
            variables: Vec::new(),
            version: 1,
            created_at: build::START,
            updated_at: build::START,
        };
        commit(&self.db, async |tx| store::templates::insert(tx, &template).await).await;
        template.id
    }

    pub async fn everybody(&self) -> SegmentId {
        let id = SegmentId(Uuid::now_v7());
        let name = id.to_string();
        let all = Group::everybody();
        commit(&self.db, async |tx| store::segments::insert(tx, id, &name, &all, build::START).await).await;
        id
    }

    pub async fn people(&self, from: i64, count: i64) {
        build::people(&self.db, from, count, Consent::OptedIn).await;
    }

    pub async fn launch(&self, campaign: &Campaign) -> Run {
        self.engine.campaigns().launch(&self.admin, campaign.id).await.expect("launched")
    }

    /// Plans the run, as a planner does; it is the only one. No worker has started yet.
    pub async fn plan(&self, run: RunId) {
        let plans = store::runs::to_plan(self.db.reader()).await.expect("plans");
        let now = self.engine.now();
        commit(&self.db, async |tx| {
            store::runs::plan_chunk(tx, &plans[0], now, now, 100).await?;
            store::runs::finish_plan(tx, run, now).await
        })
        .await;
    }

    pub async fn run(&self, id: RunId) -> Run {
        let run = self.engine.runs().get(&self.admin, id).await.expect("a run");
        assert!(run.ledger.balances(), "{:?}", run.ledger);
        run
    }

    /// Waits until the run is as wanted.
    pub async fn until(&self, id: RunId, what: &str, wanted: impl Fn(&Run) -> bool) -> Run {
        let wait = async {
            loop {
                let run = self.run(id).await;
                if wanted(&run) {
                    return run;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(run) => run,
            Err(_) => panic!("{:?}: not {what}: {:?}", self.db.kind(), self.run(id).await),
        }
    }

    pub async fn until_completed(&self, id: RunId) -> Run {
        self.until(id, "completed", |run| run.status == RunStatus::Completed).await
    }

    pub async fn campaign_status(&self, campaign: &Campaign) -> CampaignStatus {
        self.engine.campaigns().get(&self.admin, campaign.id).await.expect("a campaign").status
    }

    pub async fn messages(&self, filter: MessageFilter) -> Vec<Message> {
        let page = PageRequest::first(PageRequest::MAX_LIMIT);
        self.engine.messages().list(&self.admin, &filter, &page).await.expect("a list").items
    }

    /// The only message to this person.
    pub async fn message_to(&self, person: i64) -> Message {
        let filter = MessageFilter { phone: Some(build::phone(person)), ..MessageFilter::default() };
        let id = self.messages(filter).await.first().expect("a message").id;
        self.engine.messages().get(&self.admin, id).await.expect("a message")
    }

    /// The only message to this person, once it is in that state.
    pub async fn until_message(&self, person: i64, state: State) -> Message {
        let filter = MessageFilter { phone: Some(build::phone(person)), ..MessageFilter::default() };
        let wait = async {
            loop {
                let messages = self.messages(filter.clone()).await;
                if let [message] = &messages[..]
                    && message.state == state
                {
                    return self.engine.messages().get(&self.admin, message.id).await.expect("a message");
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(message) => message,
            Err(_) => {
                let last = self.messages(filter).await.remove(0);
                let last = self.engine.messages().get(&self.admin, last.id).await;
                panic!("{:?}: never {state}: {last:?}", self.db.kind())
            }
        }
    }

    /// How often each of these people's messages were accepted by the simulator.
    pub fn accepted(&self, person: i64) -> u64 {
        let people = self.twilio.simulator.control().recipients(0);
        let phone = build::phone(person);
        people.iter().filter(|(to, _)| to.ends_with(phone.as_str())).map(|(_, count)| *count).sum()
    }

    pub fn accepted_in_all(&self) -> u64 {
        self.twilio.simulator.control().stats().accepted
    }

    /// Nobody got anything twice.
    pub fn assert_nobody_twice(&self) {
        let twice = self.twilio.simulator.control().recipients(2);
        assert!(twice.is_empty(), "{:?}: {twice:?}", self.db.kind());
    }

    pub fn simulate(&self, patch: &serde_json::Value) {
        self.twilio.simulator.control().patch_settings(patch).expect("settings");
    }

    pub const fn config(&self) -> &Config {
        &self.config
    }
}

/// What was handed over, by the ledger.
pub const fn handed_over(ledger: &Ledger) -> i64 {
    ledger.accepted + ledger.sent + ledger.delivered + ledger.read + ledger.undelivered
}
