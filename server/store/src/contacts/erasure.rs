use domain::{consent::Consent, contact::Erasure, message::State};

use super::Stored;
use crate::{ConnectionTrait, Error, Result, one};

/// What [`super::delete`] would take away, where raw webhooks are kept for so many days.
///
/// # Errors
/// What the database says.
pub async fn erasure(db: &impl ConnectionTrait, stored: &Stored, raw_webhook_days: i32) -> Result<Erasure> {
    let query = "SELECT \
         (SELECT count(*) FROM messages m JOIN message_texts t ON t.message_id = m.id WHERE m.contact_id = $1) AS message_texts, \
         (SELECT count(*) FROM inbound_messages i JOIN inbound_texts t ON t.inbound_id = i.id WHERE i.contact_id = $1) AS inbound_texts, \
         (SELECT count(*) FROM subscriptions WHERE contact_id = $1) AS subscriptions, \
         (SELECT count(*) FROM messages WHERE contact_id = $1 AND state = $2) AS queued, \
         (SELECT count(*) FROM consent_ledger WHERE contact_id = $1) AS consent_lines";
    let values = vec![stored.id.0.into(), State::Queued.rank().into()];
    let row = one(db, query, values).await?.ok_or(Error::NotFound)?;
    Ok(Erasure {
        message_texts: row.get("message_texts")?,
        inbound_texts: row.get("inbound_texts")?,
        subscriptions: row.get("subscriptions")?,
        queued: row.get("queued")?,
        consent_lines: row.get("consent_lines")?,
        keeps_suppression: has_objected(db, stored).await?,
        raw_webhook_days,
    })
}

/// Whether this person opted out, left a topic by an act of their own, or wrote what may have been an opt-out and nobody has
/// decided: what must outlast their erasure, or the next import would take it back.
///
/// # Errors
/// What the database says.
pub async fn has_objected(db: &impl ConnectionTrait, stored: &Stored) -> Result<bool> {
    if stored.contact.consent == Consent::OptedOut || stored.contact.suppressed {
        return Ok(true);
    }
    let query = "SELECT EXISTS (SELECT 1 FROM consent_reviews r WHERE r.contact_id = $1 AND r.decided_at IS NULL) \
                 OR EXISTS (SELECT 1 FROM subscriptions s WHERE s.contact_id = $1 AND s.state = 'unsubscribed' \
                 AND s.source IN ('keyword', 'provider', 'recipient', 'recipient_page')) AS objected";
    one(db, query, vec![stored.id.0.into()]).await?.ok_or(Error::NotFound)?.get("objected")
}
