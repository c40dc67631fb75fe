//! What a service may answer instead of a result. Few variants, each one something a caller can act on; text for
//! people apart from text for the log; turned into HTTP only at the very edge.

use domain::problem::FieldError;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a service did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing (or not for this actor).
    #[error("no such {what}")]
    NotFound { what: &'static str },
    /// Nobody is logged in, or the key is wrong.
    #[error("not authenticated")]
    Unauthenticated,
    #[error("not allowed")]
    Forbidden,
    /// Input to correct, field by field.
    #[error("{}", .0.iter().map(|error| format!("{}: {}", error.field, error.message)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
    /// Not possible from the present state; the text says which and what to do.
    #[error("{0}")]
    Conflict(String),
    /// The edit was made on an earlier version: the fields in which it differs from what is stored by now, each with that.
    #[error("changed meanwhile")]
    Stale(Vec<FieldError>),
    /// The input is larger than what is taken.
    #[error("{0}")]
    TooLarge(String),
    /// Too many tries.
    #[error("too many tries; wait {retry_after_seconds} seconds")]
    TooMany { retry_after_seconds: u32 },
    /// For the moment: the queue is full, the database or the provider is away.
    #[error("{0}")]
    Unavailable(String),
    /// A bug or a broken part; people see a reference, the log sees this.
    #[error("internal: {0}")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }

    pub fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }

    /// `Err(Invalid)` when there is something to correct.
    ///
    /// # Errors
    /// When `errors` is not empty.
    pub fn unless_valid(errors: Vec<FieldError>) -> Result<()> {
        if errors.is_empty() { Ok(()) } else { Err(Self::Invalid(errors)) }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotFound => Self::NotFound { what: "entry" },
            store::Error::Stale => {
                Self::Conflict("Somebody else changed this meanwhile. Load it again and repeat your change.".to_owned())
            }
            store::Error::Duplicate(_) => Self::Conflict("There is one with this name or key already.".to_owned()),
            other => Self::Internal(Box::new(other)),
        }
    }
}
