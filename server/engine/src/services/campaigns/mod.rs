//! Campaigns: drafts, launching, pausing, tests.

mod awake;
mod calendar;
mod collisions;
mod draft;
mod languages;
pub(crate) mod launch;
mod life;
mod rehearse;
pub(crate) mod schedule;
mod test;

use domain::{
    campaign::{
        Campaign, CampaignFilter, CampaignList, CampaignPatch, CampaignStatus, LaunchCheck, NewCampaign,
        OverrideQuietHours, TestRequest, UnreadableCampaign,
    },
    ids::{CampaignId, SegmentId, TemplateId},
    message::Message,
    page::PageRequest,
    role::Permission,
    run::{LeaveOut, Run, ShownPlan, SinceRehearsal},
    schedule::Calendar,
    time::Timestamp,
};
use serde_json::{Value, json};
use store::{Tx, campaigns::Listed};

use crate::{
    Actor, Engine, Error, Result,
    cursor::{Cursor, page_of, rows_to_ask_for},
    require,
    retry::retrying,
};

/// See [`Engine::campaigns`].
pub struct Campaigns<'a>(&'a Engine);

impl Engine {
    /// Campaigns: drafts, launching, pausing, tests.
    #[must_use]
    pub const fn campaigns(&self) -> Campaigns<'_> {
        Campaigns(self)
    }
}

const NO_CAMPAIGN: Error = Error::NotFound { what: "campaign" };

/// `NotFound` said in the campaign's words, and `Conflict` of one that this version cannot read.
pub(super) fn campaign_or<T>(result: store::Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        store::Error::NotFound => NO_CAMPAIGN,
        store::Error::Corrupt { column, .. } => {
            // What stands there is not told: it may be about people.
            tracing::error!(field = column, "this version cannot read a campaign that somebody asked for");
            Error::Conflict(UNREADABLE.to_owned())
        }
        other => other.into(),
    })
}

const UNREADABLE: &str = "This version of the program cannot read this campaign: a newer one has written it, or it is \
                          damaged. No run of it begins; one that is under way can be paused and cancelled. The log names the field.";

/// Those that can be read, and those that cannot.
fn apart(listed: Vec<Listed>) -> (Vec<Campaign>, Vec<UnreadableCampaign>) {
    let (mut campaigns, mut unreadable) = (Vec::with_capacity(listed.len()), Vec::new());
    for one in listed {
        match one {
            Ok(campaign) => campaigns.push(campaign),
            Err(other) => unreadable.push(other),
        }
    }
    (campaigns, unreadable)
}

