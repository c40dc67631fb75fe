//! Messages of unknown outcome: Twilio is asked, what is there is adopted, what is proven absent follows the campaign's
//! rule, and nobody gets anything twice.

mod world;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{
    campaign::{NewCampaign, OnUnknown},
    consent::Consent,
    event::{WebhookEvent, WebhookFilter, WebhookKind, WebhookOutcome},
    ids::{RunId, SenderId},
    message::{By, Channel, NewMessage, State},
    page::PageRequest,
    quiet::FrequencyCap,
    reason::Reason,
    run::RunStatus,
    sender::NewSender,
    settings::SettingsPatch,
    time::Timestamp,
    topic::NewTopic,
};
use engine::workers::Role;
use serde_json::json;
use simulator::{ErrorRule, Fault, Inbound, NumberRule, When};
use store::messages::{Claimed, Effect, KnownGrounds, Lane, Lease, OutcomeIn};
use testkit::build::{self, commit};
use world::{Moved, Setup, World, handed_over, worlds};

/// No callbacks: only Twilio's list can tell.
fn silent(faults: &[(&str, Fault)]) -> Setup {
    let (timeout, grace) = (Duration::from_secs(1), Duration::from_millis(700));
    let mut setup = Setup { timeout, grace, ..Setup::default() };
    setup.simulator.callbacks.enabled = false;
    setup.simulator.numbers = faults
        .iter()
        .map(|(number, fault)| NumberRule { number: (*number).to_owned(), fault: Some(*fault), statuses: None })
        .collect();
    setup
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_twilio_has_is_adopted_and_what_it_has_not_is_sent_once_more() {
    let faults = [("*0001", Fault::LostAnswer), ("*0002", Fault::Error500Accepted), ("*0003", Fault::Error500)];
    for mut world in worlds(silent(&faults)).await {
        world.people(1, 10).await;
        let run = world.launch(&world.campaign("Hi {{ name|default('there') }}").await).await;
        world.start();
        world.until_message(3, State::Unknown).await;
        world.simulate(&json!({ "numbers": [] }));
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.ledger.failed), (10, 0), "{:?}", run.ledger);
        world.assert_nobody_twice();
        for person in 1..=10 {
            assert_eq!(world.accepted(person), 1, "person {person}");
        }
        let adopted = world.message_to(1).await;
        assert!(adopted.provider_sid.is_some());
        assert!(adopted.history.iter().any(|step| step.by == By::Reconcile), "{:?}", adopted.history);
        let again = world.message_to(3).await;
        assert_eq!(again.attempts, 2);
        let looks = again.history.iter().filter(|step| step.by == By::Reconcile).count();
        assert_eq!(looks, 2, "absent once, absent twice: {:?}", again.history);
        world.stop().await;
    }
}

/// The connection broke at once, and Twilio makes the message all the same: in the time that the request was given.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_twilio_takes_while_its_request_might_still_be_under_way_is_not_sent_again() {
    // The grace alone is over twice before the message is there.
    let timeout = Duration::from_secs(4);
    let mut setup = Setup { timeout, ..silent(&[("*0001", Fault::AcceptedLate)]) };
    setup.simulator.accepted_late_ms = 3_000;
    for mut world in worlds(setup).await {
        world.people(1, 3).await;
        let run = world.launch(&world.campaign("Hi {{ name|default('there') }}").await).await;
        world.start();
        world.until_message(1, State::Unknown).await;
        world.simulate(&json!({ "numbers": [] }));
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.ledger.failed), (3, 0), "{:?}", run.ledger);
        let adopted = world.message_to(1).await;
        assert_eq!((adopted.attempts, world.accepted(1), world.accepted_in_all()), (1, 1, 3));
        assert!(adopted.history.iter().any(|step| step.by == By::Reconcile), "{:?}", adopted.history);
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_may_rather_give_up() {
    for mut world in worlds(silent(&[("*0002", Fault::Error500)])).await {
        world.people(1, 3).await;
        let template_id = Some(world.template("Hi").await);
        let draft = NewCampaign { on_unknown: OnUnknown::GiveUp, template_id, ..world.draft().await };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        let run = world.launch(&campaign).await;
        world.start();
        let given_up = world.until_message(2, State::Failed).await;
        assert_eq!((given_up.reason, given_up.attempts), (Some(Reason::OutcomeUnknown), 1));
        let run = world.until_completed(run.id).await;
        assert_eq!((run.ledger.failed, handed_over(&run.ledger), world.accepted(2)), (1, 2, 0));
        // It may have come: it counts for the limits as what was handed over does.
        let cap = FrequencyCap { messages: 1, days: 7, topic: None };
        let patch = SettingsPatch { frequency_caps: Some(vec![cap]), ..SettingsPatch::default() };
        world.engine.settings().update(&world.admin, patch).await.expect("settings");
        world.simulate(&json!({ "numbers": [] }));
        let next = world.launch(&world.campaign("Hi again").await).await;
        let next = world.until_completed(next.id).await;
        assert_eq!((next.skipped_by_reason.get("frequency_cap"), world.accepted(2)), (Some(&3), 0));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_worker_never_sent_is_sent_by_another() {
    for mut world in worlds(silent(&[])).await {
        world.people(1, 3).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.plan(run.id).await;
        let lane = Lane::Run { run: run.id, topic: None };
        let now = world.engine.now();
        let lease = Lease { until: now.plus(-1), owner: 1 };
        let held = commit(&world.db, async |tx| store::messages::claim(tx, now, lane, lease, 3).await).await;
        assert_eq!(held.len(), 3, "it took them all and died");
        world.start();
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), world.accepted_in_all()), (3, 3));
        world.assert_nobody_twice();
        world.stop().await;
    }
}

/// A worker of another process takes so many of the run's messages. It does not live to the end of its lease.
async fn taken(world: &World, run: RunId, limit: u32) -> Vec<Claimed> {
    world.plan(run).await;
    taken_from(world, Lane::Run { run, topic: None }, limit, Timestamp::SECOND).await
}

/// A worker of another process takes so many messages, for so long.
async fn taken_from(world: &World, lane: Lane, limit: u32, lasts: i64) -> Vec<Claimed> {
    let now = world.engine.now();
    let lease = Lease { until: now.plus(lasts), owner: OWNER };
    commit(&world.db, async |tx| store::messages::claim(tx, now, lane, lease, limit).await).await
}

/// That worker.
const OWNER: i64 = 1;

