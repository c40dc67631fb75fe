//! The OpenAPI document: collected from the handlers, completed with what holds for all of them.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use domain::{conversation::ConversationStatus, problem::FieldError};
use utoipa::{
    OpenApi as _,
    openapi::{
        ContentBuilder, Header, HeaderBuilder, HttpMethod, OpenApi, PathItem, Ref, RefOr, Required, ResponseBuilder,
        path::{Operation, ParameterBuilder, ParameterIn},
        response::Response as Described,
        schema::{ObjectBuilder, Schema, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::BASE;
use crate::problem::Problem;

const SCHEME: &str = "api_key";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Event Stream Engine",
        version = "1",
        description = "Personalised WhatsApp and SMS campaigns. Times are RFC 3339 in UTC, ids are strings, lists are \
                       paged by cursor with the newest first, and errors are problem documents (RFC 9457). Unknown \
                       fields and parameters are refused.",
    ),
    servers((url = "/", description = "This installation")),
    components(schemas(Problem, FieldError, ConversationStatus)),
)]
struct Base;

/// The document before any route.
#[must_use]
pub fn base() -> OpenApi {
    Base::openapi()
}

/// Adds what every operation has: its full path, the key, the problems, `Idempotency-Key` on POST.
#[must_use]
pub fn complete(mut document: OpenApi) -> OpenApi {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API key: `ese_…`")).build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(SCHEME, SecurityScheme::Http(scheme));
    let paths = std::mem::take(&mut document.paths.paths);
    for (path, mut item) in paths {
        for (method, operation) in operations_mut(&mut item) {
            complete_operation(&method, operation);
        }
        document.paths.paths.insert(format!("{BASE}{path}"), item);
    }
    document
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Delete, &mut item.delete),
        (HttpMethod::Patch, &mut item.patch),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// What has a version of its own: its answers carry it as their tag.
const VERSIONED: [&str; 7] = ["Campaign", "Contact", "Conversation", "Segment", "Settings", "Template", "Topic"];

fn complete_operation(method: &HttpMethod, operation: &mut Operation) {
    operation.security = Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]);
    let responses = &mut operation.responses.responses;
    for (code, response) in responses.iter_mut() {
        if let RefOr::T(response) = response {
            describe(code, response);
            if is_versioned(response) {
                response.headers.insert("ETag".to_owned(), etag());
            }
        }
    }
    responses.insert("401".to_owned(), problem("The API key is missing, wrong or revoked"));
    let open_to_all =
        operation.extensions.as_ref().and_then(|all| all.get("x-permission")).is_some_and(|it| it == "read");
    if !open_to_all {
        responses.insert("403".to_owned(), problem("The role of the API key does not include this"));
    }
    responses.insert("default".to_owned(), problem("A problem"));
    if *method == HttpMethod::Patch && responses.values().any(has_etag) {
        let read = ParameterBuilder::new()
            .name("If-Match")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some("The ETag that was read; when it is not the latest any more: 409"))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .build();
        operation.parameters.get_or_insert_default().push(read);
    }
    if *method == HttpMethod::Post {
        let key = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some("The same key and body get the first answer again, for 24 hours; another body gets 409"))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(255))))
            .build();
        operation.parameters.get_or_insert_default().push(key);
    }
}

fn is_versioned(response: &Described) -> bool {
    let refers = |schema: &RefOr<Schema>| match schema {
        RefOr::Ref(schema) => VERSIONED.iter().any(|name| schema.ref_location.ends_with(&format!("/{name}"))),
        RefOr::T(_) => false,
    };
    response.content.values().any(|content| content.schema.as_ref().is_some_and(refers))
}

fn has_etag(response: &RefOr<Described>) -> bool {
    matches!(response, RefOr::T(response) if response.headers.contains_key("ETag"))
}

fn etag() -> Header {
    HeaderBuilder::new()
        .description(Some("The version, in quotes: what an edit names as If-Match"))
        .schema(ObjectBuilder::new().schema_type(Type::String))
        .build()
}

fn describe(code: &str, response: &mut Described) {
    if response.description.is_empty() {
        let status = code.parse::<u16>().ok().and_then(|code| StatusCode::from_u16(code).ok());
        status
            .and_then(|status| status.canonical_reason())
            .unwrap_or("An answer")
            .clone_into(&mut response.description);
    }
}

fn problem(description: &str) -> RefOr<Described> {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    RefOr::T(ResponseBuilder::new().description(description).content("application/problem+json", content).build())
}

/// The document as it is served.
#[derive(Clone)]
pub struct Document(Bytes);

impl Document {
    #[must_use]
    pub fn new(document: &OpenApi) -> Self {
        // A document of plain data always serialises.
        Self(document.to_pretty_json().unwrap_or_default().into())
    }
}

/// `GET /api/v1/openapi.json`.
pub async fn serve(State(document): State<Document>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache"));
    (headers, document.0).into_response()
}
