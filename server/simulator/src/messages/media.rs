//! The Media subresource (page "Media subresource"): what an inbound message with media brings along. Every file is the same
//! picture; like Twilio, the API sends its reader on to an address that needs no credentials.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
    http::{StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};

use super::{Answer, find};
use crate::{
    api::Call,
    errors::ApiError,
    state::{Shared, lock},
};

const PICTURE: &[u8] = include_bytes!("sample.jpg");

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
