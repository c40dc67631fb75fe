//! What the frame around every page shows: who is logged in, whether sending is on, whether the simulator is used.
//!
//! The server puts a [`Frame`] into the request's extensions before it renders a page or runs a server function.

use domain::{role::Role, settings::Sending};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::AppError;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Nobody, on the login page.
    pub account: Option<FrameAccount>,
    pub sending: Sending,
    /// A simulator takes the messages: the built-in one, as no Twilio account is set, or one in a process of its own.
    pub simulator: bool,
    /// On the login page: the e-mail of a try that failed.
    #[serde(default)]
    pub typed_email: String,
    /// Without scripts: why the form failed that this page comes back from.
    #[serde(default)]
    pub failed: Option<Failed>,
}

/// Names a [`Failed`] in the address. Called as Leptos calls its own errors there: it takes the name out of what it leads back to.
pub const FAILED: &str = "__err";

/// A form that failed, with what was typed into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// What stands in the address.
    pub id: String,
    /// The path of the server function that it was sent to.
    pub function: String,
    pub error: AppError,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameAccount {
    pub email: String,
    pub role: Role,
    /// The one-time password was not changed yet.
    pub password_is_temporary: bool,
}

impl FrameAccount {
    /// One or two letters for the round badge, whose style makes them large.
    #[must_use]
    pub fn initials(&self) -> String {
        let name = self.email.split('@').next().unwrap_or_default();
        name.split(['.', '-', '_']).filter_map(|part| part.chars().next()).take(2).collect()
    }
}

/// The frame as a signal, anywhere below [`crate::App`]: pages hide what the role may not do.
#[must_use]
pub fn use_frame() -> RwSignal<Frame> {
    use_context().unwrap_or_default()
}

/// The frame again, after it may have changed.
#[server]
pub async fn load_frame() -> Result<Frame, AppError> {
    Ok(current())
}

/// The frame of the request at hand; empty where there is none (the route list is made without one).
#[cfg(feature = "ssr")]
pub(crate) fn current() -> Frame {
    use_context::<http::request::Parts>().and_then(|parts| parts.extensions.get::<Frame>().cloned()).unwrap_or_default()
}

/// Only the server knows it; the browser reads what the server has written into the page.
#[cfg(not(feature = "ssr"))]
pub(crate) fn current() -> Frame {
    Frame::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials() {
        let of = |email: &str| {
            FrameAccount { email: email.to_owned(), role: Role::Viewer, password_is_temporary: false }.initials()
        };
        assert_eq!(of("nimal.perera@example.com"), "np");
        assert_eq!(of("ops@example.com"), "o");
    }
}
