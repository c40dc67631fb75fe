//! Quiet hours and frequency caps through whole runs: who sleeps waits, whoever had enough is left out.

mod world;

use std::{sync::Arc, time::Duration};

use domain::{
    campaign::{Campaign, CampaignPatch, CampaignStatus, Late, NewCampaign, OverrideQuietHours, Trigger},
    consent::Category,
    ids::{ContactId, TemplateId},
    message::{Channel, CheckOutcome, NewMessage, Outcome, State},
    page::PageRequest,
    quiet::{FrequencyCap, OwnLawLine, QuietHours, WorkspaceQuietPatch},
    reason::{Check, Reason},
    role::Role,
    run::RunStatus,
    settings::SettingsPatch,
    time::Timestamp,
};
use engine::{Actor, ActorKind, Error, scheduler};
use simulator::MessageFilter;
use testkit::build;
use world::{Moved, Setup, World, handed_over, worlds};

/// Ten at night in New York, half past eight in the morning in Colombo.
const NIGHT: &str = "2026-12-02T03:00:00Z";
/// Eight in the morning in New York, half past six in the evening in Colombo.
const MORNING: &str = "2026-12-02T13:00:00Z";

async fn worlds_at(instant: &str) -> (Vec<World>, Arc<Moved>) {
    let clock = Arc::new(Moved::default());
    clock.to(instant);
    // Nothing is under way when the clock jumps, so nothing seems to have been for hours.
    (worlds(Setup { clock: clock.clone(), ..Setup::default() }).await, clock)
}

fn night() -> QuietHours {
    QuietHours::DEFAULT
}

fn hours(start: &str, end: &str) -> QuietHours {
    QuietHours { start: start.parse().expect("a time"), end: end.parse().expect("a time") }
}

async fn live_in(world: &World, people: std::ops::Range<i64>, zone: &str) {
    for person in people {
        build::set_person(&world.db, ContactId(person), &format!("timezone = '{zone}', country = 'US'")).await;
    }
}

