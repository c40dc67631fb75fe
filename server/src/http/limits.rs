//! No request holds its connection for ever.

use std::time::Duration;

use axum::{
    extract::{MatchedPath, Request},
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::problem::Problem;

const REQUEST: Duration = Duration::from_secs(30);
/// Half a gigabyte on a slow line.
const UPLOAD: Duration = Duration::from_secs(60 * 60);

/// The middleware. A stream that has begun is not cut: only the time to the answer's head is limited.
pub async fn time(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let upload = request.method() == Method::POST && matches!(route, "/imports" | "/api/v1/imports");
    let limit = if upload { UPLOAD } else { REQUEST };
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "No answer within {} seconds: the server is overloaded, or the body came too slowly.",
                limit.as_secs()
            ),
        )
        .into_response(),
    }
}
