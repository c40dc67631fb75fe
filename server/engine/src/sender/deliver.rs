//! One message that may go out: wait for a slot, look once more, hand over.

use std::{sync::Arc, time::Duration};

use domain::{
    error_codes::{Class, NO_CLEAR_ANSWERS},
    message::{Kind, Outcome as DecisionOutcome},
    reason::{Check, Reason},
    time::Timestamp,
};
use store::messages::{Claimed, DecisionIn, Effect, Lease, OutcomeIn};
use tokio::time::Instant;

use super::{
    Claim, Hold, LaneContext, Shared, backoff,
    doubt::{self, Verdict},
    limit,
    outcomes::Done,
    prepare::{Ready, Until},
};
use crate::{
    Engine,
    decide::Content,
    provider::{Outcome, Outgoing, Refusal},
    throttle::{Counts, Key},
};

/// Kept free between the end of a request and the end of its lease, for writing the outcome.
const MARGIN: i64 = 2 * Timestamp::SECOND;

/// Hands a message over and learns what became of it; it always ends with an outcome.
pub(super) async fn deliver(
    shared: Arc<Shared>,
    context: Arc<LaneContext>,
    (hold, ready): (Hold, Ready),
    claim: Claim,
) {
    let (counted, counts_since) = (ready.counts != Counts::Not, ready.counts_since);
    let mut done = settle(&shared, &context, ready, claim).await;
    done.counted = counted;
    done.counts_since = counts_since;
    shared.finish(done, hold).await;
}

async fn settle(shared: &Shared, context: &LaneContext, ready: Ready, claim: Claim) -> Done {
    let Ready { message, content, phone, decision, until, .. } = ready;
    let lease = claim.lease;
    let outgoing = Outgoing {
        id: message.id,
        attempt: message.attempt,
        to: &phone,
        channel: context.sender.sender.channel,
        from: &context.sender.sender.address,
        content: &content,
        valid_for: None,
    };
    let Some(_slot) = shared.load.slot(&context.of).await else {
        return done(&message, lease, shared.engine.now(), (Effect::Released, None));
    };
    tokio::select! {
        () = shared.engine.inner().opt_outs.current() => {}
        () = shared.stop.cancelled() => {}
    }
    // From here on nothing is awaited before the request is under way.
    let now = shared.engine.now();
    if let Some(mut stopped) = last_look(shared, context, (&message, until), claim, now) {
        if let Some(made) = &mut stopped.outcome.decision {
            made.grounds = decision.grounds;
        }
        return stopped;
    }
    let outgoing =
        Outgoing { valid_for: until.seconds_at_provider(now, shared.engine.config().provider.timeout), ..outgoing };
    let began = Instant::now();
    let answer = shared.engine.inner().provider.create(&context.login, &outgoing).await;
    judge(shared, context, &message, lease, (answer, began, content, decision)).await
}

/// What may have changed since the claim: the process is stopping, the lease is nearly over, sending is held or the run
/// paused or cancelled, the provider gives no clear answers, the time in which the message may go is over, the person
/// opted out of everything or of its topic.
fn last_look(
    shared: &Shared,
    context: &LaneContext,
    (message, until): (&Claimed, Until),
    claim: Claim,
    now: Timestamp,
) -> Option<Done> {
    let lease = claim.lease;
    let engine = &shared.engine;
    let timeout = i64::try_from(engine.config().provider.timeout.as_micros()).unwrap_or(i64::MAX);
    let needed = timeout + MARGIN.min(timeout / 2);
    // Also by the time that really went by: a clock that was set back must not make the lease longer.
    let lease_length = i64::try_from(engine.config().lease.as_micros()).unwrap_or(i64::MAX);
    let went_by = i64::try_from(claim.began.elapsed().as_micros()).unwrap_or(i64::MAX / 2);
    let too_late = now.plus(needed) > lease.until || went_by + needed > lease_length;
    let held = !context.probe && engine.inner().doubts.holds(context.sender.sender.id, Instant::now());
    if shared.stop.is_cancelled() || too_late || until.is_over(now) || held || !shared.is_open(context.lane) {
        return Some(done(message, lease, now, (Effect::Released, None)));
    }
    let (reason, passed, detail) = left(shared, context, message, claim)?;
    let decision = DecisionIn {
        at: now,
        outcome: DecisionOutcome::Skip,
        reason: Some(reason),
        checks: passed.bits_through(),
        detail: Some(detail.to_owned()),
        grounds: None,
    };
    tracing::info!(message.id = message.id.0, attempt = message.attempt, %reason, "stopped by an opt-out after the claim");
    Some(done(message, lease, now, (Effect::Skipped(reason), Some(decision))))
}

