//! What a page can be told instead of a result: one variant for everything it shows differently.
//!
//! The text here is for people. Internal detail is logged on the server beside the reference, never serialised.

use domain::problem::FieldError;
use leptos::server_fn::{codec::JsonEncoding, error::FromServerFnError, error::ServerFnErrorErr};
use serde::{Deserialize, Serialize};

/// What was entered, field by field.
type Typed = Vec<(String, String)>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum AppError {
    #[error("not found")]
    NotFound,
    #[error("forbidden")]
    Forbidden,
    #[error("not logged in")]
    Unauthenticated,
    /// The page asked for something that the server had before it was replaced by a later version.
    #[error("the page is from an earlier version")]
    Outdated,
    /// Input to correct. `typed` is what was entered, so that a form without scripts can be filled in again.
    #[error("invalid input")]
    Invalid {
        fields: Vec<FieldError>,
        summary: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        typed: Typed,
    },
    /// Not possible from the present state; the reason says what to do.
    #[error("conflict: {reason}")]
    Conflict {
        reason: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        typed: Typed,
    },
    /// Not now: overloaded, too many tries, a part is away.
    #[error("unavailable: {reason}")]
    Unavailable {
        reason: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        typed: Typed,
    },
    #[error("internal error {reference}")]
    Internal {
        reference: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        typed: Typed,
    },
    #[error(transparent)]
    Transport(ServerFnErrorErr),
}

impl AppError {
    /// Input to correct, field by field.
    #[must_use]
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let summary = match fields.len() {
            1 => "One thing needs your attention.".to_owned(),
            n => format!("{n} things need your attention."),
        };
        Self::Invalid { fields, summary, typed: Vec::new() }
    }

    /// One field to correct.
    #[must_use]
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(field, message)])
    }

    #[must_use]
    pub fn conflict(reason: impl Into<String>) -> Self {
        Self::Conflict { reason: reason.into(), typed: Vec::new() }
    }

    #[must_use]
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), typed: Vec::new() }
    }

    /// Keeps what was typed, so that the form shows it again. Never pass a password.
    #[must_use]
    pub fn keep(mut self, values: &[(&str, &str)]) -> Self {
        if let Self::Invalid { typed, .. }
        | Self::Conflict { typed, .. }
        | Self::Unavailable { typed, .. }
        | Self::Internal { typed, .. } = &mut self
        {
            typed.extend(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        }
        self
    }

    /// What was entered in this field at the try that failed.
    #[must_use]
    pub fn typed(&self, name: &str) -> Option<&str> {
        self.kept()?.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether anything that was entered came back with the error.
    #[must_use]
    pub fn keeps_input(&self) -> bool {
        self.kept().is_some_and(|typed| !typed.is_empty())
    }

    const fn kept(&self) -> Option<&Typed> {
        match self {
            Self::Invalid { typed, .. }
            | Self::Conflict { typed, .. }
            | Self::Unavailable { typed, .. }
            | Self::Internal { typed, .. } => Some(typed),
            Self::NotFound | Self::Forbidden | Self::Unauthenticated | Self::Outdated | Self::Transport(_) => None,
        }
    }

    /// What is wrong with this field.
    #[must_use]
    pub fn of_field(&self, name: &str) -> Option<&str> {
        let Self::Invalid { fields, .. } = self else { return None };
        fields.iter().find(|error| error.field == name).map(|error| error.message.as_str())
    }

    /// An answer that cannot be read: page and server do not fit together.
    #[must_use]
    pub fn unreadable(error: serde_json::Error) -> Self {
        Self::Transport(ServerFnErrorErr::Deserialization(error.to_string()))
    }

    /// A heading for people.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        match self {
            Self::NotFound => "There is nothing here",
            Self::Forbidden => "You may not see this",
            Self::Unauthenticated => "Please log in",
            Self::Outdated => "This page is from an earlier version",
            Self::Invalid { .. } => "Please correct this",
            Self::Conflict { .. } => "Not possible right now",
            Self::Unavailable { .. } => "Not available for the moment",
            Self::Internal { .. } => "Something went wrong on our side",
            Self::Transport(ServerFnErrorErr::Request(_)) => "The server cannot be reached",
            Self::Transport(ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_)) => "The form was not complete",
            Self::Transport(_) => "The answer could not be read",
        }
    }

    /// What happened and what to do, for people.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::NotFound => "The address is wrong, or what was here has been deleted.".to_owned(),
            Self::Forbidden => "Your role does not include this. An admin can change that.".to_owned(),
            Self::Unauthenticated => "Your session has ended. Log in and you will be back here.".to_owned(),
            Self::Outdated => "Reload it.".to_owned(),
            Self::Invalid { summary, .. } => summary.clone(),
            Self::Conflict { reason, .. } | Self::Unavailable { reason, .. } => reason.clone(),
            Self::Internal { reference, .. } => {
                format!("Nothing you did caused this. If it stays, tell an admin this reference: {reference}")
            }
            Self::Transport(ServerFnErrorErr::Request(_)) => {
                "Nothing was changed. Check your connection and try again.".to_owned()
            }
            Self::Transport(ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_)) => {
                "A field is missing or cannot be read. Load the page again and repeat your change.".to_owned()
            }
            Self::Transport(_) => {
                "The page may be older than the server. Load it again; if it stays, tell an admin.".to_owned()
            }
        }
    }

    /// The status of a page that shows nothing but this.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::NotFound | Self::Outdated => 404,
            Self::Forbidden => 403,
            Self::Unauthenticated => 401,
            Self::Invalid { .. } => 422,
            Self::Conflict { .. } => 409,
            Self::Unavailable { .. } => 503,
            Self::Internal { .. } | Self::Transport(_) => 500,
        }
    }
}

impl FromServerFnError for AppError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        Self::Transport(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_way_to_the_browser() {
        let error = AppError::field("name", "is taken").keep(&[("name", "Offers"), ("body", &"x".repeat(40_000))]);
        let back = AppError::de(error.ser());
        assert_eq!(back, error);
        assert_eq!(back.of_field("name"), Some("is taken"));
        assert_eq!(back.typed("name"), Some("Offers"));
        assert_eq!(back.typed("body").map(str::len), Some(40_000), "whatever was typed");
    }

    #[test]
    fn what_was_typed_comes_back_whatever_went_wrong() {
        let away = AppError::Internal { reference: "r".to_owned(), typed: Vec::new() };
        for error in [AppError::field("text", "no"), AppError::conflict("no"), AppError::unavailable("no"), away] {
            assert!(!error.keeps_input());
            let back = AppError::de(error.keep(&[("text", "At nine")]).ser());
            assert_eq!(back.typed("text"), Some("At nine"), "{back:?}");
        }
    }

    #[test]
    fn garbage_is_a_transport_error() {
        assert!(matches!(AppError::de("nonsense".into()), AppError::Transport(_)));
    }
}
