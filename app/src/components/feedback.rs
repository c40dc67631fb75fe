//! What tells people how things stand: alerts, empty states, skeletons, pills, toasts.

use std::time::Duration;

use super::live::live_view;
use leptos::prelude::*;

use super::{
    icon::{Glyph, icon},
    links::use_here,
};
use crate::text::{self, Label, Tone};

/// A word with a dot in its tone: `<Pill label=message.state/>`, `<Pill label=(Tone::Ok, "Ledger balances")/>`.
#[component]
pub fn Pill(#[prop(into)] label: Label) -> impl IntoView {
    pill(label)
}

/// The same as [`Pill`], for use inside expressions.
#[must_use]
pub fn pill(label: impl Into<Label>) -> AnyView {
    let label = label.into();
    view! { <span class=format!("pill pill--{}", label.tone.class())>{label.text}</span> }.into_any()
}

/// A sentence that wants attention, with what can be done as its children.
#[component]
pub fn Alert(
    #[prop(default = Tone::Info)] tone: Tone,
    #[prop(into)] title: String,
    /// The explanation, links, a button.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    alert(tone, title, children.map(|children| children()))
}

pub(crate) fn alert(tone: Tone, title: String, body: Option<AnyView>) -> AnyView {
    let glyph = match tone {
        Tone::Ok => Glyph::Check,
        Tone::Warn | Tone::Bad => Glyph::Warning,
        Tone::Idle | Tone::Info => Glyph::Info,
    };
    let role = if matches!(tone, Tone::Bad | Tone::Warn) { "alert" } else { "status" };
    view! {
        <div class=format!("alert alert--{}", tone.class()) role=role>
            {icon(glyph)}
            <div class="alert__body">
                <strong>{title}</strong>
                {body.map(|body| view! { " " <span>{body}</span> })}
            </div>
        </div>
    }
    .into_any()
}

/// Nothing here yet, and what to do about it.
#[component]
pub fn Empty(
    glyph: Glyph,
    #[prop(into)] title: String,
    /// One sentence: what this is for.
    #[prop(optional, into)]
    text: String,
    /// The next step: a link or a button.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty">
            <span class="empty__icon">{icon(glyph)}</span>
            <p class="empty__title">{title}</p>
            {(!text.is_empty()).then(|| view! { <p class="empty__text">{text}</p> })}
            {children.map(|children| view! { <div class="actions actions--center">{children()}</div> })}
        </div>
    }
    .into_any()
}

/// What stands in the page's place while it is fetched (never seen without scripts).
#[component]
pub fn Skeleton(#[prop(default = 6)] rows: u32) -> impl IntoView {
    view! {
        <div class="skeleton" role="status">
            <span class="visually-hidden">"Loading…"</span>
            {(0..rows).map(|_| view! { <span class="skeleton__line"></span> }.into_any()).collect::<Vec<_>>()}
        </div>
    }
    .into_any()
}

/// How long a toast stays.
const SHOWN: Duration = Duration::from_secs(8);

/// Short messages of the page itself, such as "Copied".
#[derive(Clone, Copy)]
pub struct Toasts(RwSignal<Vec<(u32, Label)>>);

impl Toasts {
    #[must_use]
    pub fn provide() -> Self {
        let toasts = Self(RwSignal::new(Vec::new()));
        provide_context(toasts);
        toasts
    }

    /// Shows it for some seconds. Only from event handlers and effects.
    pub fn push(self, label: impl Into<Label>) {
        self.push_inner(label.into());
    }

    fn push_inner(self, label: Label) {
        let id = self.0.with_untracked(|all| all.last().map_or(0, |(id, _)| id + 1));
        self.0.update(|all| all.push((id, label)));
        let list = self.0;
        set_timeout(
            move || {
                let _ = list.try_update(|all| all.retain(|(other, _)| *other != id));
            },
            SHOWN,
        );
    }
}

/// The toasts, for pages: `use_toasts().push((Tone::Ok, "Copied"))`.
#[must_use]
pub fn use_toasts() -> Toasts {
    use_context().unwrap_or_else(|| Toasts(RwSignal::new(Vec::new())))
}

/// Where toasts appear, and the word of success that a redirect carries (`?done=saved`).
#[component]
pub fn ToastRegion(toasts: Toasts) -> impl IntoView {
    let here = use_here();
    let hidden = RwSignal::new(false);
    let done = live_view(move || {
        let text = text::done(&here.get("done")).filter(|_| !hidden.get())?;
        Some(
            view! {
                <div class="toast toast--ok">
                    {icon(Glyph::Check)} <span>{text}</span>
                    <a class="toast__close" href=here.url() aria-label="Dismiss">{icon(Glyph::Close)}</a>
                </div>
            }
            .into_any(),
        )
    });
    Effect::new(move |_| {
        hidden.set(false);
        if !here.get("done").is_empty() {
            // Loading the page again must not say it again.
            if let Ok(history) = window().history() {
                let state = history.state().unwrap_or_default();
                let _ = history.replace_state_with_url(&state, "", Some(&here.url()));
            }
            set_timeout(
                move || {
                    hidden.try_set(true);
                },
                SHOWN,
            );
        }
    });
    let others = live_view(move || {
        let shown = toasts.0.get();
        let views = shown.into_iter().map(|(_, label)| {
            view! { <div class=format!("toast toast--{}", label.tone.class())><span>{label.text}</span></div> }
                .into_any()
        });
        views.collect::<Vec<_>>()
    });
    view! { <div class="toasts" role="status">{done} {others}</div> }.into_any()
}
