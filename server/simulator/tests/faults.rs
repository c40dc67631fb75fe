//! Creates that go wrong, limits, and the control API over real HTTP.

mod common;

use std::time::{Duration, Instant};

use common::{Receiver, Twilio, quick, text};
use reqwest::Method;
use serde_json::{Value, json};
use simulator::{ACCOUNT_SID, Fault, Inbound, NumberRule, OptOut, SENDER, Settings};

const TO: &str = "+15551234567";
const WHATSAPP: &str = "whatsapp:+15551234567";

fn form(to: &str) -> [(&str, &str); 3] {
    [("To", to), ("From", SENDER), ("Body", "Hi")]
}

#[tokio::test]
async fn every_fault_and_what_it_leaves_behind() {
    let rules = [
        ("*1", Fault::LostAnswer),
        ("*2", Fault::Timeout),
        ("*3", Fault::Error500),
        ("*4", Fault::Error500Accepted),
        ("*5", Fault::Error502),
        ("*6", Fault::Error502Accepted),
        ("*7", Fault::AcceptedLate),
        ("*8", Fault::Error400),
    ];
    let numbers = rules
        .iter()
        .map(|(number, fault)| NumberRule { number: (*number).into(), fault: Some(*fault), statuses: None })
        .collect();
    let twilio = Twilio::start(Settings { numbers, timeout_ms: 300, accepted_late_ms: 300, ..quick() }).await;
    let exists = |to: &str| twilio.running.control().conversation(to).len();

    let lost = twilio.post(&form("+15550000001")).await.expect_err("no answer");
    assert!(!lost.is_connect() && !lost.is_timeout(), "{lost:?}");
    assert_eq!(exists("+15550000001"), 1);

    let started = Instant::now();
    assert_eq!(twilio.sms("+15550000002", "").await.0, 201);
    assert!(started.elapsed() >= Duration::from_millis(300));

    for (to, accepted) in [("+15550000003", 0), ("+15550000004", 1)] {
        let (status, body) = twilio.sms(to, "").await;
        assert_eq!((status, &body["code"], exists(to)), (500, &json!(20500), accepted));
    }
    for (to, status, accepted) in [("+15550000005", 502, 0), ("+15550000006", 502, 1), ("+15550000008", 400, 0)] {
        let answer = twilio.post(&form(to)).await.expect("an answer");
        assert_eq!((answer.status().as_u16(), exists(to)), (status, accepted));
        assert!(answer.text().await.expect("a body").starts_with("<html>"));
    }
    let late = twilio.post(&form("+15550000007")).await.expect_err("no answer");
    assert!(!late.is_connect() && !late.is_timeout(), "{late:?}");
    assert_eq!(exists("+15550000007"), 0);
    assert!(twilio.running.control().idle(Duration::from_secs(10)).await);
    assert_eq!(exists("+15550000007"), 1, "whoever waits for the end waits for what is accepted late");
    let stats = twilio.running.control().stats();
    assert_eq!(stats.accepted, 5);
    assert_eq!(stats.faults.values().sum::<u64>(), 8);
    twilio.running.shutdown().await;
}

#[tokio::test]
async fn percentages_are_chances_that_repeat_with_the_seed() {
    let twilio = Twilio::start(Settings { lost_answer_percent: 30.0, error_500_percent: 20.0, ..quick() }).await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let mut run = Vec::new();
        for _ in 0..60 {
            run.push(twilio.post(&form(TO)).await.map(|answer| answer.status().as_u16()).unwrap_or(0));
        }
        runs.push(run);
        twilio.running.control().reset();
    }
    assert_eq!(runs[0], runs[1]);
    let count = |status: u16| runs[0].iter().filter(|other| **other == status).count();
    assert!((6..32).contains(&count(0)) && (3..25).contains(&count(500)) && count(201) > 10, "{:?}", runs[0]);
}

