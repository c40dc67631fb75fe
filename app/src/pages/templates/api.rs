//! Templates: adapters between the editor and the service.

#![expect(clippy::too_many_arguments, reason = "a server function takes the fields of its form")]

use std::collections::BTreeMap;

use domain::{
    content_template::{Approval, ContentTemplate},
    page::Page,
    template::{Preview, Template},
    time::Timestamp,
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
    /// Content templates to choose from.
    pub offered: Vec<Offered>,
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

/// A page of templates, and where WhatsApp's reviews of their content templates stand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TemplateList {
    pub page: Page<Template>,
    /// By SID: those that are known of the ones on this page.
    pub reviews: BTreeMap<String, Approval>,
}

impl TemplateList {
    /// The review that matters most for a template: one that is not through, if there is one.
    #[must_use]
    pub fn review(&self, template: &Template) -> Option<Approval> {
        let known = template.variants.values().filter_map(|variant| self.reviews.get(variant.content_sid.as_ref()?));
        known.copied().max_by_key(|approval| (approval.is_refused(), *approval != Approval::Approved))
    }
}

/// A content template to choose in the editor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    pub sid: String,
    /// `spring_offer (en)`
    pub label: String,
    pub approval: Approval,
    /// Why it was rejected.
    pub reason: String,
}

/// What Twilio listed last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApprovedView {
    pub templates: Vec<ApprovedRow>,
    /// When it was asked last; none before the first time.
    pub synced_at: Option<Timestamp>,
    /// Accounts that gave no list since, with the reason.
    pub problems: Vec<String>,
}

/// A content template as the list shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApprovedRow {
    pub content: ContentTemplate,
    /// The editor with a new template made of it, in all languages of its name; empty when nothing can be made of it.
    pub href: String,
    /// Templates that use it: id and name.
    pub used_by: Vec<(String, String)>,
}

#[server]
pub async fn load_templates(q: String, cursor: String) -> Result<TemplateList, AppError> {
    use domain::page::PageRequest;
    let ctx = ctx()?;
    let page = PageRequest { cursor: Some(cursor).filter(|cursor| !cursor.is_empty()), ..PageRequest::default() };
    let q = Some(q.trim()).filter(|q| !q.is_empty());
    let page = ctx.engine.templates().list(&ctx.actor, q, &page).await?;
    let variants = page.items.iter().flat_map(|template| template.variants.values());
    let used = variants.filter_map(|variant| variant.content_sid.as_deref());
    let known = ctx.engine.content_templates().named(&ctx.actor, used).await?;
    let reviews = known.into_iter().map(|content| (content.sid, content.approval)).collect();
    Ok(TemplateList { page, reviews })
}

/// How many templates are looked through for those that use a content template.
#[cfg(feature = "ssr")]
const LOOKED_THROUGH: u32 = 1_000;

#[server]
pub async fn load_approved() -> Result<ApprovedView, AppError> {
    use domain::page::PageRequest;
    let ctx = ctx()?;
    let contents = ctx.engine.content_templates().list(&ctx.actor).await?;
    let syncs = ctx.engine.content_templates().syncs(&ctx.actor).await?;
    let ours = ctx.engine.templates().list(&ctx.actor, None, &PageRequest::first(LOOKED_THROUGH)).await?.items;
    let uses = |sid: &str, template: &Template| {
        template.variants.values().any(|variant| variant.content_sid.as_deref() == Some(sid))
    };
    let templates = contents.iter().map(|content| ApprovedRow {
        content: content.clone(),
        href: Draft::of_contents(content, &contents)
            .and_then(|draft| draft.to_url(None))
            .map(|draft| paths::with_query(paths::NEW_TEMPLATE, &[("draft", &draft)]))
            .unwrap_or_default(),
        used_by: ours
            .iter()
            .filter(|template| uses(&content.sid, template))
            .map(|template| (template.id.to_string(), template.name.clone()))
            .collect(),
    });
    let problem = |sync: &engine::services::content_templates::Sync| {
        sync.problem.as_ref().map(|problem| format!("{}: {problem}", sync.account_sid))
    };
    Ok(ApprovedView {
        templates: templates.collect(),
        synced_at: syncs.iter().filter_map(|sync| sync.synced_at).min(),
        problems: syncs.iter().filter_map(problem).collect(),
    })
}

/// Asks Twilio now.
#[server]
pub async fn sync_templates() -> Result<(), AppError> {
    let ctx = ctx()?;
    ctx.engine.content_templates().sync(&ctx.actor).await?;
    leptos_axum::redirect(&paths::done(paths::APPROVED_TEMPLATES, "synced"));
    Ok(())
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
    let body = draft.variants.get(draft.locale(&locale)).map(VariantDraft::text).unwrap_or_default();
    let phone = sample.as_ref().map(|person| person.phone.clone()).unwrap_or_default();
    // A text that cannot be previewed can be edited all the same.
    let preview = if body.trim().is_empty() { None } else { preview(&ctx, &draft.channel, &body, phone).await.ok() };
    let id = stored.as_ref().map(|template| template.id.to_string()).unwrap_or_default();
    let offered = offered(&ctx, &draft).await?;
    Ok(EditorView { id, draft, stored, attributes, sample, offered, unknown, preview })
}

/// So many content templates are offered: more is not chosen from a list.
#[cfg(feature = "ssr")]
const OFFERED: usize = 200;

/// The ones that may go out first, and those that the draft names in any case.
#[cfg(feature = "ssr")]
async fn offered(ctx: &Ctx, draft: &Draft) -> Result<Vec<Offered>, AppError> {
    let mut known = ctx.engine.content_templates().list(&ctx.actor).await?;
    let named = |sid: &str| draft.variants.values().any(|variant| variant.content_sid == sid);
    known.sort_by_key(|content| (!named(&content.sid), content.approval != Approval::Approved));
    known.truncate(OFFERED);
    let offer = |content: ContentTemplate| Offered {
        label: format!("{} ({})", content.name, content.language),
        sid: content.sid,
        approval: content.approval,
        reason: content.reason.unwrap_or_default(),
    };
    Ok(known.into_iter().map(offer).collect())
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
        return keep(error, draft.to_text(stored));
    }
    let error = match AppError::from(error) {
        // What else there can be twice is the name.
        AppError::Conflict { reason, .. } => AppError::field("name", reason),
        AppError::Invalid { fields, .. } => AppError::invalid(
            fields
                .into_iter()
                .map(|error| domain::problem::FieldError { field: draft.field(&error.field), ..error })
                .collect(),
        ),
        other => other,
    };
    keep(error, draft.to_text(stored))
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
