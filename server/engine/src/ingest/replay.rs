//! Stored webhooks, read once more: do their raw forms still say what was made of them, and was every opt-out heard?

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    consent::{Consent, ConsentSource, SuppressionReason},
    event::{WebhookKind, WebhookOutcome},
    ids::{ContactId, TopicId, WebhookEventId},
    inbound::Keyword,
    keywords::Keywords,
    phone::Phone,
    time::Timestamp,
};
use store::{
    consent::ConsentEvent,
    inbound::TopicName,
    replay::{Missing, Normalised, OptOutSaid, Written},
    suppressions::NewSuppression,
};

use super::{
    event::{Content, Event, InboundIn},
    inbound,
    keywords::{Meaning, Wish},
    meaning, missed, sealing,
    wishes::{self, Change},
};
use crate::{
    Actor, Engine, Result,
    services::{contacts::seal_words, settings},
};

/// Blocks that are opened at a time.
const BLOCKS: u32 = 50;

/// Blocks that are gone and told of one by one.
const MISSING: u32 = 1_000;

/// Opt-outs that are recorded in one transaction.
const TOGETHER: usize = 500;

/// What a look at all stored webhooks found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Webhooks {
    /// Raw forms that were read.
    pub read: u64,
    /// Raw forms that should be there.
    pub missing: u64,
    /// In words, one for each webhook that differs.
    pub differences: Vec<String>,
    /// Opt-outs that left no line in the ledger: they are among the differences.
    pub unheard: Vec<Unheard>,
    /// The numbers of those who are not stored and have said so.
    pub of_nobody: Vec<Phone>,
}

/// An opt-out that somebody said and that left no line in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unheard {
    event: WebhookEventId,
    contact: ContactId,
    at: Timestamp,
    message: InboundIn,
    /// The topic by the name that they called it; none for everything.
    topic: Option<String>,
    /// It was only kept raw, and nothing was ever made of it.
    is_raw: bool,
}

impl Unheard {
    /// What they leave: everything (no topic), or a topic. As when it comes in, a topic that we do not have stands for
    /// everything; but one that was understood then, and has another name now, cannot be told.
    fn leaves(&self, topics: &[TopicName]) -> Option<Option<TopicId>> {
        let Some(wanted) = &self.topic else { return Some(None) };
        match wishes::find(topics, wanted) {
            Some(topic) => Some(Some(topic.id)),
            None => self.is_raw.then_some(None),
        }
    }

    fn said(&self, topics: &[TopicName]) -> OptOutSaid<'_> {
        let leaves = self.leaves(topics);
        OptOutSaid {
            event: self.event,
            contact: self.contact,
            at: self.at,
            sid: &self.message.sid,
            everything: leaves == Some(None),
            topic: leaves.flatten(),
        }
    }
}

/// Reads every raw form that is kept.
pub(crate) async fn webhooks(engine: &Engine) -> Result<Webhooks> {
    let mut found = Webhooks::default();
    let without_key = kept(engine, &mut found).await?;
    gone(engine, &without_key, &mut found).await?;
    Ok(found)
}

/// Returns the blocks whose key is gone, with their days.
async fn kept(engine: &Engine, found: &mut Webhooks) -> Result<Vec<(WebhookEventId, i32)>> {
    let db = engine.db().reader();
    let added = &settings::current(engine).await?.keywords;
    let topics = store::inbound::topic_names(db).await?;
    let mut without_key = Vec::new();
    let mut after = WebhookEventId(i64::MIN);
    loop {
        let blocks = store::replay::blocks(db, after, BLOCKS).await?;
        let Some(last) = blocks.last() else { return Ok(without_key) };
        after = last.id;
        let mut said: Vec<Unheard> = Vec::new();
        for block in &blocks {
            let Some(forms) = sealing::open_block(engine, block).await? else {
                without_key.push((block.id, block.body.period));
                continue;
            };
            let ids = forms.iter().map(|(id, _)| *id);
            let (Some(first), Some(last)) = (ids.clone().min(), ids.max()) else { continue };
            let rows = store::replay::normalised(db, first, last).await?;
            for (id, form) in &forms {
                found.read += 1;
                let row = rows.iter().find(|row| row.event.id == *id);
                let Some(row) = row else {
                    found.differences.push(format!("webhook {id}: its row is missing"));
                    continue;
                };
                let content = Event::read_again(row.event.kind, form);
                found.differences.extend(difference(row, &content));
                said.extend(opt_out(row, &content));
                match kept_raw(engine, row, form, &content, added).await? {
                    Some(Raw::Of(opt_out)) => said.push(*opt_out),
                    Some(Raw::OfNobody(phone)) => {
                        found.differences.push(not_heard(*id));
                        found.of_nobody.push(phone);
                    }
                    None => {}
                }
            }
        }
        let told: Vec<OptOutSaid<'_>> = said.iter().map(|one| one.said(&topics)).collect();
        let unheard = store::replay::unheard(db, &told).await?;
        said.retain(|one| unheard.contains(&one.event));
        found.unheard.extend(said);
        found.differences.extend(unheard.into_iter().map(not_heard));
    }
}

