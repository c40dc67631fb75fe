//! The text of a message: its template filled for the person, or what somebody wrote.

use std::sync::Arc;

use domain::{
    consent::Category,
    contact::{Attributes, Contact},
    ids::TemplateId,
    template::Template,
};
use store::messages::{Claimed, ClaimedContact};

use super::LaneContext;
use crate::{
    Engine, Error, Result,
    config::Config,
    decide::{Content, ContentFault},
    own_page::Link,
    templates::{Compiled, Recipient, RenderError, Rendered},
};

/// Where a message's text comes from.
pub(super) enum Text<'a> {
    Template(Arc<Compiled>, Category),
    /// Somebody wrote it to this person.
    Written(&'a str),
    /// The template's version is not there any more.
    Gone,
}

/// A version of a template, ready to be filled.
pub(super) async fn compiled(engine: &Engine, (id, version): (TemplateId, i64)) -> Result<Arc<Compiled>> {
    engine.inner().templates.version(engine.db(), id, version).await
}

/// What is wrong with the version itself; none when it is the database that is away.
pub(super) fn fault_of_version(error: &Error) -> Option<String> {
    match error {
        Error::NotFound { .. } => Some("it is gone".to_owned()),
        Error::Internal(source) => match source.downcast_ref::<store::Error>() {
            Some(store::Error::Corrupt { column, .. }) => Some(format!("this program cannot read its {column}")),
            _ => source.downcast_ref::<Error>().map(ToString::to_string),
        },
        _ => None,
    }
}

/// The text of this message: a run's template, a single send's own one, or its words.
pub(super) async fn text_of<'a>(engine: &Engine, context: &LaneContext, message: &'a Claimed) -> Result<Text<'a>> {
    if let Some(run) = &context.run {
        return Ok(Text::Template(run.template.clone(), run.rules.category));
    }
    match (message.template, &message.body) {
        (Some((id, version, category)), _) => match compiled(engine, (id, version)).await {
            Ok(template) => Ok(Text::Template(template, category)),
            Err(Error::NotFound { .. }) => Ok(Text::Gone),
            Err(error) => Err(error),
        },
        (None, Some(body)) => Ok(Text::Written(body)),
        (None, None) => Ok(Text::Gone),
    }
}

impl Text<'_> {
    /// What the message is for; none for words that somebody wrote.
    pub const fn category(&self) -> Option<Category> {
        match self {
            Self::Template(_, category) => Some(*category),
            Self::Written(_) | Self::Gone => None,
        }
    }

    /// Whether it is text of our own and not an approved content template.
    pub fn is_free(&self, locale: Option<&str>) -> bool {
        match self {
            Self::Template(template, _) => template.is_free_text(locale),
            Self::Written(_) | Self::Gone => true,
        }
    }

    /// Fills it for the person.
    pub fn render(&self, config: &Config, message: &Claimed) -> Result<Content, ContentFault> {
        match (self, &message.contact) {
            (Self::Template(template, _), Some(_)) => fill(config, template, message),
            (Self::Written(text), _) => Ok(Content { text: (*text).to_owned(), ..Content::default() }),
            (Self::Gone, _) | (_, None) => Err(ContentFault::Broken("the template is gone".to_owned())),
        }
    }
}

/// A message filled by a template.
pub(super) fn fill(config: &Config, template: &Compiled, message: &Claimed) -> Result<Content, ContentFault> {
    let Some(contact) = &message.contact else { return Err(ContentFault::Broken("the person is gone".to_owned())) };
    let own_page = Link::to(config, message.contact_id, message.id);
    template.render(&recipient(contact, own_page), &message.variables).map(content).map_err(fault)
}

fn recipient<'a>(contact: &'a ClaimedContact, own_page: Link<'a>) -> Recipient<'a> {
    Recipient {
        phone: &contact.phone,
        name: contact.name.as_deref(),
        country: contact.country.as_deref(),
        locale: contact.locale.as_deref(),
        timezone: contact.timezone.as_deref(),
        attributes: &contact.attributes,
        own_page,
    }
}

fn content(rendered: Rendered) -> Content {
    let variables = rendered.content_variables.unwrap_or_else(|| "{}".to_owned());
    Content {
        text: rendered.text,
        content: rendered.content_sid.map(|sid| (sid, variables)),
        media_url: rendered.media_url,
    }
}

fn fault(error: RenderError) -> ContentFault {
    match error {
        RenderError::Missing { variable } => ContentFault::Missing(variable),
        RenderError::TooLong { characters, .. } => ContentFault::TooLong(characters),
        RenderError::Invalid { line, message } => ContentFault::Broken(format!("line {line}: {message}")),
    }
}

/// A template's text for one person, or what is in the way of it; for showing only.
pub(crate) fn sample(engine: &Engine, template: &Template, contact: &Contact, extra: &Attributes) -> Option<String> {
    let compiled = Compiled::new(template.channel, &template.default_locale, &template.variants).ok()?;
    let recipient = Recipient {
        phone: &contact.phone,
        name: contact.name.as_deref(),
        country: contact.country.as_deref(),
        locale: contact.locale.as_deref(),
        timezone: contact.timezone.as_deref(),
        attributes: &contact.attributes,
        own_page: Link::Sample { base: &engine.config().public_url },
    };
    compiled.render(&recipient, extra).ok().map(|rendered| rendered.text)
}
