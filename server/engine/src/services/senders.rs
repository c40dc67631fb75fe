//! Senders: the numbers and Messaging Services that messages go out from.

use domain::{
    ids::SenderId,
    message::Channel,
    phone::Phone,
    problem::FieldError,
    role::Permission,
    sender::{NewSender, Sender, SenderHealth, SenderPatch},
    time::Timestamp,
};
use serde_json::json;
use store::Tx;

use super::{processes, provider_accounts, stale::stale};
use crate::{
    Actor, Engine, Error, Result, bell::Who, config::FirstSender, provider::inbound_webhook, require, retry::retrying,
};

const NAME_MAX: usize = 100;
const REASON_MAX: usize = 500;

/// See [`Engine::senders`].
pub struct Senders<'a>(&'a Engine);

impl Engine {
    /// Senders: the numbers and Messaging Services that messages go out from.
    #[must_use]
    pub const fn senders(&self) -> Senders<'_> {
        Senders(self)
    }
}

fn sender_or<T>(result: store::Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        store::Error::NotFound => Error::NotFound { what: "sender" },
        other => other.into(),
    })
}

impl Senders<'_> {
    /// All senders, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<Sender>> {
        require(actor, Permission::Read)?;
        let rows = store::senders::list(self.0.db().reader()).await?;
        Ok(rows.into_iter().map(|row| row.sender).collect())
    }

    /// One sender.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, actor: &Actor, id: SenderId) -> Result<Sender> {
        require(actor, Permission::Read)?;
        Ok(sender_or(store::senders::get(self.0.db().reader(), id).await)?.sender)
    }

    /// What every number's webhook for incoming messages is to be set to in Twilio's console.
    #[must_use]
    pub fn inbound_webhook(&self) -> String {
        inbound_webhook(&self.0.config().public_url)
    }

    /// All senders, oldest first, and how they are doing: the pace of all processes, and what waits.
    ///
    /// # Errors
    /// What the database says.
    pub async fn health(&self, actor: &Actor) -> Result<Vec<SenderHealth>> {
        require(actor, Permission::Read)?;
        let db = self.0.db().reader();
        let accounts = provider_accounts::current(self.0).await?;
        let waiting = store::senders::waiting(db).await?;
        let paces = processes::paces(self.0).await?;
        let rows = store::senders::list(db).await?.into_iter();
        let health = rows.map(|row| SenderHealth {
            account: accounts.get(&row.sender.account_sid).map(|account| account.name().to_owned()),
            per_second: paces.senders.get(&row.sender.id).copied().unwrap_or(0.0),
            slowed: paces.slowed.get(&row.sender.id).copied(),
            waiting: waiting.get(&row.sender.id).copied().unwrap_or(0),
            blocked_because: row
                .sender
                .blocked
                .as_ref()
                .map(|blocked| self.0.error_codes().explain(blocked.code).meaning),
            sender: row.sender,
        });
        Ok(health.collect())
    }

    /// Adds a number or a Messaging Service. The first one of a channel is its default.
    ///
    /// # Errors
    /// `Invalid` with the fields to correct, `Conflict` naming the sender that has this address already.
    pub async fn create(&self, actor: &Actor, new: NewSender) -> Result<Sender> {
        require(actor, Permission::Administer)?;
        let new = checked(new)?;
        let sender = retrying!(create(self.0, actor, &new).await)?;
        self.0.inner().bell.ring(Who::Senders);
        Ok(sender)
    }

    /// Changes a sender: its name, its rate, its account, whether it is used, whether it is the channel's default, whether
    /// it is held. A new rate holds from the next grant on; holding and disabling are in effect in every process within a
    /// second, also for what is claimed already.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` with the fields to correct; `Stale`; `Conflict` for another account while messages are on
    /// their way out.
    pub async fn update(&self, actor: &Actor, id: SenderId, patch: SenderPatch) -> Result<Sender> {
        require(actor, Permission::Administer)?;
        Error::unless_valid(problems(&patch))?;
        let sender = retrying!(update(self.0, actor, id, &patch).await)?;
        self.0.inner().bell.ring(Who::Senders);
        Ok(sender)
    }
}

fn checked(new: NewSender) -> Result<NewSender> {
    let new = NewSender {
        name: new.name.trim().to_owned(),
        address: new.address.trim().to_owned(),
        account_sid: new.account_sid.map(|sid| sid.trim().to_owned()).filter(|sid| !sid.is_empty()),
        ..new
    };
    let mut errors = Vec::new();
    check_name(&new.name, &mut errors);
    if !is_address(&new.address) {
        let message = if new.address.starts_with("whatsapp:") {
            "Write the number alone, without whatsapp: before it; the channel says which it is."
        } else {
            "Give a number such as +15005550006, or a Messaging Service (MG and 32 hexadecimal digits)."
        };
        errors.push(FieldError::new("address", message));
    }
    if let Some(rate) = new.rate_per_second {
        check_rate(rate, &mut errors);
    }
    if new.default && !new.enabled {
        errors.push(FieldError::new("default", DISABLED_DEFAULT));
    }
    Error::unless_valid(errors)?;
    Ok(new)
}

