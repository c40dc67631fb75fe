//! Rehearsals: runs that only look until they are launched, what they found, and what has changed since.

use std::collections::BTreeMap;

use domain::{
    campaign::Repeat,
    contact::NO_PLACE,
    ids::{CampaignId, ContactId, MessageId, RunId, SenderId, TemplateId, TopicId},
    message::{Outcome, State},
    phone::Phone,
    reason::Reason,
    run::{Rehearsal, RehearsalCount as Counted, RehearsedBefore, Rules, RunStatus, SinceRehearsal},
    segment::Group,
    time::Timestamp,
};
use sea_orm::Value;
use uuid::Uuid;

use crate::{
    ConnectionTrait, Error, Kind, Result, Row, Tx, all,
    batch::{Columns, Type, column, table},
    exec,
    ledger::{self, Move},
    messages::{DecisionIn, write_first_decisions},
    one,
    runs::{self, Asleep},
    segments,
};

/// What one chunk found, to be added.
pub type Counts = BTreeMap<(Counted, String), i64>;

/// A planned message that its rehearsal leaves out.
#[derive(Clone, Debug)]
pub struct LeftOut {
    pub id: MessageId,
    pub reason: Reason,
    pub decision: DecisionIn,
}

/// The hash of a rehearsal so far. The run is locked by the chunk's transaction.
///
/// # Errors
/// What the database says.
pub async fn hash_so_far(tx: &Tx, run: RunId) -> Result<Option<String>> {
    let row = one(tx, "SELECT plan_hash FROM runs WHERE id = $1", vec![run.0.into()]).await?;
    row.ok_or(Error::NotFound)?.get("plan_hash")
}

/// Those of a chunk who were left out by the database, in the order of their numbers.
///
/// # Errors
/// What the database says.
pub async fn skipped(tx: &Tx, run: RunId, (after, last): (i64, i64)) -> Result<Vec<(ContactId, Reason)>> {
    let query = "SELECT contact_id, reason FROM messages WHERE run_id = $1 AND contact_id > $2 AND contact_id <= $3 \
                 AND state = $4 ORDER BY contact_id";
    let values = vec![run.0.into(), after.into(), last.into(), State::Skipped.rank().into()];
    let rows = all(tx, query, values).await?;
    rows.iter().map(|row| Ok((ContactId(row.get("contact_id")?), row.word("reason")?))).collect()
}

/// What a chunk of planned people comes to, each with its first decision: these are left out, as planning itself would have,
/// with the ledger and without a transition, because they never were anything else; those wait for their morning.
///
/// # Errors
/// What the database says.
pub async fn set_aside(tx: &Tx, run: RunId, month: i32, left_out: &[LeftOut], asleep: &[Asleep]) -> Result<()> {
    skip(tx, left_out).await?;
    runs::wait_for_morning(tx, asleep).await?;
    // All in one batch: only within one are grounds in the order in which everybody locks them. Of two planners that write
    // the same ones, by two batches each, one may wait for the other in a circle, and has to begin again.
    let skipped = left_out.iter().map(|row| (row.id, &row.decision));
    let decided = skipped.chain(asleep.iter().map(|row| (row.id, &row.decision)));
    write_first_decisions(tx, month, decided).await?;
    let moves: Vec<Move> = left_out
        .iter()
        .map(|row| Move {
            run_id: Some(run),
            from: State::Queued,
            to: State::Skipped,
            reason: Some(row.reason),
            error_code: None,
            former_code: None,
        })
        .collect();
    ledger::apply(tx, &moves).await
}

async fn skip(tx: &Tx, rows: &[LeftOut]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = [column("id", Type::BigInt), column("reason", Type::Text)];
    let mut batch = Columns::new(Kind::of(tx), columns);
    rows.iter().for_each(|row| batch.push([row.id.0.into(), row.reason.as_str().into()]));
    let mut values = Vec::new();
    let update = format!(
        "UPDATE messages SET state = {}, reason = l.reason FROM {} WHERE messages.id = l.id AND messages.open = 0",
        State::Skipped.rank(),
        batch.table("l", &mut values)?
    );
    if exec(tx, update, values).await? == rows.len() as u64 { Ok(()) } else { Err(Error::Stale) }
}

