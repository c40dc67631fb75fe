//! The program and the simulator as processes of their own, and what they cost.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

const BINARY: &str = env!("CARGO_BIN_EXE_event-stream-engine");
pub const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";
pub const AUTH_TOKEN: &str = "bench-token";
pub const ADMIN_EMAIL: &str = "bench@example.org";
pub const ADMIN_PASSWORD: &str = "a long password of the bench";
const ENCRYPTION_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A database to measure on.
pub struct Backend {
    pub name: String,
    pub postgres: Option<String>,
}

/// SQLite always, PostgreSQL when there is one.
pub fn backends() -> Vec<Backend> {
    let mut backends = vec![Backend { name: "sqlite".to_owned(), postgres: None }];
    match std::env::var("TEST_DATABASE_URL") {
        Ok(url) => backends.push(Backend { name: "postgres".to_owned(), postgres: Some(url) }),
        Err(_) => println!("TEST_DATABASE_URL is not set: the PostgreSQL rows are left out"),
    }
    backends
}

/// A child that is killed when it is dropped.
pub struct Process {
    child: Child,
    pub url: String,
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// User and system time so far, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
        // Linux counts 100 ticks a second.
        (ticks(11) + ticks(12)) / 100.0
    }

    /// Resident memory in MiB: now (`VmRSS`) or at its highest (`VmHWM`).
    pub fn memory_mib(&self, field: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        status
            .lines()
            .find(|line| line.starts_with(field))
            .and_then(|line| line.split_whitespace().nth(1))
            .and_then(|kib| kib.parse::<f64>().ok())
            .unwrap_or_default()
            / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder, a database and the settings of one measured program.
pub struct Site {
    folder: tempfile::TempDir,
    database_url: String,
    address: String,
}

impl Site {
    pub async fn new(backend: &Backend) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let database_url = match &backend.postgres {
            None => format!("sqlite://{}", folder.path().join("engine.db").display()),
            Some(url) => fresh_postgres(url).await?,
        };
        Ok(Self { folder, database_url, address: free_address()? })
    }

    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, simulator: &str) -> Command {
        let mut command = Command::new(BINARY);
        command
            .current_dir(self.folder.path())
            .env("DATABASE_URL", &self.database_url)
            .env("BIND_ADDR", &self.address)
            .env("PUBLIC_URL", format!("http://{}", self.address))
            .env("ENCRYPTION_KEY", ENCRYPTION_KEY)
            .env("ADMIN_EMAIL", ADMIN_EMAIL)
            .env("ADMIN_PASSWORD", ADMIN_PASSWORD)
            .env("TWILIO_ACCOUNT_SID", ACCOUNT_SID)
            .env("TWILIO_AUTH_TOKEN", AUTH_TOKEN)
            .env("TWILIO_API_BASE", simulator)
            .env("TWILIO_CONTENT_BASE", simulator)
            .env("TWILIO_FROM", "whatsapp:+14155550100")
            .env("WORKER_CONCURRENCY", "64")
            .env("RUST_LOG", "warn")
            .env("LOG_FORMAT", "json")
            .stdin(Stdio::null());
        command
    }

    /// An admin's API key.
    pub fn api_key(&self, simulator: &str) -> Result<String> {
        let output =
            self.command(simulator).args(["api-key", "create", "--name", "bench", "--role", "admin"]).output()?;
        if !output.status.success() {
            bail!("api-key create failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Starts the program and waits until it is ready.
    pub async fn serve(&self, simulator: &str) -> Result<Process> {
        let log = std::fs::File::create(self.path("serve.log"))?;
        let child = self
            .command(simulator)
            .arg("serve")
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting the program")?;
        let process = Process { child, url: format!("http://{}", self.address) };
        ready(&format!("{}/readyz", process.url)).await.with_context(|| {
            format!("the program's log: {}", std::fs::read_to_string(self.path("serve.log")).unwrap_or_default())
        })?;
        Ok(process)
    }
}

/// Starts the simulator: each message gets the callbacks `sent` and `delivered`.
pub async fn simulator() -> Result<Process> {
    let address = free_address()?;
    let child = Command::new(BINARY)
        .args(["simulator", "--addr", &address, "--account-sid", ACCOUNT_SID, "--auth-token", AUTH_TOKEN])
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("starting the simulator")?;
    let process = Process { child, url: format!("http://{address}") };
    ready(&format!("{}/control/stats", process.url)).await?;
    Ok(process)
}

async fn ready(url: &str) -> Result<()> {
    let client = reqwest::Client::new();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(60) {
        if let Ok(answer) = client.get(url).send().await
            && answer.status().is_success()
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("{url} is not ready after a minute")
}

fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// A database of its own on the given server.
async fn fresh_postgres(url: &str) -> Result<String> {
    let name = format!("bench_{}", uuid::Uuid::now_v7().simple());
    let db = store::Db::connect(url, 1).await?;
    store::exec(db.writer(), format!("CREATE DATABASE {name}"), Vec::new()).await?;
    let mut fresh = url::Url::parse(url)?;
    fresh.set_path(&name);
    Ok(fresh.into())
}
