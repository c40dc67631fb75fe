//! What else comes to the same people within a day, told before the launch.

use std::{collections::BTreeSet, iter};

use domain::{
    campaign::{Campaign, Trigger},
    ids::{CampaignId, ContactId, SegmentId},
    segment::Group,
    time::Timestamp,
};
use store::{ConnectionTrait, schedule::Beside};

use super::{
    apart,
    calendar::{CAMPAIGNS_MAX, COUNTED_MAX},
};
use crate::{
    Engine, Result,
    scheduler::{
        self,
        times::{self, AROUND, Going, Times},
    },
    services::settings,
};

/// Campaigns so near, before or after, may come to the same people.
const NEAR: i64 = Timestamp::DAY;

/// How far ahead the times of one that goes out again and again are looked at.
const AHEAD: i64 = 7 * Timestamp::DAY;

/// Times of another campaign that are looked at: an hourly one has 168 in a week.
const TIMES_MAX: usize = 200;

/// Times of this campaign: one that goes out every minute has as many in a week.
const OWN_MAX: usize = 7 * 24 * 60;

/// Others of each kind whose people are looked at, and of which one is told.
const LOOKED_AT: usize = 20;
const TOLD: usize = 5;

/// People by whom it is reckoned how many are in both audiences.
const SAMPLE: u32 = 5_000;

/// Another campaign, and when it goes out near this one.
struct Other {
    name: String,
    segment: Option<SegmentId>,
    at: Timestamp,
    /// The local time that it goes by, as if it were of UTC, where that is still what tells it.
    local: Option<Timestamp>,
    /// Before the time: "goes out".
    goes: &'static str,
    /// How many people it has a message for, as far as that is known.
    reached: Option<i64>,
}

/// This campaign's people, some of them or all.
struct People {
    all: i64,
    sample: Vec<ContactId>,
}

/// The sentences; `audience` is how many people the campaign's own definition holds.
pub(super) async fn warnings(
    engine: &Engine,
    campaign: &Campaign,
    (definition, audience): (&Group, i64),
) -> Result<Vec<String>> {
    let (db, now) = (engine.db().reader(), engine.now());
    if audience == 0 {
        return Ok(Vec::new());
    }
    let (others, unreadable) = others(db, campaign, now).await?;
    let mut warnings = told(engine, campaign, (definition, audience), others).await?;
    warnings.extend(unreadable.into_iter().take(TOLD).map(|name| {
        format!(
            "This version of the program cannot read \u{201c}{name}\u{201d}: whether it comes to the same people within a \
             day is not known."
        )
    }));
    Ok(warnings)
}

async fn told(
    engine: &Engine,
    campaign: &Campaign,
    (definition, audience): (&Group, i64),
    others: Vec<Other>,
) -> Result<Vec<String>> {
    let (db, now) = (engine.db().reader(), engine.now());
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let zone = settings::current(engine).await?.default_timezone.clone();
    let is_same = |other: &Other| other.segment == campaign.segment_id;
    let sample = if others.iter().all(is_same) {
        Vec::new()
    } else {
        store::segments::sample(db, definition, now, SAMPLE).await?
    };
    let people = People { all: audience, sample };
    let (mut told, mut perhaps) = (Vec::new(), Vec::new());
    for other in others {
        if told.len() == TOLD {
            break;
        }
        let both =
            if is_same(&other) { Some((audience, true)) } else { in_both(db, &people, other.segment, now).await? };
        let Some((count, exact)) = both else { continue };
        let Some(people) = in_words(count, exact, other.reached) else { continue };
        let when = match other.local {
            Some(local) => format!("{} (everybody\u{2019}s own clock)", scheduler::told("UTC", local)),
            None => format!("{} ({zone})", scheduler::told(&zone, other.at)),
        };
        let kind = if count > 0 { &mut told } else { &mut perhaps };
        kind.push(format!("\u{201c}{}\u{201d} {} {when}. {people}", other.name, other.goes));
    }
    // What is known comes first.
    told.extend(perhaps);
    told.truncate(TOLD);
    Ok(told)
}

/// None when nobody is in both. Of a few among many a sample says nothing. Who is in both audiences may have been left out
/// by the other campaign.
fn in_words(count: i64, exact: bool, reached: Option<i64>) -> Option<String> {
    let about = if exact { "" } else { "About " };
    let words = match count {
        0 if exact => None,
        0 => Some(format!("Perhaps a few people are in both audiences: of {SAMPLE} who were looked at nobody is.")),
        1 => Some(format!("{about}1 person is in both audiences.")),
        count => Some(format!("{about}{count} people are in both audiences.")),
    }?;
    Some(match reached.filter(|reached| *reached < count) {
        Some(reached) => format!("{words} It has a message for {reached} of its people only."),
        None => words,
    })
}

/// How many people a run has a message for. Nothing while its plan is being made, or where nobody was planned.
async fn reached(db: &impl ConnectionTrait, run: &Beside) -> Result<Option<i64>> {
    if run.is_planning {
        return Ok(None);
    }
    let ledger = store::ledger::load(db, run.run).await?;
    Ok((ledger.planned > 0).then(|| ledger.planned - ledger.skipped - ledger.cancelled))
}

/// How many people are in both audiences, and whether all were counted; none when the other's is gone.
async fn in_both(
    db: &impl ConnectionTrait,
    people: &People,
    segment: Option<SegmentId>,
    now: Timestamp,
) -> Result<Option<(i64, bool)>> {
    let Some(id) = segment else { return Ok(None) };
    let Some(segment) = store::segments::find(db, id).await? else { return Ok(None) };
    let definition = store::segments::inline(db, &segment.definition).await?;
    let found = store::segments::among(db, &people.sample, &definition, now).await?;
    let sampled = i64::try_from(people.sample.len()).unwrap_or(i64::MAX);
    if sampled < i64::from(SAMPLE) || people.all <= sampled {
        return Ok(Some((found, true)));
    }
    Ok(Some((found.saturating_mul(people.all) / sampled.max(1), false)))
}

