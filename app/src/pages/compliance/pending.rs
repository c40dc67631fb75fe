//! Who was asked whether they want a topic, and has not answered yet.

use domain::{
    message::State,
    opt_in::{OptIn, OptInState},
};
use leptos::prelude::*;

use super::api::{Asked, load_asked};
use crate::{components::*, paths, text};

pub fn page() -> AnyView {
    PendingPage().into_any()
}

#[component]
fn PendingPage() -> impl IntoView {
    let here = use_here();
    let list = fetch(move || (here.get("state"), here.get("cursor")), |(state, cursor)| load_asked(state, cursor));
    view! {
        <PageHeader
            title="Compliance"
            lead=|| "Topics with double opt-in ask people first. Whoever does not answer YES in time is not subscribed, and gets no marketing."
        />
        {super::tabs(paths::PENDING)}
        <Loaded from=list let:list>{content(&list)}</Loaded>
    }
    .into_any()
}

fn content(list: &Asked) -> AnyView {
    let tab = |state: OptInState| {
        let value = if state == OptInState::Waiting { "" } else { state.as_str() };
        Tab::new(value, text::opt_in_state(state))
    };
    let mut tabs: Vec<Tab> = OptInState::ALL.iter().map(|state| tab(*state)).collect();
    if let Some(first) = tabs.first_mut() {
        first.count = Some(list.waiting);
    }
    let body = if list.page.items.is_empty() {
        view! {
            <Empty
                glyph=Glyph::Check
                title="Nobody"
                text="Turn on double opt-in where you edit a topic: then every wish to subscribe is asked back."
            />
        }
        .into_any()
    } else {
        let rows = list.page.items.iter().map(row).collect::<Vec<_>>();
        view! {
            <Table
                caption="People who were asked"
                columns=vec![Col::text("Person"), Col::text("Topic"), Col::text("Question"), Col::number("Asked"), Col::number("Until")]
            >
                {rows}
            </Table>
        }
        .into_any()
    };
    view! {
        <div class="stack">
            <Tabs param="state" label="Filter by what became of it" tabs=tabs/>
            <Card flush=true>{body}</Card>
            <Pagination next=list.page.next_cursor.clone() shown=list.page.items.len()/>
        </div>
    }
    .into_any()
}

fn row(one: &OptIn) -> AnyView {
    let until = one.settled_at.unwrap_or(one.expires_at);
    view! {
        <tr>
            <td class="main" data-label="Person"><Who name=one.name.clone() phone=Some(one.phone.to_string())/></td>
            <td data-label="Topic"><div>{one.topic_name.clone()} <span class="sub">"by " {text::consent_source(one.source)}</span></div></td>
            <td data-label="Question">{question(one)}</td>
            <td class="num" data-label="Asked"><Time at=one.asked_at/></td>
            <td class="num" data-label="Until"><Time at=until/></td>
        </tr>
    }
    .into_any()
}

fn question(one: &OptIn) -> AnyView {
    match (one.message_id, one.message_state) {
        (Some(id), Some(state)) => {
            let why = one.message_reason.filter(|_| matches!(state, State::Skipped | State::Queued | State::Failed));
            view! {
                <a href=paths::message(id)>{pill(state)}</a>
                {why.map(|reason| view! { <span class="sub">{text::reason(reason)}</span> })}
            }
            .into_any()
        }
        _ => view! { <span class="muted">"Not sent: there was no sender"</span> }.into_any(),
    }
}
