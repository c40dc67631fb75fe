//! Messages from people that came while nobody was there to take them: Twilio tries a webhook for some seconds, and then
//! only its list knows. A STOP among them must count, so the lists of all senders are read before anything goes out after a
//! start, and every few minutes from then on. What is found is stored by the same code as a webhook.
//!
//! A Messaging Service has numbers of its own: they are asked for first, and then read, too.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::{ids::SenderId, sender::Sender, time::Timestamp};
use futures::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use store::senders::SenderRow;
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    Engine, Error, Result,
    bell::Who,
    ingest::{self, Missed},
    provider::{Account, ListError, without_channel},
    services::provider_accounts,
};

/// How often a list is read.
const EVERY: i64 = 300 * Timestamp::SECOND;

/// How often it is looked whose turn it is.
const SOON: Duration = Duration::from_secs(1);

/// How far back a list is read again: what Twilio stores late, and clocks that differ.
const OVERLAP: i64 = 3_600 * Timestamp::SECOND;

/// How far back it is read where a clock that was ahead says that it was read until a time that is still to come.
const FAR_BACK: i64 = Timestamp::DAY;

/// Messages that are stored in one transaction.
const BATCH: usize = 200;

/// Lists of one account that are read at the same time. Accounts do not wait for each other: one may be away.
const AT_ONCE: usize = 8;

/// The senders whose lists this process has asked for since it started, and when last.
#[derive(Default)]
pub(crate) struct CaughtUp {
    asked: Mutex<BTreeMap<SenderId, Timestamp>>,
    /// Those whose lists did not come when they were asked for last.
    missing: Mutex<BTreeSet<SenderId>>,
    /// What came while nobody was there is known, as far as it is to be had. From then on webhooks bring everything.
    ready: AtomicBool,
}

impl CaughtUp {
    /// Whether anything may go out: who stopped stopped everything, whichever number of ours they wrote to.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Whether campaigns may go out from this sender.
    pub(crate) fn has(&self, sender: SenderId) -> bool {
        self.is_ready() && self.asked_at(sender).is_some()
    }

    fn asked_at(&self, sender: SenderId) -> Option<Timestamp> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).get(&sender).copied()
    }

    /// The senders whose campaigns wait for a list.
    pub(crate) fn missing(&self) -> BTreeSet<SenderId> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn miss(&self, missing: BTreeSet<SenderId>) {
        *self.missing.lock().unwrap_or_else(PoisonError::into_inner) = missing;
    }

    /// True the first time.
    fn add(&self, sender: SenderId, now: Timestamp) -> bool {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).remove(&sender);
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(sender, now).is_none()
    }

    /// True the first time.
    fn get_ready(&self) -> bool {
        !self.ready.swap(true, Ordering::AcqRel)
    }
}

/// What became of a sender's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    /// Read to its end as it was then, and everything in it is stored.
    Read(Timestamp),
    /// Twilio does not give it: what people wrote since the last time is to be read once it does.
    Refused,
    /// There are no credentials to ask for it with; then nothing is sent either.
    NotAsked,
}

impl List {
    /// What became of both of a sender's lists.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Read(until), Self::Read(other)) => Self::Read(until.min(other)),
            (Self::Read(_), other) => other,
            (this, _) => this,
        }
    }
}

