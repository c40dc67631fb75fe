//! The audit log: append-only and chained.

use domain::{
    account::AuditEntry,
    actor::{Actor, ActorKind},
    time::Timestamp,
};
use serde_json::{Value as Json, json};

use crate::{ConnectionTrait, Result, Row, Tx, all, chain, exec, one};

const STREAM: &str = "audit";

/// Appends one line in the transaction of the change it speaks of. `detail` holds no personal data.
///
/// # Errors
/// What the database says.
pub async fn append(
    tx: &Tx,
    actor: &Actor,
    at: Timestamp,
    action: &str,
    entity: (&str, &str),
    detail: &Json,
) -> Result<()> {
    let mut head = chain::Head::lock(tx, STREAM).await?;
    let detail = detail.to_string();
    let what = (action, entity.0, entity.1, detail.as_str());
    let content = content(at.as_micros(), (actor.kind.as_str(), &actor.id, actor.request_id.as_deref()), what);
    let link = head.link(content.as_bytes());
    let insert = "INSERT INTO audit_log (stream, seq, at, actor_kind, actor_id, request_id, action, entity, entity_id, \
                  detail, prev_hash, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let values = vec![
        STREAM.into(),
        link.seq.into(),
        at.as_micros().into(),
        actor.kind.as_str().into(),
        actor.id.clone().into(),
        actor.request_id.clone().into(),
        action.into(),
        entity.0.into(),
        entity.1.into(),
        detail.into(),
        link.prev_hash.into(),
        link.hash.into(),
    ];
    exec(tx, insert, values).await?;
    head.save(tx).await
}

/// The text of a line that its hash covers: its columns but the chain's own.
fn content(at: i64, actor: (&str, &str, Option<&str>), what: (&str, &str, &str, &str)) -> String {
    json!([at, actor.0, actor.1, actor.2, what.0, what.1, what.2, what.3]).to_string()
}

/// Checks the chain of the audit log: how many lines there are, and the first that does not hold.
///
/// # Errors
/// What the database says.
pub async fn verify(db: &impl ConnectionTrait) -> Result<(i64, Option<chain::Broken>)> {
    let select = "at, actor_kind, actor_id, request_id, action, entity, entity_id, detail";
    chain::verify(db, (STREAM, "audit_log", select), |row| {
        let text = |column| row.get::<String>(column);
        let request_id: Option<String> = row.get("request_id")?;
        let (kind, id) = (text("actor_kind")?, text("actor_id")?);
        let (action, entity, entity_id, detail) =
            (text("action")?, text("entity")?, text("entity_id")?, text("detail")?);
        Ok(content(row.get("at")?, (&kind, &id, request_id.as_deref()), (&action, &entity, &entity_id, &detail)))
    })
    .await
}

/// Whether this was done at that time or later.
///
/// # Errors
/// What the database says.
pub async fn happened_since(db: &impl ConnectionTrait, action: &str, since: Timestamp) -> Result<bool> {
    let query = "SELECT seq FROM audit_log WHERE at >= $1 AND action = $2 LIMIT 1";
    Ok(one(db, query, vec![since.as_micros().into(), action.into()]).await?.is_some())
}

/// The latest lines before `before` (a sequence number), newest first.
///
/// # Errors
/// What the database says.
pub async fn list(db: &impl ConnectionTrait, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>> {
    let query = "SELECT seq, at, actor_kind, actor_id, action, entity, entity_id, detail FROM audit_log \
                 WHERE stream = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3";
    let values = vec![STREAM.into(), before.unwrap_or(i64::MAX).into(), i64::from(limit).into()];
    all(db, query, values).await?.iter().map(entry).collect()
}

/// Who last did this to an entity, at `until` or before: kind and id of the actor.
///
/// # Errors
/// What the database says.
pub async fn actor_of(
    db: &impl ConnectionTrait,
    action: &str,
    entity: (&str, &str),
    until: Timestamp,
) -> Result<Option<(ActorKind, String)>> {
    let query = "SELECT actor_kind, actor_id FROM audit_log WHERE entity = $1 AND entity_id = $2 AND action = $3 \
                 AND at <= $4 ORDER BY seq DESC LIMIT 1";
    let values = vec![entity.0.into(), entity.1.into(), action.into(), until.as_micros().into()];
    let row = one(db, query, values).await?;
    row.map(|row| Ok((row.word("actor_kind")?, row.get("actor_id")?))).transpose()
}

fn entry(row: &Row) -> Result<AuditEntry> {
    Ok(AuditEntry {
        seq: row.get("seq")?,
        at: Timestamp::from_micros(row.get("at")?),
        actor_kind: row.get("actor_kind")?,
        actor_id: row.get("actor_id")?,
        action: row.get("action")?,
        entity: row.get("entity")?,
        entity_id: row.get("entity_id")?,
        detail: row.json("detail")?,
    })
}
