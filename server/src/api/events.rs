//! `/events`: what happened elsewhere, one event a line.

use axum::{
    Json as Reply,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
};
use domain::{
    ids::{CampaignId, TriggerEventId},
    page::Page,
    phone::Phone,
    trigger_event::{EventsReport, NewTriggerEvent, TriggerEvent, TriggerEventFilter},
};
use engine::{Engine, services::trigger_events::BODY_LIMIT};
use futures::TryStreamExt as _;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Path, Query, page, phone},
};
use crate::problem::Problem;

const TAG: &str = "Events";

/// How programs call it when each line is a JSON document.
const TYPES: [&str; 4] = ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"];

pub(super) fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::new().routes(routes!(list_events, ingest_events)).routes(routes!(get_event))
}

/// Take events
///
/// One a line, at most 64 KiB each and 16 MiB in all. Good lines are stored as they come, bad ones listed with their line;
/// the same `id` twice is one event, so that after an error everything can be sent again. Campaigns that listen to an event's name
/// make their messages from it.
#[utoipa::path(
    post, path = "/events", tag = TAG,
    request_body(content = NewTriggerEvent, content_type = "application/x-ndjson", description = "One such object a line"),
    responses((status = 202, body = EventsReport)),
    extensions(("x-permission" = json!("send"))),
)]
async fn ingest_events(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    request: Request,
) -> Result<(StatusCode, Reply<EventsReport>), Problem> {
    check_type(request.headers())?;
    refuse_large(request.headers())?;
    let body = request.into_body().into_data_stream().map_err(std::io::Error::other);
    let report = engine.trigger_events().ingest(&actor, body, Some(BODY_LIMIT)).await?;
    Ok((StatusCode::ACCEPTED, Reply(report)))
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if TYPES.contains(&kind.as_str()) {
        return Ok(());
    }
    let detail = "Send one event a line, with Content-Type: application/x-ndjson.";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}

/// Of a body that says that it is too large nothing is taken.
fn refuse_large(headers: &HeaderMap) -> Result<(), Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > BODY_LIMIT) { Err(Problem::too_large(BODY_LIMIT)) } else { Ok(()) }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// How many, 1 to 1000; 50 when absent.
    limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// Of this name.
    name: Option<String>,
    /// About this person.
    #[serde(default, deserialize_with = "phone")]
    phone: Option<Phone>,
    /// That this campaign listened to.
    campaign: Option<CampaignId>,
}

/// List events
///
/// Each with what it came to in the campaigns that listened.
#[utoipa::path(
    get, path = "/events", tag = TAG,
    params(EventsQuery),
    responses((status = 200, body = Page<TriggerEvent>)),
    extensions(("x-permission" = json!("read"))),
)]
async fn list_events(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Query(query): Query<EventsQuery>,
) -> Result<Reply<Page<TriggerEvent>>, Problem> {
    let page = page(query.limit, query.cursor)?;
    let filter = TriggerEventFilter { name: query.name, phone: query.phone, campaign: query.campaign };
    Ok(Reply(engine.trigger_events().list(&actor, &filter, &page).await?))
}

/// Get an event
#[utoipa::path(
    get, path = "/events/{number}", tag = TAG,
    params(("number" = TriggerEventId, Path)),
    responses((status = 200, body = TriggerEvent)),
    extensions(("x-permission" = json!("read"))),
)]
async fn get_event(
    State(engine): State<Engine>,
    Caller(actor): Caller,
    Path(number): Path<TriggerEventId>,
) -> Result<Reply<TriggerEvent>, Problem> {
    Ok(Reply(engine.trigger_events().get(&actor, number).await?))
}
