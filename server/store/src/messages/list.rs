//! Messages for people: pages of a list, one with its whole history, a run's for export.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ids::{CampaignId, ContactId, MessageId, RunId},
    message::{
        By, CheckOutcome, CheckResult, Decision, HistoryEntry, Kind as MessageKind, Message, MessageFilter, Outcome,
        State,
    },
    reason::{Check, Reason},
    time::Timestamp,
};
use sea_orm::Value;
use uuid::Uuid;

use super::{grounds, rows::state};
use crate::{ConnectionTrait, Error, Result, Row, all, one, trigger_events};

const COLUMNS: &str = "m.id, m.run_id, m.campaign_id, m.kind, c.phone, c.name, s.channel, t.body, m.state, m.reason, \
                       m.provider_sid, m.error_code, m.attempt, m.not_before, m.created_at, m.updated_at, \
                       CAST(m.occurrence AS bigint) AS occurrence";

const FROM: &str = "FROM messages m JOIN senders s ON s.id = m.sender_id \
                    LEFT JOIN contacts c ON c.contact_id = m.contact_id \
                    LEFT JOIN message_texts t ON t.message_id = m.id";

/// Messages older than `before`, newest first, without their histories.
///
/// # Errors
/// What the database says.
pub async fn list(
    db: &impl ConnectionTrait,
    filter: &MessageFilter,
    before: Option<MessageId>,
    limit: u32,
) -> Result<Vec<Message>> {
    let (mut condition, mut values) = condition(filter);
    // A run's messages are made in the order of its people, which is that of the run's index.
    let of_run = filter.run.is_some();
    if let Some(before) = before {
        values.push(before.0.into());
        let id = values.len();
        condition.push_str(&if of_run {
            let person = format!("(SELECT l.contact_id FROM messages l WHERE l.id = ${id})");
            // The second part says nothing more, but is what the index is searched by.
            format!(" AND (m.contact_id, m.id) < ({person}, ${id}) AND m.contact_id <= {person}")
        } else {
            format!(" AND m.id < ${id}")
        });
    }
    values.push(i64::from(limit).into());
    let order = if of_run { "m.contact_id DESC, m.id DESC" } else { "m.id DESC" };
    let query = format!("SELECT {COLUMNS} {FROM} WHERE {condition} ORDER BY {order} LIMIT ${}", values.len());
    read_all(db, &all(db, query, values).await?).await
}

/// What was said to one person before `before` (when its turn came, and its id), newest first: of campaigns what was
/// handed over or is on its way.
///
/// # Errors
/// What the database says.
pub async fn said_to(
    db: &impl ConnectionTrait,
    contact: ContactId,
    before: Option<(i64, i64)>,
    limit: u32,
) -> Result<Vec<Message>> {
    let (before_at, before_id) = before.unwrap_or((i64::MAX, i64::MAX));
    let query = format!(
        "SELECT {COLUMNS} {FROM} WHERE m.contact_id = $1 AND (m.kind <> $2 OR m.state NOT IN ($3, $4, $5)) \
         AND (m.not_before, m.id) < ($6, $7) ORDER BY m.not_before DESC, m.id DESC LIMIT {limit}"
    );
    let values = vec![
        contact.0.into(),
        MessageKind::Campaign.number().into(),
        State::Queued.rank().into(),
        State::Skipped.rank().into(),
        State::Cancelled.rank().into(),
        before_at.into(),
        before_id.into(),
    ];
    read_all(db, &all(db, query, values).await?).await
}

/// The filter's SQL and its values, numbered from 1.
fn condition(filter: &MessageFilter) -> (String, Vec<Value>) {
    let mut parts = vec!["TRUE".to_owned()];
    let mut values: Vec<Value> = Vec::new();
    let mut add = |sql: &str, value: Value| {
        values.push(value);
        parts.push(sql.replace("$?", &format!("${}", values.len())));
    };
    if let Some(run) = filter.run {
        add("m.run_id = $?", run.0.into());
    }
    if let Some(campaign) = filter.campaign {
        add("m.run_id IN (SELECT r.id FROM runs r WHERE r.campaign_id = $?)", campaign.0.into());
    }
    if let Some(phone) = &filter.phone {
        add("m.contact_id = (SELECT p.contact_id FROM contacts p WHERE p.phone = $?)", phone.as_str().into());
    }
    if let Some(state) = filter.state {
        add("m.state = $?", state.rank().into());
    }
    if let Some(reason) = filter.reason {
        add("m.reason = $?", reason.as_str().into());
    }
    if let Some(code) = filter.code {
        add("m.error_code = $?", code.into());
    }
    if let Some(since) = filter.since {
        add("m.created_at >= $?", since.as_micros().into());
    }
    if filter.phone.is_some() && filter.run.is_none() {
        // What was only rehearsed is nothing that happened to a person.
        parts.push("NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = m.run_id AND r.rehearsal)".to_owned());
    }
    (parts.join(" AND "), values)
}

