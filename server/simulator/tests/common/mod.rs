//! A receiver that keeps what it was sent, and a client that speaks to the simulator as a program would.

#![allow(dead_code)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use simulator::{ACCOUNT_SID, AUTH_TOKEN, Running, Settings, Simulator, signature};

/// One webhook as it arrived.
#[derive(Clone, Debug)]
pub struct Hook {
    pub path: String,
    pub params: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub genuine: bool,
    pub at: Instant,
}

impl Hook {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

#[derive(Clone)]
pub struct Receiver {
    pub base: String,
    hooks: Arc<Mutex<Vec<Hook>>>,
    answers: Arc<Mutex<HashMap<String, (u16, String)>>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("bound"));
        let receiver = Self { base, hooks: Arc::default(), answers: Arc::default() };
        let router = Router::new().fallback(take).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// The next calls of this path get this answer. A body makes it XML.
    pub fn answer(&self, path: &str, status: u16, body: &str) {
        self.answers.lock().expect("lock").insert(path.into(), (status, body.into()));
    }

    pub fn hooks(&self) -> Vec<Hook> {
        self.hooks.lock().expect("lock").clone()
    }

    pub async fn wait(&self, count: usize) -> Vec<Hook> {
        for _ in 0..500 {
            let hooks = self.hooks();
            if hooks.len() >= count {
                return hooks;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("waited for {count} webhooks, got {:?}", self.hooks());
    }
}

async fn take(State(receiver): State<Receiver>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let params = signature::parse_form(&body);
    let url = format!("{}{uri}", receiver.base);
    let given = headers.get(signature::HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // The exact URL, without the leniency of `check`.
    let genuine =
        signature::sign(&url, &params, AUTH_TOKEN) == given && signature::check(&url, &params, AUTH_TOKEN, given);
    receiver.hooks.lock().expect("lock").push(Hook {
        path: uri.to_string(),
        params,
        headers: headers.clone(),
        genuine,
        at: Instant::now(),
    });
    let answer = receiver.answers.lock().expect("lock").get(uri.path()).cloned();
    match answer {
        Some((599, _)) => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            StatusCode::OK.into_response()
        }
        Some((status, body)) => {
            let status = StatusCode::from_u16(status).expect("a status");
            if body.is_empty() {
                status.into_response()
            } else {
                (status, [(header::CONTENT_TYPE, "text/xml")], body).into_response()
            }
        }
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

pub struct Twilio {
    pub running: Running,
    pub http: reqwest::Client,
}

/// Settings for tests: callbacks come at once.
pub fn quick() -> Settings {
    let mut settings = Settings::default();
    settings.callbacks.delay_ms = 5;
    settings
}

impl Twilio {
    pub async fn start(settings: Settings) -> Self {
        let running = Simulator::start("127.0.0.1:0", settings).await.expect("starts");
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().expect("a client");
        Self { running, http }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.base_url())
    }

    pub fn messages_url(&self) -> String {
        self.url(&format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"))
    }

    pub async fn post(&self, params: &[(&str, &str)]) -> reqwest::Result<reqwest::Response> {
        self.http.post(self.messages_url()).basic_auth(ACCOUNT_SID, Some(AUTH_TOKEN)).form(params).send().await
    }

    /// Creates a message and expects an answer.
    pub async fn create(&self, params: &[(&str, &str)]) -> (u16, Value) {
        let answer = self.post(params).await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("JSON"))
    }

    /// A plain SMS.
    pub async fn sms(&self, to: &str, callback: &str) -> (u16, Value) {
        let mut params = vec![("To", to), ("From", "+15005550006"), ("Body", "Hello")];
        if !callback.is_empty() {
            params.push(("StatusCallback", callback));
        }
        self.create(&params).await
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.http.get(self.url(path)).basic_auth(ACCOUNT_SID, Some(AUTH_TOKEN));
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    pub async fn fetch(&self, sid: &str) -> Value {
        self.get(&format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{sid}.json")).await.1
    }

    pub async fn json(&self, method: reqwest::Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.request(method, self.url(path)).basic_auth(ACCOUNT_SID, Some(AUTH_TOKEN)).json(&body);
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    pub async fn idle(&self) {
        assert!(self.running.control().idle(Duration::from_secs(10)).await, "still pending");
    }
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}
