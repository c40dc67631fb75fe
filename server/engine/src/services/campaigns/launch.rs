//! Launching: what it needs, what it would do, doing it.

use std::collections::BTreeMap;

use domain::{
    campaign::{Campaign, CampaignStatus, Late, LaunchCheck, Trigger},
    consent::Category,
    contact::Attributes,
    deadline::SendBefore,
    ids::{CampaignId, RunId, TopicId},
    message::Channel,
    problem::FieldError,
    run::{Ledger, Rules, Run, ShownPlan},
    schedule::CatchUp,
    segment::{Group, Segment},
    sender::Sender,
    template::Template,
    time::Timestamp,
};
use jiff::tz::TimeZone;
use serde_json::json;
use store::{
    ConnectionTrait, Tx,
    contacts::Query,
    runs::{NewRun, PlanTally},
    senders::SenderRow,
};

use super::{audit, campaign_or, collisions, commit, rehearse, status_words};
use crate::{
    Actor, Engine, Error, Result,
    bell::Who,
    quiet::{self, Holidays, Policy},
    scheduler::{
        self,
        times::{self, Times},
    },
    sender,
    services::{content_templates, provider_accounts, settings},
    templates::Compiled,
    zones,
};

/// Everything a campaign names, as far as it is there, and what is missing.
pub(crate) struct Parts {
    pub template: Option<Template>,
    pub segment: Option<Segment>,
    pub sender: Option<SenderRow>,
    pub topic: Option<TopicId>,
    pub problems: Vec<FieldError>,
    /// What does not keep it from going out.
    pub warnings: Vec<String>,
    /// The sender is missing or cannot be used: that is no fault of the campaign.
    pub no_sender: bool,
}

/// Places that are named.
const PLACES_SHOWN: usize = 5;

const NO_SENDER: &str = "No sender is set for this channel. Add one on the Senders page, or choose one here.";

pub(crate) async fn parts(engine: &Engine, db: &impl ConnectionTrait, campaign: &Campaign) -> Result<Parts> {
    let mut problems = Vec::new();
    let template = match campaign.template_id {
        Some(id) => store::templates::find(db, id).await?,
        None => None,
    };
    if template.is_none() {
        problems.push(FieldError::new("template_id", "Choose a template."));
    }
    let segment = match campaign.segment_id {
        Some(id) => store::segments::find(db, id).await?,
        None => None,
    };
    // Whom events are about is meant, where no audience narrows it.
    if segment.is_none() && !campaign.trigger.is_event() {
        problems.push(FieldError::new("segment_id", "Choose an audience."));
    }
    let topic = match &campaign.topic {
        Some(key) => store::topics::id_of(db, key).await?,
        None => None,
    };
    if topic.is_none() && campaign.topic.is_some() {
        problems.push(FieldError::new("topic", "This topic is gone. Choose another one, or none."));
    }
    let sender = sender_of(db, campaign, template.as_ref()).await?;
    let unusable = match (&sender, &template) {
        (None, Some(_)) => Some(NO_SENDER.to_owned()),
        (None, None) => None,
        (Some(row), _) => unusable(engine, &row.sender).await?,
    };
    let no_sender = unusable.is_some();
    if let Some(text) = unusable {
        problems.push(FieldError::new("sender_id", text));
    } else if let (Some(row), Some(template)) = (&sender, &template)
        && row.sender.channel != template.channel
    {
        let text = format!("This sender is for {}; the template is for {}.", row.sender.channel, template.channel);
        problems.push(FieldError::new("sender_id", text));
    }
    let mut warnings = Vec::new();
    if let Some(template) = &template {
        match hours_problem(engine, campaign, template.category).await? {
            Some(problem) => problems.push(problem),
            None => warnings.extend(closed_places(engine, campaign, template.category).await?),
        }
        let (refused, open) = content_templates::findings(db, template, &campaign.trigger).await?;
        problems.extend(refused);
        warnings.extend(open);
        let enforced = settings::current(engine).await?.enforce_whatsapp_window;
        warnings.extend(only_in_conversation(template, enforced));
    }
    problems.extend(deadline_problem(campaign));
    Ok(Parts { template, segment, sender, topic, problems, warnings, no_sender })
}

