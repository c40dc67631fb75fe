//! Campaigns that go out by a zone's clock, once or again and again, are due when that clock says so, also when it turned out
//! to be another one after they were scheduled: looked at once at each start, because a program may know newer zones than
//! the one before.

use domain::{
    campaign::{CampaignStatus, Trigger},
    ids::CampaignId,
    time::Timestamp,
};

use super::{
    BATCH,
    times::{self, Times},
};
use crate::{Engine, Result, retry::retrying};

/// No clock is set by more: a day, where a place moves across the date line, and an hour.
const MOST: i64 = 25 * Timestamp::HOUR;

/// Looks at every campaign with a clock of its own; says how many are due at another time now. What is over is left alone: it was due
/// by the clock of then.
///
/// # Errors
/// What the database says.
pub(super) async fn set_anew(engine: &Engine) -> Result<usize> {
    let now = engine.now();
    let (mut after, mut moved) = (None, 0);
    loop {
        let armed = store::schedule::by_a_clock(engine.db().reader(), now, after, BATCH).await?;
        let Some((last, ..)) = armed.last() else { return Ok(moved) };
        after = Some(*last);
        for (campaign, trigger, due_at) in &armed {
            if trigger.as_ref().is_some_and(|trigger| moved_to(trigger, *due_at).is_some()) {
                moved += usize::from(retrying!(set(engine, *campaign).await)?);
            }
        }
    }
}

/// When a campaign is due that was to be due at an instant, if that is another one: the nearest to it. So no time comes
/// twice; of times that are as near to each other as the clocks are apart, one may be left out, because only the instant is
/// known and not which of them it was. It may have passed: then the campaign is late, and its rule for that holds.
fn moved_to(trigger: &Trigger, due_at: Timestamp) -> Option<Timestamp> {
    // One that cannot be read is paused, with the reason, when it is due.
    let times: Times = times::read(trigger).ok()?;
    if times.next(due_at.plus(-1)) == Some(due_at) {
        return None;
    }
    let around = std::iter::successors(times.next(due_at.plus(-MOST)), |at| times.next(*at));
    around.take_while(|at| at.since(due_at) <= MOST).min_by_key(|at| at.since(due_at).abs())
}

async fn set(engine: &Engine, id: CampaignId) -> Result<bool> {
    let now = engine.now();
    let tx = engine.db().begin().await?;
    let status = store::campaigns::lock(&tx, id).await?;
    let Some(campaign) = store::campaigns::get_readable(&tx, id).await? else { return Ok(false) };
    let is_armed = matches!(status, CampaignStatus::Scheduled | CampaignStatus::Running | CampaignStatus::Paused);
    let Some(due_at) = campaign.next_run_at.filter(|due_at| is_armed && *due_at > now) else { return Ok(false) };
    let Some(next) = moved_to(&campaign.trigger, due_at) else { return Ok(false) };
    // Once has no other time: it goes out at the time that it was armed for rather than not at all.
    if matches!(campaign.trigger, Trigger::Once { .. }) && next <= now {
        return Ok(false);
    }
    store::schedule::arm(&tx, id, Some(next)).await?;
    tx.commit().await.map_err(store::Error::from)?;
    tracing::info!(campaign.id = %id, from = %due_at, to = %next, "clocks have changed: the campaign is due at another time");
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        time.parse().expect("a time")
    }

    #[test]
    fn the_nearest_time_by_the_new_clock_is_taken() {
        let every = |expression: &str| Trigger::Cron {
            expression: expression.to_owned(),
            timezone: Some("America/Vancouver".to_owned()),
            until: None,
            count: None,
        };
        let moved = |expression, due_at| moved_to(&every(expression), at(due_at)).map(|at| at.to_string());
        // British Columbia stays at -07:00 from 2026 on; older databases have it at -08:00 in winter.
        assert_eq!(moved("0 9 * * *", "2026-12-01T17:00:00Z").as_deref(), Some("2026-12-01T16:00:00Z"));
        assert_eq!(moved("0 9 * * *", "2026-12-01T16:00:00Z"), None, "it is right as it is");
        assert_eq!(moved("0 9 1 * *", "2026-12-01T17:00:00Z").as_deref(), Some("2026-12-01T16:00:00Z"));
        assert_eq!(moved("0 * * * *", "2026-12-01T17:00:00Z"), None, "each hour has its time");
        assert_eq!(moved("0 9,10 * * *", "2026-12-01T17:00:00Z"), None, "it may have been nine, but ten will do");
        assert_eq!(moved("no expression", "2026-12-01T17:00:00Z"), None);
        let once = |timezone: Option<&str>, at: &str| Trigger::Once {
            at: at.to_owned(),
            local: false,
            timezone: timezone.map(str::to_owned),
        };
        let there = once(Some("America/Vancouver"), "2026-12-01T09:00:00");
        let moved = |trigger: &Trigger, due_at| moved_to(trigger, at(due_at)).map(|at| at.to_string());
        assert_eq!(moved(&there, "2026-12-01T17:00:00Z").as_deref(), Some("2026-12-01T16:00:00Z"));
        assert_eq!(moved(&there, "2026-12-01T16:00:00Z"), None);
        assert_eq!(moved(&once(None, "2026-12-01T17:00:00Z"), "2026-12-01T17:00:00Z"), None);
    }
}
