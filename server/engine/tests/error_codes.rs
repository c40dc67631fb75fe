//! What the provider's error codes mean, what follows from them, and that admins can say so.

mod world;

use std::time::Duration;

use domain::{
    actor::{Actor, ActorKind},
    error_codes::{Class, Entry, EntryPatch, Filter},
    message::State,
    role::Role,
    run::RunStatus,
    time::Timestamp,
};
use engine::Error;
use simulator::{ErrorRule, When};
use world::{Setup, World, worlds};

/// Nobody knows it.
const NEW: i32 = 63_999;

fn refusing(code: i32) -> Setup {
    let mut setup = Setup { probe_after: Duration::from_millis(500), ..Setup::default() };
    setup.simulator.errors = vec![ErrorRule::new("*0001", code.unsigned_abs(), When::Create)];
    setup
}

async fn entry(world: &World, code: i32) -> Entry {
    world.engine.error_codes().get(&world.admin, code).await.expect("the code")
}

async fn change(world: &World, code: i32, patch: EntryPatch) -> Result<Entry, Error> {
    world.engine.error_codes().update(&world.admin, code, patch).await
}

fn class(class: Class) -> EntryPatch {
    EntryPatch { class: Some(Some(class)), ..EntryPatch::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_nobody_knows_is_collected_and_can_be_described() {
    for mut world in worlds(refusing(NEW)).await {
        world.people(1, 5).await;
        world.start();
        let run = world.launch(&world.campaign("Hi").await).await;
        let run = world.until_completed(run.id).await;
        assert_eq!((run.ledger.failed, run.failures_by_code.get("63999")), (1, Some(&1)), "safe: not tried again");

        let not_known = Filter { heard: Some(true), built_in: Some(false), ..Filter::default() };
        let collected = async || {
            loop {
                let codes = world.engine.error_codes().list(&world.admin, &not_known).await.expect("codes");
                if let [code] = &codes[..] {
                    return code.clone();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let code = tokio::time::timeout(Duration::from_secs(10), collected()).await.expect("it is collected");
        let heard = code.heard.expect("heard");
        assert_eq!((code.code, heard.times, code.changed), (NEW, 1, false));
        assert!(!heard.said.as_deref().unwrap_or_default().contains("0001"), "no number of a person: {heard:?}");

        // From now on it stops the sender, and the reason is the admin's.
        let patch =
            EntryPatch { meaning: Some(Some("Meta has closed the shop.".to_owned())), ..class(Class::AccountWide) };
        let changed = change(&world, NEW, patch).await.expect("changed");
        assert_eq!((changed.class, changed.version, changed.built_in), (Class::AccountWide, 1, false));
        let run = world.launch(&world.campaign("Hello").await).await;
        let paused = world.until(run.id, "paused", |run| run.status == RunStatus::Paused).await;
        let reason = paused.reason.expect("a reason");
        assert!(reason.starts_with("Meta has closed the shop (63999)."), "{reason}");
        assert_eq!(paused.ledger.failed, 0);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_out_of_reach_is_tried_an_hour_later() {
    for mut world in worlds(refusing(30_003)).await {
        world.people(1, 2).await;
        world.start();
        let run = world.launch(&world.campaign("Hi").await).await;
        world.until(run.id, "the other one delivered", |run| run.ledger.delivered == 1).await;
        let message = world.until_message(1, State::Queued).await;
        assert_eq!((message.error_code, message.attempts), (Some(30_003), 1));
        let waits = message.not_before.since(message.updated_at) / Timestamp::MINUTE;
        assert!((29..=60).contains(&waits), "{waits} minutes");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_cost_people_something_cannot_be_changed() {
    for world in worlds(Setup::default()).await {
        for code in [21_610, 20_500] {
            let refused = change(&world, code, class(Class::Retry)).await.expect_err("fixed");
            assert!(matches!(&refused, Error::Invalid(fields) if fields[0].field == "class"), "{refused:?}");
            assert!(entry(&world, code).await.class_is_fixed);
        }
        let words = |text: &str| EntryPatch { meaning: Some(Some(text.to_owned())), ..EntryPatch::default() };
        assert_eq!(change(&world, 21_610, words("They left. ")).await.expect("words").meaning, "They left.");
        for bad in [String::new(), "x".repeat(501)] {
            assert!(matches!(change(&world, 21_610, words(&bad)).await, Err(Error::Invalid(_))), "{}", bad.len());
        }
        let stale = EntryPatch { version: Some(0), ..words("Another") };
        assert!(matches!(change(&world, 21_610, stale).await, Err(Error::Stale(_))));
        let back = EntryPatch { meaning: Some(None), ..EntryPatch::default() };
        let back = change(&world, 21_610, back).await.expect("as built in");
        assert_eq!(
            (back.changed, back.version, back.meaning.as_str()),
            (false, 2, "The person has opted out of this sender.")
        );
        assert!(matches!(change(&world, 7, words("None")).await, Err(Error::NotFound { .. })));
        let viewer = Actor::new(ActorKind::Account, "v", Role::Viewer);
        let refused = world.engine.error_codes().update(&viewer, 21_610, words("No")).await;
        assert!(matches!(refused, Err(Error::Forbidden)));
    }
}
