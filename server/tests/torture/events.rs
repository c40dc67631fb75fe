//! Events come while the program is killed again and again: whoever told them sends a body again until it is taken.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use simulator::{MessageFilter, Settings, Simulator};
use testkit::{
    api::{Api, text},
    program::{ACCOUNT_SID, AUTH_TOKEN, Backend, Site},
};

use crate::{
    round::{BINARY, people, phone},
    scenario::LEASE_SECONDS,
};

const PEOPLE: u32 = 500;
/// Of so many events each, every person twice in all.
const BODIES: u32 = 10;
const EVENTS: u32 = 100;

/// How many events were told, how often the program was killed, and how many messages there were.
///
/// # Errors
/// When an event has no message, or two.
pub async fn told(backend: &Backend) -> Result<String> {
    let mut site = Site::new(BINARY, backend).await?;
    let settings =
        Settings { account_sid: ACCOUNT_SID.to_owned(), auth_token: AUTH_TOKEN.to_owned(), ..Settings::default() };
    let twilio = Simulator::start("127.0.0.1:0", settings).await?;
    let base = twilio.base_url();
    site.set("WORKER_CONCURRENCY", 16);
    site.set("LEASE_SECONDS", LEASE_SECONDS);
    site.set("RECONCILE_GRACE", 1);
    let key = site.api_key(&base)?;
    let mut program = site.serve(&base).await?;
    let api = Api::new(&program.url, key)?;
    api.lift_limits().await?;
    api.import(&people(&site, PEOPLE)?).await?;
    let template = json!({"name": "Told", "category": "utility", "variants": {"en": {"body": "Event {{ event.n }}"}}});
    let template = api.post("/templates", &template).await?;
    let trigger = json!({"type": "event", "name": "order.paid"});
    let campaign = json!({"name": "Told", "template_id": template["id"], "trigger": trigger});
    let campaign = api.post("/campaigns", &campaign).await?;
    let campaign = text(&campaign, "id")?;
    api.post(&format!("/campaigns/{campaign}/schedule"), &Value::Null).await?;
    let run = api.get(&format!("/campaigns/{campaign}/runs")).await?;
    let run = text(&run["items"][0], "id")?.to_owned();

    let (mut kills, mut tries) = (0, 0);
    for body in 0..BODIES {
        let lines: Vec<String> = (body * EVENTS..(body + 1) * EVENTS)
            .map(|n| json!({"id": n.to_string(), "name": "order.paid", "phone": phone(n % PEOPLE), "data": {"n": n}}))
            .map(|line| line.to_string())
            .collect();
        let lines = lines.join("\n");
        // In the middle of being taken, right after it, or while its messages are made and sent.
        let mut taking = std::pin::pin!(api.lines("/events", lines.clone()));
        let taken = tokio::time::timeout(Duration::from_millis(u64::from(body * 4)), &mut taking).await;
        program.kill();
        kills += 1;
        program = site.serve(&base).await?;
        if !matches!(taken, Ok(Ok(_))) {
            tries += 1;
            let report = api.lines("/events", lines).await?;
            let of = |name: &str| report[name].as_u64().unwrap_or_default();
            ensure!(of("accepted") + of("duplicates") == u64::from(EVENTS), "{report}");
        }
    }
    let started = Instant::now();
    let ended = loop {
        let now = api.get(&format!("/runs/{run}")).await?;
        let of = |name: &str| now["ledger"][name].as_u64().unwrap_or_default();
        if of("planned") == u64::from(BODIES * EVENTS) && of("queued") + of("sending") + of("unknown") == 0 {
            break now;
        }
        ensure!(started.elapsed() < Duration::from_secs(120), "not all are sent: {now}\n{}", site.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    ensure!(ended["status"] == json!("running"), "{ended}");
    let expected: BTreeMap<String, u64> = (0..PEOPLE).map(|number| (phone(number), 2)).collect();
    ensure!(twilio.control().recipients(1) == expected, "not everybody got each of theirs once\n{}", site.log());
    let filter = MessageFilter { limit: Some(usize::MAX), ..MessageFilter::default() };
    let sent: BTreeSet<String> = twilio.control().messages(&filter).into_iter().map(|message| message.body).collect();
    ensure!(sent.len() == (BODIES * EVENTS) as usize, "{} different texts", sent.len());
    program.stop().await?;
    for command in [&["events", "replay", "--dry-run"][..], &["audit", "verify"]] {
        let (code, printed) = site.run(&base, command)?;
        ensure!(code == Some(0), "{}: {printed}", command.join(" "));
    }
    twilio.shutdown().await;
    Ok(format!(
        "{} events in {BODIES} bodies, {kills} kills, {tries} bodies sent again: each has one message; 0 lost, 0 twice",
        BODIES * EVENTS
    ))
}
