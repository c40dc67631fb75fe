//! Status callbacks, by the batch; and whatever makes no sense, which is stored beside them.

use std::collections::BTreeMap;

use domain::{
    consent::Consent,
    error_codes::{Class, is_too_fast},
    event::WebhookOutcome,
    ids::{MessageId, RunId},
    message::State,
    time::Timestamp,
};
use store::{
    messages::{ReceiptIn, ReceiptOut, ReceiptOutcome},
    receipts::Named,
    webhook_events::NewEvent,
};

use super::{
    Done,
    event::{Content, Event, StatusIn},
    sealing,
};
use crate::{
    Engine, sender,
    services::contacts::{opt_out_by_provider, provider},
};

/// Stores the events in one transaction, with everything that follows from them.
pub(super) async fn store(engine: &Engine, events: &[&Event]) -> store::Result<Vec<Done>> {
    let now = engine.now();
    let period = sealing::period(now);
    let key = engine.inner().ingest.periods().key(engine, period).await?;
    // First, and apart: should the program die in between, the callback comes again and finds the opt-out there.
    for event in events {
        if let Content::Status(status) = &event.content {
            record_opt_out(engine, status, event.received_at, now).await?;
        }
    }
    let statuses: Vec<&StatusIn> = events.iter().filter_map(|event| status_of(event)).collect();
    let receipts: Vec<ReceiptIn> =
        events.iter().filter_map(|event| status_of(event).map(|status| receipt(event, status))).collect();
    let tx = engine.db().begin_ingest().await?;
    // People before messages: the order in which everybody locks.
    let read: Vec<Named<'_>> =
        statuses.iter().filter(|status| state(status) == Some(State::Read)).map(|status| named(status)).collect();
    store::receipts::touch_read(&tx, &read, now).await?;
    let planned = store::messages::plan_receipts(&tx, now, &receipts).await?;
    let outs = &planned.outs;
    let ids = store::webhook_events::next_ids(&tx, events.len()).await?;
    let mut of_statuses = outs.iter();
    let mut stored = Vec::with_capacity(events.len());
    let mut status_ids = Vec::with_capacity(receipts.len());
    for (event, id) in events.iter().zip(&ids) {
        let base = base(engine, event, *id);
        stored.push(match &event.content {
            Content::Status(status) => {
                status_ids.push(*id);
                told(base, status, of_statuses.next())
            }
            Content::Inbound(inbound) => {
                NewEvent { provider_sid: Some(&inbound.sid), outcome: WebhookOutcome::Unprocessable, ..base }
            }
            Content::Nonsense { sid, reason } => NewEvent {
                provider_sid: sid.as_deref(),
                outcome: WebhookOutcome::Unprocessable,
                reason: Some(reason),
                ..base
            },
        });
    }
    let raws = events.iter().zip(&ids).map(|(event, id)| (*id, &*event.raw));
    store::webhook_events::insert(&tx, &stored, sealing::seal_block(&key, period, raws)).await?;
    store::messages::write_receipts(&tx, now, &receipts, &planned, &status_ids).await?;
    tx.commit().await?;
    report(&stored);
    count_twice(outs);
    hear(engine, &receipts, outs, now);
    open_breakers(engine, &receipts, outs).await;
    slow_down(engine, &receipts, outs).await;
    stop_runs(engine, &receipts, outs).await;
    Ok(vec![Done::default(); events.len()])
}

/// Counts what tells that a message was really sent twice.
pub(super) fn count_twice(outs: &[ReceiptOut]) {
    let twice = outs.iter().filter(|out| out.second_sid).count();
    metrics::counter!("messages_sent_twice_total").increment(twice as u64);
}

/// Counts the codes of messages that failed, once each.
pub(super) fn hear(engine: &Engine, receipts: &[ReceiptIn], outs: &[ReceiptOut], now: Timestamp) {
    for (receipt, out) in receipts.iter().zip(outs) {
        if let (Some(code), Some(_)) = (receipt.error_code, out.moved_to) {
            // Callbacks bring no words.
            engine.error_codes().heard(code, None, now);
        }
    }
}

