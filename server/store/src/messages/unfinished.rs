//! Messages that the provider has and whose final status nobody has told.

use domain::{
    ids::{ContactId, MessageId, RunId},
    message::{By, Kind as MessageKind, State},
    phone::Phone,
    time::Timestamp,
};
use sea_orm::Value;

use super::{
    history::{Transition, write_transitions},
    rollups,
    rows::{lock, take, write_back},
    unreachable,
};
use crate::{ConnectionTrait, Error, Result, Row, Tx, all, one};

/// A message without a final status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    pub id: MessageId,
    pub contact_id: ContactId,
    /// The account that it went to.
    pub account_sid: String,
    /// None after the person was erased.
    pub phone: Option<Phone>,
    pub provider_sid: String,
    pub created_at: Timestamp,
    /// When it last moved, or was last asked for.
    pub touched_at: Timestamp,
}

/// A run that has such messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfinishedRun {
    pub run: RunId,
    pub account_sid: String,
    /// How many, by its ledger.
    pub messages: i64,
    /// It stays open, and its messages are made one by one as events come.
    pub is_by_events: bool,
}

/// Runs in which something may have been handed over since `since`, as far as they have such messages.
///
/// # Errors
/// What the database says.
pub async fn unfinished_runs(db: &impl ConnectionTrait, since: Timestamp) -> Result<Vec<UnfinishedRun>> {
    let query = format!(
        "SELECT r.id, s.account_sid, l.accepted + l.sent AS n, r.event_name IS NOT NULL AS is_by_events FROM runs r \
         JOIN run_ledgers l ON l.run_id = r.id JOIN senders s ON s.id = r.sender_id \
         WHERE {} AND l.accepted + l.sent > 0 ORDER BY r.id",
        moves_since("$1")
    );
    let read = |row: &Row| {
        Ok(UnfinishedRun {
            run: RunId(row.get("id")?),
            account_sid: row.get("account_sid")?,
            messages: row.get("n")?,
            is_by_events: row.get("is_by_events")?,
        })
    };
    all(db, query, vec![since.as_micros().into()]).await?.iter().map(read).collect()
}

/// Whether something of the run `r` may have been handed over since then: whatever was planned long ago, a run that is not
/// over may send, and one that is over sent until its end.
pub(crate) fn moves_since(since: &str) -> String {
    format!("(r.finished_at IS NULL OR r.finished_at >= {since} OR r.created_at >= {since})")
}

/// Where messages without a final status are looked for, page by page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// In a run, behind a person.
    Run(RunId, ContactId),
    /// Behind a message, among those that are made one by one: single ones, and those that events make. Along their
    /// numbers, because what they have in common is never handed over all at once.
    OneByOne(MessageId),
}

impl Among {
    /// The same behind this message.
    #[must_use]
    pub const fn behind(self, last: &Unfinished) -> Self {
        match self {
            Self::Run(run, _) => Self::Run(run, last.contact_id),
            Self::OneByOne(_) => Self::OneByOne(last.id),
        }
    }
}

/// When it is time to ask for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    pub now: Timestamp,
    /// So many microseconds nothing was heard of it.
    pub quiet: i64,
    /// It was handed over then or later.
    pub since: Timestamp,
}

/// Up to `limit` messages that it is time to ask for: nothing was heard of them for as long as `patience` says, nor for as
/// long as it took them from the hand-over to where they are. So each wait is twice the last one.
///
/// # Errors
/// What the database says.
pub async fn unfinished(
    db: &impl ConnectionTrait,
    among: Among,
    patience: Patience,
    limit: u32,
) -> Result<Vec<Unfinished>> {
    let Patience { now, quiet, since } = patience;
    let mut values: Vec<Value> =
        vec![now.plus(-quiet).as_micros().into(), now.as_micros().into(), since.as_micros().into()];
    let (which, order) = match among {
        Among::Run(run, after) => {
            values.extend([run.0.into(), after.0.into()]);
            ("m.run_id = $4 AND m.contact_id > $5".to_owned(), "m.contact_id")
        }
        Among::OneByOne(after) => {
            values.push(after.0.into());
            // In the words of the index messages_one_by_one. By the kind and not by the run: the index of runs would lead through
            // all single messages of all times.
            let campaign = MessageKind::Campaign.number();
            (format!("m.id > $4 AND (m.kind <> {campaign} OR m.occurrence > 0)"), "m.id")
        }
    };
    let query = format!(
        "SELECT m.id, m.contact_id, s.account_sid, c.phone, m.provider_sid, m.created_at, m.updated_at \
         FROM messages m JOIN senders s ON s.id = m.sender_id LEFT JOIN contacts c ON c.contact_id = m.contact_id \
         WHERE {which} AND m.state IN ({}, {}) AND m.provider_sid IS NOT NULL AND m.updated_at <= $1 \
         AND COALESCE(m.claimed_at, m.created_at) >= $3 \
         AND $2 - m.updated_at >= m.updated_at - COALESCE(m.claimed_at, m.created_at) ORDER BY {order} LIMIT {limit}",
        State::Accepted.rank(),
        State::Sent.rank()
    );
    all(db, query, values).await?.iter().map(read).collect()
}

