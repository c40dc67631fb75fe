//! Numbers that messages do not come to: known by the provider's codes, left alone by campaigns for a while, and back as soon
//! as something reaches them or they write.

use domain::{
    error_codes::is_unreachable,
    message::{Channel, State},
    time::Timestamp,
};

use super::rows::{Locked, wanted};
use crate::{Kind, Result, Tx, exec};

/// So many messages in a row may fail before a number is left alone: once may be a switched-off phone.
const FAILURES: i32 = 2;

/// Whether something reached the number of `u` since.
fn reached() -> String {
    format!(
        "(EXISTS (SELECT 1 FROM messages g JOIN senders t ON t.id = g.sender_id WHERE g.contact_id = u.contact_id \
         AND g.id > u.message_id AND t.channel = u.channel AND g.state IN ({}, {})) \
         OR EXISTS (SELECT 1 FROM inbound_messages w WHERE w.contact_id = u.contact_id AND w.channel = u.channel \
         AND w.received_at > u.last_at))",
        State::Delivered.rank(),
        State::Read.rank()
    )
}

/// Whether contact `c` is to be left alone on this channel; `since` is the parameter of the time since when failures
/// count.
pub(crate) fn left_alone(channel: Channel, since: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM unreachable u WHERE u.contact_id = c.contact_id AND u.channel = '{channel}' \
         AND u.failures >= {FAILURES} AND u.last_at > {since} AND NOT {})",
        reached()
    )
}

/// Remembers those of the changed messages that say their number cannot be reached.
pub(super) async fn note(tx: &Tx, at: Timestamp, changed: impl Iterator<Item = &Locked>) -> Result<()> {
    let failed = |row: &&Locked| matches!(row.state, State::Failed | State::Undelivered);
    let ids: Vec<i64> =
        changed.filter(failed).filter(|row| row.error_code.is_some_and(is_unreachable)).map(|row| row.id.0).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let mut values = vec![at.as_micros().into()];
    let these = wanted(Kind::of(tx), ids.into_iter(), &mut values)?;
    // A message that fails with a second code is the same failure.
    let upsert = format!(
        "INSERT INTO unreachable (contact_id, channel, failures, last_at, message_id, error_code) \
         SELECT m.contact_id, s.channel, CAST(count(*) AS integer), $1, max(m.id), max(m.error_code) FROM messages m \
         JOIN senders s ON s.id = m.sender_id WHERE m.id IN (SELECT wanted.id FROM {these}) \
         GROUP BY m.contact_id, s.channel ORDER BY m.contact_id, s.channel \
         ON CONFLICT (contact_id, channel) DO UPDATE SET failures = CASE \
         WHEN unreachable.message_id >= excluded.message_id THEN unreachable.failures \
         WHEN EXISTS (SELECT 1 FROM unreachable u WHERE u.contact_id = excluded.contact_id \
         AND u.channel = excluded.channel AND {reached}) THEN excluded.failures \
         ELSE unreachable.failures + excluded.failures END, last_at = excluded.last_at, \
         message_id = CASE WHEN unreachable.message_id >= excluded.message_id THEN unreachable.message_id \
         ELSE excluded.message_id END, error_code = excluded.error_code",
        reached = reached()
    );
    exec(tx, upsert, values).await?;
    Ok(())
}
