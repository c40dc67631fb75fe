use sea_orm::{DbErr, SqlErr};

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
}
