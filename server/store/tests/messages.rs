//! The plan, the claim, outcomes and callbacks, on both databases.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use domain::{
    campaign::{CampaignStatus, OnUnknown, Repeat},
    consent::Consent,
    ids::{ContactId, MessageId, RunId, SenderId, TopicId, WebhookEventId},
    message::{By, CheckOutcome, Kind, Outcome, State},
    reason::{Check, Reason},
    run::{Ledger, Rollup, RollupBy, Rules, RunStatus},
    time::Timestamp,
};
use sha2::{Digest as _, Sha256};
use store::{
    Db,
    breaker::Breaker,
    messages::{
        Claimed, DecisionIn, Effect, Finding, Grounds, KnownGrounds, Lane, Lease, OutcomeIn, ReceiptIn, ReceiptOutcome,
        Seen, Settled, UnknownMessage,
    },
    rehearsals::LeftOut,
    runs::{Asleep, Told},
};
use testkit::build::{self, START, TestRun, commit};
use uuid::Uuid;

const OWNER: i64 = 42;

fn lease() -> Lease {
    Lease { until: START.plus(60 * Timestamp::SECOND), owner: OWNER }
}

fn lane(test: &TestRun) -> Lane {
    Lane::Run { run: test.run, topic: test.topic }
}

async fn claim(db: &Db, test: &TestRun, limit: u32) -> Vec<Claimed> {
    let lane = lane(test);
    commit(db, async |tx| store::messages::claim(tx, START, lane, lease(), limit).await).await
}

async fn ledger(db: &Db, run: RunId) -> Ledger {
    let ledger = store::ledger::load(db.reader(), run).await.expect("a ledger");
    assert!(ledger.balances(), "{ledger:?}");
    ledger
}

/// The ledger, and the same counted from the messages.
async fn checked_ledger(db: &Db, run: RunId) -> Ledger {
    let ledger = ledger(db, run).await;
    let query = "SELECT state, CAST(count(*) AS bigint) AS n FROM messages WHERE run_id = $1 GROUP BY state";
    let mut total = 0;
    for row in store::all(db.reader(), query, vec![run.0.into()]).await.expect("counts") {
        let state = State::from_rank(row.get("state").expect("a rank")).expect("a state");
        let count: i64 = row.get("n").expect("a count");
        assert_eq!(ledger.count(state), count, "{state}");
        total += count;
    }
    assert_eq!(ledger.planned, total);
    for by in RollupBy::ALL {
        let rollups = store::messages::rollups_of_run(db.reader(), run, *by).await.expect("rollups");
        let sum = |of: fn(&Rollup) -> i64| rollups.iter().map(of).sum::<i64>();
        assert_eq!(sum(|rollup| rollup.read), ledger.read, "{rollups:?}");
        assert_eq!(sum(|rollup| rollup.delivered), ledger.delivered + ledger.read, "{rollups:?}");
        assert_eq!(sum(|rollup| rollup.undelivered), ledger.undelivered, "{rollups:?}");
        assert_eq!(sum(|rollup| rollup.failed), ledger.failed, "{rollups:?}");
        // What failed and turned out delivered may have been counted as sent twice.
        let arrived = ledger.delivered + ledger.read;
        let sent = ledger.sent + ledger.undelivered + arrived;
        assert!(sum(|rollup| rollup.sent) >= sent, "{rollups:?}");
        assert!(sum(|rollup| rollup.accepted) >= ledger.accepted + sent, "{rollups:?}");
    }
    ledger
}

fn outcome(message: &Claimed, effect: Effect) -> OutcomeIn {
    OutcomeIn {
        id: message.id,
        attempt: message.attempt,
        lease_owner: OWNER,
        effect,
        decision: Some(DecisionIn {
            at: START,
            outcome: Outcome::Send,
            reason: None,
            checks: Check::Length.bits_through(),
            detail: None,
            grounds: None,
        }),
        text: Some("Hello".to_owned()),
    }
}

async fn write(db: &Db, outcomes: &[OutcomeIn]) -> Vec<Settled> {
    commit(db, async |tx| store::messages::write_outcomes(tx, START, outcomes, &KnownGrounds::default()).await).await
}

fn sid(number: i64) -> String {
    format!("SM{number:032x}")
}

fn receipt(id: MessageId, status: &str, code: Option<i32>) -> ReceiptIn {
    ReceiptIn {
        message_id: Some(id),
        provider_sid: sid(id.0),
        status: status.to_owned(),
        state: State::from_twilio(status),
        error_code: code,
        received_at: START,
    }
}

async fn receive(db: &Db, receipts: &[ReceiptIn]) -> Vec<store::messages::ReceiptOut> {
    commit(db, async |tx| {
        let planned = store::messages::plan_receipts(tx, START, receipts).await?;
        // Each callback is an event of its own.
        static NEXT: AtomicI64 = AtomicI64::new(1);
        let events: Vec<_> = receipts.iter().map(|_| WebhookEventId(NEXT.fetch_add(1, Ordering::Relaxed))).collect();
        store::messages::write_receipts(tx, START, receipts, &planned, &events).await?;
        Ok(planned.outs)
    })
    .await
}

async fn running(db: &Db, people: i64) -> TestRun {
    build::people(db, 1, people, Consent::OptedIn).await;
    let test = build::run(db, build::sender(db).await, build::rules(), None).await;
    test.plan_all(db).await;
    test
}

#[tokio::test]
async fn planning_skips_what_sql_can_see_and_gives_everybody_a_row() {
    for test in testkit::databases().await {
        let db = &test.db;
        let topic = TopicId(Uuid::new_v4());
        build::people(db, 1, 6, Consent::OptedIn).await;
        build::people(db, 7, 1, Consent::Unknown).await;
        build::people(db, 8, 1, Consent::OptedOut).await;
        build::set_person(db, ContactId(1), "suppressed = TRUE, consent = 'opted_out'").await;
        build::subscribe(db, topic, [1, 2, 3, 7, 8], "subscribed").await;
        build::subscribe(db, topic, [4], "unsubscribed").await;
        let run = build::run(db, build::sender(db).await, build::rules(), Some(topic)).await;
        run.plan_all(db).await;
        let ledger = checked_ledger(db, run.run).await;
        assert_eq!((ledger.planned, ledger.queued, ledger.skipped), (8, 2, 6));
        let tallies = store::ledger::tallies(db.reader(), run.run).await.expect("tallies").skipped_by_reason;
        let expected = [("no_consent", 1), ("not_subscribed", 3), ("opted_out", 1), ("suppressed", 1)];
        assert_eq!(tallies.iter().map(|(reason, n)| (reason.as_str(), *n)).collect::<Vec<_>>(), expected);
        let (preview, first) = store::runs::preview(
            db.reader(),
            &run.definition,
            Some(topic),
            (run.rules.channel, run.rules.category),
            START,
            START,
        )
        .await
        .expect("a preview");
        assert_eq!((preview.queued, preview.total(), first), (2, 8, Some(ContactId(2))));
        let claimed = claim(db, &run, 10).await;
        let who: BTreeSet<i64> = claimed.iter().map(|message| message.contact_id.0).collect();
        assert_eq!(who, BTreeSet::from([2, 3]));
    }
}

#[tokio::test]
async fn every_planned_message_has_its_first_decision() {
    for test in testkit::databases().await {
        let db = &test.db;
        build::people(db, 1, 1, Consent::OptedIn).await;
        build::people(db, 2, 1, Consent::Unknown).await;
        let run = build::run(db, build::sender(db).await, build::rules(), None).await;
        run.plan_all(db).await;
        let filter = domain::message::MessageFilter { run: Some(run.run), ..Default::default() };
        let listed = store::messages::list(db.reader(), &filter, None, 10).await.expect("a list");
        assert_eq!(listed.len(), 2);
        for listed in listed {
            let message = store::messages::get(db.reader(), listed.id).await.expect("a message");
            let [decision] = &message.decisions[..] else { panic!("{:?}", message.decisions) };
            let result = |check| {
                decision.checks.iter().find(|made| made.check == check).map(|made| made.result).expect("every check")
            };
            assert_eq!(decision.attempt, 0);
            assert_eq!(result(Check::Suppression), CheckOutcome::Pass);
            assert_eq!(result(Check::Length), CheckOutcome::NotChecked);
            if message.state == State::Queued {
                assert_eq!((decision.outcome, decision.reason), (Outcome::Send, None));
                assert_eq!(result(Check::Consent), CheckOutcome::Pass);
            } else {
                assert_eq!((decision.outcome, decision.reason), (Outcome::Skip, Some(Reason::NoConsent)));
                assert_eq!(result(Check::Consent), CheckOutcome::Fail);
                assert_eq!(message.history[0].state, State::Skipped);
            }
        }
    }
}

