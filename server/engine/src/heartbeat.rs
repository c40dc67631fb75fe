//! Every process that serves the database says so every two seconds, and what it is doing: so each of them, and whoever
//! looks at a page, knows of all.
//!
//! It is one small statement, and with Redis a look at what the others say, and at whether Redis still knows which senders
//! the provider asked this process to slow down. While the database is away nothing is said, and nothing else suffers from it.

use std::time::Duration;

use domain::{
    process::{Figures, Paces, Process, ProcessState},
    time::Timestamp,
};
use store::Kind;
use tokio_util::sync::CancellationToken;

use crate::{Engine, throttle::Throttle, workers::Role};

/// How often.
const EVERY: Duration = Duration::from_secs(2);

/// How long one may take: also at the end, where everybody waits for it.
const AT_MOST: Duration = Duration::from_secs(4);

/// Where the system keeps the name of the machine or container.
const HOST_NAME: [&str; 2] = ["/proc/sys/kernel/hostname", "/etc/hostname"];

/// Tells of this process until told to stop; then says that it stops.
pub async fn run(engine: Engine, role: Role, stop: CancellationToken) {
    let mut me = introduce(&engine, role);
    let mut heard = true;
    let mut clock_ahead_ms = None;
    loop {
        me.seen_at = engine.now();
        me.stopped_at = stop.is_cancelled().then_some(me.seen_at);
        me.figures = Figures { clock_ahead_ms, ..figures(&engine, role) };
        match tell(&engine, &me).await {
            Ok(()) => heard = true,
            Err(problem) if heard => {
                tracing::warn!(problem, "the other processes cannot be told that this one is there");
                heard = false;
            }
            Err(_) => {}
        }
        if me.stopped_at.is_some() {
            return;
        }
        hear(&engine).await;
        engine.inner().throttle.remind(engine.now()).await;
        clock_ahead_ms = compare_clocks(&engine, &me.figures).await;
        let _ = tokio::time::timeout(EVERY, stop.cancelled()).await;
    }
}

async fn tell(engine: &Engine, me: &Process) -> Result<(), String> {
    match tokio::time::timeout(AT_MOST, store::processes::save(engine.db().writer(), me)).await {
        Ok(saved) => saved.map_err(|error| error.to_string()),
        Err(_) => Err("the database does not answer in time".to_owned()),
    }
}

/// Hears whether others have the Redis that this process may not reach. What cannot be read stays as it was: without the
/// database nothing is sent either.
async fn hear(engine: &Engine) {
    let inner = engine.inner();
    if !matches!(inner.throttle, Throttle::Shared(_)) {
        return;
    }
    let alive = store::processes::alive(engine.db().lookout(), engine.now());
    let Ok(Ok(alive)) = tokio::time::timeout(AT_MOST, alive).await else { return };
    let others = alive.iter().any(|process| process.id != inner.process && process.figures.has_redis);
    inner.throttle.hear_of_others(others);
}

/// How many milliseconds this process's clock is ahead of the database's, which all processes have in common. On SQLite there
/// is no other. What cannot be read stays as it was.
async fn compare_clocks(engine: &Engine, former: &Figures) -> Option<i64> {
    if engine.db().kind() == Kind::Sqlite {
        return None;
    }
    let before = engine.now();
    let asked = store::processes::database_time(engine.db().lookout());
    let Ok(Ok(theirs)) = tokio::time::timeout(AT_MOST, asked).await else { return former.clock_ahead_ms };
    let ahead_ms = ahead(theirs, before, engine.now()) / 1_000;
    metrics::gauge!("clock_ahead_seconds").set(ahead_ms as f64 / 1_000.0);
    let now = Figures { clock_ahead_ms: Some(ahead_ms), ..Figures::default() };
    match (former.is_clock_off(), now.is_clock_off()) {
        (false, true) => tracing::error!(
            ahead_ms,
            "this machine's clock is not the database's: what others are sending may be taken for given up, or what this \
             process sends. Let both machines follow a time server (NTP)"
        ),
        (true, false) => tracing::info!(ahead_ms, "this machine's clock and the database's agree again"),
        _ => {}
    }
    Some(ahead_ms)
}

/// How far our clock is ahead of theirs, which was read between our two looks: at least so far.
fn ahead(theirs: Timestamp, before: Timestamp, after: Timestamp) -> i64 {
    before.since(theirs).max(0) - theirs.since(after).max(0)
}

fn introduce(engine: &Engine, role: Role) -> Process {
    let now = engine.now();
    Process {
        id: engine.inner().process,
        role: role.word(),
        state: ProcessState::Alive,
        host: host(),
        pid: i32::try_from(std::process::id()).unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: now,
        seen_at: now,
        stopped_at: None,
        figures: Figures::default(),
    }
}

/// The name of the machine, or what a container goes by.
fn host() -> String {
    let name = HOST_NAME.iter().find_map(|path| {
        let text = std::fs::read_to_string(path).ok()?;
        Some(text.trim().to_owned()).filter(|name| !name.is_empty())
    });
    name.unwrap_or_else(|| "unknown".to_owned())
}

/// What this process is doing now.
fn figures(engine: &Engine, role: Role) -> Figures {
    let inner = engine.inner();
    Figures {
        claimed: whole(inner.load.claimed()),
        in_flight: whole(inner.load.in_flight()),
        may_send: inner.permit.is_given(),
        has_redis: inner.throttle.is_answered(),
        ingest_queue: whole(inner.ingest.waiting()),
        opt_out_age_ms: inner.opt_outs.age().map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX)),
        reads_lists: role.sends() && !inner.caught_up.is_ready(),
        missing_lists: inner.caught_up.missing(),
        clock_ahead_ms: None,
        pace: paces(engine, engine.now()),
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// How fast this process hands messages over, and what slows it down.
pub(crate) fn paces(engine: &Engine, now: Timestamp) -> Paces {
    let inner = engine.inner();
    let senders = inner.sender_pace.all(now);
    Paces {
        all: senders.values().sum(),
        granted: inner.granted_pace.all(now).values().sum(),
        runs: inner.pace.all(now),
        senders,
        slowed: inner.throttle.slowed(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_the_database_takes_to_answer_is_not_taken_for_a_clock_that_is_off() {
        let at = Timestamp::from_seconds;
        assert_eq!(ahead(at(105), at(100), at(110)), 0);
        assert_eq!(ahead(at(60), at(100), at(110)), 40 * Timestamp::SECOND);
        assert_eq!(ahead(at(150), at(100), at(110)), -40 * Timestamp::SECOND);
    }
}
