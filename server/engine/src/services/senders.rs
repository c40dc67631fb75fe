//! Senders: the numbers and Messaging Services that messages go out from.

use domain::sender::Sender;

use crate::{Actor, Engine, Error, Result};

/// See [`Engine::senders`].
pub struct Senders<'a>(&'a Engine);

impl Engine {
    /// Senders: the numbers and Messaging Services that messages go out from.
    #[must_use]
    pub const fn senders(&self) -> Senders<'_> {
        Senders(self)
    }
}

impl Senders<'_> {
    pub async fn list(&self, actor: &Actor) -> Result<Vec<Sender>> {
        todo!()
    }

}

/// Makes the first sender from the configuration when there is none.
///
/// # Errors
/// What the database says.
pub(crate) async fn ensure_first(engine: &Engine) -> Result<()> {
    let _ = engine;
    Ok(())
}
