//! Words that are added to the built-in ones by which people opt out, opt in and ask for help.

use domain::{
    inbound::Keyword,
    keywords::{Keywords, KeywordsPatch},
    problem::FieldError,
};

use crate::ingest;

/// Words of one's own of each kind, and how long one may be.
pub(super) const WORDS_MAX: usize = 100;
pub(super) const WORD_MAX: usize = 40;

/// Words without blanks around them, each once.
pub(super) fn tidy(keywords: &Keywords) -> Keywords {
    let each_once = |words: &[String]| {
        let mut kept: Vec<String> = Vec::new();
        for word in words.iter().map(|word| word.trim()) {
            if !kept.iter().any(|other| ingest::same_word(other, word)) {
                kept.push(word.to_owned());
            }
        }
        kept
    };
    Keywords {
        stop: each_once(&keywords.stop),
        start: each_once(&keywords.start),
        help: each_once(&keywords.help),
        yes: each_once(&keywords.yes),
    }
}

/// What is wrong with the lists that a change gives, beside those that stay.
pub(super) fn problems(change: &KeywordsPatch, former: &Keywords) -> Vec<FieldError> {
    let given = [
        ("keywords.stop", &change.stop),
        ("keywords.start", &change.start),
        ("keywords.help", &change.help),
        ("keywords.yes", &change.yes),
    ];
    let mut errors = problems_of(&change.applied(former));
    errors.retain(|error| given.iter().any(|(field, list)| list.is_some() && error.field == *field));
    errors
}

/// A word means one thing: of those that are built in and of those that are added. What is or may be an opt-out means nothing
/// but that.
fn problems_of(keywords: &Keywords) -> Vec<FieldError> {
    let lists = [
        ("keywords.stop", Keyword::Stop, &keywords.stop),
        ("keywords.start", Keyword::Start, &keywords.start),
        ("keywords.help", Keyword::Help, &keywords.help),
        ("keywords.yes", Keyword::Yes, &keywords.yes),
    ];
    let mut errors = Vec::new();
    for (field, kind, words) in lists {
        if words.len() > WORDS_MAX {
            errors.push(FieldError::new(field, format!("Use at most {WORDS_MAX} words.")));
        }
        for word in words {
            let problem = if word.chars().count() > WORD_MAX {
                Some(format!("\u{201c}{word}\u{201d} is too long: use at most {WORD_MAX} characters."))
            } else if ingest::is_no_word(word) {
                Some(format!("\u{201c}{word}\u{201d} has neither letters nor digits."))
            } else if let Some(other) = ingest::built_in(word).filter(|other| *other != kind) {
                Some(format!("\u{201c}{word}\u{201d} is built in as a word for {other}: it cannot mean {kind} too."))
            } else {
                let elsewhere = lists.iter().find(|(_, other, words)| {
                    *other != kind && words.iter().any(|other| ingest::same_word(other, word))
                });
                let elsewhere = elsewhere
                    .map(|(_, other, _)| format!("\u{201c}{word}\u{201d} is also among the words for {other}."));
                elsewhere.or_else(|| overrides(word, kind, &keywords.stop))
            };
            errors.extend(problem.map(|problem| FieldError::new(field, problem)));
        }
    }
    errors
}

/// That a word for something else would take an opt-out away.
fn overrides(word: &str, kind: Keyword, stops: &[String]) -> Option<String> {
    if kind == Keyword::Stop {
        return None;
    }
    let opt_out = ingest::opt_out_in(word, stops)?;
    Some(format!(
        "\u{201c}{word}\u{201d} may be an opt-out, by \u{201c}{opt_out}\u{201d}, which it would override: it cannot mean \
         {kind}."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_means_one_thing() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let fields = |stop: &[&str], start: &[&str]| -> Vec<String> {
            let keywords = Keywords { stop: words(stop), start: words(start), ..Keywords::default() };
            problems_of(&keywords).into_iter().map(|error| error.field).collect()
        };
        assert!(fields(&["Fuera", "STOP"], &["Dale"]).is_empty());
        assert_eq!(fields(&["start!"], &[]), ["keywords.stop"], "built in as another");
        assert_eq!(fields(&["Dale"], &["dále"]), ["keywords.stop", "keywords.start"], "in both");
        assert_eq!(fields(&[], &["please stop texting me", "Dale", "no more messages"]), ["keywords.start"; 2]);
        assert_eq!(fields(&["Fuera"], &["fuera, gracias"]), ["keywords.start"], "of those that are added, too");
        assert_eq!(fields(&["no more messages"], &[]), Vec::<String>::new());
        let help = Keywords { help: words(&["cancel my order"]), ..Keywords::default() };
        let problem = problems_of(&help).remove(0);
        assert_eq!(problem.field, "keywords.help");
        assert!(problem.message.contains("cancel my order") && problem.message.contains("\u{201c}cancel\u{201d}"));
        assert_eq!(fields(&["!?"], &[]), ["keywords.stop"]);
        assert_eq!(fields(&[&"x".repeat(41)], &[]), ["keywords.stop"]);
        let kept = tidy(&Keywords { stop: words(&[" Fuera", "FUERA", "Ya"]), ..Keywords::default() });
        assert_eq!(kept.stop, ["Fuera", "Ya"]);
        // Beside a list of an earlier version, which nobody gives now.
        let former = Keywords { start: words(&["Dale", "no more messages"]), ..Keywords::default() };
        let stop = |word: &str| KeywordsPatch { stop: Some(words(&[word])), ..KeywordsPatch::default() };
        assert_eq!(problems(&stop("Fuera"), &former), []);
        assert_eq!(problems(&stop("dale"), &former).len(), 1, "it is there for something else");
    }
}
