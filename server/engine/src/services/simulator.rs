//! The simulator's phone; only when no Twilio account is set.

use domain::{phone::Phone, simulator::{Conversation, SimulatorPhone}};

use crate::{Actor, Engine, Error, Result};

/// See [`Engine::simulator`].
pub struct SimulatorService<'a>(&'a Engine);

impl Engine {
    /// The simulator's phone; only when no Twilio account is set.
    #[must_use]
    pub const fn simulator(&self) -> SimulatorService<'_> {
        SimulatorService(self)
    }
}

impl SimulatorService<'_> {
    pub async fn phones(&self, actor: &Actor) -> Result<Vec<SimulatorPhone>> {
        todo!()
    }

    pub async fn conversation(&self, actor: &Actor, phone: &Phone) -> Result<Conversation> {
        todo!()
    }

    pub async fn answer(&self, actor: &Actor, phone: &Phone, text: &str) -> Result<Conversation> {
        todo!()
    }

}
