//! The Content API: JSON bodies, ISO dates, and absolute URLs in `meta`, unlike the 2010 API.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::form_urlencoded::{Serializer, parse};

use super::{Approval, Content, TYPES};
use crate::api::Call;
use crate::clock::{now_ms, span};
use crate::errors::ApiError;
use crate::faults::matches;
use crate::messages::json_answer;
use crate::state::{Shared, lock};

type Answer = Result<Response, ApiError>;

/// What a v2 list may ask for.
#[derive(Debug, Default)]
struct Filter {
    languages: Vec<String>,
    types: Vec<String>,
    statuses: Vec<String>,
    name: Option<String>,
    text: Option<String>,
    after: Option<i64>,
    before: Option<i64>,
    /// A sort key, and whether it descends.
    sort: Option<(bool, bool)>,
}

#[derive(Debug)]
struct Query {
    filter: Filter,
    kept: Vec<(String, String)>,
    size: usize,
    page: usize,
}

impl Query {
    fn parse(raw: &str, version_two: bool) -> Result<Self, ApiError> {
        let mut query = Self { filter: Filter::default(), kept: Vec::new(), size: 50, page: 0 };
        let filter = &mut query.filter;
        let bad = |name: &str| ApiError::new(20001, format!("Invalid {name}"));
        for (name, value) in parse(raw.as_bytes()) {
            match &*name {
                "PageSize" => {
                    query.size = value.parse().ok().filter(|n| *n > 0).ok_or_else(|| bad(&name))?;
                    if query.size > 1000 {
                        return Err(ApiError::of(20007));
                    }
                    continue;
                }
                "Page" => {
                    query.page = value.parse().map_err(|_| bad(&name))?;
                    continue;
                }
                "PageToken" => {
                    // `PT` and the number of the page.
                    query.page =
                        value.strip_prefix("PT").and_then(|n| n.parse().ok()).ok_or_else(|| ApiError::of(21481))?;
                    continue;
                }
                _ if !version_two => continue,
                "Language" => filter.languages.push(value.to_string()),
                "ContentType" => filter.types.push(value.to_string()),
                "ChannelEligibility" => {
                    let (channel, status) = value.split_once(':').ok_or_else(|| bad(&name))?;
                    if channel == "whatsapp" {
                        filter.statuses.push(status.to_owned());
                    }
                }
                "ContentName" => filter.name = Some(value.to_lowercase()),
                "Content" => filter.text = Some(value.to_lowercase()),
                "DateCreatedAfter" => filter.after = Some(span(&value).ok_or_else(|| bad(&name))?.0),
                "DateCreatedBefore" => filter.before = Some(span(&value).ok_or_else(|| bad(&name))?.0),
                "SortByDate" => filter.sort = Some((true, value == "desc")),
                "SortByContentName" => filter.sort = Some((false, value == "desc")),
                _ => continue,
            }
            query.kept.push((name.into_owned(), value.into_owned()));
        }
        Ok(query)
    }

    fn url(&self, base: &str, page: usize) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(&self.kept);
        query.append_pair("PageSize", &self.size.to_string()).append_pair("Page", &page.to_string());
        if page > 0 {
            query.append_pair("PageToken", &format!("PT{page}"));
        }
        format!("{base}?{}", query.finish())
    }
}

impl Filter {
    fn fits(&self, content: &Content, now: i64) -> bool {
        let among = |list: &[String], value: &str| list.is_empty() || list.iter().any(|item| item == value);
        let pattern = |pattern: &Option<String>, text: &str| {
            pattern
                .as_ref()
                .is_none_or(|pattern| matches(&format!("*{}*", pattern.replace('%', "*")), &text.to_lowercase()))
        };
        among(&self.languages, &content.language)
            && (self.types.is_empty() || content.types.keys().any(|name| self.types.contains(name)))
            && among(&self.statuses, content.status(now))
            && pattern(&self.name, &content.friendly_name)
            && pattern(
                &self.text,
                &content.types.values().filter_map(|value| value["body"].as_str()).collect::<Vec<_>>().join("\n"),
            )
            && self.after.is_none_or(|at| content.created >= at)
            && self.before.is_none_or(|at| content.created < at)
    }
}