const DISABLED_DEFAULT: &str = "A disabled sender cannot become the default: enable it too.";

fn problems(patch: &SenderPatch) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(name) = &patch.name {
        check_name(name.trim(), &mut errors);
    }
    if let Some(rate) = patch.rate_per_second {
        check_rate(rate, &mut errors);
    }
    if let Some(Some(reason)) = &patch.held {
        check_reason(reason.trim(), &mut errors);
    }
    errors
}

fn check_name(name: &str, errors: &mut Vec<FieldError>) {
    if name.is_empty() {
        errors.push(FieldError::new("name", "Give the sender a name."));
    } else if name.chars().count() > NAME_MAX || name.contains('\0') {
        errors.push(FieldError::new("name", format!("Use at most {NAME_MAX} characters.")));
    }
}

fn check_rate(rate: i32, errors: &mut Vec<FieldError>) {
    if rate < 1 {
        let message = "At least 1 message a second; hold or disable the sender to stop it.";
        errors.push(FieldError::new("rate_per_second", message));
    }
}

fn check_reason(reason: &str, errors: &mut Vec<FieldError>) {
    if reason.is_empty() {
        let message = "Say why the sender is held: others will want to know. Null releases it.";
        errors.push(FieldError::new("held", message));
    } else if reason.chars().count() > REASON_MAX || reason.contains('\0') {
        errors.push(FieldError::new("held", format!("Use at most {REASON_MAX} characters.")));
    }
}

async fn create(engine: &Engine, actor: &Actor, new: &NewSender) -> Result<Sender> {
    let config = engine.config();
    let now = engine.now();
    let tx = engine.begin(actor).await?;
    // Before anything else: two that are added to a channel at once come one after the other.
    let has_default = store::senders::lock_channel(&tx, new.channel).await?;
    unless_taken(&tx, new).await?;
    let account_sid = new.account_sid.clone().unwrap_or_else(|| config.provider.account_sid.clone());
    provider_accounts::must_exist(engine, &tx, &account_sid).await?;
    let sender = Sender {
        id: SenderId(engine.new_uuid()),
        name: new.name.clone(),
        channel: new.channel,
        address: new.address.clone(),
        account_sid,
        rate_per_second: new.rate_per_second.unwrap_or(config.first_sender.rate_per_second),
        enabled: new.enabled,
        default: new.default || !has_default,
        held: None,
        blocked: None,
        version: 1,
    };
    if sender.default {
        take_default(&tx, actor, now, sender.channel).await?;
    }
    match store::senders::insert(&tx, now, &sender).await {
        Ok(true) => {}
        Ok(false) | Err(store::Error::Duplicate(_)) => {
            let text = "Somebody else is adding a sender to this channel right now. Look at the list and try again.";
            return Err(Error::Conflict(text.to_owned()));
        }
        Err(error) => return Err(error.into()),
    }
    let detail = json!({
        "channel": sender.channel,
        "address": sender.address,
        "account_sid": sender.account_sid,
        "default": sender.default,
    });
    audit(&tx, actor, now, ("create", sender.id), &detail).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(sender)
}

/// `Err(Conflict)` naming the sender that has this address.
async fn unless_taken(tx: &Tx, new: &NewSender) -> Result<()> {
    let Some(there) = store::senders::by_address(tx, new.channel, &new.address).await? else { return Ok(()) };
    let text = format!("The sender “{}” has the address {} already: change that one.", there.sender.name, new.address);
    Err(Error::Conflict(text))
}

/// Takes the mark from the channel's default.
async fn take_default(tx: &Tx, actor: &Actor, now: Timestamp, channel: Channel) -> Result<()> {
    if let Some(former) = store::senders::take_default(tx, now, channel).await? {
        audit(tx, actor, now, ("update", former), &json!({ "default": false })).await?;
    }
    Ok(())
}

async fn audit(
    tx: &Tx,
    actor: &Actor,
    now: Timestamp,
    (action, id): (&str, SenderId),
    detail: &serde_json::Value,
) -> Result<()> {
    Ok(store::audit::append(tx, actor, now, action, ("sender", &id.to_string()), detail).await?)
}

