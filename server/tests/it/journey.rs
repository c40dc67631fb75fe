//! The whole way: a file comes in, a campaign goes out, somebody says STOP.

use serde_json::{Value, json};
use simulator::Inbound;

use crate::support::{Answer, TestServer, answer, servers, until};

const PEOPLE: &str = "phone,first_name,city,consent\n\
                      +14155550101,Ann,Colombo,yes\n\
                      +14155550102,Ben,Colombo,yes\n\
                      +14155550103,Cem,Kandy,yes\n\
                      +14155550104,Dan,Colombo,no\n\
                      somewhere,Eve,Colombo,yes\n";

fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn from_the_file_to_the_stop() {
    for server in servers().await {
        server.send("POST", "/topics", &json!({"key": "offers", "name": "Offers"})).await.assert_status(201);
        import(&server).await;
        let (segment, template) = prepare(&server).await;
        let campaign = create(&server, "First", &segment, &template).await;
        let run = launch(&server, &campaign).await;
        let done = settled(&server, &run, 2).await;
        assert_eq!(done["ledger"]["planned"], 3, "{done}");
        assert_eq!(skipped_for_their_wish(&done), 1, "{done}");
        messages(&server, &run).await;
        answer(server.api("POST", &format!("/campaigns/{campaign}/launch"))).await.assert_status(409);

        stop(&server, "+14155550101").await;
        let second = create(&server, "Second", &segment, &template).await;
        let run = launch(&server, &second).await;
        let done = settled(&server, &run, 1).await;
        assert_eq!(skipped_for_their_wish(&done), 2, "{done}");
        assert_eq!(server.simulator.recipients(1).get("+14155550101"), Some(&1), "not written to again");
        trail(&server).await;
        server.stop().await;
    }
}

#[tokio::test]
async fn a_scheduled_campaign_starts_by_itself() {
    for server in servers().await {
        server.send("POST", "/topics", &json!({"key": "offers", "name": "Offers"})).await.assert_status(201);
        import(&server).await;
        let (segment, template) = prepare(&server).await;
        let campaign = create(&server, "Soon", &segment, &template).await;
        let path = format!("/campaigns/{campaign}");
        server.act(&format!("{path}/schedule")).await.assert_status(409);
        for (trigger, field) in [
            (json!({"type": "once", "at": "2020-01-01T09:00:00Z"}), "trigger.at"),
            (json!({"type": "once", "at": "2020-01-01T09:00:00Z", "local": true}), "trigger.at"),
            (json!({"type": "cron", "expression": "0 9 30 2 *"}), "trigger.expression"),
            (json!({"type": "cron", "expression": "0 9 * * *", "timezone": "Mars/Olympus"}), "trigger.timezone"),
        ] {
            let wrong = server.send("PATCH", &path, &json!({"trigger": trigger})).await.assert_status(422);
            assert_eq!(wrong.fields(), [field], "{trigger}");
        }
        let unknown = json!({"trigger": {"type": "cron", "expression": "0 9 * * *", "colour": "red"}});
        server.send("PATCH", &path, &unknown).await.assert_status(422);
        let weekly = json!({"trigger": {"type": "cron", "expression": "0 9 * * MON"}});
        let stored = server.send("PATCH", &path, &weekly).await.assert_status(200).json();
        assert_eq!(stored["trigger"]["timezone"], "UTC", "{stored}");
        let soon = time::OffsetDateTime::now_utc() + time::Duration::seconds(2);
        let soon = soon.format(&time::format_description::well_known::Rfc3339).expect("a time");
        server.send("PATCH", &path, &json!({"trigger": {"type": "once", "at": soon}})).await.assert_status(200);
        let schedule = || answer(server.api("POST", &format!("{path}/schedule")).header("Idempotency-Key", "soon"));
        let armed = schedule().await.assert_status(200).json();
        assert_eq!((&armed["status"], armed["next_run_at"].is_string()), (&json!("scheduled"), true), "{armed}");
        assert_eq!(schedule().await.assert_status(200).json(), armed, "the first answer again");
        server.act(&format!("{path}/schedule")).await.assert_status(409);
        let run = until(async || {
            let runs = server.get(&format!("{path}/runs")).await.assert_status(200).json();
            runs["items"][0]["id"].as_str().map(str::to_owned).ok_or(runs.to_string())
        })
        .await;
        settled(&server, &run, 2).await;
        let done = server.get(&path).await.assert_status(200).json();
        assert_eq!((&done["last_due"]["outcome"], &done["next_run_at"]), (&json!("launched"), &Value::Null), "{done}");
        server.stop().await;
    }
}

async fn import(server: &TestServer) {
    let upload = server.api("POST", "/imports?topic=offers").header("content-type", "text/csv").body(PEOPLE);
    let id = id(&answer(upload).await.assert_status(202));
    let report = until(async || {
        let import = server.get(&format!("/imports/{id}")).await.json();
        if import["status"] == "done" { Ok(import) } else { Err(import.to_string()) }
    })
    .await;
    assert_eq!(
        (&report["rows"], &report["created"], &report["rejected"]),
        (&json!(5), &json!(4), &json!(1)),
        "{report}"
    );
    let rejects = server.get(&format!("/imports/{id}/rejects.csv")).await.assert_status(200);
    assert!(rejects.header("content-type").starts_with("text/csv") && rejects.body.contains("invalid_phone"));
}