#[tokio::test]
async fn planning_goes_on_after_the_last_commit() {
    for test in testkit::databases().await {
        let db = &test.db;
        build::people(db, 1, 25, Consent::OptedIn).await;
        let run = build::run(db, build::sender(db).await, build::rules(), None).await;
        let plan = run.plan();
        let first = commit(db, async |tx| store::runs::plan_chunk(tx, &plan, START, START, 10).await).await;
        assert_eq!((first.rows, first.complete), (10, false));
        // The process dies in the middle of the second chunk.
        let tx = db.begin().await.expect("a transaction");
        store::runs::plan_chunk(&tx, &plan, START, START, 10).await.expect("a chunk");
        tx.rollback().await.expect("a rollback");
        assert_eq!(checked_ledger(db, run.run).await.planned, 10);
        assert_eq!(store::runs::to_plan(db.reader()).await.expect("plans").len(), 1);
        run.plan_all(db).await;
        assert_eq!(checked_ledger(db, run.run).await.planned, 25);
        assert!(store::runs::to_plan(db.reader()).await.expect("plans").is_empty());
        let more = commit(db, async |tx| store::runs::plan_chunk(tx, &plan, START, START, 10).await).await;
        assert_eq!(more.rows, 0, "a planned run takes nobody more");
    }
}

#[tokio::test]
async fn once_per_person_leaves_out_whom_an_earlier_run_reached() {
    for test in testkit::databases().await {
        let db = &test.db;
        build::people(db, 1, 4, Consent::OptedIn).await;
        let sender = build::sender(db).await;
        let rules = Rules { repeat: Repeat::OncePerPerson, ..build::rules() };
        let first = build::run(db, sender, rules.clone(), None).await;
        first.plan_all(db).await;
        let claimed = claim(db, &first, 3).await;
        let effects = [
            Effect::Accepted { sid: sid(1) },
            Effect::Failed { reason: Reason::ProviderRefused, code: Some(21_211) },
            Effect::Unknown(Reason::NoAnswer),
        ];
        let outcomes: Vec<_> = claimed.iter().zip(effects).map(|(message, effect)| outcome(message, effect)).collect();
        write(db, &outcomes).await;
        // What nobody can tell of may have come, also once it is given up.
        let (later, ahead) = (START.plus(Timestamp::DAY), START.plus(10 * Timestamp::DAY));
        let unknown = store::messages::unknown(db.reader(), "AC1", (later, ahead), 10).await.expect("unknown");
        let [lost] = &unknown[..] else { panic!("{unknown:?}") };
        let give_up = Finding::GiveUp;
        assert!(commit(db, async |tx| store::messages::settle_unknown(tx, later, lost, &give_up).await).await);
        let second = build::next_run(db, first.campaign, sender, rules, None).await;
        second.plan_all(db).await;
        let queued: Vec<_> = claim(db, &second, 10).await.iter().map(|message| message.contact_id).collect();
        assert_eq!(queued, [claimed[1].contact_id], "only whom the first run failed to reach");
        assert_eq!(
            store::ledger::tallies(db.reader(), second.run).await.expect("tallies").skipped_by_reason["already_received"],
            3
        );
    }
}

#[tokio::test]
async fn a_run_that_cannot_be_read_hides_no_message_of_unknown_outcome() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 2).await;
        let claimed = claim(db, &run, 1).await;
        write(db, &[outcome(&claimed[0], Effect::Unknown(Reason::NoAnswer))]).await;
        let times = (START.plus(Timestamp::DAY), START.plus(10 * Timestamp::DAY));
        let on_unknown = async || {
            let unknown = store::messages::unknown(db.reader(), "AC1", times, 10).await.expect("unknown");
            let [one] = &unknown[..] else { panic!("{unknown:?}") };
            one.on_unknown
        };
        assert_eq!(on_unknown().await, Some(OnUnknown::Requeue));
        assert_eq!(store::runs::lanes(db.reader(), START).await.expect("lanes").len(), 1);
        let damage = "UPDATE runs SET rules = 'x' || rules";
        assert_eq!(store::exec(db.writer(), damage, vec![]).await.expect("damaged"), 1);
        assert_eq!(on_unknown().await, None, "{:?}", test.kind());
        assert!(store::runs::lanes(db.reader(), START).await.expect("lanes").is_empty());
    }
}

#[tokio::test]
async fn a_message_of_unknown_outcome_is_looked_for_by_one_process() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 3).await;
        let lost: Vec<_> = claim(db, &run, 3).await;
        let lost: Vec<_> = lost.iter().map(|message| outcome(message, Effect::Unknown(Reason::NoAnswer))).collect();
        write(db, &lost).await;
        let (now, ahead) = (START.plus(Timestamp::DAY), START.plus(10 * Timestamp::DAY));
        let unknown = async || {
            let times = (now.plus(-Timestamp::HOUR), ahead);
            store::messages::unknown(db.reader(), "AC1", times, 10).await.expect("unknown")
        };
        let take = async |found: Vec<UnknownMessage>| {
            commit(db, async |tx| store::messages::take_unknown(tx, now, found.clone()).await).await
        };
        // Both have read the same, and one of them only a part of it.
        let found = unknown().await;
        assert_eq!(found.len(), 3);
        let taken = take(found[..1].to_vec()).await;
        assert_eq!(
            taken.iter().map(|message| (message.id, message.looked_at)).collect::<Vec<_>>(),
            [(found[0].id, now)]
        );
        let rest = take(found.clone()).await;
        assert_eq!(rest.iter().map(|message| message.id).collect::<Vec<_>>(), [found[1].id, found[2].id]);
        assert!(take(found.clone()).await.is_empty() && unknown().await.is_empty());
        // Who took it writes what came of it; who only read it, nothing.
        let settle = async |message: &UnknownMessage| {
            let absent = Finding::AbsentOnce;
            commit(db, async |tx| store::messages::settle_unknown(tx, now, message, &absent).await).await
        };
        assert!(!settle(&found[0]).await && settle(&taken[0]).await);
    }
}

#[tokio::test]
async fn four_claimers_never_share_a_message() {
    for test in testkit::databases().await {
        let run = running(&test.db, 400).await;
        let claimers = (0..4).map(|number| {
            let (db, lane) = (test.db.clone(), lane(&run));
            tokio::spawn(async move {
                let lease = Lease { owner: number, ..lease() };
                let mut mine = Vec::new();
                loop {
                    let batch = commit(&db, async |tx| store::messages::claim(tx, START, lane, lease, 7).await).await;
                    if batch.is_empty() {
                        return mine;
                    }
                    mine.extend(batch.into_iter().map(|message| message.id));
                }
            })
        });
        let claimers: Vec<_> = claimers.collect();
        let mut all = Vec::new();
        for claimer in claimers {
            all.extend(claimer.await.expect("no panic"));
        }
        assert_eq!(all.len(), 400);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 400, "{:?}", test.kind());
        assert_eq!(checked_ledger(&test.db, run.run).await.sending, 400);
    }
}

