//! A run's plan: one message row for each person of the segment, inserted by the database in chunks.

use domain::{
    campaign::Repeat,
    consent::{Category, Consent},
    ids::{CampaignId, ContactId, RunId, SenderId, TemplateId, TopicId},
    message::{Channel, Kind as MessageKind, State},
    reason::{Check, Reason},
    run::Rules,
    segment::Group,
    time::Timestamp,
};
use sea_orm::Value;
use uuid::Uuid;

use crate::{
    ConnectionTrait, Db, Error, Kind, Result, Row, Tx, all,
    batch::{Columns, Type, column},
    exec, ledger,
    messages::{CLOCKS_APART, given_up, left_alone},
    one,
    readable::each_readable,
    schedule::scheduled_at,
    segments,
};

/// A run that is being planned.
#[derive(Clone, Debug)]
pub struct RunPlan {
    pub run: RunId,
    pub campaign: CampaignId,
    pub sender: SenderId,
    pub topic: Option<TopicId>,
    pub definition: Group,
    pub rules: Rules,
    pub snapshot_at: Timestamp,
    pub template: (TemplateId, i64),
    /// It only looks.
    pub rehearsal: bool,
}

impl RunPlan {
    /// The reasons for which people are left out already at planning.
    pub(crate) fn reasons(&self, earlier: Vec<(String, Reason)>, unreachable_since: &str) -> String {
        let alone = left_alone(self.rules.channel, unreachable_since);
        reason_sql(self.rules.category, self.topic.is_some(), earlier, &alone)
    }
}

/// What one chunk added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkPlanned {
    pub rows: i64,
    /// The contacts that the chunk went through: after the first one, through the last.
    pub people: Option<(i64, i64)>,
    /// Nobody is left: the plan is complete.
    pub complete: bool,
}

/// Runs that are to be planned, oldest first. Of one that this version cannot read nothing is planned.
///
/// # Errors
/// What the database says.
pub async fn to_plan(db: &impl ConnectionTrait) -> Result<Vec<RunPlan>> {
    // A run that was paused while it was planned goes on being planned: only its messages wait.
    let query = format!(
        "SELECT {PLAN_COLUMNS} FROM runs r WHERE r.finished_at IS NULL AND NOT r.planned \
         AND r.status IN ('planning', 'paused') ORDER BY r.created_at"
    );
    each_readable(&all(db, query, Vec::new()).await?, ("run", "id"), read_plan)
}

/// What [`read_plan`] reads, of runs `r`.
pub(crate) const PLAN_COLUMNS: &str = "r.id, r.campaign_id, r.sender_id, r.topic_id, r.definition, r.rules, \
                                       r.snapshot_at, r.template_id, r.template_version, r.rehearsal";

/// Reads a run that is to be planned.
pub(crate) fn read_plan(row: &Row) -> Result<RunPlan> {
    Ok(RunPlan {
        run: RunId(row.get("id")?),
        campaign: CampaignId(row.get("campaign_id")?),
        sender: SenderId(row.get("sender_id")?),
        topic: row.get::<Option<Uuid>>("topic_id")?.map(TopicId),
        definition: row.json("definition")?,
        rules: row.json("rules")?,
        snapshot_at: Timestamp::from_micros(row.get("snapshot_at")?),
        template: (TemplateId(row.get("template_id")?), row.get("template_version")?),
        rehearsal: row.get("rehearsal")?,
    })
}

