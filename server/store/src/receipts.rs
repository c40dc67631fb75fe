//! What callbacks say of people rather than of messages: who reads, and who is to be known by a message. Receipts
//! themselves are written with the messages they move (see [`crate::messages::plan_receipts`]).

use domain::{
    ids::{ContactId, MessageId},
    message::State,
    time::Timestamp,
};
use sea_orm::Value;

use crate::{
    Kind, Result, Tx,
    batch::{Columns, Type, column, nullable},
    callbacks::MAY_BE_GONE,
    exec, one,
};

/// Which message a callback speaks of: by its id, else, or when that is none of ours, by its SID.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    pub message_id: Option<MessageId>,
    pub provider_sid: &'a str,
}

/// The person behind a failure that no callback told of before. Of a message that is settled, and whose callbacks may be gone,
/// nobody can tell: it is taken for a repeat.
///
/// # Errors
/// What the database says.
pub async fn newly_failed(tx: &Tx, callback: Named<'_>, status: &str, error_code: i32) -> Result<Option<ContactId>> {
    let new = format!(
        " AND NOT EXISTS (SELECT 1 FROM receipts r WHERE r.message_id = m.id AND r.provider_sid = b.sid \
         AND r.status = $1 AND r.error_code = $2) AND NOT (m.state > {} AND {MAY_BE_GONE})",
        State::Sent.rank()
    );
    let mut values = vec![status.into(), error_code.into()];
    let query = people_of(Kind::of(tx), &[callback], &new, &mut values)?;
    let row = one(tx, query, values).await?;
    row.map(|row| row.get("contact_id").map(ContactId)).transpose()
}

/// Remembers that these people read something now, where the callback is the first that says so of its message.
///
/// # Errors
/// What the database says.
pub async fn touch_read(tx: &Tx, callbacks: &[Named<'_>], at: Timestamp) -> Result<()> {
    if callbacks.is_empty() {
        return Ok(());
    }
    let condition = format!(
        " AND m.state < {} AND EXISTS (SELECT 1 FROM contacts c WHERE c.contact_id = m.contact_id)",
        State::Read.rank()
    );
    // In the order in which everybody locks people.
    let mut values = vec![at.as_micros().into()];
    let upsert = format!(
        "INSERT INTO contact_reads (contact_id, last_read_at) \
         SELECT p.contact_id, CAST($1 AS bigint) FROM ({}) AS p WHERE TRUE GROUP BY p.contact_id ORDER BY p.contact_id \
         ON CONFLICT (contact_id) DO UPDATE SET last_read_at = excluded.last_read_at \
         WHERE contact_reads.last_read_at < excluded.last_read_at",
        people_of(Kind::of(tx), callbacks, &condition, &mut values)?
    );
    exec(tx, upsert, values).await?;
    Ok(())
}

/// The contacts of these messages, found by id, or by SID where a callback has no id, or one that is not ours.
fn people_of(kind: Kind, callbacks: &[Named<'_>], condition: &str, values: &mut Vec<Value>) -> Result<String> {
    let mut batch = Columns::new(kind, [nullable("id", Type::BigInt), column("sid", Type::Text)]);
    for callback in callbacks {
        batch.push([callback.message_id.map(|id| id.0).into(), callback.provider_sid.into()]);
    }
    Ok(format!(
        "SELECT m.contact_id FROM {} CROSS JOIN messages m \
         WHERE m.id = COALESCE((SELECT n.id FROM messages n WHERE n.id = b.id), \
         (SELECT o.id FROM messages o WHERE o.provider_sid = b.sid)){condition}",
        batch.table("b", values)?
    ))
}
