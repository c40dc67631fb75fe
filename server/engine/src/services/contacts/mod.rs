//! Contacts: people, their consent and their topics.

mod birth;
mod consent;
mod erase;
mod export;
pub(crate) mod fields;
mod history;
mod proof;

use domain::{
    consent::Consent,
    contact::{
        ConsentChange, ConsentProof, Contact, ContactFilter, ContactPatch, Erasure, NewContact, PersonExport,
        TimelineEntry,
    },
    ids::{ContactId, TopicId},
    page::{Page, PageRequest},
    phone::Phone,
    problem::FieldError,
    role::Permission,
    segment::{Combinator, Group, Node, Operator, Rule},
    time::Timestamp,
};
use serde_json::json;
use store::{
    consent::ConsentEvent,
    contacts::{Change, Query, Stored},
};

pub(crate) use birth::{Birth, all_born, born};
pub(crate) use consent::{
    event, open as open_words, opt_out_by_provider, opt_out_of_everything, provider, seal_words, source_of,
    still_opted_out,
};
pub(crate) use export::collect as everything_about;

use crate::{
    Actor, Engine, Error, Result,
    cursor::{Cursor, page_of, rows_to_ask_for},
    phone, require,
    retry::retrying,
    services::{opt_ins, settings, stale::stale},
};

/// See [`Engine::contacts`].
pub struct Contacts<'a>(&'a Engine);

impl Engine {
    /// Contacts: people, their consent and their topics.
    #[must_use]
    pub const fn contacts(&self) -> Contacts<'_> {
        Contacts(self)
    }
}

