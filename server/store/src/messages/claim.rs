//! Claiming: due messages of one lane become this worker's, read together with what deciding needs.

use domain::{
    consent::{Category, Consent, Subscription},
    contact::Attributes,
    ids::{CampaignId, ContactId, MessageId, RunId, SenderId, TemplateId, TopicId},
    message::{Kind as MessageKind, State},
    phone::Phone,
    time::Timestamp,
};
use sea_orm::Value;
use uuid::Uuid;

use super::{
    rows::wanted,
    sweep::CLOCKS_APART,
    waiting_singles::{SINGLE_LANES, due_singles, next_single},
};
use crate::{
    ConnectionTrait, Error, Kind, Result, Row, Tx, all,
    ledger::{self, Move},
    one,
    windows::OF_MESSAGE,
};

/// Where messages queue: those of one run, or the single sends, replies and tests of one sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    Run { run: RunId, topic: Option<TopicId> },
    Singles { sender: SenderId },
}

/// Whose the claimed messages are, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// By the engine's clock.
    pub until: Timestamp,
    /// New at every start of a process, so that a worker that was thought dead changes nothing.
    pub owner: i64,
}

/// A message that now belongs to the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    pub id: MessageId,
    pub run_id: Option<RunId>,
    pub campaign_id: Option<CampaignId>,
    pub contact_id: ContactId,
    pub sender_id: SenderId,
    pub kind: MessageKind,
    /// The attempt that this claim begins; the first is 1.
    pub attempt: i16,
    /// Single sends and tests: what to render. A run's messages take the run's.
    pub template: Option<(TemplateId, i64, Category)>,
    /// Null after the person was erased.
    pub contact: Option<ClaimedContact>,
    /// To the run's topic, when it has one.
    pub subscription: Option<Subscription>,
    /// How many marketing messages the person had in each window that was asked for ([`super::count_for_caps`]).
    pub recent: Vec<i64>,
    /// A single send's text.
    pub body: Option<String>,
    /// A single send's own variables, or an event's data as `event`: they stand in front of the contact's attributes.
    pub variables: Attributes,
}

/// The person, as known in the moment of the claim.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimedContact {
    pub phone: Phone,
    pub name: Option<String>,
    pub attributes: Attributes,
    pub country: Option<String>,
    pub timezone: Option<String>,
    pub locale: Option<String>,
    pub consent: Consent,
    pub suppressed: bool,
    /// Somebody is to decide whether the person has opted out.
    pub in_review: bool,
    /// When the person last wrote to the sender of this message.
    pub last_inbound_at: Option<Timestamp>,
}

/// Takes up to `limit` due messages of a lane: they become `sending` with a lease and one more attempt, and the run's
/// ledger follows. Nothing is taken from a run that is not running. The order of the answer is that of their ids.
///
/// # Errors
/// What the database says.
pub async fn claim(tx: &Tx, now: Timestamp, lane: Lane, lease: Lease, limit: u32) -> Result<Vec<Claimed>> {
    take(tx, now, (lane, "status = 'running'"), lease, limit).await
}

/// Takes messages of which one tries whether a blocked sender works again: also of a run that is paused for that reason.
///
/// # Errors
/// What the database says.
pub async fn claim_probe(tx: &Tx, now: Timestamp, lane: Lane, lease: Lease, limit: u32) -> Result<Vec<Claimed>> {
    take(tx, now, (lane, "(status = 'running' OR (status = 'paused' AND blocked))"), lease, limit).await
}

