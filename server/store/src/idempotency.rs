//! `Idempotency-Key`: the first answer to a request, kept for a day and given again.
//!
//! The row is made before the request is carried out, marked as applied in the transaction that carries it out
//! ([`apply`]), and gets its answer after that. So a process that dies on the way leaves no doubt: what is not applied
//! may be carried out by a repeat, what is applied is not done again.

use domain::{actor::KeyedRequest, time::Timestamp};

use crate::{ConnectionTrait, Error, Result, Tx, exec, one};

/// How long answers are kept, in microseconds.
pub const KEPT_FOR: i64 = Timestamp::DAY;

/// How long whoever carries out a request is believed to be at it, in microseconds. Who takes longer loses the request
/// to a repeat that comes, and [`apply`] says so.
pub const LEASE: i64 = Timestamp::MINUTE;

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
    /// Carry it out, then call [`finish`] or [`abandon`].
    New,
    /// It was answered: give the same answer.
    Replay(Answer),
    /// The first one is still being carried out, or its process died with it within [`LEASE`].
    InProgress,
    /// The first one took effect, but its answer was lost.
    Applied,
    /// The key belongs to a request with another body.
    OtherBody,
}

/// Registers a request, or tells what became of the first one with its key. An answer older than [`KEPT_FOR`] is
/// forgotten; a request that was left behind without effect is taken over.
///
/// # Errors
/// What the database says.
pub async fn begin(
    db: &impl ConnectionTrait,
    request: &KeyedRequest,
    body_hash: &[u8],
    now: Timestamp,
) -> Result<Begun> {
    // One statement decides who is first; a row that is too old counts as none.
    let upsert = "INSERT INTO idempotency_keys (owner, route, key, claim, body_hash, created_at, lease_until) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7) \
                  ON CONFLICT (owner, route, key) DO UPDATE SET body_hash = EXCLUDED.body_hash, \
                  claim = EXCLUDED.claim, created_at = EXCLUDED.created_at, lease_until = EXCLUDED.lease_until, \
                  applied = FALSE, answer_status = NULL, answer_type = NULL, answer_body = NULL \
                  WHERE idempotency_keys.created_at < $8 OR (idempotency_keys.lease_until < $6 \
                  AND idempotency_keys.body_hash = EXCLUDED.body_hash \
                  AND NOT idempotency_keys.applied AND idempotency_keys.answer_status IS NULL)";
    let mut values = of_claim(request);
    values.extend([
        body_hash.to_vec().into(),
        now.as_micros().into(),
        now.plus(LEASE).as_micros().into(),
        now.plus(-KEPT_FOR).as_micros().into(),
    ]);
    if exec(db, upsert, values).await? == 1 {
        return Ok(Begun::New);
    }
    let query = "SELECT body_hash, applied, lease_until, answer_status, answer_type, answer_body \
                 FROM idempotency_keys WHERE owner = $1 AND route = $2 AND key = $3";
    let mut values = of_claim(request);
    values.truncate(3);
    // Abandoned between the two statements: as good as in progress, the client tries again.
    let Some(row) = one(db, query, values).await? else { return Ok(Begun::InProgress) };
    if row.get::<Vec<u8>>("body_hash")? != body_hash {
        return Ok(Begun::OtherBody);
    }
    let Some(status) = row.get::<Option<i16>>("answer_status")? else {
        let at_work = row.get::<i64>("lease_until")? >= now.as_micros();
        return Ok(if row.get("applied")? && !at_work { Begun::Applied } else { Begun::InProgress });
    };
    Ok(Begun::Replay(Answer {
        status: u16::try_from(status)
            .map_err(|error| Error::Corrupt { column: "answer_status", problem: error.to_string() })?,
        content_type: row.get("answer_type")?,
        body: row.get::<Option<Vec<u8>>>("answer_body")?.unwrap_or_default(),
    }))
}

/// The request takes effect with this transaction.
///
/// # Errors
/// `Stale` when the request was not begun, or a repeat has taken it over: then nothing may be done.
pub async fn apply(tx: &Tx, request: &KeyedRequest) -> Result<()> {
    let update = "UPDATE idempotency_keys SET applied = TRUE \
                  WHERE owner = $1 AND route = $2 AND key = $3 AND claim = $4 AND answer_status IS NULL";
    if exec(tx, update, of_claim(request)).await? == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Keeps the answer. Only answers below 500 are worth keeping.
///
/// # Errors
/// `Stale` when the request was not begun, has an answer already, or was taken over.
pub async fn finish(db: &impl ConnectionTrait, request: &KeyedRequest, answer: &Answer) -> Result<()> {
    let update = "UPDATE idempotency_keys SET answer_status = $5, answer_type = $6, answer_body = $7 \
                  WHERE owner = $1 AND route = $2 AND key = $3 AND claim = $4 AND answer_status IS NULL";
    let status = i16::try_from(answer.status)
        .map_err(|error| Error::Corrupt { column: "answer_status", problem: error.to_string() })?;
    let mut values = of_claim(request);
    values.extend([status.into(), answer.content_type.clone().into(), answer.body.clone().into()]);
    if exec(db, update, values).await? == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Forgets a request that failed on our side, so that the same key may be tried again; unless it took effect, wholly or
/// in part: a commit may have succeeded although nobody heard of it.
///
/// # Errors
/// What the database says.
pub async fn abandon(db: &impl ConnectionTrait, request: &KeyedRequest) -> Result<()> {
    let delete = "DELETE FROM idempotency_keys WHERE owner = $1 AND route = $2 AND key = $3 AND claim = $4 \
                  AND answer_status IS NULL AND NOT applied";
    if exec(db, delete, of_claim(request)).await? == 1 {
        return Ok(());
    }
    let release = "UPDATE idempotency_keys SET lease_until = 0 \
                   WHERE owner = $1 AND route = $2 AND key = $3 AND claim = $4 AND answer_status IS NULL";
    exec(db, release, of_claim(request)).await?;
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

fn of_claim(request: &KeyedRequest) -> Vec<sea_orm::Value> {
    let KeyedRequest { owner, route, key, claim } = request;
    vec![owner.as_str().into(), route.as_str().into(), key.as_str().into(), (*claim).into()]
}
