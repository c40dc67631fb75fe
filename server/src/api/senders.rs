//! `/senders`: the numbers and Messaging Services that messages go out from.

use axum::{Json as Reply, extract::State};
use domain::{page::Page, sender::Sender};
use engine::Engine;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{PageQuery, Query, page_of},
};
use crate::problem::Problem;

const TAG: &str = "Senders";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(list_senders))
}

/// List senders
#[utoipa::path(get, path = "/senders", tag = TAG, params(PageQuery), responses((status = 200, body = Page<Sender>)), extensions(("x-permission" = json!("read"))))]
async fn list_senders(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Reply<Page<Sender>>, Problem> {
    let page = query.page()?;
    let senders = engine.senders().list(&actor).await?;
    Ok(Reply(page_of(senders, &page, |sender| sender.id.to_string())?))
}
