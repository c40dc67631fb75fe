//! What the stored evidence says of webhooks, people and runs, beside what their rows say. Messages: see
//! [`crate::messages::evidence`].

use domain::{
    consent::{Consent, ConsentSource, Subscription},
    event::{WebhookEvent, WebhookOutcome},
    ids::{ContactId, RunId, TopicId, WebhookEventId},
    inbound::Keyword,
    message::State,
    run::Ledger,
    time::Timestamp,
};
use sea_orm::Value;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    ConnectionTrait, Error, Kind, Result, Row, Tx, all,
    batch::{Type, table, to_json},
    callbacks::MAY_BE_GONE,
    contacts::{for_update, ids_json},
    exec, ledger, one,
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

/// What was read from a webhook when it came, and whether what it says is where it belongs: a callback among the receipts, as
/// long as those are kept, a person's message among the inbound ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalised {
    pub event: WebhookEvent,
    pub kept: bool,
    /// None for callbacks, and for what is not stored as a message.
    pub inbound: Option<Written>,
}

/// A person's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub contact: ContactId,
    /// Long before its event, when it was fetched.
    pub at: Timestamp,
    /// What it was understood as.
    pub taken_for: Option<Keyword>,
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
    // What came again may have outlasted the receipt of the first time.
    let query = format!(
        "SELECT e.id, e.kind, e.received_at, e.provider_sid, e.message_id, e.status, e.error_code, e.outcome, \
         e.reason, CAST(NULL AS bigint) AS claimed_by, CASE WHEN e.kind = 'status' THEN EXISTS (SELECT 1 FROM receipts r \
         WHERE r.message_id = e.message_id AND r.provider_sid = e.provider_sid AND r.status = e.status \
         AND r.error_code = COALESCE(e.error_code, 0)) \
         OR EXISTS (SELECT 1 FROM messages m WHERE m.id = e.message_id AND {MAY_BE_GONE}) \
         ELSE i.provider_sid IS NOT NULL END AS kept, i.contact_id, i.keyword, \
         i.received_at AS written_at FROM webhook_events e \
         LEFT JOIN inbound_messages i ON e.kind = 'inbound' AND i.provider_sid = e.provider_sid \
         WHERE e.id >= $1 AND e.id <= $2 ORDER BY e.id"
    );
    let rows = all(db, query, vec![first.0.into(), last.0.into()]).await?;
    rows.iter()
        .map(|row| {
            let event = event(row)?;
            let belongs = matches!(event.outcome, WebhookOutcome::Applied | WebhookOutcome::NoChange);
            let inbound = match row.get("contact_id")? {
                Some(contact) => Some(Written {
                    contact: ContactId(contact),
                    at: Timestamp::from_micros(row.get("written_at")?),
                    taken_for: row.word_or_null("keyword")?,
                }),
                None => None,
            };
            Ok(Normalised { kept: !belongs || row.get("kept")?, event, inbound })
        })
        .collect()
}

/// The first day (`yyyymmdd`) whose raw forms no retention has taken, as the audit log has it.
///
/// # Errors
/// What the database says.
pub async fn kept_since(db: &impl ConnectionTrait) -> Result<Option<i32>> {
    let query = "SELECT MAX(entity_id) AS day FROM audit_log WHERE action = 'forget' AND entity = 'webhook_bodies'";
    let Some(row) = one(db, query, Vec::new()).await? else { return Ok(None) };
    Ok(row.get::<Option<String>>("day")?.and_then(|day| day.parse().ok()))
}

/// Webhooks that were stored together, and whose raw forms are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    pub first: WebhookEventId,
    pub last: WebhookEventId,
    pub count: i64,
}

/// The webhooks that came at `since` or later and have no raw form any more; `limit` blocks of them at most.
///
/// # Errors
/// What the database says.
pub async fn missing_forms(db: &impl ConnectionTrait, since: Timestamp, limit: u32) -> Result<Vec<Missing>> {
    let query = format!(
        "SELECT MIN(e.id) AS first, MAX(e.id) AS last, CAST(count(*) AS bigint) AS n FROM webhook_events e \
         LEFT JOIN webhook_blocks k ON k.id = e.block LEFT JOIN webhook_bodies b ON b.event_id = e.id \
         WHERE e.received_at >= $1 AND k.id IS NULL AND b.event_id IS NULL GROUP BY e.block ORDER BY 1 LIMIT {limit}"
    );
    let rows = all(db, query, vec![since.as_micros().into()]).await?;
    let missing = |row: &Row| {
        let id = |column| row.get(column).map(WebhookEventId);
        Ok(Missing { first: id("first")?, last: id("last")?, count: row.get("n")? })
    };
    rows.iter().map(missing).collect()
}

