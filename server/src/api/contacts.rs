//! `/contacts`: people, their consent and their topics.

use axum::{Json as Reply, extract::State, http::StatusCode};
use domain::{
    consent::Consent,
    contact::{
        ConsentChange, ConsentProof, Contact, ContactFilter, ContactPatch, Erasure, NewContact, PersonExport,
        TimelineEntry,
    },
    ids::{ImportId, SegmentId},
    page::Page,
    phone::Phone,
};
use engine::Engine;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Json, PageQuery, Path, Path2, Query, page, search},
    versioned::Versioned,
};
use crate::problem::Problem;

const TAG: &str = "Contacts";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new()
        .routes(routes!(list_contacts, create_contact))
        .routes(routes!(get_contact, update_contact, erase_contact))
        .routes(routes!(set_consent))
        .routes(routes!(subscribe, unsubscribe))
        .routes(routes!(get_timeline))
        .routes(routes!(export_contact))
        .routes(routes!(prove_consent))
        .routes(routes!(look_at_erasure))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ContactsQuery {
    /// How many, 1 to 1000; 50 when absent.
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// The beginning of the number's digits, or of a word of the name.
    #[serde(default, deserialize_with = "search")]
    q: Option<String>,
    consent: Option<Consent>,
    /// The key of a topic the person is subscribed to.
    topic: Option<String>,
    segment: Option<SegmentId>,
    /// Exactly the people in that file.
    import: Option<ImportId>,
}

/// List contacts
///
/// Newest first.
#[utoipa::path(
    get, path = "/contacts", tag = TAG,
    params(ContactsQuery),
    responses((status = 200, body = Page<Contact>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_contacts(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<ContactsQuery>,
) -> Result<Reply<Page<Contact>>, Problem> {
    let page = page(query.limit, query.cursor)?;
    let ContactsQuery { q, consent, topic, segment, import, .. } = query;
    let filter = ContactFilter { q, consent, topic, segment, import };
    Ok(Reply(engine.contacts().list(&actor, &filter, &page).await?))
}

/// Create a contact
///
/// 409 when the number is known already.
#[utoipa::path(
    post, path = "/contacts", tag = TAG,
    request_body = NewContact,
    responses((status = 201, body = Contact)),
    extensions(("x-permission" = json!("write"))),
)]
async fn create_contact(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Json(new): Json<NewContact>,
) -> Result<(StatusCode, Versioned<Contact>), Problem> {
    Ok((StatusCode::CREATED, Versioned(engine.contacts().create(&actor, new).await?)))
}

/// Get a contact
#[utoipa::path(
    get, path = "/contacts/{phone}", tag = TAG,
    params(("phone" = Phone, Path)),
    responses((status = 200, body = Contact)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_contact(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(phone): Path<Phone>,
) -> Result<Versioned<Contact>, Problem> {
    Ok(Versioned(engine.contacts().get(&actor, &phone).await?))
}

/// Change a contact
///
/// `attributes` are merged; null removes a key. Name the `version` you read, and a change made meanwhile is not lost: 409.
#[utoipa::path(
    patch, path = "/contacts/{phone}", tag = TAG,
    params(("phone" = Phone, Path)),
    request_body = ContactPatch,
    responses((status = 200, body = Contact)),
    extensions(("x-permission" = json!("write"))),
)]
async fn update_contact(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(phone): Path<Phone>,
    Json(patch): Json<ContactPatch>,
) -> Result<Versioned<Contact>, Problem> {
    Ok(Versioned(engine.contacts().update(&actor, &phone, patch).await?))
}

