//! No request holds its connection for ever.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, BodyDataStream},
    extract::{MatchedPath, Request},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures::{Stream as _, stream};

use crate::problem::Problem;

const REQUEST: Duration = Duration::from_secs(30);
/// Half a gigabyte on a slow line.
const UPLOAD: Duration = Duration::from_secs(60 * 60);
/// How long a refused body is listened to, so that its sender gets to read the refusal.
const LINGER: Duration = Duration::from_secs(10);
/// A body of this size is in the sockets' buffers, whoever reads it.
const SMALL: u64 = 64 * 1024;

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

/// The middleware. A refusal that goes out while its request is still coming in is lost: the connection closes upon
/// unread bytes, and the sender sees a broken one. So the rest of a large body is read and thrown away first.
pub async fn linger(request: Request, next: Next) -> Response {
    if request.method().is_safe() || length(request.headers()).is_some_and(|length| length <= SMALL) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let kept = Kept(Arc::new(Mutex::new(body.into_data_stream())));
    let reader = kept.clone();
    let body = Body::from_stream(stream::poll_fn(move |context| reader.poll(context)));
    let response = next.run(Request::from_parts(parts, body)).await;
    if !response.status().is_success() {
        let rest = async { while let Some(Ok(_)) = poll_fn(|context| kept.poll(context)).await {} };
        // Whoever sends on after this has waited long enough.
        let _ = tokio::time::timeout(LINGER, rest).await;
    }
    response
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body that can still be read after its reader has given up.
#[derive(Clone)]
struct Kept(Arc<Mutex<BodyDataStream>>);

impl Kept {
    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_next(context)
    }
}
