//! Why somebody got a campaign's message, or did not, whether or not they are in its plan.

use std::{cmp::Reverse, collections::BTreeSet};

use domain::{
    contact::Contact,
    ids::{CampaignId, RunId, SegmentId, TriggerEventId},
    message::{Kind, Message, MessageFilter},
    page::PageRequest,
    phone::Phone,
    role::Permission,
    run::{Run, RunStatus},
    segment::{Combinator, Group, Node, Operator, Rule},
    time::Timestamp,
    trigger_event::{TriggerEvent, TriggerEventFilter},
    why::{RuleResult, Why, WhyNot},
};
use serde_json::Value;
use store::{ConnectionTrait, contacts::Stored};

use super::{campaigns::Campaigns, settings};
use crate::{Actor, Engine, Error, Result, phone, require};

impl Campaigns<'_> {
    /// The number that somebody has typed, in any usual writing.
    ///
    /// # Errors
    /// `Invalid` for what is no number.
    pub async fn number(&self, text: &str) -> Result<Phone> {
        let region = settings::current(self.engine()).await?.default_country.clone();
        phone::parse(text, region.as_deref()).map_err(|error| Error::invalid("phone", error.to_string()))
    }

    /// Why the person with this number got the campaign's message, or did not: by the run that is asked for, else by the
    /// latest one, else by the rehearsal, else by the audience as it is.
    ///
    /// # Errors
    /// `NotFound` for a campaign that is not there, or a run that is not one of its own.
    pub async fn why(&self, actor: &Actor, id: CampaignId, phone: &Phone, run: Option<RunId>) -> Result<Why> {
        require(actor, Permission::Read)?;
        let engine = self.engine();
        let campaign = self.get(actor, id).await?;
        let db = engine.db().reader();
        let rehearsal = self.rehearsal(actor, id).await?;
        let run = match run.or(campaign.run.as_ref().map(|run| run.id)) {
            Some(run) => Some(engine.runs().get(actor, run).await?),
            None => rehearsal.clone(),
        };
        if run.as_ref().is_some_and(|run| run.campaign_id != id) {
            return Err(Error::NotFound { what: "run" });
        }
        let mut why = Why {
            phone: phone.clone(),
            answer: WhyNot::UnknownNumber,
            run_id: run.as_ref().map(|run| run.id),
            message: None,
            messages: Vec::new(),
            events: Vec::new(),
            consent: None,
            suppressed: is_suppressed(engine, phone).await?,
            rules: None,
        };
        let Some(person) = store::contacts::find(db, phone).await? else { return Ok(why) };
        why.consent = Some(person.contact.consent);
        why.suppressed |= person.contact.suppressed;
        let filter = MessageFilter { campaign: Some(id), phone: Some(phone.clone()), ..MessageFilter::default() };
        let mut messages = engine.messages().list(actor, &filter, &PageRequest::first(SHOWN)).await?.items;
        // What is only looked at is no message yet, but where it is all there is.
        let looked_at = rehearsal.map(|run| run.id).filter(|rehearsal| why.run_id != Some(*rehearsal));
        messages.retain(|one| one.kind == Kind::Campaign && (looked_at.is_none() || one.run_id != looked_at));
        why.messages = messages;
        if campaign.trigger.is_event() {
            why.events = heard(engine, actor, id, phone, &why.messages).await?;
        }
        if let Some(run) = &run {
            let filter = MessageFilter { run: Some(run.id), phone: Some(phone.clone()), ..MessageFilter::default() };
            let found = engine.messages().list(actor, &filter, &PageRequest::first(1)).await?.items;
            if let Some(message) = found.first() {
                why.message = Some(engine.messages().get(actor, message.id).await?);
                why.answer = WhyNot::InPlan;
                return Ok(why);
            }
        }
        // "Within the last seven days" was meant from the plan on; who comes by an event is looked at when it comes.
        let at = match run.as_ref().filter(|_| !campaign.trigger.is_event()) {
            Some(run) => store::runs::snapshot_at(db, run.id).await?,
            None => engine.now(),
        };
        why.rules = match audience(db, campaign.segment_id, run.as_ref()).await? {
            Some(audience) => Some(explain(db, &audience, &person, at).await?),
            None => None,
        };
        let is_planned = match &run {
            Some(run) => store::runs::is_planned(db, run.id).await?,
            None => false,
        };
        why.answer = if campaign.trigger.is_event() {
            by_events(run.as_ref(), why.rules.as_ref(), &why.events)
        } else {
            by_rules(run.as_ref(), is_planned, why.rules.as_ref(), &person)
        };
        Ok(why)
    }
}

