//! Conversations: what the inbox lists, one row a person, written with the messages that it tells of. Whoever writes one
//! holds the person's lock, so that nothing is lost between two of them.

use std::collections::BTreeMap;

use domain::{
    conversation::{Assignee, Conversation, ConversationStatus, Direction, Received},
    ids::{AccountId, CampaignId, ContactId, MessageId, SenderId},
    message::{Channel, Kind as MessageKind},
    time::Timestamp,
};
use sea_orm::Value;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    ConnectionTrait, Error, Kind, Result, Row, Tx, all,
    batch::{Type, table, to_json},
    contacts::{self, Matches},
    exec,
    inbound::NewInbound,
    messages::state,
    one,
    sql::Ready,
};

/// People have written. What was understood as a keyword is answered already: nobody has to read it, and alone it opens
/// no conversation.
pub(crate) fn heard(kind: Kind, messages: &[NewInbound<'_>]) -> Result<Ready> {
    #[derive(Serialize)]
    struct Heard {
        contact_id: i64,
        at: i64,
        unread: i32,
    }
    let mut heard = BTreeMap::<i64, Heard>::new();
    for message in messages {
        let contact_id = message.contact_id.0;
        let person = heard.entry(contact_id).or_insert(Heard { contact_id, at: 0, unread: 0 });
        person.at = person.at.max(message.received_at.as_micros());
        person.unread += i32::from(message.keyword.is_none());
    }
    let rows: Vec<Heard> = heard.into_values().collect();
    let columns = [("contact_id", Type::BigInt), ("at", Type::BigInt), ("unread", Type::Int)];
    let text = format!(
        "INSERT INTO conversations (contact_id, last_at, last_inbound_at, last_direction, unread, archived) \
         SELECT b.contact_id, b.at, b.at, $2, b.unread, b.unread = 0 FROM {} WHERE TRUE \
         ON CONFLICT (contact_id) DO UPDATE SET {MOVED}, \
         last_inbound_at = CASE WHEN conversations.last_inbound_at > excluded.last_inbound_at \
         THEN conversations.last_inbound_at ELSE excluded.last_inbound_at END, \
         unread = conversations.unread + excluded.unread, archived = conversations.archived AND excluded.archived",
        table(kind, "b", "$1", &columns)
    );
    Ok(Ready { text, values: vec![to_json(&rows)?.into(), Direction::In.as_str().into()] })
}

/// The later of two messages is the last one.
const MOVED: &str = "last_direction = CASE WHEN conversations.last_at > excluded.last_at \
     THEN conversations.last_direction ELSE excluded.last_direction END, \
     last_at = CASE WHEN conversations.last_at > excluded.last_at THEN conversations.last_at ELSE excluded.last_at END";

/// Somebody writes to this one person. One who `has_read` what the person wrote opens the conversation, or takes it up
/// again; a program's message alone is nothing that anybody has to take care of.
///
/// # Errors
/// What the database says.
pub async fn answered(tx: &Tx, contact: ContactId, at: Timestamp, has_read: bool) -> Result<()> {
    let read = if has_read { ", unread = 0, archived = FALSE" } else { "" };
    let upsert = format!(
        "INSERT INTO conversations (contact_id, last_at, last_direction, archived) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (contact_id) DO UPDATE SET {MOVED}{read}"
    );
    let values = vec![contact.0.into(), at.as_micros().into(), Direction::Out.as_str().into(), (!has_read).into()];
    exec(tx, upsert, values).await?;
    Ok(())
}

/// What may be changed of a conversation.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub assignee: Option<AccountId>,
    pub archived: bool,
    /// Marks everything as read.
    pub read: bool,
    /// Whether somebody else has to be told: a version of its own.
    pub rises: bool,
}

/// Changes a conversation of a person who is locked; it is begun when nothing was said yet.
///
/// # Errors
/// What the database says.
pub async fn update(tx: &Tx, contact: ContactId, at: Timestamp, change: Change) -> Result<()> {
    let begin = "INSERT INTO conversations (contact_id, last_at, last_direction, version) VALUES ($1, $2, $3, 0) \
                 ON CONFLICT (contact_id) DO NOTHING";
    exec(tx, begin, vec![contact.0.into(), at.as_micros().into(), Direction::Out.as_str().into()]).await?;
    let update = "UPDATE conversations SET assignee = $2, archived = $3, version = version + $4, \
                  unread = CASE WHEN $5 THEN 0 ELSE unread END WHERE contact_id = $1";
    let values = vec![
        contact.0.into(),
        change.assignee.map(|id| id.0).into(),
        change.archived.into(),
        i64::from(change.rises).into(),
        change.read.into(),
    ];
    exec(tx, update, values).await?;
    Ok(())
}

