//! What WhatsApp has approved: copied from Twilio's list, and what it means for campaigns.

mod world;

use std::collections::BTreeMap;

use domain::{
    campaign::{Campaign, NewCampaign, Trigger},
    consent::Category,
    content_template::{Approval, ContentTemplate},
    ids::TemplateId,
    message::Channel,
    template::{NewTemplate, Variant},
    time::Timestamp,
};
use engine::Error;
use serde_json::json;
use simulator::ApprovalChange;
use world::{Setup, World, worlds};

async fn known(world: &World, name: &str) -> ContentTemplate {
    let all = world.engine.content_templates().list(&world.admin).await.expect("a list");
    all.into_iter().find(|content| content.name == name && content.language == "en").expect("it is listed")
}

/// A template of ours that uses the content template, with these of its variables filled in.
async fn template(world: &World, content: &ContentTemplate, category: Category, keys: &[&str]) -> TemplateId {
    let variant = Variant {
        body: content.body.clone(),
        content_sid: Some(content.sid.clone()),
        content_variables: keys.iter().map(|key| ((*key).to_owned(), "{{ name|default('you') }}".to_owned())).collect(),
        ..Variant::default()
    };
    let new = NewTemplate {
        name: format!("{} {}", content.name, uuid::Uuid::new_v4()),
        channel: Channel::Whatsapp,
        category,
        default_locale: "en".to_owned(),
        variants: BTreeMap::from([("en".to_owned(), variant)]),
    };
    world.engine.templates().create(&world.admin, new).await.expect("a template").id
}

async fn campaign(world: &World, template: TemplateId, trigger: Trigger) -> Campaign {
    let draft = NewCampaign { template_id: Some(template), trigger, ..world.draft().await };
    world.engine.campaigns().create(&world.admin, draft).await.expect("a campaign")
}

/// What keeps the campaign from its launch, and what should be known before.
async fn findings(world: &World, campaign: &Campaign) -> (Vec<String>, Vec<String>) {
    let check = world.engine.campaigns().launch_check(&world.admin, campaign.id).await.expect("a check");
    (check.problems.into_iter().map(|problem| problem.message).collect(), check.warnings)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_twilio_lists_is_copied_with_whatsapps_verdicts() {
    for world in worlds(Setup::default()).await {
        let first = world.engine.content_templates().sync(&world.admin).await.expect("synced");
        assert!(first.listed > 5 && first.added == first.listed, "{first:?}");
        let offer = known(&world, "price_drop").await;
        assert_eq!((offer.approval, offer.category), (Approval::Approved, Some(Category::Marketing)));
        assert_eq!(offer.buttons, ["See the offer"]);
        assert_eq!(offer.variables["2"], "Trail shoes");
        let refused = known(&world, "free_money").await;
        assert_eq!((refused.approval, refused.reason.as_deref()), (Approval::Rejected, Some("INVALID_FORMAT")));

        let again = world.engine.content_templates().sync(&world.admin).await.expect("synced");
        assert_eq!((again.listed, again.added, again.changed, again.removed), (first.listed, 0, 0, 0));
        let paused = ApprovalChange { status: Some("paused".to_owned()), ..ApprovalChange::default() };
        world.twilio.simulator.control().set_approval(&offer.sid, paused).expect("WhatsApp decides");
        let changed = world.engine.content_templates().sync(&world.admin).await.expect("synced");
        assert_eq!((changed.changed, known(&world, "price_drop").await.approval), (1, Approval::Paused));
        let syncs = world.engine.content_templates().syncs(&world.admin).await.expect("the looks");
        assert!(syncs.iter().all(|sync| sync.synced_at.is_some() && sync.problem.is_none()), "{syncs:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_not_given_leaves_what_was_known() {
    for world in worlds(Setup::default()).await {
        world.engine.content_templates().sync(&world.admin).await.expect("synced");
        let before = world.engine.content_templates().list(&world.admin).await.expect("a list");
        world.simulate(&json!({"auth_token": "another"}));
        let refused = world.engine.content_templates().sync(&world.admin).await;
        assert!(matches!(&refused, Err(Error::Unavailable(text)) if text.contains("401")), "{refused:?}");
        assert_eq!(world.engine.content_templates().list(&world.admin).await.expect("a list"), before);
        let syncs = world.engine.content_templates().syncs(&world.admin).await.expect("the looks");
        assert!(syncs[0].problem.as_deref().is_some_and(|problem| problem.contains("401")), "{syncs:?}");
        assert!(syncs[0].synced_at.is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_processes_one_asks_and_not_before_its_time() {
    for world in worlds(Setup::default()).await {
        let (now, db) = (world.engine.now(), world.db.writer());
        let next = now.plus(Timestamp::MINUTE);
        let turn = async |at| store::content_templates::take_turn(db, "AC1", at, next).await.expect("a turn");
        let both = [turn(now).await, turn(now).await];
        assert_eq!(both, [true, false]);
        assert!(!turn(now.plus(Timestamp::SECOND)).await);
        assert!(store::content_templates::take_turn(db, "AC1", next, next.plus(1)).await.expect("a turn"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_goes_out_with_what_whatsapp_approved_and_as_what_it_is() {
    for mut world in worlds(Setup::default()).await {
        world.people(1, 3).await;
        let offer = {
            world.engine.content_templates().sync(&world.admin).await.expect("synced");
            known(&world, "spring_offer").await
        };
        let good =
            campaign(&world, template(&world, &offer, Category::Marketing, &["1", "2"]).await, Trigger::Now).await;
        assert_eq!(findings(&world, &good).await, (Vec::new(), Vec::new()));

        let as_utility = template(&world, &offer, Category::Utility, &["1", "2"]).await;
        let (problems, _) = findings(&world, &campaign(&world, as_utility, Trigger::Now).await).await;
        assert!(problems.len() == 1 && problems[0].contains("as marketing"), "{problems:?}");

        let refused = known(&world, "old_newsletter").await;
        let refused =
            campaign(&world, template(&world, &refused, Category::Marketing, &["1"]).await, Trigger::Now).await;
        let (problems, _) = findings(&world, &refused).await;
        assert!(problems.len() == 1 && problems[0].contains("disabled"), "{problems:?}");
        let launched = world.engine.campaigns().launch(&world.admin, refused.id).await;
        assert!(matches!(&launched, Err(Error::Invalid(errors)) if errors[0].field == "template_id"), "{launched:?}");
        let rehearsed = world.engine.campaigns().rehearse(&world.admin, refused.id).await;
        assert!(matches!(rehearsed, Err(Error::Invalid(_))), "{rehearsed:?}");

        let open = known(&world, "summer_preview").await;
        let open = campaign(&world, template(&world, &open, Category::Marketing, &["1"]).await, Trigger::Now).await;
        let (problems, warnings) = findings(&world, &open).await;
        assert!(problems.is_empty() && warnings.len() == 1 && warnings[0].contains("not approved yet"), "{warnings:?}");

        let run = world.launch(&good).await;
        world.start();
        world.until_completed(run.id).await;
        let message = world.message_to(1).await;
        assert_eq!(
            message.body.as_deref(),
            Some("Hi you, spring is here: you off everything in our shop until Sunday evening.")
        );
        world.stop().await;
    }
}
