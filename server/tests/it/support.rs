//! A server per test, and clients for those who talk to it.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use domain::{actor::Actor, role::Role};
use engine::{config::Secret, secrets::KeyRing};
use reqwest::{Client, Method, RequestBuilder, StatusCode, redirect::Policy};
use serde_json::Value;
use server::{
    config::Config,
    shutdown::Shutdown,
    startup::{self, Migrate},
};
use simulator::Control;
use testkit::TestDb;
use tokio::task::JoinHandle;

pub const ADMIN: (&str, &str) = ("admin@example.org", "correct horse battery staple");

/// A server that serves; it stops with this value.
pub struct TestServer {
    pub url: String,
    pub engine: engine::Engine,
    pub simulator: Control,
    pub key: String,
    client: Client,
    shutdown: Shutdown,
    running: JoinHandle<anyhow::Result<()>>,
    database: TestDb,
}

/// What a request was answered with.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.body))
    }

    /// The fields that a 422 names.
    pub fn fields(&self) -> Vec<String> {
        let errors = self.json()["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().filter_map(|error| Some(error["field"].as_str()?.to_owned())).collect()
    }

    pub fn assert_status(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self
    }
}

/// One server for each kind of database.
pub async fn servers() -> Vec<TestServer> {
    let mut servers = Vec::new();
    for database in testkit::unmigrated().await {
        servers.push(TestServer::start(database).await);
    }
    servers
}

/// A server on SQLite, for what does not touch the database.
pub async fn server() -> TestServer {
    let database = testkit::unmigrated().await.remove(0);
    TestServer::start(database).await
}

pub fn config(database_url: String, data_dir: PathBuf) -> Config {
    Config {
        database_url,
        database_connections: 8,
        bind: ([127, 0, 0, 1], 0).into(),
        public_url: None,
        twilio: None,
        first_sender: None,
        admin_email: Some(ADMIN.0.to_owned()),
        admin_password: Some(Secret::new(ADMIN.1.to_owned())),
        keys: KeyRing::parse(&KeyRing::generate()).expect("a generated key is one"),
        data_dir,
        worker_concurrency: 16,
        lease: Duration::from_secs(60),
        reconcile_grace: Duration::from_secs(150),
        redis_url: None,
        import_limit: 4 * 1024 * 1024,
        trusted_proxies: Vec::new(),
        test_clock: None,
    }
}

impl TestServer {
    async fn start(database: TestDb) -> Self {
        let config = config(database.url.clone(), database.dir.path().join("data"));
        let server =
            startup::build(&config, Migrate::Yes, engine::workers::Role::All).await.expect("the server starts");
        let engine = server.engine().clone();
        engine.accounts().ensure_first_admin(Some(ADMIN.0), Some(ADMIN.1)).await.expect("an admin");
        let key = engine.api_keys().create(&Actor::command_line(), "tests", Role::Admin).await.expect("a key");
        let simulator = server.simulator().cloned().expect("the built-in simulator");
        let url = format!("http://{}", server.addr());
        let shutdown = Shutdown::default();
        let running = tokio::spawn(server.run(shutdown.clone()));
        let client =
            Client::builder().timeout(Duration::from_secs(60)).redirect(Policy::none()).build().expect("a client");
        Self { url, engine, simulator, key, client, shutdown, running, database }
    }

    /// A key of another role.
    pub async fn key_of(&self, role: Role) -> String {
        self.engine.api_keys().create(&Actor::command_line(), role.as_str(), role).await.expect("a key")
    }

    /// A request without any key or cookie.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// A request of the API with the admin's key; `path` is what follows `/api/v1`.
    pub fn api(&self, method: &str, path: &str) -> RequestBuilder {
        self.request(method, &format!("/api/v1{path}")).bearer_auth(&self.key)
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.api("GET", path)).await
    }

    pub async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        answer(self.api(method, path).json(body)).await
    }

    /// An action: a POST without a body.
    pub async fn act(&self, path: &str) -> Answer {
        answer(self.api("POST", path)).await
    }

    /// Changes something in the database itself, such as how long ago it was.
    pub async fn tamper(&self, statement: &str) {
        let db = store::Db::connect(&self.database.url, 2).await.expect("the database");
        assert!(store::exec(db.writer(), statement, Vec::new()).await.expect("changed") > 0, "{statement}");
        db.close().await.expect("closed");
    }

    /// The session's cookie of the admin.
    pub async fn log_in(&self) -> String {
        let form = [("email", ADMIN.0), ("password", ADMIN.1), ("next", "/contacts")];
        let answer = answer(self.request("POST", "/login").form(&form)).await.assert_status(303);
        assert_eq!(answer.header("location"), "/contacts");
        cookie(&answer)
    }

    /// Stops and says how it ended.
    pub async fn stop(mut self) {
        self.shutdown.soft.cancel();
        (&mut self.running).await.expect("no panic").expect("a clean stop");
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.shutdown.soft.cancel();
        self.shutdown.hard.cancel();
    }
}

pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, body: response.text().await.expect("a whole body") }
}

/// `name=value` of the cookie that an answer sets.
pub fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

/// Asks again until it holds; what it says after 20 seconds is the failure.
pub async fn until<F, T>(mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let start = Instant::now();
    loop {
        match ask().await {
            Ok(found) => return found,
            Err(state) => assert!(start.elapsed() < Duration::from_secs(20), "it never happened: {state}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
