use domain::{
    consent::Consent,
    contact::{TimelineEntry, TimelineKind},
    ids::{ContactId, MessageId},
    message::State,
    time::Timestamp,
};
use sea_orm::Value;

use crate::{ConnectionTrait, Error, Result, Row, all};

/// One event of a person's history.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineRow {
    pub entry: TimelineEntry,
    /// Where it stands: time, kind of source, and id within the source.
    pub key: (i64, i64, i64),
    /// The words of a consent's evidence, sealed with the contact's key.
    pub evidence: Option<Vec<u8>>,
}

/// Where events come from: `$1` is the contact, `$2` a time, `$3` an id, `$4` how many. Each gives `at` and `id`.
/// `{before}` is what puts a row before the cursor.
const SOURCES: [(TimelineKind, &str); 6] = [
    (
        TimelineKind::Message,
        "SELECT m.created_at AS at, m.id AS id, m.state, m.reason, g.name AS subject, t.body AS text FROM messages m \
         LEFT JOIN campaigns g ON g.id = m.campaign_id LEFT JOIN message_texts t ON t.message_id = m.id \
         WHERE m.contact_id = $1 AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = m.run_id AND r.rehearsal) \
         AND {before} ORDER BY m.created_at DESC, m.id DESC LIMIT $4",
    ),
    (
        TimelineKind::Inbound,
        "SELECT m.received_at AS at, m.id AS id, m.keyword AS subject, t.body AS text FROM inbound_messages m \
         LEFT JOIN inbound_texts t ON t.inbound_id = m.id WHERE m.contact_id = $1 AND {before} \
         ORDER BY m.received_at DESC, m.id DESC LIMIT $4",
    ),
    (
        TimelineKind::Suppression,
        "SELECT m.created_at AS at, CAST(0 AS bigint) AS id, m.reason AS subject FROM suppressions m \
         WHERE m.contact_id = $1 AND {before} ORDER BY m.created_at DESC LIMIT $4",
    ),
    (
        TimelineKind::Consent,
        "SELECT m.at AS at, m.seq AS id, m.consent, m.source, m.topic_id, t.key AS subject, m.evidence \
         FROM consent_ledger m LEFT JOIN topics t ON t.id = m.topic_id WHERE m.contact_id = $1 AND {before} \
         ORDER BY m.at DESC, m.seq DESC LIMIT $4",
    ),
    (
        TimelineKind::Imported,
        "SELECT m.created_at AS at, CAST(0 AS bigint) AS id, m.file_name AS subject FROM imports m \
         WHERE {before} AND EXISTS (SELECT 1 FROM import_contacts i WHERE i.import_id = m.id AND i.contact_id = $1) \
         ORDER BY m.created_at DESC LIMIT $4",
    ),
    (
        TimelineKind::Created,
        "SELECT m.created_at AS at, CAST(0 AS bigint) AS id FROM contacts m WHERE m.contact_id = $1 AND {before} LIMIT $4",
    ),
];

/// A person's history before `before` (see [`TimelineRow::key`]), newest first.
///
/// # Errors
/// What the database says.
pub async fn timeline(
    db: &impl ConnectionTrait,
    contact: ContactId,
    before: Option<(i64, i64, i64)>,
    limit: u32,
) -> Result<Vec<TimelineRow>> {
    let mut rows = Vec::new();
    for (rank, (kind, text)) in (0_i64..).zip(SOURCES) {
        let (text, at, id) = before_cursor(kind, text, rank, before);
        let values: Vec<Value> = vec![contact.0.into(), at.into(), id.into(), i64::from(limit).into()];
        for row in all(db, text, values).await? {
            rows.push(timeline_row(kind, rank, &row)?);
        }
    }
    // Sources of a higher rank are older where the time is the same: a person is created, then imported, then asked.
    rows.sort_unstable_by_key(|row| std::cmp::Reverse((row.key.0, -row.key.1, row.key.2)));
    rows.truncate(limit as usize);
    Ok(rows)
}

/// Completes a source's statement: rows of the cursor's own time come after it in sources of a higher rank, and in its
/// own source if their id is lower.
fn before_cursor(kind: TimelineKind, text: &str, rank: i64, before: Option<(i64, i64, i64)>) -> (String, i64, i64) {
    let (time, id) = match kind {
        TimelineKind::Message => ("m.created_at", "m.id"),
        TimelineKind::Inbound => ("m.received_at", "m.id"),
        TimelineKind::Consent => ("m.at", "m.seq"),
        _ => ("m.created_at", "CAST(0 AS bigint)"),
    };
    let (at, last) = match before {
        None => (i64::MAX, i64::MAX),
        Some((at, source, id)) if source == rank => (at, id),
        Some((at, source, _)) => (at, if rank > source { i64::MAX } else { i64::MIN }),
    };
    (text.replace("{before}", &format!("({time}, {id}) < ($2, $3)")), at, last)
}

fn timeline_row(kind: TimelineKind, rank: i64, row: &Row) -> Result<TimelineRow> {
    let at: i64 = row.get("at")?;
    let id: i64 = row.get("id")?;
    let mut entry = TimelineEntry {
        at: Timestamp::from_micros(at),
        kind,
        consent: None,
        source: None,
        state: None,
        subject: None,
        text: None,
        message_id: None,
    };
    let mut evidence = None;
    match kind {
        TimelineKind::Message => {
            let reason: Option<String> = row.get("reason")?;
            entry.state = Some(state(row.get("state")?)?);
            entry.subject = row.get::<Option<String>>("subject")?.or(reason);
            entry.text = row.get("text")?;
            entry.message_id = Some(MessageId(id));
        }
        TimelineKind::Inbound => {
            entry.subject = row.get("subject")?;
            entry.text = row.get("text")?;
        }
        TimelineKind::Consent => {
            let topic: Option<uuid::Uuid> = row.get("topic_id")?;
            if topic.is_some() {
                entry.kind = TimelineKind::Subscription;
            }
            entry.consent = Some(row.word::<Consent>("consent")?);
            entry.source = Some(row.word("source")?);
            entry.subject = row.get("subject")?;
            evidence = row.get("evidence")?;
        }
        TimelineKind::Suppression | TimelineKind::Imported => entry.subject = row.get("subject")?,
        TimelineKind::Created | TimelineKind::Changed | TimelineKind::Subscription => {}
    }
    Ok(TimelineRow { entry, key: (at, rank, id), evidence })
}

fn state(rank: i16) -> Result<State> {
    State::from_rank(rank).ok_or_else(|| Error::Corrupt { column: "state", problem: format!("no state {rank}") })
}
