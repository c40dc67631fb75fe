//! What a person's own page shows of them.

use domain::{
    consent::Subscription,
    ids::{ContactId, MessageId, TopicId},
    message::Kind,
    recipient::{OwnTopic, Why},
    time::Timestamp,
};

use crate::{ConnectionTrait, Error, Result, all, one};

/// So many topics are shown: more than anybody chooses from.
const TOPICS: u32 = 200;

/// The message to this person that a link was in, while it is kept.
///
/// # Errors
/// What the database says.
pub async fn why(db: &impl ConnectionTrait, contact: ContactId, message: MessageId) -> Result<Option<Why>> {
    let query = "SELECT m.kind, m.not_before, s.channel, s.address, g.name AS campaign, t.name AS topic FROM messages m \
                 JOIN senders s ON s.id = m.sender_id LEFT JOIN campaigns g ON g.id = m.campaign_id \
                 LEFT JOIN runs r ON r.id = m.run_id LEFT JOIN topics t ON t.id = r.topic_id \
                 WHERE m.id = $1 AND m.contact_id = $2";
    let row = one(db, query, vec![message.0.into(), contact.0.into()]).await?;
    row.map(|row| {
        let kind: i16 = row.get("kind")?;
        Ok(Why {
            kind: Kind::from_number(kind)
                .ok_or_else(|| Error::Corrupt { column: "messages.kind", problem: kind.to_string() })?,
            campaign: row.get("campaign")?,
            topic: row.get("topic")?,
            at: Timestamp::from_micros(row.get("not_before")?),
            channel: row.word("channel")?,
            address: row.get("address")?,
        })
    })
    .transpose()
}

/// The topics, and how this person stands to each; those they are subscribed to first.
///
/// # Errors
/// What the database says.
pub async fn topics(db: &impl ConnectionTrait, contact: ContactId) -> Result<Vec<(TopicId, OwnTopic)>> {
    let query = format!(
        "SELECT t.id, t.key, t.name, t.description, s.state, s.source, s.changed_at FROM topics t \
         LEFT JOIN subscriptions s ON s.topic_id = t.id AND s.contact_id = $1 \
         ORDER BY CASE WHEN s.state = $2 THEN 0 ELSE 1 END, t.name, t.id LIMIT {TOPICS}"
    );
    let rows = all(db, query, vec![contact.0.into(), Subscription::Subscribed.as_str().into()]).await?;
    rows.iter()
        .map(|row| {
            let at: Option<i64> = row.get("changed_at")?;
            let topic = OwnTopic {
                key: row.get("key")?,
                name: row.get("name")?,
                description: row.get("description")?,
                state: row.word_or_null("state")?,
                changed: at.map(Timestamp::from_micros).zip(row.word_or_null("source")?),
            };
            Ok((TopicId(row.get("id")?), topic))
        })
        .collect()
}