/// Says so when the quiet hours of campaign, workspace and law together leave no time at all.
pub(super) async fn hours_problem(
    engine: &Engine,
    campaign: &Campaign,
    category: Category,
) -> Result<Option<FieldError>> {
    let hours = hours_of(engine, campaign, category).await?;
    Ok(hours.leaves_nothing().then(|| {
        let text = format!("Nothing could ever be sent: quiet is {}. Shorten the quiet hours.", hours.words());
        FieldError::new("quiet_hours", text)
    }))
}

/// Says so when they leave none in some places, by the law table and the workspace's own lines: elsewhere it goes out all the
/// same.
async fn closed_places(engine: &Engine, campaign: &Campaign, category: Category) -> Result<Option<String>> {
    let hours = hours_of(engine, campaign, category).await?;
    let places = hours.closed_places(zones::civil(&TimeZone::UTC, engine.now()).date());
    let shown: Vec<_> = places.iter().take(PLACES_SHOWN).map(String::as_str).collect();
    let more = if places.len() > shown.len() { ", …" } else { "" };
    Ok((!places.is_empty()).then(|| {
        format!(
            "Nobody in {}{more} could ever get it: quiet is {}, and the law table and the workspace's own lines leave no \
             other time there. Shorten the quiet hours, or change those lines.",
            shown.join(", "),
            hours.words()
        )
    }))
}

async fn hours_of(engine: &Engine, campaign: &Campaign, category: Category) -> Result<Policy> {
    let settings = settings::current(engine).await?;
    Ok(quiet::of_campaign(&settings, &Holidays::default(), category, campaign.quiet_hours))
}

/// Says so when a duration would count from an instant that nobody has chosen.
pub(super) fn deadline_problem(campaign: &Campaign) -> Option<FieldError> {
    let Some(SendBefore::After { .. }) = campaign.send_before else { return None };
    let text = match &campaign.trigger {
        Trigger::Event { .. } => "It would count from when the campaign begins to listen. Give a time, or none.",
        Trigger::Once { local: true, .. } => {
            "It would count from when the day begins at the first place on earth, long before most people's time. Give a \
             time, or none."
        }
        Trigger::Now | Trigger::Once { .. } | Trigger::Cron { .. } => return None,
    };
    Some(FieldError::new("send_before", text))
}

/// When a campaign is due first once it is launched or scheduled now.
pub(super) fn due(campaign: &Campaign, now: Timestamp) -> Timestamp {
    times::read(&campaign.trigger).ok().and_then(|times| times.first(now)).unwrap_or(now)
}

/// Its deadline, when that is over by the instant at which it goes out first.
fn deadline_before(campaign: &Campaign, goes_out: Timestamp) -> Option<Timestamp> {
    let deadline = campaign.send_before.as_ref()?.from_start(goes_out);
    (deadline <= goes_out).then_some(deadline)
}

/// Says so when nobody would get it, because what is late is dropped and everything would be.
pub(super) fn too_late(campaign: &Campaign, goes_out: Timestamp, now: Timestamp) -> Option<FieldError> {
    let deadline = deadline_before(campaign, goes_out).filter(|_| campaign.late == Late::Drop)?;
    let text = if deadline <= now {
        "This time has passed: everything would be dropped. Give one to come, or none.".to_owned()
    } else {
        let first = scheduler::told("UTC", goes_out);
        format!("It goes out first on {first} UTC: everything would be dropped. Give a later time, or none.")
    };
    Some(FieldError::new("send_before", text))
}

/// Said when everybody would get it late, which keeps nobody from getting it.
fn all_late(campaign: &Campaign, goes_out: Timestamp) -> Option<String> {
    let deadline = deadline_before(campaign, goes_out).filter(|_| campaign.late == Late::Wait)?;
    let deadline = scheduler::told("UTC", deadline);
    Some(format!(
        "It is worth sending until {deadline} UTC, and goes out after that: what is late is sent all the same, so everybody \
         gets it."
    ))
}

