//! Every route of the API, found in its own document: nobody gets in without a key, and no role does what it may not.

use std::collections::{BTreeSet, HashSet};

use domain::role::Role;
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, answer, server};

/// One operation of the document.
struct Operation {
    method: String,
    path: String,
    id: String,
    permission: String,
    has_body: bool,
}

impl Operation {
    /// The path with something in its holes that could be there.
    fn example(&self) -> String {
        let numbered = ["/messages/", "/webhook-events/", "/consent-reviews/", "/events/"];
        let number = numbered.iter().any(|part| self.path.contains(part));
        let id = if number { "1" } else { "01936f4e-0000-7000-8000-000000000000" };
        let sid = format!("AC{}", "0".repeat(32));
        let path = self.path.replace("{phone}", "+14155550142").replace("{key}", "offers").replace("{id}", id);
        let path = path.replace("{sid}", &sid).replace("{code}", "30003").replace("{number}", "1");
        assert!(!path.contains('{'), "{path} has a hole that is new: fill it here");
        path
    }

    async fn ask(&self, server: &TestServer, key: Option<&str>) -> Answer {
        let mut request = server.request(&self.method, &self.example());
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if self.id == "create_import" {
            request = request.header("content-type", "text/csv").body("phone\n+14155550142\n");
        } else if self.id == "ingest_events" {
            let line = r#"{"id":"1","name":"price_drop","phone":"+14155550142"}"#;
            request = request.header("content-type", "application/x-ndjson").body(line);
        } else if self.has_body {
            request = request.json(&body(&self.id));
        }
        answer(request).await
    }
}

/// A body that is right for the operation, so that only the permission decides.
fn body(operation: &str) -> Value {
    match operation {
        "create_contact" => json!({"phone": "+14155550142"}),
        "update_contact" => json!({"attributes": {"city": "Colombo"}}),
        "set_consent" => json!({"consent": "opted_in", "source": "form", "evidence": "signed"}),
        "update_conversation" => json!({"archived": true}),
        "create_topic" => json!({"key": "offers", "name": "Offers"}),
        "update_topic"
        | "update_segment"
        | "update_template"
        | "update_campaign"
        | "update_sender"
        | "update_provider_account" => {
            json!({"name": "Another"})
        }
        "create_sender" => json!({"name": "Second", "channel": "sms", "address": "+15005550009"}),
        "create_provider_account" => {
            json!({"account_sid": format!("AC{}", "1".repeat(32)), "name": "Second", "auth_token": "0123456789abcdef"})
        }
        "create_segment" => json!({"name": "All", "definition": {"combinator": "and", "rules": []}}),
        "preview_segment" => json!({"definition": {"combinator": "and", "rules": []}}),
        "create_template" => json!({"name": "Hello", "variants": {"en": {"body": "Hello"}}}),
        "preview_template" => json!({"body": "Hello"}),
        "set_fallback" => json!({"variable": "first_name", "words": "there"}),
        "create_campaign" => json!({"name": "First"}),
        "override_quiet_hours" => json!({"reason": "The water is not safe."}),
        "set_timezones" => json!({"timezone": "Asia/Colombo"}),
        "leave_out" => json!({"finding": "us_marketing"}),
        "test_campaign" => json!({"phones": ["+14155550142"]}),
        "create_message" => json!({"phone": "+14155550142", "body": "Hello"}),
        "update_error_code" => json!({"meaning": "The carrier has no route."}),
        "add_suppression" => json!({"phone": "+14155550143"}),
        "decide_review" => json!({"decision": "kept"}),
        "update_settings" => json!({"default_timezone": "UTC"}),
        other => panic!("{other} is new: give it a body here"),
    }
}

fn document() -> Value {
    serde_json::to_value(server::api::document()).expect("plain data")
}

fn operations() -> Vec<Operation> {
    let document = document();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            let text = |name: &str| operation[name].as_str().unwrap_or_else(|| panic!("{path}: no {name}")).to_owned();
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                id: text("operationId"),
                permission: text("x-permission"),
                has_body: operation.get("requestBody").is_some(),
            });
        }
    }
    operations
}

#[tokio::test]
async fn nobody_gets_in_without_a_key() {
    let server = server().await;
    let operations = operations();
    assert!(operations.len() > 40);
    for operation in operations {
        for key in [None, Some("ese_wrong"), Some("")] {
            let refused = operation.ask(&server, key).await;
            assert_eq!(refused.status, 401, "{} {}", operation.method, operation.path);
            assert_eq!(refused.header("content-type"), "application/problem+json");
            assert_eq!(refused.header("www-authenticate"), "Bearer");
        }
    }
}

#[tokio::test]
async fn no_role_does_what_it_may_not() {
    let server = server().await;
    let marketer = ["read", "write", "send"];
    for (role, allowed) in [(Role::Viewer, &marketer[..1]), (Role::Marketer, &marketer[..])] {
        let key = server.key_of(role).await;
        for operation in operations() {
            let got = operation.ask(&server, Some(&key)).await;
            let refused = got.status == 403;
            let may = allowed.contains(&operation.permission.as_str());
            assert_eq!(refused, !may, "{role} {} {}: {} {}", operation.method, operation.path, got.status, got.body);
            assert!(got.status.as_u16() < 500, "{role} {} {}: {}", operation.method, operation.path, got.body);
        }
    }
}

