//! Topics.

use std::collections::BTreeMap;

use domain::{
    consent::Subscription,
    ids::{CampaignId, TemplateId, TopicId},
    text::fold,
    time::Timestamp,
    topic::{NewTopic, Topic},
};
use uuid::Uuid;

use crate::{ConnectionTrait, Error, Kind, Result, Row, Tx, all, exec, one};

const SELECT: &str = "SELECT t.id, t.key, t.name, t.description, t.double_opt_in, t.question_template_id, t.created_at, t.updated_at, t.version, \
     (SELECT CAST(count(*) AS bigint) FROM subscriptions s WHERE s.topic_id = t.id AND s.state = $1) AS subscribers \
     FROM topics t";

fn subscribed() -> sea_orm::Value {
    Subscription::Subscribed.as_str().into()
}

fn topic(row: &Row) -> Result<(TopicId, Topic)> {
    let topic = Topic {
        key: row.get("key")?,
        name: row.get("name")?,
        description: row.get("description")?,
        double_opt_in: row.get("double_opt_in")?,
        question_template_id: row.get::<Option<Uuid>>("question_template_id")?.map(TemplateId),
        subscribers: row.get("subscribers")?,
        created_at: Timestamp::from_micros(row.get("created_at")?),
        updated_at: Timestamp::from_micros(row.get("updated_at")?),
        version: row.get("version")?,
    };
    Ok((TopicId(row.get("id")?), topic))
}

/// All topics (there are few), newest first; with `q` those whose key or name contains it, whatever the case.
///
/// # Errors
/// What the database says.
pub async fn list(db: &impl ConnectionTrait, q: Option<&str>) -> Result<Vec<Topic>> {
    let rows = all(db, format!("{SELECT} ORDER BY t.created_at DESC, t.id DESC"), vec![subscribed()]).await?;
    let wanted = q.map(|q| fold(q.trim()).into_owned());
    let mut topics = Vec::with_capacity(rows.len());
    for row in &rows {
        let (_, topic) = topic(row)?;
        let found = |wanted: &str| topic.key.contains(wanted) || fold(&topic.name).contains(wanted);
        if wanted.as_deref().is_none_or(found) {
            topics.push(topic);
        }
    }
    Ok(topics)
}

/// The topic with this key.
///
/// # Errors
/// What the database says.
pub async fn find(db: &impl ConnectionTrait, key: &str) -> Result<Option<(TopicId, Topic)>> {
    one(db, format!("{SELECT} WHERE t.key = $2"), vec![subscribed(), key.into()]).await?.as_ref().map(topic).transpose()
}

/// The keys of all topics (there are few).
///
/// # Errors
/// What the database says.
pub async fn keys(db: &impl ConnectionTrait) -> Result<BTreeMap<TopicId, String>> {
    let rows = all(db, "SELECT id, key FROM topics", Vec::new()).await?;
    rows.iter().map(|row| Ok((TopicId(row.get("id")?), row.get("key")?))).collect()
}

/// The id of the topic with this key.
///
/// # Errors
/// What the database says.
pub async fn id_of(db: &impl ConnectionTrait, key: &str) -> Result<Option<TopicId>> {
    let row = one(db, "SELECT id FROM topics WHERE key = $1", vec![key.into()]).await?;
    row.map(|row| Ok(TopicId(row.get("id")?))).transpose()
}

/// The key of another topic than `own` that has this name, whatever the case. Until the transaction ends nobody else gives
/// a topic a name.
///
/// # Errors
/// What the database says.
pub async fn named(tx: &Tx, name: &str, own: Option<TopicId>) -> Result<Option<String>> {
    if Kind::of(tx) == Kind::Postgres {
        exec(tx, "SELECT pg_advisory_xact_lock(hashtext('topics.names'))", vec![]).await?;
    }
    let wanted = fold(name);
    for row in all(tx, "SELECT id, key, name FROM topics ORDER BY created_at, id", Vec::new()).await? {
        let (id, other): (Uuid, String) = (row.get("id")?, row.get("name")?);
        if own != Some(TopicId(id)) && fold(&other) == wanted {
            return Ok(Some(row.get("key")?));
        }
    }
    Ok(None)
}

