//! `/suppressions`, `/consent-reviews` and `/opt-outs`: who must not be messaged, whose words somebody has to read, and who
//! said no.

use axum::{Json as Reply, extract::State, http::StatusCode};
use domain::{
    consent::SuppressionReason,
    ids::ReviewId,
    page::Page,
    phone::Phone,
    review::{Decided, OptOut, Review, ReviewChange},
    suppression::{NewSuppression, Suppression, SuppressionFilter},
};
use engine::Engine;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Json, PageQuery, Path, Query, page, phone},
};
use crate::problem::Problem;

const TAG: &str = "Consent";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new()
        .routes(routes!(list_suppressions, add_suppression))
        .routes(routes!(remove_suppression))
        .routes(routes!(list_reviews))
        .routes(routes!(list_decided))
        .routes(routes!(decide_review))
        .routes(routes!(list_opt_outs))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SuppressionQuery {
    /// How many, 1 to 1000; 50 when absent.
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    #[serde(default, deserialize_with = "phone")]
    phone: Option<Phone>,
    reason: Option<SuppressionReason>,
}

/// List suppressions
#[utoipa::path(
    get, path = "/suppressions", tag = TAG,
    params(SuppressionQuery),
    responses((status = 200, body = Page<Suppression>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_suppressions(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<SuppressionQuery>,
) -> Result<Reply<Page<Suppression>>, Problem> {
    let page = page(query.limit, query.cursor)?;
    let filter = SuppressionFilter { phone: query.phone, reason: query.reason };
    Ok(Reply(engine.suppressions().list(&actor, &filter, &page).await?))
}

/// Suppress a number
///
/// From then on nothing goes there, whoever imports it again. A contact with the number is opted out with it.
#[utoipa::path(
    post, path = "/suppressions", tag = TAG,
    request_body = NewSuppression,
    responses((status = 201, body = Suppression)),
    extensions(("x-permission" = json!("write"))),
)]
async fn add_suppression(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Json(new): Json<NewSuppression>,
) -> Result<(StatusCode, Reply<Suppression>), Problem> {
    Ok((StatusCode::CREATED, Reply(engine.suppressions().add(&actor, &new).await?)))
}

/// Lift a suppression
///
/// Only those of reasons `manual` and `bounce`; 409 for what only the person can lift.
#[utoipa::path(
    delete, path = "/suppressions/{phone}", tag = TAG,
    params(("phone" = String, Path)),
    responses((status = 204)),
    extensions(("x-permission" = json!("manage_consent"))),
)]
async fn remove_suppression(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(phone): Path<Phone>,
) -> Result<StatusCode, Problem> {
    engine.suppressions().remove(&actor, &phone).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List messages that may be an opt-out
///
/// Marketing to these people waits until somebody has decided.
#[utoipa::path(
    get, path = "/consent-reviews", tag = TAG,
    params(PageQuery),
    responses((status = 200, body = Page<Review>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_reviews(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Reply<Page<Review>>, Problem> {
    let page = query.page()?;
    Ok(Reply(engine.reviews().list(&actor, &page).await?))
}

/// List what was decided of messages that may have been an opt-out
///
/// The newest first, each with who decided it. What the person said in clear words meanwhile is no decision of anybody's.
#[utoipa::path(
    get, path = "/consent-reviews/decided", tag = TAG,
    params(PageQuery),
    responses((status = 200, body = Page<Decided>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_decided(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Reply<Page<Decided>>, Problem> {
    let page = query.page()?;
    Ok(Reply(engine.reviews().decided(&actor, &page).await?))
}

/// Decide whether a message was an opt-out
#[utoipa::path(
    post, path = "/consent-reviews/{id}/decide", tag = TAG,
    params(("id" = String, Path)),
    request_body = ReviewChange,
    responses((status = 204)),
    extensions(("x-permission" = json!("write"))),
)]
async fn decide_review(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<ReviewId>,
    Json(change): Json<ReviewChange>,
) -> Result<StatusCode, Problem> {
    engine.reviews().decide(&actor, id, change.decision).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List opt-outs
///
/// Of everything and of topics, the newest first: each line of the consent ledger that says so, with where it came from.
#[utoipa::path(
    get, path = "/opt-outs", tag = TAG,
    params(PageQuery),
    responses((status = 200, body = Page<OptOut>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_opt_outs(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Reply<Page<OptOut>>, Problem> {
    let page = query.page()?;
    Ok(Reply(engine.reviews().opt_outs(&actor, &page).await?))
}
