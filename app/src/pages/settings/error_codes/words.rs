//! What the pages say about error codes.

use domain::error_codes::{Class, Entry, ErrorCode, find};

use super::api::{CodeForm, CodeRow};
use crate::components::format;

/// Of a message that Twilio took: nothing else follows.
const FINAL: &str = "it is final";

/// What the program does by itself about a class of codes.
struct Words {
    label: &'static str,
    /// When Twilio refuses a message with such a code in its answer: that proves that nobody got it.
    refused: &'static str,
    /// When Twilio took the message, and a callback brought the code: it is not sent again, whatever the class.
    failed: &'static str,
}

impl Words {
    /// The same however the code came.
    const fn always(label: &'static str, follows: &'static str) -> Self {
        Self { label, refused: follows, failed: follows }
    }

    /// In a few words. They promise nothing to what failed on its way.
    fn short(&self) -> String {
        if self.failed == FINAL { format!("{}, if refused at once", self.label) } else { self.label.to_owned() }
    }

    /// All of it, without a full stop.
    fn follows(&self) -> String {
        if self.refused == self.failed {
            return self.refused.to_owned();
        }
        format!("refused at once, {}; failed on its way, {}", self.refused, self.failed)
    }
}

const fn words(class: Class) -> Words {
    match class {
        Class::Retry => Words {
            label: "Try again",
            refused: "the message goes out a little later, up to 16 times, and the sender slows down",
            failed: FINAL,
        },
        Class::WaitSender => Words {
            label: "Slow down",
            refused: "the sender slows down, and the message goes out later",
            failed: "the sender slows down, and the message is final",
        },
        Class::Defer => Words {
            label: "Try this person later",
            refused: "the message goes out after an hour, then after ever longer waits, for about a day",
            failed: FINAL,
        },
        Class::PermanentRecipient => {
            Words::always("Give this person up", "the message has failed; everybody else goes on")
        }
        Class::PermanentMessage => {
            Words::always("Refused text", "the message has failed; when it meets many people, the campaign is paused")
        }
        Class::OptOut => Words::always("Opt-out", "the person is recorded as opted out; nothing more goes to them"),
        Class::AccountWide => Words {
            label: "Stop the sender",
            refused: "the message waits, and nothing goes out from the sender until one gets through",
            failed: "the message is final, and nothing goes out from the sender until one gets through",
        },
        Class::Ambiguous => Words {
            label: "Look it up",
            refused: "nobody knows whether it was sent: it is looked for at Twilio before anything else",
            failed: FINAL,
        },
        Class::Informational => Words::always("Nothing", "the failure is noted, and nothing follows from it"),
    }
}

/// What an admin may choose: the fixed ones belong to their codes.
fn choices() -> Vec<(String, String)> {
    let open = Class::ALL.iter().filter(|class| !matches!(class, Class::Ambiguous | Class::OptOut));
    let choice = |class: &Class| {
        let words = words(*class);
        (class.as_str().to_owned(), format!("{}: {}", words.label, words.follows()))
    };
    let mut choices: Vec<_> = open.map(choice).collect();
    choices.push(choice(&Class::OptOut));
    choices
}

/// A class that nobody can change.
fn fixed(class: Class) -> String {
    let words = words(class);
    format!("{}: {}. This cannot be changed.", words.label, words.follows())
}

fn built_in(known: &ErrorCode) -> String {
    format!("{} {} What follows: {}.", known.meaning, known.remedy, lower(&words(known.class).short()))
}

fn lower(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

pub fn row(entry: &Entry) -> CodeRow {
    CodeRow {
        code: entry.code,
        meaning: entry.meaning.clone(),
        remedy: entry.remedy.clone(),
        follows: words(entry.class).short(),
        changed: entry.changed && entry.built_in,
        unknown: !entry.built_in && !entry.changed,
        times: entry.heard.as_ref().map(|heard| format::num(heard.times)).unwrap_or_default(),
        last_at: entry.heard.as_ref().map(|heard| heard.last_at),
        said: entry.heard.as_ref().and_then(|heard| heard.said.clone()).unwrap_or_default(),
    }
}

pub fn form(entry: &Entry) -> CodeForm {
    let heard = entry.heard.as_ref();
    CodeForm {
        code: entry.code,
        version: entry.version,
        class: entry.class.as_str().to_owned(),
        meaning: entry.meaning.clone(),
        remedy: entry.remedy.clone(),
        fixed: if entry.class_is_fixed { fixed(entry.class) } else { String::new() },
        built_in: find(entry.code).filter(|_| entry.changed).map(built_in),
        heard: heard.map_or_else(
            || "Never so far".to_owned(),
            |heard| if heard.times == 1 { "Once".to_owned() } else { format!("{} times", format::num(heard.times)) },
        ),
        said: heard.and_then(|heard| heard.said.clone()).unwrap_or_default(),
        classes: choices(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_words_of_its_own() {
        let mut labels: Vec<_> = Class::ALL.iter().map(|class| words(*class).label).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Class::ALL.len());
        assert!(choices().iter().any(|(_, label)| label
            == "Refused text: the message has failed; when it meets many people, the campaign is paused"));
    }

    #[test]
    fn no_class_promises_another_try_to_what_failed_on_its_way() {
        for class in Class::ALL {
            let words = words(*class);
            let is_told = ["final", "failed", "noted", "opted out"].iter().any(|word| words.failed.contains(word));
            assert!(is_told, "{}: {}", words.label, words.failed);
        }
        let unreachable = Entry {
            code: 30_003,
            class: Class::Defer,
            meaning: String::new(),
            remedy: String::new(),
            built_in: true,
            changed: false,
            class_is_fixed: false,
            heard: None,
            version: 0,
        };
        assert_eq!(row(&unreachable).follows, "Try this person later, if refused at once");
        let choices = form(&unreachable).classes;
        let (_, defer) = choices.iter().find(|(word, _)| word == Class::Defer.as_str()).expect("a choice");
        assert_eq!(
            defer,
            "Try this person later: refused at once, the message goes out after an hour, then after ever longer waits, \
             for about a day; failed on its way, it is final"
        );
    }
}
