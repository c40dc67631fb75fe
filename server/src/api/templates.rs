//! `/templates`: what is said, by language and version.

use axum::{Json as Reply, extract::State, http::StatusCode};
use domain::{
    content_template::{ContentSync, ContentTemplate},
    ids::TemplateId,
    page::Page,
    template::{Fallback, NewTemplate, Preview, PreviewRequest, Template, TemplatePatch},
};
use engine::Engine;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Json, NamedQuery, PageQuery, Path, Query, page_of},
    versioned::Versioned,
};
use crate::problem::Problem;

const TAG: &str = "Templates";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new()
        .routes(routes!(list_templates, create_template))
        .routes(routes!(get_template, update_template, delete_template))
        .routes(routes!(preview_template))
        .routes(routes!(set_fallback))
        .routes(routes!(sync_templates))
        .routes(routes!(list_content_templates))
}

/// List templates
#[utoipa::path(
    get, path = "/templates", tag = TAG,
    params(NamedQuery),
    responses((status = 200, body = Page<Template>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_templates(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<NamedQuery>,
) -> Result<Reply<Page<Template>>, Problem> {
    let page = query.page()?;
    Ok(Reply(engine.templates().list(&actor, query.q.as_deref(), &page).await?))
}

/// Create a template
///
/// Of a variant only `body` is required.
#[utoipa::path(
    post, path = "/templates", tag = TAG,
    request_body = NewTemplate,
    responses((status = 201, body = Template)),
    extensions(("x-permission" = json!("write"))),
)]
async fn create_template(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Json(new): Json<NewTemplate>,
) -> Result<(StatusCode, Versioned<Template>), Problem> {
    Ok((StatusCode::CREATED, Versioned(engine.templates().create(&actor, new).await?)))
}

/// Get a template
#[utoipa::path(
    get, path = "/templates/{id}", tag = TAG,
    params(("id" = TemplateId, Path)),
    responses((status = 200, body = Template)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_template(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<TemplateId>,
) -> Result<Versioned<Template>, Problem> {
    Ok(Versioned(engine.templates().get(&actor, id).await?))
}

/// Change a template
///
/// Makes a new version; a run that exists keeps the one it froze.
#[utoipa::path(
    patch, path = "/templates/{id}", tag = TAG,
    params(("id" = TemplateId, Path)),
    request_body = TemplatePatch,
    responses((status = 200, body = Template)),
    extensions(("x-permission" = json!("write"))),
)]
async fn update_template(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<TemplateId>,
    Json(patch): Json<TemplatePatch>,
) -> Result<Versioned<Template>, Problem> {
    Ok(Versioned(engine.templates().update(&actor, id, patch).await?))
}

/// Delete a template
///
/// 409 while a campaign uses it.
#[utoipa::path(
    delete, path = "/templates/{id}", tag = TAG,
    params(("id" = TemplateId, Path)),
    responses((status = 204)),
    extensions(("x-permission" = json!("write"))),
)]
async fn delete_template(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<TemplateId>,
) -> Result<StatusCode, Problem> {
    engine.templates().delete(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Preview a text
///
/// Filled for a contact (`phone`) or for sample data (`sample`), not both; with its length and what is wrong with it.
#[utoipa::path(
    post, path = "/templates/preview", tag = TAG,
    request_body = PreviewRequest,
    responses((status = 200, body = Preview)),
    extensions(("x-permission" = json!("read"))),
)]
async fn preview_template(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Json(request): Json<PreviewRequest>,
) -> Result<Reply<Preview>, Problem> {
    Ok(Reply(engine.templates().preview(&actor, &request).await?))
}

/// Say what to write for people without a value
///
/// Wherever the texts write the variable out without a fallback. Makes a new version; 422 where there is no such place.
#[utoipa::path(
    post, path = "/templates/{id}/fallback", tag = TAG,
    params(("id" = TemplateId, Path)),
    request_body = Fallback,
    responses((status = 200, body = Template)),
    extensions(("x-permission" = json!("write"))),
)]
async fn set_fallback(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<TemplateId>,
    Json(fallback): Json<Fallback>,
) -> Result<Versioned<Template>, Problem> {
    Ok(Versioned(engine.templates().set_fallback(&actor, id, &fallback).await?))
}

/// Sync content templates
///
/// Asks Twilio for every account's content templates and WhatsApp's verdicts. Done every 15 minutes by itself. 503 when an
/// account does not give its list.
#[utoipa::path(
    post, path = "/templates/sync", tag = TAG,
    responses((status = 200, body = ContentSync)),
    extensions(("x-permission" = json!("write"))),
)]
async fn sync_templates(State(engine): State<Engine>, Caller(actor): Caller) -> Result<Reply<ContentSync>, Problem> {
    Ok(Reply(engine.content_templates().sync(&actor).await?))
}

/// List content templates
///
/// What WhatsApp has approved, refused or still reviews, as Twilio last listed it.
#[utoipa::path(
    get, path = "/content-templates", tag = TAG,
    params(PageQuery),
    responses((status = 200, body = Page<ContentTemplate>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_content_templates(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Reply<Page<ContentTemplate>>, Problem> {
    let templates = engine.content_templates().list(&actor).await?;
    Ok(Reply(page_of(templates, &query.page()?, |template| template.sid.clone())?))
}
