//! A rehearsal: everybody decided and nothing sent. What it found, what to mend, and the way to the launch.

use domain::{
    campaign::{Campaign, CampaignStatus, Trigger},
    ids::{CampaignId, TemplateId},
    message::{Outcome, State},
    reason::Reason,
    role::Permission,
    run::{LeaveOut, PlannedPerson, Rehearsal, Run, RunStatus, SinceRehearsal},
    text::Encoding,
};
use leptos::{context::Provider, prelude::*};

use super::{
    actions::ChangeCampaign,
    below, chart, may,
    people::why_link,
    plan::{RehearsalQuery, RehearsalView, load_rehearsal},
    use_id,
    wizard::Step,
};
use crate::{components::*, paths, text};

#[component]
pub fn RehearsalPage() -> impl IntoView {
    let id = use_id();
    let here = use_here();
    let change = FormAction::<ChangeCampaign>::new();
    let moving = RwSignal::new(false);
    let tick = poll(1_000, move || moving.get());
    let source = move || {
        let query = RehearsalQuery {
            id: id(),
            state: here.get("state"),
            reason: here.get("reason"),
            cursor: here.get("cursor"),
        };
        (query, tick.get(), change.version().get())
    };
    let rehearsal = fetch(source, |(query, ..)| load_rehearsal(query));
    Effect::new(move |_| {
        if let Some(Ok(view)) = rehearsal.get() {
            moving.set(view.run.is_some_and(|run| run.status == RunStatus::Planning));
        }
    });
    view! { <Loaded from=rehearsal rows=8 let:view>{page(view, change, here)}</Loaded> }.into_any()
}

fn page(view: RehearsalView, change: FormAction<ChangeCampaign>, here: Here) -> AnyView {
    let campaign = view.campaign.clone();
    let crumbs = below(campaign.id, &campaign.name);
    let Some((run, found)) = view.run.clone().and_then(|run| run.rehearsal.clone().map(|found| (run, found))) else {
        return none(&campaign, crumbs, change);
    };
    let id = campaign.id;
    let send = may(Permission::Send);
    let buttons = (send && run.status != RunStatus::Planning).then(|| {
        let counts = campaign.trigger == Trigger::Now && !found.stale && run.status == RunStatus::Rehearsed;
        let review = counts && campaign.status == CampaignStatus::Draft;
        view! {
            {button(change, id, "discard_rehearsal", "Discard", "Discarding…", "btn")}
            {button(change, id, "rehearse", "Rehearse again", "Starting…", if review { "btn" } else { "btn btn--primary" })}
            {review.then(|| view! { <a class="btn btn--primary" href=paths::launch_campaign(id)>"Review and launch"</a> })}
        }
        .into_any()
    });
    let body = match run.status {
        RunStatus::Planning => progress(&run, &found, change, here),
        RunStatus::Failed => {
            let reason = run.reason.clone().unwrap_or_default();
            view! { <Alert tone=Tone::Bad title="The rehearsal failed.">{reason}</Alert> }.into_any()
        }
        _ => results(view, &run, &found, (change, here)),
    };
    view! {
        <PageHeader
            title="Rehearsal"
            crumbs=crumbs
            state=Label::from(run.status)
            lead=|| "Everybody was decided as at sending. Nothing was sent."
        >
            {buttons}
        </PageHeader>
        <ActionError action=change/>
        {body}
    }
    .into_any()
}

fn none(campaign: &Campaign, crumbs: Crumbs, change: FormAction<ChangeCampaign>) -> AnyView {
    let open = matches!(campaign.status, CampaignStatus::Draft | CampaignStatus::Scheduled) && may(Permission::Send);
    let id = campaign.id;
    view! {
        <PageHeader title="Rehearsal" crumbs=crumbs/>
        <ActionError action=change/>
        <Card>
            <Empty
                glyph=Glyph::People
                title="Not rehearsed"
                text="A rehearsal decides about everybody as at sending: who gets what, when by their own clock, who is left out and why. Nothing is sent."
            >
                {open.then(|| button(change, id, "rehearse", "Rehearse", "Starting…", "btn btn--primary"))}
                <a class="btn" href=paths::campaign(id)>"Back to the campaign"</a>
            </Empty>
        </Card>
    }
    .into_any()
}

