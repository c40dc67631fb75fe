//! The circuit breaker of a sender.
//!
//! A code that is the account's or the sender's own fault would meet everybody who is still to come: it opens the breaker,
//! which pauses all runs of the sender with the reason. After a while one message tries again, alone (half open). When it
//! gets through, the breaker closes and those runs go on by themselves; when it does not, the next one tries later.
//! A provider that gives no clear answers is such a failure, too: see `doubt`.
//!
//! The breaker is the sender's row: whoever reports a failure, looks after a probe or closes it does so under its lock, so
//! it is the same in every process.

use domain::{
    actor::Actor,
    campaign::CampaignStatus,
    error_codes::{Class, Codes, Explained, NO_CLEAR_ANSWERS},
    ids::{CampaignId, MessageId, RunId, SenderId},
    message::State,
    time::Timestamp,
};
use serde_json::json;
use store::{
    Tx,
    breaker::{Breaker, Open},
    messages::{CLOCKS_APART, Claimed, Lane, Lease},
};

use super::{Cap, caps};
use crate::{Engine, Result, bell::Who, retry::retrying};

/// Each probe in vain doubles the wait, up to this.
const LONGEST: i64 = 30 * Timestamp::MINUTE;

/// A probe that said nothing, neither yes nor no, is followed by another one after this time.
const AGAIN: i64 = Timestamp::SECOND;

/// After a code that came by callback an accepted probe is believed when nothing more was heard for so long.
const SILENCE: i64 = 10 * Timestamp::MINUTE;

/// A failure that is everybody's fault but the recipient's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub sender: SenderId,
    pub code: i32,
    pub by_callback: bool,
    /// The messages that met it.
    pub messages: Vec<MessageId>,
    /// When the latest of them was handed over.
    pub handed_over_at: Timestamp,
}

/// Why the runs of a blocked sender are paused.
fn reason(words: &Explained) -> String {
    format!(
        "{} ({}). {} One message now and then tries again; when it gets through, this goes on by itself.",
        words.meaning.trim_end_matches('.'),
        words.code,
        words.remedy
    )
}

/// Opens the sender's breaker and pauses its runs; when the fault met the message that tried, the next one tries later.
/// Nothing happens when the breaker was closed after the messages were handed over: the news is old.
///
/// # Errors
/// What the database says.
pub(crate) async fn open(engine: &Engine, fault: &Fault) -> Result<()> {
    retrying!(open_once(engine, fault).await)
}

async fn open_once(engine: &Engine, fault: &Fault) -> Result<()> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    let mut breaker = store::breaker::lock(&tx, fault.sender).await?;
    // A closing that is still to come was written by a clock that was set back since: it tells nothing.
    let is_new = fault.handed_over_at >= breaker.closed_at || breaker.closed_at.since(now) > CLOCKS_APART;
    let opens = breaker.code.is_none() && is_new;
    let in_vain = breaker.probe.is_some_and(|probe| fault.messages.contains(&probe));
    if !opens && !in_vain {
        return Ok(());
    }
    if opens {
        breaker.opened_at = Some(now);
        breaker.tries = 0;
        breaker.by_callback = fault.by_callback;
    } else {
        breaker.tries = breaker.tries.saturating_add(1);
        breaker.by_callback |= fault.by_callback;
    }
    breaker.code = Some(fault.code);
    breaker.probe = None;
    breaker.probe_at = Some(now.plus(wait(engine, breaker.tries)));
    store::breaker::save(&tx, fault.sender, &breaker).await?;
    if opens {
        let detail = json!({ "code": fault.code, "by_callback": fault.by_callback });
        audit(&tx, now, "block", ("sender", &fault.sender.to_string()), &detail).await?;
    }
    pause_runs(&tx, fault.sender, &engine.error_codes().explain(fault.code), now).await?;
    tx.commit().await.map_err(store::Error::from)?;
    // Without Twilio's own text: it may name the person's number.
    tracing::error!(sender = %fault.sender, code = fault.code, tries = breaker.tries, "nothing goes out from this sender");
    metrics::counter!("senders_blocked_total").increment(u64::from(opens));
    Ok(())
}

