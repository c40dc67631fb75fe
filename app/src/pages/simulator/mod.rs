//! Simulator.

use leptos::prelude::*;

use crate::components::*;

#[component]
pub fn SimulatorPage() -> impl IntoView {
    view! { <PageHeader title="Simulator"/> }.into_any()
}
