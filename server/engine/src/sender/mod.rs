//! Claim, decide, hand over, write outcomes.
//!
//! One dispatcher claims due messages lane by lane, only as many as the throttle grants and as there is room for. Each
//! claimed message is a task: decide, wait for one of the slots to the provider, look at the lease and at the opt-outs
//! once more, hand over. Outcomes go through a bounded channel to one writer that commits them by the batch. A sweep
//! beside it settles leases that ran out and runs that are done.
//!
//! The intent to send is committed with the claim, before the first byte goes out: whatever stops the process leaves
//! `sending` behind, which becomes `unknown` when its lease ends, and is never simply sent again.

mod backoff;
mod breaker;
mod caps;
mod content;
mod deliver;
mod dispatch;
mod doubt;
mod guard;
mod in_hand;
mod lanes;
mod limit;
mod load;
mod outcomes;
mod pace;
mod permit;
mod prepare;
mod progress;
mod rehearse;
mod stop;
mod sweep;
mod verdict;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

pub(crate) use backoff::MAX_ATTEMPTS;
pub(crate) use breaker::{Fault, open as open_breaker, try_now};
pub(crate) use content::sample;
use domain::{
    consent::Category,
    ids::{ContactId, TopicId},
    message::{Channel, Kind},
    run::Rules,
    time::Timestamp,
};
pub use doubt::Doubts;
pub use guard::Guard;
pub(crate) use guard::{Source, Trouble};
pub use in_hand::InHand;
pub use limit::Limits;
pub(crate) use limit::reached_limit;
pub use load::Load;
pub use pace::Pace;
pub use permit::Permit;
pub use progress::Moved;
pub(crate) use rehearse::{
    Found, Rehearsing, content_for, is_refused_in_us, language, leaf, length_by_sms, local_time,
};
pub(crate) use stop::stop_troubled;
use store::{
    messages::{Claimed, Lane, Lease},
    senders::SenderRow,
};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use verdict::Binding;

use crate::{
    Engine,
    config::Config,
    provider::Account,
    quiet::{LawCap, Policy},
    templates::Compiled,
    throttle::{Budget, Key, Limit},
};

/// What all parts of the sender share.
struct Shared {
    engine: Engine,
    /// The lanes that may be sent from, neither held nor paused nor cancelled, and when the dispatcher looked.
    open: RwLock<Option<(Instant, BTreeSet<Lane>)>>,
    load: Load,
    outcomes: mpsc::Sender<outcomes::Done>,
    /// Until when campaigns need not ask for more people: the day has no room for them.
    day_full: Mutex<Option<(Option<Budget>, Timestamp)>>,
    stop: CancellationToken,
}

/// What counts a claimed message as in hand; dropped, it does not count any more.
struct Hold {
    writing: in_hand::Writing,
    taken: load::Taken,
}

/// So old a look may be: while the dispatcher waits for the database, somebody may pause what it has claimed, and pausing
/// takes effect within a second.
const LOOK_HOLDS: Duration = Duration::from_millis(900);

impl Shared {
    fn is_open(&self, lane: Lane) -> bool {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().is_some_and(|(at, lanes)| at.elapsed() < LOOK_HOLDS && lanes.contains(&lane))
    }

    fn set_open(&self, at: Instant, lanes: BTreeSet<Lane>) {
        let former = self.open.write().unwrap_or_else(PoisonError::into_inner).replace((at, lanes));
        if former.is_some_and(|(before, lanes)| !lanes.is_empty() && before.elapsed() >= LOOK_HOLDS) {
            metrics::counter!("lanes_looked_up_late_total").increment(1);
            tracing::warn!("the database was slow: what was claimed went back, because it might have been paused");
        }
    }

    /// A message was claimed.
    fn hold(&self, contact: ContactId, of: &load::Of) -> Hold {
        Hold { writing: self.engine.inner().in_hand.begin(contact), taken: self.load.take(of) }
    }

    /// A claimed message is through: its outcome is to be written.
    async fn finish(&self, done: outcomes::Done, Hold { writing, taken }: Hold) {
        drop(writing);
        let (id, attempt) = (done.outcome.id.0, done.outcome.attempt);
        // The writer outlives every delivery; a closed channel means that it broke, and the lease will say so.
        if self.outcomes.send(done).await.is_err() {
            tracing::error!(message.id = id, attempt, "an outcome could not be written");
        }
        drop(taken);
    }

    fn day_is_full(&self, budget: Option<Budget>, until: Timestamp) {
        *self.day_full.lock().unwrap_or_else(PoisonError::into_inner) = Some((budget, until));
    }

