//! The runs that may be sent from, with what their sending needs.

use domain::{
    ids::{CampaignId, RunId, TemplateId, TopicId},
    run::Rules,
};
use uuid::Uuid;

use crate::{ConnectionTrait, Result, Row, all, senders::SenderRow};

/// A running run and its sender.
#[derive(Clone, Debug, PartialEq)]
pub struct RunLane {
    pub run: RunId,
    pub campaign: CampaignId,
    pub template: (TemplateId, i64),
    pub topic: Option<TopicId>,
    pub rules: Rules,
    pub rate_per_second: Option<i32>,
    pub weight: i32,
    /// Otherwise all that is left is claimed already.
    pub has_queued: bool,
    pub sender: SenderRow,
}

/// The runs that are running, with messages queued or claimed, from a sender that is enabled and not held.
///
/// # Errors
/// What the database says.
pub async fn lanes(db: &impl ConnectionTrait) -> Result<Vec<RunLane>> {
    let query = format!(
        "SELECT r.id AS run_id, r.campaign_id, r.template_id, r.template_version, r.topic_id, r.rules, \
         r.rate_per_second AS run_rate, r.weight, l.queued > 0 AS has_queued, {} FROM runs r JOIN run_ledgers l ON l.run_id = r.id \
         JOIN senders s ON s.id = r.sender_id \
         WHERE r.finished_at IS NULL AND r.status = 'running' AND l.queued + l.sending > 0 AND s.enabled AND s.sending = 'on' \
         ORDER BY r.created_at, r.id",
        crate::senders::COLUMNS
    );
    all(db, query, Vec::new()).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<RunLane> {
    Ok(RunLane {
        run: RunId(row.get("run_id")?),
        campaign: CampaignId(row.get("campaign_id")?),
        template: (TemplateId(row.get("template_id")?), row.get("template_version")?),
        topic: row.get::<Option<Uuid>>("topic_id")?.map(TopicId),
        rules: row.json("rules")?,
        rate_per_second: row.get("run_rate")?,
        weight: row.get("weight")?,
        has_queued: row.get("has_queued")?,
        sender: crate::senders::read(row)?,
    })
}
