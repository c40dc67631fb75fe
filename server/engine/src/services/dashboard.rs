//! What the first page shows.

use domain::{
    campaign::{Campaign, CampaignFilter, CampaignStatus},
    dashboard::Dashboard,
    page::PageRequest,
    role::Permission,
    time::Timestamp,
};

use crate::{Actor, Engine, Result, require, services::settings};

/// How many campaigns and imports are shown.
const SHOWN: usize = 8;

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
    /// The state of things, in a few cheap queries.
    ///
    /// # Errors
    /// What the database says.
    pub async fn get(&self, actor: &Actor) -> Result<Dashboard> {
        require(actor, Permission::Read)?;
        let engine = self.0;
        let db = engine.db().reader();
        let people = store::dashboard::people(db).await?;
        let (has_templates, has_segments) = store::dashboard::has_templates_and_segments(db).await?;
        Ok(Dashboard {
            sending: settings::current(engine).await?.sending.clone(),
            contacts: people.all,
            opted_in: people.opted_in,
            opted_out: people.opted_out,
            today: store::dashboard::today(db, engine.now().plus(-Timestamp::DAY)).await?,
            campaigns: self.campaigns(actor).await?,
            imports: engine.imports().list(actor, &PageRequest::first(SHOWN as u32)).await?.items,
            has_templates,
            has_segments,
            simulator: engine.config().is_simulated(),
        })
    }

    /// Running and paused first, then the latest.
    async fn campaigns(&self, actor: &Actor) -> Result<Vec<Campaign>> {
        let page = PageRequest::first(SHOWN as u32);
        let mut shown: Vec<Campaign> = Vec::with_capacity(SHOWN);
        for status in [Some(CampaignStatus::Running), Some(CampaignStatus::Paused), None] {
            if shown.len() >= SHOWN {
                break;
            }
            let filter = CampaignFilter { status, ..CampaignFilter::default() };
            for campaign in self.0.campaigns().list(actor, &filter, &page).await?.items {
                if shown.len() < SHOWN && shown.iter().all(|other| other.id != campaign.id) {
                    shown.push(campaign);
                }
            }
        }
        Ok(shown)
    }
}