/// An opt-out that somebody said in a stored message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptOutSaid<'a> {
    pub event: WebhookEventId,
    pub contact: ContactId,
    pub at: Timestamp,
    /// The message's.
    pub sid: &'a str,
    /// Else of a topic.
    pub everything: bool,
    /// None also when no topic goes by that name now.
    pub topic: Option<TopicId>,
}

/// Those of them that left no line in the ledger: none of that message, and none that says the same later. Nothing is missing
/// where the person had left that already, or has said something else of it of their own will since: what was fetched late
/// does not outweigh that. A topic that nobody can tell any more may be any that the person left.
///
/// # Errors
/// What the database says.
pub async fn unheard(db: &impl ConnectionTrait, said: &[OptOutSaid<'_>]) -> Result<Vec<WebhookEventId>> {
    #[derive(Serialize)]
    struct Entry<'a> {
        event: i64,
        contact: i64,
        said_at: i64,
        sid: &'a str,
        everything: i16,
        topic: Option<TopicId>,
    }
    if said.is_empty() {
        return Ok(Vec::new());
    }
    let entries: Vec<Entry<'_>> = said
        .iter()
        .map(|said| Entry {
            event: said.event.0,
            contact: said.contact.0,
            said_at: said.at.as_micros(),
            sid: said.sid,
            everything: said.everything.into(),
            topic: said.topic,
        })
        .collect();
    let columns = [
        ("event", Type::BigInt),
        ("contact", Type::BigInt),
        ("said_at", Type::BigInt),
        ("sid", Type::Text),
        ("everything", Type::SmallInt),
        ("topic", Type::Uuid),
    ];
    // A topic that is younger than the message is another one of the same name.
    let of_the_same = "(l.topic_id = t.id OR (l.topic_id IS NULL AND t.id IS NULL))";
    let query = format!(
        "SELECT b.event FROM {} LEFT JOIN topics t ON t.id = b.topic AND t.created_at <= b.said_at \
         WHERE NOT EXISTS (SELECT 1 FROM consent_ledger l WHERE l.contact_id = b.contact AND l.consent = 'opted_out' \
         AND (l.reference = b.sid OR (b.everything = 0 AND t.id IS NULL) OR ({of_the_same} AND l.at >= b.said_at))) \
         AND NOT EXISTS (SELECT 1 FROM consent_ledger l WHERE l.contact_id = b.contact AND {of_the_same} \
         AND l.at >= b.said_at AND l.source IN ('keyword', 'recipient_page')) \
         AND COALESCE((SELECT l.consent FROM consent_ledger l WHERE l.contact_id = b.contact AND {of_the_same} \
         AND l.at < b.said_at ORDER BY l.seq DESC LIMIT 1), '') <> 'opted_out' ORDER BY b.event",
        table(Kind::of(db), "b", "$1", &columns)
    );
    let rows = all(db, query, vec![to_json(&entries)?.into()]).await?;
    rows.iter().map(|row| row.get("event").map(WebhookEventId)).collect()
}

/// How many webhooks there are, whether their raw forms are still there or not.
///
/// # Errors
/// What the database says.
pub async fn count_webhooks(db: &impl ConnectionTrait) -> Result<i64> {
    let row = one(db, "SELECT CAST(count(*) AS bigint) AS n FROM webhook_events", Vec::new()).await?;
    row.map_or(Ok(0), |row| row.get("n"))
}

/// The next people behind `after`, with their numbers.
///
/// # Errors
/// What the database says.
pub async fn people(db: &impl ConnectionTrait, after: ContactId, limit: u32) -> Result<Vec<(ContactId, String)>> {
    let query =
        format!("SELECT contact_id, phone FROM contacts WHERE contact_id > $1 ORDER BY contact_id LIMIT {limit}");
    let rows = all(db, query, vec![after.0.into()]).await?;
    rows.iter().map(|row| Ok((ContactId(row.get("contact_id")?), row.get("phone")?))).collect()
}

/// A person's wish as stored, and as the latest line of the ledger has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    pub contact_id: ContactId,
    pub consent: Consent,
    pub suppressed: bool,
    /// The number is on the suppression list.
    pub listed: bool,
    /// None: nothing was ever said of this person.
    pub told: Option<Consent>,
    /// Where that line came from.
    pub source: Option<ConsentSource>,
}

