//! "Why?" for any number: also of people who were never in the plan.

use domain::{ids::CampaignId, message::Message, trigger_event::TriggerEvent};
use leptos::prelude::*;

use super::{
    below,
    plan::{WhyRow, WhyView, load_why},
    use_id,
};
use crate::{components::*, paths, text};

#[component]
pub fn WhyPage() -> impl IntoView {
    let id = use_id();
    let here = use_here();
    let asked = move || (id(), here.get("phone"), here.get("run"));
    let why = fetch(asked, |(id, phone, run)| load_why(id, phone, run));
    view! { <Loaded from=why let:view>{page(view)}</Loaded> }.into_any()
}

fn page(view: WhyView) -> AnyView {
    let crumbs = below(view.campaign.id, &view.campaign.name);
    let tone = if view.is_good { Tone::Ok } else { Tone::Info };
    let answer = view.answer.clone().map(|answer| {
        let message = view.message.map(|id| {
            view! { <a class="link" href=paths::message(id)>"Every decision about the message"</a> }
        });
        let between = view.message.is_some().then_some(" · ");
        let contact = view.contact.clone().map(|phone| {
            view! { {between} <a class="link" href=paths::contact(phone)>"Open the contact"</a> }
        });
        let until = view.until.map(|at| view! { "It waits until " <Time at moment=true/> ". " });
        let more = view.more.clone();
        view! { <Alert tone=tone title=answer>{until} {more} " " {message} {contact}</Alert> }
    });
    let rules = (!view.rules.is_empty()).then(|| {
        let rows = view.rules.into_iter().map(rule).collect::<Vec<_>>();
        view! {
            <Card title="The audience's rules, as they are for this person now" flush=true>
                <ul class="rules">{rows}</ul>
            </Card>
        }
    });
    let campaign = view.campaign.id;
    let asked = view.asked.clone();
    let messages = (!view.messages.is_empty()).then(|| {
        let rows = view.messages.iter().map(|one| message(campaign, &asked, one)).collect::<Vec<_>>();
        view! { <Card title="More messages of this campaign to this person" flush=true><ul class="list">{rows}</ul></Card> }
    });
    let events = (!view.events.is_empty()).then(|| {
        let rows = view.events.iter().map(event).collect::<Vec<_>>();
        view! { <Card title="What the campaign heard about this person" flush=true><ul class="list">{rows}</ul></Card> }
    });
    let action = paths::why(view.campaign.id);
    view! {
        <PageHeader title="Why?" crumbs=crumbs lead=|| "Why somebody got this campaign, or did not."/>
        <div class="stack">
            <form class="why-form" method="get" action=action>
                <label class="field__label" for="why-phone">"Number"</label>
                <input id="why-phone" class="input" type="tel" name="phone" value=view.asked placeholder="+94 77 123 4567" required=true/>
                <button type="submit" class="btn">"Ask"</button>
            </form>
            {view.problem.map(|problem| view! { <Alert tone=Tone::Warn title=problem/> })}
            {answer}
            {events}
            {messages}
            {rules}
        </div>
    }
    .into_any()
}

/// A message of another run, or by another event, with the way to ask about that run.
fn message(campaign: CampaignId, asked: &str, message: &Message) -> AnyView {
    let at = message.not_before;
    let run = message.run_id.map(|run| {
        let run = run.to_string();
        let href = paths::with_query(&paths::why(campaign), &[("phone", asked), ("run", &run)]);
        view! { <a class="link" href=href>"Ask about this run"</a> " · " }
    });
    view! {
        <li class="list__item">
            <span class="list__main">{pill(message.state)} " " <Time at moment=true/></span>
            " "
            <span>{run} <a class="link" href=paths::message(message.id)>"Every decision"</a></span>
        </li>
    }
    .into_any()
}

fn event(event: &TriggerEvent) -> AnyView {
    let outcome = event.effects.first().and_then(|effect| effect.outcome);
    let (name, at) = (event.name.clone(), event.received_at);
    view! {
        <li class="list__item">
            <span class="list__main" dir="auto">{name} " " <Time at moment=true/></span>
            {pill(text::event_outcome(outcome))}
        </li>
    }
    .into_any()
}

fn rule(row: WhyRow) -> AnyView {
    let WhyRow { depth, holds, words, actual } = row;
    let label = if holds {
        Label { tone: Tone::Ok, text: "holds".into() }
    } else {
        Label { tone: Tone::Warn, text: "does not hold".into() }
    };
    view! {
        <li class=format!("rules__row rules__row--{depth}")>
            <span dir="auto">{words} " " {actual.map(|actual| view! { <span class="sub" dir="auto">{actual}</span> })}</span>
            {pill(label)}
        </li>
    }
    .into_any()
}
