//! Raw webhooks beside what became of them.

use domain::{
    event::{ConsentCaused, WebhookEvent, WebhookFilter, WebhookKind},
    ids::{ContactId, WebhookEventId},
    page::{Page, PageRequest},
    phone::Phone,
    role::Permission,
};

use store::webhook_events::Person;

use crate::{
    Actor, Engine, Error, Result,
    cursor::{Cursor, page_of, rows_to_ask_for},
    ingest::{numbers_in, open_bodies, open_body, written_at},
    phone::canonical,
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
        let after = match filter.since {
            Some(since) => store::webhook_events::last_by(db, since.plus(-1)).await?,
            None => None,
        };
        let before = match (before, by_then) {
            (Some(before), Some(by_then)) => Some(before.min(by_then)),
            (before, by_then) => before.or(by_then),
        };
        let rows = store::webhook_events::list(db, filter, after, before, limit).await?;
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
                if let Some(person) = store::contacts::find(db, &phone).await? {
                    event.consent = caused_by(&event, &store::consent::references(db, person.id).await?);
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
            event.parameters = parameters(&raw);
            event.raw = Some(String::from_utf8_lossy(&raw).into_owned());
        }
        Ok(event)
    }

    /// All webhooks of a person, newest first, with what they caused and, as long as their forms are kept, their parameters.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn of_person(&self, actor: &Actor, person: ContactId, phone: &Phone) -> Result<Vec<WebhookEvent>> {
        let db = self.0.db().reader();
        let references = store::consent::references(db, person).await?;
        let theirs = WebhookFilter { phone: Some(phone.clone()), ..WebhookFilter::default() };
        let (mut all, mut page) = (Vec::new(), PageRequest::first(PageRequest::MAX_LIMIT));
        loop {
            let Page { items, next_cursor } = self.list(actor, &theirs, &page).await?;
            let bodies = store::webhook_events::bodies(db, items.iter().map(|event| event.id)).await?;
            let forms = open_bodies(self.0, bodies).await?;
            all.extend(items.into_iter().map(|event| WebhookEvent {
                consent: caused_by(&event, &references),
                parameters: forms.get(&event.id).map(|form| parameters(form)).unwrap_or_default(),
                ..event
            }));
            match next_cursor {
                Some(cursor) => page.cursor = Some(cursor),
                None => return Ok(all),
            }
        }
    }

    /// Whether a form that belongs to nothing here, an orphan or a message that was only kept raw, may name somebody who was
    /// erased: a number that no contact has, and that is on the suppression list, or that anybody may have had who was
    /// erased since the form came, or was written, where it was fetched later. Of those who had not opted out nothing is left to
    /// know them by.
    async fn may_be_of_erased(&self, event: &WebhookEvent, raw: &[u8]) -> Result<bool> {
        let db = self.0.db().reader();
        let senders = store::senders::list(db).await?;
        let since = written_at(raw).filter(|_| event.is_fetched()).unwrap_or(event.received_at);
        for phone in numbers_in(raw) {
            let person = match store::contacts::find(db, &phone).await? {
                None => store::contacts::find(db, &canonical(phone.clone())).await?,
                person => person,
            };
            // Who came after the form may be another person.
            let is_theirs = person.as_ref().is_some_and(|person| person.contact.created_at <= since);
            if is_theirs || senders.iter().any(|row| row.sender.address == phone.as_str()) {
                continue;
            }
            let hashes = self.0.config().keys.suppression_hashes(phone.as_str());
            let is_listed = person.is_none() && !store::suppressions::find(db, &hashes).await?.is_empty();
            if is_listed || store::audit::happened_since(db, "erase", since).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn parameters(form: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(form).into_owned().collect()
}

/// What the consent ledger has because of this webhook. What a line says besides a message's SID comes behind it: of a
/// callback that is the code that it failed with, because all callbacks of a message have its SID.
fn caused_by(event: &WebhookEvent, references: &[(String, ConsentCaused)]) -> Vec<ConsentCaused> {
    let Some(sid) = event.provider_sid.as_deref() else { return Vec::new() };
    let is_its_own = |reference: &str| match (event.kind, event.error_code) {
        (WebhookKind::Inbound, _) => {
            reference.strip_prefix(sid).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        }
        (WebhookKind::Status, Some(code)) => reference == format!("{sid} {code}"),
        (WebhookKind::Status, None) => false,
    };
    references.iter().filter(|(reference, _)| is_its_own(reference)).map(|(_, caused)| caused.clone()).collect()
}

#[cfg(test)]
mod tests {
    use domain::{consent::Consent, event::WebhookOutcome, time::Timestamp};

    use super::*;

    #[test]
    fn a_callback_caused_only_what_its_own_code_did() {
        let event = |kind, error_code| WebhookEvent {
            id: WebhookEventId(1),
            kind,
            received_at: Timestamp::default(),
            provider_sid: Some("SM1".to_owned()),
            message_id: None,
            status: None,
            error_code,
            outcome: WebhookOutcome::Applied,
            reason: None,
            phone: None,
            consent: Vec::new(),
            keyword: None,
            erased: false,
            raw: None,
            parameters: Vec::new(),
        };
        let line = |reference: &str| (reference.to_owned(), ConsentCaused { topic: None, consent: Consent::OptedOut });
        let count = |kind, code, reference| caused_by(&event(kind, code), &[line(reference)]).len();
        assert_eq!(count(WebhookKind::Status, Some(21_610), "SM1 21610"), 1);
        assert_eq!(count(WebhookKind::Status, None, "SM1 21610"), 0, "sent, before it failed");
        assert_eq!(count(WebhookKind::Status, Some(30_003), "SM1 21610"), 0);
        assert_eq!(count(WebhookKind::Inbound, None, "SM1"), 1);
        assert_eq!(count(WebhookKind::Inbound, None, "SM1 answers question 7"), 1);
        assert_eq!(count(WebhookKind::Inbound, None, "SM12"), 0);
    }
}
