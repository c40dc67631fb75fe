//! What is queued of a run, as it was read lately: in parts, with rests, and so that many who look cause one reading.

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::{ids::RunId, time::Timestamp};
use store::runs::DueGroup;
use tokio::time::Instant;

use crate::Engine;

/// Messages that are read at once: some milliseconds of the database's time.
pub(super) const PART: usize = 2_000;

/// After a part it rests so many times as long as that took: nobody who sends or looks at a page waits for it.
pub(super) const RESTS: u32 = 4;

/// What was read serves so many times as long as reading it took, rests included: the database reads for a twentieth of the time
/// for a run that is looked at, and for a fifth at most however many are.
const SERVES: u32 = 3;

/// After a failure it is not tried again for so long.
const FAILED: Duration = Duration::from_secs(1);

/// How long somebody who looks waits for what is being read; then what was read before has to do.
const PATIENCE: Duration = Duration::from_millis(20);

/// And at a rehearsal of which nothing is known yet: its page does not ask again by itself.
const OF_A_REHEARSAL: Duration = Duration::from_secs(1);

/// What was read lately.
#[derive(Default)]
pub(super) struct Cache {
    reads: Mutex<HashMap<Asked, Read>>,
    /// Of the runs that are looked at one is read at a time.
    reading: tokio::sync::Mutex<()>,
}

/// Of which run it is asked; what is rehearsed is asked apart from what is launched then, and by which clocks.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub run: RunId,
    pub rehearsed: bool,
    pub by_clock: bool,
}

#[derive(Default)]
struct Read {
    groups: Option<Arc<Vec<DueGroup>>>,
    /// Until when they serve; none when there are none.
    until: Option<Instant>,
    /// Reading them took longer than anybody waits.
    slow: bool,
    reading: bool,
}

/// Whose turn it is to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Others,
    Ours,
    /// And nobody need wait for it.
    OursSlowly,
}

/// Answers that are kept in mind.
const KEPT: usize = 256;

impl Cache {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Asked, Read>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was read lately; and whether it is time to read anew, which then is the caller's to do.
    fn known(&self, asked: Asked) -> (Option<Arc<Vec<DueGroup>>>, Turn) {
        let mut all = self.lock();
        if all.len() >= KEPT {
            all.retain(|_, read| read.reading);
        }
        let read = all.entry(asked).or_default();
        if read.reading || read.until.is_some_and(|until| until > Instant::now()) {
            return (read.groups.clone(), Turn::Others);
        }
        read.reading = true;
        (read.groups.clone(), if read.slow { Turn::OursSlowly } else { Turn::Ours })
    }
}

/// Whoever reads; another may once this one is gone, whatever became of it.
struct Reader(Engine, Asked);

impl Reader {
    fn found(&self, groups: Vec<DueGroup>, took: Duration) -> Arc<Vec<DueGroup>> {
        let groups = Arc::new(groups);
        let mut all = self.0.inner().forecasts.queues.lock();
        let read = all.entry(self.1).or_default();
        (read.groups, read.until) = (Some(groups.clone()), Some(Instant::now() + took * SERVES));
        read.slow = took > PATIENCE;
        groups
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(read) = self.0.inner().forecasts.queues.lock().get_mut(&self.1) {
            read.reading = false;
            if read.until.is_none_or(|until| until <= Instant::now()) {
                read.until = Some(Instant::now() + FAILED);
            }
        }
    }
}

/// What is queued, as it was found a moment ago. Who has no patience for it gets what was read before, if anything was.
pub(super) async fn look(engine: &Engine, asked: Asked, now: Timestamp) -> Option<Arc<Vec<DueGroup>>> {
    let (known, turn) = engine.inner().forecasts.queues.known(asked);
    let patience = match turn {
        Turn::Ours if asked.rehearsed && known.is_none() => OF_A_REHEARSAL,
        Turn::Ours => PATIENCE,
        Turn::Others | Turn::OursSlowly => Duration::ZERO,
    };
    if turn == Turn::Others {
        return known;
    }
    let reader = Reader(engine.clone(), asked);
    let reading = tokio::spawn(async move {
        let Reader(engine, asked) = &reader;
        // Of a rehearsal nothing moves meanwhile, and nobody is to wait for a run that is read at leisure.
        let (rests, _alone) = match asked.rehearsed {
            true => (0, None),
            false => (RESTS, Some(engine.inner().forecasts.queues.reading.lock().await)),
        };
        let began = Instant::now();
        let read = queued(engine, asked.run, (now, asked.by_clock), rests).await;
        let groups = read.inspect_err(|error| tracing::warn!(%error, "a forecast could not be read")).ok()?;
        Some(reader.found(groups, began.elapsed()))
    });
    match tokio::time::timeout(patience, reading).await {
        Ok(Ok(Some(groups))) => Some(groups),
        _ => known,
    }
}

/// What is queued of a run by when it is due, read part by part, with so many times as long a rest between two of them as the
/// first took.
pub(super) async fn queued(
    engine: &Engine,
    run: RunId,
    asked: (Timestamp, bool),
    rests: u32,
) -> store::Result<Vec<DueGroup>> {
    let mut found: BTreeMap<_, DueGroup> = BTreeMap::new();
    let mut after = None;
    loop {
        let began = Instant::now();
        let part = store::runs::due_part(engine.db().reader(), run, asked, after, PART).await?;
        for group in part.groups {
            let clock = group.someone.as_ref().map(|someone| {
                let (timezone, prefix) = someone.clock();
                (timezone.map(str::to_owned), prefix.to_owned())
            });
            match found.entry((group.at, clock)) {
                Entry::Occupied(mut known) => known.get_mut().count += group.count,
                Entry::Vacant(place) => {
                    place.insert(group);
                }
            }
        }
        after = part.next;
        if after.is_none() {
            return Ok(found.into_values().collect());
        }
        tokio::time::sleep(began.elapsed() * rests).await;
    }
}
