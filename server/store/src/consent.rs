//! The consent ledger and its projections: contacts, subscriptions, suppressions, queued messages. One function
//! records, so that nothing can be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    actor::Actor,
    consent::{Consent, ConsentSource, Subscription, SuppressionReason},
    contact::ConsentLine,
    event::ConsentCaused,
    ids::{ContactId, TopicId},
    reason::Reason,
    review::{ConsentDay, OptOut, ReviewDecision},
    time::Timestamp,
    trigger_event::{CONTACT_OPTED_IN, CONTACT_SUBSCRIBED},
};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::{
    ConnectionTrait, Kind, Result, Row, Tx, all,
    batch::{self, Type, to_json},
    chain,
    contacts::{add_counts, for_update, ids_json},
    exec, messages, one, opt_ins, reviews,
    suppressions::{self, NewSuppression},
    topics,
    trigger_events::{self, Own},
};

const STREAM: &str = "consent";

/// The reference of an opt-out that was known before its person was stored: the number is on the suppression list.
pub const STILL_OPTED_OUT: &str = "suppression list";

/// One change of a person's wish. The rules of who may lift what were applied before.
#[derive(Clone, Debug)]
pub struct ConsentEvent {
    pub contact_id: ContactId,
    /// None: everything. Some: this topic, where `OptedIn` means subscribed, `OptedOut` unsubscribed, and `Pending` that the
    /// person was asked.
    pub topic_id: Option<TopicId>,
    pub consent: Consent,
    pub source: ConsentSource,
    /// A file and line, a message's SID: no personal data.
    pub reference: Option<String>,
    /// The words of the evidence, sealed with the contact's key.
    pub evidence: Option<Vec<u8>>,
    pub suppression: SuppressionChange,
}

/// What happens on the suppression list along with a consent event.
#[derive(Clone, Debug, Default)]
pub enum SuppressionChange {
    #[default]
    None,
    /// Every global opt-out suppresses.
    Add { phone_hash: Vec<u8>, key_id: String, reason: SuppressionReason },
    /// Lifts what is stored under any of these hashes.
    Lift { phone_hashes: Vec<Vec<u8>> },
}

/// Appends the events to the ledger (chained), moves the contacts' consent and its counts, subscriptions and
/// suppressions, skips the queued messages of people who opted out of everything, and withdraws the questions to those who
/// left, also from the queue. Where a batch holds several events of one person, the last one counts.
///
/// Locks in this order: the people by id, then suppressions, subscriptions, the head of the ledger, questions, messages.
///
/// # Errors
/// What the database says.
pub async fn record(tx: &Tx, actor: &Actor, at: Timestamp, events: &[ConsentEvent]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let Projected { in_review, said_yes, former } = project_contacts(tx, at, events).await?;
    // Whatever was in doubt: there are clear words of the person's own now, or an opt-out.
    reviews::settle(tx, actor, at, &in_review, ReviewDecision::Answered).await?;
    project_suppressions(tx, actor, at, events).await?;
    let mut own = newly_subscribed(tx, events).await?;
    project_subscriptions(tx, at, events).await?;
    append(tx, actor, at, events).await?;
    count_day(tx, at, events, former).await?;
    own.extend(said_yes.into_iter().map(|contact| Own {
        name: CONTACT_OPTED_IN,
        contact,
        data: serde_json::Map::new(),
    }));
    trigger_events::tell(tx, actor, at, &own).await?;
    let left: Vec<(ContactId, Option<TopicId>)> = events
        .iter()
        .filter(|event| event.consent == Consent::OptedOut)
        .map(|event| (event.contact_id, event.topic_id))
        .collect();
    let withdrawn = opt_ins::withdraw(tx, at, &left).await?;
    let last: BTreeMap<ContactId, Consent> = global(events).map(|event| (event.contact_id, event.consent)).collect();
    let opted_out: Vec<ContactId> =
        last.into_iter().filter(|(_, consent)| *consent == Consent::OptedOut).map(|(id, _)| id).collect();
    messages::skip_left(tx, at, &opted_out, &withdrawn).await?;
    Ok(())
}

