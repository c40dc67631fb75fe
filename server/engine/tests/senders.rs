//! Several senders: each with the credentials of its own account, its own rate and its own switch; one default a channel.

mod world;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{
    campaign::NewCampaign,
    consent::Consent,
    ids::SenderId,
    message::{Channel, MessageFilter, NewMessage},
    page::PageRequest,
    process::Wait,
    provider_account::{NewProviderAccount, ProviderAccount, ProviderAccountPatch},
    role::Role,
    run::{Run, RunStatus},
    sender::{NewSender, Sender, SenderHealth, SenderPatch},
    template::PreviewRequest,
    time::Timestamp,
};
use engine::{Actor, ActorKind, Engine, Error, clock::SystemClock};
use serde_json::json;
use simulator::{ErrorRule, Fault, Inbound, NumberRule, Running, Settings, Simulator, When};
use testkit::build;
use tokio::net::TcpListener;
use world::{Setup, World, handed_over, worlds};

const SECOND_SID: &str = "AC22220000000000000000000000002222";
const SECOND_TOKEN: &str = "22220000222200002222000022220000";
const OTHER: &str = "+15005550011";

fn short_callbacks() -> Settings {
    let mut settings = Settings::default();
    settings.callbacks.delay_ms = 5;
    settings
}

/// Another account at another simulator, whose webhooks come to the same place.
async fn second_twilio(world: &World, settings: Settings) -> Running {
    let settings = Settings {
        account_sid: SECOND_SID.to_owned(),
        auth_token: SECOND_TOKEN.to_owned(),
        inbound_url: Some(format!("{}/webhooks/twilio/inbound", world.twilio.public_url)),
        ..settings
    };
    Simulator::start("127.0.0.1:0", settings).await.expect("another simulator")
}

fn second_account(twilio: Option<&Running>) -> NewProviderAccount {
    NewProviderAccount {
        account_sid: SECOND_SID.to_owned(),
        name: "Second".to_owned(),
        auth_token: SECOND_TOKEN.to_owned(),
        api_key_sid: None,
        api_key_secret: None,
        api_base: twilio.map(Running::base_url),
    }
}

async fn add_account(world: &World, new: NewProviderAccount) -> ProviderAccount {
    world.engine.provider_accounts().create(&world.admin, new).await.expect("an account")
}

fn new_sender(channel: Channel, address: &str) -> NewSender {
    NewSender {
        name: format!("Sender {address}"),
        channel,
        address: address.to_owned(),
        rate_per_second: None,
        enabled: true,
        default: false,
        account_sid: None,
    }
}

async fn add(world: &World, new: NewSender) -> Sender {
    world.engine.senders().create(&world.admin, new).await.expect("a sender")
}

/// A WhatsApp number of the second account.
async fn add_other(world: &World) -> Sender {
    let new = NewSender { account_sid: Some(SECOND_SID.to_owned()), ..new_sender(Channel::Whatsapp, OTHER) };
    add(world, new).await
}

async fn change(world: &World, id: SenderId, patch: SenderPatch) -> engine::Result<Sender> {
    world.engine.senders().update(&world.admin, id, patch).await
}

async fn default_of(world: &World, channel: Channel) -> Sender {
    let senders = world.engine.senders().list(&world.admin).await.expect("senders");
    let mut defaults: Vec<_> = senders.into_iter().filter(|row| row.channel == channel && row.default).collect();
    assert_eq!(defaults.len(), 1, "{:?}: {channel}: {defaults:?}", world.db.kind());
    defaults.remove(0)
}

async fn health(world: &World, id: SenderId) -> SenderHealth {
    let all = world.engine.senders().health(&world.admin).await.expect("health");
    all.into_iter().find(|health| health.sender.id == id).expect("it is among them")
}

async fn launch_from(world: &World, sender: &Sender, body: &str) -> Run {
    let template_id = Some(world.template_for(sender.channel, body).await);
    let draft = NewCampaign { template_id, sender_id: Some(sender.id), ..world.draft().await };
    let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
    world.launch(&campaign).await
}

