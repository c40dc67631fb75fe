//! Senders: the numbers and Messaging Services that messages go out from.

use domain::{
    ids::SenderId,
    message::Channel,
    problem::FieldError,
    role::Permission,
    sender::{Sender, SenderPatch},
};
use serde_json::json;

use crate::{Actor, Engine, Error, Result, config::FirstSender, require};

/// See [`Engine::senders`].
pub struct Senders<'a>(&'a Engine);

impl Engine {
    /// Senders: the numbers and Messaging Services that messages go out from.
    #[must_use]
    pub const fn senders(&self) -> Senders<'_> {
        Senders(self)
    }
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

    /// Changes a sender's name, rate or whether it is used. A new rate holds from the next grant on.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for an empty name or a rate below 1.
    pub async fn update(&self, actor: &Actor, id: SenderId, patch: SenderPatch) -> Result<Sender> {
        require(actor, Permission::Administer)?;
        let mut errors = Vec::new();
        if patch.name.as_deref().is_some_and(|name| name.trim().is_empty()) {
            errors.push(FieldError::new("name", "Give the sender a name."));
        }
        if patch.rate_per_second.is_some_and(|rate| rate < 1) {
            errors.push(FieldError::new(
                "rate_per_second",
                "At least 1 message a second; disable the sender to stop it.",
            ));
        }
        Error::unless_valid(errors)?;
        let tx = self.0.begin(actor).await?;
        let mut sender = store::senders::lock(&tx, id)
            .await
            .map_err(|error| match error {
                store::Error::NotFound => Error::NotFound { what: "sender" },
                other => other.into(),
            })?
            .sender;
        sender.name = patch.name.unwrap_or(sender.name);
        sender.rate_per_second = patch.rate_per_second.unwrap_or(sender.rate_per_second);
        sender.enabled = patch.enabled.unwrap_or(sender.enabled);
        store::senders::update(&tx, self.0.now(), &sender).await?;
        let detail = json!({"rate_per_second": sender.rate_per_second, "enabled": sender.enabled});
        store::audit::append(&tx, actor, self.0.now(), "update", ("sender", &id.to_string()), &detail).await?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(sender)
    }
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
        if store::senders::insert(&tx, now, &sender, &config.provider.account_sid).await? {
            let detail = json!({ "channel": sender.channel, "address": sender.address });
            let entity = ("sender", &*sender.id.to_string());
            store::audit::append(&tx, &Actor::worker("start"), now, "create", entity, &detail).await?;
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
        rate_per_second: first.rate_per_second.max(1),
        enabled: true,
        default: true,
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
    let service =
        address.strip_prefix("MG").is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    if service || address.parse::<domain::phone::Phone>().is_ok() {
        return Ok((channel, address.to_owned()));
    }
    Err(Error::invalid(
        "TWILIO_FROM",
        "Give a number such as +15005550006 or whatsapp:+15005550006, or a Messaging Service (MG and 32 digits).",
    ))
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
}
