//! Login.

use leptos::prelude::*;

use crate::components::*;

#[component]
pub fn LoginPage() -> impl IntoView {
    view! { <PageHeader title="Log in"/> }.into_any()
}
