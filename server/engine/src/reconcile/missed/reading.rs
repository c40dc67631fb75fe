//! One number's list: read from the newest back, stored from the oldest on.

use domain::{sender::Sender, time::Timestamp};
use futures::future::join_all;

use super::{Back, Room};
use crate::{
    Engine, Error, Result,
    ingest::{self, Missed},
    provider::{Account, Again, ListError, Pages, Received, without_channel},
};

/// Messages that are stored in one transaction.
const BATCH: usize = 200;

/// New messages of a list that are kept while it is read, besides those of its first page.
const KEPT: usize = 1_000;

/// Messages whose files are asked for at the same time.
const FILES_AT_ONCE: usize = 8;

/// What became of a sender's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// Read as it was then, as far back as it is to be, and everything in it is stored.
    Read(Timestamp),
    /// Twilio does not give it: what people wrote since the last time is to be read once it does.
    Refused,
    /// There are no credentials to ask for it with; then nothing is sent either.
    NotAsked,
}

impl List {
    /// What became of both of a sender's lists.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Read(until), Self::Read(other)) => Self::Read(until.min(other)),
            (Self::Read(_), other) => other,
            (this, _) => this,
        }
    }
}

/// A number that people write to.
#[derive(Clone, Copy)]
pub(super) struct Number<'a> {
    pub sender: &'a Sender,
    pub address: &'a str,
    pub service: Option<&'a str>,
}

impl<'a> Number<'a> {
    /// Those of these that are not stored yet, the oldest first.
    async fn new_of(self, engine: &Engine, account: &'a Account, received: Vec<Received>) -> Result<Vec<Missed<'a>>> {
        let Self { sender, address, service } = self;
        let sids: Vec<&str> = received.iter().map(|message| message.sid.as_str()).collect();
        let known = store::inbound::known(engine.db().lookout(), &sids).await?;
        let new = received.into_iter().filter(|message| !known.contains(&message.sid));
        let mut missed: Vec<_> = new
            .map(|received| Missed {
                received,
                account_sid: account.sid(),
                channel: sender.channel,
                our_address: without_channel(address).1,
                service,
                media: Vec::new(),
            })
            .collect();
        // The list begins with the newest, its times are full seconds, and of two wishes the later one counts.
        missed.reverse();
        missed.sort_by_key(|message| message.received.at);
        Ok(missed)
    }
}

/// A number's list while it is read.
pub(super) struct Reading<'a> {
    engine: &'a Engine,
    account: &'a Account,
    number: Number<'a>,
    pages: Pages<'a>,
    /// The newest first.
    unstored: Vec<Unstored<'a>>,
    /// What became of the list, once that is known.
    list: Option<List>,
}

/// What is new of a page, until it is stored.
enum Unstored<'a> {
    /// Of the first page.
    First(Vec<Missed<'a>>),
    Kept(Vec<Missed<'a>>, Again),
    /// There was no room for more.
    Left(Again),
}

impl<'a> Reading<'a> {
    /// Reads as much as messages wait for, and stores what is new.
    pub async fn begin(
        engine: &'a Engine,
        account: &'a Account,
        number: Number<'a>,
        back: Back,
        room: &Room,
    ) -> Result<Self> {
        // The list is as of when it is asked for, not of when there was no room for it yet.
        let _place = room.first.acquire().await;
        let Number { sender, address, .. } = number;
        let pages = engine.inner().provider.inbound_to(account, sender.channel, address, back.all, engine.now());
        let mut reading = Self { engine, account, number, pages, unstored: Vec::new(), list: None };
        reading.turn_page().await?;
        reading.go_back_to(back.first).await?;
        Ok(reading)
    }

    /// Reads the rest, and stores what is new.
    pub async fn finish(&mut self, back: Back, room: &Room) -> Result<List> {
        if !self.has_come_to(back.all) {
            let _place = room.rest.acquire().await;
            self.go_back_to(back.all).await?;
        }
        Ok(self.list.unwrap_or_else(|| List::Read(self.pages.asked_at())))
    }

    /// Whether all pages were read that what was written since then may be on.
    fn has_come_to(&self, since: Timestamp) -> bool {
        self.list.is_some() || self.pages.have_come_to(since)
    }

    async fn go_back_to(&mut self, since: Timestamp) -> Result<()> {
        while !self.has_come_to(since) {
            self.turn_page().await?;
        }
        self.store().await
    }

    /// Reads one page more.
    async fn turn_page(&mut self) -> Result<()> {
        let page = match self.pages.next().await {
            Ok(Some(page)) => page,
            Ok(None) => {
                self.list = Some(List::Read(self.pages.asked_at()));
                return Ok(());
            }
            Err(error) => {
                self.list = Some(not_listed(self.number.sender, &error, self.pages.asked_at())?);
                return Ok(());
            }
        };
        tell_without_number(self.engine, self.number.sender, &page.without_number).await?;
        let missed = self.number.new_of(self.engine, self.account, page.received).await?;
        if !missed.is_empty() {
            self.unstored.push(match page.again {
                Some(again) => Unstored::Kept(missed, again),
                None => Unstored::First(missed),
            });
            self.make_room();
        }
        Ok(())
    }

    /// Leaves the newest pages to be read again: those that are needed last.
    fn make_room(&mut self) {
        let mut kept = 0;
        for page in self.unstored.iter_mut().rev() {
            if let Unstored::Kept(missed, _) = page {
                kept += missed.len();
            }
            if kept > KEPT {
                page.leave();
            }
        }
    }

    /// Stores what was read and is new, the oldest first.
    async fn store(&mut self) -> Result<()> {
        while let Some(page) = self.unstored.pop() {
            let mut missed = match page {
                Unstored::First(missed) | Unstored::Kept(missed, _) => missed,
                Unstored::Left(again) => match self.pages.again(again).await {
                    Ok(page) => self.number.new_of(self.engine, self.account, page.received).await?,
                    Err(error) => {
                        self.list = Some(not_listed(self.number.sender, &error, self.pages.asked_at())?);
                        continue;
                    }
                },
            };
            for batch in missed.chunks_mut(BATCH) {
                ask_for_files(self.engine, self.account, batch).await;
                ingest::store_missed(self.engine, batch).await?;
                metrics::counter!("missed_inbound_total").increment(batch.len() as u64);
                let sender = self.number.sender.id;
                tracing::info!(
                    messages = batch.len(),
                    sender.id = %sender,
                    "fetched what people wrote while nobody was there"
                );
            }
        }
        Ok(())
    }
}

impl Unstored<'_> {
    fn leave(&mut self) {
        *self = match std::mem::replace(self, Self::First(Vec::new())) {
            Self::Kept(_, again) => Self::Left(again),
            page => page,
        };
    }
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
    for together in with_files.chunks_mut(FILES_AT_ONCE) {
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
pub(super) fn not_listed(sender: &Sender, error: &ListError, asked_at: Timestamp) -> Result<List> {
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
    fn a_service_is_read_until_the_first_of_its_lists_and_only_when_all_are() {
        let (early, late) = (Timestamp::from_seconds(1), Timestamp::from_seconds(2));
        assert_eq!(List::Read(late).and(List::Read(early)), List::Read(early));
        assert_eq!(List::Read(late).and(List::Refused), List::Refused);
        assert_eq!(List::Refused.and(List::Read(early)), List::Refused);
    }
}
