//! People who log in, and their failed tries.

use domain::{account::Account, ids::AccountId, role::Role, time::Timestamp};

use crate::{ConnectionTrait, Error, Kind, Result, Row, Tx, all, exec, one};

const COLUMNS: &str =
    "id, email, role, password_hash, password_is_temporary, disabled, last_login_at, created_at, version";

/// An account with what is needed to check a password.
#[derive(Clone, Debug)]
pub struct Stored {
    pub account: Account,
    pub password_hash: String,
}

/// A new account's columns.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub id: AccountId,
    /// Trimmed and in lower case.
    pub email: String,
    pub role: Role,
    pub password_hash: String,
    pub password_is_temporary: bool,
}

/// Makes the account.
///
/// # Errors
/// `Duplicate` when the e-mail is taken.
pub async fn insert(tx: &Tx, new: &NewAccount, at: Timestamp) -> Result<()> {
    let insert = "INSERT INTO accounts (id, email, role, password_hash, password_is_temporary, created_at, updated_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $6)";
    let values = vec![
        new.id.0.into(),
        new.email.clone().into(),
        new.role.as_str().into(),
        new.password_hash.clone().into(),
        new.password_is_temporary.into(),
        at.as_micros().into(),
    ];
    exec(tx, insert, values).await?;
    Ok(())
}

/// The account with this e-mail (trimmed, lower case).
///
/// # Errors
/// What the database says.
pub async fn by_email(db: &impl ConnectionTrait, email: &str) -> Result<Option<Stored>> {
    let query = format!("SELECT {COLUMNS} FROM accounts WHERE email = $1");
    one(db, query, vec![email.into()]).await?.as_ref().map(stored).transpose()
}

/// The account with this id.
///
/// # Errors
/// What the database says.
pub async fn by_id(db: &impl ConnectionTrait, id: AccountId) -> Result<Option<Stored>> {
    let query = format!("SELECT {COLUMNS} FROM accounts WHERE id = $1");
    one(db, query, vec![id.0.into()]).await?.as_ref().map(stored).transpose()
}

/// All accounts, oldest first: a team, not a table of thousands.
///
/// # Errors
/// What the database says.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<Account>> {
    let query = format!("SELECT {COLUMNS} FROM accounts ORDER BY created_at, id LIMIT 1000");
    all(db, query, vec![]).await?.iter().map(|row| Ok(stored(row)?.account)).collect()
}

/// How many admins may log in.
///
/// # Errors
/// What the database says.
pub async fn count_admins(db: &impl ConnectionTrait) -> Result<i64> {
    let query = "SELECT COUNT(*) AS count FROM accounts WHERE role = $1 AND NOT disabled";
    one(db, query, vec![Role::Admin.as_str().into()]).await?.ok_or(Error::NotFound)?.get("count")
}

/// Takes the lock under which the number of admins is counted and changed, until the transaction ends: two processes
/// must not both make a first admin, nor both demote the last two.
///
/// # Errors
/// What the database says.
pub async fn lock_admins(tx: &Tx) -> Result<()> {
    // SQLite's single writer is lock enough.
    if Kind::of(tx) == Kind::Postgres {
        exec(tx, "SELECT pg_advisory_xact_lock(hashtext('accounts.admins'))", vec![]).await?;
    }
    Ok(())
}

/// Replaces the password if it still is the one with `former_hash`.
///
/// # Errors
/// `Stale` when it was changed meanwhile.
pub async fn set_password(
    tx: &Tx,
    id: AccountId,
    former_hash: &str,
    new_hash: &str,
    temporary: bool,
    at: Timestamp,
) -> Result<()> {
    let update = "UPDATE accounts SET password_hash = $1, password_is_temporary = $2, updated_at = $3, \
                  version = version + 1 WHERE id = $4 AND password_hash = $5";
    let values = vec![new_hash.into(), temporary.into(), at.as_micros().into(), id.0.into(), former_hash.into()];
    if exec(tx, update, values).await? == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Changes role and whether the account may log in.
///
/// # Errors
/// `Stale` when it is no longer at `version`.
pub async fn update(tx: &Tx, id: AccountId, version: i64, role: Role, disabled: bool, at: Timestamp) -> Result<()> {
    let update = "UPDATE accounts SET role = $1, disabled = $2, updated_at = $3, version = version + 1 \
                  WHERE id = $4 AND version = $5";
    let values = vec![role.as_str().into(), disabled.into(), at.as_micros().into(), id.0.into(), version.into()];
    if exec(tx, update, values).await? == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Notes a login.
///
/// # Errors
/// `NotFound` when the account is gone.
pub async fn logged_in(tx: &Tx, id: AccountId, at: Timestamp) -> Result<()> {
    let update = "UPDATE accounts SET last_login_at = $1 WHERE id = $2";
    if exec(tx, update, vec![at.as_micros().into(), id.0.into()]).await? == 1 { Ok(()) } else { Err(Error::NotFound) }
}

fn stored(row: &Row) -> Result<Stored> {
    Ok(Stored {
        password_hash: row.get("password_hash")?,
        account: Account {
            id: AccountId(row.get("id")?),
            email: row.get("email")?,
            role: row.word("role")?,
            password_is_temporary: row.get("password_is_temporary")?,
            disabled: row.get("disabled")?,
            last_login_at: row.get::<Option<i64>>("last_login_at")?.map(Timestamp::from_micros),
            created_at: Timestamp::from_micros(row.get("created_at")?),
            version: row.get("version")?,
        },
    })
}

/// Tries that have not succeeded, of one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    pub count: i32,
    pub last_at: Timestamp,
}

/// The subject's tries, locked until the transaction ends.
///
/// # Errors
/// What the database says.
pub async fn lock_tries(tx: &Tx, subject: &str) -> Result<Tries> {
    // An update that changes nothing locks the row on PostgreSQL.
    let upsert = "INSERT INTO login_failures (subject, count, last_at) VALUES ($1, 0, 0) \
                  ON CONFLICT (subject) DO UPDATE SET count = login_failures.count RETURNING count, last_at";
    let row = one(tx, upsert, vec![subject.into()]).await?.ok_or(Error::NotFound)?;
    Ok(Tries { count: row.get("count")?, last_at: Timestamp::from_micros(row.get("last_at")?) })
}

/// Stores the subject's tries.
///
/// # Errors
/// What the database says.
pub async fn set_tries(tx: &Tx, subject: &str, tries: Tries) -> Result<()> {
    let update = "UPDATE login_failures SET count = $1, last_at = $2 WHERE subject = $3";
    exec(tx, update, vec![tries.count.into(), tries.last_at.as_micros().into(), subject.into()]).await?;
    Ok(())
}

/// Takes back one try of the subject: it succeeded.
///
/// # Errors
/// What the database says.
pub async fn forgive_try(tx: &Tx, subject: &str) -> Result<()> {
    let update = "UPDATE login_failures SET count = count - 1 WHERE subject = $1 AND count > 0";
    exec(tx, update, vec![subject.into()]).await?;
    Ok(())
}

/// Forgets the subject's tries.
///
/// # Errors
/// What the database says.
pub async fn forget_tries(tx: &Tx, subject: &str) -> Result<()> {
    exec(tx, "DELETE FROM login_failures WHERE subject = $1", vec![subject.into()]).await?;
    Ok(())
}

/// Forgets all tries that ended before `before`. Returns how many subjects.
///
/// # Errors
/// What the database says.
pub async fn purge_tries(db: &impl ConnectionTrait, before: Timestamp) -> Result<u64> {
    exec(db, "DELETE FROM login_failures WHERE last_at < $1", vec![before.as_micros().into()]).await
}
