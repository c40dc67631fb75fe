//! Callbacks that belonged to no message when they came: without our id, and before the answer that binds their SID.

use domain::{
    ids::{MessageId, WebhookEventId},
    message::State,
    time::Timestamp,
};

use super::ReceiptIn;
use crate::{ConnectionTrait, Result, Row, all};

/// An orphan whose message is known by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimable {
    pub event: WebhookEventId,
    /// With the message's id.
    pub receipt: ReceiptIn,
}

/// Those that came at `since` or later, are among the newest so many orphans, and have no receipt yet; in the order in which
/// they came. Where there is no orphan this looks at one index, and finds nothing.
///
/// # Errors
/// What the database says.
pub async fn claimable(db: &impl ConnectionTrait, since: Timestamp, newest: u32) -> Result<Vec<Claimable>> {
    // In the very words of the index.
    let query = format!(
        "SELECT o.id, o.provider_sid, o.status, o.error_code, o.received_at, m.id AS message_id FROM \
         (SELECT e.id, e.provider_sid, e.status, e.error_code, e.received_at FROM webhook_events e \
         WHERE e.outcome IN ('orphan', 'unprocessable') AND e.outcome = 'orphan' ORDER BY e.id DESC LIMIT {newest}) AS o \
         JOIN messages m ON m.provider_sid = o.provider_sid WHERE o.received_at >= $1 AND o.status IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM receipts r WHERE r.message_id = m.id AND r.provider_sid = o.provider_sid \
         AND r.status = o.status AND r.error_code = COALESCE(o.error_code, 0)) ORDER BY o.id"
    );
    all(db, query, vec![since.as_micros().into()]).await?.iter().map(read).collect()
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
