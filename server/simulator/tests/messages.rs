//! The Messages API over real HTTP.

mod common;

use common::{Twilio, quick, text};
use serde_json::{Value, json};
use simulator::{ACCOUNT_SID, AUTH_TOKEN, Settings};

const FROM: &str = "+15005550006";
const TO: &str = "+15551234567";

/// Parameters, and the HTTP status and code they are answered with.
type Case<'a> = (Vec<(&'a str, &'a str)>, u16, u64);

#[tokio::test]
async fn a_create_has_exactly_the_documented_fields() {
    let twilio = Twilio::start(quick()).await;
    let answer = twilio.post(&[("To", TO), ("From", FROM), ("Body", "Grüße")]).await.expect("an answer");
    assert_eq!(answer.status(), 201);
    let header =
        |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("twilio-concurrent-requests"), "1");
    assert_eq!(header("x-home-region"), "us1");
    assert!(header("twilio-request-duration").parse::<f64>().is_ok());
    let request_id = header("twilio-request-id");
    let message: Value = answer.json().await.expect("JSON");
    let sid = text(&message, "sid");
    assert!(sid.starts_with("SM") && sid.len() == 34);
    assert_eq!(request_id, format!("RQ{}", &sid[2..]));
    let mut names: Vec<_> = message.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    let mut expected = vec![
        "account_sid",
        "api_version",
        "body",
        "date_created",
        "date_sent",
        "date_updated",
        "direction",
        "error_code",
        "error_message",
        "from",
        "messaging_service_sid",
        "num_media",
        "num_segments",
        "price",
        "price_unit",
        "sid",
        "status",
        "subresource_uris",
        "to",
        "uri",
    ];
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(message["num_segments"], json!("1"));
    assert_eq!(message["num_media"], json!("0"));
    assert_eq!(message["error_code"], Value::Null);
    assert_eq!(message["date_sent"], Value::Null);
    assert_eq!(message["status"], "queued");
    assert_eq!(message["direction"], "outbound-api");
    assert_eq!(message["uri"], json!(format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{sid}.json")));
    assert!(text(&message, "date_created").ends_with(" +0000"));

    twilio.idle().await;
    let later = twilio.fetch(sid).await;
    assert_eq!(later["status"], "delivered");
    assert_eq!(later["price"], json!("-0.00750"));
    let shown = twilio.running.control().conversation(TO);
    assert_eq!(shown.iter().map(|message| message.num_segments).collect::<Vec<_>>(), [1]);
    assert!(later["date_sent"].is_string());
    assert!(later["subresource_uris"]["feedback"].is_string());
    twilio.running.shutdown().await;
}

#[tokio::test]
async fn parameters_are_checked_with_their_codes() {
    let settings = Settings { senders: vec![FROM.into(), "whatsapp:+15005550006".into(), "MyBrand".into()], ..quick() };
    let twilio = Twilio::start(settings).await;
    let long = "x".repeat(1601);
    let service = ("MessagingServiceSid", "MG00000000000000000000000000000001");
    let base = [("To", TO), ("From", FROM)];
    let with = |more: &[(&'static str, &'static str)]| [&base[..], more].concat();
    let cases: Vec<Case<'_>> = vec![
        (vec![("From", FROM), ("Body", "x")], 400, 21604),
        (vec![("To", TO), ("Body", "x")], 400, 21603),
        (vec![("To", TO), ("Body", "x"), ("MessagingServiceSid", "MG1")], 400, 21705),
        (vec![("To", "5551234567"), ("From", FROM), ("Body", "x")], 400, 21211),
        (vec![("To", "whatsapp:+15551234567"), ("From", FROM), ("Body", "x")], 400, 21910),
        (vec![("To", TO), ("From", "?"), ("Body", "x")], 400, 21212),
        (vec![("To", TO), ("From", "+15005550099"), ("Body", "x")], 400, 21606),
        (vec![("To", "whatsapp:+15551234567"), ("From", "whatsapp:+15005550099"), ("Body", "x")], 400, 63007),
        (vec![("To", FROM), ("From", FROM), ("Body", "x")], 400, 21266),
        (base.to_vec(), 400, 21619),
        (with(&[("Body", "")]), 400, 21602),
        (vec![("To", TO), ("From", FROM), ("Body", &long)], 400, 21617),
        (with(&[("MediaUrl", "nonsense")]), 400, 21620),
        (with(&[("Body", "x"), ("StatusCallback", "http://under_score.example/x")]), 400, 21609),
        (with(&[("Body", "x"), ("ValidityPeriod", "0")]), 400, 21624),
        (with(&[("ContentVariables", "{}")]), 400, 21654),
        (with(&[("ContentSid", "HX00000000000000000000000000000000")]), 400, 21655),
        (
            with(&[("ContentSid", "HX51170000000000000000000000000001"), ("ContentVariables", r#"{"1":null}"#)]),
            400,
            21656,
        ),
        (
            with(&[("ContentSid", "HX51170000000000000000000000000001"), ("MediaUrl", "https://x.example/a.png")]),
            400,
            63030,
        ),
        (with(&[("Body", "x"), ("ScheduleType", "fixed"), ("SendAt", "2030-01-01T00:00:00Z")]), 400, 35118),
        (vec![("To", TO), service, ("Body", "x"), ("ScheduleType", "fixed")], 400, 35111),
        (vec![("To", TO), service, ("Body", "x"), ("ScheduleType", "fixed"), ("SendAt", "soon")], 400, 35115),
        (
            vec![("To", TO), service, ("Body", "x"), ("ScheduleType", "fixed"), ("SendAt", "2020-01-01T00:00:00Z")],
            400,
            35114,
        ),
        // Magic numbers.
        (vec![("To", "+15005550001"), ("From", FROM), ("Body", "x")], 400, 21211),
        (vec![("To", "+15005550002"), ("From", FROM), ("Body", "x")], 400, 21612),
        (vec![("To", "+15005550003"), ("From", FROM), ("Body", "x")], 400, 21408),
        (vec![("To", "+15005550004"), ("From", FROM), ("Body", "x")], 400, 21610),
        (vec![("To", "+15005550009"), ("From", FROM), ("Body", "x")], 400, 21614),
    ];
    for (params, status, code) in cases {
        let (got, body) = twilio.create(&params).await;
        assert_eq!((got, body["code"].as_u64()), (status, Some(code)), "{params:?} {body}");
        assert_eq!(body["status"], json!(status));
        assert_eq!(body["more_info"], json!(format!("https://www.twilio.com/docs/errors/{code}")));
        assert!(body["message"].is_string());
    }
    let (status, _) = twilio.create(&[("To", TO), ("From", "MyBrand"), ("Body", "x"), ("NoSuchParameter", "1")]).await;
    assert_eq!(status, 201);
    // JSON is not parsed.
    let answer = twilio
        .http
        .post(twilio.messages_url())
        .basic_auth(ACCOUNT_SID, Some(AUTH_TOKEN))
        .json(&json!({"To": TO}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.json::<Value>().await.expect("JSON")["code"], json!(21604));
    let stats = twilio.running.control().stats();
    assert_eq!((stats.accepted, stats.refused[&21610]), (1, 1));
}

#[tokio::test]
async fn only_the_account_gets_in() {
    let key = "SK000000000000000000000000000000ff";
    let twilio =
        Twilio::start(Settings { api_key_sid: Some(key.into()), api_key_secret: Some("s:ecret".into()), ..quick() })
            .await;
    let form = [("To", TO), ("From", FROM), ("Body", "x")];
    let send = |user: &'static str, password: &'static str, url: String| {
        twilio.http.post(url).basic_auth(user, Some(password)).form(&form).send()
    };
    let answer = send(ACCOUNT_SID, "wrong", twilio.messages_url()).await.expect("an answer");
    assert_eq!(answer.status(), 401);
    assert!(answer.headers().contains_key("www-authenticate"));
    assert_eq!(answer.json::<Value>().await.expect("JSON")["code"], json!(20003));
    assert_eq!(send(key, "s:ecret", twilio.messages_url()).await.expect("an answer").status(), 201);
    assert_eq!(twilio.http.get(twilio.messages_url()).send().await.expect("an answer").status(), 401);

    let foreign = twilio.messages_url().replace(ACCOUNT_SID, "AC00000000000000000000000000000001");
    let lower = twilio.messages_url().replace("Messages.json", "messages.json");
    for url in [foreign, lower] {
        let answer = send(ACCOUNT_SID, AUTH_TOKEN, url).await.expect("an answer");
        assert_eq!(answer.status(), 404);
        assert_eq!(answer.json::<Value>().await.expect("JSON")["code"], json!(20404));
    }
    let (status, account) = twilio.get(&format!("/2010-04-01/Accounts/{ACCOUNT_SID}.json")).await;
    assert_eq!((status, text(&account, "status")), (200, "active"));
}

#[tokio::test]
async fn lists_filter_and_page() {
    let twilio = Twilio::start(quick()).await;
    for n in 0..7 {
        let body = format!("n{n}");
        assert_eq!(twilio.create(&[("To", TO), ("From", FROM), ("Body", &body)]).await.0, 201);
        assert_eq!(twilio.create(&[("To", "+15557654321"), ("From", FROM), ("Body", &body)]).await.0, 201);
    }
    twilio.idle().await;
    let path = format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json");
    for filter in ["To=%2B15551234567&From=%2B15005550006", "To=%2B15551234567"] {
        let (mut uri, mut seen, mut previous) = (format!("{path}?{filter}&PageSize=3"), Vec::new(), Vec::new());
        loop {
            let (status, page) = twilio.get(&uri).await;
            assert_eq!(status, 200);
            assert_eq!(page["page_size"], json!(3));
            let messages = page["messages"].as_array().expect("an array");
            seen.extend(messages.iter().map(|message| text(message, "body").to_owned()));
            previous.push(page["previous_page_uri"].clone());
            match page["next_page_uri"].as_str() {
                Some(next) => {
                    assert!(next.starts_with(&path) && next.contains("PageToken=PASM"), "{next}");
                    uri = next.to_owned();
                }
                None => break,
            }
        }
        assert_eq!(seen, ["n6", "n5", "n4", "n3", "n2", "n1", "n0"]);
        assert_eq!(previous[0], Value::Null);
        let (_, page) = twilio.get(previous[1].as_str().expect("a URI")).await;
        let bodies: Vec<_> =
            page["messages"].as_array().expect("an array").iter().map(|message| text(message, "body")).collect();
        assert_eq!(bodies, ["n6", "n5", "n4"]);
    }
    let count = async |query: &str| twilio.get(&format!("{path}?{query}")).await.1["messages"].as_array().map(Vec::len);
    assert_eq!(count("").await, Some(14));
    assert_eq!(count("PageSize=5&Page=2").await, Some(4));
    assert_eq!(count("From=%2B15005550006&PageSize=1000").await, Some(14));
    // An unescaped plus is a blank.
    assert_eq!(count("To=+15551234567").await, Some(0));
    assert_eq!(count("DateSent%3E=2020-01-01").await, Some(14));
    assert_eq!(count("DateSent%3C=2020-01-01").await, Some(0));
    assert_eq!(twilio.get(&format!("{path}?PageSize=1001")).await.1["code"], json!(20007));
    assert_eq!(
        twilio.get(&format!("{path}?PageToken=PASM00000000000000000000000000000000")).await.1["code"],
        json!(21481)
    );
}

#[tokio::test]
async fn messages_are_redacted_deleted_and_canceled() {
    let mut settings = quick();
    settings.callbacks.delay_ms = 200;
    let twilio = Twilio::start(settings).await;
    let (_, message) = twilio.sms(TO, "").await;
    let sid = text(&message, "sid").to_owned();
    let url = twilio.url(text(&message, "uri"));
    let send = |method: reqwest::Method, form: Option<&'static [(&'static str, &'static str)]>| {
        let request = twilio.http.request(method, &url).basic_auth(ACCOUNT_SID, Some(AUTH_TOKEN));
        form.map_or(request.try_clone(), |form| Some(request.form(form))).expect("a request").send()
    };
    let answer = send(reqwest::Method::DELETE, None).await.expect("an answer");
    assert_eq!(answer.status(), 409);
    assert_eq!(answer.json::<Value>().await.expect("JSON")["code"], json!(20009));
    let answer = send(reqwest::Method::POST, Some(&[("Body", "")])).await.expect("an answer");
    assert_eq!(
        (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON")["body"].clone()),
        (200, json!(""))
    );
    assert_eq!(send(reqwest::Method::POST, Some(&[("Status", "canceled")])).await.expect("an answer").status(), 409);
    twilio.idle().await;
    assert_eq!(send(reqwest::Method::DELETE, None).await.expect("an answer").status(), 204);
    assert_eq!(send(reqwest::Method::GET, None).await.expect("an answer").status(), 404);
    assert_eq!(twilio.fetch(&sid).await["code"], json!(20404));
}

#[tokio::test]
async fn contents_are_rendered_with_samples_for_what_is_missing() {
    let twilio = Twilio::start(quick()).await;
    let (status, message) = twilio
        .create(&[
            ("To", "whatsapp:+15551234567"),
            ("From", "whatsapp:+15005550006"),
            ("ContentSid", "HX51170000000000000000000000000001"),
            ("ContentVariables", r#"{"1":"Zoë","3":"Friday"}"#),
        ])
        .await;
    assert_eq!(status, 201);
    assert_eq!(text(&message, "body"), "Hello Zoë, your order A-1001 is on its way and will arrive on Friday.");
    assert!(text(&message, "sid").starts_with("MM"));
    let shown = twilio.get("/control/messages?to=%2B15551234567").await.1;
    assert_eq!(text(&shown[0], "content_sid"), "HX51170000000000000000000000000001");
    assert_eq!(text(&shown[0], "content_variables"), r#"{"1":"Zoë","3":"Friday"}"#);
}

#[tokio::test]
async fn a_service_has_the_numbers_codes_and_channel_senders_of_the_settings() {
    let senders = ["+15005550006", "12345", "whatsapp:+15005550007"].map(str::to_owned).to_vec();
    let twilio = Twilio::start(Settings { service_senders: senders, ..quick() }).await;
    let service = "/v1/Services/MG00000000000000000000000000000001";
    for (list, key, field, value) in [
        ("PhoneNumbers", "phone_numbers", "phone_number", "+15005550006"),
        ("ShortCodes", "short_codes", "short_code", "12345"),
        ("ChannelSenders", "senders", "sender", "whatsapp:+15005550007"),
    ] {
        let (status, page) = twilio.get(&format!("{service}/{list}?PageSize=1000")).await;
        assert_eq!((status, &page["meta"]["key"]), (200, &json!(key)));
        assert!(page["meta"]["next_page_url"].is_null());
        let entries = page[key].as_array().expect("an array");
        assert_eq!(entries.len(), 1, "{page}");
        assert_eq!(text(&entries[0], field), value);
    }
    assert_eq!(twilio.get("/v1/Services/MG1/PhoneNumbers").await.0, 404);
}

#[tokio::test]
async fn content_lists_page_by_absolute_urls_and_approvals_take_their_time() {
    let twilio = Twilio::start(Settings { approval_delay_ms: 150, ..quick() }).await;
    let (mut url, mut names) = ("/v1/ContentAndApprovals?PageSize=4".to_owned(), Vec::new());
    loop {
        let (status, page) = twilio.get(&url).await;
        assert_eq!(status, 200);
        assert_eq!(page["meta"]["key"], "contents");
        for content in page["contents"].as_array().expect("an array") {
            assert!(content["approval_requests"]["status"].is_string());
            names.push(text(content, "friendly_name").to_owned());
        }
        match page["meta"]["next_page_url"].as_str() {
            Some(next) => url = next.strip_prefix(&twilio.running.base_url()).expect("absolute").to_owned(),
            None => break,
        }
    }
    assert_eq!(names.len(), 11);
    let (_, approved) = twilio.get("/v2/ContentAndApprovals?ChannelEligibility=whatsapp:approved&Language=es").await;
    assert_eq!(approved["contents"].as_array().map(Vec::len), Some(1));

    let draft = json!({"friendly_name": "welcome", "language": "en", "variables": {"1": "you"}, "types": {"twilio/text": {"body": "Welcome {{1}} to our shop"}}});
    let (status, content) = twilio.json(reqwest::Method::POST, "/v1/Content", draft).await;
    assert_eq!(status, 201);
    let sid = text(&content, "sid");
    assert!(
        text(&content["links"], "approval_create").ends_with(&format!("/v1/Content/{sid}/ApprovalRequests/whatsapp"))
    );
    let path = format!("/v1/Content/{sid}/ApprovalRequests");
    let state = async || text(&twilio.get(&path).await.1["whatsapp"], "status").to_owned();
    assert_eq!(state().await, "unsubmitted");
    let ask = json!({"name": "welcome", "category": "MARKETING"});
    let (status, asked) = twilio.json(reqwest::Method::POST, &format!("{path}/whatsapp"), ask.clone()).await;
    assert_eq!((status, text(&asked, "status")), (201, "received"));
    assert_eq!(state().await, "pending");
    assert_eq!(twilio.json(reqwest::Method::POST, &format!("{path}/whatsapp"), ask).await.0, 409);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(state().await, "approved");
    let (status, _) =
        twilio.json(reqwest::Method::PATCH, &format!("/control/contents/{sid}"), json!({"status": "paused"})).await;
    assert_eq!(status, 204);
    assert_eq!(state().await, "paused");
    assert_eq!(
        twilio.json(reqwest::Method::POST, "/v1/Content", json!({"language": "en", "types": {"odd/type": {}}})).await.0,
        400
    );
    let delete = twilio
        .http
        .delete(twilio.url(&format!("/v1/Content/{sid}")))
        .basic_auth(ACCOUNT_SID, Some(AUTH_TOKEN))
        .send()
        .await
        .expect("an answer");
    assert_eq!(delete.status(), 204);
    assert_eq!(twilio.get(&format!("/v1/Content/{sid}")).await.0, 404);
}
