//! Messages from people that came while nobody was there to take them: Twilio tries a webhook for some seconds, and then
//! only its list knows. A STOP among them must count, so the lists of all senders are read before anything goes out after a
//! start, and every few minutes from then on. What is found is stored by the same code as a webhook.
//!
//! A list is read from the newest back, page by page, as far as what people wrote may be new; then what is new is stored, the
//! oldest first: what somebody wrote last is to count. Where it is more than a few pages they are read once more for that,
//! and not kept. What has come since the list was read last is stored first: then messages go out, while the rest of the
//! overlap is still read. Until when a list was read is noted only once all of it is stored: whoever dies in between begins
//! anew, and leaves no page behind unread.
//!
//! Where another process sends and has read the lists lately, nobody was away: whoever starts beside it knows what that one
//! knows, from the same database, and waits for no list that it has.
//!
//! A Messaging Service has numbers of its own: they are asked for first, and then read, too.

mod reading;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::{
    ids::{ProcessId, SenderId},
    process::Process,
    sender::Sender,
    time::Timestamp,
};
use futures::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use store::{Kind, senders::SenderRow};
use tokio::{
    sync::{Notify, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use self::reading::{List, Number, Reading, not_listed};
use crate::{Engine, Result, bell::Who, services::provider_accounts};

/// How often a list is read.
const EVERY: i64 = 300 * Timestamp::SECOND;

/// How often it is looked whose turn it is.
const SOON: Duration = Duration::from_secs(1);

/// How far back a list is read again: what Twilio stores late, and clocks that differ.
const OVERLAP: i64 = 3_600 * Timestamp::SECOND;

/// How much of that is read before anything goes out: a busy number has many pages within an hour, and while messages go out
/// what Twilio stores late is not waited for either.
const FIRST: i64 = EVERY;

/// How far back it is read where a clock that was ahead says that it was read until a time that is still to come.
const FAR_BACK: i64 = Timestamp::DAY;

/// A list was read lately whose last reading is not older: who reads it is not behind.
const LATELY: i64 = 2 * EVERY;

/// Lists of one account that are read at the same time. Accounts do not wait for each other: one may be away.
const AT_ONCE: usize = 8;

/// So many besides, of which nothing is left to read that messages wait for.
const BESIDES: usize = 1;

/// The senders whose lists this process has read since it started.
#[derive(Default)]
pub(crate) struct CaughtUp {
    /// Those of whom it is known what came while nobody was there, as far as it is to be had.
    caught: Mutex<BTreeSet<SenderId>>,
    /// When they were last asked for and read to their end.
    asked: Mutex<BTreeMap<SenderId, Timestamp>>,
    /// Those whose lists did not come when they were asked for last.
    missing: Mutex<BTreeSet<SenderId>>,
    /// What came while nobody was there is known of all, as far as it is to be had. From then on webhooks bring everything.
    ready: AtomicBool,
    /// Rings when another process turned out to know it of some.
    joined: Notify,
}

impl CaughtUp {
    /// Whether anything may go out: who stopped stopped everything, whichever number of ours they wrote to.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Whether campaigns may go out from this sender.
    pub(crate) fn has(&self, sender: SenderId) -> bool {
        self.is_ready() && self.has_caught(sender)
    }

    fn has_caught(&self, sender: SenderId) -> bool {
        self.caught.lock().unwrap_or_else(PoisonError::into_inner).contains(&sender)
    }

    fn asked_at(&self, sender: SenderId) -> Option<Timestamp> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).get(&sender).copied()
    }

    fn ask(&self, sender: SenderId, now: Timestamp) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(sender, now);
    }

    /// The senders whose campaigns wait for a list.
    pub(crate) fn missing(&self) -> BTreeSet<SenderId> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn miss(&self, missing: BTreeSet<SenderId>) {
        *self.missing.lock().unwrap_or_else(PoisonError::into_inner) = missing;
    }

    /// True the first time.
    fn add(&self, sender: SenderId) -> bool {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).remove(&sender);
        self.caught.lock().unwrap_or_else(PoisonError::into_inner).insert(sender)
    }

    /// True the first time.
    fn get_ready(&self) -> bool {
        !self.ready.swap(true, Ordering::AcqRel)
    }
}

/// Reads the lists until told to stop.
pub(crate) async fn run(engine: Engine, stop: CancellationToken) {
    tokio::join!(read(&engine, &stop), join_another(&engine, &stop));
}

/// Takes over what another process knows, until messages may go out.
async fn join_another(engine: &Engine, stop: &CancellationToken) {
    // An embedded database has one process.
    if engine.db().kind() != Kind::Postgres {
        return;
    }
    let caught_up = &engine.inner().caught_up;
    let mut seen = BTreeMap::new();
    while !caught_up.is_ready() && !stop.is_cancelled() {
        match read_by_another(engine, &mut seen).await {
            Ok(senders) => {
                let mut is_news = false;
                for sender in senders {
                    is_news |= caught_up.add(sender);
                }
                if is_news {
                    caught_up.joined.notify_one();
                }
            }
            // Then the lists are waited for.
            Err(error) => tracing::debug!(%error, "what other processes have read cannot be looked up"),
        }
        let _ = tokio::time::timeout(SOON, stop.cancelled()).await;
    }
}

