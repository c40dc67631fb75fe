//! What became of claimed messages, written by the batch.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    grounds::{self, Grounds, KnownGrounds},
    history::{self, DecisionIn, Transition},
    rollups,
    rows::{Locked, lock, owners_of_sids, write_back},
    unreachable,
};
use crate::{
    Kind, Result, Tx,
    batch::{Columns, Type, column},
    sql::{Ready, exec_together},
};
use domain::{
    ids::{MessageId, RunId},
    message::{By, State},
    reason::Reason,
    time::Timestamp,
};

/// What a worker learned of one claimed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The provider has it.
    Accepted { sid: String },
    /// The provider refused it for good, or the attempts are used up.
    Failed { reason: Reason, code: Option<i32> },
    /// The decision says no: nothing was handed over, so it counts as no attempt.
    Skipped(Reason),
    /// Known not sent: again, not before then.
    Later { not_before: Timestamp, reason: Reason, code: Option<i32> },
    /// Nothing was handed over, or refused for what is no fault of the message's: again, not before then, and it counts as
    /// no attempt. The code is that of a limit, or of what blocks the sender.
    NotYet { not_before: Timestamp, reason: Reason, code: Option<i32> },
    /// It may or may not have been sent.
    Unknown(Reason),
    /// Never tried: back to the queue as if it had not been claimed.
    Released,
}

/// One message's outcome. `attempt` and `lease_owner` are those of the claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeIn {
    pub id: MessageId,
    pub attempt: i16,
    pub lease_owner: i64,
    pub effect: Effect,
    pub decision: Option<DecisionIn>,
    /// The text as it was handed over, or as it may have been.
    pub text: Option<String>,
}

/// What the outcome did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    pub id: MessageId,
    pub run_id: Option<RunId>,
    pub from: State,
    pub to: State,
    /// The claim was no longer this worker's, so that only a proof of acceptance counted.
    pub late: bool,
    /// The answer brought another SID than the message has, so it was really sent twice; or the SID is another message's. An
    /// alarm was logged.
    pub second_sid: bool,
}

/// Writes outcomes: states, SIDs, texts, transitions, decisions, counters. An acceptance is a proof and counts whoever
/// holds the message by now, and never takes back what a callback said first; everything else counts only while the
/// claim still holds. Unknown ids are left out of the answer. Grounds of decisions that are known to be stored are not
/// written again.
///
/// # Errors
/// What the database says; then nothing is written.
pub async fn write_outcomes(
    tx: &Tx,
    at: Timestamp,
    outcomes: &[OutcomeIn],
    known: &KnownGrounds,
) -> Result<Vec<Settled>> {
    let former = lock(tx, outcomes.iter().map(|outcome| outcome.id.0)).await?;
    let mut present = former.clone();
    let mut owners = owners_of_sids(tx, outcomes.iter().filter_map(|outcome| outcome.sid())).await?;
    let mut settled = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        let Some(row) = present.get_mut(&outcome.id) else { continue };
        let from = row.state;
        let late = !holds(row, outcome);
        let second_sid = outcome.sid().is_some_and(|sid| !bind_sid(row, sid, &mut owners));
        apply(row, outcome, late);
        settled.push(Settled { id: row.id, run_id: row.run_id, from, to: row.state, late, second_sid });
    }
    let changed: Vec<(&Locked, &Locked)> =
        present.iter().filter_map(|(id, row)| former.get(id).filter(|was| *was != row).map(|was| (was, row))).collect();
    write_back(tx, at, changed.iter().map(|(_, row)| *row)).await?;
    unreachable::note(tx, at, changed.iter().map(|(_, row)| *row)).await?;
    let moved = changed.iter().filter(|(was, row)| was.state != row.state && !is_release(was, row));
    let transitions: Vec<_> = moved.map(|(was, row)| transition(was, row)).collect();
    let decided = outcomes.iter().filter_map(|outcome| {
        Some((outcome.id, former.get(&outcome.id)?.month, outcome.attempt, outcome.decision.as_ref()?))
    });
    let kind = Kind::of(tx);
    let history = [
        texts(kind, outcomes, &former)?,
        history::transitions(kind, at, By::Worker, &transitions)?,
        grounds::statement(kind, known, outcomes.iter().filter_map(OutcomeIn::grounds))?,
        history::decisions(kind, decided)?,
    ];
    exec_together(tx, history.into_iter().flatten()).await?;
    rollups::moved(tx, at, &changed).await?;
    Ok(settled)
}

impl OutcomeIn {
    /// What the decision's checks saw.
    #[must_use]
    pub fn grounds(&self) -> Option<&Grounds> {
        self.decision.as_ref()?.grounds.as_ref()
    }

