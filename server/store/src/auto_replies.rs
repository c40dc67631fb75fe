//! Answers that went out by themselves: who got which, and when.

use std::collections::HashMap;

use domain::{
    ids::{ContactId, MessageId},
    time::Timestamp,
};
use sea_orm::Value;

use crate::{
    ConnectionTrait, Kind, Result, Tx, all,
    batch::{Columns, Type, column},
    exec,
};

/// What one person was answered, and how much they wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lately {
    /// The rules that answered since the time that was asked for.
    pub answered: Vec<(String, Timestamp)>,
    /// How many messages the person wrote since the other time.
    pub wrote: i64,
}

/// What these people were answered since `answered_since`, and how often they wrote since `wrote_since`. Who was not
/// answered and has not written is missing.
///
/// # Errors
/// What the database says.
pub async fn lately(
    tx: &Tx,
    people: impl Iterator<Item = ContactId>,
    answered_since: Timestamp,
    wrote_since: Timestamp,
) -> Result<HashMap<ContactId, Lately>> {
    let mut found: HashMap<ContactId, Lately> = HashMap::new();
    let people: Vec<ContactId> = people.collect();
    let wanted = |since: Timestamp| -> Result<(String, Vec<Value>)> {
        let mut batch = Columns::new(Kind::of(tx), [column("contact_id", Type::BigInt)]);
        people.iter().for_each(|id| batch.push([id.0.into()]));
        let mut values = vec![since.as_micros().into()];
        let table = batch.table("w", &mut values)?;
        Ok((format!("SELECT w.contact_id FROM {table}"), values))
    };
    if people.is_empty() {
        return Ok(found);
    }
    let (these, values) = wanted(answered_since)?;
    let query =
        format!("SELECT contact_id, rule, at FROM auto_replies WHERE contact_id IN ({these}) AND at > $1 ORDER BY at");
    for row in all(tx, query, values).await? {
        let answer = (row.get("rule")?, Timestamp::from_micros(row.get("at")?));
        found.entry(ContactId(row.get("contact_id")?)).or_default().answered.push(answer);
    }
    let (these, values) = wanted(wrote_since)?;
    let query = format!(
        "SELECT contact_id, CAST(count(*) AS bigint) AS n FROM inbound_messages WHERE contact_id IN ({these}) \
         AND received_at > $1 GROUP BY contact_id"
    );
    for row in all(tx, query, values).await? {
        found.entry(ContactId(row.get("contact_id")?)).or_default().wrote = row.get("n")?;
    }
    Ok(found)
}

/// Remembers answers.
///
/// # Errors
/// What the database says.
pub async fn note(tx: &Tx, at: Timestamp, answers: &[(ContactId, &str, MessageId)]) -> Result<()> {
    let columns = [column("contact_id", Type::BigInt), column("rule", Type::Text), column("message_id", Type::BigInt)];
    let mut batch = Columns::new(Kind::of(tx), columns);
    answers.iter().for_each(|(id, rule, message)| batch.push([id.0.into(), (*rule).into(), message.0.into()]));
    if batch.is_empty() {
        return Ok(());
    }
    let mut values = vec![at.as_micros().into()];
    let table = batch.table("b", &mut values)?;
    let insert = format!(
        "INSERT INTO auto_replies (contact_id, rule, at, message_id) SELECT b.contact_id, b.rule, $1, b.message_id \
         FROM {table}"
    );
    exec(tx, insert, values).await?;
    Ok(())
}

/// Forgets what is too old to count. Returns how many.
///
/// # Errors
/// What the database says.
pub async fn purge(db: &impl ConnectionTrait, before: Timestamp) -> Result<u64> {
    exec(db, "DELETE FROM auto_replies WHERE at < $1", vec![before.as_micros().into()]).await
}