/// An opt-out of everything that is in the ledger and not in effect.
#[derive(Clone, Debug)]
pub struct LostOptOut {
    pub contact_id: ContactId,
    pub phone_hash: Vec<u8>,
    pub key_id: String,
    /// For the suppression list, unless it says why already.
    pub reason: SuppressionReason,
}

/// Puts opt-outs into effect that are in the ledger and, for whatever reason, not on the people or the suppression list.
/// Returns how many.
///
/// # Errors
/// What the database says.
pub async fn restore_opt_outs(tx: &Tx, actor: &Actor, at: Timestamp, lost: Vec<LostOptOut>) -> Result<u64> {
    let people: Vec<ContactId> = lost.iter().map(|lost| lost.contact_id).collect();
    let events: Vec<ConsentEvent> = lost
        .into_iter()
        .map(|LostOptOut { contact_id, phone_hash, key_id, reason }| ConsentEvent {
            contact_id,
            topic_id: None,
            consent: Consent::OptedOut,
            source: ConsentSource::Api,
            reference: None,
            evidence: None,
            suppression: SuppressionChange::Add { phone_hash, key_id, reason },
        })
        .collect();
    project_contacts(tx, at, &events).await?;
    project_suppressions(tx, actor, at, &events).await?;
    messages::skip_queued(tx, at, &people, Reason::OptedOut).await?;
    Ok(people.len() as u64)
}

/// Where the ledger stands: every row up to it is committed.
///
/// # Errors
/// What the database says.
pub async fn head(db: &impl ConnectionTrait) -> Result<i64> {
    let row = one(db, "SELECT seq FROM chain_heads WHERE stream = $1", vec![STREAM.into()]).await?;
    row.map_or(Ok(0), |row| row.get("seq"))
}

/// Who left what behind `after`, up to `to`: everything (no topic), or a topic.
///
/// # Errors
/// What the database says.
pub async fn opt_outs_between(
    db: &impl ConnectionTrait,
    after: i64,
    to: i64,
) -> Result<Vec<(ContactId, Option<TopicId>)>> {
    let query = "SELECT contact_id, topic_id FROM consent_ledger WHERE stream = $1 AND seq > $2 AND seq <= $3 \
                 AND consent = $4";
    let values = vec![STREAM.into(), after.into(), to.into(), Consent::OptedOut.as_str().into()];
    let rows = all(db, query, values).await?;
    rows.iter()
        .map(|row| Ok((ContactId(row.get("contact_id")?), row.get::<Option<Uuid>>("topic_id")?.map(TopicId))))
        .collect()
}

/// How these people stand to these topics now; those who never said anything are left out.
///
/// # Errors
/// What the database says.
pub async fn subscriptions(
    db: &impl ConnectionTrait,
    contacts: &[ContactId],
) -> Result<BTreeMap<(ContactId, TopicId), (Subscription, ConsentSource)>> {
    if contacts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let query = format!(
        "SELECT s.contact_id, s.topic_id, s.state, s.source FROM {} CROSS JOIN subscriptions s \
         WHERE s.contact_id = b.contact_id",
        batch::table(Kind::of(db), "b", "$1", &[("contact_id", Type::BigInt)])
    );
    let rows = all(db, query, vec![ids_json(contacts)?.into()]).await?;
    rows.iter()
        .map(|row| {
            let key = (ContactId(row.get("contact_id")?), TopicId(row.get("topic_id")?));
            Ok((key, (row.word("state")?, row.word("source")?)))
        })
        .collect()
}

fn global(events: &[ConsentEvent]) -> impl Iterator<Item = &ConsentEvent> {
    events.iter().filter(|event| event.topic_id.is_none())
}

/// What a batch makes of one person.
struct Outcome {
    consent: Consent,
    suppressed: Option<bool>,
    /// Whatever was in doubt is not any more.
    ends_doubt: bool,
}

