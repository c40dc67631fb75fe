//! One way to show what a page has asked the server for: wait, show it, or say what went wrong.

use std::{future::Future, pin::Pin};

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Redirect;

use super::{
    feedback::Skeleton,
    fetch::Fetched,
    icon::{Glyph, icon},
    links::use_here,
};
use crate::{error::AppError, paths};

/// Unpacks the page's resource: a skeleton while it is fetched the first time, the old content while it is fetched
/// again, an error page when it failed, and else `children` with the value.
///
/// ```ignore
/// let page = fetch(move || here.get("q"), list_contacts);
/// view! { <Loaded from=page let:contacts><ContactTable contacts/></Loaded> }
/// ```
///
/// Make actions and signals outside: what is made inside is made again at every reload.
#[component]
pub fn Loaded<T, V, F>(
    from: Fetched<T>,
    children: F,
    /// Lines of the skeleton.
    #[prop(default = 6)]
    rows: u32,
) -> impl IntoView
where
    T: Clone + Send + Sync + serde::de::DeserializeOwned + 'static,
    V: IntoView + 'static,
    F: Fn(T) -> V + Clone + Send + Sync + 'static,
{
    let show: Show = Box::new(move || {
        let children = children.clone();
        Box::pin(async move {
            match from.answer().await {
                Ok(value) => children(value).into_any(),
                Err(error) => error_page(&error),
            }
        })
    });
    loaded(show, rows)
}

type Show = Box<dyn Fn() -> Pin<Box<dyn Future<Output = AnyView> + Send>> + Send + Sync>;

/// The same for every type of answer, so it is compiled once.
fn loaded(show: Show, rows: u32) -> AnyView {
    let content = move || Suspend::new(show());
    view! { <Transition fallback=move || view! { <Skeleton rows/> }>{content}</Transition> }.into_any()
}

/// A page that shows nothing but an error, with the right status.
#[component]
pub fn ErrorPage(error: AppError) -> impl IntoView {
    error_page(&error)
}

pub(crate) fn error_page(error: &AppError) -> AnyView {
    set_status(error.status());
    if matches!(error, AppError::Unauthenticated) {
        let here = use_here();
        return view! { <Redirect path=untrack(move || paths::login_then(&here.url()))/> }.into_any();
    }
    let (glyph, again) = match error {
        AppError::NotFound => (Glyph::Search, false),
        AppError::Forbidden => (Glyph::Person, false),
        AppError::Invalid { .. } | AppError::Conflict { .. } | AppError::Outdated => (Glyph::Info, true),
        _ => (Glyph::Warning, true),
    };
    view! {
        <Title text=error.title()/>
        <div class="empty empty--page">
            <span class="empty__icon">{icon(glyph)}</span>
            <h1 id="page-title" class="empty__title" tabindex="-1">{error.title()}</h1>
            <p class="empty__text">{reason(error)}</p>
            <div class="actions actions--center">
                {again.then(|| view! { <a class="btn" href="" rel="external">"Load again"</a> })}
                <a class="btn btn--primary" href=paths::DASHBOARD>"Go to the dashboard"</a>
            </div>
        </div>
    }
    .into_any()
}

/// No field stands beside its words here, so they are said themselves.
fn reason(error: &AppError) -> String {
    match error {
        AppError::Invalid { fields, .. } if !fields.is_empty() => {
            fields.iter().map(|field| field.message.as_str()).collect::<Vec<_>>().join(" ")
        }
        other => other.message(),
    }
}

#[cfg(feature = "ssr")]
fn set_status(status: u16) {
    if let (Some(response), Ok(status)) =
        (use_context::<leptos_axum::ResponseOptions>(), http::StatusCode::from_u16(status))
    {
        response.set_status(status);
    }
}

#[cfg(not(feature = "ssr"))]
const fn set_status(_: u16) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_cannot_be_shown_says_why() {
        assert_eq!(reason(&AppError::field("phone", "There is no contact.")), "There is no contact.");
        assert_eq!(reason(&AppError::NotFound), AppError::NotFound.message());
    }
}
