//! The ledger bar: where everybody of a run is, at one glance. The product's signature.

use super::live::live_view;
use domain::{message::State, run::Ledger};
use leptos::prelude::*;

use super::{feedback::pill, format::num};
use crate::text::{self, Tone};

/// The order in the bar: what went well first, what did not last.
const ORDER: [State; 11] = [
    State::Read,
    State::Delivered,
    State::Sent,
    State::Accepted,
    State::Sending,
    State::Queued,
    State::Skipped,
    State::Cancelled,
    State::Undelivered,
    State::Failed,
    State::Unknown,
];

/// The smallest part of the bar that can be seen, in thousandths.
const SMALLEST: i64 = 14;

/// The bar with its legend. Give `href` to make the legend lead to the people of a state.
#[component]
pub fn LedgerBar(
    #[prop(into)] ledger: Signal<Ledger>,
    /// From a state to the list of its people.
    #[prop(optional, into)]
    href: Option<Callback<State, String>>,
    /// Only the bar: for rows of a table.
    #[prop(optional)]
    small: bool,
) -> impl IntoView {
    let bar = live_view(move || bar(&ledger.get(), small));
    let legend = live_view(move || (!small).then(|| legend(&ledger.get(), href)));
    view! { <div class="ledger-box">{bar} {legend}</div> }.into_any()
}

/// Says that every planned recipient is in exactly one state, or that the books are wrong.
#[component]
pub fn LedgerBalance(#[prop(into)] ledger: Signal<Ledger>) -> impl IntoView {
    live_view(move || {
        if ledger.with(Ledger::balances) {
            pill((Tone::Ok, "Ledger balances"))
        } else {
            pill((Tone::Bad, "Ledger does not balance"))
        }
    })
}

fn bar(ledger: &Ledger, small: bool) -> AnyView {
    let class = if small { "ledger ledger--small" } else { "ledger" };
    let words = present(ledger).map(|(state, count)| format!("{} {}", num(count), text::state_counted(state)));
    let words = words.collect::<Vec<_>>().join(", ");
    let label = if words.is_empty() { "Nobody yet".to_owned() } else { words };
    let mut start = 0;
    let parts = widths(ledger).into_iter().map(|(state, width)| {
        let x = thousandths(start);
        start += width;
        view! { <rect class=format!("ledger__{state}") x=x y="0" width=thousandths(width) height="100%"></rect> }
            .into_any()
    });
    let parts = parts.collect::<Vec<_>>();
    view! { <svg class=class role="img" aria-label=label width="100%" height=if small { "8" } else { "14" }>{parts}</svg> }
        .into_any()
}

fn legend(ledger: &Ledger, href: Option<Callback<State, String>>) -> AnyView {
    let items = present(ledger).map(|(state, count)| {
        let swatch = view! {
            <svg class="ledger__key" width="10" height="10" aria-hidden="true">
                <rect class=format!("ledger__{state}") width="10" height="10"></rect>
            </svg>
        };
        let words = view! { {swatch} <b>{num(count)}</b> <span>{text::state_counted(state)}</span> };
        let title = text::state_meaning(state);
        match href {
            Some(href) => view! { <li><a href=href.run(state) title=title>{words}</a></li> }.into_any(),
            None => view! { <li title=title>{words}</li> }.into_any(),
        }
    });
    view! { <ul class="legend">{items.collect::<Vec<_>>()}</ul> }.into_any()
}

/// States with somebody in them, in the order of the bar.
fn present(ledger: &Ledger) -> impl Iterator<Item = (State, i64)> + use<> {
    let ledger = *ledger;
    ORDER.into_iter().map(move |state| (state, ledger.count(state))).filter(|(_, count)| *count > 0)
}

/// Widths in thousandths that add up to 1,000; nobody is too few to be seen.
fn widths(ledger: &Ledger) -> Vec<(State, i64)> {
    let total: i64 = present(ledger).map(|(_, count)| count).sum();
    if total == 0 {
        return Vec::new();
    }
    let share = |count: i64| i64::try_from(i128::from(count) * 1_000 / i128::from(total)).unwrap_or(0);
    let mut widths: Vec<(State, i64)> =
        present(ledger).map(|(state, count)| (state, share(count).max(SMALLEST))).collect();
    // What rounding and the smallest parts took or left is given to the widest.
    let rest = 1_000 - widths.iter().map(|(_, width)| width).sum::<i64>();
    if let Some((_, widest)) = widths.iter_mut().max_by_key(|(_, width)| *width) {
        *widest += rest;
    }
    widths
}

fn thousandths(n: i64) -> String {
    format!("{}.{}%", n / 10, n % 10)
}

/// The hatching that the bar's parts refer to: once per page, in the frame.
#[must_use]
pub fn hatching() -> AnyView {
    view! {
        <svg class="defs" width="0" height="0" aria-hidden="true">
            <defs>
                <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
                    <rect class="hatch__ground" width="6" height="6"></rect>
                    <rect class="hatch__line" width="3" height="6"></rect>
                </pattern>
                <pattern id="hatch-bad" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)">
                    <rect class="hatch__ground" width="6" height="6"></rect>
                    <rect class="hatch__line--bad" width="3.5" height="6"></rect>
                </pattern>
            </defs>
        </svg>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_always_full_and_nobody_is_invisible() {
        let ledger =
            Ledger { planned: 29_410, read: 9_117, delivered: 18_673, skipped: 1_617, unknown: 3, ..Ledger::default() };
        let widths = widths(&ledger);
        assert_eq!(widths.iter().map(|(_, width)| width).sum::<i64>(), 1_000);
        assert!(widths.iter().all(|(_, width)| *width >= SMALLEST));
        assert_eq!(widths.len(), 4);
        assert_eq!(thousandths(1_000), "100.0%");
        assert!(super::widths(&Ledger::default()).is_empty());
    }

    #[test]
    fn every_state_has_its_place() {
        assert!(State::ALL.iter().all(|state| ORDER.contains(state)));
    }
}
