//! Whole runs: planned, claimed, decided, handed over, told about, completed.

mod world;

use std::time::Duration;

use domain::{
    campaign::{CampaignStatus, NewCampaign},
    consent::Consent,
    error_codes,
    ids::{ContactId, RunId, WebhookEventId},
    message::{By, Channel, CheckOutcome, MessageFilter, NewMessage, State},
    process::Wait,
    reason::Reason,
    run::{Run, RunStatus},
    settings::{Sending, SendingState, SettingsPatch},
    time::Timestamp,
    topic::NewTopic,
};
use engine::workers::{self, Role, Workers};
use futures::TryStreamExt as _;
use serde_json::json;
use simulator::{ErrorRule, Fault, NumberRule, When};
use testkit::build::{self, START, commit};
use tokio::time::Instant;
use world::{Setup, World, handed_over, worlds};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_reaches_everybody_once_and_completes() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 300).await;
        let campaign = world.campaign("Hi {{ first_name }}").await;
        let run = world.launch(&campaign).await;
        assert_eq!(run.status, RunStatus::Planning);
        world.start();
        world.until_completed(run.id).await;
        let run = world.until(run.id, "all delivered", |run| run.ledger.delivered == 300).await;
        assert_eq!((run.ledger.planned, run.ledger.delivered), (300, 300));
        assert_eq!(world.accepted_in_all(), 300);
        world.assert_nobody_twice();
        assert_eq!(world.campaign_status(&campaign).await, CampaignStatus::Completed);
        let message = world.until_message(7, State::Delivered).await;
        assert_eq!(message.body.as_deref(), Some("Hi Ana"));
        let states: Vec<_> = message.history.iter().filter(|entry| entry.moved).map(|entry| entry.state).collect();
        assert_eq!(states.first(), Some(&State::Queued));
        assert_eq!(states.last(), Some(&State::Delivered));
        assert_eq!(message.decisions.len(), 2, "at planning and at sending: {:?}", message.decisions);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_that_come_early_twice_and_in_disorder_change_nothing() {
    let mut setup = Setup::default();
    setup.simulator.callbacks.callback_before_answer_percent = 50.0;
    setup.simulator.callbacks.duplicate_percent = 30.0;
    setup.simulator.callbacks.reorder_percent = 30.0;
    setup.simulator.callbacks.read_percent = 50.0;
    for mut world in worlds(setup).await {
        world.people(1, 200).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until_completed(run.id).await;
        let settled = |ledger: &domain::run::Ledger| ledger.delivered + ledger.read == 200;
        world.until(run.id, "all delivered or read", |run| settled(&run.ledger)).await;
        world.assert_nobody_twice();
        // Each callback is told of, also one that came too late to change anything.
        let late = async {
            loop {
                for person in 1..=200 {
                    let history = world.message_to(person).await.history;
                    let mut callbacks = history.iter().filter(|step| step.by == By::Callback);
                    if callbacks.clone().any(|step| !step.moved) && callbacks.any(|step| step.moved) {
                        return;
                    }
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), late).await.expect("one of them came late");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_get_it_is_skipped_with_a_reason() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 5).await;
        build::people(&world.db, 6, 1, Consent::Unknown).await;
        build::people(&world.db, 7, 1, Consent::OptedOut).await;
        build::set_person(&world.db, ContactId(1), "suppressed = TRUE").await;
        build::set_person(&world.db, ContactId(2), "attributes = '{}'").await;
        let long = format!("attributes = '{{\"first_name\": \"{}\"}}'", "Ana".repeat(600));
        build::set_person(&world.db, ContactId(3), &long).await;
        let run = world.launch(&world.campaign("Hi {{ first_name }}").await).await;
        world.start();
        let run = world.until_completed(run.id).await;
        let reasons = run.skipped_by_reason.iter().map(|(reason, count)| (reason.as_str(), *count));
        let expected =
            [("missing_variable", 1), ("no_consent", 1), ("opted_out", 1), ("suppressed", 1), ("too_long", 1)];
        assert_eq!(reasons.collect::<Vec<_>>(), expected);
        assert_eq!((run.ledger.planned, run.ledger.skipped, world.accepted_in_all()), (7, 5, 2));
        let missing = world.until_message(2, State::Skipped).await;
        let failed = missing.decisions[1]
            .checks
            .iter()
            .find(|check| check.result == CheckOutcome::Fail)
            .expect("the failed check");
        assert_eq!(failed.detail.as_deref(), Some("first_name"));
        world.stop().await;
    }
}

