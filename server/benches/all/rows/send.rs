//! A campaign from launch to the last callback, and the memory it takes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use serde_json::Value;
use testkit::{
    api::{Api, text},
    program::{ACCOUNT_SID, AUTH_TOKEN, Backend, Process, Site, simulator},
};

use super::contacts_csv;
use crate::{
    BINARY,
    report::{Figure, Limit, Report},
};

pub async fn run(report: &mut Report, backend: &Backend, scale: f64) -> Result<()> {
    let recipients = (30_000.0 * scale) as u32;
    let provider = simulator(BINARY).await?;
    let baseline = bare_posts(&provider.url, recipients.min(20_000)).await?;
    let site = Site::new(BINARY, backend).await?;
    let key = site.api_key(&provider.url)?;
    let program = site.serve(&provider.url).await?;
    let idle = program.memory_mib("VmRSS");
    let api = Api::new(&program.url, key)?;
    api.lift_limits().await?;
    let file = site.path("contacts.csv");
    contacts_csv(&file, recipients)?;
    api.import(&file).await?;
    let campaign = api.campaign("Bench").await?;
    let (cpu, started) = (program.cpu_seconds(), Instant::now());
    let run = api.post(&format!("/campaigns/{campaign}/launch"), &Value::Null).await?;
    let ledger = until_delivered(&api, text(&run, "id")?, recipients).await?;
    let seconds = started.elapsed().as_secs_f64();
    let cpu = program.cpu_seconds() - cpu;
    check(&provider, &ledger, recipients).await?;
    let figure = |what: &str, value, unit, baseline, limit| Figure {
        row: "send",
        backend: backend.name.to_owned(),
        what: what.to_owned(),
        value,
        unit,
        baseline,
        limit,
    };
    let rate = f64::from(recipients) / seconds;
    report.add(figure(
        "end to end with two callbacks",
        rate,
        "messages/s",
        Some(baseline),
        Some(Limit::AtLeast(1_000.0)),
    ));
    report.add(figure("CPU of the program per message", cpu / f64::from(recipients) * 1e6, "µs", None, None));
    let memory = |what: &str, value| Figure {
        row: "memory",
        what: what.to_owned(),
        unit: "MiB",
        value,
        ..figure("", 0.0, "", None, None)
    };
    report.add(memory("idle", idle));
    report.add(memory("highest during send", program.memory_mib("VmHWM")));
    Ok(())
}

async fn until_delivered(api: &Api, run: &str, recipients: u32) -> Result<Value> {
    let started = Instant::now();
    loop {
        let run = api.get(&format!("/runs/{run}")).await?;
        let ledger = &run["ledger"];
        if ledger["delivered"].as_u64() == Some(u64::from(recipients)) {
            return Ok(ledger.clone());
        }
        if started.elapsed() > Duration::from_secs(600) {
            bail!("not everything is delivered after ten minutes: {run}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The figure counts only if every person got exactly one message.
async fn check(provider: &Process, ledger: &Value, recipients: u32) -> Result<()> {
    let stats: Value = reqwest::get(format!("{}/control/stats", provider.url)).await?.json().await?;
    // The bare posts of the baseline went to a number of their own.
    if stats["recipients_more_than_once"].as_u64() > Some(1)
        || ledger["planned"].as_u64() != Some(u64::from(recipients))
    {
        bail!("not exactly once: {stats} {ledger}");
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
                client.post(&url).basic_auth(ACCOUNT_SID, Some(AUTH_TOKEN)).form(&form).send().await?.bytes().await?;
            }
            Ok::<_, reqwest::Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}
