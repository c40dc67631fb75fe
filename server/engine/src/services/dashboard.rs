//! What the first page shows.

use domain::dashboard::Dashboard;

use crate::{Actor, Engine, Error, Result};

/// See [`Engine::dashboard`].
pub struct DashboardService<'a>(&'a Engine);

impl Engine {
    /// What the first page shows.
    #[must_use]
    pub const fn dashboard(&self) -> DashboardService<'_> {
        DashboardService(self)
    }
}

impl DashboardService<'_> {
    pub async fn get(&self, actor: &Actor) -> Result<Dashboard> {
        todo!()
    }

}
