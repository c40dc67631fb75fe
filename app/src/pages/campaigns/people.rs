//! Recipients as a table: each with state, reason, and the way to "why?".

use domain::{
    message::{Message, State},
    run::{Ledger, Run},
    time::Timestamp,
};
use leptos::prelude::*;

use crate::{components::*, faults::Faults, paths, text};

/// The order of the tabs: what wants attention after what goes well.
const ORDER: [State; 11] = [
    State::Queued,
    State::Sending,
    State::Accepted,
    State::Sent,
    State::Delivered,
    State::Read,
    State::Skipped,
    State::Failed,
    State::Undelivered,
    State::Unknown,
    State::Cancelled,
];

/// A tab for each state somebody is in, and for the one that is chosen.
pub(super) fn state_tabs(ledger: &Ledger, chosen: &str) -> Vec<Tab> {
    let states = ORDER.into_iter().filter(|state| ledger.count(*state) > 0 || state.as_str() == chosen);
    let tabs = states.map(|state| Tab::new(state.as_str(), Label::from(state).text).count(ledger.count(state)));
    std::iter::once(Tab::new("", "All").count(ledger.planned)).chain(tabs).collect()
}

/// The recipients' page of a run, narrowed by one parameter.
pub(super) fn recipients_of(run: &Run, latest: bool, param: &str, value: &str) -> String {
    let number = if latest { String::new() } else { run.id.to_string() };
    paths::with_query(&paths::recipients(run.campaign_id), &[("run", &number), (param, value)])
}

/// The whole run as a file.
pub(super) fn export(run: &Run) -> AnyView {
    let file = format!("/runs/{}/export.csv", run.id);
    view! { <a class="link" href=file rel="external" download="">"Export CSV"</a> }.into_any()
}

/// `at` is when the rows were read: tells who still waits for an hour to come.
pub(super) fn table(messages: &[Message], at: Timestamp, faults: &Faults) -> AnyView {
    let rows = messages.iter().map(|message| row(message, at, faults)).collect::<Vec<_>>();
    view! {
        <Table
            caption="Recipients"
            columns=vec![
                Col::text("Contact"),
                Col::text("State"),
                Col::text("Message or reason"),
                Col::number("Attempts"),
                Col::number("At"),
                Col::action("Explanation"),
            ]
        >
            {rows}
        </Table>
    }
    .into_any()
}

fn row(message: &Message, at: Timestamp, faults: &Faults) -> AnyView {
    let waits = message.state == State::Queued && message.not_before > at;
    let until = waits.then(|| view! { <span class="sub">"until " <Time at=message.not_before moment=true/></span> });
    let untouched = match message.state {
        State::Queued => message.attempts == 0 && message.error_code.is_none(),
        State::Skipped => message.updated_at == message.created_at,
        _ => false,
    };
    let touched = (!untouched).then_some(message.updated_at);
    view! {
        <tr class="recipient">
            <td class="main" data-label="Contact">
                <Who name=message.name.clone() phone=message.phone.as_ref().map(ToString::to_string)/>
            </td>
            <td class="recipient__state" data-label="State"><span>{pill(message.state)} {until}</span></td>
            {words(message, faults)}
            <td class="num recipient__attempts" data-label="Attempts">{format::num(message.attempts)}</td>
            <td class="num recipient__at" data-label="At"><MaybeTime at=touched/></td>
            <td class="num" data-label="">{why_link(message)}</td>
        </tr>
    }
    .into_any()
}

/// To what was decided of a message; lists have many, so each says of whom.
pub(super) fn why_link(message: &Message) -> AnyView {
    let whom = message.name.clone().or_else(|| message.phone.as_ref().map(|phone| format::phone(phone.as_str())));
    let label = format!("Why? {}", whom.unwrap_or_else(|| "Erased person".to_owned()));
    view! { <a class="link" href=paths::message(message.id) aria-label=label>"Why?"</a> }.into_any()
}

/// The text where all went well, else what stands in the way.
fn words(message: &Message, faults: &Faults) -> AnyView {
    let trouble = match (message.error_code, message.reason) {
        (Some(code), _) => Some(
            view! { <span>{faults.meaning(code).to_owned()} " " <code class="muted">{code}</code></span> }.into_any(),
        ),
        (None, Some(reason)) => Some(text::reason(reason).into_any()),
        (None, None) => None,
    };
    match (trouble, message.body.clone()) {
        (Some(trouble), _) => view! { <td class="wrap recipient__words" data-label="Reason">{trouble}</td> }.into_any(),
        (None, Some(body)) => {
            view! { <td class="cut recipient__words" data-label="Message" dir="auto">{body}</td> }.into_any()
        }
        (None, None) => view! { <td class="recipient__words" data-label="Message"></td> }.into_any(),
    }
}
