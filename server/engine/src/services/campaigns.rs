//! Campaigns: drafts, launching, pausing, tests.

use domain::{campaign::{Campaign, CampaignFilter, CampaignPatch, LaunchCheck, NewCampaign, TestRequest}, ids::CampaignId, message::Message, page::{Page, PageRequest}, run::Run};

use crate::{Actor, Engine, Error, Result};

/// See [`Engine::campaigns`].
pub struct Campaigns<'a>(&'a Engine);

impl Engine {
    /// Campaigns: drafts, launching, pausing, tests.
    #[must_use]
    pub const fn campaigns(&self) -> Campaigns<'_> {
        Campaigns(self)
    }
}

impl Campaigns<'_> {
    pub async fn list(&self, actor: &Actor, filter: &CampaignFilter, page: &PageRequest) -> Result<Page<Campaign>> {
        todo!()
    }

    pub async fn get(&self, actor: &Actor, id: CampaignId) -> Result<Campaign> {
        todo!()
    }

    pub async fn create(&self, actor: &Actor, new: NewCampaign) -> Result<Campaign> {
        todo!()
    }

    pub async fn update(&self, actor: &Actor, id: CampaignId, patch: CampaignPatch) -> Result<Campaign> {
        todo!()
    }

    pub async fn delete(&self, actor: &Actor, id: CampaignId) -> Result<()> {
        todo!()
    }

    pub async fn duplicate(&self, actor: &Actor, id: CampaignId) -> Result<Campaign> {
        todo!()
    }

    pub async fn launch_check(&self, actor: &Actor, id: CampaignId) -> Result<LaunchCheck> {
        todo!()
    }

    pub async fn launch(&self, actor: &Actor, id: CampaignId) -> Result<Run> {
        todo!()
    }

    pub async fn pause(&self, actor: &Actor, id: CampaignId) -> Result<Campaign> {
        todo!()
    }

    pub async fn resume(&self, actor: &Actor, id: CampaignId) -> Result<Campaign> {
        todo!()
    }

    pub async fn cancel(&self, actor: &Actor, id: CampaignId) -> Result<Campaign> {
        todo!()
    }

    pub async fn test(&self, actor: &Actor, id: CampaignId, request: &TestRequest) -> Result<Vec<Message>> {
        todo!()
    }

}
