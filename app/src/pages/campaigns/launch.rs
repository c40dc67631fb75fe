//! The page before the button that sends: the numbers, the text, and what stands in the way.

use domain::{
    campaign::{CampaignStatus, LaunchCheck, Trigger},
    ids::CampaignId,
    problem::FieldError,
    role::Permission,
    run::Run,
    time::Timestamp,
};
use leptos::prelude::*;

use super::{
    actions::ChangeCampaign,
    api::{LaunchView, Names, load_launch},
    below, may, rehearsal, use_id,
    wizard::{Step, when},
};
use crate::{components::*, paths, text};

#[component]
pub fn LaunchCampaignPage() -> impl IntoView {
    let id = use_id();
    let launch = FormAction::<ChangeCampaign>::new();
    let check = fetch(move || (id(), launch.version().get()), |(id, _)| load_launch(id));
    view! { <Loaded from=check let:view>{page(&view, launch)}</Loaded> }.into_any()
}

fn page(view: &LaunchView, launch: FormAction<ChangeCampaign>) -> AnyView {
    let LaunchView { check, names, rehearsal, sample_length } = view;
    let campaign = &check.campaign;
    let crumbs = below(campaign.id, &campaign.name);
    let (id, back) = (campaign.id, paths::campaign(campaign.id));
    if campaign.status != CampaignStatus::Draft {
        let (title, text) = if campaign.status == CampaignStatus::Scheduled {
            (
                "This campaign is scheduled already",
                "It goes out by itself. Until then it can be edited, paused and cancelled.",
            )
        } else {
            (
                "This campaign was launched already",
                "To send it again, duplicate it: so that nobody gets it twice by accident.",
            )
        };
        return view! {
            <PageHeader title="Launch" crumbs=crumbs state=Label::from(campaign.status)/>
            <Card>
                <Empty glyph=Glyph::Campaign title=title text=text>
                    <a class="btn btn--primary" href=back>"Open the campaign"</a>
                </Empty>
            </Card>
        }
        .into_any();
    }
    let by_hand = campaign.trigger == Trigger::Now;
    // What is launched is the rehearsed plan, as long as it counts.
    let plan = rehearsal.as_ref().filter(|(_, since)| by_hand && !since.campaign);
    let reached = plan.map_or_else(|| reached(check), |(run, _)| run.ledger.queued);
    // What the click is for: another plan does not go out by it.
    let shown = plan.map(|(run, _)| (run.id.to_string(), hash_of(run).unwrap_or_default()));
    let (shown_run, shown_hash) = shown.unwrap_or_default();
    let foreseen = rehearsal.as_ref().filter(|(run, since)| !since.campaign && run.ledger.queued > 0);
    // Of a rehearsed plan all segments are counted.
    let found = plan.and_then(|(run, _)| run.rehearsal.as_ref());
    let segments = found.map_or_else(|| sample_length.clone(), rehearsal::segments_in_words);
    let facts = facts(check, names, reached, (foreseen.and_then(|(run, _)| run.forecast.finish_at), segments));
    let nobody = plan.map_or_else(|| nobody(check), |(run, _)| nobody_planned(run));
    // By its time there may be somebody: only what goes out now is refused for it.
    let nobody = nobody.filter(|_| by_hand);
    let ready = check.problems.is_empty() && nobody.is_none() && may(Permission::Send);
    let why = nobody.map(|words| view! { <p class="muted">{words}</p> }.into_any());
    let people = format::counted(reached, "person", "people");
    let (verb, go, busy) = match campaign.trigger {
        Trigger::Now => ("launch", format!("Launch to {people}"), "Launching…"),
        Trigger::Event { .. } => ("schedule", "Listen from now on".to_owned(), "Scheduling…"),
        _ => ("schedule", format!("Schedule it, to {people} as of now"), "Scheduling…"),
    };
    let title = if campaign.trigger == Trigger::Now { "Review and launch" } else { "Review and schedule" };
    let lead = match campaign.trigger {
        Trigger::Now => "Read it once more. After the button, messages go out.",
        Trigger::Event { .. } => "Read it once more. After the button, every event sends its message by itself.",
        _ => "Read it once more. After the button, messages go out by themselves at their time.",
    };
    let rehearse_first = rehearsal.is_none() && may(Permission::Send) && !campaign.trigger.is_event();
    view! {
        <PageHeader title=title crumbs=crumbs lead=move || lead/>
        // At the top, where the page opens without scripts: the button is below the fold.
        <ActionError action=launch/>
        <div class="grid grid--3-2">
            <div class="stack">
                {problems(id, &check.problems)}
                {warnings(&check.warnings)}
                {rehearsal.as_ref().map(|(run, since)| rehearsal::changes(since, run, Some(to_rehearsal(id))))}
                {match plan {
                    Some((run, since)) => planned(run, since.settings),
                    None => numbers(check),
                }}
                <Card title="How it goes out">{facts}</Card>
                <FormFor action=launch quiet=true>
                    <Hidden name="campaign" value=id.to_string()/>
                    <Hidden name="verb" value=verb/>
                    <Hidden name="run" value=shown_run/>
                    <Hidden name="plan" value=shown_hash/>
                    {(!may(Permission::Send)).then(|| view! { <p class="muted">"Your role does not include launching. Ask a marketer or an admin."</p> })}
                    {why}
                    <FormActions>
                        <SubmitButton label=go busy=busy disabled=!ready/>
                        {rehearse_first.then(|| view! { <a class="btn" href=paths::rehearsal(id)>"Rehearse first"</a> })}
                        <a class="btn" href=back>"Not yet"</a>
                    </FormActions>
                    <p class="muted small">"You can pause or cancel at any moment; what was handed over cannot be called back."</p>
                </FormFor>
            </div>
            <div class="sticky">{phone(Some(check), plan.is_some())}</div>
        </div>
    }
    .into_any()
}

