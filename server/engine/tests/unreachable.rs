//! Numbers that messages do not come to are left alone for a while, and are back as soon as something reaches them.

mod world;

use std::sync::Arc;

use domain::{
    campaign::NewCampaign,
    message::{Channel, Message, MessageFilter, State},
    reason::Reason,
    run::Run,
    settings::SettingsPatch,
};
use serde_json::json;
use simulator::Inbound;
use testkit::build;
use world::{Moved, Setup, World, worlds};

const BEGIN: &str = "2026-12-02T12:00:00Z";

/// The first is not on WhatsApp, which comes out later; the second is no number, which Twilio says at once.
fn dead(world: &World) {
    let rules = json!({"errors": [
        {"number": build::phone(1).as_str(), "code": 63_003, "when": "before_sent"},
        {"number": build::phone(2).as_str(), "code": 21_211, "when": "create"},
    ]});
    world.simulate(&rules);
}

async fn sent_to_all(world: &World) -> Run {
    let run = world.launch(&world.campaign("Hi").await).await;
    world
        .until(run.id, "settled", |run| {
            run.ledger.delivered + run.ledger.read + run.ledger.failed + run.ledger.undelivered + run.ledger.skipped
                == 3
        })
        .await
}

async fn of(world: &World, run: &Run, person: i64) -> Message {
    let filter = MessageFilter { phone: Some(build::phone(person)), run: Some(run.id), ..MessageFilter::default() };
    world.messages(filter).await.remove(0)
}

async fn left_alone(world: &World, run: &Run) -> Vec<i64> {
    let mut people = Vec::new();
    for person in 1..=3 {
        let message = of(world, run, person).await;
        if (message.state, message.reason) == (State::Skipped, Some(Reason::Unreachable)) {
            people.push(person);
        }
    }
    people
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_failures_in_a_row_are_enough_and_any_sign_of_life_ends_it() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 3).await;
        dead(&world);
        world.start();
        for round in 0..2 {
            let run = sent_to_all(&world).await;
            assert_eq!(left_alone(&world, &run).await, [0_i64; 0], "round {round}: {:?}", run.ledger);
            assert_eq!(run.ledger.failed + run.ledger.undelivered, 2, "{:?}", run.ledger);
        }
        let campaign = world.campaign("Hi").await;
        let check = world.engine.campaigns().launch_check(&world.admin, campaign.id).await.expect("a check");
        assert_eq!(check.skipped, [("unreachable".to_owned(), 2)].into());
        let third = sent_to_all(&world).await;
        assert_eq!(left_alone(&world, &third).await, [1, 2]);
        assert_eq!(world.accepted(3), 3, "everybody else goes on");

        // One writes, the other is reached by a message of its own.
        world.simulate(&json!({"errors": []}));
        let hello = Inbound {
            from: format!("whatsapp:{}", build::phone(1)),
            body: Some("Hello".to_owned()),
            ..Inbound::default()
        };
        world.twilio.simulator.control().inbound(hello).await.expect("taken");
        let single = json!({"phone": build::phone(2).as_str(), "body": "Are you there?"});
        let single = serde_json::from_value(single).expect("a message");
        world.engine.messages().create(&world.admin, single).await.expect("queued");
        let reached = async {
            loop {
                let filter = MessageFilter { phone: Some(build::phone(2)), ..MessageFilter::default() };
                let messages = world.messages(filter).await;
                if messages.iter().any(|message| matches!(message.state, State::Delivered | State::Read)) {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), reached).await.expect("it is delivered");
        let fourth = sent_to_all(&world).await;
        assert_eq!(left_alone(&world, &fourth).await, [0_i64; 0]);

        // Their failures begin anew: one is not enough.
        dead(&world);
        sent_to_all(&world).await;
        let sixth = sent_to_all(&world).await;
        assert_eq!(left_alone(&world, &sixth).await, [0_i64; 0]);
        let seventh = sent_to_all(&world).await;
        assert_eq!(left_alone(&world, &seventh).await, [1, 2]);

        // And nobody is left alone where the workspace says so.
        let never = SettingsPatch { unreachable_days: Some(0), ..SettingsPatch::default() };
        world.engine.settings().update(&world.admin, never).await.expect("set");
        let last = sent_to_all(&world).await;
        assert_eq!(left_alone(&world, &last).await, [0_i64; 0]);
        world.stop().await;
    }
}

/// By the clock, not by anything that somebody does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_of_leaving_alone_ends_by_itself() {
    let clock = Arc::new(Moved::default());
    clock.to(BEGIN);
    for mut world in worlds(Setup { clock: clock.clone(), ..Setup::default() }).await {
        clock.to(BEGIN);
        world.people(1, 3).await;
        let days = SettingsPatch { unreachable_days: Some(10), ..SettingsPatch::default() };
        world.engine.settings().update(&world.admin, days).await.expect("set");
        dead(&world);
        world.start();
        for _ in 0..2 {
            sent_to_all(&world).await;
        }
        // A number that gets no WhatsApp may well get SMS: each channel has its own.
        let template = world.template_for(Channel::Sms, "Hi").await;
        let draft = NewCampaign { template_id: Some(template), ..world.draft().await };
        let by_sms = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        let check = world.engine.campaigns().launch_check(&world.admin, by_sms.id).await.expect("a check");
        assert_eq!(check.skipped, [].into());

        clock.to("2026-12-11T11:00:00Z");
        let ninth_day = sent_to_all(&world).await;
        assert_eq!(left_alone(&world, &ninth_day).await, [1, 2]);
        clock.to("2026-12-12T13:00:00Z");
        world.simulate(&json!({"errors": []}));
        let eleventh_day = sent_to_all(&world).await;
        assert_eq!(left_alone(&world, &eleventh_day).await, [0_i64; 0]);
        world.stop().await;
    }
}
