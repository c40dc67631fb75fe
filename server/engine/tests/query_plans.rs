//! No statement of a campaign reads a large table through on SQLite, but those of a short list. With `QUERY_PLANS` set to a
//! path, how SQLite carries them out is written there (`make plans`).

mod world;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt::{Debug, Write as _},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::{
    campaign::{Campaign, NewCampaign},
    consent::Consent,
    event::WebhookFilter,
    message::{Channel, NewMessage, State},
    page::PageRequest,
    run::{Run, RunStatus},
    time::Timestamp,
    topic::NewTopic,
};
use serde_json::json;
use simulator::{Fault, Inbound, NumberRule};
use store::Kind;
use testkit::build;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::{Context, SubscriberExt as _},
    util::SubscriberInitExt as _,
};
use world::{Setup, World, handed_over, worlds};

/// Tables that have a row for each person, message, webhook, or line of a log.
const LARGE: [&str; 31] = [
    "audit_log",
    "auto_replies",
    "consent_ledger",
    "consent_reviews",
    "contact_keys",
    "contact_reads",
    "contacts",
    "conversations",
    "daily_recipients",
    "decisions",
    "event_plans",
    "import_contacts",
    "import_rejects",
    "inbound_messages",
    "inbound_texts",
    "message_rollups",
    "message_texts",
    "messages",
    "opt_in_requests",
    "receipt_repeats",
    "receipts",
    "service_windows",
    "subscriptions",
    "suppressions",
    "transitions",
    "trigger_event_data",
    "trigger_events",
    "unreachable",
    "webhook_blocks",
    "webhook_bodies",
    "webhook_events",
];

/// A step that may read a table or an index through.
struct Bounded {
    /// A part of the statement; empty for all.
    of: &'static str,
    /// A part of the step.
    step: &'static str,
    because: &'static str,
}

const BOUNDED: [Bounded; 9] = [
    Bounded {
        of: "",
        step: " INDEX messages_leased",
        because: "in that index is only what workers have claimed and not finished",
    },
    Bounded {
        of: "",
        step: " INDEX consent_reviews_open",
        because: "in that index is only what nobody has decided yet",
    },
    Bounded {
        of: "occurrence > 0 ORDER BY id DESC LIMIT",
        step: " INDEX messages_one_by_one",
        because: "it ends at its LIMIT, with the newest",
    },
    Bounded {
        of: "m.updated_at > $2 AND m.quiet_until IS NULL",
        step: " INDEX messages_due",
        because: "in that index is only what is queued, and it is asked at the start and when the clock was set back",
    },
    Bounded {
        of: "DELETE FROM daily_recipients WHERE at < $1",
        step: "SCAN daily_recipients",
        because: "people of two days, once an hour",
    },
    Bounded {
        of: "DELETE FROM webhook_b",
        step: "SCAN webhook_b",
        because: "it ends at its LIMIT, with the oldest, once an hour",
    },
    Bounded {
        of: "FROM contacts c LEFT JOIN subscriptions s ON s.contact_id = c.contact_id AND s.topic_id = $1 WHERE",
        step: "SCAN c",
        because: "it counts an audience, once when somebody launches a campaign or looks at one before its launch",
    },
    Bounded {
        of: "SELECT 1 AS found FROM contacts c WHERE TRUE LIMIT 1",
        step: "SCAN c",
        because: "it ends with the first one",
    },
    Bounded {
        of: "FROM contacts ORDER BY contact_id DESC LIMIT",
        step: "SCAN contacts",
        because: "it ends at its LIMIT, with the newest",
    },
];

/// What has to be among the statements, or the test looks at nothing.
const EXPECTED: [&str; 12] = [
    "INSERT INTO messages ",
    "INSERT INTO decisions ",
    "AND open = 0 AND not_before <= ",
    "INSERT INTO transitions ",
    "INSERT INTO receipts ",
    "INSERT INTO contact_reads ",
    "INSERT INTO webhook_events ",
    "INSERT INTO inbound_messages ",
    "INSERT INTO consent_ledger ",
    "INSERT INTO run_progress ",
    "m.unknown_at IS NOT NULL AND (m.unknown_at <= $1",
    "m.provider_sid IS NOT NULL AND m.updated_at <= $1",
];

