//! A draft: what it will do, what is missing, a test to oneself.

use domain::{
    campaign::{Campaign, CampaignStatus, Late, LaunchCheck, Repeat, Trigger},
    message::Message,
    role::Permission,
};
use leptos::prelude::*;

use super::{
    super::{
        api::{CampaignView, Names},
        launch,
        wizard::{Step, when},
    },
    Actions, may, verb,
};
use crate::{components::*, paths, text};

pub(super) fn body(view: CampaignView, actions: Actions) -> AnyView {
    let CampaignView { campaign, names, check, tests, rehearsal, .. } = view;
    let write = may(Permission::Write);
    let rehearsal = rehearsal.is_some();
    let summary = check.as_ref().map(|check| summary(check, may(Permission::Send), rehearsal));
    let counts = campaign.segment_id.is_some() || campaign.trigger.is_event();
    let numbers = check.as_ref().filter(|_| counts).map(launch::numbers);
    let phone = launch::phone(check.as_ref(), false);
    view! {
        <div class="grid grid--3-2">
            <div class="stack">
                {summary}
                {choices(&campaign, &names, write)}
                {numbers}
                {may(Permission::Send).then(|| test(&campaign, &tests, actions))}
                {(write && campaign.status == CampaignStatus::Draft).then(|| delete(&campaign, actions))}
            </div>
            <div class="sticky">{phone}</div>
        </div>
    }
    .into_any()
}

/// What is missing, that nobody would get it, or that nothing is missing.
fn summary(check: &LaunchCheck, send: bool, rehearsed: bool) -> Option<AnyView> {
    let id = check.campaign.id;
    let next = if check.campaign.trigger == Trigger::Now { "review and launch" } else { "review and schedule" };
    let is_scheduled = check.campaign.status == CampaignStatus::Scheduled;
    let ready = move || {
        view! {
            <Alert tone=Tone::Ok title="Nothing is missing.">
                {if rehearsed { "It was rehearsed: " } else { "Send yourself a test and rehearse it, then " }}
                {rehearsed.then(|| view! { <a class="link" href=paths::rehearsal(id)>"see what it found"</a> ", then " })}
                <a class="link" href=paths::launch_campaign(id)>{next}</a> "."
            </Alert>
        }
        .into_any()
    };
    match (launch::problems(id, &check.problems), launch::nobody(check)) {
        (Some(problems), _) => Some(problems),
        (None, Some(words)) => Some(reaches_nobody(check, words)),
        (None, None) => (send && !is_scheduled).then(ready),
    }
}

fn reaches_nobody(check: &LaunchCheck, words: &'static str) -> AnyView {
    let href = Step::Audience.path(check.campaign.id);
    let schedule = (check.campaign.trigger != Trigger::Now && check.campaign.status == CampaignStatus::Draft).then(|| {
        let href = paths::launch_campaign(check.campaign.id);
        view! { ", or " <a class="link" href=href>"schedule it all the same"</a> ": it goes to whoever is in it by then." }
    });
    view! {
        <Alert tone=Tone::Warn title=words><a class="link" href=href>"Choose another audience"</a>{schedule}</Alert>
    }
    .into_any()
}

fn choices(campaign: &Campaign, names: &Names, write: bool) -> AnyView {
    let rate = campaign.rate_per_second.map_or_else(
        || "As fast as the sender may".to_owned(),
        |rate| format!("At most {} a second", format::num(rate)),
    );
    let hours = campaign.quiet_hours.map_or_else(|| "The workspace's".to_owned(), |quiet| quiet.to_string());
    let deadline = names.deadline.as_ref().map_or_else(
        || "No end".to_owned(),
        |deadline| {
            let late = if campaign.late == Late::Drop { "then left out" } else { "then sent late" };
            format!("{deadline}, {late}")
        },
    );
    let chosen = |name: &Option<String>| name.clone().unwrap_or_else(|| "Not chosen yet".to_owned());
    let audience = match &names.audience {
        None if campaign.trigger.is_event() => "Whoever an event is about".to_owned(),
        audience => chosen(audience),
    };
    let rows = [
        ("Topic", names.topic.clone().unwrap_or_else(|| "No topic".to_owned()), Step::Basics),
        ("Audience", audience, Step::Audience),
        ("Template", chosen(&names.template), Step::Message),
        ("Sender", names.sender.clone().unwrap_or_else(|| "The channel's default".to_owned()), Step::Sending),
        ("Rate", rate, Step::Sending),
        ("Quiet hours", hours, Step::Sending),
        ("Worth sending until", deadline, Step::Sending),
        ("When", when::told(&campaign.trigger) + again(campaign), Step::When),
    ];
    let rows = rows.into_iter().map(|(name, value, step)| {
        let label = format!("Change: {name}");
        let change = write.then(|| {
            view! { <a class="link push" href=step.path(campaign.id) aria-label=label>"Change"</a> }
        });
        view! { <Fact name=name><span class="row"><span dir="auto">{value}</span> {change}</span></Fact> }.into_any()
    });
    let rows = rows.collect::<Vec<_>>();
    view! { <Card title="The campaign"><Facts>{rows}</Facts></Card> }.into_any()
}

/// What becomes of people whom it would reach again.
fn again(campaign: &Campaign) -> &'static str {
    let recurs = !matches!(campaign.trigger, Trigger::Now | Trigger::Once { .. });
    if recurs && campaign.repeat == Repeat::OncePerPerson { ", each person only once" } else { "" }
}

fn test(campaign: &Campaign, tests: &[Message], actions: Actions) -> AnyView {
    let id = campaign.id;
    let sent = tests.iter().map(|message| {
        let phone = message.phone.as_ref().map(|phone| format::phone(phone.as_str())).unwrap_or_default();
        view! {
            <li class="list__item">
                <span class="list__main">
                    <b>{phone}</b>
                    {message.reason.map(|reason| view! { <span>{text::reason(reason)}</span> })}
                </span>
                {pill(message.state)}
                <a class="link" href=paths::message(message.id)>"Why?"</a>
            </li>
        }
        .into_any()
    });
    let sent = sent.collect::<Vec<_>>();
    view! {
        <Card title="Send a test">
            {(!sent.is_empty()).then(|| view! {
                <div class="inset"><h3>"The test you just sent"</h3><ul class="list" aria-live="polite">{sent}</ul></div>
            })}
            <FormFor action=actions.test>
                <Hidden name="campaign" value=id.to_string()/>
                <TextAreaField
                    name="phones"
                    label="Numbers"
                    rows=2
                    required=true
                    placeholder="+94 77 123 4567"
                    hint="One a line, up to ten: yours and your colleagues'. They get the real message, filled with their own details, outside of the campaign's numbers."
                />
                <FormActions><SubmitButton label="Send test" busy="Sending…" class="btn"/></FormActions>
            </FormFor>
        </Card>
    }
    .into_any()
}

fn delete(campaign: &Campaign, actions: Actions) -> AnyView {
    view! {
        <details class="disclosure">
            <summary>"Delete this draft"</summary>
            <div class="stack stack--tight">
                <p class="muted">"Only the draft goes; audience and template stay."</p>
                {verb(actions.change, campaign.id, "delete", "Delete the draft", "Deleting…", "btn btn--danger")}
            </div>
        </details>
    }
    .into_any()
}
