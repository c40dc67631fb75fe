//! Answers that went out by themselves: who got which, and when.

use domain::{
    ids::{ContactId, MessageId},
    time::Timestamp,
};

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

/// What this person was answered since `answered_since`, and how often they wrote since `wrote_since`.
///
/// # Errors
/// What the database says.
pub async fn lately(tx: &Tx, person: ContactId, answered_since: Timestamp, wrote_since: Timestamp) -> Result<Lately> {
    let query = "SELECT rule, at FROM auto_replies WHERE contact_id = $1 AND at > $2 ORDER BY at";
    let rows = all(tx, query, vec![person.0.into(), answered_since.as_micros().into()]).await?;
    let answered =
        rows.iter().map(|row| Ok((row.get("rule")?, Timestamp::from_micros(row.get("at")?)))).collect::<Result<_>>()?;
    let query = "SELECT CAST(count(*) AS bigint) AS n FROM inbound_messages WHERE contact_id = $1 AND received_at > $2";
    let row = crate::one(tx, query, vec![person.0.into(), wrote_since.as_micros().into()]).await?;
    Ok(Lately { answered, wrote: row.map_or(Ok(0), |row| row.get("n"))? })
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
