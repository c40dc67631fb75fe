//! Who waits for the morning is looked at anew when the rules have changed: at every start (the program may know newer
//! clocks), after a change of the workspace's hours, holidays or lines of law, and as long as a run whose quiet hours were
//! put aside has people asleep. Without it, nothing wrong would be sent (the claim
//! decides), but whom a changed rule allows would sleep on. Who is due by their own clock is looked at anew by a program
//! that knows newer clocks.

use std::collections::HashMap;

use domain::{
    ids::RunId,
    message::Outcome,
    quiet::{Holiday, OwnLawLine, WorkspaceQuiet},
    reason::{Check, Reason},
    run::Rules,
    settings::Settings,
    time::Timestamp,
};
use store::{
    messages::{DecisionIn, Grounds, Seen},
    runs::{Change, Planned, Waiting, Which, Woken},
};
use tokio_util::sync::CancellationToken;

use super::{
    chunk,
    local::{Due, DueTimes},
};
use crate::{
    Engine, Error, Result,
    bell::Who,
    decide::Hours,
    quiet::{self, Answer, Holidays, Place, Policy},
    retry::retrying,
    services::settings,
    zones::{self, Source, Zones, zones_of},
};

/// The rules that waiting messages were last looked at by, in this process.
#[derive(Default)]
pub(super) struct Looked(Option<(WorkspaceQuiet, Vec<Holiday>, Vec<OwnLawLine>)>);

impl Looked {
    /// Looks at everybody who waits, when the rules are others than at the last look.
    ///
    /// # Errors
    /// What the database says; the next call begins again.
    pub async fn look(&mut self, engine: &Engine, stop: &CancellationToken) -> Result<()> {
        let settings = settings::current(engine).await?;
        let rules = (settings.quiet_hours, settings.holidays.clone(), settings.law_lines.clone());
        if self.0.as_ref() == Some(&rules) {
            return wake_overridden(engine, stop, &settings).await;
        }
        let holidays = Holidays::of(&settings.holidays);
        let own_clocks = store::runs::by_own_clocks(engine.db().reader()).await?;
        for (run, of_run, began) in own_clocks.into_iter().filter(|(_, rules, _)| is_by_older_clocks(rules)) {
            let hours = quiet::of_run(&settings, &holidays, &of_run);
            look_at(engine, stop, Some((run, &of_run, began)), Which::AsPlanned, &hours).await?;
            if !stop.is_cancelled() {
                retrying!(looked_at(engine, run).await)?;
            }
        }
        for (run, of_run, began) in store::runs::asleep(engine.db().reader()).await? {
            let hours = quiet::of_run(&settings, &holidays, &of_run);
            look_at(engine, stop, Some((run, &of_run, began)), Which::Asleep, &hours).await?;
        }
        look_at(engine, stop, None, Which::Asleep, &quiet::of_singles(&settings, &holidays)).await?;
        if !stop.is_cancelled() {
            self.0 = Some(rules);
        }
        Ok(())
    }
}

/// Whether this program knows newer clocks than those that said when everybody is due. While an older one runs beside it,
/// they stay as the newer one set them.
fn is_by_older_clocks(rules: &Rules) -> bool {
    rules.tzdb.as_deref().is_none_or(|version| zones::is_newer(zones::version(), version))
}

/// A run's people are due by the clocks that this program knows.
async fn looked_at(engine: &Engine, run: RunId) -> Result<()> {
    let tx = engine.db().begin().await?;
    let rules = store::runs::lock_rules(&tx, run).await?;
    store::runs::set_rules(&tx, run, &Rules { tzdb: Some(zones::version().to_owned()), ..rules }).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(())
}

/// Wakes everybody of the runs whose quiet hours an admin has put aside: also who is put to sleep yet by a process that has
/// not heard of it.
///
/// # Errors
/// What the database says; the next call begins again.
pub(super) async fn wake_overridden(engine: &Engine, stop: &CancellationToken, settings: &Settings) -> Result<()> {
    for (run, rules, began) in store::runs::asleep(engine.db().lookout()).await? {
        if rules.quiet_off {
            let hours = quiet::of_run(settings, &Holidays::of(&settings.holidays), &rules);
            look_at(engine, stop, Some((run, &rules, began)), Which::Asleep, &hours).await?;
        }
    }
    Ok(())
}

/// The waiting messages of a run with these rules from an instant on, or the single ones, chunk by chunk.
async fn look_at(
    engine: &Engine,
    stop: &CancellationToken,
    run: Option<(RunId, &Rules, Timestamp)>,
    which: Which,
    hours: &Policy,
) -> Result<()> {
    let limit = chunk(engine.db().kind());
    let (mut after, mut moved) = (None, 0);
    while !stop.is_cancelled() {
        let now = engine.now();
        let due = run.map(|(_, rules, began)| DueTimes::of(rules, began, now));
        let (last, count) = retrying!(
            async {
                let tx = engine.db().begin().await?;
                let waiting = store::runs::waiting(&tx, run.map(|(run, ..)| run), which, after, limit).await?;
                let mut told = Told::anew(now, run.and_then(|(_, rules, _)| quiet::overridden(rules)));
                let changes = waiting.iter().filter_map(|one| change(hours, one, due.as_ref(), now, &mut told));
                let changes: Vec<_> = changes.collect();
                store::runs::wait_until(&tx, now, &changes).await?;
                tx.commit().await.map_err(store::Error::from)?;
                Ok::<_, Error>((waiting.last().map(|last| (last.until, last.planned.id)), changes.len()))
            }
            .await
        )?;
        moved += count;
        after = last;
        if after.is_none() {
            break;
        }
    }
    if moved > 0 {
        tracing::info!(messages = moved, "quiet hours or clocks have changed: these wait until another time");
        engine.inner().bell.ring(Who::Senders);
    }
    Ok(())
}

