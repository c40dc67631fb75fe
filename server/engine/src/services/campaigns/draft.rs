//! Making, changing, deleting campaigns.

use domain::{
    campaign::{Campaign, CampaignPatch, CampaignStatus, NewCampaign},
    consent::Category,
    ids::{CampaignId, TopicId},
    problem::FieldError,
    time::Timestamp,
};
use serde_json::json;
use store::Tx;

use super::{
    audit, campaign_or, commit,
    launch::{deadline_problem, due, hours_problem, too_late},
    named, status_words,
};
use crate::{
    Actor, Engine, Error, Result,
    scheduler::times,
    services::{settings, stale::stale},
};

const NAME_MAX: usize = 200;
const RATE_MAX: i32 = 100_000;
const WEIGHT_MAX: i32 = 100;

pub(super) async fn create(engine: &Engine, actor: &Actor, new: &NewCampaign) -> Result<Campaign> {
    let now = engine.now();
    let campaign = Campaign {
        id: CampaignId(engine.new_uuid()),
        name: new.name.trim().to_owned(),
        topic: new.topic.clone(),
        template_id: new.template_id,
        segment_id: new.segment_id,
        sender_id: new.sender_id,
        trigger: times::completed(&new.trigger, &settings::current(engine).await?.default_timezone),
        catch_up: new.catch_up,
        rate_per_second: new.rate_per_second,
        quiet_hours: new.quiet_hours,
        send_before: new.send_before.clone(),
        late: new.late,
        repeat: new.repeat,
        on_unknown: new.on_unknown,
        weight: new.weight,
        status: CampaignStatus::Draft,
        reason: None,
        next_run_at: None,
        last_due: None,
        created_at: now,
        updated_at: now,
        version: 1,
        run: None,
    };
    let untimely = times::read(&campaign.trigger).ok().and_then(|times| times.untimely(now));
    let too_late = too_late(&campaign, due(&campaign, now), now);
    Error::unless_valid(untimely.into_iter().chain(too_late).collect())?;
    let tx = engine.begin(actor).await?;
    insert(engine, &tx, actor, &campaign).await?;
    commit(tx).await?;
    Ok(campaign)
}

async fn insert(engine: &Engine, tx: &Tx, actor: &Actor, campaign: &Campaign) -> Result<()> {
    let topic = checked(engine, tx, campaign).await?;
    store::campaigns::insert(tx, campaign, topic).await?;
    audit(tx, actor, engine.now(), "create", campaign.id, named(&campaign.name)).await
}

/// What a campaign names must be there, and its numbers must be usable. Returns the topic behind its key.
async fn checked(engine: &Engine, tx: &Tx, campaign: &Campaign) -> Result<Option<TopicId>> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, message: String| errors.push(FieldError::new(field, message));
    if campaign.name.is_empty() {
        wrong("name", "Give it a name.".to_owned());
    } else if campaign.name.chars().count() > NAME_MAX {
        wrong("name", format!("Use at most {NAME_MAX} characters."));
    }
    if campaign.rate_per_second.is_some_and(|rate| !(1..=RATE_MAX).contains(&rate)) {
        wrong("rate_per_second", format!("Give a number from 1 to {RATE_MAX}, or none for the sender's rate."));
    }
    if !(1..=WEIGHT_MAX).contains(&campaign.weight) {
        wrong("weight", format!("Give a number from 1 to {WEIGHT_MAX}."));
    }
    let mut topic = None;
    if let Some(key) = &campaign.topic {
        topic = store::topics::id_of(tx, key).await?;
        if topic.is_none() {
            wrong("topic", format!("There is no topic with the key `{key}`."));
        }
    }
    if let Some(id) = campaign.segment_id
        && store::segments::find(tx, id).await?.is_none()
    {
        wrong("segment_id", "There is no audience with this id.".to_owned());
    }
    let mut channel = None;
    // What binds every category, until it is known which one it is.
    let mut category = Category::Utility;
    if let Some(id) = campaign.template_id {
        match store::templates::find(tx, id).await? {
            Some(template) => {
                channel = Some(template.channel);
                category = template.category;
            }
            None => wrong("template_id", "There is no template with this id.".to_owned()),
        }
    }
    if let Some(id) = campaign.sender_id {
        match store::senders::get(tx, id).await {
            Ok(row) => {
                if let Some(channel) = channel.filter(|channel| *channel != row.sender.channel) {
                    let problem = format!("This sender is for {}; the template is for {channel}.", row.sender.channel);
                    wrong("sender_id", problem);
                }
            }
            Err(store::Error::NotFound) => wrong("sender_id", "There is no sender with this id.".to_owned()),
            Err(error) => return Err(error.into()),
        }
    }
    match campaign.quiet_hours {
        Some(quiet) if quiet.start == quiet.end => {
            errors.push(FieldError::new("quiet_hours", "Start and end are the same. Give two times, or none."));
        }
        Some(_) => errors.extend(hours_problem(engine, campaign, category).await?),
        None => {}
    }
    errors.extend(times::read(&campaign.trigger).err().unwrap_or_default());
    errors.extend(deadline_problem(campaign));
    Error::unless_valid(errors)?;
    Ok(topic)
}

