//! Numbers that must not be messaged, known by their keyed hashes alone.

use domain::{actor::Actor, consent::SuppressionReason, ids::ContactId, time::Timestamp};
use serde::Serialize;

use crate::{
    ConnectionTrait, Kind, Result, Tx, all,
    batch::{self, Type, to_json},
    exec,
};

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    pub phone_hash: Vec<u8>,
    pub reason: SuppressionReason,
    /// Null once the person was erased.
    pub contact_id: Option<ContactId>,
    pub created_at: Timestamp,
}

/// An entry to add.
#[derive(Clone, Debug)]
pub struct NewSuppression<'a> {
    pub phone_hash: &'a [u8],
    /// The key that made the hash.
    pub key_id: &'a str,
    pub reason: SuppressionReason,
    pub contact_id: Option<ContactId>,
}

/// An entry as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub phone_hash: Vec<u8>,
    pub reason: SuppressionReason,
    /// The person's, while there is one.
    pub phone: Option<String>,
    pub actor_kind: String,
    pub actor_id: String,
    pub created_at: Timestamp,
}

/// Where a list goes on: time and hash of the last one that was shown.
pub type Cursor = (i64, Vec<u8>);

/// The entries before `before`, newest first; of one reason, or under these hashes.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &impl ConnectionTrait,
    reason: Option<SuppressionReason>,
    hashes: Option<&[Vec<u8>]>,
    before: Option<Cursor>,
    limit: u32,
) -> Result<Vec<Listed>> {
    let (at, hash) = before.unwrap_or((i64::MAX, Vec::new()));
    let mut values = vec![at.into(), hash.into()];
    let mut conditions = vec!["(s.created_at, s.phone_hash) < ($1, $2)".to_owned()];
    if let Some(reason) = reason {
        values.push(reason.as_str().into());
        conditions.push(format!("s.reason = ${}", values.len()));
    }
    if let Some(hashes) = hashes {
        values.push(hashes_json(hashes)?.into());
        let parameter = format!("${}", values.len());
        let batch = batch::table(Kind::of(db), "b", &parameter, &[("phone_hash", Type::Bytes)]);
        conditions.push(format!("s.phone_hash IN (SELECT b.phone_hash FROM {batch})"));
    }
    let query = format!(
        "SELECT s.phone_hash, s.reason, s.actor_kind, s.actor_id, s.created_at, c.phone FROM suppressions s \
         LEFT JOIN contacts c ON c.contact_id = s.contact_id WHERE {} \
         ORDER BY s.created_at DESC, s.phone_hash DESC LIMIT {limit}",
        conditions.join(" AND ")
    );
    let rows = all(db, query, values).await?;
    rows.iter()
        .map(|row| {
            Ok(Listed {
                phone_hash: row.get("phone_hash")?,
                reason: row.word("reason")?,
                phone: row.get("phone")?,
                actor_kind: row.get("actor_kind")?,
                actor_id: row.get("actor_id")?,
                created_at: Timestamp::from_micros(row.get("created_at")?),
            })
        })
        .collect()
}

/// How many entries there are for each reason.
///
/// # Errors
/// What the database says.
pub async fn counts(db: &impl ConnectionTrait) -> Result<Vec<(SuppressionReason, i64)>> {
    let query = "SELECT reason, CAST(count(*) AS bigint) AS n FROM suppressions GROUP BY reason ORDER BY reason";
    let rows = all(db, query, Vec::new()).await?;
    rows.iter().map(|row| Ok((row.word("reason")?, row.get("n")?))).collect()
}

/// For who stores new people, before the list is asked for their numbers: nobody puts a number there that nobody has until this
/// transaction ends. Neither would see what the other has not committed.
///
/// # Errors
/// What the database says.
pub async fn hold_still(tx: &Tx) -> Result<()> {
    // SQLite's single writer is lock enough.
    if Kind::of(tx) == Kind::Postgres {
        exec(tx, "SELECT pg_advisory_xact_lock_shared(hashtext('suppressions.births'))", vec![]).await?;
    }
    Ok(())
}

