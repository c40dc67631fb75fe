//! Planning by events: the messages of runs that stay open, made in batches, each with what became of its events. What a
//! crash interrupts is planned by the next one that looks, from where the last commit ended.

use std::collections::{BTreeMap, HashSet};

use domain::{
    campaign::Repeat,
    ids::{ContactId, MessageId, RunId},
    message::{Kind as MessageKind, State},
    reason::Reason,
    run::EventRules,
    segment::Group,
    time::Timestamp,
    trigger_event::EventOutcome,
};
use sea_orm::Value;

use crate::{
    ConnectionTrait, Kind, Result, Row, Tx, all,
    batch::{Columns, Type, column},
    exec, ledger, one,
    readable::each_readable,
    runs::{PLAN_COLUMNS, RunPlan, earlier_of_event, read_plan, skip_decisions},
    segments,
};

/// Runs with events before them, oldest first. Of one that this version cannot read nothing is planned.
///
/// # Errors
/// What the database says.
pub async fn open_runs(db: &impl ConnectionTrait) -> Result<Vec<RunPlan>> {
    let query = format!(
        "SELECT {PLAN_COLUMNS} FROM runs r \
         WHERE r.event_name IS NOT NULL AND r.finished_at IS NULL AND r.status IN ('running', 'paused') \
         AND EXISTS (SELECT 1 FROM event_plans AS p {} WHERE p.run_id = r.id AND p.outcome IS NULL) \
         ORDER BY r.created_at",
        among_open(Kind::of(db))
    );
    each_readable(&all(db, query, Vec::new()).await?, ("run", "id"), read_plan)
}

/// SQLite would rather go through all that a run was ever told, because the table is in the same order.
const fn among_open(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => "",
        Kind::Sqlite => "INDEXED BY event_plans_open",
    }
}

/// Locks a run against other planners, and against its end. False when it is over.
///
/// # Errors
/// What the database says.
pub async fn lock(tx: &Tx, run: RunId) -> Result<bool> {
    // Not FOR UPDATE: events go on being taken meanwhile.
    let lock = match Kind::of(tx) {
        Kind::Postgres => " FOR NO KEY UPDATE",
        Kind::Sqlite => "",
    };
    let query = format!("SELECT id FROM runs WHERE id = $1 AND status IN ('running', 'paused'){lock}");
    Ok(one(tx, query, vec![run.0.into()]).await?.is_some())
}

/// An event whose turn it is in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    pub event: i64,
    /// None: it is about many.
    pub contact: Option<ContactId>,
    /// When it happened, or was taken, whichever is earlier.
    pub at: Timestamp,
    /// Of whom it is about.
    pub definition: Option<Group>,
    /// The people of it up to here are planned.
    pub cursor: i64,
}

