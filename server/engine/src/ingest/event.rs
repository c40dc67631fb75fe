//! Reading webhooks: Twilio's parameters, as far as the engine goes by them. Nothing here fails: what cannot be read is
//! kept raw, with the reason.

use std::{borrow::Cow, collections::BTreeSet};

use bytes::Bytes;
use domain::{event::WebhookKind, ids::MessageId, inbound::Media, message::Channel, phone::Phone, time::Timestamp};

use super::Webhook;
use crate::provider::{person_at, without_channel};

/// SIDs are two letters and 32 digits; a little more is taken, endless text is not.
const SID_MAX: usize = 64;
const STATUS_MAX: usize = 64;
const TOKEN_MAX: usize = 128;
const ADDRESS_MAX: usize = 128;
/// Twilio sends ten at most.
pub(super) const MEDIA_MAX: usize = 10;

/// Why a message is kept raw whose sender has no number.
pub(crate) const NO_NUMBER: &str = "sender_is_no_phone";

/// A webhook, read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub received_at: Timestamp,
    pub kind: WebhookKind,
    pub raw: Bytes,
    pub idempotency_token: Option<String>,
    pub account_sid: Option<String>,
    /// It came from Twilio's list, some time after it was written: nobody waits for an answer.
    pub fetched: bool,
    pub content: Content,
}

/// What it says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Status(StatusIn),
    Inbound(InboundIn),
    /// Signed, but makes no sense.
    Nonsense {
        sid: Option<String>,
        reason: &'static str,
    },
}

/// A status callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StatusIn {
    /// `m` and `a` of the address that we gave with the message.
    pub message_id: Option<MessageId>,
    pub attempt: Option<i16>,
    pub sid: String,
    pub status: String,
    pub error_code: Option<i32>,
}

/// A message from a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InboundIn {
    pub sid: String,
    pub phone: Phone,
    pub channel: Channel,
    /// Without the channel's prefix.
    pub our_address: String,
    /// The Messaging Service (`MG…`) that it belongs to.
    pub service: Option<String>,
    pub body: String,
    pub button: Option<String>,
    /// Twilio has understood, and answered, this by itself.
    pub opt_out_type: Option<String>,
    pub replied_sid: Option<String>,
    pub media: Vec<Media>,
}

impl Event {
    /// Reads what came in.
    pub(super) fn read(kind: WebhookKind, webhook: &Webhook, form: &Form<'_>, received_at: Timestamp) -> Self {
        let content = if BodyType::of(webhook.content_type.as_deref()) == Some(BodyType::Form) {
            match kind {
                WebhookKind::Status => status(form, &webhook.target),
                WebhookKind::Inbound => inbound(form),
            }
            .unwrap_or_else(|reason| Content::Nonsense { sid: form.sid(), reason })
        } else {
            Content::Nonsense { sid: None, reason: "not_a_form" }
        };
        Self {
            received_at,
            kind,
            raw: webhook.body.clone(),
            idempotency_token: webhook.idempotency_token.as_deref().map(|token| cut(token, TOKEN_MAX)),
            account_sid: account_of(webhook, form).map(|sid| cut(&sid, SID_MAX)),
            fetched: false,
            content,
        }
    }

    /// What a stored form says, read once more. Its address, with the message's id, is not stored with it.
    pub(super) fn read_again(kind: WebhookKind, raw: &[u8]) -> Content {
        let form = Form::parse(raw);
        match kind {
            WebhookKind::Status => status(&form, ""),
            WebhookKind::Inbound => inbound(&form),
        }
        .unwrap_or_else(|reason| Content::Nonsense { sid: form.sid(), reason })
    }

    /// The same webhook, when nothing can be made of it after all.
    pub(super) fn as_nonsense(&self, reason: &'static str) -> Self {
        let sid = match &self.content {
            Content::Status(status) => Some(status.sid.clone()),
            Content::Inbound(inbound) => Some(inbound.sid.clone()),
            Content::Nonsense { sid, .. } => sid.clone(),
        };
        Self { content: Content::Nonsense { sid, reason }, ..self.clone() }
    }
}

/// What a webhook's body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyType {
    /// Twilio's posts.
    Form,
    /// What it posts elsewhere, signed by its hash: kept raw, since nothing here is told that way.
    Json,
}

impl BodyType {
    /// A missing type is taken for a form; none for all others.
    pub(super) fn of(content_type: Option<&str>) -> Option<Self> {
        let of = content_type.unwrap_or_default();
        let of = of.split(';').next().unwrap_or_default().trim();
        if of.is_empty() || of.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Some(Self::Form)
        } else {
            of.eq_ignore_ascii_case("application/json").then_some(Self::Json)
        }
    }
}

