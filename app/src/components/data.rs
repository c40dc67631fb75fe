//! Showing data: cards, tables that become cards on a phone, numbers, facts, steps, timelines.

use super::live::{live_attr, live_view};
use domain::time::Timestamp;
use leptos::prelude::*;

use super::{
    icon::{Glyph, icon},
    time::Time,
};
use crate::text::Tone;

/// A panel with an optional heading; `aside` stands at the end of its head.
#[component]
pub fn Card(
    #[prop(optional, into)] title: String,
    #[prop(optional, into)] aside: Option<ViewFn>,
    /// Without inner space: for tables and lists.
    #[prop(optional)]
    flush: bool,
    children: Children,
) -> impl IntoView {
    let head = (!title.is_empty() || aside.is_some()).then(|| {
        view! {
            <header class="card__head">
                {(!title.is_empty()).then(|| view! { <h2>{title}</h2> })}
                {aside.map(|aside| view! { <div class="card__aside">{aside.run()}</div> })}
            </header>
        }
    });
    let body = if flush { "card__flush" } else { "card__body" };
    view! { <section class="card">{head} <div class=body>{children()}</div></section> }.into_any()
}

/// A column of a [`Table`].
#[derive(Clone, Copy, Debug)]
pub struct Col {
    label: &'static str,
    number: bool,
    hidden: bool,
}

impl Col {
    #[must_use]
    pub const fn text(label: &'static str) -> Self {
        Self { label, number: false, hidden: false }
    }

    /// Numbers stand at the end of their column.
    #[must_use]
    pub const fn number(label: &'static str) -> Self {
        Self { label, number: true, hidden: false }
    }

    /// A column of actions: its heading is for screen readers only.
    #[must_use]
    pub const fn action(label: &'static str) -> Self {
        Self { label, number: true, hidden: true }
    }
}

