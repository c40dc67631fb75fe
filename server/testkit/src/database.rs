//! A freshly migrated database per test, gone afterwards.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use domain::time::Timestamp;
use store::{Db, Kind};
use tempfile::TempDir;
use uuid::Uuid;

const CONNECTIONS: u32 = 8;

/// One empty, migrated database; dropped with this value.
pub struct TestDb {
    pub db: Db,
    /// What `Db::connect` was given: for a second connection from outside.
    pub url: String,
    /// The SQLite file's folder; a place for other files of the test on both kinds.
    pub dir: TempDir,
    /// Dropped after the connections to it.
    _server: Option<Server>,
}

/// What a table takes on disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct TableBytes {
    pub rows: u64,
    pub indexes: u64,
}

/// A PostgreSQL server and a database that was made there; dropped with this value.
pub(crate) struct Server {
    url: String,
    name: String,
}

impl Server {
    pub(crate) async fn with_fresh_database(url: &str) -> store::Result<Self> {
        let name = format!("ese_test_{}", Uuid::new_v4().simple());
        admin(url, &format!("CREATE DATABASE {name}")).await?;
        Ok(Self { url: url.to_owned(), name })
    }

    pub(crate) fn database_url(&self) -> String {
        with_database(&self.url, &self.name)
    }

    /// The size of the database on disk, in bytes.
    pub(crate) async fn size(&self) -> store::Result<u64> {
        let db = Db::connect(&self.url, 1).await?;
        let query = format!("SELECT pg_database_size('{}') AS size", self.name);
        let row = store::one(db.reader(), query, Vec::new()).await?;
        let size = row.map(|row| row.get::<i64>("size")).transpose()?.unwrap_or_default();
        db.close().await?;
        Ok(size.unsigned_abs())
    }

    /// Where its bytes are, by table, partitions counted together.
    pub(crate) async fn tables(&self) -> store::Result<BTreeMap<String, TableBytes>> {
        const QUERY: &str = "SELECT COALESCE(p.relname, c.relname)::text AS name, \
            CAST(sum(pg_table_size(c.oid)) AS bigint) AS rows, CAST(sum(pg_indexes_size(c.oid)) AS bigint) AS indexes \
            FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent \
            WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1";
        let db = Db::connect(&self.database_url(), 1).await?;
        let mut tables = BTreeMap::new();
        for row in store::all(db.reader(), QUERY, Vec::new()).await? {
            let bytes = |column| row.get::<i64>(column).map(i64::unsigned_abs);
            tables.insert(row.get("name")?, TableBytes { rows: bytes("rows")?, indexes: bytes("indexes")? });
        }
        db.close().await?;
        Ok(tables)
    }

    /// Ends all connections to the database and takes no new ones for this time.
    pub(crate) async fn cut(&self, away: Duration) -> store::Result<()> {
        let name = &self.name;
        admin(&self.url, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await?;
        self.end_connections().await?;
        tokio::time::sleep(away).await;
        admin(&self.url, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await
    }

    /// The database takes no writes for this time: each connection keeps what held when it began, so all of them end.
    pub(crate) async fn refuse_writes(&self, meanwhile: Duration) -> store::Result<()> {
        let name = &self.name;
        admin(&self.url, &format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await?;
        self.end_connections().await?;
        tokio::time::sleep(meanwhile).await;
        admin(&self.url, &format!("ALTER DATABASE {name} RESET default_transaction_read_only")).await?;
        self.end_connections().await
    }

    async fn end_connections(&self) -> store::Result<()> {
        let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", self.name);
        admin(&self.url, &end).await
    }
}

/// One database of each kind to run the same test on.
///
/// # Panics
/// When a database cannot be made: then there is nothing to test.
pub async fn databases() -> Vec<TestDb> {
    let all = unmigrated().await;
    for test in &all {
        test.migrate().await;
    }
    all
}

/// As [`databases`], but without any table.
///
/// # Panics
/// When a database cannot be made.
pub async fn unmigrated() -> Vec<TestDb> {
    let mut all = vec![TestDb::sqlite().await];
    if let Some(url) = server_url() {
        all.push(TestDb::postgres(&url).await);
    }
    all
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration file: this is their one setting")]
pub(crate) fn server_url() -> Option<String> {
    std::env::var("TEST_DATABASE_URL").ok().filter(|url| !url.is_empty())
}

#[expect(clippy::expect_used, reason = "a test without its database has failed")]
impl TestDb {
    /// An SQLite file in a folder of its own.
    async fn sqlite() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}", dir.path().join("test.db").display());
        Self::open(url, dir, None).await
    }

    async fn postgres(server: &str) -> Self {
        let server = Server::with_fresh_database(server).await.expect("a new database on the test server");
        let dir = tempfile::tempdir().expect("a temporary folder");
        Self::open(server.database_url(), dir, Some(server)).await
    }

    async fn open(url: String, dir: TempDir, server: Option<Server>) -> Self {
        let db = Db::connect(&url, CONNECTIONS).await.expect("the test database answers");
        Self { db, url, dir, _server: server }
    }

    async fn migrate(&self) {
        migrations::up(&self.db.writer().connections()).await.expect("migrations run");
        let now = Timestamp::from_micros(1_795_392_000_000_000);
        store::months::ensure(&self.db, now).await.expect("partitions are made");
    }

    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.db.kind()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let (url, name) = (std::mem::take(&mut self.url), std::mem::take(&mut self.name));
        // A thread and runtime of its own: dropping is synchronous, and the test's runtime may be on its way out.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                if let Err(error) = runtime.block_on(admin(&url, &statement)) {
                    tracing::warn!(%error, database = name, "a test database was left behind");
                }
            }
        });
        let _ = dropped.join();
    }
}

/// How long a server that starts again may take to let us in.
const PATIENCE: Duration = Duration::from_secs(10);

async fn reached(server: &str) -> store::Result<Db> {
    let started = Instant::now();
    loop {
        match Db::connect(server, 1).await {
            Err(_) if started.elapsed() < PATIENCE => tokio::time::sleep(Duration::from_millis(50)).await,
            answer => return answer,
        }
    }
}

/// Runs one statement on the server's own database.
async fn admin(server: &str, statement: &str) -> store::Result<()> {
    let db = reached(server).await?;
    store::exec(db.writer(), statement, Vec::new()).await?;
    db.close().await
}

/// The server's URL with another database in its path.
fn with_database(server: &str, name: &str) -> String {
    let (base, query) = server.split_once('?').map_or((server, None), |(base, query)| (base, Some(query)));
    let authority = base.find("://").map_or(0, |at| at + 3);
    let end = base[authority..].find('/').map_or(base.len(), |at| authority + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{name}{query}", &base[..end])
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn only_the_database_changes() {
        assert_eq!(with_database("postgres://u:p@h:5/postgres?a=b", "x"), "postgres://u:p@h:5/x?a=b");
        assert_eq!(with_database("postgres://h", "x"), "postgres://h/x");
    }

    #[tokio::test]
    async fn a_fresh_database_is_empty_and_migrated() {
        for test in super::databases().await {
            let row = store::one(test.db.reader(), "SELECT CAST(count(*) AS bigint) AS n FROM contacts", Vec::new())
                .await
                .expect("the table is there")
                .expect("one row");
            assert_eq!(row.get::<i64>("n").expect("a number"), 0);
        }
    }
}
