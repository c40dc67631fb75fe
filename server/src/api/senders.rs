//! `/senders`: the numbers and Messaging Services that messages go out from.

use axum::{Json as Reply, extract::State};
use domain::{
    ids::SenderId,
    page::Page,
    sender::{Sender, SenderPatch},
};
use engine::Engine;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Json, PageQuery, Path, Query, page_of},
};
use crate::problem::Problem;

const TAG: &str = "Senders";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(list_senders)).routes(routes!(update_sender))
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

/// Change a sender
///
/// Name, rate, and whether it is used. A new rate holds within a second.
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
) -> Result<Reply<Sender>, Problem> {
    Ok(Reply(engine.senders().update(&actor, id, patch).await?))
}
