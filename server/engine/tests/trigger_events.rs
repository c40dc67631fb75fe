//! What happened elsewhere becomes messages: once for each id and person, after its delay, with its data.

mod world;

use std::{sync::Arc, time::Instant};

use domain::{
    campaign::{Campaign, CampaignStatus, NewCampaign, Repeat, TestRequest, Trigger},
    consent::{Consent, Subscription},
    contact::{ConsentChange, NewContact},
    ids::ContactId,
    import::ImportOptions,
    message::{Message, MessageFilter, State},
    page::PageRequest,
    reason::Reason,
    role::Role,
    run::{Run, RunStatus},
    segment::NewSegment,
    time::Timestamp,
    topic::NewTopic,
    trigger_event::{EventOutcome, EventsReport, TriggerEvent, TriggerEventFilter},
    why::WhyNot,
};
use engine::{
    Actor, Engine, Error,
    clock::{Clock, ManualClock},
    planner::plan_events,
};
use futures::stream;
use serde_json::{Value, json};
use testkit::build;
use world::{Setup, World, worlds};

const START: &str = "2026-11-28T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn event(name: &str, delay: Option<&str>, debounce: Option<&str>) -> Trigger {
    Trigger::Event { name: name.to_owned(), delay: delay.map(str::to_owned), debounce: debounce.map(str::to_owned) }
}

/// Worlds whose clock stands still between the steps of a test.
async fn worlds_in_steps() -> (Vec<World>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(at(START)));
    (worlds(Setup { clock: clock.clone(), ..Setup::default() }).await, clock)
}

fn to(clock: &ManualClock, text: &str) {
    clock.advance(at(text).since(clock.now()));
}

/// A campaign that listens.
async fn listening(world: &World, body: &str, change: impl FnOnce(NewCampaign) -> NewCampaign) -> Campaign {
    let template_id = Some(world.template(body).await);
    let new =
        NewCampaign { trigger: event("price_drop", None, None), segment_id: None, template_id, ..world.draft().await };
    let campaigns = world.engine.campaigns();
    let draft = campaigns.create(&world.admin, change(new)).await.expect("a draft");
    let armed = campaigns.schedule(&world.admin, draft.id).await.expect("scheduled");
    assert_eq!(armed.status, CampaignStatus::Running);
    armed
}

async fn ingest_at(engine: &Engine, lines: &str) -> EventsReport {
    // In pieces that do not end where lines do.
    let pieces: Vec<_> = lines.as_bytes().chunks(1_000).map(|piece| Ok(piece.to_vec().into())).collect();
    let actor = Actor::command_line();
    engine.trigger_events().ingest(&actor, stream::iter(pieces), None).await.expect("a report")
}

async fn ingest(world: &World, lines: &[Value]) -> EventsReport {
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    ingest_at(&world.engine, &lines.join("\n")).await
}

fn drop_for(id: &str, person: i64, data: Value) -> Value {
    json!({"id": id, "name": "price_drop", "phone": build::phone(person), "data": data})
}

async fn run_of(world: &World, campaign: &Campaign) -> Run {
    let mut runs =
        world.engine.runs().list(&world.admin, campaign.id, &PageRequest::first(10)).await.expect("runs").items;
    assert_eq!(runs.len(), 1, "one run that stays open");
    let run = runs.remove(0);
    assert!(run.ledger.balances(), "{:?}", run.ledger);
    run
}

async fn messages_to(world: &World, person: i64) -> Vec<Message> {
    world.messages(MessageFilter { phone: Some(build::phone(person)), ..MessageFilter::default() }).await
}

async fn events(world: &World, filter: TriggerEventFilter) -> Vec<TriggerEvent> {
    world.engine.trigger_events().list(&world.admin, &filter, &PageRequest::first(100)).await.expect("events").items
}

