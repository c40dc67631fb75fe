//! A small world of people in a database, and the same people as plain JSON.

use std::collections::BTreeSet;

use domain::{message::State, text::shadow, time::Timestamp};
use serde_json::{Value, json};
use store::{Db, batch, batch::Type};

use crate::reference;

pub const TOPICS: &[&str] = &["offers", "news"];
pub const IMPORTS: &[&str] = &["0192f6a0-0000-7000-8000-000000000011", "0192f6a0-0000-7000-8000-000000000012"];
/// The first has a run, the second none.
pub const CAMPAIGNS: &[&str] = &["0192f6a0-0000-7000-8000-000000000021", "0192f6a0-0000-7000-8000-000000000022"];
const RUNS: &[&str] = &[
    "0192f6a0-0000-7000-8000-000000000031",
    "0192f6a0-0000-7000-8000-000000000032",
    "0192f6a0-0000-7000-8000-000000000033",
];

pub struct World {
    pub people: Vec<Value>,
}

impl World {
    /// People numbered from 1, with what is not given filled in.
    pub fn new(people: Vec<Value>) -> Self {
        let mut people = people;
        for (index, person) in people.iter_mut().enumerate() {
            let id = index + 1;
            person["id"] = json!(id);
            person["phone"] = json!(format!("+9477{id:07}"));
            for (key, value) in [
                ("consent", json!("unknown")),
                ("created_at", json!("2026-11-20T00:00:00Z")),
                ("updated_at", json!("2026-11-20T00:00:00Z")),
            ] {
                if person[key].is_null() {
                    person[key] = value;
                }
            }
        }
        Self { people }
    }

    pub fn person(&self, id: i64) -> &Value {
        self.people.iter().find(|person| person["id"] == id).unwrap()
    }

    /// The people that the definition means, by the rules as written down.
    pub fn matching(&self, definition: &Value, now: Timestamp) -> BTreeSet<i64> {
        let people = self.people.iter().filter(|person| reference::matches(definition, person, now));
        people.map(|person| person["id"].as_i64().unwrap()).collect()
    }

    pub async fn store(&self, db: &Db) {
        self.store_people(db).await;
        self.store_relations(db).await;
    }

    async fn store_people(&self, db: &Db) {
        let micros = |value: &Value| value.as_str().map(|time| time.parse::<Timestamp>().unwrap().as_micros());
        let rows: Vec<Value> = self
            .people
            .iter()
            .map(|person| {
                json!({
                    "contact_id": person["id"], "phone": person["phone"], "attributes": person["attributes"],
                    "folded": shadow(person["attributes"].as_object().unwrap()), "country": person["country"],
                    "timezone": person["timezone"], "locale": person["locale"], "consent": person["consent"],
                    "created_at": micros(&person["created_at"]), "updated_at": micros(&person["updated_at"]),
                    "last_inbound_at": micros(&person["last_inbound_at"]),
                })
            })
            .collect();
        let columns = [
            ("contact_id", Type::BigInt),
            ("phone", Type::Text),
            ("attributes", Type::Json),
            ("folded", Type::Json),
            ("country", Type::Text),
            ("timezone", Type::Text),
            ("locale", Type::Text),
            ("consent", Type::Text),
            ("created_at", Type::BigInt),
            ("updated_at", Type::BigInt),
            ("last_inbound_at", Type::BigInt),
        ];
        insert(db, "contacts", &columns, rows).await;
        let read = self.people.iter().filter_map(|person| Some((&person["id"], micros(&person["last_read_at"])?)));
        let read = read.map(|(id, at)| json!({"contact_id": id, "last_read_at": at})).collect();
        insert(db, "contact_reads", &[("contact_id", Type::BigInt), ("last_read_at", Type::BigInt)], read).await;
    }

