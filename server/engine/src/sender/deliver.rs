//! One claimed message: decide, wait for a slot, hand over.

use std::{sync::Arc, time::Duration};

use domain::{
    error_codes::{self, Class},
    message::{Kind, Outcome as DecisionOutcome},
    reason::Reason,
    time::Timestamp,
};
use store::messages::{Claimed, DecisionIn, Effect, Lease, OutcomeIn};

use super::{Claim, LaneContext, Shared, backoff, content, outcomes::Done};
use crate::{
    Result,
    decide::{self, Content, Decided, Facts, Person, Verdict},
    provider::{Outcome, Outgoing},
    throttle::Key,
};

/// Kept free between the end of a request and the end of its lease, for writing the outcome.
const MARGIN: i64 = 2 * Timestamp::SECOND;

/// The whole life of a claimed message in this process; it always ends with an outcome.
pub(super) async fn deliver(shared: Arc<Shared>, context: Arc<LaneContext>, message: Claimed, claim: Claim) {
    let done = settle(&shared, &context, &message, claim).await;
    shared.engine.inner().in_hand.end(message.contact_id);
    // The writer outlives every delivery; a closed channel means that it broke, and the lease will say so.
    if shared.outcomes.send(done).await.is_err() {
        tracing::error!(message.id = message.id.0, "an outcome could not be written");
    }
    shared.done_with(1);
}

async fn settle(shared: &Shared, context: &LaneContext, message: &Claimed, claim: Claim) -> Done {
    let lease = claim.lease;
    let now = shared.engine.now();
    let decided = match decide(shared, context, message, now).await {
        Ok(decided) => decided,
        Err(error) => {
            // Not the message's fault: it waits for its turn like after any failure before a byte was sent.
            tracing::error!(%error, message.id = message.id.0, "a message could not be decided");
            let effect = Effect::NotReached { not_before: backoff::next_try_after_outage(now) };
            return done(message, lease, effect, None);
        }
    };
    let decision = record(&decided, now);
    let (content, phone) = match (decided.verdict, &message.contact) {
        (Verdict::Send(content), Some(contact)) => (content, contact.phone.clone()),
        (Verdict::Send(_), None) => {
            return done(message, lease, Effect::Skipped(Reason::ContactErased), Some(decision));
        }
        (Verdict::Skip(reason), _) => return done(message, lease, Effect::Skipped(reason), Some(decision)),
        (Verdict::Wait { until, reason }, _) => {
            let effect = Effect::Later { not_before: until, reason, code: None };
            return done(message, lease, effect, Some(decision));
        }
    };
    let outgoing = Outgoing {
        id: message.id,
        attempt: message.attempt,
        to: &phone,
        channel: context.sender.sender.channel,
        from: &context.sender.sender.address,
        content: &content,
    };
    let Ok(_slot) = shared.slots.acquire().await else {
        return done(message, lease, Effect::Released, None);
    };
    tokio::select! {
        () = shared.engine.inner().opt_outs.current() => {}
        () = shared.stop.cancelled() => {}
    }
    // From here on nothing is awaited before the request is under way.
    if let Some(stopped) = last_look(shared, context, message, claim) {
        return stopped;
    }
    let answer = shared.engine.inner().provider.create(&outgoing).await;
    judge(shared, context, message, lease, (answer, content, decision)).await
}

/// What may have changed since the claim: the process is stopping, the lease is nearly over, sending is held or the run
/// paused or cancelled, the person opted out.
fn last_look(shared: &Shared, context: &LaneContext, message: &Claimed, claim: Claim) -> Option<Done> {
    let lease = claim.lease;
    let engine = &shared.engine;
    let now = engine.now();
    let timeout = i64::try_from(engine.config().provider.timeout.as_micros()).unwrap_or(i64::MAX);
    let too_late = now.plus(timeout).plus(MARGIN.min(timeout / 2)) > lease.until;
    if shared.stop.is_cancelled() || too_late || !shared.is_open(context.lane) {
        return Some(done(message, lease, Effect::Released, None));
    }
    if engine.inner().opt_outs.contains(message.contact_id, claim.began) {
        let decision = DecisionIn {
            at: now,
            outcome: DecisionOutcome::Skip,
            reason: Some(Reason::OptedOut),
            checks: domain::reason::Check::Suppression.bit(),
            detail: Some("opted out after the claim".to_owned()),
        };
        tracing::info!(message.id = message.id.0, attempt = message.attempt, "stopped by an opt-out after the claim");
        return Some(done(message, lease, Effect::Skipped(Reason::OptedOut), Some(decision)));
    }
    None
}

