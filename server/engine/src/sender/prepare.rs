//! A claimed batch, before anything goes out: each message is decided, and those to WhatsApp ask together for their turn.

use std::{sync::Arc, time::Duration};

use domain::{
    campaign::Late,
    message::{Channel, Kind, Outcome as DecisionOutcome},
    phone::Phone,
    reason::Reason,
    time::Timestamp,
};
use store::messages::{Claimed, DecisionIn, Effect};
use tokio_util::task::TaskTracker;

use super::{
    Claim, Hold, LaneContext, Shared, backoff, breaker, content,
    deliver::{self, done},
    length_by_sms,
    outcomes::Done,
    verdict,
};
use crate::{
    Result,
    bell::Who,
    decide::{self, Content, Decided, Verdict},
    throttle::{Admission, Asking, Counts, DAY, Key},
};

/// While the day is full it is looked at again after this time at the latest: somebody may have raised the limit.
const LOOK_AGAIN: Duration = Duration::from_secs(15 * 60);
/// And not before this, because each look claims messages.
const REST: Duration = Duration::from_secs(1);
/// When it is not known how full the day is.
const NOT_KNOWN: Duration = Duration::from_secs(5);

/// Whether the day is full until then. Nobody says so for longer than [`LOOK_AGAIN`]: then the clock was set back since.
pub(super) fn is_still_full(until: Timestamp, now: Timestamp) -> bool {
    u128::try_from(until.since(now)).is_ok_and(|left| left > 0 && left <= LOOK_AGAIN.as_micros())
}

/// A message that may go out, as far as rules are concerned.
pub(super) struct Ready {
    pub message: Claimed,
    pub content: Content,
    pub phone: Phone,
    pub decision: DecisionIn,
    pub counts: Counts,
    /// Since when the person counts for this message, who did not before it.
    pub counts_since: Option<Timestamp>,
    pub until: Until,
}

/// After what a message is not handed over any more.
#[derive(Clone, Copy, Default)]
pub(super) struct Until {
    /// The window of quiet hours closes.
    pub closes: Option<Timestamp>,
    /// The campaign drops what is late.
    pub deadline: Option<Timestamp>,
}

/// Decides a batch and sends what may go out on its way; the others' outcomes are written.
pub(super) async fn prepare(
    shared: Arc<Shared>,
    context: Arc<LaneContext>,
    claimed: Vec<(Hold, Claimed)>,
    claim: Claim,
    deliveries: TaskTracker,
) {
    let turns = if context.probe { 1 } else { claimed.len() };
    let ready = if context.probe {
        who_tries(&shared, &context, claimed, claim).await
    } else {
        who_may(&shared, &context, claimed, claim).await
    };
    charge_segments(&shared, &context, &ready);
    // Nobody was called for those that do not go out: the others may have their turns.
    if let Ok(unused @ 1..) = u32::try_from(turns - ready.len()) {
        shared.engine.inner().throttle.give_back(shared.engine.now(), &context.limits, unused).await;
    }
    let admitted = admitted(&shared, &context, ready, claim).await;
    if let Ok(granted @ 1..) = u32::try_from(admitted.len()) {
        let inner = shared.engine.inner();
        inner.granted_pace.count(context.sender.sender.id, shared.engine.now(), granted);
        metrics::counter!("messages_granted_total").increment(u64::from(granted));
    }
    for (hold, one) in admitted {
        deliveries.spawn(deliver::deliver(shared.clone(), context.clone(), (hold, one), claim));
    }
}

/// What an SMS sender may do at the provider is counted in segments, and only now it is known how many each text takes. The
/// account's and the campaign's rates count messages.
fn charge_segments(shared: &Shared, context: &LaneContext, ready: &[(Hold, Ready)]) {
    let sender = &context.sender.sender;
    let lengths = ready.iter().filter_map(|(_, one)| length_by_sms(sender.channel, &one.content));
    let more: u32 = lengths.map(|length| length.segments.saturating_sub(1)).sum();
    let limit = context.limits.iter().find(|limit| limit.key == Key::Sender(sender.id));
    if let Some(limit) = limit.filter(|_| more > 0) {
        shared.engine.inner().throttle.charge(shared.engine.now(), *limit, more);
    }
}

/// Those of the batch that may go out.
async fn who_may(
    shared: &Shared,
    context: &LaneContext,
    claimed: Vec<(Hold, Claimed)>,
    claim: Claim,
) -> Vec<(Hold, Ready)> {
    let mut ready = Vec::with_capacity(claimed.len());
    for (hold, message) in claimed {
        match decide(shared, context, message, claim).await {
            Ok(one) => ready.push((hold, one)),
            Err(done) => shared.finish(*done, hold).await,
        }
    }
    ready
}

