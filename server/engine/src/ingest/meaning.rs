//! What a message from a person says, before anything follows from it: read from what Twilio understood, a button or the
//! words; when it is in doubt, when it is outdated; and which words are kept as evidence of it.

use std::borrow::Cow;

use domain::{ids::TopicId, keywords::Keywords, time::Timestamp};
use store::inbound::TopicName;

use super::{
    event::InboundIn,
    keywords::{self, Meaning, Wish},
    wishes,
};

/// What Twilio understood by itself (Advanced Opt-Out).
pub(super) fn opt_out_type(message: &InboundIn) -> Option<Wish> {
    message.opt_out_type.as_deref().and_then(Wish::of_opt_out_type)
}

/// Twilio's own understanding first, then a button, then the words. To Twilio a YES is a START; to us it may answer a
/// question first.
pub(super) fn read(message: &InboundIn, added: &Keywords) -> Meaning {
    let button = message.button.as_deref();
    let understood = opt_out_type(message);
    if let Some(wish) =
        understood.clone().filter(|wish| *wish != Wish::Start).or_else(|| button.and_then(Wish::of_button))
    {
        return Meaning::Wish(wish);
    }
    let words = keywords::meaning(&message.body, added);
    if let Some(start) = understood {
        return if matches!(words, Meaning::Wish(Wish::Yes(_))) { words } else { Meaning::Wish(start) };
    }
    // A button may say in its payload what it does not show.
    match button.map(|payload| keywords::meaning_of_payload(payload, added)) {
        Some(Meaning::Wish(wish)) if words != Meaning::Wish(Wish::Stop) => Meaning::Wish(wish),
        Some(Meaning::Hint) if words == Meaning::Nothing => Meaning::Hint,
        _ => words,
    }
}

/// What begins like a wish for a topic, and names none of ours, may say the opposite: "Subscribe? No, stop texting me".
pub(super) fn doubted(meaning: Meaning, message: &InboundIn, topics: &[TopicName]) -> Meaning {
    match &meaning {
        Meaning::Wish(Wish::Subscribe(wanted)) if wishes::find(topics, wanted).is_none() => {
            match keywords::meaning_inside(&message.body) {
                Meaning::Nothing => meaning,
                against => against,
            }
        }
        _ => meaning,
    }
}

/// Whether a message is a wish to hear more.
pub(super) const fn opts_in(meaning: &Meaning) -> bool {
    matches!(meaning, Meaning::Wish(Wish::Start | Wish::Subscribe(_) | Wish::Yes(_)))
}

/// Whether a person has said something else since `at`, as `said` tells of everything (no topic) and of each topic. To
/// leave a topic is a wish besides all others. Of what was `fetched`, whose dates are full seconds, the wish to hear less
/// counts within the same second, and against what seems to be said after `now`: a clock that was ahead dated that. What
/// comes in now is not older than that.
pub(super) fn is_outdated(
    meaning: &Meaning,
    topics: &[TopicName],
    (at, now): (Timestamp, Timestamp),
    fetched: bool,
    said: impl Fn(Option<TopicId>) -> Option<Timestamp>,
) -> bool {
    let topic = |wanted: &str| wishes::find(topics, wanted).map(|topic| topic.id);
    let before = |topic| said(topic).is_some_and(|said| said > at && said <= now);
    let until = |topic| if fetched { said(topic).is_some_and(|said| said >= at) } else { before(topic) };
    match meaning {
        Meaning::Wish(Wish::Unsubscribe(wanted)) => before(topic(wanted)),
        Meaning::Wish(Wish::Subscribe(wanted)) => until(None) || topic(wanted).is_some_and(|topic| until(Some(topic))),
        Meaning::Wish(Wish::Stop) | Meaning::Hint => before(None),
        Meaning::Wish(Wish::Start | Wish::Help | Wish::Yes(_)) | Meaning::Nothing => until(None),
    }
}

/// The person's words, and what the button that they pressed says besides.
pub(super) fn evidence(message: &InboundIn) -> Cow<'_, str> {
    match message.button.as_deref() {
        Some(button) if message.body.is_empty() => button.into(),
        Some(button) => format!("{} [{button}]", message.body).into(),
        None => message.body.as_str().into(),
    }
}