/// A failure that is the account's or its sender's would meet everybody who is still to come: the sender's breaker opens.
pub(super) async fn open_breakers(engine: &Engine, receipts: &[ReceiptIn], outs: &[ReceiptOut]) {
    // A run has one sender.
    let mut met: BTreeMap<(Option<RunId>, i32), Vec<MessageId>> = BTreeMap::new();
    let codes = engine.error_codes().current();
    for (receipt, out) in receipts.iter().zip(outs) {
        let code = failed(receipt, out).filter(|code| codes.class(*code, false) == Class::AccountWide);
        let (Some(code), Some(message)) = (code, out.message) else { continue };
        met.entry((message.run_id, code)).or_default().push(message.id);
    }
    for ((run, code), messages) in met {
        // Single messages may have come from several senders.
        let each = if run.is_some() { messages.len() } else { 1 };
        for messages in messages.chunks(each) {
            // The callbacks are stored. The next one of its kind tries again.
            if let Err(error) = open_breaker(engine, code, messages).await {
                tracing::error!(%error, code, "a sender that should be blocked is not");
            }
        }
    }
}

async fn open_breaker(engine: &Engine, code: i32, messages: &[MessageId]) -> crate::Result<()> {
    let Some(latest) = messages.iter().max() else { return Ok(()) };
    let db = engine.db().lookout();
    let Some(sender) = store::breaker::sender_of(db, *latest).await? else { return Ok(()) };
    let handed_over_at = store::breaker::handed_over_at(db, *latest).await?.unwrap_or_default();
    let fault = sender::Fault { sender, code, by_callback: true, messages: messages.to_vec(), handed_over_at };
    sender::open_breaker(engine, &fault).await
}

/// A sender that is too fast or at its limit is slowed down, so that the others' messages are not lost too.
pub(super) async fn slow_down(engine: &Engine, receipts: &[ReceiptIn], outs: &[ReceiptOut]) {
    let codes = engine.error_codes().current();
    let met = |receipt: &ReceiptIn, out: &ReceiptOut| {
        let is_limit = |code| is_too_fast(code) || codes.class(code, false) == Class::WaitSender;
        let limit = failed(receipt, out).is_some_and(is_limit);
        out.message.filter(|_| limit).map(|message| message.id)
    };
    let messages: Vec<MessageId> = receipts.iter().zip(outs).filter_map(|(receipt, out)| met(receipt, out)).collect();
    if messages.is_empty() {
        return;
    }
    match store::breaker::senders_of(engine.db().lookout(), &messages).await {
        Ok(senders) => {
            for (sender, messages) in senders {
                sender::reached_limit(engine, sender, messages).await;
            }
        }
        // The callbacks are stored. The next one of its kind tries again.
        Err(error) => tracing::error!(%error, "a sender that should be slowed down is not"),
    }
}

/// The code of a message that failed by this callback.
fn failed(receipt: &ReceiptIn, out: &ReceiptOut) -> Option<i32> {
    receipt.error_code.filter(|_| matches!(out.moved_to, Some(State::Failed | State::Undelivered)))
}

/// What fails for many would fail for everybody who is still to come: their runs are paused.
pub(super) async fn stop_runs(engine: &Engine, receipts: &[ReceiptIn], outs: &[ReceiptOut]) {
    let codes = engine.error_codes().current();
    let ends = receipts.iter().zip(outs).filter_map(|(receipt, out)| {
        let run = out.message?.run_id?;
        matches!(out.moved_to?, State::Delivered | State::Failed | State::Undelivered).then(|| {
            let has_failed = matches!(out.moved_to, Some(State::Failed | State::Undelivered));
            let class = failed(receipt, out).map(|code| codes.class(code, false));
            (run, has_failed.then(|| trouble(class)))
        })
    });
    for (run, trouble) in engine.inner().guard.note(sender::Source::Callback, ends) {
        // The callbacks are stored. The next one of its kind tries again.
        if let Err(error) = stop_run_of(engine, run, trouble).await {
            tracing::error!(%error, run.id = %run, ?trouble, "a run that should be paused is not");
        }
    }
}

const fn trouble(class: Option<Class>) -> sender::Trouble {
    match class {
        Some(Class::PermanentMessage) => sender::Trouble::TextRefused,
        Some(Class::WaitSender) => sender::Trouble::SenderLimit,
        _ => sender::Trouble::Failing,
    }
}

async fn stop_run_of(engine: &Engine, run: RunId, trouble: sender::Trouble) -> crate::Result<()> {
    let campaign = store::runs::get(engine.db().lookout(), run).await?.campaign_id;
    sender::stop_troubled(engine, sender::Source::Callback, (run, trouble), campaign).await
}

const fn status_of(event: &Event) -> Option<&StatusIn> {
    match &event.content {
        Content::Status(status) => Some(status),
        _ => None,
    }
}

