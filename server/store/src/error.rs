use sea_orm::{DbErr, RuntimeErr, SqlErr, SqlxError};

/// What can go wrong below the services.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No row with this key.
    #[error("not found")]
    NotFound,
    /// The row was changed since it was read, or is not in the state the change asks for.
    #[error("changed meanwhile")]
    Stale,
    /// A unique key is taken.
    #[error("exists already: {0}")]
    Duplicate(String),
    /// A stored value cannot be read back: a bug or a damaged database.
    #[error("stored value of {column} cannot be read: {problem}")]
    Corrupt { column: &'static str, problem: String },
    #[error(transparent)]
    Database(DbErr),
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(detail)) => Self::Duplicate(detail),
            _ => match error {
                DbErr::RecordNotFound(_) | DbErr::RecordNotUpdated => Self::NotFound,
                other => Self::Database(other),
            },
        }
    }
}

impl Error {
    /// Whether the same transaction may succeed when tried again: PostgreSQL's deadlock and serialization failures,
    /// a busy SQLite.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        let Self::Database(error) = self else { return false };
        let text = error.to_string();
        ["40P01", "40001", "deadlock detected", "could not serialize", "database is locked", "database table is locked"]
            .iter()
            .any(|sign| text.contains(sign))
    }

    /// Whether the transaction waited in vain for what somebody else was using: PostgreSQL's `lock_timeout`.
    #[must_use]
    pub fn is_lock_timeout(&self) -> bool {
        let Self::Database(DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) =
            self
        else {
            return false;
        };
        matches!(&**error, SqlxError::Database(error) if error.code().is_some_and(|code| code == "55P03"))
    }

    /// Whether the database is not to be had for the moment: it cannot be reached, has no connection left, is stopping
    /// or has no room. Nothing is wrong with what was to be done.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
            DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => match &**error {
                SqlxError::Database(error) => error.code().is_some_and(|code| is_out_of_service(&code)),
                error => matches!(
                    error,
                    SqlxError::Io(_)
                        | SqlxError::Tls(_)
                        | SqlxError::Protocol(_)
                        | SqlxError::PoolTimedOut
                        | SqlxError::PoolClosed
                        | SqlxError::WorkerCrashed
                ),
            },
            _ => false,
        }
    }
}

/// PostgreSQL's classes 08 (connection), 53 (no resources), 57 (stopped by an operator), 58 (system), and 25006 (it takes
/// no writes for now: a standby, or a server that protects itself); SQLite's read-only (8), I/O error (10), each with its
/// variants, and full disk (13).
fn is_out_of_service(code: &str) -> bool {
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => matches!(number & 0xff, 8 | 10 | 13),
        _ => ["08", "25006", "53", "57", "58"].iter().any(|class| code.starts_with(class)),
    }
}
