//! Topics: what people subscribe to.

use domain::topic::{NewTopic, Topic, TopicPatch};

use crate::{Actor, Engine, Error, Result};

/// See [`Engine::topics`].
pub struct Topics<'a>(&'a Engine);

impl Engine {
    /// Topics: what people subscribe to.
    #[must_use]
    pub const fn topics(&self) -> Topics<'_> {
        Topics(self)
    }
}

impl Topics<'_> {
    pub async fn list(&self, actor: &Actor, q: Option<&str>) -> Result<Vec<Topic>> {
        todo!()
    }

    pub async fn get(&self, actor: &Actor, key: &str) -> Result<Topic> {
        todo!()
    }

    pub async fn create(&self, actor: &Actor, new: NewTopic) -> Result<Topic> {
        todo!()
    }

    pub async fn update(&self, actor: &Actor, key: &str, patch: TopicPatch) -> Result<Topic> {
        todo!()
    }

    pub async fn delete(&self, actor: &Actor, key: &str) -> Result<()> {
        todo!()
    }

}
