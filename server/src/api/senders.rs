//! `/senders`: the numbers and Messaging Services that messages go out from.

use axum::{Json as Reply, extract::State, http::StatusCode};
use domain::{
    ids::SenderId,
    page::Page,
    sender::{NewSender, Sender, SenderPatch},
};
use engine::Engine;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Json, PageQuery, Path, Query, page_of},
    versioned::Versioned,
};
use crate::problem::Problem;

const TAG: &str = "Senders";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(list_senders, create_sender)).routes(routes!(get_sender, update_sender))
}

/// List senders
#[utoipa::path(
    get, path = "/senders", tag = TAG,
    params(PageQuery),
    responses((status = 200, body = Page<Sender>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_senders(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Reply<Page<Sender>>, Problem> {
    let page = query.page()?;
    let senders = engine.senders().list(&actor).await?;
    Ok(Reply(page_of(senders, &page, |sender| sender.id.to_string())?))
}

/// Add a sender
///
/// The first one of a channel is its default. 409 names the sender that has the address already.
#[utoipa::path(
    post, path = "/senders", tag = TAG,
    request_body = NewSender,
    responses((status = 201, body = Sender)),
    extensions(("x-permission" = json!("administer"))),
)]
async fn create_sender(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Json(new): Json<NewSender>,
) -> Result<(StatusCode, Versioned<Sender>), Problem> {
    Ok((StatusCode::CREATED, Versioned(engine.senders().create(&actor, new).await?)))
}

/// Get a sender
#[utoipa::path(
    get, path = "/senders/{id}", tag = TAG,
    params(("id" = SenderId, Path)),
    responses((status = 200, body = Sender)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_sender(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<SenderId>,
) -> Result<Versioned<Sender>, Problem> {
    Ok(Versioned(engine.senders().get(&actor, id).await?))
}

/// Change a sender
///
/// Name, rate, account, whether it is used, whether it is the channel's default (which takes the mark from the former
/// one), and whether it is held: a reason holds it, null releases it. All of it holds within a second.
#[utoipa::path(
    patch, path = "/senders/{id}", tag = TAG,
    params(("id" = SenderId, Path)),
    request_body = SenderPatch,
    responses((status = 200, body = Sender)),
    extensions(("x-permission" = json!("administer"))),
)]
async fn update_sender(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<SenderId>,
    Json(patch): Json<SenderPatch>,
) -> Result<Versioned<Sender>, Problem> {
    Ok(Versioned(engine.senders().update(&actor, id, patch).await?))
}
