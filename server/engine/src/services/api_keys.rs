//! API keys: programs that act.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    account::ApiKey,
    actor::ActorKind,
    ids::ApiKeyId,
    role::{Permission, Role},
    time::Timestamp,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::{Actor, Engine, Error, Result, require, secrets};

/// What keys begin with, so that people and secret scanners recognise them.
const PREFIX: &str = "ese_";

/// How long a key is believed without asking the database: a revoked one works this much longer in other processes.
const BELIEVED_FOR: Duration = Duration::from_secs(5);

/// `last_used_at` is to about a minute: a write for every request would cost more than it tells.
const USED_TO: i64 = Timestamp::MINUTE;

/// More keys in use at once than this are not remembered.
const REMEMBERED: usize = 1_000;

type Hash = [u8; 32];

/// Keys seen in the last seconds.
#[derive(Default)]
pub(crate) struct Cache(Mutex<HashMap<Hash, Seen>>);

#[derive(Clone)]
struct Seen {
    key: ApiKey,
    at: Instant,
}

impl Cache {
    fn get(&self, hash: &Hash) -> Option<ApiKey> {
        let seen = self.lock().get(hash).cloned()?;
        (seen.at.elapsed() < BELIEVED_FOR).then_some(seen.key)
    }

    fn put(&self, hash: Hash, key: ApiKey) {
        let mut cache = self.lock();
        if cache.len() >= REMEMBERED {
            cache.clear();
        }
        cache.insert(hash, Seen { key, at: Instant::now() });
    }

    fn forget(&self, id: ApiKeyId) {
        self.lock().retain(|_, seen| seen.key.id != id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Hash, Seen>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

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
    /// Makes a key and returns it: the only time it can be seen.
    ///
    /// # Errors
    /// `Invalid` for a name that is empty or too long.
    pub async fn create(&self, actor: &Actor, name: &str, role: Role) -> Result<String> {
        require(actor, Permission::Administer)?;
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 100 {
            return Err(Error::invalid("name", "Give a name of at most 100 characters: what the key is for."));
        }
        let key = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(secrets::random::<32>()));
        let id = ApiKeyId(self.0.new_uuid());
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        store::api_keys::insert(&tx, id, name, role, &hash(&key), &actor.id, now).await?;
        let detail = json!({ "name": name, "role": role });
        store::audit::append(&tx, actor, now, "create", ("api_key", &id.to_string()), &detail).await?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(key)
    }

    /// Who acts with this key.
    ///
    /// # Errors
    /// `Unauthenticated` for a key that is unknown or revoked.
    pub async fn authenticate(&self, key: &str) -> Result<Actor> {
        if !key.starts_with(PREFIX) {
            return Err(Error::Unauthenticated);
        }
        let hash = hash(key);
        if let Some(known) = self.0.inner().api_keys.get(&hash) {
            return Ok(actor(&known));
        }
        let db = self.0.db();
        let found = store::api_keys::by_hash(db.reader(), &hash).await?.ok_or(Error::Unauthenticated)?;
        let now = self.0.now();
        if found.last_used_at.is_none_or(|at| now.since(at) >= USED_TO) {
            store::api_keys::used(db.writer(), found.id, now, now.plus(-USED_TO)).await?;
        }
        let actor = actor(&found);
        self.0.inner().api_keys.put(hash, found);
        Ok(actor)
    }

    /// All keys, newest first, the revoked ones included.
    ///
    /// # Errors
    /// `Forbidden` for all but admins.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<ApiKey>> {
        require(actor, Permission::Administer)?;
        Ok(store::api_keys::list(self.0.db().reader()).await?)
    }

    /// Ends a key: at once in this process, within five seconds in the others.
    ///
    /// # Errors
    /// `NotFound` for an unknown key.
    pub async fn revoke(&self, actor: &Actor, id: ApiKeyId) -> Result<()> {
        require(actor, Permission::Administer)?;
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        let ended = store::api_keys::revoke(&tx, id, now).await.map_err(|error| match error {
            store::Error::NotFound => Error::NotFound { what: "API key" },
            other => other.into(),
        })?;
        if ended {
            store::audit::append(&tx, actor, now, "revoke", ("api_key", &id.to_string()), &json!({})).await?;
        }
        tx.commit().await.map_err(store::Error::from)?;
        self.0.inner().api_keys.forget(id);
        Ok(())
    }
}

fn actor(key: &ApiKey) -> Actor {
    Actor::new(ActorKind::ApiKey, key.id.to_string(), key.role)
}

fn hash(key: &str) -> Hash {
    Sha256::digest(key).into()
}
