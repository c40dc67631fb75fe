//! What people's browsers meet: sessions, origins, headers, files.

use domain::{actor::Actor, role::Role};

use serde_json::json;
use simulator::Inbound;

use crate::support::{ADMIN, Answer, TestServer, answer, cookie, server, servers};

#[tokio::test]
async fn visitors_are_sent_to_the_login_page_and_back() {
    let server = server().await;
    let page = answer(server.request("GET", "/campaigns?status=running")).await.assert_status(303);
    assert_eq!(page.header("location"), "/login?next=%2Fcampaigns%3Fstatus%3Drunning");
    let login = answer(server.request("GET", "/login")).await.assert_status(200);
    assert!(login.body.contains("name=\"email\"") && login.body.contains("name=\"password\""), "{}", login.body);
    answer(server.request("GET", "/imports/none/rejects.csv")).await.assert_status(303);
    // A script that calls a server function is told so in its own words.
    let script = answer(server.request("POST", "/_fn/anything")).await.assert_status(401);
    assert!(script.body.contains("Unauthenticated"), "{}", script.body);
}

#[tokio::test]
async fn sessions_begin_with_the_login_and_end_with_the_logout() {
    for server in servers().await {
        let session = server.log_in().await;
        let page = answer(server.request("GET", "/").header("cookie", &session)).await.assert_status(200);
        assert!(page.body.contains("Dashboard"), "{}", page.body);
        // The id is a new one after each login, and only its hash is stored.
        let again = answer(
            server
                .request("POST", "/login")
                .header("cookie", &session)
                .form(&[("email", ADMIN.0), ("password", ADMIN.1)]),
        );
        let again = again.await.assert_status(303);
        assert_ne!(cookie(&again), session);
        answer(server.request("GET", "/").header("cookie", &session)).await.assert_status(303);
        let session = cookie(&again);
        answer(server.request("POST", "/logout").header("cookie", &session)).await.assert_status(303);
        answer(server.request("GET", "/").header("cookie", &session)).await.assert_status(303);
        server.stop().await;
    }
}

async fn change_password(server: &TestServer, session: &str, words: [&str; 3]) -> Answer {
    let [present, new, repeated] = words;
    let form = [("present", present), ("new", new), ("repeated", repeated)];
    answer(server.request("POST", "/account/password").header("cookie", session).form(&form)).await.assert_status(303)
}

