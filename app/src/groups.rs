//! Which pages' code the browser fetches together. What several groups have in common is in the main file, which every page
//! loads; so a page costs its group, not the whole app. README.md says how to choose one for a page.

use leptos::prelude::*;
#[cfg(feature = "ssr")]
use leptos_meta::Link;
use leptos_router::ChooseView;

use crate::pages::{
    account, audiences, calendar, campaigns, compliance, contacts, dashboard, events, imports, inbox, login, messages,
    settings, simulator, templates, topics,
};

/// A page of the route table, by its group.
#[derive(Clone, Copy)]
pub enum Page {
    People(People),
    Rules(Rules),
    Settings(settings::Page),
    Audiences(audiences::Page),
    /// Writing a template.
    Template,
    /// A campaign's making.
    Drafts(campaigns::Editor),
    Plans(Plans),
    Runs(campaigns::Page),
    Records(Records),
    /// Talking with single people.
    Inbox(inbox::Page),
    Simulator,
}

/// Where one starts, and who there is to write to.
#[derive(Clone, Copy)]
pub enum People {
    Dashboard,
    Login,
    Contacts(contacts::Page),
    Imports(imports::Page),
}

/// What holds for everything that is sent, and one's own account.
#[derive(Clone, Copy)]
pub enum Rules {
    Account,
    Topics,
    /// Which ones there are, and which WhatsApp has approved.
    Templates(templates::Page),
    Compliance(compliance::Page),
}

/// Who gets what, and when.
#[derive(Clone, Copy)]
pub enum Plans {
    Calendar,
    Rehearsal,
    Launch,
    Recipients,
}

/// What became of single messages.
#[derive(Clone, Copy)]
pub enum Records {
    Message,
    /// Why a person got a campaign's message, or did not.
    Why,
    /// What the provider says of it.
    Events(events::Page),
}

#[lazy(people)]
fn people(page: People) -> AnyView {
    match page {
        People::Dashboard => dashboard::open(),
        People::Login => login::open(),
        People::Contacts(page) => contacts::open(page),
        People::Imports(page) => imports::open(page),
    }
}

#[lazy(rules)]
fn rules(page: Rules) -> AnyView {
    match page {
        Rules::Account => account::open(),
        Rules::Topics => topics::open(),
        Rules::Templates(page) => templates::open(page),
        Rules::Compliance(page) => compliance::open(page),
    }
}

#[lazy(audiences)]
fn audiences(page: audiences::Page) -> AnyView {
    audiences::open(page)
}

#[lazy(settings)]
fn settings(page: settings::Page) -> AnyView {
    settings::open(page)
}

#[lazy(template)]
fn template() -> AnyView {
    templates::edit()
}

#[lazy(drafts)]
fn drafts(page: campaigns::Editor) -> AnyView {
    campaigns::edit(page)
}

#[lazy(plans)]
fn plans(page: Plans) -> AnyView {
    match page {
        Plans::Calendar => calendar::open(),
        Plans::Rehearsal => campaigns::rehearsal(),
        Plans::Launch => campaigns::launch(),
        Plans::Recipients => campaigns::recipients(),
    }
}

#[lazy(runs)]
fn runs(page: campaigns::Page) -> AnyView {
    campaigns::open(page)
}

#[lazy(records)]
fn records(page: Records) -> AnyView {
    match page {
        Records::Message => messages::open(),
        Records::Why => campaigns::why(),
        Records::Events(page) => events::open(page),
    }
}

#[lazy(inbox)]
fn inbox(page: inbox::Page) -> AnyView {
    inbox::open(page)
}

#[lazy(simulator)]
fn simulator() -> AnyView {
    simulator::open()
}

impl ChooseView for Page {
    async fn choose(self) -> AnyView {
        #[cfg(feature = "ssr")]
        fetch_ahead(match self {
            Self::People(_) => "people",
            Self::Rules(_) => "rules",
            Self::Audiences(_) => "audiences",
            Self::Settings(_) => "settings",
            Self::Template => "template",
            Self::Drafts(_) => "drafts",
            Self::Plans(_) => "plans",
            Self::Runs(_) => "runs",
            Self::Records(_) => "records",
            Self::Inbox(_) => "inbox",
            Self::Simulator => "simulator",
        });
        match self {
            Self::People(page) => people(page).await,
            Self::Rules(page) => rules(page).await,
            Self::Audiences(page) => audiences(page).await,
            Self::Settings(page) => settings(page).await,
            Self::Template => template().await,
            Self::Drafts(page) => drafts(page).await,
            Self::Plans(page) => plans(page).await,
            Self::Runs(page) => runs(page).await,
            Self::Records(page) => records(page).await,
            Self::Inbox(page) => inbox(page).await,
            Self::Simulator => simulator().await,
        }
    }

    async fn preload(&self) {}
}

/// Names the group's files in the head of the page: else the browser would learn of them only when the main one runs. Leptos
/// would do it too, but looks for its list of files in whatever context the thread happens to be in.
#[cfg(feature = "ssr")]
fn fetch_ahead(group: &str) {
    let Some(assets) = use_context::<crate::Assets>() else { return };
    for file in assets.groups.get(group).into_iter().flatten() {
        // Made into HTML here, it goes to the head.
        let link = view! {
            <Link rel="preload" href=file.clone() as_="fetch" type_="application/wasm" crossorigin="anonymous"/>
        };
        let _ = link.to_html();
    }
}
