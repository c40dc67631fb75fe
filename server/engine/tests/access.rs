//! Who may come in: accounts, passwords, API keys; and the settings that only admins change.

mod support;

use domain::{
    account::AccountPatch,
    actor::{ActorKind, KeyedRequest},
    page::PageRequest,
    role::Role,
    settings::{Sending, SendingState, SettingsPatch},
    time::Timestamp,
    topic::NewTopic,
};
use engine::{Actor, Engine, Error, secrets::KeyRing};
use store::{
    Kind,
    idempotency::{Answer, Begun},
    sessions::Session,
};
use support::{Bench, START, bench, config};

const ADA: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery";

/// Benches of both kinds; nothing here needs the webhook writer.
async fn idle_benches() -> Vec<Bench> {
    let mut benches = Vec::new();
    for test in testkit::databases().await {
        benches.push(bench(test).await);
    }
    benches
}

/// What was done, newest first, but for the first sender that every engine makes.
async fn actions(bench: &Bench) -> Vec<String> {
    let page = bench.engine.audit().list(&bench.admin, &PageRequest::default()).await.unwrap();
    page.items.into_iter().filter(|entry| entry.entity != "sender").map(|entry| entry.action).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_admin_is_made_once() {
    for bench in idle_benches().await {
        let accounts = bench.engine.accounts();
        let (email, password) = accounts.ensure_first_admin(None, None).await.unwrap().unwrap();
        let account = accounts.log_in(&email, &password.unwrap(), "::1").await.unwrap();
        assert_eq!((account.role, account.password_is_temporary), (Role::Admin, true));
        assert_eq!(accounts.ensure_first_admin(Some(ADA), Some(PASSWORD)).await.unwrap(), None);
        let patch = AccountPatch { disabled: Some(true), ..AccountPatch::default() };
        let last = accounts.update(&bench.admin, account.id, patch).await;
        assert!(matches!(last, Err(Error::Conflict(_))), "the last admin stays");
        assert_eq!(accounts.get(account.id).await.unwrap().email, email);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_every_session() {
    for bench in idle_benches().await {
        let accounts = bench.engine.accounts();
        let (account, one_time) =
            accounts.create(&bench.admin, " Ada@Example.com ", Role::Marketer, None).await.unwrap();
        let one_time = one_time.unwrap();
        let again = accounts.create(&bench.admin, ADA, Role::Viewer, None).await;
        assert!(matches!(again, Err(Error::Conflict(_))));
        let session = Session {
            id: "s1".to_owned(),
            account_id: Some(account.id),
            data: "{}".to_owned(),
            expires_at: START.plus(Timestamp::HOUR),
        };
        store::sessions::create(&bench.db, &session).await.unwrap();
        assert_eq!(store::sessions::load(&bench.db, "s1", START).await.unwrap(), Some(session));
        let ada = Actor::new(ActorKind::Account, account.id.to_string(), account.role);
        let wrong = accounts.change_password(&ada, account.id, "not it at all", PASSWORD).await;
        assert!(matches!(wrong, Err(Error::Invalid(errors)) if errors[0].field == "present"));
        let other = Actor::new(ActorKind::Account, "somebody else", Role::Admin);
        assert!(matches!(
            accounts.change_password(&other, account.id, &one_time, PASSWORD).await,
            Err(Error::Forbidden)
        ));
        accounts.change_password(&ada, account.id, &one_time, PASSWORD).await.unwrap();
        assert_eq!(store::sessions::load(&bench.db, "s1", START).await.unwrap(), None);
        assert!(matches!(accounts.log_in(ADA, &one_time, "::1").await, Err(Error::Unauthenticated)));
        assert!(!accounts.log_in("ADA@example.com", PASSWORD, "::1").await.unwrap().password_is_temporary);
        assert_eq!(actions(&bench).await, ["log_in", "change_password", "create"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slowed_down() {
    for bench in idle_benches().await {
        let accounts = bench.engine.accounts();
        accounts.create(&bench.admin, ADA, Role::Admin, Some(PASSWORD.to_owned())).await.unwrap();
        let guess = || accounts.log_in(ADA, "wrong", "203.0.113.9");
        // In parallel, too, there are no more than five.
        let guesses = futures::future::join_all((0..12).map(|_| guess())).await;
        let taken = guesses.iter().filter(|guess| matches!(guess, Err(Error::Unauthenticated))).count();
        assert_eq!(taken, 5, "{guesses:?}");
        let throttled = accounts.log_in(ADA, PASSWORD, "203.0.113.9").await;
        assert!(matches!(throttled, Err(Error::TooMany { retry_after_seconds: 15 })), "{throttled:?}");
        // From elsewhere the owner still gets in.
        accounts.log_in(ADA, PASSWORD, "198.51.100.1").await.unwrap();
        bench.clock.advance(16 * Timestamp::SECOND);
        accounts.log_in(ADA, PASSWORD, "203.0.113.9").await.unwrap();
        assert!(matches!(guess().await, Err(Error::Unauthenticated)), "success starts the count anew");
        let unknown = accounts.log_in("nobody@example.com", PASSWORD, "203.0.113.9").await;
        assert!(matches!(unknown, Err(Error::Unauthenticated)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_works_until_it_is_revoked() {
    for bench in idle_benches().await {
        let keys = bench.engine.api_keys();
        let key = keys.create(&bench.admin, "shop", Role::Marketer).await.unwrap();
        assert!(key.starts_with("ese_") && key.len() == 4 + 43, "{key}");
        let actor = keys.authenticate(&key).await.unwrap();
        assert_eq!((actor.kind, actor.role), (ActorKind::ApiKey, Role::Marketer));
        for wrong in ["", "ese_", "ese_AAAA", &key[4..], &format!("{key}x")] {
            assert!(matches!(keys.authenticate(wrong).await, Err(Error::Unauthenticated)), "{wrong}");
        }
        let found = bench.number("SELECT COUNT(*) FROM api_keys WHERE name LIKE 'ese_%'").await;
        assert_eq!(found, 0, "the key itself is nowhere");
        let listed = keys.list(&bench.admin).await.unwrap().remove(0);
        assert_eq!(listed.last_used_at, Some(START));
        assert!(matches!(keys.create(&actor, "mine", Role::Admin).await, Err(Error::Forbidden)));
        assert!(matches!(keys.list(&actor).await, Err(Error::Forbidden)));
        keys.revoke(&bench.admin, listed.id).await.unwrap();
        keys.revoke(&bench.admin, listed.id).await.unwrap();
        assert!(matches!(keys.authenticate(&key).await, Err(Error::Unauthenticated)), "at once in this process");
        assert_eq!(actions(&bench).await, ["revoke", "create"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sending_is_held_with_a_reason_and_released() {
    for bench in idle_benches().await {
        let settings = bench.engine.settings();
        let first = settings.get(&bench.admin).await.unwrap();
        assert_eq!((first.version, first.enforce_whatsapp_window), (0, true), "a real account enforces the window");
        let held = Sending { state: SendingState::Held, reason: Some("wrong text".to_owned()) };
        let patch = SettingsPatch { sending: Some(held.clone()), version: Some(0), ..SettingsPatch::default() };
        assert_eq!(settings.update(&bench.admin, patch.clone()).await.unwrap().sending, held);
        let stale = settings.update(&bench.admin, patch.clone()).await;
        assert!(matches!(stale, Err(Error::Stale(_))), "{stale:?}");
        let again = SettingsPatch { version: None, ..patch };
        assert_eq!(settings.update(&bench.admin, again).await.unwrap().version, 1, "nothing changed");
        let patch = SettingsPatch {
            sending: Some(Sending::default()),
            default_timezone: Some("Asia/Colombo".to_owned()),
            ..SettingsPatch::default()
        };
        let now = settings.update(&bench.admin, patch).await.unwrap();
        assert_eq!((now.version, now.default_timezone.as_str()), (2, "Asia/Colombo"));
        assert_eq!(now.sending, Sending::default());
        assert_eq!(actions(&bench).await, ["update", "release_sending", "hold_sending"]);
        let viewer = Actor::new(ActorKind::Account, "v", Role::Viewer);
        assert!(matches!(settings.get(&viewer).await, Err(Error::Forbidden)));
        assert!(matches!(bench.engine.audit().list(&viewer, &PageRequest::default()).await, Err(Error::Forbidden)));
        assert_eq!(settings.default_timezone(&viewer).await.unwrap(), "Asia/Colombo");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_first_settings_do_not_overwrite_each_other() {
    for bench in idle_benches().await {
        let settings = bench.engine.settings();
        let patch = |zone: &str| SettingsPatch {
            default_timezone: Some(zone.to_owned()),
            version: Some(0),
            ..SettingsPatch::default()
        };
        let (one, other) = tokio::join!(
            settings.update(&bench.admin, patch("Asia/Colombo")),
            settings.update(&bench.admin, patch("Europe/Berlin"))
        );
        assert!(one.is_ok() ^ other.is_ok(), "{one:?} {other:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_knows_its_key_and_its_account() {
    for test in testkit::databases().await {
        let key = KeyRing::generate();
        let clock = std::sync::Arc::new(engine::clock::ManualClock::new(START));
        let open = |config| Engine::open(test.db.clone(), config, clock.clone());
        open(config(&test, KeyRing::parse(&key).unwrap())).await.unwrap();
        let other = open(config(&test, KeyRing::parse(&KeyRing::generate()).unwrap())).await;
        assert!(matches!(other, Err(Error::Conflict(text)) if text.contains("ENCRYPTION_KEY")));
        let key = format!("{},{key}", KeyRing::generate());
        let engine = open(config(&test, KeyRing::parse(&key).unwrap())).await.unwrap();
        let (_, former) = key.split_once(',').unwrap();
        let back = open(config(&test, KeyRing::parse(former).unwrap())).await;
        assert!(matches!(back, Err(Error::Conflict(_))), "what the new key sealed could not be read");
        let admin = Actor::command_line();
        assert_eq!(engine.settings().get(&admin).await.unwrap().sending, Sending::default());
        let mut command = config(&test, KeyRing::parse(&key).unwrap());
        command.provider.account_sid = "AC00000000000000000000000000000003".to_owned();
        Engine::open_for(engine::Purpose::Command, test.db.clone(), command, clock.clone()).await.unwrap();
        let again = open(config(&test, KeyRing::parse(&key).unwrap())).await.unwrap();
        assert_eq!(again.settings().get(&admin).await.unwrap().sending, Sending::default(), "a command moves nothing");
        let mut copy = config(&test, KeyRing::parse(&key).unwrap());
        copy.provider.account_sid = "AC00000000000000000000000000000002".to_owned();
        let engine = open(copy.clone()).await.unwrap();
        assert_eq!(engine.settings().get(&admin).await.unwrap().sending.state, SendingState::Held);
        let release = SettingsPatch { sending: Some(Sending::default()), ..SettingsPatch::default() };
        engine.settings().update(&admin, release).await.unwrap();
        let engine = open(copy).await.unwrap();
        assert_eq!(engine.settings().get(&admin).await.unwrap().sending.state, SendingState::On, "asked once");
    }
}

/// Opens the database as a server does, and says why sending is held; releases it then.
async fn held_at_start(test: &testkit::TestDb, config: &engine::config::Config) -> Option<String> {
    let clock = std::sync::Arc::new(engine::clock::ManualClock::new(START));
    let engine = Engine::open(test.db.clone(), config.clone(), clock).await.unwrap();
    let admin = Actor::command_line();
    let sending = engine.settings().get(&admin).await.unwrap().sending;
    let release = SettingsPatch { sending: Some(Sending::default()), ..SettingsPatch::default() };
    engine.settings().update(&admin, release).await.unwrap();
    (sending.state == SendingState::Held).then(|| sending.reason.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_or_copied_database_starts_held() {
    for test in testkit::databases().await {
        let config = config(&test, KeyRing::parse(&KeyRing::generate()).unwrap());
        let set = async |what: &str| {
            let update = format!("UPDATE installation SET {what}");
            store::exec(test.db.writer(), update, vec![]).await.unwrap();
        };
        for _ in 0..4 {
            assert_eq!(held_at_start(&test, &config).await, None, "a new one, and ordinary starts");
        }
        // A backup of the second start is put back.
        set("witness = 2").await;
        let mut simulated = config.clone();
        simulated.provider.simulator = Some("http://127.0.0.1:9".to_owned());
        assert_eq!(held_at_start(&test, &simulated).await, None, "nothing leaves the simulator");
        let reason = held_at_start(&test, &config).await.expect("held");
        assert!(reason.contains("restored from a backup"), "{reason}");
        assert_eq!(held_at_start(&test, &config).await, None, "asked once");
        // The file alone is taken elsewhere; a container begins without one.
        std::fs::remove_file(&config.witness).unwrap();
        let reason = held_at_start(&test, &config).await;
        match test.kind() {
            Kind::Sqlite => assert!(reason.expect("held").contains("may be a copy")),
            Kind::Postgres => {
                assert_eq!(reason, None);
                set("server = '1/1'").await;
                assert!(held_at_start(&test, &config).await.expect("held").contains("may be a copy"));
            }
        }
        assert_eq!(held_at_start(&test, &config).await, None, "asked once");
        // The database of another installation, in the place of this one.
        set("instance_id = (SELECT id FROM senders LIMIT 1)").await;
        assert!(held_at_start(&test, &config).await.expect("held").contains("another one"));
        assert_eq!(held_at_start(&test, &config).await, None, "asked once");
        // One of the version before.
        std::fs::remove_file(&config.witness).unwrap();
        set("witness = 0, server = NULL").await;
        assert_eq!(held_at_start(&test, &config).await, None, "an upgrade");
        // A production database on somebody's own machine.
        let local = engine::config::Config { public_url: "http://127.0.0.1:3000".to_owned(), ..config.clone() };
        assert!(held_at_start(&test, &local).await.expect("held").contains("PUBLIC_URL"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn why_sending_was_held_before_is_still_said() {
    for test in testkit::databases().await {
        let config = config(&test, KeyRing::parse(&KeyRing::generate()).unwrap());
        assert_eq!(held_at_start(&test, &config).await, None);
        let clock = std::sync::Arc::new(engine::clock::ManualClock::new(START));
        let command = Engine::open_for(engine::Purpose::Command, test.db.clone(), config.clone(), clock).await.unwrap();
        let sending = Sending { state: SendingState::Held, reason: Some("Ann looks at it".to_owned()) };
        let hold = SettingsPatch { sending: Some(sending), ..SettingsPatch::default() };
        command.settings().update(&Actor::command_line(), hold).await.unwrap();
        store::exec(test.db.writer(), "UPDATE installation SET witness = 0", vec![]).await.unwrap();
        let reason = held_at_start(&test, &config).await.expect("held");
        assert!(reason.contains("restored from a backup") && reason.ends_with("Ann looks at it"), "{reason}");
    }
}

/// One attempt at the same request.
fn attempt(claim: i64) -> KeyedRequest {
    KeyedRequest { owner: "key".to_owned(), route: "POST /topics".to_owned(), key: "k1".to_owned(), claim }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_carried_out_once() {
    for bench in idle_benches().await {
        let db = bench.db.writer();
        let first = attempt(1);
        let begin = |hash: &'static [u8], now| store::idempotency::begin(db, &first, hash, now);
        assert_eq!(begin(b"a", START).await.unwrap(), Begun::New);
        assert_eq!(begin(b"a", START).await.unwrap(), Begun::InProgress);
        assert_eq!(begin(b"b", START).await.unwrap(), Begun::OtherBody);
        let answer = Answer { status: 202, content_type: Some("application/json".to_owned()), body: b"{}".to_vec() };
        store::idempotency::finish(db, &first, &answer).await.unwrap();
        assert_eq!(begin(b"a", START).await.unwrap(), Begun::Replay(answer.clone()));
        let later = START.plus(store::idempotency::LEASE + 1);
        assert_eq!(begin(b"a", later).await.unwrap(), Begun::Replay(answer.clone()), "an answer is not taken over");
        assert!(store::idempotency::finish(db, &first, &answer).await.is_err(), "the first answer stays");
        let tomorrow = START.plus(store::idempotency::KEPT_FOR + 1);
        assert_eq!(begin(b"b", tomorrow).await.unwrap(), Begun::New, "a day later the key is free again");
        store::idempotency::abandon(db, &first).await.unwrap();
        assert_eq!(begin(b"c", tomorrow).await.unwrap(), Begun::New, "what failed may be tried again");
        assert_eq!(store::idempotency::purge(db, tomorrow.plus(store::idempotency::KEPT_FOR + 1)).await.unwrap(), 1);
    }
}

/// Makes a topic as the actor of this attempt.
async fn make_topic(bench: &Bench, attempt: KeyedRequest, key: &str) -> engine::Result<()> {
    let actor = Actor { keyed: Some(attempt), ..bench.admin.clone() };
    let new = NewTopic { key: key.to_owned(), name: key.to_owned(), ..NewTopic::default() };
    bench.engine.topics().create(&actor, new).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_answer_was_lost_is_not_carried_out_again() {
    for bench in idle_benches().await {
        let requests = bench.engine.idempotency();
        assert_eq!(requests.begin(&attempt(1), b"a").await.unwrap(), Begun::New);
        make_topic(&bench, attempt(1), "offers").await.unwrap();
        // The process dies here, or hears of the commit only that the connection broke: a 503.
        let failed = Answer { status: 503, content_type: None, body: Vec::new() };
        assert_eq!(requests.begin(&attempt(2), b"a").await.unwrap(), Begun::InProgress);
        requests.finish(&attempt(1), &failed).await.unwrap();
        assert_eq!(requests.begin(&attempt(2), b"a").await.unwrap(), Begun::Applied);
        bench.clock.advance(store::idempotency::LEASE + 1);
        assert_eq!(requests.begin(&attempt(2), b"a").await.unwrap(), Begun::Applied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_left_behind_is_taken_over_once() {
    for bench in idle_benches().await {
        let requests = bench.engine.idempotency();
        assert_eq!(requests.begin(&attempt(1), b"a").await.unwrap(), Begun::New);
        bench.clock.advance(store::idempotency::LEASE + 1);
        assert_eq!(requests.begin(&attempt(2), b"b").await.unwrap(), Begun::OtherBody);
        assert_eq!(requests.begin(&attempt(2), b"a").await.unwrap(), Begun::New);
        // The first one was only slow.
        let late = make_topic(&bench, attempt(1), "offers").await;
        assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
        let refused = Answer { status: 409, content_type: None, body: Vec::new() };
        assert!(requests.finish(&attempt(1), &refused).await.is_err(), "its answer is nobody's");
        make_topic(&bench, attempt(2), "offers").await.unwrap();
        assert_eq!(bench.number("SELECT COUNT(*) FROM topics").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_counts_what_happened_today() {
    for bench in idle_benches().await {
        let empty = bench.engine.dashboard().get(&bench.admin).await.unwrap();
        assert_eq!((empty.contacts, empty.today.handed_over, empty.has_segments), (0, 0, false));
        assert!(!empty.simulator && empty.campaigns.is_empty() && empty.imports.is_empty());
        let db = bench.db.writer();
        for (number, started) in [(1_u128, START), (2, START.plus(-2 * Timestamp::DAY))] {
            let id = uuid::Uuid::from_u128(number);
            let insert = "INSERT INTO runs (id, campaign_id, number, due_at, status, template_id, template_version, \
                          definition, sender_id, rules, snapshot_at, actor_kind, actor_id, created_at, started_at, \
                          finished_at) VALUES ($1, $1, 1, $2, 'completed', $1, 1, '{}', $1, '{}', $2, 'worker', 'test', \
                          $2, $2, $2)";
            store::exec(db, insert, vec![id.into(), started.as_micros().into()]).await.unwrap();
            let insert = "INSERT INTO run_ledgers (run_id, planned, sent, delivered, read, failed, skipped) \
                          VALUES ($1, 15, 1, 2, 3, 4, 5)";
            store::exec(db, insert, vec![id.into()]).await.unwrap();
        }
        let today = bench.engine.dashboard().get(&bench.admin).await.unwrap().today;
        assert_eq!((today.handed_over, today.delivered, today.read, today.failed), (10, 5, 3, 4));
    }
}

#[tokio::test]
async fn quiet_hours_change_with_a_reason_and_law_stays_with_a_real_account() {
    let patch = |json: serde_json::Value| serde_json::from_value::<SettingsPatch>(json).unwrap();
    let fields = |refused: engine::Result<domain::settings::Settings>| match refused {
        Err(Error::Invalid(errors)) => errors.into_iter().map(|error| error.field).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    for bench in idle_benches().await {
        let settings = bench.engine.settings();
        let rule = settings.get(&bench.admin).await.unwrap().quiet_hours;
        assert!(rule.enabled && rule.law, "on with a real account");
        assert_eq!((rule.start.to_string(), rule.end.to_string()), ("21:00".to_owned(), "08:00".to_owned()));
        let off = serde_json::json!({ "quiet_hours": { "enabled": false } });
        assert_eq!(fields(settings.update(&bench.admin, patch(off)).await), ["quiet_hours.reason"]);
        let lawless = serde_json::json!({ "quiet_hours": { "law": false, "reason": "I want to" } });
        assert_eq!(fields(settings.update(&bench.admin, patch(lawless)).await), ["quiet_hours.law"]);
        let same = serde_json::json!({ "quiet_hours": { "start": "08:00", "reason": "typo" } });
        assert_eq!(fields(settings.update(&bench.admin, patch(same)).await), ["quiet_hours.end"]);
        let lists = serde_json::json!({
            "holidays": [{ "country": "fr", "date": "2026-02-30", "name": "" }],
            "frequency_caps": [{ "messages": 0, "days": 400, "topic": "nothing" }],
        });
        let expected = [
            "holidays[0].country",
            "holidays[0].date",
            "holidays[0].name",
            "frequency_caps[0].messages",
            "frequency_caps[0].days",
            "frequency_caps[0].topic",
        ];
        assert_eq!(fields(settings.update(&bench.admin, patch(lists)).await), expected);
        let off = serde_json::json!({ "quiet_hours": { "enabled": false, "reason": "an outage must be told" } });
        let changed = settings.update(&bench.admin, patch(off)).await.unwrap();
        assert!(!changed.quiet_hours.enabled && changed.quiet_hours.law);
        let detail = bench.text("SELECT detail FROM audit_log WHERE action = 'change_quiet_hours'").await.unwrap();
        assert!(detail.contains("an outage must be told") && detail.contains("\"enabled\":false"), "{detail}");
    }
}
