//! Trigger events: what happened elsewhere, and what it came to.

use domain::{page::Page as Rows, trigger_event::EventEffect};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    api::{TriggerLine, TriggerView, TriggersQuery, TriggersView, load_trigger, load_triggers},
    tabs,
};
use crate::{components::*, paths, text};

pub(super) fn list_page() -> AnyView {
    TriggersPage().into_any()
}

pub(super) fn one_page() -> AnyView {
    TriggerPage().into_any()
}

#[component]
fn TriggersPage() -> impl IntoView {
    let here = use_here();
    let query = move || TriggersQuery {
        name: here.get("name"),
        phone: here.get("phone"),
        campaign: here.get("campaign"),
        cursor: here.get("cursor"),
    };
    let events = fetch(query, load_triggers);
    view! {
        <PageHeader title="Events" lead=|| "What happened elsewhere, told by your programs, and what it came to in campaigns."/>
        {tabs(paths::TRIGGERS)}
        <Loaded from=events let:view>{list(&view, here)}</Loaded>
    }
    .into_any()
}

fn list(view: &TriggersView, here: Here) -> AnyView {
    let names = view.names.iter().map(|name| Choice::new(name.clone(), name.clone())).collect::<Vec<_>>();
    let campaign = here.once("campaign");
    let kept = (!campaign.is_empty()).then(|| view! { <input type="hidden" name="campaign" value=campaign/> });
    let body = if view.page.items.is_empty() { nothing(here) } else { table(&view.page) };
    view! {
        <div class="toolbar">
            <FilterForm action=paths::TRIGGERS label="Search trigger events">
                {kept}
                <select class="input" name="name" aria-label="Name of the event">
                    {options(names, Some("Any name".to_owned()), &here.once("name"))}
                </select>
                <input class="input" type="search" name="phone" value=here.once("phone") placeholder="Number" aria-label="Number"/>
                <button class="btn" type="submit">{icon(Glyph::Search)} "Search"</button>
            </FilterForm>
        </div>
        {body}
    }
    .into_any()
}

fn table(page: &Rows<TriggerLine>) -> AnyView {
    let rows = page.items.iter().map(row).collect::<Vec<_>>();
    view! {
        <Card flush=true>
            <Table
                caption="Trigger events"
                columns=vec![
                    Col::text("Event"),
                    Col::text("About"),
                    Col::text("What it came to"),
                    Col::number("Came"),
                ]
            >
                {rows}
            </Table>
        </Card>
        <Pagination next=page.next_cursor.clone() shown=page.items.len()/>
    }
    .into_any()
}

fn nothing(here: Here) -> AnyView {
    let filtered = ["name", "phone", "campaign", "cursor"].iter().any(|name| !here.once(name).is_empty());
    let (title, text) = if filtered {
        ("No such event", "Look for another name or number.")
    } else {
        (
            "Nothing has happened yet",
            "A program of yours tells of it by POST /api/v1/events, one event a line; campaigns that wait for its name then send their message.",
        )
    };
    let (href, label) =
        if filtered { (paths::TRIGGERS, "Show all trigger events") } else { ("/api/docs", "How programs do it") };
    view! {
        <Card>
            <Empty glyph=Glyph::Events title=title text=text>
                <a class="btn" href=href rel=(!filtered).then_some("external")>{label}</a>
            </Empty>
        </Card>
    }
    .into_any()
}

fn row(event: &TriggerLine) -> AnyView {
    let at = event.at;
    let id = event.id.clone().map(|id| view! { <span class="sub break" dir="auto">{id}</span> });
    let effects = event.effects.iter().map(|effect| came_to(effect).into_any()).collect::<Vec<_>>();
    let effects = if effects.is_empty() { listened_nobody() } else { effects.into_any() };
    view! {
        <tr>
            <td class="main" data-label="Event">
                <div><a class="link" href=paths::trigger_event(event.number)>{event.name.clone()}</a> {id}</div>
            </td>
            <td data-label="About">{about(event)}</td>
            <td data-label="What it came to"><div class="stack stack--tight">{effects}</div></td>
            <td class="num" data-label="Came"><Time at/></td>
        </tr>
    }
    .into_any()
}

