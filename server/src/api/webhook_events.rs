//! `/webhook-events`: what Twilio sent, raw beside what was read from it.

use axum::{Json as Reply, extract::State};
use domain::{
    event::{WebhookEvent, WebhookFilter, WebhookKind, WebhookOutcome},
    ids::{MessageId, WebhookEventId},
    page::Page,
    phone::Phone,
    time::Timestamp,
};
use engine::Engine;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Path, Query, instant, page, phone},
};
use crate::problem::Problem;

const TAG: &str = "Webhook events";

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(list_webhook_events)).routes(routes!(get_webhook_event))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WebhookEventsQuery {
    /// How many, 1 to 1000; 50 when absent.
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// Twilio's SID of the message.
    sid: Option<String>,
    message: Option<MessageId>,
    kind: Option<WebhookKind>,
    /// What became of it: `orphan` and `unprocessable` are those to look at.
    outcome: Option<WebhookOutcome>,
    /// Of what this person wrote, or was sent.
    #[serde(default, deserialize_with = "phone")]
    phone: Option<Phone>,
    /// Came at this instant or later.
    #[serde(default, deserialize_with = "instant")]
    since: Option<Timestamp>,
    /// Came at this instant or before.
    #[serde(default, deserialize_with = "instant")]
    until: Option<Timestamp>,
}

/// List webhook events
#[utoipa::path(
    get, path = "/webhook-events", tag = TAG,
    params(WebhookEventsQuery),
    responses((status = 200, body = Page<WebhookEvent>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_webhook_events(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<WebhookEventsQuery>,
) -> Result<Reply<Page<WebhookEvent>>, Problem> {
    let page = page(query.limit, query.cursor)?;
    let WebhookEventsQuery { sid, message, kind, outcome, phone, since, until, .. } = query;
    let filter = WebhookFilter { sid, message, kind, outcome, phone, since, until };
    Ok(Reply(engine.webhook_events().list(&actor, &filter, &page).await?))
}

/// Get a webhook event
///
/// With the form as it came, while its retention lasts.
#[utoipa::path(
    get, path = "/webhook-events/{id}", tag = TAG,
    params(("id" = WebhookEventId, Path)),
    responses((status = 200, body = WebhookEvent)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_webhook_event(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(id): Path<WebhookEventId>,
) -> Result<Reply<WebhookEvent>, Problem> {
    Ok(Reply(engine.webhook_events().get(&actor, id).await?))
}
