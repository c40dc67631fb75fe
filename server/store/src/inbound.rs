//! What people write to us.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    consent::{Consent, ConsentSource},
    ids::{ContactId, InboundId, SenderId, TopicId, WebhookEventId},
    inbound::{Inbound, Keyword},
    message::Channel,
    phone::Phone,
    time::Timestamp,
};
use sea_orm::Value;
use serde::Serialize;

use crate::{
    ConnectionTrait, Error, Kind, Result, Row, Tx, all,
    batch::{Type, table, to_json},
    conversations, exec, one,
    sql::{FIRST, Ready, exec_together},
    webhook_events::{self, NewBlock, NewEvent},
    windows::{self, Wrote},
};

/// An inbound message to store.
#[derive(Clone, Debug)]
pub struct NewInbound<'a> {
    pub provider_sid: &'a str,
    pub contact_id: ContactId,
    pub channel: Channel,
    pub our_address: &'a str,
    /// The Messaging Service that the address belongs to.
    pub service: Option<&'a str>,
    pub received_at: Timestamp,
    pub keyword: Option<Keyword>,
    pub media_count: i32,
    /// The message of ours that the person answered to.
    pub replied_sid: Option<&'a str>,
    pub event_id: WebhookEventId,
    pub body: &'a str,
    /// Addresses and content types, as JSON text.
    pub media: String,
}

/// Those of these SIDs that are stored already.
///
/// # Errors
/// What the database says.
pub async fn known(tx: &impl ConnectionTrait, sids: &[&str]) -> Result<BTreeSet<String>> {
    #[derive(Serialize)]
    struct Wanted<'a> {
        sid: &'a str,
    }
    if sids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let wanted: Vec<_> = sids.iter().map(|sid| Wanted { sid }).collect();
    // One look into the index for each SID. As a join PostgreSQL reads the whole table until it is large.
    let query = format!(
        "SELECT b.sid, (SELECT i.id FROM inbound_messages i WHERE i.provider_sid = b.sid) AS id FROM {}",
        table(Kind::of(tx), "b", "$1", &[("sid", Type::Text)])
    );
    let mut known = BTreeSet::new();
    for row in all(tx, query, vec![to_json(&wanted)?.into()]).await? {
        if row.get::<Option<i64>>("id")?.is_some() {
            known.insert(row.get("sid")?);
        }
    }
    Ok(known)
}

#[derive(Serialize)]
struct MessageRow<'a> {
    provider_sid: &'a str,
    contact_id: i64,
    channel: Channel,
    our_address: &'a str,
    received_at: i64,
    keyword: Option<Keyword>,
    media_count: i32,
    replied_sid: Option<&'a str>,
    event_id: i64,
}

const MESSAGE: &[(&str, Type)] = &[
    ("provider_sid", Type::Text),
    ("contact_id", Type::BigInt),
    ("channel", Type::Text),
    ("our_address", Type::Text),
    ("received_at", Type::BigInt),
    ("keyword", Type::Text),
    ("media_count", Type::Int),
    ("replied_sid", Type::Text),
    ("event_id", Type::BigInt),
];

#[derive(Serialize)]
struct TextRow<'a> {
    sid: &'a str,
    body: &'a str,
    media: &'a str,
}

/// Stores messages that are not there yet, with their texts and the webhooks that brought them, and moves their people's time
/// of the last one, their conversations and their windows.
///
/// # Errors
/// `Duplicate` when one of the SIDs is taken.
pub async fn insert(tx: &Tx, messages: &[NewInbound<'_>], events: &[NewEvent<'_>], block: NewBlock) -> Result<()> {
    if messages.is_empty() {
        return webhook_events::insert(tx, events, block).await;
    }
    let kind = Kind::of(tx);
    let stored = [rows(kind, messages)?, texts(kind, messages)?];
    let heard = [touch(kind, messages)?, conversations::heard(kind, messages)?];
    let opened = windows::open(kind, messages.iter().flat_map(wrote))?;
    let events = webhook_events::ready(kind, events, block)?;
    exec_together(tx, stored.into_iter().chain(heard).chain(opened).chain(events)).await
}