#[tokio::test]
async fn nothing_is_claimed_from_a_paused_run_nor_before_its_time() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 3).await;
        let status = |from: RunStatus, to: RunStatus| {
            commit(db, async move |tx| store::runs::set_status(tx, run.run, &[from], to, None).await)
        };
        assert!(status(RunStatus::Running, RunStatus::Paused).await);
        assert_eq!(claim(db, &run, 10).await, []);
        assert!(!status(RunStatus::Running, RunStatus::Paused).await, "it is not running any more");
        assert!(status(RunStatus::Paused, RunStatus::Running).await);
        let claimed = claim(db, &run, 1).await;
        let later = START.plus(Timestamp::MINUTE);
        let again = Effect::Later { not_before: later, reason: Reason::RateLimited, code: Some(20_429) };
        write(db, &[outcome(&claimed[0], again)]).await;
        assert_eq!(claim(db, &run, 10).await.len(), 2, "the third one waits");
        let next = store::messages::next_due(db.reader(), lane(&run)).await.expect("a time");
        assert_eq!(next, Some(later));
        let lane = lane(&run);
        let due = commit(db, async move |tx| store::messages::claim(tx, later, lane, lease(), 10).await).await;
        assert_eq!(due.iter().map(|message| (message.id, message.attempt)).collect::<Vec<_>>(), [(claimed[0].id, 2)]);
    }
}

#[tokio::test]
async fn a_claim_reads_the_person_as_of_now() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 2).await;
        build::set_person(db, ContactId(1), "consent = 'opted_out', suppressed = TRUE").await;
        let claimed = claim(db, &run, 10).await;
        let person = |id: i64| {
            let message = claimed.iter().find(|message| message.contact_id == ContactId(id)).expect("claimed");
            message.contact.clone().expect("a person")
        };
        assert_eq!((person(1).consent, person(1).suppressed), (Consent::OptedOut, true));
        assert_eq!((person(2).consent, person(2).suppressed), (Consent::OptedIn, false));
        assert_eq!(person(2).attributes["first_name"], "Ana");
        assert_eq!(person(2).phone, build::phone(2));
    }
}

#[tokio::test]
async fn outcomes_move_states_counters_and_history() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 6).await;
        let claimed = claim(db, &run, 6).await;
        let effects = [
            Effect::Accepted { sid: sid(1) },
            Effect::Failed { reason: Reason::ProviderRefused, code: Some(21_211) },
            Effect::Skipped(Reason::OptedOut),
            Effect::Later { not_before: START, reason: Reason::NotReached, code: None },
            Effect::Unknown(Reason::NoAnswer),
            Effect::Released,
        ];
        let outcomes: Vec<_> = claimed.iter().zip(effects).map(|(message, effect)| outcome(message, effect)).collect();
        write(db, &outcomes).await;
        let ledger = checked_ledger(db, run.run).await;
        assert_eq!(
            (ledger.accepted, ledger.failed, ledger.skipped, ledger.queued, ledger.unknown, ledger.sending),
            (1, 1, 1, 2, 1, 0)
        );
        let tallies = store::ledger::tallies(db.reader(), run.run).await.expect("tallies");
        assert_eq!(tallies.failures_by_code["21211"], 1);
        assert_eq!(tallies.skipped_by_reason["opted_out"], 1);
        let accepted = store::messages::get(db.reader(), claimed[0].id).await.expect("a message");
        let states: Vec<_> = accepted.history.iter().map(|entry| entry.state).collect();
        assert_eq!(states, [State::Queued, State::Sending, State::Accepted]);
        assert_eq!((accepted.provider_sid, accepted.body), (Some(sid(1)), Some("Hello".to_owned())));
        let released = store::messages::get(db.reader(), claimed[5].id).await.expect("a message");
        assert_eq!((released.state, released.attempts), (State::Queued, 0), "as if it had never been claimed");
        let skipped = store::messages::get(db.reader(), claimed[2].id).await.expect("a message");
        assert_eq!((skipped.state, skipped.attempts), (State::Skipped, 0), "nothing was handed over");
        let steps: Vec<_> = skipped.history.iter().map(|entry| (entry.state, entry.by)).collect();
        assert_eq!(steps.last(), Some(&(State::Skipped, By::Worker)));
        let retried = store::messages::get(db.reader(), claimed[3].id).await.expect("a message");
        assert_eq!((retried.state, retried.attempts, retried.reason), (State::Queued, 1, Some(Reason::NotReached)));
    }
}

#[tokio::test]
async fn a_callback_before_the_answer_is_not_taken_back() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 1).await;
        let message = claim(db, &run, 1).await.remove(0);
        receive(db, &[receipt(message.id, "delivered", None)]).await;
        let settled = write(db, &[outcome(&message, Effect::Accepted { sid: sid(message.id.0) })]).await;
        assert_eq!((settled[0].from, settled[0].to), (State::Delivered, State::Delivered));
        let stored = store::messages::get(db.reader(), message.id).await.expect("a message");
        assert_eq!((stored.state, stored.provider_sid), (State::Delivered, Some(sid(message.id.0))));
        assert_eq!(checked_ledger(db, run.run).await.delivered, 1);
        // A failure of the same attempt that is reported later changes nothing either.
        let failed = Effect::Failed { reason: Reason::ProviderRefused, code: Some(21_211) };
        assert!(write(db, &[outcome(&message, failed)]).await[0].late);
        assert_eq!(checked_ledger(db, run.run).await.delivered, 1);
    }
}

#[tokio::test]
async fn a_second_sid_in_an_answer_is_told_as_one_in_a_callback_is() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 2).await;
        let claimed = claim(db, &run, 2).await;
        let accepted = async |message: &Claimed, number: i64| {
            write(db, &[outcome(message, Effect::Accepted { sid: sid(number) })]).await[0].second_sid
        };
        assert!(!accepted(&claimed[0], 1).await);
        assert!(!accepted(&claimed[0], 1).await, "the same one again");
        assert!(accepted(&claimed[0], 2).await, "it was really sent twice");
        assert!(accepted(&claimed[1], 1).await, "it is another message's");
        let stored = store::messages::get(db.reader(), claimed[0].id).await.expect("a message");
        assert_eq!((stored.state, stored.provider_sid), (State::Accepted, Some(sid(1))));
        assert!(!write(db, &[outcome(&claimed[1], Effect::Unknown(Reason::NoAnswer))]).await[0].second_sid);
        assert_eq!(checked_ledger(db, run.run).await.accepted, 2);
    }
}

#[tokio::test]
async fn an_ended_lease_makes_unknown_and_only_proofs_count_afterwards() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 3).await;
        let claimed = claim(db, &run, 3).await;
        let expire = |at: Timestamp| commit(db, async move |tx| store::messages::expire_leases(tx, at, 100).await);
        assert_eq!(expire(lease().until).await, 0, "not before its end");
        assert_eq!(expire(lease().until.plus(1)).await, 3);
        assert_eq!(checked_ledger(db, run.run).await.unknown, 3);
        let again = Effect::Later { not_before: START, reason: Reason::NotReached, code: None };
        let settled = write(
            db,
            &[
                outcome(&claimed[0], again),
                outcome(&claimed[1], Effect::Released),
                outcome(&claimed[2], Effect::Accepted { sid: sid(3) }),
            ],
        )
        .await;
        assert!(settled.iter().all(|message| message.late));
        let ledger = checked_ledger(db, run.run).await;
        assert_eq!((ledger.unknown, ledger.accepted, ledger.queued), (2, 1, 0), "nothing unknown is sent again");
        receive(db, &[receipt(claimed[0].id, "sent", None)]).await;
        let ledger = checked_ledger(db, run.run).await;
        assert_eq!((ledger.unknown, ledger.sent), (1, 1), "a callback settles it");
    }
}