impl<'a> Campaigns<'a> {
    pub(super) const fn engine(&self) -> &'a Engine {
        self.0
    }

    /// Campaigns, newest first; `q` is a part of the name. Those that this version cannot read are named beside the others.
    ///
    /// # Errors
    /// `Invalid` for a cursor or limit that cannot be used.
    pub async fn list(&self, actor: &Actor, filter: &CampaignFilter, page: &PageRequest) -> Result<CampaignList> {
        require(actor, Permission::Read)?;
        let limit = rows_to_ask_for(page)?;
        let before = Cursor::read(page, |parts| match parts {
            [at, id] => Some((Timestamp::from_micros(at.parse().ok()?), id.parse().ok()?)),
            _ => None,
        })?;
        let rows = store::campaigns::list(self.0.db().reader(), filter, before, limit).await?;
        let page = page_of(rows, page, |last| {
            let (at, id) = match last {
                Ok(campaign) => (campaign.created_at, campaign.id),
                Err(unreadable) => (unreadable.created_at, unreadable.id),
            };
            Cursor::new([at.as_micros().to_string(), id.to_string()])
        });
        let (items, unreadable) = apart(page.items);
        Ok(CampaignList { items, next_cursor: page.next_cursor, unreadable })
    }

    /// One campaign with its latest run.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` of one that this version cannot read.
    pub async fn get(&self, actor: &Actor, id: CampaignId) -> Result<Campaign> {
        require(actor, Permission::Read)?;
        campaign_or(store::campaigns::get(self.0.db().reader(), id).await)
    }

    /// A month (`2026-12`) of campaigns that ran and that are to run, by the clock of a zone; this month and the workspace's
    /// zone where none is given.
    ///
    /// # Errors
    /// `Invalid` for what is no month or no zone.
    pub async fn calendar(&self, actor: &Actor, month: Option<&str>, timezone: Option<&str>) -> Result<Calendar> {
        require(actor, Permission::Read)?;
        calendar::calendar(self.0, month, timezone).await
    }

    /// How many people of an audience read languages that a template has no text for, and what they get instead; nothing
    /// where there is nobody. With a topic only those count who get it by that.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for an audience whose rules are not taken any more.
    pub async fn languages(
        &self,
        actor: &Actor,
        template: TemplateId,
        audience: SegmentId,
        topic: Option<&str>,
    ) -> Result<Option<String>> {
        require(actor, Permission::Read)?;
        languages::told(self.0, template, audience, topic).await
    }

    /// Makes a draft.
    ///
    /// # Errors
    /// `Invalid` with the fields to correct.
    pub async fn create(&self, actor: &Actor, new: NewCampaign) -> Result<Campaign> {
        require(actor, Permission::Write)?;
        retrying!(draft::create(self.0, actor, &new).await)
    }

    /// Changes a campaign: a draft in everything, one that was launched in name and rate only.
    ///
    /// # Errors
    /// `Invalid` with the fields to correct, `NotFound`, `Stale`, `Conflict` for a field that is fixed.
    pub async fn update(&self, actor: &Actor, id: CampaignId, patch: CampaignPatch) -> Result<Campaign> {
        require(actor, Permission::Write)?;
        retrying!(draft::update(self.0, actor, id, &patch).await)
    }

    /// Deletes a draft, or a campaign that is over; its runs and messages stay on record.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` while it is under way.
    pub async fn delete(&self, actor: &Actor, id: CampaignId) -> Result<()> {
        require(actor, Permission::Write)?;
        retrying!(draft::delete(self.0, actor, id).await)
    }

    /// Sends the campaign's present run also to those who sleep, because it cannot wait.
    ///
    /// # Errors
    /// `Forbidden` for all but admins, `Invalid` without a reason, `Conflict` for marketing and without a run under way.
    pub async fn override_quiet_hours(
        &self,
        actor: &Actor,
        id: CampaignId,
        asked: &OverrideQuietHours,
    ) -> Result<Campaign> {
        require(actor, Permission::Administer)?;
        retrying!(awake::override_quiet_hours(self.0, actor, id, asked).await)
    }

    /// Quiet hours hold again for the campaign's present run, which an admin had sent also to those who sleep.
    ///
    /// # Errors
    /// `Forbidden` for all but admins, `Conflict` when they hold already.
    pub async fn restore_quiet_hours(&self, actor: &Actor, id: CampaignId) -> Result<Campaign> {
        require(actor, Permission::Administer)?;
        retrying!(awake::restore_quiet_hours(self.0, actor, id).await)
    }

    /// Makes a draft like this campaign.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn duplicate(&self, actor: &Actor, id: CampaignId) -> Result<Campaign> {
        require(actor, Permission::Write)?;
        retrying!(draft::duplicate(self.0, actor, id).await)
    }

    /// What launching would do, with numbers, and what keeps it from being done.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn launch_check(&self, actor: &Actor, id: CampaignId) -> Result<LaunchCheck> {
        require(actor, Permission::Read)?;
        launch::check(self.0, id).await
    }

    /// Starts the campaign's run: it is planned at once and sent as soon as it is planned.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` with what is missing, `Conflict` when it was launched before or has no sender.
    pub async fn launch(&self, actor: &Actor, id: CampaignId) -> Result<Run> {
        self.launch_shown(actor, id, &ShownPlan::default()).await
    }

    /// As [`Self::launch`], by somebody who was shown a rehearsed plan: that one goes out, or nothing.
    ///
    /// # Errors
    /// As [`Self::launch`], and `Conflict` with what has changed when another plan would go out.
    pub async fn launch_shown(&self, actor: &Actor, id: CampaignId, shown: &ShownPlan) -> Result<Run> {
        require(actor, Permission::Send)?;
        retrying!(launch::launch(self.0, actor, id, shown).await)
    }

    /// Plans the campaign and decides about everybody as at sending, without sending anything: the run goes from
    /// `planning` to `rehearsed`, and launching the campaign sends exactly this plan. A rehearsal before it is discarded.
    ///
    /// # Errors
    /// As [`Self::launch`].
    pub async fn rehearse(&self, actor: &Actor, id: CampaignId) -> Result<Run> {
        require(actor, Permission::Send)?;
        retrying!(rehearse::rehearse(self.0, actor, id).await)
    }

    /// Ends a rehearsal that is under way, or throws its plan away.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn discard_rehearsal(&self, actor: &Actor, id: CampaignId) -> Result<()> {
        require(actor, Permission::Send)?;
        retrying!(rehearse::discard(self.0, actor, id).await)
    }

    /// The campaign's rehearsal that is there or under way, until it is launched.
    ///
    /// # Errors
    /// What the database says.
    pub async fn rehearsal(&self, actor: &Actor, id: CampaignId) -> Result<Option<Run>> {
        require(actor, Permission::Read)?;
        match rehearse::find(self.0, id).await? {
            Some(run) => Ok(Some(self.0.runs().get(actor, run).await?)),
            None => Ok(None),
        }
    }

    /// Gives a time zone to everybody whom the rehearsal left out because theirs is not known, and who has none. Another
    /// rehearsal takes them in. Returns how many were changed.
    ///
    /// # Errors
    /// `NotFound` when there is no complete rehearsal, `Invalid` for what is no time zone.
    pub async fn set_timezones(&self, actor: &Actor, id: CampaignId, timezone: &str) -> Result<u64> {
        require(actor, Permission::Write)?;
        rehearse::set_timezone(self.0, actor, id, timezone).await
    }

    /// Leaves those out by the campaign's audience whom its rehearsal found: an audience that others may mean stays as it is,
    /// and the campaign gets a narrower one. Another rehearsal is without them.
    ///
    /// # Errors
    /// `NotFound` when there is no complete rehearsal, `Invalid` when it found nobody like that, `Conflict` when the campaign
    /// was launched before.
    pub async fn leave_out(&self, actor: &Actor, id: CampaignId, whom: &LeaveOut) -> Result<Campaign> {
        require(actor, Permission::Write)?;
        retrying!(rehearse::leave_out(self.0, actor, id, whom).await)
    }

    /// What has changed since the campaign was rehearsed.
    ///
    /// # Errors
    /// `NotFound` when there is no complete rehearsal.
    pub async fn since_rehearsal(&self, actor: &Actor, id: CampaignId) -> Result<SinceRehearsal> {
        require(actor, Permission::Read)?;
        rehearse::since(self.0, id).await
    }

    /// From now on the campaign runs by itself when its trigger says so.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` with what is missing or over, `Conflict` when it has no time or is under way.
    pub async fn schedule(&self, actor: &Actor, id: CampaignId) -> Result<Campaign> {
        require(actor, Permission::Send)?;
        retrying!(schedule::schedule(self.0, actor, id).await)
    }

    /// The next times that a campaign is due, at most twenty, or would be if it were scheduled now.
    ///
    /// # Errors
    /// `Invalid` with the fields to correct.
    pub async fn upcoming(&self, actor: &Actor, campaign: &Campaign, most: usize) -> Result<Vec<Timestamp>> {
        require(actor, Permission::Read)?;
        schedule::upcoming(self.0, campaign, most).await
    }

    /// Nothing more of the campaign is handed over until it is resumed. Also one that this version cannot read is paused:
    /// then there is none to return.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when it does not run.
    pub async fn pause(&self, actor: &Actor, id: CampaignId) -> Result<Option<Campaign>> {
        require(actor, Permission::Send)?;
        retrying!(life::change(self.0, actor, id, life::PAUSE).await)
    }

    /// Goes on where it was paused.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when it is not paused, or this version cannot read it.
    pub async fn resume(&self, actor: &Actor, id: CampaignId) -> Result<Campaign> {
        require(actor, Permission::Send)?;
        let resumed = retrying!(life::change(self.0, actor, id, life::RESUME).await)?;
        resumed.ok_or_else(|| Error::Conflict(UNREADABLE.to_owned()))
    }

    /// Ends the campaign: what is queued is cancelled, what was handed over stays. Also one that this version cannot read:
    /// then there is none to return.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` when it is not under way.
    pub async fn cancel(&self, actor: &Actor, id: CampaignId) -> Result<Option<Campaign>> {
        require(actor, Permission::Send)?;
        retrying!(life::change(self.0, actor, id, life::CANCEL).await)
    }

    /// Sends the campaign's message to a few people, outside any run.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` with what is missing or wrong, `Conflict` when there is no sender.
    pub async fn test(&self, actor: &Actor, id: CampaignId, request: &TestRequest) -> Result<Vec<Message>> {
        require(actor, Permission::Send)?;
        test::send(self.0, actor, id, request).await
    }
}

/// What a person is told of a status.
const fn status_words(status: CampaignStatus) -> &'static str {
    match status {
        CampaignStatus::Draft => "a draft",
        CampaignStatus::Scheduled => "scheduled",
        CampaignStatus::Running => "running",
        CampaignStatus::Paused => "paused",
        CampaignStatus::Completed => "completed",
        CampaignStatus::Cancelled => "cancelled",
        CampaignStatus::Failed => "failed",
    }
}

async fn audit(tx: &Tx, actor: &Actor, at: Timestamp, action: &str, id: CampaignId, detail: Value) -> Result<()> {
    Ok(store::audit::append(tx, actor, at, action, ("campaign", &id.to_string()), &detail).await?)
}

async fn commit(tx: Tx) -> Result<()> {
    Ok(tx.commit().await.map_err(store::Error::from)?)
}

fn named(name: &str) -> Value {
    json!({ "name": name })
}
