//! Callbacks that belonged to no message when they came: without our id, and before the answer that binds their SID.

use domain::{
    ids::{MessageId, WebhookEventId},
    message::State,
    time::Timestamp,
};

use super::ReceiptIn;
use crate::{ConnectionTrait, Result, Row, all, one};

/// An orphan whose message is known by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimable {
    pub event: WebhookEventId,
    /// With the message's id.
    pub receipt: ReceiptIn,
}

/// Orphans, whosever they are: in the very words of the index.
const ORPHANS: &str = "e.outcome IN ('orphan', 'unprocessable') AND e.outcome = 'orphan'";

/// The last one of the `count` newest orphans before `before`, and when it came; none where there are fewer.
///
/// # Errors
/// What the database says.
pub async fn end_of_orphans(
    db: &impl ConnectionTrait,
    before: WebhookEventId,
    count: u32,
) -> Result<Option<(WebhookEventId, Timestamp)>> {
    let query = format!(
        "SELECT e.id, e.received_at FROM webhook_events e WHERE {ORPHANS} AND e.id < $1 ORDER BY e.id DESC \
         LIMIT 1 OFFSET {}",
        count.saturating_sub(1)
    );
    let Some(row) = one(db, query, vec![before.0.into()]).await? else { return Ok(None) };
    Ok(Some((WebhookEventId(row.get("id")?), Timestamp::from_micros(row.get("received_at")?))))
}

/// Those from `first` up to `before` that came at `since` or later, and have no receipt yet; in the order in which they came.
/// The `most` newest orphans of that range are looked at.
///
/// # Errors
/// What the database says.
pub async fn claimable(
    db: &impl ConnectionTrait,
    since: Timestamp,
    (first, before): (WebhookEventId, WebhookEventId),
    most: u32,
) -> Result<Vec<Claimable>> {
    let query = format!(
        "SELECT o.id, o.provider_sid, o.status, o.error_code, o.received_at, m.id AS message_id FROM \
         (SELECT e.id, e.provider_sid, e.status, e.error_code, e.received_at FROM webhook_events e \
         WHERE {ORPHANS} AND e.id >= $2 AND e.id < $3 ORDER BY e.id DESC LIMIT {most}) AS o \
         JOIN messages m ON m.provider_sid = o.provider_sid WHERE o.received_at >= $1 AND o.status IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM receipts r WHERE r.message_id = m.id AND r.provider_sid = o.provider_sid \
         AND r.status = o.status AND r.error_code = COALESCE(o.error_code, 0)) ORDER BY o.id"
    );
    let values = vec![since.as_micros().into(), first.0.into(), before.0.into()];
    all(db, query, values).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Claimable> {
    let status: String = row.get("status")?;
    let receipt = ReceiptIn {
        message_id: Some(MessageId(row.get("message_id")?)),
        provider_sid: row.get("provider_sid")?,
        state: State::from_twilio(&status),
        status,
        error_code: row.get("error_code")?,
        received_at: Timestamp::from_micros(row.get("received_at")?),
    };
    Ok(Claimable { event: WebhookEventId(row.get("id")?), receipt })
}