/// Messages and events that are told at most.
const SHOWN: u32 = 100;

/// Nothing is planned any more.
const fn is_over(status: RunStatus) -> bool {
    matches!(status, RunStatus::Cancelled | RunStatus::Failed | RunStatus::Completed)
}

/// Why somebody is not in the plan of a run that was made for an audience.
fn by_rules(run: Option<&Run>, is_planned: bool, rules: Option<&RuleResult>, person: &Stored) -> WhyNot {
    match (run, rules) {
        (_, None) => WhyNot::NoAudience,
        (_, Some(rules)) if !rules.holds => WhyNot::NotInAudience,
        (None, Some(_)) => WhyNot::NotPlanned,
        (Some(run), Some(_)) if person.contact.created_at > run.created_at => WhyNot::CameLater,
        (Some(run), Some(_)) if !is_planned && is_over(run.status) => WhyNot::EndedBefore,
        (Some(_), Some(_)) if !is_planned => WhyNot::NotPlannedYet,
        (Some(_), Some(_)) => WhyNot::ChangedLater,
    }
}

/// Why a campaign that answers events has no message for somebody. An audience only narrows whom they reach.
fn by_events(run: Option<&Run>, rules: Option<&RuleResult>, events: &[TriggerEvent]) -> WhyNot {
    match (run, rules) {
        (Some(_), _) if events.is_empty() => WhyNot::NoEvent,
        (_, Some(rules)) if !rules.holds => WhyNot::NotInAudience,
        (Some(_), _) => WhyNot::EventsLeftOut,
        (None, _) => WhyNot::NotPlanned,
    }
}

/// The events about a person that a campaign heard, each with what it came to there: those that name the person, and those
/// about many that these messages were made by.
async fn heard(
    engine: &Engine,
    actor: &Actor,
    id: CampaignId,
    phone: &Phone,
    messages: &[Message],
) -> Result<Vec<TriggerEvent>> {
    let filter = TriggerEventFilter { name: None, phone: Some(phone.clone()), campaign: Some(id) };
    let mut events = engine.trigger_events().list(actor, &filter, &PageRequest::first(SHOWN)).await?.items;
    let mut others: BTreeSet<TriggerEventId> =
        messages.iter().filter_map(|message| message.event.as_ref()).map(|event| event.number).collect();
    for event in &events {
        others.remove(&event.number);
    }
    events.extend(store::trigger_events::with_numbers(engine.db().reader(), &others).await?);
    events.sort_by_key(|event| Reverse(event.number));
    events.truncate(SHOWN as usize);
    for event in &mut events {
        event.effects.retain(|effect| effect.campaign_id == id);
    }
    Ok(events)
}

async fn is_suppressed(engine: &Engine, phone: &Phone) -> Result<bool> {
    let hashes = engine.config().keys.suppression_hashes(phone.as_str());
    Ok(!store::suppressions::find(engine.db().reader(), &hashes).await?.is_empty())
}

/// The definition that the plan was made by, and how it was written down: with the names of the audiences inside, as long
/// as they still mean the same.
struct Audience {
    inlined: Group,
    written: Option<Group>,
}

async fn audience(
    db: &impl ConnectionTrait,
    segment: Option<SegmentId>,
    run: Option<&Run>,
) -> Result<Option<Audience>> {
    let written = match segment {
        Some(id) => store::segments::find(db, id).await?.map(|segment| segment.definition),
        None => None,
    };
    let now = match &written {
        Some(written) => Some(store::segments::inline(db, written).await?),
        None => None,
    };
    let frozen = match run {
        Some(run) => Some(store::runs::definition(db, run.id).await?),
        None => None,
    };
    Ok(match (frozen, now) {
        (Some(frozen), now) => {
            let written = written.filter(|_| now.as_ref() == Some(&frozen));
            Some(Audience { inlined: frozen, written })
        }
        (None, Some(inlined)) => Some(Audience { inlined, written }),
        (None, None) => None,
    })
}

