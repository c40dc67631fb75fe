//! The Leptos app: pages and their server functions.

use std::sync::OnceLock;

use app::{App, error::AppError, shell};
use axum::{
    Router,
    body::to_bytes,
    extract::{MatchedPath, Request},
    http::{StatusCode, request::Parts},
    middleware::{Next, from_fn, map_response},
    response::{IntoResponse as _, Response},
};
use engine::Engine;
use leptos::{
    config::LeptosOptions,
    context::{provide_context, use_context},
    nonce::Nonce,
    server_fn::error::{FromServerFnError as _, SERVER_FN_ERROR_HEADER},
};
use leptos_axum::{AxumRouteListing, LeptosRoutes as _, generate_route_list, render_app_async_with_context};
use tower_http::limit::RequestBodyLimitLayer;

use super::{account, assets::Site, headers};

/// Of a form on a page; files come in elsewhere (`uploads`).
const BODY_LIMIT: usize = 1024 * 1024;

/// Every page, every server function, and the page for addresses that do not exist.
pub fn router(engine: &Engine, site: &Site) -> Router {
    let options = LeptosOptions::builder().output_name("event-stream-engine").build();
    let provide = {
        let engine = engine.clone();
        let names = site.names();
        move || {
            provide_context(engine.clone());
            if let Some(names) = names.clone() {
                provide_context(names);
            }
            // The word that the response's policy names (see `headers`).
            let nonce = use_context::<Parts>().and_then(|parts| parts.extensions.get::<headers::Nonce>().cloned());
            if let Some(headers::Nonce(nonce)) = nonce {
                provide_context(Nonce::from_value(nonce));
            }
        }
    };
    let page = {
        let options = options.clone();
        move || shell(options.clone())
    };
    Router::new()
        .leptos_routes_with_context(&options, addresses(), provide.clone(), page.clone())
        .fallback(render_app_async_with_context(provide, page))
        .layer(map_response(with_own_status))
        .layer(from_fn(without_gone))
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .with_state(options)
}

/// The pages' addresses. Collected once in a process: while Leptos does that, no page in the whole process gets what it asks
/// for, and a page of another server, as tests have them, would wait for ever.
fn addresses() -> Vec<AxumRouteListing> {
    static ADDRESSES: OnceLock<Vec<AxumRouteListing>> = OnceLock::new();
    ADDRESSES.get_or_init(|| generate_route_list(App)).clone()
}

/// Pages of an earlier version ask for functions that are gone: they are told so in their own words, and stop asking.
async fn without_gone(request: Request, next: Next) -> Response {
    let is_gone = request.uri().path().starts_with(account::SERVER_FUNCTIONS)
        && request.extensions().get::<MatchedPath>().is_none()
        && !account::wants_html(&request);
    if is_gone { account::in_own_words(&AppError::Outdated) } else { next.run(request).await }
}

/// Server functions answer every error with 500. What the caller can mend is not the server's failure: it gets the status
/// that a page would have, for whoever watches them.
async fn with_own_status(response: Response) -> Response {
    if response.status() != StatusCode::INTERNAL_SERVER_ERROR
        || !response.headers().contains_key(SERVER_FN_ERROR_HEADER)
    {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // Our own words, and in memory already: what was typed comes back in them, longer than it came in.
    let Ok(body) = to_bytes(body, usize::MAX).await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    if let Ok(status) = StatusCode::from_u16(AppError::de(body.clone()).status()) {
        parts.status = status;
    }
    Response::from_parts(parts, body.into())
}
