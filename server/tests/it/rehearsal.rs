//! A campaign rehearsed, looked at, launched and asked about, as a program does it.

use serde_json::{Value, json};

use crate::support::{answer, servers, until};

#[tokio::test]
async fn a_program_rehearses_launches_and_asks_why() {
    for server in servers().await {
        for (phone, name, city) in [
            ("+14155550101", Some("Ann"), "Colombo"),
            ("+14155550102", None, "Colombo"),
            ("+14155550103", Some("Cem"), "Kandy"),
        ] {
            let attributes = match name {
                Some(name) => json!({"first_name": name, "city": city}),
                None => json!({"city": city}),
            };
            let new = json!({"phone": phone, "attributes": attributes});
            server.send("POST", "/contacts", &new).await.assert_status(201);
            let yes = json!({"consent": "opted_in", "source": "form", "evidence": "ticked"});
            server.send("PUT", &format!("/contacts/{phone}/consent"), &yes).await.assert_status(200);
        }
        let rules = json!([{"field": "attributes.city", "operator": "=", "value": "Colombo"}]);
        let segment = json!({"name": "Colombo", "definition": {"combinator": "and", "rules": rules}});
        let segment = server.send("POST", "/segments", &segment).await.assert_status(201).json()["id"].clone();
        let template = json!({"name": "Hello", "variants": {"en": {"body": "Hi {{ first_name }}"}}});
        let template = server.send("POST", "/templates", &template).await.assert_status(201).json()["id"].clone();
        let new = json!({"name": "First", "segment_id": segment, "template_id": template});
        let campaign = server.send("POST", "/campaigns", &new).await.assert_status(201).json();
        let path = format!("/campaigns/{}", campaign["id"].as_str().expect("an id"));

        let check = server.get(&format!("{path}/launch-check")).await.assert_status(200).json();
        assert_eq!((&check["audience"], &check["skipped"], &check["problems"]), (&json!(2), &json!({}), &json!([])));
        server.get(&format!("{path}/rehearsal")).await.assert_status(404);
        let begun = server.act(&format!("{path}/rehearse")).await.assert_status(202).json();
        assert!(["planning", "rehearsed"].contains(&begun["status"].as_str().unwrap_or_default()), "{begun}");
        let run = format!("/runs/{}", begun["id"].as_str().expect("an id"));
        let rehearsed = until(async || {
            let run = server.get(&run).await.assert_status(200).json();
            if run["status"] == "rehearsed" { Ok(run) } else { Err(run.to_string()) }
        })
        .await;
        let found = &rehearsed["rehearsal"];
        assert_eq!(found["outcomes"], json!({"send": 1, "skip": 1}), "{rehearsed}");
        assert_eq!(found["missing_variables"], json!({"first_name": 1}), "{rehearsed}");
        assert_eq!(found["plan_hash"].as_str().map(str::len), Some(64), "{rehearsed}");
        let looked = server.get(&format!("{path}/rehearsal")).await.assert_status(200).json();
        assert_eq!((&looked["run"]["id"], &looked["since"]["joined"]), (&begun["id"], &json!(0)), "{looked}");
        let file = server.get(&format!("{run}/plan.csv")).await.assert_status(200);
        assert!(file.header("content-type").starts_with("text/csv"));
        assert!(
            file.body.contains(",send,,")
                && file.body.contains(",Hi Ann")
                && file.body.contains(",skip,missing_variable,")
        );

        let launch = async |query: &str| server.act(&format!("{path}/launch?{query}")).await;
        launch(&format!("plan={}", "0".repeat(64))).await.assert_status(409);
        assert_eq!(launch("hash=0").await.assert_status(422).fields(), ["hash"]);
        let plan = format!("plan={}", found["plan_hash"].as_str().expect("a hash"));
        let launched = launch(&plan).await.assert_status(202).json();
        assert_eq!((&launched["id"], &launched["status"]), (&begun["id"], &json!("running")), "{launched}");
        until(async || {
            let run = server.get(&run).await.assert_status(200).json();
            if run["status"] == "completed" { Ok(()) } else { Err(run.to_string()) }
        })
        .await;
        // The plan's file says what became of it, and what was handed over.
        let file = server.get(&format!("{run}/plan.csv")).await.assert_status(200).body;
        let line = file.lines().find(|line| line.contains("Hi Ann")).unwrap_or_else(|| panic!("{file}"));
        let fields: Vec<&str> = line.split(',').collect();
        assert!(
            fields.len() == 11 && fields[3] != "send" && fields[5..9].iter().all(|field| !field.is_empty()),
            "{file}"
        );
        let why = async |phone: &str| server.get(&format!("{path}/why?phone={phone}")).await;
        for (phone, expected) in [
            ("+14155550101", "in_plan"),
            ("%2B14155550102", "in_plan"),
            ("+14155550103", "not_in_audience"),
            ("+14155550199", "unknown_number"),
        ] {
            let told = why(phone).await.assert_status(200).json();
            assert_eq!(told["answer"], expected, "{told}");
        }
        let of_run = format!("+14155550101&run={}", begun["id"].as_str().expect("an id"));
        let told = why(&of_run).await.assert_status(200).json();
        assert_eq!((&told["run_id"], told["messages"].as_array().map(Vec::len)), (&begun["id"], Some(1)), "{told}");
        let rule = &why("+14155550103").await.json()["rules"]["rules"][0];
        assert_eq!(
            (&rule["field"], &rule["actual"], &rule["holds"]),
            (&json!("attributes.city"), &json!("Kandy"), &json!(false))
        );
        assert_eq!(answer(server.api("GET", &format!("{path}/why"))).await.assert_status(422).fields(), ["phone"]);
        server.act(&format!("{path}/rehearse")).await.assert_status(409);
        answer(server.api("DELETE", &format!("{path}/rehearsal"))).await.assert_status(404);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_program_leaves_out_whom_a_rehearsal_found() {
    for server in servers().await {
        for (phone, locale) in [("+14155550101", None), ("+94771234567", Some("si")), ("+94771234568", None)] {
            let new = json!({"phone": phone, "locale": locale});
            server.send("POST", "/contacts", &new).await.assert_status(201);
            let yes = json!({"consent": "opted_in", "source": "form", "evidence": "ticked"});
            server.send("PUT", &format!("/contacts/{phone}/consent"), &yes).await.assert_status(200);
        }
        let everybody = json!({"name": "Everybody", "definition": {"combinator": "and", "rules": []}});
        let everybody = server.send("POST", "/segments", &everybody).await.assert_status(201).json();
        let template = json!({"name": "Hello", "variants": {"en": {"body": "Hello"}}});
        let template = server.send("POST", "/templates", &template).await.assert_status(201).json()["id"].clone();
        let new = json!({"name": "First", "segment_id": everybody["id"], "template_id": template});
        let campaign = server.send("POST", "/campaigns", &new).await.assert_status(201).json();
        let path = format!("/campaigns/{}", campaign["id"].as_str().expect("an id"));
        let rehearsed = async || {
            let begun = server.act(&format!("{path}/rehearse")).await.assert_status(202).json();
            let run = format!("/runs/{}", begun["id"].as_str().expect("an id"));
            until(async || {
                let run = server.get(&run).await.assert_status(200).json();
                if run["status"] == "rehearsed" { Ok(run) } else { Err(run.to_string()) }
            })
            .await
        };
        let leave_out = async |whom: &Value| server.send("POST", &format!("{path}/rehearsal/leave-out"), whom).await;
        let (us, si) = (json!({"finding": "us_marketing"}), json!({"finding": "without_variant", "language": "si"}));

        leave_out(&us).await.assert_status(404);
        let run = rehearsed().await;
        let found = &run["rehearsal"];
        assert_eq!((&found["refused"], &found["without_variant"]), (&json!({"us_marketing": 1}), &json!({"si": 1})));
        for wrong in [json!({}), json!({"finding": "moon"}), json!({"finding": "without_variant"})] {
            leave_out(&wrong).await.assert_status(422);
        }
        let unread = json!({"finding": "without_variant", "language": "ta"});
        assert_eq!(leave_out(&unread).await.assert_status(422).fields(), ["language"]);
        let narrowed = leave_out(&us).await.assert_status(200).json();
        assert_ne!(narrowed["segment_id"], everybody["id"]);
        let again = leave_out(&si).await.assert_status(200).json();
        assert_eq!(again["segment_id"], narrowed["segment_id"], "its own one by now");
        let segment = format!("/segments/{}", narrowed["segment_id"].as_str().expect("an id"));
        let segment = server.get(&segment).await.assert_status(200).json();
        let rules = json!([
            {"field": "segment", "operator": "=", "value": everybody["id"]},
            {"field": "country", "operator": "!=", "value": "US"},
            {"field": "locale", "operator": "notIn", "value": ["si"]},
        ]);
        assert_eq!((&segment["name"], &segment["definition"]["rules"]), (&json!("Everybody, narrowed"), &rules));
        let run = rehearsed().await;
        assert_eq!(
            (&run["rehearsal"]["outcomes"], &run["ledger"]["planned"]),
            (&json!({"send": 1}), &json!(1)),
            "{run}"
        );
        server.stop().await;
    }
}
