//! What the stored evidence says of messages, beside what their rows say.

use domain::{
    ids::MessageId,
    message::{By, Kind, State},
    reason::Reason,
    time::Timestamp,
};

use super::{
    history::{Transition, write_transitions},
    rollups,
    rows::{Locked, lock, state, write_back},
};
use crate::{ConnectionTrait, Error, Result, Row, Tx, all, callbacks::MAY_BE_GONE};

/// A message, and what is stored of how it came to be so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub id: MessageId,
    pub state: State,
    /// It went out as the answer to a webhook: it was accepted from the start, and nothing is heard of it.
    pub answer: bool,
    /// Where its latest transition led.
    pub moved_to: Option<State>,
    /// The most that a callback reported.
    pub reported: Option<State>,
    /// Its callbacks may be gone with their retention: what is left says the least that became of it.
    pub forgotten: bool,
}

impl Evidence {
    /// The state that follows from the evidence, where it says one. Before the provider had the message its state follows
    /// from claims, which leave no trace; and who was left out by the plan was never moved.
    #[must_use]
    pub fn told(&self) -> Option<State> {
        let most = self.moved_to.into_iter().chain(self.reported).max_by_key(|state| state.rank());
        most.filter(|state| !state.is_open())
    }

    /// Whether the row says what the evidence does.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self.told() {
            Some(state) if self.forgotten => state.rank() <= self.state.rank(),
            Some(state) => state == self.state,
            None if self.forgotten => true,
            None if self.answer => self.state == State::Accepted,
            None => self.state.is_open() || (self.state == State::Skipped && self.moved_to.is_none()),
        }
    }
}

/// Up to `limit` messages behind `after`, with their evidence.
///
/// # Errors
/// What the database says.
pub async fn evidence(db: &impl ConnectionTrait, after: MessageId, limit: u32) -> Result<Vec<Evidence>> {
    let query = format!(
        "SELECT m.id, m.state, m.kind, (SELECT t.to_state FROM transitions t WHERE t.message_id = m.id ORDER BY t.id DESC \
         LIMIT 1) AS moved_to, (SELECT max(r.state) FROM receipts r WHERE r.message_id = m.id) AS reported, \
         {MAY_BE_GONE} AS forgotten \
         FROM messages m WHERE m.id > $1 ORDER BY m.id LIMIT {limit}"
    );
    all(db, query, vec![after.0.into()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Evidence> {
    let rank = |column: &'static str| -> Result<Option<State>> {
        let Some(rank) = row.get::<Option<i16>>(column)? else { return Ok(None) };
        let state = State::from_rank(rank);
        state.map(Some).ok_or_else(|| Error::Corrupt { column, problem: format!("rank {rank}") })
    };
    Ok(Evidence {
        id: MessageId(row.get("id")?),
        state: state(row)?,
        answer: row.get::<i16>("kind")? == Kind::Confirmation.number(),
        moved_to: rank("moved_to")?,
        reported: rank("reported")?,
        forgotten: row.get("forgotten")?,
    })
}

/// Gives these messages the state that their evidence says, and moves the runs' counters with them. What was moved
/// meanwhile is left alone. Returns how many were changed.
///
/// # Errors
/// What the database says.
pub async fn restore(tx: &Tx, at: Timestamp, found: &[Evidence]) -> Result<u64> {
    let locked = lock(tx, found.iter().map(|evidence| evidence.id.0)).await?;
    let mut changed: Vec<(&Locked, Locked)> = Vec::new();
    for evidence in found {
        let (Some(row), Some(state)) = (locked.get(&evidence.id), evidence.told()) else { continue };
        if row.state == evidence.state && row.state != state {
            changed.push((row, Locked { state, reason: reason(row, state), ..row.clone() }));
        }
    }
    write_back(tx, at, changed.iter().map(|(_, row)| row)).await?;
    let transitions: Vec<_> = changed
        .iter()
        .map(|(was, row)| Transition {
            message_id: row.id,
            month: row.month,
            from: was.state,
            to: row.state,
            attempt: row.attempt,
            reason: row.reason,
            error_code: row.error_code,
        })
        .collect();
    write_transitions(tx, at, By::Admin, &transitions).await?;
    let moved: Vec<_> = changed.iter().map(|(was, row)| (*was, row)).collect();
    rollups::moved(tx, at, &moved).await?;
    Ok(changed.len() as u64)
}

/// A reason belongs to the states in which nothing was sent.
fn reason(row: &Locked, state: State) -> Option<Reason> {
    row.reason.filter(|_| matches!(state, State::Skipped | State::Cancelled | State::Failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(state: State, moved_to: Option<State>, reported: Option<State>) -> bool {
        evidence(state, moved_to, reported).holds()
    }

    fn evidence(state: State, moved_to: Option<State>, reported: Option<State>) -> Evidence {
        Evidence { id: MessageId(1), state, answer: false, moved_to, reported, forgotten: false }
    }

    #[test]
    fn what_is_left_when_callbacks_are_gone_says_the_least() {
        let left = |state, moved_to, reported| Evidence { forgotten: true, ..evidence(state, moved_to, reported) };
        assert!(left(State::Delivered, None, None).holds());
        assert!(left(State::Read, Some(State::Accepted), None).holds());
        assert!(!left(State::Queued, Some(State::Accepted), None).holds());
        assert!(!left(State::Sent, Some(State::Accepted), Some(State::Read)).holds());
    }

    #[test]
    fn the_strongest_evidence_is_the_state() {
        assert!(holds(State::Read, Some(State::Accepted), Some(State::Read)));
        assert!(holds(State::Delivered, Some(State::Failed), Some(State::Delivered)));
        assert!(holds(State::Cancelled, Some(State::Cancelled), None));
        assert!(!holds(State::Sent, Some(State::Accepted), Some(State::Delivered)));
        assert!(!holds(State::Read, Some(State::Accepted), None));
        assert!(!holds(State::Queued, Some(State::Accepted), None));
    }

    #[test]
    fn what_leaves_no_trace_is_taken_as_it_is() {
        assert!(holds(State::Queued, None, None));
        assert!(holds(State::Sending, Some(State::Unknown), None));
        assert!(holds(State::Skipped, None, None));
        assert!(!holds(State::Delivered, None, None));
        assert!(!holds(State::Skipped, Some(State::Unknown), None));
    }
}