/// Why nothing would go out from this sender however long one waits.
async fn unusable(engine: &Engine, sender: &Sender) -> Result<Option<String>> {
    if !sender.enabled {
        return Ok(Some(format!("The sender “{}” is disabled. Enable it, or choose another one.", sender.name)));
    }
    let known = provider_accounts::current(engine).await?.get(&sender.account_sid).is_some();
    Ok((!known).then(|| {
        format!(
            "The sender “{}” belongs to the account {}, which is not set up here. Add it on the Senders page.",
            sender.name, sender.account_sid
        )
    }))
}

/// The campaign's own sender, else the default of its template's channel.
async fn sender_of(
    db: &impl ConnectionTrait,
    campaign: &Campaign,
    template: Option<&Template>,
) -> Result<Option<SenderRow>> {
    match (campaign.sender_id, template) {
        (Some(id), _) => match store::senders::get(db, id).await {
            Ok(row) => Ok(Some(row)),
            Err(store::Error::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        },
        (None, Some(template)) => Ok(store::senders::default_of(db, template.channel).await?),
        (None, None) => Ok(None),
    }
}

impl Parts {
    /// All of them, or why not.
    pub(super) fn complete(self) -> Result<(Template, Option<Segment>, SenderRow, Option<TopicId>)> {
        let mut problems = self.problems;
        // Nothing to correct in the campaign: it is the workspace that lacks a sender.
        if self.no_sender && problems.len() == 1 {
            return Err(Error::Conflict(problems.remove(0).message));
        }
        Error::unless_valid(problems)?;
        match (self.template, self.sender) {
            (Some(template), Some(sender)) => Ok((template, self.segment, sender, self.topic)),
            _ => Err(Error::internal("a campaign without problems lacks a part")),
        }
    }
}

pub(super) async fn check(engine: &Engine, id: CampaignId) -> Result<LaunchCheck> {
    let db = engine.db().reader();
    let campaign = campaign_or(store::campaigns::get(db, id).await)?;
    let parts = parts(engine, db, &campaign).await?;
    let (mut problems, mut warnings) = (parts.problems, parts.warnings);
    if may_launch(campaign.status) {
        let (now, goes_out) = (engine.now(), due(&campaign, engine.now()));
        problems.extend(untimely(&campaign, now));
        problems.extend(too_late(&campaign, goes_out, now));
        warnings.extend(all_late(&campaign, goes_out));
    } else {
        problems.push(FieldError::new("status", launched_before(campaign.status)));
    }
    let mut check = LaunchCheck {
        audience_name: parts.segment.as_ref().map(|segment| segment.name.clone()).unwrap_or_default(),
        template_name: parts.template.as_ref().map(|template| template.name.clone()).unwrap_or_default(),
        sender_name: parts.sender.as_ref().map(|row| row.sender.name.clone()).unwrap_or_default(),
        audience: 0,
        skipped: BTreeMap::new(),
        rate_per_second: rate(&campaign, parts.sender.as_ref()),
        problems,
        warnings,
        sample_text: None,
        campaign,
    };
    if let (Trigger::Event { name, .. }, Some(template)) = (&check.campaign.trigger, &parts.template) {
        // Events say to whom it goes, one after the other: it is shown for the newest person, and the latest event.
        check.sample_text = sample_of_event(engine, name, template).await?;
        return Ok(check);
    }
    let (Some(template), Some(segment)) = (&parts.template, &parts.segment) else { return Ok(check) };
    let definition = store::segments::inline(db, &segment.definition).await?;
    let kind = (template.channel, template.category);
    let since = settings::current(engine).await?.unreachable_since(engine.now());
    let (tally, first) = store::runs::preview(db, &definition, parts.topic, kind, engine.now(), since).await?;
    check.audience = tally.total();
    check.skipped = tally.skipped.iter().map(|(reason, count)| (reason.to_string(), *count)).collect();
    check.warnings.extend(refused_by_meta(template, tally.queued_in_us));
    let sender = parts.sender.as_ref().map(|row| row.sender.id);
    let plan = rehearse::plan(db, &check.campaign, sender).await?;
    let problem = match &plan {
        Some(ready) => nobody_planned(&store::ledger::load(db, ready.run).await?),
        None => (tally.total() == 0 && check.campaign.trigger == Trigger::Now).then(nobody_there),
    };
    match problem {
        Some(problem) => check.problems.push(problem),
        None => check.warnings.extend(nobody(&tally, &check.campaign.trigger)),
    }
    let locales = store::runs::locales(db, &definition, parts.topic, kind, engine.now(), since).await?;
    if let Ok(compiled) = engine.inner().templates.version(engine.db(), template.id, template.version).await {
        check.warnings.extend(without_variant(&compiled, &locales, "of them"));
    }
    check.warnings.extend(collisions::warnings(engine, &check.campaign, (&definition, check.audience)).await?);
    if let Some(first) = first {
        let person = store::contacts::by_ids(db, &[first]).await?.pop();
        check.sample_text =
            person.and_then(|person| sender::sample(engine, template, &person.contact, &Attributes::new()));
    }
    Ok(check)
}

/// Said where free text goes to open conversations alone: as a campaign that is hardly ever meant.
fn only_in_conversation(template: &Template, enforced: bool) -> Option<String> {
    let is_bound = enforced && template.channel == Channel::Whatsapp;
    let free: Vec<_> =
        template.variants.iter().filter(|(_, text)| text.content_sid.is_none()).map(|(locale, _)| &**locale).collect();
    (is_bound && !free.is_empty()).then(|| {
        format!(
            "The text ({}) is no approved WhatsApp template: it goes only to people who wrote to this sender within 24 hours. \
             All others are left out (outside_window). Use an approved template to reach them.",
            free.join(", ")
        )
    })
}

/// Meta delivers no marketing templates to numbers of the United States (error 63049).
fn refused_by_meta(template: &Template, in_us: i64) -> Option<String> {
    let refused = sender::is_refused_in_us(template.channel, template.category) && in_us > 0;
    refused.then(|| {
        format!(
            "{in_us} of them have numbers of the United States, where WhatsApp delivers no marketing: leave them out by \
             the audience, or reach them by SMS."
        )
    })
}

/// Said when nobody would get it as it is.
fn nobody(tally: &PlanTally, trigger: &Trigger) -> Option<String> {
    if tally.queued > 0 {
        return None;
    }
    let is_empty = tally.total() == 0;
    let who = if is_empty { "There is nobody in the audience" } else { "Everybody in the audience is left out" };
    let then = match (trigger, is_empty) {
        (Trigger::Now, _) => ".",
        (_, false) => " as of now. Its time decides: it goes to who is in it by then.",
        (_, true) => {
            " as of now. Its time decides: it goes to who is in it by then. A launch by hand is refused as long as there is \
             nobody."
        }
    };
    Some(format!("{who}{then}"))
}

/// Languages that are named.
const LANGUAGES_SHOWN: usize = 5;

/// Said when people read languages that the template has no text for; `whom` says of how many.
pub(super) fn without_variant(template: &Compiled, locales: &[(String, i64)], whom: &str) -> Option<String> {
    let mut languages: BTreeMap<String, i64> = BTreeMap::new();
    for (locale, count) in locales.iter().filter(|(locale, _)| !template.has_variant(locale)) {
        *languages.entry(sender::language(locale)).or_default() += count;
    }
    let people: i64 = languages.values().sum();
    let mut named: Vec<_> = languages.into_iter().collect();
    named.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let shown: Vec<_> = named.iter().take(LANGUAGES_SHOWN).map(|(language, _)| language.as_str()).collect();
    let more = if named.len() > shown.len() { ", …" } else { "" };
    (people > 0).then(|| {
        format!(
            "{people} {whom} read languages that the template has no text for ({}{more}): they get the default one.",
            shown.join(", ")
        )
    })
}

async fn sample_of_event(engine: &Engine, name: &str, template: &Template) -> Result<Option<String>> {
    let db = engine.db().reader();
    let data = store::trigger_events::sample(db, Some(name)).await?.unwrap_or_default();
    let extra = Attributes::from_iter([("event".to_owned(), data.into())]);
    let person = store::contacts::list(db, &Query::default(), None, 1).await?.pop();
    Ok(person.and_then(|person| sender::sample(engine, template, &person.contact, &extra)))
}

fn rate(campaign: &Campaign, sender: Option<&SenderRow>) -> i32 {
    let sender = sender.map_or(i32::MAX, |row| row.sender.rate_per_second);
    let narrower = campaign.rate_per_second.unwrap_or(i32::MAX).min(sender);
    if narrower == i32::MAX { 0 } else { narrower }
}

/// Says so when a campaign's time is over or never comes, or cannot be read: a zone that the time zones in use do not have
/// any more. Nothing else of it concerns a run that is due just now.
pub(super) fn untimely(campaign: &Campaign, now: Timestamp) -> Vec<FieldError> {
    match times::read(&campaign.trigger) {
        Ok(times) => times.untimely(now).into_iter().collect(),
        Err(errors) => errors,
    }
}

pub(super) const fn may_launch(status: CampaignStatus) -> bool {
    matches!(status, CampaignStatus::Draft | CampaignStatus::Scheduled)
}

pub(super) fn launched_before(status: CampaignStatus) -> String {
    format!("The campaign is {} already. Duplicate it to send it again.", status_words(status))
}

/// What is sent at once needs somebody to send to.
fn nobody_there() -> FieldError {
    FieldError::new("segment_id", "There is nobody in the audience. Choose another one, or add people to it.")
}

/// Refuses what would go out at once, and to nobody; looked for before the transaction, because it may take a while. What
/// else is wrong with the campaign is not said here.
async fn somebody(engine: &Engine, id: CampaignId) -> Result<()> {
    let db = engine.db().reader();
    let campaign = campaign_or(store::campaigns::get(db, id).await)?;
    let goes_out = may_launch(campaign.status) && !campaign.trigger.is_event();
    if !goes_out || !untimely(&campaign, engine.now()).is_empty() {
        return Ok(());
    }
    let mut parts = parts(engine, db, &campaign).await?;
    parts.problems.extend(too_late(&campaign, engine.now(), engine.now()));
    let (Some(segment), true) = (&parts.segment, parts.problems.is_empty()) else { return Ok(()) };
    let sender = parts.sender.as_ref().map(|row| row.sender.id);
    if let Some(ready) = rehearse::plan(db, &campaign, sender).await? {
        let problem = nobody_planned(&store::ledger::load(db, ready.run).await?);
        return Error::unless_valid(problem.into_iter().collect());
    }
    let definition = definition(db, Some(segment)).await?;
    let is_somebody = store::segments::holds_anybody(db, &definition, engine.now()).await?;
    if is_somebody { Ok(()) } else { Err(Error::Invalid(vec![nobody_there()])) }
}

/// A rehearsed plan that comes to nobody would use the campaign up.
fn nobody_planned(plan: &Ledger) -> Option<FieldError> {
    match (plan.queued, plan.planned) {
        (0, 0) => Some(nobody_there()),
        (0, _) => {
            let text =
                "Everybody in the rehearsed plan is left out. Mend what they are left out for, or rehearse again.";
            Some(FieldError::new("segment_id", text))
        }
        _ => None,
    }
}

pub(super) async fn launch(engine: &Engine, actor: &Actor, id: CampaignId, shown: &ShownPlan) -> Result<Run> {
    somebody(engine, id).await?;
    let now = engine.now();
    let tx = engine.begin(actor).await?;
    let status = campaign_or(store::campaigns::lock(&tx, id).await)?;
    if !may_launch(status) {
        return Err(Error::Conflict(launched_before(status)));
    }
    let campaign = campaign_or(store::campaigns::get(&tx, id).await)?;
    if campaign.trigger.is_event() {
        let text = "The campaign waits for events: schedule it, and it listens from then on.";
        return Err(Error::Conflict(text.to_owned()));
    }
    Error::unless_valid(untimely(&campaign, now))?;
    let run = match rehearse::launch(engine, &tx, actor, &campaign, shown).await? {
        Some(run) => run,
        None => start(engine, &tx, actor, &campaign, now).await?,
    };
    store::campaigns::set_status(&tx, id, &[status], CampaignStatus::Running, now).await?;
    if matches!(campaign.trigger, Trigger::Once { .. }) {
        // It went out instead.
        store::schedule::arm(&tx, id, None).await?;
    }
    let launched = store::runs::get(&tx, run).await?;
    commit(tx).await?;
    for who in [Who::Planner, Who::Senders] {
        engine.inner().bell.ring(who);
    }
    Ok(launched)
}

/// Makes the campaign's run for the instant that it was due, frozen as everything is now; the campaign's status is the
/// caller's.
///
/// # Errors
/// `Invalid` and `Conflict` with what is missing; then nothing was changed.
pub(crate) async fn start(
    engine: &Engine,
    tx: &Tx,
    actor: &Actor,
    campaign: &Campaign,
    due_at: Timestamp,
) -> Result<RunId> {
    let looked_at = store::rehearsals::ready(tx, campaign.id, false).await?;
    let begins = Begins { due_at, from: engine.now() };
    let (run, template_version) = insert(engine, tx, actor, campaign, begins).await?;
    // Not before it is sure that nothing is missing: the scheduler keeps what was done until then.
    store::rehearsals::discard(tx, campaign.id, engine.now()).await?;
    if let Some(rehearsal) = looked_at.filter(|_| !campaign.trigger.is_event()) {
        store::rehearsals::keep(tx, rehearsal.run, run).await?;
    }
    let detail = json!({ "run": run.to_string(), "template_version": template_version });
    let action = if campaign.trigger.is_event() { "schedule" } else { "launch" };
    audit(tx, actor, engine.now(), action, campaign.id, detail).await?;
    Ok(run)
}

/// Whom an audience means, with the audiences inside it written out; without one everybody.
pub(super) async fn definition(db: &impl ConnectionTrait, segment: Option<&Segment>) -> Result<Group> {
    Ok(match segment {
        Some(segment) => store::segments::inline(db, &segment.definition).await?,
        None => Group::everybody(),
    })
}

/// When a run begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begins {
    /// The instant that it is for: no two of a campaign's runs have the same.
    pub due_at: Timestamp,
    /// When it begins: everybody is taken as they are then, and is due from then on.
    pub from: Timestamp,
}

