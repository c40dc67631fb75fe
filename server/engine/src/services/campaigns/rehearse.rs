//! Rehearsing: the plan with everybody decided, and nothing sent. Launching makes it the run.

use domain::{
    campaign::{Campaign, CampaignPatch, Trigger},
    consent::Category,
    ids::{CampaignId, ContactId, RunId, SenderId},
    message::Channel,
    phone::Phone,
    run::{LeaveOut, Rules, Run, ShownPlan, SinceRehearsal},
    segment::{Operator, Rule},
    settings::Settings,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use store::{ConnectionTrait, Tx, rehearsals::Ready};

use super::{audit, campaign_or, commit, draft, launch};
use crate::{
    Actor, Engine, Error, Result,
    bell::Who,
    quiet,
    retry::retrying,
    sender,
    services::{segments, settings},
    zones,
};

const NO_REHEARSAL: Error = Error::NotFound { what: "rehearsal" };

/// Why what somebody was shown is not what a launch would send.
const GONE: &str = "The rehearsed plan that you looked at is not there any more: it was discarded, or the campaign is being \
                    rehearsed again. Nothing was launched: look again first.";
const ANOTHER: &str = "The campaign was rehearsed again since you looked, and another plan would go out now. Nothing was \
                       launched: look at it first.";
const ALIKE: &str = "The campaign was rehearsed again since you looked. Everybody is decided about alike and gets the same text; when, \
                     and from which sender, may differ. Nothing was launched: look again first.";
const CHANGED: &str = "The campaign or its sender was changed since the plan that you looked at was rehearsed, so it would be \
                       planned anew. Nothing was launched: look again first.";
const BY_ITSELF: &str = "A campaign that goes out by itself is planned anew also when it is launched by hand, whatever was \
                         rehearsed. Nothing was launched: launch it without naming a plan.";

pub(super) async fn rehearse(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<Run> {
    let (audience, settings) = audience(engine, id).await?;
    let now = engine.now();
    let tx = engine.begin(actor).await?;
    let status = campaign_or(store::campaigns::lock(&tx, id).await)?;
    if !launch::may_launch(status) {
        return Err(Error::Conflict(launch::launched_before(status)));
    }
    let campaign = campaign_or(store::campaigns::get(&tx, id).await)?;
    store::rehearsals::discard(&tx, id, now).await?;
    // Runs are told apart by their instants: that of its time is kept for the run that goes out then. By its clock
    // everybody is decided.
    let begins = launch::Begins { due_at: now, from: launch::due(&campaign, now) };
    let (run, template_version) = launch::insert(engine, &tx, actor, &campaign, begins).await?;
    store::rehearsals::open(&tx, run, audience, &settings).await?;
    let detail = json!({ "run": run.to_string(), "template_version": template_version });
    audit(&tx, actor, now, "rehearse", id, detail).await?;
    let rehearsed = store::runs::get(&tx, run).await?;
    commit(tx).await?;
    engine.inner().bell.ring(Who::Planner);
    Ok(rehearsed)
}

/// How many people there are in the audience, counted before the transaction because it may take a second; and the hash of
/// the settings that they are decided by.
async fn audience(engine: &Engine, id: CampaignId) -> Result<(i64, String)> {
    let db = engine.db().reader();
    let campaign = campaign_or(store::campaigns::get(db, id).await)?;
    if !launch::may_launch(campaign.status) {
        return Err(Error::Conflict(launch::launched_before(campaign.status)));
    }
    if campaign.trigger.is_event() {
        let text = "The campaign waits for events: whom they will be about is not known. Send a test instead.";
        return Err(Error::Conflict(text.to_owned()));
    }
    let now = engine.now();
    let due = launch::due(&campaign, now);
    let mut parts = launch::parts(engine, db, &campaign).await?;
    parts.problems.extend(launch::untimely(&campaign, now));
    parts.problems.extend(launch::too_late(&campaign, due, now));
    let (template, segment, _, topic) = parts.complete()?;
    let definition = launch::definition(db, segment.as_ref()).await?;
    let kind = (template.channel, template.category);
    let settings = settings::current(engine).await?;
    let since = settings.unreachable_since(due);
    let (tally, _) = store::runs::preview(db, &definition, topic, kind, due, since).await?;
    Ok((tally.total(), decided_by(&settings, kind)))
}

/// The hash of the settings that decide about such messages: another one says that somebody may be decided otherwise.
fn decided_by(settings: &Settings, (channel, category): (Channel, Category)) -> String {
    let is_marketing = category == Category::Marketing;
    let by_law = settings.quiet_hours.law && is_marketing;
    let decisive = json!({
        "quiet_hours": settings.quiet_hours.hours(),
        "law": by_law.then_some((quiet::PACK, &settings.law_lines, &settings.holidays)),
        "frequency_caps": is_marketing.then_some(&settings.frequency_caps),
        "enforce_whatsapp_window": channel == Channel::Whatsapp && settings.enforce_whatsapp_window,
        "unreachable_days": settings.unreachable_days,
    });
    hex::encode(Sha256::digest(decisive.to_string()))
}

pub(super) async fn discard(engine: &Engine, actor: &Actor, id: CampaignId) -> Result<()> {
    let now = engine.now();
    let tx = engine.begin(actor).await?;
    campaign_or(store::campaigns::lock(&tx, id).await)?;
    if store::rehearsals::discard(&tx, id, now).await? == 0 {
        return Err(NO_REHEARSAL);
    }
    audit(&tx, actor, now, "discard_rehearsal", id, json!({})).await?;
    commit(tx).await?;
    engine.inner().bell.ring(Who::Planner);
    Ok(())
}

/// Launches the rehearsed plan, when the campaign has one that counts; none when it is to be planned now.
pub(super) async fn launch(
    engine: &Engine,
    tx: &Tx,
    actor: &Actor,
    campaign: &Campaign,
    shown: &ShownPlan,
) -> Result<Option<RunId>> {
    let Some(ready) = store::rehearsals::ready(tx, campaign.id, true).await? else {
        return planned_anew(shown, GONE);
    };
    let now = engine.now();
    let mut parts = launch::parts(engine, tx, campaign).await?;
    parts.problems.extend(launch::too_late(campaign, now, now));
    let sender = parts.sender.as_ref().map(|row| row.sender.id);
    parts.complete()?;
    if !counts(campaign, &ready, sender) {
        return planned_anew(shown, if campaign.trigger == Trigger::Now { CHANGED } else { BY_ITSELF });
    }
    if !shown.is(ready.run, ready.hash.as_deref()) {
        let is_alike = shown.hash.is_some() && shown.hash == ready.hash;
        return Err(Error::Conflict(if is_alike { ALIKE } else { ANOTHER }.to_owned()));
    }
    // "Within six hours" is from the launch on.
    let send_before = campaign.send_before.as_ref().map(|deadline| deadline.from_start(now));
    let rules = Rules { send_before, ..ready.rules };
    store::rehearsals::launch(tx, ready.run, &rules, now).await?;
    let detail = json!({ "run": ready.run.to_string(), "template_version": ready.template.1, "rehearsed": true });
    audit(tx, actor, now, "launch", campaign.id, detail).await?;
    Ok(Some(ready.run))
}

/// It is planned now, unless that is another plan than the one that somebody was shown.
fn planned_anew(shown: &ShownPlan, why_not: &str) -> Result<Option<RunId>> {
    if shown.is_nothing() { Ok(None) } else { Err(Error::Conflict(why_not.to_owned())) }
}

/// Of a campaign that goes out by itself a rehearsal is a look only: at its time it is planned anew.
fn counts(campaign: &Campaign, ready: &Ready, sender: Option<SenderId>) -> bool {
    campaign.trigger == Trigger::Now && !ready.stale && sender == Some(ready.sender)
}

/// The rehearsed plan that a launch would send, if there is one.
pub(super) async fn plan(
    db: &impl ConnectionTrait,
    campaign: &Campaign,
    sender: Option<SenderId>,
) -> Result<Option<Ready>> {
    let ready = store::rehearsals::ready(db, campaign.id, false).await?;
    Ok(ready.filter(|ready| counts(campaign, ready, sender)))
}

pub(super) async fn since(engine: &Engine, id: CampaignId) -> Result<SinceRehearsal> {
    let db = engine.db().reader();
    let campaign = campaign_or(store::campaigns::get(db, id).await)?;
    let ready = store::rehearsals::ready(db, id, false).await?.ok_or(NO_REHEARSAL)?;
    let parts = launch::parts(engine, db, &campaign).await?;
    let (now, settings) = (engine.now(), settings::current(engine).await?);
    let unreachable_since = settings.unreachable_since(now.max(ready.due_at));
    let mut since = store::rehearsals::since(db, &ready, now, unreachable_since).await?;
    let decided_by = decided_by(&settings, (ready.rules.channel, ready.rules.category));
    since.settings = ready.settings.as_ref().is_some_and(|before| *before != decided_by);
    since.campaign = ready.stale || parts.sender.is_none_or(|row| row.sender.id != ready.sender);
    since.template_version = newer_version(db, &ready).await?;
    since.audience = match parts.segment {
        Some(segment) => store::segments::inline(db, &segment.definition).await? != ready.definition,
        None => true,
    };
    Ok(since)
}

async fn newer_version(db: &impl ConnectionTrait, ready: &Ready) -> Result<Option<i64>> {
    let (template, frozen) = ready.template;
    let now = store::templates::find(db, template).await?;
    Ok(now.map(|template| template.version).filter(|version| *version != frozen))
}

/// People of one transaction.
const CHUNK: u32 = 2_000;

/// Gives a time zone to everybody whom the rehearsal left out for want of one, and whose number does not tell one. The plan
/// stays as it is.
pub(super) async fn set_timezone(engine: &Engine, actor: &Actor, id: CampaignId, timezone: &str) -> Result<u64> {
    let known = zones::zone_name(timezone.trim());
    let known = known.ok_or_else(|| Error::invalid("timezone", "Give a time zone such as Asia/Colombo."))?;
    let run = store::rehearsals::ready(engine.db().reader(), id, false).await?.ok_or(NO_REHEARSAL)?.run;
    let (mut changed, mut after) = (0, -1);
    loop {
        let now = engine.now();
        let (count, last) = retrying!(
            async {
                let tx = engine.begin(actor).await?;
                let people = store::rehearsals::zoneless(&tx, (run, after), CHUNK).await?;
                let last = people.last().map(|(person, _)| person.0);
                let count = store::rehearsals::set_timezone(&tx, &of_no_place(people), known, now).await?;
                if count > 0 {
                    let detail = json!({ "timezone": known, "people": count });
                    audit(&tx, actor, now, "set_timezones", id, detail).await?;
                }
                commit(tx).await?;
                Ok::<_, Error>((count, last))
            }
            .await
        )?;
        changed += count;
        match last {
            Some(last) => after = last,
            None => return Ok(changed),
        }
    }
}

/// Those whose number belongs to no place or to several zones: of the others the zone is known.
fn of_no_place(people: Vec<(ContactId, Option<Phone>)>) -> Vec<ContactId> {
    let is_open = |phone: &Phone| !zones::zones_of(phone, None).is_one();
    people.into_iter().filter(|(_, phone)| phone.as_ref().is_some_and(is_open)).map(|(person, _)| person).collect()
}

/// Leaves those out by the campaign's audience whom the rehearsal found. Its plan does not count any more.
pub(super) async fn leave_out(engine: &Engine, actor: &Actor, id: CampaignId, whom: &LeaveOut) -> Result<Campaign> {
    let rule = rule_without(engine, id, whom).await?;
    let tx = engine.begin(actor).await?;
    let status = campaign_or(store::campaigns::lock(&tx, id).await)?;
    if !launch::may_launch(status) {
        return Err(Error::Conflict(launch::launched_before(status)));
    }
    let audience = match campaign_or(store::campaigns::get(&tx, id).await)?.segment_id {
        Some(segment) => store::segments::find(&tx, segment).await?,
        None => None,
    };
    let audience = audience.ok_or_else(|| Error::invalid("segment_id", "Choose an audience."))?;
    let narrowed = segments::narrowed(engine, &tx, actor, (&audience, id), rule).await?;
    let patch = CampaignPatch { segment_id: Some(narrowed), ..CampaignPatch::default() };
    let campaign = draft::change(engine, &tx, actor, id, &patch).await?;
    store::rehearsals::outdate(&tx, id).await?;
    audit(&tx, actor, engine.now(), "leave_out", id, json!(whom)).await?;
    commit(tx).await?;
    Ok(campaign)
}

/// The rule of an audience that leaves exactly those out whom the rehearsal found.
async fn rule_without(engine: &Engine, id: CampaignId, whom: &LeaveOut) -> Result<Rule> {
    let db = engine.db().reader();
    let ready = store::rehearsals::ready(db, id, false).await?.ok_or(NO_REHEARSAL)?;
    match whom {
        LeaveOut::UsMarketing => {
            let found = store::runs::get(db, ready.run).await?.rehearsal.unwrap_or_default();
            if found.refused_in_us() == 0 {
                return Err(Error::invalid("finding", "The rehearsal found nobody in the United States."));
            }
            Ok(Rule { field: "country".to_owned(), operator: Operator::NotEqual, value: json!("US") })
        }
        LeaveOut::WithoutVariant { language } => {
            let (template, version) = ready.template;
            let template = engine.inner().templates.version(engine.db(), template, version).await?;
            let mut locales = store::rehearsals::locales(db, ready.run).await?;
            locales.retain(|locale| sender::language(locale) == *language && !template.has_variant(locale));
            if locales.is_empty() {
                return Err(Error::invalid("language", "The rehearsal found nobody who reads it and lacks a text."));
            }
            Ok(Rule { field: "locale".to_owned(), operator: Operator::NotIn, value: json!(locales) })
        }
    }
}

/// The campaign's rehearsal that is there or under way.
pub(super) async fn find(engine: &Engine, id: CampaignId) -> Result<Option<RunId>> {
    Ok(store::rehearsals::of_campaign(engine.db().reader(), id).await?)
}
