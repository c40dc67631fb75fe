//! Events: what the provider sent, raw beside what was read from it and what it changed; and what happened elsewhere, with
//! the messages that it caused.

mod api;
mod triggers;

use domain::{
    consent::Consent,
    event::{ConsentCaused, WebhookEvent, WebhookKind, WebhookOutcome},
    page::Page as Rows,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use self::api::{EventsQuery, load_event, load_events};
use crate::{components::*, paths, text};

/// The pages of this feature.
#[derive(Clone, Copy)]
pub enum Page {
    List,
    One,
    Triggers,
    Trigger,
}

/// Shows a page.
pub fn open(page: Page) -> AnyView {
    match page {
        Page::List => EventsPage().into_any(),
        Page::One => EventPage().into_any(),
        Page::Triggers => triggers::list_page(),
        Page::Trigger => triggers::one_page(),
    }
}

/// The two kinds of events: put below the page's header.
fn tabs(current: &'static str) -> AnyView {
    let tab = |label: &'static str, path: &'static str| {
        view! { <a href=path aria-current=(path == current).then_some("page")>{label}</a> }
    };
    view! {
        <nav class="tabs tabs--line" aria-label="Events">
            {tab("Webhooks", paths::EVENTS)}
            {tab("Trigger events", paths::TRIGGERS)}
        </nav>
    }
    .into_any()
}

#[component]
fn EventsPage() -> impl IntoView {
    let here = use_here();
    let query = move || EventsQuery {
        q: here.get("q"),
        kind: here.get("kind"),
        outcome: here.get("outcome"),
        since: here.get("since"),
        until: here.get("until"),
        cursor: here.get("cursor"),
    };
    let events = fetch(query, load_events);
    let outcomes =
        vec![Tab::new("", "All"), Tab::new("orphan", "Nobody's"), Tab::new("unprocessable", "Not understood")];
    let kinds = vec![Choice::new("status", "Status of a message"), Choice::new("inbound", "From a person")];
    let outcome = here.once("outcome");
    let kept = (!outcome.is_empty()).then(|| view! { <input type="hidden" name="outcome" value=outcome/> });
    view! {
        <PageHeader title="Events" lead=|| "Every webhook as it came, each message read from Twilio\u{2019}s list, and what became of it."/>
        {tabs(paths::EVENTS)}
        <div class="toolbar">
            <FilterForm action=paths::EVENTS label="Search events">
                {kept}
                <input class="input" type="search" name="q" value=here.once("q") placeholder="SID or number" aria-label="SID or number"/>
                <select class="input" name="kind" aria-label="Kind">
                    {options(kinds, Some("Any kind".to_owned()), &here.once("kind"))}
                </select>
                <TextField name="since" label="From (UTC)" kind="datetime-local" value=here.once("since")/>
                <TextField name="until" label="Until (UTC)" kind="datetime-local" value=here.once("until")/>
                <button class="btn" type="submit">{icon(Glyph::Search)} "Search"</button>
            </FilterForm>
            <Tabs param="outcome" label="What became of it" tabs=outcomes/>
        </div>
        <Loaded from=events let:page>{list(&page, here)}</Loaded>
    }
    .into_any()
}

fn list(page: &Rows<WebhookEvent>, here: Here) -> AnyView {
    if page.items.is_empty() {
        let filtered =
            ["q", "kind", "outcome", "since", "until", "cursor"].iter().any(|name| !here.once(name).is_empty());
        return nothing(filtered);
    }
    let rows = page.items.iter().map(row).collect::<Vec<_>>();
    view! {
        <Card flush=true>
            <Table
                caption="Events"
                columns=vec![
                    Col::text("Event"),
                    Col::text("Says"),
                    Col::text("What became of it"),
                    Col::text("SID"),
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

fn nothing(filtered: bool) -> AnyView {
    let (title, text) = if filtered {
        ("No such event", "Look for another SID or number, or at another kind.")
    } else {
        ("Nothing has come in yet", "What the provider reports, and what people write, is kept here as it came.")
    };
    view! {
        <Card>
            <Empty glyph=Glyph::Search title=title text=text>
                {filtered.then(|| view! { <a class="btn" href=paths::EVENTS>"Show all events"</a> })}
            </Empty>
        </Card>
    }
    .into_any()
}

fn says(event: &WebhookEvent) -> String {
    match (&event.status, event.error_code) {
        (Some(status), Some(code)) => format!("{status}, {code}"),
        (Some(status), None) => status.clone(),
        (None, _) => "–".to_owned(),
    }
}

fn row(event: &WebhookEvent) -> AnyView {
    let reason =
        event.reason.as_deref().map(|code| view! { <span class="sub">{text::event_reason(code).to_owned()}</span> });
    let sid = event.provider_sid.clone().unwrap_or_else(|| "–".to_owned());
    let (outcome, at) = (event.outcome, event.received_at);
    view! {
        <tr>
            <td class="main" data-label="Event"><a class="link" href=paths::event(event.id)>{text::event_kind(event.kind)}</a></td>
            <td data-label="Says">{says(event)}</td>
            <td data-label="What became of it"><div>{pill(outcome)} {reason}</div></td>
            <td data-label="SID"><code class="break">{sid}</code></td>
            <td class="num" data-label="Came"><Time at/></td>
        </tr>
    }
    .into_any()
}

#[component]
fn EventPage() -> impl IntoView {
    let params = use_params_map();
    let event = fetch(move || params.with(|params| params.get("id").unwrap_or_default()), load_event);
    view! { <Loaded from=event let:event>{one(&event)}</Loaded> }.into_any()
}

fn one(event: &WebhookEvent) -> AnyView {
    let title = match event.kind {
        WebhookKind::Status => format!("Status: {}", says(event)),
        WebhookKind::Inbound => "From a person".to_owned(),
    };
    let at = event.received_at;
    let came = if event.is_fetched() { "Read from Twilio\u{2019}s list " } else { "Came " };
    view! {
        <PageHeader
            title=title
            crumbs=vec![crumb("Events", paths::EVENTS)]
            state=Label::from(event.outcome)
            lead=move || view! { {came} <Time at moment=true/> }.into_any()
        />
        <div class="grid grid--2-1">
            <div class="stack">{changed(event)} {parameters(event)} {raw(event)}</div>
            {facts(event)}
        </div>
    }
    .into_any()
}

/// What it changed, in words, and where that is.
fn changed(event: &WebhookEvent) -> AnyView {
    let words = became(event.outcome, event.kind, event.reason.as_deref());
    let reason = event.reason.as_deref().map(|code| format!(" {}.", text::event_reason(code)));
    let keyword = event.keyword.map(|keyword| format!(" Understood as {}.", keyword.as_str().to_uppercase()));
    let message = event.message_id.filter(|_| event.outcome != WebhookOutcome::Orphan).map(|id| {
        view! { <a class="link" href=paths::message(id)>"The message and its history"</a> }
    });
    let consent: Vec<String> = event.consent.iter().map(recorded).collect();
    let consent = (!consent.is_empty()).then(|| {
        let lines = consent.into_iter().map(|line| view! { <li>{line}</li> }.into_any()).collect::<Vec<_>>();
        view! { <ul>{lines}</ul> }
    });
    let person = event.phone.as_ref().map(|phone| {
        let (conversation, contact) = (paths::conversation(phone), paths::contact(phone));
        view! {
            <a class="link" href=conversation>"The conversation"</a>
            <a class="link" href=contact>"The person and their consent"</a>
        }
    });
    view! {
        <Card title="What it changed">
            <p>{words} {keyword} {reason}</p>
            {consent}
            <p class="actions">{message} {person}</p>
        </Card>
    }
    .into_any()
}

/// What became of it.
fn became(outcome: WebhookOutcome, kind: WebhookKind, reason: Option<&str>) -> &'static str {
    match (outcome, kind) {
        (WebhookOutcome::Applied, WebhookKind::Status) => "It moved its message to this state.",
        (WebhookOutcome::Applied, WebhookKind::Inbound) => {
            "The person's message was stored, and what it asks for was done."
        }
        (WebhookOutcome::NoChange, WebhookKind::Status) => {
            "It changed nothing: the same, or something stronger, was known already."
        }
        (WebhookOutcome::NoChange, WebhookKind::Inbound) => "It changed nothing: the same message had come before.",
        (WebhookOutcome::Orphan, _) => "It speaks of a message that is not in this database, so it changed nothing.",
        (WebhookOutcome::Claimed, _) => "Its message was not known when it came. It is now, and this counts since.",
        // It was understood, and may be a STOP.
        (WebhookOutcome::Unprocessable, WebhookKind::Inbound)
            if matches!(reason, Some("failed" | "fetched_failed")) =>
        {
            "It can be read, but the database did not take it, so nothing of what it asks for was done. It is kept as it \
             is. Where it asks to stop, \u{201c}event-stream-engine events replay\u{201d} sees to that."
        }
        (WebhookOutcome::Unprocessable, WebhookKind::Status) if reason == Some("failed") => {
            "It can be read, but the database did not take it, so it moved no message. It is kept as it came."
        }
        (WebhookOutcome::Unprocessable, _) => "It is signed, but makes no sense. It is kept as it came.",
    }
}

/// A line of the consent ledger, in words.
fn recorded(caused: &ConsentCaused) -> String {
    let of_what = match caused.topic.as_deref() {
        None => "everything".to_owned(),
        Some("") => "a topic that was deleted".to_owned(),
        Some(topic) => format!("the topic {topic}"),
    };
    match caused.consent {
        Consent::OptedIn => format!("Recorded: opted in to {of_what}."),
        Consent::OptedOut => format!("Recorded: opted out of {of_what}. What waited to go out for that was skipped."),
        Consent::Pending => format!("Recorded: asked about {of_what}, until there is a yes."),
        Consent::Unknown => format!("Recorded: nothing is known any more of {of_what}."),
    }
}

fn parameters(event: &WebhookEvent) -> AnyView {
    if event.raw.is_none() {
        let why = if event.erased {
            "The person was erased: what is kept of the form until its retention has passed is shown to nobody."
        } else {
            "The form itself is not kept any more: its retention has passed."
        };
        return view! {
            <Card title="As it was read"><p class="muted">{why}</p></Card>
        }
        .into_any();
    }
    let rows = event.parameters.iter().map(|(name, value)| {
        view! {
            <tr>
                <td class="main" data-label="Parameter"><code>{name.clone()}</code></td>
                <td data-label="Value"><span class="break" dir="auto">{value.clone()}</span></td>
            </tr>
        }
        .into_any()
    });
    let rows = rows.collect::<Vec<_>>();
    view! {
        <Card title="As it was read" flush=true>
            <Table caption="Parameters" columns=vec![Col::text("Parameter"), Col::text("Value")]>{rows}</Table>
        </Card>
    }
    .into_any()
}

fn raw(event: &WebhookEvent) -> Option<AnyView> {
    let raw = event.raw.clone()?;
    let (title, label) = if event.is_fetched() {
        ("As Twilio\u{2019}s list has it, in the form of a webhook", "What the list says, as a form")
    } else {
        ("As it came", "The form as it came")
    };
    Some(
        view! {
            <Card title=title>
                <pre class="raw" tabindex="0" role="group" aria-label=label>{raw}</pre>
            </Card>
        }
        .into_any(),
    )
}

fn facts(event: &WebhookEvent) -> AnyView {
    let sid = event.provider_sid.clone().map(|sid| {
        let all = paths::with_query(paths::EVENTS, &[("q", &sid)]);
        view! {
            <Fact name="SID"><code class="break">{sid}</code></Fact>
            <Fact name="More"><a class="link" href=all>"All events of this SID"</a></Fact>
        }
    });
    let (kind, says, id) = (text::event_kind(event.kind), says(event), event.id.to_string());
    let (outcome, at) = (event.outcome, event.received_at);
    let came = if event.is_fetched() { "Read from the list" } else { "Came" };
    view! {
        <Card title="Facts">
            <Facts>
                <Fact name="Kind">{kind}</Fact>
                <Fact name="Outcome">{pill(outcome)}</Fact>
                <Fact name="Says">{says}</Fact>
                {sid}
                <Fact name=came><Time at moment=true/></Fact>
                <Fact name="Our id"><code>{id}</code></Fact>
            </Facts>
        </Card>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_database_refused_is_not_told_to_make_no_sense() {
        assert!(
            !became(WebhookOutcome::Unprocessable, WebhookKind::Inbound, Some("fetched_failed")).contains("signed")
        );
        for kind in [WebhookKind::Status, WebhookKind::Inbound] {
            assert!(!became(WebhookOutcome::Unprocessable, kind, Some("failed")).contains("no sense"));
            assert!(became(WebhookOutcome::Unprocessable, kind, Some("no_message_sid")).contains("no sense"));
        }
    }
}
