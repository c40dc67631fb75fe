//! Content templates (Content API; page "Using Variables with Content Templates").

pub(crate) mod api;
mod samples;

use serde_json::{Map, Value, json};

use crate::clock::{iso_seconds, now_ms};

/// The types a content may have. The text of a type is its `body`.
const TYPES: [&str; 14] = [
    "twilio/text",
    "twilio/media",
    "twilio/quick-reply",
    "twilio/call-to-action",
    "twilio/list-picker",
    "twilio/location",
    "twilio/card",
    "twilio/carousel",
    "twilio/catalog",
    "twilio/flows",
    "twilio/schedule",
    "whatsapp/card",
    "whatsapp/authentication",
    "whatsapp/flows",
];

#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub sid: String,
    pub friendly_name: String,
    pub language: String,
    /// Sample values, used for what a message leaves out.
    pub variables: Map<String, Value>,
    pub types: Map<String, Value>,
    pub created: i64,
    pub updated: i64,
    pub approval: Approval,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Approval {
    pub name: String,
    pub category: String,
    /// As set; see [`Content::status`].
    pub status: String,
    pub rejection_reason: String,
    pub allow_category_change: bool,
    /// When a pending approval is decided, and how.
    pub decision: Option<(i64, &'static str)>,
}

/// A template filled for one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub body: String,
    pub num_media: u8,
    pub approval: String,
}

impl Content {
    /// The approval's status now.
    pub fn status(&self, now: i64) -> &str {
        match self.approval.decision {
            Some((at, decided)) if now >= at => decided,
            _ => &self.approval.status,
        }
    }

    /// Fills the text. Keys that are not given fall back to the sample silently, as with Twilio; without a sample the
    /// placeholder stays.
    pub fn render(&self, variables: Option<&Map<String, Value>>, whatsapp: bool, now: i64) -> Rendered {
        let text_type = "twilio/text";
        let rich = self.types.iter().find(|(name, _)| *name != text_type);
        let chosen = match (self.types.get(text_type), rich) {
            (Some(text), Some((_, rich))) => Some(if whatsapp { rich } else { text }),
            (Some(text), None) => Some(text),
            (None, rich) => rich.map(|(_, value)| value),
        };
        let part = |name: &str| chosen.and_then(|value| value.get(name));
        let body = match part("body").or_else(|| part("title")).and_then(Value::as_str) {
            Some(body) => self.fill(body, variables),
            None if self.types.contains_key("whatsapp/authentication") => {
                self.fill("{{1}} is your verification code.", variables)
            }
            None => String::new(),
        };
        let num_media = part("media").and_then(Value::as_array).map_or(0, |media| media.len().min(10) as u8);
        Rendered { body, num_media, approval: self.status(now).to_owned() }
    }

    fn fill(&self, text: &str, variables: Option<&Map<String, Value>>) -> String {
        let mut filled = String::with_capacity(text.len() + 64);
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            filled.push_str(before);
            let Some((key, tail)) = after.split_once("}}") else {
                filled.push_str("{{");
                rest = after;
                continue;
            };
            let name = key.trim();
            let value = variables
                .and_then(|given| given.get(name))
                .or_else(|| self.variables.get(name))
                .and_then(Value::as_str);
            match value {
                Some(value) => filled.push_str(value),
                None => {
                    filled.push_str("{{");
                    filled.push_str(key);
                    filled.push_str("}}");
                }
            }
            rest = tail;
        }
        filled.push_str(rest);
        filled
    }

    /// The object of the API; with `approvals` also the flat `approval_requests` of ContentAndApprovals.
    fn json(&self, account: &str, origin: &str, approvals: bool) -> Value {
        let url = format!("{origin}/v1/Content/{}", self.sid);
        let mut object = json!({
            "sid": self.sid,
            "account_sid": account,
            "friendly_name": self.friendly_name,
            "language": self.language,
            "variables": self.variables,
            "types": self.types,
            "date_created": iso_seconds(self.created),
            "date_updated": iso_seconds(self.updated),
        });
        if approvals {
            object["approval_requests"] = self.approval_json();
        } else {
            object["links"] = json!({
                "approval_create": format!("{url}/ApprovalRequests/whatsapp"),
                "approval_fetch": format!("{url}/ApprovalRequests"),
            });
            object["url"] = url.into();
        }
        object
    }

    fn approval_json(&self) -> Value {
        json!({
            "name": self.approval.name,
            "category": self.approval.category,
            "content_type": self.types.keys().next(),
            "status": self.status(now_ms()),
            "rejection_reason": self.approval.rejection_reason,
            "allow_category_change": self.approval.allow_category_change,
        })
    }
}

/// All contents of the account, in the order of their creation.
#[derive(Debug)]
pub(crate) struct Contents {
    pub all: Vec<Content>,
}

impl Contents {
    /// What every simulator starts with.
    pub fn samples() -> Self {
        Self { all: samples::all() }
    }

    pub fn get(&self, sid: &str) -> Option<&Content> {
        self.all.iter().find(|content| content.sid == sid)
    }

    pub fn get_mut(&mut self, sid: &str) -> Option<&mut Content> {
        self.all.iter_mut().find(|content| content.sid == sid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(types: Value) -> Content {
        let Value::Object(types) = types else { unreachable!("an object") };
        let Value::Object(variables) = json!({"1": "there", "name": "Sam"}) else { unreachable!("an object") };
        Content {
            sid: "HX1".into(),
            friendly_name: "x".into(),
            language: "en".into(),
            variables,
            types,
            created: 0,
            updated: 0,
            approval: Approval { status: "pending".into(), decision: Some((100, "approved")), ..Approval::default() },
        }
    }

    #[test]
    fn missing_variables_fall_back_to_the_sample() {
        let text = content(json!({"twilio/text": {"body": "Hi {{1}}, {{ name }} {{2}} {{ and {1}"}}));
        let given = json!({"1": "Ana {{name}}"});
        assert_eq!(text.render(given.as_object(), true, 0).body, "Hi Ana {{name}}, Sam {{2}} {{ and {1}");
        assert_eq!(text.render(None, false, 0).body, "Hi there, Sam {{2}} {{ and {1}");
    }

    #[test]
    fn the_channel_picks_the_type() {
        let both = content(
            json!({"twilio/text": {"body": "plain"}, "twilio/card": {"title": "rich", "media": ["https://x/y.png"]}}),
        );
        assert_eq!(
            both.render(None, true, 0),
            Rendered { body: "rich".into(), num_media: 1, approval: "pending".into() }
        );
        assert_eq!(
            both.render(None, false, 100),
            Rendered { body: "plain".into(), num_media: 0, approval: "approved".into() }
        );
    }

    #[test]
    fn samples_have_unique_sids_and_real_types() {
        let samples = Contents::samples().all;
        for content in &samples {
            assert!(crate::settings::is_sid(&content.sid, "HX"), "{}", content.sid);
            assert_eq!(samples.iter().filter(|other| other.sid == content.sid).count(), 1);
            assert!(content.types.keys().all(|name| TYPES.contains(&name.as_str())));
        }
        assert!(
            ["approved", "pending", "rejected", "paused", "unsubmitted"]
                .iter()
                .all(|status| samples.iter().any(|c| c.approval.status == *status))
        );
    }
}
