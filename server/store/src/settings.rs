//! Documents of settings by key: JSON text with a version.

use domain::time::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use crate::{ConnectionTrait, Error, Result, Tx, exec, one};

/// A stored document.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<T> {
    pub value: T,
    pub version: i64,
    pub updated_at: Timestamp,
}

/// The document under this key.
///
/// # Errors
/// `Corrupt` when it does not have the expected shape.
pub async fn load<T: DeserializeOwned>(db: &impl ConnectionTrait, key: &str) -> Result<Option<Stored<T>>> {
    let query = "SELECT value, version, updated_at FROM settings WHERE key = $1";
    let Some(row) = one(db, query, vec![key.into()]).await? else { return Ok(None) };
    Ok(Some(Stored {
        value: row.json("value")?,
        version: row.get("version")?,
        updated_at: Timestamp::from_micros(row.get("updated_at")?),
    }))
}

/// Stores a document in place of the one at `version` (0: there was none) and returns the new version.
///
/// # Errors
/// `Stale` when another one was stored meanwhile.
pub async fn save<T: Serialize + Sync>(tx: &Tx, key: &str, value: &T, version: i64, at: Timestamp) -> Result<i64> {
    let text = serde_json::to_string(value)
        .map_err(|error| Error::Corrupt { column: "settings.value", problem: error.to_string() })?;
    // The condition holds on the row as it is when its lock is granted: of two writers one comes too late.
    let upsert = "INSERT INTO settings (key, value, version, updated_at) VALUES ($1, $2, $3 + 1, $4) \
                  ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value, version = EXCLUDED.version, \
                  updated_at = EXCLUDED.updated_at WHERE settings.version = EXCLUDED.version - 1";
    let values = vec![key.into(), text.into(), version.into(), at.as_micros().into()];
    if exec(tx, upsert, values).await? == 1 { Ok(version + 1) } else { Err(Error::Stale) }
}
