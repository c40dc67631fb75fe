//! What waits for what, put together from counts.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    ids::SenderId,
    process::{Figures, Process, Wait, Waiting},
    reason::Reason,
    run::RunStatus,
    sender::Sender,
    settings::{SendingState, Settings},
    time::Timestamp,
};
use store::waiting::{Counted, QueuedRun};

use super::{
    provider_accounts::{self, Accounts},
    settings,
};
use crate::{Engine, Result, reconcile::unfinished::FOLLOWED_FOR};

/// Counted at most, of one run or of one kind.
const MOST: u32 = 10_000;

/// Everything that waits, by what it waits for; see [`super::processes::Processes::waiting`].
///
/// # Errors
/// What the database says.
pub(crate) async fn look(engine: &Engine) -> Result<Vec<Waiting>> {
    let mut found = Found::default();
    let obstacles = Obstacles::read(engine).await?;
    queued(engine, &obstacles, &mut found).await?;
    singles(engine, &obstacles, &mut found).await?;
    handed_over(engine, &mut found).await?;
    besides_messages(engine, &obstacles, &mut found).await?;
    Ok(found.0.into_values().collect())
}

/// What was found, in the order of [`Wait`].
#[derive(Default)]
struct Found(BTreeMap<(Wait, Option<Reason>), Waiting>);

impl Found {
    fn add(&mut self, what: Wait, counted: Counted) {
        self.add_some(what, None, counted, false);
    }

    fn add_some(&mut self, what: Wait, reason: Option<Reason>, counted: Counted, at_least: bool) {
        let Counted { count, oldest_at, next_at } = counted;
        if count <= 0 {
            return;
        }
        let waiting = Waiting { what, reason, count, at_least, oldest_at, next_at };
        self.0.entry((what, reason)).and_modify(|sum| sum.add(&waiting)).or_insert(waiting);
    }
}

/// What may keep a sender's messages from going out.
struct Obstacles {
    settings: Arc<Settings>,
    accounts: Arc<Accounts>,
    senders: BTreeMap<SenderId, Sender>,
    /// Those that are alive.
    processes: Vec<Process>,
}

impl Obstacles {
    async fn read(engine: &Engine) -> Result<Self> {
        let senders = store::senders::list(engine.db().reader()).await?;
        Ok(Self {
            settings: settings::current(engine).await?,
            accounts: provider_accounts::current(engine).await?,
            senders: senders.into_iter().map(|row| (row.sender.id, row.sender)).collect(),
            processes: store::processes::alive(engine.db().reader(), engine.now()).await?,
        })
    }

    /// Why nothing goes out from this sender, and when that is looked at again.
    fn of(&self, sender: SenderId) -> Option<(Wait, Option<Timestamp>)> {
        if self.settings.sending.state == SendingState::Held {
            return Some((Wait::Held, None));
        }
        let sender = self.senders.get(&sender)?;
        if !sender.enabled {
            return Some((Wait::SenderDisabled, None));
        }
        if sender.held.is_some() {
            return Some((Wait::SenderHeld, None));
        }
        if self.accounts.get(&sender.account_sid).is_none() {
            return Some((Wait::NoAccount, None));
        }
        self.blocked(sender.id).or_else(|| self.lists(|figures| figures.reads_lists))
    }

    /// The same of a campaign's messages.
    fn of_run(&self, sender: SenderId) -> Option<(Wait, Option<Timestamp>)> {
        self.of(sender).or_else(|| self.lists(|figures| figures.reads_lists || figures.missing_lists.contains(&sender)))
    }

    /// Whether all who may send wait for lists of what people wrote while nobody was there.
    fn lists(&self, waits: impl Fn(&Figures) -> bool) -> Option<(Wait, Option<Timestamp>)> {
        let may_send = |process: &&Process| process.role.sends() && process.figures.may_send;
        let mut senders = self.processes.iter().filter(may_send).peekable();
        let all_wait = senders.peek().is_some() && senders.all(|process| waits(&process.figures));
        all_wait.then_some((Wait::Lists, None))
    }

    fn blocked(&self, sender: SenderId) -> Option<(Wait, Option<Timestamp>)> {
        let blocked = self.senders.get(&sender)?.blocked.as_ref()?;
        Some((Wait::SenderBlocked, Some(blocked.next_try_at)))
    }
}

