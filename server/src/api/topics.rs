//! `/topics`: what people subscribe to.

use axum::{Json as Reply, extract::State, http::StatusCode};
use domain::{
    page::Page,
    topic::{NewTopic, Topic, TopicPatch},
};
use engine::Engine;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Json, NamedQuery, Path, Query, page_of},
    versioned::Versioned,
};
use crate::problem::Problem;

const TAG: &str = "Topics";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(list_topics, create_topic)).routes(routes!(
        get_topic,
        update_topic,
        delete_topic
    ))
}

/// List topics
#[utoipa::path(
    get, path = "/topics", tag = TAG,
    params(NamedQuery),
    responses((status = 200, body = Page<Topic>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_topics(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<NamedQuery>,
) -> Result<Reply<Page<Topic>>, Problem> {
    let page = query.page()?;
    let topics = engine.topics().list(&actor, query.q.as_deref()).await?;
    Ok(Reply(page_of(topics, &page, |topic| topic.key.clone())?))
}

/// Create a topic
#[utoipa::path(
    post, path = "/topics", tag = TAG,
    request_body = NewTopic,
    responses((status = 201, body = Topic)),
    extensions(("x-permission" = json!("write"))),
)]
async fn create_topic(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Json(new): Json<NewTopic>,
) -> Result<(StatusCode, Versioned<Topic>), Problem> {
    Ok((StatusCode::CREATED, Versioned(engine.topics().create(&actor, new).await?)))
}

/// Get a topic
#[utoipa::path(
    get, path = "/topics/{key}", tag = TAG,
    params(("key" = String, Path)),
    responses((status = 200, body = Topic)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_topic(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(key): Path<String>,
) -> Result<Versioned<Topic>, Problem> {
    Ok(Versioned(engine.topics().get(&actor, &key).await?))
}

/// Change a topic
#[utoipa::path(
    patch, path = "/topics/{key}", tag = TAG,
    params(("key" = String, Path)),
    request_body = TopicPatch,
    responses((status = 200, body = Topic)),
    extensions(("x-permission" = json!("write"))),
)]
async fn update_topic(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(key): Path<String>,
    Json(patch): Json<TopicPatch>,
) -> Result<Versioned<Topic>, Problem> {
    Ok(Versioned(engine.topics().update(&actor, &key, patch).await?))
}

/// Delete a topic
///
/// 409 while a campaign uses it.
#[utoipa::path(
    delete, path = "/topics/{key}", tag = TAG,
    params(("key" = String, Path)),
    responses((status = 204)),
    extensions(("x-permission" = json!("write"))),
)]
async fn delete_topic(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(key): Path<String>,
) -> Result<StatusCode, Problem> {
    engine.topics().delete(&actor, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}
