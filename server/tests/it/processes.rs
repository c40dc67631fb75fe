//! Who is at work and what waits: by the API, on the page, and in the metrics.

use serde_json::{Value, json};

use crate::support::{Answer, TestServer, answer, servers, until};

/// The server's own process, once it has said that it is there.
async fn process(server: &TestServer) -> Value {
    until(async || {
        let list = server.get("/processes").await.assert_status(200).json();
        match list["items"].as_array().and_then(|items| items.first()) {
            Some(process) => Ok(process.clone()),
            None => Err(list.to_string()),
        }
    })
    .await
}

async fn page(server: &TestServer, session: &str) -> Answer {
    answer(server.request("GET", "/settings/processes").header("cookie", session)).await.assert_status(200)
}

#[tokio::test]
async fn the_api_lists_who_is_at_work_and_what_waits() {
    for server in servers().await {
        let process = process(&server).await;
        assert_eq!((&process["role"], &process["state"]), (&json!("all"), &json!("alive")), "{process}");
        assert_eq!(process["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(process["pid"], std::process::id());
        assert!(process["figures"]["claimed"].is_i64() && process["figures"]["pace"]["all"].is_f64(), "{process}");

        let waiting = async || server.get("/waiting").await.assert_status(200).json()["items"].clone();
        assert_eq!(waiting().await, json!([]));
        let hold = json!({"sending": {"state": "held", "reason": "a test"}});
        server.send("PATCH", "/settings", &hold).await.assert_status(200);
        let message = json!({"phone": "+14155550142", "body": "Hello"});
        server.send("POST", "/messages", &message).await.assert_status(202);
        let held = waiting().await;
        assert_eq!((&held[0]["what"], &held[0]["count"]), (&json!("held"), &json!(1)), "{held}");
        assert!(held[0]["oldest_at"].is_string() && held[0]["reason"].is_null(), "{held}");
        server.get("/waiting?what=held").await.assert_status(422);
        server.stop().await;
    }
}

#[tokio::test]
async fn the_page_shows_them_without_scripts() {
    for server in servers().await {
        let process = process(&server).await;
        let session = server.log_in().await;
        let quiet = page(&server, &session).await.body;
        let name = format!("{} · {}", process["host"].as_str().expect("a host"), std::process::id());
        assert!(quiet.contains(&name), "{quiet}");
        assert!(quiet.contains("Nothing: every message has its final status."), "{quiet}");
        assert!(!quiet.contains("vanished without stopping") && !quiet.contains("No process sends"), "{quiet}");
        assert!(!quiet.contains(" style="), "the policy refuses inline styles");

        let hold = json!({"sending": {"state": "held", "reason": "a test"}});
        server.send("PATCH", "/settings", &hold).await.assert_status(200);
        let message = json!({"phone": "+14155550142", "body": "Hello"});
        server.send("POST", "/messages", &message).await.assert_status(202);
        let busy = page(&server, &session).await.body;
        assert!(
            busy.contains("Messages: all sending is held") && busy.contains("Somebody releases sending."),
            "{busy}"
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn operators_are_told_what_to_be_warned_of() {
    for server in servers().await {
        let wanted = [
            "processes_alive{role=\"all\"}",
            "processes_alive{role=\"worker\"}",
            "processes_vanished",
            "messages_claimed",
            "messages_in_flight",
            "waiting{what=\"due\"}",
            "waiting{what=\"sending\"}",
            "waiting{what=\"unknown\"}",
            "waiting_oldest_seconds{what=\"due\"}",
            "waiting_oldest_seconds{what=\"sending\"}",
            "waiting_oldest_seconds{what=\"unknown\"}",
            "consent_reviews_oldest_seconds",
            "db_statements_total",
            "db_transactions_total",
        ];
        until(async || {
            let metrics = answer(server.request("GET", "/metrics")).await.assert_status(200).body;
            let told = |name: &&str| metrics.lines().any(|line| line.starts_with(&format!("{name} ")));
            let missing: Vec<_> = wanted.iter().filter(|name| !told(name)).collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?} are missing")) }
        })
        .await;
        server.stop().await;
    }
}
