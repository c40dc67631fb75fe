//! Campaigns, single messages and senders as people and programs use them.

mod world;

use domain::{
    campaign::{CampaignFilter, CampaignPatch, CampaignStatus, NewCampaign, TestRequest},
    consent::Consent,
    ids::{CampaignId, ContactId, TopicId},
    message::{Channel, CheckOutcome, Decision, Kind, MessageFilter, NewMessage, State},
    page::PageRequest,
    reason::Reason,
    role::Role,
    run::RunStatus,
    sender::Sender,
    settings::SettingsPatch,
    topic::NewTopic,
};
use engine::{Actor, ActorKind, Error};
use serde_json::json;
use testkit::build;
use world::{Setup, World, worlds};

fn fields(error: &Error) -> Vec<&str> {
    match error {
        Error::Invalid(errors) => errors.iter().map(|error| error.field.as_str()).collect(),
        other => panic!("not a list of fields: {other}"),
    }
}

fn viewer() -> Actor {
    Actor::new(ActorKind::Account, "viewer", Role::Viewer)
}

fn text(phone: i64, body: &str) -> NewMessage {
    NewMessage {
        phone: build::phone(phone),
        template_id: None,
        body: Some(body.to_owned()),
        channel: None,
        sender_id: None,
        variables: serde_json::Map::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drafts_are_checked_field_by_field() {
    for world in worlds(Setup::default()).await {
        let wrong = NewCampaign {
            name: " ".to_owned(),
            topic: Some("nowhere".to_owned()),
            template_id: Some(domain::ids::TemplateId(uuid::Uuid::new_v4())),
            segment_id: Some(domain::ids::SegmentId(uuid::Uuid::new_v4())),
            sender_id: Some(domain::ids::SenderId(uuid::Uuid::new_v4())),
            rate_per_second: Some(0),
            weight: 0,
            ..world.draft().await
        };
        let error = world.engine.campaigns().create(&world.admin, wrong).await.expect_err("all of it is wrong");
        let expected = ["name", "rate_per_second", "weight", "topic", "segment_id", "template_id", "sender_id"];
        assert_eq!(fields(&error), expected);
        assert!(matches!(world.engine.campaigns().create(&viewer(), world.draft().await).await, Err(Error::Forbidden)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sms_sender_does_not_fit_a_whatsapp_template() {
    for world in worlds(Setup::default()).await {
        let senders = world.engine.senders().list(&world.admin).await.expect("senders");
        let channels: Vec<_> = senders.iter().map(|sender| (sender.channel, sender.default)).collect();
        assert_eq!(channels.len(), 2, "the simulator serves both channels: {channels:?}");
        let sms = senders.iter().find(|sender| sender.channel == Channel::Sms).expect("an SMS sender");
        let campaign = world.campaign("Hi").await;
        let patch = CampaignPatch { sender_id: Some(Some(sms.id)), ..CampaignPatch::default() };
        let error = world.engine.campaigns().update(&world.admin, campaign.id, patch).await.expect_err("does not fit");
        assert_eq!(fields(&error), ["sender_id"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drafts_change_in_everything_and_launched_ones_in_name_and_rate() {
    for world in worlds(Setup::default()).await {
        world.people(1, 1).await;
        let campaigns = world.engine.campaigns();
        let campaign = world.campaign("Hi").await;
        let patch = |name: &str, version| CampaignPatch {
            name: Some(name.to_owned()),
            rate_per_second: Some(Some(7)),
            version,
            ..CampaignPatch::default()
        };
        let changed = campaigns.update(&world.admin, campaign.id, patch("Two", Some(1))).await.expect("changed");
        assert_eq!((changed.name.as_str(), changed.rate_per_second, changed.version), ("Two", Some(7), 2));
        let stale = campaigns.update(&world.admin, campaign.id, patch("Three", Some(1))).await;
        let Err(Error::Stale(fields)) = stale else { panic!("an earlier version: {stale:?}") };
        let told: Vec<&str> = fields.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(told, ["name", "version"], "the rate is the same");
        assert_eq!(fields[0].message, "Stored now: “Two”.");
        let again = campaigns.update(&world.admin, campaign.id, patch(" Two ", Some(2))).await.expect("nothing to do");
        assert_eq!(again.version, 2, "nothing changed");
        world.launch(&campaign).await;
        campaigns.update(&world.admin, campaign.id, patch("Four", None)).await.expect("name and rate");
        let weight = CampaignPatch { weight: Some(9), ..CampaignPatch::default() };
        let fixed = campaigns.update(&world.admin, campaign.id, weight).await;
        assert!(matches!(&fixed, Err(Error::Conflict(text)) if text.contains("weight")), "{fixed:?}");
        assert!(matches!(campaigns.delete(&world.admin, campaign.id).await, Err(Error::Conflict(_))));
        let copy = campaigns.duplicate(&world.admin, campaign.id).await.expect("a copy");
        assert_eq!((copy.name.as_str(), copy.status, copy.run.is_none()), ("Four (copy)", CampaignStatus::Draft, true));
        campaigns.delete(&world.admin, copy.id).await.expect("a draft goes");
        assert!(matches!(campaigns.get(&world.admin, copy.id).await, Err(Error::NotFound { .. })));
        let unknown = CampaignId(uuid::Uuid::new_v4());
        assert!(matches!(campaigns.launch(&world.admin, unknown).await, Err(Error::NotFound { .. })));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn launching_names_what_is_missing_and_happens_once() {
    for world in worlds(Setup::default()).await {
        world.people(1, 1).await;
        let campaigns = world.engine.campaigns();
        let empty = NewCampaign { segment_id: None, ..world.draft().await };
        let empty = campaigns.create(&world.admin, empty).await.expect("a draft");
        let error = campaigns.launch(&world.admin, empty.id).await.expect_err("it lacks everything");
        assert_eq!(fields(&error), ["template_id", "segment_id"]);
        for action in [campaigns.pause(&world.admin, empty.id).await, campaigns.cancel(&world.admin, empty.id).await] {
            assert!(matches!(action, Err(Error::Conflict(_))), "{action:?}");
        }
        let campaign = world.campaign("Hi").await;
        let run = world.launch(&campaign).await;
        assert_eq!((run.number, run.status), (1, RunStatus::Planning));
        let again = campaigns.launch(&world.admin, campaign.id).await;
        assert!(matches!(&again, Err(Error::Conflict(text)) if text.contains("Duplicate")), "{again:?}");
        let runs = world.engine.runs().list(&world.admin, campaign.id, &PageRequest::default()).await.expect("runs");
        assert_eq!(runs.items.len(), 1);
        assert!(matches!(campaigns.launch(&viewer(), campaign.id).await, Err(Error::Forbidden)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_without_a_sender_is_not_launched() {
    for world in worlds(Setup::default()).await {
        let campaign = world.campaign("Hi").await;
        store::exec(world.db.writer(), "UPDATE senders SET is_default = FALSE", vec![]).await.expect("no default");
        let refused = world.engine.campaigns().launch(&world.admin, campaign.id).await;
        assert!(matches!(&refused, Err(Error::Conflict(text)) if text.contains("sender")), "{refused:?}");
        let refused = world.engine.messages().create(&world.admin, text(1, "Hi")).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launch_check_says_what_would_happen() {
    for world in worlds(Setup::default()).await {
        world.people(1, 4).await;
        build::people(&world.db, 5, 2, Consent::Unknown).await;
        build::set_person(&world.db, ContactId(1), "suppressed = TRUE").await;
        for (person, locale) in [(1, "de"), (2, "de-AT"), (3, "en-GB")] {
            build::set_person(&world.db, ContactId(person), &format!("locale = '{locale}'")).await;
        }
        let new = NewTopic { key: "offers".to_owned(), name: "Offers".to_owned(), ..NewTopic::default() };
        world.engine.topics().create(&world.admin, new).await.expect("a topic");
        let row = store::one(world.db.reader(), "SELECT id FROM topics", vec![]).await.expect("a row").expect("a row");
        let topic = TopicId(row.get("id").expect("an id"));
        build::subscribe(&world.db, topic, [1, 2, 3], "subscribed").await;
        let new = NewCampaign {
            topic: Some("offers".to_owned()),
            template_id: Some(world.template("Hi there").await),
            rate_per_second: Some(10),
            ..world.draft().await
        };
        let campaign = world.engine.campaigns().create(&world.admin, new).await.expect("a campaign");
        let check = world.engine.campaigns().launch_check(&world.admin, campaign.id).await.expect("a check");
        assert_eq!((check.audience, check.rate_per_second), (6, 10));
        let skipped: Vec<_> = check.skipped.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
        assert_eq!(skipped, [("no_consent", 2), ("not_subscribed", 1), ("suppressed", 1)]);
        assert!(
            matches!(&check.warnings[..], [one] if one.starts_with("1 of them") && one.contains("(de)")),
            "{check:?}"
        );
        assert_eq!((check.problems, check.sample_text), (vec![], Some("Hi there".to_owned())));

        // The wizard says it where the template is chosen.
        let (template, audience) =
            (campaign.template_id.expect("a template"), campaign.segment_id.expect("an audience"));
        let told = async |topic| {
            world.engine.campaigns().languages(&world.admin, template, audience, topic).await.expect("an answer")
        };
        let starts = |told: Option<String>, start: &str| told.is_some_and(|told| told.starts_with(start));
        let (subscribed, all) = (told(Some("offers")).await, told(None).await);
        assert!(starts(subscribed.clone(), "1 of 2 people who would get it read languages"), "{subscribed:?}");
        assert!(starts(all.clone(), "1 of 3 people who would get it read languages"), "{all:?}");
        build::set_person(&world.db, ContactId(2), "locale = 'en-IN'").await;
        assert_eq!(told(Some("offers")).await, None, "who is left out does not count");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launch_check_says_whom_whatsapp_lets_nobody_write_to() {
    for world in worlds(Setup::default()).await {
        world.people(1, 4).await;
        for (person, country) in [(1, "US"), (2, "US"), (3, "CA")] {
            build::set_person(&world.db, ContactId(person), &format!("country = '{country}'")).await;
        }
        let by = async |channel| {
            let draft =
                NewCampaign { template_id: Some(world.template_for(channel, "Hi").await), ..world.draft().await };
            world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign").id
        };
        let (whatsapp, sms) = (by(Channel::Whatsapp).await, by(Channel::Sms).await);
        let told = async |campaign| {
            world.engine.campaigns().launch_check(&world.admin, campaign).await.expect("a check").warnings
        };
        let [in_us] = &told(whatsapp).await[..] else { panic!("one warning") };
        assert!(in_us.starts_with("2 of them have numbers of the United States"), "{in_us}");
        assert_eq!(told(sms).await, Vec::<String>::new(), "by SMS they get it");

        // Where free text is kept within conversations, hardly anybody of a campaign gets it.
        let patch = SettingsPatch { enforce_whatsapp_window: Some(true), ..SettingsPatch::default() };
        world.engine.settings().update(&world.admin, patch).await.expect("settings");
        let all = told(whatsapp).await;
        let outside = "The text (en) is no approved WhatsApp template: it goes only to people who wrote to this sender";
        assert!(all.len() == 2 && all.iter().any(|text| text.starts_with(outside)), "{all:?}");
        assert_eq!(told(sms).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_paged_and_found_by_name_and_status() {
    for world in worlds(Setup::default()).await {
        let campaigns = world.engine.campaigns();
        let mut made = Vec::new();
        for name in ["Spring sale", "ÉTÉ", "Autumn sale"] {
            let new = NewCampaign { name: name.to_owned(), ..world.draft().await };
            made.push(campaigns.create(&world.admin, new).await.expect("a draft"));
        }
        let page = PageRequest::first(2);
        let first = campaigns.list(&world.admin, &CampaignFilter::default(), &page).await.expect("a page");
        assert_eq!(first.items.iter().map(|campaign| campaign.id).collect::<Vec<_>>(), [made[2].id, made[1].id]);
        let page = PageRequest { cursor: first.next_cursor, ..page };
        let second = campaigns.list(&world.admin, &CampaignFilter::default(), &page).await.expect("a page");
        assert_eq!(second.items.iter().map(|campaign| campaign.id).collect::<Vec<_>>(), [made[0].id]);
        assert_eq!(second.next_cursor, None);
        let count = async |q: &str, status| {
            let filter = CampaignFilter { q: Some(q.to_owned()), status };
            campaigns.list(&world.admin, &filter, &PageRequest::default()).await.expect("a page").items.len()
        };
        assert_eq!(count("SALE", None).await, 2);
        assert_eq!(count("été", None).await, 1);
        assert_eq!(count("", Some(CampaignStatus::Running)).await, 0);
        assert_eq!(count("%", None).await, 0);
        let bad = PageRequest { cursor: Some("x".to_owned()), ..PageRequest::default() };
        let error = campaigns.list(&world.admin, &CampaignFilter::default(), &bad).await.expect_err("a bad cursor");
        assert_eq!(fields(&error), ["cursor"]);
    }
}

async fn send(world: &World, new: NewMessage) -> domain::message::Message {
    world.engine.messages().create(&world.admin, new).await.expect("taken")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_message_goes_out_or_says_why_not() {
    for mut world in worlds(Setup::default()).await {
        build::people(&world.db, 1, 1, Consent::OptedOut).await;
        world.start();
        let template = world.template("Your code is {{ code }}").await;
        let refused = send(&world, text(1, "Hello")).await;
        assert_eq!((refused.state, refused.kind), (State::Queued, Kind::Single));
        let refused = world.until_message(1, State::Skipped).await;
        assert_eq!(refused.reason, Some(Reason::OptedOut));
        // Somebody new is stored first, and an answer needs no consent.
        send(&world, text(2, "Hello there")).await;
        let sent = world.until_message(2, State::Delivered).await;
        assert_eq!(sent.body.as_deref(), Some("Hello there"));
        let contact = world.engine.contacts().get(&world.admin, &build::phone(2)).await.expect("a contact");
        assert_eq!(contact.consent, Consent::Unknown);
        // A template keeps its category's rule.
        let marketing = NewMessage { body: None, template_id: Some(template), ..text(3, "") };
        let marketing =
            NewMessage { variables: json!({ "code": "123" }).as_object().cloned().expect("an object"), ..marketing };
        send(&world, marketing.clone()).await;
        assert_eq!(world.until_message(3, State::Skipped).await.reason, Some(Reason::NoConsent));
        build::people(&world.db, 4, 1, Consent::OptedIn).await;
        send(&world, NewMessage { phone: build::phone(4), ..marketing }).await;
        assert_eq!(world.until_message(4, State::Delivered).await.body.as_deref(), Some("Your code is 123"));
        assert_eq!(world.accepted_in_all(), 2);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_is_refused_by_field() {
    for world in worlds(Setup::default()).await {
        let template = Some(domain::ids::TemplateId(uuid::Uuid::new_v4()));
        let wrong = [
            (NewMessage { body: None, ..text(1, "") }, "body"),
            (text(1, " "), "body"),
            (text(1, &"a".repeat(1_601)), "body"),
            (NewMessage { template_id: template, ..text(1, "both") }, "body"),
            (NewMessage { template_id: template, body: None, ..text(1, "") }, "template_id"),
        ];
        for (new, field) in wrong {
            let error = world.engine.messages().create(&world.admin, new).await.expect_err("refused");
            assert_eq!(fields(&error), [field]);
        }
        assert!(world.messages(MessageFilter::default()).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_goes_to_a_few_outside_the_run() {
    for mut world in worlds(Setup::default()).await {
        build::people(&world.db, 1, 1, Consent::Unknown).await;
        build::people(&world.db, 2, 1, Consent::OptedOut).await;
        world.start();
        let campaign = world.campaign("Hi").await;
        let phones = |numbers: &[i64]| TestRequest {
            phones: numbers.iter().map(|number| build::phone(*number).to_string()).collect(),
        };
        let campaigns = world.engine.campaigns();
        let sent = campaigns.test(&world.admin, campaign.id, &phones(&[1, 2])).await.expect("sent");
        assert_eq!(sent.len(), 2);
        assert!(sent.iter().all(|message| message.run_id.is_none() && message.kind == Kind::Test));
        world.until_message(1, State::Delivered).await;
        assert_eq!(world.until_message(2, State::Skipped).await.reason, Some(Reason::OptedOut));
        assert_eq!(world.campaign_status(&campaign).await, CampaignStatus::Draft);
        let nobody = campaigns.test(&world.admin, campaign.id, &phones(&[])).await.expect_err("nobody");
        assert_eq!(fields(&nobody), ["phones"]);
        let bad = TestRequest { phones: vec!["+14155550100".to_owned(), "nonsense".to_owned()] };
        let bad = campaigns.test(&world.admin, campaign.id, &bad).await.expect_err("no phone");
        assert_eq!(fields(&bad), ["phones[1]"]);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn free_text_goes_only_from_the_number_that_the_person_wrote_to() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 1).await;
        let enforce = SettingsPatch { enforce_whatsapp_window: Some(true), ..SettingsPatch::default() };
        world.engine.settings().update(&world.admin, enforce).await.expect("a setting");
        world.start();
        let outcome = async |message: NewMessage, state: State| {
            let id = world.engine.messages().create(&world.admin, message).await.expect("taken").id;
            let patience = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
            loop {
                let message = world.engine.messages().get(&world.admin, id).await.expect("a message");
                if message.state == state {
                    return message;
                }
                assert!(tokio::time::Instant::now() < patience, "{message:?}");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let cold = outcome(text(1, "Hello?"), State::Skipped).await;
        assert_eq!(cold.reason, Some(Reason::OutsideWindow));
        let inbound = simulator::Inbound {
            from: format!("whatsapp:{}", build::phone(1)),
            body: Some("Who is there?".to_owned()),
            ..simulator::Inbound::default()
        };
        world.twilio.simulator.control().inbound(inbound).await.expect("taken");
        outcome(text(1, "It is us."), State::Delivered).await;

        // Another number of ours: nobody has written to it.
        let other = Sender {
            id: domain::ids::SenderId(uuid::Uuid::new_v4()),
            name: "Other".to_owned(),
            channel: Channel::Whatsapp,
            address: "+15005550011".to_owned(),
            account_sid: simulator::ACCOUNT_SID.to_owned(),
            rate_per_second: 80,
            enabled: true,
            default: true,
            held: None,
            blocked: None,
            version: 1,
        };
        build::commit(&world.db, async |tx| {
            store::exec(tx, "UPDATE senders SET is_default = FALSE", vec![]).await?;
            store::senders::insert(tx, world.engine.now(), &other).await
        })
        .await;
        let elsewhere = outcome(text(1, "It is us again."), State::Skipped).await;
        assert_eq!(elsewhere.reason, Some(Reason::OutsideWindow), "{:?}", world.db.kind());
        let failed = |made: &Decision| made.checks.iter().find(|check| check.result == CheckOutcome::Fail).cloned();
        let detail = elsewhere.decisions.last().and_then(failed).and_then(|check| check.detail);
        assert_eq!(detail.as_deref(), Some("the person never wrote to this sender"));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_of_a_message_names_who_did_it() {
    for mut world in worlds(Setup { rate_per_second: 5, ..Setup::default() }).await {
        world.people(1, 60).await;
        let (engine, admin) = (world.engine.clone(), world.admin.clone());
        let account = engine.accounts().create(&admin, "ada@example.org", Role::Marketer, None).await.expect("made").0;
        let ada = Actor::new(ActorKind::Account, account.id.to_string(), account.role);
        let key = engine.api_keys().create(&admin, "shop", Role::Marketer).await.expect("a key");
        let shop = engine.api_keys().authenticate(&key).await.expect("it is one");
        let who = async |id| {
            let message = engine.messages().get(&admin, id).await.expect("a message");
            let actors = message.history.into_iter().filter_map(|step| step.actor);
            actors.map(|actor| (actor.kind, actor.name)).collect::<Vec<_>>()
        };
        let ada_did = vec![(ActorKind::Account, "ada@example.org".to_owned())];

        let single = engine.messages().create(&ada, text(1, "Hi")).await.expect("taken");
        assert_eq!(who(single.id).await, ada_did);
        let single = engine.messages().create(&shop, text(1, "Hi")).await.expect("taken");
        assert_eq!(who(single.id).await, [(ActorKind::ApiKey, "shop".to_owned())]);
        let single = engine.messages().create(&admin, text(1, "Hi")).await.expect("taken");
        assert_eq!(who(single.id).await, [(ActorKind::CommandLine, "command line".to_owned())]);
        let campaign = world.campaign("Hi").await;
        let request = TestRequest { phones: vec![build::phone(2).to_string()] };
        let test = engine.campaigns().test(&ada, campaign.id, &request).await.expect("sent").remove(0);
        assert_eq!(who(test.id).await, ada_did);

        let run = world.launch(&campaign).await;
        world.start();
        world.until(run.id, "under way", |run| world::handed_over(&run.ledger) >= 1).await;
        engine.campaigns().cancel(&ada, campaign.id).await.expect("cancelled");
        world.until(run.id, "finished", |run| run.finished_at.is_some()).await;
        let cancelled = MessageFilter { run: Some(run.id), state: Some(State::Cancelled), ..MessageFilter::default() };
        let cancelled = world.messages(cancelled).await.remove(0);
        assert_eq!(who(cancelled.id).await, ada_did);
        world.stop().await;
    }
}
