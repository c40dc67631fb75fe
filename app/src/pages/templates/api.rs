//! Templates: adapters between the editor and the service.

#![expect(clippy::too_many_arguments, reason = "a server function takes the fields of its form")]

use std::collections::BTreeMap;

use domain::{
    page::Page,
    template::{Preview, Template},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::draft::{Draft, VariantDraft};
use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{
    context::{Ctx, ctx},
    paths,
};

/// Somebody a preview can be made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub phone: String,
    pub name: Option<String>,
}

/// What the editor starts with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EditorView {
    /// Empty for a new one.
    pub id: String,
    /// What is being edited: as stored, or as it was typed without scripts.
    pub draft: Draft,
    /// As it is stored now.
    pub stored: Option<Template>,
    /// Details that contacts have.
    pub attributes: Vec<String>,
    pub sample: Option<Person>,
    /// Whom nobody was found for.
    pub unknown: String,
    pub preview: Option<Preview>,
}

/// What a save came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    pub name: String,
    pub version: i64,
}

#[server]
pub async fn load_templates(q: String, cursor: String) -> Result<Page<Template>, AppError> {
    use domain::page::PageRequest;
    let ctx = ctx()?;
    let page = PageRequest { cursor: Some(cursor).filter(|cursor| !cursor.is_empty()), ..PageRequest::default() };
    let q = Some(q.trim()).filter(|q| !q.is_empty());
    Ok(ctx.engine.templates().list(&ctx.actor, q, &page).await?)
}

#[server]
pub async fn load_template(id: String) -> Result<Template, AppError> {
    let ctx = ctx()?;
    stored(&ctx, &id).await?.ok_or(AppError::NotFound)
}

/// The variable that every template has besides people's details: the link to the recipient's own page.
#[cfg(feature = "ssr")]
const OWN_PAGE: &str = "preferences_url";

/// `id` is `new` for a new one; `draft` is what was being edited without scripts; `who` is whom to preview it for.
#[server]
pub async fn load_editor(id: String, draft: String, who: String, locale: String) -> Result<EditorView, AppError> {
    let ctx = ctx()?;
    let stored = stored(&ctx, &id).await?;
    let draft = Draft::from_url(&draft, stored.as_ref())
        .unwrap_or_else(|| stored.as_ref().map_or_else(Draft::fresh, Draft::from));
    let mut attributes = ctx.engine.segments().vocabulary(&ctx.actor).await?.attributes;
    // For campaigns that an event starts: what the latest one told.
    let told = ctx.engine.trigger_events().sample(&ctx.actor, None).await?.unwrap_or_default();
    attributes.extend(told.keys().map(|key| format!("event.{key}")));
    attributes.push(OWN_PAGE.to_owned());
    let sample = people(&ctx, &who, 1).await?.into_iter().next();
    let unknown = if sample.is_none() { who } else { String::new() };
    let body = draft.variants.get(draft.locale(&locale)).map(|variant| variant.body.clone()).unwrap_or_default();
    let phone = sample.as_ref().map(|person| person.phone.clone()).unwrap_or_default();
    // A text that cannot be previewed can be edited all the same.
    let preview = if body.trim().is_empty() { None } else { preview(&ctx, &draft.channel, &body, phone).await.ok() };
    let id = stored.as_ref().map(|template| template.id.to_string()).unwrap_or_default();
    Ok(EditorView { id, draft, stored, attributes, sample, unknown, preview })
}

#[server]
pub async fn preview_template(channel: String, body: String, phone: String) -> Result<Preview, AppError> {
    preview(&ctx()?, &channel, &body, phone).await
}

/// People whose number or name begins so; the latest ones when nothing is typed.
#[server]
pub async fn find_people(q: String) -> Result<Vec<Person>, AppError> {
    people(&ctx()?, &q, 6).await
}

/// Saves, or without scripts changes the form and shows it again: `op` is `save`, `preview`, or what
/// [`Draft::change`] does.
#[server]
pub async fn save_template(
    id: String,
    version: i64,
    name: String,
    channel: String,
    category: String,
    default_locale: String,
    #[server(default)] variants: BTreeMap<String, VariantDraft>,
    #[server(default)] locale: String,
    #[server(default)] sample: String,
    #[server(default)] who: String,
    #[server(default)] new_locale: String,
    #[server(default)] op: String,
) -> Result<Saved, AppError> {
    let ctx = ctx()?;
    let draft = Draft { name, channel, category, default_locale, version, variants };
    let stored = stored(&ctx, &id).await?;
    if matches!(op.as_str(), "" | "save") {
        return save(&ctx, stored, draft, &locale).await;
    }
    let who = if who.trim().is_empty() { sample } else { who };
    show_again(stored, draft, &op, &new_locale, &who, &locale)
}

#[server]
pub async fn delete_template(id: String) -> Result<(), AppError> {
    let ctx = ctx()?;
    ctx.engine.templates().delete(&ctx.actor, id.parse().map_err(|_| AppError::NotFound)?).await?;
    leptos_axum::redirect(&paths::done(paths::TEMPLATES, "deleted"));
    Ok(())
}

#[cfg(feature = "ssr")]
async fn stored(ctx: &Ctx, id: &str) -> Result<Option<Template>, AppError> {
    if matches!(id, "" | "new") {
        return Ok(None);
    }
    let id = id.parse().map_err(|_| AppError::NotFound)?;
    Ok(Some(ctx.engine.templates().get(&ctx.actor, id).await?))
}

