//! A run's counters, moved in the transaction that moves the messages.
//!
//! Order of locks, in every transaction: contacts, campaigns, runs, messages (by id), `decision_grounds` (by id),
//! `run_ledgers`, `run_tallies`.
//! Whoever keeps to it never waits in a circle.

use std::collections::BTreeMap;

use domain::{ids::RunId, message::State, reason::Reason, run::Ledger};

use crate::{ConnectionTrait, Error, Result, Row, Tx, all, exec, one};

/// One message's change of state, as far as the counters care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Messages outside a run are not counted.
    pub run_id: Option<RunId>,
    pub from: State,
    pub to: State,
    /// For `to = Skipped`.
    pub reason: Option<Reason>,
    /// For `to = Failed` or `Undelivered`; when a failed message turns out delivered the tally goes back down.
    pub error_code: Option<i32>,
    /// The code that was tallied when the message was `from`.
    pub former_code: Option<i32>,
}

/// The counters of one run, as differences.
#[derive(Debug, Default, PartialEq, Eq)]
struct Delta {
    planned: i64,
    /// By rank.
    states: [i64; State::ALL.len()],
    /// By kind and key.
    tallies: BTreeMap<(&'static str, String), i64>,
}

impl Delta {
    const fn count(&mut self, state: State, by: i64) {
        self.states[state.rank() as usize] += by;
    }

    fn tally(&mut self, kind: &'static str, key: String, by: i64) {
        *self.tallies.entry((kind, key)).or_default() += by;
    }

    fn moved(&mut self, step: &Move) {
        self.count(step.from, -1);
        self.count(step.to, 1);
        if let (true, Some(code)) = (is_failure(step.from), step.former_code) {
            self.tally("code", code.to_string(), -1);
        }
        if let (true, Some(code)) = (is_failure(step.to), step.error_code) {
            self.tally("code", code.to_string(), 1);
        }
        if let (State::Skipped, Some(reason)) = (step.to, step.reason) {
            self.tally("reason", reason.to_string(), 1);
        }
    }
}

const fn is_failure(state: State) -> bool {
    matches!(state, State::Failed | State::Undelivered)
}

/// Applies the moves of a batch: one update a run and tally, in a fixed order so that two writers never wait for
/// each other in a circle.
///
/// # Errors
/// What the database says.
pub async fn apply(tx: &Tx, moves: &[Move]) -> Result<()> {
    let mut deltas: BTreeMap<RunId, Delta> = BTreeMap::new();
    for step in moves {
        if let Some(run) = step.run_id {
            deltas.entry(run).or_default().moved(step);
        }
    }
    for (run, delta) in &deltas {
        write_counters(tx, *run, delta).await?;
    }
    for (run, delta) in &deltas {
        write_tallies(tx, *run, delta).await?;
    }
    Ok(())
}

/// Counts newly planned messages: the queued ones, and the skipped ones by reason.
///
/// # Errors
/// What the database says.
pub async fn plan(tx: &Tx, run: RunId, queued: i64, skipped: &[(Reason, i64)]) -> Result<()> {
    let mut delta = Delta::default();
    delta.count(State::Queued, queued);
    for (reason, count) in skipped {
        delta.count(State::Skipped, *count);
        delta.tally("reason", reason.to_string(), *count);
    }
    delta.planned = queued + skipped.iter().map(|(_, count)| count).sum::<i64>();
    write_counters(tx, run, &delta).await?;
    write_tallies(tx, run, &delta).await
}

/// Opens a run's counters at zero.
///
/// # Errors
/// `Duplicate` when the run has them already.
pub async fn open(tx: &Tx, run: RunId) -> Result<()> {
    exec(tx, "INSERT INTO run_ledgers (run_id) VALUES ($1)", vec![run.0.into()]).await?;
    Ok(())
}

async fn write_counters(tx: &Tx, run: RunId, delta: &Delta) -> Result<()> {
    if delta.planned == 0 && delta.states.iter().all(|count| *count == 0) {
        return Ok(());
    }
    let columns: Vec<String> =
        State::ALL.iter().map(|state| format!("{state} = {state} + ${}", state.rank() + 3)).collect();
    let update = format!("UPDATE run_ledgers SET planned = planned + $2, {} WHERE run_id = $1", columns.join(", "));
    let mut values = vec![run.0.into(), delta.planned.into()];
    values.extend(delta.states.iter().map(|count| (*count).into()));
    if exec(tx, update, values).await? == 1 { Ok(()) } else { Err(Error::NotFound) }
}

async fn write_tallies(tx: &Tx, run: RunId, delta: &Delta) -> Result<()> {
    let upsert = "INSERT INTO run_tallies (run_id, kind, key, count) VALUES ($1, $2, $3, $4) \
                  ON CONFLICT (run_id, kind, key) DO UPDATE SET count = run_tallies.count + EXCLUDED.count";
    for ((kind, key), count) in delta.tallies.iter().filter(|(_, count)| **count != 0) {
        exec(tx, upsert, vec![run.0.into(), (*kind).into(), key.clone().into(), (*count).into()]).await?;
    }
    Ok(())
}

/// The columns of `run_ledgers`, for a query in which it is called `l`.
pub(crate) const COLUMNS: &str = "l.planned, l.queued, l.sending, l.unknown, l.accepted, l.sent, l.delivered, l.read, \
                                  l.undelivered, l.failed, l.skipped, l.cancelled";

pub(crate) fn read(row: &Row) -> Result<Ledger> {
    Ok(Ledger {
        planned: row.get("planned")?,
        queued: row.get("queued")?,
        sending: row.get("sending")?,
        unknown: row.get("unknown")?,
        accepted: row.get("accepted")?,
        sent: row.get("sent")?,
        delivered: row.get("delivered")?,
        read: row.get("read")?,
        undelivered: row.get("undelivered")?,
        failed: row.get("failed")?,
        skipped: row.get("skipped")?,
        cancelled: row.get("cancelled")?,
    })
}

/// A run's counters.
///
/// # Errors
/// `NotFound` when there is no such run.
pub async fn load(db: &impl ConnectionTrait, run: RunId) -> Result<Ledger> {
    let query = format!("SELECT {COLUMNS} FROM run_ledgers l WHERE l.run_id = $1");
    read(&one(db, query, vec![run.0.into()]).await?.ok_or(Error::NotFound)?)
}

/// Skips by reason, failures by provider code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    pub skipped_by_reason: BTreeMap<String, i64>,
    pub failures_by_code: BTreeMap<String, i64>,
}

