//! Questions of double opt-ins: who was asked, and what became of it.

use domain::{
    consent::ConsentSource,
    contact::Attributes,
    ids::{ContactId, MessageId, OptInId, SenderId, TemplateId, TopicId},
    message::{Kind as MessageKind, State},
    opt_in::{OptIn, OptInState},
    time::Timestamp,
};

use serde::Serialize;

use crate::{
    ConnectionTrait, Error, Kind, Result, Row, Tx, all,
    batch::{self, Columns, Type, column, nullable, to_json},
    exec, one,
};

/// A topic that asks back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskingTopic {
    pub id: TopicId,
    pub key: String,
    pub name: String,
    /// What is asked, and by which channel; none: the program's own words.
    pub template: Option<(TemplateId, i64, domain::message::Channel)>,
}

/// Those of all topics that ask back. There are few.
///
/// # Errors
/// What the database says.
pub async fn asking(db: &impl ConnectionTrait) -> Result<Vec<AskingTopic>> {
    let query = "SELECT t.id, t.key, t.name, p.id AS template_id, p.version AS template_version, p.channel FROM topics t \
                 LEFT JOIN templates p ON p.id = t.question_template_id WHERE t.double_opt_in ORDER BY t.key";
    let rows = all(db, query, Vec::new()).await?;
    rows.iter()
        .map(|row| {
            let template: Option<uuid::Uuid> = row.get("template_id")?;
            let template = match template {
                Some(id) => Some((TemplateId(id), row.get("template_version")?, row.word("channel")?)),
                None => None,
            };
            Ok(AskingTopic { id: TopicId(row.get("id")?), key: row.get("key")?, name: row.get("name")?, template })
        })
        .collect()
}

/// What people are asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// None: there is nowhere to send it from.
    pub sender_id: Option<SenderId>,
    pub template: Option<(TemplateId, i64)>,
    pub body: Option<String>,
    pub variables: Attributes,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub contact_id: ContactId,
    pub source: ConsentSource,
}

/// Asks these people about a topic: their questions are queued, and wait until `expires_at`. Nobody may be in the list
/// twice, or be asked about the topic already.
///
/// # Errors
/// `Duplicate` when somebody is asked already.
pub async fn ask(
    tx: &Tx,
    at: Timestamp,
    expires_at: Timestamp,
    topic: TopicId,
    question: &Question,
    people: &[Asked],
) -> Result<()> {
    if people.is_empty() {
        return Ok(());
    }
    let contacts: Vec<ContactId> = people.iter().map(|asked| asked.contact_id).collect();
    let sent = match question.sender_id {
        Some(sender) => queue(tx, at, sender, question, &contacts).await?,
        None => Vec::new(),
    };
    let mut batch = Columns::new(
        Kind::of(tx),
        [column("contact_id", Type::BigInt), column("source", Type::Text), nullable("message_id", Type::BigInt)],
    );
    let ids: std::collections::BTreeMap<ContactId, MessageId> = sent.into_iter().collect();
    for asked in people {
        let message = ids.get(&asked.contact_id).map(|id| id.0);
        batch.push([asked.contact_id.0.into(), asked.source.as_str().into(), message.into()]);
    }
    let mut values =
        vec![topic.0.into(), OptInState::Waiting.as_str().into(), at.as_micros().into(), expires_at.as_micros().into()];
    let table = batch.table("b", &mut values)?;
    let insert = format!(
        "INSERT INTO opt_in_requests (contact_id, topic_id, state, source, asked_at, expires_at, message_id) \
         SELECT b.contact_id, $1, $2, b.source, $3, $4, b.message_id FROM {table}"
    );
    exec(tx, insert, values).await?;
    Ok(())
}

/// Queues one message to each of these people.
async fn queue(
    tx: &Tx,
    at: Timestamp,
    sender: SenderId,
    question: &Question,
    people: &[ContactId],
) -> Result<Vec<(ContactId, MessageId)>> {
    let mut batch = Columns::new(Kind::of(tx), [column("contact_id", Type::BigInt)]);
    people.iter().for_each(|id| batch.push([id.0.into()]));
    let kind = MessageKind::Question;
    let mut values = vec![
        sender.0.into(),
        question.template.map(|(id, _)| id.0).into(),
        question.template.map(|(_, version)| version).into(),
        kind.number().into(),
        kind.priority().into(),
        State::Queued.rank().into(),
        at.month().into(),
        at.as_micros().into(),
    ];
    let table = batch.table("b", &mut values)?;
    let insert = format!(
        "INSERT INTO messages (contact_id, sender_id, template_id, template_version, kind, priority, state, month, \
         not_before, created_at, updated_at) SELECT b.contact_id, $1, $2, $3, $4, $5, $6, $7, $8, $8, $8 FROM {table} \
         RETURNING id, contact_id"
    );
    let rows = all(tx, insert, values).await?;
    let sent: Vec<(ContactId, MessageId)> = rows
        .iter()
        .map(|row| Ok((ContactId(row.get("contact_id")?), MessageId(row.get("id")?))))
        .collect::<Result<_>>()?;
    if question.body.is_some() || !question.variables.is_empty() {
        let variables = if question.variables.is_empty() { None } else { Some(to_json(&question.variables)?) };
        let mut batch = Columns::new(Kind::of(tx), [column("message_id", Type::BigInt)]);
        sent.iter().for_each(|(_, id)| batch.push([id.0.into()]));
        let mut values = vec![question.body.clone().into(), variables.into()];
        let table = batch.table("b", &mut values)?;
        let insert =
            format!("INSERT INTO message_texts (message_id, body, variables) SELECT b.message_id, $1, $2 FROM {table}");
        exec(tx, insert, values).await?;
    }
    Ok(sent)
}

