//! Contacts: people, their consent and their topics.

use domain::{contact::{ConsentChange, Contact, ContactFilter, ContactPatch, NewContact, TimelineEntry}, page::{Page, PageRequest}, phone::Phone};

use crate::{Actor, Engine, Error, Result};

/// See [`Engine::contacts`].
pub struct Contacts<'a>(&'a Engine);

impl Engine {
    /// Contacts: people, their consent and their topics.
    #[must_use]
    pub const fn contacts(&self) -> Contacts<'_> {
        Contacts(self)
    }
}

impl Contacts<'_> {
    pub async fn list(&self, actor: &Actor, filter: &ContactFilter, page: &PageRequest) -> Result<Page<Contact>> {
        todo!()
    }

    pub async fn count(&self, actor: &Actor, filter: &ContactFilter) -> Result<i64> {
        todo!()
    }

    pub async fn get(&self, actor: &Actor, phone: &Phone) -> Result<Contact> {
        todo!()
    }

    pub async fn create(&self, actor: &Actor, new: NewContact) -> Result<Contact> {
        todo!()
    }

    pub async fn update(&self, actor: &Actor, phone: &Phone, patch: ContactPatch) -> Result<Contact> {
        todo!()
    }

    pub async fn erase(&self, actor: &Actor, phone: &Phone) -> Result<()> {
        todo!()
    }

    pub async fn set_consent(&self, actor: &Actor, phone: &Phone, change: ConsentChange) -> Result<Contact> {
        todo!()
    }

    pub async fn subscribe(&self, actor: &Actor, phone: &Phone, topic: &str) -> Result<Contact> {
        todo!()
    }

    pub async fn unsubscribe(&self, actor: &Actor, phone: &Phone, topic: &str) -> Result<Contact> {
        todo!()
    }

    pub async fn timeline(&self, actor: &Actor, phone: &Phone, page: &PageRequest) -> Result<Page<TimelineEntry>> {
        todo!()
    }

}