pub(super) async fn update(engine: &Engine, actor: &Actor, id: CampaignId, patch: &CampaignPatch) -> Result<Campaign> {
    let tx = engine.begin(actor).await?;
    let stored = change(engine, &tx, actor, id, patch).await?;
    commit(tx).await?;
    Ok(stored)
}

/// Changes a campaign in the caller's transaction.
pub(super) async fn change(
    engine: &Engine,
    tx: &Tx,
    actor: &Actor,
    id: CampaignId,
    patch: &CampaignPatch,
) -> Result<Campaign> {
    let status = campaign_or(store::campaigns::lock(tx, id).await)?;
    let former = campaign_or(store::campaigns::get(tx, id).await)?;
    if patch.version.is_some_and(|version| version != former.version) {
        return Err(stale(patch, &former));
    }
    let mut changed = patched(former.clone(), patch);
    changed.trigger = times::completed(&changed.trigger, &settings::current(engine).await?.default_timezone);
    if changed == former {
        return Ok(former);
    }
    let mut changed = Campaign { updated_at: engine.now(), ..changed };
    let fixed = fixed_fields(&former, &changed);
    if !is_open(&former) && !fixed.is_empty() {
        return Err(Error::Conflict(format!(
            "The campaign is {}: only its name and its rate can be changed, not {}. Duplicate it to change the rest.",
            status_words(status),
            fixed.join(", ")
        )));
    }
    let topic = checked(engine, tx, &changed).await?;
    if former.trigger != changed.trigger {
        let made = store::schedule::runs_made(tx, id).await?;
        changed.next_run_at = rescheduled(&former, &changed, made, engine.now())?;
    }
    if ["trigger", "send_before", "late"].iter().any(|field| fixed.contains(field)) {
        // Not for any other change: a deadline that was fine when it was given may have passed between two times.
        let now = engine.now();
        Error::unless_valid(too_late(&changed, due(&changed, now), now).into_iter().collect())?;
    }
    store::campaigns::update(tx, &changed, topic).await?;
    if !fixed.is_empty() {
        store::rehearsals::outdate(tx, id).await?;
    }
    if changed.rate_per_second != former.rate_per_second {
        store::runs::set_rate(tx, id, changed.rate_per_second).await?;
    }
    let mut fields = fixed;
    fields.extend((changed.name != former.name).then_some("name"));
    fields.extend((changed.rate_per_second != former.rate_per_second).then_some("rate_per_second"));
    audit(tx, actor, engine.now(), "update", id, json!({ "fields": fields })).await?;
    campaign_or(store::campaigns::get(tx, id).await)
}

/// When a campaign with another trigger is due next that has made so many runs: one that is scheduled stays so.
fn rescheduled(former: &Campaign, changed: &Campaign, made: i32, now: Timestamp) -> Result<Option<Timestamp>> {
    let times = times::read(&changed.trigger).map_err(Error::Invalid)?;
    Error::unless_valid(times.untimely(now).into_iter().collect())?;
    if former.next_run_at.is_none() {
        return Ok(None);
    }
    if times::runs_left(&changed.trigger, made) == Some(0) {
        let text = format!("It has run {made} times already. Give a greater number, or cancel it.");
        return Err(Error::invalid("trigger.count", text));
    }
    let first = times.first(now);
    match first {
        Some(_) => Ok(first),
        None => Err(Error::invalid("trigger", "The campaign is scheduled. Give a time, or cancel it.")),
    }
}

