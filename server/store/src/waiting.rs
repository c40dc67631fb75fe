//! What waits for what: counted from the runs' ledgers and along the small indexes of what is queued, claimed or unknown,
//! never from all messages.

use domain::{
    ids::{RunId, SenderId},
    import::ImportStatus,
    message::{Kind as MessageKind, State},
    reason::Reason,
    run::{Rules, RunStatus},
    segment::{self, Condition, Group},
    time::Timestamp,
};

use crate::{ConnectionTrait, Result, Row, all, messages::moves_since, one};

/// A run with messages in the queue, or with a plan that is not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedRun {
    pub run: RunId,
    pub sender: SenderId,
    pub status: RunStatus,
    /// Paused because its sender is blocked.
    pub blocked: bool,
    /// Its plan is complete.
    pub planned: bool,
    /// This version can read what it is planned and sent by.
    pub readable: bool,
    pub created_at: Timestamp,
    /// By its ledger.
    pub queued: i64,
    /// When the first of them is due, or was.
    pub first_due_at: Option<Timestamp>,
}

fn time(row: &Row, column: &str) -> Result<Option<Timestamp>> {
    Ok(row.get::<Option<i64>>(column)?.map(Timestamp::from_micros))
}

/// The runs that are not over, as far as something of them is in the queue or still to be planned. By the ledgers, with
/// one look into the queue's index for each.
///
/// # Errors
/// What the database says.
pub async fn queued_runs(db: &impl ConnectionTrait) -> Result<Vec<QueuedRun>> {
    let query = "SELECT r.id, r.sender_id, r.status, r.blocked, r.planned, r.created_at, r.rules, r.definition, \
                 r.event_name IS NOT NULL AS listens, l.queued, \
                 (SELECT m.not_before FROM messages m WHERE m.run_id = r.id AND m.open = 0 \
                 ORDER BY m.not_before LIMIT 1) AS first_due_at \
                 FROM runs r JOIN run_ledgers l ON l.run_id = r.id \
                 WHERE r.finished_at IS NULL AND NOT r.rehearsal AND (l.queued > 0 OR NOT r.planned) \
                 ORDER BY r.created_at, r.id";
    let read = |row: &Row| {
        let planned: bool = row.get("planned")?;
        // Whom it is for is asked as long as it is planned; of one that listens, always.
        let is_asked = !planned || row.get("listens")?;
        Ok(QueuedRun {
            run: RunId(row.get("id")?),
            sender: SenderId(row.get("sender_id")?),
            status: row.word("status")?,
            blocked: row.get("blocked")?,
            planned,
            readable: row.json::<Rules>("rules").is_ok() && (!is_asked || means_people(row)),
            created_at: Timestamp::from_micros(row.get("created_at")?),
            queued: row.get("queued")?,
            first_due_at: time(row, "first_due_at")?,
        })
    };
    all(db, query, Vec::new()).await?.iter().map(read).collect()
}

/// Whether this version understands whom a run is for.
fn means_people(row: &Row) -> bool {
    let is_understood =
        |definition: &Group| segment::rules(definition).iter().all(|(_, rule)| Condition::of(rule).is_ok());
    row.json::<Group>("definition").is_ok_and(|definition| is_understood(&definition))
}

/// Messages that were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub count: i64,
    /// Since when the oldest of them waits.
    pub oldest_at: Option<Timestamp>,
    /// When the next of them is looked at.
    pub next_at: Option<Timestamp>,
}

fn counted(row: &Row) -> Result<Counted> {
    Ok(Counted { count: row.get("n")?, oldest_at: time(row, "oldest_at")?, next_at: time(row, "next_at")? })
}

