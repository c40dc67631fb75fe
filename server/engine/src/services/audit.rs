//! The audit log.

use domain::{
    account::AuditEntry,
    page::{Page, PageRequest},
    role::Permission,
};

use crate::{
    Actor, Engine, Result,
    cursor::{Cursor, page_of, rows_to_ask_for},
    require,
};

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
    /// What admins and programs did, newest first.
    ///
    /// # Errors
    /// `Forbidden` without the permission, `Invalid` for a limit or cursor that will not do.
    pub async fn list(&self, actor: &Actor, page: &PageRequest) -> Result<Page<AuditEntry>> {
        require(actor, Permission::Audit)?;
        let before = Cursor::read(page, |parts| match parts {
            [seq] => seq.parse().ok(),
            _ => None,
        })?;
        let rows = store::audit::list(self.0.db().reader(), before, rows_to_ask_for(page)?).await?;
        Ok(page_of(rows, page, |last| Cursor::new([last.seq])))
    }
}