async fn number(world: &World, query: &str) -> i64 {
    let query = format!("SELECT CAST(({query}) AS bigint) AS n");
    store::one(world.db.reader(), query, vec![]).await.expect("a query").expect("a row").get("n").expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_cannot_be_read_holds_no_other_s_events_up() {
    for world in worlds(Setup::default()).await {
        world.people(1, 1).await;
        let damaged = listening(&world, "One", |new| new).await;
        let good = listening(&world, "Two", |new| new).await;
        let store_rules = async |value: &str| {
            let update = format!("UPDATE runs SET rules = {value} WHERE campaign_id = $1");
            let changed = store::exec(world.db.writer(), update, vec![damaged.id.0.into()]).await.expect("changed");
            assert_eq!(changed, 1);
        };
        store_rules("'x' || rules").await;
        ingest(&world, &[drop_for("a", 1, json!({}))]).await;
        plan_events(&world.engine).await.expect("planned");
        assert_eq!(run_of(&world, &good).await.ledger.queued, 1, "{:?}", world.db.kind());
        assert_eq!(run_of(&world, &damaged).await.ledger.planned, 0);
        store_rules("substr(rules, 2)").await;
        plan_events(&world.engine).await.expect("planned");
        assert_eq!(run_of(&world, &damaged).await.ledger.queued, 1, "it waited");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_told_why_an_event_came_to_nothing_and_that_none_came() {
    for world in worlds(Setup::default()).await {
        world.people(1, 3).await;
        build::set_person(&world.db, ContactId(2), r#"attributes = '{"city":"Kandy"}'"#).await;
        let definition = json!({"combinator": "and", "not": true, "rules": [
            {"field": "attributes.city", "operator": "=", "value": "Kandy"}]});
        let new = NewSegment { name: "Not in Kandy".to_owned(), definition };
        let audience = world.engine.segments().create(&world.admin, new).await.expect("a segment").id;
        let narrow =
            |new| NewCampaign { segment_id: Some(audience), trigger: event("price_drop", None, Some("PT1H")), ..new };
        let campaign = listening(&world, "Hi", narrow).await;
        let why = async |person: i64| {
            let phone = build::phone(person);
            world.engine.campaigns().why(&world.admin, campaign.id, &phone, None).await.expect("an answer")
        };
        assert_eq!(why(1).await.answer, WhyNot::NoEvent);
        let one = drop_for("a", 1, json!({}));
        let other = drop_for("b", 1, json!({}));
        ingest(&world, &[one, other, drop_for("c", 2, json!({}))]).await;
        plan_events(&world.engine).await.expect("planned");
        let told = why(1).await;
        assert_eq!((told.answer, told.messages.len()), (WhyNot::InPlan, 1));
        let outcomes: Vec<_> =
            told.events.iter().map(|event| (event.id.as_deref(), event.effects[0].outcome)).collect();
        let (merged, planned) = (Some(EventOutcome::Merged), Some(EventOutcome::Planned));
        assert_eq!(outcomes, [(Some("b"), planned), (Some("a"), merged)], "the earlier one went into the later");
        let left_out = why(2).await;
        assert_eq!((left_out.answer, left_out.messages.len(), left_out.events.len()), (WhyNot::NotInAudience, 0, 1));
        build::set_person(&world.db, ContactId(2), r#"attributes = '{"city":"Galle"}'"#).await;
        let left_out = why(2).await;
        assert_eq!(left_out.answer, WhyNot::EventsLeftOut);
        assert_eq!(left_out.events[0].effects[0].outcome, Some(EventOutcome::LeftOut));
        assert_eq!(why(3).await.answer, WhyNot::NoEvent);
        // Who leaves the audience while a message waits gets nothing new into it.
        build::set_person(&world.db, ContactId(1), r#"attributes = '{"city":"Kandy"}'"#).await;
        ingest(&world, &[drop_for("d", 1, json!({}))]).await;
        plan_events(&world.engine).await.expect("planned");
        let told = why(1).await;
        let outcomes: Vec<_> =
            told.events.iter().map(|event| (event.id.as_deref(), event.effects[0].outcome)).collect();
        let left_out = Some(EventOutcome::LeftOut);
        assert_eq!(outcomes, [(Some("d"), left_out), (Some("b"), planned), (Some("a"), merged)]);
        // One about many that made a message for somebody was about them, too.
        let everybody = json!({"combinator": "and", "rules": []});
        ingest(&world, &[json!({"id": "all", "name": "price_drop", "segment": everybody})]).await;
        plan_events(&world.engine).await.expect("planned");
        let told = why(3).await;
        let heard: Vec<_> = told.events.iter().map(|event| (event.id.as_deref(), event.effects[0].outcome)).collect();
        assert_eq!((told.answer, heard), (WhyNot::InPlan, vec![(Some("all"), planned)]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_becomes_a_message_with_its_data() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 3).await;
        let body = "Hi {{ first_name }}, {{ event.product }} is {{ event.price|money('USD') }}";
        let campaign = listening(&world, body, |new| new).await;
        world.start();
        let report = ingest(
            &world,
            &[
                drop_for("a", 1, json!({"product": "Tea", "price": 4.5})),
                drop_for("b", 2, json!({"product": "Rice"})),
                json!({"id": "c", "name": "nobody_listens", "phone": build::phone(3)}),
            ],
        )
        .await;
        assert_eq!((report.accepted, report.duplicates, report.rejected.len()), (3, 0, 0));
        let run = run_of(&world, &campaign).await;
        let sent = world.until_message(1, State::Delivered).await;
        assert_eq!(sent.body.as_deref(), Some("Hi Ana, Tea is $4.50"));
        let why = sent.event.expect("the event behind it");
        assert_eq!((why.id.as_deref(), &*why.name), (Some("a"), "price_drop"));
        assert_eq!(messages_to(&world, 1).await[0].event.as_ref(), Some(&why), "also in lists");
        let told = world.engine.campaigns().why(&world.admin, campaign.id, &build::phone(1), None).await.expect("why");
        assert_eq!(told.messages[0].event.as_ref(), Some(&why));
        let skipped = world.until_message(2, State::Skipped).await;
        assert_eq!(skipped.reason, Some(Reason::MissingVariable));
        assert!(messages_to(&world, 3).await.is_empty());
        assert_eq!((run.status, run.started_at.is_some()), (RunStatus::Running, true));
        let all = events(&world, TriggerEventFilter::default()).await;
        assert_eq!(all.iter().map(|event| event.id.as_deref().unwrap()).collect::<Vec<_>>(), ["c", "b", "a"]);
        assert!(all[0].effects.is_empty(), "nobody listened");
        let effect = &all[2].effects[0];
        assert_eq!((effect.campaign_id, effect.messages, effect.message_id), (campaign.id, 1, Some(sent.id)));
        assert_eq!((effect.outcome, &*effect.campaign_name), (Some(EventOutcome::Planned), "Test"));
        let named = TriggerEventFilter { campaign: Some(campaign.id), ..TriggerEventFilter::default() };
        assert_eq!(events(&world, named).await.len(), 2);
        // It is not over when nothing is left to do.
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        assert_eq!(world.campaign_status(&campaign).await, CampaignStatus::Running);
        let replay = world.engine.replay(&world.admin, false).await.expect("a replay");
        // The people of this test were put there without a line of the consent ledger.
        let mut differences = replay.differences;
        differences.retain(|difference| !difference.contains("the ledger's last line says nothing"));
        assert!(differences.is_empty(), "{differences:?}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_id_is_one_event_over_two_processes() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        let campaign = listening(&world, "Hi", |new| new).await;
        let other = Engine::open(world.db.clone(), world.config().clone(), clock.clone()).await.expect("another");
        let lines: Vec<String> = (1..=1_500).map(|n| drop_for(&format!("id {n}"), n, json!({})).to_string()).collect();
        let lines = Arc::new(lines.join("\n"));
        let mut tasks = tokio::task::JoinSet::new();
        for engine in [&world.engine, &other, &world.engine, &other] {
            let (engine, lines) = (engine.clone(), lines.clone());
            tasks.spawn(async move {
                let report = ingest_at(&engine, &lines).await;
                plan_events(&engine).await.expect("planned");
                report
            });
        }
        let reports = tasks.join_all().await;
        let kind = world.db.kind();
        assert_eq!(reports.iter().map(|report| report.accepted).sum::<i64>(), 1_500, "{kind:?}");
        assert_eq!(reports.iter().map(|report| report.duplicates).sum::<i64>(), 4_500, "{kind:?}");
        assert_eq!(run_of(&world, &campaign).await.ledger.planned, 1_500, "{kind:?}");
        assert_eq!(number(&world, "SELECT count(*) FROM trigger_events").await, 1_500);
        assert_eq!(number(&world, "SELECT count(DISTINCT contact_id) FROM messages").await, 1_500);
        // New people are stored first; marketing needs their yes.
        let run = run_of(&world, &campaign).await;
        assert_eq!(run.skipped_by_reason.get(Reason::NoConsent.as_str()), Some(&1_500));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn between_taking_and_planning_nothing_is_lost_or_doubled() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        world.people(1, 5_000).await;
        let campaign = listening(&world, "Hi", |new| new).await;
        let everybody = json!({"combinator": "and", "rules": []});
        let mut lines: Vec<Value> = (1..=2_500).map(|n| drop_for(&format!("{n}"), n, json!({}))).collect();
        lines.push(json!({"id": "all", "name": "price_drop", "segment": everybody}));
        assert_eq!(ingest(&world, &lines).await.accepted, 2_501);
        // Whoever took them is gone before a planner has looked.
        assert_eq!(run_of(&world, &campaign).await.ledger.planned, 0);
        assert_eq!(number(&world, "SELECT count(*) FROM event_plans WHERE outcome IS NULL").await, 2_501);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..3 {
            let engine = Engine::open(world.db.clone(), world.config().clone(), clock.clone()).await.expect("another");
            // One after the other stops in the middle.
            let broken = tokio::spawn({
                let engine = engine.clone();
                async move { plan_events(&engine).await }
            });
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            broken.abort();
            tasks.spawn(async move { plan_events(&engine).await });
        }
        for planned in tasks.join_all().await {
            planned.expect("planned");
        }
        let run = run_of(&world, &campaign).await;
        let kind = world.db.kind();
        assert_eq!((run.ledger.planned, run.ledger.queued), (7_500, 7_500), "{kind:?}");
        assert_eq!(number(&world, "SELECT count(*) FROM event_plans WHERE outcome IS NULL").await, 0);
        let all = events(&world, TriggerEventFilter::default()).await;
        assert_eq!((all[0].id.as_deref(), all[0].effects[0].messages), (Some("all"), 5_000), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_delay_counts_from_when_it_happened() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        to(&clock, START);
        world.people(1, 3).await;
        listening(&world, "Hi", |new| NewCampaign { trigger: event("price_drop", Some("PT1H"), None), ..new }).await;
        let happened = |id: &str, person: i64, when: Option<&str>| json!({"id": id, "name": "price_drop", "phone": build::phone(person), "occurred_at": when});
        ingest(
            &world,
            &[
                happened("a", 1, Some("2026-11-28T11:30:00Z")),
                happened("b", 2, None),
                happened("c", 3, Some("2026-11-28T13:00:00Z")),
            ],
        )
        .await;
        plan_events(&world.engine).await.expect("planned");
        for (person, due) in [(1, "2026-11-28T12:30:00Z"), (2, "2026-11-28T13:00:00Z"), (3, "2026-11-28T13:00:00Z")] {
            assert_eq!(messages_to(&world, person).await[0].not_before, at(due), "person {person}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn within_the_window_events_share_a_message_and_the_last_wins() {
    let (worlds, clock) = worlds_in_steps().await;
    for mut world in worlds {
        to(&clock, START);
        world.people(1, 3).await;
        let campaign = listening(&world, "{{ event.price }}", |new| NewCampaign {
            trigger: event("price_drop", None, Some("PT10M")),
            ..new
        })
        .await;
        let when = |id: &str, person: i64, time: &str, price: i64| {
            json!({"id": id, "name": "price_drop", "phone": build::phone(person), "data": {"price": price},
                "occurred_at": format!("2026-11-28T{time}Z")})
        };
        ingest(&world, &[when("a", 1, "12:00:00", 9), when("x", 2, "11:59:00", 5)]).await;
        plan_events(&world.engine).await.expect("planned");
        assert_eq!(messages_to(&world, 1).await[0].not_before, at("2026-11-28T12:10:00Z"));
        // A microsecond before the window ends it goes in, and the message waits anew.
        to(&clock, "2026-11-28T12:09:59.999999Z");
        ingest(&world, &[when("b", 1, "12:09:59.999999", 8)]).await;
        plan_events(&world.engine).await.expect("planned");
        let merged = messages_to(&world, 1).await;
        assert_eq!((merged.len(), merged[0].not_before), (1, at("2026-11-28T12:19:59.999999Z")));
        // At its end it is one of its own. One that comes late, but happened before, changes nothing.
        to(&clock, "2026-11-28T12:19:59.999999Z");
        ingest(
            &world,
            &[
                when("c", 1, "12:19:59.999999", 7),
                when("late", 1, "12:05:00", 1),
                when("y", 3, "12:19:00", 3),
                when("z", 3, "12:19:30", 4),
            ],
        )
        .await;
        plan_events(&world.engine).await.expect("planned");
        assert_eq!(messages_to(&world, 1).await.len(), 2, "{:?}", world.db.kind());
        assert_eq!(messages_to(&world, 3).await.len(), 1, "two of one batch");
        let outcomes: Vec<(String, Option<EventOutcome>, i64)> = events(&world, TriggerEventFilter::default())
            .await
            .into_iter()
            .map(|event| (event.id.unwrap(), event.effects[0].outcome, event.effects[0].messages))
            .collect();
        let (planned, merged) = (Some(EventOutcome::Planned), Some(EventOutcome::Merged));
        let expected = [
            ("z", planned, 1),
            ("y", merged, 0),
            ("late", merged, 0),
            ("c", planned, 1),
            ("b", planned, 1),
            ("x", planned, 1),
            ("a", merged, 0),
        ];
        let expected = expected.map(|(id, outcome, messages)| (id.to_owned(), outcome, messages));
        assert_eq!(outcomes, expected, "{:?}", world.db.kind());
        world.start();
        to(&clock, "2026-11-28T12:45:00Z");
        let run = run_of(&world, &campaign).await;
        world.until(run.id, "sent", |run| run.ledger.delivered == 4).await;
        let texts: Vec<_> = messages_to(&world, 1).await.into_iter().map(|message| message.body.unwrap()).collect();
        assert_eq!(texts, ["7", "8"]);
        assert_eq!(messages_to(&world, 3).await[0].body.as_deref(), Some("4"));
        let b = events(&world, TriggerEventFilter { phone: Some(build::phone(1)), ..Default::default() }).await;
        assert_eq!(b.iter().filter(|event| event.effects[0].message_id.is_some()).count(), 2, "{b:?}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_between_the_event_and_its_message_wins() {
    let (worlds, clock) = worlds_in_steps().await;
    for mut world in worlds {
        to(&clock, START);
        world.people(1, 2).await;
        let delayed = |new| NewCampaign { trigger: event("price_drop", Some("PT1H"), None), ..new };
        let campaign = listening(&world, "Hi", delayed).await;
        ingest(&world, &[drop_for("a", 1, json!({})), drop_for("b", 2, json!({}))]).await;
        plan_events(&world.engine).await.expect("planned");
        let out = ConsentChange { consent: Consent::OptedOut, source: None, evidence: None };
        world.engine.contacts().set_consent(&world.admin, &build::phone(1), out.clone()).await.expect("opted out");
        // … and between being taken and being planned.
        ingest(&world, &[drop_for("c", 2, json!({}))]).await;
        world.engine.contacts().set_consent(&world.admin, &build::phone(2), out).await.expect("opted out");
        world.start();
        to(&clock, "2026-11-28T14:00:00Z");
        let run = run_of(&world, &campaign).await;
        let run = world.until(run.id, "planned", |run| run.ledger.planned == 3 && run.ledger.queued == 0).await;
        assert_eq!(run.ledger.skipped, 3, "{:?}", run.ledger);
        assert_eq!(world.accepted_in_all(), 0);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_per_person_holds_over_all_events() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 2).await;
        let campaign = listening(&world, "Hi", |new| NewCampaign { repeat: Repeat::OncePerPerson, ..new }).await;
        ingest(&world, &[drop_for("a", 1, json!({})), drop_for("b", 1, json!({})), drop_for("c", 2, json!({}))]).await;
        world.start();
        let run = run_of(&world, &campaign).await;
        world.until(run.id, "sent", |run| run.ledger.delivered == 2).await;
        ingest(&world, &[drop_for("d", 1, json!({}))]).await;
        let everybody = json!({"combinator": "and", "rules": []});
        ingest(&world, &[json!({"id": "e", "name": "price_drop", "segment": everybody})]).await;
        let run = world.until(run.id, "planned", |run| run.ledger.planned == 6).await;
        assert_eq!(run.skipped_by_reason.get(Reason::AlreadyReceived.as_str()), Some(&3));
        assert_eq!(run.skipped_by_reason.get(Reason::AlreadyPlanned.as_str()), Some(&1), "the second in one body");
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_was_left_out_uses_up_nobodys_once() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 1).await;
        let campaign =
            listening(&world, "{{ event.total }}", |new| NewCampaign { repeat: Repeat::OncePerPerson, ..new }).await;
        // The first lacks what the text needs, and waits while two more come, in the same body and later.
        ingest(&world, &[drop_for("a", 1, json!({})), drop_for("b", 1, json!({"total": 1}))]).await;
        plan_events(&world.engine).await.expect("planned");
        ingest(&world, &[drop_for("c", 1, json!({"total": 2}))]).await;
        plan_events(&world.engine).await.expect("planned");
        let run = run_of(&world, &campaign).await;
        let reasons = |run: &Run| {
            let count = |reason: Reason| run.skipped_by_reason.get(reason.as_str()).copied().unwrap_or(0);
            [Reason::AlreadyPlanned, Reason::AlreadyReceived, Reason::MissingVariable].map(count)
        };
        assert_eq!((run.ledger.queued, reasons(&run)), (1, [2, 0, 0]), "nobody has had it");
        world.start();
        let run = world.until(run.id, "left out", |run| run.ledger.queued + run.ledger.sending == 0).await;
        assert_eq!(reasons(&run), [2, 0, 1]);
        ingest(&world, &[drop_for("d", 1, json!({"total": 3}))]).await;
        world.until(run.id, "delivered", |run| run.ledger.delivered == 1).await;
        ingest(&world, &[drop_for("e", 1, json!({"total": 4}))]).await;
        let run = world.until(run.id, "planned", |run| run.ledger.planned == 5).await;
        assert_eq!(reasons(&run), [2, 1, 1]);
        world.assert_nobody_twice();
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_of_a_campaign_uses_up_nobodys_once() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 1).await;
        let campaign = listening(&world, "Hi", |new| NewCampaign { repeat: Repeat::OncePerPerson, ..new }).await;
        let test = TestRequest { phones: vec![build::phone(1).to_string()] };
        world.engine.campaigns().test(&world.admin, campaign.id, &test).await.expect("a test");
        ingest(&world, &[drop_for("a", 1, json!({}))]).await;
        world.start();
        let run = run_of(&world, &campaign).await;
        let run = world.until(run.id, "sent", |run| run.ledger.planned == 1 && run.ledger.queued == 0).await;
        assert_eq!(run.skipped_by_reason.get(Reason::AlreadyReceived.as_str()), None);
        world.until(run.id, "delivered", |run| run.ledger.delivered == 1).await;
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_campaign_goes_on_collecting_and_a_cancelled_one_does_not() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 4).await;
        let engine = world.engine.clone();
        let campaigns = engine.campaigns();
        let campaign = listening(&world, "Hi", |new| new).await;
        let again = campaigns.schedule(&world.admin, campaign.id).await;
        assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
        campaigns.pause(&world.admin, campaign.id).await.expect("paused");
        world.start();
        ingest(&world, &[drop_for("a", 1, json!({}))]).await;
        let run = run_of(&world, &campaign).await;
        let paused = world.until(run.id, "planned", |run| run.ledger.planned == 1).await;
        assert_eq!((paused.status, paused.ledger.queued), (RunStatus::Paused, 1));
        let resumed = campaigns.resume(&world.admin, campaign.id).await.expect("resumed");
        assert_eq!(resumed.status, CampaignStatus::Running);
        world.until(run.id, "sent", |run| run.ledger.delivered == 1 && run.status == RunStatus::Running).await;
        world.stop().await;
        // One is taken and not planned when somebody cancels it.
        ingest(&world, &[drop_for("b", 2, json!({}))]).await;
        campaigns.cancel(&world.admin, campaign.id).await.expect("cancelled");
        ingest(&world, &[drop_for("c", 3, json!({}))]).await;
        world.start();
        let over = world.until(run.id, "over", |run| run.finished_at.is_some()).await;
        assert_eq!((over.status, over.ledger.planned), (RunStatus::Cancelled, 1));
        let all = events(&world, TriggerEventFilter::default()).await;
        assert!(all[0].effects.is_empty(), "nobody listens any more");
        assert_eq!(all[1].effects[0].outcome, Some(EventOutcome::CampaignOver));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_lines_are_listed_and_good_ones_taken() {
    for world in worlds(Setup::default()).await {
        let text = format!(
            "{}\n\nnonsense\n{}\r\n{}\n{}\n{}\n{}\n{}",
            drop_for("a", 1, json!({})),
            json!({"id": "b", "name": "x", "phone": "12"}),
            json!({"id": "c", "name": "x", "phone": build::phone(1), "colour": "red"}),
            json!({"id": "d", "name": "x"}),
            json!({"id": "e", "name": "x", "segment": {"combinator": "and", "rules": [{"field": "shoe", "operator": "="}]}}),
            json!({"id": "a", "name": "x", "phone": build::phone(2)}),
            json!({"id": "f", "name": "x", "phone": build::phone(2)}),
        );
        let wrong = json!({"id": "g", "name": "x", "phone": build::phone(2), "data": [1, 2]});
        let text = format!("{text}\n{wrong}\n{}", json!({"id": 7, "name": "x", "phone": build::phone(2)}));
        let report = ingest_at(&world.engine, &text).await;
        assert_eq!((report.accepted, report.duplicates), (2, 1), "{report:?}");
        let lines: Vec<(u64, &str)> = report.rejected.iter().map(|one| (one.line, one.message.as_str())).collect();
        for ((line, message), (expected, part)) in lines.iter().zip([
            (3, "JSON"),
            (4, "phone: "),
            (5, "colour"),
            (6, "either a phone"),
            (7, "segment.rules[0].field"),
            (10, "data: invalid type: sequence, expected an object."),
            (11, "id: "),
        ]) {
            assert_eq!(*line, expected);
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(lines.len(), 7);
        let viewer = Actor::new(domain::actor::ActorKind::ApiKey, "k", Role::Viewer);
        let refused = world.engine.trigger_events().ingest(&viewer, stream::empty(), None).await;
        assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
        let big = stream::iter([Ok(vec![b'\n'; 11].into())]);
        let refused = world.engine.trigger_events().ingest(&world.admin, big, Some(10)).await;
        assert!(matches!(refused, Err(Error::TooLarge(_))), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_events_in_one_body() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 5_000).await;
        let campaign = listening(&world, "{{ event.n }}", |new| new).await;
        let lines: Vec<Value> = (1..=10_000).map(|n| drop_for(&format!("{n}"), n, json!({"n": n}))).collect();
        let began = Instant::now();
        assert_eq!(ingest(&world, &lines).await.accepted, 10_000);
        let took = began.elapsed();
        let began = Instant::now();
        plan_events(&world.engine).await.expect("planned");
        let (taken, planned) = (10_000.0 / took.as_secs_f64(), 10_000.0 / began.elapsed().as_secs_f64());
        println!("{:?}: {taken:.0} events/s taken, {planned:.0} planned", world.db.kind());
        world.start();
        let run = run_of(&world, &campaign).await;
        let run = world
            .until(run.id, "sent", |run| run.ledger.planned == 10_000 && run.ledger.queued + run.ledger.sending == 0)
            .await;
        assert_eq!(run.ledger.skipped, 5_000, "who is new has given no consent");
        world.assert_nobody_twice();
        assert_eq!(world.accepted_in_all(), 5_000);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audience_narrows_whom_events_reach() {
    for world in worlds(Setup::default()).await {
        world.people(1, 4).await;
        for person in [1, 2] {
            build::set_person(&world.db, ContactId(person), "locale = 'fr'").await;
        }
        let french = json!({"combinator": "and", "rules": [{"field": "locale", "operator": "=", "value": "fr"}]});
        let segment = NewSegment { name: "French".to_owned(), definition: french.clone() };
        let segment = world.engine.segments().create(&world.admin, segment).await.expect("a segment").id;
        let narrowed = listening(&world, "Hi", |new| NewCampaign { segment_id: Some(segment), ..new }).await;
        let everybody = json!({"combinator": "and", "rules": []});
        ingest(
            &world,
            &[
                drop_for("a", 1, json!({})),
                drop_for("b", 3, json!({})),
                json!({"id": "c", "name": "price_drop", "segment": everybody}),
            ],
        )
        .await;
        plan_events(&world.engine).await.expect("planned");
        assert_eq!(run_of(&world, &narrowed).await.ledger.planned, 3);
        let all = events(&world, TriggerEventFilter::default()).await;
        let came_to: Vec<_> = all.iter().map(|event| (event.effects[0].outcome, event.effects[0].messages)).collect();
        let (planned, left_out) = (Some(EventOutcome::Planned), Some(EventOutcome::LeftOut));
        assert_eq!(came_to, [(planned, 2), (left_out, 0), (planned, 1)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasing_a_person_removes_what_events_say_of_them() {
    for world in worlds(Setup::default()).await {
        world.people(1, 2).await;
        listening(&world, "{{ event.x }}", |new| new).await;
        let phone = build::phone(1);
        let naming = json!({"combinator": "and", "rules": [{"field": "phone", "operator": "=", "value": phone}]});
        let about_many = json!({"id": "s", "name": "price_drop", "segment": naming, "data": {"of": phone, "number": 14_152_000_001_i64}});
        ingest(&world, &[drop_for(phone.as_str(), 1, json!({"x": "secret"})), drop_for("b", 2, json!({})), about_many])
            .await;
        let export = world.engine.contacts().export(&world.admin, &phone).await.expect("an export");
        assert_eq!(export.events[0].data.as_ref().expect("data")["x"], "secret");
        world.engine.contacts().erase(&world.admin, &phone).await.expect("erased");
        plan_events(&world.engine).await.expect("planned");
        let stored = "SELECT id || COALESCE(definition, '') || data AS t FROM trigger_event_data ORDER BY number";
        let rows = store::all(world.db.reader(), stored, vec![]).await.expect("rows");
        let texts: Vec<String> = rows.iter().map(|row| row.get("t").expect("a text")).collect();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(texts.iter().all(|text| !text.contains(phone.digits()) && !text.contains("secret")), "{texts:?}");
        let all = events(&world, TriggerEventFilter::default()).await;
        let erased = all.last().expect("it stays, without what it said");
        assert_eq!((&erased.id, &erased.data, &erased.phone), (&None, &None, &None));
        assert_eq!(erased.effects[0].outcome, Some(EventOutcome::LeftOut));
        // And is not taken again.
        let again = ingest(&world, &[drop_for(phone.as_str(), 2, json!({}))]).await;
        assert_eq!((again.accepted, again.duplicates), (0, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_products_own_events_are_told_when_a_campaign_listens() {
    for world in worlds(Setup::default()).await {
        let engine = &world.engine;
        let topic = NewTopic { key: "offers".to_owned(), name: "Offers".to_owned(), ..NewTopic::default() };
        engine.topics().create(&world.admin, topic).await.expect("a topic");
        let create = async |phone: &str, consent| {
            let new = json!({"phone": phone, "consent": consent, "topics": ["offers"]});
            let new: NewContact = serde_json::from_value(new).expect("a contact");
            engine.contacts().create(&world.admin, new).await.expect("a contact")
        };
        create("+14155550101", "opted_in").await;
        assert_eq!(number(&world, "SELECT count(*) FROM trigger_events").await, 0, "nobody listens: no row");
        let mut campaigns = Vec::new();
        for name in ["contact.created", "contact.imported", "contact.subscribed", "contact.opted_in"] {
            let body = "Welcome{% if event.topic %} to {{ event.topic }}{% endif %}";
            campaigns
                .push(listening(&world, body, |new| NewCampaign { trigger: event(name, None, None), ..new }).await);
        }
        let told = async || {
            plan_events(engine).await.expect("planned");
            let mut planned = Vec::new();
            for campaign in &campaigns {
                planned.push(run_of(&world, campaign).await.ledger.planned);
            }
            planned
        };
        create("+14155550102", "opted_in").await;
        assert_eq!(told().await, [1, 0, 1, 1]);
        // Known already, subscribed already, said so already.
        engine.contacts().subscribe(&world.admin, &"+14155550102".parse().unwrap(), "offers").await.expect("as before");
        let yes = ConsentChange { consent: Consent::OptedIn, source: None, evidence: None };
        engine.contacts().set_consent(&world.admin, &"+14155550102".parse().unwrap(), yes).await.expect("as before");
        assert_eq!(told().await, [1, 0, 1, 1]);
        let file = "phone,consent\n+14155550102,yes\n+14155550103,yes\n+14155550104,\n+14155550103,yes\n";
        let options = ImportOptions { topics: vec!["offers".to_owned()], ..ImportOptions::default() };
        let import =
            engine.imports().upload(&world.admin, options, stream::iter([Ok(file.into())])).await.expect("stored");
        engine.imports().work(import.id).await.expect("imported");
        assert_eq!(told().await, [3, 3, 3, 2], "{:?}", world.db.kind());
        // By an event, too, somebody may be created; the event that nobody listens to is stored besides.
        ingest(&world, &[json!({"id": "1", "name": "order.paid", "phone": "+14155550105"})]).await;
        assert_eq!(told().await, [4, 3, 3, 2]);
        let filter = TriggerEventFilter { name: Some("contact.subscribed".to_owned()), ..Default::default() };
        let subscribed = events(&world, filter).await;
        assert!(subscribed.iter().all(|event| event.data.as_ref().unwrap()["topic"] == "offers"), "{subscribed:?}");
        assert_eq!(number(&world, "SELECT count FROM trigger_event_names WHERE name = 'contact.created'").await, 4);
        let states = number(&world, "SELECT count(*) FROM subscriptions WHERE state = 'subscribed'").await;
        assert_eq!((states, Subscription::Subscribed.as_str()), (4, "subscribed"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_trigger_is_told_at_its_field() {
    for world in worlds(Setup::default()).await {
        let template_id = Some(world.template("Hi").await);
        for (trigger, field) in [
            (event("price drop", None, None), "trigger.name"),
            (event("contact.vanished", None, None), "trigger.name"),
            (event("price_drop", Some("1 hour"), None), "trigger.delay"),
            (event("price_drop", None, Some("PT0S")), "trigger.debounce"),
        ] {
            let new = NewCampaign { trigger, template_id, ..world.draft().await };
            let refused = world.engine.campaigns().create(&world.admin, new).await;
            assert!(matches!(&refused, Err(Error::Invalid(errors)) if errors[0].field == field), "{refused:?}");
        }
        let late = Some("PT6H".parse().unwrap());
        let trigger = event("price_drop", Some(" pt30m "), Some(""));
        let new = NewCampaign { trigger: trigger.clone(), template_id, send_before: late, ..world.draft().await };
        let refused = world.engine.campaigns().create(&world.admin, new).await;
        assert!(matches!(&refused, Err(Error::Invalid(errors)) if errors[0].field == "send_before"), "{refused:?}");
        let new = NewCampaign { trigger, template_id, ..world.draft().await };
        let stored = world.engine.campaigns().create(&world.admin, new).await.expect("a draft");
        assert_eq!(stored.trigger, event("price_drop", Some("PT30M"), None));
        let launched = world.engine.campaigns().launch(&world.admin, stored.id).await;
        assert!(matches!(launched, Err(Error::Conflict(_))), "{launched:?}");
    }
}