/// Records what was said and not heard, each with its message; the numbers of those who are not stored go on the suppression
/// list. Returns how many differences that sets right.
pub(crate) async fn hear(engine: &Engine, actor: &Actor, found: &Webhooks) -> Result<u64> {
    let mut heard = 0;
    for unheard in found.unheard.chunks(TOGETHER) {
        heard += record(engine, actor, unheard).await?;
    }
    if !found.of_nobody.is_empty() {
        heard += suppress(engine, actor, &found.of_nobody).await?;
    }
    Ok(heard)
}

async fn record(engine: &Engine, actor: &Actor, unheard: &[Unheard]) -> Result<u64> {
    let (now, keys) = (engine.now(), &engine.config().keys);
    let people: BTreeSet<ContactId> = unheard.iter().map(|one| one.contact).collect();
    let people: Vec<ContactId> = people.into_iter().collect();
    let tx = engine.db().begin().await?;
    store::replay::lock_people(&tx, &people).await?;
    let known = store::contacts::by_ids(&tx, &people).await?;
    let known: BTreeSet<ContactId> = known.into_iter().map(|person| person.id).collect();
    // Who has said something since was heard.
    let topics = store::inbound::topic_names(&tx).await?;
    let told: Vec<OptOutSaid<'_>> = unheard.iter().map(|one| one.said(&topics)).collect();
    let still = store::replay::unheard(&tx, &told).await?;
    let mut heard = 0;
    let mut latest: BTreeMap<(ContactId, Option<TopicId>), &Unheard> = BTreeMap::new();
    for one in unheard.iter().filter(|one| still.contains(&one.event) && known.contains(&one.contact)) {
        let Some(topic) = one.leaves(&topics) else { continue };
        latest.insert((one.contact, topic), one);
        heard += 1;
    }
    let mut events = Vec::with_capacity(latest.len());
    for ((contact_id, topic_id), Unheard { message, .. }) in &latest {
        let change = Change { topic_id: *topic_id, consent: Consent::OptedOut };
        let evidence = seal_words(&tx, keys, *contact_id, now, &meaning::evidence(message)).await?;
        events.push(ConsentEvent {
            contact_id: *contact_id,
            topic_id: *topic_id,
            consent: change.consent,
            source: ConsentSource::Keyword,
            reference: Some(message.sid.clone()),
            evidence: Some(evidence),
            suppression: inbound::suppression(engine, &message.phone, change),
        });
    }
    store::consent::record(&tx, actor, now, &events).await?;
    tx.commit().await.map_err(store::Error::from)?;
    engine.told_left(latest.into_keys());
    Ok(heard)
}

/// Nobody is stored for it: the number is known by its hash alone, whenever it comes.
async fn suppress(engine: &Engine, actor: &Actor, phones: &[Phone]) -> Result<u64> {
    let keys = &engine.config().keys;
    let tx = engine.db().begin().await?;
    store::suppressions::await_births(&tx).await?;
    let mut hashes = Vec::with_capacity(phones.len());
    for phone in phones {
        if store::contacts::find(&tx, phone).await?.is_none() {
            hashes.push(keys.suppression_hash(phone.as_str()));
        }
    }
    let entry = |hash| NewSuppression {
        phone_hash: hash,
        key_id: keys.current_id(),
        reason: SuppressionReason::Stop,
        contact_id: None,
    };
    let entries: Vec<NewSuppression<'_>> = hashes.iter().map(|hash| entry(hash.as_slice())).collect();
    store::suppressions::add(&tx, actor, engine.now(), &entries).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(hashes.len() as u64)
}

fn not_heard(id: WebhookEventId) -> String {
    format!("webhook {id}: an opt-out, and the consent ledger has no line of it")
}

/// Raw forms that no retention has taken, and their keys, are there.
async fn gone(engine: &Engine, without_key: &[(WebhookEventId, i32)], found: &mut Webhooks) -> Result<()> {
    let (since, missing) = missing(engine).await?;
    for Missing { first, last, count } in missing {
        found.missing += u64::try_from(count).unwrap_or(0);
        found
            .differences
            .push(format!("webhooks {first} to {last}: {count} raw forms are gone, and no retention took them"));
    }
    let too_early = without_key.iter().filter(|(_, period)| *period >= since);
    found.differences.extend(too_early.map(|(block, period)| {
        format!("webhooks stored with {block}: the key of their day ({period}) is gone, and no retention destroyed it")
    }));
    Ok(())
}

