//! Campaigns: the intention behind runs.

use domain::{
    campaign::{Campaign, CampaignFilter, CampaignStatus, UnreadableCampaign},
    deadline::{NotADeadline, SendBefore},
    ids::{CampaignId, SegmentId, SenderId, TemplateId, TopicId},
    schedule::LastDue,
    text::fold,
    time::Timestamp,
};
use sea_orm::Value;
use uuid::Uuid;

use crate::{ConnectionTrait, Error, Kind, Result, Row, Tx, all, exec, one, readable::if_readable, runs};

/// A campaign of a list, or what is known of one that this version cannot read.
pub type Listed = Result<Campaign, UnreadableCampaign>;

const COLUMNS: &str = "c.id, c.name, c.topic_id, t.key AS topic, c.template_id, c.segment_id, c.sender_id, c.trigger_json, \
                       c.rate_per_second, c.late, c.repeat, c.on_unknown, c.weight, c.status, c.created_at, c.updated_at, \
                       c.version, c.quiet_hours, c.send_before, c.catch_up, c.next_due_at, c.reason, d.due_at AS last_due_at, \
                       d.outcome AS last_outcome, d.reason AS last_reason, d.missed AS last_missed";

const FROM: &str = "FROM campaigns c LEFT JOIN topics t ON t.id = c.topic_id \
                    LEFT JOIN due_times d ON d.campaign_id = c.id AND d.due_at = c.last_due_at";

fn read(row: &Row) -> Result<Campaign> {
    let topic: Option<String> = row.get("topic")?;
    if topic.is_none() && row.get::<Option<Uuid>>("topic_id")?.is_some() {
        // Read as "no topic" it would go to everybody.
        return Err(Error::Corrupt { column: "topic_id", problem: "the topic is gone".to_owned() });
    }
    Ok(Campaign {
        id: CampaignId(row.get("id")?),
        name: row.get("name")?,
        topic,
        template_id: row.get::<Option<Uuid>>("template_id")?.map(TemplateId),
        segment_id: row.get::<Option<Uuid>>("segment_id")?.map(SegmentId),
        sender_id: row.get::<Option<Uuid>>("sender_id")?.map(SenderId),
        trigger: row.json("trigger_json")?,
        catch_up: row.word("catch_up")?,
        rate_per_second: row.get("rate_per_second")?,
        quiet_hours: row.json_or_null("quiet_hours")?,
        send_before: deadline(row)?,
        late: row.word("late")?,
        repeat: row.word("repeat")?,
        on_unknown: row.word("on_unknown")?,
        weight: row.get("weight")?,
        status: row.word("status")?,
        reason: row.get("reason")?,
        next_run_at: row.get::<Option<i64>>("next_due_at")?.map(Timestamp::from_micros),
        last_due: last_due(row)?,
        created_at: Timestamp::from_micros(row.get("created_at")?),
        updated_at: Timestamp::from_micros(row.get("updated_at")?),
        version: row.get("version")?,
        run: None,
    })
}

fn last_due(row: &Row) -> Result<Option<LastDue>> {
    let Some(due_at) = row.get::<Option<i64>>("last_due_at")? else { return Ok(None) };
    Ok(Some(LastDue {
        due_at: Timestamp::from_micros(due_at),
        outcome: row.word("last_outcome")?,
        reason: row.word_or_null("last_reason")?,
        missed: row.get("last_missed")?,
    }))
}

fn deadline(row: &Row) -> Result<Option<SendBefore>> {
    let text: Option<String> = row.get("send_before")?;
    let read = text.map(|text| text.parse()).transpose();
    read.map_err(|error: NotADeadline| Error::Corrupt { column: "send_before", problem: error.to_string() })
}

/// One that cannot be read is named all the same: nobody is to miss it among the others.
fn read_or_name(row: &Row) -> Result<Listed> {
    let id = CampaignId(row.get("id")?);
    let created_at = Timestamp::from_micros(row.get("created_at")?);
    let unreadable = UnreadableCampaign { id, name: row.get("name")?, status: row.word("status").ok(), created_at };
    Ok(if_readable("campaign", id.0, read(row))?.ok_or(unreadable))
}

