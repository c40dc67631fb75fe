//! A PostgreSQL server of one's own, which may be stopped and killed without anybody else noticing.

use std::{
    fs::File,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::program::free_address;

/// Where Debian and Ubuntu have its programs, one folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// It takes so many connections: four processes have up to 76.
const CONNECTIONS: u32 = 150;

/// How the server ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// Connections are ended, what they had begun is rolled back.
    Fast,
    /// At once; the next start recovers from the log of writes.
    Immediate,
    /// `kill -9` of its first process, which has no time to tell the others.
    Killed,
}

/// The server, in a folder that goes away with it.
pub struct Postgres {
    folder: tempfile::TempDir,
    programs: PathBuf,
    port: String,
    /// PostgreSQL refuses to run as root: then whose numbers it runs by.
    user: Option<(u32, u32)>,
    /// Its first process, while it runs.
    child: Option<Child>,
}

impl Postgres {
    /// Makes and starts one. What is committed outlives its end, for the machine goes on; it need not outlive a power cut.
    /// `None` where its programs are not installed.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start() -> Result<Option<Self>> {
        let Some(programs) = programs() else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        let password = folder.path().join("password");
        std::fs::write(&password, "test")?;
        let user = run_as()?;
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&password, Some(uid), Some(gid))?;
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid))?;
        }
        let address = free_address()?;
        let port = address.rsplit(':').next().unwrap_or_default().to_owned();
        let mut server = Self { folder, programs, port, user, child: None };
        let make = ["--pgdata=data", "--username=test", "--auth=password", "--pwfile=password", "--no-sync"];
        let mut command = server.command("initdb");
        command.args(make).args(["--encoding=UTF8", "--locale=C.UTF-8"]).stdout(Stdio::null()).stderr(Stdio::null());
        let status = ended(&mut command.spawn().context("starting initdb")?).await?;
        ensure!(status.success(), "initdb: {status}");
        server.serve().await?;
        Ok(Some(server))
    }

    /// An administrator's URL, of the database `postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://test:test@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends it, and starts it again after this time.
    ///
    /// # Errors
    /// When it does not end, or does not start.
    pub async fn restart(&mut self, end: End, away: Duration) -> Result<()> {
        let mut child = self.child.take().context("it runs")?;
        match end {
            End::Fast => signal(&child, "INT")?,
            End::Immediate => signal(&child, "QUIT")?,
            End::Killed => child.kill()?,
        }
        ended(&mut child).await?;
        tokio::time::sleep(away).await;
        self.serve().await
    }

    /// Starts it and waits until it takes connections. The parts of a killed one may need a moment to notice: as long as
    /// they are there, a new one ends at once.
    async fn serve(&mut self) -> Result<()> {
        let started = Instant::now();
        self.child = Some(self.spawn()?);
        while started.elapsed() < Duration::from_secs(30) {
            if self.child.as_mut().is_none_or(|child| matches!(child.try_wait(), Ok(Some(_)))) {
                self.child = Some(self.spawn()?);
            }
            let mut ask = self.command("pg_isready");
            ask.args(["-q", "-h", "127.0.0.1", "-p", &self.port]);
            if ended(&mut ask.spawn().context("starting pg_isready")?).await?.success() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("PostgreSQL is not there after half a minute: {}", self.log())
    }

    fn spawn(&self) -> Result<Child> {
        let log = File::options().create(true).append(true).open(self.folder.path().join("postgresql.log"))?;
        let mut command = self.command("postgres");
        command.args(["-D", "data", "-p", &self.port, "-k", "."]).args(["-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", "fsync=off", "-c", "shared_buffers=64MB", "-c", &format!("max_connections={CONNECTIONS}")]);
        command.stdout(Stdio::null()).stderr(log).spawn().context("starting postgres")
    }

    /// One of its programs, in its folder, as whoever it runs as.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("postgresql.log")).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = signal(&child, "QUIT");
            let _ = child.wait();
        }
    }
}

fn signal(child: &Child, name: &str) -> Result<()> {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status()?;
    if status.success() { Ok(()) } else { bail!("kill -s {name}: {status}") }
}

/// Waits for its end, and lets others go on meanwhile.
async fn ended(child: &mut Child) -> Result<ExitStatus> {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(60) {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("a program of PostgreSQL has not ended after a minute")
}

/// Where the newest installed version has its programs.
fn programs() -> Option<PathBuf> {
    let version = |folder: &Path| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let installed = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = installed.filter_map(|folder| Some((version(&folder)?, folder.join("bin")))).max();
    newest.map(|(_, programs)| programs).filter(|programs| programs.join("initdb").exists())
}

fn run_as() -> Result<Option<(u32, u32)>> {
    if number("-u", None)? != 0 {
        return Ok(None);
    }
    let postgres = number("-u", Some("postgres")).and_then(|uid| Ok((uid, number("-g", Some("postgres"))?)));
    // Nobody, on every Linux.
    Ok(Some(postgres.unwrap_or((65_534, 65_534))))
}

/// What `id` says of a user, or of whoever runs this.
fn number(which: &str, user: Option<&str>) -> Result<u32> {
    let output = Command::new("id").arg(which).args(user).output().context("id")?;
    String::from_utf8(output.stdout)?.trim().parse().context("a number")
}
