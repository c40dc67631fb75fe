//! The keys that sealed parts are sealed with, themselves sealed with `ENCRYPTION_KEY`. Destroying a key erases what it
//! sealed, also where the rows can no longer be changed.

use domain::{ids::ContactId, time::Timestamp};

use crate::{ConnectionTrait, Result, Tx, exec, one};

/// A contact's wrapped key, if it has one yet.
///
/// # Errors
/// What the database says.
pub async fn of_contact(db: &impl ConnectionTrait, id: ContactId) -> Result<Option<Vec<u8>>> {
    let row = one(db, "SELECT wrapped FROM contact_keys WHERE contact_id = $1", vec![id.0.into()]).await?;
    row.map(|row| row.get("wrapped")).transpose()
}

/// Stores a contact's wrapped key unless it has one, and returns the one it has.
///
/// # Errors
/// What the database says.
pub async fn ensure_contact(tx: &Tx, id: ContactId, wrapped: Vec<u8>, at: Timestamp) -> Result<Vec<u8>> {
    let insert = "INSERT INTO contact_keys (contact_id, wrapped, created_at) VALUES ($1, $2, $3) \
                  ON CONFLICT (contact_id) DO NOTHING";
    let inserted = exec(tx, insert, vec![id.0.into(), wrapped.clone().into(), at.as_micros().into()]).await?;
    if inserted == 1 {
        return Ok(wrapped);
    }
    of_contact(tx, id).await?.ok_or(crate::Error::NotFound)
}

/// The wrapped key of a period's raw webhooks, if it has one yet.
///
/// # Errors
/// What the database says.
pub async fn of_period(db: &impl ConnectionTrait, period: i32) -> Result<Option<Vec<u8>>> {
    let row = one(db, "SELECT wrapped FROM period_keys WHERE period = $1", vec![period.into()]).await?;
    row.map(|row| row.get("wrapped")).transpose()
}

/// Stores a period's wrapped key unless it has one, and returns the one it has.
///
/// # Errors
/// What the database says.
pub async fn ensure_period(tx: &Tx, period: i32, wrapped: Vec<u8>) -> Result<Vec<u8>> {
    let insert = "INSERT INTO period_keys (period, wrapped) VALUES ($1, $2) ON CONFLICT (period) DO NOTHING";
    let inserted = exec(tx, insert, vec![period.into(), wrapped.clone().into()]).await?;
    if inserted == 1 {
        return Ok(wrapped);
    }
    of_period(tx, period).await?.ok_or(crate::Error::NotFound)
}
