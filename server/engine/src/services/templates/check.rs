//! What is wrong with a template before it is stored.

use domain::{
    content_template::numbered,
    problem::FieldError,
    template::{Button, Template, Variant},
};

use crate::{Error, Result, templates::Compiled};

const MAX_NAME: usize = 100;
const MAX_VARIANTS: usize = 50;
const MAX_LOCALE: usize = 16;
/// Characters of a template's text before it is filled.
pub(super) const MAX_SOURCE: usize = 10_000;
/// Twilio: at most 100 variables, keys of up to 16 characters.
const MAX_VARIABLES: usize = 100;
const MAX_KEY: usize = 16;
const MAX_URL: usize = 2_000;
/// WhatsApp's limits of quick replies.
const MAX_BUTTONS: usize = 10;
const MAX_TITLE: usize = 25;
const MAX_PAYLOAD: usize = 256;

/// The template with its texts trimmed and the variables it reads.
///
/// # Errors
/// `Invalid` with everything that is wrong, each with its field, and its line where it has one.
pub(super) fn checked(mut template: Template) -> Result<Template> {
    let mut errors = Vec::new();
    template.name = template.name.trim().to_owned();
    let name = &template.name;
    if name.is_empty() || name.chars().count() > MAX_NAME || name.contains('\0') {
        errors.push(FieldError::new("name", format!("Use 1 to {MAX_NAME} characters.")));
    }
    if template.variants.is_empty() || template.variants.len() > MAX_VARIANTS {
        errors.push(FieldError::new("variants", format!("Give the text in 1 to {MAX_VARIANTS} languages.")));
    }
    for (locale, variant) in &mut template.variants {
        let mut fields = Fields { prefix: format!("variants.{locale}"), errors: &mut errors };
        if !is_locale(locale) {
            fields.refuse("", "Use a language such as en or pt-BR.");
        }
        fields.variant(variant);
    }
    match Compiled::new(template.channel, &template.default_locale, &template.variants) {
        Ok(compiled) => template.variables = compiled.variables(),
        Err(more) => errors.extend(more),
    }
    Error::unless_valid(errors)?;
    Ok(template)
}