/// `http://` and the host as it was called: what the API's URLs begin with.
pub(crate) fn origin(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("content.twilio.com");
    format!("http://{host}")
}

/// `GET /v1|v2/Content` and `/v1|v2/ContentAndApprovals`.
pub(crate) async fn list(
    Extension(call): Extension<Call>,
    State(shared): State<Arc<Shared>>,
    RawQuery(raw): RawQuery,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let query = Query::parse(raw.as_deref().unwrap_or_default(), uri.path().starts_with("/v2/"))?;
    let approvals = uri.path().ends_with("/ContentAndApprovals");
    let origin = origin(&headers);
    let base = format!("{origin}{}", uri.path());
    let now = now_ms();
    let account = &call.active.settings.account_sid;

    let contents = lock(&shared.core.contents);
    let mut found: Vec<&Content> = contents.all.iter().filter(|content| query.filter.fits(content, now)).collect();
    match query.filter.sort {
        Some((true, descending)) => {
            found.sort_by_key(|content| if descending { -content.created } else { content.created });
        }
        Some((false, false)) => found.sort_by(|a, b| a.friendly_name.cmp(&b.friendly_name)),
        Some((false, true)) => found.sort_by(|a, b| b.friendly_name.cmp(&a.friendly_name)),
        None => {}
    }
    let start = query.page.saturating_mul(query.size);
    let page: Vec<Value> =
        found.iter().skip(start).take(query.size).map(|content| content.json(account, &origin, approvals)).collect();
    let more = found.len() > start.saturating_add(query.size);
    drop(contents);

    let answer = json!({
        "contents": page,
        "meta": {
            "key": "contents",
            "page": query.page,
            "page_size": query.size,
            "url": query.url(&base, query.page),
            "first_page_url": query.url(&base, 0),
            "next_page_url": more.then(|| query.url(&base, query.page + 1)),
            "previous_page_url": (query.page > 0).then(|| query.url(&base, query.page - 1)),
        },
    });
    Ok(json_answer(StatusCode::OK, answer.to_string()))
}

/// `GET /v1/Content/{sid}`.
pub(crate) async fn fetch(
    Extension(call): Extension<Call>,
    State(shared): State<Arc<Shared>>,
    Path(sid): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let contents = lock(&shared.core.contents);
    let content = contents.get(&sid).ok_or_else(|| ApiError::not_found(uri.path()))?;
    let object = content.json(&call.active.settings.account_sid, &origin(&headers), false);
    Ok(json_answer(StatusCode::OK, object.to_string()))
}

#[derive(Debug, Deserialize)]
struct Draft {
    #[serde(default)]
    friendly_name: String,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    variables: Map<String, Value>,
    types: Map<String, Value>,
}

fn draft(body: &[u8]) -> Result<Draft, ApiError> {
    let draft: Draft =
        serde_json::from_slice(body).map_err(|error| ApiError::new(20001, format!("Invalid content: {error}")))?;
    if draft.types.is_empty() {
        return Err(ApiError::new(20001, "Invalid content: types must not be empty"));
    }
    if let Some(name) = draft.types.keys().find(|name| !TYPES.contains(&name.as_str())) {
        return Err(ApiError::new(20001, format!("Invalid content: unknown type {name}")));
    }
    if !draft.variables.values().all(Value::is_string) {
        return Err(ApiError::new(20001, "Invalid content: variables must be strings"));
    }
    Ok(draft)
}

/// `POST /v1/Content`: 201.
pub(crate) async fn create(
    Extension(call): Extension<Call>,
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let draft = draft(&body)?;
    let language = draft.language.ok_or_else(|| ApiError::new(20001, "Invalid content: language is required"))?;
    let now = now_ms();
    let content = Content {
        sid: format!("HX{:032x}", rand::random::<u128>()),
        friendly_name: draft.friendly_name,
        language,
        variables: draft.variables,
        types: draft.types,
        created: now,
        updated: now,
        approval: Approval { status: "unsubmitted".into(), allow_category_change: true, ..Approval::default() },
    };
    let object = content.json(&call.active.settings.account_sid, &origin(&headers), false);
    lock(&shared.core.contents).all.push(content);
    Ok(json_answer(StatusCode::CREATED, object.to_string()))
}

