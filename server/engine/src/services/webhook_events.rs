//! Raw webhooks beside what became of them.

use domain::{
    event::{WebhookEvent, WebhookFilter, WebhookKind},
    ids::WebhookEventId,
    page::{Page, PageRequest},
    role::Permission,
};

use store::webhook_events::Person;

use crate::{
    Actor, Engine, Error, Result,
    cursor::{Cursor, page_of, rows_to_ask_for},
    ingest::open_body,
    require,
};

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
    /// What came in, newest first, without the raw forms.
    ///
    /// # Errors
    /// `Invalid` for a limit or cursor that will not do.
    pub async fn list(&self, actor: &Actor, filter: &WebhookFilter, page: &PageRequest) -> Result<Page<WebhookEvent>> {
        require(actor, Permission::Read)?;
        let before = Cursor::read(page, |parts| match parts {
            [id] => id.parse().ok().map(WebhookEventId),
            _ => None,
        })?;
        let limit = rows_to_ask_for(page)?;
        let db = self.0.db().reader();
        let by_then = match filter.until {
            Some(until) => Some(match store::webhook_events::last_by(db, until).await? {
                Some(WebhookEventId(last)) => WebhookEventId(last.saturating_add(1)),
                None => return Ok(Page { items: Vec::new(), next_cursor: None }),
            }),
            None => None,
        };
        let before = match (before, by_then) {
            (Some(before), Some(by_then)) => Some(before.min(by_then)),
            (before, by_then) => before.or(by_then),
        };
        let rows = store::webhook_events::list(db, filter, before, limit).await?;
        Ok(page_of(rows, page, |last| Cursor::new([last.id.0])))
    }

    /// One webhook with its raw form, unsealed, and its parameters, decoded; without both once their retention has
    /// passed, or the person was erased whom it is about.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn get(&self, actor: &Actor, id: WebhookEventId) -> Result<WebhookEvent> {
        require(actor, Permission::Read)?;
        let db = self.0.db().reader();
        let found = store::webhook_events::get(db, id).await?;
        let found = found.ok_or(Error::NotFound { what: "webhook event" })?;
        let mut event = found.event;
        let (person, keyword) = store::webhook_events::person(db, &event).await?;
        event.keyword = keyword;
        match person {
            Person::Erased => {
                event.erased = true;
                return Ok(event);
            }
            Person::Known(phone) if event.kind == WebhookKind::Inbound => event.phone = Some(phone),
            Person::Known(_) | Person::Nobody => {}
        }
        if let Some(body) = found.body
            && let Some(raw) = open_body(self.0, id, &body).await?
        {
            event.parameters = url::form_urlencoded::parse(&raw).into_owned().collect();
            event.raw = Some(String::from_utf8_lossy(&raw).into_owned());
        }
        Ok(event)
    }
}