/// Nothing of it went out yet, or goes out.
fn is_open(campaign: &Campaign) -> bool {
    let at_rest = campaign.run.as_ref().is_none_or(|run| run.status.is_over());
    match campaign.status {
        CampaignStatus::Draft | CampaignStatus::Scheduled => true,
        // By the scheduler or a person, before it was due.
        CampaignStatus::Paused => at_rest,
        _ => false,
    }
}

fn patched(campaign: Campaign, patch: &CampaignPatch) -> Campaign {
    Campaign {
        name: patch.name.as_deref().map_or(campaign.name, |name| name.trim().to_owned()),
        topic: patch.topic.clone().unwrap_or(campaign.topic),
        template_id: patch.template_id.or(campaign.template_id),
        segment_id: patch.segment_id.or(campaign.segment_id),
        sender_id: patch.sender_id.unwrap_or(campaign.sender_id),
        trigger: patch.trigger.clone().unwrap_or(campaign.trigger),
        catch_up: patch.catch_up.unwrap_or(campaign.catch_up),
        rate_per_second: patch.rate_per_second.unwrap_or(campaign.rate_per_second),
        quiet_hours: patch.quiet_hours.unwrap_or(campaign.quiet_hours),
        send_before: patch.send_before.clone().unwrap_or(campaign.send_before),
        late: patch.late.unwrap_or(campaign.late),
        repeat: patch.repeat.unwrap_or(campaign.repeat),
        on_unknown: patch.on_unknown.unwrap_or(campaign.on_unknown),
        weight: patch.weight.unwrap_or(campaign.weight),
        ..campaign
    }
}

/// The changed fields that a launched campaign has fixed.
fn fixed_fields(former: &Campaign, changed: &Campaign) -> Vec<&'static str> {
    [
        ("topic", former.topic != changed.topic),
        ("template_id", former.template_id != changed.template_id),
        ("segment_id", former.segment_id != changed.segment_id),
        ("sender_id", former.sender_id != changed.sender_id),
        ("trigger", former.trigger != changed.trigger),
        ("catch_up", former.catch_up != changed.catch_up),
        ("quiet_hours", former.quiet_hours != changed.quiet_hours),
        ("send_before", former.send_before != changed.send_before),
        ("late", former.late != changed.late),
        ("repeat", former.repeat != changed.repeat),
        ("unknown", former.on_unknown != changed.on_unknown),
        ("weight", former.weight != changed.weight),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect()
}

pub(super) async fn delete(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<()> {
    let tx = engine.begin(actor).await?;
    let status = campaign_or(store::campaigns::lock(&tx, id).await)?;
    if matches!(status, CampaignStatus::Running | CampaignStatus::Paused | CampaignStatus::Scheduled) {
        let text = format!("The campaign is {}. Cancel it before you delete it.", status_words(status));
        return Err(Error::Conflict(text));
    }
    let campaign = campaign_or(store::campaigns::get(&tx, id).await)?;
    store::rehearsals::discard(&tx, id, engine.now()).await?;
    store::campaigns::delete(&tx, id).await?;
    audit(&tx, actor, engine.now(), "delete", id, named(&campaign.name)).await?;
    commit(tx).await
}

pub(super) async fn duplicate(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Campaign> {
    let now = engine.now();
    let tx = engine.begin(actor).await?;
    let original = campaign_or(store::campaigns::get(&tx, id).await)?;
    let name: String = original.name.chars().take(NAME_MAX - " (copy)".len()).collect();
    let copy = Campaign {
        id: CampaignId(engine.new_uuid()),
        name: format!("{name} (copy)"),
        status: CampaignStatus::Draft,
        reason: None,
        next_run_at: None,
        last_due: None,
        created_at: now,
        updated_at: now,
        version: 1,
        run: None,
        ..original
    };
    insert(engine, &tx, actor, &copy).await?;
    commit(tx).await?;
    Ok(copy)
}