#[cfg(feature = "ssr")]
async fn preview(ctx: &Ctx, channel: &str, body: &str, phone: String) -> Result<Preview, AppError> {
    let request = domain::template::PreviewRequest {
        channel: channel.parse().map_err(|_| AppError::field("channel", "Choose WhatsApp or SMS."))?,
        body: super::draft::lines(body),
        phone: Some(phone).filter(|phone| !phone.is_empty()),
        sample: serde_json::Map::new(),
    };
    Ok(ctx.engine.templates().preview(&ctx.actor, &request).await?)
}

#[cfg(feature = "ssr")]
async fn people(ctx: &Ctx, q: &str, limit: u32) -> Result<Vec<Person>, AppError> {
    use domain::{contact::ContactFilter, page::PageRequest};
    let filter = ContactFilter { q: Some(q.trim().to_owned()).filter(|q| !q.is_empty()), ..ContactFilter::default() };
    let found = ctx.engine.contacts().list(&ctx.actor, &filter, &PageRequest::first(limit)).await?;
    Ok(found.items.into_iter().map(|contact| Person { phone: contact.phone.to_string(), name: contact.name }).collect())
}

#[cfg(feature = "ssr")]
async fn save(ctx: &Ctx, stored: Option<Template>, draft: Draft, locale: &str) -> Result<Saved, AppError> {
    use domain::template::{NewTemplate, TemplatePatch};
    let templates = ctx.engine.templates();
    let category = draft.category.parse().map_err(|_| AppError::field("category", "Choose what kind it is."))?;
    let result = match &stored {
        None => {
            let new = NewTemplate {
                name: draft.name.clone(),
                channel: draft.channel.parse().map_err(|_| AppError::field("channel", "Choose WhatsApp or SMS."))?,
                category,
                default_locale: draft.default_locale.clone(),
                variants: draft.variants(),
            };
            templates.create(&ctx.actor, new).await
        }
        Some(template) => {
            let patch = TemplatePatch {
                name: Some(draft.name.clone()),
                category: Some(category),
                default_locale: Some(draft.default_locale.clone()),
                variants: Some(draft.variants()),
                version: Some(draft.version),
            };
            templates.update(&ctx.actor, template.id, patch).await
        }
    };
    match result {
        Ok(saved) => {
            let path = paths::with_query(&paths::template(saved.id), &[("locale", locale)]);
            leptos_axum::redirect(&paths::done(&path, "saved"));
            Ok(Saved { name: saved.name, version: saved.version })
        }
        Err(error) => Err(refused(error, stored.as_ref(), &draft)),
    }
}

/// The error by the form's own fields, with everything that was typed as far as it fits.
#[cfg(feature = "ssr")]
fn refused(error: engine::Error, stored: Option<&Template>, draft: &Draft) -> AppError {
    // The page asks for theirs and shows it as a whole.
    if matches!(error, engine::Error::Stale(_)) {
        let error = AppError::field("version", "Somebody else has saved this template since.");
        return keep(error, draft.to_url(stored));
    }
    let error = match AppError::from(error) {
        // What else there can be twice is the name.
        AppError::Conflict { reason } => AppError::field("name", reason),
        AppError::Invalid { fields, .. } => AppError::invalid(
            fields
                .into_iter()
                .map(|error| domain::problem::FieldError { field: draft.field(&error.field), ..error })
                .collect(),
        ),
        other => other,
    };
    keep(error, draft.to_url(stored))
}

/// Sends the draft along with an error. Scripts still have the text; without them a long one is in the browser's
/// history only.
#[cfg(feature = "ssr")]
fn keep(error: AppError, draft: Option<String>) -> AppError {
    let mut error = match draft {
        Some(draft) => error.keep(&[("draft", &draft)]),
        None => error,
    };
    let lost = error.typed("draft").is_none() && without_scripts();
    if lost && let AppError::Invalid { summary, .. } = &mut error {
        summary.push_str(" The text was too long to come back with this answer: go back in your browser to find it.");
    }
    error
}

/// Whether the form was posted by the browser itself.
#[cfg(feature = "ssr")]
fn without_scripts() -> bool {
    let parts = use_context::<http::request::Parts>();
    let accept = parts.and_then(|parts| parts.headers.get(http::header::ACCEPT)?.to_str().ok().map(str::to_owned));
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// Back to the editor with what was typed in its URL.
#[cfg(feature = "ssr")]
fn show_again(
    stored: Option<Template>,
    mut draft: Draft,
    op: &str,
    new_locale: &str,
    who: &str,
    locale: &str,
) -> Result<Saved, AppError> {
    let shown = draft.change(op, new_locale);
    let kept = draft.to_url(stored.as_ref());
    let error = match (&shown, &kept) {
        (Some(shown), Some(kept)) => {
            let locale = if shown.is_empty() { locale } else { shown };
            let path = stored.map_or_else(|| paths::NEW_TEMPLATE.to_owned(), |template| paths::template(template.id));
            let path = paths::with_query(&path, &[("locale", locale), ("who", who), ("draft", kept)]);
            leptos_axum::redirect(&path);
            return Ok(Saved { name: draft.name, version: draft.version });
        }
        (None, _) => AppError::field("new_locale", "Write a language's name, or its code such as si or pt-BR."),
        (_, None) => AppError::conflict(
            "Without scripts a text this long cannot be shown before it is saved. Go back in your browser to find it, and save it.",
        ),
    };
    Err(keep(error, kept))
}
