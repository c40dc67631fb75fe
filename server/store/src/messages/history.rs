//! What explains a message: transitions and decisions, append-only.

use super::grounds::{self, Grounds, KnownGrounds};
use crate::{
    Kind, Result, Tx,
    batch::{Columns, Type, column, nullable},
    sql::{Ready, exec_together},
};
use domain::{
    ids::MessageId,
    message::{By, Outcome, State},
    reason::Reason,
    time::Timestamp,
};

/// The version of the rules that decisions are made by; goes up when a check is added or changes its meaning.
pub const RULES_VERSION: i16 = 4;

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
    /// What those saw that passed; of who is to wait also what the one saw that says so, in the place of `detail`.
    pub grounds: Option<Grounds>,
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

pub(super) async fn write_transitions(tx: &Tx, at: Timestamp, by: By, rows: &[Transition]) -> Result<()> {
    exec_together(tx, transitions(Kind::of(tx), at, by, rows)?).await
}

/// The statement that writes these transitions, if there are any.
pub(super) fn transitions(kind: Kind, at: Timestamp, by: By, rows: &[Transition]) -> Result<Option<Ready>> {
    if rows.is_empty() {
        return Ok(None);
    }
    let columns = [
        column("message_id", Type::BigInt),
        column("month", Type::Int),
        column("from_state", Type::SmallInt),
        column("to_state", Type::SmallInt),
        column("attempt", Type::SmallInt),
        nullable("reason", Type::Text),
        nullable("error_code", Type::Int),
    ];
    let mut batch = Columns::new(kind, columns);
    for row in rows {
        batch.push([
            row.message_id.0.into(),
            row.month.into(),
            row.from.rank().into(),
            row.to.rank().into(),
            row.attempt.into(),
            row.reason.map(Reason::as_str).into(),
            row.error_code.into(),
        ]);
    }
    let mut values = vec![at.as_micros().into(), by.as_str().into()];
    let text = format!(
        "INSERT INTO transitions (month, message_id, at, from_state, to_state, by, attempt, reason, error_code) \
         SELECT t.month, t.message_id, $1, t.from_state, t.to_state, $2, t.attempt, t.reason, t.error_code FROM {}",
        batch.table("t", &mut values)?
    );
    Ok(Some(Ready { text, values }))
}

/// The decisions that messages were planned with.
pub(crate) async fn write_first_decisions<'a>(
    tx: &Tx,
    month: i32,
    rows: impl Iterator<Item = (MessageId, &'a DecisionIn)> + Clone,
) -> Result<()> {
    write_plan_decisions(tx, rows.map(|(id, decision)| (id, month, decision))).await
}

/// What the planner decided about messages, each with its month.
pub(crate) async fn write_plan_decisions<'a>(
    tx: &Tx,
    rows: impl Iterator<Item = (MessageId, i32, &'a DecisionIn)> + Clone,
) -> Result<()> {
    let kind = Kind::of(tx);
    let seen = rows.clone().filter_map(|(_, _, decision)| decision.grounds.as_ref());
    let grounds = grounds::statement(kind, &KnownGrounds::default(), seen)?;
    let decisions = decisions(kind, rows.map(|(id, month, decision)| (id, month, 0, decision)))?;
    exec_together(tx, grounds.into_iter().chain(decisions)).await
}

/// The statement that writes the decisions of messages, each with its month and attempt, if there are any. Their grounds are
/// another one's ([`grounds::statement`]).
pub(super) fn decisions<'a>(
    kind: Kind,
    rows: impl Iterator<Item = (MessageId, i32, i16, &'a DecisionIn)>,
) -> Result<Option<Ready>> {
    let columns = [
        column("message_id", Type::BigInt),
        column("month", Type::Int),
        column("at", Type::BigInt),
        column("attempt", Type::SmallInt),
        column("outcome", Type::Text),
        nullable("reason", Type::Text),
        column("checks", Type::BigInt),
        nullable("detail", Type::Text),
        nullable("grounds", Type::BigInt),
    ];
    let mut batch = Columns::new(kind, columns);
    for (id, month, attempt, decision) in rows {
        batch.push([
            id.0.into(),
            month.into(),
            decision.at.as_micros().into(),
            attempt.into(),
            decision.outcome.as_str().into(),
            decision.reason.map(Reason::as_str).into(),
            decision.checks.into(),
            decision.detail.as_deref().into(),
            decision.grounds.as_ref().map(Grounds::id).into(),
        ]);
    }
    if batch.is_empty() {
        return Ok(None);
    }
    let mut values = Vec::new();
    let text = format!(
        "INSERT INTO decisions \
         (month, message_id, at, attempt, outcome, reason, rules_version, checks, detail, grounds) \
         SELECT d.month, d.message_id, d.at, d.attempt, d.outcome, d.reason, {RULES_VERSION}, d.checks, d.detail, \
         d.grounds FROM {}",
        batch.table("d", &mut values)?
    );
    Ok(Some(Ready { text, values }))
}
