//! Inbound messages: a person writes, the application is told and may answer (page "Twilio's request to your incoming
//! message Webhook URL").

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::callbacks::{self, Script};
use crate::clock::now_ms;
use crate::control::ControlError;
use crate::faults::Dice;
use crate::messages::media;
use crate::queue::Job;
use crate::segments;
use crate::settings::OptOut;
use crate::sid::Kind;
use crate::state::{Active, Core, lock};
use crate::status::Status;
use crate::store::{Direction, Message, bare, is_whatsapp};
use crate::twiml::{self, Reply, Verb};
use crate::webhook::{Target, encode};

const MAX_REDIRECTS: usize = 5;
const STOP_WORDS: [&str; 8] = ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"];
const START_WORDS: [&str; 3] = ["START", "YES", "UNSTOP"];
const HELP_WORDS: [&str; 2] = ["HELP", "INFO"];
const STOP_ANSWER: &str = "You have successfully been unsubscribed. You will not receive any more messages from this number. Reply START to resubscribe.";

/// A message of a person to one of our senders.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inbound {
    /// The person: `+15551234567`, or `whatsapp:+15551234567`.
    pub from: String,
    /// Our sender; left out: the one that last wrote to this person, else the first sender of the channel.
    pub to: Option<String>,
    /// The text. A button's text when left out and a button was tapped.
    pub body: Option<String>,
    /// The person's WhatsApp profile name.
    pub profile_name: Option<String>,
    /// The payload of a tapped quick reply.
    pub button_payload: Option<String>,
    /// The text of a tapped quick reply.
    pub button_text: Option<String>,
    /// How many media the message has; their URLs are made up unless `media` gives them.
    pub num_media: Option<u8>,
    /// URLs and types of the media.
    pub media: Vec<Media>,
    /// SID of the message this one answers. A tapped button answers the last message to that person.
    pub replied_to: Option<String>,
    /// How many seconds ago it was written; now when left out. Lists go by when messages came, not by this.
    pub age_s: Option<u32>,
    /// More parameters, or other values for those above.
    pub extra: BTreeMap<String, String>,
}

/// A medium of an inbound message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// Where it can be fetched.
    pub url: String,
    /// Its MIME type.
    #[serde(default = "jpeg")]
    pub content_type: String,
}

