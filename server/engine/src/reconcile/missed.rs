//! Messages from people that came while nobody was there to take them: Twilio tries a webhook for some seconds, and then
//! only its list knows. A STOP among them must count, so the lists of all senders are read before anything goes out after a
//! start, and every few minutes from then on. What is found is stored by the same code as a webhook.
//!
//! A Messaging Service has numbers of its own: they are asked for first, and then read one by one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::{ids::SenderId, sender::Sender, time::Timestamp};
use store::senders::SenderRow;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    Engine, Error, Result,
    bell::Who,
    ingest::{self, Missed},
    provider::{Account, ListError},
    services::provider_accounts,
};

/// How often a list is read.
const EVERY: i64 = 300 * Timestamp::SECOND;

/// How often it is looked whose turn it is.
const SOON: Duration = Duration::from_secs(1);

/// How far back a list is read again: what Twilio stores late, and clocks that differ.
const OVERLAP: i64 = 3_600 * Timestamp::SECOND;

/// Messages that are stored in one transaction.
const BATCH: usize = 200;

/// How long after a start the other senders wait for a list that does not come: its account may be away for days. Its own
/// sender goes on waiting.
const PATIENCE: Duration = Duration::from_secs(120);

/// The senders whose lists this process has asked for since it started, and when last.
#[derive(Default)]
pub(crate) struct CaughtUp {
    asked: Mutex<BTreeMap<SenderId, Timestamp>>,
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

    /// True the first time.
    fn add(&self, sender: SenderId, now: Timestamp) -> bool {
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
    /// Read to its end, and everything in it is stored.
    Read,
    /// Twilio does not give it: what people wrote since the last time is to be read once it does.
    Refused,
    /// There are no credentials to ask for it with; then nothing is sent either.
    NotAsked,
}

/// Reads the lists until told to stop.
pub(crate) async fn run(engine: Engine, stop: CancellationToken) {
    let began = Instant::now();
    let mut told = false;
    while !stop.is_cancelled() {
        match round(&engine, &stop, began).await {
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

/// Reads the list of every sender whose turn it is.
async fn round(engine: &Engine, stop: &CancellationToken, began: Instant) -> Result<()> {
    let caught_up = &engine.inner().caught_up;
    let db = engine.db().reader();
    let (senders, watermarks) = (store::senders::list(db).await?, store::inbound::watermarks(db).await?);
    let mut done = Ok(());
    let mut not_asked = BTreeSet::new();
    for row in &senders {
        let (id, now) = (row.sender.id, engine.now());
        let until = watermarks.get(&id).copied();
        let is_lately = |at: Option<Timestamp>| at.is_some_and(|at| at > now.plus(-EVERY) && at <= now);
        let asked_at = caught_up.asked_at(id);
        if stop.is_cancelled() || is_lately(asked_at) || (is_lately(until) && asked_at.is_some()) {
            continue;
        }
        match fetch(engine, row, until).await {
            Ok(List::Read) => store::inbound::set_watermark(engine.db().writer(), id, now).await?,
            Ok(List::Refused) => {}
            Ok(List::NotAsked) => {
                not_asked.insert(id);
                continue;
            }
            Err(error) => {
                done = Err(error);
                continue;
            }
        }
        if caught_up.add(id, now) {
            engine.inner().bell.ring_here(Who::Senders);
        }
    }
    let enabled = senders.iter().filter(|row| row.sender.enabled).map(|row| row.sender.id);
    let missing = enabled.filter(|id| caught_up.asked_at(*id).is_none() && !not_asked.contains(id)).count();
    if (missing == 0 || began.elapsed() > PATIENCE) && caught_up.get_ready() {
        if missing > 0 {
            tracing::error!(missing, "the lists of some senders do not come; the other senders wait no longer");
        }
        engine.inner().bell.ring_here(Who::Senders);
    }
    done
}

/// Reads what people wrote to one sender and stores what is new.
async fn fetch(engine: &Engine, row: &SenderRow, until: Option<Timestamp>) -> Result<List> {
    let sender = &row.sender;
    let accounts = provider_accounts::current(engine).await?;
    let Some(account) = provider_accounts::find(engine, &accounts, &sender.account_sid) else {
        return Ok(List::NotAsked);
    };
    let since = until.unwrap_or_else(|| engine.now()).plus(-OVERLAP);
    if !sender.address.starts_with("MG") {
        return read(engine, &account, Number { sender, address: &sender.address, service: None }, since).await;
    }
    let listed = engine.inner().provider.addresses_of_service(&account, &sender.address, sender.channel).await;
    let addresses = match listed {
        Ok(addresses) => addresses,
        Err(error) => return not_listed(sender, &error),
    };
    let mut list = List::Read;
    for address in &addresses {
        let number = Number { sender, address, service: Some(&sender.address) };
        if read(engine, &account, number, since).await? == List::Refused {
            list = List::Refused;
        }
    }
    Ok(list)
}

/// A number that people write to.
#[derive(Clone, Copy)]
struct Number<'a> {
    sender: &'a Sender,
    address: &'a str,
    service: Option<&'a str>,
}

/// Reads one number's list and stores what is new.
async fn read(engine: &Engine, account: &Account, number: Number<'_>, since: Timestamp) -> Result<List> {
    let Number { sender, address, service } = number;
    let mut pages = engine.inner().provider.inbound_to(account, sender.channel, address, since);
    let mut missed = Vec::new();
    let list = loop {
        let page = match pages.next().await {
            Ok(Some(page)) => page,
            Ok(None) => break List::Read,
            Err(error) => break not_listed(sender, &error)?,
        };
        let sids: Vec<&str> = page.iter().map(|message| message.sid.as_str()).collect();
        let known = store::inbound::known(engine.db().reader(), &sids).await?;
        missed.extend(page.into_iter().filter(|message| !known.contains(&message.sid)).map(|received| Missed {
            received,
            account_sid: account.sid(),
            channel: sender.channel,
            our_address: address,
            service,
        }));
    };
    // The list begins with the newest, its times are full seconds, and of two wishes the later one counts.
    missed.reverse();
    missed.sort_by_key(|message| message.received.at);
    for batch in missed.chunks(BATCH) {
        ingest::store_missed(engine, batch).await?;
        metrics::counter!("missed_inbound_total").increment(batch.len() as u64);
        tracing::info!(messages = batch.len(), sender.id = %sender.id, "fetched what people wrote while nobody was there");
    }
    Ok(list)
}

/// What follows when Twilio does not give a list, or not all of it.
fn not_listed(sender: &Sender, error: &ListError) -> Result<List> {
    match error {
        error if error.may_pass() => Err(Error::Unavailable(error.to_string())),
        ListError::TooLong => {
            // What was read of it is stored; the next one would be as long.
            tracing::error!(sender.id = %sender.id, "the list of what people wrote to this sender has no end");
            Ok(List::Read)
        }
        error => {
            // It would say the same the next time: campaigns cannot wait for it for ever.
            tracing::error!(%error, sender.id = %sender.id, "Twilio does not list what people wrote to this sender");
            metrics::counter!("missed_inbound_refused_total").increment(1);
            Ok(List::Refused)
        }
    }
}
