//! The program and the simulator as processes of their own: started, killed, measured.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    TableBytes,
    database::{Server, server_url},
    postgres::{End, Postgres},
};

pub const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";
pub const AUTH_TOKEN: &str = "a token for tests";
pub const ADMIN_EMAIL: &str = "admin@example.org";
pub const ADMIN_PASSWORD: &str = "a long password for tests";
const ENCRYPTION_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A kind of database.
#[derive(Clone, Debug)]
pub struct Backend {
    pub name: &'static str,
    postgres: Option<String>,
}

impl Backend {
    #[must_use]
    pub const fn is_postgres(&self) -> bool {
        self.postgres.is_some()
    }
}

/// SQLite always, PostgreSQL when `TEST_DATABASE_URL` names a server.
#[must_use]
pub fn backends() -> Vec<Backend> {
    let postgres = server_url().map(|url| Backend { name: "postgres", postgres: Some(url) });
    [Some(Backend { name: "sqlite", postgres: None }), postgres].into_iter().flatten().collect()
}

/// A child that is killed when it is dropped.
pub struct Process {
    child: Child,
    pub url: String,
}

impl Process {
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// As `kill -9` does: at once, in the middle of whatever it does.
    pub fn kill(mut self) {
        self.end();
    }

    /// Sends it a signal by name (`TERM`, `STOP`, `CONT`).
    ///
    /// # Errors
    /// When there is no such process or program.
    pub fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status()?;
        if status.success() { Ok(()) } else { bail!("kill -s {name}: {status}") }
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Errors
    /// When it does not end within half a minute, or not well.
    pub async fn stop(mut self) -> Result<()> {
        self.signal("TERM")?;
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(30) {
            if let Some(status) = self.child.try_wait()? {
                return if status.success() { Ok(()) } else { bail!("it ended with {status}") };
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("it did not stop within half a minute")
    }

    /// No file of it may grow beyond so many bytes, as on a full disk; `None`: any may again.
    ///
    /// # Errors
    /// When there is no such process or program.
    pub fn limit_files(&self, bytes: Option<u64>) -> Result<()> {
        let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        let pid = self.pid().to_string();
        let status = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={limit}:")]).status()?;
        if status.success() { Ok(()) } else { bail!("prlimit --fsize={limit}: {status}") }
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// User and system time so far, in seconds.
    #[must_use]
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
        // Linux counts 100 ticks a second.
        (ticks(11) + ticks(12)) / 100.0
    }

    /// Resident memory in MiB: now (`VmRSS`) or at its highest (`VmHWM`).
    #[must_use]
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

/// User and system time of all processes of this name so far, in seconds: of a server that has many.
#[must_use]
pub fn cpu_seconds_of(name: &str) -> f64 {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    stats
        .filter_map(|stat| {
            let (before, after) = stat.rsplit_once(')')?;
            let fields: Vec<&str> = after.split_whitespace().collect();
            // Those of children that have ended (16, 17) too: each connection is a process.
            let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
            before.ends_with(&format!("({name}")).then(|| (ticks(11) + ticks(12) + ticks(13) + ticks(14)) / 100.0)
        })
        .sum()
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// A folder, a database and the settings of one program.
pub struct Site {
    binary: &'static str,
    folder: tempfile::TempDir,
    database_url: String,
    address: String,
    variables: Vec<(&'static str, String)>,
    /// Dropped after everything that uses it …
    server: Option<Server>,
    /// … and this after all of them.
    postgres: Option<Postgres>,
}

impl Site {
    /// `binary` is `env!("CARGO_BIN_EXE_event-stream-engine")`, which only the program's own tests know.
    ///
    /// # Errors
    /// When no database can be made.
    pub async fn new(binary: &'static str, backend: &Backend) -> Result<Self> {
        Self::with(binary, backend, None).await
    }

    /// The same on a PostgreSQL server of its own, which can be restarted; on SQLite, and where PostgreSQL's programs are
    /// not installed, as [`Site::new`].
    ///
    /// # Errors
    /// When no database can be made.
    pub async fn on_own_server(binary: &'static str, backend: &Backend) -> Result<Self> {
        let postgres = if backend.is_postgres() { Postgres::start().await? } else { None };
        Self::with(binary, backend, postgres).await
    }

    async fn with(binary: &'static str, backend: &Backend, postgres: Option<Postgres>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let url = postgres.as_ref().map(Postgres::url).or_else(|| backend.postgres.clone());
        let server = match url {
            None => None,
            Some(url) => Some(Server::with_fresh_database(&url).await?),
        };
        let database_url = match &server {
            None => format!("sqlite://{}", folder.path().join("engine.db").display()),
            Some(server) => server.database_url(),
        };
        let address = free_address()?;
        Ok(Self { binary, folder, database_url, address, variables: Vec::new(), server, postgres })
    }

    /// Another value for a variable of the environment.
    pub fn set(&mut self, variable: &'static str, value: impl ToString) {
        self.variables.push((variable, value.to_string()));
    }

    #[must_use]
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, simulator: &str) -> Command {
        // A write beyond `limit_files` is an error then, and no signal that ends the process.
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", self.binary])
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
            .env("TWILIO_MESSAGING_BASE", simulator)
            .env("TWILIO_FROM", "whatsapp:+14155550100")
            .env("WORKER_CONCURRENCY", "64")
            .env("RUST_LOG", "warn")
            .env("LOG_FORMAT", "json")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// An admin's API key.
    ///
    /// # Errors
    /// When the program refuses to make one.
    pub fn api_key(&self, simulator: &str) -> Result<String> {
        let output =
            self.command(simulator).args(["api-key", "create", "--name", "tests", "--role", "admin"]).output()?;
        if !output.status.success() {
            bail!("api-key create failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Runs one of the program's commands beside the server. Its exit code, and what it printed.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, simulator: &str, arguments: &[&str]) -> Result<(Option<i32>, String)> {
        let output = self.command(simulator).args(arguments).output()?;
        let printed = [output.stdout, output.stderr].concat();
        Ok((output.status.code(), String::from_utf8_lossy(&printed).into_owned()))
    }

    /// Starts the program and waits until it is ready. Its log goes on in `serve.log`.
    ///
    /// # Errors
    /// With its log, when it does not get ready.
    pub async fn serve(&self, simulator: &str) -> Result<Process> {
        self.serve_as(simulator, "all", &self.address).await
    }

    /// The same for one of several processes: its role and where it listens.
    ///
    /// # Errors
    /// As [`Site::serve`].
    pub async fn serve_as(&self, simulator: &str, role: &str, address: &str) -> Result<Process> {
        let log = std::fs::File::options().create(true).append(true).open(self.path("serve.log"))?;
        let child = self
            .command(simulator)
            .args(["serve", "--role", role])
            .env("BIND_ADDR", address)
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting the program")?;
        let process = Process { child, url: format!("http://{address}") };
        ready(&format!("{}/readyz", process.url))
            .await
            .with_context(|| format!("the program's log: {}", self.log()))?;
        Ok(process)
    }

    /// Where the one that is called listens.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// PostgreSQL ends all connections to this site's database and takes no new ones for this time. False on SQLite.
    ///
    /// # Errors
    /// When PostgreSQL does not do it.
    pub async fn cut_database(&self, away: Duration) -> Result<bool> {
        let Some(server) = &self.server else { return Ok(false) };
        server.cut(away).await?;
        Ok(true)
    }

    /// Ends PostgreSQL, and starts it again after this time. False where it is no server of this site's own.
    ///
    /// # Errors
    /// When it does not end or start.
    pub async fn restart_database(&mut self, end: End, away: Duration) -> Result<bool> {
        let Some(postgres) = &mut self.postgres else { return Ok(false) };
        postgres.restart(end, away).await?;
        Ok(true)
    }

    /// PostgreSQL takes no writes to this site's database for this time. False on SQLite.
    ///
    /// # Errors
    /// When PostgreSQL does not do it.
    pub async fn refuse_writes(&self, meanwhile: Duration) -> Result<bool> {
        let Some(server) = &self.server else { return Ok(false) };
        server.refuse_writes(meanwhile).await?;
        Ok(true)
    }

    /// The clock of all processes with [`Site::with_clock`] is off by so many seconds from now on.
    ///
    /// # Errors
    /// When it cannot be told them.
    pub fn set_clock(&self, seconds: i64) -> Result<()> {
        // Never half written.
        std::fs::write(self.path("clock.new"), seconds.to_string())?;
        Ok(std::fs::rename(self.path("clock.new"), self.path("clock"))?)
    }

    /// Its processes have a clock that [`Site::set_clock`] sets.
    pub fn with_clock(&mut self) {
        self.set("TEST_CLOCK", self.path("clock").display());
    }

    /// The size of the database on disk, in bytes.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn database_bytes(&self) -> Result<u64> {
        if let Some(server) = &self.server {
            return Ok(server.size().await?);
        }
        let size = |name: &str| std::fs::metadata(self.path(name)).map_or(0, |file| file.len());
        Ok(size("engine.db") + size("engine.db-wal"))
    }

    /// Where the bytes of a PostgreSQL database are, by table; of SQLite nothing is told.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn table_bytes(&self) -> Result<BTreeMap<String, TableBytes>> {
        match &self.server {
            Some(server) => Ok(server.tables().await?),
            None => Ok(BTreeMap::new()),
        }
    }

    /// What the program has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("serve.log")).unwrap_or_default()
    }
}

/// A Redis of one's own.
pub struct Redis {
    address: String,
    child: Child,
}

impl Redis {
    /// Starts it, empty.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start() -> Result<Self> {
        let address = free_address()?;
        let child = Self::spawn(&address)?;
        let redis = Self { address, child };
        redis.ready().await?;
        Ok(redis)
    }

    fn spawn(address: &str) -> Result<Child> {
        let port = address.rsplit(':').next().unwrap_or_default();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("starting redis-server")
    }

    async fn ready(&self) -> Result<()> {
        let started = Instant::now();
        while tokio::net::TcpStream::connect(&self.address).await.is_err() {
            if started.elapsed() > Duration::from_secs(10) {
                bail!("redis-server is not there after ten seconds");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// At once; what it held is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again after [`Redis::kill`].
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> Result<()> {
        self.child = Self::spawn(&self.address)?;
        self.ready().await
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts the simulator: each message gets the callbacks `sent` and `delivered`.
///
/// # Errors
/// When it does not start.
pub async fn simulator(binary: &str) -> Result<Process> {
    let address = free_address()?;
    let child = Command::new(binary)
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
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
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

/// An address that nobody listens on.
///
/// # Errors
/// When there is none.
pub fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
