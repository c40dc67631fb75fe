//! Imports: files of contacts.

use std::path::Path;

use bytes::Bytes;
use domain::{ids::ImportId, import::{Import, ImportOptions, ImportReject}, page::{Page, PageRequest}};
use futures::Stream;

use crate::{Actor, Engine, Error, Result};

/// See [`Engine::imports`].
pub struct Imports<'a>(&'a Engine);

impl Engine {
    /// Imports: files of contacts.
    #[must_use]
    pub const fn imports(&self) -> Imports<'_> {
        Imports(self)
    }
}

impl Imports<'_> {
    pub async fn upload(&self, actor: &Actor, options: ImportOptions, body: impl Stream<Item = std::io::Result<Bytes>> + Send + Unpin) -> Result<Import> {
        todo!()
    }

    pub async fn upload_file(&self, actor: &Actor, options: ImportOptions, path: &Path) -> Result<Import> {
        todo!()
    }

    pub async fn list(&self, actor: &Actor, page: &PageRequest) -> Result<Page<Import>> {
        todo!()
    }

    pub async fn get(&self, actor: &Actor, id: ImportId) -> Result<Import> {
        todo!()
    }

    pub async fn rejects(&self, actor: &Actor, id: ImportId, page: &PageRequest) -> Result<Page<ImportReject>> {
        todo!()
    }

    pub async fn rejects_csv(&self, actor: &Actor, id: ImportId) -> Result<String> {
        todo!()
    }

    pub async fn work(&self, id: ImportId) -> Result<Import> {
        todo!()
    }

}
