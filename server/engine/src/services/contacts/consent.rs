//! What a person wishes to get, as somebody of ours records it.

use domain::{
    actor::ActorKind,
    consent::{Consent, ConsentSource, Subscription, SuppressionReason},
    contact::{ConsentChange, Contact},
    ids::{ContactId, TopicId},
    phone::Phone,
    problem::FieldError,
    role::{Permission, Role},
    time::Timestamp,
};
use serde_json::json;
use store::{
    Tx,
    consent::{ConsentEvent, STILL_OPTED_OUT, SuppressionChange},
    contacts::Stored,
    opt_ins::AskingTopic,
};

use super::{NO_CONTACT, audit, stored};
use crate::{
    Actor, Engine, Error, Result,
    secrets::{self, KeyRing},
    services::opt_ins,
};

/// The longest evidence, in characters.
const EVIDENCE_MAX: usize = 2_000;

/// Where an event that this actor causes comes from.
pub(crate) const fn source_of(actor: &Actor) -> ConsentSource {
    match actor.kind {
        ActorKind::Account | ActorKind::CommandLine => ConsentSource::Account,
        ActorKind::ApiKey | ActorKind::Worker => ConsentSource::Api,
        ActorKind::Provider => ConsentSource::Provider,
        ActorKind::Recipient => ConsentSource::Recipient,
        ActorKind::Import => ConsentSource::Import,
    }
}

/// A plain event: nothing changes on the suppression list.
pub(crate) fn event(actor: &Actor, id: ContactId, topic_id: Option<TopicId>, consent: Consent) -> ConsentEvent {
    ConsentEvent {
        contact_id: id,
        topic_id,
        consent,
        source: source_of(actor),
        reference: None,
        evidence: None,
        suppression: SuppressionChange::None,
    }
}

/// A global opt-out that somebody else than the person recorded.
pub(crate) fn opt_out_of_everything(keys: &KeyRing, actor: &Actor, id: ContactId, phone: &Phone) -> ConsentEvent {
    let suppression = SuppressionChange::Add {
        phone_hash: keys.suppression_hash(phone.as_str()),
        key_id: keys.current_id().to_owned(),
        reason: SuppressionReason::Manual,
    };
    ConsentEvent { suppression, ..event(actor, id, None, Consent::OptedOut) }
}

/// The provider, as the actor of what it tells.
pub(crate) fn provider() -> Actor {
    Actor::new(ActorKind::Provider, "twilio", Role::Viewer)
}

/// The provider says that the person opted out there, or blocked us: as good as a STOP. `reference` is the message and
/// its code.
pub(crate) fn opt_out_by_provider(keys: &KeyRing, id: ContactId, phone: &Phone, reference: String) -> ConsentEvent {
    let suppression = SuppressionChange::Add {
        phone_hash: keys.suppression_hash(phone.as_str()),
        key_id: keys.current_id().to_owned(),
        reason: SuppressionReason::Provider,
    };
    ConsentEvent { suppression, reference: Some(reference), ..event(&provider(), id, None, Consent::OptedOut) }
}

/// A number that is on the suppression list is stored again.
pub(crate) fn still_opted_out(actor: &Actor, id: ContactId) -> ConsentEvent {
    ConsentEvent { reference: Some(STILL_OPTED_OUT.to_owned()), ..event(actor, id, None, Consent::OptedOut) }
}

pub(super) fn check(change: &ConsentChange) -> Result<()> {
    let mut errors = Vec::new();
    if !matches!(change.consent, Consent::OptedIn | Consent::OptedOut) {
        errors.push(FieldError::new("consent", "Give opted_in or opted_out."));
    }
    for (field, text) in [("source", &change.source), ("evidence", &change.evidence)] {
        if text.as_ref().is_some_and(|text| text.chars().count() > EVIDENCE_MAX) {
            errors.push(FieldError::new(field, format!("Use at most {EVIDENCE_MAX} characters.")));
        }
    }
    Error::unless_valid(errors)
}

pub(super) async fn set(engine: &Engine, actor: &Actor, phone: &Phone, change: &ConsentChange) -> Result<Contact> {
    let now = engine.now();
    let keys = &engine.config().keys;
    let tx = engine.begin(actor).await?;
    let Stored { id, contact } = store::contacts::lock(&tx, phone).await?.ok_or(NO_CONTACT)?;
    let opts_out = change.consent == Consent::OptedOut;
    let mut event =
        if opts_out { opt_out_of_everything(keys, actor, id, phone) } else { event(actor, id, None, Consent::OptedIn) };
    let lifts = !opts_out && (contact.consent == Consent::OptedOut || contact.suppressed);
    if lifts {
        let phone_hashes = keys.suppression_hashes(phone.as_str());
        may_lift(&tx, actor, &phone_hashes, change).await?;
        event.suppression = SuppressionChange::Lift { phone_hashes };
    }
    event.evidence = seal(&tx, keys, id, now, change).await?;
    store::consent::record(&tx, actor, now, &[event]).await?;
    let detail = json!({ "consent": change.consent, "former": contact.consent, "lifted": lifts });
    audit(&tx, actor, now, "set_consent", id, &detail).await?;
    let contact = stored(&tx, phone).await?.contact;
    tx.commit().await.map_err(store::Error::from)?;
    engine.told_opt_outs(opts_out.then_some(id));
    Ok(contact)
}