/// Of a blocked sender's batch the first that may go out tries whether it works again. Those before it are through, and those
/// behind it go back: whoever may not go out anyway takes nobody the time of a try.
async fn who_tries(
    shared: &Shared,
    context: &LaneContext,
    claimed: Vec<(Hold, Claimed)>,
    claim: Claim,
) -> Vec<(Hold, Ready)> {
    let Some(first) = claimed.first().map(|(_, message)| message.id) else { return Vec::new() };
    let release = |message: &Claimed| done(message, claim.lease, shared.engine.now(), (Effect::Released, None));
    let mut tries: Option<(Hold, Ready)> = None;
    let mut others = Vec::with_capacity(claimed.len());
    for (hold, message) in claimed {
        if tries.is_some() {
            others.push((hold, release(&message)));
        } else {
            match decide(shared, context, message, claim).await {
                Ok(one) => tries = Some((hold, one)),
                Err(done) => others.push((hold, *done)),
            }
        }
    }
    let (sender, one) = (context.sender.sender.id, tries.as_ref().map(|(_, one)| one.message.id));
    // Before it is written what became of the first: or whoever looks after the breaker lets yet another one try.
    let marked = breaker::mark_probe(&shared.engine, sender, first, one).await.unwrap_or_else(|error| {
        tracing::error!(%error, %sender, "it cannot be written which message tries: it tries later");
        false
    });
    if let Some((hold, one)) = tries.take_if(|_| !marked) {
        others.push((hold, release(&one.message)));
    }
    for (hold, done) in others {
        shared.finish(done, hold).await;
    }
    if one.is_none() {
        // There may be more of them, and one behind them that may go out.
        shared.engine.inner().bell.ring_here(Who::Senders);
    }
    tries.into_iter().collect()
}

/// # Errors
/// The outcome of a message that does not go out now.
async fn decide(
    shared: &Shared,
    context: &LaneContext,
    message: Claimed,
    claim: Claim,
) -> std::result::Result<Ready, Box<Done>> {
    let now = shared.engine.now();
    let (decided, decision) = match verdict(shared, context, &message, now).await {
        Ok(decided) => decided,
        Err(error) => {
            // Not the message's fault: it waits for its turn like after any failure before a byte was sent.
            tracing::error!(%error, message.id = message.id.0, "a message could not be decided");
            let not_before = backoff::next_try_after_outage(now);
            let effect = Effect::NotYet { not_before, reason: Reason::NotReached, code: None };
            return Err(Box::new(done(&message, claim.lease, now, (effect, None))));
        }
    };
    let until = Until { closes: decided.closes, deadline: deadline(context) };
    let effect = match (decided.verdict, &message.contact) {
        (Verdict::Send(content), Some(contact)) => {
            let (phone, counts) = (contact.phone.clone(), counts(context, &message, now));
            return Ok(Ready { message, content, phone, decision, counts, counts_since: None, until });
        }
        (Verdict::Send(_), None) => Effect::Skipped(Reason::ContactErased),
        (Verdict::Skip(reason), _) => Effect::Skipped(reason),
        (Verdict::Wait { until, reason }, _) => Effect::NotYet { not_before: until, reason, code: None },
    };
    Err(Box::new(done(&message, claim.lease, now, (effect, Some(decision)))))
}

async fn verdict(
    shared: &Shared,
    context: &LaneContext,
    message: &Claimed,
    now: Timestamp,
) -> Result<(Decided, DecisionIn)> {
    let text = content::text_of(&shared.engine, context, message).await?;
    Ok(verdict::of(&context.binding(shared.engine.config()), &text, message, now))
}

fn deadline(context: &LaneContext) -> Option<Timestamp> {
    let rules = context.run.as_ref().map(|run| &run.rules);
    rules.filter(|rules| rules.late == Late::Drop).and_then(|rules| rules.send_before)
}

impl Until {
    /// Whether it has come: then the message is decided anew.
    pub fn is_over(self, now: Timestamp) -> bool {
        let closing = self.closes.is_some_and(|closes| closes.since(now) <= decide::MARGIN);
        closing || self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// For how many seconds the provider may keep the message, when they are limited. It counts from when it takes the
    /// request, which may be as late as the request's time-out. At least one: none would be no limit.
    pub fn seconds_at_provider(self, now: Timestamp, timeout: Duration) -> Option<i64> {
        let end = self.closes.into_iter().chain(self.deadline).min()?;
        let timeout = i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX);
        Some((end.since(now).saturating_sub(timeout) / Timestamp::SECOND).max(1))
    }
}

/// Whether WhatsApp counts the message among the people that a business writes to first.
fn counts(context: &LaneContext, message: &Claimed, now: Timestamp) -> Counts {
    let wrote = message.contact.as_ref().and_then(|contact| contact.last_inbound_at);
    if context.budget.is_none() || wrote.is_some_and(|at| now.since(at) < DAY) {
        return Counts::Not;
    }
    if message.kind == Kind::Campaign { Counts::Campaign } else { Counts::Reply }
}

