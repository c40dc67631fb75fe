//! Messages of which nobody knows whether they were sent: what is known of them, and what was found out.

use domain::{
    campaign::OnUnknown,
    ids::{ContactId, MessageId, RunId},
    message::{By, Channel, State},
    phone::Phone,
    reason::Reason,
    run::Rules,
    time::Timestamp,
};
use sea_orm::Value;
use uuid::Uuid;

use super::{
    history::{Transition, write_transitions},
    outcome::bind_sid,
    rollups,
    rows::{Locked, lock, owners_of_sids, take, write_back},
};
use crate::{ConnectionTrait, Error, Result, Row, Tx, all, one, readable::if_readable};

/// A message whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMessage {
    pub id: MessageId,
    pub run_id: Option<RunId>,
    pub contact_id: ContactId,
    pub attempt: i16,
    /// None after the person was erased.
    pub phone: Option<Phone>,
    /// The sender's number or Messaging Service.
    pub from: String,
    pub channel: Channel,
    pub created_at: Timestamp,
    /// When the worker took it that may have handed it over.
    pub handed_over_at: Timestamp,
    /// Since when it is unknown.
    pub since: Timestamp,
    /// When it was looked at last, or taken to be looked at; see [`settle_unknown`].
    pub looked_at: Timestamp,
    /// The provider was asked once already and had no such message.
    pub absent_before: bool,
    /// The text as it may have been sent, where it is known.
    pub text: Option<String>,
    /// What its campaign says, as campaigns do at first for single sends; none where this version cannot read it.
    pub on_unknown: Option<OnUnknown>,
}

/// Up to `limit` messages of an account's senders that are unknown and were not looked at since `before`, or seem to have
/// been looked at after `beyond`, where no clock that is right has come yet; the longest waiting first.
///
/// # Errors
/// What the database says.
pub async fn unknown(
    db: &impl ConnectionTrait,
    account_sid: &str,
    (before, beyond): (Timestamp, Timestamp),
    limit: u32,
) -> Result<Vec<UnknownMessage>> {
    let query = format!(
        "SELECT m.id, m.run_id, m.contact_id, m.attempt, m.created_at, m.claimed_at, m.updated_at, c.phone, s.address, s.channel, \
         r.rules, (SELECT t.body FROM message_texts t WHERE t.message_id = m.id) AS body, \
         (SELECT min(t.at) FROM transitions t WHERE t.message_id = m.id AND t.attempt = m.attempt AND t.to_state = 2) \
         AS since, \
         EXISTS (SELECT 1 FROM transitions t WHERE t.message_id = m.id AND t.attempt = m.attempt \
         AND t.from_state = 2 AND t.to_state = 2) AS absent_before \
         FROM messages m JOIN senders s ON s.id = m.sender_id LEFT JOIN contacts c ON c.contact_id = m.contact_id \
         LEFT JOIN runs r ON r.id = m.run_id \
         WHERE m.unknown_at IS NOT NULL AND (m.unknown_at <= $1 OR m.unknown_at > $3) AND s.account_sid = $2 ORDER BY m.unknown_at LIMIT {limit}"
    );
    let values = vec![before.as_micros().into(), account_sid.into(), beyond.as_micros().into()];
    all(db, query, values).await?.iter().map(read).collect()
}

/// Takes these messages to ask the provider for them: those that nobody else took, and that did not move, since they were
/// read. For everybody else they were looked at then, and their turn is as far away as after a look.
///
/// # Errors
/// What the database says.
pub async fn take_unknown(tx: &Tx, at: Timestamp, messages: Vec<UnknownMessage>) -> Result<Vec<UnknownMessage>> {
    let read = messages.iter().map(|message| (message.id, message.looked_at));
    let taken = take(tx, at, read, &[State::Unknown]).await?;
    let taken = messages.into_iter().filter(|message| taken.contains(&message.id));
    Ok(taken.map(|message| UnknownMessage { looked_at: at, ..message }).collect())
}

fn read(row: &Row) -> Result<UnknownMessage> {
    let looked_at = Timestamp::from_micros(row.get("updated_at")?);
    let created_at = Timestamp::from_micros(row.get("created_at")?);
    let phone: Option<String> = row.get("phone")?;
    let run: Option<Uuid> = row.get("run_id")?;
    let on_unknown = match run {
        Some(run) => if_readable("run", run, row.json::<Rules>("rules"))?.map(|rules| rules.on_unknown),
        None => Some(OnUnknown::Requeue),
    };
    Ok(UnknownMessage {
        id: MessageId(row.get("id")?),
        run_id: run.map(RunId),
        contact_id: ContactId(row.get("contact_id")?),
        attempt: row.get("attempt")?,
        phone: phone
            .map(|phone| phone.parse())
            .transpose()
            .map_err(|error: domain::phone::NotE164| Error::Corrupt { column: "phone", problem: error.to_string() })?,
        from: row.get("address")?,
        channel: row.word("channel")?,
        created_at,
        handed_over_at: row.get::<Option<i64>>("claimed_at")?.map_or(created_at, Timestamp::from_micros),
        since: row.get::<Option<i64>>("since")?.map_or(looked_at, Timestamp::from_micros),
        looked_at,
        absent_before: row.get("absent_before")?,
        text: row.get("body")?,
        on_unknown,
    })
}

