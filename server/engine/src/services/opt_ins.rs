//! Double opt-in: a topic may ask back before it subscribes anybody. A wish for it only queues a question; the person's YES
//! while the question waits subscribes them, and nothing else does.

use domain::{
    consent::{Consent, ConsentSource},
    contact::Attributes,
    ids::{ContactId, SenderId},
    message::Channel,
    opt_in::{OptIn, OptInState},
    page::{Page, PageRequest},
    role::Permission,
    time::Timestamp,
};
use store::{
    Tx,
    consent::{ConsentEvent, SuppressionChange},
    opt_ins::{Asked, AskingTopic, Question},
};
use tokio_util::sync::CancellationToken;

use super::settings;
use crate::{
    Actor, Engine, Result,
    bell::Who,
    cursor::{Cursor, page_of, rows_to_ask_for},
    require,
    retry::retrying,
    services::contacts::source_of,
};

/// How often it is looked for questions that have waited long enough.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(30);

/// So many of them are ended in one transaction.
const CHUNK: u32 = 500;

/// See [`Engine::opt_ins`].
pub struct OptIns<'a>(&'a Engine);

impl Engine {
    /// Questions of double opt-ins.
    #[must_use]
    pub const fn opt_ins(&self) -> OptIns<'_> {
        OptIns(self)
    }
}

impl OptIns<'_> {
    /// Questions in one state, newest first.
    ///
    /// # Errors
    /// `Invalid` for a cursor or limit that cannot be used.
    pub async fn list(&self, actor: &Actor, state: OptInState, page: &PageRequest) -> Result<Page<OptIn>> {
        require(actor, Permission::Read)?;
        let limit = rows_to_ask_for(page)?;
        let before = Cursor::read(page, |parts| match parts {
            [id] => id.parse().ok(),
            _ => None,
        })?;
        let rows = store::opt_ins::list(self.0.db().reader(), state, before, limit).await?;
        Ok(page_of(rows, page, |last| Cursor::new([last.id])))
    }

    /// How many wait for an answer.
    ///
    /// # Errors
    /// What the database says.
    pub async fn waiting(&self, actor: &Actor) -> Result<i64> {
        require(actor, Permission::Read)?;
        Ok(store::opt_ins::count_waiting(self.0.db().reader()).await?)
    }

    /// Ends questions that have waited long enough: whoever waited for nothing else is unknown again. Returns how many.
    ///
    /// # Errors
    /// What the database says.
    pub async fn expire(&self) -> Result<u64> {
        let mut ended = 0;
        loop {
            let people = store::opt_ins::overdue(self.0.db().reader(), self.0.now(), CHUNK).await?;
            if people.is_empty() {
                return Ok(ended);
            }
            let now = retrying!(expire(self.0, &people).await)?;
            if now == 0 {
                return Ok(ended);
            }
            ended += now;
        }
    }
}

/// Ends questions on time, until told to stop.
pub(crate) async fn run(engine: Engine, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match engine.opt_ins().expire().await {
            Ok(0) => {}
            Ok(ended) => tracing::info!(ended, "questions of double opt-ins were not answered in time"),
            Err(error) => tracing::error!(%error, "questions of double opt-ins cannot be ended"),
        }
        let _ = tokio::time::timeout(LOOK_EVERY, stop.cancelled()).await;
    }
}

async fn expire(engine: &Engine, people: &[ContactId]) -> Result<u64> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    let pending: Vec<ContactId> = store::contacts::lock_by_ids(&tx, people)
        .await?
        .into_iter()
        .filter(|person| person.contact.consent == Consent::Pending)
        .map(|person| person.id)
        .collect();
    let (ended, questions) = store::opt_ins::expire(&tx, now, people).await?;
    let waiting = store::opt_ins::waiting(&tx, &pending).await?;
    let actor = Actor::worker("double opt-in");
    let events: Vec<ConsentEvent> = pending
        .into_iter()
        .filter(|id| waiting.iter().all(|question| question.contact_id != *id))
        .map(|id| ConsentEvent {
            contact_id: id,
            topic_id: None,
            consent: Consent::Unknown,
            source: source_of(&actor),
            reference: Some("question not answered in time".to_owned()),
            evidence: None,
            suppression: SuppressionChange::None,
        })
        .collect();
    store::consent::record(&tx, &actor, now, &events).await?;
    // Only `unknown` is recorded, which moves no message: these are the first to be locked.
    store::messages::skip_expired(&tx, now, &questions).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(ended)
}

