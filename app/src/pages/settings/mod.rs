//! Settings: what messages go out from, when nobody is messaged, what the provider's errors mean, which processes are at work.

mod auto_replies;
mod error_codes;
mod general;
mod processes;
mod quiet;
mod senders;

use domain::role::Permission;
use leptos::prelude::*;

use crate::{components::may, paths};

/// The pages of this feature.
#[derive(Clone, Copy)]
pub enum Page {
    Senders,
    Sender,
    ErrorCodes,
    ErrorCode,
    General,
    QuietHours,
    AutoReplies,
    Processes,
}

/// Shows one of them.
pub fn open(page: Page) -> AnyView {
    match page {
        Page::Senders => senders::list(),
        Page::Sender => senders::one(),
        Page::ErrorCodes => error_codes::list(),
        Page::ErrorCode => error_codes::one(),
        Page::General => general::page(),
        Page::QuietHours => quiet::page(),
        Page::AutoReplies => auto_replies::page(),
        Page::Processes => processes::page(),
    }
}

/// The ways between them: put below the page's header.
fn tabs(current: &'static str) -> AnyView {
    let tab = |label: &'static str, path: &'static str| {
        view! { <a href=path aria-current=(path == current).then_some("page")>{label}</a> }
    };
    view! {
        <nav class="tabs tabs--line" aria-label="Settings">
            {tab("Senders", paths::SENDERS)}
            {may(Permission::Administer).then(|| tab("General", paths::GENERAL))}
            {may(Permission::Administer).then(|| tab("Quiet hours", paths::QUIET_HOURS))}
            {may(Permission::Administer).then(|| tab("Automatic replies", paths::AUTO_REPLIES))}
            {tab("Error codes", paths::ERROR_CODES)}
            {tab("Processes", paths::PROCESSES)}
        </nav>
    }
    .into_any()
}