fn state(status: &StatusIn) -> Option<State> {
    State::from_twilio(&status.status)
}

const fn named(status: &StatusIn) -> Named<'_> {
    Named { message_id: status.message_id, provider_sid: status.sid.as_str() }
}

fn receipt(event: &Event, status: &StatusIn) -> ReceiptIn {
    ReceiptIn {
        message_id: status.message_id,
        provider_sid: status.sid.clone(),
        status: status.status.clone(),
        state: state(status),
        error_code: status.error_code,
        received_at: event.received_at,
    }
}

/// The columns that every event has.
pub(super) fn base<'a>(engine: &Engine, event: &'a Event, id: domain::ids::WebhookEventId) -> NewEvent<'a> {
    NewEvent {
        id,
        kind: event.kind,
        // Ids rise with this: what was fetched, and written long before, stands where it came to be known.
        received_at: if event.fetched { engine.now() } else { event.received_at },
        account_sid: event.account_sid.as_deref().filter(|sid| *sid != engine.config().provider.account_sid),
        provider_sid: None,
        message_id: None,
        attempt: None,
        status: None,
        error_code: None,
        idempotency_token: event.idempotency_token.as_deref(),
        outcome: WebhookOutcome::Applied,
        reason: None,
    }
}

/// A status callback with what it did.
fn told<'a>(base: NewEvent<'a>, status: &'a StatusIn, out: Option<&ReceiptOut>) -> NewEvent<'a> {
    let (outcome, reason) = match out.map(|out| out.outcome) {
        Some(ReceiptOutcome::Applied) => (WebhookOutcome::Applied, None),
        Some(ReceiptOutcome::NoChange) if state(status).is_none() => (WebhookOutcome::NoChange, Some("unknown_status")),
        Some(ReceiptOutcome::NoChange) => (WebhookOutcome::NoChange, None),
        Some(ReceiptOutcome::Orphan) | None => (WebhookOutcome::Orphan, None),
    };
    let reason = if out.is_some_and(|out| out.second_sid) { Some("second_sid") } else { reason };
    if reason == Some("unknown_status") {
        tracing::warn!(status = status.status, sid = status.sid, "a message status that is not known");
    }
    let message: Option<MessageId> = out.and_then(|out| out.message).map(|message| message.id);
    NewEvent {
        provider_sid: Some(&status.sid),
        // An orphan keeps the id it came with: that is what one searches by.
        message_id: message.or(status.message_id),
        attempt: status.attempt,
        status: Some(&status.status),
        error_code: status.error_code,
        outcome,
        reason,
        ..base
    }
}

pub(super) fn report(stored: &[NewEvent<'_>]) {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for event in stored {
        *counts.entry((event.kind.as_str(), event.outcome.as_str())).or_default() += 1;
    }
    for ((kind, outcome), count) in counts {
        metrics::counter!("webhooks_stored_total", "kind" => kind, "outcome" => outcome).increment(count);
    }
}

/// Twilio says that the person opted out there, or blocked us: as good as a STOP.
pub(super) async fn record_opt_out(
    engine: &Engine,
    status: &StatusIn,
    came_at: Timestamp,
    now: Timestamp,
) -> store::Result<()> {
    let failed = matches!(state(status), Some(State::Failed | State::Undelivered));
    let codes = engine.error_codes().current();
    let Some(code) = status.error_code.filter(|code| failed && codes.class(*code, false) == Class::OptOut) else {
        return Ok(());
    };
    let tx = engine.db().begin_ingest().await?;
    // A repeat of an old callback must not undo a later START.
    let Some(id) = store::receipts::newly_failed(&tx, named(status), &status.status, code).await? else {
        return Ok(());
    };
    let Some(person) = store::contacts::by_ids(&tx, &[id]).await?.pop() else { return Ok(()) };
    if person.contact.consent == Consent::OptedOut && person.contact.suppressed {
        return Ok(());
    }
    // Nor may one that was claimed late.
    let since = person.contact.consent_changed_at;
    if person.contact.consent == Consent::OptedIn && since.is_some_and(|at| at > came_at) {
        return Ok(());
    }
    let reference = format!("{} {code}", status.sid);
    let event = opt_out_by_provider(&engine.config().keys, id, &person.contact.phone, reference);
    store::consent::record(&tx, &provider(), now, &[event]).await?;
    tx.commit().await?;
    engine.told_opt_outs([id]);
    Ok(())
}
