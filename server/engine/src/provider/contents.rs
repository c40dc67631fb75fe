//! The account's content templates with WhatsApp's verdicts (`GET /v1/ContentAndApprovals` of the Content API).

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    consent::Category,
    content_template::{Approval, ContentTemplate, keys},
    time::Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Account, Provider, list::ListError};

/// Content templates on one page, of at most 1,000.
const PAGE: u32 = 500;

/// So many pages are read: ten thousand content templates.
const PAGES: usize = 20;

/// The type that is read first where a content has several: WhatsApp gets the richest one, and their texts are alike.
const PLAIN: &str = "twilio/text";

/// The type whose text is WhatsApp's own and is not listed: the code stands in it.
const CODE: &str = "whatsapp/authentication";

#[derive(Deserialize)]
struct Page {
    contents: Vec<Entry>,
    meta: Meta,
}

#[derive(Deserialize)]
struct Meta {
    /// A whole address, unlike those of the messages' lists.
    #[serde(default)]
    next_page_url: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    sid: String,
    #[serde(default)]
    friendly_name: Option<String>,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    variables: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    types: BTreeMap<String, Value>,
    #[serde(default)]
    approval_requests: Option<Review>,
}

#[derive(Default, Deserialize)]
struct Review {
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    rejection_reason: Option<String>,
}

impl Provider {
    /// Every content template of the account, as of `now`.
    ///
    /// # Errors
    /// When the whole list is not to be had: then nothing is known.
    pub async fn content_templates(
        &self,
        account: &Account,
        now: Timestamp,
    ) -> Result<Vec<ContentTemplate>, ListError> {
        let base = &account.content_base;
        let first = format!("{base}/v1/ContentAndApprovals");
        let mut request = self.client.get(first).query(&[("PageSize", PAGE)]);
        let mut found = Vec::new();
        for _ in 0..PAGES {
            let response = account.authorize(request).send().await?;
            if !response.status().is_success() {
                return Err(ListError::Refused(response.status()));
            }
            let page: Page = response.json().await?;
            found.extend(page.contents.into_iter().map(|entry| entry.read(account.sid(), now)));
            let Some(next) = page.meta.next_page_url else { return Ok(found) };
            // Our credentials go along: nowhere else than where we asked first.
            if !next.strip_prefix(base.as_str()).is_some_and(|path| path.starts_with('/')) {
                return Err(ListError::Foreign);
            }
            request = self.client.get(next);
        }
        Err(ListError::TooLong)
    }
}