/// Reads the lists until told to stop.
pub(crate) async fn run(engine: Engine, stop: CancellationToken) {
    let (mut told, mut patience) = (false, None);
    while !stop.is_cancelled() {
        match round(&engine, &stop, &mut patience).await {
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
    let rooms: BTreeMap<&str, Semaphore> =
        senders.iter().map(|row| (row.sender.account_sid.as_str(), Semaphore::new(AT_ONCE))).collect();
    let lists = senders.iter().filter(is_due).map(|SenderRow { sender }| {
        let since = since(watermarks.get(&sender.id).copied(), now);
        let room = &rooms[sender.account_sid.as_str()];
        async move { (sender.id, read_and_note(engine, sender, since, room).await) }
    });
    let mut lists: FuturesUnordered<_> = lists.collect();
    let mut not_asked = BTreeSet::new();
    let mut done = Ok(());
    loop {
        let (id, list) = tokio::select! {
            list = lists.next() => match list {
                Some(list) => list,
                None => break,
            },
            // While they are still asked for: an account that is away lets each request wait for its time-out.
            () = tokio::time::sleep_until(patience), if !caught_up.is_ready() => {
                let missing = missing(caught_up, &senders, &not_asked);
                let count = missing.len();
                tracing::error!(count, "the lists of some senders do not come; the other senders wait no longer");
                caught_up.miss(missing);
                get_ready(engine);
                continue;
            }
            () = stop.cancelled() => return done,
        };
        // Nothing is waited for here: the other lists would not go on meanwhile, and one of them may hold the database's
        // only writer.
        match list {
            Ok(List::Read(_) | List::Refused) if caught_up.add(id, now) => engine.inner().bell.ring_here(Who::Senders),
            Ok(List::Read(_) | List::Refused) => {}
            Ok(List::NotAsked) => {
                not_asked.insert(id);
            }
            Err(error) => done = Err(error),
        }
    }
    let missing = missing(caught_up, &senders, &not_asked);
    if missing.is_empty() {
        get_ready(engine);
    }
    caught_up.miss(missing);
    done
}

/// Senders whose lists are still to come.
fn missing(caught_up: &CaughtUp, senders: &[SenderRow], not_asked: &BTreeSet<SenderId>) -> BTreeSet<SenderId> {
    let enabled = senders.iter().filter(|row| row.sender.enabled).map(|row| row.sender.id);
    enabled.filter(|id| caught_up.asked_at(*id).is_none() && !not_asked.contains(id)).collect()
}

/// Messages may go out from now on.
fn get_ready(engine: &Engine) {
    if engine.inner().caught_up.get_ready() {
        engine.inner().bell.ring_here(Who::Senders);
    }
}

/// From when on a list is read that was read `until` then.
fn since(until: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let until = until.unwrap_or(now);
    // By how much and for how long the clock was ahead that said so, nobody knows any more.
    let until = if until > now { now.plus(-FAR_BACK) } else { until };
    until.plus(-OVERLAP)
}

/// Reads one sender's list, and notes until when.
async fn read_and_note(engine: &Engine, sender: &Sender, since: Timestamp, room: &Semaphore) -> Result<List> {
    let list = fetch(engine, sender, since, room).await?;
    if let List::Read(until) = list {
        store::inbound::set_watermark(engine.db().writer(), sender.id, until).await?;
    }
    Ok(list)
}

/// Reads what people wrote to one sender and stores what is new.
async fn fetch(engine: &Engine, sender: &Sender, since: Timestamp, room: &Semaphore) -> Result<List> {
    let accounts = provider_accounts::current(engine).await?;
    let Some(account) = provider_accounts::find(engine, &accounts, &sender.account_sid) else {
        return Ok(List::NotAsked);
    };
    if !sender.address.starts_with("MG") {
        let number = Number { sender, address: &sender.address, service: None };
        return read(engine, &account, number, since, room).await;
    }
    let now = engine.now();
    let listed = {
        let _place = room.acquire().await;
        engine.inner().provider.addresses_of_service(&account, &sender.address, sender.channel).await
    };
    let addresses = match listed {
        Ok(addresses) => addresses,
        Err(error) => return not_listed(sender, &error, now),
    };
    let numbers = addresses.iter().map(|address| Number { sender, address, service: Some(&sender.address) });
    // All of them are read, also when one does not come: somebody's STOP may be in any.
    let lists = join_all(numbers.map(|number| read(engine, &account, number, since, room))).await;
    lists.into_iter().try_fold(List::Read(now), |all, list| Ok(all.and(list?)))
}

/// A number that people write to.
#[derive(Clone, Copy)]
struct Number<'a> {
    sender: &'a Sender,
    address: &'a str,
    service: Option<&'a str>,
}

/// Reads one number's list, once there is room for it, and stores what is new.
async fn read(
    engine: &Engine,
    account: &Account,
    number: Number<'_>,
    since: Timestamp,
    room: &Semaphore,
) -> Result<List> {
    let _place = room.acquire().await;
    let Number { sender, address, service } = number;
    let mut pages = engine.inner().provider.inbound_to(account, sender.channel, address, since, engine.now());
    let mut missed = Vec::new();
    let list = loop {
        let page = match pages.next().await {
            Ok(Some(page)) => page,
            Ok(None) => break List::Read(pages.asked_at()),
            Err(error) => break not_listed(sender, &error, pages.asked_at())?,
        };
        let sids: Vec<&str> = page.iter().map(|message| message.sid.as_str()).collect();
        let known = store::inbound::known(engine.db().lookout(), &sids).await?;
        missed.extend(page.into_iter().filter(|message| !known.contains(&message.sid)).map(|received| Missed {
            received,
            account_sid: account.sid(),
            channel: sender.channel,
            our_address: without_channel(address).1,
            service,
            media: Vec::new(),
        }));
    };
    tell_without_number(engine, sender, pages.without_number()).await?;
    // The list begins with the newest, its times are full seconds, and of two wishes the later one counts.
    missed.reverse();
    missed.sort_by_key(|message| message.received.at);
    for batch in missed.chunks_mut(BATCH) {
        ask_for_files(engine, account, batch).await;
        ingest::store_missed(engine, batch).await?;
        metrics::counter!("missed_inbound_total").increment(batch.len() as u64);
        tracing::info!(messages = batch.len(), sender.id = %sender.id, "fetched what people wrote while nobody was there");
    }
    Ok(list)
}

/// What came from people without a number is nobody's, whatever it says: somebody of ours has to read it at Twilio, unless a
/// webhook brought it, which is kept.
async fn tell_without_number(engine: &Engine, sender: &Sender, sids: &[String]) -> Result<()> {
    let mut missed = 0_u64;
    for sid in sids {
        let is_kept = store::webhook_events::is_kept_raw(engine.db().lookout(), sid, ingest::NO_NUMBER).await?;
        missed += u64::from(!is_kept);
    }
    if missed > 0 {
        metrics::counter!("missed_inbound_without_number_total").increment(missed);
        tracing::warn!(messages = missed, sender.id = %sender.id, "what people without a number wrote is only at Twilio");
    }
    Ok(())
}

/// Asks which files came with these messages. Where Twilio does not say, their number is known at least: a STOP among the
/// messages must not wait for pictures.
async fn ask_for_files(engine: &Engine, account: &Account, missed: &mut [Missed<'_>]) {
    let provider = &engine.inner().provider;
    let mut with_files: Vec<_> = missed.iter_mut().filter(|message| message.received.media > 0).collect();
    for together in with_files.chunks_mut(AT_ONCE) {
        let mut asked = Vec::with_capacity(together.len());
        for message in &*together {
            asked.push(provider.media_of(account, &message.received.sid));
        }
        let lists = join_all(asked).await;
        let nobody_is_there = lists.iter().all(|list| list.as_ref().is_err_and(ListError::may_pass));
        for (message, list) in together.iter_mut().zip(lists) {
            match list {
                Ok(files) => message.media = files,
                Err(error) => {
                    let sid = &message.received.sid;
                    tracing::warn!(%error, inbound.sid = sid, "Twilio does not say which files came with a message");
                }
            }
        }
        // Each time-out more would be one more for all that is to be stored.
        if nobody_is_there {
            return;
        }
    }
}

/// What follows when Twilio does not give a list, or not all of it.
fn not_listed(sender: &Sender, error: &ListError, asked_at: Timestamp) -> Result<List> {
    match error {
        error if error.may_pass() => Err(Error::Unavailable(error.to_string())),
        ListError::TooLong => {
            // What was read of it is stored; the next one would be as long.
            tracing::error!(sender.id = %sender.id, "the list of what people wrote to this sender has no end");
            Ok(List::Read(asked_at))
        }
        error => {
            // It would say the same the next time: campaigns cannot wait for it for ever.
            tracing::error!(%error, sender.id = %sender.id, "Twilio does not list what people wrote to this sender");
            metrics::counter!("missed_inbound_refused_total").increment(1);
            Ok(List::Refused)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_still_to_come_says_nothing_of_what_was_read() {
        let now = Timestamp::from_seconds(1_795_392_000);
        let (hour, day) = (Timestamp::HOUR, Timestamp::DAY);
        assert_eq!(since(None, now), now.plus(-hour));
        assert_eq!(since(Some(now.plus(-5 * hour)), now), now.plus(-6 * hour));
        assert_eq!(since(Some(now.plus(3 * hour)), now), now.plus(-day - hour));
        assert_eq!(since(Some(now.plus(400 * day)), now), now.plus(-day - hour));
    }

    #[test]
    fn a_service_is_read_until_the_first_of_its_lists_and_only_when_all_are() {
        let (early, late) = (Timestamp::from_seconds(1), Timestamp::from_seconds(2));
        assert_eq!(List::Read(late).and(List::Read(early)), List::Read(early));
        assert_eq!(List::Read(late).and(List::Refused), List::Refused);
        assert_eq!(List::Refused.and(List::Read(early)), List::Refused);
    }
}
