//! Files that people sent: `GET /2010-04-01/Accounts/{sid}/Messages/{sid}/Media/{sid}`, as `MediaUrl{N}` of a webhook names
//! it. Twilio answers with a redirect to where the file is kept, an address that is good for a short time. Which files a
//! message has is in `GET …/Messages/{sid}/Media.json`.

use std::time::Duration;

use domain::inbound::Media;
use reqwest::{Response, StatusCode, header};
use serde::Deserialize;
use url::Url;

use super::{Account, ListError, Provider};

/// So many redirects are followed: Twilio uses one or two.
const REDIRECTS: usize = 3;

/// How long a file may take: 16 MB, the most that WhatsApp takes, over a slow line.
const AT_MOST: Duration = Duration::from_secs(60);

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    #[error("Twilio does not have the file any more")]
    Gone,
    #[error("Twilio answered with HTTP {0}")]
    Refused(StatusCode),
    #[error("Twilio sends us on to an address that is not safe")]
    Unsafe,
    #[error(transparent)]
    NoAnswer(reqwest::Error),
}

impl From<reqwest::Error> for MediaError {
    /// Without the address: it opens the file for whoever reads the log.
    fn from(error: reqwest::Error) -> Self {
        Self::NoAnswer(error.without_url())
    }
}

impl Account {
    /// Where this account's file is asked for: always at the account's own API, whatever server the webhook named. None
    /// when it is not a file of a message of this account.
    fn media_url(&self, named: &str) -> Option<Url> {
        let named = Url::parse(named).ok()?;
        let ours = named.path().strip_prefix(&format!("/2010-04-01/Accounts/{}/Messages/", self.sid()))?;
        let (_, media) = ours.split_once("/Media/")?;
        (!media.is_empty() && !media.contains('/')).then_some(())?;
        Url::parse(&format!("{}{}", self.api_base, named.path())).ok()
    }

    /// Whether this account has a file of this address.
    pub(crate) fn has_media(&self, named: &str) -> bool {
        self.media_url(named).is_some()
    }
}

/// A message has ten files at most: one page.
#[derive(Deserialize)]
struct Page {
    media_list: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    sid: String,
    #[serde(default)]
    content_type: Option<String>,
}

impl Provider {
    /// The files of the account's message with this SID, as a webhook would name them.
    ///
    /// # Errors
    /// When Twilio does not say.
    pub async fn media_of(&self, account: &Account, sid: &str) -> Result<Vec<Media>, ListError> {
        let message = format!("{}/{sid}", account.messages_url.trim_end_matches(".json"));
        let response = account.authorize(self.client.get(format!("{message}/Media.json"))).send().await?;
        if !response.status().is_success() {
            return Err(ListError::Refused(response.status()));
        }
        let page: Page = response.json().await?;
        let named = page.media_list.into_iter().map(|file| Media {
            url: format!("{message}/Media/{}", file.sid),
            content_type: file.content_type.unwrap_or_default(),
        });
        Ok(named.collect())
    }

    /// The file that a webhook named, or the part of it that `range` (a header of HTTP) asks for. Only the account's own API
    /// gets to know its credentials.
    ///
    /// # Errors
    /// When Twilio does not give it.
    pub async fn media(&self, account: &Account, named: &str, range: Option<&str>) -> Result<Response, MediaError> {
        let own = account.media_url(named).ok_or(MediaError::Gone)?;
        let mut url = own.clone();
        for step in 0..=REDIRECTS {
            let mut request = self.client.get(url.clone()).timeout(AT_MOST);
            if step == 0 {
                request = account.authorize(request);
            }
            if let Some(range) = range {
                request = request.header(header::RANGE, range);
            }
            let response = request.send().await?;
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
                return Err(MediaError::Gone);
            }
            if !status.is_redirection() {
                return Err(MediaError::Refused(status));
            }
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            url = to.and_then(|to| url.join(to).ok()).ok_or(MediaError::Unsafe)?;
            if url.scheme() != "https" && url.origin() != own.origin() {
                return Err(MediaError::Unsafe);
            }
        }
        Err(MediaError::Unsafe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Secret,
        provider::{Bases, Credentials},
    };

    #[test]
    fn only_files_of_the_account_are_asked_for_and_only_at_its_own_api() {
        let credentials =
            Credentials { auth_token: Secret::new("t".to_owned()), other_auth_token: None, api_key: None };
        let account = Account::new("AC1", "Main", credentials, Bases::all("https://api.ie1.twilio.com/"));
        let media = |url: &str| account.media_url(url).map(String::from);
        let here = "https://api.ie1.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1";
        for named in [
            "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1",
            "https://evil.example/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1?x=1#y",
        ] {
            assert_eq!(media(named).as_deref(), Some(here));
        }
        for named in [
            "https://api.twilio.com/2010-04-01/Accounts/AC2/Messages/MM1/Media/ME1",
            "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/../../../Balance.json",
            "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/",
            "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1.json",
            "https://example.com/picture.jpg",
            "javascript:alert(1)",
            "",
        ] {
            assert_eq!(media(named), None, "{named}");
        }
    }
}
