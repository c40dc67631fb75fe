//! Automatic replies: what can be wrong with them.

use std::collections::BTreeSet;

use domain::{
    auto_reply::{AutoReplies, AutoReply, AutoReplyWhen, NAME_MAX, PAUSE_MAX, PER_DAY_MAX, RULES_MAX},
    problem::FieldError,
    template::MAX_BODY_CHARACTERS,
    text::fold,
};
use store::Tx;

use super::words::{WORD_MAX, WORDS_MAX};
use crate::{Result, ingest, scheduler};

/// Names and words without blanks around them.
pub(super) fn tidy(replies: &AutoReplies) -> AutoReplies {
    let mut replies = replies.clone();
    for rule in &mut replies.rules {
        rule.name = rule.name.trim().to_owned();
        rule.words = rule.words.iter().map(|word| word.trim().to_owned()).collect();
        if rule.when != AutoReplyWhen::Keyword {
            rule.words.clear();
        }
        rule.text = rule.text.take().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    }
    replies
}

/// What is to be corrected, each with its field.
pub(super) async fn problems(tx: &Tx, replies: Option<&AutoReplies>) -> Result<Vec<FieldError>> {
    let Some(replies) = replies else { return Ok(Vec::new()) };
    let mut errors = limits(replies);
    let mut names = BTreeSet::new();
    for (index, rule) in replies.rules.iter().enumerate() {
        let mut wrong = |field: &str, message: String| {
            errors.push(FieldError::new(format!("auto_replies.rules[{index}].{field}"), message));
        };
        if !names.insert(fold(rule.name.trim()).into_owned()) {
            wrong("name", "Another rule has this name.".to_owned());
        }
        for (field, message) in of_rule(rule) {
            wrong(field, message);
        }
        if let Some(id) = rule.template_id
            && store::templates::find(tx, id).await?.is_none()
        {
            wrong("template_id", "There is no template with this id.".to_owned());
        }
    }
    Ok(errors)
}

fn limits(replies: &AutoReplies) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut wrong =
        |field: &str, message: String| errors.push(FieldError::new(format!("auto_replies.{field}"), message));
    if replies.rules.len() > RULES_MAX {
        wrong("rules", format!("Use at most {RULES_MAX} rules."));
    }
    if !(1..=PAUSE_MAX).contains(&replies.pause_hours) {
        wrong("pause_hours", format!("Give a number of hours from 1 to {PAUSE_MAX}."));
    }
    if !(1..=PER_DAY_MAX).contains(&replies.per_day) {
        wrong("per_day", format!("Give a number from 1 to {PER_DAY_MAX}."));
    }
    let hours = &replies.office_hours;
    if hours.timezone.as_deref().is_some_and(|name| !scheduler::is_zone(name)) {
        wrong("office_hours.timezone", "Give a time zone such as Asia/Colombo.".to_owned());
    }
    if hours.start == hours.end {
        wrong("office_hours.end", "The end is the beginning: then nobody is ever there.".to_owned());
    }
    errors
}

fn of_rule(rule: &AutoReply) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    let name = rule.name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX || name.contains('\0') {
        wrong.push(("name", format!("Use 1 to {NAME_MAX} characters.")));
    }
    let text = rule.text.as_deref().unwrap_or_default().trim();
    match (text.is_empty(), rule.template_id) {
        (true, None) => wrong.push(("text", "Write a text, or choose a template.".to_owned())),
        (false, Some(_)) => wrong.push(("text", "Either a text or a template, not both.".to_owned())),
        _ if text.chars().count() > MAX_BODY_CHARACTERS || text.contains('\0') => {
            wrong.push(("text", format!("Use at most {MAX_BODY_CHARACTERS} characters.")));
        }
        _ => {}
    }
    if rule.when == AutoReplyWhen::Keyword {
        wrong.extend(of_words(&rule.words).map(|message| ("words", message)));
    }
    wrong
}

fn of_words(words: &[String]) -> Option<String> {
    if words.is_empty() || words.len() > WORDS_MAX {
        return Some(format!("Give 1 to {WORDS_MAX} words."));
    }
    words.iter().find_map(|word| {
        if ingest::is_no_word(word) || word.chars().count() > WORD_MAX {
            return Some(format!("“{word}”: use letters and digits, at most {WORD_MAX} characters."));
        }
        ingest::built_in(word)
            .map(|kind| format!("“{word}” is built in as a word for {kind}, which has its own answer."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_rule_is_named() {
        let rule = |words: &[&str], text: &str| AutoReply {
            name: "Prices".to_owned(),
            when: AutoReplyWhen::Keyword,
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            text: Some(text.to_owned()),
            template_id: None,
            enabled: true,
        };
        let fields = |rule: &AutoReply| of_rule(rule).into_iter().map(|(field, _)| field).collect::<Vec<_>>();
        assert!(fields(&rule(&["price", "how much"], "Hi")).is_empty());
        assert_eq!(fields(&rule(&[], " ")), ["text", "words"]);
        assert_eq!(fields(&rule(&["STOP"], "Hi")), ["words"], "a keyword has its own answer");
        assert_eq!(fields(&rule(&["!"], "Hi")), ["words"]);
        assert!(limits(&AutoReplies::default()).is_empty());
        let none = AutoReplies { pause_hours: 0, per_day: 11, ..AutoReplies::default() };
        assert_eq!(limits(&none).len(), 2);
    }
}