async fn prepare(server: &TestServer) -> (String, String) {
    let rules = json!([{"field": "attributes.city", "operator": "=", "value": "Colombo"}]);
    let definition = json!({"combinator": "and", "rules": rules});
    let preview = server.send("POST", "/segments/preview", &json!({"definition": definition})).await.assert_status(200);
    assert_eq!(preview.json()["count"], 3);
    let segment = server
        .send("POST", "/segments", &json!({"name": "Colombo", "definition": definition}))
        .await
        .assert_status(201);
    let body = json!({"name": "Hello", "variants": {"en": {"body": "Hi {{ first_name }}, 20 % off today."}}});
    let template = server.send("POST", "/templates", &body).await.assert_status(201);
    let preview = json!({"channel": "whatsapp", "body": "Hi {{ first_name }}", "phone": "+14155550101"});
    let preview = server.send("POST", "/templates/preview", &preview).await.assert_status(200);
    assert_eq!(preview.json()["text"], "Hi Ann", "{}", preview.body);
    (id(&segment), id(&template))
}

async fn create(server: &TestServer, name: &str, segment: &str, template: &str) -> String {
    let body = json!({"name": name, "topic": "offers", "segment_id": segment, "template_id": template});
    let campaign = server.send("POST", "/campaigns", &body).await.assert_status(201);
    assert_eq!(campaign.json()["status"], "draft");
    id(&campaign)
}

async fn launch(server: &TestServer, campaign: &str) -> String {
    id(&server.act(&format!("/campaigns/{campaign}/launch")).await.assert_status(202))
}

/// The run once it is completed and so many are delivered; its ledger balances at every look.
async fn settled(server: &TestServer, run: &str, delivered: i64) -> Value {
    until(async || {
        let run = server.get(&format!("/runs/{run}")).await.assert_status(200).json();
        let ledger = run["ledger"].as_object().expect("a ledger").clone();
        let sum: i64 =
            ledger.iter().filter(|(name, _)| *name != "planned").filter_map(|(_, count)| count.as_i64()).sum();
        assert_eq!(ledger["planned"].as_i64(), Some(sum), "{run}");
        if run["status"] == "completed" && ledger["delivered"] == delivered { Ok(run) } else { Err(run.to_string()) }
    })
    .await
}

/// How many were left out because they said no; nobody was for another reason.
fn skipped_for_their_wish(run: &Value) -> i64 {
    let reasons = run["skipped_by_reason"].as_object().expect("reasons");
    assert!(reasons.keys().all(|reason| ["opted_out", "suppressed"].contains(&reason.as_str())), "{run}");
    let sum = reasons.values().filter_map(Value::as_i64).sum();
    assert_eq!(run["ledger"]["skipped"], sum, "{run}");
    sum
}

async fn messages(server: &TestServer, run: &str) {
    let delivered = server.get(&format!("/runs/{run}/messages?state=delivered")).await.assert_status(200).json();
    let items = delivered["items"].as_array().expect("items");
    assert_eq!(items.len(), 2, "{delivered}");
    assert!(items.iter().any(|message| message["body"] == "Hi Ann, 20 % off today."), "{delivered}");
    let one =
        server.get(&format!("/messages/{}", items[0]["id"].as_str().expect("an id"))).await.assert_status(200).json();
    let last = one["history"].as_array().and_then(|history| history.last()).expect("a history");
    assert_eq!((&last["state"], &last["by"]), (&json!("delivered"), &json!("callback")), "{one}");
    assert_eq!(one["decisions"][0]["outcome"], "send", "{one}");
    let export = server.get(&format!("/runs/{run}/export.csv")).await.assert_status(200);
    assert_eq!(export.body.lines().count(), 4, "{}", export.body);
}

async fn stop(server: &TestServer, phone: &str) {
    let inbound = Inbound { from: format!("whatsapp:{phone}"), body: Some("Stop.".to_owned()), ..Inbound::default() };
    let answer = server.simulator.inbound(inbound).await.expect("the webhook is reached");
    assert_eq!(answer.status, Some(200), "{answer:?}");
    let contact = server.get(&format!("/contacts/{phone}")).await.assert_status(200).json();
    assert_eq!((&contact["consent"], &contact["suppressed"]), (&json!("opted_out"), &json!(true)), "{contact}");
    let inbound = server.get(&format!("/inbound?phone={phone}")).await.assert_status(200).json();
    assert_eq!(inbound["items"][0]["keyword"], "stop", "{inbound}");
    let lift = json!({"consent": "opted_in", "source": "form", "evidence": "said so on the phone"});
    server.send("PUT", &format!("/contacts/{phone}/consent"), &lift).await.assert_status(409);
}

/// What happened can be read afterwards.
async fn trail(server: &TestServer) {
    let events = server.get("/webhook-events?limit=1").await.assert_status(200).json();
    let event = events["items"][0]["id"].as_str().expect("an event").to_owned();
    let event = server.get(&format!("/webhook-events/{event}")).await.assert_status(200).json();
    assert!(event["raw"].as_str().is_some_and(|raw| raw.contains("Sid=")), "{event}");
    let audit = server.get("/audit").await.assert_status(200).json();
    let actions: Vec<&str> =
        audit["items"].as_array().into_iter().flatten().filter_map(|entry| entry["action"].as_str()).collect();
    assert!(actions.iter().any(|action| action.contains("launch")), "{actions:?}");
}
