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

#[derive(Deserialize)]
struct Page {
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
    without_number: Vec<String>,
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
        Pages { provider: self, account, since, now, ahead: None, next, read: 0, without_number: Vec::new() }
    }
}

impl Pages<'_> {
    /// When the list was asked for: by Twilio's clock, where ours was ahead of it.
    #[must_use]
    pub fn asked_at(&self) -> Timestamp {
        self.now.plus(-self.ahead.unwrap_or(0))
    }

    /// The SIDs of what came from somebody without a number, on the pages that were read.
    #[must_use]
    pub fn without_number(&self) -> &[String] {
        &self.without_number
    }

    /// The next page; none behind the last one.
    ///
    /// # Errors
    /// When Twilio does not give it.
    pub async fn next(&mut self) -> Result<Option<Vec<Received>>, ListError> {
        let Some(request) = self.next.take() else { return Ok(None) };
        if self.read == PAGES {
            return Err(ListError::TooLong);
        }
        self.read += 1;
        let response = self.account.authorize(request).send().await?;
        if !response.status().is_success() {
            return Err(ListError::Refused(response.status()));
        }
        let ahead = *self.ahead.get_or_insert_with(|| ahead(&response, self.now));
        let page: Page = response.json().await?;
        if let Some(next) = page.next_page_uri {
            if !next.starts_with('/') {
                return Err(ListError::Foreign);
            }
            self.next = Some(self.provider.client.get(format!("{}{next}", self.account.api_base)));
        }
        let mut received = Vec::new();
        for entry in page.messages.into_iter().filter(Entry::is_from_a_person) {
            let at = entry.date_created.as_deref().and_then(instant).map(|at| at.plus(ahead));
            // What has no date that can be read may be one of them.
            if at.is_some_and(|at| at < self.since) {
                continue;
            }
            match entry.received(at) {
                Ok(message) => received.push(message),
                Err(sid) => self.without_number.push(sid),
            }
        }
        Ok(Some(received))
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
