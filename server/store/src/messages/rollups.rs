//! How many messages came how far, by hour, run, sender, country and code: what reports are made of, without reading
//! messages. Counted in the transaction that moves them, by one statement a batch.

use std::collections::BTreeMap;

use domain::{
    ids::RunId,
    message::State,
    run::{Rollup, RollupBy},
    time::Timestamp,
};
use serde::Serialize;
use uuid::Uuid;

use super::rows::{Locked, state};
use crate::{
    ConnectionTrait, Error, Kind, Result, Tx, all,
    batch::{Type, table, to_json},
    exec, ledger,
};

const HOUR: i64 = 60 * Timestamp::MINUTE;

/// What a message passes on its way, in this order: whoever is at one of them has passed those before.
const WAY: [State; 4] = [State::Accepted, State::Sent, State::Delivered, State::Read];

/// One counter: run, sender, country, state, code. Ordered as everybody locks them: so nobody waits in a circle.
type Key<'a> = (Uuid, Uuid, &'a str, i16, i32);

/// Moves the counters for messages that were changed: of their runs, and of the hour. Last in its transaction, because
/// everybody who sends waits for the run's counters until it ends.
pub(super) async fn moved(tx: &Tx, at: Timestamp, changed: &[(&Locked, &Locked)]) -> Result<()> {
    let moves: Vec<_> = changed.iter().map(|(was, row)| row.step_from(was)).collect();
    ledger::apply(tx, &moves).await?;
    // Behind the run's counters.
    count(tx, at, counts(changed)).await
}

/// How much each counter rises.
fn counts<'a>(changed: &[(&Locked, &'a Locked)]) -> BTreeMap<Key<'a>, i32> {
    let mut counts: BTreeMap<Key<'a>, i32> = BTreeMap::new();
    for (was, row) in changed {
        let run = row.run_id.map_or(Uuid::nil(), |run| run.0);
        let country = row.country.as_deref().unwrap_or_default();
        for (state, code, by) in steps(was, row) {
            *counts.entry((run, row.sender_id.0, country, state.rank(), code)).or_default() += by;
        }
    }
    counts.retain(|_, by| *by != 0);
    counts
}

#[derive(Serialize)]
struct Count<'a> {
    run_id: Uuid,
    sender_id: Uuid,
    country: &'a str,
    state: i16,
    code: i32,
    n: i32,
}

const COUNT: &[(&str, Type)] = &[
    ("run_id", Type::Uuid),
    ("sender_id", Type::Uuid),
    ("country", Type::Text),
    ("state", Type::SmallInt),
    ("code", Type::Int),
    ("n", Type::Int),
];

async fn count(tx: &Tx, at: Timestamp, counts: BTreeMap<Key<'_>, i32>) -> Result<()> {
    if counts.is_empty() {
        return Ok(());
    }
    let count = |((run_id, sender_id, country, state, code), n)| Count { run_id, sender_id, country, state, code, n };
    let rows: Vec<_> = counts.into_iter().map(count).collect();
    let hour = at.as_micros() - at.as_micros().rem_euclid(HOUR);
    let upsert = format!(
        "INSERT INTO message_rollups (hour, run_id, sender_id, country, state, code, count) \
         SELECT CAST($2 AS bigint), b.run_id, b.sender_id, b.country, b.state, b.code, b.n FROM {} \
         WHERE TRUE ORDER BY b.run_id, b.sender_id, b.country, b.state, b.code \
         ON CONFLICT (run_id, hour, sender_id, country, state, code) \
         DO UPDATE SET count = message_rollups.count + excluded.count",
        table(Kind::of(tx), "b", "$1", COUNT)
    );
    exec(tx, upsert, vec![to_json(&rows)?.into(), hour.into()]).await?;
    Ok(())
}

/// What a change counts for: each part of the way that was passed by it, a failure with its code, and one less of a failure
/// that turned out to be none or another.
fn steps(was: &Locked, row: &Locked) -> Vec<(State, i32, i32)> {
    let (former, present) = (failure(was), failure(row));
    if former == present && present.is_some() {
        return Vec::new();
    }
    let way = WAY.iter().take(passed(row)).skip(passed(was)).map(|state| (*state, 0, 1));
    let mut steps: Vec<_> = former.into_iter().map(|(state, code)| (state, code, -1)).chain(way).collect();
    steps.extend(present.map(|(state, code)| (state, code, 1)));
    steps
}

fn failure(row: &Locked) -> Option<(State, i32)> {
    matches!(row.state, State::Failed | State::Undelivered).then(|| (row.state, row.error_code.unwrap_or(0)))
}

/// How many parts of the way a message has passed.
const fn passed(row: &Locked) -> usize {
    match row.state {
        State::Read => 4,
        State::Delivered => 3,
        // What does not arrive was sent; of what failed it is not known.
        State::Sent | State::Undelivered => 2,
        State::Accepted => 1,
        State::Failed => row.provider_sid.is_some() as usize,
        State::Queued | State::Sending | State::Unknown | State::Skipped | State::Cancelled => 0,
    }
}

