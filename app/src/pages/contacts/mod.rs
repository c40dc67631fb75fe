//! Contacts.

use leptos::prelude::*;

use crate::{components::*, paths};

#[component]
pub fn ContactsPage() -> impl IntoView {
    view! { <PageHeader title="Contacts"/> }.into_any()
}

#[component]
pub fn NewContactPage() -> impl IntoView {
    view! { <PageHeader title="New contact" crumbs=vec![crumb("Contacts", paths::CONTACTS)]/> }.into_any()
}

#[component]
pub fn ContactPage() -> impl IntoView {
    view! { <PageHeader title="Contact" crumbs=vec![crumb("Contacts", paths::CONTACTS)]/> }.into_any()
}