fn status(form: &Form<'_>, target: &str) -> Result<Content, &'static str> {
    let sid = form.sid().ok_or("no_message_sid")?;
    let status = form.get("MessageStatus").or_else(|| form.get("SmsStatus")).ok_or("no_message_status")?;
    if status.len() > STATUS_MAX {
        return Err("no_message_status");
    }
    let query = Form::parse(target.split_once('?').map_or("", |(_, query)| query).as_bytes());
    Ok(Content::Status(StatusIn {
        message_id: query.get("m").and_then(|id| id.parse().ok()),
        attempt: query.get("a").and_then(|attempt| attempt.parse().ok()),
        sid,
        status: clean(status),
        // "0" means none.
        error_code: form.get("ErrorCode").and_then(|code| code.parse().ok()).filter(|code| *code > 0),
    }))
}

fn inbound(form: &Form<'_>) -> Result<Content, &'static str> {
    let sid = form.sid().ok_or("no_message_sid")?;
    let (channel, phone) = person_at(form.get("From").ok_or("no_sender")?).ok_or(NO_NUMBER)?;
    let (_, our_address) = without_channel(form.get("To").unwrap_or_default());
    let count = form.get("NumMedia").and_then(|count| count.parse().ok()).unwrap_or(0_usize).min(MEDIA_MAX);
    let media = (0..count).map(|index| Media {
        url: form.text(&format!("MediaUrl{index}")),
        content_type: form.text(&format!("MediaContentType{index}")),
    });
    Ok(Content::Inbound(InboundIn {
        sid,
        phone,
        channel,
        our_address: cut(our_address, ADDRESS_MAX),
        service: form.get("MessagingServiceSid").map(|sid| cut(sid, SID_MAX)),
        body: form.text("Body"),
        button: form.get("ButtonPayload").map(clean),
        opt_out_type: form.get("OptOutType").map(clean),
        replied_sid: form.get("OriginalRepliedMessageSid").map(|sid| cut(sid, SID_MAX)),
        media: media.collect(),
    }))
}

/// The account that a webhook says it comes from.
pub(super) fn account_of<'a>(webhook: &Webhook, form: &'a Form<'_>) -> Option<Cow<'a, str>> {
    if BodyType::of(webhook.content_type.as_deref()) == Some(BodyType::Json) {
        let document: serde_json::Value = serde_json::from_slice(&webhook.body).ok()?;
        return document.get("AccountSid")?.as_str().map(|sid| sid.to_owned().into());
    }
    form.get("AccountSid").map(Cow::Borrowed)
}

/// Whatever may be a phone number in a stored webhook: the numbers of both sides, and all that stands anywhere in it, be it a
/// form or JSON, in digits alone or grouped by blanks, dots and the like.
pub(crate) fn numbers_in(raw: &[u8]) -> BTreeSet<Phone> {
    let mut found = BTreeSet::new();
    if let Ok(document) = serde_json::from_slice(raw) {
        each_text(&document, &mut |text| found.extend(numbers_of(text)));
        return found;
    }
    let form = Form::parse(raw);
    for (name, value) in form.pairs() {
        found.extend(numbers_of(name).chain(numbers_of(value)));
    }
    found
}

/// Names, texts and numbers of a document.
fn each_text(document: &serde_json::Value, take: &mut impl FnMut(&str)) {
    match document {
        serde_json::Value::String(text) => take(text),
        serde_json::Value::Number(number) => take(&number.to_string()),
        serde_json::Value::Array(parts) => parts.iter().for_each(|part| each_text(part, take)),
        serde_json::Value::Object(parts) => {
            for (name, part) in parts {
                take(name);
                each_text(part, take);
            }
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) => {}
    }
}

/// What may be a phone number in a text: each word of digits alone, and behind a `+` each beginning of a row of such words,
/// since what follows a number may be digits, too.
fn numbers_of(text: &str) -> impl Iterator<Item = Phone> {
    let words = text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned);
    let rows = text.split('+').skip(1).flat_map(|row| {
        let row = row.split(|c: char| !c.is_ascii_digit() && !is_between_digits(c)).next().unwrap_or_default();
        let groups = row.split(is_between_digits).filter(|group| !group.is_empty());
        groups.scan(String::new(), |number, group| {
            number.push_str(group);
            Some(number.clone())
        })
    });
    let digits = words.chain(rows).filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
    digits.filter_map(|digits| format!("+{digits}").parse().ok())
}

/// Whether people write this between the digits of a number.
fn is_between_digits(c: char) -> bool {
    c.is_whitespace() || "-.()/\u{2010}\u{2011}\u{2012}\u{2013}".contains(c)
}

fn cut(text: &str, most: usize) -> String {
    clean(text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end]))
}

