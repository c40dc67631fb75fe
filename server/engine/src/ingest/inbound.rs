//! Messages from people, by the batch: the person (stored when new), the message, what it asks for, the answer.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    actor::ActorKind,
    consent::{Consent, ConsentSource, Subscription, SuppressionReason},
    contact::Attributes,
    event::WebhookOutcome,
    ids::{ContactId, OptInId, SenderId, TopicId},
    message::{Channel, Kind, State},
    phone::Phone,
    review::ReviewDecision,
    role::Role,
    time::Timestamp,
};
use store::{
    Tx,
    consent::{ConsentEvent, SuppressionChange},
    contacts::Stored,
    inbound::{NewInbound, OwnWords, TopicName},
    messages::NewSingle,
    reviews::NewReview,
    webhook_events::NewEvent,
};

use super::{
    Done, addressees,
    answers::{self, Answer, twiml},
    auto_reply::{self, Heard},
    event::{Content, Event, InboundIn},
    keywords::{self, Meaning, Wish},
    meaning::{self, doubted, evidence, is_outdated, opt_out_type, opts_in},
    sealing,
    status::{base, report},
    wishes::{self, Change, Person, Said, grant},
};
use crate::{
    Actor, Engine,
    optouts::Left,
    services::{
        contacts::{Birth, born, seal_words},
        opt_ins, settings,
    },
};

/// Stores the events in one transaction, with everything that follows from them. Only inbound messages come here.
pub(super) async fn store(engine: &Engine, events: &[&Event]) -> store::Result<Vec<Done>> {
    let now = engine.now();
    let period = sealing::period(now);
    let key = engine.inner().ingest.periods().key(engine, period).await?;
    let settings = settings::current(engine).await.map_err(settings_problem)?;
    let until = opt_ins::expiry(engine, now).await.map_err(settings_problem)?;
    let inbound: Vec<(&Event, &InboundIn)> = events.iter().filter_map(|event| inbound_of(event)).collect();
    let added = &settings.keywords;
    let meanings: BTreeMap<&str, Meaning> =
        inbound.iter().map(|(_, message)| (message.sid.as_str(), meaning::read(message, added))).collect();
    let tx = engine.db().begin_ingest().await?;
    let addressees = addressees::find(&tx, &inbound, &meanings).await?;
    let mut batch = Batch::load(engine, &tx, now, (&inbound[..], &addressees), meanings).await?;
    let ids = store::webhook_events::next_ids(&tx, inbound.len()).await?;
    let mut stored: Vec<NewEvent<'_>> = Vec::with_capacity(inbound.len());
    for ((event, message), id) in inbound.iter().zip(&ids) {
        let repeated = !batch.take(engine, event, message, *id);
        let outcome = if repeated { WebhookOutcome::NoChange } else { WebhookOutcome::Applied };
        // Twilio signed nothing of what we fetched: it must not pass for a webhook.
        let reason = if event.fetched { Some("fetched") } else { repeated.then_some("repeat") };
        let base = base(engine, event, *id);
        stored.push(NewEvent { provider_sid: Some(&message.sid), outcome, reason, ..base });
    }
    let raws = inbound.iter().zip(&ids).map(|((event, _), id)| (*id, &*event.raw));
    store::inbound::insert(&tx, &batch.messages, &stored, sealing::seal_block(&key, period, raws)).await?;
    batch.record(engine, &tx, (now, until)).await?;
    // A wish that changes something settles by itself what was in doubt before.
    store::reviews::settle(&tx, &recipient(), now, &batch.going_on, ReviewDecision::Answered).await?;
    // After the wishes: what came behind them is not settled.
    store::reviews::open(&tx, now, &batch.reviews).await?;
    batch.confirm(&tx, now).await?;
    let answers = auto_reply::answer(&tx, now, &settings, &batch.heard).await?;
    tx.commit().await?;
    report(&stored);
    engine.told_left(batch.left());
    if answers || !batch.asks.is_empty() {
        opt_ins::ring(engine);
    }
    Ok(batch.done)
}

/// What tells a problem with the settings from one with a message.
const SETTINGS: &str = "settings.value";

/// At most half a second old. Without them nothing is stored: a wish would not be understood, and Twilio tries again.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn settings_problem(error: crate::Error) -> store::Error {
    store::Error::Corrupt { column: SETTINGS, problem: error.to_string() }
}

