use domain::{
    consent::{Consent, ConsentSource},
    contact::Attributes,
    message::{Channel, Kind},
    recipient::{Given, Why},
    time::Timestamp,
};

use super::*;

const AT: Timestamp = Timestamp::from_seconds(1_795_392_000);

fn ann() -> Preferences {
    let topic = |key: &str, state| OwnTopic {
        key: key.to_owned(),
        name: key.to_uppercase(),
        description: String::new(),
        state,
        changed: Some((AT, ConsentSource::Import)),
    };
    Preferences {
        masked_phone: "+…100".to_owned(),
        consent: Consent::OptedIn,
        stopped: false,
        stopped_by_themself: false,
        start_lifts: true,
        why: Some(Why {
            kind: Kind::Campaign,
            campaign: Some("Spring <sale>".to_owned()),
            topic: Some("OFFERS".to_owned()),
            at: AT,
            channel: Channel::Whatsapp,
            address: "+15005550006".to_owned(),
        }),
        consent_given: Some(Given {
            consent: Consent::OptedIn,
            at: AT,
            source: ConsentSource::Keyword,
            words: Some("<b>START".to_owned()),
        }),
        topics: vec![topic("offers", Some(Subscription::Subscribed)), topic("news", None)],
        write_to: Some((Channel::Whatsapp, "+15005550006".to_owned())),
        name: Some("Ann".to_owned()),
        country: Some("US".to_owned()),
        locale: None,
        timezone: None,
        attributes: Attributes::from_iter([("city".to_owned(), "Colombo".into())]),
        since: AT,
        last_inbound_at: None,
        offset_minutes: 0,
    }
}

fn shown(person: &Preferences, done: Option<Done<'_>>) -> String {
    page("/pkg/x.css", "T0KEN", person, done)
}

#[test]
fn the_page_is_a_whole_document_without_scripts() {
    let html = shown(&ann(), None);
    assert!(html.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{html}");
    assert!(html.contains("<meta name=\"robots\" content=\"noindex, nofollow\""), "{html}");
    assert!(!html.contains("<script") && !html.contains(" style="), "{html}");
    assert!(html.contains("href=\"/pkg/x.css\"") && html.ends_with("</html>"), "{html}");
}

#[test]
fn why_topics_and_data_are_told() {
    let html = shown(&ann(), None);
    assert!(html.contains("campaign “Spring &lt;sale&gt;”, about OFFERS, of"), "{html}");
    assert!(html.contains("you wrote “&lt;b&gt;START”"), "{html}");
    assert!(html.contains("Turn off OFFERS") && html.contains("Turn on NEWS"), "{html}");
    assert!(html.contains("action=\"/p/T0KEN/stop\"") && html.contains("/p/T0KEN/data.json"), "{html}");
    assert!(html.contains("Colombo") && html.contains("+…100"), "{html}");
}

#[test]
fn after_a_stop_only_start_is_named() {
    let mut person = ann();
    (person.stopped, person.stopped_by_themself, person.consent) = (true, true, Consent::OptedOut);
    let html = shown(&person, Some(Done::Stopped));
    assert!(html.contains("You will get no more messages") && html.contains("send START to +1 500"), "{html}");
    assert!(!html.contains("/stop\"") && !html.contains("Turn on"), "{html}");
    person.start_lifts = false;
    assert!(!shown(&person, None).contains("send START"), "where START lifts nothing it is not promised");
}

#[test]
fn a_link_cannot_claim_what_is_not_so() {
    let html = shown(&ann(), Some(Done::Stopped));
    assert!(!html.contains("no more messages"), "{html}");
    for done in [Done::TopicOff("offers"), Done::TopicOn("news"), Done::TopicOn("<b>")] {
        assert!(!shown(&ann(), Some(done)).contains("Done."), "{done:?}");
    }
    assert!(shown(&ann(), Some(Done::TopicOn("offers"))).contains("Done. OFFERS is on."));
}

#[test]
fn a_page_for_nobody_says_nothing_of_anybody() {
    for html in [nothing("/x.css"), erased("/x.css"), wait("/x.css", 5), away("/x.css")] {
        assert!(html.starts_with("<!DOCTYPE html>") && html.contains("noindex"), "{html}");
        assert!(!html.contains("/p/"), "{html}");
    }
}
