//! The frame of the app: navigation, who is logged in, whether sending is on.

use std::time::Duration;

use super::live::{live_attr, live_view};
use domain::settings::SendingState;
use leptos::{
    prelude::*,
    task::spawn_local,
    wasm_bindgen::JsCast,
    web_sys::{Element, HtmlElement, js_sys},
};
use leptos_router::hooks::use_location;

use super::{
    feedback::{ToastRegion, Toasts, alert, pill},
    icon::{Glyph, icon},
    ledger::hatching,
    live::{Outdated, every, use_outdated},
};
use crate::{
    error::AppError,
    frame::{Frame, FrameAccount, current, load_frame},
    paths,
    text::{self, Tone},
};

struct Section {
    label: &'static str,
    path: &'static str,
    glyph: Glyph,
    group: &'static str,
}

const fn section(label: &'static str, path: &'static str, glyph: Glyph, group: &'static str) -> Section {
    Section { label, path, glyph, group }
}

const SECTIONS: [Section; 12] = [
    section("Dashboard", paths::DASHBOARD, Glyph::Home, ""),
    section("Campaigns", paths::CAMPAIGNS, Glyph::Campaign, ""),
    section("Templates", paths::TEMPLATES, Glyph::Template, ""),
    section("Inbox", paths::INBOX, Glyph::Inbox, "People"),
    section("Contacts", paths::CONTACTS, Glyph::People, "People"),
    section("Audiences", paths::AUDIENCES, Glyph::Target, "People"),
    section("Topics", paths::TOPICS, Glyph::Topic, "People"),
    section("Imports", paths::IMPORTS, Glyph::Upload, "People"),
    section("Compliance", paths::COMPLIANCE, Glyph::Check, "Workspace"),
    section("Events", paths::EVENTS, Glyph::Events, "Workspace"),
    section("Settings", paths::SENDERS, Glyph::Gear, "Workspace"),
    section("Simulator", paths::SIMULATOR, Glyph::Phone, "Try it"),
];

/// What is at the thumb on a phone; the rest is behind "More".
const AT_THE_THUMB: [&str; 4] = [paths::DASHBOARD, paths::CAMPAIGNS, paths::CONTACTS, paths::TEMPLATES];

/// The section a path belongs to.
fn belongs(section: &str, path: &str) -> bool {
    match section {
        paths::DASHBOARD => path == paths::DASHBOARD,
        paths::CAMPAIGNS if path.starts_with("/messages/") || path == paths::CALENDAR => true,
        paths::SENDERS => path.starts_with(paths::SETTINGS),
        _ => path.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
    }
}

/// `aria-current`: `page` on the section's own page, `true` on those below it.
fn mark(section: &str, path: &str) -> Option<&'static str> {
    belongs(section, path).then_some(if path == section { "page" } else { "true" })
}

/// The frame around every page.
#[component]
pub fn Shell(children: Children) -> impl IntoView {
    let frame = RwSignal::new(SharedValue::new(current).into_inner());
    provide_context(frame);
    let toasts = Toasts::provide();
    let outdated = Outdated::provide();
    let path = use_location().pathname;
    follow(frame, path);
    let bare = Memo::new(move |_| path.get() == paths::LOGIN);
    let chrome =
        live_view(move || (!bare.get()).then(|| view! { {sidebar(frame, path)} {bottom_bar(frame, path)} }.into_any()));
    let top = live_view(move || (!bare.get()).then(|| top_bar(frame)));
    view! {
        {hatching()}
        <a class="skip" href="#main" rel="external">"Skip to the content"</a>
        <div class=live_attr(move || if bare.get() { "app app--bare" } else { "app" })>
            {chrome}
            <div class="app__content">
                {top}
                <main id="main" class="main" tabindex="-1">
                    {live_view(move || outdated.holds().then(reload_note))}
                    {live_view(move || {
                        (!bare.get()).then(|| view! { {sending_banner(frame)} {password_banner(frame)} }.into_any())
                    })}
                    {children()}
                </main>
            </div>
        </div>
        <ToastRegion toasts/>
    }
    .into_any()
}

/// Keeps the frame fresh: when the login page is left, and now and then. And after each navigation takes the keyboard
/// and the screen reader to the new page's heading.
fn follow(frame: RwSignal<Frame>, path: Memo<String>) {
    let outdated = use_outdated();
    let reload = move || {
        spawn_local(async move {
            match load_frame().await {
                Ok(fresh) if frame.try_with_untracked(|old| *old != fresh) == Some(true) => {
                    frame.try_set(fresh);
                }
                Err(AppError::Outdated) => outdated.mark(),
                _ => {}
            }
        });
    };
    every(15_000, move || path.with(|path| path != paths::LOGIN), reload);
    close_menus_from_outside();
    Effect::new(move |before: Option<String>| {
        let now = path.get();
        if let Some(before) = before
            && before != now
        {
            if before == paths::LOGIN || now == paths::LOGIN {
                reload();
            }
            close_menus();
            // The new page is not there yet.
            set_timeout(focus_heading, Duration::from_millis(60));
        }
        now
    });
}

