//! What the simulator can be told: the account, its faults, and how status callbacks behave.
//!
//! A [`Settings`] is plain data (serde): the command line reads it from a profile file, tests build it with
//! `..Settings::default()`, and `PATCH /control/settings` changes it while the simulator runs.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The account's SID unless another one is set. Fixed and documented on purpose.
pub const ACCOUNT_SID: &str = "AC5117000000000000000000000000517a";

/// The account's auth token unless another one is set.
///
/// **This is not a secret.** It is published in docs/development.md, it opens nothing but a simulator, and it must never be
/// used as the token of anything real.
pub const AUTH_TOKEN: &str = "0000517a0000517a0000517a0000517a";

/// The simulator's own SMS sender (Twilio's magic "From" that is always accepted).
pub const SENDER: &str = "+15005550006";

/// The simulator's own WhatsApp sender.
pub const WHATSAPP_SENDER: &str = "whatsapp:+15005550006";

/// Everything that can be set. Unknown fields are refused, missing ones take their default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `AC` and 32 hexadecimal digits; part of every path of the Messages API.
    pub account_sid: String,
    /// Password of Basic authentication, and the key all webhooks are signed with.
    pub auth_token: String,
    /// An API key (`SK…`) that is accepted besides SID and token. It signs nothing: see "Security" in Twilio's docs.
    pub api_key_sid: Option<String>,
    /// The secret of `api_key_sid`.
    pub api_key_secret: Option<String>,

    /// Where inbound messages are posted. A URL fragment may hold connection overrides (`#rc=2&rp=all`).
    pub inbound_url: Option<String>,

    /// Every answer of the API is held back this long.
    pub latency_ms: u64,
    /// … plus a random part between 0 and this.
    pub jitter_ms: u64,

    /// More accepted creates than this in any second get 429 with code 20429.
    pub max_per_second: Option<u32>,
    /// More API requests than this at a time get 429 with code 20429 ("Too Many Requests", error page 20429).
    pub max_concurrent: Option<u32>,
    /// The `Retry-After` of those answers; `null`: no such header, as documented by Twilio.
    pub retry_after_seconds: Option<u32>,

    /// Failures by the number a message goes to; the first rule that matches counts.
    pub errors: Vec<ErrorRule>,
    /// Other behaviour by the number a message goes to; the first rule that matches counts.
    pub numbers: Vec<NumberRule>,
    /// Twilio's magic numbers (page "Test Credentials"): +15005550001 as To is refused with 21211, and so on.
    pub magic_numbers: bool,

    /// When not empty, a From outside this list is refused: 21606 for SMS, 63007 for WhatsApp.
    pub senders: Vec<String>,
    /// What a Messaging Service picks its sender from (with `whatsapp:` prefix for WhatsApp).
    pub service_senders: Vec<String>,

    /// The message is accepted, then the connection is closed without an answer.
    pub lost_answer_percent: f64,
    /// The connection is closed at once without an answer, and the message is accepted `accepted_late_ms` later.
    pub accepted_late_percent: f64,
    /// See `accepted_late_percent`.
    pub accepted_late_ms: u64,
    /// The message is accepted, the answer comes after `timeout_ms`.
    pub timeout_percent: f64,
    /// See `timeout_percent`.
    pub timeout_ms: u64,
    /// 500 with code 20500, and the message was **not** accepted.
    pub error_500_percent: f64,
    /// 500 with code 20500, and the message **was** accepted.
    pub error_500_accepted_percent: f64,
    /// 502 with an HTML page instead of JSON; not accepted.
    pub error_502_percent: f64,
    /// 502 with an HTML page instead of JSON; accepted.
    pub error_502_accepted_percent: f64,

    /// Status callbacks.
    pub callbacks: Callbacks,

    /// Free text on WhatsApp later than 24 hours after the person's last inbound message ends with 63016, and a
    /// content template needs an approval there.
    pub enforce_whatsapp_window: bool,
    /// At most this many unique people may be written to outside their window in 24 hours; further ones end with 63018.
    pub portfolio_limit: Option<u32>,
    /// Twilio's own handling of STOP and START.
    pub opt_out: OptOut,
    /// The earliest `SendAt`, in seconds from now (Twilio: 900; tests want less).
    pub min_schedule_seconds: u32,
    /// A content template sent to WhatsApp for approval is `pending` this long, then `approved`
    /// (`rejected` when its name contains "reject").
    pub approval_delay_ms: u64,

    /// Start of all random choices: the same seed and the same order of requests give the same choices.
    pub seed: u64,
    /// Messages kept; above it the oldest are forgotten (their counts stay). A forgotten message is in no list and
    /// cannot be fetched, so keep this far above what a reconciliation may still ask for.
    pub max_messages: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account_sid: ACCOUNT_SID.into(),
            auth_token: AUTH_TOKEN.into(),
            api_key_sid: None,
            api_key_secret: None,
            inbound_url: None,
            latency_ms: 0,
            jitter_ms: 0,
            max_per_second: None,
            max_concurrent: None,
            retry_after_seconds: None,
            errors: Vec::new(),
            numbers: Vec::new(),
            magic_numbers: true,
            senders: Vec::new(),
            service_senders: vec![SENDER.into(), WHATSAPP_SENDER.into()],
            lost_answer_percent: 0.0,
            accepted_late_percent: 0.0,
            accepted_late_ms: 5_000,
            timeout_percent: 0.0,
            timeout_ms: 30_000,
            error_500_percent: 0.0,
            error_500_accepted_percent: 0.0,
            error_502_percent: 0.0,
            error_502_accepted_percent: 0.0,
            callbacks: Callbacks::default(),
            enforce_whatsapp_window: false,
            portfolio_limit: None,
            opt_out: OptOut::Off,
            min_schedule_seconds: 900,
            approval_delay_ms: 2_000,
            seed: 1,
            max_messages: 500_000,
        }
    }
}

