//! Breakers: senders from which nothing can go out, as the provider says, and the one message that tries whether it still
//! is so.

use domain::{
    ids::{CampaignId, MessageId, RunId, SenderId},
    message::State,
    time::Timestamp,
};

use sea_orm::Value;

use crate::{
    ConnectionTrait, Error, Kind, Result, Row, Tx, all,
    batch::{Columns, Type, column},
    exec,
    messages::CLOCKS_APART,
    one,
};

/// A sender's breaker. Without a code it is closed: messages go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// The provider's code that opened it.
    pub code: Option<i32>,
    pub opened_at: Option<Timestamp>,
    /// The code came by callback: then an accepted message proves nothing, only one that goes on.
    pub by_callback: bool,
    /// When one message may try.
    pub probe_at: Option<Timestamp>,
    /// The message that tries now.
    pub probe: Option<MessageId>,
    /// How many have tried in vain.
    pub tries: i32,
    /// When it was closed last: failures of what was handed over before say nothing new.
    pub closed_at: Timestamp,
}

const COLUMNS: &str =
    "id, blocked_code, blocked_at, blocked_by_callback, probe_at, probe_message, probes, unblocked_at";

fn read(row: &Row) -> Result<Breaker> {
    let time = |column| row.get::<Option<i64>>(column).map(|micros| micros.map(Timestamp::from_micros));
    Ok(Breaker {
        code: row.get("blocked_code")?,
        opened_at: time("blocked_at")?,
        by_callback: row.get("blocked_by_callback")?,
        probe_at: time("probe_at")?,
        probe: row.get::<Option<i64>>("probe_message")?.map(MessageId),
        tries: row.get("probes")?,
        closed_at: time("unblocked_at")?.unwrap_or_default(),
    })
}

/// A sender's breaker, locked until the transaction ends. Senders come before campaigns in the order in which everybody
/// locks.
///
/// # Errors
/// `NotFound` when there is no such sender.
pub async fn lock(tx: &Tx, sender: SenderId) -> Result<Breaker> {
    let query = format!("SELECT {COLUMNS} FROM senders WHERE id = $1{}", Kind::of(tx).for_update());
    read(&one(tx, query, vec![sender.0.into()]).await?.ok_or(Error::NotFound)?)
}

/// Writes a locked breaker back.
///
/// # Errors
/// What the database says.
pub async fn save(tx: &Tx, sender: SenderId, breaker: &Breaker) -> Result<()> {
    let update = "UPDATE senders SET blocked_code = $1, blocked_at = $2, blocked_by_callback = $3, probe_at = $4, \
                  probe_message = $5, probes = $6, unblocked_at = $7 WHERE id = $8";
    let micros = |at: Option<Timestamp>| at.map(Timestamp::as_micros);
    let values = vec![
        breaker.code.into(),
        micros(breaker.opened_at).into(),
        breaker.by_callback.into(),
        micros(breaker.probe_at).into(),
        breaker.probe.map(|message| message.0).into(),
        breaker.tries.into(),
        breaker.closed_at.as_micros().into(),
        sender.0.into(),
    ];
    exec(tx, update, values).await?;
    Ok(())
}

/// The condition for senders whose breaker was written by a clock that was further ahead than `$1`, or who wait longer than
/// until `$2`. What a sender waits for may be ahead, as long as it was blocked before.
const AHEAD: &str = "(probe_at > $1 AND (blocked_at > $1 OR probe_message IS NOT NULL)) OR probe_at > $2 \
                     OR blocked_at > $1 OR unblocked_at > $1";

fn ahead(now: Timestamp, longest: i64) -> [Value; 2] {
    let ahead = now.plus(CLOCKS_APART);
    [ahead.as_micros().into(), ahead.plus(longest).as_micros().into()]
}

/// Whether there is anything for [`set_back`], when no sender waits longer than `longest` microseconds.
///
/// # Errors
/// What the database says.
pub async fn is_ahead(db: &impl ConnectionTrait, now: Timestamp, longest: i64) -> Result<bool> {
    let query = format!("SELECT 1 AS found FROM senders WHERE {AHEAD} LIMIT 1");
    Ok(one(db, query, ahead(now, longest).to_vec()).await?.is_some())
}

/// After the clock was set back: what breakers did while it was ahead, they did now, and one message tries at once. Returns how
/// many senders there were.
///
/// # Errors
/// What the database says.
pub async fn set_back(tx: &Tx, now: Timestamp, longest: i64) -> Result<u64> {
    let update = format!(
        "UPDATE senders SET probe_at = CASE WHEN probe_at > $1 THEN $3 ELSE probe_at END, \
         blocked_at = CASE WHEN blocked_at > $1 THEN $3 ELSE blocked_at END, \
         unblocked_at = CASE WHEN unblocked_at > $1 THEN $3 ELSE unblocked_at END WHERE {AHEAD}"
    );
    let mut values = ahead(now, longest).to_vec();
    values.push(now.as_micros().into());
    exec(tx, update, values).await
}

/// A sender whose breaker is open, with what has to be known to look after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    pub sender: SenderId,
    pub breaker: Breaker,
    /// Where the message stands that tries now, and its code.
    pub probe: Option<(State, Option<i32>)>,
    /// One of its runs is running.
    pub has_running: bool,
}

