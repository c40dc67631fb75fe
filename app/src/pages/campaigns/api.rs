//! Campaigns: what the pages show, each with one query of the page.

use std::collections::BTreeMap;

use domain::{
    campaign::{Campaign, CampaignList, LaunchCheck},
    ids::{MessageId, SegmentId, TemplateId, TriggerEventId},
    message::{Channel, Message},
    page::Page,
    phone::Phone,
    run::{Rollup, Run, RunSummary, SinceRehearsal},
    sender::Sender,
    time::Timestamp,
    trigger_event::EventOutcome,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::wizard::words;
use super::wizard::{Step, when::WhenFields};
#[cfg(feature = "ssr")]
use crate::context::{Ctx, ctx};
use crate::{error::AppError, faults::Faults};
#[cfg(feature = "ssr")]
use domain::{ids::RunId, message::State};

/// So many files are offered as audiences.
#[cfg(feature = "ssr")]
const FILES: u32 = 50;

/// So many names of audiences and templates are fetched for lists; older ones are led to without their name.
#[cfg(feature = "ssr")]
const NAMES: u32 = 200;

/// So many runs stand on a campaign's page.
#[cfg(feature = "ssr")]
const RUNS: u32 = 20;

/// Before the id of an import it stands for the audience of the people in that file, which is made when it is saved.
pub const IMPORTED: &str = "import:";

/// What the URL of the list says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignsQuery {
    #[serde(default)]
    pub q: String,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub cursor: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CampaignsView {
    pub campaigns: CampaignList,
    pub audiences: BTreeMap<SegmentId, String>,
    pub templates: BTreeMap<TemplateId, String>,
}

/// The names behind a campaign's references.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Names {
    pub topic: Option<String>,
    pub audience: Option<String>,
    pub template: Option<String>,
    /// The chosen sender, or the one that is the channel's default.
    pub sender: Option<String>,
    pub channel: Option<Channel>,
    /// Until when it is worth sending, in words.
    pub deadline: Option<String>,
}

/// What the URL of a campaign says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignQuery {
    #[serde(default)]
    pub id: String,
    /// An earlier run; empty is the latest.
    #[serde(default)]
    pub run: String,
    #[serde(default)]
    pub state: String,
    /// Messages of a test that was just sent, by id.
    #[serde(default)]
    pub tests: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CampaignView {
    /// When the numbers were read.
    pub at: Timestamp,
    pub campaign: Campaign,
    pub names: Names,
    /// The rehearsal that is there or under way.
    pub rehearsal: Option<Run>,
    /// How the run went beside what was expected: drawn by the server.
    pub curve: Option<String>,
    /// The run that is shown.
    pub run: Option<Run>,
    /// How far its messages came, by country.
    pub countries: Vec<Rollup>,
    /// The latest of what was launched, newest first.
    pub runs: Vec<RunSummary>,
    /// The first people of the run.
    pub recipients: Vec<Message>,
    /// Drafts: what launching would do.
    pub check: Option<LaunchCheck>,
    pub tests: Vec<Message>,
    /// The latest events that it listened to.
    pub events: Vec<EventLine>,
    pub faults: Faults,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaunchView {
    pub check: LaunchCheck,
    pub names: Names,
    /// The complete rehearsal, and what has changed since.
    pub rehearsal: Option<(Run, SinceRehearsal)>,
    /// How many segments the shown text takes, by SMS.
    pub sample_length: Option<String>,
}

/// An event as a list shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventLine {
    pub number: TriggerEventId,
    pub id: Option<String>,
    pub at: Timestamp,
    /// None: about many, or erased.
    pub phone: Option<Phone>,
    pub is_many: bool,
    pub outcome: Option<EventOutcome>,
    pub messages: i64,
    pub message: Option<MessageId>,
}

/// What the URL of the recipients says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientsQuery {
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub run: String,
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    pub cursor: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecipientsView {
    pub at: Timestamp,
    pub campaign: Campaign,
    pub run: Option<Run>,
    pub messages: Page<Message>,
    pub faults: Faults,
}

/// A template among those to choose from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TemplateChoice {
    pub id: TemplateId,
    pub name: String,
    pub channel: Channel,
    pub category: domain::consent::Category,
}

