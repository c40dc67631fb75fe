//! The recipient's own page: whoever has the link of a message is taken for the person it went to.

use domain::{
    actor::ActorKind,
    consent::{Consent, ConsentSource, Subscription, SuppressionReason},
    contact::Contact,
    ids::{ContactId, MessageId, TopicId},
    phone::Phone,
    recipient::{Change, Given, OwnData, OwnPage, Preferences, Why},
    role::Role,
    time::Timestamp,
};
use store::{
    Tx,
    consent::{ConsentEvent, SuppressionChange},
    contacts::Stored,
    opt_ins::AskingTopic,
};

use super::{
    contacts::{everything_about, open_words, seal_words},
    opt_ins,
};
use crate::{
    Actor, Engine, Error, Result,
    ingest::STOP_WAIT,
    own_page,
    retry::retrying,
    zones::{to_jiff, zone},
};

/// See [`Engine::recipient`].
pub struct Recipient<'a>(&'a Engine);

impl Engine {
    /// The recipient's own page.
    #[must_use]
    pub const fn recipient(&self) -> Recipient<'_> {
        Recipient(self)
    }
}

const NO_LINK: Error = Error::NotFound { what: "page" };

/// Whose link it is: who they are now (none once erased), and the message it was in.
struct Whose {
    person: Option<Stored>,
    message: MessageId,
}