#[tokio::test]
async fn rates_and_concurrency_are_limited() {
    let twilio = Twilio::start(Settings { max_per_second: Some(5), ..quick() }).await;
    let send = async || {
        let answer = twilio.post(&form(TO)).await.expect("an answer");
        let retry_after =
            answer.headers().get("retry-after").map(|value| value.to_str().unwrap_or_default().to_owned());
        (answer.status().as_u16(), retry_after, answer.json::<Value>().await.expect("JSON")["code"].as_u64())
    };
    for _ in 0..5 {
        assert_eq!(send().await.0, 201);
    }
    assert_eq!(send().await, (429, None, Some(20429)));
    twilio.running.control().patch_settings(&json!({"retry_after_seconds": 1})).expect("valid");
    assert_eq!(send().await, (429, Some("1".into()), Some(20429)));
    tokio::time::sleep(Duration::from_millis(1050)).await;
    assert_eq!(send().await.0, 201);
    assert_eq!(twilio.running.control().stats().accepted, 6);

    twilio
        .running
        .control()
        .patch_settings(&json!({"max_per_second": null, "max_concurrent": 2, "latency_ms": 200}))
        .expect("valid");
    let all = futures::future::join_all((0..6).map(|_| send())).await;
    assert_eq!(all.iter().filter(|(status, ..)| *status == 201).count(), 2, "{all:?}");
    assert!(all.iter().any(|(status, _, code)| *status == 429 && *code == Some(20429)));
    assert_eq!(twilio.running.control().stats().in_flight, 0);
}

#[tokio::test]
async fn inbound_messages_are_signed_and_answered() {
    let receiver = Receiver::start().await;
    let twilio = Twilio::start(Settings { inbound_url: Some(format!("{}/in", receiver.base)), ..quick() }).await;
    let (_, sent) =
        twilio.create(&[("To", WHATSAPP), ("From", "whatsapp:+15005550006"), ("Body", "Do you want it?")]).await;
    receiver.answer(
        "/in",
        200,
        "<?xml version=\"1.0\"?><Response><Message statusCallback=\"/status\">Tom &amp; Zoë 😀</Message></Response>",
    );
    let tap = json!({"from": WHATSAPP, "button_payload": "YES_1", "button_text": "Yes", "profile_name": "Zoë 😀", "extra": {"Forwarded": "true"}});
    let (status, answer) = twilio.json(Method::POST, "/control/inbound", tap).await;
    assert_eq!((status, &answer["status"], &answer["error_code"]), (200, &json!(200), &Value::Null));
    assert!(text(&answer, "answer").contains("<Response>"));
    let hooks = receiver.wait(3).await;
    let hook = &hooks[0];
    assert!(hook.genuine, "{hook:?}");
    for (name, value) in [
        ("MessageSid", text(&answer, "sid")),
        ("SmsMessageSid", text(&answer, "sid")),
        ("From", WHATSAPP),
        ("To", "whatsapp:+15005550006"),
        ("Body", "Yes"),
        ("ButtonPayload", "YES_1"),
        ("ButtonText", "Yes"),
        ("ProfileName", "Zoë 😀"),
        ("WaId", "15551234567"),
        ("NumMedia", "0"),
        ("Forwarded", "true"),
        ("SmsStatus", "received"),
        ("AccountSid", ACCOUNT_SID),
        ("OriginalRepliedMessageSid", text(&sent, "sid")),
    ] {
        assert_eq!(hook.get(name), Some(value), "{name}");
    }
    assert_eq!(hooks[1].get("MessageStatus"), Some("sent"));
    assert!(hooks[1].genuine && hooks[1].path == "/status");
    let reply = twilio.fetch(answer["replies"][0].as_str().expect("a reply")).await;
    assert_eq!(
        (text(&reply, "direction"), text(&reply, "body"), text(&reply, "to")),
        ("outbound-reply", "Tom & Zoë 😀", WHATSAPP)
    );

    let (_, talk) = twilio.get("/control/conversation?phone=+15551234567").await;
    let directions: Vec<_> =
        talk.as_array().expect("an array").iter().map(|message| text(message, "direction")).collect();
    assert_eq!(directions, ["outbound-api", "inbound", "outbound-reply"]);
    let stats = twilio.running.control().stats();
    assert_eq!((stats.accepted, stats.inbound, stats.replies), (1, 1, 1));
}