/// A run's queued messages whose time is still to come, by reason; the first `limit` of them.
///
/// # Errors
/// What the database says.
pub async fn later(
    db: &impl ConnectionTrait,
    run: RunId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(Option<Reason>, Counted)>> {
    let query = format!(
        "SELECT q.reason, CAST(count(*) AS bigint) AS n, min(q.updated_at) AS oldest_at, min(q.not_before) AS next_at \
         FROM (SELECT reason, updated_at, not_before FROM messages \
         WHERE run_id = $1 AND open = 0 AND not_before > $2 ORDER BY not_before LIMIT {limit}) AS q GROUP BY q.reason"
    );
    let rows = all(db, query, vec![run.0.into(), now.as_micros().into()]).await?;
    rows.iter().map(|row| Ok((row.word_or_null("reason")?, counted(row)?))).collect()
}

/// How many of a run's queued messages are due, counted up to `limit`.
///
/// # Errors
/// What the database says.
pub async fn due(db: &impl ConnectionTrait, run: RunId, now: Timestamp, limit: u32) -> Result<i64> {
    let query = format!(
        "SELECT CAST(count(*) AS bigint) AS n FROM (SELECT not_before FROM messages \
         WHERE run_id = $1 AND open = 0 AND not_before <= $2 ORDER BY not_before LIMIT {limit}) AS q"
    );
    let row = one(db, query, vec![run.0.into(), now.as_micros().into()]).await?;
    row.map_or(Ok(0), |row| row.get("n"))
}

/// Queued messages outside of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Singles {
    pub sender: SenderId,
    pub reason: Option<Reason>,
    /// Their time is still to come.
    pub later: bool,
    pub counted: Counted,
}

/// Queued single messages, replies and tests by sender, reason, and whether their time has come; the first `limit`.
///
/// # Errors
/// What the database says.
pub async fn singles(db: &impl ConnectionTrait, now: Timestamp, limit: u32) -> Result<Vec<Singles>> {
    let query = format!(
        "SELECT q.sender_id, q.reason, q.later, CAST(count(*) AS bigint) AS n, min(q.updated_at) AS oldest_at, \
         min(q.not_before) AS next_at FROM (SELECT sender_id, reason, updated_at, not_before, not_before > $1 AS later \
         FROM messages WHERE run_id IS NULL AND open = 0 ORDER BY not_before LIMIT {limit}) AS q \
         GROUP BY q.sender_id, q.reason, q.later"
    );
    let read = |row: &Row| {
        Ok(Singles {
            sender: SenderId(row.get("sender_id")?),
            reason: row.word_or_null("reason")?,
            later: row.get("later")?,
            counted: counted(row)?,
        })
    };
    all(db, query, vec![now.as_micros().into()]).await?.iter().map(read).collect()
}

/// What is claimed, counted up to `limit`: since when the oldest, and when the next lease ends.
///
/// # Errors
/// What the database says.
pub async fn sending(db: &impl ConnectionTrait, limit: u32) -> Result<Counted> {
    // By the order of the leases, so that both databases go along their index.
    let query = format!(
        "SELECT CAST(count(*) AS bigint) AS n, min(q.updated_at) AS oldest_at, min(q.lease_until) AS next_at \
         FROM (SELECT updated_at, lease_until FROM messages WHERE open = 1 ORDER BY lease_until LIMIT {limit}) AS q"
    );
    one(db, query, Vec::new()).await?.map_or(Ok(Counted::default()), |row| counted(&row))
}

/// So many unknown messages are looked at for how long they have been unknown.
const UNKNOWN_AGES: u32 = 500;

/// What is unknown, counted up to `limit`; `next_at` is when the longest waiting was looked at last. How old the oldest
/// is, is told from the first 500 in the order in which they are looked at.
///
/// # Errors
/// What the database says.
pub async fn unknown(db: &impl ConnectionTrait, limit: u32) -> Result<Counted> {
    let query = format!(
        "SELECT CAST(count(*) AS bigint) AS n, min(q.unknown_at) AS next_at, \
         (SELECT min(o.since) FROM (SELECT COALESCE((SELECT min(t.at) FROM transitions t WHERE t.message_id = m.id \
         AND t.attempt = m.attempt AND t.to_state = 2), m.unknown_at) AS since FROM messages m WHERE m.unknown_at IS NOT NULL \
         ORDER BY m.unknown_at LIMIT {UNKNOWN_AGES}) AS o) AS oldest_at \
         FROM (SELECT unknown_at FROM messages WHERE unknown_at IS NOT NULL ORDER BY unknown_at LIMIT {limit}) AS q"
    );
    one(db, query, Vec::new()).await?.map_or(Ok(Counted::default()), |row| counted(&row))
}

