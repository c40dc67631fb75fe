//! Which page is shown under which address. Every page is rendered whole before it is sent (`SsrMode::Async`): so it
//! works without scripts, and has the right status and title.

use leptos::prelude::*;
use leptos_router::{
    SsrMode,
    components::{FlatRoutes, Route},
    path,
};

use crate::{
    components::ErrorPage,
    error::AppError,
    groups::{Page, People, Plans, Records, Rules},
    pages::{audiences, campaigns, compliance, contacts, events, imports, inbox, settings, templates},
};

/// The route table. Fixed addresses (`/contacts/new`) stand before those with a parameter (`/contacts/{phone}`); the
/// editors of audiences and templates get the id `new` for a new one.
#[component]
pub fn Pages() -> impl IntoView {
    const MODE: SsrMode = SsrMode::Async;
    view! {
        <FlatRoutes fallback=|| view! { <ErrorPage error=AppError::NotFound/> }>
            <Route path=path!("/") view=Page::People(People::Dashboard) ssr=MODE/>
            <Route path=path!("/login") view=Page::People(People::Login) ssr=MODE/>
            <Route path=path!("/account") view=Page::Rules(Rules::Account) ssr=MODE/>
            <Route path=path!("/contacts") view=Page::People(People::Contacts(contacts::Page::List)) ssr=MODE/>
            <Route path=path!("/contacts/new") view=Page::People(People::Contacts(contacts::Page::New)) ssr=MODE/>
            <Route path=path!("/contacts/:phone") view=Page::People(People::Contacts(contacts::Page::One)) ssr=MODE/>
            <Route path=path!("/inbox") view=Page::Inbox(inbox::Page::List) ssr=MODE/>
            <Route path=path!("/inbox/:phone") view=Page::Inbox(inbox::Page::One) ssr=MODE/>
            <Route path=path!("/imports") view=Page::People(People::Imports(imports::Page::List)) ssr=MODE/>
            <Route path=path!("/imports/new") view=Page::People(People::Imports(imports::Page::New)) ssr=MODE/>
            <Route path=path!("/imports/:id") view=Page::People(People::Imports(imports::Page::One)) ssr=MODE/>
            <Route path=path!("/topics") view=Page::Rules(Rules::Topics) ssr=MODE/>
            <Route path=path!("/audiences") view=Page::Audiences(audiences::Page::List) ssr=MODE/>
            <Route path=path!("/audiences/:id") view=Page::Audiences(audiences::Page::One) ssr=MODE/>
            <Route path=path!("/templates") view=Page::Rules(Rules::Templates(templates::Page::List)) ssr=MODE/>
            <Route path=path!("/templates/approved") view=Page::Rules(Rules::Templates(templates::Page::Approved)) ssr=MODE/>
            <Route path=path!("/templates/:id") view=Page::Template ssr=MODE/>
            <Route path=path!("/campaigns") view=Page::Runs(campaigns::Page::List) ssr=MODE/>
            <Route path=path!("/calendar") view=Page::Plans(Plans::Calendar) ssr=MODE/>
            <Route path=path!("/campaigns/new") view=Page::Drafts(campaigns::Editor::New) ssr=MODE/>
            <Route path=path!("/campaigns/:id") view=Page::Runs(campaigns::Page::One) ssr=MODE/>
            <Route path=path!("/campaigns/:id/edit") view=Page::Drafts(campaigns::Editor::Edit) ssr=MODE/>
            <Route path=path!("/campaigns/:id/launch") view=Page::Plans(Plans::Launch) ssr=MODE/>
            <Route path=path!("/campaigns/:id/rehearsal") view=Page::Plans(Plans::Rehearsal) ssr=MODE/>
            <Route path=path!("/campaigns/:id/why") view=Page::Records(Records::Why) ssr=MODE/>
            <Route path=path!("/campaigns/:id/cancel") view=Page::Runs(campaigns::Page::Cancel) ssr=MODE/>
            <Route path=path!("/campaigns/:id/recipients") view=Page::Plans(Plans::Recipients) ssr=MODE/>
            <Route path=path!("/events") view=Page::Records(Records::Events(events::Page::List)) ssr=MODE/>
            <Route path=path!("/events/triggers") view=Page::Records(Records::Events(events::Page::Triggers)) ssr=MODE/>
            <Route path=path!("/events/triggers/:number") view=Page::Records(Records::Events(events::Page::Trigger)) ssr=MODE/>
            <Route path=path!("/events/:id") view=Page::Records(Records::Events(events::Page::One)) ssr=MODE/>
            <Route path=path!("/messages/:id") view=Page::Records(Records::Message) ssr=MODE/>
            <Route path=path!("/settings/senders") view=Page::Settings(settings::Page::Senders) ssr=MODE/>
            <Route path=path!("/settings/senders/:id") view=Page::Settings(settings::Page::Sender) ssr=MODE/>
            <Route path=path!("/settings/general") view=Page::Settings(settings::Page::General) ssr=MODE/>
            <Route path=path!("/settings/quiet-hours") view=Page::Settings(settings::Page::QuietHours) ssr=MODE/>
            <Route path=path!("/settings/auto-replies") view=Page::Settings(settings::Page::AutoReplies) ssr=MODE/>
            <Route path=path!("/settings/error-codes") view=Page::Settings(settings::Page::ErrorCodes) ssr=MODE/>
            <Route path=path!("/settings/error-codes/:code") view=Page::Settings(settings::Page::ErrorCode) ssr=MODE/>
            <Route path=path!("/settings/processes") view=Page::Settings(settings::Page::Processes) ssr=MODE/>
            <Route path=path!("/compliance") view=Page::Rules(Rules::Compliance(compliance::Page::Overview)) ssr=MODE/>
            <Route path=path!("/compliance/suppressions") view=Page::Rules(Rules::Compliance(compliance::Page::Suppressions)) ssr=MODE/>
            <Route path=path!("/compliance/opt-outs") view=Page::Rules(Rules::Compliance(compliance::Page::OptOuts)) ssr=MODE/>
            <Route path=path!("/compliance/pending") view=Page::Rules(Rules::Compliance(compliance::Page::Pending)) ssr=MODE/>
            <Route path=path!("/compliance/keywords") view=Page::Rules(Rules::Compliance(compliance::Page::Keywords)) ssr=MODE/>
            <Route path=path!("/simulator") view=Page::Simulator ssr=MODE/>
        </FlatRoutes>
    }
}
