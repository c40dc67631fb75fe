//! The events: adapters between the pages and the service.

use domain::{event::WebhookEvent, page::Page};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use crate::context::ctx;
use crate::error::AppError;

/// What the URL of the list says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsQuery {
    /// A SID or a phone number.
    #[serde(default)]
    pub q: String,
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub outcome: String,
    /// An instant, or a day and a time in UTC as a browser's field gives it.
    #[serde(default)]
    pub until: String,
    #[serde(default)]
    pub cursor: String,
}

#[cfg(feature = "ssr")]
fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

/// `2026-11-23T09:00`, in UTC.
#[cfg(feature = "ssr")]
fn instant(text: &str) -> Result<domain::time::Timestamp, AppError> {
    let seconds = if text.len() == "2026-11-23T09:00".len() { ":00" } else { "" };
    let zone = if text.ends_with('Z') || text.contains('+') { "" } else { "Z" };
    let read = format!("{text}{seconds}{zone}").parse();
    read.map_err(|_| AppError::field("until", "Give a day and a time."))
}

#[server]
pub async fn load_events(query: EventsQuery) -> Result<Page<WebhookEvent>, AppError> {
    use domain::{event::WebhookFilter, page::PageRequest};
    let ctx = ctx()?;
    let words = given(&query.q).map(|text| text.replace([' ', '-', '(', ')'], ""));
    let phone = words.as_deref().and_then(|text| text.parse().ok());
    let filter = WebhookFilter {
        sid: words.filter(|_| phone.is_none()),
        message: None,
        kind: given(&query.kind).and_then(|word| word.parse().ok()),
        outcome: given(&query.outcome).and_then(|word| word.parse().ok()),
        phone,
        until: given(&query.until).map(instant).transpose()?,
    };
    let page = PageRequest { cursor: given(&query.cursor).map(str::to_owned), ..PageRequest::default() };
    Ok(ctx.engine.webhook_events().list(&ctx.actor, &filter, &page).await?)
}

#[server]
pub async fn load_event(id: String) -> Result<WebhookEvent, AppError> {
    let ctx = ctx()?;
    let id = id.parse().map_err(|_| AppError::NotFound)?;
    Ok(ctx.engine.webhook_events().get(&ctx.actor, id).await?)
}