/// Plans the next `limit` people: message rows (queued, or skipped with their reason), the first decision of each, the
/// ledger and the cursor, in the caller's transaction. Numbers that could not be reached since `unreachable_since` are left
/// alone. After a crash the next chunk begins where the last commit ended.
///
/// # Errors
/// What the database says.
pub async fn plan_chunk(
    tx: &Tx,
    plan: &RunPlan,
    now: Timestamp,
    unreachable_since: Timestamp,
    limit: u32,
) -> Result<ChunkPlanned> {
    let Some(cursor) = lock_cursor(tx, plan.run).await? else {
        return Ok(ChunkPlanned { rows: 0, people: None, complete: false });
    };
    insert_messages(tx, plan, now, unreachable_since, (cursor, limit)).await?;
    let query = "SELECT max(contact_id) AS last FROM messages WHERE run_id = $1 AND contact_id > $2";
    let row = one(tx, query, vec![plan.run.0.into(), cursor.into()]).await?;
    let Some(last) = row.map(|row| row.get::<Option<i64>>("last")).transpose()?.flatten() else {
        return Ok(ChunkPlanned { rows: 0, people: None, complete: true });
    };
    let planned = Planned { run: plan.run, after: cursor, last };
    planned.decide(tx, now).await?;
    let rows = planned.count(tx).await?;
    exec(tx, "UPDATE runs SET plan_cursor = $1 WHERE id = $2", vec![last.into(), plan.run.0.into()]).await?;
    Ok(ChunkPlanned { rows, people: Some((cursor, last)), complete: rows < i64::from(limit) })
}

/// Where planning stands; none when the run is no longer to be planned. Locks the run against a second planner.
async fn lock_cursor(tx: &Tx, run: RunId) -> Result<Option<i64>> {
    let lock = Kind::of(tx).for_update();
    let query = format!(
        "SELECT plan_cursor FROM runs WHERE id = $1 AND NOT planned AND status IN ('planning', 'paused'){lock}"
    );
    let Some(row) = one(tx, query, vec![run.0.into()]).await? else { return Ok(None) };
    Ok(Some(row.get::<Option<i64>>("plan_cursor")?.unwrap_or(-1)))
}

async fn insert_messages(
    tx: &Tx,
    plan: &RunPlan,
    now: Timestamp,
    unreachable_since: Timestamp,
    (cursor, limit): (i64, u32),
) -> Result<()> {
    let kind = Kind::of(tx);
    // Due from the launch on. One by a clock that was set back since is over; only a rehearsal begins later.
    let begins = if plan.rehearsal { plan.snapshot_at } else { plan.snapshot_at.min(now.plus(CLOCKS_APART)) };
    let mut values: Vec<Value> = vec![
        plan.run.0.into(),
        plan.campaign.0.into(),
        plan.sender.0.into(),
        now.as_micros().into(),
        now.month().into(),
        plan.topic.map(|topic| topic.0).into(),
        cursor.into(),
        i64::from(limit).into(),
        begins.as_micros().into(),
        unreachable_since.as_micros().into(),
    ];
    let (people, more) = segments::compile(kind, &plan.definition, plan.snapshot_at, values.len() + 1)?;
    values.extend(more);
    let reason = plan.reasons(earlier(plan.rules.repeat, "$2", "$1"), "$10");
    let insert = format!(
        "INSERT INTO messages (run_id, contact_id, occurrence, campaign_id, sender_id, kind, priority, state, attempt, \
         month, reason, not_before, created_at, updated_at) \
         SELECT $1, p.contact_id, 0, $2, $3, {kind}, {priority}, \
         CASE WHEN p.reason IS NULL THEN {queued} ELSE {skipped} END, 0, $5, p.reason, {due}, $4, $4 \
         FROM (SELECT c.contact_id, {reason} AS reason FROM contacts c \
         LEFT JOIN subscriptions s ON s.contact_id = c.contact_id AND s.topic_id = $6 \
         WHERE c.contact_id > $7 AND {people} ORDER BY c.contact_id LIMIT $8) AS p \
         WHERE TRUE ON CONFLICT (run_id, contact_id, occurrence) DO NOTHING",
        kind = MessageKind::Campaign.number(),
        priority = MessageKind::Campaign.priority(),
        queued = State::Queued.rank(),
        skipped = State::Skipped.rank(),
        due = format_args!("{}($9, {})", kind.greatest(), scheduled_at("$1")),
    );
    exec(tx, insert, values).await?;
    Ok(())
}

