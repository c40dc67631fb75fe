//! Rehearsals: everybody decided and nothing sent, until launching sends exactly that.

mod world;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::{
    campaign::{Campaign, CampaignPatch, CampaignStatus, NewCampaign, Repeat, Trigger},
    consent::Consent,
    contact::ConsentChange,
    ids::ContactId,
    message::{Channel, MessageFilter, Outcome, State},
    page::PageRequest,
    quiet::{FrequencyCap, QuietHours, WorkspaceQuietPatch},
    reason::{Check, Reason},
    run::{LeaveOut, Rehearsal, Run, RunStatus, ShownPlan},
    sender::SenderPatch,
    settings::SettingsPatch,
    template::Fallback,
    time::Timestamp,
};
use engine::{
    Error,
    clock::{Clock as _, SystemClock},
};
use futures::TryStreamExt as _;
use testkit::build;
use world::{Moved, Setup, World, handed_over, worlds};

async fn rehearse(world: &World, campaign: &Campaign) -> Run {
    let run = world.engine.campaigns().rehearse(&world.admin, campaign.id).await.expect("a rehearsal");
    assert_eq!(run.status, RunStatus::Planning);
    rehearsed(world, &run).await
}

async fn rehearsed(world: &World, run: &Run) -> Run {
    world.until(run.id, "rehearsed", |run| run.status == RunStatus::Rehearsed).await
}

fn found(run: &Run) -> &Rehearsal {
    run.rehearsal.as_ref().expect("a rehearsal")
}