/// A table. Rows are its children: `<tr>` with plain `<td>`; give each `<td>` a `data-label` (the column's heading),
/// because on a phone every row becomes a card. Class `num` for numbers, `main` for the cell that names the row.
#[component]
pub fn Table(
    /// What the table lists, for screen readers.
    #[prop(into)]
    caption: String,
    columns: Vec<Col>,
    children: Children,
) -> impl IntoView {
    let heads = columns.into_iter().map(|column| {
        let label = if column.hidden {
            view! { <span class="visually-hidden">{column.label}</span> }.into_any()
        } else {
            column.label.into_any()
        };
        view! { <th scope="col" class:num=column.number>{label}</th> }.into_any()
    });
    let label = caption.clone();
    // It may scroll to the side: so the keyboard must get to it.
    view! {
        <div class="table-wrap" tabindex="0" role="group" aria-label=label>
            <table class="table">
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>{heads.collect::<Vec<_>>()}</tr>
                </thead>
                <tbody>{children()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// A person in a table: name above number, both leading to the contact.
#[component]
pub fn Who(
    #[prop(into)] name: Option<String>,
    /// `None` once the person was erased.
    #[prop(into)]
    phone: Option<String>,
) -> impl IntoView {
    let Some(phone) = phone else {
        return view! { <span class="who"><b class="muted">"Erased person"</b></span> }.into_any();
    };
    let shown = super::format::phone(&phone);
    let (first, second) = match name.filter(|name| !name.is_empty()) {
        Some(name) => (name, Some(shown)),
        None => (shown, None),
    };
    view! {
        <a class="who" href=crate::paths::contact(phone)>
            <b dir="auto">{first}</b>
            {second.map(|phone| view! { <span dir="ltr">{phone}</span> })}
        </a>
    }
    .into_any()
}

/// One number with its name: tiles stand in a `grid grid--4`.
#[component]
pub fn Stat(
    #[prop(into)] label: String,
    #[prop(into)] value: Signal<String>,
    /// What the number is a part of, or compares with.
    #[prop(optional, into)]
    note: Option<Signal<String>>,
    /// Where the number's people are.
    #[prop(optional, into)]
    href: Option<String>,
    /// A line of past values, oldest first.
    #[prop(optional)]
    trend: Vec<i64>,
) -> impl IntoView {
    let body = view! {
        <span class="stat__label">{label}</span>
        <span class="stat__value">{live_view(move || value.get())}</span>
        <span class="stat__foot">
            {note.map(|note| view! { <span class="stat__note">{live_view(move || note.get())}</span> })}
            {(trend.len() > 1).then(|| sparkline(&trend))}
        </span>
    }
    .into_any();
    match href {
        Some(href) => view! { <a class="card stat" href=href>{body}</a> }.into_any(),
        None => view! { <div class="card stat">{body}</div> }.into_any(),
    }
}

fn sparkline(values: &[i64]) -> AnyView {
    let (low, high) = (values.iter().min().copied().unwrap_or(0), values.iter().max().copied().unwrap_or(0));
    let steps = i64::try_from(values.len() - 1).unwrap_or(1).max(1);
    let height = (high - low).max(1);
    let points: Vec<String> = (0_i64..)
        .zip(values)
        .map(|(index, value)| format!("{},{}", 2 + index * 80 / steps, 22 - (value - low) * 20 / height))
        .collect();
    view! {
        <svg class="spark" viewBox="0 0 84 24" width="84" height="24" aria-hidden="true">
            <polyline points=points.join(" ")></polyline>
        </svg>
    }
    .into_any()
}

/// Facts about one thing: rows of [`Fact`].
#[component]
pub fn Facts(children: Children) -> impl IntoView {
    view! { <dl class="facts">{children()}</dl> }.into_any()
}

/// One fact: `<Fact name="Topic">"Offers"</Fact>`.
#[component]
pub fn Fact(#[prop(into)] name: String, children: Children) -> impl IntoView {
    view! { <div class="facts__row"><dt>{name}</dt><dd>{children()}</dd></div> }.into_any()
}

/// A list of counts with reasons, largest first: "why not everyone".
#[component]
pub fn Counts(
    /// Words, count, and where these people are.
    rows: Vec<(String, i64, Option<String>)>,
) -> impl IntoView {
    let rows = rows.into_iter().map(|(words, count, href)| {
        let words = match href {
            Some(href) => view! { <a class="link" href=href>{words}</a> }.into_any(),
            None => words.into_any(),
        };
        view! { <li><span>{words}</span> <b>{super::format::num(count)}</b></li> }.into_any()
    });
    view! { <ul class="counts">{rows.collect::<Vec<_>>()}</ul> }.into_any()
}

/// How far something has come; without `max` it only says that it is under way.
#[component]
pub fn Progress(
    #[prop(into)] value: Signal<i64>,
    #[prop(into)] max: Signal<i64>,
    /// What is progressing, for screen readers.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    view! {
        <progress
            class="progress"
            aria-label=label
            value=live_attr(move || value.get().to_string())
            max=live_attr(move || max.get().max(1).to_string())
        ></progress>
    }
    .into_any()
}

/// The steps of a wizard: past ones are links, the present one is marked.
#[component]
pub fn Steps(
    /// Label and path.
    steps: Vec<(String, String)>,
    /// Which one is open, counted from 0.
    current: usize,
) -> impl IntoView {
    let count = steps.len();
    let items = steps.into_iter().enumerate().map(|(index, (label, href))| {
        let number = index + 1;
        let mark = if index < current { icon(Glyph::Check) } else { number.to_string().into_any() };
        let step = view! { <span class="steps__mark">{mark}</span> <span class="steps__label">{label}</span> };
        match index.cmp(&current) {
            std::cmp::Ordering::Less => view! { <li class="steps__done"><a href=href>{step}</a></li> }.into_any(),
            std::cmp::Ordering::Equal => view! { <li aria-current="step">{step}</li> }.into_any(),
            std::cmp::Ordering::Greater => view! { <li>{step}</li> }.into_any(),
        }
    });
    let label = format!("Step {} of {count}", current + 1);
    view! { <ol class="steps" aria-label=label>{items.collect::<Vec<_>>()}</ol> }.into_any()
}

/// What happened, newest first: children are [`Moment`]s.
#[component]
pub fn Timeline(children: Children) -> impl IntoView {
    view! { <ol class="timeline">{children()}</ol> }.into_any()
}

/// One event of a [`Timeline`]; its children are details.
#[component]
pub fn Moment(
    at: Timestamp,
    #[prop(into)] title: String,
    #[prop(default = Tone::Idle)] tone: Tone,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <li class=format!("timeline__item timeline__item--{}", tone.class())>
            <div class="timeline__head"><b>{title}</b> <Time at/></div>
            {children.map(|children| view! { <div class="timeline__body">{children()}</div> })}
        </li>
    }
    .into_any()
}
