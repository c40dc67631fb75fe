//! What people wrote to a number of ours, as Twilio lists it (`GET /Messages.json?To=…`).

use domain::{message::Channel, phone::Phone, time::Timestamp};
use reqwest::RequestBuilder;
use serde::Deserialize;

use super::{
    Account, Provider,
    list::{ListError, ahead, instant},
    request::{address, person_at},
};

/// Messages on one page: the most that Twilio gives.
const PAGE: u32 = 1_000;

/// So many pages are read: half a million messages within the window.
const PAGES: usize = 500;

/// How far a list that begins with the newest may stray from that: it is told by full seconds, and not every message is
/// listed in the very moment that dates it.
const STRAYS: i64 = 10 * Timestamp::SECOND;

/// A message from a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub sid: String,
    pub from: Phone,
    pub body: String,
    pub media: u32,
    /// When it came; none when its date cannot be read.
    pub at: Option<Timestamp>,
}

/// A page of a list, less what is older than was asked for.
pub struct Page {
    pub received: Vec<Received>,
    /// The SIDs of what came from somebody without a number.
    pub without_number: Vec<String>,
    /// How the same page is had once more; none of the first one, which begins with whatever is the newest by then.
    pub again: Option<Again>,
}

/// A request for a page that was read already.
pub struct Again(RequestBuilder);

#[derive(Deserialize)]
struct Answer {
    messages: Vec<Entry>,
    #[serde(default)]
    next_page_uri: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    sid: String,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    num_media: Option<String>,
    #[serde(default)]
    date_created: Option<String>,
    #[serde(default)]
    direction: Option<String>,
}

/// The pages of a list, one request each.
pub struct Pages<'a> {
    provider: &'a Provider,
    account: &'a Account,
    since: Timestamp,
    /// When the first page was asked for, by our clock.
    now: Timestamp,
    /// By how much it was ahead of Twilio's then, once that is known: the same for all pages, or their order would change.
    ahead: Option<i64>,
    next: Option<RequestBuilder>,
    read: usize,
    descent: Descent,
}

impl Provider {
    /// What people wrote to this number of ours since `since`. Twilio filters by the day; what is older on that day is left
    /// out here. Where our clock is ahead of Twilio's, their dates are told by ours, as those of webhooks are.
    #[must_use]
    pub fn inbound_to<'a>(
        &'a self,
        account: &'a Account,
        channel: Channel,
        ours: &str,
        since: Timestamp,
        now: Timestamp,
    ) -> Pages<'a> {
        let query = [("To", address(channel, ours)), ("DateSent>", since.date()), ("PageSize", PAGE.to_string())];
        let next = Some(self.client.get(&account.messages_url).query(&query));
        Pages { provider: self, account, since, now, ahead: None, next, read: 0, descent: Descent::default() }
    }
}

impl Pages<'_> {
    /// When the list was asked for: by Twilio's clock, where ours was ahead of it.
    #[must_use]
    pub fn asked_at(&self) -> Timestamp {
        self.now.plus(-self.ahead.unwrap_or(0))
    }

    /// Whether everything that was written since then is on the pages that were read, as far as their order tells. Twilio
    /// filters by the day, and a day may have many pages; it does not promise that the newest come first.
    #[must_use]
    pub fn have_come_to(&self, since: Timestamp) -> bool {
        self.descent.has_come_to(since)
    }

    /// The next page; none behind the last one.
    ///
    /// # Errors
    /// When Twilio does not give it.
    pub async fn next(&mut self) -> Result<Option<Page>, ListError> {
        let Some(request) = self.next.take() else { return Ok(None) };
        if self.read == PAGES {
            return Err(ListError::TooLong);
        }
        // Behind the first one a page begins behind a message, which does not change.
        let again = if self.read == 0 { None } else { request.try_clone().map(Again) };
        self.read += 1;
        let answer = self.ask(request).await?;
        if let Some(next) = &answer.next_page_uri {
            if !next.starts_with('/') {
                return Err(ListError::Foreign);
            }
            self.next = Some(self.provider.client.get(format!("{}{next}", self.account.api_base)));
        }
        self.descent.begin_page();
        for entry in &answer.messages {
            let at = self.at(entry);
            self.descent.add(at);
        }
        Ok(Some(self.page(answer, again)))
    }

    /// The same page once more.
    ///
    /// # Errors
    /// When Twilio does not give it.
    pub async fn again(&mut self, Again(request): Again) -> Result<Page, ListError> {
        let answer = self.ask(request).await?;
        Ok(self.page(answer, None))
    }

    async fn ask(&mut self, request: RequestBuilder) -> Result<Answer, ListError> {
        let response = self.account.authorize(request).send().await?;
        if !response.status().is_success() {
            return Err(ListError::Refused(response.status()));
        }
        self.ahead.get_or_insert_with(|| ahead(&response, self.now));
        Ok(response.json().await?)
    }

    /// When a message was written, by our clock where it is ahead.
    fn at(&self, entry: &Entry) -> Option<Timestamp> {
        let at = entry.date_created.as_deref().and_then(instant)?;
        Some(at.plus(self.ahead.unwrap_or(0)))
    }

    fn page(&self, answer: Answer, again: Option<Again>) -> Page {
        let mut page = Page { received: Vec::new(), without_number: Vec::new(), again };
        for entry in answer.messages.into_iter().filter(Entry::is_from_a_person) {
            let at = self.at(&entry);
            // What has no date that can be read may be one of them.
            if at.is_some_and(|at| at < self.since) {
                continue;
            }
            match entry.received(at) {
                Ok(message) => page.received.push(message),
                Err(sid) => page.without_number.push(sid),
            }
        }
        page
    }
}