/// What runs have in the queue, and which of them are being planned.
async fn queued(engine: &Engine, obstacles: &Obstacles, found: &mut Found) -> Result<()> {
    for run in store::waiting::queued_runs(engine.db().reader()).await? {
        // Nothing of it is planned or sent, whatever else is in its way.
        if !run.readable && run.status != RunStatus::Cancelled {
            found.add(Wait::Unreadable, Counted { count: 1, oldest_at: Some(run.created_at), next_at: None });
            continue;
        }
        if !run.planned && matches!(run.status, RunStatus::Planning | RunStatus::Paused) {
            found.add(Wait::Plans, Counted { count: 1, oldest_at: Some(run.created_at), next_at: None });
        }
        let all = |next_at| Counted { count: run.queued, oldest_at: run.first_due_at, next_at };
        match run.status {
            RunStatus::Planning => found.add(Wait::Planning, all(None)),
            RunStatus::Cancelled => found.add(Wait::Cancelling, all(None)),
            RunStatus::Paused => {
                let blocked = obstacles.blocked(run.sender).filter(|_| run.blocked);
                let (what, next_at) = blocked.unwrap_or((Wait::Paused, None));
                found.add(what, all(next_at));
            }
            RunStatus::Running => match obstacles.of_run(run.sender) {
                Some((what, next_at)) => found.add(what, all(next_at)),
                None => running(engine, &run, found).await?,
            },
            // Nothing of these is ever claimed.
            RunStatus::Rehearsed | RunStatus::Completed | RunStatus::Failed => {}
        }
    }
    Ok(())
}

/// What a run that may send has in the queue: due, or for later.
async fn running(engine: &Engine, run: &QueuedRun, found: &mut Found) -> Result<()> {
    let (db, now) = (engine.db().reader(), engine.now());
    let later = store::waiting::later(db, run.run, now, MOST).await?;
    let counted: i64 = later.iter().map(|(_, counted)| counted.count).sum();
    let all_later = counted < i64::from(MOST);
    for (reason, counted) in later {
        found.add_some(Wait::Later, reason, counted, !all_later);
    }
    let due = if all_later { run.queued - counted } else { store::waiting::due(db, run.run, now, MOST).await? };
    let all_due = all_later || due < i64::from(MOST);
    let oldest_at = run.first_due_at.filter(|at| *at <= now);
    found.add_some(Wait::Due, None, Counted { count: due, oldest_at, next_at: None }, !all_due);
    Ok(())
}

/// What is queued outside of runs.
async fn singles(engine: &Engine, obstacles: &Obstacles, found: &mut Found) -> Result<()> {
    let singles = store::waiting::singles(engine.db().reader(), engine.now(), MOST).await?;
    let all = singles.iter().map(|single| single.counted.count).sum::<i64>() < i64::from(MOST);
    for single in singles {
        let counted = single.counted;
        match obstacles.of(single.sender) {
            Some((what, next_at)) => found.add_some(what, None, Counted { next_at, ..counted }, !all),
            None if single.later => found.add_some(Wait::Later, single.reason, counted, !all),
            None => {
                let due = Counted { oldest_at: counted.next_at, next_at: None, ..counted };
                found.add_some(Wait::Due, None, due, !all);
            }
        }
    }
    Ok(())
}

/// What was claimed, and what the provider has or may have.
async fn handed_over(engine: &Engine, found: &mut Found) -> Result<()> {
    let db = engine.db().reader();
    let most = |counted: Counted| counted.count >= i64::from(MOST);
    let sending = store::waiting::sending(db, MOST).await?;
    found.add_some(Wait::Sending, None, sending, most(sending));
    let unknown = store::waiting::unknown(db, MOST).await?;
    let wait = i64::try_from(engine.config().wait_to_look().as_micros()).unwrap_or(0);
    let next_at = unknown.next_at.map(|looked_at| looked_at.plus(wait));
    found.add_some(Wait::Unknown, None, Counted { next_at, ..unknown }, most(unknown));
    let since = engine.now().plus(-FOLLOWED_FOR);
    let (followed, left) = store::waiting::accepted(db, since).await?;
    found.add(Wait::Accepted, followed);
    found.add(Wait::NoNews, left);
    let [(followed, all_followed), (left, all_left)] = store::waiting::accepted_singles(db, since, MOST).await?;
    found.add_some(Wait::Accepted, None, followed, !all_followed);
    found.add_some(Wait::NoNews, None, left, !all_left);
    Ok(())
}

async fn besides_messages(engine: &Engine, obstacles: &Obstacles, found: &mut Found) -> Result<()> {
    let db = engine.db().reader();
    let (queued, running) = store::waiting::imports(db).await?;
    found.add(Wait::ImportsQueued, queued);
    found.add(Wait::ImportsRunning, running);
    let count = obstacles.processes.iter().map(|process| process.figures.ingest_queue).sum();
    found.add(Wait::Webhooks, Counted { count, ..Counted::default() });
    Ok(())
}
