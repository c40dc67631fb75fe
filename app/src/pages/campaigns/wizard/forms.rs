//! The forms of the wizard's steps.

use domain::{
    campaign::{Campaign, Late, OnUnknown},
    deadline::MOST_DAYS,
    quiet::QuietHours,
    run::RunStatus,
};
use leptos::prelude::*;

use super::{
    super::{
        actions::{ChooseAudience, ChooseTemplate, SaveBasics, SaveLaunched, SaveSending},
        api::WizardView,
    },
    Step, preview,
};
use crate::{components::*, paths, text};

pub(super) fn name_field(value: String) -> AnyView {
    view! {
        <TextField
            name="name"
            label="Name"
            value=value
            required=true
            maxlength=200
            autofocus=true
            placeholder="Kandy weekend"
            hint="For your team; the people who get the message do not see it."
        />
    }
    .into_any()
}

pub(super) fn topic_field(topics: Vec<(String, String)>, value: String) -> AnyView {
    let choices = topics.into_iter().map(|(key, name)| Choice::new(key, name)).collect::<Vec<_>>();
    view! { <SelectField name="topic" label="Topic" choices=choices value=value blank="No topic"/> }.into_any()
}

pub(super) fn about_topics() -> AnyView {
    view! {
        <Card title="What the topic decides">
            <ul class="bullets">
                <li>"With a topic, only people who are subscribed to it get the message. The others of the audience are left out, with that reason."</li>
                <li>"Without a topic, everybody in the audience gets it who agreed to marketing."</li>
                <li>"Whoever has opted out gets nothing, either way."</li>
            </ul>
            <p><a class="link" href=paths::TOPICS>"Open the topics"</a></p>
        </Card>
    }
    .into_any()
}

/// The buttons of a step. `show`: without scripts a preview needs the choice to be saved first.
pub(super) fn buttons(campaign: &Campaign, step: Step, show: Option<&'static str>) -> AnyView {
    let back = step.before().map(|before| view! { <a class="btn" href=before.path(campaign.id)>"Back"</a> });
    let label = if step.next().is_some() { "Save and continue" } else { "Save and review" };
    let show = show.map(|label| {
        view! {
            <span class="static-only">
                <SubmitButton label=label busy="Saving…" class="btn" name="op" value="stay"/>
            </span>
        }
    });
    let close = step.next().map(|_| {
        view! { <SubmitButton label="Save and close" busy="Saving…" class="btn btn--ghost" name="op" value="close"/> }
    });
    view! {
        <FormActions>
            <SubmitButton label=label busy="Saving…"/>
            {show}
            {back}
            {close}
        </FormActions>
    }
    .into_any()
}

pub(super) fn basics(view: WizardView, save: FormAction<SaveBasics>) -> AnyView {
    let campaign = view.campaign;
    view! {
        <div class="grid grid--3-2">
            <Card>
                <FormFor action=save>
                    <Hidden name="campaign" value=campaign.id.to_string()/>
                    <VersionField version=campaign.version/>
                    {name_field(campaign.name.clone())}
                    {topic_field(view.topics, campaign.topic.clone().unwrap_or_default())}
                    {buttons(&campaign, Step::Basics, None)}
                </FormFor>
            </Card>
            {about_topics()}
        </div>
    }
    .into_any()
}

pub(super) fn audience(view: WizardView, save: FormAction<ChooseAudience>) -> AnyView {
    let campaign = view.campaign;
    let chosen = RwSignal::new(campaign.segment_id.map(|id| id.to_string()).unwrap_or_default());
    let choices = view.audiences.into_iter().chain(view.imports).map(|(id, name)| Choice::new(id, name));
    let choices = choices.collect::<Vec<_>>();
    let form = if choices.is_empty() {
        view! {
            <Empty glyph=Glyph::Target title="No audiences yet" text="An audience says who is meant: by rules, or as one imported file.">
                <a class="btn btn--primary" href=paths::NEW_AUDIENCE>"Make an audience"</a>
            </Empty>
        }
        .into_any()
    } else {
        view! {
            <FormFor action=save>
                <Hidden name="campaign" value=campaign.id.to_string()/>
                <VersionField version=campaign.version/>
                <SelectField
                    name="segment_id"
                    label="Audience"
                    choices=choices
                    blank="Choose an audience"
                    required=true
                    live=chosen
                    hint="One by rules, or the people in an imported file. Whoever may not get the message is left out with a reason you can read."
                />
                {buttons(&campaign, Step::Audience, Some("Save and count"))}
            </FormFor>
        }
        .into_any()
    };
    view! {
        <div class="grid grid--3-2">
            <div class="stack">
                <Card>{form}</Card>
                <Card title="Somebody else is meant?">
                    <p><a class="btn" href=paths::NEW_AUDIENCE>{icon(Glyph::Plus)} "New audience by rules"</a></p>
                    <p class="muted small">"Your draft is saved. Come back to it under Campaigns when the audience is ready."</p>
                </Card>
            </div>
            {preview::people(chosen, view.people)}
        </div>
    }
    .into_any()
}

