//! What a Messaging Service sends from and people write to (host messaging.twilio.com): any well-formed `MG…` SID is one,
//! with the `service_senders` of the settings. They are few, so there is one page.

use axum::Extension;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::api::Call;
use crate::content::api::origin;
use crate::errors::ApiError;
use crate::messages::json_answer;
use crate::settings::is_sid;
use crate::store::is_whatsapp;

type Answer = Result<Response, ApiError>;

/// `GET /v1/Services/{sid}/PhoneNumbers`.
pub(crate) async fn phone_numbers(
    Extension(call): Extension<Call>,
    Path(service): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let is_number = |sender: &str| sender.starts_with('+');
    list(
        "phone_numbers",
        &call,
        &service,
        (&uri, &headers),
        is_number,
        |number| json!({ "phone_number": number, "service_sid": service, "capabilities": ["SMS"] }),
    )
}

/// `GET /v1/Services/{sid}/ShortCodes`.
pub(crate) async fn short_codes(
    Extension(call): Extension<Call>,
    Path(service): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let is_code = |sender: &str| sender.bytes().all(|byte| byte.is_ascii_digit());
    list(
        "short_codes",
        &call,
        &service,
        (&uri, &headers),
        is_code,
        |code| json!({ "short_code": code, "service_sid": service, "capabilities": ["SMS"] }),
    )
}

/// `GET /v1/Services/{sid}/ChannelSenders`.
pub(crate) async fn channel_senders(
    Extension(call): Extension<Call>,
    Path(service): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    list(
        "senders",
        &call,
        &service,
        (&uri, &headers),
        |sender| is_whatsapp(sender) || is_rcs(sender),
        |sender| {
            let kind = if is_rcs(sender) { "RCS" } else { "WhatsApp" };
            json!({ "sender": sender, "messaging_service_sid": service, "sender_type": kind })
        },
    )
}

fn is_rcs(sender: &str) -> bool {
    sender.starts_with("rcs:")
}

fn list(
    key: &str,
    call: &Call,
    service: &str,
    (uri, headers): (&Uri, &HeaderMap),
    belongs: impl Fn(&str) -> bool,
    entry: impl Fn(&str) -> Value,
) -> Answer {
    if !is_sid(service, "MG") {
        return Err(ApiError::not_found(uri.path()));
    }
    let settings = &call.active.settings;
    let entries: Vec<Value> = settings
        .service_senders
        .iter()
        .filter(|sender| belongs(sender))
        .map(|sender| {
            let mut entry = entry(sender);
            entry["account_sid"] = json!(settings.account_sid);
            entry
        })
        .collect();
    let url = format!("{}{}", origin(headers), uri.path());
    let meta = json!({
        "key": key,
        "page": 0,
        "page_size": 50,
        "url": url,
        "first_page_url": url,
        "next_page_url": null,
        "previous_page_url": null,
    });
    let answer = Map::from_iter([(key.to_owned(), Value::Array(entries)), ("meta".to_owned(), meta)]);
    Ok(json_answer(StatusCode::OK, Value::Object(answer).to_string()))
}
