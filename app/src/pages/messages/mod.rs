//! One message: why it was sent, or was not, and everything that happened to it.

mod api;
mod history;

use domain::{
    message::{Message, State},
    reason::Reason,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use self::api::{MessageView, load_message};
use crate::{components::*, faults::Faults, paths, text};

/// Shows the page.
pub fn open() -> AnyView {
    MessagePage().into_any()
}

#[component]
fn MessagePage() -> impl IntoView {
    let params = use_params_map();
    let open = RwSignal::new(false);
    let tick = poll(3_000, move || open.get());
    let source = move || (params.with(|params| params.get("id").unwrap_or_default()), tick.get());
    let message = fetch(source, |(id, _)| load_message(id));
    Effect::new(move |_| {
        if let Some(Ok(view)) = message.get() {
            // A message that waits for an hour to come need not be asked for every few seconds.
            open.set(matches!(view.message.state, State::Sending | State::Accepted | State::Sent));
        }
    });
    view! { <Loaded from=message let:view>{page(&view)}</Loaded> }.into_any()
}

fn page(view: &MessageView) -> AnyView {
    let message = &view.message;
    let phone = message.phone.as_ref().map(|phone| format::phone(phone.as_str()));
    let whom = message.name.clone().or_else(|| phone.clone()).unwrap_or_else(|| "an erased person".to_owned());
    let number = phone.unwrap_or_else(|| "The number was erased".to_owned());
    let (timeline, facts) = (history::timeline(&message.history, &view.faults), facts(view));
    let gap = message.callbacks_since.map(history::gap);
    let lead = format!("{} by {} · {number}", text::kind(message.kind), text::channel(message.channel));
    view! {
        <PageHeader
            title=format!("Message to {whom}")
            crumbs=crumbs(view)
            state=Label::from(message.state)
            lead=move || lead.clone()
        />
        <div class="grid grid--3-2">
            <div class="stack">
                {verdict(message, &view.faults)}
                <Card title="What happened">{timeline} {gap}</Card>
                {history::decisions(&message.decisions)}
            </div>
            <div class="stack">
                {bubble(message)}
                <Card title="Facts">{facts}</Card>
            </div>
        </div>
    }
    .into_any()
}

fn crumbs(view: &MessageView) -> Crumbs {
    let mut crumbs = vec![crumb("Campaigns", paths::CAMPAIGNS)];
    if let Some(campaign) = &view.campaign {
        crumbs.push(crumb(campaign.name.clone(), paths::campaign(campaign.id)));
        if view.run.is_some() {
            crumbs.push(crumb("Recipients", paths::recipients(campaign.id)));
        }
    }
    crumbs
}

/// The short answer to "why?", and what to do.
fn verdict(message: &Message, faults: &Faults) -> AnyView {
    let tone = match Label::from(message.state).tone {
        Tone::Idle => Tone::Info,
        tone => tone,
    };
    let (title, remedy) = match (message.error_code, message.reason) {
        (Some(code), _) => (faults.meaning(code), faults.remedy(code)),
        (None, Some(reason)) => (text::reason(reason), text::reason_remedy(reason)),
        (None, None) => (text::state_meaning(message.state).trim_end_matches('.'), None),
    };
    let remedy = remedy.map(str::to_owned);
    let code = message.error_code.map(|code| view! { " Code " <code>{code}</code> "." });
    let until = (message.state == State::Queued)
        .then(|| view! { "It goes out " <Time at=message.not_before moment=true/> " at the earliest. " });
    let fix = match (&message.phone, message.reason) {
        (
            Some(phone),
            Some(Reason::NoConsent | Reason::NotSubscribed | Reason::MissingVariable | Reason::NeedsTimezone),
        ) => Some(view! { " " <a class="link" href=paths::contact(phone)>"Open the contact"</a> }),
        _ => None,
    };
    view! {
        <Alert tone=tone title=format!("{}: {title}.", Label::from(message.state).text)>
            {until} {remedy} {code} {fix}
        </Alert>
    }
    .into_any()
}

fn bubble(message: &Message) -> AnyView {
    match message.body.clone() {
        Some(body) => {
            let (at, state) = (message.updated_at, text::state_counted(message.state));
            view! {
                <PhonePreview name="Your business" about=text::channel(message.channel)>
                    <ChatNote text="The text as it was handed over"/>
                    <Bubble text=body meta=move || view! { <Time at moment=true/> " · " {state} }/>
                </PhonePreview>
            }
            .into_any()
        }
        None => {
            let words = match message.state {
                State::Queued | State::Sending => {
                    "It is filled in when the message's turn comes, with the person's details of that moment."
                }
                State::Skipped | State::Cancelled => "It was never filled in, because nothing was sent.",
                _ => "It is not kept any more.",
            };
            view! { <Card title="The text"><p class="muted">{words}</p></Card> }.into_any()
        }
    }
}

fn facts(view: &MessageView) -> AnyView {
    let MessageView { message, campaign, run, .. } = view;
    let campaign = campaign.as_ref().map(|campaign| {
        let (name, href) = (campaign.name.clone(), paths::campaign(campaign.id));
        let run = run.as_ref().map(|run| match run.is_rehearsal() {
            true => " · rehearsal".to_owned(),
            false => format!(" · run {}", run.number),
        });
        view! { <Fact name="Campaign"><a class="link" dir="auto" href=href>{name}</a>{run}</Fact> }
    });
    let event = message.event.as_ref().map(|event| {
        let (name, href, id) = (event.name.clone(), paths::trigger_event(event.number), event.id.clone());
        view! { <Fact name="Because of"><a class="link" href=href>{name}</a>{id.map(|id| format!(" · {id}"))}</Fact> }
    });
    let code = message.error_code.map(|code| view! { <Fact name="Error code"><code>{code}</code></Fact> });
    let sid = message.provider_sid.clone().map(|sid| view! { <Fact name="Twilio's id"><code>{sid}</code></Fact> });
    let (name, phone) = (message.name.clone(), message.phone.as_ref().map(ToString::to_string));
    let (id, state, attempts) = (message.id.to_string(), message.state, message.attempts);
    let (planned, changed) = (message.created_at, message.updated_at);
    view! {
        <Facts>
            <Fact name="Person"><Who name phone/></Fact>
            {campaign}
            {event}
            <Fact name="State">{pill(state)}</Fact>
            <Fact name="Attempts">{format::num(attempts)}</Fact>
            <Fact name="Planned"><Time at=planned moment=true/></Fact>
            <Fact name="Last change"><Time at=changed moment=true/></Fact>
            {code}
            {sid}
            <Fact name="Our id"><code>{id}</code></Fact>
        </Facts>
    }
    .into_any()
}