/// The next events of a run, in their order.
///
/// # Errors
/// What the database says.
pub async fn next(tx: &Tx, run: RunId, limit: u32) -> Result<Vec<Open>> {
    let query = format!(
        "SELECT p.event, p.plan_cursor, e.contact_id, e.occurred_at, e.received_at, d.definition \
         FROM event_plans AS p {} JOIN trigger_events e ON e.number = p.event \
         LEFT JOIN trigger_event_data d ON d.number = p.event AND e.contact_id IS NULL \
         WHERE p.run_id = $1 AND p.outcome IS NULL ORDER BY p.event LIMIT $2",
        among_open(Kind::of(tx))
    );
    all(tx, query, vec![run.0.into(), i64::from(limit).into()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Open> {
    let received_at = Timestamp::from_micros(row.get("received_at")?);
    let occurred_at = row.get::<Option<i64>>("occurred_at")?.map(Timestamp::from_micros);
    Ok(Open {
        event: row.get("event")?,
        contact: row.get::<Option<i64>>("contact_id")?.map(ContactId),
        at: occurred_at.map_or(received_at, |at| at.min(received_at)),
        definition: row.json_or_null("definition")?,
        cursor: row.get::<Option<i64>>("plan_cursor")?.unwrap_or(-1),
    })
}

/// The next people of a definition behind a contact, in the order of their ids.
///
/// # Errors
/// What the database says.
pub async fn people(tx: &Tx, of: &Group, now: Timestamp, after: i64, limit: u32) -> Result<Vec<ContactId>> {
    let mut values: Vec<Value> = vec![after.into(), i64::from(limit).into()];
    let (people, more) = segments::compile(Kind::of(tx), of, now, values.len() + 1)?;
    values.extend(more);
    let query = format!(
        "SELECT c.contact_id FROM contacts c WHERE c.contact_id > $1 AND {people} ORDER BY c.contact_id LIMIT $2"
    );
    all(tx, query, values).await?.iter().map(|row| row.get("contact_id").map(ContactId)).collect()
}

/// One event for one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub contact: ContactId,
    pub event: i64,
    pub at: Timestamp,
}

/// What became of a batch, by event and person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// A message of their own was made, or skipped with its reason; or one that waited is theirs now.
    pub made: HashSet<(i64, ContactId)>,
    /// They went into the message of an event that happened after them.
    pub merged: HashSet<(i64, ContactId)>,
    pub queued: i64,
}

/// Plans messages, in the caller's transaction, which holds the run's lock: with the first decision of those who are
/// skipped, and the ledger. Who is not in the run's audience gets none; numbers that could not be reached since
/// `unreachable_since` are left alone.
///
/// # Errors
/// What the database says.
pub async fn plan(
    tx: &Tx,
    plan: &RunPlan,
    rules: &EventRules,
    (now, unreachable_since): (Timestamp, Timestamp),
    wanted: Vec<Wanted>,
) -> Result<Planned> {
    let mut planned = Planned::default();
    let mut wanted = wanted;
    // Taken by a clock that was set back since: it has happened all the same.
    wanted.iter_mut().for_each(|one| one.at = one.at.min(now));
    if rules.debounce > 0 {
        wanted = in_audience(tx, plan, now, wanted).await?;
        wanted = merge(tx, plan.run, rules, now, wanted, &mut planned).await?;
    }
    insert(tx, plan, rules, (now, unreachable_since), &wanted, &mut planned).await?;
    Ok(planned)
}

/// Those of people who are in the run's audience now: who left it while a message waits gets nothing new into it.
async fn in_audience(tx: &Tx, plan: &RunPlan, now: Timestamp, wanted: Vec<Wanted>) -> Result<Vec<Wanted>> {
    let kind = Kind::of(tx);
    let mut batch = Columns::new(kind, [column("contact_id", Type::BigInt)]);
    let people: HashSet<ContactId> = wanted.iter().map(|one| one.contact).collect();
    people.iter().for_each(|contact| batch.push([contact.0.into()]));
    if batch.is_empty() {
        return Ok(wanted);
    }
    let mut values = Vec::new();
    let batch = batch.table("b", &mut values)?;
    let (meant, more) = segments::compile(kind, &plan.definition, now, values.len() + 1)?;
    values.extend(more);
    let query =
        format!("SELECT c.contact_id FROM {batch} CROSS JOIN contacts c WHERE c.contact_id = b.contact_id AND {meant}");
    let rows = all(tx, query, values).await?;
    let there: HashSet<ContactId> =
        rows.iter().map(|row| row.get("contact_id").map(ContactId)).collect::<Result<_>>()?;
    Ok(wanted.into_iter().filter(|one| there.contains(&one.contact)).collect())
}

/// A message that still waits, made by this batch or before.
struct Waiting {
    message: Option<MessageId>,
    event: i64,
    at: Timestamp,
    /// Whose it was before this batch gave it to another event.
    former: Option<i64>,
}

/// Puts events into messages that wait, where they came within the window; returns those that need one of their own.
async fn merge(
    tx: &Tx,
    run: RunId,
    rules: &EventRules,
    now: Timestamp,
    mut wanted: Vec<Wanted>,
    planned: &mut Planned,
) -> Result<Vec<Wanted>> {
    let mut waiting = waiting(tx, run, now, &wanted).await?;
    wanted.sort_by_key(|one| (one.at, one.event));
    for one in wanted {
        let of_person = waiting.entry(one.contact).or_default();
        let near = of_person.iter_mut().find(|there| one.at.since(there.at).abs() < rules.debounce);
        let Some(there) = near else {
            of_person.push(Waiting { message: None, event: one.event, at: one.at, former: None });
            continue;
        };
        if (one.at, one.event) > (there.at, there.event) {
            // Of two in this batch the earlier one goes into the later.
            if there.message.is_none() || there.former.is_some() {
                planned.merged.insert((there.event, one.contact));
            }
            let former = there.former.or_else(|| there.message.map(|_| there.event));
            *there = Waiting { event: one.event, at: one.at, former, ..*there };
        } else {
            planned.merged.insert((one.event, one.contact));
        }
    }
    let mut own = Vec::new();
    let columns = [column("id", Type::BigInt), column("event", Type::BigInt), column("due", Type::BigInt)];
    let mut moved = Columns::new(Kind::of(tx), columns);
    let mut formers: BTreeMap<i64, i64> = BTreeMap::new();
    for (contact, messages) in waiting {
        for Waiting { message, event, at, former } in messages {
            match (message, former) {
                (Some(message), Some(former)) => {
                    moved.push([message.0.into(), event.into(), rules.due(at).as_micros().into()]);
                    planned.made.insert((event, contact));
                    *formers.entry(former).or_default() += 1;
                }
                (Some(_), None) => {}
                (None, _) => own.push(Wanted { contact, event, at }),
            }
        }
    }
    if !moved.is_empty() {
        let mut values = vec![now.as_micros().into()];
        let update = format!(
            "UPDATE messages SET occurrence = moved.event, not_before = moved.due, reason = NULL, updated_at = $1 \
             FROM {} WHERE messages.id = moved.id",
            moved.table("moved", &mut values)?
        );
        exec(tx, update, values).await?;
        given_away(tx, run, &formers).await?;
    }
    own.sort_by_key(|one| one.event);
    Ok(own)
}

/// So many messages of these events are others' now. One that has none left has merged.
async fn given_away(tx: &Tx, run: RunId, events: &BTreeMap<i64, i64>) -> Result<()> {
    let mut batch = Columns::new(Kind::of(tx), [column("event", Type::BigInt), column("gone", Type::BigInt)]);
    events.iter().for_each(|(event, gone)| batch.push([(*event).into(), (*gone).into()]));
    if batch.is_empty() {
        return Ok(());
    }
    let mut values = vec![run.0.into(), EventOutcome::Merged.as_str().into(), EventOutcome::Planned.as_str().into()];
    // All of them are there: see `done`. What is still being planned stays so.
    let update = format!(
        "INSERT INTO event_plans (run_id, event, outcome, messages) SELECT $1, d.event, $2, d.gone FROM {} \
         WHERE TRUE ON CONFLICT (run_id, event) DO UPDATE SET messages = event_plans.messages - excluded.messages, \
         outcome = CASE WHEN event_plans.outcome = $3 AND event_plans.messages <= excluded.messages \
         THEN excluded.outcome ELSE event_plans.outcome END",
        batch.table("d", &mut values)?
    );
    exec(tx, update, values).await?;
    Ok(())
}

/// The queued messages of these people in the run, locked; those that are just being claimed are not among them.
async fn waiting(tx: &Tx, run: RunId, now: Timestamp, wanted: &[Wanted]) -> Result<BTreeMap<ContactId, Vec<Waiting>>> {
    let kind = Kind::of(tx);
    let people: HashSet<ContactId> = wanted.iter().map(|one| one.contact).collect();
    let mut batch = Columns::new(kind, [column("contact_id", Type::BigInt)]);
    people.iter().for_each(|contact| batch.push([contact.0.into()]));
    let mut values = vec![run.0.into()];
    let lock = match kind {
        Kind::Postgres => " FOR UPDATE OF m SKIP LOCKED",
        Kind::Sqlite => "",
    };
    let query = format!(
        "SELECT m.id, m.contact_id, e.number, e.occurred_at, e.received_at FROM {} \
         CROSS JOIN messages m CROSS JOIN trigger_events e \
         WHERE m.contact_id = w.contact_id AND e.number = m.occurrence AND m.run_id = $1 AND m.open = 0 ORDER BY m.id{lock}",
        batch.table("w", &mut values)?
    );
    let mut found: BTreeMap<ContactId, Vec<Waiting>> = BTreeMap::new();
    for row in all(tx, query, values).await? {
        let received_at: i64 = row.get("received_at")?;
        let at = row.get::<Option<i64>>("occurred_at")?.map_or(received_at, |at| at.min(received_at));
        found.entry(ContactId(row.get("contact_id")?)).or_default().push(Waiting {
            message: Some(MessageId(row.get("id")?)),
            event: row.get("number")?,
            at: Timestamp::from_micros(at).min(now),
            former: None,
        });
    }
    Ok(found)
}

async fn insert(
    tx: &Tx,
    plan: &RunPlan,
    rules: &EventRules,
    (now, unreachable_since): (Timestamp, Timestamp),
    wanted: &[Wanted],
    planned: &mut Planned,
) -> Result<()> {
    let kind = Kind::of(tx);
    let columns = [
        column("contact_id", Type::BigInt),
        column("event", Type::BigInt),
        column("due", Type::BigInt),
        column("again", Type::Bool),
    ];
    let mut batch = Columns::new(kind, columns);
    let mut seen = HashSet::new();
    for one in wanted {
        let again = !seen.insert(one.contact);
        let due = rules.due(one.at).as_micros();
        batch.push([one.contact.0.into(), one.event.into(), due.into(), again.into()]);
    }
    if batch.is_empty() {
        return Ok(());
    }
    let mut values: Vec<Value> = vec![
        plan.run.0.into(),
        plan.campaign.0.into(),
        plan.sender.0.into(),
        now.as_micros().into(),
        now.month().into(),
        plan.topic.map(|topic| topic.0).into(),
        unreachable_since.as_micros().into(),
    ];
    let batch = batch.table("b", &mut values)?;
    let (people, more) = segments::compile(kind, &plan.definition, now, values.len() + 1)?;
    values.extend(more);
    let earlier = match plan.rules.repeat {
        Repeat::EachRun => Vec::new(),
        Repeat::OncePerPerson => earlier_of_event("$2", "b.again"),
    };
    let reason = plan.reasons(earlier, "$7");
    let insert = format!(
        "INSERT INTO messages (run_id, contact_id, occurrence, campaign_id, sender_id, kind, priority, state, attempt, \
         month, reason, not_before, created_at, updated_at) \
         SELECT $1, p.contact_id, p.event, $2, $3, {kind}, {priority}, \
         CASE WHEN p.reason IS NULL THEN {queued} ELSE {skipped} END, 0, $5, p.reason, p.due, $4, $4 \
         FROM (SELECT c.contact_id, b.event, b.due, {reason} AS reason FROM {batch} CROSS JOIN contacts c \
         LEFT JOIN subscriptions s ON s.contact_id = c.contact_id AND s.topic_id = $6 \
         WHERE c.contact_id = b.contact_id AND {people}) AS p \
         WHERE TRUE ORDER BY p.event, p.contact_id ON CONFLICT (run_id, contact_id, occurrence) DO NOTHING \
         RETURNING id, contact_id, occurrence, reason",
        kind = MessageKind::Campaign.number(),
        priority = MessageKind::Campaign.priority(),
        queued = State::Queued.rank(),
        skipped = State::Skipped.rank(),
    );
    let mut left_out = Vec::new();
    let mut reasons: BTreeMap<Reason, i64> = BTreeMap::new();
    let mut queued = 0;
    for row in all(tx, insert, values).await? {
        planned.made.insert((row.get("occurrence")?, ContactId(row.get("contact_id")?)));
        match row.word_or_null::<Reason>("reason")? {
            None => queued += 1,
            Some(reason) => {
                *reasons.entry(reason).or_default() += 1;
                left_out.push(row.get::<i64>("id")?);
            }
        }
    }
    planned.queued = queued;
    skip_decisions(tx, now, &left_out).await?;
    ledger::plan(tx, plan.run, queued, &reasons.into_iter().collect::<Vec<_>>()).await
}

/// Says what events came to in a run.
///
/// # Errors
/// What the database says.
pub async fn done(tx: &Tx, run: RunId, events: &[(i64, EventOutcome, i64)]) -> Result<()> {
    let columns = [column("event", Type::BigInt), column("outcome", Type::Text), column("messages", Type::BigInt)];
    let mut batch = Columns::new(Kind::of(tx), columns);
    events
        .iter()
        .for_each(|(event, outcome, made)| batch.push([(*event).into(), outcome.as_str().into(), (*made).into()]));
    if batch.is_empty() {
        return Ok(());
    }
    let mut values = vec![run.0.into()];
    // All of them are there. An update by a batch would go through the whole run for each of its rows on SQLite.
    let update = format!(
        "INSERT INTO event_plans (run_id, event, outcome, messages) SELECT $1, d.event, d.outcome, d.messages FROM {} \
         WHERE TRUE ON CONFLICT (run_id, event) DO UPDATE SET outcome = excluded.outcome, \
         messages = event_plans.messages + excluded.messages",
        batch.table("d", &mut values)?
    );
    exec(tx, update, values).await?;
    Ok(())
}

/// The people of an event are planned up to here.
///
/// # Errors
/// What the database says.
pub async fn advance(tx: &Tx, run: RunId, event: i64, cursor: ContactId, made: i64) -> Result<()> {
    let update = "UPDATE event_plans SET plan_cursor = $1, messages = messages + $2 WHERE run_id = $3 AND event = $4";
    exec(tx, update, vec![cursor.0.into(), made.into(), run.0.into(), event.into()]).await?;
    Ok(())
}

/// The run is over: the events that are still before it come to nothing.
///
/// # Errors
/// What the database says.
pub async fn close(tx: &Tx, run: RunId) -> Result<()> {
    let update = "UPDATE event_plans SET outcome = $1 WHERE run_id = $2 AND outcome IS NULL";
    exec(tx, update, vec![EventOutcome::CampaignOver.as_str().into(), run.0.into()]).await?;
    Ok(())
}

/// How many events a run was told of, and how many of them wait for their turn.
///
/// # Errors
/// What the database says.
pub async fn counts(db: &impl ConnectionTrait, run: RunId) -> Result<(i64, i64)> {
    let query = "SELECT CAST(count(*) AS bigint) AS n, \
                 CAST(COALESCE(sum(CASE WHEN outcome IS NULL THEN 1 ELSE 0 END), 0) AS bigint) AS waiting \
                 FROM event_plans WHERE run_id = $1";
    let Some(row) = one(db, query, vec![run.0.into()]).await? else { return Ok((0, 0)) };
    Ok((row.get("n")?, row.get("waiting")?))
}