    fn sid(&self) -> Option<&str> {
        match &self.effect {
            Effect::Accepted { sid } => Some(sid),
            _ => None,
        }
    }
}

/// Whether the row is still claimed by the one who reports.
fn holds(row: &Locked, outcome: &OutcomeIn) -> bool {
    row.state == State::Sending && row.attempt == outcome.attempt && row.lease_owner == Some(outcome.lease_owner)
}

/// Moves the message. The SID of one that was accepted is bound before.
fn apply(row: &mut Locked, outcome: &OutcomeIn, late: bool) {
    match &outcome.effect {
        Effect::Accepted { .. } => {
            let raised = row.state.after_callback(State::Accepted);
            if raised != row.state {
                row.state = raised;
                row.reason = None;
                row.error_code = None;
            }
        }
        _ if late => tracing::warn!(
            message.id = row.id.0,
            message.state = %row.state,
            attempt = outcome.attempt,
            "an outcome came after its claim had ended: it changes nothing"
        ),
        Effect::Failed { reason, code } => set(row, State::Failed, Some(*reason), *code),
        Effect::Skipped(reason) => {
            set(row, State::Skipped, Some(*reason), None);
            row.attempt -= 1;
        }
        Effect::Unknown(reason) => set(row, State::Unknown, Some(*reason), None),
        Effect::Later { not_before, reason, code } => {
            set(row, State::Queued, Some(*reason), *code);
            row.not_before = not_before.as_micros();
        }
        Effect::NotYet { not_before, reason, code } => {
            set(row, State::Queued, Some(*reason), *code);
            row.not_before = not_before.as_micros();
            row.attempt -= 1;
        }
        Effect::Released => {
            set(row, State::Queued, row.reason, row.error_code);
            row.attempt -= 1;
        }
    }
}

fn set(row: &mut Locked, state: State, reason: Option<Reason>, code: Option<i32>) {
    row.state = state;
    row.reason = reason;
    row.error_code = code;
}

/// Binds the SID to a message that has none. Returns whether the message has it then: with a second SID it was really sent
/// twice.
pub(super) fn bind_sid(row: &mut Locked, sid: &str, owners: &mut BTreeMap<String, MessageId>) -> bool {
    match &row.provider_sid {
        Some(bound) if bound == sid => true,
        Some(bound) => {
            tracing::error!(message.id = row.id.0, sid, bound, "one message has two SIDs: it was really sent twice");
            false
        }
        None => {
            let owner = *owners.entry(sid.to_owned()).or_insert(row.id);
            if owner == row.id {
                row.provider_sid = Some(sid.to_owned());
            } else {
                tracing::error!(message.id = row.id.0, sid, owner = owner.0, "the SID belongs to another message");
            }
            owner == row.id
        }
    }
}

/// A release leaves no trace: the message was never tried. Nor does meeting the same obstacle once more.
fn is_release(was: &Locked, row: &Locked) -> bool {
    let back = matches!((was.state, row.state), (State::Sending, State::Queued));
    let same = (row.reason, row.error_code) == (was.reason, was.error_code);
    back && row.attempt < was.attempt && same
}

fn transition(was: &Locked, row: &Locked) -> Transition {
    Transition {
        message_id: row.id,
        month: row.month,
        from: was.state,
        to: row.state,
        attempt: was.attempt,
        reason: row.reason,
        error_code: row.error_code,
    }
}

/// Of people who are still there: whoever was erased while the message was on its way keeps nothing.
fn texts(kind: Kind, outcomes: &[OutcomeIn], known: &BTreeMap<MessageId, Locked>) -> Result<Option<Ready>> {
    let columns = [column("id", Type::BigInt), column("contact_id", Type::BigInt), column("body", Type::Text)];
    let mut batch = Columns::new(kind, columns);
    let mut seen = BTreeSet::new();
    // The latest text of a message wins: one statement may not touch a row twice.
    for outcome in outcomes.iter().rev() {
        let (Some(body), Some(row)) = (outcome.text.as_deref(), known.get(&outcome.id)) else { continue };
        if seen.insert(outcome.id) {
            batch.push([outcome.id.0.into(), row.contact_id.0.into(), body.into()]);
        }
    }
    if batch.is_empty() {
        return Ok(None);
    }
    let mut values = Vec::new();
    let text = format!(
        "INSERT INTO message_texts (message_id, body) SELECT t.id, t.body FROM {} \
         WHERE EXISTS (SELECT 1 FROM contacts c WHERE c.contact_id = t.contact_id) \
         ON CONFLICT (message_id) DO UPDATE SET body = EXCLUDED.body",
        batch.table("t", &mut values)?
    );
    Ok(Some(Ready { text, values }))
}
