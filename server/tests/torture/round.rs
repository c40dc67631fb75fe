//! One round: a fresh database, a campaign to everybody in it, the blows, and what must hold afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
    ops::AddAssign,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use simulator::{MessageFilter, Simulator};
use testkit::{
    api::{Api, text},
    program::{Backend, Site},
};

use crate::{
    cluster::Cluster,
    scenario::{LEASE_SECONDS, Scenario},
    singles,
};

pub const BINARY: &str = env!("CARGO_BIN_EXE_event-stream-engine");

/// A run that has not ended by itself after this time is stuck.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// What was counted in rounds that held.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    people: u64,
    pub kills: u64,
    pub stops: u64,
    pub freezes: u64,
    /// Connections to PostgreSQL, or Redis, away for a while.
    pub outages: u64,
    /// PostgreSQL itself.
    pub restarts: u64,
    /// The database took no writes for a while.
    pub full: u64,
    /// The clock was off for a while.
    pub jumps: u64,
    /// Single messages between those of the campaign.
    singles: u64,
    /// Failed with a stated reason: Twilio does not have them, and the campaign sends nothing twice.
    given_up: u64,
    /// Messages whose outcome was unknown for a while: on their way at a blow, or not answered clearly.
    unknown: u64,
    faults: u64,
    refused: u64,
    /// Status callbacks that were answered 2xx in the end, those of them that had to come again, and those that never were.
    callbacks: u64,
    callbacks_again: u64,
    callbacks_lost: u64,
}

impl AddAssign for Outcome {
    fn add_assign(&mut self, other: Self) {
        self.people += other.people;
        self.kills += other.kills;
        self.stops += other.stops;
        self.freezes += other.freezes;
        self.outages += other.outages;
        self.restarts += other.restarts;
        self.full += other.full;
        self.jumps += other.jumps;
        self.singles += other.singles;
        self.given_up += other.given_up;
        self.unknown += other.unknown;
        self.faults += other.faults;
        self.refused += other.refused;
        self.callbacks += other.callbacks;
        self.callbacks_again += other.callbacks_again;
        self.callbacks_lost += other.callbacks_lost;
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { people, kills, stops, freezes, outages, unknown, faults, refused, .. } = self;
        let Self { callbacks, callbacks_again, callbacks_lost, restarts, full, jumps, singles, given_up, .. } = self;
        write!(
            f,
            "{people} people and {singles} single messages, {kills} kills, {stops} stops, {freezes} freezes, {outages} outages, \
             {restarts} restarts of PostgreSQL, {full} times no writes, {jumps} jumps of the clock, {faults} faults of Twilio, \
             {refused} refused by it, {unknown} unknown for a while, {given_up} of them given up; {callbacks} callbacks answered \
             2xx ({callbacks_again} tries were repeated), {callbacks_lost} never; 0 lost, 0 twice"
        )
    }
}

/// # Errors
/// What does not hold.
pub async fn play(backend: &Backend, scenario: &Scenario) -> Result<Outcome> {
    let twilio = Simulator::start("127.0.0.1:0", scenario.twilio.clone()).await?;
    let base = twilio.base_url();
    let new =
        if scenario.restarts() { Site::on_own_server(BINARY, backend).await } else { Site::new(BINARY, backend).await };
    let mut site = new?;
    site.set("LEASE_SECONDS", LEASE_SECONDS);
    site.set("RECONCILE_GRACE", 1);
    site.set("WORKER_CONCURRENCY", scenario.concurrency);
    if scenario.sms {
        site.set("TWILIO_FROM", "+14155550100");
    }
    if scenario.sets_clock() {
        site.with_clock();
    }
    let key = site.api_key(&base)?;
    let roles: &[_] = if backend.is_postgres() { &scenario.roles } else { &["all"] };
    let mut cluster = Cluster::start(site, &base, roles, scenario.redis && backend.is_postgres()).await?;
    let api = Api::new(&cluster.url(), key)?;
    api.lift_limits().await?;
    // Settings are in effect in all processes within a second.
    tokio::time::sleep(Duration::from_secs(u64::from(roles.len() > 1))).await;
    let people = people(&cluster.site, scenario.people)?;
    api.import(&people).await?;
    let campaign = campaign(&api, scenario).await?;
    let run = api.post(&format!("/campaigns/{campaign}/launch"), &Value::Null).await?;
    let run = text(&run, "id")?;

    let mut outcome = Outcome { people: u64::from(scenario.people), ..Outcome::default() };
    let meanwhile = async {
        let (struck, sent) =
            tokio::join!(strike(&mut cluster, &api, run, scenario, &mut outcome), singles::send(&api, scenario));
        struck.and(sent)
    };
    meanwhile.await.map_err(|error| with_log(&error, &cluster.site))?;
    let ended = until_ended(&api, run).await.map_err(|error| with_log(&error, &cluster.site))?;
    let control = twilio.control();
    singles::hold(&api, scenario, control).await.map_err(|error| with_log(&error, &cluster.site))?;
    let given_up = holds(&api, &ended, run, scenario, control).await;
    outcome.given_up = given_up.map_err(|error| with_log(&error, &cluster.site))?;
    outcome.singles = scenario.singles.len() as u64;
    let stats = twilio.control().stats();
    outcome.faults = stats.faults.values().sum();
    outcome.refused = stats.refused.values().sum();
    outcome.callbacks = stats.callbacks_sent;
    outcome.callbacks_again = stats.callbacks_retried;
    outcome.callbacks_lost = stats.callbacks_failed;
    let site = cluster.stop().await?;
    twilio.shutdown().await;
    proven(&site, &base)?;
    outcome.unknown = once_unknown(&site).await?;
    Ok(outcome)
}