/// The senders whose lists another process, which sends at this moment, has read lately. `seen`: when the processes were last
/// seen at the last look. One that was killed is believed to be alive for a while: it has to be heard of in between.
async fn read_by_another(engine: &Engine, seen: &mut BTreeMap<ProcessId, Timestamp>) -> Result<BTreeSet<SenderId>> {
    let (db, now) = (engine.db().lookout(), engine.now());
    let alive = store::processes::alive(db, now).await?;
    let before = std::mem::replace(seen, alive.iter().map(|process| (process.id, process.seen_at)).collect());
    let sends = |process: &&Process| {
        let was_heard = before.get(&process.id).is_some_and(|before| *before < process.seen_at);
        let is_another = process.id != engine.inner().process && process.role.sends();
        was_heard && is_another && process.figures.may_send && !process.figures.reads_lists
    };
    let Some(other) = alive.iter().find(sends) else { return Ok(BTreeSet::new()) };
    let mut senders = BTreeSet::new();
    for (sender, until) in store::inbound::watermarks(db).await? {
        let is_read = until > now.plus(-LATELY) && until <= now;
        if is_read && !other.figures.missing_lists.contains(&sender) {
            senders.insert(sender);
        }
    }
    Ok(senders)
}

async fn read(engine: &Engine, stop: &CancellationToken) {
    let (mut told, mut patience) = (false, None);
    while !stop.is_cancelled() {
        match round(engine, stop, &mut patience).await {
            Ok(()) => told = false,
            // Once, not each second.
            Err(error) if !told => {
                tracing::warn!(%error, "what people wrote while nobody was there cannot be fetched: messages wait for it");
                told = true;
            }
            Err(_) => {}
        }
        let _ = tokio::time::timeout(SOON, stop.cancelled()).await;
    }
}

/// Reads the list of every sender whose turn it is. `patience`: until when the senders that are there wait for the others.
async fn round(engine: &Engine, stop: &CancellationToken, patience: &mut Option<Instant>) -> Result<()> {
    let caught_up = &engine.inner().caught_up;
    let db = engine.db().lookout();
    let (senders, watermarks) = (store::senders::list(db).await?, store::inbound::watermarks(db).await?);
    // From when it is known whose lists they are: while the database is away there is nothing to be patient with.
    let patience = *patience.get_or_insert_with(|| Instant::now() + engine.config().list_patience);
    let now = engine.now();
    let is_lately = |at: Option<Timestamp>| at.is_some_and(|at| at > now.plus(-EVERY) && at <= now);
    let is_due = |row: &&SenderRow| {
        let (asked_at, until) = (caught_up.asked_at(row.sender.id), watermarks.get(&row.sender.id).copied());
        !is_lately(asked_at) && (!is_lately(until) || asked_at.is_none())
    };
    let rooms: BTreeMap<&str, Room> =
        senders.iter().map(|row| (row.sender.account_sid.as_str(), Room::default())).collect();
    let look = Look { engine, senders: &senders, not_asked: Mutex::default() };
    let lists = senders.iter().filter(is_due).map(|SenderRow { sender }| {
        let back = back(watermarks.get(&sender.id).copied(), now);
        let room = &rooms[sender.account_sid.as_str()];
        let look = &look;
        async move { (sender.id, look.read_and_note(sender, back, room).await) }
    });
    let mut lists: FuturesUnordered<_> = lists.collect();
    let mut done = Ok(());
    loop {
        let (id, list) = tokio::select! {
            list = lists.next() => match list {
                Some(list) => list,
                None => break,
            },
            // While they are still asked for: an account that is away lets each request wait for its time-out.
            () = tokio::time::sleep_until(patience), if !caught_up.is_ready() => {
                let missing = look.missing();
                let count = missing.len();
                tracing::error!(count, "the lists of some senders do not come; the other senders wait no longer");
                caught_up.miss(missing);
                get_ready(engine);
                continue;
            }
            () = caught_up.joined.notified(), if !caught_up.is_ready() => {
                look.get_ready_with_all();
                continue;
            }
            () = stop.cancelled() => return done,
        };
        // Nothing is waited for here: the other lists would not go on meanwhile, and one of them may hold the database's
        // only writer.
        match list {
            Ok(List::Read(_) | List::Refused) => {
                caught_up.ask(id, now);
                look.catch_up(id);
            }
            Ok(List::NotAsked) => look.leave(id),
            Err(error) => done = Err(error),
        }
    }
    // Also where there is no list at all.
    look.get_ready_with_all();
    caught_up.miss(look.missing());
    done
}

/// Messages may go out from now on.
fn get_ready(engine: &Engine) {
    if engine.inner().caught_up.get_ready() {
        engine.inner().bell.ring_here(Who::Senders);
    }
}