/// For who puts a number on the list that nobody has: waits for all who are being stored; until this transaction ends nobody
/// else is. Whether somebody has the number is to be asked after this; without locking them, for who holds them may wait.
///
/// # Errors
/// What the database says.
pub async fn await_births(tx: &Tx) -> Result<()> {
    if Kind::of(tx) == Kind::Postgres {
        exec(tx, "SELECT pg_advisory_xact_lock(hashtext('suppressions.births'))", vec![]).await?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Hash {
    phone_hash: String,
}

/// The entries under any of these hashes.
///
/// # Errors
/// What the database says.
pub async fn find(db: &impl ConnectionTrait, hashes: &[Vec<u8>]) -> Result<Vec<Suppression>> {
    if hashes.is_empty() {
        return Ok(Vec::new());
    }
    let batch = batch::table(Kind::of(db), "b", "$1", &[("phone_hash", Type::Bytes)]);
    let query = format!(
        "SELECT s.phone_hash, s.reason, s.contact_id, s.created_at FROM {batch} CROSS JOIN suppressions s \
         WHERE s.phone_hash = b.phone_hash"
    );
    let rows = all(db, query, vec![hashes_json(hashes)?.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Suppression {
                phone_hash: row.get("phone_hash")?,
                reason: row.word("reason")?,
                contact_id: row.get::<Option<i64>>("contact_id")?.map(ContactId),
                created_at: Timestamp::from_micros(row.get("created_at")?),
            })
        })
        .collect()
}

/// Adds entries. A hash that is there already keeps its time, and its reason unless the new one is the person's own
/// act and the old one is not.
///
/// # Errors
/// What the database says.
pub async fn add(tx: &Tx, actor: &Actor, at: Timestamp, entries: &[NewSuppression<'_>]) -> Result<()> {
    #[derive(Serialize)]
    struct Entry<'a> {
        phone_hash: String,
        key_id: &'a str,
        reason: SuppressionReason,
        contact_id: Option<i64>,
    }
    if entries.is_empty() {
        return Ok(());
    }
    // A hash may come only once in a statement: the last entry counts.
    let rows: std::collections::BTreeMap<&[u8], Entry<'_>> = entries
        .iter()
        .map(|entry| {
            let NewSuppression { phone_hash, key_id, reason, contact_id } = entry;
            let contact_id = contact_id.map(|id| id.0);
            (*phone_hash, Entry { phone_hash: hex::encode(phone_hash), key_id, reason: *reason, contact_id })
        })
        .collect();
    let columns =
        [("phone_hash", Type::Bytes), ("key_id", Type::Text), ("reason", Type::Text), ("contact_id", Type::BigInt)];
    let removable: Vec<String> =
        SuppressionReason::ALL.iter().filter(|reason| reason.removable()).map(|reason| format!("'{reason}'")).collect();
    let statement = format!(
        "INSERT INTO suppressions (phone_hash, key_id, reason, contact_id, actor_kind, actor_id, created_at) \
         SELECT phone_hash, key_id, reason, contact_id, $2, $3, $4 FROM {} WHERE TRUE \
         ON CONFLICT (phone_hash) DO UPDATE SET contact_id = excluded.contact_id, \
         reason = CASE WHEN suppressions.reason IN ({removable}) THEN excluded.reason ELSE suppressions.reason END",
        batch::table(Kind::of(tx), "b", "$1", &columns),
        removable = removable.join(", ")
    );
    let rows: Vec<_> = rows.into_values().collect();
    let values =
        vec![to_json(&rows)?.into(), actor.kind.as_str().into(), actor.id.clone().into(), at.as_micros().into()];
    exec(tx, statement, values).await?;
    Ok(())
}

/// Ties known entries to the person who was stored again under the number.
///
/// # Errors
/// What the database says.
pub async fn claim(tx: &Tx, entries: &[(Vec<u8>, ContactId)]) -> Result<()> {
    #[derive(Serialize)]
    struct Entry {
        phone_hash: String,
        contact_id: i64,
    }
    if entries.is_empty() {
        return Ok(());
    }
    let rows: Vec<Entry> =
        entries.iter().map(|(hash, id)| Entry { phone_hash: hex::encode(hash), contact_id: id.0 }).collect();
    let columns = [("phone_hash", Type::Bytes), ("contact_id", Type::BigInt)];
    let statement = format!(
        "UPDATE suppressions SET contact_id = b.contact_id FROM {} WHERE suppressions.phone_hash = b.phone_hash",
        batch::table(Kind::of(tx), "b", "$1", &columns)
    );
    exec(tx, statement, vec![to_json(&rows)?.into()]).await?;
    Ok(())
}

/// Removes what is stored under these hashes. Returns how many entries that were.
///
/// # Errors
/// What the database says.
pub async fn remove(tx: &Tx, hashes: &[Vec<u8>]) -> Result<u64> {
    if hashes.is_empty() {
        return Ok(0);
    }
    let batch = batch::table(Kind::of(tx), "b", "$1", &[("phone_hash", Type::Bytes)]);
    let statement = format!("DELETE FROM suppressions WHERE phone_hash IN (SELECT phone_hash FROM {batch})");
    exec(tx, statement, vec![hashes_json(hashes)?.into()]).await
}

fn hashes_json(hashes: &[Vec<u8>]) -> Result<String> {
    to_json(&hashes.iter().map(|hash| Hash { phone_hash: hex::encode(hash) }).collect::<Vec<_>>())
}
