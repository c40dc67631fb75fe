//! The recipient's own page, by the link of a message.

use domain::{
    actor::Actor,
    ids::{ContactId, MessageId},
};
use engine::{own_page, secrets::KeyRing};
use serde_json::{Value, json};
use server::startup::Migrate;

use crate::support::{Answer, TestServer, answer, config, server, servers, until};

const PHONE: &str = "+14155550101";

/// A person with consent and a topic, and the path of the page that a campaign's message to them leads to.
async fn person_and_link(server: &TestServer) -> String {
    server.send("POST", "/topics", &json!({"key": "offers", "name": "Weekly Offers"})).await.assert_status(201);
    server.send("POST", "/topics", &json!({"key": "news", "name": "News"})).await.assert_status(201);
    let ann = json!({"phone": PHONE, "consent": "opted_in", "topics": ["offers"], "attributes": {"city": "Colombo"}});
    server.send("POST", "/contacts", &ann).await.assert_status(201);
    let everybody = json!({"name": "All", "definition": {"combinator": "and", "rules": []}});
    let segment = server.send("POST", "/segments", &everybody).await.assert_status(201).json();
    let text = "Offers for you. {{ preferences_url }}";
    let template = json!({"name": "Offers", "variants": {"en": {"body": text}}});
    let template = server.send("POST", "/templates", &template).await.assert_status(201).json();
    assert_eq!(template["variables"], json!([]), "{template}");
    let campaign =
        json!({"name": "Spring sale", "topic": "offers", "segment_id": segment["id"], "template_id": template["id"]});
    let campaign = server.send("POST", "/campaigns", &campaign).await.assert_status(201).json();
    let path = format!("/campaigns/{}", campaign["id"].as_str().expect("an id"));
    server.act(&format!("{path}/launch")).await.assert_status(202);
    let text = until(async || {
        let sent = server.simulator.conversation(PHONE).into_iter().next();
        sent.map(|message| message.body).ok_or_else(|| "nothing was sent".to_owned())
    })
    .await;
    let link = text.split_once("Offers for you. ").expect("the text").1.to_owned();
    let path = link.strip_prefix(&server.url).unwrap_or_else(|| panic!("{link}")).to_owned();
    assert!(path.len() <= 40 && !path.contains("1415"), "{path}");
    path
}

async fn get(server: &TestServer, path: &str) -> Answer {
    answer(server.request("GET", path)).await
}

async fn press(server: &TestServer, path: &str, form: &[(&str, &str)]) -> Answer {
    answer(server.request("POST", path).form(form)).await
}

async fn contact(server: &TestServer) -> Value {
    server.get(&format!("/contacts/{PHONE}")).await.assert_status(200).json()
}

fn assert_private(answer: &Answer) {
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("x-robots-tag"), "noindex, nofollow");
    assert!(answer.header("set-cookie").is_empty(), "{answer:?}");
}

#[tokio::test]
async fn the_link_of_a_message_shows_why_it_came_and_stops_everything() {
    for server in servers().await {
        let path = person_and_link(&server).await;
        let page = get(&server, &path).await.assert_status(200);
        assert_private(&page);
        for part in
            ["campaign “Spring sale”, about Weekly Offers", "one of our systems recorded it", "+…101", "Colombo"]
        {
            assert!(page.body.contains(part), "{part}: {}", page.body);
        }
        assert!(!page.body.contains("14155550101") && !page.body.contains("<script"), "{}", page.body);

        let stopped = press(&server, &format!("{path}/stop"), &[]).await.assert_status(303);
        assert_private(&stopped);
        let page = get(&server, stopped.header("location")).await.assert_status(200);
        assert!(page.body.contains("You will get no more messages from us"), "{}", page.body);
        assert!(
            page.body.contains("send START to") && !page.body.contains("Stop all messages</button>"),
            "{}",
            page.body
        );
        let ann = contact(&server).await;
        assert_eq!((&ann["consent"], &ann["suppressed"]), (&json!("opted_out"), &json!(true)), "{ann}");
        let timeline = server.get(&format!("/contacts/{PHONE}/timeline")).await.assert_status(200).json();
        let event = timeline["items"].as_array().expect("items").iter().find(|entry| entry["kind"] == "consent");
        let event = event.expect("a consent event");
        assert_eq!(event["source"], "recipient_page", "{timeline}");
        assert!(event["text"].as_str().is_some_and(|words| words.contains("Stop all messages")), "{timeline}");
        let suppressions = server.get("/suppressions?phone=%2B14155550101").await.assert_status(200).json();
        assert_eq!(suppressions["items"][0]["reason"], "stop", "{suppressions}");
        // Only the person's START lifts it.
        let lift = json!({"consent": "opted_in", "source": "form", "evidence": "signed"});
        server.send("PUT", &format!("/contacts/{PHONE}/consent"), &lift).await.assert_status(409);
        press(&server, &format!("{path}/topics"), &[("topic", "news"), ("on", "true")]).await.assert_status(303);
        assert_eq!(contact(&server).await["topics"], json!(["offers"]));

        // Twice is once.
        press(&server, &format!("{path}/stop"), &[]).await.assert_status(303);
        let again = server.get(&format!("/contacts/{PHONE}/timeline")).await.assert_status(200).json();
        assert_eq!(again["items"].as_array().map(Vec::len), timeline["items"].as_array().map(Vec::len), "{again}");
        let replay = server.engine.replay(&Actor::command_line(), false).await.expect("a replay");
        assert_eq!(replay.differences, Vec::<String>::new());
        server.stop().await;
    }
}

