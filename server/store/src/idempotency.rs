//! `Idempotency-Key`: the first answer to a request, kept for a day and given again.

use domain::time::Timestamp;

use crate::{ConnectionTrait, Error, Result, exec, one};

/// How long answers are kept, in microseconds.
pub const KEPT_FOR: i64 = Timestamp::DAY;

/// Which request it is: keys are per API key (or account) and route.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub owner: &'a str,
    pub route: &'a str,
    pub key: &'a str,
}

/// An answer as it went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

/// What is known of a request with this key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The first one: carry it out, then call [`finish`] or [`abandon`].
    New,
    /// It was answered: give the same answer.
    Replay(Answer),
    /// The first one is still being carried out (or the process that did died with it): 409.
    InProgress,
    /// The key belongs to a request with another body: 409.
    OtherBody,
}

/// Registers a request, or tells what became of the first one with its key. An answer older than [`KEPT_FOR`] is
/// forgotten.
///
/// # Errors
/// What the database says.
pub async fn begin(db: &impl ConnectionTrait, request: Request<'_>, body_hash: &[u8], now: Timestamp) -> Result<Begun> {
    // One statement decides who is first; a row that is too old counts as none.
    let upsert = "INSERT INTO idempotency_keys (owner, route, key, body_hash, created_at) VALUES ($1, $2, $3, $4, $5) \
                  ON CONFLICT (owner, route, key) DO UPDATE SET body_hash = EXCLUDED.body_hash, \
                  created_at = EXCLUDED.created_at, answer_status = NULL, answer_type = NULL, answer_body = NULL \
                  WHERE idempotency_keys.created_at < $6";
    let mut values = key_values(request);
    values.extend([body_hash.to_vec().into(), now.as_micros().into(), now.plus(-KEPT_FOR).as_micros().into()]);
    if exec(db, upsert, values).await? == 1 {
        return Ok(Begun::New);
    }
    let query = "SELECT body_hash, answer_status, answer_type, answer_body FROM idempotency_keys \
                 WHERE owner = $1 AND route = $2 AND key = $3";
    // Abandoned between the two statements: as good as in progress, the client tries again.
    let Some(row) = one(db, query, key_values(request)).await? else { return Ok(Begun::InProgress) };
    if row.get::<Vec<u8>>("body_hash")? != body_hash {
        return Ok(Begun::OtherBody);
    }
    let Some(status) = row.get::<Option<i16>>("answer_status")? else { return Ok(Begun::InProgress) };
    Ok(Begun::Replay(Answer {
        status: u16::try_from(status)
            .map_err(|error| Error::Corrupt { column: "answer_status", problem: error.to_string() })?,
        content_type: row.get("answer_type")?,
        body: row.get::<Option<Vec<u8>>>("answer_body")?.unwrap_or_default(),
    }))
}

/// Keeps the answer. Only answers below 500 are worth keeping.
///
/// # Errors
/// `Stale` when the request was not begun or has an answer already.
pub async fn finish(db: &impl ConnectionTrait, request: Request<'_>, answer: &Answer) -> Result<()> {
    let update = "UPDATE idempotency_keys SET answer_status = $4, answer_type = $5, answer_body = $6 \
                  WHERE owner = $1 AND route = $2 AND key = $3 AND answer_status IS NULL";
    let status = i16::try_from(answer.status)
        .map_err(|error| Error::Corrupt { column: "answer_status", problem: error.to_string() })?;
    let mut values = key_values(request);
    values.extend([status.into(), answer.content_type.clone().into(), answer.body.clone().into()]);
    if exec(db, update, values).await? == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Forgets a request that failed on our side, so that the same key may be tried again.
///
/// # Errors
/// What the database says.
pub async fn abandon(db: &impl ConnectionTrait, request: Request<'_>) -> Result<()> {
    let delete = "DELETE FROM idempotency_keys WHERE owner = $1 AND route = $2 AND key = $3 AND answer_status IS NULL";
    exec(db, delete, key_values(request)).await?;
    Ok(())
}

/// Forgets what is older than [`KEPT_FOR`]. Returns how many.
///
/// # Errors
/// What the database says.
pub async fn purge(db: &impl ConnectionTrait, now: Timestamp) -> Result<u64> {
    let values = vec![now.plus(-KEPT_FOR).as_micros().into()];
    exec(db, "DELETE FROM idempotency_keys WHERE created_at < $1", values).await
}

fn key_values(request: Request<'_>) -> Vec<sea_orm::Value> {
    vec![request.owner.into(), request.route.into(), request.key.into()]
}
