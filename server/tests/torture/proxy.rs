//! What stands before the processes for pages and webhooks, as a reverse proxy does: requests in turn to each of them, and
//! to the next one when it cannot be connected to. What was sent is never sent again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use anyhow::Result;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderName, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use tokio::task::JoinHandle;

/// Not to be passed on (RFC 9110, 7.6.1), or made anew.
const OWN: [HeaderName; 4] = [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::UPGRADE];

pub struct Proxy {
    pub url: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    /// `http://host:port` of each process behind it.
    upstreams: Vec<String>,
    next: AtomicUsize,
    client: reqwest::Client,
    /// Requests that were answered 502: sent, and broken off.
    broken: AtomicU64,
}

impl Proxy {
    pub async fn start(address: &str, upstreams: Vec<String>) -> Result<Self> {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let shared = Arc::new(Shared { upstreams, next: AtomicUsize::new(0), client, broken: AtomicU64::new(0) });
        let router = Router::new().fallback(pass).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind(address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, shared, serving })
    }

    /// Requests that no process answered.
    pub fn broken(&self) -> u64 {
        self.shared.broken.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, 1 << 22).await else { return StatusCode::BAD_REQUEST.into_response() };
    let first = shared.next.fetch_add(1, Ordering::Relaxed);
    for turn in 0..shared.upstreams.len() {
        let upstream = &shared.upstreams[(first + turn) % shared.upstreams.len()];
        match ask(&shared, upstream, &parts, body.clone()).await {
            Ok(answer) => return answer,
            Err(error) if error.is_connect() => {}
            Err(_) => break,
        }
    }
    shared.broken.fetch_add(1, Ordering::Relaxed);
    StatusCode::BAD_GATEWAY.into_response()
}

async fn ask(shared: &Shared, upstream: &str, parts: &Parts, body: Bytes) -> reqwest::Result<Response> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = parts.headers.clone();
    OWN.iter().for_each(|name| drop(headers.remove(name)));
    let request = shared.client.request(parts.method.clone(), format!("{upstream}{path}"));
    let answer = request.headers(headers).body(body).send().await?;
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    OWN.iter().for_each(|name| drop(headers.remove(name)));
    Ok((status, headers, Body::from(answer.bytes().await?)).into_response())
}