impl Recipient<'_> {
    /// What the person gets to see. Changes nothing.
    ///
    /// # Errors
    /// `NotFound` when we did not make this link.
    pub async fn page(&self, token: &str) -> Result<OwnPage> {
        let Whose { person, message } = self.whose(token).await?;
        match person {
            Some(Stored { id, contact }) => Ok(OwnPage::Known(Box::new(self.preferences(id, contact, message).await?))),
            None => Ok(OwnPage::Erased),
        }
    }

    /// Everything that is stored about the person, as an admin's export has it. Changes nothing.
    ///
    /// # Errors
    /// `NotFound` when we did not make this link.
    pub async fn data(&self, token: &str) -> Result<OwnData> {
        let Some(Stored { contact, .. }) = self.whose(token).await?.person else { return Ok(OwnData::Erased) };
        Ok(OwnData::Known(Box::new(everything_about(self.0, &actor(), &contact.phone).await?)))
    }

    /// The person stops everything: as good as a STOP. Doing it twice is doing it once.
    ///
    /// # Errors
    /// `NotFound` when we did not make this link.
    pub async fn stop(&self, token: &str) -> Result<Change> {
        let whose = self.whose(token).await?;
        let Some(person) = whose.person else { return Ok(Change::Erased) };
        let done = retrying!(self.try_stop(&person.contact.phone, person.id, whose.message).await)?;
        if done == Change::Stopped && !self.0.inner().in_hand.settled(person.id, STOP_WAIT).await {
            tracing::warn!(contact = %person.id, "somebody stopped while a message to them is still on its way out");
        }
        Ok(done)
    }

    /// The person subscribes to a topic, or leaves it.
    ///
    /// # Errors
    /// `NotFound` when we did not make this link.
    pub async fn set_topic(&self, token: &str, topic: &str, on: bool) -> Result<Change> {
        let whose = self.whose(token).await?;
        let Some(person) = whose.person else { return Ok(Change::Erased) };
        let done = retrying!(self.try_set_topic(&person.contact.phone, person.id, whose.message, topic, on).await)?;
        if done == Change::Unsubscribed && !self.0.inner().in_hand.settled(person.id, STOP_WAIT).await {
            tracing::warn!(contact = %person.id, topic, "somebody left a topic while a message to them is still on its way out");
        }
        Ok(done)
    }

    async fn whose(&self, token: &str) -> Result<Whose> {
        let (contact, message) = own_page::read(&self.0.config().keys, token).ok_or(NO_LINK)?;
        let person = store::contacts::by_ids(self.0.db().reader(), &[contact]).await?.pop();
        Ok(Whose { person, message })
    }

    async fn preferences(&self, id: ContactId, contact: Contact, message: MessageId) -> Result<Preferences> {
        let engine = self.0;
        let db = engine.db().reader();
        let why = store::recipient::why(db, id, message).await?;
        let latest = store::consent::latest(db, id).await?;
        let sealed = latest.as_ref().and_then(|line| line.evidence.as_deref());
        let words = match sealed {
            Some(sealed) => store::keys::of_contact(db, id)
                .await?
                .and_then(|wrapped| open_words(&engine.config().keys, id, &wrapped, sealed)),
            None => None,
        };
        let topics = store::recipient::topics(db, id).await?.into_iter().map(|(_, topic)| topic).collect();
        let reasons = reasons(engine, db, &contact.phone).await?;
        let stopped = contact.consent == Consent::OptedOut || contact.suppressed;
        Ok(Preferences {
            masked_phone: contact.phone.masked(),
            consent: contact.consent,
            stopped,
            stopped_by_themself: stopped && reasons.contains(&SuppressionReason::Stop),
            start_lifts: !reasons.iter().any(|reason| reason.removable()),
            write_to: write_to(why.as_ref()),
            why,
            consent_given: latest.map(|line| Given { consent: line.consent, at: line.at, source: line.source, words }),
            topics,
            offset_minutes: offset_minutes(contact.timezone.as_deref(), engine.now()),
            name: contact.name,
            country: contact.country,
            locale: contact.locale,
            timezone: contact.timezone,
            attributes: contact.attributes,
            since: contact.created_at,
            last_inbound_at: contact.last_inbound_at,
        })
    }

    async fn try_stop(&self, phone: &Phone, id: ContactId, message: MessageId) -> Result<Change> {
        let (engine, now) = (self.0, self.0.now());
        let tx = engine.begin(&actor()).await?;
        let Some(person) = locked(&tx, phone, id).await? else { return Ok(Change::Erased) };
        let stands = person.consent == Consent::OptedOut && person.suppressed;
        if !stands || !reasons(engine, &tx, phone).await?.contains(&SuppressionReason::Stop) {
            let keys = &engine.config().keys;
            let mut event = self.event(&tx, id, (None, Consent::OptedOut), message, "Stop all messages").await?;
            event.suppression = SuppressionChange::Add {
                phone_hash: keys.suppression_hash(phone.as_str()),
                key_id: keys.current_id().to_owned(),
                reason: SuppressionReason::Stop,
            };
            store::consent::record(&tx, &actor(), now, &[event]).await?;
        }
        tx.commit().await.map_err(store::Error::from)?;
        // Also when it stands already: the answer to the first time may have been lost together with this.
        engine.told_opt_outs([id]);
        Ok(Change::Stopped)
    }

    async fn try_set_topic(
        &self,
        phone: &Phone,
        id: ContactId,
        message: MessageId,
        topic: &str,
        on: bool,
    ) -> Result<Change> {
        let (engine, now) = (self.0, self.0.now());
        let tx = engine.begin(&actor()).await?;
        let Some(person) = locked(&tx, phone, id).await? else { return Ok(Change::Erased) };
        let Some(topic_id) = store::topics::id_of(&tx, topic).await? else { return Ok(Change::NoTopic) };
        let asking = if on { opt_ins::asking(&tx, topic).await? } else { None };
        if let Some(topic) = asking.filter(|_| person.consent != Consent::OptedOut && !person.suppressed) {
            return self.ask(tx, (id, person.consent), message, &topic).await;
        }
        if on && (person.consent != Consent::OptedIn || person.suppressed) {
            return Ok(Change::NeedsStart);
        }
        let present = store::consent::subscriptions(&tx, &[id]).await?.get(&(id, topic_id)).map(|(state, _)| *state);
        let (wanted, consent, done, pressed) = if on {
            (Subscription::Subscribed, Consent::OptedIn, Change::Subscribed, "Turn on")
        } else {
            (Subscription::Unsubscribed, Consent::OptedOut, Change::Unsubscribed, "Turn off")
        };
        if present != Some(wanted) {
            let event = self.event(&tx, id, (Some(topic_id), consent), message, &format!("{pressed}: {topic}")).await?;
            store::consent::record(&tx, &actor(), now, &[event]).await?;
        }
        tx.commit().await.map_err(store::Error::from)?;
        // As with everything: also when it was off already.
        engine.told_left((!on).then_some((id, Some(topic_id))));
        Ok(done)
    }

    /// A topic that asks back gets the person's yes from the number itself: whoever has the link may not have the phone.
    async fn ask(
        &self,
        tx: Tx,
        (id, consent): (ContactId, Consent),
        message: MessageId,
        topic: &AskingTopic,
    ) -> Result<Change> {
        let (engine, now) = (self.0, self.0.now());
        let present = store::consent::subscriptions(&tx, &[id]).await?.get(&(id, topic.id)).map(|(state, _)| *state);
        if present == Some(Subscription::Subscribed) {
            return Ok(Change::Subscribed);
        }
        let until = opt_ins::expiry(engine, now).await?;
        let sender = opt_ins::sender_for(&tx, topic).await?;
        let pressed = format!("Turn on: {}", topic.key);
        let event = self.event(&tx, id, (Some(topic.id), Consent::Pending), message, &pressed).await?;
        let person = opt_ins::Person { id, consent, reference: event.reference, evidence: event.evidence };
        let asked = opt_ins::ask(&tx, (now, until), (topic, sender), event.source, vec![person]).await?;
        store::consent::record(&tx, &actor(), now, &asked).await?;
        tx.commit().await.map_err(store::Error::from)?;
        opt_ins::ring(engine);
        Ok(Change::Asked)
    }

    /// What the person wished on the page, with the button they pressed and the message whose link they had as evidence.
    async fn event(
        &self,
        tx: &Tx,
        id: ContactId,
        (topic_id, consent): (Option<TopicId>, Consent),
        message: MessageId,
        pressed: &str,
    ) -> Result<ConsentEvent> {
        let words = format!("“{pressed}” on the page that message {message} leads to");
        let evidence = seal_words(tx, &self.0.config().keys, id, self.0.now(), &words).await?;
        Ok(ConsentEvent {
            contact_id: id,
            topic_id,
            consent,
            source: ConsentSource::RecipientPage,
            reference: Some(format!("message {message}")),
            evidence: Some(evidence),
            suppression: SuppressionChange::None,
        })
    }
}

