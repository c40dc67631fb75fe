//! A campaign that was launched: the ledger first, then progress, reasons, people.

use domain::{
    message::State,
    run::{Run, RunStatus, RunSummary},
};
use leptos::prelude::*;

use super::{super::api::CampaignView, countries, people, progress, reasons, rehearsed, settled};
use crate::{components::*, paths, text};

pub(super) fn body(view: CampaignView, run: Run, here: Here) -> AnyView {
    let latest = view.runs.first().is_none_or(|first| first.id == run.id);
    let earlier = (view.runs.len() > 1).then(|| runs(&view.runs, &run));
    view! {
        {(!latest).then(|| view! {
            <Alert title=format!("This is run {}, not the latest.", run.number)>
                <a class="link" href=paths::campaign(run.campaign_id)>"Show the latest run"</a>
            </Alert>
        })}
        <div class="stack">
            {ledger(&run, latest, here)}
            <div class="grid grid--2-1">
                {progress::card(&run, view.names.channel, view.at, view.curve.clone())}
                {reasons::card(&run, latest, &view.faults)}
            </div>
            {countries::card(&view.countries)}
            {rehearsed::card(&run, latest)}
            {view.campaign.trigger.is_event().then(|| events(&view))}
            {recipients(&view, &run, latest, here)}
            {earlier}
        </div>
    }
    .into_any()
}

/// The product's signature: where everybody is, and that the books are right.
fn ledger(run: &Run, latest: bool, here: Here) -> AnyView {
    let ledger = run.ledger;
    let headline = format!("{} of {} settled", format::num(settled(&ledger)), format::num(ledger.planned));
    let to_state = {
        let run = run.clone();
        Callback::new(move |state: State| people::recipients_of(&run, latest, "state", state.as_str()))
    };
    let again = untrack(move || here.url());
    let refresh = (!run.status.is_over())
        .then(|| view! { <a class="link static-only" href=again rel="external">"Refresh"</a> }.into_any());
    view! {
        <section class="card" aria-label="Ledger">
            <div class="card__body">
                <div class="ledger-head">
                    <h2>{headline}</h2>
                    <p class="ledger-head__now">{now(run)}</p>
                    {refresh}
                    <span class="ledger-head__balance"><LedgerBalance ledger=Signal::stored(ledger)/></span>
                </div>
                <LedgerBar ledger=Signal::stored(ledger) href=to_state/>
            </div>
        </section>
    }
    .into_any()
}

/// How fast, and until when.
fn now(run: &Run) -> AnyView {
    match run.status {
        RunStatus::Planning => "The plan is being made: one line for everybody in the audience.".into_any(),
        RunStatus::Rehearsed => "Rehearsed: nothing was sent.".into_any(),
        RunStatus::Paused => view! { "Paused · " {waiting(run)} }.into_any(),
        RunStatus::Running => {
            // One that waits for events has nothing to do now and then, and is not at its end.
            let finish = run.forecast.finish_at.filter(|_| run.ledger.open() > 0);
            let finish = finish.map(|at| view! { " · finishes " <Time at moment=true/> });
            let asleep = (run.quiet.messages > 0).then(|| {
                let waiting = format!(" · {} wait for their morning", format::num(run.quiet.messages));
                let until = run.quiet.from.map(|at| view! { ", from " <Time at moment=true/> });
                view! { {waiting} {until} }
            });
            view! { {per_second(run.forecast.rate_now)} "/s now" {asleep} {finish} }.into_any()
        }
        RunStatus::Completed | RunStatus::Cancelled | RunStatus::Failed => {
            let word = Label::from(run.status).text;
            let took = run
                .started_at
                .zip(run.finished_at)
                .map(|(from, to)| format!(" · took {}", format::duration(to.since(from))));
            let when = run.finished_at.map(|at| view! { " " <Time at moment=true/> });
            view! { {word} {when} {took} }.into_any()
        }
    }
}

fn waiting(run: &Run) -> String {
    format!("{} waiting", format::num(run.ledger.count(State::Queued)))
}

/// `412`, `3.5`, `0`.
pub(super) fn per_second(rate: f64) -> String {
    if !rate.is_finite() || rate <= 0.0 {
        return "0".to_owned();
    }
    // By whole numbers: writing fractions is 3 kB of the download.
    #[allow(clippy::cast_possible_truncation, reason = "rates are far below 2^53")]
    let tenths = (rate * 10.0).round() as i64;
    match (tenths / 10, tenths % 10) {
        (whole @ 0..10, part @ 1..) => format!("{whole}.{part}"),
        _ => format::num((tenths + 5) / 10),
    }
}

