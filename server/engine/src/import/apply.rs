//! Storing one chunk: everything in one transaction, in a fixed number of statements.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::{
    actor::Actor,
    consent::{Consent, ConsentSource, Subscription},
    contact::{Attributes, Contact},
    ids::{ContactId, ImportId, SenderId, TopicId},
    time::Timestamp,
    trigger_event::{CONTACT_CREATED, CONTACT_IMPORTED},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::{
    Db, Tx,
    consent::ConsentEvent,
    contacts::{Change, New, Stored},
    imports::{Counters, Member, Seen},
    opt_ins::AskingTopic,
    trigger_events::Own,
};

use super::{
    chunk::{Chunk, Person},
    row::{Wish, warning},
};
use crate::{
    secrets::KeyRing,
    services::{
        contacts::{event, opt_out_of_everything, source_of, still_opted_out},
        opt_ins,
    },
};

/// What is the same for all chunks of an import.
pub(super) struct Job<'a> {
    pub db: &'a Db,
    pub keys: &'a KeyRing,
    pub id: ImportId,
    pub actor: Actor,
    /// Everybody in the file is subscribed to these, except those who unsubscribed.
    pub topics: Vec<TopicId>,
    /// Those of them that ask back, each with where its questions go out from.
    pub asking: Vec<(AskingTopic, Option<SenderId>)>,
    /// How long a question waits for its answer, in microseconds.
    pub patience: i64,
}

/// Stores a chunk and moves the import on; returns who opted out by it.
///
/// # Errors
/// What the database says; nothing is stored then. `Stale` when another worker was faster. `Duplicate` when somebody
/// stored one of the people at the same time: the chunk can be tried again.
pub(super) async fn apply(
    job: &Job<'_>,
    chunk: &Chunk,
    now: Timestamp,
    lease_until: Timestamp,
) -> store::Result<Vec<ContactId>> {
    let tx = job.db.begin().await?;
    let known = Known::load(&tx, job, &chunk.people).await?;
    let mut outcome = Outcome::default();
    let mut ids = store::contacts::new_ids(now, known.missing(&chunk.people)).into_iter();
    for person in &chunk.people {
        match known.people.get(person.phone.as_str()) {
            Some(stored) => outcome.meet(job, &known, person, stored),
            None => outcome.create(job, &known, person, ids.next().ok_or(store::Error::NotFound)?),
        }
    }
    outcome.write(&tx, job, now).await?;
    let chunk = store::imports::Chunk {
        from: i64::try_from(chunk.from.byte).unwrap_or(i64::MAX),
        to: i64::try_from(chunk.to.byte).unwrap_or(i64::MAX),
        line: chunk.to.line,
        counters: outcome.count(chunk),
        rejects: chunk.rejects.clone(),
    };
    store::imports::commit_chunk(&tx, job.id, &chunk, lease_until).await?;
    tx.commit().await?;
    Ok(outcome.opted_out)
}

/// What the database knows of a chunk's people.
struct Known {
    people: HashMap<String, Stored>,
    /// Those who stood in an earlier chunk.
    seen: HashMap<ContactId, Seen>,
    /// Hashes that are on the suppression list, of people who are not stored.
    suppressed: HashSet<Vec<u8>>,
    subscriptions: BTreeMap<(ContactId, TopicId), (Subscription, ConsentSource)>,
}

impl Known {
    async fn load(tx: &Tx, job: &Job<'_>, people: &[Person]) -> store::Result<Self> {
        let phones: Vec<_> = people.iter().map(|person| &person.phone).collect();
        let stored: HashMap<String, Stored> = store::contacts::lock_many(tx, &phones)
            .await?
            .into_iter()
            .map(|stored| (stored.contact.phone.as_str().to_owned(), stored))
            .collect();
        let ids: Vec<ContactId> = stored.values().map(|stored| stored.id).collect();
        let hashes: Vec<Vec<u8>> = people
            .iter()
            .filter(|person| !stored.contains_key(person.phone.as_str()))
            .flat_map(|person| person.hashes.iter().cloned())
            .collect();
        if !hashes.is_empty() {
            store::suppressions::hold_still(tx).await?;
        }
        let suppressed = store::suppressions::find(tx, &hashes).await?;
        Ok(Self {
            seen: store::imports::seen(tx, job.id, &ids).await?,
            suppressed: suppressed.into_iter().map(|entry| entry.phone_hash).collect(),
            subscriptions: if job.topics.is_empty() {
                BTreeMap::new()
            } else {
                store::consent::subscriptions(tx, &ids).await?
            },
            people: stored,
        })
    }

