//! Finding out what became of messages that nobody knows the outcome of.
//!
//! A request without a clear answer, and a worker that died, leave `unknown` behind. A callback settles it; else, after
//! a request's time-out and a grace, Twilio is asked for what it has for this person. What is there with the message's text
//! is adopted. What is not there twice, as long apart, was never sent and follows its campaign's rule. What stays ambiguous
//! is never sent again: it is given up after a day.

mod judge;
pub(crate) mod missed;
pub(crate) mod unfinished;

use std::{collections::BTreeSet, time::Duration};

use domain::{
    consent::Consent,
    error_codes::{Class, Codes},
    ids::{ContactId, MessageId},
    phone::Phone,
    time::Timestamp,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use store::{
    Tx,
    contacts::Stored,
    messages::{Finding, UnknownMessage, Which},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Engine, Error, Result,
    bell::Who,
    provider::Account,
    retry::{is_passing, retrying},
    sender::content_for,
    services::{
        contacts::{opt_out_by_provider, provider},
        provider_accounts,
    },
};

/// How often unknown messages are looked for, at most.
const EVERY: Duration = Duration::from_secs(5);

/// After Twilio did not answer, before it is asked again.
const PAUSE: Duration = Duration::from_secs(30);

/// Messages taken at a time, and how many of them are asked for at the same time: Twilio counts these requests with the
/// sends.
const ROUND: u32 = 100;
const AT_ONCE: usize = 4;

/// Asks until told to stop.
pub async fn run(engine: Engine, stop: CancellationToken) {
    let every = EVERY.min(engine.config().reconcile_grace / 2).max(Duration::from_millis(100));
    while !stop.is_cancelled() {
        let wait = match round(&engine, &stop).await {
            Ok(()) => every,
            Err(error) => {
                tracing::warn!(%error, "unknown messages could not be looked for; trying again");
                PAUSE.min(every * 10)
            }
        };
        let _ = tokio::time::timeout(wait, stop.cancelled()).await;
    }
}

/// Looks at everything that has waited long enough, account by account: one that does not let us in keeps no other waiting.
///
/// # Errors
/// When the database or Twilio does not answer; what was found out before is written.
async fn round(engine: &Engine, stop: &CancellationToken) -> Result<()> {
    let db = engine.db().reader();
    metrics::gauge!("messages_unknown").set(store::messages::count_unknown(db).await? as f64);
    let mut done = Ok(());
    for sid in store::senders::accounts(db).await?.into_keys() {
        if let Err(error) = round_of(engine, &sid, stop).await {
            done = Err(error);
        }
    }
    done
}

async fn round_of(engine: &Engine, sid: &str, stop: &CancellationToken) -> Result<()> {
    let db = engine.db().reader();
    let accounts = provider_accounts::current(engine).await?;
    let account = provider_accounts::find(engine, &accounts, sid);
    let account = account.as_deref();
    loop {
        let now = engine.now();
        let beyond = now.plus(judge::SKEW);
        let times = (now.plus(-micros(engine.config().wait_to_look())), beyond);
        let found = store::messages::unknown(db, sid, times, ROUND).await?;
        let all = found.len() == ROUND as usize;
        // Our clock was set back: how long ago these were handed over is not known. They are taken, so that their wait begins
        // now.
        let undated: BTreeSet<MessageId> =
            found.iter().filter(|message| message.looked_at > beyond).map(|message| message.id).collect();
        let taken = retrying!(take(engine, now, found.clone()).await)?;
        // Who was there first goes on with the next ones.
        let is_over = !all || taken.is_empty();
        let waiting: Vec<_> = taken.into_iter().filter(|message| !undated.contains(&message.id)).collect();
        let settled = stream::iter(waiting.clone())
            .map(|message| async move { settle(engine, account, &message).await })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await;
        if let Err(error) = settled {
            give_up_overdue(engine, &waiting).await?;
            return Err(error);
        }
        if is_over || stop.is_cancelled() {
            return Ok(());
        }
    }
}

/// Takes messages before they are asked for, so that several processes do not ask for the same ones.
async fn take(engine: &Engine, now: Timestamp, found: Vec<UnknownMessage>) -> Result<Vec<UnknownMessage>> {
    if found.is_empty() {
        return Ok(found);
    }
    let tx = engine.db().begin().await?;
    let taken = store::messages::take_unknown(&tx, now, found).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(taken)
}

/// Without Twilio's list nothing can be told of these, and not for ever: a run has to end. Those that were settled before
/// the list was refused are not touched.
async fn give_up_overdue(engine: &Engine, waiting: &[UnknownMessage]) -> Result<()> {
    for message in waiting {
        if judge::unclear(message, engine.now()) == Finding::GiveUp {
            conclude(engine, message, &Finding::GiveUp).await?;
        }
    }
    Ok(())
}

/// Asks for one message and writes what came of it. What is wrong with this message alone does not keep the others waiting.
///
/// # Errors
/// When the database or Twilio is not to be had.
async fn settle(engine: &Engine, account: Option<&Account>, message: &UnknownMessage) -> Result<()> {
    let finding = look(engine, account, message).await?;
    conclude(engine, message, &finding).await
}

/// Writes what was found out of one message, unless it moved meanwhile.
///
/// # Errors
/// When the database is not to be had.
async fn conclude(engine: &Engine, message: &UnknownMessage, finding: &Finding) -> Result<()> {
    let written = match retrying!(write(engine, message, finding).await) {
        Ok(written) => written,
        Err(error) if is_passing(&error) => return Err(error),
        Err(error) => {
            tracing::error!(%error, message.id = message.id.0, "what was found out cannot be written");
            false
        }
    };
    if !written {
        return Ok(());
    }
    metrics::counter!("messages_reconciled_total", "finding" => word(finding)).increment(1);
    tracing::info!(
        message.id = message.id.0,
        attempt = message.attempt,
        finding = word(finding),
        "looked for at Twilio"
    );
    if *finding == Finding::Requeue {
        engine.inner().bell.ring(Who::Senders);
    }
    Ok(())
}

async fn look(engine: &Engine, account: Option<&Account>, message: &UnknownMessage) -> Result<Finding> {
    let now = engine.now();
    // Without a number there is nobody to ask for, and nobody to send to.
    let Some(phone) = &message.phone else { return Ok(Finding::GiveUp) };
    // Without credentials nobody can be asked: nothing is concluded from that.
    let Some(account) = account else { return Ok(judge::unclear(message, now)) };
    let since = judge::look_since(message, now);
    let provider = &engine.inner().provider;
    let listed = match provider.sent_to(account, phone, message.channel, &message.from, since, now).await {
        Ok(listed) => listed,
        Err(error) if error.is_about_this_one() => {
            tracing::warn!(%error, message.id = message.id.0, "Twilio has no list for this message");
            return Ok(judge::unclear(message, now));
        }
        Err(error) => return Err(Error::Unavailable(error.to_string())),
    };
    // In this order: whichever other message of ours is there is still under way now, or its SID is written below.
    let is_another_under_way = store::messages::is_another_under_way(engine.db().reader(), message).await?;
    let sids = listed.iter().map(|listed| listed.sid.as_str());
    let bound = store::messages::bound_sids(engine.db().reader(), sids).await?;
    let free = listed.iter().filter(|listed| !bound.contains(&listed.sid)).collect::<Vec<_>>();
    let filled = if message.text.is_none() && !free.is_empty() { filled_anew(engine, message).await? } else { None };
    let finding = judge::judge(message, filled.as_deref(), &free, now);
    let may_be_the_other = is_another_under_way && matches!(finding, Finding::Found { .. });
    // Nor given up for that: the other one is under way no longer than its lease.
    Ok(if may_be_the_other { Finding::Unclear } else { finding })
}

/// The text of a message as it is filled now: a worker that died has told nobody what it had handed over.
async fn filled_anew(engine: &Engine, message: &UnknownMessage) -> Result<Option<String>> {
    let db = engine.db().reader();
    let (version, found) = if let Some(run) = message.run_id {
        let (version, topic) = store::runs::frozen(db, run).await?;
        let found = store::messages::as_if_claimed(db, run, topic, Which::These(&[message.id])).await?;
        (Some(version), found.into_iter().next())
    } else {
        let found = store::messages::single_as_if_claimed(db, message.id).await?;
        let template = found.as_ref().and_then(|found| found.template);
        (template.map(|(id, version, _)| (id, version)), found)
    };
    let (Some((id, version)), Some(found)) = (version, found) else { return Ok(None) };
    // A version that cannot be used says nothing of what was sent.
    let Ok(template) = engine.inner().templates.version(engine.db(), id, version).await else { return Ok(None) };
    Ok(content_for(engine, &template, &found).ok().map(|content| content.text))
}

async fn write(engine: &Engine, message: &UnknownMessage, finding: &Finding) -> Result<bool> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    let (sid, code) = match finding {
        Finding::Found { sid, error_code, .. } => (sid.as_str(), *error_code),
        _ => ("", None),
    };
    let told = told_opt_out(&tx, &engine.error_codes().current(), message.phone.as_ref(), code).await?;
    let written = store::messages::settle_unknown(&tx, now, message, finding).await?;
    let opted_out = match told.filter(|_| written) {
        Some(told) => told.record(engine, &tx, message.created_at, sid).await?,
        None => None,
    };
    tx.commit().await.map_err(store::Error::from)?;
    engine.told_opt_outs(opted_out);
    engine.inner().moved.add(message.run_id);
    if let Some(code) = code.filter(|_| written) {
        engine.error_codes().heard(code, None, now);
    }
    Ok::<_, Error>(written)
}

