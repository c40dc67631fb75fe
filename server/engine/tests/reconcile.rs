//! Messages of unknown outcome: Twilio is asked, what is there is adopted, what is proven absent follows the campaign's
//! rule, and nobody gets anything twice.

mod world;

use std::time::Duration;

use domain::{
    campaign::{NewCampaign, OnUnknown},
    consent::Consent,
    message::{By, State},
    reason::Reason,
    run::RunStatus,
};
use serde_json::json;
use simulator::{ErrorRule, Fault, NumberRule, When};
use testkit::build::{self, commit};
use world::{Setup, handed_over, worlds};

/// No callbacks: only Twilio's list can tell.
fn silent(faults: &[(&str, Fault)]) -> Setup {
    let mut setup = Setup { grace: Duration::from_millis(700), ..Setup::default() };
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
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_worker_never_sent_is_sent_by_another() {
    for mut world in worlds(silent(&[])).await {
        world.people(1, 3).await;
        let run = world.launch(&world.campaign("Hi").await).await;
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
        let held = commit(&world.db, async |tx| store::messages::claim(tx, now, lane, lease, 3).await).await;
        assert_eq!(held.len(), 3, "it took them all and died");
        world.start();
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), world.accepted_in_all()), (3, 3));
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_twilio_does_not_answer_nothing_is_concluded() {
    for mut world in worlds(silent(&[("*", Fault::Error500)])).await {
        world.people(1, 4).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until(run.id, "unknown", |run| run.ledger.unknown == 4).await;
        // Every request is refused from now on, lists too.
        world.simulate(&json!({ "auth_token": "another" }));
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        let waiting = world.run(run.id).await;
        assert_eq!((waiting.ledger.unknown, waiting.status), (4, RunStatus::Running));
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
