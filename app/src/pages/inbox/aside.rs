//! Beside a conversation: who takes care of it, and what is known of the person.

use domain::{contact::Contact, conversation::Received};
use leptos::prelude::*;

use super::{api::ConversationView, talk::Actions};
use crate::{components::*, paths};

pub(super) fn cards(view: Memo<ConversationView>, actions: Actions) -> AnyView {
    let conversation = Memo::new(move |_| {
        view.with(|view| {
            let now = &view.detail.conversation;
            (now.assignee.as_ref().map(|one| one.email.clone()), now.archived, now.version)
        })
    });
    let (number, assignees) = view.with_untracked(|view| (view.contact.phone.to_string(), view.assignees.clone()));
    let care = live_view(move || {
        let (assignee, archived, version) = conversation.get();
        care(&number, assignee, archived, version, &assignees, actions)
    });
    let contact = Memo::new(move |_| view.with(|view| view.contact.clone()));
    let campaigns = Memo::new(move |_| view.with(|view| view.campaigns.clone()));
    view! {
        <div class="stack">
            {care}
            {live_view(move || contact.with(person))}
            {live_view(move || campaigns.with(|campaigns| received(campaigns)))}
        </div>
    }
    .into_any()
}

fn care(
    number: &str,
    assignee: Option<String>,
    archived: bool,
    version: i64,
    assignees: &[String],
    actions: Actions,
) -> AnyView {
    let state = if archived { pill((Tone::Idle, "Archived")) } else { pill((Tone::Ok, "Open")) };
    let who = assignee.clone().unwrap_or_else(|| "Nobody".to_owned());
    let (number, again) = (number.to_owned(), number.to_owned());
    let forms = (!assignees.is_empty()).then(|| {
        let choices = assignees.iter().map(|email| Choice::new(email.clone(), email.clone())).collect::<Vec<_>>();
        let (label, word) = if archived { ("Open again", "false") } else { ("Archive", "true") };
        view! {
            <FormFor action=actions.assign>
                <Hidden name="number" value=number/>
                <VersionField version/>
                <SelectField name="assignee" label="Assign to" choices=choices blank="Nobody" value=assignee.unwrap_or_default()/>
                <FormActions><SubmitButton label="Assign" busy="Assigning…" class="btn"/></FormActions>
            </FormFor>
            <FormFor action=actions.archive class="form--inline">
                <Hidden name="number" value=again/>
                <VersionField version/>
                <Hidden name="archived" value=word/>
                <SubmitButton label=label class="btn"/>
            </FormFor>
        }
    });
    view! {
        <Card title="This conversation">
            <Facts>
                <Fact name="State">{state}</Fact>
                <Fact name="Assigned to"><span class="break">{who}</span></Fact>
            </Facts>
            {forms}
        </Card>
    }
    .into_any()
}

/// So many details are shown; all are on the person's own page.
const DETAILS: usize = 12;

fn person(contact: &Contact) -> AnyView {
    let facts = contact.attributes.iter().take(DETAILS).map(|(key, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        view! { <Fact name=key.clone()><span dir="auto">{value}</span></Fact> }.into_any()
    });
    let facts = facts.collect::<Vec<_>>();
    let topics = if contact.topics.is_empty() { "–".to_owned() } else { contact.topics.join(", ") };
    let language = contact.locale.clone().unwrap_or_else(|| "–".to_owned());
    let zone = contact.timezone.clone().unwrap_or_else(|| "–".to_owned());
    let (name, phone) = (contact.name.clone(), contact.phone.to_string());
    let suppressed = contact.suppressed.then(|| pill((Tone::Bad, "Do not contact")));
    let consent = contact.consent;
    view! {
        <Card title="Person">
            <Facts>
                <Fact name="Who"><Who name=name phone=Some(phone)/></Fact>
                <Fact name="Marketing">{pill(consent)} " " {suppressed}</Fact>
                <Fact name="Topics">{topics}</Fact>
                <Fact name="Language">{language}</Fact>
                <Fact name="Time zone">{zone}</Fact>
                {facts}
            </Facts>
        </Card>
    }
    .into_any()
}

fn received(campaigns: &[Received]) -> AnyView {
    if campaigns.is_empty() {
        return view! { <Card title="Campaigns"><p class="muted">"No campaign has written to this person."</p></Card> }
            .into_any();
    }
    let rows = campaigns.iter().map(|one| {
        let (state, at) = (one.state, one.at);
        view! {
            <li class="list__item">
                <span class="list__main">
                    <a class="link" dir="auto" href=paths::campaign(one.campaign_id)>{one.name.clone()}</a>
                    <span><Time at/></span>
                </span>
                {pill(state)}
            </li>
        }
        .into_any()
    });
    let rows = rows.collect::<Vec<_>>();
    view! { <Card title="Campaigns" flush=true><ul class="list">{rows}</ul></Card> }.into_any()
}