/// After the person's own words only the person's own words count; else an admin may lift, with evidence.
async fn may_lift(tx: &Tx, actor: &Actor, phone_hashes: &[Vec<u8>], change: &ConsentChange) -> Result<()> {
    let entries = store::suppressions::find(tx, phone_hashes).await?;
    if let Some(own) = entries.iter().find(|entry| !entry.reason.removable()) {
        return Err(Error::Conflict(format!(
            "This person opted out themself ({}). Only they can opt in again, by writing START.",
            own.reason
        )));
    }
    let evidence = change.evidence.as_deref().unwrap_or_default().trim();
    if !actor.may(Permission::ManageConsent) || evidence.is_empty() {
        return Err(Error::Conflict(
            "This person is opted out. An admin can lift that, with evidence of the person's newer consent.".to_owned(),
        ));
    }
    Ok(())
}

fn context(id: ContactId) -> String {
    format!("contact_key/{id}")
}

fn evidence_context(id: ContactId) -> String {
    format!("consent_ledger/{id}/evidence")
}

/// Seals the given words with the person's key, so that erasing the key erases them.
async fn seal(
    tx: &Tx,
    keys: &KeyRing,
    id: ContactId,
    now: Timestamp,
    change: &ConsentChange,
) -> Result<Option<Vec<u8>>> {
    let words = [change.source.as_deref(), change.evidence.as_deref()];
    let words: Vec<&str> = words.into_iter().flatten().map(str::trim).filter(|text| !text.is_empty()).collect();
    if words.is_empty() {
        return Ok(None);
    }
    Ok(Some(seal_words(tx, keys, id, now, &words.join(": ")).await?))
}

/// Seals a person's words with the person's key, which is made when there is none.
pub(crate) async fn seal_words(
    tx: &Tx,
    keys: &KeyRing,
    id: ContactId,
    now: Timestamp,
    words: &str,
) -> store::Result<Vec<u8>> {
    let (_, fresh) = keys.new_data_key(&context(id));
    let wrapped = store::keys::ensure_contact(tx, id, fresh, now).await?;
    let key = keys
        .unwrap_data_key(&context(id), &wrapped)
        .map_err(|error| store::Error::Corrupt { column: "contact_keys.wrapped", problem: error.to_string() })?;
    Ok(secrets::seal_with(&key, &evidence_context(id), words.as_bytes()))
}

/// Opens what [`seal`] sealed, with the person's wrapped key.
pub(crate) fn open(keys: &KeyRing, id: ContactId, wrapped: &[u8], sealed: &[u8]) -> Option<String> {
    let key = keys.unwrap_data_key(&context(id), wrapped).ok()?;
    let words = secrets::open_with(&key, &evidence_context(id), sealed).ok()?;
    String::from_utf8(words).ok()
}

pub(super) async fn set_topic(
    engine: &Engine,
    actor: &Actor,
    phone: &Phone,
    topic: &str,
    consent: Consent,
) -> Result<Contact> {
    let now = engine.now();
    let tx = engine.begin(actor).await?;
    let topic_id = store::topics::id_of(&tx, topic).await?.ok_or(Error::NotFound { what: "topic" })?;
    let Stored { id, contact } = store::contacts::lock(&tx, phone).await?.ok_or(NO_CONTACT)?;
    let present = store::consent::subscriptions(&tx, &[id]).await?.get(&(id, topic_id)).copied();
    let wanted = if consent == Consent::OptedIn { Subscription::Subscribed } else { Subscription::Unsubscribed };
    match present {
        Some((state, _)) if state == wanted => return Ok(contact),
        Some((
            Subscription::Unsubscribed,
            ConsentSource::Keyword | ConsentSource::Recipient | ConsentSource::RecipientPage | ConsentSource::Provider,
        )) => {
            return Err(Error::Conflict(format!(
                "This person unsubscribed from {topic} themself. Only they can subscribe again, by writing SUBSCRIBE {topic}."
            )));
        }
        _ => {}
    }
    let asking = if consent == Consent::OptedIn { opt_ins::asking(&tx, topic).await? } else { None };
    let (events, state) = match &asking {
        Some(_) if contact.consent == Consent::OptedOut || contact.suppressed => {
            return Err(Error::Conflict(format!(
                "{topic} asks people back before it subscribes them, and this person is opted out: they are not asked."
            )));
        }
        Some(topic) => (ask(engine, &tx, actor, (id, contact.consent), topic).await?, "asked"),
        None => (vec![event(actor, id, Some(topic_id), consent)], wanted.as_str()),
    };
    // Whoever is asked already is not asked twice.
    if events.is_empty() {
        return Ok(contact);
    }
    store::consent::record(&tx, actor, now, &events).await?;
    audit(&tx, actor, now, "set_subscription", id, &json!({ "topic": topic, "state": state })).await?;
    let contact = stored(&tx, phone).await?.contact;
    tx.commit().await.map_err(store::Error::from)?;
    engine.told_left((consent == Consent::OptedOut).then_some((id, Some(topic_id))));
    if asking.is_some() {
        opt_ins::ring(engine);
    }
    Ok(contact)
}

/// Asks one person whether they want a topic.
pub(super) async fn ask(
    engine: &Engine,
    tx: &Tx,
    actor: &Actor,
    (id, consent): (ContactId, Consent),
    topic: &AskingTopic,
) -> Result<Vec<ConsentEvent>> {
    let now = engine.now();
    let until = opt_ins::expiry(engine, now).await?;
    let sender = opt_ins::sender_for(tx, topic).await?;
    let person = opt_ins::Person { id, consent, reference: None, evidence: None };
    Ok(opt_ins::ask(tx, (now, until), (topic, sender), source_of(actor), vec![person]).await?)
}