/// How far the messages of a run came, by country (the most first) or by hour (the first first).
///
/// # Errors
/// What the database says.
pub async fn rollups_of_run(db: &impl ConnectionTrait, run: RunId, by: RollupBy) -> Result<Vec<Rollup>> {
    let key = match by {
        RollupBy::Country => "country",
        RollupBy::Hour => "CAST(hour AS text)",
    };
    let query = format!(
        "SELECT {key} AS key, state, CAST(sum(count) AS bigint) AS n FROM message_rollups WHERE run_id = $1 \
         GROUP BY {key}, state ORDER BY {key}, state"
    );
    let mut found: Vec<Rollup> = Vec::new();
    for row in all(db, query, vec![run.0.into()]).await? {
        let key = named(by, row.get("key")?)?;
        if found.last().is_none_or(|last| last.key != key) {
            found.push(Rollup { key, ..Rollup::default() });
        }
        let (Some(rollup), n) = (found.last_mut(), row.get("n")?) else { continue };
        match state(&row)? {
            State::Accepted => rollup.accepted = n,
            State::Sent => rollup.sent = n,
            State::Delivered => rollup.delivered = n,
            State::Read => rollup.read = n,
            State::Undelivered => rollup.undelivered = n,
            State::Failed => rollup.failed = n,
            State::Queued | State::Sending | State::Unknown | State::Skipped | State::Cancelled => {}
        }
    }
    if by == RollupBy::Country {
        found.sort_by_key(|rollup| std::cmp::Reverse(rollup.accepted + rollup.failed));
    } else {
        found.sort_by(|a, b| a.key.cmp(&b.key));
    }
    Ok(found)
}

fn named(by: RollupBy, key: String) -> Result<String> {
    if by == RollupBy::Country {
        return Ok(key);
    }
    let hour = key.parse().map_err(|_| Error::Corrupt { column: "message_rollups.hour", problem: key })?;
    Ok(Timestamp::from_micros(hour).to_string())
}

#[cfg(test)]
mod tests {
    use domain::ids::{ContactId, MessageId, SenderId};

    use super::*;

    fn at(state: State, code: Option<i32>) -> Locked {
        Locked {
            id: MessageId(1),
            run_id: None,
            contact_id: ContactId(1),
            sender_id: SenderId(Uuid::nil()),
            country: Some("LK".to_owned()),
            state,
            attempt: 1,
            month: 202_611,
            reason: None,
            error_code: code,
            provider_sid: (state.rank() >= State::Accepted.rank()).then(|| "SM1".to_owned()),
            not_before: 0,
            lease_owner: None,
            updated_at: 0,
        }
    }

    #[test]
    fn each_part_of_the_way_counts_once() {
        let between = |was, row| steps(&at(was, None), &at(row, None));
        assert_eq!(between(State::Sending, State::Accepted), [(State::Accepted, 0, 1)]);
        assert_eq!(between(State::Unknown, State::Sent), [(State::Accepted, 0, 1), (State::Sent, 0, 1)]);
        assert_eq!(between(State::Sent, State::Read), [(State::Delivered, 0, 1), (State::Read, 0, 1)]);
        assert_eq!(between(State::Queued, State::Sending), []);
        assert_eq!(between(State::Sending, State::Queued), []);
        let undelivered = [(State::Sent, 0, 1), (State::Undelivered, 0, 1)];
        assert_eq!(between(State::Accepted, State::Undelivered), undelivered);
        assert_eq!(between(State::Queued, State::Skipped), []);
    }

    #[test]
    fn a_failure_counts_by_its_code_and_not_once_it_turns_out_to_be_none() {
        let failed = |code| at(State::Undelivered, Some(code));
        assert_eq!(steps(&at(State::Sent, None), &failed(30_003)), [(State::Undelivered, 30_003, 1)]);
        assert_eq!(steps(&failed(30_003), &failed(30_003)), []);
        let other = [(State::Undelivered, 30_003, -1), (State::Undelivered, 30_005, 1)];
        assert_eq!(steps(&failed(30_003), &failed(30_005)), other);
        let delivered = [(State::Undelivered, 30_003, -1), (State::Delivered, 0, 1)];
        assert_eq!(steps(&failed(30_003), &at(State::Delivered, None)), delivered);
    }

    #[test]
    fn a_counter_moves_once_a_batch_and_not_at_all_where_nothing_changes() {
        let sent = (&at(State::Accepted, None), &at(State::Sent, None));
        let key = |state: State| (Uuid::nil(), Uuid::nil(), "LK", state.rank(), 0);
        assert_eq!(counts(&[sent, sent]), BTreeMap::from([(key(State::Sent), 2)]));
        let erased = Locked { country: None, ..at(State::Delivered, None) };
        let counted = counts(&[(&at(State::Sent, None), &erased)]);
        assert_eq!(counted.keys().map(|key| key.2).collect::<Vec<_>>(), [""]);
        // One that failed and turned out well, and another that failed alike.
        let (failed, sent) = (at(State::Undelivered, Some(30_003)), at(State::Sent, None));
        let mended = (&failed, &at(State::Delivered, None));
        assert_eq!(counts(&[mended, (&sent, &failed)]), BTreeMap::from([(key(State::Delivered), 1)]));
    }
}