/// What runs have at the provider without a final status, by their ledgers: of runs that may have handed something over
/// since `since`, and of older ones.
/// The oldest is not older than its run's start.
///
/// # Errors
/// What the database says.
pub async fn accepted(db: &impl ConnectionTrait, since: Timestamp) -> Result<(Counted, Counted)> {
    let query = format!(
        "SELECT q.lately, CAST(sum(q.n) AS bigint) AS n, min(q.started_at) AS oldest_at, \
         CAST(NULL AS bigint) AS next_at FROM (SELECT {} AS lately, \
         l.accepted + l.sent AS n, COALESCE(r.started_at, r.created_at) AS started_at \
         FROM run_ledgers l JOIN runs r ON r.id = l.run_id WHERE l.accepted + l.sent > 0) AS q GROUP BY q.lately",
        moves_since("$1")
    );
    let mut found = (Counted::default(), Counted::default());
    for row in all(db, query, vec![since.as_micros().into()]).await? {
        let of = if row.get::<bool>("lately")? { &mut found.0 } else { &mut found.1 };
        *of = counted(&row)?;
    }
    Ok(found)
}

/// What the provider has of single messages, replies and tests without a final status: of those handed over since `since`,
/// and of older ones; and whether each is all, because only the newest `limit` are looked at.
///
/// # Errors
/// What the database says.
pub async fn accepted_singles(db: &impl ConnectionTrait, since: Timestamp, limit: u32) -> Result<[(Counted, bool); 2]> {
    // In the words of the index messages_one_by_one, which holds the messages of events, too: those are in ledgers.
    let campaign = MessageKind::Campaign.number();
    let query = format!(
        "SELECT COALESCE(q.claimed_at, q.created_at) >= $1 AS lately, q.waits, CAST(count(*) AS bigint) AS n, \
         min(q.updated_at) AS oldest_at, CAST(NULL AS bigint) AS next_at FROM (SELECT claimed_at, created_at, updated_at, \
         kind <> {campaign} AND provider_sid IS NOT NULL AND state IN ({}, {}) AS waits FROM messages \
         WHERE kind <> {campaign} OR occurrence > 0 ORDER BY id DESC LIMIT {limit}) AS q GROUP BY 1, 2",
        State::Accepted.rank(),
        State::Sent.rank()
    );
    let (mut lately, mut before) = (Counted::default(), Counted::default());
    let (mut seen, mut seen_before) = (0, 0);
    for row in all(db, query, vec![since.as_micros().into()]).await? {
        let (found, is_lately) = (counted(&row)?, row.get::<bool>("lately")?);
        seen += found.count;
        seen_before += if is_lately { 0 } else { found.count };
        if row.get::<bool>("waits")? {
            *(if is_lately { &mut lately } else { &mut before }) = found;
        }
    }
    let is_all = seen < i64::from(limit);
    // Who looked behind those of lately has seen all of them.
    Ok([(lately, is_all || seen_before > 0), (before, is_all)])
}

/// Imports that wait, and those that run.
///
/// # Errors
/// What the database says.
pub async fn imports(db: &impl ConnectionTrait) -> Result<(Counted, Counted)> {
    let query = format!(
        "SELECT status, CAST(count(*) AS bigint) AS n, min(created_at) AS oldest_at, CAST(NULL AS bigint) AS next_at \
         FROM imports WHERE status IN ('{}', '{}') GROUP BY status",
        ImportStatus::Queued,
        ImportStatus::Running
    );
    let mut found = (Counted::default(), Counted::default());
    for row in all(db, query, Vec::new()).await? {
        let of = if row.word::<ImportStatus>("status")? == ImportStatus::Queued { &mut found.0 } else { &mut found.1 };
        *of = counted(&row)?;
    }
    Ok(found)
}

// The numbers in the statements above, which the partial indexes are made for.
const _: () = assert!(State::Queued.rank() == 0 && State::Sending.rank() == 1 && State::Unknown.rank() == 2);