/// Long enough for a worker to claim what it may claim.
async fn a_while() {
    tokio::time::sleep(Duration::from_millis(700)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn launching_sends_exactly_what_was_rehearsed() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 40).await;
        build::people(&world.db, 41, 3, Consent::Unknown).await;
        build::set_person(&world.db, ContactId(5), "attributes = '{}'").await;
        let campaign = world.campaign("Hi {{ first_name }}").await;
        world.start();
        let run = rehearse(&world, &campaign).await;
        let of = found(&run);
        assert_eq!((of.outcome(Outcome::Send), of.outcome(Outcome::Skip), of.audience), (39, 4, 43));
        assert_eq!((of.reasons.get("no_consent"), of.reasons.get("missing_variable")), (Some(&3), Some(&1)));
        assert_eq!(of.missing_variables.get("first_name"), Some(&1));
        assert_eq!(of.local_hours.values().sum::<i64>(), 39);
        assert_eq!((run.ledger.queued, run.ledger.skipped, run.started_at), (39, 4, None));
        a_while().await;
        assert_eq!(world.accepted_in_all(), 0, "nothing of a rehearsal is claimed");
        assert_eq!(world.campaign_status(&campaign).await, CampaignStatus::Draft);
        let kept = world.engine.campaigns().get(&world.admin, campaign.id).await.expect("a campaign");
        assert_eq!(kept.run, None, "a rehearsal is no run yet");

        // Somebody comes, somebody goes.
        build::people(&world.db, 44, 1, Consent::OptedIn).await;
        let stop = ConsentChange { consent: Consent::OptedOut, source: None, evidence: None };
        world.engine.contacts().set_consent(&world.admin, &build::phone(7), stop).await.expect("opted out");
        let since = world.engine.campaigns().since_rehearsal(&world.admin, campaign.id).await.expect("changes");
        assert_eq!((since.joined, since.left, since.campaign, since.audience), (1, 0, false, false));
        assert_eq!(since.left_out.get("opted_out"), Some(&1), "{since:?}");

        let launched = world.launch(&campaign).await;
        assert_eq!((launched.id, launched.status), (run.id, RunStatus::Running), "the same run, planned already");
        let done = world.until_completed(run.id).await;
        assert_eq!((handed_over(&done.ledger), done.ledger.skipped, done.ledger.planned), (38, 5, 43));
        assert!(found(&done).launched && found(&done).plan_hash == of.plan_hash);
        assert_eq!((world.accepted(5), world.accepted(7), world.accepted(44), world.accepted(8)), (0, 0, 0, 1));
        world.assert_nobody_twice();

        let left_out = world.message_to(5).await;
        let [decision] = &left_out.decisions[..] else { panic!("{:?}", left_out.decisions) };
        assert_eq!((decision.outcome, decision.reason), (Outcome::Skip, Some(Reason::MissingVariable)));
        let check = decision.checks.iter().find(|check| check.check == Check::Variables).expect("the check");
        assert_eq!(check.detail.as_deref(), Some("first_name"));
        assert_eq!(left_out.history.iter().map(|step| step.state).collect::<Vec<_>>(), [State::Skipped]);
        assert!(matches!(
            world.engine.campaigns().since_rehearsal(&world.admin, campaign.id).await,
            Err(Error::NotFound { .. })
        ));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marketing_that_whatsapp_does_not_deliver_is_counted() {
    for mut world in worlds(Setup::default()).await {
        // Two of the United States, one of Canada with the same +1; and one of them lacks the value.
        world.people(1, 4).await;
        build::set_person(&world.db, ContactId(1), "country = 'CA'").await;
        build::set_person(&world.db, ContactId(4), "country = 'US', attributes = '{}'").await;
        for person in 2..4 {
            build::set_person(&world.db, ContactId(person), "country = 'US'").await;
        }
        let campaign = world.campaign("Hi {{ first_name }}").await;
        world.start();
        let run = rehearse(&world, &campaign).await;
        assert_eq!((found(&run).reached(), found(&run).refused_in_us()), (3, 2));
        assert!(found(&run).segments.is_empty(), "WhatsApp has none");
        // By SMS they get it, and one sign takes room from a text.
        build::set_person(&world.db, ContactId(1), "attributes = '{\"first_name\":\"✓\"}'").await;
        let body = format!("Hi {{{{ first_name }}}}, {}", "a".repeat(70));
        let template = world.template_for(Channel::Sms, &body).await;
        let draft = NewCampaign { template_id: Some(template), ..world.draft().await };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        let run = rehearse(&world, &campaign).await;
        assert_eq!((found(&run).reached(), found(&run).refused_in_us()), (3, 0));
        let of = |counts: &BTreeMap<String, i64>| (counts.get("GSM-7").copied(), counts.get("UCS-2").copied());
        assert_eq!(of(&found(&run).encodings), (Some(2), Some(1)));
        assert_eq!(of(&found(&run).segments), (Some(2), Some(2)), "two of one segment, one of two");
        let file = world.engine.runs().plan_csv(&world.admin, run.id).await.expect("a file");
        let file: Vec<String> = file.try_collect().await.expect("all of it");
        let file = file.concat();
        assert!(file.contains(",text,segments,encoding") && file.contains(",2,UCS-2"), "{file}");
        world.stop().await;
    }
}

/// By SMS a sender's rate is of segments, and a rehearsal knows how many a text takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_foretold_of_long_texts_goes_by_their_segments() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 60).await;
        let senders = world.engine.senders();
        let listed = senders.list(&world.admin).await.expect("senders");
        let sms = listed.iter().find(|sender| sender.channel == Channel::Sms).expect("an SMS sender");
        let rate = SenderPatch { rate_per_second: Some(10), ..SenderPatch::default() };
        senders.update(&world.admin, sms.id, rate).await.expect("changed");
        let template = world.template_for(Channel::Sms, &"a".repeat(200)).await;
        let draft = NewCampaign { template_id: Some(template), ..world.draft().await };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        world.start();
        let run = rehearse(&world, &campaign).await;
        assert_eq!(found(&run).segments.get("GSM-7"), Some(&120));
        let lasts = run.forecast.finish_at.expect("a forecast").since(world.engine.now());
        assert!((8 * Timestamp::SECOND..13 * Timestamp::SECOND).contains(&lasts), "{lasts}, and not six seconds");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_a_rehearsal_found_is_left_out_by_the_audience() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 8).await;
        for (person, of) in [
            (1, "country = 'CA'"),
            (2, "country = 'US'"),
            (3, "country = 'US', locale = 'si'"),
            (4, "country = 'LK', locale = 'si'"),
            (5, "country = 'LK', locale = 'si-LK'"),
            (6, "locale = 'ta'"),
            (7, "country = 'GB', locale = 'en-GB'"),
        ] {
            build::set_person(&world.db, ContactId(person), of).await;
        }
        let campaign = world.campaign("Hi {{ first_name }}").await;
        let (engine, admin) = (world.engine.clone(), world.admin.clone());
        let campaigns = engine.campaigns();
        let without = async |whom: &LeaveOut| campaigns.leave_out(&admin, campaign.id, whom).await;
        let readers = |language: &str| LeaveOut::WithoutVariant { language: language.to_owned() };
        let audience = async |id| engine.segments().get(&admin, id).await.expect("an audience");
        let whole = audience(campaign.segment_id.expect("an audience")).await;
        assert!(matches!(without(&LeaveOut::UsMarketing).await, Err(Error::NotFound { .. })), "not rehearsed yet");
        world.start();
        let run = rehearse(&world, &campaign).await;
        let of = found(&run);
        assert_eq!((of.reached(), of.refused_in_us()), (8, 2));
        assert_eq!(of.without_variant, BTreeMap::from([("si".to_owned(), 3), ("ta".to_owned(), 1)]));

        let narrow = without(&LeaveOut::UsMarketing).await.expect("left out").segment_id.expect("an audience");
        assert_ne!(narrow, whole.id);
        assert_eq!(audience(whole.id).await, whole, "others may mean it");
        let run = rehearse(&world, &campaign).await;
        let of = found(&run);
        assert_eq!((of.audience, of.reached(), of.refused_in_us(), run.ledger.planned), (6, 6, 0, 6));
        assert_eq!(of.without_variant, BTreeMap::from([("si".to_owned(), 2), ("ta".to_owned(), 1)]));
        let nobody = without(&LeaveOut::UsMarketing).await;
        assert!(matches!(&nobody, Err(Error::Invalid(errors)) if errors[0].field == "finding"), "{nobody:?}");
        let nobody = without(&readers("en")).await;
        assert!(matches!(&nobody, Err(Error::Invalid(errors)) if errors[0].field == "language"), "{nobody:?}");

        // The campaign's own one by now: it is narrowed itself.
        assert_eq!(without(&readers("si")).await.expect("left out").segment_id, Some(narrow));
        assert_eq!(
            without(&readers("si")).await.expect("already").segment_id,
            Some(narrow),
            "the plan is the former one"
        );
        let both = audience(narrow).await;
        assert_eq!((both.definition.rules.len(), both.version), (3, 2));
        let run = rehearse(&world, &campaign).await;
        assert_eq!((found(&run).audience, found(&run).reached(), run.ledger.planned), (4, 4, 4));

        // Not any more, once another campaign is for it.
        let other = NewCampaign { segment_id: Some(narrow), ..world.draft().await };
        campaigns.create(&admin, other).await.expect("a campaign");
        let own = without(&readers("ta")).await.expect("left out").segment_id.expect("an audience");
        assert_ne!(own, narrow);
        assert_eq!(audience(narrow).await, both);
        let run = rehearse(&world, &campaign).await;
        let of = found(&run);
        assert_eq!((of.audience, of.reached(), of.without_variant.len(), run.ledger.planned), (3, 3, 0, 3));

        // Beside a conversation stands what went out, not what was only rehearsed.
        let received = async || {
            let received = store::conversations::received(world.db.reader(), ContactId(1), 10).await.expect("received");
            received.len()
        };
        assert_eq!(received().await, 0);
        let launched = world.launch(&campaign).await;
        assert_eq!(launched.id, run.id);
        let done = world.until_completed(launched.id).await;
        assert_eq!((handed_over(&done.ledger), done.ledger.planned), (3, 3));
        assert_eq!(received().await, 1);
        assert_eq!([1, 7, 8].map(|person| world.accepted(person)), [1, 1, 1], "exactly the others");
        world.stop().await;
    }
}

