//! Putting the program together: `main` and the tests start the same server.

use std::{fs::File, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::{Router, serve::ListenerExt as _};
use engine::{
    Engine, Purpose,
    clock::{Clock, SystemClock},
    private,
    workers::{self, Role, Workers},
    zones,
};
use migrations::{DbErr, Migrator, MigratorTrait as _};
use sea_orm_migration::MigrationStatus;
use simulator::Simulator;
use store::Db;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    config::Config,
    health,
    http::{
        self,
        desk::{self, Desk},
        leave::{self, Doors},
    },
    shutdown::Shutdown,
    telemetry, test_clock,
};

/// How long requests under way may take to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// How long after that messages in hand may take: as long as a request to the provider at most. With the rest less than the
/// half minute that containers are given to stop.
const FINISH: Duration = Duration::from_secs(15);
/// How long the database's connections may take to close.
const CLOSE: Duration = Duration::from_secs(3);
/// How long a database server may take to let us in at the start.
const REACH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the database may take to say that it is there.
const READY_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the metrics' histograms are folded.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// Whether the start brings the schema up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrate {
    Yes,
    No,
}

/// A server that listens and is not serving yet.
pub struct Server {
    addr: SocketAddr,
    public_url: String,
    role: Role,
    engine: Engine,
    db: Db,
    listener: TcpListener,
    router: Router,
    simulator: Option<simulator::Running>,
    /// Closed after the database, whose connections for what is read are its own.
    _desk: Desk,
    /// Held until the server is gone.
    _lock: Option<File>,
}

/// Binds, connects, migrates, and puts everything together. Nothing runs by itself before [`Server::run`].
///
/// # Errors
/// When the address is taken, or the database is away, foreign, or of another schema or key.
pub async fn build(config: &Config, migrate: Migrate, role: Role) -> anyhow::Result<Server> {
    check_zones(role)?;
    // First, because it tells quickest that the program runs already.
    let listener = TcpListener::bind(config.bind)
        .await
        .with_context(|| format!("cannot listen on {} (BIND_ADDR)", config.bind))?;
    let addr = listener.local_addr()?;
    let public_url = config.public_url(addr);
    let lock = lock_database(config)?;
    let desk = Desk::open().context("the system gives no threads")?;
    // Where pages are made, what they ask the database is heard first.
    let opening = {
        let config = config.clone();
        async move { open_database(&config, migrate).await }
    };
    let db = desk::done(desk.handle(), opening).await.context("the start was broken off")??;
    let simulator = match &config.twilio {
        Some(_) => None,
        None => Some(start_simulator(&public_url).await?),
    };
    let simulator_url = simulator.as_ref().map(simulator::Running::base_url);
    let engine_config = config.engine(public_url.clone(), simulator_url);
    let clock: Arc<dyn Clock> = match &config.test_clock {
        Some(file) => test_clock::read(file.clone()),
        None => Arc::new(SystemClock),
    };
    let engine = open_engine(Purpose::Serve, db.clone(), engine_config, clock).await?;
    let readiness = Readiness::new(db.clone(), engine.clone());
    let metrics = telemetry::metrics()?;
    let operators = health::router(readiness, metrics);
    let router = if role.is_called() {
        http::router(http::Parts {
            sessions: http::session::Sessions::new(db.clone(), engine.clone()),
            operators,
            engine: engine.clone(),
            desk: desk.handle().clone(),
            public_url: url::Url::parse(&public_url)?,
            trusted_proxies: config.trusted_proxies.clone(),
        })
    } else {
        operators
    };
    Ok(Server { addr, public_url, role, engine, db, listener, router, simulator, _desk: desk, _lock: lock })
}

/// Zones that are known to be wrong would message people in their night: such a process sends nothing.
fn check_zones(role: Role) -> anyhow::Result<()> {
    let (used, system) = (zones::version(), zones::system_version().unwrap_or("none"));
    tracing::info!(used, system, "time zones");
    refuse_wrong_zones(role, used, &zones::stale())
}

fn refuse_wrong_zones(role: Role, used: &str, wrong: &[&str]) -> anyhow::Result<()> {
    anyhow::ensure!(
        wrong.is_empty() || !role.sends(),
        "the time zone data {used} is wrong about {}: update the machine's tzdata",
        wrong.join(", ")
    );
    Ok(())
}