pub(super) fn message(view: WizardView, save: FormAction<ChooseTemplate>) -> AnyView {
    let campaign = view.campaign;
    let audience = campaign.segment_id.map(|id| id.to_string()).unwrap_or_default();
    let topic = campaign.topic.clone().unwrap_or_default();
    let chosen = RwSignal::new(campaign.template_id.map(|id| id.to_string()).unwrap_or_default());
    let choices = view.templates.into_iter().map(|one| {
        let label = format!("{} · {} · {}", one.name, text::channel(one.channel), text::category(one.category));
        Choice::new(one.id.to_string(), label)
    });
    let choices = choices.collect::<Vec<_>>();
    let form = if choices.is_empty() {
        view! {
            <Empty glyph=Glyph::Template title="No templates yet" text="A template is what is said, with a live preview for any of your contacts.">
                <a class="btn btn--primary" href=paths::NEW_TEMPLATE>"Write a template"</a>
            </Empty>
        }
        .into_any()
    } else {
        view! {
            <FormFor action=save>
                <Hidden name="campaign" value=campaign.id.to_string()/>
                <VersionField version=campaign.version/>
                <SelectField
                    name="template_id"
                    label="Template"
                    choices=choices
                    blank="Choose a template"
                    required=true
                    live=chosen
                    hint="Its version of the moment of launch is what everybody gets, also when somebody edits it later."
                />
                {buttons(&campaign, Step::Message, Some("Save and preview"))}
            </FormFor>
        }
        .into_any()
    };
    view! {
        <div class="grid grid--3-2">
            <div class="stack">
                <Card>{form}</Card>
                <Card title="Something else to say?">
                    <p><a class="btn" href=paths::NEW_TEMPLATE>{icon(Glyph::Plus)} "New template"</a></p>
                    <p class="muted small">"Your draft is saved. Come back to it under Campaigns when the template is ready."</p>
                </Card>
            </div>
            {preview::text(chosen, (audience, topic), view.text)}
        </div>
    }
    .into_any()
}

pub(super) fn sending(view: WizardView, save: FormAction<SaveSending>) -> AnyView {
    let (campaign, deadline, zone) = (view.campaign, view.deadline, view.zone);
    let channel = view.channel;
    let fitting = view.senders.into_iter().filter(|sender| channel.is_none_or(|channel| sender.channel == channel));
    let fitting = fitting.collect::<Vec<_>>();
    let blank = match fitting.iter().find(|sender| sender.default && channel.is_some()) {
        Some(default) => format!("The default: {}", default.name),
        None => "The channel's default".to_owned(),
    };
    let fastest = fitting.iter().map(|sender| sender.rate_per_second).max();
    let rate_hint = match fastest {
        Some(fastest) => format!("Empty: as fast as the sender may, up to {} a second.", format::num(fastest)),
        None => "Empty: as fast as the sender may.".to_owned(),
    };
    let choices = fitting.into_iter().map(|sender| {
        let off = match (sender.enabled, sender.held.is_some()) {
            (false, _) => " · disabled",
            (true, true) => " · held",
            (true, false) => "",
        };
        let label =
            format!("{} · {} · {}{off}", sender.name, text::channel(sender.channel), format::phone(&sender.address));
        Choice::new(sender.id.to_string(), label).disabled(!sender.enabled)
    });
    let choices = choices.collect::<Vec<_>>();
    let unknown = vec![
        Choice::new(OnUnknown::Requeue.as_str(), "Ask, then send again")
            .hint("Twilio is asked twice. Only when both times the message is not there, it goes out again."),
        Choice::new(OnUnknown::GiveUp.as_str(), "Ask, never send again")
            .hint("For codes and appointments: rather none than a second one. It counts as failed."),
    ];
    view! {
        <div class="grid grid--3-2">
            <Card>
                <FormFor action=save>
                    <Hidden name="campaign" value=campaign.id.to_string()/>
                    <VersionField version=campaign.version/>
                    <SelectField
                        name="sender_id"
                        label="Sender"
                        choices=choices
                        value=campaign.sender_id.map(|id| id.to_string()).unwrap_or_default()
                        blank=blank
                        hint="The number or Messaging Service people see the message come from."
                    />
                    {rate_field(campaign.rate_per_second, rate_hint)}
                    {hours_fields(campaign.quiet_hours)}
                    {deadline_fields(deadline, &zone, campaign.late)}
                    <RadioCards
                        name="unknown"
                        legend="When Twilio does not answer"
                        choices=unknown
                        value=campaign.on_unknown.as_str()
                        hint="It is rare: the line breaks in the middle, and nobody knows whether the message went out."
                    />
                    {buttons(&campaign, Step::Sending, None)}
                </FormFor>
            </Card>
            <Card title="Why slower?">
                <ul class="bullets">
                    <li>"Answers arrive over time instead of all at once: good when people answer them."</li>
                    <li>"A new sender keeps its good name with WhatsApp when it starts slowly."</li>
                    <li>"You can stop after the first hundred."</li>
                </ul>
                <p class="muted">"The rate can be changed while the campaign runs."</p>
            </Card>
        </div>
    }
    .into_any()
}