/// Adds what a chunk found, and the hash that it comes to.
///
/// # Errors
/// What the database says.
pub async fn found(tx: &Tx, run: RunId, counts: &Counts, hash: &str) -> Result<()> {
    let upsert = "INSERT INTO rehearsal_counts (run_id, kind, key, count) VALUES ($1, $2, $3, $4) \
                  ON CONFLICT (run_id, kind, key) DO UPDATE SET count = rehearsal_counts.count + EXCLUDED.count";
    for ((kind, key), count) in counts {
        exec(tx, upsert, vec![run.0.into(), kind.as_str().into(), key.clone().into(), (*count).into()]).await?;
    }
    exec(tx, "UPDATE runs SET plan_hash = $1 WHERE id = $2", vec![hash.into(), run.0.into()]).await?;
    Ok(())
}

/// The rehearsal is complete: nothing of it is claimed before it is launched.
///
/// # Errors
/// What the database says.
pub async fn finish(tx: &Tx, run: RunId, at: Timestamp) -> Result<bool> {
    let update = "UPDATE runs SET planned = TRUE, rehearsed_at = $1, status = $2 \
                  WHERE id = $3 AND rehearsal AND NOT planned AND status = $4";
    let values = vec![
        at.as_micros().into(),
        RunStatus::Rehearsed.as_str().into(),
        run.0.into(),
        RunStatus::Planning.as_str().into(),
    ];
    Ok(exec(tx, update, values).await? == 1)
}

/// A run that was just inserted only looks, at an audience of so many, by settings that this is the hash of. Its number is
/// below zero, so that it takes none of the runs'.
///
/// # Errors
/// What the database says.
pub async fn open(tx: &Tx, run: RunId, audience: i64, settings: &str) -> Result<()> {
    let update = "UPDATE runs SET rehearsal = TRUE, audience = $1, number = (SELECT COALESCE(min(x.number), 0) - 1 \
                  FROM runs x WHERE x.campaign_id = runs.campaign_id AND x.number < 0) WHERE id = $2";
    exec(tx, update, vec![audience.into(), run.0.into()]).await?;
    let insert = "INSERT INTO rehearsal_counts (run_id, kind, key, count) VALUES ($1, $2, $3, 1)";
    exec(tx, insert, vec![run.0.into(), Counted::Settings.as_str().into(), settings.into()]).await?;
    Ok(())
}

/// The campaign's rehearsal that is there or under way.
///
/// # Errors
/// What the database says.
pub async fn of_campaign(db: &impl ConnectionTrait, campaign: CampaignId) -> Result<Option<RunId>> {
    let query = "SELECT id FROM runs WHERE campaign_id = $1 AND rehearsal AND finished_at IS NULL \
                 ORDER BY created_at DESC, id DESC LIMIT 1";
    one(db, query, vec![campaign.0.into()]).await?.map(|row| row.get("id").map(RunId)).transpose()
}

/// A complete rehearsal that may become the run.
#[derive(Clone, Debug)]
pub struct Ready {
    pub run: RunId,
    pub sender: SenderId,
    pub topic: Option<TopicId>,
    pub template: (TemplateId, i64),
    pub definition: Group,
    pub rules: Rules,
    /// When the campaign is due: everybody was decided as of then.
    pub due_at: Timestamp,
    pub began_at: Timestamp,
    pub stale: bool,
    /// The plan's hash; none of a plan without people.
    pub hash: Option<String>,
    /// The hash of the settings that it began with; none of one that an earlier version made.
    pub settings: Option<String>,
}

