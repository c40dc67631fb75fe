//! `Idempotency-Key`: the same request with the same key gets the first answer again.

pub use store::idempotency::{Answer, Begun, Request};

use crate::{Engine, Result};

/// See [`Engine::idempotency`].
pub struct Idempotency<'a>(&'a Engine);

impl Engine {
    /// `Idempotency-Key`: the same request with the same key gets the first answer again.
    #[must_use]
    pub const fn idempotency(&self) -> Idempotency<'_> {
        Idempotency(self)
    }
}

impl Idempotency<'_> {
    /// Registers a request before it is carried out, or tells what became of the first one with its key. `body_hash` is
    /// what makes two requests the same.
    ///
    /// # Errors
    /// What the database says.
    pub async fn begin(&self, request: Request<'_>, body_hash: &[u8]) -> Result<Begun> {
        Ok(store::idempotency::begin(self.0.db().writer(), request, body_hash, self.0.now()).await?)
    }

    /// Keeps the answer for a day. An answer of 500 or above is not one: the same key may be tried again.
    ///
    /// # Errors
    /// What the database says.
    pub async fn finish(&self, request: Request<'_>, answer: &Answer) -> Result<()> {
        let db = self.0.db().writer();
        if answer.status < 500 {
            store::idempotency::finish(db, request, answer).await?;
        } else {
            store::idempotency::abandon(db, request).await?;
        }
        Ok(())
    }
}