/// The latest events, and what each came to.
fn events(view: &CampaignView) -> AnyView {
    let all = paths::with_query(paths::TRIGGERS, &[("campaign", &view.campaign.id.to_string())]);
    if view.events.is_empty() {
        return view! {
            <Card title="Events"><p class="muted">"None has come since it listens. What comes is listed here, with what it came to."</p></Card>
        }
        .into_any();
    }
    let rows = view.events.iter().map(|event| {
        let (at, label) = (event.at, text::event_outcome(event.outcome));
        let about = if event.is_many {
            "Everybody of a segment".into_any()
        } else {
            view! { <Who name=None phone=event.phone.as_ref().map(ToString::to_string)/> }.into_any()
        };
        let messages = match event.message {
            Some(id) => view! { <a class="link" href=paths::message(id)>"Why?"</a> }.into_any(),
            None => format::num(event.messages).into_any(),
        };
        let id = event.id.clone().unwrap_or_else(|| format!("No. {}", event.number));
        view! {
            <tr>
                <td class="main" data-label="Event"><a class="link break" href=paths::trigger_event(event.number)>{id}</a></td>
                <td data-label="About">{about}</td>
                <td data-label="What it came to">{pill(label)}</td>
                <td class="num" data-label="Messages">{messages}</td>
                <td class="num" data-label="Came"><Time at/></td>
            </tr>
        }
        .into_any()
    });
    let rows = rows.collect::<Vec<_>>();
    view! {
        <Card title="Events" flush=true>
            <Table
                caption="The latest events"
                columns=vec![
                    Col::text("Event"),
                    Col::text("About"),
                    Col::text("What it came to"),
                    Col::number("Messages"),
                    Col::number("Came"),
                ]
            >
                {rows}
            </Table>
            <p class="card__more"><a class="link" href=all>"All events of this campaign"</a></p>
        </Card>
    }
    .into_any()
}

/// The first people of the run, by state.
fn recipients(view: &CampaignView, run: &Run, latest: bool, here: Here) -> AnyView {
    let state = here.once("state");
    let tabs = people::state_tabs(&run.ledger, &state);
    let list = if view.recipients.is_empty() {
        let words = match run.ledger.planned {
            0 if run.status.is_over() => "There was nobody to send it to.",
            0 => "Nobody is planned yet.",
            _ => "Nobody is in this state any more.",
        };
        view! { <p class="card__text muted">{words}</p> }.into_any()
    } else {
        people::table(&view.recipients, view.at, &view.faults)
    };
    let count = match state.parse::<State>() {
        Ok(state) => run.ledger.count(state),
        Err(_) => run.ledger.planned,
    };
    let shown = i64::try_from(view.recipients.len()).unwrap_or(0);
    let all = people::recipients_of(run, latest, "state", &state);
    view! {
        <section class="card" aria-labelledby="recipients">
            <header class="card__head">
                <h2 id="recipients">"Recipients"</h2>
                <Tabs param="state" label="Filter by state" tabs/>
                <div class="card__aside">{people::export(run)}</div>
            </header>
            <div class="card__flush">
                {list}
                {(count > shown).then(|| view! {
                    <p class="card__more"><a class="link" href=all>{format!("See all {}", format::num(count))}</a></p>
                })}
            </div>
        </section>
    }
    .into_any()
}

fn runs(runs: &[RunSummary], shown: &Run) -> AnyView {
    let rows = runs.iter().map(|run| {
        let href = paths::with_query(&paths::campaign(shown.campaign_id), &[("run", &run.id.to_string())]);
        let current = (run.id == shown.id).then_some("true");
        view! {
            <tr>
                <td class="main" data-label="Run">
                    <a class="link" href=href aria-current=current>{format!("Run {}", run.number)}</a>
                </td>
                <td data-label="Status">{pill(run.status)}</td>
                <td data-label="Progress">
                    <div class="bar-cell">
                        <LedgerBar ledger=Signal::stored(run.ledger) small=true/>
                        <span class="sub">{format!("{} of {} settled", format::num(settled(&run.ledger)), format::num(run.ledger.planned))}</span>
                    </div>
                </td>
                <td class="num" data-label="Started"><MaybeTime at=run.started_at/></td>
            </tr>
        }
        .into_any()
    });
    let rows = rows.collect::<Vec<_>>();
    view! {
        <Card title="All runs" flush=true>
            <Table
                caption="Runs of this campaign"
                columns=vec![Col::text("Run"), Col::text("Status"), Col::text("Progress"), Col::number("Started")]
            >
                {rows}
            </Table>
        </Card>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_short() {
        assert_eq!(per_second(0.0), "0");
        assert_eq!(per_second(3.54), "3.5");
        assert_eq!(per_second(4.0), "4");
        assert_eq!(per_second(1_411.6), "1,412");
        assert_eq!(per_second(f64::NAN), "0");
    }
}