/// The campaign's complete rehearsal, locked when asked by a transaction that is to launch it.
///
/// # Errors
/// What the database says.
pub async fn ready(db: &impl ConnectionTrait, campaign: CampaignId, lock: bool) -> Result<Option<Ready>> {
    let query = format!(
        "SELECT id, sender_id, topic_id, template_id, template_version, definition, rules, snapshot_at, \
         created_at, stale, plan_hash, (SELECT s.key FROM rehearsal_counts s WHERE s.run_id = runs.id AND s.kind = '{settings}') \
         AS settings FROM runs WHERE campaign_id = $1 AND rehearsal AND status = 'rehearsed' \
         ORDER BY created_at DESC, id DESC LIMIT 1{}",
        if lock { Kind::of(db).for_update() } else { "" },
        settings = Counted::Settings,
    );
    let Some(row) = one(db, query, vec![campaign.0.into()]).await? else { return Ok(None) };
    Ok(Some(Ready {
        run: RunId(row.get("id")?),
        sender: SenderId(row.get("sender_id")?),
        topic: row.get::<Option<Uuid>>("topic_id")?.map(TopicId),
        template: (TemplateId(row.get("template_id")?), row.get("template_version")?),
        definition: row.json("definition")?,
        rules: row.json("rules")?,
        due_at: Timestamp::from_micros(row.get("snapshot_at")?),
        began_at: Timestamp::from_micros(row.get("created_at")?),
        stale: row.get("stale")?,
        hash: row.get("plan_hash")?,
        settings: row.get("settings")?,
    }))
}

/// The rehearsed plan is the run's from now on.
///
/// # Errors
/// `Stale` when it is not rehearsed any more.
pub async fn launch(tx: &Tx, run: RunId, rules: &Rules, at: Timestamp) -> Result<()> {
    // It is numbered as a run only now. Rehearsals that an earlier version made have numbers of runs until they are gone.
    let update = "UPDATE runs SET rehearsal = FALSE, status = $1, started_at = $2, rules = $3, \
                  number = (SELECT COALESCE(max(x.number), 0) + 1 FROM runs x \
                  WHERE x.campaign_id = runs.campaign_id AND x.number > 0 AND x.id <> runs.id) \
                  WHERE id = $4 AND rehearsal AND status = 'rehearsed'";
    let rules = serde_json::to_string(rules)
        .map_err(|error| Error::Corrupt { column: "runs.rules", problem: error.to_string() })?;
    let values = vec![RunStatus::Running.as_str().into(), at.as_micros().into(), rules.into(), run.0.into()];
    if exec(tx, update, values).await? == 1 { Ok(()) } else { Err(Error::Stale) }
}

/// Runs that still have the number of a rehearsal, with their campaigns: during an update, processes of an earlier version
/// launch them so.
///
/// # Errors
/// What the database says.
pub async fn unnumbered(db: &impl ConnectionTrait) -> Result<Vec<(RunId, CampaignId)>> {
    let query = "SELECT id, campaign_id FROM runs WHERE NOT rehearsal AND number < 0 ORDER BY started_at, id";
    let rows = all(db, query, Vec::new()).await?;
    rows.iter().map(|row| Ok((RunId(row.get("id")?), CampaignId(row.get("campaign_id")?)))).collect()
}

/// Such a run gets the campaign's next number, unless it has one by now.
///
/// # Errors
/// What the database says.
pub async fn number(tx: &Tx, run: RunId, campaign: CampaignId) -> Result<()> {
    // Whoever inserts or launches a run holds it, too. One that was deleted has no more of them.
    let lock = format!("SELECT id FROM campaigns WHERE id = $1{}", Kind::of(tx).for_update());
    one(tx, lock, vec![campaign.0.into()]).await?;
    let update = "UPDATE runs SET number = (SELECT COALESCE(max(x.number), 0) + 1 FROM runs x \
                  WHERE x.campaign_id = runs.campaign_id AND x.number > 0) WHERE id = $1 AND NOT rehearsal AND number < 0";
    exec(tx, update, vec![run.0.into()]).await?;
    Ok(())
}

