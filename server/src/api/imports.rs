//! `/imports`: files of contacts.

use std::path::PathBuf;

use axum::{
    Json as Reply,
    body::Body,
    extract::{FromRequest as _, Multipart, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use domain::{
    actor::Actor,
    ids::ImportId,
    import::{Import, ImportFormat, ImportOptions, ImportReject},
    page::Page,
};
use engine::{Engine, private};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{PageQuery, Path, Query},
    idempotency::{self, Step, Ticket},
};
use crate::{
    http::{downloads, uploads},
    problem::Problem,
};

const TAG: &str = "Imports";
const MULTIPART: &str = "multipart/form-data";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new()
        .routes(routes!(list_imports, create_import))
        .routes(routes!(get_import))
        .routes(routes!(list_rejects))
        .routes(routes!(rejects_csv))
        // The engine counts the file's bytes itself.
        .layer(axum::extract::DefaultBodyLimit::disable())
}

/// List imports
#[utoipa::path(
    get, path = "/imports", tag = TAG,
    params(PageQuery),
    responses((status = 200, body = Page<Import>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_imports(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Reply<Page<Import>>, Problem> {
    Ok(Reply(engine.imports().list(&actor, &query.page()?).await?))
}

/// How a file is to be read. Documents the query; [`uploads::set_option`] reads it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
struct ImportQuery {
    /// From the content type when absent.
    format: Option<ImportFormat>,
    /// The key of a topic that everybody in the file is subscribed to; several times for several.
    topic: Option<Vec<String>>,
    /// The region of numbers written without a country code, such as LK.
    country: Option<String>,
    /// Which column is what, such as `phone:Mobile`; several times for several.
    map: Option<Vec<String>>,
}

/// A form with a file in it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its description is used")]
struct ImportForm {
    /// The last field of the form.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
}

/// Import a file
///
/// The file as the body (CSV, JSON or JSON Lines), or as the field `file` of a form. The answer comes when the file is
/// stored; its rows are read after that.
#[utoipa::path(
    post, path = "/imports", tag = TAG,
    params(ImportQuery),
    request_body(content(
        (String = "text/csv"),
        (String = "application/json"),
        (String = "application/x-ndjson"),
        (ImportForm = "multipart/form-data"),
    )),
    responses((status = 202, body = Import)),
    extensions(("x-permission" = json!("write"))),
)]
async fn create_import(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    request: Request,
) -> Result<Response, Problem> {
    let mut options = ImportOptions::default();
    for (name, value) in url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
        uploads::set_option(&mut options, &name, &value).map_err(|error| Problem::invalid(vec![error]))?;
    }
    refuse_large(request.headers(), engine.config().import_limit)?;
    if let Some(key) = idempotency::key_of(request.headers())? {
        return create_once(engine, actor, options, request, key).await;
    }
    let import = if is_multipart(request.headers()) {
        uploads::take(&engine, &actor, multipart(request).await?, options).await?
    } else {
        options.format = options.format.or_else(|| format_of(request.headers()));
        engine.imports().upload(&actor, options, Box::pin(bytes_of(request.into_body()))).await?
    };
    Ok(accepted(import))
}

fn accepted(import: Import) -> Response {
    (StatusCode::ACCEPTED, Reply(import)).into_response()
}

/// Whoever says that the file is too large need not send it.
fn refuse_large(headers: &HeaderMap, limit: u64) -> Result<(), Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    // A form is a little larger than its file.
    if length.is_some_and(|length| length > limit.saturating_add(64 * 1024)) {
        let detail = format!("The file is larger than the {} MiB that are taken.", limit / 1024 / 1024);
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    Ok(())
}

fn is_multipart(headers: &HeaderMap) -> bool {
    content_type(headers).is_some_and(|kind| kind.starts_with(MULTIPART))
}

fn format_of(headers: &HeaderMap) -> Option<ImportFormat> {
    content_type(headers).and_then(uploads::format_of_type)
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok()
}

async fn multipart(request: Request) -> Result<Multipart, Problem> {
    Multipart::from_request(request, &())
        .await
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.body_text()))
}

fn bytes_of(body: Body) -> impl Stream<Item = std::io::Result<bytes::Bytes>> + Send {
    body.into_data_stream().map_err(std::io::Error::other)
}

