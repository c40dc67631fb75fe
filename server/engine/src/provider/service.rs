//! What people write to where a Messaging Service sends (`GET /v1/Services/{sid}/PhoneNumbers`, `…/ShortCodes` and
//! `…/ChannelSenders` of the Messaging API).

use domain::message::Channel;
use serde::Deserialize;

use super::{Account, Provider, list::ListError};

/// Numbers on one page, of at most 1,000. A service has 400 at most, unless Twilio allows more.
const PAGE: u32 = 1_000;

/// Its list of senders that have a channel of their own.
const CHANNEL_SENDERS: &str = "ChannelSenders";

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
    /// prefix. RCS is written as SMS is, and its senders keep theirs: they have no number. Without them the numbers are read
    /// all the same, where Twilio does not give them.
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
            Channel::Sms => &["PhoneNumbers", "ShortCodes", CHANNEL_SENDERS],
            Channel::Whatsapp => &[CHANNEL_SENDERS],
        };
        let mut found = Vec::new();
        for list in lists {
            let path = format!("/v1/Services/{service}/{list}");
            match self.read_list(account, &path, channel, &mut found).await {
                Err(error) if channel == Channel::Sms && *list == CHANNEL_SENDERS && !error.may_pass() => {
                    tracing::error!(%error, service, "Twilio does not list the RCS senders of a Messaging Service");
                    metrics::counter!("missed_inbound_refused_total").increment(1);
                }
                read => read?,
            }
        }
        Ok(found)
    }

    async fn read_list(
        &self,
        account: &Account,
        path: &str,
        channel: Channel,
        found: &mut Vec<String>,
    ) -> Result<(), ListError> {
        let base = &account.messaging_base;
        let mut request = self.client.get(format!("{base}{path}")).query(&[("PageSize", PAGE)]);
        for _ in 0..PAGES {
            let response = account.authorize(request).send().await?;
            if !response.status().is_success() {
                return Err(ListError::Refused(response.status()));
            }
            let page: Page = response.json().await?;
            let next = page.meta.next_page_url.clone();
            found.extend(page.addresses(channel));
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
    fn addresses(self, channel: Channel) -> impl Iterator<Item = String> {
        let numbers = self.phone_numbers.into_iter().map(|number| number.phone_number);
        let codes = self.short_codes.into_iter().map(|code| code.short_code);
        // A service may have senders of other channels, too.
        let senders = self.senders.into_iter().filter_map(move |ChannelSender { sender }| match channel {
            Channel::Whatsapp => sender.strip_prefix("whatsapp:").map(str::to_owned),
            Channel::Sms => sender.starts_with("rcs:").then_some(sender),
        });
        numbers.chain(codes).chain(senders)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(page: &Value, channel: Channel) -> Vec<String> {
        Page::deserialize(page).expect("a page").addresses(channel).collect()
    }

    #[test]
    fn a_service_has_numbers_codes_and_senders_of_channels() {
        let meta = json!({"page": 0, "next_page_url": null});
        let numbers = json!({"meta": meta, "phone_numbers": [{"phone_number": "+15005550006", "sid": "PN1"}]});
        assert_eq!(read(&numbers, Channel::Sms), ["+15005550006"]);
        let codes = json!({"meta": meta, "short_codes": [{"short_code": "12345"}]});
        assert_eq!(read(&codes, Channel::Sms), ["12345"]);
        let senders = ["whatsapp:+15005550007", "messenger:1", "rcs:our_agent"].map(|sender| json!({"sender": sender}));
        let senders = json!({"meta": meta, "senders": senders});
        assert_eq!(read(&senders, Channel::Whatsapp), ["+15005550007"]);
        assert_eq!(read(&senders, Channel::Sms), ["rcs:our_agent"]);
    }
}
