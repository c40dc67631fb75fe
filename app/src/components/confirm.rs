//! Questions before something that cannot be taken back: pages of their own, so that they work without scripts and can
//! show the numbers.

use leptos::prelude::*;

use super::header::{Crumbs, PageHeader};

/// A page that asks. Its children are the facts and the form with the button; `back` leads away without doing it.
#[component]
pub fn ConfirmPage(
    #[prop(into)] title: String,
    #[prop(optional)] crumbs: Crumbs,
    /// What will happen, in one sentence.
    #[prop(into)]
    lead: String,
    /// Where "no" leads, and its words.
    #[prop(into)]
    back: (String, String),
    children: Children,
) -> impl IntoView {
    let (label, href) = back;
    view! {
        <div class="confirm">
            <PageHeader title crumbs/>
            <section class="card confirm__card">
                <p class="confirm__lead">{lead}</p>
                {children()}
            </section>
            <p class="confirm__back"><a class="link" href=href>{label}</a></p>
        </div>
    }
    .into_any()
}
