//! Which pages' code the browser fetches together. What the groups have in common is cut out by the build, for each set of
//! groups that shares it; so a page costs its group, not the whole app. README.md says how to choose one for a page.

use leptos::prelude::*;
#[cfg(feature = "ssr")]
use leptos_meta::Link;
use leptos_router::ChooseView;

use crate::pages::{
    account, audiences, campaigns, contacts, dashboard, imports, login, messages, simulator, templates, topics,
};

/// A page of the route table, by its group.
#[derive(Clone, Copy)]
pub enum Page {
    People(People),
    Runs(Runs),
    Editors(Editors),
    Texts(Texts),
}

/// Where one starts, and who there is to write to.
#[derive(Clone, Copy)]
pub enum People {
    Dashboard,
    Login,
    Account,
    Contacts(contacts::Page),
    Imports(imports::Page),
    Topics,
}

/// What is and was sent.
#[derive(Clone, Copy)]
pub enum Runs {
    Campaigns(campaigns::Page),
    Message,
}

/// Saying who gets what.
#[derive(Clone, Copy)]
pub enum Editors {
    Audiences(audiences::Page),
    Campaigns(campaigns::Editor),
}

/// What is said, and how it looks on a phone.
#[derive(Clone, Copy)]
pub enum Texts {
    Templates(templates::Page),
    Simulator,
}

#[lazy(people)]
fn people(page: People) -> AnyView {
    match page {
        People::Dashboard => dashboard::open(),
        People::Login => login::open(),
        People::Account => account::open(),
        People::Contacts(page) => contacts::open(page),
        People::Imports(page) => imports::open(page),
        People::Topics => topics::open(),
    }
}

#[lazy(runs)]
fn runs(page: Runs) -> AnyView {
    match page {
        Runs::Campaigns(page) => campaigns::open(page),
        Runs::Message => messages::open(),
    }
}

#[lazy(editors)]
fn editors(page: Editors) -> AnyView {
    match page {
        Editors::Audiences(page) => audiences::open(page),
        Editors::Campaigns(page) => campaigns::edit(page),
    }
}

#[lazy(texts)]
fn texts(page: Texts) -> AnyView {
    match page {
        Texts::Templates(page) => templates::open(page),
        Texts::Simulator => simulator::open(),
    }
}

impl ChooseView for Page {
    async fn choose(self) -> AnyView {
        #[cfg(feature = "ssr")]
        fetch_ahead(match self {
            Self::People(_) => "people",
            Self::Runs(_) => "runs",
            Self::Editors(_) => "editors",
            Self::Texts(_) => "texts",
        });
        match self {
            Self::People(page) => people(page).await,
            Self::Runs(page) => runs(page).await,
            Self::Editors(page) => editors(page).await,
            Self::Texts(page) => texts(page).await,
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