#[tokio::test]
async fn another_password_renews_this_session_and_ends_all_others() {
    const NEW: &str = "a better one than that";
    for server in servers().await {
        let (here, elsewhere) = (server.log_in().await, server.log_in().await);
        let page = async |session: &str| answer(server.request("GET", "/account").header("cookie", session)).await;
        assert!(page(&here).await.assert_status(200).body.contains(ADMIN.0));
        for (words, error) in [
            (["not it at all", NEW, NEW], "present"),
            ([ADMIN.1, "short", "short"], "length"),
            ([ADMIN.1, ADMIN.1, ADMIN.1], "same"),
            ([ADMIN.1, NEW, "something else, then"], "repeated"),
        ] {
            let refused = change_password(&server, &here, words).await;
            assert_eq!(refused.header("location"), format!("/account?error={error}"));
            page(&elsewhere).await.assert_status(200);
        }
        let changed = change_password(&server, &here, [ADMIN.1, NEW, NEW]).await;
        assert_eq!(changed.header("location"), "/account?done=password_changed");
        let renewed = cookie(&changed);
        assert_ne!(renewed, here, "the id is a new one");
        page(&renewed).await.assert_status(200);
        for ended in [&here, &elsewhere] {
            assert_eq!(page(ended).await.assert_status(303).header("location"), "/login?next=%2Faccount");
        }
        for (password, goes_to) in [(ADMIN.1, "/login?error=wrong"), (NEW, "/")] {
            let form = [("email", ADMIN.0), ("password", password)];
            let login = answer(server.request("POST", "/login").form(&form)).await;
            assert!(login.header("location").starts_with(goes_to), "{login:?}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn whoever_was_given_a_password_is_asked_for_another_on_every_page() {
    const NOTICE: &str = "You still use the one-time password.";
    let server = server().await;
    let accounts = server.engine.accounts();
    let given =
        accounts.create(&Actor::command_line(), "ada@example.org", Role::Viewer, None).await.expect("an account");
    let given = given.1.expect("a one-time password");
    let form = [("email", "ada@example.org"), ("password", &given)];
    let session = cookie(&answer(server.request("POST", "/login").form(&form)).await.assert_status(303));
    let page = async |path: &str, session: &str| {
        answer(server.request("GET", path).header("cookie", session)).await.assert_status(200).body
    };
    for path in ["/", "/contacts", "/account"] {
        assert!(page(path, &session).await.contains(NOTICE), "{path}");
    }
    let new = "my own words for it";
    let changed = change_password(&server, &session, [&given, new, new]).await;
    assert!(!page("/", &cookie(&changed)).await.contains(NOTICE));
    let admin = server.log_in().await;
    assert!(!page("/", &admin).await.contains(NOTICE), "the admin chose their password");
    // Nobody's password is changed without a session.
    let nobody = change_password(&server, "", [new, "another one again", "another one again"]).await;
    assert_eq!(nobody.header("location"), "/login");
}

#[tokio::test]
async fn the_session_cookie_is_for_this_site_and_no_script() {
    let server = server().await;
    let form = [("email", ADMIN.0), ("password", ADMIN.1), ("next", "https://evil.example/")];
    let login = answer(server.request("POST", "/login").form(&form)).await.assert_status(303);
    assert_eq!(login.header("location"), "/", "nobody is sent to another site");
    let cookie = login.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert!(!cookie.contains("Secure"), "http: {cookie}");
}

#[tokio::test]
async fn a_wrong_password_says_no_more_than_that() {
    let server = server().await;
    for email in [ADMIN.0, "nobody@example.org"] {
        let login = answer(server.request("POST", "/login").form(&[("email", email), ("password", "wrong")])).await;
        assert_eq!(login.status, 303);
        assert_eq!(login.header("location"), "/login?error=wrong", "no e-mail in an address");
        let kept = login.header("set-cookie").to_owned();
        for part in ["ese_login=", "HttpOnly", "SameSite=Lax", "Path=/login", "Max-Age=60"] {
            assert!(kept.contains(part), "{kept}");
        }
        let request = server.request("GET", "/login?error=wrong").header("cookie", cookie(&login));
        let page = answer(request).await.assert_status(200).body;
        assert!(page.contains("role=\"alert\"") && page.contains(&format!("value=\"{email}\"")), "{page}");
        assert!(page.contains("login__brand") && page.contains("Event Stream Engine"), "{page}");
        // Nobody's e-mail stands on other pages, nor without the cookie, nor by a link.
        let page = answer(server.request("GET", &format!("/login?email={email}"))).await.assert_status(200).body;
        assert!(!page.contains(&format!("value=\"{email}\"")), "{page}");
    }
    let wrong = answer(server.request("POST", "/login").form(&[("email", ADMIN.0), ("password", "wrong")])).await;
    let form = [("email", ADMIN.0), ("password", ADMIN.1)];
    let right = answer(server.request("POST", "/login").header("cookie", cookie(&wrong)).form(&form)).await;
    let ended = right
        .headers
        .get_all("set-cookie")
        .iter()
        .any(|set| set.to_str().is_ok_and(|set| set.starts_with("ese_login=;") && set.contains("Max-Age=0")));
    assert!(ended, "{right:?}");
}

#[tokio::test]
async fn other_sites_cannot_post_with_a_visitors_cookie() {
    let server = server().await;
    let session = server.log_in().await;
    let post = |name: &'static str, value: String| {
        answer(server.request("POST", "/logout").header("cookie", &session).header(name, value))
    };
    post("sec-fetch-site", "cross-site".to_owned()).await.assert_status(403);
    post("sec-fetch-site", "same-site".to_owned()).await.assert_status(403);
    post("origin", "https://evil.example".to_owned()).await.assert_status(403);
    answer(server.request("GET", "/").header("cookie", &session)).await.assert_status(200);
    post("origin", server.url.clone()).await.assert_status(303);
}

#[tokio::test]
async fn a_page_of_an_earlier_version_is_told_so() {
    let server = server().await;
    let session = server.log_in().await;
    let gone = || server.request("POST", "/_fn/gone_since_then").header("cookie", &session);
    let script = answer(gone()).await.assert_status(404);
    assert_eq!((script.header("content-type"), script.body.as_str()), ("application/json", "\"Outdated\""));
    // A browser by itself gets a page.
    let form = answer(gone().header("accept", "text/html")).await.assert_status(404);
    assert!(form.body.contains("There is nothing here"), "{}", form.body);
}

/// The address that the box of a conversation sends an answer to.
fn reply_function(page: &str) -> &str {
    let mut tags = page.split("<form ").filter_map(|rest| rest.split('>').next());
    let tag = tags.find(|tag| tag.contains("thread__form")).unwrap_or_else(|| panic!("no box: {page}"));
    tag.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an action")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_into_a_form_that_failed_stands_in_no_address() {
    const PERSON: &str = "+14155550178";
    const WORDS: &str = "Between you and me";
    for server in servers().await {
        let session = server.log_in().await;
        let says = async |words: &str| {
            let inbound =
                Inbound { from: format!("whatsapp:{PERSON}"), body: Some(words.to_owned()), ..Inbound::default() };
            assert_eq!(server.simulator.inbound(inbound).await.expect("it is reached").status, Some(200));
        };
        says("Hello?").await;
        let get = async |path: &str, session: &str| answer(server.request("GET", path).header("cookie", session)).await;
        let home = format!("/inbox/{PERSON}");
        let page = get(&home, &session).await.assert_status(200).body;
        let function = reply_function(&page).to_owned();
        let senders = server.get("/senders").await.json();
        let senders = senders["items"].as_array().expect("senders");
        let sender = senders.iter().find(|sender| sender["channel"] == "whatsapp").expect("one of WhatsApp");
        // As a browser without scripts sends it; returns the path that it is led to.
        let send = async |from: &str, sender: &str, text: &str| {
            let request = server
                .request("POST", &function)
                .header("cookie", &session)
                .header("accept", "text/html")
                .header("referer", format!("{}{from}", server.url));
            let form = [("number", PERSON), ("sender", sender), ("text", text)];
            let led = answer(request.form(&form)).await.assert_status(302);
            led.header("location").strip_prefix(&server.url).expect("a page of ours").to_owned()
        };

        let failed = send(&home, "none", WORDS).await;
        let id = failed.strip_prefix(&format!("{home}?__err=")).unwrap_or_else(|| panic!("{failed}"));
        assert!(id.len() == 22 && !id.contains('&'), "nothing but an id: {failed}");
        for _ in 0..2 {
            let page = get(&failed, &session).await.assert_status(200).body;
            // Once for the box, once for the scripts that there may be.
            assert!(page.matches(WORDS).count() >= 2 && page.contains("Choose one of the senders."), "{page}");
        }
        assert!(!get(&home, &session).await.assert_status(200).body.contains(WORDS), "on its own page alone");
        let accounts = server.engine.accounts();
        let given = accounts.create(&Actor::command_line(), "ada@example.org", Role::Admin, None).await;
        let password = given.expect("an account").1.expect("a one-time password");
        let form = [("email", "ada@example.org"), ("password", &password)];
        let another = cookie(&answer(server.request("POST", "/login").form(&form)).await.assert_status(303));
        assert!(!get(&failed, &another).await.assert_status(200).body.contains(WORDS), "it is somebody else's");

        // The next try takes its place, however long it is.
        let long = format!("{WORDS}: {}", "x".repeat(100_000));
        let again = send(&failed, sender["id"].as_str().expect("an id"), &long).await;
        assert_ne!(again, failed);
        assert!(get(&again, &session).await.assert_status(200).body.contains(&long));
        assert!(!get(&failed, &session).await.assert_status(200).body.contains(WORDS));
        // A script is told the same: what was typed comes back with what was wrong, together more than a form may be.
        let full = "x".repeat(1024 * 1024 - 64);
        let form = [("number", PERSON), ("sender", "none"), ("text", full.as_str())];
        let told = answer(server.request("POST", &function).header("cookie", &session).form(&form)).await;
        assert!(told.assert_status(422).body.contains(&full), "not all of it");
        let taken = send(&again, sender["id"].as_str().expect("an id"), "At nine.").await;
        assert_eq!(taken.trim_end_matches('?'), home);
        assert!(!get(&again, &session).await.assert_status(200).body.contains(WORDS), "nothing stays");

        // Where nothing can go out any more, there is no box.
        let failed = send(&home, "none", WORDS).await;
        says("STOP").await;
        let page = get(&failed, &session).await.assert_status(200).body;
        assert!(page.contains("They opted out.") && page.contains("What you wrote was not sent"), "{page}");
        assert!(page.matches(WORDS).count() >= 2, "{page}");

        // Whoever fails again and again fills no disk: the newest are kept.
        for _ in 0..20 {
            send(&home, "none", "Again").await;
        }
        assert!(!get(&failed, &session).await.assert_status(200).body.contains(WORDS));
        let failed = send(&home, "none", WORDS).await;
        assert!(get(&failed, &session).await.assert_status(200).body.contains(WORDS));

        // It is stored sealed, and for a while.
        server
            .tamper(&format!("UPDATE sessions SET expires_at = 0 WHERE id LIKE 'form:%' AND data NOT LIKE '%{WORDS}%'"))
            .await;
        assert!(!get(&failed, &session).await.assert_status(200).body.contains(WORDS));
        server.stop().await;
    }
}

#[tokio::test]
async fn forms_have_a_limit() {
    let server = server().await;
    let session = server.log_in().await;
    let huge = server.request("POST", "/_fn/anything").header("cookie", &session).form(&[("x", "y".repeat(2_000_000))]);
    answer(huge).await.assert_status(413);
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_protect_it() {
    let server = server().await;
    for path in ["/login", "/healthz", "/api/v1/contacts", "/api/docs", "/metrics"] {
        let page = answer(server.request("GET", path)).await;
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(page.header("x-frame-options"), "DENY", "{path}");
        assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(!page.header("x-request-id").is_empty(), "{path}");
    }
    let known = answer(server.request("GET", "/healthz").header("x-request-id", "mine-1")).await;
    assert_eq!(known.header("x-request-id"), "mine-1");
}

#[tokio::test]
async fn inline_scripts_carry_the_nonce_of_the_policy() {
    let server = server().await;
    let page = answer(server.request("GET", "/login")).await.assert_status(200);
    let policy = page.header("content-security-policy").to_owned();
    let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce");
    assert!(!policy.contains("unsafe-inline") && policy.contains("style-src 'self'"), "{policy}");
    for script in page.body.split("<script").skip(1) {
        let tag = script.split('>').next().unwrap_or_default();
        assert!(tag.contains(nonce) || tag.contains("src="), "<script{tag}>");
    }
    assert!(!page.body.contains(" style="), "the policy refuses inline styles");
    let second = answer(server.request("GET", "/login")).await;
    assert!(!second.header("content-security-policy").contains(nonce), "a nonce serves once");
}

#[tokio::test]
async fn operators_see_health_readiness_and_metrics() {
    for server in servers().await {
        assert_eq!(answer(server.request("GET", "/healthz")).await.assert_status(200).body, "ok\n");
        assert_eq!(
            answer(server.request("GET", "/readyz")).await.assert_status(200).body,
            format!("ready\ntime zones {}\n", engine::zones::version())
        );
        server.get("/contacts/+14155550142").await.assert_status(404);
        let metrics = answer(server.request("GET", "/metrics")).await.assert_status(200);
        assert!(
            metrics
                .body
                .contains("http_requests_total{method=\"GET\",route=\"/api/v1/contacts/{phone}\",status=\"404\"}"),
            "{}",
            metrics.body
        );
        assert!(!metrics.body.contains("14155550142"), "no phone in a label");
        server.stop().await;
    }
}

#[tokio::test]
async fn files_come_in_through_the_import_form() {
    let server = server().await;
    let session = server.log_in().await;
    let form = |body: &str| {
        let body = body.replace('\n', "\r\n");
        let kind = "multipart/form-data; boundary=x";
        answer(server.request("POST", "/imports").header("cookie", &session).header("content-type", kind).body(body))
    };
    let good = "--x\nContent-Disposition: form-data; name=\"country\"\n\nLK\n--x\nContent-Disposition: form-data; name=\"file\"; filename=\"p.csv\"\nContent-Type: text/csv\n\nphone\n0771234567\nnobody\n--x--\n";
    let taken = form(good).await.assert_status(303);
    let id = taken.header("location").strip_prefix("/imports/").expect("the import's page").to_owned();
    let report = crate::support::until(async || {
        let import = server.get(&format!("/imports/{id}")).await.json();
        if import["status"] == "done" { Ok(import) } else { Err(import.to_string()) }
    })
    .await;
    assert_eq!((&report["created"], &report["rejected"]), (&1.into(), &1.into()), "{report}");
    let rejects = answer(server.request("GET", &format!("/imports/{id}/rejects.csv")).header("cookie", &session)).await;
    assert!(rejects.assert_status(200).body.contains("nobody"));

    let empty = form("--x\nContent-Disposition: form-data; name=\"file\"; filename=\"p.csv\"\n\n\n--x--\n").await;
    assert!(empty.assert_status(303).header("location").starts_with("/imports/new?error="));
    let none = form("--x--\n").await;
    assert!(none.assert_status(303).header("location").starts_with("/imports/new?error="));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_a_person_sent_is_shown_and_what_may_hold_a_script_only_saved() {
    const PERSON: &str = "+14155550177";
    for server in servers().await {
        let session = server.log_in().await;
        let say = async |inbound: Inbound| {
            let inbound = Inbound { from: format!("whatsapp:{PERSON}"), ..inbound };
            assert_eq!(server.simulator.inbound(inbound).await.expect("it is reached").status, Some(200));
            let heard = server.get(&format!("/inbound?phone={PERSON}")).await.assert_status(200).json();
            heard["items"][0]["id"].as_str().unwrap_or_else(|| panic!("no id: {heard}")).to_owned()
        };
        let get = async |path: String| answer(server.request("GET", &path).header("cookie", &session)).await;
        let picture = say(Inbound { num_media: Some(1), ..Inbound::default() }).await;
        let href = format!("/inbox/media/{picture}/0");
        let page = get(format!("/inbox/{PERSON}")).await.assert_status(200);
        assert!(page.body.contains(&format!("<img src=\"{href}\"")), "{}", page.body);

        let file = server.request("GET", &href).header("cookie", &session).send().await.expect("an answer");
        assert_eq!(file.status(), 200);
        let header = |name: &str| file.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(["content-type", "x-content-type-options"].map(header), ["image/jpeg", "nosniff"]);
        assert!(header("content-security-policy").starts_with("default-src 'none'"));
        assert!(file.bytes().await.expect("a whole body").starts_with(&[0xff, 0xd8]), "no JPEG");

        // Nobody else sees it, and there is no other one.
        answer(server.request("GET", &href)).await.assert_status(303);
        get(format!("/inbox/media/{picture}/1")).await.assert_status(404);
        // What was never at Twilio is not asked for anywhere.
        let media = vec![simulator::Media { url: format!("{}/healthz", server.url), content_type: "text/html".into() }];
        let page = say(Inbound { media, ..Inbound::default() }).await;
        get(format!("/inbox/media/{page}/0")).await.assert_status(404);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_campaign_that_cannot_be_read_is_named_where_the_others_stand() {
    for server in servers().await {
        let session = server.log_in().await;
        server.send("POST", "/campaigns", &json!({ "name": "Spring sale" })).await.assert_status(201);
        let made = server.send("POST", "/campaigns", &json!({ "name": "Moonlight" })).await.assert_status(201).json();
        let id = made["id"].as_str().expect("an id");
        let change = "UPDATE campaigns SET trigger_json = '{\"type\":\"full_moon\"}' WHERE name = 'Moonlight'";
        server.tamper(change).await;
        let list = server.get("/campaigns").await.assert_status(200).json();
        assert_eq!(
            (&list["items"][0]["name"], list["items"].as_array().map(Vec::len)),
            (&json!("Spring sale"), Some(1))
        );
        let named = &list["unreadable"][0];
        assert_eq!((&named["id"], &named["status"]), (&json!(id), &json!("draft")));
        let page = async |path: &str| answer(server.request("GET", path).header("cookie", &session)).await;
        for path in ["/campaigns", "/"] {
            let shown = page(path).await.assert_status(200).body;
            for words in ["Spring sale", "Moonlight", "cannot be read by this version"] {
                assert!(shown.contains(words), "{path}: {shown}");
            }
        }
        let alone = page(&format!("/campaigns/{id}")).await.body;
        assert!(alone.contains("cannot read this campaign"), "{alone}");
        server.get(&format!("/campaigns/{id}")).await.assert_status(409);

        // A run of it is stopped all the same: from the list, or by a program.
        let set = |from: &str, to: &str| {
            format!("UPDATE campaigns SET status = '{to}' WHERE name = 'Moonlight' AND status = '{from}'")
        };
        let draft = page("/campaigns").await.body;
        assert!(!draft.contains("Pause \u{201c}Moonlight\u{201d}"), "there is nothing to pause: {draft}");
        server.tamper(&set("draft", "running")).await;
        let shown = page("/campaigns").await.body;
        assert!(shown.contains("Pause \u{201c}Moonlight\u{201d}"), "{shown}");
        let before = shown.split(&format!("value=\"{id}\"")).next().expect("a form");
        let function = before.rsplit("action=\"").next().and_then(|rest| rest.split('"').next()).expect("an action");
        let form = [("campaign", id), ("verb", "pause")];
        let post = server.request("POST", function).header("cookie", &session).header("accept", "text/html");
        let led = answer(post.form(&form)).await.assert_status(302);
        assert!(led.header("location").ends_with("/campaigns?done=paused"), "{led:?}");
        // What was typed comes back, although the campaign is read before the words are looked at.
        let typed = [("campaign", id), ("verb", "set_fallback"), ("variable", "first_name"), ("words", "dear friend")];
        let script = server.request("POST", function).header("cookie", &session);
        let refused = answer(script.form(&typed)).await.assert_status(409).body;
        assert!(refused.contains("dear friend"), "{refused}");
        server.act(&format!("/campaigns/{id}/resume")).await.assert_status(409);
        server.tamper(&set("paused", "running")).await;
        server.act(&format!("/campaigns/{id}/pause")).await.assert_status(204);
        server.tamper(&set("paused", "running")).await;
        assert_eq!(server.act(&format!("/campaigns/{id}/cancel")).await.assert_status(204).body, "");
        server.tamper(&set("cancelled", "cancelled")).await;
        server.act(&format!("/campaigns/{id}/cancel")).await.assert_status(409);
        server.stop().await;
    }
}

#[tokio::test]
async fn what_law_lets_a_person_get_at_most_is_shown_with_its_source() {
    let server = server().await;
    let session = server.log_in().await;
    let request = server.request("GET", "/settings/quiet-hours").header("cookie", &session);
    let page = answer(request).await.assert_status(200).body;
    for words in
        ["3 messages on one subject in 24 hours", "United States: FL, OK", "501.059(8)(b)", "read on 2026-11-28"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[tokio::test]
async fn where_no_campaign_can_be_read_there_is_no_empty_list() {
    for server in servers().await {
        let session = server.log_in().await;
        let begin = async |count: usize| {
            for _ in 0..count {
                server.send("POST", "/campaigns", &json!({ "name": "Moonlight" })).await.assert_status(201);
            }
            server.tamper("UPDATE campaigns SET trigger_json = '{\"type\":\"full_moon\"}'").await;
        };
        let page = async |path: &str| {
            let shown = answer(server.request("GET", path).header("cookie", &session)).await.assert_status(200).body;
            assert!(shown.contains("cannot be read by this version"), "{path}: {shown}");
            for words in ["<table", "No campaigns yet", "No campaign matches", "Your first campaign"] {
                assert!(!shown.contains(words), "{path}: {words}: {shown}");
            }
            shown
        };
        begin(1).await;
        assert!(page("/").await.contains("None of the latest can be shown"));
        assert!(!page("/campaigns").await.contains("rel=\"next\""));
        // Where they fill a page, one gets to the next all the same, and back.
        begin(50).await;
        page("/").await;
        assert!(page("/campaigns").await.contains("rel=\"next\""));
        let list = server.get("/campaigns").await.assert_status(200).json();
        let cursor = list["next_cursor"].as_str().expect("another page");
        assert!(page(&format!("/campaigns?cursor={cursor}")).await.contains("rel=\"first\""));
        server.stop().await;
    }
}