/// The message behind which all are that were made at `at` or later, give or take those made while a clock was wrong: there
/// is no index by time, but numbers rise with it. Some twenty looks at one row.
///
/// # Errors
/// What the database says.
pub async fn made_before(db: &impl ConnectionTrait, at: Timestamp) -> Result<MessageId> {
    let highest = one(db, "SELECT max(id) AS id FROM messages", Vec::new()).await?;
    let highest = highest.map_or(Ok(None), |row| row.get::<Option<i64>>("id"))?.unwrap_or(0);
    // All up to `low` were made before, and `high` was not.
    let (mut low, mut high) = (0, highest + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let query = "SELECT id, created_at FROM messages WHERE id <= $1 ORDER BY id DESC LIMIT 1";
        let made_at = match one(db, query, vec![middle.into()]).await? {
            Some(row) => row.get::<i64>("created_at")?,
            None => i64::MIN,
        };
        if made_at < at.as_micros() {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(MessageId(low))
}

fn read(row: &Row) -> Result<Unfinished> {
    let phone: Option<String> = row.get("phone")?;
    Ok(Unfinished {
        id: MessageId(row.get("id")?),
        contact_id: ContactId(row.get("contact_id")?),
        account_sid: row.get("account_sid")?,
        phone: phone
            .map(|phone| phone.parse())
            .transpose()
            .map_err(|error: domain::phone::NotE164| Error::Corrupt { column: "phone", problem: error.to_string() })?,
        provider_sid: row.get("provider_sid")?,
        created_at: Timestamp::from_micros(row.get("created_at")?),
        touched_at: Timestamp::from_micros(row.get("updated_at")?),
    })
}

/// Takes these messages to ask for them: those that nobody else took, and that did not move, since they were read.
///
/// # Errors
/// What the database says.
pub async fn take_unfinished(tx: &Tx, at: Timestamp, messages: Vec<Unfinished>) -> Result<Vec<Unfinished>> {
    let read = messages.iter().map(|message| (message.id, message.touched_at));
    let taken = take(tx, at, read, &[State::Accepted, State::Sent]).await?;
    Ok(messages.into_iter().filter(|message| taken.contains(&message.id)).collect())
}

/// Writes where a message stands at the provider, by the rule of callbacks: a state only rises. True when it moved.
///
/// # Errors
/// What the database says.
pub async fn settle_unfinished(
    tx: &Tx,
    at: Timestamp,
    id: MessageId,
    reported: State,
    error_code: Option<i32>,
) -> Result<bool> {
    let Some(was) = lock(tx, std::iter::once(id.0)).await?.remove(&id) else { return Ok(false) };
    let state = was.state.after_callback(reported);
    if state == was.state {
        return Ok(false);
    }
    let mut row = was.clone();
    row.state = state;
    row.error_code = error_code;
    write_back(tx, at, std::iter::once(&row)).await?;
    unreachable::note(tx, at, std::iter::once(&row)).await?;
    let transition = Transition {
        message_id: row.id,
        month: row.month,
        from: was.state,
        to: row.state,
        attempt: row.attempt,
        reason: row.reason,
        error_code,
    };
    write_transitions(tx, at, By::Reconcile, &[transition]).await?;
    rollups::moved(tx, at, &[(&was, &row)]).await?;
    Ok(true)
}
