//! Messages: recipients of runs, single sends, tests.

use domain::{
    actor::ActorKind,
    ids::{ContactId, MessageId, SenderId},
    message::{By, Channel, Kind, Message, MessageFilter, NewMessage, Outcome, State, StepActor},
    page::{Page, PageRequest},
    phone::Phone,
    problem::FieldError,
    reason::Check,
    role::Permission,
    template::MAX_BODY_CHARACTERS,
    time::Timestamp,
};
use serde_json::json;
use store::{Tx, messages::NewSingle, senders::SenderRow};

use crate::{
    Actor, Engine, Error, Result,
    bell::Who,
    cursor::{Cursor, page_of, rows_to_ask_for},
    require,
    retry::retrying,
    services::{
        actors::Names,
        contacts::{Birth, born},
    },
    zones,
};

/// See [`Engine::messages`].
pub struct Messages<'a>(&'a Engine);

impl Engine {
    /// Messages: recipients of runs, single sends, tests.
    #[must_use]
    pub const fn messages(&self) -> Messages<'_> {
        Messages(self)
    }
}

impl Messages<'_> {
    /// Messages, newest first, without their histories.
    ///
    /// # Errors
    /// `Invalid` for a cursor or limit that cannot be used.
    pub async fn list(&self, actor: &Actor, filter: &MessageFilter, page: &PageRequest) -> Result<Page<Message>> {
        require(actor, Permission::Read)?;
        let limit = rows_to_ask_for(page)?;
        let before = Cursor::read(page, |parts| match parts {
            [id] => id.parse().ok(),
            _ => None,
        })?;
        let rows = store::messages::list(self.0.db().reader(), filter, before, limit).await?;
        Ok(page_of(rows, page, |last| Cursor::new([last.id])))
    }

    /// One message with its history and every check of its decisions.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, actor: &Actor, id: MessageId) -> Result<Message> {
        require(actor, Permission::Read)?;
        let db = self.0.db().reader();
        let mut message = store::messages::get(db, id).await.map_err(|error| match error {
            store::Error::NotFound => Error::NotFound { what: "message" },
            other => other.into(),
        })?;
        name_actors(db, &mut message).await?;
        tell_local_times(&mut message);
        tell_waits(&mut message);
        let since = store::callbacks::since(db).await?.map(Timestamp::start_of_month);
        message.callbacks_since = since.filter(|since| message.created_at < *since);
        Ok(message)
    }

    /// Takes one message to one person, who is stored first when new. Whether it may go is decided like any other
    /// message's: one that may not ends `skipped` with its reason.
    ///
    /// # Errors
    /// `Invalid` with the fields to correct, `Conflict` when the channel has no sender.
    pub async fn create(&self, actor: &Actor, new: NewMessage) -> Result<Message> {
        require(actor, Permission::Send)?;
        check(&new)?;
        let message = retrying!(create(self.0, actor, &new).await)?;
        self.0.inner().bell.ring(Who::Senders);
        Ok(message)
    }
}

fn check(new: &NewMessage) -> Result<()> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, message: String| errors.push(FieldError::new(field, message));
    match (&new.template_id, &new.body) {
        (Some(_), Some(_)) => wrong("body", "Give either a template or a text, not both.".to_owned()),
        (None, None) => wrong("body", "Give a template (template_id) or a text (body).".to_owned()),
        (None, Some(body)) if body.trim().is_empty() => wrong("body", "Write a text.".to_owned()),
        (None, Some(body)) if body.chars().count() > MAX_BODY_CHARACTERS => {
            wrong("body", format!("Use at most {MAX_BODY_CHARACTERS} characters."));
        }
        (None, Some(_)) if !new.variables.is_empty() => {
            wrong("variables", "Variables fill a template; a text goes out as it is.".to_owned());
        }
        _ => {}
    }
    Error::unless_valid(errors)
}

/// Says of what was sent where quiet hours bind it when that was by the person's clock.
fn tell_local_times(message: &mut Message) {
    for made in message.decisions.iter_mut().filter(|made| made.outcome == Outcome::Send) {
        let Some(zone) = made.zones.first().and_then(|name| zones::zone(name)) else { continue };
        let window = made.checks.iter_mut().filter(|check| check.check == Check::QuietHours);
        for detail in window.filter_map(|check| check.detail.as_mut()) {
            let local = zones::civil(&zone, made.at).strftime("%a %-d %B %Y, %H:%M");
            *detail = format!("{local} there: {detail}");
        }
    }
}

/// Says in the history until when a message was told to wait by the person's clock; the rules behind it stand with the
/// decision.
fn tell_waits(message: &mut Message) {
    for step in message.history.iter_mut().filter(|step| step.until.is_some()) {
        let told = message.decisions.iter().rev().find(|made| made.until == step.until && made.at <= step.at);
        let check = told.and_then(|made| made.checks.iter().find(|check| check.check == Check::QuietHours));
        let detail = check.and_then(|check| check.detail.as_deref());
        step.detail = detail.and_then(|detail| detail.split("; ").next()).map(str::to_owned);
    }
}

