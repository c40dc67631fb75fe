//! How the API speaks: problems, pages of lists, strictness, repeats.

use domain::role::Role;
use serde_json::{Value, json};

use crate::support::{answer, server, servers};

#[tokio::test]
async fn errors_are_problem_documents() {
    let server = server().await;
    for (method, path, status) in [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v2", 404),
        ("GET", "/api/v1/contacts/+14155550142", 404),
        ("GET", "/api/v1/contacts/nonsense", 404),
        ("GET", "/api/v1/campaigns/nonsense", 404),
        ("PUT", "/api/v1/contacts", 405),
        ("GET", "/api/v1/contacts?limit=0", 422),
        ("GET", "/api/v1/contacts?limit=1001", 422),
        ("GET", "/api/v1/contacts?limit=many", 422),
        ("GET", "/api/v1/contacts?cursor=nonsense", 422),
        ("GET", "/api/v1/topics?cursor=nonsense", 422),
        ("GET", "/api/v1/contacts?colour=red", 422),
        ("GET", "/api/v1/contacts?consent=maybe", 422),
        ("GET", "/api/v1/messages?phone=12", 422),
        ("GET", "/api/v1/messages?since=yesterday", 422),
    ] {
        let answer = answer(server.request(method, path).bearer_auth(&server.key)).await.assert_status(status);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        let problem = answer.json();
        assert_eq!(problem["status"], status, "{path}");
        assert!(problem["type"].is_string() && problem["title"].is_string() && problem["detail"].is_string(), "{path}");
        assert_eq!(answer.fields().is_empty(), status != 422, "{path}: {problem}");
    }
    let wrong = answer(server.request("PUT", "/api/v1/contacts").bearer_auth(&server.key)).await;
    assert!(wrong.header("allow").contains("GET") && wrong.header("allow").contains("POST"), "{wrong:?}");
}

#[tokio::test]
async fn bodies_are_read_strictly() {
    let server = server().await;
    let post = |body: &'static str, kind: &'static str| {
        answer(server.api("POST", "/contacts").header("content-type", kind).body(body))
    };
    post("{\"phone\":\"+14155550142\"}", "text/plain").await.assert_status(415);
    post("{\"phone\":", "application/json").await.assert_status(400);
    let unknown = post("{\"phone\":\"+14155550142\",\"colour\":\"red\"}", "application/json").await.assert_status(422);
    assert_eq!(unknown.fields(), ["colour"]);
    assert_eq!(post("{}", "application/json").await.assert_status(422).fields(), ["phone"]);
    assert_eq!(post("{\"phone\":\"12\"}", "application/json").await.assert_status(422).fields(), ["phone"]);
    let large = answer(server.api("POST", "/contacts").json(&json!({"phone": "x".repeat(2_000_000)}))).await;
    large.assert_status(413);
    server.send("POST", "/topics", &json!({"key": "offers", "name": "Offers"})).await.assert_status(201);
    server.send("POST", "/topics", &json!({"key": "offers", "name": "Again"})).await.assert_status(409);
}

#[tokio::test]
async fn a_phone_may_be_written_with_a_plus_or_escaped() {
    let server = server().await;
    server.send("POST", "/contacts", &json!({"phone": "+14155550142"})).await.assert_status(201);
    for path in ["/contacts/+14155550142", "/contacts/%2B14155550142"] {
        assert_eq!(server.get(path).await.assert_status(200).json()["phone"], "+14155550142");
    }
    for query in ["/contacts?q=+1415555", "/contacts?q=%2B1415555", "/contacts?q=1415555"] {
        let found = server.get(query).await.assert_status(200).json();
        assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{query}");
    }
    server.get("/inbound?phone=+14155550142").await.assert_status(200);
    server.get("/messages?phone=+14155550142&since=2026-01-01T00:00:00+02:00").await.assert_status(200);
}

