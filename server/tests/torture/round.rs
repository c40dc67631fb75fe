//! One round: a fresh database, a campaign to everybody in it, the blows, and what must hold afterwards.

use std::{
    fmt::{self, Write as _},
    ops::AddAssign,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use simulator::{Control, Simulator};
use testkit::{
    api::{Api, text},
    program::{Backend, Site},
};

use crate::{
    cluster::Cluster,
    evidence,
    scenario::{GRACE_SECONDS, LEASE_SECONDS, Scenario},
    singles,
};

pub const BINARY: &str = env!("CARGO_BIN_EXE_event-stream-engine");

/// A run that has not ended by itself after this time is stuck.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Our number, on either channel.
pub const SENDER: &str = "+14155550100";

/// What was counted in rounds that held.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    people: u64,
    /// Blows that fell before the run had ended: the others try nothing.
    pub under_way: u64,
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
    /// Had opted out at Twilio, which said so.
    opted_out: u64,
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
        self.under_way += other.under_way;
        self.kills += other.kills;
        self.stops += other.stops;
        self.freezes += other.freezes;
        self.outages += other.outages;
        self.restarts += other.restarts;
        self.full += other.full;
        self.jumps += other.jumps;
        self.singles += other.singles;
        self.given_up += other.given_up;
        self.opted_out += other.opted_out;
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
        let Self { people, under_way, kills, stops, freezes, outages, unknown, faults, refused, opted_out, .. } = self;
        let Self { callbacks, callbacks_again, callbacks_lost, restarts, full, jumps, singles, given_up, .. } = self;
        write!(
            f,
            "{people} people and {singles} single messages, {kills} kills, {stops} stops, {freezes} freezes, {outages} outages, \
             {restarts} restarts of PostgreSQL, {full} times no writes, {jumps} jumps of the clock ({under_way} blows while the \
             run was under way), {faults} faults of Twilio, {refused} refused by it (429), {opted_out} opted out there, \
             {unknown} unknown for a while, {given_up} of them given up; {callbacks} callbacks answered 2xx \
             ({callbacks_again} tries were repeated), {callbacks_lost} never; 0 lost, 0 twice"
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
    site.set("RECONCILE_GRACE", GRACE_SECONDS);
    site.set("WORKER_CONCURRENCY", scenario.concurrency);
    site.set("TWILIO_FROM", scenario.address(SENDER));
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
    let not_sent = until_over(&api, run, scenario, twilio.control()).await;
    let not_sent = not_sent.map_err(|error| with_log(&error, &cluster.site))?;
    let site = cluster.stop().await?;
    // Nobody is left who could send, so what Twilio has now is all that it ever gets.
    let found = evidence::hold(&site, scenario, twilio.control()).await.map_err(|error| with_log(&error, &site))?;
    let counted = found.given_up + found.opted_out;
    ensure!(counted == not_sent, "{not_sent} are counted as not sent, and {counted} messages were not");
    let stats = twilio.control().stats();
    outcome.singles = scenario.singles.len() as u64;
    outcome.given_up = found.given_up;
    outcome.opted_out = found.opted_out;
    outcome.unknown = found.once_unknown;
    outcome.faults = stats.faults.values().sum();
    outcome.refused = stats.refused.get(&20_429).copied().unwrap_or_default();
    outcome.callbacks = stats.callbacks_sent;
    outcome.callbacks_again = stats.callbacks_retried;
    outcome.callbacks_lost = stats.callbacks_failed;
    twilio.shutdown().await;
    proven(&site, &base)?;
    Ok(outcome)
}

/// Waits until the run has ended by itself, and then until nothing comes from Twilio any more: no callback, and no message
/// that it took later. The run must stay as it ended. How many of its messages were not sent, by its counters.
async fn until_over(api: &Api, run: &str, scenario: &Scenario, twilio: &Control) -> Result<u64> {
    until_ended(api, run).await?;
    singles::until_settled(api, scenario).await?;
    ensure!(twilio.idle(PATIENCE).await, "Twilio still tells something after {PATIENCE:?}");
    until_told(api, run, scenario, twilio).await?;
    counted(api, run, scenario).await
}

/// A campaign to everybody in the file. Not marketing, which the law keeps to certain hours.
async fn campaign(api: &Api, scenario: &Scenario) -> Result<String> {
    let variants = json!({"en": {"body": scenario.template()}});
    let template = json!({
        "name": "Torture", "channel": scenario.channel(), "category": "utility", "variants": variants
    });
    let template = api.post("/templates", &template).await?;
    // Who only gets a single message is stored without a city.
    let rule = json!({"field": "attributes.city", "operator": "=", "value": "Oslo"});
    let definition = json!({"combinator": "and", "rules": [rule]});
    let segment = api.post("/segments", &json!({"name": "Torture", "definition": definition})).await?;
    let campaign = json!({
        "name": "Torture", "template_id": template["id"], "segment_id": segment["id"], "unknown": scenario.rule()
    });
    Ok(text(&api.post("/campaigns", &campaign).await?, "id")?.to_owned())
}

/// All blows, one after the other.
async fn strike(cluster: &mut Cluster, api: &Api, run: &str, scenario: &Scenario, outcome: &mut Outcome) -> Result<()> {
    let path = format!("/runs/{run}");
    for (after, which, blow) in &scenario.blows {
        tokio::time::sleep(*after).await;
        let is_over = patiently(api, &path).await?["status"] == json!("completed");
        outcome.under_way += u64::from(!is_over);
        cluster.strike(*which, *blow, outcome).await?;
        balanced(&patiently(api, &path).await?)?;
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

/// A file of so many people with valid numbers, everybody with a name of their own and opted in.
pub fn people(site: &Site, count: u32) -> Result<std::path::PathBuf> {
    let mut file = "phone,name,city,consent\n".to_owned();
    for number in 0..count {
        writeln!(file, "{},{},Oslo,opted_in", phone(number), name(number))?;
    }
    let path = site.path("people.csv");
    std::fs::write(&path, file)?;
    Ok(path)
}

pub fn name(number: u32) -> String {
    format!("Ann Lee {number}")
}

/// German mobile numbers: +49 151 and eight digits are all valid.
pub fn phone(number: u32) -> String {
    format!("+49151{:08}", 10_000_000 + number)
}

async fn until_ended(api: &Api, run: &str) -> Result<()> {
    let started = Instant::now();
    loop {
        let now = patiently(api, &format!("/runs/{run}")).await?;
        balanced(&now)?;
        match text(&now, "status")? {
            "completed" => return Ok(()),
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

/// Where every callback was answered, what they told is known of everybody: an answer says that it is stored.
async fn until_told(api: &Api, run: &str, scenario: &Scenario, twilio: &Control) -> Result<()> {
    let stats = twilio.stats();
    let is_silent = scenario.twilio.callbacks.no_callbacks_percent > 0.0;
    if is_silent || stats.callbacks_failed + stats.callbacks_dropped > 0 {
        return Ok(());
    }
    let started = Instant::now();
    loop {
        let now = patiently(api, &format!("/runs/{run}")).await?;
        let ledger = &now["ledger"];
        if ledger["accepted"] == json!(0) && ledger["sent"] == json!(0) {
            return Ok(());
        }
        ensure!(started.elapsed() < Duration::from_secs(30), "callbacks were answered and changed nothing: {ledger}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The counters of a run that has ended, and of its hours. How many messages were not sent.
async fn counted(api: &Api, run: &str, scenario: &Scenario) -> Result<u64> {
    let ended = patiently(api, &format!("/runs/{run}")).await?;
    ensure!(ended["status"] == json!("completed"), "it had ended, and goes on: {ended}");
    balanced(&ended)?;
    let count = |state: &str| ended["ledger"][state].as_u64().unwrap_or_default();
    ensure!(count("planned") == u64::from(scenario.people), "not everybody was planned: {}", ended["ledger"]);
    for state in ["queued", "sending", "unknown", "undelivered", "cancelled"] {
        ensure!(count(state) == 0, "{state} at the end: {}", ended["ledger"]);
    }
    let reasons = ended["skipped_by_reason"].as_object().context("a run says why it skips")?;
    let skipped: u64 = reasons.values().filter_map(Value::as_u64).sum();
    ensure!(skipped == count("skipped"), "skipped for no reason: {} {}", ended["ledger"], ended["skipped_by_reason"]);
    let not_sent = count("failed") + count("skipped");
    let rollups = patiently(api, &format!("/runs/{run}/rollups?by=hour")).await?;
    let hours = rollups["items"].as_array().context("rollups have items")?;
    let handed_over: u64 = hours.iter().filter_map(|hour| hour["accepted"].as_u64()).sum();
    ensure!(
        handed_over + not_sent == u64::from(scenario.people),
        "{handed_over} were counted as handed over: {rollups} {}",
        ended["ledger"]
    );
    Ok(not_sent)
}