/// A request to Twilio, past the engine; nothing when there is no answer.
async fn post(world: &World, form: &[(&str, String)]) -> Option<reqwest::Response> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().expect("a client");
    let (base, account) = (world.twilio.simulator.base_url(), simulator::ACCOUNT_SID);
    let request = client.post(format!("{base}/2010-04-01/Accounts/{account}/Messages.json"));
    request.basic_auth(account, Some(simulator::AUTH_TOKEN)).form(form).send().await.ok()
}

/// To whom, from whom, and what.
fn form(world: &World, person: i64, body: &str) -> Vec<(&'static str, String)> {
    vec![
        ("To", format!("whatsapp:{}", build::phone(person))),
        ("From", world.config().first_sender.address.clone()),
        ("Body", body.to_owned()),
    ]
}

/// What the worker did last: it handed the message over, and wrote nothing of it down.
async fn posted(world: &World, taken: &Claimed, body: &str) -> Option<reqwest::Response> {
    let (url, id, attempt) = (&world.twilio.public_url, taken.id, taken.attempt);
    let mut form = form(world, taken.contact_id.0, body);
    form.push(("StatusCallback", format!("{url}/webhooks/twilio/status?m={id}&a={attempt}#rc=3&rp=ct,rt,5xx")));
    post(world, &form).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_worker_posted_is_adopted_by_its_callback() {
    let mut setup = Setup::default();
    setup.simulator.numbers =
        vec![NumberRule { number: "*".to_owned(), fault: Some(Fault::LostAnswer), statuses: None }];
    // The lease is over before.
    setup.simulator.callbacks.delay_ms = 5_000;
    for mut world in worlds(setup).await {
        world.people(1, 3).await;
        let run = world.launch(&world.campaign("Hi {{ first_name }}").await).await;
        let dead = taken(&world, run.id, 1).await.remove(0);
        assert!(posted(&world, &dead, "Hi Ana").await.is_none(), "nobody read an answer");
        world.simulate(&json!({ "numbers": [] }));
        world.start();
        let unknown = world.until_message(dead.contact_id.0, State::Unknown).await;
        assert_eq!(unknown.reason, Some(Reason::LeaseExpired));
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.ledger.failed), (3, 0), "{:?}", run.ledger);
        let adopted = world.message_to(dead.contact_id.0).await;
        assert!(adopted.provider_sid.is_some(), "the callback brought the SID");
        assert!(adopted.history.iter().all(|step| step.by != By::Reconcile), "{:?}", adopted.history);
        for person in 1..=3 {
            assert_eq!(world.accepted(person), 1, "person {person}");
        }
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_worker_posted_is_found_in_twilios_list() {
    for mut world in worlds(silent(&[("*", Fault::LostAnswer)])).await {
        world.people(1, 3).await;
        let run = world.launch(&world.campaign("Hi {{ first_name }}").await).await;
        let dead = taken(&world, run.id, 1).await.remove(0);
        assert!(posted(&world, &dead, "Hi Ana").await.is_none(), "nobody read an answer");
        world.simulate(&json!({ "numbers": [] }));
        world.start();
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.ledger.failed), (3, 0), "{:?}", run.ledger);
        let adopted = world.message_to(dead.contact_id.0).await;
        assert!(adopted.provider_sid.is_some());
        assert!(adopted.history.iter().any(|step| step.by == By::Reconcile), "{:?}", adopted.history);
        for person in 1..=3 {
            assert_eq!(world.accepted(person), 1, "person {person}");
        }
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_died_with_its_worker_is_found_by_the_text_filled_anew() {
    for mut world in worlds(silent(&[])).await {
        world.people(1, 3).await;
        let run = world.launch(&world.campaign("Hi {{ first_name }}").await).await;
        let dead = taken(&world, run.id, 1).await.remove(0);
        let person = dead.contact_id.0;
        let answer = posted(&world, &dead, "Hi Ana").await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 201);
        let answer: serde_json::Value = answer.json().await.expect("JSON");
        // Another program uses the number, too: it is not the only message to this person.
        let other = post(&world, &form(&world, person, "Your parcel is here")).await.expect("an answer");
        assert_eq!(other.status().as_u16(), 201);
        world.start();
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.ledger.failed), (3, 0), "{:?}", run.ledger);
        assert_eq!(world.message_to(person).await.provider_sid.as_deref(), answer["sid"].as_str());
        for person in 1..=3 {
            let said = world.twilio.simulator.control().conversation(build::phone(person).as_str());
            let ours = said.iter().filter(|message| message.body == "Hi Ana").count();
            assert_eq!(ours, 1, "person {person}: {said:?}");
        }
        world.stop().await;
    }
}

/// A one-time password, say: it is the only message that the person got from this number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_program_sent_is_not_taken_for_what_a_dead_worker_held() {
    let clock = Arc::new(Moved::default());
    for mut world in worlds(Setup { clock: clock.clone(), ..silent(&[]) }).await {
        world.people(1, 2).await;
        let run = world.launch(&world.campaign("Hi {{ first_name }}").await).await;
        let person = taken(&world, run.id, 1).await.remove(0).contact_id.0;
        let other = post(&world, &form(&world, person, "Your code is 123456")).await.expect("an answer");
        assert_eq!(other.status().as_u16(), 201);
        world.start();
        world.until_message(person, State::Unknown).await;
        // Nobody can tell: it is neither sent again nor shown as sent.
        clock.by(25 * Timestamp::HOUR);
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.ledger.failed), (1, 1), "{:?}", run.ledger);
        let lost = world.message_to(person).await;
        assert_eq!((lost.reason, lost.provider_sid), (Some(Reason::OutcomeUnknown), None));
        assert_eq!((world.accepted(person), world.accepted_in_all()), (1, 2));
        world.stop().await;
        clock.by(-25 * Timestamp::HOUR);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_message_that_died_with_its_worker_is_found_by_its_template_filled_anew() {
    for mut world in worlds(silent(&[])).await {
        world.people(1, 1).await;
        let single = NewMessage {
            phone: build::phone(1),
            template_id: Some(world.template("Hi {{ first_name }}").await),
            body: None,
            channel: None,
            sender_id: None,
            variables: serde_json::Map::new(),
        };
        world.engine.messages().create(&world.admin, single).await.expect("taken");
        let sender = world.engine.senders().list(&world.admin).await.expect("senders").remove(0).id;
        let dead = taken_from(&world, Lane::Singles { sender }, 1, Timestamp::SECOND).await.remove(0);
        let answer = posted(&world, &dead, "Hi Ana").await.expect("an answer");
        let answer: serde_json::Value = answer.json().await.expect("JSON");
        post(&world, &form(&world, 1, "Your code is 123456")).await.expect("an answer");
        world.start();
        let adopted = world.until_message(1, State::Delivered).await;
        assert_eq!(adopted.provider_sid.as_deref(), answer["sid"].as_str());
        assert_eq!(world.accepted_in_all(), 2);
        world.stop().await;
    }
}

