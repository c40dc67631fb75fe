//! People write STOP while a campaign goes out to them at full speed: how long after the answer to their webhook a message to
//! them may still begin, by the provider's clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use domain::time::Timestamp;
use engine::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};
use simulator::{Control, Inbound, MessageFilter, Settings, Simulator};
use testkit::{
    api::{Api, text},
    program::{ACCOUNT_SID, AUTH_TOKEN, Backend, Site},
};

use crate::{
    rolling::Fleet,
    round::{BINARY, people, phone, proven},
};

const PEOPLE: u32 = 6_000;
/// Messages a second of one process, and of several together: as fast as they go while they are compiled for tests.
const RATE: u32 = 500;
const RATE_OF_SEVERAL: u32 = 250;
const STOPS: usize = 300;
/// Fewer say nothing.
const ENOUGH: usize = 100;
/// People who write at the same time.
const AT_ONCE: usize = 4;
/// Whoever stops is among so many that come next: some of them are in hand already.
const NEAR: usize = 150;

/// What the STOPs came to.
pub struct Stops {
    written: usize,
    /// Handed over before the webhook was answered.
    before: usize,
    /// After it, by so many microseconds.
    after: Vec<i64>,
}

impl fmt::Display for Stops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { written, before, after } = self;
        let latest = after.iter().max().copied().unwrap_or_default() / 1_000;
        write!(
            f,
            "{written} wrote STOP: {before} had the message by then, {} got it after the answer, the latest {latest} ms later",
            after.len()
        )
    }
}

/// One process: nothing begins after the answer.
///
/// # Errors
/// When something did.
pub async fn in_one_process(backend: &Backend) -> Result<Stops> {
    let site = Site::new(BINARY, backend).await?;
    let settings = Settings {
        account_sid: ACCOUNT_SID.to_owned(),
        auth_token: AUTH_TOKEN.to_owned(),
        inbound_url: Some(format!("http://{}/webhooks/twilio/inbound", site.address())),
        ..Settings::default()
    };
    let twilio = Simulator::start("127.0.0.1:0", settings).await?;
    let base = twilio.base_url();
    let key = site.api_key(&base)?;
    let program = site.serve(&base).await?;
    let api = Api::new(&program.url, key)?;
    api.lift_limits().await?;
    api.import(&people(&site, PEOPLE)?).await?;
    let stops = stops(&api, twilio.control(), RATE).await.with_context(|| site.log())?;
    program.stop().await?;
    twilio.shutdown().await;
    proven(&site, &base)?;
    // A request that had begun when the STOP came in may reach the provider a moment after the answer.
    ensure!(stops.after.iter().all(|late| *late < 20_000), "{stops}: {:?}", stops.after);
    Ok(stops)
}

/// Two processes take webhooks, two others send: nothing begins later than 250 ms after the answer.
///
/// # Errors
/// When something did.
pub async fn in_others(backend: &Backend) -> Result<Stops> {
    let fleet = Fleet::start(backend, 2).await?;
    fleet.import(PEOPLE).await?;
    let stops = stops(&fleet.api, fleet.twilio.control(), RATE_OF_SEVERAL).await.with_context(|| fleet.site.log())?;
    // Beside the processes, as an operator would look.
    proven(&fleet.site, &fleet.twilio.base_url())?;
    fleet.stop().await?;
    ensure!(stops.after.iter().all(|late| *late < 250_000), "{stops}: {:?}", stops.after);
    Ok(stops)
}

async fn stops(api: &Api, twilio: &Control, rate: u32) -> Result<Stops> {
    let senders = api.get("/senders").await?;
    let sender = text(&senders["items"][0], "id")?.to_owned();
    api.patch(&format!("/senders/{sender}"), &json!({"rate_per_second": rate})).await?;
    let campaign = api.campaign("Stops").await?;
    let run = api.post(&format!("/campaigns/{campaign}/launch"), &Value::Null).await?;
    let run = text(&run, "id")?.to_owned();
    let mut answered: BTreeMap<String, Timestamp> = BTreeMap::new();
    while answered.len() < STOPS {
        let next = usize::try_from(twilio.stats().accepted)?;
        if next + NEAR >= PEOPLE as usize {
            break;
        }
        if next == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
            continue;
        }
        // Steps that meet all places within reach.
        let places = (answered.len()..answered.len() + AT_ONCE).map(|number| next + number * 37 % NEAR);
        let phones: BTreeSet<String> = places.filter_map(|place| u32::try_from(place).ok()).map(phone).collect();
        let said = phones.into_iter().filter(|phone| !answered.contains_key(phone)).map(|phone| say(twilio, phone));
        answered.extend(futures::future::try_join_all(said).await?);
    }
    ensure!(answered.len() >= ENOUGH, "the campaign was over before {ENOUGH} had written: {}", answered.len());
    until_completed(api, &run).await?;
    let mut stops = Stops { written: answered.len(), before: 0, after: Vec::new() };
    let filter = MessageFilter { limit: Some(usize::MAX), ..MessageFilter::default() };
    let mut seen = BTreeSet::new();
    for message in twilio.messages(&filter) {
        // What answers the STOP is no message of the campaign.
        let Some(at) = answered.get(message.to.trim_start_matches("whatsapp:")) else { continue };
        if message.direction != "outbound-api" || !message.body.starts_with("Hi") {
            continue;
        }
        ensure!(seen.insert(message.to.clone()), "{} has it twice", message.to);
        let created: Timestamp = message.created_at.parse().map_err(|_| anyhow::anyhow!("{}", message.created_at))?;
        match created.since(*at) {
            late if late > 0 => stops.after.push(late),
            _ => stops.before += 1,
        }
    }
    Ok(stops)
}

/// The person writes STOP; and when that was answered.
async fn say(twilio: &Control, phone: String) -> Result<(String, Timestamp)> {
    let stop = Inbound { from: format!("whatsapp:{phone}"), body: Some("STOP".to_owned()), ..Inbound::default() };
    let answer = twilio.inbound(stop).await?;
    ensure!(answer.status == Some(200), "{answer:?}");
    Ok((phone, SystemClock.now()))
}

async fn until_completed(api: &Api, run: &str) -> Result<()> {
    let started = Instant::now();
    loop {
        let now = api.get(&format!("/runs/{run}")).await?;
        if now["status"] == json!("completed") {
            return Ok(());
        }
        if started.elapsed() > Duration::from_secs(120) {
            bail!("the run has not ended: {now}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
