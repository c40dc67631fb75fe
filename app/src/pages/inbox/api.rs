//! The inbox: adapters between the pages and the services.

use domain::{
    contact::Contact,
    conversation::{Conversation, ConversationDetail, Received},
    page::Page,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use crate::{
    context::{Ctx, account, ctx},
    paths,
};
use crate::{error::AppError, faults::Faults};

/// What the URL of the list says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxQuery {
    #[serde(default)]
    pub q: String,
    /// `unread`, `mine`, `archived`, `all`; empty: what is open.
    #[serde(default)]
    pub view: String,
    #[serde(default)]
    pub cursor: String,
}

/// One conversation with all that stands beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConversationView {
    pub detail: ConversationDetail,
    pub contact: Contact,
    pub campaigns: Vec<Received>,
    pub faults: Faults,
    /// The e-mails of those who can take care of it; empty for those who cannot assign.
    pub assignees: Vec<String>,
    /// Id, name and channel of the newest templates.
    pub templates: Vec<(String, String)>,
    /// The template that was chosen, as this person gets it.
    pub preview: Option<TemplatePreview>,
}

/// A template as one person gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplatePreview {
    pub id: String,
    pub name: String,
    pub text: String,
    pub buttons: Vec<String>,
    /// What it reads and the person does not have.
    pub missing: Vec<String>,
    pub problems: Vec<String>,
    /// The senders of its channel that it can go out from now, as ids …
    pub senders: Vec<String>,
    /// … none of them, because it is not approved and the 24 hours are over.
    pub only_in_window: bool,
}

/// So many templates are offered.
#[cfg(feature = "ssr")]
const TEMPLATES: u32 = 200;

/// So many messages are on one page.
#[cfg(feature = "ssr")]
const MESSAGES: u32 = 50;

#[cfg(feature = "ssr")]
fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

#[cfg(feature = "ssr")]
fn phone(text: &str) -> Result<domain::phone::Phone, AppError> {
    text.parse().map_err(|_| AppError::NotFound)
}

#[server]
pub async fn load_inbox(query: InboxQuery) -> Result<Page<Conversation>, AppError> {
    use domain::{
        conversation::{ConversationFilter, ConversationStatus},
        page::PageRequest,
    };
    let ctx = ctx()?;
    let mine = query.view == "mine";
    let filter = ConversationFilter {
        q: given(&query.q).map(str::to_owned),
        status: match query.view.as_str() {
            "all" => None,
            "archived" => Some(ConversationStatus::Archived),
            _ => Some(ConversationStatus::Open),
        },
        unread: query.view == "unread",
        assignee: if mine { Some(account()?.email) } else { None },
    };
    let page = PageRequest { cursor: given(&query.cursor).map(str::to_owned), ..PageRequest::default() };
    Ok(ctx.engine.conversations().list(&ctx.actor, &filter, &page).await?)
}

#[server]
pub async fn load_conversation(
    number: String,
    #[server(default)] cursor: String,
    #[server(default)] template: String,
) -> Result<ConversationView, AppError> {
    use domain::{page::PageRequest, role::Permission};
    let ctx = ctx()?;
    let phone = phone(&number)?;
    let conversations = ctx.engine.conversations();
    let page = PageRequest { limit: MESSAGES, cursor: given(&cursor).map(str::to_owned) };
    let detail = conversations.get(&ctx.actor, &phone, &page).await?;
    let contact = ctx.engine.contacts().get(&ctx.actor, &phone).await?;
    let writes = ctx.actor.may(Permission::Send);
    let assignees = if writes { conversations.assignees(&ctx.actor).await? } else { Vec::new() };
    let templates = if writes {
        ctx.engine.templates().list(&ctx.actor, None, &PageRequest::first(TEMPLATES)).await?.items
    } else {
        Vec::new()
    };
    let preview = match given(&template) {
        Some(id) => Some(preview(&ctx, id, &contact, &detail).await?),
        None => None,
    };
    let codes = detail.items.iter().filter_map(|said| match said {
        domain::conversation::Said::Out(message) => message.error_code,
        domain::conversation::Said::In(_) => None,
    });
    let faults = Faults::of(&ctx.engine, codes);
    Ok(ConversationView {
        contact,
        campaigns: conversations.campaigns(&ctx.actor, &phone).await?,
        faults,
        assignees: assignees.into_iter().map(|one| one.email).collect(),
        templates: templates.into_iter().map(|one| (one.id.to_string(), one.name)).collect(),
        preview,
        detail,
    })
}