/// With an `Idempotency-Key`: the file is stored first, because what it holds decides whether it is the same request.
async fn create_once(
    engine: Engine,
    actor: Actor,
    mut options: ImportOptions,
    request: Request,
    key: String,
) -> Result<Response, Problem> {
    let spool = if is_multipart(request.headers()) {
        let mut form = multipart(request).await?;
        loop {
            if let Some(file) = uploads::next_part(&mut form, &mut options).await? {
                break Spool::fill(&engine, &options, uploads::stream(file)).await?;
            }
        }
    } else {
        options.format = options.format.or_else(|| format_of(request.headers()));
        Spool::fill(&engine, &options, bytes_of(request.into_body())).await?
    };
    let route = "POST /api/v1/imports".to_owned();
    let (ticket, actor) = match Ticket::begin(&engine, actor, route, key, &spool.hash).await? {
        Step::Answered(answer) => return Ok(answer),
        Step::Go(ticket, actor) => (ticket, actor),
    };
    // In a task of its own: a caller who hangs up must not leave it half done and the key taken.
    let done = tokio::spawn(async move {
        let import = engine.imports().upload_file(&actor, options, &spool.path).await;
        ticket.finish(import.map_or_else(|error| Problem::from(error).into_response(), accepted)).await
    });
    done.await.map_err(|error| {
        tracing::error!(%error, "an import with an Idempotency-Key broke off");
        Problem::internal()
    })
}

/// A body on disk, removed with this value.
struct Spool {
    path: PathBuf,
    hash: Vec<u8>,
}

impl Spool {
    async fn fill(
        engine: &Engine,
        options: &ImportOptions,
        body: impl Stream<Item = std::io::Result<bytes::Bytes>> + Send,
    ) -> Result<Self, Problem> {
        let folder = engine.config().data_dir.join("imports");
        let failed = |error: std::io::Error| {
            tracing::error!(%error, "a body cannot be stored");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "The file cannot be stored right now.")
        };
        private::make_folder(folder.clone()).await.map_err(failed)?;
        let mut spool = Self { path: folder.join(format!("{}.body", uuid::Uuid::now_v7())), hash: Vec::new() };
        let mut file = tokio::fs::File::create_new(&spool.path).await.map_err(failed)?;
        let mut hash = Sha256::new();
        hash.update(serde_json::to_vec(options).unwrap_or_default());
        let mut room = engine.config().import_limit;
        let mut body = std::pin::pin!(body);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "The body broke off."))?;
            room = room.checked_sub(chunk.len() as u64).ok_or_else(|| {
                let limit = engine.config().import_limit / 1024 / 1024;
                Problem::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    format!("The file is larger than the {limit} MiB that are taken."),
                )
            })?;
            hash.update(&chunk);
            file.write_all(&chunk).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        spool.hash = hash.finalize().to_vec();
        Ok(spool)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "a stored body was left behind");
        }
    }
}

/// Get an import
///
/// Its data-quality report: `rows` = created + updated + unchanged + duplicates + rejected.
#[utoipa::path(
    get, path = "/imports/{id}", tag = TAG,
    params(("id" = ImportId, Path)),
    responses((status = 200, body = Import)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_import(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<ImportId>,
) -> Result<Reply<Import>, Problem> {
    Ok(Reply(engine.imports().get(&actor, id).await?))
}

/// List rejected rows
///
/// In the order of the file.
#[utoipa::path(
    get, path = "/imports/{id}/rejects", tag = TAG,
    params(("id" = ImportId, Path), PageQuery),
    responses((status = 200, body = Page<ImportReject>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_rejects(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<ImportId>,
    Query(query): Query<PageQuery>,
) -> Result<Reply<Page<ImportReject>>, Problem> {
    Ok(Reply(engine.imports().rejects(&actor, id, &query.page()?).await?))
}

/// Rejected rows as a file
///
/// Each with its line and reason, ready to be corrected and imported again.
#[utoipa::path(
    get, path = "/imports/{id}/rejects.csv", tag = TAG,
    params(("id" = ImportId, Path)),
    responses((status = 200, body = String, content_type = "text/csv")),
    extensions(("x-permission" = json!("read"))),
)]
async fn rejects_csv(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<ImportId>,
) -> Result<Response, Problem> {
    downloads::rejects_csv(&engine, &actor, id).await
}
