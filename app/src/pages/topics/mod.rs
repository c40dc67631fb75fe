//! Topics.

use leptos::prelude::*;

use crate::components::*;

#[component]
pub fn TopicsPage() -> impl IntoView {
    view! { <PageHeader title="Topics"/> }.into_any()
}