/// Whom a batch concerns besides.
#[derive(Default)]
struct Projected {
    /// It was in doubt whether they had opted out, and is not any more.
    in_review: Vec<ContactId>,
    /// They say yes, and had not.
    said_yes: Vec<ContactId>,
    /// What they had said of everything before; none of those who are stored by this transaction.
    former: BTreeMap<ContactId, Option<Consent>>,
}

/// Those who are subscribed to a topic by this and were not, where a run listens to that. Called before the subscriptions
/// are written.
async fn newly_subscribed(tx: &Tx, events: &[ConsentEvent]) -> Result<Vec<Own>> {
    let new: Vec<(ContactId, TopicId)> = events
        .iter()
        .filter(|event| event.consent == Consent::OptedIn)
        .filter_map(|event| Some((event.contact_id, event.topic_id?)))
        .collect();
    if new.is_empty() || trigger_events::listened_to(tx, &[CONTACT_SUBSCRIBED]).await?.is_empty() {
        return Ok(Vec::new());
    }
    let people: BTreeSet<ContactId> = new.iter().map(|(contact, _)| *contact).collect();
    let former = subscriptions(tx, &people.into_iter().collect::<Vec<_>>()).await?;
    let new: BTreeSet<(ContactId, TopicId)> =
        new.into_iter().filter(|key| !matches!(former.get(key), Some((Subscription::Subscribed, _)))).collect();
    let keys = topics::keys(tx).await?;
    let own = new.into_iter().filter_map(|(contact, topic)| {
        let data = serde_json::Map::from_iter([("topic".to_owned(), keys.get(&topic)?.clone().into())]);
        Some(Own { name: CONTACT_SUBSCRIBED, contact, data })
    });
    Ok(own.collect())
}

/// Moves consent and suppression of the people where they differ from what is stored.
async fn project_contacts(tx: &Tx, at: Timestamp, events: &[ConsentEvent]) -> Result<Projected> {
    #[derive(Serialize)]
    struct Moved {
        contact_id: i64,
        consent: Consent,
        changed_at: Option<i64>,
        suppressed: bool,
    }
    let outcomes = outcomes(events);
    if outcomes.is_empty() {
        return Ok(Projected::default());
    }
    let kind = Kind::of(tx);
    let ids: Vec<ContactId> = outcomes.keys().copied().collect();
    let query = format!(
        "SELECT c.contact_id, c.consent, c.consent_changed_at, c.suppressed, c.review_since, c.created_at \
         FROM {} CROSS JOIN contacts c \
         WHERE c.contact_id = b.contact_id ORDER BY c.contact_id{}",
        batch::table(kind, "b", "$1", &[("contact_id", Type::BigInt)]),
        for_update(kind)
    );
    let mut moved = Vec::new();
    let Projected { mut in_review, mut said_yes, former: mut before } = Projected::default();
    let mut counts = BTreeMap::new();
    for row in all(tx, query, vec![ids_json(&ids)?.into()]).await? {
        let id = ContactId(row.get("contact_id")?);
        let Some(outcome) = outcomes.get(&id) else { continue };
        if outcome.ends_doubt && row.get::<Option<i64>>("review_since")?.is_some() {
            in_review.push(id);
        }
        let former: Consent = row.word("consent")?;
        let was_suppressed: bool = row.get("suppressed")?;
        let suppressed = outcome.suppressed.unwrap_or(was_suppressed);
        // Who is stored by this transaction may be stored with their yes.
        let is_new = row.get::<i64>("created_at")? == at.as_micros();
        before.insert(id, (!is_new).then_some(former));
        if outcome.consent == Consent::OptedIn && (former != Consent::OptedIn || is_new) {
            said_yes.push(id);
        }
        if former == outcome.consent && was_suppressed == suppressed {
            continue;
        }
        let mut changed_at = row.get("consent_changed_at")?;
        if former != outcome.consent {
            changed_at = Some(at.as_micros());
            *counts.entry(former).or_insert(0) -= 1;
            *counts.entry(outcome.consent).or_insert(0) += 1;
        }
        moved.push(Moved { contact_id: id.0, consent: outcome.consent, changed_at, suppressed });
    }
    let projected = Projected { in_review, said_yes, former: before };
    if moved.is_empty() {
        return Ok(projected);
    }
    let columns = [
        ("contact_id", Type::BigInt),
        ("consent", Type::Text),
        ("changed_at", Type::BigInt),
        ("suppressed", Type::Bool),
    ];
    let update = format!(
        "UPDATE contacts SET consent = b.consent, consent_changed_at = b.changed_at, suppressed = b.suppressed, \
         updated_at = $2 FROM {} WHERE contacts.contact_id = b.contact_id",
        batch::table(kind, "b", "$1", &columns)
    );
    exec(tx, update, vec![to_json(&moved)?.into(), at.as_micros().into()]).await?;
    add_counts(tx, &counts).await?;
    Ok(projected)
}