#[tokio::test]
async fn looking_changes_nothing() {
    let server = server().await;
    let path = person_and_link(&server).await;
    let before = (contact(&server).await, server.get("/audit").await.json());
    for _ in 0..3 {
        for path in [path.clone(), format!("{path}?done=stopped"), format!("{path}?done=off&topic=offers")] {
            let page = get(&server, &path).await.assert_status(200);
            assert!(!page.body.contains("Done."), "a link cannot claim what is not so: {}", page.body);
        }
        for path in [format!("{path}/stop"), format!("{path}/topics?topic=offers&on=false")] {
            get(&server, &path).await.assert_status(405);
        }
        answer(server.request("HEAD", &path)).await.assert_status(200);
        get(&server, &format!("{path}/data.json")).await.assert_status(200);
    }
    assert_eq!((contact(&server).await, server.get("/audit").await.json()), before);
}

#[tokio::test]
async fn topics_go_off_and_on_while_consent_allows() {
    for server in servers().await {
        let path = person_and_link(&server).await;
        let topics = format!("{path}/topics");
        let off = press(&server, &topics, &[("topic", "offers"), ("on", "false")]).await.assert_status(303);
        assert!(get(&server, off.header("location")).await.body.contains("Done. Weekly Offers is off."));
        assert_eq!(contact(&server).await["topics"], json!([]));
        // Nobody but the person subscribes them again.
        let subscribe = format!("/contacts/{PHONE}/topics/offers");
        answer(server.api("PUT", &subscribe)).await.assert_status(409);
        for topic in ["offers", "news"] {
            press(&server, &topics, &[("topic", topic), ("on", "true")]).await.assert_status(303);
        }
        assert_eq!(contact(&server).await["topics"], json!(["news", "offers"]));
        let gone = press(&server, &topics, &[("topic", "nothing"), ("on", "true")]).await.assert_status(303);
        assert!(get(&server, gone.header("location")).await.body.contains("no such topic any more"));
        press(&server, &topics, &[("topic", "offers"), ("on", "perhaps")]).await.assert_status(422);

        // Without consent a topic can only be left.
        let out = json!({"consent": "opted_out", "source": "phone", "evidence": "said so"});
        server.send("PUT", &format!("/contacts/{PHONE}/consent"), &out).await.assert_status(200);
        press(&server, &topics, &[("topic", "news"), ("on", "false")]).await.assert_status(303);
        let refused = press(&server, &topics, &[("topic", "news"), ("on", "true")]).await.assert_status(303);
        let page = get(&server, refused.header("location")).await.body;
        assert!(page.contains("Nothing was changed."), "{page}");
        assert_eq!(contact(&server).await["topics"], json!(["offers"]));
        server.stop().await;
    }
}