/// How far down a list has come that begins with the newest, and whether it does.
#[derive(Debug, Default)]
struct Descent {
    /// Something is much newer than what stands before it, or has no date that can be read.
    is_broken: bool,
    first: Option<Timestamp>,
    oldest: Option<Timestamp>,
    /// The newest of the latest page.
    newest_of_page: Option<Timestamp>,
}

impl Descent {
    const fn begin_page(&mut self) {
        self.newest_of_page = None;
    }

    fn add(&mut self, at: Option<Timestamp>) {
        let Some(at) = at else {
            self.is_broken = true;
            return;
        };
        self.is_broken |= self.oldest.is_some_and(|oldest| at > oldest.plus(STRAYS));
        self.first = self.first.or(Some(at));
        self.oldest = Some(self.oldest.map_or(at, |oldest| oldest.min(at)));
        self.newest_of_page = self.newest_of_page.max(Some(at));
    }

    /// Whether nothing that is still to come was written since then: the list was seen to go down, and its latest page is
    /// older as a whole.
    fn has_come_to(&self, since: Timestamp) -> bool {
        let (Some(first), Some(oldest), Some(newest)) = (self.first, self.oldest, self.newest_of_page) else {
            return false;
        };
        !self.is_broken && first.since(oldest) > STRAYS && newest < since.plus(-STRAYS)
    }
}

impl Entry {
    fn is_from_a_person(&self) -> bool {
        self.direction.as_deref() == Some("inbound")
    }

    /// Its SID when it is from somebody without a number.
    fn received(self, at: Option<Timestamp>) -> Result<Received, String> {
        let Some((_, from)) = self.from.as_deref().and_then(person_at) else { return Err(self.sid) };
        Ok(Received {
            from,
            sid: self.sid,
            body: self.body.unwrap_or_default(),
            media: self.num_media.and_then(|count| count.parse().ok()).unwrap_or(0),
            at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_392_000);

    /// Pages of messages that were written so many seconds ago.
    fn descent(pages: &[&[i64]]) -> Descent {
        let mut descent = Descent::default();
        for page in pages {
            descent.begin_page();
            page.iter().for_each(|ago| descent.add(Some(NOW.plus(-ago * Timestamp::SECOND))));
        }
        descent
    }

    fn has_come_to_a_minute_ago(pages: &[&[i64]]) -> bool {
        descent(pages).has_come_to(NOW.plus(-Timestamp::MINUTE))
    }

    #[test]
    fn a_list_is_read_until_a_page_is_older_as_a_whole() {
        assert!(has_come_to_a_minute_ago(&[&[1, 30], &[100, 200]]));
        assert!(has_come_to_a_minute_ago(&[&[100, 103, 97, 200]]), "about in order");
        assert!(!has_come_to_a_minute_ago(&[&[1, 30, 100]]), "the next page may begin where this one ends");
        assert!(!has_come_to_a_minute_ago(&[&[1, 30], &[65, 200]]), "what strays may be behind it");
        assert!(!has_come_to_a_minute_ago(&[]));
        assert!(!has_come_to_a_minute_ago(&[&[1, 200], &[]]), "an empty page says nothing");
    }

    #[test]
    fn a_list_that_is_not_seen_to_begin_with_the_newest_is_read_to_its_end() {
        assert!(!has_come_to_a_minute_ago(&[&[3_000, 2_000, 1_000]]), "the oldest first");
        assert!(!has_come_to_a_minute_ago(&[&[3_000, 2_995, 2_991]]), "or perhaps so");
        assert!(!has_come_to_a_minute_ago(&[&[3_000, 3_000]]));
        assert!(!has_come_to_a_minute_ago(&[&[100, 200], &[150, 300]]), "in no order");
        let mut undated = descent(&[&[100, 200]]);
        assert!(undated.has_come_to(NOW.plus(-Timestamp::MINUTE)));
        undated.add(None);
        assert!(!undated.has_come_to(NOW.plus(-Timestamp::MINUTE)));
    }
}
