//! Raw webhooks found again, and everything about one person taken out.

mod support;

use domain::{
    actor::{Actor, ActorKind},
    consent::Consent,
    contact::{ConsentChange, TimelineKind},
    event::{ConsentCaused, WebhookEvent, WebhookFilter, WebhookKind, WebhookOutcome},
    inbound::Keyword,
    page::PageRequest,
    phone::Phone,
    role::Role,
    time::Timestamp,
};
use engine::Error;
use support::{Bench, START, benches};

const ANN: &str = "+14155550123";

fn ann() -> Phone {
    ANN.parse().unwrap()
}

async fn events(bench: &Bench, filter: WebhookFilter) -> Vec<WebhookEvent> {
    bench.engine.webhook_events().list(&bench.admin, &filter, &PageRequest::default()).await.unwrap().items
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_found_by_person_outcome_kind_and_time() {
    for bench in benches().await {
        bench.says("SM1", ANN, "STOP").await;
        bench.clock.advance(Timestamp::MINUTE);
        let orphan = [("MessageSid", "SM404"), ("MessageStatus", "delivered")];
        bench.status("/webhooks/twilio/status?m=999999&a=1", &orphan).await.unwrap();
        bench.clock.advance(Timestamp::MINUTE);
        bench.status("/webhooks/twilio/status?m=1&a=1", &[("MessageStatus", "sent")]).await.unwrap();
        bench.clock.advance(Timestamp::MINUTE);
        bench.says("SM2", "+14155550124", "Hello").await;

        let sids = |events: Vec<WebhookEvent>| {
            events.into_iter().map(|event| event.provider_sid.unwrap_or_default()).collect::<Vec<_>>()
        };
        let all = events(&bench, WebhookFilter::default()).await;
        assert_eq!(sids(all.clone()), ["SM2", "", "SM404", "SM1"]);
        let of = |outcome| WebhookFilter { outcome: Some(outcome), ..WebhookFilter::default() };
        assert_eq!(sids(events(&bench, of(WebhookOutcome::Orphan)).await), ["SM404"]);
        assert_eq!(sids(events(&bench, of(WebhookOutcome::Unprocessable)).await), [""]);
        assert_eq!(sids(events(&bench, of(WebhookOutcome::Applied)).await), ["SM2", "SM1"]);
        let inbound = WebhookFilter { kind: Some(WebhookKind::Inbound), ..WebhookFilter::default() };
        assert_eq!(sids(events(&bench, inbound).await), ["SM2", "SM1"]);
        let person = WebhookFilter { phone: Some(ann()), ..WebhookFilter::default() };
        assert_eq!(sids(events(&bench, person).await), ["SM1"]);
        for (minutes, expected) in
            [(-1, &[][..]), (0, &["SM1"][..]), (1, &["SM404", "SM1"][..]), (9, &["SM2", "", "SM404", "SM1"][..])]
        {
            let until =
                WebhookFilter { until: Some(START.plus(minutes * Timestamp::MINUTE)), ..WebhookFilter::default() };
            assert_eq!(sids(events(&bench, until).await), expected, "{minutes} min");
        }

        let minute = |minutes: i64| Some(START.plus(minutes * Timestamp::MINUTE));
        for (since, until, expected) in [
            (0, 9, &["SM2", "", "SM404", "SM1"][..]),
            (1, 9, &["SM2", "", "SM404"][..]),
            (1, 2, &["", "SM404"][..]),
            (4, 9, &[][..]),
        ] {
            let filter = WebhookFilter { since: minute(since), until: minute(until), ..WebhookFilter::default() };
            assert_eq!(sids(events(&bench, filter).await), expected, "{since} to {until} min");
        }

        // What was said and by whom, beside the form as it came.
        let stop = bench.engine.webhook_events().get(&bench.admin, all[3].id).await.unwrap();
        assert_eq!((stop.phone, stop.keyword), (Some(ann()), Some(Keyword::Stop)));
        assert_eq!(stop.consent, [ConsentCaused { topic: None, consent: Consent::OptedOut }]);
        let hello = bench.engine.webhook_events().get(&bench.admin, all[0].id).await.unwrap();
        assert_eq!(hello.consent, []);
        assert!(stop.raw.unwrap().contains("Body=STOP"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_gets_everything_and_the_audit_log_says_so() {
    for bench in benches().await {
        bench.says("SM1", ANN, "Who are you?").await;
        let change = ConsentChange {
            consent: Consent::OptedIn,
            source: Some("form".to_owned()),
            evidence: Some("signed on paper".to_owned()),
        };
        bench.engine.contacts().set_consent(&bench.admin, &ann(), change).await.unwrap();
        bench.says("SM2", ANN, "STOP").await;
        let everything = bench.engine.contacts().export(&bench.admin, &ann()).await.unwrap();
        assert_eq!((everything.contact.consent, everything.contact.suppressed), (Consent::OptedOut, true));
        let said: Vec<_> = everything.inbound.iter().map(|heard| heard.body.clone().unwrap_or_default()).collect();
        assert_eq!(said.len(), 2);
        assert!(said.contains(&"Who are you?".to_owned()) && said.contains(&"STOP".to_owned()));
        assert_eq!(everything.messages.len(), 1, "the confirmation");
        let forms = everything.webhooks.iter().map(|webhook| webhook.parameters.iter());
        let bodies: Vec<_> = forms.flatten().filter(|(name, _)| name == "Body").map(|(_, body)| &**body).collect();
        assert_eq!(bodies, ["STOP", "Who are you?"], "what came is theirs as it came, too");
        let evidence: Vec<_> = everything
            .timeline
            .iter()
            .filter(|entry| entry.kind == TimelineKind::Consent)
            .filter_map(|entry| entry.text.as_deref())
            .collect();
        assert!(evidence.contains(&"form: signed on paper") && evidence.contains(&"STOP"), "{evidence:?}");
        let audited = "SELECT COUNT(*) FROM audit_log WHERE action = 'export' AND entity = 'contact'";
        assert_eq!(bench.number(audited).await, 1);
        let marketer = Actor::new(ActorKind::Account, "someone", Role::Marketer);
        assert!(matches!(bench.engine.contacts().export(&marketer, &ann()).await, Err(Error::Forbidden)));
        assert_eq!(bench.number(audited).await, 1, "nothing was taken out");
    }
}
