//! Instants on a page: absolute and in UTC from the server, relative and in the reader's own zone once scripts run.

use domain::time::Timestamp;
use leptos::{prelude::*, web_sys::js_sys};

use super::{
    format,
    live::{every, live_attr, live_view, use_live},
};

/// The browser's clock, `None` on the server and until the part of the page that asks is live: so that both render the
/// same first. A part whose data comes later comes to life later than the page.
#[derive(Clone, Copy)]
pub struct Clock {
    now: RwSignal<Option<Timestamp>>,
    live: ReadSignal<bool>,
}

impl Clock {
    /// Starts it; once, in [`crate::App`].
    #[must_use]
    pub fn start() -> Self {
        let now = RwSignal::new(None);
        let tick = move || {
            now.try_set(Some(read_clock()));
        };
        Effect::new(move |_| tick());
        every(20_000, || true, tick);
        Self { now, live: use_live() }
    }

    #[must_use]
    pub fn now(self) -> Option<Timestamp> {
        self.live.get().then(|| self.now.get()).flatten()
    }

    /// Whether it runs: from then on times are in the reader's zone. Unlike [`Clock::now`] it changes once only.
    #[must_use]
    pub fn runs(self) -> Memo<bool> {
        Memo::new(move |_| self.live.get() && self.now.with(Option::is_some))
    }
}

fn read_clock() -> Timestamp {
    // Milliseconds fit far beyond the year 200,000.
    #[allow(clippy::cast_possible_truncation, reason = "milliseconds since 1970 are far below 2^53")]
    let millis = js_sys::Date::now() as i64;
    Timestamp::from_micros(millis * 1_000)
}

/// The reader's offset from UTC at that instant, east positive.
fn offset_minutes(at: Timestamp) -> i64 {
    #[allow(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
    let date = js_sys::Date::new(&wasm_bindgen_number(at.as_millis() as f64));
    #[allow(clippy::cast_possible_truncation, reason = "whole minutes of a day")]
    let behind = date.get_timezone_offset() as i64;
    -behind
}

fn wasm_bindgen_number(number: f64) -> leptos::wasm_bindgen::JsValue {
    leptos::wasm_bindgen::JsValue::from_f64(number)
}

/// A time for people: `5 min ago`, with the exact one on hover.
#[component]
pub fn Time(
    at: Timestamp,
    /// The moment itself (`today 10:42`, `Tue 10:42`) rather than how long ago it is.
    #[prop(optional)]
    moment: bool,
) -> impl IntoView {
    time(at, moment)
}

/// A time that may be missing: then a dash.
#[component]
pub fn MaybeTime(at: Option<Timestamp>, #[prop(optional)] moment: bool) -> impl IntoView {
    match at {
        Some(at) => time(at, moment),
        None => view! { <span class="muted">"–"</span> }.into_any(),
    }
}

/// The clock, for the part of the page that asks: in any component.
#[must_use]
pub fn use_clock() -> Option<Clock> {
    let Clock { now, .. } = use_context()?;
    Some(Clock { now, live: use_live() })
}

/// The day of an instant: in the reader's zone once scripts run, before that in UTC.
#[must_use]
pub fn day(at: Timestamp, clock_runs: bool) -> String {
    format::day(at, if clock_runs { offset_minutes(at) } else { 0 })
}

fn time(at: Timestamp, moment: bool) -> AnyView {
    let clock = use_clock();
    let now = move || clock.and_then(Clock::now);
    let text = live_view(move || match now() {
        None => format::utc(at),
        Some(now) if moment => format::moment(at, now, offset_minutes(at)),
        Some(now) => format::relative(at, now, offset_minutes(at)),
    });
    let title = live_attr(move || match now() {
        None => format::utc(at),
        Some(_) => format!("{} (your time) · {}", format::exact(at, offset_minutes(at)), format::utc(at)),
    });
    view! { <time datetime=at.to_string() title=title>{text}</time> }.into_any()
}
