//! WhatsApp's customer service windows: one for each person and each address of ours that they wrote to.

use std::collections::BTreeMap;

use domain::{ids::ContactId, time::Timestamp};
use serde::Serialize;

use crate::{
    Kind, Result,
    batch::{Type, table, to_json},
    sql::Ready,
};

/// Somebody wrote to one of our addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wrote<'a> {
    pub contact_id: ContactId,
    pub our_address: &'a str,
    pub at: Timestamp,
}

/// Every inbound message opens its window anew.
pub(crate) fn open<'a>(kind: Kind, wrote: impl Iterator<Item = Wrote<'a>>) -> Result<Option<Ready>> {
    #[derive(Serialize)]
    struct Latest<'a> {
        contact_id: i64,
        our_address: &'a str,
        at: i64,
    }
    let mut latest = BTreeMap::new();
    for Wrote { contact_id, our_address, at } in wrote {
        let known: &mut Timestamp = latest.entry((contact_id.0, our_address)).or_default();
        *known = at.max(*known);
    }
    if latest.is_empty() {
        return Ok(None);
    }
    let rows: Vec<Latest<'_>> = latest
        .into_iter()
        .map(|((contact_id, our_address), at)| Latest { contact_id, our_address, at: at.as_micros() })
        .collect();
    let columns = [("contact_id", Type::BigInt), ("our_address", Type::Text), ("at", Type::BigInt)];
    let text = format!(
        "INSERT INTO service_windows (contact_id, our_address, last_inbound_at) \
         SELECT b.contact_id, b.our_address, b.at FROM {} WHERE TRUE ON CONFLICT (contact_id, our_address) DO UPDATE \
         SET last_inbound_at = excluded.last_inbound_at \
         WHERE service_windows.last_inbound_at < excluded.last_inbound_at",
        table(kind, "b", "$1", &columns)
    );
    Ok(Some(Ready { text, values: vec![to_json(&rows)?.into()] }))
}

/// When the person of the message `m` last wrote to its sender: a subquery, looked up row by row.
pub(crate) const OF_MESSAGE: &str = "(SELECT w.last_inbound_at FROM senders f JOIN service_windows w \
     ON w.our_address = f.address WHERE f.id = m.sender_id AND w.contact_id = m.contact_id)";
