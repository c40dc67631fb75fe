//! How far two segments are the same people, by a sample of the one.

use domain::{ids::ContactId, segment::Group, time::Timestamp};
use sea_orm::Value;

use super::compile;
use crate::{
    ConnectionTrait, Error, Kind, Result, all,
    batch::{Columns, Type, column},
    one,
};

/// A prime, and a factor without a pattern to it: no product of the two is too large for a bigint.
const MODULUS: i64 = 2_147_483_647;
const FACTOR: i64 = 1_327_217_885;

/// People of a segment, the same ones each time, in no order that has to do with them: numbers rise with time, so the lowest
/// ones would be those who are known longest. The segments in it are inlined.
///
/// # Errors
/// What the database says.
pub async fn sample(
    db: &impl ConnectionTrait,
    definition: &Group,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<ContactId>> {
    let mut values: Vec<Value> = vec![i64::from(limit).into()];
    let (people, more) = compile(Kind::of(db), definition, now, values.len() + 1)?;
    values.extend(more);
    let query = format!(
        "SELECT c.contact_id FROM contacts c WHERE {people} \
         ORDER BY c.contact_id % {MODULUS} * {FACTOR} % {MODULUS}, c.contact_id LIMIT $1"
    );
    all(db, query, values).await?.iter().map(|row| row.get("contact_id").map(ContactId)).collect()
}

/// Whether there is anybody in a segment, whose own segments are inlined: none are counted.
///
/// # Errors
/// What the database says.
pub async fn holds_anybody(db: &impl ConnectionTrait, definition: &Group, now: Timestamp) -> Result<bool> {
    let (people, values) = compile(Kind::of(db), definition, now, 1)?;
    let query = format!("SELECT 1 AS found FROM contacts c WHERE {people} LIMIT 1");
    Ok(one(db, query, values).await?.is_some())
}

/// How many of these people a segment holds, whose own segments are inlined.
///
/// # Errors
/// What the database says.
pub async fn among(db: &impl ConnectionTrait, people: &[ContactId], definition: &Group, now: Timestamp) -> Result<i64> {
    let mut batch = Columns::new(Kind::of(db), [column("id", Type::BigInt)]);
    people.iter().for_each(|id| batch.push([id.0.into()]));
    let mut values: Vec<Value> = Vec::new();
    let table = batch.table("sampled", &mut values)?;
    let (holds, more) = compile(Kind::of(db), definition, now, values.len() + 1)?;
    values.extend(more);
    let query = format!(
        "SELECT CAST(count(*) AS bigint) AS n FROM {table} JOIN contacts c ON c.contact_id = sampled.id WHERE {holds}"
    );
    one(db, query, values).await?.ok_or(Error::NotFound)?.get("n")
}