#[test]
fn the_document_is_sound() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = HashSet::new();
    for operation in operations() {
        assert!(ids.insert(operation.id.clone()), "{} is there twice", operation.id);
        let item = &document["paths"][&operation.path][operation.method.to_lowercase()];
        let responses = item["responses"].as_object().expect("responses");
        assert!(responses.keys().any(|code| code.starts_with('2')), "{} succeeds somehow", operation.id);
        assert!(responses.contains_key("401") && responses.contains_key("default"), "{}", operation.id);
        assert!(
            responses.values().all(|it| it["description"].as_str().is_some_and(|text| !text.is_empty())),
            "{}",
            operation.id
        );
        let declared: BTreeSet<&str> = item["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        let holes: BTreeSet<&str> =
            operation.path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        assert_eq!(declared, holes, "{}", operation.id);
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(reference).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn the_document_lists_what_the_contract_promises() {
    let listed: BTreeSet<String> =
        operations().iter().map(|operation| format!("{} {}", operation.method, operation.path)).collect();
    for promised in [
        "GET /contacts",
        "POST /contacts",
        "GET /contacts/{phone}",
        "PATCH /contacts/{phone}",
        "DELETE /contacts/{phone}",
        "PUT /contacts/{phone}/consent",
        "GET /contacts/{phone}/export",
        "GET /contacts/{phone}/timeline",
        "GET /contacts/{phone}/consent-proof",
        "GET /contacts/{phone}/erasure",
        "PUT /contacts/{phone}/topics/{key}",
        "DELETE /contacts/{phone}/topics/{key}",
        "POST /imports",
        "GET /imports/{id}",
        "GET /imports/{id}/rejects.csv",
        "GET /topics",
        "POST /topics",
        "GET /topics/{key}",
        "PATCH /topics/{key}",
        "DELETE /topics/{key}",
        "GET /segments",
        "POST /segments",
        "GET /segments/{id}",
        "PATCH /segments/{id}",
        "DELETE /segments/{id}",
        "POST /segments/preview",
        "GET /templates",
        "POST /templates",
        "GET /templates/{id}",
        "PATCH /templates/{id}",
        "DELETE /templates/{id}",
        "POST /templates/preview",
        "POST /templates/{id}/fallback",
        "POST /templates/sync",
        "GET /content-templates",
        "GET /campaigns",
        "POST /campaigns",
        "GET /campaigns/{id}",
        "PATCH /campaigns/{id}",
        "DELETE /campaigns/{id}",
        "POST /campaigns/{id}/rehearse",
        "GET /campaigns/{id}/rehearsal",
        "DELETE /campaigns/{id}/rehearsal",
        "POST /campaigns/{id}/rehearsal/timezone",
        "POST /campaigns/{id}/rehearsal/leave-out",
        "POST /campaigns/{id}/override-quiet-hours",
        "DELETE /campaigns/{id}/override-quiet-hours",
        "GET /calendar",
        "GET /campaigns/{id}/launch-check",
        "POST /campaigns/{id}/launch",
        "POST /campaigns/{id}/schedule",
        "POST /campaigns/{id}/pause",
        "POST /campaigns/{id}/resume",
        "POST /campaigns/{id}/cancel",
        "POST /campaigns/{id}/duplicate",
        "POST /campaigns/{id}/test",
        "GET /campaigns/{id}/runs",
        "GET /campaigns/{id}/why",
        "GET /runs/{id}",
        "GET /runs/{id}/messages",
        "GET /runs/{id}/rollups",
        "GET /runs/{id}/export.csv",
        "GET /runs/{id}/plan.csv",
        "GET /messages",
        "POST /messages",
        "GET /messages/{id}",
        "GET /conversations",
        "GET /conversations/{phone}",
        "PATCH /conversations/{phone}",
        "GET /inbound",
        "GET /opt-ins",
        "GET /reports/consent",
        "GET /consent-reviews",
        "GET /consent-reviews/decided",
        "POST /consent-reviews/{id}/decide",
        "GET /opt-outs",
        "GET /settings",
        "PATCH /settings",
        "GET /senders",
        "POST /senders",
        "GET /senders/{id}",
        "PATCH /senders/{id}",
        "GET /provider-accounts",
        "POST /provider-accounts",
        "PATCH /provider-accounts/{sid}",
        "DELETE /provider-accounts/{sid}",
        "GET /error-codes",
        "GET /error-codes/{code}",
        "PATCH /error-codes/{code}",
        "GET /processes",
        "GET /waiting",
        "GET /audit",
        "GET /webhook-events",
        "GET /webhook-events/{id}",
    ] {
        let (method, path) = promised.split_once(' ').expect("a method and a path");
        assert!(listed.contains(&format!("{method} /api/v1{path}")), "{promised}");
    }
}

#[tokio::test]
async fn the_document_and_its_page_are_served_to_anybody() {
    let server = server().await;
    let served = answer(server.request("GET", "/api/v1/openapi.json")).await.assert_status(200);
    assert_eq!(served.header("content-type"), "application/json");
    assert_eq!(served.json(), document());
    let page = answer(server.request("GET", "/api/docs")).await.assert_status(200);
    assert!(
        page.header("content-type").starts_with("text/html") && page.body.contains("/api/v1/contacts/{phone}/consent")
    );
    answer(server.request("GET", "/api/docs.css")).await.assert_status(200);
}