fn rows(kind: Kind, messages: &[NewInbound<'_>]) -> Result<Ready> {
    let rows: Vec<MessageRow<'_>> = messages
        .iter()
        .map(|message| MessageRow {
            provider_sid: message.provider_sid,
            contact_id: message.contact_id.0,
            channel: message.channel,
            our_address: message.our_address,
            received_at: message.received_at.as_micros(),
            keyword: message.keyword,
            media_count: message.media_count,
            replied_sid: message.replied_sid,
            event_id: message.event_id.0,
        })
        .collect();
    let names: Vec<&str> = MESSAGE.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    let text = format!(
        "INSERT INTO inbound_messages ({names}) SELECT {names} FROM {} RETURNING id, provider_sid",
        table(kind, "i", "$1", MESSAGE)
    );
    Ok(Ready { text, values: vec![to_json(&rows)?.into()] })
}

/// To our number and, when it belongs to one, to its Messaging Service: either may be the sender. Only WhatsApp has
/// windows.
fn wrote<'a>(message: &'a NewInbound<'a>) -> impl Iterator<Item = Wrote<'a>> {
    let addresses = [Some(message.our_address), message.service];
    let addresses = addresses.into_iter().flatten().filter(|_| message.channel == Channel::Whatsapp);
    addresses.map(|our_address| Wrote { contact_id: message.contact_id, our_address, at: message.received_at })
}

/// Behind [`rows`].
fn texts(kind: Kind, messages: &[NewInbound<'_>]) -> Result<Ready> {
    let rows: Vec<TextRow<'_>> = messages
        .iter()
        .map(|message| TextRow { sid: message.provider_sid, body: message.body, media: &message.media })
        .collect();
    let columns = [("sid", Type::Text), ("body", Type::Text), ("media", Type::Text)];
    let stored = match kind {
        Kind::Postgres => FIRST,
        Kind::Sqlite => "inbound_messages",
    };
    let text = format!(
        "INSERT INTO inbound_texts (inbound_id, body, media) SELECT i.id, b.body, b.media FROM {} \
         CROSS JOIN {stored} i WHERE i.provider_sid = b.sid",
        table(kind, "b", "$1", &columns)
    );
    Ok(Ready { text, values: vec![to_json(&rows)?.into()] })
}

/// When these people last wrote to us at all.
fn touch(kind: Kind, messages: &[NewInbound<'_>]) -> Result<Ready> {
    #[derive(Serialize)]
    struct Latest {
        contact_id: i64,
        at: i64,
    }
    let mut latest = BTreeMap::<i64, i64>::new();
    for message in messages {
        let at = latest.entry(message.contact_id.0).or_default();
        *at = (*at).max(message.received_at.as_micros());
    }
    let rows: Vec<_> = latest.into_iter().map(|(contact_id, at)| Latest { contact_id, at }).collect();
    let text = format!(
        "UPDATE contacts SET last_inbound_at = b.at FROM {} WHERE contacts.contact_id = b.contact_id \
         AND (contacts.last_inbound_at IS NULL OR contacts.last_inbound_at < b.at)",
        table(kind, "b", "$1", &[("contact_id", Type::BigInt), ("at", Type::BigInt)])
    );
    Ok(Ready { text, values: vec![to_json(&rows)?.into()] })
}

/// Those of these people whose own STOP stands: written after their last opt-in.
///
/// # Errors
/// What the database says.
pub async fn stopped(tx: &Tx, people: &[ContactId]) -> Result<BTreeSet<ContactId>> {
    if people.is_empty() {
        return Ok(BTreeSet::new());
    }
    let query = format!(
        "SELECT l.contact_id, MAX(CASE WHEN l.consent = $2 AND l.source = $3 THEN l.seq END) AS out_seq, \
         MAX(CASE WHEN l.consent = $4 THEN l.seq END) AS in_seq FROM {} CROSS JOIN consent_ledger l \
         WHERE l.contact_id = b.contact_id AND l.topic_id IS NULL GROUP BY l.contact_id",
        table(Kind::of(tx), "b", "$1", &[("contact_id", Type::BigInt)])
    );
    let values = vec![
        crate::contacts::ids_json(people)?.into(),
        Consent::OptedOut.as_str().into(),
        ConsentSource::Keyword.as_str().into(),
        Consent::OptedIn.as_str().into(),
    ];
    let mut stopped = BTreeSet::new();
    for row in all(tx, query, values).await? {
        let (out_seq, in_seq): (Option<i64>, Option<i64>) = (row.get("out_seq")?, row.get("in_seq")?);
        // None is less than any number.
        if out_seq > in_seq {
            stopped.insert(ContactId(row.get("contact_id")?));
        }
    }
    Ok(stopped)
}

/// How many keywords these people have written since then; who wrote none is missing.
///
/// # Errors
/// What the database says.
pub async fn keywords_since(tx: &Tx, people: &[ContactId], since: Timestamp) -> Result<BTreeMap<ContactId, i64>> {
    if people.is_empty() {
        return Ok(BTreeMap::new());
    }
    let query = format!(
        "SELECT i.contact_id, CAST(count(*) AS bigint) AS n FROM {} CROSS JOIN inbound_messages i \
         WHERE i.contact_id = b.contact_id AND i.received_at > $2 AND i.keyword IS NOT NULL GROUP BY i.contact_id",
        table(Kind::of(tx), "b", "$1", &[("contact_id", Type::BigInt)])
    );
    let values = vec![crate::contacts::ids_json(people)?.into(), since.as_micros().into()];
    let rows = all(tx, query, values).await?;
    rows.iter().map(|row| Ok((ContactId(row.get("contact_id")?), row.get("n")?))).collect()
}

/// When people last said themselves what they wish of us: of everything (no topic), and of each topic.
pub type OwnWords = BTreeMap<(ContactId, Option<TopicId>), Timestamp>;

/// When these people last said themselves what they wish of us: by a message, or on their page. What they wrote counts as
/// of when they wrote it, however late it was recorded.
///
/// # Errors
/// What the database says.
pub async fn own_words_at(tx: &Tx, people: &[ContactId]) -> Result<OwnWords> {
    let mut said = OwnWords::new();
    if people.is_empty() {
        return Ok(said);
    }
    let query = format!(
        "SELECT l.contact_id, l.topic_id, l.at, l.source, l.reference FROM {} CROSS JOIN consent_ledger l \
         WHERE l.contact_id = b.contact_id AND l.reference IS NOT NULL AND l.consent <> $2",
        table(Kind::of(tx), "b", "$1", &[("contact_id", Type::BigInt)])
    );
    // Whoever only asked for a topic, and was asked back, has not said yes to anything yet.
    let values = vec![crate::contacts::ids_json(people)?.into(), Consent::Pending.as_str().into()];
    let rows = all(tx, query, values).await?;
    let references: Vec<String> = rows.iter().map(|row| row.get("reference")).collect::<Result<_>>()?;
    // What the line says besides the message's SID comes behind it.
    let sids: Vec<&str> = references.iter().map(|reference| reference.split(' ').next().unwrap_or_default()).collect();
    let written = written_at(tx, &sids).await?;
    for (row, sid) in rows.iter().zip(sids) {
        let source: ConsentSource = row.word("source")?;
        let is_own = matches!(source, ConsentSource::Keyword | ConsentSource::RecipientPage);
        let recorded = is_own.then_some(Timestamp::from_micros(row.get("at")?));
        // What somebody of ours has read in a message is the person's word, too.
        let Some(at) = written.get(sid).copied().or(recorded) else { continue };
        let topic = row.get::<Option<uuid::Uuid>>("topic_id")?.map(TopicId);
        let latest = said.entry((ContactId(row.get("contact_id")?), topic)).or_insert(at);
        *latest = (*latest).max(at);
    }
    Ok(said)
}

/// When these people last wrote that they leave, and had left already: the ledger has no line of it, and what they left is
/// not told here.
///
/// # Errors
/// What the database says.
pub async fn left_again_at(tx: &Tx, people: &[ContactId]) -> Result<BTreeMap<ContactId, Timestamp>> {
    if people.is_empty() {
        return Ok(BTreeMap::new());
    }
    let query = format!(
        "SELECT i.contact_id, MAX(i.received_at) AS at FROM {} CROSS JOIN inbound_messages i \
         WHERE i.contact_id = b.contact_id AND i.keyword IN ($2, $3) AND NOT EXISTS (SELECT 1 FROM consent_ledger l \
         WHERE l.contact_id = i.contact_id AND l.reference = i.provider_sid) GROUP BY i.contact_id",
        table(Kind::of(tx), "b", "$1", &[("contact_id", Type::BigInt)])
    );
    let leaving = [Keyword::Stop, Keyword::Unsubscribe].map(|keyword| keyword.as_str().into());
    let values = [crate::contacts::ids_json(people)?.into()].into_iter().chain(leaving).collect();
    let rows = all(tx, query, values).await?;
    rows.iter().map(|row| Ok((ContactId(row.get("contact_id")?), Timestamp::from_micros(row.get("at")?)))).collect()
}

/// When the messages with these SIDs were written, as far as we have them.
async fn written_at(tx: &Tx, sids: &[&str]) -> Result<BTreeMap<String, Timestamp>> {
    #[derive(Serialize)]
    struct Wanted<'a> {
        sid: &'a str,
    }
    if sids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let wanted: Vec<_> = sids.iter().map(|sid| Wanted { sid }).collect();
    let query = format!(
        "SELECT i.provider_sid, i.received_at FROM {} CROSS JOIN inbound_messages i WHERE i.provider_sid = b.sid",
        table(Kind::of(tx), "b", "$1", &[("sid", Type::Text)])
    );
    let rows = all(tx, query, vec![to_json(&wanted)?.into()]).await?;
    rows.iter().map(|row| Ok((row.get("provider_sid")?, Timestamp::from_micros(row.get("received_at")?)))).collect()
}

/// Until when Twilio's lists of what people wrote to our senders were read.
///
/// # Errors
/// What the database says.
pub async fn watermarks(db: &impl ConnectionTrait) -> Result<BTreeMap<SenderId, Timestamp>> {
    let rows = all(db, "SELECT sender_id, fetched_until FROM inbound_watermarks", Vec::new()).await?;
    rows.iter()
        .map(|row| Ok((SenderId(row.get("sender_id")?), Timestamp::from_micros(row.get("fetched_until")?))))
        .collect()
}

/// A sender's list was read until then.
///
/// # Errors
/// What the database says.
pub async fn set_watermark(db: &impl ConnectionTrait, sender: SenderId, until: Timestamp) -> Result<()> {
    let upsert = "INSERT INTO inbound_watermarks (sender_id, fetched_until) VALUES ($1, $2) \
                  ON CONFLICT (sender_id) DO UPDATE SET fetched_until = excluded.fetched_until";
    exec(db, upsert, vec![sender.0.into(), until.as_micros().into()]).await?;
    Ok(())
}

/// A topic by what people call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicName {
    pub id: TopicId,
    pub key: String,
    pub name: String,
    /// Asks back before it subscribes anybody.
    pub double_opt_in: bool,
}

/// All topics, by key.
///
/// # Errors
/// What the database says.
pub async fn topic_names(db: &impl ConnectionTrait) -> Result<Vec<TopicName>> {
    let rows = all(db, "SELECT id, key, name, double_opt_in FROM topics ORDER BY key", vec![]).await?;
    rows.iter()
        .map(|row| {
            Ok(TopicName {
                id: TopicId(row.get("id")?),
                key: row.get("key")?,
                name: row.get("name")?,
                double_opt_in: row.get("double_opt_in")?,
            })
        })
        .collect()
}

/// The sender that has this address, else the channel's default one, else any of the channel.
///
/// # Errors
/// What the database says.
pub async fn sender_at(tx: &Tx, channel: Channel, address: &str) -> Result<Option<SenderId>> {
    let query = "SELECT id FROM senders WHERE channel = $1 \
                 ORDER BY CASE WHEN address = $2 THEN 0 ELSE 1 END, is_default DESC, created_at LIMIT 1";
    let row = one(tx, query, vec![channel.as_str().into(), address.into()]).await?;
    row.map(|row| row.get("id").map(SenderId)).transpose()
}

/// The display names of these people, as far as they are known and have one.
///
/// # Errors
/// What the database says.
pub async fn names_of(db: &impl ConnectionTrait, phones: &[Phone]) -> Result<BTreeMap<Phone, String>> {
    #[derive(Serialize)]
    struct Wanted<'a> {
        phone: &'a str,
    }
    let wanted: Vec<_> = phones.iter().map(|phone| Wanted { phone: phone.as_str() }).collect();
    let query = format!(
        "SELECT c.phone, c.name FROM {} CROSS JOIN contacts c WHERE c.phone = b.phone AND c.name IS NOT NULL",
        table(Kind::of(db), "b", "$1", &[("phone", Type::Text)])
    );
    let rows = all(db, query, vec![to_json(&wanted)?.into()]).await?;
    rows.iter().map(|row| Ok((phone_of(row)?, row.get("name")?))).collect()
}

