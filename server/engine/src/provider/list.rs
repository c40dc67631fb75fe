//! Asking Twilio which messages it has for a person (`GET /Messages.json`), and where one stands.

use domain::{message::Channel, phone::Phone, time::Timestamp};
use jiff::fmt::rfc2822;
use reqwest::StatusCode;
use serde::Deserialize;

use super::{Account, Provider, request::address};

/// A message as Twilio has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub sid: String,
    pub status: String,
    pub error_code: Option<i32>,
    pub body: Option<String>,
    /// When Twilio took it; none when its date cannot be read.
    pub created_at: Option<Timestamp>,
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error("Twilio answered with HTTP {0}")]
    Refused(StatusCode),
    #[error("Twilio's list is longer than {PAGES} pages")]
    TooLong,
    #[error("Twilio's list names a next page that is not its own")]
    Foreign,
    #[error(transparent)]
    NoAnswer(reqwest::Error),
}

impl ListError {
    /// Whether asking again may well work.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::TooLong | Self::Foreign => false,
            Self::Refused(status) => {
                status.is_server_error()
                    || matches!(*status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
            }
            Self::NoAnswer(_) => true,
        }
    }

    /// Whether asking for another person may well work: the provider is there and lets us in.
    #[must_use]
    pub fn is_about_this_one(&self) -> bool {
        match self {
            Self::TooLong | Self::Foreign => true,
            Self::Refused(status) => {
                let everybody = [
                    StatusCode::UNAUTHORIZED,
                    StatusCode::FORBIDDEN,
                    StatusCode::REQUEST_TIMEOUT,
                    StatusCode::TOO_MANY_REQUESTS,
                ];
                status.is_client_error() && !everybody.contains(status)
            }
            Self::NoAnswer(error) => error.is_decode(),
        }
    }
}

impl From<reqwest::Error> for ListError {
    /// Without the address that was asked for: the person's number is in it, and this is logged.
    fn from(error: reqwest::Error) -> Self {
        Self::NoAnswer(error.without_url())
    }
}

/// Messages on one page, of at most 1,000.
const PAGE: u32 = 200;

/// So many pages are read; a person with more messages in the window is nobody's customer.
const PAGES: usize = 20;

#[derive(Deserialize)]
struct Page {
    messages: Vec<Entry>,
    #[serde(default)]
    next_page_uri: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    sid: String,
    status: String,
    #[serde(default)]
    error_code: Option<i32>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    date_created: Option<String>,
    #[serde(default)]
    direction: Option<String>,
}

impl Provider {
    /// What the account sent through the API to this person since `since`, from this number; a Messaging Service (`MG…`) may
    /// have sent from any. Not filtered by date at Twilio: its filter leaves out what is not sent yet, and the order of
    /// the list is not promised, so all pages are read. Where our clock is ahead of Twilio's, their dates are told by ours:
    /// it may have been ahead at `since`, too.
    ///
    /// # Errors
    /// When the whole list is not to be had: then nothing is known.
    pub async fn sent_to(
        &self,
        account: &Account,
        to: &Phone,
        channel: Channel,
        from: &str,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Listed>, ListError> {
        let mut query = vec![("To", address(channel, to.as_str())), ("PageSize", PAGE.to_string())];
        if !from.starts_with("MG") {
            query.push(("From", address(channel, from)));
        }
        let mut found = Vec::new();
        let mut request = self.client.get(&account.messages_url).query(&query);
        for _ in 0..PAGES {
            let response = account.authorize(request).send().await?;
            if !response.status().is_success() {
                return Err(ListError::Refused(response.status()));
            }
            let ahead = ahead(&response, now);
            let page: Page = response.json().await?;
            let messages = page
                .messages
                .into_iter()
                .filter(Entry::is_ours)
                .map(Listed::from)
                .map(|message| Listed { created_at: message.created_at.map(|at| at.plus(ahead)), ..message });
            // What has no date that can be read may be the one.
            found.extend(messages.filter(|message| message.created_at.is_none_or(|at| at >= since)));
            let Some(next) = page.next_page_uri else { return Ok(found) };
            if !next.starts_with('/') {
                return Err(ListError::Foreign);
            }
            request = self.client.get(format!("{}{next}", account.api_base));
        }
        Err(ListError::TooLong)
    }
}

impl Provider {
    /// Where the account's message with this SID stands (`GET /Messages/{sid}.json`).
    ///
    /// # Errors
    /// When Twilio does not say.
    pub async fn fetch(&self, account: &Account, sid: &str) -> Result<Listed, ListError> {
        let url = format!("{}/{sid}.json", account.messages_url.trim_end_matches(".json"));
        let response = account.authorize(self.client.get(url)).send().await?;
        if !response.status().is_success() {
            return Err(ListError::Refused(response.status()));
        }
        Ok(response.json::<Entry>().await?.into())
    }
}

impl Entry {
    /// Sent by a request of ours, and neither an answer to a webhook nor inbound.
    fn is_ours(&self) -> bool {
        self.direction.as_deref().is_none_or(|direction| direction == "outbound-api")
    }
}

impl From<Entry> for Listed {
    fn from(entry: Entry) -> Self {
        Self {
            created_at: entry.date_created.as_deref().and_then(instant),
            sid: entry.sid,
            status: entry.status,
            error_code: entry.error_code,
            body: entry.body,
        }
    }
}

/// By how much our clock was at least ahead, when the request began, of the one that dated this answer.
pub(super) fn ahead(response: &reqwest::Response, now: Timestamp) -> i64 {
    let dated = response.headers().get(reqwest::header::DATE).and_then(|date| date.to_str().ok()).and_then(instant);
    // It is dated by full seconds. A clock that is right must not seem to be ahead: it would make a START younger.
    dated.map_or(0, |dated| now.since(dated.plus(Timestamp::SECOND)).max(0))
}

/// Twilio's dates: `Mon, 23 Nov 2026 09:00:00 +0000`.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp::from_micros(at.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn errors_do_not_tell_whom_it_was_about() {
        let nowhere = "http://127.0.0.1:1/Messages.json?To=%2B14155550100";
        let client = reqwest::Client::builder().timeout(std::time::Duration::from_secs(5)).build().expect("a client");
        let error = ListError::from(client.get(nowhere).send().await.expect_err("nobody listens there"));
        assert!(!error.to_string().contains("4155550100"), "{error}");
    }

    #[test]
    fn dates_are_read() {
        assert_eq!(instant("Thu, 24 Aug 2023 05:01:45 +0000"), Some(Timestamp::from_seconds(1_692_853_305)));
        assert_eq!(instant("yesterday"), None);
    }
}