fn listened_nobody() -> AnyView {
    view! { <span class="muted">"Nobody listened"</span> }.into_any()
}

fn about(event: &TriggerLine) -> AnyView {
    if event.is_many {
        return view! { "Everybody of a segment" }.into_any();
    }
    let phone = event.phone.as_ref().map(ToString::to_string);
    view! { <Who name=None phone/> }.into_any()
}

/// The campaign, and what the event came to there.
fn came_to(effect: &EventEffect) -> AnyView {
    let label = text::event_outcome(effect.outcome);
    let name = effect.campaign_name.clone();
    let campaign = if name.is_empty() {
        view! { <span class="muted">"A deleted campaign"</span> }.into_any()
    } else {
        view! { <a class="link" dir="auto" href=paths::campaign(effect.campaign_id)>{name}</a> }.into_any()
    };
    let what = match (effect.message_id, effect.messages) {
        (Some(id), _) => view! { <a class="link" href=paths::message(id)>"The message"</a> }.into_any(),
        (None, 0) => ().into_any(),
        (None, many) => format::counted(many, "message", "messages").into_any(),
    };
    view! { <div class="row">{campaign} {pill(label)} {what}</div> }.into_any()
}

#[component]
fn TriggerPage() -> impl IntoView {
    let params = use_params_map();
    let event = fetch(move || params.with(|params| params.get("number").unwrap_or_default()), load_trigger);
    view! { <Loaded from=event let:event>{one(&event)}</Loaded> }.into_any()
}

fn one(view: &TriggerView) -> AnyView {
    let TriggerView { line, occurred_at, data, definition } = view;
    let (at, number) = (line.at, line.number.to_string());
    let effects = line.effects.iter().map(|effect| view! { <li class="list__item">{came_to(effect)}</li> }.into_any());
    let effects = effects.collect::<Vec<_>>();
    let effects = if effects.is_empty() {
        view! { <p class="muted">"No campaign was listening to this name when it came. It is kept all the same."</p> }
            .into_any()
    } else {
        view! { <ul class="list list--plain">{effects}</ul> }.into_any()
    };
    let document = |title: &'static str, text: &Option<String>| {
        text.clone().map(|text| {
            view! {
                <Card title=title><pre class="raw" tabindex="0" role="group" aria-label=title>{text}</pre></Card>
            }
        })
    };
    let erased = (data.is_none()).then(|| {
        view! { <Card title="What it tells"><p class="muted">"The person was erased, and with them what the event told."</p></Card> }
    });
    let id = line.id.clone().map(|id| view! { <Fact name="Its id"><code class="break">{id}</code></Fact> });
    let happened = occurred_at.map(|at| view! { <Fact name="Happened"><Time at moment=true/></Fact> });
    let (told, whom, person) = (document("What it tells", data), document("Whom it is about", definition), about(line));
    let same = paths::with_query(paths::TRIGGERS, &[("name", &line.name)]);
    view! {
        <PageHeader
            title=line.name.clone()
            crumbs=vec![crumb("Trigger events", paths::TRIGGERS)]
            lead=move || view! { "Came " <Time at moment=true/> }.into_any()
        />
        <div class="grid grid--2-1">
            <div class="stack">
                <Card title="What it came to">{effects}</Card>
                {told}
                {erased}
                {whom}
            </div>
            <Card title="Facts">
                <Facts>
                    <Fact name="About">{person}</Fact>
                    {happened}
                    <Fact name="Came"><Time at moment=true/></Fact>
                    {id}
                    <Fact name="Our number"><code>{number}</code></Fact>
                    <Fact name="More"><a class="link" href=same>"All events of this name"</a></Fact>
                </Facts>
            </Card>
        </div>
    }
    .into_any()
}