impl Contacts<'_> {
    /// People, newest first.
    ///
    /// # Errors
    /// `Invalid` for a cursor or limit that cannot be used, `NotFound` for a topic, segment or import that is not there.
    pub async fn list(&self, actor: &Actor, filter: &ContactFilter, page: &PageRequest) -> Result<Page<Contact>> {
        require(actor, Permission::Read)?;
        let limit = rows_to_ask_for(page)?;
        let before = Cursor::read(page, |parts| match parts {
            [id] => id.parse().ok().map(ContactId),
            _ => None,
        })?;
        let scope = self.scope(filter).await?;
        let rows = store::contacts::list(self.0.db().reader(), &scope.query(filter), before, limit).await?;
        Ok(page_of(rows, page, |last| Cursor::new([last.id])).map(|stored| stored.contact))
    }

    /// How many people there are like this.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub async fn count(&self, actor: &Actor, filter: &ContactFilter) -> Result<i64> {
        require(actor, Permission::Read)?;
        let scope = self.scope(filter).await?;
        Ok(store::contacts::count(self.0.db().reader(), &scope.query(filter)).await?)
    }

    /// One person.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, actor: &Actor, phone: &Phone) -> Result<Contact> {
        require(actor, Permission::Read)?;
        let found = store::contacts::find(self.0.db().reader(), phone).await?;
        found.map(|stored| stored.contact).ok_or(NO_CONTACT)
    }

    /// Stores a person. Somebody whose number is on the suppression list is stored as opted out, whatever is asked.
    ///
    /// # Errors
    /// `Invalid` with the fields to correct, `Conflict` when there is a contact with this number.
    pub async fn create(&self, actor: &Actor, new: NewContact) -> Result<Contact> {
        require(actor, Permission::Write)?;
        let (phone, new) = checked(new)?;
        retrying!(self.try_create(actor, &phone, &new).await)
    }

    async fn try_create(&self, actor: &Actor, phone: &Phone, new: &NewContact) -> Result<Contact> {
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        if store::contacts::find(&tx, phone).await?.is_some() {
            let text = format!("There is a contact with the number {phone} already. Change that one instead.");
            return Err(Error::Conflict(text));
        }
        let topics = topic_ids(&tx, &new.topics).await?;
        let birth = Birth {
            phone,
            attributes: &new.attributes,
            timezone: new.timezone.as_deref(),
            locale: new.locale.as_deref(),
        };
        let born = born(&tx, &self.0.config().keys, actor, now, birth).await?;
        let asking = store::opt_ins::asking(&tx).await?;
        let mut events: Vec<ConsentEvent> = topics
            .iter()
            .filter(|id| asking.iter().all(|topic| topic.id != **id))
            .map(|topic| event(actor, born.id, Some(*topic), Consent::OptedIn))
            .collect();
        let opts_out = new.consent == Some(Consent::OptedOut) && !born.suppressed;
        if opts_out {
            events.push(opt_out_of_everything(&self.0.config().keys, actor, born.id, phone));
        } else if new.consent == Some(Consent::OptedIn) && !born.suppressed {
            events.push(event(actor, born.id, None, Consent::OptedIn));
        }
        let mut asks = false;
        if !opts_out && !born.suppressed {
            let consent = new.consent.unwrap_or(Consent::Unknown);
            for topic in asking.iter().filter(|topic| topics.contains(&topic.id)) {
                let asked = consent::ask(self.0, &tx, actor, (born.id, consent), topic).await?;
                // One pending of everything is enough.
                let known = events.iter().any(|event| event.topic_id.is_none());
                events.extend(asked.into_iter().filter(|event| !known || event.topic_id.is_some()));
                asks = true;
            }
        }
        store::consent::record(&tx, actor, now, &events).await?;
        let detail = json!({ "consent": new.consent, "topics": new.topics });
        audit(&tx, actor, now, "create", born.id, &detail).await?;
        let contact = stored(&tx, phone).await?.contact;
        tx.commit().await.map_err(store::Error::from)?;
        self.0.told_opt_outs((opts_out || born.suppressed).then_some(born.id));
        if asks {
            opt_ins::ring(self.0);
        }
        Ok(contact)
    }

    /// Changes what is known of a person.
    ///
    /// # Errors
    /// `Invalid` with the fields to correct, `NotFound`, `Stale`.
    pub async fn update(&self, actor: &Actor, phone: &Phone, patch: ContactPatch) -> Result<Contact> {
        require(actor, Permission::Write)?;
        let patch = checked_patch(patch)?;
        retrying!(self.try_update(actor, phone, &patch).await)
    }

    async fn try_update(&self, actor: &Actor, phone: &Phone, patch: &ContactPatch) -> Result<Contact> {
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        let Stored { id, contact } = store::contacts::lock(&tx, phone).await?.ok_or(NO_CONTACT)?;
        if patch.version.is_some_and(|read| read != contact.version) {
            return Err(stale(patch, &contact));
        }
        let mut attributes = contact.attributes.clone();
        for (key, value) in &patch.attributes {
            if value.is_null() {
                attributes.remove(key);
            } else {
                attributes.insert(key.clone(), value.clone());
            }
        }
        Error::unless_valid(fields::problems(&attributes))?;
        let timezone = patch.timezone.as_ref().unwrap_or(&contact.timezone);
        let locale = patch.locale.as_ref().unwrap_or(&contact.locale);
        if (&attributes, timezone, locale) == (&contact.attributes, &contact.timezone, &contact.locale) {
            return Ok(contact);
        }
        let change = Change { id, attributes: &attributes, timezone: timezone.as_deref(), locale: locale.as_deref() };
        store::contacts::update(&tx, now, &[change]).await?;
        let keys: Vec<&String> = patch.attributes.keys().collect();
        let detail = json!({
            "attributes": keys, "timezone": patch.timezone.is_some(), "locale": patch.locale.is_some(),
        });
        audit(&tx, actor, now, "update", id, &detail).await?;
        let contact = stored(&tx, phone).await?.contact;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(contact)
    }

    /// Erases a person: the row, the key of the sealed parts, texts, subscriptions; queued messages are skipped. Where the
    /// person had opted out, the keyed hash of the number stays on the suppression list.
    ///
    /// # Errors
    /// `Forbidden` for all but admins, `NotFound`.
    pub async fn erase(&self, actor: &Actor, phone: &Phone) -> Result<()> {
        require(actor, Permission::ManageConsent)?;
        retrying!(erase::erase(self.0, actor, phone).await)
    }

    /// What erasing this person would take away, and what would stay.
    ///
    /// # Errors
    /// `Forbidden` for all but admins, `NotFound`.
    pub async fn erasure(&self, actor: &Actor, phone: &Phone) -> Result<Erasure> {
        require(actor, Permission::ManageConsent)?;
        let db = self.0.db().reader();
        let person = store::contacts::find(db, phone).await?.ok_or(NO_CONTACT)?;
        let retention = settings::current(self.0).await?.retention;
        Ok(store::contacts::erasure(db, &person, retention.raw_webhook_days).await?)
    }

    /// Everything that is stored about a person, with the words of their consent; written to the audit log.
    ///
    /// # Errors
    /// `Forbidden` for all but admins, `NotFound`.
    pub async fn export(&self, actor: &Actor, phone: &Phone) -> Result<PersonExport> {
        require(actor, Permission::ManageConsent)?;
        export::export(self.0, actor, phone).await
    }

    /// What a person agreed to and took back, with the words of the evidence and the hashes of the consent ledger; written to
    /// the audit log.
    ///
    /// # Errors
    /// `Forbidden` for all but admins, `NotFound`.
    pub async fn proof(&self, actor: &Actor, phone: &Phone) -> Result<ConsentProof> {
        require(actor, Permission::ManageConsent)?;
        proof::proof(self.0, actor, phone).await
    }

    /// Records what a person wishes to get.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, and `Conflict` where an opt-out may not be lifted: after the person's own words never, else
    /// by an admin with evidence.
    pub async fn set_consent(&self, actor: &Actor, phone: &Phone, change: ConsentChange) -> Result<Contact> {
        require(actor, Permission::Write)?;
        consent::check(&change)?;
        retrying!(consent::set(self.0, actor, phone, &change).await)
    }

    /// Subscribes a person to a topic.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when the person unsubscribed in their own words.
    pub async fn subscribe(&self, actor: &Actor, phone: &Phone, topic: &str) -> Result<Contact> {
        require(actor, Permission::Write)?;
        retrying!(consent::set_topic(self.0, actor, phone, topic, Consent::OptedIn).await)
    }

    /// Unsubscribes a person from a topic.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn unsubscribe(&self, actor: &Actor, phone: &Phone, topic: &str) -> Result<Contact> {
        require(actor, Permission::Write)?;
        retrying!(consent::set_topic(self.0, actor, phone, topic, Consent::OptedOut).await)
    }

    /// What happened with a person, newest first.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for a cursor or limit that cannot be used.
    pub async fn timeline(&self, actor: &Actor, phone: &Phone, page: &PageRequest) -> Result<Page<TimelineEntry>> {
        require(actor, Permission::Read)?;
        history::timeline(self.0, phone, page).await
    }

    async fn scope(&self, filter: &ContactFilter) -> Result<Scope> {
        let db = self.0.db().reader();
        let topic = match &filter.topic {
            None => None,
            Some(key) => Some(store::topics::id_of(db, key).await?.ok_or(Error::NotFound { what: "topic" })?),
        };
        let segment = match filter.segment {
            None => None,
            Some(id) => {
                let rule = Rule { field: "segment".to_owned(), operator: Operator::Equal, value: json!(id) };
                let definition = Group { combinator: Combinator::And, not: false, rules: vec![Node::Rule(rule)] };
                let nested = store::segments::nest(db, &definition, None).await?;
                Some((nested.map_err(|_| Error::NotFound { what: "segment" })?, self.0.now()))
            }
        };
        if let Some(import) = filter.import
            && store::imports::find(db, import).await?.is_none()
        {
            return Err(Error::NotFound { what: "import" });
        }
        Ok(Scope { topic, segment })
    }
}

