//! Messages.

use leptos::prelude::*;

use crate::{components::*, paths};

#[component]
pub fn MessagePage() -> impl IntoView {
    view! { <PageHeader title="Message" crumbs=vec![crumb("Campaigns", paths::CAMPAIGNS)]/> }.into_any()
}