/// A campaign to everybody in the file. Not marketing, which the law keeps to certain hours.
async fn campaign(api: &Api, scenario: &Scenario) -> Result<String> {
    let body = "Hi {{ name|default('there') }}, our offers in {{ city|default('your town') }} are ready.";
    let template = json!({
        "name": "Torture", "channel": scenario.channel(), "category": "utility", "variants": {"en": {"body": body}}
    });
    let template = api.post("/templates", &template).await?;
    // Who only gets a single message is stored without a city.
    let rule = json!({"field": "attributes.city", "operator": "=", "value": "Oslo"});
    let definition = json!({"combinator": "and", "rules": [rule]});
    let segment = api.post("/segments", &json!({"name": "Torture", "definition": definition})).await?;
    let unknown = if scenario.give_up { "give_up" } else { "requeue" };
    let campaign = json!({
        "name": "Torture", "template_id": template["id"], "segment_id": segment["id"], "unknown": unknown
    });
    Ok(text(&api.post("/campaigns", &campaign).await?, "id")?.to_owned())
}

/// All blows, one after the other.
async fn strike(cluster: &mut Cluster, api: &Api, run: &str, scenario: &Scenario, outcome: &mut Outcome) -> Result<()> {
    for (after, which, blow) in &scenario.blows {
        tokio::time::sleep(*after).await;
        cluster.strike(*which, *blow, outcome).await?;
        balanced(&patiently(api, &format!("/runs/{run}")).await?)?;
    }
    Ok(())
}

/// What is stored of how everything came about says the same as what is stored of how it is, and nobody touched it.
///
/// # Errors
/// What the program's commands print, when they find something.
pub fn proven(site: &Site, twilio: &str) -> Result<()> {
    for command in [&["events", "replay", "--dry-run"][..], &["audit", "verify"]] {
        let (code, printed) = site.run(twilio, command)?;
        ensure!(code == Some(0), "{}: {printed}", command.join(" "));
    }
    Ok(())
}

/// The answer, once there is one: right after an outage there may be none.
pub async fn patiently(api: &Api, path: &str) -> Result<Value> {
    let started = Instant::now();
    loop {
        match api.get(path).await {
            Err(_) if started.elapsed() < Duration::from_secs(10) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            answer => return answer,
        }
    }
}

/// What does not hold, and then what the program said of it.
fn with_log(error: &anyhow::Error, site: &Site) -> anyhow::Error {
    anyhow!("{error:#}\nthe program's log:\n{}", site.log())
}

/// Messages that were unknown at some time, as their history says.
async fn once_unknown(site: &Site) -> Result<u64> {
    let db = store::Db::connect(site.database_url(), 2).await?;
    let query = "SELECT CAST(count(DISTINCT message_id) AS bigint) AS n FROM transitions WHERE to_state = 2";
    let row = store::one(db.reader(), query, Vec::new()).await?.context("a count is one row")?;
    let count: i64 = row.get("n")?;
    db.close().await?;
    Ok(u64::try_from(count)?)
}

/// A file of so many people with valid numbers, everybody opted in.
pub fn people(site: &Site, count: u32) -> Result<std::path::PathBuf> {
    let mut file = "phone,name,city,consent\n".to_owned();
    for number in 0..count {
        writeln!(file, "{},Ann Lee,Oslo,opted_in", phone(number))?;
    }
    let path = site.path("people.csv");
    std::fs::write(&path, file)?;
    Ok(path)
}

