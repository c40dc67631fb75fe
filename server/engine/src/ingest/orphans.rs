//! Callbacks that nobody claimed when they came. One that does not bring our id, because a proxy dropped it from the address,
//! may be here before the answer that binds its SID, or the process died that would have written it. Once the SID is known
//! they count like any other: the message rises, and a receipt says so.

use std::{collections::BTreeSet, time::Duration};

use domain::{ids::WebhookEventId, message::State, time::Timestamp};
use store::{
    messages::{Claimable, ReceiptIn, ReceiptOut},
    receipts::Named,
};
use tokio_util::sync::CancellationToken;

use super::{event::StatusIn, status};
use crate::{Engine, Error, Result, retry::retrying};

/// How often they are looked for: where there are none, that costs nothing.
const EVERY: Duration = Duration::from_secs(2);

/// An orphan that is older is nobody's for good: whoever knows its message by now has asked how it stands.
const AGE: i64 = 6 * Timestamp::HOUR;

/// So many are looked at together.
const PAGE: u32 = 1_000;

/// Among them more may be stored meanwhile.
const MOST: u32 = 2 * PAGE;

/// Callbacks of somebody else's messages may be many, and a look must stay cheap: it goes through so many pages of the newest.
const NEWEST: usize = 5;

/// And through as many from where the look before it ended, so that each orphan has its turn.
const OLDER: usize = 5;

/// Claims until told to stop.
pub async fn run(engine: Engine, stop: CancellationToken) {
    let mut ended = None;
    while !stop.is_cancelled() {
        if let Err(error) = look(&engine, &mut ended).await {
            tracing::warn!(%error, "callbacks that nobody claimed could not be looked at; trying again");
        }
        let _ = tokio::time::timeout(EVERY, stop.cancelled()).await;
    }
}

/// One look, page by page. `ended`: where the look before it did, unless it went through all.
///
/// # Errors
/// What the database says; the next look tries again.
async fn look(engine: &Engine, ended: &mut Option<WebhookEventId>) -> Result<()> {
    let since = engine.now().plus(-AGE);
    let mut before = WebhookEventId(i64::MAX);
    for page in 0..NEWEST + OLDER {
        if page == NEWEST {
            before = ended.map_or(before, |ended| ended.min(before));
        }
        let end = store::messages::end_of_orphans(engine.db().reader(), before, PAGE).await?;
        let first = end.map_or(WebhookEventId(i64::MIN), |(first, _)| first);
        if let Err(error) = claim(engine, since, (first, before)).await {
            // The other pages must not suffer for it.
            tracing::warn!(%error, "callbacks that nobody claimed could not be claimed; trying again");
        }
        // Ids rise with time.
        if end.is_none_or(|(_, came_at)| came_at < since) {
            *ended = None;
            return Ok(());
        }
        before = first;
    }
    *ended = Some(before);
    Ok(())
}

/// Claims what can be claimed of the orphans from one id up to another.
async fn claim(engine: &Engine, since: Timestamp, range: (WebhookEventId, WebhookEventId)) -> Result<()> {
    let found = store::messages::claimable(engine.db().reader(), since, range, MOST).await?;
    if found.is_empty() {
        return Ok(());
    }
    let receipts: Vec<ReceiptIn> = found.iter().map(|orphan| orphan.receipt.clone()).collect();
    // First, and apart, as where callbacks come in.
    for receipt in &receipts {
        status::record_opt_out(engine, &as_status(receipt), receipt.received_at, engine.now()).await?;
    }
    let Some(outs) = retrying!(write(engine, since, &found, &receipts).await)? else { return Ok(()) };
    tracing::info!(callbacks = outs.len(), "callbacks that nobody had claimed are their messages' now");
    status::count_twice(&outs);
    status::hear(engine, &receipts, &outs, engine.now());
    status::open_breakers(engine, &receipts, &outs).await;
    status::slow_down(engine, &receipts, &outs).await;
    status::stop_runs(engine, &receipts, &outs).await;
    Ok(())
}

/// What they did; nothing when another process claims them at the same time, which would count them twice.
async fn write(
    engine: &Engine,
    since: Timestamp,
    found: &[Claimable],
    receipts: &[ReceiptIn],
) -> Result<Option<Vec<ReceiptOut>>> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    let read = receipts.iter().filter(|receipt| receipt.state == Some(State::Read));
    let read: Vec<Named<'_>> = read
        .map(|receipt| Named { message_id: receipt.message_id, provider_sid: receipt.provider_sid.as_str() })
        .collect();
    store::receipts::touch_read(&tx, &read, now).await?;
    let planned = store::messages::plan_receipts(&tx, now, receipts).await?;
    // The messages are locked: whoever was quicker has written the receipts by now.
    let events: Vec<WebhookEventId> = found.iter().map(|orphan| orphan.event).collect();
    let first = events.iter().min().copied().unwrap_or(WebhookEventId(i64::MIN));
    let last = events.iter().max().copied().unwrap_or(first);
    let still = store::messages::claimable(&tx, since, (first, WebhookEventId(last.0.saturating_add(1))), MOST).await?;
    let still: BTreeSet<WebhookEventId> = still.iter().map(|orphan| orphan.event).collect();
    if !events.iter().all(|event| still.contains(event)) {
        return Ok(None);
    }
    store::messages::write_receipts(&tx, now, receipts, &planned, &events).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok::<_, Error>(Some(planned.outs))
}

fn as_status(receipt: &ReceiptIn) -> StatusIn {
    StatusIn {
        message_id: receipt.message_id,
        attempt: None,
        sid: receipt.provider_sid.clone(),
        status: receipt.status.clone(),
        error_code: receipt.error_code,
    }
}
