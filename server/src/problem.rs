//! Errors as RFC 9457 problem documents: what programs get instead of a result.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::problem::FieldError;
use serde::Serialize;
use utoipa::ToSchema;

pub const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

const STALE: &str = "Somebody else changed this meanwhile: read it again, and repeat what is still to be changed.";

/// A problem document.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    #[schema(value_type = String)]
    pub title: &'static str,
    /// The HTTP status.
    #[serde(serialize_with = "as_number")]
    #[schema(value_type = u16, example = 422)]
    pub status: StatusCode,
    /// What happened and what to do.
    pub detail: String,
    /// What to correct, field by field (with 422); where an edit differs from what is stored by now (with 409).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
    #[serde(skip)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Problem"),
            status,
            detail: detail.into(),
            errors: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// Input to correct.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match &errors[..] {
            [one] => format!("{}: {}", one.field, one.message),
            many => format!("{} things need to be corrected.", many.len()),
        };
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }

    /// One thing to correct.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(field, message)])
    }

    #[must_use]
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is nothing at this address; /api/v1/openapi.json lists what there is.")
    }

    /// The body is larger than `limit` bytes.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The body is larger than the {} kB that are taken here.", limit / 1024),
        )
    }

    /// Nobody, or nobody known.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn retry_after(self, seconds: u32) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }
}

impl From<engine::Error> for Problem {
    fn from(error: engine::Error) -> Self {
        use engine::Error;
        match error {
            Error::NotFound { what } => Self::new(StatusCode::NOT_FOUND, format!("There is no such {what}.")),
            Error::Unauthenticated => Self::unauthenticated("The API key is missing, wrong or revoked."),
            Error::Forbidden => Self::new(StatusCode::FORBIDDEN, "The role of this API key does not include this."),
            Error::Invalid(errors) => Self::invalid(errors),
            Error::Conflict(detail) => Self::new(StatusCode::CONFLICT, detail),
            Error::Stale(errors) => Self { errors, ..Self::new(StatusCode::CONFLICT, STALE) },
            Error::TooLarge(detail) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail),
            Error::TooMany { retry_after_seconds } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, format!("Too many tries; wait {retry_after_seconds} seconds."))
                    .retry_after(retry_after_seconds)
            }
            Error::Unavailable(detail) => Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1),
            Error::Internal(error) => {
                tracing::error!(error = &*error as &dyn std::error::Error, "request failed");
                Self::internal()
            }
        }
    }
}

impl Problem {
    /// A bug of ours; the log has it under the request's id.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something went wrong on our side; the log has it under the id in the X-Request-Id header.",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let headers = std::mem::take(&mut self.headers);
        let mut response = (self.status, Json(self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