const PEOPLE: i64 = 400;

/// The statements that the program has asked of the database, and how often.
static ASKED: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

/// Writes them down.
struct Statements;

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Text);
    }
}

/// Takes the text out of an event.
struct Text;

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "statement" {
            let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
            *asked.entry(value.to_owned()).or_default() += 1;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_of_a_campaign_reads_a_large_table_through() {
    let only = Targets::new().with_target("store::sql", Level::TRACE);
    tracing_subscriber::registry().with(only).with(Statements).init();
    let worlds = worlds(setup()).await;
    let mut world = worlds.into_iter().find(|world| world.db.kind() == Kind::Sqlite).expect("it is always there");
    let campaign = prepare(&world).await;
    // What the test itself has asked so far does not count.
    ASKED.lock().unwrap_or_else(PoisonError::into_inner).clear();
    world.start();
    send(&world, &campaign).await;
    world.stop().await;
    let asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for part in EXPECTED {
        assert!(asked.keys().any(|statement| statement.contains(part)), "never asked: {part}");
    }
    assert_no_statistics(&world.db).await;

    let mut plans = Vec::new();
    for (statement, times) in asked {
        if is_explained(&statement) && !names(&statement).is_empty() {
            plans.push(Plan::of(&world.db, statement, times).await);
        }
    }
    let wrong: Vec<String> = plans.iter().filter(|plan| !plan.unexpected().is_empty()).map(Plan::told).collect();
    assert!(wrong.is_empty(), "these read a large table through:\n\n{}", wrong.join("\n"));
    if let Some(path) = wanted_page() {
        std::fs::write(path, page(plans)).expect("the page is written");
    }

    // It would have been seen.
    for (statement, step) in [
        ("SELECT m.id FROM messages AS m WHERE m.updated_at > $1", "SCAN m"),
        ("SELECT count(*) AS n FROM contacts", "SCAN contacts"),
        ("SELECT s.state FROM runs r JOIN subscriptions s ON s.changed_at = r.due_at", "AUTOMATIC"),
    ] {
        let plan = Plan::of(&world.db, statement.to_owned(), 1).await;
        assert!(plan.unexpected().iter().any(|line| line.contains(step)), "{}", plan.told());
    }
    for statement in [
        "SELECT q.n FROM (SELECT 1 AS n FROM messages WHERE id > $1 LIMIT 9) AS q",
        "SELECT max(id) AS id FROM messages",
    ] {
        let plan = Plan::of(&world.db, statement.to_owned(), 1).await;
        assert!(plan.unexpected().is_empty(), "{}", plan.told());
    }
}

/// Slow enough that what is done every second is done, with somebody to look for and some to ask for.
fn setup() -> Setup {
    let mut setup = Setup {
        rate_per_second: 100,
        timeout: Duration::from_secs(1),
        grace: Duration::from_millis(700),
        quiet: Duration::from_millis(600),
        ..Setup::default()
    };
    setup.simulator.callbacks.read_percent = 50.0;
    setup.simulator.callbacks.duplicate_percent = 5.0;
    setup.simulator.callbacks.no_callbacks_percent = 5.0;
    setup.simulator.numbers =
        vec![NumberRule { number: "*0003".to_owned(), fault: Some(Fault::Error500), statuses: None }];
    setup
}

/// People, all of them subscribed to a topic, and a campaign about it; some of them have said yes to nothing.
async fn prepare(world: &World) -> Campaign {
    world.people(1, PEOPLE).await;
    build::people(&world.db, PEOPLE + 1, 5, Consent::Unknown).await;
    let topic = NewTopic { key: "offers".to_owned(), name: "Offers".to_owned(), ..NewTopic::default() };
    world.engine.topics().create(&world.admin, topic).await.expect("a topic");
    let subscribe = "INSERT INTO subscriptions (contact_id, topic_id, state, changed_at, source) \
                     SELECT c.contact_id, t.id, 'subscribed', c.created_at, 'api' FROM contacts c CROSS JOIN topics t";
    store::exec(world.db.writer(), subscribe, vec![]).await.expect("subscribed");
    let template_id = Some(world.template("Hi {{ first_name }}").await);
    let draft = NewCampaign { topic: Some("offers".to_owned()), template_id, ..world.draft().await };
    world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign")
}

/// The campaign from its launch to the last callback, with all that comes up on the way.
async fn send(world: &World, campaign: &Campaign) {
    let run = world.launch(campaign).await;
    // Nobody knows whether it went out until Twilio was asked twice.
    world.until_message(3, State::Unknown).await;
    world.simulate(&json!({ "numbers": [] }));
    world.until(run.id, "under way", |run| handed_over(&run.ledger) >= 50).await;
    let last = (1..=PEOPLE).rev().find(|person| world.accepted(*person) == 0).expect("somebody waits");
    for (person, words) in [
        (1, "Hello"),
        (2, "What is this spam?"),
        (last, "STOP"),
        (last - 1, "UNSUBSCRIBE offers"),
        (last, "START"),
        (last - 1, "SUBSCRIBE offers"),
    ] {
        write_to_us(world, person, words).await;
    }
    let single = NewMessage {
        phone: build::phone(1),
        template_id: None,
        body: Some("Hello back".to_owned()),
        channel: Some(Channel::Whatsapp),
        sender_id: None,
        variables: serde_json::Map::new(),
    };
    world.engine.messages().create(&world.admin, single).await.expect("taken");
    look_at_pages(world).await;
    let is_told = |run: &Run| {
        run.status == RunStatus::Completed && run.ledger.accepted + run.ledger.sent == 0 && run.ledger.delivered > 0
    };
    world.until(run.id, "told of everybody", is_told).await;
}

async fn write_to_us(world: &World, person: i64, words: &str) {
    let from = format!("whatsapp:{}", build::phone(person));
    let inbound = Inbound { from, body: Some(words.to_owned()), ..Inbound::default() };
    let answer = world.twilio.simulator.control().inbound(inbound).await.expect("it is sent");
    assert_eq!(answer.status, Some(200), "{words}");
}

/// What people look at meanwhile and finds its place in large tables by itself.
async fn look_at_pages(world: &World) {
    let now = world.engine.now();
    let since = Some(now.plus(-Timestamp::MINUTE));
    let filter = WebhookFilter { since, until: Some(now), ..WebhookFilter::default() };
    world.engine.webhook_events().list(&world.admin, &filter, &PageRequest::default()).await.expect("events");
    world.engine.segments().vocabulary(&world.admin).await.expect("names");
    world.engine.processes().waiting(&world.admin).await.expect("what waits");
}

/// The program keeps no statistics on SQLite, so that its plans follow from statements and indexes alone: those of some
/// hundred people here are those of a million.
async fn assert_no_statistics(db: &store::Db) {
    let query = "SELECT CAST(count(*) AS bigint) AS n FROM sqlite_master WHERE name LIKE 'sqlite_stat%'";
    let row = store::one(db.reader(), query, vec![]).await.expect("the database").expect("a row");
    assert_eq!(
        row.get::<i64>("n").expect("a number"),
        0,
        "plans depend on statistics: explain with those of many rows"
    );
}

/// A statement, and how SQLite carries it out.
struct Plan {
    statement: String,
    times: u32,
    /// What is done, each under what it is done for: how deep, and in SQLite's words.
    steps: Vec<(usize, String)>,
}

impl Plan {
    /// Parameters are left out: without statistics no plan depends on them.
    async fn of(db: &store::Db, statement: String, times: u32) -> Self {
        let explain = format!("EXPLAIN QUERY PLAN {statement}");
        let rows = store::all(db.reader(), explain, vec![]).await;
        let rows = rows.unwrap_or_else(|error| panic!("{error}: {statement}"));
        let mut depths: BTreeMap<i64, usize> = BTreeMap::new();
        let mut steps = Vec::with_capacity(rows.len());
        for row in &rows {
            let number = |column| row.get::<i64>(column).expect("a number");
            let depth = depths.get(&number("parent")).map_or(0, |depth| depth + 1);
            depths.insert(number("id"), depth);
            steps.push((depth, row.get::<String>("detail").expect("a step")));
        }
        Self { statement, times, steps }
    }

    /// The steps that read a large table, or an index of it, through.
    fn through(&self) -> Vec<&str> {
        let names = names(&self.statement);
        let is_whole = |step: &&str| {
            // An index that is made for the statement is made of the whole table.
            let reads_all = step.starts_with("SCAN ") || step.contains(" AUTOMATIC ");
            reads_all && step.split(' ').nth(1).is_some_and(|name| names.contains(name))
        };
        self.steps.iter().map(|(_, step)| step.as_str()).filter(is_whole).collect()
    }

    /// Why a step of it may read a table through.
    fn because(&self, step: &str) -> Option<&'static str> {
        let is_of = |bounded: &&Bounded| self.statement.contains(bounded.of) && step.contains(bounded.step);
        BOUNDED.iter().find(is_of).map(|bounded| bounded.because)
    }

    fn unexpected(&self) -> Vec<&str> {
        self.through().into_iter().filter(|step| self.because(step).is_none()).collect()
    }

    /// For people: the statement, what is done, and why some of it may read a table through.
    fn told(&self) -> String {
        let mut text = format!("```sql\n{}\n```\n\n```\n", wrapped(&self.statement));
        for (depth, step) in &self.steps {
            let _ = writeln!(text, "{:indent$}{step}", "", indent = 2 * depth);
        }
        text.push_str("```\n");
        let through: BTreeSet<&str> = self.through().into_iter().collect();
        for step in through {
            if let Some(because) = self.because(step) {
                let _ = writeln!(text, "\n`{step}`: {because}.");
            }
        }
        text
    }
}

