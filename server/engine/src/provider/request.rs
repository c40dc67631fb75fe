//! The form of `POST /Messages.json`.

use domain::{ids::MessageId, message::Channel, phone::Phone};

use crate::{decide::Content, phone::canonical};

/// One message, ready to be handed over.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    pub id: MessageId,
    pub attempt: i16,
    pub to: &'a Phone,
    pub channel: Channel,
    /// The sender's number, or a Messaging Service (`MG…`).
    pub from: &'a str,
    pub content: &'a Content,
    /// Seconds after which the provider had better not send it any more; SMS only.
    pub valid_for: Option<i64>,
}

/// How long Twilio keeps a message by itself, in seconds: the longest it takes as a limit.
pub(crate) const KEPT_FOR: i64 = 36_000;

/// Asks Twilio to repeat a callback up to three times when we do not answer, or answer that we are overloaded; its
/// default is once, and only when there is no connection.
const CALLBACK_RETRIES: &str = "#rc=3&rp=ct,rt,5xx";

/// What a number's webhook for incoming messages is set to in Twilio's console. What follows the `#` stays with Twilio.
pub(crate) fn inbound_webhook(public_url: &str) -> String {
    format!("{public_url}/webhooks/twilio/inbound{CALLBACK_RETRIES}")
}

pub(super) fn form(message: &Outgoing<'_>, public_url: &str) -> Vec<(&'static str, String)> {
    let mut form = vec![("To", address(message.channel, message.to.as_str()))];
    if message.from.starts_with("MG") {
        form.push(("MessagingServiceSid", message.from.to_owned()));
    } else {
        form.push(("From", address(message.channel, message.from)));
    }
    match &message.content.content {
        Some((sid, variables)) => {
            form.push(("ContentSid", sid.clone()));
            form.push(("ContentVariables", variables.clone()));
        }
        None => {
            form.push(("Body", message.content.text.clone()));
            form.extend(message.content.media_url.clone().map(|url| ("MediaUrl", url)));
        }
    }
    // Whether it shortens WhatsApp's queue is not documented.
    if let Some(seconds) = message.valid_for.filter(|seconds| message.channel == Channel::Sms && *seconds < KEPT_FOR) {
        form.push(("ValidityPeriod", seconds.max(1).to_string()));
    }
    let callback =
        format!("{public_url}/webhooks/twilio/status?m={}&a={}{CALLBACK_RETRIES}", message.id, message.attempt);
    form.push(("StatusCallback", callback));
    form
}

pub(super) fn address(channel: Channel, number: &str) -> String {
    match channel {
        Channel::Whatsapp => format!("whatsapp:{number}"),
        Channel::Sms => number.to_owned(),
    }
}

/// An address as Twilio gives it, without its channel's prefix. RCS is the other way to write to the number that gets SMS: to
/// Twilio an opt-out on one of the two holds for both.
pub(crate) fn without_channel(text: &str) -> (Channel, &str) {
    let text = text.trim();
    match text.strip_prefix("whatsapp:") {
        Some(number) => (Channel::Whatsapp, number),
        None => (Channel::Sms, text.strip_prefix("rcs:").unwrap_or(text)),
    }
}

/// The person whose address this is, by the number they are stored by. None without a number: who has a user name may hide
/// it, and there is nobody to tell apart then.
pub(crate) fn person_at(address: &str) -> Option<(Channel, Phone)> {
    let (channel, number) = without_channel(address);
    Some((channel, canonical(number.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(channel: Channel, from: &str, content: &Content) -> Vec<(&'static str, String)> {
        let to = "+14155550100".parse().expect("a phone");
        form(
            &Outgoing { id: MessageId(7), attempt: 2, to: &to, channel, from, content, valid_for: Some(60) },
            "https://ese.example",
        )
    }

    #[test]
    fn a_person_is_known_by_the_number_on_every_channel() {
        let person = |address| person_at(address).map(|(channel, phone)| (channel, phone.to_string()));
        let number = "+14155550100".to_owned();
        assert_eq!(person("whatsapp:+14155550100"), Some((Channel::Whatsapp, number.clone())));
        assert_eq!(person("rcs:+14155550100"), Some((Channel::Sms, number.clone())));
        assert_eq!(person(" +14155550100"), Some((Channel::Sms, number)));
        let mexican = Some((Channel::Whatsapp, "+522221234563".to_owned()));
        assert_eq!(person("whatsapp:+5212221234563"), mexican, "as it is stored");
        for nobody in ["whatsapp:US.123", "messenger:1415", "rcs:agent", ""] {
            assert_eq!(person(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn free_text_from_a_number() {
        let content =
            Content { text: "Hi".to_owned(), content: None, media_url: Some("https://ese.example/a.png".to_owned()) };
        let expected = [
            ("To", "whatsapp:+14155550100"),
            ("From", "whatsapp:+15005550006"),
            ("Body", "Hi"),
            ("MediaUrl", "https://ese.example/a.png"),
            ("StatusCallback", "https://ese.example/webhooks/twilio/status?m=7&a=2#rc=3&rp=ct,rt,5xx"),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        assert_eq!(fields(Channel::Whatsapp, "+15005550006", &content), expected);
    }

    #[test]
    fn a_content_template_from_a_messaging_service_carries_no_body() {
        let content = Content {
            text: "Hi Ana".to_owned(),
            content: Some(("HX1".to_owned(), r#"{"1":"Ana"}"#.to_owned())),
            media_url: None,
        };
        let form = fields(Channel::Sms, "MG1", &content);
        let names: Vec<_> = form.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            ["To", "MessagingServiceSid", "ContentSid", "ContentVariables", "ValidityPeriod", "StatusCallback"]
        );
        assert_eq!(form[0].1, "+14155550100");
    }
}
