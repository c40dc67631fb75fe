//! What people call those who act: an account by its e-mail, a key by its name, an import by its file.

use std::collections::BTreeMap;

use domain::{
    actor::ActorKind,
    ids::{AccountId, ApiKeyId, ImportId},
};
use store::ConnectionTrait;
use uuid::Uuid;

use crate::Result;

/// Each is looked up once.
#[derive(Default)]
pub struct Names(BTreeMap<(ActorKind, String), String>);

impl Names {
    /// The actor's name: the id, where there is no better one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn of(&mut self, db: &impl ConnectionTrait, kind: ActorKind, id: &str) -> Result<String> {
        let key = (kind, id.to_owned());
        if let Some(name) = self.0.get(&key) {
            return Ok(name.clone());
        }
        let name = look_up(db, kind, id).await?.unwrap_or_else(|| id.to_owned());
        self.0.insert(key, name.clone());
        Ok(name)
    }
}

async fn look_up(db: &impl ConnectionTrait, kind: ActorKind, id: &str) -> Result<Option<String>> {
    let Ok(id) = id.parse::<Uuid>() else { return Ok(None) };
    Ok(match kind {
        ActorKind::Account => store::accounts::by_id(db, AccountId(id)).await?.map(|stored| stored.account.email),
        ActorKind::ApiKey => store::api_keys::name(db, ApiKeyId(id)).await?,
        ActorKind::Import => store::imports::find(db, ImportId(id)).await?.and_then(|stored| stored.import.file_name),
        ActorKind::Worker | ActorKind::Provider | ActorKind::Recipient | ActorKind::CommandLine => None,
    })
}
