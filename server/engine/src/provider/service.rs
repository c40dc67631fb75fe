//! What people write to where a Messaging Service sends (`GET /v1/Services/{sid}/PhoneNumbers`, `…/ShortCodes` and
//! `…/ChannelSenders` of the Messaging API).

use domain::message::Channel;
use serde::Deserialize;

use super::{Account, Provider, list::ListError};

/// Numbers on one page, of at most 1,000. A service has 400 at most, unless Twilio allows more.
const PAGE: u32 = 1_000;

/// So many pages are read.
const PAGES: usize = 20;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    phone_numbers: Vec<Number>,
    #[serde(default)]
    short_codes: Vec<ShortCode>,
    #[serde(default)]
    senders: Vec<ChannelSender>,
    meta: Meta,
}

#[derive(Deserialize)]
struct Number {
    phone_number: String,
}

#[derive(Deserialize)]
struct ShortCode {
    short_code: String,
}

#[derive(Deserialize)]
struct ChannelSender {
    sender: String,
}

#[derive(Deserialize)]
struct Meta {
    /// A whole address.
    #[serde(default)]
    next_page_url: Option<String>,
}

impl Provider {
    /// The addresses of this Messaging Service (`MG…`) on this channel that people can write to, without the channel's
    /// prefix.
    ///
    /// # Errors
    /// When the whole list is not to be had: then nothing is known.
    pub async fn addresses_of_service(
        &self,
        account: &Account,
        service: &str,
        channel: Channel,
    ) -> Result<Vec<String>, ListError> {
        let lists: &[&str] = match channel {
            Channel::Sms => &["PhoneNumbers", "ShortCodes"],
            Channel::Whatsapp => &["ChannelSenders"],
        };
        let mut found = Vec::new();
        for list in lists {
            self.read_list(account, &format!("/v1/Services/{service}/{list}"), &mut found).await?;
        }
        Ok(found)
    }

    async fn read_list(&self, account: &Account, path: &str, found: &mut Vec<String>) -> Result<(), ListError> {
        let base = &account.messaging_base;
        let mut request = self.client.get(format!("{base}{path}")).query(&[("PageSize", PAGE)]);
        for _ in 0..PAGES {
            let response = account.authorize(request).send().await?;
            if !response.status().is_success() {
                return Err(ListError::Refused(response.status()));
            }
            let page: Page = response.json().await?;
            let next = page.meta.next_page_url.clone();
            found.extend(page.addresses());
            let Some(next) = next else { return Ok(()) };
            // Our credentials go along: nowhere else than where we asked first.
            if !next.strip_prefix(base.as_str()).is_some_and(|path| path.starts_with('/')) {
                return Err(ListError::Foreign);
            }
            request = self.client.get(next);
        }
        Err(ListError::TooLong)
    }
}

impl Page {
    fn addresses(self) -> impl Iterator<Item = String> {
        let numbers = self.phone_numbers.into_iter().map(|number| number.phone_number);
        let codes = self.short_codes.into_iter().map(|code| code.short_code);
        // A service may have senders of other channels, too.
        let senders =
            self.senders.into_iter().filter_map(|sender| Some(sender.sender.strip_prefix("whatsapp:")?.to_owned()));
        numbers.chain(codes).chain(senders)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(page: Value) -> Vec<String> {
        serde_json::from_value::<Page>(page).expect("a page").addresses().collect()
    }

    #[test]
    fn a_service_has_numbers_codes_and_senders_of_channels() {
        let meta = json!({"page": 0, "next_page_url": null});
        let numbers = json!({"meta": meta, "phone_numbers": [{"phone_number": "+15005550006", "sid": "PN1"}]});
        assert_eq!(read(numbers), ["+15005550006"]);
        assert_eq!(read(json!({"meta": meta, "short_codes": [{"short_code": "12345"}]})), ["12345"]);
        let senders =
            json!({"meta": meta, "senders": [{"sender": "whatsapp:+15005550007"}, {"sender": "messenger:1"}]});
        assert_eq!(read(senders), ["+15005550007"]);
    }
}
