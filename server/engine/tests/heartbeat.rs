//! Who is at work, how fast all of them together are, and what waits for what.

mod support;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain::{
    consent::Consent,
    ids::{ImportId, RunId},
    import::ImportFormat,
    message::{Channel, NewMessage, State},
    process::{ALIVE_FOR, Figures, Paces, Process, ProcessRole, ProcessState, Slowed, Wait, Waiting},
    reason::Reason,
    settings::{Sending, SendingState, SettingsPatch},
    time::Timestamp,
};
use engine::{
    clock::{Clock as _, SystemClock},
    heartbeat,
    services::tidy,
    workers::Role,
};
use store::{
    Kind,
    messages::{Effect, KnownGrounds, Lane, Lease, OutcomeIn},
};
use support::{Bench, START, bench};
use testkit::build::{self, TestRun, commit};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use world::{Setup, World, worlds};

const PATIENCE: Duration = Duration::from_secs(20);

/// One for each kind of database, without any worker.
async fn quiet_benches() -> Vec<Bench> {
    let mut benches = Vec::new();
    for test in testkit::databases().await {
        benches.push(bench(test).await);
    }
    benches
}

async fn listed(bench: &Bench) -> Vec<Process> {
    bench.engine.processes().list(&bench.admin).await.expect("a list")
}

