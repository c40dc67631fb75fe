//! Connections: pools of their own for what is sent, for webhooks, for what is read and for what sending looks at all the
//! time, so that none waits behind another.

use std::{sync::Arc, time::Duration};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, sqlx::Connection as _};

use crate::{
    Result,
    pool::{Pool, Tx},
    watch::Watch,
};

/// Which database it is, where the two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Postgres,
    Sqlite,
}

impl Kind {
    /// The kind of database behind a connection or transaction.
    #[must_use]
    pub fn of(db: &impl ConnectionTrait) -> Self {
        match db.get_database_backend() {
            DbBackend::Postgres => Self::Postgres,
            _ => Self::Sqlite,
        }
    }

    /// ` FOR UPDATE` where rows are locked one by one; nothing under SQLite's single writer.
    #[must_use]
    pub const fn for_update(self) -> &'static str {
        match self {
            Self::Postgres => " FOR UPDATE",
            Self::Sqlite => "",
        }
    }

    /// ` FOR UPDATE SKIP LOCKED` where rows are locked one by one; nothing under SQLite's single writer.
    #[must_use]
    pub const fn skip_locked(self) -> &'static str {
        match self {
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
            Self::Sqlite => "",
        }
    }

    /// The function of the least of its values.
    pub(crate) const fn least(self) -> &'static str {
        match self {
            Self::Postgres => "LEAST",
            Self::Sqlite => "min",
        }
    }

    /// The function of the greatest of its values.
    pub(crate) const fn greatest(self) -> &'static str {
        match self {
            Self::Postgres => "GREATEST",
            Self::Sqlite => "max",
        }
    }
}

/// SQLite's page cache of the one writer, which an import's and a plan's index pages should fit into …
const WRITER_CACHE_KIB: u32 = 20 * 1024;
/// … and of each reader. What they miss is in the system's own cache. Neither maps the file into memory: each
/// connection would count its own copy.
const READER_CACHE_KIB: u32 = 2 * 1024;

/// Where SQLite puts what a statement sorts or sets aside.
#[derive(Clone, Copy)]
enum TempStore {
    Memory,
    /// In memory only as much as the cache holds. Counting a run's messages sorts them all, 65 bytes each: eight readers in turn
    /// kept 25 MiB each for a run of 400,000.
    File,
}

/// Below so many connections they are one pool: parts of it would be too small.
const WORTH_PARTING: u32 = 12;

/// For the small looks that sending depends on: they come many times a second, and each takes a moment.
const LOOKOUT: u32 = 2;

/// The database.
#[derive(Clone, Debug)]
pub struct Db {
    write: Pool,
    read: Pool,
    /// For webhooks. On SQLite it is the one writer, too.
    ingest: Pool,
    lookout: Pool,
    kind: Kind,
}