fn kind(row: &Row) -> Result<MessageKind> {
    let number: i16 = row.get("kind")?;
    MessageKind::from_number(number)
        .ok_or_else(|| Error::Corrupt { column: "messages.kind", problem: number.to_string() })
}

/// Messages, each with the event that it was planned for, if one did it: asked for once, however many they are.
async fn read_all(db: &impl ConnectionTrait, rows: &[Row]) -> Result<Vec<Message>> {
    let mut messages: Vec<Message> = rows.iter().map(read).collect::<Result<_>>()?;
    let mut planned_for = Vec::new();
    for (row, message) in rows.iter().zip(&mut messages) {
        let event: i64 = row.get("occurrence")?;
        // Those of a plan have none, and of others the number says something else.
        if message.kind == MessageKind::Campaign && event > 0 {
            planned_for.push((event, message));
        }
    }
    let numbers: BTreeSet<i64> = planned_for.iter().map(|(event, _)| *event).collect();
    let events = trigger_events::behind(db, &numbers).await?;
    for (event, message) in planned_for {
        message.event = events.get(&event).cloned();
    }
    Ok(messages)
}

fn read(row: &Row) -> Result<Message> {
    let phone: Option<String> = row.get("phone")?;
    Ok(Message {
        id: MessageId(row.get("id")?),
        run_id: row.get::<Option<Uuid>>("run_id")?.map(RunId),
        campaign_id: row.get::<Option<Uuid>>("campaign_id")?.map(CampaignId),
        kind: kind(row)?,
        phone: phone
            .map(|phone| phone.parse())
            .transpose()
            .map_err(|error: domain::phone::NotE164| Error::Corrupt { column: "phone", problem: error.to_string() })?,
        name: row.get("name")?,
        channel: row.word("channel")?,
        body: row.get("body")?,
        state: state(row)?,
        reason: row.word_or_null("reason")?,
        provider_sid: row.get("provider_sid")?,
        error_code: row.get("error_code")?,
        attempts: i32::from(row.get::<i16>("attempt")?),
        not_before: Timestamp::from_micros(row.get("not_before")?),
        created_at: Timestamp::from_micros(row.get("created_at")?),
        updated_at: Timestamp::from_micros(row.get("updated_at")?),
        event: None,
        history: Vec::new(),
        decisions: Vec::new(),
        callbacks_since: None,
    })
}

/// A message with its history and its decisions. Who did what a person did stands in the audit log.
///
/// # Errors
/// `NotFound` when there is none.
pub async fn get(db: &impl ConnectionTrait, id: MessageId) -> Result<Message> {
    let query = format!("SELECT {COLUMNS} {FROM} WHERE m.id = $1");
    let row = one(db, query, vec![id.0.into()]).await?.ok_or(Error::NotFound)?;
    let mut message = read_all(db, &[row]).await?.pop().ok_or(Error::NotFound)?;
    message.decisions = decisions(db, id).await?;
    let is_told = message.decisions.iter().any(|made| made.attempt == 0 && made.at == message.created_at);
    if message.kind == MessageKind::Campaign && !is_told {
        let rehearsed = was_rehearsed(db, message.run_id).await?;
        message.decisions.insert(0, planned(&message, rehearsed));
    }
    message.history = history(db, &message).await?;
    Ok(message)
}

async fn decisions(db: &impl ConnectionTrait, id: MessageId) -> Result<Vec<Decision>> {
    let query = "SELECT d.at, d.attempt, d.outcome, d.reason, d.checks, d.detail, d.rules_version, g.seen \
                 FROM decisions d LEFT JOIN decision_grounds g ON g.id = d.grounds \
                 WHERE d.message_id = $1 ORDER BY d.at, d.id";
    all(db, query, vec![id.0.into()]).await?.iter().map(decision).collect()
}

async fn was_rehearsed(db: &impl ConnectionTrait, run: Option<RunId>) -> Result<bool> {
    let query = "SELECT 1 AS found FROM runs WHERE id = $1 AND rehearsed_at IS NOT NULL";
    Ok(one(db, query, vec![run.map(|run| run.0).into()]).await?.is_some())
}

