//! A sender that the provider refuses altogether: its campaigns wait with the reason, one message tries now and then, and
//! they go on by themselves.

mod world;

use std::{sync::Arc, time::Duration};

use domain::{
    campaign::{Campaign, CampaignStatus, NewCampaign, Trigger},
    message::{MessageFilter, State},
    page::PageRequest,
    run::{Run, RunStatus},
    sender::Sender,
};
use serde_json::json;
use simulator::{ErrorRule, Fault, NumberRule, When};
use world::{Moved, Setup, World, handed_over, worlds};

fn refusing(code: u32, when: When, probe_after: u64) -> Setup {
    let mut setup = Setup { probe_after: Duration::from_millis(probe_after), ..Setup::default() };
    setup.simulator.errors = vec![ErrorRule::new("*", code, when)];
    setup
}

async fn sender(world: &World) -> Sender {
    world.engine.senders().list(&world.admin).await.expect("senders").remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_cost_nobody_and_the_campaign_goes_on_by_itself() {
    for mut world in worlds(refusing(20_003, When::Create, 700)).await {
        world.people(1, 60).await;
        let campaign = world.campaign("Hi").await;
        let run = world.launch(&campaign).await;
        world.start();
        let paused = world.until(run.id, "paused", |run| run.status == RunStatus::Paused).await;
        let reason = paused.reason.expect("a reason");
        assert!(reason.starts_with("Twilio refused the credentials (20003)."), "{reason}");
        assert_eq!(world.campaign_status(&campaign).await, CampaignStatus::Paused);
        // Two probes at least, each alone.
        world.until(run.id, "idle", |run| run.ledger.sending == 0).await;
        let refused = || world.twilio.simulator.control().stats().refused.values().sum::<u64>();
        let at_first = refused();
        let tried = async |count: i32| {
            while sender(&world).await.blocked.is_none_or(|blocked| blocked.tries < count) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), tried(2)).await.expect("it tries");
        let probes = refused() - at_first;
        assert!((1..=3).contains(&probes), "{probes} requests while the sender was blocked");
        let ledger = world.run(run.id).await.ledger;
        assert_eq!((ledger.queued + ledger.sending, ledger.failed), (60, 0));
        world.simulate(&json!({ "errors": null }));
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.reason), (60, None));
        assert_eq!(world.campaign_status(&campaign).await, CampaignStatus::Completed);
        assert_eq!(sender(&world).await.blocked, None);
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_only_callbacks_speak_against_is_not_believed_when_a_probe_is_accepted() {
    let mut setup = refusing(30_002, When::AfterSent, 500);
    setup.rate_per_second = 30;
    // Failing without being sent first: an accepted message says nothing.
    setup.simulator.errors = vec![ErrorRule::new("*", 30_002, When::BeforeSent)];
    for mut world in worlds(setup).await {
        world.people(1, 200).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until(run.id, "paused", |run| run.status == RunStatus::Paused).await;
        let lost = async || {
            let filter = MessageFilter { state: Some(State::Failed), ..MessageFilter::default() };
            world.messages(filter).await.len()
        };
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let at_first = lost().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(lost().await <= at_first + 4, "one message at a time, less and less often");
        assert_eq!(world.run(run.id).await.status, RunStatus::Paused);
        assert!(sender(&world).await.blocked.is_some_and(|blocked| blocked.tries > 0));
        world.simulate(&json!({ "errors": null }));
        let run = world.until_completed(run.id).await;
        assert!(handed_over(&run.ledger) > 150, "{:?}", run.ledger);
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_somebody_paused_stays_paused_when_the_sender_works_again() {
    for mut world in worlds(refusing(63_007, When::Create, 800)).await {
        world.people(1, 20).await;
        let one = world.campaign("One").await;
        let two = world.campaign("Two").await;
        let (first, second) = (world.launch(&one).await, world.launch(&two).await);
        world.start();
        for run in [&first, &second] {
            world.until(run.id, "paused", |run| run.status == RunStatus::Paused).await;
        }
        world.engine.campaigns().pause(&world.admin, two.id).await.expect("paused for good");
        assert!(world.engine.campaigns().pause(&world.admin, two.id).await.is_err(), "it is paused already");
        world.simulate(&json!({ "errors": null }));
        let run = world.until_completed(first.id).await;
        assert_eq!(handed_over(&run.ledger), 20);
        assert_eq!(world.campaign_status(&two).await, CampaignStatus::Paused);
        world.stop().await;
    }
}

/// Waits until the campaign has so many runs; the latest.
async fn until_run(world: &World, campaign: &Campaign, number: usize) -> Run {
    let wait = async {
        loop {
            let page = PageRequest::first(10);
            let mut runs = world.engine.runs().list(&world.admin, campaign.id, &page).await.expect("runs").items;
            if runs.len() == number {
                return runs.remove(0);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("a run")
}

/// Nobody is left who could try: the block stands until the next run, and does not keep it from beginning.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeating_campaign_whose_run_ended_while_its_sender_was_blocked_goes_on() {
    let clock = Arc::new(Moved::default());
    let mut setup = refusing(30_002, When::BeforeSent, 500);
    setup.clock = clock.clone();
    clock.to("2026-11-28T08:59:00Z");
    for mut world in worlds(setup).await {
        clock.to("2026-11-28T08:59:00Z");
        world.people(1, 1).await;
        let trigger = Trigger::Cron {
            expression: "0 * * * *".to_owned(),
            timezone: Some("UTC".to_owned()),
            until: None,
            count: None,
        };
        let template_id = Some(world.template("Hi").await);
        let new = NewCampaign { trigger, template_id, ..world.draft().await };
        let campaign = world.engine.campaigns().create(&world.admin, new).await.expect("a draft");
        world.engine.campaigns().schedule(&world.admin, campaign.id).await.expect("scheduled");
        world.start();
        clock.to("2026-11-28T09:00:00Z");
        let first = until_run(&world, &campaign, 1).await;
        let lost = |run: &Run| run.status == RunStatus::Completed && run.ledger.failed == 1;
        world.until(first.id, "lost", lost).await;
        assert_eq!(world.campaign_status(&campaign).await, CampaignStatus::Scheduled, "{:?}", world.db.kind());
        world.simulate(&json!({ "errors": null }));
        clock.to("2026-11-28T10:00:00Z");
        let second = until_run(&world, &campaign, 2).await;
        let second = world.until_completed(second.id).await;
        assert_eq!(handed_over(&second.ledger), 1);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_maintenance_page_leaves_few_in_doubt_and_the_campaign_goes_on_by_itself() {
    const PEOPLE: i64 = 600;
    let probe_after = Duration::from_millis(700);
    let (timeout, grace) = (Duration::from_secs(1), Duration::from_millis(700));
    let mut setup = Setup { rate_per_second: 400, probe_after, timeout, grace, ..Setup::default() };
    setup.simulator.error_502_percent = 100.0;
    for mut world in worlds(setup).await {
        world.people(1, PEOPLE).await;
        let campaign = world.campaign("Hi").await;
        let run = world.launch(&campaign).await;
        world.start();
        let paused = world.until(run.id, "paused", |run| run.status == RunStatus::Paused).await;
        let reason = paused.reason.expect("a reason");
        assert!(reason.starts_with("Twilio gives no clear answers") && reason.contains("(20503)"), "{reason}");
        tokio::time::sleep(Duration::from_secs(4)).await;
        let in_doubt = world.twilio.simulator.control().stats().faults.values().sum::<u64>();
        assert!((20..100).contains(&in_doubt), "{in_doubt} requests without a clear answer");
        assert!(sender(&world).await.blocked.is_some_and(|blocked| blocked.tries > 0), "the probes were in vain");
        world.simulate(&json!({ "error_502_percent": null }));
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.ledger.failed), (PEOPLE, 0), "{:?}", run.ledger);
        assert_eq!(world.accepted_in_all(), u64::try_from(PEOPLE).expect("positive"));
        assert_eq!(sender(&world).await.blocked, None);
        world.assert_nobody_twice();
        world.stop().await;
    }
}

/// Whatever is sent to these numbers is answered by a proxy, with 400 and a page of its own.
fn behind_a_proxy(number: &str) -> Setup {
    let mut setup = Setup {
        rate_per_second: 400,
        probe_after: Duration::from_millis(700),
        timeout: Duration::from_secs(1),
        grace: Duration::from_millis(700),
        ..Setup::default()
    };
    setup.simulator.numbers =
        vec![NumberRule { number: number.to_owned(), fault: Some(Fault::Error400), statuses: None }];
    setup
}

/// They would have failed one after the other, with their text as the reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_refuses_everything_costs_nobody_and_the_campaign_goes_on_by_itself() {
    const PEOPLE: i64 = 300;
    for mut world in worlds(behind_a_proxy("*")).await {
        world.people(1, PEOPLE).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let paused = world.until(run.id, "paused", |run| run.status == RunStatus::Paused).await;
        let reason = paused.reason.expect("a reason");
        assert!(reason.starts_with("Twilio gives no clear answers") && reason.contains("(20503)"), "{reason}");
        let tried = async {
            while sender(&world).await.blocked.is_none_or(|blocked| blocked.tries < 1) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), tried).await.expect("it tries");
        let refused = world.twilio.simulator.control().stats().faults.values().sum::<u64>();
        assert!((20..100).contains(&refused), "{refused} requests");
        assert_eq!(world.run(run.id).await.ledger.failed, 0);
        world.simulate(&json!({ "numbers": [] }));
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.ledger.failed), (PEOPLE, 0), "{:?}", run.ledger);
        assert_eq!(sender(&world).await.blocked, None);
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_message_that_a_proxy_refuses_holds_up_nobody_and_goes_out_when_it_is_let_through() {
    for mut world in worlds(behind_a_proxy("*0001")).await {
        world.people(1, 30).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        world.until(run.id, "all the others", |run| handed_over(&run.ledger) == 29).await;
        assert_eq!((sender(&world).await.blocked, world.run(run.id).await.ledger.failed), (None, 0));
        world.simulate(&json!({ "numbers": [] }));
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.ledger.failed), (30, 0), "{:?}", run.ledger);
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_of_one_country_fails_its_people_and_blocks_no_sender() {
    let mut setup = Setup::default();
    setup.simulator.errors = vec![
        ErrorRule::new("*0001", 30_041, When::BeforeSent),
        ErrorRule::new("*0002", 30_034, When::BeforeSent),
        ErrorRule::new("*0003", 30_040, When::Create),
    ];
    for mut world in worlds(setup).await {
        world.people(1, 60).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let told = |run: &Run| run.ledger.failed == 3 && run.ledger.delivered == 57;
        world.until(run.id, "all told and over", |run| told(run) && run.status == RunStatus::Completed).await;
        assert_eq!(sender(&world).await.blocked, None);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resuming_by_hand_tries_at_once() {
    for mut world in worlds(refusing(63_007, When::Create, 600_000)).await {
        world.people(1, 20).await;
        let campaign = world.campaign("Hi").await;
        let run = world.launch(&campaign).await;
        world.start();
        world.until(run.id, "paused", |run| run.status == RunStatus::Paused && run.ledger.sending == 0).await;
        world.engine.campaigns().resume(&world.admin, campaign.id).await.expect("resumed");
        world.until(run.id, "paused again", |run| run.status == RunStatus::Paused && run.ledger.sending == 0).await;
        world.simulate(&json!({ "errors": null }));
        world.engine.campaigns().resume(&world.admin, campaign.id).await.expect("resumed");
        world.until_completed(run.id).await;
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_tries_for_a_blocked_sender_uses_up_no_attempts() {
    for mut world in worlds(refusing(20_003, When::Create, 50)).await {
        world.people(1, 1).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let tried = async {
            while sender(&world).await.blocked.is_none_or(|blocked| blocked.tries < 3) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), tried).await.expect("it tries");
        let waiting = world.until_message(1, State::Queued).await;
        assert_eq!((waiting.attempts, waiting.error_code), (0, Some(20_003)), "{:?}", waiting.history);
        let back = waiting.history.iter().filter(|step| step.error_code.is_some()).count();
        assert_eq!(back, 1, "the same refusal is told once: {:?}", waiting.history);
        world.simulate(&json!({ "errors": null }));
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), world.message_to(1).await.attempts), (1, 1));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_go_out_anyway_keeps_no_blocked_sender_blocked() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 320).await;
        let nameless = "UPDATE contacts SET attributes = '{}' WHERE contact_id <= 300";
        store::exec(world.db.writer(), nameless, vec![]).await.expect("nameless");
        let run = world.launch(&world.campaign("Hi {{ first_name }}").await).await;
        // It works again by now, which nobody knows yet.
        let block = "UPDATE senders SET blocked_code = 63007, blocked_at = $1, probe_at = $1";
        let now = world.engine.now().as_micros();
        store::exec(world.db.writer(), block, vec![now.into()]).await.expect("blocked");
        let began = tokio::time::Instant::now();
        world.start();
        let run = world.until_completed(run.id).await;
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        assert_eq!((run.ledger.skipped, handed_over(&run.ledger)), (300, 20), "{:?}", run.ledger);
        assert_eq!(sender(&world).await.blocked, None);
        let sent = world.messages(MessageFilter::default()).await;
        assert!(sent.iter().all(|message| message.attempts <= 1), "what went back was never tried");
        world.assert_nobody_twice();
        world.stop().await;
    }
}
