//! A template with all its variants, parsed once and rendered for many.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use domain::{
    contact::Attributes,
    message::Channel,
    problem::FieldError,
    template::{MAX_BODY_CHARACTERS, MAX_CONTENT_CHARACTERS, TemplateProblem, Variant},
};
use minijinja::Environment;

use super::{
    check, content_variables,
    facts::{Facts, OWN, Path, Recipient, Root},
    missing, sandbox,
};

/// What is handed over to the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The text as the person reads it; of a content template, our rendering of it.
    pub text: String,
    /// The approved content template (`HX…`).
    pub content_sid: Option<String>,
    /// Its variables, a JSON object of texts.
    pub content_variables: Option<String>,
    pub media_url: Option<String>,
}

/// Why there is nothing to hand over for this person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error("no value for {variable}")]
    Missing { variable: String },
    #[error("{characters} characters, {limit} are allowed")]
    TooLong { characters: usize, limit: usize },
    /// The template itself, or a value that it cannot work with.
    #[error("line {line}: {message}")]
    Invalid { line: u32, message: String },
}

/// A version of a template, ready to render.
#[derive(Debug)]
pub struct Compiled {
    environment: Environment<'static>,
    variants: Vec<CompiledVariant>,
    /// By locale, in lower case with dashes.
    locales: BTreeMap<String, usize>,
    default: usize,
    channel: Channel,
}

#[derive(Debug)]
struct CompiledVariant {
    body: Source,
    content_sid: Option<String>,
    content_variables: Vec<(String, Source)>,
    media_url: Option<Source>,
}

/// One text in the environment, and the variables it reads.
#[derive(Debug)]
pub(super) struct Source {
    pub name: String,
    pub roots: Vec<Root>,
    pub paths: Vec<Path>,
}

impl Compiled {
    /// Parses all variants.
    ///
    /// # Errors
    /// Everything that is wrong, each with its field and line: `variants.en.body`, "line 3: …".
    pub fn new(
        channel: Channel,
        default_locale: &str,
        variants: &BTreeMap<String, Variant>,
    ) -> Result<Self, Vec<FieldError>> {
        let mut builder = Builder { environment: sandbox::environment(), errors: Vec::new() };
        let compiled: Vec<CompiledVariant> =
            variants.iter().map(|(locale, variant)| builder.variant(locale, variant)).collect();
        let locales: BTreeMap<String, usize> =
            variants.keys().enumerate().map(|(index, locale)| (normal(locale), index)).collect();
        let default = locales.get(&normal(default_locale)).copied();
        if default.is_none() {
            let message = format!("There is no text in the default language `{default_locale}`.");
            builder.errors.push(FieldError::new("default_locale", message));
        }
        match default {
            Some(default) if builder.errors.is_empty() => {
                Ok(Self { environment: builder.environment, variants: compiled, locales, default, channel })
            }
            _ => Err(builder.errors),
        }
    }

    /// The text for one person, in their language: exactly theirs, else the language without its region, else the
    /// default. `extra` are values that go before the person's attributes.
    ///
    /// # Errors
    /// When a value is missing, the text is too long, or a value is not what the template needs.
    pub fn render(&self, recipient: &Recipient<'_>, extra: &Attributes) -> Result<Rendered, RenderError> {
        let facts = Facts { recipient: *recipient, extra };
        let variant = self.variant(recipient.locale);
        let text = self.fill(&variant.body, &facts)?;
        let limit = if variant.content_sid.is_some() { MAX_CONTENT_CHARACTERS } else { MAX_BODY_CHARACTERS };
        let characters = text.chars().count();
        if characters > limit {
            return Err(RenderError::TooLong { characters, limit });
        }
        if text.trim().is_empty() {
            return Err(RenderError::Invalid { line: 1, message: "The text is empty.".to_owned() });
        }
        let variables = variant
            .content_variables
            .iter()
            .map(|(key, source)| Ok((key.as_str(), content_variables::value(key, &self.fill(source, &facts)?)?)))
            .collect::<Result<Vec<_>, RenderError>>()?;
        Ok(Rendered {
            text,
            content_sid: variant.content_sid.clone(),
            content_variables: variant.content_sid.as_ref().map(|_| content_variables::json(&variables)),
            media_url: variant.media_url.as_ref().map(|source| self.fill(source, &facts)).transpose()?,
        })
    }

    /// Whether what this person would get is text of our own, not an approved content template.
    #[must_use]
    pub fn is_free_text(&self, locale: Option<&str>) -> bool {
        self.variant(locale).content_sid.is_none()
    }

    /// Whether there is a text in this language, be it without its region.
    #[must_use]
    pub fn has_variant(&self, locale: &str) -> bool {
        self.place_of(locale).is_some()
    }

    /// Whether a text carries the link to the recipient's own page, which is another one in each message.
    #[must_use]
    pub fn has_own_page(&self) -> bool {
        let is_link = |root: &Root| root.name.starts_with("preferences_");
        self.sources().flat_map(|source| &source.roots).any(is_link)
    }