fn to_rehearsal(campaign: CampaignId) -> AnyView {
    view! { <a class="link" href=paths::rehearsal(campaign)>"Open the rehearsal"</a> }.into_any()
}

/// Why the rehearsed plan would come to nobody.
fn nobody_planned(run: &Run) -> Option<&'static str> {
    match (run.ledger.queued, run.ledger.planned) {
        (0, 0) => Some("Nobody would get this: there was nobody in the audience."),
        (0, _) => Some("Nobody would get this: everybody in the plan is left out."),
        _ => None,
    }
}

fn hash_of(run: &Run) -> Option<String> {
    run.rehearsal.as_ref().and_then(|found| found.plan_hash.clone())
}

/// The numbers of the rehearsed plan, which is what goes out.
fn planned(run: &Run, is_by_other_settings: bool) -> AnyView {
    let left_out = run.ledger.skipped;
    let mut rows: Vec<_> =
        run.skipped_by_reason.iter().map(|(code, count)| (text::reason_code(code).to_owned(), *count, None)).collect();
    rows.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
    let hash = hash_of(run);
    let planned = format::num(run.ledger.queued);
    let checked = if is_by_other_settings {
        "To nobody else than in this plan. When a person's turn comes, everything is checked again, by the settings as they are \
         then: they were changed since the rehearsal. "
    } else {
        "Exactly this plan goes out. When a person's turn comes, the text is filled in with what is known of them then, and \
         everything is checked again: whoever opts out in between is left out. "
    };
    let link = to_rehearsal(run.campaign_id);
    let of = format!("of {} in the plan", format::counted(run.ledger.planned, "person", "people"));
    view! {
        <Card title="The rehearsed plan">
            <div>
                <p class="figure">{planned}</p>
                <p class="muted">{of}</p>
            </div>
            {(left_out > 0).then(|| view! {
                <div class="inset">
                    <h3>{format!("{} left out, and why", format::num(left_out))}</h3>
                    <Counts rows/>
                </div>
            })}
            <p class="muted small">
                {checked}
                {link}
            </p>
            {hash.map(|hash| view! { <p class="muted small">"Plan " <code class="break">{hash}</code></p> })}
        </Card>
    }
    .into_any()
}

