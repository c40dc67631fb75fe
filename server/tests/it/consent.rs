//! Opt-ins and opt-outs as a report tells them, and doubts that nobody has looked at.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use simulator::Inbound;

use crate::support::{TestServer, answer, servers, until};

const ANN: &str = "+14155550101";
const BEN: &str = "+14155550102";

async fn says(server: &TestServer, phone: &str, words: &str) {
    let inbound = Inbound { from: format!("whatsapp:{phone}"), body: Some(words.to_owned()), ..Inbound::default() };
    let answer = server.simulator.inbound(inbound).await.expect("the webhook is reached");
    assert_eq!(answer.status, Some(200), "{answer:?}");
}

/// How many in all, by source and wish.
async fn report(server: &TestServer, query: &str) -> BTreeMap<String, i64> {
    let report = server.get(&format!("/reports/consent{query}")).await.assert_status(200).json();
    let mut counts = BTreeMap::new();
    for item in report["items"].as_array().expect("items") {
        let text = |name: &str| item[name].as_str().unwrap_or_else(|| panic!("{name} of {item}"));
        assert_eq!(text("day").len(), "2026-12-01".len(), "{item}");
        let key = format!("{} {}", text("source"), text("consent"));
        *counts.entry(key).or_default() += item["count"].as_i64().expect("a count");
    }
    counts
}

#[tokio::test]
async fn the_report_counts_who_changed_their_mind_by_source() {
    for server in servers().await {
        for phone in [ANN, BEN] {
            let new = json!({"phone": phone, "consent": "opted_in"});
            server.send("POST", "/contacts", &new).await.assert_status(201);
        }
        let set = async |phone: &str, consent: &str| {
            let change = json!({"consent": consent, "source": "form", "evidence": "signed"});
            server.send("PUT", &format!("/contacts/{phone}/consent"), &change).await.assert_status(200)
        };
        set(ANN, "opted_in").await;
        set(ANN, "opted_in").await;
        says(&server, ANN, "STOP").await;
        set(BEN, "opted_out").await;
        // They were out already.
        says(&server, BEN, "STOP").await;
        let counted = |counts: &[(&str, i64)]| {
            counts.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect::<BTreeMap<_, _>>()
        };
        let so_far = [("api opted_in", 2), ("api opted_out", 1), ("keyword opted_out", 1)];
        assert_eq!(report(&server, "").await, counted(&so_far));
        says(&server, ANN, "START").await;
        let now = [so_far[0], so_far[1], ("keyword opted_in", 1), so_far[2]];
        // Two days, in case midnight passes.
        for query in ["?days=2", "?days=366"] {
            assert_eq!(report(&server, query).await, counted(&now));
        }
        for query in ["?days=0", "?days=367", "?days=-1", "?days=all", "?since=2026-12-01"] {
            server.get(&format!("/reports/consent{query}")).await.assert_status(422);
        }
        server.stop().await;
    }
}

async fn page(server: &TestServer, session: &str) -> String {
    answer(server.request("GET", "/compliance").header("cookie", session)).await.assert_status(200).body
}

#[tokio::test]
async fn a_doubt_that_nobody_has_looked_at_for_two_days_is_warned_of() {
    const WARNING: &str = "waits for more than two days";
    for server in servers().await {
        says(&server, ANN, "please cancel my order, and what is this spam").await;
        let session = server.log_in().await;
        let young = page(&server, &session).await;
        assert!(young.contains("Not an opt-out") && !young.contains(WARNING), "{young}");
        server.tamper("UPDATE consent_reviews SET created_at = created_at - 49 * CAST(3600000000 AS bigint)").await;
        let old = page(&server, &session).await;
        assert!(old.contains(WARNING), "{old}");
        until(async || {
            let metrics = answer(server.request("GET", "/metrics")).await.assert_status(200).body;
            let line = metrics.lines().find_map(|line| line.strip_prefix("consent_reviews_oldest_seconds "));
            let seconds: f64 = line.and_then(|value| value.parse().ok()).unwrap_or_default();
            if seconds > 48.0 * 3_600.0 { Ok(()) } else { Err(format!("{seconds} seconds")) }
        })
        .await;
        let reviews: Value = server.get("/consent-reviews").await.assert_status(200).json();
        let id = reviews["items"][0]["id"].as_str().expect("an id").to_owned();
        let decided = json!({"decision": "kept"});
        server.send("POST", &format!("/consent-reviews/{id}/decide"), &decided).await.assert_status(204);
        assert!(!page(&server, &session).await.contains(WARNING), "somebody has decided");
        server.stop().await;
    }
}

