//! Status callbacks over real HTTP: what is sent, signed, repeated and retried.

mod common;

use std::time::Duration;

use common::{Hook, Receiver, Twilio, quick, text};
use serde_json::json;
use simulator::{ACCOUNT_SID, AUTH_TOKEN, ErrorRule, NumberRule, Settings, When};

const TO: &str = "+15551234567";
const WHATSAPP: &str = "whatsapp:+15551234567";

fn statuses(hooks: &[Hook]) -> Vec<&str> {
    hooks.iter().map(|hook| hook.get("MessageStatus").unwrap_or_default()).collect()
}

async fn whatsapp(twilio: &Twilio, callback: &str) -> (u16, serde_json::Value) {
    twilio
        .create(&[("To", WHATSAPP), ("From", "whatsapp:+15005550006"), ("Body", "Hi"), ("StatusCallback", callback)])
        .await
}

#[tokio::test]
async fn a_whatsapp_message_is_sent_delivered_and_read() {
    let mut settings = quick();
    settings.callbacks.read_percent = 100.0;
    settings.callbacks.unknown_param = true;
    let (twilio, receiver) = (Twilio::start(settings).await, Receiver::start().await);
    let (_, message) = whatsapp(&twilio, &format!("{}/status?m=1&a=%20x#rc=2&rp=all", receiver.base)).await;
    let hooks = receiver.wait(3).await;
    twilio.idle().await;
    assert_eq!(statuses(&hooks), ["sent", "delivered", "read"]);
    let sid = text(&message, "sid");
    for hook in &hooks {
        assert!(hook.genuine, "{hook:?}");
        assert_eq!(hook.path, "/status?m=1&a=%20x");
        assert_eq!(hook.get("MessageSid"), Some(sid));
        assert_eq!(hook.get("SmsSid"), Some(sid));
        assert_eq!(hook.get("SmsStatus"), hook.get("MessageStatus"));
        assert_eq!(hook.get("AccountSid"), Some(ACCOUNT_SID));
        assert_eq!(hook.get("To"), Some(WHATSAPP));
        assert_eq!(hook.get("From"), Some("whatsapp:+15005550006"));
        assert_eq!(hook.get("ChannelPrefix"), Some("whatsapp"));
        assert_eq!(hook.get("ChannelToAddress"), Some("+1555123XXXX"));
        assert_eq!(hook.get("ApiVersion"), Some("2010-04-01"));
        assert_eq!(hook.get("NewParameterWithoutNotice"), Some("ünknown & 1+1=2"));
        assert_eq!(hook.header("user-agent"), "TwilioProxy/1.1");
        assert_eq!(hook.header("content-type"), "application/x-www-form-urlencoded");
        assert_eq!(hook.header("x-home-region"), "us1");
        assert_eq!(hook.header("i-twilio-idempotency-token").len(), 36);
    }
    assert_eq!(hooks[0].get("EventType"), None);
    assert_eq!(hooks[0].get("StructuredMessage"), Some("false"));
    assert_eq!(hooks[1].get("EventType"), Some("DELIVERED"));
    assert_eq!(hooks[2].get("EventType"), Some("READ"));
    assert_ne!(hooks[0].header("i-twilio-idempotency-token"), hooks[1].header("i-twilio-idempotency-token"));
    assert_eq!(twilio.fetch(sid).await["status"], "read");
    let stats = twilio.running.control().stats();
    assert_eq!((stats.callbacks_sent, stats.callbacks_failed, stats.callbacks_pending), (3, 0, 0));
    twilio.running.shutdown().await;
}

#[tokio::test]
async fn an_sms_through_a_messaging_service() {
    let (twilio, receiver) = (Twilio::start(quick()).await, Receiver::start().await);
    let service = "MG00000000000000000000000000000001";
    let callback = format!("{}/status", receiver.base);
    let (_, message) = twilio
        .create(&[("To", TO), ("MessagingServiceSid", service), ("Body", "Hi"), ("StatusCallback", &callback)])
        .await;
    assert_eq!(
        (text(&message, "status"), &message["from"], text(&message, "num_segments")),
        ("accepted", &json!(null), "0")
    );
    let hooks = receiver.wait(3).await;
    assert_eq!(statuses(&hooks), ["queued", "sent", "delivered"]);
    assert!(hooks.iter().all(|hook| hook.genuine
        && hook.get("MessagingServiceSid") == Some(service)
        && hook.get("ChannelPrefix").is_none()));
    assert_eq!(hooks[1].get("From"), Some("+15005550006"));
    assert_eq!(hooks[2].get("RawDlrDoneDate").map(str::len), Some(10));
    twilio.idle().await;
    let later = twilio.fetch(text(&message, "sid")).await;
    assert_eq!((text(&later, "from"), text(&later, "num_segments")), ("+15005550006", "1"));
}

