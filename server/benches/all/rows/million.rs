//! A campaign to a million people, from the launch to the last callback: does it stay as fast as it began?

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use testkit::{
    api::{Browser, text},
    program::{Backend, simulator},
};

use super::{send::Scene, webhooks};
use crate::{
    BINARY,
    report::{Limit, Report},
};

/// One look at the run while it goes on.
struct Look {
    /// Since the launch.
    seconds: f64,
    settled: f64,
    claims: f64,
    claim_seconds: f64,
    memory_mib: f64,
    page_ms: f64,
}

pub async fn run(report: &mut Report, backend: &Backend, scale: f64) -> Result<()> {
    let people = (1_000_000.0 * scale) as u32;
    let provider = simulator(BINARY).await?;
    let scene = Scene::open(backend, provider, people).await?;
    // The simulator forgets the oldest of more than half a million.
    scene.control(&json!({"max_messages": people + 100_000, "callbacks": {"read_percent": 100.0}})).await?;
    let browser = Browser::log_in(&scene.program.url).await?;
    let started = Instant::now();
    let run = scene.launch("A million").await?;
    let path = format!("/runs/{run}");
    let campaign = text(&scene.api.get(&path).await?, "campaign_id")?.to_owned();
    let mut looks: Vec<Look> = Vec::new();
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let state = scene.api.get(&path).await?;
        let asked = Instant::now();
        if !browser.page(&format!("/campaigns/{campaign}")).await?.contains("A million") {
            bail!("the campaign's page does not name it");
        }
        let page_ms = asked.elapsed().as_secs_f64() * 1_000.0;
        looks.push(Look { page_ms, ..look(&scene, started, &state).await? });
        if state["ledger"]["read"].as_u64() == Some(u64::from(people)) {
            break;
        }
        if started.elapsed() > Duration::from_secs(3_600) {
            bail!("not everybody has read it after an hour: {state}");
        }
    }
    if scene.accepted().await? != u64::from(people) {
        bail!("not exactly once: {} accepted for {people} people", scene.accepted().await?);
    }
    tell(report, &scene, &looks)?;
    records(report, &scene, &browser, people).await
}

/// How soon the pages over all those events are there.
async fn records(report: &mut Report, scene: &Scene, browser: &Browser, people: u32) -> Result<()> {
    let written = (people / 50).max(1_000);
    webhooks::pour(&scene.program.url, webhooks::inbound(scene, 0, written)).await?;
    let page = scene.api.get("/messages?limit=1").await?;
    let message = page["items"].get(0).context("a message")?;
    let (sid, phone) = (text(message, "provider_sid")?, text(message, "phone")?);
    // Somebody from the middle of those who wrote.
    let writer = format!("+49151{:08}", 10_000_000 + written / 2);
    let pages = [
        ("/events", "/events".to_owned()),
        ("/events of a SID", format!("/events?q={sid}")),
        ("/events of a number", format!("/events?q={}", phone.replace('+', "%2B"))),
        ("/events that nobody claims", "/events?outcome=orphan".to_owned()),
        ("/inbox", "/inbox?view=all".to_owned()),
        ("/inbox of a number", format!("/inbox?view=all&q={}", &writer[1..])),
        ("one conversation", format!("/inbox/{writer}")),
    ];
    for (name, path) in pages {
        let mut times = Vec::new();
        for _ in 0..9 {
            let asked = Instant::now();
            browser.page(&path).await?;
            times.push(asked.elapsed().as_secs_f64() * 1_000.0);
        }
        times.sort_by(f64::total_cmp);
        scene.add(
            report,
            "million",
            &format!("{name}, median"),
            times[times.len() / 2],
            "ms",
            Some(Limit::AtMost(100.0)),
        );
    }
    Ok(())
}

async fn look(scene: &Scene, started: Instant, state: &Value) -> Result<Look> {
    let metrics = reqwest::get(format!("{}/metrics", scene.program.url)).await?.text().await?;
    let value = |name: &str| {
        let line = metrics.lines().find(|line| line.split(' ').next() == Some(name));
        line.and_then(|line| line.rsplit(' ').next()).and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0)
    };
    let count = |state_of: &str| state["ledger"][state_of].as_f64().unwrap_or(0.0);
    Ok(Look {
        seconds: started.elapsed().as_secs_f64(),
        settled: count("accepted") + count("sent") + count("delivered") + count("read"),
        claims: value("claim_batch_seconds_count"),
        claim_seconds: value("claim_batch_seconds_sum"),
        memory_mib: scene.program.memory_mib("VmRSS"),
        page_ms: 0.0,
    })
}

/// Compares the first tenth of the messages with the last.
fn tell(report: &mut Report, scene: &Scene, looks: &[Look]) -> Result<()> {
    let all = f64::from(scene.people);
    let at = |share: f64| looks.iter().position(|look| look.settled >= all * share).context("too few looks");
    let (early, late) = ((at(0.02)?, at(0.12)?), (at(0.88)?, at(0.98)?));
    let claim_ms = |(from, to): (usize, usize)| {
        let (from, to) = (&looks[from], &looks[to]);
        (to.claim_seconds - from.claim_seconds) / (to.claims - from.claims).max(1.0) * 1_000.0
    };
    let rate = |(from, to): (usize, usize)| {
        let (from, to) = (&looks[from], &looks[to]);
        (to.settled - from.settled) / (to.seconds - from.seconds).max(0.001)
    };
    let memory = looks.iter().map(|look| look.memory_mib).fold(0.0, f64::max);
    let mut pages: Vec<f64> = looks.iter().map(|look| look.page_ms).collect();
    pages.sort_by(f64::total_cmp);
    let seconds = looks.last().map_or(0.0, |look| look.seconds);
    let mut add = |what, value, unit, limit| scene.add(report, "million", what, value, unit, limit);
    add("from launch to the last callback", seconds, "s", None);
    add("messages settled, first tenth", rate(early), "messages/s", None);
    add("messages settled, last tenth", rate(late), "messages/s", Some(Limit::AtLeast(rate(early) * 0.85)));
    add("a claim, first tenth", claim_ms(early), "ms", None);
    add("a claim, last tenth", claim_ms(late), "ms", Some(Limit::AtMost(claim_ms(early) * 1.25)));
    add("the running page, median", pages[pages.len() / 2], "ms", None);
    add("the running page, slowest", pages.last().copied().unwrap_or_default(), "ms", Some(Limit::AtMost(100.0)));
    add("memory after the first tenth", looks[early.1].memory_mib, "MiB", None);
    add("highest memory of the run", memory, "MiB", Some(Limit::AtMost(200.0)));
    Ok(())
}