/// What becomes of a message by now, when it is something else than what it waits for.
fn change(hours: &Policy, one: &Waiting, due: Option<&DueTimes>, now: Timestamp, told: &mut Told) -> Option<Change> {
    let zones = zones_of(&one.planned.phone, one.planned.timezone.as_deref());
    let at = match due.map(|due| due.of_person(&zones)) {
        // Nobody is woken before their time.
        Some(Due::At(at)) => at,
        // Planned as one for whom it was not over: that stays.
        Some(Due::Over) if !one.asleep => return None,
        Some(Due::Over) | None => now,
    };
    let person = hours_of(hours, &one.planned, &zones);
    let (woken, is_same) = match morning(&person, at) {
        Some(until) => (Woken::Asleep(until), one.asleep && until == one.until),
        None => (Woken::Due(at), !one.asleep && (at == one.until || at.max(one.until) <= now)),
    };
    if is_same {
        return None;
    }
    let decision = match woken {
        Woken::Asleep(until) => Some(told.asleep(&person, until)),
        Woken::Due(at) => one.asleep.then(|| told.awake(&person, at)),
    };
    Some(Change { id: one.planned.id, woken, decision })
}

/// Whose clock a planned message goes by, and by which rules.
pub(super) fn hours_of(policy: &Policy, planned: &Planned, zones: &Zones) -> Hours {
    let place = Place::of(&planned.phone, planned.country.as_deref(), zones);
    Hours { policy: policy.clone(), zones: zones.clone(), place }
}

/// Until when a person sleeps who is due at an instant; none for who does not, or has no zone.
pub(super) fn morning(hours: &Hours, at: Timestamp) -> Option<Timestamp> {
    if hours.policy.is_free() {
        return None;
    }
    match hours.policy.answer(&hours.zones, hours.place, at) {
        Answer::Quiet { until } => Some(until),
        Answer::Allowed { .. } | Answer::Never => None,
    }
}

/// The people of one place who are to wait until then, or are due.
type Key = (Zones, (Source, Option<&'static str>), Place, Woken);

/// The decisions of those whom the planner finds asleep or awake, put into words once for all of one place: by one policy,
/// at one instant.
pub(super) struct Told {
    at: Timestamp,
    /// The checks that were made before.
    passed: i64,
    /// Who has put quiet hours aside, and why; none where nobody has.
    overridden: Option<String>,
    known: HashMap<Key, DecisionIn>,
}

impl Told {
    /// Of a plan, which has looked at consent and subscription.
    pub(super) fn planning(at: Timestamp) -> Self {
        Self { at, passed: Check::Subscription.bits_through(), overridden: None, known: HashMap::new() }
    }

    /// Of those who wait: nothing but their quiet hours is looked at.
    fn anew(at: Timestamp, overridden: Option<String>) -> Self {
        Self { at, passed: 0, overridden, known: HashMap::new() }
    }

    pub(super) fn asleep(&mut self, person: &Hours, until: Timestamp) -> DecisionIn {
        self.decision(person, Woken::Asleep(until))
    }

    fn awake(&mut self, person: &Hours, at: Timestamp) -> DecisionIn {
        self.decision(person, Woken::Due(at))
    }

    fn decision(&mut self, person: &Hours, woken: Woken) -> DecisionIn {
        let key = (person.zones.clone(), person.zones.origin(), person.place, woken);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let decision = self.put_into_words(person, woken);
        self.known.insert(key, decision.clone());
        decision
    }

    fn put_into_words(&self, person: &Hours, woken: Woken) -> DecisionIn {
        let (outcome, reason, until, saw) = match woken {
            Woken::Asleep(until) => (Outcome::Wait, Some(Reason::QuietHours), Some(until), Some(person.closed(until))),
            // Of who has no zone, or never an hour, the claim says why nothing is sent.
            Woken::Due(due) => (Outcome::Send, None, None, self.overridden.clone().or_else(|| person.seen(due))),
        };
        let is_open = outcome == Outcome::Send && saw.is_some();
        let zones = if person.policy.is_free() { &[][..] } else { person.zones.names() };
        let seen = Seen {
            checks: saw.map(|saw| (Check::QuietHours.to_string(), saw)).into_iter().collect(),
            zones: zones.iter().map(ToString::to_string).collect(),
            until,
        };
        let checks = if is_open { self.passed | Check::QuietHours.bit() } else { self.passed };
        DecisionIn { at: self.at, outcome, reason, checks, detail: None, grounds: Grounds::of(&seen) }
    }
}
