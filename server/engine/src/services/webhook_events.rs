//! Raw webhooks beside what became of them.

use domain::{
    event::{WebhookEvent, WebhookFilter},
    ids::WebhookEventId,
    page::{Page, PageRequest},
    role::Permission,
};

use store::webhook_events::Person;

use crate::{
    Actor, Engine, Error, Result,
    cursor::{Cursor, page_of, rows_to_ask_for},
    ingest::{numbers_in, open_body},
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
        let is_nobodys = person == Person::Nobody;
        event.keyword = keyword;
        match person {
            Person::Erased => {
                event.erased = true;
                return Ok(event);
            }
            Person::Known(phone) => {
                if let (Some(sid), Some(person)) = (&event.provider_sid, store::contacts::find(db, &phone).await?) {
                    event.consent = store::consent::caused_by(db, person.id, sid).await?;
                }
                event.phone = Some(phone);
            }
            Person::Nobody => {}
        }
        if let Some(body) = found.body
            && let Some(raw) = open_body(self.0, id, &body).await?
        {
            if is_nobodys && self.may_be_of_erased(&event, &raw).await? {
                event.erased = true;
                return Ok(event);
            }
            event.parameters = url::form_urlencoded::parse(&raw).into_owned().collect();
            event.raw = Some(String::from_utf8_lossy(&raw).into_owned());
        }
        Ok(event)
    }

    /// Whether a form that belongs to nothing here, an orphan or a message that was only kept raw, may name somebody who was
    /// erased: a number that no contact has, and that is on the suppression list, or that anybody may have had who was
    /// erased since the form came. Of those who had not opted out nothing is left to know them by.
    async fn may_be_of_erased(&self, event: &WebhookEvent, raw: &[u8]) -> Result<bool> {
        let db = self.0.db().reader();
        let senders = store::senders::list(db).await?;
        for phone in numbers_in(raw) {
            let person = store::contacts::find(db, &phone).await?;
            // Who came after the form may be another person.
            let is_theirs = person.as_ref().is_some_and(|person| person.contact.created_at <= event.received_at);
            if is_theirs || senders.iter().any(|row| row.sender.address == phone.as_str()) {
                continue;
            }
            let hashes = self.0.config().keys.suppression_hashes(phone.as_str());
            let is_listed = person.is_none() && !store::suppressions::find(db, &hashes).await?.is_empty();
            if is_listed || store::audit::happened_since(db, "erase", event.received_at).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