/// How status callbacks behave (page "Track the Message Status of Outbound Messages").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Callbacks {
    /// Off: statuses advance, nobody is told.
    pub enabled: bool,
    /// The statuses a message goes through after its first one. A word Twilio does not know is sent as it is and
    /// changes nothing in the resource.
    pub statuses: Vec<String>,
    /// A message sent through a Messaging Service gets a `queued` callback first, as Twilio does.
    pub service_queued: bool,
    /// How many of the delivered messages are read (WhatsApp only, as with Twilio).
    pub read_percent: f64,
    /// Time before the first callback and between two of them.
    pub delay_ms: u64,
    /// Callbacks that are sent twice, with the same `I-Twilio-Idempotency-Token`.
    pub duplicate_percent: f64,
    /// Messages of which two neighbouring callbacks change places.
    pub reorder_percent: f64,
    /// Messages whose first callback is sent, and answered, before the create is answered.
    pub callback_before_answer_percent: f64,
    /// Messages that never get further than `sent`, like those to a phone that is off.
    pub stuck_at_sent_percent: f64,
    /// Messages that advance without any callback.
    pub no_callbacks_percent: f64,
    /// Adds a parameter that no documentation names (Twilio adds some without notice).
    pub unknown_param: bool,
    /// Requests in flight to the application at a time. Read at the start only.
    pub workers: usize,
    /// Messages waiting for their next callback; what comes on top of it gets none and is counted as dropped.
    pub max_pending: usize,
}

impl Default for Callbacks {
    fn default() -> Self {
        Self {
            enabled: true,
            statuses: vec!["sent".into(), "delivered".into()],
            service_queued: true,
            read_percent: 0.0,
            delay_ms: 50,
            duplicate_percent: 0.0,
            reorder_percent: 0.0,
            callback_before_answer_percent: 0.0,
            stuck_at_sent_percent: 0.0,
            no_callbacks_percent: 0.0,
            unknown_param: false,
            workers: 1_024,
            max_pending: 1_000_000,
        }
    }
}

