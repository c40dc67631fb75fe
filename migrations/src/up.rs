//! Bringing a database up to date.

use sea_orm_migration::{
    MigratorTrait as _,
    sea_orm::{
        ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode,
        Statement, TransactionOptions, TransactionTrait as _,
    },
};

use crate::Migrator;

/// The advisory lock that PostgreSQL holds while a process migrates: any number, but always this one.
const LOCK: i64 = 0x0065_7365_6D69_6772;

/// Why a database was not brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("it holds tables of another program ({0}): give this one a database of its own")]
    Foreign(String),
    #[error("its schema was made by another program, or by a newer version of this one ({0})")]
    Unknown(String),
    #[error(transparent)]
    Database(#[from] DbErr),
}

/// Brings the schema up to date. Processes that start at the same time do it one after the other, and all or nothing:
/// it runs in one transaction, under an advisory lock on PostgreSQL and the write lock on SQLite.
///
/// # Errors
/// When the database is another program's, and what the database says; then nothing was changed.
pub async fn up(db: &DatabaseConnection) -> Result<(), Error> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let tx = db.begin_with_options(options).await?;
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    }
    refuse_foreign(&tx).await?;
    Migrator::up(&tx, None).await?;
    Ok(tx.commit().await?)
}

/// Only an empty database, or one of ours, gets our tables.
async fn refuse_foreign(tx: &DatabaseTransaction) -> Result<(), Error> {
    let tables = names(tx, tables_query(tx.get_database_backend())).await?;
    if !tables.iter().any(|table| table == MIGRATIONS) {
        let some: Vec<&str> = tables.iter().take(3).map(String::as_str).collect();
        return if some.is_empty() { Ok(()) } else { Err(Error::Foreign(some.join(", "))) };
    }
    let known: Vec<String> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    let ran = names(tx, "SELECT version AS name FROM seaql_migrations ORDER BY version").await?;
    match ran.into_iter().find(|version| !known.contains(version)) {
        Some(unknown) => Err(Error::Unknown(unknown)),
        None => Ok(()),
    }
}

/// Where the migrations that ran are listed.
const MIGRATIONS: &str = "seaql_migrations";

/// The tables that somebody made; those of PostgreSQL's extensions belong to nobody.
const fn tables_query(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => {
            "SELECT CAST(c.relname AS text) AS name FROM pg_class c \
             WHERE c.relkind IN ('r', 'p') AND c.relnamespace = CAST(current_schema() AS regnamespace) \
             AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY 1"
        }
        _ => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1"
        }
    }
}

async fn names(tx: &DatabaseTransaction, query: &str) -> Result<Vec<String>, DbErr> {
    let statement = Statement::from_string(tx.get_database_backend(), query);
    tx.query_all_raw(statement).await?.iter().map(|row| row.try_get("", "name")).collect()
}
