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
    pages::{
        audiences::{AudienceEditorPage, AudiencesPage},
        campaigns::{
            CampaignPage, CampaignsPage, CancelCampaignPage, EditCampaignPage, LaunchCampaignPage, NewCampaignPage,
            RecipientsPage,
        },
        contacts::{ContactPage, ContactsPage, NewContactPage},
        dashboard::DashboardPage,
        imports::{ImportPage, ImportsPage, NewImportPage},
        login::LoginPage,
        messages::MessagePage,
        simulator::SimulatorPage,
        templates::{TemplateEditorPage, TemplatesPage},
        topics::TopicsPage,
    },
};

/// The route table. Fixed addresses (`/contacts/new`) stand before those with a parameter (`/contacts/{phone}`); the
/// editors of audiences and templates get the id `new` for a new one.
#[component]
pub fn Pages() -> impl IntoView {
    const MODE: SsrMode = SsrMode::Async;
    view! {
        <FlatRoutes fallback=|| view! { <ErrorPage error=AppError::NotFound/> }>
            <Route path=path!("/") view=DashboardPage ssr=MODE/>
            <Route path=path!("/login") view=LoginPage ssr=MODE/>
            <Route path=path!("/contacts") view=ContactsPage ssr=MODE/>
            <Route path=path!("/contacts/new") view=NewContactPage ssr=MODE/>
            <Route path=path!("/contacts/:phone") view=ContactPage ssr=MODE/>
            <Route path=path!("/imports") view=ImportsPage ssr=MODE/>
            <Route path=path!("/imports/new") view=NewImportPage ssr=MODE/>
            <Route path=path!("/imports/:id") view=ImportPage ssr=MODE/>
            <Route path=path!("/topics") view=TopicsPage ssr=MODE/>
            <Route path=path!("/audiences") view=AudiencesPage ssr=MODE/>
            <Route path=path!("/audiences/:id") view=AudienceEditorPage ssr=MODE/>
            <Route path=path!("/templates") view=TemplatesPage ssr=MODE/>
            <Route path=path!("/templates/:id") view=TemplateEditorPage ssr=MODE/>
            <Route path=path!("/campaigns") view=CampaignsPage ssr=MODE/>
            <Route path=path!("/campaigns/new") view=NewCampaignPage ssr=MODE/>
            <Route path=path!("/campaigns/:id") view=CampaignPage ssr=MODE/>
            <Route path=path!("/campaigns/:id/edit") view=EditCampaignPage ssr=MODE/>
            <Route path=path!("/campaigns/:id/launch") view=LaunchCampaignPage ssr=MODE/>
            <Route path=path!("/campaigns/:id/cancel") view=CancelCampaignPage ssr=MODE/>
            <Route path=path!("/campaigns/:id/recipients") view=RecipientsPage ssr=MODE/>
            <Route path=path!("/messages/:id") view=MessagePage ssr=MODE/>
            <Route path=path!("/simulator") view=SimulatorPage ssr=MODE/>
        </FlatRoutes>
    }
}
