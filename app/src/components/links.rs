//! Links that change a part of the present URL: filters, pages of a list. The state of a list is its URL.

use super::live::{live_attr, live_view};
use leptos::{
    prelude::*,
    wasm_bindgen::JsValue,
    web_sys::{UrlSearchParams, js_sys::Reflect},
};
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate, use_query_map},
    params::ParamsMap,
};

use super::{
    format::num,
    icon::{Glyph, icon},
};
use crate::{frame::FAILED, paths};

/// The present URL as something links can be derived from.
#[derive(Clone, Copy)]
pub struct Here {
    path: Memo<String>,
    query: Memo<ParamsMap>,
}

#[must_use]
pub fn use_here() -> Here {
    Here { path: use_location().pathname, query: use_query_map() }
}

impl Here {
    /// This page with these parameters changed; an empty value removes one. Words of success and errors of a form do
    /// not travel along.
    #[must_use]
    pub fn with(self, changes: &[(&str, &str)]) -> String {
        let mut pairs: Vec<(String, String)> =
            self.query.with(|query| query.clone().into_iter().map(|(key, value)| (key.into_owned(), value)).collect());
        pairs.retain(|(key, _)| {
            !matches!(key.as_str(), "done" | FAILED) && !changes.iter().any(|(changed, _)| changed == key)
        });
        let pairs = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).chain(changes.iter().copied());
        paths::with_query(&self.path.get(), &pairs.collect::<Vec<_>>())
    }

    /// The value of a query parameter; empty when it is not there.
    #[must_use]
    pub fn get(self, key: &str) -> String {
        self.query.with(|query| query.get(key).unwrap_or_default())
    }

    /// The value as it is now, for what a field starts with.
    #[must_use]
    pub fn once(self, key: &str) -> String {
        untrack(|| self.get(key))
    }

    /// Path and query, to come back to.
    #[must_use]
    pub fn url(self) -> String {
        self.with(&[])
    }
}

/// One of several views of a list or a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tab {
    /// The value of the query parameter; empty for the first.
    pub value: String,
    pub label: String,
    pub count: Option<i64>,
}

impl Tab {
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into(), count: None }
    }

    #[must_use]
    pub fn count(mut self, count: i64) -> Self {
        self.count = Some(count);
        self
    }
}

/// Tabs or segmented filters: links that set one query parameter and go back to the first page of a list.
#[component]
pub fn Tabs(
    /// The query parameter.
    param: &'static str,
    /// What the choice is about, for screen readers: "Filter by state".
    label: &'static str,
    tabs: Vec<Tab>,
    /// Underlined tabs of a page instead of a segmented control.
    #[prop(optional)]
    underlined: bool,
) -> impl IntoView {
    let here = use_here();
    let links = tabs.into_iter().map(|tab| {
        let Tab { value, label, count } = tab;
        let target = value.clone();
        let current = live_attr(move || (here.get(param) == value).then_some("true"));
        view! {
            // What a tab changes is below it: the page stays where it is.
            <a href=live_attr(move || here.with(&[(param, &target), ("cursor", "")])) aria-current=current data-noscroll="">
                {label}
                {count.map(|count| view! { <span class="tabs__count">{num(count)}</span> })}
            </a>
        }
        .into_any()
    });
    let class = if underlined { "tabs tabs--line" } else { "tabs" };
    view! { <nav class=class aria-label=label>{links.collect::<Vec<_>>()}</nav> }.into_any()
}

/// Links to the next page of a list and back to its start. Nothing where all is in sight already, unless how many there
/// are in all is worth a word.
#[component]
pub fn Pagination(
    /// `page.next_cursor`.
    next: Option<String>,
    /// How many are on this page.
    shown: usize,
    /// How many there are in all, if that is known.
    #[prop(optional_no_strip, into)]
    total: Option<i64>,
) -> impl IntoView {
    let here = use_here();
    let on_first = move || here.get("cursor").is_empty();
    if next.is_none() && total.is_none() && untrack(on_first) {
        return ().into_any();
    }
    let summary = match total {
        Some(total) => format!("{} shown of {}", num(i64::try_from(shown).unwrap_or(i64::MAX)), num(total)),
        None => format!("{} shown", num(i64::try_from(shown).unwrap_or(i64::MAX))),
    };
    let only_page = next.is_none();
    let next = next.map(|cursor| {
        view! {
            <a class="btn" rel="next" href=live_attr(move || here.with(&[("cursor", &cursor)]))>
                "Next" {icon(Glyph::Right)}
            </a>
        }
        .into_any()
    });
    let first = live_view(move || {
        (!on_first()).then(|| {
            view! {
                <a class="btn" rel="first" href=here.with(&[("cursor", "")])>
                    {icon(Glyph::Left)} "First page"
                </a>
            }
            .into_any()
        })
    });
    let end = live_view(move || {
        (only_page && !on_first()).then(|| view! { <span class="muted">"This is the last page."</span> }.into_any())
    });
    view! {
        <nav class="pagination" aria-label="Pages">
            <span class="pagination__count">{summary}</span>
            {end}
            <span class="actions">{first} {next}</span>
        </nav>
    }
    .into_any()
}

/// A form that filters: plain GET, so it works without scripts and leaves its state in the URL; with scripts it
/// navigates without loading the page again, and leaves empty fields out of the URL.
#[component]
pub fn FilterForm(
    action: &'static str,
    /// What is searched, for screen readers.
    label: &'static str,
    children: Children,
) -> impl IntoView {
    let navigate = use_navigate();
    let submit = move |event: leptos::ev::SubmitEvent| {
        let Ok(data) = form_data_from_event(&event) else { return };
        let Ok(params) = UrlSearchParams::new_with_str_sequence_sequence(&data) else { return };
        event.prevent_default();
        let text = params.to_string().as_string().unwrap_or_default();
        let kept: Vec<&str> = text.split('&').filter(|pair| !pair.ends_with('=')).collect();
        let url = if kept.is_empty() { action.to_owned() } else { format!("{action}?{}", kept.join("&")) };
        navigate(&url, NavigateOptions { scroll: false, ..Default::default() });
    };
    let form = NodeRef::<leptos::html::Form>::new();
    let here = use_here();
    // The fields follow the URL: after "back", and after a link that clears the filter.
    Effect::new(move |before: Option<()>| {
        here.query.track();
        if before.is_some()
            && let Some(form) = form.get_untracked()
        {
            follow_query(&form, here);
        }
    });
    view! {
        <form node_ref=form class="filters" role="search" aria-label=label method="get" action=action on:submit=submit>
            {children()}
        </form>
    }
    .into_any()
}

/// Sets every control of the form to the query's value, but the one that is being typed in.
fn follow_query(form: &JsValue, here: Here) {
    let get = |target: &JsValue, key: &str| Reflect::get(target, &key.into()).unwrap_or(JsValue::UNDEFINED);
    let controls = get(form, "elements");
    let count = get(&controls, "length").as_f64().unwrap_or_default();
    let typing: JsValue = document().active_element().into();
    for index in (0_u32..).take_while(|index| f64::from(*index) < count) {
        let control = Reflect::get_u32(&controls, index).unwrap_or(JsValue::UNDEFINED);
        let name = get(&control, "name").as_string().unwrap_or_default();
        let kind = get(&control, "type").as_string().unwrap_or_default();
        if !name.is_empty() && control != typing && !matches!(kind.as_str(), "checkbox" | "radio" | "submit" | "hidden")
        {
            let _ = Reflect::set(&control, &"value".into(), &here.once(&name).into());
        }
    }
}
