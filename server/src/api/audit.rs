//! `/audit`: who did what.

use axum::{Json as Reply, extract::State};
use domain::{account::AuditEntry, page::Page};
use engine::Engine;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{PageQuery, Query},
};
use crate::problem::Problem;

const TAG: &str = "Audit";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(list_audit))
}

/// List audit entries
#[utoipa::path(
    get, path = "/audit", tag = TAG,
    params(PageQuery),
    responses((status = 200, body = Page<AuditEntry>)),
    extensions(("x-permission" = json!("audit"))),
)]
async fn list_audit(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Reply<Page<AuditEntry>>, Problem> {
    Ok(Reply(engine.audit().list(&actor, &query.page()?).await?))
}