#[tokio::test]
async fn failures_before_and_after_sent() {
    let settings = Settings {
        errors: vec![
            ErrorRule::new("*0001", 30007, When::BeforeSent),
            ErrorRule::new("*0002", 63024, When::AfterSent),
            ErrorRule::new("*0003", 21614, When::Create),
        ],
        magic_numbers: false,
        ..quick()
    };
    let (twilio, receiver) = (Twilio::start(settings).await, Receiver::start().await);
    let callback = format!("{}/status", receiver.base);
    let (_, first) = twilio.sms("+15551230001", &callback).await;
    let hooks = receiver.wait(1).await;
    assert_eq!(statuses(&hooks), ["failed"]);
    assert_eq!(hooks[0].get("ErrorCode"), Some("30007"));
    assert!(hooks[0].genuine);
    twilio.idle().await;
    let fetched = twilio.fetch(text(&first, "sid")).await;
    assert_eq!((text(&fetched, "status"), &fetched["error_code"]), ("failed", &json!(30007)));
    assert!(fetched["error_message"].is_string());

    twilio
        .create(&[
            ("To", "whatsapp:+15551230002"),
            ("From", "whatsapp:+15005550006"),
            ("Body", "Hi"),
            ("StatusCallback", &callback),
        ])
        .await;
    let hooks = receiver.wait(3).await;
    assert_eq!(statuses(&hooks[1..]), ["sent", "undelivered"]);
    assert_eq!(hooks[2].get("EventType"), Some("UNDELIVERED"));
    assert!(hooks[2].get("ChannelStatusMessage").is_some_and(|text| text.contains("131026")));
    assert_eq!(twilio.sms("+15551230003", &callback).await.1["code"], json!(21614));
}

#[tokio::test]
async fn repeated_reordered_early_stuck_and_silent_callbacks() {
    let receiver = Receiver::start().await;
    let callback = format!("{}/status", receiver.base);
    let twilio = Twilio::start(quick()).await;
    let control = twilio.running.control().clone();

    control.patch_settings(&json!({"callbacks": {"duplicate_percent": 100}})).expect("valid");
    twilio.sms(TO, &callback).await;
    let hooks = receiver.wait(4).await;
    assert_eq!(statuses(&hooks), ["sent", "sent", "delivered", "delivered"]);
    assert_eq!(hooks[0].header("i-twilio-idempotency-token"), hooks[1].header("i-twilio-idempotency-token"));
    assert_eq!(control.stats().callbacks_duplicated, 2);

    control.patch_settings(&json!({"callbacks": {"duplicate_percent": 0, "reorder_percent": 100}})).expect("valid");
    let (_, message) = twilio.sms(TO, &callback).await;
    assert_eq!(statuses(&receiver.wait(6).await[4..]), ["delivered", "sent"]);
    twilio.idle().await;
    assert_eq!(twilio.fetch(text(&message, "sid")).await["status"], "delivered");

    control
        .patch_settings(
            &json!({"callbacks": {"reorder_percent": 0, "callback_before_answer_percent": 100, "delay_ms": 300}}),
        )
        .expect("valid");
    twilio.sms(TO, &callback).await;
    let so_far = receiver.hooks();
    assert_eq!(statuses(&so_far[6..]), ["sent"]);
    receiver.wait(8).await;

    control
        .patch_settings(
            &json!({"callbacks": {"callback_before_answer_percent": 0, "delay_ms": 5, "stuck_at_sent_percent": 100}}),
        )
        .expect("valid");
    twilio.sms(TO, &callback).await;
    twilio.idle().await;
    assert_eq!(statuses(&receiver.hooks()[8..]), ["sent"]);

    control
        .patch_settings(&json!({"callbacks": {"stuck_at_sent_percent": 0, "no_callbacks_percent": 100}}))
        .expect("valid");
    let (_, message) = twilio.sms(TO, &callback).await;
    twilio.idle().await;
    assert_eq!(receiver.hooks().len(), 9);
    assert_eq!(twilio.fetch(text(&message, "sid")).await["status"], "delivered");
}

#[tokio::test]
async fn numbers_with_lives_of_their_own() {
    let statuses_of = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    let rule =
        NumberRule { number: "*77".into(), fault: None, statuses: statuses_of(&["read", "teleported", "delivered"]) };
    let (twilio, receiver) =
        (Twilio::start(Settings { numbers: vec![rule], ..quick() }).await, Receiver::start().await);
    twilio.sms("+15551234577", &format!("{}/status", receiver.base)).await;
    assert_eq!(statuses(&receiver.wait(3).await), ["read", "teleported", "delivered"]);
}

