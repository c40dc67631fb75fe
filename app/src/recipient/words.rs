//! Codes and times of the recipient's page in words, said to the person.

use domain::{
    consent::{Consent, ConsentSource},
    message::{Channel, Kind},
    recipient::{Given, Preferences},
    time::Timestamp,
};
use serde_json::Value;

use crate::components::format;

/// So many details are listed; the file has all.
const DETAILS: usize = 60;
/// The longest detail that is listed whole, in characters.
const LONG: usize = 200;

fn day(shown: &Preferences, at: Timestamp) -> String {
    format::day(at, shown.offset_minutes)
}

const fn channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Whatsapp => "WhatsApp",
        Channel::Sms => "text message",
    }
}

/// Who ends the silence, and how.
pub fn start(shown: &Preferences) -> String {
    if shown.stopped && !shown.start_lifts {
        return "We have put your number on a list that gets no messages. To change that, please write to us."
            .to_owned();
    }
    match &shown.write_to {
        Some((by, number)) => format!(
            "To get messages, send START to {} by {}. Only that turns them on.",
            format::phone(number),
            channel(*by)
        ),
        None => "To get messages, reply START to any message from us. Only that turns them on.".to_owned(),
    }
}

/// The message, the topic and the consent, a sentence each.
pub fn why(shown: &Preferences) -> Vec<String> {
    let mut lines = Vec::new();
    match &shown.why {
        Some(why) => {
            let sent = match (why.kind, &why.campaign) {
                (Kind::Campaign, Some(name)) => format!("The message was part of our campaign “{name}”"),
                (Kind::Test, Some(name)) => format!("The message was a test of our campaign “{name}”"),
                (Kind::Campaign | Kind::Test, None) => "The message was part of a campaign".to_owned(),
                (Kind::Single | Kind::Confirmation | Kind::Question | Kind::AutoReply, _) => {
                    "The message was written to you alone".to_owned()
                }
            };
            let about = why.topic.as_ref().map(|topic| format!(", about {topic}")).unwrap_or_default();
            lines.push(format!("{sent}{about}, of {}, by {}.", day(shown, why.at), channel(why.channel)));
            let topic = shown.topics.iter().find(|topic| Some(&topic.name) == why.topic.as_ref());
            if let Some((topic, (at, source))) = topic.and_then(|topic| Some((topic, topic.changed?))) {
                let verb = if topic.state == Some(domain::consent::Subscription::Subscribed) {
                    "turned on"
                } else {
                    "turned off"
                };
                lines.push(format!("{} was {verb} on {}: {}.", topic.name, day(shown, at), by(source)));
            }
        }
        None => lines.push("We do not have the message any more that this link was in.".to_owned()),
    }
    lines.push(consent(shown));
    lines
}

fn consent(shown: &Preferences) -> String {
    match &shown.consent_given {
        Some(given) => {
            let what = match given.consent {
                Consent::OptedIn => "You said yes to our messages",
                Consent::OptedOut => "You said no to our messages",
                Consent::Pending => "We asked you whether you want our messages, and wait for your answer, since",
                Consent::Unknown => "Your yes or no to our messages was taken back",
            };
            let join = if given.consent == Consent::Pending { "" } else { " on" };
            format!("{what}{join} {}: {}.", day(shown, given.at), told(given))
        }
        None => {
            "You have not said yes or no to our messages: such messages are about something of yours, not advertising."
                .to_owned()
        }
    }
}

fn told(given: &Given) -> String {
    let how = by(given.source);
    match (&given.words, given.source) {
        (Some(words), ConsentSource::Keyword) => format!("you wrote “{}”", short(words)),
        (Some(words), ConsentSource::Account | ConsentSource::Api) => format!("{how} (“{}”)", short(words)),
        _ => how.to_owned(),
    }
}

/// Where a wish came from.
const fn by(source: ConsentSource) -> &'static str {
    match source {
        ConsentSource::Keyword => "by your own message",
        ConsentSource::Provider => "your network told us so",
        ConsentSource::Import => "it came with a list of contacts that we took over",
        ConsentSource::Api => "one of our systems recorded it",
        ConsentSource::Account => "one of us recorded it",
        ConsentSource::Recipient => "your number had said no before",
        ConsentSource::RecipientPage => "you chose it on this page",
    }
}

/// What is stored, as names and values.
pub fn data(shown: &Preferences) -> Vec<(String, String)> {
    let mut rows = vec![("Phone number".to_owned(), shown.masked_phone.clone())];
    let mut add = |name: &str, value: Option<String>| rows.extend(value.map(|value| (name.to_owned(), value)));
    add("Name", shown.name.clone());
    add("Country of the number", shown.country.clone());
    add("Language", shown.locale.clone());
    add("Time zone", shown.timezone.clone());
    add("With us since", Some(day(shown, shown.since)));
    add("You last wrote to us", shown.last_inbound_at.map(|at| day(shown, at)));
    let details = shown.attributes.len();
    rows.extend(shown.attributes.iter().take(DETAILS).map(|(key, value)| (key.clone(), short(&plain(value)))));
    if details > DETAILS {
        rows.push(("More details".to_owned(), format!("{} more in the file", details - DETAILS)));
    }
    rows
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= LONG {
        return text.to_owned();
    }
    let start: String = text.chars().take(LONG).collect();
    format!("{start}…")
}
