//! `/templates`: what is said, by language and version.

use axum::{Json as Reply, extract::State, http::StatusCode};
use domain::{
    ids::TemplateId,
    page::Page,
    template::{NewTemplate, Preview, PreviewRequest, Template, TemplatePatch},
};
use engine::Engine;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Json, NamedQuery, Path, Query},
    versioned::Versioned,
};
use crate::problem::Problem;

const TAG: &str = "Templates";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new()
        .routes(routes!(list_templates, create_template))
        .routes(routes!(get_template, update_template, delete_template))
        .routes(routes!(preview_template))
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