#[tokio::test]
async fn leases_from_before_the_clock_was_set_back_end_as_if_they_began_now() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 3).await;
        let claimed = claim(db, &run, 3).await;
        // Three hours earlier, by the clock as it is now.
        let now = START.plus(-3 * Timestamp::HOUR);
        let until = now.plus(Timestamp::MINUTE);
        let cut =
            async || commit(db, async |tx| store::messages::set_back(tx, now, Timestamp::MINUTE, 100).await).await;
        assert_eq!((cut().await, cut().await), (3, 0));
        // Whoever holds them may still report.
        let settled = write(db, &[outcome(&claimed[0], Effect::Released)]).await;
        assert!(!settled[0].late);
        let expire = |at: Timestamp| commit(db, async move |tx| store::messages::expire_leases(tx, at, 100).await);
        assert_eq!((expire(until).await, expire(until.plus(1)).await), (0, 2));
        let ledger = checked_ledger(db, run.run).await;
        assert_eq!((ledger.queued, ledger.unknown), (1, 2));
    }
}

/// By how much the clock was ahead.
const JUMP: i64 = 3 * Timestamp::HOUR;

/// All that a clock which was ahead has written.
async fn set_back(db: &Db) -> u64 {
    let (now, lease) = (START.plus(-JUMP), Timestamp::MINUTE);
    let is_ahead = async || store::messages::is_ahead(db.reader(), now, lease).await.expect("asked");
    let was_ahead = is_ahead().await;
    let moved = commit(db, async |tx| store::messages::set_back(tx, now, lease, 100).await).await;
    assert_eq!(was_ahead, moved > 0, "{moved}");
    assert!(!is_ahead().await);
    assert_eq!(commit(db, async |tx| store::messages::set_back(tx, now, lease, 100).await).await, 0, "once");
    moved
}

/// Until when a run's messages wait, in microseconds from START, in the order of their people.
async fn waits(db: &Db, run: RunId) -> Vec<i64> {
    let query = "SELECT not_before FROM messages WHERE run_id = $1 ORDER BY contact_id";
    let rows = store::all(db.reader(), query, vec![run.0.into()]).await.expect("messages");
    rows.iter().map(|row| row.get::<i64>("not_before").expect("a time") - START.as_micros()).collect()
}

#[tokio::test]
async fn a_run_from_before_the_clock_was_set_back_goes_by_the_clock_as_it_is() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 3).await;
        let lane = lane(&run);
        let claim = |at: Timestamp| commit(db, async move |tx| store::messages::claim(tx, at, lane, lease(), 1).await);
        // Clocks of processes are a little apart.
        let first = claim(START.plus(-30 * Timestamp::SECOND)).await.remove(0);
        let now = START.plus(-JUMP);
        assert_eq!(claim(now).await, [], "nothing is due because the run began later than now");
        set_back(db).await;
        let second = claim(now).await.remove(0);
        let until = now.plus(150 * Timestamp::MINUTE);
        let wait = Effect::NotYet { not_before: until, reason: Reason::QuietHours, code: None };
        let later = Effect::Later { not_before: until, reason: Reason::RateLimited, code: None };
        let outcomes = [outcome(&first, later), outcome(&second, wait)];
        commit(db, async |tx| store::messages::write_outcomes(tx, now, &outcomes, &KnownGrounds::default()).await)
            .await;
        assert_eq!(claim(now).await.len(), 1, "the third");
        assert_eq!(claim(now).await, [], "the others wait, as they were told to");
        assert_eq!((claim(until.plus(-Timestamp::HOUR)).await, claim(until).await.len()), (Vec::new(), 1));
    }
}

#[tokio::test]
async fn what_is_planned_after_the_clock_was_set_back_is_due() {
    for test in testkit::databases().await {
        let db = &test.db;
        build::people(db, 1, 2, Consent::OptedIn).await;
        let run = build::run(db, build::sender(db).await, build::rules(), None).await;
        let now = START.plus(-JUMP);
        let plan = |plan: store::runs::RunPlan| {
            commit(db, async move |tx| store::runs::plan_chunk(tx, &plan, now, now, 100).await)
        };
        plan(run.plan()).await;
        assert_eq!(waits(db, run.run).await, [Timestamp::MINUTE - JUMP; 2]);
        let rehearsed = build::run(db, run.sender, build::rules(), None).await;
        plan(store::runs::RunPlan { rehearsal: true, ..rehearsed.plan() }).await;
        assert_eq!(waits(db, rehearsed.run).await, [0; 2], "it is of later");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_takes_along_what_waits_for_a_while_and_not_what_waits_for_a_time() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 6).await;
        let claimed = claim(db, &run, 5).await;
        let after = |micros: i64| START.plus(micros);
        let effects = [
            Effect::Later { not_before: after(16 * Timestamp::HOUR), reason: Reason::ProviderRefused, code: None },
            Effect::Later { not_before: after(Timestamp::SECOND), reason: Reason::RateLimited, code: None },
            Effect::NotYet { not_before: after(Timestamp::HOUR), reason: Reason::DailyLimit, code: None },
            Effect::NotYet { not_before: after(10 * Timestamp::MINUTE), reason: Reason::QuietHours, code: None },
            Effect::Released,
        ];
        let outcomes: Vec<_> = claimed.iter().zip(effects).map(|(message, effect)| outcome(message, effect)).collect();
        write(db, &outcomes).await;
        // Everybody's own time, ten minutes after the launch.
        let own = Rules { local_at: Some("2026-11-23T00:10".to_owned()), ..build::rules() };
        let own = build::run(db, run.sender, own, None).await;
        own.plan_all(db).await;
        let ten = 10 * Timestamp::MINUTE;
        let move_all = "UPDATE messages SET not_before = not_before + $1 WHERE run_id = $2";
        store::exec(db.writer(), move_all, vec![ten.into(), own.run.0.into()]).await.expect("placed");
        // One that the schedule began, and the rehearsal of one that is to begin.
        let scheduled = build::run(db, run.sender, build::rules(), None).await;
        let due = "INSERT INTO due_times (campaign_id, due_at, outcome, run_id, decided_at) \
                   SELECT campaign_id, due_at, 'launched', id, due_at FROM runs WHERE id = $1";
        store::exec(db.writer(), due, vec![scheduled.run.0.into()]).await.expect("decided");
        scheduled.plan_all(db).await;
        let rehearsed = build::run(db, run.sender, build::rules(), None).await;
        rehearsed.plan_all(db).await;
        let of_later = "UPDATE runs SET rehearsal = TRUE, due_at = snapshot_at - 1 WHERE id = $1";
        store::exec(db.writer(), of_later, vec![rehearsed.run.0.into()]).await.expect("rehearsed");

        set_back(db).await;
        let hour = Timestamp::HOUR;
        assert_eq!(
            waits(db, run.run).await,
            [16 * hour - JUMP, Timestamp::SECOND - JUMP, hour - JUMP, ten, -JUMP, -JUMP],
            "the morning is when it is"
        );
        assert_eq!(waits(db, own.run).await, [ten; 6]);
        let due = waits(db, scheduled.run).await;
        assert!(due.iter().all(|due| (0..Timestamp::SECOND).contains(due)), "not before it is due: {due:?}");
        assert_eq!(waits(db, rehearsed.run).await, [0; 6]);
    }
}

#[tokio::test]
async fn breakers_that_a_clock_wrote_which_was_ahead_are_set_back() {
    for test in testkit::databases().await {
        let db = &test.db;
        let (sender, longest) = (build::sender(db).await, 30 * Timestamp::MINUTE);
        let now = START.plus(-JUMP);
        let soon = |micros: i64| now.plus(micros);
        let before = Breaker {
            code: Some(63_007),
            opened_at: Some(soon(-Timestamp::HOUR)),
            by_callback: false,
            probe_at: Some(soon(longest)),
            probe: None,
            tries: 3,
            closed_at: soon(-Timestamp::DAY),
        };
        let ahead = [
            Breaker { opened_at: Some(START), probe_at: Some(soon(longest)), ..before.clone() },
            Breaker { probe_at: Some(START.plus(longest)), ..before.clone() },
            Breaker { probe: Some(MessageId(1)), probe_at: Some(START), ..before.clone() },
            Breaker { code: None, opened_at: None, probe_at: None, closed_at: START, ..before.clone() },
        ];
        for breaker in ahead.iter().chain([&before]) {
            let is_ahead = *breaker != before;
            commit(db, async |tx| store::breaker::save(tx, sender, breaker).await).await;
            let asked = store::breaker::is_ahead(db.reader(), now, longest).await.expect("asked");
            assert_eq!(asked, is_ahead, "{breaker:?}");
            let moved = commit(db, async |tx| store::breaker::set_back(tx, now, longest).await).await;
            assert_eq!(moved, u64::from(is_ahead), "what a sender waits for may be ahead: {breaker:?}");
            let moved = commit(db, async |tx| store::breaker::lock(tx, sender).await).await;
            let late = |at: Option<Timestamp>| at.is_some_and(|at| is_ahead && at > now);
            assert!(!late(moved.opened_at) && !late(moved.probe_at) && !late(Some(moved.closed_at)), "{moved:?}");
            assert_eq!((moved.code, moved.probe, moved.tries), (breaker.code, breaker.probe, breaker.tries));
        }
    }
}

