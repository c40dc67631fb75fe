//! Campaigns: what the pages' forms do.

#![expect(clippy::too_many_arguments, reason = "a server function takes the fields of its form")]

#[cfg(feature = "ssr")]
use domain::{
    campaign::{Campaign, CampaignPatch, OverrideQuietHours},
    ids::{CampaignId, SegmentId},
    problem::FieldError,
    run::{LeaveOut, ShownPlan},
    template::Fallback,
};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::{
    api::{IMPORTED, Names, clock_of, given, id, names},
    wizard::{Step, when::WhenFields, words},
};
use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{context::ctx, paths};

/// What a button of a campaign does: one function, so that a page has one place for what went wrong.
#[server]
pub async fn change_campaign(
    campaign: String,
    verb: String,
    #[server(default)] timezone: String,
    #[server(default)] variable: String,
    #[server(default)] words: String,
    #[server(default)] language: String,
    #[server(default)] reason: String,
    #[server(default)] run: String,
    #[server(default)] plan: String,
) -> Result<(), AppError> {
    let ctx = ctx()?;
    let shown = ShownPlan { run: given(&run).map(id).transpose()?, hash: given(&plan).map(str::to_owned) };
    let id: CampaignId = id(&campaign)?;
    let (campaigns, actor) = (ctx.engine.campaigns(), &ctx.actor);
    let (path, done) = match verb.as_str() {
        "rehearse" => (paths::rehearsal(campaigns.rehearse(actor, id).await?.campaign_id), "rehearsed"),
        "set_timezone" => {
            let keep = |error: engine::Error| AppError::from(error).keep(&[("timezone", &timezone)]);
            campaigns.set_timezones(actor, id, &timezone).await.map_err(keep)?;
            (paths::rehearsal(campaigns.rehearse(actor, id).await.map_err(keep)?.campaign_id), "rehearsed")
        }
        "set_fallback" => {
            let typed = [("variable", &*variable), ("words", &*words)];
            let keep = |error: engine::Error| AppError::from(error).keep(&typed);
            let template = campaigns.get(actor, id).await.map_err(keep)?.template_id.ok_or(AppError::NotFound)?;
            let fallback = Fallback { variable: variable.clone(), words: words.clone() };
            ctx.engine.templates().set_fallback(actor, template, &fallback).await.map_err(keep)?;
            (paths::rehearsal(campaigns.rehearse(actor, id).await.map_err(keep)?.campaign_id), "rehearsed")
        }
        "leave_out_us" => {
            campaigns.leave_out(actor, id, &LeaveOut::UsMarketing).await?;
            (paths::rehearsal(campaigns.rehearse(actor, id).await?.campaign_id), "rehearsed")
        }
        "leave_out_language" => {
            campaigns.leave_out(actor, id, &LeaveOut::WithoutVariant { language }).await?;
            (paths::rehearsal(campaigns.rehearse(actor, id).await?.campaign_id), "rehearsed")
        }
        "discard_rehearsal" => {
            campaigns.discard_rehearsal(actor, id).await?;
            (paths::campaign(id), "discarded")
        }
        "launch" => (paths::campaign(campaigns.launch_shown(actor, id, &shown).await?.campaign_id), "launched"),
        "schedule" => (paths::campaign(campaigns.schedule(actor, id).await?.id), "scheduled"),
        "pause" => (path_of(campaigns.pause(actor, id).await?), "paused"),
        "resume" => (paths::campaign(campaigns.resume(actor, id).await?.id), "resumed"),
        "wake" => {
            let keep = |error: engine::Error| AppError::from(error).keep(&[("reason", &reason)]);
            let asked = OverrideQuietHours { reason: reason.clone() };
            (paths::campaign(campaigns.override_quiet_hours(actor, id, &asked).await.map_err(keep)?.id), "woken")
        }
        "keep_hours" => (paths::campaign(campaigns.restore_quiet_hours(actor, id).await?.id), "hours_kept"),
        "cancel" => (path_of(campaigns.cancel(actor, id).await?), "cancelled"),
        "duplicate" => (paths::campaign(campaigns.duplicate(actor, id).await?.id), "duplicated"),
        "delete" => {
            campaigns.delete(actor, id).await?;
            (paths::CAMPAIGNS.to_owned(), "deleted")
        }
        _ => return Err(AppError::field("verb", "The page does not know this button. Load it again.")),
    };
    leptos_axum::redirect(&paths::done(&path, done));
    Ok(())
}

