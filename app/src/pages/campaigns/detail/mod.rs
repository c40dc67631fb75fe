//! One campaign: a draft with what is missing, or its run with the ledger.

mod countries;
mod draft;
mod progress;
mod reasons;
mod rehearsed;
mod run;

use domain::{
    campaign::{Campaign, CampaignStatus, Trigger},
    ids::CampaignId,
    message::State,
    role::Permission,
    run::{QuietOverride, Run, RunStatus},
    time::Timestamp,
};
use leptos::{context::Provider, prelude::*};

use super::{
    actions::{ChangeCampaign, SendTest},
    api::{CampaignQuery, CampaignView, Names, load_campaign},
    may, people, settled, use_id,
    wizard::when,
};
use crate::{components::*, paths, text};

/// The page's forms.
#[derive(Clone, Copy)]
struct Actions {
    change: FormAction<ChangeCampaign>,
    test: FormAction<SendTest>,
}

#[component]
pub fn CampaignPage() -> impl IntoView {
    let id = use_id();
    let here = use_here();
    let actions = Actions { change: FormAction::new(), test: FormAction::new() };
    let moving = RwSignal::new(false);
    let tick = poll(2_000, move || moving.get());
    let source = move || {
        let query =
            CampaignQuery { id: id(), run: here.get("run"), state: here.get("state"), tests: here.get("tests") };
        (query, tick.get(), actions.change.version().get())
    };
    let campaign = fetch(source, |(query, ..)| load_campaign(query));
    Effect::new(move |_| {
        if let Some(Ok(view)) = campaign.get() {
            moving.set(moves(&view));
        }
    });
    view! { <Loaded from=campaign rows=8 let:view>{page(view, actions, here)}</Loaded> }.into_any()
}

/// Whether the numbers will change by themselves: while the run is under way, and for some minutes while delivery
/// reports come in.
fn moves(view: &CampaignView) -> bool {
    let lately = |since: Option<Timestamp>| since.is_none_or(|since| view.at.since(since) < 10 * Timestamp::MINUTE);
    let run = view.run.as_ref().is_some_and(|run| match run.status {
        RunStatus::Planning | RunStatus::Running => true,
        status if status.is_over() => {
            let open = run.ledger.open() + run.ledger.count(State::Accepted) + run.ledger.count(State::Sent);
            open > 0 && lately(run.finished_at)
        }
        _ => false,
    });
    run || view.tests.iter().any(|test| !test.state.is_final() && lately(Some(test.created_at)))
}

fn page(view: CampaignView, actions: Actions, here: Here) -> AnyView {
    let campaign = view.campaign.clone();
    let header = header(&campaign, view.names.clone(), (view.run.as_ref(), view.rehearsal.is_some()), actions);
    let trouble = trouble(view.run.as_ref());
    let awake = view.run.as_ref().and_then(|run| awake(run, actions.change));
    let may_wake = |run: &&Run| !run.status.is_over() && !run.quiet.overridden && may(Permission::Administer);
    let sleepers = view.run.as_ref().filter(may_wake).map_or(0, |run| run.quiet.messages);
    let wake = (sleepers > 0).then(|| wake(campaign.id, sleepers, actions.change));
    let body = match view.run.clone() {
        Some(run) => run::body(view, run, here),
        None => draft::body(view, actions),
    };
    view! {
        {header}
        <ActionError action=actions.change/>
        {due(&campaign)}
        {trouble}
        {awake}
        {wake}
        {body}
    }
    .into_any()
}

fn header(campaign: &Campaign, names: Names, (run, rehearsed): (Option<&Run>, bool), actions: Actions) -> AnyView {
    let facts = FactsLine::of(campaign, names, run);
    let buttons = buttons(campaign, (run, rehearsed), actions);
    view! {
        <PageHeader
            title=campaign.name.clone()
            crumbs=vec![crumb("Campaigns", paths::CAMPAIGNS)]
            state=Label::from(campaign.status)
            lead=move || facts.view()
        >
            {buttons}
        </PageHeader>
    }
    .into_any()
}

/// The line below the heading: what, to whom, since when.
#[derive(Clone)]
struct FactsLine {
    names: Names,
    audience: Option<String>,
    template: Option<String>,
    version: Option<i64>,
    launched: Option<Timestamp>,
    created: Timestamp,
}

impl FactsLine {
    fn of(campaign: &Campaign, names: Names, run: Option<&Run>) -> Self {
        Self {
            names,
            audience: campaign.segment_id.map(paths::audience),
            template: campaign.template_id.map(paths::template),
            version: run.map(|run| run.template_version),
            launched: run.map(|run| run.started_at.unwrap_or(run.created_at)),
            created: campaign.created_at,
        }
    }

