//! `/provider-accounts`: the Twilio accounts that senders belong to. Secrets go in and never come out.

use axum::{Json as Reply, extract::State, http::StatusCode};
use domain::{
    page::Page,
    provider_account::{NewProviderAccount, ProviderAccount, ProviderAccountPatch},
};
use engine::Engine;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Json, PageQuery, Path, Query, page_of},
    versioned::Versioned,
};
use crate::problem::Problem;

const TAG: &str = "Provider accounts";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new()
        .routes(routes!(list_provider_accounts, create_provider_account))
        .routes(routes!(update_provider_account, delete_provider_account))
}

/// List provider accounts
///
/// The environment's own account first. Auth tokens and secrets are not shown.
#[utoipa::path(
    get, path = "/provider-accounts", tag = TAG,
    params(PageQuery),
    responses((status = 200, body = Page<ProviderAccount>)),
    extensions(("x-permission" = json!("administer"))),
)]
async fn list_provider_accounts(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Reply<Page<ProviderAccount>>, Problem> {
    let page = query.page()?;
    let accounts = engine.provider_accounts().list(&actor).await?;
    Ok(Reply(page_of(accounts, &page, |account| account.account_sid.clone())?))
}

/// Add a provider account
///
/// A further Twilio account or subaccount. Its credentials are sealed with the encryption key.
#[utoipa::path(
    post, path = "/provider-accounts", tag = TAG,
    request_body = NewProviderAccount,
    responses((status = 201, body = ProviderAccount)),
    extensions(("x-permission" = json!("administer"))),
)]
async fn create_provider_account(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Json(new): Json<NewProviderAccount>,
) -> Result<(StatusCode, Versioned<ProviderAccount>), Problem> {
    Ok((StatusCode::CREATED, Versioned(engine.provider_accounts().create(&actor, new).await?)))
}

/// Change a provider account
///
/// New credentials hold within a second. 409 for the environment's own account.
#[utoipa::path(
    patch, path = "/provider-accounts/{sid}", tag = TAG,
    params(("sid" = String, Path)),
    request_body = ProviderAccountPatch,
    responses((status = 200, body = ProviderAccount)),
    extensions(("x-permission" = json!("administer"))),
)]
async fn update_provider_account(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(sid): Path<String>,
    Json(patch): Json<ProviderAccountPatch>,
) -> Result<Versioned<ProviderAccount>, Problem> {
    Ok(Versioned(engine.provider_accounts().update(&actor, &sid, patch).await?))
}

/// Remove a provider account
///
/// With its credentials. 409 while senders belong to it, and for the environment's own.
#[utoipa::path(
    delete, path = "/provider-accounts/{sid}", tag = TAG,
    params(("sid" = String, Path)),
    responses((status = 204)),
    extensions(("x-permission" = json!("administer"))),
)]
async fn delete_provider_account(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(sid): Path<String>,
) -> Result<StatusCode, Problem> {
    engine.provider_accounts().delete(&actor, &sid).await?;
    Ok(StatusCode::NO_CONTENT)
}