/// PostgreSQL stores no NUL in texts, so there is none.
fn clean(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.to_owned() }
}

/// A decoded form: what is signed, and what is read.
pub(super) struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Form<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Self {
        Self(url::form_urlencoded::parse(bytes).collect())
    }

    /// Names and values, in the order in which they came.
    pub(super) fn pairs(&self) -> &[(Cow<'a, str>, Cow<'a, str>)] {
        &self.0
    }

    /// The value, as it is; none when it is empty.
    pub(super) fn get(&self, wanted: &str) -> Option<&str> {
        let value = self.0.iter().find(|(name, _)| name == wanted).map(|(_, value)| &**value);
        value.filter(|value| !value.is_empty())
    }

    fn text(&self, wanted: &str) -> String {
        clean(self.get(wanted).unwrap_or_default())
    }

    /// `MessageSid`, or what it was called before.
    fn sid(&self) -> Option<String> {
        let sid = self.get("MessageSid").or_else(|| self.get("SmsSid")).or_else(|| self.get("SmsMessageSid"))?;
        let is_sid = sid.len() <= SID_MAX && sid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_sid.then(|| sid.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(kind: WebhookKind, target: &str, body: &str) -> Event {
        let webhook = Webhook {
            target: target.to_owned(),
            content_type: Some("application/x-www-form-urlencoded; charset=UTF-8".to_owned()),
            signature: None,
            signature_settings: None,
            idempotency_token: None,
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        Event::read(kind, &webhook, &Form::parse(&webhook.body), Timestamp::from_seconds(1))
    }

    fn reason(kind: WebhookKind, body: &str) -> &'static str {
        match read(kind, "/", body).content {
            Content::Nonsense { reason, .. } => reason,
            content => panic!("{content:?}"),
        }
    }

    #[test]
    fn a_callback_names_its_message_in_the_address() {
        let event = read(WebhookKind::Status, "/s?m=42&a=2", "MessageSid=SM1&MessageStatus=failed&ErrorCode=63016");
        let Content::Status(status) = event.content else { panic!() };
        assert_eq!((status.message_id, status.attempt), (Some(MessageId(42)), Some(2)));
        assert_eq!((status.status.as_str(), status.error_code), ("failed", Some(63_016)));
        let event = read(WebhookKind::Status, "/s?m=-1&a=x", "SmsSid=SM1&SmsStatus=sent&ErrorCode=0");
        let Content::Status(status) = event.content else { panic!() };
        assert_eq!((status.message_id, status.attempt, status.error_code), (None, None, None));
    }

    #[test]
    fn an_inbound_message_keeps_its_blanks_and_loses_its_prefix() {
        let body = "MessageSid=SM1&From=whatsapp%3A%2B15005550009&To=whatsapp%3A%2B15005550006&Body=++hi%00+&\
                    NumMedia=1&MediaUrl0=https%3A%2F%2Fx&MediaContentType0=image%2Fpng";
        let Content::Inbound(inbound) = read(WebhookKind::Inbound, "/", body).content else { panic!() };
        assert_eq!(inbound.phone.as_str(), "+15005550009");
        assert_eq!((inbound.channel, inbound.our_address.as_str()), (Channel::Whatsapp, "+15005550006"));
        assert_eq!(inbound.body, "  hi\u{fffd} ");
        assert_eq!(inbound.media[0].content_type, "image/png");
    }

    #[test]
    fn rcs_comes_from_the_number_that_sms_comes_from() {
        let body = "MessageSid=SM1&From=rcs:%2B14155550100&To=rcs:our_agent&Body=STOP";
        let Content::Inbound(inbound) = read(WebhookKind::Inbound, "/", body).content else { panic!() };
        assert_eq!((inbound.phone.as_str(), inbound.channel), ("+14155550100", Channel::Sms));
        assert_eq!(inbound.our_address, "our_agent");
        assert_eq!(reason(WebhookKind::Inbound, "MessageSid=SM1&From=messenger:1415"), "sender_is_no_phone");
    }

    #[test]
    fn nonsense_has_a_reason() {
        assert_eq!(reason(WebhookKind::Status, "MessageStatus=sent"), "no_message_sid");
        assert_eq!(reason(WebhookKind::Status, "MessageSid=SM%201&MessageStatus=sent"), "no_message_sid");
        assert_eq!(reason(WebhookKind::Status, "MessageSid=SM1"), "no_message_status");
        assert_eq!(reason(WebhookKind::Inbound, "MessageSid=SM1&Body=x"), "no_sender");
        assert_eq!(reason(WebhookKind::Inbound, "MessageSid=SM1&From=whatsapp:US.123"), "sender_is_no_phone");
    }

    /// Names and values as Twilio uses them, and anything else.
    fn pair() -> impl Strategy<Value = (String, String)> {
        const NAMES: [&str; 16] = [
            "MessageSid",
            "SmsSid",
            "MessageStatus",
            "SmsStatus",
            "ErrorCode",
            "From",
            "To",
            "Body",
            "NumMedia",
            "MediaUrl0",
            "MediaContentType0",
            "ButtonPayload",
            "OptOutType",
            "AccountSid",
            "OriginalRepliedMessageSid",
            "",
        ];
        let name = prop_oneof![prop::sample::select(&NAMES[..]).prop_map(str::to_owned), any::<String>()];
        let value = prop_oneof![
            any::<String>(),
            "SM[0-9a-f]{0,80}",
            "(whatsapp:|rcs:)?\\+?[0-9]{0,20}",
            "-?[0-9]{0,25}",
            Just("9".repeat(5_000)),
        ];
        (name, value)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::fuzz_cases()))]

        /// Whatever bytes come: they are read, or there is a reason.
        #[test]
        fn any_bytes_are_read(body in prop::collection::vec(any::<u8>(), 0..2_000), target in any::<String>()) {
            whole(&body, &target)?;
        }

        /// Whatever a form says: what is kept of it can be stored.
        #[test]
        fn any_form_is_read(pairs in prop::collection::vec(pair(), 0..30), target in "/s\\?m=.{0,30}&a=.{0,30}") {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            whole(body.as_bytes(), &target)?;
        }
    }

    /// No NUL, no SID of endless length; and the form alone says the same as the webhook.
    fn whole(body: &[u8], target: &str) -> Result<(), TestCaseError> {
        let webhook = Webhook {
            target: target.to_owned(),
            content_type: None,
            signature: None,
            signature_settings: None,
            idempotency_token: Some("\0".repeat(500)),
            body: Bytes::copy_from_slice(body),
        };
        let form = Form::parse(&webhook.body);
        for kind in [WebhookKind::Status, WebhookKind::Inbound] {
            let event = Event::read(kind, &webhook, &form, Timestamp::from_seconds(1));
            let account_sid = event.account_sid.clone().unwrap_or_default();
            let token = event.idempotency_token.clone().unwrap_or_default();
            prop_assert!(!account_sid.contains('\0') && account_sid.chars().count() <= SID_MAX);
            prop_assert!(!token.contains('\0') && token.chars().count() <= TOKEN_MAX);
            match (&event.content, Event::read_again(kind, body)) {
                (Content::Status(first), Content::Status(again)) => {
                    prop_assert!(first.sid.len() <= SID_MAX && !first.status.contains('\0'));
                    prop_assert_eq!(
                        (&first.sid, &first.status, first.error_code),
                        (&again.sid, &again.status, again.error_code)
                    );
                }
                (Content::Inbound(first), Content::Inbound(again)) => {
                    let texts = [&first.sid, &first.body, &first.our_address];
                    prop_assert!(texts.iter().all(|text| !text.contains('\0')) && first.media.len() <= MEDIA_MAX);
                    prop_assert_eq!(first, &again);
                }
                (first, again) => prop_assert_eq!(first, &again),
            }
        }
        Ok(())
    }

    #[test]
    fn numbers_are_found_wherever_they_stand() {
        let of = |raw: &str| numbers_in(raw.as_bytes()).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(of("From=whatsapp%3A%2B14155550100&To=MG12"), ["+14155550100"]);
        assert_eq!(of("From=US.1&WaId=14155550100&Body=call+me"), ["+14155550100"]);
        assert!(of("Body=call+me+at+%2B1+(415)+555-0100,+please").contains(&"+14155550100".to_owned()));
        assert_eq!(
            of(r#"{"a": [{"From": "whatsapp:+14155550100"}, 14155550101], "+14155550102": 7}"#),
            ["+14155550100", "+14155550101", "+14155550102"]
        );
        assert!(of("Body=%2B1+415+555+0100.+5+pm").contains(&"+14155550100".to_owned()));
        assert!(of("Body=%2B1%C2%A0415%E2%80%91555%E2%80%910100").contains(&"+14155550100".to_owned()));
        // The digits inside of a SID are nobody's number.
        assert_eq!(of("MessageSid=SM12345678901234567890123456789012&MessageStatus=sent"), Vec::<String>::new());
    }
}
