//! Double opt-in from the file to the YES, through the simulator.

use domain::actor::Actor;
use serde_json::{Value, json};
use simulator::Inbound;

use crate::support::{TestServer, answer, servers, until};

const FILE: &str = "phone,consent\n+14155550101,\n+14155550102,yes\n+14155550103,no\n";

async fn import(server: &TestServer) {
    let upload = server.api("POST", "/imports?topic=club").header("content-type", "text/csv").body(FILE);
    let import = answer(upload).await.assert_status(202).json();
    until(async || {
        let import = server.get(&format!("/imports/{}", import["id"].as_str().expect("an id"))).await.json();
        if import["status"] == "done" { Ok(()) } else { Err(import.to_string()) }
    })
    .await;
}

async fn contact(server: &TestServer, last: char) -> (Value, Value) {
    let contact = server.get(&format!("/contacts/+1415555010{last}")).await.assert_status(200).json();
    (contact["consent"].clone(), contact["topics"].clone())
}

#[tokio::test]
async fn a_file_asks_and_campaigns_wait_for_the_yes() {
    for server in servers().await {
        let club = json!({"key": "club", "name": "The Club", "double_opt_in": true});
        server.send("POST", "/topics", &club).await.assert_status(201);
        import(&server).await;
        // Twice is asked once.
        import(&server).await;
        for last in ['1', '2'] {
            until(async || {
                let said = server.simulator.conversation(&format!("+1415555010{last}"));
                let asked = said.iter().filter(|message| message.body.contains("Reply YES to confirm")).count();
                if asked == 1 { Ok(()) } else { Err(format!("{asked} questions")) }
            })
            .await;
        }
        assert!(server.simulator.conversation("+14155550103").is_empty(), "who said no is not asked");
        assert_eq!(contact(&server, '1').await, (json!("pending"), json!([])));
        assert_eq!(contact(&server, '2').await, (json!("opted_in"), json!([])));
        let session = server.log_in().await;
        for page in ["/contacts/+14155550101", "/contacts/+14155550101/consent-proof"] {
            let shown = answer(server.request("GET", page).header("cookie", &session)).await.assert_status(200).body;
            assert!(shown.contains("Asked about") && !shown.contains("Unsubscribed from"), "{page}");
        }
        let waiting = server.get("/opt-ins").await.assert_status(200).json();
        assert_eq!(waiting["items"].as_array().map(Vec::len), Some(2), "{waiting}");

        let everybody = json!({"name": "All", "definition": {"combinator": "and", "rules": []}});
        let segment = server.send("POST", "/segments", &everybody).await.assert_status(201).json();
        let template = json!({"name": "Hello", "variants": {"en": {"body": "News of the club"}}});
        let template = server.send("POST", "/templates", &template).await.assert_status(201).json();
        let campaign = |name: &str| json!({"name": name, "topic": "club", "segment_id": segment["id"], "template_id": template["id"]});
        let skipped = run(&server, &campaign("Too early")).await;
        assert_eq!(skipped["skipped_by_reason"]["no_consent"], 1, "{skipped}");
        assert_eq!(skipped["skipped_by_reason"]["not_subscribed"], 1, "{skipped}");
        assert_eq!(skipped["ledger"]["delivered"], 0, "{skipped}");

        let yes =
            Inbound { from: "whatsapp:+14155550101".to_owned(), body: Some("Yes".to_owned()), ..Inbound::default() };
        assert_eq!(server.simulator.inbound(yes).await.expect("it is reached").status, Some(200));
        assert_eq!(contact(&server, '1').await, (json!("opted_in"), json!(["club"])));
        let run = run(&server, &campaign("Now")).await;
        assert_eq!(run["ledger"]["delivered"], 1, "{run}");
        let confirmed = server.get("/opt-ins?state=confirmed").await.assert_status(200).json();
        assert_eq!(confirmed["items"][0]["phone"], "+14155550101", "{confirmed}");
        server.get("/opt-ins?state=maybe").await.assert_status(422);
        let replay = server.engine.replay(&Actor::command_line(), false).await.expect("a replay");
        assert_eq!(replay.differences, Vec::<String>::new());
        server.stop().await;
    }
}

async fn run(server: &TestServer, campaign: &Value) -> Value {
    let campaign = server.send("POST", "/campaigns", campaign).await.assert_status(201).json();
    let launch = format!("/campaigns/{}/launch", campaign["id"].as_str().expect("an id"));
    let run = server.act(&launch).await.assert_status(202).json();
    until(async || {
        let run = server.get(&format!("/runs/{}", run["id"].as_str().expect("an id"))).await.json();
        let ledger = &run["ledger"];
        let sum = ledger["skipped"].as_i64().unwrap_or(0) + ledger["delivered"].as_i64().unwrap_or(0);
        if run["status"] == "completed" && ledger["planned"] == sum { Ok(run) } else { Err(run.to_string()) }
    })
    .await
}