/// A run's tallies; those that went back to nothing are left out.
///
/// # Errors
/// What the database says.
pub async fn tallies(db: &impl ConnectionTrait, run: RunId) -> Result<Tallies> {
    let query = "SELECT kind, key, count FROM run_tallies WHERE run_id = $1 AND count > 0";
    let mut tallies = Tallies::default();
    for row in all(db, query, vec![run.0.into()]).await? {
        let of = match row.get::<String>("kind")?.as_str() {
            "reason" => &mut tallies.skipped_by_reason,
            _ => &mut tallies.failures_by_code,
        };
        of.insert(row.get("key")?, row.get("count")?);
    }
    Ok(tallies)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(from: State, to: State) -> Move {
        Move { run_id: None, from, to, reason: None, error_code: None, former_code: None }
    }

    #[test]
    fn a_failure_that_turns_out_delivered_leaves_its_tally() {
        let mut delta = Delta::default();
        delta.moved(&Move { error_code: Some(30_003), ..step(State::Sent, State::Failed) });
        delta.moved(&Move { former_code: Some(30_003), ..step(State::Failed, State::Delivered) });
        assert_eq!(delta.tallies.values().sum::<i64>(), 0);
        assert_eq!(delta.states.iter().sum::<i64>(), 0);
        assert_eq!(delta.states[State::Delivered.rank() as usize], 1);
        assert_eq!(delta.states[State::Sent.rank() as usize], -1);
    }

    #[test]
    fn skips_are_told_by_reason() {
        let mut delta = Delta::default();
        delta.moved(&Move { reason: Some(Reason::OptedOut), ..step(State::Queued, State::Skipped) });
        assert_eq!(delta.tallies.get(&("reason", "opted_out".to_owned())), Some(&1));
    }
}