const NO_CONTACT: Error = Error::NotFound { what: "contact" };

/// What a filter names, looked up.
struct Scope {
    topic: Option<TopicId>,
    segment: Option<(Group, Timestamp)>,
}

impl Scope {
    fn query<'a>(&'a self, filter: &'a ContactFilter) -> Query<'a> {
        Query {
            q: filter.q.as_deref().map(str::trim).filter(|q| !q.is_empty()),
            consent: filter.consent,
            topic: self.topic,
            import: filter.import,
            segment: self.segment.as_ref().map(|(definition, now)| (definition, *now)),
        }
    }
}

/// The number, and the rest in the form it is stored in.
fn checked(mut new: NewContact) -> Result<(Phone, NewContact)> {
    let mut errors = Vec::new();
    let phone = phone::parse(&new.phone, None)
        .map_err(|_| errors.push(FieldError::new("phone", "Give a number that exists, such as +14155550100.")));
    if new.consent == Some(Consent::Pending) {
        errors.push(FieldError::new("consent", "Give opted_in, opted_out or unknown."));
    }
    new.timezone = zone(new.timezone, &mut errors);
    new.locale = language(new.locale, &mut errors);
    new.attributes.retain(|_, value| !value.is_null());
    errors.extend(fields::problems(&new.attributes));
    Error::unless_valid(errors)?;
    // Without a number there was an error.
    let phone = phone.map_err(|()| Error::invalid("phone", "Give a number."))?;
    Ok((phone, new))
}

fn checked_patch(mut patch: ContactPatch) -> Result<ContactPatch> {
    let mut errors = Vec::new();
    patch.timezone = patch.timezone.map(|given| zone(given, &mut errors));
    patch.locale = patch.locale.map(|given| language(given, &mut errors));
    errors.extend(fields::problems(&patch.attributes));
    Error::unless_valid(errors)?;
    Ok(patch)
}

fn zone(given: Option<String>, errors: &mut Vec<FieldError>) -> Option<String> {
    let given = given.filter(|text| !text.trim().is_empty())?;
    let known = fields::timezone(&given);
    if known.is_none() {
        errors.push(FieldError::new("timezone", "Give a time zone such as Asia/Colombo."));
    }
    known
}

fn language(given: Option<String>, errors: &mut Vec<FieldError>) -> Option<String> {
    let given = given.filter(|text| !text.trim().is_empty())?;
    let known = fields::locale(&given);
    if known.is_none() {
        errors.push(FieldError::new("locale", "Give a language tag such as en or pt-BR."));
    }
    known
}

/// The ids of topics, each once.
pub(crate) async fn topic_ids(db: &impl store::ConnectionTrait, keys: &[String]) -> Result<Vec<TopicId>> {
    let mut ids = Vec::with_capacity(keys.len());
    let mut errors = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        match store::topics::id_of(db, key).await? {
            Some(id) if !ids.contains(&id) => ids.push(id),
            Some(_) => {}
            None => errors.push(FieldError::new(format!("topics[{index}]"), format!("There is no topic `{key}`."))),
        }
    }
    Error::unless_valid(errors)?;
    Ok(ids)
}

async fn stored(tx: &store::Tx, phone: &Phone) -> Result<Stored> {
    store::contacts::find(tx, phone).await?.ok_or(NO_CONTACT)
}

async fn audit(
    tx: &store::Tx,
    actor: &Actor,
    now: Timestamp,
    action: &str,
    id: ContactId,
    detail: &serde_json::Value,
) -> Result<()> {
    Ok(store::audit::append(tx, actor, now, action, ("contact", &id.to_string()), detail).await?)
}
