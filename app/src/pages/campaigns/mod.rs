//! Campaigns: the list, the wizard, one campaign with its run, launching and cancelling, the recipients.

mod actions;
mod api;
mod cancel;
#[cfg(feature = "ssr")]
mod charts;
mod detail;
mod launch;
mod list;
mod people;
mod plan;
mod recipients;
mod rehearsal;
mod why;
mod wizard;

use cancel::CancelCampaignPage;
use detail::CampaignPage;
use domain::{message::State, run::Ledger};
use launch::LaunchCampaignPage;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use list::CampaignsPage;
use recipients::RecipientsPage;
use rehearsal::RehearsalPage;
use why::WhyPage;
use wizard::{EditCampaignPage, NewCampaignPage};

use crate::{
    components::{Crumbs, crumb, may},
    paths,
};

/// The pages around a campaign that is there.
#[derive(Clone, Copy)]
pub enum Page {
    List,
    One,
    Cancel,
}

/// The pages that make a campaign. They are a matter of their own, so that the others need not bring their code along.
#[derive(Clone, Copy)]
pub enum Editor {
    New,
    Edit,
}

/// Shows a page.
pub fn open(page: Page) -> AnyView {
    match page {
        Page::List => CampaignsPage().into_any(),
        Page::One => CampaignPage().into_any(),
        Page::Cancel => CancelCampaignPage().into_any(),
    }
}

/// Shows a page that makes a campaign.
pub fn edit(page: Editor) -> AnyView {
    match page {
        Editor::New => NewCampaignPage().into_any(),
        Editor::Edit => EditCampaignPage().into_any(),
    }
}

/// Shows what a rehearsal found.
pub fn rehearsal() -> AnyView {
    RehearsalPage().into_any()
}

/// Shows what a launch would do, and does it.
pub fn launch() -> AnyView {
    LaunchCampaignPage().into_any()
}

/// Shows the people of a run.
pub fn recipients() -> AnyView {
    RecipientsPage().into_any()
}

/// Shows why somebody got it, or did not.
pub fn why() -> AnyView {
    WhyPage().into_any()
}

/// The campaign's id of the page's address.
fn use_id() -> impl Fn() -> String + Copy + Send + Sync + 'static {
    let params = use_params_map();
    move || params.with(|params| params.get("id").unwrap_or_default())
}

/// The way up from a page below a campaign.
fn below(id: impl std::fmt::Display, name: &str) -> Crumbs {
    vec![crumb("Campaigns", paths::CAMPAIGNS), crumb(name, paths::campaign(id))]
}

/// A drawing of the server's, or why there is none.
fn chart(drawn: Option<String>, none: &'static str) -> AnyView {
    match drawn {
        Some(svg) => view! { <div class="chart-box" inner_html=svg></div> }.into_any(),
        None => view! { <p class="muted">{none}</p> }.into_any(),
    }
}

/// How many nothing more will happen to, short of a late report.
fn settled(ledger: &Ledger) -> i64 {
    State::ALL.iter().filter(|state| state.is_final()).map(|state| ledger.count(*state)).sum()
}
