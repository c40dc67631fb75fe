//! The variables of an approved content template. Sources: Twilio errors 21656, 63013 and 63028; WhatsApp refuses line
//! breaks, tabs and more than four blanks in a row inside a value.

use super::RenderError;

const MAX_CHARACTERS: usize = 1_600;
const MAX_BLANKS: usize = 4;

/// A value as WhatsApp takes it: line breaks, tabs and long runs of blanks become one blank.
pub(super) fn value(key: &str, text: &str) -> Result<String, RenderError> {
    let mut value = String::with_capacity(text.len());
    let mut blanks = String::new();
    for c in text.trim().chars() {
        if c.is_whitespace() {
            blanks.push(c);
            continue;
        }
        let keep = blanks.chars().all(|blank| blank == ' ') && blanks.len() <= MAX_BLANKS;
        value.push_str(if keep || blanks.is_empty() { &blanks } else { " " });
        blanks.clear();
        value.push(c);
    }
    let characters = value.chars().count();
    match characters {
        // WhatsApp refuses an empty value, and Twilio would put the template's sample in its place.
        0 => Err(RenderError::Missing { variable: format!("content_variables.{key}") }),
        _ if characters > MAX_CHARACTERS => Err(RenderError::TooLong { characters, limit: MAX_CHARACTERS }),
        _ => Ok(value),
    }
}

/// `{"1":"Ann","2":"5 July"}`.
pub(super) fn json(variables: &[(&str, String)]) -> String {
    let object: serde_json::Map<String, serde_json::Value> =
        variables.iter().map(|(key, value)| ((*key).to_owned(), value.as_str().into())).collect();
    serde_json::Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_that_whatsapp_refuses_become_one() {
        assert_eq!(value("1", " 12 Galle Road\r\n\tColombo ").as_deref(), Ok("12 Galle Road Colombo"));
        assert_eq!(value("1", "a    b").as_deref(), Ok("a    b"));
        assert_eq!(value("1", "a     b").as_deref(), Ok("a b"));
        assert_eq!(value("2", " \n "), Err(RenderError::Missing { variable: "content_variables.2".to_owned() }));
        assert!(matches!(value("3", &"x".repeat(1_601)), Err(RenderError::TooLong { .. })));
    }
}
