//! How many messages came how far, by hour, run, sender, country and code: what reports are made of, without reading
//! messages. Counted in the transaction that moves them, by one statement a batch.

use domain::{
    ids::RunId,
    message::State,
    run::{Rollup, RollupBy},
    time::Timestamp,
};
use uuid::Uuid;

use super::rows::{Locked, state};
use crate::{
    ConnectionTrait, Error, Kind, Result, Tx, all,
    batch::{Columns, Type, column},
    exec, ledger,
};

const HOUR: i64 = 60 * Timestamp::MINUTE;

/// What a message passes on its way, in this order: whoever is at one of them has passed those before.
const WAY: [State; 4] = [State::Accepted, State::Sent, State::Delivered, State::Read];

/// Moves the counters for messages that were changed: of their runs, and of the hour.
pub(super) async fn moved(tx: &Tx, at: Timestamp, changed: &[(&Locked, &Locked)]) -> Result<()> {
    let moves: Vec<_> = changed.iter().map(|(was, row)| row.step_from(was)).collect();
    ledger::apply(tx, &moves).await?;
    let columns = [
        column("id", Type::BigInt),
        column("state", Type::SmallInt),
        column("code", Type::Int),
        column("n", Type::Int),
    ];
    let mut batch = Columns::new(Kind::of(tx), columns);
    for (was, row) in changed {
        for (state, code, by) in steps(was, row) {
            batch.push([row.id.0.into(), state.rank().into(), code.into(), by.into()]);
        }
    }
    if batch.is_empty() {
        return Ok(());
    }
    let hour = at.as_micros() - at.as_micros().rem_euclid(HOUR);
    let mut values = vec![hour.into(), Uuid::nil().into()];
    // In the order of the key, behind the run's counters: so nobody waits in a circle.
    let upsert = format!(
        "INSERT INTO message_rollups (hour, run_id, sender_id, country, state, code, count) \
         SELECT CAST($1 AS bigint), r.run, r.sender_id, r.country, r.state, r.code, CAST(sum(r.n) AS bigint) FROM \
         (SELECT COALESCE(m.run_id, $2) AS run, m.sender_id, COALESCE(c.country, '') AS country, b.state, b.code, b.n \
         FROM {} CROSS JOIN messages m LEFT JOIN contacts c ON c.contact_id = m.contact_id WHERE m.id = b.id) AS r \
         GROUP BY r.run, r.sender_id, r.country, r.state, r.code \
         ORDER BY r.run, r.sender_id, r.country, r.state, r.code \
         ON CONFLICT (run_id, hour, sender_id, country, state, code) \
         DO UPDATE SET count = message_rollups.count + excluded.count",
        batch.table("b", &mut values)?
    );
    exec(tx, upsert, values).await?;
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
    use domain::ids::{ContactId, MessageId};

    use super::*;

    fn at(state: State, code: Option<i32>) -> Locked {
        Locked {
            id: MessageId(1),
            run_id: None,
            contact_id: ContactId(1),
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
}
