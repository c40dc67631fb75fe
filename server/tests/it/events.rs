//! Events over HTTP: taken one a line, told to campaigns, listed with what they came to.

use domain::role::Role;
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, answer, servers, until};

const TYPE: &str = "application/x-ndjson";

async fn take(server: &TestServer, body: String) -> Answer {
    answer(server.api("POST", "/events").header("content-type", TYPE).body(body)).await
}

fn paid(id: &str, phone: &str, total: f64) -> String {
    json!({"id": id, "name": "order.paid", "phone": phone, "data": {"total": total}}).to_string()
}

async fn listening(server: &TestServer) -> String {
    let body = "Thank you for {{ event.total|money('USD') }}";
    let template = json!({"name": "Thanks", "category": "utility", "variants": {"en": {"body": body}}});
    let template = server.send("POST", "/templates", &template).await.assert_status(201).json();
    let trigger = json!({"type": "event", "name": "order.paid", "delay": "soon"});
    let new = json!({"name": "Thanks", "template_id": template["id"], "trigger": trigger});
    let wrong = server.send("POST", "/campaigns", &new).await.assert_status(422);
    assert_eq!(wrong.fields(), ["trigger.delay"]);
    let new =
        json!({"name": "Thanks", "template_id": template["id"], "trigger": {"type": "event", "name": "order.paid"}});
    let campaign = server.send("POST", "/campaigns", &new).await.assert_status(201).json();
    let id = campaign["id"].as_str().expect("an id").to_owned();
    server.act(&format!("/campaigns/{id}/launch")).await.assert_status(409);
    let armed = server.act(&format!("/campaigns/{id}/schedule")).await.assert_status(200).json();
    assert_eq!((&armed["status"], &armed["trigger"]["type"]), (&json!("running"), &json!("event")), "{armed}");
    id
}

#[tokio::test]
async fn from_an_event_to_its_message() {
    for server in servers().await {
        let campaign = listening(&server).await;
        let body = format!("{}\n\n{{}}\n{}", paid("1", "+14155550141", 42.5), paid("2", "+14155550142", 7.0));
        let report = take(&server, body.clone()).await.assert_status(202).json();
        assert_eq!((&report["accepted"], &report["duplicates"]), (&json!(2), &json!(0)), "{report}");
        assert_eq!(report["rejected"][0]["line"], 3, "{report}");
        assert!(report.get("rejected_besides").is_none(), "{report}");
        let again = take(&server, body).await.assert_status(202).json();
        assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(0), &json!(2)), "{again}");
        let messages = until(async || {
            let all = server.get(&format!("/messages?campaign={campaign}")).await.assert_status(200).json();
            let sent = all["items"].as_array().expect("a list").iter().filter(|one| one["body"].is_string()).count();
            if sent == 2 { Ok(all["items"].clone()) } else { Err(all.to_string()) }
        })
        .await;
        let texts: Vec<&Value> = messages.as_array().expect("a list").iter().map(|one| &one["body"]).collect();
        assert!(texts.contains(&&json!("Thank you for $42.50")), "{texts:?}");
        let id = messages[0]["id"].as_str().expect("an id");
        let message = server.get(&format!("/messages/{id}")).await.assert_status(200).json();
        assert_eq!((&message["event"]["name"], &message["event"]["id"]), (&json!("order.paid"), &json!("2")));
        let events = server.get(&format!("/events?campaign={campaign}&limit=1")).await.assert_status(200).json();
        assert_eq!(events["items"][0]["effects"][0]["outcome"], "planned", "{events}");
        assert!(events["next_cursor"].is_string());
        let one = server.get("/events?phone=%2B14155550141").await.assert_status(200).json();
        assert_eq!(one["items"][0]["data"], json!({"total": 42.5}), "{one}");
        let number = one["items"][0]["number"].as_str().expect("a number");
        server.get(&format!("/events/{number}")).await.assert_status(200);
        server.get("/events/999999").await.assert_status(404);
        server.get("/events?colour=red").await.assert_status(422);
        assert_eq!(server.simulator.recipients(2).len(), 0, "nobody twice");
        server.stop().await;
    }
}

#[tokio::test]
async fn why_keeps_its_links_apart() {
    for server in servers().await {
        let campaign = listening(&server).await;
        let body = format!("{}\n{}", paid("1", "+14155550141", 42.5), paid("2", "+14155550141", 7.0));
        take(&server, body).await.assert_status(202);
        until(async || {
            let all = server.get(&format!("/messages?campaign={campaign}")).await.assert_status(200).json();
            if all["items"].as_array().map(Vec::len) == Some(2) { Ok(()) } else { Err(all.to_string()) }
        })
        .await;
        let session = server.log_in().await;
        let path = format!("/campaigns/{campaign}/why?phone=%2B14155550141");
        let page = answer(server.request("GET", &path).header("cookie", &session)).await.assert_status(200).body;
        for (first, second) in
            [("Every decision about the message", "Open the contact"), ("Ask about this run", "Every decision")]
        {
            let rest = page.split_once(first).unwrap_or_else(|| panic!("no {first}: {page}")).1;
            let (between, _) = rest.split_once(second).unwrap_or_else(|| panic!("no {second}: {page}"));
            assert!(between.contains(" · ") && between.matches("<a").count() == 1, "{first}{between}{second}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn bodies_are_limited_and_repeated_safely() {
    for server in servers().await {
        let wrong = answer(server.api("POST", "/events").json(&json!({}))).await.assert_status(415);
        assert!(wrong.body.contains("x-ndjson"), "{}", wrong.body);
        take(&server, "\n".repeat(16 * 1024 * 1024 + 1)).await.assert_status(413);
        let long = format!("{}\n{}", "x".repeat(65 * 1024), paid("long", "+14155550141", 1.0));
        let report = take(&server, long).await.assert_status(202).json();
        assert_eq!((&report["accepted"], &report["rejected"][0]["line"]), (&json!(1), &json!(1)), "{report}");
        // More than other bodies with a key may have.
        let many: Vec<String> = (0..20_000).map(|n| paid(&format!("k{n}"), "+14155550141", 1.0)).collect();
        let keyed = |body: String| {
            let request = server.api("POST", "/events").header("content-type", TYPE).header("Idempotency-Key", "once");
            answer(request.body(body))
        };
        let first = keyed(many.join("\n")).await.assert_status(202);
        assert_eq!(first.json()["accepted"], 20_000);
        let second = keyed(many.join("\n")).await.assert_status(202);
        assert_eq!((second.header("idempotent-replayed"), second.json()), ("true", first.json()));
        keyed(many[1..].join("\n")).await.assert_status(409);
        let viewer = server.key_of(Role::Viewer).await;
        let request = server.request("POST", "/api/v1/events").bearer_auth(viewer).header("content-type", TYPE);
        answer(request.body(paid("v", "+14155550141", 1.0))).await.assert_status(403);
        server.stop().await;
    }
}
