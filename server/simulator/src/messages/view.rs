//! A message as the API shows it: numbers as strings where Twilio does so, RFC 2822 dates.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::clock::rfc2822;
use crate::errors;
use crate::state::Core;
use crate::status::Status;
use crate::store::{Direction, Message, is_whatsapp};

#[derive(Serialize)]
struct View<'a> {
    body: &'a str,
    num_segments: String,
    direction: &'static str,
    from: Option<&'a str>,
    date_updated: String,
    price: Option<String>,
    error_message: Option<&'static str>,
    uri: String,
    account_sid: &'a str,
    num_media: String,
    to: &'a str,
    date_created: String,
    status: &'static str,
    sid: &'a str,
    date_sent: Option<String>,
    messaging_service_sid: Option<&'a str>,
    error_code: Option<u32>,
    price_unit: &'static str,
    api_version: &'static str,
    subresource_uris: Subresources,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Subresources {
    media: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback: Option<String>,
}

/// The message as a JSON object. The answer of a create does not name the feedback resource, others do.
pub(crate) fn json(core: &Core, account: &str, message: &Message, feedback: bool) -> String {
    let sid = core.minter.sid(message.kind, message.seq);
    let base = format!("/2010-04-01/Accounts/{account}/Messages/{sid}");
    let created = rfc2822(message.created);
    let view = View {
        body: &message.body,
        num_segments: message.segments.to_string(),
        direction: message.direction.as_str(),
        from: message.from.as_deref(),
        date_updated: if message.updated == message.created { created.clone() } else { rfc2822(message.updated) },
        price: price(message),
        error_message: message.error_code.map(errors::text),
        account_sid: account,
        num_media: message.num_media.to_string(),
        to: &message.to,
        date_created: created,
        status: message.status.as_str(),
        sid: &sid,
        date_sent: message.sent.map(rfc2822),
        messaging_service_sid: message.service.as_deref(),
        error_code: message.error_code,
        price_unit: "USD",
        api_version: "2010-04-01",
        subresource_uris: Subresources {
            media: format!("{base}/Media.json"),
            feedback: feedback.then(|| format!("{base}/Feedback.json")),
        },
        tags: message.tags.as_deref().and_then(|tags| serde_json::from_str(tags).ok()),
        uri: format!("{base}.json"),
    };
    // Nothing in a view can fail to serialize.
    serde_json::to_string(&view).unwrap_or_default()
}

/// Filled when the message has been sent, per segment (the numbers mean nothing).
fn price(message: &Message) -> Option<String> {
    let charged = matches!(message.status, Status::Sent | Status::Delivered | Status::Read | Status::Undelivered);
    let per_segment = if is_whatsapp(&message.to) { 500 } else { 750 };
    (charged && message.direction != Direction::Inbound).then(|| {
        let price = per_segment * u32::from(message.segments.max(1));
        format!("-{}.{:05}", price / 100_000, price % 100_000)
    })
}