/// Whether the settings could not be read, for whatever reason: nothing is wrong with the messages then.
pub(super) fn is_of_settings(error: &store::Error) -> bool {
    matches!(error, store::Error::Corrupt { column: SETTINGS, .. })
}

const fn inbound_of<'a>(event: &&'a Event) -> Option<(&'a Event, &'a InboundIn)> {
    match &event.content {
        Content::Inbound(inbound) => Some((event, inbound)),
        _ => None,
    }
}

/// A consent event to come, and whose words it is.
struct Granted<'a> {
    contact_id: ContactId,
    /// The number that the person is stored by.
    phone: &'a Phone,
    message: &'a InboundIn,
    change: Change,
    /// The question that these words answer.
    confirms: Option<OptInId>,
}

/// Somebody who is to be asked whether they want a topic.
struct Asks<'a> {
    contact_id: ContactId,
    topic_id: TopicId,
    consent: Consent,
    message: &'a InboundIn,
}

/// What the batch is about, as it stands in the database and changes with every message taken.
#[derive(Default)]
struct Batch<'a> {
    people: BTreeMap<&'a Phone, Person>,
    /// Whom an opt-out holds for, too ([`addressees::find`]).
    addressees: BTreeMap<&'a str, &'a Phone>,
    topics: Vec<TopicName>,
    /// What each of the messages says, by its SID.
    meanings: BTreeMap<&'a str, Meaning>,
    /// Those that may be an opt-out, for somebody to read: marketing to these people waits. Clear words that come later in
    /// the batch take theirs away.
    reviews: Vec<NewReview<'a>>,
    /// Those whose START changed nothing, and settles what was in doubt.
    going_on: Vec<ContactId>,
    /// When people last said themselves what they wish; only of those whose message was fetched, or seems to opt in.
    own_words: OwnWords,
    /// When they last left what they had left already; of the same people.
    left_again: BTreeMap<ContactId, Timestamp>,
    /// How many keywords these people have written within an hour.
    keywords: BTreeMap<ContactId, i64>,
    /// SIDs that are stored already, or were taken.
    known: BTreeSet<String>,
    messages: Vec<NewInbound<'a>>,
    granted: Vec<Granted<'a>>,
    asks: Vec<Asks<'a>>,
    /// What a rule may answer by itself.
    heard: Vec<Heard<'a>>,
    answers: Vec<(ContactId, &'a InboundIn, String)>,
    done: Vec<Done>,
}

impl<'a> Batch<'a> {
    async fn load(
        engine: &Engine,
        tx: &Tx,
        now: Timestamp,
        (inbound, addressees): (&[(&'a Event, &'a InboundIn)], &'a BTreeMap<String, Phone>),
        meanings: BTreeMap<&'a str, Meaning>,
    ) -> store::Result<Self> {
        let mut batch = Self {
            people: people(tx, inbound, addressees).await?,
            addressees: addressees.iter().map(|(sid, phone)| (sid.as_str(), phone)).collect(),
            meanings,
            ..Self::default()
        };
        // After the people are locked: another process that stores the same message has finished by now.
        let sids: Vec<&str> = inbound.iter().map(|(_, message)| message.sid.as_str()).collect();
        batch.known = store::inbound::known(tx, &sids).await?;
        let strangers = batch.strangers(inbound);
        batch.people.extend(newcomers(engine, tx, now, strangers).await?);
        // What was fetched is old, and who seems to come back may have left since: several transactions and processes store
        // what people write, and not always in its order.
        let ids: BTreeSet<ContactId> = inbound
            .iter()
            .filter(|(event, message)| event.fetched || batch.meanings.get(message.sid.as_str()).is_some_and(opts_in))
            .filter_map(|(_, message)| batch.people.get(&message.phone))
            .map(|person| person.id)
            .collect();
        let ids: Vec<ContactId> = ids.into_iter().collect();
        batch.own_words = store::inbound::own_words_at(tx, &ids).await?;
        batch.left_again = store::inbound::left_again_at(tx, &ids).await?;
        let wishes: Vec<(&Phone, Wish)> = inbound
            .iter()
            .filter_map(|(_, message)| match batch.meanings.get(message.sid.as_str()) {
                Some(Meaning::Wish(wish)) => Some((&message.phone, wish.clone())),
                _ => None,
            })
            .collect();
        batch.load_wishes(engine, tx, now, &wishes).await?;
        Ok(batch)
    }

    /// The numbers of messages to take that we do not know. A message that is known already makes nobody known.
    fn strangers(&self, inbound: &[(&'a Event, &'a InboundIn)]) -> BTreeSet<&'a Phone> {
        let mut seen: BTreeSet<&str> = self.known.iter().map(String::as_str).collect();
        let new = inbound.iter().filter(|(_, message)| seen.insert(&message.sid));
        new.map(|(_, message)| &message.phone).filter(|phone| !self.people.contains_key(phone)).collect()
    }