/// When a campaign that has made so many runs would go out within the next days, were it launched or scheduled now: times
/// that are so near to each other that everything between them is near are one.
fn own_times(campaign: &Campaign, made: i32, now: Timestamp) -> Vec<Going> {
    let Ok(times) = times::read(&campaign.trigger) else { return vec![Going::at(now)] };
    match (&times, times.first(now)) {
        (_, None) => vec![Going::at(now)],
        (Times::Cron { .. }, Some(first)) => {
            let most = times::runs_left(&campaign.trigger, made).map_or(OWN_MAX, |left| left.clamp(1, OWN_MAX));
            let later = iter::successors(times.next(first), |at| times.next(*at));
            let all = iter::once(first).chain(later.take_while(|at| at.since(now) <= AHEAD));
            together(all.take(most))
        }
        (_, Some(first)) => vec![times.going(first)],
    }
}

/// Instants in their order, those less than [`NEAR`] apart as one stretch of time.
fn together(all: impl Iterator<Item = Timestamp>) -> Vec<Going> {
    let mut stretches: Vec<Going> = Vec::new();
    for at in all {
        match stretches.last_mut() {
            Some(last) if at.since(last.to) < NEAR => last.to = at,
            _ => stretches.push(Going::at(at)),
        }
    }
    stretches
}

/// Others that go out near one of the campaign's times, or are going out: what has begun first. And the names of those that
/// may be due by then and cannot be read.
async fn others(db: &impl ConnectionTrait, campaign: &Campaign, now: Timestamp) -> Result<(Vec<Other>, Vec<String>)> {
    let made = store::schedule::runs_made_by_all(db).await?;
    let made = |id: &CampaignId| made.get(id).copied().unwrap_or(0);
    let own = own_times(campaign, made(&campaign.id), now);
    let near = |other: Going| own.iter().any(|own| own.apart(other) < NEAR);
    let from = own.first().map_or(now, |first| first.from.plus(-NEAR));
    let to = own.last().map_or(now, |last| last.to.plus(NEAR));
    let mut seen = BTreeSet::from([campaign.id]);
    let mut others = Vec::new();
    for run in store::schedule::beside(db, campaign.id, (from, to), CAMPAIGNS_MAX).await? {
        if others.len() == LOOKED_AT {
            break;
        }
        // One that is going out comes to people from now on.
        let at = if run.under_way { run.began.max(now) } else { run.began };
        let going = run.trigger.as_ref().map_or(Going::at(at), |trigger| going(trigger, at));
        if !near(going) || seen.contains(&run.campaign) {
            continue;
        }
        let reached = reached(db, &run).await?;
        // Who left everybody out came to nobody.
        if reached != Some(0) {
            seen.insert(run.campaign);
            let goes = if run.under_way { "is going out since" } else { "went out within a day of it:" };
            let Beside { name, segment, began: at, under_way, .. } = run;
            others.push(Other { name, segment, at, local: going.local.filter(|_| !under_way), goes, reached });
        }
    }
    let mut scheduled = Vec::new();
    // A local time that began before is still to come elsewhere.
    let due = store::schedule::due_between(db, from.plus(-AROUND), to, false, CAMPAIGNS_MAX).await?;
    let (due, unreadable) = apart(due);
    for due in due {
        let Some(going) = first_near(&due, made(&due.id), (from.max(now), to), near) else { continue };
        if seen.insert(due.id) {
            let again = matches!(due.trigger, Trigger::Cron { .. });
            let goes = "goes out within a day of it:";
            let (at, local) = (going.from, going.local);
            scheduled.push((again, Other { name: due.name, segment: due.segment_id, at, local, goes, reached: None }));
        }
    }
    // What goes out every day is near everything: it hides nothing that goes out once.
    scheduled.sort_by_key(|(again, other)| (*again, other.at));
    others.extend(scheduled.into_iter().map(|(_, other)| other).take(LOOKED_AT));
    Ok((others, unreadable.into_iter().map(|other| other.name).collect()))
}

/// When people get what begins at this instant.
fn going(trigger: &Trigger, begins: Timestamp) -> Going {
    times::read(trigger).map_or(Going::at(begins), |times| times.going(begins))
}

/// The first time in `[from, to)` at which a scheduled campaign that has made so many runs is due, and that is near.
fn first_near(
    campaign: &Campaign,
    made: i32,
    (from, to): (Timestamp, Timestamp),
    near: impl Fn(Going) -> bool,
) -> Option<Going> {
    let next = campaign.next_run_at?;
    let later = match &campaign.trigger {
        Trigger::Cron { .. } => times::read(&campaign.trigger).ok(),
        _ => None,
    };
    // Which time is the last is known by counting from the next. Of what does not end soon the times before are passed over.
    let left = times::runs_left(&campaign.trigger, made).filter(|left| *left <= COUNTED_MAX);
    let after = |at: &Timestamp| {
        let at = if left.is_some() { *at } else { (*at).max(from.plus(-1)) };
        later.as_ref().and_then(|times| times.next(at))
    };
    let all = iter::successors(Some(next), after).take(left.unwrap_or(TIMES_MAX));
    all.take_while(|at| *at < to).map(|at| going(&campaign.trigger, at)).find(|going| near(*going))
}
