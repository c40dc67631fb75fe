//! What the pages say about error codes.

use domain::error_codes::{Class, Entry, find};

use super::api::{CodeForm, CodeRow};
use crate::components::format;

/// The label of a class, and what the program does by itself.
const fn words(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Retry => {
            ("Try again", "The sender slows down, and the message goes out a little later, up to 16 times.")
        }
        Class::WaitSender => ("Slow down", "The sender is too fast: it slows down, and the message goes out later."),
        Class::Defer => ("Try this person later", "After an hour, then after ever longer waits, for about a day."),
        Class::PermanentRecipient => ("Give this person up", "The message has failed; everybody else goes on."),
        Class::PermanentMessage => {
            ("Refused text", "The message has failed; when it meets many people, the campaign is paused.")
        }
        Class::OptOut => ("Opt-out", "The person is recorded as opted out; nothing more goes to them."),
        Class::AccountWide => {
            ("Stop the sender", "The message waits, and nothing goes out from the sender until one gets through.")
        }
        Class::Ambiguous => {
            ("Look it up", "Nobody knows whether it was sent: it is looked for at Twilio before anything else.")
        }
        Class::Informational => ("Nothing", "The failure is noted, and nothing follows from it."),
    }
}

/// What an admin may choose: the fixed ones belong to their codes.
fn choices() -> Vec<(String, String)> {
    let open = Class::ALL.iter().filter(|class| !matches!(class, Class::Ambiguous | Class::OptOut));
    let choice = |class: &Class| {
        let (label, does) = words(*class);
        (class.as_str().to_owned(), format!("{label}: {}", lower(does)))
    };
    let mut choices: Vec<_> = open.map(choice).collect();
    choices.push(choice(&Class::OptOut));
    choices
}

fn lower(text: &str) -> String {
    let mut characters = text.trim_end_matches('.').chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

pub fn row(entry: &Entry) -> CodeRow {
    CodeRow {
        code: entry.code,
        meaning: entry.meaning.clone(),
        remedy: entry.remedy.clone(),
        follows: words(entry.class).0.to_owned(),
        changed: entry.changed && entry.built_in,
        unknown: !entry.built_in && !entry.changed,
        times: entry.heard.as_ref().map(|heard| format::num(heard.times)).unwrap_or_default(),
        last_at: entry.heard.as_ref().map(|heard| heard.last_at),
        said: entry.heard.as_ref().and_then(|heard| heard.said.clone()).unwrap_or_default(),
    }
}

pub fn form(entry: &Entry) -> CodeForm {
    let (label, does) = words(entry.class);
    let heard = entry.heard.as_ref();
    CodeForm {
        code: entry.code,
        version: entry.version,
        class: entry.class.as_str().to_owned(),
        meaning: entry.meaning.clone(),
        remedy: entry.remedy.clone(),
        fixed: if entry.class_is_fixed { format!("{label}. {does} This cannot be changed.") } else { String::new() },
        built_in: find(entry.code)
            .filter(|_| entry.changed)
            .map(|known| format!("{} {} What follows: {}.", known.meaning, known.remedy, lower(words(known.class).0))),
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
        let mut labels: Vec<_> = Class::ALL.iter().map(|class| words(*class).0).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Class::ALL.len());
        assert!(choices().iter().any(|(_, label)| label
            == "Refused text: the message has failed; when it meets many people, the campaign is paused"));
    }
}