    async fn store_relations(&self, db: &Db) {
        let topics: Vec<Value> = TOPICS
            .iter()
            .enumerate()
            .map(|(index, key)| json!({"id": uuid::Uuid::from_u128(index as u128 + 1), "key": key, "name": key, "created_at": 0, "updated_at": 0}))
            .collect();
        let columns = [
            ("id", Type::Uuid),
            ("key", Type::Text),
            ("name", Type::Text),
            ("created_at", Type::BigInt),
            ("updated_at", Type::BigInt),
        ];
        insert(db, "topics", &columns, topics.clone()).await;

        let mut subscriptions = Vec::new();
        let mut imported = Vec::new();
        let mut messages = Vec::new();
        for person in &self.people {
            for topic in &topics {
                let has = person["topics"].as_array().is_some_and(|own| own.contains(&topic["key"]));
                let state = if has { "subscribed" } else { "unsubscribed" };
                subscriptions.push(json!({"contact_id": person["id"], "topic_id": topic["id"], "state": state, "changed_at": 0, "source": "api"}));
            }
            for import in person["imports"].as_array().into_iter().flatten() {
                imported.push(json!({"import_id": import, "contact_id": person["id"]}));
            }
            let message = |run: &str, state: State| {
                json!({
                    "run_id": run, "contact_id": person["id"], "campaign_id": CAMPAIGNS[0], "sender_id": RUNS[0], "kind": 0,
                    "priority": 0, "state": state.rank(), "month": 202_611, "not_before": 0, "created_at": 0, "updated_at": 0,
                })
            };
            // An older run and a rehearsal say something else: they do not count.
            messages.push(message(RUNS[0], State::Read));
            messages.push(message(RUNS[2], State::Queued));
            if let Some(state) = person["state"].as_str() {
                messages.push(message(RUNS[1], state.parse().unwrap()));
            }
        }
        let columns = [
            ("contact_id", Type::BigInt),
            ("topic_id", Type::Uuid),
            ("state", Type::Text),
            ("changed_at", Type::BigInt),
            ("source", Type::Text),
        ];
        insert(db, "subscriptions", &columns, subscriptions).await;
        insert(db, "import_contacts", &[("import_id", Type::Uuid), ("contact_id", Type::BigInt)], imported).await;
        let columns = [
            ("run_id", Type::Uuid),
            ("contact_id", Type::BigInt),
            ("campaign_id", Type::Uuid),
            ("sender_id", Type::Uuid),
            ("kind", Type::SmallInt),
            ("priority", Type::SmallInt),
            ("state", Type::SmallInt),
            ("month", Type::Int),
            ("not_before", Type::BigInt),
            ("created_at", Type::BigInt),
            ("updated_at", Type::BigInt),
        ];
        insert(db, "messages", &columns, messages).await;
        store_runs(db).await;
    }
}

async fn store_runs(db: &Db) {
    let runs = RUNS.iter().zip(["completed", "running", "rehearsed"]).enumerate().map(|(index, (id, status))| {
        json!({
            "id": id, "campaign_id": CAMPAIGNS[0], "number": index + 1, "due_at": index, "status": status,
            "template_id": RUNS[0], "template_version": 1, "definition": "{}", "sender_id": RUNS[0], "rules": "{}",
            "snapshot_at": 0, "actor_kind": "account", "actor_id": "1", "created_at": 0,
        })
    });
    let columns = [
        ("id", Type::Uuid),
        ("campaign_id", Type::Uuid),
        ("number", Type::Int),
        ("due_at", Type::BigInt),
        ("status", Type::Text),
        ("template_id", Type::Uuid),
        ("template_version", Type::BigInt),
        ("definition", Type::Text),
        ("sender_id", Type::Uuid),
        ("rules", Type::Text),
        ("snapshot_at", Type::BigInt),
        ("actor_kind", Type::Text),
        ("actor_id", Type::Text),
        ("created_at", Type::BigInt),
    ];
    insert(db, "runs", &columns, runs.collect()).await;
}

async fn insert(db: &Db, table: &str, columns: &[(&str, Type)], rows: Vec<Value>) {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    let input = batch::table(db.kind(), "input", "$1", columns);
    let text = format!("INSERT INTO {table} ({names}) SELECT {names} FROM {input}");
    store::exec(db.writer(), text, vec![Value::Array(rows).to_string().into()]).await.unwrap();
}