/// Names who made the steps that somebody here made: the audit log knows, by what was done to which entity.
async fn name_actors(db: &impl store::ConnectionTrait, message: &mut Message) -> Result<()> {
    let (id, kind) = (message.id.to_string(), message.kind);
    let campaign = message.campaign_id.map(|id| id.to_string());
    for step in message.history.iter_mut().filter(|step| step.by == By::Admin) {
        let (action, entity) = match (step.state, kind, &campaign) {
            (State::Cancelled, _, Some(campaign)) => ("cancel", ("campaign", campaign.as_str())),
            (_, Kind::Test, Some(campaign)) => ("test", ("campaign", campaign.as_str())),
            (_, Kind::Single, _) => ("send", ("message", id.as_str())),
            _ => continue,
        };
        if let Some((kind, id)) = store::audit::actor_of(db, action, entity, step.at).await? {
            step.actor = Some(StepActor { kind, name: Names::default().of(db, kind, &id).await? });
        }
    }
    Ok(())
}

async fn create(engine: &Engine, actor: &Actor, new: &NewMessage) -> Result<Message> {
    let now = engine.now();
    let tx = engine.begin(actor).await?;
    let (template, channel) = match new.template_id {
        Some(id) => {
            let template = store::templates::find(&tx, id)
                .await?
                .ok_or_else(|| Error::invalid("template_id", "There is no template with this id."))?;
            if new.channel.is_some_and(|channel| channel != template.channel) {
                let text = format!("The template is for {}. Leave the channel out.", template.channel);
                return Err(Error::invalid("channel", text));
            }
            (Some((id, template.version)), Some(template.channel))
        }
        None => (None, new.channel),
    };
    let sender = match new.sender_id {
        Some(id) => named_sender(&tx, id, channel).await?,
        None => default_sender(&tx, channel).await?,
    };
    let contact_id = contact(engine, &tx, actor, &new.phone).await?;
    let single = NewSingle {
        contact_id,
        sender_id: sender.sender.id,
        kind: Kind::Single,
        state: State::Queued,
        campaign_id: None,
        template,
        body: new.body.clone(),
        variables: new.variables.clone(),
    };
    let id = store::messages::insert_single(&tx, now, &single).await?;
    let has_read = actor.kind == ActorKind::Account;
    store::conversations::answered(&tx, contact_id, now, has_read).await?;
    store::audit::append(&tx, actor, now, "send", ("message", &id.to_string()), &json!({})).await?;
    let message = store::messages::get(&tx, id).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(message)
}

/// The sender that was asked for.
async fn named_sender(tx: &Tx, id: SenderId, channel: Option<Channel>) -> Result<SenderRow> {
    let found = match store::senders::get(tx, id).await {
        Err(store::Error::NotFound) => return Err(Error::invalid("sender_id", "There is no sender with this id.")),
        found => found?,
    };
    let sender = &found.sender;
    if channel.is_some_and(|channel| channel != sender.channel) {
        let text = format!("“{}” sends by {}. Choose a sender of the message's channel.", sender.name, sender.channel);
        return Err(Error::invalid("sender_id", text));
    }
    if !sender.enabled {
        let text = format!("“{}” is disabled. Enable it on the Senders page, or choose another one.", sender.name);
        return Err(Error::invalid("sender_id", text));
    }
    Ok(found)
}

/// The default sender of the channel; without a channel WhatsApp's, else that of SMS.
async fn default_sender(tx: &Tx, channel: Option<Channel>) -> Result<SenderRow> {
    let channels = channel.map_or_else(|| Channel::ALL.to_vec(), |channel| vec![channel]);
    for channel in &channels {
        if let Some(sender) = store::senders::default_of(tx, *channel).await? {
            return Ok(sender);
        }
    }
    let names: Vec<&str> = channels.iter().map(|channel| channel.as_str()).collect();
    Err(Error::Conflict(format!("There is no sender for {}. Add one on the Senders page.", names.join(" or "))))
}

/// The person with this number, stored first when new: so that the suppression list is asked.
///
/// # Errors
/// What the database says.
pub(super) async fn contact(engine: &Engine, tx: &Tx, actor: &Actor, phone: &Phone) -> Result<ContactId> {
    // Locked: whoever is erased meanwhile gets no new message.
    if let Some(found) = store::contacts::lock(tx, phone).await? {
        return Ok(found.id);
    }
    let birth = Birth { phone, attributes: &serde_json::Map::new(), timezone: None, locale: None };
    match born(tx, &engine.config().keys, actor, engine.now(), birth).await {
        Ok(born) => Ok(born.id),
        Err(store::Error::Duplicate(_)) => {
            Err(Error::Conflict("This number is being stored by somebody else right now. Try again.".to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}