/// An embedded database is one process's for as long as it lives; the system takes the lock back however it ends.
fn lock_database(config: &Config) -> anyhow::Result<Option<File>> {
    let Some(path) = config.database_file() else { return Ok(None) };
    let path = path.with_added_extension("lock");
    private::folder(&config.data_dir)
        .and_then(|()| File::create(&path))
        .with_context(|| format!("cannot make the file {} (DATABASE_URL)", path.display()))
        .and_then(|file| match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => anyhow::bail!(
                "another process serves this database (DATABASE_URL): stop it, or use PostgreSQL for several processes"
            ),
            // A file system without locks.
            Err(std::fs::TryLockError::Error(error)) => {
                tracing::warn!(%error, "whether another process serves this database cannot be told");
                Ok(None)
            }
        })
}

/// The engine without a server around it, for the command line.
///
/// # Errors
/// As [`build`].
pub async fn engine(config: &Config) -> anyhow::Result<Engine> {
    let db = open_database(config, Migrate::Yes).await?;
    let config = config.engine(config.public_url(config.bind), None);
    open_engine(Purpose::Command, db, config, Arc::new(SystemClock)).await
}

async fn open_engine(
    purpose: Purpose,
    db: Db,
    config: engine::config::Config,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Engine> {
    let opened = Engine::open_for(purpose, db, config, clock).await;
    opened.context("cannot start on this database (DATABASE_URL)")
}

async fn open_database(config: &Config, migrate: Migrate) -> anyhow::Result<Db> {
    let db = connect(config).await?;
    if migrate == Migrate::Yes {
        let brought = migrations::up(&db.writer().connections()).await;
        brought.context("cannot bring the database's schema up to date (DATABASE_URL)")?;
    }
    if let Err(problem) = check_schema(&db).await {
        anyhow::bail!("the database (DATABASE_URL) does not fit this program: {problem}");
    }
    Ok(db)
}

async fn connect(config: &Config) -> anyhow::Result<Db> {
    if config.is_embedded() {
        private::folder(&config.data_dir)
            .with_context(|| format!("cannot make the folder {} (DATABASE_URL)", config.data_dir.display()))?;
        if let Some(path) = config.new_database_file() {
            // SQLite would let everybody read it; what it puts beside it is as the file is.
            private::file(&path).with_context(|| format!("cannot make the file {} (DATABASE_URL)", path.display()))?;
        }
    } else {
        reach(&config.database_url).await?;
    }
    Db::connect(&config.database_url, config.database_connections)
        .await
        .context("cannot open the database (DATABASE_URL)")
}

/// Knocks at the database server: its pool would try for long and then say only that time ran out.
async fn reach(database_url: &str) -> anyhow::Result<()> {
    let Ok(url) = url::Url::parse(database_url) else { return Ok(()) };
    let Some(host) = url.host_str().filter(|host| !host.is_empty() && !host.starts_with("%2F")) else { return Ok(()) };
    let port = url.port().unwrap_or(5432);
    let knocked = tokio::time::timeout(REACH_TIMEOUT, TcpStream::connect((host, port))).await;
    let answer = knocked.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    answer.map(|_| ()).with_context(|| format!("the database server {host}:{port} (DATABASE_URL) cannot be reached"))
}

/// Brings the schema up to date.
///
/// # Errors
/// When the database is away, or its schema is not ours.
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    open_database(config, Migrate::Yes).await.map(|_| ())
}

/// The program's migrations in order, and whether each of them ran.
///
/// # Errors
/// As [`migrate`].
pub async fn schema(config: &Config) -> anyhow::Result<Vec<(String, bool)>> {
    migration_status(&connect(config).await?)
        .await
        .map_err(|problem| anyhow::anyhow!("the database (DATABASE_URL): {problem}"))
}