/// Whose, the state and code of what tries, and whether a run goes on.
type OpenBreaker = (SenderId, Option<(State, Option<i32>)>, bool);

#[tokio::test]
async fn open_breakers_are_read_with_what_tries_and_whether_runs_run() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 1).await;
        let other = another_sender(db).await;
        let read = async || -> Vec<OpenBreaker> {
            let open = store::breaker::open(db.reader()).await.expect("breakers");
            open.into_iter().map(|one| (one.sender, one.probe, one.has_running)).collect()
        };
        assert_eq!(read().await, []);
        let tries = claim(db, &run, 1).await.remove(0).id;
        let blocked = |probe: Option<MessageId>| Breaker {
            code: Some(63_007),
            opened_at: Some(START),
            by_callback: false,
            probe_at: Some(START),
            probe,
            tries: 0,
            closed_at: START.plus(-Timestamp::DAY),
        };
        let save = async |sender: SenderId, breaker: Breaker| {
            commit(db, async |tx| store::breaker::save(tx, sender, &breaker).await).await;
        };
        save(run.sender, blocked(Some(tries))).await;
        assert_eq!(read().await, [(run.sender, Some((State::Sending, None)), true)]);
        assert_eq!(store::breaker::open(db.reader()).await.expect("breakers")[0].breaker, blocked(Some(tries)));
        save(run.sender, blocked(None)).await;
        assert_eq!(read().await, [(run.sender, None, true)]);
        let paused = commit(db, async |tx| store::breaker::pause_run(tx, run.run, "blocked").await).await;
        assert!(paused);
        // Of a message that is gone nothing is known.
        save(other, blocked(Some(MessageId(i64::MAX)))).await;
        let both: BTreeSet<_> =
            read().await.into_iter().map(|(sender, probe, runs)| (sender, probe.is_some(), runs)).collect();
        assert_eq!(both, BTreeSet::from([(run.sender, false, false), (other, false, false)]));
    }
}

/// Those of campaigns of seven days would be gone through, every ten minutes.
#[tokio::test]
async fn messages_that_are_made_one_by_one_have_an_index() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 1_000).await;
        let single = store::messages::NewSingle {
            contact_id: ContactId(1),
            sender_id: run.sender,
            kind: Kind::Single,
            state: State::Queued,
            campaign_id: None,
            template: None,
            body: Some("Hi".to_owned()),
            variables: domain::contact::Attributes::new(),
        };
        commit(db, async |tx| store::messages::insert_single(tx, START, &single).await).await;
        store::exec(db.writer(), "ANALYZE", Vec::new()).await.expect("analysed");
        let (explain, column) = match db.kind() {
            store::Kind::Postgres => ("EXPLAIN", "QUERY PLAN"),
            store::Kind::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
        };
        let campaign = Kind::Campaign.number();
        let query = format!(
            "{explain} SELECT m.id FROM messages m JOIN senders s ON s.id = m.sender_id \
             WHERE m.id > 0 AND (m.kind <> {campaign} OR m.occurrence > 0) AND m.state IN (3, 4) ORDER BY m.id LIMIT 100"
        );
        let rows = store::all(db.reader(), query, Vec::new()).await.expect("a plan");
        let plan: Vec<String> = rows.iter().map(|row| row.get(column).expect("a line")).collect();
        assert!(plan.iter().any(|line| line.contains("messages_one_by_one")), "{plan:#?}");
    }
}

/// So many queued messages of a sender outside of runs.
async fn queue_singles(db: &Db, sender: SenderId, kind: Kind, due: Timestamp, count: i64) {
    let (kind, priority, due) = (kind.number(), kind.priority(), due.as_micros());
    let insert = format!(
        "INSERT INTO messages (contact_id, sender_id, kind, priority, state, month, not_before, created_at, updated_at) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         SELECT i, $1, {kind}, {priority}, 0, 202611, {due}, {due}, {due} FROM n"
    );
    commit(db, async |tx| store::exec(tx, insert, vec![sender.0.into()]).await).await;
}

async fn another_sender(db: &Db) -> SenderId {
    let id = SenderId(Uuid::new_v4());
    let insert = "INSERT INTO senders (id, name, channel, address, account_sid, rate_per_second, created_at, updated_at) \
                  VALUES ($1, 'Other', 'whatsapp', '+15005550007', 'AC1', 1, 0, 0)";
    store::exec(db.writer(), insert, vec![id.0.into()]).await.expect("a sender");
    id
}

/// A sender may be held for an afternoon while a program goes on, or people sleep: nobody goes through all that waits.
#[tokio::test]
async fn what_waits_for_a_sender_is_found_by_its_index() {
    for test in testkit::databases().await {
        let db = &test.db;
        let (held, sender) = (build::sender(db).await, another_sender(db).await);
        let soon = START.plus(Timestamp::HOUR);
        for (whose, due, count) in [(held, START, 20_000), (sender, soon, 5_000), (sender, START, 20)] {
            queue_singles(db, whose, Kind::Single, due, count).await;
        }
        store::exec(db.writer(), "ANALYZE", Vec::new()).await.expect("analysed");
        let (explain, column) = match db.kind() {
            store::Kind::Postgres => ("EXPLAIN", "QUERY PLAN"),
            store::Kind::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
        };
        let (id, now, limit) = (sender.0, START.as_micros(), 10_i64);
        // By which of the index's columns SQLite looks, and how often.
        for (query, values, step, times) in [
            (
                store::messages::due_singles(db.kind()),
                vec![id.into(), now.into(), limit.into()],
                "(sender_id=? AND priority=? AND not_before<?)",
                3,
            ),
            (store::messages::next_single(), vec![id.into()], "(sender_id=? AND priority=?)", 3),
            (store::messages::SINGLE_LANES.to_owned(), Vec::new(), "(sender_id=?)", 1),
        ] {
            let rows = store::all(db.writer(), format!("{explain} {query}"), values).await.expect("a plan");
            let plan: Vec<String> = rows.iter().map(|row| row.get(column).expect("a line")).collect();
            let plan = plan.join("\n");
            assert!(plan.matches("messages_singles").count() >= times, "{query}\n{plan}");
            assert!(!plan.contains("Seq Scan on messages") && !plan.contains("messages_due"), "{query}\n{plan}");
            if db.kind() == store::Kind::Sqlite {
                assert_eq!(plan.matches(step).count(), times, "{query}\n{plan}");
                // The few that were found, once: those of one priority come in their order already.
                assert!(plan.matches("TEMP B-TREE").count() <= 1, "{query}\n{plan}");
            }
        }
    }
}