async fn update(engine: &Engine, actor: &Actor, id: SenderId, patch: &SenderPatch) -> Result<Sender> {
    let now = engine.now();
    let tx = engine.begin(actor).await?;
    if patch.default == Some(true) {
        // All of the channel in one order: of two that become the default at once, one comes after the other.
        let channel = sender_or(store::senders::get(&tx, id).await)?.sender.channel;
        store::senders::lock_channel(&tx, channel).await?;
    }
    let former = sender_or(store::senders::lock(&tx, id).await)?.sender;
    if patch.version.is_some_and(|read| read != former.version) {
        return Err(stale(patch, &former));
    }
    let sender = patched(&former, patch)?;
    if sender == former {
        return Ok(former);
    }
    if sender.account_sid != former.account_sid {
        may_move(engine, &tx, &former, &sender.account_sid).await?;
    }
    if sender.default && !former.default {
        take_default(&tx, actor, now, sender.channel).await?;
    }
    store::senders::update(&tx, now, &sender).await?;
    audit_changes(&tx, actor, now, &former, &sender).await?;
    let sender = store::senders::get(&tx, id).await?.sender;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(sender)
}

/// The sender with the patch applied.
fn patched(former: &Sender, patch: &SenderPatch) -> Result<Sender> {
    let held = patch.held.as_ref().map(|reason| reason.as_deref().map(|reason| reason.trim().to_owned()));
    let sender = Sender {
        name: patch.name.as_ref().map_or_else(|| former.name.clone(), |name| name.trim().to_owned()),
        rate_per_second: patch.rate_per_second.unwrap_or(former.rate_per_second),
        enabled: patch.enabled.unwrap_or(former.enabled),
        default: patch.default.unwrap_or(former.default),
        held: held.unwrap_or_else(|| former.held.clone()),
        account_sid: patch.account_sid.as_ref().map_or_else(|| former.account_sid.clone(), |sid| sid.trim().to_owned()),
        ..former.clone()
    };
    if former.default && !sender.default {
        return Err(Error::invalid(
            "default",
            "A channel always has a default: make another sender the default instead.",
        ));
    }
    if sender.default && !former.default && !sender.enabled {
        return Err(Error::invalid("default", DISABLED_DEFAULT));
    }
    Ok(sender)
}

/// A sender changes its account only while nothing goes out from it and nothing is left that only its former account can
/// answer for: a message that the new one does not know would be taken for never sent.
async fn may_move(engine: &Engine, tx: &Tx, former: &Sender, account_sid: &str) -> Result<()> {
    provider_accounts::must_exist(engine, tx, account_sid).await?;
    if former.enabled && former.held.is_none() {
        let text = "Hold or disable the sender before it changes its account.";
        return Err(Error::Conflict(text.to_owned()));
    }
    if store::senders::has_open_messages(tx, former.id).await? {
        let text = "Messages of this sender are on their way out, or it is not known yet what became of them. Change its \
                    account when they are settled.";
        return Err(Error::Conflict(text.to_owned()));
    }
    Ok(())
}

/// Holding and releasing are lines of their own: they are what one looks for.
async fn audit_changes(tx: &Tx, actor: &Actor, now: Timestamp, former: &Sender, sender: &Sender) -> Result<()> {
    let id = sender.id;
    match (&former.held, &sender.held) {
        (before, Some(reason)) if before.as_ref() != Some(reason) => {
            audit(tx, actor, now, ("hold_sending", id), &json!({ "reason": reason })).await?;
        }
        (Some(_), None) => audit(tx, actor, now, ("release_sending", id), &json!({})).await?,
        _ => {}
    }
    let but_for_holding = Sender { held: sender.held.clone(), ..former.clone() };
    if but_for_holding != *sender {
        let detail = json!({
            "name": sender.name,
            "rate_per_second": sender.rate_per_second,
            "enabled": sender.enabled,
            "default": sender.default,
            "account_sid": sender.account_sid,
        });
        audit(tx, actor, now, ("update", id), &detail).await?;
    }
    Ok(())
}

/// Makes the first sender from the configuration when there is none. The simulator takes both channels, so there each
/// gets one.
///
/// # Errors
/// `Invalid` for an address that is none; what the database says.
pub(crate) async fn ensure_first(engine: &Engine) -> Result<()> {
    let config = engine.config();
    let now = engine.now();
    let tx = engine.db().begin().await?;
    if !store::senders::list(&tx).await?.is_empty() {
        return Ok(());
    }
    let first = first(engine, &config.first_sender)?;
    let other = match first.channel {
        Channel::Whatsapp => Channel::Sms,
        Channel::Sms => Channel::Whatsapp,
    };
    let twin = config.is_simulated().then(|| Sender {
        id: SenderId(engine.new_uuid()),
        name: name(other, &first.address),
        channel: other,
        ..first.clone()
    });
    for sender in [Some(first), twin].into_iter().flatten() {
        // Two processes may start at once: one of them makes it.
        let inserted = match store::senders::insert(&tx, now, &sender).await {
            Err(store::Error::Duplicate(_)) => return Ok(()),
            other => other?,
        };
        if inserted {
            let detail = json!({ "channel": sender.channel, "address": sender.address });
            audit(&tx, &Actor::worker("start"), now, ("create", sender.id), &detail).await?;
        }
    }
    tx.commit().await.map_err(store::Error::from)?;
    Ok(())
}