/// The first decision of a planned message that was to go out at once: it passed the checks that a plan makes, of a
/// rehearsed one all of them. That of all others is stored.
fn planned(message: &Message, rehearsed: bool) -> Decision {
    let last = if rehearsed { Check::Length } else { Check::Subscription };
    Decision {
        attempt: 0,
        outcome: Outcome::Send,
        reason: None,
        checks: checks(last.bits_through(), None, None, &BTreeMap::new()),
        rules_version: None,
        zones: Vec::new(),
        until: None,
        at: message.created_at,
    }
}

fn decision(row: &Row) -> Result<Decision> {
    let outcome: Outcome = row.word("outcome")?;
    let reason: Option<Reason> = row.word_or_null("reason")?;
    let seen = grounds::read(row.get("seen")?)?;
    Ok(Decision {
        attempt: i32::from(row.get::<i16>("attempt")?),
        outcome,
        reason,
        checks: checks(row.get("checks")?, reason.and_then(Reason::check), row.get("detail")?, &seen.checks),
        rules_version: Some(i32::from(row.get::<i16>("rules_version")?)),
        zones: seen.zones,
        until: seen.until,
        at: Timestamp::from_micros(row.get("at")?),
    })
}

/// Every check with its result, from the stored bits and the one that failed, and what it saw.
fn checks(
    passed: i64,
    failed: Option<Check>,
    detail: Option<String>,
    seen: &BTreeMap<String, String>,
) -> Vec<CheckResult> {
    Check::ORDER
        .iter()
        .map(|check| {
            let result = if failed == Some(*check) {
                CheckOutcome::Fail
            } else if passed & check.bit() != 0 {
                CheckOutcome::Pass
            } else {
                CheckOutcome::NotChecked
            };
            let detail = match result {
                // Of who waits it is the same for many, and stands with the grounds.
                CheckOutcome::Fail => detail.clone().or_else(|| seen.get(check.as_str()).cloned()),
                CheckOutcome::Pass => seen.get(check.as_str()).cloned(),
                CheckOutcome::NotChecked => None,
            };
            CheckResult { check: *check, result, detail }
        })
        .collect()
}

/// Planned and claimed are not stored as transitions: they follow from the message's birth and its decisions.
async fn history(db: &impl ConnectionTrait, message: &Message) -> Result<Vec<HistoryEntry>> {
    let mut entries = vec![birth(message)];
    let claims = message.decisions.iter().filter(|made| made.attempt > 0 && made.outcome == Outcome::Send);
    entries.extend(claims.map(|made| step(State::Sending, made.at, By::Worker)));
    if message.state == State::Sending {
        entries.push(step(State::Sending, message.updated_at, By::Worker));
    }
    let query = "SELECT to_state AS state, at, by, reason, error_code FROM transitions WHERE message_id = $1 \
                 ORDER BY at, id";
    for row in all(db, query, vec![message.id.0.into()]).await? {
        entries.push(HistoryEntry {
            reason: row.word_or_null("reason")?,
            error_code: row.get("error_code")?,
            ..step(state(&row)?, Timestamp::from_micros(row.get("at")?), row.word("by")?)
        });
    }
    // A status that is not known has no state.
    let query = "SELECT state, status, at, error_code, moved FROM receipts WHERE message_id = $1 \
                 ORDER BY at, COALESCE(state, -1), status";
    for row in all(db, query, vec![message.id.0.into()]).await? {
        let code: i32 = row.get("error_code")?;
        let is_known = row.get::<Option<i16>>("state")?.is_some();
        entries.push(HistoryEntry {
            error_code: (code != 0).then_some(code),
            moved: row.get("moved")?,
            status: if is_known { None } else { Some(row.get("status")?) },
            ..step(
                if is_known { state(&row)? } else { message.state },
                Timestamp::from_micros(row.get("at")?),
                By::Callback,
            )
        });
    }
    tell_waits(message, &mut entries);
    // Stable: what happened in the same microsecond keeps the order above.
    entries.sort_by_key(|entry| entry.at);
    stay_where_it_was(&mut entries);
    Ok(entries)
}

