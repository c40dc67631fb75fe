//! Signed webhooks, poured in: how many a second are stored before they are answered, and how soon.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    routing::post,
};
use serde_json::json;
use simulator::signature;
use testkit::{
    api::text,
    program::{ACCOUNT_SID, AUTH_TOKEN, Backend, free_address, simulator},
};

use super::send::Scene;
use crate::{
    BINARY,
    report::{Figure, Limit, Report},
};

const CONCURRENCY: usize = 128;

/// A webhook, ready to be posted.
pub(super) struct Request {
    target: String,
    body: String,
    signature: String,
}

/// How soon they were answered, in milliseconds, sorted; and how long all of them took.
pub(super) struct Poured {
    milliseconds: Vec<f64>,
    seconds: f64,
}

impl Poured {
    fn rate(&self) -> f64 {
        self.milliseconds.len() as f64 / self.seconds
    }

    fn percentile(&self, share: f64) -> f64 {
        let at = (self.milliseconds.len() as f64 * share) as usize;
        self.milliseconds.get(at.min(self.milliseconds.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

pub async fn run(report: &mut Report, backend: &Backend, scale: f64) -> Result<()> {
    let people = (20_000.0 * scale) as u32;
    let scene = Scene::open(backend, simulator(BINARY).await?, people).await?;
    scene.control(&json!({"callbacks": {"enabled": false}})).await?;
    let run = scene.launch("Without callbacks").await?;
    scene.until_all(&run, "accepted").await?;
    let callbacks = callbacks(&scene, &run).await?;
    let baseline = bare(&callbacks).await?;
    let poured = pour(&scene.program.url, callbacks).await?;
    let delivered = scene.api.get(&format!("/runs/{run}")).await?["ledger"]["read"].as_u64();
    ensure!(delivered == Some(u64::from(people)), "{delivered:?} of {people} messages were read: not all is stored");
    tell(report, &scene, "status callbacks", &poured, (Some(baseline), Limit::AtLeast(8_000.0)));

    let poured = pour(&scene.program.url, inbound(&scene, 0, people)).await?;
    tell(report, &scene, "inbound messages", &poured, (None, Limit::AtLeast(4_000.0)));

    let poured = drip(&scene.program.url, inbound(&scene, people, 1_000)).await?;
    p99(report, &scene, "p99 of inbound messages at 100 a second", &poured, 25.0);

    let flood = Flood::start(&scene, people);
    let poured = drip(&scene.program.url, inbound(&scene, people + 1_000, 1_000)).await;
    let (refused, poured) = (flood.stop().await?, poured?);
    p99(report, &scene, "p99 of the same beside a flood of unsigned and forged ones", &poured, 100.0);
    scene.add(report, "webhooks", "requests of that flood, all refused", refused, "/s", None);
    scene.control(&json!({"callbacks": {"enabled": true, "read_percent": 100.0}})).await?;
    let run = scene.launch("At full speed").await?;
    let (poured, sent) =
        tokio::join!(drip(&scene.program.url, inbound(&scene, people + 2_000, 500)), scene.until_all(&run, "read"));
    sent?;
    p99(report, &scene, "p99 of the same during a campaign at full speed", &poured?, 100.0);
    Ok(())
}

fn p99(report: &mut Report, scene: &Scene, what: &str, poured: &Poured, limit: f64) {
    scene.add(report, "webhooks", what, poured.percentile(0.99), "ms", Some(Limit::AtMost(limit)));
}

/// Has the shape of a signature, and is none.
const FORGED: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM=";

/// Somebody who posts webhooks without Twilio's signature as fast as they are refused. Every third has a forged one, and a body
/// that is as large as any that is read: all of it is hashed.
struct Flood {
    tasks: tokio::task::JoinSet<Result<u64>>,
    stop: Arc<AtomicBool>,
    started: Instant,
}

impl Flood {
    const CONNECTIONS: usize = 16;

    fn start(scene: &Scene, people: u32) -> Self {
        let (stop, mut tasks) = (Arc::new(AtomicBool::new(false)), tokio::task::JoinSet::new());
        let like = Arc::new(inbound(scene, 5 * people, 1).remove(0));
        let large = Bytes::from(format!("AccountSid={ACCOUNT_SID}&Body={}", "x".repeat(65_000)));
        for _ in 0..Self::CONNECTIONS {
            let (stop, like, url) = (stop.clone(), like.clone(), format!("{}{}", scene.program.url, like.target));
            let large = large.clone();
            tasks.spawn(async move {
                let client = reqwest::Client::new();
                let mut refused: u64 = 0;
                while !stop.load(Ordering::Relaxed) {
                    let post = client.post(&url).header("content-type", "application/x-www-form-urlencoded");
                    let post = if refused.is_multiple_of(3) {
                        post.header("x-twilio-signature", FORGED).body(large.clone())
                    } else {
                        post.body(like.body.clone())
                    };
                    let answer = post.send().await?;
                    ensure!(answer.status() == StatusCode::FORBIDDEN, "not signed, and answered {}", answer.status());
                    answer.bytes().await?;
                    refused += 1;
                }
                Ok(refused)
            });
        }
        Self { tasks, stop, started: Instant::now() }
    }

    /// How many a second were refused.
    async fn stop(mut self) -> Result<f64> {
        self.stop.store(true, Ordering::Relaxed);
        let mut refused = 0;
        while let Some(done) = self.tasks.join_next().await {
            refused += done??;
        }
        Ok(refused as f64 / self.started.elapsed().as_secs_f64())
    }
}

fn tell(report: &mut Report, scene: &Scene, what: &str, poured: &Poured, (baseline, limit): (Option<f64>, Limit)) {
    report.add(Figure {
        row: "webhooks",
        backend: scene.backend.name.to_owned(),
        what: format!("{what}, {CONCURRENCY} at a time"),
        value: poured.rate(),
        unit: "/s",
        baseline,
        limit: Some(limit),
    });
    for (name, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
        let limit = (name == "p99").then_some(Limit::AtMost(100.0));
        scene.add(report, "webhooks", &format!("{name} of {what}"), poured.percentile(share), "ms", limit);
    }
}

fn request(base: &str, target: String, form: &[(&str, &str)]) -> Request {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let signature = signature::sign(&format!("{base}{target}"), form, AUTH_TOKEN);
    Request { target, body, signature }
}

/// Three callbacks for each message of a run, in the order of their statuses.
async fn callbacks(scene: &Scene, run: &str) -> Result<Vec<Request>> {
    let mut messages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = scene.api.get(&format!("/runs/{run}/messages?limit=1000{cursor}")).await?;
        for message in page["items"].as_array().context("a page has items")? {
            let of = |name: &str| Ok::<_, anyhow::Error>(text(message, name)?.to_owned());
            messages.push((of("id")?, of("provider_sid")?, of("phone")?));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let mut requests = Vec::with_capacity(messages.len() * 3);
    for status in ["sent", "delivered", "read"] {
        for (id, sid, phone) in &messages {
            let to = format!("whatsapp:{phone}");
            let form = [
                ("AccountSid", ACCOUNT_SID),
                ("ApiVersion", "2010-04-01"),
                ("ChannelInstallSid", "XE0123456789abcdef0123456789abcdef"),
                ("ChannelPrefix", "whatsapp"),
                ("ChannelToAddress", phone),
                ("From", "whatsapp:+14155550100"),
                ("MessageSid", sid),
                ("MessageStatus", status),
                ("SmsSid", sid),
                ("SmsStatus", status),
                ("StructuredMessage", "false"),
                ("To", &to),
            ];
            requests.push(request(&scene.program.url, format!("/webhooks/twilio/status?m={id}&a=1"), &form));
        }
    }
    Ok(requests)
}

/// A message from each of `count` people; no two have the same SID.
pub(super) fn inbound(scene: &Scene, first: u32, count: u32) -> Vec<Request> {
    let messages = first..first + count;
    messages
        .map(|number| {
            let person = format!("whatsapp:+49151{:08}", 10_000_000 + number % scene.people);
            let sid = format!("SM{number:032x}");
            let form = [
                ("AccountSid", ACCOUNT_SID),
                ("ApiVersion", "2010-04-01"),
                ("Body", "Thank you, that is good to know"),
                ("From", &person),
                ("MessageSid", &sid),
                ("NumMedia", "0"),
                ("NumSegments", "1"),
                ("ProfileName", "Ann Lee"),
                ("SmsMessageSid", &sid),
                ("SmsSid", &sid),
                ("SmsStatus", "received"),
                ("To", "whatsapp:+14155550100"),
            ];
            request(&scene.program.url, "/webhooks/twilio/inbound".to_owned(), &form)
        })
        .collect()
}

/// Posts them all, so many at a time, over connections that stay.
pub(super) async fn pour(base: &str, requests: Vec<Request>) -> Result<Poured> {
    let client = reqwest::Client::builder().pool_max_idle_per_host(CONCURRENCY).build()?;
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CONCURRENCY {
        let (client, base, requests, next) = (client.clone(), base.to_owned(), requests.clone(), next.clone());
        tasks.spawn(async move {
            let mut milliseconds = Vec::new();
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                milliseconds.push(ask(&client, &base, request).await?);
            }
            Ok::<_, anyhow::Error>(milliseconds)
        });
    }
    let mut milliseconds = Vec::with_capacity(requests.len());
    while let Some(done) = tasks.join_next().await {
        milliseconds.extend(done??);
    }
    let seconds = started.elapsed().as_secs_f64();
    milliseconds.sort_by(f64::total_cmp);
    Ok(Poured { milliseconds, seconds })
}

/// Posts them at a hundred a second.
async fn drip(base: &str, requests: Vec<Request>) -> Result<Poured> {
    let client = reqwest::Client::builder().build()?;
    let mut clock = tokio::time::interval(Duration::from_millis(10));
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for request in requests {
        clock.tick().await;
        let (client, base) = (client.clone(), base.to_owned());
        tasks.spawn(async move { ask(&client, &base, &request).await });
    }
    let mut milliseconds = Vec::new();
    while let Some(done) = tasks.join_next().await {
        milliseconds.push(done??);
    }
    milliseconds.sort_by(f64::total_cmp);
    Ok(Poured { milliseconds, seconds: started.elapsed().as_secs_f64() })
}

/// One webhook: how long its answer took, in milliseconds.
async fn ask(client: &reqwest::Client, base: &str, request: &Request) -> Result<f64> {
    let post = client
        .post(format!("{base}{}", request.target))
        .header("content-type", "application/x-www-form-urlencoded; charset=UTF-8")
        .header("x-twilio-signature", &request.signature)
        .body(request.body.clone());
    let started = Instant::now();
    let answer = post.send().await?;
    let status = answer.status();
    answer.bytes().await?;
    ensure!(status.is_success(), "a webhook was answered {status}");
    Ok(started.elapsed().as_secs_f64() * 1_000.0)
}

/// The baseline: a handler that checks the signature and answers, and stores nothing.
async fn bare(like: &[Request]) -> Result<f64> {
    let address = free_address()?;
    let base = format!("http://{address}");
    let router = Router::new().route("/webhooks/twilio/status", post(check)).with_state(base.clone());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let again = |request: &Request| {
        let form = signature::parse_form(request.body.as_bytes());
        let signature = signature::sign(&format!("{base}{}", request.target), &form, AUTH_TOKEN);
        Request { target: request.target.clone(), body: request.body.clone(), signature }
    };
    let poured = pour(&base, like.iter().map(again).collect()).await?;
    serving.abort();
    Ok(poured.rate())
}

async fn check(State(base): State<String>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers.get("x-twilio-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = signature::parse_form(&body);
    if signature::check(&format!("{base}{uri}"), &form, AUTH_TOKEN, signature) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::FORBIDDEN
    }
}
