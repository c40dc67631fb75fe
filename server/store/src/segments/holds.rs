//! What single rules say of one person: by the same SQL that an audience is made by.

use domain::{
    ids::ContactId,
    segment::{Combinator, Group, Node, Rule},
    time::Timestamp,
};
use sea_orm::Value;

use super::compile;
use crate::{ConnectionTrait, Error, Kind, Result, all};

/// Rules of one statement: databases have a limit of columns.
const AT_ONCE: usize = 100;

/// Whether each of these rules holds for a person. Other segments must be inlined before.
///
/// # Errors
/// `NotFound` when there is no such person.
pub async fn holds(
    db: &impl ConnectionTrait,
    contact: ContactId,
    rules: &[&Rule],
    now: Timestamp,
) -> Result<Vec<bool>> {
    let mut found = Vec::with_capacity(rules.len());
    for part in rules.chunks(AT_ONCE) {
        let mut values: Vec<Value> = vec![contact.0.into()];
        let mut columns = Vec::with_capacity(part.len());
        for (place, rule) in part.iter().enumerate() {
            let alone = Group { combinator: Combinator::And, not: false, rules: vec![Node::Rule((*rule).clone())] };
            let (sql, more) = compile(Kind::of(db), &alone, now, values.len() + 1)?;
            values.extend(more);
            columns.push(format!("CAST(CASE WHEN {sql} THEN 1 ELSE 0 END AS bigint) AS rule_{place}"));
        }
        let query = format!("SELECT {} FROM contacts c WHERE c.contact_id = $1", columns.join(", "));
        let rows = all(db, query, values).await?;
        let row = rows.first().ok_or(Error::NotFound)?;
        for place in 0..part.len() {
            found.push(row.get::<i64>(&format!("rule_{place}"))? == 1);
        }
    }
    Ok(found)
}