#[tokio::test]
async fn retries_follow_the_fragment() {
    let (twilio, receiver) = (Twilio::start(quick()).await, Receiver::start().await);
    let stats = || twilio.running.control().stats();
    receiver.answer("/status", 503, "");
    twilio.running.control().patch_settings(&json!({"callbacks": {"statuses": ["sent"]}})).expect("valid");
    // The default: a 5xx is lost.
    twilio.sms(TO, &format!("{}/status", receiver.base)).await;
    twilio.idle().await;
    assert_eq!(
        (receiver.hooks().len(), stats().callbacks_failed, stats().debugger.get(&11217).copied()),
        (1, 1, Some(1))
    );
    // As asked for: four attempts, one token.
    twilio.sms(TO, &format!("{}/status#rc=3&rp=ct,5xx", receiver.base)).await;
    twilio.idle().await;
    let hooks = receiver.hooks();
    assert_eq!((hooks.len(), stats().callbacks_retried), (5, 3));
    assert!(hooks[1..].iter().all(|hook| hook.genuine
        && hook.header("i-twilio-idempotency-token") == hooks[1].header("i-twilio-idempotency-token")));
    // A receiver that does not answer in time.
    receiver.answer("/slow", 599, "");
    let started = std::time::Instant::now();
    twilio.sms(TO, &format!("{}/slow#rt=200", receiver.base)).await;
    twilio.idle().await;
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(stats().debugger.get(&11205).copied(), Some(1));
    // Nobody listens: one retry by default.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound");
    twilio.sms(TO, &format!("http://{closed}/status")).await;
    twilio.idle().await;
    assert_eq!((stats().callbacks_retried, stats().debugger.get(&11205).copied()), (4, Some(2)));
    // A policy nobody knows.
    receiver.answer("/status", 200, "");
    twilio.sms(TO, &format!("{}/status#rp=never", receiver.base)).await;
    twilio.idle().await;
    assert_eq!(stats().debugger.get(&11243).copied(), Some(1));
    assert_eq!(stats().callbacks_sent, 1);
}

#[tokio::test]
async fn scheduled_messages_wait_or_are_canceled() {
    let (twilio, receiver) =
        (Twilio::start(Settings { min_schedule_seconds: 0, ..quick() }).await, Receiver::start().await);
    let callback = format!("{}/status", receiver.base);
    #[expect(clippy::disallowed_methods, reason = "the simulator lives in real time")]
    let at = |seconds: u64| {
        let now = std::time::SystemTime::now() + Duration::from_secs(seconds);
        jiff::Timestamp::try_from(now).expect("a time").to_string()
    };
    let schedule = async |when: String| {
        let form = [
            ("To", TO),
            ("MessagingServiceSid", "MG00000000000000000000000000000001"),
            ("Body", "Later"),
            ("ScheduleType", "fixed"),
            ("SendAt", &when),
            ("StatusCallback", &callback),
        ];
        let (status, message) = twilio.create(&form).await;
        assert_eq!((status, text(&message, "status")), (201, "scheduled"));
        message
    };
    let canceled = schedule(at(3600)).await;
    let url = twilio.url(text(&canceled, "uri"));
    let answer = twilio
        .http
        .post(url)
        .basic_auth(ACCOUNT_SID, Some(AUTH_TOKEN))
        .form(&[("Status", "canceled")])
        .send()
        .await
        .expect("an answer");
    let shown: serde_json::Value = answer.json().await.expect("JSON");
    assert_eq!((text(&shown, "status"), &shown["date_sent"]), ("canceled", &json!(null)));
    assert_eq!(statuses(&receiver.wait(1).await), ["canceled"]);
    schedule(at(1)).await;
    assert_eq!(statuses(&receiver.wait(4).await[1..]), ["queued", "sent", "delivered"]);
}

#[tokio::test]
async fn the_window_and_the_portfolio() {
    let settings = Settings { enforce_whatsapp_window: true, portfolio_limit: Some(1), ..quick() };
    let (twilio, receiver) = (Twilio::start(settings).await, Receiver::start().await);
    let control = twilio.running.control().clone();
    control.patch_settings(&json!({"inbound_url": format!("{}/in", receiver.base)})).expect("valid");
    let end = async |to: &str, content: &str| {
        let mut form = vec![("To", to), ("From", "whatsapp:+15005550006")];
        form.push(if content.is_empty() { ("Body", "free") } else { ("ContentSid", content) });
        let (_, message) = twilio.create(&form).await;
        twilio.idle().await;
        let later = twilio.fetch(text(&message, "sid")).await;
        (text(&later, "status").to_owned(), later["error_code"].as_u64())
    };
    let approved = "HX51170000000000000000000000000001";
    let paused = "HX51170000000000000000000000000007";
    assert_eq!(end(WHATSAPP, "").await, ("undelivered".into(), Some(63016)));
    assert_eq!(end(WHATSAPP, paused).await, ("undelivered".into(), Some(63041)));
    assert_eq!(end(WHATSAPP, approved).await, ("delivered".into(), None));
    assert_eq!(end("whatsapp:+15551234568", approved).await, ("undelivered".into(), Some(63018)));
    let inbound = simulator::Inbound {
        from: WHATSAPP.into(),
        to: Some("+15005550006".into()),
        body: Some("Hello".into()),
        ..Default::default()
    };
    assert_eq!(control.inbound(inbound).await.expect("answered").status, Some(204));
    assert_eq!(end(WHATSAPP, "").await, ("delivered".into(), None));
}