/// A failure for the numbers that match.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// The number without `whatsapp:`; `*` stands for any characters: `+94*`, `*0001`, `*`.
    pub number: String,
    /// Twilio's error code.
    pub code: u32,
    /// At which point it fails.
    #[serde(default)]
    pub when: When,
    /// How many of the matching messages fail.
    #[serde(default = "hundred")]
    pub percent: f64,
    /// The final status, if it is not to be `failed` (before sent) or `undelivered` (after sent).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

impl ErrorRule {
    /// A rule for all messages to `number`.
    pub fn new(number: impl Into<String>, code: u32, when: When) -> Self {
        Self { number: number.into(), code, when, percent: 100.0, status: None }
    }
}

/// The point at which a message fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The create is refused with the code.
    #[default]
    Create,
    /// The message is accepted and becomes `failed`.
    BeforeSent,
    /// The message becomes `sent`, then `undelivered`.
    AfterSent,
}

/// Behaviour of the numbers that match, besides failing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberRule {
    /// As in [`ErrorRule::number`].
    pub number: String,
    /// A fault of the create that happens to these numbers every time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// The statuses of these messages, in place of [`Callbacks::statuses`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statuses: Option<Vec<String>>,
}

/// What can go wrong around a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Accepted, connection closed without an answer.
    LostAnswer,
    /// Connection closed at once without an answer, accepted `accepted_late_ms` later.
    AcceptedLate,
    /// Accepted, answered after `timeout_ms`.
    Timeout,
    /// 400 that is not JSON, as a proxy answers, not accepted.
    #[serde(rename = "error_400")]
    Error400,
    /// 500, not accepted.
    #[serde(rename = "error_500")]
    Error500,
    /// 500, accepted.
    #[serde(rename = "error_500_accepted")]
    Error500Accepted,
    /// 502 that is not JSON, not accepted.
    #[serde(rename = "error_502")]
    Error502,
    /// 502 that is not JSON, accepted.
    #[serde(rename = "error_502_accepted")]
    Error502Accepted,
}

impl Fault {
    /// Whether the message exists at Twilio although the client does not learn it.
    pub fn is_accepted(self) -> bool {
        !matches!(self, Self::Error400 | Self::Error500 | Self::Error502)
    }
}

/// Twilio's own handling of opt-out keywords (page "Advanced Opt-Out", help article "SMS STOP filtering").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptOut {
    /// No blocking at all: the application is alone with its list.
    #[default]
    Off,
    /// SMS only: STOP blocks the pair of numbers, later creates get 400 with 21610, START lifts it.
    Default,
    /// Both channels: `OptOutType` on the inbound webhook, later messages fail with 21610 in the callback.
    Advanced,
}