/// How far back a list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Back {
    /// Before anything goes out.
    first: Timestamp,
    /// In all.
    all: Timestamp,
}

/// How far back a list is read that was read `until` then.
fn back(until: Option<Timestamp>, now: Timestamp) -> Back {
    match until {
        Some(until) if until <= now => Back { first: until.plus(-FIRST), all: until.plus(-OVERLAP) },
        // By how much and for how long the clock was ahead that said so, nobody knows any more.
        Some(_) => Back::at(now.plus(-FAR_BACK - OVERLAP)),
        None => Back::at(now.plus(-OVERLAP)),
    }
}

impl Back {
    /// To there before anything goes out.
    const fn at(all: Timestamp) -> Self {
        Self { first: all, all }
    }
}

/// How many lists of an account may be read at the same time.
struct Room {
    /// For what messages wait for.
    first: Semaphore,
    /// For the rest.
    rest: Semaphore,
}

impl Default for Room {
    fn default() -> Self {
        Self { first: Semaphore::new(AT_ONCE), rest: Semaphore::new(BESIDES) }
    }
}

/// A look at the lists of all senders whose turn it is.
struct Look<'a> {
    engine: &'a Engine,
    senders: &'a [SenderRow],
    /// Those that there are no credentials for.
    not_asked: Mutex<BTreeSet<SenderId>>,
}

impl Look<'_> {
    /// What people wrote to this sender while nobody was there is stored.
    fn catch_up(&self, sender: SenderId) {
        if self.engine.inner().caught_up.add(sender) {
            self.engine.inner().bell.ring_here(Who::Senders);
        }
        self.get_ready_with_all();
    }

    /// This sender's list is not asked for.
    fn leave(&self, sender: SenderId) {
        self.not_asked.lock().unwrap_or_else(PoisonError::into_inner).insert(sender);
        self.get_ready_with_all();
    }

    /// Messages may go out once no list is still to come.
    fn get_ready_with_all(&self) {
        if !self.engine.inner().caught_up.is_ready() && self.missing().is_empty() {
            get_ready(self.engine);
        }
    }

    /// Senders whose lists are still to come.
    fn missing(&self) -> BTreeSet<SenderId> {
        let caught_up = &self.engine.inner().caught_up;
        let not_asked = self.not_asked.lock().unwrap_or_else(PoisonError::into_inner);
        let enabled = self.senders.iter().filter(|row| row.sender.enabled).map(|row| row.sender.id);
        enabled.filter(|id| !caught_up.has_caught(*id) && !not_asked.contains(id)).collect()
    }

    /// Reads one sender's list, and notes until when.
    async fn read_and_note(&self, sender: &Sender, back: Back, room: &Room) -> Result<List> {
        let list = self.fetch(sender, back, room).await?;
        if let List::Read(until) = list {
            store::inbound::set_watermark(self.engine.db().writer(), sender.id, until).await?;
        }
        Ok(list)
    }

    /// Reads what people wrote to one sender and stores what is new.
    async fn fetch(&self, sender: &Sender, back: Back, room: &Room) -> Result<List> {
        let engine = self.engine;
        let accounts = provider_accounts::current(engine).await?;
        let Some(account) = provider_accounts::find(engine, &accounts, &sender.account_sid) else {
            return Ok(List::NotAsked);
        };
        let now = engine.now();
        let (addresses, service) = if sender.address.starts_with("MG") {
            let _place = room.first.acquire().await;
            match engine.inner().provider.addresses_of_service(&account, &sender.address, sender.channel).await {
                Ok(addresses) => (addresses, Some(&*sender.address)),
                Err(error) => return not_listed(sender, &error, now),
            }
        } else {
            (vec![sender.address.clone()], None)
        };
        // All of them are read, also when one does not come: somebody's STOP may be in any.
        let begun = join_all(addresses.iter().map(|address| {
            let number = Number { sender, address, service };
            Reading::begin(engine, &account, number, back, room)
        }));
        let mut readings = begun.await.into_iter().collect::<Result<Vec<_>>>()?;
        self.catch_up(sender.id);
        let lists = join_all(readings.iter_mut().map(|reading| reading.finish(back, room))).await;
        lists.into_iter().try_fold(List::Read(now), |all, list| Ok(all.and(list?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_still_to_come_says_nothing_of_what_was_read() {
        let now = Timestamp::from_seconds(1_795_392_000);
        let (hour, day) = (Timestamp::HOUR, Timestamp::DAY);
        assert_eq!(back(None, now), Back::at(now.plus(-hour)));
        let read = now.plus(-5 * hour);
        assert_eq!(back(Some(read), now), Back { first: read.plus(-EVERY), all: read.plus(-hour) });
        assert_eq!(back(Some(now.plus(3 * hour)), now), Back::at(now.plus(-day - hour)));
        assert_eq!(back(Some(now.plus(400 * day)), now), Back::at(now.plus(-day - hour)));
    }
}
