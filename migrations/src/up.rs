//! Bringing a database up to date.

use sea_orm_migration::{
    MigratorTrait as _,
    sea_orm::{
        ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, SqliteTransactionMode, TransactionOptions,
        TransactionTrait as _,
    },
};

use crate::Migrator;

/// The advisory lock that PostgreSQL holds while a process migrates: any number, but always this one.
const LOCK: i64 = 0x0065_7365_6D69_6772;

/// Brings the schema up to date. Processes that start at the same time do it one after the other, and all or nothing:
/// it runs in one transaction, under an advisory lock on PostgreSQL and the write lock on SQLite.
///
/// # Errors
/// What the database says; then nothing was changed.
pub async fn up(db: &DatabaseConnection) -> Result<(), DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let tx = db.begin_with_options(options).await?;
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    }
    Migrator::up(&tx, None).await?;
    tx.commit().await
}