/// A campaign with what its open step offers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WizardView {
    pub campaign: Campaign,
    pub step: Step,
    /// Key and name.
    pub topics: Vec<(String, String)>,
    /// Id and name.
    pub audiences: Vec<(String, String)>,
    /// The people in the latest files: what stands for them (see [`IMPORTED`]), and name, time and number.
    pub imports: Vec<(String, String)>,
    pub people: Option<PeoplePreview>,
    pub templates: Vec<TemplateChoice>,
    pub text: Option<TextPreview>,
    pub senders: Vec<Sender>,
    /// The chosen template's channel.
    pub channel: Option<Channel>,
    /// Until when it is worth sending, as its field shows it, and the zone by whose clock that is.
    pub deadline: String,
    pub zone: String,
    pub when: Option<WhenView>,
}

/// When the campaign goes out, as the step shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhenView {
    pub fields: WhenFields,
    /// In words.
    pub upcoming: Vec<String>,
    /// Names of events that came, and of those that happen here.
    pub events: Vec<String>,
}

/// Who an audience is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeoplePreview {
    pub id: String,
    pub count: i64,
    /// Name and number of a few.
    pub sample: Vec<(Option<String>, String)>,
}

/// A template as one person of the audience gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextPreview {
    pub id: String,
    pub name: String,
    /// The language of the variant.
    pub locale: String,
    pub text: String,
    pub buttons: Vec<String>,
    /// For whom; nobody when the audience is empty or not chosen yet.
    pub person: Option<String>,
    pub missing: Vec<String>,
    pub problems: Vec<String>,
    /// How many of the audience read a language that it has no text for.
    pub languages: Option<String>,
}

#[cfg(feature = "ssr")]
pub(super) fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

#[cfg(feature = "ssr")]
pub(super) fn id<T: std::str::FromStr>(text: &str) -> Result<T, AppError> {
    text.parse().map_err(|_| AppError::NotFound)
}