/// Menus are `<details>`: they work without scripts, and must close when a link in them navigates without a load.
fn close_menus() {
    while let Ok(Some(menu)) = document().query_selector("details.menu[open]") {
        if menu.remove_attribute("open").is_err() {
            return;
        }
    }
}

/// Escape and a press elsewhere close an open menu; Escape gives the focus back to what opened it.
fn close_menus_from_outside() {
    Effect::new(|_| {
        let pressed = window_event_listener(leptos::ev::pointerdown, |event| {
            let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            let inside =
                target.is_some_and(|element| element.closest("details.menu[open]").is_ok_and(|menu| menu.is_some()));
            if !inside {
                close_menus();
            }
        });
        let keyed = window_event_listener(leptos::ev::keydown, |event| {
            if event.key() == "Escape"
                && let Ok(Some(opener)) = document().query_selector("details.menu[open] > summary")
            {
                close_menus();
                if let Ok(opener) = opener.dyn_into::<HtmlElement>() {
                    let _ = opener.focus();
                }
            }
        });
        on_cleanup(move || {
            pressed.remove();
            keyed.remove();
        });
    });
}

fn focus_heading() {
    // Whoever is in the page's content already (a field with `autofocus`) stays there.
    let inside = document()
        .active_element()
        .is_some_and(|element| element.id() != "main" && element.closest("#main").is_ok_and(|main| main.is_some()));
    if inside {
        return;
    }
    let target = document().get_element_by_id("page-title").or_else(|| document().get_element_by_id("main"));
    if let Some(target) = target.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        let _ = target.focus();
    }
}

/// Calm: what is on the page stays there until it is reloaded.
fn reload_note() -> AnyView {
    let reload = view! { <a class="link" href="" rel="external">"Reload it."</a> }.into_any();
    alert(Tone::Info, format!("{}.", AppError::Outdated.title()), Some(reload))
}

fn nav_link(section: &'static Section, path: Memo<String>) -> AnyView {
    view! {
        <a class="nav__link" href=section.path aria-current=live_attr(move || path.with(|path| mark(section.path, path)))>
            {icon(section.glyph)} <span>{section.label}</span>
        </a>
    }
    .into_any()
}

fn shown(section: &Section, frame: RwSignal<Frame>) -> bool {
    section.path != paths::SIMULATOR || frame.with(|frame| frame.simulator)
}

fn sidebar(frame: RwSignal<Frame>, path: Memo<String>) -> AnyView {
    let links = live_view(move || {
        let mut group = "";
        let mut views = Vec::new();
        for section in SECTIONS.iter().filter(|section| shown(section, frame)) {
            if section.group != group {
                group = section.group;
                views.push(view! { <p class="nav__group">{group}</p> }.into_any());
            }
            views.push(nav_link(section, path));
        }
        views
    });
    view! {
        <nav class="nav" aria-label="Main">
            <a class="brand" href=paths::DASHBOARD>{logo()} <span>"Event Stream"</span></a>
            {links}
            <div class="nav__foot">{live_view(move || pill(frame.with(|frame| frame.sending.state)))}</div>
        </nav>
    }
    .into_any()
}

fn bottom_bar(frame: RwSignal<Frame>, path: Memo<String>) -> AnyView {
    let thumb = SECTIONS.iter().filter(|section| AT_THE_THUMB.contains(&section.path));
    let rest = live_view(move || {
        let others = SECTIONS.iter().filter(|section| !AT_THE_THUMB.contains(&section.path) && shown(section, frame));
        others.map(|section| nav_link(section, path)).collect::<Vec<_>>()
    });
    let more = live_attr(move || {
        let elsewhere = path.with(|path| !AT_THE_THUMB.iter().any(|section| belongs(section, path)));
        elsewhere.then_some("true")
    });
    view! {
        <nav class="thumb" aria-label="Main, short">
            {thumb.map(|section| nav_link(section, path)).collect::<Vec<_>>()}
            <details class="menu thumb__more" name="menu">
                <summary class="nav__link" aria-current=more>{icon(Glyph::More)} <span>"More"</span></summary>
                <div class="menu__panel">{rest}</div>
            </details>
        </nav>
    }
    .into_any()
}

/// The product's mark.
pub fn logo() -> AnyView {
    view! {
        <svg class="logo" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
            <path d="M3 7c4 0 4 4 9 4s5-4 9-4M3 13c4 0 4 4 9 4s5-4 9-4"></path>
        </svg>
    }
    .into_any()
}

