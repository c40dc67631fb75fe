//! Refusals: words that say no to what is named behind them, and what of it is ours.

use super::{Meaning, TABLE, Wish, clearest, find, without_courtesy};

/// Whether our messages are refused in a text: "I don't want these messages". Where more is said of them than that, it may be
/// some of them only: that is a hint.
pub(super) fn refused(text: &str) -> Meaning {
    clearest(TABLE.refusals.iter().map(|words| refused_by(text, words)))
}

fn refused_by(text: &str, words: &str) -> Meaning {
    let mut found = Meaning::Nothing;
    let mut rest = text;
    while let Some(at) = find(rest, words) {
        rest = &rest[at + words.len()..];
        let refused = rest.trim_start();
        // The longest: "messages" is not all of "messages from you".
        let objects = TABLE.objects.iter().filter(|object| begins_with(refused, object));
        let Some(object) = objects.max_by_key(|object| object.len()) else { continue };
        if narrows_nothing(&without_courtesy(&refused[object.len()..])) {
            return Meaning::Wish(Wish::Stop);
        }
        found = Meaning::Hint;
    }
    found
}

/// Whether nothing but fillers is said.
fn narrows_nothing(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let fillers = TABLE.fillers.iter().filter(|filler| begins_with(rest, filler));
        let Some(filler) = fillers.max_by_key(|filler| filler.len()) else { return false };
        rest = rest[filler.len()..].trim_start();
    }
    true
}

fn begins_with(text: &str, words: &str) -> bool {
    find(text, words) == Some(0)
}