/// Stores a topic.
///
/// # Errors
/// [`Error::Duplicate`] when the key is taken.
pub async fn insert(tx: &Tx, id: TopicId, new: &NewTopic, at: Timestamp) -> Result<()> {
    let insert = "INSERT INTO topics (id, key, name, description, created_at, updated_at, double_opt_in, \
                  question_template_id) VALUES ($1, $2, $3, $4, $5, $5, $6, $7)";
    let values = vec![
        id.0.into(),
        new.key.clone().into(),
        new.name.clone().into(),
        new.description.clone().into(),
        at.as_micros().into(),
        new.double_opt_in.into(),
        new.question_template_id.map(|id| id.0).into(),
    ];
    exec(tx, insert, values).await?;
    Ok(())
}

/// What of a topic can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    pub name: &'a str,
    pub description: &'a str,
    pub double_opt_in: bool,
    pub question_template_id: Option<TemplateId>,
}

/// Stores a changed topic; `version` is the one that was read.
///
/// # Errors
/// [`Error::Stale`] when it is not this version any more.
pub async fn update(tx: &Tx, id: TopicId, version: i64, change: Change<'_>, at: Timestamp) -> Result<()> {
    let update = "UPDATE topics SET name = $1, description = $2, updated_at = $3, version = version + 1, \
                  double_opt_in = $6, question_template_id = $7 WHERE id = $4 AND version = $5";
    let values = vec![
        change.name.into(),
        change.description.into(),
        at.as_micros().into(),
        id.0.into(),
        version.into(),
        change.double_opt_in.into(),
        change.question_template_id.map(|id| id.0).into(),
    ];
    if exec(tx, update, values).await? == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Removes a topic and what people said about it. The consent ledger keeps its lines.
///
/// # Errors
/// [`Error::NotFound`] when it is gone already.
pub async fn delete(tx: &Tx, id: TopicId) -> Result<()> {
    exec(tx, "DELETE FROM subscriptions WHERE topic_id = $1", vec![id.0.into()]).await?;
    exec(tx, "DELETE FROM opt_in_requests WHERE topic_id = $1", vec![id.0.into()]).await?;
    if exec(tx, "DELETE FROM topics WHERE id = $1", vec![id.0.into()]).await? == 1 {
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}

/// The campaigns that use a topic: ids and names, at most `limit`.
///
/// # Errors
/// What the database says.
pub async fn campaigns_using(db: &impl ConnectionTrait, id: TopicId, limit: u32) -> Result<Vec<(CampaignId, String)>> {
    let query = "SELECT id, name FROM campaigns WHERE topic_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2";
    let rows = all(db, query, vec![id.0.into(), i64::from(limit).into()]).await?;
    rows.iter().map(|row| Ok((CampaignId(row.get("id")?), row.get("name")?))).collect()
}

/// The segments whose own rules speak of a topic: their names.
///
/// # Errors
/// What the database says.
pub async fn segments_using(db: &impl ConnectionTrait, key: &str) -> Result<Vec<String>> {
    let rows = all(db, "SELECT name, definition FROM segments ORDER BY created_at DESC, id DESC", Vec::new()).await?;
    let mut names = Vec::new();
    for row in &rows {
        let definition: domain::segment::Group = row.json("definition")?;
        let speaks_of_it = |rule: &domain::segment::Rule| {
            rule.field == "topic"
                && match &rule.value {
                    serde_json::Value::Array(keys) => keys.iter().any(|one| one.as_str() == Some(key)),
                    value => value.as_str() == Some(key),
                }
        };
        if domain::segment::rules(&definition).into_iter().any(|(_, rule)| speaks_of_it(rule)) {
            names.push(row.get("name")?);
        }
    }
    Ok(names)
}