fn outcomes(events: &[ConsentEvent]) -> BTreeMap<ContactId, Outcome> {
    let mut outcomes = BTreeMap::<ContactId, Outcome>::new();
    for event in global(events) {
        let former = Outcome { consent: event.consent, suppressed: None, ends_doubt: false };
        let outcome = outcomes.entry(event.contact_id).or_insert(former);
        outcome.consent = event.consent;
        outcome.ends_doubt |= ends_doubt(event);
        match event.suppression {
            SuppressionChange::None => {}
            SuppressionChange::Add { .. } => outcome.suppressed = Some(true),
            SuppressionChange::Lift { .. } => outcome.suppressed = Some(false),
        }
    }
    outcomes
}

/// Whether this says clearly what a message left in doubt: only the person can say that they go on, and nobody has to doubt
/// an opt-out. That a question waits, or was not answered, says nothing.
fn ends_doubt(event: &ConsentEvent) -> bool {
    match event.consent {
        Consent::OptedOut => true,
        Consent::OptedIn => matches!(event.source, ConsentSource::Keyword | ConsentSource::RecipientPage),
        Consent::Unknown | Consent::Pending => false,
    }
}

async fn project_suppressions(tx: &Tx, actor: &Actor, at: Timestamp, events: &[ConsentEvent]) -> Result<()> {
    let mut last = BTreeMap::<ContactId, &SuppressionChange>::new();
    for event in events {
        if !matches!(event.suppression, SuppressionChange::None) {
            last.insert(event.contact_id, &event.suppression);
        }
    }
    let mut lifted: Vec<Vec<u8>> = Vec::new();
    let mut added = Vec::new();
    for (id, change) in last {
        match change {
            SuppressionChange::None => {}
            SuppressionChange::Lift { phone_hashes } => lifted.extend(phone_hashes.iter().cloned()),
            SuppressionChange::Add { phone_hash, key_id, reason } => {
                added.push(NewSuppression { phone_hash, key_id, reason: *reason, contact_id: Some(id) });
            }
        }
    }
    suppressions::remove(tx, &lifted).await?;
    suppressions::add(tx, actor, at, &added).await
}

async fn project_subscriptions(tx: &Tx, at: Timestamp, events: &[ConsentEvent]) -> Result<()> {
    #[derive(Serialize)]
    struct Entry {
        contact_id: i64,
        topic_id: TopicId,
        state: Subscription,
        source: ConsentSource,
    }
    let mut last = BTreeMap::new();
    for event in events {
        // Who was only asked stands to the topic as before.
        let Some(topic_id) = event.topic_id.filter(|_| event.consent != Consent::Pending) else { continue };
        let state = match event.consent {
            Consent::OptedIn => Subscription::Subscribed,
            _ => Subscription::Unsubscribed,
        };
        let entry = Entry { contact_id: event.contact_id.0, topic_id, state, source: event.source };
        last.insert((event.contact_id, topic_id), entry);
    }
    if last.is_empty() {
        return Ok(());
    }
    let columns =
        [("contact_id", Type::BigInt), ("topic_id", Type::Uuid), ("state", Type::Text), ("source", Type::Text)];
    let upsert = format!(
        "INSERT INTO subscriptions (contact_id, topic_id, state, changed_at, source) \
         SELECT contact_id, topic_id, state, $2, source FROM {} WHERE TRUE \
         ON CONFLICT (contact_id, topic_id) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at, \
         source = excluded.source",
        batch::table(Kind::of(tx), "b", "$1", &columns)
    );
    let entries: Vec<Entry> = last.into_values().collect();
    exec(tx, upsert, vec![to_json(&entries)?.into(), at.as_micros().into()]).await?;
    Ok(())
}

