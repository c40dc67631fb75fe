//! A campaign from launch to the last callback, the same without callbacks, and after `kill -9`; with what it costs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use testkit::{
    api::{Api, text},
    program::{ACCOUNT_SID, AUTH_TOKEN, Backend, Process, Redis, Site, cpu_seconds_of, simulator},
};

use super::contacts_csv;
use crate::{
    BINARY,
    report::{Figure, Limit, Report},
};

/// A program with its people, and the provider it sends to.
pub struct Scene {
    pub site: Site,
    pub program: Process,
    pub provider: Process,
    pub api: Api,
    pub people: u32,
    pub backend: Backend,
    /// What the provider had told before the last launch.
    before: AtomicU64,
    _redis: Option<Redis>,
}

pub async fn run(report: &mut Report, backend: &Backend, scale: f64) -> Result<()> {
    let provider = simulator(BINARY).await?;
    let people = (40_000.0 * scale) as u32;
    let baseline = bare_posts(&provider.url, people.min(20_000)).await?;
    let mut scene = Scene::open(backend, provider, people).await?;
    scene.add(report, "memory", "idle", scene.program.memory_mib("VmRSS"), "MiB", None);
    with_callbacks(report, &scene, baseline).await?;
    without_callbacks(report, &scene, baseline).await?;
    let highest = scene.program.memory_mib("VmHWM");
    scene.add(report, "memory", "highest during send", highest, "MiB", Some(Limit::AtMost(200.0)));
    let (next, seconds) = after_a_kill(scene).await?;
    scene = next;
    scene.add(report, "recover", "from kill -9 to the next message", seconds, "s", Some(Limit::AtMost(5.0)));
    Ok(())
}

impl Scene {
    pub async fn open(backend: &Backend, provider: Process, people: u32) -> Result<Self> {
        let mut site = Site::new(BINARY, backend).await?;
        // As several processes would have it.
        let redis = if backend.is_postgres() { Some(Redis::start().await?) } else { None };
        if let Some(redis) = &redis {
            site.set("REDIS_URL", redis.url());
        }
        let key = site.api_key(&provider.url)?;
        let program = site.serve(&provider.url).await?;
        let api = Api::new(&program.url, key)?;
        api.lift_limits().await?;
        let file = site.path("contacts.csv");
        contacts_csv(&file, people)?;
        api.import(&file).await?;
        Ok(Self {
            site,
            program,
            provider,
            api,
            people,
            backend: backend.clone(),
            before: AtomicU64::new(0),
            _redis: redis,
        })
    }

    pub fn add(
        &self,
        report: &mut Report,
        row: &'static str,
        what: &str,
        value: f64,
        unit: &'static str,
        limit: Option<Limit>,
    ) {
        let backend = if self.backend.is_postgres() && row != "memory" { "postgres+redis" } else { self.backend.name };
        let (backend, what) = (backend.to_owned(), what.to_owned());
        report.add(Figure { row, backend, what, value, unit, baseline: None, limit });
    }

    pub async fn control(&self, patch: &Value) -> Result<()> {
        let url = format!("{}/control/settings", self.provider.url);
        reqwest::Client::new().patch(url).json(patch).send().await?.error_for_status()?;
        Ok(())
    }

    /// Launches a campaign to everybody; returns its run.
    pub async fn launch(&self, name: &str) -> Result<String> {
        let campaign = self.api.campaign(name).await?;
        self.before.store(self.told().await?, Ordering::Relaxed);
        let run = self.api.post(&format!("/campaigns/{campaign}/launch"), &Value::Null).await?;
        Ok(text(&run, "id")?.to_owned())
    }

