//! Runs: one execution of a campaign, its ledger and its messages.

use domain::{ids::{CampaignId, RunId}, page::{Page, PageRequest}, run::Run};
use futures::stream::BoxStream;

use crate::{Actor, Engine, Error, Result};

/// See [`Engine::runs`].
pub struct Runs<'a>(&'a Engine);

impl Engine {
    /// Runs: one execution of a campaign, its ledger and its messages.
    #[must_use]
    pub const fn runs(&self) -> Runs<'_> {
        Runs(self)
    }
}

impl Runs<'_> {
    pub async fn list(&self, actor: &Actor, campaign: CampaignId, page: &PageRequest) -> Result<Page<Run>> {
        todo!()
    }

    pub async fn get(&self, actor: &Actor, id: RunId) -> Result<Run> {
        todo!()
    }

    pub async fn export_csv(&self, actor: &Actor, id: RunId) -> Result<BoxStream<'static, Result<String>>> {
        todo!()
    }

}
