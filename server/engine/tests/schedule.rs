//! Campaigns that run by themselves: due once whoever looks, downtime by rule, problems told, local times.

mod world;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use domain::{
    campaign::{
        Campaign, CampaignFilter, CampaignPatch, CampaignStatus, Late, NewCampaign, Repeat, Trigger, UnreadableCampaign,
    },
    deadline::SendBefore,
    ids::{ContactId, SegmentId},
    message::State,
    page::PageRequest,
    quiet::QuietHours,
    reason::Reason,
    run::{Run, RunStatus},
    schedule::{CatchUp, DueOutcome, DueReason, LastDue},
    sender::SenderPatch,
    time::Timestamp,
};
use engine::{
    Engine, Error,
    clock::{Clock, ManualClock, SystemClock},
    scheduler,
};
use testkit::build;
use world::{Moved, Setup, World, handed_over, worlds};

const START: &str = "2026-11-28T08:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

/// A clock that stands still between the steps of a test.
struct Steps(ManualClock);

impl Steps {
    fn to(&self, text: &str) {
        self.0.advance(at(text).since(self.0.now()));
    }
}

impl Clock for Steps {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// A clock that goes on by so much each time that somebody reads it.
struct Hasty {
    clock: ManualClock,
    by: AtomicI64,
}

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        self.clock.advance(self.by.load(Ordering::SeqCst));
        now
    }
}

async fn worlds_in_steps() -> (Vec<World>, Arc<Steps>) {
    let clock = Arc::new(Steps(ManualClock::new(at(START))));
    (worlds(Setup { clock: clock.clone(), ..Setup::default() }).await, clock)
}

fn once(text: &str) -> Trigger {
    Trigger::Once { at: text.to_owned(), local: false, timezone: None }
}

fn every(expression: &str, count: Option<i32>) -> Trigger {
    Trigger::Cron { expression: expression.to_owned(), timezone: Some("UTC".to_owned()), until: None, count }
}

async fn draft(world: &World, trigger: Trigger, catch_up: CatchUp) -> Campaign {
    let template_id = Some(world.template("Hi").await);
    let new = NewCampaign { trigger, catch_up, template_id, ..world.draft().await };
    world.engine.campaigns().create(&world.admin, new).await.expect("a draft")
}

async fn scheduled(world: &World, trigger: Trigger, catch_up: CatchUp) -> Campaign {
    let campaign = draft(world, trigger, catch_up).await;
    world.engine.campaigns().schedule(&world.admin, campaign.id).await.expect("scheduled")
}

async fn now(world: &World, campaign: &Campaign) -> Campaign {
    world.engine.campaigns().get(&world.admin, campaign.id).await.expect("a campaign")
}

async fn runs(world: &World, campaign: &Campaign) -> Vec<Run> {
    let page = PageRequest::first(100);
    world.engine.runs().list(&world.admin, campaign.id, &page).await.expect("runs").items
}

async fn tick(engine: &Engine) -> usize {
    scheduler::tick(engine).await.expect("a tick")
}