    #[must_use]
    pub const fn channel(&self) -> Channel {
        self.channel
    }

    /// The attributes that the variants read, sorted.
    #[must_use]
    pub fn variables(&self) -> Vec<String> {
        let names: BTreeSet<String> = self
            .sources()
            .flat_map(|source| &source.paths)
            .filter(|path| !matches!(path.as_slice(), [name] if OWN.contains(&name.as_str())))
            .map(|path| path.join("."))
            .map(|path| path.strip_prefix("attributes.").map_or(path.clone(), str::to_owned))
            .collect();
        names.into_iter().collect()
    }

    fn sources(&self) -> impl Iterator<Item = &Source> {
        self.variants.iter().flat_map(|variant| {
            let others = variant.content_variables.iter().map(|(_, source)| source).chain(&variant.media_url);
            std::iter::once(&variant.body).chain(others)
        })
    }

    fn variant(&self, locale: Option<&str>) -> &CompiledVariant {
        let found = locale.and_then(|locale| self.place_of(locale));
        &self.variants[found.unwrap_or(self.default)]
    }

    fn place_of(&self, locale: &str) -> Option<usize> {
        let locale = normal(locale);
        let language = locale.split('-').next().unwrap_or_default();
        self.locales.get(&locale).or_else(|| self.locales.get(language)).copied()
    }

    fn fill(&self, source: &Source, facts: &Facts<'_>) -> Result<String, RenderError> {
        fill(&self.environment, source, facts, &[])
            .map_err(|error| missing::explain(&self.environment, source, facts, &error))
    }
}

/// Fills one text, with stand-ins for missing variables.
pub(super) fn fill(
    environment: &Environment<'_>,
    source: &Source,
    facts: &Facts<'_>,
    stand_ins: &[Path],
) -> Result<String, minijinja::Error> {
    environment.get_template(&source.name)?.render(facts.context(&source.roots, stand_ins))
}

/// `pt_BR` and `pt-br` are the same.
fn normal(locale: &str) -> String {
    locale.trim().to_ascii_lowercase().replace('_', "-")
}

/// Puts texts into an environment and collects what is wrong with them.
pub(super) struct Builder {
    pub environment: Environment<'static>,
    errors: Vec<FieldError>,
}

impl Builder {
    fn variant(&mut self, locale: &str, variant: &Variant) -> CompiledVariant {
        let field = |part: &str| format!("variants.{locale}.{part}");
        let faults = self.errors.len();
        let content_variables = variant
            .content_variables
            .iter()
            .map(|(key, text)| (key.clone(), self.source(&field(&format!("content_variables.{key}")), text)))
            .collect();
        // What is wrong with a variable is said of the variable, not once more of each place where it stands.
        let body = if self.errors.len() == faults { variant.text() } else { Cow::Borrowed(&*variant.body) };
        CompiledVariant {
            body: self.source(&field("body"), &body),
            content_sid: variant.content_sid.clone(),
            content_variables,
            media_url: variant.media_url.as_ref().map(|url| self.source(&field("media_url"), url)),
        }
    }

    fn source(&mut self, field: &str, text: &str) -> Source {
        source(&mut self.environment, field, text).unwrap_or_else(|problems| {
            let errors = problems
                .into_iter()
                .map(|TemplateProblem { line, message }| FieldError::new(field, format!("line {line}: {message}")));
            self.errors.extend(errors);
            Source { name: field.to_owned(), roots: Vec::new(), paths: Vec::new() }
        })
    }
}

/// Parses one text into the environment.
pub(super) fn source(
    environment: &mut Environment<'static>,
    name: &str,
    text: &str,
) -> Result<Source, Vec<TemplateProblem>> {
    let problems = check::unknown_names(text);
    if !problems.is_empty() {
        return Err(problems);
    }
    environment
        .add_template_owned(name.to_owned(), text.to_owned())
        .map_err(|error| vec![TemplateProblem { line: missing::line(&error), message: missing::words(&error) }])?;
    let template = environment
        .get_template(name)
        .map_err(|error| vec![TemplateProblem { line: missing::line(&error), message: missing::words(&error) }])?;
    let mut paths: Vec<Path> = template
        .undeclared_variables(true)
        .iter()
        .map(|path| path.split('.').map(str::to_owned).collect())
        .filter(|path: &Path| {
            path.first().is_some_and(|first| first != "loop" && !sandbox::FUNCTIONS.contains(&first.as_str()))
        })
        .collect();
    paths.sort_unstable();
    let mut roots: Vec<Root> = Vec::new();
    for path in &paths {
        let is_parent = path.len() > 1;
        match roots.iter_mut().find(|root| root.name == path[0]) {
            Some(root) => root.is_parent |= is_parent,
            None => roots.push(Root { name: path[0].clone(), is_parent }),
        }
    }
    // The filter `date` tells times in the person's zone.
    if text.contains("date") && !roots.iter().any(|root| root.name == "timezone") {
        roots.push(Root { name: "timezone".to_owned(), is_parent: false });
    }
    Ok(Source { name: name.to_owned(), roots, paths })
}