/// The campaign was changed: its rehearsals do not count any more.
///
/// # Errors
/// What the database says.
pub async fn outdate(tx: &Tx, campaign: CampaignId) -> Result<()> {
    exec(tx, "UPDATE runs SET stale = TRUE WHERE campaign_id = $1 AND rehearsal", vec![campaign.0.into()]).await?;
    Ok(())
}

/// Ends the campaign's rehearsals, whether complete or under way; their rows go by and by ([`remove`]). Returns how many.
///
/// # Errors
/// What the database says.
pub async fn discard(tx: &Tx, campaign: CampaignId, at: Timestamp) -> Result<u64> {
    let update = "UPDATE runs SET status = $1, finished_at = $2 WHERE campaign_id = $3 AND rehearsal \
                  AND finished_at IS NULL";
    exec(tx, update, vec![RunStatus::Cancelled.as_str().into(), at.as_micros().into(), campaign.0.into()]).await
}

/// Rehearsals that were discarded and are not removed yet.
///
/// # Errors
/// What the database says.
pub async fn discarded(db: &impl ConnectionTrait) -> Result<Vec<RunId>> {
    let query = "SELECT id FROM runs WHERE rehearsal AND finished_at IS NOT NULL";
    all(db, query, Vec::new()).await?.iter().map(|row| row.get("id").map(RunId)).collect()
}

/// Removes up to `limit` messages of a discarded rehearsal, and with the last of them the run itself. True when it is gone.
/// Decisions stay until their month does: they are append-only.
///
/// # Errors
/// What the database says.
pub async fn remove(tx: &Tx, run: RunId, limit: u32) -> Result<bool> {
    let lock = format!(
        "SELECT id FROM runs WHERE id = $1 AND rehearsal AND finished_at IS NOT NULL{}",
        Kind::of(tx).for_update()
    );
    if one(tx, lock, vec![run.0.into()]).await?.is_none() {
        return Ok(true);
    }
    let delete = "DELETE FROM messages WHERE id IN (SELECT m.id FROM messages m WHERE m.run_id = $1 \
                  ORDER BY m.contact_id LIMIT $2)";
    if exec(tx, delete, vec![run.0.into(), i64::from(limit).into()]).await? == u64::from(limit) {
        return Ok(false);
    }
    for (table, key) in
        [("rehearsal_counts", "run_id"), ("run_tallies", "run_id"), ("run_ledgers", "run_id"), ("runs", "id")]
    {
        exec(tx, format!("DELETE FROM {table} WHERE {key} = $1"), vec![run.0.into()]).await?;
    }
    Ok(true)
}

/// What is known of a run's rehearsal.
#[derive(Clone, Debug, Default)]
pub struct OfRun {
    /// It is one, or was before it was launched.
    pub own: Option<Rehearsal>,
    /// It was planned anew after one.
    pub before: Option<RehearsedBefore>,
}

/// What the rehearsals of these runs found; runs that were not rehearsed are missing.
///
/// # Errors
/// What the database says.
pub async fn of_runs(db: &impl ConnectionTrait, runs: &str) -> Result<BTreeMap<RunId, OfRun>> {
    let kind = Kind::of(db);
    let wanted = format!("(SELECT wanted.id FROM {})", table(kind, "wanted", "$1", &[("id", Type::Uuid)]));
    let query = format!(
        "SELECT id, rehearsal, stale, audience, snapshot_at, rehearsed_at, plan_hash FROM runs \
         WHERE (audience IS NOT NULL OR rehearsed_at IS NOT NULL) AND id IN {wanted}"
    );
    let rows = all(db, query, vec![runs.into()]).await?;
    if rows.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut counts: BTreeMap<RunId, Rehearsal> = BTreeMap::new();
    let query = format!(
        "SELECT run_id, kind, key, count FROM rehearsal_counts WHERE kind <> '{}' AND run_id IN {wanted}",
        Counted::Settings
    );
    for row in all(db, query, vec![runs.into()]).await? {
        let rehearsal = counts.entry(RunId(row.get("run_id")?)).or_default();
        // A newer version may count more than this one knows.
        let Ok(kind) = row.word::<Counted>("kind") else { continue };
        let counts = match kind {
            Counted::Outcome => &mut rehearsal.outcomes,
            Counted::Reason => &mut rehearsal.reasons,
            Counted::LocalHour => &mut rehearsal.local_hours,
            Counted::Variable => &mut rehearsal.missing_variables,
            Counted::Language => &mut rehearsal.without_variant,
            Counted::Refused => &mut rehearsal.refused,
            Counted::Encoding => &mut rehearsal.encodings,
            Counted::Segments => &mut rehearsal.segments,
            Counted::Settings => continue,
        };
        counts.insert(row.get("key")?, row.get("count")?);
    }
    let read = |row: &Row| {
        let id = RunId(row.get("id")?);
        Ok((id, of_run(row, counts.remove(&id).unwrap_or_default())?))
    };
    rows.iter().map(read).collect()
}

