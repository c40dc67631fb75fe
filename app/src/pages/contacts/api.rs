//! Contacts: adapters between the pages and the services.

use domain::{
    contact::{Contact, TimelineEntry},
    page::Page,
    topic::Topic,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::AppError;
#[cfg(feature = "ssr")]
use crate::{context::ctx, paths};

/// The list with what its filters offer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContactsView {
    pub contacts: Page<Contact>,
    /// People who match; not counted exactly for every search.
    pub total: Option<i64>,
    pub topics: Vec<Topic>,
    /// The audience the list is narrowed to.
    pub segment: Option<(String, String)>,
}

/// What the URL of the list says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactsQuery {
    #[serde(default)]
    pub q: String,
    #[serde(default)]
    pub consent: String,
    #[serde(default)]
    pub topic: String,
    #[serde(default)]
    pub segment: String,
    #[serde(default)]
    pub import: String,
    #[serde(default)]
    pub cursor: String,
}

/// One person with history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContactView {
    pub contact: Contact,
    pub timeline: Page<TimelineEntry>,
    pub topics: Vec<Topic>,
    /// For those who may erase: what would go, and what would stay.
    pub erasure: Option<[Vec<String>; 2]>,
}

/// In words, so that nothing is lost that somebody thought would stay, or the other way round.
#[cfg(feature = "ssr")]
fn told(erasure: &domain::contact::Erasure) -> [Vec<String>; 2] {
    use crate::components::format::counted;
    let some = |count: i64, one: &str, many: &str| (count > 0).then(|| counted(count, one, many));
    let goes = [
        Some("the number, the name and all details".to_owned()),
        some(erasure.message_texts, "text of a message to them", "texts of messages to them"),
        some(erasure.inbound_texts, "message of theirs", "messages of theirs"),
        some(erasure.subscriptions, "topic", "topics"),
        some(
            erasure.queued,
            "message that waits to be sent, which is skipped",
            "messages that wait to be sent, which are skipped",
        ),
        some(
            erasure.consent_lines,
            "record of consent, whose evidence can no longer be read",
            "records of consent, whose evidence can no longer be read",
        ),
    ];
    let stays = [
        Some("counts, times and states without a name".to_owned()),
        erasure.keeps_suppression.then(|| {
            "a keyed fingerprint of the number, because they opted out, left a topic, or wrote what may be an opt-out: a later \
             import cannot message them, and only their START lifts it"
                .to_owned()
        }),
        Some(format!(
            "webhooks about them as they came, sealed and shown to nobody, for {}",
            counted(i64::from(erasure.raw_webhook_days), "day", "days")
        )),
        Some("what Twilio keeps of their messages: it has copies of its own, to be deleted there".to_owned()),
        Some("what your backups hold, until they are replaced".to_owned()),
    ];
    [goes.into_iter().flatten().collect(), stays.into_iter().flatten().collect()]
}

#[cfg(feature = "ssr")]
fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

#[cfg(feature = "ssr")]
fn phone(text: &str) -> Result<domain::phone::Phone, AppError> {
    text.parse().map_err(|_| AppError::NotFound)
}

#[server]
pub async fn load_contacts(query: ContactsQuery) -> Result<ContactsView, AppError> {
    use domain::{contact::ContactFilter, page::PageRequest};
    let ctx = ctx()?;
    let filter = ContactFilter {
        q: given(&query.q).map(str::to_owned),
        consent: given(&query.consent).and_then(|word| word.parse().ok()),
        topic: given(&query.topic).map(str::to_owned),
        segment: given(&query.segment).and_then(|id| id.parse().ok()),
        import: given(&query.import).and_then(|id| id.parse().ok()),
    };
    let page = PageRequest { cursor: given(&query.cursor).map(str::to_owned), ..PageRequest::default() };
    let contacts = ctx.engine.contacts().list(&ctx.actor, &filter, &page).await?;
    // A search is for looking at, not for counting.
    let total = match filter.q {
        None => Some(ctx.engine.contacts().count(&ctx.actor, &filter).await?),
        Some(_) => None,
    };
    let segment = match filter.segment {
        Some(id) => Some((id.to_string(), ctx.engine.segments().get(&ctx.actor, id).await?.name)),
        None => None,
    };
    Ok(ContactsView { contacts, total, topics: ctx.engine.topics().list(&ctx.actor, None).await?, segment })
}

#[server]
pub async fn load_contact(number: String, cursor: String) -> Result<ContactView, AppError> {
    use domain::page::PageRequest;
    let ctx = ctx()?;
    let phone = phone(&number)?;
    let contact = ctx.engine.contacts().get(&ctx.actor, &phone).await?;
    let page = PageRequest { limit: 30, cursor: given(&cursor).map(str::to_owned) };
    let timeline = ctx.engine.contacts().timeline(&ctx.actor, &phone, &page).await?;
    let erasure = if ctx.actor.may(domain::role::Permission::ManageConsent) {
        Some(told(&ctx.engine.contacts().erasure(&ctx.actor, &phone).await?))
    } else {
        None
    };
    Ok(ContactView { contact, timeline, topics: ctx.engine.topics().list(&ctx.actor, None).await?, erasure })
}