/// German mobile numbers: +49 151 and eight digits are all valid.
pub fn phone(number: u32) -> String {
    format!("+49151{:08}", 10_000_000 + number)
}

async fn until_ended(api: &Api, run: &str) -> Result<Value> {
    let started = Instant::now();
    loop {
        let now = patiently(api, &format!("/runs/{run}")).await?;
        balanced(&now)?;
        match text(&now, "status")? {
            "completed" => return Ok(now),
            // Nobody pauses it but the program itself, where half of the latest answers said nothing: then it goes on by itself.
            "planning" | "running" | "paused" => {}
            other => bail!("the run is {other}: {now}"),
        }
        ensure!(started.elapsed() < PATIENCE, "the run has not ended after {PATIENCE:?}: {now}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// `planned` is the sum of all other numbers of the ledger.
fn balanced(run: &Value) -> Result<()> {
    let ledger = run["ledger"].as_object().context("a run has a ledger")?;
    let count = |name: &str| ledger.get(name).and_then(Value::as_u64).unwrap_or_default();
    let sum: u64 = ledger.keys().filter(|name| *name != "planned").map(|name| count(name)).sum();
    ensure!(sum == count("planned"), "the ledger does not balance: {}", run["ledger"]);
    Ok(())
}

/// What must be true when the run has ended. How many were given up.
async fn holds(api: &Api, ended: &Value, run: &str, scenario: &Scenario, twilio: &simulator::Control) -> Result<u64> {
    let given_up = settled(api, run, scenario, twilio).await?;
    let planned = (0..scenario.people).map(phone).filter(|phone| !given_up.contains(phone));
    let expected: BTreeMap<String, u64> = planned.map(|phone| (phone, 1)).collect();
    let mut accepted = twilio.recipients(1);
    for phone in singles::phones(scenario) {
        accepted.remove(&phone);
    }
    let lost: Vec<_> = expected.keys().filter(|phone| !accepted.contains_key(*phone)).collect();
    let twice: Vec<_> = accepted.iter().filter(|(_, times)| **times > 1).collect();
    ensure!(lost.is_empty(), "{} lost: {lost:?}; {} {}", lost.len(), ended["ledger"], ended["skipped_by_reason"]);
    ensure!(twice.is_empty(), "{} more than once: {twice:?}; {}", twice.len(), ended["ledger"]);
    ensure!(accepted == expected, "others than planned got it: {accepted:?}, given up: {given_up:?}");
    ensure!(ended["ledger"]["planned"] == json!(scenario.people), "not everybody was planned: {}", ended["ledger"]);
    for state in ["queued", "sending", "unknown", "skipped", "cancelled"] {
        ensure!(ended["ledger"][state] == json!(0), "{state} at the end: {}", ended["ledger"]);
    }
    ensure!(ended["ledger"]["failed"] == json!(given_up.len()), "{given_up:?} are not {}", ended["ledger"]);
    let rollups = patiently(api, &format!("/runs/{run}/rollups?by=hour")).await?;
    let hours = rollups["items"].as_array().context("rollups have items")?;
    let counted: u64 = hours.iter().filter_map(|hour| hour["accepted"].as_u64()).sum();
    ensure!(
        counted + given_up.len() as u64 == u64::from(scenario.people),
        "{counted} were counted as handed over: {rollups}"
    );
    Ok(given_up.len() as u64)
}

/// Each of our messages is bound to the one that Twilio has for this person; or it was given up where the campaign says
/// so. To whom these were.
async fn settled(api: &Api, run: &str, scenario: &Scenario, twilio: &simulator::Control) -> Result<BTreeSet<String>> {
    let filter = MessageFilter { limit: Some(usize::MAX), ..MessageFilter::default() };
    let theirs: BTreeMap<String, String> =
        twilio.messages(&filter).into_iter().map(|message| (message.sid, message.to)).collect();
    let (mut cursor, mut given_up) = (String::new(), BTreeSet::new());
    loop {
        let page = patiently(api, &format!("/runs/{run}/messages?limit=100{cursor}")).await?;
        for message in page["items"].as_array().context("a page has items")? {
            let phone = text(message, "phone")?;
            if message["state"] == json!("failed") {
                ensure!(scenario.give_up && message["reason"] == json!("outcome_unknown"), "{message}");
                given_up.insert(phone.to_owned());
                continue;
            }
            let sid = text(message, "provider_sid")?;
            let to = theirs.get(sid).with_context(|| format!("Twilio does not know {sid}"))?;
            ensure!(to.ends_with(phone), "{sid} went to {to}, not to {phone}");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(given_up),
        }
    }
}