impl Db {
    /// Connects to `sqlite://path` (made when missing) or `postgres://…`.
    ///
    /// # Errors
    /// When the database cannot be reached or opened.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self> {
        if url.starts_with("sqlite:") {
            Self::connect_sqlite(url, max_connections).await
        } else {
            Self::connect_postgres(url, max_connections).await
        }
    }

    async fn connect_postgres(url: &str, max_connections: u32) -> Result<Self> {
        let pool = async |connections| Database::connect(postgres_options(url, connections)).await;
        if max_connections < WORTH_PARTING {
            let all = pool(max_connections).await?;
            let watch = watch(&all).await?;
            let all = Pool::postgres(all, &watch);
            let (read, ingest, lookout) = (all.clone(), all.clone(), all.clone());
            return Ok(Self { write: all, read, ingest, lookout, kind: Kind::Postgres });
        }
        let part = (max_connections - LOOKOUT) * 5 / 16;
        let write = pool(max_connections - LOOKOUT - 2 * part).await?;
        let (ingest, lookout) = (pool(part).await?, pool(LOOKOUT).await?);
        // All of them from now on, as far as they are to be had, and for good: what comes over a connection is heard by the
        // threads that opened it, which are to be those here.
        let mut reading = postgres_options(url, part);
        reading.min_connections(part).connect_lazy(true).max_lifetime(None).idle_timeout(None);
        let read = Database::connect(reading).await?;
        let watch = watch(&write).await?;
        let [write, read, ingest, lookout] =
            [write, read, ingest, lookout].map(|connections| Pool::postgres(connections, &watch));
        Ok(Self { write, read, ingest, lookout, kind: Kind::Postgres })
    }

    async fn connect_sqlite(url: &str, max_connections: u32) -> Result<Self> {
        let url = if url.contains('?') { url.to_owned() } else { format!("{url}?mode=rwc") };
        // The writer first: it makes the file and sets the journal mode.
        let write = Database::connect(sqlite_options(&url, 1, (WRITER_CACHE_KIB, TempStore::Memory))).await?;
        let reading = (READER_CACHE_KIB, TempStore::File);
        let read = Database::connect(sqlite_options(&url, max_connections.clamp(2, 8), reading)).await?;
        let lookout = Database::connect(sqlite_options(&url, LOOKOUT, reading)).await?;
        let [write, read, lookout] = [write, read, lookout].map(Pool::sqlite);
        Ok(Self { ingest: write.clone(), write, read, lookout, kind: Kind::Sqlite })
    }

    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// For queries outside a transaction.
    #[must_use]
    pub const fn reader(&self) -> &Pool {
        &self.read
    }

    /// For the small looks that sending depends on, which wait for no page, preview or export. What may take long has no
    /// place here: opt-outs are read this way.
    #[must_use]
    pub const fn lookout(&self) -> &Pool {
        &self.lookout
    }

    /// For single statements that write; several belong into a transaction.
    #[must_use]
    pub const fn writer(&self) -> &Pool {
        &self.write
    }

    /// Starts a write transaction. On SQLite it takes the write lock at once (`BEGIN IMMEDIATE`): a transaction that
    /// reads first and writes later would fail as soon as there are two of them.
    ///
    /// # Errors
    /// When no connection is to be had.
    pub async fn begin(&self) -> Result<Tx> {
        begin(&self.write).await
    }

    /// The same for webhooks, which wait for no sender and no page.
    ///
    /// # Errors
    /// When no connection is to be had.
    pub async fn begin_ingest(&self) -> Result<Tx> {
        begin(&self.ingest).await
    }

    /// Closes the pools; connections in use finish first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn close(self) -> Result<()> {
        // The same pool may be closed twice.
        self.read.close().await?;
        self.lookout.close().await?;
        self.ingest.close().await?;
        Ok(self.write.close().await?)
    }
}

async fn begin(pool: &Pool) -> Result<Tx> {
    crate::sql::count_transaction();
    Ok(pool.begin().await?)
}

/// Looks after the database that these connect to.
async fn watch(connections: &DatabaseConnection) -> Result<Arc<Watch>> {
    let options = connections.get_postgres_connection_pool().connect_options();
    Ok(Arc::new(Watch::start(options).await?))
}

fn options(url: &str, max_connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(max_connections)
        .acquire_timeout(Duration::from_secs(10))
        .connect_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .sqlx_logging(false);
    options
}

fn sqlite_options(url: &str, max_connections: u32, (cache_kib, temp_store): (u32, TempStore)) -> ConnectOptions {
    let mut options = options(url, max_connections);
    options.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite
            .pragma("journal_mode", "WAL")
            // A commit that was answered survives a power cut, not only a crash of the program.
            .pragma("synchronous", "FULL")
            // INSERT OR REPLACE removes rows: with this, guards against DELETE hear of it. No trigger sets off another one.
            .pragma("recursive_triggers", "ON")
            .pragma(
                "temp_store",
                match temp_store {
                    TempStore::Memory => "MEMORY",
                    TempStore::File => "FILE",
                },
            )
            // Negative: KiB instead of pages.
            .pragma("cache_size", format!("-{cache_kib}"))
            .busy_timeout(Duration::from_secs(10))
            .statement_cache_capacity(256)
    });
    // When the disk is full or fails, SQLite ends the transaction by itself, and the driver goes on taking the connection for
    // one inside of it: nothing could ever be written again. Such a connection is replaced.
    options.map_sqlx_sqlite_before_acquire(|connection, _| {
        Box::pin(async move {
            if connection.is_in_transaction() {
                // The end of one that was given up may still be on its way.
                connection.ping().await?;
            }
            Ok(!connection.is_in_transaction())
        })
    });
    options
}

/// By these the server finds within half a minute that a process has vanished without a word, and undoes and unlocks what
/// that had in hand. What it sends to find that out also keeps firewalls from forgetting idle connections.
const PROBES: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "4"),
    ("tcp_user_timeout", "30000"),
];

fn postgres_options(url: &str, max_connections: u32) -> ConnectOptions {
    let mut options = options(url, max_connections);
    options.map_sqlx_postgres_opts(|postgres| {
        postgres
            .application_name("event-stream-engine")
            .statement_cache_capacity(256)
            .options([("idle_in_transaction_session_timeout", "30000"), ("jit", "off")])
            .options(PROBES)
    });
    options
}
