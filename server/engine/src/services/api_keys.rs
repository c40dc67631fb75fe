//! API keys: programs that act.

use domain::{account::ApiKey, ids::ApiKeyId, role::Role};

use crate::{Actor, Engine, Error, Result};

/// See [`Engine::api_keys`].
pub struct ApiKeys<'a>(&'a Engine);

impl Engine {
    /// API keys: programs that act.
    #[must_use]
    pub const fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys(self)
    }
}

impl ApiKeys<'_> {
    pub async fn create(&self, actor: &Actor, name: &str, role: Role) -> Result<String> {
        todo!()
    }

    pub async fn authenticate(&self, key: &str) -> Result<Actor> {
        todo!()
    }

    pub async fn list(&self, actor: &Actor) -> Result<Vec<ApiKey>> {
        todo!()
    }

    pub async fn revoke(&self, actor: &Actor, id: ApiKeyId) -> Result<()> {
        todo!()
    }

}
