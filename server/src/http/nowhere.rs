//! Addresses for which nobody logs in: those of Twilio and of recipients. What is not there says so itself: a webhook that
//! is led to the login is lost in silence, and a recipient has no business at the staff's door.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::recipient;
use crate::problem::Problem;

const WEBHOOKS: &str = "/webhooks";
/// The pages of recipients, and links in messages.
const RECIPIENTS: [&str; 2] = [app::paths::OWN_PAGE, "/r"];

/// The middleware around what people log in for; with the recipients' style sheet.
pub async fn say_so(State(css): State<Arc<str>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if is_below(WEBHOOKS, path) {
        let detail =
            "There is no webhook at this address: they are /webhooks/twilio/status and /webhooks/twilio/inbound.";
        return Problem::new(StatusCode::NOT_FOUND, detail).into_response();
    }
    if RECIPIENTS.iter().any(|base| is_below(base, path)) {
        return recipient::nothing(&css);
    }
    next.run(request).await
}

fn is_below(base: &str, path: &str) -> bool {
    path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_parts_of_an_address_count() {
        for path in ["/p", "/p/", "/p/x/y", "/p//x"] {
            assert!(is_below("/p", path), "{path}");
        }
        for path in ["/", "/pages", "/pkg/x.css", "/x/p/"] {
            assert!(!is_below("/p", path), "{path}");
        }
    }
}
