//! What a person's message asks for. Whole messages only: "Stop." is a wish, "don't stop" is not.

use domain::inbound::Keyword;
use unicode_normalization::UnicodeNormalization as _;

const STOP: &[&str] =
    &["stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt out", "opt-out"];
const START: &[&str] = &["start", "unstop"];
const HELP: &[&str] = &["help", "info"];

/// A wish, and the topic it speaks of, folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Stop,
    Start,
    Help,
    /// The topic may be missing.
    Subscribe(String),
    Unsubscribe(String),
}

impl Wish {
    /// What the message counts as.
    pub(super) const fn keyword(&self) -> Keyword {
        match self {
            Self::Stop => Keyword::Stop,
            Self::Start => Keyword::Start,
            Self::Help => Keyword::Help,
            Self::Subscribe(_) => Keyword::Subscribe,
            Self::Unsubscribe(_) => Keyword::Unsubscribe,
        }
    }

    /// The wish behind a text.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let text = fold(text);
        let is_one_of = |words: &[&str]| words.contains(&text.as_str());
        if is_one_of(STOP) {
            Some(Self::Stop)
        } else if is_one_of(START) {
            Some(Self::Start)
        } else if is_one_of(HELP) {
            Some(Self::Help)
        } else if text == "subscribe" {
            Some(Self::Subscribe(String::new()))
        } else if let Some(topic) = text.strip_prefix("subscribe ") {
            Some(Self::Subscribe(fold(topic)))
        } else {
            text.strip_prefix("unsubscribe ").map(|topic| Self::Unsubscribe(fold(topic)))
        }
    }

    /// The wish behind a button: `OPT_OUT`, or `OPT_OUT:<topic>`.
    pub(super) fn of_button(payload: &str) -> Option<Self> {
        let payload = payload.trim();
        let (word, topic) = payload.split_once(':').unwrap_or((payload, ""));
        if !word.trim().eq_ignore_ascii_case("OPT_OUT") {
            return None;
        }
        let topic = fold(topic);
        Some(if topic.is_empty() { Self::Stop } else { Self::Unsubscribe(topic) })
    }

    /// What Twilio's Advanced Opt-Out understood.
    pub(super) fn of_opt_out_type(word: &str) -> Option<Self> {
        match word.trim().to_ascii_uppercase().as_str() {
            "STOP" => Some(Self::Stop),
            "START" => Some(Self::Start),
            "HELP" => Some(Self::Help),
            _ => None,
        }
    }
}

/// A text as keywords and topics are compared: compatibility forms and case folded, invisible characters removed,
/// blanks collapsed, and whatever is neither letter nor digit cut off at both ends.
pub(super) fn fold(text: &str) -> String {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).filter(|c| !is_invisible(*c)).collect();
    let words: Vec<&str> = folded.split_whitespace().collect();
    words.join(" ").trim_matches(|c: char| !c.is_alphanumeric()).to_owned()
}

/// Zero-width characters, soft hyphen, direction marks, variation selectors and control characters.
fn is_invisible(c: char) -> bool {
    let is_control = c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    is_control
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_count_however_they_are_written() {
        for text in [
            "STOP",
            "stop",
            " Stop. ",
            "\"STOP\"",
            "Stop!!!",
            "ＳＴＯＰ",
            "st\u{200b}op",
            "🛑 STOP 🛑",
            "stop\u{fe0f}",
            "StopAll",
            "Stop  all",
            "UNSUBSCRIBE",
            "cancel",
            "End.",
            "quit",
            "REVOKE",
            "OptOut",
            "opt-out",
            "STOP\n",
        ] {
            assert_eq!(Wish::of_text(text), Some(Wish::Stop), "{text:?}");
        }
        assert_eq!(Wish::of_text("unstop"), Some(Wish::Start));
        assert_eq!(Wish::of_text("Info?"), Some(Wish::Help));
    }

    #[test]
    fn parts_of_sentences_do_not() {
        for text in ["don't stop", "bus stop", "non-stop", "stopping by", "the end", "yes", "", "🙂", "helpful"] {
            assert_eq!(Wish::of_text(text), None, "{text:?}");
        }
    }

    #[test]
    fn topics_are_named_after_the_word() {
        assert_eq!(Wish::of_text("Subscribe  OFFERS!"), Some(Wish::Subscribe("offers".to_owned())));
        assert_eq!(Wish::of_text("UNSUBSCRIBE 'Flash Sales'"), Some(Wish::Unsubscribe("flash sales".to_owned())));
        assert_eq!(Wish::of_text("subscribe"), Some(Wish::Subscribe(String::new())));
    }

    #[test]
    fn buttons_and_twilio_say_it_too() {
        assert_eq!(Wish::of_button("OPT_OUT"), Some(Wish::Stop));
        assert_eq!(Wish::of_button("opt_out:offers"), Some(Wish::Unsubscribe("offers".to_owned())));
        assert_eq!(Wish::of_button("OPT_OUT:"), Some(Wish::Stop));
        assert_eq!(Wish::of_button("OPT_OUTSIDE"), None);
        assert_eq!(Wish::of_opt_out_type("STOP"), Some(Wish::Stop));
        assert_eq!(Wish::of_opt_out_type("other"), None);
    }
}