    /// What granting these wishes depends on: for most batches nothing.
    async fn load_wishes(
        &mut self,
        engine: &Engine,
        tx: &Tx,
        now: Timestamp,
        wishes: &[(&'a Phone, Wish)],
    ) -> store::Result<()> {
        if wishes.is_empty() {
            return Ok(());
        }
        let ids: Vec<ContactId> =
            wishes.iter().filter_map(|(phone, _)| self.people.get(phone)).map(|person| person.id).collect();
        let stopped = store::inbound::stopped(tx, &ids).await?;
        self.keywords = store::inbound::keywords_since(tx, &ids, now.plus(-Timestamp::HOUR)).await?;
        let hashes: BTreeMap<Vec<u8>, &Phone> = wishes
            .iter()
            .flat_map(|(phone, _)| {
                let hashes = engine.config().keys.suppression_hashes(phone.as_str());
                hashes.into_iter().map(move |hash| (hash, *phone))
            })
            .collect();
        let wanted: Vec<Vec<u8>> = hashes.keys().cloned().collect();
        for entry in store::suppressions::find(tx, &wanted).await? {
            if let Some(person) = hashes.get(&entry.phone_hash).and_then(|phone| self.people.get_mut(phone)) {
                person.reasons.push(entry.reason);
            }
        }
        for person in self.people.values_mut() {
            person.stopped = stopped.contains(&person.id);
        }
        if wishes.iter().any(|(_, wish)| matches!(wish, Wish::Yes(_))) {
            for question in store::opt_ins::waiting(tx, &ids).await? {
                let person = self.people.values_mut().find(|person| person.id == question.contact_id);
                person.into_iter().for_each(|person| person.waiting.push(question.clone()));
            }
        }
        let waits = self.people.values().any(|person| !person.waiting.is_empty());
        let names_topic = |wish: &Wish| matches!(wish, Wish::Subscribe(_) | Wish::Unsubscribe(_));
        if waits || wishes.iter().any(|(_, wish)| names_topic(wish)) {
            self.topics = store::inbound::topic_names(tx).await?;
            let present = store::consent::subscriptions(tx, &ids).await?;
            for person in self.people.values_mut() {
                person.subscriptions = subscriptions(person.id, &present);
            }
        }
        Ok(())
    }

    /// Takes one message; false when it is known already.
    fn take(
        &mut self,
        engine: &Engine,
        event: &'a Event,
        message: &'a InboundIn,
        event_id: domain::ids::WebhookEventId,
    ) -> bool {
        let person = self.people.get_mut(&message.phone);
        let Some(person) = person.filter(|_| self.known.insert(message.sid.clone())) else {
            self.done.push(Done::default());
            return false;
        };
        let meaning = self.meanings.get(message.sid.as_str()).cloned().unwrap_or(Meaning::Nothing);
        let meaning = doubted(meaning, message, &self.topics);
        // What the person said of their own will since then is newer than what was fetched, or than a yes that is stored late.
        // A no that is repeated outdates any yes, but never another no: it may have been about something else.
        let leaves = matches!(meaning, Meaning::Wish(Wish::Stop | Wish::Unsubscribe(_)) | Meaning::Hint);
        let left_again = self.left_again.get(&person.id).copied().filter(|_| !leaves);
        let said_since = |topic| self.own_words.get(&(person.id, topic)).copied().max(left_again);
        let times = (event.received_at, engine.now());
        let comes_back = matches!(&meaning, Meaning::Wish(wish) if person.comes_back(wish, &self.topics));
        let may_be_old = event.fetched || comes_back;
        let outdated = may_be_old && is_outdated(&meaning, &self.topics, times, event.fetched, said_since);
        let meaning = if outdated { Meaning::Nothing } else { meaning };
        let said_nothing = !matches!(meaning, Meaning::Hint);
        let said = Said { at: event.received_at, replied_sid: message.replied_sid.as_deref() };
        let mut granted = wishes::Granted::default();
        let wish = match meaning {
            Meaning::Wish(wish) => {
                granted = grant(&wish, person, &self.topics, said);
                match wish {
                    Wish::Yes(_) if granted.confirms.is_none() => {
                        // A yes to nothing is a word like any other, but where it has ended a block at Twilio: then ours ends too.
                        let start = opt_out_type(message).filter(|_| person.is_blocked());
                        granted =
                            start.as_ref().map(|wish| grant(wish, person, &self.topics, said)).unwrap_or_default();
                        start.filter(|_| granted != wishes::Granted::default())
                    }
                    // What others noted is theirs to lift: somebody should read that the person wants to come back.
                    Wish::Start if granted == wishes::Granted::default() => None,
                    wish => Some(wish),
                }
            }
            Meaning::Hint if person.consent != Consent::OptedOut => {
                self.reviews.push(NewReview { contact_id: person.id, inbound_sid: &message.sid });
                None
            }
            Meaning::Hint | Meaning::Nothing => None,
        };
        // A START of somebody who is opted in changes nothing, and yet says clearly that they go on.
        let goes_on = matches!(wish, Some(Wish::Start)) && granted.changes.is_empty();
        if goes_on || granted.changes.iter().any(|change| change.topic_id.is_none()) {
            // What they have said clearly now is in doubt no more; what they write after it may be.
            let id = person.id;
            self.reviews.retain(|review| review.contact_id != id);
            // Of what is stored already the doubt may be younger than what was fetched.
            self.going_on.extend((goes_on && !event.fetched).then_some(id));
        }
        let leaves_everything = match &wish {
            Some(Wish::Stop) => true,
            Some(Wish::Unsubscribe(wanted)) => wishes::find(&self.topics, wanted).is_none(),
            _ => false,
        };
        let wish_of_message = wish.as_ref().map(Wish::keyword);
        self.messages.push(NewInbound {
            provider_sid: &message.sid,
            contact_id: person.id,
            channel: message.channel,
            our_address: &message.our_address,
            service: message.service.as_deref(),
            received_at: event.received_at,
            keyword: wish_of_message,
            media_count: i32::try_from(message.media.len()).unwrap_or(i32::MAX),
            replied_sid: message.replied_sid.as_deref(),
            event_id,
            body: &message.body,
            media: serde_json::to_string(&message.media).unwrap_or_else(|_| "[]".to_owned()),
        });
        let contact_id = person.id;
        let is_first = std::mem::take(&mut person.is_new);
        // Whoever stopped hears nothing, and what was fetched is too old to be answered.
        let is_plain = said_nothing && !outdated && wish_of_message.is_none() && message.opt_out_type.is_none();
        if is_plain && !event.fetched && !person.is_blocked() {
            self.heard.push(Heard { contact_id, message, is_first });
        }
        let opted_out = granted.changes.iter().any(|change| change.consent == Consent::OptedOut).then_some(contact_id);
        let confirms = granted.confirms;
        self.granted.extend(granted.changes.into_iter().map(|change| Granted {
            contact_id,
            phone: &message.phone,
            message,
            change,
            confirms,
        }));
        let asks = granted.asks.map(|(topic_id, consent)| Asks { contact_id, topic_id, consent, message });
        self.asks.extend(asks);
        let keywords = self.keywords.entry(contact_id).or_default();
        *keywords += i64::from(wish_of_message.is_some());
        let text = granted
            .answer
            .filter(|answer| answer.is_owed() || *keywords <= answers::AN_HOUR)
            .filter(|_| !event.fetched && is_ours_to_answer(engine, message, confirms))
            .map(|answer: Answer| answer.text());
        let mut opted_out: Vec<ContactId> = opted_out.into_iter().collect();
        if leaves_everything {
            let elsewhere = [Some(&*message.sid), message.replied_sid.as_deref()].into_iter().flatten();
            opted_out.extend(elsewhere.filter_map(|sid| self.stop_addressee(message, sid)));
        }
        self.done.push(Done { twiml: twiml(text.as_deref()), opted_out });
        self.answers.extend(text.map(|text| (contact_id, message, text)));
        true
    }

    /// Opts out, too, who is found under this SID, where they are stored by another number than the writer's.
    fn stop_addressee(&mut self, message: &'a InboundIn, sid: &str) -> Option<ContactId> {
        let phone = self.addressees.get(sid).copied().filter(|phone| **phone != message.phone)?;
        let person = self.people.get_mut(phone)?;
        if person.suppressed && person.consent == Consent::OptedOut {
            return None;
        }
        let changes = person.stop(Answer::OptedOut).changes;
        let contact_id = person.id;
        self.reviews.retain(|review| review.contact_id != contact_id);
        let granted = changes.into_iter().map(|change| Granted { contact_id, phone, message, change, confirms: None });
        self.granted.extend(granted);
        Some(contact_id)
    }

    /// Writes the consent events, each with the words that say so.
    async fn record(&self, engine: &Engine, tx: &Tx, (now, until): (Timestamp, Timestamp)) -> store::Result<()> {
        let keys = &engine.config().keys;
        let mut events = Vec::with_capacity(self.granted.len());
        for Granted { contact_id, phone, message, change, confirms } in &self.granted {
            let words = evidence(message);
            let evidence = seal_words(tx, keys, *contact_id, now, &words).await?;
            events.push(ConsentEvent {
                contact_id: *contact_id,
                topic_id: change.topic_id,
                consent: change.consent,
                source: ConsentSource::Keyword,
                reference: Some(match confirms {
                    Some(question) => format!("{} answers question {question}", message.sid),
                    None => message.sid.clone(),
                }),
                evidence: Some(evidence),
                suppression: suppression(engine, phone, *change),
            });
        }
        let confirmed: BTreeMap<OptInId, &str> =
            self.granted.iter().filter_map(|granted| Some((granted.confirms?, granted.message.sid.as_str()))).collect();
        let confirmed: Vec<(OptInId, &str)> = confirmed.into_iter().collect();
        // Before what is asked anew, and before a STOP withdraws what is left.
        store::opt_ins::confirm(tx, now, &confirmed).await?;
        let asked = self.questions(engine, tx, (now, until)).await?;
        // A wish to be asked comes before a later no of the same batch, which then withdraws the question.
        events.splice(0..0, asked);
        store::consent::record(tx, &recipient(), now, &events).await
    }

    /// Asks those who want a topic that asks back.
    async fn questions(
        &self,
        engine: &Engine,
        tx: &Tx,
        times: (Timestamp, Timestamp),
    ) -> store::Result<Vec<ConsentEvent>> {
        if self.asks.is_empty() {
            return Ok(Vec::new());
        }
        let topics = store::opt_ins::asking(tx).await?;
        let mut events: Vec<ConsentEvent> = Vec::new();
        for Asks { contact_id, topic_id, consent, message } in &self.asks {
            let Some(topic) = topics.iter().find(|topic| topic.id == *topic_id) else { continue };
            let is_theirs = topic.template.is_none_or(|(_, _, channel)| channel == message.channel);
            let sender = if is_theirs {
                store::inbound::sender_at(tx, message.channel, &message.our_address).await?
            } else {
                opt_ins::sender_for(tx, topic).await?
            };
            let words = seal_words(tx, &engine.config().keys, *contact_id, times.0, &evidence(message)).await?;
            // Asked about two topics at once, a person becomes pending once.
            let is_pending = events.iter().any(|event| event.contact_id == *contact_id);
            let person = opt_ins::Person {
                id: *contact_id,
                consent: if is_pending { Consent::Pending } else { *consent },
                reference: Some(message.sid.clone()),
                evidence: Some(words),
            };
            events.extend(opt_ins::ask(tx, times, (topic, sender), ConsentSource::Keyword, vec![person]).await?);
        }
        Ok(events)
    }

    /// Keeps the answers: messages that went out as the answer to the webhook, without a SID.
    async fn confirm(&self, tx: &Tx, now: Timestamp) -> store::Result<()> {
        let mut senders = BTreeMap::<(Channel, &str), Option<SenderId>>::new();
        for (contact_id, message, text) in &self.answers {
            let address = (message.channel, message.our_address.as_str());
            let sender = match senders.get(&address) {
                Some(sender) => *sender,
                None => {
                    let sender = store::inbound::sender_at(tx, address.0, address.1).await?;
                    senders.insert(address, sender);
                    sender
                }
            };
            // Without any sender of the channel there is nothing the message could belong to.
            let Some(sender_id) = sender else { continue };
            let single = NewSingle {
                contact_id: *contact_id,
                sender_id,
                kind: Kind::Confirmation,
                state: State::Accepted,
                campaign_id: None,
                template: None,
                body: Some(text.clone()),
                variables: Attributes::new(),
            };
            store::messages::insert_single(tx, now, &single).await?;
        }
        Ok(())
    }

    /// The people who are opted out now, of everything or of topics, also those who only repeated themselves: the answer to
    /// their first message may have been lost together with what follows from it.
    fn left(&self) -> impl Iterator<Item = Left> {
        self.people.values().flat_map(|person| {
            let everything = (person.consent == Consent::OptedOut).then_some(None);
            let is_left = |(_, state): &(&TopicId, &Subscription)| **state == Subscription::Unsubscribed;
            let topics = person.subscriptions.iter().filter(is_left).map(|(topic, _)| Some(*topic));
            everything.into_iter().chain(topics).map(|topic| (person.id, topic))
        })
    }
}

/// The people who wrote, or are opted out by who did, and are known, locked.
async fn people<'a>(
    tx: &Tx,
    inbound: &[(&'a Event, &'a InboundIn)],
    addressees: &'a BTreeMap<String, Phone>,
) -> store::Result<BTreeMap<&'a Phone, Person>> {
    let writers = inbound.iter().map(|(_, message)| &message.phone);
    let phones: BTreeSet<&Phone> = writers.chain(addressees.values()).collect();
    let list: Vec<&Phone> = phones.iter().copied().collect();
    let known = store::contacts::lock_many(tx, &list).await?;
    let mut people = BTreeMap::new();
    for Stored { id, contact } in known {
        if let Some(phone) = phones.get(&contact.phone) {
            let is_new = contact.last_inbound_at.is_none();
            people.insert(*phone, Person { is_new, ..person(id, contact.consent, contact.suppressed) });
        }
    }
    Ok(people)
}

