//! Senders and their accounts: by the API, and on the pages without scripts.

use domain::role::Role;
use serde_json::{Value, json};

use crate::support::{Answer, TestServer, answer, cookie, servers};

const SECOND: &str = "AC22220000000000000000000000002222";
const OTHER: &str = "+15005550011";

async fn senders(server: &TestServer) -> Vec<Value> {
    server.get("/senders").await.assert_status(200).json()["items"].as_array().cloned().expect("senders")
}

fn id(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

fn account() -> Value {
    json!({"account_sid": SECOND, "name": "Second", "auth_token": "hush-hush"})
}

#[tokio::test]
async fn senders_are_added_changed_and_held() {
    for server in servers().await {
        let first = senders(&server).await.remove(0);
        let new = json!({"name": "Offers", "channel": "whatsapp", "address": OTHER, "rate_per_second": 25});
        let made = server.send("POST", "/senders", &new).await.assert_status(201);
        assert_eq!(made.header("etag"), "\"1\"");
        let made = made.json();
        assert_eq!((&made["default"], &made["enabled"], &made["held"]), (&json!(false), &json!(true), &Value::Null));
        assert_eq!((&made["rate_per_second"], &made["account_sid"]), (&json!(25), &first["account_sid"]), "{made}");
        let path = format!("/senders/{}", id(&made));
        assert_eq!(server.get(&path).await.assert_status(200).json(), made);

        let held = server.send("PATCH", &path, &json!({"held": "a look at it", "name": "News"})).await;
        let held = held.assert_status(200).json();
        assert_eq!(
            (&held["held"], &held["name"], &held["version"]),
            (&json!("a look at it"), &json!("News"), &json!(2))
        );
        let stale = server.api("PATCH", &path).header("if-match", "\"1\"").json(&json!({"held": null}));
        answer(stale).await.assert_status(409);
        let released = server.send("PATCH", &path, &json!({"held": null})).await.assert_status(200).json();
        assert_eq!((&released["held"], &released["version"]), (&Value::Null, &json!(3)));

        server.send("PATCH", &path, &json!({"default": true})).await.assert_status(200);
        let defaults: Vec<String> = senders(&server)
            .await
            .iter()
            .filter(|row| row["channel"] == "whatsapp" && row["default"] == true)
            .map(id)
            .collect();
        assert_eq!(defaults, [id(&made)]);
        let audit = server.get("/audit").await.assert_status(200).json();
        let told: Vec<(&str, &str)> = audit["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|line| Some((line["action"].as_str()?, line["entity"].as_str()?)))
            .filter(|(_, entity)| *entity == "sender")
            .collect();
        let expected = ["update", "update", "release_sending", "update", "hold_sending", "create"];
        let actions: Vec<&str> = told.iter().map(|(action, _)| *action).take(expected.len()).collect();
        assert_eq!(actions, expected, "the mark was taken from one and given to the other");
        server.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_be_meant_names_the_field_and_the_remedy() {
    for server in servers().await {
        let first = senders(&server).await.remove(0);
        let path = format!("/senders/{}", id(&first));
        let with = |patch: Value| {
            let mut new = json!({"name": "Offers", "channel": "sms", "address": OTHER});
            new.as_object_mut().expect("an object").extend(patch.as_object().cloned().expect("an object"));
            new
        };
        for (patch, field) in [
            (json!({"name": " "}), "name"),
            (json!({"address": "whatsapp:+15005550011"}), "address"),
            (json!({"address": "15005550011"}), "address"),
            (json!({"address": "MG1"}), "address"),
            (json!({"rate_per_second": 0}), "rate_per_second"),
            (json!({"channel": "fax"}), "channel"),
            (json!({"account_sid": SECOND}), "account_sid"),
            (json!({"default": true, "enabled": false}), "default"),
            (json!({"colour": "red"}), "colour"),
        ] {
            let refused = server.send("POST", "/senders", &with(patch.clone())).await.assert_status(422);
            assert_eq!(refused.fields(), [field], "{patch}: {}", refused.body);
        }
        for (patch, field) in [
            (json!({"held": " "}), "held"),
            (json!({"name": ""}), "name"),
            (json!({"name": null}), "name"),
            (json!({"rate_per_second": -1}), "rate_per_second"),
            (json!({"default": false}), "default"),
            (json!({"account_sid": SECOND}), "account_sid"),
        ] {
            let refused = server.send("PATCH", &path, &patch).await.assert_status(422);
            assert_eq!(refused.fields(), [field], "{patch}: {}", refused.body);
        }
        let taken = with(json!({"channel": first["channel"], "address": first["address"]}));
        let taken = server.send("POST", "/senders", &taken).await.assert_status(409).json();
        let name = first["name"].as_str().expect("a name");
        assert!(taken["detail"].as_str().is_some_and(|text| text.contains(name)), "{taken}");
        server.send("PATCH", "/senders/01936f4e-0000-7000-8000-000000000000", &json!({})).await.assert_status(404);
        assert_eq!(senders(&server).await.len(), 2, "nothing was made");
        server.stop().await;
    }
}

#[tokio::test]
async fn accounts_take_secrets_and_never_show_them() {
    for server in servers().await {
        let made = server.send("POST", "/provider-accounts", &account()).await.assert_status(201);
        assert!(!made.body.contains("hush"), "{}", made.body);
        server.send("POST", "/provider-accounts", &account()).await.assert_status(409);
        let list = server.get("/provider-accounts").await.assert_status(200);
        assert!(!list.body.contains("hush") && !list.body.contains("\"auth_token"), "{}", list.body);
        let list = list.json()["items"].as_array().cloned().expect("accounts");
        let own = list[0]["account_sid"].as_str().expect("a SID").to_owned();
        assert_eq!((&list[0]["from_environment"], &list[1]["from_environment"]), (&json!(true), &json!(false)));

        let path = format!("/provider-accounts/{SECOND}");
        let key = json!({"api_key_sid": format!("SK{}", "0".repeat(32)), "api_key_secret": "hush-hush"});
        let keyed = server.send("PATCH", &path, &key).await.assert_status(200);
        assert!(keyed.json()["api_key_sid"].is_string() && !keyed.body.contains("hush"), "{}", keyed.body);
        let no_key = server.send("PATCH", &path, &json!({"api_key_sid": null})).await.assert_status(200).json();
        assert_eq!((&no_key["api_key_sid"], &no_key["version"]), (&Value::Null, &json!(3)));
        for (patch, field) in [
            (json!({"auth_token": " "}), "auth_token"),
            (json!({"api_key_sid": format!("SK{}", "0".repeat(32))}), "api_key_secret"),
            (json!({"api_base": "ftp://example.org"}), "api_base"),
            (json!({"name": ""}), "name"),
        ] {
            assert_eq!(server.send("PATCH", &path, &patch).await.assert_status(422).fields(), [field], "{patch}");
        }
        for (method, body) in [("PATCH", json!({"name": "Mine"})), ("DELETE", Value::Null)] {
            let refused = server.send(method, &format!("/provider-accounts/{own}"), &body).await.assert_status(409);
            assert!(refused.body.contains("TWILIO_ACCOUNT_SID"), "{}", refused.body);
        }

        let new = json!({"name": "Offers", "channel": "sms", "address": OTHER, "account_sid": SECOND});
        let sender = server.send("POST", "/senders", &new).await.assert_status(201).json();
        let used = answer(server.api("DELETE", &path)).await.assert_status(409);
        assert!(used.body.contains("Offers"), "{}", used.body);
        let sender = format!("/senders/{}", id(&sender));
        server.send("PATCH", &sender, &json!({"account_sid": own})).await.assert_status(409);
        server.send("PATCH", &sender, &json!({"held": "it moves"})).await.assert_status(200);
        server.send("PATCH", &sender, &json!({"account_sid": own})).await.assert_status(200);
        answer(server.api("DELETE", &path)).await.assert_status(204);
        answer(server.api("DELETE", &path)).await.assert_status(404);
        server.stop().await;
    }
}

/// A page as somebody of this role sees it.
async fn page(server: &TestServer, session: &str, path: &str) -> Answer {
    answer(server.request("GET", path).header("cookie", session)).await
}

#[tokio::test]
async fn the_page_says_how_each_sender_is_doing() {
    for server in servers().await {
        let session = server.log_in().await;
        let first = senders(&server).await.remove(0);
        let path = format!("/senders/{}", id(&first));
        let list = page(&server, &session, "/settings/senders").await.assert_status(200).body;
        for words in [first["name"].as_str().expect("a name"), "Main account", "Default", "Twilio accounts"] {
            assert!(list.contains(words), "{words}: {list}");
        }
        assert!(!list.contains("Make default"), "each is the default of its channel: {list}");
        assert!(!list.contains(" style="), "the policy refuses inline styles");
        server.send("PATCH", &path, &json!({"held": "a look at <it>"})).await.assert_status(200);
        let list = page(&server, &session, "/settings/senders").await.assert_status(200).body;
        assert!(list.contains("a look at &lt;it&gt;") && list.contains("Release"), "{list}");
        let form = page(&server, &session, &format!("/settings{path}")).await.assert_status(200).body;
        assert!(form.contains("name=\"rate_per_second\"") && form.contains("name=\"version\""), "{form}");
        page(&server, &session, "/settings/senders/new").await.assert_status(200);
        page(&server, &session, "/settings/senders/nobody").await.assert_status(404);
        let hold = page(&server, &session, &format!("/settings/senders?hold={}", id(&first))).await.assert_status(200);
        assert!(hold.body.contains("name=\"held\""), "{}", hold.body);
        server.stop().await;
    }
}

#[tokio::test]
async fn others_may_look_and_change_nothing() {
    for server in servers().await {
        let accounts = server.engine.accounts();
        let admin = domain::actor::Actor::command_line();
        let given = accounts.create(&admin, "ada@example.org", Role::Viewer, None).await.expect("an account").1;
        let form = [("email", "ada@example.org"), ("password", given.as_deref().expect("a one-time password"))];
        let session = cookie(&answer(server.request("POST", "/login").form(&form)).await.assert_status(303));
        let first = senders(&server).await.remove(0);
        let list = page(&server, &session, "/settings/senders").await.assert_status(200).body;
        assert!(list.contains(first["name"].as_str().expect("a name")), "{list}");
        assert!(
            !list.contains("Disable") && !list.contains("Twilio accounts") && !list.contains("Add a sender"),
            "{list}"
        );
        for path in [format!("/settings/senders/{}", id(&first)), "/settings/senders/new".to_owned()] {
            page(&server, &session, &path).await.assert_status(403);
        }
        let asked = page(&server, &session, "/settings/senders?account=new").await.assert_status(200);
        assert!(!asked.body.contains("name=\"auth_token\""), "{}", asked.body);
        let key = server.key_of(Role::Marketer).await;
        for (method, path, body) in [
            ("POST", "/senders".to_owned(), json!({"name": "Offers", "channel": "sms", "address": OTHER})),
            ("PATCH", format!("/senders/{}", id(&first)), json!({"held": "no"})),
            ("POST", "/provider-accounts".to_owned(), account()),
            ("GET", "/provider-accounts".to_owned(), Value::Null),
        ] {
            let request = server.request(method, &format!("/api/v1{path}")).bearer_auth(&key).json(&body);
            answer(request).await.assert_status(403);
        }
        server.stop().await;
    }
}