/// Whom planning does not leave out.
fn reached(check: &LaunchCheck) -> i64 {
    check.audience - check.skipped.values().sum::<i64>()
}

/// Whether people were counted: that takes an audience and a template.
fn is_counted(check: &LaunchCheck) -> bool {
    !check.audience_name.is_empty() && !check.template_name.is_empty()
}

/// Why a launch would reach nobody, when it is known that it would.
pub(super) fn nobody(check: &LaunchCheck) -> Option<&'static str> {
    let words = if check.audience == 0 {
        "Nobody would get this: there is nobody in the audience."
    } else {
        "Nobody would get this: everybody in the audience is left out."
    };
    (is_counted(check) && !check.campaign.trigger.is_event() && reached(check) <= 0).then_some(words)
}

/// What keeps a draft from being launched, each with the way to mend it.
pub(super) fn problems(campaign: CampaignId, problems: &[FieldError]) -> Option<AnyView> {
    if problems.is_empty() {
        return None;
    }
    let items = problems.iter().map(|problem| {
        let href = Step::of_field(&problem.field).path(campaign);
        view! { <li>{problem.message.clone()} " " <a class="link" href=href>"Fix it"</a></li> }.into_any()
    });
    let items = items.collect::<Vec<_>>();
    let title = match problems.len() {
        1 => "One thing is missing before the launch.".to_owned(),
        n => format!("{n} things are missing before the launch."),
    };
    Some(view! { <Alert tone=Tone::Warn title=title><ul class="alert__list">{items}</ul></Alert> }.into_any())
}

fn warnings(warnings: &[String]) -> Option<AnyView> {
    let items = warnings.iter().map(|text| view! { <li>{text.clone()}</li> }).collect::<Vec<_>>();
    (!items.is_empty()).then(|| {
        view! { <Alert tone=Tone::Info title="Worth knowing before."><ul class="alert__list">{items}</ul></Alert> }
            .into_any()
    })
}

pub(super) fn numbers(check: &LaunchCheck) -> AnyView {
    if check.campaign.trigger.is_event() {
        return on_event(check);
    }
    let mut skipped: Vec<_> = check.skipped.clone().into_iter().collect();
    skipped.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let left_out = check.audience - reached(check);
    let rows = skipped.iter().filter(|(_, count)| *count > 0);
    let rows = rows.map(|(code, count)| (text::reason_code(code).to_owned(), *count, None)).collect::<Vec<_>>();
    let nobody = check.audience > 0 && left_out == check.audience;
    let reached = format::num(reached(check));
    let of = format!("of {} in {}", format::counted(check.audience, "person", "people"), check.audience_name);
    view! {
        <Card title="Who gets it">
            <div>
                <p class="figure">{reached}</p>
                <p class="muted" dir="auto">{of}</p>
            </div>
            {nobody.then(|| view! {
                <Alert tone=Tone::Warn title="Nobody would get it.">"Everybody in the audience is left out, for the reasons below."</Alert>
            })}
            {(left_out > 0).then(|| view! {
                <div class="inset">
                    <h3>{format!("{} left out, and why", format::num(left_out))}</h3>
                    <Counts rows/>
                </div>
            })}
            <p class="muted small">
                "When a person's turn comes, everything is checked again: whoever opts out in between, or has no value for the text, is left out then."
            </p>
        </Card>
    }
    .into_any()
}

/// Whom events reach.
fn on_event(check: &LaunchCheck) -> AnyView {
    let when = when::told(&check.campaign.trigger);
    let audience = check.audience_name.clone();
    let whom = if audience.is_empty() {
        "Whoever the event is about.".to_owned()
    } else {
        format!("Whoever the event is about and is in {audience} by then.")
    };
    view! {
        <Card title="Who gets it">
            <p dir="auto">{when} "."</p>
            <p dir="auto">{whom}</p>
            <p class="muted small">
                "Consent, topic and everything else is checked for each of them. It goes on until somebody cancels it; while it is paused, events are collected."
            </p>
        </Card>
    }
    .into_any()
}

