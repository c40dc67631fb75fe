//! Answers that can be edited: their version is also their `ETag`, which an edit names in `If-Match`.

use axum::{
    Json,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use domain::{
    campaign::Campaign, contact::Contact, conversation::Conversation, error_codes, provider_account::ProviderAccount,
    segment::Segment, sender::Sender, settings::Settings, template::Template, topic::Topic,
};
use serde::{Deserialize, Serialize};

/// What has a version.
pub trait HasVersion {
    fn version(&self) -> i64;
}

macro_rules! has_version {
    ($($kind:ty),+ $(,)?) => {
        $(impl HasVersion for $kind {
            fn version(&self) -> i64 {
                self.version
            }
        })+
    };
}

has_version!(
    Campaign,
    Contact,
    Conversation,
    error_codes::Entry,
    ProviderAccount,
    Segment,
    Sender,
    Settings,
    Template,
    Topic
);

/// JSON with the `ETag` of its version.
pub struct Versioned<T>(pub T);

impl<T: HasVersion + Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        let tag = tag(self.0.version());
        let mut response = Json(self.0).into_response();
        if let Some(tag) = tag {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// The tag that an answer had, from its body.
pub fn tag_of(body: &[u8]) -> Option<HeaderValue> {
    #[derive(Deserialize)]
    struct Document {
        version: i64,
    }
    serde_json::from_slice::<Document>(body).ok().and_then(|document| tag(document.version))
}

fn tag(version: i64) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{version}\"")).ok()
}