/// The campaign's run is over, without anything being sent.
async fn end_run(world: &World) {
    build::commit(&world.db, async |tx| {
        store::exec(tx, "UPDATE runs SET status = 'running', planned = TRUE WHERE finished_at IS NULL", vec![]).await
    })
    .await;
    for (run, campaign) in store::runs::done(world.db.reader()).await.expect("done") {
        build::commit(&world.db, async |tx| store::runs::complete(tx, run, campaign, world.engine.now()).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_that_two_processes_see_is_one_run() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        let campaign = scheduled(&world, once("2026-11-28T09:00:00Z"), CatchUp::Run).await;
        assert_eq!(campaign.status, CampaignStatus::Scheduled);
        assert_eq!(campaign.next_run_at, Some(at("2026-11-28T09:00:00Z")));
        clock.to("2026-11-28T08:59:59.999Z");
        assert_eq!(tick(&world.engine).await, 0, "not yet");
        clock.to("2026-11-28T09:00:00Z");
        let other = Engine::open(world.db.clone(), world.config().clone(), clock.clone()).await.expect("another");
        let made = both_look(&world.engine, &other, 2).await;
        assert_eq!(made, 1, "{:?}", world.db.kind());
        assert_eq!(runs(&world, &campaign).await.len(), 1);
        let launched = now(&world, &campaign).await;
        assert_eq!((launched.status, launched.next_run_at), (CampaignStatus::Running, None));
        let due_at = at("2026-11-28T09:00:00Z");
        let expected = LastDue { due_at, outcome: DueOutcome::Launched, reason: None, missed: 0 };
        assert_eq!(launched.last_due, Some(expected));
        clock.to("2026-11-29T09:00:00Z");
        assert_eq!(tick(&other).await, 0);
    }
}

/// Both look at the same time, again and again; how many runs were made in all.
async fn both_look(one: &Engine, other: &Engine, times: usize) -> usize {
    let mut tasks = tokio::task::JoinSet::new();
    for engine in [one, other].into_iter().cycle().take(2 * times) {
        let engine = engine.clone();
        tasks.spawn(async move { tick(&engine).await });
    }
    tasks.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_ten_missed_times_the_rule_decides() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        let runs_late = scheduled(&world, every("0 * * * *", None), CatchUp::Run).await;
        let skips = scheduled(&world, every("0 * * * *", None), CatchUp::Skip).await;
        let once_skips = scheduled(&world, once("2026-11-28T09:00:00Z"), CatchUp::Skip).await;
        let once_runs = scheduled(&world, once("2026-11-28T09:00:00Z"), CatchUp::Run).await;
        // Down from nine to half past six: ten times.
        clock.to("2026-11-28T18:30:00Z");
        assert_eq!(tick(&world.engine).await, 2);
        let late = now(&world, &runs_late).await;
        let latest = at("2026-11-28T18:00:00Z");
        let expected = LastDue { due_at: latest, outcome: DueOutcome::Launched, reason: None, missed: 9 };
        assert_eq!((late.last_due, runs(&world, &runs_late).await.len()), (Some(expected), 1));
        assert_eq!(late.next_run_at, Some(at("2026-11-28T19:00:00Z")));
        let skipped = now(&world, &skips).await;
        let missed = Some(DueReason::Missed);
        let expected = LastDue { due_at: latest, outcome: DueOutcome::Skipped, reason: missed, missed: 9 };
        assert_eq!((skipped.last_due, runs(&world, &skips).await.len()), (Some(expected), 0));
        assert_eq!(skipped.status, CampaignStatus::Scheduled);
        let failed = now(&world, &once_skips).await;
        assert_eq!((failed.status, failed.next_run_at), (CampaignStatus::Failed, None));
        let reason = failed.reason.expect("a reason");
        assert!(reason.contains("paused, or the program was down, and it does not catch up"), "{reason}");
        assert_eq!(now(&world, &once_runs).await.status, CampaignStatus::Running);
        // On time again.
        clock.to("2026-11-28T19:00:30Z");
        assert_eq!(tick(&world.engine).await, 1);
        assert_eq!(runs(&world, &skips).await.len(), 1);
        let busy = now(&world, &runs_late).await.last_due.expect("an instant");
        assert_eq!((busy.outcome, busy.reason), (DueOutcome::Skipped, Some(DueReason::StillRunning)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_together_is_not_missed_because_one_takes_long() {
    let clock = Arc::new(Hasty { clock: ManualClock::new(at(START)), by: AtomicI64::new(0) });
    for world in worlds(Setup { clock: clock.clone(), ..Setup::default() }).await {
        clock.clock.advance(at(START).since(clock.clock.now()));
        let one = scheduled(&world, once("2026-11-28T09:00:00Z"), CatchUp::Skip).await;
        let other = scheduled(&world, every("0 9 * * *", None), CatchUp::Skip).await;
        clock.clock.advance(at("2026-11-28T09:00:00Z").since(clock.clock.now()));
        // Between two of them more than a minute goes by.
        clock.by.store(31 * Timestamp::SECOND, Ordering::SeqCst);
        let made = tick(&world.engine).await;
        clock.by.store(0, Ordering::SeqCst);
        assert_eq!(made, 2, "{:?}", world.db.kind());
        for campaign in [one, other] {
            let launched = now(&world, &campaign).await;
            assert_eq!(launched.status, CampaignStatus::Running, "{:?}", launched.reason);
            let due_at = at("2026-11-28T09:00:00Z");
            let expected = LastDue { due_at, outcome: DueOutcome::Launched, reason: None, missed: 0 };
            assert_eq!(launched.last_due, Some(expected));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_of_missed_minutes_is_one_run_and_quickly_decided() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        let campaign = scheduled(&world, every("* * * * *", None), CatchUp::Run).await;
        clock.to("2027-11-28T08:00:30Z");
        assert_eq!(tick(&world.engine).await, 1);
        let last = now(&world, &campaign).await.last_due.expect("an instant");
        assert_eq!((last.due_at, last.missed), (at("2027-11-28T08:00:00Z"), 1_000));
        clock.to(START);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_time_is_a_run_until_the_last() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        let campaign = scheduled(&world, every("0 9 * * *", Some(2)), CatchUp::Run).await;
        clock.to("2026-11-28T09:00:00Z");
        assert_eq!(tick(&world.engine).await, 1);
        assert_eq!(now(&world, &campaign).await.status, CampaignStatus::Running);
        end_run(&world).await;
        let between = now(&world, &campaign).await;
        assert_eq!(between.status, CampaignStatus::Scheduled);
        assert_eq!(between.next_run_at, Some(at("2026-11-29T09:00:00Z")));
        clock.to("2026-11-29T09:00:01Z");
        assert_eq!(tick(&world.engine).await, 1);
        assert_eq!(now(&world, &campaign).await.next_run_at, None, "there were two");
        end_run(&world).await;
        assert_eq!(now(&world, &campaign).await.status, CampaignStatus::Completed);
        assert_eq!(runs(&world, &campaign).await.iter().map(|run| run.number).collect::<Vec<_>>(), [2, 1]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_keeps_a_run_from_starting_is_told_and_can_be_mended() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        let campaign = scheduled(&world, once("2026-11-28T09:00:00Z"), CatchUp::Run).await;
        let senders = world.engine.senders();
        let enable = |enabled| SenderPatch { enabled: Some(enabled), ..SenderPatch::default() };
        let all: Vec<_> = senders.list(&world.admin).await.expect("senders").into_iter().map(|one| one.id).collect();
        for sender in &all {
            senders.update(&world.admin, *sender, enable(false)).await.expect("disabled");
        }
        clock.to("2026-11-28T09:00:00Z");
        assert_eq!(tick(&world.engine).await, 0);
        let paused = now(&world, &campaign).await;
        assert_eq!(paused.status, CampaignStatus::Paused);
        assert!(paused.reason.as_deref().is_some_and(|reason| reason.contains("sender")), "{paused:?}");
        assert!(runs(&world, &campaign).await.is_empty());
        assert_eq!(tick(&world.engine).await, 0, "it is not tried again by itself");
        for sender in &all {
            senders.update(&world.admin, *sender, enable(true)).await.expect("enabled");
        }
        clock.to("2026-11-28T10:00:00Z");
        let resumed = world.engine.campaigns().resume(&world.admin, campaign.id).await.expect("resumed");
        assert_eq!((resumed.status, resumed.reason), (CampaignStatus::Scheduled, None));
        assert_eq!(tick(&world.engine).await, 1);
        assert_eq!(runs(&world, &campaign).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduled_campaign_is_edited_paused_and_cancelled() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        let campaigns = world.engine.campaigns();
        let campaign = scheduled(&world, once("2026-11-28T09:00:00Z"), CatchUp::Run).await;
        let again = campaigns.schedule(&world.admin, campaign.id).await;
        assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
        let later = CampaignPatch { trigger: Some(once("2026-11-28T12:00:00+01:00")), ..CampaignPatch::default() };
        let edited = campaigns.update(&world.admin, campaign.id, later).await.expect("edited");
        assert_eq!(edited.next_run_at, Some(at("2026-11-28T11:00:00Z")), "it stays scheduled");
        let past = CampaignPatch { trigger: Some(once("2026-11-28T07:00:00Z")), ..CampaignPatch::default() };
        let past = campaigns.update(&world.admin, campaign.id, past).await;
        assert!(matches!(&past, Err(Error::Invalid(errors)) if errors[0].field == "trigger.at"), "{past:?}");
        let none = CampaignPatch { trigger: Some(Trigger::Now), ..CampaignPatch::default() };
        let none = campaigns.update(&world.admin, campaign.id, none).await;
        assert!(matches!(&none, Err(Error::Invalid(errors)) if errors[0].field == "trigger"), "{none:?}");
        campaigns.pause(&world.admin, campaign.id).await.expect("paused");
        clock.to("2026-11-28T11:00:00Z");
        assert_eq!(tick(&world.engine).await, 0, "paused");
        campaigns.resume(&world.admin, campaign.id).await.expect("resumed");
        campaigns.cancel(&world.admin, campaign.id).await.expect("cancelled");
        assert_eq!(tick(&world.engine).await, 0, "cancelled");
        let cancelled = now(&world, &campaign).await;
        assert_eq!((cancelled.status, cancelled.next_run_at), (CampaignStatus::Cancelled, None));
        let by_hand = draft(&world, Trigger::Now, CatchUp::Run).await;
        let no_time = campaigns.schedule(&world.admin, by_hand.id).await;
        assert!(matches!(no_time, Err(Error::Conflict(_))), "{no_time:?}");
        let whenever = scheduled(&world, once("2026-11-28T15:00:00Z"), CatchUp::Run).await;
        world.people(1, 1).await;
        world.launch(&whenever).await;
        clock.to("2026-11-28T15:00:00Z");
        assert_eq!(tick(&world.engine).await, 0, "it was launched by hand instead");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_per_person_holds_over_all_times() {
    let clock = Arc::new(Moved::default());
    clock.to("2026-11-28T08:59:00Z");
    for mut world in worlds(Setup { clock: clock.clone(), ..Setup::default() }).await {
        clock.to("2026-11-28T08:59:00Z");
        world.people(1, 3).await;
        let template_id = Some(world.template("Hi").await);
        let new = NewCampaign {
            trigger: every("0 * * * *", None),
            repeat: Repeat::OncePerPerson,
            template_id,
            ..world.draft().await
        };
        let campaign = world.engine.campaigns().create(&world.admin, new).await.expect("a draft");
        world.engine.campaigns().schedule(&world.admin, campaign.id).await.expect("scheduled");
        world.start();
        clock.to("2026-11-28T09:00:00Z");
        let first = until_run(&world, &campaign, 1).await;
        assert_eq!(handed_over(&world.until_completed(first.id).await.ledger), 3);
        world.people(4, 2).await;
        clock.to("2026-11-28T10:00:00Z");
        let second = until_run(&world, &campaign, 2).await;
        let second = world.until_completed(second.id).await;
        assert_eq!((second.ledger.planned, handed_over(&second.ledger), second.ledger.skipped), (5, 2, 3));
        assert_eq!(second.skipped_by_reason.get(Reason::AlreadyReceived.as_str()), Some(&3));
        world.assert_nobody_twice();
        world.stop().await;
    }
}

/// Waits until the campaign has so many runs; the latest.
async fn until_run(world: &World, campaign: &Campaign, number: usize) -> Run {
    let wait = async {
        loop {
            let mut all = runs(world, campaign).await;
            if all.len() == number {
                return all.remove(0);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), wait).await.expect("a run")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_due_by_their_own_clock() {
    let (worlds, clock) = worlds_in_steps().await;
    for mut world in worlds {
        clock.to(START);
        world.people(1, 3).await;
        for (person, zone) in [(1, "Pacific/Kiritimati"), (2, "Asia/Colombo"), (3, "America/New_York")] {
            build::set_person(&world.db, ContactId(person), &format!("timezone = '{zone}'")).await;
        }
        let local = Trigger::Once { at: "2026-12-01T09:00".to_owned(), local: true, timezone: None };
        let campaign = scheduled(&world, local, CatchUp::Run).await;
        // Nine in the morning where the day begins first.
        assert_eq!(campaign.next_run_at, Some(at("2026-11-30T19:00:00Z")));
        clock.to("2026-11-30T19:00:00Z");
        assert_eq!(tick(&world.engine).await, 1);
        let run = runs(&world, &campaign).await.remove(0);
        world.start();
        world.until(run.id, "planned", |run| run.ledger.planned == 3 && run.started_at.is_some()).await;
        for (person, expected) in
            [(1, "2026-11-30T19:00:00Z"), (2, "2026-12-01T03:30:00Z"), (3, "2026-12-01T14:00:00Z")]
        {
            let message = world.message_to(person).await;
            assert_eq!(message.not_before, at(expected), "person {person}");
            assert!(person == 1 || message.state == State::Queued, "{message:?}");
        }
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_time_in_quiet_hours_waits_for_the_morning_from_the_start() {
    let (worlds, clock) = worlds_in_steps().await;
    for mut world in worlds {
        clock.to(START);
        world.people(1, 2).await;
        for (person, zone) in [(1, "Asia/Colombo"), (2, "America/New_York")] {
            build::set_person(&world.db, ContactId(person), &format!("timezone = '{zone}'")).await;
        }
        let new = NewCampaign {
            trigger: Trigger::Once { at: "2026-12-01T22:00".to_owned(), local: true, timezone: None },
            template_id: Some(world.template("Hi").await),
            quiet_hours: Some(QuietHours::DEFAULT),
            ..world.draft().await
        };
        let campaign = world.engine.campaigns().create(&world.admin, new).await.expect("a draft");
        world.engine.campaigns().schedule(&world.admin, campaign.id).await.expect("scheduled");
        clock.to("2026-12-01T08:00:00Z");
        assert_eq!(tick(&world.engine).await, 1);
        let run = runs(&world, &campaign).await.remove(0);
        world.start();
        world.until(run.id, "planned", |run| run.ledger.planned == 2 && run.started_at.is_some()).await;
        for (person, morning) in [(1, "2026-12-02T02:30:00Z"), (2, "2026-12-02T13:00:00Z")] {
            let message = world.message_to(person).await;
            assert_eq!((message.not_before, message.reason), (at(morning), Some(Reason::QuietHours)), "{person}");
            assert_eq!(message.attempts, 0, "nobody is claimed only to wait");
        }
        // Whom quiet hours do not bind any more is due at ten by their own clock, not before.
        build::commit(&world.db, async |tx| {
            let rules = store::runs::lock_rules(tx, run.id).await?;
            store::runs::set_rules(tx, run.id, &domain::run::Rules { quiet_off: true, ..rules }).await
        })
        .await;
        world.stop().await;
        world.start();
        let woken = async {
            while world.message_to(2).await.reason.is_some() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), woken).await.expect("looked at anew");
        assert_eq!(world.message_to(1).await.not_before, at("2026-12-01T16:30:00Z"));
        assert_eq!(world.message_to(2).await.not_before, at("2026-12-02T03:00:00Z"));
        world.stop().await;
    }
}

async fn set_tzdb(world: &World, run: &Run, version: &str) {
    build::commit(&world.db, async |tx| {
        let rules = store::runs::lock_rules(tx, run.id).await?;
        let rules = domain::run::Rules { tzdb: Some(version.to_owned()), ..rules };
        store::runs::set_rules(tx, run.id, &rules).await
    })
    .await;
}

/// A program with older zones had Vancouver at -08:00 in winter, where it is at -07:00 now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_due_by_the_newest_clocks() {
    let (worlds, clock) = worlds_in_steps().await;
    for mut world in worlds {
        clock.to(START);
        world.people(1, 4).await;
        for (person, zone) in
            [(1, "America/Vancouver"), (2, "America/Vancouver"), (3, "America/Vancouver"), (4, "Asia/Colombo")]
        {
            build::set_person(&world.db, ContactId(person), &format!("timezone = '{zone}'")).await;
        }
        let yearly = Trigger::Cron {
            expression: "0 9 2 12 *".to_owned(),
            timezone: Some("America/Vancouver".to_owned()),
            until: None,
            count: None,
        };
        let yearly = scheduled(&world, yearly, CatchUp::Run).await;
        let right = Some(at("2026-12-02T16:00:00Z"));
        assert_eq!(yearly.next_run_at, right);
        // So is what goes out once, at a time that was typed in a zone; one at an instant is due then.
        let once = |at: &str, timezone: Option<&str>| Trigger::Once {
            at: at.to_owned(),
            local: false,
            timezone: timezone.map(str::to_owned),
        };
        let once_there = scheduled(&world, once("2026-12-02T09:00", Some("America/Vancouver")), CatchUp::Run).await;
        assert_eq!(once_there.next_run_at, right);
        let damaged = scheduled(&world, once("2026-12-02T09:00", Some("America/Vancouver")), CatchUp::Run).await;
        let instant = scheduled(&world, once("2026-12-02T17:00:00Z", None), CatchUp::Run).await;
        let campaign = scheduled(&world, local("2026-12-01T09:00"), CatchUp::Run).await;
        clock.to("2026-11-30T19:00:00Z");
        assert_eq!(tick(&world.engine).await, 1);
        let run = runs(&world, &campaign).await.remove(0);
        world.start();
        world.until(run.id, "planned", |run| run.ledger.planned == 4 && run.started_at.is_some()).await;
        world.stop().await;
        let planned_by = store::runs::rules(world.db.reader(), run.id).await.expect("rules").tzdb;
        assert!(planned_by.as_deref() > Some("2026"), "{planned_by:?}");

        let (nine, ten) = (at("2026-12-01T16:00:00Z"), at("2026-12-01T17:00:00Z"));
        let leave_behind = [
            format!("UPDATE messages SET not_before = {} WHERE contact_id < 4", ten.as_micros()),
            "UPDATE messages SET reason = 'quiet_hours' WHERE contact_id = 2".to_owned(),
            // It was tried, and waits for something else.
            "UPDATE messages SET reason = 'rate_limited' WHERE contact_id = 3".to_owned(),
        ];
        build::commit(&world.db, async |tx| {
            for update in &leave_behind {
                store::exec(tx, update, vec![]).await?;
            }
            let later = at("2026-12-02T17:00:00Z").as_micros();
            for campaign in [&yearly, &once_there] {
                let moved = vec![later.into(), campaign.id.0.into()];
                store::exec(tx, "UPDATE campaigns SET next_due_at = $1 WHERE id = $2", moved).await?;
            }
            // One that nobody can read leaves the others alone.
            let damage = "UPDATE campaigns SET trigger_json = 'x' || trigger_json WHERE id = $1";
            store::exec(tx, damage, vec![damaged.id.0.into()]).await?;
            Ok(())
        })
        .await;
        set_tzdb(&world, &run, "2025b").await;
        world.start();
        let set_anew = async {
            while now(&world, &yearly).await.next_run_at != right
                || now(&world, &once_there).await.next_run_at != right
                || store::runs::rules(world.db.reader(), run.id).await.expect("rules").tzdb != planned_by
            {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), set_anew).await.expect("set anew");
        for (person, due) in [(1, nine), (2, nine), (3, ten), (4, at("2026-12-01T03:30:00Z"))] {
            assert_eq!(world.message_to(person).await.not_before, due, "{:?}: person {person}", world.db.kind());
        }
        assert_eq!(world.message_to(2).await.reason, None);
        assert_eq!(now(&world, &instant).await.next_run_at, instant.next_run_at);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_time_is_missed_only_by_those_for_whom_it_is_over() {
    let (worlds, clock) = worlds_in_steps().await;
    for mut world in worlds {
        clock.to(START);
        world.people(1, 3).await;
        for (person, zone) in [(1, "Pacific/Kiritimati"), (2, "Asia/Colombo"), (3, "America/New_York")] {
            build::set_person(&world.db, ContactId(person), &format!("timezone = '{zone}'")).await;
        }
        let local = || Trigger::Once { at: "2026-12-01T09:00".to_owned(), local: true, timezone: None };
        let campaign = scheduled(&world, local(), CatchUp::Skip).await;
        // Nobody was there from the first place's morning until after Colombo's.
        clock.to("2026-12-01T05:00:00Z");
        assert_eq!(tick(&world.engine).await, 1);
        let run = runs(&world, &campaign).await.remove(0);
        world.start();
        world.until(run.id, "planned", |run| run.ledger.planned == 3 && run.started_at.is_some()).await;
        for person in [1, 2] {
            let message = world.message_to(person).await;
            assert_eq!((message.state, message.reason), (State::Skipped, Some(Reason::DeadlinePassed)), "{person}");
            let [decision] = &message.decisions[..] else { panic!("{:?}", message.decisions) };
            let detail = decision.checks.iter().find_map(|check| check.detail.clone()).expect("a detail");
            assert!(detail.contains("2026-12-01 09:00"), "{detail}");
        }
        let due = world.message_to(3).await;
        assert_eq!((due.state, due.not_before), (State::Queued, at("2026-12-01T14:00:00Z")));
        world.stop().await;

        // Once it is over everywhere, it was missed as a whole.
        clock.to(START);
        let missed = scheduled(&world, local(), CatchUp::Skip).await;
        clock.to("2026-12-01T21:01:01Z");
        assert_eq!(tick(&world.engine).await, 0);
        let failed = now(&world, &missed).await;
        assert_eq!(failed.status, CampaignStatus::Failed);
        assert!(failed.reason.is_some_and(|reason| reason.contains("does not catch up")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_time_has_a_deadline_that_is_an_instant() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        let new = |send_before: &str, local, blank: &NewCampaign| NewCampaign {
            trigger: match local {
                true => Trigger::Once { at: "2026-12-01T09:00".to_owned(), local: true, timezone: None },
                false => once("2026-12-01T09:00:00Z"),
            },
            send_before: Some(send_before.parse().expect("a deadline")),
            ..blank.clone()
        };
        let blank = world.draft().await;
        let campaigns = world.engine.campaigns();
        let refused = campaigns.create(&world.admin, new("PT6H", true, &blank)).await;
        assert!(matches!(&refused, Err(Error::Invalid(errors)) if errors[0].field == "send_before"), "{refused:?}");
        campaigns.create(&world.admin, new("2026-12-02T09:00:00Z", true, &blank)).await.expect("an instant");
        let fine = campaigns.create(&world.admin, new("PT6H", false, &blank)).await.expect("for all at once");
        // One that was made before is told at the launch.
        let local = r#"{"type":"once","at":"2026-12-01T09:00","local":true}"#;
        let update = "UPDATE campaigns SET trigger_json = $1 WHERE id = $2";
        build::commit(&world.db, async |tx| store::exec(tx, update, vec![local.into(), fine.id.0.into()]).await).await;
        let check = campaigns.launch_check(&world.admin, fine.id).await.expect("a check");
        assert!(check.problems.iter().any(|problem| problem.field == "send_before"), "{:?}", check.problems);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_that_is_over_before_it_goes_out_is_refused() {
    let is_refused = |result: &Result<Campaign, Error>, words: &str| match result {
        Err(Error::Invalid(errors)) => errors[0].field == "send_before" && errors[0].message.contains(words),
        _ => false,
    };
    let until = |text: &str| Some(text.parse::<SendBefore>().expect("a deadline"));
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        let campaigns = world.engine.campaigns();
        let template_id = Some(world.template("Hi").await);
        let blank = NewCampaign { template_id, late: Late::Drop, ..world.draft().await };
        let first = "2026-12-24T09:00:00Z";
        let monthly = || every("0 9 24 * *", None);
        let listens = || Trigger::Event { name: "cart.left".to_owned(), delay: None, debounce: None };
        for (trigger, deadline, words) in [
            (once(first), "2026-12-20T00:00:00Z", "Thu 24 December 2026, 09:00 UTC"),
            (once(first), first, "Thu 24 December 2026, 09:00 UTC"),
            (monthly(), "2026-12-24T09:00:00Z", "Thu 24 December 2026, 09:00 UTC"),
            (local("2026-12-24T09:00"), "2026-12-20T00:00:00Z", "Wed 23 December 2026, 19:00 UTC"),
            (once(first), "2020-01-01T00:00:00Z", "has passed"),
            (Trigger::Now, START, "has passed"),
            (listens(), START, "has passed"),
        ] {
            let new = NewCampaign { trigger: trigger.clone(), send_before: until(deadline), ..blank.clone() };
            let refused = campaigns.create(&world.admin, new.clone()).await;
            assert!(is_refused(&refused, words), "{trigger:?}: {refused:?}");
            // Where what is late is sent all the same, it keeps nobody from getting it: that is said.
            let waits = campaigns.create(&world.admin, NewCampaign { late: Late::Wait, ..new }).await.expect("a draft");
            let check = campaigns.launch_check(&world.admin, waits.id).await.expect("a check");
            assert!(check.problems.iter().all(|problem| problem.field != "send_before"), "{:?}", check.problems);
            assert!(check.warnings.iter().any(|warning| warning.contains("all the same")), "{:?}", check.warnings);
            let drop = CampaignPatch { late: Some(Late::Drop), ..CampaignPatch::default() };
            assert!(is_refused(&campaigns.update(&world.admin, waits.id, drop).await, words), "{trigger:?}");
        }

        // One that is scheduled takes neither such a deadline nor such a time.
        let new = NewCampaign { trigger: once(first), send_before: until("2026-12-24T12:00:00Z"), ..blank.clone() };
        let fine = campaigns.create(&world.admin, new).await.expect("three hours");
        campaigns.schedule(&world.admin, fine.id).await.expect("scheduled");
        let earlier = CampaignPatch { send_before: Some(until("2026-12-20T00:00:00Z")), ..CampaignPatch::default() };
        assert!(is_refused(&campaigns.update(&world.admin, fine.id, earlier).await, "24 December"));
        let later = CampaignPatch { trigger: Some(once("2026-12-25T09:00:00Z")), ..CampaignPatch::default() };
        assert!(is_refused(&campaigns.update(&world.admin, fine.id, later).await, "25 December"));
        let named = CampaignPatch { name: Some("Another".to_owned()), ..CampaignPatch::default() };
        campaigns.update(&world.admin, fine.id, named).await.expect("a name");

        // And one that was made before is told by the check, the rehearsal, and refused when it is scheduled.
        let new = NewCampaign { trigger: once(first), send_before: until("2026-12-24T12:00:00Z"), ..blank };
        let old = campaigns.create(&world.admin, new).await.expect("a draft");
        let update = "UPDATE campaigns SET send_before = '2026-12-20T00:00:00Z' WHERE id = $1";
        build::commit(&world.db, async |tx| store::exec(tx, update, vec![old.id.0.into()]).await).await;
        let check = campaigns.launch_check(&world.admin, old.id).await.expect("a check");
        assert!(check.problems.iter().any(|problem| problem.field == "send_before"), "{:?}", check.problems);
        assert!(is_refused(&campaigns.schedule(&world.admin, old.id).await, "24 December"));
        let rehearsed = campaigns.rehearse(&world.admin, old.id).await;
        assert!(matches!(&rehearsed, Err(Error::Invalid(errors)) if errors[0].field == "send_before"), "{rehearsed:?}");
        assert_eq!(now(&world, &old).await.status, CampaignStatus::Draft);
    }
}

/// The next time is after the deadline: that is nothing against this one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_between_two_times_binds_the_run_that_is_due_not_the_next() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        world.people(1, 1).await;
        let new = NewCampaign {
            trigger: every("0 9 1 * *", None),
            send_before: Some("2026-12-01T12:00:00Z".parse().expect("a deadline")),
            late: Late::Drop,
            template_id: Some(world.template("Hi").await),
            ..world.draft().await
        };
        let campaign = world.engine.campaigns().create(&world.admin, new).await.expect("a draft");
        world.engine.campaigns().schedule(&world.admin, campaign.id).await.expect("scheduled");
        clock.to("2026-12-01T09:00:00Z");
        assert_eq!(tick(&world.engine).await, 1);
        assert_eq!(now(&world, &campaign).await.status, CampaignStatus::Running);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_that_wait_cost_one_small_query() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        build::armed(&world.db, 10_000, at("2026-12-24T00:00:00Z")).await;
        store::exec(world.db.writer(), "ANALYZE", vec![]).await.expect("analysed");
        let (explain, column, step) = match world.db.kind() {
            store::Kind::Postgres => ("EXPLAIN", "QUERY PLAN", "using campaigns_due on campaigns"),
            store::Kind::Sqlite => ("EXPLAIN QUERY PLAN", "detail", "SEARCH campaigns USING"),
        };
        let nobody = uuid::Uuid::nil();
        let values = vec![at(START).as_micros().into(), i64::MIN.into(), nobody.into(), 100_i64.into()];
        let query = format!("{explain} {}", store::schedule::DUE);
        let rows = store::all(world.db.reader(), query, values).await.expect("a plan");
        let plan: Vec<String> = rows.iter().map(|row| row.get(column).expect("a line")).collect();
        let plan = plan.join("\n");
        assert!(plan.contains(step) && plan.contains("campaigns_due"), "{plan}");
        assert!(!plan.contains("Seq Scan") && !plan.contains("SCAN campaigns"), "{plan}");

        // Other tests run beside this one: what is least is what is the tick's own.
        let (mut statements, mut took) = (u64::MAX, i64::MAX);
        for _ in 0..200 {
            let (before, began) = (store::counts().0, SystemClock.now());
            assert_eq!(tick(&world.engine).await, 0);
            took = took.min(SystemClock.now().since(began));
            statements = statements.min(store::counts().0 - before);
        }
        assert_eq!(statements, 1, "{:?}", world.db.kind());
        assert!(took < Timestamp::SECOND / 50, "{took} µs");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_shows_what_ran_and_what_is_due_by_the_clock_of_a_zone() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to("2026-11-01T00:00:00Z");
        let weekly = scheduled(&world, every("30 23 * * MON", Some(100)), CatchUp::Run).await;
        let local = Trigger::Once { at: "2026-11-28T09:00".to_owned(), local: true, timezone: None };
        let anywhere = scheduled(&world, local, CatchUp::Run).await;
        clock.to("2026-11-02T23:30:00Z");
        assert_eq!(tick(&world.engine).await, 1);
        let month = |month: &'static str, zone: &'static str| {
            let (campaigns, admin) = (world.engine.campaigns(), &world.admin);
            async move { campaigns.calendar(admin, Some(month), Some(zone)).await }
        };
        let shown = |month: &domain::schedule::Calendar| -> Vec<(String, String, bool, bool)> {
            let days = month.days.iter().flat_map(|day| day.entries.iter().map(move |entry| (day, entry)));
            days.map(|(day, entry)| (day.date.clone(), entry.time.clone(), entry.has_run, entry.everywhere)).collect()
        };
        let entry = |date: &str, time: &str, ran, everywhere| (date.to_owned(), time.to_owned(), ran, everywhere);

        let utc = month("2026-11", "UTC").await.expect("a month");
        assert_eq!((utc.days.len(), utc.days[0].weekday, utc.truncated), (30, 7, false), "a Sunday");
        let mondays = [
            entry("2026-11-02", "23:30", true, false),
            entry("2026-11-09", "23:30", false, false),
            entry("2026-11-16", "23:30", false, false),
            entry("2026-11-23", "23:30", false, false),
            entry("2026-11-28", "09:00", false, true),
            entry("2026-11-30", "23:30", false, false),
        ];
        assert_eq!(shown(&utc), mondays, "{:?}", world.db.kind());
        let mut entries = utc.days.iter().flat_map(|day| &day.entries);
        assert!(entries.all(|entry| entry.recurring == (entry.campaign_id == weekly.id)), "from its first run on");

        // In Colombo it is Tuesday by then, and the last one belongs to December.
        let colombo = month("2026-11", "Asia/Colombo").await.expect("a month");
        let days: Vec<_> = shown(&colombo).into_iter().map(|(date, time, ..)| format!("{date} {time}")).collect();
        let tuesdays =
            ["2026-11-03 05:00", "2026-11-10 05:00", "2026-11-17 05:00", "2026-11-24 05:00", "2026-11-28 09:00"];
        assert_eq!(days, tuesdays);
        let december = month("2026-12", "Asia/Colombo").await.expect("a month");
        assert_eq!(shown(&december).first(), Some(&entry("2026-12-01", "05:00", false, false)));
        assert!(december.days.iter().flat_map(|day| &day.entries).all(|entry| entry.campaign_id == weekly.id));

        world.engine.campaigns().cancel(&world.admin, anywhere.id).await.expect("cancelled");
        assert!(!shown(&month("2026-11", "UTC").await.expect("a month")).iter().any(|(.., everywhere)| *everywhere));
        for (month_, zone, field) in
            [("2026-13", "UTC", "month"), ("soon", "UTC", "month"), ("2026-11", "Mars/Olympus", "timezone")]
        {
            match month(month_, zone).await {
                Err(Error::Invalid(errors)) => assert_eq!(errors[0].field, field),
                other => panic!("{month_} {zone}: {other:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_shows_no_rehearsal_and_nothing_after_the_last_run() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to("2026-11-01T00:00:00Z");
        let campaigns = world.engine.campaigns();
        let weekly = scheduled(&world, every("30 23 * * MON", Some(3)), CatchUp::Run).await;
        assert_eq!(campaigns.upcoming(&world.admin, &weekly, 5).await.expect("times").len(), 3);
        clock.to("2026-11-02T23:30:00Z");
        assert_eq!(tick(&world.engine).await, 1);
        end_run(&world).await;
        clock.to("2026-11-03T12:00:00Z");
        let looked_at = draft(&world, Trigger::Now, CatchUp::Run).await;
        campaigns.rehearse(&world.admin, looked_at.id).await.expect("a rehearsal");
        clock.to("2026-11-03T12:00:01Z");
        campaigns.rehearse(&world.admin, looked_at.id).await.expect("another in its place");
        let month = campaigns.calendar(&world.admin, Some("2026-11"), Some("UTC")).await.expect("a month");
        let days: Vec<_> = month.days.iter().filter(|day| !day.entries.is_empty()).map(|day| &*day.date).collect();
        assert_eq!(days, ["2026-11-02", "2026-11-09", "2026-11-16"], "{:?}", world.db.kind());
        // However often it was rehearsed, it goes out once.
        let rehearsed = draft(&world, once("2026-11-04T09:00:00Z"), CatchUp::Run).await;
        campaigns.rehearse(&world.admin, rehearsed.id).await.expect("a rehearsal");
        campaigns.schedule(&world.admin, rehearsed.id).await.expect("scheduled");
        clock.to("2026-11-04T09:00:00Z");
        assert_eq!(tick(&world.engine).await, 1);
        let month = campaigns.calendar(&world.admin, Some("2026-11"), Some("UTC")).await.expect("a month");
        let of_it: Vec<_> =
            month.days.iter().flat_map(|day| &day.entries).filter(|e| e.campaign_id == rehearsed.id).collect();
        assert_eq!(of_it.iter().map(|entry| (entry.has_run, entry.recurring)).collect::<Vec<_>>(), [(true, false)]);

        let count =
            |count| CampaignPatch { trigger: Some(every("30 23 * * MON", Some(count))), ..CampaignPatch::default() };
        let refused = campaigns.update(&world.admin, weekly.id, count(1)).await;
        assert!(matches!(&refused, Err(Error::Invalid(errors)) if errors[0].field == "trigger.count"), "{refused:?}");
        let fewer = campaigns.update(&world.admin, weekly.id, count(2)).await.expect("one is left");
        assert_eq!(campaigns.upcoming(&world.admin, &fewer, 5).await.expect("times"), [at("2026-11-09T23:30:00Z")]);
        campaigns.update(&world.admin, weekly.id, count(3)).await.expect("two again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_launched_to_by_hand_also_before_a_time() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        let campaigns = world.engine.campaigns();
        for trigger in [once("2026-11-28T09:00:00Z"), every("0 9 * * *", None)] {
            let campaign = scheduled(&world, trigger, CatchUp::Run).await;
            let refused = campaigns.launch(&world.admin, campaign.id).await;
            assert!(matches!(&refused, Err(Error::Invalid(errors)) if errors[0].field == "segment_id"), "{refused:?}");
            assert_eq!(now(&world, &campaign).await.status, CampaignStatus::Scheduled);
            let check = campaigns.launch_check(&world.admin, campaign.id).await.expect("a check");
            assert_eq!(check.problems, vec![], "it can be scheduled");
            assert!(check.warnings.iter().any(|text| text.contains("A launch by hand is refused")), "{check:?}");
        }
        clock.to("2026-11-28T09:00:00Z");
        assert_eq!(tick(&world.engine).await, 2, "at its time it goes to who is there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_that_is_over_is_said_before_the_rehearsal_and_the_launch() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        let campaigns = world.engine.campaigns();
        let campaign = draft(&world, once("2026-11-28T09:00:00Z"), CatchUp::Run).await;
        let check = campaigns.launch_check(&world.admin, campaign.id).await.expect("a check");
        assert_eq!(check.problems, vec![]);
        assert!(check.warnings.iter().any(|text| text.contains("nobody in the audience as of now")), "{check:?}");
        clock.to("2026-11-28T09:00:00Z");
        let refused = |result: Result<Run, Error>| match result {
            Err(Error::Invalid(errors)) => assert_eq!(errors[0].field, "trigger.at"),
            other => panic!("{other:?}"),
        };
        refused(campaigns.rehearse(&world.admin, campaign.id).await);
        refused(campaigns.launch(&world.admin, campaign.id).await);
        let check = campaigns.launch_check(&world.admin, campaign.id).await.expect("a check");
        assert_eq!(check.problems.iter().map(|problem| &*problem.field).collect::<Vec<_>>(), ["trigger.at"]);
        // A repeating one whose last day is over, and one whose zone is not known any more.
        let over = r#"{"type":"cron","expression":"0 * * * *","timezone":"UTC","until":"2026-11-28T08:30:00Z"}"#;
        for (trigger, field) in [(over, "trigger.until"), (OF_A_LOST_ZONE, "trigger.timezone")] {
            let campaign = draft(&world, every("0 * * * *", None), CatchUp::Run).await;
            store_trigger(&world, &campaign, trigger).await;
            let rehearsed = campaigns.rehearse(&world.admin, campaign.id).await;
            let launched = campaigns.launch(&world.admin, campaign.id).await;
            for refused in [rehearsed, launched] {
                assert!(matches!(&refused, Err(Error::Invalid(errors)) if errors[0].field == field), "{refused:?}");
            }
            let check = campaigns.launch_check(&world.admin, campaign.id).await.expect("a check");
            assert_eq!(check.problems.iter().map(|problem| &*problem.field).collect::<Vec<_>>(), [field]);
        }
    }
}

/// Stores a trigger as it is, also one that nobody could give any more.
async fn store_trigger(world: &World, campaign: &Campaign, trigger: &str) {
    let update = "UPDATE campaigns SET trigger_json = $1 WHERE id = $2";
    let values = vec![trigger.into(), campaign.id.0.into()];
    build::commit(&world.db, async |tx| store::exec(tx, update, values).await).await;
}

/// A repeating trigger in a zone that was there once.
const OF_A_LOST_ZONE: &str = r#"{"type":"cron","expression":"0 * * * *","timezone":"Mars/Olympus"}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_that_cannot_be_read_pauses_the_campaign_with_the_reason() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        let campaign = scheduled(&world, every("0 * * * *", None), CatchUp::Run).await;
        let busy = scheduled(&world, every("0 * * * *", None), CatchUp::Run).await;
        clock.to("2026-11-28T09:00:00Z");
        assert_eq!(tick(&world.engine).await, 2);
        build::commit(&world.db, async |tx| {
            let end = "UPDATE runs SET status = 'running', planned = TRUE WHERE campaign_id = $1";
            store::exec(tx, end, vec![campaign.id.0.into()]).await?;
            let run = store::runs::done(tx).await?.remove(0);
            store::runs::complete(tx, run.0, run.1, world.engine.now()).await
        })
        .await;
        for one in [&campaign, &busy] {
            store_trigger(&world, one, OF_A_LOST_ZONE).await;
        }
        clock.to("2026-11-28T10:00:00Z");
        assert_eq!(tick(&world.engine).await, 0);
        let paused = now(&world, &campaign).await;
        assert_eq!(paused.status, CampaignStatus::Paused, "{:?}", world.db.kind());
        let reason = paused.reason.unwrap_or_default();
        assert!(reason.contains("cannot be read") && reason.contains("time zone"), "{reason}");
        // One that is under way ends first.
        assert_eq!(now(&world, &busy).await.status, CampaignStatus::Running);
        end_run(&world).await;
        assert_eq!(tick(&world.engine).await, 0);
        assert_eq!(now(&world, &busy).await.status, CampaignStatus::Paused);
        // Once it can be read, it goes on.
        store_trigger(&world, &campaign, r#"{"type":"cron","expression":"0 * * * *","timezone":"UTC"}"#).await;
        world.engine.campaigns().resume(&world.admin, campaign.id).await.expect("resumed");
        assert_eq!(tick(&world.engine).await, 1);
    }
}

/// Stores something else of a campaign, and calls it by a name of its own.
async fn store_as(world: &World, campaign: &Campaign, name: &str, column: &str, value: Option<&str>) {
    let update = format!("UPDATE campaigns SET name = $1, {column} = $2 WHERE id = $3");
    let values = vec![name.into(), value.map(str::to_owned).into(), campaign.id.0.into()];
    build::commit(&world.db, async |tx| store::exec(tx, update, values).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_that_cannot_be_read_is_named_and_hides_no_other() {
    const BOTH: [&str; 2] = ["Damaged", "Newer"];
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        world.people(1, 3).await;
        let good = scheduled(&world, once("2026-11-28T09:00:00Z"), CatchUp::Run).await;
        let newer = scheduled(&world, once("2026-11-28T09:00:00Z"), CatchUp::Run).await;
        let damaged = scheduled(&world, once("2026-11-28T09:00:00Z"), CatchUp::Run).await;
        let other = draft(&world, Trigger::Now, CatchUp::Run).await;
        store_as(&world, &newer, "Newer", "trigger_json", Some(r#"{"type":"full_moon"}"#)).await;
        store_as(&world, &damaged, "Damaged", "quiet_hours", Some("x")).await;
        let names = |unreadable: &[UnreadableCampaign]| {
            let mut names: Vec<_> = unreadable.iter().map(|one| one.name.clone()).collect();
            names.sort_unstable();
            names
        };
        let ids = |campaigns: &[Campaign]| campaigns.iter().map(|one| one.id).collect::<BTreeSet<_>>();
        let (campaigns, admin) = (world.engine.campaigns(), &world.admin);

        // The list, also where a page ends with one of them.
        let (mut items, mut unreadable, mut page) = (Vec::new(), Vec::new(), PageRequest::first(1));
        loop {
            let found = campaigns.list(admin, &CampaignFilter::default(), &page).await.expect("a page");
            assert_eq!(found.items.len() + found.unreadable.len(), 1);
            items.extend(found.items);
            unreadable.extend(found.unreadable);
            let Some(cursor) = found.next_cursor else { break };
            page.cursor = Some(cursor);
        }
        assert_eq!(ids(&items), BTreeSet::from([good.id, other.id]), "{:?}", world.db.kind());
        assert_eq!(names(&unreadable), BOTH);
        let status = unreadable.iter().find(|one| one.id == newer.id).expect("it is named").status;
        assert_eq!(status, Some(CampaignStatus::Scheduled));
        let dashboard = world.engine.dashboard().get(admin).await.expect("the first page");
        assert_eq!(
            (ids(&dashboard.campaigns), names(&dashboard.unreadable)),
            (ids(&items), BOTH.map(str::to_owned).to_vec())
        );
        let month = campaigns.calendar(admin, Some("2026-11"), Some("UTC")).await.expect("a month");
        let shown: Vec<_> = month.days.iter().flat_map(|day| &day.entries).map(|entry| entry.campaign_id).collect();
        assert_eq!((shown, names(&month.unreadable)), (vec![good.id], BOTH.map(str::to_owned).to_vec()));
        let told = warnings(&world, &other).await;
        for name in BOTH {
            let words = format!("cannot read \u{201c}{name}\u{201d}");
            assert!(told.iter().any(|one| one.contains(&words)), "{told:?}");
        }

        // Nobody starts one, and it is said why.
        for id in [newer.id, damaged.id] {
            let refused = [campaigns.get(admin, id).await.err(), campaigns.launch(admin, id).await.err()];
            for error in refused {
                assert!(matches!(&error, Some(Error::Conflict(why)) if why.contains("cannot read")), "{error:?}");
            }
        }
        clock.to("2026-11-28T09:00:00Z");
        assert_eq!(tick(&world.engine).await, 1);
        assert_eq!(runs(&world, &good).await.len(), 1);
        // They keep their time: once they can be read, they go out.
        let at_nine = serde_json::to_string(&once("2026-11-28T09:00:00Z")).expect("JSON");
        store_as(&world, &newer, "Newer", "trigger_json", Some(&at_nine)).await;
        store_as(&world, &damaged, "Damaged", "quiet_hours", None).await;
        assert_eq!(tick(&world.engine).await, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_that_cannot_be_read_is_stopped_all_the_same() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        world.people(1, 3).await;
        let campaign = draft(&world, Trigger::Now, CatchUp::Run).await;
        let run = world.launch(&campaign).await;
        store_as(&world, &campaign, "Newer", "trigger_json", Some(r#"{"type":"full_moon"}"#)).await;
        let (campaigns, admin) = (world.engine.campaigns(), &world.admin);
        assert_eq!(campaigns.pause(admin, campaign.id).await.expect("paused"), None);
        assert_eq!(world.run(run.id).await.status, RunStatus::Paused, "{:?}", world.db.kind());
        let resumed = campaigns.resume(admin, campaign.id).await;
        assert!(matches!(&resumed, Err(Error::Conflict(why)) if why.contains("cannot read")), "{resumed:?}");
        assert_eq!(world.run(run.id).await.status, RunStatus::Paused);
        assert_eq!(campaigns.cancel(admin, campaign.id).await.expect("cancelled"), None);
        assert_eq!(world.run(run.id).await.status, RunStatus::Cancelled);
        assert!(campaigns.cancel(admin, campaign.id).await.is_err(), "it is cancelled already");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_a_status_of_later_hides_no_other() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        world.people(1, 3).await;
        let campaign = scheduled(&world, every("0 * * * *", None), CatchUp::Run).await;
        let other = draft(&world, Trigger::Now, CatchUp::Run).await;
        for hour in ["09", "10", "11"] {
            clock.to(&format!("2026-11-28T{hour}:00:00Z"));
            assert_eq!(tick(&world.engine).await, 1);
            end_run(&world).await;
        }
        let all = runs(&world, &campaign).await;
        let [latest, middle, first] = &all[..] else { panic!("{all:?}") };
        let shines = async |run: &Run| {
            let update = "UPDATE runs SET status = 'shining' WHERE id = $1";
            build::commit(&world.db, async |tx| store::exec(tx, update, vec![run.id.0.into()]).await).await;
        };

        // One before the latest: it is left out, also between two pages.
        shines(middle).await;
        assert_eq!(runs(&world, &campaign).await.iter().map(|run| run.id).collect::<Vec<_>>(), [latest.id, first.id]);
        let service = world.engine.runs();
        let page = PageRequest::first(1);
        let one = service.list(&world.admin, campaign.id, &page).await.expect("a page");
        assert_eq!(one.items.iter().map(|run| run.id).collect::<Vec<_>>(), [latest.id]);
        let page = PageRequest { cursor: one.next_cursor, ..page };
        let two = service.list(&world.admin, campaign.id, &page).await.expect("another");
        assert_eq!(two.items.iter().map(|run| run.id).collect::<Vec<_>>(), [first.id], "{:?}", world.db.kind());
        let refused = service.get(&world.admin, middle.id).await.err();
        assert!(matches!(&refused, Some(Error::Conflict(why)) if why.contains("cannot read")), "{refused:?}");
        assert_eq!(now(&world, &campaign).await.run.map(|run| run.id), Some(latest.id));

        // The latest: the campaign is one that cannot be read, and not one that was never launched.
        shines(latest).await;
        let campaigns = world.engine.campaigns();
        let list =
            campaigns.list(&world.admin, &CampaignFilter::default(), &PageRequest::first(10)).await.expect("a list");
        assert_eq!(list.items.iter().map(|one| one.id).collect::<Vec<_>>(), [other.id]);
        assert_eq!(list.unreadable.iter().map(|one| one.id).collect::<Vec<_>>(), [campaign.id]);
        let refused = campaigns.get(&world.admin, campaign.id).await.err();
        assert!(matches!(&refused, Some(Error::Conflict(why)) if why.contains("cannot read")), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_that_comes_again_after_the_clock_was_set_back_is_the_next_ones_turn() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        let campaign = scheduled(&world, every("0 * * * *", None), CatchUp::Run).await;
        let skips = scheduled(&world, once("2026-11-28T09:00:00Z"), CatchUp::Run).await;
        clock.to("2026-11-28T09:00:00Z");
        assert_eq!(tick(&world.engine).await, 2);
        end_run(&world).await;
        assert_eq!(now(&world, &skips).await.status, CampaignStatus::Completed);
        clock.to("2026-11-28T08:30:00Z");
        let daily = CampaignPatch { trigger: Some(every("0 9 * * *", None)), ..CampaignPatch::default() };
        let daily = world.engine.campaigns().update(&world.admin, campaign.id, daily).await.expect("changed");
        assert_eq!(daily.next_run_at, Some(at("2026-11-28T09:00:00Z")));
        clock.to("2026-11-28T09:00:00Z");
        assert_eq!(tick(&world.engine).await, 0);
        let after = now(&world, &campaign).await;
        assert_eq!(after.status, CampaignStatus::Scheduled, "{:?}: {:?}", world.db.kind(), after.reason);
        assert_eq!(after.next_run_at, Some(at("2026-11-29T09:00:00Z")));
        assert_eq!(runs(&world, &campaign).await.len(), 1);
        // And where there is no next one it has come to its end.
        clock.to("2026-11-28T08:30:00Z");
        let last = CampaignPatch { trigger: Some(once("2026-11-28T09:00:00Z")), ..CampaignPatch::default() };
        world.engine.campaigns().update(&world.admin, campaign.id, last).await.expect("changed");
        clock.to("2026-11-28T09:00:00Z");
        assert_eq!(tick(&world.engine).await, 0);
        let over = now(&world, &campaign).await;
        assert_eq!((over.status, over.next_run_at), (CampaignStatus::Completed, None), "{:?}", world.db.kind());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_starts_within_a_second() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 1).await;
        world.start();
        // Whole seconds are when the clockwork knocks: these lie between them.
        let whole = world.engine.now().as_micros().div_euclid(Timestamp::SECOND) * Timestamp::SECOND;
        let soon = Timestamp::from_micros(whole).plus(3 * Timestamp::SECOND);
        let mut campaigns = Vec::new();
        for milliseconds in [1, 350, 999] {
            let due = soon.plus(milliseconds * 1_000);
            campaigns.push((due, scheduled(&world, once(&due.to_string()), CatchUp::Run).await));
        }
        for (due, campaign) in campaigns {
            let run = loop {
                match runs(&world, &campaign).await.pop() {
                    Some(run) => break run,
                    None if world.engine.now() > due.plus(20 * Timestamp::SECOND) => panic!("not started at all"),
                    None => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
                }
            };
            let late = run.created_at.since(due);
            assert!((0..Timestamp::SECOND).contains(&late), "{:?}: {late} µs late", world.db.kind());
        }
        world.stop().await;
    }
}

/// The audience of all who live in a city.
async fn living_in(world: &World, city: &str) -> SegmentId {
    let rule = serde_json::json!({ "field": "attributes.city", "operator": "=", "value": city });
    let definition = serde_json::json!({ "combinator": "and", "rules": [rule] });
    let new = serde_json::from_value(serde_json::json!({ "name": city, "definition": definition }));
    world.engine.segments().create(&world.admin, new.expect("a segment")).await.expect("a segment").id
}

async fn warnings(world: &World, campaign: &Campaign) -> Vec<String> {
    world.engine.campaigns().launch_check(&world.admin, campaign.id).await.expect("a check").warnings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_to_the_same_people_within_a_day_is_told_before_the_launch() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        world.people(1, 3).await;
        let campaigns = world.engine.campaigns();
        let weekly = scheduled(&world, once("2026-11-29T07:00:00Z"), CatchUp::Run).await;
        let blank = world.draft().await;
        let new = |trigger| NewCampaign {
            trigger,
            segment_id: weekly.segment_id,
            template_id: weekly.template_id,
            ..blank.clone()
        };
        let now = campaigns.create(&world.admin, new(Trigger::Now)).await.expect("a draft");
        let told = warnings(&world, &now).await;
        assert!(matches!(&told[..], [one] if one.contains(&weekly.name) && one.contains("29 November")), "{told:?}");
        let later = campaigns.create(&world.admin, new(once("2026-12-02T07:00:00Z"))).await.expect("a draft");
        assert_eq!(warnings(&world, &later).await, Vec::<String>::new());
        // Another audience of the same people, and of others.
        let others = draft(&world, Trigger::Now, CatchUp::Run).await;
        assert_ne!(others.segment_id, weekly.segment_id);
        let told = warnings(&world, &others).await;
        assert!(matches!(&told[..], [one] if one.contains("3 people are in both audiences")), "{told:?}");
        let to = async |segment| {
            let draft = NewCampaign { segment_id: Some(segment), ..new(Trigger::Now) };
            campaigns.create(&world.admin, draft).await.expect("a draft")
        };
        build::set_person(&world.db, ContactId(2), "attributes = '{\"city\":\"Galle\"}'").await;
        let told = warnings(&world, &to(living_in(&world, "Galle").await).await).await;
        assert!(matches!(&told[..], [one] if one.contains("1 person is in both audiences")), "{told:?}");
        // One that goes out every Tuesday is near the third of its days, and one that is due every week on this one.
        let tuesdays = draft(&world, every("0 8 * * TUE", None), CatchUp::Run).await;
        assert_eq!(warnings(&world, &tuesdays).await, Vec::<String>::new());
        let daily = draft(&world, every("0 8 * * *", None), CatchUp::Run).await;
        assert_eq!(warnings(&world, &daily).await.len(), 1);
        scheduled(&world, every("0 9 * * *", None), CatchUp::Run).await;
        let told = warnings(&world, &later).await;
        assert!(matches!(&told[..], [one] if one.contains("1 December")), "its fourth day: {told:?}");
        // What is going out comes to people from now on, whenever it began.
        let running = draft(&world, Trigger::Now, CatchUp::Run).await;
        world.launch(&running).await;
        clock.to("2026-12-05T08:00:00Z");
        let told = warnings(&world, &others).await;
        assert!(told.iter().any(|one| one.contains("28 November")), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_another_campaign_left_out_it_did_not_come_to() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        world.people(1, 3).await;
        world.launch(&draft(&world, Trigger::Now, CatchUp::Run).await).await;
        end_run(&world).await;
        let next = draft(&world, Trigger::Now, CatchUp::Run).await;
        let counted = async |counts: &str| {
            let update = format!("UPDATE run_ledgers SET {counts}");
            store::exec(world.db.writer(), update, vec![]).await.expect("a ledger");
            warnings(&world, &next).await
        };
        let told = counted("planned = 3, delivered = 3").await;
        assert!(matches!(&told[..], [one] if one.ends_with("3 people are in both audiences.")), "{told:?}");
        let told = counted("delivered = 1, skipped = 2").await;
        let words = "3 people are in both audiences. It has a message for 1 of its people only.";
        assert!(matches!(&told[..], [one] if one.ends_with(words)), "{told:?}");
        assert_eq!(counted("delivered = 0, skipped = 3").await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_new_people_among_many_are_told_as_well() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        world.people(1, 6_000).await;
        // The latest sixty, and one of whom the sample does not know.
        let alone = 5_993;
        for (city, who) in [("Galle", "contact_id > 5940".to_owned()), ("Kandy", format!("contact_id = {alone}"))] {
            let update = format!("UPDATE contacts SET attributes = '{{\"city\":\"{city}\"}}' WHERE {who}");
            store::exec(world.db.writer(), update, vec![]).await.expect("people in a city");
            let segment_id = Some(living_in(&world, city).await);
            let template_id = Some(world.template("Hi").await);
            let trigger = once("2026-11-29T07:00:00Z");
            let new = NewCampaign { trigger, segment_id, template_id, ..world.draft().await };
            let campaign = world.engine.campaigns().create(&world.admin, new).await.expect("a draft");
            world.engine.campaigns().schedule(&world.admin, campaign.id).await.expect("scheduled");
        }
        let everybody = domain::segment::Group::everybody();
        let sample = store::segments::sample(world.db.reader(), &everybody, world.engine.now(), 5_000).await;
        assert!(!sample.expect("a sample").contains(&ContactId(alone)));
        let told = warnings(&world, &draft(&world, Trigger::Now, CatchUp::Run).await).await;
        assert!(
            matches!(&told[..], [many, one] if many.contains("About ") && one.contains("Perhaps a few people")),
            "{:?}: {told:?}",
            world.db.kind()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_out_on_other_days_hides_nothing_and_what_has_an_end_is_told_until_then() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        world.people(1, 3).await;
        let campaign = draft(&world, once("2026-12-02T07:00:00Z"), CatchUp::Run).await;
        // Due before it, and never within a day of it.
        for _ in 0..21 {
            scheduled(&world, every("0 9 * * SUN", None), CatchUp::Run).await;
        }
        // Over on 30 November, two days before.
        scheduled(&world, every("0 9 * * *", Some(3)), CatchUp::Run).await;
        assert_eq!(warnings(&world, &campaign).await, Vec::<String>::new());
        scheduled(&world, every("0 9 * * *", Some(4)), CatchUp::Run).await;
        scheduled(&world, once("2026-12-02T09:00:00Z"), CatchUp::Run).await;
        let told = warnings(&world, &campaign).await;
        assert!(
            matches!(&told[..], [once, daily] if once.contains("2 December") && daily.contains("1 December")),
            "{:?}: {told:?}",
            world.db.kind()
        );
        // Of its own times, too, only those count that are to come.
        let ends = draft(&world, every("0 9 * * *", Some(1)), CatchUp::Run).await;
        let told = warnings(&world, &ends).await;
        assert!(!told.iter().any(|one| one.contains("2 December")), "{:?}: {told:?}", world.db.kind());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_out_again_and_again_is_looked_at_for_the_whole_week() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        world.people(1, 3).await;
        scheduled(&world, once("2026-12-03T09:00:00Z"), CatchUp::Run).await;
        // Every five minutes: without an end, until noon of the day before, and until tomorrow.
        for (count, is_told) in [(None, true), (Some(1_200), true), (Some(400), false)] {
            let often = draft(&world, every("*/5 * * * *", count), CatchUp::Run).await;
            let told = warnings(&world, &often).await;
            let is_near = |text: &String| text.contains("goes out within a day of it: Thu 3 December 2026");
            assert_eq!(told.iter().any(is_near), is_told, "{count:?} {:?}: {told:?}", world.db.kind());
        }
    }
}

fn local(at: &str) -> Trigger {
    Trigger::Once { at: at.to_owned(), local: true, timezone: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_by_everybodys_own_clock_is_near_until_its_time_has_come_everywhere() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        world.people(1, 3).await;
        let evening = draft(&world, once("2026-12-01T20:00:00Z"), CatchUp::Run).await;
        let day_after = draft(&world, once("2026-12-02T20:30:00Z"), CatchUp::Run).await;
        let too_late = draft(&world, once("2026-12-02T21:30:00Z"), CatchUp::Run).await;
        let (same, other) = (
            draft(&world, local("2026-12-02T08:30"), CatchUp::Run),
            draft(&world, local("2026-12-02T09:30"), CatchUp::Run),
        );
        let (same, other) = (same.await, other.await);
        // From 30 November, 19:00 on; in Los Angeles on 1 December, 17:00, at last on 1 December, 21:00.
        let anywhere = scheduled(&world, local("2026-12-01T09:00"), CatchUp::Run).await;
        let told = "Tue 1 December 2026, 09:00 (everybody\u{2019}s own clock)";
        for near in [&evening, &day_after, &same] {
            let warned = warnings(&world, near).await;
            assert!(
                matches!(&warned[..], [one] if one.contains(told)),
                "{:?} {:?}: {warned:?}",
                world.db.kind(),
                near.trigger
            );
        }
        for far in [&too_late, &other] {
            assert_eq!(warnings(&world, far).await, Vec::<String>::new(), "{:?}", far.trigger);
        }
        // While it goes out, to the same people as well.
        clock.to("2026-11-30T19:00:00Z");
        assert_eq!(tick(&world.engine).await, 1);
        let warned = warnings(&world, &evening).await;
        assert!(matches!(&warned[..], [one] if one.contains("is going out since Mon 30 November")), "{warned:?}");
        // And when it is over.
        clock.to("2026-12-01T21:30:00Z");
        end_run(&world).await;
        let morning = draft(&world, once("2026-12-02T08:00:00Z"), CatchUp::Run).await;
        let warned = warnings(&world, &morning).await;
        assert!(matches!(&warned[..], [one] if one.contains("went out") && one.contains(told)), "{warned:?}");
        assert_eq!(warnings(&world, &too_late).await, Vec::<String>::new());

        // The other way round: the one by everybody's clock is to be launched.
        scheduled(&world, once("2026-12-05T20:00:00Z"), CatchUp::Run).await;
        let new = draft(&world, local("2026-12-05T09:00"), CatchUp::Run).await;
        let warned = warnings(&world, &new).await;
        assert!(matches!(&warned[..], [one] if one.contains("5 December 2026, 20:00 (")), "{warned:?}");
        assert_eq!(now(&world, &anywhere).await.status, CampaignStatus::Completed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_events_is_not_going_out() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        world.people(1, 3).await;
        let event = Trigger::Event { name: "price_drop".to_owned(), delay: None, debounce: None };
        let listening = scheduled(&world, event, CatchUp::Run).await;
        assert_eq!(now(&world, &listening).await.status, CampaignStatus::Running);
        let campaign = draft(&world, Trigger::Now, CatchUp::Run).await;
        assert_eq!(warnings(&world, &campaign).await, Vec::<String>::new(), "{:?}", world.db.kind());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_keeps_a_local_time_on_its_day_and_shows_what_is_paused() {
    let (worlds, clock) = worlds_in_steps().await;
    for world in worlds {
        clock.to(START);
        world.people(1, 1).await;
        let campaigns = world.engine.campaigns();
        let anywhere = scheduled(&world, local("2026-12-01T09:00"), CatchUp::Run).await;
        let shown = async |month: &str, zone: &str| -> Vec<(String, String, bool, bool, CampaignStatus)> {
            let month = campaigns.calendar(&world.admin, Some(month), Some(zone)).await.expect("a month");
            let days = month.days.into_iter().map(|day| (day.date, day.entries));
            days.flat_map(|(date, entries)| {
                entries
                    .into_iter()
                    .map(move |entry| (date.clone(), entry.time, entry.has_run, entry.everywhere, entry.status))
            })
            .collect()
        };
        let entry = |date: &str, time: &str, ran, everywhere, status| {
            (date.to_owned(), time.to_owned(), ran, everywhere, status)
        };
        let to_come = entry("2026-12-01", "09:00", false, true, CampaignStatus::Scheduled);
        assert_eq!(shown("2026-12", "UTC").await, [to_come]);
        clock.to("2026-11-30T19:00:00Z");
        assert_eq!(tick(&world.engine).await, 1);
        let began = entry("2026-12-01", "09:00", true, true, CampaignStatus::Running);
        for zone in ["UTC", "America/Los_Angeles", "Pacific/Kiritimati"] {
            assert_eq!(shown("2026-12", zone).await, std::slice::from_ref(&began), "{:?} {zone}", world.db.kind());
            assert_eq!(shown("2026-11", zone).await, [], "{:?} {zone}", world.db.kind());
        }
        campaigns.cancel(&world.admin, anywhere.id).await.expect("cancelled");

        // One that is made up for when its time is over everywhere goes out then.
        let late = scheduled(&world, local("2027-02-01T09:00"), CatchUp::Run).await;
        clock.to("2027-02-02T03:00:00Z");
        assert_eq!(tick(&world.engine).await, 1);
        // The planner writes it down; none is at work here.
        let begun = format!("UPDATE runs SET started_at = {} WHERE campaign_id = $1", world.engine.now().as_micros());
        store::exec(world.db.writer(), begun, vec![late.id.0.into()]).await.expect("begun");
        let made_up = entry("2027-02-02", "03:00", true, false, CampaignStatus::Running);
        assert_eq!(shown("2027-02", "UTC").await, [made_up]);
        campaigns.cancel(&world.admin, late.id).await.expect("cancelled");

        let paused = [
            scheduled(&world, once("2027-03-03T09:00:00Z"), CatchUp::Run).await,
            scheduled(&world, every("0 9 8 * *", None), CatchUp::Run).await,
        ];
        for campaign in &paused {
            campaigns.pause(&world.admin, campaign.id).await.expect("paused");
        }
        let waits = |date| entry(date, "09:00", false, false, CampaignStatus::Paused);
        assert_eq!(shown("2027-03", "UTC").await, [waits("2027-03-03"), waits("2027-03-08")], "{:?}", world.db.kind());
        // Of the times that came meanwhile only the first is left: it is what is caught up on.
        clock.to("2027-04-10T00:00:00Z");
        assert_eq!(shown("2027-02", "UTC").await.last(), Some(&waits("2027-02-08")));
        assert_eq!(shown("2027-04", "UTC").await, []);
        assert_eq!(shown("2027-05", "UTC").await, [waits("2027-05-08")]);
        for campaign in &paused {
            campaigns.cancel(&world.admin, campaign.id).await.expect("cancelled");
        }
        assert_eq!(shown("2027-05", "UTC").await, []);
    }
}
