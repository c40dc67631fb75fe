//! `/conversations`: what is said with one person. An answer is a message like others: `POST /messages`.

use axum::{Json as Reply, extract::State};
use domain::{
    conversation::{Conversation, ConversationDetail, ConversationFilter, ConversationPatch, ConversationStatus},
    page::Page,
    phone::Phone,
};
use engine::Engine;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Json, PageQuery, Path, Query, page, search},
    versioned::Versioned,
};
use crate::problem::Problem;

const TAG: &str = "Conversations";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(list_conversations)).routes(routes!(get_conversation, update_conversation))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ConversationsQuery {
    /// How many, 1 to 1000; 50 when absent.
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// The beginning of the number's digits, or of a word of the name.
    #[serde(default, deserialize_with = "search")]
    q: Option<String>,
    status: Option<ConversationStatus>,
    /// Only those with messages that nobody has seen.
    #[serde(default)]
    unread: bool,
    /// The e-mail of the account that takes care of it, or `none`.
    assignee: Option<String>,
}

/// List conversations
///
/// The one with the newest message first.
#[utoipa::path(
    get, path = "/conversations", tag = TAG,
    params(ConversationsQuery),
    responses((status = 200, body = Page<Conversation>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_conversations(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<ConversationsQuery>,
) -> Result<Reply<Page<Conversation>>, Problem> {
    let page = page(query.limit, query.cursor)?;
    let ConversationsQuery { q, status, unread, assignee, .. } = query;
    let filter = ConversationFilter { q, status, unread, assignee };
    Ok(Reply(engine.conversations().list(&actor, &filter, &page).await?))
}

/// Get a conversation
///
/// With the messages of both directions, newest first, and the senders that an answer may go out from.
#[utoipa::path(
    get, path = "/conversations/{phone}", tag = TAG,
    params(("phone" = Phone, Path), PageQuery),
    responses((status = 200, body = ConversationDetail)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_conversation(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(phone): Path<Phone>,
    Query(query): Query<PageQuery>,
) -> Result<Reply<ConversationDetail>, Problem> {
    Ok(Reply(engine.conversations().get(&actor, &phone, &query.page()?).await?))
}

/// Assign, archive, mark as read
#[utoipa::path(
    patch, path = "/conversations/{phone}", tag = TAG,
    params(("phone" = Phone, Path)),
    request_body = ConversationPatch,
    responses((status = 200, body = Conversation)),
    extensions(("x-permission" = json!("write"))),
)]
async fn update_conversation(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(phone): Path<Phone>,
    Json(patch): Json<ConversationPatch>,
) -> Result<Versioned<Conversation>, Problem> {
    Ok(Versioned(engine.conversations().update(&actor, &phone, patch).await?))
}
