//! Texts of messages, both ways: they lie apart from the messages, so that they can go while the messages stay.

use domain::time::Timestamp;
use serde::Serialize;

use crate::{
    ConnectionTrait, Kind, Result, Tx, all,
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

impl Texts {
    const fn table(self) -> (&'static str, &'static str) {
        match self {
            Self::Messages => ("message_texts", "message_id"),
            Self::Inbound => ("inbound_texts", "inbound_id"),
        }
    }
}

/// What a piece of them holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The ids of those that nobody needs any more.
    pub old: Vec<i64>,
    /// Where the next piece begins; none when the texts from here on are young enough to stay.
    pub next: Option<i64>,
}

#[derive(Serialize)]
struct Old {
    id: i64,
}

/// Looks through up to `limit` texts behind `after`, the oldest first, for those of before `before` that nobody needs any
/// more.
///
/// # Errors
/// What the database says.
pub async fn look(db: &impl ConnectionTrait, texts: Texts, before: Timestamp, after: i64, limit: u32) -> Result<Piece> {
    let query = match texts {
        Texts::Messages => {
            "SELECT t.message_id AS id, m.created_at AS at, m.open IS NOT NULL AS needed FROM message_texts t \
             JOIN messages m ON m.id = t.message_id WHERE t.message_id > $1 ORDER BY t.message_id LIMIT $2"
        }
        Texts::Inbound => {
            "SELECT t.inbound_id AS id, i.received_at AS at, COALESCE(c.review_since IS NOT NULL, FALSE) AS needed \
             FROM inbound_texts t JOIN inbound_messages i ON i.id = t.inbound_id \
             LEFT JOIN contacts c ON c.contact_id = i.contact_id WHERE t.inbound_id > $1 ORDER BY t.inbound_id LIMIT $2"
        }
    };
    let rows = all(db, query, vec![after.into(), i64::from(limit).into()]).await?;
    let (mut old, mut last, mut young) = (Vec::new(), None, false);
    for row in &rows {
        let id: i64 = row.get("id")?;
        let is_old = row.get::<i64>("at")? < before.as_micros();
        young |= !is_old;
        last = Some(id);
        if is_old && !row.get::<bool>("needed")? {
            old.push(id);
        }
    }
    // Ids rise with time, or nearly so: what is behind a whole piece of young ones is young.
    Ok(Piece { old, next: last.filter(|_| !young) })
}

/// Removes these texts. Returns how many were still there.
///
/// # Errors
/// What the database says.
pub async fn remove(tx: &Tx, texts: Texts, ids: &[i64]) -> Result<u64> {
    let (table, id) = texts.table();
    let batch = batch::table(Kind::of(tx), "b", "$1", &[("id", Type::BigInt)]);
    let delete = format!("DELETE FROM {table} WHERE {id} IN (SELECT b.id FROM {batch})");
    let old: Vec<Old> = ids.iter().map(|id| Old { id: *id }).collect();
    exec(tx, delete, vec![to_json(&old)?.into()]).await
}