/// What somebody had of late counts, and what others will get before then does not: nobody knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_cap_is_found_at_the_rehearsal() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 4).await;
        let cap = FrequencyCap { messages: 1, days: 7, topic: None };
        let patch = SettingsPatch { frequency_caps: Some(vec![cap]), ..SettingsPatch::default() };
        world.engine.settings().update(&world.admin, patch).await.expect("settings");
        world.start();
        let first = world.launch(&world.campaign("Hi").await).await;
        world.until_completed(first.id).await;
        world.people(5, 2).await;

        let campaign = world.campaign("Hello").await;
        let run = rehearse(&world, &campaign).await;
        let of = found(&run);
        assert_eq!((of.outcome(Outcome::Send), of.outcome(Outcome::Skip)), (2, 4));
        assert_eq!(of.reasons.get("frequency_cap"), Some(&4));
        let filter = MessageFilter { phone: Some(build::phone(1)), run: Some(run.id), ..MessageFilter::default() };
        let left_out = world.messages(filter).await.remove(0);
        let left_out = world.engine.messages().get(&world.admin, left_out.id).await.expect("a message");
        let [decision] = &left_out.decisions[..] else { panic!("{:?}", left_out.decisions) };
        let saw = |check: Check| decision.checks.iter().find(|one| one.check == check).expect("a check").detail.clone();
        assert_eq!(saw(Check::FrequencyCap).as_deref(), Some("1 of 1 in 7 days"));
        assert_eq!(saw(Check::Consent).as_deref(), Some("opted_in, for marketing"), "what passed before it");

        let launched = world.launch(&campaign).await;
        let done = world.until_completed(launched.id).await;
        assert_eq!((handed_over(&done.ledger), done.ledger.skipped), (2, 4));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sleeps_waits_and_is_asked_for_a_text_all_the_same() {
    let clock = Arc::new(Moved::default());
    // Ten at night in New York, half past eight in the morning in Colombo.
    clock.to("2026-12-02T03:00:00Z");
    for mut world in worlds(Setup { clock: clock.clone(), ..Setup::default() }).await {
        clock.to("2026-12-02T03:00:00Z");
        world.people(1, 20).await;
        for person in 1..21 {
            let zone = if person <= 10 { "America/New_York" } else { "Asia/Colombo" };
            build::set_person(&world.db, ContactId(person), &format!("timezone = '{zone}', locale = 'si-LK'")).await;
        }
        build::set_person(&world.db, ContactId(1), "attributes = '{}'").await;
        let draft = NewCampaign {
            template_id: Some(world.template("Hi {{ first_name }}").await),
            quiet_hours: Some(QuietHours::DEFAULT),
            ..world.draft().await
        };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        world.start();
        let run = rehearse(&world, &campaign).await;
        let of = found(&run);
        assert_eq!((of.outcome(Outcome::Send), of.outcome(Outcome::Wait), of.outcome(Outcome::Skip)), (10, 9, 1));
        assert_eq!(of.missing_variables.get("first_name"), Some(&1), "what is lacking at night is lacking by day");
        assert_eq!(of.without_variant.get("si"), Some(&19));
        let hours: Vec<_> = of.local_hours.iter().map(|(hour, count)| (hour.as_str(), *count)).collect();
        assert_eq!(hours, [("2026-12-02T08", 19)], "eight by everybody's own clock");
        assert_eq!(run.quiet.messages, 9);

        let people = |filter: MessageFilter| {
            let (runs, page) = (world.engine.runs(), PageRequest::first(50));
            let admin = world.admin.clone();
            async move { runs.planned(&admin, run.id, &filter, &page).await.expect("people").items }
        };
        let waiting = people(MessageFilter { reason: Some(Reason::QuietHours), ..MessageFilter::default() }).await;
        assert_eq!(waiting.len(), 9);
        assert!(waiting.iter().all(|one| one.local_time.as_deref() == Some("2026-12-02 08:00")
            && one.timezone.as_deref() == Some("America/New_York")
            && one.text.as_deref() == Some("Hi Ana")));
        assert!(
            world.messages(MessageFilter { phone: Some(build::phone(2)), ..MessageFilter::default() }).await.is_empty()
        );
        let filter = MessageFilter { run: Some(run.id), phone: Some(build::phone(2)), ..MessageFilter::default() };
        let message = world.messages(filter).await.remove(0).id;
        let message = world.engine.messages().get(&world.admin, message).await.expect("a message");
        assert_eq!(message.decisions.first().map(|made| made.outcome), Some(Outcome::Wait), "{:?}", message.decisions);
        let file: Vec<String> = world
            .engine
            .runs()
            .plan_csv(&world.admin, run.id)
            .await
            .expect("a file")
            .try_collect()
            .await
            .expect("all of it");
        let file = file.concat();
        assert_eq!(file.lines().count(), 21, "{file}");
        assert!(
            file.contains(",wait,quiet_hours,2026-12-02T13:00:00Z,2026-12-02 08:00,America/New_York,Hi Ana"),
            "{file}"
        );
        assert!(file.contains(",skip,missing_variable,,,,"), "{file}");

        // Nobody knows where this number is, until somebody says so for all of them.
        let update = "phone = '+18005550100', timezone = NULL, country = 'US'";
        build::set_person(&world.db, ContactId(3), update).await;
        let again = rehearse(&world, &campaign).await;
        assert_eq!(found(&again).reasons.get("needs_timezone"), Some(&1), "{again:?}");
        let campaigns = world.engine.campaigns();
        let wrong = campaigns.set_timezones(&world.admin, campaign.id, "Mars/Olympus").await;
        assert!(matches!(wrong, Err(Error::Invalid(_))), "{wrong:?}");
        assert_eq!(campaigns.set_timezones(&world.admin, campaign.id, "america/new_york").await.expect("set"), 1);
        let mended = rehearse(&world, &campaign).await;
        assert_eq!((found(&mended).reasons.get("needs_timezone"), found(&mended).reached()), (None, 19));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sleeps_is_left_out_for_what_still_holds_in_their_morning() {
    const AFTERNOON: &str = "2026-12-01T15:00:00Z";
    let clock = Arc::new(Moved::default());
    clock.to(AFTERNOON);
    for mut world in worlds(Setup { clock: clock.clone(), ..Setup::default() }).await {
        clock.to(AFTERNOON);
        world.people(1, 2).await;
        world.start();
        for _ in 0..3 {
            let run = world.launch(&world.campaign("Hi").await).await;
            assert_eq!(handed_over(&world.until_completed(run.id).await.ledger), 2);
        }
        world.people(3, 2).await;
        let micros = |at: &str| at.parse::<Timestamp>().expect("an instant").as_micros();
        // What the second one had is a week ago by eight in the morning, and not yet by ten at night.
        let update = "UPDATE messages SET claimed_at = $1 WHERE contact_id = 2";
        store::exec(world.db.writer(), update, vec![micros("2026-11-25T08:00:00Z").into()]).await.expect("earlier");
        // The third one's 24 hours end in between.
        for (person, wrote) in [
            (1, "2026-12-02T02:00:00Z"),
            (2, "2026-12-02T02:00:00Z"),
            (3, "2026-12-01T10:00:00Z"),
            (4, "2026-12-02T02:00:00Z"),
        ] {
            build::set_person(&world.db, ContactId(person), "timezone = 'America/New_York'").await;
            let insert = "INSERT INTO service_windows (contact_id, our_address, last_inbound_at) \
                          SELECT $1, address, $2 FROM senders WHERE is_default AND channel = 'whatsapp'";
            let values = vec![person.into(), micros(wrote).into()];
            assert_eq!(store::exec(world.db.writer(), insert, values).await.expect("a window"), 1);
        }
        let cap = FrequencyCap { messages: 3, days: 7, topic: None };
        let patch = SettingsPatch {
            frequency_caps: Some(vec![cap]),
            enforce_whatsapp_window: Some(true),
            ..SettingsPatch::default()
        };
        world.engine.settings().update(&world.admin, patch).await.expect("settings");

        // Ten at night in New York.
        clock.to("2026-12-02T03:00:00Z");
        let draft = NewCampaign {
            template_id: Some(world.template("Hi {{ first_name }}").await),
            quiet_hours: Some(QuietHours::DEFAULT),
            ..world.draft().await
        };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        let run = rehearse(&world, &campaign).await;
        let reasons: Vec<_> = found(&run).reasons.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
        assert_eq!(reasons, [("frequency_cap", 1), ("outside_window", 1), ("quiet_hours", 2)], "{:?}", world.db.kind());
        let decided = async |person: i64| {
            let filter = MessageFilter { run: Some(run.id), phone: Some(build::phone(person)), ..Default::default() };
            let message = world.messages(filter).await.remove(0).id;
            world.engine.messages().get(&world.admin, message).await.expect("a message").decisions.remove(0)
        };
        let capped = decided(1).await;
        assert_eq!((capped.outcome, capped.reason), (Outcome::Skip, Some(Reason::FrequencyCap)));
        let check =
            |check: Check| capped.checks.iter().find(|one| one.check == check).and_then(|one| one.detail.clone());
        assert_eq!(check(Check::FrequencyCap).as_deref(), Some("3 of 3 in 7 days"));
        assert_eq!(decided(3).await.reason, Some(Reason::OutsideWindow));
        for person in [2, 4] {
            assert_eq!(decided(person).await.reason, Some(Reason::QuietHours), "{person}");
        }
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_can_never_get_it_is_told_apart_from_who_has_no_zone() {
    let clock = Arc::new(Moved::default());
    clock.to("2026-12-02T15:00:00Z");
    for mut world in worlds(Setup { clock: clock.clone(), ..Setup::default() }).await {
        clock.to("2026-12-02T15:00:00Z");
        set_quiet(&world, WorkspaceQuietPatch { law: Some(true), ..by_test() }).await;
        world.people(1, 3).await;
        build::set_person(&world.db, ContactId(1), "country = 'US'").await;
        build::set_person(&world.db, ContactId(2), "phone = '+94771234567', country = 'LK'").await;
        // As if it had none: the toll-free number is no place, nor is the zone.
        build::set_person(&world.db, ContactId(3), "phone = '+18005550100', country = 'US', timezone = 'UTC'").await;
        // From eight to nine in the evening: in Sri Lanka the law table ends at eight.
        let evening = QuietHours { start: "21:00".parse().expect("a time"), end: "20:00".parse().expect("a time") };
        let draft = NewCampaign {
            template_id: Some(world.template("Hi").await),
            quiet_hours: Some(evening),
            ..world.draft().await
        };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        world.start();
        let run = rehearse(&world, &campaign).await;
        let reasons: Vec<_> = found(&run).reasons.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
        assert_eq!(reasons, [("needs_timezone", 1), ("no_allowed_time", 1), ("quiet_hours", 1)]);
        // Nor does anybody get a wrong zone whom an earlier version had counted among those without one.
        let update = "UPDATE messages SET reason = 'needs_timezone' WHERE contact_id = 2";
        store::exec(world.db.writer(), update, vec![]).await.expect("an older row");
        let campaigns = world.engine.campaigns();
        assert_eq!(campaigns.set_timezones(&world.admin, campaign.id, "America/New_York").await.expect("set"), 1);
        let query = "SELECT contact_id FROM contacts WHERE timezone = 'America/New_York'";
        let rows = store::all(world.db.reader(), query, vec![]).await.expect("people");
        let with_zone: Vec<i64> = rows.iter().map(|row| row.get("contact_id").expect("a number")).collect();
        assert_eq!(with_zone, [3], "of the others it is known by their numbers");
        world.stop().await;
    }
}

async fn set_quiet(world: &World, change: WorkspaceQuietPatch) {
    let patch = SettingsPatch { quiet_hours: Some(change), ..SettingsPatch::default() };
    world.engine.settings().update(&world.admin, patch).await.expect("settings");
}

fn by_test() -> WorkspaceQuietPatch {
    WorkspaceQuietPatch { enabled: Some(false), reason: Some("a test".to_owned()), ..WorkspaceQuietPatch::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_could_get_it_by_now_and_who_will_not_are_told_before_the_launch() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 4).await;
        build::people(&world.db, 5, 2, Consent::Unknown).await;
        build::set_person(&world.db, ContactId(1), "attributes = '{}'").await;
        build::set_person(&world.db, ContactId(2), "attributes = '{}'").await;
        let new = serde_json::from_value(serde_json::json!({ "key": "offers", "name": "offers" })).expect("a topic");
        world.engine.topics().create(&world.admin, new).await.expect("a topic");
        for person in 1..7 {
            let topic = store::topics::id_of(world.db.reader(), "offers").await.expect("looked").expect("a topic");
            build::subscribe(&world.db, topic, [person], "subscribed").await;
        }
        let draft = NewCampaign {
            template_id: Some(world.template("Hi {{ first_name }}").await),
            topic: Some("offers".to_owned()),
            ..world.draft().await
        };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        world.start();
        let run = rehearse(&world, &campaign).await;
        assert_eq!((found(&run).reached(), found(&run).outcome(Outcome::Skip)), (2, 4));
        let since =
            async || world.engine.campaigns().since_rehearsal(&world.admin, campaign.id).await.expect("changes");
        assert!(since().await.is_nothing(), "{:?}", since().await);

        // One opts in, one has a name by now, one leaves the topic.
        let contacts = world.engine.contacts();
        let yes = ConsentChange {
            consent: Consent::OptedIn,
            source: Some("form".to_owned()),
            evidence: Some("ticked".to_owned()),
        };
        contacts.set_consent(&world.admin, &build::phone(5), yes).await.expect("opted in");
        let update =
            "UPDATE contacts SET attributes = '{\"first_name\":\"Ann\"}', updated_at = $1 WHERE contact_id = 1";
        let now = world.engine.now().as_micros();
        store::exec(world.db.writer(), update, vec![now.into()]).await.expect("a name");
        contacts.unsubscribe(&world.admin, &build::phone(3), "offers").await.expect("unsubscribed");
        let told = since().await;
        assert_eq!((told.could_get_it, told.changed, told.settings), (1, 1, false), "{:?}: {told:?}", world.db.kind());
        assert_eq!(told.left_out, BTreeMap::from([("not_subscribed".to_owned(), 1)]), "{:?}", world.db.kind());
        // Of those who get it, one is called otherwise: the text is filled in anew.
        assert_eq!(told.data_changed, 0, "{:?}: {told:?}", world.db.kind());
        let update =
            "UPDATE contacts SET attributes = '{\"first_name\":\"Bea\"}', updated_at = $1 WHERE contact_id = 4";
        let now = world.engine.now().as_micros();
        store::exec(world.db.writer(), update, vec![now.into()]).await.expect("another name");
        let told = since().await;
        assert_eq!((told.data_changed, told.changed), (1, 1), "{:?}: {told:?}", world.db.kind());

        // What does not decide is no difference; what does is one, and none once it is as before.
        let zone = SettingsPatch { default_timezone: Some("Asia/Colombo".to_owned()), ..SettingsPatch::default() };
        world.engine.settings().update(&world.admin, zone).await.expect("settings");
        assert!(!since().await.settings);
        for (enabled, told) in [(true, true), (false, false)] {
            set_quiet(&world, WorkspaceQuietPatch { enabled: Some(enabled), ..by_test() }).await;
            assert_eq!(since().await.settings, told, "{:?}", world.db.kind());
        }
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_launched_to_nobody() {
    for mut world in worlds(Setup::default()).await {
        let campaign = world.campaign("Hi").await;
        let engine = world.engine.clone();
        let (campaigns, admin) = (engine.campaigns(), world.admin.clone());
        let check = campaigns.launch_check(&admin, campaign.id).await.expect("a check");
        assert_eq!(check.problems.iter().map(|problem| &*problem.field).collect::<Vec<_>>(), ["segment_id"]);
        let refused = async || match campaigns.launch(&admin, campaign.id).await {
            Err(Error::Invalid(errors)) => assert_eq!(errors[0].field, "segment_id"),
            other => panic!("{other:?}"),
        };
        refused().await;
        assert_eq!(world.campaign_status(&campaign).await, CampaignStatus::Draft);
        // Nor a plan of nobody, when somebody has come since.
        world.start();
        let nobody = rehearse(&world, &campaign).await;
        assert_eq!(nobody.forecast.finish_at, None, "nothing ends");
        world.people(1, 1).await;
        refused().await;
        let run = rehearse(&world, &campaign).await;
        assert!(run.forecast.finish_at.is_some());
        build::people(&world.db, 2, 1, Consent::OptedIn).await;
        assert_eq!(world.launch(&campaign).await.id, run.id);
        assert_eq!(handed_over(&world.until_completed(run.id).await.ledger), 1);
        // Nor a plan that leaves everybody out: the campaign is not used up by it.
        let campaign = world.campaign("Hi {{ nickname }}").await;
        let run = rehearse(&world, &campaign).await;
        assert_eq!((found(&run).reached(), run.ledger.planned), (0, 2));
        let check = campaigns.launch_check(&admin, campaign.id).await.expect("a check");
        assert!(check.problems.iter().any(|problem| problem.message.contains("left out")), "{:?}", check.problems);
        let left_out = campaigns.launch(&admin, campaign.id).await;
        assert!(matches!(&left_out, Err(Error::Invalid(errors)) if errors[0].field == "segment_id"), "{left_out:?}");
        assert_eq!(world.campaign_status(&campaign).await, CampaignStatus::Draft);
        for person in [1, 2] {
            build::set_person(&world.db, ContactId(person), "attributes = '{\"nickname\":\"Ann\"}'").await;
        }
        let run = rehearse(&world, &campaign).await;
        assert_eq!((world.launch(&campaign).await.id, run.ledger.queued), (run.id, 2));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_of_a_later_time_is_decided_by_the_clock_of_then() {
    let clock = Arc::new(Moved::default());
    for mut world in worlds(Setup { clock: clock.clone(), ..Setup::default() }).await {
        // In the afternoon, for ten at night in New York and half past eight in the morning in Colombo.
        clock.to("2026-12-01T15:00:00Z");
        let due: Timestamp = "2026-12-02T03:00:00Z".parse().expect("an instant");
        world.people(1, 20).await;
        for person in 1..21 {
            let zone = if person <= 10 { "America/New_York" } else { "Asia/Colombo" };
            build::set_person(&world.db, ContactId(person), &format!("timezone = '{zone}'")).await;
        }
        let draft = NewCampaign {
            template_id: Some(world.template("Hi {{ first_name }}").await),
            quiet_hours: Some(QuietHours::DEFAULT),
            trigger: Trigger::Once { at: due.to_string(), local: false, timezone: None },
            ..world.draft().await
        };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        world.start();
        let run = rehearse(&world, &campaign).await;
        let of = found(&run);
        assert_eq!((of.outcome(Outcome::Send), of.outcome(Outcome::Wait), of.due_at), (10, 10, due));
        let hours: Vec<_> = of.local_hours.iter().map(|(hour, count)| (hour.as_str(), *count)).collect();
        assert_eq!(hours, [("2026-12-02T08", 20)], "eight by everybody's own clock");
        let morning: Timestamp = "2026-12-02T13:00:00Z".parse().expect("an instant");
        assert!(run.forecast.finish_at.is_some_and(|at| at >= morning), "{:?}", run.forecast);
        assert!(run.forecast.curve.first().is_some_and(|point| point.at >= due), "{:?}", run.forecast);
        let filter = MessageFilter { reason: Some(Reason::QuietHours), ..MessageFilter::default() };
        let asleep = world.engine.runs().planned(&world.admin, run.id, &filter, &PageRequest::first(50)).await;
        let asleep = asleep.expect("people").items;
        assert_eq!(asleep.len(), 10);
        assert!(asleep.iter().all(|one| one.local_time.as_deref() == Some("2026-12-02 08:00")), "{asleep:?}");

        // Who would get it in the morning is left out when that is too late.
        let late = CampaignPatch {
            send_before: Some(Some("2026-12-02T10:00:00Z".parse().expect("a time"))),
            late: Some(domain::campaign::Late::Drop),
            ..CampaignPatch::default()
        };
        world.engine.campaigns().update(&world.admin, campaign.id, late).await.expect("changed");
        let again = rehearse(&world, &campaign).await;
        assert_eq!((found(&again).reached(), found(&again).reasons.get("deadline_passed")), (10, Some(&10)));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_time_in_quiet_hours_is_rehearsed_for_the_morning() {
    let clock = Arc::new(Moved::default());
    for mut world in worlds(Setup { clock: clock.clone(), ..Setup::default() }).await {
        clock.to("2026-12-01T15:00:00Z");
        world.people(1, 4).await;
        for person in 1..5 {
            let zone = if person <= 2 { "America/New_York" } else { "Asia/Colombo" };
            build::set_person(&world.db, ContactId(person), &format!("timezone = '{zone}'")).await;
        }
        let draft = NewCampaign {
            template_id: Some(world.template("Hi {{ first_name }}").await),
            quiet_hours: Some(QuietHours::DEFAULT),
            trigger: Trigger::Once { at: "2026-12-02T22:00".to_owned(), local: true, timezone: None },
            ..world.draft().await
        };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        world.start();
        let run = rehearse(&world, &campaign).await;
        let of = found(&run);
        assert_eq!((of.outcome(Outcome::Wait), of.reasons.get("quiet_hours")), (4, Some(&4)), "{of:?}");
        let hours: Vec<_> = of.local_hours.iter().map(|(hour, count)| (hour.as_str(), *count)).collect();
        assert_eq!(hours, [("2026-12-03T08", 4)]);
        assert_eq!(run.quiet.until, Some("2026-12-03T13:00:00Z".parse().expect("an instant")));

        // Colombo's morning is before that, New York's is not.
        let late = CampaignPatch {
            send_before: Some(Some("2026-12-03T06:00:00Z".parse().expect("a time"))),
            late: Some(domain::campaign::Late::Drop),
            ..CampaignPatch::default()
        };
        world.engine.campaigns().update(&world.admin, campaign.id, late).await.expect("changed");
        let again = rehearse(&world, &campaign).await;
        let of = found(&again);
        assert_eq!((of.outcome(Outcome::Wait), of.reasons.get("deadline_passed")), (2, Some(&2)), "{of:?}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_the_middle_changes_nothing_and_a_rehearsal_can_be_cancelled() {
    for mut world in worlds(Setup::default()).await {
        // More than a chunk of either database.
        const PEOPLE: i64 = 31_000;
        world.people(1, PEOPLE).await;
        // The link is another one in each message, and no part of the plan.
        let campaign = world.campaign("Hi {{ first_name }} {{ preferences_url }}").await;
        let engine = world.engine.clone();
        let campaigns = engine.campaigns();
        let began = campaigns.rehearse(&world.admin, campaign.id).await.expect("a rehearsal");
        world.start();
        let part = world.until(began.id, "begun", |run| run.ledger.planned > 0).await;
        world.stop().await;
        assert!(part.ledger.planned < PEOPLE, "it was stopped in the middle");
        assert_eq!(found(&part).plan_hash, None);
        let stopped = world.run(began.id).await;
        assert_eq!(stopped.status, RunStatus::Planning);
        assert_eq!(found(&stopped).outcome(Outcome::Send), stopped.ledger.planned, "counts and plan go together");
        world.start();
        let first = rehearsed(&world, &began).await;
        assert_eq!((first.ledger.queued, found(&first).outcome(Outcome::Send)), (PEOPLE, PEOPLE));

        let again = rehearse(&world, &campaign).await;
        assert_ne!(again.id, first.id);
        assert_eq!(found(&again).plan_hash, found(&first).plan_hash, "the same people, the same texts");
        let replaced = async {
            while world.engine.runs().get(&world.admin, first.id).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), replaced).await.expect("the one before is removed");
        let listed = world.messages(MessageFilter { campaign: Some(campaign.id), ..MessageFilter::default() }).await;
        assert!(listed.iter().all(|message| message.run_id == Some(again.id)));

        let cancelled = campaigns.rehearse(&world.admin, campaign.id).await.expect("a third one");
        campaigns.discard_rehearsal(&world.admin, campaign.id).await.expect("cancelled");
        assert_eq!(campaigns.rehearsal(&world.admin, campaign.id).await.expect("looked"), None);
        let gone = campaigns.discard_rehearsal(&world.admin, campaign.id).await;
        assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
        assert!([first.number, again.number, cancelled.number].iter().all(|number| *number < 0), "none of the runs'");
        let runs = world.engine.runs().list(&world.admin, campaign.id, &PageRequest::first(10)).await.expect("runs");
        assert!(runs.items.is_empty(), "{cancelled:?}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_campaign_is_planned_anew() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 5).await;
        let draft = NewCampaign {
            template_id: Some(world.template("Hi {{ first_name }}").await),
            repeat: Repeat::OncePerPerson,
            ..world.draft().await
        };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        world.start();
        let run = rehearse(&world, &campaign).await;
        let campaigns = world.engine.campaigns();
        let rename = CampaignPatch { name: Some("Other".to_owned()), ..CampaignPatch::default() };
        campaigns.update(&world.admin, campaign.id, rename).await.expect("renamed");
        assert!(!found(&world.run(run.id).await).stale, "a name is nobody's text");
        let other = CampaignPatch { template_id: Some(world.template("Ciao").await), ..CampaignPatch::default() };
        campaigns.update(&world.admin, campaign.id, other).await.expect("changed");
        assert!(found(&world.run(run.id).await).stale);
        assert!(campaigns.since_rehearsal(&world.admin, campaign.id).await.expect("changes").campaign);
        world.people(6, 1).await;
        let launched = world.launch(&campaign).await;
        assert_ne!(launched.id, run.id);
        let done = world.until_completed(launched.id).await;
        assert_eq!(handed_over(&done.ledger), 6, "nobody counts as reached by a rehearsal: {done:?}");
        assert_eq!(world.until_message(6, State::Delivered).await.body.as_deref(), Some("Ciao"));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_plan_than_the_one_that_was_shown_is_not_launched() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 3).await;
        let campaign = world.campaign("Hi {{ first_name }}").await;
        let engine = world.engine.clone();
        let campaigns = engine.campaigns();
        world.start();
        let shown = |run: &Run| ShownPlan { run: Some(run.id), hash: found(run).plan_hash.clone() };
        let refused = async |shown: &ShownPlan, why: &str| {
            let refused = campaigns.launch_shown(&world.admin, campaign.id, shown).await;
            assert!(matches!(&refused, Err(Error::Conflict(told)) if told.contains(why)), "{why}: {refused:?}");
            assert_eq!(world.campaign_status(&campaign).await, CampaignStatus::Draft);
        };
        let first = shown(&rehearse(&world, &campaign).await);
        let by_hash = ShownPlan { run: None, ..first.clone() };
        // The same people and texts, but perhaps another sender: whoever saw the page looks again, the hash is the same.
        let second = shown(&rehearse(&world, &campaign).await);
        assert_eq!(second.hash, first.hash);
        refused(&first, "gets the same text").await;
        world.people(4, 1).await;
        let third = shown(&rehearse(&world, &campaign).await);
        refused(&by_hash, "another plan would go out").await;
        refused(&second, "another plan would go out").await;

        let other = CampaignPatch { template_id: Some(world.template("Ciao").await), ..CampaignPatch::default() };
        campaigns.update(&world.admin, campaign.id, other).await.expect("changed");
        refused(&third, "was changed since").await;
        campaigns.discard_rehearsal(&world.admin, campaign.id).await.expect("discarded");
        refused(&third, "not there any more").await;
        refused(&by_hash, "not there any more").await;

        let last = rehearse(&world, &campaign).await;
        let launched = campaigns.launch_shown(&world.admin, campaign.id, &shown(&last)).await.expect("launched");
        assert_eq!((launched.id, launched.status, launched.number), (last.id, RunStatus::Running, 1), "the first run");
        assert_eq!(handed_over(&world.until_completed(last.id).await.ledger), 4);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_that_goes_out_by_itself_is_only_looked_at() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 3).await;
        let at = SystemClock.now().plus(Timestamp::DAY).to_string();
        let draft = NewCampaign {
            template_id: Some(world.template("Hi").await),
            trigger: Trigger::Once { at, local: false, timezone: None },
            ..world.draft().await
        };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        let engine = world.engine.clone();
        let campaigns = engine.campaigns();
        campaigns.schedule(&world.admin, campaign.id).await.expect("scheduled");
        world.start();
        let run = rehearse(&world, &campaign).await;
        assert_eq!(run.ledger.queued, 3);
        let paused = campaigns.pause(&world.admin, campaign.id).await.expect("paused");
        assert_eq!(paused.map(|campaign| campaign.status), Some(CampaignStatus::Paused));
        assert_eq!(world.run(run.id).await.status, RunStatus::Rehearsed, "the rehearsal is not what is paused");
        campaigns.resume(&world.admin, campaign.id).await.expect("resumed");
        assert_eq!(world.campaign_status(&campaign).await, CampaignStatus::Scheduled);
        world.people(4, 1).await;
        let launched = world.launch(&campaign).await;
        assert_ne!(launched.id, run.id);
        let done = world.until_completed(launched.id).await;
        assert_eq!((handed_over(&done.ledger), done.rehearsal), (4, None));
        let before = done.rehearsed_before.expect("what was looked at");
        assert_eq!((before.reached, before.left_out, &before.plan_hash), (3, 0, &found(&run).plan_hash));
        let listed = world.engine.runs().list(&world.admin, campaign.id, &PageRequest::first(10)).await.expect("runs");
        assert_eq!(listed.items[0].rehearsed_before.as_ref().map(|before| before.reached), Some(3));
        let over = campaigns.rehearse(&world.admin, campaign.id).await;
        assert!(matches!(over, Err(Error::Conflict(_))), "{over:?}");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_are_numbered_without_their_rehearsals() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 3).await;
        let yearly = Trigger::Cron {
            expression: "0 9 1 1 *".to_owned(),
            timezone: Some("UTC".to_owned()),
            until: None,
            count: None,
        };
        let template_id = Some(world.template("Hi").await);
        let draft = NewCampaign { template_id, trigger: yearly, ..world.draft().await };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        world.engine.campaigns().schedule(&world.admin, campaign.id).await.expect("scheduled");
        world.start();
        rehearse(&world, &campaign).await;
        rehearse(&world, &campaign).await;
        let first = world.launch(&campaign).await;
        assert_eq!(first.number, 1, "{:?}", world.db.kind());
        world.until_completed(first.id).await;

        let looked_at = rehearse(&world, &campaign).await;
        assert!(looked_at.is_rehearsal() && looked_at.number < 0, "{looked_at:?}");
        let list = async |cursor: Option<String>| {
            let page = PageRequest { cursor, limit: 1 };
            world.engine.runs().list(&world.admin, campaign.id, &page).await.expect("runs")
        };
        let newest = list(None).await;
        assert_eq!(
            newest.items.iter().map(|run| run.id).collect::<Vec<_>>(),
            [looked_at.id],
            "what is looked at first"
        );
        let next = list(newest.next_cursor).await;
        assert_eq!(next.items.iter().map(|run| run.id).collect::<Vec<_>>(), [first.id]);
        assert_eq!(next.next_cursor, None);
        let second = world.launch(&campaign).await;
        assert_eq!(second.number, 2);
        world.until_completed(second.id).await;

        // As a process of the version before leaves one that it launches during an update. What is looked at keeps its number.
        let looked_at = rehearse(&world, &campaign).await;
        let leave = "UPDATE runs SET number = -50 WHERE id = $1";
        store::exec(world.db.writer(), leave, vec![first.id.0.into()]).await.expect("left");
        for (expected, run) in [(3, &first), (2, &second), (looked_at.number, &looked_at)] {
            engine::services::tidy::tidy(&world.engine).await.expect("tidied");
            assert_eq!(world.run(run.id).await.number, expected, "{:?}", world.db.kind());
        }
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_start_at_its_time_keeps_its_rehearsal() {
    let clock = Arc::new(Moved::default());
    clock.to("2026-12-01T15:00:00Z");
    for mut world in worlds(Setup { clock: clock.clone(), ..Setup::default() }).await {
        clock.to("2026-12-01T15:00:00Z");
        world.people(1, 2).await;
        let draft = NewCampaign {
            template_id: Some(world.template("Hi").await),
            trigger: Trigger::Once { at: "2026-12-02T15:00:00Z".to_owned(), local: false, timezone: None },
            ..world.draft().await
        };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        world.engine.campaigns().schedule(&world.admin, campaign.id).await.expect("scheduled");
        world.start();
        let run = rehearse(&world, &campaign).await;
        // Nothing knocks any more but the test.
        world.stop().await;
        let senders = world.engine.senders();
        for sender in senders.list(&world.admin).await.expect("senders") {
            let disabled = SenderPatch { enabled: Some(false), ..SenderPatch::default() };
            senders.update(&world.admin, sender.id, disabled).await.expect("disabled");
        }
        clock.to("2026-12-02T15:00:01Z");
        assert_eq!(engine::scheduler::tick(&world.engine).await.expect("a tick"), 0);
        assert_eq!(world.campaign_status(&campaign).await, CampaignStatus::Paused);
        let kept = world.engine.campaigns().rehearsal(&world.admin, campaign.id).await.expect("looked");
        let kept = kept.map(|kept| (kept.id, kept.status));
        assert_eq!(kept, Some((run.id, RunStatus::Rehearsed)), "{:?}", world.db.kind());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lacks_a_value_is_taken_in_by_saying_what_to_write_instead() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 20).await;
        build::set_person(&world.db, ContactId(3), "attributes = '{}'").await;
        let campaign = world.campaign("Hi {{ first_name|title }}, {{ first_name }}!").await;
        world.start();
        let first = rehearse(&world, &campaign).await;
        assert_eq!(found(&first).missing_variables.get("first_name"), Some(&1));
        let template = campaign.template_id.expect("a template");
        let set = async |variable: &str, words: &str| {
            let fallback = Fallback { variable: variable.to_owned(), words: words.to_owned() };
            world.engine.templates().set_fallback(&world.admin, template, &fallback).await
        };
        for (variable, words, field) in [("city", "town", "variable"), ("first_name", "a {{ b }}", "words")] {
            let refused = set(variable, words).await;
            assert!(matches!(&refused, Err(Error::Invalid(errors)) if errors[0].field == field), "{refused:?}");
        }
        let changed = set("first_name", "there").await.expect("set");
        assert_eq!(changed.version, 2);
        assert_eq!(
            changed.variants["en"].body,
            "Hi {{ first_name|default('there')|title }}, {{ first_name|default('there') }}!"
        );
        let again = rehearse(&world, &campaign).await;
        assert_eq!((found(&again).reached(), found(&again).missing_variables.len()), (20, 0));
        world.stop().await;
    }
}
