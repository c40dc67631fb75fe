//! What makes a page live: polling and debouncing. Everything here starts in an effect (never on the server) and ends
//! with the page.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use leptos::{prelude::*, tachys::reactive_graph::SharedReactiveFunction};

/// A part of a page that changes: `{live_view(move || …)}` instead of `{move || …}`. Does the same, but what keeps it up
/// to date is compiled once for all of them: a closure of its own brings 4 kB along.
pub fn live_view<V: IntoView + 'static>(view: impl Fn() -> V + Send + 'static) -> AnyView {
    let view: SharedReactiveFunction<AnyView> = Arc::new(Mutex::new(move || view().into_any()));
    view.into_any()
}

/// What [`live_attr`] makes.
pub type LiveAttr<T> = SharedReactiveFunction<T>;

/// An attribute that changes: `hidden=live_attr(move || …)`. See [`live_view`].
pub fn live_attr<T: 'static>(value: impl Fn() -> T + Send + 'static) -> LiveAttr<T> {
    Arc::new(Mutex::new(value))
}

/// Whether the server has become a later version that this page does not fit any more: then nothing is asked again by
/// itself, and the frame offers to reload the page.
#[derive(Clone, Copy)]
pub struct Outdated(RwSignal<bool>);

impl Outdated {
    #[must_use]
    pub fn provide() -> Self {
        let outdated = Self(RwSignal::new(false));
        provide_context(outdated);
        outdated
    }

    pub fn mark(self) {
        self.0.try_set(true);
    }

    #[must_use]
    pub fn holds(self) -> bool {
        self.0.get()
    }
}

/// Whether this page is outdated, anywhere below [`super::Shell`].
#[must_use]
pub fn use_outdated() -> Outdated {
    use_context().unwrap_or_else(|| Outdated(RwSignal::new(false)))
}

/// Calls `tick` every so many milliseconds while `active` holds and the page is visible and up to date.
pub fn every(
    milliseconds: u64,
    active: impl Fn() -> bool + Send + Sync + 'static,
    tick: impl Fn() + Send + Sync + 'static,
) {
    every_inner(milliseconds, Box::new(active), StoredValue::new(Box::new(tick)));
}

fn every_inner(
    milliseconds: u64,
    active: Box<dyn Fn() -> bool + Send + Sync>,
    tick: StoredValue<Box<dyn Fn() + Send + Sync>>,
) {
    let handle = StoredValue::new(None::<IntervalHandle>);
    let outdated = use_outdated();
    let stop = move || {
        if let Some(Some(running)) = handle.try_update_value(Option::take) {
            running.clear();
        }
    };
    Effect::new(move |_| {
        stop();
        if !outdated.holds() && active() {
            let started = set_interval_with_handle(
                move || {
                    // The timer may fire once more while the page goes away: then the value is gone already.
                    if !document().hidden() {
                        let _ = tick.try_with_value(|tick| untrack(tick));
                    }
                },
                Duration::from_millis(milliseconds),
            );
            handle.set_value(started.ok());
        }
    });
    on_cleanup(stop);
}

/// A number that rises every so many milliseconds while `active` holds: put it into a resource's source to poll.
///
/// ```ignore
/// let running = RwSignal::new(false);
/// let tick = poll(2_000, move || running.get());
/// let page = Resource::new(move || (id(), tick.get()), |(id, _)| load(id));
/// ```
pub fn poll(milliseconds: u64, active: impl Fn() -> bool + Send + Sync + 'static) -> RwSignal<u32> {
    let count = RwSignal::new(0_u32);
    every(milliseconds, active, move || {
        let _ = count.try_update(|count| *count = count.wrapping_add(1));
    });
    count
}

/// Follows `source`, but only once it has not changed for so many milliseconds: for previews and live counts.
pub fn debounced<T>(source: impl Fn() -> T + Send + Sync + 'static, milliseconds: u64) -> RwSignal<T>
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    let settled = RwSignal::new(untrack(&source));
    let waiting = StoredValue::new(None::<TimeoutHandle>);
    let stop = move || {
        if let Some(Some(running)) = waiting.try_update_value(Option::take) {
            running.clear();
        }
    };
    Effect::new(move |_| {
        let value = source();
        stop();
        if settled.with_untracked(|old| *old == value) {
            return;
        }
        let started = set_timeout_with_handle(
            move || {
                settled.try_set(value);
            },
            Duration::from_millis(milliseconds),
        );
        waiting.set_value(started.ok());
    });
    on_cleanup(stop);
    settled
}

/// Whether the page is live: `false` on the server and at the first paint. For what makes no sense without scripts.
#[must_use]
pub fn use_live() -> ReadSignal<bool> {
    let (live, set_live) = signal(false);
    Effect::new(move |_| set_live.set(true));
    live
}