/// A person to be asked, locked.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub id: ContactId,
    /// As it will be when everything else of the transaction is done.
    pub consent: Consent,
    /// Where the wish came from, for the ledger: no personal data.
    pub reference: Option<String>,
    /// The words of the wish, sealed.
    pub evidence: Option<Vec<u8>>,
}

/// Asks people whether they want a topic, those who are asked already excepted, and gives what is to be recorded: that they
/// were. Nobody among them may be opted out or subscribed. Ring the bell after the commit.
///
/// # Errors
/// What the database says.
pub(crate) async fn ask(
    tx: &Tx,
    (now, expires_at): (Timestamp, Timestamp),
    (topic, sender): (&AskingTopic, Option<SenderId>),
    source: ConsentSource,
    people: Vec<Person>,
) -> store::Result<Vec<ConsentEvent>> {
    let ids: Vec<ContactId> = people.iter().map(|person| person.id).collect();
    let waiting = store::opt_ins::waiting(tx, &ids).await?;
    let is_asked =
        |id: ContactId| waiting.iter().any(|question| question.contact_id == id && question.topic_id == topic.id);
    let mut asked: Vec<Asked> = Vec::new();
    let mut events = Vec::new();
    for person in people.into_iter().filter(|person| !is_asked(person.id)) {
        if asked.iter().any(|other| other.contact_id == person.id) {
            continue;
        }
        asked.push(Asked { contact_id: person.id, source });
        let event = ConsentEvent {
            contact_id: person.id,
            topic_id: Some(topic.id),
            consent: Consent::Pending,
            source,
            reference: person.reference,
            evidence: person.evidence,
            suppression: SuppressionChange::None,
        };
        if person.consent == Consent::Unknown {
            events.push(ConsentEvent { topic_id: None, ..event.clone() });
        }
        events.push(event);
    }
    store::opt_ins::ask(tx, now, expires_at, topic.id, &question(topic, sender), &asked).await?;
    Ok(events)
}

/// What is asked about a topic. A template may name it: `{{ topic }}`.
fn question(topic: &AskingTopic, sender_id: Option<SenderId>) -> Question {
    let name = topic.name.clone();
    match topic.template {
        Some((id, version, _)) => Question {
            sender_id,
            template: Some((id, version)),
            body: None,
            variables: Attributes::from_iter([("topic".to_owned(), name.into())]),
        },
        None => Question { sender_id, template: None, body: Some(words(&name)), variables: Attributes::new() },
    }
}

/// The program's own words for the question.
fn words(topic: &str) -> String {
    format!(
        "Do you want to get {topic} from us? Reply YES to confirm. Without a YES you will not get it. \
         Reply STOP to get no messages at all."
    )
}

/// Until when a question that is asked now waits.
///
/// # Errors
/// When the settings cannot be read.
pub(crate) async fn expiry(engine: &Engine, now: Timestamp) -> Result<Timestamp> {
    let days = settings::current(engine).await?.double_opt_in_days;
    Ok(now.plus(i64::from(days) * Timestamp::DAY))
}

/// Where questions about a topic go out from when the person has not written: the default of the template's channel, else of
/// any channel.
///
/// # Errors
/// What the database says.
pub(crate) async fn sender_for(
    db: &impl store::ConnectionTrait,
    topic: &AskingTopic,
) -> store::Result<Option<SenderId>> {
    let channels = topic.template.map_or_else(|| Channel::ALL.to_vec(), |(_, _, channel)| vec![channel]);
    for channel in channels {
        if let Some(found) = store::senders::default_of(db, channel).await? {
            return Ok(Some(found.sender.id));
        }
    }
    Ok(None)
}

/// The topic, when it asks back.
///
/// # Errors
/// What the database says.
pub(crate) async fn asking(db: &impl store::ConnectionTrait, key: &str) -> store::Result<Option<AskingTopic>> {
    Ok(store::opt_ins::asking(db).await?.into_iter().find(|topic| topic.key == key))
}

/// Wakes those who send.
pub(crate) fn ring(engine: &Engine) {
    engine.inner().bell.ring(Who::Senders);
}