/// Whether it is a statement that has a plan.
fn is_explained(statement: &str) -> bool {
    ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "].iter().any(|word| statement.starts_with(word))
}

/// What the large tables are called in the plan of this statement: by their names, or by those that it gives them.
fn names(statement: &str) -> BTreeSet<String> {
    let apart = statement.replace(['(', ')', ','], " , ");
    let words: Vec<&str> = apart.split_whitespace().collect();
    let mut names = BTreeSet::new();
    for (at, word) in words.iter().enumerate() {
        if LARGE.contains(word) {
            let next = match words.get(at + 1) {
                Some(&"AS") => words.get(at + 2),
                next => next,
            };
            // What is no name, as in `FROM messages WHERE`, is none in the plan either.
            names.extend([Some(word), next].into_iter().flatten().map(|name| (*name).to_owned()));
        }
    }
    names
}

/// In lines, as `.ci/plans.mjs` has those of PostgreSQL.
fn wrapped(statement: &str) -> String {
    let mut text = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in
        ["FROM", "WHERE", "SET", "JOIN", "ORDER BY", "GROUP BY", "RETURNING", "ON CONFLICT", "VALUES", "UNION", "LIMIT"]
    {
        text = text.replace(&format!(" {word} "), &format!("\n{word} "));
    }
    text.replace(" LEFT\nJOIN ", "\nLEFT JOIN ").replace(" CROSS\nJOIN ", "\nCROSS JOIN ")
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration file: this is its one setting")]
fn wanted_page() -> Option<String> {
    std::env::var("QUERY_PLANS").ok().filter(|path| !path.is_empty())
}

/// So often a statement is asked that is shown.
const OFTEN: u32 = 3;

/// The part of docs/query-plans.md about SQLite.
fn page(mut plans: Vec<Plan>) -> String {
    plans.retain(|plan| plan.times >= OFTEN);
    plans.sort_by_key(|plan| Reverse(plan.times));
    let mut page = format!(
        "## SQLite\n\n\
         Of a campaign to {PEOPLE} people in a test of the engine, with all that people write and callbacks tell meanwhile:\n\
         the statements that touch a large table and were asked at least {OFTEN} times, those asked most often first. None\n\
         reads a large table through (`SCAN`), but those with a line that says why; the test fails where one begins to. The\n\
         program keeps no statistics on SQLite, so that the plans are the same for any number of rows.\n"
    );
    for plan in plans {
        let _ = write!(page, "\n### {} times\n\n{}", plan.times, plan.told());
    }
    page
}
