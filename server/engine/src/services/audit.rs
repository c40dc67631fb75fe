//! The audit log.

use domain::{account::AuditEntry, page::{Page, PageRequest}};

use crate::{Actor, Engine, Error, Result};

/// See [`Engine::audit`].
pub struct Audit<'a>(&'a Engine);

impl Engine {
    /// The audit log.
    #[must_use]
    pub const fn audit(&self) -> Audit<'_> {
        Audit(self)
    }
}

impl Audit<'_> {
    pub async fn list(&self, actor: &Actor, page: &PageRequest) -> Result<Page<AuditEntry>> {
        todo!()
    }

}