#[server]
pub async fn create_contact(
    phone: String,
    name: String,
    locale: String,
    timezone: String,
    consent: String,
) -> Result<(), AppError> {
    use domain::contact::NewContact;
    let ctx = ctx()?;
    let mut attributes = serde_json::Map::new();
    if let Some(name) = given(&name) {
        attributes.insert("name".to_owned(), name.into());
    }
    let new = NewContact {
        phone: phone.clone(),
        attributes,
        consent: given(&consent).and_then(|word| word.parse().ok()),
        timezone: given(&timezone).map(str::to_owned),
        locale: given(&locale).map(str::to_owned),
        topics: Vec::new(),
    };
    let contact = ctx.engine.contacts().create(&ctx.actor, new).await.map_err(|error| {
        AppError::from(error).keep(&[
            ("phone", &phone),
            ("name", &name),
            ("locale", &locale),
            ("timezone", &timezone),
            ("consent", &consent),
        ])
    })?;
    leptos_axum::redirect(&paths::done(&paths::contact(contact.phone), "created"));
    Ok(())
}

/// Sets one attribute, or removes it when the value is empty. A number stays a number, unless it would lose digits.
#[server]
pub async fn set_attribute(number: String, key: String, value: String, version: i64) -> Result<(), AppError> {
    use domain::contact::ContactPatch;
    let ctx = ctx()?;
    let phone = phone(&number)?;
    let key = key.trim().to_owned();
    if key.is_empty() {
        return Err(AppError::field("key", "Give the attribute a name.").keep(&[("value", &value)]));
    }
    let json = match given(&value) {
        None => serde_json::Value::Null,
        Some(text) => {
            let number = serde_json::from_str::<serde_json::Number>(&domain::text::exact(text));
            number.map_or_else(|_| text.into(), Into::into)
        }
    };
    let patch = ContactPatch {
        attributes: [(key.clone(), json)].into_iter().collect(),
        version: Some(version),
        ..ContactPatch::default()
    };
    ctx.engine
        .contacts()
        .update(&ctx.actor, &phone, patch)
        .await
        .map_err(|error| in_the_value(AppError::from(error)).keep(&[("key", &key), ("value", &value)]))?;
    leptos_axum::redirect(&paths::done(&paths::contact(phone), "saved"));
    Ok(())
}

/// The service names the attribute (`attributes.city`); the page has one field for its value.
#[cfg(feature = "ssr")]
fn in_the_value(mut error: AppError) -> AppError {
    if let AppError::Invalid { fields, .. } = &mut error {
        for field in fields.iter_mut().filter(|error| error.field.starts_with("attributes")) {
            "value".clone_into(&mut field.field);
        }
    }
    error
}

#[server]
pub async fn set_consent(number: String, consent: String, evidence: String) -> Result<(), AppError> {
    use domain::{consent::Consent, contact::ConsentChange};
    let ctx = ctx()?;
    let phone = phone(&number)?;
    let consent: Consent = consent.parse().map_err(|_| AppError::field("consent", "Choose one of the two."))?;
    let change = ConsentChange { consent, source: None, evidence: given(&evidence).map(str::to_owned) };
    ctx.engine
        .contacts()
        .set_consent(&ctx.actor, &phone, change)
        .await
        .map_err(|error| AppError::from(error).keep(&[("evidence", &evidence)]))?;
    leptos_axum::redirect(&paths::done(&paths::contact(phone), consent.as_str()));
    Ok(())
}

#[server]
pub async fn set_subscription(number: String, topic: String, subscribed: bool) -> Result<(), AppError> {
    let ctx = ctx()?;
    let phone = phone(&number)?;
    let contacts = ctx.engine.contacts();
    let done = if subscribed {
        contacts.subscribe(&ctx.actor, &phone, &topic).await?;
        "subscribed"
    } else {
        contacts.unsubscribe(&ctx.actor, &phone, &topic).await?;
        "unsubscribed"
    };
    leptos_axum::redirect(&paths::done(&paths::contact(phone), done));
    Ok(())
}

#[server]
pub async fn erase_contact(number: String, confirmed: String) -> Result<(), AppError> {
    let ctx = ctx()?;
    let phone = phone(&number)?;
    if confirmed.trim() != phone.as_str() {
        return Err(AppError::field("confirmed", "Write the number exactly as it stands above."));
    }
    ctx.engine.contacts().erase(&ctx.actor, &phone).await?;
    leptos_axum::redirect(&paths::done(paths::CONTACTS, "erased"));
    Ok(())
}