    /// Waits until everybody of the run that was launched last is in this state. It asks the provider, as long as there is
    /// something to wait for: asking the program would be a part of what is measured.
    pub async fn until_all(&self, run: &str, state: &str) -> Result<()> {
        let callbacks = if state == "read" { 3 } else { 0 };
        let wanted = self.before.load(Ordering::Relaxed) + u64::from(self.people) * (1 + callbacks);
        let started = Instant::now();
        loop {
            if self.told().await? >= wanted {
                let run = self.api.get(&format!("/runs/{run}")).await?;
                let ledger = &run["ledger"];
                if ledger["planned"].as_u64() == Some(u64::from(self.people))
                    && ledger[state].as_u64() == Some(u64::from(self.people))
                {
                    return Ok(());
                }
            }
            if started.elapsed() > Duration::from_secs(600) {
                bail!("not everything of {run} is {state} after ten minutes");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many messages the provider took, and how many callbacks of it were answered.
    async fn told(&self) -> Result<u64> {
        let stats: Value = reqwest::get(format!("{}/control/stats", self.provider.url)).await?.json().await?;
        let count = |name: &str| stats[name].as_u64().with_context(|| name.to_owned());
        Ok(count("accepted")? + count("callbacks_sent")?)
    }

    /// How many messages the provider took.
    pub async fn accepted(&self) -> Result<u64> {
        let stats: Value = reqwest::get(format!("{}/control/stats", self.provider.url)).await?.json().await?;
        stats["accepted"].as_u64().context("accepted")
    }

    async fn counters(&self) -> Result<Counters> {
        let url = format!("{}/metrics", self.program.url);
        let text = reqwest::get(url).await?.text().await?;
        let value = |name: &str| {
            let line = text.lines().find(|line| line.split(' ').next() == Some(name));
            line.and_then(|line| line.rsplit(' ').next()).and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0)
        };
        Ok(Counters {
            statements: value("db_statements_total"),
            transactions: value("db_transactions_total"),
            redis_calls: value("redis_calls_total"),
            batches: ["webhook_batch_events", "outcome_batch_seconds", "claim_batch_seconds"]
                .map(|name| value(&format!("{name}_count"))),
            program_cpu: self.program.cpu_seconds(),
            postgres_cpu: cpu_seconds_of("postgres"),
            bytes: self.site.database_bytes().await? as f64,
        })
    }
}

/// What had been used up by then.
struct Counters {
    statements: f64,
    transactions: f64,
    redis_calls: f64,
    /// Transactions of callbacks, of outcomes, and claims.
    batches: [f64; 3],
    program_cpu: f64,
    postgres_cpu: f64,
    bytes: f64,
}

async fn with_callbacks(report: &mut Report, scene: &Scene, baseline: f64) -> Result<()> {
    scene.control(&json!({"callbacks": {"read_percent": 100.0}})).await?;
    let tables = scene.site.table_bytes().await?;
    let (before, started) = (scene.counters().await?, Instant::now());
    let run = scene.launch("With callbacks").await?;
    scene.until_all(&run, "read").await?;
    let seconds = started.elapsed().as_secs_f64();
    // The counters are told now and then.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let after = scene.counters().await?;
    exactly_once(scene, u64::from(scene.people)).await?;
    let each = |used: f64| used / f64::from(scene.people);
    let rate = f64::from(scene.people) / seconds;
    let what = "end to end with three callbacks";
    add_rate(report, scene, what, (rate, baseline), Limit::AtLeast(2_200.0));
    let mut add = |what, value, unit, limit| scene.add(report, "send", what, value, unit, limit);
    let cpu = Some(Limit::AtMost(250.0));
    // SQLite works inside the program.
    let own = if scene.backend.is_postgres() { cpu } else { Some(Limit::AtMost(500.0)) };
    add("CPU of the program per message", each(after.program_cpu - before.program_cpu) * 1e6, "µs", own);
    let few = Some(Limit::Counted(0.1));
    add("statements per message", each(after.statements - before.statements), "", few);
    add("transactions per message", each(after.transactions - before.transactions), "", few);
    if scene.backend.is_postgres() {
        add("CPU of PostgreSQL per message", each(after.postgres_cpu - before.postgres_cpu) * 1e6, "µs", cpu);
        add("calls to Redis per message", each(after.redis_calls - before.redis_calls), "", few);
    }
    let [callbacks, outcomes, claims] =
        std::array::from_fn(|index| f64::from(scene.people) / (after.batches[index] - before.batches[index]));
    println!("{:<24}batches of {:.0} callbacks, {outcomes:.0} outcomes, {claims:.0} claimed", "", 3.0 * callbacks);
    let bytes = Some(Limit::AtMost(1_536.0));
    scene.add(report, "bytes per message", "with three callbacks", each(after.bytes - before.bytes), "bytes", bytes);
    for (table, after) in scene.site.table_bytes().await? {
        let before = tables.get(&table).copied().unwrap_or_default();
        let grew = [(after.rows, before.rows), (after.indexes, before.indexes)];
        let [rows, indexes] = grew.map(|(after, before)| each(after.saturating_sub(before) as f64));
        if rows + indexes >= 10.0 {
            println!("{:<24}{table:<20}{rows:>6.0} bytes of rows, {indexes:>4.0} of indexes", "");
        }
    }
    Ok(())
}

fn add_rate(report: &mut Report, scene: &Scene, what: &str, (rate, baseline): (f64, f64), limit: Limit) {
    let backend = if scene.backend.is_postgres() { "postgres+redis" } else { scene.backend.name };
    report.add(Figure {
        row: "send",
        backend: backend.to_owned(),
        what: what.to_owned(),
        value: rate,
        unit: "messages/s",
        baseline: Some(baseline),
        limit: Some(limit),
    });
}

async fn without_callbacks(report: &mut Report, scene: &Scene, baseline: f64) -> Result<()> {
    scene.control(&json!({"callbacks": {"enabled": false}})).await?;
    let started = Instant::now();
    let run = scene.launch("Without callbacks").await?;
    scene.until_all(&run, "accepted").await?;
    let rate = f64::from(scene.people) / started.elapsed().as_secs_f64();
    exactly_once(scene, 2 * u64::from(scene.people)).await?;
    add_rate(report, scene, "without callbacks", (rate, baseline), Limit::AtLeast(8_000.0));
    Ok(())
}

/// Messages that may have been under way when the program was killed: they wait for their leases, and are looked for first.
const UNDER_WAY: u64 = 1_024;

/// Kills the program in the middle of a campaign and starts it again at once: how long until the provider gets the next
/// message. Counts only if then all others get theirs, too; that nobody gets two is for the torture rounds to say, which wait
/// for the leases.
async fn after_a_kill(scene: Scene) -> Result<(Scene, f64)> {
    scene.control(&json!({"callbacks": {"enabled": false}})).await?;
    let before = scene.accepted().await?;
    scene.launch("Killed").await?;
    while scene.accepted().await? < before + u64::from(scene.people) / 10 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let Scene { site, program, provider, api, people, backend, before: told, _redis } = scene;
    let killed = Instant::now();
    program.kill();
    let stats = format!("{}/control/stats", provider.url);
    let accepted = async || -> Result<u64> {
        reqwest::get(&stats).await?.json::<Value>().await?["accepted"].as_u64().context("accepted")
    };
    let at_kill = accepted().await?;
    let program = site.serve(&provider.url).await?;
    while accepted().await? <= at_kill {
        if killed.elapsed() > Duration::from_secs(60) {
            bail!("nothing is sent a minute after the restart: {}", site.log());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seconds = killed.elapsed().as_secs_f64();
    let all = before + u64::from(people).saturating_sub(UNDER_WAY);
    while accepted().await? < all {
        if killed.elapsed() > Duration::from_secs(120) {
            bail!("{} of {all} are sent two minutes after the kill: {}", accepted().await?, site.log());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok((Scene { site, program, provider, api, people, backend, before: told, _redis }, seconds))
}

/// The figure counts only if everybody got exactly one message of each campaign so far.
async fn exactly_once(scene: &Scene, wanted: u64) -> Result<()> {
    let accepted = scene.accepted().await?;
    // The bare posts of the baseline are there too.
    let bare = u64::from(scene.people.min(20_000));
    if accepted != wanted + bare {
        bail!("not exactly once: {accepted} accepted, {wanted} of campaigns and {bare} others wanted");
    }
    Ok(())
}

/// The same forms to the same simulator at the same concurrency, by a client that does nothing else.
async fn bare_posts(provider: &str, count: u32) -> Result<f64> {
    let client = reqwest::Client::builder().pool_max_idle_per_host(64).build()?;
    let url = format!("{provider}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json");
    let next = Arc::new(AtomicU32::new(0));
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (client, url, next) = (client.clone(), url.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < count {
                let form = [
                    ("To", "whatsapp:+14155550199"),
                    ("From", "whatsapp:+14155550100"),
                    ("Body", "Hi Ann Lee, our offers in Colombo are ready."),
                ];
                let answer = client.post(&url).basic_auth(ACCOUNT_SID, Some(AUTH_TOKEN)).form(&form).send().await?;
                answer.error_for_status()?.bytes().await?;
            }
            Ok::<_, reqwest::Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}
