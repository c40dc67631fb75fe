//! Twilio's side: what is refused before anything is stored, and what is stored once. (What a good webhook does is told in
//! `journey`.)

use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use reqwest::RequestBuilder;
use simulator::{ACCOUNT_SID, AUTH_TOKEN, signature};

use crate::support::{Answer, TestServer, answer, server};

const STATUS: &str = "/webhooks/twilio/status?m=1&a=1";
const INBOUND: &str = "/webhooks/twilio/inbound";
const SID: &str = "SM00000000000000000000000000000001";

/// Has the shape of a signature, and is none.
const FORGED: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM=";

/// A form signed as Twilio signs it.
fn signed(server: &TestServer, path: &str, form: &[(&str, &str)]) -> RequestBuilder {
    let mut form = form.to_vec();
    form.push(("AccountSid", ACCOUNT_SID));
    let signature = signature::sign(&format!("{}{path}", server.url), &form, AUTH_TOKEN);
    server.request("POST", path).form(&form).header(signature::HEADER, signature)
}

/// A body that is no form, its hash signed with the address.
fn signed_body(server: &TestServer, content_type: &str, body: &str) -> RequestBuilder {
    let path = format!("{STATUS}&bodySHA256={}", signature::body_sha256(body.as_bytes()));
    let none: [(&str, &str); 0] = [];
    let signature = signature::sign(&format!("{}{path}", server.url), &none, AUTH_TOKEN);
    let request = server.request("POST", &path).header("content-type", content_type).body(body.to_owned());
    request.header(signature::HEADER, signature)
}

async fn stored(server: &TestServer) -> Vec<serde_json::Value> {
    let stored = server.get("/webhook-events").await.assert_status(200).json();
    stored["items"].as_array().cloned().expect("a list")
}

#[tokio::test]
async fn webhooks_without_a_right_signature_are_refused() {
    let server = server().await;
    for path in [STATUS, INBOUND] {
        let form = [("MessageSid", SID), ("From", "+14155550142"), ("Body", "STOP"), ("AccountSid", ACCOUNT_SID)];
        let unsigned = answer(server.request("POST", path).form(&form)).await.assert_status(403);
        assert_eq!(unsigned.header("content-type"), "application/problem+json");
        let right = signature::sign(&format!("{}{path}", server.url), &form, AUTH_TOKEN);
        let (half, cut) = (&right[..right.len() / 2], &right[..right.len() - 1]);
        let longer = format!("{right}{right}");
        for wrong in ["", "bm90IHRoaXMgb25l", FORGED, "not a signature at all, ok?=", half, cut, &longer] {
            let signed = server.request("POST", path).form(&form).header(signature::HEADER, wrong);
            answer(signed).await.assert_status(403);
        }
        answer(server.request("GET", path)).await.assert_status(405);
    }
    assert!(stored(&server).await.is_empty());
}

#[tokio::test]
async fn webhooks_that_are_too_large_or_no_form_are_refused() {
    let server = server().await;
    let large = server.request("POST", INBOUND).form(&[("Body", "x".repeat(70_000))]);
    answer(large.header(signature::HEADER, FORGED)).await.assert_status(413);
    for content_type in ["text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonp"] {
        let refused: Answer = answer(signed_body(&server, content_type, "MessageSid=SM1")).await.assert_status(400);
        assert!(refused.body.contains("form"), "{refused:?}");
    }
    let json = server.request("POST", INBOUND).json(&serde_json::json!({"Body": "STOP"}));
    answer(json.header(signature::HEADER, FORGED)).await.assert_status(403);
    assert!(stored(&server).await.is_empty(), "none of it is kept");
    let metrics = answer(server.request("GET", "/metrics")).await.assert_status(200).body;
    let is_counted = |line: &str| line.starts_with("webhooks_refused_total") && line.contains("not_a_form");
    assert!(metrics.lines().any(is_counted), "but counted");
}

