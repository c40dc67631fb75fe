//! Rows that tests start from, made by the statements that matter to them and no more.

use domain::{
    actor::Actor,
    campaign::{Campaign, CampaignStatus, Late, OnUnknown, Repeat, Trigger},
    consent::{Category, Consent},
    ids::{CampaignId, ContactId, ProcessId, RunId, SenderId, TemplateId, TopicId},
    message::Channel,
    phone::Phone,
    process::{Figures, Process, ProcessRole, ProcessState},
    run::Rules,
    segment::Group,
    sender::Sender,
    time::Timestamp,
};
use store::{
    Db, Tx, exec,
    runs::{NewRun, RunPlan},
};
use uuid::Uuid;

/// The instant that tests begin at: 2026-11-23T00:00:00Z.
pub const START: Timestamp = Timestamp::from_seconds(1_795_392_000);

/// A worker on another machine, as it tells of itself.
#[must_use]
pub fn process_elsewhere(now: Timestamp, figures: Figures) -> Process {
    Process {
        id: ProcessId(Uuid::new_v4()),
        role: ProcessRole::Worker,
        state: ProcessState::Alive,
        host: "elsewhere".to_owned(),
        pid: 1,
        version: "0".to_owned(),
        started_at: now,
        seen_at: now,
        stopped_at: None,
        figures,
    }
}

/// Runs one transaction and commits it.
///
/// # Panics
/// When the database refuses it.
pub async fn commit<T>(db: &Db, act: impl AsyncFnOnce(&Tx) -> store::Result<T>) -> T {
    let tx = db.begin().await.expect("a transaction");
    let done = act(&tx).await.expect("the transaction's statements");
    tx.commit().await.expect("a commit");
    done
}

/// The phone of the test person with this number.
///
/// # Panics
/// For numbers that make no phone: above 7,999,999.
#[must_use]
pub fn phone(number: i64) -> Phone {
    format!("+1415{:07}", 2_000_000 + number).parse().expect("a phone number")
}

/// People with the numbers `from..from + count`, which are their contact ids too.
///
/// # Panics
/// When they cannot be inserted.
pub async fn people(db: &Db, from: i64, count: i64, consent: Consent) {
    let rows: Vec<_> =
        (from..from + count).map(|number| format!("{{\"phone\":\"{}\",\"id\":{number}}}", phone(number))).collect();
    let columns = [("phone", store::batch::Type::Text), ("id", store::batch::Type::BigInt)];
    let json = match db.kind() {
        store::Kind::Postgres => "'{\"first_name\":\"Ana\"}'::jsonb, '{}'::jsonb",
        store::Kind::Sqlite => "'{\"first_name\":\"Ana\"}', '{}'",
    };
    let insert = format!(
        "INSERT INTO contacts (phone, contact_id, attributes, folded, consent, created_at, updated_at) \
         SELECT p.phone, p.id, {json}, $2, $3, $3 FROM {}",
        store::batch::table(db.kind(), "p", "$1", &columns)
    );
    let values = vec![format!("[{}]", rows.join(",")).into(), consent.as_str().into(), START.as_micros().into()];
    exec(db.writer(), insert, values).await.expect("people");
}

/// Changes one person's row.
///
/// # Panics
/// When there is no such person.
pub async fn set_person(db: &Db, id: ContactId, assignment: &str) {
    let update = format!("UPDATE contacts SET {assignment} WHERE contact_id = $1");
    let changed = exec(db.writer(), update, vec![id.0.into()]).await.expect("a changed person");
    assert_eq!(changed, 1);
}

/// Subscribes people to a topic, or unsubscribes them.
///
/// # Panics
/// When the database refuses it.
pub async fn subscribe(db: &Db, topic: TopicId, people: impl IntoIterator<Item = i64>, state: &str) {
    let insert = "INSERT INTO subscriptions (contact_id, topic_id, state, changed_at, source) \
                  VALUES ($1, $2, $3, $4, 'api')";
    for person in people {
        let values = vec![person.into(), topic.0.into(), state.into(), START.as_micros().into()];
        exec(db.writer(), insert, values).await.expect("a subscription");
    }
}

/// A WhatsApp sender.
///
/// # Panics
/// When the database refuses it.
pub async fn sender(db: &Db) -> SenderId {
    let sender = Sender {
        id: SenderId(Uuid::new_v4()),
        name: "Test".to_owned(),
        channel: Channel::Whatsapp,
        address: "+15005550006".to_owned(),
        account_sid: "AC1".to_owned(),
        rate_per_second: 1_000,
        enabled: true,
        default: true,
        held: None,
        blocked: None,
        version: 1,
    };
    commit(db, async |tx| store::senders::insert(tx, START, &sender).await).await;
    sender.id
}

