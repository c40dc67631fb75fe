//! Messages that may have been an opt-out, and what was decided of them.

use std::collections::BTreeSet;

use domain::{
    actor::Actor,
    ids::{ContactId, ReviewId},
    message::StepActor,
    phone::Phone,
    review::{Decided, Review, ReviewDecision},
    time::Timestamp,
};

use crate::{
    ConnectionTrait, Error, Kind, Result, Row, Tx, all,
    batch::{Columns, Type, column},
    exec, one,
};

/// Whose message gives reason to ask, and which.
#[derive(Clone, Copy, Debug)]
pub struct NewReview<'a> {
    pub contact_id: ContactId,
    pub inbound_sid: &'a str,
}

/// Marketing to these people waits until somebody has decided. Who waits already goes on waiting for the first message.
///
/// # Errors
/// What the database says.
pub async fn open(tx: &Tx, at: Timestamp, reviews: &[NewReview<'_>]) -> Result<()> {
    let mut seen = BTreeSet::new();
    let mut batch = Columns::new(Kind::of(tx), [column("contact_id", Type::BigInt), column("sid", Type::Text)]);
    for review in reviews.iter().filter(|review| seen.insert(review.contact_id)) {
        batch.push([review.contact_id.0.into(), review.inbound_sid.into()]);
    }
    if batch.is_empty() {
        return Ok(());
    }
    let mut values = vec![at.as_micros().into()];
    let table = batch.table("b", &mut values)?;
    let insert = format!(
        "INSERT INTO consent_reviews (contact_id, inbound_sid, created_at) SELECT b.contact_id, b.sid, $1 FROM {table} \
         WHERE TRUE ON CONFLICT (contact_id) WHERE decided_at IS NULL DO NOTHING"
    );
    exec(tx, insert, values.clone()).await?;
    let update = format!(
        "UPDATE contacts SET review_since = $1 FROM {table} \
         WHERE contacts.contact_id = b.contact_id AND contacts.review_since IS NULL"
    );
    exec(tx, update, values).await?;
    Ok(())
}

/// These people wait no longer. Returns how many did.
///
/// # Errors
/// What the database says.
pub async fn settle(
    tx: &Tx,
    actor: &Actor,
    at: Timestamp,
    people: &[ContactId],
    decision: ReviewDecision,
) -> Result<u64> {
    let mut batch = Columns::new(Kind::of(tx), [column("contact_id", Type::BigInt)]);
    people.iter().for_each(|id| batch.push([id.0.into()]));
    if batch.is_empty() {
        return Ok(0);
    }
    let mut values = Vec::new();
    let table = batch.table("b", &mut values)?;
    let update = format!(
        "UPDATE contacts SET review_since = NULL \
         WHERE review_since IS NOT NULL AND contact_id IN (SELECT b.contact_id FROM {table})"
    );
    exec(tx, update, values.clone()).await?;
    let first = values.len();
    values.extend([
        at.as_micros().into(),
        decision.as_str().into(),
        actor.kind.as_str().into(),
        actor.id.clone().into(),
    ]);
    let update = format!(
        "UPDATE consent_reviews SET decided_at = ${}, decision = ${}, actor_kind = ${}, actor_id = ${} \
         WHERE decided_at IS NULL AND contact_id IN (SELECT b.contact_id FROM {table})",
        first + 1,
        first + 2,
        first + 3,
        first + 4
    );
    exec(tx, update, values).await
}

/// Whose message it is, while nobody has decided.
///
/// # Errors
/// What the database says.
pub async fn open_one(tx: &Tx, id: ReviewId) -> Result<Option<(ContactId, Phone, String)>> {
    let lock = Kind::of(tx).for_update();
    let query = format!(
        "SELECT c.contact_id, c.phone, r.inbound_sid FROM consent_reviews r JOIN contacts c ON c.contact_id = r.contact_id \
         WHERE r.id = $1 AND r.decided_at IS NULL{}",
        if lock.is_empty() { String::new() } else { format!("{lock} OF c") }
    );
    let row = one(tx, query, vec![id.0.into()]).await?;
    row.map(|row| Ok((ContactId(row.get("contact_id")?), phone(&row)?, row.get("inbound_sid")?))).transpose()
}

/// Where a list goes on: time and id of the last one that was shown.
pub type Cursor = (i64, i64);

/// Those that wait, the longest waiting first.
///
/// # Errors
/// What the database says.
pub async fn list(db: &impl ConnectionTrait, after: Option<Cursor>, limit: u32) -> Result<Vec<Review>> {
    let (at, id) = after.unwrap_or((i64::MIN, i64::MIN));
    let query = format!(
        "SELECT r.id, r.created_at, c.phone, c.name, c.consent, i.channel, t.body FROM consent_reviews r \
         JOIN contacts c ON c.contact_id = r.contact_id \
         LEFT JOIN inbound_messages i ON i.provider_sid = r.inbound_sid LEFT JOIN inbound_texts t ON t.inbound_id = i.id \
         WHERE r.decided_at IS NULL AND (r.created_at, r.id) > ($1, $2) ORDER BY r.created_at, r.id LIMIT {limit}"
    );
    all(db, query, vec![at.into(), id.into()]).await?.iter().map(read).collect()
}

/// What [`decided`] asks: along the index `consent_reviews_decided`, which leaves out the same decision
/// ([`ReviewDecision::Answered`]).
pub const DECIDED: &str = "SELECT r.id, r.decided_at, r.decision, r.actor_kind, r.actor_id, c.phone, c.name, t.body \
                           FROM consent_reviews r LEFT JOIN contacts c ON c.contact_id = r.contact_id \
                           LEFT JOIN inbound_messages i ON i.provider_sid = r.inbound_sid \
                           LEFT JOIN inbound_texts t ON t.inbound_id = i.id \
                           WHERE r.decision <> 'answered' AND (r.decided_at, r.id) < ($1, $2) \
                           ORDER BY r.decided_at DESC, r.id DESC LIMIT $3";

/// What was decided by somebody, the newest first, each with the id of who did in the place of a name. What people settled
/// by clear words of their own is no decision of anybody's.
///
/// # Errors
/// What the database says.
pub async fn decided(db: &impl ConnectionTrait, before: Option<Cursor>, limit: u32) -> Result<Vec<Decided>> {
    let (at, id) = before.unwrap_or((i64::MAX, i64::MAX));
    let rows = all(db, DECIDED, vec![at.into(), id.into(), i64::from(limit).into()]).await?;
    let read = |row: &Row| {
        Ok(Decided {
            id: ReviewId(row.get("id")?),
            phone: row.get::<Option<String>>("phone")?.as_deref().map(e164).transpose()?,
            name: row.get("name")?,
            words: row.get("body")?,
            decision: row.word("decision")?,
            at: Timestamp::from_micros(row.get("decided_at")?),
            by: StepActor { kind: row.word("actor_kind")?, name: row.get("actor_id")? },
        })
    };
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Review> {
    Ok(Review {
        id: ReviewId(row.get("id")?),
        phone: phone(row)?,
        name: row.get("name")?,
        consent: row.word("consent")?,
        channel: row.word_or_null("channel")?,
        words: row.get("body")?,
        since: Timestamp::from_micros(row.get("created_at")?),
    })
}

fn phone(row: &Row) -> Result<Phone> {
    e164(&row.get::<String>("phone")?)
}

/// A stored phone number.
///
/// # Errors
/// `Corrupt` when it is none.
pub(crate) fn e164(phone: &str) -> Result<Phone> {
    phone.parse().map_err(|_| Error::Corrupt { column: "phone", problem: "not E.164".to_owned() })
}

/// How many wait, and since when the first of them does.
///
/// # Errors
/// What the database says.
pub async fn waiting(db: &impl ConnectionTrait) -> Result<(i64, Option<Timestamp>)> {
    let query = "SELECT CAST(count(*) AS bigint) AS n, min(r.created_at) AS oldest FROM consent_reviews r \
                 JOIN contacts c ON c.contact_id = r.contact_id WHERE r.decided_at IS NULL";
    let Some(row) = one(db, query, Vec::new()).await? else { return Ok((0, None)) };
    Ok((row.get("n")?, row.get::<Option<i64>>("oldest")?.map(Timestamp::from_micros)))
}