/// Two campaigns say the same to one person: one worker died before its request, the other one's answer is not written yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_be_another_message_whose_answer_is_not_written_yet_is_left_to_it() {
    for mut world in worlds(silent(&[])).await {
        world.people(1, 1).await;
        let first = world.launch(&world.campaign("Hi").await).await;
        assert_eq!(taken(&world, first.id, 1).await.len(), 1, "it died");
        let second = world.launch(&world.campaign("Hi").await).await;
        world.plan(second.id).await;
        let lane = Lane::Run { run: second.id, topic: None };
        let live = taken_from(&world, lane, 1, Timestamp::MINUTE).await.remove(0);
        let answer = posted(&world, &live, "Hi").await.expect("an answer");
        let answer: serde_json::Value = answer.json().await.expect("JSON");
        let sid = answer["sid"].as_str().expect("a SID").to_owned();
        world.start();
        world.until(first.id, "unknown", |run| run.ledger.unknown == 1).await;
        // Time to look twice.
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(world.run(first.id).await.ledger.unknown, 1, "it may be the other one");
        let written = OutcomeIn {
            id: live.id,
            attempt: live.attempt,
            lease_owner: OWNER,
            effect: Effect::Accepted { sid },
            decision: None,
            text: None,
        };
        let (now, known) = (world.engine.now(), KnownGrounds::default());
        commit(&world.db, async |tx| store::messages::write_outcomes(tx, now, &[written], &known).await).await;
        // It is that one's, so this one was never sent.
        for run in [first.id, second.id] {
            let run = world.until_completed(run).await;
            assert_eq!((handed_over(&run.ledger), run.ledger.failed), (1, 0), "{:?}", run.ledger);
        }
        assert_eq!(world.accepted(1), 2);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_that_died_with_its_worker_is_no_loss_and_is_heard_again_where_it_stays() {
    let mut setup = silent(&[]);
    setup.simulator.errors = vec![
        ErrorRule::new("*0001", 20_429, When::Create),
        ErrorRule::new("*0002", 21_211, When::Create),
        ErrorRule::new("*0003", 21_408, When::Create),
    ];
    for mut world in worlds(setup).await {
        world.people(1, 3).await;
        let run = world.launch(&world.campaign("Hi {{ first_name }}").await).await;
        for dead in taken(&world, run.id, 3).await {
            let status = posted(&world, &dead, "Hi Ana").await.expect("an answer").status().as_u16();
            assert!((400..500).contains(&status), "{status}");
            assert_eq!(status == 429, dead.contact_id.0 == 1, "{status}");
        }
        assert_eq!(world.accepted_in_all(), 0);
        world.simulate(&json!({ "errors": [{ "number": "*0002", "code": 21_211 }] }));
        world.start();
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.ledger.failed), (2, 1), "{:?}", run.ledger);
        for person in [1, 3] {
            let again = world.message_to(person).await;
            let looks = again.history.iter().filter(|step| step.by == By::Reconcile).count();
            assert_eq!((again.attempts, looks), (2, 2), "absent once, absent twice: {:?}", again.history);
            assert_eq!(world.accepted(person), 1, "person {person}");
        }
        let refused = world.message_to(2).await;
        assert_eq!((refused.state, refused.error_code), (State::Failed, Some(21_211)));
        assert_eq!((world.accepted(2), world.accepted_in_all()), (0, 2));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_twilio_does_not_answer_nothing_is_concluded_until_a_day_is_over() {
    let clock = Arc::new(Moved::default());
    for mut world in worlds(Setup { clock: clock.clone(), ..silent(&[("*", Fault::Error500)]) }).await {
        world.people(1, 4).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until(run.id, "unknown", |run| run.ledger.unknown == 4).await;
        // Every request is refused from now on, lists too.
        world.simulate(&json!({ "auth_token": "another" }));
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        let waiting = world.run(run.id).await;
        assert_eq!((waiting.ledger.unknown, waiting.status), (4, RunStatus::Running));
        // It stays so: what nobody can tell is given up, and the run ends.
        clock.by(25 * Timestamp::HOUR);
        let run = world.until_completed(run.id).await;
        assert_eq!((run.ledger.failed, handed_over(&run.ledger)), (4, 0));
        assert_eq!(world.message_to(1).await.reason, Some(Reason::OutcomeUnknown));
        world.stop().await;
        clock.by(-25 * Timestamp::HOUR);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_twilio_took_while_our_clock_was_ahead_is_not_sent_again() {
    let clock = Arc::new(Moved::default());
    // Twilio's clock is right: to ours it seems to have taken everything hours before.
    clock.by(3 * Timestamp::HOUR);
    let setup = Setup { clock: clock.clone(), ..silent(&[("*0001", Fault::LostAnswer), ("*0002", Fault::Error500)]) };
    for mut world in worlds(setup).await {
        world.people(1, 3).await;
        let run = world.launch(&world.campaign("Hi {{ name|default('there') }}").await).await;
        world.start();
        world.until(run.id, "unknown", |run| run.ledger.unknown == 2).await;
        world.simulate(&json!({ "numbers": [] }));
        // Who was never sent to is, after two looks; who was is found there, by Twilio's dates told by our clock.
        world.until_message(2, State::Accepted).await;
        world.until_message(1, State::Delivered).await;
        let run = world.until_completed(run.id).await;
        assert_eq!((run.ledger.failed, handed_over(&run.ledger)), (0, 3), "{:?}", run.ledger);
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_the_clock_was_set_back_does_not_wait_for_the_clock() {
    let clock = Arc::new(Moved::default());
    let setup =
        Setup { clock: clock.clone(), lease: Duration::from_secs(4), ..silent(&[("*0001", Fault::LostAnswer)]) };
    for mut world in worlds(setup).await {
        clock.by(5 * Timestamp::HOUR);
        world.people(1, 3).await;
        let run = world.launch(&world.campaign("Hi {{ name|default('there') }}").await).await;
        world.plan(run.id).await;
        let lane = Lane::Run { run: run.id, topic: None };
        let claim = async |limit: u32, lasts: i64| {
            let now = world.engine.now();
            let lease = Lease { until: now.plus(lasts), owner: 1 };
            commit(&world.db, async |tx| store::messages::claim(tx, now, lane, lease, limit).await).await
        };
        // One worker died long before the other one.
        assert_eq!(claim(1, -1).await.len(), 1);
        let now = world.engine.now();
        let expired = commit(&world.db, async |tx| store::messages::expire_leases(tx, now, 10).await).await;
        assert_eq!((expired, claim(2, 4 * Timestamp::SECOND).await.len()), (1, 2));
        clock.by(-5 * Timestamp::HOUR);
        world.start();
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), world.accepted_in_all()), (3, 3), "{:?}", run.ledger);
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opt_out_at_twilio_counts_also_when_it_is_found_in_its_list() {
    let mut setup = silent(&[("*0001", Fault::LostAnswer)]);
    setup.simulator.errors = vec![ErrorRule::new("*0001", 21_610, When::AfterSent)];
    for mut world in worlds(setup).await {
        world.people(1, 2).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let run = world.until_completed(run.id).await;
        assert_eq!((run.ledger.accepted, run.ledger.undelivered), (1, 1), "{:?}", run.ledger);
        let person = world.engine.contacts().get(&world.admin, &build::phone(1)).await.expect("a contact");
        assert_eq!((person.consent, person.suppressed), (Consent::OptedOut, true));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_final_status_that_never_came_is_asked_for() {
    let setup = Setup { quiet: Duration::from_millis(600), ..silent(&[]) };
    for mut world in worlds(setup).await {
        world.people(1, 30).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let run = world.until(run.id, "delivered", |run| run.ledger.delivered == 30).await;
        assert_eq!(run.status, RunStatus::Completed);
        let message = world.message_to(7).await;
        let told = message.history.iter().find(|step| step.state == State::Delivered).expect("its history says so");
        assert_eq!(told.by, By::Reconcile);
        world.assert_nobody_twice();
        world.stop().await;
    }
}

/// As if everything that is there had been made so long ago.
async fn made_long_ago(world: &World, ago: i64, run: &str) {
    let at = world.engine.now().plus(-ago).as_micros();
    for update in [
        format!("UPDATE messages SET created_at = {at}"),
        format!("UPDATE runs SET created_at = {at}, started_at = {at}{run}"),
    ] {
        store::exec(world.db.writer(), update, vec![]).await.expect("it was");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_final_status_is_asked_for_however_long_ago_the_message_was_planned() {
    let setup = Setup { quiet: Duration::from_millis(600), ..silent(&[]) };
    for mut world in worlds(setup).await {
        world.people(1, 12).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.plan(run.id).await;
        // A run that goes on for weeks, or was rehearsed weeks before.
        made_long_ago(&world, 30 * Timestamp::DAY, "").await;
        world.start();
        world.until(run.id, "delivered", |run| run.ledger.delivered == 12).await;
        let told = world.message_to(7).await.history.into_iter().find(|step| step.state == State::Delivered);
        assert_eq!(told.expect("its history says so").by, By::Reconcile);
        world.stop().await;
    }
}

/// From Friday evening to Tuesday nobody was there to hear callbacks, nor to ask.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_final_status_is_asked_for_after_days_without_anybody() {
    let clock = Arc::new(Moved::default());
    let setup = Setup { quiet: Duration::from_secs(3_600), clock: clock.clone(), ..silent(&[]) };
    for mut world in worlds(setup).await {
        world.people(1, 6).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until(run.id, "accepted", |run| run.ledger.accepted + run.ledger.sent == 6).await;
        world.stop().await;
        clock.by(5 * Timestamp::DAY);
        world.start();
        world.until(run.id, "delivered", |run| run.ledger.delivered == 6).await;
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_final_status_of_single_messages_and_of_those_that_events_make_is_asked_for() {
    let setup = Setup { quiet: Duration::from_millis(600), ..silent(&[]) };
    for mut world in worlds(setup).await {
        world.people(1, 4).await;
        let single = NewMessage {
            phone: build::phone(4),
            template_id: None,
            body: Some("Hello".to_owned()),
            channel: Some(Channel::Whatsapp),
            sender_id: None,
            variables: serde_json::Map::new(),
        };
        let run = world.launch(&world.campaign("Hi").await).await;
        world.plan(run.id).await;
        // The one run of a campaign that answers events stays open; its messages are new.
        made_long_ago(&world, Timestamp::DAY, ", event_name = 'price_drop'").await;
        store::exec(world.db.writer(), "UPDATE messages SET occurrence = 1", vec![]).await.expect("events made them");
        let single = world.engine.messages().create(&world.admin, single).await.expect("taken");
        world.start();
        world.until(run.id, "delivered", |run| run.ledger.delivered == 4).await;
        let delivered = async {
            loop {
                let message = world.engine.messages().get(&world.admin, single.id).await.expect("there");
                if message.state == State::Delivered {
                    return message;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let single = tokio::time::timeout(Duration::from_secs(20), delivered).await.expect("its status is asked for");
        let told = single.history.iter().find(|step| step.state == State::Delivered).expect("its history says so");
        assert_eq!(told.by, By::Reconcile);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_wrote_while_twilio_gave_no_list_is_read_when_it_does() {
    let clock = Arc::new(Moved::default());
    let setup = Setup { clock: clock.clone(), ..Setup::default() };
    for mut world in worlds(setup).await {
        world.people(1, 2).await;
        world.start();
        let run = world.launch(&world.campaign("Hi").await).await;
        world.until_completed(run.id).await;
        // Nobody hears the STOP, and the list is refused from then on.
        world.simulate(&json!({ "inbound_url": "http://127.0.0.1:9/" }));
        let stop = Inbound {
            from: format!("whatsapp:{}", build::phone(1)),
            body: Some("STOP".to_owned()),
            ..Inbound::default()
        };
        let answer = world.twilio.simulator.control().inbound(stop).await.expect("it is sent");
        assert_eq!(answer.status, None);
        world.simulate(&json!({ "auth_token": "another" }));
        // More than the overlap later: only where the list was read last says how far back it is to be read.
        let read_until = watermark(&world).await;
        clock.by(2 * Timestamp::HOUR);
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(watermark(&world).await, read_until);
        let consent = async || {
            let person = world.engine.contacts().get(&world.admin, &build::phone(1)).await;
            person.expect("a contact").consent
        };
        assert_eq!(consent().await, Consent::OptedIn);
        world.simulate(&json!({ "auth_token": simulator::AUTH_TOKEN }));
        clock.by(6 * Timestamp::MINUTE);
        let heard = async {
            while consent().await != Consent::OptedOut {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), heard).await.expect("the STOP is read");
        world.stop().await;
        clock.by(-2 * Timestamp::HOUR - 6 * Timestamp::MINUTE);
    }
}

/// Another number of the same account.
const OTHER: &str = "+15005550007";

async fn other_sender(world: &World) {
    let new = NewSender {
        name: "Other".to_owned(),
        channel: Channel::Whatsapp,
        address: OTHER.to_owned(),
        rate_per_second: None,
        enabled: true,
        default: false,
        account_sid: None,
    };
    world.engine.senders().create(&world.admin, new).await.expect("a sender");
}

/// Somebody writes while nobody is there to take it.
async fn writes(world: &World, person: i64, to: &str, body: &str) {
    wrote(world, person, to, body, 0).await;
}

/// The same, so many seconds ago.
async fn wrote(world: &World, person: i64, to: &str, body: &str, age_s: u32) {
    let inbound = Inbound {
        from: format!("whatsapp:{}", build::phone(person)),
        to: Some(format!("whatsapp:{to}")),
        body: Some(body.to_owned()),
        age_s: Some(age_s),
        ..Inbound::default()
    };
    let answer = world.twilio.simulator.control().inbound(inbound).await.expect("it is sent");
    assert_eq!(answer.status, None);
}

async fn consent(world: &World, person: i64) -> (Consent, bool) {
    let person = world.engine.contacts().get(&world.admin, &build::phone(person)).await.expect("a contact");
    (person.consent, person.suppressed)
}

/// Waits until so many messages of people are stored.
async fn until_fetched(world: &World, count: i64) {
    let fetched = async {
        let query = "SELECT CAST(count(*) AS bigint) AS n FROM inbound_messages";
        loop {
            let row = store::one(world.db.reader(), query, vec![]).await.expect("the database").expect("a row");
            if row.get::<i64>("n").expect("a number") == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), fetched).await.expect("the lists are read");
}

/// Until when the list of the only sender is read.
/// The sender that people write to here; the other one is for SMS.
async fn whatsapp(world: &World) -> SenderId {
    store::senders::list(world.db.reader()).await.expect("the senders").remove(0).sender.id
}

async fn watermark(world: &World) -> Option<Timestamp> {
    let sender = whatsapp(world).await;
    store::inbound::watermarks(world.db.reader()).await.expect("the database").remove(&sender)
}

async fn until_read(world: &World) -> Timestamp {
    let read = async {
        loop {
            match watermark(world).await {
                Some(until) => return until,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("the list is read")
}

async fn until_stopped(world: &World, person: i64) {
    let stopped = async {
        while consent(world, person).await != (Consent::OptedOut, true) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), stopped).await.expect("the STOP counts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_counts_that_came_after_a_clock_that_was_ahead_was_set_back() {
    let ours = simulator::WHATSAPP_SENDER.trim_start_matches("whatsapp:");
    let clock = Arc::new(Moved::default());
    for mut world in worlds(Setup { clock: clock.clone(), ..Setup::default() }).await {
        world.people(1, 2).await;
        clock.by(3 * Timestamp::HOUR);
        world.start();
        let until = until_read(&world).await;
        world.stop().await;
        clock.by(-3 * Timestamp::HOUR);
        assert!(until < world.engine.now().plus(Timestamp::MINUTE), "by Twilio's clock: ours comes to where it was");
        // The process was away when somebody stopped.
        world.simulate(&json!({ "inbound_url": "http://127.0.0.1:9/" }));
        writes(&world, 1, ours, "STOP").await;
        clock.by(6 * Timestamp::MINUTE);
        world.start();
        until_stopped(&world, 1).await;

        // What an answer without a date would have left behind.
        let ahead = world.engine.now().plus(3 * Timestamp::HOUR);
        let update = "UPDATE inbound_watermarks SET fetched_until = $1";
        store::exec(world.db.writer(), update, vec![ahead.as_micros().into()]).await.expect("moved");
        writes(&world, 2, ours, "STOP").await;
        clock.by(6 * Timestamp::MINUTE);
        until_stopped(&world, 2).await;
        world.stop().await;
        clock.by(-12 * Timestamp::MINUTE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_a_clock_dated_that_was_ahead_outdates_no_stop() {
    let ours = simulator::WHATSAPP_SENDER.trim_start_matches("whatsapp:");
    // When the STOP is fetched, minutes later, the clock is still hours ahead, or was set back.
    for on in [6 * Timestamp::MINUTE, 6 * Timestamp::MINUTE - 3 * Timestamp::HOUR] {
        let clock = Arc::new(Moved::default());
        for mut world in worlds(Setup { clock: clock.clone(), ..Setup::default() }).await {
            build::people(&world.db, 1, 1, Consent::Unknown).await;
            clock.by(3 * Timestamp::HOUR);
            world.start();
            until_read(&world).await;
            let start = Inbound {
                from: format!("whatsapp:{}", build::phone(1)),
                body: Some("START".to_owned()),
                ..Inbound::default()
            };
            let answer = world.twilio.simulator.control().inbound(start).await.expect("it is sent");
            assert_eq!(answer.status, Some(200));
            assert_eq!(consent(&world, 1).await, (Consent::OptedIn, false));
            // Nobody hears the STOP; Twilio's dates are full seconds.
            world.simulate(&json!({ "inbound_url": "http://127.0.0.1:9/" }));
            tokio::time::sleep(Duration::from_millis(1_100)).await;
            writes(&world, 1, ours, "STOP").await;
            clock.by(on);
            until_stopped(&world, 1).await;
            world.stop().await;
            clock.by(-on - 3 * Timestamp::HOUR);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_came_while_nobody_was_there_are_fetched_with_their_message() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 1).await;
        world.simulate(&json!({ "inbound_url": "http://127.0.0.1:9/" }));
        let pictures = Inbound {
            from: format!("whatsapp:{}", build::phone(1)),
            to: Some(simulator::WHATSAPP_SENDER.to_owned()),
            body: Some("Look".to_owned()),
            num_media: Some(2),
            ..Inbound::default()
        };
        let answer = world.twilio.simulator.control().inbound(pictures).await.expect("it is sent");
        assert_eq!(answer.status, None);
        world.start();
        until_fetched(&world, 1).await;
        let list = world.engine.inbound().list(&world.admin, None, None, &PageRequest::default()).await;
        let message = list.expect("the list").items.remove(0);
        let types: Vec<&str> = message.media.iter().map(|file| file.content_type.as_str()).collect();
        assert_eq!((message.media_count, types), (2, vec!["image/jpeg"; 2]));
        let file = world.engine.inbound().media(&world.admin, message.id, 1, None).await.expect("the file");
        assert_eq!(file.content_type, "image/jpeg");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_fetched_wishes_the_one_that_was_written_later_counts() {
    let ours = simulator::WHATSAPP_SENDER.trim_start_matches("whatsapp:");
    for mut world in worlds(Setup::default()).await {
        other_sender(&world).await;
        build::people(&world.db, 1, 4, Consent::Unknown).await;
        world.simulate(&json!({ "inbound_url": "http://127.0.0.1:9/" }));
        // The lists are read one after the other: neither order may matter.
        for (person, first, second) in [(1, ours, OTHER), (2, OTHER, ours)] {
            writes(&world, person, first, "START").await;
            writes(&world, person + 2, first, "STOP").await;
            tokio::time::sleep(Duration::from_millis(1_100)).await;
            writes(&world, person, second, "STOP").await;
            writes(&world, person + 2, second, "START").await;
        }
        world.start();
        until_fetched(&world, 8).await;
        for person in [1, 2] {
            assert_eq!(consent(&world, person).await, (Consent::OptedOut, true), "{person}: STOP came later");
            assert_eq!(consent(&world, person + 2).await, (Consent::OptedIn, false), "{person}: START came later");
        }
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_is_fetched_together_a_start_ends_only_the_doubt_before_it() {
    const DOUBT: &str = "Please cancel my order 4711, it came too late";
    let ours = simulator::WHATSAPP_SENDER.trim_start_matches("whatsapp:");
    for mut world in worlds(Setup::default()).await {
        build::people(&world.db, 1, 3, Consent::Unknown).await;
        world.simulate(&json!({ "inbound_url": "http://127.0.0.1:9/" }));
        for (person, words) in [(1, ["START", DOUBT]), (2, [DOUBT, "START"]), (3, [DOUBT, "STOP"])] {
            for words in words {
                writes(&world, person, ours, words).await;
            }
        }
        world.start();
        until_fetched(&world, 6).await;
        let held = "SELECT contact_id FROM contacts WHERE review_since IS NOT NULL";
        let held = store::all(world.db.reader(), held, vec![]).await.expect("the database");
        let held: Vec<i64> = held.iter().map(|row| row.get("contact_id").expect("a number")).collect();
        assert_eq!(held, [1]);
        assert_eq!(consent(&world, 1).await, (Consent::OptedIn, false), "nobody is opted out by a guess");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_that_is_repeated_outdates_an_older_yes_and_no_other_no() {
    let ours = simulator::WHATSAPP_SENDER.trim_start_matches("whatsapp:");
    for mut world in worlds(Setup::default()).await {
        other_sender(&world).await;
        let topic = NewTopic { key: "offers".to_owned(), name: "Offers".to_owned(), ..NewTopic::default() };
        world.engine.topics().create(&world.admin, topic).await.expect("a topic");
        build::people(&world.db, 1, 6, Consent::OptedIn).await;
        world.simulate(&json!({ "inbound_url": "http://127.0.0.1:9/" }));
        // Three pairs of people say three things, one after the other, the second one to another number; neither order of
        // the lists may matter.
        let turns = [
            (ours, OTHER, ["STOP", "UNSUBSCRIBE offers", "UNSUBSCRIBE offers"]),
            (OTHER, ours, ["START", "SUBSCRIBE offers", "STOP"]),
            (ours, OTHER, ["STOP", "UNSUBSCRIBE offers", "UNSUBSCRIBE offers"]),
        ];
        for (one, other, wishes) in turns {
            for (person, wish) in [1, 3, 5].into_iter().zip(wishes) {
                writes(&world, person, one, wish).await;
                writes(&world, person + 1, other, wish).await;
            }
            tokio::time::sleep(Duration::from_millis(1_100)).await;
        }
        world.start();
        until_fetched(&world, 18).await;
        for person in [1, 2] {
            assert_eq!(consent(&world, person).await, (Consent::OptedOut, true), "{person}: STOP came last");
        }
        for person in [3, 4] {
            let contact = world.engine.contacts().get(&world.admin, &build::phone(person)).await.expect("a contact");
            assert_eq!((contact.consent, contact.topics), (Consent::OptedIn, Vec::new()), "{person}");
        }
        for person in [5, 6] {
            assert_eq!(consent(&world, person).await, (Consent::OptedOut, true), "{person}: STOP is about everything");
        }
        world.stop().await;
    }
}

/// What was stored of people's messages, the newest first.
async fn from_people(world: &World, since: Option<Timestamp>, until: Option<Timestamp>) -> Vec<WebhookEvent> {
    let filter = WebhookFilter { kind: Some(WebhookKind::Inbound), since, until, ..WebhookFilter::default() };
    let list = world.engine.webhook_events().list(&world.admin, &filter, &PageRequest::default()).await;
    list.expect("the list").items
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_fetched_passes_for_no_webhook() {
    let ours = simulator::WHATSAPP_SENDER.trim_start_matches("whatsapp:");
    for mut world in worlds(Setup::default()).await {
        build::people(&world.db, 1, 2, Consent::Unknown).await;
        world.start_as(Role::Web);
        world.simulate(&json!({ "inbound_url": "http://127.0.0.1:9/" }));
        writes(&world, 1, ours, "STOP").await;
        writes(&world, 2, ours, "STOP").await;
        world.simulate(&json!({ "inbound_url": format!("{}/webhooks/twilio/inbound", world.twilio.public_url) }));
        let start = Inbound {
            from: format!("whatsapp:{}", build::phone(1)),
            body: Some("START".to_owned()),
            ..Inbound::default()
        };
        let answer = world.twilio.simulator.control().inbound(start).await.expect("it is sent");
        assert_eq!(answer.status, Some(200));
        world.stop().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let meanwhile = world.engine.now();
        world.start_as(Role::Worker);
        until_fetched(&world, 3).await;
        assert_eq!(consent(&world, 1).await, (Consent::OptedIn, false), "START came later");
        assert_eq!(consent(&world, 2).await, (Consent::OptedOut, true));
        let events = from_people(&world, None, None).await;
        let told: Vec<_> = events.iter().map(|event| (event.outcome, event.reason.as_deref())).collect();
        let fetched = (WebhookOutcome::Applied, Some("fetched"));
        assert_eq!(told, [fetched, fetched, (WebhookOutcome::Applied, None)]);
        assert!(events[0].is_fetched() && !events[2].is_fetched());
        // They are found under the time that they show, and say when they were written.
        assert!(events[0].received_at >= meanwhile && events[2].received_at < meanwhile);
        let ids = |events: &[WebhookEvent]| events.iter().map(|event| event.id).collect::<Vec<_>>();
        assert_eq!(ids(&from_people(&world, None, Some(meanwhile)).await), ids(&events[2..]));
        assert_eq!(ids(&from_people(&world, Some(meanwhile), None).await), ids(&events[..2]));
        let stop = world.engine.webhook_events().get(&world.admin, events[0].id).await.expect("there");
        let (_, written) = stop.parameters.iter().find(|(name, _)| name == "DateCreated").expect("its time");
        let written: Timestamp = written.parse().expect("an instant");
        assert!(written < meanwhile, "{written}");
        let replay = world.engine.replay(&world.admin, false).await.expect("the evidence");
        assert_eq!(replay.differences, Vec::<String>::new());
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_cannot_be_stored_holds_no_list_up() {
    let ours = simulator::WHATSAPP_SENDER.trim_start_matches("whatsapp:");
    let clock = Arc::new(Moved::default());
    for mut world in worlds(Setup { clock: clock.clone(), ..Setup::default() }).await {
        build::people(&world.db, 1, 2, Consent::OptedIn).await;
        let (make, drop) = match world.db.kind() {
            store::Kind::Sqlite => (
                vec![
                    "CREATE TRIGGER poison BEFORE INSERT ON inbound_texts WHEN NEW.body = 'poison' \
                     BEGIN SELECT RAISE(ABORT, 'poison'); END",
                ],
                "DROP TRIGGER poison",
            ),
            store::Kind::Postgres => (
                vec![
                    "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                     IF NEW.body = 'poison' THEN RAISE EXCEPTION 'poison'; END IF; RETURN NEW; END $$",
                    "CREATE TRIGGER poison BEFORE INSERT ON inbound_texts FOR EACH ROW EXECUTE FUNCTION poison()",
                ],
                "DROP TRIGGER poison ON inbound_texts",
            ),
        };
        for statement in make {
            store::exec(world.db.writer(), statement, vec![]).await.expect("a trigger");
        }
        world.simulate(&json!({ "inbound_url": "http://127.0.0.1:9/" }));
        writes(&world, 1, ours, "poison").await;
        writes(&world, 2, ours, "STOP").await;
        world.start();
        until_fetched(&world, 1).await;
        assert_eq!(consent(&world, 2).await, (Consent::OptedOut, true));
        // The list is read once more: the other one is kept raw once.
        clock.by(6 * Timestamp::MINUTE);
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        let raw = "SELECT CAST(count(*) AS bigint) AS n FROM webhook_events \
                   WHERE kind = 'inbound' AND outcome = 'unprocessable' AND reason = 'fetched_failed'";
        let row = store::one(world.db.reader(), raw, vec![]).await.expect("the database").expect("a row");
        assert_eq!(row.get::<i64>("n").expect("a number"), 1);
        // And tried again.
        store::exec(world.db.writer(), drop, vec![]).await.expect("dropped");
        clock.by(6 * Timestamp::MINUTE);
        until_fetched(&world, 2).await;
        world.stop().await;
        clock.by(-12 * Timestamp::MINUTE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_long_list_every_wish_counts() {
    const DOUBT: &str = "Please cancel my order 4711, it came too late";
    let ours = simulator::WHATSAPP_SENDER.trim_start_matches("whatsapp:");
    for mut world in worlds(Setup::default()).await {
        build::people(&world.db, 1, 5, Consent::Unknown).await;
        world.simulate(&json!({ "inbound_url": NOBODY }));
        // On three pages, the oldest on the last.
        for (person, wish) in [(1, "START"), (3, "STOP"), (4, "START"), (5, "START")] {
            writes(&world, person, ours, wish).await;
        }
        for page in 0..2 {
            for _ in 0..1_150 {
                writes(&world, 2, ours, "Hello").await;
            }
            if page == 0 {
                writes(&world, 5, ours, DOUBT).await;
            }
        }
        writes(&world, 1, ours, "STOP").await;
        writes(&world, 4, ours, DOUBT).await;
        world.start();
        until_fetched(&world, 2_307).await;
        assert_eq!(consent(&world, 1).await, (Consent::OptedOut, true), "STOP came later");
        assert_eq!(consent(&world, 3).await, (Consent::OptedOut, true));
        let held = "SELECT contact_id FROM contacts WHERE review_since IS NOT NULL ORDER BY contact_id";
        let held = store::all(world.db.reader(), held, vec![]).await.expect("the database");
        let held: Vec<i64> = held.iter().map(|row| row.get("contact_id").expect("a number")).collect();
        assert_eq!(held, [4, 5], "what came after a START may be an opt-out");
        for person in [4, 5] {
            assert_eq!(consent(&world, person).await, (Consent::OptedIn, false));
        }
        // There is no room for all three: the second one is read once more. And one page is the SMS number's.
        assert_eq!(world.twilio.simulator.control().stats().lists, 3 + 1 + 1);
        world.stop().await;
    }
}

/// Whoever writes is told at once that nobody is there.
const NOBODY: &str = "http://127.0.0.1:9/#rc=0";

/// As if the list had been read a minute ago.
async fn read_a_minute_ago(world: &World) -> Timestamp {
    let sender = whatsapp(world).await;
    let until = world.engine.now().plus(-Timestamp::MINUTE);
    store::inbound::set_watermark(world.db.writer(), sender, until).await.expect("noted");
    until
}

async fn until_read_again(world: &World, before: Timestamp) {
    let read = async {
        while watermark(world).await == Some(before) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), read).await.expect("the list is read to its end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_long_day_only_the_pages_are_read_that_may_be_new() {
    let ours = simulator::WHATSAPP_SENDER.trim_start_matches("whatsapp:");
    for mut world in worlds(Setup::default()).await {
        build::people(&world.db, 1, 2, Consent::OptedIn).await;
        world.simulate(&json!({ "inbound_url": NOBODY }));
        for age_s in (7_200..9_700).rev() {
            wrote(&world, 2, ours, "Hello", age_s).await;
        }
        let before = read_a_minute_ago(&world).await;
        writes(&world, 1, ours, "STOP").await;
        world.start();
        until_read_again(&world, before).await;
        assert_eq!(consent(&world, 1).await, (Consent::OptedOut, true));
        // The second page shows that all others are older. Soon after midnight (UTC) yesterday's are not listed. One page
        // is the SMS number's.
        let lists = world.twilio.simulator.control().stats().lists;
        assert!(lists <= 2 + 1, "{lists} of three pages and one");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_wait_for_what_came_since_and_not_for_the_hour_before() {
    let ours = simulator::WHATSAPP_SENDER.trim_start_matches("whatsapp:");
    let mut setup = Setup::default();
    setup.simulator.latency_ms = 800;
    for mut world in worlds(setup).await {
        world.people(1, 3).await;
        world.simulate(&json!({ "inbound_url": NOBODY }));
        // Four pages.
        for age_s in (700..2_450).rev() {
            wrote(&world, 2, ours, "Hello", age_s).await;
            wrote(&world, 2, ours, "Hello", age_s).await;
        }
        let before = read_a_minute_ago(&world).await;
        writes(&world, 1, ours, "STOP").await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let run = world.until(run.id, "handed over", |run| handed_over(&run.ledger) == 2).await;
        assert_eq!(watermark(&world).await, Some(before), "two pages are still to be read");
        assert_eq!(consent(&world, 1).await, (Consent::OptedOut, true));
        until_read_again(&world, before).await;
        until_fetched(&world, 3_501).await;
        assert_eq!((world.accepted(1), world.run(run.id).await.ledger.skipped), (0, 1));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dies_between_two_pages_leaves_none_unread() {
    let ours = simulator::WHATSAPP_SENDER.trim_start_matches("whatsapp:");
    let mut setup = Setup::default();
    setup.simulator.latency_ms = 800;
    for mut world in worlds(setup).await {
        build::people(&world.db, 1, 2, Consent::OptedIn).await;
        world.simulate(&json!({ "inbound_url": NOBODY }));
        // The oldest of all, on the second page.
        writes(&world, 1, ours, "STOP").await;
        for _ in 0..1_050 {
            writes(&world, 2, ours, "Hello").await;
        }
        world.start();
        let first_page = async {
            while world.twilio.simulator.control().stats().lists == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), first_page).await.expect("the first page is asked for");
        // It is there, and the second one is asked for.
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.stop().await;
        assert_eq!((watermark(&world).await, consent(&world, 1).await), (None, (Consent::OptedIn, false)));
        world.start();
        until_stopped(&world, 1).await;
        until_fetched(&world, 1_051).await;
        world.stop().await;
    }
}

/// An installation that has nothing but a Messaging Service.
async fn only_a_service(world: &World, channel: Channel) {
    let new = NewSender {
        name: "Service".to_owned(),
        channel,
        address: format!("MG{}", "1".repeat(32)),
        rate_per_second: None,
        enabled: true,
        default: true,
        account_sid: None,
    };
    let service = world.engine.senders().create(&world.admin, new).await.expect("a sender");
    let others = "DELETE FROM senders WHERE id <> $1";
    store::exec(world.db.writer(), others, vec![service.id.0.into()]).await.expect("deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_numbers_of_a_messaging_service_are_read_side_by_side() {
    let mut setup = Setup::default();
    setup.simulator.latency_ms = 500;
    setup.simulator.service_senders = (10..34).map(|number| format!("whatsapp:+150055501{number}")).collect();
    for mut world in worlds(setup).await {
        only_a_service(&world, Channel::Whatsapp).await;
        world.people(1, 3).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        let began = Instant::now();
        world.start();
        let run = world.until_completed(run.id).await;
        assert_eq!(handed_over(&run.ledger), 3);
        // One after the other they take twelve seconds.
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_wrote_to_a_messaging_service_is_read_too() {
    const NUMBER: &str = "+15005550009";
    let mut setup = Setup::default();
    setup.simulator.service_senders = vec!["+15005550008".to_owned(), format!("whatsapp:{NUMBER}")];
    for mut world in worlds(setup).await {
        only_a_service(&world, Channel::Whatsapp).await;
        world.people(1, 3).await;
        world.simulate(&json!({ "inbound_url": "http://127.0.0.1:9/" }));
        writes(&world, 1, NUMBER, "STOP").await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let run = world.until_completed(run.id).await;
        assert_eq!(consent(&world, 1).await, (Consent::OptedOut, true));
        assert_eq!((run.ledger.skipped, world.accepted(1), handed_over(&run.ledger)), (1, 0, 2));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_over_rcs_to_a_messaging_service_is_read_too() {
    const AGENT: &str = "rcs:our_agent";
    let mut setup = Setup::default();
    setup.simulator.service_senders = vec!["+15005550008".to_owned(), AGENT.to_owned()];
    for mut world in worlds(setup).await {
        only_a_service(&world, Channel::Sms).await;
        build::people(&world.db, 1, 2, Consent::OptedIn).await;
        world.simulate(&json!({ "inbound_url": "http://127.0.0.1:9/" }));
        let writes = async |from: String, to: &str| {
            let (to, body) = (Some(to.to_owned()), Some("STOP".to_owned()));
            let inbound = Inbound { from, to, body, ..Inbound::default() };
            let answer = world.twilio.simulator.control().inbound(inbound).await.expect("it is sent");
            assert_eq!(answer.status, None);
        };
        writes(format!("rcs:{}", build::phone(1)), AGENT).await;
        // Nobody is known by this one, and nobody waits for it.
        writes("rcs:somebody".to_owned(), AGENT).await;
        writes(build::phone(2).to_string(), "+15005550008").await;
        world.start();
        until_stopped(&world, 1).await;
        until_stopped(&world, 2).await;
        let list = world.engine.inbound().list(&world.admin, None, None, &PageRequest::default()).await;
        let mut to: Vec<String> = list.expect("the list").items.into_iter().map(|message| message.to).collect();
        to.sort_unstable();
        assert_eq!(to, ["+15005550008", "our_agent"], "as a webhook would have stored it");
        world.stop().await;
    }
}
