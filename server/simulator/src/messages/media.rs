//! The Media subresource (page "Media subresource"): what an inbound message with media brings along. Every file is the same
//! picture; like Twilio, the API sends its reader on to an address that needs no credentials.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
    http::{StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use super::{Answer, find, json_answer};
use crate::{
    api::Call,
    clock::rfc2822,
    errors::ApiError,
    state::{Shared, lock},
};

const PICTURE: &[u8] = include_bytes!("sample.jpg");

/// The SID of a message's file. Made of the message's, so that its webhook and its list name the same.
pub(crate) fn sid(message: &str, index: usize) -> String {
    format!("ME{index:02x}{}", message.get(4..).unwrap_or_default())
}

/// `GET …/Messages/{sid}/Media.json`.
pub(crate) async fn list(
    Extension(call): Extension<Call>,
    State(shared): State<Arc<Shared>>,
    Path((account, message)): Path<(String, String)>,
    uri: Uri,
) -> Answer {
    let missing = || ApiError::not_found(uri.path());
    let core = &shared.core;
    let own = format!("/2010-04-01/Accounts/{account}/Messages/{message}");
    let seq = find(core, &call, &(account.clone(), format!("{message}.json"))).ok_or_else(missing)?;
    let found = lock(&core.store).get(seq).map(|message| (message.num_media, rfc2822(message.created)));
    let (count, created) = found.ok_or_else(missing)?;
    let files: Vec<_> = (0..usize::from(count))
        .map(|index| {
            let sid = sid(&message, index);
            json!({
                "sid": sid,
                "account_sid": account,
                "parent_sid": message,
                "content_type": "image/jpeg",
                "date_created": created,
                "date_updated": created,
                "uri": format!("{own}/Media/{sid}.json"),
            })
        })
        .collect();
    let page = json!({
        "media_list": files,
        "page": 0,
        "page_size": 50,
        "start": 0,
        "end": usize::from(count).saturating_sub(1),
        "first_page_uri": format!("{own}/Media.json?PageSize=50&Page=0"),
        "previous_page_uri": null,
        "next_page_uri": null,
        "uri": format!("{own}/Media.json?PageSize=50&Page=0"),
    });
    Ok(json_answer(StatusCode::OK, page.to_string()))
}

/// `GET …/Messages/{sid}/Media/{sid}`.
pub(crate) async fn fetch(
    Extension(call): Extension<Call>,
    State(shared): State<Arc<Shared>>,
    Path((account, message, media)): Path<(String, String, String)>,
    uri: Uri,
) -> Answer {
    let missing = || ApiError::not_found(uri.path());
    let core = &shared.core;
    let seq = find(core, &call, &(account, format!("{message}.json"))).ok_or_else(missing)?;
    let has_media = lock(&core.store).get_mut(seq).is_some_and(|message| !message.deleted && message.num_media > 0);
    if !has_media || !media.starts_with("ME") {
        return Err(missing());
    }
    Ok((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, format!("/media/{media}"))]).into_response())
}

/// Where Twilio keeps the files.
pub(crate) async fn kept() -> Response {
    ([(header::CONTENT_TYPE, "image/jpeg")], PICTURE).into_response()
}