    fn view(&self) -> AnyView {
        let Self { names, audience, template, version, launched, created } = self.clone();
        let Some(launched) = launched else {
            return view! { "Made " <Time at=created moment=true/> ". Nothing was sent to the audience yet." }
                .into_any();
        };
        let topic = names.topic.map_or_else(|| "No topic".to_owned(), |topic| format!("Topic {topic}"));
        let version = version.map(|version| format!(" v{version}")).unwrap_or_default();
        let link = |word: &'static str, name: Option<String>, href: Option<String>| {
            name.zip(href)
                .map(|(name, href)| view! { {word} <a class="link" dir="auto" href=href>{name}</a> }.into_any())
        };
        let audience = link(" · audience ", names.audience, audience);
        let template = link(" · template ", names.template.map(|name| format!("{name}{version}")), template);
        let sender = names.sender.map(|sender| format!(" · from {sender}"));
        view! { {topic} {audience} {template} {sender} " · launched " <Time at=launched moment=true/> }.into_any()
    }
}

/// What can be done from the present state; the primary action last.
fn buttons(campaign: &Campaign, (run, rehearsed): (Option<&Run>, bool), actions: Actions) -> AnyView {
    let (id, send, write) = (campaign.id, may(Permission::Send), may(Permission::Write));
    let change = actions.change;
    let edit = paths::edit_campaign(id);
    let review = if campaign.trigger == Trigger::Now { "Review and launch" } else { "Review and schedule" };
    let rehearse = move |class: &'static str| {
        if rehearsed {
            view! { <a class=class href=paths::rehearsal(id)>"Rehearsal"</a> }.into_any()
        } else {
            verb(change, id, "rehearse", "Rehearse", "Starting…", class)
        }
    };
    let act = match campaign.status {
        CampaignStatus::Draft => view! {
            {write.then(|| view! { <a class="btn" href=edit.clone()>"Edit"</a> })}
            {send.then(|| rehearse("btn"))}
            {send.then(|| view! { <a class="btn btn--primary" href=paths::launch_campaign(id)>{review}</a> })}
        }
        .into_any(),
        CampaignStatus::Running | CampaignStatus::Scheduled if send => view! {
            {verb(change, id, "pause", "Pause", "Pausing…", "btn")}
            <a class="btn btn--danger" href=paths::cancel_campaign(id)>"Cancel…"</a>
        }
        .into_any(),
        CampaignStatus::Paused if send => view! {
            <a class="btn btn--danger" href=paths::cancel_campaign(id)>"Cancel…"</a>
            {verb(change, id, "resume", "Resume", "Resuming…", "btn btn--primary")}
        }
        .into_any(),
        _ => ().into_any(),
    };
    let launched = campaign.status != CampaignStatus::Draft;
    let over = run.is_some_and(|run| run.status.is_over());
    let waits = campaign.status == CampaignStatus::Paused && run.is_none_or(|run| run.status.is_over());
    let change_words = if campaign.status == CampaignStatus::Scheduled || waits {
        "Edit"
    } else if over {
        "Edit name"
    } else {
        "Edit name and rate"
    };
    let file = run.map(|run| format!("/runs/{}/export.csv", run.id));
    let more = view! {
        <details class="menu" name="menu">
            <summary class="btn">"More"</summary>
            <div class="menu__panel">
                {(write && launched).then(|| view! { <a class="menu__item" href=edit>{change_words}</a> })}
                {write.then(|| verb(change, id, "duplicate", "Duplicate", "Duplicating…", "menu__item"))}
                {(send && campaign.status == CampaignStatus::Scheduled).then(|| rehearse("menu__item"))}
                {launched.then(|| view! { <a class="menu__item" href=paths::recipients(id)>"All recipients"</a> })}
                <a class="menu__item" href=paths::why(id)>"Why? by number"</a>
                {file.map(|file| view! { <a class="menu__item" href=file rel="external" download="">"Export CSV"</a> })}
            </div>
        </details>
    };
    view! { {act} {more} }.into_any()
}

/// A button with a form of its own. What went wrong is said once, below the heading.
fn verb(
    change: FormAction<ChangeCampaign>,
    id: CampaignId,
    verb: &'static str,
    label: &'static str,
    busy: &'static str,
    class: &'static str,
) -> AnyView {
    let state = FormState { problem: Signal::stored(None), pending: form_state(change).pending };
    view! {
        <FormFor action=change class="form--inline" quiet=true>
            <Provider value=state>
                <Hidden name="campaign" value=id.to_string()/>
                <Hidden name="verb" value=verb/>
                <SubmitButton label=label busy=busy class=class/>
            </Provider>
        </FormFor>
    }
    .into_any()
}

