//! `/segments`: who is meant (the pages say "audience").

use axum::{Json as Reply, extract::State, http::StatusCode};
use domain::{
    ids::SegmentId,
    page::Page,
    segment::{Group, NewSegment, Segment, SegmentPatch, SegmentPreview},
};
use engine::Engine;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Json, NamedQuery, Path, Query},
    versioned::Versioned,
};
use crate::problem::Problem;

const TAG: &str = "Segments";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new()
        .routes(routes!(list_segments, create_segment))
        .routes(routes!(get_segment, update_segment, delete_segment))
        .routes(routes!(preview_segment))
}

/// List segments
#[utoipa::path(
    get, path = "/segments", tag = TAG,
    params(NamedQuery),
    responses((status = 200, body = Page<Segment>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_segments(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<NamedQuery>,
) -> Result<Reply<Page<Segment>>, Problem> {
    let page = query.page()?;
    Ok(Reply(engine.segments().list(&actor, query.q.as_deref(), &page).await?))
}

/// Create a segment
#[utoipa::path(
    post, path = "/segments", tag = TAG,
    request_body = NewSegment,
    responses((status = 201, body = Segment)),
    extensions(("x-permission" = json!("write"))),
)]
async fn create_segment(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Json(new): Json<NewSegment>,
) -> Result<(StatusCode, Versioned<Segment>), Problem> {
    Ok((StatusCode::CREATED, Versioned(engine.segments().create(&actor, new).await?)))
}

/// Get a segment
#[utoipa::path(
    get, path = "/segments/{id}", tag = TAG,
    params(("id" = SegmentId, Path)),
    responses((status = 200, body = Segment)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_segment(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<SegmentId>,
) -> Result<Versioned<Segment>, Problem> {
    Ok(Versioned(engine.segments().get(&actor, id).await?))
}

/// Change a segment
///
/// Later runs follow the change; a run that exists keeps what it froze.
#[utoipa::path(
    patch, path = "/segments/{id}", tag = TAG,
    params(("id" = SegmentId, Path)),
    request_body = SegmentPatch,
    responses((status = 200, body = Segment)),
    extensions(("x-permission" = json!("write"))),
)]
async fn update_segment(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<SegmentId>,
    Json(patch): Json<SegmentPatch>,
) -> Result<Versioned<Segment>, Problem> {
    Ok(Versioned(engine.segments().update(&actor, id, patch).await?))
}

/// Delete a segment
///
/// 409 while a campaign or another segment uses it.
#[utoipa::path(
    delete, path = "/segments/{id}", tag = TAG,
    params(("id" = SegmentId, Path)),
    responses((status = 204)),
    extensions(("x-permission" = json!("write"))),
)]
async fn delete_segment(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<SegmentId>,
) -> Result<StatusCode, Problem> {
    engine.segments().delete(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a preview takes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SegmentPreviewRequest {
    /// Read by the engine, so that an error names the rule it is in.
    #[schema(value_type = Group)]
    definition: Value,
}

/// Preview a segment
///
/// How many people a definition means, and ten of them. People who opted out are counted too.
#[utoipa::path(
    post, path = "/segments/preview", tag = TAG,
    request_body = SegmentPreviewRequest,
    responses((status = 200, body = SegmentPreview)),
    extensions(("x-permission" = json!("read"))),
)]
async fn preview_segment(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Json(request): Json<SegmentPreviewRequest>,
) -> Result<Reply<SegmentPreview>, Problem> {
    Ok(Reply(engine.segments().preview(&actor, &request.definition).await?))
}