/// Those whose turn it is; the others wait.
async fn admitted(
    shared: &Shared,
    context: &LaneContext,
    ready: Vec<(Hold, Ready)>,
    claim: Claim,
) -> Vec<(Hold, Ready)> {
    if context.sender.sender.channel != Channel::Whatsapp || ready.is_empty() {
        return ready;
    }
    let now = shared.engine.now();
    let asking: Vec<_> =
        ready.iter().map(|(_, one)| Asking { contact: one.message.contact_id, counts: one.counts }).collect();
    let verdicts = ask(shared, context, now, &asking).await;
    let mut admitted = Vec::with_capacity(ready.len());
    let mut refused = 0;
    for ((hold, mut one), verdict) in ready.into_iter().zip(verdicts) {
        let (wait, reason) = match verdict {
            Admission::Go => {
                admitted.push((hold, one));
                continue;
            }
            Admission::First { at } => {
                one.counts_since = Some(at);
                admitted.push((hold, one));
                continue;
            }
            Admission::PairFull { retry_after } => (retry_after, Reason::PairRate),
            Admission::DayFull { retry_after } => (retry_after.clamp(REST, LOOK_AGAIN), Reason::DailyLimit),
        };
        let not_before = now.plus(i64::try_from(wait.as_micros()).unwrap_or(0));
        if reason == Reason::DailyLimit && one.message.kind == Kind::Campaign {
            shared.day_is_full(context.budget, not_before);
        }
        one.decision.outcome = DecisionOutcome::Wait;
        one.decision.reason = Some(reason);
        let effect = Effect::NotYet { not_before, reason, code: None };
        shared.finish(done(&one.message, claim.lease, now, (effect, Some(one.decision))), hold).await;
        refused += 1;
    }
    if refused > 0 {
        shared.engine.inner().throttle.give_back(now, &context.limits, refused).await;
    }
    admitted
}

async fn ask(shared: &Shared, context: &LaneContext, now: Timestamp, asking: &[Asking]) -> Vec<Admission> {
    let throttle = &shared.engine.inner().throttle;
    let sender = context.sender.sender.id;
    if let Some(verdicts) = throttle.admit(now, sender, context.budget, asking).await {
        return verdicts;
    }
    let verdicts = match remember(shared, now).await {
        Ok(()) => throttle.admit(now, sender, context.budget, asking).await,
        Err(error) => {
            tracing::error!(%error, "whom WhatsApp counts for today cannot be read: who would be counted waits");
            None
        }
    };
    verdicts.unwrap_or_else(|| {
        let unknown = |asking: &Asking| match asking.counts {
            Counts::Not => Admission::Go,
            Counts::Reply | Counts::Campaign => Admission::DayFull { retry_after: NOT_KNOWN },
        };
        asking.iter().map(unknown).collect()
    })
}

/// Tells the throttle whom the database knows to have been written to within a day.
async fn remember(shared: &Shared, now: Timestamp) -> Result<()> {
    let engine = &shared.engine;
    let account = &engine.config().provider.account_sid;
    let people = store::daily_recipients::since(engine.db().reader(), account, now.plus(-DAY)).await?;
    engine.inner().throttle.remember(&people).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_day_is_looked_at_again_after_the_clock_was_set_back() {
        let now = Timestamp::from_seconds(10_000);
        let longest = i64::try_from(LOOK_AGAIN.as_micros()).expect("short");
        assert!(is_still_full(now.plus(1), now) && is_still_full(now.plus(longest), now));
        assert!(!is_still_full(now, now) && !is_still_full(now.plus(-Timestamp::HOUR), now));
        assert!(!is_still_full(now.plus(longest), now.plus(-3 * Timestamp::HOUR)));
    }

    #[test]
    fn a_message_is_not_begun_when_its_window_is_about_to_close_or_its_time_is_up() {
        let now = Timestamp::from_seconds(1_000);
        let closes = |after: i64| Until { closes: Some(now.plus(after)), deadline: None };
        let deadline = |after: i64| Until { closes: None, deadline: Some(now.plus(after)) };
        assert!(!Until::default().is_over(now));
        assert!(closes(decide::MARGIN).is_over(now) && !closes(decide::MARGIN + 1).is_over(now));
        assert!(deadline(0).is_over(now) && !deadline(1).is_over(now));
        let timeout = Duration::from_secs(15);
        assert_eq!(Until::default().seconds_at_provider(now, timeout), None);
        let both = Until { closes: Some(now.plus(Timestamp::HOUR)), deadline: Some(now.plus(Timestamp::MINUTE)) };
        assert_eq!(both.seconds_at_provider(now, timeout), Some(45));
        assert_eq!(both.seconds_at_provider(now, Duration::from_secs(90)), Some(1), "none would be no limit");
    }
}