/// The SQL of the reason that a person is skipped for at planning, null for nobody's: the checks that SQL can see, in
/// the order of `decide`.
fn reason_sql(category: Category, topic: bool, earlier: Vec<(String, Reason)>, left_alone: &str) -> String {
    let refused: Vec<String> = Consent::ALL
        .iter()
        .filter(|consent| **consent != Consent::OptedOut && !category.allows(**consent))
        .map(|consent| format!("'{consent}'"))
        .collect();
    let mut cases = vec![
        format!("WHEN c.suppressed THEN '{}'", Reason::Suppressed),
        format!("WHEN c.consent = '{}' THEN '{}'", Consent::OptedOut, Reason::OptedOut),
    ];
    if !refused.is_empty() {
        cases.push(format!("WHEN c.consent IN ({}) THEN '{}'", refused.join(", "), Reason::NoConsent));
    }
    if category == Category::Marketing {
        cases.push(format!("WHEN c.review_since IS NOT NULL THEN '{}'", Reason::HeldForReview));
    }
    if topic {
        cases.push(format!("WHEN COALESCE(s.state, '') <> 'subscribed' THEN '{}'", Reason::NotSubscribed));
    }
    cases.push(format!("WHEN {left_alone} THEN '{}'", Reason::Unreachable));
    cases.extend(earlier.into_iter().map(|(sql, reason)| format!("WHEN {sql} THEN '{reason}'")));
    format!("CASE {} ELSE NULL END", cases.join(" "))
}

/// The SQL of why planning would leave contact `c`, subscribed by `s`, out of such a run now.
pub(crate) fn reason_now(rules: &Rules, topic: bool, (campaign, run): (&str, &str), unreachable_since: &str) -> String {
    let alone = left_alone(rules.channel, unreachable_since);
    reason_sql(rules.category, topic, earlier(rules.repeat, campaign, run), &alone)
}

/// Whether an earlier run of the campaign reached the person, or still may.
fn earlier(repeat: Repeat, campaign: &str, run: &str) -> Vec<(String, Reason)> {
    match repeat {
        Repeat::EachRun => Vec::new(),
        Repeat::OncePerPerson => {
            vec![(earlier_message(campaign, &format!("AND e.run_id <> {run} ")), Reason::AlreadyReceived)]
        }
    }
}

/// Why an event makes no message for a person who is to get the campaign once: one is under way, one reached them, or
/// (`again`) one is made by the same statement, which does not see it.
pub(crate) fn earlier_of_event(campaign: &str, again: &str) -> Vec<(String, Reason)> {
    let open: Vec<String> =
        State::ALL.iter().filter(|state| state.is_open()).map(|state| state.rank().to_string()).collect();
    let under_way = format!("AND e.state IN ({}) ", open.join(", "));
    vec![
        (earlier_message(campaign, &under_way), Reason::AlreadyPlanned),
        (earlier_message(campaign, ""), Reason::AlreadyReceived),
        (again.to_owned(), Reason::AlreadyPlanned),
    ]
}

/// Whether the run's plan is complete.
///
/// # Errors
/// `NotFound`.
pub async fn is_planned(db: &impl ConnectionTrait, run: RunId) -> Result<bool> {
    let row = one(db, "SELECT planned FROM runs WHERE id = $1", vec![run.0.into()]).await?;
    row.ok_or(Error::NotFound)?.get("planned")
}

/// Whether a message of the campaign reached the person, or still may; a test of it is none. What was skipped, cancelled or failed did not reach
/// anybody; what was given up because nobody can tell may have.
fn earlier_message(campaign: &str, other: &str) -> String {
    let not_reached: Vec<String> = [State::Undelivered, State::Failed, State::Skipped, State::Cancelled]
        .iter()
        .map(|state| state.rank().to_string())
        .collect();
    format!(
        "EXISTS (SELECT 1 FROM messages e WHERE e.contact_id = c.contact_id AND e.campaign_id = {campaign} \
         AND e.kind = {kind} {other}AND (e.state NOT IN ({}) OR {}) \
         AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = e.run_id AND r.rehearsal))",
        not_reached.join(", "),
        given_up("e"),
        kind = MessageKind::Campaign.number(),
    )
}