/// A button with a form of its own. What went wrong is said once, below the heading.
pub(super) fn button(
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

fn progress(run: &Run, found: &Rehearsal, change: FormAction<ChangeCampaign>, here: Here) -> AnyView {
    let (done, all) = (run.ledger.planned, found.audience.max(run.ledger.planned));
    let words = format!("{} of {}", format::num(done), format::counted(all, "person", "people"));
    let again = untrack(move || here.url());
    let id = run.campaign_id;
    view! {
        <Card title="Under way">
            <p class="figure" aria-live="polite">{words}</p>
            <Progress value=done max=all label="How many people were decided about"/>
            <div class="row">
                {may(Permission::Send).then(|| button(change, id, "discard_rehearsal", "Cancel", "Cancelling…", "btn"))}
                <a class="link static-only" href=again rel="external">"Refresh"</a>
            </div>
        </Card>
    }
    .into_any()
}

fn results(
    view: RehearsalView,
    run: &Run,
    found: &Rehearsal,
    (change, here): (FormAction<ChangeCampaign>, Here),
) -> AnyView {
    let RehearsalView { campaign, since, people, curve, hours, .. } = view;
    let since = since.map(|since| changes(&since, run, None));
    let look = (campaign.trigger != Trigger::Now).then(|| {
        view! {
            <Alert title="A look only.">
                "This campaign goes out by itself. Everybody was decided by the clock of its next time, with what is known of them today; at its time it is planned anew, by the audience of then."
            </Alert>
        }
        .into_any()
    });
    let by_hand = campaign.trigger == Trigger::Now;
    // What goes to nobody has no end.
    let finish = run.forecast.finish_at.filter(|_| found.reached() > 0).map(|at| {
        let name = if by_hand { "If launched now, the last one goes out" } else { "The last one goes out" };
        view! { <Fact name=name><Time at moment=true/></Fact> }
    });
    let decided_for = (!by_hand).then(|| {
        let at = found.due_at;
        view! { <Fact name="Decided for"><Time at moment=true/></Fact> }
    });
    let foreseen =
        if found.reached() > 0 { "It is over at once." } else { "Nobody gets it, so nothing would be sent." };
    let hash = found.plan_hash.clone().map(|hash| {
        view! { <Fact name="Plan"><code title="SHA-256 over everybody's decision and text">{hash}</code></Fact> }
    });
    let made = found.finished_at.map(|at| view! { <Fact name="Rehearsed"><Time at/></Fact> });
    view! {
        <div class="stack">
            {look}
            {since}
            <div class="grid grid--2">
                {totals(&campaign, run, found)}
                {lint(&campaign, found, change)}
            </div>
            <div class="grid grid--2">
                <Card title="By the hour on their own clocks">{chart(hours, "Nobody gets it.")}</Card>
                <Card title="Forecast">
                    {chart(curve, foreseen)}
                    <Facts>{decided_for} {finish} {made} {hash}</Facts>
                </Card>
            </div>
            {list(run, found, people, here)}
        </div>
    }
    .into_any()
}

/// What is to be known before the launch, because it is not as it was rehearsed; `more` leads on from there.
pub(super) fn changes(since: &SinceRehearsal, run: &Run, more: Option<AnyView>) -> AnyView {
    let mut items: Vec<String> = Vec::new();
    if let Some(version) = since.template_version {
        items.push(format!(
            "The template has version {version} by now. This plan keeps version {}: rehearse again to take the new one.",
            run.template_version
        ));
    }
    if since.audience {
        items.push("The audience's rules were changed. This plan keeps those it was made by.".to_owned());
    }
    if since.joined > 0 {
        let people = format::counted(since.joined, "person is", "people are");
        items.push(format!("{people} in the audience by now and not in the plan: they get nothing."));
    }
    if since.left > 0 {
        let people = format::counted(since.left, "person is", "people are");
        items.push(format!("{people} not in the audience any more, but in the plan: they get it."));
    }
    for (reason, count) in &since.left_out {
        items.push(format!("Left out since: {} ({}).", format::num(*count), text::reason_code(reason)));
    }
    if since.could_get_it > 0 {
        let people =
            format::counted(since.could_get_it, "person that this plan leaves out", "people that this plan leaves out");
        items.push(format!("{people} could get it now: rehearse again to take them in."));
    }
    if since.changed > 0 {
        let people = format::counted(since.changed, "person", "people");
        items.push(format!(
            "{people} whom this plan leaves out for want of something were changed since: rehearse again to see."
        ));
    }
    if since.data_changed > 0 {
        let people = format::counted(since.data_changed, "person", "people");
        items.push(format!(
            "{people} of this plan were changed since: their texts are filled in anew, with what is known of them by then."
        ));
    }
    if since.settings {
        items.push(
            "Quiet hours, law lines or limits were changed in the settings. When a person's turn comes, those of then hold: \
             rehearse again to see what they come to."
                .to_owned(),
        );
    }
    let title = if since.campaign {
        "The campaign was changed since: launching it plans anew. Rehearse it again."
    } else if items.is_empty() {
        return ().into_any();
    } else {
        "Since the rehearsal"
    };
    let tone = if since.campaign { Tone::Warn } else { Tone::Info };
    let items = items.into_iter().map(|item| view! { <li>{item}</li> }.into_any()).collect::<Vec<_>>();
    view! { <Alert tone=tone title=title><ul class="alert__list">{items}</ul> {more}</Alert> }.into_any()
}

fn totals(campaign: &Campaign, run: &Run, found: &Rehearsal) -> AnyView {
    let here = paths::rehearsal(run.campaign_id);
    let mut reasons: Vec<(String, i64, Option<String>)> = found
        .reasons
        .iter()
        .map(|(reason, count)| {
            let words = text::reason_code(reason).to_owned();
            (words, *count, Some(paths::with_query(&here, &[("reason", reason)])))
        })
        .collect();
    reasons.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
    let (now, later, out) = (found.outcome(Outcome::Send), found.outcome(Outcome::Wait), found.outcome(Outcome::Skip));
    let reached = found.reached();
    let awake = if campaign.trigger == Trigger::Now { "At once" } else { "At its time" };
    let of = format!("of {} in the audience get it", format::num(reached + out));
    let length = segments_in_words(found).map(|words| view! { <Fact name="SMS segments">{words}</Fact> });
    let nobody = (reached == 0).then(|| {
        let words =
            if out == 0 { "There is nobody in the audience." } else { "Everybody in the audience is left out." };
        view! { <Alert tone=Tone::Warn title="Nobody would get this.">{words}</Alert> }
    });
    view! {
        <Card title="Who gets it">
            <div><p class="figure">{format::num(reached)}</p><p class="muted">{of}</p></div>
            {nobody}
            <Facts>
                <Fact name=awake>{format::num(now)}</Fact>
                <Fact name="In their morning">{format::num(later)}</Fact>
                <Fact name="Left out">{format::num(out)}</Fact>
                {length}
            </Facts>
            {(!reasons.is_empty()).then(|| view! { <div class="inset"><h3>"Why"</h3><Counts rows=reasons/></div> })}
        </Card>
    }
    .into_any()
}

/// What the texts of a plan take by SMS; nothing on WhatsApp.
pub(super) fn segments_in_words(found: &Rehearsal) -> Option<String> {
    let all: i64 = found.segments.values().sum();
    let wide = found.encodings.get(Encoding::Ucs2.as_str()).copied().unwrap_or(0);
    let why = match wide {
        0 => String::new(),
        1 => " · 1 text in UCS-2: a character outside GSM-7 halves its room".to_owned(),
        wide => format!(" · {} texts in UCS-2: a character outside GSM-7 halves their room", format::num(wide)),
    };
    (all > 0).then(|| format!("{} in all{why}", format::num(all)))
}

/// Something that somebody could mend, and the way to it.
struct Finding {
    words: String,
    href: String,
    remedy: &'static str,
    /// A button leaves so many people out.
    leave_out: Option<(LeaveOut, i64)>,
}

/// Why some get nothing, or not yet, where that can be mended: words for one person and for many, and the way to mend it.
/// `has_deadline`: the campaign has a time until which it is worth sending; else it is its own time that was over.
fn by_reason(
    campaign: CampaignId,
    template: Option<TemplateId>,
    has_deadline: bool,
) -> [(Reason, &'static str, &'static str, String); 8] {
    let template = template.map(paths::template).unwrap_or_default();
    let people = paths::with_query(&paths::rehearsal(campaign), &[("reason", Reason::NeedsTimezone.as_str())]);
    let (late, earlier, step) = if has_deadline {
        ("would get it only after the time until which it is worth sending.", "Change that time", Step::Sending)
    } else {
        ("cannot get it in time: it is over by their own clock.", "Change the time", Step::When)
    };
    [
        (Reason::TooLong, "would get too long a text.", "Shorten the template", template.clone()),
        (
            Reason::TemplateError,
            "cannot be given this text: the template fails for them.",
            "Open the template",
            template,
        ),
        (
            Reason::OutsideWindow,
            "cannot be sent a text of your own: that takes a message of theirs within 24 hours.",
            "Choose an approved template",
            Step::Message.path(campaign),
        ),
        (Reason::NeedsTimezone, "cannot be placed in a time zone, and quiet hours need one.", "See them", people),
        (
            Reason::NoAllowedTime,
            "could never get it: quiet hours and law leave no hour where they are.",
            "Change the quiet hours",
            paths::edit_campaign(campaign),
        ),
        (Reason::DeadlinePassed, late, earlier, step.path(campaign)),
        (
            Reason::FrequencyCap,
            "would get more messages than the limits of the workspace or of law let anybody have.",
            "See the limits",
            paths::QUIET_HOURS.to_owned(),
        ),
        (
            Reason::HeldForReview,
            "must wait until somebody has read what they answered.",
            "Read the answers",
            paths::COMPLIANCE.to_owned(),
        ),
    ]
}

/// What a rehearsal found.
fn findings(campaign: &Campaign, found: &Rehearsal) -> Vec<Finding> {
    let template = campaign.template_id.map(paths::template).unwrap_or_default();
    let mut items: Vec<Finding> = Vec::new();
    for (variable, count) in &found.missing_variables {
        let (lack, are) = if *count == 1 { ("lacks", "is") } else { ("lack", "are") };
        items.push(Finding {
            words: format!("{} {lack} {variable} and {are} left out.", format::num(*count)),
            href: template.clone(),
            remedy: "Say what to write instead",
            leave_out: None,
        });
    }
    for (language, count) in &found.without_variant {
        let read = if *count == 1 { "reads" } else { "read" };
        items.push(Finding {
            words: format!(
                "{} {read} “{language}”, for which the template has no text: they get the default one.",
                format::num(*count)
            ),
            href: template.clone(),
            remedy: "Add a text",
            leave_out: Some((LeaveOut::WithoutVariant { language: language.clone() }, *count)),
        });
    }
    let in_us = found.refused_in_us();
    if in_us > 0 {
        let (have, audience) = (if in_us == 1 { "has a number" } else { "have numbers" }, campaign.segment_id);
        items.push(Finding {
            words: format!(
                "{} {have} of the United States, where WhatsApp delivers no marketing; SMS does.",
                format::num(in_us)
            ),
            href: audience.map_or_else(|| paths::edit_campaign(campaign.id), paths::audience),
            remedy: "Open the audience",
            leave_out: Some((LeaveOut::UsMarketing, in_us)),
        });
    }
    for (reason, words, remedy, href) in by_reason(campaign.id, campaign.template_id, campaign.send_before.is_some()) {
        if let Some(count) = found.reasons.get(reason.as_str()) {
            let words = format!("{} {words}", format::num(*count));
            items.push(Finding { words, href, remedy, leave_out: None });
        }
    }
    if found.reached() + found.outcome(Outcome::Skip) == 0 {
        items.push(Finding {
            words: "The audience is empty.".to_owned(),
            href: Step::Audience.path(campaign.id),
            remedy: "Choose another audience",
            leave_out: None,
        });
    }
    items
}

/// A button that leaves out whom a finding, said by the element with this id, is about.
fn leave_out(change: FormAction<ChangeCampaign>, id: CampaignId, finding: &str, whom: LeaveOut, count: i64) -> AnyView {
    let (verb, language) = match whom {
        LeaveOut::UsMarketing => ("leave_out_us", String::new()),
        LeaveOut::WithoutVariant { language } => ("leave_out_language", language),
    };
    let label = match count {
        1 => "Leave this person out".to_owned(),
        count => format!("Leave these {} people out", format::num(count)),
    };
    let state = FormState { problem: Signal::stored(None), pending: form_state(change).pending };
    let finding = finding.to_owned();
    view! {
        <div role="group" aria-labelledby=finding>
            <FormFor action=change class="form--inline" quiet=true>
                <Provider value=state>
                    <Hidden name="campaign" value=id.to_string()/>
                    <Hidden name="verb" value=verb/>
                    <Hidden name="language" value=language/>
                    <SubmitButton label=label busy="Starting…" class="btn btn--small"/>
                </Provider>
            </FormFor>
        </div>
    }
    .into_any()
}

/// What somebody could mend, each with the way to it. The forms share an action: what went wrong is said once, below the
/// heading, with a link to its field.
fn lint(campaign: &Campaign, found: &Rehearsal, change: FormAction<ChangeCampaign>) -> AnyView {
    let items = findings(campaign, found);
    if items.is_empty() {
        let words = if found.reached() > 0 {
            "Nothing: every text is complete."
        } else {
            "Nothing here: everybody is left out for what they are or have said, see the reasons."
        };
        return view! { <Card title="What could be mended"><p class="muted">{words}</p></Card> }.into_any();
    }
    let id = campaign.id;
    let may_narrow = may(Permission::Write) && may(Permission::Send);
    let items = items.into_iter().enumerate().map(|(index, Finding { words, href, remedy, leave_out: whom })| {
        let finding = format!("finding-{index}");
        let button = whom.filter(|_| may_narrow).map(|(whom, count)| leave_out(change, id, &finding, whom, count));
        view! {
            <li class="list__item">
                <span class="list__main"><span id=finding dir="auto">{words}</span></span>
                <a class="link" href=href>{remedy}</a>
                {button}
            </li>
        }
        .into_any()
    });
    let items = items.collect::<Vec<_>>();
    let zoneless = found.reasons.contains_key(Reason::NeedsTimezone.as_str()) && may(Permission::Send);
    let zone = zoneless.then(|| {
        view! {
            <FormFor action=change quiet=true>
                <Hidden name="campaign" value=id.to_string()/>
                <Hidden name="verb" value="set_timezone"/>
                <TextField name="timezone" label="Time zone for all whose zone is not known" required=true placeholder="Asia/Colombo"/>
                <FormActions><SubmitButton label="Set it and rehearse again" busy="Starting…" class="btn"/></FormActions>
            </FormFor>
        }
        .into_any()
    });
    let lacking = found.missing_variables.keys().map(|variable| Choice::new(variable.clone(), variable.clone()));
    let lacking = lacking.collect::<Vec<_>>();
    let fallback = (!lacking.is_empty() && may(Permission::Write)).then(|| {
        view! {
            <FormFor action=change quiet=true>
                <Hidden name="campaign" value=id.to_string()/>
                <Hidden name="verb" value="set_fallback"/>
                <div class="pair">
                    <SelectField name="variable" label="For people without" choices=lacking required=true/>
                    <TextField name="words" label="write instead" required=true maxlength=100 placeholder="there"/>
                </div>
                <FormActions><SubmitButton label="Change the template and rehearse again" busy="Starting…" class="btn"/></FormActions>
            </FormFor>
        }
        .into_any()
    });
    view! {
        <Card title="What could be mended">
            <ul class="list list--plain lint">{items}</ul>
            {fallback}
            {zone}
            <p class="muted small">"After a change, rehearse again."</p>
        </Card>
    }
    .into_any()
}

fn list(run: &Run, found: &Rehearsal, people: domain::page::Page<PlannedPerson>, here: Here) -> AnyView {
    let tabs = vec![
        Tab::new("", "All").count(found.reached() + found.outcome(Outcome::Skip)),
        Tab::new(State::Queued.as_str(), "Get it").count(run.ledger.queued),
        Tab::new(State::Skipped.as_str(), "Left out").count(run.ledger.skipped),
    ];
    let narrowed = here.once("reason");
    let narrowed = (!narrowed.is_empty()).then(|| {
        let all = untrack(move || here.with(&[("reason", ""), ("cursor", "")]));
        let words = format!("Only: {}.", text::reason_code(&narrowed));
        view! { <Alert title=words><a class="link" href=all>"Show everybody"</a></Alert> }
    });
    let shown = people.items.len();
    let rows = people.items.iter().map(row).collect::<Vec<_>>();
    let file = format!("/runs/{}/plan.csv", run.id);
    let body = if shown == 0 {
        view! { <p class="card__text muted">"Nobody."</p> }.into_any()
    } else {
        view! {
            <Table
                caption="People of the plan"
                columns=vec![Col::text("Contact"), Col::text("Outcome"), Col::text("When, where they are"), Col::text("Text or reason"), Col::action("Explanation")]
            >
                {rows}
            </Table>
            <Pagination next=people.next_cursor shown=shown/>
        }
        .into_any()
    };
    view! {
        {narrowed}
        <section class="card" aria-labelledby="people">
            <header class="card__head">
                <h2 id="people">"Everybody"</h2>
                <Tabs param="state" label="Filter by outcome" tabs/>
                <div class="card__aside"><a class="link" href=file rel="external" download="">"Export CSV"</a></div>
            </header>
            <div class="card__flush">{body}</div>
        </section>
    }
    .into_any()
}

fn row(person: &PlannedPerson) -> AnyView {
    let message = &person.message;
    let (tone, outcome) = match (message.state, message.reason) {
        (State::Queued, Some(Reason::QuietHours)) => (Tone::Info, "Waits"),
        (State::Queued, _) => (Tone::Ok, "Gets it"),
        _ => (Tone::Warn, "Left out"),
    };
    let when = person.local_time.clone().map(|time| {
        let zone = person.timezone.clone();
        view! { <span>{time} {zone.map(|zone| view! { <span class="sub">{zone}</span> })}</span> }
    });
    let words = match (&person.text, message.reason) {
        (Some(text), _) => {
            let (start, all) = (text.lines().next().unwrap_or_default().to_owned(), text.clone());
            view! {
                <td class="wrap recipient__words" data-label="Text">
                    <details class="fold"><summary dir="auto">{start}</summary><p class="pre" dir="auto">{all}</p></details>
                </td>
            }
            .into_any()
        }
        (None, Some(reason)) => {
            view! { <td class="wrap recipient__words" data-label="Reason">{text::reason(reason)}</td> }.into_any()
        }
        (None, None) => view! { <td class="recipient__words" data-label="Text"></td> }.into_any(),
    };
    let label = Label { tone, text: outcome.into() };
    view! {
        <tr class="recipient">
            <td class="main" data-label="Contact">
                <Who name=message.name.clone() phone=message.phone.as_ref().map(ToString::to_string)/>
            </td>
            <td class="recipient__state" data-label="Outcome">{pill(label)}</td>
            <td class="recipient__at" data-label="When">{when}</td>
            {words}
            <td class="num" data-label="">{why_link(message)}</td>
        </tr>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn segments_are_told_with_what_makes_them_more() {
        let counts = |of: &[(&str, i64)]| -> BTreeMap<String, i64> {
            of.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect()
        };
        let told = |encodings: BTreeMap<String, i64>, segments: BTreeMap<String, i64>| {
            segments_in_words(&Rehearsal { encodings, segments, ..Rehearsal::default() })
        };
        assert_eq!(told(BTreeMap::new(), BTreeMap::new()), None, "on WhatsApp");
        let plain = told(counts(&[("GSM-7", 1_200)]), counts(&[("GSM-7", 2_400)]));
        assert_eq!(plain.as_deref(), Some("2,400 in all"));
        let wide = told(counts(&[("GSM-7", 2), ("UCS-2", 1)]), counts(&[("GSM-7", 2), ("UCS-2", 3)]));
        assert!(wide.is_some_and(|words| words.starts_with("5 in all · 1 text in UCS-2")));
    }

    #[test]
    fn what_keeps_a_whole_plan_back_is_a_finding_with_its_remedy() {
        let campaign: CampaignId = "0199c6a1-0000-7000-8000-000000000001".parse().unwrap();
        let remedy = |reason: Reason, has_deadline: bool| {
            let found = by_reason(campaign, None, has_deadline).into_iter().find(|(of, ..)| *of == reason).unwrap();
            assert!(!found.1.is_empty() && !found.2.is_empty(), "{reason:?}");
            found.3
        };
        assert_eq!(remedy(Reason::OutsideWindow, false), Step::Message.path(campaign));
        assert_eq!(remedy(Reason::FrequencyCap, false), paths::QUIET_HOURS);
        let words =
            |reason: Reason| by_reason(campaign, None, false).into_iter().find(|(of, ..)| *of == reason).unwrap().1;
        assert!(words(Reason::FrequencyCap).contains("of the workspace or of law"));
        assert_eq!(remedy(Reason::DeadlinePassed, true), Step::Sending.path(campaign));
        assert_eq!(remedy(Reason::DeadlinePassed, false), Step::When.path(campaign));
    }
}
