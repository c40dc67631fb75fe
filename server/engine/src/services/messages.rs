//! Messages: recipients of runs, single sends, tests.

use domain::{ids::MessageId, message::{Message, MessageFilter, NewMessage}, page::{Page, PageRequest}};

use crate::{Actor, Engine, Error, Result};

/// See [`Engine::messages`].
pub struct Messages<'a>(&'a Engine);

impl Engine {
    /// Messages: recipients of runs, single sends, tests.
    #[must_use]
    pub const fn messages(&self) -> Messages<'_> {
        Messages(self)
    }
}

impl Messages<'_> {
    pub async fn list(&self, actor: &Actor, filter: &MessageFilter, page: &PageRequest) -> Result<Page<Message>> {
        todo!()
    }

    pub async fn get(&self, actor: &Actor, id: MessageId) -> Result<Message> {
        todo!()
    }

    pub async fn create(&self, actor: &Actor, new: NewMessage) -> Result<Message> {
        todo!()
    }

}
