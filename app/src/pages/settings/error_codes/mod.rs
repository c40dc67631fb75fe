//! What the provider's error codes mean, and what follows from them.

mod api;
mod form;
mod list;
#[cfg(feature = "ssr")]
mod words;

use form::ErrorCodePage;
use leptos::prelude::*;
use list::ErrorCodesPage;

/// Shows all of them.
pub fn list() -> AnyView {
    ErrorCodesPage().into_any()
}

/// Shows one to change.
pub fn one() -> AnyView {
    ErrorCodePage().into_any()
}