/// Whether the person opted out of everything, or of the campaign's topic, after the claim: the reason, the last check
/// before the one that says no, and words.
fn left(
    shared: &Shared,
    context: &LaneContext,
    message: &Claimed,
    claim: Claim,
) -> Option<(Reason, Check, &'static str)> {
    let opt_outs = &shared.engine.inner().opt_outs;
    let topic = context.run.as_ref().and_then(|run| run.topic).filter(|_| message.kind == Kind::Campaign);
    if opt_outs.contains((message.contact_id, None), claim.began) {
        Some((Reason::OptedOut, Check::Suppression, "opted out after the claim"))
    } else if topic.is_some_and(|topic| opt_outs.contains((message.contact_id, Some(topic)), claim.began)) {
        Some((Reason::NotSubscribed, Check::Consent, "unsubscribed after the claim"))
    } else {
        None
    }
}

/// What became of a message at an instant.
pub(super) fn done(
    message: &Claimed,
    lease: Lease,
    at: Timestamp,
    (effect, decision): (Effect, Option<DecisionIn>),
) -> Done {
    Done {
        at,
        outcome: OutcomeIn {
            id: message.id,
            attempt: message.attempt,
            lease_owner: lease.owner,
            effect,
            decision,
            text: None,
        },
        run: message.run_id,
        campaign: message.campaign_id,
        sender: message.sender_id,
        fault: None,
        text_refused: false,
        opted_out: None,
        counted: false,
        counts_since: None,
        contact: message.contact_id,
    }
}

/// What the provider's answer means for this message, its run, its sender and its person.
async fn judge(
    shared: &Shared,
    context: &LaneContext,
    message: &Claimed,
    lease: Lease,
    (answer, began, content, decision): (Outcome, Instant, Content, DecisionIn),
) -> Done {
    let now = shared.engine.now();
    let class = match &answer {
        Outcome::Refused(refusal) => Some(class_of(&shared.engine, message, refusal, now)),
        _ => None,
    };
    metrics::counter!("provider_answers_total", "outcome" => word(&answer, class)).increment(1);
    let mut done = done(message, lease, now, (Effect::Released, Some(decision)));
    done.fault = doubt(shared, context, (&answer, class), began).await;
    match answer {
        Outcome::Accepted { sid } => {
            shared.engine.inner().limits.took(context.sender.sender.id);
            done.outcome.effect = Effect::Accepted { sid };
            done.outcome.text = Some(content.text);
        }
        Outcome::NotReached(why) => {
            tracing::warn!(message.id = message.id.0, attempt = message.attempt, why, "the provider is not reached");
            // However often: it is certain that nothing was sent, and nobody is given up because a network is down.
            slow_down(shared, context, Some(Duration::from_secs(1))).await;
            let not_before = backoff::next_try_after_outage(now);
            done.outcome.effect = Effect::NotYet { not_before, reason: Reason::NotReached, code: None };
        }
        Outcome::Ambiguous(why) => unclear(&mut done, message, &why, content),
        Outcome::Refused(refusal) => match class.unwrap_or(Class::PermanentMessage) {
            Class::WaitSender if shared.engine.inner().limits.is_of_one(context.sender.sender.id, message.id) => {
                refused(&mut done, message, now, refusal.code, Class::Defer);
            }
            Class::WaitSender => {
                slow_down(shared, context, Some(refusal.retry_after.unwrap_or(limit::REST_REFUSED))).await;
                done.outcome.effect = one_of_too_many(now, &refusal);
            }
            Class::Retry => {
                slow_down(shared, context, refusal.retry_after).await;
                done.outcome.effect = if refusal.too_many {
                    one_of_too_many(now, &refusal)
                } else if message.attempt >= backoff::MAX_ATTEMPTS {
                    Effect::Failed { reason: Reason::RateLimited, code: Some(refusal.code) }
                } else {
                    again(message, now, &refusal)
                };
            }
            Class::Ambiguous => unclear(&mut done, message, &format!("code {}", refusal.code), content),
            class => refused(&mut done, message, now, refusal.code, class),
        },
    }
    done
}