/// A lane, and which of its runs may be taken from.
type Source = (Lane, &'static str);

async fn take(tx: &Tx, now: Timestamp, source: Source, lease: Lease, limit: u32) -> Result<Vec<Claimed>> {
    let rows = match Kind::of(tx) {
        Kind::Postgres => claim_postgres(tx, now, source, lease, limit).await?,
        Kind::Sqlite => claim_sqlite(tx, now, source, lease, limit).await?,
    };
    let mut claimed: Vec<Claimed> = rows.iter().map(read).collect::<Result<_>>()?;
    claimed.sort_unstable_by_key(|message| message.id);
    let moves: Vec<Move> = claimed
        .iter()
        .map(|message| Move {
            run_id: message.run_id,
            from: State::Queued,
            to: State::Sending,
            reason: None,
            error_code: None,
            former_code: None,
        })
        .collect();
    ledger::apply(tx, &moves).await?;
    Ok(claimed)
}

/// Which rows are the lane's and due; `$1` is the lane's id, `$2` now, `$3` the limit.
fn due((lane, may): Source, kind: Kind) -> (String, Value) {
    match lane {
        Lane::Run { run, .. } => (due_of_run(may, kind), run.0.into()),
        Lane::Singles { sender } => (due_singles(kind), sender.0.into()),
    }
}

fn due_of_run(may: &str, kind: Kind) -> String {
    // The clock of whoever launched a run may be a little ahead of this one: what was due at the launch is due. By no more than
    // that, or a run from before the clock was set back would take what is to wait, over and over.
    let (least, greatest) = (kind.least(), kind.greatest());
    let due =
        format!("{least}({greatest}($2, (SELECT snapshot_at FROM runs WHERE runs.id = $1)), $2 + {CLOCKS_APART})");
    let locked = kind.skip_locked();
    format!(
        "SELECT id FROM messages WHERE run_id = $1 AND EXISTS (SELECT 1 FROM runs WHERE runs.id = $1 AND {may}) \
         AND open = 0 AND not_before <= {due} ORDER BY not_before, id LIMIT $3{locked}"
    )
}

const CLAIMED: &str = "m.id, m.run_id, m.campaign_id, m.contact_id, m.sender_id, m.kind, m.attempt, m.template_id, \
                       m.template_version, m.occurrence";

/// The text is looked up row by row: as a join PostgreSQL would read all texts of a growing run at every claim, as long
/// as its statistics are from before the first of them.
const JOINED: &str = "c.phone, c.name, CAST(c.attributes AS text) AS attributes, c.country, c.timezone, c.locale, \
                      c.consent, c.suppressed, c.review_since, s.state AS subscription, v.category, \
                      (SELECT t.body FROM message_texts t WHERE t.message_id = m.id) AS body, \
                      (SELECT t.variables FROM message_texts t WHERE t.message_id = m.id) AS variables, \
                      CASE WHEN m.occurrence > 0 THEN (SELECT d.data FROM trigger_event_data d \
                      WHERE d.number = m.occurrence) END AS event";

fn joins(topic: &str) -> String {
    format!(
        "LEFT JOIN contacts c ON c.contact_id = m.contact_id \
         LEFT JOIN subscriptions s ON s.contact_id = m.contact_id AND s.topic_id = {topic} \
         LEFT JOIN template_versions v ON v.template_id = m.template_id AND v.version = m.template_version"
    )
}

fn topic(lane: Lane) -> Value {
    match lane {
        Lane::Run { topic, .. } => topic.map(|topic| topic.0).into(),
        Lane::Singles { .. } => None::<Uuid>.into(),
    }
}

/// One statement: whoever opted out before it began is seen as opted out.
async fn claim_postgres(tx: &Tx, now: Timestamp, source: Source, lease: Lease, limit: u32) -> Result<Vec<Row>> {
    let (due, id) = due(source, Kind::Postgres);
    let statement = format!(
        "WITH due AS ({due}), m AS (\
         UPDATE messages AS m SET state = 1, attempt = m.attempt + 1, lease_until = $4, lease_owner = $5, \
         updated_at = $2, claimed_at = $2 FROM due WHERE m.id = due.id RETURNING {CLAIMED}) \
         SELECT {CLAIMED}, {JOINED}, {OF_MESSAGE} AS last_inbound_at FROM m {}",
        joins("$6")
    );
    let values = vec![
        id,
        now.as_micros().into(),
        i64::from(limit).into(),
        lease.until.as_micros().into(),
        lease.owner.into(),
        topic(source.0),
    ];
    all(tx, statement, values).await
}

/// Two statements under the write lock: nothing can come between them.
async fn claim_sqlite(tx: &Tx, now: Timestamp, source: Source, lease: Lease, limit: u32) -> Result<Vec<Row>> {
    let (due, id) = due(source, Kind::Sqlite);
    let update = format!(
        "UPDATE messages SET state = 1, attempt = attempt + 1, lease_until = $4, lease_owner = $5, updated_at = $2, \
         claimed_at = $2 \
         WHERE id IN ({due}) RETURNING id"
    );
    let values =
        vec![id, now.as_micros().into(), i64::from(limit).into(), lease.until.as_micros().into(), lease.owner.into()];
    let ids: Vec<i64> = all(tx, update, values).await?.iter().map(|row| row.get("id")).collect::<Result<_>>()?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = vec![topic(source.0)];
    let query = format!(
        "SELECT {CLAIMED}, {JOINED}, {OF_MESSAGE} AS last_inbound_at FROM messages m {} WHERE m.id IN (SELECT wanted.id FROM {})",
        joins("$1"),
        wanted(Kind::Sqlite, ids.into_iter(), &mut values)?
    );
    all(tx, query, values).await
}

/// Which of a run's messages are looked at without being claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which<'a> {
    /// Those that are queued, of the contacts after the first number through the last.
    QueuedOf((i64, i64)),
    /// These, whatever became of them; a page of them.
    These(&'a [MessageId]),
}

/// Messages of a run with everything that deciding needs, as a claim would read them; they stay as they are. In the order
/// of their contacts' numbers.
///
/// # Errors
/// What the database says.
pub async fn as_if_claimed(
    db: &impl ConnectionTrait,
    run: RunId,
    topic: Option<TopicId>,
    which: Which<'_>,
) -> Result<Vec<Claimed>> {
    let mut values = vec![topic.map(|topic| topic.0).into(), run.0.into()];
    let which = match which {
        Which::QueuedOf((after, last)) => {
            values.extend([after.into(), last.into()]);
            "m.open = 0 AND m.contact_id > $3 AND m.contact_id <= $4 ORDER BY m.contact_id".to_owned()
        }
        Which::These(ids) => {
            let wanted = wanted(Kind::of(db), ids.iter().map(|id| id.0), &mut values)?;
            format!("m.id IN (SELECT wanted.id FROM {wanted}) ORDER BY m.contact_id")
        }
    };
    let query = format!(
        "SELECT {CLAIMED}, {JOINED}, {OF_MESSAGE} AS last_inbound_at FROM messages m {} WHERE m.run_id = $2 AND {which}",
        joins("$1")
    );
    all(db, query, values).await?.iter().map(read).collect()
}

/// A message of no run with everything that filling it needs, as a claim would read it; it stays as it is.
///
/// # Errors
/// What the database says.
pub async fn single_as_if_claimed(db: &impl ConnectionTrait, message: MessageId) -> Result<Option<Claimed>> {
    let query = format!(
        "SELECT {CLAIMED}, {JOINED}, {OF_MESSAGE} AS last_inbound_at FROM messages m {} WHERE m.id = $2 \
         AND m.run_id IS NULL",
        joins("$1")
    );
    let values = vec![None::<Uuid>.into(), message.0.into()];
    one(db, query, values).await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Claimed> {
    let kind: i16 = row.get("kind")?;
    let template: Option<Uuid> = row.get("template_id")?;
    let version: Option<i64> = row.get("template_version")?;
    Ok(Claimed {
        id: MessageId(row.get("id")?),
        run_id: row.get::<Option<Uuid>>("run_id")?.map(RunId),
        campaign_id: row.get::<Option<Uuid>>("campaign_id")?.map(CampaignId),
        contact_id: ContactId(row.get("contact_id")?),
        sender_id: SenderId(row.get("sender_id")?),
        kind: MessageKind::from_number(kind)
            .ok_or_else(|| Error::Corrupt { column: "messages.kind", problem: kind.to_string() })?,
        attempt: row.get("attempt")?,
        template: match (template, version, row.word_or_null("category")?) {
            (Some(template), Some(version), Some(category)) => Some((TemplateId(template), version, category)),
            _ => None,
        },
        contact: read_contact(row)?,
        subscription: row.word_or_null("subscription")?,
        recent: Vec::new(),
        body: row.get("body")?,
        variables: variables(row)?,
    })
}

/// A single send's variables; of a message that an event made, the event's data as `event`.
fn variables(row: &Row) -> Result<Attributes> {
    if let Some(text) = row.get::<Option<String>>("event")? {
        let data = parse("trigger_event_data.data", &text)?;
        return Ok(Attributes::from_iter([("event".to_owned(), data.into())]));
    }
    match row.get::<Option<String>>("variables")? {
        Some(text) => parse("message_texts.variables", &text),
        None => Ok(Attributes::new()),
    }
}

fn read_contact(row: &Row) -> Result<Option<ClaimedContact>> {
    let Some(phone) = row.get::<Option<String>>("phone")? else { return Ok(None) };
    Ok(Some(ClaimedContact {
        phone: phone
            .parse()
            .map_err(|error: domain::phone::NotE164| Error::Corrupt { column: "phone", problem: error.to_string() })?,
        name: row.get("name")?,
        attributes: parse("contacts.attributes", &row.get::<String>("attributes")?)?,
        country: row.get("country")?,
        timezone: row.get("timezone")?,
        locale: row.get("locale")?,
        consent: row.word("consent")?,
        suppressed: row.get("suppressed")?,
        in_review: row.get::<Option<i64>>("review_since")?.is_some(),
        last_inbound_at: row.get::<Option<i64>>("last_inbound_at")?.map(Timestamp::from_micros),
    }))
}

fn parse(column: &'static str, text: &str) -> Result<Attributes> {
    serde_json::from_str(text).map_err(|error| Error::Corrupt { column, problem: error.to_string() })
}

/// When the lane's next message is due, if any waits.
///
/// # Errors
/// What the database says.
pub async fn next_due(db: &impl ConnectionTrait, lane: Lane) -> Result<Option<Timestamp>> {
    let (query, id) = match lane {
        Lane::Run { run, .. } => {
            let query = "SELECT not_before FROM messages WHERE run_id = $1 AND open = 0 ORDER BY not_before LIMIT 1";
            (query.to_owned(), run.0)
        }
        Lane::Singles { sender } => (next_single(), sender.0),
    };
    let row = one(db, query, vec![id.into()]).await?;
    let next = row.map(|row| row.get::<Option<i64>>("not_before")).transpose()?.flatten();
    Ok(next.map(Timestamp::from_micros))
}

/// The senders for which single sends, replies or tests wait.
///
/// # Errors
/// What the database says.
pub async fn single_lanes(db: &impl ConnectionTrait) -> Result<Vec<SenderId>> {
    all(db, SINGLE_LANES, Vec::new()).await?.iter().map(|row| row.get("sender_id").map(SenderId)).collect()
}
