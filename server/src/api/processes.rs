//! `/processes` and `/waiting`: who serves the database, and who waits for what.

use axum::{Json as Reply, extract::State};
use domain::{
    page::Page,
    process::{Process, Waiting},
    reason::Reason,
};
use engine::Engine;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{PageQuery, Query, page_of},
};
use crate::problem::Problem;

const TAG: &str = "Processes";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(list_processes)).routes(routes!(list_waiting))
}

/// List processes
///
/// The programs that serve the database, as they last said of themselves, for a day after they were last seen. One that
/// was not seen for ten seconds and did not say that it stops has vanished.
#[utoipa::path(
    get, path = "/processes", tag = TAG,
    params(PageQuery),
    responses((status = 200, body = Page<Process>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_processes(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Reply<Page<Process>>, Problem> {
    let page = query.page()?;
    let processes = engine.processes().list(&actor).await?;
    Ok(Reply(page_of(processes, &page, |process| process.id.to_string())?))
}

/// List what waits
///
/// Everything that is not final yet, counted by what it waits for. Only what there is any of is listed.
#[utoipa::path(
    get, path = "/waiting", tag = TAG,
    params(PageQuery),
    responses((status = 200, body = Page<Waiting>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_waiting(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Reply<Page<Waiting>>, Problem> {
    let page = query.page()?;
    let waiting = engine.processes().waiting(&actor).await?;
    let key = |waiting: &Waiting| format!("{} {}", waiting.what, waiting.reason.map_or("", Reason::as_str));
    Ok(Reply(page_of(waiting, &page, key)?))
}