/// The senders whose breaker is open.
///
/// # Errors
/// What the database says.
pub async fn open(db: &impl ConnectionTrait) -> Result<Vec<Open>> {
    // No join: PostgreSQL would rather read all messages for it, as long as there are few.
    let query = format!(
        "SELECT s.{COLUMNS}, (SELECT m.state FROM messages m WHERE m.id = s.probe_message) AS probe_state, \
         (SELECT m.error_code FROM messages m WHERE m.id = s.probe_message) AS probe_code, \
         s.id IN (SELECT r.sender_id FROM runs r WHERE r.finished_at IS NULL AND r.status = 'running') AS has_running \
         FROM senders s WHERE s.blocked_code IS NOT NULL ORDER BY s.id"
    );
    let open = |row: &Row| {
        Ok(Open {
            sender: SenderId(row.get("id")?),
            breaker: read(row)?,
            probe: probe(row)?,
            has_running: row.get("has_running")?,
        })
    };
    all(db, query, Vec::new()).await?.iter().map(open).collect()
}

fn probe(row: &Row) -> Result<Option<(State, Option<i32>)>> {
    let Some(rank) = row.get::<Option<i16>>("probe_state")? else { return Ok(None) };
    let state = State::from_rank(rank)
        .ok_or_else(|| Error::Corrupt { column: "messages.state", problem: format!("rank {rank}") })?;
    Ok(Some((state, row.get("probe_code")?)))
}

/// Which sender a message went out from.
///
/// # Errors
/// What the database says.
pub async fn sender_of(db: &impl ConnectionTrait, message: MessageId) -> Result<Option<SenderId>> {
    let row = one(db, "SELECT sender_id FROM messages WHERE id = $1", vec![message.0.into()]).await?;
    row.map(|row| row.get("sender_id").map(SenderId)).transpose()
}

/// How many of these messages went out from each sender.
///
/// # Errors
/// What the database says.
pub async fn senders_of(db: &impl ConnectionTrait, messages: &[MessageId]) -> Result<Vec<(SenderId, u32)>> {
    let mut batch = Columns::new(Kind::of(db), [column("id", Type::BigInt)]);
    messages.iter().for_each(|message| batch.push([message.0.into()]));
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = Vec::new();
    let table = batch.table("b", &mut values)?;
    let query = format!(
        "SELECT m.sender_id, CAST(count(*) AS bigint) AS n FROM {table} CROSS JOIN messages m WHERE m.id = b.id \
         GROUP BY m.sender_id ORDER BY m.sender_id"
    );
    let rows = all(db, query, values).await?;
    rows.iter()
        .map(|row| Ok((SenderId(row.get("sender_id")?), u32::try_from(row.get::<i64>("n")?).unwrap_or(u32::MAX))))
        .collect()
}

/// When a message was last handed over, as its decisions say; what the planner decides is none of these.
///
/// # Errors
/// What the database says.
pub async fn handed_over_at(db: &impl ConnectionTrait, message: MessageId) -> Result<Option<Timestamp>> {
    let query = "SELECT MAX(d.at) AS at FROM decisions d JOIN messages m ON m.id = d.message_id AND m.month = d.month \
                 WHERE d.message_id = $1 AND d.attempt > 0";
    let row = one(db, query, vec![message.0.into()]).await?;
    Ok(row.map(|row| row.get::<Option<i64>>("at")).transpose()?.flatten().map(Timestamp::from_micros))
}

/// The sender's runs that are running, with their campaigns, in the order in which campaigns are locked.
///
/// # Errors
/// What the database says.
pub async fn running(db: &impl ConnectionTrait, sender: SenderId) -> Result<Vec<(RunId, CampaignId)>> {
    runs(db, sender, "status = 'running'").await
}

/// The sender's runs that were paused because it is blocked.
///
/// # Errors
/// What the database says.
pub async fn paused(db: &impl ConnectionTrait, sender: SenderId) -> Result<Vec<(RunId, CampaignId)>> {
    runs(db, sender, "status = 'paused' AND blocked").await
}

async fn runs(db: &impl ConnectionTrait, sender: SenderId, which: &str) -> Result<Vec<(RunId, CampaignId)>> {
    let query = format!(
        "SELECT id, campaign_id FROM runs WHERE finished_at IS NULL AND sender_id = $1 AND {which} \
         ORDER BY campaign_id, id"
    );
    let rows = all(db, query, vec![sender.0.into()]).await?;
    rows.iter().map(|row| Ok((RunId(row.get("id")?), CampaignId(row.get("campaign_id")?)))).collect()
}

/// Pauses a running run because of its sender. False when it is not running.
///
/// # Errors
/// What the database says.
pub async fn pause_run(tx: &Tx, run: RunId, reason: &str) -> Result<bool> {
    let update = "UPDATE runs SET status = 'paused', reason = $1, blocked = TRUE WHERE id = $2 AND status = 'running'";
    Ok(exec(tx, update, vec![reason.to_owned().into(), run.0.into()]).await? == 1)
}

/// A run that was paused because of its sender stays paused whatever becomes of the sender. False when it was not.
///
/// # Errors
/// What the database says.
pub async fn keep_paused(tx: &Tx, run: RunId) -> Result<bool> {
    let update = "UPDATE runs SET reason = NULL, blocked = FALSE WHERE id = $1 AND status = 'paused' AND blocked";
    Ok(exec(tx, update, vec![run.0.into()]).await? == 1)
}

/// Lets a run that was paused because of its sender go on. False when somebody has paused or ended it since.
///
/// # Errors
/// What the database says.
pub async fn resume_run(tx: &Tx, run: RunId) -> Result<bool> {
    let update = "UPDATE runs SET status = 'running', reason = NULL, blocked = FALSE \
                  WHERE id = $1 AND status = 'paused' AND blocked";
    Ok(exec(tx, update, vec![run.0.into()]).await? == 1)
}
