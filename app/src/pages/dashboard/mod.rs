//! Dashboard.

use leptos::prelude::*;

use crate::components::*;

#[component]
pub fn DashboardPage() -> impl IntoView {
    view! { <PageHeader title="Dashboard"/> }.into_any()
}
