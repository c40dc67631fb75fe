//! Twilio's side: what is refused before anything is stored. (What a good webhook does is told in `journey`.)

use crate::support::{answer, server};

#[tokio::test]
async fn webhooks_without_a_right_signature_are_refused() {
    let server = server().await;
    for path in ["/webhooks/twilio/status?m=1&a=1", "/webhooks/twilio/inbound"] {
        let form = [("MessageSid", "SM00000000000000000000000000000001"), ("From", "+14155550142"), ("Body", "STOP")];
        let unsigned = answer(server.request("POST", path).form(&form)).await.assert_status(403);
        assert_eq!(unsigned.header("content-type"), "application/problem+json");
        let signed = server.request("POST", path).form(&form).header("X-Twilio-Signature", "bm90IHRoaXMgb25l");
        answer(signed).await.assert_status(403);
        answer(server.request("GET", path)).await.assert_status(405);
    }
    let stored = server.get("/webhook-events").await.assert_status(200).json();
    assert_eq!(stored["items"].as_array().map(Vec::len), Some(0));
}

#[tokio::test]
async fn webhooks_that_are_too_large_or_no_form_are_refused() {
    let server = server().await;
    let large = server.request("POST", "/webhooks/twilio/inbound").form(&[("Body", "x".repeat(70_000))]);
    answer(large).await.assert_status(413);
    let json = server.request("POST", "/webhooks/twilio/inbound").json(&serde_json::json!({"Body": "STOP"}));
    let json = answer(json.header("X-Twilio-Signature", "bm90IHRoaXMgb25l")).await;
    assert!([400, 403].contains(&json.status.as_u16()), "{json:?}");
}