fn first(engine: &Engine, first: &FirstSender) -> Result<Sender> {
    let (channel, address) = parse(&first.address)?;
    Ok(Sender {
        id: SenderId(engine.new_uuid()),
        name: name(channel, &address),
        channel,
        address,
        account_sid: engine.config().provider.account_sid.clone(),
        rate_per_second: first.rate_per_second.max(1),
        enabled: true,
        default: true,
        held: None,
        blocked: None,
        version: 1,
    })
}

fn name(channel: Channel, address: &str) -> String {
    let channel = match channel {
        Channel::Whatsapp => "WhatsApp",
        Channel::Sms => "SMS",
    };
    format!("{channel} {address}")
}

/// The channel and address of `+…`, `whatsapp:+…`, `MG…` or `whatsapp:MG…`.
fn parse(text: &str) -> Result<(Channel, String)> {
    let (channel, address) = match text.trim().strip_prefix("whatsapp:") {
        Some(address) => (Channel::Whatsapp, address),
        None => (Channel::Sms, text.trim()),
    };
    if is_address(address) {
        return Ok((channel, address.to_owned()));
    }
    Err(Error::invalid(
        "TWILIO_FROM",
        "Give a number such as +15005550006 or whatsapp:+15005550006, or a Messaging Service (MG and 32 digits).",
    ))
}

/// Whether this is a number, or a Messaging Service.
fn is_address(text: &str) -> bool {
    let service = text.strip_prefix("MG");
    service.is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
        || text.parse::<Phone>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_tells_the_channel() {
        let service = format!("MG{}", "0".repeat(32));
        assert_eq!(parse("whatsapp:+15005550006").unwrap(), (Channel::Whatsapp, "+15005550006".to_owned()));
        assert_eq!(parse("+15005550006").unwrap(), (Channel::Sms, "+15005550006".to_owned()));
        assert_eq!(parse(&service).unwrap(), (Channel::Sms, service.clone()));
        for bad in ["", "whatsapp:", "15005550006", "MG1", "ABC"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    fn sender() -> Sender {
        Sender {
            id: SenderId(uuid::Uuid::from_u128(1)),
            name: "One".to_owned(),
            channel: Channel::Sms,
            address: "+15005550006".to_owned(),
            account_sid: "AC1".to_owned(),
            rate_per_second: 80,
            enabled: true,
            default: true,
            held: Some("checking".to_owned()),
            blocked: None,
            version: 3,
        }
    }

    #[test]
    fn only_what_a_patch_names_changes() {
        let patch = SenderPatch { name: Some(" Two ".to_owned()), ..SenderPatch::default() };
        assert_eq!(patched(&sender(), &patch).unwrap(), Sender { name: "Two".to_owned(), ..sender() });
        let release = SenderPatch { held: Some(None), ..SenderPatch::default() };
        assert_eq!(patched(&sender(), &release).unwrap(), Sender { held: None, ..sender() });
    }

    #[test]
    fn a_channel_keeps_a_default_that_works() {
        let none = SenderPatch { default: Some(false), ..SenderPatch::default() };
        assert!(matches!(patched(&sender(), &none), Err(Error::Invalid(errors)) if errors[0].field == "default"));
        let other = Sender { default: false, enabled: false, ..sender() };
        let mark = SenderPatch { default: Some(true), ..SenderPatch::default() };
        assert!(matches!(patched(&other, &mark), Err(Error::Invalid(errors)) if errors[0].field == "default"));
        let both = SenderPatch { enabled: Some(true), ..mark };
        assert!(patched(&other, &both).unwrap().default);
    }

    #[test]
    fn every_wrong_field_is_named() {
        let new = NewSender {
            name: " ".to_owned(),
            channel: Channel::Whatsapp,
            address: "whatsapp:+15005550006".to_owned(),
            rate_per_second: Some(0),
            enabled: false,
            default: true,
            account_sid: None,
        };
        let Err(Error::Invalid(errors)) = checked(new) else { panic!("wrong in every way") };
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["name", "address", "rate_per_second", "default"]);
        let patch = SenderPatch {
            name: Some(String::new()),
            rate_per_second: Some(-1),
            held: Some(Some(" ".to_owned())),
            ..SenderPatch::default()
        };
        let fields: Vec<_> = problems(&patch).into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["name", "rate_per_second", "held"]);
    }
}
