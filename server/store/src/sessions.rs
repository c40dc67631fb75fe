//! Browser sessions. The id is whatever the session layer hands over; give a hash of it, so that a copy of the database
//! opens no session.

use domain::{ids::AccountId, time::Timestamp};

use crate::{ConnectionTrait, Db, Result, exec, one};

/// A stored session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: String,
    /// Who is logged in.
    pub account_id: Option<AccountId>,
    pub data: String,
    pub expires_at: Timestamp,
}

/// Stores a new session.
///
/// # Errors
/// `Duplicate` when the id is taken: draw another one.
pub async fn create(db: &Db, session: &Session) -> Result<()> {
    let insert = "INSERT INTO sessions (id, account_id, data, expires_at) VALUES ($1, $2, $3, $4)";
    exec(db.writer(), insert, values(session)).await?;
    Ok(())
}

/// Forgets all but the newest of what an account has under ids that begin so.
///
/// # Errors
/// What the database says.
pub async fn keep_newest(db: &Db, account: AccountId, beginning: &str, count: u32) -> Result<()> {
    let delete = "DELETE FROM sessions WHERE account_id = $1 AND id LIKE $2 AND id NOT IN (SELECT id FROM sessions \
                  WHERE account_id = $1 AND id LIKE $2 ORDER BY expires_at DESC, id LIMIT $3)";
    exec(db.writer(), delete, vec![account.0.into(), format!("{beginning}%").into(), i64::from(count).into()]).await?;
    Ok(())
}

/// Stores a session, new or not.
///
/// # Errors
/// What the database says.
pub async fn save(db: &Db, session: &Session) -> Result<()> {
    let upsert = "INSERT INTO sessions (id, account_id, data, expires_at) VALUES ($1, $2, $3, $4) \
                  ON CONFLICT (id) DO UPDATE SET account_id = EXCLUDED.account_id, data = EXCLUDED.data, \
                  expires_at = EXCLUDED.expires_at";
    exec(db.writer(), upsert, values(session)).await?;
    Ok(())
}

fn values(session: &Session) -> Vec<sea_orm::Value> {
    vec![
        session.id.clone().into(),
        session.account_id.map(|id| id.0).into(),
        session.data.clone().into(),
        session.expires_at.as_micros().into(),
    ]
}

/// The session with this id, unless it has expired.
///
/// # Errors
/// What the database says.
pub async fn load(db: &Db, id: &str, now: Timestamp) -> Result<Option<Session>> {
    let query = "SELECT id, account_id, data, expires_at FROM sessions WHERE id = $1 AND expires_at > $2";
    let Some(row) = one(db.reader(), query, vec![id.into(), now.as_micros().into()]).await? else { return Ok(None) };
    Ok(Some(Session {
        id: row.get("id")?,
        account_id: row.get::<Option<_>>("account_id")?.map(AccountId),
        data: row.get("data")?,
        expires_at: Timestamp::from_micros(row.get("expires_at")?),
    }))
}

/// Ends a session.
///
/// # Errors
/// What the database says.
pub async fn delete(db: &Db, id: &str) -> Result<()> {
    exec(db.writer(), "DELETE FROM sessions WHERE id = $1", vec![id.into()]).await?;
    Ok(())
}

/// Ends all sessions of an account. Returns how many.
///
/// # Errors
/// What the database says.
pub async fn delete_of(db: &impl ConnectionTrait, account: AccountId) -> Result<u64> {
    exec(db, "DELETE FROM sessions WHERE account_id = $1", vec![account.0.into()]).await
}

/// Forgets expired sessions. Returns how many.
///
/// # Errors
/// What the database says.
pub async fn purge(db: &Db, now: Timestamp) -> Result<u64> {
    exec(db.writer(), "DELETE FROM sessions WHERE expires_at <= $1", vec![now.as_micros().into()]).await
}