/// The template in the person's language, filled with what is known of them.
#[cfg(feature = "ssr")]
async fn preview(
    ctx: &Ctx,
    id: &str,
    contact: &Contact,
    detail: &ConversationDetail,
) -> Result<TemplatePreview, AppError> {
    use domain::template::PreviewRequest;
    let id = id.parse().map_err(|_| AppError::NotFound)?;
    let template = ctx.engine.templates().get(&ctx.actor, id).await?;
    let wanted = contact.locale.clone().unwrap_or_default();
    let language = wanted.split(['-', '_']).next().unwrap_or_default();
    let variant = [wanted.as_str(), language, template.default_locale.as_str()]
        .into_iter()
        .find_map(|locale| template.variants.get(locale))
        .or_else(|| template.variants.values().next())
        .ok_or(AppError::NotFound)?;
    let request = PreviewRequest {
        channel: template.channel,
        body: variant.text().into_owned(),
        phone: Some(contact.phone.to_string()),
        sample: serde_json::Map::new(),
    };
    let filled = ctx.engine.templates().preview(&ctx.actor, &request).await?;
    let of_channel = detail.senders.iter().filter(|sender| sender.channel == template.channel);
    // What WhatsApp has not approved is free text to it.
    let (able, unable): (Vec<_>, Vec<_>) =
        of_channel.partition(|sender| sender.free_text || variant.content_sid.is_some());
    Ok(TemplatePreview {
        id: template.id.to_string(),
        name: template.name.clone(),
        text: filled.text,
        buttons: variant.buttons.iter().map(|button| button.title.clone()).collect(),
        missing: filled.missing,
        problems: filled.errors.into_iter().map(|error| error.message).collect(),
        only_in_window: able.is_empty() && !unable.is_empty(),
        senders: able.into_iter().map(|sender| sender.id.to_string()).collect(),
    })
}

/// A free text to this person, from this sender.
#[server]
pub async fn reply(number: String, sender: String, #[server(default)] text: String) -> Result<(), AppError> {
    use domain::message::NewMessage;
    let ctx = ctx()?;
    let phone = phone(&number)?;
    let keep = |error: AppError| error.keep(&[("text", &text), ("sender", &sender)]);
    if text.trim().is_empty() {
        return Err(keep(AppError::field("text", "Write something first.")));
    }
    let chosen = sender_of(&ctx, &phone, ("sender", &sender)).await.map_err(keep)?;
    if !chosen.free_text {
        let words = "WhatsApp's 24 hours with this number are over. Send a template instead.";
        return Err(keep(AppError::field("text", words)));
    }
    let new = NewMessage {
        phone,
        template_id: None,
        body: Some(text.trim().to_owned()),
        channel: Some(chosen.channel),
        sender_id: Some(chosen.id),
        variables: serde_json::Map::new(),
    };
    // The service names the field `body`.
    ctx.engine.messages().create(&ctx.actor, new).await.map_err(|error| keep(in_the_text(error.into())))?;
    Ok(())
}

#[cfg(feature = "ssr")]
fn in_the_text(mut error: AppError) -> AppError {
    if let AppError::Invalid { fields, .. } = &mut error {
        for field in fields.iter_mut().filter(|error| error.field == "body") {
            "text".clone_into(&mut field.field);
        }
    }
    error
}

/// The sender with the id in this field, as far as an answer to this person goes.
#[cfg(feature = "ssr")]
async fn sender_of(
    ctx: &Ctx,
    phone: &domain::phone::Phone,
    (field, id): (&str, &str),
) -> Result<domain::conversation::ReplySender, AppError> {
    let senders = ctx.engine.conversations().senders(&ctx.actor, phone).await?;
    let found = senders.into_iter().find(|sender| sender.id.to_string() == id);
    found.ok_or_else(|| AppError::field(field, "Choose one of the senders."))
}

/// A template to this person, from this sender.
#[server]
pub async fn reply_with_template(number: String, template: String, from: String) -> Result<(), AppError> {
    use domain::message::NewMessage;
    let ctx = ctx()?;
    let phone = phone(&number)?;
    let chosen = sender_of(&ctx, &phone, ("from", &from)).await?;
    let new = NewMessage {
        phone: phone.clone(),
        template_id: Some(template.parse().map_err(|_| AppError::field("template", "Choose a template."))?),
        body: None,
        channel: None,
        sender_id: Some(chosen.id),
        variables: serde_json::Map::new(),
    };
    ctx.engine.messages().create(&ctx.actor, new).await?;
    leptos_axum::redirect(&paths::done(&paths::conversation(phone), "message_sent"));
    Ok(())
}

#[cfg(feature = "ssr")]
async fn change(number: &str, patch: domain::conversation::ConversationPatch, done: &str) -> Result<(), AppError> {
    let ctx = ctx()?;
    let phone = phone(number)?;
    ctx.engine.conversations().update(&ctx.actor, &phone, patch).await?;
    leptos_axum::redirect(&paths::done(&paths::conversation(phone), done));
    Ok(())
}

/// Gives the conversation to somebody; an empty e-mail to nobody.
#[server]
pub async fn assign(number: String, version: i64, #[server(default)] assignee: String) -> Result<(), AppError> {
    use domain::conversation::ConversationPatch;
    let assignee = Some(given(&assignee).map(str::to_owned));
    change(&number, ConversationPatch { assignee, version: Some(version), ..ConversationPatch::default() }, "assigned")
        .await
}

#[server]
pub async fn archive(number: String, version: i64, archived: bool) -> Result<(), AppError> {
    use domain::conversation::ConversationPatch;
    let patch = ConversationPatch { archived: Some(archived), version: Some(version), ..ConversationPatch::default() };
    change(&number, patch, if archived { "archived" } else { "reopened" }).await
}

/// Marks as read what the reader has seen.
#[server]
pub async fn mark_read(number: String, until: String) -> Result<(), AppError> {
    use domain::conversation::ConversationPatch;
    let ctx = ctx()?;
    let read_until = Some(until.parse().map_err(|_| AppError::NotFound)?);
    let patch = ConversationPatch { read_until, ..ConversationPatch::default() };
    ctx.engine.conversations().update(&ctx.actor, &phone(&number)?, patch).await?;
    Ok(())
}