/// Writes the ledger's rows, chained together under the lock of its head.
async fn append(tx: &Tx, actor: &Actor, at: Timestamp, events: &[ConsentEvent]) -> Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        seq: i64,
        contact_id: i64,
        topic_id: Option<TopicId>,
        consent: Consent,
        source: ConsentSource,
        reference: Option<&'a str>,
        evidence: Option<String>,
        prev_hash: String,
        hash: String,
    }
    let mut head = chain::Head::lock(tx, STREAM).await?;
    let lines: Vec<Line<'_>> = events
        .iter()
        .map(|event| {
            let link = head.link(content(actor, at, event).as_bytes());
            Line {
                seq: link.seq,
                contact_id: event.contact_id.0,
                topic_id: event.topic_id,
                consent: event.consent,
                source: event.source,
                reference: event.reference.as_deref(),
                evidence: event.evidence.as_deref().map(hex::encode),
                prev_hash: hex::encode(&link.prev_hash),
                hash: hex::encode(&link.hash),
            }
        })
        .collect();
    let columns = [
        ("seq", Type::BigInt),
        ("contact_id", Type::BigInt),
        ("topic_id", Type::Uuid),
        ("consent", Type::Text),
        ("source", Type::Text),
        ("reference", Type::Text),
        ("evidence", Type::Bytes),
        ("prev_hash", Type::Bytes),
        ("hash", Type::Bytes),
    ];
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    let insert = format!(
        "INSERT INTO consent_ledger (stream, at, actor_kind, actor_id, {names}) SELECT $2, $3, $4, $5, {names} FROM {}",
        batch::table(Kind::of(tx), "b", "$1", &columns)
    );
    let values = vec![
        to_json(&lines)?.into(),
        STREAM.into(),
        at.as_micros().into(),
        actor.kind.as_str().into(),
        actor.id.clone().into(),
    ];
    exec(tx, insert, values).await?;
    head.save(tx).await
}

/// Counts the day's yes and no, by where they came from; after the head's lock, so that no two wait for each other. Who says
/// again what they had said, or was opted out before and is only stored again, says nothing new.
async fn count_day(
    tx: &Tx,
    at: Timestamp,
    events: &[ConsentEvent],
    mut former: BTreeMap<ContactId, Option<Consent>>,
) -> Result<()> {
    let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for event in global(events) {
        // Nobody is counted who is not stored.
        let Some(before) = former.get_mut(&event.contact_id) else { continue };
        let says_new = before.replace(event.consent) != Some(event.consent);
        if says_new && event.reference.as_deref() != Some(STILL_OPTED_OUT) {
            *counts.entry((event.source.as_str(), event.consent.as_str())).or_default() += 1;
        }
    }
    let upsert = "INSERT INTO consent_days (day, source, consent, count) VALUES ($1, $2, $3, $4) \
                  ON CONFLICT (day, source, consent) DO UPDATE SET count = consent_days.count + excluded.count";
    for ((source, consent), count) in counts {
        exec(tx, upsert, vec![day(at).into(), source.into(), consent.into(), count.into()]).await?;
    }
    Ok(())
}

/// Days since 1970, UTC.
fn day(at: Timestamp) -> i32 {
    i32::try_from(at.as_micros().div_euclid(Timestamp::DAY)).unwrap_or_default()
}

/// A line of the ledger, with the words of its evidence as they are stored: sealed with the person's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub at: Timestamp,
    pub consent: Consent,
    pub source: ConsentSource,
    pub evidence: Option<Vec<u8>>,
}