fn of_run(row: &Row, counts: Rehearsal) -> Result<OfRun> {
    let finished_at = row.get::<Option<i64>>("rehearsed_at")?.map(Timestamp::from_micros);
    // Until it is complete it says nothing.
    let plan_hash = row.get::<Option<String>>("plan_hash")?.filter(|_| finished_at.is_some());
    let Some(audience) = row.get("audience")? else {
        let (reached, left_out) = (counts.reached(), counts.outcome(Outcome::Skip));
        let before = finished_at.map(|finished_at| RehearsedBefore { finished_at, plan_hash, reached, left_out });
        return Ok(OfRun { own: None, before });
    };
    let own = Rehearsal {
        launched: !row.get::<bool>("rehearsal")?,
        stale: row.get("stale")?,
        audience,
        due_at: Timestamp::from_micros(row.get("snapshot_at")?),
        finished_at,
        plan_hash,
        ..counts
    };
    Ok(OfRun { own: Some(own), before: None })
}

/// Keeps what a rehearsal found with the run that was planned anew in its place.
///
/// # Errors
/// What the database says.
pub async fn keep(tx: &Tx, rehearsal: RunId, run: RunId) -> Result<()> {
    let update = "UPDATE runs SET (plan_hash, rehearsed_at) = \
                  (SELECT r.plan_hash, r.rehearsed_at FROM runs r WHERE r.id = $1) WHERE id = $2";
    exec(tx, update, vec![rehearsal.0.into(), run.0.into()]).await?;
    let insert = "INSERT INTO rehearsal_counts (run_id, kind, key, count) \
                  SELECT $2, kind, key, count FROM rehearsal_counts WHERE run_id = $1 AND kind = $3";
    exec(tx, insert, vec![rehearsal.0.into(), run.0.into(), Counted::Outcome.as_str().into()]).await?;
    Ok(())
}

/// What has changed among the people since a rehearsal, by its own definition; the caller knows the rest. Numbers that could
/// not be reached since `unreachable_since` are left alone.
///
/// # Errors
/// What the database says.
pub async fn since(
    db: &impl ConnectionTrait,
    ready: &Ready,
    now: Timestamp,
    unreachable_since: Timestamp,
) -> Result<SinceRehearsal> {
    let mut since = SinceRehearsal::default();
    let now = now.max(ready.due_at);
    let mut values: Vec<Value> = vec![ready.run.0.into()];
    let (people, more) = segments::compile(Kind::of(db), &ready.definition, now, values.len() + 1)?;
    values.extend(more);
    let joined = format!(
        "SELECT CAST(count(*) AS bigint) AS n FROM contacts c WHERE {people} AND NOT EXISTS \
         (SELECT 1 FROM messages m WHERE m.run_id = $1 AND m.contact_id = c.contact_id)"
    );
    since.joined = one(db, joined, values).await?.ok_or(Error::NotFound)?.get("n")?;
    for row in all_planned(db, ready, now, unreachable_since).await? {
        tally(&mut since, &row)?;
    }
    let query = "SELECT t.key, t.count - COALESCE(f.count, 0) AS n FROM run_tallies t \
                 LEFT JOIN rehearsal_counts f ON f.run_id = t.run_id AND f.kind = $2 AND f.key = t.key \
                 WHERE t.run_id = $1 AND t.kind = 'reason' AND t.count > COALESCE(f.count, 0)";
    for row in all(db, query, vec![ready.run.0.into(), Counted::Reason.as_str().into()]).await? {
        *since.left_out.entry(row.get("key")?).or_default() += row.get::<i64>("n")?;
    }
    Ok(since)
}

