//! The runs that may be sent from, with what their sending needs.

use domain::{
    ids::{CampaignId, RunId, TemplateId, TopicId},
    run::Rules,
    time::Timestamp,
};
use uuid::Uuid;

use crate::{ConnectionTrait, Error, Kind, Result, Row, all, one, readable::each_readable, senders::SenderRow};

/// A running run and its sender.
#[derive(Clone, Debug, PartialEq)]
pub struct RunLane {
    pub run: RunId,
    pub campaign: CampaignId,
    pub template: (TemplateId, i64),
    pub topic: Option<TopicId>,
    pub rules: Rules,
    /// Nothing of it is due before.
    pub snapshot_at: Timestamp,
    pub rate_per_second: Option<i32>,
    pub weight: i32,
    /// Otherwise all that is left is claimed already.
    pub has_queued: bool,
    /// Something of what is queued is due: what sleeps until morning is not claimed again and again.
    pub has_due: bool,
    pub sender: SenderRow,
}

/// The queued message of a run that is due first. Asked for by its order, it is one look into the index; asked whether there is
/// one that is due, PostgreSQL expects to find some soon and reads all messages where there is none.
const FIRST_QUEUED: &str = "FROM messages m WHERE m.run_id = r.id AND m.open = 0 ORDER BY m.not_before, m.id LIMIT 1";

/// The runs with messages queued or claimed, from a sender that is enabled and not held: those that are running, and of a
/// blocked sender those of which one message may try now, or is trying. From one that this version cannot read nothing is
/// sent.
///
/// # Errors
/// What the database says.
pub async fn lanes(db: &impl ConnectionTrait, now: Timestamp) -> Result<Vec<RunLane>> {
    let query = format!(
        "{} WHERE r.finished_at IS NULL AND l.queued + l.sending > 0 AND s.enabled AND s.sending = 'on' \
         AND CASE WHEN s.blocked_code IS NULL THEN r.status = 'running' \
         ELSE (r.status = 'running' OR (r.status = 'paused' AND r.blocked)) \
         AND (s.probe_message IS NOT NULL OR (s.probe_at <= $1 \
         AND COALESCE((SELECT m.not_before {FIRST_QUEUED}) <= $1, FALSE))) END \
         ORDER BY r.created_at, r.id",
        columns(Kind::of(db))
    );
    each_readable(&all(db, query, vec![now.as_micros().into()]).await?, ("run", "run_id"), read)
}

/// One run with its sender, whatever their states are.
///
/// # Errors
/// `NotFound` when there is no such run.
pub async fn lane(db: &impl ConnectionTrait, run: RunId, now: Timestamp) -> Result<RunLane> {
    let query = format!("{} WHERE r.id = $2", columns(Kind::of(db)));
    read(&one(db, query, vec![now.as_micros().into(), run.0.into()]).await?.ok_or(Error::NotFound)?)
}

/// `$1` is the time.
fn columns(kind: Kind) -> String {
    format!(
        "SELECT r.id AS run_id, r.campaign_id, r.template_id, r.template_version, r.topic_id, r.rules, \
         r.snapshot_at, r.rate_per_second AS run_rate, r.weight, l.queued > 0 AS has_queued, \
         COALESCE((SELECT m.not_before {FIRST_QUEUED}) <= {}($1, r.snapshot_at), FALSE) AS has_due, {} FROM runs r \
         JOIN run_ledgers l ON l.run_id = r.id JOIN senders s ON s.id = r.sender_id",
        kind.greatest(),
        crate::senders::COLUMNS
    )
}

fn read(row: &Row) -> Result<RunLane> {
    Ok(RunLane {
        run: RunId(row.get("run_id")?),
        campaign: CampaignId(row.get("campaign_id")?),
        template: (TemplateId(row.get("template_id")?), row.get("template_version")?),
        topic: row.get::<Option<Uuid>>("topic_id")?.map(TopicId),
        rules: row.json("rules")?,
        snapshot_at: Timestamp::from_micros(row.get("snapshot_at")?),
        rate_per_second: row.get("run_rate")?,
        weight: row.get("weight")?,
        has_queued: row.get("has_queued")?,
        has_due: row.get("has_due")?,
        sender: crate::senders::read(row)?,
    })
}
