//! Senders: the numbers and Messaging Services that messages go out from, and the Twilio accounts behind them.

mod accounts;
mod api;
mod form;
mod list;
#[cfg(feature = "ssr")]
mod words;

use form::SenderPage;
use leptos::prelude::*;
use list::SendersPage;

/// Shows all of them.
pub fn list() -> AnyView {
    SendersPage().into_any()
}

/// Shows one to change, or a new one.
pub fn one() -> AnyView {
    SenderPage().into_any()
}