    fn missing(&self, people: &[Person]) -> usize {
        people.iter().filter(|person| !self.people.contains_key(person.phone.as_str())).count()
    }
}

/// A known person with what the file says of them.
struct Changed<'a> {
    id: ContactId,
    attributes: Attributes,
    timezone: Option<&'a str>,
    locale: Option<&'a str>,
}

/// What a chunk comes to.
#[derive(Default)]
struct Outcome<'a> {
    new: Vec<New<'a>>,
    changed: Vec<Changed<'a>>,
    members: Vec<Member>,
    events: Vec<ConsentEvent>,
    /// Who is to be asked whether they want a topic, with the consent they have then.
    asks: Vec<(TopicId, ContactId, Consent)>,
    /// Entries of the suppression list whose people are stored again.
    claimed: Vec<(Vec<u8>, ContactId)>,
    opted_out: Vec<ContactId>,
    /// Who stands in the file for the first time in this chunk.
    first_seen: Vec<ContactId>,
    counters: Counters,
}

impl<'a> Outcome<'a> {
    fn create(&mut self, job: &Job<'_>, known: &Known, person: &'a Person, id: ContactId) {
        let entries: Vec<_> = person.hashes.iter().filter(|hash| known.suppressed.contains(*hash)).collect();
        let suppressed = !entries.is_empty();
        self.claimed.extend(entries.into_iter().map(|hash| (hash.clone(), id)));
        let consent = match person.wish {
            _ if suppressed => Consent::OptedOut,
            Some(Wish::Out) => Consent::OptedOut,
            Some(Wish::In) => Consent::OptedIn,
            None => Consent::Unknown,
        };
        if suppressed {
            self.events.push(still_opted_out(&job.actor, id));
            self.counters.suppressed += 1;
            self.warn(warning::OPT_OUT_KEPT, person.rows_in);
        } else if let Some(wish) = person.wish {
            self.record(job, person, id, wish);
        }
        for topic in &job.topics {
            self.subscribe(job, (id, consent), *topic);
        }
        self.new.push(New {
            id,
            phone: &person.phone,
            country: person.region.as_deref(),
            attributes: &person.attributes,
            timezone: person.timezone.as_deref(),
            locale: person.locale.as_deref(),
            consent,
            suppressed: consent == Consent::OptedOut,
        });
        self.first_seen.push(id);
        self.members.push(Member { id, seen: Seen { created: true, out_before: suppressed, ..Seen::default() } });
        self.counters.created += 1;
        self.counters.duplicates += person.rows - 1;
    }

    fn meet(&mut self, job: &Job<'_>, known: &Known, person: &'a Person, stored: &'a Stored) {
        let Stored { id, contact } = stored;
        let before = known.seen.get(id);
        if before.is_none() {
            self.first_seen.push(*id);
        }
        let is_out = contact.consent == Consent::OptedOut || contact.suppressed;
        let out_before = before.map_or(is_out, |seen| seen.out_before);
        if out_before {
            self.warn(warning::OPT_OUT_KEPT, person.rows_in);
        }
        let mut seen = before.copied().unwrap_or_else(|| Seen {
            out_before: is_out,
            profile_before: Some(fingerprint(
                &contact.attributes,
                contact.timezone.as_deref(),
                contact.locale.as_deref(),
            )),
            ..Seen::default()
        });
        if let Some(changed) = self.change(person, *id, contact) {
            // Rows of several chunks may change something and change it back.
            let now = fingerprint(&changed.attributes, changed.timezone, changed.locale);
            seen.profile_changed = seen.profile_before != Some(now);
        }
        let after = match person.wish {
            Some(Wish::Out) => Consent::OptedOut,
            _ if is_out => Consent::OptedOut,
            Some(Wish::In) => Consent::OptedIn,
            None => contact.consent,
        };
        let is_first = before.is_none();
        // Not `||` between them: each does its part.
        let wishes = [self.consent(job, person, *id, contact), self.topics(job, known, (*id, is_first), after)];
        seen.wishes_changed |= wishes.contains(&true);
        self.count_known(person, contact, before, &seen);
        if before != Some(&seen) {
            self.members.push(Member { id: *id, seen });
        }
    }