async fn start_simulator(public_url: &str) -> anyhow::Result<simulator::Running> {
    let settings = simulator::Settings {
        inbound_url: Some(format!("{public_url}/webhooks/twilio/inbound")),
        ..simulator::Settings::default()
    };
    Ok(Simulator::start(("127.0.0.1", 0), settings).await?)
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What people call.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The built-in simulator, when there is one.
    #[must_use]
    pub fn simulator(&self) -> Option<&simulator::Control> {
        self.simulator.as_ref().map(simulator::Running::control)
    }

    /// Serves until told to stop, then takes nothing new and finishes what is under way.
    ///
    /// # Errors
    /// When the listener or the database fails.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let workers = workers::start(&self.engine, self.role);
        let upkeep = tokio::spawn(fold_metrics());
        let listener = Doors::new(self.listener, shutdown.clone()).tap_io(|stream| {
            // Small answers must not wait for more; if it cannot be set, they are only slower.
            let _ = stream.set_nodelay(true);
        });
        let service = leave::layer(self.router, &shutdown).into_make_service_with_connect_info::<SocketAddr>();
        let serve = axum::serve(listener, service).with_graceful_shutdown(leave::over(shutdown.clone()));
        let served = tokio::select! {
            served = serve.into_future() => served.context("the listener failed"),
            () = drained(&shutdown, &workers) => {
                tracing::warn!("some requests did not finish in time");
                Ok(())
            }
        };
        tokio::select! {
            () = stop(workers, self.simulator) => {}
            () = tokio::time::sleep(FINISH) => {
                tracing::warn!("not everything in hand was finished in time; others take it over when its leases end");
            }
            () = shutdown.hard.cancelled() => {}
        }
        upkeep.abort();
        drop(self.engine);
        // Connections in use by what did not finish would keep it waiting.
        let closed = tokio::time::timeout(CLOSE, self.db.close()).await;
        served?;
        if let Ok(closed) = closed {
            closed.context("the database did not close")?;
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// Ends once requests under way have had their time; from the signal on, nothing is claimed that they would wait for.
async fn drained(shutdown: &Shutdown, workers: &Workers) {
    shutdown.soft.cancelled().await;
    workers.begin_nothing();
    tokio::select! {
        () = tokio::time::sleep(DRAIN) => {}
        () = shutdown.hard.cancelled() => {}
    }
}

async fn stop(workers: Workers, simulator: Option<simulator::Running>) {
    workers.stop().await;
    // After the workers: their requests end there.
    if let Some(simulator) = simulator {
        simulator.shutdown().await;
    }
}

async fn fold_metrics() {
    let mut tick = tokio::time::interval(METRICS_UPKEEP);
    loop {
        tick.tick().await;
        if let Ok(metrics) = telemetry::metrics() {
            metrics.run_upkeep();
        }
    }
}

/// Whether the server may get traffic: the database answers and has the schema that this program serves, and so does the
/// Redis that it shares with others.
#[derive(Clone)]
pub struct Readiness {
    db: Db,
    engine: Engine,
}

impl Readiness {
    #[must_use]
    pub const fn new(db: Db, engine: Engine) -> Self {
        Self { db, engine }
    }

    /// # Errors
    /// Why not, in words.
    pub async fn check(&self) -> Result<(), String> {
        match tokio::time::timeout(READY_TIMEOUT, check_schema(&self.db)).await {
            Ok(checked) => checked?,
            Err(_) => return Err("the database does not answer".to_owned()),
        }
        self.engine.check_shared().await.map_err(str::to_owned)
    }
}

/// Compares the migrations that ran with those of this program.
async fn check_schema(db: &Db) -> Result<(), String> {
    let migrations = migration_status(db).await?;
    match migrations.iter().find(|(_, applied)| !applied) {
        Some((name, _)) => Err(format!("its schema lacks {name}: run `event-stream-engine migrate up`")),
        None => Ok(()),
    }
}

/// Each migration and whether it ran; in words what is wrong with the list.
async fn migration_status(db: &Db) -> Result<Vec<(String, bool)>, String> {
    let db = db.reader().connections();
    let migrations = Migrator::get_migration_with_status_read_only(&db).await.map_err(|error| match error {
        DbErr::Custom(_) => "its schema was made by another program, or by a newer version of this one".to_owned(),
        error => {
            tracing::warn!(%error, "the list of migrations cannot be read");
            "its list of migrations cannot be read".to_owned()
        }
    })?;
    let applied = |status| matches!(status, MigrationStatus::Applied);
    Ok(migrations.iter().map(|migration| (migration.name().to_owned(), applied(migration.status()))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_sends_does_not_start_with_wrong_time_zones() {
        let wrong = ["Africa/Casablanca", "America/Winnipeg"];
        for role in [Role::All, Role::Worker] {
            let error = refuse_wrong_zones(role, "2025b", &wrong).expect_err("it would send").to_string();
            let told = "2025b is wrong about Africa/Casablanca, America/Winnipeg: update the machine's tzdata";
            assert!(error.ends_with(told), "{error}");
            assert!(refuse_wrong_zones(role, "2026f", &[]).is_ok());
        }
        assert!(refuse_wrong_zones(Role::Web, "2025b", &wrong).is_ok(), "webhooks are taken all the same");
    }
}