/// `PUT /v1/Content/{sid}`.
pub(crate) async fn replace(
    Extension(call): Extension<Call>,
    State(shared): State<Arc<Shared>>,
    Path(sid): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let draft = draft(&body)?;
    let mut contents = lock(&shared.core.contents);
    let content = contents.get_mut(&sid).ok_or_else(|| ApiError::not_found(uri.path()))?;
    content.friendly_name = draft.friendly_name;
    content.language = draft.language.unwrap_or_else(|| content.language.clone());
    content.variables = draft.variables;
    content.types = draft.types;
    content.updated = now_ms();
    let object = content.json(&call.active.settings.account_sid, &origin(&headers), false);
    Ok(json_answer(StatusCode::OK, object.to_string()))
}

/// `DELETE /v1/Content/{sid}`: 204.
pub(crate) async fn delete(State(shared): State<Arc<Shared>>, Path(sid): Path<String>, uri: Uri) -> Answer {
    let all = &mut lock(&shared.core.contents).all;
    let before = all.len();
    all.retain(|content| content.sid != sid);
    if all.len() == before {
        return Err(ApiError::not_found(uri.path()));
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /v1/Content/{sid}/ApprovalRequests`.
pub(crate) async fn approval(
    Extension(call): Extension<Call>,
    State(shared): State<Arc<Shared>>,
    Path(sid): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let contents = lock(&shared.core.contents);
    let content = contents.get(&sid).ok_or_else(|| ApiError::not_found(uri.path()))?;
    let mut whatsapp = content.approval_json();
    whatsapp["type"] = "whatsapp".into();
    let answer = json!({
        "sid": sid,
        "account_sid": call.active.settings.account_sid,
        "whatsapp": whatsapp,
        "url": format!("{}/v1/Content/{sid}/ApprovalRequests", origin(&headers)),
    });
    Ok(json_answer(StatusCode::OK, answer.to_string()))
}

#[derive(Debug, Deserialize)]
struct Submission {
    name: String,
    category: String,
    #[serde(default = "yes")]
    allow_category_change: bool,
}

fn yes() -> bool {
    true
}

/// `POST /v1/Content/{sid}/ApprovalRequests/whatsapp`: 201, `received`; then pending, then decided.
pub(crate) async fn submit(
    Extension(call): Extension<Call>,
    State(shared): State<Arc<Shared>>,
    Path(sid): Path<String>,
    uri: Uri,
    body: Bytes,
) -> Answer {
    let asked: Submission = serde_json::from_slice(&body)
        .map_err(|error| ApiError::new(20001, format!("Invalid approval request: {error}")))?;
    let category = asked.category.to_uppercase();
    if !matches!(category.as_str(), "MARKETING" | "UTILITY" | "AUTHENTICATION") {
        return Err(ApiError::new(
            20001,
            "Invalid approval request: category must be MARKETING, UTILITY or AUTHENTICATION",
        ));
    }
    if asked.name.is_empty() || !asked.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Err(ApiError::new(
            20001,
            "Invalid approval request: name takes lower case letters, digits and underscores",
        ));
    }
    let mut contents = lock(&shared.core.contents);
    let content = contents.get_mut(&sid).ok_or_else(|| ApiError::not_found(uri.path()))?;
    let now = now_ms();
    if !matches!(content.status(now), "unsubmitted" | "rejected") {
        return Err(ApiError::new(20409, "The content was already submitted for approval"));
    }
    let decided = if asked.name.contains("reject") { "rejected" } else { "approved" };
    let delay = i64::try_from(call.active.settings.approval_delay_ms).unwrap_or(i64::MAX / 2);
    content.approval = Approval {
        name: asked.name,
        category,
        status: "pending".into(),
        rejection_reason: String::new(),
        allow_category_change: asked.allow_category_change,
        decision: Some((now.saturating_add(delay), decided)),
    };
    let mut answer = content.approval_json();
    answer["status"] = "received".into();
    Ok(json_answer(StatusCode::CREATED, answer.to_string()))
}