/// By priority, then by when they are due, then by number; what is not due waits, and so does what is another sender's.
#[tokio::test]
async fn singles_are_claimed_in_their_order_whatever_waits_for_another_sender() {
    for test in testkit::databases().await {
        let db = &test.db;
        let (held, sender) = (build::sender(db).await, another_sender(db).await);
        let at = |minute: i64| START.plus(minute * Timestamp::MINUTE);
        queue_singles(db, held, Kind::Confirmation, at(-60), 50).await;
        // As a kind of a later version may be: of a priority that no single message has today.
        queue_singles(db, sender, Kind::Campaign, at(-9), 1).await;
        for (kind, minute) in [
            (Kind::Test, -5),
            (Kind::Single, -1),
            (Kind::Single, 5),
            (Kind::AutoReply, -3),
            (Kind::Confirmation, -2),
            (Kind::Question, 9),
            (Kind::Single, -3),
        ] {
            queue_singles(db, sender, kind, at(minute), 2).await;
        }
        let lane = Lane::Singles { sender };
        let query = "SELECT id FROM messages WHERE run_id IS NULL AND sender_id = $1 AND state = 0 AND not_before <= $2 \
                     ORDER BY priority, not_before, id";
        let rows = store::all(db.reader(), query, vec![sender.0.into(), START.as_micros().into()]).await;
        let wanted: Vec<i64> = rows.expect("a list").iter().map(|row| row.get("id").expect("an id")).collect();
        assert_eq!(wanted.len(), 11);

        let mut claimed = Vec::new();
        for limit in [1_u8, 2, 4, 1, 9] {
            let taken =
                commit(db, async |tx| store::messages::claim(tx, START, lane, lease(), u32::from(limit)).await).await;
            let next: BTreeSet<i64> = wanted.iter().skip(claimed.len()).take(usize::from(limit)).copied().collect();
            let taken: BTreeSet<i64> = taken.iter().map(|message| message.id.0).collect();
            assert_eq!(taken, next, "{:?}", db.kind());
            claimed.extend(taken);
        }
        assert_eq!(claimed.len(), wanted.len(), "all that were due");

        let next = async |sender: SenderId| {
            store::messages::next_due(db.reader(), Lane::Singles { sender }).await.expect("looked")
        };
        assert_eq!((next(sender).await, next(held).await), (Some(at(5)), Some(at(-60))));
        let lanes = async || -> BTreeSet<SenderId> {
            store::messages::single_lanes(db.reader()).await.expect("lanes").into_iter().collect()
        };
        assert_eq!(lanes().await, BTreeSet::from([held, sender]), "also where nothing is due yet");
        let rest = commit(db, async |tx| store::messages::claim(tx, at(9), lane, lease(), 9).await).await;
        assert_eq!((rest.len(), next(sender).await), (4, None));
        assert_eq!(lanes().await, BTreeSet::from([held]));
    }
}

#[tokio::test]
async fn a_worker_that_was_thought_dead_changes_nothing() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 1).await;
        let first = claim(db, &run, 1).await.remove(0);
        write(db, &[outcome(&first, Effect::Released)]).await;
        let lane = lane(&run);
        let other = Lease { owner: 7, ..lease() };
        let second = commit(db, async |tx| store::messages::claim(tx, START, lane, other, 1).await).await.remove(0);
        assert_eq!((second.id, second.attempt), (first.id, first.attempt));
        let failed = Effect::Failed { reason: Reason::ProviderRefused, code: None };
        assert!(write(db, &[outcome(&first, failed)]).await[0].late);
        assert_eq!(checked_ledger(db, run.run).await.sending, 1);
    }
}

#[tokio::test]
async fn opting_out_skips_what_is_queued_in_every_run() {
    for test in testkit::databases().await {
        let db = &test.db;
        let first = running(db, 3).await;
        let second = build::run(db, first.sender, build::rules(), None).await;
        second.plan_all(db).await;
        let claimed = claim(db, &first, 1).await.remove(0);
        let who = [claimed.contact_id, ContactId(3)];
        let skipped =
            commit(db, async |tx| store::messages::skip_queued(tx, START, &who, Reason::OptedOut).await).await;
        assert_eq!(skipped, 3, "two of the second run, one of the first: the claimed one is under way");
        assert_eq!(checked_ledger(db, first.run).await.skipped, 1);
        assert_eq!(checked_ledger(db, second.run).await.skipped, 2);
    }
}

#[tokio::test]
async fn cancelling_ends_the_queue_and_the_run_when_the_rest_is_settled() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 5).await;
        let message = claim(db, &run, 1).await.remove(0);
        let from = [RunStatus::Running];
        commit(db, async |tx| store::runs::set_status(tx, run.run, &from, RunStatus::Cancelled, None).await).await;
        assert_eq!(store::runs::cancelled(db.reader()).await.expect("runs"), [run.run]);
        let cancelled = commit(db, async |tx| store::messages::cancel_queued(tx, START, run.run, 3).await).await;
        assert_eq!(cancelled, 3);
        let cancelled = commit(db, async |tx| store::messages::cancel_queued(tx, START, run.run, 3).await).await;
        assert_eq!(cancelled, 1);
        let close = || commit(db, async |tx| store::runs::close_cancelled(tx, run.run, START).await);
        assert!(!close().await, "one is still being sent");
        write(db, &[outcome(&message, Effect::Accepted { sid: sid(1) })]).await;
        assert!(close().await);
        let ledger = checked_ledger(db, run.run).await;
        assert_eq!((ledger.cancelled, ledger.accepted), (4, 1));
        assert!(store::runs::cancelled(db.reader()).await.expect("runs").is_empty());
    }
}

#[tokio::test]
async fn a_run_is_complete_when_its_ledger_says_so() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 2).await;
        let claimed = claim(db, &run, 2).await;
        let done = || async { store::runs::done(db.reader()).await.expect("runs") };
        assert!(done().await.is_empty());
        write(db, &[outcome(&claimed[0], Effect::Accepted { sid: sid(1) })]).await;
        write(db, &[outcome(&claimed[1], Effect::Unknown(Reason::NoAnswer))]).await;
        assert!(done().await.is_empty(), "an unknown message keeps the run open");
        let complete = || commit(db, async |tx| store::runs::complete(tx, run.run, run.campaign, START).await);
        assert!(!complete().await);
        receive(db, &[receipt(claimed[1].id, "sent", None)]).await;
        assert_eq!(done().await, [(run.run, run.campaign)]);
        assert!(complete().await);
        assert!(!complete().await, "once");
        assert_eq!(store::runs::get(db.reader(), run.run).await.expect("a run").status, RunStatus::Completed);
    }
}

#[tokio::test]
async fn a_campaign_that_is_due_again_goes_on_unless_its_run_was_paused_for_more_than_its_sender() {
    const FAILING: &str = "Too many fail.";
    for test in testkit::databases().await {
        let db = &test.db;
        build::people(db, 1, 1, Consent::OptedIn).await;
        let sender = build::sender(db).await;
        let cases = [
            ("blocked", CampaignStatus::Scheduled, None),
            ("blocked, then by hand", CampaignStatus::Paused, None),
            ("failing", CampaignStatus::Paused, Some(FAILING)),
            ("by hand", CampaignStatus::Paused, None),
        ];
        for (how, status, reason) in cases {
            let run = build::run(db, sender, build::rules(), None).await;
            run.plan_all(db).await;
            let claimed = claim(db, &run, 1).await;
            let paused = commit(db, async |tx| {
                store::schedule::arm(tx, run.campaign, Some(START.plus(Timestamp::MINUTE))).await?;
                let from = [CampaignStatus::Running];
                store::campaigns::set_status(tx, run.campaign, &from, CampaignStatus::Paused, START).await?;
                if how.starts_with("blocked") {
                    let paused = store::breaker::pause_run(tx, run.run, "The account is suspended.").await?;
                    return Ok(paused && (how == "blocked" || store::breaker::keep_paused(tx, run.run).await?));
                }
                store::runs::set_status(tx, run.run, &[RunStatus::Running], RunStatus::Paused, reason).await
            });
            assert!(paused.await, "{how}");
            write(db, &[outcome(&claimed[0], Effect::Accepted { sid: sid(claimed[0].id.0) })]).await;
            assert!(commit(db, async |tx| store::runs::complete(tx, run.run, run.campaign, START).await).await);
            let campaign = store::campaigns::get(db.reader(), run.campaign).await.expect("a campaign");
            assert_eq!((campaign.status, campaign.reason.as_deref()), (status, reason), "{how}, {:?}", db.kind());
            assert_eq!(store::runs::get(db.reader(), run.run).await.expect("a run").reason, None);
        }
    }
}

