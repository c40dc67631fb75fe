//! One round: a fresh database, a campaign to everybody in it, the blows, and what must hold afterwards.

use std::{
    collections::BTreeMap,
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
};

pub const BINARY: &str = env!("CARGO_BIN_EXE_event-stream-engine");

/// A run that has not ended by itself after this time is stuck.
const PATIENCE: Duration = Duration::from_secs(180);

/// What was counted in rounds that held.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    people: u64,
    pub kills: u64,
    pub stops: u64,
    pub freezes: u64,
    /// PostgreSQL or Redis away for a while.
    pub outages: u64,
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
        let Self { callbacks, callbacks_again, callbacks_lost, .. } = self;
        write!(
            f,
            "{people} people, {kills} kills, {stops} stops, {freezes} freezes, {outages} outages, {faults} faults of Twilio, {refused} \
             refused by it, {unknown} unknown for a while; {callbacks} callbacks answered 2xx ({callbacks_again} tries were \
             repeated), {callbacks_lost} never; 0 lost, 0 twice"
        )
    }
}

/// # Errors
/// What does not hold.
pub async fn play(backend: &Backend, scenario: &Scenario) -> Result<Outcome> {
    let twilio = Simulator::start("127.0.0.1:0", scenario.twilio.clone()).await?;
    let base = twilio.base_url();
    let mut site = Site::new(BINARY, backend).await?;
    site.set("LEASE_SECONDS", LEASE_SECONDS);
    site.set("RECONCILE_GRACE", 1);
    site.set("WORKER_CONCURRENCY", scenario.concurrency);
    let key = site.api_key(&base)?;
    let mut cluster = Cluster::start(site, &base, scenario.several && backend.is_postgres()).await?;
    let site = &cluster.site;
    let api = Api::new(&cluster.url(), key)?;
    api.lift_limits().await?;
    // Settings are in effect in all processes within a second.
    tokio::time::sleep(Duration::from_secs(u64::from(scenario.several))).await;
    let people = people(site, scenario.people)?;
    api.import(&people).await?;
    let campaign = api.campaign("Torture").await?;
    let run = api.post(&format!("/campaigns/{campaign}/launch"), &Value::Null).await?;
    let run = text(&run, "id")?;

    let mut outcome = Outcome { people: u64::from(scenario.people), ..Outcome::default() };
    for (after, which, blow) in &scenario.blows {
        tokio::time::sleep(*after).await;
        cluster.strike(*which, *blow, &mut outcome).await.map_err(|error| with_log(&error, &cluster.site))?;
        balanced(&patiently(&api, &format!("/runs/{run}")).await?)?;
    }
    let ended = until_ended(&api, run).await.map_err(|error| with_log(&error, &cluster.site))?;
    holds(&api, &ended, run, scenario, twilio.control()).await.map_err(|error| with_log(&error, &cluster.site))?;
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

/// What is stored of how everything came about says the same as what is stored of how it is, and nobody touched it.
fn proven(site: &Site, twilio: &str) -> Result<()> {
    for command in [&["events", "replay", "--dry-run"][..], &["audit", "verify"]] {
        let (code, printed) = site.run(twilio, command)?;
        ensure!(code == Some(0), "{}: {printed}", command.join(" "));
    }
    Ok(())
}

/// The answer, once there is one: right after an outage there may be none.
async fn patiently(api: &Api, path: &str) -> Result<Value> {
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
            "planning" | "running" => {}
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

/// What must be true when the run has ended.
async fn holds(api: &Api, ended: &Value, run: &str, scenario: &Scenario, twilio: &simulator::Control) -> Result<()> {
    let expected: BTreeMap<String, u64> = (0..scenario.people).map(|number| (phone(number), 1)).collect();
    let accepted = twilio.recipients(1);
    let lost: Vec<_> = expected.keys().filter(|phone| !accepted.contains_key(*phone)).collect();
    let twice: Vec<_> = accepted.iter().filter(|(_, times)| **times > 1).collect();
    ensure!(lost.is_empty(), "{} lost: {lost:?}; {} {}", lost.len(), ended["ledger"], ended["skipped_by_reason"]);
    ensure!(twice.is_empty(), "{} more than once: {twice:?}; {}", twice.len(), ended["ledger"]);
    ensure!(accepted == expected, "others than planned got it: {accepted:?}");
    ensure!(ended["ledger"]["planned"] == json!(scenario.people), "not everybody was planned: {}", ended["ledger"]);
    for state in ["queued", "sending", "unknown", "failed", "skipped", "cancelled"] {
        ensure!(ended["ledger"][state] == json!(0), "{state} at the end: {}", ended["ledger"]);
    }
    let rollups = patiently(api, &format!("/runs/{run}/rollups?by=hour")).await?;
    let hours = rollups["items"].as_array().context("rollups have items")?;
    let counted: u64 = hours.iter().filter_map(|hour| hour["accepted"].as_u64()).sum();
    ensure!(counted == u64::from(scenario.people), "{counted} were counted as handed over: {rollups}");
    same_sids(api, run, twilio).await
}

/// Each of our messages is bound to the one that Twilio has for this person.
async fn same_sids(api: &Api, run: &str, twilio: &simulator::Control) -> Result<()> {
    let filter = MessageFilter { limit: Some(usize::MAX), ..MessageFilter::default() };
    let theirs: BTreeMap<String, String> =
        twilio.messages(&filter).into_iter().map(|message| (message.sid, message.to)).collect();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/runs/{run}/messages?limit=100{cursor}")).await?;
        for message in page["items"].as_array().context("a page has items")? {
            let (phone, sid) = (text(message, "phone")?, text(message, "provider_sid")?);
            let to = theirs.get(sid).with_context(|| format!("Twilio does not know {sid}"))?;
            ensure!(to.ends_with(phone), "{sid} went to {to}, not to {phone}");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(()),
        }
    }
}
