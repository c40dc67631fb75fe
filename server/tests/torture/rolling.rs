//! Several processes as an operator runs them: two for pages and webhooks behind a proxy, and those that send.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use simulator::{Callbacks, MessageFilter, Running, Settings, Simulator};
use testkit::{
    api::{Api, text},
    program::{ACCOUNT_SID, AUTH_TOKEN, Backend, Process, Redis, Site, free_address},
};

use crate::{
    proxy::Proxy,
    round::{BINARY, people},
};

/// A run that has not ended by itself after this time is stuck.
const PATIENCE: Duration = Duration::from_secs(120);

/// The processes, and what they need.
pub struct Fleet {
    pub twilio: Running,
    pub site: Site,
    webs: Vec<(String, Process)>,
    workers: Vec<Process>,
    proxy: Proxy,
    pub api: Api,
    _redis: Redis,
}

impl Fleet {
    /// # Errors
    /// When a part of it does not start.
    pub async fn start(backend: &Backend, workers: usize) -> Result<Self> {
        let front = free_address()?;
        let callbacks = Callbacks { delay_ms: 20, ..Callbacks::default() };
        let settings = Settings {
            account_sid: ACCOUNT_SID.to_owned(),
            auth_token: AUTH_TOKEN.to_owned(),
            callbacks,
            inbound_url: Some(format!("http://{front}/webhooks/twilio/inbound")),
            ..Settings::default()
        };
        let twilio = Simulator::start("127.0.0.1:0", settings).await?;
        let base = twilio.base_url();
        let redis = Redis::start().await?;
        let mut site = Site::new(BINARY, backend).await?;
        site.set("REDIS_URL", redis.url());
        site.set("PUBLIC_URL", format!("http://{front}"));
        site.set("TRUSTED_PROXIES", "127.0.0.0/8");
        let key = site.api_key(&base)?;
        let (mut webs, mut sending) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let address = free_address()?;
            let process = site.serve_as(&base, "web", &address).await?;
            webs.push((address, process));
        }
        for _ in 0..workers {
            sending.push(site.serve_as(&base, "worker", &free_address()?).await?);
        }
        let upstreams = webs.iter().map(|(address, _)| format!("http://{address}")).collect();
        let proxy = Proxy::start(&front, upstreams).await?;
        let api = Api::new(&proxy.url, key)?;
        api.lift_limits().await?;
        Ok(Self { twilio, site, webs, workers: sending, proxy, api, _redis: redis })
    }

    /// The one sender's rate, in messages a second.
    async fn pace(&self, rate: u32) -> Result<()> {
        let senders = self.api.get("/senders").await?;
        let id = text(&senders["items"][0], "id")?.to_owned();
        self.api.patch(&format!("/senders/{id}"), &json!({"rate_per_second": rate})).await?;
        // Settings are in effect in all processes within a second.
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    }

    /// # Errors
    /// When the people are not taken.
    pub async fn import(&self, count: u32) -> Result<()> {
        self.api.import(&people(&self.site, count)?).await?;
        Ok(())
    }

    async fn launch(&self, count: u32) -> Result<String> {
        self.import(count).await?;
        let campaign = self.api.campaign("Rolling").await?;
        let run = self.api.post(&format!("/campaigns/{campaign}/launch"), &Value::Null).await?;
        Ok(text(&run, "id")?.to_owned())
    }

    /// Replaces one of the processes for webhooks, as an update does.
    async fn replace(&mut self, number: usize) -> Result<()> {
        let (address, process) = self.webs.remove(number);
        process.stop().await?;
        let process = self.site.serve_as(&self.twilio.base_url(), "web", &address).await?;
        self.webs.insert(number, (address, process));
        Ok(())
    }

    /// Waits until so many are delivered.
    async fn until_delivered(&self, run: &str, count: u32) -> Result<()> {
        let started = Instant::now();
        loop {
            let state = self.api.get(&format!("/runs/{run}")).await?;
            if state["ledger"]["delivered"] == json!(count) {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                bail!("not everybody has it after {PATIENCE:?}: {state}\n{}", self.site.log());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// # Errors
    /// When a process does not end well.
    pub async fn stop(self) -> Result<()> {
        for process in self.webs.into_iter().map(|(_, process)| process).chain(self.workers) {
            process.stop().await?;
        }
        self.twilio.shutdown().await;
        Ok(())
    }
}

/// What a rolling restart cost.
pub struct Restarts {
    restarts: usize,
    callbacks: u64,
    again: u64,
    never: u64,
    broken: u64,
}

impl fmt::Display for Restarts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { restarts, callbacks, again, never, broken } = self;
        write!(
            f,
            "{restarts} restarts: {callbacks} callbacks answered 2xx, {again} of them at a further try, {never} never; \
             {broken} requests answered by nobody"
        )
    }
}