fn actor() -> Actor {
    Actor::new(ActorKind::Recipient, "own page", Role::Viewer)
}

/// The person, locked; none when the number belongs to nobody or to somebody else by now.
async fn locked(tx: &Tx, phone: &Phone, id: ContactId) -> Result<Option<Contact>> {
    let found = store::contacts::lock(tx, phone).await?;
    Ok(found.filter(|person| person.id == id).map(|person| person.contact))
}

/// Why the number is suppressed.
async fn reasons(engine: &Engine, db: &impl store::ConnectionTrait, phone: &Phone) -> Result<Vec<SuppressionReason>> {
    let hashes = engine.config().keys.suppression_hashes(phone.as_str());
    Ok(store::suppressions::find(db, &hashes).await?.into_iter().map(|entry| entry.reason).collect())
}

/// A Messaging Service is no number that one writes to.
fn write_to(why: Option<&Why>) -> Option<(domain::message::Channel, String)> {
    why.filter(|why| why.address.starts_with('+')).map(|why| (why.channel, why.address.clone()))
}

/// How far the person's clock is ahead of UTC now; 0 when it is not known.
fn offset_minutes(timezone: Option<&str>, now: Timestamp) -> i64 {
    let zone = timezone.and_then(zone);
    zone.map_or(0, |zone| i64::from(zone.to_offset(to_jiff(now)).seconds()) / 60)
}
