//! `demo`, and `serve --demo`: something to look at in an empty database. Made through the services, like everything else.

mod people;

use anyhow::Context as _;
use domain::{
    actor::Actor,
    campaign::{CampaignFilter, NewCampaign},
    contact::ContactFilter,
    import::{ImportFormat, ImportOptions, ImportStatus},
    page::PageRequest,
    segment::NewSegment,
    template::NewTemplate,
    topic::NewTopic,
};
use engine::Engine;
use futures::stream;
use serde_json::json;

use crate::{config::Config, startup};

/// Fills the database, or says why not.
pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    anyhow::ensure!(
        config.twilio.is_none(),
        "demo data is only for the built-in simulator: TWILIO_ACCOUNT_SID is set, and invented people must not be written to"
    );
    let engine = startup::engine(config).await?;
    anyhow::ensure!(is_empty(&engine).await?, "the database is not empty, so no demo data was added");
    fill(&engine).await?;
    println!("Demo data added: {} contacts. Start with `event-stream-engine serve`.", people::COUNT);
    Ok(())
}

/// At the start of a server: fills an empty database and launches a first campaign; leaves any other alone.
pub(super) async fn on_start(engine: &Engine) -> anyhow::Result<()> {
    if !engine.config().is_simulated() {
        tracing::warn!("no demo data: a Twilio account is set, and invented people must not be written to");
        return Ok(());
    }
    if !is_empty(engine).await? {
        return Ok(());
    }
    let campaign = fill(engine).await?;
    engine.campaigns().launch(&Actor::command_line(), campaign).await.context("the demo campaign")?;
    tracing::info!(contacts = people::COUNT, "demo data added");
    Ok(())
}

async fn is_empty(engine: &Engine) -> anyhow::Result<bool> {
    let (actor, one) = (Actor::command_line(), PageRequest::first(1));
    let campaigns = engine.campaigns().list(&actor, &CampaignFilter::default(), &one).await?;
    Ok(engine.contacts().count(&actor, &ContactFilter::default()).await? == 0
        && engine.topics().list(&actor, None).await?.is_empty()
        && engine.segments().list(&actor, None, &one).await?.items.is_empty()
        && engine.templates().list(&actor, None, &one).await?.items.is_empty()
        && campaigns.items.is_empty()
        && campaigns.unreadable.is_empty())
}

/// Returns the campaign that is worth launching.
async fn fill(engine: &Engine) -> anyhow::Result<domain::ids::CampaignId> {
    let actor = Actor::command_line();
    for (key, name, description) in [
        ("offers", "Offers", "Sales and personal offers, about twice a month"),
        ("news", "News", "New shops, new products, events"),
    ] {
        let topic = NewTopic {
            key: key.to_owned(),
            name: name.to_owned(),
            description: description.to_owned(),
            ..NewTopic::default()
        };
        engine.topics().create(&actor, topic).await?;
    }
    import_people(engine, &actor).await?;
    let everyone = segment(engine, "Everyone who opted in", json!([rule("consent", "=", json!("opted_in"))])).await?;
    segment(
        engine,
        "Plus members in Canada",
        json!([rule("country", "=", json!("CA")), rule("attributes.plan", "=", json!("plus"))]),
    )
    .await?;
    segment(engine, "Spent 200 or more", json!([rule("attributes.total_spent", ">=", json!(200))])).await?;
    let sale = template(
        engine,
        "Summer sale",
        json!({
            "en": {"body": "Hi {{ first_name|default('there') }}! Our summer sale is on: 20 % off in {{ city|default('all our shops') }} until Sunday. Reply STOP to opt out."},
            "fr": {"body": "Bonjour {{ first_name|default('à vous') }} ! Les soldes d’été ont commencé : −20 % jusqu’à dimanche. Répondez STOP pour ne plus recevoir de messages."},
            "sv": {"body": "Hej {{ first_name|default('du') }}! Sommarrean är igång: 20 % rabatt till och med söndag. Svara STOP för att avsluta."},
        }),
    )
    .await?;
    let preview = template(
        engine,
        "Autumn preview",
        json!({
            "en": {"body": "{{ first_name|default('Hello') }}, be the first to see our autumn collection in {{ city|default('your shop') }}. Reply STOP to opt out."},
        }),
    )
    .await?;
    let launched = campaign(engine, "Summer sale, first wave", sale, everyone).await?;
    campaign(engine, "Autumn preview", preview, everyone).await?;
    Ok(launched)
}

async fn import_people(engine: &Engine, actor: &Actor) -> anyhow::Result<()> {
    let options = ImportOptions {
        file_name: Some("customers.csv".to_owned()),
        format: Some(ImportFormat::Csv),
        topics: vec!["offers".to_owned()],
        ..ImportOptions::default()
    };
    let body = stream::iter([Ok(people::csv().into())]);
    let import = engine.imports().upload(actor, options, body).await?;
    let import = engine.imports().work(import.id).await?;
    anyhow::ensure!(import.status == ImportStatus::Done, "the demo contacts were not imported");
    Ok(())
}

fn rule(field: &str, operator: &str, value: serde_json::Value) -> serde_json::Value {
    json!({"field": field, "operator": operator, "value": value})
}

async fn segment(engine: &Engine, name: &str, rules: serde_json::Value) -> anyhow::Result<domain::ids::SegmentId> {
    let definition = json!({"combinator": "and", "rules": rules});
    let new = NewSegment { name: name.to_owned(), definition };
    Ok(engine.segments().create(&Actor::command_line(), new).await?.id)
}

async fn template(engine: &Engine, name: &str, variants: serde_json::Value) -> anyhow::Result<domain::ids::TemplateId> {
    let new: NewTemplate = serde_json::from_value(json!({"name": name, "variants": variants}))?;
    Ok(engine.templates().create(&Actor::command_line(), new).await?.id)
}

async fn campaign(
    engine: &Engine,
    name: &str,
    template: domain::ids::TemplateId,
    segment: domain::ids::SegmentId,
) -> anyhow::Result<domain::ids::CampaignId> {
    let new: NewCampaign = serde_json::from_value(json!({
        "name": name, "topic": "offers", "template_id": template, "segment_id": segment,
    }))?;
    Ok(engine.campaigns().create(&Actor::command_line(), new).await?.id)
}
