//! Messages from people that no webhook brought: fetched from Twilio's list, stored as if one had.

use bytes::Bytes;
use domain::{event::WebhookKind, message::Channel};

use super::{
    event::{Content, Event, InboundIn},
    writer::{self, Group},
};
use crate::{Engine, Result, provider::Received};

/// A message, and the number of ours that it came to.
#[derive(Clone, Debug)]
pub(crate) struct Missed<'a> {
    pub received: Received,
    pub account_sid: &'a str,
    pub channel: Channel,
    pub our_address: &'a str,
    /// The Messaging Service that the number belongs to, when that is the sender.
    pub service: Option<&'a str>,
}

/// Stores them in one transaction, with everything that follows from them; those that are stored already change nothing.
/// Nobody is answered: they wrote a while ago. One that cannot be stored as what it is is kept raw, as a webhook is.
///
/// # Errors
/// When the database is not to be had.
pub(crate) async fn store_missed(engine: &Engine, missed: &[Missed<'_>]) -> Result<()> {
    let events: Vec<Event> = missed.iter().map(|missed| event(engine, missed)).collect();
    let together: Vec<&Event> = events.iter().collect();
    match writer::store_patiently(engine, Group::Inbound, &together).await {
        Ok(_) => Ok(()),
        Err(error) if writer::is_away(&error) => Err(error.into()),
        Err(error) => {
            // One of them is the reason. The others, and who waits for the list, must not suffer for it.
            tracing::warn!(%error, events = events.len(), "fetched messages cannot be stored; trying one by one");
            for (event, missed) in events.iter().zip(missed) {
                store_alone(engine, event, &missed.received.sid).await?;
            }
            Ok(())
        }
    }
}

async fn store_alone(engine: &Engine, event: &Event, sid: &str) -> Result<()> {
    let Err(error) = writer::store_patiently(engine, Group::Inbound, &[event]).await else { return Ok(()) };
    if writer::is_away(&error) {
        return Err(error.into());
    }
    // The list is read again and again: each time it is tried, for it may be a STOP, but it is kept raw once.
    if !store::webhook_events::is_kept_raw(engine.db().reader(), sid).await? {
        writer::keep_raw(engine, event, &error).await?;
    }
    Ok(())
}

fn event(engine: &Engine, missed: &Missed<'_>) -> Event {
    let Missed { received, account_sid, channel, our_address, service } = missed;
    let prefix = if *channel == Channel::Whatsapp { "whatsapp:" } else { "" };
    let form = [
        ("AccountSid", (*account_sid).to_owned()),
        ("MessageSid", received.sid.clone()),
        ("From", format!("{prefix}{}", received.from)),
        ("To", format!("{prefix}{our_address}")),
        ("Body", received.body.clone()),
        ("NumMedia", "0".to_owned()),
    ];
    let service_sid = service.map(|service| ("MessagingServiceSid", service.to_owned()));
    let form = form.into_iter().chain(service_sid);
    let raw = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    Event {
        received_at: received.at.unwrap_or_else(|| engine.now()),
        kind: WebhookKind::Inbound,
        raw: Bytes::from(raw),
        idempotency_token: None,
        account_sid: Some((*account_sid).to_owned()),
        fetched: true,
        content: Content::Inbound(InboundIn {
            sid: received.sid.clone(),
            phone: received.from.clone(),
            channel: *channel,
            our_address: (*our_address).to_owned(),
            service: service.map(str::to_owned),
            body: received.body.replace('\0', "\u{fffd}"),
            button: None,
            opt_out_type: None,
            replied_sid: None,
            media: Vec::new(),
        }),
    }
}
