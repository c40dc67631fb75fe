//! Whom a business wrote to first, and when last: what WhatsApp counts within 24 hours. Kept only while there is a limit.

use domain::{ids::ContactId, message::State, time::Timestamp};
use serde::Serialize;

use crate::{
    ConnectionTrait, Kind, Result, Tx, all,
    batch::{Type, table, to_json},
    exec,
};

#[derive(Serialize)]
struct Person {
    contact_id: i64,
}

/// Notes that these people were written to.
///
/// # Errors
/// What the database says.
pub async fn note(tx: &Tx, account_sid: &str, people: &[ContactId], at: Timestamp) -> Result<()> {
    if people.is_empty() {
        return Ok(());
    }
    // One statement may touch a row only once.
    let mut people: Vec<_> = people.iter().map(|person| person.0).collect();
    people.sort_unstable();
    people.dedup();
    let rows: Vec<_> = people.into_iter().map(|contact_id| Person { contact_id }).collect();
    let upsert = format!(
        "INSERT INTO daily_recipients (account_sid, contact_id, at) SELECT $2, b.contact_id, $3 FROM {} WHERE TRUE \
         ON CONFLICT (account_sid, contact_id) DO UPDATE SET at = excluded.at WHERE daily_recipients.at < excluded.at",
        table(Kind::of(tx), "b", "$1", &[("contact_id", Type::BigInt)])
    );
    exec(tx, upsert, vec![to_json(&rows)?.into(), account_sid.into(), at.as_micros().into()]).await?;
    Ok(())
}

/// Counts everybody who got a WhatsApp message after `since`, when a limit is set for the first time. Those who wrote to us
/// meanwhile are counted too: it is on the safe side. Reads the messages of the last days once.
///
/// # Errors
/// What the database says.
pub async fn recall(tx: &Tx, account_sid: &str, since: Timestamp) -> Result<()> {
    // In the order in which `note` writes them, so that the two never wait for each other.
    let insert = "INSERT INTO daily_recipients (account_sid, contact_id, at) \
                  SELECT $1, m.contact_id, MAX(m.updated_at) FROM messages m JOIN senders s ON s.id = m.sender_id \
                  WHERE m.updated_at > $2 AND m.state BETWEEN $3 AND $4 AND s.channel = 'whatsapp' GROUP BY m.contact_id \
                  ORDER BY m.contact_id ON CONFLICT (account_sid, contact_id) DO UPDATE SET at = excluded.at \
                  WHERE daily_recipients.at < excluded.at";
    let (first, last) = (State::Unknown.rank(), State::Read.rank());
    exec(tx, insert, vec![account_sid.into(), since.as_micros().into(), first.into(), last.into()]).await?;
    Ok(())
}

/// Everybody who was written to after `since`.
///
/// # Errors
/// What the database says.
pub async fn since(
    db: &impl ConnectionTrait,
    account_sid: &str,
    since: Timestamp,
) -> Result<Vec<(ContactId, Timestamp)>> {
    let query = "SELECT contact_id, at FROM daily_recipients WHERE account_sid = $1 AND at > $2";
    let rows = all(db, query, vec![account_sid.into(), since.as_micros().into()]).await?;
    let person = |row: &crate::Row| Ok((ContactId(row.get("contact_id")?), Timestamp::from_micros(row.get("at")?)));
    rows.iter().map(person).collect()
}

/// How many people were written to after `since`, by the hour.
///
/// # Errors
/// What the database says.
pub async fn by_hour(db: &impl ConnectionTrait, account_sid: &str, since: Timestamp) -> Result<Vec<(Timestamp, i64)>> {
    let query = format!(
        "SELECT g.at, CAST(count(*) AS bigint) AS n FROM (SELECT CAST(at / {hour} AS bigint) * {hour} AS at \
         FROM daily_recipients WHERE account_sid = $1 AND at > $2) AS g GROUP BY g.at ORDER BY g.at",
        hour = Timestamp::HOUR
    );
    let rows = all(db, query, vec![account_sid.into(), since.as_micros().into()]).await?;
    rows.iter().map(|row| Ok((Timestamp::from_micros(row.get("at")?), row.get("n")?))).collect()
}

/// Forgets whoever was written to before then.
///
/// # Errors
/// What the database says.
pub async fn purge(db: &impl ConnectionTrait, before: Timestamp) -> Result<u64> {
    exec(db, "DELETE FROM daily_recipients WHERE at < $1", vec![before.as_micros().into()]).await
}
