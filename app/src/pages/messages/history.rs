//! The steps of a message in words, and every check behind its decisions.

use domain::{
    message::{By, CheckOutcome, Decision, HistoryEntry, Outcome, State},
    time::Timestamp,
};
use leptos::prelude::*;

use crate::{components::*, faults::Faults, text};

/// Newest first, as all timelines here.
pub(super) fn timeline(history: &[HistoryEntry], faults: &Faults) -> AnyView {
    if history.is_empty() {
        return view! { <p class="muted">"Nothing yet."</p> }.into_any();
    }
    let moments = history.iter().enumerate().rev().map(|(place, entry)| moment(entry, place == 0, faults));
    let moments = moments.collect::<Vec<_>>();
    view! { <Timeline>{moments}</Timeline> }.into_any()
}

/// That steps may be missing, because callbacks are not kept for ever.
pub(super) fn gap(since: Timestamp) -> AnyView {
    let day = format::day(since, 0);
    view! {
        <p class="muted">
            "Callbacks from before " {day} " have gone with their retention: steps may be missing here."
        </p>
    }
    .into_any()
}

fn moment(entry: &HistoryEntry, is_first: bool, faults: &Faults) -> AnyView {
    let trouble = match (entry.error_code, entry.reason) {
        (Some(code), _) => Some(format!("{} ({code}). ", faults.meaning(code))),
        (None, Some(reason)) => Some(format!("{}. ", text::reason(reason))),
        (None, None) => None,
    };
    let waits = entry.detail.as_ref().map(|until| format!("It waits {until}. "));
    let by = match &entry.actor {
        Some(actor) => Some(format!("By {}.", text::step_actor(actor))),
        None => (entry.by != By::Plan).then(|| format!("By {}.", text::by(entry.by))),
    };
    let tone = if entry.moved { Label::from(entry.state).tone } else { Tone::Idle };
    let (title, still) = match &entry.status {
        Some(status) => {
            (format!("The provider reports: {status}"), Some(" This status is not known: it changed nothing."))
        }
        None => (step(entry, is_first).to_owned(), (!entry.moved).then_some(" It came late and changed nothing.")),
    };
    view! { <Moment at=entry.at title=title tone=tone>{trouble}{waits}{by}{still}</Moment> }.into_any()
}

/// What happened in this step.
fn step(entry: &HistoryEntry, is_first: bool) -> &'static str {
    match (entry.state, entry.by) {
        (State::Queued, By::Plan) if is_first => "Planned",
        (State::Queued, By::Plan) if entry.until.is_some() => "Quiet hours or clocks had changed: told to wait anew",
        (State::Queued, By::Plan) => "Quiet hours or clocks had changed: it need not wait for them any more",
        (State::Queued, By::Reconcile) => "Proven not sent: back in the queue",
        // Nobody puts a message back by hand: this is how single and test messages begin.
        (State::Queued, By::Admin) => "Queued for sending",
        (State::Queued, _) => "Back in the queue",
        (State::Sending, _) => "Its turn came: being handed over",
        (State::Unknown, By::Reconcile) => "Looked for at the provider: not there, to be asked once more",
        (State::Unknown, _) => "No answer: it may or may not have been sent",
        (State::Accepted, By::Worker) => "Taken by the provider",
        (State::Accepted, By::Reconcile) => "Found at the provider",
        (State::Accepted, _) => "The provider reports: accepted",
        (State::Sent, _) => "On its way to the phone",
        (State::Delivered, _) => "Delivered to the phone",
        (State::Read, _) => "Read",
        (State::Undelivered, _) => "Could not be delivered",
        (State::Failed, By::Reconcile) => "Given up",
        (State::Failed, _) => "Failed",
        (State::Skipped, By::Plan) => "Left out when the run was planned",
        (State::Skipped, By::Recipient) => "Left out: the person opted out",
        (State::Skipped, _) => "Left out when its turn came",
        (State::Cancelled, _) => "Cancelled before its turn",
    }
}

/// Every decision with every check.
pub(super) fn decisions(decisions: &[Decision]) -> AnyView {
    if decisions.is_empty() {
        return view! {
            <Card title="How it was decided">
                <p class="muted">"Nothing was decided yet: that is done when the message's turn comes, on the person's data of that moment."</p>
            </Card>
        }
        .into_any();
    }
    let cards = decisions.iter().enumerate().rev().map(|(place, made)| decision(made, place == 0));
    cards.collect::<Vec<_>>().into_any()
}

fn decision(decision: &Decision, is_first: bool) -> AnyView {
    let early = decision.attempt == 0 && decision.outcome == Outcome::Send;
    let what = match (decision.outcome, decision.reason) {
        (Outcome::Send, _) if early => "Nothing spoke against it. The rest is checked when its turn comes".to_owned(),
        (Outcome::Send, _) => "To be sent: nothing spoke against it".to_owned(),
        (Outcome::Skip, Some(reason)) => format!("Left out: {}", text::reason(reason)),
        (Outcome::Skip, None) => "Left out".to_owned(),
        (Outcome::Wait, Some(reason)) => format!("Told to wait: {}", text::reason(reason)),
        (Outcome::Wait, None) => "Told to wait".to_owned(),
    };
    let title = match decision.attempt {
        0 if is_first => "Decided at planning".to_owned(),
        0 => "Looked at anew while it waited".to_owned(),
        n => format!("Decided at attempt {n}"),
    };
    let version = decision.rules_version.map(|version| format!(" By version {version} of the rules."));
    let (at, outcome) = (decision.at, decision.outcome);
    let rows = decision.checks.iter().map(|check| {
        let result = match check.result {
            CheckOutcome::NotChecked if early => pill((Tone::Idle, "Checked later")),
            result => pill(result),
        };
        let detail = check.detail.clone().map(|detail| view! { <span class="sub">{detail}</span> });
        view! {
            <tr class="check-row">
                <td class="main" data-label="Check">
                    <div>{text::check(check.check)} <span class="sub">{text::check_rule(check.check)}</span></div>
                </td>
                <td data-label="Result"><div>{result} {detail}</div></td>
            </tr>
        }
        .into_any()
    });
    let rows = rows.collect::<Vec<_>>();
    view! {
        <Card title=title flush=true aside=move || view! { {pill(outcome)} <Time at moment=true/> }>
            <p class="card__text">{what} "." {version}</p>
            <Table
                caption="Checks of this decision"
                columns=vec![Col::text("Check"), Col::text("Result")]
            >
                {rows}
            </Table>
        </Card>
    }
    .into_any()
}