#[tokio::test]
async fn that_too_many_fail_is_told_once_and_only_of_a_run_that_runs() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 1).await;
        let status = |from: RunStatus, to: RunStatus| {
            commit(db, async move |tx| store::runs::set_status(tx, run.run, &[from], to, None).await)
        };
        let told = || commit(db, async |tx| store::runs::pause_failing(tx, run.run, "Too many fail.").await);
        assert!(status(RunStatus::Running, RunStatus::Paused).await, "by hand");
        assert_eq!(told().await, Told::NotYet);
        assert!(status(RunStatus::Paused, RunStatus::Running).await);
        assert_eq!(told().await, Told::Now);
        let paused = store::runs::get(db.reader(), run.run).await.expect("a run");
        assert_eq!((paused.status, paused.reason.as_deref()), (RunStatus::Paused, Some("Too many fail.")));
        assert_eq!(told().await, Told::Before);
        assert!(status(RunStatus::Paused, RunStatus::Running).await);
        assert_eq!(told().await, Told::Before, "whoever resumed it knows");
        assert_eq!(store::runs::get(db.reader(), run.run).await.expect("a run").status, RunStatus::Running);
    }
}

#[tokio::test]
async fn a_claim_that_was_not_committed_never_was() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 3).await;
        let tx = db.begin().await.expect("a transaction");
        let claimed = store::messages::claim(&tx, START, lane(&run), lease(), 3).await.expect("claimed");
        assert_eq!(claimed.len(), 3);
        // As when the process is killed here: the database forgets it.
        drop(tx);
        assert_eq!(checked_ledger(db, run.run).await.queued, 3);
        let again = claim(db, &run, 3).await;
        assert!(again.len() == 3 && again.iter().all(|message| message.attempt == 1), "{again:?}");
    }
}

/// What every message and every callback goes through goes along an index, also when the statistics are from before.
#[tokio::test]
async fn the_hot_queries_of_postgresql_go_along_their_indexes() {
    for test in testkit::databases().await.into_iter().filter(|test| test.kind() == store::Kind::Postgres) {
        let db = &test.db;
        let run = running(db, 2_000).await;
        let messages = claim(db, &run, 500).await;
        let outcomes: Vec<_> =
            messages.iter().map(|message| outcome(message, Effect::Accepted { sid: sid(message.id.0) })).collect();
        write(db, &outcomes).await;
        store::exec(db.writer(), "ANALYZE", vec![]).await.expect("analysed");
        let own = format!("'{}'", run.run);
        for (query, index) in [
            (
                format!("SELECT id FROM messages WHERE run_id = {own} AND open = 0 AND not_before <= 1 ORDER BY not_before, id LIMIT 256"),
                "messages_due",
            ),
            ("SELECT id FROM messages WHERE open = 1 AND lease_until < 1 ORDER BY lease_until LIMIT 9".to_owned(), "messages_leased"),
            ("SELECT id FROM messages WHERE unknown_at <= 1 ORDER BY unknown_at LIMIT 9".to_owned(), "messages_unknown"),
            (
                "SELECT w.sid, (SELECT m.id FROM messages m WHERE m.provider_sid = w.sid) AS id \
                 FROM unnest(ARRAY['a', 'b']) AS w(sid)"
                    .to_owned(),
                "messages_by_sid",
            ),
            (
                "UPDATE messages SET state = c.state, updated_at = 1 FROM unnest(ARRAY[1::bigint, 2], ARRAY[4::smallint, 4]) \
                 AS c(id, state) WHERE messages.id = c.id"
                    .to_owned(),
                "messages_pkey",
            ),
            ("SELECT * FROM receipts WHERE message_id = 1".to_owned(), "message_id"),
            ("SELECT * FROM transitions WHERE message_id = 1".to_owned(), "message_id"),
            ("SELECT * FROM decisions WHERE message_id = 1".to_owned(), "message_id"),
        ] {
            let plan = store::all(db.reader(), format!("EXPLAIN {query}"), vec![]).await.expect("a plan");
            let plan: Vec<String> = plan.iter().map(|row| row.get("QUERY PLAN").expect("text")).collect();
            let plan = plan.join("\n");
            assert!(plan.contains(index) && !plan.contains("Seq Scan on messages"), "{query}\n{plan}");
        }
    }
}

/// Updates of messages that this connection has not reported yet, and how many of them were short.
async fn updates(tx: &store::Tx) -> (i64, i64) {
    let query = "SELECT pg_stat_get_xact_tuples_updated('messages'::regclass) AS updated, \
                 pg_stat_get_xact_tuples_hot_updated('messages'::regclass) AS short";
    let row = store::one(tx, query, vec![]).await.expect("counts").expect("a row");
    (row.get("updated").expect("a number"), row.get("short").expect("a number"))
}

/// A callback that only raises its message writes no index: PostgreSQL keeps such an update on its page.
#[tokio::test]
async fn callbacks_are_short_updates_on_postgresql() {
    for test in testkit::databases().await.into_iter().filter(|test| test.kind() == store::Kind::Postgres) {
        let db = &test.db;
        let run = running(db, 100).await;
        let messages = claim(db, &run, 100).await;
        let outcomes: Vec<_> =
            messages.iter().map(|message| outcome(message, Effect::Accepted { sid: sid(message.id.0) })).collect();
        write(db, &outcomes).await;
        for status in ["sent", "delivered", "read"] {
            let receipts: Vec<_> = messages.iter().map(|message| receipt(message.id, status, None)).collect();
            let (updated, short) = commit(db, async |tx| {
                let before = updates(tx).await;
                let _ = store::messages::plan_receipts(tx, START, &receipts).await?;
                let after = updates(tx).await;
                Ok((after.0 - before.0, after.1 - before.1))
            })
            .await;
            assert_eq!(updated, 100, "{status}");
            // None would be, if an index went by what is written; how many are depends on the room on their pages.
            assert!(short >= 10, "{status}: {short} of 100 updates were short");
        }
    }
}

#[tokio::test]
async fn orphans_repeats_and_second_sids_are_told() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 1).await;
        let message = claim(db, &run, 1).await.remove(0);
        write(db, &[outcome(&message, Effect::Accepted { sid: sid(message.id.0) })]).await;
        let sent = receipt(message.id, "sent", None);
        let by_sid = ReceiptIn {
            message_id: None,
            status: "delivered".to_owned(),
            state: Some(State::Delivered),
            ..sent.clone()
        };
        let outs = receive(
            db,
            &[
                sent.clone(),
                sent.clone(),
                by_sid,
                ReceiptIn { message_id: Some(MessageId(9_999)), provider_sid: sid(77), ..sent.clone() },
                ReceiptIn { provider_sid: sid(78), ..sent.clone() },
                ReceiptIn { status: "levitating".to_owned(), state: None, ..sent.clone() },
            ],
        )
        .await;
        let outcomes: Vec<_> = outs.iter().map(|out| out.outcome).collect();
        use ReceiptOutcome::{Applied, NoChange, Orphan};
        assert_eq!(outcomes, [Applied, NoChange, Applied, Orphan, NoChange, NoChange]);
        assert!(outs[4].second_sid && !outs[0].second_sid);
        receive(db, &[sent]).await;
        let query = "SELECT CAST(count(*) AS bigint) AS n FROM receipts";
        let rows: i64 =
            store::one(db.reader(), query, vec![]).await.expect("a count").expect("a row").get("n").expect("n");
        assert_eq!(rows, 4, "sent, delivered, sent by another SID, and the unknown word");
        let query = "SELECT count FROM receipt_repeats";
        let repeats: i32 =
            store::one(db.reader(), query, vec![]).await.expect("a row").expect("a row").get("count").expect("count");
        assert_eq!(repeats, 2);
        assert_eq!(checked_ledger(db, run.run).await.delivered, 1);
    }
}

/// A small generator of its own: the same cases on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.roll(last + 1));
        }
    }
}