fn wait(engine: &Engine, tries: i32) -> i64 {
    let doublings = u32::try_from(tries).unwrap_or(0).min(20);
    first_wait(engine).saturating_mul(1 << doublings).min(longest_wait(engine))
}

fn first_wait(engine: &Engine) -> i64 {
    i64::try_from(engine.config().probe_after.as_micros()).unwrap_or(LONGEST)
}

/// So many microseconds pass at most until the next message tries.
pub(super) fn longest_wait(engine: &Engine) -> i64 {
    LONGEST.max(first_wait(engine))
}

async fn pause_runs(tx: &Tx, sender: SenderId, words: &Explained, now: Timestamp) -> Result<()> {
    for (run, campaign) in store::breaker::running(tx, sender).await? {
        store::campaigns::lock(tx, campaign).await?;
        if store::breaker::pause_run(tx, run, &reason(words)).await? {
            let from = [CampaignStatus::Running];
            store::campaigns::set_status(tx, campaign, &from, CampaignStatus::Paused, now).await?;
            let detail = json!({ "run": run.to_string(), "code": words.code });
            audit(tx, now, "pause", ("campaign", &campaign.to_string()), &detail).await?;
            tracing::error!(run.id = %run, code = words.code, "a run was paused: its sender is blocked");
        }
    }
    Ok(())
}

async fn audit(tx: &Tx, now: Timestamp, action: &str, entity: (&str, &str), detail: &serde_json::Value) -> Result<()> {
    Ok(store::audit::append(tx, &Actor::worker("sender"), now, action, entity, detail).await?)
}

/// What the message that tries has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// It is still under way.
    Nothing,
    /// The sender works.
    Works,
    /// The account's or the sender's fault still stands, or there is no clear answer.
    InVain(i32),
    /// Neither: another one has to try.
    Unclear,
}

fn shown(codes: &Codes, breaker: &Breaker, probe: Option<(State, Option<i32>)>, waited: i64) -> Shown {
    let Some((state, code)) = probe else { return Shown::Unclear };
    let fault = code.filter(|code| codes.class(*code, false) == Class::AccountWide);
    match state {
        State::Sending => Shown::Nothing,
        State::Accepted if breaker.by_callback && waited < SILENCE => Shown::Nothing,
        State::Accepted | State::Sent | State::Delivered | State::Read => Shown::Works,
        // The provider looked at the recipient or the text, so it works.
        State::Failed | State::Undelivered => fault.map_or(Shown::Works, Shown::InVain),
        State::Queued => fault.map_or(Shown::Unclear, Shown::InVain),
        // Each one that tries now may be one more of which nobody knows whether it was sent.
        State::Unknown => Shown::InVain(NO_CLEAR_ANSWERS),
        State::Skipped | State::Cancelled => Shown::Unclear,
    }
}

/// Looks after the open breakers: what their probes have shown, and that no run of theirs looks as if it ran.
///
/// # Errors
/// What the database says.
pub(super) async fn look_after(engine: &Engine) -> Result<()> {
    let now = engine.now();
    for blocked in store::breaker::open(engine.db().lookout()).await? {
        let breaker = &blocked.breaker;
        let waits = breaker.probe.is_none() && breaker.probe_at.is_some_and(|at| at > now);
        if let Some(message) = breaker.probe {
            judge(engine, &blocked, message).await?;
        } else if waits && blocked.has_running {
            retrying!(pause_new(engine, blocked.sender).await)?;
        }
    }
    Ok(())
}

/// A run was launched, or its plan completed, while its sender was blocked already.
async fn pause_new(engine: &Engine, sender: SenderId) -> Result<()> {
    let tx = engine.db().begin().await?;
    if let Some(code) = store::breaker::lock(&tx, sender).await?.code {
        pause_runs(&tx, sender, &engine.error_codes().explain(code), engine.now()).await?;
    }
    tx.commit().await.map_err(store::Error::from)?;
    Ok(())
}