/// The only process, once it is as wanted.
async fn until_process(bench: &Bench, wanted: impl Fn(&Process) -> bool) -> Process {
    let wait = async {
        loop {
            match &listed(bench).await[..] {
                [process] if wanted(process) => return process.clone(),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("in time")
}

#[tokio::test]
async fn a_process_says_that_it_is_there_and_that_it_stops() {
    for bench in quiet_benches().await {
        let stop = CancellationToken::new();
        let beating = tokio::spawn(heartbeat::run(bench.engine.clone(), Role::Web, stop.clone()));
        let process = until_process(&bench, |process| process.state == ProcessState::Alive).await;
        assert_eq!((process.role, process.version.as_str()), (ProcessRole::Web, env!("CARGO_PKG_VERSION")));
        assert_eq!((process.started_at, process.seen_at, process.stopped_at), (START, START, None));
        assert_eq!(u32::try_from(process.pid), Ok(std::process::id()));
        assert!(!process.host.is_empty() && !process.figures.may_send);
        // It says so again and again.
        bench.clock.advance(Timestamp::SECOND);
        let later = START.plus(Timestamp::SECOND);
        let process = until_process(&bench, |process| process.seen_at == later).await;
        assert_eq!(process.started_at, START);
        stop.cancel();
        beating.await.expect("no panic");
        let process = until_process(&bench, |process| process.state == ProcessState::Stopped).await;
        assert_eq!(process.stopped_at, Some(later));
        // Which is forgotten after a day.
        bench.clock.advance(Timestamp::DAY);
        tidy::tidy(&bench.engine).await.expect("tidy");
        assert_eq!(listed(&bench).await.len(), 1);
        bench.clock.advance(1);
        tidy::tidy(&bench.engine).await.expect("tidy");
        assert!(listed(&bench).await.is_empty());
    }
}

#[tokio::test]
async fn a_process_that_is_not_seen_any_more_has_vanished() {
    for bench in quiet_benches().await {
        let beating = tokio::spawn(heartbeat::run(bench.engine.clone(), Role::Worker, CancellationToken::new()));
        until_process(&bench, |process| process.state == ProcessState::Alive).await;
        beating.abort();
        let _ = beating.await;
        let state = async || listed(&bench).await[0].state;
        bench.clock.advance(ALIVE_FOR);
        assert_eq!(state().await, ProcessState::Alive);
        bench.clock.advance(1);
        assert_eq!(state().await, ProcessState::Vanished);
    }
}

#[tokio::test]
async fn without_a_database_a_process_lives_on_and_stops_when_told_to() {
    for bench in quiet_benches().await {
        bench.db.clone().close().await.expect("closed");
        let stop = CancellationToken::new();
        let beating = tokio::spawn(heartbeat::run(bench.engine.clone(), Role::All, stop.clone()));
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!beating.is_finished());
        stop.cancel();
        tokio::time::timeout(PATIENCE, beating).await.expect("it stops").expect("no panic");
    }
}

#[tokio::test]
async fn a_process_tells_how_far_its_clock_is_off() {
    for bench in quiet_benches().await {
        let stop = CancellationToken::new();
        bench.clock.advance(SystemClock.now().since(START));
        let beating = tokio::spawn(heartbeat::run(bench.engine.clone(), Role::Web, stop.clone()));
        if bench.db.kind() == Kind::Sqlite {
            let process = until_process(&bench, |process| process.state == ProcessState::Alive).await;
            assert_eq!(process.figures.clock_ahead_ms, None, "there is no other clock");
        } else {
            let right = until_process(&bench, |process| process.figures.clock_ahead_ms.is_some()).await;
            assert!(!right.figures.is_clock_off(), "{:?}", right.figures);
            bench.clock.advance(90 * Timestamp::SECOND);
            let off = until_process(&bench, |process| process.figures.is_clock_off()).await;
            let ahead = off.figures.clock_ahead_ms.expect("known");
            assert!((60_000..=90_000).contains(&ahead), "{ahead}");
            bench.clock.advance(-90 * Timestamp::SECOND);
            until_process(&bench, |process| !process.figures.is_clock_off()).await;
        }
        stop.cancel();
        beating.await.expect("no panic");
    }
}

/// Another process, as it last said of itself.
async fn another(bench: &Bench, figures: Figures) {
    let process = build::process_elsewhere(bench.engine.now(), figures);
    store::processes::save(bench.db.writer(), &process).await.expect("saved");
}

/// A run to so many people, ready to be sent.
async fn planned(bench: &Bench, people: i64) -> TestRun {
    build::people(&bench.db, 1, people, Consent::OptedIn).await;
    let sender = bench.engine.senders().list(&bench.admin).await.expect("senders").remove(0).id;
    let test = build::run(&bench.db, sender, build::rules(), None).await;
    test.plan_all(&bench.db).await;
    test
}

#[tokio::test]
async fn a_forecast_counts_what_all_processes_hand_over() {
    for bench in quiet_benches().await {
        let run = planned(&bench, 40).await.run;
        let sender = bench.engine.senders().list(&bench.admin).await.expect("senders").remove(0).id;
        for pace in [12.0, 8.0] {
            // The slower one was asked to slow down more.
            let slowed = Slowed { share: pace / 20.0, rests_until: None };
            let pace = Paces {
                all: pace,
                granted: pace,
                runs: BTreeMap::from([(run, pace)]),
                senders: BTreeMap::from([(sender, pace)]),
                slowed: BTreeMap::from([(sender, slowed)]),
            };
            another(&bench, Figures { pace, ..Figures::default() }).await;
        }
        let forecast = bench.engine.runs().get(&bench.admin, run).await.expect("a run").forecast;
        assert!((forecast.rate_now - 20.0).abs() < 0.01, "{forecast:?}");
        assert_eq!(forecast.finish_at, Some(START.plus(2 * Timestamp::SECOND)));
        let health = bench.engine.senders().health(&bench.admin).await.expect("health");
        assert!((health[0].per_second - 20.0).abs() < 0.01, "{health:?}");
        assert_eq!(health[0].slowed, Some(Slowed { share: 0.4, rests_until: None }));
        // Those that are not there any more hand nothing over.
        bench.clock.advance(ALIVE_FOR + 1);
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let forecast = bench.engine.runs().get(&bench.admin, run).await.expect("a run").forecast;
        assert!(forecast.rate_now.abs() < 0.01, "{forecast:?}");
    }
}

async fn waiting(bench: &Bench) -> Vec<Waiting> {
    bench.engine.processes().waiting(&bench.admin).await.expect("what waits")
}

/// What waits, and how many.
async fn counts(bench: &Bench) -> Vec<(Wait, i64)> {
    waiting(bench).await.into_iter().map(|waiting| (waiting.what, waiting.count)).collect()
}

async fn of(bench: &Bench, what: Wait) -> Waiting {
    let all = waiting(bench).await;
    all.iter().find(|waiting| waiting.what == what).unwrap_or_else(|| panic!("no {what}: {all:?}")).clone()
}

async fn change(bench: &Bench, update: &str) {
    assert!(store::exec(bench.db.writer(), update, Vec::new()).await.expect("changed") > 0, "{update}");
}

/// Claims so many of a run; one outcome for each effect, the rest stays claimed.
async fn claim(bench: &Bench, run: RunId, count: u32, effects: Vec<Effect>) {
    let lease = Lease { until: START.plus(60 * Timestamp::SECOND), owner: 7 };
    let lane = Lane::Run { run, topic: None };
    let claimed = commit(&bench.db, async |tx| store::messages::claim(tx, START, lane, lease, count).await).await;
    let outcomes: Vec<_> = claimed
        .iter()
        .zip(effects)
        .map(|(message, effect)| OutcomeIn {
            id: message.id,
            attempt: message.attempt,
            lease_owner: 7,
            effect,
            decision: None,
            text: None,
        })
        .collect();
    commit(&bench.db, async |tx| store::messages::write_outcomes(tx, START, &outcomes, &KnownGrounds::default()).await)
        .await;
}

fn at(seconds: i64) -> Option<Timestamp> {
    Some(START.plus(seconds * Timestamp::SECOND))
}

#[tokio::test]
async fn every_message_of_a_run_waits_for_something() {
    for bench in quiet_benches().await {
        assert!(waiting(&bench).await.is_empty());
        let run = planned(&bench, 10).await.run;
        assert_eq!(counts(&bench).await, [(Wait::Due, 10)]);
        let effects = vec![
            Effect::Later { not_before: START.plus(90 * Timestamp::SECOND), reason: Reason::RateLimited, code: None },
            Effect::Unknown(Reason::NoAnswer),
            Effect::Accepted { sid: format!("SM{:032x}", 1) },
        ];
        claim(&bench, run, 5, effects).await;
        let all = [(Wait::Due, 5), (Wait::Later, 1), (Wait::Sending, 2), (Wait::Unknown, 1), (Wait::Accepted, 1)];
        assert_eq!(counts(&bench).await, all);
        let later = of(&bench, Wait::Later).await;
        assert_eq!((later.reason, later.next_at, later.at_least), (Some(Reason::RateLimited), at(90), false));
        assert_eq!((of(&bench, Wait::Due).await.oldest_at, of(&bench, Wait::Sending).await.next_at), (at(0), at(60)));
        let unknown = of(&bench, Wait::Unknown).await;
        assert_eq!((unknown.oldest_at, unknown.next_at), (at(0), at(151)), "a time-out of 1 second and a grace of 150");
        // Its time comes.
        bench.clock.advance(91 * Timestamp::SECOND);
        assert_eq!(counts(&bench).await[0], (Wait::Due, 6));
        // What is too old is not asked for any more. Its run may still send, for all that is known, while it is open.
        bench.clock.advance(4 * Timestamp::DAY);
        assert_eq!(counts(&bench).await.last(), Some(&(Wait::Accepted, 1)));
        store::exec(bench.db.writer(), "UPDATE runs SET finished_at = created_at", vec![]).await.expect("it is over");
        assert_eq!(counts(&bench).await.last(), Some(&(Wait::NoNews, 1)));
    }
}

#[tokio::test]
async fn what_keeps_messages_from_going_out_is_named() {
    for bench in quiet_benches().await {
        let sender = bench.engine.senders().list(&bench.admin).await.expect("senders").remove(0).id;
        let run = planned(&bench, 3).await.run;
        for (column, stands_for) in [
            ("sending = 'held', hold_reason = 'checking'", Wait::SenderHeld),
            ("sending = 'on', enabled = FALSE", Wait::SenderDisabled),
            ("enabled = TRUE, account_sid = 'AC9'", Wait::NoAccount),
        ] {
            change(&bench, &format!("UPDATE senders SET {column}")).await;
            assert_eq!(counts(&bench).await, [(stands_for, 3)]);
        }
        let block = format!(
            "account_sid = '{}', blocked_code = 63007, blocked_at = 1, probe_at = {}",
            support::ACCOUNT,
            START.plus(Timestamp::MINUTE).as_micros()
        );
        change(&bench, &format!("UPDATE senders SET {block}")).await;
        assert_eq!(of(&bench, Wait::SenderBlocked).await.next_at, at(60));
        change(&bench, "UPDATE runs SET status = 'paused', blocked = TRUE").await;
        assert_eq!(counts(&bench).await, [(Wait::SenderBlocked, 3)]);
        change(&bench, "UPDATE runs SET blocked = FALSE").await;
        assert_eq!(counts(&bench).await, [(Wait::Paused, 3)]);
        change(&bench, "UPDATE senders SET blocked_code = NULL").await;
        change(&bench, "UPDATE runs SET status = 'running', rules = 'x' || rules").await;
        assert_eq!(counts(&bench).await, [(Wait::Unreadable, 1)], "a run, not its messages");
        change(&bench, "UPDATE runs SET rules = substr(rules, 2)").await;
        let hold = Sending { state: SendingState::Held, reason: Some("a test".to_owned()) };
        let patch = SettingsPatch { sending: Some(hold), ..SettingsPatch::default() };
        bench.engine.settings().update(&bench.admin, patch).await.expect("held");
        assert_eq!(counts(&bench).await, [(Wait::Held, 3)]);
        change(&bench, "UPDATE runs SET status = 'cancelled'").await;
        assert_eq!(counts(&bench).await, [(Wait::Cancelling, 3)]);
        // A plan that is half done.
        change(&bench, "UPDATE runs SET status = 'planning', planned = FALSE").await;
        assert_eq!(counts(&bench).await, [(Wait::Planning, 3), (Wait::Plans, 1)]);
        let next = build::run(&bench.db, sender, build::rules(), None).await;
        assert_ne!(next.run, run);
        assert_eq!(counts(&bench).await, [(Wait::Planning, 3), (Wait::Plans, 2)]);
        let shoes = r#"{"combinator":"and","rules":[{"field":"shoe_size","operator":"=","value":1}]}"#;
        for (definition, run) in [("{}", run), (shoes, next.run)] {
            let values = vec![definition.into(), run.0.into()];
            let update = "UPDATE runs SET definition = $1 WHERE id = $2";
            assert_eq!(store::exec(bench.db.writer(), update, values).await.expect("changed"), 1);
        }
        assert_eq!(counts(&bench).await, [(Wait::Unreadable, 2)], "neither read nor understood");
    }
}

#[tokio::test]
async fn messages_say_that_they_wait_for_lists_of_what_people_wrote_meanwhile() {
    for bench in quiet_benches().await {
        let sender = bench.engine.senders().list(&bench.admin).await.expect("senders").remove(0).id;
        planned(&bench, 3).await;
        let single = NewMessage {
            phone: build::phone(1),
            template_id: None,
            body: Some("Hi".to_owned()),
            channel: Some(Channel::Whatsapp),
            sender_id: None,
            variables: serde_json::Map::new(),
        };
        bench.engine.messages().create(&bench.admin, single).await.expect("taken");
        // Who may not send keeps nobody waiting.
        another(&bench, Figures { reads_lists: true, ..Figures::default() }).await;
        assert_eq!(counts(&bench).await, [(Wait::Due, 4)]);
        another(&bench, Figures { may_send: true, reads_lists: true, ..Figures::default() }).await;
        assert_eq!(counts(&bench).await, [(Wait::Lists, 4)]);
        // Another one has them all but this sender's: only campaigns wait for that.
        let missing_lists = BTreeSet::from([sender]);
        another(&bench, Figures { may_send: true, missing_lists, ..Figures::default() }).await;
        assert_eq!(counts(&bench).await, [(Wait::Due, 1), (Wait::Lists, 3)]);
        another(&bench, Figures { may_send: true, ..Figures::default() }).await;
        assert_eq!(counts(&bench).await, [(Wait::Due, 4)]);
    }
}

#[tokio::test]
async fn single_messages_files_and_webhooks_wait_too() {
    for bench in quiet_benches().await {
        let new = NewMessage {
            phone: build::phone(1),
            template_id: None,
            body: Some("Hi".to_owned()),
            channel: Some(Channel::Whatsapp),
            sender_id: None,
            variables: serde_json::Map::new(),
        };
        bench.engine.messages().create(&bench.admin, new).await.expect("taken");
        let file = store::imports::New {
            id: ImportId(Uuid::new_v4()),
            file_name: None,
            file_path: "nowhere",
            format: ImportFormat::Csv,
            options: "{}",
            columns: &[],
            bytes_total: 1,
            bytes_done: 0,
            lines_done: 0,
        };
        store::imports::insert(bench.db.writer(), &file, &bench.admin, START).await.expect("stored");
        another(&bench, Figures { ingest_queue: 4, ..Figures::default() }).await;
        let all = [(Wait::Due, 1), (Wait::ImportsQueued, 1), (Wait::Webhooks, 4)];
        assert_eq!(counts(&bench).await, all);
        let later = START.plus(Timestamp::MINUTE).as_micros();
        change(&bench, &format!("UPDATE messages SET not_before = {later}, reason = 'outside_window'")).await;
        let waiting = of(&bench, Wait::Later).await;
        assert_eq!((waiting.reason, waiting.next_at), (Some(Reason::OutsideWindow), at(60)));
        change(&bench, "UPDATE senders SET enabled = FALSE").await;
        assert_eq!(counts(&bench).await[0], (Wait::SenderDisabled, 1));
        // Twilio has it, and for too long.
        let accepted = State::Accepted.rank();
        change(&bench, &format!("UPDATE messages SET state = {accepted}, reason = NULL, provider_sid = 'SM1'")).await;
        let waiting = of(&bench, Wait::Accepted).await;
        assert_eq!((waiting.count, waiting.at_least), (1, false));
        bench.clock.advance(4 * Timestamp::DAY);
        assert_eq!(of(&bench, Wait::NoNews).await.count, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_without_redis_sends_nothing_while_another_has_it() {
    // Nothing listens on port 1.
    let setup = Setup { redis_url: Some("redis://127.0.0.1:1"), ..Setup::default() };
    for mut world in worlds(setup).await {
        world.people(1, 20).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        let mut other = build::process_elsewhere(world.engine.now(), Figures { has_redis: true, ..Figures::default() });
        store::processes::save(world.db.writer(), &other).await.expect("saved");
        world.start();
        world.until(run.id, "planned", |run| run.ledger.planned == 20).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(world.accepted_in_all(), 0, "{:?}: the other one sends at the whole rate", world.db.kind());
        // The other one loses it, too.
        other.figures.has_redis = false;
        other.seen_at = world.engine.now();
        store::processes::save(world.db.writer(), &other).await.expect("saved");
        world.until_completed(run.id).await;
        world.stop().await;
    }
}

/// The world's only process.
async fn process(world: &World) -> Process {
    world.engine.processes().list(&world.admin).await.expect("a list").remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_tells_what_it_has_in_hand() {
    let mut setup = Setup { rate_per_second: 20, ..Setup::default() };
    setup.simulator.latency_ms = 400;
    for mut world in worlds(setup).await {
        world.people(1, 400).await;
        let run = world.launch(&world.campaign("Hi").await).await;
        world.start();
        let busy = async {
            loop {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let all = world.engine.processes().list(&world.admin).await.expect("a list");
                let Some(process) = all.into_iter().next() else { continue };
                let figures = &process.figures;
                if figures.claimed > 0 && figures.in_flight > 0 && figures.pace.runs.contains_key(&run.id) {
                    return process;
                }
            }
        };
        let busy = tokio::time::timeout(PATIENCE, busy).await.expect("it tells");
        assert_eq!((busy.state, busy.role), (ProcessState::Alive, ProcessRole::All));
        assert!(busy.figures.may_send && busy.figures.in_flight <= busy.figures.claimed, "{:?}", busy.figures);
        assert!(busy.figures.pace.all > 1.0 && busy.figures.pace.all < 60.0, "{:?}", busy.figures);
        world.stop().await;
        let stopped = process(&world).await;
        assert_eq!(stopped.state, ProcessState::Stopped);
        assert_eq!((stopped.figures.claimed, stopped.figures.in_flight), (0, 0));
    }
}
