//! Audiences.

use leptos::prelude::*;

use crate::{components::*, paths};

#[component]
pub fn AudiencesPage() -> impl IntoView {
    view! { <PageHeader title="Audiences"/> }.into_any()
}

#[component]
pub fn AudienceEditorPage() -> impl IntoView {
    view! { <PageHeader title="Audience" crumbs=vec![crumb("Audiences", paths::AUDIENCES)]/> }.into_any()
}