async fn judge(engine: &Engine, blocked: &Open, message: MessageId) -> Result<()> {
    let (sender, breaker) = (blocked.sender, &blocked.breaker);
    let waited = breaker.probe_at.map_or(0, |at| engine.now().since(at));
    match shown(&engine.error_codes().current(), breaker, blocked.probe, waited) {
        Shown::Nothing => Ok(()),
        Shown::Works => retrying!(close(engine, sender, message).await),
        Shown::InVain(code) => {
            let (by_callback, handed_over_at) = (breaker.by_callback, breaker.closed_at);
            open(engine, &Fault { sender, code, by_callback, messages: vec![message], handed_over_at }).await
        }
        Shown::Unclear => retrying!(let_another_try(engine, sender, message).await),
    }
}

async fn let_another_try(engine: &Engine, sender: SenderId, message: MessageId) -> Result<()> {
    let tx = engine.db().begin().await?;
    let mut breaker = store::breaker::lock(&tx, sender).await?;
    if breaker.probe == Some(message) {
        breaker.probe = None;
        breaker.probe_at = Some(engine.now().plus(AGAIN));
        store::breaker::save(&tx, sender, &breaker).await?;
    }
    tx.commit().await.map_err(store::Error::from)?;
    Ok(())
}

/// The message that tried got through: the runs that were paused for the sender go on.
async fn close(engine: &Engine, sender: SenderId, message: MessageId) -> Result<()> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    let breaker = store::breaker::lock(&tx, sender).await?;
    if breaker.probe != Some(message) {
        return Ok(());
    }
    let closed = Breaker {
        code: None,
        opened_at: None,
        by_callback: false,
        probe_at: None,
        probe: None,
        tries: 0,
        closed_at: now,
    };
    store::breaker::save(&tx, sender, &closed).await?;
    let detail = json!({ "code": breaker.code, "tries": breaker.tries, "message": message.to_string() });
    audit(&tx, now, "unblock", ("sender", &sender.to_string()), &detail).await?;
    for (run, campaign) in store::breaker::paused(&tx, sender).await? {
        resume(&tx, run, campaign, now).await?;
    }
    tx.commit().await.map_err(store::Error::from)?;
    tracing::info!(%sender, "messages go out from this sender again");
    engine.inner().bell.ring(Who::Senders);
    Ok(())
}

async fn resume(tx: &Tx, run: RunId, campaign: CampaignId, now: Timestamp) -> Result<()> {
    store::campaigns::lock(tx, campaign).await?;
    if store::breaker::resume_run(tx, run).await? {
        let from = [CampaignStatus::Paused];
        store::campaigns::set_status(tx, campaign, &from, CampaignStatus::Running, now).await?;
        let detail = json!({ "run": run.to_string() });
        audit(tx, now, "resume", ("campaign", &campaign.to_string()), &detail).await?;
    }
    Ok(())
}

/// Claims up to `limit` messages of this lane, unless another one tries already. One of them may: the first, until it is
/// known which of them may go out at all ([`mark_probe`]).
///
/// # Errors
/// What the database says.
pub(super) async fn claim_probe(
    engine: &Engine,
    sender: SenderId,
    (lane, caps): (Lane, &[Cap]),
    lease: Lease,
    limit: u32,
) -> Result<Vec<Claimed>> {
    retrying!(claim_once(engine, sender, (lane, caps), lease, limit).await)
}

