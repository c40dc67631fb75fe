//! `Idempotency-Key`: the same request with the same key gets the first answer again.

use domain::actor::KeyedRequest;
use store::Tx;
pub use store::idempotency::{Answer, Begun};

use crate::{Actor, Engine, Error, Result};

/// See [`Engine::idempotency`].
pub struct Idempotency<'a>(&'a Engine);

impl Engine {
    /// `Idempotency-Key`: the same request with the same key gets the first answer again.
    #[must_use]
    pub const fn idempotency(&self) -> Idempotency<'_> {
        Idempotency(self)
    }

    /// Starts the transaction of what the actor asked for. A request with an `Idempotency-Key` takes effect with it.
    ///
    /// # Errors
    /// `Conflict` when a repeat of the request has taken it over.
    pub(crate) async fn begin(&self, actor: &Actor) -> Result<Tx> {
        let tx = self.db().begin().await?;
        if let Some(request) = &actor.keyed {
            store::idempotency::apply(&tx, request).await.map_err(|error| match error {
                store::Error::Stale => {
                    Error::Conflict("A repeat of this request, with the same key, is being carried out.".to_owned())
                }
                other => other.into(),
            })?;
        }
        Ok(tx)
    }
}

impl Idempotency<'_> {
    /// Registers a request before it is carried out, or tells what became of the first one with its key. `body_hash` is
    /// what makes two requests the same. The request is then the actor's: see [`Actor::keyed`].
    ///
    /// # Errors
    /// What the database says.
    pub async fn begin(&self, request: &KeyedRequest, body_hash: &[u8]) -> Result<Begun> {
        Ok(store::idempotency::begin(self.0.db().writer(), request, body_hash, self.0.now()).await?)
    }

    /// Keeps the answer for a day. An answer of 500 or above is not one: unless it took effect, the same key may be tried
    /// again.
    ///
    /// # Errors
    /// What the database says.
    pub async fn finish(&self, request: &KeyedRequest, answer: &Answer) -> Result<()> {
        let db = self.0.db().writer();
        if answer.status < 500 {
            store::idempotency::finish(db, request, answer).await?;
        } else {
            store::idempotency::abandon(db, request).await?;
        }
        Ok(())
    }
}