fn phone_of(row: &Row) -> Result<Phone> {
    let phone: String = row.get("phone")?;
    phone.parse().map_err(|_| Error::Corrupt { column: "phone", problem: "not E.164".to_owned() })
}

/// Where a list goes on: time and id of the last one that was shown.
pub type Cursor = (i64, i64);

/// The messages before `before`, newest first.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &impl ConnectionTrait,
    phone: Option<&Phone>,
    since: Option<Timestamp>,
    before: Option<Cursor>,
    limit: u32,
) -> Result<Vec<Inbound>> {
    let (before_at, before_id) = before.unwrap_or((i64::MAX, i64::MAX));
    let mut conditions = vec![
        "(i.received_at, i.id) < ($1, $2)".to_owned(),
        // Says nothing more, but is what the index is searched by.
        "i.received_at <= $1".to_owned(),
    ];
    let mut values: Vec<Value> = vec![before_at.into(), before_id.into()];
    if let Some(phone) = phone {
        values.push(phone.as_str().into());
        let contact = format!("(SELECT contact_id FROM contacts WHERE phone = ${})", values.len());
        conditions.push(format!("i.contact_id = {contact}"));
    }
    if let Some(since) = since {
        values.push(since.as_micros().into());
        conditions.push(format!("i.received_at >= ${}", values.len()));
    }
    let query =
        format!("{SELECT} WHERE {} ORDER BY i.received_at DESC, i.id DESC LIMIT {limit}", conditions.join(" AND "));
    all(db, query, values).await?.iter().map(inbound).collect()
}

