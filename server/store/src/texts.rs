//! Texts of messages, both ways: they lie apart from the messages, so that they can go while the messages stay.

use domain::time::Timestamp;
use serde::Serialize;

use crate::{
    Db, Kind, Result, all,
    batch::{self, Type, to_json},
    exec,
};

/// Which texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// What was sent.
    Messages,
    /// What people wrote.
    Inbound,
}

/// What became of a piece of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub removed: i64,
    /// Where the next piece begins; none when the texts from here on are young enough to stay.
    pub next: Option<i64>,
}

#[derive(Serialize)]
struct Old {
    id: i64,
}

/// Looks through up to `limit` texts behind `after`, the oldest first, and removes those of before `before` that nobody needs
/// any more.
///
/// # Errors
/// What the database says.
pub async fn forget(db: &Db, texts: Texts, before: Timestamp, after: i64, limit: u32) -> Result<Piece> {
    let (table, id, query) = match texts {
        Texts::Messages => (
            "message_texts",
            "message_id",
            "SELECT t.message_id AS id, m.created_at AS at, m.open IS NOT NULL AS needed FROM message_texts t \
             JOIN messages m ON m.id = t.message_id WHERE t.message_id > $1 ORDER BY t.message_id LIMIT $2",
        ),
        Texts::Inbound => (
            "inbound_texts",
            "inbound_id",
            "SELECT t.inbound_id AS id, i.received_at AS at, COALESCE(c.review_since IS NOT NULL, FALSE) AS needed \
             FROM inbound_texts t JOIN inbound_messages i ON i.id = t.inbound_id \
             LEFT JOIN contacts c ON c.contact_id = i.contact_id WHERE t.inbound_id > $1 ORDER BY t.inbound_id LIMIT $2",
        ),
    };
    let rows = all(db.reader(), query, vec![after.into(), i64::from(limit).into()]).await?;
    let (mut old, mut last, mut young) = (Vec::new(), None, false);
    for row in &rows {
        let id: i64 = row.get("id")?;
        let is_old = row.get::<i64>("at")? < before.as_micros();
        young |= !is_old;
        last = Some(id);
        if is_old && !row.get::<bool>("needed")? {
            old.push(Old { id });
        }
    }
    // Ids rise with time, or nearly so: what is behind a whole piece of young ones is young.
    let next = last.filter(|_| !young);
    if old.is_empty() {
        return Ok(Piece { removed: 0, next });
    }
    let batch = batch::table(Kind::of(db.writer()), "b", "$1", &[("id", Type::BigInt)]);
    let delete = format!("DELETE FROM {table} WHERE {id} IN (SELECT b.id FROM {batch})");
    let removed = exec(db.writer(), delete, vec![to_json(&old)?.into()]).await?;
    Ok(Piece { removed: i64::try_from(removed).unwrap_or(i64::MAX), next })
}
