//! The filled text is not longer than the channel takes.

use domain::{
    reason::Reason,
    template::{MAX_BODY_CHARACTERS, MAX_CONTENT_CHARACTERS},
};

use super::{Content, ContentFault, No};

pub(super) fn check(rendered: &Result<Content, ContentFault>) -> Result<(), No> {
    let (characters, limit) = match rendered {
        Ok(content) => {
            let limit = if content.content.is_some() { MAX_CONTENT_CHARACTERS } else { MAX_BODY_CHARACTERS };
            (content.text.chars().count(), limit)
        }
        Err(ContentFault::TooLong(characters)) => (*characters, 0),
        Err(_) => return Ok(()),
    };
    if characters > limit { Err(No::with(Reason::TooLong, format!("{characters} characters"))) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_templates_take_less_than_free_text() {
        let of = |characters: usize, template: bool| {
            check(&Ok(Content {
                text: "a".repeat(characters),
                content: template.then(|| ("HX1".to_owned(), "{}".to_owned())),
                media_url: None,
            }))
        };
        assert!(of(1_600, false).is_ok() && of(1_601, false).is_err());
        assert!(of(1_024, true).is_ok() && of(1_025, true).is_err());
    }
}
