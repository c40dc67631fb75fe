//! Accounts at the provider besides the environment's own. Their credentials are sealed before they come here.

use domain::time::Timestamp;

use crate::{ConnectionTrait, Error, Kind, Result, Row, Tx, all, exec, one};

/// An account with its sealed credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAccount {
    pub account_sid: String,
    pub name: String,
    pub api_base: Option<String>,
    /// Sealed.
    pub credentials: Vec<u8>,
    pub created_at: Timestamp,
    pub version: i64,
}

const COLUMNS: &str = "account_sid, name, api_base, credentials, created_at, version";

fn read(row: &Row) -> Result<StoredAccount> {
    Ok(StoredAccount {
        account_sid: row.get("account_sid")?,
        name: row.get("name")?,
        api_base: row.get("api_base")?,
        credentials: row.get("credentials")?,
        created_at: Timestamp::from_micros(row.get("created_at")?),
        version: row.get("version")?,
    })
}

/// All accounts, oldest first. There are few.
///
/// # Errors
/// What the database says.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<StoredAccount>> {
    let query = format!("SELECT {COLUMNS} FROM provider_accounts ORDER BY created_at, account_sid LIMIT 1000");
    all(db, query, Vec::new()).await?.iter().map(read).collect()
}

/// One account, locked until the transaction ends: nobody removes it while a sender is given to it.
///
/// # Errors
/// `NotFound` when there is none.
pub async fn lock(tx: &Tx, account_sid: &str) -> Result<StoredAccount> {
    let query = format!("SELECT {COLUMNS} FROM provider_accounts WHERE account_sid = $1{}", Kind::of(tx).for_update());
    read(&one(tx, query, vec![account_sid.into()]).await?.ok_or(Error::NotFound)?)
}

/// Stores an account.
///
/// # Errors
/// `Duplicate` when there is one with this SID.
pub async fn insert(tx: &Tx, account: &StoredAccount) -> Result<()> {
    let insert = "INSERT INTO provider_accounts (account_sid, name, api_base, credentials, created_at, updated_at) \
                  VALUES ($1, $2, $3, $4, $5, $5)";
    let values = vec![
        account.account_sid.clone().into(),
        account.name.clone().into(),
        account.api_base.clone().into(),
        account.credentials.clone().into(),
        account.created_at.as_micros().into(),
    ];
    exec(tx, insert, values).await?;
    Ok(())
}

/// Writes a locked account back.
///
/// # Errors
/// `NotFound` when there is none.
pub async fn update(tx: &Tx, at: Timestamp, account: &StoredAccount) -> Result<()> {
    let update = "UPDATE provider_accounts SET name = $1, api_base = $2, credentials = $3, updated_at = $4, \
                  version = version + 1 WHERE account_sid = $5";
    let values = vec![
        account.name.clone().into(),
        account.api_base.clone().into(),
        account.credentials.clone().into(),
        at.as_micros().into(),
        account.account_sid.clone().into(),
    ];
    if exec(tx, update, values).await? == 1 { Ok(()) } else { Err(Error::NotFound) }
}

/// Removes an account and its credentials.
///
/// # Errors
/// `NotFound` when there is none.
pub async fn delete(tx: &Tx, account_sid: &str) -> Result<()> {
    let delete = "DELETE FROM provider_accounts WHERE account_sid = $1";
    if exec(tx, delete, vec![account_sid.into()]).await? == 1 { Ok(()) } else { Err(Error::NotFound) }
}
