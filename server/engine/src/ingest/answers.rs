//! What people are answered: every text in one place, and the TwiML around it.

/// So many keywords of one person are answered within an hour. Whoever writes more is taken for a program that answers ours,
/// and two of them would never end.
pub(super) const AN_HOUR: i64 = 10;

/// So many characters of topics' keys are listed in an answer. Free text may have 1,600.
const LISTED: usize = 1_000;

/// An answer to a keyword.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The one confirmation of an opt-out: no advertising, no attempt to win the person back (47 CFR 64.1200(a)(12)).
    OptedOut,
    /// `UNSUBSCRIBE` with a topic we do not have: taken for all of them.
    OptedOutOfAll,
    OptedIn,
    Help,
    Subscribed {
        topic: String,
    },
    Unsubscribed {
        topic: String,
    },
    /// `SUBSCRIBE` with a topic we do not have; the keys of those we have.
    UnknownTopic {
        topics: Vec<String>,
    },
    /// The person wants a topic, but stopped everything before.
    StillOptedOut,
}

impl Answer {
    /// Whether the person gets it however much they write: the confirmation of an opt-out, also of a topic's. Each is given
    /// once, when something changes.
    pub(super) const fn is_owed(&self) -> bool {
        matches!(self, Self::OptedOut | Self::OptedOutOfAll | Self::Unsubscribed { .. })
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::OptedOut => "You are unsubscribed and will receive no more messages from us. \
                               Reply START to receive messages again."
                .to_owned(),
            Self::OptedOutOfAll => "There is no such topic, so you are unsubscribed from everything and will receive \
                                    no more messages from us. Reply START to receive messages again."
                .to_owned(),
            Self::OptedIn => "You are subscribed to our messages. Reply STOP to unsubscribe, HELP for help.".to_owned(),
            Self::Help => "Reply STOP to receive no more messages from us, START to receive them again, \
                           SUBSCRIBE or UNSUBSCRIBE and a topic for that topic alone."
                .to_owned(),
            Self::Subscribed { topic } => {
                format!("You are subscribed to {topic}. Reply STOP to receive no more messages from us.")
            }
            Self::Unsubscribed { topic } => {
                format!("You are unsubscribed from {topic}. Reply STOP to receive no messages from us at all.")
            }
            Self::UnknownTopic { topics } if topics.is_empty() => {
                "There are no topics to subscribe to at the moment. Reply HELP for help.".to_owned()
            }
            Self::UnknownTopic { topics } => {
                format!("Reply SUBSCRIBE and one of these topics: {}", listed(topics))
            }
            Self::StillOptedOut => {
                "You have unsubscribed from all our messages. Reply START to receive messages again.".to_owned()
            }
        }
    }
}

/// The first of them, as many as there is room for.
fn listed(topics: &[String]) -> String {
    let mut room = LISTED;
    let fits = |key: &&String| {
        let left = room.checked_sub(key.chars().count() + ", ".len());
        room = left.unwrap_or(0);
        left.is_some()
    };
    let shown: Vec<&str> = topics.iter().take_while(fits).map(String::as_str).collect();
    let list = shown.join(", ");
    if shown.len() == topics.len() { format!("{list}.") } else { format!("{list}, …") }
}

/// The document Twilio expects: one reply, or none.
pub(super) fn twiml(text: Option<&str>) -> String {
    const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    match text {
        Some(text) => format!("{HEAD}<Response><Message>{}</Message></Response>", escape(text)),
        None => format!("{HEAD}<Response/>"),
    }
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // XML 1.0 has no other control characters.
            c if c.is_control() && !matches!(c, '\n' | '\r' | '\t') => {}
            c => escaped.push(c),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_topics_cannot_break_the_document() {
        let answer = Answer::Subscribed { topic: "<Tea> & \u{1}Co".to_owned() };
        let document = twiml(Some(&answer.text()));
        assert!(document.contains("&lt;Tea&gt; &amp; Co"), "{document}");
        assert!(twiml(None).ends_with("<Response/>"));
    }

    #[test]
    fn as_many_topics_are_named_as_there_is_room_for() {
        let answer = |count: usize| {
            let topics = (0..count).map(|number| format!("topic-{number:04}")).collect();
            Answer::UnknownTopic { topics }.text()
        };
        assert!(answer(2).ends_with("topics: topic-0000, topic-0001."), "{}", answer(2));
        let many = answer(500);
        assert!(many.contains("topic-0050, ") && many.ends_with(", …"), "{many}");
        assert!(many.chars().count() < 1_100, "{many}");
    }
}