#[tokio::test]
async fn lists_come_in_pages_without_gaps_or_repeats() {
    for server in servers().await {
        for number in 100..107 {
            server.send("POST", "/contacts", &json!({"phone": format!("+14155550{number}")})).await.assert_status(201);
        }
        let mut seen = Vec::new();
        let mut path = "/contacts?limit=3".to_owned();
        loop {
            let page = server.get(&path).await.assert_status(200).json();
            let items = page["items"].as_array().expect("items").clone();
            assert!(items.len() <= 3);
            seen.extend(items.iter().map(|item| item["phone"].as_str().expect("a phone").to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/contacts?limit=3&cursor={cursor}");
        }
        let mut different = seen.clone();
        different.sort();
        different.dedup();
        assert_eq!((seen.len(), different.len()), (7, 7), "{seen:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn an_edit_on_an_old_version_is_refused() {
    for server in servers().await {
        let new = json!({"key": "offers", "name": "Offers"});
        let version = server.send("POST", "/topics", &new).await.assert_status(201).json()["version"].clone();
        let rename = |name: &'static str, read: String| {
            answer(server.api("PATCH", "/topics/offers").header("If-Match", read).json(&json!({"name": name})))
        };
        rename("News", format!("\"{version}\"")).await.assert_status(200);
        let stale = rename("Old news", format!("\"{version}\"")).await.assert_status(409);
        assert_eq!(stale.fields(), ["name", "version"]);
        assert_eq!(stale.json()["errors"][0]["message"], "Stored now: “News”.");
        assert_eq!(
            rename("No news", "banana".to_owned()).await.assert_status(422).json()["errors"][0]["field"],
            "If-Match"
        );
        assert_eq!(server.get("/topics/offers").await.json()["name"], "News");
        server.stop().await;
    }
}

#[tokio::test]
async fn answers_carry_the_version_as_their_etag() {
    let server = server().await;
    let definition = json!({"combinator": "and", "rules": []});
    for (collection, new, key, patch) in [
        ("/contacts", json!({"phone": "+14155550142"}), "phone", json!({"timezone": "Asia/Colombo"})),
        ("/topics", json!({"key": "offers", "name": "Offers"}), "key", json!({"name": "News"})),
        ("/segments", json!({"name": "All", "definition": definition}), "id", json!({"name": "Everybody"})),
        ("/templates", json!({"name": "Hi", "variants": {"en": {"body": "Hi"}}}), "id", json!({"name": "Hello"})),
        ("/campaigns", json!({"name": "First"}), "id", json!({"name": "Second"})),
    ] {
        let made = answer(server.api("POST", collection).header("Idempotency-Key", "etag").json(&new)).await;
        let made = made.assert_status(201);
        assert_eq!(made.header("etag"), "\"1\"", "{collection}");
        let again = answer(server.api("POST", collection).header("Idempotency-Key", "etag").json(&new)).await;
        assert_eq!(again.header("etag"), "\"1\"", "{collection}: the first answer again");
        let path = format!("{collection}/{}", made.json()[key].as_str().expect("a key"));
        let read = server.get(&path).await.assert_status(200);
        let edit = answer(server.api("PATCH", &path).header("If-Match", read.header("etag")).json(&patch)).await;
        assert_eq!(edit.assert_status(200).header("etag"), "\"2\"", "{path}");
        // The same again changes nothing.
        let same = server.send("PATCH", &path, &patch).await.assert_status(200);
        assert_eq!(same.header("etag"), "\"2\"", "{path}");
        assert_eq!(server.get(collection).await.assert_status(200).header("etag"), "", "a list has none");
    }
    let settings = server.get("/settings").await.assert_status(200);
    let patch = json!({"default_country": "LK"});
    let edit = answer(server.api("PATCH", "/settings").header("If-Match", settings.header("etag")).json(&patch)).await;
    assert_ne!(edit.assert_status(200).header("etag"), settings.header("etag"));
}

#[tokio::test]
async fn null_is_refused_where_it_says_nothing() {
    let server = server().await;
    let definition = json!({"combinator": "and", "rules": []});
    for (collection, new, key, fields) in [
        ("/contacts", json!({"phone": "+14155550142"}), "phone", &["attributes", "version"][..]),
        ("/topics", json!({"key": "offers", "name": "Offers"}), "key", &["name", "description", "version"][..]),
        ("/segments", json!({"name": "All", "definition": definition}), "id", &["name", "definition", "version"][..]),
        (
            "/templates",
            json!({"name": "Hi", "variants": {"en": {"body": "Hi"}}}),
            "id",
            &["name", "category", "default_locale", "variants", "version"][..],
        ),
        (
            "/campaigns",
            json!({"name": "First"}),
            "id",
            &["name", "template_id", "segment_id", "trigger", "late", "repeat", "unknown", "weight", "version"][..],
        ),
    ] {
        let made = server.send("POST", collection, &new).await.assert_status(201).json();
        let path = format!("{collection}/{}", made[key].as_str().expect("a key"));
        for field in fields {
            let refused = server.send("PATCH", &path, &json!({*field: null})).await.assert_status(422);
            assert_eq!(refused.fields(), [*field], "{path}");
        }
        assert_eq!(server.get(&path).await.json()["version"], 1, "{path}");
    }
    for field in ["sending", "default_timezone", "enforce_whatsapp_window", "version"] {
        let refused = server.send("PATCH", "/settings", &json!({field: null})).await.assert_status(422);
        assert_eq!(refused.fields(), [field]);
    }
    // Where nothing is something, null says it.
    server.send("PATCH", "/contacts/+14155550142", &json!({"timezone": null, "locale": null})).await.assert_status(200);
    server.send("PATCH", "/settings", &json!({"account_rate_per_second": null})).await.assert_status(200);
}

#[tokio::test]
async fn quiet_hours_and_deadlines_are_said_and_wrong_ones_named() {
    let server = server().await;
    let hours = json!({"start": "21:00", "end": "08:00"});
    let new = json!({"name": "Evening", "quiet_hours": hours, "send_before": "PT6H", "late": "drop"});
    let made = server.send("POST", "/campaigns", &new).await.assert_status(201).json();
    assert_eq!((&made["quiet_hours"], &made["send_before"], &made["late"]), (&hours, &json!("PT6H"), &json!("drop")));
    let path = format!("/campaigns/{}", made["id"].as_str().expect("an id"));
    for (patch, field) in [
        (json!({"quiet_hours": {"start": "25:00", "end": "08:00"}}), "quiet_hours.start"),
        (json!({"quiet_hours": {"start": "21:00"}}), "quiet_hours"),
        (json!({"quiet_hours": {"start": "21:00", "end": "21:00"}}), "quiet_hours"),
        (json!({"send_before": "soon"}), "send_before"),
    ] {
        let refused = server.send("PATCH", &path, &patch).await.assert_status(422);
        assert!(refused.fields()[0].starts_with(field), "{patch}: {}", refused.body);
    }
    let cleared = json!({"quiet_hours": null, "send_before": null});
    let cleared = server.send("PATCH", &path, &cleared).await.assert_status(200).json();
    assert!(cleared["quiet_hours"].is_null() && cleared["send_before"].is_null());
    let settings = server.get("/settings").await.assert_status(200).json();
    assert_eq!(settings["quiet_hours"], json!({"enabled": false, "start": "21:00", "end": "08:00", "law": false}));
    let on = json!({"quiet_hours": {"enabled": true}});
    let refused = server.send("PATCH", "/settings", &on).await.assert_status(422);
    assert_eq!(refused.fields(), ["quiet_hours.reason"]);
    let on = json!({"quiet_hours": {"enabled": true, "law": true, "reason": "we go live"}});
    let settings = server.send("PATCH", "/settings", &on).await.assert_status(200).json();
    assert_eq!((&settings["quiet_hours"]["enabled"], &settings["quiet_hours"]["law"]), (&json!(true), &json!(true)));
    assert_eq!(settings["closed_places"], json!([]));
    let law = server.get("/settings/law").await.assert_status(200).json();
    assert!(law["lines"].as_array().is_some_and(|lines| lines.iter().any(|line| line["country"] == "FR")));
    let cap = json!({"country": "US", "subdivision": "FL,OK", "messages": 3, "days": 1, "basis": "law", "confidence": "high",
                     "source": law["caps"][0]["source"], "read_on": "2026-11-28"});
    assert_eq!(law["caps"], json!([cap]));
    assert!(law["caps"][0]["source"].as_str().is_some_and(|source| source.contains("501.059(8)(b)")), "{law}");
    // Hours that close some places are taken, and these named: France alone may well be meant.
    let by_day = json!({"quiet_hours": {"start": "08:00", "end": "20:00", "reason": "evenings in France"}});
    let settings = server.send("PATCH", "/settings", &by_day).await.assert_status(200).json();
    let closed: Vec<_> = settings["closed_places"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert!(closed.starts_with(&["countries without a line", "AU", "BE", "BR"]), "{closed:?}");
    assert!(!closed.contains(&"FR") && !closed.contains(&"US"), "{closed:?}");
    assert_eq!(server.get("/settings").await.json()["closed_places"], settings["closed_places"]);
    let without = json!({"quiet_hours": {"enabled": false, "reason": "a test"}});
    let settings = server.send("PATCH", "/settings", &without).await.assert_status(200).json();
    assert_eq!(settings["closed_places"], json!([]));
}

#[tokio::test]
async fn the_law_table_takes_lines_of_the_workspace() {
    for server in servers().await {
        let line = json!({"country": "LK", "days": "Mon-Sat", "from": "10:00", "to": "18:00",
                          "source": "https://www.trc.gov.lk", "read_on": "2026-11-23"});
        let with = |field: &str, value: Value| {
            let mut line = line.clone();
            line[field] = value;
            json!({"law_lines": [line]})
        };
        for (field, value) in [
            ("country", json!("Lanka")),
            ("subdivision", json!("WP")),
            ("days", json!("weekdays")),
            ("to", json!("25:00")),
            ("source", json!(" ")),
            ("read_on", json!("9999-12-31")),
            ("valid_from", json!("next month")),
            ("valid_to", json!("2027-02-30")),
        ] {
            let refused = server.send("PATCH", "/settings", &with(field, value)).await.assert_status(422);
            assert_eq!(refused.fields(), [format!("law_lines[0].{field}")]);
        }
        for field in ["source", "read_on"] {
            let mut without = line.clone();
            without.as_object_mut().expect("an object").remove(field);
            server.send("PATCH", "/settings", &json!({"law_lines": [without]})).await.assert_status(422);
        }
        // The table closes at eight where it has no line of its own.
        let mut late = line.clone();
        late["from"] = json!("20:00");
        late["to"] = json!("24:00");
        let refused = server.send("PATCH", "/settings", &json!({"law_lines": [late]})).await.assert_status(422);
        assert_eq!(refused.fields(), ["law_lines[0].from"]);
        assert!(refused.body.contains("no time at all for LK"), "{}", refused.body);
        let settings = server.send("PATCH", "/settings", &json!({"law_lines": [line]})).await.assert_status(200).json();
        let stored = &settings["law_lines"][0];
        assert_eq!((&stored["subdivision"], &stored["holidays"]), (&json!("*"), &json!(false)));
        assert!(stored["valid_from"].is_null() && stored["valid_to"].is_null());
        // Everybody who may read sees it, beside lines that say when they were read.
        let viewer = server.key_of(Role::Viewer).await;
        let law =
            answer(server.request("GET", "/api/v1/settings/law").bearer_auth(viewer)).await.assert_status(200).json();
        assert_eq!(&law["own"][0], stored);
        assert!(
            law["lines"]
                .as_array()
                .is_some_and(|lines| lines.iter().all(|line| line["read_on"] == law["pack_version"]))
        );
        // One that is to come says from when until when; holidays without a line that keeps them are named.
        let mut dated = line.clone();
        dated["valid_from"] = json!("2027-01-01");
        dated["valid_to"] = json!("2026-12-31");
        let refused = server.send("PATCH", "/settings", &json!({"law_lines": [dated]})).await.assert_status(422);
        assert_eq!(refused.fields(), ["law_lines[0].valid_to"]);
        dated["valid_to"] = json!("2027-12-31");
        let holiday = json!({"country": "LK", "date": "2027-02-04", "name": "Independence Day"});
        let change = json!({"law_lines": [dated], "holidays": [holiday]});
        let settings = server.send("PATCH", "/settings", &change).await.assert_status(200).json();
        assert_eq!(settings["law_lines"][0]["valid_to"], json!("2027-12-31"));
        assert_eq!(server.get("/settings/law").await.json()["idle_holidays"], json!(["LK"]));
        dated["holidays"] = json!(true);
        server.send("PATCH", "/settings", &json!({"law_lines": [dated]})).await.assert_status(200);
        assert_eq!(server.get("/settings/law").await.json()["idle_holidays"], json!([]));
        let none = server.send("PATCH", "/settings", &json!({"law_lines": []})).await.assert_status(200).json();
        assert_eq!(none["law_lines"], json!([]));
        server.stop().await;
    }
}

#[tokio::test]
async fn two_topics_have_no_name_in_common() {
    let server = server().await;
    server.send("POST", "/topics", &json!({"key": "offers", "name": "Offers"})).await.assert_status(201);
    let again = server.send("POST", "/topics", &json!({"key": "sales", "name": " OFFERS "})).await;
    assert_eq!(again.assert_status(422).fields(), ["name"]);
}

#[tokio::test]
async fn the_same_key_gets_the_first_answer_again() {
    for server in servers().await {
        let create = |key: &'static str, phone: &'static str| {
            answer(server.api("POST", "/contacts").header("Idempotency-Key", key).json(&json!({"phone": phone})))
        };
        let first = create("k1", "+14155550142").await.assert_status(201);
        let again = create("k1", "+14155550142").await.assert_status(201);
        assert_eq!(first.body, again.body);
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.header("content-type"), "application/json");
        create("k1", "+14155550143").await.assert_status(409);
        // Refusals are answers too.
        let refused = create("k2", "+14155550142").await.assert_status(409);
        assert_eq!(create("k2", "+14155550142").await.assert_status(409).body, refused.body);
        // Keys belong to their API key.
        let other = server.key_of(Role::Marketer).await;
        let request = server.request("POST", "/api/v1/contacts").bearer_auth(other);
        let request = request.header("Idempotency-Key", "k1").json(&json!({"phone": "+14155550144"}));
        answer(request).await.assert_status(201);
        let long = server.api("POST", "/contacts").header("Idempotency-Key", "x".repeat(256));
        answer(long.json(&json!({"phone": "+14155550145"}))).await.assert_status(422);
        server.stop().await;
    }
}

#[tokio::test]
async fn imports_are_repeated_by_what_the_file_holds() {
    let server = server().await;
    let upload = |body: &'static str| {
        let request = server.api("POST", "/imports?format=csv").header("Idempotency-Key", "file");
        answer(request.header("content-type", "text/csv").body(body))
    };
    let first = upload("phone\n+14155550142\n").await.assert_status(202).json();
    let again = upload("phone\n+14155550142\n").await.assert_status(202).json();
    assert_eq!(first["id"], again["id"]);
    upload("phone\n+14155550143\n").await.assert_status(409);
    // As a form the same file is another request, and larger ones are no problem.
    let file = format!("phone\r\n{}", "+14155550142\r\n".repeat(200_000));
    let form =
        format!("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"p.csv\"\r\n\r\n{file}--x--\r\n");
    let send = async |key: &'static str| {
        let request = server.api("POST", "/imports").header("Idempotency-Key", key);
        answer(request.header("content-type", "multipart/form-data; boundary=x").body(form.clone())).await
    };
    send("file").await.assert_status(409);
    let first = send("form").await.assert_status(202).json();
    assert_eq!(send("form").await.assert_status(202).json()["id"], first["id"]);
    let all = server.get("/imports").await.json();
    assert_eq!(all["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn imports_that_cannot_be_meant_are_refused_at_once() {
    let server = server().await;
    let upload = |query: &'static str, body: String| {
        answer(server.api("POST", &format!("/imports{query}")).header("content-type", "text/csv").body(body))
    };
    upload("?format=csv", String::new()).await.assert_status(422);
    upload("?format=csv", "name\nAnn\n".to_owned()).await.assert_status(422);
    upload("?format=xls", "phone\n".to_owned()).await.assert_status(422);
    assert_eq!(upload("?colour=red", "phone\n".to_owned()).await.assert_status(422).fields(), ["colour"]);
    upload("?format=csv", "phone\n".to_owned() + &"+14155550142\n".repeat(400_000)).await.assert_status(413);
}