async fn claim_once(
    engine: &Engine,
    sender: SenderId,
    (lane, caps): (Lane, &[Cap]),
    lease: Lease,
    limit: u32,
) -> Result<Vec<Claimed>> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    let mut breaker = store::breaker::lock(&tx, sender).await?;
    let may = breaker.code.is_some() && breaker.probe.is_none() && breaker.probe_at.is_some_and(|at| at <= now);
    if !may {
        return Ok(Vec::new());
    }
    let mut claimed = store::messages::claim_probe(&tx, now, lane, lease, limit).await?;
    caps::count(&tx, now, lease, caps, &mut claimed).await?;
    breaker.probe = claimed.first().map(|message| message.id);
    breaker.probe_at = Some(if !claimed.is_empty() { now } else { now.plus(AGAIN) });
    store::breaker::save(&tx, sender, &breaker).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(claimed)
}

/// Of what was claimed together this one tries, not the first; or none of it may go out, and the next may try at once. False
/// when the first is not the one that tries any more: then none of them may.
///
/// # Errors
/// What the database says.
pub(super) async fn mark_probe(
    engine: &Engine,
    sender: SenderId,
    first: MessageId,
    tries: Option<MessageId>,
) -> Result<bool> {
    if tries == Some(first) {
        return Ok(true);
    }
    retrying!(mark_once(engine, sender, first, tries).await)
}

async fn mark_once(engine: &Engine, sender: SenderId, first: MessageId, tries: Option<MessageId>) -> Result<bool> {
    let tx = engine.db().begin().await?;
    let mut breaker = store::breaker::lock(&tx, sender).await?;
    if breaker.probe != Some(first) {
        return Ok(false);
    }
    breaker.probe = tries;
    breaker.probe_at = Some(engine.now());
    store::breaker::save(&tx, sender, &breaker).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(true)
}

/// Somebody resumes a campaign by hand: they believe that it works, so one message tries at once.
///
/// # Errors
/// What the database says.
pub(crate) async fn try_now(tx: &Tx, sender: SenderId, now: Timestamp) -> Result<()> {
    let mut breaker = store::breaker::lock(tx, sender).await?;
    if breaker.code.is_some() && breaker.probe.is_none() {
        breaker.probe_at = Some(now);
        store::breaker::save(tx, sender, &breaker).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(by_callback: bool) -> Breaker {
        Breaker {
            code: Some(20_003),
            opened_at: Some(Timestamp::default()),
            by_callback,
            probe_at: Some(Timestamp::default()),
            probe: Some(MessageId(1)),
            tries: 0,
            closed_at: Timestamp::default(),
        }
    }

    #[test]
    fn an_accepted_probe_proves_only_what_answers_say() {
        let accepted = Some((State::Accepted, None));
        assert_eq!(shown(&Codes::default(), &open(false), accepted, 0), Shown::Works);
        assert_eq!(shown(&Codes::default(), &open(true), accepted, 0), Shown::Nothing);
        assert_eq!(shown(&Codes::default(), &open(true), accepted, SILENCE), Shown::Works);
        assert_eq!(shown(&Codes::default(), &open(true), Some((State::Sent, None)), 0), Shown::Works);
    }

    #[test]
    fn a_probe_that_fails_for_its_own_sake_shows_that_the_sender_works() {
        assert_eq!(shown(&Codes::default(), &open(false), Some((State::Failed, Some(21_211))), 0), Shown::Works);
        assert_eq!(
            shown(&Codes::default(), &open(true), Some((State::Failed, Some(30_002))), 0),
            Shown::InVain(30_002)
        );
        assert_eq!(
            shown(&Codes::default(), &open(false), Some((State::Queued, Some(20_003))), 0),
            Shown::InVain(20_003)
        );
        for unclear in [State::Queued, State::Skipped, State::Cancelled] {
            assert_eq!(shown(&Codes::default(), &open(false), Some((unclear, None)), 0), Shown::Unclear);
        }
        let unknown = Some((State::Unknown, None));
        assert_eq!(shown(&Codes::default(), &open(false), unknown, 0), Shown::InVain(NO_CLEAR_ANSWERS));
        assert_eq!(shown(&Codes::default(), &open(false), Some((State::Sending, None)), 0), Shown::Nothing);
        assert_eq!(shown(&Codes::default(), &open(false), None, 0), Shown::Unclear);
    }
}