#[tokio::test]
async fn decisions_are_listed_with_who_made_them() {
    const WORDS: &str = "please cancel my order";
    for server in servers().await {
        for (phone, decision) in [(ANN, "kept"), (BEN, "opted_out")] {
            says(&server, phone, WORDS).await;
            let waiting = server.get("/consent-reviews").await.assert_status(200).json();
            let id = waiting["items"][0]["id"].as_str().expect("an id").to_owned();
            assert_eq!(waiting["items"][0]["phone"], phone);
            let change = json!({"decision": decision});
            server.send("POST", &format!("/consent-reviews/{id}/decide"), &change).await.assert_status(204);
        }
        let first = server.get("/consent-reviews/decided?limit=1").await.assert_status(200).json();
        let cursor = first["next_cursor"].as_str().expect("one more");
        let path = format!("/consent-reviews/decided?limit=1&cursor={cursor}");
        let second = server.get(&path).await.assert_status(200).json();
        assert_eq!(second["next_cursor"], Value::Null);
        for (page, phone, decision) in [(&first, BEN, "opted_out"), (&second, ANN, "kept")] {
            let one = &page["items"][0];
            assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{page}");
            assert_eq!((&one["phone"], &one["decision"]), (&json!(phone), &json!(decision)), "{one}");
            assert_eq!((&one["words"], &one["by"]), (&json!(WORDS), &json!({"kind": "api_key", "name": "tests"})));
            assert!(one["at"].is_string() && one["id"].is_string(), "{one}");
        }
        for query in ["limit=0", "limit=1001", "cursor=none", "decision=kept"] {
            server.get(&format!("/consent-reviews/decided?{query}")).await.assert_status(422);
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn opt_outs_are_listed_with_their_source_and_topic() {
    for server in servers().await {
        server.send("POST", "/topics", &json!({"key": "offers", "name": "Offers"})).await.assert_status(201);
        for phone in [ANN, BEN] {
            let new = json!({"phone": phone, "consent": "opted_in"});
            server.send("POST", "/contacts", &new).await.assert_status(201);
        }
        says(&server, ANN, "SUBSCRIBE offers").await;
        says(&server, ANN, "UNSUBSCRIBE offers").await;
        says(&server, BEN, "STOP").await;
        let change = json!({"consent": "opted_out", "source": "phone call"});
        server.send("PUT", &format!("/contacts/{ANN}/consent"), &change).await.assert_status(200);
        let mut found = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = server.get(&format!("/opt-outs?limit=2{cursor}")).await.assert_status(200).json();
            found.extend(page["items"].as_array().expect("items").clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let told: Vec<_> = found.iter().map(|line| (&line["phone"], &line["topic"], &line["source"])).collect();
        let (ann, ben, everything, offers) = (json!(ANN), json!(BEN), json!(null), json!("offers"));
        let (api, keyword) = (json!("api"), json!("keyword"));
        let wanted = vec![(&ann, &everything, &api), (&ben, &everything, &keyword), (&ann, &offers, &keyword)];
        assert_eq!(told, wanted);
        assert!(found[1]["reference"].as_str().is_some_and(|sid| sid.starts_with("SM")), "{}", found[1]);
        server.get("/opt-outs?cursor=none").await.assert_status(422);
        server.stop().await;
    }
}