/// The campaign's page; of one that cannot be read there is none, and the list names it.
#[cfg(feature = "ssr")]
fn path_of(campaign: Option<Campaign>) -> String {
    campaign.map_or_else(|| paths::CAMPAIGNS.to_owned(), |campaign| paths::campaign(campaign.id))
}

/// Sends the campaign's message to a few numbers: one a line, or separated by commas.
#[server]
pub async fn send_test(campaign: String, phones: String) -> Result<(), AppError> {
    let ctx = ctx()?;
    let id: CampaignId = id(&campaign)?;
    let request = domain::campaign::TestRequest {
        phones: phones.split(['\n', ',', ';']).filter_map(given).map(str::to_owned).collect(),
    };
    let messages = ctx
        .engine
        .campaigns()
        .test(&ctx.actor, id, &request)
        .await
        .map_err(|error| in_one_field(AppError::from(error), &request.phones).keep(&[("phones", &phones)]))?;
    let tests = messages.iter().map(|message| message.id.to_string()).collect::<Vec<_>>().join(",");
    let path = paths::with_query(&paths::campaign(id), &[("tests", &tests)]);
    leptos_axum::redirect(&paths::done(&path, "test_sent"));
    Ok(())
}

/// The service names each number's place (`phones[1]`); the page has one field for all of them.
#[cfg(feature = "ssr")]
fn in_one_field(mut error: AppError, phones: &[String]) -> AppError {
    if let AppError::Invalid { fields, .. } = &mut error {
        for field in fields {
            let place = field.field.strip_prefix("phones[").and_then(|rest| rest.strip_suffix(']'));
            if let Some(phone) = place.and_then(|place| place.parse().ok()).and_then(|place: usize| phones.get(place)) {
                field.message = format!("“{phone}”: {}.", field.message.trim_end_matches('.'));
                field.field = "phones".to_owned();
            }
        }
    }
    error
}

/// The wizard's first step for a campaign that is not there yet; other pages may have chosen something already.
#[server]
pub async fn create_campaign(
    name: String,
    #[server(default)] topic: String,
    #[server(default)] audience: String,
    #[server(default)] template: String,
) -> Result<(), AppError> {
    use domain::campaign::{Late, NewCampaign, OnUnknown, Repeat, Trigger};
    let ctx = ctx()?;
    let new = NewCampaign {
        name: name.clone(),
        topic: given(&topic).map(str::to_owned),
        template_id: given(&template).map(id).transpose()?,
        segment_id: given(&audience).map(id).transpose()?,
        sender_id: None,
        trigger: Trigger::Now,
        catch_up: domain::schedule::CatchUp::Run,
        rate_per_second: None,
        quiet_hours: None,
        send_before: None,
        late: Late::Wait,
        repeat: Repeat::EachRun,
        on_unknown: OnUnknown::Requeue,
        weight: 1,
    };
    let campaign = ctx
        .engine
        .campaigns()
        .create(&ctx.actor, new)
        .await
        .map_err(|error| AppError::from(error).keep(&[("name", &name), ("topic", &topic)]))?;
    leptos_axum::redirect(&Step::Audience.path(campaign.id));
    Ok(())
}

#[server]
pub async fn save_basics(
    campaign: String,
    version: i64,
    name: String,
    #[server(default)] topic: String,
    #[server(default)] op: String,
) -> Result<(), AppError> {
    let topic_key = given(&topic).map(str::to_owned);
    let patch = CampaignPatch { name: Some(name.clone()), topic: Some(topic_key), ..CampaignPatch::default() };
    let campaign = patched(&campaign, version, patch, &[("name", &name), ("topic", &topic)]).await?;
    go_on(&campaign, Step::Basics, &op);
    Ok(())
}

#[server]
pub async fn choose_audience(
    campaign: String,
    version: i64,
    #[server(default)] segment_id: String,
    #[server(default)] op: String,
) -> Result<(), AppError> {
    let Some(segment) = given(&segment_id) else {
        return Err(AppError::field("segment_id", "Choose who is meant, or make a new audience."));
    };
    let typed = [("segment_id", &*segment_id)];
    let segment = audience(segment).await.map_err(|error| error.keep(&typed))?;
    let patch = CampaignPatch { segment_id: Some(segment), ..CampaignPatch::default() };
    let campaign = patched(&campaign, version, patch, &typed).await?;
    go_on(&campaign, Step::Audience, &op);
    Ok(())
}

/// The audience that was chosen; the people in a file become one.
#[cfg(feature = "ssr")]
async fn audience(chosen: &str) -> Result<SegmentId, AppError> {
    let Some(import) = chosen.strip_prefix(IMPORTED) else { return id(chosen) };
    let ctx = ctx()?;
    Ok(ctx.engine.segments().of_import(&ctx.actor, id(import)?).await?.id)
}