/// The first day whose raw forms are to be there, and those that are not.
async fn missing(engine: &Engine) -> Result<(i32, Vec<Missing>)> {
    let db = engine.db().reader();
    loop {
        let since = store::replay::kept_since(db).await?.unwrap_or(0);
        let begins = sealing::start_of(since).unwrap_or(Timestamp::from_seconds(0));
        let missing = store::replay::missing_forms(db, begins, MISSING).await?;
        // The retention job may have begun meanwhile.
        if store::replay::kept_since(db).await?.unwrap_or(0) == since {
            return Ok((since, missing));
        }
    }
}

fn difference(row: &Normalised, content: &Content) -> Option<String> {
    let Normalised { event, kept, .. } = row;
    let id = event.id;
    // What was not a form when it came is not read as one now, and what nothing could be made of after all (an unknown
    // person without a key, say) reads well.
    if event.reason.as_deref() == Some("not_a_form") {
        return None;
    }
    let same = match (event.kind, content) {
        // It could not be stored as what it is: nothing but its SID is told of it.
        (WebhookKind::Status, Content::Status(status)) if event.reason.as_deref() == Some("failed") => {
            event.provider_sid.as_ref() == Some(&status.sid)
        }
        (WebhookKind::Status, Content::Status(status)) => {
            event.provider_sid.as_ref() == Some(&status.sid)
                && event.status.as_ref() == Some(&status.status)
                && event.error_code == status.error_code
        }
        (WebhookKind::Inbound, Content::Inbound(inbound)) => event.provider_sid.as_ref() == Some(&inbound.sid),
        (_, Content::Nonsense { reason, .. }) => event.reason.as_deref() == Some(*reason),
        _ => false,
    };
    if !same {
        return Some(format!("webhook {id}: its raw form says something else than what is stored of it"));
    }
    let what = if event.kind == WebhookKind::Status { "receipt" } else { "inbound message" };
    (!kept).then(|| format!("webhook {id}: there is no {what} of it"))
}

/// The opt-out that a message says, read as when it came; of words that were added then, what they were taken for is told by
/// the message's row. Repeats say nothing new.
fn opt_out(row: &Normalised, content: &Content) -> Option<Unheard> {
    let Content::Inbound(message) = content else { return None };
    let Written { contact, at, taken_for } = row.inbound.filter(|_| row.event.outcome == WebhookOutcome::Applied)?;
    let read_again = leaves(message, &Keywords::default());
    let topic = match taken_for {
        Some(Keyword::Stop) => None,
        Some(Keyword::Unsubscribe) => Some(read_again.flatten().unwrap_or_default()),
        Some(_) => return None,
        None => read_again?,
    };
    Some(Unheard { event: row.event.id, contact, at, message: message.clone(), topic, is_raw: false })
}

/// Whose opt-out was only kept raw.
enum Raw {
    Of(Box<Unheard>),
    /// Somebody who is not stored, and whose number is not on the suppression list.
    OfNobody(Phone),
}

/// The opt-out in a message that could not be stored as what it is, unless it was fetched and stored since. With the words
/// that are added now: nobody has noted what it was taken for.
async fn kept_raw(
    engine: &Engine,
    row: &Normalised,
    form: &[u8],
    content: &Content,
    added: &Keywords,
) -> Result<Option<Raw>> {
    let Content::Inbound(message) = content else { return Ok(None) };
    let has_failed = matches!(row.event.reason.as_deref(), Some("failed" | "fetched_failed"));
    let is_raw = has_failed && row.inbound.is_none();
    let Some(topic) = leaves(message, added).filter(|_| is_raw) else { return Ok(None) };
    let db = engine.db().reader();
    if let Some(person) = store::contacts::find(db, &message.phone).await? {
        // What was fetched is older than its event.
        let at = missed::written_at(form).filter(|_| row.event.is_fetched()).unwrap_or(row.event.received_at);
        let (event, contact, message) = (row.event.id, person.id, message.clone());
        return Ok(Some(Raw::Of(Box::new(Unheard { event, contact, at, message, topic, is_raw: true }))));
    }
    let hashes = engine.config().keys.suppression_hashes(message.phone.as_str());
    let is_listed = !store::suppressions::find(db, &hashes).await?.is_empty();
    Ok((!is_listed).then(|| Raw::OfNobody(message.phone.clone())))
}

/// What a message leaves: everything (no topic), or a topic by the name that it calls it. None when it leaves nothing.
fn leaves(message: &InboundIn, added: &Keywords) -> Option<Option<String>> {
    match meaning::read(message, added) {
        Meaning::Wish(Wish::Stop) => Some(None),
        Meaning::Wish(Wish::Unsubscribe(wanted)) => Some(Some(wanted)),
        Meaning::Wish(_) | Meaning::Hint | Meaning::Nothing => None,
    }
}
