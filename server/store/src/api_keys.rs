//! Keys for programs. Stored is the SHA-256 of a key: 32 random bytes cannot be guessed, so the hash need not be slow.

use domain::{account::ApiKey, ids::ApiKeyId, role::Role, time::Timestamp};

use crate::{ConnectionTrait, Error, Result, Row, Tx, all, exec, one};

const COLUMNS: &str = "id, name, role, created_at, last_used_at, revoked_at";

/// Makes a key.
///
/// # Errors
/// What the database says.
pub async fn insert(tx: &Tx, id: ApiKeyId, name: &str, role: Role, hash: &[u8], by: &str, at: Timestamp) -> Result<()> {
    let insert = "INSERT INTO api_keys (id, name, role, key_hash, created_by, created_at) \
                  VALUES ($1, $2, $3, $4, $5, $6)";
    let values =
        vec![id.0.into(), name.into(), role.as_str().into(), hash.to_vec().into(), by.into(), at.as_micros().into()];
    exec(tx, insert, values).await?;
    Ok(())
}

/// The key with this hash, unless it was revoked.
///
/// # Errors
/// What the database says.
pub async fn by_hash(db: &impl ConnectionTrait, hash: &[u8]) -> Result<Option<ApiKey>> {
    let query = format!("SELECT {COLUMNS} FROM api_keys WHERE key_hash = $1 AND revoked_at IS NULL");
    one(db, query, vec![hash.to_vec().into()]).await?.as_ref().map(key).transpose()
}

/// All keys, newest first, the revoked ones included.
///
/// # Errors
/// What the database says.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<ApiKey>> {
    let query = format!("SELECT {COLUMNS} FROM api_keys ORDER BY created_at DESC, id DESC LIMIT 1000");
    all(db, query, vec![]).await?.iter().map(key).collect()
}

/// What a key is called, also one that ended.
///
/// # Errors
/// What the database says.
pub async fn name(db: &impl ConnectionTrait, id: ApiKeyId) -> Result<Option<String>> {
    one(db, "SELECT name FROM api_keys WHERE id = $1", vec![id.0.into()]).await?.map(|row| row.get("name")).transpose()
}

/// Ends a key. False when it had ended before.
///
/// # Errors
/// `NotFound` when there is no such key.
pub async fn revoke(tx: &Tx, id: ApiKeyId, at: Timestamp) -> Result<bool> {
    let update = "UPDATE api_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL";
    if exec(tx, update, vec![at.as_micros().into(), id.0.into()]).await? == 1 {
        return Ok(true);
    }
    one(tx, "SELECT id FROM api_keys WHERE id = $1", vec![id.0.into()]).await?.map(|_| false).ok_or(Error::NotFound)
}

/// Notes that a key was used, unless that was noted after `unless_since`.
///
/// # Errors
/// What the database says.
pub async fn used(db: &impl ConnectionTrait, id: ApiKeyId, at: Timestamp, unless_since: Timestamp) -> Result<()> {
    let update = "UPDATE api_keys SET last_used_at = $1 WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $3)";
    exec(db, update, vec![at.as_micros().into(), id.0.into(), unless_since.as_micros().into()]).await?;
    Ok(())
}

fn key(row: &Row) -> Result<ApiKey> {
    Ok(ApiKey {
        id: ApiKeyId(row.get("id")?),
        name: row.get("name")?,
        role: row.word("role")?,
        created_at: Timestamp::from_micros(row.get("created_at")?),
        last_used_at: row.get::<Option<i64>>("last_used_at")?.map(Timestamp::from_micros),
        revoked_at: row.get::<Option<i64>>("revoked_at")?.map(Timestamp::from_micros),
    })
}
