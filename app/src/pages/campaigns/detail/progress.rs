//! How far the run has come: from everybody in the plan to those who have read it. Every number is counted, none is
//! drawn between two others.

use domain::{
    message::{Channel, State},
    run::{Ledger, Run, RunStatus},
    time::Timestamp,
};
use leptos::prelude::*;

use super::run::per_second;
use crate::components::*;

/// One level of the funnel.
struct Level {
    label: &'static str,
    /// What counts into it, for a hint.
    meaning: &'static str,
    class: &'static str,
    count: i64,
}

fn levels(ledger: &Ledger, channel: Option<Channel>) -> Vec<Level> {
    let sum = |states: &[State]| states.iter().map(|state| ledger.count(*state)).sum::<i64>();
    let read = sum(&[State::Read]);
    let mut levels = vec![
        Level {
            label: "Meant to get it",
            meaning: "Everybody in the plan but those left out on purpose.",
            class: "ledger__queued",
            count: meant(ledger),
        },
        Level {
            label: "Handed over",
            meaning: "Taken by the provider, and not reported as failed since.",
            class: "ledger__sent",
            count: sum(&[State::Accepted, State::Sent, State::Undelivered, State::Delivered, State::Read]),
        },
        Level {
            label: "Delivered",
            meaning: "On the phone.",
            class: "ledger__delivered",
            count: sum(&[State::Delivered, State::Read]),
        },
    ];
    // Phones report reading for WhatsApp only.
    if channel != Some(Channel::Sms) || read > 0 {
        levels.push(Level {
            label: "Read",
            meaning: "Opened, of those who let others see it.",
            class: "ledger__read",
            count: read,
        });
    }
    levels
}

/// Everybody but those left out on purpose. Whom a cancelled campaign did not come to was meant all the same.
fn meant(ledger: &Ledger) -> i64 {
    ledger.planned - ledger.count(State::Skipped)
}

/// The width of a bar, as SVG wants it.
fn width(part: i64, whole: i64) -> String {
    let thousandths = if whole > 0 { (i128::from(part) * 1_000 / i128::from(whole)).clamp(0, 1_000) } else { 0 };
    let thousandths = if part > 0 { thousandths.max(4) } else { thousandths };
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}

pub(super) fn card(run: &Run, channel: Option<Channel>, at: Timestamp, curve: Option<String>) -> AnyView {
    let whole = meant(&run.ledger);
    let levels = levels(&run.ledger, channel).into_iter().map(|level| {
        let Level { label, meaning, class, count } = level;
        let share = format::percent(count, whole);
        view! {
            <li class="funnel__level" title=meaning>
                <span class="funnel__label">{label}</span>
                <svg class="funnel__bar" width="100%" height="22" aria-hidden="true">
                    <rect class="funnel__ground" width="100%" height="22"></rect>
                    <rect class=class width=width(count, whole) height="22"></rect>
                </svg>
                <b class="funnel__count">{format::num(count)}</b>
                <span class="funnel__share">{share}</span>
            </li>
        }
        .into_any()
    });
    let levels = levels.collect::<Vec<_>>();
    let failed = run.ledger.count(State::Failed) + run.ledger.count(State::Undelivered);
    let note = format!("Shares of those meant to get it · {} failed", format::percent(failed, whole));
    let times = times(run, at);
    let title = if run.status.is_over() { "Progress" } else { "Progress and forecast" };
    view! {
        <Card title=title aside=move || note.clone()>
            <ul class="funnel">{levels}</ul>
            {curve.map(|svg| view! {
                <div class="chart-box" inner_html=svg></div>
                <p class="muted small">"Filled: handed over. Dashed: expected, dotted as at the launch."</p>
            })}
            {times}
        </Card>
    }
    .into_any()
}

/// Since when, how fast, until when.
fn times(run: &Run, at: Timestamp) -> AnyView {
    let since = run.started_at.unwrap_or(run.created_at);
    let end = run.finished_at.unwrap_or(at);
    let spent = match run.started_at {
        Some(started) => format::duration(end.since(started)),
        None => "not yet".to_owned(),
    };
    let limit = run
        .rate_per_second
        .map_or_else(|| "as fast as the sender may".to_owned(), |rate| format!("{} a second", format::num(rate)));
    let forecast = match (run.status, run.forecast.finish_at) {
        (RunStatus::Running, Some(finish)) => Some((
            "Last hand-over",
            view! { <Time at=finish moment=true/> " · in " {format::duration(finish.since(at))} }.into_any(),
        )),
        (RunStatus::Running, None) => Some(("Last hand-over", "not foreseeable yet".into_any())),
        _ => run.finished_at.map(|at| ("Finished", view! { <Time at moment=true/> }.into_any())),
    };
    let expected = run.forecast.at_launch.as_ref().and_then(|expected| expected.finish_at);
    let expected = expected.map(|at| view! { <Fact name="Expected at the launch"><Time at moment=true/></Fact> });
    let speed = (run.status == RunStatus::Running).then(|| format!("{} a second", per_second(run.forecast.rate_now)));
    let asleep = (run.quiet.messages > 0).then(|| {
        let until = run.quiet.until.map(|at| view! { ", the last until " <Time at moment=true/> });
        let count = format!("{} wait for their morning", format::num(run.quiet.messages));
        view! { <Fact name="Quiet hours">{count} {until}</Fact> }
    });
    view! {
        <Facts>
            <Fact name="Started"><Time at=since moment=true/></Fact>
            <Fact name="Under way for">{spent}</Fact>
            {speed.map(|speed| view! { <Fact name="Speed">{speed}</Fact> })}
            <Fact name="At most">{limit}</Fact>
            {asleep}
            {forecast.map(|(name, value)| view! { <Fact name=name>{value}</Fact> })}
            {expected}
        </Facts>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_funnel_only_narrows() {
        let ledger = Ledger {
            planned: 100,
            queued: 20,
            accepted: 5,
            sent: 5,
            delivered: 30,
            read: 20,
            failed: 10,
            skipped: 8,
            cancelled: 2,
            ..Ledger::default()
        };
        let counts: Vec<i64> = levels(&ledger, None).iter().map(|level| level.count).collect();
        assert_eq!(counts, [92, 60, 50, 20]);
        assert_eq!(levels(&Ledger::default(), Some(Channel::Sms)).len(), 3);
    }

    #[test]
    fn a_cancelled_campaign_meant_everybody() {
        let ledger = Ledger { planned: 2_000, delivered: 223, cancelled: 1_777, ..Ledger::default() };
        let counts: Vec<i64> = levels(&ledger, Some(Channel::Sms)).iter().map(|level| level.count).collect();
        assert_eq!(counts, [2_000, 223, 223]);
        assert_eq!(format::percent(counts[1], counts[0]), "11.1 %");
    }

    #[test]
    fn bars_fit_and_few_are_seen() {
        assert_eq!(width(90, 90), "100.0%");
        assert_eq!(width(1, 1_000_000), "0.4%");
        assert_eq!(width(0, 0), "0.0%");
    }
}