/// A question that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub id: OptInId,
    pub contact_id: ContactId,
    pub topic_id: TopicId,
    pub asked_at: Timestamp,
    pub expires_at: Timestamp,
    pub message_id: Option<MessageId>,
    /// The question's own, once the provider has it.
    pub question_sid: Option<String>,
}

/// The questions that wait for these people's answers, the latest last.
///
/// # Errors
/// What the database says.
pub async fn waiting(db: &impl ConnectionTrait, people: &[ContactId]) -> Result<Vec<Waiting>> {
    let mut batch = Columns::new(Kind::of(db), [column("contact_id", Type::BigInt)]);
    people.iter().for_each(|id| batch.push([id.0.into()]));
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = vec![OptInState::Waiting.as_str().into()];
    let table = batch.table("b", &mut values)?;
    // The state stands in the text, too: the index is of those that wait.
    let query = format!(
        "SELECT r.id, r.contact_id, r.topic_id, r.asked_at, r.expires_at, r.message_id, m.provider_sid FROM {table} \
         CROSS JOIN opt_in_requests r LEFT JOIN messages m ON m.id = r.message_id \
         WHERE r.contact_id = b.contact_id AND r.state = $1 AND r.state = 'waiting' ORDER BY r.id"
    );
    all(db, query, values)
        .await?
        .iter()
        .map(|row| {
            Ok(Waiting {
                id: OptInId(row.get("id")?),
                contact_id: ContactId(row.get("contact_id")?),
                topic_id: TopicId(row.get("topic_id")?),
                asked_at: Timestamp::from_micros(row.get("asked_at")?),
                expires_at: Timestamp::from_micros(row.get("expires_at")?),
                message_id: row.get::<Option<i64>>("message_id")?.map(MessageId),
                question_sid: row.get("provider_sid")?,
            })
        })
        .collect()
}

/// These questions were answered with yes, by these messages.
///
/// # Errors
/// What the database says.
pub async fn confirm(tx: &Tx, at: Timestamp, answered: &[(OptInId, &str)]) -> Result<()> {
    let mut batch = Columns::new(Kind::of(tx), [column("id", Type::BigInt), column("sid", Type::Text)]);
    answered.iter().for_each(|(id, sid)| batch.push([id.0.into(), (*sid).into()]));
    if batch.is_empty() {
        return Ok(());
    }
    let mut values = vec![OptInState::Confirmed.as_str().into(), at.as_micros().into()];
    let table = batch.table("b", &mut values)?;
    let update = format!(
        "UPDATE opt_in_requests SET state = $1, settled_at = $2, inbound_sid = b.sid FROM {table} \
         WHERE opt_in_requests.id = b.id AND opt_in_requests.state = 'waiting'"
    );
    exec(tx, update, values).await?;
    Ok(())
}

/// Whoever opted out, of everything (no topic) or of a topic, is not asked any more. Returns the messages that ask them.
///
/// # Errors
/// What the database says.
pub async fn withdraw(tx: &Tx, at: Timestamp, people: &[(ContactId, Option<TopicId>)]) -> Result<Vec<MessageId>> {
    #[derive(Serialize)]
    struct Left {
        contact_id: i64,
        topic_id: Option<TopicId>,
    }
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let left: Vec<Left> = people.iter().map(|(id, topic)| Left { contact_id: id.0, topic_id: *topic }).collect();
    let table = batch::table(Kind::of(tx), "b", "$3", &[("contact_id", Type::BigInt), ("topic_id", Type::Uuid)]);
    let values = vec![OptInState::Withdrawn.as_str().into(), at.as_micros().into(), to_json(&left)?.into()];
    let update = format!(
        "UPDATE opt_in_requests SET state = $1, settled_at = $2 FROM {table} \
         WHERE opt_in_requests.contact_id = b.contact_id AND opt_in_requests.state = 'waiting' \
         AND (b.topic_id IS NULL OR opt_in_requests.topic_id = b.topic_id) RETURNING opt_in_requests.message_id"
    );
    messages_of(&all(tx, update, values).await?)
}

