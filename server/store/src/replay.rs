//! What the stored evidence says of webhooks, people and runs, beside what their rows say. Messages: see
//! [`crate::messages::evidence`].

use domain::{
    consent::{Consent, Subscription},
    event::{WebhookEvent, WebhookOutcome},
    ids::{ContactId, RunId, TopicId, WebhookEventId},
    message::State,
    run::Ledger,
};
use sea_orm::Value;
use uuid::Uuid;

use crate::{
    ConnectionTrait, Error, Result, Row, Tx, all, exec, ledger, one,
    webhook_events::{SealedBody, event},
};

/// Webhooks that were stored together, and their raw forms.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub id: WebhookEventId,
    pub body: SealedBody,
}

/// The next blocks behind `after`.
///
/// # Errors
/// What the database says.
pub async fn blocks(db: &impl ConnectionTrait, after: WebhookEventId, limit: u32) -> Result<Vec<Block>> {
    let query = format!("SELECT id, period, sealed FROM webhook_blocks WHERE id > $1 ORDER BY id LIMIT {limit}");
    all(db, query, vec![after.0.into()]).await?.iter().map(block).collect()
}

fn block(row: &Row) -> Result<Block> {
    let id = WebhookEventId(row.get("id")?);
    Ok(Block { id, body: SealedBody { block: Some(id), period: row.get("period")?, sealed: row.get("sealed")? } })
}

/// What was read from a webhook when it came, and whether what it says is where it belongs: a callback among the receipts,
/// a person's message among the inbound ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalised {
    pub event: WebhookEvent,
    pub kept: bool,
}

/// The webhooks from `first` to `last`.
///
/// # Errors
/// What the database says.
pub async fn normalised(
    db: &impl ConnectionTrait,
    first: WebhookEventId,
    last: WebhookEventId,
) -> Result<Vec<Normalised>> {
    let query = "SELECT e.id, e.kind, e.received_at, e.provider_sid, e.message_id, e.status, e.error_code, e.outcome, \
                 e.reason, CASE WHEN e.kind = 'status' THEN EXISTS (SELECT 1 FROM receipts r \
                 WHERE r.message_id = e.message_id AND r.provider_sid = e.provider_sid AND r.status = e.status \
                 AND r.error_code = COALESCE(e.error_code, 0)) \
                 ELSE EXISTS (SELECT 1 FROM inbound_messages i WHERE i.provider_sid = e.provider_sid) END AS kept \
                 FROM webhook_events e WHERE e.id >= $1 AND e.id <= $2 ORDER BY e.id";
    let rows = all(db, query, vec![first.0.into(), last.0.into()]).await?;
    rows.iter()
        .map(|row| {
            let event = event(row)?;
            let belongs = matches!(event.outcome, WebhookOutcome::Applied | WebhookOutcome::NoChange);
            Ok(Normalised { kept: !belongs || row.get("kept")?, event })
        })
        .collect()
}

/// How many webhooks there are, whether their raw forms are still there or not.
///
/// # Errors
/// What the database says.
pub async fn count_webhooks(db: &impl ConnectionTrait) -> Result<i64> {
    let row = one(db, "SELECT CAST(count(*) AS bigint) AS n FROM webhook_events", Vec::new()).await?;
    row.map_or(Ok(0), |row| row.get("n"))
}

/// A person's wish as stored, and as the latest line of the ledger has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    pub contact_id: ContactId,
    pub consent: Consent,
    pub suppressed: bool,
    /// None: nothing was ever said of this person.
    pub told: Option<Consent>,
}

/// The next people behind `after`.
///
/// # Errors
/// What the database says.
pub async fn wishes(db: &impl ConnectionTrait, after: ContactId, limit: u32) -> Result<Vec<Wish>> {
    let query = format!(
        "SELECT c.contact_id, c.consent, c.suppressed, (SELECT l.consent FROM consent_ledger l \
         WHERE l.contact_id = c.contact_id AND l.topic_id IS NULL ORDER BY l.seq DESC LIMIT 1) AS told \
         FROM contacts c WHERE c.contact_id > $1 ORDER BY c.contact_id LIMIT {limit}"
    );
    let rows = all(db, query, vec![after.0.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Wish {
                contact_id: ContactId(row.get("contact_id")?),
                consent: row.word("consent")?,
                suppressed: row.get("suppressed")?,
                told: row.word_or_null("told")?,
            })
        })
        .collect()
}

/// A subscription as stored, and as the latest line of the ledger has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicWish {
    pub contact_id: ContactId,
    pub topic_id: TopicId,
    pub state: Subscription,
    pub told: Option<Consent>,
}