async fn decide(shared: &Shared, context: &LaneContext, message: &Claimed, now: Timestamp) -> Result<Decided> {
    let text = content::text_of(&shared.engine, context, message).await?;
    let contact = message.contact.as_ref();
    let facts = Facts {
        kind: message.kind,
        channel: context.sender.sender.channel,
        category: text.category(),
        person: contact.map(|contact| Person {
            consent: contact.consent,
            suppressed: contact.suppressed,
            last_inbound_at: contact.last_inbound_at,
        }),
        has_topic: context.run.as_ref().is_some_and(|run| run.topic.is_some()),
        subscription: message.subscription,
        send_before: context.run.as_ref().and_then(|run| run.rules.send_before),
        late: context.late(),
        enforce_window: context.enforce_window,
        free_text: contact.is_none_or(|contact| text.is_free(contact.locale.as_deref())),
        now,
    };
    Ok(decide::decide(&facts, || text.render(contact, &message.variables)))
}

fn record(decided: &Decided, at: Timestamp) -> DecisionIn {
    let (outcome, reason) = match &decided.verdict {
        Verdict::Send(_) => (DecisionOutcome::Send, None),
        Verdict::Skip(reason) => (DecisionOutcome::Skip, Some(*reason)),
        Verdict::Wait { reason, .. } => (DecisionOutcome::Wait, Some(*reason)),
    };
    DecisionIn { at, outcome, reason, checks: decided.passed, detail: decided.detail.clone() }
}

fn done(message: &Claimed, lease: Lease, effect: Effect, decision: Option<DecisionIn>) -> Done {
    Done {
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
        stop_run: None,
        text_refused: false,
        opted_out: None,
    }
}

/// What the provider's answer means for this message, its run, its sender and its person.
async fn judge(
    shared: &Shared,
    context: &LaneContext,
    message: &Claimed,
    lease: Lease,
    (answer, content, decision): (Outcome, Content, DecisionIn),
) -> Done {
    let now = shared.engine.now();
    metrics::counter!("provider_answers_total", "outcome" => word(&answer)).increment(1);
    let mut done = done(message, lease, Effect::Released, Some(decision));
    let tried_often = message.attempt >= backoff::MAX_ATTEMPTS;
    let again = |after: Option<Duration>| {
        let wait = after.map_or(now, |after| now.plus(i64::try_from(after.as_micros()).unwrap_or(0)));
        backoff::next_try(now, message.attempt).max(wait)
    };
    match answer {
        Outcome::Accepted { sid } => {
            done.outcome.effect = Effect::Accepted { sid };
            done.outcome.text = Some(content.text);
        }
        Outcome::RateLimited { retry_after, code } => {
            slow_down(shared, context, retry_after).await;
            let reason = Reason::RateLimited;
            done.outcome.effect = if tried_often {
                Effect::Failed { reason, code: Some(code) }
            } else {
                Effect::Later { not_before: again(retry_after), reason, code: Some(code) }
            };
        }
        Outcome::NotReached(why) => {
            tracing::warn!(message.id = message.id.0, attempt = message.attempt, why, "the provider is not reached");
            // However often: it is certain that nothing was sent, and nobody is given up because a network is down.
            slow_down(shared, context, Some(Duration::from_secs(1))).await;
            done.outcome.effect = Effect::NotReached { not_before: backoff::next_try_after_outage(now) };
        }
        Outcome::Ambiguous(why) => {
            tracing::warn!(
                message.id = message.id.0,
                attempt = message.attempt,
                why,
                "no clear answer: outcome unknown"
            );
            done.outcome.effect = Effect::Unknown(Reason::NoAnswer);
            done.outcome.text = Some(content.text);
        }
        Outcome::Refused { code, .. } => refused(&mut done, message, now, code, again(None)),
    }
    done
}

fn refused(done: &mut Done, message: &Claimed, now: Timestamp, code: i32, again: Timestamp) {
    let reason = Reason::ProviderRefused;
    done.outcome.effect = Effect::Failed { reason, code: Some(code) };
    let Some(contact) = &message.contact else { return };
    match error_codes::class_for(code, true, &contact.phone) {
        Class::AccountWide if message.kind == Kind::Campaign => {
            // Everybody's fault but the recipient's: the message waits until the run is resumed.
            done.outcome.effect = Effect::Later { not_before: now, reason, code: Some(code) };
            done.stop_run = Some(format!("Twilio refused with code {code}: {}", error_codes::explain(code).meaning));
            // Without Twilio's text: it may name the person's number.
            tracing::error!(code, "the account or its sender cannot send");
        }
        Class::Defer if message.attempt < backoff::MAX_ATTEMPTS => {
            done.outcome.effect = Effect::Later { not_before: again, reason, code: Some(code) };
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

const fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted { .. } => "accepted",
        Outcome::RateLimited { .. } => "rate_limited",
        Outcome::Refused { .. } => "refused",
        Outcome::NotReached(_) => "not_reached",
        Outcome::Ambiguous(_) => "ambiguous",
    }
}
