//! The events: adapters between the pages and the service.

use domain::{
    event::WebhookEvent, ids::TriggerEventId, page::Page, phone::Phone, time::Timestamp, trigger_event::EventEffect,
};
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
    /// An instant, or a day and a time in UTC as a browser's field gives it; so is `until`.
    #[serde(default)]
    pub since: String,
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
fn instant(field: &str, text: &str) -> Result<Timestamp, AppError> {
    let seconds = if text.len() == "2026-11-23T09:00".len() { ":00" } else { "" };
    let zone = if text.ends_with('Z') || text.contains('+') { "" } else { "Z" };
    let read = format!("{text}{seconds}{zone}").parse();
    read.map_err(|_| AppError::field(field, "Give a day and a time."))
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
        since: given(&query.since).map(|text| instant("since", text)).transpose()?,
        until: given(&query.until).map(|text| instant("until", text)).transpose()?,
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

/// What the URL of the list of trigger events says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggersQuery {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub phone: String,
    #[serde(default)]
    pub campaign: String,
    #[serde(default)]
    pub cursor: String,
}

/// A trigger event as a list shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TriggerLine {
    pub number: TriggerEventId,
    pub id: Option<String>,
    pub name: String,
    pub at: Timestamp,
    /// None: about many, or erased.
    pub phone: Option<Phone>,
    pub is_many: bool,
    pub effects: Vec<EventEffect>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TriggersView {
    pub page: Page<TriggerLine>,
    /// All that came.
    pub names: Vec<String>,
}

/// One of them with what it tells, as text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TriggerView {
    pub line: TriggerLine,
    pub occurred_at: Option<Timestamp>,
    pub data: Option<String>,
    pub definition: Option<String>,
}

#[cfg(feature = "ssr")]
fn line(event: &domain::trigger_event::TriggerEvent) -> TriggerLine {
    TriggerLine {
        number: event.number,
        id: event.id.clone(),
        name: event.name.clone(),
        at: event.received_at,
        phone: event.phone.clone(),
        is_many: event.segment.is_some(),
        effects: event.effects.clone(),
    }
}

#[server]
pub async fn load_triggers(query: TriggersQuery) -> Result<TriggersView, AppError> {
    use domain::{page::PageRequest, trigger_event::TriggerEventFilter};
    let ctx = ctx()?;
    let words = given(&query.phone).map(|text| text.replace([' ', '-', '(', ')'], ""));
    // What is no number is nobody's.
    let phone =
        words.map(|text| text.parse().map_err(|_| AppError::field("phone", "Give a number with its country code.")));
    let filter = TriggerEventFilter {
        name: given(&query.name).map(str::to_owned),
        phone: phone.transpose()?,
        campaign: given(&query.campaign).and_then(|id| id.parse().ok()),
    };
    let page = PageRequest { cursor: given(&query.cursor).map(str::to_owned), ..PageRequest::default() };
    let events = ctx.engine.trigger_events();
    let page = events.list(&ctx.actor, &filter, &page).await?;
    let names = events.names(&ctx.actor).await?.into_iter().map(|name| name.name).collect();
    Ok(TriggersView { page: page.map(|event| line(&event)), names })
}

#[server]
pub async fn load_trigger(number: String) -> Result<TriggerView, AppError> {
    let ctx = ctx()?;
    let event = ctx.engine.trigger_events().get(&ctx.actor, number.parse().map_err(|_| AppError::NotFound)?).await?;
    let pretty = |value: serde_json::Value| serde_json::to_string_pretty(&value).unwrap_or_default();
    Ok(TriggerView {
        line: line(&event),
        occurred_at: event.occurred_at,
        data: event.data.map(|data| pretty(data.into())),
        definition: event.segment.map(pretty),
    })
}
