//! What the first page shows.

use domain::{
    campaign::{Campaign, CampaignFilter, CampaignStatus, UnreadableCampaign},
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
        let (campaigns, unreadable) = self.campaigns(actor).await?;
        let (has_templates, has_segments) = store::dashboard::has_templates_and_segments(db).await?;
        Ok(Dashboard {
            sending: settings::current(engine).await?.sending.clone(),
            contacts: people.all,
            opted_in: people.opted_in,
            opted_out: people.opted_out,
            today: store::dashboard::today(db, engine.now().plus(-Timestamp::DAY)).await?,
            campaigns,
            unreadable,
            imports: engine.imports().list(actor, &PageRequest::first(SHOWN as u32)).await?.items,
            has_templates,
            has_segments,
            simulator: engine.config().is_simulated(),
        })
    }

    /// Running and paused first, then the latest; and those among them that this version cannot read.
    async fn campaigns(&self, actor: &Actor) -> Result<(Vec<Campaign>, Vec<UnreadableCampaign>)> {
        let page = PageRequest::first(SHOWN as u32);
        let mut shown: Vec<Campaign> = Vec::with_capacity(SHOWN);
        let mut unreadable: Vec<UnreadableCampaign> = Vec::new();
        for status in [Some(CampaignStatus::Running), Some(CampaignStatus::Paused), None] {
            if shown.len() >= SHOWN {
                break;
            }
            let filter = CampaignFilter { status, ..CampaignFilter::default() };
            let listed = self.0.campaigns().list(actor, &filter, &page).await?;
            for campaign in listed.items {
                if shown.len() < SHOWN && shown.iter().all(|other| other.id != campaign.id) {
                    shown.push(campaign);
                }
            }
            for campaign in listed.unreadable {
                if unreadable.iter().all(|other| other.id != campaign.id) {
                    unreadable.push(campaign);
                }
            }
        }
        Ok((shown, unreadable))
    }
}