/// A language, perhaps with script and region: `en`, `pt-BR`, `zh_Hant_TW`.
fn is_locale(text: &str) -> bool {
    let mut parts = text.split(['-', '_']);
    let language = parts.next().unwrap_or_default();
    text.len() <= MAX_LOCALE
        && (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

struct Fields<'a> {
    prefix: String,
    errors: &'a mut Vec<FieldError>,
}

impl Fields<'_> {
    fn refuse(&mut self, part: &str, message: impl Into<String>) {
        let dot = if part.is_empty() { "" } else { "." };
        self.errors.push(FieldError::new(format!("{}{dot}{part}", self.prefix), message));
    }

    fn variant(&mut self, variant: &mut Variant) {
        for optional in [&mut variant.content_sid, &mut variant.media_url] {
            *optional = optional.take().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        }
        if variant.body.trim().is_empty() {
            self.refuse("body", "Write what is to be said.");
        } else if variant.body.chars().count() > MAX_SOURCE || variant.body.contains('\0') {
            self.refuse("body", format!("Use at most {MAX_SOURCE} characters."));
        }
        self.content(variant);
        self.media(variant);
        self.buttons(&variant.buttons);
    }

    fn content(&mut self, variant: &Variant) {
        if let Some(sid) = &variant.content_sid
            && !(sid.starts_with("HX") && sid.len() <= 64 && sid.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        {
            self.refuse("content_sid", "A content SID begins with HX; copy it from Twilio's Content Template Builder.");
        }
        if variant.content_sid.is_none() && !variant.content_variables.is_empty() {
            self.refuse(
                "content_variables",
                "These belong to a content template: give its content_sid, or remove them.",
            );
        }
        if variant.content_sid.is_some() {
            for key in numbered(&variant.body).into_iter().filter(|key| !variant.content_variables.contains_key(*key)) {
                let text =
                    format!("The text has a place {{{{{key}}}}}: say what to fill in, such as {{{{ first_name }}}}.");
                self.refuse(&format!("content_variables.{key}"), text);
            }
        }
        if variant.content_variables.len() > MAX_VARIABLES {
            self.refuse("content_variables", format!("A content template has at most {MAX_VARIABLES} variables."));
        }
        for (key, text) in &variant.content_variables {
            let part = format!("content_variables.{key}");
            let well_formed = (1..=MAX_KEY).contains(&key.len())
                && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !well_formed {
                self.refuse(&part, format!("A variable is a number or a name of up to {MAX_KEY} letters and digits."));
            }
            if text.trim().is_empty() || text.chars().count() > MAX_SOURCE {
                self.refuse(&part, "Say what to fill in, such as {{ first_name }}. WhatsApp refuses empty values.");
            }
        }
    }

    fn media(&mut self, variant: &Variant) {
        let Some(url) = &variant.media_url else { return };
        if !(url.starts_with("https://") || url.starts_with("http://")) || url.len() > MAX_URL {
            self.refuse("media_url", "Give an address that begins with https:// and can be reached by Twilio.");
        }
        if variant.content_sid.is_some() {
            self.refuse(
                "media_url",
                "A content template brings its own media (Twilio error 63030): remove one of the two.",
            );
        }
    }

    fn buttons(&mut self, buttons: &[Button]) {
        if buttons.len() > MAX_BUTTONS {
            self.refuse("buttons", format!("There are at most {MAX_BUTTONS} buttons."));
        }
        for (index, button) in buttons.iter().enumerate() {
            let title = button.title.trim().chars().count();
            if !(1..=MAX_TITLE).contains(&title) {
                self.refuse(&format!("buttons[{index}].title"), format!("Use 1 to {MAX_TITLE} characters."));
            }
            if button.payload.as_ref().is_some_and(|payload| payload.chars().count() > MAX_PAYLOAD) {
                self.refuse(&format!("buttons[{index}].payload"), format!("Use at most {MAX_PAYLOAD} characters."));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{consent::Category, ids::TemplateId, message::Channel, time::Timestamp};
    use serde_json::{Value, json};

    use super::*;

    fn fields(variants: Value) -> Vec<String> {
        let template = Template {
            id: TemplateId(uuid::Uuid::nil()),
            name: " Hello ".to_owned(),
            channel: Channel::Whatsapp,
            category: Category::Marketing,
            default_locale: "en".to_owned(),
            variants: serde_json::from_value(variants).unwrap(),
            variables: Vec::new(),
            version: 1,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        };
        match checked(template) {
            Ok(template) => {
                assert_eq!(template.name, "Hello");
                Vec::new()
            }
            Err(Error::Invalid(errors)) => errors.into_iter().map(|error| error.field).collect(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn good_templates_pass() {
        assert!(fields(json!({"en": {"body": "Hi {{ first_name }}"}, "pt-BR": {"body": "Oi"}})).is_empty());
        assert!(
            fields(json!({"en": {"body": "Hi", "content_sid": "HX1", "content_variables": {"1": "{{ a }}"}}}))
                .is_empty()
        );
        assert!(fields(json!({"en": {"body": "Hi", "content_sid": " ", "media_url": ""}})).is_empty());
    }

    #[test]
    fn every_fault_has_its_field() {
        for (variants, field) in [
            (json!({}), "variants"),
            (json!({"en": {"body": " "}}), "variants.en.body"),
            (json!({"en": {"body": "{{ x|shout }}"}}), "variants.en.body"),
            (json!({"en": {"body": "x"}, "english": {"body": "x"}}), "variants.english"),
            (json!({"en": {"body": "x", "content_sid": "MG1"}}), "variants.en.content_sid"),
            (json!({"en": {"body": "x", "content_variables": {"1": "x"}}}), "variants.en.content_variables"),
            (
                json!({"en": {"body": "x", "content_sid": "HX1", "content_variables": {"1": ""}}}),
                "variants.en.content_variables.1",
            ),
            (
                json!({"en": {"body": "x", "content_sid": "HX1", "content_variables": {"a b": "x"}}}),
                "variants.en.content_variables.a b",
            ),
            (json!({"en": {"body": "x", "media_url": "ftp://x"}}), "variants.en.media_url"),
            (json!({"en": {"body": "x", "content_sid": "HX1", "media_url": "https://x"}}), "variants.en.media_url"),
            (json!({"en": {"body": "x", "buttons": [{"title": ""}]}}), "variants.en.buttons[0].title"),
            (
                json!({"en": {"body": "{{1}} {{2}}", "content_sid": "HX1", "content_variables": {"1": "x"}}}),
                "variants.en.content_variables.2",
            ),
            (
                json!({"en": {"body": "Hi {{1}}", "content_sid": "HX1", "content_variables": {"1": "{{ x|shout }}"}}}),
                "variants.en.content_variables.1",
            ),
            (json!({"de": {"body": "x"}}), "default_locale"),
        ] {
            assert_eq!(fields(variants.clone()).first().map(String::as_str), Some(field), "{variants}");
        }
    }
}