/// Why settings were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(pub(crate) String);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// Refuses what cannot be meant.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let fail = |text: String| Err(SettingsError(text));
        if !is_sid(&self.account_sid, "AC") {
            return fail(format!("account_sid: expected AC and 32 hexadecimal digits, got {:?}", self.account_sid));
        }
        if self.auth_token.is_empty() {
            return fail("auth_token: must not be empty".into());
        }
        match (&self.api_key_sid, &self.api_key_secret) {
            (Some(sid), Some(secret)) if is_sid(sid, "SK") && !secret.is_empty() => {}
            (None, None) => {}
            _ => return fail("api_key_sid (SK and 32 hexadecimal digits) and api_key_secret come together".into()),
        }
        if let Some(url) = &self.inbound_url
            && crate::webhook::Target::parse(url).is_none()
        {
            return fail(format!("inbound_url: not an http(s) URL: {url:?}"));
        }
        let faults = [
            ("lost_answer_percent", self.lost_answer_percent),
            ("accepted_late_percent", self.accepted_late_percent),
            ("timeout_percent", self.timeout_percent),
            ("error_500_percent", self.error_500_percent),
            ("error_500_accepted_percent", self.error_500_accepted_percent),
            ("error_502_percent", self.error_502_percent),
            ("error_502_accepted_percent", self.error_502_accepted_percent),
        ];
        let callbacks = [
            ("callbacks.read_percent", self.callbacks.read_percent),
            ("callbacks.duplicate_percent", self.callbacks.duplicate_percent),
            ("callbacks.reorder_percent", self.callbacks.reorder_percent),
            ("callbacks.callback_before_answer_percent", self.callbacks.callback_before_answer_percent),
            ("callbacks.stuck_at_sent_percent", self.callbacks.stuck_at_sent_percent),
            ("callbacks.no_callbacks_percent", self.callbacks.no_callbacks_percent),
        ];
        for (name, percent) in faults.iter().chain(&callbacks) {
            if !(0.0..=100.0).contains(percent) {
                return fail(format!("{name}: expected 0 to 100, got {percent}"));
            }
        }
        if faults.iter().map(|(_, percent)| percent).sum::<f64>() > 100.0 + 1e-9 {
            return fail("the percentages of the create's faults exclude one another: their sum is above 100".into());
        }
        for rule in &self.errors {
            if !(0.0..=100.0).contains(&rule.percent) {
                return fail(format!("errors[{}].percent: expected 0 to 100, got {}", rule.number, rule.percent));
            }
            if rule.number.is_empty() || rule.code == 0 {
                return fail("errors: number and code must not be empty".into());
            }
        }
        for (name, limit) in [("max_per_second", self.max_per_second), ("max_concurrent", self.max_concurrent)] {
            if limit == Some(0) {
                return fail(format!("{name}: must be above 0; null switches it off"));
            }
        }
        if self.max_messages == 0 || self.callbacks.workers == 0 {
            return fail("max_messages and callbacks.workers must be above 0".into());
        }
        Ok(())
    }

    /// These settings with a JSON merge patch (RFC 7396) laid over them: `null` returns a field to its default.
    pub fn patched(&self, patch: &Value) -> Result<Self, SettingsError> {
        if !patch.is_object() {
            return Err(SettingsError("expected a JSON object".into()));
        }
        let mut value = serde_json::to_value(self).map_err(|error| SettingsError(error.to_string()))?;
        merge(&mut value, patch);
        let settings: Self = serde_json::from_value(value).map_err(|error| SettingsError(error.to_string()))?;
        settings.validate()?;
        Ok(settings)
    }
}

fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    target.remove(key);
                } else {
                    merge(target.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (target, patch) => target.clone_from(patch),
    }
}

fn hundred() -> f64 {
    100.0
}

/// Whether `text` is a SID of the kind `prefix`.
pub(crate) fn is_sid(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_defaults_are_valid_and_survive_json() {
        let settings = Settings::default();
        settings.validate().expect("defaults are valid");
        let text = serde_json::to_string(&settings).expect("serializes");
        assert_eq!(serde_json::from_str::<Settings>(&text).expect("parses"), settings);
        assert_eq!(serde_json::from_str::<Settings>("{}").expect("parses"), settings);
    }

    #[test]
    fn a_patch_changes_only_what_it_names_and_null_means_default() {
        let settings = Settings { max_per_second: Some(5), ..Settings::default() };
        let patched = settings
            .patched(&json!({"max_per_second": null, "callbacks": {"delay_ms": 7}, "errors": [{"number": "*1", "code": 30003, "when": "after_sent"}]}))
            .expect("valid");
        assert_eq!(patched.max_per_second, None);
        assert_eq!(patched.callbacks.delay_ms, 7);
        assert_eq!(patched.callbacks.statuses, settings.callbacks.statuses);
        assert_eq!(patched.errors, vec![ErrorRule::new("*1", 30003, When::AfterSent)]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let settings = Settings::default();
        for patch in [
            json!({"no_such_field": 1}),
            json!({"lost_answer_percent": 101}),
            json!({"lost_answer_percent": 60, "timeout_percent": 60}),
            json!({"account_sid": "AC1"}),
            json!({"inbound_url": "ftp://x"}),
            json!({"api_key_sid": "SK00000000000000000000000000000000"}),
            json!({"max_concurrent": 0}),
            json!([]),
        ] {
            assert!(settings.patched(&patch).is_err(), "{patch}");
        }
    }
}