/// The next subscriptions behind `after`.
///
/// # Errors
/// What the database says.
pub async fn topic_wishes(
    db: &impl ConnectionTrait,
    after: (ContactId, TopicId),
    limit: u32,
) -> Result<Vec<TopicWish>> {
    let query = format!(
        "SELECT s.contact_id, s.topic_id, s.state, (SELECT l.consent FROM consent_ledger l \
         WHERE l.contact_id = s.contact_id AND l.topic_id = s.topic_id ORDER BY l.seq DESC LIMIT 1) AS told \
         FROM subscriptions s WHERE (s.contact_id, s.topic_id) > ($1, $2) ORDER BY s.contact_id, s.topic_id LIMIT {limit}"
    );
    let rows = all(db, query, vec![after.0.0.into(), after.1.0.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(TopicWish {
                contact_id: ContactId(row.get("contact_id")?),
                topic_id: TopicId(row.get("topic_id")?),
                state: row.word("state")?,
                told: row.word_or_null("told")?,
            })
        })
        .collect()
}

/// A run's counters as stored, and as its messages count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    pub run: RunId,
    pub stored: Ledger,
    pub counted: Ledger,
}

/// The runs whose counters are not what their messages count; both are read in one statement, so that a run under way is
/// no difference.
///
/// # Errors
/// What the database says.
pub async fn miscounted(db: &impl ConnectionTrait) -> Result<Vec<Counted>> {
    let rows = all(db, counting(""), Vec::new()).await?;
    let counts: Vec<Counted> = rows.iter().map(counted).collect::<Result<_>>()?;
    Ok(counts.into_iter().filter(|of| of.stored != of.counted).collect())
}

fn counting(condition: &str) -> String {
    let counts: Vec<String> = State::ALL
        .iter()
        .map(|state| {
            let rank = state.rank();
            format!("CAST(COALESCE(sum(CASE WHEN m.state = {rank} THEN 1 ELSE 0 END), 0) AS bigint) AS c{rank}")
        })
        .collect();
    format!(
        "SELECT l.run_id, {}, {} FROM run_ledgers l LEFT JOIN messages m ON m.run_id = l.run_id {condition} GROUP BY l.run_id",
        ledger::COLUMNS,
        counts.join(", ")
    )
}

fn counted(row: &Row) -> Result<Counted> {
    let mut counted = Ledger::default();
    for (state, slot) in slots(&mut counted) {
        *slot = row.get(&format!("c{}", state.rank()))?;
    }
    counted.planned = slots(&mut counted).map(|(_, slot)| *slot).iter().sum();
    Ok(Counted { run: RunId(row.get::<Uuid>("run_id")?), stored: ledger::read(row)?, counted })
}

/// The counters of the states, each with the name of its column's state.
const fn slots(ledger: &mut Ledger) -> [(State, &mut i64); 11] {
    [
        (State::Queued, &mut ledger.queued),
        (State::Sending, &mut ledger.sending),
        (State::Unknown, &mut ledger.unknown),
        (State::Accepted, &mut ledger.accepted),
        (State::Sent, &mut ledger.sent),
        (State::Undelivered, &mut ledger.undelivered),
        (State::Failed, &mut ledger.failed),
        (State::Delivered, &mut ledger.delivered),
        (State::Read, &mut ledger.read),
        (State::Skipped, &mut ledger.skipped),
        (State::Cancelled, &mut ledger.cancelled),
    ]
}

/// Gives a run the counters that its messages have. Whoever moves messages moves the counters last, in the same
/// transaction: who waits for them here has moved messages that are not counted yet, and counts them then.
///
/// # Errors
/// `NotFound` when there is no such run.
pub async fn recount(tx: &Tx, run: RunId) -> Result<()> {
    let lock = "UPDATE run_ledgers SET planned = planned WHERE run_id = $1";
    if exec(tx, lock, vec![run.0.into()]).await? == 0 {
        return Err(Error::NotFound);
    }
    let row = one(tx, counting("WHERE l.run_id = $1"), vec![run.0.into()]).await?.ok_or(Error::NotFound)?;
    let mut counted = counted(&row)?.counted;
    let mut values: Vec<Value> = vec![run.0.into(), counted.planned.into()];
    let mut columns = Vec::new();
    for (state, count) in slots(&mut counted) {
        values.push((*count).into());
        columns.push(format!("{state} = ${}", values.len()));
    }
    let update = format!("UPDATE run_ledgers SET planned = $2, {} WHERE run_id = $1", columns.join(", "));
    exec(tx, update, values).await?;
    Ok(())
}