/// Stores those whom we did not know.
async fn newcomers<'a>(
    engine: &Engine,
    tx: &Tx,
    now: Timestamp,
    phones: BTreeSet<&'a Phone>,
) -> store::Result<BTreeMap<&'a Phone, Person>> {
    let mut people = BTreeMap::new();
    for phone in phones {
        let birth = Birth { phone, attributes: &Attributes::new(), timezone: None, locale: None };
        let born = born(tx, &engine.config().keys, &recipient(), now, birth).await?;
        let consent = if born.suppressed { Consent::OptedOut } else { Consent::Unknown };
        people.insert(phone, Person { is_new: true, ..person(born.id, consent, born.suppressed) });
    }
    Ok(people)
}

const fn person(id: ContactId, consent: Consent, suppressed: bool) -> Person {
    Person {
        id,
        consent,
        suppressed,
        reasons: Vec::new(),
        stopped: false,
        subscriptions: BTreeMap::new(),
        is_new: false,
        waiting: Vec::new(),
    }
}

fn subscriptions(
    id: ContactId,
    present: &BTreeMap<(ContactId, TopicId), (Subscription, ConsentSource)>,
) -> BTreeMap<TopicId, Subscription> {
    present.iter().filter(|((of, _), _)| *of == id).map(|((_, topic), (state, _))| (*topic, *state)).collect()
}

