//! Imports.

use leptos::prelude::*;

use crate::{components::*, paths};

#[component]
pub fn ImportsPage() -> impl IntoView {
    view! { <PageHeader title="Imports"/> }.into_any()
}

#[component]
pub fn NewImportPage() -> impl IntoView {
    view! { <PageHeader title="Import contacts" crumbs=vec![crumb("Imports", paths::IMPORTS)]/> }.into_any()
}

#[component]
pub fn ImportPage() -> impl IntoView {
    view! { <PageHeader title="Import" crumbs=vec![crumb("Imports", paths::IMPORTS)]/> }.into_any()
}