/// What was last said of everything, of this person.
///
/// # Errors
/// What the database says.
pub async fn latest(db: &impl ConnectionTrait, contact: ContactId) -> Result<Option<Line>> {
    let query = "SELECT at, consent, source, evidence FROM consent_ledger WHERE contact_id = $1 AND topic_id IS NULL \
                 ORDER BY seq DESC LIMIT 1";
    let row = one(db, query, vec![contact.0.into()]).await?;
    row.map(|row| {
        Ok(Line {
            at: Timestamp::from_micros(row.get("at")?),
            consent: row.word("consent")?,
            source: row.word("source")?,
            evidence: row.get("evidence")?,
        })
    })
    .transpose()
}

/// The yes and no of each day from `since` on.
///
/// # Errors
/// What the database says.
pub async fn days(db: &impl ConnectionTrait, since: Timestamp) -> Result<Vec<ConsentDay>> {
    let query = "SELECT day, source, consent, count FROM consent_days WHERE day >= $1 ORDER BY day, source, consent";
    let rows = all(db, query, vec![day(since).into()]).await?;
    rows.iter()
        .map(|row| {
            let day: i32 = row.get("day")?;
            Ok(ConsentDay {
                day: Timestamp::from_micros(i64::from(day) * Timestamp::DAY).date(),
                source: row.word("source")?,
                consent: row.word("consent")?,
                count: row.get("count")?,
            })
        })
        .collect()
}

/// What was recorded of this person, each with what it refers to, the first first.
///
/// # Errors
/// What the database says.
pub async fn references(db: &impl ConnectionTrait, contact: ContactId) -> Result<Vec<(String, ConsentCaused)>> {
    let query = "SELECT l.reference, CASE WHEN l.topic_id IS NOT NULL THEN COALESCE(t.key, '') END AS topic, l.consent \
                 FROM consent_ledger l LEFT JOIN topics t ON t.id = l.topic_id \
                 WHERE l.contact_id = $1 AND l.reference IS NOT NULL ORDER BY l.seq";
    let rows = all(db, query, vec![contact.0.into()]).await?;
    let read = |row: &Row| {
        let caused = ConsentCaused { topic: row.get("topic")?, consent: row.word("consent")? };
        Ok((row.get("reference")?, caused))
    };
    rows.iter().map(read).collect()
}

/// What [`opt_outs`] asks: along the index `consent_ledger_opted_out`, which holds the one stream that there is.
pub const OPT_OUTS: &str = "SELECT l.seq, l.at, c.phone, l.source, l.actor_kind, l.actor_id, l.reference, \
                            CASE WHEN l.topic_id IS NOT NULL THEN COALESCE(t.key, '') END AS topic \
                            FROM consent_ledger l LEFT JOIN contacts c ON c.contact_id = l.contact_id \
                            LEFT JOIN topics t ON t.id = l.topic_id \
                            WHERE l.consent = 'opted_out' AND l.seq < $1 ORDER BY l.seq DESC LIMIT $2";

/// Opt-outs, the newest first: those before this line of the ledger.
///
/// # Errors
/// What the database says.
pub async fn opt_outs(db: &impl ConnectionTrait, before: Option<i64>, limit: u32) -> Result<Vec<OptOut>> {
    let rows = all(db, OPT_OUTS, vec![before.unwrap_or(i64::MAX).into(), i64::from(limit).into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(OptOut {
                number: row.get("seq")?,
                at: Timestamp::from_micros(row.get("at")?),
                phone: row.get::<Option<String>>("phone")?.as_deref().map(reviews::e164).transpose()?,
                topic: row.get("topic")?,
                source: row.word("source")?,
                recorded_by: row.word("actor_kind")?,
                recorded_by_id: row.get("actor_id")?,
                reference: row.get("reference")?,
            })
        })
        .collect()
}

/// The text of a line that its hash covers: its columns but the chain's own.
fn content(actor: &Actor, at: Timestamp, event: &ConsentEvent) -> String {
    json!([
        at.as_micros(),
        event.contact_id,
        event.topic_id,
        event.consent,
        event.source,
        actor.kind,
        actor.id,
        event.reference,
        event.evidence.as_deref().map(hex::encode)
    ])
    .to_string()
}