/// `finish_at`: what a rehearsal foresees, with quiet hours and all. Without one it is the rate alone that is known.
/// `segments`: what is billed, by SMS.
fn facts(
    check: &LaunchCheck,
    names: &Names,
    reached: i64,
    (finish_at, segments): (Option<Timestamp>, Option<String>),
) -> AnyView {
    let campaign = &check.campaign;
    let rate = i64::from(check.rate_per_second);
    let time = (rate > 0 && !campaign.trigger.is_event()).then(|| {
        let seconds = ((reached.max(0) + rate - 1) / rate).max(1);
        let (time, rate) = (format::duration(seconds * Timestamp::SECOND), format::num(rate));
        let texts = if segments.is_some() { " with texts of one segment" } else { "" };
        format!("about {time} at full speed, {rate} a second{texts}, without waiting for mornings")
    });
    let takes = match finish_at {
        Some(at) => {
            let by_hand = campaign.trigger == Trigger::Now;
            let name = if by_hand { "If launched now, the last one goes out" } else { "The last one goes out" };
            view! { <Fact name=name><Time at moment=true/></Fact> }.into_any()
        }
        None => view! { <Fact name="Takes">{time.unwrap_or_else(|| "–".to_owned())}</Fact> }.into_any(),
    };
    let link = |step: Step, words: &str| {
        let words = if words.is_empty() { "Not chosen yet".to_owned() } else { words.to_owned() };
        view! { <a class="link" dir="auto" href=step.path(campaign.id)>{words}</a> }.into_any()
    };
    let starts = match campaign.trigger {
        Trigger::Now => "At once, when you press the button".to_owned(),
        _ => when::told(&campaign.trigger),
    };
    let template = link(Step::Message, &check.template_name);
    let topic = link(Step::Basics, names.topic.as_deref().unwrap_or("No topic"));
    let sender = link(Step::Sending, &check.sender_name);
    view! {
        <Facts>
            <Fact name="Template">{template}</Fact>
            <Fact name="Topic">{topic}</Fact>
            <Fact name="Sender">{sender}</Fact>
            {takes}
            {segments.map(|words| view! { <Fact name="SMS segments">{words}</Fact> })}
            <Fact name="Starts">{starts}</Fact>
        </Facts>
    }
    .into_any()
}

/// The text as the first person of the audience gets it, or somebody of the rehearsed plan that goes out.
pub(super) fn phone(check: Option<&LaunchCheck>, of_plan: bool) -> AnyView {
    let no_sample = if of_plan { "The plan has nobody to show the message for." } else { no_sample(check) };
    let note = if check.is_some_and(|check| check.campaign.trigger.is_event()) {
        "As the newest contact would get it, with the latest event"
    } else if of_plan {
        "As somebody in the plan gets it"
    } else {
        "As the first person of the audience gets it"
    };
    match check.and_then(|check| check.sample_text.clone()) {
        Some(text) => view! {
            <PhonePreview name="Your business">
                <ChatNote text=note/>
                <Bubble text=text/>
            </PhonePreview>
        }
        .into_any(),
        None => view! {
            <Card title="Preview">
                <p class="muted">{no_sample}</p>
            </Card>
        }
        .into_any(),
    }
}

/// Why there is no text to show.
fn no_sample(check: Option<&LaunchCheck>) -> &'static str {
    match check.filter(|check| is_counted(check)) {
        None => "Once audience and template are chosen, the message stands here as the first person gets it.",
        Some(check) if check.campaign.trigger.is_event() => {
            "The text cannot be filled in with the data of the latest event. Preview the template."
        }
        Some(check) if check.audience == 0 => "The audience has nobody to show the message for.",
        Some(check) if reached(check) <= 0 => {
            "The audience has nobody to show the message for: everybody in it is left out."
        }
        Some(_) => "The text cannot be filled in for the first person of the audience. Preview the template with them.",
    }
}