/// One of which the latest run cannot be read.
fn named(campaign: &Campaign) -> UnreadableCampaign {
    UnreadableCampaign {
        id: campaign.id,
        name: campaign.name.clone(),
        status: Some(campaign.status),
        created_at: campaign.created_at,
    }
}

/// Campaigns by a condition with its order and limit, without their runs.
pub(crate) async fn list_where(db: &impl ConnectionTrait, condition: &str, values: Vec<Value>) -> Result<Vec<Listed>> {
    let rows = all(db, format!("SELECT {COLUMNS} {FROM} WHERE {condition}"), values).await?;
    rows.iter().map(read_or_name).collect()
}

/// A campaign with its latest run.
///
/// # Errors
/// `NotFound` when there is none.
pub async fn get(db: &impl ConnectionTrait, id: CampaignId) -> Result<Campaign> {
    let query = format!("SELECT {COLUMNS} {FROM} WHERE c.id = $1");
    let mut campaign = read(&one(db, query, vec![id.0.into()]).await?.ok_or(Error::NotFound)?)?;
    campaign.run = match runs::latest(db, &[id]).await?.remove(&id) {
        // Without a run it would look as if it had never been launched.
        Some(None) => {
            let problem = "its latest run cannot be read".to_owned();
            return Err(Error::Corrupt { column: "runs.status", problem });
        }
        run => run.flatten(),
    };
    Ok(campaign)
}

/// As [`get`]; none where this version cannot read it, which is said in the log.
///
/// # Errors
/// `NotFound` when there is none.
pub async fn get_readable(db: &impl ConnectionTrait, id: CampaignId) -> Result<Option<Campaign>> {
    if_readable("campaign", id.0, get(db, id).await)
}

/// Campaigns before `before` (time of creation and id), newest first, each with its latest run.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &impl ConnectionTrait,
    filter: &CampaignFilter,
    before: Option<(Timestamp, CampaignId)>,
    limit: u32,
) -> Result<Vec<Listed>> {
    let mut parts = vec!["TRUE".to_owned()];
    let mut values: Vec<Value> = Vec::new();
    if let Some(q) = filter.q.as_deref().filter(|q| !q.trim().is_empty()) {
        values.push(fold(q.trim()).into_owned().into());
        let position = match Kind::of(db) {
            Kind::Postgres => "strpos",
            Kind::Sqlite => "instr",
        };
        parts.push(format!("{position}(c.name_folded, ${}) > 0", values.len()));
    }
    if let Some(status) = filter.status {
        values.push(status.as_str().into());
        parts.push(format!("c.status = ${}", values.len()));
    }
    if let Some((at, id)) = before {
        values.push(at.as_micros().into());
        values.push(id.0.into());
        parts.push(format!("(c.created_at, c.id) < (${}, ${})", values.len() - 1, values.len()));
    }
    values.push(i64::from(limit).into());
    let condition = format!("{} ORDER BY c.created_at DESC, c.id DESC LIMIT ${}", parts.join(" AND "), values.len());
    let mut campaigns = list_where(db, &condition, values).await?;
    let ids: Vec<_> = campaigns.iter().flatten().map(|campaign| campaign.id).collect();
    let mut latest = runs::latest(db, &ids).await?;
    for listed in &mut campaigns {
        let Ok(campaign) = listed else { continue };
        match latest.remove(&campaign.id) {
            Some(None) => *listed = Err(named(campaign)),
            run => campaign.run = run.flatten(),
        }
    }
    Ok(campaigns)
}

/// Locks a campaign until the transaction ends, and says its status.
///
/// # Errors
/// `NotFound` when there is none.
pub async fn lock(tx: &Tx, id: CampaignId) -> Result<CampaignStatus> {
    let lock = Kind::of(tx).for_update();
    let query = format!("SELECT status FROM campaigns WHERE id = $1{lock}");
    one(tx, query, vec![id.0.into()]).await?.ok_or(Error::NotFound)?.word("status")
}