fn top_bar(frame: RwSignal<Frame>) -> AnyView {
    let simulator = live_view(move || {
        frame.with(|frame| frame.simulator).then(|| {
            view! {
                <a class="pill pill--info top__simulator" href=paths::SIMULATOR title="Messages go to the simulator instead of Twilio.">
                    <span>"Simulator"<span class="wide">": instead of Twilio"</span></span>
                </a>
            }
            .into_any()
        })
    });
    let account = live_view(move || frame.with(|frame| frame.account.clone()).map(|account| account_menu(&account)));
    view! {
        <header class="top">
            <a class="brand brand--top" href=paths::DASHBOARD aria-label=text::PRODUCT>{logo()}</a>
            {search()}
            <div class="top__end">{simulator} {account}</div>
        </header>
    }
    .into_any()
}

/// Looks for a person, from anywhere: a plain GET to the contacts' list; Ctrl+K goes to it.
fn search() -> AnyView {
    let field = NodeRef::<leptos::html::Input>::new();
    Effect::new(move |_| {
        let listener = window_event_listener(leptos::ev::keydown, move |event| {
            if (event.ctrl_key() || event.meta_key())
                && event.key() == "k"
                && let Some(field) = field.get_untracked()
            {
                event.prevent_default();
                let _ = field.focus();
                field.select();
            }
        });
        on_cleanup(move || listener.remove());
    });
    view! {
        <form class="search" role="search" method="get" action=paths::CONTACTS aria-label="Everywhere">
            {icon(Glyph::Search)}
            <input
                node_ref=field
                type="search"
                name="q"
                id="find"
                autocomplete="off"
                placeholder="Find a contact"
                aria-label="Find a contact"
                aria-keyshortcuts="Control+K"
            />
            <kbd class="live-only" aria-hidden="true">"Ctrl K"</kbd>
        </form>
    }
    .into_any()
}

fn account_menu(account: &FrameAccount) -> AnyView {
    let label = format!("Account of {}", account.email);
    view! {
        <details class="menu account" name="menu">
            <summary class="avatar" aria-label=label>{account.initials()}</summary>
            <div class="menu__panel">
                <div class="account__who"><b>{account.email.clone()}</b> <span>{text::role(account.role)}</span></div>
                <div class="account__theme live-only" role="group" aria-label="Appearance">
                    {theme_button("", "System", Glyph::Target)}
                    {theme_button("light", "Light", Glyph::Sun)}
                    {theme_button("dark", "Dark", Glyph::Moon)}
                </div>
                <a class="menu__item" href=paths::ACCOUNT>{icon(Glyph::Person)} "Your account"</a>
                <form method="post" action=paths::LOGOUT>
                    <button class="menu__item" type="submit">{icon(Glyph::Exit)} "Log out"</button>
                </form>
            </div>
        </details>
    }
    .into_any()
}

fn theme_button(theme: &'static str, label: &'static str, glyph: Glyph) -> AnyView {
    view! { <button type="button" class="menu__item" on:click=move |_| set_theme(theme)>{icon(glyph)} {label}</button> }
        .into_any()
}

/// Remembers the appearance in a cookie, which [`crate::shell`] reads: so that pages never flash in the other one.
fn set_theme(theme: &str) {
    if let Some(root) = document().document_element() {
        let _ = if theme.is_empty() {
            root.remove_attribute("data-theme")
        } else {
            root.set_attribute("data-theme", theme)
        };
    }
    let age = if theme.is_empty() { 0 } else { 31_536_000 };
    let cookie = format!("theme={theme}; Path=/; Max-Age={age}; SameSite=Lax");
    let _ = js_sys::Reflect::set(&document(), &"cookie".into(), &cookie.into());
}

/// While sending is held everywhere, every page says so.
fn sending_banner(frame: RwSignal<Frame>) -> AnyView {
    let held = Memo::new(move |_| {
        frame.with(|frame| {
            (frame.sending.state == SendingState::Held).then(|| frame.sending.reason.clone().unwrap_or_default())
        })
    });
    live_view(move || {
        held.get().map(|reason| {
            let why = if reason.is_empty() { String::new() } else { format!("{reason}. ") };
            let body = format!("{why}Nothing is handed over to the provider until an admin turns it on again.");
            alert(Tone::Bad, "Sending is held.".to_owned(), Some(body.into_any()))
        })
    })
}

/// Whoever was given a password is asked for one of their own, until they have one.
fn password_banner(frame: RwSignal<Frame>) -> AnyView {
    let given = Memo::new(move |_| {
        frame.with(|frame| frame.account.as_ref().is_some_and(|account| account.password_is_temporary))
    });
    live_view(move || {
        given.get().then(|| {
            let link = view! { <a class="link" href=paths::ACCOUNT>"Choose your own"</a> "." };
            alert(Tone::Warn, "You still use the one-time password.".to_owned(), Some(link.into_any()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_section_is_marked() {
        assert_eq!(mark("/", "/"), Some("page"));
        assert_eq!(mark("/", "/contacts"), None);
        assert_eq!(mark("/campaigns", "/campaigns/7/launch"), Some("true"));
        assert_eq!(mark("/campaigns", "/messages/12"), Some("true"));
        assert_eq!(mark("/imports", "/importsx"), None);
        assert_eq!(mark("/settings/senders", "/settings/processes"), Some("true"));
    }
}