/// A person of whom the provider says that they opted out there, or blocked us.
struct ToldOptOut {
    person: Stored,
    code: i32,
}

/// The person, locked, when the code of a failed message says so. Before the message: people come first in the order in
/// which everybody locks.
async fn told_opt_out(
    tx: &Tx,
    codes: &Codes,
    phone: Option<&Phone>,
    code: Option<i32>,
) -> store::Result<Option<ToldOptOut>> {
    let (Some(phone), Some(code)) = (phone, code.filter(|code| codes.class(*code, false) == Class::OptOut)) else {
        return Ok(None);
    };
    Ok(store::contacts::lock(tx, phone).await?.map(|person| ToldOptOut { person, code }))
}

impl ToldOptOut {
    /// Records it, unless the person opted in after the message was made: they want to hear from us again.
    async fn record(self, engine: &Engine, tx: &Tx, made_at: Timestamp, sid: &str) -> Result<Option<ContactId>> {
        let Self { person: Stored { id, contact }, code } = self;
        let wants = contact.consent == Consent::OptedIn && contact.consent_changed_at.is_some_and(|at| at > made_at);
        if wants {
            return Ok(None);
        }
        let reference = format!("{sid} {code}");
        let event = opt_out_by_provider(&engine.config().keys, id, &contact.phone, reference);
        store::consent::record(tx, &provider(), engine.now(), &[event]).await?;
        Ok(Some(id))
    }
}

const fn word(finding: &Finding) -> &'static str {
    match finding {
        Finding::Found { .. } => "found",
        Finding::AbsentOnce => "absent_once",
        Finding::Requeue => "requeued",
        Finding::GiveUp => "given_up",
        Finding::Unclear => "unclear",
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 2)
}

/// How long a message may stay unclear.
const GIVE_UP: i64 = 24 * 60 * Timestamp::MINUTE;