const SELECT: &str = "SELECT i.id, c.phone, i.our_address, i.channel, t.body, t.media, i.media_count, i.keyword, \
                      i.provider_sid, i.received_at FROM inbound_messages i \
                      LEFT JOIN contacts c ON c.contact_id = i.contact_id \
                      LEFT JOIN inbound_texts t ON t.inbound_id = i.id";

/// One message.
///
/// # Errors
/// `NotFound`.
pub async fn get(db: &impl ConnectionTrait, id: InboundId) -> Result<Inbound> {
    let row = one(db, format!("{SELECT} WHERE i.id = $1"), vec![id.0.into()]).await?.ok_or(Error::NotFound)?;
    inbound(&row)
}

fn inbound(row: &Row) -> Result<Inbound> {
    let erased = row.get::<Option<String>>("phone")?.is_none();
    Ok(Inbound {
        id: InboundId(row.get("id")?),
        phone: if erased { None } else { Some(phone_of(row)?) },
        to: row.get("our_address")?,
        channel: row.word("channel")?,
        body: row.get("body")?,
        media_count: row.get("media_count")?,
        // Its text is gone once the person was erased.
        media: if row.get::<Option<String>>("media")?.is_some() { row.json("media")? } else { Vec::new() },
        keyword: row.word_or_null("keyword")?,
        provider_sid: row.get("provider_sid")?,
        received_at: Timestamp::from_micros(row.get("received_at")?),
    })
}