/// Which conversations are wanted; everything given must hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<'a> {
    pub q: Option<&'a str>,
    pub status: Option<ConversationStatus>,
    pub unread: bool,
    /// Some(None): nobody's.
    pub assignee: Option<Option<AccountId>>,
}

/// Where a list goes on: time and person of the last one that was shown.
pub type Cursor = (i64, i64);

/// What a line needs; the last text only of those lines that are shown.
fn lines(inner: &str) -> String {
    format!(
        "SELECT p.*, CASE WHEN p.last_direction = 'in' THEN \
         (SELECT t.body FROM inbound_messages i LEFT JOIN inbound_texts t ON t.inbound_id = i.id \
         WHERE i.contact_id = p.contact_id ORDER BY i.received_at DESC, i.id DESC LIMIT 1) ELSE \
         (SELECT t.body FROM messages m LEFT JOIN message_texts t ON t.message_id = m.id \
         WHERE m.contact_id = p.contact_id AND m.kind = 2 ORDER BY m.id DESC LIMIT 1) END AS last_text \
         FROM ({inner}) AS p"
    )
}

const COLUMNS: &str = "v.contact_id, c.phone, c.name, v.last_at, v.last_inbound_at, v.last_direction, v.unread, v.assignee, \
                       a.email AS assignee_email, v.archived, v.version";

/// Conversations before `before`, newest first, with their keys.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &impl ConnectionTrait,
    query: &Query<'_>,
    before: Option<Cursor>,
    limit: u32,
) -> Result<Vec<(Cursor, Conversation)>> {
    let kind = Kind::of(db);
    let (before_at, before_id) = before.unwrap_or((i64::MAX, i64::MAX));
    let mut values: Vec<Value> = vec![before_at.into(), before_id.into()];
    let mut from = "conversations v".to_owned();
    // The second part says nothing more, but is what the indexes are searched by.
    let mut conditions = vec!["(v.last_at, v.contact_id) < ($1, $2)".to_owned(), "v.last_at <= $1".to_owned()];
    if let Some(q) = query.q {
        match contacts::matches(db, q, &mut values).await? {
            Matches::Few(ids) => {
                values.push(contacts::ids_json(&ids)?.into());
                let batch = table(kind, "b", &format!("${}", values.len()), &[("contact_id", Type::BigInt)]);
                from = format!("{batch} CROSS JOIN conversations v");
                conditions.push("v.contact_id = b.contact_id".to_owned());
            }
            Matches::Many(condition) => conditions.push(condition),
        }
    }
    if let Some(status) = query.status {
        values.push((status == ConversationStatus::Archived).into());
        let same = format!("v.archived = ${}", values.len());
        // Few are unread: their index is the one to walk, not that by state.
        conditions.push(if query.unread { format!("({same}) IS TRUE") } else { same });
    }
    if query.unread {
        conditions.push("v.unread > 0".to_owned());
    }
    match query.assignee {
        Some(Some(account)) => {
            values.push(account.0.into());
            conditions.push(format!("v.assignee = ${}", values.len()));
        }
        Some(None) => conditions.push("v.assignee IS NULL".to_owned()),
        None => {}
    }
    let inner = format!(
        "SELECT {COLUMNS} FROM {from} CROSS JOIN contacts c LEFT JOIN accounts a ON a.id = v.assignee \
         WHERE c.contact_id = v.contact_id AND {} ORDER BY v.last_at DESC, v.contact_id DESC LIMIT {limit}",
        conditions.join(" AND ")
    );
    let text = format!("{} ORDER BY p.last_at DESC, p.contact_id DESC", lines(&inner));
    let rows = all(db, text, values).await?;
    rows.iter().map(|row| Ok(((row.get("last_at")?, row.get("contact_id")?), read(row)?))).collect()
}

