//! Callbacks that nobody claimed when they came. One that does not bring our id, because a proxy dropped it from the address,
//! may be here before the answer that binds its SID, or the process died that would have written it. Once the SID is known
//! they count like any other: the message rises, and a receipt says so.

use std::time::Duration;

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

/// The newest so many are looked at: callbacks of somebody else's messages may be many.
const NEWEST: u32 = 1_000;

/// Claims until told to stop.
pub async fn run(engine: Engine, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = claim(&engine).await {
            tracing::warn!(%error, "callbacks that nobody claimed could not be looked at; trying again");
        }
        let _ = tokio::time::timeout(EVERY, stop.cancelled()).await;
    }
}

/// One round. Returns how many callbacks were claimed.
///
/// # Errors
/// What the database says; the next round tries again.
async fn claim(engine: &Engine) -> Result<usize> {
    let since = engine.now().plus(-AGE);
    let found = store::messages::claimable(engine.db().reader(), since, NEWEST).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let receipts: Vec<ReceiptIn> = found.iter().map(|orphan| orphan.receipt.clone()).collect();
    // First, and apart, as where callbacks come in.
    for receipt in &receipts {
        status::record_opt_out(engine, &as_status(receipt), receipt.received_at, engine.now()).await?;
    }
    let Some(outs) = retrying!(write(engine, since, &found, &receipts).await)? else { return Ok(0) };
    tracing::info!(callbacks = outs.len(), "callbacks that nobody had claimed are their messages' now");
    status::count_twice(&outs);
    status::hear(engine, &receipts, &outs, engine.now());
    status::open_breakers(engine, &receipts, &outs).await;
    status::slow_down(engine, &receipts, &outs).await;
    status::stop_runs(engine, &receipts, &outs).await;
    Ok(outs.len())
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
    let still = store::messages::claimable(&tx, since, NEWEST).await?;
    if !found.iter().all(|orphan| still.contains(orphan)) {
        return Ok(None);
    }
    let events: Vec<WebhookEventId> = found.iter().map(|orphan| orphan.event).collect();
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
