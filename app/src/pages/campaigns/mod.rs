//! Campaigns.

use leptos::prelude::*;

use crate::{components::*, paths};

#[component]
pub fn CampaignsPage() -> impl IntoView {
    view! { <PageHeader title="Campaigns"/> }.into_any()
}

#[component]
pub fn NewCampaignPage() -> impl IntoView {
    view! { <PageHeader title="New campaign" crumbs=vec![crumb("Campaigns", paths::CAMPAIGNS)]/> }.into_any()
}

#[component]
pub fn CampaignPage() -> impl IntoView {
    view! { <PageHeader title="Campaign" crumbs=vec![crumb("Campaigns", paths::CAMPAIGNS)]/> }.into_any()
}

#[component]
pub fn EditCampaignPage() -> impl IntoView {
    view! { <PageHeader title="Edit campaign" crumbs=vec![crumb("Campaigns", paths::CAMPAIGNS)]/> }.into_any()
}

#[component]
pub fn LaunchCampaignPage() -> impl IntoView {
    view! { <PageHeader title="Launch campaign" crumbs=vec![crumb("Campaigns", paths::CAMPAIGNS)]/> }.into_any()
}

#[component]
pub fn CancelCampaignPage() -> impl IntoView {
    view! { <PageHeader title="Cancel campaign" crumbs=vec![crumb("Campaigns", paths::CAMPAIGNS)]/> }.into_any()
}

#[component]
pub fn RecipientsPage() -> impl IntoView {
    view! { <PageHeader title="Recipients" crumbs=vec![crumb("Campaigns", paths::CAMPAIGNS)]/> }.into_any()
}