/// Everybody of the plan, in one pass, by what it says of them and by what planning would say of them now: how many, and of
/// these how many are out of the audience and how many were changed since.
async fn all_planned(
    db: &impl ConnectionTrait,
    ready: &Ready,
    now: Timestamp,
    unreachable_since: Timestamp,
) -> Result<Vec<Row>> {
    let mut values: Vec<Value> = vec![
        ready.run.0.into(),
        ready.topic.map(|topic| topic.0).into(),
        unreachable_since.as_micros().into(),
        ready.began_at.as_micros().into(),
    ];
    let (people, more) = segments::compile(Kind::of(db), &ready.definition, now, values.len() + 1)?;
    values.extend(more);
    let rules = Rules { repeat: repeat_that_counts(db, ready).await?, ..ready.rules.clone() };
    let query = format!(
        "SELECT p.state, p.was, p.now, CAST(count(*) AS bigint) AS n, CAST(sum(p.gone) AS bigint) AS gone, \
         CAST(sum(p.changed) AS bigint) AS changed FROM (SELECT m.state, m.reason AS was, {reason} AS now, \
         CASE WHEN {people} THEN 0 ELSE 1 END AS gone, CASE WHEN c.updated_at > $4 THEN 1 ELSE 0 END AS changed \
         FROM messages m JOIN contacts c ON c.contact_id = m.contact_id \
         LEFT JOIN subscriptions s ON s.contact_id = m.contact_id AND s.topic_id = $2 \
         WHERE m.run_id = $1) AS p GROUP BY p.state, p.was, p.now",
        reason = runs::reason_now(&rules, ready.topic.is_some(), ("m.campaign_id", "$1"), "$3"),
    );
    all(db, query, values).await
}

/// Before a campaign's first run nobody needs to be asked whether they had it: a million lookups for nothing.
async fn repeat_that_counts(db: &impl ConnectionTrait, ready: &Ready) -> Result<Repeat> {
    let query = "SELECT 1 AS found FROM runs r WHERE NOT r.rehearsal \
                 AND r.campaign_id = (SELECT x.campaign_id FROM runs x WHERE x.id = $1) LIMIT 1";
    let is_first = one(db, query, vec![ready.run.0.into()]).await?.is_none();
    Ok(if is_first { Repeat::EachRun } else { ready.rules.repeat })
}

/// Adds what people of one kind come to.
fn tally(since: &mut SinceRehearsal, row: &Row) -> Result<()> {
    let was: Option<Reason> = row.word_or_null("was")?;
    let now: Option<Reason> = row.word_or_null("now")?;
    let people: i64 = row.get("n")?;
    if row.get::<i16>("state")? == State::Queued.rank() {
        since.left += row.get::<i64>("gone")?;
        match now {
            Some(reason) => *since.left_out.entry(reason.to_string()).or_default() += people,
            None => since.data_changed += row.get::<i64>("changed")?,
        }
        return Ok(());
    }
    match was {
        // What planning itself sees, and does not see any more.
        Some(
            Reason::Suppressed
            | Reason::OptedOut
            | Reason::NoConsent
            | Reason::HeldForReview
            | Reason::NotSubscribed
            | Reason::Unreachable
            | Reason::AlreadyReceived,
        ) if now.is_none() => since.could_get_it += people,
        Some(
            Reason::MissingVariable
            | Reason::TooLong
            | Reason::TemplateError
            | Reason::NeedsTimezone
            | Reason::NoAllowedTime,
        ) if now.is_none() => since.changed += row.get::<i64>("changed")?,
        _ => {}
    }
    Ok(())
}