/// The processes for webhooks are replaced in turn, for as long as a campaign's callbacks come in.
///
/// # Errors
/// When a callback was never answered, or more than one of a thousand not at once.
pub async fn restart(backend: &Backend) -> Result<Restarts> {
    const PEOPLE: u32 = 6_000;
    let mut fleet = Fleet::start(backend, 1).await?;
    fleet.pace(500).await?;
    let run = fleet.launch(PEOPLE).await?;
    // How many there are is up to the machine's speed: those after the last message would prove nothing.
    let (started, mut during) = (Instant::now(), 0);
    while fleet.twilio.control().stats().accepted < u64::from(PEOPLE) {
        ensure!(started.elapsed() < PATIENCE, "not everybody has it after {PATIENCE:?}\n{}", fleet.site.log());
        fleet.replace(during % 2).await?;
        during += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    ensure!(during >= 2, "the run was over before both were replaced");
    fleet.until_delivered(&run, PEOPLE).await?;
    let stats = fleet.twilio.control().stats();
    let restarts = Restarts {
        restarts: during,
        callbacks: stats.callbacks_sent,
        again: stats.callbacks_retried,
        never: stats.callbacks_failed,
        broken: fleet.proxy.broken(),
    };
    // Between the last one let in and the closed door a connection can get lost: once in a long while.
    let at_once = restarts.again.max(restarts.broken) * 1_000 <= restarts.callbacks;
    ensure!(restarts.never == 0 && at_once, "{restarts}\n{}", fleet.site.log());
    fleet.stop().await?;
    Ok(restarts)
}

/// How many messages were handed over within ten seconds.
pub struct Paced {
    rate: u32,
    least: u64,
    most: u64,
}

impl fmt::Display for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, least, most } = self;
        write!(f, "{rate} messages a second over four processes: {least} to {most} within any ten seconds")
    }
}

/// Four processes send one run at its sender's rate; by the provider's clock, all windows of ten whole seconds while it
/// went on hold what the rate says, within 2 %.
///
/// # Errors
/// When one does not.
pub async fn paced(backend: &Backend) -> Result<Paced> {
    const RATE: u32 = 200;
    const PEOPLE: u32 = RATE * 14;
    let fleet = Fleet::start(backend, 4).await?;
    fleet.pace(RATE).await?;
    let run = fleet.launch(PEOPLE).await?;
    fleet.until_delivered(&run, PEOPLE).await?;
    let filter = MessageFilter { limit: Some(usize::MAX), ..MessageFilter::default() };
    let mut seconds: BTreeMap<String, u64> = BTreeMap::new();
    for message in fleet.twilio.control().messages(&filter) {
        *seconds.entry(message.created_at.get(..19).context("a time")?.to_owned()).or_default() += 1;
    }
    // The first and the last second are not whole.
    let counts: Vec<u64> = seconds.into_values().collect();
    let whole = counts.get(1..counts.len() - 1).context("it was over at once")?;
    let windows: Vec<u64> = whole.windows(10).map(|window| window.iter().sum()).collect();
    let (least, most) = (windows.iter().min().context("too short")?, windows.iter().max().context("too short")?);
    let paced = Paced { rate: RATE, least: *least, most: *most };
    let wanted = u64::from(RATE) * 10;
    ensure!(*least >= wanted * 98 / 100 && *most <= wanted * 102 / 100, "{paced}: {counts:?}");
    fleet.stop().await?;
    Ok(paced)
}
