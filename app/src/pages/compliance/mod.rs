//! Compliance: words in doubt, who must not be messaged, who was asked for a yes, and the words by which people say so.

mod api;
mod chart;
mod keywords;
mod opt_outs;
mod overview;
mod pending;
mod suppressions;

use domain::role::Permission;
use leptos::prelude::*;

use crate::{components::may, paths};

/// The pages of this feature.
#[derive(Clone, Copy)]
pub enum Page {
    Overview,
    OptOuts,
    Suppressions,
    Pending,
    Keywords,
}

/// Shows one of them.
pub fn open(page: Page) -> AnyView {
    match page {
        Page::Overview => overview::page(),
        Page::OptOuts => opt_outs::page(),
        Page::Suppressions => suppressions::page(),
        Page::Pending => pending::page(),
        Page::Keywords => keywords::page(),
    }
}

/// The ways between them: put below the page's header.
fn tabs(current: &'static str) -> AnyView {
    let tab = |label: &'static str, path: &'static str| {
        view! { <a href=path aria-current=(path == current).then_some("page")>{label}</a> }
    };
    view! {
        <nav class="tabs tabs--line" aria-label="Compliance">
            {tab("To decide", paths::COMPLIANCE)}
            {tab("Opt-outs", paths::OPT_OUTS)}
            {tab("Suppressed numbers", paths::SUPPRESSIONS)}
            {tab("Waiting for a yes", paths::PENDING)}
            {may(Permission::Administer).then(|| tab("Keywords", paths::KEYWORDS))}
        </nav>
    }
    .into_any()
}