/// The conversation with a person, if anything was said.
///
/// # Errors
/// What the database says.
pub async fn find(db: &impl ConnectionTrait, contact: ContactId) -> Result<Option<Conversation>> {
    let inner = format!(
        "SELECT {COLUMNS} FROM conversations v JOIN contacts c ON c.contact_id = v.contact_id \
         LEFT JOIN accounts a ON a.id = v.assignee WHERE v.contact_id = $1"
    );
    one(db, lines(&inner), vec![contact.0.into()]).await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Conversation> {
    let time = |column| Ok::<_, Error>(row.get::<Option<i64>>(column)?.map(Timestamp::from_micros));
    let phone: String = row.get("phone")?;
    let assignee: Option<Uuid> = row.get("assignee")?;
    let email: Option<String> = row.get("assignee_email")?;
    Ok(Conversation {
        phone: phone.parse().map_err(|_| Error::Corrupt { column: "phone", problem: "not E.164".to_owned() })?,
        name: row.get("name")?,
        last_at: time("last_at")?,
        last_direction: Some(row.word("last_direction")?),
        // A picture alone comes with an empty text.
        last_text: row.get::<Option<String>>("last_text")?.filter(|text| !text.is_empty()),
        last_inbound_at: time("last_inbound_at")?,
        unread: row.get("unread")?,
        assignee: assignee.zip(email).map(|(id, email)| Assignee { id: AccountId(id), email }),
        archived: row.get("archived")?,
        version: row.get("version")?,
    })
}

/// A sender as a reply sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    pub id: SenderId,
    pub name: String,
    pub channel: Channel,
    pub address: String,
    /// When the person last wrote to it by WhatsApp.
    pub last_inbound_at: Option<Timestamp>,
    /// The person's very last message came to it.
    pub is_last: bool,
}

/// The senders that are enabled, for an answer to this person: the one to answer from first.
///
/// # Errors
/// What the database says.
pub async fn senders(db: &impl ConnectionTrait, contact: ContactId) -> Result<Vec<Sender>> {
    let query = "SELECT s.id, s.name, s.channel, s.address, w.last_inbound_at, \
                 CAST(CASE WHEN s.address = l.our_address AND s.channel = l.channel THEN 1 ELSE 0 END AS bigint) AS is_last \
                 FROM senders s LEFT JOIN service_windows w \
                 ON w.our_address = s.address AND w.contact_id = $1 AND s.channel = $2 \
                 LEFT JOIN (SELECT i.our_address, i.channel FROM inbound_messages i WHERE i.contact_id = $1 \
                 ORDER BY i.received_at DESC, i.id DESC LIMIT 1) AS l ON TRUE WHERE s.enabled \
                 ORDER BY 6 DESC, w.last_inbound_at DESC NULLS LAST, s.is_default DESC, s.channel DESC, s.created_at \
                 LIMIT 1000";
    let rows = all(db, query, vec![contact.0.into(), Channel::Whatsapp.as_str().into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Sender {
                id: SenderId(row.get("id")?),
                name: row.get("name")?,
                channel: row.word("channel")?,
                address: row.get("address")?,
                last_inbound_at: row.get::<Option<i64>>("last_inbound_at")?.map(Timestamp::from_micros),
                is_last: row.get::<i64>("is_last")? == 1,
            })
        })
        .collect()
}

/// The latest campaign messages to a person, newest first, whatever became of them. What was only rehearsed is none.
///
/// # Errors
/// What the database says.
pub async fn received(db: &impl ConnectionTrait, contact: ContactId, limit: u32) -> Result<Vec<Received>> {
    let query = format!(
        "SELECT m.id, m.campaign_id, g.name, m.state, m.not_before FROM messages m \
         JOIN campaigns g ON g.id = m.campaign_id WHERE m.contact_id = $1 AND m.kind = $2 \
         AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = m.run_id AND r.rehearsal) \
         ORDER BY m.id DESC LIMIT {limit}"
    );
    let rows = all(db, query, vec![contact.0.into(), MessageKind::Campaign.number().into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Received {
                campaign_id: CampaignId(row.get("campaign_id")?),
                name: row.get("name")?,
                message_id: MessageId(row.get("id")?),
                state: state(row)?,
                at: Timestamp::from_micros(row.get("not_before")?),
            })
        })
        .collect()
}
