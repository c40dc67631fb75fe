//! The REST API, version 1. One file for each resource; a handler reads its input, calls one method of the engine and
//! wraps the result. The OpenAPI document is collected from the same route table that serves.

#![expect(unused_qualifications, reason = "what the path macro writes for a route's parameters")]

pub mod auth;
pub mod docs;
mod error_codes;
mod events;
mod extract;
pub mod idempotency;
pub mod openapi;

mod audit;
mod calendar;
mod campaigns;
mod contacts;
mod conversations;
mod imports;
mod inbound;
mod messages;
mod opt_ins;
mod processes;
mod provider_accounts;
mod reports;
mod runs;
mod segments;
mod senders;
mod settings;
mod suppressions;
mod templates;
mod topics;
mod versioned;
mod webhook_events;

use axum::{Router, http::StatusCode, middleware, routing::get};
use engine::Engine;
use utoipa_axum::router::OpenApiRouter;

use crate::problem::Problem;

/// Where the API lives.
pub const BASE: &str = "/api/v1";

/// The API, its document and its reference page.
pub fn router(engine: &Engine) -> Router {
    let (routes, document) = routes().split_for_parts();
    let document = openapi::complete(document);
    let page = docs::page(&document);
    let routes = routes
        .method_not_allowed_fallback(method_not_allowed)
        .route_layer(middleware::from_fn_with_state(engine.clone(), idempotency::keep))
        .route_layer(middleware::from_fn_with_state(engine.clone(), auth::authenticate))
        .fallback(async || Problem::not_found())
        .with_state(engine.clone());
    Router::new()
        .nest(BASE, routes)
        .route("/api/v1/openapi.json", get(openapi::serve).with_state(openapi::Document::new(&document)))
        .merge(docs::router(page))
        .route("/api/{*unknown}", axum::routing::any(async || Problem::not_found()))
}

/// The document without a server, for those who want to look at it.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    openapi::complete(routes().into_openapi())
}

fn routes() -> OpenApiRouter<Engine> {
    OpenApiRouter::with_openapi(openapi::base())
        .merge(contacts::routes())
        .merge(imports::routes())
        .merge(topics::routes())
        .merge(segments::routes())
        .merge(templates::routes())
        .merge(calendar::routes())
        .merge(campaigns::routes())
        .merge(runs::routes())
        .merge(messages::routes())
        .merge(conversations::routes())
        .merge(inbound::routes())
        .merge(events::routes())
        .merge(webhook_events::routes())
        .merge(senders::routes())
        .merge(provider_accounts::routes())
        .merge(error_codes::routes())
        .merge(processes::routes())
        .merge(settings::routes())
        .merge(suppressions::routes())
        .merge(opt_ins::routes())
        .merge(reports::routes())
        .merge(audit::routes())
}

async fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "This method is not for this address; the Allow header lists those that are.",
    )
}
