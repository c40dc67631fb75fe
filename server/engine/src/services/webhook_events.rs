//! Raw webhooks beside what became of them.

use domain::{event::{WebhookEvent, WebhookFilter}, ids::WebhookEventId, page::{Page, PageRequest}};

use crate::{Actor, Engine, Error, Result};

/// See [`Engine::webhook_events`].
pub struct WebhookEvents<'a>(&'a Engine);

impl Engine {
    /// Raw webhooks beside what became of them.
    #[must_use]
    pub const fn webhook_events(&self) -> WebhookEvents<'_> {
        WebhookEvents(self)
    }
}

impl WebhookEvents<'_> {
    pub async fn list(&self, actor: &Actor, filter: &WebhookFilter, page: &PageRequest) -> Result<Page<WebhookEvent>> {
        todo!()
    }

    pub async fn get(&self, actor: &Actor, id: WebhookEventId) -> Result<WebhookEvent> {
        todo!()
    }

}
