//! Templates.

use leptos::prelude::*;

use crate::{components::*, paths};

#[component]
pub fn TemplatesPage() -> impl IntoView {
    view! { <PageHeader title="Templates"/> }.into_any()
}

#[component]
pub fn TemplateEditorPage() -> impl IntoView {
    view! { <PageHeader title="Template" crumbs=vec![crumb("Templates", paths::TEMPLATES)]/> }.into_any()
}
