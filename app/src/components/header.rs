//! The head of a page: where one is, what it is, what can be done.

use leptos::prelude::*;
use leptos_meta::Title;

use super::icon::{Glyph, icon};
use crate::text::Label;

/// The way up: label and path.
pub type Crumbs = Vec<(String, String)>;

/// A step of the way up, for `crumbs=vec![crumb("Campaigns", paths::CAMPAIGNS)]`.
pub fn crumb(label: impl Into<String>, href: impl Into<String>) -> (String, String) {
    (label.into(), href.into())
}

/// Heading, breadcrumbs, one sentence, a state, and the page's actions as children. Sets the document's title.
#[component]
pub fn PageHeader(
    #[prop(into)] title: String,
    /// The pages above this one.
    #[prop(optional)]
    crumbs: Crumbs,
    /// One line below the heading.
    #[prop(optional, into)]
    lead: Option<ViewFn>,
    /// The state of what the page shows.
    #[prop(optional, into)]
    state: Option<Label>,
    /// Buttons and links; the primary one last.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let trail = (!crumbs.is_empty()).then(|| {
        let steps = crumbs.into_iter().enumerate().map(|(index, (label, href))| {
            let back = (index == 0).then(|| icon(Glyph::Left));
            view! { <li><a href=href>{back}{label}</a></li> }.into_any()
        });
        view! { <nav class="crumbs" aria-label="Breadcrumb"><ol>{steps.collect::<Vec<_>>()}</ol></nav> }
    });
    view! {
        <Title text=title.clone()/>
        <header class="head">
            <div class="head__main">
                {trail}
                <div class="head__title">
                    <h1 id="page-title" tabindex="-1">{title}</h1>
                    {state.map(super::feedback::pill)}
                </div>
                {lead.map(|lead| view! { <p class="head__lead">{lead.run()}</p> })}
            </div>
            {children.map(|children| view! { <div class="head__actions">{children()}</div> })}
        </header>
    }
    .into_any()
}