#[tokio::test]
async fn a_person_gets_their_data_and_after_erasure_a_calm_page() {
    for server in servers().await {
        let path = person_and_link(&server).await;
        let file = get(&server, &format!("{path}/data.json")).await.assert_status(200);
        assert_private(&file);
        assert!(file.header("content-disposition").starts_with("attachment"), "{file:?}");
        let data = file.json();
        assert_eq!((&data["contact"]["phone"], data["messages"].as_array().map(Vec::len)), (&json!(PHONE), Some(1)));

        answer(server.api("DELETE", &format!("/contacts/{PHONE}"))).await.assert_status(204);
        let page = get(&server, &path).await.assert_status(200);
        assert!(page.body.contains("We hold nothing about you any more"), "{}", page.body);
        for action in ["stop", "topics"] {
            let form = [("topic", "offers"), ("on", "false")];
            let done = press(&server, &format!("{path}/{action}"), &form).await.assert_status(303);
            assert!(get(&server, done.header("location")).await.body.contains("We hold nothing"));
        }
        assert!(get(&server, &format!("{path}/data.json")).await.assert_status(200).body.contains("We hold nothing"));
        // Stored again, it is somebody whom the link does not know.
        server.send("POST", "/contacts", &json!({"phone": PHONE, "consent": "opted_in"})).await.assert_status(201);
        press(&server, &format!("{path}/stop"), &[]).await.assert_status(303);
        assert_eq!(contact(&server).await["consent"], "opted_in");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_link_that_is_not_ours_is_nothing_and_guessing_gets_slow() {
    let server = server().await;
    let path = person_and_link(&server).await;
    let foreign = KeyRing::parse(&KeyRing::generate()).expect("a key");
    let foreign = own_page::token(&foreign, ContactId(1), MessageId(1));
    let good = path.strip_prefix("/p/").expect("a token");
    let mut cut = good.to_owned();
    cut.pop();
    let first = get(&server, "/p/sample").await.assert_status(404);
    assert_private(&first);
    for token in
        [foreign.as_str(), &cut, &good.replace(&good[3..4], if &good[3..4] == "A" { "B" } else { "A" }), "%00", "a%2Fb"]
    {
        let wrong = get(&server, &format!("/p/{token}")).await.assert_status(404);
        assert_eq!(wrong.body, first.body, "{token}: no hint");
        let wrong = press(&server, &format!("/p/{token}/stop"), &[]).await.assert_status(404);
        assert_eq!(wrong.body, first.body, "{token}");
    }
    let mut status = 404;
    for _ in 0..20 {
        let wrong = get(&server, "/p/guess").await;
        status = wrong.status.as_u16();
        if status == 429 {
            assert!(wrong.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{wrong:?}");
            break;
        }
    }
    assert_eq!(status, 429);
    get(&server, &path).await.assert_status(200);
    assert_eq!(contact(&server).await["consent"], "opted_in");
}

#[tokio::test]
async fn no_recipient_is_shown_the_door_of_the_staff() {
    let server = server().await;
    let path = person_and_link(&server).await;
    let page = get(&server, &path).await.assert_status(200);
    assert_eq!(get(&server, &format!("{path}/")).await.assert_status(200).body, page.body);
    let nothing = get(&server, "/p/sample").await.assert_status(404);
    let below = format!("{path}/nope");
    for path in ["/p", "/p/", "/p//x", &below, "/r", "/r/", "/r/nope", "/r/nope/more"] {
        for method in ["GET", "POST"] {
            let unknown = answer(server.request(method, path)).await.assert_status(404);
            assert_private(&unknown);
            assert_eq!(unknown.body, nothing.body, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn links_go_on_working_when_the_key_was_rotated() {
    let database = testkit::unmigrated().await.remove(0);
    let data = database.dir.path().join("data");
    let old = KeyRing::generate();
    let ring = |text: &str| KeyRing::parse(text).expect("keys");
    let mut config = config(database.url.clone(), data);
    config.keys = ring(&old);
    let built = server::startup::build(&config, Migrate::Yes, engine::workers::Role::All).await.expect("a server");
    let admin = Actor::command_line();
    let new = serde_json::from_value(json!({"phone": PHONE, "consent": "opted_in"})).expect("a contact");
    built.engine().contacts().create(&admin, new).await.expect("a contact");
    drop(built);
    let db = store::Db::connect(&database.url, 2).await.expect("the database");
    let id =
        store::contacts::find(db.reader(), &PHONE.parse().expect("a phone")).await.expect("a look").expect("Ann").id;
    db.close().await.expect("closed");
    let token = own_page::token(&ring(&old), id, MessageId(1));

    config.keys = ring(&format!("{},{old}", KeyRing::generate()));
    let built = server::startup::build(&config, Migrate::Yes, engine::workers::Role::All).await.expect("a server");
    let page = built.engine().recipient().page(&token).await.expect("a page");
    assert!(matches!(page, domain::recipient::OwnPage::Known(person) if person.why.is_none()));
    assert_eq!(built.engine().recipient().stop(&token).await.expect("stopped"), domain::recipient::Change::Stopped);
}