/// What follows from a refusal. HTTP 429 says by itself that it was one of too many.
fn class_of(engine: &Engine, message: &Claimed, refusal: &Refusal, now: Timestamp) -> Class {
    let Refusal { code, said, too_many, .. } = refusal;
    engine.error_codes().heard(*code, Some(said), now);
    let codes = engine.error_codes().current();
    let class = match &message.contact {
        Some(contact) => codes.class_for(*code, true, &contact.phone),
        None => codes.class(*code, true),
    };
    if *too_many && class != Class::Ambiguous && class != Class::WaitSender { Class::Retry } else { class }
}

/// What the latest answers to this sender together say: the code that blocks it when most of them are unclear.
async fn doubt(
    shared: &Shared,
    context: &LaneContext,
    (answer, class): (&Outcome, Option<Class>),
    began: Instant,
) -> Option<i32> {
    let unclear = match answer {
        Outcome::NotReached(_) => return None,
        Outcome::Ambiguous(_) => true,
        Outcome::Accepted { .. } | Outcome::Refused(_) => class == Some(Class::Ambiguous),
    };
    match shared.engine.inner().doubts.note(context.sender.sender.id, unclear, began, Instant::now()) {
        Verdict::Fine => None,
        Verdict::Slower => {
            slow_down(shared, context, None).await;
            None
        }
        Verdict::Blocked => {
            slow_down(shared, context, Some(doubt::HOLD)).await;
            Some(NO_CLEAR_ANSWERS)
        }
    }
}

fn unclear(done: &mut Done, message: &Claimed, why: &str, content: Content) {
    tracing::warn!(message.id = message.id.0, attempt = message.attempt, why, "no clear answer: outcome unknown");
    done.outcome.effect = Effect::Unknown(Reason::NoAnswer);
    done.outcome.text = Some(content.text);
}

/// Known not sent, and worth another try.
fn again(message: &Claimed, now: Timestamp, refusal: &Refusal) -> Effect {
    let not_before = backoff::next_try(now, message.attempt).max(not_before(now, refusal));
    Effect::Later { not_before, reason: Reason::RateLimited, code: Some(refusal.code) }
}

/// Known not sent because of a limit, which is no fault of the message's: it uses up none of its attempts, however long the
/// limit lasts. Its sender is slowed down or rests, so few go out meanwhile.
fn one_of_too_many(now: Timestamp, refusal: &Refusal) -> Effect {
    let not_before = backoff::next_try_after_outage(now).max(not_before(now, refusal));
    Effect::NotYet { not_before, reason: Reason::RateLimited, code: Some(refusal.code) }
}

/// As the provider asked.
fn not_before(now: Timestamp, refusal: &Refusal) -> Timestamp {
    refusal.retry_after.map_or(now, |after| now.plus(i64::try_from(after.as_micros()).unwrap_or(0)))
}

fn refused(done: &mut Done, message: &Claimed, now: Timestamp, code: i32, class: Class) {
    let reason = Reason::ProviderRefused;
    done.outcome.effect = Effect::Failed { reason, code: Some(code) };
    let Some(contact) = &message.contact else { return };
    match class {
        // Everybody's fault but the recipient's: the message waits until something goes out from this sender again. However
        // often it tries, it uses up none of its attempts: where few messages wait, the same ones try all night.
        Class::AccountWide => {
            done.outcome.effect = Effect::NotYet { not_before: now, reason, code: Some(code) };
            done.fault = Some(code);
        }
        Class::Defer if message.attempt < backoff::MAX_DEFERRED => {
            let not_before = backoff::next_try_of_person(now, message.attempt);
            done.outcome.effect = Effect::Later { not_before, reason, code: Some(code) };
        }
        Class::PermanentMessage => done.text_refused = true,
        Class::OptOut => done.opted_out = Some((message.contact_id, contact.phone.clone(), code)),
        _ => {}
    }
}

async fn slow_down(shared: &Shared, context: &LaneContext, wait: Option<Duration>) {
    let key = Key::Sender(context.sender.sender.id);
    shared.engine.inner().throttle.slow_down(shared.engine.now(), key, wait).await;
}

const fn word(outcome: &Outcome, class: Option<Class>) -> &'static str {
    match (outcome, class) {
        (Outcome::Accepted { .. }, _) => "accepted",
        (Outcome::Refused(_), Some(Class::Retry | Class::WaitSender)) => "rate_limited",
        (Outcome::Refused(_), Some(Class::Ambiguous)) | (Outcome::Ambiguous(_), _) => "ambiguous",
        (Outcome::Refused(_), _) => "refused",
        (Outcome::NotReached(_), _) => "not_reached",
    }
}