/// The first decision of those who are left out: attempt 0, by the checks that SQL can see. `rows` is of messages `m`,
/// `at` the parameter of the time.
fn skips(rows: &str, at: &str) -> String {
    let passed = |reason: Reason| reason.check().map_or(0, |check| check.bit() - 1);
    let seen = [Reason::Suppressed, Reason::OptedOut, Reason::NoConsent, Reason::HeldForReview, Reason::NotSubscribed];
    let skipped: Vec<String> = seen.iter().map(|reason| format!("WHEN '{reason}' THEN {}", passed(*reason))).collect();
    format!(
        "INSERT INTO decisions (month, message_id, at, attempt, outcome, reason, rules_version, checks) \
         SELECT m.month, m.id, {at}, 0, 'skip', m.reason, {version}, CASE m.reason {skipped} ELSE {all} END {rows} \
         AND m.state = {state}",
        version = crate::messages::RULES_VERSION,
        skipped = skipped.join(" "),
        all = Check::Subscription.bits_through(),
        state = State::Skipped.rank(),
    )
}

/// Writes the first decision of these messages, which were planned as skipped.
///
/// # Errors
/// What the database says.
pub(crate) async fn skip_decisions(tx: &Tx, now: Timestamp, messages: &[i64]) -> Result<()> {
    let mut batch = Columns::new(Kind::of(tx), [column("id", Type::BigInt)]);
    messages.iter().for_each(|id| batch.push([(*id).into()]));
    if batch.is_empty() {
        return Ok(());
    }
    let mut values = vec![now.as_micros().into()];
    let rows =
        format!("FROM messages m WHERE m.id IN (SELECT skipped.id FROM {})", batch.table("skipped", &mut values)?);
    exec(tx, skips(&rows, "$1"), values).await?;
    Ok(())
}

/// The rows that a chunk has just inserted: those of a run between two contacts.
struct Planned {
    run: RunId,
    after: i64,
    last: i64,
}

impl Planned {
    const ROWS: &'static str = "FROM messages m WHERE m.run_id = $1 AND m.contact_id > $2 AND m.contact_id <= $3";

    fn values(&self) -> Vec<Value> {
        vec![self.run.0.into(), self.after.into(), self.last.into()]
    }

    /// The first decision of those who are left out. That of all others, which passed these checks, is not stored: it follows from their being queued ([`crate::messages::get`]).
    async fn decide(&self, tx: &Tx, now: Timestamp) -> Result<()> {
        let mut values = self.values();
        values.push(now.as_micros().into());
        exec(tx, skips(Self::ROWS, "$4"), values).await?;
        Ok(())
    }

    /// Moves the ledger, and returns how many rows there are.
    async fn count(&self, tx: &Tx) -> Result<i64> {
        let query = format!(
            "SELECT m.reason, CAST(count(*) AS bigint) AS n {} GROUP BY m.reason ORDER BY m.reason",
            Self::ROWS
        );
        let tally = tally(&all(tx, query, self.values()).await?)?;
        ledger::plan(tx, self.run, tally.queued, &tally.skipped).await?;
        Ok(tally.total())
    }
}

/// How many of a segment would be queued, and how many skipped for which reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanTally {
    pub queued: i64,
    /// Of them, people with numbers of the United States; counted by [`preview`] alone.
    pub queued_in_us: i64,
    pub skipped: Vec<(Reason, i64)>,
}

impl PlanTally {
    /// Everybody in the segment.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.queued + self.skipped.iter().map(|(_, count)| count).sum::<i64>()
    }
}

fn tally(rows: &[Row]) -> Result<PlanTally> {
    let mut tally = PlanTally::default();
    for row in rows {
        let count: i64 = row.get("n")?;
        match row.word_or_null("reason")? {
            None => tally.queued += count,
            Some(reason) => tally.skipped.push((reason, count)),
        }
    }
    Ok(tally)
}