#[server]
pub async fn choose_template(
    campaign: String,
    version: i64,
    #[server(default)] template_id: String,
    #[server(default)] op: String,
) -> Result<(), AppError> {
    let Some(template) = given(&template_id) else {
        return Err(AppError::field("template_id", "Choose what is said, or write a new template."));
    };
    let patch = CampaignPatch { template_id: Some(id(template)?), ..CampaignPatch::default() };
    let campaign = patched(&campaign, version, patch, &[("template_id", &template_id)]).await?;
    go_on(&campaign, Step::Message, &op);
    Ok(())
}

#[server]
pub async fn save_sending(
    campaign: String,
    version: i64,
    #[server(default)] sender_id: String,
    #[server(default)] rate_per_second: String,
    #[server(default)] quiet_hours: String,
    #[server(default)] quiet_until: String,
    #[server(default)] send_before: String,
    #[server(default)] late: String,
    #[server(default)] unknown: String,
    #[server(default)] op: String,
) -> Result<(), AppError> {
    let typed = [
        ("sender_id", &*sender_id),
        ("rate_per_second", &*rate_per_second),
        ("quiet_hours", &*quiet_hours),
        ("quiet_until", &*quiet_until),
        ("send_before", &*send_before),
        ("late", &*late),
        ("unknown", &*unknown),
    ];
    let keep = |error: AppError| error.keep(&typed);
    let ctx = ctx()?;
    let stored = ctx.engine.campaigns().get(&ctx.actor, id(&campaign)?).await.map_err(|error| keep(error.into()))?;
    let zone = clock_of(&ctx, &stored).await.map_err(keep)?;
    let patch = CampaignPatch {
        sender_id: Some(given(&sender_id).map(id).transpose()?),
        rate_per_second: Some(rate(&rate_per_second).map_err(keep)?),
        quiet_hours: Some(words::read_hours(&quiet_hours, &quiet_until).map_err(keep)?),
        send_before: Some(words::read_deadline(&send_before, &zone).map_err(keep)?),
        late: given(&late).and_then(|word| word.parse().ok()),
        on_unknown: given(&unknown).and_then(|word| word.parse().ok()),
        ..CampaignPatch::default()
    };
    let campaign = patched(&campaign, version, patch, &typed).await?;
    go_on(&campaign, Step::Sending, &op);
    Ok(())
}

#[server]
pub async fn save_when(
    campaign: String,
    version: i64,
    #[server(default)] when: String,
    #[server(default)] at: String,
    #[server(default)] timezone: String,
    #[server(default)] local: bool,
    #[server(default)] rhythm: String,
    #[server(default)] time: String,
    #[server(default)] weekday: String,
    #[server(default)] month_day: String,
    #[server(default)] expression: String,
    #[server(default)] count: String,
    #[server(default)] until: String,
    #[server(default)] event: String,
    #[server(default)] delay: String,
    #[server(default)] debounce: String,
    #[server(default)] repeat: String,
    #[server(default)] catch_up: String,
    #[server(default)] op: String,
) -> Result<(), AppError> {
    let by_everybody = if local { "true" } else { "" };
    let fields = WhenFields {
        when,
        at,
        timezone,
        local,
        rhythm,
        time,
        weekday,
        month_day,
        expression,
        count,
        until,
        event,
        delay,
        debounce,
    };
    let typed = [
        ("when", &*fields.when),
        ("at", &*fields.at),
        ("timezone", &*fields.timezone),
        ("local", by_everybody),
        ("rhythm", &*fields.rhythm),
        ("time", &*fields.time),
        ("weekday", &*fields.weekday),
        ("month_day", &*fields.month_day),
        ("expression", &*fields.expression),
        ("count", &*fields.count),
        ("until", &*fields.until),
        ("event", &*fields.event),
        ("delay", &*fields.delay),
        ("debounce", &*fields.debounce),
        ("repeat", &*repeat),
        ("catch_up", &*catch_up),
    ];
    let keep = |error: AppError| error.keep(&typed);
    let trigger = match is_untouched(&campaign, &fields).await.map_err(keep)? {
        true => None,
        false => Some(fields.trigger().map_err(keep)?),
    };
    let patch = CampaignPatch {
        trigger,
        repeat: given(&repeat).and_then(|word| word.parse().ok()),
        catch_up: given(&catch_up).and_then(|word| word.parse().ok()),
        ..CampaignPatch::default()
    };
    let campaign = patched(&campaign, version, patch, &typed).await.map_err(at_its_field)?;
    go_on(&campaign, Step::When, &op);
    Ok(())
}

