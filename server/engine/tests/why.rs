//! "Why?" for people who were not in a plan, and what forecasts keep, through whole runs.

mod world;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::{
    campaign::NewCampaign,
    consent::Consent,
    contact::NewContact,
    ids::ContactId,
    phone::Phone,
    segment::NewSegment,
    settings::SettingsPatch,
    time::Timestamp,
    why::{RuleResult, Why, WhyNot},
};
use serde_json::json;
use testkit::build;
use world::{Moved, Setup, World, handed_over, worlds};

async fn why(world: &World, campaign: domain::ids::CampaignId, phone: &Phone) -> Why {
    world.engine.campaigns().why(&world.admin, campaign, phone, None).await.expect("an answer")
}

fn failing(rule: &RuleResult, found: &mut Vec<String>) {
    if let (Some(field), false) = (&rule.field, rule.holds) {
        found.push(format!("{field}={}", rule.actual));
    }
    rule.rules.iter().for_each(|rule| failing(rule, found));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_say_who_was_left_out_and_by_which_of_them() {
    for mut world in worlds(Setup::default()).await {
        let segments = world.engine.segments();
        let inner = json!({"combinator": "or", "rules": [
            {"field": "attributes.city", "operator": "=", "value": "Colombo"},
            {"field": "attributes.home.city", "operator": "=", "value": "Colombo"}]});
        let new = NewSegment { name: "In Colombo".to_owned(), definition: inner };
        let inner = segments.create(&world.admin, new).await.expect("a segment");
        let outer = json!({"combinator": "and", "rules": [
            {"field": "segment", "operator": "=", "value": inner.id.to_string()},
            {"combinator": "and", "not": true, "rules": [{"field": "attributes.vip", "operator": "=", "value": false}]}]});
        let new = NewSegment { name: "Important in Colombo".to_owned(), definition: outer };
        let outer = segments.create(&world.admin, new).await.expect("a segment");

        build::people(&world.db, 1, 4, Consent::OptedIn).await;
        for (person, attributes) in [
            (1, r#"{"city":"Colombo"}"#),
            (2, r#"{"city":"Kandy","home":{"city":"Galle"}}"#),
            (3, r#"{"home":{"city":"Colombo"},"vip":false}"#),
            (4, "{}"),
        ] {
            build::set_person(&world.db, ContactId(person), &format!("attributes = '{attributes}'")).await;
        }
        build::set_person(&world.db, ContactId(4), "consent = 'opted_out', suppressed = TRUE").await;
        let draft = NewCampaign {
            template_id: Some(world.template("Hi").await),
            segment_id: Some(outer.id),
            ..world.draft().await
        };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign").id;
        let before = why(&world, campaign, &build::phone(1)).await;
        assert_eq!((before.answer, before.run_id), (WhyNot::NotPlanned, None));

        let run = world.engine.campaigns().launch(&world.admin, campaign).await.expect("launched");
        // Nobody plans it yet.
        let under_way = why(&world, campaign, &build::phone(1)).await;
        assert_eq!((under_way.answer, under_way.run_id), (WhyNot::NotPlannedYet, Some(run.id)));
        world.start();
        world.until_completed(run.id).await;
        let got = why(&world, campaign, &build::phone(1)).await;
        assert_eq!((got.answer, got.run_id, got.rules), (WhyNot::InPlan, Some(run.id), None));
        assert!(!got.message.expect("the message").decisions.is_empty());

        for (person, expected) in [
            (2, vec![r#"attributes.city="Kandy""#, r#"attributes.home.city="Galle""#, "attributes.vip=null"]),
            (3, vec!["attributes.city=null"]),
            (4, vec!["attributes.city=null", "attributes.home.city=null", "attributes.vip=null"]),
        ] {
            let left_out = why(&world, campaign, &build::phone(person)).await;
            assert_eq!((left_out.answer, left_out.suppressed), (WhyNot::NotInAudience, person == 4), "{person}");
            let rules = left_out.rules.expect("rules");
            let mut found = Vec::new();
            failing(&rules, &mut found);
            assert_eq!(found, expected, "{person}");
            let [named, not_vip] = &rules.rules[..] else { panic!("{rules:?}") };
            assert_eq!(named.segment.as_deref(), Some("In Colombo"));
            assert_eq!((named.holds, not_vip.holds, rules.holds), (person == 3, person != 3, false), "{person}");
        }

        let nobody = why(&world, campaign, &build::phone(99)).await;
        assert_eq!((nobody.answer, nobody.consent), (WhyNot::UnknownNumber, None));
        let new = NewContact {
            phone: "+94771234567".to_owned(),
            attributes: json!({"city": "Colombo"}).as_object().cloned().expect("an object"),
            consent: None,
            timezone: None,
            locale: None,
            topics: Vec::new(),
        };
        let late = world.engine.contacts().create(&world.admin, new).await.expect("a contact").phone;
        assert_eq!(why(&world, campaign, &late).await.answer, WhyNot::CameLater);
        build::set_person(&world.db, ContactId(2), r#"attributes = '{"city":"Colombo"}'"#).await;
        assert_eq!(why(&world, campaign, &build::phone(2)).await.answer, WhyNot::ChangedLater);
        world.stop().await;

        let again = world.engine.campaigns().duplicate(&world.admin, campaign).await.expect("a copy").id;
        world.engine.campaigns().launch(&world.admin, again).await.expect("launched");
        world.engine.campaigns().cancel(&world.admin, again).await.expect("cancelled");
        assert_eq!(why(&world, again, &build::phone(1)).await.answer, WhyNot::EndedBefore);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_run_of_a_campaign_can_be_asked_about() {
    let clock = Arc::new(Moved::default());
    clock.to("2026-11-28T08:59:00Z");
    for mut world in worlds(Setup { clock: clock.clone(), ..Setup::default() }).await {
        clock.to("2026-11-28T08:59:00Z");
        world.people(1, 1).await;
        let draft = NewCampaign {
            template_id: Some(world.template("Hi").await),
            trigger: domain::campaign::Trigger::Cron {
                expression: "0 * * * *".to_owned(),
                timezone: Some("UTC".to_owned()),
                until: None,
                count: None,
            },
            ..world.draft().await
        };
        let campaigns = world.engine.campaigns();
        let campaign = campaigns.create(&world.admin, draft).await.expect("a campaign").id;
        campaigns.schedule(&world.admin, campaign).await.expect("scheduled");
        world.start();
        let mut runs = Vec::new();
        for (due, number) in [("2026-11-28T09:00:00Z", 1), ("2026-11-28T10:00:00Z", 2)] {
            clock.to(due);
            let run = async {
                loop {
                    let page = domain::page::PageRequest::first(5);
                    let all = world.engine.runs().list(&world.admin, campaign, &page).await.expect("runs").items;
                    match all.first().filter(|run| run.number == number) {
                        Some(run) => return run.id,
                        None => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                }
            };
            let run = tokio::time::timeout(Duration::from_secs(20), run).await.expect("a run");
            world.until_completed(run).await;
            runs.push(run);
        }
        let phone = build::phone(1);
        let ask = async |run| world.engine.campaigns().why(&world.admin, campaign, &phone, run).await;
        let latest = ask(None).await.expect("an answer");
        assert_eq!((latest.run_id, latest.answer), (Some(runs[1]), WhyNot::InPlan));
        let of: Vec<_> = latest.messages.iter().map(|message| message.run_id).collect();
        assert_eq!(of, [Some(runs[1]), Some(runs[0])], "newest first");
        let first = ask(Some(runs[0])).await.expect("an answer");
        assert_eq!((first.run_id, first.message.and_then(|message| message.run_id)), (Some(runs[0]), Some(runs[0])));
        let other = world.campaign("Ciao").await.id;
        let not_its_own = world.engine.campaigns().why(&world.admin, other, &phone, Some(runs[0])).await;
        assert!(matches!(not_its_own, Err(engine::Error::NotFound { .. })), "{not_its_own:?}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_expected_stands_beside_what_happened() {
    for mut world in worlds(Setup { rate_per_second: 20, ..Setup::default() }).await {
        world.people(1, 60).await;
        let campaign = world.campaign("Hi").await;
        world.start();
        let run = world.engine.campaigns().rehearse(&world.admin, campaign.id).await.expect("a rehearsal");
        let run = world.until(run.id, "rehearsed", |run| run.status == domain::run::RunStatus::Rehearsed).await;
        let last = *run.forecast.curve.last().expect("a curve");
        assert_eq!((last.sent, Some(last.at)), (60, run.forecast.finish_at));
        let seconds = last.at.since(world.engine.now()) / Timestamp::SECOND;
        assert!((1..=3).contains(&seconds), "sixty at twenty a second: {seconds}");

        let of_day: SettingsPatch =
            serde_json::from_value(json!({"whatsapp_daily_people": 40, "whatsapp_reply_share": 0})).expect("a patch");
        world.engine.settings().update(&world.admin, of_day).await.expect("a limit");
        let limited = world.run(run.id).await.forecast;
        assert!(limited.finish_at.is_some_and(|at| at.since(world.engine.now()) > 23 * Timestamp::HOUR), "{limited:?}");
        let none: SettingsPatch = serde_json::from_value(json!({"whatsapp_daily_people": null})).expect("a patch");
        world.engine.settings().update(&world.admin, none).await.expect("no limit");

        world.launch(&campaign).await;
        let kept = world.until(run.id, "foretold", |run| run.forecast.at_launch.is_some()).await;
        world.until_completed(run.id).await;
        let done = world.run(run.id).await;
        assert_eq!(handed_over(&done.ledger), 60);
        assert_eq!(done.forecast.at_launch, kept.forecast.at_launch, "it stays as it was");
        let expected = done.forecast.at_launch.expect("an expectation");
        assert_eq!(expected.curve.last().map(|point| point.sent), Some(60));
        assert_eq!((done.forecast.finish_at, done.forecast.curve.len()), (None, 0));
        // What was noted on the way, three seconds long; and where it ended.
        let actual = done.forecast.actual;
        assert!(actual.iter().any(|point| (1..60).contains(&point.sent)), "{actual:?}");
        assert_eq!(actual.last().map(|last| (Some(last.at), last.sent)), Some((done.finished_at, 60)));
        world.stop().await;
    }
}

/// What went out before a run was paused stays where it was, however long it is paused, and nothing went out since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_drawn_for_the_time_of_a_pause() {
    let clock = Arc::new(Moved::default());
    for mut world in worlds(Setup { rate_per_second: 20, clock: clock.clone(), ..Setup::default() }).await {
        world.people(1, 200).await;
        let campaign = world.campaign("Hi").await;
        world.start();
        let run = world.launch(&campaign).await;
        world.until(run.id, "under way", |run| handed_over(&run.ledger) >= 30).await;
        world.engine.campaigns().pause(&world.admin, campaign.id).await.expect("paused");
        let paused = world.until(run.id, "settled", |run| run.ledger.sending + run.ledger.unknown == 0).await;
        let sent = handed_over(&paused.ledger);
        // What the last second brought is noted within the next.
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        let since = world.engine.now();
        clock.by(Timestamp::HOUR);
        let actual = world.run(run.id).await.forecast.actual;
        let first = actual.iter().find(|point| point.sent == sent).expect("all of it");
        assert!(first.at <= since, "an hour of nothing: {actual:?}");
        assert_eq!(actual.last().map(|last| last.sent), Some(sent));
        world.stop().await;
    }
}

/// A forecast reads what is queued in parts: together they are the whole, and nobody is in two of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_is_read_part_by_part() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 25).await;
        let campaign = world.campaign("Hi").await;
        world.start();
        let run = world.engine.campaigns().rehearse(&world.admin, campaign.id).await.expect("a rehearsal");
        world.until(run.id, "rehearsed", |run| run.status == domain::run::RunStatus::Rehearsed).await;
        let db = world.db.clone();
        // Some are due later than the others, in no order of theirs.
        let later = world.engine.now().plus(Timestamp::DAY);
        let update = "UPDATE messages SET not_before = $1 + id * 7 % 3 * 3600000000 WHERE run_id = $2 AND id % 2 = 0";
        store::exec(db.writer(), update, vec![later.as_micros().into(), run.id.0.into()]).await.expect("moved");
        for by_clock in [false, true] {
            let asked = (world.engine.now(), by_clock);
            let whole = store::runs::due_part(db.reader(), run.id, asked, None, 1_000).await.expect("all");
            assert_eq!((whole.groups.iter().map(|group| group.count).sum::<i64>(), whole.next), (25, None));
            let (mut parts, mut after, mut sizes) = (BTreeMap::new(), None, Vec::new());
            loop {
                let part = store::runs::due_part(db.reader(), run.id, asked, after, 7).await.expect("a part");
                sizes.push(part.groups.iter().map(|group| group.count).sum::<i64>());
                for group in part.groups {
                    let clock = group.someone.as_ref().map(|someone| format!("{:?}", someone.clock()));
                    *parts.entry((group.at, clock)).or_insert(0) += group.count;
                }
                after = part.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(sizes, [7, 7, 7, 4]);
            let exact = store::runs::due_part(db.reader(), run.id, asked, None, 25).await.expect("all");
            let none = store::runs::due_part(db.reader(), run.id, asked, exact.next, 25).await.expect("nothing more");
            assert_eq!((none.groups.len(), none.next), (0, None));
            let of = |group: &store::runs::DueGroup| {
                let clock = group.someone.as_ref().map(|someone| format!("{:?}", someone.clock()));
                ((group.at, clock), group.count)
            };
            assert_eq!(parts, whole.groups.iter().map(of).collect(), "by_clock {by_clock}");
        }
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_in_an_audience_without_rules() {
    for world in worlds(Setup::default()).await {
        world.people(1, 1).await;
        let campaign = world.campaign("Hi").await;
        let asked = why(&world, campaign.id, &build::phone(1)).await;
        assert_eq!(asked.answer, WhyNot::NotPlanned);
        assert!(asked.rules.expect("rules").holds);
    }
}

/// A rule that counts days back from the plan is told as it was then, not as it would be today.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_that_count_back_do_so_from_the_plan() {
    let clock = Arc::new(Moved::default());
    for mut world in worlds(Setup { clock: clock.clone(), ..Setup::default() }).await {
        clock.to("2026-11-28T12:00:00Z");
        build::people(&world.db, 1, 2, Consent::OptedIn).await;
        for (person, since) in [(1, "2026-11-01T00:00:00Z"), (2, "2026-11-26T00:00:00Z")] {
            let since: Timestamp = since.parse().expect("an instant");
            build::set_person(&world.db, ContactId(person), &format!("created_at = {}", since.as_micros())).await;
        }
        let rule = json!({"field": "created_at", "operator": "notWithinLast", "value": {"n": 7, "unit": "days"}});
        let definition = json!({"combinator": "and", "rules": [rule]});
        let new = NewSegment { name: "Not new".to_owned(), definition };
        let segment = world.engine.segments().create(&world.admin, new).await.expect("a segment");
        let template_id = Some(world.template("Hi").await);
        let draft = NewCampaign { template_id, segment_id: Some(segment.id), ..world.draft().await };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        let run = world.launch(&campaign).await;
        world.start();
        world.until_completed(run.id).await;
        clock.to("2026-12-07T12:00:00Z");
        assert_eq!(why(&world, campaign.id, &build::phone(1)).await.answer, WhyNot::InPlan);
        let left_out = why(&world, campaign.id, &build::phone(2)).await;
        assert_eq!(left_out.answer, WhyNot::NotInAudience, "{left_out:?}");
        world.stop().await;
    }
}
