//! People write STOP while the program is down, and it starts again in the middle of its campaign.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use simulator::{Inbound, Settings, Simulator};
use testkit::{
    api::{Api, text},
    program::{ACCOUNT_SID, AUTH_TOKEN, Backend, Site},
};

use crate::{
    round::{BINARY, people, phone, proven},
    scenario::LEASE_SECONDS,
};

const PEOPLE: u32 = 600;
const STOPPED: usize = 25;

/// How many wrote STOP, and how many of them got the message all the same.
///
/// # Errors
/// When one did.
pub async fn stops(backend: &Backend) -> Result<String> {
    let mut site = Site::new(BINARY, backend).await?;
    let settings = Settings {
        account_sid: ACCOUNT_SID.to_owned(),
        auth_token: AUTH_TOKEN.to_owned(),
        // Nobody listens there while the program is down: what people write then is lost.
        inbound_url: Some(format!("http://{}/webhooks/twilio/inbound", site.address())),
        ..Settings::default()
    };
    let twilio = Simulator::start("127.0.0.1:0", settings).await?;
    let base = twilio.base_url();
    site.set("WORKER_CONCURRENCY", 8);
    site.set("LEASE_SECONDS", LEASE_SECONDS);
    site.set("RECONCILE_GRACE", 1);
    let key = site.api_key(&base)?;
    let program = site.serve(&base).await?;
    let api = Api::new(&program.url, key)?;
    api.lift_limits().await?;
    api.import(&people(&site, PEOPLE)?).await?;
    let campaign = api.campaign("Stops").await?;
    api.patch(&format!("/campaigns/{campaign}"), &json!({"rate_per_second": 60})).await?;
    let run = api.post(&format!("/campaigns/{campaign}/launch"), &Value::Null).await?;
    let run = text(&run, "id")?.to_owned();
    while twilio.control().stats().accepted < 40 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    program.kill();
    // A request that was under way may still arrive.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let had = twilio.control().recipients(1);
    let stopping: Vec<String> =
        (0..PEOPLE).rev().map(phone).filter(|phone| !had.contains_key(phone)).take(STOPPED).collect();
    ensure!(stopping.len() == STOPPED, "the campaign was over before it was killed");
    for phone in &stopping {
        let inbound = Inbound {
            from: format!("whatsapp:{phone}"),
            to: Some("whatsapp:+14155550100".to_owned()),
            body: Some("Stop.".to_owned()),
            ..Inbound::default()
        };
        let answer = twilio.control().inbound(inbound).await?;
        ensure!(answer.status.is_none(), "somebody answered: {answer:?}");
    }
    let program = site.serve(&base).await?;
    let started = Instant::now();
    let ended = loop {
        let now = api.get(&format!("/runs/{run}")).await?;
        if now["status"] == json!("completed") {
            break now;
        }
        if started.elapsed() > Duration::from_secs(120) {
            bail!("the run has not ended: {now}\n{}", site.log());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let had = twilio.control().recipients(1);
    let against: Vec<&String> = stopping.iter().filter(|phone| had.contains_key(*phone)).collect();
    ensure!(against.is_empty(), "{against:?} had written STOP\n{}", site.log());
    ensure!(ended["ledger"]["skipped"] == json!(STOPPED), "{}", ended["ledger"]);
    ensure!(had.len() == PEOPLE as usize - STOPPED, "{} people got it", had.len());
    program.stop().await?;
    twilio.shutdown().await;
    proven(&site, &base)?;
    Ok(format!("{STOPPED} wrote STOP while nobody was there, none of them got a message; {} others did", had.len()))
}
