//! Imports: adapters between the pages and the service. The upload itself is a plain multipart route of the server.

use domain::{
    import::{Import, ImportReject},
    page::Page,
    topic::Topic,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use crate::context::ctx;
use crate::error::AppError;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportView {
    pub import: Import,
    /// The first rejected rows.
    pub rejects: Vec<ImportReject>,
}

#[server]
pub async fn load_imports(cursor: String) -> Result<Page<Import>, AppError> {
    use domain::page::PageRequest;
    let ctx = ctx()?;
    let page = PageRequest { cursor: Some(cursor).filter(|cursor| !cursor.is_empty()), ..PageRequest::default() };
    Ok(ctx.engine.imports().list(&ctx.actor, &page).await?)
}

#[server]
pub async fn load_import(id: String) -> Result<ImportView, AppError> {
    use domain::page::PageRequest;
    let ctx = ctx()?;
    let id = id.parse().map_err(|_| AppError::NotFound)?;
    let import = ctx.engine.imports().get(&ctx.actor, id).await?;
    let rejects = ctx.engine.imports().rejects(&ctx.actor, id, &PageRequest::first(20)).await?.items;
    Ok(ImportView { import, rejects })
}

/// What the upload form offers.
#[server]
pub async fn load_import_choices() -> Result<Vec<Topic>, AppError> {
    let ctx = ctx()?;
    Ok(ctx.engine.topics().list(&ctx.actor, None).await?)
}