#[tokio::test]
async fn signed_nonsense_is_kept_raw() {
    let server = server().await;
    answer(signed(&server, STATUS, &[("Odd", "a&b=c")])).await.assert_status(204);
    answer(signed(&server, INBOUND, &[("MessageSid", SID)])).await.assert_status(200);
    answer(signed_body(&server, "application/json", r#"{"MessageSid": "SM1"}"#)).await.assert_status(204);
    let stored = stored(&server).await;
    let reasons: Vec<_> = stored.iter().map(|event| (&event["outcome"], &event["reason"])).collect();
    assert!(stored.iter().all(|event| event["outcome"] == "unprocessable"), "{reasons:?}");
    let reasons: Vec<_> = stored.iter().filter_map(|event| event["reason"].as_str()).collect();
    assert_eq!(reasons, ["not_a_form", "no_sender", "no_message_sid"]);
}

/// Addresses are typed into Twilio's console by hand. None may end at the login, which Twilio takes for an answer.
#[tokio::test]
async fn a_slash_behind_the_address_changes_nothing_and_other_addresses_are_not_found() {
    let server = server().await;
    let stop =
        [("MessageSid", SID), ("From", "whatsapp:+14155550142"), ("To", "whatsapp:+14155238886"), ("Body", "STOP")];
    answer(signed(&server, "/webhooks/twilio/inbound/", &stop)).await.assert_status(200);
    let sent = [("MessageSid", SID), ("MessageStatus", "sent")];
    answer(signed(&server, "/webhooks/twilio/status/?m=1&a=1", &sent)).await.assert_status(204);
    let kinds: Vec<_> = stored(&server).await.iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["status", "inbound"]);
    let stopped = server.get("/contacts/+14155550142").await.assert_status(200).json();
    assert_eq!(stopped["consent"], "opted_out");
    // Signed with another address than it was sent to.
    let elsewhere = signature::sign(&format!("{}{INBOUND}", server.url), &stop, AUTH_TOKEN);
    let forged = server.request("POST", "/webhooks/twilio/inbound/").form(&stop).header(signature::HEADER, elsewhere);
    answer(forged).await.assert_status(403);
    for path in ["/webhooks", "/webhooks/", "/webhooks/twilio", "/webhooks/twilio/inbound/x", "/webhooks//x"] {
        for method in ["GET", "POST"] {
            let unknown = answer(server.request(method, path)).await.assert_status(404);
            assert_eq!(unknown.header("content-type"), "application/problem+json", "{method} {path}");
        }
    }
}

/// Twilio repeats a webhook with the same token.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_tries_of_one_callback_are_stored_once() {
    let server = server().await;
    let form = [("MessageSid", SID), ("MessageStatus", "delivered")];
    let again =
        |token: &'static str| answer(signed(&server, STATUS, &form).header("I-Twilio-Idempotency-Token", token));
    let answers: Vec<Answer> = stream::iter(0..1_000).map(|_| again("first")).buffer_unordered(64).collect().await;
    assert!(answers.iter().all(|answer| answer.status == 204));
    assert_eq!(stored(&server).await.len(), 1);
    again("second").await.assert_status(204);
    assert_eq!(stored(&server).await.len(), 2, "another webhook that says the same");
    let other = [("MessageSid", SID), ("MessageStatus", "read")];
    answer(signed(&server, STATUS, &other).header("I-Twilio-Idempotency-Token", "first")).await.assert_status(204);
    assert_eq!(stored(&server).await.len(), 3, "a token hides no other form");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_unsigned_webhooks_does_not_slow_signed_ones() {
    let server = server().await;
    // As much as is read of any, and all of it is hashed.
    let large = format!("AccountSid={ACCOUNT_SID}&Body={}", "x".repeat(65_000));
    let flood = async {
        let bad = |number: u32| {
            let request = server.request("POST", INBOUND);
            let account = format!("AC{number:032x}");
            let small = [("AccountSid", &*account), ("Body", "x")];
            answer(match number % 3 {
                0 => request.form(&small),
                1 => request.form(&small).header(signature::HEADER, FORGED),
                _ => request
                    .header("content-type", "application/x-www-form-urlencoded")
                    .header(signature::HEADER, FORGED)
                    .body(large.clone()),
            })
        };
        let answers = stream::iter(0..3_000).map(bad).buffer_unordered(64);
        answers.all(|answer| async move { answer.status == 403 }).await
    };
    let signed = async {
        let mut times = Vec::new();
        for number in 0..50 {
            let sid = format!("SM{number:032x}");
            let form = [("MessageSid", &*sid), ("MessageStatus", "delivered")];
            let started = Instant::now();
            answer(signed(&server, STATUS, &form)).await.assert_status(204);
            times.push(started.elapsed());
        }
        times.sort_unstable();
        times
    };
    let (refused, times) = tokio::join!(flood, signed);
    assert!(refused, "nothing of the flood was taken");
    // The slowest of a few tells of what else this machine does.
    assert!(times[25] < Duration::from_millis(500), "half of the signed ones took {:?} and more", times[25]);
    assert!(times[49] < Duration::from_secs(5), "a signed one took {:?}", times[49]);
    assert_eq!(stored(&server).await.len(), 50);
}
