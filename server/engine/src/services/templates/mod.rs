//! Templates: what is said, by locale and version.

mod check;

use domain::{
    contact::{Attributes, Contact},
    ids::TemplateId,
    page::{Page, PageRequest},
    phone::Phone,
    problem::FieldError,
    role::Permission,
    template::{Fallback, NewTemplate, Preview, PreviewRequest, Template, TemplatePatch, TemplateProblem, Variant},
};
use serde_json::json;

use crate::{
    Actor, Engine, Error, Result,
    cursor::{Cursor, page_of, rows_to_ask_for},
    own_page::Link,
    require,
    services::stale::stale,
    templates::{Recipient, preview, with_fallback},
};

const NO_TEMPLATE: Error = Error::NotFound { what: "template" };

/// Whose phone number stands in a preview for nobody in particular.
const SAMPLE_PHONE: &str = "+14155550100";

/// Characters of what is written for people without a value.
const MAX_FALLBACK: usize = 100;

/// See [`Engine::templates`].
pub struct TemplateService<'a>(&'a Engine);

impl Engine {
    /// Templates: what is said, by locale and version.
    #[must_use]
    pub const fn templates(&self) -> TemplateService<'_> {
        TemplateService(self)
    }
}

impl TemplateService<'_> {
    /// A page of templates, newest first; with `q` those whose name contains it.
    ///
    /// # Errors
    /// `Invalid` for a bad cursor or limit.
    pub async fn list(&self, actor: &Actor, q: Option<&str>, page: &PageRequest) -> Result<Page<Template>> {
        require(actor, Permission::Read)?;
        let before = Cursor::read(page, |parts| match parts {
            [id] => id.parse().ok(),
            _ => None,
        })?;
        let rows = store::templates::list(self.0.db().reader(), q, before, rows_to_ask_for(page)?).await?;
        Ok(page_of(rows, page, |last| Cursor::new([last.id])))
    }

    /// One template in its latest version.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, actor: &Actor, id: TemplateId) -> Result<Template> {
        require(actor, Permission::Read)?;
        store::templates::find(self.0.db().reader(), id).await?.ok_or(NO_TEMPLATE)
    }

    /// Stores a template with its first version.
    ///
    /// # Errors
    /// `Invalid` with what is wrong, by field and line, `Conflict` when the name is taken.
    pub async fn create(&self, actor: &Actor, new: NewTemplate) -> Result<Template> {
        require(actor, Permission::Write)?;
        let now = self.0.now();
        let template = check::checked(Template {
            id: TemplateId(self.0.new_uuid()),
            name: new.name,
            channel: new.channel,
            category: new.category,
            default_locale: new.default_locale,
            variants: new.variants,
            variables: Vec::new(),
            version: 1,
            created_at: now,
            updated_at: now,
        })?;
        let tx = self.0.begin(actor).await?;
        store::templates::insert(&tx, &template).await.map_err(|error| name_taken(error, &template.name))?;
        audit(&tx, actor, "create", &template).await?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(template)
    }

    /// Makes a new version. Runs that began keep the version they began with.
    ///
    /// # Errors
    /// `Invalid` with what is wrong, by field and line, `NotFound`, `Stale`, `Conflict` for a name that is taken.
    pub async fn update(&self, actor: &Actor, id: TemplateId, patch: TemplatePatch) -> Result<Template> {
        require(actor, Permission::Write)?;
        let tx = self.0.begin(actor).await?;
        let former = store::templates::find(&tx, id).await?.ok_or(NO_TEMPLATE)?;
        if patch.version.is_some_and(|read| read != former.version) {
            return Err(stale(&patch, &former));
        }
        let template = check::checked(Template {
            name: patch.name.unwrap_or_else(|| former.name.clone()),
            category: patch.category.unwrap_or(former.category),
            default_locale: patch.default_locale.unwrap_or_else(|| former.default_locale.clone()),
            variants: patch.variants.unwrap_or_else(|| former.variants.clone()),
            ..former.clone()
        })?;
        if template == former {
            return Ok(former);
        }
        let template = Template { version: former.version + 1, updated_at: self.0.now(), ..template };
        store::templates::update(&tx, &template).await.map_err(|error| name_taken(error, &template.name))?;
        audit(&tx, actor, "update", &template).await?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(template)
    }

    /// Says what to write for people who have no value for a variable, wherever the texts write it out. Makes a new version.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` where the words cannot be used, or the variable is not written out without a fallback.
    pub async fn set_fallback(&self, actor: &Actor, id: TemplateId, fallback: &Fallback) -> Result<Template> {
        require(actor, Permission::Write)?;
        let words = fallback.words.trim();
        if words.is_empty() || words.chars().count() > MAX_FALLBACK || words.contains(['{', '}', '\n']) {
            let text = format!("Use 1 to {MAX_FALLBACK} characters in one line, without braces.");
            return Err(Error::invalid("words", text));
        }
        let former = self.get(actor, id).await?;
        let filled = |text: &String| with_fallback(text, &fallback.variable, words);
        let variants = former.variants.iter().map(|(locale, variant)| {
            let content_variables =
                variant.content_variables.iter().map(|(key, text)| (key.clone(), filled(text))).collect();
            let media_url = variant.media_url.as_ref().map(filled);
            (locale.clone(), Variant { body: filled(&variant.body), content_variables, media_url, ..variant.clone() })
        });
        let variants = variants.collect();
        if variants == former.variants {
            let text = "The template does not simply write this out: open it, and add the fallback where it is used.";
            return Err(Error::invalid("variable", text));
        }
        let patch =
            TemplatePatch { variants: Some(variants), version: Some(former.version), ..TemplatePatch::default() };
        self.update(actor, id, patch).await
    }

    /// Removes a template that nothing uses.
    ///
    /// # Errors
    /// `NotFound`, and `Conflict` naming the campaigns that use it.
    pub async fn delete(&self, actor: &Actor, id: TemplateId) -> Result<()> {
        require(actor, Permission::Write)?;
        let tx = self.0.begin(actor).await?;
        let template = store::templates::find(&tx, id).await?.ok_or(NO_TEMPLATE)?;
        let used = store::templates::used_by(&tx, id).await?;
        if !used.is_empty() {
            let message = format!("The template is used by {}. Change that first.", used.join(", "));
            return Err(Error::Conflict(message));
        }
        store::templates::delete(&tx, id).await?;
        audit(&tx, actor, "delete", &Template { updated_at: self.0.now(), ..template }).await?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(())
    }

    /// A body as one person would get it. Faults of the body are part of the answer.
    ///
    /// # Errors
    /// `Invalid` when there is no contact with the phone number, and when a sample is given beside it.
    pub async fn preview(&self, actor: &Actor, request: &PreviewRequest) -> Result<Preview> {
        require(actor, Permission::Read)?;
        if request.phone.is_some() && !request.sample.is_empty() {
            let message = "Give either a contact's phone or a sample, not both.";
            return Err(Error::Invalid(vec![FieldError::new("phone", message), FieldError::new("sample", message)]));
        }
        if request.body.chars().count() > check::MAX_SOURCE {
            let message = format!("The template is longer than {} characters.", check::MAX_SOURCE);
            return Ok(Preview { errors: vec![TemplateProblem { line: 1, message }], ..Preview::default() });
        }
        let contact = match &request.phone {
            Some(phone) => Some(self.contact(phone).await?),
            None => None,
        };
        let phone: Phone = match &contact {
            Some(contact) => contact.phone.clone(),
            None => SAMPLE_PHONE.parse().map_err(Error::internal)?,
        };
        let nothing = Attributes::new();
        let recipient = Recipient {
            phone: &phone,
            name: contact.as_ref().and_then(|contact| contact.name.as_deref()),
            country: contact.as_ref().and_then(|contact| contact.country.as_deref()),
            locale: contact.as_ref().and_then(|contact| contact.locale.as_deref()),
            timezone: contact.as_ref().and_then(|contact| contact.timezone.as_deref()),
            attributes: contact.as_ref().map_or(&nothing, |contact| &contact.attributes),
            own_page: Link::Sample { base: &self.0.config().public_url },
        };
        let extra = self.with_event(&request.body, request.sample.clone()).await?;
        Ok(preview(request.channel, &request.body, &recipient, &extra))
    }

    /// A body that reads `event.…` is shown with what the latest event told, unless the sample says what to show.
    async fn with_event(&self, body: &str, mut extra: Attributes) -> Result<Attributes> {
        if body.contains("event.")
            && !extra.contains_key("event")
            && let Some(data) = store::trigger_events::sample(self.0.db().reader(), None).await?
        {
            extra.insert("event".to_owned(), data.into());
        }
        Ok(extra)
    }

    async fn contact(&self, phone: &str) -> Result<Contact> {
        // Who wrote to us is known by the number as it came, also by one that should not exist.
        let readings = [phone.trim().parse::<Phone>().ok(), crate::phone::parse(phone, None).ok()];
        for phone in readings.iter().flatten() {
            if let Some(stored) = store::contacts::find(self.0.db().reader(), phone).await? {
                return Ok(stored.contact);
            }
        }
        Err(Error::invalid("phone", "There is no contact with this number."))
    }
}

async fn audit(tx: &store::Tx, actor: &Actor, action: &str, template: &Template) -> Result<()> {
    let detail = json!({ "name": template.name, "version": template.version });
    let entity = ("template", &*template.id.to_string());
    Ok(store::audit::append(tx, actor, template.updated_at, action, entity, &detail).await?)
}

fn name_taken(error: store::Error, name: &str) -> Error {
    match error {
        store::Error::Duplicate(_) => Error::Conflict(format!("There is a template with the name “{name}” already.")),
        other => other.into(),
    }
}
