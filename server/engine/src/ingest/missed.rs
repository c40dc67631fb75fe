//! Messages from people that no webhook brought: fetched from Twilio's list, stored as if one had.

use bytes::Bytes;
use domain::{event::WebhookKind, inbound::Media, message::Channel, time::Timestamp};

use super::{
    event::{Content, Event, Form, InboundIn, MEDIA_MAX},
    writer::{self, Group},
};
use crate::{Engine, Result, provider::Received};

/// What Twilio's list calls the time when a message was written. No webhook has it.
const WRITTEN_AT: &str = "DateCreated";

/// A message, and the number of ours that it came to.
#[derive(Clone, Debug)]
pub(crate) struct Missed<'a> {
    pub received: Received,
    pub account_sid: &'a str,
    pub channel: Channel,
    pub our_address: &'a str,
    /// The Messaging Service that the number belongs to, when that is the sender.
    pub service: Option<&'a str>,
    /// The files that came with it, as far as Twilio told of them.
    pub media: Vec<Media>,
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
    if !store::webhook_events::is_kept_raw(engine.db().reader(), sid, "failed").await? {
        writer::keep_raw(engine, event, &error).await?;
    }
    Ok(())
}

fn event(engine: &Engine, missed: &Missed<'_>) -> Event {
    let Missed { received, account_sid, channel, our_address, service, media } = missed;
    let media = files(received.media, media);
    let prefix = if *channel == Channel::Whatsapp { "whatsapp:" } else { "" };
    let form = [
        ("AccountSid", (*account_sid).to_owned()),
        ("MessageSid", received.sid.clone()),
        ("From", format!("{prefix}{}", received.from)),
        ("To", format!("{prefix}{our_address}")),
        ("Body", received.body.clone()),
        ("NumMedia", media.len().to_string()),
    ];
    let service_sid = service.map(|service| ("MessagingServiceSid", service.to_owned()));
    let mut raw = url::form_urlencoded::Serializer::new(String::new());
    raw.extend_pairs(form.into_iter().chain(service_sid));
    for (index, file) in media.iter().enumerate().filter(|(_, file)| !file.url.is_empty()) {
        raw.append_pair(&format!("MediaUrl{index}"), &file.url);
        raw.append_pair(&format!("MediaContentType{index}"), &file.content_type);
    }
    if let Some(at) = received.at {
        raw.append_pair(WRITTEN_AT, &at.to_string());
    }
    let raw = raw.finish();
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
            media,
        }),
    }
}

/// When a fetched message was written, as the form says that is stored of it.
pub(crate) fn written_at(form: &[u8]) -> Option<Timestamp> {
    Form::parse(form).get(WRITTEN_AT)?.parse().ok()
}

/// As many files as the message has. Of those that Twilio did not tell of it is known that they are there, as of those that a
/// webhook counts and does not name.
fn files(count: u32, told: &[Media]) -> Vec<Media> {
    let count = usize::try_from(count).unwrap_or(MEDIA_MAX).max(told.len()).min(MEDIA_MAX);
    let unknown = || Media { url: String::new(), content_type: String::new() };
    told.iter().cloned().chain(std::iter::repeat_with(unknown)).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_when_it_was_written() {
        let at: Timestamp = "2026-11-23T09:00:00Z".parse().unwrap();
        assert_eq!(written_at(b"MessageSid=SM1&DateCreated=2026-11-23T09%3A00%3A00Z"), Some(at));
        assert_eq!(written_at(b"MessageSid=SM1"), None);
    }

    #[test]
    fn files_that_twilio_does_not_tell_of_are_counted() {
        let told = [Media { url: "https://x".to_owned(), content_type: "image/png".to_owned() }];
        let urls = |count, told: &[Media]| files(count, told).into_iter().map(|file| file.url).collect::<Vec<_>>();
        assert_eq!(urls(2, &told), ["https://x", ""]);
        assert_eq!(urls(2, &[]), ["", ""]);
        assert_eq!(urls(1, &told), ["https://x"]);
        assert_eq!((urls(0, &[]).len(), urls(100, &told).len()), (0, MEDIA_MAX));
    }
}