#[tokio::test]
async fn callbacks_come_to_the_same_in_any_order_with_any_repeats_in_any_batches() {
    const WORDS: [(&str, Option<i32>); 8] = [
        ("queued", None),
        ("sent", None),
        ("delivered", None),
        ("read", None),
        ("undelivered", Some(30_003)),
        ("undelivered", Some(30_005)),
        ("failed", Some(30_008)),
        ("failed", None),
    ];
    for test in testkit::databases().await {
        let db = &test.db;
        build::people(db, 1, 12, Consent::OptedIn).await;
        let sender = build::sender(db).await;
        let mut dice = Dice(2_026);
        for case in 0..12 {
            // What comes for each of the twelve people, the same in both runs.
            let words: Vec<Vec<usize>> =
                (0..12).map(|_| (0..dice.roll(6)).map(|_| dice.roll(WORDS.len())).collect()).collect();
            let mut ends = Vec::new();
            for _ in 0..2 {
                let run = build::run(db, sender, build::rules(), None).await;
                run.plan_all(db).await;
                let claimed = claim(db, &run, 12).await;
                let accepted: Vec<_> = claimed
                    .iter()
                    .filter(|message| message.contact_id.0 % 2 == 0)
                    .map(|message| outcome(message, Effect::Accepted { sid: sid(message.id.0) }))
                    .collect();
                write(db, &accepted).await;
                let mut receipts: Vec<ReceiptIn> = claimed
                    .iter()
                    .zip(&words)
                    .flat_map(|(message, words)| {
                        words.iter().map(|word| receipt(message.id, WORDS[*word].0, WORDS[*word].1))
                    })
                    .collect();
                for _ in 0..dice.roll(8) {
                    if !receipts.is_empty() {
                        receipts.push(receipts[dice.roll(receipts.len())].clone());
                    }
                }
                dice.shuffle(&mut receipts);
                let size = 1 + dice.roll(9);
                for batch in receipts.chunks(size) {
                    receive(db, batch).await;
                }
                let ledger = checked_ledger(db, run.run).await;
                let tallies = store::ledger::tallies(db.reader(), run.run).await.expect("tallies");
                let (rows, _) = store::messages::export_chunk(db.reader(), run.run, (-1, 0), 100).await.expect("rows");
                let states: Vec<_> = rows.into_iter().map(|row| (row.state, row.error_code)).collect();
                ends.push((ledger, tallies, states));
            }
            assert_eq!(ends[0], ends[1], "case {case} on {:?}", test.kind());
        }
    }
}

#[tokio::test]
async fn receipts_and_outcomes_of_the_same_messages_do_not_block_each_other() {
    for test in testkit::databases().await {
        let run = running(&test.db, 200).await;
        let claimed = claim(&test.db, &run, 200).await;
        let outcomes: Vec<_> =
            claimed.iter().rev().map(|message| outcome(message, Effect::Accepted { sid: sid(message.id.0) })).collect();
        let receipts: Vec<_> = claimed.iter().map(|message| receipt(message.id, "sent", None)).collect();
        let mut tasks = Vec::new();
        for part in outcomes.chunks(50) {
            let (db, part) = (test.db.clone(), part.to_vec());
            tasks.push(tokio::spawn(async move {
                write(&db, &part).await;
            }));
        }
        for part in receipts.chunks(70) {
            let (db, part) = (test.db.clone(), part.to_vec());
            tasks.push(tokio::spawn(async move {
                receive(&db, &part).await;
            }));
        }
        for task in tasks {
            task.await.expect("no deadlock");
        }
        assert_eq!(checked_ledger(&test.db, run.run).await.sent, 200);
    }
}

#[tokio::test]
async fn where_the_messages_since_a_time_begin_is_found_along_their_numbers() {
    for test in testkit::databases().await {
        let db = &test.db;
        let count = async |condition: String| -> i64 {
            let query = format!("SELECT CAST(count(*) AS bigint) AS n FROM messages WHERE {condition}");
            let row = store::one(db.reader(), query, vec![]).await.expect("counted").expect("a row");
            row.get("n").expect("a number")
        };
        let minute = |minute: i64| START.plus(minute * Timestamp::MINUTE);
        assert_eq!(store::messages::made_before(db.reader(), START).await.expect("none"), MessageId(0));
        running(db, 25).await;
        let made =
            format!("UPDATE messages SET created_at = {} + id / 2 * {}", minute(0).as_micros(), Timestamp::MINUTE);
        for statement in [made.as_str(), "DELETE FROM messages WHERE id > 7 AND id < 13"] {
            store::exec(db.writer(), statement, vec![]).await.expect("they are so old, and some are missing");
        }
        for at in (-1..15).map(|at| minute(at).as_micros()) {
            let before = store::messages::made_before(db.reader(), Timestamp::from_micros(at)).await.expect("found").0;
            assert_eq!(count(format!("id > {before} AND created_at < {at}")).await, 0, "{before}");
            assert_eq!(count(format!("id <= {before} AND created_at >= {at}")).await, 0, "{before}");
        }
    }
}

/// What the only check of a decision saw, and the number that this is stored under.
fn grounds(saw: &str) -> (i64, Grounds) {
    let checks = BTreeMap::from([(Check::Consent.to_string(), saw.to_owned())]);
    let seen = Seen { checks, zones: Vec::new(), until: None };
    let hash = Sha256::digest(serde_json::to_string(&seen).expect("JSON"));
    (i64::from_be_bytes(hash[..8].try_into().expect("8 bytes")), Grounds::of(&seen).expect("something was seen"))
}

#[tokio::test]
async fn who_is_left_out_and_who_sleeps_are_written_in_one_order() {
    for test in testkit::databases().await {
        let db = &test.db;
        let run = running(db, 2).await.run;
        let mut ids = store::all(db.reader(), "SELECT id FROM messages ORDER BY id", vec![])
            .await
            .expect("messages")
            .into_iter()
            .map(|row| MessageId(row.get("id").expect("an id")));
        let (first, second) = (ids.next().expect("a message"), ids.next().expect("another one"));
        let mut both = [grounds("one thing"), grounds("another thing")];
        both.sort_unstable_by_key(|(number, _)| *number);
        let [low, high] = both;
        let decision = |outcome, reason, grounds: &(i64, Grounds)| DecisionIn {
            at: START,
            outcome,
            reason: Some(reason),
            checks: 0,
            detail: None,
            grounds: Some(grounds.1.clone()),
        };
        // The higher number is of who is left out, the lower one of who sleeps.
        let left_out = decision(Outcome::Skip, Reason::FrequencyCap, &high);
        let left_out = vec![LeftOut { id: first, reason: Reason::FrequencyCap, decision: left_out }];
        let asleep = decision(Outcome::Wait, Reason::QuietHours, &low);
        let asleep = vec![Asleep { id: second, until: START.plus(Timestamp::HOUR), decision: asleep }];
        let set_aside = async |db: &Db| {
            let month = START.month();
            commit(db, async |tx| store::rehearsals::set_aside(tx, run, month, &left_out, &asleep).await).await;
        };
        if db.kind() == store::Kind::Sqlite {
            set_aside(db).await;
        } else {
            // Somebody else writes the same ones, in the order of their numbers, and is half done.
            let other = db.begin().await.expect("a transaction");
            let insert = "INSERT INTO decision_grounds (id, seen) VALUES ($1, '{}')";
            store::exec(&other, insert, vec![low.0.into()]).await.expect("the lower one");
            let meanwhile = async {
                tokio::time::sleep(Duration::from_millis(500)).await;
                store::exec(&other, insert, vec![high.0.into()]).await.expect("nobody waits in a circle");
                other.rollback().await.expect("a rollback");
            };
            tokio::join!(set_aside(db), meanwhile);
        }
        let ledger = ledger(db, run).await;
        assert_eq!((ledger.planned, ledger.queued, ledger.skipped), (2, 1, 1));
        for message in [first, second] {
            let message = store::messages::get(db.reader(), message).await.expect("a message");
            assert!(message.decisions.iter().any(|one| one.reason.is_some()), "{message:?}");
        }
    }
}
