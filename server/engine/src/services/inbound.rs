//! What people wrote to us.

use domain::{
    inbound::Inbound,
    page::{Page, PageRequest},
    phone::Phone,
    role::Permission,
    time::Timestamp,
};

use crate::{
    Actor, Engine, Result,
    cursor::{Cursor, page_of, rows_to_ask_for},
    require,
};

/// See [`Engine::inbound`].
pub struct InboundMessages<'a>(&'a Engine);

impl Engine {
    /// What people wrote to us.
    #[must_use]
    pub const fn inbound(&self) -> InboundMessages<'_> {
        InboundMessages(self)
    }
}

impl InboundMessages<'_> {
    /// Messages from people, newest first; of one person, or since a moment.
    ///
    /// # Errors
    /// `Invalid` for a limit or cursor that will not do.
    pub async fn list(
        &self,
        actor: &Actor,
        phone: Option<&Phone>,
        since: Option<Timestamp>,
        page: &PageRequest,
    ) -> Result<Page<Inbound>> {
        require(actor, Permission::Read)?;
        let before = Cursor::read(page, |parts| match parts {
            [at, id] => Some((at.parse().ok()?, id.parse().ok()?)),
            _ => None,
        })?;
        let limit = rows_to_ask_for(page)?;
        let rows = store::inbound::list(self.0.db().reader(), phone, since, before, limit).await?;
        Ok(page_of(rows, page, |last| Cursor::new([last.received_at.as_micros(), last.id.0])))
    }
}