/// The messages that ask these questions.
fn messages_of(rows: &[Row]) -> Result<Vec<MessageId>> {
    let ids: Vec<Option<i64>> = rows.iter().map(|row| row.get("message_id")).collect::<Result<_>>()?;
    Ok(ids.into_iter().flatten().map(MessageId).collect())
}

/// People whose questions have waited long enough.
///
/// # Errors
/// What the database says.
pub async fn overdue(db: &impl ConnectionTrait, now: Timestamp, limit: u32) -> Result<Vec<ContactId>> {
    let query = format!(
        "SELECT contact_id FROM opt_in_requests WHERE state = 'waiting' AND expires_at <= $1 \
         ORDER BY expires_at, id LIMIT {limit}"
    );
    let rows = all(db, query, vec![now.as_micros().into()]).await?;
    let mut people: Vec<ContactId> =
        rows.iter().map(|row| row.get("contact_id").map(ContactId)).collect::<Result<_>>()?;
    people.sort_unstable();
    people.dedup();
    Ok(people)
}

/// Ends these people's questions that have waited long enough. Lock the people first. Returns how many questions, and the
/// messages that ask them.
///
/// # Errors
/// What the database says.
pub async fn expire(tx: &Tx, now: Timestamp, people: &[ContactId]) -> Result<(u64, Vec<MessageId>)> {
    let mut batch = Columns::new(Kind::of(tx), [column("contact_id", Type::BigInt)]);
    people.iter().for_each(|id| batch.push([id.0.into()]));
    if batch.is_empty() {
        return Ok((0, Vec::new()));
    }
    let mut values = vec![OptInState::Expired.as_str().into(), now.as_micros().into()];
    let table = batch.table("b", &mut values)?;
    let update = format!(
        "UPDATE opt_in_requests SET state = $1, settled_at = $2 FROM {table} \
         WHERE opt_in_requests.contact_id = b.contact_id AND opt_in_requests.state = 'waiting' \
         AND opt_in_requests.expires_at <= $2 RETURNING opt_in_requests.message_id"
    );
    let rows = all(tx, update, values).await?;
    Ok((rows.len() as u64, messages_of(&rows)?))
}

/// Questions in this state before `before`, newest first.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &impl ConnectionTrait,
    state: OptInState,
    before: Option<OptInId>,
    limit: u32,
) -> Result<Vec<OptIn>> {
    let query = format!(
        "SELECT r.id, c.phone, c.name, t.key, t.name AS topic_name, r.state, r.source, r.asked_at, r.expires_at, \
         r.settled_at, r.message_id, m.state AS message_state, m.reason AS message_reason FROM opt_in_requests r \
         JOIN contacts c ON c.contact_id = r.contact_id JOIN topics t ON t.id = r.topic_id \
         LEFT JOIN messages m ON m.id = r.message_id WHERE r.state = $1 AND r.id < $2 ORDER BY r.id DESC LIMIT {limit}"
    );
    let before = before.map_or(i64::MAX, |id| id.0);
    all(db, query, vec![state.as_str().into(), before.into()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<OptIn> {
    let phone: String = row.get("phone")?;
    let rank: Option<i16> = row.get("message_state")?;
    let message_id: Option<i64> = row.get("message_id")?;
    let settled_at: Option<i64> = row.get("settled_at")?;
    Ok(OptIn {
        id: OptInId(row.get("id")?),
        phone: phone.parse().map_err(|_| Error::Corrupt { column: "phone", problem: "not E.164".to_owned() })?,
        name: row.get("name")?,
        topic: row.get("key")?,
        topic_name: row.get("topic_name")?,
        state: row.word("state")?,
        source: row.word("source")?,
        asked_at: Timestamp::from_micros(row.get("asked_at")?),
        expires_at: Timestamp::from_micros(row.get("expires_at")?),
        settled_at: settled_at.map(Timestamp::from_micros),
        message_id: message_id.map(MessageId),
        message_state: rank.and_then(State::from_rank),
        message_reason: row.word_or_null("message_reason")?,
    })
}

/// How many questions wait for an answer.
///
/// # Errors
/// What the database says.
pub async fn count_waiting(db: &impl ConnectionTrait) -> Result<i64> {
    let query = "SELECT CAST(count(*) AS bigint) AS n FROM opt_in_requests WHERE state = 'waiting'";
    one(db, query, Vec::new()).await?.map_or(Ok(0), |row| row.get("n"))
}