/// What a campaign used may be gone once it is over; the campaign stays.
#[cfg(feature = "ssr")]
fn found<T>(result: engine::Result<T>) -> Result<Option<T>, AppError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(engine::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[server]
pub async fn load_campaigns(query: CampaignsQuery) -> Result<CampaignsView, AppError> {
    use domain::{campaign::CampaignFilter, page::PageRequest};
    let ctx = ctx()?;
    let filter = CampaignFilter {
        q: given(&query.q).map(str::to_owned),
        status: given(&query.status).and_then(|word| word.parse().ok()),
    };
    let page = PageRequest { cursor: given(&query.cursor).map(str::to_owned), ..PageRequest::default() };
    let campaigns = ctx.engine.campaigns().list(&ctx.actor, &filter, &page).await?;
    let audiences = ctx.engine.segments().list(&ctx.actor, None, &PageRequest::first(NAMES)).await?;
    let templates = ctx.engine.templates().list(&ctx.actor, None, &PageRequest::first(NAMES)).await?;
    Ok(CampaignsView {
        campaigns,
        audiences: audiences.items.into_iter().map(|audience| (audience.id, audience.name)).collect(),
        templates: templates.items.into_iter().map(|template| (template.id, template.name)).collect(),
    })
}

#[cfg(feature = "ssr")]
pub(super) async fn names(ctx: &Ctx, campaign: &Campaign) -> Result<Names, AppError> {
    let (engine, actor) = (&ctx.engine, &ctx.actor);
    let mut names = Names::default();
    let topic = async {
        match &campaign.topic {
            Some(key) => found(engine.topics().get(actor, key).await),
            None => Ok(None),
        }
    };
    let audience = async {
        match campaign.segment_id {
            Some(id) => found(engine.segments().get(actor, id).await),
            None => Ok(None),
        }
    };
    let template = async {
        match campaign.template_id {
            Some(id) => found(engine.templates().get(actor, id).await),
            None => Ok(None),
        }
    };
    let senders = async { Ok(engine.senders().list(actor).await?) };
    let (topic, audience, template, senders) = futures::try_join!(topic, audience, template, senders)?;
    names.topic = topic.map(|topic| topic.name);
    names.audience = audience.map(|audience| audience.name);
    if let Some(template) = template {
        names.template = Some(template.name);
        names.channel = Some(template.channel);
    }
    let sender = senders.into_iter().find(|sender| match campaign.sender_id {
        Some(id) => sender.id == id,
        None => sender.default && Some(sender.channel) == names.channel,
    });
    names.sender = sender.map(|sender| sender.name);
    if let Some(deadline) = &campaign.send_before {
        names.deadline = Some(words::tell_deadline(deadline, &clock_of(ctx, campaign).await?));
    }
    Ok(names)
}

/// The zone by whose clock a campaign's times are written: that of its own time, else the workspace's.
#[cfg(feature = "ssr")]
pub(super) async fn clock_of(ctx: &Ctx, campaign: &Campaign) -> Result<String, AppError> {
    use domain::campaign::Trigger;
    let own = match &campaign.trigger {
        Trigger::Once { timezone, .. } | Trigger::Cron { timezone, .. } => timezone.clone(),
        Trigger::Now | Trigger::Event { .. } => None,
    };
    match own.filter(|zone| engine::scheduler::is_zone(zone)) {
        Some(zone) => Ok(zone),
        None => Ok(ctx.engine.settings().default_timezone(&ctx.actor).await?),
    }
}

#[cfg(feature = "ssr")]
fn codes(messages: &[Message]) -> impl Iterator<Item = i32> {
    messages.iter().filter_map(|message| message.error_code)
}

#[server]
pub async fn load_campaign(query: CampaignQuery) -> Result<CampaignView, AppError> {
    use domain::campaign::CampaignStatus;
    use futures::{TryFutureExt as _, try_join};
    let ctx = ctx()?;
    let campaigns = ctx.engine.campaigns();
    let campaign = campaigns.get(&ctx.actor, id(&query.id)?).await?;
    let latest = campaign.run.as_ref().map(|run| run.id);
    let shown = given(&query.run).map(id).transpose()?.or(latest);
    let state = given(&query.state).and_then(|word| word.parse().ok());
    let (run_service, settings) = (ctx.engine.runs(), ctx.engine.settings());
    // Beside each other: while a campaign is sent at full speed each of them waits for the database among all that is written.
    let (names, runs, rehearsal, zone, (run, recipients, countries)) = try_join!(
        names(&ctx, &campaign),
        run_service.summaries(&ctx.actor, campaign.id, RUNS).err_into(),
        campaigns.rehearsal(&ctx.actor, campaign.id).err_into(),
        settings.default_timezone(&ctx.actor).err_into(),
        run_with_people(&ctx, shown, state),
    )?;
    let check = match campaign.status {
        CampaignStatus::Draft | CampaignStatus::Scheduled => {
            Some(campaigns.launch_check(&ctx.actor, campaign.id).await?)
        }
        _ => None,
    };
    let mut tests = Vec::new();
    for test in query.tests.split(',').filter_map(|test| test.parse().ok()).take(10) {
        tests.extend(found(ctx.engine.messages().get(&ctx.actor, test).await)?);
    }
    let curve = run.as_ref().and_then(|run| super::charts::curve(run, ctx.engine.now(), &zone));
    let failed = run.iter().flat_map(|run| run.failures_by_code.keys()).filter_map(|code| code.parse().ok());
    let faults = Faults::of(&ctx.engine, failed.chain(codes(&recipients)));
    let events = if campaign.trigger.is_event() && run.is_some() { events(&ctx, &campaign).await? } else { Vec::new() };
    let at = ctx.engine.now();
    Ok(CampaignView {
        at,
        campaign,
        names,
        rehearsal,
        curve,
        run,
        countries,
        runs,
        recipients,
        check,
        tests,
        events,
        faults,
    })
}

/// A run, its first people in this state, and how far its messages came by country.
#[cfg(feature = "ssr")]
async fn run_with_people(
    ctx: &Ctx,
    run: Option<RunId>,
    state: Option<State>,
) -> Result<(Option<Run>, Vec<Message>, Vec<Rollup>), AppError> {
    use domain::{message::MessageFilter, page::PageRequest, run::RollupBy};
    let Some(run) = run else { return Ok((None, Vec::new(), Vec::new())) };
    let filter = MessageFilter { run: Some(run), state, ..MessageFilter::default() };
    let (runs, messages, first) = (ctx.engine.runs(), ctx.engine.messages(), PageRequest::first(8));
    let (run, people, countries) = futures::try_join!(
        runs.get(&ctx.actor, run),
        messages.list(&ctx.actor, &filter, &first),
        runs.rollups(&ctx.actor, run, RollupBy::Country),
    )?;
    Ok((Some(run), people.items, countries))
}

/// The latest events that a campaign listened to.
#[cfg(feature = "ssr")]
async fn events(ctx: &Ctx, campaign: &Campaign) -> Result<Vec<EventLine>, AppError> {
    use domain::{page::PageRequest, trigger_event::TriggerEventFilter};
    let filter = TriggerEventFilter { campaign: Some(campaign.id), ..TriggerEventFilter::default() };
    let page = ctx.engine.trigger_events().list(&ctx.actor, &filter, &PageRequest::first(8)).await?;
    let lines = page.items.into_iter().map(|event| {
        let effect = event.effects.iter().find(|effect| effect.campaign_id == campaign.id);
        EventLine {
            number: event.number,
            id: event.id,
            at: event.received_at,
            phone: event.phone,
            is_many: event.segment.is_some(),
            outcome: effect.and_then(|effect| effect.outcome),
            messages: effect.map_or(0, |effect| effect.messages),
            message: effect.and_then(|effect| effect.message_id),
        }
    });
    Ok(lines.collect())
}

#[server]
pub async fn load_recipients(query: RecipientsQuery) -> Result<RecipientsView, AppError> {
    use domain::{message::MessageFilter, page::PageRequest};
    let ctx = ctx()?;
    let campaign = ctx.engine.campaigns().get(&ctx.actor, id(&query.id)?).await?;
    let latest = campaign.run.as_ref().map(|run| run.id);
    let Some(run) = given(&query.run).map(id).transpose()?.or(latest) else {
        let messages = Page { items: Vec::new(), next_cursor: None };
        return Ok(RecipientsView { at: ctx.engine.now(), campaign, run: None, messages, faults: Faults::default() });
    };
    let run = ctx.engine.runs().get(&ctx.actor, run).await?;
    let filter = MessageFilter {
        run: Some(run.id),
        state: given(&query.state).and_then(|word| word.parse().ok()),
        reason: given(&query.reason).and_then(|word| word.parse().ok()),
        code: given(&query.code).and_then(|code| code.parse().ok()),
        ..MessageFilter::default()
    };
    let page = PageRequest { cursor: given(&query.cursor).map(str::to_owned), ..PageRequest::default() };
    let messages = ctx.engine.messages().list(&ctx.actor, &filter, &page).await?;
    let faults = Faults::of(&ctx.engine, codes(&messages.items).chain(filter.code));
    Ok(RecipientsView { at: ctx.engine.now(), campaign, run: Some(run), messages, faults })
}

#[server]
pub async fn load_launch(campaign: String) -> Result<LaunchView, AppError> {
    use domain::{campaign::Trigger, run::RunStatus};
    let ctx = ctx()?;
    let campaigns = ctx.engine.campaigns();
    let mut check = campaigns.launch_check(&ctx.actor, id(&campaign)?).await?;
    let names = names(&ctx, &check.campaign).await?;
    let rehearsal = campaigns.rehearsal(&ctx.actor, check.campaign.id).await?;
    let rehearsal = match rehearsal.filter(|run| run.status == RunStatus::Rehearsed) {
        Some(run) => Some((run, campaigns.since_rehearsal(&ctx.actor, check.campaign.id).await?)),
        None => None,
    };
    // What is launched is the plan: its text is shown for somebody whom it does not leave out.
    if let Some((run, since)) = &rehearsal
        && check.campaign.trigger == Trigger::Now
        && !since.campaign
    {
        check.sample_text = text_of_plan(&ctx, run.id).await?;
    }
    let by_sms = names.channel == Some(Channel::Sms);
    let sample_length = check.sample_text.as_deref().filter(|_| by_sms).map(length_in_words);
    Ok(LaunchView { check, names, rehearsal, sample_length })
}

#[cfg(feature = "ssr")]
fn length_in_words(text: &str) -> String {
    let count = domain::text::count(text);
    format!("{} for the text beside this, in {}", count.segments, count.encoding.as_str())
}

/// The text of somebody who gets it.
#[cfg(feature = "ssr")]
async fn text_of_plan(ctx: &Ctx, run: RunId) -> Result<Option<String>, AppError> {
    use domain::{message::MessageFilter, page::PageRequest};
    let filter = MessageFilter { state: Some(State::Queued), ..MessageFilter::default() };
    let people = ctx.engine.runs().planned(&ctx.actor, run, &filter, &PageRequest::first(1)).await?;
    Ok(people.items.into_iter().next().and_then(|person| person.text))
}

/// What the first step offers: topics, key and name.
#[server]
pub async fn load_topics() -> Result<Vec<(String, String)>, AppError> {
    topics(&ctx()?).await
}

#[cfg(feature = "ssr")]
async fn topics(ctx: &Ctx) -> Result<Vec<(String, String)>, AppError> {
    let topics = ctx.engine.topics().list(&ctx.actor, None).await?;
    Ok(topics.into_iter().map(|topic| (topic.key, topic.name)).collect())
}

#[server]
pub async fn load_wizard(campaign: String, step: Step) -> Result<WizardView, AppError> {
    use domain::page::PageRequest;
    let ctx = ctx()?;
    let campaign = ctx.engine.campaigns().get(&ctx.actor, id(&campaign)?).await?;
    let mut view = WizardView {
        campaign,
        step,
        topics: Vec::new(),
        audiences: Vec::new(),
        imports: Vec::new(),
        people: None,
        templates: Vec::new(),
        text: None,
        senders: Vec::new(),
        channel: None,
        deadline: String::new(),
        zone: String::new(),
        when: None,
    };
    let (engine, actor) = (&ctx.engine, &ctx.actor);
    match step {
        Step::Basics => view.topics = topics(&ctx).await?,
        Step::Audience => {
            let audiences = engine.segments().list(actor, None, &PageRequest::first(PageRequest::MAX_LIMIT)).await?;
            view.audiences = audiences.items.into_iter().map(|one| (one.id.to_string(), one.name)).collect();
            let imports = engine.imports().list(actor, &PageRequest::first(FILES)).await?;
            view.imports = imports.items.iter().filter_map(file).collect();
            if let Some(segment) = view.campaign.segment_id {
                view.people = match people(&ctx, &segment.to_string()).await {
                    // Rules that are not taken any more: another audience can be chosen all the same.
                    Err(AppError::Invalid { .. }) => None,
                    counted => Some(counted?),
                };
            }
        }
        Step::Message => {
            let templates = engine.templates().list(actor, None, &PageRequest::first(PageRequest::MAX_LIMIT)).await?;
            view.templates = templates
                .items
                .into_iter()
                .map(|one| TemplateChoice { id: one.id, name: one.name, channel: one.channel, category: one.category })
                .collect();
            if let Some(template) = view.campaign.template_id {
                view.text = Some(text(&ctx, template, view.campaign.segment_id, view.campaign.topic.as_deref()).await?);
            }
        }
        Step::Sending => {
            view.senders = engine.senders().list(actor).await?;
            view.zone = clock_of(&ctx, &view.campaign).await?;
            let deadline = view.campaign.send_before.as_ref();
            view.deadline = deadline.map(|deadline| words::write_deadline(deadline, &view.zone)).unwrap_or_default();
            if let Some(template) = view.campaign.template_id {
                view.channel = Some(engine.templates().get(actor, template).await?.channel);
            }
        }
        Step::When => view.when = Some(when(&ctx, &view.campaign).await?),
    }
    Ok(view)
}

/// The trigger as the step shows it, and the next five times; none of one that is over.
#[cfg(feature = "ssr")]
async fn when(ctx: &Ctx, campaign: &Campaign) -> Result<WhenView, AppError> {
    use domain::campaign::Trigger;
    let default_zone = ctx.engine.settings().default_timezone(&ctx.actor).await?;
    let fields = WhenFields::of(&campaign.trigger, &default_zone);
    let next = ctx.engine.campaigns().upcoming(&ctx.actor, campaign, 5).await.unwrap_or_default();
    let by_everybodys_clock = matches!(campaign.trigger, Trigger::Once { local: true, .. });
    let zone = if by_everybodys_clock { "UTC" } else { fields.timezone.as_str() };
    let suffix = if by_everybodys_clock { ", for the first of them" } else { "" };
    let told = |at| format!("{} ({zone}){suffix}", engine::scheduler::told(zone, at));
    let came = ctx.engine.trigger_events().names(&ctx.actor).await?.into_iter().map(|came| came.name);
    let own = domain::trigger_event::OWN_EVENTS.iter().map(|name| (*name).to_owned());
    let mut events: Vec<String> = came.filter(|name| !name.starts_with(domain::trigger_event::OWN_PREFIX)).collect();
    events.extend(own);
    Ok(WhenView { upcoming: next.into_iter().map(told).collect(), fields, events })
}

/// The people in a file as one of several audiences; nothing while it has none.
#[cfg(feature = "ssr")]
fn file(import: &domain::import::Import) -> Option<(String, String)> {
    use crate::components::format;
    let people = import.created + import.updated + import.unchanged;
    let name = import.file_name.as_deref().unwrap_or("an unnamed file");
    let (at, count) = (format::utc(import.created_at), format::counted(people, "person", "people"));
    (people > 0).then(|| (format!("{IMPORTED}{}", import.id), format!("People in {name} · {at} · {count}")))
}

/// How many people an audience is, and a few of them; also the people in a file (see [`IMPORTED`]).
#[server]
pub async fn preview_people(audience: String) -> Result<PeoplePreview, AppError> {
    people(&ctx()?, &audience).await
}

#[cfg(feature = "ssr")]
async fn people(ctx: &Ctx, audience: &str) -> Result<PeoplePreview, AppError> {
    let segments = ctx.engine.segments();
    let definition = match audience.strip_prefix(IMPORTED) {
        Some(import) => serde_json::json!({ "field": "import", "operator": "=", "value": import }),
        None => {
            let segment = segments.get(&ctx.actor, id(audience)?).await?;
            serde_json::to_value(&segment.definition).unwrap_or_default()
        }
    };
    let preview = segments.preview(&ctx.actor, &definition).await?;
    let sample = preview.sample.into_iter().take(6).map(|contact| (contact.name, contact.phone.to_string())).collect();
    Ok(PeoplePreview { id: audience.to_string(), count: preview.count, sample })
}

/// A template as the first person of the audience gets it.
#[server]
pub async fn preview_text(
    template: String,
    #[server(default)] audience: String,
    #[server(default)] topic: String,
) -> Result<TextPreview, AppError> {
    let audience = given(&audience).map(id).transpose()?;
    text(&ctx()?, id(&template)?, audience, given(&topic)).await
}

#[cfg(feature = "ssr")]
async fn text(
    ctx: &Ctx,
    template: TemplateId,
    audience: Option<SegmentId>,
    topic: Option<&str>,
) -> Result<TextPreview, AppError> {
    use domain::template::PreviewRequest;
    let (engine, actor) = (&ctx.engine, &ctx.actor);
    let template = engine.templates().get(actor, template).await?;
    let person = match audience {
        Some(audience) => {
            let segment = engine.segments().get(actor, audience).await?;
            let definition = serde_json::to_value(&segment.definition).unwrap_or_default();
            engine.segments().preview(actor, &definition).await?.sample.into_iter().next()
        }
        None => None,
    };
    let languages = match audience {
        Some(audience) => engine.campaigns().languages(actor, template.id, audience, topic).await?,
        None => None,
    };
    let wanted = person.as_ref().and_then(|person| person.locale.clone()).unwrap_or_default();
    let language = wanted.split(['-', '_']).next().unwrap_or_default();
    let found = [wanted.as_str(), language, template.default_locale.as_str()]
        .into_iter()
        .find_map(|locale| template.variants.get_key_value(locale))
        .or_else(|| template.variants.first_key_value());
    let (locale, variant) = found.ok_or(AppError::NotFound)?;
    let request = PreviewRequest {
        channel: template.channel,
        body: variant.body.clone(),
        phone: person.as_ref().map(|person| person.phone.to_string()),
        sample: serde_json::Map::new(),
    };
    let preview = engine.templates().preview(actor, &request).await?;
    Ok(TextPreview {
        id: template.id.to_string(),
        name: template.name.clone(),
        locale: locale.clone(),
        text: preview.text,
        buttons: variant.buttons.iter().map(|button| button.title.clone()).collect(),
        person: person
            .map(|person| person.name.unwrap_or_else(|| crate::components::format::phone(person.phone.as_str()))),
        missing: preview.missing,
        problems: preview.errors.into_iter().map(|error| error.message).collect(),
        languages,
    })
}