/// What planning would do now, without doing it; and the first person who would be queued.
///
/// # Errors
/// What the database says.
pub async fn preview(
    db: &impl ConnectionTrait,
    definition: &Group,
    topic: Option<TopicId>,
    (channel, category): (Channel, Category),
    now: Timestamp,
    unreachable_since: Timestamp,
) -> Result<(PlanTally, Option<ContactId>)> {
    let (people, values) = audience(Kind::of(db), definition, topic, (channel, category), (now, unreachable_since))?;
    let query = format!(
        "SELECT p.reason, CAST(count(*) AS bigint) AS n, \
             CAST(sum(CASE WHEN p.country = 'US' THEN 1 ELSE 0 END) AS bigint) AS in_us FROM ({people}) AS p GROUP BY p.reason ORDER BY 1"
    );
    let rows = all(db, query, values.clone()).await?;
    let mut tally = tally(&rows)?;
    for row in &rows {
        if row.word_or_null::<Reason>("reason")?.is_none() {
            tally.queued_in_us += row.get::<i64>("in_us")?;
        }
    }
    let query =
        format!("SELECT p.contact_id FROM ({people}) AS p WHERE p.reason IS NULL ORDER BY p.contact_id LIMIT 1");
    let first = one(db, query, values).await?.map(|row| row.get("contact_id").map(ContactId)).transpose()?;
    Ok((tally, first))
}

/// Locales that are counted; of more different ones the rarest are left out.
const LOCALES_MAX: i64 = 1_000;

/// The locales of those who would be queued, the most frequent first.
///
/// # Errors
/// What the database says.
pub async fn locales(
    db: &impl ConnectionTrait,
    definition: &Group,
    topic: Option<TopicId>,
    kind: (Channel, Category),
    now: Timestamp,
    unreachable_since: Timestamp,
) -> Result<Vec<(String, i64)>> {
    let (people, values) = audience(Kind::of(db), definition, topic, kind, (now, unreachable_since))?;
    let query = format!(
        "SELECT p.locale, CAST(count(*) AS bigint) AS n FROM ({people}) AS p \
         WHERE p.reason IS NULL AND p.locale IS NOT NULL GROUP BY p.locale ORDER BY 2 DESC, 1 LIMIT {LOCALES_MAX}"
    );
    all(db, query, values).await?.iter().map(|row| Ok((row.get("locale")?, row.get("n")?))).collect()
}

/// The query of everybody in an audience, with why planning would leave them out.
fn audience(
    kind: Kind,
    definition: &Group,
    topic: Option<TopicId>,
    (channel, category): (Channel, Category),
    (now, unreachable_since): (Timestamp, Timestamp),
) -> Result<(String, Vec<Value>)> {
    let mut values: Vec<Value> = vec![topic.map(|topic| topic.0).into(), unreachable_since.as_micros().into()];
    let (people, more) = segments::compile(kind, definition, now, values.len() + 1)?;
    values.extend(more);
    let people = format!(
        "SELECT c.contact_id, c.country, c.locale, {} AS reason FROM contacts c \
         LEFT JOIN subscriptions s ON s.contact_id = c.contact_id AND s.topic_id = $1 WHERE {people}",
        reason_sql(category, topic.is_some(), Vec::new(), &left_alone(channel, "$2"))
    );
    Ok((people, values))
}

/// Tells PostgreSQL what a large plan made of the table: with old statistics it would look for one person's messages
/// among all that are queued. Nothing on SQLite, whose plans do not depend on it.
///
/// # Errors
/// What the database says.
pub async fn refresh_statistics(db: &Db) -> Result<()> {
    if db.kind() == Kind::Postgres {
        exec(db.writer(), "ANALYZE messages", Vec::new()).await?;
    }
    Ok(())
}

/// The plan is complete: a run in `planning` runs from now on, a paused one stays paused.
///
/// # Errors
/// What the database says.
pub async fn finish_plan(tx: &Tx, run: RunId, at: Timestamp) -> Result<bool> {
    let update = "UPDATE runs SET planned = TRUE, started_at = $1, \
                  status = CASE WHEN status = 'planning' THEN 'running' ELSE status END \
                  WHERE id = $2 AND NOT planned AND status IN ('planning', 'paused')";
    Ok(exec(tx, update, vec![at.as_micros().into(), run.0.into()]).await? == 1)
}
