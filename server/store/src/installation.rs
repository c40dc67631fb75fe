//! Which installation, provider account and key a database belongs to.

use domain::time::Timestamp;
use uuid::Uuid;

use crate::{ConnectionTrait, Db, Error, Kind, Result, Tx, all, exec, one};

/// What a worker must know of the rules to plan, start and send as the database asks for. It rises with each version whose
/// plans or rules one of the version before would get wrong: from the first start of the newer one on, the older ones
/// beside it plan, start and send nothing more.
pub const RULES: i32 = 3;

/// The one row of `installation`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    pub instance_id: Uuid,
    pub account_sid: String,
    pub public_url: String,
    /// Of the first key; see the engine's key ring.
    pub key_check: Vec<u8>,
}

/// Claims a new database, or returns whose it is already.
///
/// # Errors
/// What the database says.
pub async fn claim(tx: &Tx, wanted: &Installation, at: Timestamp) -> Result<Installation> {
    let insert = "INSERT INTO installation (id, instance_id, account_sid, public_url, key_check, created_at) \
                  VALUES (1, $1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING";
    let values = vec![
        wanted.instance_id.into(),
        wanted.account_sid.clone().into(),
        wanted.public_url.clone().into(),
        wanted.key_check.clone().into(),
        at.as_micros().into(),
    ];
    exec(tx, insert, values).await?;
    let query = "SELECT instance_id, account_sid, public_url, key_check FROM installation WHERE id = 1";
    let row = one(tx, query, vec![]).await?.ok_or(Error::NotFound)?;
    Ok(Installation {
        instance_id: row.get("instance_id")?,
        account_sid: row.get("account_sid")?,
        public_url: row.get("public_url")?,
        key_check: row.get("key_check")?,
    })
}

/// Notes that the database is written with this key from now on, and returns the check values of all keys that it was
/// ever written with.
///
/// # Errors
/// What the database says.
pub async fn note_key(tx: &Tx, check_value: &[u8], at: Timestamp) -> Result<Vec<Vec<u8>>> {
    let insert = "INSERT INTO encryption_keys (check_value, first_used_at) VALUES ($1, $2) \
                  ON CONFLICT (check_value) DO NOTHING";
    exec(tx, insert, vec![check_value.to_vec().into(), at.as_micros().into()]).await?;
    let query = "SELECT check_value FROM encryption_keys ORDER BY first_used_at";
    all(tx, query, Vec::new()).await?.iter().map(|row| row.get("check_value")).collect()
}

/// The database now serves this account at this address.
///
/// # Errors
/// `NotFound` before it was claimed.
pub async fn move_to(tx: &Tx, account_sid: &str, public_url: &str) -> Result<()> {
    let update = "UPDATE installation SET account_sid = $1, public_url = $2 WHERE id = 1";
    if exec(tx, update, vec![account_sid.into(), public_url.into()]).await? == 1 {
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}

/// From now on the database asks for these rules, if it does not ask for newer ones already. Returns what it asks for.
///
/// # Errors
/// `NotFound` before it was claimed.
pub async fn ask_for_rules(tx: &Tx, rules: i32) -> Result<i32> {
    exec(tx, "UPDATE installation SET rules = $1 WHERE id = 1 AND rules < $1", vec![rules.into()]).await?;
    asked_rules(tx).await
}

/// The rules that the database asks for: a process that knows only older ones must not work on it.
///
/// # Errors
/// `NotFound` before it was claimed.
pub async fn asked_rules(db: &impl ConnectionTrait) -> Result<i32> {
    one(db, "SELECT rules FROM installation WHERE id = 1", Vec::new()).await?.ok_or(Error::NotFound)?.get("rules")
}

/// What tells a restored or copied database from the one that was served last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Rises at each start of a server and every minute that one runs, so that a copy from before is behind; 0 before the
    /// first server with an account.
    pub count: i64,
    /// Where it was served last, in PostgreSQL's own words.
    pub server: Option<String>,
}

/// Whose the database is; none before it was claimed.
///
/// # Errors
/// What the database says.
pub async fn instance_id(db: &impl ConnectionTrait) -> Result<Option<Uuid>> {
    let row = one(db, "SELECT instance_id FROM installation WHERE id = 1", Vec::new()).await?;
    row.map(|row| row.get("instance_id")).transpose()
}

/// What the database says of itself.
///
/// # Errors
/// `NotFound` before it was claimed.
pub async fn witness(db: &impl ConnectionTrait) -> Result<Witness> {
    let query = "SELECT witness, server FROM installation WHERE id = 1";
    let row = one(db, query, Vec::new()).await?.ok_or(Error::NotFound)?;
    Ok(Witness { count: row.get("witness")?, server: row.get("server")? })
}

/// Raises the count above what it is, and above `seen`. Returns what it is now.
///
/// # Errors
/// `NotFound` before it was claimed.
pub async fn raise_witness(db: &impl ConnectionTrait, seen: i64) -> Result<i64> {
    let update = "UPDATE installation SET witness = CASE WHEN witness < $1 THEN $1 ELSE witness END + 1 WHERE id = 1 \
                  RETURNING witness";
    one(db, update, vec![seen.into()]).await?.ok_or(Error::NotFound)?.get("witness")
}

/// The database is served there from now on.
///
/// # Errors
/// `NotFound` before it was claimed.
pub async fn note_server(tx: &Tx, server: &str) -> Result<()> {
    let update = "UPDATE installation SET server = $1 WHERE id = 1";
    if exec(tx, update, vec![server.into()]).await? == 1 { Ok(()) } else { Err(Error::NotFound) }
}

/// PostgreSQL's own name of its cluster and this database; none on SQLite, and where we may not ask. Not in a transaction:
/// a refusal would end it.
pub async fn server(db: &Db) -> Option<String> {
    if db.kind() == Kind::Sqlite {
        return None;
    }
    let query = "SELECT CAST(c.system_identifier AS text) || '/' || CAST(d.oid AS text) AS name \
                 FROM pg_control_system() c, pg_database d WHERE d.datname = current_database()";
    one(db.reader(), query, Vec::new()).await.ok()??.get("name").ok()
}
