//! Who calls: `Authorization: Bearer ese_…`.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use domain::actor::Actor;
use engine::Engine;

use crate::{http::observe::RequestId, problem::Problem};

/// The middleware: the key's actor goes into the request's extensions.
pub async fn authenticate(State(engine): State<Engine>, mut request: Request, next: Next) -> Response {
    let Some(key) = bearer(request.headers()) else {
        return Problem::unauthenticated("This needs an API key: Authorization: Bearer ese_…").into_response();
    };
    match engine.api_keys().authenticate(key).await {
        Ok(mut actor) => {
            actor.request_id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
            request.extensions_mut().insert(actor);
            next.run(request).await
        }
        Err(error) => Problem::from(error).into_response(),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim()).filter(|key| !key.is_empty())
}

/// The key's actor.
pub struct Caller(pub Actor);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let actor = parts.extensions.get::<Actor>().cloned();
        actor.map(Self).ok_or_else(|| Problem::unauthenticated("This needs an API key."))
    }
}