/// A run with everything frozen as it is now, and the version of its template.
pub(super) async fn insert(
    engine: &Engine,
    tx: &Tx,
    actor: &Actor,
    campaign: &Campaign,
    Begins { due_at, from }: Begins,
) -> Result<(RunId, i64)> {
    let (now, id) = (engine.now(), campaign.id);
    let mut parts = parts(engine, tx, campaign).await?;
    parts.problems.extend(too_late(campaign, from, now));
    let (template, segment, sender, topic) = parts.complete()?;
    let definition = definition(tx, segment.as_ref()).await?;
    let event = match times::read(&campaign.trigger).map_err(Error::Invalid)? {
        Times::Event(rules) => Some(rules),
        _ => None,
    };
    let local_at = match &campaign.trigger {
        Trigger::Once { at, local: true, .. } => Some(at.clone()),
        _ => None,
    };
    let leave_late = local_at.is_some() && campaign.catch_up == CatchUp::Skip;
    let rules = Rules {
        category: template.category,
        channel: template.channel,
        late: campaign.late,
        repeat: campaign.repeat,
        on_unknown: campaign.on_unknown,
        quiet_hours: campaign.quiet_hours,
        quiet_off: false,
        quiet_overrides: Vec::new(),
        send_before: campaign.send_before.as_ref().map(|deadline| deadline.from_start(from)),
        tzdb: local_at.is_some().then(|| zones::version().to_owned()),
        local_at,
        leave_late,
        event,
    };
    let run = NewRun {
        id: RunId(engine.new_uuid()),
        due_at,
        snapshot_at: from,
        campaign_id: id,
        template_id: template.id,
        template_version: template.version,
        definition: &definition,
        topic_id: topic,
        sender_id: sender.sender.id,
        rules: &rules,
        rate_per_second: campaign.rate_per_second,
        weight: campaign.weight,
    };
    store::runs::insert(tx, actor, now, &run).await?;
    Ok((run.id, template.version))
}
