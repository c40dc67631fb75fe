//! The list: what is open first, its state is the URL; new messages come in by themselves.

use domain::{
    conversation::{Conversation, Direction},
    page::Page,
};
use leptos::prelude::*;

use super::api::{InboxQuery, load_inbox};
use crate::{components::*, paths};

#[component]
pub fn InboxPage() -> impl IntoView {
    let here = use_here();
    // The first page stays fresh; a later one stays as it was opened.
    let tick = poll(5_000, move || here.get("cursor").is_empty());
    let query = move || InboxQuery { q: here.get("q"), view: here.get("view"), cursor: here.get("cursor") };
    let conversations = fetch(move || (query(), tick.get()), |(query, _)| load_inbox(query));
    let tabs = vec![
        Tab::new("", "Open"),
        Tab::new("unread", "Unread"),
        Tab::new("mine", "Mine"),
        Tab::new("archived", "Archived"),
        Tab::new("all", "All"),
    ];
    let (q, view_name) = (here.once("q"), here.once("view"));
    let kept = (!view_name.is_empty()).then(|| view! { <input type="hidden" name="view" value=view_name/> });
    view! {
        <PageHeader title="Inbox" lead=|| "What people write to you, and what you answer."/>
        <div class="toolbar">
            <FilterForm action=paths::INBOX label="Search conversations">
                {kept}
                <input class="input" type="search" name="q" value=q placeholder="Number or name" aria-label="Number or name"/>
                <button class="btn" type="submit">{icon(Glyph::Search)} "Search"</button>
            </FilterForm>
            <Tabs param="view" label="Which conversations" tabs=tabs/>
        </div>
        <Loaded from=conversations let:page>{list(&page, here)}</Loaded>
    }
    .into_any()
}

fn list(page: &Page<Conversation>, here: Here) -> AnyView {
    if page.items.is_empty() {
        return nothing(&here.once("view"), !here.once("q").is_empty());
    }
    let rows = page.items.iter().map(row).collect::<Vec<_>>();
    view! {
        <Card flush=true><ul class="list inbox">{rows}</ul></Card>
        <Pagination next=page.next_cursor.clone() shown=page.items.len()/>
    }
    .into_any()
}

fn nothing(view_name: &str, searched: bool) -> AnyView {
    let (title, text) = match (view_name, searched) {
        (_, true) => ("Nobody matches", "Try fewer letters, or look in all conversations."),
        ("unread", _) => ("Everything is read", "New messages appear here by themselves."),
        ("mine", _) => ("Nothing is yours", "Conversations that are assigned to you appear here."),
        ("archived", _) => {
            ("Nothing is archived", "What is done with goes here, and comes back when the person writes.")
        }
        _ => ("Nobody has written yet", "When somebody answers, their words appear here by themselves."),
    };
    let glyph = if searched { Glyph::Search } else { Glyph::Inbox };
    let all = (searched || !matches!(view_name, "all" | "")).then(|| {
        view! { <a class="btn" href=paths::with_query(paths::INBOX, &[("view", "all")])>"Show all conversations"</a> }
    });
    view! { <Card><Empty glyph=glyph title=title text=text>{all}</Empty></Card> }.into_any()
}

fn row(conversation: &Conversation) -> AnyView {
    let Conversation { phone, last_at, last_direction, last_text, unread, .. } = conversation.clone();
    let number = format::phone(phone.as_str());
    let name = conversation.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| number.clone());
    let last = match (last_direction, last_text) {
        (Some(Direction::Out), Some(text)) => format!("You: {text}"),
        (Some(Direction::Out), None) => "You sent a template".to_owned(),
        (_, Some(text)) => text,
        (Some(Direction::In), None) => "Sent a file".to_owned(),
        (None, None) => String::new(),
    };
    let badge = (unread > 0).then(|| {
        view! {
            <span class="inbox__unread">
                {format::num(unread)} <span class="visually-hidden">{if unread == 1 { " unread message" } else { " unread messages" }}</span>
            </span>
        }
    });
    let assignee = conversation.assignee.as_ref().map(|one| {
        view! { <span class="inbox__assignee">{icon(Glyph::Person)} {one.email.clone()}</span> }
    });
    let archived = conversation.archived.then(|| pill((Tone::Idle, "Archived")));
    let class = if unread > 0 { "list__item inbox__item inbox__item--unread" } else { "list__item inbox__item" };
    view! {
        <li>
            <a class=class href=paths::conversation(&phone) title=number>
                <span class="list__main">
                    <b dir="auto">{name}</b>
                    <span dir="auto">{last}</span>
                </span>
                {archived}
                {assignee}
                {badge}
                <span class="list__aside"><MaybeTime at=last_at/></span>
            </a>
        </li>
    }
    .into_any()
}
