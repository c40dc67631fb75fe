//! How fast the simulator is, its client and the receiver of its callbacks in the same process:
//! `cargo run --release -p simulator --example load -- [seconds] [clients]`.
//!
//! Prints creates per second without callbacks, then with two signed callbacks each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::serve::ListenerExt;
use simulator::{ACCOUNT_SID, AUTH_TOKEN, Settings, Simulator};

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let mut args = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let length = Duration::from_secs(args.next().unwrap_or(5));
    let clients = args.next().unwrap_or(32);
    run("without callbacks", length, clients, false).await?;
    run("with two callbacks", length, clients, true).await
}

async fn run(name: &str, length: Duration, clients: u64, callbacks: bool) -> Outcome {
    let mut settings = Settings::default();
    settings.callbacks.delay_ms = 20;
    let twilio = Simulator::start("127.0.0.1:0", settings).await?;

    let received = Arc::new(AtomicU64::new(0));
    let count = received.clone();
    let router = Router::new().fallback(async move |body: axum::body::Bytes| {
        count.fetch_add(u64::from(!body.is_empty()), Relaxed);
        StatusCode::NO_CONTENT
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let callback = format!("http://{}/webhooks/twilio/status", listener.local_addr()?);
    let server = tokio::spawn(async move {
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, router).await
    });

    let client = reqwest::Client::builder().no_proxy().http1_only().build()?;
    let url = format!("{}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json", twilio.base_url());
    let sent = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let tasks = (0..clients).map(|_| {
        let (client, url, callback, sent) = (client.clone(), url.clone(), callback.clone(), sent.clone());
        tokio::spawn(async move {
            while started.elapsed() < length {
                let number = sent.fetch_add(1, Relaxed);
                let (to, own) = (format!("whatsapp:+1555{number:07}"), format!("{callback}?m={number}&a=1"));
                let mut form =
                    vec![("To", to.as_str()), ("From", "whatsapp:+15005550006"), ("Body", "Hello Ana, spring is here")];
                if callbacks {
                    form.push(("StatusCallback", &own));
                }
                let request = client.post(&url).basic_auth(ACCOUNT_SID, Some(AUTH_TOKEN)).form(&form);
                let answer = request.send().await?.error_for_status()?;
                answer.bytes().await?;
            }
            reqwest::Result::Ok(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    let creating = started.elapsed().as_secs_f64();
    let arrived = received.load(Relaxed);
    let complete = twilio.control().idle(Duration::from_secs(15)).await;
    let all = started.elapsed().as_secs_f64();
    let stats = twilio.control().stats();
    println!(
        "{name}: {:.0} creates/s over {creating:.1} s ({arrived} callbacks by then); everything over {all:.2} s: {:.0} messages/s, {} callbacks, {} failed, complete: {complete}",
        stats.accepted as f64 / creating,
        stats.accepted as f64 / all,
        received.load(Relaxed),
        stats.callbacks_failed,
    );
    twilio.shutdown().await;
    server.abort();
    Ok(())
}