fn columns(campaign: &Campaign, topic: Option<TopicId>) -> Result<Vec<Value>> {
    let trigger = serde_json::to_string(&campaign.trigger)
        .map_err(|error| Error::Corrupt { column: "trigger_json", problem: error.to_string() })?;
    let quiet_hours = campaign.quiet_hours.map(|quiet| serde_json::to_string(&quiet)).transpose();
    let quiet_hours =
        quiet_hours.map_err(|error| Error::Corrupt { column: "quiet_hours", problem: error.to_string() })?;
    Ok(vec![
        campaign.name.clone().into(),
        fold(&campaign.name).into_owned().into(),
        topic.map(|topic| topic.0).into(),
        campaign.template_id.map(|id| id.0).into(),
        campaign.segment_id.map(|id| id.0).into(),
        campaign.sender_id.map(|id| id.0).into(),
        trigger.into(),
        campaign.rate_per_second.into(),
        campaign.late.as_str().into(),
        campaign.repeat.as_str().into(),
        campaign.on_unknown.as_str().into(),
        campaign.weight.into(),
        campaign.status.as_str().into(),
        campaign.updated_at.as_micros().into(),
        quiet_hours.into(),
        campaign.send_before.as_ref().map(ToString::to_string).into(),
        campaign.catch_up.as_str().into(),
        campaign.next_run_at.map(Timestamp::as_micros).into(),
    ])
}

/// Inserts a campaign; `topic` is the id behind its topic's key.
///
/// # Errors
/// What the database says.
pub async fn insert(tx: &Tx, campaign: &Campaign, topic: Option<TopicId>) -> Result<()> {
    let insert = "INSERT INTO campaigns (name, name_folded, topic_id, template_id, segment_id, sender_id, trigger_json, \
                  rate_per_second, late, repeat, on_unknown, weight, status, updated_at, quiet_hours, send_before, catch_up, \
                  next_due_at, id, created_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)";
    let mut values = columns(campaign, topic)?;
    values.extend([campaign.id.0.into(), campaign.created_at.as_micros().into()]);
    exec(tx, insert, values).await?;
    Ok(())
}

/// Writes a campaign in place of its version `campaign.version`.
///
/// # Errors
/// `Stale` when it was changed since.
pub async fn update(tx: &Tx, campaign: &Campaign, topic: Option<TopicId>) -> Result<()> {
    let update = "UPDATE campaigns SET name = $1, name_folded = $2, topic_id = $3, template_id = $4, segment_id = $5, \
                  sender_id = $6, trigger_json = $7, rate_per_second = $8, late = $9, repeat = $10, on_unknown = $11, \
                  weight = $12, status = $13, updated_at = $14, quiet_hours = $15, send_before = $16, \
                  catch_up = $17, next_due_at = $18, version = version + 1 WHERE id = $19 AND version = $20";
    let mut values = columns(campaign, topic)?;
    values.extend([campaign.id.0.into(), campaign.version.into()]);
    if exec(tx, update, values).await? == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Moves a campaign from one of the statuses `from` to another. False when it was in none of them.
///
/// # Errors
/// What the database says.
pub async fn set_status(
    tx: &Tx,
    id: CampaignId,
    from: &[CampaignStatus],
    to: CampaignStatus,
    at: Timestamp,
) -> Result<bool> {
    let from: Vec<String> = from.iter().map(|status| format!("'{status}'")).collect();
    let update = format!(
        "UPDATE campaigns SET status = $1, reason = NULL, updated_at = $2, version = version + 1 WHERE id = $3 AND status IN ({})",
        from.join(", ")
    );
    Ok(exec(tx, update, vec![to.as_str().into(), at.as_micros().into(), id.0.into()]).await? == 1)
}

/// Deletes a campaign. Its runs and messages stay: what was sent stays on record.
///
/// # Errors
/// `NotFound` when there is none.
pub async fn delete(tx: &Tx, id: CampaignId) -> Result<()> {
    let deleted = exec(tx, "DELETE FROM campaigns WHERE id = $1", vec![id.0.into()]).await?;
    if deleted == 1 { Ok(()) } else { Err(Error::NotFound) }
}