fn hours_fields(quiet: Option<QuietHours>) -> AnyView {
    let (start, end) = quiet.map(|quiet| (quiet.start.to_string(), quiet.end.to_string())).unwrap_or_default();
    view! {
        <div class="field">
            <div class="pair">
                <TextField name="quiet_hours" kind="time" label="Quiet from" value=start optional=true/>
                <TextField name="quiet_until" kind="time" label="Quiet until" value=end optional=true/>
            </div>
            <p class="field__hint">
                "By everyone's own clock, on top of what holds for the workspace. Who sleeps then gets it in the morning."
            </p>
        </div>
    }
    .into_any()
}

fn deadline_fields(deadline: String, zone: &str, late: Late) -> AnyView {
    let hint = format!(
        "So long after the launch, such as 6 hours or 2 days, at most {MOST_DAYS} days; or a time such as 2026-12-24 18:00, by \
         the clock of {zone}."
    );
    let choices = vec![
        Choice::new(Late::Wait.as_str(), "Send it late").hint("Whoever could not get it in time gets it afterwards."),
        Choice::new(Late::Drop.as_str(), "Leave it out").hint("After that time nobody gets it any more."),
    ];
    view! {
        <TextField
            name="send_before"
            label="Worth sending until"
            value=deadline
            optional=true
            placeholder="6 hours"
            hint=hint
        />
        <RadioCards name="late" legend="What is late" choices=choices value=late.as_str()/>
    }
    .into_any()
}

fn rate_field(value: Option<i32>, hint: String) -> AnyView {
    view! {
        <NumberField
            name="rate_per_second"
            label="At most"
            value=value.map(i64::from)
            optional=true
            min=1
            max=100_000
            unit="messages per second"
            hint=hint
        />
    }
    .into_any()
}

/// After the launch only the name and, until the end, the rate.
pub(super) fn launched(campaign: &Campaign, save: FormAction<SaveLaunched>) -> AnyView {
    let (id, version, name, rate) = (campaign.id, campaign.version, campaign.name.clone(), campaign.rate_per_second);
    let over = campaign.run.as_ref().is_some_and(|run| RunStatus::is_over(run.status));
    view! {
        <Card>
            <FormFor action=save>
                <Hidden name="campaign" value=id.to_string()/>
                <VersionField version/>
                <Hidden name="over" value=over.to_string()/>
                {name_field(name)}
                {(!over).then(|| rate_field(
                    rate,
                    "Takes effect within seconds. Empty: as fast as the sender may.".to_owned(),
                ))}
                <p class="muted">
                    "Audience, template and sender were frozen at the launch. To change them, duplicate the campaign."
                </p>
                <FormActions>
                    <SubmitButton label="Save" busy="Saving…"/>
                    <a class="btn" href=paths::campaign(id)>"Cancel"</a>
                </FormActions>
            </FormFor>
        </Card>
    }
    .into_any()
}