/// The locales of those whom a rehearsed plan reaches.
///
/// # Errors
/// What the database says.
pub async fn locales(db: &impl ConnectionTrait, run: RunId) -> Result<Vec<String>> {
    let query = "SELECT DISTINCT c.locale FROM messages m JOIN contacts c ON c.contact_id = m.contact_id \
                 WHERE m.run_id = $1 AND m.state = $2 AND c.locale IS NOT NULL ORDER BY c.locale";
    let rows = all(db, query, vec![run.0.into(), State::Queued.rank().into()]).await?;
    rows.iter().map(|row| row.get("locale")).collect()
}

/// The next people whom a rehearsal left out for want of a time zone, after a contact's number: with their phone, where
/// they still have no zone of their own that is a place's.
///
/// # Errors
/// What the database says.
pub async fn zoneless(
    db: &impl ConnectionTrait,
    (run, after): (RunId, i64),
    limit: u32,
) -> Result<Vec<(ContactId, Option<Phone>)>> {
    let query = format!(
        "SELECT m.contact_id, CASE WHEN {} THEN c.phone END AS phone FROM messages m \
         LEFT JOIN contacts c ON c.contact_id = m.contact_id \
         WHERE m.run_id = $1 AND m.contact_id > $2 AND m.state = $3 AND m.reason = $4 \
         ORDER BY m.contact_id LIMIT $5",
        without_zone("c.timezone")
    );
    let values = vec![
        run.0.into(),
        after.into(),
        State::Skipped.rank().into(),
        Reason::NeedsTimezone.as_str().into(),
        i64::from(limit).into(),
    ];
    let read = |row: &Row| {
        let phone = row.get::<Option<String>>("phone")?.map(|phone| phone.parse()).transpose();
        let phone = phone
            .map_err(|error: domain::phone::NotE164| Error::Corrupt { column: "phone", problem: error.to_string() })?;
        Ok((ContactId(row.get("contact_id")?), phone))
    };
    all(db, query, values).await?.iter().map(read).collect()
}

/// The SQL of whether a person's zone says nothing of where they are ([`domain::contact::is_no_place`]).
fn without_zone(column: &str) -> String {
    let names = NO_PLACE.map(|name| format!("'{name}'")).join(", ");
    format!("({column} IS NULL OR {column} LIKE 'Etc/%' OR {column} IN ({names}))")
}

/// Gives a time zone to those of these people who have none that is a place's. Returns how many were changed.
///
/// # Errors
/// What the database says.
pub async fn set_timezone(tx: &Tx, people: &[ContactId], timezone: &str, at: Timestamp) -> Result<u64> {
    if people.is_empty() {
        return Ok(0);
    }
    let mut batch = Columns::new(Kind::of(tx), [column("id", Type::BigInt)]);
    people.iter().for_each(|id| batch.push([id.0.into()]));
    let mut values: Vec<Value> = vec![timezone.into(), at.as_micros().into()];
    let update = format!(
        "UPDATE contacts SET timezone = $1, updated_at = $2, version = version + 1 \
         FROM {} WHERE contacts.contact_id = z.id AND {}",
        batch.table("z", &mut values)?,
        without_zone("contacts.timezone")
    );
    exec(tx, update, values).await
}

/// The counts of one decision.
pub fn count(counts: &mut Counts, kind: Counted, key: impl Into<String>) {
    count_many(counts, kind, key, 1);
}

/// The same for what one person has several of.
pub fn count_many(counts: &mut Counts, kind: Counted, key: impl Into<String>, many: i64) {
    *counts.entry((kind, key.into())).or_default() += many;
}

/// The counts of an outcome and its reason.
pub fn count_outcome(counts: &mut Counts, outcome: Outcome, reason: Option<Reason>) {
    count(counts, Counted::Outcome, outcome.as_str());
    if let Some(reason) = reason {
        count(counts, Counted::Reason, reason.as_str());
    }
}