/// For what cannot wait for the morning.
fn wake(id: CampaignId, sleepers: i64, change: FormAction<ChangeCampaign>) -> AnyView {
    let people = format::counted(sleepers, "person sleeps", "people sleep");
    view! {
        <details class="disclosure">
            <summary>{people} ". Can it not wait?"</summary>
            <FormFor action=change class="form form--narrow" quiet=true>
                <Hidden name="campaign" value=id.to_string()/>
                <Hidden name="verb" value="wake"/>
                <TextField
                    name="reason"
                    label="Why it cannot wait for the morning"
                    required=true
                    hint="It stands on this page, with each message, and in the audit log. Marketing always waits."
                />
                <FormActions><SubmitButton label="Send it to them now" busy="Waking…" class="btn btn--danger"/></FormActions>
            </FormFor>
        </details>
    }
    .into_any()
}

/// That nobody's night is kept, or was not for a while: who said so and why. For admins, the way back.
fn awake(run: &Run, change: FormAction<ChangeCampaign>) -> Option<AnyView> {
    let holds = run.quiet.overridden && !run.status.is_over();
    if !holds && run.quiet_overrides.is_empty() {
        return None;
    }
    let said = run.quiet_overrides.iter().map(said).collect::<Vec<_>>();
    let back = (holds && may(Permission::Administer))
        .then(|| verb(change, run.campaign_id, "keep_hours", "Keep to quiet hours again", "Saving…", "btn"));
    let (tone, title) = if holds {
        (Tone::Warn, "It goes out by night, too.")
    } else {
        (Tone::Info, "Quiet hours were put aside for this run.")
    };
    Some(view! { <Alert tone=tone title=title>{said} {back}</Alert> }.into_any())
}

/// Who said that it cannot wait, why, and how long that held.
fn said(one: &QuietOverride) -> AnyView {
    let (by, since) = (text::step_actor(&one.by), one.since);
    let reason = one.reason.clone();
    let until = one.until.map(|at| view! { " Until " <Time at moment=true/> "." });
    view! {
        <Time at=since moment=true/> ", by " {by} ": “" <span dir="auto">{reason}</span> "”." {until} " "
    }
    .into_any()
}

/// When it is due next, why it is not, and what became of the latest time.
fn due(campaign: &Campaign) -> Option<AnyView> {
    let next = campaign.next_run_at.map(|at| {
        let when = when::told(&campaign.trigger);
        let paused = campaign.status == CampaignStatus::Paused;
        let lead = if paused { "Due " } else { "Goes out by itself " };
        let and = if paused { ", once it is resumed. " } else { ". " };
        view! {
            <Alert tone=Tone::Info title="Scheduled.">{lead} <Time at moment=true/> {and} {when} "."</Alert>
        }
        .into_any()
    });
    let why = campaign.reason.clone().map(|reason| {
        let title = if campaign.status == CampaignStatus::Failed { "It did not go out." } else { "It is paused." };
        view! { <Alert tone=Tone::Warn title=title>{reason}</Alert> }.into_any()
    });
    let skipped = campaign.last_due.and_then(|due| Some((due, text::due_reason(due.reason?)))).map(|(due, words)| {
        view! {
            <Alert tone=Tone::Info title="The latest time was left out.">
                <Time at=due.due_at moment=true/> ": " {words}
            </Alert>
        }
        .into_any()
    });
    let skipped = skipped.filter(|_| campaign.reason.is_none());
    let listens = match (&campaign.trigger, campaign.status) {
        (Trigger::Event { .. }, CampaignStatus::Running) => Some("It listens."),
        (Trigger::Event { .. }, CampaignStatus::Paused) => Some("It collects, and sends nothing until it is resumed."),
        _ => None,
    };
    let listens = listens.map(|title| {
        let when = when::told(&campaign.trigger);
        view! { <Alert tone=Tone::Info title=title>{when} "."</Alert> }.into_any()
    });
    let all = [why, next, skipped, listens].into_iter().flatten().collect::<Vec<_>>();
    (!all.is_empty()).then(|| all.into_any())
}

/// Why a run stands still.
fn trouble(run: Option<&Run>) -> Option<AnyView> {
    let run = run?;
    let reason = run.reason.as_deref().map(|reason| text::reason_code(reason).to_owned());
    let (tone, title, body) = match (run.status, reason) {
        (RunStatus::Paused, Some(reason)) => (Tone::Warn, "Paused.", reason),
        (RunStatus::Paused, None) => {
            (Tone::Info, "Paused.", "Nothing more is handed over until somebody resumes it.".to_owned())
        }
        (RunStatus::Failed, reason) => (Tone::Bad, "The run failed.", reason.unwrap_or_default()),
        _ => return None,
    };
    Some(view! { <Alert tone=tone title=title>{body}</Alert> }.into_any())
}