#[tokio::test]
async fn inbound_answers_that_are_wrong() {
    let receiver = Receiver::start().await;
    let twilio = Twilio::start(quick()).await;
    let control = twilio.running.control().clone();
    let sms =
        || Inbound { from: TO.into(), body: Some("  hi + you  ".into()), num_media: Some(2), ..Inbound::default() };
    assert_eq!(twilio.json(Method::POST, "/control/inbound", json!({"from": TO})).await.0, 409);
    assert_eq!(twilio.json(Method::POST, "/control/inbound", json!({"from": TO, "odd": 1})).await.0, 422);
    control.patch_settings(&json!({"inbound_url": format!("{}/in", receiver.base)})).expect("valid");
    for (status, body, error) in [
        (200, "<Response>", Some(12100)),
        (200, "<Response><Dial/></Response>", Some(14110)),
        (500, "", Some(11217)),
        (202, "", None),
    ] {
        receiver.answer("/in", status, body);
        let answer = control.inbound(sms()).await.expect("a result");
        assert_eq!((answer.status, answer.error_code, answer.replies.len()), (Some(status), error, 0), "{body}");
    }
    let hooks = receiver.hooks();
    assert!(hooks.iter().all(|hook| hook.genuine));
    assert_eq!(hooks[0].get("Body"), Some("  hi + you  "));
    assert!(hooks[0].get("MediaUrl1").is_some() && hooks[0].get("MediaUrl2").is_none());
    // What came without a webhook has its files in a list.
    let (account, sid) = (hooks[0].get("AccountSid").expect("named"), hooks[0].get("MessageSid").expect("named"));
    let (status, list) = twilio.get(&format!("/2010-04-01/Accounts/{account}/Messages/{sid}/Media.json")).await;
    let files = list["media_list"].as_array().expect("an array");
    assert_eq!((status, files.len(), &list["next_page_uri"]), (200, 2, &Value::Null));
    assert_eq!(files[1]["content_type"], json!("image/jpeg"));
    assert!(hooks[0].get("MediaUrl1").is_some_and(|url| url.ends_with(text(&files[1], "sid"))));
    assert_eq!(hooks[0].get("FromCountry"), Some("US"));
    assert_eq!(hooks[0].get("WaId"), None);
    // A redirect to another document.
    receiver.answer("/in", 200, "<Response><Redirect>/other</Redirect></Response>");
    receiver.answer("/other", 200, "<Response><Message><Body>There</Body></Message></Response>");
    let answer = control.inbound(sms()).await.expect("a result");
    assert_eq!((answer.replies.len(), answer.attempts), (1, 2));
}

#[tokio::test]
async fn twilios_own_opt_out() {
    let receiver = Receiver::start().await;
    let inbound_url = Some(format!("{}/in", receiver.base));
    let twilio = Twilio::start(Settings { opt_out: OptOut::Default, inbound_url, ..quick() }).await;
    let control = twilio.running.control().clone();
    let say = async |from: &str, body: &str| {
        control
            .inbound(Inbound { from: from.into(), body: Some(body.into()), ..Inbound::default() })
            .await
            .expect("a result")
    };
    say(TO, "stop").await;
    assert_eq!(control.conversation(TO).len(), 2);
    assert_eq!(twilio.sms(TO, "").await.1["code"], json!(21610));
    say(TO, "Start").await;
    assert_eq!(twilio.sms(TO, "").await.0, 201);
    assert!(receiver.hooks().iter().all(|hook| hook.get("OptOutType").is_none()));

    control.patch_settings(&json!({"opt_out": "advanced"})).expect("valid");
    say(WHATSAPP, "STOP").await;
    assert_eq!(receiver.hooks().last().and_then(|hook| hook.get("OptOutType")), Some("STOP"));
    let (status, message) = twilio.create(&[("To", WHATSAPP), ("From", "whatsapp:+15005550006"), ("Body", "Hi")]).await;
    assert_eq!(status, 201);
    twilio.idle().await;
    assert_eq!(twilio.fetch(text(&message, "sid")).await["error_code"], json!(21610));
}

