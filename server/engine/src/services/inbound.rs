//! What people wrote to us.

use domain::{inbound::Inbound, page::{Page, PageRequest}, phone::Phone, time::Timestamp};

use crate::{Actor, Engine, Error, Result};

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
    pub async fn list(&self, actor: &Actor, phone: Option<&Phone>, since: Option<Timestamp>, page: &PageRequest) -> Result<Page<Inbound>> {
        todo!()
    }

}