/// A person's line, and whether it holds.
#[derive(Clone, Debug)]
pub struct LedgerLine {
    pub line: ConsentLine,
    /// The words of the evidence, sealed with the contact's key.
    pub evidence: Option<Vec<u8>>,
}

/// A person's lines of the ledger, oldest first, and the ledger's length and last hash; all of one moment.
///
/// # Errors
/// What the database says.
pub async fn lines_of(db: &impl ConnectionTrait, contact: ContactId) -> Result<(Vec<LedgerLine>, i64, String)> {
    let query = "SELECT l.seq, l.prev_hash, l.hash, l.at, l.contact_id, l.topic_id, l.consent, l.source, l.actor_kind, \
                 l.actor_id, l.reference, l.evidence, t.key AS topic, p.hash AS before, h.seq AS length, h.hash AS newest \
                 FROM chain_heads h LEFT JOIN consent_ledger l ON l.stream = h.stream AND l.contact_id = $2 \
                 LEFT JOIN consent_ledger p ON p.stream = h.stream AND p.seq = l.seq - 1 \
                 LEFT JOIN topics t ON t.id = l.topic_id WHERE h.stream = $1 ORDER BY l.seq";
    let rows = all(db, query, vec![STREAM.into(), contact.0.into()]).await?;
    let (mut lines, mut length, mut newest) = (Vec::with_capacity(rows.len()), 0, String::new());
    for row in rows {
        length = row.get("length")?;
        newest = hex::encode(row.get::<Vec<u8>>("newest")?);
        // The ledger's head stands alone when the person has no line.
        if row.get::<Option<i64>>("seq")?.is_some() {
            lines.push(ledger_line(&row)?);
        }
    }
    Ok((lines, length, newest))
}

fn ledger_line(row: &Row) -> Result<LedgerLine> {
    let number = row.get("seq")?;
    let (previous, own): (Vec<u8>, Vec<u8>) = (row.get("prev_hash")?, row.get("hash")?);
    let before: Option<Vec<u8>> = row.get("before")?;
    let follows = if number == 1 { previous.is_empty() } else { before.as_ref() == Some(&previous) };
    let topic_id: Option<Uuid> = row.get("topic_id")?;
    let recorded_by_id: String = row.get("actor_id")?;
    let line = ConsentLine {
        number,
        at: Timestamp::from_micros(row.get("at")?),
        // A topic that was deleted is known by its id.
        topic: row.get::<Option<String>>("topic")?.or_else(|| topic_id.map(|id| id.to_string())),
        consent: row.word("consent")?,
        source: row.word("source")?,
        recorded_by: row.word("actor_kind")?,
        recorded_by_name: recorded_by_id.clone(),
        recorded_by_id,
        reference: row.get("reference")?,
        evidence: None,
        previous_hash: hex::encode(&previous),
        hash: hex::encode(&own),
        holds: follows && chain::hash(STREAM, number, &previous, content_of(row)?.as_bytes()) == own,
    };
    Ok(LedgerLine { line, evidence: row.get("evidence")? })
}

/// The text of a stored line that its hash covers; see [`content`].
fn content_of(row: &Row) -> Result<String> {
    let text = |column| row.get::<String>(column);
    let topic: Option<Uuid> = row.get("topic_id")?;
    let (reference, evidence): (Option<String>, Option<Vec<u8>>) = (row.get("reference")?, row.get("evidence")?);
    let content = json!([
        row.get::<i64>("at")?,
        ContactId(row.get("contact_id")?),
        topic.map(TopicId),
        text("consent")?,
        text("source")?,
        text("actor_kind")?,
        text("actor_id")?,
        reference,
        evidence.as_deref().map(hex::encode)
    ]);
    Ok(content.to_string())
}

/// Checks the chain of the consent ledger: how many lines there are, and the first that does not hold.
///
/// # Errors
/// What the database says.
pub async fn verify(db: &impl ConnectionTrait) -> Result<(i64, Option<chain::Broken>)> {
    let select = "at, contact_id, topic_id, consent, source, actor_kind, actor_id, reference, evidence";
    chain::verify(db, (STREAM, "consent_ledger", select), content_of).await
}