/// Whether another message of ours to this person is being handed over just now: what the provider has may be that one, and
/// its SID is not written yet. From whichever sender: a Messaging Service sends from the numbers of others.
///
/// # Errors
/// What the database says.
pub async fn is_another_under_way(db: &impl ConnectionTrait, message: &UnknownMessage) -> Result<bool> {
    let query = format!(
        "SELECT id FROM messages WHERE contact_id = $1 AND id <> $2 AND state = {} LIMIT 1",
        State::Sending.rank()
    );
    let values = vec![message.contact_id.0.into(), message.id.0.into()];
    Ok(one(db, query, values).await?.is_some())
}

/// Which of these SIDs belong to messages of ours.
///
/// # Errors
/// What the database says.
pub async fn bound_sids(
    db: &impl ConnectionTrait,
    sids: impl Iterator<Item = &str>,
) -> Result<std::collections::BTreeSet<String>> {
    Ok(owners_of_sids(db, sids).await?.into_keys().collect())
}

/// What asking the provider about an unknown message came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The provider has it, and it stands there.
    Found { sid: String, state: State, error_code: Option<i32> },
    /// The provider has no such message; it has to say so twice.
    AbsentOnce,
    /// It said so twice: back to the queue.
    Requeue,
    /// Given up: `failed`.
    GiveUp,
    /// It cannot be told; the next look is as far away as this one was.
    Unclear,
}

/// Writes a finding, if nothing happened to the message since it was read: a callback may have settled it, or another
/// process may have looked. True when it was written.
///
/// # Errors
/// What the database says.
pub async fn settle_unknown(tx: &Tx, at: Timestamp, message: &UnknownMessage, finding: &Finding) -> Result<bool> {
    let Some(was) = lock(tx, std::iter::once(message.id.0)).await?.remove(&message.id) else { return Ok(false) };
    if was.state != State::Unknown || was.attempt != message.attempt || was.updated_at != message.looked_at.as_micros()
    {
        return Ok(false);
    }
    let mut row = was.clone();
    match finding {
        Finding::Found { sid, state, error_code } => {
            let mut owners = owners_of_sids(tx, std::iter::once(sid.as_str())).await?;
            if owners.get(sid).is_some_and(|owner| *owner != message.id) {
                return Ok(false);
            }
            bind_sid(&mut row, sid, &mut owners);
            set(&mut row, *state, None, *error_code);
        }
        Finding::AbsentOnce => set(&mut row, State::Unknown, was.reason, None),
        Finding::Requeue => {
            set(&mut row, State::Queued, Some(Reason::NotAtProvider), None);
            row.not_before = at.as_micros();
        }
        Finding::GiveUp => set(&mut row, State::Failed, Some(Reason::OutcomeUnknown), None),
        Finding::Unclear => {}
    }
    write_back(tx, at, std::iter::once(&row)).await?;
    if *finding != Finding::Unclear {
        let reason = if *finding == Finding::AbsentOnce { Some(Reason::NotAtProvider) } else { row.reason };
        let transition = Transition {
            message_id: row.id,
            month: row.month,
            from: was.state,
            to: row.state,
            attempt: row.attempt,
            reason,
            error_code: row.error_code,
        };
        write_transitions(tx, at, By::Reconcile, &[transition]).await?;
    }
    rollups::moved(tx, at, &[(&was, &row)]).await?;
    Ok(true)
}

/// The SQL of whether message `message` was given up while nobody could tell what became of it: it may have come.
pub(crate) fn given_up(message: &str) -> String {
    let (failed, reason) = (State::Failed.rank(), Reason::OutcomeUnknown);
    format!("({message}.state = {failed} AND {message}.reason = '{reason}')")
}

fn set(row: &mut Locked, state: State, reason: Option<Reason>, error_code: Option<i32>) {
    row.state = state;
    row.reason = reason;
    row.error_code = error_code;
}

/// How many messages are unknown.
///
/// # Errors
/// What the database says.
pub async fn count_unknown(db: &impl ConnectionTrait) -> Result<i64> {
    let query = "SELECT CAST(count(*) AS bigint) AS n FROM messages WHERE unknown_at IS NOT NULL";
    let rows = all(db, query, Vec::<Value>::new()).await?;
    rows.first().map_or(Ok(0), |row| row.get("n"))
}