/// Whether a time is still the one that the page showed: an instant that a program gave stays it then.
#[cfg(feature = "ssr")]
async fn is_untouched(campaign: &str, fields: &WhenFields) -> Result<bool, AppError> {
    let ctx = ctx()?;
    let stored = ctx.engine.campaigns().get(&ctx.actor, id(campaign)?).await?;
    let zone = ctx.engine.settings().default_timezone(&ctx.actor).await?;
    Ok(fields.is_same_time(&WhenFields::of(&stored.trigger, &zone)))
}

/// The service names a part of the trigger (`trigger.at`); the page has a field of that name. The deadline that a time does
/// not fit stands in another step.
#[cfg(feature = "ssr")]
fn at_its_field(mut error: AppError) -> AppError {
    if let AppError::Invalid { fields, .. } = &mut error {
        for field in fields {
            if field.field == "send_before" {
                field.message = format!("“Worth sending until”, in the step Sending: {}", field.message);
                "when".clone_into(&mut field.field);
            } else if let Some(part) = field.field.strip_prefix("trigger.") {
                let name = match part {
                    "name" => "event",
                    part => part,
                };
                field.field = name.to_owned();
            }
        }
    }
    error
}

/// What can still be changed once a campaign was launched; `over`: only the name.
#[server]
pub async fn save_launched(
    campaign: String,
    version: i64,
    name: String,
    #[server(default)] rate_per_second: String,
    #[server(default)] over: bool,
) -> Result<(), AppError> {
    let typed = [("name", &*name), ("rate_per_second", &*rate_per_second)];
    let rate = rate(&rate_per_second).map_err(|error| error.keep(&typed))?;
    let patch = CampaignPatch {
        name: Some(name.clone()),
        rate_per_second: (!over).then_some(rate),
        ..CampaignPatch::default()
    };
    let campaign = patched(&campaign, version, patch, &typed).await?;
    leptos_axum::redirect(&paths::done(&paths::campaign(campaign.id), "saved"));
    Ok(())
}

#[cfg(feature = "ssr")]
fn rate(text: &str) -> Result<Option<i32>, AppError> {
    let read =
        |text: &str| text.parse().map_err(|_| AppError::field("rate_per_second", "Write a whole number, or nothing."));
    given(text).map(read).transpose()
}

/// Saves a step. `typed` comes back with an error, so that nothing has to be entered again.
#[cfg(feature = "ssr")]
async fn patched(
    campaign: &str,
    version: i64,
    patch: CampaignPatch,
    typed: &[(&str, &str)],
) -> Result<Campaign, AppError> {
    let ctx = ctx()?;
    let id: CampaignId = id(campaign)?;
    let patch = CampaignPatch { version: Some(version), ..patch };
    let keep = |error: AppError| error.keep(typed);
    match ctx.engine.campaigns().update(&ctx.actor, id, patch).await {
        Ok(saved) => Ok(saved),
        Err(engine::Error::Stale(mut fields)) => {
            let stored = ctx.engine.campaigns().get(&ctx.actor, id).await.map_err(|error| keep(error.into()))?;
            name_choices(&mut fields, names(&ctx, &stored).await.map_err(keep)?);
            Err(keep(engine::Error::Stale(fields).into()))
        }
        Err(error) => Err(keep(error.into())),
    }
}

/// What somebody else has chosen meanwhile by its name: the service knows ids and keys.
#[cfg(feature = "ssr")]
fn name_choices(fields: &mut [FieldError], names: Names) {
    let Names { topic, audience, template, sender, .. } = names;
    for (field, name) in [("topic", topic), ("segment_id", audience), ("template_id", template), ("sender_id", sender)]
    {
        if let Some(error) = fields.iter_mut().find(|error| error.field == field) {
            error.message = match name {
                Some(name) => format!("Stored now: “{name}”."),
                None => "Stored now: nothing.".to_owned(),
            };
        }
    }
}

/// Where a saved step leads: to the next one, or where the pressed button says.
#[cfg(feature = "ssr")]
fn go_on(campaign: &Campaign, step: Step, op: &str) {
    let path = match (op, step.next()) {
        ("stay", _) => step.path(campaign.id),
        ("", Some(next)) => next.path(campaign.id),
        _ => paths::done(&paths::campaign(campaign.id), "saved"),
    };
    leptos_axum::redirect(&path);
}