fn jpeg() -> String {
    "image/jpeg".into()
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InboundAnswer {
    /// The inbound message's SID.
    pub sid: String,
    /// The HTTP status the application answered with; `None`: no answer.
    pub status: Option<u16>,
    /// The answer's body (TwiML), as it came.
    pub answer: String,
    /// Requests made, retries and redirects included.
    pub attempts: u32,
    /// The error Twilio's debugger would show.
    pub error_code: Option<u32>,
    /// SIDs of the messages the answer made.
    pub replies: Vec<String>,
}

pub(crate) async fn receive(core: &Arc<Core>, inbound: Inbound) -> Result<InboundAnswer, ControlError> {
    let active = core.active();
    let target = active.inbound.clone().ok_or(ControlError::NoInboundUrl)?;
    let arrived = arrive(core, &active, inbound)?;
    let mut answer = InboundAnswer { sid: arrived.sid.clone(), ..InboundAnswer::default() };
    let form = encode(&arrived.params);

    let mut target = target;
    for _ in 0..=MAX_REDIRECTS {
        let signature = active.signer.sign(target.signed(), &arrived.params);
        let token = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
        let delivery = core.webhooks.post(&target, form.clone(), &signature, token).await;
        answer.attempts += delivery.attempts;
        answer.status = delivery.status;
        answer.error_code = delivery.error;
        if let Some(code) = delivery.error {
            core.debug(code);
        }
        answer.answer = String::from_utf8_lossy(&delivery.body).into_owned();
        if delivery.error.is_some() {
            break;
        }
        let (verbs, errors) = twiml::read(delivery.content_type.as_deref(), &delivery.body);
        for code in errors {
            core.debug(code);
            answer.error_code.get_or_insert(code);
        }
        let mut redirect = None;
        for verb in verbs {
            match verb {
                Verb::Message(reply) => match send_reply(core, &active, &arrived, reply) {
                    Ok(sid) => answer.replies.push(sid),
                    Err(code) => {
                        core.debug(code);
                        answer.error_code.get_or_insert(code);
                    }
                },
                Verb::Redirect(to) => redirect = target.url.join(&to).ok().and_then(|url| Target::parse(url.as_str())),
            }
        }
        match redirect {
            Some(to) => target = to,
            None => break,
        }
    }
    Ok(answer)
}

/// A message that has been stored.
struct Arrived {
    sid: String,
    from: Arc<str>,
    to: Arc<str>,
    params: Vec<(String, String)>,
}

fn arrive(core: &Arc<Core>, active: &Active, inbound: Inbound) -> Result<Arrived, ControlError> {
    let invalid = |text: &str| ControlError::Invalid(text.to_owned());
    if bare(&inbound.from).is_empty() {
        return Err(invalid("from: required"));
    }
    let whatsapp = is_whatsapp(&inbound.from);
    let written = now_ms() - 1_000 * i64::from(inbound.age_s.unwrap_or(0));
    let num_media =
        inbound.num_media.unwrap_or(0).max(u8::try_from(inbound.media.len()).map_err(|_| invalid("media: too many"))?);
    let kind = if num_media > 0 { Kind::Media } else { Kind::Text };
    let body = inbound.body.clone().or_else(|| inbound.button_text.clone()).unwrap_or_default();

    let mut store = lock(&core.store);
    let outbound = store.of_person(&inbound.from).rev().filter(|message| message.direction != Direction::Inbound);
    let last = outbound
        .filter(|message| is_whatsapp(&message.to) == whatsapp)
        .map(|message| (message.kind, message.seq, message.from.clone()))
        .next();
    let to: Arc<str> = match (&inbound.to, last.as_ref().and_then(|(_, _, from)| from.clone())) {
        (Some(to), _) if is_whatsapp(to) == whatsapp => store.intern(to),
        (Some(to), _) if whatsapp => store.intern(&format!("whatsapp:{to}")),
        (Some(_), _) => return Err(invalid("from and to: both must be of the same channel")),
        (None, Some(last)) => last,
        (None, None) => active
            .service_sender(&inbound.from)
            .map(Into::into)
            .ok_or_else(|| invalid("to: required, there is no sender of this channel"))?,
    };
    let from: Arc<str> = inbound.from.as_str().into();
    let word = body.trim().to_uppercase();
    let handled =
        active.settings.opt_out == OptOut::Advanced || (active.settings.opt_out == OptOut::Default && !whatsapp);
    let keyword = [(&STOP_WORDS[..], "STOP"), (&START_WORDS[..], "START"), (&HELP_WORDS[..], "HELP")]
        .into_iter()
        .find_map(|(words, name)| (handled && words.contains(&word.as_str())).then_some(name));
    let message = Message {
        seq: 0,
        kind,
        direction: Direction::Inbound,
        status: Status::Received,
        deleted: false,
        num_media,
        segments: if whatsapp { 1 } else { segments::count(&body) },
        error_code: None,
        to: to.clone(),
        from: Some(from.clone()),
        service: None,
        body: body.as_str().into(),
        content_sid: None,
        content_variables: None,
        validity_period: None,
        tags: None,
        created: written,
        updated: written,
        sent: Some(written),
    };
    let segments = message.segments;
    let seq = store.insert(message, active.settings.max_messages).seq;
    if keyword == Some("START") {
        store.set_blocked(&from, &to, false);
    }
    drop(store);

    core.counters.inbound.fetch_add(1, Relaxed);
    let sid = core.minter.sid(kind, seq);
    let replied_to = inbound.replied_to.clone().or_else(|| {
        let tapped = inbound.button_payload.is_some() || inbound.button_text.is_some();
        last.filter(|_| tapped).map(|(kind, seq, _)| core.minter.sid(kind, seq))
    });
    let account = &active.settings.account_sid;
    let mut params =
        parameters(account, &sid, &inbound, &Facts { to: &to, body: &body, num_media, segments, whatsapp, replied_to });
    if active.settings.opt_out == OptOut::Advanced
        && let Some(kind) = keyword
    {
        params.push(("OptOutType".into(), kind.into()));
    }
    for (name, value) in inbound.extra {
        params.retain(|(other, _)| *other != name);
        params.push((name, value));
    }
    let arrived = Arrived { sid, from, to, params };
    if keyword == Some("STOP") {
        // Twilio answers by itself, then blocks.
        let _ = send_reply(core, active, &arrived, Reply { body: STOP_ANSWER.into(), ..Reply::default() });
        lock(&core.store).set_blocked(&arrived.from, &arrived.to, true);
    }
    Ok(arrived)
}

struct Facts<'a> {
    to: &'a str,
    body: &'a str,
    num_media: u8,
    segments: u16,
    whatsapp: bool,
    replied_to: Option<String>,
}