async fn explain(db: &impl ConnectionTrait, audience: &Audience, person: &Stored, at: Timestamp) -> Result<RuleResult> {
    let mut rules = Vec::new();
    leaves(&audience.inlined, &mut rules);
    let holds = store::segments::holds(db, person.id, &rules, at).await?;
    let names = match &audience.written {
        Some(written) => names(db, written).await?,
        None => Vec::new(),
    };
    let mut telling = Telling { holds: holds.into_iter(), contact: &person.contact, names: &names };
    Ok(telling.group(&audience.inlined, audience.written.as_ref()))
}

fn leaves<'a>(group: &'a Group, found: &mut Vec<&'a Rule>) {
    for node in &group.rules {
        match node {
            Node::Group(group) => leaves(group, found),
            Node::Rule(rule) => found.push(rule),
        }
    }
}

/// The names of the audiences that a definition names.
async fn names(db: &impl ConnectionTrait, written: &Group) -> Result<Vec<(SegmentId, String)>> {
    let mut names = Vec::new();
    for id in store::segments::named(written) {
        names.extend(store::segments::find(db, id).await?.map(|segment| (id, segment.name)));
    }
    Ok(names)
}

/// Puts the answers of the rules into the shape of the definition.
struct Telling<'a> {
    /// In the order of [`leaves`].
    holds: std::vec::IntoIter<bool>,
    contact: &'a Contact,
    names: &'a [(SegmentId, String)],
}

impl Telling<'_> {
    /// Groups say of their rules what the SQL says: everybody is in a group without rules.
    fn group(&mut self, group: &Group, written: Option<&Group>) -> RuleResult {
        let nodes = group.rules.iter().enumerate();
        let rules: Vec<RuleResult> = nodes
            .map(|(place, node)| {
                let written = written.and_then(|group| group.rules.get(place));
                match (node, written) {
                    (Node::Rule(rule), _) => self.rule(rule),
                    (Node::Group(group), Some(Node::Group(written))) => self.group(group, Some(written)),
                    // What was put in the place of other audiences.
                    (Node::Group(group), Some(Node::Rule(rule))) => {
                        RuleResult { segment: self.name(rule), ..self.group(group, None) }
                    }
                    (Node::Group(group), None) => self.group(group, None),
                }
            })
            .collect();
        let all = match group.combinator {
            Combinator::And => rules.iter().all(|rule| rule.holds),
            Combinator::Or => rules.is_empty() || rules.iter().any(|rule| rule.holds),
        };
        RuleResult {
            holds: all != group.not,
            field: None,
            operator: None,
            value: Value::Null,
            actual: Value::Null,
            combinator: Some(group.combinator),
            not: group.not,
            segment: None,
            rules,
        }
    }

    fn rule(&mut self, rule: &Rule) -> RuleResult {
        RuleResult {
            holds: self.holds.next().unwrap_or_default(),
            field: Some(rule.field.clone()),
            operator: Some(rule.operator),
            value: rule.value.clone(),
            actual: actual(self.contact, &rule.field),
            combinator: None,
            not: matches!(rule.operator, Operator::NotEqual | Operator::NotIn),
            segment: None,
            rules: Vec::new(),
        }
    }

    fn name(&self, rule: &Rule) -> Option<String> {
        let ids = rule.value.as_array().map_or_else(|| std::slice::from_ref(&rule.value), Vec::as_slice);
        let known = ids.iter().filter_map(|id| id.as_str()?.parse::<SegmentId>().ok());
        let names: Vec<&str> =
            known.filter_map(|id| self.names.iter().find(|(known, _)| *known == id)).map(|(_, name)| &**name).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }
}

/// What the person has in a field; null where the rule is about something else than a value.
fn actual(contact: &Contact, field: &str) -> Value {
    if let Some(path) = field.strip_prefix("attributes.") {
        let mut steps = path.split('.');
        let first = steps.next().and_then(|step| contact.attributes.get(step));
        return steps.fold(first, |value, step| value.and_then(|value| value.get(step))).cloned().unwrap_or_default();
    }
    let name = if field == "topic" { "topics" } else { field };
    let known = serde_json::to_value(contact).unwrap_or_default();
    known.get(name).cloned().unwrap_or_default()
}
