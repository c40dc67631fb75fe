//! What a server function works with. The only place that reads the request's context.

use domain::{account::Account, actor::Actor, problem::FieldError};
use engine::{Engine, Error};
use http::request::Parts;
use leptos::prelude::use_context;

use crate::error::AppError;

/// The engine, and who asks it.
pub struct Ctx {
    pub engine: Engine,
    pub actor: Actor,
}

/// The engine and the account that is logged in.
///
/// # Errors
/// `Unauthenticated` when nobody is.
pub fn ctx() -> Result<Ctx, AppError> {
    let engine = use_context::<Engine>().ok_or_else(|| internal("a server function ran outside a request"))?;
    let actor = extension::<Actor>().ok_or(AppError::Unauthenticated)?;
    Ok(Ctx { engine, actor })
}

/// The account that is logged in.
///
/// # Errors
/// `Unauthenticated` when nobody is.
pub fn account() -> Result<Account, AppError> {
    extension().ok_or(AppError::Unauthenticated)
}

/// What the server put into the request.
fn extension<T: Clone + Send + Sync + 'static>() -> Option<T> {
    use_context::<Parts>()?.extensions.get::<T>().cloned()
}

/// A failure that people see as a reference only; the log says what it was.
fn internal(error: impl std::fmt::Display) -> AppError {
    // The actor knows the id that the request's log lines carry.
    let reference = extension::<Actor>().and_then(|actor| actor.request_id).unwrap_or_else(|| "none".to_owned());
    tracing::error!(reference, %error, "a page's request failed");
    AppError::Internal { reference, typed: Vec::new() }
}

impl From<Error> for AppError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound { .. } => Self::NotFound,
            Error::Unauthenticated => Self::Unauthenticated,
            Error::Forbidden => Self::Forbidden,
            Error::Invalid(fields) => Self::invalid(fields),
            Error::Conflict(reason) => Self::conflict(reason),
            Error::Stale(fields) => stale(fields),
            Error::TooLarge(reason) => Self::conflict(reason),
            error @ Error::TooMany { .. } => Self::unavailable(sentence(&error.to_string())),
            Error::Unavailable(reason) => Self::unavailable(reason),
            Error::Internal(error) => internal(error),
        }
    }
}

/// Somebody else was quicker. What they stored stands beside each field that differs, and saving again replaces it: the
/// page has the new version by then.
fn stale(fields: Vec<FieldError>) -> AppError {
    let fields: Vec<FieldError> = fields.into_iter().filter(|error| error.field != "version").collect();
    if fields.is_empty() {
        return AppError::conflict("Somebody else has saved this meanwhile. Load it again and repeat your change.");
    }
    let summary = "Somebody else has saved this meanwhile. What is stored now stands beside what you entered; saving \
                   again puts yours in its place.";
    AppError::Invalid { fields, summary: summary.to_owned(), typed: Vec::new() }
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| format!("{}{}.", first.to_uppercase(), characters.as_str())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_save_shows_what_is_stored_beside_what_was_typed() {
        let differs = |field: &str| FieldError::new(field, "Stored now: “Offers”.");
        let error = AppError::from(Error::Stale(vec![differs("name"), differs("version")])).keep(&[("name", "News")]);
        assert_eq!(error.of_field("name"), Some("Stored now: “Offers”."));
        assert_eq!((error.of_field("version"), error.typed("name")), (None, Some("News")));
        assert!(matches!(AppError::from(Error::Stale(vec![differs("version")])), AppError::Conflict { .. }));
    }
}