/// Erase a contact
///
/// Everything that tells who the person was is destroyed; the number stays suppressed.
#[utoipa::path(
    delete, path = "/contacts/{phone}", tag = TAG,
    params(("phone" = Phone, Path)),
    responses((status = 204)),
    extensions(("x-permission" = json!("manage_consent"))),
)]
async fn erase_contact(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(phone): Path<Phone>,
) -> Result<StatusCode, Problem> {
    engine.contacts().erase(&actor, &phone).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Record consent
///
/// Lifting an opt-out takes an admin's key and evidence; after the person's own STOP it is always 409.
#[utoipa::path(
    put, path = "/contacts/{phone}/consent", tag = TAG,
    params(("phone" = Phone, Path)),
    request_body = ConsentChange,
    responses((status = 200, body = Contact)),
    extensions(("x-permission" = json!("write"))),
)]
async fn set_consent(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(phone): Path<Phone>,
    Json(change): Json<ConsentChange>,
) -> Result<Versioned<Contact>, Problem> {
    Ok(Versioned(engine.contacts().set_consent(&actor, &phone, change).await?))
}

/// Subscribe to a topic
#[utoipa::path(
    put, path = "/contacts/{phone}/topics/{key}", tag = TAG,
    params(("phone" = Phone, Path), ("key" = String, Path)),
    responses((status = 200, body = Contact)),
    extensions(("x-permission" = json!("write"))),
)]
async fn subscribe(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path2(phone, key): Path2<Phone, String>,
) -> Result<Versioned<Contact>, Problem> {
    Ok(Versioned(engine.contacts().subscribe(&actor, &phone, &key).await?))
}

/// Unsubscribe from a topic
#[utoipa::path(
    delete, path = "/contacts/{phone}/topics/{key}", tag = TAG,
    params(("phone" = Phone, Path), ("key" = String, Path)),
    responses((status = 200, body = Contact)),
    extensions(("x-permission" = json!("write"))),
)]
async fn unsubscribe(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path2(phone, key): Path2<Phone, String>,
) -> Result<Versioned<Contact>, Problem> {
    Ok(Versioned(engine.contacts().unsubscribe(&actor, &phone, &key).await?))
}

/// A contact's history
///
/// Consent, subscriptions, imports, messages both ways; newest first.
#[utoipa::path(
    get, path = "/contacts/{phone}/timeline", tag = TAG,
    params(("phone" = Phone, Path), PageQuery),
    responses((status = 200, body = Page<TimelineEntry>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_timeline(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(phone): Path<Phone>,
    Query(query): Query<PageQuery>,
) -> Result<Reply<Page<TimelineEntry>>, Problem> {
    Ok(Reply(engine.contacts().timeline(&actor, &phone, &query.page()?).await?))
}

/// Everything about a contact
///
/// Details, consent with its evidence, topics, messages both ways: what a person who asks for their data gets. Each export is written to the
/// audit log.
#[utoipa::path(
    get, path = "/contacts/{phone}/export", tag = TAG,
    params(("phone" = Phone, Path)),
    responses((status = 200, body = PersonExport)),
    extensions(("x-permission" = json!("manage_consent"))),
)]
async fn export_contact(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(phone): Path<Phone>,
) -> Result<Reply<PersonExport>, Problem> {
    Ok(Reply(engine.contacts().export(&actor, &phone).await?))
}

/// Proof of a contact's consent
///
/// The contact's lines of the consent ledger with their evidence and hashes, and whether they hold. Each look is written to the audit log.
#[utoipa::path(
    get, path = "/contacts/{phone}/consent-proof", tag = TAG,
    params(("phone" = Phone, Path)),
    responses((status = 200, body = ConsentProof)),
    extensions(("x-permission" = json!("manage_consent"))),
)]
async fn prove_consent(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(phone): Path<Phone>,
) -> Result<Reply<ConsentProof>, Problem> {
    Ok(Reply(engine.contacts().proof(&actor, &phone).await?))
}

/// What erasing a contact would take away
///
/// Counts of what goes and of what stays, before `DELETE /contacts/{phone}`. Twilio keeps its own copies of messages, and
/// backups hold what they held.
#[utoipa::path(
    get, path = "/contacts/{phone}/erasure", tag = TAG,
    params(("phone" = Phone, Path)),
    responses((status = 200, body = Erasure)),
    extensions(("x-permission" = json!("manage_consent"))),
)]
async fn look_at_erasure(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(phone): Path<Phone>,
) -> Result<Reply<Erasure>, Problem> {
    Ok(Reply(engine.contacts().erasure(&actor, &phone).await?))
}
