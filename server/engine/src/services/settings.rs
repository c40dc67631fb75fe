//! Settings of the workspace, and holding all sending.

use domain::settings::{Settings, SettingsPatch};

use crate::{Actor, Engine, Error, Result};

/// See [`Engine::settings`].
pub struct SettingsService<'a>(&'a Engine);

impl Engine {
    /// Settings of the workspace, and holding all sending.
    #[must_use]
    pub const fn settings(&self) -> SettingsService<'_> {
        SettingsService(self)
    }
}

impl SettingsService<'_> {
    pub async fn get(&self, actor: &Actor) -> Result<Settings> {
        todo!()
    }

    pub async fn update(&self, actor: &Actor, patch: SettingsPatch) -> Result<Settings> {
        todo!()
    }

}
