//! `/messages`: what was sent, to whom, and why or why not.

use axum::{Json as Reply, extract::State, http::StatusCode};
use domain::{
    ids::{CampaignId, MessageId, RunId},
    message::{Message, MessageFilter, NewMessage, State as MessageState},
    page::Page,
    phone::Phone,
    reason::Reason,
    time::Timestamp,
};
use engine::Engine;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Json, Path, Query, instant, page, phone},
};
use crate::problem::Problem;

const TAG: &str = "Messages";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(list_messages, create_message)).routes(routes!(get_message))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MessagesQuery {
    /// How many, 1 to 1000; 50 when absent.
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    #[serde(default, deserialize_with = "phone")]
    phone: Option<Phone>,
    state: Option<MessageState>,
    reason: Option<Reason>,
    /// Twilio's error code.
    code: Option<i32>,
    campaign: Option<CampaignId>,
    run: Option<RunId>,
    /// Made at this instant or later.
    #[serde(default, deserialize_with = "instant")]
    since: Option<Timestamp>,
}

/// List messages
#[utoipa::path(
    get, path = "/messages", tag = TAG,
    params(MessagesQuery),
    responses((status = 200, body = Page<Message>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_messages(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<MessagesQuery>,
) -> Result<Reply<Page<Message>>, Problem> {
    let page = page(query.limit, query.cursor)?;
    let MessagesQuery { phone, state, reason, code, campaign, run, since, .. } = query;
    let filter = MessageFilter { run, campaign, phone, state, reason, code, since };
    Ok(Reply(engine.messages().list(&actor, &filter, &page).await?))
}

/// Send one message
///
/// A template with variables, or a text. One that may not go is taken too and ends `skipped` with its reason.
#[utoipa::path(
    post, path = "/messages", tag = TAG,
    request_body = NewMessage,
    responses((status = 202, body = Message)),
    extensions(("x-permission" = json!("send"))),
)]
async fn create_message(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Json(new): Json<NewMessage>,
) -> Result<(StatusCode, Reply<Message>), Problem> {
    Ok((StatusCode::ACCEPTED, Reply(engine.messages().create(&actor, new).await?)))
}

/// Get a message
///
/// With its history and every decision, check by check.
#[utoipa::path(
    get, path = "/messages/{id}", tag = TAG,
    params(("id" = MessageId, Path)),
    responses((status = 200, body = Message)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_message(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<MessageId>,
) -> Result<Reply<Message>, Problem> {
    Ok(Reply(engine.messages().get(&actor, id).await?))
}