/// Says where a message was told to wait until when, and where it need not wait any longer. Not each of these is a
/// transition: one that waits and is told to wait once more stays as it is.
fn tell_waits(message: &Message, entries: &mut Vec<HistoryEntry>) {
    for (place, made) in message.decisions.iter().enumerate() {
        let by_plan = made.attempt == 0;
        let is_woken = by_plan && made.outcome == Outcome::Send && made.at != message.created_at;
        if made.outcome != Outcome::Wait && !is_woken {
            continue;
        }
        let next = message.decisions.get(place + 1).map(|next| next.at);
        let known = entries.iter_mut().find(|entry| {
            let follows = made.at <= entry.at && next.is_none_or(|next| entry.at < next);
            !is_woken && entry.state == State::Queued && entry.reason == made.reason && follows
        });
        if let Some(entry) = known {
            entry.until = made.until;
            continue;
        }
        let by = if by_plan { By::Plan } else { By::Worker };
        let entry = step(State::Queued, made.at, by);
        entries.push(HistoryEntry { reason: made.reason, until: made.until, ..entry });
    }
}

/// A status that is not known says nothing of the state: the message stayed in the one before.
fn stay_where_it_was(entries: &mut [HistoryEntry]) {
    let mut stood = None;
    for entry in entries {
        match stood {
            Some(state) if entry.status.is_some() => entry.state = state,
            _ if entry.moved => stood = Some(entry.state),
            _ => {}
        }
    }
}

fn birth(message: &Message) -> HistoryEntry {
    let first = message.decisions.iter().find(|made| made.attempt == 0 && made.at == message.created_at);
    let skip = first.filter(|made| made.outcome == Outcome::Skip);
    let state = match (skip, message.kind) {
        (Some(_), _) => State::Skipped,
        (None, MessageKind::Confirmation) => State::Accepted,
        (None, _) => State::Queued,
    };
    let by = match message.kind {
        MessageKind::Campaign => By::Plan,
        MessageKind::Confirmation | MessageKind::Question | MessageKind::AutoReply => By::Worker,
        MessageKind::Test | MessageKind::Single => By::Admin,
    };
    HistoryEntry { reason: first.and_then(|made| made.reason), ..step(state, message.created_at, by) }
}

fn step(state: State, at: Timestamp, by: By) -> HistoryEntry {
    HistoryEntry {
        state,
        at,
        by,
        actor: None,
        reason: None,
        error_code: None,
        until: None,
        detail: None,
        moved: true,
        status: None,
    }
}

/// A line of a run's export.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportRow {
    pub id: MessageId,
    pub phone: Option<String>,
    pub name: Option<String>,
    pub state: State,
    pub reason: Option<Reason>,
    pub error_code: Option<i32>,
    pub provider_sid: Option<String>,
    pub attempts: i16,
    pub not_before: Timestamp,
    pub updated_at: Timestamp,
}

/// The run's messages after `after`, in the order of their contacts' numbers and of their events, with where to go on
/// from.
///
/// # Errors
/// What the database says.
pub async fn export_chunk(
    db: &impl ConnectionTrait,
    run: RunId,
    after: (i64, i64),
    limit: u32,
) -> Result<(Vec<ExportRow>, Option<(i64, i64)>)> {
    let query = "SELECT m.id, m.contact_id, c.phone, c.name, m.state, m.reason, m.error_code, m.provider_sid, m.attempt, \
                 m.not_before, m.updated_at, CAST(m.occurrence AS bigint) AS occurrence \
                 FROM messages m LEFT JOIN contacts c ON c.contact_id = m.contact_id \
                 WHERE m.run_id = $1 AND (m.contact_id, m.occurrence) > ($2, $3) \
                 ORDER BY m.contact_id, m.occurrence LIMIT $4";
    let values = vec![run.0.into(), after.0.into(), after.1.into(), i64::from(limit).into()];
    let rows = all(db, query, values).await?;
    let last = rows.last().map(|row| Ok::<_, Error>((row.get("contact_id")?, row.get("occurrence")?))).transpose()?;
    let lines = rows
        .iter()
        .map(|row| {
            Ok(ExportRow {
                id: MessageId(row.get("id")?),
                phone: row.get("phone")?,
                name: row.get("name")?,
                state: state(row)?,
                reason: row.word_or_null("reason")?,
                error_code: row.get("error_code")?,
                provider_sid: row.get("provider_sid")?,
                attempts: row.get("attempt")?,
                not_before: Timestamp::from_micros(row.get("not_before")?),
                updated_at: Timestamp::from_micros(row.get("updated_at")?),
            })
        })
        .collect::<Result<_>>()?;
    Ok((lines, last))
}