fn recipient() -> Actor {
    Actor::new(ActorKind::Recipient, "inbound message", Role::Viewer)
}

/// Whether we answer keywords here. Not where Twilio has answered already: with Advanced Opt-Out (`OptOutType`), and on
/// SMS, where it handles the base words of every long number by default, but not those of short codes. There is no such
/// handling on WhatsApp. A YES to a question of ours gets our answer too: what Twilio says to YES names no topic.
fn is_ours_to_answer(engine: &Engine, message: &InboundIn, confirms: Option<OptInId>) -> bool {
    let is_long_number = message.channel == Channel::Sms && message.our_address.starts_with('+');
    let handled_by_default = is_long_number && !engine.config().is_simulated();
    let was_answered = handled_by_default && keywords::is_twilios_own(&message.body);
    message.opt_out_type.is_none() && (confirms.is_some() || !was_answered)
}

pub(super) fn suppression(engine: &Engine, phone: &Phone, change: Change) -> SuppressionChange {
    let keys = &engine.config().keys;
    match (change.topic_id, change.consent) {
        (None, Consent::OptedOut) => SuppressionChange::Add {
            phone_hash: keys.suppression_hash(phone.as_str()),
            key_id: keys.current_id().to_owned(),
            reason: SuppressionReason::Stop,
        },
        (None, Consent::OptedIn) => SuppressionChange::Lift { phone_hashes: keys.suppression_hashes(phone.as_str()) },
        _ => SuppressionChange::None,
    }
}