/// The wishes of these people, each with the hashes of the number; in one statement, so that what happens meanwhile is no
/// difference. Those who are gone are left out.
///
/// # Errors
/// What the database says.
pub async fn wishes(db: &impl ConnectionTrait, people: &[(ContactId, Vec<Vec<u8>>)]) -> Result<Vec<Wish>> {
    #[derive(Serialize)]
    struct Entry {
        contact_id: i64,
        phone_hash: String,
    }
    let of = |(id, hashes): &(ContactId, Vec<Vec<u8>>)| {
        let id = id.0;
        hashes.iter().map(move |hash| Entry { contact_id: id, phone_hash: hex::encode(hash) }).collect::<Vec<_>>()
    };
    let entries: Vec<Entry> = people.iter().flat_map(of).collect();
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let columns = [("contact_id", Type::BigInt), ("phone_hash", Type::Bytes)];
    let last = |column: &str| {
        format!(
            "(SELECT l.{column} FROM consent_ledger l WHERE l.contact_id = c.contact_id AND l.topic_id IS NULL \
             ORDER BY l.seq DESC LIMIT 1)"
        )
    };
    let query = format!(
        "SELECT c.contact_id, c.consent, c.suppressed, e.listed > 0 AS listed, {} AS told, {} AS source FROM \
         (SELECT b.contact_id, count(s.phone_hash) AS listed FROM {} LEFT JOIN suppressions s \
         ON s.phone_hash = b.phone_hash GROUP BY b.contact_id) e JOIN contacts c ON c.contact_id = e.contact_id \
         ORDER BY c.contact_id",
        last("consent"),
        last("source"),
        table(Kind::of(db), "b", "$1", &columns)
    );
    let rows = all(db, query, vec![to_json(&entries)?.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Wish {
                contact_id: ContactId(row.get("contact_id")?),
                consent: row.word("consent")?,
                suppressed: row.get("suppressed")?,
                listed: row.get("listed")?,
                told: row.word_or_null("told")?,
                source: row.word_or_null("source")?,
            })
        })
        .collect()
}

/// Locks these people: who says something meanwhile has said it before, or says it afterwards.
///
/// # Errors
/// What the database says.
pub async fn lock_people(tx: &Tx, people: &[ContactId]) -> Result<()> {
    let kind = Kind::of(tx);
    let query = format!(
        "SELECT c.contact_id FROM {} CROSS JOIN contacts c WHERE c.contact_id = b.contact_id ORDER BY c.contact_id{}",
        table(kind, "b", "$1", &[("contact_id", Type::BigInt)]),
        for_update(kind)
    );
    all(tx, query, vec![ids_json(people)?.into()]).await?;
    Ok(())
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

/// Topics that people said something of, as the ledger has it, and that they have no subscription to, neither way; `limit`
/// of them at most.
///
/// # Errors
/// What the database says.
pub async fn without_subscription(db: &impl ConnectionTrait, limit: u32) -> Result<Vec<(ContactId, TopicId)>> {
    let query = format!(
        "SELECT DISTINCT l.contact_id, l.topic_id FROM consent_ledger l JOIN contacts c ON c.contact_id = l.contact_id \
         JOIN topics t ON t.id = l.topic_id LEFT JOIN subscriptions s ON s.contact_id = l.contact_id \
         AND s.topic_id = l.topic_id WHERE l.consent <> 'pending' AND s.contact_id IS NULL ORDER BY 1, 2 LIMIT {limit}"
    );
    let rows = all(db, query, Vec::new()).await?;
    rows.iter().map(|row| Ok((ContactId(row.get("contact_id")?), TopicId(row.get("topic_id")?)))).collect()
}

/// Unsubscribes these people from these topics where the ledger's last line says that they left, and the subscription does
/// not. Returns who was.
///
/// # Errors
/// What the database says.
pub async fn unsubscribe(tx: &Tx, at: Timestamp, of: &[(ContactId, TopicId)]) -> Result<Vec<(ContactId, TopicId)>> {
    #[derive(Serialize)]
    struct Entry {
        contact_id: i64,
        topic_id: TopicId,
    }
    let entries: Vec<Entry> =
        of.iter().map(|(contact, topic)| Entry { contact_id: contact.0, topic_id: *topic }).collect();
    let upsert = format!(
        "INSERT INTO subscriptions (contact_id, topic_id, state, changed_at, source) \
         SELECT l.contact_id, l.topic_id, CAST($3 AS text), CAST($2 AS bigint), l.source FROM {} \
         JOIN consent_ledger l ON l.contact_id = b.contact_id AND l.topic_id = b.topic_id \
         WHERE l.consent = $4 AND l.seq = (SELECT MAX(n.seq) FROM consent_ledger n \
         WHERE n.contact_id = b.contact_id AND n.topic_id = b.topic_id) \
         ON CONFLICT (contact_id, topic_id) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at, \
         source = excluded.source WHERE subscriptions.state <> excluded.state RETURNING contact_id, topic_id",
        table(Kind::of(tx), "b", "$1", &[("contact_id", Type::BigInt), ("topic_id", Type::Uuid)])
    );
    let values = vec![
        to_json(&entries)?.into(),
        at.as_micros().into(),
        Subscription::Unsubscribed.as_str().into(),
        Consent::OptedOut.as_str().into(),
    ];
    let rows = all(tx, upsert, values).await?;
    rows.iter().map(|row| Ok((ContactId(row.get("contact_id")?), TopicId(row.get("topic_id")?)))).collect()
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