/// How many messages went out from this address.
fn sent_from(twilio: &Running, address: &str) -> usize {
    let filter = simulator::MessageFilter {
        from: Some(address.to_owned()),
        limit: Some(10_000),
        ..simulator::MessageFilter::default()
    };
    twilio.control().messages(&filter).len()
}

/// Waits until it holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), wait).await.is_ok(), "never: {what}");
}

fn held(reason: Option<&str>) -> SenderPatch {
    SenderPatch { held: Some(reason.map(str::to_owned)), ..SenderPatch::default() }
}

fn default_mark() -> SenderPatch {
    SenderPatch { default: Some(true), ..SenderPatch::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_account_gets_its_own_messages_and_signs_its_own_callbacks() {
    for mut world in worlds(Setup::default()).await {
        let second = second_twilio(&world, short_callbacks()).await;
        let account = add_account(&world, second_account(Some(&second))).await;
        assert_eq!((account.name.as_str(), account.from_environment, account.senders), ("Second", false, 0));
        let (first, other) = (default_of(&world, Channel::Whatsapp).await, add_other(&world).await);
        world.people(1, 30).await;
        let runs = [launch_from(&world, &first, "Hi").await, launch_from(&world, &other, "Hello").await];
        world.start();
        for run in &runs {
            world.until(run.id, "delivered", |run| run.ledger.delivered == 30).await;
        }
        let (here, there) = (world.twilio.simulator.control().stats(), second.control().stats());
        assert_eq!((here.accepted, there.accepted), (30, 30));
        assert!(here.refused.is_empty() && there.refused.is_empty(), "{here:?} {there:?}");
        assert_eq!((sent_from(&world.twilio.simulator, OTHER), sent_from(&second, OTHER)), (0, 30));
        for (sender, name) in [(&first, "Main account"), (&other, "Second")] {
            let health = health(&world, sender.id).await;
            assert_eq!((health.account.as_deref(), health.waiting), (Some(name), 0));
            assert!(health.per_second > 0.0, "{health:?}");
        }
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_with_another_token_are_refused_until_it_is_put_right() {
    for mut world in worlds(Setup::default()).await {
        let key = format!("SK{}", "2".repeat(32));
        let settings = Settings {
            api_key_sid: Some(key.clone()),
            api_key_secret: Some("open-sesame".to_owned()),
            ..short_callbacks()
        };
        let second = second_twilio(&world, settings).await;
        // Requests are made with the key: only the callbacks show that the token is another one.
        let wrong = NewProviderAccount {
            auth_token: "not-the-token".to_owned(),
            api_key_sid: Some(key.clone()),
            api_key_secret: Some("open-sesame".to_owned()),
            ..second_account(Some(&second))
        };
        assert_eq!(add_account(&world, wrong).await.api_key_sid, Some(key));
        let other = add_other(&world).await;
        world.people(1, 5).await;
        let run = launch_from(&world, &other, "Hi").await;
        world.start();
        until("callbacks fail", || second.control().stats().callbacks_failed >= 10).await;
        let ledger = world.until_completed(run.id).await.ledger;
        assert_eq!((ledger.accepted, ledger.delivered), (5, 0), "nothing that was told was believed");

        let right =
            ProviderAccountPatch { auth_token: Some(SECOND_TOKEN.to_owned()), ..ProviderAccountPatch::default() };
        world.engine.provider_accounts().update(&world.admin, SECOND_SID, right).await.expect("changed");
        let run = launch_from(&world, &other, "Hi again").await;
        world.until(run.id, "delivered", |run| run.ledger.delivered == 5).await;
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_are_looked_for_at_the_account_that_got_the_message() {
    let mut settings = Settings::default();
    settings.callbacks.enabled = false;
    let lost = NumberRule { number: "*0001".to_owned(), fault: Some(Fault::LostAnswer), statuses: None };
    settings.numbers = vec![lost];
    let (timeout, grace) = (Duration::from_secs(1), Duration::from_millis(900));
    let setup = Setup { timeout, grace, simulator: settings.clone(), ..Setup::default() };
    for mut world in worlds(setup).await {
        let second = second_twilio(&world, settings.clone()).await;
        add_account(&world, second_account(Some(&second))).await;
        let other = add_other(&world).await;
        world.people(1, 4).await;
        world.start();
        let there = launch_from(&world, &other, "Hello").await;
        world.until(there.id, "in doubt", |run| run.ledger.unknown == 1 && handed_over(&run.ledger) == 3).await;
        // Nobody can ask there for a while; that keeps no other account waiting.
        second.control().patch_settings(&json!({ "auth_token": "another" })).expect("settings");
        let here = launch_from(&world, &default_of(&world, Channel::Whatsapp).await, "Hi").await;
        let here = world.until_completed(here.id).await;
        assert_eq!((handed_over(&here.ledger), world.accepted_in_all()), (4, 4));
        assert_eq!(world.run(there.id).await.ledger.unknown, 1, "nothing was concluded");

        second.control().patch_settings(&json!({ "auth_token": SECOND_TOKEN })).expect("settings");
        let there = world.until_completed(there.id).await;
        assert_eq!((handed_over(&there.ledger), second.control().stats().accepted), (4, 4));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holding_a_sender_stops_it_within_a_second_and_no_other() {
    for mut world in worlds(Setup { rate_per_second: 40, ..Setup::default() }).await {
        let first = default_of(&world, Channel::Whatsapp).await;
        let other = add(&world, new_sender(Channel::Whatsapp, OTHER)).await;
        assert_eq!(other.rate_per_second, 40, "as the first one");
        world.people(1, 700).await;
        launch_from(&world, &first, "Hi").await;
        launch_from(&world, &other, "Hello").await;
        world.start();
        let sent = |sender: &Sender| sent_from(&world.twilio.simulator, &sender.address);
        until("both are under way", || sent(&first) > 10 && sent(&other) > 10).await;

        // By another process: nothing but the database tells this one.
        let elsewhere = Engine::open(world.db.clone(), world.config().clone(), Arc::new(SystemClock)).await;
        let elsewhere = elsewhere.expect("an engine");
        let now = elsewhere.senders().update(&world.admin, other.id, held(Some(" a look at its quality "))).await;
        assert_eq!(now.expect("held").held.as_deref(), Some("a look at its quality"));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = (sent(&first), sent(&other));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(sent(&other), before.1, "{:?}", world.db.kind());
        assert!(sent(&first) > before.0 + 30, "the other one goes on");
        assert!(health(&world, other.id).await.waiting > 0);

        elsewhere.senders().update(&world.admin, other.id, held(None)).await.expect("released");
        until("it goes on", || sent(&other) > before.1).await;
        let disabled = SenderPatch { enabled: Some(false), ..SenderPatch::default() };
        change(&world, other.id, disabled).await.expect("disabled");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = sent(&other);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(sent(&other), before, "disabling does the same");
        let page = world.engine.audit().list(&world.admin, &PageRequest::first(PageRequest::MAX_LIMIT)).await;
        let told: Vec<String> = page
            .expect("the audit log")
            .items
            .into_iter()
            .filter(|line| line.entity == "sender" && line.entity_id == other.id.to_string())
            .map(|line| line.action)
            .collect();
        assert_eq!(told, ["update", "release_sending", "hold_sending", "create"]);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_has_one_default() {
    for mut world in worlds(Setup::default()).await {
        let (first, sms) = (default_of(&world, Channel::Whatsapp).await, default_of(&world, Channel::Sms).await);
        let one = add(&world, new_sender(Channel::Whatsapp, OTHER)).await;
        let two = NewSender { default: true, ..new_sender(Channel::Whatsapp, "+15005550012") };
        let two = add(&world, two).await;
        assert_eq!(default_of(&world, Channel::Whatsapp).await.id, two.id, "the new one took it");
        change(&world, one.id, default_mark()).await.expect("marked");
        assert_eq!(default_of(&world, Channel::Whatsapp).await.id, one.id);
        for _ in 0..5 {
            let (a, b) = tokio::join!(change(&world, first.id, default_mark()), change(&world, two.id, default_mark()));
            assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
            default_of(&world, Channel::Whatsapp).await;
        }
        assert_eq!(default_of(&world, Channel::Sms).await, sms, "the other channel has its own");

        change(&world, one.id, default_mark()).await.expect("marked");
        let message = NewMessage {
            phone: build::phone(1),
            template_id: None,
            body: Some("Hi".to_owned()),
            channel: Some(Channel::Whatsapp),
            sender_id: None,
            variables: serde_json::Map::new(),
        };
        world.engine.messages().create(&world.admin, message).await.expect("taken");
        world.start();
        until("it went out from the default", || sent_from(&world.twilio.simulator, OTHER) == 1).await;
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_refused_with_the_reason() {
    for world in worlds(Setup::default()).await {
        let engine = &world.engine;
        let first = default_of(&world, Channel::Whatsapp).await;
        let again = engine.senders().create(&world.admin, new_sender(Channel::Whatsapp, &first.address)).await;
        assert!(matches!(&again, Err(Error::Conflict(text)) if text.contains(&first.name)), "{again:?}");
        let nowhere = NewSender { account_sid: Some(SECOND_SID.to_owned()), ..new_sender(Channel::Sms, OTHER) };
        let nowhere = engine.senders().create(&world.admin, nowhere).await;
        assert!(matches!(&nowhere, Err(Error::Invalid(errors)) if errors[0].field == "account_sid"), "{nowhere:?}");
        let stale = SenderPatch { version: Some(first.version + 1), ..held(Some("x")) };
        assert!(matches!(change(&world, first.id, stale).await, Err(Error::Stale(_))));
        let same = SenderPatch { name: Some(first.name.clone()), ..SenderPatch::default() };
        assert_eq!(change(&world, first.id, same).await.expect("nothing to do").version, first.version);

        let marketer = Actor::new(ActorKind::Account, "ann", Role::Marketer);
        assert!(engine.senders().list(&marketer).await.is_ok() && engine.senders().health(&marketer).await.is_ok());
        let refused = engine.senders().create(&marketer, new_sender(Channel::Sms, OTHER)).await;
        assert!(matches!(refused, Err(Error::Forbidden)));
        assert!(matches!(engine.senders().update(&marketer, first.id, held(None)).await, Err(Error::Forbidden)));
        assert!(matches!(engine.provider_accounts().list(&marketer).await, Err(Error::Forbidden)));
        assert!(matches!(engine.provider_accounts().delete(&marketer, SECOND_SID).await, Err(Error::Forbidden)));

        let accounts = engine.provider_accounts();
        add_account(&world, second_account(None)).await;
        let twice = accounts.create(&world.admin, second_account(None)).await;
        assert!(matches!(&twice, Err(Error::Conflict(text)) if text.contains(SECOND_SID)), "{twice:?}");
        let own = NewProviderAccount { account_sid: simulator::ACCOUNT_SID.to_owned(), ..second_account(None) };
        assert!(matches!(accounts.create(&world.admin, own).await, Err(Error::Conflict(_))));
        assert!(matches!(accounts.delete(&world.admin, simulator::ACCOUNT_SID).await, Err(Error::Conflict(_))));
        let other = add_other(&world).await;
        let used = accounts.delete(&world.admin, SECOND_SID).await;
        assert!(matches!(&used, Err(Error::Conflict(text)) if text.contains(&other.name)), "{used:?}");
        let all = accounts.list(&world.admin).await.expect("accounts");
        let shown: Vec<_> =
            all.iter().map(|row| (row.account_sid.as_str(), row.from_environment, row.senders)).collect();
        assert_eq!(shown, [(simulator::ACCOUNT_SID, true, 2), (SECOND_SID, false, 1)]);
        let sealed = "SELECT credentials FROM provider_accounts";
        let row = store::one(world.db.reader(), sealed, vec![]).await.expect("a query").expect("a row");
        let sealed: Vec<u8> = row.get("credentials").expect("bytes");
        assert!(!String::from_utf8_lossy(&sealed).contains(SECOND_TOKEN), "sealed at rest");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_an_unknown_account_wait_until_it_is_set_up() {
    for mut world in worlds(Setup::default()).await {
        let second = second_twilio(&world, short_callbacks()).await;
        let sender = default_of(&world, Channel::Whatsapp).await;
        world.people(1, 8).await;
        let run = launch_from(&world, &sender, "Hi").await;
        // As after the environment's account became another one.
        let moved = "UPDATE senders SET account_sid = $1";
        store::exec(world.db.writer(), moved, vec![SECOND_SID.into()]).await.expect("moved");
        world.start();
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        assert_eq!((world.accepted_in_all(), world.run(run.id).await.ledger.queued), (0, 8), "{:?}", world.db.kind());
        assert_eq!(health(&world, sender.id).await.account, None);
        let refused = world.engine.campaigns().launch(&world.admin, world.campaign("Hi").await.id).await;
        assert!(matches!(&refused, Err(Error::Conflict(text)) if text.contains(SECOND_SID)), "{refused:?}");

        add_account(&world, second_account(Some(&second))).await;
        let run = world.until_completed(run.id).await;
        assert_eq!((handed_over(&run.ledger), second.control().stats().accepted), (8, 8));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_changes_its_account_only_when_nothing_of_it_is_left() {
    for world in worlds(Setup::default()).await {
        add_account(&world, second_account(None)).await;
        let sender = default_of(&world, Channel::Whatsapp).await;
        let to_second = SenderPatch { account_sid: Some(SECOND_SID.to_owned()), ..SenderPatch::default() };
        let sending = change(&world, sender.id, to_second.clone()).await;
        assert!(matches!(&sending, Err(Error::Conflict(text)) if text.contains("Hold")), "{sending:?}");
        change(&world, sender.id, held(Some("moving"))).await.expect("held");
        let message = NewMessage {
            phone: build::phone(1),
            template_id: None,
            body: Some("Hi".to_owned()),
            channel: Some(Channel::Whatsapp),
            sender_id: None,
            variables: serde_json::Map::new(),
        };
        world.engine.messages().create(&world.admin, message).await.expect("taken");
        store::exec(world.db.writer(), "UPDATE messages SET state = 2", vec![]).await.expect("in doubt");
        let in_doubt = change(&world, sender.id, to_second.clone()).await;
        assert!(matches!(in_doubt, Err(Error::Conflict(_))), "{in_doubt:?}");
        store::exec(world.db.writer(), "UPDATE messages SET state = 0", vec![]).await.expect("it waits");
        let moved = change(&world, sender.id, to_second).await.expect("moved");
        assert_eq!((moved.account_sid.as_str(), moved.held.as_deref()), (SECOND_SID, Some("moving")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_sender_launches_nothing() {
    for world in worlds(Setup::default()).await {
        let sender = default_of(&world, Channel::Whatsapp).await;
        let template_id = Some(world.template("Hi").await);
        let draft = NewCampaign { template_id, sender_id: Some(sender.id), ..world.draft().await };
        let campaign = world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign");
        let disabled = SenderPatch { enabled: Some(false), ..SenderPatch::default() };
        change(&world, sender.id, disabled).await.expect("disabled");
        let refused = world.engine.campaigns().launch(&world.admin, campaign.id).await;
        let text = format!("“{}” is disabled", sender.name);
        assert!(matches!(&refused, Err(Error::Conflict(told)) if told.contains(&text)), "{refused:?}");
        let none = change(&world, sender.id, default_mark()).await.expect("it is the default already");
        assert!(none.default && !none.enabled);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sms_campaign_runs_beside_a_whatsapp_one() {
    let mut setup = Setup::default();
    setup.simulator.errors = vec![ErrorRule::new("*0003", 21_610, When::Create)];
    for mut world in worlds(setup).await {
        for (body, segments, encoding) in [("x".repeat(161), 2, "GSM-7"), ("Ayubowan 🙏".to_owned(), 1, "UCS-2")] {
            let request = PreviewRequest { channel: Channel::Sms, body, phone: None, sample: serde_json::Map::new() };
            let preview = world.engine.templates().preview(&world.admin, &request).await.expect("a preview");
            assert_eq!((preview.segments, preview.encoding.as_str()), (segments, encoding));
        }
        world.people(1, 10).await;
        let (whatsapp, sms) = (default_of(&world, Channel::Whatsapp).await, default_of(&world, Channel::Sms).await);
        let long = "Our offers. ".repeat(15);
        let runs = [launch_from(&world, &whatsapp, "Hi").await, launch_from(&world, &sms, long.trim()).await];
        world.start();
        for run in &runs {
            // Whichever came first to the third person was refused, and the other one is refused or skipped.
            let over = |run: &Run| run.ledger.delivered == 9 && run.finished_at.is_some();
            let run = world.until(run.id, "over", over).await;
            assert_eq!(run.ledger.failed + run.ledger.skipped, 1, "{:?}", run.ledger);
        }
        let all = world.twilio.simulator.control().messages(&simulator::MessageFilter::default());
        let by_sms: Vec<_> = all.iter().filter(|message| message.from.as_deref() == Some("+15005550006")).collect();
        assert_eq!(by_sms.len(), 9);
        assert!(by_sms.iter().all(|message| message.to.starts_with("+1415") && message.body == long.trim()));
        let consent = async |person: i64| {
            let contact = world.engine.contacts().get(&world.admin, &build::phone(person)).await.expect("a contact");
            (contact.consent, contact.suppressed)
        };
        assert_eq!(consent(3).await, (Consent::OptedOut, true), "21610 is an opt-out");

        let stop = Inbound {
            from: build::phone(1).to_string(),
            to: Some("+15005550006".to_owned()),
            body: Some("STOP".to_owned()),
            ..Inbound::default()
        };
        let answer = world.twilio.simulator.control().inbound(stop).await.expect("the webhook is reached");
        assert!(answer.status == Some(200) && answer.answer.contains("unsubscribed"), "{answer:?}");
        assert_eq!(consent(1).await, (Consent::OptedOut, true), "a STOP by SMS is one for all");
        let again = launch_from(&world, &sms, "Hi again").await;
        let again = world.until(again.id, "delivered", |run| run.ledger.delivered == 8).await;
        assert_eq!((again.ledger.skipped, again.ledger.failed), (2, 0));
        let filter = MessageFilter { phone: Some(build::phone(1)), run: Some(again.id), ..MessageFilter::default() };
        assert!(world.messages(filter).await.iter().all(|message| message.attempts == 0));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_out_before_the_lists_of_all_senders_are_read() {
    for mut world in worlds(Setup::default()).await {
        let second = second_twilio(&world, short_callbacks()).await;
        let away = NewProviderAccount { api_base: Some("http://127.0.0.1:9".to_owned()), ..second_account(None) };
        add_account(&world, away).await;
        let (first, _other) = (default_of(&world, Channel::Whatsapp).await, add_other(&world).await);
        world.people(1, 3).await;
        // Somebody stops at the other number while nobody is there to take it.
        second.control().patch_settings(&json!({ "inbound_url": "http://127.0.0.1:9/" })).expect("settings");
        let stop = Inbound {
            from: format!("whatsapp:{}", build::phone(1)),
            to: Some(format!("whatsapp:{OTHER}")),
            body: Some("STOP".to_owned()),
            ..Inbound::default()
        };
        assert_eq!(second.control().inbound(stop).await.expect("it is sent").status, None);
        let single = NewMessage {
            phone: build::phone(1),
            template_id: None,
            body: Some("Hello".to_owned()),
            channel: Some(Channel::Whatsapp),
            sender_id: Some(first.id),
            variables: serde_json::Map::new(),
        };
        world.engine.messages().create(&world.admin, single).await.expect("taken");
        let run = launch_from(&world, &first, "Hi").await;
        world.start();
        world.until(run.id, "planned", |run| run.ledger.planned == 3).await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(world.accepted_in_all(), 0, "they may have stopped");
        let told = async {
            loop {
                let waiting = world.engine.processes().waiting(&world.admin).await.expect("what waits");
                if waiting.iter().any(|waiting| (waiting.what, waiting.count) == (Wait::Lists, 4)) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), told).await.expect("it says what they wait for");
        let back = ProviderAccountPatch { api_base: Some(Some(second.base_url())), ..ProviderAccountPatch::default() };
        world.engine.provider_accounts().update(&world.admin, SECOND_SID, back).await.expect("changed");
        let run = world.until_completed(run.id).await;
        assert_eq!((run.ledger.skipped, handed_over(&run.ledger), world.accepted(1)), (1, 2, 0));
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_lets_nobody_in_holds_nobody_up() {
    for mut world in worlds(Setup::default()).await {
        // The simulator does not know it.
        add_account(&world, second_account(None)).await;
        let (first, _other) = (default_of(&world, Channel::Whatsapp).await, add_other(&world).await);
        world.people(1, 3).await;
        let run = launch_from(&world, &first, "Hi").await;
        world.start();
        let run = world.until_completed(run.id).await;
        assert_eq!(handed_over(&run.ledger), 3);
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_does_not_answer_holds_the_others_up_for_a_while_only() {
    // Its requests wait for ten seconds.
    let lease = Duration::from_secs(20);
    for mut world in worlds(Setup { lease, list_patience: Duration::from_millis(300), ..Setup::default() }).await {
        // Connections are made, and nobody ever reads from them.
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let api_base = Some(format!("http://{}", silent.local_addr().expect("an address")));
        add_account(&world, NewProviderAccount { api_base, ..second_account(None) }).await;
        let (first, _other) = (default_of(&world, Channel::Whatsapp).await, add_other(&world).await);
        world.people(1, 3).await;
        let run = launch_from(&world, &first, "Hi").await;
        let began = Instant::now();
        world.start();
        let run = world.until_completed(run.id).await;
        assert_eq!(handed_over(&run.ledger), 3);
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_answers_slowly_leaves_the_others_their_speed() {
    for mut world in worlds(Setup::default()).await {
        let second = second_twilio(&world, Settings { latency_ms: 2_000, ..short_callbacks() }).await;
        add_account(&world, second_account(Some(&second))).await;
        let (first, slow) = (default_of(&world, Channel::Whatsapp).await, add_other(&world).await);
        world.people(1, 300).await;
        let behind = launch_from(&world, &slow, "Hello").await;
        world.start();
        // As much of it is claimed as there is room for.
        world.until(behind.id, "in full swing", |run| run.ledger.sending >= 100).await;
        let began = Instant::now();
        let run = launch_from(&world, &first, "Hi").await;
        let run = world.until_completed(run.id).await;
        assert!(began.elapsed() < Duration::from_secs(9), "{:?}: {:?}", world.db.kind(), began.elapsed());
        assert_eq!(handed_over(&run.ledger), 300);
        let slowly = world.run(behind.id).await;
        assert!(slowly.status == RunStatus::Running && slowly.ledger.failed == 0, "{:?}", slowly.ledger);
        world.stop().await;
    }
}

/// What Twilio takes faster than a number may send its segments waits there, and fails when it has waited for too long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_of_two_segments_do_not_pile_up_at_twilio() {
    const RATE: i32 = 20;
    for mut world in worlds(Setup::default()).await {
        let sms = default_of(&world, Channel::Sms).await;
        let rate = SenderPatch { rate_per_second: Some(RATE), ..SenderPatch::default() };
        change(&world, sms.id, rate).await.expect("changed");
        world.people(1, 60).await;
        let run = launch_from(&world, &sms, &"a".repeat(200)).await;
        world.start();
        let run = world.until_completed(run.id).await;
        assert_eq!(handed_over(&run.ledger), 60);
        let mut sent = world.twilio.simulator.control().messages(&simulator::MessageFilter::default());
        sent.reverse();
        let (mut waiting, mut most, mut before) = (0.0_f64, 0.0_f64, None);
        for message in &sent {
            let at: Timestamp = message.created_at.parse().expect("an instant");
            let passed = before.replace(at).map_or(0, |before: Timestamp| at.since(before));
            let gone = f64::from(RATE) * passed as f64 / Timestamp::SECOND as f64;
            waiting = (waiting - gone).max(0.0) + f64::from(message.num_segments);
            most = most.max(waiting);
        }
        assert_eq!((sent.len(), sent[0].num_segments), (60, 2));
        // By messages it would be half of them all.
        assert!(most < 30.0, "{:?}: {most} segments waited", world.db.kind());
        world.stop().await;
    }
}
