//! What is decided about one message of a lane: the same at sending and at rehearsal.

use domain::{
    campaign::Late,
    consent::Category,
    message::{Channel, Kind, Outcome},
    time::Timestamp,
};
use store::messages::{Claimed, DecisionIn, Grounds, Seen};

use super::{Cap, RunContext, caps, content::Text};
use crate::{
    config::Config,
    decide::{self, Decided, Facts, Hours, Person, Verdict},
    quiet::{self, Place, Policy},
    zones::zones_of,
};

/// What binds the messages of a lane.
pub(super) struct Binding<'a> {
    pub config: &'a Config,
    pub channel: Channel,
    /// A run's rules and template; single sends bring their own.
    pub run: Option<&'a RunContext>,
    pub hours: &'a Policy,
    pub caps: &'a [Cap],
    pub enforce_window: bool,
}

/// What is decided now, and what is stored of it.
pub(super) fn of(binding: &Binding<'_>, text: &Text<'_>, message: &Claimed, now: Timestamp) -> (Decided, DecisionIn) {
    let facts = facts(binding, text, message, now);
    let decided = decide::decide(&facts, || text.render(binding.config, message));
    let record = record(&facts, &decided, now);
    (decided, record)
}

pub(super) fn facts(binding: &Binding<'_>, text: &Text<'_>, message: &Claimed, now: Timestamp) -> Facts {
    let contact = message.contact.as_ref();
    let rules = binding.run.map(|run| &run.rules);
    Facts {
        kind: message.kind,
        channel: binding.channel,
        category: text.category(),
        person: contact.map(|contact| Person {
            consent: contact.consent,
            suppressed: contact.suppressed,
            in_review: contact.in_review,
            last_inbound_at: contact.last_inbound_at,
        }),
        has_topic: binding.run.is_some_and(|run| run.topic.is_some()),
        subscription: message.subscription,
        send_before: rules.and_then(|rules| rules.send_before),
        late: rules.map_or(Late::Wait, |rules| rules.late),
        hours: hours(binding, message, text.category(), now),
        overridden: rules.and_then(quiet::overridden),
        caps: caps::of_message(binding.caps, message),
        enforce_window: binding.enforce_window,
        free_text: contact.is_none_or(|contact| text.is_free(contact.locale.as_deref())),
        now,
    }
}

/// The quiet hours that bind a message: a campaign's, a single one's that is marketing, and a question to somebody who has not
/// just written.
fn hours(binding: &Binding<'_>, message: &Claimed, category: Option<Category>, now: Timestamp) -> Option<Hours> {
    let wrote = message.contact.as_ref().and_then(|contact| contact.last_inbound_at);
    let bound = match message.kind {
        Kind::Campaign => true,
        Kind::Question => wrote.is_none_or(|at| now.since(at) >= Timestamp::DAY),
        Kind::Single => category == Some(Category::Marketing),
        Kind::Test | Kind::Confirmation | Kind::AutoReply => false,
    };
    if !bound || binding.hours.is_free() {
        return None;
    }
    let contact = message.contact.as_ref()?;
    let zones = zones_of(&contact.phone, contact.timezone.as_deref());
    let place = Place::of(&contact.phone, contact.country.as_deref(), &zones);
    Some(Hours { policy: binding.hours.clone(), zones, place })
}

/// A decision as it is stored, which was made at an instant from these facts.
pub(super) fn record(facts: &Facts, decided: &Decided, at: Timestamp) -> DecisionIn {
    let (outcome, reason) = match &decided.verdict {
        Verdict::Send(_) => (Outcome::Send, None),
        Verdict::Skip(reason) => (Outcome::Skip, Some(*reason)),
        Verdict::Wait { reason, .. } => (Outcome::Wait, Some(*reason)),
    };
    let mut seen = seen(facts, decided.passed);
    let mut detail = decided.detail.clone();
    if let Verdict::Wait { until, reason } = decided.verdict {
        // Who sleeps in the same place by the same rules wakes at the same instant: it is the same for thousands.
        seen.until = Some(until);
        seen.checks.extend(reason.check().map(|check| check.to_string()).zip(detail.take()));
    }
    DecisionIn { at, outcome, reason, checks: decided.passed, detail, grounds: Grounds::of(&seen) }
}

/// What the checks saw that passed, and whose clock it was.
fn seen(facts: &Facts, passed: i64) -> Seen {
    let checks = facts.seen(passed).into_iter().map(|(check, saw)| (check.to_string(), saw));
    let zones = facts.hours.iter().flat_map(|hours| hours.zones.names());
    Seen { checks: checks.collect(), zones: zones.map(ToString::to_string).collect(), until: None }
}