    /// Until when the day has no room for campaigns, by this budget.
    fn day_full_until(&self, budget: Option<Budget>) -> Option<Timestamp> {
        let full = *self.day_full.lock().unwrap_or_else(PoisonError::into_inner);
        full.filter(|(of, _)| budget.is_some() && *of == budget).map(|(_, until)| until)
    }
}

/// A claim of this process.
#[derive(Clone, Copy)]
struct Claim {
    lease: Lease,
    /// Before the database was asked: what it did not know yet is looked for once more before the hand-over.
    began: Instant,
}

/// A lane with everything that deciding and handing over need, as of the latest look at the database.
#[derive(Clone)]
struct LaneContext {
    lane: Lane,
    /// Whose part of the slots it uses.
    of: load::Of,
    sender: SenderRow,
    /// The sender's account.
    login: Arc<Account>,
    limits: Vec<Limit>,
    /// A run's rules and template; single sends bring their own.
    run: Option<RunContext>,
    enforce_window: bool,
    /// When a campaign's messages, or single marketing messages, may go out.
    hours: Policy,
    /// How many marketing messages people get at most.
    caps: Vec<Cap>,
    /// How many people WhatsApp lets the business write to first within a day.
    budget: Option<Budget>,
    /// The sender is blocked: of this lane one message tries whether it still is.
    probe: bool,
}

/// A frequency cap that binds a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cap {
    messages: u16,
    days: u16,
    topic: Option<TopicId>,
    /// It binds only those whom this law protects.
    law: Option<LawCap>,
}

impl Cap {
    /// A run has caps only where it is marketing. Of all others it binds single messages by a marketing template: no replies,
    /// no tests.
    fn binds(&self, message: &Claimed) -> bool {
        let is_marketing = matches!(message.template, Some((_, _, Category::Marketing)));
        let is_capped = message.run_id.is_some() || (message.kind == Kind::Single && is_marketing);
        is_capped
            && self.law.is_none_or(|law| message.contact.as_ref().is_some_and(|contact| law.protects(&contact.phone)))
    }
}

#[derive(Clone)]
struct RunContext {
    rules: Rules,
    topic: Option<TopicId>,
    template: Arc<Compiled>,
}

impl LaneContext {
    /// Whether its messages count towards this limit.
    fn has_limit(&self, key: Key) -> bool {
        self.limits.iter().any(|limit| limit.key == key)
    }

    /// Until when a campaign's people have no room in WhatsApp's day.
    fn day_full_until(&self, shared: &Shared) -> Option<Timestamp> {
        let counted = self.run.is_some() && self.sender.sender.channel == Channel::Whatsapp;
        shared.day_full_until(self.budget.filter(|_| counted))
    }

    /// What binds its messages.
    fn binding<'a>(&'a self, config: &'a Config) -> Binding<'a> {
        Binding {
            config,
            channel: self.sender.sender.channel,
            run: self.run.as_ref(),
            hours: &self.hours,
            caps: &self.caps,
            enforce_window: self.enforce_window,
        }
    }
}

/// Sends until told to stop; then lets requests in flight finish, writes their outcomes, and gives unsent messages back.
pub async fn run(engine: Engine, stop: CancellationToken) {
    let (sender, receiver) = mpsc::channel(outcomes::QUEUE);
    let shared = Arc::new(Shared {
        open: RwLock::default(),
        load: engine.inner().load.clone(),
        outcomes: sender,
        day_full: Mutex::default(),
        stop: stop.clone(),
        engine: engine.clone(),
    });
    let written = CancellationToken::new();
    let progress = tokio::spawn(progress::run(engine.clone(), written.clone()));
    let writer = tokio::spawn(outcomes::write(engine.clone(), receiver));
    let sweep = tokio::spawn(sweep::run(engine.clone(), stop));
    let done = CancellationToken::new();
    let permit = tokio::spawn(permit::keep(engine, done.clone()));
    let deliveries = TaskTracker::new();
    dispatch::run(&shared, &deliveries).await;
    deliveries.close();
    // Each of them ends within the request's own time-out.
    deliveries.wait().await;
    // Only now may another process send in our place.
    done.cancel();
    // The last sender: the writer drains the channel and ends.
    drop(shared);
    for part in [writer, sweep, permit] {
        finish(part).await;
    }
    written.cancel();
    finish(progress).await;
}

async fn finish(part: JoinHandle<()>) {
    if let Err(error) = part.await {
        tracing::error!(%error, "a part of the sender ended badly");
    }
}