/// The form, in the order seen in captured requests.
fn parameters(account: &str, sid: &str, inbound: &Inbound, facts: &Facts<'_>) -> Vec<(String, String)> {
    let mut params: Vec<(String, String)> = Vec::with_capacity(24);
    let mut add = |name: &str, value: &str| params.push((name.to_owned(), value.to_owned()));
    let number = bare(&inbound.from);
    let name = inbound.profile_name.as_deref().unwrap_or("Simulated Person");
    let wa_id = number.trim_start_matches('+');
    let tapped = inbound.button_payload.is_some() || inbound.button_text.is_some();

    add("SmsMessageSid", sid);
    add("NumMedia", &facts.num_media.to_string());
    if facts.whatsapp {
        add("ProfileName", name);
        add(
            "MessageType",
            match (tapped, facts.num_media) {
                (true, _) => "button",
                (false, 0) => "text",
                (false, _) => "image",
            },
        );
        add("WaId", wa_id);
        add("Forwarded", "false");
    } else {
        for place in ["ToCountry", "ToState", "ToCity", "ToZip", "FromCountry", "FromState", "FromCity", "FromZip"] {
            let country =
                place.ends_with("Country") && if place == "ToCountry" { facts.to } else { number }.starts_with("+1");
            add(place, if country { "US" } else { "" });
        }
    }
    add("SmsSid", sid);
    add("SmsStatus", "received");
    add("Body", facts.body);
    if tapped {
        add("ButtonText", inbound.button_text.as_deref().unwrap_or(facts.body));
        add("ButtonPayload", inbound.button_payload.as_deref().unwrap_or(facts.body));
        add("ButtonType", "REPLY");
    }
    if let Some(original) = &facts.replied_to {
        add("OriginalRepliedMessageSender", facts.to);
        add("OriginalRepliedMessageSid", original);
    }
    add("To", facts.to);
    add("NumSegments", &facts.segments.to_string());
    if facts.whatsapp {
        add("ReferralNumMedia", "0");
    }
    add("MessageSid", sid);
    add("AccountSid", account);
    for index in 0..usize::from(facts.num_media) {
        let (url, kind) = match inbound.media.get(index) {
            Some(media) => (media.url.clone(), media.content_type.clone()),
            None => (
                format!(
                    "https://api.twilio.com/2010-04-01/Accounts/{account}/Messages/{sid}/Media/{}",
                    media::sid(sid, index)
                ),
                jpeg(),
            ),
        };
        add(&format!("MediaContentType{index}"), &kind);
        add(&format!("MediaUrl{index}"), &url);
    }
    if facts.whatsapp {
        let metadata = json!({"type": "whatsapp", "data": {"context": {"ProfileName": name, "WaId": wa_id}}});
        add("ChannelMetadata", &metadata.to_string());
    }
    add("From", &inbound.from);
    add("ApiVersion", "2010-04-01");
    params
}

/// Records a TwiML `<Message>` as an outbound reply and lets it live like any other message.
fn send_reply(core: &Arc<Core>, active: &Active, arrived: &Arrived, reply: Reply) -> Result<String, u32> {
    if reply.body.is_empty() && reply.media == 0 {
        return Err(21619);
    }
    if reply.body.chars().count() > 1600 {
        return Err(21617);
    }
    let target = match &reply.status_callback {
        Some(url) => {
            let url = active
                .inbound
                .as_ref()
                .and_then(|inbound| inbound.url.join(url).ok())
                .map_or_else(|| url.clone(), Into::into);
            Some(Target::parse(&url).ok_or(21609_u32)?)
        }
        None => None,
    };
    let now = now_ms();
    let mut store = lock(&core.store);
    let to: Arc<str> = reply.to.as_deref().map_or_else(|| arrived.from.clone(), Into::into);
    let from = reply.from.as_deref().map_or_else(|| arrived.to.clone(), |from| store.intern(from));
    if store.is_blocked(&to, Some(&from)) {
        return Err(21610);
    }
    let kind = if reply.media > 0 { Kind::Media } else { Kind::Text };
    let message = Message {
        seq: 0,
        kind,
        direction: Direction::OutboundReply,
        status: Status::Queued,
        deleted: false,
        num_media: reply.media.min(10) as u8,
        segments: if is_whatsapp(&to) { 1 } else { segments::count(&reply.body) },
        error_code: None,
        to: to.clone(),
        from: Some(from.clone()),
        service: None,
        body: reply.body.into(),
        content_sid: None,
        content_variables: None,
        validity_period: None,
        tags: None,
        created: now,
        updated: now,
        sent: None,
    };
    let seq = store.insert(message, active.settings.max_messages).seq;
    drop(store);
    core.counters.replies.fetch_add(1, Relaxed);
    // Replies draw from their own numbers, so that they do not move the choices of creates.
    let mut dice = Dice::new(active.settings.seed.rotate_left(17), seq);
    let steps = callbacks::plan(active, &mut dice, &to, false, None);
    if !steps.is_empty() {
        let epoch = core.epoch();
        let script =
            Script { epoch, seq, kind, to, from: Some(from), service: None, structured: false, target, steps, next: 0 };
        core.queue.begin(Job::Step(Box::new(script)), Duration::from_millis(active.settings.callbacks.delay_ms));
    }
    Ok(core.minter.sid(kind, seq))
}
