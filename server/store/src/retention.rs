//! Removing what has served its time from tables that refuse it otherwise: their triggers look for a permit, which is there
//! as long as the transaction that removes.

use domain::time::Timestamp;
use sea_orm::Value;

use crate::{Result, Tx, exec, one};

/// What an opened permit is good for: one statement that deletes.
pub(crate) struct Removal<'a> {
    pub at: Timestamp,
    /// For whoever finds the permit, should anybody ever see it.
    pub reason: &'a str,
    pub statement: String,
    pub values: Vec<Value>,
}

/// Deletes under a permit that nobody else ever sees, and that is gone afterwards. Returns how many rows went.
///
/// # Errors
/// What the database says.
pub(crate) async fn remove(tx: &Tx, removal: Removal<'_>) -> Result<u64> {
    let open = "INSERT INTO retention_permits (opened_at, reason) VALUES ($1, $2) RETURNING id";
    let values = vec![removal.at.as_micros().into(), removal.reason.into()];
    let permit: i64 = one(tx, open, values).await?.ok_or(crate::Error::NotFound)?.get("id")?;
    let removed = exec(tx, removal.statement, removal.values).await?;
    exec(tx, "DELETE FROM retention_permits WHERE id = $1", vec![permit.into()]).await?;
    Ok(removed)
}