impl Entry {
    fn read(self, account_sid: &str, now: Timestamp) -> ContentTemplate {
        let review = self.approval_requests.unwrap_or_default();
        let rich = self.types.iter().find(|(name, _)| *name != PLAIN).map(|(_, value)| value);
        let plain = self.types.get(PLAIN);
        let part = |name: &str| [rich, plain].into_iter().flatten().find_map(|value| value.get(name));
        let body = part("body").or_else(|| part("title")).and_then(Value::as_str).unwrap_or_default();
        let actions = part("actions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let buttons = actions.iter().filter_map(|action| action.get("title").or_else(|| action.get("copy_code_text")));
        let mut named = BTreeSet::new();
        self.types.values().for_each(|value| collect_named(value, &mut named));
        let stands = |key: &str| named.contains(key) || self.types.contains_key(CODE);
        let given = |text: Option<String>| text.map(|text| clean(&text)).filter(|text| !text.is_empty());
        ContentTemplate {
            sid: clean(&self.sid),
            account_sid: account_sid.to_owned(),
            name: given(self.friendly_name).unwrap_or_else(|| self.sid.clone()),
            language: given(self.language).unwrap_or_default(),
            category: review.category.and_then(|word| word.to_ascii_lowercase().parse::<Category>().ok()),
            approval: review.status.as_deref().map_or(Approval::Unsubmitted, Approval::of),
            reason: given(review.rejection_reason),
            body: clean(body),
            variables: self
                .variables
                .unwrap_or_default()
                .into_iter()
                .map(|(key, sample)| (clean(&key), clean(sample.as_str().unwrap_or_default())))
                // One that stands nowhere needs no value.
                .filter(|(key, _)| stands(key))
                .collect(),
            buttons: buttons.filter_map(Value::as_str).map(clean).collect(),
            synced_at: now,
        }
    }
}

/// The keys that any text of it names: of a body, a button's address, a picture's, a card.
fn collect_named<'a>(value: &'a Value, named: &mut BTreeSet<&'a str>) {
    match value {
        Value::String(text) => named.extend(keys(text)),
        Value::Array(items) => items.iter().for_each(|item| collect_named(item, named)),
        Value::Object(fields) => fields.values().for_each(|field| collect_named(field, named)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Without the one character that a database's text cannot hold.
fn clean(text: &str) -> String {
    text.replace('\0', "").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entry: Value) -> ContentTemplate {
        serde_json::from_value::<Entry>(entry).expect("an entry").read("AC1", Timestamp::from_seconds(5))
    }

    #[test]
    fn an_entry_is_read_as_whatsapp_shows_it() {
        let found = read(serde_json::json!({
            "sid": "HX1", "friendly_name": "price_drop", "language": "en", "account_sid": "AC1",
            "variables": {"1": "Ana", "2": "$79"},
            "types": {
                "twilio/text": {"body": "plain {{1}}"},
                "twilio/call-to-action": {"body": "rich {{1}} {{2}}", "actions": [{"type": "URL", "title": "See it"}]},
            },
            "approval_requests": {"status": "approved", "category": "MARKETING", "rejection_reason": ""},
        }));
        assert_eq!((&*found.name, &*found.language, found.approval), ("price_drop", "en", Approval::Approved));
        assert_eq!((found.category, found.reason), (Some(Category::Marketing), None));
        assert_eq!((&*found.body, found.buttons), ("rich {{1}} {{2}}", vec!["See it".to_owned()]));
        assert_eq!(found.variables["2"], "$79");
    }

    #[test]
    fn a_variable_is_kept_that_stands_anywhere() {
        let kept = |types: Value| {
            let variables = serde_json::json!({"1": "Ana", "2": "shoes", "pic": "a.jpg", "9": "nowhere"});
            let found = read(serde_json::json!({"sid": "HX4", "variables": variables, "types": types}));
            found.variables.into_keys().collect::<Vec<_>>()
        };
        let link = serde_json::json!({"type": "URL", "title": "See it", "url": "https://shop.example.com/{{ 2 }}"});
        let button = serde_json::json!({"twilio/call-to-action": {"body": "Hi {{1}}", "actions": [link]}});
        assert_eq!(kept(button), ["1", "2"]);
        let media =
            serde_json::json!({"twilio/media": {"body": "Hi {{1}}", "media": ["https://shop.example.com/{{pic}}"]}});
        assert_eq!(kept(media), ["1", "pic"]);
        let card =
            serde_json::json!({"title": "{{2}}", "body": "new", "media": "https://a.example/{{pic}}", "actions": []});
        assert_eq!(
            kept(serde_json::json!({"twilio/carousel": {"body": "Hi {{1}}", "cards": [card]}})),
            ["1", "2", "pic"]
        );
        let plain = serde_json::json!({"twilio/text": {"body": "{{ 1 }} {{"}});
        assert_eq!(kept(plain), ["1"]);
        let code = serde_json::json!({"whatsapp/authentication": {"actions": [{"copy_code_text": "Copy"}]}});
        assert_eq!(kept(code), ["1", "2", "9", "pic"], "its text is not listed");
    }

    #[test]
    fn what_is_missing_or_new_does_no_harm() {
        let found = read(serde_json::json!({
            "sid": "HX2", "variables": null, "types": {"whatsapp/authentication": {"actions": [{"copy_code_text": "Copy"}]}},
            "approval_requests": {"status": "flagged", "category": "TRANSACTIONAL", "rejection_reason": "bad\u{0} words"},
        }));
        assert_eq!((&*found.name, found.approval, found.category), ("HX2", Approval::Unknown, None));
        assert_eq!((found.reason.as_deref(), &*found.body), (Some("bad words"), ""));
        assert_eq!(read(serde_json::json!({"sid": "HX3"})).approval, Approval::Unsubmitted);
    }
}