#[tokio::test]
async fn control_counts_changes_and_resets() {
    let receiver = Receiver::start().await;
    let twilio = Twilio::start(quick()).await;
    let callback = format!("{}/status", receiver.base);
    for to in [TO, TO, "+15551234568"] {
        twilio.sms(to, &callback).await;
    }
    assert_eq!(twilio.get("/control/idle?timeout_ms=5000").await.1, json!({"idle": true}));
    assert_eq!(twilio.get("/control/recipients").await.1, json!({"+15551234567": 2, "+15551234568": 1}));
    assert_eq!(twilio.get("/control/recipients?min=2").await.1, json!({"+15551234567": 2}));
    let (_, stats) = twilio.get("/control/stats").await;
    for (name, value) in [
        ("accepted", 3),
        ("unique_recipients", 2),
        ("recipients_more_than_once", 1),
        ("callbacks_sent", 6),
        ("callbacks_failed", 0),
        ("in_flight", 0),
    ] {
        assert_eq!(stats[name], json!(value), "{name}");
    }
    assert_eq!(stats["by_status"], json!({"delivered": 3}));
    let (_, newest) = twilio.get("/control/messages?limit=2").await;
    assert_eq!(newest.as_array().map(Vec::len), Some(2));
    assert_eq!(text(&newest[0], "to"), "+15551234568");
    assert!(text(&newest[0], "created_at").ends_with('Z'));
    assert_eq!(twilio.get("/control/messages?limt=2").await.0, 422);

    let (status, settings) = twilio
        .json(Method::PATCH, "/control/settings", json!({"callbacks": {"read_percent": 50}, "max_messages": 1}))
        .await;
    assert_eq!((status, &settings["callbacks"]["read_percent"]), (200, &json!(50.0)));
    assert_eq!(twilio.get("/control/messages").await.1.as_array().map(Vec::len), Some(1));
    assert_eq!(twilio.json(Method::PATCH, "/control/settings", json!({"callbacks": {"typo": 1}})).await.0, 422);
    assert_eq!(twilio.get("/control/settings").await.1["max_messages"], json!(1));

    let old = text(&newest[0], "sid").to_owned();
    assert_eq!(twilio.json(Method::POST, "/control/reset?settings=true", json!({})).await.0, 204);
    let (_, stats) = twilio.get("/control/stats").await;
    assert_eq!(
        (&stats["accepted"], &stats["unique_recipients"], &stats["stored"], &stats["callbacks_pending"]),
        (&json!(0), &json!(0), &json!(0), &json!(0))
    );
    assert_eq!(twilio.get("/control/settings").await.1["max_messages"], json!(500_000));
    assert_eq!(twilio.fetch(&old).await["code"], json!(20404));
    assert_eq!(twilio.sms(TO, "").await.0, 201);
    assert_eq!(twilio.get("/no/such/path").await.1["code"], json!(20404));
}

#[tokio::test]
async fn a_reset_ends_what_is_pending() {
    let receiver = Receiver::start().await;
    let twilio = Twilio::start(quick()).await;
    twilio.running.control().patch_settings(&json!({"callbacks": {"delay_ms": 150}})).expect("valid");
    twilio.sms(TO, &format!("{}/status", receiver.base)).await;
    twilio.running.control().reset();
    twilio.idle().await;
    assert!(receiver.hooks().is_empty());
}

#[tokio::test]
async fn a_router_can_be_mounted_and_dropping_it_stops_it() {
    let simulator = simulator::Simulator::new(quick()).expect("starts");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("bound");
    let router = simulator.router();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let answer = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client")
        .get(format!("http://{addr}/control/stats"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200);
    server.abort();
    let twilio = Twilio::start(quick()).await;
    let url = twilio.url("/control/stats");
    let addr = twilio.running.addr();
    drop(twilio);
    for _ in 0..100 {
        if tokio::net::TcpStream::connect(addr).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{url} still answers");
}