/// A campaign's run in status `planning`, with everything it hangs on.
#[derive(Clone, Debug)]
pub struct TestRun {
    pub run: RunId,
    pub campaign: CampaignId,
    pub sender: SenderId,
    pub topic: Option<TopicId>,
    pub rules: Rules,
    pub definition: Group,
}

/// What a test's run goes by, when nothing else is said.
#[must_use]
pub const fn rules() -> Rules {
    Rules {
        category: Category::Marketing,
        channel: Channel::Whatsapp,
        late: Late::Wait,
        repeat: Repeat::EachRun,
        on_unknown: OnUnknown::Requeue,
        quiet_hours: None,
        quiet_off: false,
        quiet_overrides: Vec::new(),
        local_at: None,
        leave_late: false,
        tzdb: None,
        event: None,
        send_before: None,
    }
}

/// A campaign to everybody and its first run, ready to be planned.
///
/// # Panics
/// When the database refuses it.
pub async fn run(db: &Db, sender: SenderId, rules: Rules, topic: Option<TopicId>) -> TestRun {
    let campaign = campaign(db).await;
    next_run(db, campaign, sender, rules, topic).await
}

async fn campaign(db: &Db) -> CampaignId {
    let campaign = Campaign {
        id: CampaignId(Uuid::new_v4()),
        name: "Test".to_owned(),
        topic: None,
        template_id: None,
        segment_id: None,
        sender_id: None,
        trigger: Trigger::default(),
        catch_up: domain::schedule::CatchUp::Run,
        rate_per_second: None,
        quiet_hours: None,
        send_before: None,
        late: Late::Wait,
        repeat: Repeat::EachRun,
        on_unknown: OnUnknown::Requeue,
        weight: 1,
        status: CampaignStatus::Running,
        reason: None,
        next_run_at: None,
        last_due: None,
        created_at: START,
        updated_at: START,
        version: 1,
        run: None,
    };
    commit(db, async |tx| store::campaigns::insert(tx, &campaign, None).await).await;
    campaign.id
}

/// Another run of the campaign.
///
/// # Panics
/// When the database refuses it.
pub async fn next_run(
    db: &Db,
    campaign: CampaignId,
    sender: SenderId,
    rules: Rules,
    topic: Option<TopicId>,
) -> TestRun {
    let test = TestRun { run: RunId(Uuid::new_v4()), campaign, sender, topic, rules, definition: Group::everybody() };
    let at = START.plus(i64::from(test.run.0.as_fields().1));
    let new = NewRun {
        id: test.run,
        due_at: at,
        snapshot_at: START,
        campaign_id: campaign,
        template_id: TemplateId(Uuid::new_v4()),
        template_version: 1,
        definition: &test.definition,
        topic_id: topic,
        sender_id: sender,
        rules: &test.rules,
        rate_per_second: None,
        weight: 1,
    };
    commit(db, async |tx| store::runs::insert(tx, &Actor::command_line(), at, &new).await).await;
    test
}

impl TestRun {
    /// What the planner works from.
    #[must_use]
    pub fn plan(&self) -> RunPlan {
        RunPlan {
            run: self.run,
            campaign: self.campaign,
            sender: self.sender,
            topic: self.topic,
            definition: self.definition.clone(),
            rules: self.rules.clone(),
            snapshot_at: START,
            template: (TemplateId(Uuid::nil()), 1),
            rehearsal: false,
        }
    }

    /// Plans everybody and lets the run go.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn plan_all(&self, db: &Db) {
        let plan = self.plan();
        while !commit(db, async |tx| store::runs::plan_chunk(tx, &plan, START, START, 1_000).await).await.complete {}
        assert!(commit(db, async |tx| store::runs::finish_plan(tx, self.run, START).await).await);
    }
}

/// So many campaigns that wait for an hour to come: the first at this instant, each of the others a microsecond later.
///
/// # Panics
/// When they cannot be inserted.
pub async fn armed(db: &Db, count: u32, due_at: Timestamp) {
    let id = match db.kind() {
        store::Kind::Postgres => "gen_random_uuid()",
        store::Kind::Sqlite => "randomblob(16)",
    };
    let due = due_at.as_micros();
    let insert = format!(
        "INSERT INTO campaigns (id, name, name_folded, trigger_json, late, repeat, on_unknown, status, created_at, \
         updated_at, next_due_at) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         SELECT {id}, 'x', 'x', '{{\"type\":\"now\"}}', 'wait', 'each_run', 'requeue', 'scheduled', i, i, {due} + i FROM n"
    );
    commit(db, async |tx| exec(tx, insert, Vec::new()).await).await;
}