async fn campaign(world: &World, change: impl FnOnce(NewCampaign) -> NewCampaign) -> Campaign {
    let draft = NewCampaign { template_id: Some(world.template("Hi").await), ..world.draft().await };
    world.engine.campaigns().create(&world.admin, change(draft)).await.expect("a campaign")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_waits_for_their_own_morning_without_being_claimed() {
    let (worlds, clock) = worlds_at(NIGHT).await;
    for mut world in worlds {
        clock.to(NIGHT);
        world.people(1, 20).await;
        live_in(&world, 1..11, "America/New_York").await;
        live_in(&world, 11..21, "Asia/Colombo").await;
        let campaign = campaign(&world, |draft| NewCampaign { quiet_hours: Some(night()), ..draft }).await;
        let run = world.launch(&campaign).await;
        world.start();
        let run = world.until(run.id, "the awake have it", |run| handed_over(&run.ledger) == 10).await;
        let morning: Timestamp = MORNING.parse().expect("an instant");
        assert_eq!((run.quiet.messages, run.quiet.until), (10, Some(morning)));
        assert!(run.forecast.finish_at >= Some(morning), "{:?}", run.forecast);
        tokio::time::sleep(Duration::from_millis(700)).await;
        let asleep = world.message_to(3).await;
        assert_eq!((asleep.state, asleep.attempts, asleep.not_before), (State::Queued, 0, morning));
        assert_eq!(asleep.reason, Some(Reason::QuietHours));
        let [planned] = &asleep.decisions[..] else { panic!("only planned: {:?}", asleep.decisions) };
        assert_eq!(
            (planned.attempt, planned.outcome, planned.reason, planned.until),
            (0, Outcome::Wait, Some(Reason::QuietHours), Some(morning))
        );
        let until = "until Wed 2 December 2026, 08:00 in America/New_York (the contact's time zone)";
        let check = planned.checks.iter().find(|check| check.check == Check::QuietHours).expect("the check");
        let detail = check.detail.as_deref().unwrap_or_default();
        assert_eq!(check.result, CheckOutcome::Fail);
        assert!(detail.starts_with(until) && detail.contains("quiet hours 21:00–08:00; tzdb 20"), "{detail}");
        let awake = world.message_to(15).await;
        assert_eq!((awake.decisions[0].outcome, awake.history[0].until), (Outcome::Send, None));
        assert_eq!(world.accepted_in_all(), 10);

        clock.to(MORNING);
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.quiet.messages), (20, 0));
        world.assert_nobody_twice();
        let woken = world.message_to(3).await;
        assert_eq!((woken.attempts, woken.reason), (1, None));
        assert_eq!(woken.decisions.first(), Some(planned), "that it had to wait stays told");
        assert_eq!(woken.decisions.len(), 2, "{:?}", woken.decisions);
        let born = &woken.history[0];
        assert_eq!((born.state, born.reason, born.until), (State::Queued, Some(Reason::QuietHours), Some(morning)));
        assert_eq!(born.detail.as_deref(), Some(until));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_a_rehearsed_message_had_to_wait_stays_told_whatever_becomes_of_it() {
    let (worlds, clock) = worlds_at(NIGHT).await;
    for mut world in worlds {
        clock.to(NIGHT);
        world.people(1, 2).await;
        live_in(&world, 1..3, "America/New_York").await;
        let campaign = campaign(&world, |draft| NewCampaign { quiet_hours: Some(night()), ..draft }).await;
        world.start();
        let rehearsed = world.engine.campaigns().rehearse(&world.admin, campaign.id).await.expect("a rehearsal").id;
        world.until(rehearsed, "rehearsed", |run| run.status == RunStatus::Rehearsed).await;
        let run = world.launch(&campaign).await.id;
        assert_eq!(run, rehearsed);
        build::set_person(&world.db, ContactId(2), "consent = 'opted_out'").await;
        clock.to(MORNING);
        world.until_completed(run).await;
        for (person, became) in [(1, Outcome::Send), (2, Outcome::Skip)] {
            let message = world.message_to(person).await;
            let [planned, decided] = &message.decisions[..] else { panic!("{:?}", message.decisions) };
            assert_eq!((planned.outcome, planned.reason), (Outcome::Wait, Some(Reason::QuietHours)));
            assert_eq!(planned.until, Some(MORNING.parse().expect("an instant")));
            for check in &planned.checks {
                let is_quiet = check.check == Check::QuietHours;
                let expected = if is_quiet { CheckOutcome::Fail } else { CheckOutcome::Pass };
                assert_eq!(check.result, expected, "everything else was looked at as of the morning: {check:?}");
            }
            assert_eq!((decided.attempt, decided.outcome), (1, became));
            assert_eq!(message.history[0].until, planned.until);
        }
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_at_the_claim_decides_whatever_was_planned() {
    let (worlds, clock) = worlds_at(MORNING).await;
    for mut world in worlds {
        clock.to(MORNING);
        world.people(1, 2).await;
        live_in(&world, 1..3, "America/New_York").await;
        let campaign = campaign(&world, |draft| NewCampaign { quiet_hours: Some(night()), ..draft }).await;
        let run = world.launch(&campaign).await;
        // Planned in the morning, and kept from being sent until the night.
        let hold = |state: &str| serde_json::from_str(&format!(r#"{{"sending":{{"state":"{state}","reason":"x"}}}}"#));
        world.engine.settings().update(&world.admin, hold("held").expect("a patch")).await.expect("held");
        world.start();
        world.until(run.id, "planned", |run| run.ledger.queued == 2 && run.started_at.is_some()).await;
        clock.to("2026-12-03T03:00:00Z");
        world.engine.settings().update(&world.admin, hold("on").expect("a patch")).await.expect("on");
        let run = world.until(run.id, "waiting", |run| run.quiet.messages == 2).await;
        assert_eq!(run.quiet.until, Some("2026-12-03T13:00:00Z".parse().expect("an instant")));
        let waiting = world.message_to(1).await;
        assert_eq!(waiting.attempts, 0, "waiting is no attempt");
        let decision = waiting.decisions.last().expect("a decision");
        assert_eq!((decision.outcome, decision.reason), (Outcome::Wait, Some(Reason::QuietHours)));
        let check = decision.checks.iter().find(|check| check.check == Check::QuietHours).expect("the check");
        let detail = check.detail.as_deref().unwrap_or_default();
        let until = "until Thu 3 December 2026, 08:00 in America/New_York (the contact's time zone)";
        assert!(detail.contains(until) && detail.contains("21:00–08:00"), "{detail}");
        assert_eq!(decision.rules_version, Some(4), "the one in which caps bind single marketing messages");
        assert!(detail.contains("tzdb") && !detail.contains("+1415"), "{detail}");
        assert_eq!(world.accepted_in_all(), 0);
        // And what was sent says when that was where the person is, in which window and by which rules, whatever they
        // have become since.
        clock.to("2026-12-03T14:00:00Z");
        world.until_completed(run.id).await;
        let sent = world.message_to(1).await;
        let decision = sent.decisions.last().expect("a decision");
        assert_eq!(decision.outcome, Outcome::Send);
        let check = decision.checks.iter().find(|check| check.check == Check::QuietHours).expect("the check");
        let detail = check.detail.as_deref().unwrap_or_default();
        let window = "allowed from Thu 3 December 2026, 08:00 to Thu 3 December 2026, 21:00 in America/New_York";
        assert!(detail.starts_with("Thu 3 December 2026, 09:0") && detail.contains(window), "{detail}");
        assert!(detail.contains("quiet hours 21:00–08:00; tzdb 20"), "{detail}");
        live_in(&world, 1..2, "Asia/Colombo").await;
        assert_eq!(world.message_to(1).await.decisions.last(), Some(decision), "told by what was stored");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_zone_is_left_out_and_who_would_be_late_is_dropped() {
    let (worlds, clock) = worlds_at(NIGHT).await;
    for mut world in worlds {
        clock.to(NIGHT);
        world.people(1, 3).await;
        live_in(&world, 1..2, "America/New_York").await;
        live_in(&world, 2..3, "Asia/Colombo").await;
        build::set_person(&world.db, ContactId(3), "phone = '+18005550100'").await;
        let deadline = "PT6H".parse().ok();
        let campaign = campaign(&world, |draft| NewCampaign {
            quiet_hours: Some(night()),
            send_before: deadline,
            late: Late::Drop,
            ..draft
        })
        .await;
        let run = world.launch(&campaign).await;
        world.start();
        // Nobody waits for the morning only to be dropped then.
        let run = world.until_completed(run.id).await;
        let reasons: Vec<_> = run.skipped_by_reason.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
        assert_eq!(reasons, [("deadline_passed", 1), ("needs_timezone", 1)]);
        assert_eq!(handed_over(&run.ledger), 1);
        world.stop().await;
    }
}

async fn template(world: &World, channel: Channel, category: Category) -> TemplateId {
    let new = serde_json::json!({
        "name": format!("{category} by {channel}"), "channel": channel, "category": category, "default_locale": "en",
        "variants": { "en": { "body": "Hello" } },
    });
    let new = serde_json::from_value(new).expect("a template");
    world.engine.templates().create(&world.admin, new).await.expect("a template").id
}

async fn set_rule(world: &World, change: WorkspaceQuietPatch) {
    let patch = SettingsPatch { quiet_hours: Some(change), ..SettingsPatch::default() };
    world.engine.settings().update(&world.admin, patch).await.expect("settings");
}

fn switch(on: bool) -> WorkspaceQuietPatch {
    WorkspaceQuietPatch { enabled: Some(on), reason: Some("a test".to_owned()), ..WorkspaceQuietPatch::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_marketing_waits_and_what_is_asked_for_goes() {
    let (worlds, clock) = worlds_at(NIGHT).await;
    for mut world in worlds {
        clock.to(NIGHT);
        set_rule(&world, switch(true)).await;
        world.people(1, 3).await;
        live_in(&world, 1..4, "America/New_York").await;
        let marketing = template(&world, Channel::Whatsapp, Category::Marketing).await;
        let utility = template(&world, Channel::Whatsapp, Category::Utility).await;
        for (person, template_id, body) in
            [(1, Some(marketing), None), (2, Some(utility), None), (3, None, Some("Your answer".to_owned()))]
        {
            let new = NewMessage {
                phone: build::phone(person),
                template_id,
                body,
                channel: None,
                sender_id: None,
                variables: serde_json::Map::new(),
            };
            world.engine.messages().create(&world.admin, new).await.expect("taken");
        }
        world.start();
        world.until_message(2, State::Delivered).await;
        world.until_message(3, State::Delivered).await;
        let waiting = world.message_to(1).await;
        assert_eq!((waiting.state, waiting.reason), (State::Queued, Some(Reason::QuietHours)));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_follows_a_change_of_the_workspace_s_hours() {
    let (worlds, clock) = worlds_at(NIGHT).await;
    for mut world in worlds {
        clock.to(NIGHT);
        set_rule(&world, switch(true)).await;
        world.people(1, 3).await;
        live_in(&world, 1..4, "America/New_York").await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let waiting = world.until(run.id, "waiting", |run| run.quiet.messages == 3).await;
        assert_eq!(waiting.quiet.until, Some(MORNING.parse().expect("an instant")));
        let earlier = WorkspaceQuietPatch { end: "06:30".parse().ok(), ..switch(true) };
        set_rule(&world, earlier).await;
        let earlier = "2026-12-02T11:30:00Z".parse().ok();
        world.until(run.id, "waiting less", |run| run.quiet.messages == 3 && run.quiet.until == earlier).await;
        assert_eq!(world.accepted_in_all(), 0);
        set_rule(&world, switch(false)).await;
        let run = world.until_completed(run.id).await;
        assert_eq!(handed_over(&run.ledger), 3);
        let message = world.message_to(1).await;
        let decided: Vec<_> = message.decisions.iter().map(|made| (made.attempt, made.outcome, made.until)).collect();
        let first = Some(MORNING.parse().expect("an instant"));
        let expected = [
            (0, Outcome::Wait, first),
            (0, Outcome::Wait, earlier),
            (0, Outcome::Send, None),
            (1, Outcome::Send, None),
        ];
        assert_eq!(decided, expected);
        let waited: Vec<_> = message.history.iter().filter_map(|step| step.until).collect();
        assert_eq!(waited, [first, earlier].map(|until| until.expect("an instant")));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_cannot_be_read_keeps_nobody_of_another_asleep() {
    let (worlds, clock) = worlds_at(NIGHT).await;
    for mut world in worlds {
        clock.to(NIGHT);
        set_rule(&world, switch(true)).await;
        world.people(1, 3).await;
        live_in(&world, 1..4, "America/New_York").await;
        let damaged = world.launch(&world.campaign("Hi").await).await.id;
        let good = world.launch(&world.campaign("Hello").await).await.id;
        world.start();
        for run in [damaged, good] {
            world.until(run, "asleep", |run| run.quiet.messages == 3).await;
        }
        let update = "UPDATE runs SET rules = 'x' || rules WHERE id = $1";
        assert_eq!(store::exec(world.db.writer(), update, vec![damaged.0.into()]).await.expect("damaged"), 1);
        set_rule(&world, switch(false)).await;
        assert_eq!(handed_over(&world.until_completed(good).await.ledger), 3);
        assert_eq!(world.run(damaged).await.quiet.messages, 3);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hours_that_leave_nothing_are_refused_where_they_are_typed_and_at_launch() {
    let (worlds, clock) = worlds_at(MORNING).await;
    for world in worlds {
        clock.to(MORNING);
        world.people(1, 1).await;
        let draft = NewCampaign { template_id: Some(world.template("Hi").await), ..world.draft().await };
        let same = NewCampaign { quiet_hours: Some(hours("09:00", "09:00")), ..draft.clone() };
        let day = NewCampaign { quiet_hours: Some(hours("08:00", "21:00")), ..draft };
        let campaigns = world.engine.campaigns();
        let field = |refused: Result<Campaign, Error>| match refused {
            Err(Error::Invalid(errors)) => errors[0].field.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(field(campaigns.create(&world.admin, same).await), "quiet_hours");
        // By day is impossible only beside the workspace's nights.
        let allowed = campaigns.create(&world.admin, day.clone()).await.expect("a campaign");
        let later = Trigger::Once { at: "2026-12-02T14:00:00Z".to_owned(), local: false, timezone: None };
        let later = NewCampaign { trigger: later, ..day.clone() };
        let later = campaigns.create(&world.admin, later).await.expect("a campaign");
        campaigns.schedule(&world.admin, later.id).await.expect("scheduled");
        set_rule(&world, switch(true)).await;
        assert_eq!(field(campaigns.create(&world.admin, day).await), "quiet_hours");
        let check = campaigns.launch_check(&world.admin, allowed.id).await.expect("a check");
        assert!(check.problems.iter().any(|problem| problem.field == "quiet_hours"), "{:?}", check.problems);
        for refused in
            [campaigns.launch(&world.admin, allowed.id).await, campaigns.rehearse(&world.admin, allowed.id).await]
        {
            assert!(matches!(&refused, Err(Error::Invalid(errors)) if errors[0].field == "quiet_hours"), "{refused:?}");
        }
        // One that was scheduled before is paused when it is due.
        clock.to("2026-12-02T14:00:01Z");
        assert_eq!(scheduler::tick(&world.engine).await.expect("a tick"), 0);
        let paused = campaigns.get(&world.admin, later.id).await.expect("a campaign");
        assert_eq!(paused.status, CampaignStatus::Paused);
        assert!(paused.reason.as_deref().is_some_and(|reason| reason.contains("quiet")), "{:?}", paused.reason);
        let patch = CampaignPatch { quiet_hours: Some(None), ..CampaignPatch::default() };
        let mended = campaigns.update(&world.admin, allowed.id, patch).await.expect("mended");
        assert_eq!(mended.quiet_hours, None);
        // The law table beside a campaign's hours: nobody allows marketing at night.
        let law = WorkspaceQuietPatch { law: Some(true), ..switch(false) };
        set_rule(&world, law).await;
        // From eight to nine in the evening is too late in every country without a line, and not in Kentucky.
        let evening = Some(Some(hours("21:00", "20:00")));
        let patch = CampaignPatch { quiet_hours: evening, ..CampaignPatch::default() };
        campaigns.update(&world.admin, allowed.id, patch).await.expect("elsewhere it goes out");
        let check = campaigns.launch_check(&world.admin, allowed.id).await.expect("a check");
        assert!(check.problems.is_empty(), "{:?}", check.problems);
        let [told] = &check.warnings[..] else { panic!("{:?}", check.warnings) };
        assert!(told.starts_with("Nobody in countries without a line, AU, BE, BR, GB, … could ever get it"), "{told}");
        let patch = CampaignPatch { quiet_hours: Some(None), ..CampaignPatch::default() };
        campaigns.update(&world.admin, allowed.id, patch).await.expect("changed");
        // Nor beside the workspace's.
        let night = WorkspaceQuietPatch {
            start: Some("06:00".parse().expect("a time")),
            end: Some("23:30".parse().expect("a time")),
            ..switch(true)
        };
        let patch = SettingsPatch { quiet_hours: Some(night), ..SettingsPatch::default() };
        match world.engine.settings().update(&world.admin, patch).await {
            Err(Error::Invalid(errors)) => assert_eq!(errors[0].field, "quiet_hours.end"),
            other => panic!("{other:?}"),
        }
        let patch = CampaignPatch { quiet_hours: Some(Some(hours("06:00", "23:30"))), ..CampaignPatch::default() };
        assert_eq!(field(campaigns.update(&world.admin, allowed.id, patch).await), "quiet_hours");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_campaigns_at_once_keep_to_the_cap() {
    for mut world in worlds(Setup::default()).await {
        let cap = FrequencyCap { messages: 1, days: 7, topic: None };
        let patch = SettingsPatch { frequency_caps: Some(vec![cap]), ..SettingsPatch::default() };
        world.engine.settings().update(&world.admin, patch).await.expect("settings");
        world.people(1, 300).await;
        let one = world.launch(&world.campaign("One").await).await;
        let other = world.launch(&world.campaign("Other").await).await;
        world.start();
        let one = world.until_completed(one.id).await;
        let other = world.until_completed(other.id).await;
        assert_eq!(handed_over(&one.ledger) + handed_over(&other.ledger), 300, "{:?} {:?}", one.ledger, other.ledger);
        assert_eq!(one.ledger.skipped + other.ledger.skipped, 300);
        let capped = [&one, &other].map(|run| run.skipped_by_reason.get("frequency_cap").copied().unwrap_or(0));
        assert_eq!(capped.iter().sum::<i64>(), 300);
        world.assert_nobody_twice();
        // What is not marketing is not capped.
        let utility = template(&world, Channel::Whatsapp, Category::Utility).await;
        let notice = campaign(&world, |draft| NewCampaign { template_id: Some(utility), ..draft }).await;
        let notice = world.launch(&notice).await;
        assert_eq!(handed_over(&world.until_completed(notice.id).await.ledger), 300);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cap_of_a_topic_counts_that_topic_and_forgets_after_its_days() {
    let (worlds, clock) = worlds_at(MORNING).await;
    for mut world in worlds {
        clock.to(MORNING);
        world.people(1, 2).await;
        for key in ["offers", "news"] {
            let new = serde_json::from_value(serde_json::json!({ "key": key, "name": key })).expect("a topic");
            world.engine.topics().create(&world.admin, new).await.expect("a topic");
            for person in 1..3 {
                let topics = world.engine.contacts();
                topics.subscribe(&world.admin, &build::phone(person), key).await.expect("subscribed");
            }
        }
        let cap = FrequencyCap { messages: 1, days: 2, topic: Some("offers".to_owned()) };
        let patch = SettingsPatch { frequency_caps: Some(vec![cap]), ..SettingsPatch::default() };
        world.engine.settings().update(&world.admin, patch).await.expect("settings");
        world.start();
        let run = async |topic: &str| {
            let topic = Some(topic.to_owned());
            let run = world.launch(&campaign(&world, |draft| NewCampaign { topic, ..draft }).await).await;
            handed_over(&world.until_completed(run.id).await.ledger)
        };
        assert_eq!(run("offers").await, 2);
        assert_eq!(run("offers").await, 0);
        assert_eq!(run("news").await, 2, "another topic");
        clock.to("2026-12-04T13:01:00Z");
        assert_eq!(run("offers").await, 2, "two days later");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn law_lets_three_a_day_through_where_people_live() {
    // Ten in the morning in Miami.
    let (worlds, clock) = worlds_at("2026-12-02T15:00:00Z").await;
    for mut world in worlds {
        clock.to("2026-12-02T15:00:00Z");
        set_rule(&world, WorkspaceQuietPatch { law: Some(true), ..switch(false) }).await;
        world.people(1, 2).await;
        live_in(&world, 1..3, "America/New_York").await;
        build::set_person(&world.db, ContactId(1), "phone = '+13055550100'").await;
        build::set_person(&world.db, ContactId(2), "phone = '+12125550100'").await;
        world.start();
        let marketing = template(&world, Channel::Whatsapp, Category::Marketing).await;
        let mut outcomes = Vec::new();
        for _ in 0..4 {
            let campaign = campaign(&world, |draft| NewCampaign { template_id: Some(marketing), ..draft }).await;
            let run = world.launch(&campaign).await;
            let run = world.until_completed(run.id).await;
            outcomes.push((handed_over(&run.ledger), run.skipped_by_reason.get("frequency_cap").copied()));
        }
        assert_eq!(outcomes, [(2, None), (2, None), (2, None), (1, Some(1))], "{:?}", world.db.kind());
        clock.to("2026-12-03T15:30:00Z");
        let campaign = campaign(&world, |draft| NewCampaign { template_id: Some(marketing), ..draft }).await;
        let run = world.launch(&campaign).await;
        assert_eq!(handed_over(&world.until_completed(run.id).await.ledger), 2, "24 hours are over");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_marketing_counts_towards_the_caps_and_keeps_to_them() {
    const MIAMI: &str = "+13055550100";
    const NEW_YORK: &str = "+12125550100";
    let (worlds, clock) = worlds_at("2026-12-02T15:00:00Z").await;
    for mut world in worlds {
        clock.to("2026-12-02T15:00:00Z");
        set_rule(&world, WorkspaceQuietPatch { law: Some(true), ..switch(false) }).await;
        world.people(1, 2).await;
        live_in(&world, 1..3, "America/New_York").await;
        build::set_person(&world.db, ContactId(1), &format!("phone = '{MIAMI}'")).await;
        build::set_person(&world.db, ContactId(2), &format!("phone = '{NEW_YORK}'")).await;
        let marketing = template(&world, Channel::Whatsapp, Category::Marketing).await;
        let utility = template(&world, Channel::Whatsapp, Category::Utility).await;
        world.start();
        let to = |phone: &str, template_id: Option<TemplateId>| NewMessage {
            phone: phone.parse().expect("a number"),
            template_id,
            body: template_id.is_none().then(|| "Your answer".to_owned()),
            channel: Some(Channel::Whatsapp),
            sender_id: None,
            variables: serde_json::Map::new(),
        };
        // What became of each of them, in order.
        let became = async |all: Vec<NewMessage>| {
            let mut ids = Vec::new();
            for new in all {
                ids.push(world.engine.messages().create(&world.admin, new).await.expect("taken").id);
            }
            let mut states = Vec::new();
            for id in ids {
                let settled = async {
                    loop {
                        let message = world.engine.messages().get(&world.admin, id).await.expect("a message");
                        if matches!(message.state, State::Delivered | State::Skipped) {
                            return (message.state, message.reason);
                        }
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                };
                states.push(tokio::time::timeout(Duration::from_secs(20), settled).await.expect("it is through"));
            }
            states
        };
        let (sent, capped) = ((State::Delivered, None), (State::Skipped, Some(Reason::FrequencyCap)));
        let all = [Some(utility), Some(marketing), Some(marketing), Some(marketing), Some(marketing), None];
        let all = |phone: &str| all.iter().map(|template| to(phone, *template)).collect::<Vec<_>>();
        let kind = world.db.kind();
        assert_eq!(became(all(MIAMI)).await, [sent, sent, sent, sent, capped, sent], "{kind:?}: three a day, by law");
        assert_eq!(became(all(NEW_YORK)).await, [sent; 6], "{kind:?}");
        let left = campaign(&world, |draft| NewCampaign { template_id: Some(marketing), ..draft }).await;
        let run = world.until_completed(world.launch(&left).await.id).await;
        assert_eq!(
            (handed_over(&run.ledger), run.skipped_by_reason.get("frequency_cap").copied()),
            (1, Some(1)),
            "a campaign counts them: {kind:?}"
        );
        // Four single ones and the campaign's: one more is enough.
        let topic = FrequencyCap { messages: 1, days: 7, topic: Some("offers".to_owned()) };
        let new = serde_json::from_value(serde_json::json!({ "key": "offers", "name": "Offers" })).expect("a topic");
        world.engine.topics().create(&world.admin, new).await.expect("a topic");
        let caps = vec![FrequencyCap { messages: 6, days: 7, topic: None }, topic];
        let patch = SettingsPatch { frequency_caps: Some(caps), ..SettingsPatch::default() };
        world.engine.settings().update(&world.admin, patch).await.expect("settings");
        // They are in effect within a second.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let two = vec![to(NEW_YORK, Some(marketing)), to(NEW_YORK, Some(marketing)), to(NEW_YORK, Some(utility))];
        assert_eq!(became(two).await, [sent, capped, sent], "{kind:?}: by the workspace");
        world.stop().await;
    }
}

async fn set_lines(world: &World, lines: Vec<OwnLawLine>) {
    let patch = SettingsPatch { law_lines: Some(lines), ..SettingsPatch::default() };
    world.engine.settings().update(&world.admin, patch).await.expect("settings");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_of_the_workspace_binds_marketing_beside_the_law_table_until_it_is_removed() {
    // Ten in the morning in New York: the table allows it, to people with numbers of California.
    const FORENOON: &str = "2026-12-02T15:00:00Z";
    let noon: Timestamp = "2026-12-02T17:00:00Z".parse().expect("an instant");
    let (worlds, clock) = worlds_at(FORENOON).await;
    for mut world in worlds {
        clock.to(FORENOON);
        set_rule(&world, WorkspaceQuietPatch { law: Some(true), ..switch(false) }).await;
        world.people(1, 3).await;
        live_in(&world, 1..4, "America/New_York").await;
        let line = OwnLawLine {
            country: "US".to_owned(),
            subdivision: "CA".to_owned(),
            days: "Mon-Fri".to_owned(),
            from: "12:00".to_owned(),
            to: "23:00".to_owned(),
            holidays: false,
            valid_from: None,
            valid_to: None,
            source: "Bill 12 of California".to_owned(),
            read_on: "2026-11-23".to_owned(),
        };
        let marketing = template(&world, Channel::Whatsapp, Category::Marketing).await;
        let offer = campaign(&world, |draft| NewCampaign { template_id: Some(marketing), ..draft }).await;
        // Planned while there was no such line: the claim goes by what holds then.
        let hold = |state: &str| serde_json::from_str(&format!(r#"{{"sending":{{"state":"{state}","reason":"x"}}}}"#));
        world.engine.settings().update(&world.admin, hold("held").expect("a patch")).await.expect("held");
        let run = world.launch(&offer).await;
        world.start();
        world.until(run.id, "planned", |run| run.ledger.queued == 3 && run.started_at.is_some()).await;
        set_lines(&world, vec![line.clone()]).await;
        world.engine.settings().update(&world.admin, hold("on").expect("a patch")).await.expect("on");
        let waiting = world.until(run.id, "waiting", |run| run.quiet.messages == 3).await;
        assert_eq!((waiting.quiet.until, world.accepted_in_all()), (Some(noon), 0));
        let message = world.message_to(1).await;
        let checks = message.decisions.iter().flat_map(|decision| &decision.checks);
        let details: Vec<_> = checks.filter_map(|check| check.detail.as_deref()).collect();
        assert!(details.iter().any(|detail| detail.contains("Bill 12 of California")), "{details:?}");
        // Planned with the line, the next ones wait at once. What is no marketing goes.
        let again = campaign(&world, |draft| NewCampaign { template_id: Some(marketing), ..draft }).await;
        let again = world.launch(&again).await;
        let again = world.until(again.id, "waiting", |run| run.quiet.messages == 3).await;
        assert_eq!(again.quiet.until, Some(noon));
        let utility = template(&world, Channel::Whatsapp, Category::Utility).await;
        let notice = campaign(&world, |draft| NewCampaign { template_id: Some(utility), ..draft }).await;
        let notice = world.launch(&notice).await;
        assert_eq!(handed_over(&world.until_completed(notice.id).await.ledger), 3);
        // Without the line nobody waits any more.
        set_lines(&world, Vec::new()).await;
        for run in [run.id, again.id] {
            let run = world.until_completed(run).await;
            assert_eq!((handed_over(&run.ledger), run.quiet.messages), (3, 0));
        }
        let audit = world.engine.audit().list(&world.admin, &PageRequest::default()).await.expect("the audit log");
        let audit: Vec<_> = audit.items.iter().filter(|line| line.action == "change_law_lines").collect();
        let line = serde_json::to_value(&line).expect("JSON");
        let details: Vec<_> = audit.iter().map(|line| line.detail.clone()).collect();
        let expected = [
            serde_json::json!({ "former": [line], "lines": [] }),
            serde_json::json!({ "former": [], "lines": [line] }),
        ];
        assert_eq!(details, expected);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hours_that_close_a_place_of_the_workspaces_lines_are_told() {
    let (worlds, clock) = worlds_at(MORNING).await;
    for world in worlds {
        clock.to(MORNING);
        world.people(1, 1).await;
        set_rule(&world, WorkspaceQuietPatch { law: Some(true), ..switch(false) }).await;
        // The table allows it, and while the workspace has no hours nothing speaks against it.
        let line = OwnLawLine {
            country: "FR".to_owned(),
            subdivision: "*".to_owned(),
            days: "Mon-Sat".to_owned(),
            from: "21:00".to_owned(),
            to: "22:00".to_owned(),
            holidays: false,
            valid_from: None,
            valid_to: None,
            source: "Arrêté 7".to_owned(),
            read_on: "2026-11-23".to_owned(),
        };
        set_lines(&world, vec![line]).await;
        let on = SettingsPatch { quiet_hours: Some(switch(true)), ..SettingsPatch::default() };
        match world.engine.settings().update(&world.admin, on).await {
            Err(Error::Invalid(errors)) => {
                assert!(
                    matches!(&errors[..], [one] if one.field == "quiet_hours.end" && one.message.contains("FR,")),
                    "{errors:?}"
                );
            }
            other => panic!("nobody in France would get anything: {other:?}"),
        }
        set_rule(&world, WorkspaceQuietPatch { start: "22:00".parse().ok(), ..switch(true) }).await;
        // A campaign's own hours are its own affair: elsewhere it goes out.
        let marketing = template(&world, Channel::Whatsapp, Category::Marketing).await;
        let utility = template(&world, Channel::Whatsapp, Category::Utility).await;
        for (template, quiet, told) in [
            (marketing, Some(night()), true),
            (marketing, Some(hours("22:00", "08:00")), false),
            (marketing, None, false),
            (utility, Some(night()), false),
        ] {
            let change = |draft| NewCampaign { template_id: Some(template), quiet_hours: quiet, ..draft };
            let campaign = campaign(&world, change).await;
            let check = world.engine.campaigns().launch_check(&world.admin, campaign.id).await.expect("a check");
            assert!(check.problems.is_empty(), "{:?}", check.problems);
            let closed = check.warnings.iter().any(|text| text.starts_with("Nobody in FR could ever get it"));
            assert_eq!(closed, told, "{quiet:?}: {:?}", check.warnings);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_wakes_people_for_what_cannot_wait_but_not_for_marketing() {
    let (worlds, clock) = worlds_at(NIGHT).await;
    for mut world in worlds {
        clock.to(NIGHT);
        set_rule(&world, switch(true)).await;
        world.people(1, 10).await;
        live_in(&world, 1..11, "America/New_York").await;
        world.start();
        let reason = |text: &str| OverrideQuietHours { reason: text.to_owned() };
        let campaigns = world.engine.campaigns();

        let marketing = template(&world, Channel::Whatsapp, Category::Marketing).await;
        let offer = campaign(&world, |draft| NewCampaign { template_id: Some(marketing), ..draft }).await;
        let run = world.launch(&offer).await;
        world.until(run.id, "everybody sleeps", |run| run.quiet.messages == 10).await;
        let refused = campaigns.override_quiet_hours(&world.admin, offer.id, &reason("a sale")).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");

        let utility = template(&world, Channel::Whatsapp, Category::Utility).await;
        let notice = campaign(&world, |draft| NewCampaign { template_id: Some(utility), ..draft }).await;
        let run = world.launch(&notice).await;
        world.until(run.id, "everybody sleeps", |run| run.quiet.messages == 10).await;
        let refused = campaigns.override_quiet_hours(&world.admin, notice.id, &reason("  ")).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        let marketer = Actor::new(ActorKind::ApiKey, "a program", Role::Marketer);
        let refused = campaigns.override_quiet_hours(&marketer, notice.id, &reason("water")).await;
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
        campaigns.override_quiet_hours(&world.admin, notice.id, &reason("The water is not safe")).await.expect("woken");
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), run.quiet.messages), (10, 0));
        assert_eq!(world.accepted_in_all(), 10, "the offer still waits");
        let listed = world.engine.runs().list(&world.admin, notice.id, &PageRequest::default()).await.expect("runs");
        assert_eq!((listed.items[0].quiet, run.quiet.overridden), (run.quiet, true), "the list says the same");
        assert_eq!(listed.items[0].quiet_overrides, run.quiet_overrides);
        let [said] = &run.quiet_overrides[..] else { panic!("{:?}", run.quiet_overrides) };
        assert_eq!((said.by.kind, &*said.reason, said.until), (ActorKind::CommandLine, "The water is not safe", None));
        // And each message says so: where it was woken, and where it was sent.
        let why = campaigns.why(&world.admin, notice.id, &build::phone(1), Some(run.id)).await.expect("why");
        let decided: Vec<_> = why.message.expect("the message").decisions;
        let outcomes: Vec<_> = decided.iter().map(|made| (made.attempt, made.outcome)).collect();
        assert_eq!(outcomes, [(0, Outcome::Wait), (0, Outcome::Send), (1, Outcome::Send)]);
        for made in &decided[1..] {
            let check = made.checks.iter().find(|check| check.check == Check::QuietHours).expect("the check");
            let words = "quiet hours overridden by the command line: The water is not safe";
            assert_eq!((check.result, check.detail.as_deref()), (CheckOutcome::Pass, Some(words)));
        }
        let audit = world.engine.audit().list(&world.admin, &PageRequest::default()).await.expect("the audit log");
        let line = audit.items.iter().find(|line| line.action == "override_quiet_hours").expect("a line");
        assert!(line.detail.to_string().contains("The water is not safe"), "{line:?}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_that_listens_keeps_to_quiet_hours_again_when_an_admin_says_so() {
    let (worlds, clock) = worlds_at(NIGHT).await;
    for mut world in worlds {
        clock.to(NIGHT);
        set_rule(&world, switch(true)).await;
        world.people(1, 2).await;
        live_in(&world, 1..3, "America/New_York").await;
        world.start();
        let campaigns = world.engine.campaigns();
        let utility = template(&world, Channel::Whatsapp, Category::Utility).await;
        let trigger = Trigger::Event { name: "water".to_owned(), delay: None, debounce: None };
        let notice = campaign(&world, |draft| NewCampaign { template_id: Some(utility), trigger, ..draft }).await;
        campaigns.schedule(&world.admin, notice.id).await.expect("it listens");
        let refused = campaigns.restore_quiet_hours(&world.admin, notice.id).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
        let asked = OverrideQuietHours { reason: "The water is not safe".to_owned() };
        let run = campaigns.override_quiet_hours(&world.admin, notice.id, &asked).await.expect("woken").run;
        let run = run.expect("a run").id;
        let event = |person: i64| {
            let phone = build::phone(person);
            format!(r#"{{"id":"{person}","name":"water","phone":"{phone}"}}"#)
        };
        let take = async |person| {
            let body = futures::stream::iter([Ok(event(person).into_bytes().into())]);
            world.engine.trigger_events().ingest(&world.admin, body, None).await.expect("taken");
        };
        take(1).await;
        world.until(run, "woken", |run| handed_over(&run.ledger) == 1 && run.quiet.overridden).await;
        let marketer = Actor::new(ActorKind::ApiKey, "a program", Role::Marketer);
        let refused = campaigns.restore_quiet_hours(&marketer, notice.id).await;
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
        campaigns.restore_quiet_hours(&world.admin, notice.id).await.expect("taken back");
        tokio::time::sleep(Duration::from_secs(1)).await;
        take(2).await;
        let run = world.until(run, "asleep", |run| run.quiet.messages == 1).await;
        assert_eq!((handed_over(&run.ledger), run.quiet.overridden), (1, false));
        assert!(matches!(&run.quiet_overrides[..], [said] if said.until.is_some()), "{:?}", run.quiet_overrides);
        let audit = world.engine.audit().list(&world.admin, &PageRequest::default()).await.expect("the audit log");
        assert!(audit.items.iter().any(|line| line.action == "restore_quiet_hours"));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sms_near_the_end_of_its_window_may_not_wait_at_the_provider_beyond_it() {
    // Eight minutes before nine in the evening in New York.
    const EVENING: &str = "2026-12-03T01:52:00Z";
    let (worlds, clock) = worlds_at(EVENING).await;
    for mut world in worlds {
        clock.to(EVENING);
        world.people(1, 1).await;
        live_in(&world, 1..2, "America/New_York").await;
        let template = world.template_for(Channel::Sms, "Hi").await;
        let draft = NewCampaign { template_id: Some(template), quiet_hours: Some(night()), ..world.draft().await };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        let run = world.launch(&campaign).await;
        world.start();
        world.until_completed(run.id).await;
        let filter = MessageFilter { to: Some(build::phone(1).to_string()), ..MessageFilter::default() };
        let sent = world.twilio.simulator.control().messages(&filter).remove(0);
        let seconds = sent.validity_period.expect("SMS may not wait for ever");
        // It counts from when the provider takes the request, which may be as late as the request's time-out.
        let timeout = u16::try_from(world.engine.config().provider.timeout.as_secs()).expect("seconds");
        assert!((420 - timeout..=480 - timeout).contains(&seconds), "{seconds} s are left of the window");
        world.stop().await;
    }
}

/// Sixty-five seconds before nine in the evening in New York.
const CLOSING: &str = "2026-12-03T01:58:55Z";

/// Six are claimed, one of them is on the wire, and the others wait for its place: until the clock is moved on.
async fn six_in_hand(world: &mut World, change: impl FnOnce(NewCampaign) -> NewCampaign) -> domain::ids::RunId {
    world.people(1, 6).await;
    live_in(world, 1..7, "America/New_York").await;
    let run = world.launch(&campaign(world, change).await).await;
    world.start();
    world.until(run.id, "all claimed", |run| run.ledger.sending == 6).await;
    run.id
}

fn one_at_a_time(clock: &Arc<Moved>) -> Setup {
    let mut setup = Setup { concurrency: 1, clock: clock.clone(), ..Setup::default() };
    setup.simulator.latency_ms = 1_500;
    setup
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waited_for_a_place_is_not_handed_over_when_the_window_has_closed_meanwhile() {
    let clock = Arc::new(Moved::default());
    clock.to(CLOSING);
    for mut world in worlds(one_at_a_time(&clock)).await {
        clock.to(CLOSING);
        let run = six_in_hand(&mut world, |draft| NewCampaign { quiet_hours: Some(night()), ..draft }).await;
        // Within the lease, and within half a minute of the window's end.
        clock.by(36 * Timestamp::SECOND);
        let asleep = |run: &domain::run::Run| run.ledger.queued >= 4 && run.quiet.messages == run.ledger.queued;
        let run = world.until(run, "asleep", |run| run.ledger.sending == 0 && asleep(run)).await;
        assert_eq!(run.quiet.until, Some("2026-12-03T13:00:00Z".parse().expect("an instant")));
        assert_eq!(world.accepted_in_all() + u64::try_from(run.ledger.queued).expect("few"), 6);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waited_for_a_place_is_dropped_when_its_time_is_up_meanwhile() {
    let clock = Arc::new(Moved::default());
    clock.to(MORNING);
    for mut world in worlds(one_at_a_time(&clock)).await {
        clock.to(MORNING);
        let deadline = "PT30S".parse().ok();
        let run =
            six_in_hand(&mut world, |draft| NewCampaign { send_before: deadline, late: Late::Drop, ..draft }).await;
        clock.by(31 * Timestamp::SECOND);
        let run = world.until_completed(run).await;
        let dropped = run.skipped_by_reason.get("deadline_passed").copied().unwrap_or(0);
        assert!(dropped >= 4, "{:?}", run.ledger);
        assert_eq!(world.accepted_in_all() + u64::try_from(dropped).expect("few"), 6);
        world.stop().await;
    }
}
