//! What explains a message: transitions and decisions, append-only.

use domain::{
    ids::MessageId,
    message::{By, Outcome, State},
    reason::Reason,
    time::Timestamp,
};
use serde::Serialize;

use crate::{
    Kind, Result, Tx,
    batch::{Type, table, to_json},
    exec,
};

/// The version of the rules that decisions are made by; goes up when a check is added or changes its meaning.
pub const RULES_VERSION: i16 = 1;

/// A decision, as the worker made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionIn {
    pub at: Timestamp,
    pub outcome: Outcome,
    pub reason: Option<Reason>,
    /// The checks that passed, one bit each.
    pub checks: i64,
    /// What deviated: the failed check's data. No personal data.
    pub detail: Option<String>,
}

/// A change of state that no callback explains.
#[derive(Clone, Debug)]
pub(super) struct Transition {
    pub message_id: MessageId,
    pub month: i32,
    pub from: State,
    pub to: State,
    pub attempt: i16,
    pub reason: Option<Reason>,
    pub error_code: Option<i32>,
}

#[derive(Serialize)]
struct TransitionRow {
    message_id: i64,
    month: i32,
    from_state: i16,
    to_state: i16,
    attempt: i16,
    reason: Option<&'static str>,
    error_code: Option<i32>,
}

pub(super) async fn write_transitions(tx: &Tx, at: Timestamp, by: By, rows: &[Transition]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = rows
        .iter()
        .map(|row| TransitionRow {
            message_id: row.message_id.0,
            month: row.month,
            from_state: row.from.rank(),
            to_state: row.to.rank(),
            attempt: row.attempt,
            reason: row.reason.map(Reason::as_str),
            error_code: row.error_code,
        })
        .collect();
    let columns = [
        ("message_id", Type::BigInt),
        ("month", Type::Int),
        ("from_state", Type::SmallInt),
        ("to_state", Type::SmallInt),
        ("attempt", Type::SmallInt),
        ("reason", Type::Text),
        ("error_code", Type::Int),
    ];
    let insert = format!(
        "INSERT INTO transitions (month, message_id, at, from_state, to_state, by, attempt, reason, error_code) \
         SELECT t.month, t.message_id, $2, t.from_state, t.to_state, $3, t.attempt, t.reason, t.error_code FROM {}",
        table(Kind::of(tx), "t", "$1", &columns)
    );
    exec(tx, insert, vec![to_json(&rows)?.into(), at.as_micros().into(), by.as_str().into()]).await?;
    Ok(())
}

#[derive(Serialize)]
struct DecisionRow<'a> {
    message_id: i64,
    month: i32,
    at: i64,
    attempt: i16,
    outcome: &'static str,
    reason: Option<&'static str>,
    checks: i64,
    detail: Option<&'a str>,
}

/// The decisions of messages, each with its month and attempt.
pub(super) async fn write_decisions<'a>(
    tx: &Tx,
    rows: impl Iterator<Item = (MessageId, i32, i16, &'a DecisionIn)>,
) -> Result<()> {
    let rows: Vec<_> = rows
        .map(|(id, month, attempt, decision)| DecisionRow {
            message_id: id.0,
            month,
            at: decision.at.as_micros(),
            attempt,
            outcome: decision.outcome.as_str(),
            reason: decision.reason.map(Reason::as_str),
            checks: decision.checks,
            detail: decision.detail.as_deref(),
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let columns = [
        ("message_id", Type::BigInt),
        ("month", Type::Int),
        ("at", Type::BigInt),
        ("attempt", Type::SmallInt),
        ("outcome", Type::Text),
        ("reason", Type::Text),
        ("checks", Type::BigInt),
        ("detail", Type::Text),
    ];
    let insert = format!(
        "INSERT INTO decisions (month, message_id, at, attempt, outcome, reason, rules_version, checks, detail) \
         SELECT d.month, d.message_id, d.at, d.attempt, d.outcome, d.reason, {RULES_VERSION}, d.checks, d.detail \
         FROM {}",
        table(Kind::of(tx), "d", "$1", &columns)
    );
    exec(tx, insert, vec![to_json(&rows)?.into()]).await?;
    Ok(())
}