    /// A person is counted once, as what the whole file did to them; a later chunk may correct that.
    fn count_known(&mut self, person: &Person, contact: &Contact, before: Option<&Seen>, now: &Seen) {
        let is_updated = |seen: &Seen| seen.profile_changed || seen.wishes_changed;
        let counters = &mut self.counters;
        let Some(before) = before else {
            counters.duplicates += person.rows - 1;
            counters.suppressed += i64::from(contact.suppressed);
            *(if is_updated(now) { &mut counters.updated } else { &mut counters.unchanged }) += 1;
            return;
        };
        counters.duplicates += person.rows;
        if !before.created {
            let moved = i64::from(is_updated(now)) - i64::from(is_updated(before));
            counters.updated += moved;
            counters.unchanged -= moved;
        }
    }

    /// Cells that are not empty replace what is stored.
    fn change(&mut self, person: &'a Person, id: ContactId, contact: &'a Contact) -> Option<&Changed<'a>> {
        let timezone = person.timezone.as_ref().or(contact.timezone.as_ref());
        let locale = person.locale.as_ref().or(contact.locale.as_ref());
        let differs = person.attributes.iter().any(|(key, value)| contact.attributes.get(key) != Some(value));
        if !differs && timezone == contact.timezone.as_ref() && locale == contact.locale.as_ref() {
            return None;
        }
        let mut attributes = contact.attributes.clone();
        attributes.extend(person.attributes.iter().map(|(key, value)| (key.clone(), value.clone())));
        let (timezone, locale) = (timezone.map(String::as_str), locale.map(String::as_str));
        self.changed.push(Changed { id, attributes, timezone, locale });
        self.changed.last()
    }

    /// "Out" always applies; "in" only to people who have not said anything yet.
    fn consent(&mut self, job: &Job<'_>, person: &Person, id: ContactId, contact: &Contact) -> bool {
        let is_out = contact.consent == Consent::OptedOut || contact.suppressed;
        match person.wish {
            Some(Wish::Out) if contact.consent != Consent::OptedOut || !contact.suppressed => {
                self.record(job, person, id, Wish::Out);
                true
            }
            Some(Wish::In) if !is_out && contact.consent != Consent::OptedIn => {
                self.record(job, person, id, Wish::In);
                true
            }
            _ => false,
        }
    }

    fn topics(&mut self, job: &Job<'_>, known: &Known, (id, is_first): (ContactId, bool), consent: Consent) -> bool {
        let mut is_changed = false;
        for topic in &job.topics {
            match known.subscriptions.get(&(id, *topic)) {
                None => {
                    is_changed |= self.subscribe(job, (id, consent), *topic);
                }
                Some((Subscription::Unsubscribed, _)) if is_first => self.warn(warning::UNSUBSCRIBED_KEPT, 1),
                Some(_) => {}
            }
        }
        is_changed
    }

    fn record(&mut self, job: &Job<'_>, person: &Person, id: ContactId, wish: Wish) {
        let event = match wish {
            Wish::In => event(&job.actor, id, None, Consent::OptedIn),
            Wish::Out => {
                self.opted_out.push(id);
                opt_out_of_everything(job.keys, &job.actor, id, &person.phone)
            }
        };
        let reference = Some(format!("import {} line {}", job.id, person.wish_line));
        self.events.push(ConsentEvent { reference, ..event });
    }

    /// Whether the person is subscribed by it, and not only asked.
    fn subscribe(&mut self, job: &Job<'_>, (id, consent): (ContactId, Consent), topic: TopicId) -> bool {
        if job.asking.iter().any(|(asking, _)| asking.id == topic) {
            if consent != Consent::OptedOut {
                self.asks.push((topic, id, consent));
            }
            return false;
        }
        let reference = Some(format!("import {}", job.id));
        self.events.push(ConsentEvent { reference, ..event(&job.actor, id, Some(topic), Consent::OptedIn) });
        true
    }

    /// Queues the questions; what is to be recorded of them.
    async fn questions(&self, tx: &Tx, job: &Job<'_>, now: Timestamp) -> store::Result<Vec<ConsentEvent>> {
        let mut events: Vec<ConsentEvent> = Vec::new();
        let mut pending: HashSet<ContactId> = HashSet::new();
        for (topic, sender) in &job.asking {
            let asked = self.asks.iter().filter(|(of, ..)| *of == topic.id);
            let people = asked.map(|(_, id, consent)| opt_ins::Person {
                id: *id,
                // Asked about two topics, a person becomes pending once.
                consent: if pending.contains(id) { Consent::Pending } else { *consent },
                reference: Some(format!("import {}", job.id)),
                evidence: None,
            });
            let times = (now, now.plus(job.patience));
            let source = source_of(&job.actor);
            let asked = opt_ins::ask(tx, times, (topic, *sender), source, people.collect()).await?;
            pending.extend(asked.iter().filter(|event| event.topic_id.is_none()).map(|event| event.contact_id));
            events.extend(asked);
        }
        Ok(events)
    }

    fn warn(&mut self, what: &'static str, times: i64) {
        if times > 0 {
            *self.counters.warnings.entry(what.to_owned()).or_insert(0) += times;
        }
    }

    async fn write(&self, tx: &Tx, job: &Job<'_>, now: Timestamp) -> store::Result<()> {
        store::contacts::insert(tx, now, &self.new).await?;
        let changes: Vec<Change<'_>> = self
            .changed
            .iter()
            .map(|Changed { id, attributes, timezone, locale }| Change {
                id: *id,
                attributes,
                timezone: *timezone,
                locale: *locale,
            })
            .collect();
        store::contacts::update(tx, now, &changes).await?;
        store::imports::join(tx, job.id, &self.members).await?;
        store::suppressions::claim(tx, &self.claimed).await?;
        self.tell(tx, job, now).await?;
        let asked = self.questions(tx, job, now).await?;
        store::consent::record(tx, &job.actor, now, &[&self.events[..], &asked[..]].concat()).await
    }

    /// Campaigns that listen learn who was stored and who stands in the file.
    async fn tell(&self, tx: &Tx, job: &Job<'_>, now: Timestamp) -> store::Result<()> {
        let heard = store::trigger_events::listened_to(tx, &[CONTACT_CREATED, CONTACT_IMPORTED]).await?;
        let mut own = Vec::new();
        if heard.contains(CONTACT_CREATED) {
            own.extend(self.new.iter().map(|new| (CONTACT_CREATED, new.id)));
        }
        if heard.contains(CONTACT_IMPORTED) {
            own.extend(self.first_seen.iter().map(|id| (CONTACT_IMPORTED, *id)));
        }
        let own: Vec<Own> =
            own.into_iter().map(|(name, contact)| Own { name, contact, data: Attributes::new() }).collect();
        store::trigger_events::tell(tx, &job.actor, now, &own).await
    }

    /// The counters, completed by what was found while reading.
    fn count(&self, chunk: &Chunk) -> Counters {
        let mut counters = self.counters.clone();
        counters.rows = chunk.rows;
        counters.rejected = i64::try_from(chunk.rejects.len()).unwrap_or(i64::MAX);
        for reject in &chunk.rejects {
            *counters.by_reason.entry(reject.reason.as_str().to_owned()).or_insert(0) += 1;
        }
        for (what, count) in &chunk.warnings {
            *counters.warnings.entry((*what).to_owned()).or_insert(0) += count;
        }
        counters
    }
}

/// Tells one profile from another, whatever the order of its keys; the same in every process.
fn fingerprint(attributes: &Attributes, timezone: Option<&str>, locale: Option<&str>) -> i64 {
    let mut sha = Sha256::new();
    hash_object(&mut sha, attributes);
    for text in [timezone, locale] {
        hash_text(&mut sha, text.unwrap_or_default());
    }
    let hash = sha.finalize();
    hash.iter().take(8).fold(0, |number, byte| (number << 8) | i64::from(*byte))
}

fn hash_object(sha: &mut Sha256, object: &Attributes) {
    let sorted: BTreeMap<&String, &Value> = object.iter().collect();
    sha.update(b"{");
    for (key, value) in sorted {
        hash_text(sha, key);
        match value {
            Value::Object(parts) => hash_object(sha, parts),
            value => hash_text(sha, &value.to_string()),
        }
    }
    sha.update(b"}");
}

fn hash_text(sha: &mut Sha256, text: &str) {
    sha.update((text.len() as u64).to_be_bytes());
    sha.update(text);
}