/// Puts something before a stored value of a run, so that nobody can read it; or takes it away again.
async fn damage(world: &World, run: RunId, column: &str, damaged: bool) {
    let value = if damaged { format!("'x' || {column}") } else { format!("substr({column}, 2)") };
    let update = format!("UPDATE runs SET {column} = {value} WHERE id = $1");
    assert_eq!(store::exec(world.db.writer(), update, vec![run.0.into()]).await.expect("changed"), 1);
}

async fn hold(world: &World, state: SendingState) {
    let reason = (state == SendingState::Held).then(|| "a test".to_owned());
    let patch = SettingsPatch { sending: Some(Sending { state, reason }), ..SettingsPatch::default() };
    world.engine.settings().update(&world.admin, patch).await.expect("settings");
}

/// What a newer version has written, say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_cannot_be_read_holds_no_other_up() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 5).await;
        let mut runs = Vec::new();
        for body in ["One", "Two", "Three", "Four"] {
            runs.push(world.launch(&world.campaign(body).await).await.id);
        }
        let &[rules, people, strange, good] = &runs[..] else { panic!("{runs:?}") };
        damage(&world, rules, "rules", true).await;
        damage(&world, people, "definition", true).await;
        let shoes = r#"{"combinator":"and","rules":[{"field":"shoe_size","operator":"=","value":1}]}"#;
        let values = vec![shoes.into(), strange.0.into()];
        store::exec(world.db.writer(), "UPDATE runs SET definition = $1 WHERE id = $2", values).await.expect("strange");
        world.start();
        let done = world.until_completed(good).await;
        assert_eq!((handed_over(&done.ledger), world.accepted_in_all()), (5, 5));
        for run in [rules, people, strange] {
            let run = world.run(run).await;
            assert_eq!((run.status, run.ledger.planned), (RunStatus::Planning, 0));
        }
        let waiting = world.engine.processes().waiting(&world.admin).await.expect("what waits");
        let waiting: Vec<_> = waiting.iter().map(|waiting| (waiting.what, waiting.count)).collect();
        assert!(waiting.contains(&(Wait::Unreadable, 3)), "{waiting:?}");

        // Planned, and damaged before it is sent.
        hold(&world, SendingState::Held).await;
        let planned = world.launch(&world.campaign("Five").await).await.id;
        let other = world.launch(&world.campaign("Six").await).await.id;
        for run in [planned, other] {
            world.until(run, "planned", |run| run.status == RunStatus::Running && run.ledger.queued == 5).await;
        }
        damage(&world, planned, "rules", true).await;
        hold(&world, SendingState::On).await;
        let done = world.until_completed(other).await;
        assert_eq!((handed_over(&done.ledger), world.accepted_in_all()), (5, 10));
        assert_eq!(world.run(planned).await.ledger.queued, 5);

        // It waits, and nothing of it is lost.
        for (run, column) in [(rules, "rules"), (people, "definition"), (planned, "rules")] {
            damage(&world, run, column, false).await;
            assert_eq!(handed_over(&world.until_completed(run).await.ledger), 5);
        }
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_template_cannot_be_read_is_paused_and_holds_no_other_up() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 5).await;
        let campaign = world.campaign("One").await;
        let run = world.launch(&campaign).await.id;
        let good = world.launch(&world.campaign("Two").await).await.id;
        let update = "UPDATE template_versions SET variants = 'x' || variants WHERE template_id = $1";
        let template = campaign.template_id.expect("a template");
        assert_eq!(store::exec(world.db.writer(), update, vec![template.0.into()]).await.expect("damaged"), 1);
        world.start();
        assert_eq!(handed_over(&world.until_completed(good).await.ledger), 5);
        let run = world.until(run, "paused", |run| run.status == RunStatus::Paused).await;
        assert!(run.reason.as_deref().is_some_and(|reason| reason.contains("cannot read its variants")), "{run:?}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pausing_stops_and_resuming_goes_on() {
    let setup = Setup { rate_per_second: 60, ..Setup::default() };
    for mut world in worlds(setup).await {
        world.people(1, 120).await;
        let campaign = world.campaign("Hi").await;
        let run = world.launch(&campaign).await;
        world.start();
        world.until(run.id, "under way", |run| handed_over(&run.ledger) >= 10).await;
        let campaigns = world.engine.campaigns();
        campaigns.pause(&world.admin, campaign.id).await.expect("paused");
        assert!(campaigns.pause(&world.admin, campaign.id).await.is_err(), "it is paused already");
        // A pause takes effect within a second: until then a claim may still begin.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let paused = world.until(run.id, "nothing in hand", |run| run.ledger.sending == 0).await;
        assert_eq!(paused.status, RunStatus::Paused);
        tokio::time::sleep(Duration::from_millis(600)).await;
        let still = world.run(run.id).await;
        assert_eq!(still.ledger.queued, paused.ledger.queued, "nothing goes out while it is paused");
        assert!(still.ledger.queued > 0);
        campaigns.resume(&world.admin, campaign.id).await.expect("resumed");
        world.until_completed(run.id).await;
        assert_eq!(world.accepted_in_all(), 120);
        world.assert_nobody_twice();
        assert!(campaigns.launch(&world.admin, campaign.id).await.is_err(), "a second launch is refused");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_ends_it_and_the_ledger_says_how_far_it_came() {
    let setup = Setup { rate_per_second: 40, ..Setup::default() };
    for mut world in worlds(setup).await {
        world.people(1, 200).await;
        let campaign = world.campaign("Hi").await;
        let run = world.launch(&campaign).await;
        world.start();
        world.until(run.id, "under way", |run| handed_over(&run.ledger) >= 5).await;
        world.engine.campaigns().cancel(&world.admin, campaign.id).await.expect("cancelled");
        let run = world.until(run.id, "finished", |run| run.finished_at.is_some()).await;
        assert_eq!((run.status, run.ledger.open()), (RunStatus::Cancelled, 0));
        assert_eq!(
            u64::try_from(run.ledger.planned - run.ledger.cancelled).expect("positive"),
            world.accepted_in_all()
        );
        assert!(run.ledger.cancelled > 100);
        assert!(world.engine.campaigns().resume(&world.admin, campaign.id).await.is_err());
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_senders_rate_is_kept() {
    let setup = Setup { rate_per_second: 50, ..Setup::default() };
    for mut world in worlds(setup).await {
        world.people(1, 100).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until(run.id, "planned", |run| run.status == RunStatus::Running).await;
        let began = Instant::now();
        world.until_completed(run.id).await;
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(1_700), "100 messages at 50 a second in {took:?}");
        assert!(took < Duration::from_secs(6), "{took:?}");
        let stats = world.twilio.simulator.control().stats();
        assert!(stats.creates_per_second_peak <= 57, "50, one burst of a tenth of a second, and some jitter");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_429_costs_time_and_nobody() {
    let mut setup = Setup::default();
    setup.simulator.max_per_second = Some(60);
    for mut world in worlds(setup).await {
        world.people(1, 150).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.ledger.failed), (150, 0));
        assert!(world.twilio.simulator.control().stats().refused.contains_key(&20_429), "it was tested");
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_unknown_until_a_callback_tells() {
    let mut setup = Setup::default();
    setup.simulator.numbers = vec![
        NumberRule { number: "*0001".to_owned(), fault: Some(Fault::LostAnswer), statuses: None },
        NumberRule { number: "*0002".to_owned(), fault: Some(Fault::Error500Accepted), statuses: None },
        NumberRule { number: "*0003".to_owned(), fault: Some(Fault::Error500), statuses: None },
    ];
    for mut world in worlds(setup).await {
        world.people(1, 10).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        for person in [1, 2] {
            let message = world.until_message(person, State::Delivered).await;
            assert!(message.provider_sid.is_some(), "the callback brought the SID");
            assert_eq!(world.accepted(person), 1);
        }
        let run = world.until(run.id, "all but one", |run| run.ledger.delivered == 9).await;
        assert_eq!((run.ledger.unknown, run.status), (1, RunStatus::Running), "it waits for proof");
        let unknown = world.until_message(3, State::Unknown).await;
        assert_eq!((unknown.reason, unknown.attempts), (Some(Reason::NoAnswer), 1));
        assert_eq!(world.accepted(3), 0, "never sent again blindly");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_worker_held_becomes_unknown_and_a_callback_settles_it() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 3).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        // A worker of another process claims one of them and dies: its lease is over.
        let plans = store::runs::to_plan(world.db.reader()).await.expect("plans");
        commit(&world.db, async |tx| {
            let now = world.engine.now();
            store::runs::plan_chunk(tx, &plans[0], now, now, 100).await?;
            store::runs::finish_plan(tx, run.id, now).await
        })
        .await;
        let lane = store::messages::Lane::Run { run: run.id, topic: None };
        let now = world.engine.now();
        let lease = store::messages::Lease { until: now.plus(-1), owner: 1 };
        let held = commit(&world.db, async |tx| store::messages::claim(tx, now, lane, lease, 1).await).await.remove(0);
        world.start();
        let person = held.contact_id.0;
        let unknown = world.until_message(person, State::Unknown).await;
        assert_eq!(unknown.reason, Some(Reason::LeaseExpired));
        let others = world.until(run.id, "the others", |run| run.ledger.delivered == 2).await;
        assert_eq!((others.ledger.unknown, world.accepted(person)), (1, 0));
        // It had been sent after all.
        let receipt = store::messages::ReceiptIn {
            message_id: Some(held.id),
            provider_sid: format!("SM{:032x}", 1),
            status: "sent".to_owned(),
            state: Some(State::Sent),
            error_code: None,
            received_at: now,
        };
        commit(&world.db, async |tx| {
            let receipts = [receipt];
            let planned = store::messages::plan_receipts(tx, now, &receipts).await?;
            store::messages::write_receipts(tx, now, &receipts, &planned, &[WebhookEventId(1)]).await
        })
        .await;
        world.until_completed(run.id).await;
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opt_out_after_the_claim_stops_the_hand_over() {
    let mut setup = Setup { concurrency: 1, ..Setup::default() };
    setup.simulator.latency_ms = 300;
    for mut world in worlds(setup).await {
        world.people(1, 6).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        // All are claimed, one is on the wire: the others wait for the only slot.
        world.until(run.id, "all claimed", |run| run.ledger.sending == 6).await;
        let change = domain::contact::ConsentChange {
            consent: Consent::OptedOut,
            source: Some("test".to_owned()),
            evidence: None,
        };
        let waiting: Vec<i64> = (1..=6).filter(|person| world.accepted(*person) == 0).collect();
        let last = *waiting.last().expect("some wait");
        world.engine.contacts().set_consent(&world.admin, &build::phone(last), change).await.expect("opted out");
        let before = world.accepted(last);
        let run = world.until_completed(run.id).await;
        assert_eq!(world.accepted(last), before, "no hand-over begins after the opt-out is stored");
        assert_eq!((run.ledger.skipped, run.skipped_by_reason["opted_out"]), (1, 1));
        let message = world.until_message(last, State::Skipped).await;
        assert_eq!((message.reason, message.attempts), (Some(Reason::OptedOut), 0), "it was not handed over");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_the_topic_after_the_claim_stops_the_hand_over() {
    let mut setup = Setup { concurrency: 1, ..Setup::default() };
    setup.simulator.latency_ms = 300;
    for mut world in worlds(setup).await {
        world.people(1, 8).await;
        let topic = |key: &str| NewTopic { key: key.to_owned(), name: key.to_owned(), ..NewTopic::default() };
        for key in ["news", "offers"] {
            world.engine.topics().create(&world.admin, topic(key)).await.expect("a topic");
        }
        for person in 1..=8 {
            let came = world.engine.contacts().subscribe(&world.admin, &build::phone(person), "offers").await;
            came.expect("subscribed");
        }
        let draft = NewCampaign { topic: Some("offers".to_owned()), ..world.draft().await };
        let draft = NewCampaign { template_id: Some(world.template("Hi").await), ..draft };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        let run = world.launch(&campaign).await;
        world.start();
        // All are claimed, one is on the wire: the others wait for the only slot.
        world.until(run.id, "all claimed", |run| run.ledger.sending == 8).await;
        let waiting: Vec<i64> = (1..=8).filter(|person| world.accepted(*person) == 0).collect();
        let [.., other, told, wrote] = waiting[..] else { panic!("{waiting:?} wait") };
        world.engine.contacts().unsubscribe(&world.admin, &build::phone(told), "offers").await.expect("unsubscribed");
        for (person, words) in [(wrote, "UNSUBSCRIBE offers"), (other, "UNSUBSCRIBE news")] {
            let inbound = simulator::Inbound {
                from: format!("whatsapp:{}", build::phone(person)),
                body: Some(words.to_owned()),
                ..simulator::Inbound::default()
            };
            world.twilio.simulator.control().inbound(inbound).await.expect("taken");
        }
        let run = world.until_completed(run.id).await;
        assert_eq!((run.ledger.skipped, run.skipped_by_reason["not_subscribed"]), (2, 2));
        for person in [told, wrote] {
            let filter =
                MessageFilter { phone: Some(build::phone(person)), run: Some(run.id), ..MessageFilter::default() };
            let messages = world.messages(filter).await;
            let [message] = &messages[..] else { panic!("{messages:?}") };
            assert_eq!((message.state, message.reason), (State::Skipped, Some(Reason::NotSubscribed)));
            assert_eq!(message.attempts, 0, "it was not handed over");
            let said = world.twilio.simulator.control().conversation(build::phone(person).as_str());
            assert!(said.iter().all(|message| message.body != "Hi"), "{said:?}");
        }
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_by_message_in_the_middle_of_a_run_wins() {
    let setup = Setup { rate_per_second: 30, ..Setup::default() };
    for mut world in worlds(setup).await {
        world.people(1, 60).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until(run.id, "under way", |run| handed_over(&run.ledger) >= 3).await;
        let person = (1..=60).rev().find(|person| world.accepted(*person) == 0).expect("somebody waits");
        let inbound = simulator::Inbound {
            from: format!("whatsapp:{}", build::phone(person)),
            body: Some("STOP".to_owned()),
            ..simulator::Inbound::default()
        };
        world.twilio.simulator.control().inbound(inbound).await.expect("taken");
        let campaign_messages = |world: &World| {
            let phone = build::phone(person);
            let messages = world.twilio.simulator.control().conversation(phone.as_str());
            messages.iter().filter(|message| message.body == "Hi").count()
        };
        let then = campaign_messages(&world);
        let run = world.until_completed(run.id).await;
        assert_eq!(campaign_messages(&world), then);
        assert!(then == 1 || run.skipped_by_reason.get("opted_out") == Some(&1), "{:?}", run.skipped_by_reason);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clear_refusals_fail_by_code_and_opt_outs_at_twilio_count() {
    let mut setup = Setup::default();
    setup.simulator.errors = vec![
        ErrorRule::new("*0001", 21_211, When::Create),
        ErrorRule::new("*0002", 21_610, When::Create),
        ErrorRule::new("*0003", 30_003, When::AfterSent),
    ];
    for mut world in worlds(setup).await {
        world.people(1, 5).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until_completed(run.id).await;
        let run = world.until(run.id, "all told", |run| run.ledger.delivered == 2 && run.ledger.undelivered == 1).await;
        let codes: Vec<_> = run.failures_by_code.iter().map(|(code, count)| (code.as_str(), *count)).collect();
        assert_eq!(codes, [("21211", 1), ("21610", 1), ("30003", 1)]);
        let contact = world.engine.contacts().get(&world.admin, &build::phone(2)).await.expect("a contact");
        assert_eq!((contact.consent, contact.suppressed), (Consent::OptedOut, true));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_account_pauses_the_run_and_costs_nobody() {
    let mut setup = Setup::default();
    setup.simulator.errors = vec![ErrorRule::new("*", 63_007, When::Create)];
    for mut world in worlds(setup).await {
        world.people(1, 40).await;
        let campaign = world.campaign("Hi").await;
        let run = world.launch(&campaign).await;
        world.start();
        let paused =
            world.until(run.id, "paused", |run| run.status == RunStatus::Paused && run.ledger.sending == 0).await;
        assert_eq!((paused.ledger.queued, paused.ledger.failed), (40, 0));
        let reason = paused.reason.expect("a reason");
        assert!(
            reason.contains("63007")
                && reason.contains(error_codes::Codes::default().explain(63_007).meaning.trim_end_matches('.')),
            "{reason}"
        );
        assert_eq!(world.campaign_status(&campaign).await, CampaignStatus::Paused);
        world.simulate(&json!({ "errors": null }));
        world.engine.campaigns().resume(&world.admin, campaign.id).await.expect("resumed");
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.reason), (40, None));
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_account_that_is_reported_later_pauses_the_run_too() {
    let mut setup = Setup { rate_per_second: 20, ..Setup::default() };
    setup.simulator.errors = vec![ErrorRule::new("*", 30_002, When::AfterSent)];
    for mut world in worlds(setup).await {
        world.people(1, 200).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let run = world.until(run.id, "paused", |run| run.status == RunStatus::Paused).await;
        assert!(run.ledger.queued > 100, "{:?}", run.ledger);
        assert!(run.reason.expect("a reason").contains("30002"));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_template_cannot_be_read_is_paused_and_says_so() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 5).await;
        let campaign = world.campaign("Hi").await;
        let run = world.launch(&campaign).await;
        let broken = "UPDATE runs SET template_version = 99 WHERE id = $1";
        store::exec(world.db.writer(), broken, vec![run.id.0.into()]).await.expect("updated");
        world.start();
        let run = world.until(run.id, "paused", |run| run.status == RunStatus::Paused).await;
        assert!(run.reason.expect("a reason").contains("Version 99 of the template"));
        assert_eq!(world.campaign_status(&campaign).await, CampaignStatus::Paused);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_that_is_refused_later_for_many_pauses_the_run_too() {
    let mut setup = Setup { rate_per_second: 100, ..Setup::default() };
    // As WhatsApp does: taken at first, then failed.
    setup.simulator.errors = vec![ErrorRule::new("*", 63_040, When::BeforeSent)];
    for mut world in worlds(setup).await {
        world.people(1, 500).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let run = world.until(run.id, "paused", |run| run.status == RunStatus::Paused).await;
        assert!(run.ledger.queued > 250, "{:?}", run.ledger);
        assert!(run.reason.expect("a reason").contains("text or template"));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_twilio_refuses_for_many_pauses_the_run() {
    let mut setup = Setup { rate_per_second: 200, ..Setup::default() };
    setup.simulator.errors = vec![ErrorRule::new("*", 21_617, When::Create)];
    for mut world in worlds(setup).await {
        world.people(1, 500).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let run = world.until(run.id, "paused", |run| run.status == RunStatus::Paused).await;
        assert!(run.ledger.failed < 200, "{:?}", run.ledger);
        assert!(run.ledger.queued > 250);
        world.stop().await;
    }
}

/// A country that is closed, numbers that are none: whatever it is, somebody should look before all are tried. Who resumes
/// the run has looked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_which_too_many_fail_is_paused_once() {
    let mut setup = Setup { rate_per_second: 200, ..Setup::default() };
    setup.simulator.errors = vec![ErrorRule::new("*", 21_408, When::Create)];
    for mut world in worlds(setup).await {
        world.people(1, 500).await;
        let campaign = world.campaign("Hi").await;
        let run = world.launch(&campaign).await;
        world.start();
        let run = world.until(run.id, "paused", |run| run.status == RunStatus::Paused).await;
        assert!(run.ledger.failed < 200 && run.ledger.queued > 250, "{:?}", run.ledger);
        assert!(run.reason.expect("a reason").contains("a fifth"));
        world.engine.campaigns().resume(&world.admin, campaign.id).await.expect("resumed");
        let run = world.until_completed(run.id).await;
        assert_eq!(run.ledger.failed, 500);
        world.stop().await;
    }
}

/// Another process, which sends.
async fn sending(world: &World) -> Workers {
    let clock = std::sync::Arc::new(engine::clock::SystemClock);
    let other = engine::Engine::open(world.db.clone(), world.config().clone(), clock).await.expect("an engine");
    workers::start(&other, Role::Worker)
}

/// The run knows, not the process; and what callbacks tell is no other news than what answers told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_paused_for_failures_is_paused_for_them_by_no_other_process_and_no_callback() {
    let mut setup = Setup { rate_per_second: 200, ..Setup::default() };
    setup.simulator.errors = vec![ErrorRule::new("*", 21_408, When::Create)];
    for mut world in worlds(setup).await {
        world.people(1, 500).await;
        let campaign = world.campaign("Hi").await;
        let run = world.launch(&campaign).await;
        // Takes callbacks; the others send, one after the other.
        world.start_as(Role::Web);
        let first = sending(&world).await;
        world.until(run.id, "paused", |run| run.status == RunStatus::Paused).await;
        first.stop().await;
        world.engine.campaigns().resume(&world.admin, campaign.id).await.expect("resumed");
        let second = sending(&world).await;
        // More than are tolerated, in the process that was started meanwhile.
        world.until(run.id, "under way again", |run| run.ledger.failed > 250).await;
        world.simulate(&json!({ "errors": [{ "number": "*", "code": 30008, "when": "before_sent" }] }));
        let over = |run: &Run| run.status == RunStatus::Completed && run.ledger.failed == 500;
        let run = world.until(run.id, "over", over).await;
        assert!(run.failures_by_code.get("30008").is_some_and(|count| *count > 41), "{:?}", run.failures_by_code);
        second.stop().await;
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_somebody_paused_while_too_many_failed_is_paused_for_that_once_it_is_resumed() {
    let mut setup = Setup { rate_per_second: 100, ..Setup::default() };
    setup.simulator.errors = vec![ErrorRule::new("*", 30_008, When::BeforeSent)];
    setup.simulator.callbacks.delay_ms = 3_000;
    for mut world in worlds(setup).await {
        world.people(1, 600).await;
        let campaign = world.campaign("Hi").await;
        let run = world.launch(&campaign).await;
        world.start();
        world.until(run.id, "under way", |run| handed_over(&run.ledger) >= 80).await;
        world.engine.campaigns().pause(&world.admin, campaign.id).await.expect("paused by hand");
        let told = |run: &Run| run.ledger.failed >= 80 && handed_over(&run.ledger) + run.ledger.sending == 0;
        let paused = world.until(run.id, "all told", told).await;
        assert_eq!((paused.status, paused.reason), (RunStatus::Paused, None));
        world.simulate(&json!({ "callbacks": { "delay_ms": 5 } }));
        world.engine.campaigns().resume(&world.admin, campaign.id).await.expect("resumed");
        let paused = world.until(run.id, "paused", |run| run.status == RunStatus::Paused).await;
        assert!(paused.reason.is_some_and(|reason| reason.contains("a fifth")));
        assert!(paused.ledger.queued > 100, "{:?}", paused.ledger);
        world.stop().await;
    }
}

fn hello_to(person: i64) -> NewMessage {
    NewMessage {
        phone: build::phone(person),
        template_id: None,
        body: Some("Hello".to_owned()),
        channel: Some(Channel::Whatsapp),
        sender_id: None,
        variables: serde_json::Map::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_not_there_costs_nobody() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 5).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        let nowhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut config = world.config().clone();
        config.provider.api_base = format!("http://{}", nowhere.local_addr().expect("an address"));
        drop(nowhere);
        let clock = std::sync::Arc::new(engine::clock::SystemClock);
        let cut_off = engine::Engine::open(world.db.clone(), config, clock).await.expect("an engine");
        let single = world.engine.messages().create(&world.admin, hello_to(1)).await.expect("taken");
        let workers = workers::start(&cut_off, Role::All);
        let tried = |run: &Run| run.ledger.planned == 5 && run.status == RunStatus::Running;
        world.until(run.id, "planned", tried).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        workers.stop().await;
        let waiting = world.run(run.id).await;
        assert_eq!((waiting.ledger.queued, waiting.ledger.unknown, waiting.ledger.failed), (5, 0, 0));
        // Nothing even begins: what people wrote meanwhile is not known yet.
        let messages = world.messages(MessageFilter::default()).await;
        assert!(messages.iter().any(|message| message.id == single.id), "{messages:?}");
        assert!(messages.iter().all(|message| message.attempts == 0 && message.reason.is_none()), "{messages:?}");
        world.start();
        world.until_completed(run.id).await;
        while world.accepted_in_all() < 6 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_gives_back_what_was_not_sent_and_the_next_start_goes_on() {
    let mut setup = Setup { concurrency: 4, ..Setup::default() };
    setup.simulator.latency_ms = 100;
    for mut world in worlds(setup).await {
        world.people(1, 60).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until(run.id, "under way", |run| handed_over(&run.ledger) >= 8).await;
        let began = Instant::now();
        world.stop().await;
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        let stopped = world.run(run.id).await;
        assert_eq!((stopped.ledger.sending, stopped.ledger.unknown), (0, 0));
        assert!(stopped.ledger.queued > 20);
        let accepted = i64::try_from(world.accepted_in_all()).expect("few");
        assert_eq!(handed_over(&stopped.ledger), accepted, "what was in flight is written");
        world.start();
        world.until_completed(run.id).await;
        assert_eq!(world.accepted_in_all(), 60);
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_run_does_not_wait_for_a_large_one() {
    let setup = Setup { rate_per_second: 100, ..Setup::default() };
    for mut world in worlds(setup).await {
        world.people(1, 400).await;
        let large = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until(large.id, "under way", |run| handed_over(&run.ledger) >= 20).await;
        build::set_person(&world.db, ContactId(1), "consent = 'opted_in'").await;
        let small = world.launch(&world.campaign("Hi again").await).await;
        let small = world.until(small.id, "half of it", |run| handed_over(&run.ledger) >= 50).await;
        let large = world.run(large.id).await;
        assert!(large.ledger.queued > 200, "{:?} while {:?}", large.ledger, small.ledger);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn campaigns_share_a_sender_by_their_weights() {
    let setup = Setup { rate_per_second: 100, ..Setup::default() };
    for mut world in worlds(setup).await {
        world.people(1, 900).await;
        let light = world.campaign("Hi").await;
        let draft =
            NewCampaign { weight: 3, template_id: Some(light.template_id.expect("one")), ..world.draft().await };
        let heavy = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        let (light, heavy) = (world.launch(&light).await, world.launch(&heavy).await);
        world.start();
        let sent = async |run: RunId| handed_over(&world.run(run).await.ledger);
        world.until(light.id, "both are under way", |run| handed_over(&run.ledger) >= 20).await;
        let before = (sent(light.id).await, sent(heavy.id).await);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (light, heavy) = (sent(light.id).await - before.0, sent(heavy.id).await - before.1);
        let ratio = heavy as f64 / light.max(1) as f64;
        assert!((2.4..3.6).contains(&ratio), "{heavy} to {light} on {:?}", world.db.kind());
        world.stop().await;
    }
}

/// One that may send a message a second only keeps no other from the sender's full rate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_campaign_holds_no_other_up() {
    let setup = Setup { rate_per_second: 100, ..Setup::default() };
    for mut world in worlds(setup).await {
        world.people(1, 300).await;
        let fast = world.campaign("Hi").await;
        let template_id = Some(fast.template_id.expect("one"));
        let draft = NewCampaign { rate_per_second: Some(1), template_id, ..world.draft().await };
        let slow = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        let slow = world.launch(&slow).await;
        let fast = world.launch(&fast).await;
        let began = Instant::now();
        world.start();
        world.until(fast.id, "all of it", |run| handed_over(&run.ledger) == 300).await;
        let seconds = began.elapsed().as_secs_f64();
        assert!(seconds < 8.0, "300 messages at 100 a second took {seconds} s on {:?}", world.db.kind());
        let slow = handed_over(&world.run(slow.id).await.ledger);
        assert!((1..=12).contains(&slow), "{slow} at one a second");
        world.stop().await;
    }
}

/// A single message for tomorrow comes before campaigns, but has no use for a slow sender's turns today.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_for_later_takes_nobodys_turn() {
    let setup = Setup { rate_per_second: 2, ..Setup::default() };
    for mut world in worlds(setup).await {
        world.people(1, 9).await;
        world.engine.messages().create(&world.admin, hello_to(9)).await.expect("taken");
        let tomorrow = world.engine.now().plus(24 * 3_600 * 1_000_000).as_micros();
        let later = format!("UPDATE messages SET not_before = {tomorrow}");
        commit(&world.db, async |tx| store::exec(tx, later, vec![]).await).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        let began = Instant::now();
        world.start();
        world.until(run.id, "all of it", |run| handed_over(&run.ledger) == 9).await;
        let seconds = began.elapsed().as_secs_f64();
        assert!(seconds < 9.0, "9 messages at 2 a second took {seconds} s on {:?}", world.db.kind());
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holding_all_sending_works_within_a_second() {
    let setup = Setup { rate_per_second: 50, ..Setup::default() };
    for mut world in worlds(setup).await {
        world.people(1, 300).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until(run.id, "under way", |run| handed_over(&run.ledger) >= 5).await;
        let sending = |state| SettingsPatch {
            sending: Some(Sending { state, reason: Some("test".to_owned()) }),
            ..Default::default()
        };
        let held = sending(SendingState::Held);
        world.engine.settings().update(&world.admin, held).await.expect("held");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let then = world.accepted_in_all();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(world.accepted_in_all(), then);
        assert!(then < 250);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_can_be_exported_and_forecast() {
    for mut world in worlds(Setup { rate_per_second: 20, ..Setup::default() }).await {
        world.people(1, 40).await;
        let campaign = world.campaign("Hi").await;
        let run = world.launch(&campaign).await;
        world.start();
        let run = world.until(run.id, "under way", |run| handed_over(&run.ledger) >= 10).await;
        let finish = run.forecast.finish_at.expect("a forecast");
        assert!(finish > START && finish < world.engine.now().plus(10 * Timestamp::SECOND));
        assert!(run.forecast.rate_now > 5.0 && run.forecast.rate_now < 30.0, "{}", run.forecast.rate_now);
        let run = world.until_completed(run.id).await;
        assert_eq!(run.forecast.finish_at, None);
        let parts: Vec<String> = world
            .engine
            .runs()
            .export_csv(&world.admin, run.id)
            .await
            .expect("a file")
            .try_collect()
            .await
            .expect("parts");
        let file = parts.concat();
        assert_eq!(file.lines().count(), 41);
        assert!(file.starts_with("message_id,phone,name,state"));
        assert!(file.contains(build::phone(17).as_str()));
        world.stop().await;
    }
}
